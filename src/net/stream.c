/*
 * A stream's life and its reading. Its output is in stream_output.c, TLS in stream_tls.c.
 *
 * epoll is told late that something is no longer wanted: when it happens. So an owner who stops and
 * starts again within a turn costs no system call.
 *
 * Owners are called back only from the loop, never inside a call of theirs: what would have to call
 * at once puts the stream on the loop's deferred list.
 */
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/loop_state.h"
#include "net/stream_state.h"

/* Buffers read from one stream in one turn of the loop, so that a flood leaves time for others. */
#define READS_PER_TURN 4

void gh_stream_init(struct gh_stream *stream, struct gh_loop *loop,
                    const struct gh_stream_events *events)
{
    *stream = (struct gh_stream){
        .watch = {.fd = -1, .kind = GH_WATCH_STREAM}, .loop = loop, .events = events};
}

enum gh_err gh_stream_err_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case EAGAIN: /* of connect on a Unix socket: the backlog is full */
        return GH_ERR_REFUSED;
    case ENOENT:
        return GH_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return GH_ERR_DENIED;
    case ETIMEDOUT:
        return GH_ERR_TIMEOUT;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
        return GH_ERR_CLOSED;
    case ENOMEM:
    case ENOBUFS:
        return GH_ERR_MEMORY;
    default: /* an open set of numbers, not an enum of ours */
        return GH_ERR_IO;
    }
}

/* ---- What epoll looks for ---- */

static uint32_t wanted_events(const struct gh_stream *stream)
{
    if (gh_stream_is_dead(stream))
        return 0;
    if (stream->connecting)
        return EPOLLOUT;
    bool sending = stream->queue && !stream->write_failed;
    return (stream->receiving ? (uint32_t)EPOLLIN : 0) | (sending ? (uint32_t)EPOLLOUT : 0);
}

void gh_stream_watch(struct gh_stream *stream)
{
    uint32_t wanted = wanted_events(stream);
    if ((wanted & ~(uint32_t)stream->watch.interest) == 0)
        return;
    if (!gh_loop_watch(stream->loop, &stream->watch, wanted))
        gh_stream_fail_later(stream, GH_ERR_MEMORY);
}

/* What would come again in the next turn, and would be in vain again, is no longer looked for. */
static void forget_unwanted(struct gh_stream *stream, bool came_in_vain)
{
    uint32_t wanted = wanted_events(stream);
    uint32_t unwanted = stream->watch.interest & ~wanted;
    if (stream->closing || unwanted == 0 || !(came_in_vain || (unwanted & EPOLLOUT)))
        return;
    if (!gh_loop_watch(stream->loop, &stream->watch, wanted))
        gh_stream_fail_later(stream, GH_ERR_MEMORY);
}

/* ---- Failing ---- */

static void set_failed(struct gh_stream *stream, enum gh_err err)
{
    stream->failed = true;
    stream->error = (uint8_t)err;
    stream->reading = stream->receiving = false;
}

void gh_stream_fail_now(struct gh_stream *stream, enum gh_err err)
{
    if (stream->closing || stream->error_told)
        return;
    if (!stream->failed)
        set_failed(stream, err);
    stream->error_told = true;
    stream->events->on_error(stream, (enum gh_err)stream->error);
}

void gh_stream_fail_later(struct gh_stream *stream, enum gh_err err)
{
    if (gh_stream_is_dead(stream))
        return;
    set_failed(stream, err);
    gh_loop_defer(stream->loop, stream);
}

void gh_stream_output_failed(struct gh_stream *stream, enum gh_err err)
{
    if (gh_stream_is_dead(stream) || stream->write_failed)
        return;
    stream->write_failed = true;
    stream->error = (uint8_t)err;
    if (!stream->reading || (stream->tls && gh_stream_tls_is_blocked(stream)))
        gh_stream_fail_later(stream, err);
}

void gh_stream_run_deferred(struct gh_stream *stream)
{
    if (stream->failed) {
        gh_stream_fail_now(stream, (enum gh_err)stream->error);
        return;
    }
    if (stream->fin_sent)
        gh_stream_tell_drained(stream);
    if (stream->tls && !gh_stream_is_dead(stream))
        gh_stream_tls_resume(stream);
}

/* ---- Reading ---- */

void gh_stream_tell_eof(struct gh_stream *stream)
{
    if (stream->eof || gh_stream_is_dead(stream))
        return;
    stream->eof = true;
    stream->reading = stream->receiving = false;
    stream->events->on_eof(stream);
    if (stream->write_failed)
        gh_stream_fail_later(stream, (enum gh_err)stream->error);
}

static void lend(struct gh_stream *stream, struct gh_str bytes)
{
    struct gh_loop *loop = stream->loop;
    /* The buffer is the loop's one; a read inside a read would overwrite what is lent. */
    GH_ASSERT(!loop->lending);
    loop->lending = true;
    if (stream->tls) {
        gh_stream_tls_feed(stream, bytes);
    } else {
        stream->bytes_read += bytes.len;
        stream->events->on_read(stream, bytes);
        gh_stream_wipe_read(loop->read_buffer, bytes.len);
    }
    loop->lending = false;
}

/* `error` 0: FIN, or a reset that a write was told of, since the kernel tells it once. What looks
   complete by its end must not look so then. */
static void receive_end(struct gh_stream *stream, int error)
{
    if (error == EAGAIN || error == EINTR)
        return;
    if (error == 0 && stream->reset)
        error = ECONNRESET;
    if (error)
        gh_stream_fail_now(stream, gh_stream_err_of(error));
    else if (stream->tls)
        gh_stream_tls_eof(stream);
    else
        gh_stream_tell_eof(stream);
}

