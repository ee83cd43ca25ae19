/* /account and /compliance: what owners read and change, and when they are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"

#define ANN                   "ann@example.org"
#define BOB                   "bob@example.org"
#define NOBODY                ((struct gh_str){NULL, 0})
#define CHANGE(current, next) "{\"current_password\":\"" current "\",\"new_password\":\"" next "\"}"
#define CONFIRM(password)     "{\"password\":\"" password "\"}"

static struct gh_api_fixture *f;
static struct gh_str ann, access;

static int open_fixture(void **state)
{
    gh_api_fixture_setup(state);
    f = *state;
    ann = gh_fixture_account(&f->identity, ANN, FIXTURE_PASSWORD, 1);
    gh_fixture_account(&f->identity, BOB, FIXTURE_PASSWORD, 1);
    access = gh_api_fixture_login(f, ANN);
    return 0;
}

static struct gh_api_answer ask(const char *operation, const char *body)
{
    return gh_api_ask_as(f, access, operation, body);
}

static struct gh_api_answer ask_nobody(const char *operation, const char *body)
{
    return gh_api_ask_as(f, NOBODY, operation, body);
}

static void assert_refused(const char *operation, const char *body, unsigned status,
                           const char *detail)
{
    struct gh_api_answer answer = ask(operation, body);
    gh_api_assert_refused(&answer, status, detail);
}

static bool may_log_in(const char *password)
{
    struct gh_api_answer answer = ask_nobody(
        "logIn", gh_api_body(f, "{\"email\":\"" ANN "\",\"password\":\"%s\"}", password));
    return answer.status == 200;
}

static bool is_there(struct gh_str id)
{
    struct gh_account account;
    return gh_fixture_account_row(&f->identity, id, &account);
}

/* ---- Profile ---- */

static void a_profile_is_the_account_without_its_secrets(void **state)
{
    struct gh_api_answer answer = ask("profile", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 11);
    assert_true(gh_str_eq(gh_api_answer_text(&answer, "id"), ann));
    assert_true(gh_api_answer_has(&answer, "email", ANN));
    assert_true(gh_api_answer_is(&answer, "email_verified"));
    assert_true(gh_api_answer_has(&answer, "name", ""));
    assert_true(gh_str_eq(gh_json_string(gh_api_answer_item(&answer, "roles", 0)), GH_STR("user")));
    assert_false(gh_api_answer_is(&answer, "two_factor_enabled"));
    assert_false(gh_api_answer_is(&answer, "two_factor_enrolment_required"));
    assert_false(gh_api_answer_is(&answer, "disabled"));
    assert_true(gh_api_answer_has(&answer, "last_login_at", "2027-01-15T08:00:00.000000Z"));
}

static void a_profile_changes_in_what_is_given(void **state)
{
    struct gh_api_answer answer =
        ask("updateProfile", "{\"name\":\"Ann \\u003c \\\"A\\\"\",\"locale\":\"de-AT\"}");
    assert_int_equal(answer.status, 200);
    assert_true(gh_api_answer_has(&answer, "name", "Ann < \"A\""));
    answer = ask("updateProfile", "{\"name\":\"\"}");
    assert_true(gh_api_answer_has(&answer, "name", ""));
    assert_true(gh_api_answer_has(&answer, "locale", "de-AT"));
    assert_int_equal(gh_json_root(&answer.json)->count, 11);
    assert_int_equal(ask("updateProfile", "{}").status, 200);
}

/* 100 characters that each become an escape: the answer has room for them. */
static void the_longest_name_fits_into_the_answer(void **state)
{
    char name[101] = "";
    memset(name, '<', 100);
    struct gh_api_answer answer = ask("updateProfile", gh_api_body(f, "{\"name\":\"%s\"}", name));
    assert_int_equal(answer.status, 200);
    assert_true(gh_api_answer_has(&answer, "name", name));
}

static void refuses_a_profile_that_can_not_be(void **state)
{
    assert_refused("updateProfile", "{\"locale\":\"de AT\"}", 422, "locale: not a language tag");
    assert_refused("updateProfile", "{\"name\":null}", 422, NULL);
    assert_refused("updateProfile", "{\"email\":\"" BOB "\"}", 422, NULL);
    assert_refused("updateProfile", "{\"roles\":[\"admin\"]}", 422, NULL);
    assert_refused("updateProfile", "[]", 422, NULL);
    gh_api_fixture_break_store(f);
    assert_refused("updateProfile", "{\"name\":\"Ann\"}", 503, NULL);
}

