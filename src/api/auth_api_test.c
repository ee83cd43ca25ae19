/* /auth over a real store: what each endpoint answers when all is well, and how it refuses. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"
#include "identity/admin.h"

#define ANN                    "ann@example.org"
#define NOBODY                 ((struct gh_str){NULL, 0})
#define LOGIN(email, password) "{\"email\":\"" email "\",\"password\":\"" password "\"}"
#define TOKEN_BODY(token)      "{\"token\":\"%.*s\"}", GH_STR_ARG(token)

static struct gh_api_fixture *f;
static struct gh_str ann;

static int open_fixture(void **state)
{
    gh_api_fixture_setup(state);
    f = *state;
    ann = gh_fixture_account(&f->identity, ANN, FIXTURE_PASSWORD, 1);
    return 0;
}

static struct gh_api_answer ask(const char *operation, const char *body)
{
    return gh_api_ask_as(f, NOBODY, operation, body);
}

static void assert_refused(const char *operation, const char *body, unsigned status,
                           const char *detail)
{
    struct gh_api_answer answer = ask(operation, body);
    gh_api_assert_refused(&answer, status, detail);
}

static void change_account(void (*change)(struct gh_account *account))
{
    struct gh_account account;
    assert_true(gh_fixture_account_row(&f->identity, ann, &account));
    change(&account);
    gh_fixture_account_put(&f->identity, &account);
}

static void disable(struct gh_account *account)
{
    account->status = GH_ACCOUNT_DISABLED;
}

static void leave_unconfirmed(struct gh_account *account)
{
    account->email_verified_us = 0;
}

static bool same_body(const struct gh_api_answer *a, const struct gh_api_answer *b)
{
    return a->status == b->status && gh_str_eq(a->reply->body, b->reply->body) &&
           a->reply->field_count == b->reply->field_count;
}

/* ---- Sign-up ---- */

static void a_sign_up_that_must_be_confirmed_is_the_same_for_known_addresses(void **state)
{
    struct gh_api_answer fresh = ask("signUp", LOGIN("bob@example.org", PASSWORD2_TEXT));
    struct gh_api_answer known = ask("signUp", LOGIN(ANN, PASSWORD2_TEXT));
    assert_int_equal(fresh.status, 202);
    assert_int_equal(gh_json_root(&fresh.json)->count, 1);
    assert_true(gh_api_answer_text(&fresh, "message").len > 0);
    assert_true(same_body(&fresh, &known));
    assert_int_equal(gh_api_answer_count(&fresh, "Set-Cookie"), 0);
}

static void a_sign_up_that_needs_no_confirmation_gives_the_account(void **state)
{
    f->identity.settings.verify_email = false;
    struct gh_api_answer answer =
        ask("signUp",
            "{\"email\":\"bob@example.org\",\"password\":\"" PASSWORD2_TEXT "\",\"name\":\"Bob\"}");
    assert_int_equal(answer.status, 201);
    assert_int_equal(gh_json_root(&answer.json)->count, 1);
    assert_int_equal(gh_api_answer_at(&answer, "user")->count, 11);
    assert_true(gh_api_answer_has(&answer, "user.email", "bob@example.org"));
    assert_true(gh_api_answer_has(&answer, "user.name", "Bob"));
    assert_true(
        gh_str_eq(gh_json_string(gh_api_answer_item(&answer, "user.roles", 0)), GH_STR("user")));
    assert_null(gh_api_answer_item(&answer, "user.roles", 1));
    assert_int_equal(gh_api_answer_text(&answer, "user.created_at").len, 27);
    assert_int_equal(gh_api_answer_at(&answer, "user.last_login_at")->kind, GH_JSON_NULL);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0); /* no session comes with it */
    assert_refused("signUp", LOGIN(ANN, PASSWORD2_TEXT), 409,
                   "There is an account with this address.");
}

static void refuses_what_no_account_can_be_made_of(void **state)
{
    assert_refused("signUp", LOGIN("bob@example.org", "short"), 422, NULL);
    assert_refused("signUp", LOGIN("bob@example.org", "passwordpassword"), 422, NULL);
    assert_refused("signUp", LOGIN("bob.example.org", PASSWORD2_TEXT), 422, NULL);
    assert_refused("signUp", "{\"email\":\"bob@example.org\"}", 422, NULL);
    assert_refused("signUp", LOGIN("bob@example.org", PASSWORD2_TEXT) "}", 400, NULL);
    gh_api_fixture_break_store(f);
    assert_refused("signUp", LOGIN("bob@example.org", PASSWORD2_TEXT), 503, NULL);
}

