/* Two processes over a real redis-server, each with its table and its thread, used from many
   others: what one ends the other refuses, and no moment of Redis holds anybody up. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/shared_revocations.h"
#include "net/loop.h"
#include "store/redis_fixture.h"

#define ALARM_S       90
#define LIFE_S        3600
#define LOG_BYTES_MAX 65536
#define THREADS       4
#define EACH          500

/* One process. */
struct peer {
    struct gh_log *log;
    int log_read, log_write; /* a pipe that its log goes through */
    char text[LOG_BYTES_MAX];
    size_t text_len;
    struct gh_metrics *metrics;
    struct gh_revocations *table;
    struct gh_shared_revocations *shared;
    atomic_uint readings; /* that it was asked for */
};

struct rig {
    struct gh_redis_server server;
    struct gh_arena arena;
    struct gh_redis_url url;
    struct gh_redis_settings settings;
    struct peer peers[2];
    uint64_t now_s;
};

static void read_back(void *context)
{
    struct peer *peer = context;
    atomic_fetch_add(&peer->readings, 1);
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2 * 1000 * 1000}, NULL);
}

/* alarm(2) of the test ends what would never end. */
#define UNTIL(condition)                                                                           \
    while (!(condition))                                                                           \
    pause_a_little()

static void open_peer(struct rig *rig, struct peer *peer)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    peer->log_read = ends[0];
    peer->log_write = ends[1];
    assert_int_equal(gh_log_open(ends[1], &peer->log), GH_OK);
    assert_int_equal(gh_metrics_open(1, &peer->metrics), GH_OK);
    peer->table = gh_revocations_new(1u << 14, (struct gh_hash_key){1, 2});
    assert_non_null(peer->table);
    const struct gh_shared_revocations_options options = {.log = peer->log,
                                                          .metrics = peer->metrics};
    peer->shared = gh_shared_revocations_new(&options, &rig->url, &rig->settings);
    assert_non_null(peer->shared);
}

static void start_peer(struct peer *peer)
{
    const struct gh_shared_revocations_host host = {
        .secret = {1, 2, 3}, .revocations = peer->table, .read_back = read_back, .context = peer};
    assert_int_equal(gh_shared_revocations_start(peer->shared, &host), GH_OK);
}

static void close_peer(struct peer *peer)
{
    gh_shared_revocations_free(peer->shared);
    gh_revocations_free(peer->table);
    gh_metrics_close(peer->metrics);
    gh_log_close(peer->log, 1000);
    close(peer->log_read);
    close(peer->log_write);
}

static void find(struct rig *rig, const struct gh_redis_server *server)
{
    char url[128];
    snprintf(url, sizeof(url), "unix:%s", server->path);
    struct gh_str text = gh_arena_dup(&rig->arena, gh_str_from_c(url));
    assert_null(gh_redis_url_parse(text, &rig->arena, &rig->url));
}

static void open_rig(struct rig *rig)
{
    *rig = (struct rig){.now_s = gh_wall_now_us() / 1000000, .settings = {.timeout_ms = 200}};
    alarm(ALARM_S);
    gh_arena_init(&rig->arena, 4096, 1u << 16);
    gh_redis_server_open(&rig->server, NULL);
    find(rig, &rig->server);
    for (size_t i = 0; i < 2; i++)
        open_peer(rig, &rig->peers[i]);
}

static void close_rig(struct rig *rig)
{
    for (size_t i = 0; i < 2; i++)
        close_peer(&rig->peers[i]);
    gh_redis_server_close(&rig->server);
    gh_arena_done(&rig->arena);
    alarm(0);
}

static uint64_t metric(const struct peer *peer, const char *line)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    gh_metrics_write(peer->metrics, out);
    fclose(out);
    const char *found = strstr(text, line);
    uint64_t value = found ? strtoull(found + strlen(line), NULL, 10) : UINT64_MAX;
    free(text);
    return value;
}

