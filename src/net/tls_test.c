/* TLS settings: files and their messages, names. Connections are in stream_tls_test.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/test_certificate.h"
#include "net/tls.h"

#define DAY 86400L

struct fixture {
    struct test_certificates files;
    struct gh_arena arena;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    test_certificates_open(&fixture->files);
    gh_arena_init(&fixture->arena, 4096, 1 << 20);
    test_certificate_make(&fixture->files, "a", "DNS:a.test,DNS:*.wild.test", -DAY, DAY);
    test_certificate_make(&fixture->files, "b", "DNS:B.test,IP:192.0.2.1,IP:2001:db8::1", -DAY,
                          DAY);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    test_certificates_close(&fixture->files);
    gh_arena_done(&fixture->arena);
    free(fixture);
    return 0;
}

static struct gh_tls_pair pair_of(struct fixture *fixture, const char *certificate, const char *key)
{
    return (struct gh_tls_pair){test_certificate_path(&fixture->files, certificate),
                                test_certificate_path(&fixture->files, key)};
}

/* Opening fails with a message that ends so. */
static void assert_refused(struct fixture *fixture, const char *certificate, const char *key,
                           const char *ending)
{
    struct gh_tls_pair pair = pair_of(fixture, certificate, key);
    struct gh_tls_server *server = NULL;
    struct gh_str message = {NULL, 0};
    assert_int_equal(
        gh_tls_server_open(&pair, 1, GH_STR(""), NULL, &fixture->arena, &server, &message),
        GH_ERR_INVALID);
    assert_null(server);
    if (!gh_str_ends_with(message, gh_str_from_c(ending)))
        fail_msg("message is: %.*s", GH_STR_ARG(message));
}

