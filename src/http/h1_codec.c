#include "http/h1_codec.h"

#include "base/assert.h"
#include "base/buf.h"
#include "http/h1_answer.h"
#include "http/h1_head.h"

/* The first memory for a head that comes in pieces; it is doubled up to the limit. */
#define HEAD_PIECE_BYTES 2048

static struct gh_h1_codec *h1_of(struct gh_codec *codec)
{
    return (struct gh_h1_codec *)codec;
}

static const struct gh_h1_codec *h1_of_const(const struct gh_codec *codec)
{
    return (const struct gh_h1_codec *)codec;
}

/* ---- Streams ---- */

/* False: the owner does not want it. */
static bool begin_stream(struct gh_h1_codec *h1)
{
    h1->stream++;
    h1->arena = h1->base.events->on_begin(h1->base.owner, h1->stream);
    if (!h1->arena) {
        h1->state = GH_H1_CLOSED;
        return false;
    }
    h1->state = GH_H1_HEAD;
    h1->open = true;
    h1->head = NULL;
    h1->head_bytes = NULL;
    h1->head_len = h1->head_cap = h1->scanned = 0;
    h1->unpaid = 0;
    h1->request_done = h1->body_begun = h1->discard = false;
    h1->continue_written = h1->head_written = h1->answer_done = false;
    h1->answer_chunked = h1->answer_has_length = h1->answer_no_body = false;
    h1->answer_left = 0;
    return true;
}

static void report_closed(struct gh_h1_codec *h1)
{
    h1->closed_pending = false;
    h1->base.events->on_closed(h1->base.owner, h1->stream);
}

/* Ends the stream if both halves are over. Nothing of it may be used behind this. */
static void end_stream_if_over(struct gh_h1_codec *h1)
{
    if (!h1->open || !h1->answer_done || !h1->request_done)
        return;
    h1->open = false;
    h1->arena = NULL;
    h1->head = NULL;
    h1->head_bytes = NULL;
    h1->state = h1->close_after ? GH_H1_CLOSED : GH_H1_IDLE;
    if (h1->feeding)
        h1->closed_pending = true;
    else
        report_closed(h1);
}

/* Whatever else comes on this connection has no meaning that can be trusted. */
static void give_up_request(struct gh_h1_codec *h1)
{
    h1->state = GH_H1_CLOSED;
    h1->close_after = true;
    h1->request_done = true;
}

static void refuse_request(struct gh_h1_codec *h1, enum gh_http_error error)
{
    give_up_request(h1);
    if (h1->discard)
        end_stream_if_over(h1);
    else
        h1->base.events->on_error(h1->base.owner, h1->stream, error);
}

/* ---- Reading: the end ---- */

/* The event before may have ended the stream or made it a tunnel. */
static void end_request_if_complete(struct gh_h1_codec *h1)
{
    if (h1->state != GH_H1_BODY || !gh_h1_body_is_complete(&h1->body))
        return;
    h1->state = GH_H1_ANSWERING;
    h1->request_done = true;
    if (h1->discard)
        end_stream_if_over(h1);
    else
        h1->base.events->on_end(h1->base.owner, h1->stream);
}

/* ---- Reading: the head ---- */

/* The complete head is in memory of the arena. */
static void take_head(struct gh_h1_codec *h1, struct gh_str bytes)
{
    struct gh_request_head *head = gh_arena_alloc(h1->arena, sizeof(*head));
    if (!head) {
        refuse_request(h1, GH_HTTP_ERROR_MEMORY);
        return;
    }
    enum gh_http_error error = gh_h1_parse_request_head(bytes, &h1->limits, h1->arena, head);
    if (error != GH_HTTP_ERROR_NONE) {
        refuse_request(h1, error);
        return;
    }
    h1->head = head;
    if (!head->keep_alive)
        h1->close_after = true;
    gh_h1_body_init(&h1->body, head->body, head->content_length);
    h1->state = GH_H1_BODY;
    h1->base.events->on_head(h1->base.owner, h1->stream, head);
    end_request_if_complete(h1);
}

/* Room for `bytes` more of the head. */
static bool reserve_head(struct gh_h1_codec *h1, size_t bytes)
{
    size_t needed = h1->head_len + bytes;
    if (needed <= h1->head_cap)
        return true;
    size_t cap = h1->head_cap ? h1->head_cap : HEAD_PIECE_BYTES;
    while (cap < needed)
        cap *= 2;
    char *memory = gh_arena_alloc(h1->arena, cap);
    if (!memory)
        return false;
    if (h1->head_len)
        memcpy(memory, h1->head_bytes, h1->head_len);
    h1->head_bytes = memory;
    h1->head_cap = cap;
    return true;
}

