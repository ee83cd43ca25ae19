/*
 * Who is slow slows the other side, and costs a bounded amount of memory: windows both ways, a full
 * wire, streams that keep what they can't send.
 */
#include "http/h2_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/h2_test_peer.h"

#define POST ":method=POST|" TO

static char BYTES[256 * 1024];

static void write_bytes(struct peer *peer, gh_stream_id id, size_t len, bool last)
{
    peer->codec->ops->write_body(peer->codec, id, gh_str_of(BYTES, len), last);
}

static bool is_full(struct peer *peer, gh_stream_id id)
{
    return peer->codec->ops->is_full(peer->codec, id);
}

/* Bytes of DATA among the frames that were written since the last time. */
static size_t data_bytes(struct peer *peer)
{
    size_t bytes = 0;
    while (peer->read_len < peer->sent_len) {
        const uint8_t *at = (const uint8_t *)peer->sent + peer->read_len;
        size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        bytes += at[3] == NGHTTP2_DATA ? len : 0;
        peer->read_len += 9 + len;
    }
    assert_int_equal(peer->read_len, peer->sent_len);
    return bytes;
}

static void begin_answer(struct peer *peer, gh_stream_id id)
{
    put_headers(peer, id, GET, FIN);
    assert_true(send_all(peer));
    write_head(peer, id, answer(200, GH_BODY_CHUNKED, 0), "", false);
}

/* ---- Answers ---- */

static void an_answer_stops_at_the_streams_window_and_goes_on(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    begin_answer(peer, 1);
    write_bytes(peer, 1, 65535 + 1000, false);
    assert_int_equal(data_bytes(peer), 65535);
    assert_int_equal(gh_h2_codec_unsent(peer->codec, 1), 1000);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 5000);
    assert_true(send_all(peer));
    assert_int_equal(data_bytes(peer), 0);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, 400);
    assert_true(send_all(peer));
    assert_int_equal(data_bytes(peer), 400);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, 4000);
    assert_true(send_all(peer));
    assert_int_equal(data_bytes(peer), 600);
    assert_int_equal(gh_h2_codec_unsent(peer->codec, 1), 0);
    write_bytes(peer, 1, 10, true);
    assert_true(has(told(peer), "). "));
    close_peer(peer);
}

static void the_connections_window_holds_all_streams(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20);
    assert_true(send_all(peer));
    begin_answer(peer, 1);
    begin_answer(peer, 3);
    write_bytes(peer, 1, 60000, false);
    write_bytes(peer, 3, 60000, true);
    assert_int_equal(data_bytes(peer), 65535);
    assert_int_equal(gh_h2_codec_unsent(peer->codec, 3), 120000 - 65535);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 1 << 20);
    assert_true(send_all(peer));
    assert_int_equal(data_bytes(peer), 120000 - 65535);
    assert_int_equal(gh_h2_codec_open_streams(peer->codec), 1);
    close_peer(peer);
}

static void answers_share_the_connections_window(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20);
    assert_true(send_all(peer));
    for (gh_stream_id id = 1; id <= 5; id += 2)
        begin_answer(peer, id);
    write_bytes(peer, 1, 65535, false);
    for (gh_stream_id id = 1; id <= 5; id += 2)
        write_bytes(peer, id, 60000, false);
    uint64_t before = gh_h2_codec_data_sent(peer->codec);
    assert_int_equal(before, 65535);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 3 * 16384);
    assert_true(send_all(peer));
    for (gh_stream_id id = 1; id <= 5; id += 2)
        assert_int_equal(gh_h2_codec_unsent(peer->codec, id), 60000 - 16384);
    assert_int_equal(gh_h2_codec_data_sent(peer->codec) - before, 3 * 16384);
    close_peer(peer);
}

static void a_shut_window_is_told_from_one_that_others_were_first_at(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000);
    assert_true(send_all(peer));
    begin_answer(peer, 1);
    begin_answer(peer, 3);
    write_bytes(peer, 1, 2000, false);
    assert_true(gh_h2_codec_is_window_shut(peer->codec, 1));
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 3, 1 << 20);
    assert_true(send_all(peer));
    write_bytes(peer, 3, 70000, false);
    assert_int_not_equal(gh_h2_codec_unsent(peer->codec, 3), 0);
    assert_false(gh_h2_codec_is_window_shut(peer->codec, 3));
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, 5000);
    assert_true(send_all(peer));
    assert_false(gh_h2_codec_is_window_shut(peer->codec, 1));
    close_peer(peer);
}

