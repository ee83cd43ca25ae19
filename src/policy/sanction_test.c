#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define NOW_S     GH_FIXTURE_NOW_S
#define STRANGER  NULL
#define LOGIN     "POST /api/v1/auth/login"
#define PROFILE   "GET /api/v1/account/profile"
#define LOGOUT    "POST /api/v1/auth/logout"
#define OPEN      "GET /open/x"
#define OWN       "GET /own/x"
#define HERE      "192.0.2.1"
#define ELSEWHERE "198.51.100.1"

struct world {
    struct gh_fixture f;
    struct gh_sanctions *sanctions;
    struct gh_subject ann;
};

static int set_up(void **state)
{
    static struct world world; /* one test at a time */
    gh_fixture_open_identity(&world.f,
                             DEVELOPMENT "routes:\n"
                                         "- {path: /open/**, upstream: api, access: public}\n"
                                         "- {path: /own/**, upstream: api, access: signed_in}\n",
                             &gh_fixture_identity);
    assert_non_null(world.f.policy);
    world.sanctions = gh_sanctions_new(16, (struct gh_hash_key){1, 2});
    assert_non_null(world.sanctions);
    world.ann = gh_fixture_subject();
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    gh_sanctions_free(world->sanctions);
    gh_fixture_close(&world->f);
    return 0;
}

static void put(struct world *world, uint64_t whom, enum gh_sanction_kind kind)
{
    const struct gh_sanction_term term = {kind, NOW_S - 60, NOW_S + 600};
    gh_sanctions_put(world->sanctions, whom, &term);
}

static void put_on_network(struct world *world, const char *address, enum gh_sanction_kind kind)
{
    struct gh_ip ip;
    assert_true(gh_ip_parse(gh_str_from_c(address), &ip));
    put(world, gh_sanctions_network(world->sanctions, &ip), kind);
}

static void put_on_ann(struct world *world, enum gh_sanction_kind kind)
{
    put(world, gh_sanctions_account(world->sanctions, world->ann.id), kind);
}

/* UNDECIDED: it went on. */
static enum gh_reason ask(struct world *world, const char *line, const char *address,
                          const struct gh_subject *subject)
{
    char bytes[8192];
    bool post = line[0] == 'P';
    gh_fixture_peer(&world->f, address, false);
    snprintf(bytes, sizeof(bytes),
             "%s HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
             "Sec-Fetch-Site: same-origin\r\n%s%s%s%s\r\n",
             line, subject ? "Cookie: __Host-gh_access=" : "",
             subject ? gh_fixture_token(&world->f, GH_CREDENTIAL_COOKIE, subject) : "",
             subject ? "\r\n" : "",
             post ? "Content-Type: application/json\r\nContent-Length: 2\r\n" : "");
    gh_fixture_begin(&world->f, bytes);
    world->f.request.sanctions = world->sanctions;
    struct gh_verdict verdict = gh_policy_run(&world->f.request);
    return verdict.kind == GH_VERDICT_RESPOND ? verdict.reason : GH_REASON_UNDECIDED;
}

static const char *value(struct world *world, const char *name)
{
    return gh_fixture_value(&world->f, gh_fixture_reply(&world->f), name);
}

/* ---- Networks ---- */

static void a_blocked_network_can_not_sign_in(void **state)
{
    struct world *world = *state;
    put_on_network(world, HERE, GH_SANCTION_BLOCK);
    assert_int_equal(ask(world, LOGIN, "192.0.2.99", STRANGER), GH_REASON_ANOMALY_BLOCK);
    assert_int_equal(world->f.request.reply.status, 403);
    assert_string_equal(value(world, "Retry-After"), "600");
    assert_int_equal(ask(world, LOGIN, ELSEWHERE, STRANGER), GH_REASON_UNDECIDED);
}

static void a_session_of_ones_own_opens_no_way_around(void **state)
{
    struct world *world = *state;
    put_on_network(world, HERE, GH_SANCTION_BLOCK);
    assert_int_equal(ask(world, LOGIN, HERE, &world->ann), GH_REASON_ANOMALY_BLOCK);
}

static void strangers_of_a_blocked_network_see_nothing_public(void **state)
{
    struct world *world = *state;
    put_on_network(world, HERE, GH_SANCTION_BLOCK);
    assert_int_equal(ask(world, OPEN, HERE, STRANGER), GH_REASON_ANOMALY_BLOCK);
    assert_int_equal(ask(world, OPEN, ELSEWHERE, STRANGER), GH_REASON_UNDECIDED);
}

static void colleagues_who_are_signed_in_go_on(void **state)
{
    struct world *world = *state;
    put_on_network(world, HERE, GH_SANCTION_BLOCK);
    put_on_network(world, HERE, GH_SANCTION_SLOW);
    assert_int_equal(ask(world, OWN, HERE, &world->ann), GH_REASON_UNDECIDED);
    assert_int_equal(ask(world, OPEN, HERE, &world->ann), GH_REASON_UNDECIDED);
    assert_int_equal(ask(world, PROFILE, HERE, &world->ann), GH_REASON_UNDECIDED);
    assert_int_equal(ask(world, LOGOUT, HERE, &world->ann), GH_REASON_UNDECIDED);
    /* whose token has expired must learn that, to refresh it */
    assert_int_equal(ask(world, OWN, HERE, STRANGER), GH_REASON_NOT_SIGNED_IN);
}

