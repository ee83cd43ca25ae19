/* Sessions on their way out: every cookie line to the letter, and the bodies of both transports. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"

#define ANN        "ann@example.org"
#define ROOT       "root@example.org"
#define LOGIN      "{\"email\":\"" ANN "\",\"password\":\"" PASSWORD_TEXT "\"}"
#define REMEMBERED "{\"email\":\"" ANN "\",\"password\":\"" PASSWORD_TEXT "\",\"remember\":true}"
#define NOBODY     ((struct gh_str){NULL, 0})

static int open_fixture(void **state)
{
    gh_api_fixture_setup(state);
    struct gh_api_fixture *f = *state;
    gh_fixture_account(&f->identity, ANN, FIXTURE_PASSWORD, 1);
    gh_fixture_account(&f->identity, ROOT, FIXTURE_PASSWORD, 2);
    return 0;
}

static struct gh_api_answer log_in(struct gh_api_fixture *f, const char *body)
{
    struct gh_api_answer answer = gh_api_ask_as(f, NOBODY, "logIn", body);
    assert_int_equal(answer.status, 200);
    return answer;
}

static struct gh_api_answer refresh(struct gh_api_fixture *f, struct gh_str cookie,
                                    const char *body)
{
    const struct gh_api_ask ask = {.operation = "refresh", .refresh_cookie = cookie, .body = body};
    return gh_api_ask(f, &ask);
}

/* The line is "name=<any value>" and exactly these attributes. */
static void assert_cookie(const struct gh_api_answer *answer, const char *name,
                          const char *attributes)
{
    struct gh_str line = gh_api_answer_cookie(answer, name);
    if (!line.ptr)
        fail_msg("no cookie %s", name);
    assert_true(gh_api_answer_cookie_value(answer, name).len > 16);
    struct gh_str rest = gh_str_skip(line, gh_str_find_char(line, ';'));
    if (!gh_str_eq(rest, gh_str_from_c(attributes)))
        fail_msg("%s has %.*s", name, GH_STR_ARG(rest));
}

static void assert_cleared(const struct gh_api_answer *answer)
{
    assert_int_equal(gh_api_answer_count(answer, "Set-Cookie"), 2);
    assert_true(
        gh_str_eq(gh_api_answer_cookie(answer, "__Host-gh_access"),
                  GH_STR("__Host-gh_access=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax")));
    assert_true(gh_str_eq(gh_api_answer_cookie(answer, "__Secure-gh_refresh"),
                          GH_STR("__Secure-gh_refresh=; Path=/api/v1/auth; Max-Age=0; HttpOnly; "
                                 "Secure; SameSite=Strict")));
}

static bool has(const struct gh_api_answer *answer, const char *member)
{
    return gh_api_answer_at(answer, member) != NULL;
}

/* ---- Cookies ---- */

static void a_login_sets_three_cookies_and_no_token_in_the_body(void **state)
{
    struct gh_api_answer answer = log_in(*state, LOGIN);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 3);
    assert_cookie(&answer, "__Host-gh_access",
                  "; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax");
    assert_cookie(&answer, "__Secure-gh_refresh",
                  "; Path=/api/v1/auth; HttpOnly; Secure; SameSite=Strict");
    assert_cookie(&answer, "__Host-gh_device",
                  "; Path=/; Max-Age=15552000; HttpOnly; Secure; SameSite=Lax");
    assert_int_equal(gh_json_root(&answer.json)->count, 2);
    assert_int_equal(gh_api_answer_number(&answer, "expires_in"), 900);
    assert_true(gh_api_answer_has(&answer, "user.email", ANN));
}

static void the_tokens_are_nowhere_but_in_their_cookies(void **state)
{
    struct gh_api_answer answer = log_in(*state, LOGIN);
    static const char *const NAMES[] = {"__Host-gh_access", "__Secure-gh_refresh",
                                        "__Host-gh_device"};
    for (size_t i = 0; i < 3; i++) {
        struct gh_str value = gh_api_answer_cookie_value(&answer, NAMES[i]);
        assert_int_equal(gh_str_find(answer.reply->body, value), answer.reply->body.len);
    }
}

static void a_remembered_session_outlives_the_browser(void **state)
{
    struct gh_api_answer answer = log_in(*state, REMEMBERED);
    assert_cookie(&answer, "__Secure-gh_refresh",
                  "; Path=/api/v1/auth; Max-Age=2592000; HttpOnly; Secure; SameSite=Strict");
    assert_cookie(&answer, "__Host-gh_access",
                  "; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax");
}

static void admins_are_not_remembered(void **state)
{
    struct gh_api_answer answer = log_in(
        *state, "{\"email\":\"" ROOT "\",\"password\":\"" PASSWORD_TEXT "\",\"remember\":true}");
    assert_cookie(&answer, "__Secure-gh_refresh",
                  "; Path=/api/v1/auth; HttpOnly; Secure; SameSite=Strict");
}

