/*
 * The reading side: what nghttp2 makes of the bytes, judged and told frame by frame.
 */
#include "base/assert.h"
#include "http/h2_priority.h"
#include "http/h2_session.h"

/* ---- Callbacks of nghttp2 while it reads ---- */

/* Answers share the connection frame by frame. By RFC 9218's default one would follow the other: on
   a slow link the first download would keep all others waiting. */
static void take_turns(struct gh_h2_codec *h2, int32_t id)
{
    const nghttp2_extpri turns = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
    if (nghttp2_session_change_extpri_stream_priority(h2->session, id, &turns, 1) != 0)
        GH_ASSERT(!"nghttp2 has just opened it");
}

/* Unless the client says another order. */
static void take_order(struct gh_h2_codec *h2, struct gh_h2_stream *stream)
{
    struct gh_h2_priority priority;
    if (!h2->honours_priorities ||
        !gh_h2_priority_read(&stream->head->fields, stream->arena, &priority))
        return;
    const nghttp2_extpri order = {.urgency = priority.urgency, .inc = priority.incremental};
    (void)nghttp2_session_change_extpri_stream_priority(h2->session, (int32_t)stream->id, &order,
                                                        1);
}

static struct gh_h2_stream *open_stream(struct gh_h2_codec *h2, int32_t id)
{
    if (h2->open_count + h2->lingering >= GH_H2_STREAMS_MAX)
        return NULL;
    struct gh_arena *arena = h2->base.events->on_begin(h2->base.owner, (gh_stream_id)id);
    if (!arena)
        return NULL;
    struct gh_h2_stream *stream = gh_arena_zalloc(arena, 1, sizeof(*stream));
    if (!stream) {
        h2->base.events->on_closed(h2->base.owner, (gh_stream_id)id);
        return NULL;
    }
    stream->id = (gh_stream_id)id;
    stream->arena = arena;
    if (nghttp2_session_set_stream_user_data(h2->session, id, stream) != 0)
        GH_ASSERT(!"nghttp2 has just opened it");
    gh_h2_link_stream(h2, stream);
    take_turns(h2, id);
    return stream;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    struct gh_h2_codec *h2 = context;
    int32_t id = frame->hd.stream_id;
    bool is_trailer = frame->headers.cat != NGHTTP2_HCAT_REQUEST;
    struct gh_h2_stream *stream = is_trailer ? gh_h2_find(h2, id) : open_stream(h2, id);
    if (!stream && !is_trailer) {
        gh_h2_spend(h2, GH_H2_COST_PROVOKED_RESET, 1);
        (void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    }
    gh_h2_head_begin(&h2->head, &h2->limits, stream ? stream->arena : NULL, is_trailer || !stream);
    return 0;
}

static struct gh_str str_of(nghttp2_rcbuf *bytes)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(bytes);
    return gh_str_of((const char *)vec.base, vec.len);
}

/* A list that is too large is still decoded, or the next ones could not be; but not without end. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *context)
{
    (void)session;
    (void)frame;
    (void)flags;
    struct gh_h2_codec *h2 = context;
    size_t bytes = gh_h2_head_add(&h2->head, str_of(name), str_of(value));
    if (h2->head.list_bytes > h2->limits.head_bytes_max &&
        !gh_h2_spend(h2, GH_H2_COST_EXCESS_HEADER_BYTES, bytes))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static int on_frame_read(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)session;
    struct gh_h2_codec *h2 = context;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct gh_h2_happened *happened = &h2->happened;
    happened->stream = gh_h2_find(h2, frame->hd.stream_id);
    happened->end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        happened->head = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
        happened->trailers = !happened->head;
    }
    return 0;
}

/* False: what still comes of the request is thrown away. */
static bool is_read(const struct gh_h2_stream *stream)
{
    return stream && !stream->refused && !stream->answer_last;
}

/*
 * Bytes that nobody will read: of an answered or refused request. The connection's window is paid,
 * the stream's is not: so the client may send what was on its way and see the answer, and when the
 * answer is out and the window is used up the stream ends.
 */
static void discard(struct gh_h2_codec *h2, int32_t id, size_t bytes)
{
    (void)nghttp2_session_consume_connection(h2->session, bytes);
    if (!gh_h2_find(h2, id)) /* its answer is out */
        gh_h2_reset_if_stuck(h2, id);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *context)
{
    (void)session;
    (void)flags;
    struct gh_h2_codec *h2 = context;
    struct gh_h2_stream *stream = gh_h2_find(h2, id);
    if (is_read(stream)) {
        h2->happened.stream = stream;
        h2->happened.data = gh_str_of((const char *)data, len);
    } else {
        discard(h2, id, len);
    }
    return 0;
}