/* A head that came whole: copied once, exactly. */
static size_t read_whole_head(struct gh_h1_codec *h1, struct gh_str bytes)
{
    struct gh_str copy = gh_arena_dup(h1->arena, bytes);
    if (copy.ptr)
        take_head(h1, copy);
    else
        refuse_request(h1, GH_HTTP_ERROR_MEMORY);
    return bytes.len;
}

/* Keeps what came of the head so far; returns how much of `bytes` was taken. */
static size_t read_head_piece(struct gh_h1_codec *h1, struct gh_str bytes)
{
    /* One byte over the limit is enough for the scan to see that it was passed. */
    size_t room = h1->limits.head_bytes_max + 1 - h1->head_len;
    struct gh_str piece = gh_str_first(bytes, room);
    if (!reserve_head(h1, piece.len)) {
        refuse_request(h1, GH_HTTP_ERROR_MEMORY);
        return piece.len;
    }
    memcpy(h1->head_bytes + h1->head_len, piece.ptr, piece.len);
    size_t before = h1->head_len, end = 0;
    h1->head_len += piece.len;
    enum gh_http_error error = GH_HTTP_ERROR_MALFORMED;
    switch (gh_h1_scan_request_head(gh_str_of(h1->head_bytes, h1->head_len), &h1->scanned,
                                    &h1->limits, &end, &error)) {
    case GH_H1_SCAN_ERROR:
        refuse_request(h1, error);
        return piece.len;
    case GH_H1_SCAN_MORE:
        return piece.len;
    case GH_H1_SCAN_DONE:
        break;
    }
    h1->head_len = end;
    take_head(h1, gh_str_of(h1->head_bytes, end));
    return end - before;
}

static size_t read_head(struct gh_h1_codec *h1, struct gh_str bytes)
{
    if (h1->head_len == 0) {
        size_t end = 0;
        enum gh_http_error error = GH_HTTP_ERROR_MALFORMED;
        enum gh_h1_scan_status status =
            gh_h1_scan_request_head(bytes, &h1->scanned, &h1->limits, &end, &error);
        if (status == GH_H1_SCAN_DONE)
            return read_whole_head(h1, gh_str_first(bytes, end));
        if (status == GH_H1_SCAN_ERROR) {
            refuse_request(h1, error);
            return bytes.len;
        }
    }
    return read_head_piece(h1, bytes);
}

/* ---- Reading: the body ---- */

static bool is_paid_up(const struct gh_h1_codec *h1)
{
    return h1->discard || h1->unpaid < GH_H1_UNPAID_BYTES_MAX;
}

/* One event of the body; returns how much of `bytes` was taken. */
static size_t read_body(struct gh_h1_codec *h1, struct gh_str bytes)
{
    struct gh_str input = bytes, data;
    if (!h1->discard)
        input = gh_str_first(bytes, GH_H1_UNPAID_BYTES_MAX - h1->unpaid);
    size_t offered = input.len;
    enum gh_h1_body_status status = gh_h1_body_read(&h1->body, &input, &data);
    size_t taken = offered - input.len;
    h1->body_begun = h1->body_begun || taken > 0;
    switch (status) {
    case GH_H1_BODY_ERROR:
        refuse_request(h1, GH_HTTP_ERROR_CHUNK);
        break;
    case GH_H1_BODY_MORE:
    case GH_H1_BODY_DONE:
        break;
    case GH_H1_BODY_DATA:
        if (!h1->discard) {
            h1->unpaid += data.len;
            h1->base.events->on_body(h1->base.owner, h1->stream, data);
        }
        break;
    }
    end_request_if_complete(h1);
    return taken;
}

/* ---- Reading ---- */

static bool takes_input(const struct gh_h1_codec *h1)
{
    switch (h1->state) {
    case GH_H1_IDLE:
    case GH_H1_HEAD:
        return true;
    case GH_H1_BODY:
        return is_paid_up(h1);
    case GH_H1_ANSWERING:
    case GH_H1_TUNNEL:
    case GH_H1_CLOSED:
        return false;
    }
    return false;
}

/* Calls one event at the most; returns how much of `bytes` was taken. */
static size_t feed_step(struct gh_h1_codec *h1, struct gh_str bytes)
{
    if (h1->state == GH_H1_BODY)
        return read_body(h1, bytes);
    if (h1->state == GH_H1_IDLE && !begin_stream(h1))
        return 0;
    return read_head(h1, bytes);
}

/* Whether there is a next request, and when, is for the caller to say. */
static size_t feed(struct gh_codec *codec, struct gh_str bytes)
{
    struct gh_h1_codec *h1 = h1_of(codec);
    if (h1->feeding)
        return 0;
    size_t taken = 0;
    h1->feeding = true;
    while (taken < bytes.len && takes_input(h1) && !h1->closed_pending)
        taken += feed_step(h1, gh_str_skip(bytes, taken));
    if (h1->closed_pending)
        report_closed(h1);
    h1->feeding = false;
    return taken;
}

