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
        TEST(tail_shows_the_newest_of_all_chains),    TEST(an_empty_log_has_a_tail_too),
        TEST(who_follows_is_shown_every_record_once), TEST(who_follows_is_shown_more_than_one_page),
        TEST(refuses_a_cursor_that_is_none),          TEST(personal_values_are_shown_of_all_chains),
        TEST(query_shows_all_chains_newest_first),    TEST(export_writes_chain_after_chain),
        TEST(an_export_verifies_as_a_whole),          TEST(verify_speaks_of_all_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
