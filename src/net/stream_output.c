/*
 * A stream's output: straight to the socket while that takes it, and for the rest a queue of chunks
 * that libuv writes a few at a time. An empty queue holds no memory.
 */
#include "net/stream_state.h"

#include <stdlib.h>

#include "base/assert.h"
#include "net/loop_state.h"

#define SLICES_MAX      16
#define CHUNK_BYTES_MIN 4096
#define CHUNK_BYTES_MAX (64 * 1024)
/* Chunks in one request of libuv's; their memory comes back when all are written. */
#define FLIGHT_CHUNKS_MAX 8

struct gh_stream_chunk {
    struct gh_stream_chunk *next;
    size_t len, cap;
    char bytes[];
};

static void output_empty(struct gh_stream *stream);

struct gh_stream_queue *gh_stream_queue_get(struct gh_stream *stream)
{
    if (!stream->queue) {
        stream->queue = calloc(1, sizeof *stream->queue);
        if (stream->queue)
            stream->queue->stream = stream;
    }
    return stream->queue;
}

static void free_chunks(struct gh_stream_chunk *chunk)
{
    while (chunk) {
        struct gh_stream_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void gh_stream_queue_free(struct gh_stream_queue *queue)
{
    if (!queue)
        return;
    free_chunks(queue->flight);
    free_chunks(queue->waiting_first);
    free(queue);
}

static void release_queue(struct gh_stream *stream)
{
    gh_stream_queue_free(stream->queue);
    stream->queue = NULL;
}

size_t gh_stream_queued(const struct gh_stream *stream)
{
    if (!stream->queue || stream->closing)
        return 0;
    return stream->queue->waiting_bytes + uv_stream_get_write_queue_size(&stream->uv.stream);
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
    chunk->len = 0;
    chunk->cap = cap;
    if (queue->waiting_last)
        queue->waiting_last->next = chunk;
    else
        queue->waiting_first = chunk;
    queue->waiting_last = chunk;
    return chunk;
}

static bool enqueue(struct gh_stream_queue *queue, struct gh_str bytes)
{
    while (bytes.len > 0) {
        struct gh_stream_chunk *chunk = queue->waiting_last;
        if (!chunk || chunk->len == chunk->cap)
            chunk = add_chunk(queue, bytes.len);
        if (!chunk)
            return false;
        struct gh_str part = gh_str_first(bytes, chunk->cap - chunk->len);
        memcpy(chunk->bytes + chunk->len, part.ptr, part.len);
        chunk->len += part.len;
        queue->waiting_bytes += part.len;
        bytes = gh_str_skip(bytes, part.len);
    }
    return true;
}

static void on_written(uv_write_t *request, int status);

/* Gives the first waiting chunks to libuv. */
static void start_write(struct gh_stream_queue *queue)
{
    uv_buf_t bufs[FLIGHT_CHUNKS_MAX];
    unsigned count = 0;
    struct gh_stream_chunk *last = NULL;
    queue->flight = queue->waiting_first;
    for (struct gh_stream_chunk *c = queue->flight; c && count < FLIGHT_CHUNKS_MAX; c = c->next) {
        bufs[count++] = uv_buf_init(c->bytes, (unsigned)c->len);
        queue->waiting_bytes -= c->len;
        last = c;
    }
    GH_ASSERT(last);
    queue->waiting_first = last->next;
    if (!queue->waiting_first)
        queue->waiting_last = NULL;
    last->next = NULL;
    queue->write.data = queue;
    struct gh_stream *stream = queue->stream;
    int status = uv_write(&queue->write, &stream->uv.stream, bufs, count, on_written);
    queue->writing = status == 0;
    if (status != 0)
        gh_stream_output_failed(stream, gh_stream_err_of_uv(status));
}

static void on_written(uv_write_t *request, int status)
{
    struct gh_stream_queue *queue = request->data;
    struct gh_stream *stream = queue->stream;
    queue->writing = false;
    free_chunks(queue->flight);
    queue->flight = NULL;
    if (gh_stream_is_dead(stream))
        return;
    if (status != 0)
        gh_stream_output_failed(stream, gh_stream_err_of_uv(status));
    else if (queue->waiting_first)
        start_write(queue);
    else
        output_empty(stream);
}

bool gh_stream_output_release(struct gh_stream *stream)
{
    if (stream->queue->waiting_first || stream->close_when_flushed)
        return false;
    release_queue(stream);
    return true;
}

void gh_stream_output_resume(struct gh_stream *stream)
{
    struct gh_stream_queue *queue = stream->queue;
    if (!queue || queue->connecting || queue->writing || queue->shutting)
        return;
    if (queue->waiting_first)
        start_write(queue);
    else
        output_empty(stream);
}

/* ---- Empty: drained, and perhaps shut down ---- */

static void tell_drained(struct gh_stream *stream)
{
    if (!stream->drain_wanted)
        return;
    stream->drain_wanted = false;
    stream->events->on_drain(stream);
}

static void on_shut(uv_shutdown_t *request, int status)
{
    struct gh_stream_queue *queue = request->data;
    struct gh_stream *stream = queue->stream;
    queue->shutting = false;
    if (gh_stream_is_dead(stream))
        return;
    release_queue(stream);
    if (status != 0)
        gh_stream_output_failed(stream, gh_stream_err_of_uv(status));
    else
        tell_drained(stream);
}

static void start_shutdown(struct gh_stream_queue *queue)
{
    struct gh_stream *stream = queue->stream;
    queue->shutdown.data = queue;
    int status = uv_shutdown(&queue->shutdown, &stream->uv.stream, on_shut);
    queue->shutting = status == 0;
    if (status != 0)
        gh_stream_output_failed(stream, gh_stream_err_of_uv(status));
}

static void output_empty(struct gh_stream *stream)
{
    if (stream->close_when_flushed) {
        start_shutdown(stream->queue);
        return;
    }
    release_queue(stream);
    if (stream->tls)
        gh_stream_tls_drained(stream);
    tell_drained(stream);
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
    struct gh_stream_queue *queue = gh_stream_queue_get(stream);
    if (!queue) {
        gh_stream_fail_later(stream, GH_ERR_MEMORY);
        return;
    }
    stream->close_when_flushed = true;
    stream->drain_wanted = true;
    gh_stream_output_resume(stream);
}

/* ---- Writing ---- */

/* Bytes that the socket took at once. */
static size_t try_write(struct gh_stream *stream, const struct gh_str *slices, size_t count)
{
    uv_buf_t bufs[SLICES_MAX];
    for (size_t i = 0; i < count; i++)
        bufs[i] = uv_buf_init((char *)(uintptr_t)slices[i].ptr, (unsigned)slices[i].len);
    int taken = uv_try_write(&stream->uv.stream, bufs, (unsigned)count);
    if (taken >= 0)
        return (size_t)taken;
    if (taken != UV_EAGAIN)
        gh_stream_output_failed(stream, gh_stream_err_of_uv(taken));
    return 0;
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
    struct gh_stream_queue *queue = gh_stream_queue_get(stream);
    if (!queue || gh_stream_queued(stream) + rest > GH_STREAM_QUEUE_BYTES_MAX) {
        gh_stream_fail_later(stream, queue ? GH_ERR_FULL : GH_ERR_MEMORY);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct gh_str part = gh_str_skip(slices[i], skip);
        skip -= slices[i].len - part.len;
        if (!enqueue(queue, part)) {
            gh_stream_fail_later(stream, GH_ERR_MEMORY);
            return;
        }
    }
    if (!queue->connecting && !queue->writing)
        start_write(queue);
}

/* FIN has gone out or is just going. TLS may still want to answer what it reads. */
static bool fin_is_sent(const struct gh_stream *stream)
{
    return stream->close_when_flushed && (!stream->queue || stream->queue->shutting);
}

void gh_stream_output(struct gh_stream *stream, const struct gh_str *slices, size_t count)
{
    GH_ASSERT(count <= SLICES_MAX);
    if (gh_stream_is_dead(stream) || stream->write_failed || fin_is_sent(stream))
        return;
    size_t total = total_of(slices, count);
    if (total == 0)
        return;
    size_t taken = stream->queue ? 0 : try_write(stream, slices, count);
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
