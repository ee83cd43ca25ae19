/* Forms: what is read, and with a reason each, what is not. */
#include "schema/form.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

struct fixture {
    struct gh_arena arena;
    struct gh_form form;
    size_t offset;
};

static int open_arena(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){0};
    gh_arena_init(&fixture.arena, 4096, 1 << 20);
    *state = &fixture;
    return 0;
}

static int close_arena(void **state)
{
    struct fixture *fixture = *state;
    gh_arena_done(&fixture->arena);
    return 0;
}

static enum gh_form_status parse(struct fixture *f, struct gh_str text)
{
    f->offset = SIZE_MAX;
    return gh_form_parse(&f->arena, text, &gh_form_small, &f->form, &f->offset);
}

static void assert_text(struct gh_str got, const char *want)
{
    assert_true(gh_str_eq(got, gh_str_from_c(want)));
}

struct good {
    const char *text, *fields; /* decoded: "name>value|" each */
};

static void reads_fields_in_their_order(void **state)
{
    static const struct good CASES[] = {
        {"", ""},
        {"a=b", "a>b|"},
        {"a", "a>|"},
        {"a=", "a>|"},
        {"a=1&b=2&a=3", "a>1|b>2|a>3|"},
        {"a=b=c", "a>b=c|"},
        {"first+name=Ada+King&x=1%2B1%3D2", "first name>Ada King|x>1+1=2|"},
        {"a%26b=%3d", "a&b>=|"},
        {"%C3%A9=%e2%82%ac&%F0%9F%98%80=", "\xc3\xa9>\xe2\x82\xac|\xf0\x9f\x98\x80>|"},
        {"text=two%0D%0Alines", "text>two\r\nlines|"},
        {"a=*-._~!$'(),/:?@[]", "a>*-._~!$'(),/:?@[]|"},
        {"a=%253B", "a>%3B|"}, /* decoded once */
        {"%EF%BB%BFa=1", "\xef\xbb\xbf"
                         "a>1|"}, /* a byte order mark is part of the name */
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char memory[256];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        assert_int_equal(parse(f, gh_str_from_c(CASES[i].text)), GH_FORM_OK);
        for (size_t n = 0; n < f->form.count; n++) {
            gh_buf_put(&buf, f->form.fields[n].name);
            gh_buf_put_char(&buf, '>');
            gh_buf_put(&buf, f->form.fields[n].value);
            gh_buf_put_char(&buf, '|');
        }
        assert_text(gh_buf_str(&buf), CASES[i].fields);
    }
}

static void keeps_the_value_as_it_was_written(void **state)
{
    struct fixture *f = *state;
    struct gh_str text = GH_STR("a&b=x%2Cy,z");
    assert_int_equal(parse(f, text), GH_FORM_OK);
    assert_text(f->form.fields[0].raw_value, "");
    assert_text(f->form.fields[1].raw_value, "x%2Cy,z");
    assert_text(f->form.fields[1].value, "x,y,z");
    assert_ptr_equal(f->form.fields[1].raw_value.ptr, text.ptr + 4);
}

struct bad {
    struct gh_str text;
    enum gh_form_status status;
    size_t offset;
};

