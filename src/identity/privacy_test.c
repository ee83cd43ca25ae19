/* Export and erasure, with a backend that answers, refuses and fails. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/admin.h"
#include "identity/identity_fixture.h"
#include "identity/privacy.h"
#include "identity/sessions.h"
#include "store/memory.h"
#include "token/jwt.h"

#define ANN "ann@example.org"

static struct gh_identity_fixture f;
static struct gh_str ann;
static struct gh_session_grant grant;
static struct gh_identity_call call; /* of Ann */

/* The backend: what it answers, and what it was asked. */
static struct {
    unsigned calls, status;
    enum gh_err err;
    const char *answer;
    struct gh_str url, bearer, body;
    uint64_t records; /* data_deletion records that there were when it was asked */
} backend;

static enum gh_err ask_backend(void *context, struct gh_arena *arena, struct gh_str url,
                               struct gh_str bearer, struct gh_str body, uint64_t timeout_ms,
                               unsigned *out_status, struct gh_str *out_body)
{
    (void)context;
    (void)arena;
    backend.calls++;
    backend.url = gh_arena_dup(&f.arena, url);
    backend.bearer = gh_arena_dup(&f.arena, bearer);
    backend.body = gh_arena_dup(&f.arena, body);
    backend.records = gh_fixture_audit_count(&f, GH_AUDIT_DATA_DELETION, NULL);
    if (backend.err != GH_OK)
        return backend.err;
    *out_status = backend.status;
    *out_body = gh_str_from_c(backend.answer);
    return GH_OK;
}

static int open_fixture(void **state)
{
    memset(&backend, 0, sizeof(backend));
    backend.status = 200;
    backend.answer = "{\"orders\":[1,2,3]}";
    gh_identity_fixture_open(&f);
    f.identity.http.fetch = ask_backend;
    ann = gh_fixture_account(&f, ANN, FIXTURE_PASSWORD, 1);
    grant = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
    call = gh_fixture_call_as(&f, grant.access_token);
    return 0;
}

static int close_fixture(void **state)
{
    gh_identity_fixture_close(&f);
    return 0;
}

static void set_hooks(void)
{
    f.settings.hooks.export = GH_STR("http://127.0.0.1:8000/internal/export");
    f.settings.hooks.delete = GH_STR("http://127.0.0.1:8000/internal/delete");
}

/* ---- Export ---- */

static struct gh_json_doc export_doc(uint64_t *out_records)
{
    static const struct gh_json_limits LIMITS = {
        .bytes_max = 16 << 20, .depth_max = 64, .values_max = 1 << 18, .members_max = 1 << 10};
    struct gh_str json;
    struct gh_json_doc doc;
    assert_int_equal(gh_privacy_export(&call, &json, out_records), GH_IDENTITY_OK);
    assert_int_equal(gh_json_parse(&f.arena, json, &LIMITS, &doc, NULL), GH_JSON_OK);
    return doc;
}

static const struct gh_json_value *member(const struct gh_json_doc *doc, const char *name)
{
    const struct gh_json_value *value = gh_json_get(doc, gh_json_root(doc), gh_str_from_c(name));
    if (!value)
        fail_msg("no member %s", name);
    return value;
}

static void exports_everything_that_is_held(void **state)
{
    uint64_t records;
    set_hooks();
    struct gh_session_grant second = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
    (void)second;
    struct gh_json_doc doc = export_doc(&records);
    const struct gh_json_value *account = member(&doc, "account");
    assert_true(
        gh_str_eq(gh_json_string(gh_json_get(&doc, account, GH_STR("email"))), GH_STR(ANN)));
    assert_true(gh_str_eq(gh_json_string(gh_json_get(&doc, account, GH_STR("id"))), ann));
    assert_true(gh_str_eq(gh_json_string(gh_json_get(&doc, account, GH_STR("created_at"))),
                          GH_STR("2027-01-15T08:00:00.000000Z")));
    const struct gh_json_value *sessions = member(&doc, "sessions");
    assert_int_equal(sessions->count, 2);
    assert_true(gh_str_eq(
        gh_json_string(gh_json_get(&doc, gh_json_first(&doc, sessions), GH_STR("ip_address"))),
        GH_STR("192.0.2.1")));
    const struct gh_json_value *devices = member(&doc, "devices");
    assert_int_equal(devices->count, 2);
    assert_true(
        gh_str_eq(gh_json_string(gh_json_get(&doc, gh_json_first(&doc, devices), GH_STR("device"))),
                  GH_STR("Fixture/1.0")));
    assert_int_equal(member(&doc, "audit")->count, 2);
    assert_int_equal(gh_json_get(&doc, member(&doc, "application"), GH_STR("orders"))->count, 3);
    assert_int_equal(records, 1 + 2 + 2 + 2);
    struct gh_audit_record last;
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_DATA_EXPORT, &last), 1);
    assert_true(gh_str_eq(last.metadata, GH_STR("{\"record_count\":7}")));
}

