/* Sessions as their owner lists and ends them, and what units of others do to them. */
#include "identity/sessions.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"

#define ALICE "alice@example.com"
#define BOB   "bob@example.com"
#define USER  1

static int setup(void **state)
{
    static struct gh_identity_fixture fixture;
    gh_identity_fixture_open(&fixture);
    gh_fixture_account(&fixture, ALICE, FIXTURE_PASSWORD, USER);
    gh_fixture_account(&fixture, BOB, FIXTURE_PASSWORD, USER);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    gh_identity_fixture_close(*state);
    return 0;
}

static struct gh_session_grant login(struct gh_identity_fixture *fixture, const char *email)
{
    return gh_fixture_login(fixture, email, FIXTURE_PASSWORD);
}

static bool refreshes(struct gh_identity_fixture *fixture, struct gh_str token)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_session_grant grant;
    return gh_session_refresh(&call, token, &grant) == GH_IDENTITY_OK;
}

static size_t list(struct gh_identity_fixture *fixture, const struct gh_session_grant *grant,
                   struct gh_session_view **out_views)
{
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant->access_token);
    size_t count;
    assert_int_equal(gh_sessions_list(&call, out_views, &count), GH_IDENTITY_OK);
    return count;
}

/* ---- Too many ---- */

static void one_session_too_many_ends_the_oldest(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_view *views;
    struct gh_session_grant first = login(fixture, ALICE), second = {0}, last = {0};
    for (unsigned i = 1; i < GH_SESSIONS_MAX; i++) {
        fixture->now_us += FIXTURE_SECOND;
        last = login(fixture, ALICE);
        if (i == 1)
            second = last;
    }
    assert_int_equal(list(fixture, &last, &views), GH_SESSIONS_MAX);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 0);
    fixture->now_us += FIXTURE_SECOND;
    last = login(fixture, ALICE);
    assert_int_equal(list(fixture, &last, &views), GH_SESSIONS_MAX);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 1);
    assert_true(gh_revocations_has(fixture->identity.revocations, gh_id_str(&first.session_id),
                                   fixture->now_us / FIXTURE_SECOND,
                                   fixture->now_us / FIXTURE_SECOND));
    assert_false(refreshes(fixture, first.refresh_token));
    assert_true(refreshes(fixture, second.refresh_token));
}

/* ---- Logout ---- */

static void logs_out_by_the_access_token(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    struct gh_session_grant grant = login(fixture, ALICE);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_int_equal(gh_logout(&call, (struct gh_str){NULL, 0}), GH_IDENTITY_OK);
    assert_true(gh_fixture_is_revoked(fixture, grant.access_token));
    assert_false(refreshes(fixture, grant.refresh_token));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGOUT, &record), 1);
    assert_int_equal(record.session.len, GH_AUDIT_SESSION_LEN);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 0);
}

static void logs_out_by_the_refresh_token(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = login(fixture, ALICE);
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_int_equal(gh_logout(&call, grant.refresh_token), GH_IDENTITY_OK);
    assert_true(gh_fixture_is_revoked(fixture, grant.access_token));
    assert_false(refreshes(fixture, grant.refresh_token));
}

static void logs_out_once_when_both_tokens_are_of_one_session(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = login(fixture, ALICE);
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_int_equal(gh_logout(&call, grant.refresh_token), GH_IDENTITY_OK);
    assert_int_equal(gh_logout(&call, grant.refresh_token), GH_IDENTITY_OK);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGOUT, NULL), 1);
}

static void logs_out_nobody_by_rubbish(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = login(fixture, ALICE);
    struct gh_str forged = gh_arena_dup(&fixture->arena, grant.refresh_token);
    ((char *)forged.ptr)[60] ^= 1;
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_int_equal(gh_logout(&call, (struct gh_str){NULL, 0}), GH_IDENTITY_OK);
    assert_int_equal(gh_logout(&call, GH_STR("rubbish")), GH_IDENTITY_OK);
    assert_int_equal(gh_logout(&call, forged), GH_IDENTITY_OK);
    assert_true(refreshes(fixture, grant.refresh_token));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_LOGOUT, NULL), 0);
}

/* ---- Listing and ending ---- */

static void lists_ones_own_sessions_only(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_view *views;
    login(fixture, BOB);
    login(fixture, ALICE);
    struct gh_session_grant grant = login(fixture, ALICE);
    assert_int_equal(list(fixture, &grant, &views), 2);
    assert_true(views[0].current != views[1].current);
    for (size_t i = 0; i < 2; i++) {
        assert_true(gh_str_eq(views[i].device, GH_STR("Fixture/1.0")));
        assert_true(gh_str_eq(views[i].ip, GH_STR("192.0.2.1")));
        assert_true(views[i].expires_us == fixture->now_us + 30 * FIXTURE_MINUTE);
    }
}

