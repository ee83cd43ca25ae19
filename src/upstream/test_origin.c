#include "upstream/test_origin.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* Byte by byte, so that nothing behind the mark is taken. */
static bool read_to(struct origin_connection *connection, const char *mark)
{
    size_t len = 0, mark_len = strlen(mark);
    char last[8] = "";
    char c;
    while (recv(connection->fd, &c, 1, 0) == 1) {
        if (len < sizeof connection->head - 1) {
            connection->head[len++] = c;
            connection->head[len] = 0;
        }
        memmove(last, last + 1, sizeof last - 1);
        last[sizeof last - 1] = c;
        if (memcmp(last + sizeof last - mark_len, mark, mark_len) == 0)
            return true;
    }
    return false;
}

/* By large pieces: the word is the last there is. */
static bool read_to_end_mark(int fd)
{
    char bytes[16384];
    size_t kept = 0;
    for (;;) {
        ssize_t count = recv(fd, bytes + kept, sizeof bytes - kept, 0);
        if (count <= 0)
            return false;
        size_t len = kept + (size_t)count;
        if (len >= 3 && memcmp(bytes + len - 3, "END", 3) == 0)
            return true;
        kept = len < 2 ? len : 2;
        memmove(bytes, bytes + len - kept, kept);
    }
}

static bool send_much(struct origin_connection *connection)
{
    char xs[65536];
    memset(xs, 'x', sizeof xs);
    for (size_t sent = 0; sent < ORIGIN_MUCH_BYTES; sent += sizeof xs) {
        if (!send_all(connection->fd, xs, sizeof xs))
            return false;
        atomic_fetch_add(&connection->origin->sent, sizeof xs);
    }
    return true;
}

static void wait_for_gate(struct origin *origin)
{
    while (!atomic_load(&origin->gate))
        poll(NULL, 0, 1);
}

/* False: the connection is over. */
static bool run_step(struct origin_connection *connection, const char *step)
{
    if (strcmp(step, READ_HEAD) == 0) {
        bool is_read = read_to(connection, "\r\n\r\n");
        if (is_read)
            atomic_fetch_add(&connection->origin->heads_read, 1);
        return is_read;
    }
    if (strcmp(step, READ_END) == 0)
        return read_to_end_mark(connection->fd);
    if (strcmp(step, SEND_MUCH) == 0)
        return send_much(connection);
    if (strcmp(step, HANG) == 0)
        return read_to(connection, "\1\2\3");
    if (strcmp(step, WAIT_GATE) == 0) {
        wait_for_gate(connection->origin);
        return true;
    }
    if (strcmp(step, SHORT_WAIT) == 0) {
        poll(NULL, 0, 20);
        return true;
    }
    if (strcmp(step, RESET) == 0) {
        struct linger linger = {.l_onoff = 1};
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        return false;
    }
    return send_all(connection->fd, step, strlen(step));
}

static void *serve(void *arg)
{
    struct origin_connection *connection = arg;
    struct origin *origin = connection->origin;
    const char *const *step = connection->plan;
    while (*step) {
        if (strcmp(*step, AGAIN) == 0) {
            step = connection->plan;
            continue;
        }
        if (!run_step(connection, *step++))
            break;
    }
    pthread_mutex_lock(&origin->lock);
    close(connection->fd);
    connection->fd = -1;
    pthread_mutex_unlock(&origin->lock);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct origin *origin = arg;
    for (;;) {
        int fd = accept(origin->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        unsigned nth = atomic_fetch_add(&origin->accepted, 1);
        GH_ASSERT(nth < ORIGIN_CONNECTIONS_MAX);
        pthread_mutex_lock(&origin->lock);
        struct origin_connection *connection = &origin->connections[nth];
        connection->origin = origin;
        connection->fd = fd;
        connection->plan = origin->plans[nth < origin->plan_count ? nth : origin->plan_count - 1];
        GH_ASSERT(pthread_create(&connection->thread, NULL, serve, connection) == 0);
        origin->connection_count++;
        pthread_mutex_unlock(&origin->lock);
    }
}

static void start(struct origin *origin, const char *const *const *plans, unsigned plan_count)
{
    /* A small window, so that a sender meets resistance. */
    int bytes = 65536;
    setsockopt(origin->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    GH_ASSERT(listen(origin->fd, 64) == 0);
    origin->plans = plans;
    origin->plan_count = plan_count;
    pthread_mutex_init(&origin->lock, NULL);
    GH_ASSERT(pthread_create(&origin->thread, NULL, accept_all, origin) == 0);
}

static int bind_loopback(uint16_t *out_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GH_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    GH_ASSERT(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *out_port = ntohs(address.sin_port);
    return fd;
}

void origin_open(struct origin *origin, const char *const *const *plans, unsigned plan_count)
{
    memset(origin, 0, sizeof *origin);
    origin->fd = bind_loopback(&origin->port);
    snprintf(origin->url, sizeof origin->url, "http://127.0.0.1:%u", origin->port);
    start(origin, plans, plan_count);
}

void origin_open_unix(struct origin *origin, const char *path, const char *const *const *plans,
                      unsigned plan_count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(origin, 0, sizeof *origin);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    snprintf(origin->url, sizeof origin->url, "unix:%s", path);
    origin->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GH_ASSERT(origin->fd >= 0 &&
              bind(origin->fd, (struct sockaddr *)&address, sizeof address) == 0);
    start(origin, plans, plan_count);
}

void origin_close(struct origin *origin)
{
    atomic_store(&origin->gate, true);
    shutdown(origin->fd, SHUT_RDWR);
    pthread_join(origin->thread, NULL);
    close(origin->fd);
    pthread_mutex_lock(&origin->lock);
    for (unsigned i = 0; i < origin->connection_count; i++) {
        if (origin->connections[i].fd >= 0)
            shutdown(origin->connections[i].fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&origin->lock);
    for (unsigned i = 0; i < origin->connection_count; i++)
        pthread_join(origin->connections[i].thread, NULL);
    pthread_mutex_destroy(&origin->lock);
}

uint16_t unused_port(void)
{
    uint16_t port;
    close(bind_loopback(&port));
    return port;
}
