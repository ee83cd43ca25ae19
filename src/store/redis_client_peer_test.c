/* The client against a scripted peer on the same loop: what no Redis says, and what it says in
   pieces. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"
#include "store/redis_client_fixture.h"

#define HELLO_OK  "*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
#define GREETED   HELLO_OK "+PONG\r\n"
#define LINKS_MAX 2000

struct peer_test;

struct peer_link {
    struct gh_stream stream;
    struct peer_test *test;
    struct gh_loop_task task; /* sends the rest, when the first piece has been read */
    struct gh_str rest;
    unsigned reads, turns;
    bool closed;
};

struct peer_test {
    struct client_test client;
    struct gh_listener *listener;
    char url[64];
    /* What is sent: to the first thing that is read of a connection, and to the second. */
    struct gh_str greeting, answer;
    size_t cut;        /* the first piece of either; 0: whole */
    bool close_behind; /* the answer */
    unsigned accepts, closes;
    char seen[4096]; /* what was read last */
    size_t seen_len;
};

/* ---- The peer ---- */

static struct peer_link *link_of(struct gh_stream *stream)
{
    return (struct peer_link *)stream;
}

static void send_whole(struct peer_link *link, struct gh_str bytes)
{
    if (bytes.len > 0)
        (void)gh_stream_write(&link->stream, &bytes, 1);
    if (link->reads == 2 && link->test->close_behind)
        gh_stream_shutdown(&link->stream);
}

static void send_rest(void *arg)
{
    struct peer_link *link = arg;
    if (link->closed)
        return;
    /* The client has read the first piece in the turn between. */
    if (link->turns++ == 0)
        gh_loop_task_start(link->stream.loop, &link->task);
    else
        send_whole(link, link->rest);
}

static void say(struct peer_link *link, struct gh_str bytes)
{
    size_t cut = link->test->cut;
    if (cut == 0 || cut >= bytes.len) {
        send_whole(link, bytes);
        return;
    }
    struct gh_str first = gh_str_first(bytes, cut);
    (void)gh_stream_write(&link->stream, &first, 1);
    link->rest = gh_str_skip(bytes, cut);
    link->turns = 0;
    link->task.fn = send_rest;
    link->task.arg = link;
    gh_loop_task_start(link->stream.loop, &link->task);
}

static void on_read(struct gh_stream *stream, struct gh_str bytes)
{
    struct peer_link *link = link_of(stream);
    struct peer_test *test = link->test;
    test->seen_len = bytes.len < sizeof test->seen ? bytes.len : sizeof test->seen;
    memcpy(test->seen, bytes.ptr, test->seen_len);
    link->reads++;
    if (link->reads <= 2)
        say(link, link->reads == 1 ? test->greeting : test->answer);
}

static void on_end(struct gh_stream *stream)
{
    struct peer_link *link = link_of(stream);
    link->closed = true;
    gh_stream_close(stream);
}

static void on_error(struct gh_stream *stream, enum gh_err err)
{
    (void)err;
    on_end(stream);
}

static void on_drain(struct gh_stream *stream)
{
    (void)stream;
}

static void free_link(void *arg)
{
    free(arg);
}

static void on_closed(struct gh_stream *stream)
{
    struct peer_link *link = link_of(stream);
    link->test->closes++;
    link->task.fn = free_link; /* its task may be waiting */
    link->task.arg = link;
    gh_loop_task_start(stream->loop, &link->task);
}

static const struct gh_stream_events PEER_EVENTS = {.on_read = on_read,
                                                    .on_eof = on_end,
                                                    .on_drain = on_drain,
                                                    .on_error = on_error,
                                                    .on_closed = on_closed};

static struct gh_stream *on_accept(void *owner, struct gh_listener *listener)
{
    struct peer_test *test = owner;
    struct peer_link *link = calloc(1, sizeof *link);
    (void)listener;
    assert_true(test->accepts++ < LINKS_MAX);
    link->test = test;
    return &link->stream;
}

static void on_accepted(void *owner, struct gh_listener *listener, struct gh_stream *stream,
                        const struct gh_ip *peer, uint16_t peer_port)
{
    (void)owner, (void)listener, (void)peer, (void)peer_port;
    gh_stream_read_start(stream);
}

