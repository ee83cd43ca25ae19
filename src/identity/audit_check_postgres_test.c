/* The log in PostgreSQL, verified, when somebody with the database alone has written in it. */
#include "identity/audit_check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "store/postgres_fixture.h"

#define OUTSIDE  2147483648u /* all numbers that no chain can have */
#define NO_CHECK "ALTER TABLE security_audit_log DROP CONSTRAINT security_audit_log_"

static struct gh_postgres_fixture server;

/* A database of the test's own: tests change the tables themselves. */
static int fresh(void **state)
{
    gh_postgres_fixture_bare(&server);
    return 0;
}

static uint64_t sql(const char *text)
{
    return gh_postgres_fixture_sql(&server, text);
}

static struct gh_store *open_store(void)
{
    struct gh_store *store = gh_postgres_fixture_open(&server);
    assert_non_null(store);
    return store;
}

/* ---- Units ---- */

struct appending {
    uint32_t chain; /* 0: the store's own */
    unsigned count;
};

static enum gh_err append_unit(struct gh_tx *tx, void *args)
{
    const struct appending *appending = args;
    enum gh_err err = GH_OK;
    tx->chain = appending->chain;
    for (unsigned i = 0; err == GH_OK && i < appending->count; i++) {
        const struct gh_audit_row row = {.record = {.time_us = 1800000000000000 + i,
                                                    .event = GH_AUDIT_HOST_REJECTED,
                                                    .outcome = GH_AUDIT_FAILURE,
                                                    .metadata = GH_STR("{\"count\":1}")}};
        err = tx->ops->audit_append(tx, &row);
    }
    return err;
}

static enum gh_err append(struct gh_store *store, uint32_t chain, unsigned count)
{
    struct appending appending = {chain, count};
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    enum gh_err err = store->ops->run_bulk(store, append_unit, &appending, &arena);
    gh_arena_done(&arena);
    return err;
}

struct reading {
    uint32_t chain;
    struct gh_audit_chain *chains;
    struct gh_audit_row *rows;
    size_t chain_count, row_count;
};

static enum gh_err read_unit(struct gh_tx *tx, void *args)
{
    struct reading *reading = args;
    const struct gh_audit_query query = {.oldest_first = true, .limit = 100};
    tx->chain = reading->chain;
    enum gh_err err = tx->ops->audit_chains(tx, &reading->chains, &reading->chain_count);
    return err == GH_OK ? tx->ops->audit_page(tx, &query, &reading->rows, &reading->row_count)
                        : err;
}

/* The store shows these chains, 0: the end, and the last of them has so many records. */
static void assert_shown(struct gh_store *store, const uint32_t *chains, size_t records)
{
    struct reading reading = {.chain = 0};
    struct gh_arena arena;
    size_t count = 0;
    gh_arena_init(&arena, 4096, 1 << 20);
    while (chains[count])
        reading.chain = chains[count++];
    assert_int_equal(store->ops->read(store, read_unit, &reading, &arena), GH_OK);
    assert_int_equal(reading.chain_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(reading.chains[i].id, chains[i]);
    assert_int_equal(reading.row_count, records);
    gh_arena_done(&arena);
}

#define CHAINS(...) ((const uint32_t[]){__VA_ARGS__, 0})

/* ---- Verdicts ---- */

static struct gh_audit_verdict check(struct gh_store *store)
{
    const struct gh_audit_verify_options options = {.verifiers = NULL};
    struct gh_audit_verdict verdict;
    assert_int_equal(gh_audit_check_store(store, &options, 0, &verdict), GH_OK);
    return verdict;
}

static void assert_intact(struct gh_store *store, uint64_t records)
{
    struct gh_audit_verdict verdict = check(store);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.records, records);
}

static void assert_unreadable(struct gh_store *store, uint32_t chain, uint64_t seq)
{
    struct gh_audit_verdict verdict = check(store);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_UNREADABLE);
    assert_int_equal(verdict.chain, chain);
    assert_int_equal(verdict.seq, seq);
}

/* Records of the first chain again, as those of others. */
static void invent(const char *chains)
{
    char text[512];
    snprintf(text, sizeof(text),
             "INSERT INTO security_audit_log (chain, seq, time, event_type, outcome, metadata, "
             "prev_hash, hash) SELECT c, seq, time, event_type, outcome, metadata, prev_hash, hash "
             "FROM security_audit_log, unnest('%s'::bigint[]) AS c WHERE chain = 1",
             chains);
    sql(text);
}

/* ---- Chains that the table of chains does not name ---- */

static void a_chain_that_somebody_invented_is_found_and_shown(void **state)
{
    struct gh_store *store = open_store();
    assert_int_equal(append(store, 0, 3), GH_OK);
    assert_intact(store, 3);
    invent("{77,2147483647}");
    assert_shown(store, CHAINS(1, 77, INT32_MAX), 3);
    assert_unreadable(store, 77, 1);
    sql("DELETE FROM security_audit_log WHERE chain = 77 AND seq = 1");
    assert_unreadable(store, 77, 2);
    sql("DELETE FROM security_audit_log WHERE chain = 77");
    assert_unreadable(store, INT32_MAX, 1);
    sql("DELETE FROM security_audit_log WHERE chain > 1");
    assert_intact(store, 3);
    store->ops->close(store);
}

