/*
 * Since when a client owes the rest of what it has begun to send: a frame, or a header block.
 */
#include "http/h2_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/h2_test_peer.h"

static void at(struct peer *peer, uint64_t now_ms)
{
    gh_h2_codec_set_now(peer->codec, now_ms);
}

/* `since_ms` 0: nothing is owed. */
static void expect_cut(struct peer *peer, uint64_t since_ms)
{
    uint64_t since = 0;
    bool is_cut = gh_h2_codec_is_cut(peer->codec, &since);
    assert_int_equal(is_cut, since_ms != 0);
    if (is_cut)
        assert_int_equal(since, since_ms);
}

static void send_raw(struct peer *peer, const char *bytes, size_t len)
{
    assert_int_equal(peer->codec->ops->feed(peer->codec, gh_str_of(bytes, len)), len);
}

static void nothing_is_owed_when_the_settings_are_here(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    assert_true(gh_h2_codec_is_greeted(peer->codec));
    expect_cut(peer, 0);
    close_peer(peer);
}

static void half_of_the_first_settings_is_no_greeting(void **state)
{
    (void)state;
    struct peer *peer = open_silent_peer(&LIMITS);
    static const char FIRST[] = GH_H2_PREFACE "\0\0\0\4\0\0\0\0";
    send_raw(peer, FIRST, sizeof(FIRST) - 1);
    assert_false(gh_h2_codec_is_greeted(peer->codec));
    send_raw(peer, "", 1);
    assert_true(gh_h2_codec_is_greeted(peer->codec));
    close_peer(peer);
}

static void a_frame_is_owed_from_its_first_byte_on(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    static const char PING[] = "\0\0\10\6\0\0\0\0\0gatehous";
    for (size_t i = 0; i < sizeof(PING) - 1; i++) {
        at(peer, 100 + i);
        send_raw(peer, PING + i, 1);
        expect_cut(peer, i < sizeof(PING) - 2 ? 100 : 0);
    }
    at(peer, 500);
    send_raw(peer, PING, 1);
    expect_cut(peer, 500);
    close_peer(peer);
}

static void a_header_block_is_owed_from_its_first_frame_on(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    at(peer, 100);
    put_frame(peer, NGHTTP2_HEADERS, FIN, 1, "\x82", 1);
    assert_true(send_all(peer));
    at(peer, 200);
    expect_cut(peer, 100);
    put_frame(peer, NGHTTP2_CONTINUATION, 0, 1, "\x86", 1);
    assert_true(send_all(peer));
    expect_cut(peer, 100);
    at(peer, 300);
    put_frame(peer, NGHTTP2_CONTINUATION, DONE, 1, "\x84\x41\1a", 4);
    assert_true(send_all(peer));
    expect_cut(peer, 0);
    assert_non_null(peer->head);
    close_peer(peer);
}

static void data_is_owed_no_longer_when_its_header_is_here(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, GET, 0);
    assert_true(send_all(peer));
    at(peer, 100);
    static const char DATA[] = "\0\0\2\0\0\0\0\0\1";
    send_raw(peer, DATA, 8);
    expect_cut(peer, 100);
    send_raw(peer, DATA + 8, 1);
    expect_cut(peer, 0);
    send_raw(peer, "a", 1);
    expect_cut(peer, 0);
    close_peer(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_owed_when_the_settings_are_here),
        cmocka_unit_test(half_of_the_first_settings_is_no_greeting),
        cmocka_unit_test(a_frame_is_owed_from_its_first_byte_on),
        cmocka_unit_test(a_header_block_is_owed_from_its_first_frame_on),
        cmocka_unit_test(data_is_owed_no_longer_when_its_header_is_here),
    };
    return cmocka_run_group_tests_name("h2_cut", tests, NULL, NULL);
}
