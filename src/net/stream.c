/*
 * A stream's life and its reading. Its output is in stream_output.c, TLS in stream_tls.c.
 *
 * Owners are called back only from the loop, never inside a call of theirs: what would have to call
 * at once puts the stream on the loop's deferred list.
 */
#include "net/stream.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/loop_state.h"
#include "net/stream_state.h"

void gh_stream_init(struct gh_stream *stream, struct gh_loop *loop,
                    const struct gh_stream_events *events)
{
    *stream = (struct gh_stream){.loop = loop, .events = events};
}

enum gh_err gh_stream_err_of_uv(int status)
{
    switch (status) {
    case UV_ECONNREFUSED:
    case UV_EAGAIN: /* of connect on a Unix socket: the backlog is full */
        return GH_ERR_REFUSED;
    case UV_ENOENT:
        return GH_ERR_NOT_FOUND;
    case UV_EACCES:
    case UV_EPERM:
        return GH_ERR_DENIED;
    case UV_ETIMEDOUT:
        return GH_ERR_TIMEOUT;
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_EPIPE:
    case UV_ENOTCONN:
    case UV_ECANCELED:
        return GH_ERR_CLOSED;
    case UV_ENOMEM:
    case UV_ENOBUFS:
        return GH_ERR_MEMORY;
    default: /* an open set of numbers, not an enum of ours */
        return GH_ERR_IO;
    }
}

/* ---- Failing ---- */

static void set_failed(struct gh_stream *stream, enum gh_err err)
{
    stream->failed = true;
    stream->error = (uint8_t)err;
    stream->reading = false;
    uv_read_stop(&stream->uv.stream);
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
    if (!stream->reading)
        gh_stream_fail_later(stream, err);
}

void gh_stream_run_deferred(struct gh_stream *stream)
{
    if (stream->failed)
        gh_stream_fail_now(stream, (enum gh_err)stream->error);
    else if (stream->tls)
        gh_stream_tls_resume(stream);
}

/* ---- Reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out_buf)
{
    (void)suggested;
    struct gh_stream *stream = handle->data;
    *out_buf = uv_buf_init(stream->loop->read_buffer, GH_STREAM_READ_BYTES);
}

void gh_stream_tell_eof(struct gh_stream *stream)
{
    if (stream->eof || gh_stream_is_dead(stream))
        return;
    stream->eof = true;
    stream->reading = false;
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

/* libuv calls a reset that comes together with data an end (POLLHUP after a partial read). What
   looks complete by its end must not. */
static ssize_t end_or_reset(const uv_stream_t *handle)
{
    uv_os_fd_t fd;
    int error = 0;
    socklen_t len = sizeof error;
    if (uv_fileno((const uv_handle_t *)handle, &fd) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0)
        return uv_translate_sys_error(error);
    return UV_EOF;
}

static void on_uv_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf)
{
    struct gh_stream *stream = handle->data;
    if (gh_stream_is_dead(stream) || count == 0)
        return;
    if (count == UV_EOF)
        count = end_or_reset(handle);
    if (count > 0)
        lend(stream, gh_str_of(buf->base, (size_t)count));
    else if (count != UV_EOF)
        gh_stream_fail_now(stream, gh_stream_err_of_uv((int)count));
    else if (stream->tls)
        gh_stream_tls_eof(stream);
    else
        gh_stream_tell_eof(stream);
}

static bool is_connecting(const struct gh_stream *stream)
{
    return stream->queue && stream->queue->connecting;
}

void gh_stream_uv_read_start(struct gh_stream *stream)
{
    int status = uv_read_start(&stream->uv.stream, on_alloc, on_uv_read);
    if (status != 0 && status != UV_EALREADY)
        gh_stream_fail_later(stream, gh_stream_err_of_uv(status));
}

void gh_stream_read_start(struct gh_stream *stream)
{
    if (gh_stream_is_dead(stream) || stream->eof || stream->reading)
        return;
    stream->reading = true;
    if (stream->tls)
        gh_stream_tls_update_reading(stream);
    else if (!is_connecting(stream))
        gh_stream_uv_read_start(stream);
}

void gh_stream_read_stop(struct gh_stream *stream)
{
    if (!stream->reading || stream->closing)
        return;
    stream->reading = false;
    if (stream->tls)
        gh_stream_tls_update_reading(stream);
    else
        uv_read_stop(&stream->uv.stream);
}

/* ---- Connecting ---- */