/* ---- Login ---- */

static void every_login_that_fails_is_answered_alike(void **state)
{
    struct gh_api_answer wrong = ask("logIn", LOGIN(ANN, WRONG_TEXT));
    gh_api_assert_refused(&wrong, 401, "Invalid email or password");
    struct gh_api_answer unknown = ask("logIn", LOGIN("bob@example.org", PASSWORD_TEXT));
    struct gh_api_answer no_address = ask("logIn", LOGIN("bob", PASSWORD_TEXT));
    change_account(leave_unconfirmed);
    struct gh_api_answer unconfirmed = ask("logIn", LOGIN(ANN, PASSWORD_TEXT));
    change_account(disable);
    struct gh_api_answer disabled = ask("logIn", LOGIN(ANN, PASSWORD_TEXT));
    assert_true(same_body(&wrong, &unknown) && same_body(&wrong, &no_address));
    assert_true(same_body(&wrong, &unconfirmed) && same_body(&wrong, &disabled));
}

static void a_wrong_login_is_401_also_for_somebody_who_is_signed_in(void **state)
{
    struct gh_api_answer answer =
        gh_api_ask_as(f, gh_api_fixture_login(f, ANN), "logIn", LOGIN(ANN, WRONG_TEXT));
    gh_api_assert_refused(&answer, 401, "Invalid email or password");
}

static void failures_are_delayed_and_told_when_to_come_again(void **state)
{
    for (unsigned i = 0; i < 6; i++)
        assert_refused("logIn", LOGIN(ANN, WRONG_TEXT), 401, NULL);
    struct gh_api_answer answer = ask("logIn", LOGIN(ANN, PASSWORD_TEXT));
    gh_api_assert_refused(&answer, 429, "Rate limit exceeded: try again in 1 s");
    assert_true(gh_str_eq(gh_api_answer_field(&answer, "Retry-After"), GH_STR("1")));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    f->identity.now_us += 2 * FIXTURE_SECOND;
    assert_int_equal(ask("logIn", LOGIN(ANN, PASSWORD_TEXT)).status, 200);
}

static bool deny(void *context, const char *policy, struct gh_str key, uint64_t *out_retry_after_s)
{
    (void)context;
    (void)policy;
    (void)key;
    *out_retry_after_s = 42;
    return false;
}

static void quotas_of_identity_answer_as_limits_do(void **state)
{
    f->identity.identity.quota.take = deny;
    struct gh_api_answer answer = ask("logIn", LOGIN(ANN, PASSWORD_TEXT));
    gh_api_assert_refused(&answer, 429, "Rate limit exceeded: try again in 42 s");
    assert_true(gh_str_eq(gh_api_answer_field(&answer, "Retry-After"), GH_STR("42")));
}

static void a_store_that_fails_is_no_wrong_password(void **state)
{
    gh_api_fixture_break_store(f);
    struct gh_api_answer answer = ask("logIn", LOGIN(ANN, PASSWORD_TEXT));
    gh_api_assert_refused(&answer, 503, NULL);
    assert_true(gh_str_eq(gh_api_answer_field(&answer, "Retry-After"), GH_STR("5")));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

/* ---- The second step ---- */

static struct gh_str secret; /* of Ann's second factor */

static struct gh_str enrol_and_ask(void)
{
    struct gh_str access = gh_api_fixture_login(f, ANN);
    secret = gh_api_fixture_enrol(f, &access);
    f->identity.now_us += FIXTURE_MINUTE;
    struct gh_api_answer answer = ask("logIn", LOGIN(ANN, PASSWORD_TEXT));
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 2);
    assert_true(gh_api_answer_is(&answer, "two_factor_required"));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    return gh_api_answer_text(&answer, "challenge");
}

static struct gh_api_answer second_step(struct gh_str challenge, const char *code)
{
    return ask("secondStep", gh_api_body(f, "{\"challenge\":\"%.*s\",\"code\":\"%s\"}",
                                         GH_STR_ARG(challenge), code));
}

