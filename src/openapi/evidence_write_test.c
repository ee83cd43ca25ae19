/* Evidence brought together, and written so that it is read again. */
#include <math.h>

#include "openapi/evidence.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define TEXT_BYTES_MAX ((size_t)1 << 24)

static struct gh_arena arena;

static int begin(void **state)
{
    (void)state;
    gh_arena_init(&arena, 1 << 16, 1 << 28);
    return 0;
}

static int end(void **state)
{
    (void)state;
    gh_arena_done(&arena);
    return 0;
}

static struct gh_evidence parse(struct gh_str text)
{
    struct gh_evidence evidence;
    const char *what;
    unsigned line;
    assert_int_equal(gh_evidence_parse(&arena, text, &evidence, &line, &what), GH_OK);
    return evidence;
}

static struct gh_str write_text(struct gh_evidence evidence)
{
    struct gh_str text;
    assert_int_equal(gh_evidence_write(&arena, &evidence, TEXT_BYTES_MAX, &text), GH_OK);
    return text;
}

static struct gh_evidence_line line_of(enum gh_evidence_kind kind, double min, double max)
{
    return (struct gh_evidence_line){.operation = GH_STR("op"),
                                     .location = GH_STR("body"),
                                     .kind = kind,
                                     .min = min,
                                     .max = max,
                                     .count = 1};
}

/* Written and read again. */
static struct gh_evidence_line again(struct gh_evidence_line line)
{
    struct gh_evidence evidence = parse(write_text((struct gh_evidence){&line, 1}));
    assert_int_equal(evidence.count, 1);
    return evidence.lines[0];
}

static void what_is_written_is_read_again(void **state)
{
    static const enum gh_evidence_kind KINDS[] = {GH_EVIDENCE_STRING, GH_EVIDENCE_INTEGER,
                                                  GH_EVIDENCE_NUMBER, GH_EVIDENCE_ARRAY,
                                                  GH_EVIDENCE_OBJECT};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct gh_evidence_line line = line_of(KINDS[i], 1, 40);
        line.operation = GH_STR("GET /a/{\"b\"}\n<\xc3\xa9>");
        line.location = GH_STR("query");
        line.name = GH_STR("n\\\t");
        line.pointer = GH_STR("/~1/~0/*\x7f");
        line.count = GH_EVIDENCE_COUNT_MAX;
        line.extra = i == 4;
        const struct gh_evidence_line read = again(line);
        assert_true(gh_str_eq(read.operation, line.operation));
        assert_true(gh_str_eq(read.location, line.location));
        assert_true(gh_str_eq(read.name, line.name));
        assert_true(gh_str_eq(read.pointer, line.pointer));
        assert_int_equal(read.kind, line.kind);
        assert_true(read.min == 1 && read.max == 40);
        assert_true(read.count == line.count && read.extra == line.extra);
    }
}

static void lengths_are_exact(void **state)
{
    (void)state;
    const struct gh_evidence_line read = again(line_of(GH_EVIDENCE_STRING, 1234567, 7654321));
    assert_true(read.min == 1234567 && read.max == 7654321);
}

static void numbers_are_rounded_outwards_to_two_digits(void **state)
{
    static const struct {
        double min, max, read_min, read_max;
    } cases[] = {
        {0, 99, 0, 99},
        {1234, 4321, 1200, 4400},
        {-1234, -4321e-3, -1300, -4.3},
        {0.1, 0.125, 0.1, 0.13},
        {9.96, 9.96, 9, 10},
        {-9.96, 99.9, -10, 100},
        {4111111111111111, 4111111111111111, 4100000000000000, 4200000000000000},
        {1e-300, 1e300, 1e-300, 1e300},
        {-1.5e-320, 5e-324, -1.5e-320, 5e-324},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gh_evidence_line read =
            again(line_of(GH_EVIDENCE_NUMBER, cases[i].min, cases[i].max));
        assert_true(read.min <= cases[i].min && read.max >= cases[i].max);
        if (i < 8)
            assert_true(read.min == cases[i].read_min && read.max == cases[i].read_max);
        read = again(read); /* and stay so */
        if (i < 8)
            assert_true(read.min == cases[i].read_min && read.max == cases[i].read_max);
    }
}

