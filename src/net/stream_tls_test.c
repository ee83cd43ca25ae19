/* Streams with TLS on both ends. What raw clients may do is in tls_protocol_test.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/test_tls.h"

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
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    net->server.in_read = echo;
    test_net_establish(net, fixture->client_a, "a.test");
    static const size_t sizes[] = {1,     2,     1000,  16383, 16384,  16385,
                                   32768, 65535, 65536, 65537, 100000, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *bytes = test_pattern(sizes[i]);
        net->client.received_len = 0;
        test_peer_write(&net->client, gh_str_of(bytes, sizes[i]));
        TEST_RUN_UNTIL(net->loop, net->client.received_len >= sizes[i]);
        assert_received(&net->client, bytes, sizes[i]);
        free(bytes);
    }
    assert_true(net->client.stream.bytes_read == net->client.stream.bytes_written);
}

static void joins_slices_around_the_size_of_a_record(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_establish(net, fixture->client_a, "a.test");
    char *bytes = test_pattern(100000);
    static const size_t cuts[][4] = {{1, 16384, 3, 50000},
                                     {16384, 16384, 1, 0},
                                     {0, 16383, 1, 1},
                                     {100, 200, 0, 16384},
                                     {33000, 1, 33000, 1}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct gh_str slices[4];
        size_t total = 0;
        for (size_t k = 0; k < 4; k++) {
            slices[k] = gh_str_of(bytes + total, cuts[i][k]);
            total += cuts[i][k];
        }
        net->server.received_len = 0;
        gh_stream_write(&net->client.stream, slices, 4);
        TEST_RUN_UNTIL(net->loop, net->server.received_len >= total);
        assert_received(&net->server, bytes, total);
    }
    free(bytes);
}

static void tells_the_facts_of_the_connection(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_establish(net, fixture->client_a, "a.test");
    const struct gh_stream *server = &net->server.stream;
    assert_true(gh_stream_is_tls(server));
    assert_true(gh_str_eq(gh_stream_alpn(server), GH_STR("http/1.1")));
    assert_true(gh_str_eq(gh_stream_sni(server), GH_STR("a.test")));
    assert_int_equal(gh_stream_tls_pair(server), 0);
    assert_ptr_equal(gh_stream_tls_server(server), fixture->server);
    assert_true(gh_str_eq(gh_stream_alpn(&net->client.stream), GH_STR("http/1.1")));
    assert_string_equal(gh_stream_tls_error(server), "");
}

static void chooses_the_certificate_by_name(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_establish(net, fixture->client_b, "www.b.test");
    assert_int_equal(gh_stream_tls_pair(&net->server.stream), 1);
}

static void an_address_is_verified_and_not_sent_as_name(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_establish(net, fixture->client_a, "127.0.0.1");
    assert_int_equal(gh_stream_sni(&net->server.stream).len, 0);
    assert_int_equal(gh_stream_tls_pair(&net->server.stream), 0);
}

static void assert_client_refuses(struct test_tls *fixture, struct gh_tls_client *client,
                                  const char *name, const char *reason)
{
    struct test_net *net = &fixture->net;
    test_net_connect(net, client, name);
    TEST_RUN_UNTIL(net->loop, net->client.errors && net->server.errors);
    assert_int_equal(net->client.error, GH_ERR_TLS);
    assert_string_equal(net->client.tls_error, reason);
    assert_int_equal(net->client.opens, 0);
    /* It said so to the server. */
    assert_int_equal(net->server.error, GH_ERR_TLS);
}

static void the_client_refuses_a_certificate_of_another_name(void **state)
{
    struct test_tls *fixture = *state;
    assert_client_refuses(fixture, fixture->client_a, "c.test", "hostname mismatch");
}

static void the_client_refuses_a_wildcard_over_two_labels(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_connect(net, fixture->client_b, "x.y.b.test");
    TEST_RUN_UNTIL(net->loop, net->client.errors);
    assert_int_equal(net->client.error, GH_ERR_TLS);
}

