/*
 * The origin that benchmarks put behind each proxy: answers every request with a fixed JSON body
 * as cheaply as epoll allows, so that the proxy is what is measured. Not an HTTP server: it looks
 * for the end of a head and for Content-Length, nothing else.
 *
 *     origin PORT [BODY_BYTES]        200 of them; a target that begins with /large gets 1 MiB, one
 *                                     that begins with /auth nothing: a session is good
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 65536
#define BUFFER_BYTES    (128 * 1024)

#define LARGE_BYTES (1024 * 1024)

struct answer {
    char *bytes;
    size_t len;
};

struct connection {
    size_t body_left; /* of a request whose head was seen */
    const struct answer *answer;
    size_t answer_left;   /* of an answer the socket did not take */
    char head[72 * 1024]; /* a head that came in pieces */
    size_t head_len;
};

static struct connection *connections[CONNECTIONS_MAX];
static struct answer small, large, good;

static void make_answer(struct answer *answer, size_t body_bytes)
{
    char head[256];
    int head_len = snprintf(head, sizeof(head),
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Server: origin\r\nContent-Length: %zu\r\n\r\n",
                            body_bytes);
    answer->len = (size_t)head_len + body_bytes;
    answer->bytes = malloc(answer->len);
    if (!answer->bytes)
        abort();
    memcpy(answer->bytes, head, (size_t)head_len);
    memset(answer->bytes + head_len, 'x', body_bytes);
}

static size_t content_length(const char *head, size_t len)
{
    static const char NAME[] = "ontent-Length: ";
    const char *at = memmem(head, len, NAME, sizeof(NAME) - 1);
    return at ? strtoul(at + sizeof(NAME) - 1, NULL, 10) : 0;
}

/* Writes what is owed; false when the socket is full or gone. */
static bool send_answer(int fd, struct connection *c)
{
    while (c->answer_left) {
        ssize_t n = send(fd, c->answer->bytes + c->answer->len - c->answer_left, c->answer_left,
                         MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        c->answer_left -= (size_t)n;
    }
    return true;
}

static void take(int fd, struct connection *c, const char *bytes, size_t len)
{
    while (len) {
        if (c->body_left) {
            size_t n = len < c->body_left ? len : c->body_left;
            c->body_left -= n;
            bytes += n;
            len -= n;
            if (c->body_left)
                return;
            c->answer_left += c->answer->len;
            send_answer(fd, c);
            continue;
        }
        size_t room = sizeof(c->head) - c->head_len;
        size_t n = len < room ? len : room;
        memcpy(c->head + c->head_len, bytes, n);
        const char *end = memmem(c->head, c->head_len + n, "\r\n\r\n", 4);
        if (!end) {
            c->head_len += n;
            return;
        }
        size_t head_len = (size_t)(end - c->head) + 4;
        size_t used = head_len - c->head_len;
        c->body_left = content_length(c->head, head_len);
        c->answer = memcmp(c->head, "GET /large", 10) == 0 ? &large
                    : memcmp(c->head, "GET /auth", 9) == 0 ? &good
                                                           : &small;
        c->head_len = 0;
        bytes += used;
        len -= used;
        if (c->body_left == 0) {
            c->answer_left += c->answer->len;
            send_answer(fd, c);
        }
    }
}

static void drop(int fd)
{
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

static void accept_all(int listener, int epoll)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        connections[fd] = calloc(1, sizeof(struct connection));
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void serve(int fd)
{
    static char buffer[BUFFER_BYTES];
    struct connection *c = connections[fd];
    if (c->answer_left && !send_answer(fd, c))
        return;
    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
        if (n > 0) {
            take(fd, c, buffer, (size_t)n);
            if ((size_t)n < sizeof(buffer))
                return;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            drop(fd);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    make_answer(&small, argc > 2 ? strtoul(argv[2], NULL, 10) : 200);
    make_answer(&large, LARGE_BYTES);
    make_answer(&good, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 4096) != 0) {
        perror("origin");
        return 1;
    }
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(epoll, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == listener)
                accept_all(listener, epoll);
            else if (connections[ready[i].data.fd])
                serve(ready[i].data.fd);
        }
    }
}
