/* /account/2fa: enrolment, and that a session claims a second factor exactly while it has one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"
#include "identity/two_factor.h"

#define ANN "ann@example.org"

static struct gh_api_fixture *f;
static struct gh_str ann, access;

static int open_fixture(void **state)
{
    gh_api_fixture_setup(state);
    f = *state;
    ann = gh_fixture_account(&f->identity, ANN, FIXTURE_PASSWORD, 1);
    access = gh_api_fixture_login(f, ANN);
    return 0;
}

static struct gh_api_answer ask(const char *operation, const char *body)
{
    return gh_api_ask_as(f, access, operation, body);
}

static void assert_refused(const char *operation, const char *body, unsigned status,
                           const char *detail)
{
    struct gh_api_answer answer = ask(operation, body);
    gh_api_assert_refused(&answer, status, detail);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

static const char *code_body(const char *code)
{
    return gh_api_body(f, "{\"code\":\"%s\"}", code);
}

static const char *disable_body(const char *password, const char *code)
{
    return gh_api_body(f, "{\"password\":\"%s\",\"code\":\"%s\"}", password, code);
}

/* What the token says, and what the session endpoint says of it. */
static bool claims_two_factor(struct gh_str token)
{
    struct gh_identity_call call = gh_fixture_call_as(&f->identity, token);
    struct gh_api_answer answer = gh_api_ask_as(f, token, "session", NULL);
    assert_true(gh_api_answer_is(&answer, "two_factor") == call.subject->two_factor);
    return call.subject->two_factor;
}

/* Enrolled, and a minute later, so that the code of now is a new one. */
static struct gh_str enrol(void)
{
    struct gh_str secret = gh_api_fixture_enrol(f, &access);
    f->identity.now_us += FIXTURE_MINUTE;
    return secret;
}

/* ---- Setup ---- */

static void a_setup_has_the_secret_in_three_forms(void **state)
{
    struct gh_api_answer answer = ask("setUpTwoFactor", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 3);
    struct gh_str secret = gh_api_answer_text(&answer, "secret");
    struct gh_str uri = gh_api_answer_text(&answer, "uri");
    assert_int_equal(secret.len, 32);
    assert_true(gh_str_starts_with(uri, GH_STR("otpauth://totp/")));
    assert_true(gh_str_find(uri, secret) < uri.len);
    assert_true(gh_str_starts_with(gh_api_answer_text(&answer, "qr_svg"), GH_STR("<svg ")));
}

static void a_setup_alone_switches_nothing_on(void **state)
{
    assert_int_equal(ask("setUpTwoFactor", NULL).status, 200);
    struct gh_api_answer answer = ask("profile", NULL);
    assert_false(gh_api_answer_is(&answer, "two_factor_enabled"));
}

static void refuses_a_setup_in_a_session_that_is_not_fresh(void **state)
{
    f->identity.now_us += 11 * FIXTURE_MINUTE;
    assert_refused("setUpTwoFactor", NULL, 403, "confirm your password first");
}

static void refuses_a_setup_where_it_is_on_already(void **state)
{
    gh_api_fixture_enrol(f, &access);
    assert_refused("setUpTwoFactor", NULL, 409, "the second factor is on already");
}

/* ---- Switching on ---- */

static void a_right_code_gives_ten_codes_and_a_stronger_session(void **state)
{
    struct gh_str weak = access;
    struct gh_api_answer setup = ask("setUpTwoFactor", NULL);
    const char *code = gh_api_fixture_code(f, gh_api_answer_text(&setup, "secret"), 0);
    struct gh_api_answer answer = ask("verifyTwoFactor", code_body(code));
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 2);
    assert_int_equal(gh_api_answer_number(&answer, "expires_in"), 900);
    for (size_t i = 0; i < GH_RECOVERY_CODES; i++)
        assert_int_equal(gh_json_string(gh_api_answer_item(&answer, "recovery_codes", i)).len,
                         GH_RECOVERY_CODE_LEN);
    assert_null(gh_api_answer_item(&answer, "recovery_codes", GH_RECOVERY_CODES));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 1);
    assert_true(gh_fixture_is_revoked(&f->identity, weak));
    assert_false(claims_two_factor(weak));
    assert_true(claims_two_factor(gh_api_answer_cookie_value(&answer, "__Host-gh_access")));
}

