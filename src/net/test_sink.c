#include "net/test_sink.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static void say(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        len -= (size_t)sent;
    }
}

/* One byte at a time: simple, and enough for a few lines. */
static bool hear_line(struct peer *peer, int fd, char *line, size_t cap)
{
    size_t len = 0;
    char c;
    while (len + 1 < cap && recv(fd, &c, 1, 0) == 1) {
        if (peer->seen_len + 1 < sizeof(peer->seen))
            peer->seen[peer->seen_len++] = c;
        line[len++] = c;
        if (c == '\n')
            break;
    }
    line[len] = '\0';
    return len > 0;
}

static const char *answer_to(const struct peer *peer, const char *line)
{
    static const struct line ordinary[] = {
        {"EHLO", "250 test\r\n"},     {"HELO", "250 test\r\n"},    {"MAIL", "250 2.1.0 ok\r\n"},
        {"RCPT", "250 2.1.5 ok\r\n"}, {"DATA", "354 go on\r\n"},   {".\r\n", "250 2.0.0 taken\r\n"},
        {"QUIT", "221 bye\r\n"},      {"", "500 5.5.1 what?\r\n"},
    };
    for (const struct line *own = peer->lines; own && own->begins; own++) {
        if (strncmp(line, own->begins, strlen(own->begins)) == 0)
            return own->answer;
    }
    const struct line *found = ordinary;
    while (strncmp(line, found->begins, strlen(found->begins)) != 0)
        found++;
    return found->answer;
}

static void serve_smtp(struct peer *peer, int fd)
{
    char line[2048];
    bool data = false;
    say(fd, peer->greeting);
    while (hear_line(peer, fd, line, sizeof(line))) {
        if (data && strcmp(line, ".\r\n") != 0)
            continue;
        const char *answer = answer_to(peer, line);
        if (!answer)
            return;
        say(fd, answer);
        data = strncmp(answer, "354", 3) == 0;
    }
}

static void serve_http(struct peer *peer, int fd)
{
    char line[2048];
    size_t length = 0;
    while (hear_line(peer, fd, line, sizeof(line)) && strcmp(line, "\r\n") != 0) {
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            length = strtoul(line + 15, NULL, 10);
    }
    while (length-- > 0 && recv(fd, line, 1, 0) == 1)
        peer->seen[peer->seen_len++] = line[0];
    say(fd, peer->response);
}

static void *serve(void *arg)
{
    struct peer *peer = arg;
    int fd;
    /* Ends when the listener is shut down. */
    while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
        char c;
        peer->connections++;
        if (peer->silent)
            while (recv(fd, &c, 1, 0) > 0)
                ;
        else if (peer->greeting)
            serve_smtp(peer, fd);
        else
            serve_http(peer, fd);
        close(fd);
    }
    return NULL;
}

struct peer *sink_start(struct peer wanted)
{
    struct peer *peer = malloc(sizeof(*peer));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    assert_non_null(peer);
    *peer = wanted;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(peer->listener, 8), 0);
    getsockname(peer->listener, (struct sockaddr *)&address, &len);
    peer->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
    return peer;
}

void sink_stop(struct peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    peer->seen[peer->seen_len] = '\0';
}