static void receive(struct gh_stream *stream)
{
    char *buffer = stream->loop->read_buffer;
    for (int i = 0; i < READS_PER_TURN && stream->receiving; i++) {
        size_t wanted = stream->loop->read_bytes;
        ssize_t count = recv(stream->watch.fd, buffer, wanted, MSG_DONTWAIT);
        if (count <= 0) {
            receive_end(stream, count == 0 ? 0 : errno);
            return;
        }
        lend(stream, gh_str_of(buffer, (size_t)count));
        /* Most likely that was all. */
        if ((size_t)count < wanted)
            return;
    }
}

void gh_stream_receive(struct gh_stream *stream, bool wanted)
{
    if (wanted == stream->receiving)
        return;
    stream->receiving = wanted;
    if (wanted)
        gh_stream_watch(stream);
}

void gh_stream_read_start(struct gh_stream *stream)
{
    if (gh_stream_is_dead(stream) || stream->eof || stream->reading)
        return;
    stream->reading = true;
    if (stream->tls)
        gh_stream_tls_update_reading(stream);
    else if (!stream->connecting)
        gh_stream_receive(stream, true);
}

void gh_stream_read_stop(struct gh_stream *stream)
{
    if (!stream->reading || stream->closing)
        return;
    stream->reading = false;
    if (stream->tls)
        gh_stream_tls_update_reading(stream);
    else
        gh_stream_receive(stream, false);
}

/* ---- Connecting ---- */

static void connected(struct gh_stream *stream)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(stream->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    stream->connecting = false;
    if (error) {
        gh_stream_fail_now(stream, gh_stream_err_of(error));
        return;
    }
    if (stream->tls) {
        gh_stream_tls_connected(stream);
    } else {
        gh_stream_receive(stream, stream->reading);
        stream->events->on_open(stream);
    }
    if ((stream->queue || stream->close_when_flushed) && !gh_stream_is_dead(stream))
        gh_stream_output_ready(stream);
}

static socklen_t sockaddr_of(const struct gh_ip *ip, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (ip->family == GH_IP_V4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, ip->bytes, 4);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, ip->bytes, 16);
    return sizeof *v6;
}

void gh_stream_open_fd(struct gh_stream *stream, int fd)
{
    stream->watch.fd = fd;
    gh_loop_hold(stream->loop);
}

/* Also what succeeds at once is told by an event, since owners are not called inside their call. */
static void begin_connect(struct gh_stream *stream, const struct sockaddr *address, socklen_t len)
{
    stream->connecting = true;
    if (connect(stream->watch.fd, address, len) == 0 || errno == EINPROGRESS || errno == EINTR) {
        gh_stream_watch(stream);
        return;
    }
    stream->connecting = false;
    gh_stream_fail_later(stream, gh_stream_err_of(errno));
}

static void connect_unix(struct gh_stream *stream, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path));
    begin_connect(stream, (const struct sockaddr *)&address, sizeof address);
}

static void connect_tcp(struct gh_stream *stream, const struct gh_ip *ip, uint16_t port)
{
    struct sockaddr_storage address;
    socklen_t len = sockaddr_of(ip, port, &address);
    int on = 1;
    setsockopt(stream->watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    begin_connect(stream, (const struct sockaddr *)&address, len);
}

enum gh_err gh_stream_connect(struct gh_stream *stream, struct gh_loop *loop,
                              const struct gh_stream_events *events, const struct gh_ip *ip,
                              uint16_t port, const char *path, struct gh_tls_client *tls,
                              const char *server_name)
{
    if (path ? strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path : ip->family == GH_IP_NONE)
        return GH_ERR_INVALID;
    gh_stream_init(stream, loop, events);
    enum gh_err err = tls ? gh_stream_tls_start_client(stream, tls, server_name) : GH_OK;
    if (err != GH_OK)
        return err;
    int family = path ? AF_UNIX : ip->family == GH_IP_V4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        gh_stream_tls_free(stream);
        return GH_ERR_IO;
    }
    gh_stream_open_fd(stream, fd);
    if (path)
        connect_unix(stream, path);
    else
        connect_tcp(stream, ip, port);
    return GH_OK;
}

/* ---- Events ---- */

void gh_stream_ready(struct gh_stream *stream, uint32_t events)
{
    /* Everything but EPOLLOUT concerns reading, everything but EPOLLIN writing. */
    bool in_vain = !stream->receiving && (events & ~(uint32_t)EPOLLOUT);
    if (gh_stream_is_dead(stream)) {
        in_vain = true;
    } else if (stream->connecting) {
        connected(stream);
    } else {
        if (stream->receiving && (events & ~(uint32_t)EPOLLOUT))
            receive(stream);
        if (stream->queue && !gh_stream_is_dead(stream) && (events & ~(uint32_t)EPOLLIN))
            gh_stream_output_ready(stream);
    }
    forget_unwanted(stream, in_vain);
}

/* ---- Closing ---- */

void gh_stream_run_closed(struct gh_stream *stream)
{
    gh_stream_tls_free(stream);
    gh_stream_queue_free(stream->queue);
    stream->queue = NULL;
    stream->events->on_closed(stream);
}

/* What has been fetched of its events may still come, and finds it closed. The number of its
   descriptor may be another's by then; nothing is found by that. */
void gh_stream_close(struct gh_stream *stream)
{
    if (stream->closing)
        return;
    stream->closing = true;
    stream->reading = stream->receiving = false;
    gh_loop_unwatch(stream->loop, &stream->watch);
    close(stream->watch.fd);
    stream->watch.fd = -1;
    gh_loop_defer_closed(stream->loop, stream);
}

void gh_stream_reset(struct gh_stream *stream)
{
    struct linger at_once = {.l_onoff = 1};
    if (!stream->closing)
        setsockopt(stream->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    gh_stream_close(stream);
}
