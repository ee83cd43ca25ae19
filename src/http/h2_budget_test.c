/*
 * What a client may cost beside its requests, and that it ends with ENHANCE_YOUR_CALM behind that;
 * and which frames are wrong where a stream is over.
 */
#include "http/h2_budget.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/h2_frames.h"
#include "http/h2_test_peer.h"

#define POST ":method=POST|" TO
#define CALM ":11 "

static const uint32_t MOST[] = {
#define X(name, word, most) [GH_H2_COST_##name] = (most),
    GH_H2_COSTS(X)
#undef X
};

static struct peer *open_answering_peer(void)
{
    struct peer *peer = open_peer();
    peer->in_error = answer_400;
    peer->logs_bodies = false;
    gh_h2_codec_set_now(peer->codec, 10000); /* what opening cost is over */
    return peer;
}

/* `put` puts the frames that cost one; `count` times goes, once more in the second does not, and is
   called `word`. */
static void costs(void (*put)(struct peer *peer, uint32_t i), uint32_t count, const char *word)
{
    struct peer *peer = open_answering_peer();
    uint32_t i = 0;
    for (uint64_t second = 10; second < 13; second++) {
        gh_h2_codec_set_now(peer->codec, second * 1000);
        for (uint32_t n = 0; n < count; n++)
            put(peer, i++);
        assert_true(send_all(peer));
        assert_false(has(told(peer), "GOAWAY"));
        peer->log.len = 0;
    }
    put(peer, i);
    send_all(peer);
    const char *text = told(peer);
    assert_true(has(text, "GOAWAY:") && has(text, CALM));
    assert_true(peer->codec->ops->wants_close(peer->codec));
    assert_int_equal(gh_h2_codec_failure(peer->codec), GH_H2_FAILURE_CALM);
    assert_string_equal(gh_h2_codec_flood(peer->codec), word);
    close_peer(peer);
}

/* ---- One after the other ---- */

static void put_reset(struct peer *peer, uint32_t i)
{
    put_headers(peer, 1 + 2 * i, GET, FIN);
    put_u32_frame(peer, NGHTTP2_RST_STREAM, 1 + 2 * i, NGHTTP2_CANCEL);
}

static void resets_of_the_clients(void **state)
{
    (void)state;
    costs(put_reset, MOST[GH_H2_COST_RESET], "resets");
}

static void put_malformed(struct peer *peer, uint32_t i)
{
    put_headers(peer, 1 + 2 * i, ":method=GET", FIN);
}

/* CVE-2025-8671: the stream is refused, though the client has not reset it. */
static void malformed_requests(void **state)
{
    (void)state;
    costs(put_malformed, MOST[GH_H2_COST_PROVOKED_RESET], "provoked_resets");
}

static void put_overflow(struct peer *peer, uint32_t i)
{
    put_headers(peer, 1 + 2 * i, GET, FIN);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1 + 2 * i, 0x7fffffff);
}

static void windows_that_overflow(void **state)
{
    (void)state;
    costs(put_overflow, MOST[GH_H2_COST_PROVOKED_RESET], "provoked_resets");
}

static void put_wrong_length(struct peer *peer, uint32_t i)
{
    put_headers(peer, 1 + 2 * i, POST "|content-length=1", 0);
    put_data(peer, 1 + 2 * i, "ab", FIN);
}

static void data_that_contradict_their_length(void **state)
{
    (void)state;
    costs(put_wrong_length, MOST[GH_H2_COST_PROVOKED_RESET], "provoked_resets");
}

static void put_settings(struct peer *peer, uint32_t i)
{
    put_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, i);
}

static void settings(void **state)
{
    (void)state;
    costs(put_settings, MOST[GH_H2_COST_SETTINGS], "settings");
}

static void put_ping(struct peer *peer, uint32_t i)
{
    put_frame(peer, NGHTTP2_PING, i & 1, 0, "12345678", 8);
}

static void pings(void **state)
{
    (void)state;
    costs(put_ping, MOST[GH_H2_COST_PING], "ping");
}

