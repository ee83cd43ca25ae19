/* For the tests of this module: streams that write down what happens to them, over loopback. */
#ifndef GH_NET_TEST_PEER_H
#define GH_NET_TEST_PEER_H

#include "base/arena.h"
#include "net/loop_state.h"
#include "net/stream.h"
#include "net/stream_state.h"

#define TEST_RECEIVED_MAX (16 * 1024 * 1024)

/* Turns the loop until `condition`; alarm(2) of the test ends what would never end. */
#define TEST_RUN_UNTIL(loop, condition)                                                            \
    while (!(condition))                                                                           \
    gh_loop_turn((loop), true)

struct test_peer {
    struct gh_stream stream;
    char *received;
    size_t received_len;
    unsigned opens, reads, eofs, drains, errors, closes;
    enum gh_err error;
    const char *tls_error;
    /* What the test wants done inside a callback; NULL: nothing. */
    void (*in_open)(struct test_peer *peer);
    void (*in_read)(struct test_peer *peer, struct gh_str bytes);
    void (*in_eof)(struct test_peer *peer);
    void (*in_drain)(struct test_peer *peer);
    void *context;
};

extern const struct gh_stream_events test_peer_events;

/* A loop with a listener on a port of the kernel's choice, and both ends of one connection. */
struct test_net {
    struct gh_loop *loop;
    struct gh_arena arena;
    struct gh_listener *listener;
    struct gh_ip ip;
    uint16_t port;
    struct gh_tls_server *tls_server; /* NULL: plain; borrowed */
    bool start_stopped;               /* accepted streams do not begin to read */
    unsigned accepts;
    struct gh_ip peer_ip;
    struct test_peer server, client;
};

void test_net_open(struct test_net *net);
/* Closes whatever is open, and checks that each opened stream was closed exactly once. */
void test_net_close(struct test_net *net);
/* Connects `client`, plain or with TLS. */
void test_net_connect(struct test_net *net, struct gh_tls_client *tls, const char *server_name);
/* A blocking socket connected to the listener, for bytes that matter. */
int test_net_raw_connect(struct test_net *net);
/* Connects and waits until both ends are open. */
void test_net_establish(struct test_net *net, struct gh_tls_client *tls, const char *server_name);

bool test_peer_write(struct test_peer *peer, struct gh_str bytes);
void test_peer_close(struct test_peer *peer);
/* `len` bytes that tell their place. */
char *test_pattern(size_t len);

#endif
