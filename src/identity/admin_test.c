/* What admins and operators do to accounts, over the store in memory. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>

#include "identity/account.h"
#include "identity/admin.h"
#include "identity/identity_fixture.h"
#include "identity/passwords.h"
#include "identity/sessions.h"
#include "identity/two_factor.h"
#include "store/memory.h"

#define USER   ((gh_roles)1)
#define ADMIN  ((gh_roles)2)
#define EDITOR ((gh_roles)4)
#define ROOT   "root@example.org"
#define ANN    "ann@example.org"

static struct gh_identity_fixture f;
static struct gh_str root, ann;
static struct gh_identity_call call; /* of root, fresh for each test */

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    root = gh_fixture_account(&f, ROOT, FIXTURE_PASSWORD, USER | ADMIN);
    ann = gh_fixture_account(&f, ANN, FIXTURE_PASSWORD, USER);
    struct gh_session_grant grant = gh_fixture_login(&f, ROOT, FIXTURE_PASSWORD);
    call = gh_fixture_call_as(&f, grant.access_token);
    return 0;
}

static int open_empty(void **state)
{
    gh_identity_fixture_open(&f);
    call = gh_fixture_call(&f);
    return 0;
}

static int close_fixture(void **state)
{
    gh_identity_fixture_close(&f);
    return 0;
}

static struct gh_account row_of(struct gh_str id)
{
    struct gh_account row;
    assert_true(gh_fixture_account_row(&f, id, &row));
    return row;
}

static void assert_metadata(enum gh_audit_event event, size_t count, const char *part)
{
    struct gh_audit_record last;
    assert_int_equal(gh_fixture_audit_count(&f, event, &last), count);
    if (gh_str_find(last.metadata, gh_str_from_c(part)) == last.metadata.len)
        fail_msg("%s is not in %.*s", part, GH_STR_ARG(last.metadata));
}

/* ---- Looking ---- */

static void pages_through_all_users(void **state)
{
    for (unsigned i = 0; i < 7; i++) {
        char email[32];
        struct gh_buf buf = gh_buf_over(email, sizeof(email) - 1);
        gh_buf_format(&buf, "user%u@example.org", i);
        email[buf.len] = 0;
        gh_fixture_account(&f, email, GH_STR(""), USER);
    }
    struct gh_user_query query = {.limit = 4};
    struct gh_account_view *users;
    size_t count, total = 0;
    struct gh_id after = {{0}};
    do {
        query.after = gh_id_str(&after);
        assert_int_equal(gh_users_page(&call, &query, &users, &count), GH_IDENTITY_OK);
        for (size_t i = 0; i < count; i++) {
            assert_true(gh_str_compare(gh_id_str(&users[i].id), gh_id_str(&after)) > 0);
            assert_true(users[i].email.len > 0);
            after = users[i].id;
        }
        total += count;
    } while (count == 4);
    assert_int_equal(total, 9);
}

static void finds_users_by_address_in_any_case_and_by_role(void **state)
{
    struct gh_user_query query = {.email = GH_STR(" ANN@EXAMPLE.org "), .limit = 10};
    struct gh_account_view *users;
    size_t count;
    assert_int_equal(gh_users_page(&call, &query, &users, &count), GH_IDENTITY_OK);
    assert_int_equal(count, 1);
    assert_true(gh_str_eq(gh_id_str(&users[0].id), ann));
    query = (struct gh_user_query){.role = GH_STR("admin"), .limit = 10};
    assert_int_equal(gh_users_page(&call, &query, &users, &count), GH_IDENTITY_OK);
    assert_int_equal(count, 1);
    assert_true(gh_str_eq(gh_id_str(&users[0].id), root));
    query = (struct gh_user_query){.email = GH_STR("nobody"), .limit = 10};
    assert_int_equal(gh_users_page(&call, &query, &users, &count), GH_IDENTITY_OK);
    assert_int_equal(count, 0);
}

static void refuses_pages_that_cannot_be(void **state)
{
    struct gh_account_view *users;
    size_t count;
    struct gh_user_query none = {.limit = 0}, many = {.limit = 201},
                         cursor = {.after = GH_STR("x"), .limit = 1};
    assert_int_equal(gh_users_page(&call, &none, &users, &count), GH_IDENTITY_INVALID);
    assert_int_equal(gh_users_page(&call, &many, &users, &count), GH_IDENTITY_INVALID);
    assert_int_equal(gh_users_page(&call, &cursor, &users, &count), GH_IDENTITY_INVALID);
    assert_non_null(call.why);
}

