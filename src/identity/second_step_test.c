/* Signing in by a second factor, and being asked again (step-up). */
#include "identity/login.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>

#include "crypto/totp.h"
#include "identity/identity_fixture.h"
#include "identity/sessions.h"
#include "identity/ticket.h"
#include "identity/two_factor.h"

#define ALICE   "alice@example.com"
#define USER    1
#define THREADS 50
#define SECRET  GH_STR("a secret of 20 bytes")
#define NONE    ((struct gh_str){NULL, 0})

static int setup(void **state)
{
    static struct gh_identity_fixture fixture;
    gh_identity_fixture_open(&fixture);
    gh_fixture_account(&fixture, ALICE, FIXTURE_PASSWORD, USER);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    gh_identity_fixture_close(*state);
    return 0;
}

static struct gh_session_grant plain_login(struct gh_identity_fixture *fixture)
{
    return gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
}

static struct gh_str switch_on(struct gh_identity_fixture *fixture)
{
    struct gh_account account;
    struct gh_session_grant grant = plain_login(fixture);
    struct gh_str id = gh_arena_dup(&fixture->arena, gh_id_str(&grant.account.id));
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.totp_secret =
        gh_vault_seal(fixture->vault, &fixture->arena, "accounts.totp_secret", id, SECRET);
    account.totp_enabled = true;
    gh_fixture_account_put(fixture, &account);
    return id;
}

static struct gh_str code_now(struct gh_identity_fixture *fixture)
{
    char code[GH_TOTP_DIGITS + 1];
    gh_totp_code(SECRET, fixture->now_us / FIXTURE_SECOND / GH_TOTP_STEP_SECONDS, code);
    return gh_arena_dup(&fixture->arena, gh_str_from_c(code));
}

/* Six digits that are no code of now. */
static struct gh_str wrong_code(struct gh_identity_fixture *fixture)
{
    struct gh_str code = code_now(fixture);
    ((char *)code.ptr)[0] = code.ptr[0] == '9' ? '0' : (char)(code.ptr[0] + 1);
    return code;
}

static struct gh_str challenge(struct gh_identity_fixture *fixture, bool remember)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_login request = {GH_STR(ALICE), FIXTURE_PASSWORD, remember};
    struct gh_login_answer answer;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_OK);
    assert_true(answer.two_factor_required);
    assert_null(answer.grant.access_token.ptr);
    assert_null(answer.grant.refresh_token.ptr);
    return answer.challenge;
}

static enum gh_identity_result second_step(struct gh_identity_fixture *fixture, struct gh_str token,
                                           struct gh_str code, struct gh_session_grant *out_grant)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    call.network = gh_arena_format(&fixture->arena, "net %llu",
                                   (unsigned long long)atomic_fetch_add(&fixture->drawn, 1));
    return gh_login_second_step(&call, token, code, out_grant);
}

/* ---- The second step ---- */

static void opens_the_session_at_the_second_step(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    struct gh_session_grant grant;
    switch_on(fixture);
    size_t logins = gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN, NULL);
    struct gh_str token = challenge(fixture, true);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN, NULL), logins);
    assert_int_equal(second_step(fixture, token, code_now(fixture), &grant), GH_IDENTITY_OK);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_true(call.subject->two_factor);
    assert_true(grant.two_factor);
    assert_int_equal(grant.refresh_s, 30 * 24 * 60 * 60); /* as it was ticked at the first step */
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN, &record), logins + 1);
    assert_true(gh_str_eq(record.metadata, GH_STR("{\"method\":\"totp\",\"new_device\":true}")));
}

static void takes_a_challenge_once(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant;
    switch_on(fixture);
    struct gh_str token = challenge(fixture, false);
    assert_int_equal(second_step(fixture, token, code_now(fixture), &grant), GH_IDENTITY_OK);
    fixture->now_us += FIXTURE_MINUTE;
    assert_int_equal(second_step(fixture, token, code_now(fixture), &grant), GH_IDENTITY_BAD_TOKEN);
}

