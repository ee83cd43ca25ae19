/* Limits shared through a real redis-server, asked from many threads at once, and told of on the
   control loop. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "app/quota.h"
#include "app/shared_limits.h"
#include "net/loop.h"
#include "store/redis_fixture.h"

#define WORKERS   2
#define THREADS   8
#define ROUNDS    20
#define PATIENCE  1000 /* looks of 10 ms */
#define ALARM_S   60
#define LOG_MS    1000
#define TABLE     1024
#define URL_BYTES 4096

struct rig {
    struct gh_redis_server server;
    struct gh_log *log;
    struct gh_metrics *metrics;
    struct gh_limit_table *table;
    struct gh_loop *control, *loops[WORKERS];
    pthread_t control_thread, threads[WORKERS];
    struct gh_shared_limits *shared;
    struct gh_quota_rules rules;
    struct gh_arena arena;
    atomic_uint lost, found, admitted;
    atomic_bool stop;
};

static void on_change(void *context, bool is_shared, struct gh_str what, uint64_t seconds)
{
    struct rig *rig = context;
    (void)seconds;
    if (is_shared)
        atomic_fetch_add(&rig->found, 1);
    else if (what.len)
        atomic_fetch_add(&rig->lost, 1);
}

static void *run_loop(void *arg)
{
    gh_loop_run(arg);
    return NULL;
}

static void open_rig(struct rig *rig)
{
    struct gh_log_ring *ring;
    struct gh_redis_url url;
    struct gh_limit_shared *port;
    char text[128];
    const struct gh_redis_settings settings = {.timeout_ms = 200};
    const struct gh_config_map no_limits = {.count = 0};
    *rig = (struct rig){.log = NULL};
    alarm(ALARM_S);
    gh_redis_server_open(&rig->server, NULL);
    gh_arena_init(&rig->arena, URL_BYTES, URL_BYTES);
    snprintf(text, sizeof(text), "unix:%s", rig->server.path);
    assert_null(gh_redis_url_parse(gh_str_from_c(text), &rig->arena, &url));
    assert_int_equal(gh_log_open(STDERR_FILENO, &rig->log), GH_OK);
    assert_int_equal(gh_log_ring_open(rig->log, &ring), GH_OK);
    assert_int_equal(gh_metrics_open(WORKERS + 1, &rig->metrics), GH_OK);
    assert_int_equal(gh_limit_table_open(TABLE, (struct gh_hash_key){1, 2}, &rig->table), GH_OK);
    assert_int_equal(gh_loop_open(&rig->control), GH_OK);
    gh_quota_rules_of(&no_limits, &rig->rules);
    struct gh_shared_limits_options options = {
        .worker_count = WORKERS,
        .control = rig->control,
        .ring = ring,
        .metrics = rig->metrics,
        .secret = {3, 4},
    };
    rig->shared = gh_shared_limits_new(&options, &url, &settings);
    assert_non_null(rig->shared);
    gh_shared_limits_tell(rig->shared, on_change, rig);
    const struct gh_shared_limits_host *host = gh_shared_limits_host(rig->shared);
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(gh_loop_open(&rig->loops[i]), GH_OK);
        assert_int_equal(host->open(host->context, i, rig->loops[i], &port), GH_OK);
    }
    pthread_create(&rig->control_thread, NULL, run_loop, rig->control);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_create(&rig->threads[i], NULL, run_loop, rig->loops[i]);
}

struct ending {
    struct rig *rig;
    unsigned worker;
};

static void end_worker(void *arg)
{
    struct ending *ending = arg;
    const struct gh_shared_limits_host *host = gh_shared_limits_host(ending->rig->shared);
    host->close(host->context, ending->worker);
    gh_loop_stop(ending->rig->loops[ending->worker]);
}

static void stop_loop(void *arg)
{
    gh_loop_stop(arg);
}

static void end_workers(struct rig *rig)
{
    struct ending endings[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        endings[i] = (struct ending){rig, i};
        assert_int_equal(gh_loop_post(rig->loops[i], end_worker, &endings[i]), GH_OK);
        pthread_join(rig->threads[i], NULL);
        gh_loop_close(rig->loops[i]);
    }
}

static void close_rig(struct rig *rig)
{
    assert_int_equal(gh_loop_post(rig->control, stop_loop, rig->control), GH_OK);
    pthread_join(rig->control_thread, NULL);
    gh_shared_limits_close(rig->shared);
    gh_loop_close(rig->control);
    gh_log_close(rig->log, LOG_MS);
    gh_metrics_close(rig->metrics);
    gh_limit_table_close(rig->table);
    gh_arena_done(&rig->arena);
    gh_redis_server_close(&rig->server);
    alarm(0);
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){0, 10000000}, NULL);
}

static struct gh_hash128 make_key(const void *source, struct gh_hash_key secret)
{
    return gh_hash128(secret, gh_str_from_c(source));
}