static void a_stream_says_when_it_is_full_and_when_it_takes_more(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    assert_true(send_all(peer));
    begin_answer(peer, 1);
    begin_answer(peer, 3);
    write_bytes(peer, 1, GH_H2_UNSENT_BYTES_MAX, false);
    assert_false(is_full(peer, 1));
    write_bytes(peer, 1, 1, false);
    assert_true(is_full(peer, 1));
    assert_false(is_full(peer, 3));
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, 1000);
    assert_true(send_all(peer));
    assert_true(is_full(peer, 1));
    assert_int_equal(peer->drained_count, 0);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, GH_H2_UNSENT_BYTES_MAX / 2);
    assert_true(send_all(peer));
    assert_false(is_full(peer, 1));
    assert_int_equal(peer->drained_count, 1);
    close_peer(peer);
}

static void write_the_last(struct peer *peer, gh_stream_id id)
{
    write_bytes(peer, id, 5000, true);
}

static void an_owner_may_write_when_it_is_told_that_a_stream_takes_more(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_drained = write_the_last;
    begin_answer(peer, 1);
    write_bytes(peer, 1, 65535 + GH_H2_UNSENT_BYTES_MAX + 1, false);
    assert_true(is_full(peer, 1));
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 1 << 20);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, 1 << 20);
    assert_true(send_all(peer));
    assert_int_equal(peer->drained_count, 1);
    assert_int_equal(data_bytes(peer), 65535 + GH_H2_UNSENT_BYTES_MAX + 1 + 5000);
    expect_log(peer, "begin:1 head:1 end:1 closed:1 ");
    close_peer(peer);
}

static void nothing_but_goaway_is_given_to_a_full_wire(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    begin_answer(peer, 1);
    peer->wire_is_full = true;
    write_bytes(peer, 1, 100, false);
    size_t before = peer->output_count;
    write_bytes(peer, 1, 100, false);
    put_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
    put_headers(peer, 3, GET, FIN);
    assert_true(send_all(peer));
    answer_200(peer, 3);
    assert_int_equal(peer->output_count, before);
    peer->wire_is_full = false;
    peer->codec->ops->on_writable(peer->codec);
    expect_told(peer, "HEADERS:1{:status=200} DATA:1(100) PING! "
                      "HEADERS:3{:status=200|content-length=2} DATA:1(100) DATA:3(ok). ");
    peer->wire_is_full = true;
    write_bytes(peer, 1, 100, false);
    for (int i = 0; i < 200; i++)
        put_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
    send_all(peer);
    expect_told(peer, "DATA:1(100) GOAWAY:3:11 ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void keeps_no_more_than_a_writes_worth_over_the_bound(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    assert_true(send_all(peer));
    for (gh_stream_id id = 1; id < 20; id += 2) {
        begin_answer(peer, id);
        while (!is_full(peer, id))
            write_bytes(peer, id, 16384, false);
        assert_in_range(gh_h2_codec_unsent(peer->codec, id), GH_H2_UNSENT_BYTES_MAX,
                        GH_H2_UNSENT_BYTES_MAX + 16384);
    }
    close_peer(peer);
}

static void a_full_wire_stops_the_input_before_answers_to_it_pile_up(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    begin_answer(peer, 1);
    peer->wire_is_full = true;
    write_bytes(peer, 1, 100, false);
    peer->in_error = answer_400;
    bool stopped = false;
    for (uint32_t i = 0; i < 2000 && !stopped; i++) { /* refused at each step: a RESET to send */
        gh_h2_codec_set_now(peer->codec, 2000 + i * 1000);
        put_headers(peer, 3 + 2 * i, GET, 0);
        put_u32_frame(peer, NGHTTP2_RST_STREAM, 3 + 2 * i, 8);
        gh_h2_codec_set_lingering(peer->codec, 100);
        stopped = !send_all(peer);
        assert_int_equal(stopped, !peer->codec->ops->wants_input(peer->codec));
    }
    assert_true(stopped);
    assert_false(peer->codec->ops->wants_close(peer->codec));
    peer->wire_is_full = false;
    peer->codec->ops->on_writable(peer->codec);
    assert_true(peer->codec->ops->wants_input(peer->codec));
    close_peer(peer);
}

static void bytes_kept_for_a_stream_that_is_reset_are_given_back(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    begin_answer(peer, 1);
    write_bytes(peer, 1, 130000, false);
    put_u32_frame(peer, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
    assert_true(send_all(peer));
    assert_int_equal(gh_h2_codec_unsent(peer->codec, 1), 0);
    assert_false(is_full(peer, 1));
    begin_answer(peer, 3);
    write_bytes(peer, 3, 10, true);
    assert_int_equal(data_bytes(peer), 65535); /* the connection's window is used up */
    close_peer(peer);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Byte n of an answer is what n says, so that one lost, repeated or moved is seen. */
static char byte_at(size_t n)
{
    return (char)(n * 31 + n / 251);
}

/* Checks the DATA that came since the last time; returns how many bytes of the answer it was. */
static size_t check_data(struct peer *peer, size_t from)
{
    size_t count = 0;
    while (peer->read_len < peer->sent_len) {
        const uint8_t *at = (const uint8_t *)peer->sent + peer->read_len;
        size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        for (size_t i = 0; at[3] == NGHTTP2_DATA && i < len; i++) {
            if ((char)at[9 + i] != byte_at(from + count++))
                fail_msg("byte %zu is another", from + count - 1);
        }
        peer->read_len += 9 + len;
    }
    return count;
}

static void the_bytes_of_an_answer_are_its_bytes_whatever_holds_them_up(void **state)
{
    (void)state;
    static char bytes[40000];
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct peer *peer = open_peer();
        uint32_t random = seed;
        size_t written = 0, came = 0;
        begin_answer(peer, 1);
        for (int step = 0; step < 200; step++) {
            size_t len = is_full(peer, 1) ? 0 : next_random(&random) % (step % 7 ? 3000 : 40000);
            for (size_t i = 0; i < len; i++)
                bytes[i] = byte_at(written + i);
            if (len)
                peer->codec->ops->write_body(peer->codec, 1, gh_str_of(bytes, len), false);
            written += len;
            peer->wire_is_full = next_random(&random) % 4 == 0;
            put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 1 + next_random(&random) % 5000);
            put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, 1 + next_random(&random) % 5000);
            assert_true(send_all(peer));
            if (!peer->wire_is_full)
                peer->codec->ops->on_writable(peer->codec);
            came += check_data(peer, came);
            assert_true(came + gh_h2_codec_unsent(peer->codec, 1) == written);
        }
        assert_true(came > 300000);
        close_peer(peer);
    }
}

