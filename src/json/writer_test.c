#include "json/writer.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define ASSERT_HOLDS(buf, literal) assert_true(gh_str_eq(gh_buf_str(buf), GH_STR(literal)))

static struct gh_buf fresh(void)
{
    static char memory[512];
    return gh_buf_over(memory, sizeof(memory));
}

static void writes_plain_text_as_it_is(void **state)
{
    struct gh_buf buf = fresh();
    gh_json_put_string(&buf, GH_STR("Rate limit exceeded: 5/minute ~'"));
    ASSERT_HOLDS(&buf, "\"Rate limit exceeded: 5/minute ~'\"");
    buf = fresh();
    gh_json_put_string(&buf, gh_str_of(NULL, 0));
    ASSERT_HOLDS(&buf, "\"\"");
}

static void escapes_quotes_and_control_bytes(void **state)
{
    struct gh_buf buf = fresh();
    gh_json_put_string(&buf, GH_STR("a\"b\\c\n\r\t\b\0\x1f\x7f"));
    ASSERT_HOLDS(&buf, "\"a\\\"b\\\\c\\n\\r\\t\\u0008\\u0000\\u001f\\u007f\"");
}

static void escapes_what_html_and_javascript_would_read(void **state)
{
    struct gh_buf buf = fresh();
    gh_json_put_string(&buf, GH_STR("</script>&\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"));
    ASSERT_HOLDS(&buf, "\"\\u003c/script\\u003e\\u0026\\u2028\\u2029\xe2\x80\xaa\"");
}

static void escapes_c1_which_terminals_obey(void **state)
{
    struct gh_buf buf = fresh();
    gh_json_put_string(&buf, GH_STR("\xc2\x80\xc2\x85\xc2\x9b\xc2\x9f\xc2\xa0"));
    ASSERT_HOLDS(&buf, "\"\\u0080\\u0085\\u009b\\u009f\xc2\xa0\"");
}

static void tames_a_document_without_changing_it(void **state)
{
    struct gh_buf buf = fresh();
    gh_json_put_tame(&buf, GH_STR("{\"a\":\"<\\n\x7f\xc2\x9b\xe2\x80\xa8\xc3\xa4\"}"));
    ASSERT_HOLDS(&buf, "{\"a\":\"<\\n\\u007f\\u009b\\u2028\xc3\xa4\"}");
}

static void keeps_utf8(void **state)
{
    struct gh_buf buf = fresh();
    gh_json_put_string(&buf, GH_STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
    ASSERT_HOLDS(&buf, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void replaces_each_byte_that_is_no_utf8(void **state)
{
    struct gh_buf buf = fresh();
    gh_json_put_string(&buf, GH_STR("\xff"
                                    "a\xc3"));
    ASSERT_HOLDS(&buf, "\"\\ufffda\\ufffd\"");
    buf = fresh();
    gh_json_put_string(&buf, GH_STR("\xed\xa0\x80"
                                    "\xc0\xaf"));
    ASSERT_HOLDS(&buf, "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

static void puts_commas_between_members_only(void **state)
{
    struct gh_buf buf = fresh();
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("a"), GH_STR("b{"));
    gh_json_put_member_u64(&buf, GH_STR("n"), UINT64_MAX);
    gh_json_put_member_bool(&buf, GH_STR("yes"), true);
    gh_json_put_member_bool(&buf, GH_STR("no"), false);
    gh_json_put_name(&buf, GH_STR("o"));
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("<"), GH_STR(""));
    gh_buf_put(&buf, GH_STR("}}"));
    ASSERT_HOLDS(&buf, "{\"a\":\"b{\",\"n\":18446744073709551615,\"yes\":true,\"no\":false,"
                       "\"o\":{\"\\u003c\":\"\"}}");
}

static void begins_a_fragment_without_a_comma(void **state)
{
    struct gh_buf buf = fresh();
    gh_json_put_member_u64(&buf, GH_STR("a"), 1);
    gh_json_put_member_u64(&buf, GH_STR("b"), 2);
    ASSERT_HOLDS(&buf, "\"a\":1,\"b\":2");
}

static void overflow_is_seen_at_each_capacity(void **state)
{
    char memory[64];
    struct gh_str text = GH_STR("a\"\x01\xc3\xa4\xff");
    struct gh_buf whole = gh_buf_over(memory, sizeof(memory));
    gh_json_put_member(&whole, GH_STR("name"), text);
    assert_false(whole.overflow);
    for (size_t cap = 0; cap <= whole.len; cap++) {
        struct gh_buf buf = gh_buf_over(memory, cap);
        gh_json_put_member(&buf, GH_STR("name"), text);
        assert_true(buf.overflow == (cap < whole.len));
        assert_true(buf.len <= cap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_plain_text_as_it_is),
        cmocka_unit_test(escapes_quotes_and_control_bytes),
        cmocka_unit_test(escapes_what_html_and_javascript_would_read),
        cmocka_unit_test(escapes_c1_which_terminals_obey),
        cmocka_unit_test(tames_a_document_without_changing_it),
        cmocka_unit_test(keeps_utf8),
        cmocka_unit_test(replaces_each_byte_that_is_no_utf8),
        cmocka_unit_test(puts_commas_between_members_only),
        cmocka_unit_test(begins_a_fragment_without_a_comma),
        cmocka_unit_test(overflow_is_seen_at_each_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
