#include "identity/account.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"
#include "identity/outbox.h"
#include "identity/store_trace.h"

#define ALICE "alice@example.com"
#define BOB   "bob@example.com"
#define USER  1
#define ADMIN 2
#define NONE  ((struct gh_str){NULL, 0})

static int setup(void **state)
{
    static struct gh_identity_fixture fixture;
    gh_identity_fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    gh_identity_fixture_close(*state);
    return 0;
}

static enum gh_identity_result sign_up(struct gh_identity_fixture *fixture, const char *email,
                                       struct gh_str password, struct gh_account_view *out_view)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_sign_up request = {gh_str_from_c(email), password, GH_STR("Alice")};
    return gh_sign_up(&call, &request, out_view);
}

static bool may_login(struct gh_identity_fixture *fixture, const char *email,
                      struct gh_str password)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_login request = {.email = gh_str_from_c(email), .password = password};
    struct gh_login_answer answer;
    call.network = gh_arena_format(&fixture->arena, "net %llu",
                                   (unsigned long long)atomic_fetch_add(&fixture->drawn, 1));
    return gh_login(&call, &request, &answer) == GH_IDENTITY_OK;
}

static enum gh_identity_result verify(struct gh_identity_fixture *fixture, struct gh_str token)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    return gh_email_verify(&call, token);
}

/* The account that a sign-up has made: by the record of it. */
static struct gh_str signed_up(struct gh_identity_fixture *fixture)
{
    struct gh_audit_record record;
    assert_true(gh_fixture_audit_count(fixture, GH_AUDIT_SIGNUP, &record) > 0);
    return record.user_id;
}

static struct gh_identity_call call_of(struct gh_identity_fixture *fixture, const char *email)
{
    struct gh_session_grant grant = gh_fixture_login(fixture, email, FIXTURE_PASSWORD);
    return gh_fixture_call_as(fixture, grant.access_token);
}

/* ---- Addresses ---- */

static void normalises_addresses(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    static const char *const PAIRS[][2] = {
        {"alice@example.com", "alice@example.com"},
        {" Alice@EXAMPLE.Com\t", "Alice@example.com"},
        {"a.b+c=d@sub.example.co", "a.b+c=d@sub.example.co"},
        {"o'brien@xn--bcher-kva.example", "o'brien@xn--bcher-kva.example"},
        {"root@localhost", "root@localhost"},
        {"x@1.example", "x@1.example"},
    };
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        struct gh_str out;
        assert_true(gh_email_normalise(&fixture->arena, gh_str_from_c(PAIRS[i][0]), &out));
        assert_true(gh_str_eq(out, gh_str_from_c(PAIRS[i][1])));
    }
}

static void refuses_what_is_no_address(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    static const struct gh_str BAD[] = {
        GH_STR_INIT(""),
        GH_STR_INIT("alice"),
        GH_STR_INIT("@example.com"),
        GH_STR_INIT("alice@"),
        GH_STR_INIT("a@b@example.com"),
        GH_STR_INIT("alice @example.com"),
        GH_STR_INIT("alice@exa mple.com"),
        GH_STR_INIT("alice@example..com"),
        GH_STR_INIT("alice@.example.com"),
        GH_STR_INIT("alice@example.com."),
        GH_STR_INIT("alice@-example.com"),
        GH_STR_INIT("alice@example-.com"),
        GH_STR_INIT(".alice@example.com"),
        GH_STR_INIT("alice.@example.com"),
        GH_STR_INIT("al..ice@example.com"),
        GH_STR_INIT("\"alice\"@example.com"),
        GH_STR_INIT("alice(comment)@example.com"),
        GH_STR_INIT("<alice@example.com>"),
        GH_STR_INIT("Alice <alice@example.com>"),
        GH_STR_INIT("alice@[192.0.2.1]"),
        GH_STR_INIT("alice@192.0.2.1"),
        GH_STR_INIT("alice@example_x.com"),
        GH_STR_INIT("alice\x00@example.com"),
        GH_STR_INIT("alice@example.com\x00"),
        GH_STR_INIT("alice\n@example.com"),
        GH_STR_INIT("alice@example.com\r\nBcc: x@y.z"),
        GH_STR_INIT("alice,bob@example.com"),
        GH_STR_INIT("alice@ex\xc3\xa4mple.com"),
        GH_STR_INIT("al\xc3\xaf"
                    "ce@example.com"),
    };
    struct gh_str out;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_false(gh_email_normalise(&fixture->arena, BAD[i], &out));
    char local[65 + 12], whole[300];
    memset(local, 'a', 65);
    memcpy(local + 65, "@example.com", 12);
    assert_false(gh_email_normalise(&fixture->arena, gh_str_of(local, sizeof(local)), &out));
    assert_true(gh_email_normalise(&fixture->arena, gh_str_of(local + 1, sizeof(local) - 1), &out));
    memset(whole, 'a', sizeof(whole));
    whole[1] = '@';
    for (size_t i = 60; i < sizeof(whole); i += 60)
        whole[i] = '.';
    assert_true(gh_email_normalise(&fixture->arena, gh_str_of(whole, 254), &out));
    assert_false(gh_email_normalise(&fixture->arena, gh_str_of(whole, 255), &out));
}

