/* /admin/audit, its /verify, and /admin/anomalies: the log as it is read, as it proves itself, and
   what it found. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"
#include "identity/audit_key.h"
#include "identity/audit_log.h"
#include "store/memory.h"

#define ROOT "root@example.org"

static struct gh_api_fixture *f;
static struct gh_str access;

static int open_fixture(void **state)
{
    gh_api_fixture_setup(state);
    f = *state;
    gh_fixture_account(&f->identity, ROOT, FIXTURE_PASSWORD, 3);
    access = gh_api_fixture_login(f, ROOT);
    return 0;
}

/* ---- The chain ---- */

static enum gh_err sign_unit(struct gh_tx *tx, void *args)
{
    struct gh_audit_signed result;
    return gh_audit_keys_sign(tx, &f->identity.identity, args, NULL, f->identity.now_us, &result);
}

static void sign(void)
{
    struct gh_audit_keys keys;
    struct gh_identity *identity = &f->identity.identity;
    assert_int_equal(gh_audit_keys_load(identity, f->identity.now_us, &f->identity.arena, &keys),
                     GH_OK);
    assert_int_equal(
        identity->store->ops->run(identity->store, sign_unit, &keys, &f->identity.arena), GH_OK);
    gh_audit_keys_done(&keys);
}

static struct gh_api_answer verify(void)
{
    struct gh_api_answer answer = gh_api_ask_as(f, access, "verifyAudit", NULL);
    if (answer.status == 200)
        assert_int_equal(gh_json_root(&answer.json)->count, 16);
    return answer;
}

static void a_log_without_a_key_is_intact_and_nothing_is_signed(void **state)
{
    struct gh_api_answer answer = verify();
    assert_int_equal(answer.status, 200);
    assert_true(gh_api_answer_is(&answer, "intact"));
    assert_true(gh_api_answer_has(&answer, "fault", "none"));
    assert_true(gh_api_answer_number(&answer, "records") > 0);
    assert_false(gh_api_answer_is(&answer, "signatures_checked"));
    assert_int_equal(gh_api_answer_number(&answer, "signed_through"), 0);
}

static void a_signed_log_says_how_far(void **state)
{
    sign();
    struct gh_api_answer answer = verify();
    assert_true(gh_api_answer_is(&answer, "intact"));
    assert_true(gh_api_answer_is(&answer, "signatures_checked"));
    assert_int_equal(gh_api_answer_number(&answer, "checkpoints"), 1);
    assert_int_equal(gh_api_answer_number(&answer, "signed_through") + 1,
                     gh_api_answer_number(&answer, "last_seq"));
}

static enum gh_err cut_unit(struct gh_tx *tx, void *args)
{
    uint64_t removed;
    return tx->ops->audit_drop(tx, 1, 1, &removed);
}

static void a_cut_log_is_told_with_the_record_that_is_gone(void **state)
{
    struct gh_store *store = f->identity.store;
    gh_api_fixture_login(f, ROOT);
    assert_int_equal(store->ops->run(store, cut_unit, NULL, &f->identity.arena), GH_OK);
    struct gh_api_answer answer = verify();
    assert_int_equal(answer.status, 200);
    assert_false(gh_api_answer_is(&answer, "intact"));
    assert_true(gh_api_answer_has(&answer, "fault", "front"));
    assert_int_equal(gh_api_answer_number(&answer, "seq"), 1);
}

static void all_chains_are_checked_and_the_wrong_one_is_named(void **state)
{
    struct gh_store *store = f->identity.store;
    gh_memory_store_hold(store, 2);
    gh_api_fixture_login(f, ROOT);
    gh_api_fixture_login(f, ROOT);
    struct gh_api_answer answer = verify();
    assert_true(gh_api_answer_is(&answer, "intact"));
    assert_int_equal(gh_api_answer_number(&answer, "chains"), 2);
    assert_int_equal(store->ops->run(store, cut_unit, NULL, &f->identity.arena), GH_OK);
    answer = verify();
    assert_true(gh_api_answer_has(&answer, "fault", "front"));
    assert_int_equal(gh_api_answer_number(&answer, "chain"), 2);
    assert_int_equal(gh_api_answer_number(&answer, "seq"), 1);
}

static void two_do_not_check_at_once(void **state)
{
    atomic_store(&f->api.verifying, true);
    struct gh_api_answer answer = verify();
    gh_api_assert_refused(&answer, 409, "The log is being checked already. Try again shortly.");
    atomic_store(&f->api.verifying, false);
    assert_int_equal(verify().status, 200);
    assert_int_equal(verify().status, 200);
}

static enum gh_err broken_read(struct gh_store *store, gh_store_unit *unit, void *args,
                               struct gh_arena *arena)
{
    return GH_ERR_IO;
}