/* ---- Waiting for a flush ---- */

static size_t due_count;

static void count_due(void *owner)
{
    (void)owner;
    due_count++;
}

static struct peer *open_gathering_peer(void)
{
    struct peer *peer = open_peer();
    due_count = 0;
    gh_h2_codec_gather(peer->codec, count_due);
    put_headers(peer, 1, GET, FIN);
    put_headers(peer, 3, GET, FIN);
    put_headers(peer, 5, GET, FIN);
    assert_true(send_all(peer));
    peer->log.len = 0;
    peer->output_count = 0;
    return peer;
}

static void answers_of_one_turn_leave_in_one_call(void **state)
{
    (void)state;
    struct peer *peer = open_gathering_peer();
    answer_200(peer, 1);
    answer_200(peer, 5);
    write_head(peer, 3, answer(200, GH_BODY_CHUNKED, 0), "a", false);
    write_body(peer, 3, "b", false);
    assert_int_equal(peer->output_count, 0);
    assert_int_equal(due_count, 1);
    expect_log(peer, "");
    gh_h2_codec_flush(peer->codec);
    assert_int_equal(peer->output_count, 1);
    expect_told(peer, "HEADERS:1{:status=200|content-length=2} "
                      "HEADERS:5{:status=200|content-length=2} HEADERS:3{:status=200} "
                      "DATA:1(ok). DATA:3(ab) DATA:5(ok). ");
    expect_log(peer, "closed:5 closed:1 ");
    write_body(peer, 3, "c", true);
    assert_int_equal(due_count, 2);
    gh_h2_codec_flush(peer->codec);
    expect_told(peer, "DATA:3(c). ");
    gh_h2_codec_flush(peer->codec);
    assert_int_equal(peer->output_count, 2);
    close_peer(peer);
}

static void large_pieces_do_not_wait(void **state)
{
    (void)state;
    struct peer *peer = open_gathering_peer();
    struct gh_answer_head head = answer(200, GH_BODY_LENGTH, 20000);
    answer_200(peer, 1);
    peer->codec->ops->write_head(peer->codec, 3, &head, gh_str_of(BYTES, 20000), true);
    assert_int_equal(peer->output_count, 1);
    assert_true(has(told(peer), "DATA:1(ok). DATA:3(16384) DATA:3(3616). "));
    close_peer(peer);
}

