/*
 * The same request over HTTP/1.1 and HTTP/2 becomes the same struct; what one refuses the other
 * refuses, too. Fields are written as lines of HTTP/1.1 and, from these, given one by one.
 */
#include "http/h2_head.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "http/h1_head.h"

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 16384, .target_bytes_max = 256, .field_count_max = 20};

struct pair {
    struct gh_arena arenas[2];
    struct gh_request_head h1, h2;
    enum gh_http_error error1, error2;
    char text[65536];
};

static void add_lines(struct gh_h2_head *head, const char *lines)
{
    for (struct gh_str rest = gh_str_from_c(lines); rest.ptr && rest.len;) {
        struct gh_str line = gh_str_split(&rest, '|');
        struct gh_str name = gh_str_split(&line, '=');
        char lower[64];
        assert_true(name.len < sizeof(lower));
        for (size_t i = 0; i < name.len; i++)
            lower[i] = gh_ascii_lower(name.ptr[i]);
        gh_h2_head_add(head, gh_str_of(lower, name.len), line);
    }
}

static void read_h1(struct pair *pair, const char *method, const char *target, const char *host,
                    const char *lines)
{
    struct gh_buf text = gh_buf_over(pair->text, sizeof(pair->text));
    gh_buf_format(&text, "%s %s HTTP/1.1\r\nhost: %s\r\n", method, target, host);
    for (struct gh_str rest = gh_str_from_c(lines); rest.ptr && rest.len;) {
        struct gh_str line = gh_str_split(&rest, '|');
        struct gh_str name = gh_str_split(&line, '=');
        gh_buf_format(&text, "%.*s: %.*s\r\n", GH_STR_ARG(name), GH_STR_ARG(line));
    }
    gh_buf_put(&text, GH_STR("\r\n"));
    assert_false(text.overflow);
    pair->error1 =
        gh_h1_parse_request_head(gh_buf_str(&text), &LIMITS, &pair->arenas[0], &pair->h1);
}

static void read_h2(struct pair *pair, const char *method, const char *target, const char *host,
                    const char *lines, bool has_more)
{
    struct gh_h2_head head;
    gh_h2_head_begin(&head, &LIMITS, &pair->arenas[1], false);
    gh_h2_head_add(&head, GH_STR(":method"), gh_str_from_c(method));
    gh_h2_head_add(&head, GH_STR(":scheme"), GH_STR("https"));
    gh_h2_head_add(&head, GH_STR(":authority"), gh_str_from_c(host));
    gh_h2_head_add(&head, GH_STR(":path"), gh_str_from_c(target));
    add_lines(&head, lines);
    pair->error2 = gh_h2_head_finish(&head, has_more, &pair->h2);
}

static struct pair *read_both(const char *method, const char *target, const char *host,
                              const char *lines, bool has_more)
{
    static struct pair pair;
    memset(&pair, 0, sizeof(pair));
    for (size_t i = 0; i < 2; i++)
        gh_arena_init(&pair.arenas[i], 4096, 1 << 20);
    read_h1(&pair, method, target, host, lines);
    read_h2(&pair, method, target, host, lines, has_more);
    return &pair;
}

static void done(struct pair *pair)
{
    gh_arena_done(&pair->arenas[0]);
    gh_arena_done(&pair->arenas[1]);
}

static void expect_str(struct gh_str a, struct gh_str b)
{
    assert_int_equal(!a.ptr, !b.ptr);
    if (!gh_str_eq(a, b))
        fail_msg("%.*s != %.*s", GH_STR_ARG(a), GH_STR_ARG(b));
}

static void expect_same_fields(const struct gh_fields *h1, const struct gh_fields *h2)
{
    assert_int_equal(h1->count, h2->count);
    for (size_t i = 0; i < h1->count; i++) {
        assert_true(gh_str_ieq(h1->items[i].name, h2->items[i].name));
        expect_str(h1->items[i].value, h2->items[i].value);
        assert_int_equal(h1->items[i].id, h2->items[i].id);
        assert_false(h2->items[i].dropped);
    }
    assert_memory_equal(h1->first, h2->first, sizeof(h1->first));
}

