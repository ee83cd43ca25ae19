/* Addresses, their sockets, and accepting from them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/test_peer.h"

static int set_up(void **state)
{
    struct test_net *net = malloc(sizeof *net);
    test_net_open(net);
    *state = net;
    return 0;
}

static int tear_down(void **state)
{
    test_net_close(*state);
    free(*state);
    return 0;
}

/* ---- Text ---- */

static void reads_addresses(void **state)
{
    struct test_net *net = *state;
    static const struct {
        const char *text, *ip;
        unsigned port;
    } rows[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"0.0.0.0:80", "0.0.0.0", 80},
        {"*:8080", "0.0.0.0", 8080},
        {":8080", "0.0.0.0", 8080},
        {"localhost:1", "127.0.0.1", 1},
        {"LocalHost:1", "127.0.0.1", 1},
        {"[::]:443", "::", 443},
        {"[::1]:65535", "::1", 65535},
        {"[::ffff:192.0.2.1]:1", "192.0.2.1", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gh_listen_address address;
        assert_true(gh_listen_address_parse(gh_str_from_c(rows[i].text), &net->arena, &address));
        char memory[64];
        struct gh_buf buf = gh_buf_over(memory, sizeof memory);
        gh_ip_write(&buf, &address.ip);
        assert_true(gh_str_eq(gh_buf_str(&buf), gh_str_from_c(rows[i].ip)));
        assert_int_equal(address.port, rows[i].port);
        assert_null(address.path);
    }
    struct gh_listen_address address;
    assert_true(gh_listen_address_parse(GH_STR("unix:/run/x.sock"), &net->arena, &address));
    assert_string_equal(address.path, "/run/x.sock");
}

static void refuses_what_is_no_address(void **state)
{
    struct test_net *net = *state;
    char long_path[128];
    memset(long_path, 'x', sizeof long_path);
    memcpy(long_path, "unix:/", 6);
    long_path[sizeof long_path - 1] = '\0';
    const char *texts[] = {"",
                           "8080",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1: 80",
                           "127.0.0.1:080",
                           "127.0.0.1:80 ",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[127.0.0.1]:80",
                           "[]:80",
                           "example.com:80",
                           "127.1:80",
                           "256.0.0.1:80",
                           "unix:",
                           "http://127.0.0.1:80",
                           "[::1]x:80",
                           long_path};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct gh_listen_address address = {.port = 7};
        assert_false(gh_listen_address_parse(gh_str_from_c(texts[i]), &net->arena, &address));
        assert_int_equal(address.port, 7);
    }
    struct gh_listen_address address;
    assert_false(gh_listen_address_parse(GH_STR("unix:/a\0b"), &net->arena, &address));
}

/* ---- Sockets ---- */

static int open_socket(struct test_net *net, const struct gh_listen_address *address)
{
    int fd = -1;
    struct gh_str message;
    assert_int_equal(gh_listen_socket_open(address, &net->arena, &fd, &message), GH_OK);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    return fd;
}

static void assert_no_socket(struct test_net *net, const struct gh_listen_address *address,
                             const char *ending)
{
    int fd = -1;
    struct gh_str message = {NULL, 0};
    assert_int_equal(gh_listen_socket_open(address, &net->arena, &fd, &message), GH_ERR_IO);
    assert_int_equal(fd, -1);
    if (!gh_str_ends_with(message, gh_str_from_c(ending)))
        fail_msg("message is: %.*s", GH_STR_ARG(message));
}

static void workers_share_a_port(void **state)
{
    struct test_net *net = *state;
    struct gh_listen_address address = {.ip = net->ip, .port = net->port};
    close(open_socket(net, &address));
}

static void tells_that_an_address_is_in_use(void **state)
{
    struct test_net *net = *state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof any;
    assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    struct gh_listen_address address = {.ip = net->ip, .port = ntohs(any.sin_port)};
    assert_no_socket(net, &address, ": address in use by another program");
    close(fd);
}

static void sees_before_it_shares_an_address_that_another_listens_there(void **state)
{
    struct test_net *net = *state;
    struct gh_listen_address address = {.ip = net->ip, .port = net->port};
    struct gh_str message = {NULL, 0};
    assert_int_equal(gh_listen_address_check(&address, &net->arena, &message), GH_ERR_IO);
    assert_true(gh_str_ends_with(message, GH_STR(": address in use by another program")));
}

