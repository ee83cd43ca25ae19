/* /admin: accounts found, changed and ended by admins, and the audit log as they read it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"

#define ANN     "ann@example.org"
#define ROOT    "root@example.org"
#define UNKNOWN "01234567-89ab-4def-8123-456789abcdef"

static struct gh_api_fixture *f;
static const char *ann, *root; /* ids */
static struct gh_str access;   /* of root */

static int open_fixture(void **state)
{
    gh_api_fixture_setup(state);
    f = *state;
    ann = gh_fixture_account(&f->identity, ANN, FIXTURE_PASSWORD, 1).ptr;
    root = gh_fixture_account(&f->identity, ROOT, FIXTURE_PASSWORD, 3).ptr;
    access = gh_api_fixture_login(f, ROOT);
    return 0;
}

static struct gh_api_answer ask_of(const char *operation, const char *id, const char *body)
{
    const struct gh_api_ask ask = {
        .operation = operation, .access = access, .id = id, .body = body};
    return gh_api_ask(f, &ask);
}

static struct gh_api_answer query(const char *operation, const char *text)
{
    const struct gh_api_ask ask = {.operation = operation, .access = access, .query = text};
    return gh_api_ask(f, &ask);
}

static void assert_done(const char *operation, const char *id)
{
    struct gh_api_answer answer = ask_of(operation, id, NULL);
    gh_api_assert_message(&answer);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
}

static void assert_refused(const char *operation, const char *id, const char *body, unsigned status,
                           const char *detail)
{
    struct gh_api_answer answer = ask_of(operation, id, body);
    gh_api_assert_refused(&answer, status, detail);
}

static unsigned login_status(void)
{
    struct gh_api_answer answer =
        gh_api_ask_as(f, (struct gh_str){NULL, 0}, "logIn",
                      "{\"email\":\"" ANN "\",\"password\":\"" PASSWORD_TEXT "\"}");
    return answer.status;
}

static bool has_role(const struct gh_api_answer *answer, const char *role)
{
    for (size_t i = 0; gh_api_answer_item(answer, "roles", i); i++)
        if (gh_str_eq(gh_json_string(gh_api_answer_item(answer, "roles", i)), gh_str_from_c(role)))
            return true;
    return false;
}

/* ---- Looking ---- */

static size_t users_count(const char *text)
{
    struct gh_api_answer answer = query("users", text);
    assert_int_equal(answer.status, 200);
    return gh_api_answer_at(&answer, "users")->count;
}

static void accounts_come_page_by_page(void **state)
{
    struct gh_api_answer first = query("users", "limit=1");
    assert_int_equal(gh_json_root(&first.json)->count, 2);
    assert_int_equal(gh_api_answer_at(&first, "users")->count, 1);
    assert_int_equal(gh_api_answer_item(&first, "users", 0)->count, 11);
    struct gh_str next = gh_api_answer_text(&first, "next");
    struct gh_api_answer rest = query("users", gh_api_body(f, "after=%.*s", GH_STR_ARG(next)));
    assert_int_equal(gh_api_answer_at(&rest, "users")->count, 1);
    assert_int_equal(gh_api_answer_at(&rest, "next")->kind, GH_JSON_NULL);
    const struct gh_json_value *last = gh_api_answer_item(&rest, "users", 0);
    assert_false(gh_str_eq(gh_json_string(gh_json_get(&rest.json, last, GH_STR("id"))), next));
}

static void accounts_are_found_by_address_and_role(void **state)
{
    assert_int_equal(users_count(NULL), 2);
    assert_int_equal(users_count("email=ann%40example.org"), 1);
    assert_int_equal(users_count("email=ANN@example.org"), 1);
    assert_int_equal(users_count("email=nobody@example.org"), 0);
    assert_int_equal(users_count("email=ann"), 0);
    assert_int_equal(users_count("role=admin"), 1);
    assert_int_equal(users_count("role=editor"), 0);
    assert_int_equal(users_count("role=no-such-role"), 0);
}

static void refuses_queries_that_are_none(void **state)
{
    static const char *const QUERIES[] = {
        "limit=0", "limit=201",           "after=1",  "after=",    "email=", "name=ann",
        "role",    "role=user&role=user", "limit=+1", "limit=1%00"};
    for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
        struct gh_api_answer answer = query("users", QUERIES[i]);
        gh_api_assert_refused(&answer, 422, NULL);
    }
}

