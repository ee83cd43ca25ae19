#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/test_peer.h"

static int set_up(void **state)
{
    struct test_net *net = malloc(sizeof *net);
    test_net_open(net);
    *state = net;
    return 0;
}

static int tear_down(void **state)
{
    test_net_close(*state);
    free(*state);
    return 0;
}

static void echo(struct test_peer *peer, struct gh_str bytes)
{
    test_peer_write(peer, bytes);
}

static void assert_received(const struct test_peer *peer, const char *bytes, size_t len)
{
    assert_int_equal(peer->received_len, len);
    assert_memory_equal(peer->received, bytes, len);
}

static void echoes_messages_of_many_sizes(void **state)
{
    struct test_net *net = *state;
    net->server.in_read = echo;
    test_net_establish(net, NULL, NULL);
    static const size_t sizes[] = {1, 2, 1000, 4096, 16384, 65535, 65536, 65537, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *bytes = test_pattern(sizes[i]);
        net->client.received_len = 0;
        test_peer_write(&net->client, gh_str_of(bytes, sizes[i]));
        TEST_RUN_UNTIL(net->loop, net->client.received_len >= sizes[i]);
        assert_received(&net->client, bytes, sizes[i]);
        free(bytes);
    }
    assert_true(net->client.stream.bytes_read == net->client.stream.bytes_written);
    assert_null(net->client.stream.queue);
    assert_null(net->server.stream.queue);
}

static void joins_sixteen_slices_in_order(void **state)
{
    struct test_net *net = *state;
    test_net_establish(net, NULL, NULL);
    struct gh_str slices[16];
    for (size_t i = 0; i < 16; i++)
        slices[i] = gh_str_of(&"abcdefghijklmnop"[i], i % 3 == 2 ? 0 : 1);
    assert_true(gh_stream_write(&net->client.stream, slices, 16));
    TEST_RUN_UNTIL(net->loop, net->server.received_len >= 11);
    assert_received(&net->server, "abdeghjkmnp", 11);
}

static void writing_nothing_is_fine(void **state)
{
    struct test_net *net = *state;
    test_net_establish(net, NULL, NULL);
    assert_true(gh_stream_write(&net->client.stream, NULL, 0));
    assert_true(test_peer_write(&net->client, GH_STR("")));
    assert_null(net->client.stream.queue);
}

static void writes_before_the_connection_stands_arrive(void **state)
{
    struct test_net *net = *state;
    test_net_connect(net, NULL, NULL);
    assert_true(test_peer_write(&net->client, GH_STR("early ")));
    assert_true(test_peer_write(&net->client, GH_STR("bird")));
    TEST_RUN_UNTIL(net->loop, net->server.received_len >= 10);
    assert_received(&net->server, "early bird", 10);
}

static void an_open_stream_at_rest_holds_no_memory_of_ours(void **state)
{
    struct test_net *net = *state;
    test_net_establish(net, NULL, NULL);
    assert_null(net->client.stream.queue);
    assert_null(net->client.stream.tls);
    assert_true(sizeof(struct gh_stream) <= 72);
}

/* Writes until told to pause; returns what was taken. */
static size_t fill(struct test_peer *peer, const char *bytes, size_t piece)
{
    size_t sent = 0;
    bool keeps_up = true;
    while (keeps_up) {
        assert_true(sent + piece <= TEST_RECEIVED_MAX);
        keeps_up = test_peer_write(peer, gh_str_of(bytes + sent, piece));
        sent += piece;
    }
    return sent;
}

static void a_slow_reader_bounds_the_queue_and_drains_once(void **state)
{
    struct test_net *net = *state;
    net->start_stopped = true;
    test_net_establish(net, NULL, NULL);
    char *bytes = test_pattern(TEST_RECEIVED_MAX);
    size_t sent = fill(&net->client, bytes, 10000);
    size_t queued = gh_stream_queued(&net->client.stream);
    assert_true(queued > GH_STREAM_HIGH_WATER_BYTES);
    assert_true(queued <= GH_STREAM_HIGH_WATER_BYTES + 10000);
    assert_int_equal(net->client.drains, 0);
    gh_stream_read_start(&net->server.stream);
    TEST_RUN_UNTIL(net->loop, net->client.drains && net->server.received_len >= sent);
    assert_int_equal(net->client.drains, 1);
    assert_received(&net->server, bytes, sent);
    assert_null(net->client.stream.queue);
    assert_true(test_peer_write(&net->client, GH_STR("x")));
    free(bytes);
}

