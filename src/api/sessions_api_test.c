/* /account/sessions: one's own and nobody else's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"

#define ANN "ann@example.org"
#define BOB "bob@example.org"

static struct gh_api_fixture *f;
static struct gh_str access;

static int open_fixture(void **state)
{
    gh_api_fixture_setup(state);
    f = *state;
    gh_fixture_account(&f->identity, ANN, FIXTURE_PASSWORD, 1);
    gh_fixture_account(&f->identity, BOB, FIXTURE_PASSWORD, 1);
    access = gh_api_fixture_login(f, ANN);
    return 0;
}

static struct gh_api_answer list(struct gh_str token)
{
    struct gh_api_answer answer = gh_api_ask_as(f, token, "sessions", NULL);
    assert_int_equal(answer.status, 200);
    return answer;
}

static struct gh_str member(const struct gh_api_answer *answer, size_t index, const char *name)
{
    const struct gh_json_value *session = gh_api_answer_item(answer, "sessions", index);
    assert_non_null(session);
    return gh_json_string(gh_json_get(&answer->json, session, gh_str_from_c(name)));
}

static bool is_current(const struct gh_api_answer *answer, size_t index)
{
    const struct gh_json_value *session = gh_api_answer_item(answer, "sessions", index);
    return gh_json_get(&answer->json, session, GH_STR("current"))->boolean;
}

/* The id of the only session of somebody, for paths. */
static const char *only_id(struct gh_str token)
{
    struct gh_api_answer answer = list(token);
    assert_null(gh_api_answer_item(&answer, "sessions", 1));
    return gh_api_body(f, "%.*s", GH_STR_ARG(member(&answer, 0, "id")));
}

static struct gh_api_answer end(struct gh_str token, const char *id)
{
    const struct gh_api_ask ask = {.operation = "endSession", .access = token, .id = id};
    return gh_api_ask(f, &ask);
}

static void a_list_tells_each_session_and_which_one_asks(void **state)
{
    f->identity.now_us += FIXTURE_MINUTE;
    gh_api_fixture_login(f, ANN);
    gh_api_fixture_login(f, BOB);
    struct gh_api_answer answer = list(access);
    assert_int_equal(gh_json_root(&answer.json)->count, 1);
    assert_int_equal(gh_api_answer_item(&answer, "sessions", 0)->count, 9);
    assert_null(gh_api_answer_item(&answer, "sessions", 2));
    assert_int_equal(is_current(&answer, 0) + is_current(&answer, 1), 1);
    size_t own = is_current(&answer, 0) ? 0 : 1;
    assert_int_equal(member(&answer, own, "id").len, 36);
    assert_true(gh_str_eq(member(&answer, own, "ip_address"), GH_STR("192.0.2.1")));
    assert_true(gh_str_eq(member(&answer, own, "device"), GH_STR("Fixture/1.0")));
    assert_true(
        gh_str_eq(member(&answer, own, "created_at"), GH_STR("2027-01-15T08:00:00.000000Z")));
    assert_true(
        gh_str_eq(member(&answer, own, "expires_at"), GH_STR("2027-01-15T08:30:00.000000Z")));
    assert_true(
        gh_str_eq(member(&answer, 1 - own, "created_at"), GH_STR("2027-01-15T08:01:00.000000Z")));
}

/* The longest that is kept of a user agent, each byte an escape, in as many as there can be. */
static void a_list_of_long_names_of_devices_fits(void **state)
{
    char agent[GH_AUDIT_USER_AGENT_BYTES_MAX];
    memset(agent, '<', sizeof(agent));
    for (unsigned i = 0; i < 99; i++) {
        struct gh_identity_call call = gh_fixture_call(&f->identity);
        struct gh_login login = {.email = GH_STR(ANN), .password = FIXTURE_PASSWORD};
        struct gh_login_answer answer;
        call.user_agent = gh_str_of(agent, sizeof(agent));
        assert_int_equal(gh_login(&call, &login, &answer), GH_IDENTITY_OK);
    }
    struct gh_api_answer answer = list(access);
    assert_int_equal(gh_api_answer_at(&answer, "sessions")->count, 100);
    size_t other = is_current(&answer, 0) ? 1 : 0;
    assert_int_equal(member(&answer, other, "device").len, sizeof(agent));
}

