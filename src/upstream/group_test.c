/* Groups: spreading requests over servers, active checks, reloads, metrics. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "upstream/group.h"
#include "upstream/test_client.h"
#include "upstream/test_origin.h"

#define OK_ANSWER      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define ANSWER(status) "HTTP/1.1 " #status " X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static const char *const ok_plan[] = {READ_HEAD, OK_ANSWER, AGAIN, NULL};
static const char *const hang[] = {READ_HEAD, HANG, NULL};
static const char *const pass_check[] = {READ_HEAD, ANSWER(204), NULL};
static const char *const fail_check[] = {READ_HEAD, ANSWER(503), NULL};

static struct origin origins[3];
static struct test_client client;

static void open_client(unsigned count)
{
    const char *urls[3];
    for (unsigned i = 0; i < count; i++)
        urls[i] = origins[i].url;
    client_start(&client, count, urls);
}

static void finish(unsigned count)
{
    client_close(&client);
    for (unsigned i = 0; i < count; i++)
        origin_close(&origins[i]);
}

static bool get_succeeds(void)
{
    struct test_call call;
    call_get(&call, &client);
    call_done(&call);
    return call.complete;
}

/* ---- Balancing ---- */

static void requests_one_after_the_other_go_round(void **state)
{
    for (int i = 0; i < 3; i++)
        ORIGIN_OPEN(&origins[i], ok_plan);
    for (int balance = 0; balance < 2; balance++) {
        client_init(&client);
        client.settings.balance = balance ? GH_BALANCE_ROUND_ROBIN : GH_BALANCE_LEAST_REQUESTS;
        open_client(3);
        for (int i = 0; i < 6; i++)
            assert_true(get_succeeds());
        for (int i = 0; i < 3; i++)
            assert_int_equal(origins[i].heads_read, 2 * (balance + 1));
        client_close(&client);
    }
    for (int i = 0; i < 3; i++)
        origin_close(&origins[i]);
}

/* The first server holds a request while others are made. */
static void make_requests_beside_a_slow_one(enum gh_upstream_balance balance)
{
    struct test_call slow;
    ORIGIN_OPEN(&origins[0], hang, ok_plan);
    ORIGIN_OPEN(&origins[1], ok_plan);
    client_init(&client);
    client.settings.balance = balance;
    open_client(2);
    call_init(&slow, &client);
    call_start(&slow);
    call_wait_ready(&slow, 1);
    for (int i = 0; i < 6; i++)
        assert_true(get_succeeds());
    while (!origins[0].accepted) /* the kernel answers a connect before the thread does */
        poll(NULL, 0, 1);
    call_abort(&slow);
    call_done(&slow);
    finish(2);
}

static void least_requests_spares_a_server_that_is_slow(void **state)
{
    make_requests_beside_a_slow_one(GH_BALANCE_LEAST_REQUESTS);
    assert_int_equal(origins[0].accepted, 1);
    assert_int_equal(origins[1].heads_read, 6);
}

static void round_robin_does_not(void **state)
{
    make_requests_beside_a_slow_one(GH_BALANCE_ROUND_ROBIN);
    assert_int_equal(origins[0].accepted, 2);
    assert_int_equal(origins[1].heads_read, 3);
}

/* ---- Active checks ---- */

static void wait_until_up_is(bool expected)
{
    for (int i = 0; gh_upstream_group_is_up(client.group) != expected; i++) {
        assert_true(i < 20000);
        poll(NULL, 0, 1);
    }
}

static void open_with_checks(void)
{
    client_init(&client);
    client.settings.health.path = GH_STR("/health?deep=1");
    open_client(1);
}

static void checks_take_a_server_out_and_bring_it_back(void **state)
{
    ORIGIN_OPEN(&origins[0], pass_check, fail_check, fail_check, fail_check, pass_check);
    open_with_checks();
    wait_until_up_is(false);
    assert_true(origins[0].accepted >= 3);
    wait_until_up_is(true);
    /* Two failures in a row are two, and two passes as well. */
    assert_true(origins[0].accepted >= 6);
    assert_true(strncmp(origins[0].connections[0].head,
                        "GET /health?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:", 45) == 0);
    finish(1);
}

