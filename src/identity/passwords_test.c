#include "identity/passwords.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>

#include "identity/account.h"
#include "identity/identity_fixture.h"
#include "identity/sessions.h"

#define ALICE   "alice@example.com"
#define USER    1
#define THREADS 50
#define NONE    ((struct gh_str){NULL, 0})

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

/* ---- What is accepted ---- */

static const char *judge(struct gh_identity_fixture *fixture, struct gh_str password)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    enum gh_identity_result result =
        gh_password_judge(&call, password, GH_STR(ALICE), GH_STR("Alice Liddell"));
    if (result == GH_IDENTITY_OK)
        return NULL;
    assert_int_equal(result, GH_IDENTITY_WEAK_PASSWORD);
    assert_non_null(call.why);
    return call.why;
}

static void accepts_what_is_hard_to_guess(void **state)
{
    static const char *GOOD[] = {
        "aB3$xK9mQz1L",
        "kfjwnqzrtvbp",
        "correct horse battery staple",
        "violet tractor seven moons",
        "unsung-kettle-73-orbit",
        "\xc3\xa4pfel und n\xc3\xbcsse im regal",
    };
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++)
        assert_null(judge(*state, gh_str_from_c(GOOD[i])));
}

static void refuses_what_is_easy_to_guess(void **state)
{
    static const char *BAD[] = {
        "Password123456", "password1234",       "qwertyuiop12",  "123456789012",
        "abcabcabcabc",   "P@ssw0rd12345",      "iloveyou2026",  "letmeinplease1",
        "aaaaaaaaaaaa",   "alice@example.com",  "aliceliddell1", "alice.example",
        "Summer2026!!",   "alice@example.com1",
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_non_null(judge(*state, gh_str_from_c(BAD[i])));
}

static void counts_characters_not_bytes(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    /* eleven characters of two bytes each are too few; twelve are enough */
    static const char ELEVEN[] = "\xd0\xb6\xd1\x84\xd1\x89\xd1\x8a\xd1\x8b\xd1\x8d\xd1\x8e\xd1\x8f"
                                 "\xd0\xb1\xd0\xb3\xd0\xb4";
    assert_string_equal(judge(fixture, gh_str_from_c(ELEVEN)),
                        "the password must have at least 12 characters");
    struct gh_str twelve = gh_arena_format(&fixture->arena, "%s\xd0\xb9", ELEVEN);
    assert_null(judge(fixture, twelve));
    fixture->settings.passwords.max_length = 20;
    assert_string_equal(judge(fixture, GH_STR("unsung-kettle-73-orbit")),
                        "the password must have at most 20 characters");
}

static void refuses_control_characters_and_broken_utf8(void **state)
{
    static const struct gh_str BAD[] = {
        GH_STR_INIT("unsung-kettle\x00-73-orbit"), GH_STR_INIT("unsung-kettle\n-73-orbit"),
        GH_STR_INIT("unsung-kettle\x7f-73-orbit"), GH_STR_INIT("unsung-kettle\xc2\x85-73-orbit"),
        GH_STR_INIT("unsung-kettle\xff-73-orbit"), GH_STR_INIT("unsung-kettle-73-orbit\xc3"),
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_non_null(judge(*state, BAD[i]));
}

static void refuses_over_72_bytes_under_bcrypt(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    static const char LONG[] = "violet tractor seven moons copper lantern quarrel ferry marble "
                               "unsung kettle";
    assert_true(sizeof(LONG) - 1 > 72);
    assert_null(judge(fixture, gh_str_from_c(LONG)));
    fixture->settings.passwords.hash = GH_PASSWORD_BCRYPT;
    assert_non_null(judge(fixture, gh_str_from_c(LONG)));
    assert_null(judge(fixture, gh_str_of(LONG, 72)));
    assert_non_null(judge(fixture, gh_str_of(LONG, 73)));
}

/* ---- Hashing ---- */

static const uint8_t INDEX[GH_SHA256_BYTES] = {0};

static bool matches(struct gh_identity_call *call, struct gh_str hash, struct gh_str password,
                    bool *out_upgrade)
{
    return gh_password_check(call, INDEX, hash, password, out_upgrade) == GH_OK;
}

static void matches_its_own_hash_only(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_identity_call call = gh_fixture_call(fixture);
    bool upgrade = true;
    struct gh_str hash = gh_password_make(&call, FIXTURE_PASSWORD);
    assert_true(matches(&call, hash, FIXTURE_PASSWORD, &upgrade));
    assert_false(upgrade);
    assert_false(matches(&call, hash, FIXTURE_PASSWORD2, &upgrade));
    assert_false(matches(&call, GH_STR(""), FIXTURE_PASSWORD, &upgrade));
    assert_false(matches(&call, GH_STR(""), GH_STR(""), &upgrade));
    assert_false(matches(&call, GH_STR("rubbish"), FIXTURE_PASSWORD, &upgrade));
    fixture->settings.passwords.hash = GH_PASSWORD_BCRYPT;
    assert_true(matches(&call, hash, FIXTURE_PASSWORD, &upgrade));
    assert_true(upgrade);
    /* nobody's: computed under the other scheme too (an assertion inside says so) */
    assert_int_equal(gh_password_check(&call, INDEX, GH_STR(""), FIXTURE_PASSWORD, &upgrade),
                     GH_ERR_NOT_FOUND);
    fixture->settings.passwords.memory_bytes = (8 << 20) + 7; /* no whole number of KiB */
    fixture->settings.passwords.hash = GH_PASSWORD_ARGON2ID;
    hash = gh_password_make(&call, FIXTURE_PASSWORD);
    assert_true(matches(&call, hash, FIXTURE_PASSWORD, &upgrade));
    assert_false(upgrade);
}

/* ---- Change ---- */

static void switch_on_second_factor(struct gh_identity_fixture *fixture, struct gh_str id)
{
    struct gh_account account;
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.totp_secret = gh_vault_seal(fixture->vault, &fixture->arena, "accounts.totp_secret", id,
                                        GH_STR("a secret of 20 bytes"));
    account.totp_enabled = true;
    gh_fixture_account_put(fixture, &account);
}

static enum gh_identity_result change(struct gh_identity_fixture *fixture, struct gh_str access,
                                      struct gh_str current, struct gh_str next)
{
    struct gh_identity_call call = gh_fixture_call_as(fixture, access);
    return gh_password_change(&call, current, NONE, next);
}

static bool may_login(struct gh_identity_fixture *fixture, struct gh_str password)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_login request = {.email = GH_STR(ALICE), .password = password};
    struct gh_login_answer answer;
    return gh_login(&call, &request, &answer) == GH_IDENTITY_OK;
}

static void changes_a_password_and_ends_the_other_sessions(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant other = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    struct gh_session_grant own = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    fixture->now_us += FIXTURE_MINUTE;
    assert_int_equal(change(fixture, own.access_token, FIXTURE_PASSWORD, FIXTURE_PASSWORD2),
                     GH_IDENTITY_OK);
    assert_true(gh_fixture_is_revoked(fixture, other.access_token));
    assert_false(gh_fixture_is_revoked(fixture, own.access_token));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_PASSWORD_CHANGE, &record), 1);
    assert_true(gh_str_starts_with(record.metadata, GH_STR("{\"by\":")));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, &record), 1);
    assert_true(gh_str_eq(record.metadata, GH_STR("{\"count\":1,\"reason\":\"password_change\"}")));
    assert_int_equal(gh_fixture_mail_count(fixture), 1);
    assert_false(may_login(fixture, FIXTURE_PASSWORD));
    assert_true(may_login(fixture, FIXTURE_PASSWORD2));
}