static bool is_up(const struct peer *peer)
{
    return metric(peer, "gatehouse_redis_up{use=\"revocations\"} ") == 1;
}

static void start_both(struct rig *rig)
{
    for (size_t i = 0; i < 2; i++)
        start_peer(&rig->peers[i]);
    UNTIL(is_up(&rig->peers[0]) && is_up(&rig->peers[1]));
}

static unsigned said(struct peer *peer, const char *what)
{
    ssize_t got;
    unsigned times = 0;
    while ((got = read(peer->log_read, peer->text + peer->text_len,
                       sizeof(peer->text) - 1 - peer->text_len)) > 0)
        peer->text_len += (size_t)got;
    for (const char *at = peer->text; (at = strstr(at, what)); at++)
        times++;
    return times;
}

static struct gh_id id_of(unsigned number)
{
    uint8_t random[16] = {(uint8_t)number, (uint8_t)(number >> 8)};
    return gh_id_make(random);
}

static void publish(struct rig *rig, struct peer *peer, unsigned number)
{
    struct gh_id id = id_of(number);
    gh_shared_revocations_publish(peer->shared, &id, 1, rig->now_s + LIFE_S);
}

static bool knows(const struct rig *rig, const struct peer *peer, unsigned number)
{
    struct gh_id id = id_of(number);
    return gh_revocations_has(peer->table, gh_id_str(&id), 0, rig->now_s);
}

/* ---- Tests ---- */

static void what_one_ends_the_other_refuses(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    start_both(&rig);
    publish(&rig, &rig.peers[0], 1);
    UNTIL(knows(&rig, &rig.peers[1], 1));
    publish(&rig, &rig.peers[1], 2);
    UNTIL(knows(&rig, &rig.peers[0], 2));
    assert_int_equal(atomic_load(&rig.peers[1].readings), 1);
    UNTIL(said(&rig.peers[1], "sessions that end are published through redis") == 1);
    close_rig(&rig);
}

struct ending {
    struct rig *rig;
    struct peer *peer;
    unsigned first;
};

static void *end_many(void *arg)
{
    struct ending *ending = arg;
    for (unsigned i = 0; i < EACH; i++)
        publish(ending->rig, ending->peer, ending->first + i);
    return NULL;
}

