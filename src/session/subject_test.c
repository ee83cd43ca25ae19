#include "session/subject.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct gh_str NAMES[] = {GH_STR_INIT("user"), GH_STR_INIT("admin"),
                                      GH_STR_INIT("editor")};
static const struct gh_role_names ROLES = {NAMES, 3};

static void makes_ids_of_version_4(void **state)
{
    uint8_t random[16];
    memset(random, 0xff, sizeof(random));
    struct gh_id id = gh_id_make(random), again;
    assert_string_equal(id.text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_true(gh_id_parse(gh_id_str(&id), &again));
    assert_string_equal(again.text, id.text);
    memset(random, 0, sizeof(random));
    id = gh_id_make(random);
    assert_string_equal(id.text, "00000000-0000-4000-8000-000000000000");
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i * 17);
    id = gh_id_make(random);
    assert_string_equal(id.text, "00112233-4455-4677-8899-aabbccddeeff");
}

static void refuses_other_forms_of_ids(void **state)
{
    static const char *const bad[] = {
        "",
        "00112233-4455-4677-8899-aabbccddeef",
        "00112233-4455-4677-8899-aabbccddeefff",
        "00112233-4455-4677-8899-AABBCCDDEEFF",
        "00112233-4455-1677-8899-aabbccddeeff",
        "00112233-4455-4677-7899-aabbccddeeff",
        "00112233-4455-4677-c899-aabbccddeeff",
        "0011223344554677-8899-aabbccddeeff00",
        "00112233_4455-4677-8899-aabbccddeeff",
        "{0112233-4455-4677-8899-aabbccddeef}",
        "g0112233-4455-4677-8899-aabbccddeeff",
        " 0112233-4455-4677-8899-aabbccddeeff",
    };
    struct gh_id id = {.text = "untouched"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(gh_id_parse(gh_str_from_c(bad[i]), &id));
    assert_false(gh_id_parse(GH_STR("00112233-4455-4677-8899-aabbccddeef\0"), &id));
    assert_string_equal(id.text, "untouched");
}

static void roles_are_bits_by_their_place(void **state)
{
    assert_int_equal(gh_role_bit(&ROLES, GH_STR("user")), 1);
    assert_int_equal(gh_role_bit(&ROLES, GH_STR("editor")), 4);
    assert_int_equal(gh_role_bit(&ROLES, GH_STR("Admin")), 0);
    assert_int_equal(gh_role_bit(&ROLES, GH_STR("adm")), 0);
    assert_int_equal(gh_role_bit(&ROLES, GH_STR("")), 0);
    assert_int_equal(gh_role_bit(&(struct gh_role_names){0}, GH_STR("user")), 0);
}

static void sixty_four_roles_have_a_bit_each(void **state)
{
    char text[GH_ROLES_MAX][3];
    struct gh_str names[GH_ROLES_MAX];
    gh_roles all = 0;
    for (size_t i = 0; i < GH_ROLES_MAX; i++) {
        text[i][0] = (char)('a' + i / 26);
        text[i][1] = (char)('a' + i % 26);
        names[i] = gh_str_of(text[i], 2);
    }
    struct gh_role_names roles = {names, GH_ROLES_MAX};
    for (size_t i = 0; i < GH_ROLES_MAX; i++)
        all |= gh_role_bit(&roles, names[i]);
    assert_true(all == UINT64_MAX);
}

static void writes_roles_in_their_order(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 256, 4096);
    assert_true(gh_str_eq(gh_roles_text(&arena, &ROLES, 5), GH_STR("user,editor")));
    assert_true(gh_str_eq(gh_roles_text(&arena, &ROLES, 2), GH_STR("admin")));
    struct gh_str none = gh_roles_text(&arena, &ROLES, 0);
    assert_non_null(none.ptr);
    assert_int_equal(none.len, 0);
    /* A role that was taken out of the configuration. */
    assert_true(gh_str_eq(gh_roles_text(&arena, &ROLES, 9), GH_STR("user")));
    gh_arena_done(&arena);
    gh_arena_init(&arena, 8, 8);
    assert_null(gh_roles_text(&arena, &ROLES, 7).ptr);
    gh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_ids_of_version_4),
        cmocka_unit_test(refuses_other_forms_of_ids),
        cmocka_unit_test(roles_are_bits_by_their_place),
        cmocka_unit_test(sixty_four_roles_have_a_bit_each),
        cmocka_unit_test(writes_roles_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