static void on_connected(uv_connect_t *request, int status)
{
    struct gh_stream_queue *queue = request->data;
    struct gh_stream *stream = queue->stream;
    queue->connecting = false;
    if (gh_stream_is_dead(stream))
        return;
    if (status != 0) {
        gh_stream_fail_now(stream, gh_stream_err_of_uv(status));
        return;
    }
    bool idle = gh_stream_output_release(stream);
    if (stream->tls) {
        gh_stream_tls_connected(stream);
    } else {
        if (stream->reading)
            gh_stream_uv_read_start(stream);
        stream->events->on_open(stream);
    }
    if (!idle && !gh_stream_is_dead(stream))
        gh_stream_output_resume(stream);
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

enum gh_err gh_stream_open_fd(struct gh_stream *stream, int fd, bool is_unix)
{
    uv_loop_t *uv = &stream->loop->uv;
    int status = is_unix ? uv_pipe_init(uv, &stream->uv.pipe, 0) : uv_tcp_init(uv, &stream->uv.tcp);
    GH_ASSERT(status == 0); /* neither makes a socket, so neither can fail */
    stream->uv.handle.data = stream;
    gh_loop_hold(stream->loop);
    status = is_unix ? uv_pipe_open(&stream->uv.pipe, fd) : uv_tcp_open(&stream->uv.tcp, fd);
    if (status == 0)
        return GH_OK;
    close(fd);
    return GH_ERR_IO;
}

static void connect_unix(struct gh_stream *stream, const char *path)
{
    uv_pipe_connect(&stream->queue->connect, &stream->uv.pipe, path, on_connected);
}

static void connect_tcp(struct gh_stream *stream, const struct gh_ip *ip, uint16_t port)
{
    struct sockaddr_storage address;
    sockaddr_of(ip, port, &address);
    uv_tcp_nodelay(&stream->uv.tcp, 1);
    int status = uv_tcp_connect(&stream->queue->connect, &stream->uv.tcp,
                                (const struct sockaddr *)&address, on_connected);
    if (status == 0)
        return;
    stream->queue->connecting = false;
    gh_stream_fail_later(stream, gh_stream_err_of_uv(status));
}

/* What can fail without the loop; on failure nothing is left behind. */
static enum gh_err prepare_connect(struct gh_stream *stream, struct gh_tls_client *tls,
                                   const char *server_name)
{
    struct gh_stream_queue *queue = gh_stream_queue_get(stream);
    if (!queue)
        return GH_ERR_MEMORY;
    enum gh_err err = tls ? gh_stream_tls_start_client(stream, tls, server_name) : GH_OK;
    if (err != GH_OK) {
        gh_stream_queue_free(queue);
        stream->queue = NULL;
        return err;
    }
    queue->connecting = true;
    queue->connect.data = queue;
    return GH_OK;
}

static void undo_connect(struct gh_stream *stream)
{
    gh_stream_tls_free(stream);
    gh_stream_queue_free(stream->queue);
    stream->queue = NULL;
}

enum gh_err gh_stream_connect(struct gh_stream *stream, struct gh_loop *loop,
                              const struct gh_stream_events *events, const struct gh_ip *ip,
                              uint16_t port, const char *path, struct gh_tls_client *tls,
                              const char *server_name)
{
    /* libuv cuts longer paths silently. */
    if (path ? strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path : ip->family == GH_IP_NONE)
        return GH_ERR_INVALID;
    gh_stream_init(stream, loop, events);
    enum gh_err err = prepare_connect(stream, tls, server_name);
    if (err != GH_OK)
        return err;
    int family = path ? AF_UNIX : ip->family == GH_IP_V4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        undo_connect(stream);
        return GH_ERR_IO;
    }
    if (gh_stream_open_fd(stream, fd, path != NULL) != GH_OK) {
        stream->queue->connecting = false;
        gh_stream_fail_later(stream, GH_ERR_IO);
    } else if (path) {
        connect_unix(stream, path);
    } else {
        connect_tcp(stream, ip, port);
    }
    return GH_OK;
}

/* ---- Closing ---- */

static void on_uv_closed(uv_handle_t *handle)
{
    struct gh_stream *stream = handle->data;
    struct gh_loop *loop = stream->loop;
    gh_stream_tls_free(stream);
    gh_stream_queue_free(stream->queue);
    stream->queue = NULL;
    stream->events->on_closed(stream);
    gh_loop_release(loop);
}

void gh_stream_close(struct gh_stream *stream)
{
    if (stream->closing)
        return;
    stream->closing = true;
    stream->reading = false;
    gh_loop_undefer(stream->loop, stream);
    uv_close(&stream->uv.handle, on_uv_closed);
}

void gh_stream_reset(struct gh_stream *stream)
{
    uv_os_fd_t fd;
    struct linger at_once = {.l_onoff = 1};
    if (!stream->closing && uv_fileno(&stream->uv.handle, &fd) == 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    gh_stream_close(stream);
}