static void a_password_alone_is_a_challenge_and_the_code_a_session(void **state)
{
    struct gh_str challenge = enrol_and_ask();
    const char *code = gh_api_fixture_code(f, secret, 0);
    struct gh_api_answer answer = second_step(challenge, code);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 3);
    assert_true(gh_api_answer_is(&answer, "user.two_factor_enabled"));
    struct gh_str access = gh_api_answer_cookie_value(&answer, "__Host-gh_access");
    answer = gh_api_ask_as(f, access, "session", NULL);
    assert_true(gh_api_answer_is(&answer, "two_factor"));
    answer = second_step(challenge, code); /* used up with the session it gave */
    gh_api_assert_refused(&answer, 400, NULL);
}

static void a_challenge_has_five_tries(void **state)
{
    struct gh_str challenge = enrol_and_ask();
    const char *wrong = gh_api_fixture_wrong_code(f, secret);
    for (unsigned i = 0; i < 5; i++) {
        struct gh_api_answer answer = second_step(challenge, wrong);
        gh_api_assert_refused(&answer, 401, "The code is not right, or was used already.");
        assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    }
    struct gh_api_answer answer = second_step(challenge, gh_api_fixture_code(f, secret, 0));
    gh_api_assert_refused(&answer, 400,
                          "This link or challenge is not valid any more. Start again.");
}

static void refuses_a_challenge_that_is_none_or_too_old(void **state)
{
    struct gh_api_answer answer = second_step(GH_STR("nobody-gave-this-challenge"), "123456");
    gh_api_assert_refused(&answer, 400, NULL);
    struct gh_str challenge = enrol_and_ask();
    f->identity.now_us += 6 * FIXTURE_MINUTE;
    answer = second_step(challenge, gh_api_fixture_code(f, secret, 0));
    gh_api_assert_refused(&answer, 400, NULL);
}

/* ---- Refresh and logout ---- */

/* As long as one of ours, and in its form. */
#define OF_ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct gh_api_answer refresh(struct gh_str cookie)
{
    const struct gh_api_ask refreshing = {.operation = "refresh", .refresh_cookie = cookie};
    return gh_api_ask(f, &refreshing);
}

static void refresh_tokens_that_are_none_are_a_session_that_ended(void **state)
{
    static const char *const TOKENS[] = {"", "x", "not-a-token-of-ours", OF_ZEROS};
    for (size_t i = 0; i < sizeof(TOKENS) / sizeof(TOKENS[0]); i++) {
        struct gh_api_answer answer = refresh(gh_str_from_c(TOKENS[i]));
        gh_api_assert_refused(&answer, 401, "The session has ended. Sign in again.");
    }
}

static void parallel_refreshes_get_the_same_successor(void **state)
{
    struct gh_api_answer login = ask("logIn", LOGIN(ANN, PASSWORD_TEXT));
    struct gh_str token = gh_api_answer_cookie_value(&login, "__Secure-gh_refresh");
    struct gh_api_answer one = refresh(token), two = refresh(token);
    assert_int_equal(one.status, 200);
    assert_int_equal(two.status, 200);
    assert_true(gh_str_eq(gh_api_answer_cookie_value(&one, "__Secure-gh_refresh"),
                          gh_api_answer_cookie_value(&two, "__Secure-gh_refresh")));
}

static void a_logout_says_so_and_has_the_browser_forget(void **state)
{
    struct gh_api_answer login = ask("logIn", LOGIN(ANN, PASSWORD_TEXT));
    struct gh_str access = gh_api_answer_cookie_value(&login, "__Host-gh_access");
    struct gh_api_answer answer = gh_api_ask_as(f, access, "logOut", NULL);
    assert_int_equal(answer.status, 200);
    assert_true(gh_str_eq(answer.reply->body, GH_STR("{\"message\":\"Successfully logged out\"}")));
    assert_true(gh_str_eq(gh_api_answer_field(&answer, "Clear-Site-Data"),
                          GH_STR("\"cache\", \"cookies\", \"storage\"")));
    assert_true(gh_fixture_is_revoked(&f->identity, access));
    answer = refresh(gh_api_answer_cookie_value(&login, "__Secure-gh_refresh"));
    gh_api_assert_refused(&answer, 401, NULL);
}