static void a_remembered_session_ends_when_it_was_said_to(void **state)
{
    struct gh_api_fixture *f = *state;
    struct gh_api_answer answer = log_in(f, REMEMBERED);
    f->identity.now_us += 10 * FIXTURE_DAY;
    answer = refresh(f, gh_api_answer_cookie_value(&answer, "__Secure-gh_refresh"), NULL);
    assert_int_equal(answer.status, 200);
    assert_cookie(&answer, "__Secure-gh_refresh",
                  "; Path=/api/v1/auth; Max-Age=1728000; HttpOnly; Secure; SameSite=Strict");
}

static void the_access_cookie_does_not_outlive_its_session(void **state)
{
    struct gh_api_fixture *f = *state;
    f->identity.settings.sessions.idle_ms = f->identity.settings.sessions.absolute_ms;
    struct gh_api_answer answer = log_in(f, LOGIN);
    f->identity.now_us += 12 * FIXTURE_HOUR - 5 * FIXTURE_MINUTE;
    answer = refresh(f, gh_api_answer_cookie_value(&answer, "__Secure-gh_refresh"), NULL);
    assert_int_equal(gh_api_answer_number(&answer, "expires_in"), 300);
    assert_cookie(&answer, "__Host-gh_access",
                  "; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Lax");
}

static void a_known_device_keeps_its_cookie(void **state)
{
    struct gh_api_fixture *f = *state;
    struct gh_api_answer first = log_in(f, LOGIN);
    struct gh_str device = gh_api_answer_cookie_value(&first, "__Host-gh_device");
    struct gh_api_ask ask = {.operation = "logIn", .body = LOGIN, .device_cookie = device};
    struct gh_api_answer answer = gh_api_ask(f, &ask);
    assert_null(gh_api_answer_cookie(&answer, "__Host-gh_device").ptr);
    ask.body = "{\"email\":\"" ROOT "\",\"password\":\"" PASSWORD_TEXT "\"}";
    answer = gh_api_ask(f, &ask); /* it is Ann's */
    assert_non_null(gh_api_answer_cookie(&answer, "__Host-gh_device").ptr);
    assert_false(gh_str_eq(gh_api_answer_cookie_value(&answer, "__Host-gh_device"), device));
}

static void same_site_is_as_configured_but_for_the_refresh_cookie(void **state)
{
    struct gh_api_fixture *f = *state;
    f->identity.settings.same_site = GH_SAME_SITE_NONE;
    struct gh_api_answer answer = log_in(f, LOGIN);
    assert_cookie(&answer, "__Host-gh_access",
                  "; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=None");
    assert_cookie(&answer, "__Secure-gh_refresh",
                  "; Path=/api/v1/auth; HttpOnly; Secure; SameSite=Strict");
    f->identity.settings.same_site = GH_SAME_SITE_STRICT;
    answer = log_in(f, LOGIN);
    assert_cookie(&answer, "__Host-gh_access",
                  "; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Strict");
}

static void on_plain_localhost_the_prefixes_are_dropped(void **state)
{
    struct gh_api_fixture *f = *state;
    f->identity.settings.plain_cookies = true;
    struct gh_api_answer answer = log_in(f, LOGIN);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 3);
    assert_cookie(&answer, "gh_access", "; Path=/; Max-Age=900; HttpOnly; SameSite=Lax");
    assert_cookie(&answer, "gh_refresh", "; Path=/api/v1/auth; HttpOnly; SameSite=Strict");
    assert_cookie(&answer, "gh_device", "; Path=/; Max-Age=15552000; HttpOnly; SameSite=Lax");
}

static void the_refresh_cookie_follows_the_base_path(void **state)
{
    struct gh_api_fixture *f = *state;
    f->identity.settings.base_path = GH_STR("/id");
    struct gh_api_answer answer = log_in(f, LOGIN);
    assert_cookie(&answer, "__Secure-gh_refresh",
                  "; Path=/id/auth; HttpOnly; Secure; SameSite=Strict");
}

static void a_refresh_rotates_both_tokens_and_leaves_the_device(void **state)
{
    struct gh_api_fixture *f = *state;
    struct gh_api_answer before = log_in(f, LOGIN);
    struct gh_str token = gh_api_answer_cookie_value(&before, "__Secure-gh_refresh");
    f->identity.now_us += FIXTURE_MINUTE;
    struct gh_api_answer after = refresh(f, token, NULL);
    assert_int_equal(after.status, 200);
    assert_int_equal(gh_api_answer_count(&after, "Set-Cookie"), 2);
    assert_false(gh_str_eq(gh_api_answer_cookie_value(&after, "__Secure-gh_refresh"), token));
    assert_false(gh_str_eq(gh_api_answer_cookie_value(&after, "__Host-gh_access"),
                           gh_api_answer_cookie_value(&before, "__Host-gh_access")));
    assert_true(gh_api_answer_has(&after, "user.email", ANN));
}

