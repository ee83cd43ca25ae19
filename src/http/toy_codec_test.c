/*
 * A toy protocol with streams that interleave, as a codec. An exchange that knows only codec.h
 * serves it and HTTP/1.1 alike: what HTTP/2 needs of the interface (several streams, credit for
 * each, a reset that leaves the connection alone) is there.
 *
 * A frame is a stream digit, a type and a digit of length, then that many bytes. From the client:
 * H head (the path), B body, E end. From the server: h status, b body, e end, r reset.
 */
#include "http/h1_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"

/* ---- The codec ---- */

#define TOY_STREAMS      2
#define TOY_UNPAID_MAX   12
#define TOY_HEADER_BYTES 3

struct toy_stream {
    gh_stream_id id; /* 0: free */
    struct gh_request_head head;
    bool request_done, answer_done;
    size_t unpaid;
};

struct toy_codec {
    struct gh_codec base;
    struct toy_stream streams[TOY_STREAMS];
    bool closed;
};

static struct toy_codec *toy_of(struct gh_codec *codec)
{
    return (struct toy_codec *)codec;
}

static struct toy_stream *toy_find(struct toy_codec *toy, gh_stream_id id)
{
    for (size_t i = 0; i < TOY_STREAMS; i++) {
        if (toy->streams[i].id == id)
            return &toy->streams[i];
    }
    return NULL;
}

static void toy_put(struct toy_codec *toy, gh_stream_id id, char type, struct gh_str payload)
{
    char header[TOY_HEADER_BYTES] = {(char)('0' + id), type, (char)('0' + payload.len)};
    struct gh_str slices[2] = {gh_str_of(header, sizeof(header)), payload};
    toy->base.events->output(toy->base.owner, slices, payload.len ? 2 : 1);
}

static void toy_end_if_over(struct toy_codec *toy, struct toy_stream *stream)
{
    if (!stream->request_done || !stream->answer_done)
        return;
    gh_stream_id id = stream->id;
    *stream = (struct toy_stream){0};
    toy->base.events->on_closed(toy->base.owner, id);
}

static void toy_begin(struct toy_codec *toy, gh_stream_id id, struct gh_str path)
{
    struct toy_stream *stream = toy_find(toy, 0);
    struct gh_arena *arena = stream ? toy->base.events->on_begin(toy->base.owner, id) : NULL;
    if (!arena) {
        toy->closed = true;
        return;
    }
    stream->id = id;
    stream->head.method = GH_METHOD_POST;
    stream->head.path = gh_arena_dup(arena, path);
    toy->base.events->on_head(toy->base.owner, id, &stream->head);
}

static void toy_read(struct toy_codec *toy, gh_stream_id id, char type, struct gh_str payload)
{
    struct toy_stream *stream = toy_find(toy, id);
    if (type == 'H' && !stream) {
        toy_begin(toy, id, payload);
    } else if (type == 'B' && stream) {
        stream->unpaid += payload.len;
        toy->base.events->on_body(toy->base.owner, id, payload);
    } else if (type == 'E' && stream) {
        stream->request_done = true;
        toy->base.events->on_end(toy->base.owner, id);
        stream = toy_find(toy, id);
        if (stream)
            toy_end_if_over(toy, stream);
    }
}

static bool toy_wants_input(const struct gh_codec *codec)
{
    const struct toy_codec *toy = (const struct toy_codec *)codec;
    size_t unpaid = 0;
    for (size_t i = 0; i < TOY_STREAMS; i++)
        unpaid += toy->streams[i].unpaid;
    return !toy->closed && unpaid < TOY_UNPAID_MAX;
}

static size_t toy_feed(struct gh_codec *codec, struct gh_str bytes)
{
    size_t taken = 0;
    while (toy_wants_input(codec) && bytes.len - taken >= TOY_HEADER_BYTES) {
        const char *frame = bytes.ptr + taken;
        size_t len = (size_t)(frame[2] - '0');
        if (bytes.len - taken < TOY_HEADER_BYTES + len)
            break;
        taken += TOY_HEADER_BYTES + len;
        toy_read(toy_of(codec), (gh_stream_id)(frame[0] - '0'), frame[1],
                 gh_str_of(frame + TOY_HEADER_BYTES, len));
    }
    return taken;
}

static void toy_write_continue(struct gh_codec *codec, gh_stream_id id)
{
    (void)codec;
    (void)id;
}

static void toy_write_body(struct gh_codec *codec, gh_stream_id id, struct gh_str bytes,
                           bool is_last)
{
    struct toy_codec *toy = toy_of(codec);
    struct toy_stream *stream = toy_find(toy, id);
    if (!stream)
        return;
    if (bytes.len)
        toy_put(toy, id, 'b', bytes);
    if (!is_last)
        return;
    toy_put(toy, id, 'e', GH_STR(""));
    stream->answer_done = true;
    toy_end_if_over(toy, stream);
}

