#include "identity/keys.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"

#define ROTATE_US (30 * FIXTURE_DAY)

static int setup(void **state)
{
    static struct gh_identity_fixture fixture;
    gh_identity_fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    gh_identity_fixture_close(*state);
    return 0;
}

/* The keys at a time; those before are given back. */
static const struct gh_identity_keys *keys_at(struct gh_identity_fixture *fixture, uint64_t now_us)
{
    struct gh_identity_keys keys;
    assert_int_equal(gh_identity_keys_maintain(fixture->identity.store, fixture->vault,
                                               &fixture->settings, &fixture->identity.random,
                                               now_us, &fixture->arena, &keys),
                     GH_OK);
    gh_identity_keys_done(&fixture->keys);
    fixture->keys = keys;
    return &fixture->keys;
}

static struct gh_str kid_at(struct gh_identity_fixture *fixture, uint64_t now_us)
{
    return gh_arena_dup(&fixture->arena, keys_at(fixture, now_us)->ring.keys[0].kid);
}

static bool has_kid(const struct gh_token_key_set *set, struct gh_str kid)
{
    for (size_t i = 0; i < set->count; i++)
        if (gh_str_eq(set->keys[i].kid, kid))
            return true;
    return false;
}

static void makes_one_key_of_each_kind_at_first(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    assert_true(fixture->keys.changed);
    assert_int_equal(fixture->keys.cookie.count, 1);
    assert_int_equal(fixture->keys.cookie.keys[0].alg, GH_TOKEN_HS256);
    assert_int_equal(fixture->keys.cookie.keys[0].secret.len, GH_KEY_BYTES);
    assert_true(fixture->keys.cookie.keys[0].kid.len > 0);
    assert_int_equal(fixture->keys.ring.count, 1);
    assert_int_equal(fixture->keys.ring.keys[0].alg, GH_TOKEN_EDDSA);
    assert_true(gh_pkey_is_private(fixture->keys.ring.keys[0].pkey));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SECRET_ROTATED, NULL), 0);
}

static void gives_the_same_keys_until_they_are_due(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str kid = gh_arena_dup(&fixture->arena, fixture->keys.ring.keys[0].kid);
    struct gh_str secret = gh_arena_dup(&fixture->arena, fixture->keys.cookie.keys[0].secret);
    const struct gh_identity_keys *keys = keys_at(fixture, FIXTURE_BEGIN_US + ROTATE_US - 1);
    assert_false(keys->changed);
    assert_int_equal(keys->ring.count, 1);
    assert_true(gh_str_eq(keys->ring.keys[0].kid, kid));
    assert_true(gh_str_eq(keys->cookie.keys[0].secret, secret));
}

static void publishes_a_new_key_before_it_signs(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t due_us = FIXTURE_BEGIN_US + ROTATE_US;
    struct gh_str old = gh_arena_dup(&fixture->arena, fixture->keys.ring.keys[0].kid);
    const struct gh_identity_keys *keys = keys_at(fixture, due_us);
    assert_true(keys->changed);
    assert_int_equal(keys->ring.count, 2);
    assert_true(gh_str_eq(keys->ring.keys[0].kid, old));
    struct gh_str next = gh_arena_dup(&fixture->arena, keys->ring.keys[1].kid);
    keys = keys_at(fixture, due_us + 10 * FIXTURE_MINUTE - 1);
    assert_false(keys->changed);
    assert_true(gh_str_eq(keys->ring.keys[0].kid, old));
    keys = keys_at(fixture, due_us + 10 * FIXTURE_MINUTE);
    assert_true(keys->changed);
    assert_true(gh_str_eq(keys->ring.keys[0].kid, next));
    assert_true(has_kid(&keys->ring, old));
}

static void rotates_the_secret_of_cookies_likewise(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t due_us = FIXTURE_BEGIN_US + ROTATE_US;
    struct gh_str old = gh_arena_dup(&fixture->arena, fixture->keys.cookie.keys[0].kid);
    keys_at(fixture, due_us);
    const struct gh_identity_keys *keys = keys_at(fixture, due_us + 10 * FIXTURE_MINUTE);
    assert_int_equal(keys->cookie.count, 2);
    assert_false(gh_str_eq(keys->cookie.keys[0].kid, old));
    assert_true(has_kid(&keys->cookie, old));
}

static void keeps_an_old_key_for_a_token_life_and_a_day(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str old = gh_arena_dup(&fixture->arena, fixture->keys.ring.keys[0].kid);
    uint64_t signs_us = FIXTURE_BEGIN_US + ROTATE_US + 10 * FIXTURE_MINUTE;
    uint64_t over_us = signs_us + FIXTURE_DAY + 15 * FIXTURE_MINUTE;
    keys_at(fixture, FIXTURE_BEGIN_US + ROTATE_US);
    keys_at(fixture, signs_us);
    assert_true(has_kid(&keys_at(fixture, over_us - 1)->ring, old));
    const struct gh_identity_keys *keys = keys_at(fixture, over_us);
    assert_true(keys->changed);
    assert_false(has_kid(&keys->ring, old));
    assert_int_equal(keys->ring.count, 1);
    assert_int_equal(keys->cookie.count, 1);
}

