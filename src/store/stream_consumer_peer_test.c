/* A consumer of a stream against a scripted peer that answers what no Redis would. */
#include "store/stream_consumer_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"

#define HELLO_OK "*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
/* What is answered to everything at first; then it behaves. */
#define HOSTILE_ANSWERS 25

#define ENTRIES(text) "*1\r\n*2\r\n$5\r\nvotes\r\n" text

struct peer {
    int listener;
    char path[96];
    pthread_t thread;
    const char *hostile;
    atomic_uint answered;
    atomic_bool over;
    bool has_given;
};

static bool has(const char *bytes, const char *word)
{
    return strstr(bytes, word) != NULL;
}

static const char *behave(struct peer *peer, const char *command)
{
    if (has(command, "XINFO"))
        return "*0\r\n";
    if (has(command, "XPENDING"))
        return "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n";
    if (has(command, "XAUTOCLAIM"))
        return "*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n";
    if (!has(command, "\r\n>\r\n"))
        return ENTRIES("*0\r\n");
    if (peer->has_given) {
        usleep(10000); /* as if it blocked */
        return "*-1\r\n";
    }
    peer->has_given = true;
    return ENTRIES("*1\r\n*2\r\n$5\r\n777-7\r\n*2\r\n$6\r\nchoice\r\n$4\r\ngood\r\n");
}

static const char *answer(struct peer *peer, const char *command)
{
    if (has(command, "HELLO"))
        return HELLO_OK "+PONG\r\n";
    if (has(command, "PING"))
        return "+PONG\r\n";
    if (has(command, "XGROUP"))
        return "+OK\r\n";
    if (has(command, "XACK"))
        return ":1\r\n";
    return atomic_fetch_add(&peer->answered, 1) < HOSTILE_ANSWERS ? peer->hostile
                                                                  : behave(peer, command);
}

/* One command comes at a time, but for the greeting, which is answered as a whole. */
static void talk(struct peer *peer, int connection)
{
    char bytes[8192];
    for (ssize_t count; (count = recv(connection, bytes, sizeof(bytes) - 1, 0)) > 0;) {
        bytes[count] = '\0';
        const char *text = answer(peer, bytes);
        if (send(connection, text, strlen(text), MSG_NOSIGNAL) < 0)
            break;
    }
    close(connection);
}

static void *serve(void *argument)
{
    struct peer *peer = argument;
    while (!atomic_load(&peer->over)) {
        int connection = accept(peer->listener, NULL, NULL);
        if (connection >= 0)
            talk(peer, connection);
    }
    return NULL;
}

static void begin_peer(struct peer *peer, const char *hostile)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *peer = (struct peer){.hostile = hostile};
    snprintf(peer->path, sizeof(peer->path), "%s/peer", consumer_test_redis.directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", peer->path);
    unlink(peer->path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    GH_ASSERT(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    GH_ASSERT(listen(peer->listener, 8) == 0);
    GH_ASSERT(pthread_create(&peer->thread, NULL, serve, peer) == 0);
}

static void end_peer(struct peer *peer)
{
    atomic_store(&peer->over, true);
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    unlink(peer->path);
}

/* It goes on as soon as the other side behaves. */
static void survives(const char *hostile)
{
    static struct peer peer;
    struct consumer_test test;
    char url[128];
    begin_peer(&peer, hostile);
    consumer_test_prepare(&test, "a");
    snprintf(url, sizeof(url), "unix:%s", peer.path);
    assert_null(gh_redis_url_parse(gh_str_from_c(url), &test.arena, &test.url));
    test.options.claim_ms = 50;
    consumer_test_begin(&test);
    CONSUMER_RUN_UNTIL(&test, consumer_test_count_of("good") == 1);
    consumer_test_finish(&test);
    end_peer(&peer);
    assert_int_equal(consumer_test_sql("SELECT count(*) FROM counts WHERE choice <> 'good'"), 0);
    consumer_test_sql("TRUNCATE counts, gatehouse_consumed, gatehouse_parked");
}

static void survives_answers_of_another_shape(void **state)
{
    (void)state;
    static const char *const ANSWERS[] = {
        ":5\r\n",
        "$-1\r\n",
        "+OK\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*0\r\n",
        "*1\r\n*1\r\n*0\r\n",
        "*1\r\n*2\r\n*0\r\n*0\r\n",
        "*3\r\n:1\r\n:2\r\n:3\r\n",
        "*3\r\n$-1\r\n$-1\r\n$-1\r\n",
        "*3\r\n$60\r\n111111111111111111111111111111111111111111111111111111111111\r\n*0\r\n*0\r\n",
        "*2\r\n:5\r\n*1\r\n$-1\r\n",
        "*4\r\n:1\r\n$1\r\n-\r\n:4\r\n$-1\r\n",
    };
    for (size_t i = 0; i < sizeof(ANSWERS) / sizeof(ANSWERS[0]); i++)
        survives(ANSWERS[i]);
}

static void survives_entries_of_another_shape(void **state)
{
    (void)state;
    static const char *const ANSWERS[] = {
        ENTRIES(":3\r\n"),
        ENTRIES("*1\r\n:9\r\n"),
        ENTRIES("*1\r\n$-1\r\n"),
        ENTRIES("*1\r\n*0\r\n"),
        ENTRIES("*1\r\n*1\r\n$3\r\n1-1\r\n"),
        ENTRIES("*1\r\n*2\r\n:1\r\n*0\r\n"),
        ENTRIES("*1\r\n*2\r\n$6\r\nnodash\r\n*0\r\n"),
        ENTRIES("*1\r\n*2\r\n$2\r\n1-\r\n*0\r\n"),
        ENTRIES("*1\r\n*2\r\n$2\r\n-1\r\n*0\r\n"),
        ENTRIES("*1\r\n*2\r\n$22\r\n99999999999999999999-1\r\n*0\r\n"),
        ENTRIES("*1\r\n*2\r\n$5\r\n1-1-1\r\n*0\r\n"),
        ENTRIES("*1\r\n*2\r\n$3\r\n1-1\r\n:7\r\n"),
        ENTRIES("*1\r\n*2\r\n$3\r\n1-1\r\n$-1\r\n"),
        ENTRIES("*1\r\n*2\r\n$3\r\n1-1\r\n*0\r\n"),
        ENTRIES("*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n$6\r\nchoice\r\n"),
        ENTRIES("*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n:1\r\n*0\r\n"),
        ENTRIES("*1\r\n*2\r\n$3\r\n1-1\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$6\r\nchoice\r\n"),
    };
    for (size_t i = 0; i < sizeof(ANSWERS) / sizeof(ANSWERS[0]); i++)
        survives(ANSWERS[i]);
}

static void survives_errors(void **state)
{
    (void)state;
    survives("-NOGROUP there is none\r\n");
    survives("-ERR no such key\r\n");
}

static int run(void)
{
#define TEST(name) cmocka_unit_test_setup(name, consumer_test_set_up)
    const struct CMUnitTest tests[] = {
        TEST(survives_answers_of_another_shape),
        TEST(survives_entries_of_another_shape),
        TEST(survives_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return consumer_test_main(run);
}
