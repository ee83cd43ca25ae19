#include "http/h2_session.h"

#include "base/assert.h"

/* Twice what upstreams may say: theirs, and what the route adds. */
#define ANSWER_HEAD_BYTES_MAX (128 * 1024)
/* We announce no other SETTINGS_MAX_FRAME_SIZE than the first. */
#define FRAME_BYTES_MAX 16384

static const struct gh_h2_codec *h2_of_const(const struct gh_codec *codec)
{
    return (const struct gh_h2_codec *)codec;
}

static bool wants_input(const struct gh_codec *codec)
{
    return gh_h2_takes_input(h2_of_const(codec));
}

static void consumed(struct gh_codec *codec, gh_stream_id id, size_t bytes)
{
    struct gh_h2_codec *h2 = gh_h2_of(codec);
    struct gh_h2_stream *stream = h2->failed ? NULL : gh_h2_find(h2, (int32_t)id);
    if (!stream || stream->over)
        return;
    GH_ASSERT(bytes <= stream->unpaid);
    stream->unpaid -= bytes;
    if (stream->request_done || stream->refused)
        (void)nghttp2_session_consume_connection(h2->session, bytes);
    else
        (void)nghttp2_session_consume(h2->session, (int32_t)id, bytes);
    gh_h2_work_off(h2);
}

/* ---- Answering ---- */

/* An answer to a stream that is over is dropped: whoever writes it could not know yet. */
static struct gh_h2_stream *find_to_write(struct gh_h2_codec *h2, gh_stream_id id)
{
    GH_ASSERT(!h2->sending); /* what is being put out points into what is kept */
    struct gh_h2_stream *stream = h2->failed ? NULL : gh_h2_find(h2, (int32_t)id);
    return stream && !stream->over && !stream->answer_last ? stream : NULL;
}

static void write_continue(struct gh_codec *codec, gh_stream_id id)
{
    struct gh_h2_codec *h2 = gh_h2_of(codec);
    struct gh_h2_stream *stream = find_to_write(h2, id);
    if (!stream || stream->head_written || stream->continue_written || stream->refused ||
        !stream->head || !stream->head->expect_continue)
        return;
    stream->continue_written = true;
    const struct gh_answer_head answer = {.status = 100, .block = GH_STR("")};
    if (!gh_h2_submit_answer(h2, stream, &answer, false))
        gh_h2_stream_reset(h2, stream, NGHTTP2_INTERNAL_ERROR);
    gh_h2_work_off(h2);
}