static void an_export_by_the_operator_has_no_actor(void **state)
{
    uint64_t records;
    struct gh_str json;
    struct gh_audit_record last;
    struct gh_subject subject = {.id = ann};
    struct gh_identity_call command = gh_fixture_call(&f);
    command.by = GH_STR("command");
    command.subject = &subject;
    assert_int_equal(gh_privacy_export(&command, &json, &records), GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_DATA_EXPORT, &last), 1);
    assert_true(gh_str_eq(last.user_id, ann));
    assert_int_equal(last.actor_id.len, 0);
}

static void exports_no_secret(void **state)
{
    uint64_t records;
    struct gh_str json;
    struct gh_account row;
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_int_equal(gh_privacy_export(&call, &json, &records), GH_IDENTITY_OK);
    assert_int_equal(gh_str_find(json, row.password_hash), json.len);
    assert_int_equal(gh_str_find(json, GH_STR("$argon2")), json.len);
    assert_int_equal(gh_str_find(json, grant.refresh_token), json.len);
}

struct filling {
    struct gh_identity_call call;
    unsigned count;
};

static enum gh_err fill_log(struct gh_tx *tx, void *args)
{
    struct filling *filling = args;
    enum gh_err err = GH_OK;
    for (unsigned i = 0; err == GH_OK && i < filling->count; i++)
        err = gh_identity_audit(tx, &filling->call, GH_AUDIT_PROFILE_UPDATED, GH_AUDIT_SUCCESS, ann,
                                GH_STR("{\"fields\":[\"name\"]}"));
    return err;
}

static void reads_the_audit_log_to_its_end(void **state)
{
    uint64_t records;
    struct gh_str other = gh_fixture_account(&f, "bob@example.org", FIXTURE_PASSWORD, 1);
    gh_fixture_login(&f, "bob@example.org", FIXTURE_PASSWORD);
    struct filling filling = {.call = call, .count = 999};
    assert_int_equal(f.store->ops->run(f.store, fill_log, &filling, &f.arena), GH_OK);
    struct gh_json_doc doc = export_doc(&records);
    const struct gh_json_value *audit = member(&doc, "audit");
    assert_int_equal(audit->count, 1000);
    uint64_t before = UINT64_MAX;
    for (const struct gh_json_value *record = gh_json_first(&doc, audit); record;
         record = gh_json_after(&doc, audit, record)) {
        int64_t seq = 0;
        assert_true(gh_json_int64(gh_json_get(&doc, record, GH_STR("seq")), &seq));
        assert_true((uint64_t)seq < before);
        before = (uint64_t)seq;
        assert_false(
            gh_str_eq(gh_json_string(gh_json_get(&doc, record, GH_STR("user_id"))), other));
    }
}

static void an_export_without_the_application_is_none(void **state)
{
    uint64_t records;
    struct gh_str json;
    static const char *const ANSWERS[] = {"", "{", "<html>", "{\"a\":1,\"a\":2}", "{} {}"};
    set_hooks();
    backend.err = GH_ERR_TIMEOUT;
    assert_int_equal(gh_privacy_export(&call, &json, &records), GH_IDENTITY_UNAVAILABLE);
    assert_non_null(call.why);
    backend.err = GH_OK;
    static const unsigned STATUS[] = {199, 301, 400, 401, 404, 500};
    for (size_t i = 0; i < sizeof(STATUS) / sizeof(STATUS[0]); i++) {
        backend.status = STATUS[i];
        assert_int_equal(gh_privacy_export(&call, &json, &records), GH_IDENTITY_UNAVAILABLE);
    }
    backend.status = 200;
    for (size_t i = 0; i < sizeof(ANSWERS) / sizeof(ANSWERS[0]); i++) {
        backend.answer = ANSWERS[i];
        if (gh_privacy_export(&call, &json, &records) != GH_IDENTITY_UNAVAILABLE)
            fail_msg("taken: %s", ANSWERS[i]);
    }
    f.identity.http.fetch = NULL;
    assert_int_equal(gh_privacy_export(&call, &json, &records), GH_IDENTITY_UNAVAILABLE);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_DATA_EXPORT, NULL), 0);
}