/* ---- Sign-up ---- */

static void waits_for_the_confirmation(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account_view view;
    struct gh_audit_record record;
    assert_int_equal(sign_up(fixture, ALICE, FIXTURE_PASSWORD, &view), GH_IDENTITY_OK);
    assert_int_equal(gh_id_str(&view.id).len, 0);
    assert_int_equal(gh_fixture_mail_count(fixture), 1);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SIGNUP, &record), 1);
    assert_true(gh_str_eq(record.metadata, GH_STR("{\"email\":\"" ALICE "\"}")));
    assert_false(may_login(fixture, ALICE, FIXTURE_PASSWORD));
    struct gh_str token =
        gh_fixture_ticket(fixture, GH_TICKET_CONFIRM_EMAIL, signed_up(fixture), GH_STR(""));
    assert_int_equal(verify(fixture, token), GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_EMAIL_VERIFIED, NULL), 1);
    assert_true(may_login(fixture, ALICE, FIXTURE_PASSWORD));
    assert_int_equal(verify(fixture, token), GH_IDENTITY_BAD_TOKEN);
}

static void does_not_tell_that_an_address_is_known(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account_view unknown, known;
    struct gh_audit_record record;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    assert_int_equal(sign_up(fixture, BOB, FIXTURE_PASSWORD2, &unknown), GH_IDENTITY_OK);
    assert_int_equal(sign_up(fixture, ALICE, FIXTURE_PASSWORD2, &known), GH_IDENTITY_OK);
    assert_string_equal(unknown.id.text, known.id.text);
    assert_int_equal(gh_fixture_mail_count(fixture), 2); /* a link, and a notice */
    gh_fixture_audit_count(fixture, GH_AUDIT_SIGNUP, &record);
    assert_int_equal(record.outcome, GH_AUDIT_FAILURE);
    assert_true(may_login(fixture, ALICE, FIXTURE_PASSWORD));
    assert_false(may_login(fixture, ALICE, FIXTURE_PASSWORD2));
}

static void runs_one_unit_whether_known_or_not(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_store_trace trace;
    struct gh_account_view view;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    gh_store_trace_init(&trace, fixture->store);
    fixture->identity.store = &trace.store;
    sign_up(fixture, ALICE, FIXTURE_PASSWORD2, &view);
    assert_true(
        gh_str_eq(gh_store_trace_take(&trace),
                  GH_STR("run(account_by_email mail_insert person_key_get audit_append ) ")));
    sign_up(fixture, BOB, FIXTURE_PASSWORD2, &view);
    assert_true(
        gh_str_eq(gh_store_trace_take(&trace),
                  GH_STR("run(account_by_email account_insert person_key_get person_key_insert "
                         "audit_append mail_insert ) ")));
    sign_up(fixture, BOB, FIXTURE_PASSWORD, &view);
    assert_true(gh_str_eq(gh_store_trace_take(&trace),
                          GH_STR("run(account_by_email ticket_delete ticket_insert mail_insert "
                                 "person_key_get audit_append ) ")));
    struct gh_identity_call call = gh_fixture_call(fixture);
    gh_email_resend(&call, GH_STR(ALICE));
    assert_true(gh_str_eq(gh_store_trace_take(&trace), GH_STR("run(mail_insert ) ")));
    gh_email_resend(&call, GH_STR("nobody@example.com"));
    assert_true(gh_str_eq(gh_store_trace_take(&trace), GH_STR("run(mail_insert ) ")));
}

