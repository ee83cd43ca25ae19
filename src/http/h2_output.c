/*
 * The writing side: what nghttp2 has to send is gathered into few output calls, bytes of bodies
 * without a copy where they can go at once. What can't (a window is shut, the wire is full) is
 * copied and kept with its stream.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "http/h2_session.h"

#define FRAME_HEADER_BYTES 9
#define SLICES_MAX         8
/* The largest frame that is no DATA, and some small ones. */
#define GATHER_BYTES 20480
/* Body bytes up to which a copy is cheaper than a slice of their own. */
#define COPIED_BYTES_MAX 1024
/* Answers up to this size that are written while input is read, or where all wait for a flush, wait
   for its end, so that the answers to several requests leave together. */
#define WAITING_BYTES_MAX 4096
#define FIRST_KEPT_BYTES  4096
#define KEPT_STEP_BYTES   16384

struct gh_h2_gather {
    struct gh_str slices[SLICES_MAX];
    size_t slice_count, len;
    bool stop; /* something did not fit */
    bool only_goaway;
    bool any_emptied; /* a stream keeps nothing any more, but slices may point there */
    char bytes[GATHER_BYTES];
};

/* ---- Gathering ---- */

static bool has_room(const struct gh_h2_gather *gather, size_t bytes, size_t slices)
{
    return bytes <= sizeof(gather->bytes) - gather->len &&
           slices <= SLICES_MAX - gather->slice_count;
}

static void put_copy(struct gh_h2_gather *gather, struct gh_str bytes)
{
    char *at = gather->bytes + gather->len;
    memcpy(at, bytes.ptr, bytes.len);
    gather->len += bytes.len;
    struct gh_str *last = gather->slice_count ? &gather->slices[gather->slice_count - 1] : NULL;
    if (last && last->ptr + last->len == at)
        last->len += bytes.len;
    else
        gather->slices[gather->slice_count++] = gh_str_of(at, bytes.len);
}

/* ---- What a stream keeps ---- */

/* Streams that the connection's bound has stopped go on when others have given back enough. */
static void count_kept(struct gh_h2_codec *h2, size_t before, size_t after)
{
    h2->kept_bytes = h2->kept_bytes - before + after;
    if (after < before)
        h2->any_drained_due = true;
}

static void charge(struct gh_h2_codec *h2, struct gh_h2_stream *stream, size_t bytes)
{
    if (h2->room && !h2->room->charge(h2->base.owner, bytes))
        stream->over_room = true;
}

void gh_h2_output_drop(struct gh_h2_codec *h2, struct gh_h2_stream *stream)
{
    count_kept(h2, stream->kept_cap, 0);
    if (h2->room && stream->kept_cap)
        h2->room->give(h2->base.owner, stream->kept_cap);
    stream->over_room = false;
    free(stream->kept);
    stream->kept = NULL;
    stream->kept_from = stream->kept_len = stream->kept_cap = 0;
}

/* Doubled while it is little; a stream that is near its bound keeps no more than it needs. */
static size_t kept_cap(size_t before, size_t needed)
{
    size_t cap = before ? before : FIRST_KEPT_BYTES;
    while (cap < needed && cap < KEPT_STEP_BYTES)
        cap *= 2;
    return needed <= cap ? cap : (needed + KEPT_STEP_BYTES - 1) / KEPT_STEP_BYTES * KEPT_STEP_BYTES;
}

static bool keep(struct gh_h2_codec *h2, struct gh_h2_stream *stream, struct gh_str bytes)
{
    if (bytes.len == 0)
        return true;
    size_t needed = stream->kept_len + bytes.len;
    if (needed > stream->kept_cap) {
        size_t cap = kept_cap(stream->kept_cap, needed);
        char *memory = malloc(cap);
        if (!memory)
            return false;
        if (stream->kept_len)
            memcpy(memory, stream->kept + stream->kept_from, stream->kept_len);
        free(stream->kept);
        stream->kept = memory;
        count_kept(h2, stream->kept_cap, cap);
        charge(h2, stream, cap - stream->kept_cap);
        stream->kept_cap = cap;
        stream->kept_from = 0;
    } else if (stream->kept_from + needed > stream->kept_cap) {
        memmove(stream->kept, stream->kept + stream->kept_from, stream->kept_len);
        stream->kept_from = 0;
    }
    memcpy(stream->kept + stream->kept_from + stream->kept_len, bytes.ptr, bytes.len);
    stream->kept_len = needed;
    stream->full = stream->full || stream->over_room || stream->kept_len > GH_H2_UNSENT_BYTES_MAX ||
                   h2->kept_bytes > GH_H2_CONNECTION_UNSENT_BYTES_MAX;
    return true;
}

