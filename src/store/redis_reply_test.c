#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "store/redis_reply.h"

#define REPLY_BYTES_MAX 65536

static struct gh_redis_reader *reader_of_test(void)
{
    struct gh_redis_reader *reader;
    assert_int_equal(gh_redis_reader_open(REPLY_BYTES_MAX, &reader), GH_OK);
    return reader;
}

/* Writes a reply as text: each kind its own, so that no two values look the same. */
static void show(struct gh_buf *out, const struct gh_redis_reply *reply, unsigned depth)
{
    assert_true(depth <= GH_REDIS_REPLY_DEPTH_MAX);
    switch (reply->type) {
    case GH_REDIS_NIL:
        gh_buf_format(out, "nil ");
        break;
    case GH_REDIS_STRING:
        gh_buf_format(out, "\"%.*s\" ", GH_STR_ARG(reply->text));
        break;
    case GH_REDIS_STATUS:
        gh_buf_format(out, "+%.*s ", GH_STR_ARG(reply->text));
        break;
    case GH_REDIS_ERROR:
        gh_buf_format(out, "-%.*s ", GH_STR_ARG(reply->text));
        break;
    case GH_REDIS_INTEGER:
        gh_buf_format(out, "%lld ", (long long)reply->integer);
        break;
    case GH_REDIS_ARRAY:
        gh_buf_format(out, "[ ");
        for (size_t i = 0; i < reply->item_count; i++)
            show(out, &reply->items[i], depth + 1);
        gh_buf_format(out, "] ");
        break;
    }
}

/* Reads what is whole; true: it broke. */
static bool drain(struct gh_redis_reader *reader, struct gh_buf *out)
{
    const struct gh_redis_reply *reply;
    enum gh_redis_read read;
    while ((read = gh_redis_reader_next(reader, &reply)) == GH_REDIS_READ_REPLY) {
        show(out, reply, 0);
        gh_buf_format(out, "| ");
    }
    return read == GH_REDIS_READ_BROKEN;
}

/* Feeds pieces of `first` bytes, then of `each`; "broken" stands behind what was read before. */
static const char *read_in_pieces(struct gh_str bytes, size_t first, size_t each)
{
    static char text[4096];
    struct gh_buf out = gh_buf_over(text, sizeof text - 1);
    struct gh_redis_reader *reader = reader_of_test();
    bool broken = false;
    for (size_t piece = first; bytes.len > 0; piece = each) {
        gh_redis_reader_feed(reader, gh_str_first(bytes, piece));
        bytes = gh_str_skip(bytes, piece);
        broken = drain(reader, &out);
    }
    assert_int_equal(broken, *gh_redis_reader_problem(reader) != '\0');
    if (broken)
        gh_buf_format(&out, "broken");
    gh_redis_reader_close(reader);
    assert_false(out.overflow);
    text[out.len] = '\0';
    return text;
}

static void expect_at_every_split(struct gh_str bytes, const char *expected)
{
    assert_string_equal(read_in_pieces(bytes, bytes.len, 1), expected);
    assert_string_equal(read_in_pieces(bytes, 1, 1), expected);
    for (size_t at = 1; at < bytes.len; at++)
        assert_string_equal(read_in_pieces(bytes, at, bytes.len), expected);
}

static void reads_each_kind_at_every_split(void **state)
{
    (void)state;
    expect_at_every_split(GH_STR("+OK\r\n"), "+OK | ");
    expect_at_every_split(GH_STR("+\r\n"), "+ | ");
    expect_at_every_split(GH_STR("-ERR no\r\n"), "-ERR no | ");
    expect_at_every_split(GH_STR(":0\r\n:-1\r\n:9223372036854775807\r\n"),
                          "0 | -1 | 9223372036854775807 | ");
    expect_at_every_split(GH_STR("$0\r\n\r\n$5\r\na\r\nb\n\r\n"), "\"\" | \"a\r\nb\n\" | ");
    expect_at_every_split(GH_STR("$-1\r\n*-1\r\n*0\r\n"), "nil | nil | [ ] | ");
    expect_at_every_split(GH_STR("*3\r\n:1\r\n$2\r\nab\r\n*2\r\n+x\r\n*1\r\n$-1\r\n:7\r\n"),
                          "[ 1 \"ab\" [ +x [ nil ] ] ] | 7 | ");
}

