#include "crypto/hash.h"

#include "base/buf.h"
#include "crypto/random.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void assert_hex(const uint8_t *bytes, size_t count, const char *expected)
{
    char memory[256];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_hex_bytes(&buf, bytes, count);
    gh_buf_put_char(&buf, '\0');
    assert_string_equal(memory, expected);
}

static void sha256_gives_the_values_of_fips_180(void **state)
{
    uint8_t out[GH_SHA256_BYTES];
    gh_sha256(GH_STR("abc"), out);
    assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    gh_sha256(GH_STR(""), out);
    assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    gh_sha256((struct gh_str){NULL, 0}, out);
    assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231 sections 4.2, 4.3 and 4.7. */
static void hmac_gives_the_values_of_rfc_4231(void **state)
{
    uint8_t out[GH_SHA256_BYTES];
    char key[131];
    memset(key, 0x0b, 20);
    gh_hmac_sha256(gh_str_of(key, 20), GH_STR("Hi There"), out);
    assert_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    gh_hmac_sha256(GH_STR("Jefe"), GH_STR("what do ya want for nothing?"), out);
    assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    gh_hmac_sha256(gh_str_of(key, sizeof(key)),
                   GH_STR("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void an_empty_key_is_not_the_key_before(void **state)
{
    uint8_t out[GH_SHA256_BYTES];
    gh_hmac_sha256(GH_STR("another key"), GH_STR(""), out);
    gh_hmac_sha256((struct gh_str){NULL, 0}, (struct gh_str){NULL, 0}, out);
    assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* RFC 5869 appendix A.3 (no salt, no info) cut to its first block. */
static void roots_are_derived_as_in_rfc_5869(void **state)
{
    char secret[22];
    uint8_t out[GH_KEY_BYTES];
    memset(secret, 0x0b, sizeof(secret));
    gh_derive_root(gh_str_of(secret, sizeof(secret)), GH_STR(""), out);
    assert_hex(out, 32, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

/* RFC 5869 appendix A.1: the step from PRK to the first block of OKM. */
static void keys_are_derived_as_in_rfc_5869(void **state)
{
    static const uint8_t PRK[GH_KEY_BYTES] = {0x07, 0x77, 0x09, 0x36, 0x2c, 0x2e, 0x32, 0xdf,
                                              0x0d, 0xdc, 0x3f, 0x0d, 0xc4, 0x7b, 0xba, 0x63,
                                              0x90, 0xb6, 0xc7, 0x3b, 0xb5, 0x0f, 0x9c, 0x31,
                                              0x22, 0xec, 0x84, 0x4a, 0xd7, 0xc2, 0xb3, 0xe5};
    uint8_t out[GH_KEY_BYTES];
    gh_derive_key(PRK, GH_STR("\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9"), out);
    assert_hex(out, 32, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
}

static void labels_give_different_keys(void **state)
{
    uint8_t key[GH_KEY_BYTES] = {1}, a[GH_KEY_BYTES], b[GH_KEY_BYTES];
    gh_derive_key(key, GH_STR("cookies"), a);
    gh_derive_key(key, GH_STR("cookie"), b);
    assert_memory_not_equal(a, b, GH_KEY_BYTES);
    gh_derive_root(GH_STR("root"), GH_STR("x"), a);
    gh_derive_root(GH_STR("rooT"), GH_STR("x"), b);
    assert_memory_not_equal(a, b, GH_KEY_BYTES);
}

static void secrets_are_equal_only_as_a_whole(void **state)
{
    assert_true(gh_secret_eq(GH_STR("secret"), GH_STR("secret")));
    assert_true(gh_secret_eq(GH_STR(""), (struct gh_str){NULL, 0}));
    assert_true(gh_secret_eq(GH_STR("a\0b"), GH_STR("a\0b")));
    assert_false(gh_secret_eq(GH_STR("a\0b"), GH_STR("a\0c")));
    assert_false(gh_secret_eq(GH_STR("secret"), GH_STR("secreT")));
    assert_false(gh_secret_eq(GH_STR("secret"), GH_STR("secre")));
    assert_false(gh_secret_eq(GH_STR(""), GH_STR("s")));
}

static void wiping_leaves_zeros(void **state)
{
    char text[] = "secret";
    gh_wipe(text, 6);
    assert_memory_equal(text, "\0\0\0\0\0\0", 6);
    gh_wipe(NULL, 0);
}

static void randomness_fills_all_of_it_and_differs(void **state)
{
    uint8_t first[1000] = {0}, second[1000] = {0};
    gh_random_bytes(first, sizeof(first));
    gh_random_fill(&gh_kernel_random, second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    unsigned zeros = 0; /* 1000/256 are likely, 32 are as good as impossible */
    for (size_t i = 0; i < sizeof(first); i++)
        zeros += first[i] == 0;
    assert_true(zeros < 32);
    gh_random_bytes(NULL, 0);
}

static void sha1_is_that_of_fips_180(void **state)
{
    static const uint8_t ABC[GH_SHA1_BYTES] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
                                               0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
                                               0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    uint8_t out[GH_SHA1_BYTES];
    (void)state;
    gh_sha1(GH_STR("abc"), out);
    assert_memory_equal(out, ABC, sizeof(ABC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha1_is_that_of_fips_180),
        cmocka_unit_test(sha256_gives_the_values_of_fips_180),
        cmocka_unit_test(hmac_gives_the_values_of_rfc_4231),
        cmocka_unit_test(an_empty_key_is_not_the_key_before),
        cmocka_unit_test(roots_are_derived_as_in_rfc_5869),
        cmocka_unit_test(keys_are_derived_as_in_rfc_5869),
        cmocka_unit_test(labels_give_different_keys),
        cmocka_unit_test(secrets_are_equal_only_as_a_whole),
        cmocka_unit_test(wiping_leaves_zeros),
        cmocka_unit_test(randomness_fills_all_of_it_and_differs),
    };
    gh_crypto_init();
    gh_crypto_init(); /* a second time does nothing */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
