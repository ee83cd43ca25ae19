/* What the transcripts do not show: slices, limits, memory, and the smuggling gadgets. */
#include "http/h1_head.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 16384, .target_bytes_max = 8192, .field_count_max = 100};

struct parsed {
    struct gh_arena arena;
    struct gh_request_head head;
    enum gh_http_error error;
};

/* Scan and parse of a complete head. */
static void parse(struct parsed *parsed, struct gh_str bytes)
{
    size_t scanned = 0, len = 0;
    gh_arena_init(&parsed->arena, 4096, 65536);
    parsed->head = (struct gh_request_head){0};
    enum gh_h1_scan_status status =
        gh_h1_scan_request_head(bytes, &scanned, &LIMITS, &len, &parsed->error);
    assert_int_not_equal(status, GH_H1_SCAN_MORE);
    if (status == GH_H1_SCAN_DONE)
        parsed->error = gh_h1_parse_request_head(gh_str_first(bytes, len), &LIMITS, &parsed->arena,
                                                 &parsed->head);
}

static void drop(struct parsed *parsed)
{
    gh_arena_done(&parsed->arena);
}

#define assert_str(actual, literal)                                                                \
    do {                                                                                           \
        struct gh_str s_ = (actual);                                                               \
        assert_int_equal(s_.len, sizeof(literal) - 1);                                             \
        assert_memory_equal(s_.ptr, literal, sizeof(literal) - 1);                                 \
    } while (0)