static void takes_a_code_once(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant;
    switch_on(fixture);
    struct gh_str first = challenge(fixture, false), second = challenge(fixture, false);
    assert_int_equal(second_step(fixture, first, code_now(fixture), &grant), GH_IDENTITY_OK);
    assert_int_equal(second_step(fixture, second, code_now(fixture), &grant), GH_IDENTITY_BAD_CODE);
}

static void refuses_an_unknown_challenge(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant;
    struct gh_str id = switch_on(fixture);
    struct gh_str reset = gh_fixture_ticket(fixture, GH_TICKET_RESET, id, GH_STR(""));
    assert_int_equal(second_step(fixture, GH_STR("rubbish"), code_now(fixture), &grant),
                     GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(second_step(fixture, GH_STR(""), code_now(fixture), &grant),
                     GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(second_step(fixture, reset, code_now(fixture), &grant), GH_IDENTITY_BAD_TOKEN);
}

static void lets_a_challenge_run_out_after_five_minutes(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant;
    switch_on(fixture);
    struct gh_str token = challenge(fixture, false);
    fixture->now_us += 5 * FIXTURE_MINUTE;
    assert_int_equal(second_step(fixture, token, code_now(fixture), &grant), GH_IDENTITY_BAD_TOKEN);
}

static void allows_five_tries_a_challenge(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    struct gh_session_grant grant;
    switch_on(fixture);
    struct gh_str token = challenge(fixture, false);
    for (unsigned n = 0; n < 5; n++)
        assert_int_equal(second_step(fixture, token, wrong_code(fixture), &grant),
                         GH_IDENTITY_BAD_CODE);
    assert_int_equal(second_step(fixture, token, code_now(fixture), &grant), GH_IDENTITY_BAD_TOKEN);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_TWO_FACTOR_FAILED, &record), 5);
    assert_true(gh_str_eq(record.metadata, GH_STR("{\"reason\":\"login\"}")));
}

static void counts_wrong_codes_as_failed_logins(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant;
    switch_on(fixture);
    struct gh_str token = challenge(fixture, false), next = challenge(fixture, false);
    for (unsigned n = 0; n < 5; n++)
        second_step(fixture, token, wrong_code(fixture), &grant);
    /* a right password does not forgive them */
    assert_int_equal(second_step(fixture, next, wrong_code(fixture), &grant), GH_IDENTITY_BAD_CODE);
    assert_int_equal(second_step(fixture, next, code_now(fixture), &grant), GH_IDENTITY_THROTTLED);
    fixture->now_us += FIXTURE_SECOND;
    assert_int_equal(second_step(fixture, next, code_now(fixture), &grant), GH_IDENTITY_OK);
}

static void refuses_a_challenge_of_a_disabled_account(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant;
    struct gh_account account;
    struct gh_str id = switch_on(fixture), token = challenge(fixture, false);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.status = GH_ACCOUNT_DISABLED;
    gh_fixture_account_put(fixture, &account);
    assert_int_equal(second_step(fixture, token, code_now(fixture), &grant), GH_IDENTITY_BAD_TOKEN);
}

static void refuses_a_challenge_when_the_factor_was_taken_away(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant;
    struct gh_account account;
    struct gh_str id = switch_on(fixture), token = challenge(fixture, false);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.totp_enabled = false;
    gh_fixture_account_put(fixture, &account);
    assert_int_equal(second_step(fixture, token, code_now(fixture), &grant), GH_IDENTITY_BAD_TOKEN);
}

static void gives_no_assurance_of_a_factor_that_was_taken_away(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant, later;
    struct gh_account account;
    struct gh_str id = switch_on(fixture), token = challenge(fixture, false);
    assert_int_equal(second_step(fixture, token, code_now(fixture), &grant), GH_IDENTITY_OK);
    assert_true(gh_fixture_account_row(fixture, id, &account));
    account.totp_enabled = false;
    gh_fixture_account_put(fixture, &account);
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_int_equal(gh_session_refresh(&call, grant.refresh_token, &later), GH_IDENTITY_OK);
    call = gh_fixture_call_as(fixture, later.access_token);
    assert_false(call.subject->two_factor);
}

