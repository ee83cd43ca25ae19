#include "identity/sessions.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>

#include "identity/identity_fixture.h"

#define ALICE   "alice@example.com"
#define USER    1
#define ADMIN   3
#define THREADS 50

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

static struct gh_session_grant sign_in(struct gh_identity_fixture *fixture, gh_roles roles)
{
    if (roles == ADMIN)
        fixture->settings.required_for = 0; /* the second factor is not what is tested here */
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, roles);
    return gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
}

static enum gh_identity_result refresh(struct gh_identity_fixture *fixture, struct gh_str token,
                                       struct gh_session_grant *out_grant)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    return gh_session_refresh(&call, token, out_grant);
}

static struct gh_session_grant must_refresh(struct gh_identity_fixture *fixture,
                                            struct gh_str token)
{
    struct gh_session_grant grant;
    assert_int_equal(refresh(fixture, token, &grant), GH_IDENTITY_OK);
    return grant;
}

static void must_not_refresh(struct gh_identity_fixture *fixture, struct gh_str token,
                             enum gh_identity_result expected)
{
    struct gh_session_grant grant;
    assert_int_equal(refresh(fixture, token, &grant), expected);
}

static struct gh_session_row row_of(struct gh_identity_fixture *fixture,
                                    const struct gh_session_grant *grant)
{
    struct gh_session_row row;
    assert_true(gh_fixture_session_row(fixture, gh_id_str(&grant->session_id), &row));
    return row;
}

/* ---- Rotation ---- */

static void rotates_the_current_token(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant first = sign_in(fixture, USER);
    fixture->now_us += FIXTURE_MINUTE;
    struct gh_session_grant second = must_refresh(fixture, first.refresh_token);
    assert_false(gh_str_eq(first.refresh_token, second.refresh_token));
    struct gh_identity_call before = gh_fixture_call_as(fixture, first.access_token);
    struct gh_identity_call after = gh_fixture_call_as(fixture, second.access_token);
    assert_true(gh_str_eq(before.subject->session_id, after.subject->session_id));
    assert_int_equal(after.subject->authenticated_s, before.subject->authenticated_s);
    assert_true(after.subject->expires_s > before.subject->expires_s);
    must_refresh(fixture, second.refresh_token);
}

static void answers_an_old_token_within_the_grace_by_the_current_one(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant first = sign_in(fixture, USER);
    struct gh_session_grant second = must_refresh(fixture, first.refresh_token);
    fixture->now_us += 10 * FIXTURE_SECOND - 1;
    struct gh_session_grant again = must_refresh(fixture, first.refresh_token);
    assert_true(gh_str_eq(again.refresh_token, second.refresh_token));
    assert_int_equal(row_of(fixture, &again).counter, 1);
}

static void answers_a_token_several_steps_behind_within_the_grace(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant first = sign_in(fixture, USER), last = first;
    for (unsigned i = 0; i < 8; i++)
        last = must_refresh(fixture, last.refresh_token);
    struct gh_session_grant again = must_refresh(fixture, first.refresh_token);
    assert_true(gh_str_eq(again.refresh_token, last.refresh_token));
}

static void ends_the_family_for_a_token_nine_steps_behind(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant first = sign_in(fixture, USER), last = first;
    for (unsigned i = 0; i < 9; i++)
        last = must_refresh(fixture, last.refresh_token);
    must_not_refresh(fixture, first.refresh_token, GH_IDENTITY_SESSION_REUSED);
    must_not_refresh(fixture, last.refresh_token, GH_IDENTITY_SESSION_ENDED);
}

static void ends_the_family_when_an_old_token_comes_after_the_grace(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    struct gh_session_grant first = sign_in(fixture, USER);
    struct gh_session_grant second = must_refresh(fixture, first.refresh_token);
    struct gh_session_grant other = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    fixture->now_us += 10 * FIXTURE_SECOND;
    assert_int_equal(gh_fixture_mail_count(fixture), 0);
    must_not_refresh(fixture, first.refresh_token, GH_IDENTITY_SESSION_REUSED);
    assert_true(gh_fixture_is_revoked(fixture, second.access_token));
    assert_int_equal(gh_fixture_mail_count(fixture), 1);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, &record), 1);
    assert_true(gh_str_eq(record.metadata, GH_STR("{\"count\":1,\"reason\":\"refresh_reuse\"}")));
    assert_true(gh_str_eq(record.user_id, gh_id_str(&first.account.id)));
    must_not_refresh(fixture, second.refresh_token, GH_IDENTITY_SESSION_ENDED);
    must_refresh(fixture, other.refresh_token); /* that family only */
    assert_false(gh_fixture_is_revoked(fixture, other.access_token));
}

