/*
 * A stream's output: straight to the socket while that takes it, and for the rest a queue of chunks
 * that are sent when it takes more. An empty queue holds no memory.
 */
#include "net/stream_state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/assert.h"
#include "net/loop_state.h"

#define SLICES_MAX      16
#define CHUNK_BYTES_MIN 4096
#define CHUNK_BYTES_MAX (64 * 1024)
/* Chunks sent at once. */
#define FLIGHT_CHUNKS_MAX 8

struct gh_stream_chunk {
    struct gh_stream_chunk *next;
    size_t sent, len, cap;
    char bytes[];
};

void gh_stream_queue_free(struct gh_stream_queue *queue)
{
    if (!queue)
        return;
    while (queue->first) {
        struct gh_stream_chunk *chunk = queue->first;
        queue->first = chunk->next;
        free(chunk);
    }
    free(queue);
}

size_t gh_stream_queued(const struct gh_stream *stream)
{
    return stream->queue && !stream->closing ? stream->queue->bytes : 0;
}

/* ---- The queue ---- */

static struct gh_stream_chunk *add_chunk(struct gh_stream_queue *queue, size_t wanted)
{
    size_t cap = wanted < CHUNK_BYTES_MIN   ? CHUNK_BYTES_MIN
                 : wanted > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX
                                            : wanted;
    struct gh_stream_chunk *chunk = malloc(sizeof *chunk + cap);
    if (!chunk)
        return NULL;
    chunk->next = NULL;
    chunk->sent = chunk->len = 0;
    chunk->cap = cap;
    if (queue->last)
        queue->last->next = chunk;
    else
        queue->first = chunk;
    queue->last = chunk;
    return chunk;
}

static bool enqueue(struct gh_stream_queue *queue, struct gh_str bytes)
{
    while (bytes.len > 0) {
        struct gh_stream_chunk *chunk = queue->last;
        if (!chunk || chunk->len == chunk->cap)
            chunk = add_chunk(queue, bytes.len);
        if (!chunk)
            return false;
        struct gh_str part = gh_str_first(bytes, chunk->cap - chunk->len);
        memcpy(chunk->bytes + chunk->len, part.ptr, part.len);
        chunk->len += part.len;
        queue->bytes += part.len;
        bytes = gh_str_skip(bytes, part.len);
    }
    return true;
}

/* Those of the first `count` bytes. */
static void drop_sent(struct gh_stream_queue *queue, size_t count)
{
    queue->bytes -= count;
    while (count > 0) {
        struct gh_stream_chunk *chunk = queue->first;
        size_t rest = chunk->len - chunk->sent;
        if (count < rest) {
            chunk->sent += count;
            return;
        }
        count -= rest;
        queue->first = chunk->next;
        if (!queue->first)
            queue->last = NULL;
        free(chunk);
    }
}

/* ---- Sending ---- */

/* How many bytes the socket took; after a failure none. */
static size_t send_now(struct gh_stream *stream, struct iovec *parts, size_t count, size_t total)
{
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    struct gh_loop *loop = stream->loop;
    ssize_t sent;
    if (count == 1) {
        sent = send(stream->watch.fd, parts[0].iov_base, total, flags);
    } else if (total <= sizeof loop->gather) {
        for (size_t i = 0, len = 0; i < count; len += parts[i++].iov_len)
            memcpy(loop->gather + len, parts[i].iov_base, parts[i].iov_len);
        sent = send(stream->watch.fd, loop->gather, total, flags);
        explicit_bzero(loop->gather, total);
    } else {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
        sent = sendmsg(stream->watch.fd, &message, flags);
    }
    if (sent >= 0)
        return (size_t)sent;
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
        return 0;
    /* Not with EPIPE: TCP says that of a reset after a FIN, and then the end was one. */
    stream->reset |= errno == ECONNRESET;
    gh_stream_output_failed(stream, gh_stream_err_of(errno));
    return 0;
}

/* True: nothing is queued any more. */
static bool send_queue(struct gh_stream *stream)
{
    struct gh_stream_queue *queue = stream->queue;
    while (queue && queue->first) {
        struct iovec parts[FLIGHT_CHUNKS_MAX];
        size_t count = 0, total = 0;
        for (struct gh_stream_chunk *c = queue->first; c && count < FLIGHT_CHUNKS_MAX;
             c = c->next) {
            parts[count++] = (struct iovec){c->bytes + c->sent, c->len - c->sent};
            total += c->len - c->sent;
        }
        size_t sent = send_now(stream, parts, count, total);
        drop_sent(queue, sent);
        if (sent < total)
            return false;
    }
    return true;
}

