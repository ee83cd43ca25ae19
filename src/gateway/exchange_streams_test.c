#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/exchange_toys.h"

/* ---- Two requests at once ---- */

struct pair {
    struct gh_exchange *one, *other;
    struct gh_upstream_call *call_one, *call_other;
};

/* Two uploads whose upstreams take them. */
static struct pair begin_pair(void)
{
    struct pair pair;
    static struct gh_request_head head;
    pair.one = gh_toys_begin_upload();
    pair.call_one = gh_toys.call;
    pair.other = gh_toys_begin_stream(3);
    head = (struct gh_request_head){.method = GH_METHOD_POST, .body = GH_BODY_CHUNKED};
    gh_exchange_head(pair.other, &head);
    gh_exchange_body(pair.other, GH_STR("xyz"));
    gh_exchange_turn(pair.other);
    pair.call_other = gh_toys.call;
    gh_toys_expect("turn? call:<H>+body up:3|xyz| 3/paid:3 ");
    return pair;
}

static void answer(struct gh_upstream_call *call, struct gh_exchange *exchange)
{
    gh_toys.call = call;
    gh_toys_upstream_head(200);
    gh_exchange_turn(exchange);
}

static void streams_that_take_turns_stay_apart(void **state)
{
    (void)state;
    struct pair pair = begin_pair();
    gh_exchange_body(pair.one, GH_STR("1"));
    gh_exchange_body(pair.other, GH_STR("2"));
    gh_exchange_body_end(pair.other);
    gh_toys_expect("up:1|1| paid:1 up:1|2| 3/paid:1 up:0|| up-end ");
    answer(pair.call_other, pair.other);
    pair.call_other->events->on_body(pair.call_other, GH_STR("second"), false);
    answer(pair.call_one, pair.one);
    pair.call_one->events->on_body(pair.call_one, GH_STR("first"), true);
    pair.call_other->events->on_body(pair.call_other, GH_STR(""), true);
    gh_toys_expect("turn? 3/head:200 3/body:second turn? head:200 body:first! 3/body:! ");
    gh_exchange_end(pair.one, true);
    gh_toys_end(pair.other, true);
    gh_toys_expect("log:200 log:200 ");
}

static void a_stream_that_is_reset_takes_no_other_with_it(void **state)
{
    (void)state;
    struct pair pair = begin_pair();
    gh_exchange_end(pair.one, true);
    gh_toys_expect("abort log:0 ");
    assert_int_equal(gh_toys.logged_reason, GH_REASON_CLIENT_GONE);
    gh_exchange_body_end(pair.other);
    answer(pair.call_other, pair.other);
    pair.call_other->events->on_body(pair.call_other, GH_STR("whole"), true);
    gh_toys_expect("up:0|| up-end turn? 3/head:200 3/body:whole! ");
    gh_toys_end(pair.other, true);
    gh_toys_expect("log:200 ");
    assert_int_equal(gh_toys.logged_reason, GH_REASON_UNDECIDED);
}

static void an_upstream_that_breaks_off_breaks_its_own_stream(void **state)
{
    (void)state;
    struct pair pair = begin_pair();
    answer(pair.call_one, pair.one);
    answer(pair.call_other, pair.other);
    pair.call_one->events->on_failure(pair.call_one, GH_UPSTREAM_CUT);
    gh_toys_expect("turn? head:200 turn? 3/head:200 reset ");
    pair.call_other->events->on_body(pair.call_other, GH_STR("whole"), true);
    gh_toys_expect("3/body:whole! ");
    gh_exchange_end(pair.one, true);
    gh_toys_end(pair.other, true);
    gh_toys_expect("log:200 log:200 ");
}

/* ---- Extended CONNECT ---- */

static struct gh_exchange *begin_connect(void)
{
    struct gh_exchange *exchange = gh_toys_begin(GH_METHOD_GET, GH_BODY_NONE);
    gh_toys.head.version_major = 2;
    gh_toys.head.upgrade_websocket = true;
    gh_exchange_head(exchange, &gh_toys.head);
    gh_toys_expect("key call:<H> ");
    return exchange;
}

