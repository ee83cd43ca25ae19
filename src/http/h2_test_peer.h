/*
 * For the tests of the HTTP/2 codec: a client that writes frames by hand and reads those that come
 * back as text, and an owner that logs events. The includer has included cmocka.
 *
 * Frames read, each followed by a space: "SETTINGS", "SETTINGS!" (ACK), "PING!", "WINDOW:id:n",
 * "HEADERS:id{name=value|...}", "DATA:id(bytes)", "RESET:id:code", "GOAWAY:last:code"; behind
 * HEADERS and DATA "." for END_STREAM. DATA of more than 32 bytes are told by their number.
 */
#ifndef GH_HTTP_H2_TEST_PEER_H
#define GH_HTTP_H2_TEST_PEER_H

#include <stdlib.h>

#include <nghttp2/nghttp2.h>

#include "base/assert.h"
#include "base/buf.h"
#include "http/h2_budget.h"
#include "http/h2_codec.h"

#define PEER_STREAMS 128
#define WIRE_MAX     (8u << 20)

#define FIN  NGHTTP2_FLAG_END_STREAM
#define DONE NGHTTP2_FLAG_END_HEADERS

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 16384, .target_bytes_max = 8192, .field_count_max = 100};

struct peer_stream {
    gh_stream_id id; /* 0: free */
    struct gh_arena arena;
    size_t owed;
};

struct peer {
    struct gh_codec *codec;
    char log_bytes[65536];
    struct gh_buf log; /* events */
    struct peer_stream streams[PEER_STREAMS];
    struct gh_request_head *head; /* of the last on_head; lives as long as its stream */
    size_t body_bytes, output_count, drained_count, slices_max;
    bool logs_bodies, pays, wire_is_full, refuse_begin;
    enum gh_http_error error;
    void (*in_head)(struct peer *peer, gh_stream_id stream);
    void (*in_body)(struct peer *peer, gh_stream_id stream);
    void (*in_end)(struct peer *peer, gh_stream_id stream);
    void (*in_error)(struct peer *peer, gh_stream_id stream);
    void (*in_drained)(struct peer *peer, gh_stream_id stream);

    char *sent; /* what the codec wrote, and how far it was read */
    size_t sent_len, read_len;
    char *out; /* what the client is about to send */
    size_t out_len;
    char told_bytes[65536];
    struct gh_buf told;
    nghttp2_hd_deflater *deflater;
    nghttp2_hd_inflater *inflater;
};

/* ---- The owner ---- */

static inline struct peer_stream *stream_of(struct peer *peer, gh_stream_id id)
{
    for (size_t i = 0; i < PEER_STREAMS; i++) {
        if (peer->streams[i].id == id)
            return &peer->streams[i];
    }
    GH_ASSERT(!"an event for a stream that is not open");
    return NULL;
}

static inline struct gh_arena *on_begin(void *owner, gh_stream_id id)
{
    struct peer *peer = owner;
    if (peer->refuse_begin)
        return NULL;
    struct peer_stream *stream = stream_of(peer, 0);
    stream->id = id;
    stream->owed = 0;
    gh_arena_init(&stream->arena, 4096, 65536);
    gh_buf_format(&peer->log, "begin:%u ", id);
    return &stream->arena;
}

static inline void on_head(void *owner, gh_stream_id id, struct gh_request_head *head)
{
    struct peer *peer = owner;
    (void)stream_of(peer, id);
    peer->head = head;
    gh_buf_format(&peer->log, "head:%u ", id);
    if (peer->in_head)
        peer->in_head(peer, id);
}

static inline void on_body(void *owner, gh_stream_id id, struct gh_str bytes)
{
    struct peer *peer = owner;
    stream_of(peer, id)->owed += bytes.len;
    peer->body_bytes += bytes.len;
    assert_true(bytes.len > 0);
    if (peer->logs_bodies)
        gh_buf_format(&peer->log, "body:%u(%.*s) ", id, GH_STR_ARG(bytes));
    if (peer->pays) {
        stream_of(peer, id)->owed = 0;
        peer->codec->ops->consumed(peer->codec, id, bytes.len);
    }
    if (peer->in_body)
        peer->in_body(peer, id);
}