static void what_waits_is_reset_and_broken_off_like_anything(void **state)
{
    (void)state;
    struct peer *peer = open_gathering_peer();
    answer_200(peer, 1);
    peer->codec->ops->reset(peer->codec, 3);
    expect_log(peer, "closed:3 ");
    put_u32_frame(peer, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
    put_frame(peer, NGHTTP2_PING, 0, 0, "12345678", 8);
    assert_true(send_all(peer));
    expect_log(peer, "closed:1 ");
    gh_h2_codec_flush(peer->codec);
    expect_told(peer, "PING! RESET:3:2 ");
    answer_200(peer, 5);
    put_frame(peer, NGHTTP2_PRIORITY, 0, 0, "\0\0\0\1\7", 5);
    send_all(peer); /* a failure does not wait, and what was said before it has its place */
    expect_told(peer, "HEADERS:5{:status=200|content-length=2} DATA:5(ok). GOAWAY:5:1 ");
    assert_true(peer->codec->ops->wants_close(peer->codec));
    close_peer(peer);
}

static void a_full_wire_is_not_flushed_to(void **state)
{
    (void)state;
    struct peer *peer = open_gathering_peer();
    answer_200(peer, 1);
    peer->wire_is_full = true;
    gh_h2_codec_flush(peer->codec);
    answer_200(peer, 3);
    gh_h2_codec_flush(peer->codec);
    assert_int_equal(peer->output_count, 1);
    peer->wire_is_full = false;
    peer->codec->ops->on_writable(peer->codec);
    gh_h2_codec_flush(peer->codec);
    assert_true(has(told(peer), "DATA:3(ok). "));
    close_peer(peer);
}

/* ---- Bodies of requests ---- */

static void the_window_of_a_body_is_paid_by_who_consumes_it(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->pays = peer->logs_bodies = false;
    put_headers(peer, 1, POST, 0);
    for (size_t bytes = 0; bytes < GH_H2_STREAM_WINDOW_BYTES; bytes += 16384)
        put_frame(peer, NGHTTP2_DATA, 0, 1, BYTES, 16384);
    assert_true(send_all(peer));
    assert_int_equal(peer->body_bytes, GH_H2_STREAM_WINDOW_BYTES);
    expect_told(peer, "");
    peer->codec->ops->consumed(peer->codec, 1, GH_H2_STREAM_WINDOW_BYTES);
    expect_told(peer, "WINDOW:1:262144 ");
    close_peer(peer);
}

static void a_body_beyond_its_window_is_an_error_of_flow_control(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->pays = peer->logs_bodies = false;
    put_headers(peer, 1, POST, 0);
    for (size_t bytes = 0; bytes <= GH_H2_STREAM_WINDOW_BYTES; bytes += 16384)
        put_frame(peer, NGHTTP2_DATA, 0, 1, BYTES, 16384);
    send_all(peer);
    assert_true(has(told(peer), ":3 "));
    expect_log(peer, "begin:1 head:1 closed:1 ");
    close_peer(peer);
}

static void all_bodies_together_are_held_by_the_connections_window(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->pays = peer->logs_bodies = false;
    for (uint32_t id = 1; id < 11; id += 2) {
        put_headers(peer, id, POST, 0);
        for (size_t bytes = 0; bytes < GH_H2_STREAM_WINDOW_BYTES; bytes += 16384)
            put_frame(peer, NGHTTP2_DATA, 0, id, BYTES, 16384);
    }
    send_all(peer); /* five streams' windows are more than the connection's */
    assert_int_equal(peer->body_bytes, GH_H2_CONNECTION_WINDOW_BYTES);
    assert_true(has(told(peer), "GOAWAY:9:3 "));
    close_peer(peer);
}

/* Half a window of unpaid bytes keeps nobody from sending. */
static void the_connections_window_is_shut_when_it_is_used_up(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->pays = peer->logs_bodies = false;
    for (size_t bytes = 16384; bytes <= GH_H2_CONNECTION_WINDOW_BYTES; bytes += 16384) {
        uint32_t id = 1 + 2 * (uint32_t)((bytes - 1) / GH_H2_STREAM_WINDOW_BYTES);
        if (bytes % GH_H2_STREAM_WINDOW_BYTES == 16384)
            put_headers(peer, id, POST, 0);
        put_frame(peer, NGHTTP2_DATA, 0, id, BYTES, 16384);
        assert_true(send_all(peer));
        assert_int_equal(gh_h2_codec_is_input_shut(peer->codec),
                         bytes >= GH_H2_CONNECTION_WINDOW_BYTES - 16384);
    }
    peer->codec->ops->consumed(peer->codec, 1, GH_H2_STREAM_WINDOW_BYTES);
    peer->codec->ops->consumed(peer->codec, 3, GH_H2_STREAM_WINDOW_BYTES);
    assert_false(gh_h2_codec_is_input_shut(peer->codec));
    close_peer(peer);
}

static void what_a_closed_stream_left_unpaid_is_paid_for_the_others(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->pays = peer->logs_bodies = false;
    for (uint32_t id = 1; id < 41; id += 2) { /* five connections' windows */
        put_headers(peer, id, POST, 0);
        for (size_t bytes = 0; bytes < GH_H2_STREAM_WINDOW_BYTES; bytes += 16384)
            put_frame(peer, NGHTTP2_DATA, 0, id, BYTES, 16384);
        put_u32_frame(peer, NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
        assert_true(send_all(peer));
    }
    assert_int_equal(peer->body_bytes, 5 * GH_H2_CONNECTION_WINDOW_BYTES);
    assert_false(has(told(peer), "GOAWAY"));
    close_peer(peer);
}

static void what_is_thrown_away_is_paid_for_the_others(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_head = answer_200;
    for (uint32_t id = 1; id < 41; id += 2) {
        put_headers(peer, id, POST, 0);
        for (size_t bytes = 16384; bytes < GH_H2_STREAM_WINDOW_BYTES; bytes += 16384)
            put_frame(peer, NGHTTP2_DATA, 0, id, BYTES, 16384);
        put_data(peer, id, "", FIN);
        assert_true(send_all(peer));
    }
    assert_int_equal(peer->body_bytes, 0);
    const char *text = told(peer);
    assert_false(has(text, "GOAWAY") || has(text, "RESET"));
    assert_true(has(text, "DATA:39(ok). "));
    close_peer(peer);
}

static void who_has_used_its_window_up_before_the_answer_is_reset_behind_it(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->pays = peer->logs_bodies = false;
    put_headers(peer, 1, POST, 0);
    for (size_t bytes = 0; bytes < GH_H2_STREAM_WINDOW_BYTES; bytes += 16384)
        put_frame(peer, NGHTTP2_DATA, 0, 1, BYTES, 16384);
    assert_true(send_all(peer));
    answer_200(peer, 1);
    assert_true(has(told(peer), "DATA:1(ok). RESET:1:0 "));
    close_peer(peer);
}

static void padding_pays_for_itself(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    static char padded[16384] = {(char)255};
    peer->logs_bodies = false;
    put_headers(peer, 1, POST, 0);
    for (int i = 0; i < 200; i++) {
        put_frame(peer, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, padded, sizeof(padded));
        assert_true(send_all(peer));
    }
    assert_int_equal(peer->body_bytes, 200 * (16384 - 256));
    assert_false(has(told(peer), "GOAWAY"));
    close_peer(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_stops_at_the_streams_window_and_goes_on),
        cmocka_unit_test(the_connections_window_holds_all_streams),
        cmocka_unit_test(answers_share_the_connections_window),
        cmocka_unit_test(a_shut_window_is_told_from_one_that_others_were_first_at),
        cmocka_unit_test(a_stream_says_when_it_is_full_and_when_it_takes_more),
        cmocka_unit_test(an_owner_may_write_when_it_is_told_that_a_stream_takes_more),
        cmocka_unit_test(nothing_but_goaway_is_given_to_a_full_wire),
        cmocka_unit_test(keeps_no_more_than_a_writes_worth_over_the_bound),
        cmocka_unit_test(a_full_wire_stops_the_input_before_answers_to_it_pile_up),
        cmocka_unit_test(bytes_kept_for_a_stream_that_is_reset_are_given_back),
        cmocka_unit_test(the_bytes_of_an_answer_are_its_bytes_whatever_holds_them_up),
        cmocka_unit_test(answers_of_one_turn_leave_in_one_call),
        cmocka_unit_test(large_pieces_do_not_wait),
        cmocka_unit_test(what_waits_is_reset_and_broken_off_like_anything),
        cmocka_unit_test(a_full_wire_is_not_flushed_to),
        cmocka_unit_test(the_window_of_a_body_is_paid_by_who_consumes_it),
        cmocka_unit_test(a_body_beyond_its_window_is_an_error_of_flow_control),
        cmocka_unit_test(all_bodies_together_are_held_by_the_connections_window),
        cmocka_unit_test(the_connections_window_is_shut_when_it_is_used_up),
        cmocka_unit_test(what_a_closed_stream_left_unpaid_is_paid_for_the_others),
        cmocka_unit_test(what_is_thrown_away_is_paid_for_the_others),
        cmocka_unit_test(who_has_used_its_window_up_before_the_answer_is_reset_behind_it),
        cmocka_unit_test(padding_pays_for_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
