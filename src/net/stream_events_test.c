/* What one turn's events may do to each other, and what epoll is told. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/test_peer.h"

#define PEERS 3

/* Streams over socket pairs; the test holds the other ends. */
struct fixture {
    struct test_net net;
    struct test_peer *peers[PEERS]; /* of their own memory: use after free shows */
    int ends[PEERS];
};

static void open_peer(struct fixture *fixture, size_t at)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    fixture->peers[at] = calloc(1, sizeof *fixture->peers[at]);
    fixture->ends[at] = pair[1];
    struct gh_stream *stream = &fixture->peers[at]->stream;
    gh_stream_init(stream, fixture->net.loop, &test_peer_events);
    gh_stream_open_fd(stream, pair[0]);
    gh_stream_read_start(stream);
    fixture->peers[at]->context = fixture;
}

static void free_peer(struct fixture *fixture, size_t at)
{
    struct test_peer *peer = fixture->peers[at];
    if (!peer)
        return;
    test_peer_close(peer);
    TEST_RUN_UNTIL(fixture->net.loop, peer->closes);
    close(fixture->ends[at]);
    free(peer->received);
    free(peer);
    fixture->peers[at] = NULL;
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    test_net_open(&fixture->net);
    open_peer(fixture, 0);
    open_peer(fixture, 1);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < PEERS; i++)
        free_peer(fixture, i);
    test_net_close(&fixture->net);
    free(fixture);
    return 0;
}

static void say(struct fixture *fixture, size_t at, const char *text)
{
    ssize_t len = (ssize_t)strlen(text);
    assert_int_equal(send(fixture->ends[at], text, (size_t)len, MSG_NOSIGNAL), len);
}

/* ---- One closes another whose event has been fetched ---- */

static struct test_peer *other_of(struct fixture *fixture, const struct test_peer *peer)
{
    return fixture->peers[peer == fixture->peers[0] ? 1 : 0];
}

static void close_other(struct test_peer *peer, struct gh_str bytes)
{
    (void)bytes;
    struct fixture *fixture = peer->context;
    gh_stream_close(&other_of(fixture, peer)->stream);
}

static void a_closed_stream_is_told_nothing_of_the_same_turn(void **state)
{
    struct fixture *fixture = *state;
    fixture->peers[0]->in_read = fixture->peers[1]->in_read = close_other;
    say(fixture, 0, "a");
    say(fixture, 1, "b");
    gh_loop_turn(fixture->net.loop, true);
    assert_int_equal(fixture->peers[0]->reads + fixture->peers[1]->reads, 1);
    assert_int_equal(fixture->peers[0]->closes + fixture->peers[1]->closes, 1);
}

/* The third stream gets the descriptor of the one that is closed. */
static void replace_other(struct test_peer *peer, struct gh_str bytes)
{
    (void)bytes;
    struct fixture *fixture = peer->context;
    struct test_peer *other = other_of(fixture, peer);
    int fd = other->stream.watch.fd;
    gh_stream_close(&other->stream);
    open_peer(fixture, 2);
    assert_int_equal(fixture->peers[2]->stream.watch.fd, fd);
}

static void a_stream_gets_no_event_of_the_one_whose_descriptor_it_has_now(void **state)
{
    struct fixture *fixture = *state;
    fixture->peers[0]->in_read = fixture->peers[1]->in_read = replace_other;
    /* An end: a stream that took it for its own would be over. */
    say(fixture, 0, "a");
    say(fixture, 1, "b");
    shutdown(fixture->ends[0], SHUT_WR);
    shutdown(fixture->ends[1], SHUT_WR);
    gh_loop_turn(fixture->net.loop, true);
    struct test_peer *third = fixture->peers[2];
    assert_non_null(third);
    for (int i = 0; i < 3; i++)
        gh_loop_turn(fixture->net.loop, false);
    assert_int_equal(third->reads + third->eofs + third->errors, 0);
    say(fixture, 2, "mine");
    TEST_RUN_UNTIL(fixture->net.loop, third->received_len == 4);
}

static void a_copy_of_its_descriptor_brings_a_closed_stream_no_events(void **state)
{
    struct fixture *fixture = *state;
    int copy = dup(fixture->peers[0]->stream.watch.fd), end = dup(fixture->ends[0]);
    free_peer(fixture, 0);
    assert_int_equal(write(end, "late", 4), 4);
    for (int i = 0; i < 3; i++)
        gh_loop_turn(fixture->net.loop, false);
    close(copy);
    close(end);
}