/* ---- Links of sign-ups ---- */

static enum gh_err take_link(void *context, struct gh_arena *arena, struct gh_str recipient,
                             struct gh_str message_id, struct gh_str message, struct gh_str link)
{
    struct gh_str *token = context;
    (void)recipient;
    (void)message_id;
    (void)message;
    size_t at = gh_str_find(link, GH_STR("#token="));
    *token = at < link.len ? gh_arena_dup(arena, gh_str_skip(link, at + 7)) : NONE;
    return GH_OK;
}

/* The token of the link in the one mail that waits. */
static struct gh_str sent_token(struct gh_identity_fixture *fixture)
{
    struct gh_str token = NONE;
    struct gh_mailer mailer = {take_link, &token};
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_int_equal(gh_fixture_mail_count(fixture), 1);
    assert_int_equal(gh_outbox_step(&call, &mailer), GH_IDENTITY_OK);
    return token;
}

static struct gh_str sign_up_for_a_link(struct gh_identity_fixture *fixture, const char *email,
                                        struct gh_str password)
{
    struct gh_account_view view;
    assert_int_equal(sign_up(fixture, email, password, &view), GH_IDENTITY_OK);
    return sent_token(fixture);
}

static void confirms_the_password_that_belongs_to_the_link(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    const struct {
        const char *email;
        size_t used;
    } CASES[] = {{ALICE, 0}, {BOB, 1}};
    for (size_t i = 0; i < 2; i++) {
        struct gh_str tokens[] = {
            sign_up_for_a_link(fixture, CASES[i].email, FIXTURE_PASSWORD),
            sign_up_for_a_link(fixture, CASES[i].email, FIXTURE_PASSWORD2),
        };
        assert_int_equal(verify(fixture, tokens[CASES[i].used]), GH_IDENTITY_OK);
        assert_int_equal(verify(fixture, tokens[!CASES[i].used]), GH_IDENTITY_BAD_TOKEN);
        assert_int_equal(may_login(fixture, CASES[i].email, FIXTURE_PASSWORD), !CASES[i].used);
        assert_int_equal(may_login(fixture, CASES[i].email, FIXTURE_PASSWORD2), CASES[i].used);
    }
}

static void names_the_account_as_its_confirmed_sign_up_did(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account_view view;
    struct gh_identity_call call = gh_fixture_call(fixture);
    sign_up_for_a_link(fixture, ALICE, FIXTURE_PASSWORD);
    struct gh_sign_up request = {GH_STR(ALICE), FIXTURE_PASSWORD2, GH_STR("\"L\xc3\xa9\\ah\"")};
    assert_int_equal(gh_sign_up(&call, &request, &view), GH_IDENTITY_OK);
    assert_int_equal(verify(fixture, sent_token(fixture)), GH_IDENTITY_OK);
    struct gh_session_grant grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD2);
    assert_true(gh_str_eq(grant.account.name, request.name));
}

/* Which of the passwords is whose can't be known: the owner sets one by a reset. */
static void a_link_sent_again_confirms_no_password_of_two(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_identity_call call = gh_fixture_call(fixture);
    sign_up_for_a_link(fixture, ALICE, FIXTURE_PASSWORD);
    sign_up_for_a_link(fixture, ALICE, FIXTURE_PASSWORD2);
    fixture->now_us += FIXTURE_HOUR;
    call.now_us = fixture->now_us;
    assert_int_equal(gh_email_resend(&call, GH_STR(ALICE)), GH_IDENTITY_OK);
    assert_int_equal(verify(fixture, sent_token(fixture)), GH_IDENTITY_OK);
    assert_false(may_login(fixture, ALICE, FIXTURE_PASSWORD));
    assert_false(may_login(fixture, ALICE, FIXTURE_PASSWORD2));
}

static void a_link_sent_again_confirms_the_only_password(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_identity_call call = gh_fixture_call(fixture);
    sign_up_for_a_link(fixture, ALICE, FIXTURE_PASSWORD);
    assert_int_equal(gh_email_resend(&call, GH_STR(ALICE)), GH_IDENTITY_OK);
    assert_int_equal(verify(fixture, sent_token(fixture)), GH_IDENTITY_OK);
    assert_true(may_login(fixture, ALICE, FIXTURE_PASSWORD));
}