static void refuses_what_is_no_reply(void **state)
{
    (void)state;
    static const struct gh_str rows[] = {
        GH_STR_INIT("HTTP/1.1 400 Bad Request\r\n"),
        GH_STR_INIT("\r\n"),
        GH_STR_INIT("x"),
        GH_STR_INIT("\0\0\0\0"),
        GH_STR_INIT("%1\r\n+a\r\n+b\r\n"), /* RESP3 was not asked for */
        GH_STR_INIT(">1\r\n+a\r\n"),
        GH_STR_INIT("_\r\n"),
        GH_STR_INIT(":\r\n"),
        GH_STR_INIT(":1x\r\n"),
        GH_STR_INIT(":9223372036854775808\r\n"),
        GH_STR_INIT("$-2\r\n"),
        GH_STR_INIT("$x\r\n"),
        GH_STR_INIT("$9223372036854775808\r\n"),
        GH_STR_INIT("*-2\r\n"),
        GH_STR_INIT("*x\r\n"),
        GH_STR_INIT("*2147483648\r\n"),
        GH_STR_INIT("*1\r\nx"),
        GH_STR_INIT("*2\r\n+a\r\n%1\r\n"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_at_every_split(rows[i], "broken");
}

static void what_was_whole_before_the_break_is_read_and_nothing_after_it(void **state)
{
    (void)state;
    expect_at_every_split(GH_STR("+a\r\n:1\r\n!\r\n+b\r\n"), "+a | 1 | broken");
}

static void refuses_arrays_of_more_values_than_it_keeps(void **state)
{
    (void)state;
    expect_at_every_split(GH_STR("*2000000000\r\n"), "broken");
    expect_at_every_split(GH_STR("*65536\r\n"), "broken");
    /* small ones in a large one are no way round */
    expect_at_every_split(GH_STR("*2\r\n*1000\r\n*1000\r\n"), "broken");
}

static void refuses_arrays_in_arrays_beyond_its_depth(void **state)
{
    (void)state;
    char text[256];
    for (unsigned depth = 1; depth < 40; depth++) {
        struct gh_buf out = gh_buf_over(text, sizeof text);
        for (unsigned i = 0; i < depth; i++)
            gh_buf_format(&out, "*1\r\n");
        gh_buf_format(&out, ":1\r\n");
        bool broken = strcmp(read_in_pieces(gh_buf_str(&out), 256, 1), "broken") == 0;
        assert_int_equal(broken, depth > GH_REDIS_REPLY_DEPTH_MAX);
    }
}

/* Feeds `head`, then `fill` until it breaks; returns how much that took. */
static size_t bytes_until_broken(struct gh_str head, char fill)
{
    struct gh_redis_reader *reader = reader_of_test();
    const struct gh_redis_reply *reply;
    char piece[1000];
    size_t fed = 0;
    memset(piece, fill, sizeof piece);
    gh_redis_reader_feed(reader, head);
    while (gh_redis_reader_next(reader, &reply) == GH_REDIS_READ_MORE) {
        gh_redis_reader_feed(reader, gh_str_of(piece, sizeof piece));
        fed += sizeof piece;
        assert_true(fed < 10 * REPLY_BYTES_MAX);
    }
    assert_string_equal(gh_redis_reader_problem(reader), "a reply is too large");
    gh_redis_reader_close(reader);
    return fed;
}

static void keeps_no_more_of_a_reply_than_it_may(void **state)
{
    (void)state;
    static const struct gh_str heads[] = {
        GH_STR_INIT("$1000000000\r\n"),
        GH_STR_INIT("$9223372036854775807\r\n"),
        GH_STR_INIT("+"),
        GH_STR_INIT(":"),
        GH_STR_INIT("*2\r\n$100000\r\n"),
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        assert_in_range(bytes_until_broken(heads[i], 'a'), REPLY_BYTES_MAX - 1000,
                        REPLY_BYTES_MAX + 2000);
}

static void bounds_an_array_of_strings_by_their_sum(void **state)
{
    (void)state;
    struct gh_redis_reader *reader = reader_of_test();
    const struct gh_redis_reply *reply;
    unsigned count = 0;
    char item[1100] = "$1024\r\n";
    memset(item + 7, 'a', 1024);
    memcpy(item + 7 + 1024, "\r\n", 2);
    gh_redis_reader_feed(reader, GH_STR("*100\r\n"));
    while (gh_redis_reader_next(reader, &reply) == GH_REDIS_READ_MORE && count < 100) {
        gh_redis_reader_feed(reader, gh_str_of(item, 7 + 1024 + 2));
        count++;
    }
    assert_in_range(count, 40, 70);
    assert_int_equal(gh_redis_reader_next(reader, &reply), GH_REDIS_READ_BROKEN);
    gh_redis_reader_close(reader);
}

static void a_broken_reader_stays_broken(void **state)
{
    (void)state;
    struct gh_redis_reader *reader = reader_of_test();
    const struct gh_redis_reply *reply;
    gh_redis_reader_feed(reader, GH_STR("?"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gh_redis_reader_next(reader, &reply), GH_REDIS_READ_BROKEN);
        gh_redis_reader_feed(reader, GH_STR("+OK\r\n"));
    }
    gh_redis_reader_close(reader);
}

static enum gh_redis_failure failure_of(const char *text)
{
    return gh_redis_reply_failure(
        &(struct gh_redis_reply){.type = GH_REDIS_ERROR, .text = gh_str_from_c(text)});
}

static void tells_errors_apart_by_their_whole_first_word(void **state)
{
    (void)state;
    assert_int_equal(failure_of("LOADING Redis is loading"), GH_REDIS_FAIL_LOADING);
    assert_int_equal(failure_of("READONLY You can't write"), GH_REDIS_FAIL_READONLY);
    assert_int_equal(failure_of("MASTERDOWN Link with MASTER is down"), GH_REDIS_FAIL_MASTERDOWN);
    assert_int_equal(failure_of("NOAUTH Authentication required."), GH_REDIS_FAIL_NOAUTH);
    assert_int_equal(failure_of("WRONGPASS invalid"), GH_REDIS_FAIL_WRONGPASS);
    assert_int_equal(failure_of("OOM command not allowed"), GH_REDIS_FAIL_OOM);
    assert_int_equal(failure_of("BUSY Redis is busy"), GH_REDIS_FAIL_BUSY);
    assert_int_equal(failure_of("NOSCRIPT"), GH_REDIS_FAIL_NOSCRIPT);
    assert_int_equal(failure_of("BUSYGROUP exists"), GH_REDIS_FAIL_OTHER);
    assert_int_equal(failure_of("loading"), GH_REDIS_FAIL_OTHER);
    assert_int_equal(failure_of(""), GH_REDIS_FAIL_OTHER);
    assert_int_equal(gh_redis_reply_failure(&(struct gh_redis_reply){
                         .type = GH_REDIS_STRING, .text = GH_STR_INIT("LOADING x")}),
                     GH_REDIS_FAIL_NONE);
    for (int i = 1; i < GH_REDIS_FAIL_COUNT; i++)
        assert_int_not_equal(gh_redis_failure_facts[i].err, GH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_kind_at_every_split),
        cmocka_unit_test(refuses_what_is_no_reply),
        cmocka_unit_test(what_was_whole_before_the_break_is_read_and_nothing_after_it),
        cmocka_unit_test(refuses_arrays_of_more_values_than_it_keeps),
        cmocka_unit_test(refuses_arrays_in_arrays_beyond_its_depth),
        cmocka_unit_test(keeps_no_more_of_a_reply_than_it_may),
        cmocka_unit_test(bounds_an_array_of_strings_by_their_sum),
        cmocka_unit_test(a_broken_reader_stays_broken),
        cmocka_unit_test(tells_errors_apart_by_their_whole_first_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