static void an_application_that_holds_nothing_answers_204(void **state)
{
    uint64_t records;
    set_hooks();
    backend.status = 204;
    backend.answer = "";
    struct gh_json_doc doc = export_doc(&records);
    assert_int_equal(member(&doc, "application")->kind, GH_JSON_NULL);
}

static void gives_nothing_out_that_could_not_be_audited(void **state)
{
    uint64_t records = 7;
    struct gh_str json = {NULL, 0};
    gh_memory_store_fail(f.store, 1, GH_ERR_FULL);
    assert_int_equal(gh_privacy_export(&call, &json, &records), GH_IDENTITY_UNAVAILABLE);
    assert_null(json.ptr);
    assert_int_equal(records, 7);
}

/* ---- Hooks ---- */

static void a_hook_gets_a_token_that_is_for_it_alone(void **state)
{
    uint64_t records;
    struct gh_str json;
    struct gh_jwt jwt;
    uint8_t hash[GH_SHA256_BYTES];
    char hex[2 * GH_SHA256_BYTES];
    struct gh_buf digits = gh_buf_over(hex, sizeof(hex));
    set_hooks();
    assert_int_equal(gh_privacy_export(&call, &json, &records), GH_IDENTITY_OK);
    struct gh_jwt_expect expect = {
        .keys = &f.keys.ring,
        .typ = GH_STR("hook+jwt"),
        .issuer = f.settings.public_url,
        .audience = f.settings.hooks.export,
        .now_s = f.now_us / FIXTURE_SECOND,
        .require_exp = true,
    };
    assert_int_equal(gh_jwt_verify(&f.arena, backend.bearer, &expect, &jwt), GH_JWT_OK);
    assert_true(gh_str_eq(jwt.subject, ann));
    assert_int_equal(jwt.expires_s - jwt.issued_s, 60);
    gh_sha256(backend.body, hash);
    gh_buf_put_hex_bytes(&digits, hash, sizeof(hash));
    const struct gh_json_value *claims = gh_json_root(&jwt.claims);
    assert_true(gh_str_eq(gh_json_string(gh_json_get(&jwt.claims, claims, GH_STR("body_sha256"))),
                          gh_buf_str(&digits)));
    assert_true(gh_str_eq(gh_json_string(gh_json_get(&jwt.claims, claims, GH_STR("purpose"))),
                          GH_STR("export")));
    expect.audience = f.settings.hooks.delete;
    assert_int_equal(gh_jwt_verify(&f.arena, backend.bearer, &expect, &jwt), GH_JWT_CLAIMS);
    expect.audience = f.settings.hooks.export;
    expect.typ = GH_STR("at+jwt"); /* it opens nothing of ours */
    assert_int_not_equal(gh_jwt_verify(&f.arena, backend.bearer, &expect, &jwt), GH_JWT_OK);
    expect.typ = GH_STR("hook+jwt");
    expect.now_s += 61;
    assert_int_equal(gh_jwt_verify(&f.arena, backend.bearer, &expect, &jwt), GH_JWT_EXPIRED);
}

/* ---- Erasure ---- */

static enum gh_identity_result erase(struct gh_str password)
{
    return gh_privacy_erase(&call, password, (struct gh_str){NULL, 0});
}

static void erases_the_person_and_keeps_the_records(void **state)
{
    struct gh_account row;
    struct gh_audit_record last;
    struct gh_session_grant refreshed;
    set_hooks();
    assert_int_equal(erase(FIXTURE_PASSWORD), GH_IDENTITY_OK);
    assert_int_equal(backend.records, 1); /* committed before the backend was asked */
    assert_true(gh_str_eq(backend.url, f.settings.hooks.delete));
    assert_false(gh_fixture_account_row(&f, ann, &row));
    assert_true(gh_fixture_is_revoked(&f, grant.access_token));
    struct gh_identity_call nobody = gh_fixture_call(&f);
    assert_int_equal(gh_session_refresh(&nobody, grant.refresh_token, &refreshed),
                     GH_IDENTITY_SESSION_ENDED);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_DATA_DELETION, &last), 2);
    assert_true(gh_str_eq(last.metadata, GH_STR("{\"completed\":true,\"initiated\":true}")));
    assert_true(gh_str_eq(last.user_id, ann));
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_LOGIN, NULL), 1);
    assert_int_equal(gh_fixture_mail_count(&f), 1);
    gh_fixture_account(&f, ANN, FIXTURE_PASSWORD, 1); /* the address is free */
}

