#include "http/h2_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/h2_test_peer.h"

#define POST ":method=POST|" TO

/* ---- The beginning ---- */

static void says_its_settings_when_the_client_speaks(void **state)
{
    (void)state;
    struct peer *peer = open_silent_peer(&LIMITS);
    assert_int_equal(peer->output_count, 0);
    assert_true(peer->codec->ops->wants_input(peer->codec));
    put_preface(peer);
    assert_true(send_all(peer));
    assert_int_equal(peer->output_count, 1);
    const uint8_t *at = (const uint8_t *)peer->sent;
    static const uint8_t SETTINGS[] = {
        0, 0, 30, 4, 0,    0,   0, 0, 0, /* five */
        0, 3, 0,  0, 0,    100,          /* MAX_CONCURRENT_STREAMS */
        0, 4, 0,  4, 0,    0,            /* INITIAL_WINDOW_SIZE */
        0, 6, 0,  0, 0x40, 0,            /* MAX_HEADER_LIST_SIZE */
        0, 8, 0,  0, 0,    1,            /* ENABLE_CONNECT_PROTOCOL */
        0, 9, 0,  0, 0,    1,            /* NO_RFC7540_PRIORITIES */
    };
    assert_memory_equal(at, SETTINGS, sizeof(SETTINGS));
    expect_told(peer, "SETTINGS SETTINGS! WINDOW:0:983041 ");
    assert_false(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void refuses_another_preface(void **state)
{
    (void)state;
    struct peer *peer = open_silent_peer(&LIMITS);
    put_bytes(peer, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
    send_all(peer);
    expect_told(peer, "SETTINGS WINDOW:0:983041 GOAWAY:0:1 ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    assert_false(peer->codec->ops->wants_input(peer->codec));
    close_peer(peer);
}

static void refuses_a_first_frame_that_is_no_settings(void **state)
{
    (void)state;
    struct peer *peer = open_silent_peer(&LIMITS);
    put_bytes(peer, GH_H2_PREFACE, GH_H2_PREFACE_BYTES);
    put_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
    send_all(peer);
    assert_true(has(told(peer), "GOAWAY:0:1 "));
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

/* ---- Requests and answers ---- */

static void answers_a_request_without_body(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_end = answer_200;
    put_headers(peer, 1, GET "x?y=1|user-agent=u", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 end:1 closed:1 ");
    expect_told(peer, "HEADERS:1{:status=200|content-length=2} DATA:1(ok). ");
    assert_int_equal(gh_h2_codec_open_streams(peer->codec), 0);
    close_peer(peer);
}

static void reads_a_body_and_its_end(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, POST "|content-length=5", 0);
    put_data(peer, 1, "hel", 0);
    put_data(peer, 1, "lo", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 body:1(hel) body:1(lo) end:1 ");
    answer_200(peer, 1);
    expect_told(peer, "HEADERS:1{:status=200|content-length=2} DATA:1(ok). ");
    expect_log(peer, "closed:1 ");
    close_peer(peer);
}

static void tells_the_same_however_the_bytes_are_cut(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        struct peer *peer = open_peer();
        static char bytes[4096];
        put_headers(peer, 1, POST "|content-length=5", 0);
        put_headers(peer, 3, GET, FIN);
        put_frame(peer, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\3hel\0\0\0", 7);
        put_frame(peer, NGHTTP2_PRIORITY, 0, 5, "\0\0\0\1\7", 5);
        put_data(peer, 1, "lo", 0);
        put_headers(peer, 1, "x-trailer=1", FIN);
        size_t len = peer->out_len;
        memcpy(bytes, peer->out, len);
        for (size_t at = 0; at < len; at += step) {
            peer->out_len = 0;
            put_bytes(peer, bytes + at, len - at < step ? len - at : step);
            assert_true(send_all(peer));
        }
        peer->log.len = 0;
        assert_int_equal(peer->body_bytes, 5);
        answer_200(peer, 3);
        answer_200(peer, 1);
        expect_log(peer, "closed:3 closed:1 ");
        expect_told(peer, "HEADERS:3{:status=200|content-length=2} DATA:3(ok). "
                          "HEADERS:1{:status=200|content-length=2} DATA:1(ok). ");
        close_peer(peer);
    }
}

/* nghttp2 1.52 counts the calls in which it sees a CONTINUATION's header. */
static void a_continuation_in_single_bytes_is_one(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    static uint8_t block[512];
    static char bytes[1024];
    size_t len = deflate(peer, GET, block, sizeof(block));
    put_frame(peer, NGHTTP2_HEADERS, FIN, 1, block, 2);
    put_frame(peer, NGHTTP2_CONTINUATION, 0, 1, block + 2, 1);
    put_frame(peer, NGHTTP2_CONTINUATION, DONE, 1, block + 3, len - 3);
    size_t count = peer->out_len;
    memcpy(bytes, peer->out, count);
    for (size_t i = 0; i < count; i++) {
        peer->out_len = 0;
        put_bytes(peer, bytes + i, 1);
        assert_true(send_all(peer));
    }
    expect_log(peer, "begin:1 head:1 end:1 ");
    close_peer(peer);
}

static void serves_streams_that_interleave(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, POST, 0);
    put_headers(peer, 3, POST, 0);
    put_data(peer, 3, "x", 0);
    put_data(peer, 1, "a", 0);
    put_data(peer, 3, "y", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 begin:3 head:3 body:3(x) body:1(a) body:3(y) end:3 ");
    answer_200(peer, 3);
    put_data(peer, 1, "b", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "closed:3 body:1(b) end:1 ");
    assert_int_equal(gh_h2_codec_open_streams(peer->codec), 1);
    write_head(peer, 1, answer(200, GH_BODY_CHUNKED, 0), "c", false);
    write_body(peer, 1, "d", true);
    expect_told(peer, "HEADERS:3{:status=200|content-length=2} DATA:3(ok). "
                      "HEADERS:1{:status=200} DATA:1(c) DATA:1(d). ");
    expect_log(peer, "closed:1 ");
    close_peer(peer);
}

static void answers_to_several_requests_leave_together(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_end = answer_200;
    for (uint32_t id = 1; id < 20; id += 2)
        put_headers(peer, id, GET, FIN);
    size_t before = peer->output_count;
    assert_true(send_all(peer));
    assert_int_equal(peer->output_count, before + 1);
    close_peer(peer);
}

static void head_and_body_leave_in_one_call_without_a_copy_of_the_body(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    static char body[40000];
    memset(body, 'x', sizeof(body));
    struct gh_answer_head head = answer(200, GH_BODY_LENGTH, sizeof(body));
    size_t before = peer->output_count;
    peer->codec->ops->write_head(peer->codec, 1, &head, gh_str_of(body, sizeof(body)), true);
    assert_int_equal(peer->output_count, before + 1);
    assert_int_equal(peer->slices_max, 6); /* head with DATA's, bytes, and so on */
    expect_told(peer, "HEADERS:1{:status=200|content-length=40000} DATA:1(16384) DATA:1(16384) "
                      "DATA:1(7232). ");
    close_peer(peer);
}

static void writes_the_fields_of_an_answer_in_lower_case_and_none_about_the_connection(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    struct gh_field fields[] = {
        {.name = GH_STR_INIT("Content-Type"), .value = GH_STR_INIT("text/plain")},
        {.name = GH_STR_INIT("Connection"), .value = GH_STR_INIT("close")},
        {.name = GH_STR_INIT("Transfer-Encoding"), .value = GH_STR_INIT("chunked")},
        {.name = GH_STR_INIT("Keep-Alive"), .value = GH_STR_INIT("timeout=1")},
        {.name = GH_STR_INIT("Content-Length"), .value = GH_STR_INIT("7")},
        {.name = GH_STR_INIT("X-Gone"), .value = GH_STR_INIT("1"), .dropped = true},
        {.name = GH_STR_INIT("Set-Cookie"), .value = GH_STR_INIT("a=1")},
        {.name = GH_STR_INIT("Set-Cookie"), .value = GH_STR_INIT("b=2")},
    };
    struct gh_answer_head head = answer(200, GH_BODY_NONE, 0);
    head.fields = fields;
    head.field_count = sizeof(fields) / sizeof(fields[0]);
    head.block = GH_STR("Strict-Transport-Security: max-age=1\r\nX-Empty:\r\n");
    head.close = true; /* nothing to HTTP/2 */
    peer->codec->ops->write_head(peer->codec, 1, &head, GH_STR(""), true);
    expect_told(peer, "HEADERS:1{:status=200|content-type=text/plain|set-cookie=a=1|"
                      "set-cookie=b=2|strict-transport-security=max-age=1|x-empty=|"
                      "content-length=0}. ");
    assert_false(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void takes_the_fields_of_a_block_that_was_taken_apart(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    const struct gh_field fields[] = {
        {.name = GH_STR_INIT("X-Frame-Options"), .value = GH_STR_INIT("DENY")},
        {.name = GH_STR_INIT("Connection"),
         .value = GH_STR_INIT("close"),
         .id = GH_FIELD_CONNECTION},
        {.name = GH_STR_INIT("Cache-Control"),
         .value = GH_STR_INIT("no-store"),
         .id = GH_FIELD_CACHE_CONTROL},
    };
    struct gh_answer_head head = answer(200, GH_BODY_NONE, 0);
    head.block = GH_STR("not: read\r\n");
    head.block_fields = fields;
    head.block_field_count = sizeof(fields) / sizeof(fields[0]);
    peer->codec->ops->write_head(peer->codec, 1, &head, GH_STR(""), true);
    expect_told(peer, "HEADERS:1{:status=200|x-frame-options=DENY|cache-control=no-store|"
                      "content-length=0}. ");
    close_peer(peer);
}

static void answers_head_without_body(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, ":method=HEAD|" TO, FIN);
    put_headers(peer, 3, ":method=HEAD|" TO, FIN);
    assert_true(send_all(peer));
    write_head(peer, 1, answer(200, GH_BODY_LENGTH, 5), "hello", true);
    write_head(peer, 3, answer(200, GH_BODY_CHUNKED, 0), "", false);
    write_body(peer, 3, "hello", false);
    write_body(peer, 3, "", true);
    expect_told(peer, "HEADERS:1{:status=200|content-length=5}. "
                      "HEADERS:3{:status=200} DATA:3(). ");
    close_peer(peer);
}

static void answers_204_and_304_without_body(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    put_headers(peer, 3, GET, FIN);
    assert_true(send_all(peer));
    write_head(peer, 1, answer(204, GH_BODY_NONE, 0), "", true);
    write_head(peer, 3, answer(304, GH_BODY_LENGTH, 9), "", true);
    expect_told(peer, "HEADERS:1{:status=204}. HEADERS:3{:status=304}. ");
    put_headers(peer, 5, GET, FIN);
    assert_true(send_all(peer));
    write_head(peer, 5, answer(204, GH_BODY_LENGTH, 0), "", true);
    expect_told(peer, "HEADERS:5{:status=204}. ");
    close_peer(peer);
}

static void an_answer_shorter_than_announced_does_not_look_complete(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    write_head(peer, 1, answer(200, GH_BODY_LENGTH, 5), "he", true);
    const char *text = told(peer);
    assert_true(has(text, "RESET:1:2 "));
    assert_false(has(text, "."));
    expect_log(peer, "begin:1 head:1 end:1 closed:1 ");
    close_peer(peer);
}

static void an_answer_that_breaks_off_is_reset(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    put_headers(peer, 3, GET, FIN);
    assert_true(send_all(peer));
    write_head(peer, 1, answer(200, GH_BODY_CHUNKED, 0), "he", false);
    peer->codec->ops->reset(peer->codec, 1);
    expect_told(peer, "HEADERS:1{:status=200} DATA:1(he) RESET:1:2 ");
    expect_log(peer, "begin:1 head:1 end:1 begin:3 head:3 end:3 closed:1 ");
    answer_200(peer, 3); /* the other goes on */
    assert_true(has(told(peer), "DATA:3(ok). "));
    write_body(peer, 1, "late", true); /* who writes it could not know */
    expect_told(peer, "");
    close_peer(peer);
}

static void says_100_continue_once_to_who_waits_for_it(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, POST "|content-length=2|expect=100-continue", 0);
    put_headers(peer, 3, POST "|content-length=2", 0);
    assert_true(send_all(peer));
    peer->codec->ops->write_continue(peer->codec, 1);
    peer->codec->ops->write_continue(peer->codec, 1);
    peer->codec->ops->write_continue(peer->codec, 3);
    expect_told(peer, "HEADERS:1{:status=100} ");
    put_data(peer, 1, "ok", FIN);
    assert_true(send_all(peer));
    answer_200(peer, 1);
    expect_told(peer, "HEADERS:1{:status=200|content-length=2} DATA:1(ok). ");
    close_peer(peer);
}

static void passes_interim_answers_on(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    write_head(peer, 1, answer(103, GH_BODY_NONE, 0), "", false);
    answer_200(peer, 1);
    expect_told(peer, "HEADERS:1{:status=103} "
                      "HEADERS:1{:status=200|content-length=2} DATA:1(ok). ");
    close_peer(peer);
}

/* Fields of `count` times 1,000 bytes. */
static void answer_large(struct peer *peer, gh_stream_id id, size_t count)
{
    static char value[1000];
    static struct gh_field fields[200];
    memset(value, '~', sizeof(value)); /* Huffman's code makes it no shorter */
    for (size_t i = 0; i < count; i++)
        fields[i] = (struct gh_field){.name = GH_STR("x-large"),
                                      .value = gh_str_of(value, sizeof(value) - i)};
    struct gh_answer_head head = answer(200, GH_BODY_LENGTH, 2);
    head.fields = fields;
    head.field_count = count;
    peer->codec->ops->write_head(peer->codec, id, &head, GH_STR("ok"), true);
}

static void a_large_head_goes_in_several_frames(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    answer_large(peer, 1, 40);
    const uint8_t *at = (const uint8_t *)peer->sent + peer->read_len;
    static const uint8_t TYPES[] = {NGHTTP2_HEADERS, NGHTTP2_CONTINUATION, NGHTTP2_CONTINUATION,
                                    NGHTTP2_DATA};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(at[3], TYPES[i]);
        assert_int_equal(at[4], i == 2 ? DONE : i == 3 ? FIN : 0);
        at += 9 + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]);
    }
    assert_ptr_equal(at, peer->sent + peer->sent_len);
    expect_log(peer, "begin:1 head:1 end:1 closed:1 ");
    close_peer(peer);
}

static void a_head_that_is_larger_than_can_be_sent_is_a_reset(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    answer_large(peer, 1, 150);
    expect_told(peer, "RESET:1:2 ");
    expect_log(peer, "begin:1 head:1 end:1 closed:1 ");
    close_peer(peer);
}

/* ---- The end of a stream before its time ---- */

static void a_stream_that_the_client_resets_is_closed_at_once(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    put_u32_frame(peer, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 end:1 closed:1 ");
    answer_200(peer, 1);
    expect_told(peer, "");
    close_peer(peer);
}

static void an_early_answer_lets_the_client_send_on_within_its_window(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_head = answer_200;
    put_headers(peer, 1, POST, 0);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 closed:1 ");
    expect_told(peer, "HEADERS:1{:status=200|content-length=2} DATA:1(ok). ");
    static char piece[16384];
    for (size_t bytes = 0; bytes < GH_H2_STREAM_WINDOW_BYTES - sizeof(piece);
         bytes += sizeof(piece)) {
        put_frame(peer, NGHTTP2_DATA, 0, 1, piece, sizeof(piece));
        assert_true(send_all(peer));
    }
    assert_false(has(told(peer), "RESET"));
    put_frame(peer, NGHTTP2_DATA, 0, 1, piece, sizeof(piece));
    assert_true(send_all(peer));
    expect_told(peer, "RESET:1:0 ");
    expect_log(peer, "");
    close_peer(peer);
}

static void an_owner_may_end_a_stream_in_any_event(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_body = answer_200;
    put_headers(peer, 1, POST, 0);
    put_data(peer, 1, "x", FIN);
    put_headers(peer, 3, GET, FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 body:1(x) begin:3 head:3 end:3 closed:1 ");
    close_peer(peer);
}

static void done_closes_what_is_open(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    put_headers(peer, 3, POST, 0);
    assert_true(send_all(peer));
    close_peer(peer); /* looks */
}

/* ---- The end of the connection ---- */

static void answers_that_were_given_before_an_error_leave_before_goaway(void **state)
{
    (void)state;
    struct peer *peer = open_silent_peer(&LIMITS);
    peer->in_end = answer_200;
    put_preface(peer);
    put_headers(peer, 1, GET, FIN);
    put_frame(peer, NGHTTP2_PRIORITY, 0, 0, "\0\0\0\1\7", 5);
    send_all(peer);
    expect_told(peer, "SETTINGS SETTINGS! WINDOW:0:983041 "
                      "HEADERS:1{:status=200|content-length=2} DATA:1(ok). GOAWAY:1:1 ");
    close_peer(peer);
}

static void drains_in_two_steps(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    gh_h2_codec_drain(peer->codec);
    expect_told(peer, "GOAWAY:2147483647:0 ");
    put_headers(peer, 3, GET, FIN); /* it was on its way */
    assert_true(send_all(peer));
    gh_h2_codec_drain(peer->codec);
    expect_told(peer, "GOAWAY:3:0 ");
    put_headers(peer, 5, GET, FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 end:1 begin:3 head:3 end:3 ");
    answer_200(peer, 1);
    assert_false(peer->codec->ops->wants_close(peer->codec));
    answer_200(peer, 3);
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void an_idle_connection_wants_to_close_after_the_second_step(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    gh_h2_codec_drain(peer->codec);
    assert_false(peer->codec->ops->wants_close(peer->codec));
    gh_h2_codec_drain(peer->codec);
    assert_true(peer->codec->ops->wants_close(peer->codec));
    expect_told(peer, "GOAWAY:2147483647:0 GOAWAY:0:0 ");
    close_peer(peer);
}

static void an_error_of_the_connection_closes_its_streams_and_says_why(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, POST, 0);
    put_frame(peer, NGHTTP2_DATA, 0, 0, "x", 1); /* no stream */
    put_headers(peer, 3, GET, FIN);
    send_all(peer);
    expect_log(peer, "begin:1 head:1 closed:1 ");
    assert_true(has(told(peer), "GOAWAY:1:1 "));
    assert_true(peer->codec->ops->wants_close(peer->codec));
    assert_false(peer->codec->ops->wants_input(peer->codec));
    write_head(peer, 1, answer(200, GH_BODY_NONE, 0), "", true);
    peer->codec->ops->reset(peer->codec, 1);
    expect_told(peer, "");
    close_peer(peer);
}

static void answers_ping(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
    assert_true(send_all(peer));
    expect_told(peer, "PING! ");
    close_peer(peer);
}

static void ignores_frames_of_unknown_kinds(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_frame(peer, 0x55, 0xff, 0, "grease", 6);
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 end:1 ");
    close_peer(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_its_settings_when_the_client_speaks),
        cmocka_unit_test(refuses_another_preface),
        cmocka_unit_test(refuses_a_first_frame_that_is_no_settings),
        cmocka_unit_test(answers_a_request_without_body),
        cmocka_unit_test(reads_a_body_and_its_end),
        cmocka_unit_test(tells_the_same_however_the_bytes_are_cut),
        cmocka_unit_test(a_continuation_in_single_bytes_is_one),
        cmocka_unit_test(serves_streams_that_interleave),
        cmocka_unit_test(answers_to_several_requests_leave_together),
        cmocka_unit_test(head_and_body_leave_in_one_call_without_a_copy_of_the_body),
        cmocka_unit_test(
            writes_the_fields_of_an_answer_in_lower_case_and_none_about_the_connection),
        cmocka_unit_test(takes_the_fields_of_a_block_that_was_taken_apart),
        cmocka_unit_test(answers_head_without_body),
        cmocka_unit_test(answers_204_and_304_without_body),
        cmocka_unit_test(an_answer_shorter_than_announced_does_not_look_complete),
        cmocka_unit_test(an_answer_that_breaks_off_is_reset),
        cmocka_unit_test(says_100_continue_once_to_who_waits_for_it),
        cmocka_unit_test(passes_interim_answers_on),
        cmocka_unit_test(a_large_head_goes_in_several_frames),
        cmocka_unit_test(a_head_that_is_larger_than_can_be_sent_is_a_reset),
        cmocka_unit_test(a_stream_that_the_client_resets_is_closed_at_once),
        cmocka_unit_test(an_early_answer_lets_the_client_send_on_within_its_window),
        cmocka_unit_test(an_owner_may_end_a_stream_in_any_event),
        cmocka_unit_test(done_closes_what_is_open),
        cmocka_unit_test(drains_in_two_steps),
        cmocka_unit_test(an_idle_connection_wants_to_close_after_the_second_step),
        cmocka_unit_test(an_error_of_the_connection_closes_its_streams_and_says_why),
        cmocka_unit_test(answers_that_were_given_before_an_error_leave_before_goaway),
        cmocka_unit_test(answers_ping),
        cmocka_unit_test(ignores_frames_of_unknown_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
