#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_certificate.h"
#include "net/test_peer.h"

#define DAY 86400L

struct fixture {
    struct test_net net; /* first: the helpers below take either */
    struct test_certificates files;
    struct gh_tls_server *server;
    struct gh_tls_client *client_a, *client_b; /* trust a.crt, b.crt */
};

static struct gh_tls_server *open_server(struct fixture *fixture)
{
    struct gh_tls_pair pairs[2] = {{test_certificate_path(&fixture->files, "a.crt"),
                                    test_certificate_path(&fixture->files, "a.key")},
                                   {test_certificate_path(&fixture->files, "b.crt"),
                                    test_certificate_path(&fixture->files, "b.key")}};
    struct gh_tls_server *server;
    struct gh_str message;
    assert_int_equal(gh_tls_server_open(pairs, 2, GH_STR("\x08http/1.1"), &fixture->net.arena,
                                        &server, &message),
                     GH_OK);
    return server;
}

static struct gh_tls_client *open_client(struct fixture *fixture, const char *ca)
{
    struct gh_tls_client *client;
    struct gh_str message;
    assert_int_equal(gh_tls_client_open(test_certificate_path(&fixture->files, ca),
                                        &fixture->net.arena, &client, &message),
                     GH_OK);
    return client;
}

static int set_up(void **state)
{
    struct fixture *fixture = malloc(sizeof *fixture);
    test_net_open(&fixture->net);
    test_certificates_open(&fixture->files);
    test_certificate_make(&fixture->files, "a", "DNS:a.test,IP:127.0.0.1", -DAY, DAY);
    test_certificate_make(&fixture->files, "b", "DNS:*.b.test", -DAY, DAY);
    fixture->net.tls_server = fixture->server = open_server(fixture);
    fixture->client_a = open_client(fixture, "a.crt");
    fixture->client_b = open_client(fixture, "b.crt");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    /* Before the streams end: they hold what they need. */
    gh_tls_server_unref(fixture->server);
    gh_tls_client_unref(fixture->client_a);
    gh_tls_client_unref(fixture->client_b);
    test_net_close(&fixture->net);
    test_certificates_close(&fixture->files);
    free(fixture);
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_establish(net, fixture->client_b, "www.b.test");
    assert_int_equal(gh_stream_tls_pair(&net->server.stream), 1);
}

static void an_address_is_verified_and_not_sent_as_name(void **state)
{
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_establish(net, fixture->client_a, "127.0.0.1");
    assert_int_equal(gh_stream_sni(&net->server.stream).len, 0);
    assert_int_equal(gh_stream_tls_pair(&net->server.stream), 0);
}

static void assert_client_refuses(struct fixture *fixture, struct gh_tls_client *client,
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
    struct fixture *fixture = *state;
    assert_client_refuses(fixture, fixture->client_a, "c.test", "hostname mismatch");
}

static void the_client_refuses_a_wildcard_over_two_labels(void **state)
{
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    test_net_connect(net, fixture->client_b, "x.y.b.test");
    TEST_RUN_UNTIL(net->loop, net->client.errors);
    assert_int_equal(net->client.error, GH_ERR_TLS);
}

static void the_client_refuses_an_address_that_is_not_in_the_certificate(void **state)
{
    struct fixture *fixture = *state;
    assert_client_refuses(fixture, fixture->client_a, "127.0.0.2", "IP address mismatch");
}

static void the_client_refuses_an_unknown_authority(void **state)
{
    struct fixture *fixture = *state;
    assert_client_refuses(fixture, fixture->client_b, "a.test", "self-signed certificate");
}

static void the_client_refuses_to_go_without_a_name(void **state)
{
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    net->tls_server = NULL;
    net->server.in_read = echo; /* the client gets its own hello back */
    test_net_connect(net, fixture->client_a, "a.test");
    TEST_RUN_UNTIL(net->loop, net->client.errors);
    assert_int_equal(net->client.error, GH_ERR_TLS);
}

static void garbage_is_no_hello(void **state)
{
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    int fd = test_net_raw_connect(net);
    assert_int_equal(write(fd, "\x16\x03\x01", 3), 3);
    close(fd);
    TEST_RUN_UNTIL(net->loop, net->server.errors);
    assert_int_equal(net->server.error, GH_ERR_CLOSED);
}

static void close_notify_is_the_end_and_the_other_direction_goes_on(void **state)
{
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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
            uv_run(&net->loop->uv, UV_RUN_NOWAIT);
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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
    struct fixture *fixture = *state;
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

/* ---- Raw clients: OpenSSL over a socket of the test's, while the loop turns ---- */

static SSL *raw_client(struct test_net *net, SSL_CTX *context, const char *name)
{
    int fd = test_net_raw_connect(net);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (name)
        SSL_set_tlsext_host_name(ssl, name);
    return ssl;
}

static bool raw_handshake(struct test_net *net, SSL *ssl)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_connect(ssl);
        if (result == 1)
            return true;
        if (SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ)
            return false;
        uv_run(&net->loop->uv, UV_RUN_ONCE);
    }
}

