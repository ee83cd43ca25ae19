#include "store/postgres_sealer_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_S 30

struct gh_postgres_fixture gh_sealing_server;

int gh_sealing_fresh(void **state)
{
    gh_postgres_fixture_fresh(&gh_sealing_server);
    return 0;
}

struct gh_contract gh_sealing_open(void)
{
    struct gh_contract contract;
    struct gh_store *store = gh_postgres_fixture_open(&gh_sealing_server);
    if (!store)
        abort();
    gh_contract_init(&contract, store);
    return contract;
}

uint64_t gh_sealing_ask(const char *sql)
{
    return gh_postgres_fixture_sql(&gh_sealing_server, sql);
}

/* Until the number is `wanted`: what others do takes its time, but not for ever. */
void gh_sealing_wait_for(const char *sql, uint64_t wanted)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    for (int i = 0; gh_sealing_ask(sql) != wanted; i++) {
        if (i == WAIT_S * 50)
            fail_msg("%s: never %u", sql, (unsigned)wanted);
        nanosleep(&pause, NULL);
    }
}

/* ---- A connection of the test's own, to hold locks ---- */

PGconn *gh_sealing_connect(void)
{
    const char *const keywords[] = {"dbname", NULL}, *const values[] = {gh_sealing_server.url,
                                                                        NULL};
    return gh_libpq_get()->connectdbParams(keywords, values, 1);
}

void gh_sealing_run_sql(PGconn *connection, const char *sql)
{
    const struct gh_libpq *lib = gh_libpq_get();
    PGresult *result = lib->exec(connection, sql);
    ExecStatusType status = lib->resultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, lib->errorMessage(connection));
    lib->clear(result);
}

/* Nobody can seal until it ends. */
PGconn *gh_sealing_hold_up(void)
{
    PGconn *connection = gh_sealing_connect();
    gh_sealing_run_sql(connection, "BEGIN; LOCK TABLE security_audit_log IN EXCLUSIVE MODE");
    return connection;
}

/* Records that are told apart by a number in their metadata. */
enum gh_err gh_sealing_append_numbers(struct gh_tx *tx, void *args)
{
    const struct gh_sealing_numbers *numbers = args;
    enum gh_err err = GH_OK;
    for (unsigned i = 0; err == GH_OK && i < numbers->count; i++) {
        char metadata[32];
        struct gh_audit_row row = gh_contract_row(numbers->first + i);
        snprintf(metadata, sizeof(metadata), "{\"n\":%u}", numbers->first + i);
        row.record.metadata = gh_str_from_c(metadata);
        err = tx->ops->audit_append(tx, &row);
    }
    return err;
}

enum gh_err gh_sealing_append(struct gh_store *store, unsigned first, unsigned count, bool in_bulk)
{
    struct gh_sealing_numbers numbers = {first, count};
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    enum gh_err err = (in_bulk ? store->ops->run_bulk : store->ops->run)(
        store, gh_sealing_append_numbers, &numbers, &arena);
    gh_arena_done(&arena);
    return err;
}

/* Small units, or fewer of twenty in bulk. */
void *gh_sealing_append_all(void *argument)
{
    struct gh_sealing_appending *appending = argument;
    unsigned at_once = appending->in_bulk ? 20 : 1;
    while (appending->done < appending->count && appending->result == GH_OK) {
        appending->result = gh_sealing_append(appending->store, appending->first + appending->done,
                                              at_once, appending->in_bulk);
        appending->done += appending->result == GH_OK ? at_once : 0;
    }
    return NULL;
}

/* Each number of 0..count-1 is in the log once. */
void gh_sealing_assert_each_once(unsigned count)
{
    assert_int_equal(gh_sealing_ask(GH_SEALING_UNSEALED), 0);
    assert_int_equal(gh_sealing_ask("SELECT count(*) FROM security_audit_log"), count);
    assert_int_equal(gh_sealing_ask("SELECT count(DISTINCT metadata) FROM security_audit_log"),
                     count);
    assert_int_equal(
        gh_sealing_ask(
            "SELECT coalesce(max((metadata::json ->> 'n')::int), -1) + 1 FROM security_audit_log"),
        count);
}

void gh_sealing_assert_acknowledged(const struct gh_sealing_appending *appending, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char sql[192];
        snprintf(
            sql, sizeof(sql),
            "SELECT count(*) FROM security_audit_log WHERE (metadata::json ->> 'n')::int >= %u "
            "AND (metadata::json ->> 'n')::int < %u",
            appending[i].first, appending[i].first + appending[i].done);
        assert_int_equal(gh_sealing_ask(sql), appending[i].done);
    }
    assert_int_equal(gh_sealing_ask("SELECT count(*) - count(DISTINCT metadata) FROM "
                                    "security_audit_log"),
                     0);
}

/* Every chain is recomputed from its first record to its last. */
void gh_sealing_assert_all_chains(struct gh_contract *contract)
{
    uint64_t chains = gh_sealing_ask("SELECT max(id) FROM audit_chains");
    for (uint32_t chain = 1; chain <= chains; chain++) {
        char sql[96];
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM security_audit_log WHERE chain = %u",
                 chain);
        uint64_t count = gh_sealing_ask(sql);
        if (count)
            gh_contract_assert_chain(contract, chain, 1, count);
    }
    assert_int_equal(
        gh_sealing_ask("SELECT count(*) FROM audit_chains c WHERE seq <> (SELECT "
                       "coalesce(max(seq), 0) FROM security_audit_log WHERE chain = c.id)"),
        0);
}

uint32_t gh_sealing_chain_of(struct gh_contract *contract)
{
    struct gh_audit_chain *chains;
    uint32_t own = 0;
    size_t count;
    struct gh_tx *tx = gh_contract_begin_read(contract);
    gh_contract_assert_ok(tx->ops->audit_chains(tx, &chains, &count));
    for (size_t i = 0; i < count; i++)
        if (chains[i].holder == GH_AUDIT_HELD_HERE)
            own = chains[i].id;
    gh_contract_commit(contract);
    return own;
}