static void ending_the_others_leaves_the_one_that_asks(void **state)
{
    struct gh_str second = gh_api_fixture_login(f, ANN), third = gh_api_fixture_login(f, ANN);
    struct gh_str bob = gh_api_fixture_login(f, BOB);
    struct gh_api_answer answer = gh_api_ask_as(f, access, "endOtherSessions", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 1);
    assert_int_equal(gh_api_answer_number(&answer, "ended"), 2);
    assert_true(gh_fixture_is_revoked(&f->identity, second));
    assert_true(gh_fixture_is_revoked(&f->identity, third));
    assert_false(gh_fixture_is_revoked(&f->identity, access));
    assert_false(gh_fixture_is_revoked(&f->identity, bob));
    answer = gh_api_ask_as(f, access, "endOtherSessions", NULL);
    assert_int_equal(gh_api_answer_number(&answer, "ended"), 0);
}

static void one_session_is_ended_once(void **state)
{
    const char *id = only_id(access);
    struct gh_str second = gh_api_fixture_login(f, ANN);
    struct gh_api_answer answer = end(second, id);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_api_answer_number(&answer, "ended"), 1);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    assert_true(gh_fixture_is_revoked(&f->identity, access));
    assert_false(gh_fixture_is_revoked(&f->identity, second));
    answer = end(second, id);
    gh_api_assert_refused(&answer, 404, "There is nothing here.");
}

static void the_browser_forgets_the_session_that_it_ends_itself(void **state)
{
    const char *id = only_id(access);
    gh_api_fixture_login(f, ANN);
    struct gh_api_answer answer = end(access, id);
    assert_int_equal(answer.status, 200);
    assert_true(gh_fixture_is_revoked(&f->identity, access));
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 2);
    assert_int_equal(gh_api_answer_cookie_value(&answer, "__Host-gh_access").len, 0);
    assert_int_equal(gh_api_answer_cookie_value(&answer, "__Secure-gh_refresh").len, 0);
    struct gh_str line = gh_api_answer_cookie(&answer, "__Host-gh_access");
    assert_true(gh_str_find(line, GH_STR("Max-Age=0")) < line.len);
}

static void who_holds_tokens_has_no_cookies_cleared(void **state)
{
    f->identity.settings.transport = GH_TRANSPORT_BEARER;
    struct gh_str bob = gh_api_fixture_login(f, BOB);
    struct gh_api_answer answer = end(bob, only_id(bob));
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

static void sessions_of_others_are_not_there(void **state)
{
    struct gh_str bob = gh_api_fixture_login(f, BOB);
    const char *id = only_id(bob);
    struct gh_api_answer foreign = end(access, id);
    struct gh_api_answer unknown = end(access, "01234567-89ab-4def-8123-456789abcdef");
    struct gh_api_answer no_id = end(access, "all");
    gh_api_assert_refused(&foreign, 404, "There is nothing here.");
    assert_true(gh_str_eq(foreign.reply->body, unknown.reply->body));
    gh_api_assert_refused(&no_id, 422, NULL);
    assert_false(gh_fixture_is_revoked(&f->identity, bob));
    assert_int_equal(gh_fixture_audit_count(&f->identity, GH_AUDIT_SESSION_REVOKED, NULL), 0);
}

static void nothing_ends_when_nothing_can_be_written(void **state)
{
    const char *id = only_id(access);
    gh_api_fixture_break_store(f);
    struct gh_api_answer answer = end(access, id);
    gh_api_assert_refused(&answer, 503, NULL);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    answer = gh_api_ask_as(f, access, "endOtherSessions", NULL);
    gh_api_assert_refused(&answer, 503, NULL);
    assert_false(gh_fixture_is_revoked(&f->identity, access));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, gh_api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_tells_each_session_and_which_one_asks),
        TEST(a_list_of_long_names_of_devices_fits),
        TEST(ending_the_others_leaves_the_one_that_asks),
        TEST(one_session_is_ended_once),
        TEST(the_browser_forgets_the_session_that_it_ends_itself),
        TEST(who_holds_tokens_has_no_cookies_cleared),
        TEST(sessions_of_others_are_not_there),
        TEST(nothing_ends_when_nothing_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
