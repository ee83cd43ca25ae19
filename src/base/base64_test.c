#include "base/base64.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct vector {
    struct gh_str bytes, base64url, base32;
};

/* RFC 4648 section 10, and what tells the URL-safe alphabet from the other one. */
static const struct vector VECTORS[] = {
    {GH_STR_INIT(""), GH_STR_INIT(""), GH_STR_INIT("")},
    {GH_STR_INIT("f"), GH_STR_INIT("Zg"), GH_STR_INIT("MY")},
    {GH_STR_INIT("fo"), GH_STR_INIT("Zm8"), GH_STR_INIT("MZXQ")},
    {GH_STR_INIT("foo"), GH_STR_INIT("Zm9v"), GH_STR_INIT("MZXW6")},
    {GH_STR_INIT("foob"), GH_STR_INIT("Zm9vYg"), GH_STR_INIT("MZXW6YQ")},
    {GH_STR_INIT("fooba"), GH_STR_INIT("Zm9vYmE"), GH_STR_INIT("MZXW6YTB")},
    {GH_STR_INIT("foobar"), GH_STR_INIT("Zm9vYmFy"), GH_STR_INIT("MZXW6YTBOI")},
    {GH_STR_INIT("\xfb\xff\xfe"), GH_STR_INIT("-__-"), GH_STR_INIT("7P774")},
    {GH_STR_INIT("\0\0"), GH_STR_INIT("AAA"), GH_STR_INIT("AAAA")},
};

static bool decodes_64(struct gh_str text, struct gh_str bytes)
{
    uint8_t out[256];
    size_t len;
    return gh_base64url_decode(text, out, sizeof(out), &len) &&
           gh_str_eq(gh_str_of((const char *)out, len), bytes);
}

static bool decodes_32(struct gh_str text, struct gh_str bytes)
{
    uint8_t out[256];
    size_t len;
    return gh_base32_decode(text, out, sizeof(out), &len) &&
           gh_str_eq(gh_str_of((const char *)out, len), bytes);
}

static bool refuses_64(struct gh_str text)
{
    uint8_t out[256];
    size_t len = 77;
    return !gh_base64url_decode(text, out, sizeof(out), &len) && len == 77;
}

static bool refuses_32(struct gh_str text)
{
    uint8_t out[256];
    size_t len = 77;
    return !gh_base32_decode(text, out, sizeof(out), &len) && len == 77;
}

static void writes_and_reads_the_vectors_of_rfc_4648(void **state)
{
    for (size_t i = 0; i < COUNT(VECTORS); i++) {
        const struct vector *vector = &VECTORS[i];
        char memory[64];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        gh_base64url_put(&buf, (const uint8_t *)vector->bytes.ptr, vector->bytes.len);
        assert_true(gh_str_eq(gh_buf_str(&buf), vector->base64url));
        assert_int_equal(buf.len, GH_BASE64URL_LEN(vector->bytes.len));
        assert_true(decodes_64(vector->base64url, vector->bytes));
        buf = gh_buf_over(memory, sizeof(memory));
        gh_base32_put(&buf, (const uint8_t *)vector->bytes.ptr, vector->bytes.len);
        assert_true(gh_str_eq(gh_buf_str(&buf), vector->base32));
        assert_int_equal(buf.len, GH_BASE32_LEN(vector->bytes.len));
        assert_true(decodes_32(vector->base32, vector->bytes));
    }
}

static void each_text_of_up_to_two_digits_has_at_most_one_value(void **state)
{
    char seen[256] = {0};
    for (unsigned pair = 0; pair < 65536; pair++) {
        char text[2] = {(char)(pair >> 8), (char)pair};
        uint8_t byte;
        size_t len;
        if (!gh_base64url_decode(gh_str_of(text, 2), &byte, 1, &len))
            continue;
        assert_int_equal(len, 1);
        assert_int_equal(seen[byte]++, 0);
    }
    for (unsigned byte = 0; byte < 256; byte++)
        assert_int_equal(seen[byte], 1);
}

static void base64url_refuses_other_alphabets_padding_and_space(void **state)
{
    static const struct gh_str TEXTS[] = {
        GH_STR_INIT("Zg=="),  GH_STR_INIT("Zm8="),     GH_STR_INIT("Zg="),
        GH_STR_INIT("="),     GH_STR_INIT("===="),     GH_STR_INIT("+//+"),
        GH_STR_INIT("Zm9v "), GH_STR_INIT(" Zm9v"),    GH_STR_INIT("Zm\n9v"),
        GH_STR_INIT("Zm9\0"), GH_STR_INIT("Zm9\x80"),  GH_STR_INIT("Zm9."),
        GH_STR_INIT("Zm9v,"), GH_STR_INIT("Zm9v\xff"), GH_STR_INIT("Zm9v\r\nZm9v"),
    };
    for (size_t i = 0; i < COUNT(TEXTS); i++)
        assert_true(refuses_64(TEXTS[i]));
}

