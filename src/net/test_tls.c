/* See test_tls.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "net/test_tls.h"

#define DAY 86400L

struct gh_tls_server *test_tls_open_server(struct test_tls *fixture)
{
    struct gh_tls_pair pairs[2] = {{test_certificate_path(&fixture->files, "a.crt"),
                                    test_certificate_path(&fixture->files, "a.key")},
                                   {test_certificate_path(&fixture->files, "b.crt"),
                                    test_certificate_path(&fixture->files, "b.key")}};
    struct gh_tls_server *server;
    struct gh_str message;
    assert_int_equal(gh_tls_server_open(pairs, 2, GH_STR("\x08http/1.1"), NULL, &fixture->net.arena,
                                        &server, &message),
                     GH_OK);
    return server;
}

static struct gh_tls_client *open_client(struct test_tls *fixture, const char *ca)
{
    struct gh_tls_client *client;
    struct gh_str message;
    assert_int_equal(gh_tls_client_open(test_certificate_path(&fixture->files, ca),
                                        &fixture->net.arena, &client, &message),
                     GH_OK);
    return client;
}

int test_tls_set_up(void **state)
{
    struct test_tls *fixture = malloc(sizeof *fixture);
    test_net_open(&fixture->net);
    test_certificates_open(&fixture->files);
    test_certificate_make(&fixture->files, "a", "DNS:a.test,IP:127.0.0.1", -DAY, DAY);
    test_certificate_make(&fixture->files, "b", "DNS:*.b.test", -DAY, DAY);
    fixture->net.tls_server = fixture->server = test_tls_open_server(fixture);
    fixture->client_a = open_client(fixture, "a.crt");
    fixture->client_b = open_client(fixture, "b.crt");
    *state = fixture;
    return 0;
}

int test_tls_tear_down(void **state)
{
    struct test_tls *fixture = *state;
    /* Before the streams end: they hold what they need. */
    gh_tls_server_unref(fixture->server);
    gh_tls_client_unref(fixture->client_a);
    gh_tls_client_unref(fixture->client_b);
    test_net_close(&fixture->net);
    test_certificates_close(&fixture->files);
    free(fixture);
    return 0;
}