static void one_account_is_shown_and_an_unknown_one_is_not_there(void **state)
{
    struct gh_api_answer answer = ask_of("user", ann, NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 11);
    assert_true(gh_api_answer_has(&answer, "email", ANN));
    assert_refused("user", UNKNOWN, NULL, 404, "There is nothing here.");
    assert_refused("user", "no-id", NULL, 422, NULL);
}

/* ---- Roles ---- */

static void roles_are_set_one_or_several(void **state)
{
    struct gh_api_answer answer = ask_of("setRole", ann, "{\"role\":\"editor\"}");
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 11);
    assert_true(has_role(&answer, "editor") && !has_role(&answer, "user"));
    answer = ask_of("setRole", ann, "{\"roles\":[\"user\",\"admin\"]}");
    assert_true(has_role(&answer, "user") && has_role(&answer, "admin"));
    assert_false(has_role(&answer, "editor"));
    assert_true(gh_api_answer_is(&answer, "two_factor_enrolment_required"));
}

static void refuses_roles_that_are_none_or_ambiguous(void **state)
{
    static const char *const BODIES[] = {
        NULL,
        "{}",
        "{\"roles\":[]}",
        "{\"role\":\"root\"}",
        "{\"roles\":[\"user\",\"root\"]}",
        "{\"role\":\"user\",\"roles\":[\"user\"]}",
        "{\"role\":[\"user\"]}",
        "{\"roles\":\"user\"}",
    };
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++)
        assert_refused("setRole", ann, BODIES[i], 422, NULL);
    assert_int_equal(gh_fixture_audit_count(&f->identity, GH_AUDIT_ROLE_CHANGED, NULL), 0);
}

static void a_changed_role_ends_the_tokens_that_name_the_old_one(void **state)
{
    struct gh_str token = gh_api_fixture_login(f, ANN);
    assert_int_equal(ask_of("setRole", ann, "{\"role\":\"editor\"}").status, 200);
    assert_true(gh_fixture_is_revoked(&f->identity, token));
}

static void the_last_admin_stays(void **state)
{
    static const char why[] = "this is the last admin: give the role to somebody else first";
    assert_refused("setRole", root, "{\"role\":\"user\"}", 409, why);
    assert_refused("disableUser", root, NULL, 409, why);
    assert_refused("deleteUser", root, NULL, 409, why);
    assert_false(gh_fixture_is_revoked(&f->identity, access));
    assert_int_equal(ask_of("setRole", ann, "{\"role\":\"admin\"}").status, 200);
    assert_done("disableUser", root);
}

/* ---- Changes ---- */

static void every_change_of_an_unknown_account_is_404(void **state)
{
    static const char *const OPERATIONS[] = {
        "unlockUser", "resetTwoFactor", "sendPasswordReset", "disableUser",
        "enableUser", "deleteUser",     "endUserSessions"};
    for (size_t i = 0; i < sizeof(OPERATIONS) / sizeof(OPERATIONS[0]); i++) {
        assert_refused(OPERATIONS[i], UNKNOWN, NULL, 404, "There is nothing here.");
        assert_refused(OPERATIONS[i], "..", NULL, 422, NULL);
        assert_refused(OPERATIONS[i], ann, "{\"id\":\"" UNKNOWN "\"}", 422, NULL);
    }
    assert_refused("setRole", UNKNOWN, "{\"role\":\"user\"}", 404, "There is nothing here.");
}

static void no_change_is_said_to_be_done_when_it_can_not_be_written(void **state)
{
    static const char *const OPERATIONS[] = {"unlockUser", "sendPasswordReset", "disableUser",
                                             "deleteUser", "endUserSessions"};
    struct gh_str token = gh_api_fixture_login(f, ANN);
    gh_api_fixture_break_store(f);
    for (size_t i = 0; i < sizeof(OPERATIONS) / sizeof(OPERATIONS[0]); i++)
        assert_refused(OPERATIONS[i], ann, NULL, 503, NULL);
    assert_false(gh_fixture_is_revoked(&f->identity, token));
}

static void a_disabled_account_is_out_until_it_is_enabled(void **state)
{
    struct gh_str token = gh_api_fixture_login(f, ANN);
    assert_done("disableUser", ann);
    assert_true(gh_fixture_is_revoked(&f->identity, token));
    assert_int_equal(login_status(), 401);
    struct gh_api_answer answer = ask_of("user", ann, NULL);
    assert_true(gh_api_answer_is(&answer, "disabled"));
    assert_refused("sendPasswordReset", ann, NULL, 409, "the account is disabled: enable it first");
    assert_done("enableUser", ann);
    assert_int_equal(login_status(), 200);
}