static void refuses_a_code_that_is_wrong_or_confirms_nothing(void **state)
{
    assert_refused("verifyTwoFactor", code_body("123456"), 409, NULL);
    struct gh_api_answer setup = ask("setUpTwoFactor", NULL);
    struct gh_str secret = gh_api_answer_text(&setup, "secret");
    assert_refused("verifyTwoFactor", code_body(gh_api_fixture_wrong_code(f, secret)), 403,
                   "The code is not right, or was used already.");
    assert_refused("verifyTwoFactor", code_body("12345"), 422, NULL);
    assert_refused("verifyTwoFactor", NULL, 422, NULL);
    assert_false(gh_fixture_is_revoked(&f->identity, access));
    enrol();
    assert_refused("verifyTwoFactor", code_body("123456"), 409, NULL);
}

static void under_bearer_the_stronger_token_is_in_the_body(void **state)
{
    f->identity.settings.transport = GH_TRANSPORT_BEARER;
    access = gh_api_fixture_login(f, ANN);
    struct gh_api_answer setup = ask("setUpTwoFactor", NULL);
    const char *code = gh_api_fixture_code(f, gh_api_answer_text(&setup, "secret"), 0);
    struct gh_api_answer answer = ask("verifyTwoFactor", code_body(code));
    assert_int_equal(gh_json_root(&answer.json)->count, 4);
    assert_true(gh_api_answer_has(&answer, "token_type", "Bearer"));
    assert_true(claims_two_factor(gh_api_answer_text(&answer, "access_token")));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

/* ---- Switching off ---- */

static void who_switches_it_off_goes_on_without_claiming_it(void **state)
{
    struct gh_str secret = enrol(), strong = access;
    assert_true(claims_two_factor(strong));
    struct gh_api_answer answer =
        ask("disableTwoFactor", disable_body(PASSWORD_TEXT, gh_api_fixture_code(f, secret, 0)));
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 2);
    assert_true(gh_api_answer_text(&answer, "message").len > 0);
    assert_int_equal(gh_api_answer_number(&answer, "expires_in"), 900);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 1);
    access = gh_api_answer_cookie_value(&answer, "__Host-gh_access");
    assert_true(gh_fixture_is_revoked(&f->identity, strong));
    assert_false(gh_fixture_is_revoked(&f->identity, access));
    assert_false(claims_two_factor(access));
    answer = ask("profile", NULL);
    assert_false(gh_api_answer_is(&answer, "two_factor_enabled"));
}