static void needs_the_password(void **state)
{
    struct gh_account row;
    set_hooks();
    assert_int_equal(erase(FIXTURE_PASSWORD2), GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(erase(GH_STR("")), GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(backend.calls, 0);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_DATA_DELETION, NULL), 0);
    assert_true(gh_fixture_account_row(&f, ann, &row));
}

static void disable(struct gh_account *account)
{
    account->status = GH_ACCOUNT_DISABLED;
}

static void does_not_begin_when_the_account_was_disabled_meanwhile(void **state)
{
    set_hooks();
    gh_fixture_change_after_write(&f, ann, disable);
    assert_int_equal(erase(FIXTURE_PASSWORD), GH_IDENTITY_SESSION_ENDED);
    assert_int_equal(backend.calls, 0);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_DATA_DELETION, NULL), 0);
}

static void does_not_begin_in_a_session_that_has_ended(void **state)
{
    struct gh_identity_call end = call;
    set_hooks();
    assert_int_equal(gh_logout(&end, (struct gh_str){NULL, 0}), GH_IDENTITY_OK);
    assert_int_equal(erase(FIXTURE_PASSWORD), GH_IDENTITY_SESSION_ENDED);
    assert_int_equal(backend.calls, 0);
}

static void goes_on_after_a_hook_that_failed(void **state)
{
    struct gh_account row;
    struct gh_audit_record last;
    set_hooks();
    backend.status = 503;
    assert_int_equal(erase(FIXTURE_PASSWORD), GH_IDENTITY_UNAVAILABLE);
    assert_non_null(call.why);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_false(gh_fixture_is_revoked(&f, grant.access_token));
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_DATA_DELETION, &last), 2);
    assert_int_equal(last.outcome, GH_AUDIT_FAILURE);
    backend.status = 204;
    assert_int_equal(erase(FIXTURE_PASSWORD), GH_IDENTITY_OK);
    assert_false(gh_fixture_account_row(&f, ann, &row));
    assert_int_equal(backend.calls, 2);
}

static void asks_nobody_when_the_beginning_could_not_be_noted(void **state)
{
    struct gh_account row;
    set_hooks();
    gh_memory_store_fail(f.store, 1, GH_ERR_IO);
    assert_int_not_equal(erase(FIXTURE_PASSWORD), GH_IDENTITY_OK);
    assert_int_equal(backend.calls, 0);
    assert_true(gh_fixture_account_row(&f, ann, &row));
}

static void the_last_admin_cannot_be_erased(void **state)
{
    struct gh_account row;
    set_hooks();
    assert_true(gh_fixture_account_row(&f, ann, &row));
    row.roles = GH_STR("user,admin");
    gh_fixture_account_put(&f, &row);
    assert_int_equal(erase(FIXTURE_PASSWORD), GH_IDENTITY_CONFLICT);
    assert_string_equal(call.why, gh_admin_last_text);
    assert_int_equal(backend.calls, 0);
    gh_fixture_account(&f, "root@example.org", FIXTURE_PASSWORD, 2);
    assert_int_equal(erase(FIXTURE_PASSWORD), GH_IDENTITY_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exports_everything_that_is_held),
        TEST(an_export_by_the_operator_has_no_actor),
        TEST(exports_no_secret),
        TEST(reads_the_audit_log_to_its_end),
        TEST(an_export_without_the_application_is_none),
        TEST(an_application_that_holds_nothing_answers_204),
        TEST(gives_nothing_out_that_could_not_be_audited),
        TEST(a_hook_gets_a_token_that_is_for_it_alone),
        TEST(erases_the_person_and_keeps_the_records),
        TEST(needs_the_password),
        TEST(does_not_begin_when_the_account_was_disabled_meanwhile),
        TEST(does_not_begin_in_a_session_that_has_ended),
        TEST(goes_on_after_a_hook_that_failed),
        TEST(asks_nobody_when_the_beginning_could_not_be_noted),
        TEST(the_last_admin_cannot_be_erased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
