/* The keeper: what it reads after the start, what it signs, and what it hangs up on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_tls_keys.h"

/* ---- After the start ---- */

static void after_the_start_only_files_in_the_same_directories_are_read(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct test_certificates others;
    test_certificates_open(&others);
    test_certificate_make_of(&others, "k", "DNS:k.test", "P-256");
    test_certificate_make_of(&fixture->files, "k", "DNS:k.test", "P-256");
    gh_tls_server_unref(test_tls_keys_server(fixture, "k.crt", "k.key"));

    const char *certificate = test_certificate_path(&fixture->files, "k.crt");
    const char *key = test_certificate_path(&fixture->files, "k.key");
    static const char refusal[] = "in none of the directories that had certificates and keys at "
                                  "the start; this needs a restart";
    test_tls_keys_refuse(fixture, certificate, test_certificate_path(&others, "k.key"), refusal);
    test_tls_keys_refuse(fixture, test_certificate_path(&others, "k.crt"), key, refusal);
    test_tls_keys_refuse(fixture, "k.crt", "k.key", refusal);
    char path[512];
    snprintf(path, sizeof path, "%s/../%s/k.key", fixture->files.directory,
             strrchr(others.directory, '/') + 1);
    test_tls_keys_refuse(fixture, certificate, path, refusal);
    snprintf(path, sizeof path, "%sx/k.key", fixture->files.directory);
    test_tls_keys_refuse(fixture, certificate, path, refusal);
    snprintf(path, sizeof path, "%s/below/k.key", fixture->files.directory);
    test_tls_keys_refuse(fixture, certificate, path, "no such file");

    test_certificate_make_of(&fixture->files, "new", "DNS:k.test", "ED25519");
    struct test_talk talk = {.server = test_tls_keys_server(fixture, "new.crt", "new.key"),
                             .version = TLS1_3_VERSION};
    assert_true(test_shake_hands(&talk));
    SSL_SESSION_free(talk.session);
    gh_tls_server_unref(talk.server);
    test_certificates_close(&others);
}

static void directories_that_links_lead_to_count_as_named(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct test_certificates archive;
    test_certificates_open(&archive);
    test_certificate_make_of(&archive, "k1", "DNS:k.test", "P-256");
    assert_int_equal(symlink(test_certificate_path(&archive, "k1.crt"),
                             test_certificate_path(&fixture->files, "k.crt")),
                     0);
    assert_int_equal(symlink(test_certificate_path(&archive, "k1.key"),
                             test_certificate_path(&fixture->files, "k.key")),
                     0);
    gh_tls_server_unref(test_tls_keys_server(fixture, "k.crt", "k.key"));
    /* Below where the link leads, though no path at the start said so. */
    test_certificate_make_of(&archive, "k2", "DNS:k.test", "P-256");
    struct gh_tls_pair pair = {test_certificate_path(&archive, "k2.crt"),
                               test_certificate_path(&archive, "k2.key")};
    struct gh_tls_server *server = NULL;
    struct gh_str message;
    assert_int_equal(
        gh_tls_server_open(&pair, 1, GH_STR(""), fixture->keys, &fixture->arena, &server, &message),
        GH_OK);
    gh_tls_server_unref(server);
    test_certificates_close(&archive);
}

static void a_keeper_that_can_not_give_up_its_rights_ends(void **state)
{
    struct test_tls_keys *fixture = *state;
    fixture->may_confine = false;
    struct gh_str message = GH_STR("");
    assert_int_equal(gh_tls_keys_seal(fixture->keys, &fixture->arena, &message), GH_ERR_INVALID);
    assert_true(gh_str_ends_with(message, GH_STR("could not give up its rights")));
    test_tls_keys_end(fixture);
    assert_false(fixture->keeper_was_content);
}

/* ---- What the keeper refuses ---- */

/* Asks past the other side's own checks, on the last channel; the length of the signature, or -1:
   the keeper has hung up. */
static int ask_raw(struct test_tls_keys *fixture, struct gh_tls_key_id key, uint16_t scheme,
                   struct gh_str to_sign)
{
    struct gh_tls_sign_request request = {
        .key = key, .scheme = scheme, .len = (uint16_t)to_sign.len};
    struct gh_tls_sign_answer answer;
    memcpy(request.to_sign, to_sign.ptr, to_sign.len);
    int fd = fixture->ours[TEST_CHANNELS];
    assert_int_equal(send(fd, &request, sizeof request, MSG_NOSIGNAL), sizeof request);
    ssize_t count = recv(fd, &answer, sizeof answer, 0);
    return count <= 0 ? -1 : (int)answer.len;
}