static void a_step_up_sets_the_access_cookie_alone(void **state)
{
    struct gh_api_fixture *f = *state;
    struct gh_str access = gh_api_fixture_login(f, ANN);
    struct gh_api_answer answer =
        gh_api_ask_as(f, access, "stepUp", "{\"password\":\"" PASSWORD_TEXT "\"}");
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 1);
    assert_false(gh_str_eq(gh_api_answer_cookie_value(&answer, "__Host-gh_access"), access));
}

static void a_token_in_the_body_is_none_where_cookies_carry_them(void **state)
{
    struct gh_api_fixture *f = *state;
    struct gh_api_answer answer = log_in(f, LOGIN);
    struct gh_str token = gh_api_answer_cookie_value(&answer, "__Secure-gh_refresh");
    const char *body = gh_api_body(f, "{\"refresh_token\":\"%.*s\"}", GH_STR_ARG(token));
    answer = refresh(f, NOBODY, body);
    gh_api_assert_refused(&answer, 401, NULL);
    answer = refresh(f, token, NULL); /* it was not used up by that */
    assert_int_equal(answer.status, 200);
}

/* ---- What is cleared ---- */

static void a_logout_clears_the_session_and_leaves_the_device(void **state)
{
    struct gh_api_fixture *f = *state;
    struct gh_api_answer answer = gh_api_ask_as(f, gh_api_fixture_login(f, ANN), "logOut", NULL);
    assert_int_equal(answer.status, 200);
    assert_cleared(&answer);
}

static void a_refresh_of_a_session_that_ended_clears_it(void **state)
{
    struct gh_api_fixture *f = *state;
    struct gh_api_answer answer = log_in(f, LOGIN);
    f->identity.now_us += FIXTURE_HOUR;
    answer = refresh(f, gh_api_answer_cookie_value(&answer, "__Secure-gh_refresh"), NULL);
    gh_api_assert_refused(&answer, 401, "The session has ended. Sign in again.");
    assert_cleared(&answer);
    answer = refresh(f, NOBODY, NULL);
    gh_api_assert_refused(&answer, 401, NULL);
    assert_cleared(&answer);
}

static void a_refresh_token_used_twice_ends_and_clears_the_session(void **state)
{
    struct gh_api_fixture *f = *state;
    struct gh_api_answer answer = log_in(f, LOGIN);
    struct gh_str old = gh_api_answer_cookie_value(&answer, "__Secure-gh_refresh");
    struct gh_api_answer next = refresh(f, old, NULL);
    f->identity.now_us += FIXTURE_MINUTE;
    answer = refresh(f, old, NULL);
    gh_api_assert_refused(&answer, 401, "The session has ended. Sign in again.");
    assert_cleared(&answer);
    answer = refresh(f, gh_api_answer_cookie_value(&next, "__Secure-gh_refresh"), NULL);
    gh_api_assert_refused(&answer, 401, NULL);
}