static void a_slowed_network_signs_in_at_its_pace(void **state)
{
    struct world *world = *state;
    put_on_network(world, HERE, GH_SANCTION_SLOW);
    gh_sanctions_set_pace(world->sanctions, 10000);
    assert_int_equal(ask(world, LOGIN, HERE, STRANGER), GH_REASON_UNDECIDED);
    assert_int_equal(ask(world, LOGIN, "192.0.2.77", STRANGER), GH_REASON_ANOMALY_SLOW);
    assert_int_equal(world->f.request.reply.status, 429);
    assert_string_equal(value(world, "Retry-After"), "10");
    assert_int_equal(ask(world, LOGIN, ELSEWHERE, STRANGER), GH_REASON_UNDECIDED);
}

static void sign_ins_of_a_network_may_need_a_second_factor(void **state)
{
    struct world *world = *state;
    put_on_network(world, HERE, GH_SANCTION_SECOND_FACTOR);
    assert_int_equal(ask(world, LOGIN, HERE, STRANGER), GH_REASON_UNDECIDED);
    assert_true(world->f.request.wants_second_factor);
    assert_int_equal(ask(world, LOGIN, ELSEWHERE, STRANGER), GH_REASON_UNDECIDED);
    assert_false(world->f.request.wants_second_factor);
    assert_int_equal(ask(world, OWN, HERE, &world->ann), GH_REASON_UNDECIDED);
}

/* ---- Accounts ---- */

static void a_blocked_account_does_nothing_wherever_it_comes_from(void **state)
{
    struct world *world = *state;
    struct gh_subject bob = world->ann;
    bob.id = GH_STR(GH_FIXTURE_OTHER);
    put_on_ann(world, GH_SANCTION_BLOCK);
    assert_int_equal(ask(world, OWN, HERE, &world->ann), GH_REASON_ANOMALY_BLOCK);
    assert_int_equal(ask(world, OPEN, ELSEWHERE, &world->ann), GH_REASON_ANOMALY_BLOCK);
    assert_int_equal(ask(world, PROFILE, ELSEWHERE, &world->ann), GH_REASON_ANOMALY_BLOCK);
    assert_int_equal(ask(world, OWN, HERE, &bob), GH_REASON_UNDECIDED);
    assert_int_equal(ask(world, OPEN, HERE, STRANGER), GH_REASON_UNDECIDED);
}

static void a_second_factor_is_asked_for_but_where_it_is_shown(void **state)
{
    struct world *world = *state;
    put_on_ann(world, GH_SANCTION_SECOND_FACTOR);
    assert_int_equal(ask(world, OWN, HERE, &world->ann), GH_REASON_TWO_FACTOR_NEEDED);
    assert_non_null(value(world, "WWW-Authenticate"));
    assert_int_equal(ask(world, PROFILE, HERE, &world->ann), GH_REASON_TWO_FACTOR_NEEDED);
    assert_int_equal(ask(world, LOGOUT, HERE, &world->ann), GH_REASON_UNDECIDED);
    assert_int_equal(ask(world, LOGIN, HERE, &world->ann), GH_REASON_UNDECIDED);
}

static void a_code_counts_when_it_was_given_since(void **state)
{
    struct world *world = *state;
    put_on_ann(world, GH_SANCTION_SECOND_FACTOR);
    world->ann.two_factor = true;
    world->ann.authenticated_s = NOW_S - 61;
    assert_int_equal(ask(world, OWN, HERE, &world->ann), GH_REASON_TWO_FACTOR_NEEDED);
    world->ann.authenticated_s = NOW_S - 60;
    assert_int_equal(ask(world, OWN, HERE, &world->ann), GH_REASON_UNDECIDED);
}

static void another_issuers_person_is_none_of_our_accounts(void **state)
{
    struct world *world = *state;
    struct gh_subject other = world->ann;
    put_on_ann(world, GH_SANCTION_BLOCK);
    other.issuer = GH_STR("https://issuer.example");
    world->f.request.sanctions = world->sanctions;
    /* the gate would have to trust that issuer; the stage is asked itself */
    ask(world, OWN, ELSEWHERE, STRANGER);
    world->f.request.signed_in = true;
    world->f.request.subject = other;
    assert_int_equal(gh_stage_sanction(&world->f.request).kind, GH_VERDICT_NEXT);
    world->f.request.subject = world->ann;
    assert_int_equal(gh_stage_sanction(&world->f.request).kind, GH_VERDICT_DENY);
}

/* ---- Both ---- */

static void sanctions_end(void **state)
{
    struct world *world = *state;
    const struct gh_sanction_term over = {GH_SANCTION_BLOCK, NOW_S - 60, NOW_S};
    gh_sanctions_put(world->sanctions, gh_sanctions_account(world->sanctions, world->ann.id),
                     &over);
    assert_int_equal(ask(world, OWN, HERE, &world->ann), GH_REASON_UNDECIDED);
}

static void explaining_charges_nothing(void **state)
{
    struct world *world = *state;
    put_on_ann(world, GH_SANCTION_SLOW);
    for (unsigned i = 0; i < 3; i++) {
        ask(world, OWN, HERE, STRANGER);
        world->f.request.signed_in = true;
        world->f.request.subject = world->ann;
        world->f.request.dry_run = true;
        assert_int_equal(gh_stage_sanction(&world->f.request).kind, GH_VERDICT_NEXT);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_blocked_network_can_not_sign_in),
        T(a_session_of_ones_own_opens_no_way_around),
        T(strangers_of_a_blocked_network_see_nothing_public),
        T(colleagues_who_are_signed_in_go_on),
        T(a_slowed_network_signs_in_at_its_pace),
        T(sign_ins_of_a_network_may_need_a_second_factor),
        T(a_blocked_account_does_nothing_wherever_it_comes_from),
        T(a_second_factor_is_asked_for_but_where_it_is_shown),
        T(a_code_counts_when_it_was_given_since),
        T(another_issuers_person_is_none_of_our_accounts),
        T(sanctions_end),
        T(explaining_charges_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