static void many_threads_may_end_sessions_at_once(void **state)
{
    (void)state;
    struct rig rig;
    pthread_t threads[THREADS];
    struct ending endings[THREADS];
    open_rig(&rig);
    start_both(&rig);
    for (unsigned i = 0; i < THREADS; i++) {
        endings[i] = (struct ending){&rig, &rig.peers[i % 2], i * EACH};
        assert_int_equal(pthread_create(&threads[i], NULL, end_many, &endings[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS * EACH; i++) {
        UNTIL(knows(&rig, &rig.peers[0], i));
        UNTIL(knows(&rig, &rig.peers[1], i));
    }
    close_rig(&rig);
}

static void who_is_not_started_or_ended_takes_all_and_tells_nobody(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    publish(&rig, &rig.peers[0], 1);
    assert_int_equal(metric(&rig.peers[0], "gatehouse_redis_up{use=\"revocations\"} "), UINT64_MAX);
    start_both(&rig);
    gh_shared_revocations_stop(rig.peers[0].shared);
    publish(&rig, &rig.peers[0], 2);
    publish(&rig, &rig.peers[1], 3);
    UNTIL(metric(&rig.peers[1], "gatehouse_revocation_messages_total{result=\"received\"} ") == 1);
    assert_false(knows(&rig, &rig.peers[1], 1));
    assert_false(knows(&rig, &rig.peers[1], 2));
    close_rig(&rig);
}

static void redis_is_told_to_be_away_once_and_to_be_back_once(void **state)
{
    (void)state;
    struct rig rig;
    open_rig(&rig);
    start_both(&rig);
    gh_redis_server_kill(&rig.server);
    UNTIL(!is_up(&rig.peers[1]));
    uint64_t begun_ms = gh_monotonic_now_ms();
    publish(&rig, &rig.peers[1], 1);
    assert_true(gh_monotonic_now_ms() - begun_ms < 1000);
    UNTIL(metric(&rig.peers[1], "gatehouse_revocation_messages_total{result=\"unpublished\"} ") ==
          1);
    gh_redis_server_start(&rig.server);
    UNTIL(is_up(&rig.peers[0]) && is_up(&rig.peers[1]));
    assert_int_equal(atomic_load(&rig.peers[1].readings), 2);
    UNTIL(said(&rig.peers[1], "redis is back: sessions that end are published again") == 1);
    assert_int_equal(said(&rig.peers[1], "redis is away ("), 1);
    assert_int_equal(said(&rig.peers[1], "sessions that end are published through redis"), 1);
    publish(&rig, &rig.peers[0], 2);
    UNTIL(knows(&rig, &rig.peers[1], 2));
    assert_false(knows(&rig, &rig.peers[0], 1)); /* the store has it */
    close_rig(&rig);
}

static void more_than_may_wait_is_left_to_the_store(void **state)
{
    (void)state;
    struct rig rig;
    static struct gh_id ids[100];
    open_rig(&rig);
    start_both(&rig);
    for (unsigned i = 0; i < 100; i++)
        ids[i] = id_of(i);
    gh_redis_server_freeze(&rig.server);
    uint64_t begun_ms = gh_monotonic_now_ms();
    for (unsigned i = 0; i < 2000; i++)
        gh_shared_revocations_publish(rig.peers[0].shared, ids, 100, rig.now_s + LIFE_S);
    assert_true(gh_monotonic_now_ms() - begun_ms < 10000);
    UNTIL(!is_up(&rig.peers[0]));
    assert_true(
        metric(&rig.peers[0], "gatehouse_revocation_messages_total{result=\"unpublished\"} ") > 0);
    gh_redis_server_thaw(&rig.server);
    UNTIL(is_up(&rig.peers[0]) && is_up(&rig.peers[1]));
    publish(&rig, &rig.peers[0], 200);
    UNTIL(knows(&rig, &rig.peers[1], 200));
    close_rig(&rig);
}

static void another_place_is_gone_over_to(void **state)
{
    (void)state;
    struct rig rig;
    struct gh_redis_server second;
    open_rig(&rig);
    start_both(&rig);
    for (size_t i = 0; i < 2; i++) /* the same place: nothing happens */
        gh_shared_revocations_adopt(rig.peers[i].shared, &rig.url, &rig.settings);
    gh_redis_server_open(&second, NULL);
    find(&rig, &second);
    for (size_t i = 0; i < 2; i++)
        gh_shared_revocations_adopt(rig.peers[i].shared, &rig.url, &rig.settings);
    UNTIL(atomic_load(&rig.peers[0].readings) == 2 && atomic_load(&rig.peers[1].readings) == 2);
    gh_redis_server_kill(&rig.server);
    UNTIL(is_up(&rig.peers[0]) && is_up(&rig.peers[1]));
    publish(&rig, &rig.peers[0], 1);
    UNTIL(knows(&rig, &rig.peers[1], 1));
    close_rig(&rig);
    gh_redis_server_close(&second);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        TEST(what_one_ends_the_other_refuses),
        TEST(many_threads_may_end_sessions_at_once),
        TEST(who_is_not_started_or_ended_takes_all_and_tells_nobody),
        TEST(redis_is_told_to_be_away_once_and_to_be_back_once),
        TEST(more_than_may_wait_is_left_to_the_store),
        TEST(another_place_is_gone_over_to),
    };
    gh_crypto_init();
    if (!gh_redis_server_is_installed()) {
        print_message("skipped: there is no redis-server here\n");
        return 0;
    }
    return cmocka_run_group_tests_name("shared_revocations", TESTS, NULL, NULL);
}