static void raw_free(SSL *ssl)
{
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
}

static bool raw_connects(struct fixture *fixture, SSL_CTX *context)
{
    struct test_net net;
    test_net_open(&net);
    net.tls_server = fixture->server;
    SSL *ssl = raw_client(&net, context, "a.test");
    bool connected = raw_handshake(&net, ssl);
    raw_free(ssl);
    test_net_close(&net);
    return connected;
}

static void speaks_tls_1_2_with_forward_secrecy_only(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        int version;
        const char *ciphers;
        bool welcome;
    } rows[] = {
        {TLS1_3_VERSION, NULL, true},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", true},
        {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", true},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", false},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA", false},
        {TLS1_2_VERSION, "AES128-GCM-SHA256", false},
        {TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", false},
        {TLS1_1_VERSION, "ALL:@SECLEVEL=0", false},
        {TLS1_VERSION, "ALL:@SECLEVEL=0", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(context, rows[i].version);
        SSL_CTX_set_max_proto_version(context, rows[i].version);
        if (rows[i].ciphers)
            assert_int_equal(SSL_CTX_set_cipher_list(context, rows[i].ciphers), 1);
        assert_int_equal(raw_connects(fixture, context), rows[i].welcome);
        SSL_CTX_free(context);
    }
}

static void refuses_a_client_with_no_protocol_in_common(void **state)
{
    struct fixture *fixture = *state;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x04spdy", 5);
    assert_false(raw_connects(fixture, context));
    SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    assert_true(raw_connects(fixture, context));
    SSL_CTX_free(context);
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION **kept = SSL_get_app_data(ssl);
    SSL_SESSION_free(*kept);
    *kept = session;
    return 1;
}

/* One connection that may resume `*session` and leaves a new one there. */
static bool resumes(struct gh_tls_server *server, int version, const char *name,
                    SSL_SESSION **session)
{
    struct test_net net;
    test_net_open(&net);
    net.tls_server = server;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, version);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL *ssl = raw_client(&net, context, name);
    SSL_SESSION *fresh = NULL;
    SSL_set_app_data(ssl, (char *)&fresh);
    if (*session)
        SSL_set_session(ssl, *session);
    assert_true(raw_handshake(&net, ssl));
    bool reused = SSL_session_reused(ssl);
    TEST_RUN_UNTIL(net.loop, net.server.opens);
    /* TLS 1.3 tickets come after the handshake, before the first byte of the application. */
    test_peer_write(&net.server, GH_STR("x"));
    char byte;
    while (SSL_read(ssl, &byte, 1) != 1)
        uv_run(&net.loop->uv, UV_RUN_NOWAIT);
    /* Or OpenSSL would take it for a session gone wrong. */
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    if (fresh) {
        SSL_SESSION_free(*session);
        *session = fresh;
    }
    raw_free(ssl);
    SSL_CTX_free(context);
    test_net_close(&net);
    return reused;
}

static void resumes_sessions_over_a_reload_but_not_with_another_certificate(void **state)
{
    struct fixture *fixture = *state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *session = NULL;
        assert_false(resumes(fixture->server, versions[i], "a.test", &session));
        assert_non_null(session);
        assert_true(resumes(fixture->server, versions[i], "a.test", &session));
        struct gh_tls_server *reloaded = open_server(fixture), *stranger = open_server(fixture);
        gh_tls_server_share_tickets(reloaded, fixture->server);
        gh_tls_server_share_tickets(reloaded, NULL);
        assert_true(resumes(reloaded, versions[i], "a.test", &session));
        assert_false(resumes(reloaded, versions[i], "www.b.test", &session));
        assert_true(resumes(reloaded, versions[i], "www.b.test", &session));
        assert_false(resumes(stranger, versions[i], "www.b.test", &session));
        gh_tls_server_unref(reloaded);
        gh_tls_server_unref(stranger);
        SSL_SESSION_free(session);
    }
}

static void refuses_renegotiation(void **state)
{
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL *ssl = raw_client(net, context, "a.test");
    assert_true(raw_handshake(net, ssl));
    assert_int_equal(SSL_renegotiate(ssl), 1);
    assert_false(raw_handshake(net, ssl));
    raw_free(ssl);
    SSL_CTX_free(context);
}