static const struct gh_listener_events LISTENER_EVENTS = {.on_accept = on_accept,
                                                          .on_accepted = on_accepted};

static int set_up(void **state)
{
    struct peer_test *test = calloc(1, sizeof *test);
    struct gh_listen_address address;
    struct gh_str message;
    struct sockaddr_in bound;
    socklen_t len = sizeof bound;
    int fd;
    client_test_open(&test->client);
    assert_true(gh_listen_address_parse(GH_STR("127.0.0.1:0"), &test->client.arena, &address));
    assert_int_equal(gh_listen_socket_open(&address, &test->client.arena, &fd, &message), GH_OK);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    snprintf(test->url, sizeof test->url, "redis://127.0.0.1:%u", (unsigned)ntohs(bound.sin_port));
    assert_int_equal(gh_listener_open(test->client.loop, fd, false, &LISTENER_EVENTS, test,
                                      &PEER_EVENTS, &test->listener),
                     GH_OK);
    test->greeting = GH_STR(GREETED);
    *state = test;
    return 0;
}

static int tear_down(void **state)
{
    struct peer_test *test = *state;
    gh_redis_close(test->client.redis);
    test->client.redis = NULL;
    /* The peers see the end, and end themselves. */
    CLIENT_RUN_UNTIL(&test->client, test->closes == test->accepts);
    if (test->listener)
        gh_listener_close(test->listener);
    client_test_close(&test->client);
    assert_int_equal(test->closes, test->accepts);
    free(test);
    return 0;
}

static void close_redis(struct peer_test *test)
{
    gh_redis_close(test->client.redis);
    test->client.redis = NULL;
    test->client.heard_count = 0;
}

/* ---- Answers ---- */

static void reads_handshake_and_answers_at_every_split(void **state)
{
    struct peer_test *test = *state;
    static const struct gh_str answers = GH_STR_INIT("$4\r\na\r\nb\r\n*2\r\n:1\r\n$-1\r\n+OK\r\n");
    test->answer = answers;
    for (test->cut = 1; test->cut < sizeof GREETED + 10; test->cut++) {
        struct client_answer string = {0}, array = {0}, status = {0};
        client_test_connect_ready(&test->client, test->url);
        assert_int_equal(client_test_call(&test->client, "A", 20000, &string), GH_OK);
        assert_int_equal(client_test_call(&test->client, "B", 20000, &array), GH_OK);
        assert_int_equal(client_test_call(&test->client, "C", 20000, &status), GH_OK);
        CLIENT_RUN_UNTIL(&test->client, status.calls);
        assert_string_equal(string.text, "a\r\nb");
        assert_int_equal(array.item_count, 2);
        assert_string_equal(status.text, "OK");
        assert_int_equal(string.calls + array.calls + status.calls, 3);
        close_redis(test);
    }
}

/* Greets well, answers so, and expects the connection to be given up for `failure`. */
static void expect_loss(struct peer_test *test, struct gh_str answer, enum gh_redis_failure failure,
                        enum gh_err expected)
{
    struct client_answer given = {0};
    test->answer = answer;
    client_test_connect_ready(&test->client, test->url);
    assert_int_equal(client_test_call(&test->client, "GET a", 20000, &given), GH_OK);
    client_test_until(&test->client, GH_REDIS_AWAY);
    assert_int_equal(gh_redis_status(test->client.redis).failure, failure);
    assert_int_equal(given.calls, 1);
    assert_int_equal(given.err, expected);
    /* And it is tried again. */
    client_test_until(&test->client, GH_REDIS_READY);
    close_redis(test);
}

static void gives_up_what_is_no_answer_at_every_split(void **state)
{
    struct peer_test *test = *state;
    static const struct gh_str rows[] = {
        GH_STR_INIT("HTTP/1.1 400 Bad Request\r\n\r\n"),
        GH_STR_INIT("%1\r\n+a\r\n+b\r\n"),
        GH_STR_INIT("$-2\r\n"),
        GH_STR_INIT("*-2\r\n"),
        GH_STR_INIT("$9223372036854775808\r\n"),
        GH_STR_INIT(":1x\r\n"),
        GH_STR_INIT("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (test->cut = 0; test->cut < 6; test->cut++) {
            expect_loss(test, rows[i], GH_REDIS_FAIL_PROTOCOL, GH_ERR_IO);
        }
    }
}

