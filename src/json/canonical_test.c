/* Canonical JSON: the examples that RFC 8785 publishes, and what is refused. */
#include "json/canonical.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

static enum gh_err canonicalise(struct gh_arena *arena, const char *text, struct gh_str *out)
{
    gh_arena_init(arena, 4096, 1 << 20);
    *out = GH_STR("untouched");
    return gh_json_canonicalise(arena, gh_str_from_c(text), &gh_json_small, out);
}

static void assert_canonical(const char *text, const char *expected)
{
    struct gh_arena arena;
    struct gh_str out;
    assert_int_equal(canonicalise(&arena, text, &out), GH_OK);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.ptr, expected, out.len);
    gh_arena_done(&arena);
}

static void assert_refused(const char *text)
{
    struct gh_arena arena;
    struct gh_str out;
    assert_int_equal(canonicalise(&arena, text, &out), GH_ERR_INVALID);
    assert_true(gh_str_eq(out, GH_STR("untouched")));
    gh_arena_done(&arena);
}

/* Section 3.2.2, without its numbers. */
static void strings_and_literals_are_those_of_the_published_example(void **state)
{
    assert_canonical("{\n  \"numbers\": [],\n"
                     "  \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n"
                     "  \"literals\": [null, true, false]\n}",
                     "{\"literals\":[null,true,false],\"numbers\":[],"
                     "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

/* Section 3.2.3. */
static void members_are_sorted_as_in_the_published_example(void **state)
{
    assert_canonical("{\"\\u20ac\": \"Euro Sign\",\n\"\\r\": \"Carriage Return\",\n"
                     "\"\\ufb33\": \"Hebrew Letter Dalet With Dagesh\",\n\"1\": \"One\",\n"
                     "\"\\ud83d\\ude00\": \"Emoji: Grinning Face\",\n\"\\u0080\": \"Control\",\n"
                     "\"\\u00f6\": \"Latin Small Letter O With Diaeresis\"}",
                     "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
                     "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\","
                     "\"\xe2\x82\xac\":\"Euro Sign\","
                     "\"\xf0\x9f\x98\x80\":\"Emoji: Grinning Face\","
                     "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

/* Files "arrays", "french", "structures" and "unicode" of the test data that the RFC names
   (appendix G), with whole numbers only. */
static void the_published_test_data_come_out_as_published(void **state)
{
    assert_canonical("[\n  56,\n  {\n    \"d\": true,\n    \"10\": null,\n    \"1\": [ ]\n  }\n]",
                     "[56,{\"1\":[],\"10\":null,\"d\":true}]");
    assert_canonical("{\"peach\": \"a\", \"p\xc3\xa9"
                     "ch\xc3\xa9\": \"b\", \"p\xc3\xaa"
                     "che\": \"c\", \"sin\": \"d\"}",
                     "{\"peach\":\"a\",\"p\xc3\xa9"
                     "ch\xc3\xa9\":\"b\",\"p\xc3\xaa"
                     "che\":\"c\",\"sin\":\"d\"}");
    assert_canonical("{\n  \"1\": {\"f\": {\"f\": \"hi\",\"F\": 5} ,\"\\n\": 56},\n"
                     "  \"10\": { },\n  \"\": \"empty\",\n  \"a\": { },\n  \"111\": [ {\n"
                     "      \"e\": \"yes\",\n      \"E\": \"no\" } ],\n  \"A\": { }\n}",
                     "{\"\":\"empty\",\"1\":{\"\\n\":56,\"f\":{\"F\":5,\"f\":\"hi\"}},\"10\":{},"
                     "\"111\":[{\"E\":\"no\",\"e\":\"yes\"}],\"A\":{},\"a\":{}}");
    /* No normalisation: a letter and a combining ring stay two. */
    assert_canonical("{\"Unnormalized Unicode\":\"A\\u030a\"}",
                     "{\"Unnormalized Unicode\":\"A\xcc\x8a\"}");
}

static void control_bytes_have_their_short_escapes_or_lower_case(void **state)
{
    assert_canonical("\"\\u0000\\u0008\\u0009\\u000A\\u000b\\u000C\\u000D\\u001F\\u007f\"",
                     "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\"");
    assert_canonical("\"<>&\\u2028\"", "\"<>&\xe2\x80\xa8\"");
}

static void whole_numbers_are_written_plainly_however_they_came(void **state)
{
    assert_canonical("[0,-0,1,-1,1.0,1e2,12.50e1,9e15]", "[0,0,1,-1,1,100,125,9000000000000000]");
    assert_canonical("9007199254740991", "9007199254740991");
    assert_canonical("-9007199254740991", "-9007199254740991");
}

static void refuses_numbers_that_languages_do_not_agree_on(void **state)
{
    static const char *const TEXTS[] = {
        "333333333.33333329",
        "1E30",
        "2e-3",
        "0.000000000000000000000000001",
        "9007199254740992",
        "1.5",
        "-9007199254740992",
        "99999999999999999999",
        "[1.1]",
        "{\"a\":[{\"b\":0.1}]}",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_refused(TEXTS[i]);
}

static void refuses_what_is_no_json(void **state)
{
    static const char *const TEXTS[] = {
        "", "{", "{\"a\":1,\"a\":2}", "\"\\ud800\"", "\"\xff\"", "1 2", "{a:1}", "\xef\xbb\xbf{}",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_refused(TEXTS[i]);
}

static void a_string_that_is_not_utf8_is_refused(void **state)
{
    char memory[16];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    assert_int_equal(gh_json_put_canonical_string(&buf, GH_STR("a\xc0\x80")), GH_ERR_INVALID);
    assert_int_equal(buf.len, 0);
}

static void many_members_are_sorted_too(void **state)
{
    char text[4096], expected[4096];
    struct gh_buf in = gh_buf_over(text, sizeof(text) - 1);
    struct gh_buf out = gh_buf_over(expected, sizeof(expected) - 1);
    for (unsigned i = 0; i < 200; i++) {
        gh_buf_format(&in, "%c\"%03u\":%u", i ? ',' : '{', (i * 37) % 200, (i * 37) % 200);
        gh_buf_format(&out, "%c\"%03u\":%u", i ? ',' : '{', i, i);
    }
    gh_buf_put(&in, GH_STR("}"));
    gh_buf_put(&out, GH_STR("}"));
    text[in.len] = expected[out.len] = 0;
    assert_canonical(text, expected);
}

static void says_when_memory_is_short_at_every_allocation(void **state)
{
    bool worked = false;
    for (size_t room = 1; !worked; room += 64) {
        struct gh_arena arena;
        struct gh_str out;
        gh_arena_init(&arena, 64, room);
        enum gh_err err = gh_json_canonicalise(&arena, GH_STR("{\"b\":{\"d\":[1,2]},\"a\":\"x\"}"),
                                               &gh_json_small, &out);
        assert_true(err == GH_OK || err == GH_ERR_MEMORY);
        worked = err == GH_OK;
        gh_arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_and_literals_are_those_of_the_published_example),
        cmocka_unit_test(members_are_sorted_as_in_the_published_example),
        cmocka_unit_test(the_published_test_data_come_out_as_published),
        cmocka_unit_test(control_bytes_have_their_short_escapes_or_lower_case),
        cmocka_unit_test(whole_numbers_are_written_plainly_however_they_came),
        cmocka_unit_test(refuses_numbers_that_languages_do_not_agree_on),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(a_string_that_is_not_utf8_is_refused),
        cmocka_unit_test(many_members_are_sorted_too),
        cmocka_unit_test(says_when_memory_is_short_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
