/* The command `audit` over a log of several chains: what is shown, in which order, and where a
   cursor goes on. */
#include "app/operator_audit.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "app/identity_state.h"
#include "audit/chain.h"
#include "identity/audit_key.h"
#include "identity/identity_fixture.h"
#include "store/memory.h"

#define SHOWN_MAX 4096

static struct gh_identity_fixture f;
static struct gh_identity_host host;
static struct gh_keys_version version;
static struct gh_operator op;
static char *out_text, *err_text;
static size_t out_len, err_len;

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    memset(&host, 0, sizeof(host));
    memcpy((void *)&host.identity, &f.identity, sizeof(f.identity));
    pthread_mutex_init(&host.lock, NULL);
    atomic_store(&version.references, 1);
    host.keys = &version;
    op = (struct gh_operator){.host = &host, .settings = &f.settings};
    gh_arena_init(&op.arena, 64 * 1024, 64u << 20);
    return 0;
}

static int close_fixture(void **state)
{
    free(out_text);
    free(err_text);
    out_text = err_text = NULL;
    gh_arena_done(&op.arena);
    pthread_mutex_destroy(&host.lock);
    gh_identity_fixture_close(&f);
    return 0;
}

static void append_to(uint32_t chain, size_t count)
{
    struct gh_audit_record record = {.time_us = f.now_us,
                                     .event = GH_AUDIT_HOST_REJECTED,
                                     .outcome = GH_AUDIT_FAILURE,
                                     .metadata = GH_STR("{\"count\":1}")};
    gh_memory_store_hold(f.store, chain);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(gh_audit_log_append_many(&f.identity, &f.arena, &record, 1), GH_OK);
}

/* The exit status; `words` begin with the verb. */
static int run(const char *words)
{
    char text[256], *argv[16], *rest = text;
    int argc = 1;
    free(out_text);
    free(err_text);
    snprintf(text, sizeof(text), "%s", words);
    argv[0] = (char *)"audit";
    for (char *word; (word = strsep(&rest, " "));)
        argv[argc++] = word;
    argv[argc] = NULL;
    op.out = open_memstream(&out_text, &out_len);
    op.err = open_memstream(&err_text, &err_len);
    int status = gh_operator_audit(&op, argc, argv);
    fclose(op.out);
    fclose(op.err);
    return status;
}

/* What lines of JSON show: "1:1 2:1 ", with anything behind the records of an export passed over.
 */
static const char *shown(void)
{
    static char text[SHOWN_MAX];
    struct gh_str rest = gh_str_from_c(out_text);
    size_t len = 0;
    text[0] = 0;
    while (rest.len) {
        struct gh_str line = gh_str_split(&rest, '\n');
        unsigned long long seq = 0;
        unsigned chain = 1;
        size_t at = gh_str_find(line, GH_STR("\"chain\":"));
        assert_int_equal(sscanf(line.ptr, "{\"seq\":%llu", &seq), 1);
        if (at < line.len)
            assert_int_equal(sscanf(line.ptr + at, "\"chain\":%u", &chain), 1);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%u:%llu ", chain, seq);
        assert_true(len < sizeof(text));
    }
    return text;
}

/* ---- tail ---- */

static void tail_shows_the_newest_of_all_chains(void **state)
{
    append_to(1, 2);
    append_to(2, 2);
    append_to(1, 1);
    append_to(3, 1);
    assert_int_equal(run("tail -n 3 --json"), 0);
    assert_string_equal(shown(), "2:2 1:3 3:1 ");
    assert_int_equal(run("tail --json"), 0);
    assert_string_equal(shown(), "1:1 1:2 2:1 2:2 1:3 3:1 ");
    assert_int_equal(run("tail -n 2"), 0);
    assert_int_equal(strncmp(out_text, "3  ", 3), 0);
    assert_non_null(strstr(out_text, "\n3:1  "));
}

static void an_empty_log_has_a_tail_too(void **state)
{
    gh_memory_store_hold(f.store, 2);
    assert_int_equal(run("tail --cursor --json"), 0);
    assert_string_equal(out_text, "");
    assert_string_equal(err_text, "1:0,2:0\n");
}

static void who_follows_is_shown_every_record_once(void **state)
{
    char words[128];
    append_to(1, 3);
    append_to(2, 2);
    assert_int_equal(run("tail -n 1 --json --cursor"), 0);
    assert_string_equal(shown(), "2:2 ");
    assert_string_equal(err_text, "1:3,2:2\n");
    append_to(1, 1);
    append_to(3, 2); /* a process that came meanwhile */
    append_to(2, 1);
    assert_int_equal(run("tail --json --cursor --after 1:3,2:2"), 0);
    assert_string_equal(shown(), "1:4 2:3 3:1 3:2 ");
    assert_string_equal(err_text, "1:4,2:3,3:2\n");
    snprintf(words, sizeof(words), "tail --json --cursor --after %.*s", (int)err_len - 1, err_text);
    assert_int_equal(run(words), 0);
    assert_string_equal(out_text, "");
    assert_string_equal(err_text, "1:4,2:3,3:2\n");
}