static void a_logout_of_nobody_is_one_too(void **state)
{
    struct gh_api_answer answer = ask("logOut", NULL);
    gh_api_assert_message(&answer);
    assert_int_equal(gh_fixture_audit_count(&f->identity, GH_AUDIT_LOGOUT, NULL), 0);
}

static void a_logout_by_the_refresh_cookie_alone_ends_its_session(void **state)
{
    struct gh_api_answer login = ask("logIn", LOGIN(ANN, PASSWORD_TEXT));
    const struct gh_api_ask leaving = {
        .operation = "logOut",
        .refresh_cookie = gh_api_answer_cookie_value(&login, "__Secure-gh_refresh")};
    assert_int_equal(gh_api_ask(f, &leaving).status, 200);
    assert_true(gh_fixture_is_revoked(&f->identity,
                                      gh_api_answer_cookie_value(&login, "__Host-gh_access")));
}

/* ---- Addresses ---- */

static void an_address_is_confirmed_once_and_in_time(void **state)
{
    change_account(leave_unconfirmed);
    struct gh_str token = gh_fixture_ticket(&f->identity, GH_TICKET_CONFIRM_EMAIL, ann, GH_STR(""));
    const char *body = gh_api_body(f, TOKEN_BODY(token));
    struct gh_api_answer answer = ask("verifyEmail", body);
    gh_api_assert_message(&answer);
    assert_refused("verifyEmail", body, 400, NULL);
    token = gh_fixture_ticket(&f->identity, GH_TICKET_CONFIRM_EMAIL, ann, GH_STR(""));
    f->identity.now_us += 16 * FIXTURE_MINUTE;
    assert_refused("verifyEmail", gh_api_body(f, TOKEN_BODY(token)), 400, NULL);
}

static void a_token_of_something_else_confirms_no_address(void **state)
{
    struct gh_str token = gh_fixture_ticket(&f->identity, GH_TICKET_RESET, ann, GH_STR(""));
    assert_refused("verifyEmail", gh_api_body(f, TOKEN_BODY(token)), 400, NULL);
    assert_refused("verifyEmail", "{\"token\":\"nobody-gave-this-token\"}", 400, NULL);
    assert_refused("verifyEmail", "{\"token\":\"short\"}", 422, NULL);
}

static void a_link_is_sent_again_to_anyone_alike(void **state)
{
    struct gh_api_answer known = ask("resendEmail", "{\"email\":\"" ANN "\"}");
    struct gh_api_answer unknown = ask("resendEmail", "{\"email\":\"bob@example.org\"}");
    gh_api_assert_message(&known);
    assert_true(same_body(&known, &unknown));
    assert_refused("resendEmail", "{\"email\":\"ann at example.org\"}", 422, NULL);
}

/* ---- Step-up ---- */

static void a_step_up_makes_the_session_fresh(void **state)
{
    struct gh_str access = gh_api_fixture_login(f, ANN);
    f->identity.now_us += 11 * FIXTURE_MINUTE;
    struct gh_api_answer answer = gh_api_ask_as(f, access, "session", NULL);
    assert_false(gh_api_answer_is(&answer, "fresh"));
    answer = gh_api_ask_as(f, access, "stepUp", "{\"password\":\"" PASSWORD_TEXT "\"}");
    assert_int_equal(answer.status, 200);
    assert_true(gh_fixture_is_revoked(&f->identity, access));
    access = gh_api_answer_cookie_value(&answer, "__Host-gh_access");
    answer = gh_api_ask_as(f, access, "session", NULL);
    assert_true(gh_api_answer_is(&answer, "fresh"));
    assert_false(gh_api_answer_is(&answer, "two_factor"));
}

static void refuses_a_step_up_that_confirms_nothing(void **state)
{
    struct gh_str access = gh_api_fixture_login(f, ANN);
    static const struct {
        const char *body;
        unsigned status;
    } CASES[] = {
        {"{\"password\":\"" WRONG_TEXT "\"}", 403},
        {"{\"code\":\"123456\"}", 403}, /* no second factor is on */
        {"{}", 422},
        {NULL, 422},
        {"{\"password\":\"" PASSWORD_TEXT "\",\"code\":\"123456\"}", 422},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_api_answer answer = gh_api_ask_as(f, access, "stepUp", CASES[i].body);
        gh_api_assert_refused(&answer, CASES[i].status, NULL);
    }
    assert_false(gh_fixture_is_revoked(&f->identity, access));
}