static void a_writer_that_ignores_the_mark_fails_at_the_maximum(void **state)
{
    struct test_net *net = *state;
    net->start_stopped = true;
    test_net_establish(net, NULL, NULL);
    char *bytes = test_pattern(1 << 20);
    for (int i = 0; i < 32 && !net->client.stream.failed; i++) {
        test_peer_write(&net->client, gh_str_of(bytes, 1 << 20));
        assert_true(gh_stream_queued(&net->client.stream) <= GH_STREAM_QUEUE_BYTES_MAX);
    }
    assert_int_equal(net->client.errors, 0);
    TEST_RUN_UNTIL(net->loop, net->client.errors);
    assert_int_equal(net->client.error, GH_ERR_FULL);
    assert_false(test_peer_write(&net->client, GH_STR("x")));
    free(bytes);
}

static void a_paused_stream_reads_nothing(void **state)
{
    struct test_net *net = *state;
    net->start_stopped = true;
    test_net_establish(net, NULL, NULL);
    test_peer_write(&net->client, GH_STR("hello"));
    for (int i = 0; i < 5; i++)
        gh_loop_turn(net->loop, false);
    assert_int_equal(net->server.reads, 0);
    gh_stream_read_start(&net->server.stream);
    gh_stream_read_start(&net->server.stream);
    TEST_RUN_UNTIL(net->loop, net->server.received_len == 5);
}

static void stop_reading(struct test_peer *peer, struct gh_str bytes)
{
    (void)bytes;
    gh_stream_read_stop(&peer->stream);
}

static void pausing_inside_on_read_stops_at_once(void **state)
{
    struct test_net *net = *state;
    net->server.in_read = stop_reading;
    test_net_establish(net, NULL, NULL);
    char *bytes = test_pattern(300000);
    test_peer_write(&net->client, gh_str_of(bytes, 300000));
    while (net->server.received_len < 300000) {
        unsigned reads = net->server.reads;
        TEST_RUN_UNTIL(net->loop, net->server.reads > reads);
        for (int i = 0; i < 3; i++)
            gh_loop_turn(net->loop, false);
        assert_int_equal(net->server.reads, reads + 1);
        gh_stream_read_start(&net->server.stream);
    }
    assert_received(&net->server, bytes, 300000);
    free(bytes);
}

static void half_close_lets_the_other_direction_go_on(void **state)
{
    struct test_net *net = *state;
    test_net_establish(net, NULL, NULL);
    test_peer_write(&net->client, GH_STR("last words"));
    gh_stream_shutdown(&net->client.stream);
    gh_stream_shutdown(&net->client.stream);
    assert_int_equal(net->client.drains, 0);
    assert_false(test_peer_write(&net->client, GH_STR("afterthought")));
    TEST_RUN_UNTIL(net->loop, net->server.eofs && net->client.drains);
    assert_received(&net->server, "last words", 10);
    assert_int_equal(net->client.drains, 1);
    assert_true(test_peer_write(&net->server, GH_STR("answer")));
    gh_stream_shutdown(&net->server.stream);
    TEST_RUN_UNTIL(net->loop, net->client.eofs);
    assert_received(&net->client, "answer", 6);
    assert_int_equal(net->client.errors + net->server.errors, 0);
}

static void shutdown_sends_all_that_is_queued_first(void **state)
{
    struct test_net *net = *state;
    net->start_stopped = true;
    test_net_establish(net, NULL, NULL);
    char *bytes = test_pattern(TEST_RECEIVED_MAX);
    size_t sent = fill(&net->client, bytes, 30000);
    gh_stream_shutdown(&net->client.stream);
    gh_stream_read_start(&net->server.stream);
    TEST_RUN_UNTIL(net->loop, net->server.eofs && net->client.drains);
    assert_int_equal(net->client.drains, 1);
    assert_received(&net->server, bytes, sent);
    free(bytes);
}