static void audits_each_rotation_once(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_audit_record record;
    uint64_t due_us = FIXTURE_BEGIN_US + ROTATE_US;
    keys_at(fixture, due_us);
    keys_at(fixture, due_us + 1);
    keys_at(fixture, due_us + 10 * FIXTURE_MINUTE);
    /* one for cookies, one for the ring */
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SECRET_ROTATED, &record), 2);
    assert_true(gh_str_starts_with(record.metadata, GH_STR("{\"purpose\":")));
}

static void is_the_same_for_a_node_that_comes_later(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str kid = kid_at(fixture, FIXTURE_BEGIN_US + 1);
    gh_identity_fixture_restart(fixture);
    assert_false(fixture->keys.changed);
    assert_true(gh_str_eq(fixture->keys.ring.keys[0].kid, kid));
}

static void overlaps_when_the_algorithm_changes(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t now_us = FIXTURE_BEGIN_US + FIXTURE_HOUR;
    fixture->settings.tokens.algorithm = GH_TOKEN_ES256;
    const struct gh_identity_keys *keys = keys_at(fixture, now_us);
    assert_int_equal(keys->ring.count, 2);
    assert_int_equal(keys->ring.keys[0].alg, GH_TOKEN_EDDSA);
    assert_int_equal(keys->ring.keys[1].alg, GH_TOKEN_ES256);
    keys = keys_at(fixture, now_us + 10 * FIXTURE_MINUTE);
    assert_int_equal(keys->ring.keys[0].alg, GH_TOKEN_ES256);
    assert_int_equal(keys->ring.keys[1].alg, GH_TOKEN_EDDSA);
    keys = keys_at(fixture, now_us + 2 * FIXTURE_DAY);
    assert_int_equal(keys->ring.count, 1);
}

static void signs_with_what_is_wanted_after_a_change_and_back(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t now_us = FIXTURE_BEGIN_US + FIXTURE_HOUR;
    fixture->settings.tokens.algorithm = GH_TOKEN_ES256;
    keys_at(fixture, now_us);
    fixture->settings.tokens.algorithm = GH_TOKEN_EDDSA;
    assert_int_equal(keys_at(fixture, now_us + FIXTURE_MINUTE)->ring.keys[0].alg, GH_TOKEN_EDDSA);
    assert_int_equal(keys_at(fixture, now_us + FIXTURE_HOUR)->ring.keys[0].alg, GH_TOKEN_EDDSA);
    assert_int_equal(keys_at(fixture, now_us + 2 * FIXTURE_DAY)->ring.count, 1);
}

static void holds_secrets_in_the_ring_for_hs256(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    fixture->settings.tokens.algorithm = GH_TOKEN_HS256;
    keys_at(fixture, FIXTURE_BEGIN_US + FIXTURE_HOUR);
    const struct gh_identity_keys *keys = keys_at(fixture, FIXTURE_BEGIN_US + 2 * FIXTURE_HOUR);
    assert_int_equal(keys->ring.keys[0].alg, GH_TOKEN_HS256);
    assert_int_equal(keys->ring.keys[0].secret.len, GH_KEY_BYTES);
    assert_null(keys->ring.keys[0].pkey);
    assert_false(gh_str_eq(keys->ring.keys[0].secret, keys->cookie.keys[0].secret));
}

static void rotates_a_key_that_was_made_under_a_wrong_clock(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str old = gh_arena_dup(&fixture->arena, fixture->keys.ring.keys[0].kid);
    uint64_t before_us = FIXTURE_BEGIN_US - 365 * FIXTURE_DAY;
    const struct gh_identity_keys *keys = keys_at(fixture, before_us);
    assert_true(gh_str_eq(keys->ring.keys[0].kid, old)); /* it signs as there is no other */
    assert_int_equal(keys->ring.count, 2);
    assert_int_equal(keys_at(fixture, before_us + 1)->ring.count, 2);
    keys = keys_at(fixture, before_us + 10 * FIXTURE_MINUTE);
    assert_false(gh_str_eq(keys->ring.keys[0].kid, old));
}

static void says_so_when_the_store_fails(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_identity_keys keys;
    gh_fixture_store_fail(fixture->store, 1, GH_ERR_FULL);
    assert_int_equal(gh_identity_keys_maintain(fixture->identity.store, fixture->vault,
                                               &fixture->settings, &fixture->identity.random,
                                               FIXTURE_BEGIN_US + ROTATE_US, &fixture->arena,
                                               &keys),
                     GH_ERR_FULL);
    /* the next try makes good for it */
    assert_int_equal(keys_at(fixture, FIXTURE_BEGIN_US + ROTATE_US + 1)->ring.count, 2);
}