static void gives_up_answers_longer_than_it_keeps(void **state)
{
    struct peer_test *test = *state;
    size_t len = 200 * 1024;
    char *bytes = malloc(len);
    static const char *const heads[] = {
        "$1000000000\r\n", "$9223372036854775807\r\n", "+",
        "*2\r\n+",         "*2147483647\r\n",          "*100000\r\n"};
    test->client.options.reply_bytes_max = 64 * 1024;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        memset(bytes, 'a', len);
        memcpy(bytes, heads[i], strlen(heads[i]));
        expect_loss(test, gh_str_of(bytes, len), GH_REDIS_FAIL_LARGE, GH_ERR_IO);
    }
    free(bytes);
}

static void gives_up_an_answer_that_nobody_asked_for(void **state)
{
    struct peer_test *test = *state;
    struct client_answer answer = {0};
    expect_loss(test, GH_STR(":1\r\n:2\r\n"), GH_REDIS_FAIL_PROTOCOL, GH_OK);
    test->answer = GH_STR("");
    test->greeting = GH_STR(GREETED "+more\r\n");
    client_test_connect(&test->client, test->url);
    client_test_until(&test->client, GH_REDIS_AWAY);
    assert_int_equal(client_test_call(&test->client, "GET a", 100, &answer), GH_ERR_CLOSED);
}

static void an_answer_before_the_command_went_out_is_none(void **state)
{
    struct peer_test *test = *state;
    struct client_answer first = {0}, second = {0};
    test->answer = GH_STR("+a\r\n+b\r\n");
    client_test_connect_ready(&test->client, test->url);
    assert_int_equal(client_test_call(&test->client, "A", 20000, &first), GH_OK);
    CLIENT_RUN_UNTIL(&test->client, first.calls || second.calls);
    /* "b" came with "a", when only one command was written */
    client_test_until(&test->client, GH_REDIS_AWAY);
    assert_string_equal(first.text, "a");
    assert_int_equal(client_test_call(&test->client, "B", 20000, &second), GH_ERR_CLOSED);
}

static void a_close_in_the_middle_of_an_answer_fails_it(void **state)
{
    struct peer_test *test = *state;
    static const struct gh_str rows[] = {GH_STR_INIT(""), GH_STR_INIT("$"), GH_STR_INIT("$5\r\nab"),
                                         GH_STR_INIT("*2\r\n:1\r\n"), GH_STR_INIT("+OK\r")};
    test->close_behind = true;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_loss(test, rows[i], GH_REDIS_FAIL_CLOSED, GH_ERR_CLOSED);
}

static void a_close_behind_whole_answers_gives_them_first(void **state)
{
    struct peer_test *test = *state;
    struct client_answer first = {0}, second = {0};
    test->close_behind = true;
    test->answer = GH_STR("+one\r\n$3\r\nab");
    client_test_connect_ready(&test->client, test->url);
    assert_int_equal(client_test_call(&test->client, "A", 20000, &first), GH_OK);
    assert_int_equal(client_test_call(&test->client, "B", 20000, &second), GH_OK);
    client_test_until(&test->client, GH_REDIS_AWAY);
    assert_string_equal(first.text, "one");
    assert_int_equal(first.err, GH_OK);
    assert_int_equal(second.err, GH_ERR_CLOSED);
}

static void words_of_a_server_that_will_not_serve_give_it_up(void **state)
{
    struct peer_test *test = *state;
    expect_loss(test, GH_STR("-LOADING Redis is loading the dataset in memory\r\n"),
                GH_REDIS_FAIL_LOADING, GH_ERR_REFUSED);
    expect_loss(test, GH_STR("-READONLY You can't write against a read only replica.\r\n"),
                GH_REDIS_FAIL_READONLY, GH_ERR_REFUSED);
    expect_loss(test, GH_STR("-MASTERDOWN Link with MASTER is down\r\n"), GH_REDIS_FAIL_MASTERDOWN,
                GH_ERR_REFUSED);
    expect_loss(test, GH_STR("-NOAUTH Authentication required.\r\n"), GH_REDIS_FAIL_NOAUTH,
                GH_ERR_REFUSED);
    expect_loss(test, GH_STR("-BUSY Redis is busy running a script.\r\n"), GH_REDIS_FAIL_BUSY,
                GH_ERR_REFUSED);
}

