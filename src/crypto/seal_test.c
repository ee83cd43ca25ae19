#include "crypto/seal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const uint8_t KEY[GH_KEY_BYTES] = {1, 2, 3};
static const uint8_t OTHER_KEY[GH_KEY_BYTES] = {1, 2, 4};
static const struct gh_str PLACE = GH_STR_INIT("user.totp_secret:7");

static int open_arena(void **state)
{
    static struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    *state = &arena;
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(*state);
    return 0;
}

static struct gh_str seal(struct gh_arena *arena, struct gh_str plain)
{
    struct gh_str sealed = gh_seal(arena, &gh_kernel_random, KEY, PLACE, plain);
    assert_non_null(sealed.ptr);
    assert_int_equal(sealed.len, plain.len + GH_SEAL_OVERHEAD);
    return sealed;
}

static void what_was_sealed_opens_again(void **state)
{
    struct gh_str plain = gh_unseal(*state, KEY, PLACE, seal(*state, GH_STR("a\0secret")));
    assert_true(gh_str_eq(plain, GH_STR("a\0secret")));
}

static void an_empty_text_is_not_a_failure(void **state)
{
    struct gh_str plain = gh_unseal(*state, KEY, PLACE, seal(*state, GH_STR("")));
    assert_non_null(plain.ptr);
    assert_int_equal(plain.len, 0);
}

static void the_same_text_is_sealed_differently_each_time(void **state)
{
    assert_false(gh_str_eq(seal(*state, GH_STR("x")), seal(*state, GH_STR("x"))));
}

static void fill_with_counter(void *context, void *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)out)[i] = (uint8_t)(0x40 + i);
}

/* draft-irtf-cfrg-xchacha-03 appendix A.3.1 */
static void gives_the_values_of_the_draft(void **state)
{
    static const struct gh_random counter = {.fill = fill_with_counter};
    uint8_t key[GH_KEY_BYTES];
    for (unsigned i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)(0x80 + i);
    struct gh_str sealed = gh_seal(
        *state, &counter, key, GH_STR("\x50\x51\x52\x53\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7"),
        GH_STR("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for "
               "the future, sunscreen would be it."));
    assert_int_equal(sealed.len, 114 + GH_SEAL_OVERHEAD);
    assert_memory_equal(sealed.ptr + 24, "\xbd\x6d\x17\x9d\x3e\x83\xd4\x3b", 8);
    assert_memory_equal(sealed.ptr + 24 + 114,
                        "\xc0\x87\x59\x24\xc1\xc7\x98\x79\x47\xde\xaf\xd8\x78\x0a\xcf\x49", 16);
}

static void refuses_every_changed_bit_and_every_cut(void **state)
{
    struct gh_str sealed = seal(*state, GH_STR("secret"));
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        struct gh_str copy = gh_arena_dup(*state, sealed);
        ((char *)copy.ptr)[bit / 8] ^= (char)(1 << bit % 8);
        assert_null(gh_unseal(*state, KEY, PLACE, copy).ptr);
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_null(gh_unseal(*state, KEY, PLACE, gh_str_first(sealed, len)).ptr);
    assert_null(gh_unseal(*state, KEY, PLACE, gh_str_skip(sealed, 1)).ptr);
}

static void refuses_another_key_and_another_place(void **state)
{
    struct gh_str sealed = seal(*state, GH_STR("secret"));
    assert_null(gh_unseal(*state, OTHER_KEY, PLACE, sealed).ptr);
    assert_null(gh_unseal(*state, KEY, GH_STR("user.totp_secret:8"), sealed).ptr);
    assert_null(gh_unseal(*state, KEY, GH_STR("user.totp_secret:"), sealed).ptr);
    assert_null(gh_unseal(*state, KEY, GH_STR(""), sealed).ptr);
}

static void a_full_arena_gives_nothing(void **state)
{
    struct gh_arena small;
    struct gh_str sealed = seal(*state, GH_STR("secret"));
    gh_arena_init(&small, 16, 16);
    assert_null(gh_seal(&small, &gh_kernel_random, KEY, PLACE, GH_STR("secret")).ptr);
    gh_arena_done(&small);
    gh_arena_init(&small, 1, 1);
    assert_null(gh_unseal(&small, KEY, PLACE, sealed).ptr);
    gh_arena_done(&small);
    struct gh_str endless = {"", SIZE_MAX - 10};
    assert_null(gh_seal(*state, &gh_kernel_random, KEY, PLACE, endless).ptr);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_sealed_opens_again),
        TEST(an_empty_text_is_not_a_failure),
        TEST(the_same_text_is_sealed_differently_each_time),
        TEST(gives_the_values_of_the_draft),
        TEST(refuses_every_changed_bit_and_every_cut),
        TEST(refuses_another_key_and_another_place),
        TEST(a_full_arena_gives_nothing),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