static void audits_fifty_replays_once(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant first = sign_in(fixture, USER), ignored;
    must_refresh(fixture, first.refresh_token);
    fixture->now_us += FIXTURE_MINUTE;
    for (unsigned i = 0; i < 50; i++)
        assert_int_not_equal(refresh(fixture, first.refresh_token, &ignored), GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 1);
    assert_int_equal(gh_fixture_mail_count(fixture), 1);
}

static void refuses_a_forged_token_without_effect(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, USER);
    struct gh_str forged = gh_arena_dup(&fixture->arena, grant.refresh_token);
    char *last = (char *)&forged.ptr[forged.len - 2];
    *last = *last == 'A' ? 'B' : 'A';
    must_not_refresh(fixture, forged, GH_IDENTITY_SESSION_ENDED);
    must_not_refresh(fixture, GH_STR("rubbish"), GH_IDENTITY_SESSION_ENDED);
    must_not_refresh(fixture, GH_STR(""), GH_IDENTITY_SESSION_ENDED);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 0);
    must_refresh(fixture, grant.refresh_token);
}

static void holds_over_a_restart(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, USER);
    gh_identity_fixture_restart(fixture);
    must_refresh(fixture, grant.refresh_token);
}

static void leaves_the_token_good_when_the_store_fails(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, USER);
    gh_fixture_store_fail(fixture->store, 1, GH_ERR_FULL);
    must_not_refresh(fixture, grant.refresh_token, GH_IDENTITY_UNAVAILABLE);
    fixture->now_us += FIXTURE_MINUTE;
    assert_int_equal(row_of(fixture, &grant).counter, 0);
    must_refresh(fixture, grant.refresh_token);
}

/* ---- At once ---- */

struct racer {
    struct gh_identity_fixture *fixture;
    struct gh_str token;
    struct gh_arena arena;
    struct gh_session_grant grant;
    enum gh_identity_result result;
};

static void *race(void *args)
{
    struct racer *racer = args;
    struct gh_identity_call call = gh_fixture_call(racer->fixture);
    call.arena = &racer->arena;
    racer->result = gh_session_refresh(&call, racer->token, &racer->grant);
    return NULL;
}

static void run_race(struct gh_identity_fixture *fixture, struct gh_str token,
                     struct racer racers[THREADS])
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.fixture = fixture, .token = token};
        gh_arena_init(&racers[i].arena, 8192, 1 << 20);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void gives_fifty_calls_at_once_the_same_successor(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct racer racers[THREADS];
    struct gh_session_grant grant = sign_in(fixture, USER);
    run_race(fixture, grant.refresh_token, racers);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(racers[i].result, GH_IDENTITY_OK);
        assert_true(gh_str_eq(racers[i].grant.refresh_token, racers[0].grant.refresh_token));
    }
    assert_int_equal(row_of(fixture, &grant).counter, 1);
    for (size_t i = 0; i < THREADS; i++)
        gh_arena_done(&racers[i].arena);
}

static void audits_fifty_replays_at_once_once(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct racer racers[THREADS];
    struct gh_session_grant grant = sign_in(fixture, USER);
    size_t reused = 0;
    must_refresh(fixture, grant.refresh_token);
    fixture->now_us += FIXTURE_MINUTE;
    run_race(fixture, grant.refresh_token, racers);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_not_equal(racers[i].result, GH_IDENTITY_OK);
        reused += racers[i].result == GH_IDENTITY_SESSION_REUSED;
        gh_arena_done(&racers[i].arena);
    }
    assert_int_equal(reused, 1);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 1);
}

/* ---- Time ---- */

static void ends_an_idle_session(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, USER);
    fixture->now_us += 30 * FIXTURE_MINUTE - 1;
    grant = must_refresh(fixture, grant.refresh_token);
    fixture->now_us += 30 * FIXTURE_MINUTE;
    must_not_refresh(fixture, grant.refresh_token, GH_IDENTITY_SESSION_ENDED);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 0);
}

static void ends_a_busy_session_after_twelve_hours(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, USER);
    for (unsigned i = 0; i < 71; i++) {
        fixture->now_us += 10 * FIXTURE_MINUTE;
        grant = must_refresh(fixture, grant.refresh_token);
    }
    assert_int_equal(grant.access_s, 10 * 60); /* never beyond the session's end */
    fixture->now_us += 10 * FIXTURE_MINUTE;
    must_not_refresh(fixture, grant.refresh_token, GH_IDENTITY_SESSION_ENDED);
}