static bool decide(struct rig *rig, const char *source, struct gh_limit_decision *out_decision)
{
    const struct gh_shared_question question = {&rig->rules.rules[0], make_key, source};
    return gh_shared_limits_decide(rig->shared, &question, out_decision);
}

static void until_decided(struct rig *rig, bool decided)
{
    struct gh_limit_decision decision;
    for (unsigned looks = 0; decide(rig, "a look", &decision) != decided; looks++) {
        assert_in_range(looks, 0, PATIENCE);
        pause_a_little();
    }
}

static void until(const atomic_uint *count, unsigned wanted)
{
    for (unsigned looks = 0; atomic_load(count) < wanted; looks++) {
        assert_in_range(looks, 0, PATIENCE);
        pause_a_little();
    }
}

static bool take(struct rig *rig, const char *key, uint64_t *out_retry_after_s)
{
    const struct gh_quota_books books = {rig->table, rig->shared};
    return gh_quota_take(&books, &rig->rules, "login_account", gh_str_from_c(key),
                         gh_monotonic_now_ms(), out_retry_after_s);
}

/* ---- Tests ---- */

static void a_quota_is_counted_in_redis_and_here(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t wait_s = 0;
    open_rig(&rig);
    until_decided(&rig, true);
    for (int i = 0; i < 5; i++)
        assert_true(take(&rig, "somebody", &wait_s));
    assert_false(take(&rig, "somebody", &wait_s));
    assert_in_range(wait_s, 55, 60);
    const char *keys = gh_redis_server_ask(&rig.server, "DBSIZE");
    assert_string_equal(keys, ":3"); /* the secret, the look, somebody */
    end_workers(&rig);
    assert_false(take(&rig, "somebody", &wait_s)); /* this table has counted, too */
    close_rig(&rig);
}

static void what_another_node_admitted_counts(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t wait_s = 0;
    open_rig(&rig);
    until_decided(&rig, true);
    for (int i = 0; i < 5; i++)
        assert_true(take(&rig, "somebody", &wait_s));
    gh_limit_table_close(rig.table); /* a node that has seen nothing */
    assert_int_equal(gh_limit_table_open(TABLE, (struct gh_hash_key){5, 6}, &rig.table), GH_OK);
    assert_false(take(&rig, "somebody", &wait_s));
    assert_true(take(&rig, "another", &wait_s));
    end_workers(&rig);
    close_rig(&rig);
}

static void *take_many(void *arg)
{
    struct rig *rig = arg;
    uint64_t wait_s;
    for (int i = 0; i < ROUNDS; i++)
        atomic_fetch_add(&rig->admitted, take(rig, "everybody", &wait_s));
    return NULL;
}

static void many_threads_get_the_quota_once(void **state)
{
    (void)state;
    struct rig rig;
    pthread_t threads[THREADS];
    open_rig(&rig);
    until_decided(&rig, true);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, take_many, &rig);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&rig.admitted), 5);
    end_workers(&rig);
    close_rig(&rig);
}

static void without_redis_the_table_here_decides_and_it_is_told_once(void **state)
{
    (void)state;
    struct rig rig;
    uint64_t wait_s;
    open_rig(&rig);
    until_decided(&rig, true);
    for (int i = 0; i < 3; i++)
        assert_true(take(&rig, "somebody", &wait_s));
    gh_redis_server_kill(&rig.server);
    until_decided(&rig, false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(take(&rig, "somebody", &wait_s), i < 2);
    until(&rig.lost, 1);
    gh_redis_server_start(&rig.server);
    until(&rig.found, 1);
    until_decided(&rig, true);
    assert_int_equal(atomic_load(&rig.lost), 1);
    assert_int_equal(atomic_load(&rig.found), 1);
    end_workers(&rig);
    close_rig(&rig);
}

static void *take_until_stopped(void *arg)
{
    struct rig *rig = arg;
    uint64_t wait_s;
    while (!atomic_load(&rig->stop))
        take(rig, "whoever", &wait_s);
    return NULL;
}

static void workers_may_end_while_threads_ask(void **state)
{
    (void)state;
    struct rig rig;
    pthread_t threads[THREADS];
    open_rig(&rig);
    until_decided(&rig, true);
    rig.rules.rules[0].count = 16; /* so that Redis is asked for longer */
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, take_until_stopped, &rig);
    pause_a_little();
    end_workers(&rig);
    pause_a_little();
    atomic_store(&rig.stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    close_rig(&rig);
}

int main(void)
{
    if (!gh_redis_server_is_installed()) {
        fprintf(stderr, "redis-server is not installed: skipped\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_is_counted_in_redis_and_here),
        cmocka_unit_test(what_another_node_admitted_counts),
        cmocka_unit_test(many_threads_get_the_quota_once),
        cmocka_unit_test(without_redis_the_table_here_decides_and_it_is_told_once),
        cmocka_unit_test(workers_may_end_while_threads_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
