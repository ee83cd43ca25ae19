/* A pipe against a blocking server on a thread of the test's own. */
#include "net/tls_pipe.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_certificate.h"
#include "net/tls_state.h"

#define DAY       86400L
#define BYTES_MAX (1024 * 1024)

/* What the server does with a connection. */
enum conduct { READ_ALL, READ_ALL_AND_JUST_CLOSE, READ_LITTLE, READ_NOTHING, NO_TLS };

struct fixture {
    struct test_certificates files;
    struct gh_arena arena;
    int listener;
    uint16_t port;
    enum conduct conduct;
    const char *certificate, *key;
    pthread_t thread;
    atomic_bool stop;
    char *got;
    size_t len;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    gh_arena_init(&fixture->arena, 4096, 1 << 20);
    test_certificates_open(&fixture->files);
    test_certificate_make(&fixture->files, "good", "DNS:a.test,IP:127.0.0.1", -DAY, DAY);
    test_certificate_make(&fixture->files, "name", "DNS:a.test,IP:127.0.0.2", -DAY, DAY);
    fixture->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fixture->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fixture->listener, 4), 0);
    assert_int_equal(getsockname(fixture->listener, (struct sockaddr *)&address, &len), 0);
    fixture->port = ntohs(address.sin_port);
    fixture->got = malloc(BYTES_MAX);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    close(fixture->listener);
    test_certificates_close(&fixture->files);
    gh_arena_done(&fixture->arena);
    free(fixture->got);
    free(fixture);
    return 0;
}

/* ---- The server ---- */

static void read_all(struct fixture *fixture, SSL *ssl)
{
    int len;
    while (fixture->len < BYTES_MAX &&
           (len = SSL_read(ssl, fixture->got + fixture->len, (int)(BYTES_MAX - fixture->len))) > 0)
        fixture->len += (size_t)len;
}

static void talk(struct fixture *fixture, int fd)
{
    char byte;
    struct gh_arena arena;
    struct gh_str message;
    struct gh_tls_server *server;
    int chosen = 0;
    struct gh_tls_pair pair = {fixture->certificate, fixture->key};
    gh_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(gh_tls_server_open(&pair, 1, GH_STR(""), NULL, &arena, &server, &message),
                     GH_OK);
    SSL *ssl = gh_tls_server_connection(server, &chosen);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        if (fixture->conduct == READ_NOTHING) {
            while (!atomic_load(&fixture->stop))
                usleep(1000);
        } else if (fixture->conduct == READ_LITTLE) {
            fixture->len += SSL_read(ssl, &byte, 1) == 1;
            recv(fd, &byte, 1, MSG_PEEK); /* there is more, which is never read */
        } else {
            read_all(fixture, ssl);
        }
        if (fixture->conduct == READ_ALL)
            SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    gh_tls_server_unref(server);
    gh_arena_done(&arena);
}

static void *serve(void *arg)
{
    struct fixture *fixture = arg;
    int fd = accept(fixture->listener, NULL, NULL);
    if (fixture->conduct == NO_TLS)
        send(fd, "220 hello\r\n", 11, MSG_NOSIGNAL);
    else
        talk(fixture, fd);
    close(fd);
    return NULL;
}

static void start(struct fixture *fixture, enum conduct conduct, const char *certificate,
                  const char *key)
{
    fixture->conduct = conduct;
    fixture->certificate = test_certificate_path(&fixture->files, certificate);
    fixture->key = test_certificate_path(&fixture->files, key);
    atomic_store(&fixture->stop, false);
    assert_int_equal(pthread_create(&fixture->thread, NULL, serve, fixture), 0);
}

static void join(struct fixture *fixture)
{
    atomic_store(&fixture->stop, true);
    pthread_join(fixture->thread, NULL);
}

/* ---- The pipe ---- */

static struct gh_tls_pipe_options options_of(struct fixture *fixture, const char *authority)
{
    return (struct gh_tls_pipe_options){
        .host = "127.0.0.1",
        .port = fixture->port,
        .ca_path = test_certificate_path(&fixture->files, authority),
        .idle_ms = 10000,
        .timeout_ms = 20000,
    };
}

static enum gh_err deliver(struct fixture *fixture, const struct gh_tls_pipe_options *options,
                           struct gh_str bytes, struct gh_str *out_detail)
{
    struct gh_tls_pipe *pipe = NULL;
    *out_detail = GH_STR("");
    enum gh_err err = gh_tls_pipe_open(options, &fixture->arena, &pipe, out_detail);
    if (err == GH_OK)
        err = gh_tls_pipe_send(pipe, bytes, &fixture->arena, out_detail);
    if (err == GH_OK)
        err = gh_tls_pipe_finish(pipe, &fixture->arena, out_detail);
    gh_tls_pipe_close(pipe);
    return err;
}

static bool says(struct gh_str detail, const char *text)
{
    return gh_str_find(detail, gh_str_from_c(text)) < detail.len;
}