static void give_roles(struct gh_account *account)
{
    account->roles = GH_STR("user,admin");
}
static void give_factor(struct gh_account *account)
{
    account->totp_secret = account->email; /* any sealed text */
}
static void give_login(struct gh_account *account)
{
    account->last_login_us = account->created_us;
}

/* Imported, or of a time when addresses were not confirmed. */
static void takes_nobodys_account_by_a_sign_up(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    gh_fixture_change *const GIVE[] = {give_roles, give_factor, give_login};
    for (unsigned i = 0; i < 3; i++) {
        const char *email = gh_arena_format(&fixture->arena, "owner%u@example.com", i).ptr;
        struct gh_account account, after;
        struct gh_str id = gh_fixture_account(fixture, email, FIXTURE_PASSWORD, USER);
        assert_true(gh_fixture_account_row(fixture, id, &account));
        account.email_verified_us = 0;
        GIVE[i](&account);
        gh_fixture_account_put(fixture, &account);
        struct gh_str token = sign_up_for_a_link(fixture, email, FIXTURE_PASSWORD2);
        assert_true(gh_fixture_account_row(fixture, id, &after));
        assert_true(gh_str_eq(after.password_hash, account.password_hash));
        assert_int_equal(after.password_changed_us, account.password_changed_us);
        assert_int_equal(verify(fixture, token), GH_IDENTITY_OK);
        assert_true(gh_fixture_account_row(fixture, id, &after));
        assert_true(after.email_verified_us != 0);
        assert_true(gh_str_eq(after.password_hash, account.password_hash));
        assert_false(may_login(fixture, email, FIXTURE_PASSWORD2));
        assert_true(may_login(fixture, email, FIXTURE_PASSWORD));
    }
}

static void makes_accounts_at_once_without_confirmation(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account_view view;
    fixture->settings.verify_email = false;
    assert_int_equal(sign_up(fixture, ALICE, FIXTURE_PASSWORD, &view), GH_IDENTITY_OK);
    assert_true(gh_str_eq(view.email, GH_STR(ALICE)));
    assert_true(gh_str_eq(view.name, GH_STR("Alice")));
    assert_int_equal(view.roles, USER);
    assert_true(view.email_verified && view.has_password && !view.must_enrol);
    assert_int_equal(gh_fixture_mail_count(fixture), 0);
    assert_true(may_login(fixture, ALICE, FIXTURE_PASSWORD));
    assert_int_equal(sign_up(fixture, ALICE, FIXTURE_PASSWORD2, &view), GH_IDENTITY_EMAIL_TAKEN);
    assert_int_equal(sign_up(fixture, "ALICE@example.com", FIXTURE_PASSWORD2, &view),
                     GH_IDENTITY_EMAIL_TAKEN);
    assert_true(may_login(fixture, ALICE, FIXTURE_PASSWORD));
}

static void refuses_bad_sign_ups(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account_view view;
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_sign_up request = {GH_STR(ALICE), FIXTURE_PASSWORD, GH_STR("a\nb")};
    assert_int_equal(gh_sign_up(&call, &request, &view), GH_IDENTITY_INVALID);
    assert_non_null(call.why);
    assert_int_equal(sign_up(fixture, "rubbish", FIXTURE_PASSWORD, &view), GH_IDENTITY_INVALID);
    assert_int_equal(sign_up(fixture, ALICE, GH_STR("Password123456"), &view),
                     GH_IDENTITY_WEAK_PASSWORD);
    assert_int_equal(
        sign_up(fixture, "quixotic.wanderer@example.com", GH_STR("quixotic.wanderer"), &view),
        GH_IDENTITY_WEAK_PASSWORD);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SIGNUP, NULL), 0);
    gh_fixture_store_fail(fixture->store, 1, GH_ERR_FULL);
    assert_int_equal(sign_up(fixture, ALICE, FIXTURE_PASSWORD, &view), GH_IDENTITY_UNAVAILABLE);
    assert_int_equal(gh_fixture_mail_count(fixture), 0);
}

