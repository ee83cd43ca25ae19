/* The answering side of the HTTP/1.1 codec, and the order of events; requests are in transcripts.
 */
#include "http/h1_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"

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

static struct gh_arena *on_begin(void *owner, gh_stream_id stream)
{
    struct peer *peer = owner;
    gh_buf_put(&peer->log, GH_STR("begin "));
    peer->stream = stream;
    return peer->refuse_begin ? NULL : &peer->arena;
}

static void on_head(void *owner, gh_stream_id stream, struct gh_request_head *head)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_put(&peer->log, GH_STR("head "));
    peer->head = head;
    if (peer->in_head)
        peer->in_head(peer);
}

static void on_body(void *owner, gh_stream_id stream, struct gh_str bytes)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_put(&peer->log, GH_STR("body "));
    peer->body_bytes += bytes.len;
    if (peer->in_body)
        peer->in_body(peer);
}

static void on_end(void *owner, gh_stream_id stream)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_put(&peer->log, GH_STR("end "));
}

static void on_error(void *owner, gh_stream_id stream, enum gh_http_error error)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_format(&peer->log, "error%d ", (int)error);
}

static void on_closed(void *owner, gh_stream_id stream)
{
    struct peer *peer = owner;
    assert_int_equal(stream, peer->stream);
    gh_buf_put(&peer->log, GH_STR("closed "));
    peer->closed_count++;
    gh_arena_done(&peer->arena); /* so that any later use is seen */
}

static void output(void *owner, const struct gh_str *slices, size_t count)
{
    struct peer *peer = owner;
    assert_in_range(count, 1, 8);
    for (size_t i = 0; i < count; i++) {
        assert_true(slices[i].len > 0);
        gh_buf_put(&peer->wire, slices[i]);
    }
    if (peer->in_output)
        peer->in_output(peer);
}

static const struct gh_codec_events EVENTS = {on_begin, on_head,   on_body, on_end,
                                              on_error, on_closed, output};

static struct peer *open_peer(void)
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

static size_t feed(struct peer *peer, const char *text)
{
    return peer->codec->ops->feed(peer->codec, gh_str_from_c(text));
}

static void expect_log(struct peer *peer, const char *log)
{
    assert_false(peer->log.overflow);
    gh_buf_put_char(&peer->log, '\0');
    assert_string_equal(peer->log.ptr, log);
    peer->log.len = 0;
}

static void expect_wire(struct peer *peer, const char *wire)
{
    assert_false(peer->wire.overflow);
    gh_buf_put_char(&peer->wire, '\0');
    assert_string_equal(peer->wire.ptr, wire);
    peer->wire.len = 0;
}

static void close_peer(struct peer *peer)
{
    peer->codec->ops->done(peer->codec);
    gh_arena_done(&peer->arena);
}

static void write_head(struct peer *peer, struct gh_answer_head head, const char *first, bool last)
{
    peer->codec->ops->write_head(peer->codec, peer->stream, &head, gh_str_from_c(first), last);
}

static void write_body(struct peer *peer, const char *bytes, bool last)
{
    peer->codec->ops->write_body(peer->codec, peer->stream, gh_str_from_c(bytes), last);
}

static struct gh_answer_head answer(unsigned status, enum gh_body_kind body, uint64_t length)
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

static void writes_an_answer_of_known_length_in_one_go(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    struct gh_field fields[] = {
        {.name = GH_STR("X-A"), .value = GH_STR("1")},
        {.name = GH_STR("X-B"), .value = GH_STR("2"), .dropped = true},
        {.name = GH_STR("X-C"), .value = GH_STR("")},
    };
    struct gh_answer_head head = answer(200, GH_BODY_LENGTH, 5);
    head.fields = fields;
    head.field_count = 3;
    head.block = GH_STR("X-Block: b\r\n");
    assert_int_equal(feed(peer, GET), sizeof(GET) - 1);
    expect_log(peer, "begin head end ");
    write_head(peer, head, "hello", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nX-A: 1\r\nX-C: \r\nX-Block: b\r\n"
                      "Content-Length: 5\r\n\r\nhello");
    expect_log(peer, "closed ");
    assert_false(peer->codec->ops->wants_close(peer->codec));
    assert_true(peer->codec->ops->wants_input(peer->codec));
    feed(peer, GET);
    assert_int_equal(peer->stream, 2);
    close_peer(peer);
    assert_int_equal(peer->closed_count, 2);
}

