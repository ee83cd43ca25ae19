/* See test_tls_keys.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_tls_keys.h"

static void *run_keeper(void *arg)
{
    struct test_tls_keys *fixture = arg;
    fixture->keeper_was_content = gh_tls_keeper_run(&fixture->options);
    return NULL;
}

static bool confine(void *context)
{
    struct test_tls_keys *fixture = context;
    return fixture->may_confine;
}

int test_tls_keys_set_up(void **state)
{
    struct test_tls_keys *fixture = calloc(1, sizeof *fixture);
    test_certificates_open(&fixture->files);
    gh_arena_init(&fixture->arena, 4096, 1 << 20);
    for (size_t i = 0; i < 1 + TEST_CHANNELS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        fixture->ours[i] = pair[0];
        fixture->theirs[i] = pair[1];
    }
    fixture->may_confine = true;
    fixture->options = (struct gh_tls_keeper_options){.control = fixture->theirs[0],
                                                      .channels = fixture->theirs + 1,
                                                      .channel_count = TEST_CHANNELS,
                                                      .confine = confine,
                                                      .context = fixture};
    assert_int_equal(
        gh_tls_keys_open(fixture->ours[0], fixture->ours + 1, TEST_CHANNELS, &fixture->keys),
        GH_OK);
    *state = fixture;
    return 0;
}

int test_tls_keys_set_up_with_keeper(void **state)
{
    test_tls_keys_set_up(state);
    struct test_tls_keys *fixture = *state;
    assert_int_equal(pthread_create(&fixture->keeper, NULL, run_keeper, fixture), 0);
    fixture->keeper_runs = true;
    return 0;
}

void test_tls_keys_end(struct test_tls_keys *fixture)
{
    if (fixture->keeper_runs)
        pthread_join(fixture->keeper, NULL);
    fixture->keeper_runs = false;
}

int test_tls_keys_tear_down(void **state)
{
    struct test_tls_keys *fixture = *state;
    gh_tls_keys_unref(fixture->keys);
    test_tls_keys_end(fixture);
    for (size_t i = 0; i < 1 + TEST_CHANNELS; i++)
        close(fixture->theirs[i]);
    test_certificates_close(&fixture->files);
    gh_arena_done(&fixture->arena);
    free(fixture);
    return 0;
}

struct gh_tls_pair test_tls_keys_pair(struct test_tls_keys *fixture, const char *certificate,
                                      const char *key)
{
    return (struct gh_tls_pair){test_certificate_path(&fixture->files, certificate),
                                test_certificate_path(&fixture->files, key)};
}

struct gh_tls_server *test_tls_keys_server(struct test_tls_keys *fixture, const char *certificate,
                                           const char *key)
{
    struct gh_tls_pair pair = test_tls_keys_pair(fixture, certificate, key);
    struct gh_tls_server *server = NULL;
    struct gh_str message = GH_STR("");
    if (gh_tls_server_open(&pair, 1, GH_STR(""), fixture->keys, &fixture->arena, &server,
                           &message) != GH_OK)
        fail_msg("message is: %.*s", GH_STR_ARG(message));
    assert_int_equal(gh_tls_keys_seal(fixture->keys, &fixture->arena, &message), GH_OK);
    return server;
}

void test_tls_keys_refuse(struct test_tls_keys *fixture, const char *certificate, const char *key,
                          const char *ending)
{
    struct gh_tls_pair pair = {certificate, key};
    struct gh_tls_server *server = NULL;
    struct gh_str message = GH_STR("");
    assert_int_not_equal(
        gh_tls_server_open(&pair, 1, GH_STR(""), fixture->keys, &fixture->arena, &server, &message),
        GH_OK);
    assert_null(server);
    if (!gh_str_ends_with(message, gh_str_from_c(ending)))
        fail_msg("message is: %.*s", GH_STR_ARG(message));
}

/* A key of the keeper's that nothing else uses, by slot 0 and number 1. */
struct gh_tls_server *test_tls_keys_first(struct test_tls_keys *fixture, const char *kind,
                                          struct gh_tls_key_id *out_id)
{
    test_certificate_make_of(&fixture->files, "k", "DNS:k.test", kind);
    *out_id = (struct gh_tls_key_id){0, 1};
    return test_tls_keys_server(fixture, "k.crt", "k.key");
}

/* ---- Handshakes over memory ---- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct test_talk *talk = SSL_get_app_data(ssl);
    SSL_SESSION_free(talk->session);
    talk->session = session;
    return 1;
}

static SSL *client_of(struct test_talk *talk)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, talk->version);
    SSL_CTX_set_max_proto_version(context, talk->version);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    if (talk->signatures && SSL_CTX_set1_sigalgs_list(context, talk->signatures) != 1)
        abort();
    if (talk->ca) {
        SSL_CTX_load_verify_file(context, talk->ca);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_app_data(ssl, (char *)talk);
    if (talk->session)
        SSL_set_session(ssl, talk->session);
    SSL_set_connect_state(ssl);
    return ssl;
}

bool test_shake_hands(struct test_talk *talk)
{
    int pair = -1;
    SSL *server = gh_tls_server_connection(talk->server, &pair);
    SSL *client = client_of(talk);
    BIO *one, *other;
    BIO_new_bio_pair(&one, 0, &other, 0);
    SSL_set_bio(server, one, one);
    SSL_set_bio(client, other, other);
    int at_client = 0, at_server = 0;
    for (int turns = 0; turns < 20 && (at_client != 1 || at_server != 1); turns++) {
        if (at_client != 1)
            at_client = SSL_do_handshake(client);
        if (at_server != 1)
            at_server = SSL_do_handshake(server);
    }
    char bytes[5];
    bool done = at_client == 1 && at_server == 1 && SSL_write(server, "hello", 5) == 5 &&
                SSL_read(client, bytes, 5) == 5 && memcmp(bytes, "hello", 5) == 0;
    talk->resumed = SSL_session_reused(client);
    SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(client);
    SSL_free(server);
    ERR_clear_error();
    return done;
}