struct knocking {
    struct sockaddr_in at;
    atomic_bool over;
    atomic_uint tries, taken;
};

static void *knock(void *argument)
{
    struct knocking *knocking = argument;
    while (!atomic_load(&knocking->over)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&knocking->at, sizeof(knocking->at)) == 0)
            atomic_fetch_add(&knocking->taken, 1);
        close(fd);
        atomic_fetch_add(&knocking->tries, 1);
    }
    return NULL;
}

static void takes_no_connection_when_it_only_looks_whether_an_address_is_free(void **state)
{
    struct test_net *net = *state;
    struct knocking knocking = {
        .at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(knocking.at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&knocking.at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&knocking.at, &len), 0);
    close(fd);
    struct gh_listen_address address = {.ip = net->ip, .port = ntohs(knocking.at.sin_port)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, knock, &knocking), 0);
    while (atomic_load(&knocking.tries) < 20000) {
        struct gh_str message = {NULL, 0};
        assert_int_equal(gh_listen_address_check(&address, &net->arena, &message), GH_OK);
    }
    atomic_store(&knocking.over, true);
    pthread_join(thread, NULL);
    assert_int_equal(knocking.taken, 0);
}

static void tells_that_an_address_is_not_ours(void **state)
{
    struct test_net *net = *state;
    struct gh_listen_address address = {.ip = {.family = GH_IP_V4, .bytes = {192, 0, 2, 77}}};
    assert_no_socket(net, &address, "192.0.2.77:0: this machine does not have that address");
}

static void make_path(char *path, size_t size)
{
    char directory[] = "/tmp/gh-listen-XXXXXX";
    assert_non_null(mkdtemp(directory));
    snprintf(path, size, "%s/s", directory);
}