static void refuses_what_others_repair(void **state)
{
    static const struct bad CASES[] = {
        /* WHATWG keeps a bad escape as it stands, Go and Python's strict readers fail, some drop */
        {GH_STR_INIT("a=%"), GH_FORM_ESCAPE, 2},
        {GH_STR_INIT("a=%4"), GH_FORM_ESCAPE, 2},
        {GH_STR_INIT("a=1&b=%4"), GH_FORM_ESCAPE, 6},
        {GH_STR_INIT("a=%g0"), GH_FORM_ESCAPE, 2},
        {GH_STR_INIT("a=%0g"), GH_FORM_ESCAPE, 2},
        {GH_STR_INIT("a=%%41"), GH_FORM_ESCAPE, 2},
        {GH_STR_INIT("a=%+1"), GH_FORM_ESCAPE, 2},
        {GH_STR_INIT("%4&1=b"), GH_FORM_ESCAPE, 0}, /* escapes end with their piece */
        {GH_STR_INIT("x=1&a%4=b"), GH_FORM_ESCAPE, 5},
        {GH_STR_INIT("a=%u0041"), GH_FORM_ESCAPE, 2}, /* IIS and old JavaScript */
        /* texts end at a NUL for readers in C */
        {GH_STR_INIT("a=x%00y"), GH_FORM_NUL, 3},
        {GH_STR_INIT("a%00=x"), GH_FORM_NUL, 1},
        {GH_STR_INIT("a=x\0y"), GH_FORM_BYTE, 3},
        /* one reader's replacement character is another's error or Latin-1 */
        {GH_STR_INIT("a=%ff"), GH_FORM_UTF8, 2},
        {GH_STR_INIT("a=ok%C3"), GH_FORM_UTF8, 4},
        {GH_STR_INIT("a=%C3&b=%A9"), GH_FORM_UTF8, 2},
        {GH_STR_INIT("a=%E9t%E9"), GH_FORM_UTF8, 2},
        {GH_STR_INIT("a=%C0%AF"), GH_FORM_UTF8, 2},            /* overlong '/' */
        {GH_STR_INIT("a=1%41%ED%A0%80"), GH_FORM_UTF8, 6},     /* a surrogate */
        {GH_STR_INIT("a=%F4%90%80%80"), GH_FORM_UTF8, 2},      /* above U+10FFFF */
        {GH_STR_INIT("a=%C3%A9%F0%9F%98+x"), GH_FORM_UTF8, 8}, /* cut short */
        {GH_STR_INIT("b=1&%C3=x"), GH_FORM_UTF8, 4},
        /* Python before 3.9, Perl and WebOb split there, Go fails */
        {GH_STR_INIT("a=1;b=2"), GH_FORM_SEPARATOR, 3},
        {GH_STR_INIT(";"), GH_FORM_SEPARATOR, 0},
        {GH_STR_INIT("z=1&a;b"), GH_FORM_SEPARATOR, 5},
        /* PHP drops them, URLSearchParams keeps them, Node once made fields of empty pieces */
        {GH_STR_INIT("=1"), GH_FORM_NO_NAME, 0},
        {GH_STR_INIT("="), GH_FORM_NO_NAME, 0},
        {GH_STR_INIT("&"), GH_FORM_NO_NAME, 0},
        {GH_STR_INIT("a=1&"), GH_FORM_NO_NAME, 4},
        {GH_STR_INIT("a=1&&b=2"), GH_FORM_NO_NAME, 4},
        {GH_STR_INIT("&a=1"), GH_FORM_NO_NAME, 0},
        /* no serialiser writes them; trimmed, kept or taken for an end of the text */
        {GH_STR_INIT("a=1 "), GH_FORM_BYTE, 3},
        {GH_STR_INIT(" a=1"), GH_FORM_BYTE, 0},
        {GH_STR_INIT("a=1\r\n"), GH_FORM_BYTE, 3},
        {GH_STR_INIT("a=1\n&b=2"), GH_FORM_BYTE, 3},
        {GH_STR_INIT("a=\t"), GH_FORM_BYTE, 2},
        {GH_STR_INIT("a=\x7f"), GH_FORM_BYTE, 2},
        {GH_STR_INIT("a=\xc3\xa9"), GH_FORM_BYTE, 2},
        {GH_STR_INIT("\xef\xbb\xbf"
                     "a=1"),
         GH_FORM_BYTE, 0},
        /* RFC 7578 section 4.6 and HTML: tells some readers another character set */
        {GH_STR_INIT("_charset_=utf-7"), GH_FORM_CHARSET, 0},
        {GH_STR_INIT("a=1&_Char%73et_=UTF-8"), GH_FORM_CHARSET, 4},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_int_equal(parse(f, CASES[i].text), CASES[i].status);
        assert_int_equal(f->offset, CASES[i].offset);
        assert_true(gh_form_status_text(CASES[i].status).len > 0);
    }
}

static void refuses_more_than_its_limits(void **state)
{
    struct fixture *f = *state;
    const struct gh_form_limits limits = {.bytes_max = 12, .fields_max = 2, .name_bytes_max = 3};
    static const struct bad CASES[] = {
        {GH_STR_INIT("abc=1&abc=12"), GH_FORM_OK, 0},
        {GH_STR_INIT("abc=1&abc=123"), GH_FORM_TOO_LONG, 12},
        {GH_STR_INIT("a&b&c"), GH_FORM_TOO_MANY, 4},
        {GH_STR_INIT("&&&&&"), GH_FORM_TOO_MANY, 2},
        {GH_STR_INIT("a&abcd"), GH_FORM_NAME_TOO_LONG, 2},
        {GH_STR_INIT("%61%62%63=1"), GH_FORM_OK, 0}, /* counted decoded */
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        f->offset = 0;
        assert_int_equal(gh_form_parse(&f->arena, CASES[i].text, &limits, &f->form, &f->offset),
                         CASES[i].status);
        assert_int_equal(f->offset, CASES[i].offset);
    }
}

static void says_so_when_memory_ends(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 600; cap += 8) {
        struct gh_arena small;
        struct gh_form form = {0};
        gh_arena_init(&small, 1, cap);
        enum gh_form_status status =
            gh_form_parse(&small, GH_STR("a%20b=c+d&e=%41"), &gh_form_small, &form, NULL);
        assert_true(status == GH_FORM_OK || status == GH_FORM_NO_MEMORY);
        assert_int_equal(form.count, status == GH_FORM_OK ? 2 : 0);
        assert_true(status == GH_FORM_NO_MEMORY || cap > 2 * sizeof(struct gh_form_field));
        gh_arena_done(&small);
    }
}

static void a_plus_is_a_space_where_it_is_asked_for(void **state)
{
    struct fixture *f = *state;
    struct gh_str text, raw = GH_STR("a+b%2B");
    assert_int_equal(gh_form_decode(&f->arena, raw, GH_FORM_PLUS_IS_PLUS, &text, NULL), GH_FORM_OK);
    assert_text(text, "a+b+");
    assert_int_equal(gh_form_decode(&f->arena, raw, GH_FORM_PLUS_IS_SPACE, &text, NULL),
                     GH_FORM_OK);
    assert_text(text, "a b+");
    raw = GH_STR("a+;&=");
    assert_int_equal(gh_form_decode(&f->arena, raw, GH_FORM_PLUS_IS_PLUS, &text, NULL), GH_FORM_OK);
    assert_ptr_equal(text.ptr, raw.ptr);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        TEST(reads_fields_in_their_order), TEST(keeps_the_value_as_it_was_written),
        TEST(refuses_what_others_repair),  TEST(refuses_more_than_its_limits),
        TEST(says_so_when_memory_ends),    TEST(a_plus_is_a_space_where_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
