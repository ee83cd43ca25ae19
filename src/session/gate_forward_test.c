/* Tokens that the gate makes for the backend. */
#include "session/gate.h"

#include "crypto/hash.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW          1700000000u
#define OURS         GH_STR("https://api.example.com")
#define IDP          GH_STR("https://idp.example.org")

enum { RING, OTHER, KEY_COUNT };

static struct gh_arena arena;
static struct gh_token_key keys[KEY_COUNT];
static struct gh_gate_rules rules;
static struct gh_revocations *revocations;
static struct gh_gate *gate;
static const struct gh_str NAMES[] = {GH_STR_INIT("user"), GH_STR_INIT("admin")};
static const struct gh_token_key COOKIE_KEY = {
    .alg = GH_TOKEN_HS256, .secret = GH_STR_INIT("0123456789abcdef0123456789abcdef")};
static const struct gh_subject JANE = {.id = GH_STR_INIT("u1"),
                                       .session_id = GH_STR_INIT("s1"),
                                       .email = GH_STR_INIT("jane@example.com"),
                                       .roles = 1,
                                       .authenticated_s = NOW - 10,
                                       .expires_s = NOW + 900};

static int set_up(void **state)
{
    gh_arena_init(&arena, 1 << 14, 1 << 22);
    for (size_t i = 0; i < KEY_COUNT; i++)
        keys[i] = (struct gh_token_key){.alg = GH_TOKEN_EDDSA,
                                        .kid = i == RING ? GH_STR("ring") : GH_STR("other"),
                                        .pkey = gh_pkey_generate(GH_PKEY_ED25519)};
    rules = (struct gh_gate_rules){.cookie_keys = {&COOKIE_KEY, 1},
                                   .bearer_keys = {&keys[RING], 1},
                                   .roles = {NAMES, 2},
                                   .issuer = OURS,
                                   .audience = GH_STR("api"),
                                   .epoch = 1};
    revocations = gh_revocations_new(64, (struct gh_hash_key){1, 2});
    gate = gh_gate_new(revocations, (struct gh_hash_key){3, 4});
    assert_non_null(gate);
    return 0;
}

static int tear_down(void **state)
{
    gh_gate_free(gate);
    gh_revocations_free(revocations);
    for (size_t i = 0; i < KEY_COUNT; i++)
        gh_pkey_unref(keys[i].pkey);
    gh_arena_done(&arena);
    return 0;
}

static struct gh_jwt read_forwarded(struct gh_str token, uint64_t now_s)
{
    struct gh_jwt jwt;
    struct gh_jwt_expect expect = {.keys = &rules.bearer_keys,
                                   .typ = GH_STR("JWT"),
                                   .issuer = OURS,
                                   .audience = GH_STR("api"),
                                   .now_s = now_s,
                                   .require_exp = true};
    assert_int_equal(gh_jwt_verify(&arena, token, &expect, &jwt), GH_JWT_OK);
    return jwt;
}

static struct gh_str claim(const struct gh_jwt *jwt, const char *name)
{
    return gh_json_string(
        gh_json_get(&jwt->claims, gh_json_root(&jwt->claims), gh_str_from_c(name)));
}

static void speaks_to_the_backend_for_a_subject(void **state)
{
    struct gh_subject jane = JANE;
    struct gh_str token = gh_gate_forward_token(gate, &arena, &rules, &jane, NOW);
    struct gh_jwt jwt = read_forwarded(token, NOW);
    assert_true(gh_str_eq(jwt.subject, GH_STR("u1")));
    assert_true(gh_str_eq(claim(&jwt, "sid"), GH_STR("s1")));
    assert_true(gh_str_eq(claim(&jwt, "email"), GH_STR("jane@example.com")));
    assert_int_equal(jwt.issued_s, NOW);
    assert_int_equal(jwt.expires_s, NOW + 120);
    const struct gh_json_value *roles =
        gh_json_get(&jwt.claims, gh_json_root(&jwt.claims), GH_STR("roles"));
    assert_int_equal(roles->count, 1);
    assert_null(gh_json_get(&jwt.claims, gh_json_root(&jwt.claims), GH_STR("sub_id")));
}

static void nobody_gets_in_with_what_the_backend_got(void **state)
{
    struct gh_subject jane = JANE;
    struct gh_str token = gh_gate_forward_token(gate, &arena, &rules, &jane, NOW);
    struct gh_subject subject;
    assert_int_equal(
        gh_gate_judge(gate, &arena, &rules, GH_CREDENTIAL_BEARER, token, 1, NOW, &subject),
        GH_GATE_BAD);
    assert_int_equal(
        gh_gate_judge(gate, &arena, &rules, GH_CREDENTIAL_COOKIE, token, 1, NOW, &subject),
        GH_GATE_BAD);
}

static void says_which_issuer_a_subject_is_of(void **state)
{
    struct gh_subject other = {.id = GH_STR("f1"), .session_id = GH_STR(""), .issuer = IDP};
    struct gh_str token = gh_gate_forward_token(gate, &arena, &rules, &other, NOW);
    struct gh_jwt jwt = read_forwarded(token, NOW);
    const struct gh_json_value *root = gh_json_root(&jwt.claims);
    const struct gh_json_value *id = gh_json_get(&jwt.claims, root, GH_STR("sub_id"));
    assert_true(gh_str_eq(gh_json_string(gh_json_get(&jwt.claims, id, GH_STR("iss"))), IDP));
    assert_null(gh_json_get(&jwt.claims, root, GH_STR("sid")));
    assert_null(gh_json_get(&jwt.claims, root, GH_STR("amr")));
    assert_null(gh_json_get(&jwt.claims, root, GH_STR("auth_time")));
}

static void gives_a_young_token_again_and_no_other(void **state)
{
    struct gh_subject jane = JANE;
    struct gh_str first = gh_gate_forward_token(gate, &arena, &rules, &jane, NOW);
    struct gh_str again = gh_gate_forward_token(gate, &arena, &rules, &jane, NOW + 59);
    assert_true(gh_str_eq(first, again));
    assert_ptr_not_equal(first.ptr, again.ptr);
    again = gh_gate_forward_token(gate, &arena, &rules, &jane, NOW + 60);
    assert_false(gh_str_eq(first, again));
    (void)read_forwarded(again, NOW + 60);
    /* A clock that went back makes no token from the future. */
    again = gh_gate_forward_token(gate, &arena, &rules, &jane, NOW - 100);
    (void)read_forwarded(again, NOW - 100);

    struct gh_subject others[] = {jane, jane, jane, jane, jane};
    others[0].roles = 3;
    others[1].two_factor = true;
    others[2].session_id = GH_STR("s1u");
    others[3].issuer = IDP;
    others[4].email = GH_STR("");
    first = gh_gate_forward_token(gate, &arena, &rules, &jane, NOW);
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(
            gh_str_eq(first, gh_gate_forward_token(gate, &arena, &rules, &others[i], NOW)));
    rules.bearer_keys = (struct gh_token_key_set){&keys[OTHER], 1};
    rules.epoch++;
    (void)read_forwarded(gh_gate_forward_token(gate, &arena, &rules, &jane, NOW), NOW);
    rules.bearer_keys.count = 0;
    rules.epoch++;
    assert_null(gh_gate_forward_token(gate, &arena, &rules, &jane, NOW).ptr);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(speaks_to_the_backend_for_a_subject),
        TEST(nobody_gets_in_with_what_the_backend_got),
        TEST(says_which_issuer_a_subject_is_of),
        TEST(gives_a_young_token_again_and_no_other),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
