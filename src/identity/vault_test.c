#include "identity/vault.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"

#define NOW_US  1800000000000000ull
#define FIELD   "accounts.email"
#define ROW     GH_STR("0b6a1c9e-2f4d-4a7e-9c1b-5d8e3f2a1b0c")
#define ROW2    GH_STR("1b6a1c9e-2f4d-4a7e-9c1b-5d8e3f2a1b0c")
#define OLD     GH_STR_INIT("the old root secret of the tests")
#define NEW     GH_STR_INIT("the new root secret of the tests")
#define STRANGE GH_STR_INIT("a root secret of somebody else")

struct toys {
    struct gh_arena arena;
    struct gh_store *store;
};

static int setup(void **state)
{
    static struct toys toys;
    gh_crypto_init();
    gh_arena_init(&toys.arena, 16384, 16 << 20);
    toys.store = gh_fixture_store_open();
    *state = &toys;
    return toys.store ? 0 : -1;
}

static int teardown(void **state)
{
    struct toys *toys = *state;
    toys->store->ops->close(toys->store);
    gh_arena_done(&toys->arena);
    return 0;
}

static enum gh_err try_open(struct toys *toys, const struct gh_str *roots, size_t count,
                            struct gh_vault **out_vault, struct gh_str *out_message)
{
    return gh_vault_open(toys->store, roots, count, &gh_kernel_random, NOW_US, &toys->arena,
                         out_vault, out_message);
}

static struct gh_vault *open_vault(struct toys *toys, const struct gh_str *roots, size_t count)
{
    struct gh_vault *vault = NULL;
    struct gh_str message;
    assert_int_equal(try_open(toys, roots, count, &vault, &message), GH_OK);
    return vault;
}

static const struct gh_str OLD_ROOT[] = {OLD}, NEW_ROOT[] = {NEW}, BOTH_ROOTS[] = {NEW, OLD};

static struct gh_str seal(struct toys *toys, const struct gh_vault *vault, const char *text)
{
    struct gh_str sealed = gh_vault_seal(vault, &toys->arena, FIELD, ROW, gh_str_from_c(text));
    assert_non_null(sealed.ptr);
    return sealed;
}

static struct gh_str unseal(struct toys *toys, const struct gh_vault *vault, struct gh_str sealed)
{
    return gh_vault_open_field(vault, &toys->arena, FIELD, ROW, sealed);
}

struct keys {
    struct gh_key_row *rows;
    size_t count;
};

static enum gh_err read_keys(struct gh_tx *tx, void *args)
{
    struct keys *keys = args;
    return tx->ops->keys_all(tx, &keys->rows, &keys->count);
}

static struct keys all_keys(struct toys *toys)
{
    struct keys keys = {NULL, 0};
    assert_int_equal(toys->store->ops->read(toys->store, read_keys, &keys, &toys->arena), GH_OK);
    return keys;
}

/* ---- Fields ---- */

static void opens_what_it_sealed(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    struct gh_str sealed = seal(toys, vault, "alice@example.com");
    assert_true(gh_str_find(sealed, GH_STR("alice")) == sealed.len);
    assert_true(gh_str_eq(unseal(toys, vault, sealed), GH_STR("alice@example.com")));
    gh_vault_close(vault);
}

static void seals_one_text_differently_each_time(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    assert_false(gh_str_eq(seal(toys, vault, "same"), seal(toys, vault, "same")));
    gh_vault_close(vault);
}

static void seals_an_empty_text_to_an_empty_one(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    struct gh_str sealed = seal(toys, vault, "");
    assert_int_equal(sealed.len, 0);
    struct gh_str opened = unseal(toys, vault, sealed);
    assert_non_null(opened.ptr);
    assert_int_equal(opened.len, 0);
    gh_vault_close(vault);
}

static void refuses_a_field_moved_to_another_row_or_column(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    struct gh_str sealed = seal(toys, vault, "alice@example.com");
    assert_null(gh_vault_open_field(vault, &toys->arena, FIELD, ROW2, sealed).ptr);
    assert_null(gh_vault_open_field(vault, &toys->arena, FIELD, GH_STR(""), sealed).ptr);
    assert_null(gh_vault_open_field(vault, &toys->arena, "accounts.name", ROW, sealed).ptr);
    assert_null(gh_vault_open_field(vault, &toys->arena, "accounts.emai", ROW, sealed).ptr);
    gh_vault_close(vault);
}

static void refuses_every_changed_byte_and_every_cut(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    struct gh_str sealed = seal(toys, vault, "alice@example.com");
    for (size_t i = 0; i < sealed.len; i++) {
        struct gh_str copy = gh_arena_dup(&toys->arena, sealed);
        ((char *)copy.ptr)[i] ^= 1;
        assert_null(unseal(toys, vault, copy).ptr);
        if (i)
            assert_null(unseal(toys, vault, gh_str_first(sealed, i)).ptr);
    }
    gh_vault_close(vault);
}

/* ---- Keyed hashes ---- */

static void hashes_by_use_and_value(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    uint8_t a[GH_SHA256_BYTES], b[GH_SHA256_BYTES], c[GH_SHA256_BYTES], again[GH_SHA256_BYTES];
    gh_vault_index(vault, "ticket", GH_STR("value"), a);
    gh_vault_index(vault, "throttle", GH_STR("value"), b);
    gh_vault_index(vault, "ticket", GH_STR("valuf"), c);
    gh_vault_index(vault, "ticket", GH_STR("value"), again);
    assert_memory_equal(a, again, sizeof(a));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a, c, sizeof(a));
    gh_vault_close(vault);
}

