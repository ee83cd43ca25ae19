/* What the transcripts do not show: what is taken, where the slices point, how it ends. */
#include "http/h1_body.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void bodies_without_bytes_are_done_at_once(void **state)
{
    (void)state;
    struct gh_h1_body body;
    struct gh_str input = GH_STR("next"), data;
    gh_h1_body_init(&body, GH_BODY_NONE, 0);
    assert_true(gh_h1_body_is_complete(&body));
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_DONE);
    gh_h1_body_init(&body, GH_BODY_LENGTH, 0);
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_DONE);
    assert_int_equal(input.len, 4);
}

static void gives_slices_of_the_input_and_leaves_what_follows(void **state)
{
    (void)state;
    struct gh_h1_body body;
    struct gh_str whole = GH_STR("helloGET"), input = whole, data;
    gh_h1_body_init(&body, GH_BODY_LENGTH, 5);
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_DATA);
    assert_ptr_equal(data.ptr, whole.ptr);
    assert_int_equal(data.len, 5);
    assert_true(gh_h1_body_is_complete(&body));
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_DONE);
    assert_true(gh_str_eq(input, GH_STR("GET")));
}

static void gives_each_chunk_as_one_slice_and_leaves_what_follows(void **state)
{
    (void)state;
    struct gh_h1_body body;
    struct gh_str input = GH_STR("3\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\nGET"), data;
    gh_h1_body_init(&body, GH_BODY_CHUNKED, 0);
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_DATA);
    assert_true(gh_str_eq(data, GH_STR("abc")));
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_DATA);
    assert_true(gh_str_eq(data, GH_STR("de")));
    assert_false(gh_h1_body_is_complete(&body));
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_DONE);
    assert_true(gh_str_eq(input, GH_STR("GET")));
}

static void a_body_up_to_the_end_of_the_connection_is_never_done(void **state)
{
    (void)state;
    struct gh_h1_body body;
    struct gh_str input = GH_STR("any\0thing\r\n"), data;
    gh_h1_body_init(&body, GH_BODY_CLOSE, 0);
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_DATA);
    assert_int_equal(data.len, 11);
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_MORE);
    assert_false(gh_h1_body_is_complete(&body));
}

static void stays_refused_after_an_error(void **state)
{
    (void)state;
    struct gh_h1_body body;
    struct gh_str input = GH_STR("x"), good = GH_STR("0\r\n\r\n"), data;
    gh_h1_body_init(&body, GH_BODY_CHUNKED, 0);
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_ERROR);
    assert_int_equal(gh_h1_body_read(&body, &good, &data), GH_H1_BODY_ERROR);
    assert_int_equal(good.len, 5);
    assert_false(gh_h1_body_is_complete(&body));
}

static void reads_the_greatest_chunk_size_without_overflow(void **state)
{
    (void)state;
    struct gh_h1_body body;
    struct gh_str input = GH_STR("7fffFFFFffffFFFF\r\nab"), data;
    gh_h1_body_init(&body, GH_BODY_CHUNKED, 0);
    assert_int_equal(gh_h1_body_read(&body, &input, &data), GH_H1_BODY_DATA);
    assert_int_equal(data.len, 2);
    assert_int_equal(body.left, (uint64_t)INT64_MAX - 2);
}

/* Wherever a chunked body stops, it is neither done nor an error. */
static void no_prefix_of_a_chunked_body_is_complete(void **state)
{
    (void)state;
    struct gh_str whole = GH_STR("3;a=b\r\nabc\r\n10\r\n0123456789abcdef\r\n0;x\r\nT: x\r\n\r\n");
    for (size_t len = 0; len < whole.len; len++) {
        struct gh_h1_body body;
        struct gh_str input = gh_str_first(whole, len), data;
        enum gh_h1_body_status status;
        gh_h1_body_init(&body, GH_BODY_CHUNKED, 0);
        do {
            status = gh_h1_body_read(&body, &input, &data);
        } while (status == GH_H1_BODY_DATA);
        assert_int_equal(status, GH_H1_BODY_MORE);
    }
}

/* Each byte of the framing, changed to any other: refused, still waiting, or other sizes, but
   never a complete body that ends elsewhere than at the end of the input. */
static void no_changed_terminator_is_forgiven(void **state)
{
    (void)state;
    static const char BODY[] = "3\r\nabc\r\n0\r\n\r\n";
    static const size_t FIXED[] = {1, 2, 6, 7, 9, 10, 12};
    for (size_t i = 0; i < sizeof(FIXED) / sizeof(FIXED[0]); i++) {
        for (int c = 0; c < 256; c++) {
            char text[sizeof(BODY)];
            memcpy(text, BODY, sizeof(BODY));
            if (text[FIXED[i]] == (char)c || c == ';')
                continue;
            text[FIXED[i]] = (char)c;
            struct gh_h1_body body;
            struct gh_str input = gh_str_of(text, sizeof(BODY) - 1), data;
            enum gh_h1_body_status status;
            gh_h1_body_init(&body, GH_BODY_CHUNKED, 0);
            do {
                status = gh_h1_body_read(&body, &input, &data);
            } while (status == GH_H1_BODY_DATA);
            assert_int_not_equal(status, GH_H1_BODY_DONE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_without_bytes_are_done_at_once),
        cmocka_unit_test(gives_slices_of_the_input_and_leaves_what_follows),
        cmocka_unit_test(gives_each_chunk_as_one_slice_and_leaves_what_follows),
        cmocka_unit_test(a_body_up_to_the_end_of_the_connection_is_never_done),
        cmocka_unit_test(stays_refused_after_an_error),
        cmocka_unit_test(reads_the_greatest_chunk_size_without_overflow),
        cmocka_unit_test(no_prefix_of_a_chunked_body_is_complete),
        cmocka_unit_test(no_changed_terminator_is_forgiven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