static void a_reset_is_an_error_and_no_end_for_the_peer(void **state)
{
    struct test_net *net = *state;
    test_net_establish(net, NULL, NULL);
    test_peer_write(&net->server, GH_STR("cut"));
    gh_stream_reset(&net->server.stream);
    gh_stream_reset(&net->server.stream);
    TEST_RUN_UNTIL(net->loop, net->client.errors + net->client.eofs);
    assert_int_equal(net->client.error, GH_ERR_CLOSED);
    assert_int_equal(net->client.eofs, 0);
    assert_int_equal(net->server.errors, 0);
}

static void an_abrupt_reset_is_one_error(void **state)
{
    struct test_net *net = *state;
    int fd = test_net_raw_connect(net);
    TEST_RUN_UNTIL(net->loop, net->accepts);
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    TEST_RUN_UNTIL(net->loop, net->server.errors);
    assert_int_equal(net->server.error, GH_ERR_CLOSED);
    assert_int_equal(net->server.eofs, 0);
    assert_false(test_peer_write(&net->server, GH_STR("x")));
}

static void a_failed_write_while_paused_is_told_later_and_not_inside_the_call(void **state)
{
    struct test_net *net = *state;
    net->start_stopped = true;
    int fd = test_net_raw_connect(net);
    TEST_RUN_UNTIL(net->loop, net->accepts);
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    while (!net->server.stream.failed)
        test_peer_write(&net->server, GH_STR("into the void"));
    assert_int_equal(net->server.errors, 0);
    TEST_RUN_UNTIL(net->loop, net->server.errors);
    assert_int_equal(net->server.error, GH_ERR_CLOSED);
}

static void an_early_answer_is_read_although_writing_fails(void **state)
{
    struct test_net *net = *state;
    net->start_stopped = true;
    int fd = test_net_raw_connect(net);
    TEST_RUN_UNTIL(net->loop, net->accepts);
    assert_int_equal(write(fd, "413 too long", 12), 12);
    /* Unread bytes at close make the kernel send a reset. */
    test_peer_write(&net->server, GH_STR("body"));
    close(fd);
    gh_stream_read_start(&net->server.stream);
    while (test_peer_write(&net->server, GH_STR("more body")))
        ;
    assert_true(net->server.stream.write_failed);
    TEST_RUN_UNTIL(net->loop, net->server.errors);
    assert_received(&net->server, "413 too long", 12);
}

/* The kernel tells a reset once: the write hears of it, and a read would find an end. */
static void a_reset_that_a_write_was_told_of_is_no_end(void **state)
{
    struct test_net *net = *state;
    int fd = test_net_raw_connect(net);
    TEST_RUN_UNTIL(net->loop, net->accepts);
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    assert_false(test_peer_write(&net->server, GH_STR("more body")));
    TEST_RUN_UNTIL(net->loop, net->server.errors);
    assert_received(&net->server, "half", 4);
    assert_int_equal(net->server.error, GH_ERR_CLOSED);
    assert_int_equal(net->server.eofs, 0);
}

static void close_now(struct test_peer *peer)
{
    gh_stream_close(&peer->stream);
    gh_stream_close(&peer->stream);
    assert_int_equal(peer->closes, 0);
}

static void close_at_read(struct test_peer *peer, struct gh_str bytes)
{
    (void)bytes;
    close_now(peer);
}

static void assert_short(struct test_peer *peer, struct gh_str bytes)
{
    (void)peer;
    assert_in_range(bytes.len, 1, 1000);
}

static void reads_are_no_longer_than_the_loop_was_told(void **state)
{
    struct test_net *net = *state;
    net->server.in_read = assert_short;
    gh_loop_set_read_bytes(net->loop, 1000);
    test_net_establish(net, NULL, NULL);
    char *bytes = test_pattern(200000);
    test_peer_write(&net->client, gh_str_of(bytes, 200000));
    TEST_RUN_UNTIL(net->loop, net->server.received_len == 200000);
    assert_received(&net->server, bytes, 200000);
    free(bytes);
}

static void closing_inside_on_read_is_safe(void **state)
{
    struct test_net *net = *state;
    net->server.in_read = close_at_read;
    test_net_establish(net, NULL, NULL);
    char *bytes = test_pattern(200000);
    test_peer_write(&net->client, gh_str_of(bytes, 200000));
    TEST_RUN_UNTIL(net->loop, net->server.closes);
    assert_int_equal(net->server.reads, 1);
    assert_int_equal(net->server.errors, 0);
    free(bytes);
}

