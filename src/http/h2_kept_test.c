/*
 * What the answers of one connection may keep together, whatever each of its streams may.
 */
#include "http/h2_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/h2_test_peer.h"

#define PIECE 8192

static char BYTES[PIECE];

static bool is_full(struct peer *peer, gh_stream_id id)
{
    return peer->codec->ops->is_full(peer->codec, id);
}

static struct peer *open_peer_that_does_not_read(void)
{
    struct peer *peer = open_peer();
    put_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    assert_true(send_all(peer));
    return peer;
}

/* As many answers as there may be, in pieces. Returns how much of them is kept. */
static size_t fill_all(struct peer *peer)
{
    size_t unsent = 0;
    for (gh_stream_id id = 1; id < 200; id += 2) {
        put_headers(peer, id, GET, FIN);
        assert_true(send_all(peer));
        write_head(peer, id, answer(200, GH_BODY_CHUNKED, 0), "", false);
        while (!is_full(peer, id))
            peer->codec->ops->write_body(peer->codec, id, gh_str_of(BYTES, PIECE), false);
        unsent += gh_h2_codec_unsent(peer->codec, id);
    }
    assert_int_equal(gh_h2_codec_open_streams(peer->codec), 100);
    return unsent;
}

static void all_answers_keep_no_more_than_a_piece_each_over_their_bound(void **state)
{
    (void)state;
    struct peer *peer = open_peer_that_does_not_read();
    assert_in_range(fill_all(peer), GH_H2_CONNECTION_UNSENT_BYTES_MAX / 2,
                    GH_H2_CONNECTION_UNSENT_BYTES_MAX + 100 * PIECE);
    close_peer(peer);
}

static void a_stream_goes_on_when_its_own_client_has_taken_all_of_it(void **state)
{
    (void)state;
    struct peer *peer = open_peer_that_does_not_read();
    (void)fill_all(peer);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 199, PIECE - 1);
    assert_true(send_all(peer));
    assert_true(is_full(peer, 199));
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 199, 1);
    assert_true(send_all(peer));
    assert_false(is_full(peer, 199));
    assert_int_equal(peer->drained_count, 1);
    close_peer(peer);
}

static void a_stream_goes_on_when_the_others_keep_little(void **state)
{
    (void)state;
    struct peer *peer = open_peer_that_does_not_read();
    (void)fill_all(peer);
    for (uint32_t id = 1; id < 199; id += 2)
        put_u32_frame(peer, NGHTTP2_RST_STREAM, id, NGHTTP2_CANCEL);
    assert_true(send_all(peer));
    assert_int_equal(gh_h2_codec_unsent(peer->codec, 199), PIECE);
    assert_false(is_full(peer, 199));
    assert_int_not_equal(peer->drained_count, 0);
    close_peer(peer);
}

/* Or the sum would forget, or remember, what a stream kept when it ended. */
static void what_was_kept_for_streams_that_are_over_counts_no_more(void **state)
{
    (void)state;
    struct peer *peer = open_peer_that_does_not_read();
    (void)fill_all(peer);
    for (gh_stream_id id = 1; id < 200; id += 2)
        peer->codec->ops->reset(peer->codec, id);
    assert_int_equal(gh_h2_codec_open_streams(peer->codec), 0);
    put_headers(peer, 201, GET, FIN);
    assert_true(send_all(peer));
    write_head(peer, 201, answer(200, GH_BODY_CHUNKED, 0), "", false);
    for (size_t kept = 0; kept < GH_H2_UNSENT_BYTES_MAX; kept += PIECE) {
        assert_false(is_full(peer, 201));
        peer->codec->ops->write_body(peer->codec, 201, gh_str_of(BYTES, PIECE), false);
    }
    close_peer(peer);
}

/* ---- The owner's budget ---- */

static size_t room_max, room_taken;

static bool charge_room(void *owner, size_t bytes)
{
    assert_non_null(owner);
    bool has_room = room_taken + bytes <= room_max;
    room_taken += bytes;
    return has_room;
}

static void give_room(void *owner, size_t bytes)
{
    assert_non_null(owner);
    assert_in_range(bytes, 1, room_taken);
    room_taken -= bytes;
}

static const struct gh_h2_room ROOM = {charge_room, give_room};

static struct peer *open_peer_with_room(size_t bytes)
{
    struct peer *peer = open_peer_that_does_not_read();
    room_max = bytes;
    room_taken = 0;
    gh_h2_codec_count_kept(peer->codec, &ROOM);
    return peer;
}

static void begin_answer(struct peer *peer, gh_stream_id id)
{
    put_headers(peer, (uint32_t)id, GET, FIN);
    assert_true(send_all(peer));
    write_head(peer, id, answer(200, GH_BODY_CHUNKED, 0), "", false);
}

static void put_piece(struct peer *peer, gh_stream_id id)
{
    peer->codec->ops->write_body(peer->codec, id, gh_str_of(BYTES, PIECE), false);
}

static void without_room_each_answer_keeps_one_piece_and_loses_none(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_room(2 * PIECE);
    for (gh_stream_id id = 1; id < 20; id += 2) {
        begin_answer(peer, id);
        put_piece(peer, id);
        assert_int_equal(is_full(peer, id), id > 3);
        assert_int_equal(gh_h2_codec_unsent(peer->codec, id), PIECE);
    }
    assert_int_equal(room_taken, 10 * PIECE); /* of which there was room for two */
    put_piece(peer, 1);
    assert_true(is_full(peer, 1));
    assert_int_equal(gh_h2_codec_unsent(peer->codec, 1), 2 * PIECE);
    assert_int_equal(room_taken, 11 * PIECE);
    close_peer(peer);
    assert_int_equal(room_taken, 0);
}

static void without_room_a_stream_goes_on_when_all_of_it_is_taken(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_room(0);
    begin_answer(peer, 1);
    put_piece(peer, 1);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, PIECE - 1);
    assert_true(send_all(peer));
    assert_true(is_full(peer, 1));
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, 1);
    assert_true(send_all(peer));
    assert_false(is_full(peer, 1));
    assert_int_equal(peer->drained_count, 1);
    close_peer(peer);
}

static void room_is_given_back_when_what_was_kept_has_left(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_room(1 << 20);
    begin_answer(peer, 1);
    put_piece(peer, 1);
    begin_answer(peer, 3);
    put_piece(peer, 3);
    assert_int_equal(room_taken, 2 * PIECE);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, PIECE);
    assert_true(send_all(peer));
    assert_int_equal(room_taken, PIECE);
    put_u32_frame(peer, NGHTTP2_RST_STREAM, 3, NGHTTP2_CANCEL);
    assert_true(send_all(peer));
    assert_int_equal(room_taken, 0);
    close_peer(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_answers_keep_no_more_than_a_piece_each_over_their_bound),
        cmocka_unit_test(a_stream_goes_on_when_its_own_client_has_taken_all_of_it),
        cmocka_unit_test(a_stream_goes_on_when_the_others_keep_little),
        cmocka_unit_test(what_was_kept_for_streams_that_are_over_counts_no_more),
        cmocka_unit_test(without_room_each_answer_keeps_one_piece_and_loses_none),
        cmocka_unit_test(without_room_a_stream_goes_on_when_all_of_it_is_taken),
        cmocka_unit_test(room_is_given_back_when_what_was_kept_has_left),
    };
    return cmocka_run_group_tests_name("h2_kept", tests, NULL, NULL);
}
