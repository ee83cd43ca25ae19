/*
 * The life of streams, what is told of their ends, and the end of a connection that went wrong.
 */
#include "base/assert.h"
#include "http/h2_session.h"

struct gh_h2_stream *gh_h2_find(const struct gh_h2_codec *h2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(h2->session, id);
}

/* ---- Streams ---- */

void gh_h2_stream_over(struct gh_h2_codec *h2, struct gh_h2_stream *stream)
{
    if (stream->over)
        return;
    stream->over = true;
    stream->next_over = h2->over;
    h2->over = stream;
    if (h2->happened.stream == stream)
        h2->happened.stream = NULL;
}

void gh_h2_stream_reset(struct gh_h2_codec *h2, struct gh_h2_stream *stream, uint32_t code)
{
    if (stream->over)
        return;
    (void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, (int32_t)stream->id, code);
    gh_h2_stream_over(h2, stream);
}

/* After the answer: the client can't go on, as nobody pays for its window any more. */
void gh_h2_reset_if_stuck(struct gh_h2_codec *h2, int32_t id)
{
    int32_t window = nghttp2_session_get_stream_effective_local_window_size(h2->session, id);
    if (window >= 0 && nghttp2_session_get_stream_remote_close(h2->session, id) == 0 &&
        nghttp2_session_get_stream_effective_recv_data_length(h2->session, id) >= window)
        (void)nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
}

void gh_h2_link_stream(struct gh_h2_codec *h2, struct gh_h2_stream *stream)
{
    stream->next = h2->streams;
    if (h2->streams)
        h2->streams->prev = stream;
    h2->streams = stream;
    h2->open_count++;
}

/* Its memory is the owner's again behind this. */
static void release_stream(struct gh_h2_codec *h2, struct gh_h2_stream *stream)
{
    gh_stream_id id = stream->id;
    if (stream->prev)
        stream->prev->next = stream->next;
    else
        h2->streams = stream->next;
    if (stream->next)
        stream->next->prev = stream->prev;
    h2->open_count--;
    gh_h2_output_drop(h2, stream);
    if (h2->head.arena == stream->arena) { /* the rest of its header block is only decoded */
        h2->head.arena = NULL;
        h2->head.error = GH_HTTP_ERROR_MALFORMED;
    }
    if (!h2->failed) {
        (void)nghttp2_session_set_stream_user_data(h2->session, (int32_t)id, NULL);
        /* Nobody will pay for what was given out; the other streams need the window. */
        if (stream->unpaid)
            (void)nghttp2_session_consume_connection(h2->session, stream->unpaid);
    }
    h2->base.events->on_closed(h2->base.owner, id);
}

/* ---- What follows from what was done, outside of nghttp2 ---- */

static bool tell_over(struct gh_h2_codec *h2)
{
    if (h2->failed) {
        for (struct gh_h2_stream *stream = h2->streams; stream; stream = stream->next)
            gh_h2_stream_over(h2, stream);
    }
    bool any = h2->over;
    while (h2->over) {
        struct gh_h2_stream *stream = h2->over;
        h2->over = stream->next_over;
        release_stream(h2, stream);
    }
    return any;
}

static bool tell_drained(struct gh_h2_codec *h2)
{
    if (!h2->any_drained_due)
        return false;
    h2->any_drained_due = false;
    for (struct gh_h2_stream *stream = h2->streams; stream; stream = stream->next) {
        if (!stream->full || stream->over || !gh_h2_output_takes_more(h2, stream))
            continue;
        stream->full = false;
        h2->base.events->on_drained(h2->base.owner, stream->id);
    }
    return true;
}

/* Streams leave their list only in tell_over, so that going over it is safe in any event. */
bool gh_h2_tell(struct gh_h2_codec *h2)
{
    bool drained = tell_drained(h2);
    return tell_over(h2) || drained;
}

void gh_h2_work_off_now(struct gh_h2_codec *h2)
{
    if (h2->busy || h2->sending)
        return; /* whoever is at it does this, too */
    h2->busy = true;
    do {
        gh_h2_output_send(h2, false);
    } while (gh_h2_tell(h2));
    h2->due = false;
    h2->busy = false;
}

void gh_h2_work_off(struct gh_h2_codec *h2)
{
    if (h2->busy || h2->sending)
        return;
    if (!h2->on_due) {
        gh_h2_work_off_now(h2);
        return;
    }
    h2->busy = true;
    while (gh_h2_tell(h2)) {
    }
    h2->busy = false;
    bool has_output = !h2->failed && !h2->wire_full && nghttp2_session_want_write(h2->session);
    if (h2->due || !has_output)
        return;
    h2->due = true;
    h2->on_due(h2->base.owner);
}

/* ---- Failing ---- */

void gh_h2_note_failure(struct gh_h2_codec *h2, uint32_t code)
{
    if (h2->happened.fail)
        return;
    h2->happened.fail = true;
    h2->happened.fail_code = code;
}

bool gh_h2_spend(struct gh_h2_codec *h2, enum gh_h2_cost cost, size_t amount)
{
    uint32_t counted = amount < UINT32_MAX ? (uint32_t)amount : UINT32_MAX;
    if (gh_h2_budget_spend(&h2->budget, h2->now_ms, cost, counted))
        return true;
    gh_h2_note_failure(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
}

static enum gh_h2_failure failure_of(uint32_t code)
{
    switch (code) {
    case NGHTTP2_PROTOCOL_ERROR:
        return GH_H2_FAILURE_PROTOCOL;
    case NGHTTP2_INTERNAL_ERROR:
        return GH_H2_FAILURE_INTERNAL;
    case NGHTTP2_FLOW_CONTROL_ERROR:
        return GH_H2_FAILURE_FLOW_CONTROL;
    case NGHTTP2_STREAM_CLOSED:
        return GH_H2_FAILURE_STREAM_CLOSED;
    case NGHTTP2_FRAME_SIZE_ERROR:
        return GH_H2_FAILURE_FRAME_SIZE;
    case NGHTTP2_COMPRESSION_ERROR:
        return GH_H2_FAILURE_COMPRESSION;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return GH_H2_FAILURE_CALM;
    default:
        return GH_H2_FAILURE_OTHER;
    }
}

void gh_h2_note_code(struct gh_h2_codec *h2, uint32_t code)
{
    if (h2->failure == GH_H2_FAILURE_NONE)
        h2->failure = failure_of(code);
}

void gh_h2_fail(struct gh_h2_codec *h2, uint32_t code)
{
    gh_h2_note_code(h2, code);
    gh_h2_output_send(h2, false); /* what was before, our settings perhaps, has its place before */
    (void)nghttp2_session_terminate_session(h2->session, code);
    gh_h2_output_send(h2, true);
    h2->failed = true;
}