static bool rotate_at(struct gh_identity_fixture *fixture, uint64_t now_us)
{
    bool made = false;
    assert_int_equal(gh_identity_keys_rotate(fixture->identity.store, fixture->vault,
                                             &fixture->settings, &fixture->identity.random, now_us,
                                             &fixture->arena, &made),
                     GH_OK);
    return made;
}

static void rotates_before_it_is_due_when_told_to(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t at_us = FIXTURE_BEGIN_US + FIXTURE_HOUR;
    struct gh_str old = kid_at(fixture, at_us);
    assert_true(rotate_at(fixture, at_us));
    const struct gh_identity_keys *keys = keys_at(fixture, at_us);
    assert_int_equal(keys->ring.count, 2); /* published, and signs not yet */
    assert_int_equal(keys->cookie.count, 2);
    assert_true(gh_str_eq(keys->ring.keys[0].kid, old));
    keys = keys_at(fixture, at_us + 10 * FIXTURE_MINUTE);
    assert_false(gh_str_eq(keys->ring.keys[0].kid, old));
    assert_true(has_kid(&keys->ring, old));
    assert_int_equal(gh_fixture_audit_count(fixture, GH_AUDIT_SECRET_ROTATED, NULL), 2);
}

static void makes_no_second_one_while_the_next_waits(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t at_us = FIXTURE_BEGIN_US + FIXTURE_HOUR;
    assert_true(rotate_at(fixture, at_us));
    assert_false(rotate_at(fixture, at_us + 10 * FIXTURE_MINUTE - 1));
    assert_int_equal(keys_at(fixture, at_us + 1)->ring.count, 2);
    assert_true(rotate_at(fixture, at_us + 10 * FIXTURE_MINUTE));
}

static void told_too_often_no_key_is_pushed_out_of_the_set(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t at_us = FIXTURE_BEGIN_US + FIXTURE_HOUR;
    struct gh_str old = kid_at(fixture, at_us);
    for (unsigned i = 0; i < 2 * GH_TOKEN_SET_KEYS_MAX; i++, at_us += 10 * FIXTURE_MINUTE)
        rotate_at(fixture, at_us);
    assert_true(has_kid(&keys_at(fixture, at_us)->ring, old));
}

static void tells_other_keys_from_the_same(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_identity_keys before, after;
    uint64_t at_us = FIXTURE_BEGIN_US + FIXTURE_HOUR;
    const struct gh_identity *identity = &fixture->identity;
    assert_int_equal(gh_identity_keys_maintain(identity->store, fixture->vault, &fixture->settings,
                                               &identity->random, at_us, &fixture->arena, &before),
                     GH_OK);
    assert_true(gh_identity_keys_are_same(&before, &before));
    rotate_at(fixture, at_us);
    assert_int_equal(gh_identity_keys_maintain(identity->store, fixture->vault, &fixture->settings,
                                               &identity->random, at_us, &fixture->arena, &after),
                     GH_OK);
    assert_false(after.changed); /* it made none itself */
    assert_false(gh_identity_keys_are_same(&before, &after));
    gh_identity_keys_done(&before);
    gh_identity_keys_done(&after);
}

static void a_key_made_while_the_root_changes_is_wrapped_under_the_new_one(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str message, root = GH_STR("another root secret of the tests, long");
    struct gh_vault *vault;
    bool changed;
    rotate_at(fixture, FIXTURE_BEGIN_US + FIXTURE_HOUR);
    assert_int_equal(gh_vault_set_root(fixture->vault, fixture->identity.store, root,
                                       FIXTURE_BEGIN_US, &fixture->arena, &changed),
                     GH_OK);
    rotate_at(fixture, FIXTURE_BEGIN_US + 2 * FIXTURE_HOUR);
    assert_int_equal(gh_vault_open(fixture->identity.store, &root, 1, &fixture->identity.random,
                                   FIXTURE_BEGIN_US, &fixture->arena, &vault, &message),
                     GH_OK);
    gh_vault_close(vault);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(makes_one_key_of_each_kind_at_first),
        TEST(gives_the_same_keys_until_they_are_due),
        TEST(publishes_a_new_key_before_it_signs),
        TEST(rotates_the_secret_of_cookies_likewise),
        TEST(keeps_an_old_key_for_a_token_life_and_a_day),
        TEST(audits_each_rotation_once),
        TEST(is_the_same_for_a_node_that_comes_later),
        TEST(overlaps_when_the_algorithm_changes),
        TEST(signs_with_what_is_wanted_after_a_change_and_back),
        TEST(holds_secrets_in_the_ring_for_hs256),
        TEST(rotates_a_key_that_was_made_under_a_wrong_clock),
        TEST(says_so_when_the_store_fails),
        TEST(rotates_before_it_is_due_when_told_to),
        TEST(makes_no_second_one_while_the_next_waits),
        TEST(told_too_often_no_key_is_pushed_out_of_the_set),
        TEST(tells_other_keys_from_the_same),
        TEST(a_key_made_while_the_root_changes_is_wrapped_under_the_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