static bool wants_input(const struct gh_codec *codec)
{
    return takes_input(h1_of_const(codec));
}

/* ---- Answering ---- */

/* An answer to a stream that is over is dropped: whoever writes it could not know yet. */
static bool may_write(const struct gh_h1_codec *h1, gh_stream_id stream)
{
    return h1->open && h1->stream == stream && !h1->answer_done;
}

static void put(struct gh_h1_codec *h1, const struct gh_str *slices, size_t count)
{
    if (count)
        h1->base.events->output(h1->base.owner, slices, count);
}

static void finish_answer(struct gh_h1_codec *h1)
{
    h1->answer_done = true;
    h1->discard = !h1->request_done;
    end_stream_if_over(h1);
}

/* Nothing more is written, so that an answer under way does not look complete. */
static void break_off(struct gh_h1_codec *h1)
{
    give_up_request(h1);
    finish_answer(h1);
}

static void write_continue(struct gh_codec *codec, gh_stream_id stream)
{
    struct gh_h1_codec *h1 = h1_of(codec);
    if (!may_write(h1, stream) || h1->head_written || h1->continue_written || !h1->head ||
        !h1->head->expect_continue)
        return;
    h1->continue_written = true;
    struct gh_str line = GH_STR("HTTP/1.1 100 Continue\r\n\r\n");
    put(h1, &line, 1);
}

/*
 * The bytes behind `head` as the framing wants them; at most head, chunk prefix, bytes, suffix.
 */
static void put_body(struct gh_h1_codec *h1, struct gh_str head, struct gh_str bytes, bool is_last)
{
    struct gh_str slices[4];
    size_t count = 0;
    char size_line[20];
    struct gh_buf prefix = gh_buf_over(size_line, sizeof(size_line));
    if (h1->answer_no_body)
        bytes.len = 0;
    if (h1->answer_has_length) {
        GH_ASSERT(bytes.len <= h1->answer_left); /* the next answer would begin inside this one */
        h1->answer_left -= bytes.len;
    }
    if (head.len)
        slices[count++] = head;
    if (bytes.len && h1->answer_chunked) {
        gh_buf_put_hex(&prefix, bytes.len);
        gh_buf_put(&prefix, GH_STR("\r\n"));
        slices[count++] = gh_buf_str(&prefix);
    }
    if (bytes.len)
        slices[count++] = bytes;
    if (h1->answer_chunked && bytes.len)
        slices[count++] = is_last ? GH_STR("\r\n0\r\n\r\n") : GH_STR("\r\n");
    else if (h1->answer_chunked && is_last)
        slices[count++] = GH_STR("0\r\n\r\n");
    put(h1, slices, count);
}

/* Writes and, with the last bytes, ends the answer. */
static void put_answer(struct gh_h1_codec *h1, struct gh_str head, struct gh_str bytes,
                       bool is_last)
{
    gh_stream_id stream = h1->stream;
    put_body(h1, head, bytes, is_last);
    if (!is_last || !may_write(h1, stream)) /* output may have found the transport broken */
        return;
    if (h1->answer_left)
        break_off(h1); /* shorter than announced */
    else
        finish_answer(h1);
}

static bool has_no_body(const struct gh_h1_codec *h1, unsigned status)
{
    return status == 204 || status == 304 || (h1->head && h1->head->method == GH_METHOD_HEAD);
}

/* How the answer's body is framed; HTTP/1.0 clients know no chunks. */
static struct gh_h1_answer_frame choose_framing(struct gh_h1_codec *h1,
                                                const struct gh_answer_head *answer)
{
    struct gh_h1_answer_frame frame = {0};
    h1->answer_no_body = has_no_body(h1, answer->status);
    switch (answer->body) {
    case GH_BODY_NONE:
        h1->answer_has_length = true;
        if (!h1->answer_no_body)
            frame.framing = GH_H1_FRAMING_LENGTH;
        break;
    case GH_BODY_LENGTH:
        h1->answer_has_length = true;
        frame.content_length = answer->content_length;
        h1->answer_left = h1->answer_no_body ? 0 : answer->content_length;
        if (answer->status != 204 && answer->status != 304)
            frame.framing = GH_H1_FRAMING_LENGTH;
        break;
    case GH_BODY_CHUNKED:
    case GH_BODY_CLOSE:
        if (h1->answer_no_body)
            break;
        h1->answer_chunked = h1->head && h1->head->version_minor > 0;
        if (h1->answer_chunked)
            frame.framing = GH_H1_FRAMING_CHUNKED;
        else
            h1->close_after = true;
        break;
    }
    return frame;
}

/*
 * A client that asked whether to send its body and got the final answer instead may go on with the
 * body or with the next request; nobody can tell which (RFC 9110 section 10.1.1).
 */