static void an_unlocked_account_is_not_delayed_any_more(void **state)
{
    const struct gh_api_ask guess = {
        .operation = "logIn",
        .body = "{\"email\":\"" ANN "\",\"password\":\"" WRONG_TEXT "\"}",
        .client = "198.51.100.7", /* whose network stays delayed */
    };
    for (unsigned i = 0; i < 6; i++)
        gh_api_ask(f, &guess);
    assert_int_equal(login_status(), 429);
    assert_done("unlockUser", ann);
    assert_int_equal(login_status(), 200);
}

static void a_factor_is_taken_away(void **state)
{
    struct gh_str token = gh_api_fixture_login(f, ANN);
    gh_api_fixture_enrol(f, &token);
    assert_done("resetTwoFactor", ann);
    assert_true(gh_fixture_is_revoked(&f->identity, token));
    struct gh_api_answer answer = ask_of("user", ann, NULL);
    assert_false(gh_api_answer_is(&answer, "two_factor_enabled"));
    assert_done("resetTwoFactor", ann); /* where there is none it stays so */
}

static void sessions_are_ended_and_counted(void **state)
{
    struct gh_str token = gh_api_fixture_login(f, ANN);
    gh_api_fixture_login(f, ANN);
    struct gh_api_answer answer = ask_of("endUserSessions", ann, NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 1);
    assert_int_equal(gh_api_answer_number(&answer, "ended"), 2);
    assert_true(gh_fixture_is_revoked(&f->identity, token));
    assert_false(gh_fixture_is_revoked(&f->identity, access));
    answer = ask_of("endUserSessions", ann, NULL);
    assert_int_equal(gh_api_answer_number(&answer, "ended"), 0);
}

static void a_deleted_account_is_gone(void **state)
{
    struct gh_str token = gh_api_fixture_login(f, ANN);
    assert_done("deleteUser", ann);
    assert_true(gh_fixture_is_revoked(&f->identity, token));
    assert_refused("user", ann, NULL, 404, NULL);
    assert_refused("deleteUser", ann, NULL, 404, NULL);
}

/* ---- The audit log ---- */

static size_t records_count(const char *text)
{
    struct gh_api_answer answer = query("audit", text);
    assert_int_equal(answer.status, 200);
    return gh_api_answer_at(&answer, "records")->count;
}

static void records_are_filtered_and_paged(void **state)
{
    gh_api_fixture_login(f, ANN);
    assert_done("disableUser", ann);
    assert_int_equal(records_count("event=account_locked"), 1);
    assert_int_equal(records_count("event=login"), 2);
    assert_int_equal(records_count(gh_api_body(f, "event=login&user=%s", ann)), 1);
    assert_int_equal(records_count("user=" UNKNOWN), 0);
    struct gh_api_answer answer = query("audit", "event=login&limit=1");
    int64_t next = gh_api_answer_number(&answer, "next");
    const struct gh_json_value *record = gh_api_answer_item(&answer, "records", 0);
    assert_int_equal(record->count, 11);
    assert_int_equal(records_count(gh_api_body(f, "event=login&before=%lld", (long long)next)), 1);
}

static void refuses_filters_that_are_none(void **state)
{
    static const char *const QUERIES[] = {"event=logins", "event=",
                                          "user=ann",     "before=0",
                                          "limit=500",    "before=9007199254740992",
                                          "since=1",      "event=login&event=logout"};
    for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
        struct gh_api_answer answer = query("audit", QUERIES[i]);
        gh_api_assert_refused(&answer, 422, NULL);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, gh_api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accounts_come_page_by_page),
        TEST(accounts_are_found_by_address_and_role),
        TEST(refuses_queries_that_are_none),
        TEST(one_account_is_shown_and_an_unknown_one_is_not_there),
        TEST(roles_are_set_one_or_several),
        TEST(refuses_roles_that_are_none_or_ambiguous),
        TEST(a_changed_role_ends_the_tokens_that_name_the_old_one),
        TEST(the_last_admin_stays),
        TEST(every_change_of_an_unknown_account_is_404),
        TEST(no_change_is_said_to_be_done_when_it_can_not_be_written),
        TEST(a_disabled_account_is_out_until_it_is_enabled),
        TEST(an_unlocked_account_is_not_delayed_any_more),
        TEST(a_factor_is_taken_away),
        TEST(sessions_are_ended_and_counted),
        TEST(a_deleted_account_is_gone),
        TEST(records_are_filtered_and_paged),
        TEST(refuses_filters_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
