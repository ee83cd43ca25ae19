/* Extended CONNECT for WebSocket (RFC 8441). */
#include "http/h2_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/h2_test_peer.h"

#define ASK                                                                                        \
    ":method=CONNECT|:protocol=websocket|:scheme=https|:authority=a|:path=/chat?x=1|"              \
    "sec-websocket-version=13|sec-websocket-protocol=chat|origin=https://a"

static struct peer *ask(void)
{
    struct peer *peer = open_peer();
    put_headers(peer, 1, ASK, 0);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 ");
    return peer;
}

static void begin_tunnel(struct peer *peer)
{
    struct gh_field fields[] = {
        {.name = GH_STR_INIT("Sec-WebSocket-Accept"), .value = GH_STR_INIT("proof")},
        {.name = GH_STR_INIT("Upgrade"), .value = GH_STR_INIT("websocket")},
        {.name = GH_STR_INIT("Connection"), .value = GH_STR_INIT("Upgrade")},
        {.name = GH_STR_INIT("Sec-WebSocket-Protocol"), .value = GH_STR_INIT("chat")},
    };
    struct gh_answer_head head = answer(101, GH_BODY_NONE, 0);
    head.tunnel = true;
    head.fields = fields;
    head.field_count = 4;
    peer->codec->ops->write_head(peer->codec, 1, &head, GH_STR(""), false);
    expect_told(peer, "HEADERS:1{:status=200|sec-websocket-protocol=chat} ");
}

static void is_told_as_an_upgrade_of_http_1_1(void **state)
{
    (void)state;
    struct peer *peer = ask();
    assert_int_equal(peer->head->method, GH_METHOD_GET);
    assert_true(gh_str_eq(peer->head->method_text, GH_STR("GET")));
    assert_true(peer->head->upgrade_websocket);
    assert_int_equal(peer->head->body, GH_BODY_NONE);
    assert_true(gh_str_eq(peer->head->path, GH_STR("/chat")));
    assert_true(gh_str_eq(peer->head->authority, GH_STR("a")));
    close_peer(peer);
}

static void passes_bytes_both_ways_until_both_have_ended(void **state)
{
    (void)state;
    struct peer *peer = ask();
    begin_tunnel(peer);
    put_data(peer, 1, "up", 0);
    assert_true(send_all(peer));
    write_body(peer, 1, "down", false);
    expect_told(peer, "DATA:1(down) ");
    put_data(peer, 1, "last", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "body:1(up) body:1(last) end:1 ");
    write_body(peer, 1, "bye", true);
    expect_told(peer, "DATA:1(bye). ");
    expect_log(peer, "closed:1 ");
    close_peer(peer);
}

static void our_end_closes_it(void **state)
{
    (void)state;
    struct peer *peer = ask();
    begin_tunnel(peer);
    write_body(peer, 1, "", true);
    expect_told(peer, "DATA:1(). ");
    expect_log(peer, "closed:1 ");
    put_data(peer, 1, "late", 0);
    assert_true(send_all(peer));
    expect_log(peer, "");
    close_peer(peer);
}

static void a_cut_is_a_cancel(void **state)
{
    (void)state;
    struct peer *peer = ask();
    begin_tunnel(peer);
    peer->codec->ops->reset(peer->codec, 1);
    expect_told(peer, "RESET:1:8 ");
    expect_log(peer, "closed:1 ");
    close_peer(peer);
}

static void bytes_that_do_not_wait_are_told(void **state)
{
    (void)state;
    struct peer *peer = ask();
    put_data(peer, 1, "early", 0);
    assert_true(send_all(peer));
    expect_log(peer, "body:1(early) ");
    begin_tunnel(peer);
    close_peer(peer);
}

static void a_refusal_is_an_answer_as_any_other(void **state)
{
    (void)state;
    struct peer *peer = ask();
    write_head(peer, 1, answer(403, GH_BODY_LENGTH, 2), "no", true);
    expect_told(peer, "HEADERS:1{:status=403|content-length=2} DATA:1(no). ");
    expect_log(peer, "closed:1 ");
    close_peer(peer);
}

static void has_no_trailers(void **state)
{
    (void)state;
    struct peer *peer = ask();
    begin_tunnel(peer);
    put_headers(peer, 1, "x-t=1", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "error:1:1 ");
    peer->codec->ops->reset(peer->codec, 1);
    expect_told(peer, "RESET:1:1 ");
    close_peer(peer);
}

static void is_slowed_like_an_answer(void **state)
{
    (void)state;
    struct peer *peer = ask();
    begin_tunnel(peer);
    static char bytes[200000];
    peer->codec->ops->write_body(peer->codec, 1, gh_str_of(bytes, sizeof(bytes)), false);
    assert_true(peer->codec->ops->is_full(peer->codec, 1));
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 1 << 20);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 1, 1 << 20);
    assert_true(send_all(peer));
    assert_int_equal(peer->drained_count, 1);
    close_peer(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_told_as_an_upgrade_of_http_1_1),
        cmocka_unit_test(passes_bytes_both_ways_until_both_have_ended),
        cmocka_unit_test(our_end_closes_it),
        cmocka_unit_test(a_cut_is_a_cancel),
        cmocka_unit_test(bytes_that_do_not_wait_are_told),
        cmocka_unit_test(a_refusal_is_an_answer_as_any_other),
        cmocka_unit_test(has_no_trailers),
        cmocka_unit_test(is_slowed_like_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