/* ---- Handshake ---- */

static void expect_not_greeted(struct peer_test *test, struct gh_str greeting,
                               enum gh_redis_failure failure)
{
    test->greeting = greeting;
    client_test_connect(&test->client, test->url);
    client_test_until(&test->client, GH_REDIS_AWAY);
    assert_int_equal(gh_redis_status(test->client.redis).failure, failure);
    assert_int_equal(gh_redis_counters(test->client.redis)->connects, 0);
    close_redis(test);
}

static void gives_up_a_handshake_that_is_none(void **state)
{
    struct peer_test *test = *state;
    expect_not_greeted(test, GH_STR("+OK\r\n+PONG\r\n"), GH_REDIS_FAIL_PROTOCOL);
    expect_not_greeted(test, GH_STR(HELLO_OK ":1\r\n"), GH_REDIS_FAIL_PROTOCOL);
    expect_not_greeted(test, GH_STR("220 mail.example ESMTP\r\n"), GH_REDIS_FAIL_PROTOCOL);
    expect_not_greeted(test, GH_STR("*4\r\n$4\r\nrole\r\n$7\r\nreplica\r\n+a\r\n+b\r\n+PONG\r\n"),
                       GH_REDIS_FAIL_READONLY);
    expect_not_greeted(test, GH_STR(HELLO_OK "-LOADING Redis is loading\r\n"),
                       GH_REDIS_FAIL_LOADING);
    expect_not_greeted(test, GH_STR("-ERR max number of clients reached\r\n"), GH_REDIS_FAIL_OTHER);
    expect_not_greeted(test, GH_STR("-WRONGPASS no\r\n"), GH_REDIS_FAIL_WRONGPASS);
}

static void never_repeats_what_a_server_quotes(void **state)
{
    struct peer_test *test = *state;
    char url[128];
    snprintf(url, sizeof url, "redis://gate:hunter2@%s/4", test->url + strlen("redis://"));
    test->greeting = GH_STR("-ERR unknown command 'HELLO', with args beginning with: '2' 'AUTH' "
                            "'gate' 'hunter2'\r\n");
    client_test_connect(&test->client, url);
    client_test_until(&test->client, GH_REDIS_AWAY);
    const char *message = gh_redis_status(test->client.redis).message;
    assert_non_null(strstr(message, "Redis 6 or later"));
    assert_null(strstr(message, "hunter2"));
    assert_null(strstr(message, "gate"));
    assert_non_null(strstr(message, "/4: "));
}

static void says_hello_selects_and_pings_in_one_write(void **state)
{
    struct peer_test *test = *state;
    char url[128];
    snprintf(url, sizeof url, "redis://:hunter2@%s/12", test->url + strlen("redis://"));
    test->greeting = GH_STR(HELLO_OK "+OK\r\n+PONG\r\n");
    client_test_connect_ready(&test->client, url);
    static const char expected[] =
        "*7\r\n$5\r\nHELLO\r\n$1\r\n2\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$7\r\nhunter2\r\n"
        "$7\r\nSETNAME\r\n$9\r\ngatehouse\r\n*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n"
        "*1\r\n$4\r\nPING\r\n";
    assert_int_equal(test->seen_len, sizeof expected - 1);
    assert_memory_equal(test->seen, expected, test->seen_len);
}

static void a_peer_that_says_nothing_is_given_up_in_time(void **state)
{
    struct peer_test *test = *state;
    test->client.options.connect_timeout_ms = 50;
    expect_not_greeted(test, GH_STR(""), GH_REDIS_FAIL_TIMEOUT);
    expect_not_greeted(test, GH_STR("*4\r\n$6\r\nserver"), GH_REDIS_FAIL_TIMEOUT);
    expect_not_greeted(test, GH_STR(HELLO_OK), GH_REDIS_FAIL_TIMEOUT);
}

/* ---- Pauses ---- */

struct recorded {
    uint64_t next;
    unsigned asked;
};

static void give_next(void *context, void *out, size_t count)
{
    struct recorded *recorded = context;
    assert_int_equal(count, sizeof recorded->next);
    recorded->asked++;
    memcpy(out, &recorded->next, count);
}