static void a_chain_that_is_not_named_any_more_is_found(void **state)
{
    struct gh_store *first = open_store(), *second = open_store();
    assert_int_equal(append(first, 0, 3), GH_OK);
    assert_int_equal(append(second, 0, 4), GH_OK);
    second->ops->close(second);
    assert_intact(first, 7);
    sql("DELETE FROM audit_chains WHERE id = 2");
    assert_unreadable(first, 2, 1);
    assert_shown(first, CHAINS(1, 2), 4);
    sql("DELETE FROM audit_chains");
    assert_unreadable(first, 1, 1);
    first->ops->close(first);
}

static void a_chain_that_is_not_named_is_written_by_nobody(void **state)
{
    struct gh_store *first = open_store();
    assert_int_equal(append(first, 0, 2), GH_OK);
    invent("{2,3,77}");
    struct gh_store *second = open_store(); /* the next that there is not */
    assert_int_equal(append(second, 0, 5), GH_OK);
    assert_shown(second, CHAINS(1, 2, 3, 4, 77), 2);
    assert_int_equal(append(second, 3, 1), GH_ERR_NOT_FOUND);
    assert_int_equal(append(second, 77, 1), GH_ERR_NOT_FOUND);
    assert_int_equal(sql("SELECT count(*) FROM security_audit_log WHERE chain IN (2, 3, 77)"), 6);
    assert_int_equal(sql("SELECT count(*) FROM security_audit_log WHERE chain = 4"), 5);
    second->ops->close(second);
    first->ops->close(first);
}

static void numbers_that_no_chain_can_have_are_borne(void **state)
{
    static const char *const NUMBERS[] = {"{-9223372036854775808}", "{-1}",         "{0}",
                                          "{2147483648}",           "{4294967296}", "{4294967297}",
                                          "{9223372036854775807}"};
    struct gh_store *store = open_store();
    assert_int_equal(append(store, 0, 3), GH_OK);
    sql(NO_CHECK "chain_check");
    for (size_t i = 0; i < sizeof(NUMBERS) / sizeof(NUMBERS[0]); i++) {
        invent(NUMBERS[i]);
        assert_unreadable(store, OUTSIDE, 1);
        sql("DELETE FROM security_audit_log WHERE chain <> 1");
    }
    invent("{-5,0,4294967296}");
    assert_unreadable(store, OUTSIDE, 1);
    assert_int_equal(append(store, OUTSIDE, 1), GH_ERR_NOT_FOUND);
    assert_int_equal(append(store, 0, 1), GH_OK);
    store->ops->close(store);
}

static void a_store_opens_whatever_chains_are_named(void **state)
{
    struct gh_store *first = open_store();
    assert_int_equal(append(first, 0, 3), GH_OK);
    sql("ALTER TABLE audit_chains DROP CONSTRAINT audit_chains_id_check; INSERT INTO audit_chains "
        "SELECT n, 0, hash FROM audit_chains, unnest('{-3,0,2147483648,99999999999}'::bigint[]) "
        "AS n; INSERT INTO audit_unsealed (chain, time, event_type, outcome, metadata) SELECT n, "
        "5, 'login', 'success', '{}' FROM unnest('{-3,0,2147483648,4294967297}'::bigint[]) AS n");
    struct gh_store *second = open_store();
    assert_int_equal(append(second, 0, 2), GH_OK);
    assert_shown(second, CHAINS(1, 2, OUTSIDE), 0);
    assert_intact(second, 5);
    second->ops->close(second);
    first->ops->close(first);
}

static void many_invented_chains_are_no_more_than_some(void **state)
{
    struct gh_store *store = open_store();
    assert_int_equal(append(store, 0, 1), GH_OK);
    sql("INSERT INTO security_audit_log (chain, seq, time, event_type, outcome, metadata, "
        "prev_hash, hash) SELECT c, seq, time, event_type, outcome, metadata, prev_hash, hash "
        "FROM security_audit_log, generate_series(10, 8009) AS c");
    assert_unreadable(store, 10, 1);
    store->ops->close(store);
}

/* ---- What the table of chains says ---- */

static void assert_fault(struct gh_store *store, enum gh_audit_fault fault, uint32_t chain,
                         uint64_t seq)
{
    struct gh_audit_verdict verdict = check(store);
    assert_int_equal(verdict.fault, fault);
    assert_int_equal(verdict.chain, chain);
    assert_int_equal(verdict.seq, seq);
}

static void a_log_that_was_cut_at_its_end_is_found(void **state)
{
    struct gh_store *first = open_store(), *second = open_store();
    assert_int_equal(append(first, 0, 5), GH_OK);
    assert_int_equal(append(second, 0, 4), GH_OK);
    assert_intact(first, 9);
    sql("DELETE FROM security_audit_log WHERE chain = 2 AND seq = 4");
    assert_fault(first, GH_AUDIT_FAULT_TRUNCATED, 2, 4);
    sql("DELETE FROM security_audit_log WHERE chain = 2");
    assert_fault(first, GH_AUDIT_FAULT_TRUNCATED, 2, 1);
    sql("UPDATE audit_chains SET seq = 0 WHERE id = 2"); /* as of one that never wrote */
    assert_intact(first, 5);
    second->ops->close(second);
    first->ops->close(first);
}

