/* The order of events in the HTTP/1.1 codec, whatever happens; requests are in transcripts. */
#include "http/h1_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "http/h1_test_peer.h"

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
    assert_int_equal(feed(peer, "llo" GET), 3);
    expect_log(peer, "closed ");
    assert_int_equal(feed(peer, GET), sizeof(GET) - 1);
    expect_log(peer, "begin head end ");
    close_peer(peer);
}

static void answer_inside_on_head_is_followed_by_closed_only(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_head = answer_in_head_event;
    assert_int_equal(feed(peer, GET GET), sizeof(GET) - 1);
    expect_log(peer, "begin head closed ");
    assert_int_equal(feed(peer, GET), sizeof(GET) - 1);
    expect_log(peer, "begin head closed ");
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

/* A caller that has reasons to wait, answers that pile up perhaps, is asked before each request. */
static void takes_one_request_at_most_in_a_feed(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->in_head = answer_in_head_event;
    assert_int_equal(feed(peer, POST5 "hello" GET GET), sizeof(POST5) - 1 + 5);
    assert_int_equal(peer->closed_count, 1);
    assert_true(peer->codec->ops->wants_input(peer->codec));
    assert_int_equal(feed(peer, GET GET), sizeof(GET) - 1);
    assert_int_equal(peer->closed_count, 2);
    assert_true(peer->codec->ops->wants_input(peer->codec));
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
        cmocka_unit_test(takes_no_pipelined_request_before_the_answer),
        cmocka_unit_test(discards_the_body_after_an_early_answer),
        cmocka_unit_test(answer_inside_on_head_is_followed_by_closed_only),
        cmocka_unit_test(closes_when_a_discarded_body_is_malformed),
        cmocka_unit_test(discards_before_it_closes_after_an_early_answer),
        cmocka_unit_test(goes_on_with_the_body_while_the_answer_streams),
        cmocka_unit_test(answers_a_refused_request_and_closes),
        cmocka_unit_test(can_answer_before_the_head_is_complete),
        cmocka_unit_test(a_reset_answer_does_not_look_complete),
        cmocka_unit_test(can_be_reset_inside_every_event),
        cmocka_unit_test(becomes_a_tunnel_and_takes_no_more_bytes),
        cmocka_unit_test(takes_one_request_at_most_in_a_feed),
        cmocka_unit_test(takes_no_more_than_the_bound_of_unpaid_bytes),
        cmocka_unit_test(closes_when_the_owner_refuses_a_stream),
        cmocka_unit_test(reports_an_arena_that_is_full),
        cmocka_unit_test(done_closes_a_stream_that_is_open),
        cmocka_unit_test(keeps_a_long_head_that_comes_in_pieces),
        cmocka_unit_test(is_not_fed_inside_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