static void the_client_refuses_an_address_that_is_not_in_the_certificate(void **state)
{
    struct test_tls *fixture = *state;
    assert_client_refuses(fixture, fixture->client_a, "127.0.0.2", "IP address mismatch");
}

static void the_client_refuses_an_unknown_authority(void **state)
{
    struct test_tls *fixture = *state;
    assert_client_refuses(fixture, fixture->client_b, "a.test", "self-signed certificate");
}

static void the_client_refuses_to_go_without_a_name(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    assert_int_equal(gh_stream_connect(&net->client.stream, net->loop, &test_peer_events, &net->ip,
                                       net->port, NULL, fixture->client_a, NULL),
                     GH_ERR_INVALID);
    assert_int_not_equal(gh_stream_connect(&net->client.stream, net->loop, &test_peer_events,
                                           &net->ip, net->port, NULL, fixture->client_a, ""),
                         GH_OK);
    net->client.stream.loop = NULL;
}

static void a_server_that_speaks_no_tls_is_an_error_of_the_client(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    net->tls_server = NULL;
    net->server.in_read = echo; /* the client gets its own hello back */
    test_net_connect(net, fixture->client_a, "a.test");
    TEST_RUN_UNTIL(net->loop, net->client.errors);
    assert_int_equal(net->client.error, GH_ERR_TLS);
}

static void garbage_is_no_hello(void **state)
{
    struct test_tls *fixture = *state;
    static const struct gh_str greetings[] = {
        GH_STR_INIT("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        GH_STR_INIT("\x16\x03\x01\x00\x05hello"),
        GH_STR_INIT("\x80\x2e\x01\x00\x02 SSLv2 was long ago, and this is not even a hello"),
        GH_STR_INIT("zzzzzzzzzzzzzzzzzzzzzzzzzzz"),
    };
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        struct test_net net;
        test_net_open(&net);
        net.tls_server = fixture->server;
        int fd = test_net_raw_connect(&net);
        assert_int_equal(write(fd, greetings[i].ptr, greetings[i].len), greetings[i].len);
        TEST_RUN_UNTIL(net.loop, net.server.errors);
        assert_int_equal(net.server.error, GH_ERR_TLS);
        assert_int_equal(net.server.opens, 0);
        assert_true(net.server.tls_error[0] != '\0');
        close(fd);
        test_net_close(&net);
    }
}

static void a_client_that_goes_during_the_handshake_is_closed(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    int fd = test_net_raw_connect(net);
    assert_int_equal(write(fd, "\x16\x03\x01", 3), 3);
    close(fd);
    TEST_RUN_UNTIL(net->loop, net->server.errors);
    assert_int_equal(net->server.error, GH_ERR_CLOSED);
}

static void close_notify_is_the_end_and_the_other_direction_goes_on(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_establish(net, fixture->client_a, "a.test");
    test_peer_write(&net->client, GH_STR("last words"));
    gh_stream_shutdown(&net->client.stream);
    TEST_RUN_UNTIL(net->loop, net->server.eofs && net->client.drains);
    assert_received(&net->server, "last words", 10);
    test_peer_write(&net->server, GH_STR("answer"));
    gh_stream_shutdown(&net->server.stream);
    TEST_RUN_UNTIL(net->loop, net->client.eofs);
    assert_received(&net->client, "answer", 6);
    assert_int_equal(net->client.errors + net->server.errors, 0);
}

static void an_end_without_close_notify_is_an_error(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_establish(net, fixture->client_a, "a.test");
    test_peer_write(&net->client, GH_STR("half of it"));
    gh_stream_close(&net->client.stream);
    TEST_RUN_UNTIL(net->loop, net->server.errors);
    assert_int_equal(net->server.error, GH_ERR_CLOSED);
    assert_int_equal(net->server.eofs, 0);
    assert_received(&net->server, "half of it", 10);
}

static void stop_reading(struct test_peer *peer, struct gh_str bytes)
{
    (void)bytes;
    gh_stream_read_stop(&peer->stream);
}

