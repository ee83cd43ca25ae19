/*
 * For the tests of the HTTP/1.1 codec: an owner that logs the events and keeps what was written,
 * and a few requests. The includer has included cmocka.
 */
#ifndef GH_HTTP_H1_TEST_PEER_H
#define GH_HTTP_H1_TEST_PEER_H

#include "base/buf.h"
#include "http/h1_codec.h"

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 16384, .target_bytes_max = 8192, .field_count_max = 100};

struct peer {
    struct gh_h1_codec h1;
    struct gh_codec *codec;
    struct gh_arena arena;
    char log_bytes[1024], wire_bytes[8192];
    struct gh_buf log, wire; /* events by name; what was written */
    size_t body_bytes, closed_count;
    gh_stream_id stream;
    struct gh_request_head *head;
    bool refuse_begin;
    void (*in_head)(struct peer *peer);
    void (*in_body)(struct peer *peer);
    void (*in_output)(struct peer *peer);
};

static inline struct gh_arena *on_begin(void *owner, gh_stream_id stream)
{
    struct peer *peer = owner;
    gh_buf_put(&peer->log, GH_STR("begin "));
    peer->stream = stream;
    return peer->refuse_begin ? NULL : &peer->arena;
}

static inline void on_head(void *owner, gh_stream_id stream, struct gh_request_head *head)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_put(&peer->log, GH_STR("head "));
    peer->head = head;
    if (peer->in_head)
        peer->in_head(peer);
}

static inline void on_body(void *owner, gh_stream_id stream, struct gh_str bytes)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_put(&peer->log, GH_STR("body "));
    peer->body_bytes += bytes.len;
    if (peer->in_body)
        peer->in_body(peer);
}

static inline void on_end(void *owner, gh_stream_id stream)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_put(&peer->log, GH_STR("end "));
}

static inline void on_error(void *owner, gh_stream_id stream, enum gh_http_error error)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_format(&peer->log, "error%d ", (int)error);
}

static inline void on_closed(void *owner, gh_stream_id stream)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_put(&peer->log, GH_STR("closed "));
    peer->closed_count++;
    gh_arena_done(&peer->arena); /* so that any later use is seen */
}

static inline bool output(void *owner, const struct gh_str *slices, size_t count)
{
    struct peer *peer = owner;
    assert_in_range(count, 1, 8);
    for (size_t i = 0; i < count; i++) {
        assert_true(slices[i].len > 0);
        gh_buf_put(&peer->wire, slices[i]);
    }
    if (peer->in_output)
        peer->in_output(peer);
    return true;
}

static inline void on_drained(void *owner, gh_stream_id stream)
{
    (void)owner;
    (void)stream;
    fail_msg("HTTP/1.1 keeps nothing");
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

static inline struct peer *open_peer(void)
{
    static struct peer peer;
    memset(&peer, 0, sizeof(peer));
    peer.log = gh_buf_over(peer.log_bytes, sizeof(peer.log_bytes));
    peer.wire = gh_buf_over(peer.wire_bytes, sizeof(peer.wire_bytes));
    gh_arena_init(&peer.arena, 4096, 65536);
    gh_h1_codec_init(&peer.h1, &EVENTS, &peer, &LIMITS);
    peer.codec = &peer.h1.base;
    return &peer;
}

static inline size_t feed(struct peer *peer, const char *text)
{
    return peer->codec->ops->feed(peer->codec, gh_str_from_c(text));
}

static inline void expect_log(struct peer *peer, const char *log)
{
    assert_false(peer->log.overflow);
    gh_buf_put_char(&peer->log, '\0');
    assert_string_equal(peer->log.ptr, log);
    peer->log.len = 0;
}

static inline void expect_wire(struct peer *peer, const char *wire)
{
    assert_false(peer->wire.overflow);
    gh_buf_put_char(&peer->wire, '\0');
    assert_string_equal(peer->wire.ptr, wire);
    peer->wire.len = 0;
}

static inline void close_peer(struct peer *peer)
{
    peer->codec->ops->done(peer->codec);
    gh_arena_done(&peer->arena);
}

static inline void write_head(struct peer *peer, struct gh_answer_head head, const char *first,
                              bool last)
{
    peer->codec->ops->write_head(peer->codec, peer->stream, &head, gh_str_from_c(first), last);
}

static inline void write_body(struct peer *peer, const char *bytes, bool last)
{
    peer->codec->ops->write_body(peer->codec, peer->stream, gh_str_from_c(bytes), last);
}

static inline struct gh_answer_head answer(unsigned status, enum gh_body_kind body, uint64_t length)
{
    return (struct gh_answer_head){.status = status, .body = body, .content_length = length};
}

#define GET     "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET10   "GET / HTTP/1.0\r\nHost: a\r\n\r\n"
#define HEAD    "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST5   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define EXPECT5 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
#define UPGRADE "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

#endif
