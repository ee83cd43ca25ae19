#include "identity/secret_status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"
#include "identity/rotation.h"

static const struct gh_secret_schedule SCHEDULE = {90 * FIXTURE_DAY, 30 * FIXTURE_DAY};

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

static struct gh_secret_status status_at(struct gh_identity_fixture *fixture, uint64_t now_us)
{
    struct gh_secret_status status;
    assert_int_equal(gh_secret_status(fixture->vault, fixture->identity.store, &SCHEDULE, now_us,
                                      &fixture->arena, &status),
                     GH_OK);
    return status;
}

/* The last of a purpose, which is the newest. */
static const struct gh_secret_state *find(const struct gh_secret_status *status,
                                          enum gh_secret_purpose purpose)
{
    size_t found = status->count;
    for (size_t i = 0; i < status->count; i++)
        if (status->secrets[i].purpose == purpose)
            found = i;
    assert_in_range(found, 0, status->count - 1);
    return &status->secrets[found];
}

static void keep_tokens(struct gh_identity_fixture *fixture, uint64_t now_us)
{
    struct gh_identity_keys keys;
    assert_int_equal(gh_identity_keys_maintain(fixture->identity.store, fixture->vault,
                                               &fixture->settings, &fixture->identity.random,
                                               now_us, &fixture->arena, &keys),
                     GH_OK);
    gh_identity_keys_done(&keys);
}

static void lists_every_key_with_what_it_is_for(void **state)
{
    struct gh_secret_status status = status_at(*state, FIXTURE_BEGIN_US);
    assert_int_equal(status.secrets[0].purpose, GH_SECRET_ROOT);
    assert_non_null(find(&status, GH_SECRET_FIELD));
    assert_non_null(find(&status, GH_SECRET_INDEX));
    assert_non_null(find(&status, GH_SECRET_COOKIE));
    assert_non_null(find(&status, GH_SECRET_SIGNING));
    assert_int_equal(status.overdue, 0);
    assert_false(status.unfinished);
}

static void the_root_and_the_field_key_are_due_after_so_long(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t due_us = FIXTURE_BEGIN_US + 90 * FIXTURE_DAY;
    keep_tokens(fixture, due_us - FIXTURE_DAY);
    struct gh_secret_status status = status_at(fixture, due_us - 1);
    assert_int_equal(status.overdue, 0);
    assert_int_equal(find(&status, GH_SECRET_ROOT)->due_us, due_us);
    status = status_at(fixture, due_us);
    assert_int_equal(status.overdue, 2);
    assert_true(find(&status, GH_SECRET_ROOT)->overdue);
    assert_true(find(&status, GH_SECRET_FIELD)->overdue);
}

static void the_index_key_is_never_due(void **state)
{
    struct gh_secret_status status = status_at(*state, FIXTURE_BEGIN_US + 4000 * FIXTURE_DAY);
    assert_int_equal(find(&status, GH_SECRET_INDEX)->due_us, 0);
    assert_false(find(&status, GH_SECRET_INDEX)->overdue);
}

static void signing_keys_are_overdue_a_day_behind_their_own_schedule(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t due_us = FIXTURE_BEGIN_US + 30 * FIXTURE_DAY;
    struct gh_secret_status status = status_at(fixture, due_us + FIXTURE_DAY - 1);
    assert_int_equal(status.overdue, 0);
    status = status_at(fixture, due_us + FIXTURE_DAY);
    assert_int_equal(status.overdue, 2);
    keep_tokens(fixture, due_us + FIXTURE_DAY);
    status = status_at(fixture, due_us + FIXTURE_DAY);
    assert_int_equal(status.overdue, 0);
}

static void a_rotation_makes_them_young_again_and_shows_the_retired_one(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    uint64_t now_us = FIXTURE_BEGIN_US + 100 * FIXTURE_DAY;
    bool changed;
    keep_tokens(fixture, now_us);
    assert_int_equal(status_at(fixture, now_us).overdue, 2);
    assert_int_equal(gh_rotation_begin(fixture->vault, fixture->identity.store,
                                       GH_STR("another root secret of the tests"), now_us,
                                       &fixture->arena, &changed),
                     GH_OK);
    struct gh_secret_status status = status_at(fixture, now_us);
    assert_int_equal(status.overdue, 0);
    assert_false(status.unfinished);
    assert_int_equal(status.secrets[0].since_us, now_us);
    assert_int_equal(status.secrets[1].purpose, GH_SECRET_FIELD);
    assert_true(status.secrets[1].retired);
    assert_int_equal(status.secrets[1].due_us, 0);
    assert_false(status.secrets[2].retired);
    assert_int_equal(status.secrets[2].since_us, now_us);
}

static void a_root_that_no_field_key_followed_is_told(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    bool changed;
    assert_int_equal(gh_vault_set_root(fixture->vault, fixture->identity.store,
                                       GH_STR("another root secret of the tests"),
                                       FIXTURE_BEGIN_US + 1, &fixture->arena, &changed),
                     GH_OK);
    assert_true(status_at(fixture, FIXTURE_BEGIN_US + 2).unfinished);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_every_key_with_what_it_is_for),
        TEST(the_root_and_the_field_key_are_due_after_so_long),
        TEST(the_index_key_is_never_due),
        TEST(signing_keys_are_overdue_a_day_behind_their_own_schedule),
        TEST(a_rotation_makes_them_young_again_and_shows_the_retired_one),
        TEST(a_root_that_no_field_key_followed_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
