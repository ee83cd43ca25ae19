/* For tests: a listener with two certificates, and clients that trust one each. */
#ifndef GH_NET_TEST_TLS_H
#define GH_NET_TEST_TLS_H

#include "net/test_certificate.h"
#include "net/test_peer.h"

struct test_tls {
    struct test_net net; /* accepted streams begin TLS */
    struct test_certificates files;
    struct gh_tls_server *server;
    struct gh_tls_client *client_a, *client_b; /* trust a.crt, b.crt */
};

/* cmocka's set-up and tear-down; *state is a struct test_tls. The first certificate is for a.test
   and 127.0.0.1, the second for *.b.test. */
int test_tls_set_up(void **state);
int test_tls_tear_down(void **state);
/* Another one like `server`. */
struct gh_tls_server *test_tls_open_server(struct test_tls *fixture);

#endif
