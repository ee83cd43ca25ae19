/* What the HTTP/1.1 codec writes. */
#include "http/h1_answer.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http/h1_test_peer.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_an_answer_of_known_length_in_one_go),
        cmocka_unit_test(leaves_out_the_fields_that_are_its_own),
        cmocka_unit_test(writes_chunks_when_the_length_is_unknown),
        cmocka_unit_test(closes_instead_of_chunks_for_http_1_0),
        cmocka_unit_test(says_whether_the_connection_goes_on),
        cmocka_unit_test(writes_no_body_for_head_204_and_304),
        cmocka_unit_test(an_answer_shorter_than_its_length_is_broken_off),
        cmocka_unit_test(writes_100_continue_once),
        cmocka_unit_test(closes_when_it_can_not_know_whether_the_body_comes),
        cmocka_unit_test(writes_interim_answers_before_the_final_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