static void other_refusals_leave_the_cookies_alone(void **state)
{
    struct gh_api_fixture *f = *state;
    struct gh_str access = gh_api_fixture_login(f, ANN);
    struct gh_api_answer answer =
        gh_api_ask_as(f, access, "stepUp", "{\"password\":\"" WRONG_TEXT "\"}");
    gh_api_assert_refused(&answer, 403, NULL);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    answer = gh_api_ask_as(f, NOBODY, "logIn",
                           "{\"email\":\"" ANN "\",\"password\":\"" WRONG_TEXT "\"}");
    gh_api_assert_refused(&answer, 401, NULL);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    gh_api_fixture_break_store(f);
    answer = gh_api_ask_as(f, access, "logOut", NULL);
    gh_api_assert_refused(&answer, 503, NULL); /* it goes on: a browser must not think otherwise */
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

/* ---- Bearer ---- */

static struct gh_api_fixture *bearer(void **state)
{
    struct gh_api_fixture *f = *state;
    f->identity.settings.transport = GH_TRANSPORT_BEARER;
    return f;
}

static void a_bearer_login_has_the_tokens_in_the_body(void **state)
{
    struct gh_api_answer answer = log_in(bearer(state), LOGIN);
    assert_int_equal(gh_json_root(&answer.json)->count, 5);
    assert_true(gh_api_answer_text(&answer, "access_token").len > 100);
    assert_true(gh_api_answer_text(&answer, "refresh_token").len > 40);
    assert_true(gh_api_answer_has(&answer, "token_type", "Bearer"));
    assert_int_equal(gh_api_answer_number(&answer, "expires_in"), 900);
    assert_true(gh_api_answer_has(&answer, "user.email", ANN));
    assert_null(gh_api_answer_cookie(&answer, "__Host-gh_access").ptr);
    assert_null(gh_api_answer_cookie(&answer, "__Secure-gh_refresh").ptr);
}

static void a_bearer_refresh_takes_the_token_of_the_body_alone(void **state)
{
    struct gh_api_fixture *f = bearer(state);
    struct gh_api_answer answer = log_in(f, LOGIN);
    struct gh_str token = gh_api_answer_text(&answer, "refresh_token");
    answer = refresh(f, token, NULL);
    gh_api_assert_refused(&answer, 401, NULL);
    answer = refresh(f, NOBODY, gh_api_body(f, "{\"refresh_token\":\"%.*s\"}", GH_STR_ARG(token)));
    assert_int_equal(answer.status, 200);
    assert_false(gh_str_eq(gh_api_answer_text(&answer, "refresh_token"), token));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

static void a_bearer_step_up_has_no_refresh_token(void **state)
{
    struct gh_api_fixture *f = bearer(state);
    struct gh_api_answer answer = gh_api_ask_as(f, gh_api_fixture_login(f, ANN), "stepUp",
                                                "{\"password\":\"" PASSWORD_TEXT "\"}");
    assert_int_equal(answer.status, 200);
    assert_true(has(&answer, "access_token"));
    assert_false(has(&answer, "refresh_token"));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

static void a_bearer_logout_ends_the_session_and_sets_no_cookie(void **state)
{
    struct gh_api_fixture *f = bearer(state);
    struct gh_api_answer answer = log_in(f, LOGIN);
    struct gh_str token = gh_api_answer_text(&answer, "refresh_token");
    const char *body = gh_api_body(f, "{\"refresh_token\":\"%.*s\"}", GH_STR_ARG(token));
    answer = gh_api_ask_as(f, NOBODY, "logOut", body);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    answer = refresh(f, NOBODY, body);
    gh_api_assert_refused(&answer, 401, NULL);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

/* ---- Memory ---- */

/* With less and less of it: a session with all of its cookies, or a refusal without any. */
static void a_session_goes_out_whole_or_not_at_all(void **state)
{
    struct gh_api_fixture *f = *state;
    const struct gh_api_ask ask = {.operation = "logIn", .body = LOGIN};
    unsigned whole = 0, refused = 0;
    for (size_t bytes_max = 64 * 1024; bytes_max > 1024; bytes_max -= 144) {
        struct gh_service_call *call = gh_api_fixture_call(f, &ask);
        gh_arena_done(&call->arena);
        gh_arena_init(&call->arena, 64, bytes_max);
        gh_api_handle(&f->api, call);
        struct gh_api_answer answer = {.status = call->reply.status, .reply = &call->reply};
        size_t cookies = gh_api_answer_count(&answer, "Set-Cookie");
        if (answer.status == 200)
            assert_int_equal(cookies, 3);
        else if ((answer.status != 500 && answer.status != 503) || cookies)
            fail_msg("%zu bytes: %u with %zu cookies", bytes_max, answer.status, cookies);
        whole += answer.status == 200;
        refused += answer.status != 200;
    }
    assert_true(whole > 0 && refused > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, gh_api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_login_sets_three_cookies_and_no_token_in_the_body),
        TEST(the_tokens_are_nowhere_but_in_their_cookies),
        TEST(a_remembered_session_outlives_the_browser),
        TEST(admins_are_not_remembered),
        TEST(a_remembered_session_ends_when_it_was_said_to),
        TEST(the_access_cookie_does_not_outlive_its_session),
        TEST(a_known_device_keeps_its_cookie),
        TEST(same_site_is_as_configured_but_for_the_refresh_cookie),
        TEST(on_plain_localhost_the_prefixes_are_dropped),
        TEST(the_refresh_cookie_follows_the_base_path),
        TEST(a_refresh_rotates_both_tokens_and_leaves_the_device),
        TEST(a_step_up_sets_the_access_cookie_alone),
        TEST(a_token_in_the_body_is_none_where_cookies_carry_them),
        TEST(a_logout_clears_the_session_and_leaves_the_device),
        TEST(a_refresh_of_a_session_that_ended_clears_it),
        TEST(a_refresh_token_used_twice_ends_and_clears_the_session),
        TEST(other_refusals_leave_the_cookies_alone),
        TEST(a_bearer_login_has_the_tokens_in_the_body),
        TEST(a_bearer_refresh_takes_the_token_of_the_body_alone),
        TEST(a_bearer_step_up_has_no_refresh_token),
        TEST(a_bearer_logout_ends_the_session_and_sets_no_cookie),
        TEST(a_session_goes_out_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