static void everything_arrives_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_pipe_options options = options_of(fixture, "good.crt");
    struct gh_str detail;
    char *text = malloc(BYTES_MAX - 1);
    for (size_t i = 0; i < BYTES_MAX - 1; i++)
        text[i] = (char)(i * 7 / 3);
    start(fixture, READ_ALL, "good.crt", "good.key");
    assert_int_equal(deliver(fixture, &options, gh_str_of(text, BYTES_MAX - 1), &detail), GH_OK);
    join(fixture);
    assert_int_equal(fixture->len, BYTES_MAX - 1);
    assert_memory_equal(fixture->got, text, BYTES_MAX - 1);
    free(text);
}

static void an_end_without_a_word_of_tls_is_an_answer(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_pipe_options options = options_of(fixture, "good.crt");
    struct gh_str detail;
    start(fixture, READ_ALL_AND_JUST_CLOSE, "good.crt", "good.key");
    assert_int_equal(deliver(fixture, &options, GH_STR("abc"), &detail), GH_OK);
    join(fixture);
    assert_int_equal(fixture->len, 3);
}

static void a_wrong_certificate_is_sent_nothing(void **state)
{
    static const struct {
        const char *certificate, *key, *authority, *why;
    } WRONG[] = {
        {"good.crt", "good.key", "name.crt", "self-signed certificate"},
        {"name.crt", "name.key", "name.crt", "IP address mismatch"},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++) {
        struct gh_tls_pipe_options options = options_of(fixture, WRONG[i].authority);
        struct gh_str detail;
        start(fixture, READ_ALL, WRONG[i].certificate, WRONG[i].key);
        assert_int_equal(deliver(fixture, &options, GH_STR("abc"), &detail), GH_ERR_TLS);
        join(fixture);
        if (!says(detail, WRONG[i].why))
            fail_msg("it says: %.*s", GH_STR_ARG(detail));
        assert_int_equal(fixture->len, 0);
    }
}

static void the_systems_store_does_not_know_the_tests_certificate(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_pipe_options options = options_of(fixture, "good.crt");
    struct gh_str detail;
    options.ca_path = NULL;
    start(fixture, READ_ALL, "good.crt", "good.key");
    assert_int_equal(deliver(fixture, &options, GH_STR("abc"), &detail), GH_ERR_TLS);
    join(fixture);
    assert_int_equal(fixture->len, 0);
}

static void a_server_without_tls_is_sent_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_pipe_options options = options_of(fixture, "good.crt");
    struct gh_str detail;
    start(fixture, NO_TLS, "good.crt", "good.key");
    assert_int_equal(deliver(fixture, &options, GH_STR("abc"), &detail), GH_ERR_TLS);
    join(fixture);
    assert_true(detail.len > 0);
}

static void what_was_not_read_is_not_taken(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_pipe_options options = options_of(fixture, "good.crt");
    struct gh_str detail;
    char *text = calloc(1, BYTES_MAX);
    start(fixture, READ_LITTLE, "good.crt", "good.key");
    assert_int_not_equal(deliver(fixture, &options, gh_str_of(text, BYTES_MAX), &detail), GH_OK);
    join(fixture);
    assert_true(detail.len > 0);
    free(text);
}

static void silence_is_no_answer(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_pipe_options options = options_of(fixture, "good.crt");
    struct gh_str detail;
    options.idle_ms = 300;
    start(fixture, READ_NOTHING, "good.crt", "good.key");
    assert_int_equal(deliver(fixture, &options, GH_STR("abc"), &detail), GH_ERR_TIMEOUT);
    join(fixture);
    options.idle_ms = 10000;
    options.timeout_ms = 300;
    start(fixture, READ_NOTHING, "good.crt", "good.key");
    assert_int_equal(deliver(fixture, &options, GH_STR("abc"), &detail), GH_ERR_TIMEOUT);
    join(fixture);
}

static void the_stop_flag_ends_a_wait(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_pipe_options options = options_of(fixture, "good.crt");
    struct gh_tls_pipe *pipe;
    struct gh_str detail;
    atomic_bool stop = false;
    options.stop = &stop;
    start(fixture, READ_NOTHING, "good.crt", "good.key");
    assert_int_equal(gh_tls_pipe_open(&options, &fixture->arena, &pipe, &detail), GH_OK);
    atomic_store(&stop, true);
    assert_int_equal(gh_tls_pipe_finish(pipe, &fixture->arena, &detail), GH_ERR_CLOSED);
    gh_tls_pipe_close(pipe);
    join(fixture);
}

static void says_when_nobody_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_pipe_options options = options_of(fixture, "good.crt");
    struct gh_str detail;
    shutdown(fixture->listener, SHUT_RDWR);
    assert_int_equal(deliver(fixture, &options, GH_STR("abc"), &detail), GH_ERR_IO);
    assert_true(says(detail, "connect: "));
    options.host = "nobody.invalid";
    assert_int_equal(deliver(fixture, &options, GH_STR("abc"), &detail), GH_ERR_IO);
    assert_true(says(detail, "look-up: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_arrives_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_without_a_word_of_tls_is_an_answer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_certificate_is_sent_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_systems_store_does_not_know_the_tests_certificate,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_without_tls_is_sent_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_read_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence_is_no_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_stop_flag_ends_a_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_when_nobody_is_there, set_up, tear_down),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