static void base64url_refuses_impossible_lengths(void **state)
{
    assert_true(refuses_64(GH_STR("A")));
    assert_true(refuses_64(GH_STR("AAAAA")));
    assert_true(refuses_64(GH_STR("AAAAAAAAA")));
}

static void base64url_refuses_unused_bits_that_are_set(void **state)
{
    assert_true(refuses_64(GH_STR("Zh")));
    assert_true(refuses_64(GH_STR("Zv")));
    assert_true(refuses_64(GH_STR("Zm9")));
    assert_true(refuses_64(GH_STR("Zm9vZm_")));
}

static void base32_takes_lower_case_and_right_padding(void **state)
{
    assert_true(decodes_32(GH_STR("mzxw6ytboi"), GH_STR("foobar")));
    assert_true(decodes_32(GH_STR("MZXW6YTBOI======"), GH_STR("foobar")));
    assert_true(decodes_32(GH_STR("MY======"), GH_STR("f")));
    assert_true(decodes_32(GH_STR("MZXQ===="), GH_STR("fo")));
    assert_true(decodes_32(GH_STR("MZXW6==="), GH_STR("foo")));
    assert_true(decodes_32(GH_STR("MZXW6YQ="), GH_STR("foob")));
}

static void base32_refuses_everything_else(void **state)
{
    static const struct gh_str TEXTS[] = {
        GH_STR_INIT("M"),                /* a length that no bytes have */
        GH_STR_INIT("MZX"),              /* the same */
        GH_STR_INIT("MZXW6Y"),           /* the same */
        GH_STR_INIT("MZX====="),         /* the same, padded */
        GH_STR_INIT("MZ"),               /* unused bits */
        GH_STR_INIT("MZXR"),             /* unused bits */
        GH_STR_INIT("MZXW7"),            /* unused bits */
        GH_STR_INIT("MZXW6YR"),          /* unused bits */
        GH_STR_INIT("MY="),              /* too little padding */
        GH_STR_INIT("MY====="),          /* too little padding */
        GH_STR_INIT("MY======="),        /* too much */
        GH_STR_INIT("MZXW6YTB========"), /* a whole group of it */
        GH_STR_INIT("========"),         /* nothing else */
        GH_STR_INIT("MY=====A"),         /* amid the text */
        GH_STR_INIT("0Y"),
        GH_STR_INIT("1Y"),
        GH_STR_INIT("8Y"),
        GH_STR_INIT("M Y"),
        GH_STR_INIT("M-Y"),
        GH_STR_INIT("MY\0"),
        GH_STR_INIT("\xcd\x99"),
    };
    for (size_t i = 0; i < COUNT(TEXTS); i++)
        assert_true(refuses_32(TEXTS[i]));
}

static void nothing_is_written_past_the_capacity(void **state)
{
    uint8_t out[4] = {9, 9, 9, 9};
    size_t len = 77;
    assert_false(gh_base64url_decode(GH_STR("Zm9v"), out, 2, &len));
    assert_false(gh_base32_decode(GH_STR("MZXW6"), out, 2, &len));
    assert_int_equal(out[2], 9);
    assert_true(gh_base64url_decode(GH_STR("Zm9v"), out, 3, &len));
    assert_int_equal(len, 3);
    assert_int_equal(out[3], 9);

    char memory[4] = "....";
    struct gh_buf buf = gh_buf_over(memory, 3);
    gh_base64url_put(&buf, (const uint8_t *)"foo", 3);
    assert_true(buf.overflow);
    assert_int_equal(buf.len, 0);
    buf = gh_buf_over(memory, 1);
    gh_base32_put(&buf, (const uint8_t *)"f", 1);
    assert_true(buf.overflow);
    assert_memory_equal(memory, "....", 4);
}

static void every_length_goes_there_and_back(void **state)
{
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 151 + 7);
    for (size_t count = 0; count <= sizeof(bytes); count++) {
        char memory[200];
        struct gh_buf buf = gh_buf_over(memory, GH_BASE64URL_LEN(count));
        gh_base64url_put(&buf, bytes, count);
        assert_false(buf.overflow);
        assert_true(decodes_64(gh_buf_str(&buf), gh_str_of((const char *)bytes, count)));
        buf = gh_buf_over(memory, GH_BASE32_LEN(count));
        gh_base32_put(&buf, bytes, count);
        assert_false(buf.overflow);
        assert_true(decodes_32(gh_buf_str(&buf), gh_str_of((const char *)bytes, count)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_the_vectors_of_rfc_4648),
        cmocka_unit_test(each_text_of_up_to_two_digits_has_at_most_one_value),
        cmocka_unit_test(base64url_refuses_other_alphabets_padding_and_space),
        cmocka_unit_test(base64url_refuses_impossible_lengths),
        cmocka_unit_test(base64url_refuses_unused_bits_that_are_set),
        cmocka_unit_test(base32_takes_lower_case_and_right_padding),
        cmocka_unit_test(base32_refuses_everything_else),
        cmocka_unit_test(nothing_is_written_past_the_capacity),
        cmocka_unit_test(every_length_goes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