static inline void on_end(void *owner, gh_stream_id id)
{
    struct peer *peer = owner;
    (void)stream_of(peer, id);
    gh_buf_format(&peer->log, "end:%u ", id);
    if (peer->in_end)
        peer->in_end(peer, id);
}

static inline void on_error(void *owner, gh_stream_id id, enum gh_http_error error)
{
    struct peer *peer = owner;
    (void)stream_of(peer, id);
    peer->error = error;
    gh_buf_format(&peer->log, "error:%u:%d ", id, (int)error);
    if (peer->in_error)
        peer->in_error(peer, id);
}

static inline void on_closed(void *owner, gh_stream_id id)
{
    struct peer *peer = owner;
    struct peer_stream *stream = stream_of(peer, id);
    gh_arena_done(&stream->arena); /* so that any later use is seen */
    stream->id = 0;
    gh_buf_format(&peer->log, "closed:%u ", id);
}

static inline void on_drained(void *owner, gh_stream_id id)
{
    struct peer *peer = owner;
    (void)stream_of(peer, id);
    peer->drained_count++;
    assert_false(peer->codec->ops->is_full(peer->codec, id));
    if (peer->in_drained)
        peer->in_drained(peer, id);
}

static inline bool output(void *owner, const struct gh_str *slices, size_t count)
{
    struct peer *peer = owner;
    assert_in_range(count, 1, 8);
    peer->output_count++;
    if (count > peer->slices_max)
        peer->slices_max = count;
    for (size_t i = 0; i < count; i++) {
        assert_true(slices[i].len > 0 && slices[i].len <= WIRE_MAX - peer->sent_len);
        memcpy(peer->sent + peer->sent_len, slices[i].ptr, slices[i].len);
        peer->sent_len += slices[i].len;
    }
    return !peer->wire_is_full;
}

static const struct gh_codec_events EVENTS = {
    .on_begin = on_begin,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_error = on_error,
    .on_closed = on_closed,
    .output = output,
    .on_drained = on_drained,
};

/* ---- The client writes ---- */

static inline void put_bytes(struct peer *peer, const void *bytes, size_t len)
{
    GH_ASSERT(len <= WIRE_MAX - peer->out_len);
    if (len)
        memcpy(peer->out + peer->out_len, bytes, len);
    peer->out_len += len;
}

