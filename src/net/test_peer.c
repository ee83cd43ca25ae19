/* See test_peer.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_peer.h"

static struct test_peer *peer_of(struct gh_stream *stream)
{
    return (struct test_peer *)stream;
}

static void on_open(struct gh_stream *stream)
{
    struct test_peer *peer = peer_of(stream);
    assert_int_equal(peer->opens++, 0);
    if (peer->in_open)
        peer->in_open(peer);
    else
        gh_stream_read_start(stream);
}

static void on_read(struct gh_stream *stream, struct gh_str bytes)
{
    struct test_peer *peer = peer_of(stream);
    assert_true(bytes.len > 0 && bytes.len <= GH_STREAM_READ_BYTES);
    assert_false(stream->closing || stream->failed || stream->eof);
    assert_true(stream->reading);
    assert_true(peer->received_len + bytes.len <= TEST_RECEIVED_MAX);
    if (!peer->received)
        peer->received = malloc(TEST_RECEIVED_MAX);
    memcpy(peer->received + peer->received_len, bytes.ptr, bytes.len);
    peer->received_len += bytes.len;
    peer->reads++;
    if (peer->in_read)
        peer->in_read(peer, bytes);
}

static void on_eof(struct gh_stream *stream)
{
    struct test_peer *peer = peer_of(stream);
    assert_int_equal(peer->eofs++, 0);
    if (peer->in_eof)
        peer->in_eof(peer);
}

static void on_drain(struct gh_stream *stream)
{
    struct test_peer *peer = peer_of(stream);
    assert_int_equal(gh_stream_queued(stream), 0);
    peer->drains++;
    if (peer->in_drain)
        peer->in_drain(peer);
}

static void on_error(struct gh_stream *stream, enum gh_err err)
{
    struct test_peer *peer = peer_of(stream);
    assert_int_equal(peer->errors++, 0);
    assert_int_not_equal(err, GH_OK);
    assert_false(stream->closing);
    peer->error = err;
    peer->tls_error = gh_stream_tls_error(stream);
}

static void on_closed(struct gh_stream *stream)
{
    struct test_peer *peer = peer_of(stream);
    assert_true(stream->closing);
    assert_int_equal(peer->closes++, 0);
}

const struct gh_stream_events test_peer_events = {
    .on_open = on_open,
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};

static struct gh_stream *on_accept(void *owner, struct gh_listener *listener)
{
    struct test_net *net = owner;
    assert_ptr_equal(listener, net->listener);
    return net->accepts++ == 0 ? &net->server.stream : NULL;
}

static void on_accepted(void *owner, struct gh_listener *listener, struct gh_stream *stream,
                        const struct gh_ip *peer, uint16_t peer_port)
{
    struct test_net *net = owner;
    assert_ptr_equal(listener, net->listener);
    assert_true(net->ip.family == GH_IP_NONE || peer_port != 0);
    net->peer_ip = *peer;
    assert_false(stream->reading);
    if (net->tls_server)
        assert_int_equal(gh_stream_start_tls(stream, net->tls_server, GH_STR("")), GH_OK);
    else if (!net->start_stopped)
        gh_stream_read_start(stream);
}

static const struct gh_listener_events listener_events = {.on_accept = on_accept,
                                                          .on_accepted = on_accepted};

void test_net_open(struct test_net *net)
{
    *net = (struct test_net){.ip = {.family = GH_IP_V4, .bytes = {127, 0, 0, 1}}};
    gh_arena_init(&net->arena, 4096, 1 << 20);
    assert_int_equal(gh_loop_open(&net->loop), GH_OK);
    struct gh_listen_address address;
    assert_true(gh_listen_address_parse(GH_STR("127.0.0.1:0"), &net->arena, &address));
    int fd;
    struct gh_str message;
    assert_int_equal(gh_listen_socket_open(&address, &net->arena, &fd, &message), GH_OK);
    struct sockaddr_in bound;
    socklen_t len = sizeof bound;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    net->port = ntohs(bound.sin_port);
    assert_int_equal(gh_listener_open(net->loop, fd, false, &listener_events, net,
                                      &test_peer_events, &net->listener),
                     GH_OK);
}

static bool was_opened(const struct test_peer *peer)
{
    return peer->stream.loop != NULL;
}

void test_peer_close(struct test_peer *peer)
{
    if (was_opened(peer) && peer->closes == 0)
        gh_stream_close(&peer->stream);
}

void test_net_close(struct test_net *net)
{
    test_peer_close(&net->server);
    test_peer_close(&net->client);
    gh_listener_close(net->listener);
    gh_loop_stop(net->loop);
    gh_loop_run(net->loop);
    assert_int_equal(net->server.closes, was_opened(&net->server));
    assert_int_equal(net->client.closes, was_opened(&net->client));
    free(net->server.received);
    free(net->client.received);
    gh_loop_close(net->loop);
    gh_arena_done(&net->arena);
}

void test_net_connect(struct test_net *net, struct gh_tls_client *tls, const char *server_name)
{
    assert_int_equal(gh_stream_connect(&net->client.stream, net->loop, &test_peer_events, &net->ip,
                                       net->port, NULL, tls, server_name),
                     GH_OK);
    assert_int_equal(net->client.opens + net->client.errors, 0);
}

int test_net_raw_connect(struct test_net *net)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(net->port)};
    memcpy(&address.sin_addr, net->ip.bytes, 4);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void test_net_establish(struct test_net *net, struct gh_tls_client *tls, const char *server_name)
{
    test_net_connect(net, tls, server_name);
    TEST_RUN_UNTIL(net->loop,
                   net->client.opens && net->accepts && (net->server.opens || !net->tls_server));
}

bool test_peer_write(struct test_peer *peer, struct gh_str bytes)
{
    return gh_stream_write(&peer->stream, &bytes, 1);
}

char *test_pattern(size_t len)
{
    char *bytes = malloc(len + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    return bytes;
}