static void its_stream_is_the_tunnel(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_connect();
    gh_toys_upstream_head(101);
    gh_toys_expect("head:101 tunnel ");
    gh_exchange_body(exchange, GH_STR("ping"));
    gh_toys_expect("up:ping paid:4 ");
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("pong"), false);
    gh_toys_expect("raw:pong ");
    gh_exchange_body_end(exchange);
    gh_toys_expect("abort tunnel-end ");
    gh_toys_end(exchange, true);
    gh_toys_expect("log:101 ");
}

static void a_tunnel_whose_upstream_breaks_is_reset_and_not_ended(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_connect();
    gh_toys_upstream_head(101);
    gh_toys_expect("head:101 tunnel ");
    gh_toys.call->events->on_failure(gh_toys.call, GH_UPSTREAM_CUT);
    gh_toys_expect("reset ");
    gh_toys_end(exchange, true);
    gh_toys_expect("log:101 ");
    assert_int_equal(gh_toys.logged_reason, GH_REASON_UPSTREAM_CUT);
}

static void bytes_that_come_before_the_tunnel_wait_for_it(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_connect();
    gh_exchange_body(exchange, GH_STR("ea"));
    gh_exchange_body(exchange, GH_STR("rly"));
    gh_toys_expect("");
    gh_toys_upstream_head(101);
    gh_toys_expect("head:101 tunnel up:early paid:5 ");
    gh_toys_end(exchange, true);
    gh_toys_expect("abort log:101 ");
}

static void a_client_that_ended_before_has_its_tunnel_ended(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_connect();
    gh_exchange_body(exchange, GH_STR("bye"));
    gh_exchange_body_end(exchange);
    gh_toys_expect("");
    gh_toys_upstream_head(101);
    gh_toys_expect("head:101 tunnel up:bye paid:3 abort tunnel-end ");
    gh_toys_end(exchange, true);
    gh_toys_expect("log:101 ");
}

static void a_slow_upstream_is_not_paid_for(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_connect();
    gh_toys_upstream_head(101);
    gh_toys.upstream_is_full = true;
    gh_exchange_body(exchange, GH_STR("abc"));
    gh_exchange_body(exchange, GH_STR("de"));
    gh_toys_expect("head:101 tunnel up:abc up:de ");
    gh_toys.call->events->on_drain(gh_toys.call);
    gh_toys_expect("paid:5 ");
    gh_toys_end(exchange, true);
    gh_toys_expect("abort log:101 ");
}

static void a_slow_client_pauses_the_tunnel(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_connect();
    gh_toys_upstream_head(101);
    gh_toys.client_is_full = true;
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("much"), false);
    gh_toys_expect("head:101 tunnel raw:much pause ");
    gh_exchange_client_drained(exchange);
    gh_toys_expect("resume ");
    gh_toys_end(exchange, true);
    gh_toys_expect("abort log:101 ");
}

static void a_refusal_of_the_backend_is_its_answer(void **state)
{
    (void)state;
    struct gh_exchange *exchange = begin_connect();
    gh_exchange_body(exchange, GH_STR("early"));
    gh_toys_upstream_head(403);
    gh_toys_expect("paid:5 turn? ");
    gh_exchange_body(exchange, GH_STR("late"));
    gh_toys_expect("paid:4 ");
    gh_exchange_turn(exchange);
    gh_toys.call->events->on_body(gh_toys.call, GH_STR("no"), true);
    gh_toys_expect("head:403 body:no! ");
    gh_toys_end(exchange, true);
    gh_toys_expect("log:403 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_that_take_turns_stay_apart),
        cmocka_unit_test(a_stream_that_is_reset_takes_no_other_with_it),
        cmocka_unit_test(an_upstream_that_breaks_off_breaks_its_own_stream),
        cmocka_unit_test(its_stream_is_the_tunnel),
        cmocka_unit_test(a_tunnel_whose_upstream_breaks_is_reset_and_not_ended),
        cmocka_unit_test(bytes_that_come_before_the_tunnel_wait_for_it),
        cmocka_unit_test(a_client_that_ended_before_has_its_tunnel_ended),
        cmocka_unit_test(a_slow_upstream_is_not_paid_for),
        cmocka_unit_test(a_slow_client_pauses_the_tunnel),
        cmocka_unit_test(a_refusal_of_the_backend_is_its_answer),
    };
    return cmocka_run_group_tests_name("exchange_streams", tests, NULL, NULL);
}