/* A peer that asks for answers and never reads them must not grow our queue without end. */
static void answers_to_key_updates_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct test_net *net = &fixture->net;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = raw_client(net, context, "a.test");
    assert_true(raw_handshake(net, ssl));
    TEST_RUN_UNTIL(net->loop, net->server.opens);
    int idle_turns = 0;
    while (idle_turns < 100 && !net->server.errors) {
        SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        ERR_clear_error();
        bool sent = SSL_write(ssl, "x", 1) == 1;
        idle_turns = sent ? 0 : idle_turns + 1;
        uv_run(&net->loop->uv, UV_RUN_NOWAIT);
        assert_true(gh_stream_queued(&net->server.stream) <= GH_STREAM_HIGH_WATER_BYTES + 20000);
    }
    assert_int_equal(net->server.errors, 0);
    raw_free(ssl);
    SSL_CTX_free(context);
}

/* The bytes of a whole conversation, given to the server in pieces of every size from 1 up. */
static void a_handshake_in_small_pieces_is_the_same(void **state)
{
    struct fixture *fixture = *state;
    static const size_t pieces[] = {1, 2, 3, 5, 7, 64, 300};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct test_net net;
        test_net_open(&net);
        net.tls_server = fixture->server;
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        SSL *ssl = SSL_new(context);
        int fd = test_net_raw_connect(&net);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        BIO *from_server = BIO_new(BIO_s_mem()), *to_server = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl, from_server, to_server);
        SSL_set_connect_state(ssl);
        bool written = false;
        while (net.server.received_len < 5) {
            if (SSL_do_handshake(ssl) == 1 && !written)
                written = SSL_write(ssl, "hello", 5) == 5;
            char bytes[4096];
            int count = BIO_read(to_server, bytes, (int)pieces[i]);
            if (count > 0)
                assert_int_equal(write(fd, bytes, (size_t)count), count);
            uv_run(&net.loop->uv, UV_RUN_NOWAIT);
            ssize_t got = read(fd, bytes, sizeof bytes);
            if (got > 0)
                BIO_write(from_server, bytes, (int)got);
            assert_int_equal(net.server.errors, 0);
        }
        assert_received(&net.server, "hello", 5);
        SSL_free(ssl);
        SSL_CTX_free(context);
        close(fd);
        test_net_close(&net);
    }
}

/* As after a PROXY header: TLS begins inside on_read, with bytes that were read too many. */
static void begin_tls(struct test_peer *peer, struct gh_str bytes)
{
    struct fixture *fixture = peer->context;
    if (gh_stream_is_tls(&peer->stream))
        return;
    assert_int_equal(bytes.ptr[0], '!');
    peer->received_len = 0;
    struct gh_str leftover = gh_str_skip(bytes, 1);
    assert_int_equal(gh_stream_start_tls(&peer->stream, fixture->server, leftover), GH_OK);
    assert_int_equal(peer->opens, 0);
}

static void begins_tls_with_leftover_bytes(void **state)
{
    struct fixture *fixture = *state;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    for (int split = 0; split < 2; split++) {
        struct test_net net;
        test_net_open(&net);
        net.server.in_read = begin_tls;
        net.server.context = fixture;
        int fd = test_net_raw_connect(&net);
        if (split) {
            assert_int_equal(write(fd, "!", 1), 1);
            TEST_RUN_UNTIL(net.loop, net.server.stream.tls);
        }
        fcntl(fd, F_SETFL, O_NONBLOCK);
        SSL *ssl = SSL_new(context);
        BIO *from_server = BIO_new(BIO_s_mem()), *to_server = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl, from_server, to_server);
        SSL_set_connect_state(ssl);
        char bytes[8192] = "!";
        size_t len = split ? 0 : 1;
        while (!SSL_is_init_finished(ssl)) {
            SSL_do_handshake(ssl);
            int count = BIO_read(to_server, bytes + len, sizeof bytes - 1);
            if (count > 0)
                assert_int_equal(write(fd, bytes, len + (size_t)count), len + (size_t)count);
            len = count > 0 ? 0 : len;
            uv_run(&net.loop->uv, UV_RUN_NOWAIT);
            char answer[8192];
            ssize_t got = read(fd, answer, sizeof answer);
            if (got > 0)
                BIO_write(from_server, answer, (int)got);
        }
        TEST_RUN_UNTIL(net.loop, net.server.opens);
        SSL_free(ssl);
        close(fd);
        test_net_close(&net);
    }
    SSL_CTX_free(context);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
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
        T(speaks_tls_1_2_with_forward_secrecy_only),
        T(refuses_a_client_with_no_protocol_in_common),
        T(resumes_sessions_over_a_reload_but_not_with_another_certificate),
        T(refuses_renegotiation),
        T(answers_to_key_updates_are_bounded),
        T(a_handshake_in_small_pieces_is_the_same),
        T(begins_tls_with_leftover_bytes),
    };
    return cmocka_run_group_tests_name("net/stream_tls", tests, NULL, NULL);
}