/* A stream that keeps nothing goes on whatever the others keep: its client may read it alone. */
bool gh_h2_output_takes_more(const struct gh_h2_codec *h2, const struct gh_h2_stream *stream)
{
    return stream->kept_len == 0 ||
           (!stream->over_room && stream->kept_len <= GH_H2_UNSENT_BYTES_MAX / 2 &&
            h2->kept_bytes <= GH_H2_CONNECTION_UNSENT_BYTES_MAX / 2);
}

/* The next bytes of the answer; those kept are before those of the running write. */
static struct gh_str next_bytes(const struct gh_h2_stream *stream, size_t max)
{
    if (stream->kept_len)
        return gh_str_first(gh_str_of(stream->kept + stream->kept_from, stream->kept_len), max);
    return gh_str_first(stream->lent, max);
}

static void skip_bytes(struct gh_h2_codec *h2, struct gh_h2_stream *stream, size_t count)
{
    if (count == 0)
        return;
    if (stream->kept_len == 0) {
        stream->lent = gh_str_skip(stream->lent, count);
        return;
    }
    stream->kept_from += count;
    stream->kept_len -= count;
    h2->gather->any_emptied = h2->gather->any_emptied || stream->kept_len == 0;
    h2->any_drained_due = h2->any_drained_due || stream->full;
}