static void does_not_change_by_a_wrong_current_password(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant own = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    assert_int_equal(change(fixture, own.access_token, GH_STR("wrong"), FIXTURE_PASSWORD2),
                     GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN_FAILED, NULL), 1);
    assert_int_equal(change(fixture, own.access_token, FIXTURE_PASSWORD, GH_STR("Password1234")),
                     GH_IDENTITY_WEAK_PASSWORD);
    assert_true(may_login(fixture, FIXTURE_PASSWORD));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_PASSWORD_CHANGE, NULL), 0);
}

static void was_reset(struct gh_account *account)
{
    account->password_changed_us++;
}

static void does_not_change_what_was_reset_meanwhile(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant own = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    gh_fixture_change_after_reads(fixture, id, was_reset);
    assert_int_equal(change(fixture, own.access_token, FIXTURE_PASSWORD, FIXTURE_PASSWORD2),
                     GH_IDENTITY_BAD_CREDENTIALS);
    gh_fixture_change_after_reads(fixture, id, NULL);
    assert_true(may_login(fixture, FIXTURE_PASSWORD));
}

static void was_disabled(struct gh_account *account)
{
    account->status = GH_ACCOUNT_DISABLED;
}

static void does_not_change_the_password_of_an_account_disabled_meanwhile(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account before, after;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_true(gh_fixture_account_row(fixture, id, &before));
    gh_fixture_change_after_write(fixture, id, was_disabled);
    assert_int_equal(gh_password_change(&call, FIXTURE_PASSWORD, NONE, FIXTURE_PASSWORD2),
                     GH_IDENTITY_SESSION_ENDED);
    assert_true(gh_fixture_account_row(fixture, id, &after));
    assert_true(gh_str_eq(before.password_hash, after.password_hash));
}

