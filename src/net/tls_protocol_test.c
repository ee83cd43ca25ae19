/* What our side of TLS says to other implementations' wishes: OpenSSL over a socket of the test's,
   while the loop turns. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/test_tls.h"

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
        gh_loop_turn(net->loop, true);
    }
}

static void raw_free(SSL *ssl)
{
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
}

static bool raw_connects(struct test_tls *fixture, SSL_CTX *context)
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
    struct test_tls *fixture = *state;
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

static void exchanges_keys_over_curves_only(void **state)
{
    struct test_tls *fixture = *state;
    static const struct {
        const char *groups;
        bool welcome;
    } rows[] = {
        {"X25519", true},     {"P-256", true},      {"P-384", true}, {"P-521", true},
        {"ffdhe2048", false}, {"ffdhe8192", false}, {"X448", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
        assert_int_equal(SSL_CTX_set1_groups_list(context, rows[i].groups), 1);
        assert_int_equal(raw_connects(fixture, context), rows[i].welcome);
        SSL_CTX_free(context);
    }
}

static void refuses_a_client_with_no_protocol_in_common(void **state)
{
    struct test_tls *fixture = *state;
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
        gh_loop_turn(net.loop, false);
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
    struct test_tls *fixture = *state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        SSL_SESSION *session = NULL;
        assert_false(resumes(fixture->server, versions[i], "a.test", &session));
        assert_non_null(session);
        assert_true(resumes(fixture->server, versions[i], "a.test", &session));
        struct gh_tls_server *reloaded = test_tls_open_server(fixture),
                             *stranger = test_tls_open_server(fixture);
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
    struct test_tls *fixture = *state;
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
    struct test_tls *fixture = *state;
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
        gh_loop_turn(net->loop, false);
        assert_true(gh_stream_queued(&net->server.stream) <= GH_STREAM_HIGH_WATER_BYTES + 20000);
    }
    assert_int_equal(net->server.errors, 0);
    raw_free(ssl);
    SSL_CTX_free(context);
}

/* The bytes of a whole conversation, given to the server in pieces of every size from 1 up. */
static void a_handshake_in_small_pieces_is_the_same(void **state)
{
    struct test_tls *fixture = *state;
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
            gh_loop_turn(net.loop, false);
            ssize_t got = read(fd, bytes, sizeof bytes);
            if (got > 0)
                BIO_write(from_server, bytes, (int)got);
            assert_int_equal(net.server.errors, 0);
        }
        assert_memory_equal(net.server.received, "hello", 5);
        SSL_free(ssl);
        SSL_CTX_free(context);
        close(fd);
        test_net_close(&net);
    }
}

/* As after a PROXY header: TLS begins inside on_read, with bytes that were read too many. */
static void begin_tls(struct test_peer *peer, struct gh_str bytes)
{
    struct test_tls *fixture = peer->context;
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
    struct test_tls *fixture = *state;
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
            gh_loop_turn(net.loop, false);
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
#define T(name) cmocka_unit_test_setup_teardown(name, test_tls_set_up, test_tls_tear_down)
        T(speaks_tls_1_2_with_forward_secrecy_only),
        T(exchanges_keys_over_curves_only),
        T(refuses_a_client_with_no_protocol_in_common),
        T(resumes_sessions_over_a_reload_but_not_with_another_certificate),
        T(refuses_renegotiation),
        T(answers_to_key_updates_are_bounded),
        T(a_handshake_in_small_pieces_is_the_same),
        T(begins_tls_with_leftover_bytes),
    };
    return cmocka_run_group_tests_name("net/tls_protocol", tests, NULL, NULL);
}