static bool refuse_quota(void *context, const char *policy, struct gh_str key, uint64_t *out_s)
{
    (void)key;
    *out_s = 9;
    return strcmp(policy, context) != 0;
}

static void asks_for_a_quota_of_the_account(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant;
    switch_on(fixture);
    struct gh_str token = challenge(fixture, false);
    fixture->identity.quota = (struct gh_identity_quota){refuse_quota, (void *)"two_factor"};
    assert_int_equal(second_step(fixture, token, code_now(fixture), &grant), GH_IDENTITY_THROTTLED);
    assert_int_equal(second_step(fixture, GH_STR("rubbish"), code_now(fixture), &grant),
                     GH_IDENTITY_BAD_TOKEN);
}

struct racer {
    struct gh_identity_fixture *fixture;
    struct gh_str token, code;
    struct gh_arena arena;
    enum gh_identity_result result;
};

static void *race(void *args)
{
    struct racer *racer = args;
    struct gh_identity_call call = gh_fixture_call(racer->fixture);
    struct gh_session_grant grant;
    call.arena = &racer->arena;
    racer->result = gh_login_second_step(&call, racer->token, racer->code, &grant);
    return NULL;
}

static void lets_one_of_fifty_at_once_in(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    size_t admitted = 0;
    switch_on(fixture);
    struct gh_str token = challenge(fixture, false), code = code_now(fixture);
    for (size_t i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.fixture = fixture, .token = token, .code = code};
        gh_arena_init(&racers[i].arena, 8192, 1 << 20);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        admitted += racers[i].result == GH_IDENTITY_OK;
        gh_arena_done(&racers[i].arena);
    }
    assert_int_equal(admitted, 1);
}

/* ---- Step-up ---- */

static void confirms_a_session_by_the_password(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    struct gh_session_grant grant = plain_login(fixture), next;
    fixture->now_us += 11 * FIXTURE_MINUTE;
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_false(gh_session_is_fresh(&call));
    assert_int_equal(gh_step_up(&call, FIXTURE_PASSWORD, NONE, &next), GH_IDENTITY_OK);
    assert_null(next.refresh_token.ptr);
    assert_true(gh_fixture_is_revoked(fixture, grant.access_token));
    assert_false(gh_fixture_is_revoked(fixture, next.access_token));
    assert_string_not_equal(grant.session_id.text, next.session_id.text);
    call = gh_fixture_call_as(fixture, next.access_token);
    assert_true(gh_session_is_fresh(&call));
    assert_false(call.subject->two_factor);
    gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN, &record);
    assert_true(
        gh_str_eq(record.metadata,
                  GH_STR("{\"method\":\"password\",\"new_device\":false,\"step_up\":true}")));
    struct gh_session_grant later; /* the refresh token goes on, and what it gives is fresh too */
    assert_int_equal(gh_session_refresh(&call, grant.refresh_token, &later), GH_IDENTITY_OK);
    assert_int_equal(later.authenticated_s, fixture->now_us / FIXTURE_SECOND);
}

static void confirms_a_session_by_a_code(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = plain_login(fixture), next;
    switch_on(fixture);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_int_equal(gh_step_up(&call, NONE, code_now(fixture), &next), GH_IDENTITY_OK);
    call = gh_fixture_call_as(fixture, next.access_token);
    assert_true(call.subject->two_factor);
    assert_int_equal(gh_step_up(&call, NONE, code_now(fixture), &next), GH_IDENTITY_BAD_CODE);
}

