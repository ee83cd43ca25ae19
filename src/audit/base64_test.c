/* Base64 with padding: the vectors of RFC 4648 section 10, and what is refused. */
#include "audit/base64.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

static void the_published_vectors_go_both_ways(void **state)
{
    static const char *const CASES[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbe", "+/++"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char text[16];
        uint8_t back[16];
        size_t len;
        struct gh_buf buf = gh_buf_over(text, sizeof(text));
        gh_base64_put(&buf, (const uint8_t *)CASES[i][0], strlen(CASES[i][0]));
        assert_true(gh_str_eq(gh_buf_str(&buf), gh_str_from_c(CASES[i][1])));
        assert_true(gh_base64_decode(gh_buf_str(&buf), back, sizeof(back), &len));
        assert_int_equal(len, strlen(CASES[i][0]));
        assert_memory_equal(back, CASES[i][0], len);
    }
}

static void every_length_comes_back(void **state)
{
    uint8_t bytes[200], back[200];
    char text[GH_BASE64_LEN(sizeof(bytes))];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 151 + 7);
    for (size_t count = 0; count <= sizeof(bytes); count++) {
        size_t len;
        struct gh_buf buf = gh_buf_over(text, sizeof(text));
        gh_base64_put(&buf, bytes, count);
        assert_int_equal(buf.len, GH_BASE64_LEN(count));
        assert_true(gh_base64_decode(gh_buf_str(&buf), back, count, &len));
        assert_int_equal(len, count);
        assert_memory_equal(back, bytes, count);
        assert_true(count == 0 || !gh_base64_decode(gh_buf_str(&buf), back, count - 1, &len));
    }
}

static void refuses_every_other_text_for_a_value(void **state)
{
    static const char *const TEXTS[] = {
        "Zg",
        "Zg=",
        "Zg===",
        "Zh==",
        "Zm9=",
        "====",
        "=",
        "Z===",
        "Zg==Zg==",
        "Zm9v\n",
        " Zm9v",
        "-_--",
        "Zm9v====",
        "Zm=9",
        "Z",
        "Zm9vZ",
        "Zg= =",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==AA==",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        uint8_t back[128];
        size_t len;
        assert_false(gh_base64_decode(gh_str_from_c(TEXTS[i]), back, sizeof(back), &len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_go_both_ways),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(refuses_every_other_text_for_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