static void one_failed_check_is_no_verdict(void **state)
{
    ORIGIN_OPEN(&origins[0], pass_check, fail_check, pass_check, fail_check, pass_check);
    open_with_checks();
    while (origins[0].accepted < 7) {
        assert_true(gh_upstream_group_is_up(client.group));
        poll(NULL, 0, 1);
    }
    finish(1);
}

static void no_request_goes_to_a_server_that_fails_its_checks(void **state)
{
    struct test_call call;
    ORIGIN_OPEN(&origins[0], fail_check);
    client_init(&client);
    client.settings.health.path = GH_STR("/health");
    client.settings.health.interval_ms = 2000;
    client.settings.health.fails = 1;
    open_client(1);
    wait_until_up_is(false);
    call_get(&call, &client);
    assert_true(call.failed);
    assert_int_equal(call.failure, GH_UPSTREAM_NO_SERVER);
    assert_int_equal(origins[0].accepted, 1);
    call_done(&call);
    finish(1);
}

static void assert_fails_checks(const char *const *plan)
{
    const char *const *const plans[] = {plan};
    origin_open(&origins[0], plans, 1);
    client_init(&client);
    client.settings.health.path = GH_STR("/health");
    client.settings.health.timeout_ms = 30;
    open_client(1);
    wait_until_up_is(false);
    finish(1);
}

static void a_check_fails_without_a_proper_answer(void **state)
{
    static const char *const silent[] = {READ_HEAD, HANG, NULL};
    static const char *const garbage[] = {READ_HEAD, "hello\r\n\r\n", NULL};
    static const char *const closes[] = {READ_HEAD, NULL};
    static const char *const half[] = {READ_HEAD, "HTTP/1.1 200 OK\r\n", NULL};
    static const char *const interim[] = {READ_HEAD, "HTTP/1.1 100 Continue\r\n\r\n", NULL};
    assert_fails_checks(silent);
    assert_fails_checks(garbage);
    assert_fails_checks(closes);
    assert_fails_checks(half);
    assert_fails_checks(interim);
}

static void a_check_passes_after_an_interim_answer_in_pieces(void **state)
{
    static const char *const plan[] = {READ_HEAD, "HTTP/1.1 100 Con", "tinue\r\n\r\nHTTP/1.1 30",
                                       "2 Found\r\nLocation: /x\r\n\r\n", NULL};
    ORIGIN_OPEN(&origins[0], fail_check, fail_check, plan);
    open_with_checks();
    wait_until_up_is(false);
    wait_until_up_is(true);
    finish(1);
}

static void a_server_that_refuses_connections_fails_its_checks(void **state)
{
    char url[64];
    const char *urls[] = {url};
    snprintf(url, sizeof url, "http://127.0.0.1:%u", unused_port());
    client_init(&client);
    client.settings.health.path = GH_STR("/");
    client_start(&client, 1, urls);
    wait_until_up_is(false);
    client_close(&client);
}

/* ---- Reloads ---- */

static void a_reload_without_changes_keeps_group_and_connections(void **state)
{
    ORIGIN_OPEN(&origins[0], ok_plan);
    client_init(&client);
    open_client(1);
    assert_true(get_succeeds());
    struct gh_upstream_group *before = client.group;
    client_reload(&client);
    assert_ptr_equal(client.group, before);
    assert_true(get_succeeds());
    assert_int_equal(origins[0].accepted, 1);
    finish(1);
}

static void changed_timeouts_keep_health_and_connections(void **state)
{
    ORIGIN_OPEN(&origins[0], ok_plan);
    client_init(&client);
    open_client(1);
    assert_true(get_succeeds());
    struct gh_server *server = client.group->servers[0];
    client.settings.timeouts.response_ms = 7777;
    client_reload(&client);
    assert_int_equal(client.group->settings.timeouts.response_ms, 7777);
    assert_ptr_equal(client.group->servers[0], server);
    assert_true(get_succeeds());
    assert_int_equal(origins[0].accepted, 1);
    finish(1);
}