static void splits_the_target_of_every_form(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, GH_STR("GET /a/b?c?d HTTP/1.1\r\nHost: A:1\r\n\r\n"));
    assert_int_equal(p.error, GH_HTTP_ERROR_NONE);
    assert_int_equal(p.head.method, GH_METHOD_GET);
    assert_str(p.head.path, "/a/b");
    assert_str(p.head.query, "c?d");
    assert_str(p.head.authority, "A:1");
    assert_false(p.head.absolute_form);
    drop(&p);

    parse(&p, GH_STR("GET HTTPS://a.b/x? HTTP/1.1\r\nHost: A.b\r\n\r\n"));
    assert_int_equal(p.error, GH_HTTP_ERROR_NONE);
    assert_true(p.head.absolute_form);
    assert_str(p.head.path, "/x");
    assert_non_null(p.head.query.ptr);
    assert_int_equal(p.head.query.len, 0);
    drop(&p);

    parse(&p, GH_STR("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_str(p.head.path, "/");
    assert_str(p.head.query, "q");
    drop(&p);

    parse(&p, GH_STR("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_str(p.head.path, "*");
    assert_null(p.head.query.ptr);
    drop(&p);
}

static void keeps_what_it_could_read_of_a_refused_head(void **state)
{
    (void)state;
    struct parsed p;
    parse(&p, GH_STR("DELETE /x HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"));
    assert_int_equal(p.error, GH_HTTP_ERROR_FRAMING);
    assert_str(p.head.method_text, "DELETE");
    assert_str(p.head.target, "/x");
    drop(&p);
}

static void refuses_as_soon_as_the_bytes_allow(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        enum gh_http_error error;
    } CASES[] = {
        {"\n", GH_HTTP_ERROR_MALFORMED},
        {"\r\n", GH_HTTP_ERROR_MALFORMED},
        {"GET /\r\n", GH_HTTP_ERROR_MALFORMED},
        {"GET / HTTP/2.0\r\n", GH_HTTP_ERROR_VERSION},
        {"TRACE / HTTP/1.1\r\n", GH_HTTP_ERROR_METHOD},
        {"GET / HTTP/1.1\r\nX: a\n", GH_HTTP_ERROR_MALFORMED},
        {"GET / HTTP/1.1\r\nX: a\rb", GH_HTTP_ERROR_MALFORMED},
        {"GET / HTTP/1.1\r\nX: \x01", GH_HTTP_ERROR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        size_t scanned = 0, len = 0;
        enum gh_http_error error = GH_HTTP_ERROR_NONE;
        struct gh_str bytes = gh_str_from_c(CASES[i].bytes), all_but_last = bytes;
        all_but_last.len--;
        assert_int_equal(gh_h1_scan_request_head(all_but_last, &scanned, &LIMITS, &len, &error),
                         GH_H1_SCAN_MORE);
        assert_int_equal(gh_h1_scan_request_head(bytes, &scanned, &LIMITS, &len, &error),
                         GH_H1_SCAN_ERROR);
        assert_int_equal(error, CASES[i].error);
    }
}

/* "GET / HTTP/1.1", Host, and one field that makes the head `total` bytes long. */
static struct gh_str head_of_size(char *memory, size_t total)
{
    int len = sprintf(memory, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset(memory + len, 'x', total - (size_t)len - 4);
    memcpy(memory + total - 4, "\r\n\r\n", 4);
    return gh_str_of(memory, total);
}

static void reads_a_head_of_exactly_the_limit_and_none_larger(void **state)
{
    (void)state;
    static char memory[20000];
    struct parsed p;
    for (size_t total = LIMITS.head_bytes_max - 20; total <= LIMITS.head_bytes_max; total++) {
        parse(&p, head_of_size(memory, total));
        assert_int_equal(p.error, GH_HTTP_ERROR_NONE);
        drop(&p);
    }
    for (size_t total = LIMITS.head_bytes_max + 1; total < LIMITS.head_bytes_max + 20; total++) {
        parse(&p, head_of_size(memory, total));
        assert_int_equal(p.error, GH_HTTP_ERROR_HEAD_TOO_LARGE);
        drop(&p);
    }
}

static void refuses_when_the_arena_is_full(void **state)
{
    (void)state;
    struct gh_arena arena;
    struct gh_request_head head;
    gh_arena_init(&arena, 16, 16);
    assert_int_equal(gh_h1_parse_request_head(GH_STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &LIMITS,
                                              &arena, &head),
                     GH_HTTP_ERROR_MEMORY);
    assert_int_equal(head.fields.count, 0);
    gh_arena_done(&arena);
}

/* The scan never lets these through; the parser does not rely on it. */
static void parser_refuses_heads_that_the_scan_would_not_give_it(void **state)
{
    (void)state;
    static const char *const HEADS[] = {
        "",
        "\r\n",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nX",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\n\r\nHost: a\r\n\r\n",
    };
    struct gh_arena arena;
    struct gh_request_head request;
    struct gh_response_head response;
    gh_arena_init(&arena, 4096, 65536);
    for (size_t i = 0; i < sizeof(HEADS) / sizeof(HEADS[0]); i++) {
        struct gh_str bytes = gh_str_from_c(HEADS[i]);
        assert_int_not_equal(gh_h1_parse_request_head(bytes, &LIMITS, &arena, &request),
                             GH_HTTP_ERROR_NONE);
        assert_false(gh_h1_parse_response_head(bytes, GH_METHOD_GET, &LIMITS, &arena, &response));
    }
    gh_arena_done(&arena);
}

static void keeps_the_length_that_an_answer_to_head_announces(void **state)
{
    (void)state;
    struct gh_arena arena;
    struct gh_response_head head;
    gh_arena_init(&arena, 4096, 65536);
    assert_true(gh_h1_parse_response_head(GH_STR("HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n"),
                                          GH_METHOD_HEAD, &LIMITS, &arena, &head));
    assert_int_equal(head.body, GH_BODY_NONE);
    assert_int_equal(head.content_length, 42);
    gh_arena_done(&arena);
}

/* ---- Transfer-Encoding gadgets of the smuggler project ---- */

#define GADGETS GH_SOURCE_ROOT "/../shared/conformance/smuggler/te-gadgets.json"

/* The string of a JSON text that begins at `at` (behind its quote); code points are bytes here. */
static const char *read_json_string(const char *at, char *out, size_t *out_len)
{
    *out_len = 0;
    for (; *at != '"'; at++) {
        char c = *at;
        if (c == '\\' && at[1] == 'u') {
            c = (char)(gh_num_hex_digit(at[4]) * 16 + gh_num_hex_digit(at[5]));
            at += 5;
        } else if (c == '\\') {
            at++;
            c = *at == 'r'   ? '\r'
                : *at == 'n' ? '\n'
                : *at == 't' ? '\t'
                : *at == 'b' ? '\b'
                : *at == 'f' ? '\f'
                             : *at;
        }
        out[(*out_len)++] = c;
    }
    return at + 1;
}

/* Does a line of the gadget say Transfer-Encoding: chunked in the one way that all agree on? */
static bool says_chunked(struct gh_str gadget)
{
    for (struct gh_str rest = gadget; rest.ptr;) {
        size_t end = gh_str_find(rest, GH_STR("\r\n"));
        struct gh_str value = gh_str_first(rest, end), name = gh_str_split(&value, ':');
        if (value.ptr && gh_str_eq(name, GH_STR("Transfer-Encoding")) &&
            gh_str_eq(gh_str_trim_ows(value), GH_STR("chunked")))
            return true;
        rest = end == rest.len ? (struct gh_str){NULL, 0} : gh_str_skip(rest, end + 2);
    }
    return false;
}

static bool has_such_a_name(const struct gh_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (gh_str_ieq(fields->items[i].name, GH_STR("Transfer-Encoding")))
            return true;
    }
    return false;
}

/* True when accepted alone. */
static bool check_gadget(struct gh_str gadget)
{
    char text[512];
    struct parsed p;
    int len = snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: a\r\n");
    memcpy(text + len, gadget.ptr, gadget.len);
    size_t total = (size_t)len + gadget.len;
    memcpy(text + total, "\r\n", 2);
    parse(&p, gh_str_of(text, total + 2));
    bool accepted = p.error == GH_HTTP_ERROR_NONE;
    if (accepted) {
        assert_int_equal(p.head.body == GH_BODY_CHUNKED, says_chunked(gadget));
        assert_int_equal(has_such_a_name(&p.head.fields), says_chunked(gadget));
    }
    drop(&p);

    memcpy(text + total, "Content-Length: 4\r\n\r\n", 21);
    parse(&p, gh_str_of(text, total + 21));
    if (says_chunked(gadget))
        assert_int_equal(p.error, GH_HTTP_ERROR_FRAMING);
    assert_int_equal(p.error == GH_HTTP_ERROR_NONE, accepted && !says_chunked(gadget));
    drop(&p);
    return accepted;
}

static void reads_no_smuggling_gadget_in_a_way_of_its_own(void **state)
{
    (void)state;
    static char json[65536];
    FILE *file = fopen(GADGETS, "rb");
    if (!file) {
        print_message("without ../shared/conformance this is not tested\n");
        skip();
    }
    size_t len = fread(json, 1, sizeof(json) - 1, file);
    fclose(file);
    json[len] = '\0';
    size_t count = 0, accepted = 0;
    /* Lines of the form "name": "gadget". */
    for (const char *at = json; (at = strstr(at, "\": \""));) {
        char gadget[256];
        size_t gadget_len;
        at = read_json_string(at + 4, gadget, &gadget_len);
        accepted += check_gadget(gh_str_of(gadget, gadget_len));
        count++;
    }
    assert_int_equal(count, 134);
    print_message("%zu gadgets, %zu accepted\n", count, accepted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_the_target_of_every_form),
        cmocka_unit_test(keeps_what_it_could_read_of_a_refused_head),
        cmocka_unit_test(refuses_as_soon_as_the_bytes_allow),
        cmocka_unit_test(reads_a_head_of_exactly_the_limit_and_none_larger),
        cmocka_unit_test(refuses_when_the_arena_is_full),
        cmocka_unit_test(parser_refuses_heads_that_the_scan_would_not_give_it),
        cmocka_unit_test(keeps_the_length_that_an_answer_to_head_announces),
        cmocka_unit_test(reads_no_smuggling_gadget_in_a_way_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