static unsigned rebirths;

/* The owner's memory is its own again, for another stream, too. */
static void open_again(struct gh_stream *stream)
{
    struct test_peer *peer = (struct test_peer *)stream;
    struct fixture *fixture = peer->context;
    int pair[2];
    if (rebirths++ > 0) {
        peer->closes++;
        return;
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    close(fixture->ends[0]);
    fixture->ends[0] = pair[1];
    gh_stream_init(stream, fixture->net.loop, stream->events);
    gh_stream_open_fd(stream, pair[0]);
    gh_stream_read_start(stream);
}

static void a_stream_may_begin_anew_when_it_has_been_closed(void **state)
{
    struct fixture *fixture = *state;
    struct gh_stream_events events = test_peer_events;
    events.on_closed = open_again;
    rebirths = 0;
    fixture->peers[0]->stream.events = &events;
    say(fixture, 0, "old");
    gh_stream_close(&fixture->peers[0]->stream);
    gh_loop_turn(fixture->net.loop, true);
    assert_int_equal(rebirths, 1);
    say(fixture, 0, "new");
    TEST_RUN_UNTIL(fixture->net.loop, fixture->peers[0]->received_len);
    assert_memory_equal(fixture->peers[0]->received, "new", 3);
    free_peer(fixture, 0);
}

/* ---- Turns ---- */

static void refill(struct test_peer *peer, struct gh_str bytes)
{
    static const char MORE[256 * 1024];
    struct fixture *fixture = peer->context;
    (void)bytes;
    peer->received_len = 0;
    while (send(fixture->ends[0], MORE, sizeof MORE, MSG_NOSIGNAL) > 0)
        ;
}

static void a_stream_that_always_has_more_leaves_the_turn_to_others(void **state)
{
    struct fixture *fixture = *state;
    struct test_peer *flood = fixture->peers[0], *quiet = fixture->peers[1];
    flood->in_read = refill;
    refill(flood, GH_STR(""));
    for (unsigned round = 1; round <= 20; round++) {
        unsigned before = flood->reads;
        say(fixture, 1, "q");
        gh_loop_turn(fixture->net.loop, true);
        assert_true(flood->reads > before && flood->reads <= before + 4);
        assert_int_equal(quiet->received_len, round);
    }
}

static void count_up(struct gh_timer *timer)
{
    timer->due_ms = 0;
}

/* How often the loop wakes up in 200 ms in which nothing is to be done. */
static unsigned idle_turns(struct gh_loop *loop)
{
    struct gh_timer timer = {0};
    unsigned turns = 0;
    gh_timer_start(loop, &timer, 200, count_up);
    for (; gh_timer_is_armed(&timer); turns++)
        gh_loop_turn(loop, true);
    return turns;
}

static void a_stopped_stream_neither_notices_a_reset_nor_keeps_the_loop_awake(void **state)
{
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    int fd = test_net_raw_connect(net);
    TEST_RUN_UNTIL(net->loop, net->accepts);
    gh_stream_read_stop(&net->server.stream);
    struct linger hard = {.l_onoff = 1};
    assert_int_equal(write(fd, "unread", 6), 6);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    assert_true(idle_turns(net->loop) < 60); /* in builds for tests it looks at the clock */
    assert_int_equal(net->server.reads + net->server.errors + net->server.eofs, 0);
    gh_stream_read_start(&net->server.stream);
    TEST_RUN_UNTIL(net->loop, net->server.errors);
    assert_int_equal(net->server.error, GH_ERR_CLOSED);
    assert_int_equal(net->server.eofs, 0);
}

static void a_stream_that_has_ended_or_failed_keeps_the_loop_asleep(void **state)
{
    struct fixture *fixture = *state;
    struct gh_loop *loop = fixture->net.loop;
    shutdown(fixture->ends[0], SHUT_RDWR);
    TEST_RUN_UNTIL(loop, fixture->peers[0]->eofs);
    gh_stream_fail_later(&fixture->peers[1]->stream, GH_ERR_FULL);
    TEST_RUN_UNTIL(loop, fixture->peers[1]->errors);
    say(fixture, 1, "unheard");
    shutdown(fixture->ends[1], SHUT_RDWR);
    assert_true(idle_turns(loop) < 60);
    assert_int_equal(fixture->peers[1]->reads, 0);
}

/* ---- What epoll is told ---- */

static void stopping_and_starting_tells_epoll_nothing_until_something_comes(void **state)
{
    struct fixture *fixture = *state;
    struct gh_stream *stream = &fixture->peers[0]->stream;
    assert_int_equal(stream->watch.interest, EPOLLIN);
    gh_stream_read_stop(stream);
    gh_loop_turn(fixture->net.loop, false);
    assert_int_equal(stream->watch.interest, EPOLLIN);
    say(fixture, 0, "x");
    gh_loop_turn(fixture->net.loop, true);
    assert_int_equal(stream->watch.interest, 0);
    assert_int_equal(fixture->peers[0]->reads, 0);
    gh_stream_read_start(stream);
    assert_int_equal(stream->watch.interest, EPOLLIN);
    TEST_RUN_UNTIL(fixture->net.loop, fixture->peers[0]->received_len == 1);
}

static void room_for_output_is_looked_for_only_while_something_is_queued(void **state)
{
    struct fixture *fixture = *state;
    struct test_peer *peer = fixture->peers[0];
    static const char BYTES[64 * 1024];
    static char sink[64 * 1024];
    assert_true(test_peer_write(peer, GH_STR("fits")));
    assert_int_equal(peer->stream.watch.interest, EPOLLIN);
    while (test_peer_write(peer, gh_str_of(BYTES, sizeof BYTES)))
        ;
    assert_int_equal(peer->stream.watch.interest, EPOLLIN | EPOLLOUT);
    while (!peer->drains) {
        while (read(fixture->ends[0], sink, sizeof sink) > 0)
            ;
        gh_loop_turn(fixture->net.loop, true);
    }
    assert_int_equal(peer->stream.watch.interest, EPOLLIN);
}

static void a_peer_that_resets_ends_waiting_for_room_although_reading_is_stopped(void **state)
{
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    static const char BYTES[64 * 1024];
    int fd = test_net_raw_connect(net);
    TEST_RUN_UNTIL(net->loop, net->accepts);
    gh_stream_read_stop(&net->server.stream);
    while (test_peer_write(&net->server, gh_str_of(BYTES, sizeof BYTES)))
        ;
    assert_int_equal(net->server.errors, 0);
    close(fd); /* with bytes unread: a reset */
    TEST_RUN_UNTIL(net->loop, net->server.errors);
    assert_int_equal(net->server.error, GH_ERR_CLOSED);
    assert_int_equal(net->server.drains, 0);
}

/* ---- Connecting ---- */

static void a_unix_socket_whose_backlog_is_full_refuses(void **state)
{
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/gh-events-test-%d", (int)getpid());
    unlink(address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(first, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(gh_stream_connect(&net->client.stream, net->loop, &test_peer_events, NULL, 0,
                                       address.sun_path, NULL, NULL),
                     GH_OK);
    assert_int_equal(net->client.errors, 0);
    TEST_RUN_UNTIL(net->loop, net->client.errors + net->client.opens);
    assert_int_equal(net->client.error, GH_ERR_REFUSED);
    unlink(address.sun_path);
    close(first);
    close(listener);
}

static void what_was_shut_before_it_was_connected_is_sent_first(void **state)
{
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_connect(net, NULL, NULL);
    assert_true(test_peer_write(&net->client, GH_STR("all of it")));
    gh_stream_shutdown(&net->client.stream);
    TEST_RUN_UNTIL(net->loop, net->client.drains && net->server.eofs);
    assert_int_equal(net->server.received_len, 9);
    assert_int_equal(net->client.drains, 1);
    assert_int_equal(net->client.errors, 0);
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(a_closed_stream_is_told_nothing_of_the_same_turn),
        T(a_stream_gets_no_event_of_the_one_whose_descriptor_it_has_now),
        T(a_copy_of_its_descriptor_brings_a_closed_stream_no_events),
        T(a_stream_may_begin_anew_when_it_has_been_closed),
        T(a_stream_that_always_has_more_leaves_the_turn_to_others),
        T(a_stopped_stream_neither_notices_a_reset_nor_keeps_the_loop_awake),
        T(a_stream_that_has_ended_or_failed_keeps_the_loop_asleep),
        T(stopping_and_starting_tells_epoll_nothing_until_something_comes),
        T(room_for_output_is_looked_for_only_while_something_is_queued),
        T(a_peer_that_resets_ends_waiting_for_room_although_reading_is_stopped),
        T(a_unix_socket_whose_backlog_is_full_refuses),
        T(what_was_shut_before_it_was_connected_is_sent_first),
    };
    return cmocka_run_group_tests_name("net/stream_events", tests, NULL, NULL);
}