static bool body_is_uncertain(const struct gh_h1_codec *h1)
{
    return h1->head && h1->head->expect_continue && !h1->continue_written && !h1->body_begun;
}

static enum gh_h1_connection_option choose_connection(struct gh_h1_codec *h1, bool close)
{
    if (close || body_is_uncertain(h1))
        h1->close_after = true;
    if (h1->close_after)
        return GH_H1_OPTION_CLOSE;
    return h1->head->version_minor == 0 ? GH_H1_OPTION_KEEP_ALIVE : GH_H1_OPTION_NONE;
}

/* 1xx but 101: an answer before the answer, which HTTP/1.0 clients would take for it. */
static void write_interim_head(struct gh_h1_codec *h1, const struct gh_answer_head *answer)
{
    if (!h1->head || h1->head->version_minor == 0)
        return;
    struct gh_str bytes =
        gh_h1_write_answer_head(answer, (struct gh_h1_answer_frame){0}, h1->arena);
    if (bytes.ptr)
        put(h1, &bytes, 1);
}

/* From here on the codec frames nothing and reads nothing; the connection never comes back. */
static struct gh_h1_answer_frame begin_tunnel(struct gh_h1_codec *h1,
                                              const struct gh_answer_head *answer)
{
    GH_ASSERT(answer->status == 101 && h1->head && gh_h1_body_is_complete(&h1->body));
    h1->state = GH_H1_TUNNEL;
    h1->request_done = true;
    h1->close_after = true;
    return (struct gh_h1_answer_frame){.connection = GH_H1_OPTION_UPGRADE};
}

static void write_head(struct gh_codec *codec, gh_stream_id stream,
                       const struct gh_answer_head *answer, struct gh_str first, bool is_last)
{
    struct gh_h1_codec *h1 = h1_of(codec);
    if (!may_write(h1, stream))
        return;
    GH_ASSERT(!h1->head_written);
    if (answer->status < 200 && !answer->tunnel) {
        write_interim_head(h1, answer);
        return;
    }
    h1->head_written = true;
    if (!h1->head) /* too slow a head, perhaps */
        give_up_request(h1);
    struct gh_h1_answer_frame frame;
    if (answer->tunnel) {
        frame = begin_tunnel(h1, answer);
    } else {
        frame = choose_framing(h1, answer);
        frame.connection = choose_connection(h1, answer->close);
    }
    struct gh_str head = gh_h1_write_answer_head(answer, frame, h1->arena);
    if (head.ptr)
        put_answer(h1, head, first, is_last && !answer->tunnel);
    else
        break_off(h1);
}

static void write_body(struct gh_codec *codec, gh_stream_id stream, struct gh_str bytes,
                       bool is_last)
{
    struct gh_h1_codec *h1 = h1_of(codec);
    if (!may_write(h1, stream))
        return;
    GH_ASSERT(h1->head_written);
    put_answer(h1, GH_STR(""), bytes, is_last);
}

/* What is written is given out at once; that the wire is full the exchange hears from the shell. */
static bool is_full(const struct gh_codec *codec, gh_stream_id stream)
{
    (void)codec;
    (void)stream;
    return false;
}

static void consumed(struct gh_codec *codec, gh_stream_id stream, size_t bytes)
{
    struct gh_h1_codec *h1 = h1_of(codec);
    if (!h1->open || h1->stream != stream)
        return;
    GH_ASSERT(bytes <= h1->unpaid);
    h1->unpaid -= bytes;
}

static void reset(struct gh_codec *codec, gh_stream_id stream)
{
    struct gh_h1_codec *h1 = h1_of(codec);
    if (h1->open && h1->stream == stream)
        break_off(h1);
}

/* ---- The connection ---- */

static void on_writable(struct gh_codec *codec)
{
    (void)codec;
}

static bool wants_close(const struct gh_codec *codec)
{
    const struct gh_h1_codec *h1 = h1_of_const(codec);
    return h1->state == GH_H1_CLOSED && !h1->open;
}

static void done(struct gh_codec *codec)
{
    struct gh_h1_codec *h1 = h1_of(codec);
    GH_ASSERT(!h1->feeding);
    if (h1->open)
        break_off(h1);
    h1->state = GH_H1_CLOSED;
}

static const struct gh_codec_ops OPS = {
    .feed = feed,
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

void gh_h1_codec_init(struct gh_h1_codec *codec, const struct gh_codec_events *events, void *owner,
                      const struct gh_codec_limits *limits)
{
    GH_ASSERT(limits->field_count_max <= GH_FIELDS_MAX);
    *codec = (struct gh_h1_codec){
        .base = {.ops = &OPS, .events = events, .owner = owner},
        .limits = *limits,
        .state = GH_H1_IDLE,
    };
}