/* ---- Callbacks ---- */

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t length, int flags,
                       void *context)
{
    (void)session;
    (void)flags;
    struct gh_h2_gather *gather = ((struct gh_h2_codec *)context)->gather;
    if (!has_room(gather, length, 1)) {
        gather->stop = true;
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    put_copy(gather, gh_str_of((const char *)data, length));
    return (ssize_t)length;
}

static ssize_t on_read_data(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t length,
                            uint32_t *data_flags, nghttp2_data_source *source, void *context)
{
    (void)session;
    (void)buffer;
    (void)source;
    struct gh_h2_codec *h2 = context;
    struct gh_h2_stream *stream = gh_h2_find(h2, id);
    if (!stream || h2->failed || h2->gather->only_goaway)
        return NGHTTP2_ERR_DEFERRED;
    struct gh_str bytes = next_bytes(stream, length);
    bool is_last = stream->answer_last && bytes.len == stream->kept_len + stream->lent.len;
    if (bytes.len == 0 && !is_last)
        return NGHTTP2_ERR_DEFERRED;
    *data_flags = NGHTTP2_DATA_FLAG_NO_COPY | (is_last ? NGHTTP2_DATA_FLAG_EOF : 0u);
    return (ssize_t)bytes.len;
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header,
                        size_t length, nghttp2_data_source *source, void *context)
{
    (void)session;
    (void)source;
    struct gh_h2_codec *h2 = context;
    struct gh_h2_gather *gather = h2->gather;
    struct gh_h2_stream *stream = gh_h2_find(h2, frame->hd.stream_id);
    if (!stream || gather->only_goaway)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    bool copied = length <= COPIED_BYTES_MAX;
    if (!has_room(gather, FRAME_HEADER_BYTES + (copied ? length : 0), copied ? 1 : 2)) {
        gather->stop = true;
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    put_copy(gather, gh_str_of((const char *)header, FRAME_HEADER_BYTES));
    struct gh_str bytes = next_bytes(stream, length);
    GH_ASSERT(bytes.len == length);
    if (length && copied)
        put_copy(gather, bytes);
    else if (length)
        gather->slices[gather->slice_count++] = bytes;
    skip_bytes(h2, stream, length);
    gh_h2_budget_sent(&h2->budget, h2->now_ms, length);
    h2->data_sent += length;
    return 0;
}

static int on_before_send(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    struct gh_h2_codec *h2 = context;
    bool wanted = !h2->gather->only_goaway || frame->hd.type == NGHTTP2_GOAWAY;
    return wanted ? 0 : NGHTTP2_ERR_CANCEL;
}

/* The last frame of an answer is out. A request that came whole and was only not served has
   nothing to be reset for. */
static void end_answer(struct gh_h2_codec *h2, struct gh_h2_stream *stream)
{
    bool is_whole = nghttp2_session_get_stream_remote_close(h2->session, (int32_t)stream->id) == 1;
    if (stream->refused && !(is_whole && stream->reset_code == NGHTTP2_NO_ERROR))
        (void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, (int32_t)stream->id,
                                        stream->reset_code);
    else if (!stream->refused)
        gh_h2_reset_if_stuck(h2, (int32_t)stream->id);
    gh_h2_stream_over(h2, stream);
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    struct gh_h2_codec *h2 = context;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
            gh_h2_note_code(h2, frame->goaway.error_code);
            h2->failed = true;
        }
        h2->goaway_sent = h2->goaway_sent || frame->goaway.last_stream_id != INT32_MAX;
        return 0;
    }
    bool is_message = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (!is_message || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct gh_h2_stream *stream = gh_h2_find(h2, frame->hd.stream_id);
    if (stream)
        end_answer(h2, stream);
    return 0;
}

/* Its head is larger than nghttp2 sends, most likely. Without it the stream would wait for ever. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error,
                       void *context)
{
    (void)session;
    (void)error;
    struct gh_h2_codec *h2 = context;
    struct gh_h2_stream *stream = gh_h2_find(h2, frame->hd.stream_id);
    if (stream && frame->hd.type == NGHTTP2_HEADERS && !h2->gather->only_goaway)
        gh_h2_stream_reset(h2, stream, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

void gh_h2_output_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, on_before_send);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
}

nghttp2_data_provider gh_h2_output_provider(void)
{
    return (nghttp2_data_provider){.read_callback = on_read_data};
}

/* ---- Sending ---- */

static void give_out(struct gh_h2_codec *h2, struct gh_h2_gather *gather)
{
    if (gather->slice_count &&
        !h2->base.events->output(h2->base.owner, gather->slices, gather->slice_count))
        h2->wire_full = true;
    if (!gather->any_emptied)
        return;
    for (struct gh_h2_stream *stream = h2->streams; stream; stream = stream->next) {
        if (stream->kept_cap && stream->kept_len == 0)
            gh_h2_output_drop(h2, stream);
    }
}

void gh_h2_output_send(struct gh_h2_codec *h2, bool must)
{
    struct gh_h2_gather gather __attribute__((uninitialized)); /* wiping it would cost the most */
    if (h2->sending || h2->failed || (h2->wire_full && !must) ||
        (!must && !nghttp2_session_want_write(h2->session)))
        return;
    h2->sending = true;
    h2->gather = &gather;
    gather.only_goaway = must;
    do {
        gather.slice_count = gather.len = 0;
        gather.stop = gather.any_emptied = false;
        if (nghttp2_session_send(h2->session) != 0) {
            gh_h2_note_code(h2, NGHTTP2_INTERNAL_ERROR);
            h2->failed = true; /* no memory: nothing can be said any more */
        }
        give_out(h2, &gather);
    } while (gather.stop && !h2->failed && (!h2->wire_full || must));
    h2->gather = NULL;
    h2->sending = false;
}

void gh_h2_output_put(struct gh_h2_codec *h2, struct gh_h2_stream *stream, struct gh_str bytes)
{
    int32_t id = (int32_t)stream->id;
    (void)nghttp2_session_resume_data(h2->session, id); /* not deferred: so much the better */
    bool gathers = h2->busy || h2->on_due;
    bool waits = h2->sending || h2->wire_full || (gathers && bytes.len <= WAITING_BYTES_MAX);
    if (!waits) {
        stream->lent = bytes;
        gh_h2_output_send(h2, false);
        bytes = stream->lent;
        stream->lent = (struct gh_str){0};
    }
    if (!stream->over && !keep(h2, stream, bytes))
        gh_h2_stream_reset(h2, stream, NGHTTP2_INTERNAL_ERROR);
}
