#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/connection.h"
#include "gateway/session_watch.h"

#define JUDGED_S 1700000000
#define NOW_S    (JUDGED_S + 30)

/* ---- What it calls, as toys: "gone" is revoked ---- */

static struct gh_shared shared;
static struct gh_worker worker;
static gh_timer_fn *on_timer;
static uint64_t version;
static unsigned lookups;
static struct gh_connection *killed;
static struct gh_exchange *refused;
static struct gh_gate_counts counts;
static uint64_t counted[GH_GATE_COUNT];

uint64_t gh_wall_now_us(void)
{
    return NOW_S * 1000000ull;
}

void gh_timer_start(struct gh_loop *loop, struct gh_timer *timer, uint64_t delay_ms,
                    gh_timer_fn *fn)
{
    (void)loop;
    assert_ptr_equal(timer, &worker.session_timer);
    assert_true(delay_ms <= 500);
    on_timer = fn;
}

uint64_t gh_revocations_version(const struct gh_revocations *revocations)
{
    (void)revocations;
    return version;
}

bool gh_revocations_has(const struct gh_revocations *revocations, struct gh_str session_id,
                        uint64_t issued_s, uint64_t now_s)
{
    (void)revocations;
    assert_int_equal(issued_s, JUDGED_S);
    assert_int_equal(now_s, NOW_S);
    lookups++;
    return gh_str_eq(session_id, GH_STR("gone"));
}

void gh_connection_cut_tunnel(struct gh_connection *connection, struct gh_exchange *exchange)
{
    assert_true(exchange->tunnel);
    killed = connection;
}

void gh_exchange_refuse(struct gh_exchange *exchange, enum gh_stage stage, enum gh_reason reason)
{
    assert_int_equal(stage, GH_STAGE_IDENTIFY);
    exchange->reason = reason;
    refused = exchange;
}

struct gh_gate_counts gh_gate_counts(const struct gh_gate *gate)
{
    (void)gate;
    return counts;
}

void gh_metric_add(struct gh_metrics *metrics, unsigned w, gh_metric_id slot, uint64_t amount)
{
    (void)metrics, (void)w;
    counted[slot] += amount;
}

/* ---- Two connections, each with a request that an upstream is answering ---- */

static struct gh_connection connections[2];
static struct gh_exchange exchanges[2];

static int setup(void **state)
{
    (void)state;
    memset(connections, 0, sizeof(connections));
    memset(exchanges, 0, sizeof(exchanges));
    worker = (struct gh_worker){.shared = &shared, .connections = &connections[0]};
    connections[0].next = &connections[1];
    for (size_t i = 0; i < 2; i++) {
        connections[i].exchanges = &exchanges[i];
        exchanges[i].call_active = true;
        exchanges[i].answer_half = GH_ANSWER_STREAMING;
        exchanges[i].request.identified_s = JUDGED_S;
        exchanges[i].request.now_s = NOW_S; /* it was gone on with later */
        exchanges[i].request.target = GH_TARGET_UPSTREAM;
        exchanges[i].request.signed_in = true;
        exchanges[i].request.subject.session_id = GH_STR("here");
    }
    for (unsigned i = 0; i < GH_GATE_COUNT; i++)
        shared.counters.gate[i] = i;
    memset(counted, 0, sizeof(counted));
    counts = (struct gh_gate_counts){0};
    version = lookups = 0;
    killed = NULL;
    refused = NULL;
    gh_session_watch_start(&worker);
    return 0;
}

static void tick(void)
{
    on_timer(&worker.session_timer);
}

static void nobody_is_looked_at_while_nothing_was_revoked(void **state)
{
    (void)state;
    exchanges[0].request.subject.session_id = GH_STR("gone");
    tick();
    assert_int_equal(lookups, 0);
    version = 1;
    tick();
    tick();
    assert_int_equal(lookups, 2);
    assert_ptr_equal(refused, &exchanges[0]);
}

static void of_one_connection_only_the_sessions_streams_are_ended(void **state)
{
    (void)state;
    connections[1].exchanges = NULL;
    exchanges[0].next = &exchanges[1];
    exchanges[1].prev = &exchanges[0];
    exchanges[1].request.subject.session_id = GH_STR("gone");
    version++;
    tick();
    assert_ptr_equal(refused, &exchanges[1]);
    assert_null(killed);
    assert_int_equal(exchanges[0].reason, GH_REASON_UNDECIDED);
    assert_int_equal(lookups, 2);
}