/* ---- The first admin ---- */

static struct gh_str setup_token(void)
{
    struct gh_identity_call call = gh_fixture_call(&f->identity);
    struct gh_str token;
    assert_int_equal(gh_setup_token(&call, &token), GH_IDENTITY_OK);
    assert_non_null(token.ptr);
    return token;
}

static struct gh_api_answer set_up(struct gh_str token, const char *password)
{
    return ask("setUp", gh_api_body(f,
                                    "{\"token\":\"%.*s\",\"email\":\"root@example.org\","
                                    "\"password\":\"%s\"}",
                                    GH_STR_ARG(token), password));
}

static void the_one_time_token_makes_the_first_admin_once(void **state)
{
    struct gh_str token = setup_token();
    struct gh_api_answer answer = set_up(token, "short");
    gh_api_assert_refused(&answer, 422, NULL); /* and the token stays good */
    answer = set_up(token, PASSWORD2_TEXT);
    assert_int_equal(answer.status, 201);
    assert_true(
        gh_str_eq(gh_json_string(gh_api_answer_item(&answer, "user.roles", 1)), GH_STR("admin")));
    assert_true(gh_api_answer_is(&answer, "user.two_factor_enrolment_required"));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    answer = set_up(token, PASSWORD2_TEXT);
    gh_api_assert_refused(&answer, 400, NULL);
}

static void refuses_another_first_admin(void **state)
{
    struct gh_str token = setup_token();
    gh_fixture_account(&f->identity, "boss@example.org", FIXTURE_PASSWORD, 2);
    struct gh_api_answer answer = set_up(token, PASSWORD2_TEXT);
    gh_api_assert_refused(&answer, 409, NULL);
    answer = set_up(GH_STR("nobody-gave-this-token"), PASSWORD2_TEXT);
    gh_api_assert_refused(&answer, 400, NULL);
}

/* ---- Who am I ---- */

static void a_session_says_who_until_when_and_how_sure(void **state)
{
    struct gh_str access = gh_api_fixture_login(f, ANN);
    struct gh_api_answer answer = gh_api_ask_as(f, access, "session", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 5);
    assert_true(gh_str_eq(gh_api_answer_text(&answer, "user.id"), ann));
    assert_true(gh_api_answer_has(&answer, "authenticated_at", "2027-01-15T08:00:00.000000Z"));
    assert_true(gh_api_answer_has(&answer, "expires_at", "2027-01-15T08:15:00.000000Z"));
    assert_false(gh_api_answer_is(&answer, "two_factor"));
    assert_true(gh_api_answer_is(&answer, "fresh"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, gh_api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sign_up_that_must_be_confirmed_is_the_same_for_known_addresses),
        TEST(a_sign_up_that_needs_no_confirmation_gives_the_account),
        TEST(refuses_what_no_account_can_be_made_of),
        TEST(every_login_that_fails_is_answered_alike),
        TEST(a_wrong_login_is_401_also_for_somebody_who_is_signed_in),
        TEST(failures_are_delayed_and_told_when_to_come_again),
        TEST(quotas_of_identity_answer_as_limits_do),
        TEST(a_store_that_fails_is_no_wrong_password),
        TEST(a_password_alone_is_a_challenge_and_the_code_a_session),
        TEST(a_challenge_has_five_tries),
        TEST(refuses_a_challenge_that_is_none_or_too_old),
        TEST(refresh_tokens_that_are_none_are_a_session_that_ended),
        TEST(parallel_refreshes_get_the_same_successor),
        TEST(a_logout_says_so_and_has_the_browser_forget),
        TEST(a_logout_of_nobody_is_one_too),
        TEST(a_logout_by_the_refresh_cookie_alone_ends_its_session),
        TEST(an_address_is_confirmed_once_and_in_time),
        TEST(a_token_of_something_else_confirms_no_address),
        TEST(a_link_is_sent_again_to_anyone_alike),
        TEST(a_step_up_makes_the_session_fresh),
        TEST(refuses_a_step_up_that_confirms_nothing),
        TEST(the_one_time_token_makes_the_first_admin_once),
        TEST(refuses_another_first_admin),
        TEST(a_session_says_who_until_when_and_how_sure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
