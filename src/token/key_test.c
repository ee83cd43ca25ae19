#include "token/key.h"

#include "base/base64.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

/* RFC 8037 appendix A.2, RFC 7517 appendix A.1. */
#define X_ED "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define X_EC "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define Y_EC "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
#define N_RSA                                                                                      \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP" \
    "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY" \
    "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f" \
    "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
#define K_32 "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr8"

#define ED  "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X_ED "\""
#define EC  "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X_EC "\",\"y\":\"" Y_EC "\""
#define RSA "\"kty\":\"RSA\",\"n\":\"" N_RSA "\",\"e\":\"AQAB\""
#define OCT "\"kty\":\"oct\",\"k\":\"" K_32 "\""

static bool parse_with(struct gh_str text, bool allow_secret, struct gh_token_key *key)
{
    struct gh_json_doc doc;
    assert_int_equal(gh_json_parse(&arena, text, &gh_json_small, &doc, NULL), GH_JSON_OK);
    return gh_jwk_parse(&arena, &doc, gh_json_root(&doc), allow_secret, key);
}

static bool parse(const char *text, struct gh_token_key *key)
{
    return parse_with(gh_str_from_c(text), false, key);
}

static void assert_refused(const char *text)
{
    struct gh_token_key key = {.kid = GH_STR("untouched")};
    if (parse(text, &key) || !gh_str_eq(key.kid, GH_STR("untouched")))
        fail_msg("taken: %s", text);
}

static void names_of_algorithms_are_read_back(void **state)
{
    for (unsigned i = 0; i < GH_TOKEN_ALG_COUNT; i++) {
        enum gh_token_alg alg;
        assert_true(gh_token_alg_parse(gh_token_alg_name((enum gh_token_alg)i), &alg));
        assert_int_equal(alg, i);
    }
}

static void other_names_of_algorithms_are_not(void **state)
{
    static const struct gh_str NAMES[] = {
        GH_STR_INIT(""),      GH_STR_INIT("none"),    GH_STR_INIT("None"),  GH_STR_INIT("hs256"),
        GH_STR_INIT("HS384"), GH_STR_INIT("HS512"),   GH_STR_INIT("PS256"), GH_STR_INIT("RS512"),
        GH_STR_INIT("ES384"), GH_STR_INIT("HS256\0"), GH_STR_INIT("HS25"),  {NULL, 0},
    };
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        enum gh_token_alg alg;
        assert_false(gh_token_alg_parse(NAMES[i], &alg));
    }
}

static void reads_public_keys_of_each_kind(void **state)
{
    static const struct {
        const char *text;
        enum gh_token_alg alg;
        const char *kid;
    } CASES[] = {
        {"{" ED "}", GH_TOKEN_EDDSA, ""},
        {"{" EC "}", GH_TOKEN_ES256, ""},
        {"{" RSA "}", GH_TOKEN_RS256, ""},
        {"{" ED ",\"alg\":\"EdDSA\",\"use\":\"sig\",\"kid\":\"k1\"}", GH_TOKEN_EDDSA, "k1"},
        {"{" EC ",\"key_ops\":[\"verify\"],\"kid\":\"a b\"}", GH_TOKEN_ES256, "a b"},
        {"{" RSA ",\"key_ops\":[\"sign\",\"verify\"],\"x5t\":1}", GH_TOKEN_RS256, ""},
        {"{\"kid\":\"\\u0041\"," ED "}", GH_TOKEN_EDDSA, "A"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct gh_token_key key;
        assert_true(parse(CASES[i].text, &key));
        assert_int_equal(key.alg, CASES[i].alg);
        assert_true(gh_str_eq(key.kid, gh_str_from_c(CASES[i].kid)));
        assert_non_null(key.pkey);
        assert_false(gh_pkey_is_private(key.pkey));
        assert_int_equal(key.secret.len, 0);
        gh_pkey_unref(key.pkey);
    }
}

static void refuses_keys_of_another_kind_use_or_algorithm(void **state)
{
    assert_refused("[]");
    assert_refused("null");
    assert_refused("\"" X_ED "\"");
    assert_refused("{}");
    assert_refused("{\"crv\":\"Ed25519\",\"x\":\"" X_ED "\"}");
    assert_refused("{\"kty\":1,\"crv\":\"Ed25519\",\"x\":\"" X_ED "\"}");
    assert_refused("{\"kty\":\"okp\",\"crv\":\"Ed25519\",\"x\":\"" X_ED "\"}");
    assert_refused("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X_ED "\"}");
    assert_refused("{\"kty\":\"OKP\",\"x\":\"" X_ED "\"}");
    assert_refused("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X_EC "\",\"y\":\"" Y_EC "\"}");
    assert_refused("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X_EC "\",\"y\":\"" Y_EC "\"}");
    assert_refused("{" ED ",\"use\":\"enc\"}");
    assert_refused("{" ED ",\"use\":[\"sig\"]}");
    assert_refused("{" ED ",\"use\":null}");
    assert_refused("{" ED ",\"alg\":\"ES256\"}");
    assert_refused("{" ED ",\"alg\":null}");
    assert_refused("{" EC ",\"alg\":\"ES384\"}");
    assert_refused("{" RSA ",\"alg\":\"PS256\"}");
    assert_refused("{" RSA ",\"alg\":\"RSA-OAEP\"}");
    assert_refused("{" RSA ",\"alg\":\"HS256\"}");
    assert_refused("{" ED ",\"key_ops\":[]}");
    assert_refused("{" ED ",\"key_ops\":\"verify\"}");
    assert_refused("{" ED ",\"key_ops\":[\"sign\"]}");
    assert_refused("{" ED ",\"key_ops\":[\"encrypt\"]}");
    assert_refused("{" ED ",\"key_ops\":[\"verify\",\"verify\"]}");
    assert_refused("{" ED ",\"key_ops\":[\"verify\",1]}");
    assert_refused("{" ED ",\"key_ops\":[\"verify\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\","
                   "\"8\"]}");
    assert_refused("{" ED ",\"kid\":1}");
    assert_refused("{" ED ",\"kid\":\"\"}");
    assert_refused("{" ED ",\"kid\":"
                   "\"12345678901234567890123456789012345678901234567890123456789012345\"}");
}

static void refuses_bad_numbers(void **state)
{
    assert_refused("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}");
    assert_refused("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"\"}");
    assert_refused("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":7}");
    assert_refused("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X_ED "=\"}");
    assert_refused("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X_ED "AA\"}");
    assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X_EC "\"}");
    assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X_EC "\",\"y\":\"" X_EC "\"}");
    assert_refused("{\"kty\":\"RSA\",\"n\":\"" N_RSA "\",\"e\":\"Aw\"}");
    assert_refused("{\"kty\":\"RSA\",\"n\":\"" N_RSA "\",\"e\":\"AQ\"}");
    assert_refused("{\"kty\":\"RSA\",\"n\":\"" N_RSA "\"}");
    assert_refused("{\"kty\":\"RSA\",\"n\":\"" X_EC "\",\"e\":\"AQAB\"}");
    char text[3000] = "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"";
    size_t len = strlen(text);
    memset(text + len, 'A', 2800);
    strcpy(text + len + 2800, "\"}");
    assert_refused(text);
}