static void leaves_out_the_fields_that_are_its_own(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    struct gh_field fields[] = {
        {.name = GH_STR("content-length"), .value = GH_STR("99")},
        {.name = GH_STR("Transfer-Encoding"),
         .value = GH_STR("chunked"),
         .id = GH_FIELD_TRANSFER_ENCODING},
        {.name = GH_STR("Connection"), .value = GH_STR("keep-alive")},
        {.name = GH_STR("Keep-Alive"), .value = GH_STR("timeout=5")},
        {.name = GH_STR("Upgrade"), .value = GH_STR("h2c")},
        {.name = GH_STR("Trailer"), .value = GH_STR("X")},
    };
    struct gh_answer_head head = answer(200, GH_BODY_NONE, 0);
    head.fields = fields;
    head.field_count = 6;
    feed(peer, GET);
    write_head(peer, head, "", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    close_peer(peer);
}

static void writes_chunks_when_the_length_is_unknown(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, GET);
    write_head(peer, answer(200, GH_BODY_CLOSE, 0), "ab", false);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
    write_body(peer, "", false);
    expect_wire(peer, "");
    write_body(peer, "0123456789abcdef", false);
    expect_wire(peer, "10\r\n0123456789abcdef\r\n");
    write_body(peer, "z", true);
    expect_wire(peer, "1\r\nz\r\n0\r\n\r\n");
    expect_log(peer, "begin head end closed ");
    feed(peer, GET);
    write_head(peer, answer(200, GH_BODY_CHUNKED, 0), "", false);
    write_body(peer, "", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    close_peer(peer);
}

static void closes_instead_of_chunks_for_http_1_0(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    write_head(peer, answer(200, GH_BODY_CLOSE, 0), "ab", false);
    write_body(peer, "cd", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcd");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    assert_int_equal(feed(peer, GET), 0);
    close_peer(peer);
}

static void says_whether_the_connection_goes_on(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    write_head(peer, answer(200, GH_BODY_NONE, 0), "", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    feed(peer, GET10);
    write_head(peer, answer(200, GH_BODY_NONE, 0), "", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);

    peer = open_peer();
    struct gh_answer_head head = answer(200, GH_BODY_NONE, 0);
    head.close = true;
    feed(peer, GET);
    write_head(peer, head, "", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void writes_no_body_for_head_204_and_304(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, HEAD);
    write_head(peer, answer(200, GH_BODY_LENGTH, 5), "hello", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    feed(peer, HEAD);
    write_head(peer, answer(200, GH_BODY_CHUNKED, 0), "", false);
    write_body(peer, "x", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\n\r\n");
    feed(peer, GET);
    write_head(peer, answer(204, GH_BODY_NONE, 0), "", true);
    expect_wire(peer, "HTTP/1.1 204 No Content\r\n\r\n");
    feed(peer, GET);
    write_head(peer, answer(304, GH_BODY_LENGTH, 5), "hello", true);
    expect_wire(peer, "HTTP/1.1 304 Not Modified\r\n\r\n");
    assert_int_equal(peer->closed_count, 4);
    close_peer(peer);
}

static void takes_no_pipelined_request_before_the_answer(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    assert_int_equal(feed(peer, GET GET), sizeof(GET) - 1);
    assert_false(peer->codec->ops->wants_input(peer->codec));
    assert_int_equal(feed(peer, GET), 0);
    write_head(peer, answer(200, GH_BODY_LENGTH, 1), "", false);
    assert_int_equal(feed(peer, GET), 0);
    write_body(peer, "x", true);
    assert_int_equal(feed(peer, GET), sizeof(GET) - 1);
    close_peer(peer);
}

static void answer_in_head_event(struct peer *peer)
{
    write_head(peer, answer(413, GH_BODY_NONE, 0), "", true);
    assert_int_equal(peer->closed_count, peer->stream - 1); /* the head is still in use */
    assert_int_equal(peer->head->fields.count > 0, 1);
}

static void discards_the_body_after_an_early_answer(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_head = answer_in_head_event;
    assert_int_equal(feed(peer, POST5 "he"), sizeof(POST5) - 1 + 2);
    expect_log(peer, "begin head ");
    assert_false(peer->codec->ops->wants_close(peer->codec));
    assert_true(peer->codec->ops->wants_input(peer->codec));
    peer->in_head = NULL;
    assert_int_equal(feed(peer, "llo" GET), 3 + sizeof(GET) - 1);
    expect_log(peer, "closed begin head end ");
    close_peer(peer);
}

static void answer_inside_on_head_is_followed_by_closed_only(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_head = answer_in_head_event;
    assert_int_equal(feed(peer, GET GET), 2 * (sizeof(GET) - 1));
    expect_log(peer, "begin head closed begin head closed ");
    close_peer(peer);
}

static void closes_when_a_discarded_body_is_malformed(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_head = answer_in_head_event;
    feed(peer, CHUNKED "zz\r\n");
    expect_log(peer, "begin head closed ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void discards_before_it_closes_after_an_early_answer(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    struct gh_answer_head head = answer(413, GH_BODY_NONE, 0);
    head.close = true;
    feed(peer, POST5);
    write_head(peer, head, "", true);
    expect_wire(peer, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n");
    assert_false(peer->codec->ops->wants_close(peer->codec));
    assert_int_equal(feed(peer, "hello" GET), 5);
    expect_log(peer, "begin head closed ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void goes_on_with_the_body_while_the_answer_streams(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, POST5);
    write_head(peer, answer(200, GH_BODY_CLOSE, 0), "x", false);
    feed(peer, "hello");
    expect_log(peer, "begin head body end ");
    write_body(peer, "", true);
    expect_log(peer, "closed ");
    close_peer(peer);
}

static void answers_a_refused_request_and_closes(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    assert_int_equal(feed(peer, "GET / HTTP/1.1\r\n\r\n" GET), 18);
    expect_log(peer, "begin error2 ");
    assert_false(peer->codec->ops->wants_close(peer->codec));
    assert_false(peer->codec->ops->wants_input(peer->codec));
    write_head(peer, answer(400, GH_BODY_LENGTH, 3), "bad", true);
    expect_wire(peer, "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n"
                      "Connection: close\r\n\r\nbad");
    expect_log(peer, "closed ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
    assert_int_equal(peer->closed_count, 1);
}

static void can_answer_before_the_head_is_complete(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, "GET / HT");
    write_head(peer, answer(408, GH_BODY_NONE, 0), "", true);
    expect_wire(peer, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n");
    expect_log(peer, "begin closed ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void a_reset_answer_does_not_look_complete(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, GET);
    write_head(peer, answer(200, GH_BODY_CLOSE, 0), "x", false);
    peer->codec->ops->reset(peer->codec, peer->stream);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    expect_log(peer, "begin head end closed ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    peer->codec->ops->reset(peer->codec, peer->stream);
    write_body(peer, "late", true);
    expect_wire(peer, "");
    close_peer(peer);
    assert_int_equal(peer->closed_count, 1);
}

static void an_answer_shorter_than_its_length_is_broken_off(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, GET);
    write_head(peer, answer(200, GH_BODY_LENGTH, 5), "hel", true);
    expect_log(peer, "begin head end closed ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void reset_now(struct peer *peer)
{
    peer->codec->ops->reset(peer->codec, peer->stream);
}

static void can_be_reset_inside_every_event(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_head = reset_now;
    feed(peer, POST5 "hello");
    expect_log(peer, "begin head closed ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);

    peer = open_peer();
    peer->in_body = reset_now;
    feed(peer, POST5 "hello" GET);
    expect_log(peer, "begin head body closed ");
    close_peer(peer);

    peer = open_peer();
    peer->in_output = reset_now;
    feed(peer, GET);
    write_head(peer, answer(200, GH_BODY_LENGTH, 1), "x", true);
    expect_log(peer, "begin head end closed ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void writes_100_continue_once(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, EXPECT5);
    peer->codec->ops->write_continue(peer->codec, peer->stream);
    peer->codec->ops->write_continue(peer->codec, peer->stream);
    expect_wire(peer, "HTTP/1.1 100 Continue\r\n\r\n");
    feed(peer, "hello");
    write_head(peer, answer(200, GH_BODY_NONE, 0), "", true);
    expect_wire(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    feed(peer, POST5);
    peer->codec->ops->write_continue(peer->codec, peer->stream);
    expect_wire(peer, "");
    close_peer(peer);
}

static void closes_when_it_can_not_know_whether_the_body_comes(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, EXPECT5);
    write_head(peer, answer(403, GH_BODY_NONE, 0), "", true);
    expect_wire(peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n"
                      "Connection: close\r\n\r\n");
    close_peer(peer);

    peer = open_peer();
    feed(peer, EXPECT5 "he");
    write_head(peer, answer(403, GH_BODY_NONE, 0), "", true);
    expect_wire(peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    close_peer(peer);
}

static void writes_interim_answers_before_the_final_one(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, GET);
    write_head(peer, answer(103, GH_BODY_NONE, 0), "", false);
    write_head(peer, answer(200, GH_BODY_NONE, 0), "", true);
    expect_wire(peer, "HTTP/1.1 103 Early Hints\r\n\r\n"
                      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    close_peer(peer);

    peer = open_peer();
    feed(peer, GET10);
    write_head(peer, answer(103, GH_BODY_NONE, 0), "", false);
    expect_wire(peer, "");
    close_peer(peer);
}

static void becomes_a_tunnel_and_takes_no_more_bytes(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    struct gh_field upgrade = {.name = GH_STR("Upgrade"), .value = GH_STR("websocket")};
    struct gh_answer_head head = {
        .status = 101, .tunnel = true, .fields = &upgrade, .field_count = 1};
    assert_int_equal(feed(peer, UPGRADE "raw"), sizeof(UPGRADE) - 1);
    write_head(peer, head, "\x81", false);
    expect_wire(peer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\n\r\n\x81");
    assert_int_equal(peer->h1.state, GH_H1_TUNNEL);
    assert_int_equal(feed(peer, "raw"), 0);
    write_body(peer, "more", false);
    expect_wire(peer, "more");
    expect_log(peer, "begin head end ");
    peer->codec->ops->reset(peer->codec, peer->stream);
    expect_log(peer, "closed ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void takes_no_more_than_the_bound_of_unpaid_bytes(void **state)
{
    (void)state;
    static char chunk[100000];
    struct peer *peer = open_peer();
    memset(chunk, 'x', sizeof(chunk));
    feed(peer, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    size_t taken = 0;
    for (int i = 0; i < 5; i++)
        taken += peer->codec->ops->feed(peer->codec, gh_str_of(chunk, sizeof(chunk)));
    assert_int_equal(taken, GH_H1_UNPAID_BYTES_MAX);
    assert_int_equal(peer->body_bytes, taken);
    assert_false(peer->codec->ops->wants_input(peer->codec));
    peer->codec->ops->consumed(peer->codec, peer->stream, 10);
    assert_true(peer->codec->ops->wants_input(peer->codec));
    assert_int_equal(feed(peer, "0123456789abc"), 10);
    /* After the answer nothing has to be paid any more. */
    write_head(peer, answer(413, GH_BODY_NONE, 0), "", true);
    assert_int_equal(peer->codec->ops->feed(peer->codec, gh_str_of(chunk, sizeof(chunk))),
                     sizeof(chunk));
    close_peer(peer);
}

static void closes_when_the_owner_refuses_a_stream(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->refuse_begin = true;
    assert_int_equal(feed(peer, GET), 0);
    assert_true(peer->codec->ops->wants_close(peer->codec));
    expect_log(peer, "begin ");
    close_peer(peer);
    assert_int_equal(peer->closed_count, 0);
}

static void reports_an_arena_that_is_full(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    gh_arena_init(&peer->arena, 64, 64);
    feed(peer, GET);
    expect_log(peer, "begin error12 ");
    assert_int_equal(GH_HTTP_ERROR_MEMORY, 12);
    /* There is no room for an answer either: the connection just ends. */
    write_head(peer, answer(503, GH_BODY_NONE, 0), "", true);
    expect_wire(peer, "");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void done_closes_a_stream_that_is_open(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    feed(peer, POST5 "he");
    peer->codec->ops->done(peer->codec);
    peer->codec->ops->done(peer->codec);
    expect_log(peer, "begin head body closed ");
    gh_arena_done(&peer->arena);
}

static void keeps_a_long_head_that_comes_in_pieces(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    char text[12000];
    int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset(text + len, 'x', sizeof(text) - (size_t)len - 4);
    memcpy(text + sizeof(text) - 4, "\r\n\r\n", 4);
    for (size_t at = 0; at < sizeof(text); at += 1000)
        assert_int_equal(peer->codec->ops->feed(peer->codec, gh_str_of(text + at, 1000)), 1000);
    expect_log(peer, "begin head end ");
    assert_int_equal(peer->head->fields.items[1].value.len, sizeof(text) - (size_t)len - 4);
    close_peer(peer);
}

static void feeds_inside_events_take_nothing(struct peer *peer)
{
    assert_int_equal(feed(peer, GET), 0);
}

static void is_not_fed_inside_an_event(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_head = feeds_inside_events_take_nothing;
    feed(peer, GET);
    expect_log(peer, "begin head end ");
    close_peer(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_an_answer_of_known_length_in_one_go),
        cmocka_unit_test(leaves_out_the_fields_that_are_its_own),
        cmocka_unit_test(writes_chunks_when_the_length_is_unknown),
        cmocka_unit_test(closes_instead_of_chunks_for_http_1_0),
        cmocka_unit_test(says_whether_the_connection_goes_on),
        cmocka_unit_test(writes_no_body_for_head_204_and_304),
        cmocka_unit_test(takes_no_pipelined_request_before_the_answer),
        cmocka_unit_test(discards_the_body_after_an_early_answer),
        cmocka_unit_test(answer_inside_on_head_is_followed_by_closed_only),
        cmocka_unit_test(closes_when_a_discarded_body_is_malformed),
        cmocka_unit_test(discards_before_it_closes_after_an_early_answer),
        cmocka_unit_test(goes_on_with_the_body_while_the_answer_streams),
        cmocka_unit_test(answers_a_refused_request_and_closes),
        cmocka_unit_test(can_answer_before_the_head_is_complete),
        cmocka_unit_test(a_reset_answer_does_not_look_complete),
        cmocka_unit_test(an_answer_shorter_than_its_length_is_broken_off),
        cmocka_unit_test(can_be_reset_inside_every_event),
        cmocka_unit_test(writes_100_continue_once),
        cmocka_unit_test(closes_when_it_can_not_know_whether_the_body_comes),
        cmocka_unit_test(writes_interim_answers_before_the_final_one),
        cmocka_unit_test(becomes_a_tunnel_and_takes_no_more_bytes),
        cmocka_unit_test(takes_no_more_than_the_bound_of_unpaid_bytes),
        cmocka_unit_test(closes_when_the_owner_refuses_a_stream),
        cmocka_unit_test(reports_an_arena_that_is_full),
        cmocka_unit_test(done_closes_a_stream_that_is_open),
        cmocka_unit_test(keeps_a_long_head_that_comes_in_pieces),
        cmocka_unit_test(is_not_fed_inside_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