static void a_call_under_way_outlives_a_reload_that_drops_its_server(void **state)
{
    static const char *const waits[] = {READ_HEAD, WAIT_GATE, OK_ANSWER, HANG, NULL};
    struct test_call call;
    ORIGIN_OPEN(&origins[0], waits);
    ORIGIN_OPEN(&origins[1], ok_plan);
    client_init(&client);
    open_client(1);
    call_init(&call, &client);
    call_start(&call);
    call_wait_ready(&call, 1);
    /* As a snapshot that the request still pins. */
    struct gh_upstream_group *old = client.group;
    client.group = NULL;
    *(struct gh_str *)client.settings.servers.items = gh_str_from_c(origins[1].url);
    client_reload(&client);
    assert_true(get_succeeds());
    assert_int_equal(origins[1].accepted, 1);
    atomic_store(&origins[0].gate, true);
    call_wait(&call);
    assert_true(call.complete);
    gh_upstream_group_unref(old);
    client_reload(&client); /* sweeps */
    assert_int_equal(client.groups->servers[0] == NULL, true);
    call_done(&call);
    finish(2);
}

static void changed_checks_begin_anew(void **state)
{
    ORIGIN_OPEN(&origins[0], fail_check);
    open_with_checks();
    wait_until_up_is(false);
    client.settings.health.path = GH_STR("");
    client_reload(&client);
    assert_true(gh_upstream_group_is_up(client.group));
    finish(1);
}

static void refuses_settings_that_can_not_work(void **state)
{
    ORIGIN_OPEN(&origins[0], ok_plan);
    client_init(&client);
    open_client(1);
    struct gh_upstream_group *before = client.group;
    struct gh_str many[GH_UPSTREAM_SERVERS_MAX + 1];
    for (size_t i = 0; i < GH_UPSTREAM_SERVERS_MAX + 1; i++)
        many[i] = GH_STR("http://127.0.0.1:1");
    struct gh_upstream_settings good = client.settings;

    client.settings.health.path = GH_STR("no-slash");
    client_reload(&client);
    assert_int_equal(client.get_err, GH_ERR_INVALID);
    client.settings.health.path = GH_STR("/a b");
    client_reload(&client);
    assert_int_equal(client.get_err, GH_ERR_INVALID);
    client.settings = good;
    client.settings.servers.count = 0;
    client_reload(&client);
    assert_int_equal(client.get_err, GH_ERR_INVALID);
    client.settings.servers = (struct gh_config_list){many, GH_UPSTREAM_SERVERS_MAX + 1};
    client_reload(&client);
    assert_int_equal(client.get_err, GH_ERR_INVALID);
    many[1] = GH_STR("http://127.0.0.1/path");
    client.settings.servers.count = 2;
    client_reload(&client);
    assert_int_equal(client.get_err, GH_ERR_INVALID);
    assert_true(gh_str_find(client.message, GH_STR("127.0.0.1/path")) < client.message.len);
    many[1] = GH_STR("https://127.0.0.1");
    client.settings.ca = GH_STR("/no/such/file.pem");
    client_reload(&client);
    assert_int_not_equal(client.get_err, GH_OK);
    assert_true(client.message.len > 0);

    client.settings = good;
    client_reload(&client);
    assert_ptr_equal(client.group, before);
    assert_true(get_succeeds());
    finish(1);
}

/* ---- Several workers ---- */

#define WORKER_CALLS 40

struct worker {
    struct gh_loop *loop;
    struct gh_upstreams *upstreams;
    struct gh_upstream_group *group;
    struct gh_upstream_call call;
    struct gh_arena arena;
    pthread_t thread;
    unsigned calls, completed;
};

static void start_next(struct worker *worker);

static void next_or_stop(struct worker *worker)
{
    gh_upstreams_sweep(worker->upstreams);
    if (worker->calls < WORKER_CALLS) {
        start_next(worker);
        return;
    }
    gh_upstream_group_unref(worker->group);
    gh_upstreams_close(worker->upstreams);
    gh_loop_stop(worker->loop);
}

static void on_ready(struct gh_upstream_call *call)
{
    (void)call;
}

static void on_head(struct gh_upstream_call *call, struct gh_response_head *head)
{
    (void)call;
    assert_int_equal(head->status, 200);
}

static void on_body(struct gh_upstream_call *call, struct gh_str bytes, bool is_last)
{
    struct worker *worker = call->owner;
    (void)bytes;
    if (!is_last)
        return;
    worker->completed++;
    next_or_stop(worker);
}

static void on_failure(struct gh_upstream_call *call, enum gh_upstream_failure failure)
{
    (void)failure;
    next_or_stop(call->owner);
}