static inline void put_frame(struct peer *peer, uint8_t type, unsigned flags, uint32_t id,
                             const void *payload, size_t len)
{
    uint8_t header[9] = {
        (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       (uint8_t)flags,
        (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    put_bytes(peer, header, sizeof(header));
    put_bytes(peer, payload, len);
}

static inline void put_u32_frame(struct peer *peer, uint8_t type, uint32_t id, uint32_t value)
{
    uint8_t payload[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                          (uint8_t)value};
    put_frame(peer, type, 0, id, payload, sizeof(payload));
}

static inline void put_setting(struct peer *peer, uint16_t setting, uint32_t value)
{
    uint8_t payload[6] = {(uint8_t)(setting >> 8), (uint8_t)setting,      (uint8_t)(value >> 24),
                          (uint8_t)(value >> 16),  (uint8_t)(value >> 8), (uint8_t)value};
    put_frame(peer, NGHTTP2_SETTINGS, 0, 0, payload, sizeof(payload));
}

static inline void put_data(struct peer *peer, uint32_t id, const char *text, unsigned flags)
{
    put_frame(peer, NGHTTP2_DATA, flags, id, text, strlen(text));
}

/* The header block of "name=value" lines; nothing is judged or made lower case here. */
static inline size_t deflate(struct peer *peer, const char *lines, uint8_t *block, size_t cap)
{
    static nghttp2_nv items[1024];
    size_t count = 0;
    for (struct gh_str rest = gh_str_from_c(lines); rest.ptr && rest.len;) {
        struct gh_str line = gh_str_split(&rest, '|');
        size_t equals = 1 + gh_str_find_char(gh_str_skip(line, 1), '=');
        struct gh_str value = gh_str_skip(line, equals + 1);
        GH_ASSERT(count < 1024);
        items[count++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)line.ptr,
                                      .namelen = equals,
                                      .value = (uint8_t *)(uintptr_t)value.ptr,
                                      .valuelen = value.len};
    }
    ssize_t len = nghttp2_hd_deflate_hd(peer->deflater, block, cap, items, count);
    GH_ASSERT(len >= 0);
    return (size_t)len;
}

static inline void put_headers(struct peer *peer, uint32_t id, const char *lines, unsigned flags)
{
    static uint8_t block[1 << 18];
    size_t len = deflate(peer, lines, block, sizeof(block)), at = 16384;
    if (len <= at) {
        put_frame(peer, NGHTTP2_HEADERS, flags | DONE, id, block, len);
        return;
    }
    put_frame(peer, NGHTTP2_HEADERS, flags, id, block, at);
    for (; at < len; at += 16384) {
        size_t piece = len - at < 16384 ? len - at : 16384;
        put_frame(peer, NGHTTP2_CONTINUATION, at + piece == len ? DONE : 0, id, block + at, piece);
    }
}

#define TO  ":scheme=https|:authority=a|:path=/"
#define GET ":method=GET|" TO

/* Feeds what was put; false when not all of it was taken. */
static inline bool send_all(struct peer *peer)
{
    /* An exact copy, so that a read past the end is seen. */
    char *bytes = malloc(peer->out_len + 1);
    size_t len = peer->out_len;
    GH_ASSERT(bytes);
    memcpy(bytes, peer->out, len);
    peer->out_len = 0;
    size_t taken = peer->codec->ops->feed(peer->codec, gh_str_of(bytes, len));
    free(bytes);
    return taken == len;
}

/* ---- The client reads ---- */

static inline uint32_t u32_of(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void tell_fields(struct peer *peer, const uint8_t *block, size_t len)
{
    const char *separator = "{";
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t taken = nghttp2_hd_inflate_hd2(peer->inflater, &nv, &flags, block, len, 1);
        GH_ASSERT(taken >= 0);
        block += taken;
        len -= (size_t)taken;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            gh_buf_format(&peer->told, "%s%.*s=%.*s", separator, (int)nv.namelen, nv.name,
                          (int)nv.valuelen, nv.value);
            separator = "|";
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(peer->inflater);
    gh_buf_put(&peer->told, GH_STR("}"));
}

static inline void tell_frame(struct peer *peer, const uint8_t *at, size_t len)
{
    uint32_t id = u32_of(at + 5);
    const uint8_t *payload = at + 9;
    bool ack = at[4] & 1;
    switch (at[3]) {
    case NGHTTP2_SETTINGS:
        gh_buf_format(&peer->told, "SETTINGS%s", ack ? "!" : "");
        break;
    case NGHTTP2_PING:
        gh_buf_format(&peer->told, "PING%s", ack ? "!" : "");
        break;
    case NGHTTP2_WINDOW_UPDATE:
        gh_buf_format(&peer->told, "WINDOW:%u:%u", id, u32_of(payload));
        break;
    case NGHTTP2_HEADERS:
        GH_ASSERT(at[4] & DONE);
        gh_buf_format(&peer->told, "HEADERS:%u", id);
        tell_fields(peer, payload, len);
        break;
    case NGHTTP2_DATA:
        if (len > 32)
            gh_buf_format(&peer->told, "DATA:%u(%zu)", id, len);
        else
            gh_buf_format(&peer->told, "DATA:%u(%.*s)", id, (int)len, payload);
        break;
    case NGHTTP2_RST_STREAM:
        gh_buf_format(&peer->told, "RESET:%u:%u", id, u32_of(payload));
        break;
    case NGHTTP2_GOAWAY:
        gh_buf_format(&peer->told, "GOAWAY:%u:%u", u32_of(payload), u32_of(payload + 4));
        break;
    default:
        gh_buf_format(&peer->told, "FRAME%u:%u", at[3], id);
    }
    bool is_message = at[3] == NGHTTP2_HEADERS || at[3] == NGHTTP2_DATA;
    gh_buf_put(&peer->told, is_message && ack ? GH_STR(". ") : GH_STR(" "));
}

/* What came since the last time, as text. */
static inline const char *told(struct peer *peer)
{
    peer->told.len = 0;
    while (peer->read_len < peer->sent_len) {
        const uint8_t *at = (const uint8_t *)peer->sent + peer->read_len;
        GH_ASSERT(peer->sent_len - peer->read_len >= 9);
        size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        GH_ASSERT(peer->sent_len - peer->read_len >= 9 + len);
        tell_frame(peer, at, len);
        peer->read_len += 9 + len;
    }
    gh_buf_put_char(&peer->told, '\0');
    GH_ASSERT(!peer->told.overflow);
    return peer->told.ptr;
}

static inline void expect_told(struct peer *peer, const char *text)
{
    assert_string_equal(told(peer), text);
}

static inline void expect_log(struct peer *peer, const char *log)
{
    assert_false(peer->log.overflow);
    gh_buf_put_char(&peer->log, '\0');
    assert_string_equal(peer->log.ptr, log);
    peer->log.len = 0;
}

/* True when the text that `told` gave has it. */
static inline bool has(const char *text, const char *part)
{
    return strstr(text, part);
}

/* ---- Answers ---- */

static inline void write_head(struct peer *peer, gh_stream_id id, struct gh_answer_head head,
                              const char *first, bool last)
{
    peer->codec->ops->write_head(peer->codec, id, &head, gh_str_from_c(first), last);
}

static inline void write_body(struct peer *peer, gh_stream_id id, const char *bytes, bool last)
{
    peer->codec->ops->write_body(peer->codec, id, gh_str_from_c(bytes), last);
}

static inline struct gh_answer_head answer(unsigned status, enum gh_body_kind body, uint64_t length)
{
    return (struct gh_answer_head){
        .status = status, .body = body, .content_length = length, .block = GH_STR("")};
}

/* For in_end and in_error. */
static inline void answer_200(struct peer *peer, gh_stream_id id)
{
    write_head(peer, id, answer(200, GH_BODY_LENGTH, 2), "ok", true);
}

static inline void answer_400(struct peer *peer, gh_stream_id id)
{
    write_head(peer, id, answer(400, GH_BODY_LENGTH, 2), "no", true);
}

/* ---- Beginning and end ---- */

static inline void put_preface(struct peer *peer)
{
    put_bytes(peer, GH_H2_PREFACE, GH_H2_PREFACE_BYTES);
    put_frame(peer, NGHTTP2_SETTINGS, 0, 0, "", 0);
}

/* A connection before its first byte. */
static inline struct peer *open_silent_peer(const struct gh_codec_limits *limits)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    GH_ASSERT(peer);
    peer->sent = malloc(WIRE_MAX);
    peer->out = malloc(WIRE_MAX);
    GH_ASSERT(peer->sent && peer->out);
    peer->log = gh_buf_over(peer->log_bytes, sizeof(peer->log_bytes));
    peer->told = gh_buf_over(peer->told_bytes, sizeof(peer->told_bytes));
    peer->logs_bodies = peer->pays = true;
    GH_ASSERT(nghttp2_hd_deflate_new(&peer->deflater, 4096) == 0);
    GH_ASSERT(nghttp2_hd_inflate_new(&peer->inflater) == 0);
    GH_ASSERT(gh_h2_codec_open(&EVENTS, peer, limits, NULL, &peer->codec) == GH_OK);
    gh_h2_codec_set_now(peer->codec, 1000);
    return peer;
}

/* A connection with its settings said and acknowledged. */
static inline struct peer *open_peer(void)
{
    struct peer *peer = open_silent_peer(&LIMITS);
    put_preface(peer);
    assert_true(send_all(peer));
    (void)told(peer);
    put_frame(peer, NGHTTP2_SETTINGS, 1, 0, "", 0);
    assert_true(send_all(peer));
    return peer;
}

static inline void close_peer(struct peer *peer)
{
    peer->codec->ops->done(peer->codec);
    for (size_t i = 0; i < PEER_STREAMS; i++)
        assert_int_equal(peer->streams[i].id, 0);
    nghttp2_hd_deflate_del(peer->deflater);
    nghttp2_hd_inflate_del(peer->inflater);
    free(peer->sent);
    free(peer->out);
    free(peer);
}

#endif