static void are_the_same(const char *method, const char *target, const char *host,
                         const char *lines, bool has_more)
{
    struct pair *pair = read_both(method, target, host, lines, has_more);
    assert_int_equal(pair->error1, GH_HTTP_ERROR_NONE);
    assert_int_equal(pair->error2, GH_HTTP_ERROR_NONE);
    assert_int_equal(pair->h1.method, pair->h2.method);
    expect_str(pair->h1.method_text, pair->h2.method_text);
    expect_str(pair->h1.target, pair->h2.target);
    expect_str(pair->h1.path, pair->h2.path);
    expect_str(pair->h1.query, pair->h2.query);
    expect_str(pair->h1.authority, pair->h2.authority);
    assert_int_equal(pair->h1.absolute_form, pair->h2.absolute_form);
    assert_int_equal(pair->h2.version_major, 2);
    assert_int_equal(pair->h2.version_minor, 0);
    assert_int_equal(pair->h1.body, pair->h2.body);
    assert_int_equal(pair->h1.content_length, pair->h2.content_length);
    assert_int_equal(pair->h1.keep_alive, pair->h2.keep_alive);
    assert_int_equal(pair->h1.expect_continue, pair->h2.expect_continue);
    assert_int_equal(pair->h1.upgrade_websocket, pair->h2.upgrade_websocket);
    expect_same_fields(&pair->h1.fields, &pair->h2.fields);
    done(pair);
}

static void both_refuse(const char *method, const char *target, const char *host, const char *lines,
                        enum gh_http_error error)
{
    struct pair *pair = read_both(method, target, host, lines, true);
    assert_int_equal(pair->error1, error);
    assert_int_equal(pair->error2, error);
    done(pair);
}

static void the_same_request_becomes_the_same_struct(void **state)
{
    (void)state;
    are_the_same("GET", "/", "a.example", "", false);
    are_the_same("GET", "/a/b?x=1&y", "a.example:8443", "accept=*/*|user-agent=u", false);
    are_the_same("GET", "/?", "[::1]:80", "x-a=1|x-b=2|x-a=3", false);
    are_the_same("OPTIONS", "*", "a", "origin=https://b", false);
    are_the_same("PROPFIND", "/a%20b", "A.Example", "depth=1", false);
    are_the_same("POST", "/p", "a", "content-type=text/plain|content-length=5", true);
    are_the_same("POST", "/p", "a", "content-length=0", false);
    are_the_same("POST", "/p", "a", "content-length=5|expect=100-continue", true);
    are_the_same("PUT", "/p", "a", "content-length=0|expect=100-Continue", false);
    are_the_same("DELETE", "/p", "a", "cookie=a=1; b=2|x-empty=", false);
    are_the_same("GET", "/", "a", "te=trailers|http2-settings=AAA", false);
}

static void both_refuse_the_same(void **state)
{
    (void)state;
    both_refuse("TRACE", "/", "a", "", GH_HTTP_ERROR_METHOD);
    both_refuse("G(T", "/", "a", "", GH_HTTP_ERROR_MALFORMED);
    both_refuse("GET", "/#", "a", "", GH_HTTP_ERROR_TARGET);
    both_refuse("GET", "/%g0", "a", "", GH_HTTP_ERROR_TARGET);
    both_refuse("GET", "*", "a", "", GH_HTTP_ERROR_TARGET);
    both_refuse("GET", "/", "", "", GH_HTTP_ERROR_HOST);
    both_refuse("GET", "/", "u@a", "", GH_HTTP_ERROR_HOST);
    both_refuse("POST", "/", "a", "content-length=1|content-length=1", GH_HTTP_ERROR_FRAMING);
    both_refuse("POST", "/", "a", "content-length=01", GH_HTTP_ERROR_FRAMING);
    both_refuse("POST", "/", "a", "expect=x", GH_HTTP_ERROR_EXPECTATION);
    both_refuse("GET", "/", "a", "x-a=\x01", GH_HTTP_ERROR_MALFORMED);
    both_refuse("GET", "/", "a", "x y=1", GH_HTTP_ERROR_MALFORMED);
    both_refuse("GET", "/", "a", "a=|b=|c=|d=|e=|f=|g=|h=|i=|j=|k=|l=|m=|n=|o=|p=|q=|r=|s=|t=",
                GH_HTTP_ERROR_TOO_MANY_FIELDS);
    char target[400] = "/";
    memset(target + 1, 'a', LIMITS.target_bytes_max);
    both_refuse("GET", target, "a", "", GH_HTTP_ERROR_TARGET_TOO_LONG);
    target[LIMITS.target_bytes_max] = '\0';
    are_the_same("GET", target, "a", "", false);
}

/* ---- What only HTTP/2 has ---- */