static void wants_a_code_when_the_session_is_not_fresh(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant own = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    switch_on_second_factor(fixture, id);
    fixture->now_us += 11 * FIXTURE_MINUTE;
    assert_int_equal(change(fixture, own.access_token, FIXTURE_PASSWORD, FIXTURE_PASSWORD2),
                     GH_IDENTITY_BAD_CODE);
    fixture->now_us -= 2 * FIXTURE_MINUTE; /* as if it had been asked sooner */
    assert_int_equal(change(fixture, own.access_token, FIXTURE_PASSWORD, FIXTURE_PASSWORD2),
                     GH_IDENTITY_OK);
}

/* ---- Reset ---- */

static enum gh_identity_result reset(struct gh_identity_fixture *fixture, struct gh_str token,
                                     struct gh_str next)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    return gh_password_reset(&call, token, next);
}

static struct gh_str reset_token(struct gh_identity_fixture *fixture, struct gh_str id)
{
    return gh_fixture_ticket(fixture, GH_TICKET_RESET, id, GH_STR(""));
}

static void asks_for_a_reset_alike_for_all(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_int_equal(gh_password_reset_request(&call, GH_STR(ALICE)), GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_PASSWORD_RESET_REQUEST, &record), 1);
    assert_true(gh_str_eq(record.metadata, GH_STR("{\"email\":\"" ALICE "\",\"known\":true}")));
    assert_int_equal(gh_password_reset_request(&call, GH_STR("nobody@example.com")),
                     GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_PASSWORD_RESET_REQUEST, &record), 2);
    assert_true(
        gh_str_eq(record.metadata, GH_STR("{\"email\":\"nobody@example.com\",\"known\":false}")));
    assert_int_equal(record.user_id.len, 0);
    assert_int_equal(gh_fixture_mail_count(fixture), 2); /* sent to those that there are */
    assert_int_equal(gh_password_reset_request(&call, GH_STR("rubbish")), GH_IDENTITY_INVALID);
}

static void resets_by_a_link_and_ends_all_sessions(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    struct gh_str token = reset_token(fixture, id);
    fixture->now_us += 15 * FIXTURE_MINUTE - 1;
    assert_int_equal(reset(fixture, token, FIXTURE_PASSWORD2), GH_IDENTITY_OK);
    fixture->now_us -= FIXTURE_MINUTE; /* so that the access token can still be read */
    assert_true(gh_fixture_is_revoked(fixture, grant.access_token));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_PASSWORD_CHANGE, &record), 1);
    assert_true(gh_str_eq(record.metadata, GH_STR("{\"by\":\"reset\"}")));
    assert_false(may_login(fixture, FIXTURE_PASSWORD));
    assert_true(may_login(fixture, FIXTURE_PASSWORD2));
}

static void takes_a_link_once(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_str token = reset_token(fixture, id);
    assert_int_equal(reset(fixture, token, FIXTURE_PASSWORD2), GH_IDENTITY_OK);
    assert_int_equal(reset(fixture, token, FIXTURE_PASSWORD), GH_IDENTITY_BAD_TOKEN);
    assert_true(may_login(fixture, FIXTURE_PASSWORD2));
}

static void keeps_a_link_good_after_a_weak_password(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_str token = reset_token(fixture, id);
    assert_int_equal(reset(fixture, token, GH_STR("short")), GH_IDENTITY_WEAK_PASSWORD);
    assert_int_equal(reset(fixture, token, FIXTURE_PASSWORD2), GH_IDENTITY_OK);
}