static void the_largest_numbers_stay_numbers(void **state)
{
    (void)state;
    const struct gh_evidence_line read =
        again(line_of(GH_EVIDENCE_NUMBER, -1.7976931348623157e308, 1.7976931348623157e308));
    assert_true(isfinite(read.min) && isfinite(read.max));
    assert_true(read.max == 1.7976931348623157e308);
}

static void lines_of_one_place_are_brought_together(void **state)
{
    struct gh_evidence_line a[] = {line_of(GH_EVIDENCE_STRING, 3, 5),
                                   line_of(GH_EVIDENCE_OBJECT, 1, 2)};
    struct gh_evidence_line b[] = {
        line_of(GH_EVIDENCE_OBJECT, 0, 1), line_of(GH_EVIDENCE_STRING, 4, 9),
        line_of(GH_EVIDENCE_ARRAY, 1, 1), line_of(GH_EVIDENCE_STRING, 4, 4)};
    const struct gh_evidence one = {a, 2}, other = {b, 4};
    struct gh_evidence both;
    (void)state;
    b[0].extra = true;
    b[3].name = GH_STR("another");
    a[0].count = GH_EVIDENCE_COUNT_MAX;
    assert_int_equal(gh_evidence_merge(&arena, &one, &other, &both), GH_OK);
    assert_int_equal(both.count, 4);
    assert_true(both.lines[0].min == 3 && both.lines[0].max == 9);
    assert_true(both.lines[0].count == GH_EVIDENCE_COUNT_MAX);
    assert_int_equal(both.lines[1].kind, GH_EVIDENCE_ARRAY);
    assert_true(both.lines[2].min == 0 && both.lines[2].max == 2 && both.lines[2].extra);
    assert_true(gh_str_eq(both.lines[3].name, GH_STR("another")));
    assert_int_equal(both.lines[3].count, 1);
}

static void nothing_and_nothing_is_nothing(void **state)
{
    const struct gh_evidence none = {NULL, 0};
    struct gh_evidence both;
    (void)state;
    assert_int_equal(gh_evidence_merge(&arena, &none, &none, &both), GH_OK);
    assert_int_equal(both.count, 0);
    assert_int_equal(write_text(both).len, 0);
}

static void a_text_over_its_bound_is_not_written(void **state)
{
    const struct gh_evidence_line line = line_of(GH_EVIDENCE_STRING, 1, 2);
    const struct gh_evidence one = {&line, 1};
    struct gh_str text = write_text(one), other;
    (void)state;
    assert_int_equal(gh_evidence_write(&arena, &one, text.len, &other), GH_OK);
    assert_int_equal(gh_evidence_write(&arena, &one, text.len - 1, &other), GH_ERR_FULL);
    assert_int_equal(gh_evidence_write(&arena, &one, 0, &other), GH_ERR_FULL);
}

/* What one table can hold is read again within the memory that its writer has. */
static void a_full_file_is_read_in_little_memory(void **state)
{
    enum { LINES = 5 * 4096 };
    struct gh_evidence_line *lines = gh_arena_zalloc(&arena, LINES, sizeof(*lines));
    struct gh_arena small;
    struct gh_evidence evidence;
    const char *what;
    unsigned number;
    (void)state;
    for (unsigned i = 0; i < LINES; i++) {
        lines[i] = line_of((enum gh_evidence_kind)(i % 5), 1, 2);
        lines[i].pointer = gh_arena_format(&arena, "/a-name-of-some-length/%u", i / 5);
    }
    struct gh_str text = write_text((struct gh_evidence){lines, LINES});
    gh_arena_init(&small, 1 << 18, 96 << 20);
    assert_int_equal(gh_evidence_parse(&small, text, &evidence, &number, &what), GH_OK);
    assert_int_equal(evidence.count, LINES);
    gh_arena_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_again, begin, end),
        cmocka_unit_test_setup_teardown(lengths_are_exact, begin, end),
        cmocka_unit_test_setup_teardown(numbers_are_rounded_outwards_to_two_digits, begin, end),
        cmocka_unit_test_setup_teardown(the_largest_numbers_stay_numbers, begin, end),
        cmocka_unit_test_setup_teardown(lines_of_one_place_are_brought_together, begin, end),
        cmocka_unit_test_setup_teardown(nothing_and_nothing_is_nothing, begin, end),
        cmocka_unit_test_setup_teardown(a_text_over_its_bound_is_not_written, begin, end),
        cmocka_unit_test_setup_teardown(a_full_file_is_read_in_little_memory, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