/* The bytes of an answer that is under way, and its end. */
static void put_body(struct gh_h2_codec *h2, struct gh_h2_stream *stream, struct gh_str bytes,
                     bool is_last)
{
    if (stream->answer_no_body)
        bytes.len = 0;
    if (stream->answer_has_length) {
        GH_ASSERT(bytes.len <= stream->answer_left);
        stream->answer_left -= bytes.len;
    }
    if (is_last && stream->answer_left) { /* shorter than announced */
        gh_h2_stream_reset(h2, stream, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    stream->answer_last = is_last;
    if (bytes.len || is_last)
        gh_h2_output_put(h2, stream, bytes);
}

/* What was said of the body's length binds what is written, as on HTTP/1.1. */
static void note_framing(struct gh_h2_stream *stream, const struct gh_answer_head *answer)
{
    stream->tunnel = answer->tunnel;
    stream->answer_no_body =
        !answer->tunnel && (answer->status == 204 || answer->status == 304 || stream->is_head);
    bool has_length = answer->body == GH_BODY_LENGTH || answer->body == GH_BODY_NONE;
    stream->answer_has_length = has_length && !answer->tunnel;
    if (answer->body == GH_BODY_LENGTH && stream->answer_has_length && !stream->answer_no_body)
        stream->answer_left = answer->content_length;
}

static void write_head(struct gh_codec *codec, gh_stream_id id, const struct gh_answer_head *answer,
                       struct gh_str first, bool is_last)
{
    struct gh_h2_codec *h2 = gh_h2_of(codec);
    struct gh_h2_stream *stream = find_to_write(h2, id);
    if (!stream)
        return;
    GH_ASSERT(!stream->head_written);
    bool is_interim = answer->status < 200 && !answer->tunnel;
    if (!is_interim) {
        GH_ASSERT(!answer->tunnel || (stream->head && stream->head->upgrade_websocket));
        stream->head_written = true;
        if (!stream->head && !stream->refused) { /* too slow a head, perhaps */
            stream->refused = true;
            stream->is_head = h2->head.arena == stream->arena && gh_h2_head_is_head(&h2->head);
        }
        note_framing(stream, answer);
        is_last = is_last && !answer->tunnel;
    }
    bool has_bytes = first.len && !stream->answer_no_body;
    bool is_over = !is_interim && is_last && !has_bytes && !stream->answer_left;
    stream->answer_last = is_over;
    if (!gh_h2_submit_answer(h2, stream, answer, is_over))
        gh_h2_stream_reset(h2, stream, NGHTTP2_INTERNAL_ERROR);
    else if (!is_interim && !is_over)
        put_body(h2, stream, first, is_last);
    gh_h2_work_off(h2);
}

static void write_body(struct gh_codec *codec, gh_stream_id id, struct gh_str bytes, bool is_last)
{
    struct gh_h2_codec *h2 = gh_h2_of(codec);
    struct gh_h2_stream *stream = find_to_write(h2, id);
    if (!stream)
        return;
    GH_ASSERT(stream->head_written);
    put_body(h2, stream, bytes, is_last);
    gh_h2_work_off(h2);
}

static bool is_full(const struct gh_codec *codec, gh_stream_id id)
{
    const struct gh_h2_codec *h2 = h2_of_const(codec);
    const struct gh_h2_stream *stream = h2->failed ? NULL : gh_h2_find(h2, (int32_t)id);
    return stream && !stream->over && stream->full;
}

static void reset(struct gh_codec *codec, gh_stream_id id)
{
    struct gh_h2_codec *h2 = gh_h2_of(codec);
    struct gh_h2_stream *stream = h2->failed ? NULL : gh_h2_find(h2, (int32_t)id);
    if (!stream)
        return;
    uint32_t code = stream->tunnel ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR;
    gh_h2_stream_reset(h2, stream, stream->refused ? stream->reset_code : code);
    gh_h2_work_off(h2);
}

/* ---- The connection ---- */

static void on_writable(struct gh_codec *codec)
{
    gh_h2_of(codec)->wire_full = false;
    gh_h2_work_off(gh_h2_of(codec));
}

static bool wants_close(const struct gh_codec *codec)
{
    const struct gh_h2_codec *h2 = h2_of_const(codec);
    if (h2->failed)
        return h2->open_count == 0;
    if (nghttp2_session_want_write(h2->session))
        return false;
    return (h2->goaway_sent && h2->open_count == 0) || !nghttp2_session_want_read(h2->session);
}

static void release(struct gh_h2_codec *h2)
{
    struct gh_h2_lease lease = h2->lease;
    nghttp2_session_del(h2->session);
    gh_h2_lease_free(&lease, h2);
}

static void done(struct gh_codec *codec)
{
    struct gh_h2_codec *h2 = gh_h2_of(codec);
    GH_ASSERT(!h2->busy && !h2->sending);
    h2->busy = true;
    h2->failed = true; /* all streams are over, and nothing more is sent */
    gh_h2_tell(h2);
    release(h2);
}

static const struct gh_codec_ops OPS = {
    .feed = gh_h2_feed,
    .wants_input = wants_input,
    .write_continue = write_continue,
    .write_head = write_head,
    .write_body = write_body,
    .is_full = is_full,
    .consumed = consumed,
    .reset = reset,
    .on_writable = on_writable,
    .wants_close = wants_close,
    .done = done,
};

void gh_h2_codec_set_now(struct gh_codec *codec, uint64_t now_ms)
{
    gh_h2_of(codec)->now_ms = now_ms;
}

void gh_h2_codec_drain(struct gh_codec *codec)
{
    struct gh_h2_codec *h2 = gh_h2_of(codec);
    if (h2->failed)
        return;
    h2->drain_step++;
    if (h2->drain_step == 1)
        (void)nghttp2_submit_shutdown_notice(h2->session);
    else if (h2->drain_step == 2)
        (void)nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
                                    nghttp2_session_get_last_proc_stream_id(h2->session),
                                    NGHTTP2_NO_ERROR, NULL, 0);
    gh_h2_work_off(h2);
}

void gh_h2_codec_set_lingering(struct gh_codec *codec, size_t count)
{
    gh_h2_of(codec)->lingering = count;
}

size_t gh_h2_codec_unsent(const struct gh_codec *codec, gh_stream_id id)
{
    const struct gh_h2_codec *h2 = h2_of_const(codec);
    const struct gh_h2_stream *stream = h2->failed ? NULL : gh_h2_find(h2, (int32_t)id);
    return stream && !stream->over ? stream->kept_len : 0;
}

bool gh_h2_codec_is_window_shut(const struct gh_codec *codec, gh_stream_id id)
{
    const struct gh_h2_codec *h2 = h2_of_const(codec);
    return nghttp2_session_get_stream_remote_window_size(h2->session, (int32_t)id) <= 0;
}

/* What is left of the window may be too little for a frame that a client wants to send. */
bool gh_h2_codec_is_input_shut(const struct gh_codec *codec)
{
    const struct gh_h2_codec *h2 = h2_of_const(codec);
    int32_t window = nghttp2_session_get_effective_local_window_size(h2->session);
    int32_t used = nghttp2_session_get_effective_recv_data_length(h2->session);
    return used >= window - FRAME_BYTES_MAX;
}

/* nghttp2 takes nothing but SETTINGS for the first frame. */
bool gh_h2_codec_is_greeted(const struct gh_codec *codec)
{
    return h2_of_const(codec)->frames.any_whole;
}

bool gh_h2_codec_is_cut(const struct gh_codec *codec, uint64_t *out_since_ms)
{
    return gh_h2_frames_is_cut(&h2_of_const(codec)->frames, out_since_ms);
}

enum gh_h2_failure gh_h2_codec_failure(const struct gh_codec *codec)
{
    return h2_of_const(codec)->failure;
}

const char *gh_h2_codec_flood(const struct gh_codec *codec)
{
    return gh_h2_budget_word(&h2_of_const(codec)->budget);
}

uint64_t gh_h2_codec_data_sent(const struct gh_codec *codec)
{
    return h2_of_const(codec)->data_sent;
}

void gh_h2_codec_gather(struct gh_codec *codec, void (*on_due)(void *owner))
{
    struct gh_h2_codec *h2 = gh_h2_of(codec);
    h2->on_due = on_due;
    gh_h2_work_off(h2); /* our settings */
}

void gh_h2_codec_count_kept(struct gh_codec *codec, const struct gh_h2_room *room)
{
    gh_h2_of(codec)->room = room;
}

void gh_h2_codec_honour_priorities(struct gh_codec *codec)
{
    gh_h2_of(codec)->honours_priorities = true;
}

void gh_h2_codec_flush(struct gh_codec *codec)
{
    gh_h2_work_off_now(gh_h2_of(codec));
}

size_t gh_h2_codec_open_streams(const struct gh_codec *codec)
{
    return h2_of_const(codec)->open_count;
}

/* ---- Opening ---- */

/*
 * The limits of nghttp2's own stand behind ours, for what ours might not see. That for resets runs
 * by its clock, so it is wide enough for ours to speak first.
 */
static void set_options(nghttp2_option *option, size_t head_bytes_max)
{
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_http_messaging(option, 1); /* h2_head.c judges, and may answer */
    nghttp2_option_set_max_deflate_dynamic_table_size(option, NGHTTP2_DEFAULT_HEADER_TABLE_SIZE);
    nghttp2_option_set_max_send_header_block_length(option, ANSWER_HEAD_BYTES_MAX);
    nghttp2_option_set_stream_reset_rate_limit(option, 1000, 100);
    nghttp2_option_set_max_continuations(option, gh_h2_continuations_max(head_bytes_max));
    nghttp2_option_set_max_outbound_ack(option, 100);
    nghttp2_option_set_max_settings(option, 16);
}

static bool make_session(struct gh_h2_codec *h2)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        gh_h2_read_set_callbacks(callbacks);
        gh_h2_output_set_callbacks(callbacks);
        set_options(option, h2->limits.head_bytes_max);
        nghttp2_mem hooks = gh_h2_lease_hooks(&h2->lease);
        if (nghttp2_session_server_new3(&h2->session, callbacks, h2, option, &hooks) != 0)
            h2->session = NULL;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return h2->session;
}