/* ---- Keys over restarts and roots ---- */

static void reads_and_finds_again_after_a_restart(void **state)
{
    struct toys *toys = *state;
    uint8_t before[GH_SHA256_BYTES], after[GH_SHA256_BYTES];
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    struct gh_str sealed = seal(toys, vault, "alice@example.com");
    gh_vault_index(vault, FIELD, GH_STR("alice@example.com"), before);
    gh_vault_close(vault);
    size_t keys = all_keys(toys).count;
    vault = open_vault(toys, OLD_ROOT, 1);
    gh_vault_index(vault, FIELD, GH_STR("alice@example.com"), after);
    assert_true(gh_str_eq(unseal(toys, vault, sealed), GH_STR("alice@example.com")));
    assert_memory_equal(before, after, sizeof(before));
    assert_int_equal(all_keys(toys).count, keys);
    gh_vault_close(vault);
}

static void refuses_a_wrong_root_and_makes_no_keys_then(void **state)
{
    struct toys *toys = *state;
    static const struct gh_str WRONG[] = {STRANGE};
    gh_vault_close(open_vault(toys, OLD_ROOT, 1));
    size_t keys = all_keys(toys).count;
    struct gh_vault *vault = NULL;
    struct gh_str message = {NULL, 0};
    assert_int_equal(try_open(toys, WRONG, 1, &vault, &message), GH_ERR_INVALID);
    assert_null(vault);
    assert_true(gh_str_find(message, GH_STR("root secret")) < message.len);
    assert_int_equal(all_keys(toys).count, keys);
}

static void rewraps_under_a_new_root_while_the_old_one_is_named(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    struct gh_str sealed = seal(toys, vault, "alice@example.com");
    gh_vault_close(vault);
    gh_vault_close(open_vault(toys, BOTH_ROOTS, 2));
    vault = open_vault(toys, NEW_ROOT, 1); /* the old one is not needed any more */
    assert_true(gh_str_eq(unseal(toys, vault, sealed), GH_STR("alice@example.com")));
    gh_vault_close(vault);
    struct gh_str message;
    assert_int_equal(try_open(toys, OLD_ROOT, 1, &vault, &message), GH_ERR_INVALID);
}

static enum gh_err put_cookie_key(struct gh_tx *tx, void *args)
{
    struct gh_key_row row = {
        .purpose = GH_KEY_COOKIE, .wrapped = *(struct gh_str *)args, .created_us = NOW_US};
    return tx->ops->key_insert(tx, &row, &row.id);
}

static void rewraps_the_keys_of_tokens_too(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    const char *use = gh_vault_key_use(GH_KEY_COOKIE);
    struct gh_str wrapped = gh_vault_wrap(vault, &toys->arena, use, GH_STR("secret of cookies"));
    assert_int_equal(toys->store->ops->run(toys->store, put_cookie_key, &wrapped, &toys->arena),
                     GH_OK);
    gh_vault_close(vault);
    gh_vault_close(open_vault(toys, BOTH_ROOTS, 2));
    vault = open_vault(toys, NEW_ROOT, 1);
    struct keys keys = all_keys(toys);
    for (size_t i = 0; i < keys.count; i++)
        if (keys.rows[i].purpose == GH_KEY_COOKIE)
            assert_true(gh_str_eq(gh_vault_unwrap(vault, &toys->arena, use, keys.rows[i].wrapped),
                                  GH_STR("secret of cookies")));
    gh_vault_close(vault);
}

static void refuses_a_wrapped_key_of_another_use(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = open_vault(toys, OLD_ROOT, 1);
    struct gh_str wrapped = gh_vault_wrap(vault, &toys->arena, gh_vault_key_use(GH_KEY_COOKIE),
                                          GH_STR("secret of cookies"));
    assert_null(
        gh_vault_unwrap(vault, &toys->arena, gh_vault_key_use(GH_KEY_SIGNING), wrapped).ptr);
    gh_vault_close(vault);
}

static void tells_a_store_that_fails_from_a_wrong_root(void **state)
{
    struct toys *toys = *state;
    struct gh_vault *vault = NULL;
    struct gh_str message;
    gh_fixture_store_fail(toys->store, 1, GH_ERR_IO);
    assert_int_equal(try_open(toys, OLD_ROOT, 1, &vault, &message), GH_ERR_IO);
    assert_null(vault);
    gh_vault_close(open_vault(toys, OLD_ROOT, 1));
}

static void needs_no_write_when_nothing_is_missing(void **state)
{
    struct toys *toys = *state;
    gh_vault_close(open_vault(toys, OLD_ROOT, 1));
    gh_fixture_store_fail(toys->store, 1, GH_ERR_IO);
    gh_vault_close(open_vault(toys, OLD_ROOT, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(opens_what_it_sealed),
        TEST(seals_one_text_differently_each_time),
        TEST(seals_an_empty_text_to_an_empty_one),
        TEST(refuses_a_field_moved_to_another_row_or_column),
        TEST(refuses_every_changed_byte_and_every_cut),
        TEST(hashes_by_use_and_value),
        TEST(reads_and_finds_again_after_a_restart),
        TEST(refuses_a_wrong_root_and_makes_no_keys_then),
        TEST(rewraps_under_a_new_root_while_the_old_one_is_named),
        TEST(rewraps_the_keys_of_tokens_too),
        TEST(refuses_a_wrapped_key_of_another_use),
        TEST(tells_a_store_that_fails_from_a_wrong_root),
        TEST(needs_no_write_when_nothing_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