/* ---- Empty: drained, and perhaps shut down ---- */

void gh_stream_tell_drained(struct gh_stream *stream)
{
    if (!stream->drain_wanted || stream->write_failed)
        return;
    stream->drain_wanted = false;
    stream->events->on_drain(stream);
}

static void send_fin(struct gh_stream *stream)
{
    stream->fin_sent = true;
    if (shutdown(stream->watch.fd, SHUT_WR) != 0)
        gh_stream_output_failed(stream, gh_stream_err_of(errno));
}

void gh_stream_output_ready(struct gh_stream *stream)
{
    if (stream->write_failed || !send_queue(stream))
        return;
    gh_stream_queue_free(stream->queue);
    stream->queue = NULL;
    if (!stream->close_when_flushed) {
        if (stream->tls)
            gh_stream_tls_drained(stream);
    } else if (!stream->fin_sent) {
        send_fin(stream);
    }
    gh_stream_tell_drained(stream);
}

void gh_stream_shutdown(struct gh_stream *stream)
{
    if (gh_stream_is_dead(stream) || stream->close_when_flushed)
        return;
    if (stream->tls)
        gh_stream_tls_shutdown(stream);
    if (stream->write_failed)
        gh_stream_fail_later(stream, (enum gh_err)stream->error);
    if (stream->failed)
        return;
    stream->close_when_flushed = true;
    stream->drain_wanted = true;
    if (stream->queue || stream->connecting)
        return;
    send_fin(stream);
    gh_loop_defer(stream->loop, stream);
}

/* ---- Writing ---- */

/* Bytes that the socket took at once. */
static size_t try_write(struct gh_stream *stream, const struct gh_str *slices, size_t count,
                        size_t total)
{
    struct iovec parts[SLICES_MAX];
    size_t part_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (slices[i].len > 0)
            parts[part_count++] = (struct iovec){(char *)(uintptr_t)slices[i].ptr, slices[i].len};
    }
    return send_now(stream, parts, part_count, total);
}

static size_t total_of(const struct gh_str *slices, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        GH_ASSERT(slices[i].len <= UINT32_MAX - total);
        total += slices[i].len;
    }
    return total;
}

/* Queues all but the first `skip` bytes. */
static void enqueue_rest(struct gh_stream *stream, const struct gh_str *slices, size_t count,
                         size_t skip, size_t rest)
{
    if (gh_stream_queued(stream) + rest > GH_STREAM_QUEUE_BYTES_MAX) {
        gh_stream_fail_later(stream, GH_ERR_FULL);
        return;
    }
    if (!stream->queue)
        stream->queue = calloc(1, sizeof *stream->queue);
    for (size_t i = 0; i < count; i++) {
        struct gh_str part = gh_str_skip(slices[i], skip);
        skip -= slices[i].len - part.len;
        if (!stream->queue || !enqueue(stream->queue, part)) {
            gh_stream_fail_later(stream, GH_ERR_MEMORY);
            return;
        }
    }
    gh_stream_watch(stream);
}

void gh_stream_output(struct gh_stream *stream, const struct gh_str *slices, size_t count)
{
    GH_ASSERT(count <= SLICES_MAX);
    if (gh_stream_is_dead(stream) || stream->write_failed || stream->fin_sent)
        return;
    size_t total = total_of(slices, count);
    if (total == 0)
        return;
    bool must_wait = stream->queue || stream->connecting;
    size_t taken = must_wait ? 0 : try_write(stream, slices, count, total);
    if (taken < total && !stream->write_failed)
        enqueue_rest(stream, slices, count, taken, total - taken);
}

bool gh_stream_write(struct gh_stream *stream, const struct gh_str *slices, size_t count)
{
    GH_ASSERT(count <= SLICES_MAX);
    if (gh_stream_is_dead(stream) || stream->write_failed || stream->close_when_flushed)
        return false;
    stream->bytes_written += total_of(slices, count);
    if (stream->tls)
        gh_stream_tls_write(stream, slices, count);
    else
        gh_stream_output(stream, slices, count);
    if (stream->failed || stream->write_failed)
        return false;
    if (gh_stream_queued(stream) <= GH_STREAM_HIGH_WATER_BYTES)
        return true;
    stream->drain_wanted = true;
    return false;
}
