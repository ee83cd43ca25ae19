/* The catalogue of audit events, and records as JSON. */
#include "audit/record.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "crypto/hash.h"
#include "json/parse.h"

static void every_event_is_found_by_its_name(void **state)
{
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++) {
        enum gh_audit_event event;
        const struct gh_audit_event_facts *facts = gh_audit_event_facts((enum gh_audit_event)i);
        assert_true(gh_audit_event_parse(facts->name, &event));
        assert_int_equal(event, i);
        assert_true(facts->meaning.len > 0);
    }
    enum gh_audit_event event;
    assert_false(gh_audit_event_parse(GH_STR("Login"), &event));
    assert_false(gh_audit_event_parse(GH_STR(""), &event));
}

static void the_fourteen_events_of_the_enterprise_example_are_there(void **state)
{
    static const char *const NAMES[] = {
        "login",           "login_failed",           "logout",
        "password_change", "password_reset_request", "2fa_enabled",
        "2fa_disabled",    "2fa_verify_failed",      "session_revoked",
        "account_deleted", "profile_updated",        "role_changed",
        "data_export",     "data_deletion"};
    enum gh_audit_event event;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        assert_true(gh_audit_event_parse(gh_str_from_c(NAMES[i]), &event));
}

static void times_are_utc_with_microseconds(void **state)
{
    static const struct {
        uint64_t time_us;
        const char *text;
    } CASES[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {951782399999999, "2000-02-28T23:59:59.999999Z"},
        {951782400000000, "2000-02-29T00:00:00.000000Z"},
        {1709164800000001, "2024-02-29T00:00:00.000001Z"},
        {1767225599000000, "2025-12-31T23:59:59.000000Z"},
        {4107542400000000, "2100-03-01T00:00:00.000000Z"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char memory[GH_AUDIT_TIME_LEN + 1];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        gh_audit_put_time(&buf, CASES[i].time_us);
        assert_false(buf.overflow);
        assert_true(gh_str_eq(gh_buf_str(&buf), gh_str_from_c(CASES[i].text)));
    }
}

static void a_record_is_one_line_of_json_whatever_a_client_sends(void **state)
{
    static const char HOSTILE[] = "x\r\n{\"seq\":1}\x1b[31m\x00\xff\xe2\x80\xa8";
    struct gh_audit_record record = {
        .seq = 7,
        .time_us = 951782400000000,
        .event = GH_AUDIT_LOGIN_FAILED,
        .user_agent = {HOSTILE, sizeof(HOSTILE) - 1},
        .outcome = GH_AUDIT_FAILURE,
        .metadata = GH_STR("{\"reason\":\"password\"}"),
    };
    char memory[4096];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_audit_record_put_json(&buf, &record);
    assert_false(buf.overflow);
    struct gh_str text = gh_buf_str(&buf);
    for (size_t i = 0; i < text.len; i++)
        assert_true((unsigned char)text.ptr[i] >= 0x20);
    struct gh_arena arena;
    struct gh_json_doc doc;
    gh_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(gh_json_parse(&arena, text, &gh_json_small, &doc, NULL), GH_JSON_OK);
    const struct gh_json_value *root = gh_json_root(&doc);
    assert_true(gh_str_eq(gh_json_string(gh_json_get(&doc, root, GH_STR("event_type"))),
                          GH_STR("login_failed")));
    assert_int_equal(gh_json_get(&doc, root, GH_STR("user_id"))->kind, GH_JSON_NULL);
    assert_int_equal(gh_json_get(&doc, root, GH_STR("metadata"))->kind, GH_JSON_OBJECT);
    assert_int_equal(root->count, 11);
    gh_arena_done(&arena);
}

static void a_session_is_shown_by_its_hash(void **state)
{
    char text[GH_AUDIT_SESSION_LEN + 1];
    gh_audit_session_hash(GH_STR("abc"), text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_is_found_by_its_name),
        cmocka_unit_test(the_fourteen_events_of_the_enterprise_example_are_there),
        cmocka_unit_test(times_are_utc_with_microseconds),
        cmocka_unit_test(a_record_is_one_line_of_json_whatever_a_client_sends),
        cmocka_unit_test(a_session_is_shown_by_its_hash),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
