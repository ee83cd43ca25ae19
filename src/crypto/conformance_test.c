/*
 * Known answers of the argon2 reference code, crypt_blowfish, RFC 4226 and RFC 6238. Left out is
 * what we refuse on purpose: argon2 of version 16 (before 1.3) and over our bounds of memory,
 * bcrypt
 * "$2x$" (the hash of a bug), TOTP of other hashes than SHA-1.
 */
#include "base/buf.h"
#include "base/num.h"
#include "crypto/hash.h"
#include "crypto/password.h"
#include "crypto/totp.h"

#include <jansson.h>
#include <stdio.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define FOLDER GH_SOURCE_ROOT "/../shared/conformance/"

static json_t *load(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s/vectors.json", FOLDER, name);
    json_t *json = json_load_file(path, 0, NULL);
    if (!json) {
        print_message("no cases in " FOLDER "%s\n", name);
        skip();
    }
    return json;
}

static struct gh_str text_of(const json_t *object, const char *name)
{
    return gh_str_from_c(json_string_value(json_object_get(object, name)));
}

static struct gh_str unhex(struct gh_str hex, char memory[256])
{
    assert_true(hex.len <= 512);
    for (size_t i = 0; i < hex.len / 2; i++)
        memory[i] =
            (char)(gh_num_hex_digit(hex.ptr[2 * i]) << 4 | gh_num_hex_digit(hex.ptr[2 * i + 1]));
    return gh_str_of(memory, hex.len / 2);
}

static void argon2_passwords_verify_against_their_hashes(void **state)
{
    json_t *root = load("argon2");
    const json_t *cases = json_object_get(root, "hash");
    unsigned verified = 0, refused = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        struct gh_str hash = text_of(one, "encoded"), password = text_of(one, "password");
        bool ours = json_integer_value(json_object_get(one, "version")) == 19 &&
                    json_integer_value(json_object_get(one, "m_log2")) <= 19;
        enum gh_err expected = ours ? GH_OK : GH_ERR_INVALID;
        if (gh_password_verify(hash, password) != expected)
            fail_msg("%.*s", GH_STR_ARG(hash));
        if (ours)
            assert_int_equal(gh_password_verify(hash, GH_STR("other")), GH_ERR_NOT_FOUND);
        *(ours ? &verified : &refused) += 1;
    }
    print_message("%u verified, %u refused\n", verified, refused);
    assert_true(verified > 0);
    json_decref(root);
}

static void bad_argon2_hashes_are_not_verified(void **state)
{
    json_t *root = load("argon2");
    const json_t *cases = json_object_get(root, "verify_must_fail");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        enum gh_err err = gh_password_verify(text_of(one, "encoded"), text_of(one, "password"));
        assert_true(err == GH_ERR_INVALID || err == GH_ERR_NOT_FOUND);
    }
    json_decref(root);
}

static void bcrypt_passwords_verify_against_their_hashes(void **state)
{
    json_t *root = load("bcrypt");
    unsigned verified = 0;
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *one = json_array_get(root, i);
        char memory[256];
        struct gh_str hash = text_of(one, "hash");
        struct gh_str password = unhex(text_of(one, "password_hex"), memory);
        bool refused = json_is_true(json_object_get(one, "legacy_2x_bug"));
        if (gh_password_verify(hash, password) != (refused ? GH_ERR_INVALID : GH_OK))
            fail_msg("%.*s", GH_STR_ARG(hash));
        verified += !refused;
    }
    print_message("%u verified\n", verified);
    assert_true(verified > 0);
    json_decref(root);
}

static void totp_codes_end_as_those_of_rfc_6238(void **state)
{
    json_t *root = load("totp");
    const json_t *cases = json_object_get(root, "rfc6238_totp");
    unsigned equal = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        if (!gh_str_eq(text_of(one, "alg"), GH_STR("sha1")))
            continue;
        char memory[256];
        struct gh_str code = gh_str_skip(text_of(one, "code"), 2); /* six of its eight digits */
        uint64_t step, time = (uint64_t)json_integer_value(json_object_get(one, "time"));
        assert_true(gh_totp_match(unhex(text_of(one, "key_hex"), memory), code, time, 0, &step));
        equal++;
    }
    assert_true(equal > 0);
    json_decref(root);
}

static void hotp_codes_are_those_of_rfc_4226(void **state)
{
    json_t *root = load("totp");
    const json_t *cases = json_object_get(root, "rfc4226_hotp");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        char memory[256], code[GH_TOTP_DIGITS + 1];
        gh_totp_code(unhex(text_of(one, "key_hex"), memory),
                     (uint64_t)json_integer_value(json_object_get(one, "counter")), code);
        assert_true(gh_str_eq(gh_str_from_c(code), text_of(one, "code")));
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(argon2_passwords_verify_against_their_hashes),
        cmocka_unit_test(bad_argon2_hashes_are_not_verified),
        cmocka_unit_test(bcrypt_passwords_verify_against_their_hashes),
        cmocka_unit_test(totp_codes_end_as_those_of_rfc_6238),
        cmocka_unit_test(hotp_codes_are_those_of_rfc_4226),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