static void refuses_a_wrong_confirmation(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    struct gh_session_grant grant = plain_login(fixture), next;
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_int_equal(gh_step_up(&call, GH_STR("wrong"), NONE, &next), GH_IDENTITY_BAD_CREDENTIALS);
    gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN_FAILED, &record);
    assert_true(
        gh_str_eq(record.metadata, GH_STR("{\"email\":\"" ALICE "\",\"reason\":\"password\"}")));
    assert_int_equal(gh_step_up(&call, NONE, GH_STR("123456"), &next), GH_IDENTITY_BAD_CODE);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN_FAILED, &record), 2);
    assert_true(
        gh_str_eq(record.metadata, GH_STR("{\"email\":\"" ALICE "\",\"reason\":\"code\"}")));
    assert_int_equal(gh_step_up(&call, NONE, NONE, &next), GH_IDENTITY_INVALID);
    assert_int_equal(gh_step_up(&call, GH_STR("a"), GH_STR("b"), &next), GH_IDENTITY_INVALID);
    assert_false(gh_fixture_is_revoked(fixture, grant.access_token));
}

static void throttles_wrong_confirmations(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = plain_login(fixture), next;
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    for (unsigned n = 0; n < 6; n++)
        assert_int_equal(gh_step_up(&call, GH_STR("wrong"), NONE, &next),
                         GH_IDENTITY_BAD_CREDENTIALS);
    assert_int_equal(gh_step_up(&call, FIXTURE_PASSWORD, NONE, &next), GH_IDENTITY_THROTTLED);
    assert_int_equal(call.retry_after_s, 1);
}

static void the_password_does_not_forgive_wrong_codes(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = plain_login(fixture), next;
    switch_on(fixture);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    for (unsigned n = 0; n < 6; n++) {
        assert_int_equal(gh_two_factor_disable(&call, FIXTURE_PASSWORD, wrong_code(fixture), &next),
                         GH_IDENTITY_BAD_CODE);
        if (n == 5)
            break;
        assert_int_equal(gh_step_up(&call, FIXTURE_PASSWORD, NONE, &next), GH_IDENTITY_OK);
        call = gh_fixture_call_as(fixture, next.access_token);
    }
    assert_int_equal(gh_step_up(&call, FIXTURE_PASSWORD, NONE, &next), GH_IDENTITY_THROTTLED);
    fixture->now_us += FIXTURE_SECOND;
    call = gh_fixture_call_as(fixture, next.access_token);
    assert_int_equal(gh_step_up(&call, NONE, code_now(fixture), &next), GH_IDENTITY_OK);
    call = gh_fixture_call_as(fixture, next.access_token);
    assert_int_equal(gh_step_up(&call, NONE, wrong_code(fixture), &next), GH_IDENTITY_BAD_CODE);
    call.network = GH_STR("198.51.100.7"); /* the network's failures stay */
    assert_int_equal(gh_step_up(&call, FIXTURE_PASSWORD, NONE, &next), GH_IDENTITY_OK);
}

static void does_not_confirm_a_session_that_has_ended(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = plain_login(fixture), next;
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_int_equal(gh_logout(&call, NONE), GH_IDENTITY_OK);
    assert_int_equal(gh_step_up(&call, FIXTURE_PASSWORD, NONE, &next), GH_IDENTITY_SESSION_ENDED);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGIN, NULL), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_the_session_at_the_second_step),
        TEST(takes_a_challenge_once),
        TEST(takes_a_code_once),
        TEST(refuses_an_unknown_challenge),
        TEST(lets_a_challenge_run_out_after_five_minutes),
        TEST(allows_five_tries_a_challenge),
        TEST(counts_wrong_codes_as_failed_logins),
        TEST(refuses_a_challenge_of_a_disabled_account),
        TEST(refuses_a_challenge_when_the_factor_was_taken_away),
        TEST(gives_no_assurance_of_a_factor_that_was_taken_away),
        TEST(asks_for_a_quota_of_the_account),
        TEST(lets_one_of_fifty_at_once_in),
        TEST(confirms_a_session_by_the_password),
        TEST(confirms_a_session_by_a_code),
        TEST(refuses_a_wrong_confirmation),
        TEST(throttles_wrong_confirmations),
        TEST(the_password_does_not_forgive_wrong_codes),
        TEST(does_not_confirm_a_session_that_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