static void does_not_list_what_has_run_out(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_view *views;
    login(fixture, ALICE);
    fixture->now_us += 30 * FIXTURE_MINUTE;
    struct gh_session_grant grant = login(fixture, ALICE);
    assert_int_equal(list(fixture, &grant, &views), 1);
    assert_true(views[0].current);
}

static void ends_one_of_ones_own(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_view *views;
    struct gh_session_grant other = login(fixture, ALICE), own = login(fixture, ALICE);
    assert_int_equal(list(fixture, &own, &views), 2);
    struct gh_session_view *target = views[0].current ? &views[1] : &views[0];
    struct gh_identity_call call = gh_fixture_call_as(fixture, own.access_token);
    assert_int_equal(gh_session_end(&call, gh_id_str(&target->id)), GH_IDENTITY_OK);
    assert_true(gh_fixture_is_revoked(fixture, other.access_token));
    assert_false(refreshes(fixture, other.refresh_token));
    assert_true(refreshes(fixture, own.refresh_token));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 1);
    assert_int_equal(gh_session_end(&call, gh_id_str(&target->id)), GH_IDENTITY_NOT_FOUND);
}

static void does_not_end_the_session_of_another(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_view *views;
    struct gh_session_grant bob = login(fixture, BOB), alice = login(fixture, ALICE);
    assert_int_equal(list(fixture, &bob, &views), 1);
    struct gh_identity_call call = gh_fixture_call_as(fixture, alice.access_token);
    assert_int_equal(gh_session_end(&call, gh_id_str(&views[0].id)), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_session_end(&call, GH_STR("rubbish")), GH_IDENTITY_NOT_FOUND);
    assert_true(refreshes(fixture, bob.refresh_token));
}

static void ends_all_others(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    uint64_t count = 0;
    struct gh_session_grant first = login(fixture, ALICE), second = login(fixture, ALICE);
    struct gh_session_grant bob = login(fixture, BOB), own = login(fixture, ALICE);
    struct gh_identity_call call = gh_fixture_call_as(fixture, own.access_token);
    assert_int_equal(gh_sessions_end_others(&call, &count), GH_IDENTITY_OK);
    assert_int_equal(count, 2);
    assert_false(refreshes(fixture, first.refresh_token));
    assert_false(refreshes(fixture, second.refresh_token));
    assert_true(refreshes(fixture, own.refresh_token));
    assert_true(refreshes(fixture, bob.refresh_token));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, &record), 1);
    assert_true(gh_str_eq(record.metadata, GH_STR("{\"count\":2,\"reason\":\"owner\"}")));
    assert_int_equal(gh_sessions_end_others(&call, &count), GH_IDENTITY_OK);
    assert_int_equal(count, 0);
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 1);
}

/* ---- Units of others ---- */

struct change {
    struct gh_identity_call call;
    struct gh_str account;
    struct gh_revoked revoked;
    struct gh_revocation_row *rows;
    size_t row_count;
};

static enum gh_err renew(struct gh_tx *tx, void *args)
{
    struct change *change = args;
    change->revoked = (struct gh_revoked){.count = 0};
    return gh_sessions_renew(tx, &change->call, change->account, &change->revoked);
}

static enum gh_err revoke_all(struct gh_tx *tx, void *args)
{
    struct change *change = args;
    change->revoked = (struct gh_revoked){.count = 0};
    return gh_sessions_revoke(tx, &change->call, change->account, GH_STR(""), "test",
                              &change->revoked);
}

static enum gh_err revoke_and_fail(struct gh_tx *tx, void *args)
{
    enum gh_err err = revoke_all(tx, args);
    return err == GH_OK ? GH_ERR_IO : err;
}

static enum gh_err read_revocations(struct gh_tx *tx, void *args)
{
    struct change *change = args;
    uint64_t cursor;
    return tx->ops->revocations_since(tx, 0, change->call.now_us, &change->rows, &change->row_count,
                                      &cursor);
}

static enum gh_err run(struct gh_identity_fixture *fixture, gh_store_unit *unit,
                       struct change *change)
{
    return fixture->store->ops->run(fixture->store, unit, change, &fixture->arena);
}

static void gives_new_ids_that_refresh_reaches(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = login(fixture, ALICE), next;
    struct change change = {.call = gh_fixture_call(fixture),
                            .account = gh_id_str(&grant.account.id)};
    assert_int_equal(run(fixture, renew, &change), GH_OK);
    assert_false(gh_fixture_is_revoked(fixture, grant.access_token)); /* not before the commit */
    gh_sessions_revoked(&change.call, &change.revoked);
    assert_true(gh_fixture_is_revoked(fixture, grant.access_token));
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_int_equal(gh_session_refresh(&call, grant.refresh_token, &next), GH_IDENTITY_OK);
    assert_string_not_equal(next.session_id.text, grant.session_id.text);
    assert_false(gh_fixture_is_revoked(fixture, next.access_token));
}