static void signs_only_what_tls_signs(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_tls_key_id id;
    struct gh_tls_server *server = test_tls_keys_first(fixture, "RSA", &id);
    assert_int_equal(ask_raw(fixture, id, 0x0804, TEST_TLS13), 256);
    assert_int_equal(ask_raw(fixture, id, 0x0401, TEST_TLS12), 256);
    assert_int_equal(ask_raw(fixture, id, 0x0401, TEST_TLS13), 0);
    assert_int_equal(ask_raw(fixture, id, 0x0804, GH_STR(TEST_HASH_32)), 0);
    assert_int_equal(ask_raw(fixture, id, 0x0804, GH_STR("")), 0);
    assert_int_equal(ask_raw(fixture, id, 0x0804, gh_str_skip(TEST_TLS13, 1)), 0);
    assert_int_equal(ask_raw(fixture, id, 0x0804, gh_str_skip(TEST_TLS12, 1)), 0);
    assert_int_equal(ask_raw(fixture, id, 0x0804, GH_STR("an order for a million, signed: me")), 0);
    assert_int_equal(ask_raw(fixture, id, 0x0403, TEST_TLS13), 0);
    assert_int_equal(ask_raw(fixture, id, 0x0201, TEST_TLS12), 0);
    assert_int_equal(ask_raw(fixture, id, 0, TEST_TLS13), 0);
    assert_int_equal(ask_raw(fixture, (struct gh_tls_key_id){0, 2}, 0x0804, TEST_TLS13), 0);
    assert_int_equal(ask_raw(fixture, (struct gh_tls_key_id){1, 1}, 0x0804, TEST_TLS13), 0);
    assert_int_equal(ask_raw(fixture, (struct gh_tls_key_id){1, 0}, 0x0804, TEST_TLS13), 0);
    assert_int_equal(ask_raw(fixture, (struct gh_tls_key_id){UINT32_MAX, 1}, 0x0804, TEST_TLS13),
                     0);
    gh_tls_server_unref(server);
}

static void a_key_that_was_let_go_signs_no_more(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_tls_key_id id;
    struct gh_tls_server *server = test_tls_keys_first(fixture, "P-256", &id);
    assert_true(ask_raw(fixture, id, 0x0403, TEST_TLS13) > 0);
    gh_tls_server_unref(server);
    /* In the order of one socket: when the next one is loaded, the first is gone. */
    server = test_tls_keys_server(fixture, "k.crt", "k.key");
    assert_int_equal(ask_raw(fixture, id, 0x0403, TEST_TLS13), 0);
    assert_true(ask_raw(fixture, (struct gh_tls_key_id){0, 2}, 0x0403, TEST_TLS13) > 0);
    gh_tls_server_unref(server);
}

static void old_keys_sign_until_their_last_user_is_gone(void **state)
{
    struct test_tls_keys *fixture = *state;
    test_certificate_make_of(&fixture->files, "k", "DNS:k.test", "P-256");
    struct test_talk old = {.server = test_tls_keys_server(fixture, "k.crt", "k.key"),
                            .version = TLS1_3_VERSION};
    test_certificate_make_of(&fixture->files, "k", "DNS:k.test", "RSA");
    struct test_talk new = {.server = test_tls_keys_server(fixture, "k.crt", "k.key"),
                            .version = TLS1_3_VERSION,
                            .signatures = "rsa_pss_rsae_sha256"};
    assert_true(test_shake_hands(&old));
    assert_true(test_shake_hands(&new));
    gh_tls_server_unref(old.server);
    SSL_SESSION_free(new.session);
    new.session = NULL;
    assert_true(test_shake_hands(&new));
    gh_tls_server_unref(new.server);
    SSL_SESSION_free(old.session);
    SSL_SESSION_free(new.session);
}

static void nonsense_among_orders_ends_the_keeper(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_tls_key_id id;
    struct gh_tls_server *server = test_tls_keys_first(fixture, "P-256", &id);
    struct test_talk talk = {.server = server, .version = TLS1_3_VERSION};
    assert_true(test_shake_hands(&talk));
    SSL_SESSION_free(talk.session);
    assert_int_equal(send(fixture->ours[0], "nonsense", 8, MSG_NOSIGNAL), 8);
    test_tls_keys_end(fixture);
    assert_false(fixture->keeper_was_content);
    gh_tls_server_unref(server);
}

/* Otherwise that worker's handshakes would fail from then on, and nobody would see it. */
static void nonsense_from_one_worker_ends_the_keeper(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_tls_key_id id;
    struct gh_tls_server *server = test_tls_keys_first(fixture, "P-256", &id);
    int fd = fixture->ours[TEST_CHANNELS];
    assert_int_equal(send(fd, "nonsense", 8, MSG_NOSIGNAL), 8);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    test_tls_keys_end(fixture);
    assert_false(fixture->keeper_was_content);
    gh_tls_server_unref(server);
}

static bool confine_no_signer(void *context, bool signs)
{
    (void)context;
    return !signs;
}

static void a_signer_that_can_not_give_up_its_rights_ends_the_keeper(void **state)
{
    struct test_tls_keys *fixture = *state;
    struct gh_str message = GH_STR("");
    fixture->options.confine_thread = confine_no_signer;
    /* The first word may be faster than the signers' ends. */
    if (gh_tls_keys_seal(fixture->keys, &fixture->arena, &message) != GH_OK)
        assert_true(message.len > 0);
    test_tls_keys_end(fixture);
    assert_false(fixture->keeper_was_content);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
#define K(name)                                                                                    \
    cmocka_unit_test_setup_teardown(name, test_tls_keys_set_up_with_keeper, test_tls_keys_tear_down)
        K(after_the_start_only_files_in_the_same_directories_are_read),
        K(directories_that_links_lead_to_count_as_named),
        K(a_keeper_that_can_not_give_up_its_rights_ends),
        K(signs_only_what_tls_signs),
        K(a_key_that_was_let_go_signs_no_more),
        K(old_keys_sign_until_their_last_user_is_gone),
        K(nonsense_among_orders_ends_the_keeper),
        K(nonsense_from_one_worker_ends_the_keeper),
        K(a_signer_that_can_not_give_up_its_rights_ends_the_keeper),
    };
    return cmocka_run_group_tests_name("net/tls_keeper", tests, NULL, NULL);
}
