#include "crypto/pkey.h"

#include "base/num.h"
#include "crypto/hash.h"

#include <openssl/err.h>
#include <pthread.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const enum gh_pkey_alg ALGS[] = {GH_PKEY_ED25519, GH_PKEY_ES256, GH_PKEY_RS256};
enum { ALG_COUNT = 3 };

static struct gh_pkey *keys[ALG_COUNT]; /* made once: RSA takes its time */
static struct gh_arena arena;

static int open_all(void **state)
{
    gh_arena_init(&arena, 1 << 14, 1 << 22);
    for (size_t i = 0; i < ALG_COUNT; i++)
        keys[i] = gh_pkey_generate(ALGS[i]);
    return 0;
}

static int close_all(void **state)
{
    for (size_t i = 0; i < ALG_COUNT; i++)
        gh_pkey_unref(keys[i]);
    gh_arena_done(&arena);
    return 0;
}

static struct gh_str unhex(const char *hex)
{
    size_t len = strlen(hex) / 2;
    char *bytes = gh_arena_alloc(&arena, len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(gh_num_hex_digit(hex[2 * i]) << 4 | gh_num_hex_digit(hex[2 * i + 1]));
    return gh_str_of(bytes, len);
}

static struct gh_str sign(const struct gh_pkey *key, struct gh_str data)
{
    uint8_t out[GH_PKEY_SIGNATURE_BYTES_MAX];
    size_t len = 0;
    assert_int_equal(gh_pkey_sign(key, data, out, &len), GH_OK);
    return gh_arena_dup(&arena, gh_str_of((const char *)out, len));
}

static struct gh_pkey *public_half(const struct gh_pkey *key)
{
    struct gh_str x, y;
    assert_int_equal(gh_pkey_public_numbers(key, &arena, &x, &y), GH_OK);
    struct gh_pkey *half = gh_pkey_from_public(gh_pkey_alg(key), x, y);
    assert_non_null(half);
    assert_false(gh_pkey_is_private(half));
    return half;
}

static void what_a_key_signs_its_public_half_verifies(void **state)
{
    static const size_t SIGNATURE_BYTES[] = {64, 64, 256};
    for (size_t i = 0; i < ALG_COUNT; i++) {
        struct gh_pkey *half = public_half(keys[i]);
        struct gh_str signature = sign(keys[i], GH_STR("message"));
        assert_int_equal(signature.len, SIGNATURE_BYTES[i]);
        assert_true(gh_pkey_verify(half, GH_STR("message"), signature));
        assert_true(gh_pkey_verify(keys[i], GH_STR("message"), signature));
        assert_false(gh_pkey_verify(half, GH_STR("messagE"), signature));
        assert_false(gh_pkey_verify(half, GH_STR(""), signature));
        signature = sign(keys[i], (struct gh_str){NULL, 0});
        assert_true(gh_pkey_verify(half, GH_STR(""), signature));
        gh_pkey_unref(half);
    }
}

static void refuses_every_changed_bit_cut_and_longer_signature(void **state)
{
    for (size_t i = 0; i < ALG_COUNT; i++) {
        struct gh_str signature = sign(keys[i], GH_STR("message"));
        for (size_t bit = 0; bit < signature.len * 8; bit++) {
            struct gh_str copy = gh_arena_dup(&arena, signature);
            ((char *)copy.ptr)[bit / 8] ^= (char)(1 << bit % 8);
            assert_false(gh_pkey_verify(keys[i], GH_STR("message"), copy));
        }
        for (size_t len = 0; len < signature.len; len++)
            assert_false(gh_pkey_verify(keys[i], GH_STR("message"), gh_str_first(signature, len)));
        /* The arena leaves a NUL behind a copy. */
        signature.len++;
        assert_false(gh_pkey_verify(keys[i], GH_STR("message"), signature));
    }
}

static void refuses_the_signature_of_another_key(void **state)
{
    for (size_t i = 0; i < ALG_COUNT; i++) {
        struct gh_pkey *other = gh_pkey_generate(ALGS[i]);
        assert_false(gh_pkey_verify(other, GH_STR("message"), sign(keys[i], GH_STR("message"))));
        gh_pkey_unref(other);
        other = keys[(i + 1) % ALG_COUNT];
        assert_false(gh_pkey_verify(other, GH_STR("message"), sign(keys[i], GH_STR("message"))));
    }
}

/* CVE-2022-21449 and its neighbours. */
static void es256_refuses_numbers_out_of_range(void **state)
{
    static const char N[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    static const char ZERO[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const char ONE[] = "0000000000000000000000000000000000000000000000000000000000000001";
    static const char MAX[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    const char *const numbers[] = {N, ZERO, ONE, MAX};
    for (size_t i = 0; i < 16; i++) {
        char hex[129];
        memcpy(hex, numbers[i / 4], 64);
        memcpy(hex + 64, numbers[i % 4], 65);
        assert_false(gh_pkey_verify(keys[1], GH_STR("message"), unhex(hex)));
    }
}

static void es256_refuses_the_der_form(void **state)
{
    struct gh_str halves = sign(keys[1], GH_STR("message"));
    char der[72] = "\x30\x44\x02\x20";
    memcpy(der + 4, halves.ptr, 32);
    memcpy(der + 36, "\x02\x20", 2);
    memcpy(der + 38, halves.ptr + 32, 32);
    assert_false(gh_pkey_verify(keys[1], GH_STR("message"), gh_str_of(der, 70)));
}

static void public_keys_do_not_sign_and_have_no_private_form(void **state)
{
    for (size_t i = 0; i < ALG_COUNT; i++) {
        uint8_t out[GH_PKEY_SIGNATURE_BYTES_MAX];
        size_t len = 7;
        struct gh_pkey *half = public_half(keys[i]);
        assert_int_equal(gh_pkey_sign(half, GH_STR("message"), out, &len), GH_ERR_INVALID);
        assert_int_equal(len, 7);
        assert_null(gh_pkey_private_der(half, &arena).ptr);
        gh_pkey_unref(half);
    }
}

static void private_keys_survive_storage(void **state)
{
    for (size_t i = 0; i < ALG_COUNT; i++) {
        struct gh_str der = gh_pkey_private_der(keys[i], &arena);
        assert_non_null(der.ptr);
        struct gh_pkey *again = gh_pkey_from_private(ALGS[i], der);
        assert_non_null(again);
        assert_true(gh_pkey_is_private(again));
        assert_true(gh_pkey_verify(keys[i], GH_STR("message"), sign(again, GH_STR("message"))));
        assert_true(gh_str_eq(gh_pkey_private_der(again, &arena), der));
        gh_pkey_unref(again);
    }
}

static void refuses_private_keys_of_another_kind_cut_or_with_a_tail(void **state)
{
    for (size_t i = 0; i < ALG_COUNT; i++) {
        struct gh_str der = gh_pkey_private_der(keys[i], &arena);
        assert_null(gh_pkey_from_private(ALGS[(i + 1) % ALG_COUNT], der));
        assert_null(gh_pkey_from_private(ALGS[(i + 2) % ALG_COUNT], der));
        for (size_t len = 0; len < der.len; len++)
            assert_null(gh_pkey_from_private(ALGS[i], gh_str_first(der, len)));
        der.len++; /* the NUL behind it */
        assert_null(gh_pkey_from_private(ALGS[i], der));
    }
    assert_null(gh_pkey_from_private(GH_PKEY_ES256, GH_STR("-----BEGIN PRIVATE KEY-----")));
}

/* A key of P-384 in PKCS#8, made for this test. */
static void refuses_a_private_key_on_another_curve(void **state)
{
    struct gh_str der =
        unhex("3081b6020100301006072a8648ce3d020106052b8104002204819e30819b0201010430d30a572593"
              "d620b21308a06db91ad7cb3a7891e3a00c9bfbf1a023e10c4a6830a8b07cea5cd1303df680f12924"
              "e88992a16403620004497f296f0c88730e7e851fee9f89e30d654641cebbefd544fa76ebbdc75e0c"
              "6a14823ba00a954c37ac1e2b7c67936c73054fa5972576bda7620f2cb9b719ce093f7f666751e4e3"
              "5e5b77d0c7610e4d83c3dbce18c27894a371b0988c912ce857");
    assert_null(gh_pkey_from_private(GH_PKEY_ES256, der));
}

/* RFC 8032 section 7.1, test 2. */
static void ed25519_gives_the_signature_of_rfc_8032(void **state)
{
    struct gh_pkey *key = gh_pkey_from_private(
        GH_PKEY_ED25519, unhex("302e020100300506032b6570042204204ccd089b28ff96da9db6c346ec114e0f"
                               "5b8a319f35aba624da8cf6ed4fb8a6fb"));
    assert_non_null(key);
    assert_true(gh_str_eq(
        sign(key, GH_STR("\x72")),
        unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f"
              "3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")));
    struct gh_str x, y;
    assert_int_equal(gh_pkey_public_numbers(key, &arena, &x, &y), GH_OK);
    assert_true(
        gh_str_eq(x, unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")));
    assert_int_equal(y.len, 0);
    gh_pkey_unref(key);
}

static void refuses_bad_points_of_ed25519(void **state)
{
    static const char *const POINTS[] = {
        "",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af466",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c00",
        "0000000000000000000000000000000000000000000000000000000000000000", /* small order */
        "0100000000000000000000000000000000000000000000000000000000000000", /* the neutral one */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* order 2 */
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", /* order 8 */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* not reduced */
        "0200000000000000000000000000000000000000000000000000000000000000", /* off the curve */
    };
    for (size_t i = 0; i < sizeof(POINTS) / sizeof(POINTS[0]); i++)
        assert_null(gh_pkey_from_public(GH_PKEY_ED25519, unhex(POINTS[i]), GH_STR("")));
    struct gh_str x, y;
    assert_int_equal(gh_pkey_public_numbers(keys[0], &arena, &x, &y), GH_OK);
    assert_null(gh_pkey_from_public(GH_PKEY_ED25519, x, x));
}

static void refuses_bad_points_of_p256(void **state)
{
    struct gh_str x, y;
    assert_int_equal(gh_pkey_public_numbers(keys[1], &arena, &x, &y), GH_OK);
    struct gh_pkey *good = gh_pkey_from_public(GH_PKEY_ES256, x, y);
    assert_non_null(good);
    gh_pkey_unref(good);
    assert_null(gh_pkey_from_public(GH_PKEY_ES256, y, x)); /* off the curve */
    assert_null(gh_pkey_from_public(GH_PKEY_ES256, x, GH_STR("")));
    assert_null(gh_pkey_from_public(GH_PKEY_ES256, gh_str_first(x, 31), y));
    struct gh_str zero = unhex("0000000000000000000000000000000000000000000000000000000000000000");
    assert_null(gh_pkey_from_public(GH_PKEY_ES256, zero, zero)); /* the point at infinity */
    struct gh_str p = unhex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    assert_null(gh_pkey_from_public(GH_PKEY_ES256, p, y));
    assert_null(gh_pkey_from_public(GH_PKEY_ES256, x, p));
    char longer[33] = {0};
    memcpy(longer + 1, x.ptr, 32);
    assert_null(gh_pkey_from_public(GH_PKEY_ES256, gh_str_of(longer, 33), y));
}

/* Sound but for what a test does to it: no small factors, no print of a flawed generator. */
static const char MODULUS[] =
    "fe1362ae9ba859ef7e0502c84b0e62be492582c0fd23a604b8b15bf4279eb8d9d80abf0044873bea7d786d"
    "243ee395e609694bd8c82b12a6796a48a1ef6cbfc53e5429df4616f2038f70d465885628277af4b7ac0361"
    "4a8b64739895d3a9833022edbf31c81de77b0a3be6624b08ce113ed91bb971871853f5f904149f26dab2a8"
    "f99dd11f33ebee06161d017a18755f24aebf1649516704edf6a1997de3a31c4eb78fc5fbf98bb8f1f70efb"
    "51b3fb3605092dfd6a5daa44404602d07f0de0a14d0167e9fb218ac1bdb3e4fa4283de5c980d23d2988700"
    "ad28b604bfe9eb5755dadef4e7f60d36266246b75961394c10b5530d8ef8f2c9447ac569924a9f6397";

static bool takes_rsa(struct gh_str modulus, struct gh_str exponent)
{
    struct gh_pkey *key = gh_pkey_from_public(GH_PKEY_RS256, modulus, exponent);
    gh_pkey_unref(key);
    return key != NULL;
}

static void refuses_bad_exponents_of_rsa(void **state)
{
    struct gh_str n = unhex(MODULUS);
    assert_true(takes_rsa(n, GH_STR("\1\0\1")));
    static const struct gh_str EXPONENTS[] = {
        GH_STR_INIT(""),         GH_STR_INIT("\0"),       GH_STR_INIT("\1"),
        GH_STR_INIT("\2"),       GH_STR_INIT("\3"),       GH_STR_INIT("\x11"),
        GH_STR_INIT("\xff\xff"), GH_STR_INIT("\1\0\0"),   GH_STR_INIT("\1\0\2"),
        GH_STR_INIT("\0\1\0\1"), GH_STR_INIT("\1\0\1\0"), GH_STR_INIT("\1\0\0\0\0\0\0\0\1"),
    };
    for (size_t i = 0; i < sizeof(EXPONENTS) / sizeof(EXPONENTS[0]); i++)
        assert_false(takes_rsa(n, EXPONENTS[i]));
}

static void refuses_bad_moduli_of_rsa(void **state)
{
    struct gh_str n = unhex(MODULUS), e = GH_STR("\1\0\1");
    char bytes[1100];
    assert_false(takes_rsa(GH_STR(""), e));
    assert_false(takes_rsa(gh_str_first(n, 255), e)); /* 2040 bits */
    memcpy(bytes, n.ptr, 256);
    bytes[0] = 0x7f; /* 2047 bits */
    assert_false(takes_rsa(gh_str_of(bytes, 256), e));
    memcpy(bytes, n.ptr, 256);
    bytes[255] ^= 1; /* even */
    assert_false(takes_rsa(gh_str_of(bytes, 256), e));
    bytes[0] = 0;
    memcpy(bytes + 1, n.ptr, 256); /* a leading zero */
    assert_false(takes_rsa(gh_str_of(bytes, 257), e));
    memset(bytes, 0xff, sizeof(bytes)); /* a multiple of three */
    assert_false(takes_rsa(gh_str_of(bytes, 256), e));
    for (size_t i = 0; i < sizeof(bytes); i += 220)
        memcpy(bytes + i, n.ptr, 220);
    bytes[1024] |= 1;
    assert_false(takes_rsa(gh_str_of(bytes, 1025), e)); /* over 8192 bits */
}

/* Made to be a power of 65537 modulo each prime up to 167. */
static void refuses_the_moduli_of_a_flawed_generator(void **state)
{
    assert_false(takes_rsa(
        unhex("c482877b038f4dc5a30385b0b10a220a4ef376c87307376c167f603b70895f796bfe35b2017278697649"
              "d58af280493fa881cade163fdb4182f30006aec187f6e126b4a8d0f75780622dab4fd6c9748049a1acdb"
              "b384bcc4bddcd92e4d7f530c0589287d9b605bf2478e4696b2a76bee8db12073537d9f43540cbedb82ce"
              "937ec7888554518d00784b68a5e6e82c466c14803fc00e98812e0748243f9674f3e33274c814ac2efeab"
              "bef6e21571952b9cb66f235d9cf85c479a655ab38ee0f4e89590bb385e995c9bb0e063b5b012599ad0a7"
              "f0b4c70fc9843111fb59b8425217dfc797b0a716c53c9c5e429838130df5f03fb1468f2932515dbe0920"
              "d3da1ca7"),
        GH_STR("\1\0\1")));
}

/* TLS on the same thread reads OpenSSL's list of errors after each of its calls. */
static void failures_leave_no_error_behind(void **state)
{
    struct gh_str zero = unhex("0000000000000000000000000000000000000000000000000000000000000000");
    ERR_clear_error();
    assert_null(gh_pkey_from_public(GH_PKEY_ES256, zero, zero));
    assert_int_equal(ERR_peek_error(), 0);
    assert_null(gh_pkey_from_private(GH_PKEY_RS256, GH_STR("\x30\x03\x02\x01\x00")));
    assert_int_equal(ERR_peek_error(), 0);
    for (size_t i = 0; i < ALG_COUNT; i++) {
        struct gh_str signature = sign(keys[i], GH_STR("message"));
        assert_false(gh_pkey_verify(keys[i], GH_STR("massage"), signature));
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void *use_all(void *argument)
{
    for (unsigned turn = 0; turn < 20; turn++)
        for (size_t i = 0; i < ALG_COUNT; i++) {
            uint8_t out[GH_PKEY_SIGNATURE_BYTES_MAX];
            size_t len = 0;
            gh_pkey_ref(keys[i]);
            if (gh_pkey_sign(keys[i], GH_STR("message"), out, &len) != GH_OK ||
                !gh_pkey_verify(keys[i], GH_STR("message"), gh_str_of((const char *)out, len)))
                *(bool *)argument = true;
            gh_pkey_unref(keys[i]);
        }
    return NULL;
}

static void keys_are_used_by_several_threads_at_once(void **state)
{
    pthread_t threads[4];
    bool failed[4] = {false};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_all, &failed[i]), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < 4; i++)
        assert_false(failed[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_key_signs_its_public_half_verifies),
        cmocka_unit_test(refuses_every_changed_bit_cut_and_longer_signature),
        cmocka_unit_test(refuses_the_signature_of_another_key),
        cmocka_unit_test(es256_refuses_numbers_out_of_range),
        cmocka_unit_test(es256_refuses_the_der_form),
        cmocka_unit_test(public_keys_do_not_sign_and_have_no_private_form),
        cmocka_unit_test(private_keys_survive_storage),
        cmocka_unit_test(refuses_private_keys_of_another_kind_cut_or_with_a_tail),
        cmocka_unit_test(refuses_a_private_key_on_another_curve),
        cmocka_unit_test(ed25519_gives_the_signature_of_rfc_8032),
        cmocka_unit_test(refuses_bad_points_of_ed25519),
        cmocka_unit_test(refuses_bad_points_of_p256),
        cmocka_unit_test(refuses_bad_exponents_of_rsa),
        cmocka_unit_test(refuses_bad_moduli_of_rsa),
        cmocka_unit_test(refuses_the_moduli_of_a_flawed_generator),
        cmocka_unit_test(failures_leave_no_error_behind),
        cmocka_unit_test(keys_are_used_by_several_threads_at_once),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, open_all, close_all);
}