static void who_follows_is_shown_more_than_one_page(void **state)
{
    append_to(2, 1);
    assert_int_equal(run("tail --json --cursor"), 0);
    append_to(2, 2 * GH_AUDIT_PAGE_ROWS + 1);
    append_to(1, 1);
    assert_int_equal(run("tail --cursor --after 1:0,2:1"), 0);
    assert_string_equal(err_text, "1:1,2:1002\n");
    size_t lines = 0;
    for (const char *at = out_text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 2 * GH_AUDIT_PAGE_ROWS + 2);
}

static void refuses_a_cursor_that_is_none(void **state)
{
    assert_int_equal(run("tail --after x"), 2);
    assert_int_equal(run("tail --after 2:1,1:1"), 2);
    assert_int_equal(run("export --after 1:1:1"), 2);
    assert_int_equal(run("export --after"), 2);
}

static void personal_values_are_shown_of_all_chains(void **state)
{
    struct gh_audit_record record = {.time_us = f.now_us,
                                     .event = GH_AUDIT_HOST_REJECTED,
                                     .ip_address = GH_STR("198.51.100.7"),
                                     .outcome = GH_AUDIT_FAILURE,
                                     .metadata = GH_STR("{\"count\":1}")};
    gh_memory_store_hold(f.store, 2);
    assert_int_equal(gh_audit_log_append_many(&f.identity, &f.arena, &record, 1), GH_OK);
    assert_int_equal(run("tail -n 1 --personal --json"), 0);
    assert_string_equal(shown(), "2:1 "); /* not the record of this reading */
    assert_non_null(strstr(out_text, "198.51.100.7"));
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_AUDIT_READ, NULL), 1);
}

/* ---- query and export ---- */

static void query_shows_all_chains_newest_first(void **state)
{
    append_to(1, 1);
    append_to(2, 2);
    append_to(1, 1);
    assert_int_equal(run("query --json"), 0);
    assert_string_equal(shown(), "1:2 2:2 2:1 1:1 ");
    assert_int_equal(run("query --json --limit 2"), 0);
    assert_string_equal(shown(), "1:2 2:2 ");
}

static void export_writes_chain_after_chain(void **state)
{
    append_to(2, 2);
    append_to(1, 2);
    append_to(3, 1);
    assert_int_equal(run("export"), 0);
    assert_string_equal(shown(), "1:1 1:2 2:1 2:2 3:1 ");
    assert_int_equal(run("export --after 1:2,2:1"), 0);
    assert_string_equal(shown(), "2:2 3:1 3:2 "); /* the record of the first export came */
    assert_int_equal(run("export --after 1"), 0); /* of the first chain */
    assert_string_equal(shown(), "1:2 2:1 2:2 3:1 3:2 3:3 ");
}

static void an_export_verifies_as_a_whole(void **state)
{
    struct gh_audit_verify_options options = {.partial = false};
    struct gh_audit_verdict verdict;
    append_to(2, 2);
    append_to(1, 700);
    append_to(2, 700);
    assert_int_equal(run("export"), 0);
    struct gh_audit_verification *run = gh_audit_verify_begin(&f.arena, &options);
    struct gh_str rest = gh_str_of(out_text, out_len - 1);
    while (rest.ptr && gh_audit_verify_line(run, gh_str_split(&rest, '\n'))) {
    }
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.chains, 2);
    assert_int_equal(verdict.records, 1402);
}

/* ---- A store that runs a reading unit again which it has broken off ---- */

static const struct gh_tx_ops *whole_ops;
static struct {
    unsigned reads_left; /* of keys, before one fails */
    bool armed, failed;
    enum gh_err err; /* GH_ERR_CLOSED: the connection is lost, and all is done again */
} fault;

struct broken {
    gh_store_unit *unit;
    void *args;
};

static enum gh_err broken_key_get(struct gh_tx *tx, struct gh_str person,
                                  struct gh_person_key_row *out)
{
    if (fault.armed && !fault.reads_left--) {
        fault.armed = false;
        fault.failed = fault.err == GH_ERR_CLOSED;
        return fault.err;
    }
    return whole_ops->person_key_get(tx, person, out);
}

static enum gh_err broken_unit(struct gh_tx *tx, void *args)
{
    const struct broken *broken = args;
    struct gh_tx_ops ops = *tx->ops;
    whole_ops = tx->ops;
    ops.person_key_get = broken_key_get;
    tx->ops = &ops;
    enum gh_err err = broken->unit(tx, broken->args);
    tx->ops = whole_ops;
    return err;
}

static enum gh_err read_again(struct gh_store *store, gh_store_unit *unit, void *args,
                              struct gh_arena *arena)
{
    struct broken broken = {unit, args};
    (void)store;
    fault.failed = false;
    enum gh_err err = f.store->ops->read(f.store, broken_unit, &broken, arena);
    return fault.failed ? f.store->ops->read(f.store, unit, args, arena) : err;
}