static void refuses_links_that_are_old_or_of_another_kind(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_str old = reset_token(fixture, id);
    fixture->now_us += 15 * FIXTURE_MINUTE;
    assert_int_equal(reset(fixture, old, FIXTURE_PASSWORD2), GH_IDENTITY_BAD_TOKEN);
    struct gh_str confirm = gh_fixture_ticket(fixture, GH_TICKET_CONFIRM_EMAIL, id, GH_STR(""));
    struct gh_str replaced = reset_token(fixture, id), newest = reset_token(fixture, id);
    assert_int_equal(reset(fixture, confirm, FIXTURE_PASSWORD2), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(reset(fixture, replaced, FIXTURE_PASSWORD2), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(reset(fixture, GH_STR(""), FIXTURE_PASSWORD2), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(reset(fixture, GH_STR("rubbish"), FIXTURE_PASSWORD2), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(reset(fixture, newest, FIXTURE_PASSWORD2), GH_IDENTITY_OK);
}

static void does_not_reset_a_disabled_account(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account account;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_str token = reset_token(fixture, id);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.status = GH_ACCOUNT_DISABLED;
    gh_fixture_account_put(fixture, &account);
    assert_int_equal(reset(fixture, token, FIXTURE_PASSWORD2), GH_IDENTITY_BAD_TOKEN);
}

static void ends_the_change_of_address_that_a_thief_has_begun(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_str change =
        gh_fixture_ticket(fixture, GH_TICKET_CHANGE_EMAIL, id, GH_STR("thief@example.com"));
    assert_int_equal(reset(fixture, reset_token(fixture, id), FIXTURE_PASSWORD2), GH_IDENTITY_OK);
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_int_equal(gh_email_verify(&call, change), GH_IDENTITY_BAD_TOKEN);
    assert_true(may_login(fixture, FIXTURE_PASSWORD2));
}

static void never_skips_the_second_factor(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_account account;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    switch_on_second_factor(fixture, id);
    assert_int_equal(reset(fixture, reset_token(fixture, id), FIXTURE_PASSWORD2), GH_IDENTITY_OK);
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_login request = {.email = GH_STR(ALICE), .password = FIXTURE_PASSWORD2};
    struct gh_login_answer answer;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_OK);
    assert_true(answer.two_factor_required);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    assert_true(account.totp_enabled);
}

static void ends_half_done_logins(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    switch_on_second_factor(fixture, id);
    struct gh_str challenge = gh_fixture_ticket(fixture, GH_TICKET_CHALLENGE, id, GH_STR(""));
    assert_int_equal(reset(fixture, reset_token(fixture, id), FIXTURE_PASSWORD2), GH_IDENTITY_OK);
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_int_equal(gh_login_second_step(&call, challenge, GH_STR("123456"), &grant),
                     GH_IDENTITY_BAD_TOKEN);
}

static void forgives_the_owner_by_a_reset(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    for (unsigned n = 0; n < 6; n++) {
        struct gh_identity_call call = gh_fixture_call(fixture);
        struct gh_login request = {.email = GH_STR(ALICE), .password = GH_STR("wrong")};
        struct gh_login_answer answer;
        call.network = gh_arena_format(&fixture->arena, "net %u", n);
        assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_BAD_CREDENTIALS);
    }
    assert_false(may_login(fixture, FIXTURE_PASSWORD));
    assert_int_equal(reset(fixture, reset_token(fixture, id), FIXTURE_PASSWORD2), GH_IDENTITY_OK);
    assert_true(may_login(fixture, FIXTURE_PASSWORD2));
}

struct racer {
    struct gh_identity_fixture *fixture;
    struct gh_str token, next;
    struct gh_arena arena;
    enum gh_identity_result result;
};

static void *race(void *args)
{
    struct racer *racer = args;
    struct gh_identity_call call = gh_fixture_call(racer->fixture);
    call.arena = &racer->arena;
    racer->result = gh_password_reset(&call, racer->token, racer->next);
    return NULL;
}

static void lets_one_of_fifty_at_once_use_a_link(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    struct gh_str winner = {NULL, 0};
    struct gh_str id = gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_str token = reset_token(fixture, id);
    for (size_t i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.fixture = fixture, .token = token};
        racers[i].next =
            gh_arena_format(&fixture->arena, "marble+ferry+quarrel+%u", 100 + (unsigned)i);
        gh_arena_init(&racers[i].arena, 8192, 1 << 20);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        gh_arena_done(&racers[i].arena);
        if (racers[i].result == GH_IDENTITY_BAD_TOKEN)
            continue;
        assert_int_equal(racers[i].result, GH_IDENTITY_OK);
        assert_null(winner.ptr);
        winner = racers[i].next;
    }
    assert_non_null(winner.ptr);
    assert_true(may_login(fixture, winner));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_PASSWORD_CHANGE, NULL), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(accepts_what_is_hard_to_guess),
        TEST(refuses_what_is_easy_to_guess),
        TEST(counts_characters_not_bytes),
        TEST(refuses_control_characters_and_broken_utf8),
        TEST(refuses_over_72_bytes_under_bcrypt),
        TEST(matches_its_own_hash_only),
        TEST(changes_a_password_and_ends_the_other_sessions),
        TEST(does_not_change_by_a_wrong_current_password),
        TEST(does_not_change_what_was_reset_meanwhile),
        TEST(does_not_change_the_password_of_an_account_disabled_meanwhile),
        TEST(wants_a_code_when_the_session_is_not_fresh),
        TEST(asks_for_a_reset_alike_for_all),
        TEST(resets_by_a_link_and_ends_all_sessions),
        TEST(takes_a_link_once),
        TEST(keeps_a_link_good_after_a_weak_password),
        TEST(refuses_links_that_are_old_or_of_another_kind),
        TEST(does_not_reset_a_disabled_account),
        TEST(ends_the_change_of_address_that_a_thief_has_begun),
        TEST(never_skips_the_second_factor),
        TEST(ends_half_done_logins),
        TEST(forgives_the_owner_by_a_reset),
        TEST(lets_one_of_fifty_at_once_use_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