static void says_not_found_for_accounts_that_are_not_there(void **state)
{
    struct gh_str id = GH_STR("00000000-0000-4000-8000-000000000000");
    struct gh_account_view view;
    uint64_t ended;
    assert_int_equal(gh_user_get(&call, id, &view), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_get(&call, GH_STR("x"), &view), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_set_roles(&call, id, USER, &view), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_unlock(&call, id), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_disable(&call, id), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_enable(&call, id), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_reset_two_factor(&call, id), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_reset_password(&call, id), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_delete(&call, id), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_end_sessions(&call, id, &ended), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_user_get(&call, ann, &view), GH_IDENTITY_OK);
    assert_true(gh_str_eq(view.email, GH_STR(ANN)));
}

/* ---- Roles ---- */

static void a_change_of_roles_is_audited_and_seen_at_once(void **state)
{
    struct gh_session_grant grant = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD), refreshed;
    struct gh_account_view view;
    assert_int_equal(gh_user_set_roles(&call, ann, USER | EDITOR, &view), GH_IDENTITY_OK);
    assert_int_equal(view.roles, USER | EDITOR);
    assert_true(gh_str_eq(row_of(ann).roles, GH_STR("user,editor")));
    assert_true(gh_fixture_is_revoked(&f, grant.access_token));
    assert_metadata(GH_AUDIT_ROLE_CHANGED, 1, "\"old_role\":\"user\"");
    assert_metadata(GH_AUDIT_ROLE_CHANGED, 1, "\"new_role\":\"user,editor\"");
    assert_metadata(GH_AUDIT_ROLE_CHANGED, 1,
                    gh_arena_format(&f.arena, "\"changed_by\":\"%.*s\"", GH_STR_ARG(root)).ptr);
    struct gh_identity_call own = gh_fixture_call(&f);
    assert_int_equal(gh_session_refresh(&own, grant.refresh_token, &refreshed), GH_IDENTITY_OK);
    assert_int_equal(refreshed.account.roles, USER | EDITOR);
}

static void a_change_to_the_same_roles_is_none(void **state)
{
    struct gh_session_grant grant = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
    struct gh_account_view view;
    assert_int_equal(gh_user_set_roles(&call, ann, USER, &view), GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_ROLE_CHANGED, NULL), 0);
    assert_false(gh_fixture_is_revoked(&f, grant.access_token));
}

static void refuses_roles_that_are_not_configured_and_none_at_all(void **state)
{
    struct gh_account_view view;
    assert_int_equal(gh_user_set_roles(&call, ann, 0, &view), GH_IDENTITY_INVALID);
    assert_int_equal(gh_user_set_roles(&call, ann, 8, &view), GH_IDENTITY_INVALID);
    assert_int_equal(gh_user_set_roles(&call, ann, ~(gh_roles)0, &view), GH_IDENTITY_INVALID);
    assert_true(gh_str_eq(row_of(ann).roles, GH_STR("user")));
}

/* ---- The last admin ---- */

static void the_last_admin_stays(void **state)
{
    struct gh_account_view view;
    assert_int_equal(gh_user_set_roles(&call, root, USER, &view), GH_IDENTITY_CONFLICT);
    assert_string_equal(call.why, gh_admin_last_text);
    assert_int_equal(gh_user_disable(&call, root), GH_IDENTITY_CONFLICT);
    assert_int_equal(gh_user_delete(&call, root), GH_IDENTITY_CONFLICT);
    assert_int_equal(row_of(root).status, GH_ACCOUNT_ACTIVE);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_ROLE_CHANGED, NULL), 0);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_ACCOUNT_LOCKED, NULL), 0);
}