static void toy_write_head(struct gh_codec *codec, gh_stream_id id,
                           const struct gh_answer_head *head, struct gh_str first, bool is_last)
{
    char status[8];
    snprintf(status, sizeof(status), "%u", head->status);
    if (!toy_find(toy_of(codec), id))
        return;
    toy_put(toy_of(codec), id, 'h', gh_str_from_c(status));
    toy_write_body(codec, id, first, is_last);
}

static bool toy_is_full(const struct gh_codec *codec, gh_stream_id id)
{
    (void)codec;
    (void)id;
    return false;
}

static void toy_consumed(struct gh_codec *codec, gh_stream_id id, size_t bytes)
{
    struct toy_stream *stream = toy_find(toy_of(codec), id);
    if (stream)
        stream->unpaid -= bytes;
}

static void toy_reset(struct gh_codec *codec, gh_stream_id id)
{
    struct toy_codec *toy = toy_of(codec);
    struct toy_stream *stream = toy_find(toy, id);
    if (!stream)
        return;
    toy_put(toy, id, 'r', GH_STR(""));
    stream->request_done = stream->answer_done = true;
    toy_end_if_over(toy, stream);
}

static void toy_on_writable(struct gh_codec *codec)
{
    (void)codec;
}

static bool toy_wants_close(const struct gh_codec *codec)
{
    return ((const struct toy_codec *)codec)->closed;
}

static void toy_done(struct gh_codec *codec)
{
    for (size_t i = 0; i < TOY_STREAMS; i++) {
        if (toy_of(codec)->streams[i].id)
            toy_reset(codec, toy_of(codec)->streams[i].id);
    }
}

static const struct gh_codec_ops TOY_OPS = {
    .feed = toy_feed,
    .wants_input = toy_wants_input,
    .write_continue = toy_write_continue,
    .write_head = toy_write_head,
    .write_body = toy_write_body,
    .is_full = toy_is_full,
    .consumed = toy_consumed,
    .reset = toy_reset,
    .on_writable = toy_on_writable,
    .wants_close = toy_wants_close,
    .done = toy_done,
};

/* ---- A minimal exchange: answers with what it got, knowing no protocol ---- */

#define EXCHANGES 4

struct exchange {
    gh_stream_id stream; /* 0: free */
    struct gh_arena arena;
    char held[64];
    size_t held_len, owed;
    bool withholds; /* does not pay back until the end */
};

struct server {
    struct gh_codec *codec;
    struct exchange exchanges[EXCHANGES];
    char wire_bytes[1024];
    struct gh_buf wire;
    size_t closed_count;
};

static struct exchange *exchange_of(struct server *server, gh_stream_id stream)
{
    for (size_t i = 0; i < EXCHANGES; i++) {
        if (server->exchanges[i].stream == stream)
            return &server->exchanges[i];
    }
    GH_ASSERT(!"a stream without exchange");
    return NULL;
}

static struct gh_arena *on_begin(void *owner, gh_stream_id stream)
{
    struct exchange *exchange = exchange_of(owner, 0);
    *exchange = (struct exchange){.stream = stream};
    gh_arena_init(&exchange->arena, 4096, 65536);
    return &exchange->arena;
}

static void on_head(void *owner, gh_stream_id stream, struct gh_request_head *head)
{
    struct server *server = owner;
    struct exchange *exchange = exchange_of(server, stream);
    if (gh_str_eq(head->path, GH_STR("/no"))) {
        struct gh_answer_head refusal = {.status = 403};
        server->codec->ops->write_head(server->codec, stream, &refusal, GH_STR(""), true);
    }
    exchange->withholds = gh_str_eq(head->path, GH_STR("/slow"));
}

static void on_body(void *owner, gh_stream_id stream, struct gh_str bytes)
{
    struct server *server = owner;
    struct exchange *exchange = exchange_of(server, stream);
    GH_ASSERT(bytes.len <= sizeof(exchange->held) - exchange->held_len);
    memcpy(exchange->held + exchange->held_len, bytes.ptr, bytes.len);
    exchange->held_len += bytes.len;
    if (exchange->withholds)
        exchange->owed += bytes.len;
    else
        server->codec->ops->consumed(server->codec, stream, bytes.len);
}

static void on_end(void *owner, gh_stream_id stream)
{
    struct server *server = owner;
    struct exchange *exchange = exchange_of(server, stream);
    struct gh_answer_head head = {
        .status = 200, .body = GH_BODY_LENGTH, .content_length = exchange->held_len};
    server->codec->ops->write_head(server->codec, stream, &head,
                                   gh_str_of(exchange->held, exchange->held_len), true);
}

static void on_error(void *owner, gh_stream_id stream, enum gh_http_error error)
{
    (void)error;
    struct server *server = owner;
    server->codec->ops->reset(server->codec, stream);
}