static void a_stream_of_a_revoked_session_is_ended_and_others_are_not(void **state)
{
    (void)state;
    version = 1;
    exchanges[1].request.subject.session_id = GH_STR("gone");
    tick();
    assert_ptr_equal(refused, &exchanges[1]);
    assert_true(exchanges[1].close_after);
    assert_true(exchanges[1].session_revoked);
    assert_int_equal(exchanges[1].reason, GH_REASON_CREDENTIAL_REVOKED);
    assert_true(gh_str_eq(exchanges[1].request.extra[0].name, GH_STR("WWW-Authenticate")));
    assert_false(exchanges[0].close_after);
    assert_null(killed);
}

/* Else whoever sends the body slowly would come to the backend long after being shut out. */
static void what_still_waits_for_its_body_or_a_limit_is_ended_too(void **state)
{
    (void)state;
    exchanges[0].call_active = exchanges[1].call_active = false;
    exchanges[0].request.subject.session_id = GH_STR("gone");
    exchanges[0].body_asked = true;
    version = 1;
    tick();
    assert_ptr_equal(refused, &exchanges[0]);
    refused = NULL;
    exchanges[0].body_asked = false;
    exchanges[0].limits_asked = true;
    version = 2;
    tick();
    assert_ptr_equal(refused, &exchanges[0]);
    refused = NULL;
    exchanges[0].limits_asked = false;
    exchanges[0].start_wanted = true;
    version = 3;
    tick();
    assert_ptr_equal(refused, &exchanges[0]);
}

static void a_call_of_the_service_that_waits_for_its_body_is_left_alone(void **state)
{
    (void)state;
    exchanges[0].call_active = exchanges[1].call_active = false;
    exchanges[0].request.subject.session_id = GH_STR("gone");
    exchanges[0].body_asked = true;
    exchanges[0].request.target = GH_TARGET_SERVICE;
    version = 1;
    tick();
    assert_null(refused);
}

static void a_tunnel_of_a_revoked_session_is_cut_with_its_reason(void **state)
{
    (void)state;
    version = 1;
    exchanges[0].request.subject.session_id = GH_STR("gone");
    exchanges[0].tunnel = true;
    tick();
    assert_ptr_equal(killed, &connections[0]);
    assert_null(refused);
    assert_int_equal(exchanges[0].stage, GH_STAGE_IDENTIFY);
    assert_int_equal(exchanges[0].reason, GH_REASON_CREDENTIAL_REVOKED);
    assert_true(exchanges[0].session_revoked);
}

static void a_call_of_the_service_may_end_its_own_session_and_say_so(void **state)
{
    (void)state;
    version = 1;
    exchanges[0].request.subject.session_id = GH_STR("gone");
    exchanges[0].call_active = false;
    tick();
    assert_null(refused);
    assert_null(killed);
}

static void idle_connections_strangers_and_other_issuers_are_left_alone(void **state)
{
    (void)state;
    version = 1;
    connections[0].exchanges = NULL;
    exchanges[1].request.signed_in = false;
    exchanges[1].request.subject.session_id = GH_STR("gone");
    tick();
    exchanges[1].request.signed_in = true;
    exchanges[1].request.subject.session_id = GH_STR("");
    version = 2;
    tick();
    assert_int_equal(lookups, 0);
    assert_null(refused);
}

static void what_the_gate_has_counted_is_added_once(void **state)
{
    (void)state;
    counts = (struct gh_gate_counts){.hits = 5, .verified = 2, .refused = 1};
    tick();
    tick();
    counts.hits = 6;
    tick();
    assert_int_equal(counted[GH_GATE_HITS], 6);
    assert_int_equal(counted[GH_GATE_VERIFIED], 2);
    assert_int_equal(counted[GH_GATE_REFUSED], 1);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_looked_at_while_nothing_was_revoked),
        TEST(a_stream_of_a_revoked_session_is_ended_and_others_are_not),
        TEST(of_one_connection_only_the_sessions_streams_are_ended),
        TEST(what_still_waits_for_its_body_or_a_limit_is_ended_too),
        TEST(a_call_of_the_service_that_waits_for_its_body_is_left_alone),
        TEST(a_tunnel_of_a_revoked_session_is_cut_with_its_reason),
        TEST(a_call_of_the_service_may_end_its_own_session_and_say_so),
        TEST(idle_connections_strangers_and_other_issuers_are_left_alone),
        TEST(what_the_gate_has_counted_is_added_once),
    };
    return cmocka_run_group_tests_name("session_watch", tests, NULL, NULL);
}