static void a_body_without_length_is_as_one_in_chunks(void **state)
{
    (void)state;
    struct pair *pair = read_both("POST", "/", "a", "", true);
    assert_int_equal(pair->h2.body, GH_BODY_CHUNKED);
    done(pair);
    pair = read_both("POST", "/", "a", "expect=100-continue", true);
    assert_true(pair->h2.expect_continue);
    done(pair);
}

static void crumbs_of_a_cookie_are_one_field_where_the_first_was(void **state)
{
    (void)state;
    struct pair *pair =
        read_both("GET", "/", "a", "cookie=a=1|x-a=1|cookie=b=2|cookie=c=3|x-b=2", false);
    const struct gh_fields *fields = &pair->h2.fields;
    assert_int_equal(pair->error2, GH_HTTP_ERROR_NONE);
    assert_int_equal(fields->count, 4);
    expect_str(gh_fields_value(fields, GH_FIELD_COOKIE), GH_STR("a=1; b=2; c=3"));
    assert_ptr_equal(gh_fields_find(fields, GH_FIELD_COOKIE), &fields->items[1]);
    assert_null(gh_fields_find_next(fields, &fields->items[1]));
    done(pair);
}

static void many_large_crumbs_are_joined(void **state)
{
    (void)state;
    struct pair *pair = read_both("GET", "/", "a", "", false);
    struct gh_h2_head head;
    char crumb[101] = {0}, expected[12000];
    struct gh_buf out = gh_buf_over(expected, sizeof(expected));
    gh_h2_head_begin(&head, &LIMITS, &pair->arenas[1], false);
    gh_h2_head_add(&head, GH_STR(":method"), GH_STR("GET"));
    gh_h2_head_add(&head, GH_STR(":scheme"), GH_STR("https"));
    gh_h2_head_add(&head, GH_STR(":authority"), GH_STR("a"));
    gh_h2_head_add(&head, GH_STR(":path"), GH_STR("/"));
    for (int i = 0; i < 100; i++) {
        memset(crumb, 'a' + i % 26, 100);
        gh_h2_head_add(&head, GH_STR("cookie"), gh_str_of(crumb, 100));
        gh_buf_format(&out, "%s%s", i ? "; " : "", crumb);
    }
    assert_int_equal(gh_h2_head_finish(&head, false, &pair->h2), GH_HTTP_ERROR_NONE);
    expect_str(gh_fields_value(&pair->h2.fields, GH_FIELD_COOKIE), gh_buf_str(&out));
    assert_int_equal(pair->h2.fields.count, 2);
    done(pair);
}

/* An arena at its cap at any point is an error and no more. */
static void says_when_there_is_no_memory(void **state)
{
    (void)state;
    size_t refused = 0, taken = 0;
    for (size_t cap = 0; cap < 32768; cap += 97) {
        struct gh_arena arena;
        struct gh_h2_head head;
        struct gh_request_head out;
        gh_arena_init(&arena, 64, cap);
        gh_h2_head_begin(&head, &LIMITS, &arena, false);
        gh_h2_head_add(&head, GH_STR(":method"), GH_STR("GET"));
        gh_h2_head_add(&head, GH_STR(":scheme"), GH_STR("https"));
        gh_h2_head_add(&head, GH_STR(":authority"), GH_STR("A.example"));
        gh_h2_head_add(&head, GH_STR(":path"), GH_STR("/"));
        for (int i = 0; i < 18; i++)
            gh_h2_head_add(&head, GH_STR("x-some-name"), GH_STR("some value"));
        for (int i = 0; i < 9; i++)
            gh_h2_head_add(&head, GH_STR("cookie"), GH_STR("some=value-that-has-a-length"));
        enum gh_http_error error = gh_h2_head_finish(&head, false, &out);
        assert_true(error == GH_HTTP_ERROR_NONE || error == GH_HTTP_ERROR_MEMORY ||
                    error == GH_HTTP_ERROR_HOST);
        refused += error != GH_HTTP_ERROR_NONE;
        taken += error == GH_HTTP_ERROR_NONE;
        gh_arena_done(&arena);
    }
    assert_true(refused > 10 && taken > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_request_becomes_the_same_struct),
        cmocka_unit_test(both_refuse_the_same),
        cmocka_unit_test(a_body_without_length_is_as_one_in_chunks),
        cmocka_unit_test(crumbs_of_a_cookie_are_one_field_where_the_first_was),
        cmocka_unit_test(many_large_crumbs_are_joined),
        cmocka_unit_test(says_when_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
