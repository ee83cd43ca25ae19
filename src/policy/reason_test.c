#include "policy/reason.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/target.h"

static void every_reason_has_a_word_of_its_own_and_a_status(void **state)
{
    (void)state;
    for (int i = 0; i < GH_REASON_COUNT; i++) {
        const struct gh_reason_facts *facts = gh_reason_facts((enum gh_reason)i);
        assert_true(facts->word.len > 0);
        assert_in_range(facts->status, 200, 599);
        for (size_t at = 0; at < facts->word.len; at++) {
            char c = facts->word.ptr[at];
            assert_true((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'); /* a label */
        }
        for (int k = 0; k < i; k++)
            assert_false(gh_str_eq(facts->word, gh_reason_facts((enum gh_reason)k)->word));
    }
}

static void undecided_is_the_zero_and_no_success(void **state)
{
    (void)state;
    assert_int_equal(GH_REASON_UNDECIDED, 0);
    assert_int_equal(gh_reason_facts(GH_REASON_UNDECIDED)->status, 500);
}

static void refusals_are_audited_by_what_they_say_of_the_caller(void **state)
{
    (void)state;
    static const struct {
        enum gh_reason reason;
        enum gh_audit_event event;
    } cases[] = {
        {GH_REASON_MALFORMED, GH_AUDIT_REQUEST_REJECTED},
        {GH_REASON_NO_ROUTE, GH_AUDIT_REQUEST_REJECTED},
        {GH_REASON_HEAD_TIMEOUT, GH_AUDIT_REQUEST_REJECTED},
        {GH_REASON_HOST_UNKNOWN, GH_AUDIT_HOST_REJECTED},
        {GH_REASON_CROSS_SITE, GH_AUDIT_ORIGIN_REJECTED},
        {GH_REASON_PREFLIGHT_REFUSED, GH_AUDIT_ORIGIN_REJECTED},
        {GH_REASON_RATE_LIMITED, GH_AUDIT_RATE_LIMITED},
        {GH_REASON_CREDENTIAL_BUDGET, GH_AUDIT_RATE_LIMITED},
        {GH_REASON_NOT_OWNER, GH_AUDIT_ACCESS_DENIED},
        {GH_REASON_CREDENTIAL_REFUSED, GH_AUDIT_ACCESS_DENIED},
        {GH_REASON_PREFLIGHT, GH_AUDIT_NOTHING},
        {GH_REASON_BUILT_IN, GH_AUDIT_NOTHING},
        {GH_REASON_LOGIN_REDIRECT, GH_AUDIT_NOTHING},
        {GH_REASON_UPSTREAM_TIMEOUT, GH_AUDIT_NOTHING},
        {GH_REASON_CLIENT_GONE, GH_AUDIT_NOTHING},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(gh_reason_facts(cases[i].reason)->event, cases[i].event);
}

static void no_trouble_of_our_own_is_audited_as_a_refusal(void **state)
{
    (void)state;
    for (int i = 0; i < GH_REASON_COUNT; i++) {
        const struct gh_reason_facts *facts = gh_reason_facts((enum gh_reason)i);
        bool ours = facts->status < 400 || (facts->status >= 500 && facts->status != 501 &&
                                            facts->status != 505); /* what the client asked for */
        if (ours || facts->status == 499)
            assert_int_equal(facts->event, GH_AUDIT_NOTHING);
        else
            assert_int_not_equal(facts->event, GH_AUDIT_NOTHING);
    }
}

static void errors_of_the_codec_have_the_statuses_that_codec_h_names(void **state)
{
    (void)state;
    static const struct {
        enum gh_http_error error;
        unsigned status;
    } cases[] = {
        {GH_HTTP_ERROR_MALFORMED, 400},
        {GH_HTTP_ERROR_FRAMING, 400},
        {GH_HTTP_ERROR_HOST, 400},
        {GH_HTTP_ERROR_TARGET, 400},
        {GH_HTTP_ERROR_TARGET_TOO_LONG, 414},
        {GH_HTTP_ERROR_HEAD_TOO_LARGE, 431},
        {GH_HTTP_ERROR_TOO_MANY_FIELDS, 431},
        {GH_HTTP_ERROR_UNKNOWN_CODING, 501},
        {GH_HTTP_ERROR_VERSION, 505},
        {GH_HTTP_ERROR_METHOD, 405},
        {GH_HTTP_ERROR_EXPECTATION, 417},
        {GH_HTTP_ERROR_CHUNK, 400},
        {GH_HTTP_ERROR_MEMORY, 503},
        {GH_HTTP_ERROR_NONE, 500},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum gh_reason reason = gh_reason_of_http_error(cases[i].error);
        assert_int_equal(gh_reason_facts(reason)->status, cases[i].status);
    }
}

static void refused_paths_are_400_or_414(void **state)
{
    (void)state;
    for (int status = GH_PATH_REFUSED; status < GH_PATH_OK; status++) {
        enum gh_reason reason = gh_reason_of_path(status);
        assert_int_equal(gh_reason_facts(reason)->status, status == GH_PATH_TOO_LONG ? 414 : 400);
    }
    assert_int_equal(gh_reason_of_path(GH_PATH_ABOVE_ROOT), GH_REASON_PATH_ABOVE_ROOT);
    assert_int_equal(gh_reason_of_path(GH_PATH_OK), GH_REASON_UNDECIDED);
    assert_int_equal(gh_reason_of_path(99), GH_REASON_UNDECIDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_a_word_of_its_own_and_a_status),
        cmocka_unit_test(undecided_is_the_zero_and_no_success),
        cmocka_unit_test(refusals_are_audited_by_what_they_say_of_the_caller),
        cmocka_unit_test(no_trouble_of_our_own_is_audited_as_a_refusal),
        cmocka_unit_test(errors_of_the_codec_have_the_statuses_that_codec_h_names),
        cmocka_unit_test(refused_paths_are_400_or_414),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
