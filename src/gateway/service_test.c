/* Calls of the service between real loops and real lanes: run it under ThreadSanitizer. The worker
   and its exchanges are toys, the drain is the worker's rule: it ends when all calls are back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "gateway/exchange.h"
#include "gateway/service.h"
#include "gateway/service_call_fill.h"

#define CALLS 500

static struct gh_metrics *metrics;
static struct gh_shared shared;
static struct gh_worker worker;
static struct gh_snapshot snapshot;
static struct gh_pin pin;
static struct gh_exchange exchanges[CALLS];
static unsigned answered, forgotten_answered, begun;
static atomic_uint handled;

/* ---- Toys ---- */

enum gh_err gh_service_call_fill(struct gh_service_call *call, const struct gh_request *request,
                                 const struct gh_snapshot *s)
{
    assert_ptr_equal(s, &snapshot);
    call->endpoint = request->endpoint;
    call->body = gh_arena_format(&call->arena, "call %zu", request->endpoint);
    return GH_OK;
}

void gh_exchange_service_done(struct gh_exchange *exchange, const struct gh_reply *reply)
{
    char expected[32];
    snprintf(expected, sizeof(expected), "call %zu", exchange->request.endpoint);
    assert_true(gh_str_eq(reply->body, gh_str_from_c(expected)));
    exchange->service = NULL;
    answered++;
    forgotten_answered += exchange->ended;
}

void gh_worker_unpin(struct gh_worker *w, struct gh_pin *p)
{
    (void)w;
    p->users--;
}

void gh_worker_service_call_gone(struct gh_worker *w)
{
    if (--w->service_calls == 0 && begun == CALLS)
        gh_loop_stop(w->loop);
}

static void handle(void *context, struct gh_service_call *call)
{
    (void)context;
    atomic_fetch_add(&handled, 1);
    call->reply.status = 200;
    call->reply.body = call->body;
}

static enum gh_service_lane lane_of(void *context, size_t endpoint)
{
    (void)context;
    return (enum gh_service_lane)(endpoint % GH_SERVICE_LANE_COUNT);
}

static int setup(void **state)
{
    (void)state;
    struct gh_service_options options = {
        .port = {NULL, handle, lane_of},
        .lanes = {{"hash", 2, CALLS, 10}, {"away", 2, CALLS, 0}, {"data", 2, CALLS, 0}},
    };
    memset(exchanges, 0, sizeof(exchanges));
    answered = forgotten_answered = begun = 0;
    atomic_store(&handled, 0);
    pin = (struct gh_pin){.snapshot = &snapshot, .users = 1};
    assert_int_equal(gh_metrics_open(1, &metrics), GH_OK);
    shared.metrics = metrics;
    assert_int_equal(gh_service_open(&options, metrics, &shared.service), GH_OK);
    worker = (struct gh_worker){.shared = &shared, .pin = &pin};
    assert_int_equal(gh_loop_open(&worker.loop), GH_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gh_service_close(shared.service);
    gh_loop_close(worker.loop);
    gh_metrics_close(metrics);
    return 0;
}

/* ---- Tests ---- */

/* On the loop's thread: begins all, a few in each turn, and forgets each third. */
static void begin_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        struct gh_exchange *exchange = &exchanges[begun];
        exchange->worker = &worker;
        exchange->pin = &pin;
        exchange->request.endpoint = begun;
        assert_int_equal(gh_service_begin(exchange, &exchange->service), GH_OK);
        if (begun++ % 3 == 0) {
            gh_service_forget(exchange->service);
            exchange->ended = true;
        }
    }
    if (begun < CALLS)
        assert_int_equal(gh_loop_post(worker.loop, begin_some, NULL), GH_OK);
}

static void every_call_comes_back_once_to_those_who_wait(void **state)
{
    (void)state;
    assert_int_equal(gh_service_start(shared.service), GH_OK);
    assert_int_equal(gh_loop_post(worker.loop, begin_some, NULL), GH_OK);
    gh_loop_run(worker.loop); /* until the last one is back */
    assert_int_equal(worker.service_calls, 0);
    assert_int_equal(atomic_load(&handled), CALLS);
    assert_int_equal(answered, CALLS - (CALLS + 2) / 3);
    assert_int_equal(forgotten_answered, 0);
    assert_int_equal(pin.users, 1);
}

static char *scrape(void)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    gh_metrics_write(metrics, out);
    fclose(out);
    return text;
}

static void lanes_show_in_the_metrics_also_before_they_run(void **state)
{
    (void)state;
    char *text = scrape();
    assert_non_null(strstr(text, "gatehouse_lane_waiting{lane=\"hash\"} 0\n"));
    free(text);
    every_call_comes_back_once_to_those_who_wait(state);
    text = scrape();
    assert_non_null(strstr(text, "gatehouse_lane_calls_total{lane=\"hash\"} 1"));
    assert_non_null(strstr(text, "gatehouse_lane_calls_total{lane=\"data\"} 1"));
    assert_non_null(strstr(text, "gatehouse_lane_calls_total{lane=\"away\"} 1"));
    assert_non_null(strstr(text, "gatehouse_lane_refused_total{lane=\"data\"} 0\n"));
    assert_non_null(strstr(text, "gatehouse_lane_wait_seconds_total{lane=\"hash\"} "));
    assert_non_null(strstr(text, "gatehouse_service_duration_seconds_count{lane=\"hash\"} 167\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_call_comes_back_once_to_those_who_wait, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lanes_show_in_the_metrics_also_before_they_run, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