static void under_bearer_the_weaker_token_is_in_the_body(void **state)
{
    f->identity.settings.transport = GH_TRANSPORT_BEARER;
    access = gh_api_fixture_login(f, ANN);
    struct gh_str secret = enrol();
    struct gh_api_answer answer =
        ask("disableTwoFactor", disable_body(PASSWORD_TEXT, gh_api_fixture_code(f, secret, 0)));
    assert_int_equal(gh_json_root(&answer.json)->count, 4);
    assert_false(claims_two_factor(gh_api_answer_text(&answer, "access_token")));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

static void refuses_to_switch_off_without_both(void **state)
{
    assert_refused("disableTwoFactor", disable_body(PASSWORD_TEXT, "123456"), 409, NULL);
    struct gh_str secret = enrol();
    const char *code = gh_api_fixture_code(f, secret, 0);
    assert_refused("disableTwoFactor", disable_body(WRONG_TEXT, code), 403,
                   "The password is not right.");
    assert_refused("disableTwoFactor",
                   disable_body(PASSWORD_TEXT, gh_api_fixture_wrong_code(f, secret)), 403,
                   "The code is not right, or was used already.");
    assert_refused("disableTwoFactor", code_body(code), 422, NULL);
    assert_refused("disableTwoFactor", "{\"password\":\"" PASSWORD_TEXT "\"}", 422, NULL);
    assert_false(gh_fixture_is_revoked(&f->identity, access));
    assert_true(claims_two_factor(access));
}

static void refuses_to_switch_off_what_a_role_needs(void **state)
{
    gh_fixture_account(&f->identity, "root@example.org", FIXTURE_PASSWORD, 2);
    access = gh_api_fixture_login(f, "root@example.org");
    struct gh_str secret = enrol();
    assert_refused("disableTwoFactor",
                   disable_body(PASSWORD_TEXT, gh_api_fixture_code(f, secret, 0)), 403,
                   "a role of this account needs the second factor");
}

static void a_session_that_ended_meanwhile_is_told_so_and_cleared(void **state)
{
    struct gh_str secret = enrol();
    assert_int_equal(ask("logOut", NULL).status, 200);
    struct gh_api_answer answer =
        ask("disableTwoFactor", disable_body(PASSWORD_TEXT, gh_api_fixture_code(f, secret, 0)));
    gh_api_assert_refused(&answer, 401, "The session has ended. Sign in again.");
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 2);
}

/* ---- Recovery codes ---- */

static void recovery_codes_are_renewed_by_a_code_of_the_app(void **state)
{
    struct gh_str secret = enrol();
    struct gh_api_answer answer =
        ask("renewRecoveryCodes", code_body(gh_api_fixture_code(f, secret, 0)));
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 1);
    assert_non_null(gh_api_answer_item(&answer, "recovery_codes", GH_RECOVERY_CODES - 1));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    assert_false(gh_fixture_is_revoked(&f->identity, access));
}

static void refuses_to_renew_recovery_codes_by_anything_else(void **state)
{
    assert_refused("renewRecoveryCodes", code_body("123456"), 409, "there is no second factor");
    struct gh_str secret = enrol();
    assert_refused("renewRecoveryCodes", code_body(gh_api_fixture_wrong_code(f, secret)), 403,
                   NULL);
    assert_refused("renewRecoveryCodes", code_body("abcd-efgh-ijkl-mnop"), 403, NULL);
    assert_refused("renewRecoveryCodes", "{}", 422, NULL);
}

static void nothing_happens_when_nothing_can_be_written(void **state)
{
    struct gh_str secret = enrol();
    const char *code = gh_api_fixture_code(f, secret, 0);
    gh_api_fixture_break_store(f);
    assert_refused("disableTwoFactor", disable_body(PASSWORD_TEXT, code), 503, NULL);
    assert_refused("renewRecoveryCodes", code_body(code), 503, NULL);
    assert_true(claims_two_factor(access));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, gh_api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_setup_has_the_secret_in_three_forms),
        TEST(a_setup_alone_switches_nothing_on),
        TEST(refuses_a_setup_in_a_session_that_is_not_fresh),
        TEST(refuses_a_setup_where_it_is_on_already),
        TEST(a_right_code_gives_ten_codes_and_a_stronger_session),
        TEST(refuses_a_code_that_is_wrong_or_confirms_nothing),
        TEST(under_bearer_the_stronger_token_is_in_the_body),
        TEST(who_switches_it_off_goes_on_without_claiming_it),
        TEST(under_bearer_the_weaker_token_is_in_the_body),
        TEST(refuses_to_switch_off_without_both),
        TEST(refuses_to_switch_off_what_a_role_needs),
        TEST(a_session_that_ended_meanwhile_is_told_so_and_cleared),
        TEST(recovery_codes_are_renewed_by_a_code_of_the_app),
        TEST(refuses_to_renew_recovery_codes_by_anything_else),
        TEST(nothing_happens_when_nothing_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
