#include "session/revocation.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#define NOW      1700000000u
#define LIFETIME 960

static const struct gh_hash_key KEY = {11, 12};

static struct gh_str name_of(char memory[32], uint64_t n)
{
    int len = snprintf(memory, 32, "session-%llu", (unsigned long long)n);
    return gh_str_of(memory, (size_t)len);
}

static bool has(const struct gh_revocations *revocations, uint64_t n, uint64_t issued_s,
                uint64_t now_s)
{
    char memory[32];
    return gh_revocations_has(revocations, name_of(memory, n), issued_s, now_s);
}

static void add(struct gh_revocations *revocations, uint64_t n, uint64_t now_s)
{
    char memory[32];
    gh_revocations_add(revocations, name_of(memory, n), now_s + LIFETIME, now_s);
}

static void refuses_what_was_revoked_and_nothing_else(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(64, KEY);
    assert_false(has(revocations, 1, NOW, NOW));
    assert_false(has(revocations, 1, 0, NOW));
    add(revocations, 1, NOW);
    assert_true(has(revocations, 1, NOW - 5, NOW));
    /* Its id is dead: a token of it from later is no better. */
    assert_true(has(revocations, 1, NOW + 5, NOW + 5));
    for (uint64_t n = 2; n < 1000; n++)
        assert_false(has(revocations, n, NOW - 5, NOW));
    assert_false(gh_revocations_has(revocations, GH_STR("session-"), NOW, NOW));
    assert_false(gh_revocations_has(revocations, GH_STR(""), NOW, NOW));
    assert_int_equal(gh_revocations_count(revocations), 1);
    gh_revocations_free(revocations);
}

static void stays_until_the_last_token_has_expired(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(64, KEY);
    add(revocations, 1, NOW);
    assert_true(has(revocations, 1, NOW, NOW + LIFETIME));
    assert_false(has(revocations, 1, NOW, NOW + LIFETIME + 1));
    gh_revocations_free(revocations);
}

static void the_later_end_counts(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(64, KEY);
    struct gh_str id = GH_STR("s");
    gh_revocations_add(revocations, id, NOW + 100, NOW);
    uint64_t version = gh_revocations_version(revocations);
    gh_revocations_add(revocations, id, NOW + 50, NOW + 1);
    gh_revocations_add(revocations, id, NOW + 100, NOW + 1);
    assert_int_equal(gh_revocations_version(revocations), version);
    assert_true(gh_revocations_has(revocations, id, NOW, NOW + 100));
    gh_revocations_add(revocations, id, NOW + 150, NOW + 2);
    assert_true(gh_revocations_version(revocations) > version);
    assert_true(gh_revocations_has(revocations, id, NOW, NOW + 150));
    assert_int_equal(gh_revocations_count(revocations), 1);
    gh_revocations_free(revocations);
}

static void what_has_expired_is_not_taken_up(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(64, KEY);
    gh_revocations_add(revocations, GH_STR("s"), NOW - 1, NOW);
    assert_int_equal(gh_revocations_count(revocations), 0);
    assert_int_equal(gh_revocations_version(revocations), 0);
    gh_revocations_free(revocations);
}

/* Whatever is forgotten: no token of a session that ended is ever let through. */
static void a_full_table_refuses_too_much_rather_than_too_little(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(64, KEY);
    for (uint64_t n = 0; n < 5000; n++) {
        add(revocations, n, NOW + n / 100);
        for (uint64_t k = 0; k <= n; k += 37)
            assert_true(has(revocations, k, NOW + k / 100, NOW + n / 100));
    }
    assert_true(gh_revocations_count(revocations) <= 64 / 4 * 7);
    gh_revocations_free(revocations);
}

static void honest_sessions_get_in_again_after_a_refresh(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(64, KEY);
    size_t refused = 0;
    for (uint64_t n = 0; n < 5000; n++)
        add(revocations, n, NOW);
    for (uint64_t n = 100000; n < 101000; n++) {
        refused += has(revocations, n, NOW - 10, NOW + 1);
        assert_false(has(revocations, n, NOW + 1, NOW + 1));
    }
    assert_true(refused > 900);
    gh_revocations_free(revocations);
}

static void a_table_up_to_its_capacity_hardly_folds(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(4096, KEY);
    size_t refused = 0;
    for (uint64_t n = 0; n < 2048; n++)
        add(revocations, n, NOW);
    for (uint64_t n = 100000; n < 110000; n++)
        refused += has(revocations, n, NOW - 10, NOW + 1);
    assert_true(refused < 100);
    gh_revocations_free(revocations);
}

static void expired_sessions_make_room(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(64, KEY);
    for (uint64_t n = 0; n < 5000; n++)
        add(revocations, n, NOW + n / 16 * (LIFETIME + 1));
    uint64_t now_s = NOW + 5000 / 16 * (LIFETIME + 1);
    for (uint64_t n = 100000; n < 101000; n++)
        assert_false(has(revocations, n, NOW + 10, now_s));
    gh_revocations_free(revocations);
}

static void the_smallest_and_an_absurd_capacity(void **state)
{
    struct gh_revocations *one = gh_revocations_new(1, KEY);
    assert_non_null(one);
    add(one, 1, NOW);
    assert_true(has(one, 1, NOW, NOW));
    gh_revocations_free(one);
    gh_revocations_free(NULL);
    assert_null(gh_revocations_new(SIZE_MAX, KEY));
}

static void is_always_current_where_nobody_else_revokes(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(64, KEY);
    assert_true(gh_revocations_is_current(revocations, 0));
    assert_true(gh_revocations_is_current(revocations, UINT64_MAX));
    gh_revocations_free(revocations);
}

static void is_current_for_as_long_as_was_learned(void **state)
{
    struct gh_revocations *revocations = gh_revocations_new(64, KEY);
    gh_revocations_share(revocations, 1000);
    assert_false(gh_revocations_is_current(revocations, 0));
    assert_false(gh_revocations_is_current(revocations, 5000));
    gh_revocations_learned(revocations, 5000);
    assert_true(gh_revocations_is_current(revocations, 4999));
    assert_true(gh_revocations_is_current(revocations, 6000));
    assert_false(gh_revocations_is_current(revocations, 6001));
    gh_revocations_learned(revocations, 4000); /* a slow reading that ends late */
    assert_true(gh_revocations_is_current(revocations, 6000));
    gh_revocations_learned(revocations, 6000);
    assert_true(gh_revocations_is_current(revocations, 7000));
    add(revocations, 1, NOW); /* what this process ends says nothing of others */
    assert_false(gh_revocations_is_current(revocations, 7001));
    gh_revocations_free(revocations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_was_revoked_and_nothing_else),
        cmocka_unit_test(stays_until_the_last_token_has_expired),
        cmocka_unit_test(the_later_end_counts),
        cmocka_unit_test(what_has_expired_is_not_taken_up),
        cmocka_unit_test(a_full_table_refuses_too_much_rather_than_too_little),
        cmocka_unit_test(honest_sessions_get_in_again_after_a_refresh),
        cmocka_unit_test(a_table_up_to_its_capacity_hardly_folds),
        cmocka_unit_test(expired_sessions_make_room),
        cmocka_unit_test(the_smallest_and_an_absurd_capacity),
        cmocka_unit_test(is_always_current_where_nobody_else_revokes),
        cmocka_unit_test(is_current_for_as_long_as_was_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
