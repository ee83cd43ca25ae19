/*
 * The JWS and JWK cases of Wycheproof and of the JOSE cookbook (RFC 7520). A case of an algorithm
 * that is not ours counts as passed when it is refused.
 */
#include "base/base64.h"
#include "token/jws.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define FOLDER GH_SOURCE_ROOT "/../shared/conformance/"

static struct gh_arena arena;

static int open_arena(void **state)
{
    gh_arena_init(&arena, 1 << 16, 1 << 28);
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static json_t *load(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s%s", FOLDER, name);
    json_t *json = json_load_file(path, 0, NULL);
    if (!json) {
        print_message("no %s\n", path);
        skip();
    }
    return json;
}

static struct gh_str text_of(const json_t *object, const char *name)
{
    return gh_str_from_c(json_string_value(json_object_get(object, name)));
}

static struct gh_str dump(const json_t *json)
{
    char *text = json_dumps(json, 0);
    struct gh_str copy = gh_arena_dup(&arena, gh_str_from_c(text));
    free(text);
    return copy;
}

static bool is_secret(const json_t *jwk)
{
    return gh_str_eq(text_of(jwk, "kty"), GH_STR("oct"));
}

/* A key, or a set of secrets, as a file of ours would hold them; other sets as published. */
static struct gh_token_key_set keys_of(const json_t *json)
{
    const json_t *list = json_object_get(json, "keys");
    size_t count = list ? json_array_size(list) : 1, secrets = 0;
    struct gh_token_key *keys = gh_arena_zalloc(&arena, count, sizeof(*keys));
    struct gh_token_key_set set = {.keys = keys};
    for (size_t i = 0; i < count; i++)
        secrets += is_secret(list ? json_array_get(list, i) : json);
    if (list && secrets < count) {
        gh_jwks_parse(&arena, dump(json), &set);
        return set;
    }
    for (size_t i = 0; i < count; i++) {
        struct gh_json_doc doc;
        struct gh_str text = dump(list ? json_array_get(list, i) : json);
        assert_int_equal(gh_json_parse(&arena, text, &gh_json_small, &doc, NULL), GH_JSON_OK);
        if (gh_jwk_parse(&arena, &doc, gh_json_root(&doc), true, &keys[set.count]))
            set.count++;
    }
    return set;
}

/* What the header says, for knowing which cases are of our algorithms. */
static bool is_of_ours(struct gh_str token)
{
    struct gh_str rest = token, head = gh_str_split(&rest, '.');
    char memory[1024];
    size_t len;
    if (!gh_base64url_decode(head, (uint8_t *)memory, sizeof(memory), &len))
        return false;
    for (unsigned alg = 0; alg < GH_TOKEN_ALG_COUNT; alg++) {
        struct gh_str name = gh_token_alg_name((enum gh_token_alg)alg);
        if (gh_str_find(gh_str_of(memory, len), name) < len)
            return true;
    }
    return false;
}

struct counts {
    unsigned verified, refused, not_ours;
};

/*
 * Two cases of version 0.3 contradict others of their group: "invalidBase64Padding" is byte for
 * byte the token of "ValidMac", and "InvalidCharacterInsertedInPayload" is called valid, though its
 * MAC is over other bytes than its own (RFC 7515 section 2 forbids "additional characters").
 */
static bool is_a_mistake(const json_t *one)
{
    struct gh_str comment = text_of(one, "comment"), token = text_of(one, "jws");
    return (gh_str_eq(comment, GH_STR("invalidBase64Padding")) &&
            gh_str_find_char(token, '=') == token.len) ||
           (gh_str_eq(comment, GH_STR("InvalidCharacterInsertedInPayload")) &&
            gh_str_find_char(token, '?') < token.len);
}

static void run_case(const json_t *one, const struct gh_token_key_set *set, const char *group,
                     struct counts *counts)
{
    struct gh_jws jws;
    struct gh_str token = text_of(one, "jws");
    bool valid = gh_str_eq(text_of(one, "result"), GH_STR("valid"));
    bool verified = gh_jws_verify(&arena, token, set, GH_STR(""), &jws) == GH_JWT_OK;
    if (verified && !valid)
        fail_msg("%s: verified: %.*s", group, GH_STR_ARG(text_of(one, "comment")));
    if (valid && !verified && is_of_ours(token))
        fail_msg("%s: refused: %.*s", group, GH_STR_ARG(text_of(one, "comment")));
    counts->verified += verified;
    counts->refused += !verified && !valid;
    counts->not_ours += !verified && valid;
}

static void run_wycheproof(const char *name)
{
    struct counts counts = {0};
    json_t *root = load(name);
    const json_t *groups = json_object_get(root, "testGroups");
    for (size_t g = 0; g < json_array_size(groups); g++) {
        const json_t *group = json_array_get(groups, g), *public = json_object_get(group, "public");
        const json_t *tests = json_object_get(group, "tests");
        struct gh_token_key_set set = keys_of(public ? public : json_object_get(group, "private"));
        for (size_t i = 0; i < json_array_size(tests); i++)
            if (!is_a_mistake(json_array_get(tests, i)))
                run_case(json_array_get(tests, i), &set, text_of(group, "comment").ptr, &counts);
        gh_token_key_set_done(&set);
    }
    json_decref(root);
    print_message("%u verified, %u refused, %u valid ones of other algorithms\n", counts.verified,
                  counts.refused, counts.not_ours);
    assert_true(counts.verified > 0 && counts.refused > 0);
}

static void verifies_and_refuses_the_signatures_of_wycheproof(void **state)
{
    run_wycheproof("wycheproof/json_web_signature_test.json");
}

static void takes_and_refuses_the_keys_of_wycheproof(void **state)
{
    run_wycheproof("wycheproof/json_web_key_test.json");
}

/* The keys there are private: their public halves. */
static json_t *public_half(const json_t *key)
{
    static const char *const NAMES[] = {"d", "p", "q", "dp", "dq", "qi"};
    json_t *half = json_copy((json_t *)key);
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        json_object_del(half, NAMES[i]);
    return half;
}

/* True: the file's compact form is verified, and its payload is the file's. */
static bool verifies_cookbook(const char *name)
{
    json_t *root = load(name);
    const json_t *input = json_object_get(root, "input");
    json_t *half = public_half(json_object_get(input, "key"));
    struct gh_token_key_set set = keys_of(half);
    struct gh_jws jws;
    struct gh_str token = text_of(json_object_get(root, "output"), "compact");
    bool ok = gh_jws_verify(&arena, token, &set, GH_STR(""), &jws) == GH_JWT_OK;
    if (ok)
        assert_true(gh_str_eq(jws.payload, text_of(input, "payload")));
    gh_token_key_set_done(&set);
    json_decref(half);
    json_decref(root);
    return ok;
}

static void verifies_the_cookbooks_signatures_of_our_algorithms(void **state)
{
    assert_true(verifies_cookbook("jose-cookbook/jws/4_1.rsa_v15_signature.json"));
    assert_true(verifies_cookbook("jose-cookbook/jws/4_4.hmac-sha2_integrity_protection.json"));
    assert_true(verifies_cookbook("jose-cookbook/curve25519/jws.json"));
}

static void refuses_the_cookbooks_other_signatures(void **state)
{
    assert_false(verifies_cookbook("jose-cookbook/jws/4_2.rsa-pss_signature.json"));
    assert_false(verifies_cookbook("jose-cookbook/jws/4_3.ecdsa_signature.json")); /* P-521 */
    assert_false(verifies_cookbook("jose-cookbook/rfc7797/hmac-sha2_b64_false.json"));
    assert_false(verifies_cookbook("jose-cookbook/rfc7797/4.2.hmac-sha2_b64_false.json"));
}

static void signs_as_the_cookbook_does(void **state)
{
    json_t *root = load("jose-cookbook/jws/4_4.hmac-sha2_integrity_protection.json");
    const json_t *input = json_object_get(root, "input");
    struct gh_token_key_set set = keys_of(json_object_get(input, "key"));
    assert_int_equal(set.count, 1);
    struct gh_str token = gh_jws_sign(&arena, &set.keys[0], GH_STR(""), text_of(input, "payload"));
    assert_true(gh_str_eq(token, text_of(json_object_get(root, "output"), "compact")));
    json_decref(root);

    root = load("jose-cookbook/curve25519/jws.json");
    input = json_object_get(root, "input");
    char der[48] = "\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    size_t len;
    assert_true(gh_base64url_decode(text_of(json_object_get(input, "key"), "d"),
                                    (uint8_t *)der + 16, 32, &len));
    struct gh_token_key key = {
        .alg = GH_TOKEN_EDDSA,
        .pkey = gh_pkey_from_private(GH_PKEY_ED25519, gh_str_of(der, sizeof(der)))};
    token = gh_jws_sign(&arena, &key, GH_STR(""), text_of(input, "payload"));
    assert_true(gh_str_eq(token, text_of(json_object_get(root, "output"), "compact")));
    gh_pkey_unref(key.pkey);
    json_decref(root);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(verifies_and_refuses_the_signatures_of_wycheproof),
        TEST(takes_and_refuses_the_keys_of_wycheproof),
        TEST(verifies_the_cookbooks_signatures_of_our_algorithms),
        TEST(refuses_the_cookbooks_other_signatures),
        TEST(signs_as_the_cookbook_does),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