static void an_account_that_is_gone_is_not_there(void **state)
{
    struct gh_api_answer answer = ask("deleteAccount", CONFIRM(PASSWORD_TEXT));
    gh_api_assert_message(&answer);
    assert_refused("profile", NULL, 404, NULL);
    assert_refused("updateProfile", "{\"name\":\"Ann\"}", 404, NULL);
    assert_refused("session", NULL, 404, NULL);
}

/* ---- Password ---- */

static void a_changed_password_ends_the_other_sessions_alone(void **state)
{
    struct gh_str other = gh_api_fixture_login(f, ANN);
    struct gh_api_answer answer = ask("changePassword", CHANGE(PASSWORD_TEXT, PASSWORD2_TEXT));
    gh_api_assert_message(&answer);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    assert_true(gh_fixture_is_revoked(&f->identity, other));
    assert_false(gh_fixture_is_revoked(&f->identity, access));
    assert_false(may_log_in(PASSWORD_TEXT));
    assert_true(may_log_in(PASSWORD2_TEXT));
}

static void refuses_a_password_that_is_wrong_or_weak(void **state)
{
    assert_refused("changePassword", CHANGE(WRONG_TEXT, PASSWORD2_TEXT), 403,
                   "The password is not right.");
    assert_refused("changePassword", CHANGE(PASSWORD_TEXT, "short"), 422, NULL);
    assert_refused("changePassword", CHANGE(PASSWORD_TEXT, ANN), 422, NULL);
    assert_refused("changePassword", CONFIRM(PASSWORD_TEXT), 422, NULL);
    assert_true(may_log_in(PASSWORD_TEXT));
}

static void wrong_passwords_of_a_session_are_delayed_as_logins_are(void **state)
{
    for (unsigned i = 0; i < 6; i++)
        assert_refused("changePassword", CHANGE(WRONG_TEXT, PASSWORD2_TEXT), 403, NULL);
    assert_refused("changePassword", CHANGE(PASSWORD_TEXT, PASSWORD2_TEXT), 429,
                   "Rate limit exceeded: try again in 1 s");
}

static void a_session_that_is_not_fresh_needs_the_code_too(void **state)
{
    struct gh_str secret = gh_api_fixture_enrol(f, &access);
    f->identity.now_us += 11 * FIXTURE_MINUTE;
    assert_refused("changePassword", CHANGE(PASSWORD_TEXT, PASSWORD2_TEXT), 403, NULL);
    struct gh_api_answer answer =
        ask("changePassword",
            gh_api_body(f, "{\"current_password\":\"%s\",\"new_password\":\"%s\",\"code\":\"%s\"}",
                        PASSWORD_TEXT, PASSWORD2_TEXT, gh_api_fixture_code(f, secret, 0)));
    gh_api_assert_message(&answer);
}

static void a_reset_is_promised_to_anyone_alike(void **state)
{
    struct gh_api_answer known = ask_nobody("requestPasswordReset", "{\"email\":\"" ANN "\"}");
    struct gh_api_answer unknown =
        ask_nobody("requestPasswordReset", "{\"email\":\"nobody@example.org\"}");
    gh_api_assert_message(&known);
    assert_true(gh_str_eq(known.reply->body, unknown.reply->body));
    assert_int_equal(known.reply->field_count, unknown.reply->field_count);
    struct gh_api_answer answer = ask_nobody("requestPasswordReset", "{\"email\":\"ann\"}");
    gh_api_assert_refused(&answer, 422, NULL);
}

static const char *reset_body(struct gh_str token, const char *password)
{
    return gh_api_body(f, "{\"token\":\"%.*s\",\"new_password\":\"%s\"}", GH_STR_ARG(token),
                       password);
}

static void a_reset_sets_the_password_once_and_ends_every_session(void **state)
{
    struct gh_str token = gh_fixture_ticket(&f->identity, GH_TICKET_RESET, ann, GH_STR(""));
    struct gh_api_answer answer = ask_nobody("resetPassword", reset_body(token, "short"));
    gh_api_assert_refused(&answer, 422, NULL); /* and the link stays good */
    answer = ask_nobody("resetPassword", reset_body(token, PASSWORD2_TEXT));
    gh_api_assert_message(&answer);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0); /* signs nobody in */
    assert_true(gh_fixture_is_revoked(&f->identity, access));
    assert_true(may_log_in(PASSWORD2_TEXT));
    answer = ask_nobody("resetPassword", reset_body(token, PASSWORD_TEXT));
    gh_api_assert_refused(&answer, 400, NULL);
}

