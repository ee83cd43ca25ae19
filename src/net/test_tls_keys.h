/* For tests: the two sides of tls_keys.h over sockets, the keeper as a thread; handshakes in
 * memory. */
#ifndef GH_NET_TEST_TLS_KEYS_H
#define GH_NET_TEST_TLS_KEYS_H

#include <pthread.h>

#include "net/test_certificate.h"
#include "net/tls_keys_state.h"

#define TEST_CHANNELS 4

struct test_tls_keys {
    struct test_certificates files;
    struct gh_arena arena;
    int ours[1 + TEST_CHANNELS], theirs[1 + TEST_CHANNELS]; /* control first */
    struct gh_tls_keeper_options options;
    pthread_t keeper;
    bool keeper_runs, keeper_was_content;
    struct gh_tls_keys *keys;
    bool may_confine;
};

/* cmocka's; *state is a struct test_tls_keys. */
int test_tls_keys_set_up(void **state);
int test_tls_keys_set_up_with_keeper(void **state);
int test_tls_keys_tear_down(void **state);
/* Waits until it has ended by itself. */
void test_tls_keys_end(struct test_tls_keys *fixture);

struct gh_tls_pair test_tls_keys_pair(struct test_tls_keys *fixture, const char *certificate,
                                      const char *key);
/* A server with the one pair, of files in the fixture's directory; the start is over then. */
struct gh_tls_server *test_tls_keys_server(struct test_tls_keys *fixture, const char *certificate,
                                           const char *key);
/* A new pair of this kind: the first key that the keeper gets. */
struct gh_tls_server *test_tls_keys_first(struct test_tls_keys *fixture, const char *kind,
                                          struct gh_tls_key_id *out_id);
/* Opening a server fails, with a message that ends so. */
void test_tls_keys_refuse(struct test_tls_keys *fixture, const char *certificate, const char *key,
                          const char *ending);

struct test_talk {
    struct gh_tls_server *server;
    const char *ca; /* NULL: the client takes any certificate */
    int version;
    const char *signatures; /* that the client knows; NULL: all */
    SSL_SESSION *session;   /* to resume, and what came of it */
    bool resumed;
};

/* True: both sides are content, and five bytes came across. No assertions: also for threads. */
bool test_shake_hands(struct test_talk *talk);

/* What TLS 1.3 and 1.2 would have signed. */
#define TEST_HASH_32   "0123456789abcdef0123456789abcdef"
#define TEST_SPACES_64 "                                                                "
#define TEST_TLS13     GH_STR(TEST_SPACES_64 "TLS 1.3, server CertificateVerify\0" TEST_HASH_32)
#define TEST_TLS12     GH_STR(TEST_SPACES_64 "\3\0\35\40" TEST_HASH_32)

#endif
