/* The gate where several processes issue tokens and end sessions. */
#include "session/gate.h"

#include "crypto/hash.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#define NOW    1700000000u
#define LEEWAY 5

static const struct gh_str NAMES[] = {GH_STR_INIT("user")};
static const struct gh_token_key KEY = {.alg = GH_TOKEN_HS256,
                                        .kid = GH_STR_INIT("k"),
                                        .secret = GH_STR_INIT("0123456789abcdef0123456789abcdef")};

struct toys {
    struct gh_arena arena;
    struct gh_gate_rules rules;
    struct gh_revocations *revocations;
    struct gh_gate *gate;
};

static int set_up(void **state)
{
    static struct toys toys;
    gh_crypto_init();
    toys = (struct toys){
        .rules = {.cookie_keys = {&KEY, 1},
                  .roles = {NAMES, 1},
                  .issuer = GH_STR("https://api.example.com"),
                  .audience = GH_STR("api"),
                  .leeway_s = LEEWAY,
                  .epoch = 1},
        .revocations = gh_revocations_new(64, (struct gh_hash_key){1, 2}),
    };
    gh_arena_init(&toys.arena, 1 << 14, 1 << 22);
    toys.gate = gh_gate_new(toys.revocations, (struct gh_hash_key){3, 4});
    *state = &toys;
    return toys.gate ? 0 : -1;
}

static int tear_down(void **state)
{
    struct toys *toys = *state;
    gh_gate_free(toys->gate);
    gh_revocations_free(toys->revocations);
    gh_arena_done(&toys->arena);
    return 0;
}

/* Of a token that another process has issued at that time, by its clock. */
static enum gh_gate_status judge(struct toys *toys, const char *session, uint64_t issued_s,
                                 uint64_t now_s)
{
    const struct gh_access_claims claims = {
        .subject = {.id = GH_STR("7e3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a0f"),
                    .session_id = gh_str_from_c(session),
                    .email = GH_STR("ann@example.com"),
                    .roles = 1,
                    .authenticated_s = issued_s,
                    .expires_s = issued_s + 900},
        .issuer = toys->rules.issuer,
        .audience = toys->rules.audience,
        .issued_s = issued_s,
    };
    struct gh_subject subject;
    struct gh_str token = gh_access_token_make(&toys->arena, &KEY, &toys->rules.roles, &claims);
    assert_non_null(token.ptr);
    return gh_gate_judge(toys->gate, &toys->arena, &toys->rules, GH_CREDENTIAL_COOKIE, token, 7,
                         now_s, &subject);
}

static void lets_in_whom_a_clock_ahead_of_ours_has_just_signed(void **state)
{
    assert_int_equal(judge(*state, "s", NOW + LEEWAY, NOW), GH_GATE_OK);
    assert_int_equal(judge(*state, "s", NOW + LEEWAY + 1, NOW), GH_GATE_BAD);
}

static void lets_in_whom_a_clock_behind_ours_lets_in_still(void **state)
{
    assert_int_equal(judge(*state, "s", NOW - 900 - LEEWAY + 1, NOW), GH_GATE_OK);
    assert_int_equal(judge(*state, "s", NOW - 900 - LEEWAY, NOW), GH_GATE_EXPIRED);
}

/* Its place is full, and its revocation is one of those that are an instant by now. */
static void a_token_by_a_clock_ahead_is_no_younger_than_the_end_of_its_session(void **state)
{
    struct toys *toys = *state;
    char name[32];
    gh_revocations_add(toys->revocations, GH_STR("s"), NOW + 1000, NOW);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "x%d", i);
        gh_revocations_add(toys->revocations, gh_str_from_c(name), NOW + 1000, NOW);
    }
    for (unsigned ahead = 0; ahead <= LEEWAY; ahead++)
        assert_int_equal(judge(toys, "s", NOW + ahead, NOW), GH_GATE_REVOKED);
    assert_int_equal(judge(toys, "another", NOW + LEEWAY + 1, NOW + LEEWAY + 1), GH_GATE_OK);
}

static void is_blind_while_nobody_says_what_others_revoked(void **state)
{
    struct toys *toys = *state;
    assert_false(gh_gate_is_blind(toys->gate, 1));
    gh_revocations_share(toys->revocations, 1000);
    assert_true(gh_gate_is_blind(toys->gate, 1));
    gh_revocations_learned(toys->revocations, 1);
    assert_false(gh_gate_is_blind(toys->gate, 1001));
    assert_true(gh_gate_is_blind(toys->gate, 1002));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lets_in_whom_a_clock_ahead_of_ours_has_just_signed),
        TEST(lets_in_whom_a_clock_behind_ours_lets_in_still),
        TEST(a_token_by_a_clock_ahead_is_no_younger_than_the_end_of_its_session),
        TEST(is_blind_while_nobody_says_what_others_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