/* What breaks the protocol for the connection ends it anyway; these are streams that are reset. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *context)
{
    (void)session;
    (void)error;
    if (frame->hd.stream_id)
        gh_h2_spend(context, GH_H2_COST_PROVOKED_RESET, 1);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    (void)code;
    struct gh_h2_codec *h2 = context;
    gh_h2_frames_ended(&h2->frames, (uint32_t)id,
                       nghttp2_session_get_stream_remote_close(session, id) == 1);
    struct gh_h2_stream *stream = gh_h2_find(h2, id);
    if (stream)
        gh_h2_stream_over(h2, stream);
    return 0;
}

void gh_h2_read_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_read);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

/* ---- Telling what a frame brought ---- */

/* How a refused stream ends: malformed in the sense of section 8.1.1, or just not answered. */
static uint32_t reset_code_of(enum gh_http_error error)
{
    switch (error) {
    case GH_HTTP_ERROR_MALFORMED:
    case GH_HTTP_ERROR_FRAMING:
    case GH_HTTP_ERROR_HOST:
    case GH_HTTP_ERROR_TARGET:
    case GH_HTTP_ERROR_CHUNK:
        return NGHTTP2_PROTOCOL_ERROR;
    case GH_HTTP_ERROR_TARGET_TOO_LONG:
    case GH_HTTP_ERROR_HEAD_TOO_LARGE:
    case GH_HTTP_ERROR_TOO_MANY_FIELDS:
    case GH_HTTP_ERROR_UNKNOWN_CODING:
    case GH_HTTP_ERROR_VERSION:
    case GH_HTTP_ERROR_METHOD:
    case GH_HTTP_ERROR_EXPECTATION:
    case GH_HTTP_ERROR_MEMORY:
    case GH_HTTP_ERROR_NONE:
        return NGHTTP2_NO_ERROR;
    }
    return NGHTTP2_PROTOCOL_ERROR;
}

static void refuse_request(struct gh_h2_codec *h2, struct gh_h2_stream *stream,
                           enum gh_http_error error)
{
    stream->refused = true;
    stream->reset_code = reset_code_of(error);
    if (gh_h2_spend(h2, GH_H2_COST_PROVOKED_RESET, 1))
        h2->base.events->on_error(h2->base.owner, stream->id, error);
}

static void tell_head(struct gh_h2_codec *h2, struct gh_h2_stream *stream, bool has_more)
{
    struct gh_request_head *head = gh_arena_alloc(stream->arena, sizeof(*head));
    stream->is_head = gh_h2_head_is_head(&h2->head);
    enum gh_http_error error =
        head ? gh_h2_head_finish(&h2->head, has_more, head) : GH_HTTP_ERROR_MEMORY;
    if (error != GH_HTTP_ERROR_NONE) {
        refuse_request(h2, stream, error);
        return;
    }
    stream->head = head;
    take_order(h2, stream);
    stream->body_left = head->body == GH_BODY_LENGTH ? head->content_length : 0;
    h2->base.events->on_head(h2->base.owner, stream->id, head);
}

/* Dropped, but not unread: they must end the request and hold nothing but fields. */
static void read_trailers(struct gh_h2_codec *h2, struct gh_h2_stream *stream, bool is_end)
{
    enum gh_http_error error = h2->head.error;
    if (error == GH_HTTP_ERROR_NONE && (!is_end || stream->tunnel))
        error = GH_HTTP_ERROR_FRAMING;
    if (error != GH_HTTP_ERROR_NONE)
        refuse_request(h2, stream, error);
}

static void tell_data(struct gh_h2_codec *h2, struct gh_h2_stream *stream, struct gh_str data)
{
    if (stream->too_long) {
        discard(h2, (int32_t)stream->id, data.len);
        refuse_request(h2, stream, GH_HTTP_ERROR_FRAMING);
        return;
    }
    if (stream->head->body == GH_BODY_LENGTH)
        stream->body_left -= data.len;
    stream->unpaid += data.len;
    h2->base.events->on_body(h2->base.owner, stream->id, data);
}