static void put_empty_data(struct peer *peer, uint32_t i)
{
    if (i == 0)
        put_headers(peer, 1, POST, 0);
    if (i & 1)
        put_frame(peer, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\3\0\0\0", 4);
    else
        put_data(peer, 1, "", 0);
}

static void data_without_bytes(void **state)
{
    (void)state;
    costs(put_empty_data, MOST[GH_H2_COST_EMPTY_DATA], "empty_data");
}

/* More of them than the trailers, on a stream whose answer is out while its request is not. */
static void put_headers_of_an_answered_stream(struct peer *peer, uint32_t i)
{
    peer->in_head = answer_200;
    if (i == 0) {
        put_headers(peer, 1, POST, 0);
        put_headers(peer, 1, "x-a=b", 0);
    }
    put_headers(peer, 1, "x-a=b", 0);
}

static void header_blocks_behind_the_trailers(void **state)
{
    (void)state;
    costs(put_headers_of_an_answered_stream, MOST[GH_H2_COST_OTHER], "other_frames");
}

static void trailers_cost_nothing_here(void **state)
{
    (void)state;
    struct peer *peer = open_answering_peer();
    peer->in_end = answer_200;
    for (uint32_t i = 0; i < 2 * MOST[GH_H2_COST_OTHER]; i++) {
        put_headers(peer, 1 + 2 * i, POST, 0);
        put_headers(peer, 1 + 2 * i, "x-a=b", FIN);
        assert_true(send_all(peer));
        peer->log.len = 0;
    }
    assert_false(has(told(peer), "GOAWAY"));
    close_peer(peer);
}

static void put_small_data(struct peer *peer, uint32_t i)
{
    if (i == 0)
        put_headers(peer, 1, POST, 0);
    put_frame(peer, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\3x\0\0\0", 5);
}

static void put_priority(struct peer *peer, uint32_t i)
{
    if (i & 1)
        put_frame(peer, NGHTTP2_PRIORITY, 0, 1001, "\0\0\0\1\7", 5);
    else
        put_frame(peer, 0x10, 0, 0, "\0\0\0\1u=3", 7);
}

static void priorities(void **state)
{
    (void)state;
    costs(put_priority, MOST[GH_H2_COST_PRIORITY], "priority");
}

static void put_window_update(struct peer *peer, uint32_t i)
{
    (void)i;
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 1);
}

static void window_updates(void **state)
{
    (void)state;
    costs(put_window_update, MOST[GH_H2_COST_WINDOW_UPDATE], "window_update");
}

static void put_unknown(struct peer *peer, uint32_t i)
{
    put_frame(peer, (uint8_t)(0x20 + i % 16), 0, 0, "x", 1);
}

static void frames_of_unknown_kinds(void **state)
{
    (void)state;
    costs(put_unknown, MOST[GH_H2_COST_OTHER], "other_frames");
}

static void put_continuations(struct peer *peer, uint32_t i)
{
    uint8_t block[512];
    size_t len = deflate(peer, GET, block, sizeof(block));
    put_frame(peer, NGHTTP2_HEADERS, FIN, 1 + 2 * i, block, 1);
    put_frame(peer, NGHTTP2_CONTINUATION, 0, 1 + 2 * i, "", 0);
    put_frame(peer, NGHTTP2_CONTINUATION, DONE, 1 + 2 * i, block + 1, len - 1);
    put_u32_frame(peer, NGHTTP2_RST_STREAM, 1 + 2 * i, NGHTTP2_CANCEL);
}

static void continuations(void **state)
{
    (void)state;
    costs(put_continuations, MOST[GH_H2_COST_CONTINUATION] / 2, "continuation");
}

static void data_with_bytes_cost_nothing_here(void **state)
{
    (void)state;
    struct peer *peer = open_answering_peer();
    for (uint32_t i = 0; i < 20000; i++)
        put_small_data(peer, i);
    assert_true(send_all(peer));
    assert_int_equal(peer->body_bytes, 20000);
    close_peer(peer);
}

static void window_updates_for_data_that_were_sent_come_free(void **state)
{
    (void)state;
    struct peer *peer = open_answering_peer();
    static char bytes[60000];
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    struct gh_answer_head head = answer(200, GH_BODY_CHUNKED, 0);
    peer->codec->ops->write_head(peer->codec, 1, &head, gh_str_of(bytes, sizeof(bytes)), false);
    /* Four frames: three of 16,384 bytes and one of 10,848. */
    for (uint32_t i = 0; i < MOST[GH_H2_COST_WINDOW_UPDATE] + 4 * 2 + 3 * 16 + 10; i++)
        put_window_update(peer, i);
    assert_true(send_all(peer));
    put_window_update(peer, 0);
    send_all(peer);
    assert_true(has(told(peer), CALM));
    close_peer(peer);
}

/* Over seconds: nghttp2 has a bound for what waits. */
static void pings_whose_answers_are_not_read(void **state)
{
    (void)state;
    struct peer *peer = open_answering_peer();
    peer->wire_is_full = true;
    for (uint32_t i = 0; !peer->codec->ops->wants_close(peer->codec); i++) {
        assert_in_range(i, 0, 1000);
        gh_h2_codec_set_now(peer->codec, 10000 + 100 * i);
        put_ping(peer, i);
        send_all(peer);
    }
    assert_int_equal(gh_h2_codec_failure(peer->codec), GH_H2_FAILURE_CALM);
    assert_string_equal(gh_h2_codec_flood(peer->codec), "ping");
    close_peer(peer);
}

/* ---- Header blocks ---- */

static void a_header_block_of_too_many_continuations(void **state)
{
    (void)state;
    for (int count = GH_H2_CONTINUATIONS_SPARE; count <= GH_H2_CONTINUATIONS_SPARE + 1; count++) {
        struct peer *peer = open_answering_peer();
        uint8_t block[512];
        size_t len = deflate(peer, GET, block, sizeof(block));
        put_frame(peer, NGHTTP2_HEADERS, FIN, 1, block, len);
        for (int i = 1; i <= count; i++)
            put_frame(peer, NGHTTP2_CONTINUATION, i == count ? DONE : 0, 1, "", 0);
        bool is_over = count > GH_H2_CONTINUATIONS_SPARE;
        send_all(peer);
        assert_int_equal(has(told(peer), CALM), is_over);
        assert_string_equal(gh_h2_codec_flood(peer->codec), is_over ? "continuation" : "other");
        expect_log(peer, is_over ? "begin:1 closed:1 " : "begin:1 head:1 end:1 ");
        close_peer(peer);
    }
}

/* A megabyte in a list is what an operator may allow. */
static void a_large_limit_allows_the_frames_that_it_needs(void **state)
{
    (void)state;
    const struct gh_codec_limits large = {
        .head_bytes_max = 1 << 20, .target_bytes_max = 8192, .field_count_max = 100};
    struct peer *peer = open_silent_peer(&large);
    static char fields[1000000];
    strcpy(fields, GET);
    size_t len = strlen(fields);
    for (int i = 0; i < 18; i++) {
        memcpy(fields + len, "|x-a=", 5);
        memset(fields + len + 5, '~', 50000); /* Huffman's code makes it no shorter */
        len += 50005;
    }
    put_preface(peer);
    uint8_t *block = malloc(1 << 20);
    assert_non_null(block);
    size_t count = 0;
    for (uint32_t id = 1; id < 7; id += 2) {
        size_t left = deflate(peer, fields, block, 1 << 20), at = 0;
        put_frame(peer, NGHTTP2_HEADERS, FIN, id, block, 16384);
        for (at = 16384; at < left; at += 16384, count++)
            put_frame(peer, NGHTTP2_CONTINUATION, left - at <= 16384 ? DONE : 0, id, block + at,
                      left - at < 16384 ? left - at : 16384);
    }
    free(block);
    assert_true(count > 150);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 error:1:12 begin:3 error:3:12 begin:5 error:5:12 "); /* its arena */
    assert_false(has(told(peer), "GOAWAY"));
    close_peer(peer);
}

/* A table entry of 4,000 bytes, and a byte for each time it shall be decoded. */
static void an_hpack_bomb_is_cut_off(void **state)
{
    (void)state;
    struct peer *peer = open_answering_peer();
    static uint8_t block[16384];
    static char fields[5000] = GET "|x-a=";
    memset(fields + strlen(fields), 'v', 3900);
    size_t len = deflate(peer, fields, block, sizeof(block));
    memset(block + len, 0x80 | 62, 10000); /* the newest entry */
    put_frame(peer, NGHTTP2_HEADERS, FIN | DONE, 1, block, len + 10000);
    send_all(peer);
    assert_true(has(told(peer), CALM));
    assert_string_equal(gh_h2_codec_flood(peer->codec), "header_lists");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    expect_log(peer, "begin:1 closed:1 ");
    close_peer(peer);
}

static void put_too_large(struct peer *peer, uint32_t i)
{
    static char fields[70000];
    memset(fields, 0, sizeof(fields));
    strcpy(fields, GET);
    for (int n = 0; n < 4; n++) {
        strcat(fields, "|x-a=");
        memset(fields + strlen(fields), 'v', 16000);
    }
    put_headers(peer, 1 + 2 * i, fields, FIN);
}

static void lists_that_are_too_large_are_answered_within_reason(void **state)
{
    (void)state;
    struct peer *peer = open_answering_peer();
    for (uint32_t i = 0; i < 5; i++)
        put_too_large(peer, i);
    assert_true(send_all(peer));
    assert_int_equal(peer->error, GH_HTTP_ERROR_HEAD_TOO_LARGE);
    put_too_large(peer, 5);
    send_all(peer);
    assert_true(has(told(peer), CALM));
    close_peer(peer);
}

/* ---- Streams at once ---- */

static void streams_over_the_number_are_refused(void **state)
{
    (void)state;
    struct peer *peer = open_silent_peer(&LIMITS);
    put_preface(peer); /* our settings are not acknowledged yet */
    for (uint32_t i = 0; i <= GH_H2_STREAMS_MAX; i++)
        put_headers(peer, 1 + 2 * i, GET, FIN);
    assert_true(send_all(peer));
    assert_true(has(told(peer), "RESET:201:7 "));
    assert_int_equal(gh_h2_codec_open_streams(peer->codec), GH_H2_STREAMS_MAX);
    put_frame(peer, NGHTTP2_SETTINGS, 1, 0, "", 0);
    put_headers(peer, 203, GET, FIN);
    send_all(peer);
    assert_true(has(told(peer), "GOAWAY:"));
    close_peer(peer);
}

static void exchanges_that_linger_count_as_streams(void **state)
{
    (void)state;
    struct peer *peer = open_answering_peer();
    gh_h2_codec_set_lingering(peer->codec, 99);
    put_headers(peer, 1, GET, FIN);
    put_headers(peer, 3, GET, FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 end:1 ");
    expect_told(peer, "RESET:3:7 ");
    gh_h2_codec_set_lingering(peer->codec, 98);
    put_headers(peer, 5, GET "|x-a=1", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:5 head:5 end:5 ");
    close_peer(peer);
}

/* ---- Frames where a stream is over (section 5.1) ---- */

static void expect_goaway(struct peer *peer, const char *code, enum gh_h2_failure failure)
{
    send_all(peer);
    const char *text = told(peer);
    assert_true(has(text, "GOAWAY:") && has(text, code));
    assert_true(peer->codec->ops->wants_close(peer->codec));
    assert_int_equal(gh_h2_codec_failure(peer->codec), failure);
    close_peer(peer);
}

static struct peer *open_peer_with_closed_stream(bool by_client)
{
    struct peer *peer = open_answering_peer();
    put_headers(peer, 1, POST, by_client ? FIN : 0);
    assert_true(send_all(peer));
    if (by_client)
        answer_200(peer, 1);
    else
        peer->codec->ops->reset(peer->codec, 1);
    (void)told(peer);
    return peer;
}

static void frames_behind_the_clients_own_end_are_an_error(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_closed_stream(true);
    put_data(peer, 1, "x", 0);
    expect_goaway(peer, ":5 ", GH_H2_FAILURE_STREAM_CLOSED);
    peer = open_peer_with_closed_stream(true);
    put_headers(peer, 1, "x-t=1", FIN);
    expect_goaway(peer, ":5 ", GH_H2_FAILURE_STREAM_CLOSED);
    peer = open_answering_peer();
    put_reset(peer, 0);
    put_data(peer, 1, "x", 0);
    expect_goaway(peer, ":5 ", GH_H2_FAILURE_STREAM_CLOSED);
}

static void frames_behind_our_end_were_on_their_way(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_closed_stream(false);
    put_data(peer, 1, "x", 0);
    put_headers(peer, 1, "x-t=1", FIN);
    put_headers(peer, 3, GET "|x-t=1", FIN);
    peer->log.len = 0;
    assert_true(send_all(peer));
    expect_told(peer, "");
    expect_log(peer, "begin:3 head:3 end:3 ");
    close_peer(peer);
}

static void ids_only_rise(void **state)
{
    (void)state;
    struct peer *peer = open_answering_peer();
    put_headers(peer, 5, GET, FIN);
    put_headers(peer, 3, GET, FIN);
    expect_goaway(peer, ":1 ", GH_H2_FAILURE_PROTOCOL);
    peer = open_answering_peer();
    put_headers(peer, 2, GET, FIN);
    expect_goaway(peer, ":1 ", GH_H2_FAILURE_PROTOCOL);
}

static void a_priority_that_can_t_be_is_an_error(void **state)
{
    (void)state;
    struct peer *peer = open_answering_peer();
    put_frame(peer, NGHTTP2_PRIORITY, 0, 0, "\0\0\0\1\7", 5);
    expect_goaway(peer, ":1 ", GH_H2_FAILURE_PROTOCOL);
    peer = open_answering_peer();
    put_frame(peer, NGHTTP2_PRIORITY, 0, 3, "\x80\0\0\3\7", 5);
    expect_goaway(peer, ":1 ", GH_H2_FAILURE_PROTOCOL);
    peer = open_answering_peer();
    put_frame(peer, NGHTTP2_PRIORITY, 0, 3, "\0\0\0\1", 4);
    expect_goaway(peer, ":6 ", GH_H2_FAILURE_FRAME_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets_of_the_clients),
        cmocka_unit_test(malformed_requests),
        cmocka_unit_test(windows_that_overflow),
        cmocka_unit_test(data_that_contradict_their_length),
        cmocka_unit_test(settings),
        cmocka_unit_test(pings),
        cmocka_unit_test(pings_whose_answers_are_not_read),
        cmocka_unit_test(data_without_bytes),
        cmocka_unit_test(priorities),
        cmocka_unit_test(window_updates),
        cmocka_unit_test(frames_of_unknown_kinds),
        cmocka_unit_test(continuations),
        cmocka_unit_test(header_blocks_behind_the_trailers),
        cmocka_unit_test(trailers_cost_nothing_here),
        cmocka_unit_test(data_with_bytes_cost_nothing_here),
        cmocka_unit_test(window_updates_for_data_that_were_sent_come_free),
        cmocka_unit_test(a_header_block_of_too_many_continuations),
        cmocka_unit_test(a_large_limit_allows_the_frames_that_it_needs),
        cmocka_unit_test(an_hpack_bomb_is_cut_off),
        cmocka_unit_test(lists_that_are_too_large_are_answered_within_reason),
        cmocka_unit_test(streams_over_the_number_are_refused),
        cmocka_unit_test(exchanges_that_linger_count_as_streams),
        cmocka_unit_test(frames_behind_the_clients_own_end_are_an_error),
        cmocka_unit_test(frames_behind_our_end_were_on_their_way),
        cmocka_unit_test(ids_only_rise),
        cmocka_unit_test(a_priority_that_can_t_be_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
