#include "identity/refresh_token.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/base64.h"

static const uint8_t SECRET[GH_KEY_BYTES] = {1, 2, 3};
static const uint8_t OTHER[GH_KEY_BYTES] = {1, 2, 4};

struct toys {
    struct gh_arena arena;
    struct gh_id family;
};

static int setup(void **state)
{
    static struct toys toys;
    static const uint8_t RANDOM[16] = {0xde, 0xad, 0xbe, 0xef, 5, 6, 7, 8, 9, 10, 11, 12};
    gh_crypto_init();
    gh_arena_init(&toys.arena, 4096, 1 << 20);
    toys.family = gh_id_make(RANDOM);
    *state = &toys;
    return 0;
}

static int teardown(void **state)
{
    gh_arena_done(&((struct toys *)*state)->arena);
    return 0;
}

static struct gh_str make(struct toys *toys, uint64_t counter)
{
    struct gh_str token = gh_refresh_token_make(&toys->arena, &toys->family, SECRET, counter);
    assert_int_equal(token.len, GH_REFRESH_TOKEN_LEN);
    return token;
}

static void reads_what_it_wrote(void **state)
{
    struct toys *toys = *state;
    static const uint64_t COUNTERS[] = {0, 1, 255, 256, UINT64_MAX};
    for (size_t i = 0; i < sizeof(COUNTERS) / sizeof(COUNTERS[0]); i++) {
        struct gh_refresh_token token;
        assert_true(gh_refresh_token_parse(make(toys, COUNTERS[i]), &token));
        assert_string_equal(token.family.text, toys->family.text);
        assert_true(token.counter == COUNTERS[i]);
        assert_true(gh_refresh_token_is_of(&token, SECRET));
    }
}

static void gives_the_same_token_for_the_same_counter(void **state)
{
    assert_true(gh_str_eq(make(*state, 7), make(*state, 7)));
    assert_false(gh_str_eq(make(*state, 7), make(*state, 8)));
}

static void refuses_the_secret_of_another_family(void **state)
{
    struct gh_refresh_token token;
    assert_true(gh_refresh_token_parse(make(*state, 3), &token));
    assert_false(gh_refresh_token_is_of(&token, OTHER));
}

static void refuses_a_counter_that_was_moved(void **state)
{
    struct gh_refresh_token token;
    assert_true(gh_refresh_token_parse(make(*state, 3), &token));
    token.counter++;
    assert_false(gh_refresh_token_is_of(&token, SECRET));
}

static void refuses_every_other_length(void **state)
{
    struct toys *toys = *state;
    struct gh_refresh_token token;
    struct gh_str text = make(toys, 3);
    for (size_t len = 0; len < text.len; len++)
        assert_false(gh_refresh_token_parse(gh_str_first(text, len), &token));
    struct gh_str longer = gh_arena_format(&toys->arena, "%.*sA", GH_STR_ARG(text));
    assert_false(gh_refresh_token_parse(longer, &token));
    assert_false(gh_refresh_token_parse(GH_STR(""), &token));
}

static void refuses_every_changed_character(void **state)
{
    struct toys *toys = *state;
    char text[GH_REFRESH_TOKEN_LEN];
    struct gh_str good = make(toys, 3);
    for (size_t i = 0; i < good.len; i++) {
        struct gh_refresh_token token;
        memcpy(text, good.ptr, good.len);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        bool parsed = gh_refresh_token_parse(gh_str_of(text, sizeof(text)), &token);
        bool same_family = parsed && strcmp(token.family.text, toys->family.text) == 0;
        assert_false(same_family && gh_refresh_token_is_of(&token, SECRET));
        text[i] = '=';
        assert_false(gh_refresh_token_parse(gh_str_of(text, sizeof(text)), &token));
    }
}

static void refuses_a_second_text_for_one_family(void **state)
{
    struct toys *toys = *state;
    uint8_t bytes[GH_REFRESH_TOKEN_BYTES];
    char text[GH_REFRESH_TOKEN_LEN];
    size_t len;
    assert_true(gh_base64url_decode(make(toys, 3), bytes, sizeof(bytes), &len));
    bytes[6] ^= 0x10; /* a bit of the version, which making an id would set back */
    struct gh_buf buf = gh_buf_over(text, sizeof(text));
    gh_base64url_put(&buf, bytes, sizeof(bytes));
    struct gh_refresh_token token;
    assert_false(gh_refresh_token_parse(gh_buf_str(&buf), &token));
}

static void says_so_when_the_arena_is_full(void **state)
{
    struct toys *toys = *state;
    struct gh_arena full;
    gh_arena_init(&full, 16, 16);
    assert_null(gh_refresh_token_make(&full, &toys->family, SECRET, 1).ptr);
    gh_arena_done(&full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(gives_the_same_token_for_the_same_counter),
        cmocka_unit_test(refuses_the_secret_of_another_family),
        cmocka_unit_test(refuses_a_counter_that_was_moved),
        cmocka_unit_test(refuses_every_other_length),
        cmocka_unit_test(refuses_every_changed_character),
        cmocka_unit_test(refuses_a_second_text_for_one_family),
        cmocka_unit_test(says_so_when_the_arena_is_full),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
