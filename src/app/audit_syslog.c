#include "app/audit_syslog.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/tls_pipe.h"

#define WAIT_SECONDS  10
#define CLOSE_SECONDS 2
#define TLS_SECONDS   60
#define COUNT_BYTES   24
/* What fits a datagram of UDP; longer messages are cut, as relays do (RFC 5424 section 6.1). */
#define DATAGRAM_BYTES_MAX 65000

static enum gh_err fail(struct gh_arena *arena, const char *what, struct gh_str *out_detail)
{
    int number = errno;
    *out_detail = gh_arena_format(arena, "%s: %s", what, strerror(number));
    return number == EAGAIN || number == EINPROGRESS ? GH_ERR_TIMEOUT : GH_ERR_IO;
}

/* Connecting, too, gives up after that time (Linux takes SO_SNDTIMEO for it). */
static int open_socket(int family, int type)
{
    struct timeval wait = {.tv_sec = WAIT_SECONDS};
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    return fd;
}

static int connect_local(struct gh_str path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path.len >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path.ptr, path.len);
    int fd = open_socket(AF_UNIX, SOCK_DGRAM);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int number = errno;
        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

static int connect_host(const struct gh_audit_destination *destination, int type)
{
    char port[8];
    struct addrinfo hints = {.ai_socktype = type}, *found;
    snprintf(port, sizeof(port), "%u", destination->port);
    if (getaddrinfo(destination->host.ptr, port, &hints, &found) != 0) {
        errno = EHOSTUNREACH;
        return -1;
    }
    int fd = -1, number = EHOSTUNREACH;
    for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
        fd = open_socket(at->ai_family, type);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0)
            break;
        number = errno;
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    errno = number;
    return fd;
}

static bool send_all(int fd, struct gh_str bytes)
{
    while (bytes.len) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes = gh_str_skip(bytes, (size_t)sent);
    }
    return true;
}

static bool send_datagram(int fd, struct gh_str bytes)
{
    ssize_t sent;
    bytes = gh_str_first(bytes, DATAGRAM_BYTES_MAX);
    do {
        sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)bytes.len;
}

/* What stands before a message in a stream (RFC 6587 section 3.4.1, RFC 5425 section 4.3). */
static struct gh_str count_octets(struct gh_str bytes, char memory[COUNT_BYTES])
{
    return gh_str_of(memory, (size_t)snprintf(memory, COUNT_BYTES, "%zu ", bytes.len));
}

static bool send_counted(int fd, struct gh_str bytes)
{
    char memory[COUNT_BYTES];
    return send_all(fd, count_octets(bytes, memory)) && send_all(fd, bytes);
}

/* Is it taken? A reader that has read all closes when we do; one that was gone resets. */
static bool finish(int fd)
{
    char byte;
    struct timeval wait = {.tv_sec = CLOSE_SECONDS};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (shutdown(fd, SHUT_WR) != 0)
        return false;
    return recv(fd, &byte, 1, 0) >= 0 || errno == EAGAIN || errno == EINTR;
}

static enum gh_err send_sealed(const struct gh_audit_destination *destination,
                               const struct gh_str *messages, size_t count, const atomic_bool *stop,
                               struct gh_arena *arena, struct gh_str *out_detail)
{
    char memory[COUNT_BYTES];
    struct gh_tls_pipe *pipe = NULL;
    struct gh_tls_pipe_options options = {
        .host = destination->host.ptr,
        .port = destination->port,
        .idle_ms = WAIT_SECONDS * 1000,
        .timeout_ms = TLS_SECONDS * 1000,
        .stop = stop,
    };
    enum gh_err err = gh_tls_pipe_open(&options, arena, &pipe, out_detail);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        err = gh_tls_pipe_send(pipe, count_octets(messages[i], memory), arena, out_detail);
        if (err == GH_OK)
            err = gh_tls_pipe_send(pipe, messages[i], arena, out_detail);
    }
    if (err == GH_OK)
        err = gh_tls_pipe_finish(pipe, arena, out_detail);
    gh_tls_pipe_close(pipe);
    return err;
}

enum gh_err gh_audit_syslog_send(const struct gh_audit_destination *destination,
                                 const struct gh_str *messages, size_t count,
                                 const atomic_bool *stop, struct gh_arena *arena,
                                 struct gh_str *out_detail)
{
    if (destination->place == GH_AUDIT_PLACE_SYSLOG_TLS)
        return send_sealed(destination, messages, count, stop, arena, out_detail);
    bool local = destination->place == GH_AUDIT_PLACE_SYSLOG_LOCAL;
    bool tcp = destination->place == GH_AUDIT_PLACE_SYSLOG_TCP;
    int fd = local ? connect_local(destination->path)
                   : connect_host(destination, tcp ? SOCK_STREAM : SOCK_DGRAM);
    if (fd < 0)
        return fail(arena, "connect", out_detail);
    enum gh_err err = GH_OK;
    for (size_t i = 0; err == GH_OK && i < count; i++)
        if (!(tcp ? send_counted(fd, messages[i]) : send_datagram(fd, messages[i])))
            err = fail(arena, "send", out_detail);
    if (err == GH_OK && tcp && !finish(fd))
        err = fail(arena, "close", out_detail);
    close(fd);
    return err;
}