static void bounds_admins_more_closely(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, ADMIN);
    for (unsigned i = 0; i < 47; i++) {
        fixture->now_us += 10 * FIXTURE_MINUTE;
        grant = must_refresh(fixture, grant.refresh_token);
    }
    assert_int_equal(grant.access_s, 10 * 60);
    fixture->now_us += 10 * FIXTURE_MINUTE;
    must_not_refresh(fixture, grant.refresh_token, GH_IDENTITY_SESSION_ENDED);
    grant = gh_fixture_login(fixture, ALICE, FIXTURE_PASSWORD);
    fixture->now_us += 15 * FIXTURE_MINUTE;
    must_not_refresh(fixture, grant.refresh_token, GH_IDENTITY_SESSION_ENDED);
}

static void bounds_a_session_whose_owner_becomes_admin(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, USER);
    struct gh_account account;
    assert_true(gh_fixture_account_row(fixture, gh_id_str(&grant.account.id), &account));
    account.roles = GH_STR("user,admin");
    gh_fixture_account_put(fixture, &account);
    fixture->now_us += 15 * FIXTURE_MINUTE;
    must_not_refresh(fixture, grant.refresh_token, GH_IDENTITY_SESSION_ENDED);
}

static struct gh_session_grant remembered(struct gh_identity_fixture *fixture)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_login request = {GH_STR(ALICE), FIXTURE_PASSWORD, .remember = true};
    struct gh_login_answer answer;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_OK);
    return answer.grant;
}

static void remembers_for_thirty_days(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, USER);
    struct gh_session_grant grant = remembered(fixture);
    assert_int_equal(grant.refresh_s, 30 * 24 * 60 * 60);
    fixture->now_us += 20 * FIXTURE_DAY;
    grant = must_refresh(fixture, grant.refresh_token);
    assert_int_equal(grant.refresh_s, 10 * 24 * 60 * 60);
    fixture->now_us += 10 * FIXTURE_DAY;
    must_not_refresh(fixture, grant.refresh_token, GH_IDENTITY_SESSION_ENDED);
}

static void does_not_remember_admins(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    fixture->settings.required_for = 0;
    gh_fixture_account(fixture, ALICE, FIXTURE_PASSWORD, ADMIN);
    struct gh_session_grant grant = remembered(fixture);
    assert_int_equal(grant.refresh_s, 0);
    fixture->now_us += 15 * FIXTURE_MINUTE;
    must_not_refresh(fixture, grant.refresh_token, GH_IDENTITY_SESSION_ENDED);
}

static void ends_with_its_account(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, USER);
    struct gh_account account;
    assert_true(gh_fixture_account_row(fixture, gh_id_str(&grant.account.id), &account));
    account.status = GH_ACCOUNT_DISABLED;
    gh_fixture_account_put(fixture, &account);
    must_not_refresh(fixture, grant.refresh_token, GH_IDENTITY_SESSION_ENDED);
}

static void takes_up_the_roles_and_the_factor_of_now(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, USER);
    struct gh_account account;
    assert_true(gh_fixture_account_row(fixture, gh_id_str(&grant.account.id), &account));
    account.roles = GH_STR("user,admin,removed");
    gh_fixture_account_put(fixture, &account);
    grant = must_refresh(fixture, grant.refresh_token);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_int_equal(call.subject->roles, ADMIN);
    assert_true(call.subject->must_enrol);
    assert_false(call.subject->two_factor);
}

static bool refuse_quota(void *context, const char *policy, struct gh_str key, uint64_t *out_s)
{
    (void)key;
    *out_s = 17;
    return strcmp(policy, context) != 0;
}

static void asks_for_its_quota(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = sign_in(fixture, USER), ignored;
    struct gh_identity_call call = gh_fixture_call(fixture);
    fixture->identity.quota = (struct gh_identity_quota){refuse_quota, (void *)"refresh"};
    assert_int_equal(gh_session_refresh(&call, grant.refresh_token, &ignored),
                     GH_IDENTITY_THROTTLED);
    assert_int_equal(call.retry_after_s, 17);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rotates_the_current_token),
        TEST(answers_an_old_token_within_the_grace_by_the_current_one),
        TEST(answers_a_token_several_steps_behind_within_the_grace),
        TEST(ends_the_family_for_a_token_nine_steps_behind),
        TEST(ends_the_family_when_an_old_token_comes_after_the_grace),
        TEST(audits_fifty_replays_once),
        TEST(refuses_a_forged_token_without_effect),
        TEST(holds_over_a_restart),
        TEST(leaves_the_token_good_when_the_store_fails),
        TEST(gives_fifty_calls_at_once_the_same_successor),
        TEST(audits_fifty_replays_at_once_once),
        TEST(ends_an_idle_session),
        TEST(ends_a_busy_session_after_twelve_hours),
        TEST(bounds_admins_more_closely),
        TEST(bounds_a_session_whose_owner_becomes_admin),
        TEST(remembers_for_thirty_days),
        TEST(does_not_remember_admins),
        TEST(ends_with_its_account),
        TEST(takes_up_the_roles_and_the_factor_of_now),
        TEST(asks_for_its_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
