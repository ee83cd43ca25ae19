/* Keys in the hands of a keeper: handshakes with each kind, reloads, threads, and a keeper that is
   late, lies or is gone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/test_tls_keys.h"

static void handshakes_with_every_kind_of_key_and_scheme(void **state)
{
    struct test_tls_keys *fixture = *state;
    static const struct {
        const char *kind;
        int version;
        const char *signatures;
    } rows[] = {
        {"RSA", TLS1_3_VERSION, NULL},
        {"RSA", TLS1_3_VERSION, "rsa_pss_rsae_sha256"},
        {"RSA", TLS1_3_VERSION, "rsa_pss_rsae_sha384"},
        {"RSA", TLS1_3_VERSION, "rsa_pss_rsae_sha512"},
        {"RSA", TLS1_2_VERSION, NULL},
        {"RSA", TLS1_2_VERSION, "RSA+SHA256"},
        {"RSA", TLS1_2_VERSION, "RSA+SHA384"},
        {"RSA", TLS1_2_VERSION, "RSA+SHA512"},
        {"RSA", TLS1_2_VERSION, "rsa_pss_rsae_sha256"},
        {"RSA", TLS1_2_VERSION, "rsa_pss_rsae_sha512"},
        {"P-256", TLS1_3_VERSION, NULL},
        {"P-256", TLS1_2_VERSION, NULL},
        {"P-256", TLS1_2_VERSION, "ECDSA+SHA512:ECDSA+SHA256"},
        {"P-384", TLS1_3_VERSION, NULL},
        {"P-384", TLS1_2_VERSION, NULL},
        {"P-521", TLS1_3_VERSION, NULL},
        {"P-521", TLS1_2_VERSION, NULL},
        {"ED25519", TLS1_3_VERSION, NULL},
        {"ED25519", TLS1_2_VERSION, NULL},
        {"ED448", TLS1_3_VERSION, NULL},
        {"ED448", TLS1_2_VERSION, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (i == 0 || strcmp(rows[i].kind, rows[i - 1].kind) != 0)
            test_certificate_make_of(&fixture->files, "k", "DNS:k.test", rows[i].kind);
        struct test_talk talk = {.server = test_tls_keys_server(fixture, "k.crt", "k.key"),
                                 .ca = test_certificate_path(&fixture->files, "k.crt"),
                                 .version = rows[i].version,
                                 .signatures = rows[i].signatures};
        bool done = test_shake_hands(&talk);
        SSL_SESSION_free(talk.session);
        gh_tls_server_unref(talk.server);
        if (!done)
            fail_msg("no handshake: %s, %x, %s", rows[i].kind, (unsigned)rows[i].version,
                     rows[i].signatures ? rows[i].signatures : "all");
    }
}

static void signs_no_sha_1(void **state)
{
    struct test_tls_keys *fixture = *state;
    test_certificate_make_of(&fixture->files, "k", "DNS:k.test", "RSA");
    struct test_talk talk = {.server = test_tls_keys_server(fixture, "k.crt", "k.key"),
                             .version = TLS1_2_VERSION,
                             .signatures = "RSA+SHA1:RSA+SHA224"};
    assert_false(test_shake_hands(&talk));
    gh_tls_server_unref(talk.server);
}

static void sessions_are_resumed_without_the_keeper(void **state)
{
    struct test_tls_keys *fixture = *state;
    test_certificate_make_of(&fixture->files, "k", "DNS:k.test", "P-256");
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct test_talk talk = {.server = test_tls_keys_server(fixture, "k.crt", "k.key"),
                                 .version = versions[i]};
        assert_true(test_shake_hands(&talk));
        assert_false(talk.resumed);
        assert_true(test_shake_hands(&talk));
        assert_true(talk.resumed);
        SSL_SESSION_free(talk.session);
        gh_tls_server_unref(talk.server);
    }
}

/* ---- Files ---- */