static void what_can_not_be_read_has_no_verdict(void **state)
{
    static const struct gh_store_ops OPS = {.read = broken_read};
    struct gh_store broken = {&OPS}, *store = f->identity.identity.store;
    f->identity.identity.store = &broken;
    struct gh_api_answer answer = verify();
    f->identity.identity.store = store;
    gh_api_assert_refused(&answer, 503, NULL);
    assert_int_equal(verify().status, 200); /* and the next one may try */
}

/* ---- Reading ---- */

static struct gh_api_answer records(const char *query)
{
    const struct gh_api_ask ask = {.operation = "audit", .access = access, .query = query};
    return gh_api_ask(f, &ask);
}

static void the_first_page_of_a_reading_is_a_record(void **state)
{
    struct gh_audit_record last;
    assert_int_equal(records("event=login&limit=1").status, 200);
    assert_int_equal(gh_fixture_audit_count(&f->identity, GH_AUDIT_AUDIT_READ, &last), 1);
    assert_true(last.actor_id.len > 0);
    assert_true(gh_str_ends_with(last.metadata, GH_STR("\"query\":\"event=login\"}")));
    assert_int_equal(records("event=login&limit=1&before=2").status, 200);
    assert_int_equal(gh_fixture_audit_count(&f->identity, GH_AUDIT_AUDIT_READ, NULL), 1);
    assert_int_equal(records("event=signup&before=2").status, 200);
    assert_int_equal(gh_fixture_audit_count(&f->identity, GH_AUDIT_AUDIT_READ, NULL), 2);
}

static void reading_findings_is_a_record_too(void **state)
{
    struct gh_audit_record last;
    const struct gh_api_ask ask = {.operation = "anomalies", .access = access};
    assert_int_equal(gh_api_ask(f, &ask).status, 200);
    assert_int_equal(gh_fixture_audit_count(&f->identity, GH_AUDIT_AUDIT_READ, &last), 1);
    assert_true(gh_str_ends_with(last.metadata, GH_STR("\"query\":\"event=anomaly_detected\"}")));
}

static void nothing_is_shown_when_the_reading_can_not_be_recorded(void **state)
{
    gh_fixture_store_fail(f->identity.store, 1, GH_ERR_FULL);
    struct gh_api_answer answer = records("event=login");
    gh_api_assert_refused(&answer, 503, NULL);
    assert_int_equal(gh_fixture_audit_count(&f->identity, GH_AUDIT_AUDIT_READ, NULL), 0);
}

/* ---- Anomalies ---- */

static void find(const char *metadata)
{
    struct gh_audit_record record = {.time_us = f->identity.now_us,
                                     .event = GH_AUDIT_ANOMALY_DETECTED,
                                     .outcome = GH_AUDIT_SUCCESS,
                                     .metadata = gh_str_from_c(metadata)};
    assert_int_equal(
        gh_audit_log_append_many(&f->identity.identity, &f->identity.arena, &record, 1), GH_OK);
}

static struct gh_api_answer anomalies(const char *query)
{
    const struct gh_api_ask ask = {.operation = "anomalies", .access = access, .query = query};
    return gh_api_ask(f, &ask);
}

static const struct gh_json_value *member(const struct gh_api_answer *answer, size_t index,
                                          const char *name)
{
    const struct gh_json_value *item = gh_api_answer_item(answer, "anomalies", index);
    assert_non_null(item);
    assert_int_equal(item->count, 7);
    return gh_json_get(&answer->json, item, gh_str_from_c(name));
}

static void assert_text(const struct gh_api_answer *answer, size_t index, const char *name,
                        const char *text)
{
    assert_true(gh_str_eq(gh_json_string(member(answer, index, name)), gh_str_from_c(text)));
}

static void findings_are_told_with_their_evidence(void **state)
{
    find("{\"rule\":\"brute_force\",\"account\":\"01234567-89ab-4def-8123-456789abcdef\","
         "\"action\":\"slow\",\"evidence\":{\"failures\":12,\"threshold_failures\":10}}");
    find("{\"rule\":\"credential_stuffing\",\"network\":\"203.0.113.0/24\",\"action\":\"log\","
         "\"evidence\":{}}");
    struct gh_api_answer answer = anomalies(NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 2);
    assert_int_equal(gh_api_answer_at(&answer, "next")->kind, GH_JSON_NULL);
    assert_int_equal(gh_api_answer_at(&answer, "anomalies")->count, 2);
    assert_text(&answer, 0, "rule", "credential_stuffing");
    assert_text(&answer, 0, "network", "203.0.113.0/24");
    assert_text(&answer, 0, "action", "log");
    assert_text(&answer, 0, "time", "2027-01-15T08:00:00.000000Z");
    assert_int_equal(member(&answer, 0, "account")->kind, GH_JSON_NULL);
    assert_int_equal(member(&answer, 0, "evidence")->kind, GH_JSON_OBJECT);
    assert_text(&answer, 1, "account", "01234567-89ab-4def-8123-456789abcdef");
    assert_int_equal(member(&answer, 1, "network")->kind, GH_JSON_NULL);
    int64_t failures;
    assert_true(gh_json_int64(
        gh_json_get(&answer.json, member(&answer, 1, "evidence"), GH_STR("failures")), &failures));
    assert_int_equal(failures, 12);
}