static void an_end_that_was_written_anew_is_found(void **state)
{
    struct gh_store *store = open_store();
    assert_int_equal(append(store, 0, 5), GH_OK);
    sql("UPDATE audit_chains SET hash = sha256('another')");
    assert_fault(store, GH_AUDIT_FAULT_HEAD, 1, 5);
    sql("UPDATE audit_chains SET seq = 0"); /* tables that were filled by hand */
    assert_intact(store, 5);
    store->ops->close(store);
}

static void a_chain_that_was_taken_away_whole_is_found(void **state)
{
    struct gh_store *stores[3];
    for (size_t i = 0; i < 3; i++) {
        stores[i] = open_store();
        assert_int_equal(append(stores[i], 0, 2), GH_OK);
    }
    assert_intact(stores[2], 6);
    sql("DELETE FROM security_audit_log WHERE chain = 1; DELETE FROM audit_chains WHERE id = 1");
    assert_fault(stores[2], GH_AUDIT_FAULT_MISSING, 1, 1);
    for (size_t i = 0; i < 3; i++)
        stores[i]->ops->close(stores[i]);
}

static void which_chains_were_invented_is_told(void **state)
{
    struct gh_store *store = open_store();
    struct reading reading = {.chain = 1};
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(append(store, 0, 3), GH_OK);
    invent("{7}");
    assert_int_equal(store->ops->read(store, read_unit, &reading, &arena), GH_OK);
    assert_int_equal(reading.chain_count, 2);
    assert_false(reading.chains[0].invented);
    assert_int_equal(reading.chains[0].head_seq, 3);
    assert_true(reading.chains[1].invented); /* nobody signs it, nor remembers it */
    assert_int_equal(reading.chains[1].head_seq, 0);
    gh_arena_done(&arena);
    store->ops->close(store);
}

/* ---- Positions ---- */

static void a_position_that_does_not_rise_is_found(void **state)
{
    static const struct {
        const char *change;
        uint64_t seq;
    } CASES[] = {
        {"UPDATE security_audit_log SET position = 0 WHERE seq = 5", 5},
        {"UPDATE security_audit_log SET position = -5 WHERE seq = 5", 5},
        {"UPDATE security_audit_log SET position = 0 WHERE seq = 1", 1},
        {"UPDATE security_audit_log SET position = 3 WHERE seq = 6", 6},
        {"UPDATE security_audit_log SET position = 1000 WHERE seq = 5", 6},
        {"UPDATE security_audit_log SET position = 1000 - position", 2},
    };
    struct gh_store *store = open_store();
    assert_int_equal(append(store, 0, 8), GH_OK);
    sql("ALTER TABLE security_audit_log ALTER position DROP IDENTITY; " NO_CHECK
        "position_check; " NO_CHECK "position_key; CREATE TABLE kept AS SELECT seq, position FROM "
        "security_audit_log");
    assert_intact(store, 8);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        sql(CASES[i].change);
        assert_unreadable(store, 1, CASES[i].seq);
        sql("UPDATE security_audit_log AS l SET position = k.position FROM kept AS k WHERE k.seq = "
            "l.seq");
    }
    assert_intact(store, 8);
    store->ops->close(store);
}

static void the_table_takes_no_position_under_one(void **state)
{
    struct gh_store *store = open_store();
    store->ops->close(store);
    assert_int_equal(sql("SELECT count(*) FROM pg_constraint WHERE conname = "
                         "'security_audit_log_position_check'"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_chain_that_somebody_invented_is_found_and_shown, fresh),
        cmocka_unit_test_setup(a_chain_that_is_not_named_any_more_is_found, fresh),
        cmocka_unit_test_setup(a_chain_that_is_not_named_is_written_by_nobody, fresh),
        cmocka_unit_test_setup(numbers_that_no_chain_can_have_are_borne, fresh),
        cmocka_unit_test_setup(a_store_opens_whatever_chains_are_named, fresh),
        cmocka_unit_test_setup(many_invented_chains_are_no_more_than_some, fresh),
        cmocka_unit_test_setup(a_log_that_was_cut_at_its_end_is_found, fresh),
        cmocka_unit_test_setup(an_end_that_was_written_anew_is_found, fresh),
        cmocka_unit_test_setup(a_chain_that_was_taken_away_whole_is_found, fresh),
        cmocka_unit_test_setup(which_chains_were_invented_is_told, fresh),
        cmocka_unit_test_setup(a_position_that_does_not_rise_is_found, fresh),
        cmocka_unit_test_setup(the_table_takes_no_position_under_one, fresh),
    };
    if (!gh_postgres_fixture_start(&server))
        return GH_POSTGRES_SKIPPED;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gh_postgres_fixture_done(&server);
    return failed;
}