static void closing_inside_on_eof_is_safe(void **state)
{
    struct test_net *net = *state;
    net->server.in_eof = close_now;
    test_net_establish(net, NULL, NULL);
    gh_stream_shutdown(&net->client.stream);
    TEST_RUN_UNTIL(net->loop, net->server.closes);
}

static void closing_inside_on_open_is_safe(void **state)
{
    struct test_net *net = *state;
    net->client.in_open = close_now;
    test_net_connect(net, NULL, NULL);
    test_peer_write(&net->client, GH_STR("dropped"));
    TEST_RUN_UNTIL(net->loop, net->client.closes);
}

static void closing_inside_on_drain_is_safe(void **state)
{
    struct test_net *net = *state;
    net->client.in_drain = close_now;
    test_net_establish(net, NULL, NULL);
    char *bytes = test_pattern(1 << 20);
    for (int i = 0; i < 4; i++)
        test_peer_write(&net->client, gh_str_of(bytes, 1 << 20));
    TEST_RUN_UNTIL(net->loop, net->client.closes);
    assert_int_equal(net->client.drains, 1);
    free(bytes);
}

static void closing_with_a_full_queue_drops_it(void **state)
{
    struct test_net *net = *state;
    net->start_stopped = true;
    test_net_establish(net, NULL, NULL);
    char *bytes = test_pattern(TEST_RECEIVED_MAX);
    fill(&net->client, bytes, 50000);
    close_now(&net->client);
    assert_int_equal(gh_stream_queued(&net->client.stream), 0);
    TEST_RUN_UNTIL(net->loop, net->client.closes);
    assert_int_equal(net->client.drains, 0);
    free(bytes);
}

static void closing_a_stream_whose_error_waits_tells_no_error(void **state)
{
    struct test_net *net = *state;
    test_net_establish(net, NULL, NULL);
    gh_stream_fail_later(&net->client.stream, GH_ERR_FULL);
    gh_stream_fail_later(&net->server.stream, GH_ERR_FULL);
    close_now(&net->client);
    TEST_RUN_UNTIL(net->loop, net->client.closes && net->server.errors);
    assert_int_equal(net->client.errors, 0);
}

static void closing_while_connecting_is_safe(void **state)
{
    struct test_net *net = *state;
    test_net_connect(net, NULL, NULL);
    close_now(&net->client);
    TEST_RUN_UNTIL(net->loop, net->client.closes);
    assert_int_equal(net->client.opens + net->client.errors, 0);
}

static void a_refused_connection_is_told_as_such(void **state)
{
    struct test_net *net = *state;
    /* A port that was free a moment ago: bound, but nobody listens. */
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof any;
    assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    uint16_t port = net->port;
    net->port = ntohs(any.sin_port);
    test_net_connect(net, NULL, NULL);
    TEST_RUN_UNTIL(net->loop, net->client.errors);
    assert_int_equal(net->client.error, GH_ERR_REFUSED);
    net->port = port;
    close(fd);
}

static void a_missing_unix_socket_is_not_found(void **state)
{
    struct test_net *net = *state;
    assert_int_equal(gh_stream_connect(&net->client.stream, net->loop, &test_peer_events, NULL, 0,
                                       "/tmp/gatehouse-no-such-socket", NULL, NULL),
                     GH_OK);
    TEST_RUN_UNTIL(net->loop, net->client.errors);
    assert_int_equal(net->client.error, GH_ERR_NOT_FOUND);
}

static void refuses_a_unix_path_that_the_system_would_cut(void **state)
{
    struct test_net *net = *state;
    char path[120];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[108] = '\0';
    assert_int_equal(gh_stream_connect(&net->client.stream, net->loop, &test_peer_events, NULL, 0,
                                       path, NULL, NULL),
                     GH_ERR_INVALID);
    net->client.stream.loop = NULL;
}

static void refuses_an_address_without_a_family(void **state)
{
    struct test_net *net = *state;
    struct gh_ip none = {.family = GH_IP_NONE};
    assert_int_equal(gh_stream_connect(&net->client.stream, net->loop, &test_peer_events, &none, 80,
                                       NULL, NULL, NULL),
                     GH_ERR_INVALID);
    assert_null(net->client.stream.loop);
}