static void on_closed(void *owner, gh_stream_id stream)
{
    struct server *server = owner;
    struct exchange *exchange = exchange_of(server, stream);
    gh_arena_done(&exchange->arena);
    exchange->stream = 0;
    server->closed_count++;
}

static bool output(void *owner, const struct gh_str *slices, size_t count)
{
    struct server *server = owner;
    for (size_t i = 0; i < count; i++)
        gh_buf_put(&server->wire, slices[i]);
    return true;
}

static void on_drained(void *owner, gh_stream_id stream)
{
    (void)owner;
    (void)stream;
    GH_ASSERT(!"neither codec keeps anything");
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

static void open_server(struct server *server, struct gh_codec *codec)
{
    *server = (struct server){.codec = codec};
    server->wire = gh_buf_over(server->wire_bytes, sizeof(server->wire_bytes));
}

static void open_toy(struct server *server, struct toy_codec *toy)
{
    open_server(server, &toy->base);
    *toy = (struct toy_codec){.base = {.ops = &TOY_OPS, .events = &EVENTS, .owner = server}};
}

static void expect_wire(struct server *server, const char *wire)
{
    gh_buf_put_char(&server->wire, '\0');
    assert_string_equal(server->wire.ptr, wire);
    server->wire.len = 0;
}

static size_t feed(struct server *server, const char *text)
{
    return server->codec->ops->feed(server->codec, gh_str_from_c(text));
}

/* ---- Tests ---- */

static void the_same_exchange_serves_http_1_1(void **state)
{
    (void)state;
    struct server server;
    struct gh_h1_codec h1;
    const struct gh_codec_limits limits = {16384, 8192, 100};
    open_server(&server, &h1.base);
    gh_h1_codec_init(&h1, &EVENTS, &server, &limits);
    feed(&server, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd");
    expect_wire(&server, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd");
    feed(&server, "POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd");
    expect_wire(&server, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    server.codec->ops->done(server.codec);
    assert_int_equal(server.closed_count, 2);
}

static void serves_two_streams_that_interleave(void **state)
{
    (void)state;
    struct server server;
    struct toy_codec toy;
    open_toy(&server, &toy);
    assert_int_equal(feed(&server, "1H2/a"
                                   "2H2/b"
                                   "1B2ab"
                                   "2B2xy"
                                   "1B1c"
                                   "2E0"
                                   "1E0"),
                     30);
    expect_wire(&server, "2h3200"
                         "2b2xy"
                         "2e0"
                         "1h3200"
                         "1b3abc"
                         "1e0");
    assert_int_equal(server.closed_count, 2);
    toy_done(server.codec);
}

static void an_early_answer_on_one_stream_leaves_the_other_alone(void **state)
{
    (void)state;
    struct server server;
    struct toy_codec toy;
    open_toy(&server, &toy);
    feed(&server, "1H2/a"
                  "2H3/no"
                  "1B2ab");
    expect_wire(&server, "2h3403"
                         "2e0");
    assert_int_equal(server.closed_count, 0);
    toy_reset(server.codec, 2);
    assert_int_equal(server.closed_count, 1);
    assert_false(server.codec->ops->wants_close(server.codec));
    feed(&server, "1E0");
    expect_wire(&server, "2r0"
                         "1h3200"
                         "1b2ab"
                         "1e0");
    toy_done(server.codec);
}

static void unpaid_bytes_of_one_stream_stop_the_input(void **state)
{
    (void)state;
    struct server server;
    struct toy_codec toy;
    open_toy(&server, &toy);
    assert_int_equal(feed(&server, "1H5/slow"
                                   "1B9012345678"
                                   "1B3abc"
                                   "1E0"),
                     8 + 12 + 6);
    assert_false(server.codec->ops->wants_input(server.codec));
    server.codec->ops->consumed(server.codec, 1, 12);
    assert_true(server.codec->ops->wants_input(server.codec));
    feed(&server, "1E0");
    assert_int_equal(server.closed_count, 1);
    toy_done(server.codec);
}

static void a_stream_too_many_ends_the_connection(void **state)
{
    (void)state;
    struct server server;
    struct toy_codec toy;
    open_toy(&server, &toy);
    feed(&server, "1H1/"
                  "2H1/"
                  "3H1/");
    assert_true(server.codec->ops->wants_close(server.codec));
    toy_done(server.codec);
    assert_int_equal(server.closed_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_exchange_serves_http_1_1),
        cmocka_unit_test(serves_two_streams_that_interleave),
        cmocka_unit_test(an_early_answer_on_one_stream_leaves_the_other_alone),
        cmocka_unit_test(unpaid_bytes_of_one_stream_stop_the_input),
        cmocka_unit_test(a_stream_too_many_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