static void what_is_wrong_with_files_is_said_as_without_a_keeper(void **state)
{
    struct test_tls_keys *fixture = *state;
    test_certificate_make_of(&fixture->files, "a", "DNS:a.test", "P-256");
    test_certificate_make_of(&fixture->files, "b", "DNS:b.test", "P-256");
    test_certificate_make_of(&fixture->files, "odd", "DNS:b.test", "secp256k1");
    static const char *const rows[][2] = {
        {"none.crt", "a.key"}, {"a.crt", "none.key"}, {".", "a.key"},         {"a.key", "a.key"},
        {"a.crt", "a.crt"},    {"a.crt", "b.key"},    {"odd.crt", "odd.key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gh_tls_pair pair = test_tls_keys_pair(fixture, rows[i][0], rows[i][1]);
        struct gh_tls_server *server = NULL;
        struct gh_str here, there;
        assert_int_not_equal(
            gh_tls_server_open(&pair, 1, GH_STR(""), NULL, &fixture->arena, &server, &here), GH_OK);
        assert_int_not_equal(gh_tls_server_open(&pair, 1, GH_STR(""), fixture->keys,
                                                &fixture->arena, &server, &there),
                             GH_OK);
        assert_true(gh_str_eq(here, there));
        assert_true(here.len > 10);
    }
    gh_tls_server_unref(test_tls_keys_server(fixture, "a.crt", "a.key"));
}

static void long_chains_and_long_paths_pass_whole_or_not_at_all(void **state)
{
    struct test_tls_keys *fixture = *state;
    static char path[GH_TLS_PATH_BYTES_MAX + 1];
    memset(path, '/', sizeof path - 1);
    test_tls_keys_refuse(fixture, path, path, "too long");
    path[sizeof path - 2] = '\0';
    test_tls_keys_refuse(fixture, path, path, "no PEM certificate in it");
    test_certificate_make_of(&fixture->files, "k", "DNS:k.test", "P-256");
    char names[9000] = "DNS:0.test";
    for (int i = 1; i < 400; i++)
        sprintf(names + strlen(names), ",DNS:%d.test", i);
    test_certificate_make_of(&fixture->files, "long", names, "RSA");
    char command[1024];
    snprintf(command, sizeof command, "for i in 1 2 3 4 5 6 7 8; do cat %s; done >> %s",
             test_certificate_path(&fixture->files, "long.crt"),
             test_certificate_path(&fixture->files, "k.crt"));
    assert_int_equal(system(command), 0);
    struct test_talk talk = {.server = test_tls_keys_server(fixture, "k.crt", "k.key"),
                             .version = TLS1_3_VERSION};
    assert_true(test_shake_hands(&talk));
    SSL_SESSION_free(talk.session);
    gh_tls_server_unref(talk.server);
}

/* ---- What the others refuse ---- */

static void without_a_keeper_handshakes_fail_and_nothing_is_loaded(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_tls_key_id id;
    struct test_talk talk = {.server = test_tls_keys_first(fixture, "P-256", &id),
                             .version = TLS1_3_VERSION};
    assert_true(test_shake_hands(&talk));
    SSL_SESSION_free(talk.session);
    talk.session = NULL;
    shutdown(fixture->theirs[0], SHUT_RDWR);
    test_tls_keys_end(fixture);
    assert_false(test_shake_hands(&talk));
    assert_false(test_shake_hands(&talk));
    const char *path = test_certificate_path(&fixture->files, "k.crt");
    test_tls_keys_refuse(
        fixture, path, path,
        "the process that keeps the TLS keys does not answer; this needs a restart");
    gh_tls_server_unref(talk.server);
}

/* A public half with nobody behind it. */
static struct gh_tls_remote_key key_without_keeper(struct test_tls_keys *fixture)
{
    return (struct gh_tls_remote_key){.keys = fixture->keys, .id = {0, 1}, .kind = GH_TLS_KEY_P256};
}

static void set_patience(struct test_tls_keys *fixture, long milliseconds)
{
    struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
    for (size_t i = 0; i < 1 + TEST_CHANNELS; i++)
        setsockopt(fixture->ours[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static void a_late_answer_is_never_taken_for_the_next(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_tls_remote_key key = key_without_keeper(fixture);
    const struct gh_tls_scheme *scheme = gh_tls_scheme_find(0x0403);
    unsigned char out[GH_TLS_SIGNATURE_BYTES_MAX];
    struct gh_tls_sign_request request;
    int fd = fixture->theirs[1];
    set_patience(fixture, 20);
    assert_int_equal(gh_tls_keys_sign(&key, scheme, TEST_TLS13, out), 0);
    assert_int_equal(recv(fd, &request, sizeof request, 0), sizeof request);
    assert_int_equal(request.sequence, 1);
    /* Until it is there, nothing more is asked. */
    assert_int_equal(gh_tls_keys_sign(&key, scheme, TEST_TLS13, out), 0);
    assert_int_equal(recv(fd, &request, sizeof request, MSG_DONTWAIT), -1);
    struct gh_tls_sign_answer answer = {.sequence = 1, .len = 4, .signature = "late"};
    send(fd, &answer, gh_tls_sign_answer_bytes(&answer), 0);
    answer = (struct gh_tls_sign_answer){.sequence = 2, .len = 3, .signature = "yes"};
    send(fd, &answer, gh_tls_sign_answer_bytes(&answer), 0);
    assert_int_equal(gh_tls_keys_sign(&key, scheme, TEST_TLS13, out), 3);
    assert_memory_equal(out, "yes", 3);
}

static void answers_that_do_not_hold_are_none(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_tls_remote_key key = key_without_keeper(fixture);
    const struct gh_tls_scheme *scheme = gh_tls_scheme_find(0x0403);
    unsigned char out[GH_TLS_SIGNATURE_BYTES_MAX];
    static char big[sizeof(struct gh_tls_sign_answer) + 1];
    static const char of_another[] = "\7\0\0\0\0\0\0\0";
    set_patience(fixture, 20);
    send(fixture->theirs[1], of_another, 8, 0);
    assert_int_equal(gh_tls_keys_sign(&key, scheme, TEST_TLS13, out), 0);
    struct gh_tls_sign_answer first = {.sequence = 1, .len = 2, .signature = "ok"};
    send(fixture->theirs[1], &first, gh_tls_sign_answer_bytes(&first), 0);
    send(fixture->theirs[1], big, sizeof big, 0);
    assert_int_equal(gh_tls_keys_sign(&key, scheme, TEST_TLS13, out), 0);
    char too_long[GH_TLS_TO_SIGN_BYTES_MAX + 1] = {0};
    assert_int_equal(gh_tls_keys_sign(&key, scheme, gh_str_of(too_long, sizeof too_long), out), 0);
}

static size_t drops_in(int fd)
{
    char bytes[GH_TLS_CONTROL_BYTES_MAX];
    struct gh_tls_control control;
    size_t count = 0;
    ssize_t len;
    while ((len = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        count += gh_tls_control_read(gh_str_of(bytes, (size_t)len), &control) &&
                 control.kind == GH_TLS_CONTROL_DROP;
    return count;
}

/* More than the socket has room for, as when a reload ends the last user of many. */
static void the_keeper_is_told_of_every_key_that_was_let_go(void **state)
{
    enum { KEYS = 400 };
    struct test_tls_keys *fixture = *state;
    const struct gh_tls_control_answer fine = {.done = 1};
    struct gh_str message = GH_STR("");
    for (int i = 0; i < KEYS; i++) {
        struct gh_tls_remote_key *key = calloc(1, sizeof *key);
        assert_non_null(key);
        *key = key_without_keeper(fixture);
        gh_tls_remote_key_free(key);
    }
    size_t told = drops_in(fixture->theirs[0]);
    assert_in_range(told, 1, KEYS - 1);
    assert_int_equal(send(fixture->theirs[0], &fine, sizeof fine, 0), sizeof fine);
    assert_int_equal(gh_tls_keys_seal(fixture->keys, &fixture->arena, &message), GH_OK);
    assert_int_equal(told + drops_in(fixture->theirs[0]), KEYS);
}

static void loads_nothing_from_a_keeper_that_lies(void **state)
{
    struct test_tls_keys *fixture = *state;
    set_patience(fixture, 20);
    struct gh_tls_control_answer fine = {1, {0, 1}, 5};
    assert_int_equal(send(fixture->theirs[0], &fine, sizeof fine, 0), sizeof fine);
    assert_int_equal(send(fixture->theirs[0], "hello", 5, 0), 5);
    test_tls_keys_refuse(fixture, "a", "b", "can't be read");
    fine.body_len = 0;
    assert_int_equal(send(fixture->theirs[0], &fine, sizeof fine, 0), sizeof fine);
    test_tls_keys_refuse(fixture, "a", "b", "can't be read");
    fine.body_len = 4;
    assert_int_equal(send(fixture->theirs[0], &fine, sizeof fine, 0), sizeof fine);
    assert_int_equal(send(fixture->theirs[0], "longer", 6, 0), 6);
    test_tls_keys_refuse(fixture, "a", "b", "does not answer");
    /* From then on nobody knows what a packet belongs to. */
    fine.body_len = 0;
    fine.done = 0;
    assert_int_equal(send(fixture->theirs[0], &fine, sizeof fine, 0), sizeof fine);
    test_tls_keys_refuse(fixture, "a", "b", "does not answer");
}

/* ---- Threads ---- */

struct crowd {
    struct gh_tls_server *server;
    pthread_barrier_t *together; /* NULL: as they come */
    atomic_int *failures;
    int rounds;
};

static void *handshakes(void *arg)
{
    const struct crowd *crowd = arg;
    for (int i = 0; i < crowd->rounds; i++) {
        struct test_talk talk = {.server = crowd->server,
                                 .version = i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION};
        if (!test_shake_hands(&talk))
            atomic_fetch_add(crowd->failures, 1);
        SSL_SESSION_free(talk.session);
    }
    if (crowd->together)
        pthread_barrier_wait(crowd->together);
    return NULL;
}

static void threads_shake_hands_while_others_reload(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_tls_key_id id;
    pthread_t threads[TEST_CHANNELS];
    atomic_int failures = 0;
    struct crowd crowd = {test_tls_keys_first(fixture, "P-256", &id), NULL, &failures, 40};
    test_certificate_make_of(&fixture->files, "r", "DNS:k.test", "ED25519");
    for (size_t i = 0; i < TEST_CHANNELS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, handshakes, &crowd), 0);
    for (int i = 0; i < 20; i++)
        gh_tls_server_unref(test_tls_keys_server(fixture, "r.crt", "r.key"));
    for (size_t i = 0; i < TEST_CHANNELS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
    gh_tls_server_unref(crowd.server);
}

static void handshakes_of_one_thread_too_many_fail(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_tls_key_id id;
    pthread_t threads[TEST_CHANNELS];
    pthread_barrier_t together;
    atomic_int failures = 0;
    pthread_barrier_init(&together, NULL, TEST_CHANNELS + 1);
    struct crowd crowd = {test_tls_keys_first(fixture, "P-256", &id), &together, &failures, 1};
    struct test_talk talk = {.server = crowd.server, .version = TLS1_3_VERSION};
    assert_true(test_shake_hands(&talk)); /* takes a channel for this thread */
    SSL_SESSION_free(talk.session);
    for (size_t i = 0; i < TEST_CHANNELS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, handshakes, &crowd), 0);
    pthread_barrier_wait(&together);
    for (size_t i = 0; i < TEST_CHANNELS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 1);
    /* Those that ended gave theirs back. */
    crowd.together = NULL;
    failures = 0;
    assert_int_equal(pthread_create(&threads[0], NULL, handshakes, &crowd), 0);
    pthread_join(threads[0], NULL);
    assert_int_equal(failures, 0);
    pthread_barrier_destroy(&together);
    gh_tls_server_unref(crowd.server);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
#define K(name)                                                                                    \
    cmocka_unit_test_setup_teardown(name, test_tls_keys_set_up_with_keeper, test_tls_keys_tear_down)
#define T(name) cmocka_unit_test_setup_teardown(name, test_tls_keys_set_up, test_tls_keys_tear_down)
        K(handshakes_with_every_kind_of_key_and_scheme),
        K(signs_no_sha_1),
        K(sessions_are_resumed_without_the_keeper),
        K(what_is_wrong_with_files_is_said_as_without_a_keeper),
        K(long_chains_and_long_paths_pass_whole_or_not_at_all),
        K(without_a_keeper_handshakes_fail_and_nothing_is_loaded),
        K(threads_shake_hands_while_others_reload),
        K(handshakes_of_one_thread_too_many_fail),
        T(a_late_answer_is_never_taken_for_the_next),
        T(answers_that_do_not_hold_are_none),
        T(the_keeper_is_told_of_every_key_that_was_let_go),
        T(loads_nothing_from_a_keeper_that_lies),
    };
    return cmocka_run_group_tests_name("net/tls_keys", tests, NULL, NULL);
}