static void plain_streams_have_no_tls_facts(void **state)
{
    struct test_net *net = *state;
    test_net_establish(net, NULL, NULL);
    assert_false(gh_stream_is_tls(&net->client.stream));
    assert_int_equal(gh_stream_alpn(&net->client.stream).len, 0);
    assert_int_equal(gh_stream_sni(&net->client.stream).len, 0);
    assert_int_equal(gh_stream_tls_pair(&net->client.stream), -1);
    assert_null(gh_stream_tls_server(&net->client.stream));
    assert_string_equal(gh_stream_tls_error(&net->client.stream), "");
}

/* One stream's bytes go to another inside on_read, as a proxy does it. */
static void forward(struct test_peer *peer, struct gh_str bytes)
{
    struct test_peer *other = peer->context;
    if (!test_peer_write(other, bytes))
        gh_stream_read_stop(&peer->stream);
}

static void resume(struct test_peer *peer)
{
    gh_stream_read_start(&((struct test_peer *)peer->context)->stream);
}

static void forwards_megabytes_with_back_pressure(void **state)
{
    struct test_net *net = *state;
    /* net->client -> net->server => second stream (pipe) -> raw socket read slowly by the test */
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct test_peer *out = calloc(1, sizeof *out);
    gh_stream_init(&out->stream, net->loop, &test_peer_events);
    gh_stream_open_fd(&out->stream, pair[0]);
    net->server.in_read = forward;
    net->server.context = out;
    out->in_drain = resume;
    out->context = &net->server;
    test_net_establish(net, NULL, NULL);
    enum { LEN = 3 << 20 };
    char *bytes = test_pattern(LEN), *got = malloc(LEN);
    size_t received = 0, sent = 0;
    while (received < LEN) {
        if (sent < LEN && gh_stream_queued(&net->client.stream) == 0) {
            test_peer_write(&net->client, gh_str_of(bytes + sent, LEN / 16));
            sent += LEN / 16;
        }
        gh_loop_turn(net->loop, false);
        assert_true(gh_stream_queued(&out->stream) <=
                    GH_STREAM_HIGH_WATER_BYTES + GH_STREAM_READ_BYTES);
        ssize_t count = read(pair[1], got + received, 7000);
        received += count > 0 ? (size_t)count : 0;
    }
    assert_memory_equal(got, bytes, LEN);
    assert_true(out->drains > 0);
    test_peer_close(out);
    TEST_RUN_UNTIL(net->loop, out->closes);
    close(pair[1]);
    free(out->received);
    free(out);
    free(bytes);
    free(got);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(echoes_messages_of_many_sizes),
        T(joins_sixteen_slices_in_order),
        T(writing_nothing_is_fine),
        T(writes_before_the_connection_stands_arrive),
        T(an_open_stream_at_rest_holds_no_memory_of_ours),
        T(a_slow_reader_bounds_the_queue_and_drains_once),
        T(a_writer_that_ignores_the_mark_fails_at_the_maximum),
        T(a_paused_stream_reads_nothing),
        T(pausing_inside_on_read_stops_at_once),
        T(half_close_lets_the_other_direction_go_on),
        T(shutdown_sends_all_that_is_queued_first),
        T(a_reset_is_an_error_and_no_end_for_the_peer),
        T(an_abrupt_reset_is_one_error),
        T(a_reset_that_a_write_was_told_of_is_no_end),
        T(a_failed_write_while_paused_is_told_later_and_not_inside_the_call),
        T(an_early_answer_is_read_although_writing_fails),
        T(reads_are_no_longer_than_the_loop_was_told),
        T(closing_inside_on_read_is_safe),
        T(closing_inside_on_eof_is_safe),
        T(closing_inside_on_open_is_safe),
        T(closing_inside_on_drain_is_safe),
        T(closing_with_a_full_queue_drops_it),
        T(closing_a_stream_whose_error_waits_tells_no_error),
        T(closing_while_connecting_is_safe),
        T(a_refused_connection_is_told_as_such),
        T(a_missing_unix_socket_is_not_found),
        T(refuses_a_unix_path_that_the_system_would_cut),
        T(refuses_an_address_without_a_family),
        T(plain_streams_have_no_tls_facts),
        T(forwards_megabytes_with_back_pressure),
    };
    return cmocka_run_group_tests_name("net/stream", tests, NULL, NULL);
}