static void keeps_revocations_in_the_store_for_the_longest_token_life(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = login(fixture, ALICE);
    struct change change = {.call = gh_fixture_call(fixture),
                            .account = gh_id_str(&grant.account.id)};
    assert_int_equal(run(fixture, revoke_all, &change), GH_OK);
    assert_int_equal(run(fixture, read_revocations, &change), GH_OK);
    assert_int_equal(change.row_count, 1);
    assert_string_equal(change.rows[0].session_id.text, grant.session_id.text);
    assert_true(change.rows[0].until_us >= fixture->now_us + 60 * FIXTURE_MINUTE);
    assert_true(change.rows[0].until_us <= fixture->now_us + 62 * FIXTURE_MINUTE);
}

static void revives_no_token_when_their_life_is_lowered_and_raised(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    fixture->settings.tokens.access_ms = 60 * 60 * 1000;
    struct gh_session_grant grant = login(fixture, ALICE);
    fixture->settings.tokens.access_ms = 5 * 60 * 1000;
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    assert_int_equal(gh_logout(&call, (struct gh_str){NULL, 0}), GH_IDENTITY_OK);
    fixture->now_us += 20 * FIXTURE_MINUTE;
    fixture->settings.tokens.access_ms = 60 * 60 * 1000;
    assert_true(gh_fixture_is_revoked(fixture, grant.access_token));
}

static void undoes_all_when_the_unit_fails(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grant = login(fixture, ALICE);
    struct change change = {.call = gh_fixture_call(fixture),
                            .account = gh_id_str(&grant.account.id)};
    assert_int_equal(run(fixture, revoke_and_fail, &change), GH_ERR_IO);
    assert_true(refreshes(fixture, grant.refresh_token));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SESSION_REVOKED, NULL), 0);
}

/* What other processes are told. */
struct heard {
    struct gh_id session_id;
    uint64_t until_s;
    size_t calls, count;
};

static void hear(void *context, const struct gh_id *session_ids, size_t count, uint64_t until_s)
{
    struct heard *heard = context;
    heard->session_id = session_ids[0];
    heard->until_s = until_s;
    heard->count += count;
    heard->calls++;
}

static void tells_others_once_it_is_committed_and_of_nobody_else(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct heard heard = {.calls = 0};
    struct gh_session_grant grant = login(fixture, ALICE), other = login(fixture, BOB);
    fixture->identity.revoked = hear;
    fixture->identity.revoked_context = &heard;
    assert_true(refreshes(fixture, other.refresh_token));
    struct gh_identity_call call = gh_fixture_call_as(fixture, grant.access_token);
    gh_fixture_store_fail(fixture->store, 1, GH_ERR_IO);
    assert_int_equal(gh_logout(&call, GH_STR("")), GH_IDENTITY_UNAVAILABLE);
    assert_int_equal(heard.calls, 0);
    assert_int_equal(gh_logout(&call, GH_STR("")), GH_IDENTITY_OK);
    assert_int_equal(heard.calls, 1);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.session_id.text, grant.session_id.text);
    assert_true(heard.until_s * 1000000 >= fixture->now_us + 60 * FIXTURE_MINUTE);
    assert_int_equal(gh_logout(&call, GH_STR("")), GH_IDENTITY_OK);
    assert_int_equal(heard.calls, 1);
}

static void revokes_all_that_an_account_can_have(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_session_grant grants[GH_SESSIONS_MAX];
    for (size_t i = 0; i < GH_SESSIONS_MAX; i++)
        grants[i] = login(fixture, ALICE);
    struct change change = {.call = gh_fixture_call(fixture),
                            .account = gh_id_str(&grants[0].account.id)};
    assert_int_equal(run(fixture, revoke_all, &change), GH_OK);
    gh_sessions_revoked(&change.call, &change.revoked);
    for (size_t i = 0; i < GH_SESSIONS_MAX; i++)
        assert_true(gh_fixture_is_revoked(fixture, grants[i].access_token));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_session_too_many_ends_the_oldest),
        TEST(logs_out_by_the_access_token),
        TEST(logs_out_by_the_refresh_token),
        TEST(logs_out_once_when_both_tokens_are_of_one_session),
        TEST(logs_out_nobody_by_rubbish),
        TEST(lists_ones_own_sessions_only),
        TEST(does_not_list_what_has_run_out),
        TEST(ends_one_of_ones_own),
        TEST(does_not_end_the_session_of_another),
        TEST(ends_all_others),
        TEST(gives_new_ids_that_refresh_reaches),
        TEST(keeps_revocations_in_the_store_for_the_longest_token_life),
        TEST(revives_no_token_when_their_life_is_lowered_and_raised),
        TEST(undoes_all_when_the_unit_fails),
        TEST(tells_others_once_it_is_committed_and_of_nobody_else),
        TEST(revokes_all_that_an_account_can_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