static void findings_come_page_by_page(void **state)
{
    for (unsigned i = 0; i < 5; i++)
        find(gh_api_body(f, "{\"rule\":\"rule%u\",\"action\":\"log\",\"evidence\":{}}", i));
    struct gh_api_answer first = anomalies("limit=3");
    assert_int_equal(gh_api_answer_at(&first, "anomalies")->count, 3);
    assert_text(&first, 2, "rule", "rule2");
    long long next = gh_api_answer_number(&first, "next");
    struct gh_api_answer rest = anomalies(gh_api_body(f, "limit=3&before=%lld", next));
    assert_int_equal(gh_api_answer_at(&rest, "anomalies")->count, 2);
    assert_text(&rest, 0, "rule", "rule1");
    assert_int_equal(gh_api_answer_at(&rest, "next")->kind, GH_JSON_NULL);
}

static void findings_of_all_chains_come_newest_first(void **state)
{
    for (unsigned i = 0; i < 6; i++) {
        gh_memory_store_hold(f->identity.store, i % 2 + 1);
        find(gh_api_body(f, "{\"rule\":\"rule%u\",\"action\":\"log\",\"evidence\":{}}", i));
    }
    gh_memory_store_hold(f->identity.store, 1);
    const char *query = "limit=2";
    for (int i = 5; i > 0; i -= 2) {
        struct gh_api_answer page = anomalies(query);
        const struct gh_json_value *first = gh_api_answer_item(&page, "anomalies", 0);
        assert_int_equal(gh_api_answer_at(&page, "anomalies")->count, 2);
        assert_int_equal(first->count, 8); /* with its chain */
        int64_t chain;
        assert_true(gh_json_int64(gh_json_get(&page.json, first, GH_STR("chain")), &chain) &&
                    chain == 2);
        assert_text(&page, 1, "rule", gh_api_body(f, "rule%d", i - 1));
        if (i > 1)
            query = gh_api_body(f, "limit=2&before=%lld",
                                (long long)gh_api_answer_number(&page, "next"));
    }
}

static void a_page_of_the_longest_texts_fits(void **state)
{
    char text[251];
    memset(text, '<', 250);
    text[250] = '\0';
    for (unsigned i = 0; i < 50; i++)
        find(gh_api_body(f,
                         "{\"rule\":\"%s\",\"account\":\"%s\",\"network\":\"%s\","
                         "\"action\":\"%s\",\"evidence\":{\"x\":1}}",
                         text, text, text, text));
    struct gh_api_answer answer = anomalies(NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_api_answer_at(&answer, "anomalies")->count, 50);
    assert_text(&answer, 49, "network", text);
}

/* The day's key is destroyed with the log's old parts; rules and counts stay. */
static enum gh_err forget_unit(struct gh_tx *tx, void *args)
{
    uint64_t removed;
    return tx->ops->person_keys_drop_days(tx, GH_STR("day:2099-01-01"), &removed);
}

static void a_network_whose_key_is_gone_is_null(void **state)
{
    struct gh_store *store = f->identity.store;
    find("{\"rule\":\"id_scanning\",\"network\":\"203.0.113.0/24\",\"action\":\"log\","
         "\"evidence\":{\"refused\":30}}");
    assert_int_equal(store->ops->run(store, forget_unit, NULL, &f->identity.arena), GH_OK);
    struct gh_api_answer answer = anomalies(NULL);
    assert_int_equal(member(&answer, 0, "network")->kind, GH_JSON_NULL);
    assert_text(&answer, 0, "rule", "id_scanning");
    assert_int_equal(member(&answer, 0, "evidence")->count, 1);
}

static void refuses_queries_that_are_none(void **state)
{
    static const char *const QUERIES[] = {"limit=0", "limit=201", "before=0",         "before=x",
                                          "limit=",  "rule=x",    "before=1&before=2"};
    for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
        struct gh_api_answer answer = anomalies(QUERIES[i]);
        gh_api_assert_refused(&answer, 422, NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, gh_api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_log_without_a_key_is_intact_and_nothing_is_signed),
        TEST(a_signed_log_says_how_far),
        TEST(a_cut_log_is_told_with_the_record_that_is_gone),
        TEST(all_chains_are_checked_and_the_wrong_one_is_named),
        TEST(two_do_not_check_at_once),
        TEST(what_can_not_be_read_has_no_verdict),
        TEST(the_first_page_of_a_reading_is_a_record),
        TEST(reading_findings_is_a_record_too),
        TEST(nothing_is_shown_when_the_reading_can_not_be_recorded),
        TEST(findings_are_told_with_their_evidence),
        TEST(findings_come_page_by_page),
        TEST(findings_of_all_chains_come_newest_first),
        TEST(a_page_of_the_longest_texts_fits),
        TEST(a_network_whose_key_is_gone_is_null),
        TEST(refuses_queries_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
