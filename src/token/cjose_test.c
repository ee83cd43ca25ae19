/*
 * cjose as an oracle: it reads what we sign, we read what it signs, and of damaged tokens we take
 * none. (It has no EdDSA, and takes an algorithm that is not the key's: no oracle for refusals.)
 */
#include "token/jwt.h"

#include "base/base64.h"

#include <cjose/cjose.h>
#include <stdio.h>
#include <stdlib.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const enum gh_token_alg ALGS[] = {GH_TOKEN_ES256, GH_TOKEN_RS256, GH_TOKEN_HS256};
static const struct gh_str CLAIMS = GH_STR_INIT("{\"sub\":\"s\",\"exp\":1700000001}");
enum { ALG_COUNT = 3, NOW = 1700000000 };

static struct gh_arena arena;

static int open_arena(void **state)
{
    gh_arena_init(&arena, 1 << 16, 1 << 26);
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static cjose_jwk_t *import(struct gh_str jwk)
{
    cjose_err err;
    cjose_jwk_t *key = cjose_jwk_import(jwk.ptr, jwk.len, &err);
    if (!key)
        fail_msg("%.*s: %s", GH_STR_ARG(jwk), err.message);
    return key;
}

/* A fresh private key of cjose's. */
static cjose_jwk_t *make(enum gh_token_alg alg)
{
    cjose_err err;
    cjose_jwk_t *key = alg == GH_TOKEN_ES256 ? cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &err)
                       : alg == GH_TOKEN_RS256
                           ? cjose_jwk_create_RSA_random(2048, (const uint8_t *)"\1\0\1", 3, &err)
                           : cjose_jwk_create_oct_random(256, &err);
    assert_non_null(key);
    return key;
}

/* The public half, or the secret, of a key of cjose's as ours. */
static struct gh_token_key ours_of(const cjose_jwk_t *jwk, bool allow_secret)
{
    cjose_err err;
    struct gh_json_doc doc;
    struct gh_token_key key;
    char *text = cjose_jwk_to_json(jwk, allow_secret, &err);
    assert_non_null(text);
    assert_int_equal(gh_json_parse(&arena, gh_str_from_c(text), &gh_json_small, &doc, NULL),
                     GH_JSON_OK);
    assert_true(gh_jwk_parse(&arena, &doc, gh_json_root(&doc), allow_secret, &key));
    cjose_get_dealloc()(text);
    return key;
}

static struct gh_str sign_with_cjose(const cjose_jwk_t *jwk, enum gh_token_alg alg)
{
    cjose_err err;
    const char *text;
    cjose_header_t *header = cjose_header_new(&err);
    assert_true(cjose_header_set(header, CJOSE_HDR_ALG, gh_token_alg_name(alg).ptr, &err));
    cjose_jws_t *jws = cjose_jws_sign(jwk, header, (const uint8_t *)CLAIMS.ptr, CLAIMS.len, &err);
    assert_non_null(jws);
    assert_true(cjose_jws_export(jws, &text, &err));
    struct gh_str copy = gh_arena_dup(&arena, gh_str_from_c(text));
    cjose_jws_release(jws);
    cjose_header_release(header);
    return copy;
}

static enum gh_jwt_status verify(struct gh_str token, const struct gh_token_key *key)
{
    struct gh_token_key_set set = {key, 1};
    struct gh_jwt_expect expect = {.keys = &set, .now_s = NOW};
    struct gh_jwt jwt;
    return gh_jwt_verify(&arena, token, &expect, &jwt);
}

static bool verifies_with_cjose(struct gh_str token, const cjose_jwk_t *jwk)
{
    cjose_err err;
    uint8_t *payload;
    size_t len;
    cjose_jws_t *jws = cjose_jws_import(token.ptr, token.len, &err);
    bool ok = jws && cjose_jws_verify(jws, jwk, &err) &&
              cjose_jws_get_plaintext(jws, &payload, &len, &err) &&
              gh_str_eq(gh_str_of((const char *)payload, len), CLAIMS);
    cjose_jws_release(jws);
    return ok;
}

static void we_verify_what_cjose_signs_and_nothing_damaged(void **state)
{
    for (size_t i = 0; i < ALG_COUNT; i++) {
        cjose_jwk_t *jwk = make(ALGS[i]);
        struct gh_token_key key = ours_of(jwk, ALGS[i] == GH_TOKEN_HS256);
        for (unsigned turn = 0; turn < 5; turn++) {
            struct gh_str token = sign_with_cjose(jwk, ALGS[i]);
            assert_int_equal(verify(token, &key), GH_JWT_OK);
            for (size_t at = turn; at < token.len; at += 5) {
                struct gh_str copy = gh_arena_dup(&arena, token);
                ((char *)copy.ptr)[at] ^= 1;
                assert_int_not_equal(verify(copy, &key), GH_JWT_OK);
            }
        }
        gh_pkey_unref(key.pkey);
        cjose_jwk_release(jwk);
    }
}

static void cjose_verifies_what_we_sign_with_the_keys_we_publish(void **state)
{
    static const enum gh_pkey_alg PKEY_ALGS[] = {GH_PKEY_ES256, GH_PKEY_RS256};
    for (size_t i = 0; i < 2; i++) {
        char memory[2048];
        struct gh_token_key key = {.alg = ALGS[i], .pkey = gh_pkey_generate(PKEY_ALGS[i])};
        struct gh_token_key_set set = {&key, 1};
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        key.kid = gh_jwk_thumbprint(&arena, key.pkey);
        gh_jwks_put(&buf, &arena, &set);
        struct gh_str jwk = {memory + strlen("{\"keys\":["), buf.len - strlen("{\"keys\":[]}")};
        cjose_jwk_t *theirs = import(gh_arena_dup(&arena, jwk));
        struct gh_str token = gh_jwt_sign(&arena, &key, GH_STR("at+jwt"), CLAIMS);
        assert_true(verifies_with_cjose(token, theirs));
        cjose_jwk_release(theirs);
        gh_pkey_unref(key.pkey);
    }
    cjose_jwk_t *theirs =
        import(GH_STR("{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE\"}"));
    struct gh_token_key secret = {.alg = GH_TOKEN_HS256,
                                  .secret = GH_STR("01234567890123456789012345678901")};
    assert_true(verifies_with_cjose(gh_jwt_sign(&arena, &secret, GH_STR(""), CLAIMS), theirs));
    cjose_jwk_release(theirs);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(we_verify_what_cjose_signs_and_nothing_damaged),
        TEST(cjose_verifies_what_we_sign_with_the_keys_we_publish),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