static void remove_path(char *path)
{
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

static void takes_over_a_stale_unix_socket_but_no_live_one(void **state)
{
    struct test_net *net = *state;
    char path[64];
    make_path(path, sizeof path);
    struct gh_listen_address address = {.path = path};
    int fd = open_socket(net, &address);
    assert_no_socket(net, &address, ": address in use by another program");
    close(fd);
    fd = open_socket(net, &address);
    close(fd);
    remove_path(path);
}

static void does_not_remove_a_file_that_is_no_socket(void **state)
{
    struct test_net *net = *state;
    char path[64];
    make_path(path, sizeof path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    struct gh_listen_address address = {.path = path};
    assert_no_socket(net, &address, ": a file that is no socket has that name");
    assert_int_equal(access(path, F_OK), 0);
    remove_path(path);
    address.path = "/nonexistent/directory/s";
    assert_no_socket(net, &address, ": its directory does not exist");
}

/* ---- Accepting ---- */

static void tells_the_peer_and_sends_without_delay(void **state)
{
    struct test_net *net = *state;
    test_net_establish(net, NULL, NULL);
    assert_true(gh_ip_eq(&net->peer_ip, &net->ip));
    for (int i = 0; i < 2; i++) {
        struct test_peer *peer = i ? &net->server : &net->client;
        int on = 0;
        socklen_t len = sizeof on;
        assert_int_equal(getsockopt(peer->stream.watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
        assert_true(on);
    }
}

static void a_refused_connection_is_closed_at_once(void **state)
{
    struct test_net *net = *state;
    net->accepts = 1; /* as if the one stream were taken */
    int fd = test_net_raw_connect(net);
    TEST_RUN_UNTIL(net->loop, net->accepts == 2);
    char byte;
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
}

struct unix_net {
    struct gh_listener *listener;
    struct test_peer server;
    bool accepted;
};

static struct gh_stream *on_unix_accept(void *owner, struct gh_listener *listener)
{
    (void)listener;
    return &((struct unix_net *)owner)->server.stream;
}

static void on_unix_accepted(void *owner, struct gh_listener *listener, struct gh_stream *stream,
                             const struct gh_ip *peer, uint16_t peer_port)
{
    struct unix_net *unix_net = owner;
    assert_int_equal(peer->family, GH_IP_NONE);
    assert_int_equal(peer_port, 0);
    unix_net->accepted = true;
    gh_stream_read_start(stream);
    gh_listener_close(listener); /* inside its own callback */
    gh_listener_close(listener);
}

static void accepts_over_unix_sockets_and_may_close_inside(void **state)
{
    static const struct gh_listener_events events = {.on_accept = on_unix_accept,
                                                     .on_accepted = on_unix_accepted};
    struct test_net *net = *state;
    char path[64];
    make_path(path, sizeof path);
    struct gh_listen_address address = {.path = path};
    struct unix_net unix_net = {0};
    assert_int_equal(gh_listener_open(net->loop, open_socket(net, &address), true, &events,
                                      &unix_net, &test_peer_events, &unix_net.listener),
                     GH_OK);
    assert_int_equal(gh_stream_connect(&net->client.stream, net->loop, &test_peer_events, NULL, 0,
                                       path, NULL, NULL),
                     GH_OK);
    test_peer_write(&net->client, GH_STR("hello"));
    TEST_RUN_UNTIL(net->loop, unix_net.server.received_len == 5);
    gh_stream_close(&unix_net.server.stream);
    TEST_RUN_UNTIL(net->loop, unix_net.server.closes);
    free(unix_net.server.received);
    remove_path(path);
}

/* Accepting pauses, the client waits in the backlog, and is served when there is room again. */
static void waits_while_descriptors_run_out(void **state)
{
    struct test_net *net = *state;
    int client = test_net_raw_connect(net);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    close(next);
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    uint64_t iterations = 0;
    uint64_t begin_ms = gh_loop_now_ms(net->loop);
    while (gh_loop_now_ms(net->loop) < begin_ms + 250) {
        gh_loop_turn(net->loop, true);
        iterations++;
    }
    assert_int_equal(net->accepts, 0);
    assert_true(iterations < 200); /* it does not spin */
    struct gh_stream stream;
    assert_int_equal(gh_stream_connect(&stream, net->loop, &test_peer_events, &net->ip, net->port,
                                       NULL, NULL, NULL),
                     GH_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    TEST_RUN_UNTIL(net->loop, net->accepts == 1);
    assert_int_equal(write(client, "late", 4), 4);
    TEST_RUN_UNTIL(net->loop, net->server.received_len == 4);
    close(client);
}

static void closing_while_paused_is_safe(void **state)
{
    struct test_net *net = *state;
    int client = test_net_raw_connect(net);
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    close(next);
    none = before;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 5; i++)
        gh_loop_turn(net->loop, false);
    gh_listener_close(net->listener);
    net->listener = NULL;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(net->accepts, 0);
    close(client);
}

/* The kernel would reset it. */
static void what_waits_when_it_closes_is_taken(void **state)
{
    struct test_net *net = *state;
    int client = test_net_raw_connect(net);
    assert_int_equal(net->accepts, 0);
    gh_listener_close(net->listener);
    net->listener = NULL;
    assert_int_equal(net->accepts, 1);
    assert_int_equal(write(client, "late", 4), 4);
    TEST_RUN_UNTIL(net->loop, net->server.received_len == 4);
    close(client);
}

int main(void)
{
    alarm(60);
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(reads_addresses),
        T(refuses_what_is_no_address),
        T(workers_share_a_port),
        T(tells_that_an_address_is_in_use),
        T(sees_before_it_shares_an_address_that_another_listens_there),
        T(takes_no_connection_when_it_only_looks_whether_an_address_is_free),
        T(tells_that_an_address_is_not_ours),
        T(takes_over_a_stale_unix_socket_but_no_live_one),
        T(does_not_remove_a_file_that_is_no_socket),
        T(tells_the_peer_and_sends_without_delay),
        T(a_refused_connection_is_closed_at_once),
        T(accepts_over_unix_sockets_and_may_close_inside),
        T(waits_while_descriptors_run_out),
        T(closing_while_paused_is_safe),
        T(what_waits_when_it_closes_is_taken),
    };
    return cmocka_run_group_tests_name("net/listener", tests, NULL, NULL);
}