static void an_admin_who_is_disabled_does_not_count(void **state)
{
    struct gh_account_view view;
    assert_int_equal(gh_user_set_roles(&call, ann, USER | ADMIN, &view), GH_IDENTITY_OK);
    assert_int_equal(gh_user_disable(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(gh_user_delete(&call, root), GH_IDENTITY_CONFLICT);
    assert_int_equal(gh_user_delete(&call, ann), GH_IDENTITY_OK);
}

static void one_of_two_admins_may_go(void **state)
{
    struct gh_account_view view;
    assert_int_equal(gh_user_set_roles(&call, ann, USER | ADMIN, &view), GH_IDENTITY_OK);
    assert_int_equal(gh_user_set_roles(&call, root, USER, &view), GH_IDENTITY_OK);
    assert_int_equal(gh_user_set_roles(&call, ann, USER, &view), GH_IDENTITY_CONFLICT);
}

static void *disable_in_thread(void *args)
{
    struct gh_identity_call *own = args;
    struct gh_str id = own->by; /* whom */
    own->by = GH_STR("command");
    own->retry_after_s = (uint64_t)gh_user_disable(own, id);
    return NULL;
}

static void admins_who_remove_each_other_at_the_same_time_leave_one(void **state)
{
    enum { ADMINS = 12 };
    struct gh_identity_call calls[ADMINS];
    struct gh_arena arenas[ADMINS];
    pthread_t threads[ADMINS];
    unsigned refused = 0;
    for (unsigned i = 0; i < ADMINS; i++) {
        struct gh_str email = gh_arena_format(&f.arena, "admin%u@example.org", i);
        calls[i] = gh_fixture_call(&f);
        calls[i].by = i ? gh_fixture_account(&f, email.ptr, GH_STR(""), USER | ADMIN) : root;
    }
    for (unsigned i = 0; i < ADMINS; i++) {
        gh_arena_init(&arenas[i], 4096, 1024 * 1024);
        calls[i].arena = &arenas[i];
        assert_int_equal(pthread_create(&threads[i], NULL, disable_in_thread, &calls[i]), 0);
    }
    for (unsigned i = 0; i < ADMINS; i++) {
        pthread_join(threads[i], NULL);
        refused += calls[i].retry_after_s == GH_IDENTITY_CONFLICT;
        gh_arena_done(&arenas[i]);
    }
    assert_int_equal(refused, 1);
}

/* ---- Locks, factors, ends ---- */

static void a_disabled_account_is_out_at_once_and_can_come_back(void **state)
{
    struct gh_session_grant grant = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD), refreshed;
    struct gh_identity_call own = gh_fixture_call(&f);
    struct gh_login request = {.email = GH_STR(ANN), .password = FIXTURE_PASSWORD};
    struct gh_login_answer answer;
    struct gh_str token = gh_fixture_ticket(&f, GH_TICKET_RESET, ann, GH_STR(""));
    assert_int_equal(gh_user_disable(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(gh_user_disable(&call, ann), GH_IDENTITY_OK);
    assert_metadata(GH_AUDIT_ACCOUNT_LOCKED, 1, "\"by\"");
    assert_true(gh_fixture_is_revoked(&f, grant.access_token));
    assert_int_equal(gh_session_refresh(&own, grant.refresh_token, &refreshed),
                     GH_IDENTITY_SESSION_ENDED);
    assert_int_equal(gh_login(&own, &request, &answer), GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(gh_password_reset(&own, token, FIXTURE_PASSWORD2), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(gh_user_enable(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(gh_user_enable(&call, ann), GH_IDENTITY_OK);
    assert_metadata(GH_AUDIT_ACCOUNT_UNLOCKED, 1, "\"by\"");
    gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
}

static void unlocking_forgives_failed_logins(void **state)
{
    struct gh_login wrong = {.email = GH_STR(ANN), .password = FIXTURE_PASSWORD2};
    struct gh_login_answer answer;
    enum gh_identity_result result = GH_IDENTITY_BAD_CREDENTIALS;
    for (unsigned i = 0; i < 10 && result == GH_IDENTITY_BAD_CREDENTIALS; i++) {
        struct gh_identity_call own = gh_fixture_call(&f);
        own.network = own.client =
            gh_arena_format(&f.arena, "198.51.100.%u", i); /* the account's throttle alone */
        result = gh_login(&own, &wrong, &answer);
    }
    assert_int_equal(result, GH_IDENTITY_THROTTLED);
    assert_int_equal(gh_user_unlock(&call, ann), GH_IDENTITY_OK);
    assert_metadata(GH_AUDIT_ACCOUNT_UNLOCKED, 1, "\"by\"");
    gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
}

static void taking_a_second_factor_away_tells_the_owner_and_ends_sessions(void **state)
{
    struct gh_session_grant grant = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
    struct gh_account row = row_of(ann);
    row.totp_secret = gh_vault_seal(f.vault, &f.arena, "accounts.totp_secret", ann,
                                    GH_STR("12345678901234567890"));
    row.totp_enabled = true;
    gh_fixture_account_put(&f, &row);
    assert_int_equal(gh_user_reset_two_factor(&call, ann), GH_IDENTITY_OK);
    row = row_of(ann);
    assert_false(row.totp_enabled);
    assert_int_equal(row.totp_secret.len, 0);
    assert_true(gh_fixture_is_revoked(&f, grant.access_token));
    assert_int_equal(gh_fixture_mail_count(&f), 1);
    assert_metadata(GH_AUDIT_TWO_FACTOR_DISABLED, 1, "\"by\"");
    assert_int_equal(gh_user_reset_two_factor(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_mail_count(&f), 1);
}

static void a_disabled_account_loses_the_links_that_were_sent(void **state)
{
    struct gh_identity_call own = gh_fixture_call(&f);
    struct gh_str to_thief =
        gh_fixture_ticket(&f, GH_TICKET_CHANGE_EMAIL, ann, GH_STR("thief@example.org"));
    assert_int_equal(gh_user_disable(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(gh_user_enable(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(gh_email_verify(&own, to_thief), GH_IDENTITY_BAD_TOKEN);
}

static void a_reset_by_an_admin_ends_what_a_thief_has_begun(void **state)
{
    struct gh_identity_call own = gh_fixture_call(&f);
    struct gh_str to_thief =
        gh_fixture_ticket(&f, GH_TICKET_CHANGE_EMAIL, ann, GH_STR("thief@example.org"));
    struct gh_str reset = gh_fixture_ticket(&f, GH_TICKET_RESET, ann, GH_STR(""));
    assert_int_equal(gh_user_reset_password(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(gh_email_verify(&own, to_thief), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(gh_password_reset(&own, reset, FIXTURE_PASSWORD2), GH_IDENTITY_BAD_TOKEN);
}

static void an_admin_starts_a_reset_but_chooses_no_password(void **state)
{
    struct gh_session_grant grant = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
    struct gh_account before = row_of(ann);
    assert_int_equal(gh_user_reset_password(&call, ann), GH_IDENTITY_OK);
    assert_true(gh_str_eq(before.password_hash, row_of(ann).password_hash));
    assert_true(gh_fixture_is_revoked(&f, grant.access_token));
    assert_int_equal(gh_fixture_mail_count(&f), 1);
    assert_metadata(GH_AUDIT_PASSWORD_RESET_REQUEST, 1, "\"by\"");
    assert_int_equal(gh_user_disable(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(gh_user_reset_password(&call, ann), GH_IDENTITY_CONFLICT);
}

static void a_deleted_account_leaves_its_records_only(void **state)
{
    struct gh_session_grant grant = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
    struct gh_account row;
    assert_int_equal(gh_user_delete(&call, ann), GH_IDENTITY_OK);
    assert_false(gh_fixture_account_row(&f, ann, &row));
    assert_true(gh_fixture_is_revoked(&f, grant.access_token));
    struct gh_audit_record last;
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_ACCOUNT_DELETED, &last), 1);
    assert_true(gh_str_eq(last.user_id, ann));
    assert_true(gh_str_eq(last.actor_id, root));
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_LOGIN, NULL), 2);
    assert_int_equal(gh_fixture_mail_count(&f), 1); /* to say so */
    assert_int_equal(gh_user_delete(&call, ann), GH_IDENTITY_NOT_FOUND);
}

static void ends_all_sessions_of_a_user_and_counts_them(void **state)
{
    struct gh_session_grant first = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD),
                            second = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
    uint64_t count = 0;
    assert_int_equal(gh_user_end_sessions(&call, ann, &count), GH_IDENTITY_OK);
    assert_int_equal(count, 2);
    assert_true(gh_fixture_is_revoked(&f, first.access_token));
    assert_true(gh_fixture_is_revoked(&f, second.access_token));
    assert_metadata(GH_AUDIT_SESSION_REVOKED, 1, "ended_by_admin");
    assert_int_equal(gh_user_end_sessions(&call, ann, &count), GH_IDENTITY_OK);
    assert_int_equal(count, 0);
}

static void nothing_is_half_done_when_the_store_fails(void **state)
{
    struct gh_session_grant grant = gh_fixture_login(&f, ANN, FIXTURE_PASSWORD);
    gh_memory_store_fail(f.store, 1, GH_ERR_IO);
    assert_int_equal(gh_user_disable(&call, ann), GH_IDENTITY_UNAVAILABLE);
    assert_int_equal(row_of(ann).status, GH_ACCOUNT_ACTIVE);
    assert_false(gh_fixture_is_revoked(&f, grant.access_token));
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_ACCOUNT_LOCKED, NULL), 0);
}

/* ---- The first admin ---- */

static enum gh_identity_result set_up(struct gh_str token, const char *email,
                                      struct gh_account_view *out_user)
{
    return gh_setup_admin(&call, token, gh_str_from_c(email), FIXTURE_PASSWORD, out_user);
}

static void the_setup_token_makes_the_first_admin_once(void **state)
{
    struct gh_str token, none;
    struct gh_account_view user;
    assert_int_equal(gh_setup_token(&call, &token), GH_IDENTITY_OK);
    assert_int_equal(token.len, 43);
    assert_int_equal(set_up(token, ROOT, &user), GH_IDENTITY_OK);
    assert_int_equal(user.roles, USER | ADMIN);
    assert_true(user.email_verified && user.must_enrol && user.has_password);
    assert_int_equal(set_up(token, ANN, &user), GH_IDENTITY_BAD_TOKEN);
    assert_metadata(GH_AUDIT_SIGNUP, 1, ROOT);
    assert_metadata(GH_AUDIT_ROLE_CHANGED, 1, "\"changed_by\":\"setup\"");
    assert_int_equal(gh_setup_token(&call, &none), GH_IDENTITY_OK);
    assert_null(none.ptr);
    gh_fixture_login(&f, ROOT, FIXTURE_PASSWORD);
}

static void a_setup_token_ends_with_the_next_start_and_after_a_day(void **state)
{
    struct gh_str first, second;
    struct gh_account_view user;
    assert_int_equal(gh_setup_token(&call, &first), GH_IDENTITY_OK);
    assert_int_equal(gh_setup_token(&call, &second), GH_IDENTITY_OK);
    assert_int_equal(set_up(first, ROOT, &user), GH_IDENTITY_BAD_TOKEN);
    call.now_us += FIXTURE_DAY + 1;
    assert_int_equal(set_up(second, ROOT, &user), GH_IDENTITY_BAD_TOKEN);
    call.now_us -= FIXTURE_MINUTE;
    assert_int_equal(set_up(second, ROOT, &user), GH_IDENTITY_OK);
}

static void refuses_a_first_admin_when_something_is_wrong(void **state)
{
    struct gh_str token;
    struct gh_account_view user;
    assert_int_equal(set_up(GH_STR(""), ROOT, &user), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(set_up(GH_STR("x"), ROOT, &user), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(gh_setup_token(&call, &token), GH_IDENTITY_OK);
    assert_int_equal(set_up(token, "nobody", &user), GH_IDENTITY_INVALID);
    assert_int_equal(gh_setup_admin(&call, token, GH_STR(ROOT), GH_STR("password"), &user),
                     GH_IDENTITY_WEAK_PASSWORD);
    gh_fixture_account(&f, ROOT, FIXTURE_PASSWORD, USER);
    assert_int_equal(set_up(token, ROOT, &user), GH_IDENTITY_EMAIL_TAKEN);
    gh_fixture_account(&f, ANN, FIXTURE_PASSWORD, ADMIN);
    assert_int_equal(set_up(token, "new@example.org", &user), GH_IDENTITY_CONFLICT);
}

static void a_link_of_another_kind_makes_no_admin(void **state)
{
    struct gh_str id = gh_fixture_account(&f, ANN, FIXTURE_PASSWORD, USER);
    struct gh_account_view user;
    struct gh_str reset = gh_fixture_ticket(&f, GH_TICKET_RESET, id, GH_STR(""));
    assert_int_equal(set_up(reset, ROOT, &user), GH_IDENTITY_BAD_TOKEN);
}

/* ---- user add ---- */

static void adds_accounts_with_a_password_or_a_link(void **state)
{
    struct gh_account_view user;
    call.by = GH_STR("command");
    struct gh_str no_password = {NULL, 0}, link;
    assert_int_equal(gh_user_add(&call, GH_STR("Bob@Example.ORG"), FIXTURE_PASSWORD, USER, &user),
                     GH_IDENTITY_OK);
    assert_true(gh_str_eq(user.email, GH_STR("Bob@example.org")));
    assert_int_equal(gh_fixture_mail_count(&f), 0);
    gh_fixture_login(&f, "bob@example.org", FIXTURE_PASSWORD);
    assert_int_equal(gh_user_add(&call, GH_STR(ROOT), no_password, USER | ADMIN, &user),
                     GH_IDENTITY_OK);
    assert_false(user.has_password);
    assert_int_equal(gh_fixture_mail_count(&f), 1);
    assert_metadata(GH_AUDIT_ROLE_CHANGED, 1, "\"changed_by\":\"command\"");
    assert_int_equal(gh_user_setup_link(&call, gh_id_str(&user.id), &link), GH_IDENTITY_OK);
    struct gh_str prefix = GH_STR("https://api.example.com/account/reset-password#token=");
    assert_true(gh_str_starts_with(link, prefix));
    call.now_us += 23 * FIXTURE_HOUR;
    assert_int_equal(gh_password_reset(&call, gh_str_skip(link, prefix.len), FIXTURE_PASSWORD),
                     GH_IDENTITY_OK);
    assert_int_equal(gh_password_reset(&call, gh_str_skip(link, prefix.len), FIXTURE_PASSWORD),
                     GH_IDENTITY_BAD_TOKEN);
}

static void refuses_accounts_that_are_there_or_cannot_be(void **state)
{
    struct gh_account_view user;
    struct gh_str link;
    gh_fixture_account(&f, ANN, FIXTURE_PASSWORD, USER);
    assert_int_equal(gh_user_add(&call, GH_STR("ANN@example.org"), FIXTURE_PASSWORD, USER, &user),
                     GH_IDENTITY_EMAIL_TAKEN);
    assert_int_equal(gh_user_add(&call, GH_STR("ann"), FIXTURE_PASSWORD, USER, &user),
                     GH_IDENTITY_INVALID);
    assert_int_equal(gh_user_add(&call, GH_STR("b@example.org"), GH_STR("short"), USER, &user),
                     GH_IDENTITY_WEAK_PASSWORD);
    assert_int_equal(gh_user_setup_link(&call, GH_STR("x"), &link), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_SIGNUP, NULL), 0);
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
#define EMPTY(name) cmocka_unit_test_setup_teardown(name, open_empty, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_through_all_users),
        TEST(finds_users_by_address_in_any_case_and_by_role),
        TEST(refuses_pages_that_cannot_be),
        TEST(says_not_found_for_accounts_that_are_not_there),
        TEST(a_change_of_roles_is_audited_and_seen_at_once),
        TEST(a_change_to_the_same_roles_is_none),
        TEST(refuses_roles_that_are_not_configured_and_none_at_all),
        TEST(the_last_admin_stays),
        TEST(an_admin_who_is_disabled_does_not_count),
        TEST(one_of_two_admins_may_go),
        TEST(admins_who_remove_each_other_at_the_same_time_leave_one),
        TEST(a_disabled_account_is_out_at_once_and_can_come_back),
        TEST(unlocking_forgives_failed_logins),
        TEST(taking_a_second_factor_away_tells_the_owner_and_ends_sessions),
        TEST(a_disabled_account_loses_the_links_that_were_sent),
        TEST(a_reset_by_an_admin_ends_what_a_thief_has_begun),
        TEST(an_admin_starts_a_reset_but_chooses_no_password),
        TEST(a_deleted_account_leaves_its_records_only),
        TEST(ends_all_sessions_of_a_user_and_counts_them),
        TEST(nothing_is_half_done_when_the_store_fails),
        EMPTY(the_setup_token_makes_the_first_admin_once),
        EMPTY(a_setup_token_ends_with_the_next_start_and_after_a_day),
        EMPTY(refuses_a_first_admin_when_something_is_wrong),
        EMPTY(a_link_of_another_kind_makes_no_admin),
        EMPTY(adds_accounts_with_a_password_or_a_link),
        EMPTY(refuses_accounts_that_are_there_or_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
