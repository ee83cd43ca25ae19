/*
 * An open-loop client: sends a request at each due moment, whether or not earlier ones were
 * answered, and measures from the due moment, so that a stall is not hidden by waiting for it.
 *
 *     fixed_rate PORT RATE SECONDS CONNECTIONS REQUEST_FILE
 *
 * REQUEST_FILE holds the bytes of one request. Prints "p50_us p99_us count failures".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define REQUEST_MAX     65536

struct connection {
    int fd;
    uint64_t due_ns; /* of the request in flight; 0: idle */
    size_t body_left;
    char head[16384];
    size_t head_len;
};

static struct connection connections[CONNECTIONS_MAX];
static size_t connection_count;
static char request[REQUEST_MAX];
static size_t request_len;
static uint64_t *latencies, failures;
static size_t latency_count, latency_cap;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void open_connection(struct connection *c, const struct sockaddr_in *to)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) != 0) {
        perror("fixed_rate");
        exit(1);
    }
}

static void finish(struct connection *c)
{
    if (latency_count < latency_cap)
        latencies[latency_count++] = now_ns() - c->due_ns;
    if (strncmp(c->head, "HTTP/1.1 2", 10) != 0)
        failures++;
    c->due_ns = 0;
    c->head_len = 0;
}

static void read_answer(struct connection *c)
{
    char body[65536];
    char *into = c->body_left ? body : c->head + c->head_len;
    size_t room = c->body_left ? sizeof(body) : sizeof(c->head) - 1 - c->head_len;
    ssize_t n = recv(c->fd, into, room, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            fprintf(stderr, "fixed_rate: connection lost\n");
            exit(1);
        }
        return;
    }
    if (c->body_left) {
        c->body_left -= (size_t)n < c->body_left ? (size_t)n : c->body_left;
        if (c->body_left == 0)
            finish(c);
        return;
    }
    c->head_len += (size_t)n;
    c->head[c->head_len] = '\0';
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end)
        return;
    char *length = strcasestr(c->head, "\r\nContent-Length:");
    size_t body_len = length ? strtoul(length + 17, NULL, 10) : 0;
    size_t have = c->head_len - (size_t)(end + 4 - c->head);
    c->body_left = have < body_len ? body_len - have : 0;
    if (c->body_left == 0)
        finish(c);
}

static struct connection *idle_connection(void)
{
    static size_t next;
    for (size_t i = 0; i < connection_count; i++) {
        struct connection *c = &connections[next++ % connection_count];
        if (c->due_ns == 0)
            return c;
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void run(int epoll, uint64_t interval_ns, uint64_t total)
{
    uint64_t start = now_ns() + 1000000, sent = 0;
    struct epoll_event ready[256];
    while (latency_count < total) {
        uint64_t now = now_ns();
        struct connection *c;
        while (sent < total && start + sent * interval_ns <= now && (c = idle_connection())) {
            c->due_ns = start + sent++ * interval_ns;
            if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
                exit(1);
        }
        uint64_t due = start + sent * interval_ns;
        uint64_t wait = sent < total && due > now ? due - now : sent < total ? 1000000 : 100000000;
        struct timespec timeout = {.tv_nsec = (long)wait};
        int n = epoll_pwait2(epoll, ready, 256, &timeout, NULL);
        for (int i = 0; i < n; i++)
            read_answer(ready[i].data.ptr);
        if (now > start + total * interval_ns + 10000000000u) {
            fprintf(stderr, "fixed_rate: answers are missing\n");
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argv[1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t rate = strtoull(argv[2], NULL, 10), seconds = strtoull(argv[3], NULL, 10);
    connection_count = strtoul(argv[4], NULL, 10);
    FILE *file = fopen(argv[5], "r");
    if (!file || rate == 0 || connection_count == 0 || connection_count > CONNECTIONS_MAX)
        return 2;
    request_len = fread(request, 1, sizeof(request), file);
    fclose(file);
    latency_cap = rate * seconds;
    latencies = calloc(latency_cap, sizeof(*latencies));
    int epoll = epoll_create1(0);
    if (!latencies || epoll < 0)
        return 1;
    for (size_t i = 0; i < connection_count; i++) {
        open_connection(&connections[i], &to);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event);
    }
    run(epoll, 1000000000u / rate, rate * seconds);
    qsort(latencies, latency_count, sizeof(*latencies), by_value);
    printf("%lu %lu %zu %lu\n", latencies[latency_count / 2] / 1000,
           latencies[latency_count * 99 / 100] / 1000, latency_count, failures);
    return 0;
}