/* Server push is not mentioned: a server can't allow it. */
static bool submit_settings(struct gh_h2_codec *h2)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GH_H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, GH_H2_STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)h2->limits.head_bytes_max},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    return nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof(settings) / sizeof(settings[0])) == 0 &&
           nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                 GH_H2_CONNECTION_WINDOW_BYTES) == 0;
}

enum gh_err gh_h2_codec_open(const struct gh_codec_events *events, void *owner,
                             const struct gh_codec_limits *limits, void *slot,
                             struct gh_codec **out_codec)
{
    GH_ASSERT(limits->field_count_max <= GH_FIELDS_MAX && limits->head_bytes_max > 0 &&
              limits->head_bytes_max <= INT32_MAX);
    struct gh_h2_lease lease = gh_h2_lease_begin(slot);
    struct gh_h2_codec *h2 = gh_h2_lease_alloc(&lease, sizeof(*h2));
    if (!h2)
        return GH_ERR_MEMORY;
    *h2 = (struct gh_h2_codec){.base = {.ops = &OPS, .events = events, .owner = owner},
                               .lease = lease};
    h2->limits = *limits;
    h2->failure = GH_H2_FAILURE_NONE;
    gh_h2_frames_init(&h2->frames, limits->head_bytes_max);
    bool made = make_session(h2);
    h2->lease.filling = false;
    if (!made || !submit_settings(h2)) {
        release(h2);
        return GH_ERR_MEMORY;
    }
    *out_codec = &h2->base;
    return GH_OK;
}
