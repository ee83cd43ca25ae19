#include "json/parse.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "json/parse_cuts.h"

static struct gh_arena arena;
static const struct gh_json_limits WIDE = {
    .bytes_max = 1 << 20, .depth_max = 70000, .values_max = 1 << 18, .members_max = 1 << 16};

static int open_arena(void **state)
{
    gh_arena_init(&arena, 1 << 16, 1 << 28);
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

/* At once, byte by byte and, when it is short, at every split; these have to agree. */
static struct gh_json_result parse(struct gh_str text, const struct gh_json_limits *limits)
{
    struct gh_json_result whole = {0};
    struct gh_str exact = gh_arena_dup(&arena, text);
    whole.status = gh_json_parse(&arena, exact, limits, &whole.doc, &whole.offset);
    struct gh_json_result cut = gh_json_parse_cut(&arena, text, limits, 1, 1);
    gh_json_assert_same(&whole, &cut);
    for (size_t first = 0; first <= text.len && text.len < 300; first++) {
        cut = gh_json_parse_cut(&arena, text, limits, first, text.len);
        gh_json_assert_same(&whole, &cut);
    }
    return whole;
}

static struct gh_json_doc parse_good(struct gh_str text)
{
    struct gh_json_result result = parse(text, &gh_json_small);
    if (result.status != GH_JSON_OK)
        fail_msg("%.*s: %s", GH_STR_ARG(text), gh_json_status_text(result.status).ptr);
    return result.doc;
}

static void assert_refused(struct gh_str text, enum gh_json_status status, size_t offset)
{
    struct gh_json_result result = parse(text, &gh_json_small);
    if (result.status != status || result.offset != offset)
        fail_msg("%.*s: %s at %zu", GH_STR_ARG(text), gh_json_status_text(result.status).ptr,
                 result.offset);
    assert_int_equal(result.doc.count, 0);
}

#define ASSERT_REFUSED(text, status, offset) assert_refused(GH_STR(text), status, offset)
#define ASSERT_TEXT(value, literal)          assert_true(gh_str_eq((value)->text, GH_STR(literal)))

static void reads_each_kind_as_a_document(void **state)
{
    assert_int_equal(gh_json_root(&(struct gh_json_doc){0}), 0);
    struct gh_json_doc doc = parse_good(GH_STR("null"));
    assert_int_equal(doc.count, 1);
    assert_int_equal(doc.values[0].kind, GH_JSON_NULL);
    assert_null(doc.values[0].name.ptr);
    doc = parse_good(GH_STR(" true\r\n"));
    assert_int_equal(doc.values[0].kind, GH_JSON_BOOL);
    assert_true(doc.values[0].boolean);
    assert_int_equal(doc.values[0].start, 1);
    assert_int_equal(doc.values[0].end, 5);
    doc = parse_good(GH_STR("false"));
    assert_false(doc.values[0].boolean);
    doc = parse_good(GH_STR("\t-12.50e+3"));
    assert_int_equal(doc.values[0].kind, GH_JSON_NUMBER);
    assert_false(doc.values[0].is_integer);
    ASSERT_TEXT(&doc.values[0], "-12.50e+3");
    doc = parse_good(GH_STR("-0"));
    assert_true(doc.values[0].is_integer);
    doc = parse_good(GH_STR("\"\""));
    assert_int_equal(doc.values[0].kind, GH_JSON_STRING);
    assert_non_null(doc.values[0].text.ptr);
    assert_int_equal(doc.values[0].text.len, 0);
    doc = parse_good(GH_STR("[ ]"));
    assert_int_equal(doc.values[0].kind, GH_JSON_ARRAY);
    doc = parse_good(GH_STR("{\n}"));
    assert_int_equal(doc.values[0].kind, GH_JSON_OBJECT);
}

static void lays_values_on_a_tape(void **state)
{
    struct gh_str text = GH_STR("{\"a\" : [1, {\"b\":[]} ,\"x\"], \"\":null,\"c\":{\"d\":true}}");
    struct gh_json_doc doc = parse_good(text);
    const struct gh_json_value *root = &doc.values[0];
    assert_ptr_equal(root, gh_json_root(&doc));
    assert_int_equal(doc.count, 9);
    assert_int_equal(root->count, 3);
    assert_int_equal(root->next, 9);
    const struct gh_json_value *list = gh_json_get(&doc, root, GH_STR("a"));
    assert_ptr_equal(list, gh_json_first(&doc, root));
    assert_int_equal(list->count, 3);
    assert_int_equal(list->next, 6);
    struct gh_str part = gh_str_of(text.ptr + list->start, list->end - list->start);
    assert_true(gh_str_eq(part, GH_STR("[1, {\"b\":[]} ,\"x\"]")));
    const struct gh_json_value *one = gh_json_first(&doc, list);
    const struct gh_json_value *inner = gh_json_after(&doc, list, one);
    const struct gh_json_value *last = gh_json_after(&doc, list, inner);
    ASSERT_TEXT(one, "1");
    assert_null(one->name.ptr);
    assert_int_equal(gh_json_get(&doc, inner, GH_STR("b"))->kind, GH_JSON_ARRAY);
    assert_null(gh_json_first(&doc, gh_json_get(&doc, inner, GH_STR("b"))));
    ASSERT_TEXT(last, "x");
    assert_null(last->name.ptr);
    assert_null(gh_json_after(&doc, list, last));
    assert_int_equal(gh_json_get(&doc, root, GH_STR(""))->kind, GH_JSON_NULL);
    assert_non_null(gh_json_get(&doc, root, GH_STR(""))->name.ptr);
    assert_true(gh_json_get(&doc, gh_json_get(&doc, root, GH_STR("c")), GH_STR("d"))->boolean);
}

static void finds_nothing_where_nothing_is(void **state)
{
    struct gh_json_doc doc = parse_good(GH_STR("{\"a\":[\"b\"],\"n\":1}"));
    const struct gh_json_value *root = gh_json_root(&doc);
    assert_null(gh_json_get(&doc, root, GH_STR("b")));
    assert_null(gh_json_get(&doc, root, GH_STR("A")));
    assert_null(gh_json_get(&doc, root, GH_STR("")));
    assert_null(gh_json_get(&doc, gh_json_get(&doc, root, GH_STR("a")), GH_STR("b")));
    assert_null(gh_json_get(&doc, NULL, GH_STR("a")));
    assert_null(gh_json_first(&doc, NULL));
    assert_null(gh_json_string(NULL).ptr);
    assert_null(gh_json_string(gh_json_get(&doc, root, GH_STR("n"))).ptr);
}

static void decodes_every_escape(void **state)
{
    struct gh_json_doc doc =
        parse_good(GH_STR("{\"a\\u002eb\":\"\\\"\\\\\\/\\b\\f\\n\\r\\tx\\u0000\\u00e4\\u20AC"
                          "\\ud83d\\uDE00\\uFFFF \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}"));
    const struct gh_json_value *value = gh_json_get(&doc, &doc.values[0], GH_STR("a.b"));
    assert_non_null(value);
    ASSERT_TEXT(value, "\"\\/\b\f\n\r\tx\0\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf "
                       "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f");
}

static void borrows_what_stands_in_the_text_as_it_is(void **state)
{
    struct gh_str text = GH_STR("{\"name\":\"\xc3\xa4\",\"n\":1}");
    struct gh_json_doc doc;
    assert_int_equal(gh_json_parse(&arena, text, &gh_json_small, &doc, NULL), GH_JSON_OK);
    assert_ptr_equal(doc.values[1].name.ptr, text.ptr + 2);
    assert_ptr_equal(doc.values[1].text.ptr, text.ptr + 9);
    assert_ptr_equal(doc.values[2].text.ptr, text.ptr + 17);
}

static void refuses_what_is_no_document(void **state)
{
    ASSERT_REFUSED("", GH_JSON_INCOMPLETE, 0);
    ASSERT_REFUSED(" \n", GH_JSON_INCOMPLETE, 2);
    ASSERT_REFUSED("\xef\xbb\xbf{}", GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("{} {}", GH_JSON_SYNTAX, 3);
    ASSERT_REFUSED("1 2", GH_JSON_SYNTAX, 2);
    ASSERT_REFUSED("{},", GH_JSON_SYNTAX, 2);
    ASSERT_REFUSED("{}\0", GH_JSON_SYNTAX, 2);
    ASSERT_REFUSED("\f1", GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("\xc2\xa0"
                   "1",
                   GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("// c\n1", GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("'a'", GH_JSON_SYNTAX, 0);
}

static void refuses_broken_arrays_and_objects(void **state)
{
    ASSERT_REFUSED("[", GH_JSON_INCOMPLETE, 1);
    ASSERT_REFUSED("[1", GH_JSON_INCOMPLETE, 2);
    ASSERT_REFUSED("[1,", GH_JSON_INCOMPLETE, 3);
    ASSERT_REFUSED("[1,]", GH_JSON_SYNTAX, 3);
    ASSERT_REFUSED("[,1]", GH_JSON_SYNTAX, 1);
    ASSERT_REFUSED("[1 2]", GH_JSON_SYNTAX, 3);
    ASSERT_REFUSED("[1}", GH_JSON_SYNTAX, 2);
    ASSERT_REFUSED("]", GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("}", GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("{\"a\"", GH_JSON_INCOMPLETE, 4);
    ASSERT_REFUSED("{\"a\":", GH_JSON_INCOMPLETE, 5);
    ASSERT_REFUSED("{\"a\"}", GH_JSON_SYNTAX, 4);
    ASSERT_REFUSED("{\"a\":}", GH_JSON_SYNTAX, 5);
    ASSERT_REFUSED("{\"a\":1,}", GH_JSON_SYNTAX, 7);
    ASSERT_REFUSED("{\"a\":1 \"b\":2}", GH_JSON_SYNTAX, 7);
    ASSERT_REFUSED("{\"a\":1]", GH_JSON_SYNTAX, 6);
    ASSERT_REFUSED("{a:1}", GH_JSON_SYNTAX, 1);
    ASSERT_REFUSED("{1:1}", GH_JSON_SYNTAX, 1);
    ASSERT_REFUSED("{null:1}", GH_JSON_SYNTAX, 1);
    ASSERT_REFUSED("{,}", GH_JSON_SYNTAX, 1);
    ASSERT_REFUSED("[{\"a\":1],1}", GH_JSON_SYNTAX, 7);
}

static void refuses_broken_literals_and_numbers(void **state)
{
    ASSERT_REFUSED("tru", GH_JSON_INCOMPLETE, 3);
    ASSERT_REFUSED("trUe", GH_JSON_SYNTAX, 2);
    ASSERT_REFUSED("truex", GH_JSON_SYNTAX, 4);
    ASSERT_REFUSED("[nul]", GH_JSON_SYNTAX, 4);
    ASSERT_REFUSED("True", GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("NaN", GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("-", GH_JSON_INCOMPLETE, 1);
    ASSERT_REFUSED("[-]", GH_JSON_SYNTAX, 2);
    ASSERT_REFUSED("-Infinity", GH_JSON_SYNTAX, 1);
    ASSERT_REFUSED("+1", GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("01", GH_JSON_SYNTAX, 1);
    ASSERT_REFUSED("[-01]", GH_JSON_SYNTAX, 3);
    ASSERT_REFUSED("1.", GH_JSON_INCOMPLETE, 2);
    ASSERT_REFUSED("[1.]", GH_JSON_SYNTAX, 3);
    ASSERT_REFUSED(".5", GH_JSON_SYNTAX, 0);
    ASSERT_REFUSED("1.2.3", GH_JSON_SYNTAX, 3);
    ASSERT_REFUSED("1e", GH_JSON_INCOMPLETE, 2);
    ASSERT_REFUSED("1e+ ", GH_JSON_SYNTAX, 3);
    ASSERT_REFUSED("1e5.5", GH_JSON_SYNTAX, 3);
    ASSERT_REFUSED("0x10", GH_JSON_SYNTAX, 1);
    ASSERT_REFUSED("1_000", GH_JSON_SYNTAX, 1);
    ASSERT_REFUSED("\xef\xbc\x91", GH_JSON_SYNTAX, 0);
}

static void refuses_broken_strings(void **state)
{
    ASSERT_REFUSED("\"abc", GH_JSON_INCOMPLETE, 4);
    ASSERT_REFUSED("\"a\nb\"", GH_JSON_SYNTAX, 2);
    ASSERT_REFUSED("\"a\tb\"", GH_JSON_SYNTAX, 2);
    ASSERT_REFUSED("\"a\0b\"", GH_JSON_SYNTAX, 2);
    ASSERT_REFUSED("\"0123456789abcdefgh\x1fi\"", GH_JSON_SYNTAX, 19);
    ASSERT_REFUSED("\"\\x41\"", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"\\'\"", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"\\\"", GH_JSON_INCOMPLETE, 3);
    ASSERT_REFUSED("\"\\u12\"", GH_JSON_INCOMPLETE, 6);
    ASSERT_REFUSED("\"\\u12\" ]", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"a\\u12G4\"", GH_JSON_ESCAPE, 2);
    ASSERT_REFUSED("{\"\\u+123\":1}", GH_JSON_ESCAPE, 2);
}

static void refuses_lone_surrogates(void **state)
{
    ASSERT_REFUSED("\"\\uD800\"", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"\\uDC00\"", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"\\uD83Dx\"", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"\\uD83D\\n\"", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"\\uD83D\\u0041\"", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"\\uD83D\\uD83D\"", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"\\uDE00\\uD83D\"", GH_JSON_ESCAPE, 1);
    ASSERT_REFUSED("\"\\uD83D\\u\"     ", GH_JSON_ESCAPE, 1);
}

static void refuses_what_is_not_utf8(void **state)
{
    ASSERT_REFUSED("\"\xff\"", GH_JSON_UTF8, 1);
    ASSERT_REFUSED("\"\x80\"", GH_JSON_UTF8, 1);
    ASSERT_REFUSED("\"a\xc0\xaf\"", GH_JSON_UTF8, 2);
    ASSERT_REFUSED("\"\xc3\"", GH_JSON_UTF8, 1);
    ASSERT_REFUSED("\"\xed\xa0\x80\"", GH_JSON_UTF8, 1);
    ASSERT_REFUSED("\"\xf4\x90\x80\x80\"", GH_JSON_UTF8, 1);
    ASSERT_REFUSED("\"\xe2\x82", GH_JSON_INCOMPLETE, 3);
    ASSERT_REFUSED("{\"\xf5\":1}", GH_JSON_UTF8, 2);
    ASSERT_REFUSED("[\xe2\x82\xac]", GH_JSON_SYNTAX, 1);
}

static void refuses_repeated_names_however_they_are_written(void **state)
{
    ASSERT_REFUSED("{\"a\":1,\"a\":1}", GH_JSON_DUPLICATE_NAME, 11);
    ASSERT_REFUSED("{\"a\":1,\"b\":2,\"\\u0061\":3}", GH_JSON_DUPLICATE_NAME, 22);
    ASSERT_REFUSED("{\"\":1,\"\":2}", GH_JSON_DUPLICATE_NAME, 9);
    ASSERT_REFUSED("[{\"x\":{\"b\":[{\"b\":1}],\"b\":2}}]", GH_JSON_DUPLICATE_NAME, 25);
    ASSERT_REFUSED("{\"b\":1,\"a\":2,\"a\":3,\"b\":4}", GH_JSON_DUPLICATE_NAME, 17);
    parse_good(GH_STR("{\"a\":{\"a\":{\"a\":1}},\"A\":[{\"a\":1},{\"a\":2}]}"));
}

/* `count` different names, then one of them once more when `again` is less than that. */
static struct gh_str object_of(size_t count, size_t again, const char *form)
{
    static char text[1 << 20];
    size_t len = 0;
    for (size_t i = 0; i <= count; i++) {
        size_t n = i < count ? i : again;
        if (n >= count)
            break;
        text[len++] = i ? ',' : '{';
        text[len++] = '"';
        for (const char *c = form; *c; c++) {
            if (*c == '#')
                len += (size_t)snprintf(text + len, 16, "%zu", n);
            else
                text[len++] = *c;
        }
        len += (size_t)snprintf(text + len, 8, "\":%zu", i % 10);
    }
    text[len++] = '}';
    return gh_str_of(text, len);
}

static void finds_the_repeated_name_among_many(void **state)
{
    static const size_t counts[] = {2, 3, 15, 16, 17, 18, 31, 33, 100, 255};
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        size_t count = counts[c];
        assert_int_equal(parse(object_of(count, count, "n#"), &gh_json_small).status, GH_JSON_OK);
        for (size_t again = 0; again < count; again++) {
            struct gh_str text = object_of(count, again, "n#");
            struct gh_json_result result = {0};
            result.status =
                gh_json_parse(&arena, text, &gh_json_small, &result.doc, &result.offset);
            assert_int_equal(result.status, GH_JSON_DUPLICATE_NAME);
            assert_int_equal(result.offset, text.len - 2);
        }
    }
}

/* Prepared names crowd one place of the table: they are sorted then, and found all the same. */
static void crowded_names_are_told_apart(void **state)
{
    static char names[40000][12];
    static uint32_t hashes[40000];
    size_t count = 0, pairs = 0;
    for (; count < 40000; count++) {
        int len = snprintf(names[count], sizeof(names[0]), "%zx", count * 40503);
        hashes[count] = gh_json_name_hash(gh_str_of(names[count], (size_t)len)) & 0xffff;
    }
    static char text[1 << 20];
    size_t len = 0;
    for (size_t i = 0; i < count && pairs < 200; i++) {
        if ((hashes[i] & 511) != 7)
            continue;
        len += (size_t)snprintf(text + len, 32, "%c\"%s\":1", pairs ? ',' : '{', names[i]);
        pairs++;
    }
    assert_true(pairs > 50);
    char *last = text + len;
    snprintf(last, 8, "}");
    assert_int_equal(parse(gh_str_from_c(text), &WIDE).status, GH_JSON_OK);
    /* The first name again. */
    size_t first_len = (size_t)(strchr(text, ':') - text) - 1;
    last[0] = ',';
    memcpy(last + 1, text + 1, first_len);
    snprintf(last + 1 + first_len, 8, ":1}");
    struct gh_json_result result = parse(gh_str_from_c(text), &WIDE);
    assert_int_equal(result.status, GH_JSON_DUPLICATE_NAME);
    assert_int_equal(result.offset, strlen(text) - 2);
}

static void holds_its_limits(void **state)
{
    struct gh_json_limits limits = {
        .bytes_max = 20, .depth_max = 3, .values_max = 4, .members_max = 2};
    assert_int_equal(parse(GH_STR("[1,2,3]"), &limits).status, GH_JSON_OK);
    assert_int_equal(parse(GH_STR("[1,2,3,4]"), &limits).status, GH_JSON_TOO_LARGE);
    assert_int_equal(parse(GH_STR("[[1]]"), &limits).status, GH_JSON_OK);
    assert_int_equal(parse(GH_STR("[[[]]]"), &limits).status, GH_JSON_TOO_DEEP);
    assert_int_equal(parse(GH_STR("[[{}]]"), &limits).status, GH_JSON_TOO_DEEP);
    assert_int_equal(parse(GH_STR("{\"a\":1,\"b\":2}"), &limits).status, GH_JSON_OK);
    struct gh_json_result result = parse(GH_STR("{\"a\":1,\"b\":2,\"c\":3}"), &limits);
    assert_int_equal(result.status, GH_JSON_TOO_LARGE);
    assert_int_equal(result.offset, 13);
    assert_int_equal(parse(GH_STR("\"0123456789abcdefgh\""), &limits).status, GH_JSON_OK);
    result = parse(GH_STR("\"0123456789abcdefghi\""), &limits);
    assert_int_equal(result.status, GH_JSON_TOO_LARGE);
    assert_int_equal(result.offset, 20);
    result = parse(GH_STR("1                   "), &limits);
    assert_int_equal(result.status, GH_JSON_OK);
    result = parse(GH_STR("1                    "), &limits);
    assert_int_equal(result.status, GH_JSON_TOO_LARGE);
    /* What is wrong earlier is said first. */
    assert_int_equal(parse(GH_STR("[x                        "), &limits).status, GH_JSON_SYNTAX);
    limits.depth_max = 1;
    assert_int_equal(parse(GH_STR("1"), &limits).status, GH_JSON_OK);
    assert_int_equal(parse(GH_STR("[]"), &limits).status, GH_JSON_TOO_DEEP);
    limits.values_max = 0;
    assert_int_equal(parse(GH_STR("1"), &limits).status, GH_JSON_TOO_LARGE);
    limits.bytes_max = 0;
    assert_int_equal(parse(GH_STR("1"), &limits).status, GH_JSON_TOO_LARGE);
}

static void depth_costs_no_stack(void **state)
{
    static char text[140000];
    memset(text, '[', 69999);
    memset(text + 69999, ']', 69999);
    struct gh_json_result result = parse(gh_str_of(text, 2 * 69999), &WIDE);
    assert_int_equal(result.status, GH_JSON_OK);
    assert_int_equal(result.doc.count, 69999);
    assert_int_equal(parse(gh_str_of(text, 69999), &WIDE).status, GH_JSON_INCOMPLETE);
    memset(text, '[', sizeof(text));
    result = parse(gh_str_of(text, sizeof(text)), &WIDE);
    assert_int_equal(result.status, GH_JSON_TOO_DEEP);
    assert_int_equal(result.offset, 69999);
}

/* Long tokens in single bytes must not be looked at again with each: this would take minutes. */
static void long_tokens_in_pieces_cost_no_more_than_their_length(void **state)
{
    static char text[1 << 20];
    memset(text, '7', sizeof(text));
    struct gh_json_result result = parse(gh_str_of(text, sizeof(text)), &WIDE);
    assert_int_equal(result.doc.values[0].text.len, sizeof(text));
    text[0] = text[sizeof(text) - 1] = '"';
    memcpy(text + 500, "\\u00e4", 6);
    result = parse(gh_str_of(text, sizeof(text)), &WIDE);
    assert_int_equal(result.status, GH_JSON_OK);
    assert_int_equal(result.doc.values[0].text.len, sizeof(text) - 2 - 4);
}

static void says_when_the_arena_is_full(void **state)
{
    struct gh_str text = object_of(200, 200, "\\u0041name#");
    for (size_t cap = 0; cap < 100000; cap += 64) {
        struct gh_arena small;
        struct gh_json_doc doc = {0};
        gh_arena_init(&small, 64, cap);
        enum gh_json_status status = gh_json_parse(&small, text, &WIDE, &doc, NULL);
        assert_true(status == GH_JSON_OK || status == GH_JSON_MEMORY);
        assert_int_equal(doc.count, status == GH_JSON_OK ? 201 : 0);
        gh_arena_done(&small);
        gh_arena_init(&small, 64, cap);
        struct gh_json_parser *parser = gh_json_parser_new(&small, &WIDE);
        if (parser) {
            (void)gh_json_feed_copy(parser, gh_str_first(text, 1000));
            (void)gh_json_feed_copy(parser, gh_str_skip(text, 1000));
            status = gh_json_finish(parser, &doc);
            assert_true(status == GH_JSON_OK || status == GH_JSON_MEMORY);
        }
        gh_arena_done(&small);
        if (cap > 90000)
            assert_int_equal(status, GH_JSON_OK);
    }
}

static void stays_with_its_first_error(void **state)
{
    struct gh_json_doc doc = {0};
    struct gh_json_parser *parser = gh_json_parser_new(&arena, &gh_json_small);
    assert_int_equal(gh_json_feed(parser, GH_STR("[1,")), GH_JSON_OK);
    assert_int_equal(gh_json_feed(parser, GH_STR("")), GH_JSON_OK);
    assert_int_equal(gh_json_feed(parser, GH_STR("]")), GH_JSON_SYNTAX);
    assert_int_equal(gh_json_feed(parser, GH_STR("2]")), GH_JSON_SYNTAX);
    assert_int_equal(gh_json_finish(parser, &doc), GH_JSON_SYNTAX);
    assert_int_equal(gh_json_error_offset(parser), 3);
    assert_int_equal(doc.count, 0);
}

static void reads_whole_numbers_however_they_are_written(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"-0.0e99999999999999999999", 0},
        {"42", 42},
        {"1.0", 1},
        {"1e2", 100},
        {"-1.5E+1", -15},
        {"1200e-2", 12},
        {"0.001e3", 1},
        {"0.00000000000000000000000000000000000001e38", 1},
        {"10000000000000000000000000000000000000000e-40", 1},
        {"9223372036854775807", INT64_MAX},
        {"9223372036854775807.000", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const bad[] = {
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "1.5",
        "1e19",
        "1e99999999999999999999",
        "1e-1",
        "0.1",
        "1e-99999999999999999999",
        "\"1\"",
        "null",
        "[1]",
    };
    int64_t value;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct gh_json_doc doc = parse_good(gh_str_from_c(good[i].text));
        if (!gh_json_int64(&doc.values[0], &value) || value != good[i].value)
            fail_msg("%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct gh_json_doc doc = parse_good(gh_str_from_c(bad[i]));
        value = 77;
        if (gh_json_int64(&doc.values[0], &value) || value != 77)
            fail_msg("%s", bad[i]);
    }
    assert_false(gh_json_int64(NULL, &value));
}

/* The usual case is read in a loop of its own: it has to stop for each of these and go on. */
static void reads_space_and_rare_tokens_everywhere(void **state)
{
    static const struct {
        const char *text, *same;
    } rows[] = {
        {"{\"a\":0}  \n", "{\"a\":0}"},
        {" [ 1 , 2 ] ", "[1,2]"},
        {"{ \"a\" : { } , \"b\" : [ ] , \"c\" :1 }", "{\"a\":{},\"b\":[],\"c\":1}"},
        {"[[],{},[[]],{\"a\":[{}]}]", "[[],{},[[]],{\"a\":[{}]}]"},
        {"{\"\\u0061\":1e2,\"b\":\"\\n\",\"c\":[1E2,-0.5],\"d\":{\"\":true}}",
         "{\"a\":1e2,\"b\":\"\\n\",\"c\":[1E2,-0.5],\"d\":{\"\":true}}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gh_json_doc a = parse_good(gh_str_from_c(rows[i].text));
        struct gh_json_doc b = parse_good(gh_str_from_c(rows[i].same));
        assert_int_equal(a.count, b.count);
        for (size_t k = 0; k < a.count; k++) {
            assert_int_equal(a.values[k].kind, b.values[k].kind);
            assert_int_equal(a.values[k].next, b.values[k].next);
            assert_int_equal(a.values[k].count, b.values[k].count);
            assert_int_equal(a.values[k].name_hash, b.values[k].name_hash);
            assert_true(gh_str_eq(a.values[k].name, b.values[k].name));
            assert_true(gh_str_eq(a.values[k].text, b.values[k].text));
        }
    }
}

/* Names that repeat on either side of what the usual case leaves to others. */
static void finds_the_repeated_name_across_a_rare_token(void **state)
{
    static const char *const bad[] = {
        "{\"a\":1,\"\\u0062\":2,\"a\":3}",
        "{\"a\":1,\"b\":1e2,\"a\":3}",
        "{\"a\":1,\"b\":{\"c\":1e2,\"d\":2,\"c\":3},\"e\":3}",
        "{\"a\":1,\"b\":{\"c\":1e2,\"d\":2},\"a\":3}",
        "{\"a\":[{\"x\":1},{\"x\":1}],\"b\" :{\"x\":1},\"c\":4,\"b\":3}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(parse(gh_str_from_c(bad[i]), &gh_json_small).status,
                         GH_JSON_DUPLICATE_NAME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_each_kind_as_a_document),
        cmocka_unit_test(lays_values_on_a_tape),
        cmocka_unit_test(finds_nothing_where_nothing_is),
        cmocka_unit_test(decodes_every_escape),
        cmocka_unit_test(borrows_what_stands_in_the_text_as_it_is),
        cmocka_unit_test(refuses_what_is_no_document),
        cmocka_unit_test(refuses_broken_arrays_and_objects),
        cmocka_unit_test(refuses_broken_literals_and_numbers),
        cmocka_unit_test(refuses_broken_strings),
        cmocka_unit_test(refuses_lone_surrogates),
        cmocka_unit_test(refuses_what_is_not_utf8),
        cmocka_unit_test(refuses_repeated_names_however_they_are_written),
        cmocka_unit_test(finds_the_repeated_name_among_many),
        cmocka_unit_test(crowded_names_are_told_apart),
        cmocka_unit_test(holds_its_limits),
        cmocka_unit_test(depth_costs_no_stack),
        cmocka_unit_test(long_tokens_in_pieces_cost_no_more_than_their_length),
        cmocka_unit_test(says_when_the_arena_is_full),
        cmocka_unit_test(stays_with_its_first_error),
        cmocka_unit_test(reads_whole_numbers_however_they_are_written),
        cmocka_unit_test(reads_space_and_rare_tokens_everywhere),
        cmocka_unit_test(finds_the_repeated_name_across_a_rare_token),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