static void seals_what_is_personal(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account_view view;
    struct gh_account account;
    sign_up(fixture, ALICE, FIXTURE_PASSWORD, &view);
    assert_true(gh_fixture_account_row(fixture, signed_up(fixture), &account));
    assert_true(gh_str_find(account.email, GH_STR("alice")) == account.email.len);
    assert_true(gh_str_find(account.name, GH_STR("Alice")) == account.name.len);
}

/* ---- Another address ---- */

static void changes_the_address_when_the_new_one_is_confirmed(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account_view view;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_int_equal(gh_email_change(&call, GH_STR("wrong"), GH_STR("new@example.com")),
                     GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(gh_email_change(&call, FIXTURE_PASSWORD, GH_STR("rubbish")),
                     GH_IDENTITY_INVALID);
    assert_int_equal(gh_email_change(&call, FIXTURE_PASSWORD, GH_STR("new@example.com")),
                     GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_mail_count(fixture), 2); /* a link, and a notice */
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_PROFILE_UPDATED, NULL), 1);
    assert_int_equal(gh_account_get(&call, &view), GH_IDENTITY_OK);
    assert_true(gh_str_eq(view.email, GH_STR(ALICE)));
    struct gh_str reset = gh_fixture_ticket(fixture, GH_TICKET_RESET, id, GH_STR(""));
    struct gh_str token =
        gh_fixture_ticket(fixture, GH_TICKET_CHANGE_EMAIL, id, GH_STR("new@example.com"));
    assert_int_equal(verify(fixture, token), GH_IDENTITY_OK);
    assert_int_equal(gh_account_get(&call, &view), GH_IDENTITY_OK);
    assert_true(gh_str_eq(view.email, GH_STR("new@example.com")));
    assert_true(gh_fixture_is_revoked(fixture, grant.access_token)); /* it names the old one */
    assert_false(may_login(fixture, ALICE, FIXTURE_PASSWORD));
    assert_true(may_login(fixture, "new@example.com", FIXTURE_PASSWORD));
    assert_int_equal(verify(fixture, token), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(verify(fixture, reset), GH_IDENTITY_BAD_TOKEN);
}

static void does_not_take_the_address_of_another(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    gh_fixture_account(fixture, BOB, FIXTURE_PASSWORD, USER);
    struct gh_identity_call call = call_of(fixture, ALICE);
    assert_int_equal(gh_email_change(&call, FIXTURE_PASSWORD, GH_STR(BOB)), GH_IDENTITY_OK);
    struct gh_str token = gh_fixture_ticket(fixture, GH_TICKET_CHANGE_EMAIL, id, GH_STR(BOB));
    assert_int_equal(verify(fixture, token), GH_IDENTITY_BAD_TOKEN);
    assert_true(may_login(fixture, ALICE, FIXTURE_PASSWORD));
}

/* ---- Profile ---- */

static void updates_the_profile(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account_view view;
    struct gh_audit_record record;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_identity_call call = call_of(fixture, ALICE);
    assert_int_equal(gh_profile_update(&call, GH_STR("Alice L."), GH_STR("en-GB"), &view),
                     GH_IDENTITY_OK);
    assert_true(gh_str_eq(view.name, GH_STR("Alice L.")));
    assert_true(gh_str_eq(view.locale, GH_STR("en-GB")));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_PROFILE_UPDATED, &record), 1);
    assert_true(gh_str_eq(record.metadata, GH_STR("{\"fields\":[\"name\",\"locale\"]}")));
    assert_int_equal(gh_profile_update(&call, NONE, GH_STR("en-GB"), &view), GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_PROFILE_UPDATED, NULL), 1);
    assert_int_equal(gh_profile_update(&call, GH_STR(""), NONE, &view), GH_IDENTITY_OK);
    assert_int_equal(view.name.len, 0);
    assert_true(gh_str_eq(view.locale, GH_STR("en-GB")));
}