static void pauses_grow_to_their_bound(void **state)
{
    struct peer_test *test = *state;
    static const uint64_t at_least_ms[] = {40, 80, 120, 120};
    /* Its rest is the longest pause, whichever of the three bounds divides it. */
    struct recorded recorded = {.next = UINT64_C(41) * 81 * 121 - 1};
    struct gh_random random = {give_next, &recorded};
    uint64_t before_ms, pause_ms;
    gh_listener_close(test->listener);
    test->listener = NULL;
    test->client.options.random = &random;
    test->client.options.backoff_min_ms = 40;
    test->client.options.backoff_max_ms = 120;
    client_test_connect(&test->client, test->url);
    client_test_until(&test->client, GH_REDIS_AWAY);
    const struct gh_redis_counters *counters = gh_redis_counters(test->client.redis);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t losses = counters->losses[GH_REDIS_FAIL_CONNECT];
        before_ms = gh_loop_now_ms(test->client.loop);
        CLIENT_RUN_UNTIL(&test->client, counters->losses[GH_REDIS_FAIL_CONNECT] > losses);
        pause_ms = gh_loop_now_ms(test->client.loop) - before_ms;
        assert_true(pause_ms >= at_least_ms[i]);
        assert_int_equal(recorded.asked, i + 2);
    }
}

/* ---- Subscribers ---- */

static const struct gh_str CHANNEL = GH_STR_INIT("c");

static void a_subscriber_reads_messages_at_every_split(void **state)
{
    struct peer_test *test = *state;
    test->client.options.channels = &CHANNEL;
    test->client.options.channel_count = 1;
    test->answer = GH_STR("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
                          "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\na\r\nb\r\n"
                          "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    for (test->cut = 0; test->cut < test->answer.len; test->cut++) {
        test->client.messages = 0;
        client_test_connect_ready(&test->client, test->url);
        CLIENT_RUN_UNTIL(&test->client, test->client.messages == 1);
        assert_string_equal(test->client.message, "c=a\r\nb");
        close_redis(test);
    }
}

static void a_subscriber_gives_up_what_is_no_message(void **state)
{
    struct peer_test *test = *state;
    static const struct gh_str rows[] = {
        GH_STR_INIT("+OK\r\n"),
        GH_STR_INIT(":1\r\n"),
        GH_STR_INIT("*0\r\n"),
        GH_STR_INIT("*1\r\n$7\r\nmessage\r\n"),
        GH_STR_INIT("*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n"),
        GH_STR_INIT("*3\r\n$7\r\nmessage\r\n:1\r\n$1\r\na\r\n"),
        GH_STR_INIT("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*0\r\n"),
        GH_STR_INIT("*3\r\n$7\r\nmystery\r\n$1\r\nc\r\n$1\r\na\r\n"),
        GH_STR_INIT("*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n"),
        GH_STR_INIT("$-1\r\n"),
    };
    test->client.options.channels = &CHANNEL;
    test->client.options.channel_count = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test->answer = rows[i];
        client_test_connect(&test->client, test->url);
        client_test_until(&test->client, GH_REDIS_AWAY);
        assert_int_equal(gh_redis_status(test->client.redis).failure, GH_REDIS_FAIL_PROTOCOL);
        assert_int_equal(test->client.messages, 0);
        close_redis(test);
    }
}

int main(void)
{
    alarm(120);
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(reads_handshake_and_answers_at_every_split),
        T(gives_up_what_is_no_answer_at_every_split),
        T(gives_up_answers_longer_than_it_keeps),
        T(gives_up_an_answer_that_nobody_asked_for),
        T(an_answer_before_the_command_went_out_is_none),
        T(a_close_in_the_middle_of_an_answer_fails_it),
        T(a_close_behind_whole_answers_gives_them_first),
        T(words_of_a_server_that_will_not_serve_give_it_up),
        T(gives_up_a_handshake_that_is_none),
        T(never_repeats_what_a_server_quotes),
        T(says_hello_selects_and_pings_in_one_write),
        T(a_peer_that_says_nothing_is_given_up_in_time),
        T(pauses_grow_to_their_bound),
        T(a_subscriber_reads_messages_at_every_split),
        T(a_subscriber_gives_up_what_is_no_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