static void refuses_private_keys(void **state)
{
    static const char *const NAMES[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    static const char *const KEYS[] = {ED, EC, RSA};
    for (size_t k = 0; k < COUNT(KEYS); k++)
        for (size_t i = 0; i < COUNT(NAMES); i++) {
            struct gh_str text =
                gh_arena_format(&arena, "{%s,\"%s\":\"%s\"}", KEYS[k], NAMES[i], K_32);
            assert_refused(text.ptr);
        }
}

static void secrets_are_taken_only_where_they_are_allowed_and_long_enough(void **state)
{
    struct gh_token_key key;
    assert_refused("{" OCT "}");
    assert_true(parse_with(GH_STR("{" OCT ",\"kid\":\"s\"}"), true, &key));
    assert_int_equal(key.alg, GH_TOKEN_HS256);
    assert_int_equal(key.secret.len, 32);
    assert_null(key.pkey);
    static const struct gh_str BAD[] = {
        GH_STR_INIT("{\"kty\":\"oct\"}"),
        GH_STR_INIT("{\"kty\":\"oct\",\"k\":\"\"}"),
        GH_STR_INIT("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLg\"}"),
        GH_STR_INIT("{" OCT ",\"alg\":\"HS512\"}"),
        GH_STR_INIT("{" OCT ",\"alg\":\"A128GCM\"}"),
        GH_STR_INIT("{" OCT ",\"use\":\"enc\"}"),
        GH_STR_INIT("{" OCT ",\"alg\":\"RS256\"}"),
    };
    for (size_t i = 0; i < COUNT(BAD); i++)
        assert_false(parse_with(BAD[i], true, &key));
}

static void a_set_keeps_the_keys_that_can_be_used(void **state)
{
    struct gh_token_key_set set;
    assert_true(
        gh_jwks_parse(&arena,
                      GH_STR("{\"keys\":[{" ED ",\"kid\":\"1\"},{" OCT ",\"kid\":\"2\"},{" RSA
                             ",\"use\":\"enc\",\"kid\":\"3\"},{\"kty\":\"new\"},{" EC
                             ",\"d\":\"AA\"},{" RSA ",\"kid\":\"4\"}],\"more\":1}"),
                      &set));
    assert_int_equal(set.count, 2);
    assert_true(gh_str_eq(set.keys[0].kid, GH_STR("1")));
    assert_true(gh_str_eq(set.keys[1].kid, GH_STR("4")));
    gh_token_key_set_done(&set);
    assert_int_equal(set.count, 0);
    assert_true(gh_jwks_parse(&arena, GH_STR("{\"keys\":[]}"), &set));
    assert_int_equal(set.count, 0);
    gh_token_key_set_done(&set);
}

static void refuses_what_is_no_set(void **state)
{
    static const struct gh_str TEXTS[] = {
        GH_STR_INIT(""),
        GH_STR_INIT("{}"),
        GH_STR_INIT("[]"),
        GH_STR_INIT("{\"keys\":{}}"),
        GH_STR_INIT("{\"keys\":null}"),
        GH_STR_INIT("{\"keys\":[1]}"),
        GH_STR_INIT("{\"keys\":[{" ED "},[]]}"),
        GH_STR_INIT("{" ED "}"),
        GH_STR_INIT("{\"keys\":[],\"keys\":[{" ED "}]}"),
        GH_STR_INIT("{\"keys\":[{" ED ",\"x\":\"" X_ED "\"}]}"),
        GH_STR_INIT("{\"keys\":[{" ED "}]} x"),
        GH_STR_INIT("{\"keys\":[{" ED ",\"kid\":\"1\"},{" RSA ",\"kid\":\"1\"}]}"),
    };
    for (size_t i = 0; i < COUNT(TEXTS); i++) {
        struct gh_token_key_set set = {.count = 77};
        assert_false(gh_jwks_parse(&arena, TEXTS[i], &set));
        assert_int_equal(set.count, 77);
    }
}

static void refuses_a_set_of_too_many_keys(void **state)
{
    char *text = gh_arena_alloc(&arena, 1 << 16);
    for (int count = GH_TOKEN_SET_KEYS_MAX; count <= GH_TOKEN_SET_KEYS_MAX + 1; count++) {
        struct gh_token_key_set set;
        struct gh_buf buf = gh_buf_over(text, 1 << 16);
        gh_buf_put(&buf, GH_STR("{\"keys\":["));
        for (int i = 0; i < count; i++)
            gh_buf_format(&buf, "%s{%s,\"kid\":\"%d\"}", i ? "," : "", ED, i);
        gh_buf_put(&buf, GH_STR("]}"));
        bool ok = gh_jwks_parse(&arena, gh_buf_str(&buf), &set);
        assert_int_equal(ok, count == GH_TOKEN_SET_KEYS_MAX);
        if (ok)
            gh_token_key_set_done(&set);
    }
}

static void what_is_published_is_read_again(void **state)
{
    static const struct gh_str SECRET = GH_STR_INIT("01234567890123456789012345678901");
    struct gh_token_key keys[4] = {{.alg = GH_TOKEN_HS256, .kid = GH_STR("h"), .secret = SECRET}};
    static const enum gh_pkey_alg ALGS[] = {GH_PKEY_ED25519, GH_PKEY_ES256, GH_PKEY_RS256};
    for (size_t i = 0; i < 3; i++) {
        keys[i + 1].alg = (enum gh_token_alg)i;
        keys[i + 1].pkey = gh_pkey_generate(ALGS[i]);
        keys[i + 1].kid = gh_jwk_thumbprint(&arena, keys[i + 1].pkey);
        assert_int_equal(keys[i + 1].kid.len, 43);
    }
    struct gh_token_key_set set = {keys, 4}, again;
    char memory[4096];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_jwks_put(&buf, &arena, &set);
    assert_false(buf.overflow);
    assert_int_equal(gh_str_find(gh_buf_str(&buf), GH_STR("oct")), buf.len);
    assert_int_equal(gh_str_find(gh_buf_str(&buf), GH_STR("\"d\"")), buf.len);
    assert_true(gh_jwks_parse(&arena, gh_buf_str(&buf), &again));
    assert_int_equal(again.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(again.keys[i].alg, keys[i + 1].alg);
        assert_true(gh_str_eq(again.keys[i].kid, keys[i + 1].kid));
        assert_true(gh_str_eq(gh_jwk_thumbprint(&arena, again.keys[i].pkey), keys[i + 1].kid));
    }
    buf = gh_buf_over(memory, 100);
    gh_jwks_put(&buf, &arena, &set);
    assert_true(buf.overflow);
    gh_token_key_set_done(&again);
    gh_token_key_set_done(&set);
}

/* RFC 7638 section 3.1, RFC 8037 appendix A.3. */
static void thumbprints_are_those_of_the_rfcs(void **state)
{
    struct gh_token_key key;
    assert_true(parse("{" RSA "}", &key));
    assert_true(gh_str_eq(gh_jwk_thumbprint(&arena, key.pkey),
                          GH_STR("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")));
    gh_pkey_unref(key.pkey);
    assert_true(parse("{" ED "}", &key));
    assert_true(gh_str_eq(gh_jwk_thumbprint(&arena, key.pkey),
                          GH_STR("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")));
    gh_pkey_unref(key.pkey);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_of_algorithms_are_read_back),
        TEST(other_names_of_algorithms_are_not),
        TEST(reads_public_keys_of_each_kind),
        TEST(refuses_keys_of_another_kind_use_or_algorithm),
        TEST(refuses_bad_numbers),
        TEST(refuses_private_keys),
        TEST(secrets_are_taken_only_where_they_are_allowed_and_long_enough),
        TEST(a_set_keeps_the_keys_that_can_be_used),
        TEST(refuses_what_is_no_set),
        TEST(refuses_a_set_of_too_many_keys),
        TEST(what_is_published_is_read_again),
        TEST(thumbprints_are_those_of_the_rfcs),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