static void refuses_links_of_something_else_and_old_ones(void **state)
{
    struct gh_str other = gh_fixture_ticket(&f->identity, GH_TICKET_CONFIRM_EMAIL, ann, GH_STR(""));
    struct gh_api_answer answer = ask_nobody("resetPassword", reset_body(other, PASSWORD2_TEXT));
    gh_api_assert_refused(&answer, 400, NULL);
    struct gh_str token = gh_fixture_ticket(&f->identity, GH_TICKET_RESET, ann, GH_STR(""));
    f->identity.now_us += 16 * FIXTURE_MINUTE;
    answer = ask_nobody("resetPassword", reset_body(token, PASSWORD2_TEXT));
    gh_api_assert_refused(&answer, 400, NULL);
    assert_true(may_log_in(PASSWORD_TEXT));
}

/* ---- Address ---- */

static const char *email_body(const char *password, const char *email)
{
    return gh_api_body(f, "{\"password\":\"%s\",\"email\":\"%s\"}", password, email);
}

static void another_address_waits_for_its_confirmation(void **state)
{
    struct gh_api_answer answer = ask("changeEmail", email_body(PASSWORD_TEXT, "new@example.org"));
    gh_api_assert_message(&answer);
    struct gh_api_answer taken = ask("changeEmail", email_body(PASSWORD_TEXT, BOB));
    assert_true(gh_str_eq(answer.reply->body, taken.reply->body)); /* it is not told */
    answer = ask("profile", NULL);
    assert_true(gh_api_answer_has(&answer, "email", ANN));
}

static void refuses_another_address_without_the_password(void **state)
{
    assert_refused("changeEmail", email_body(WRONG_TEXT, "new@example.org"), 403, NULL);
    assert_refused("changeEmail", email_body(PASSWORD_TEXT, "new at example.org"), 422, NULL);
    assert_refused("changeEmail", "{\"email\":\"new@example.org\"}", 422, NULL);
}

/* ---- Activity ---- */

static struct gh_api_answer activity(const char *query)
{
    const struct gh_api_ask asking = {.operation = "activity", .access = access, .query = query};
    return gh_api_ask(f, &asking);
}

static void activity_is_ones_own_newest_first_page_by_page(void **state)
{
    gh_api_fixture_login(f, BOB);
    gh_api_fixture_login(f, ANN);
    struct gh_api_answer answer = activity("limit=1");
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 2);
    const struct gh_json_value *record = gh_api_answer_item(&answer, "records", 0);
    assert_true(
        gh_str_eq(gh_json_string(gh_json_get(&answer.json, record, GH_STR("user_id"))), ann));
    assert_null(gh_api_answer_item(&answer, "records", 1));
    int64_t next = gh_api_answer_number(&answer, "next");
    answer = activity(gh_api_body(f, "before=%lld", (long long)next));
    assert_int_equal(gh_api_answer_at(&answer, "records")->count, 1);
    assert_int_equal(gh_api_answer_at(&answer, "next")->kind, GH_JSON_NULL);
}

static void refuses_queries_that_are_none(void **state)
{
    static const char *const QUERIES[] = {
        "limit=0",   "limit=201",         "limit=x", "limit=",       "before=0",
        "before=-1", "before=1&before=2", "user=x",  "limit=1&from", "&"};
    for (size_t i = 0; i < sizeof(QUERIES) / sizeof(QUERIES[0]); i++) {
        struct gh_api_answer answer = activity(QUERIES[i]);
        gh_api_assert_refused(&answer, 422, NULL);
    }
}

/* ---- Deletion ---- */

static void an_account_goes_with_its_sessions_and_cookies(void **state)
{
    struct gh_api_answer answer = ask("deleteAccount", CONFIRM(PASSWORD_TEXT));
    gh_api_assert_message(&answer);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 2);
    assert_true(gh_str_starts_with(gh_api_answer_cookie(&answer, "__Host-gh_access"),
                                   GH_STR("__Host-gh_access=; Path=/; Max-Age=0;")));
    assert_true(gh_fixture_is_revoked(&f->identity, access));
    assert_false(is_there(ann));
    assert_false(may_log_in(PASSWORD_TEXT));
}

static void assert_stays(const char *operation, const char *body, unsigned status)
{
    struct gh_api_answer answer = ask(operation, body);
    gh_api_assert_refused(&answer, status, NULL);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 0);
    assert_false(gh_fixture_is_revoked(&f->identity, access));
}