static void start_next(struct worker *worker)
{
    static const struct gh_upstream_call_events events = {
        .on_ready = on_ready,
        .on_head = on_head,
        .on_body = on_body,
        .on_drain = on_ready,
        .on_failure = on_failure,
    };
    struct gh_upstream_request request = {
        .head = GH_STR("GET / HTTP/1.1\r\nHost: test\r\n\r\n"),
        .method = GH_METHOD_GET,
        .idempotent = true,
    };
    worker->calls++;
    gh_arena_reset(&worker->arena);
    gh_upstream_call_start(&worker->call, worker->upstreams, worker->group, &request,
                           &worker->arena, &events, worker);
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    start_next(worker);
    gh_loop_run(worker->loop);
    return NULL;
}

static void count_group(void *arg)
{
    struct worker *worker = arg;
    assert_int_equal(gh_upstream_group_get(client.groups, GH_STR("api"), &client.settings,
                                           &client.arena, &worker->group, &client.message),
                     GH_OK);
}

static void open_worker(struct worker *worker, unsigned number)
{
    memset(worker, 0, sizeof *worker);
    gh_arena_init(&worker->arena, 4096, 1024 * 1024);
    assert_int_equal(gh_loop_open(&worker->loop), GH_OK);
    assert_int_equal(gh_upstreams_open(worker->loop, number, &worker->upstreams), GH_OK);
    client_run(&client, count_group, worker);
    assert_int_equal(pthread_create(&worker->thread, NULL, run_worker, worker), 0);
}

static void workers_share_servers_while_settings_are_reloaded(void **state)
{
    static struct worker workers[3];
    ORIGIN_OPEN(&origins[0], ok_plan);
    client_init(&client);
    client.settings.health.path = GH_STR("/");
    const char *dead = "http://127.0.0.1:1";
    const char *urls[] = {origins[0].url, dead};
    client_start(&client, 2, urls);
    for (unsigned i = 0; i < 3; i++)
        open_worker(&workers[i], i);
    for (unsigned i = 0; i < 20; i++) {
        client.settings.timeouts.response_ms = 5000 + i;
        client.settings.health.fails = 1 + i % 2;
        client_reload(&client);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].completed, WORKER_CALLS);
        gh_loop_close(workers[i].loop);
        gh_arena_done(&workers[i].arena);
    }
    finish(1);
}

/* ---- Metrics ---- */

static void metrics_say_which_servers_are_up(void **state)
{
    char *text = NULL;
    char up[128], down[128];
    size_t len = 0;
    ORIGIN_OPEN(&origins[0], ok_plan);
    ORIGIN_OPEN(&origins[1], ok_plan);
    client_init(&client);
    open_client(2);
    for (int i = 0; i < 3; i++)
        gh_server_note_failure(client.group->servers[1], 1, false);
    FILE *out = open_memstream(&text, &len);
    gh_metrics_write(client.metrics, out);
    fclose(out);
    snprintf(up, sizeof up,
             "\ngatehouse_upstream_server_up{upstream=\"api\",server=\"127.0.0.1:%u\"} 1\n",
             origins[0].port);
    snprintf(down, sizeof down,
             "\ngatehouse_upstream_server_up{upstream=\"api\",server=\"127.0.0.1:%u\"} 0\n",
             origins[1].port);
    assert_non_null(strstr(text, up));
    assert_non_null(strstr(text, down));
    free(text);
    finish(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_one_after_the_other_go_round),
        cmocka_unit_test(least_requests_spares_a_server_that_is_slow),
        cmocka_unit_test(round_robin_does_not),
        cmocka_unit_test(checks_take_a_server_out_and_bring_it_back),
        cmocka_unit_test(one_failed_check_is_no_verdict),
        cmocka_unit_test(no_request_goes_to_a_server_that_fails_its_checks),
        cmocka_unit_test(a_check_fails_without_a_proper_answer),
        cmocka_unit_test(a_check_passes_after_an_interim_answer_in_pieces),
        cmocka_unit_test(a_server_that_refuses_connections_fails_its_checks),
        cmocka_unit_test(a_reload_without_changes_keeps_group_and_connections),
        cmocka_unit_test(changed_timeouts_keep_health_and_connections),
        cmocka_unit_test(a_call_under_way_outlives_a_reload_that_drops_its_server),
        cmocka_unit_test(changed_checks_begin_anew),
        cmocka_unit_test(refuses_settings_that_can_not_work),
        cmocka_unit_test(workers_share_servers_while_settings_are_reloaded),
        cmocka_unit_test(metrics_say_which_servers_are_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
