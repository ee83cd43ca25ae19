/*
 * The Priority field: how it is read, and in what order answers leave by it.
 */
#include "http/h2_priority.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "http/h2_test_peer.h"

/* ---- Reading it ---- */

/* "3i" of what the lines say; "-" for nothing. */
static const char *read_lines(const char *first, const char *second)
{
    static char text[16];
    struct gh_arena arena;
    struct gh_field items[3];
    struct gh_fields fields;
    gh_arena_init(&arena, 1024, 65536);
    gh_fields_init(&fields, items, 3);
    assert_true(gh_fields_add(&fields, GH_STR("accept"), GH_STR("u=0")));
    assert_true(gh_fields_add(&fields, GH_STR("priority"), gh_str_from_c(first)));
    if (second)
        assert_true(gh_fields_add(&fields, GH_STR("priority"), gh_str_from_c(second)));
    struct gh_h2_priority priority;
    if (gh_h2_priority_read(&fields, &arena, &priority))
        snprintf(text, sizeof(text), "%u%s", priority.urgency, priority.incremental ? "i" : "");
    else
        strcpy(text, "-");
    gh_arena_done(&arena);
    return text;
}

static void reads_urgency_and_incremental(void **state)
{
    (void)state;
    assert_string_equal(read_lines("u=0", NULL), "0");
    assert_string_equal(read_lines("u=7, i", NULL), "7i");
    assert_string_equal(read_lines("i=?1;x=1,u=2;y", NULL), "2i");
    assert_string_equal(read_lines("u=5,i=?0", NULL), "5");
    assert_string_equal(read_lines("i", NULL), "3i");
    assert_string_equal(read_lines("", NULL), "3");
    assert_string_equal(read_lines("u=1, u=6", NULL), "6");
}

static void ignores_members_that_are_not_as_they_should_be(void **state)
{
    (void)state;
    assert_string_equal(read_lines("u=8", NULL), "3");
    assert_string_equal(read_lines("u=-1, i", NULL), "3i");
    assert_string_equal(read_lines("u=1.0", NULL), "3");
    assert_string_equal(read_lines("u=?1, i=1, x=4", NULL), "3");
    assert_string_equal(read_lines("u=999999999999999", NULL), "3");
}

static void ignores_a_field_that_can_not_be_read(void **state)
{
    (void)state;
    assert_string_equal(read_lines("u=", NULL), "-");
    assert_string_equal(read_lines("u=1,", NULL), "-");
    assert_string_equal(read_lines("U=1", NULL), "-");
    assert_string_equal(read_lines("u=1 i", NULL), "-");
    assert_string_equal(read_lines("u=0", "u=1"), "-");
    char longer[80];
    memset(longer, ' ', sizeof(longer));
    memcpy(longer, "u=0", 3);
    longer[79] = '\0';
    assert_string_equal(read_lines(longer, NULL), "-");
}

/* ---- Following it ---- */

#define BULK 60000

static char BYTES[BULK];

static void begin_bulk(struct peer *peer, uint32_t id, const char *fields)
{
    put_headers(peer, id, fields, FIN);
    assert_true(send_all(peer));
    write_head(peer, id, answer(200, GH_BODY_LENGTH, BULK), "", false);
    peer->codec->ops->write_body(peer->codec, id, gh_str_of(BYTES, BULK), true);
}

static struct peer *open_peer_with_a_full_wire(bool honours)
{
    struct peer *peer = open_peer();
    if (honours)
        gh_h2_codec_honour_priorities(peer->codec);
    put_setting(peer, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20);
    put_u32_frame(peer, NGHTTP2_WINDOW_UPDATE, 0, 1 << 20);
    assert_true(send_all(peer));
    peer->wire_is_full = true;
    put_frame(peer, NGHTTP2_PING, 0, 0, "gatehous", 8);
    assert_true(send_all(peer));
    return peer;
}

/* Opens the wire; the streams of the DATA that come, each once for what comes in a row. */
static const char *order_of(struct peer *peer)
{
    static char order[64];
    size_t len = 0;
    (void)told(peer);
    peer->wire_is_full = false;
    peer->codec->ops->on_writable(peer->codec);
    while (peer->read_len < peer->sent_len) {
        const uint8_t *at = (const uint8_t *)peer->sent + peer->read_len;
        char id = (char)('0' + u32_of(at + 5));
        if (at[3] == NGHTTP2_DATA && (len == 0 || order[len - 1] != id) && len < 63)
            order[len++] = id;
        peer->read_len += 9 + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]);
    }
    order[len] = '\0';
    return order;
}

static void an_urgent_answer_overtakes_others(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_a_full_wire(true);
    begin_bulk(peer, 1, GET "|priority=u=5");
    begin_bulk(peer, 3, GET);
    begin_bulk(peer, 5, GET "|priority=u=0");
    assert_string_equal(order_of(peer), "531");
    close_peer(peer);
}

static void incremental_answers_of_an_urgency_share(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_a_full_wire(true);
    begin_bulk(peer, 1, GET "|priority=u=2, i");
    begin_bulk(peer, 3, GET "|priority=u=2, i");
    assert_string_equal(order_of(peer), "13131313");
    close_peer(peer);
}

static void answers_that_are_not_incremental_follow_each_other(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_a_full_wire(true);
    begin_bulk(peer, 1, GET "|priority=u=2");
    begin_bulk(peer, 3, GET "|priority=u=2");
    assert_string_equal(order_of(peer), "13");
    close_peer(peer);
}

static void answers_of_which_nothing_is_said_share(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_a_full_wire(true);
    begin_bulk(peer, 1, GET);
    begin_bulk(peer, 3, GET "|priority=u=9999999999999999");
    assert_string_equal(order_of(peer), "13131313");
    close_peer(peer);
}

static void a_connection_of_many_clients_gives_nobody_precedence(void **state)
{
    (void)state;
    struct peer *peer = open_peer_with_a_full_wire(false);
    begin_bulk(peer, 1, GET "|priority=u=7");
    begin_bulk(peer, 3, GET "|priority=u=0");
    assert_string_equal(order_of(peer), "13131313");
    close_peer(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_urgency_and_incremental),
        cmocka_unit_test(ignores_members_that_are_not_as_they_should_be),
        cmocka_unit_test(ignores_a_field_that_can_not_be_read),
        cmocka_unit_test(an_urgent_answer_overtakes_others),
        cmocka_unit_test(incremental_answers_of_an_urgency_share),
        cmocka_unit_test(answers_that_are_not_incremental_follow_each_other),
        cmocka_unit_test(answers_of_which_nothing_is_said_share),
        cmocka_unit_test(a_connection_of_many_clients_gives_nobody_precedence),
    };
    return cmocka_run_group_tests_name("h2_priority", tests, NULL, NULL);
}