static void refuses_to_delete_without_what_it_takes(void **state)
{
    static const char *const OPERATIONS[] = {"deleteAccount", "eraseData"};
    struct gh_str secret = gh_api_fixture_enrol(f, &access);
    f->identity.now_us += FIXTURE_MINUTE;
    const char *wrong = gh_api_fixture_wrong_code(f, secret);
    for (size_t i = 0; i < 2; i++) {
        assert_stays(OPERATIONS[i], NULL, 422);
        assert_stays(OPERATIONS[i], CONFIRM(WRONG_TEXT), 403);
        assert_stays(OPERATIONS[i], CONFIRM(PASSWORD_TEXT), 403); /* the code is missing */
        assert_stays(OPERATIONS[i],
                     gh_api_body(f, "{\"password\":\"%s\",\"code\":\"%s\"}", PASSWORD_TEXT, wrong),
                     403);
    }
    assert_true(is_there(ann));
}

static void the_last_admin_stays(void **state)
{
    struct gh_str root = gh_fixture_account(&f->identity, "root@example.org", FIXTURE_PASSWORD, 2);
    access = gh_api_fixture_login(f, "root@example.org");
    assert_stays("deleteAccount", CONFIRM(PASSWORD_TEXT), 409);
    assert_stays("eraseData", CONFIRM(PASSWORD_TEXT), 409);
    assert_true(is_there(root));
}

/* ---- /compliance ---- */

static void an_export_is_a_file_with_everything(void **state)
{
    static const char *const PARTS[] = {"account.email", "devices", "sessions", "audit",
                                        "exported_at"};
    struct gh_api_answer answer = ask("exportData", NULL);
    assert_int_equal(answer.status, 200);
    assert_true(gh_str_eq(gh_api_answer_field(&answer, "Content-Disposition"),
                          GH_STR("attachment; filename=\"export.json\"")));
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++)
        assert_non_null(gh_api_answer_at(&answer, PARTS[i]));
    assert_int_equal(gh_str_find(answer.reply->body, GH_STR(BOB)), answer.reply->body.len);
}

/* A hook is configured and nobody answers it. */
static void what_the_backend_did_not_answer_is_not_done(void **state)
{
    f->identity.settings.hooks.export = GH_STR("http://127.0.0.1:8000/export");
    f->identity.settings.hooks.delete = GH_STR("http://127.0.0.1:8000/delete");
    struct gh_api_answer answer = ask("exportData", NULL);
    gh_api_assert_refused(&answer, 503, NULL);
    assert_null(gh_api_answer_field(&answer, "Content-Disposition").ptr);
    assert_stays("eraseData", CONFIRM(PASSWORD_TEXT), 503);
    assert_true(is_there(ann));
}

static void an_erasure_takes_all_and_clears_the_cookies(void **state)
{
    struct gh_api_answer answer = ask("eraseData", CONFIRM(PASSWORD_TEXT));
    gh_api_assert_message(&answer);
    assert_int_equal(gh_api_answer_count(&answer, "Set-Cookie"), 2);
    assert_true(gh_fixture_is_revoked(&f->identity, access));
    assert_false(is_there(ann));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, gh_api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_profile_is_the_account_without_its_secrets),
        TEST(a_profile_changes_in_what_is_given),
        TEST(the_longest_name_fits_into_the_answer),
        TEST(refuses_a_profile_that_can_not_be),
        TEST(an_account_that_is_gone_is_not_there),
        TEST(a_changed_password_ends_the_other_sessions_alone),
        TEST(refuses_a_password_that_is_wrong_or_weak),
        TEST(wrong_passwords_of_a_session_are_delayed_as_logins_are),
        TEST(a_session_that_is_not_fresh_needs_the_code_too),
        TEST(a_reset_is_promised_to_anyone_alike),
        TEST(a_reset_sets_the_password_once_and_ends_every_session),
        TEST(refuses_links_of_something_else_and_old_ones),
        TEST(another_address_waits_for_its_confirmation),
        TEST(refuses_another_address_without_the_password),
        TEST(activity_is_ones_own_newest_first_page_by_page),
        TEST(refuses_queries_that_are_none),
        TEST(an_account_goes_with_its_sessions_and_cookies),
        TEST(refuses_to_delete_without_what_it_takes),
        TEST(the_last_admin_stays),
        TEST(an_export_is_a_file_with_everything),
        TEST(what_the_backend_did_not_answer_is_not_done),
        TEST(an_erasure_takes_all_and_clears_the_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
