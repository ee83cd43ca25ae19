#include "http/field.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>

static const struct gh_str ALL_NAMES[] = {
#define X(id, name) GH_STR_INIT(name),
    GH_FIELD_NAMES(X)
#undef X
};
#define ALL_COUNT (sizeof(ALL_NAMES) / sizeof(ALL_NAMES[0]))

static void finds_every_known_name_in_any_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_COUNT; i++) {
        char lower[64], upper[64], mixed[64];
        struct gh_str name = ALL_NAMES[i];
        assert_true(name.len < sizeof(lower));
        for (size_t k = 0; k < name.len; k++) {
            lower[k] = name.ptr[k];
            upper[k] = (char)toupper(name.ptr[k]);
            mixed[k] = k % 2 ? lower[k] : upper[k];
        }
        assert_int_equal(gh_field_id_of(gh_str_of(lower, name.len)), i + 1);
        assert_int_equal(gh_field_id_of(gh_str_of(upper, name.len)), i + 1);
        assert_int_equal(gh_field_id_of(gh_str_of(mixed, name.len)), i + 1);
        assert_true(gh_str_eq(gh_field_name((enum gh_field_id)(i + 1)), name));
    }
}

static void lists_known_names_sorted_and_once(void **state)
{
    (void)state;
    for (size_t i = 1; i < ALL_COUNT; i++)
        assert_true(gh_str_compare(ALL_NAMES[i - 1], ALL_NAMES[i]) < 0);
}

/* Whatever single byte is changed, longer or shorter: no longer the known name, except by case. */
static void finds_nothing_but_known_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_COUNT; i++) {
        char text[64];
        struct gh_str name = ALL_NAMES[i];
        memcpy(text, name.ptr, name.len);
        text[name.len] = 's';
        assert_int_equal(gh_field_id_of(gh_str_of(text, name.len + 1)), GH_FIELD_OTHER);
        assert_int_not_equal(gh_field_id_of(gh_str_of(text, name.len - 1)), i + 1);
        for (size_t k = 0; k < name.len; k++) {
            for (int c = 0; c < 256; c++) {
                bool same = tolower(c) == name.ptr[k] && c < 128;
                text[k] = (char)c;
                bool found = gh_field_id_of(gh_str_of(text, name.len)) == (enum gh_field_id)(i + 1);
                assert_int_equal(found, same);
            }
            text[k] = name.ptr[k];
        }
    }
}

static void knows_no_empty_or_very_long_name(void **state)
{
    (void)state;
    char text[600];
    memset(text, 'a', sizeof(text));
    assert_int_equal(gh_field_id_of(GH_STR("")), GH_FIELD_OTHER);
    for (size_t len = 0; len < sizeof(text); len++)
        assert_int_equal(gh_field_id_of(gh_str_of(text, len)), GH_FIELD_OTHER);
    assert_int_equal(gh_field_name(GH_FIELD_OTHER).len, 0);
}

static void keeps_lines_in_order_and_finds_them_by_id(void **state)
{
    (void)state;
    struct gh_field items[4];
    struct gh_fields fields;
    gh_fields_init(&fields, items, 4);
    assert_true(gh_fields_add(&fields, GH_STR("X-A"), GH_STR("1")));
    assert_true(gh_fields_add(&fields, GH_STR("Cookie"), GH_STR("a")));
    assert_true(gh_fields_add(&fields, GH_STR("HOST"), GH_STR("h")));
    assert_true(gh_fields_add(&fields, GH_STR("cookie"), GH_STR("b")));
    assert_false(gh_fields_add(&fields, GH_STR("X-B"), GH_STR("2")));
    assert_int_equal(fields.count, 4);

    struct gh_field *cookie = gh_fields_find(&fields, GH_FIELD_COOKIE);
    assert_ptr_equal(cookie, &items[1]);
    cookie = gh_fields_find_next(&fields, cookie);
    assert_ptr_equal(cookie, &items[3]);
    assert_null(gh_fields_find_next(&fields, cookie));
    assert_true(gh_str_eq(gh_fields_value(&fields, GH_FIELD_HOST), GH_STR("h")));
    assert_null(gh_fields_value(&fields, GH_FIELD_ORIGIN).ptr);
}

static void does_not_see_dropped_lines(void **state)
{
    (void)state;
    struct gh_field items[3];
    struct gh_fields fields;
    gh_fields_init(&fields, items, 3);
    gh_fields_add(&fields, GH_STR("Forwarded"), GH_STR("for=a"));
    gh_fields_add(&fields, GH_STR("Forwarded"), GH_STR("for=b"));
    items[0].dropped = true;
    assert_true(gh_str_eq(gh_fields_value(&fields, GH_FIELD_FORWARDED), GH_STR("for=b")));
    gh_fields_drop(&fields, GH_FIELD_FORWARDED);
    assert_true(items[1].dropped);
    assert_null(gh_fields_find(&fields, GH_FIELD_FORWARDED));
    gh_fields_drop(&fields, GH_FIELD_HOST);
}

static void knows_tokens(void **state)
{
    (void)state;
    assert_true(gh_is_token(GH_STR("X-Custom!#$%&'*+-.^_`|~09")));
    assert_false(gh_is_token(GH_STR("")));
    const char *separators = "\"(),/:;<=>?@[\\]{} \t\r\n\x7f";
    for (const char *c = separators; *c; c++)
        assert_false(gh_is_token_char(*c));
    for (int c = 0x80; c < 0x100; c++)
        assert_false(gh_is_token_char((char)c));
    assert_false(gh_is_token_char('\0'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_known_name_in_any_case),
        cmocka_unit_test(lists_known_names_sorted_and_once),
        cmocka_unit_test(finds_nothing_but_known_names),
        cmocka_unit_test(knows_no_empty_or_very_long_name),
        cmocka_unit_test(keeps_lines_in_order_and_finds_them_by_id),
        cmocka_unit_test(does_not_see_dropped_lines),
        cmocka_unit_test(knows_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