static void pausing_inside_on_read_keeps_the_rest_for_later(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    net->server.in_read = stop_reading;
    test_net_establish(net, fixture->client_a, "a.test");
    enum { LEN = 1000000 };
    char *bytes = test_pattern(LEN);
    test_peer_write(&net->client, gh_str_of(bytes, LEN));
    while (net->server.received_len < LEN) {
        unsigned reads = net->server.reads;
        TEST_RUN_UNTIL(net->loop, net->server.reads > reads);
        for (int i = 0; i < 3; i++)
            gh_loop_turn(net->loop, false);
        assert_int_equal(net->server.reads, reads + 1);
        gh_stream_read_start(&net->server.stream);
        assert_int_equal(net->server.reads, reads + 1); /* never inside the call */
    }
    assert_received(&net->server, bytes, LEN);
    gh_stream_shutdown(&net->client.stream);
    gh_stream_read_start(&net->server.stream);
    TEST_RUN_UNTIL(net->loop, net->server.eofs);
    free(bytes);
}

static void close_now(struct test_peer *peer)
{
    gh_stream_close(&peer->stream);
}

static void close_at_read(struct test_peer *peer, struct gh_str bytes)
{
    (void)bytes;
    close_now(peer);
}

static void closing_inside_callbacks_is_safe(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    net->server.in_read = close_at_read;
    test_net_establish(net, fixture->client_a, "a.test");
    char *bytes = test_pattern(200000);
    test_peer_write(&net->client, gh_str_of(bytes, 200000));
    TEST_RUN_UNTIL(net->loop, net->server.closes && net->client.errors);
    assert_int_equal(net->server.reads, 1);
    free(bytes);
}

static void closing_inside_on_open_is_safe(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    net->server.in_open = close_now;
    test_net_connect(net, fixture->client_a, "a.test");
    TEST_RUN_UNTIL(net->loop, net->server.closes && net->client.errors);
    assert_int_equal(net->server.reads, 0);
}

static void dont_read(struct test_peer *peer)
{
    (void)peer;
}

static void a_slow_reader_bounds_the_queue_and_drains_once(void **state)
{
    struct test_tls *fixture = *state;
    struct test_net *net = &fixture->net;
    net->server.in_open = dont_read;
    test_net_establish(net, fixture->client_a, "a.test");
    char *bytes = test_pattern(TEST_RECEIVED_MAX);
    size_t sent = 0;
    while (test_peer_write(&net->client, gh_str_of(bytes + sent, 10000)))
        sent += 10000;
    sent += 10000;
    assert_true(gh_stream_queued(&net->client.stream) <= GH_STREAM_HIGH_WATER_BYTES + 11000);
    assert_int_equal(net->client.drains, 0);
    gh_stream_read_start(&net->server.stream);
    TEST_RUN_UNTIL(net->loop, net->client.drains && net->server.received_len >= sent);
    assert_int_equal(net->client.drains, 1);
    assert_received(&net->server, bytes, sent);
    assert_null(net->client.stream.queue);
    free(bytes);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, test_tls_set_up, test_tls_tear_down)
        T(echoes_messages_of_many_sizes),
        T(joins_slices_around_the_size_of_a_record),
        T(tells_the_facts_of_the_connection),
        T(chooses_the_certificate_by_name),
        T(an_address_is_verified_and_not_sent_as_name),
        T(the_client_refuses_a_certificate_of_another_name),
        T(the_client_refuses_a_wildcard_over_two_labels),
        T(the_client_refuses_an_address_that_is_not_in_the_certificate),
        T(the_client_refuses_an_unknown_authority),
        T(the_client_refuses_to_go_without_a_name),
        T(a_server_that_speaks_no_tls_is_an_error_of_the_client),
        T(garbage_is_no_hello),
        T(a_client_that_goes_during_the_handshake_is_closed),
        T(close_notify_is_the_end_and_the_other_direction_goes_on),
        T(an_end_without_close_notify_is_an_error),
        T(pausing_inside_on_read_keeps_the_rest_for_later),
        T(closing_inside_callbacks_is_safe),
        T(closing_inside_on_open_is_safe),
        T(a_slow_reader_bounds_the_queue_and_drains_once),
    };
    return cmocka_run_group_tests_name("net/stream_tls", tests, NULL, NULL);
}