static void refuses_bad_profiles(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account_view view;
    static const char *const LOCALES[] = {"e",      "en_GB", "en-",       "-en",      "12",
                                          "en--GB", "en GB", "abcdefghi", "d\xc3\xa9"};
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_identity_call call = call_of(fixture, ALICE);
    for (size_t i = 0; i < sizeof(LOCALES) / sizeof(LOCALES[0]); i++)
        assert_int_equal(gh_profile_update(&call, NONE, gh_str_from_c(LOCALES[i]), &view),
                         GH_IDENTITY_INVALID);
    char name[202];
    for (size_t i = 0; i < sizeof(name); i += 2)
        memcpy(name + i, "\xc3\xa4", 2);
    assert_int_equal(gh_profile_update(&call, gh_str_of(name, 200), NONE, &view), GH_IDENTITY_OK);
    assert_int_equal(gh_profile_update(&call, gh_str_of(name, 202), NONE, &view),
                     GH_IDENTITY_INVALID);
    assert_int_equal(gh_profile_update(&call, gh_str_of(name, 3), NONE, &view),
                     GH_IDENTITY_INVALID);
    assert_int_equal(gh_profile_update(&call, GH_STR("a\x1b[0m"), NONE, &view),
                     GH_IDENTITY_INVALID);
}

/* ---- Removal ---- */

static void removes_an_account_with_all_of_its_own(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account account;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_int_equal(gh_account_remove(&call, GH_STR("wrong"), NONE), GH_IDENTITY_BAD_CREDENTIALS);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    assert_int_equal(gh_account_remove(&call, FIXTURE_PASSWORD, NONE), GH_IDENTITY_OK);
    assert_false(gh_fixture_account_row(fixture, id, &account));
    assert_true(gh_fixture_is_revoked(fixture, grant.access_token));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_ACCOUNT_DELETED, NULL), 1);
    assert_int_equal(gh_fixture_mail_count(fixture), 1);
    assert_false(may_login(fixture, ALICE, FIXTURE_PASSWORD));
    assert_int_equal(gh_account_remove(&call, FIXTURE_PASSWORD, NONE), GH_IDENTITY_SESSION_ENDED);
}

static void does_not_remove_the_last_admin(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account account;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER | ADMIN);
    struct gh_identity_call call = call_of(fixture, ALICE);
    assert_int_equal(gh_account_remove(&call, FIXTURE_PASSWORD, NONE), GH_IDENTITY_CONFLICT);
    assert_non_null(call.why);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_ACCOUNT_DELETED, NULL), 0);
    gh_fixture_account(fixture, BOB, FIXTURE_PASSWORD, USER | ADMIN);
    assert_int_equal(gh_account_remove(&call, FIXTURE_PASSWORD, NONE), GH_IDENTITY_OK);
}

static void shows_ones_own_records_only(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_entries entries;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    gh_fixture_account(fixture, BOB, FIXTURE_PASSWORD, USER);
    call_of(fixture, BOB);
    struct gh_identity_call call = call_of(fixture, ALICE);
    assert_int_equal(gh_account_activity(&call, 0, 50, &entries), GH_IDENTITY_OK);
    assert_int_equal(entries.count, 1);
    assert_int_equal(entries.items[0].record.event, GH_AUDIT_LOGIN);
    assert_true(gh_str_eq(entries.items[0].record.user_id, call.subject->id));
    assert_true(gh_str_eq(entries.items[0].record.ip_address, call.client));
    assert_int_equal(gh_account_activity(&call, 0, 0, &entries), GH_IDENTITY_INVALID);
    assert_int_equal(gh_account_activity(&call, 0, 201, &entries), GH_IDENTITY_INVALID);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(normalises_addresses),
        TEST(refuses_what_is_no_address),
        TEST(waits_for_the_confirmation),
        TEST(does_not_tell_that_an_address_is_known),
        TEST(runs_one_unit_whether_known_or_not),
        TEST(confirms_the_password_that_belongs_to_the_link),
        TEST(names_the_account_as_its_confirmed_sign_up_did),
        TEST(a_link_sent_again_confirms_no_password_of_two),
        TEST(a_link_sent_again_confirms_the_only_password),
        TEST(takes_nobodys_account_by_a_sign_up),
        TEST(makes_accounts_at_once_without_confirmation),
        TEST(refuses_bad_sign_ups),
        TEST(seals_what_is_personal),
        TEST(changes_the_address_when_the_new_one_is_confirmed),
        TEST(does_not_take_the_address_of_another),
        TEST(updates_the_profile),
        TEST(refuses_bad_profiles),
        TEST(removes_an_account_with_all_of_its_own),
        TEST(does_not_remove_the_last_admin),
        TEST(shows_ones_own_records_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