static void write_file(struct fixture *fixture, const char *name, const char *text)
{
    FILE *out = fopen(test_certificate_path(&fixture->files, name), "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void names_the_file_that_does_not_exist(void **state)
{
    assert_refused(*state, "none.crt", "a.key", "none.crt: no such file");
    assert_refused(*state, "a.crt", "none.key", "none.key: no such file");
}

static void names_the_file_that_may_not_be_read(void **state)
{
    struct fixture *fixture = *state;
    if (geteuid() == 0) {
        print_message("skipped: root may read everything\n");
        return;
    }
    chmod(test_certificate_path(&fixture->files, "a.key"), 0);
    assert_refused(fixture, "a.crt", "a.key", "must be able to read it");
}

static void refuses_a_directory_in_place_of_a_file(void **state)
{
    assert_refused(*state, ".", "a.key", "no PEM certificate in it");
}

static void refuses_files_without_certificate_or_key(void **state)
{
    struct fixture *fixture = *state;
    write_file(fixture, "empty", "");
    write_file(fixture, "text", "-----BEGIN NOTHING-----\n");
    assert_refused(fixture, "empty", "a.key", "empty: no PEM certificate in it");
    assert_refused(fixture, "text", "a.key", "text: no PEM certificate in it");
    assert_refused(fixture, "a.key", "a.key", "a.key: no PEM certificate in it");
    assert_refused(fixture, "a.crt", "empty", "empty: no PEM private key in it");
    assert_refused(fixture, "a.crt", "a.crt", "a.crt: no PEM private key in it");
}

static void refuses_a_damaged_chain(void **state)
{
    struct fixture *fixture = *state;
    FILE *out = fopen(test_certificate_path(&fixture->files, "a.crt"), "a");
    fputs("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", out);
    fclose(out);
    assert_refused(fixture, "a.crt", "a.key", "a.crt: certificate 2 of it is damaged");
}

static void refuses_a_key_of_another_certificate(void **state)
{
    struct fixture *fixture = *state;
    assert_refused(fixture, "a.crt", "b.key", "a.crt");
    struct gh_tls_pair pair = pair_of(fixture, "a.crt", "b.key");
    struct gh_tls_server *server;
    struct gh_str message;
    assert_int_equal(
        gh_tls_server_open(&pair, 1, GH_STR(""), NULL, &fixture->arena, &server, &message),
        GH_ERR_INVALID);
    assert_true(gh_str_find(message, GH_STR("b.key does not belong to certificate")) < message.len);
}

static void refuses_an_encrypted_key_without_asking_on_the_terminal(void **state)
{
    struct fixture *fixture = *state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *out = fopen(test_certificate_path(&fixture->files, "locked.key"), "w");
    PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL,
                         NULL);
    fclose(out);
    EVP_PKEY_free(key);
    assert_refused(fixture, "a.crt", "locked.key",
                   "the key is encrypted; give it without passphrase");
}

static void refuses_certificates_that_are_not_valid_now(void **state)
{
    struct fixture *fixture = *state;
    test_certificate_make(&fixture->files, "old", "DNS:a.test", -2 * DAY, -DAY);
    test_certificate_make(&fixture->files, "new", "DNS:a.test", DAY, 2 * DAY);
    assert_refused(fixture, "old.crt", "old.key", " UTC");
    assert_refused(fixture, "new.crt", "new.key", " UTC");
}

static void finds_the_pair_of_a_host(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_pair pairs[] = {pair_of(fixture, "a.crt", "a.key"),
                                  pair_of(fixture, "b.crt", "b.key")};
    struct gh_tls_server *server;
    struct gh_str message;
    assert_int_equal(
        gh_tls_server_open(pairs, 2, GH_STR(""), NULL, &fixture->arena, &server, &message), GH_OK);
    static const struct {
        const char *host;
        int pair;
    } rows[] = {
        {"a.test", 0},     {"A.TEST", 0},      {"x.wild.test", 0},    {"b.test", 1},
        {"B.test", 1},     {"192.0.2.1", 1},   {"[2001:db8::1]", 1},  {"2001:DB8:0::1", 1},
        {"wild.test", -1}, {".wild.test", -1}, {"x.y.wild.test", -1}, {"*.wild.test", 0},
        {"xa.test", -1},   {"a.test.", -1},    {"a.tes", -1},         {"192.0.2.2", -1},
        {"", -1},          {"test", -1},       {"c.test", -1},        {"[2001:db8::2]", -1},
        {"a.test\0x", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(gh_tls_server_pair_for(server, gh_str_from_c(rows[i].host)), rows[i].pair);
    assert_int_equal(gh_tls_server_pair_for(server, gh_str_of("a.test\0x", 8)), -1);
    gh_tls_server_unref(server);
}

static void refuses_a_client_without_its_authorities(void **state)
{
    struct fixture *fixture = *state;
    struct gh_tls_client *client = NULL;
    struct gh_str message;
    assert_int_equal(gh_tls_client_open("/nonexistent/ca.pem", &fixture->arena, &client, &message),
                     GH_ERR_INVALID);
    assert_true(gh_str_eq(message, GH_STR("/nonexistent/ca.pem: no such file")));
    write_file(fixture, "empty", "");
    assert_int_equal(gh_tls_client_open(test_certificate_path(&fixture->files, "empty"),
                                        &fixture->arena, &client, &message),
                     GH_ERR_INVALID);
    assert_true(gh_str_ends_with(message, GH_STR("empty: no PEM certificate in it")));
    assert_null(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(names_the_file_that_does_not_exist),
        T(names_the_file_that_may_not_be_read),
        T(refuses_a_directory_in_place_of_a_file),
        T(refuses_files_without_certificate_or_key),
        T(refuses_a_damaged_chain),
        T(refuses_a_key_of_another_certificate),
        T(refuses_an_encrypted_key_without_asking_on_the_terminal),
        T(refuses_certificates_that_are_not_valid_now),
        T(finds_the_pair_of_a_host),
        T(refuses_a_client_without_its_authorities),
    };
    return cmocka_run_group_tests_name("net/tls", tests, NULL, NULL);
}