static enum gh_err run_through(struct gh_store *store, gh_store_unit *unit, void *args,
                               struct gh_arena *arena)
{
    (void)store;
    return f.identity.store->ops->run(f.identity.store, unit, args, arena);
}

static enum gh_err run_bulk_through(struct gh_store *store, gh_store_unit *unit, void *args,
                                    struct gh_arena *arena)
{
    (void)store;
    return f.identity.store->ops->run_bulk(f.identity.store, unit, args, arena);
}

static const struct gh_store_ops AGAIN_OPS = {
    .run = run_through, .run_bulk = run_bulk_through, .read = read_again};
static struct gh_store again = {&AGAIN_OPS};

/* Records whose personal values have keys of different days: each is looked for. */
static void append_personal(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gh_audit_record record = {.time_us = f.now_us + i * FIXTURE_DAY,
                                         .event = GH_AUDIT_HOST_REJECTED,
                                         .ip_address = GH_STR("198.51.100.7"),
                                         .outcome = GH_AUDIT_FAILURE,
                                         .metadata = GH_STR("{\"count\":1}")};
        assert_int_equal(gh_audit_log_append_many(&f.identity, &f.arena, &record, 1), GH_OK);
    }
}

/* At the third record. */
static void break_off(enum gh_err err)
{
    fault.armed = true;
    fault.reads_left = 2;
    fault.err = err;
}

static void an_export_that_was_broken_off_in_a_page_has_each_record_once(void **state)
{
    static const char *const WORDS[] = {"export --personal", "export --personal --format cef",
                                        "export --personal --format syslog"};
    struct gh_audit_record end;
    char count[64];
    append_personal(5);
    host.identity.store = &again;
    for (unsigned i = 0; i < 3; i++) {
        unsigned records = 5 + 2 * i + 1; /* with those of the exports */
        size_t lines = 0;
        break_off(GH_ERR_CLOSED);
        assert_int_equal(run(WORDS[i]), 0);
        assert_false(fault.armed);
        if (!i)
            assert_string_equal(shown(), "1:1 1:2 1:3 1:4 1:5 1:6 ");
        for (const char *at = out_text; (at = strchr(at, '\n')); at++)
            lines++;
        assert_int_equal(lines, records);
        assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_DATA_EXPORT, &end), 2 * i + 2);
        snprintf(count, sizeof(count), "\"record_count\":%u,", records);
        assert_true(gh_str_find(end.metadata, gh_str_from_c(count)) < end.metadata.len);
    }
}

static void a_record_that_cannot_go_out_leaves_no_line(void **state)
{
    append_personal(5);
    host.identity.store = &again;
    break_off(GH_ERR_FULL);
    assert_int_equal(run("export --personal --format cef"), 0);
    assert_false(fault.armed);
    assert_null(strstr(out_text, "\n\n"));
    assert_non_null(strstr(err_text, "1 row"));
}

/* ---- verify ---- */

static enum gh_err cut(struct gh_tx *tx, void *args)
{
    uint64_t removed;
    return tx->ops->audit_drop(tx, 1, 1, &removed);
}

static void verify_speaks_of_all_chains(void **state)
{
    append_to(1, 3);
    assert_int_equal(run("verify"), 0);
    assert_non_null(strstr(out_text, "intact: 3 records, 1 to 3\n"));
    append_to(2, 4);
    assert_int_equal(run("verify"), 0);
    assert_non_null(strstr(out_text, "intact: 7 records in 2 chains\n"));
    assert_int_equal(run("verify --json"), 0);
    assert_non_null(strstr(out_text, "\"chain\":1,"));
    assert_non_null(strstr(out_text, "\"records\":7,\"chains\":2,"));
    assert_int_equal(f.store->ops->run(f.store, cut, NULL, &f.arena), GH_OK);
    assert_int_equal(run("verify"), 1);
    assert_int_equal(strncmp(out_text, "record 1 of chain 2 is missing", 30), 0);
    assert_int_equal(run("verify --json"), 1);
    assert_non_null(strstr(out_text, "\"fault\":\"front\",\"chain\":2,\"seq\":1,"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tail_shows_the_newest_of_all_chains),
        TEST(an_empty_log_has_a_tail_too),
        TEST(who_follows_is_shown_every_record_once),
        TEST(who_follows_is_shown_more_than_one_page),
        TEST(refuses_a_cursor_that_is_none),
        TEST(personal_values_are_shown_of_all_chains),
        TEST(query_shows_all_chains_newest_first),
        TEST(export_writes_chain_after_chain),
        TEST(an_export_that_was_broken_off_in_a_page_has_each_record_once),
        TEST(a_record_that_cannot_go_out_leaves_no_line),
        TEST(an_export_verifies_as_a_whole),
        TEST(verify_speaks_of_all_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