static void tell_end(struct gh_h2_codec *h2, struct gh_h2_stream *stream)
{
    if (stream->body_left) {
        refuse_request(h2, stream, GH_HTTP_ERROR_FRAMING);
        return;
    }
    stream->request_done = true;
    h2->base.events->on_end(h2->base.owner, stream->id);
}

/* Each event may end the stream, which takes it out of what happened. */
static void tell_happened(struct gh_h2_codec *h2)
{
    struct gh_h2_happened *happened = &h2->happened;
    struct gh_str data = happened->data;
    happened->data.len = 0;
    if (is_read(happened->stream) && happened->head)
        tell_head(h2, happened->stream, !happened->end);
    if (is_read(happened->stream) && happened->trailers)
        read_trailers(h2, happened->stream, happened->end);
    if (is_read(happened->stream) && data.len)
        tell_data(h2, happened->stream, data);
    if (is_read(happened->stream) && happened->end)
        tell_end(h2, happened->stream);
}

/* ---- Reading ---- */

bool gh_h2_takes_input(const struct gh_h2_codec *h2)
{
    return !h2->failed && nghttp2_session_want_read(h2->session) &&
           !(h2->wire_full &&
             nghttp2_session_get_outbound_queue_size(h2->session) >= GH_H2_QUEUED_FRAMES_MAX);
}

static bool is_open(void *context, uint32_t id)
{
    const struct gh_h2_codec *h2 = context;
    return nghttp2_session_find_stream(h2->session, (int32_t)id);
}

/* What nghttp2 gives up at, in the words of section 7. */
static uint32_t code_of(ssize_t error)
{
    switch (error) {
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
        return NGHTTP2_ENHANCE_YOUR_CALM;
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return NGHTTP2_PROTOCOL_ERROR;
    default:
        return NGHTTP2_INTERNAL_ERROR;
    }
}

/* Seen before the first byte of it is told, so that it makes no difference how it comes. */
static void note_length(struct gh_h2_codec *h2, uint32_t id, size_t bytes)
{
    struct gh_h2_stream *stream = gh_h2_find(h2, (int32_t)id);
    if (stream && stream->head && stream->head->body == GH_BODY_LENGTH)
        stream->too_long = bytes > stream->body_left;
}

/* A limit of nghttp2's that was met before ours, or stands where there is none of ours. */
static void note_flood(struct gh_h2_codec *h2)
{
    enum gh_h2_cost cost = gh_h2_frames_cost(&h2->frames);
    if (cost != GH_H2_COST_COUNT)
        gh_h2_budget_exceed(&h2->budget, cost);
}

static void read_bytes(struct gh_h2_codec *h2, struct gh_str bytes)
{
    if (bytes.len == 0 || h2->happened.fail)
        return;
    ssize_t taken = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.ptr, bytes.len);
    if (taken >= 0)
        return;
    gh_h2_note_failure(h2, code_of(taken));
    if (code_of(taken) == NGHTTP2_ENHANCE_YOUR_CALM)
        note_flood(h2);
}

/* To the end of a frame at the most; returns how much was taken. */
static size_t feed_step(struct gh_h2_codec *h2, struct gh_str bytes)
{
    const struct gh_h2_judge judge = {&h2->budget, h2->now_ms, is_open, h2};
    h2->happened = (struct gh_h2_happened){0};
    struct gh_h2_step step = gh_h2_frames_step(&h2->frames, bytes, &judge);
    if (step.refused)
        gh_h2_note_failure(h2, step.code);
    if (step.data_stream)
        note_length(h2, step.data_stream, step.data_bytes);
    read_bytes(h2, step.before);
    read_bytes(h2, step.bytes);
    if (!h2->happened.fail)
        tell_happened(h2);
    if (h2->happened.fail)
        gh_h2_fail(h2, h2->happened.fail_code);
    gh_h2_tell(h2);
    return step.taken;
}

size_t gh_h2_feed(struct gh_codec *codec, struct gh_str bytes)
{
    struct gh_h2_codec *h2 = gh_h2_of(codec);
    if (h2->busy || h2->sending)
        return 0;
    size_t taken = 0;
    h2->busy = true;
    while (taken < bytes.len && gh_h2_takes_input(h2))
        taken += feed_step(h2, gh_str_skip(bytes, taken));
    h2->happened = (struct gh_h2_happened){0};
    h2->busy = false;
    gh_h2_work_off_now(h2); /* streams that were reset are closed before others begin */
    return taken;
}
