#include "identity/throttle.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/identity_fixture.h"

#define ALICE GH_STR("alice@example.com")
#define BOB   GH_STR("bob@example.com")

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

/* One try from somewhere. */
struct attempt {
    struct gh_identity_call call;
    struct gh_str email;
    struct gh_throttle_keys keys;
    bool admitted;
};

static struct attempt attempt_from(struct gh_identity_fixture *fixture, struct gh_str email,
                                   struct gh_str network, struct gh_str device)
{
    struct attempt attempt = {.call = gh_fixture_call(fixture), .email = email};
    attempt.call.network = network;
    attempt.call.device = device;
    gh_throttle_keys(&attempt.call, email, gh_device_cookie_is_of(&attempt.call, device, email, 0),
                     &attempt.keys);
    return attempt;
}

static struct gh_str network(struct gh_identity_fixture *fixture, unsigned number)
{
    return gh_arena_format(&fixture->arena, "10.0.%u.%u", number >> 8, number & 255);
}

/* From a network of its own, so that only the account counts. */
static struct attempt attempt_on(struct gh_identity_fixture *fixture, struct gh_str email)
{
    return attempt_from(fixture, email, network(fixture, (unsigned)fixture->drawn++),
                        (struct gh_str){NULL, 0});
}

static enum gh_err look(struct gh_tx *tx, void *args)
{
    struct attempt *attempt = args;
    attempt->admitted = gh_throttle_admits(tx, &attempt->call, &attempt->keys);
    return GH_OK;
}

static enum gh_err count_failure(struct gh_tx *tx, void *args)
{
    struct attempt *attempt = args;
    return gh_throttle_failed(tx, &attempt->call, &attempt->keys);
}

static enum gh_err count_success(struct gh_tx *tx, void *args)
{
    struct attempt *attempt = args;
    return gh_throttle_succeeded(tx, &attempt->call, &attempt->keys);
}

static enum gh_err forgive(struct gh_tx *tx, void *args)
{
    struct attempt *attempt = args;
    return gh_throttle_forgive(tx, &attempt->call, attempt->email);
}

static void run(struct gh_identity_fixture *fixture, gh_store_unit *unit, struct attempt *attempt)
{
    assert_int_equal(fixture->store->ops->run(fixture->store, unit, attempt, &fixture->arena),
                     GH_OK);
}

/* Seconds to wait; 0: admitted. */
static uint64_t wait_s(struct gh_identity_fixture *fixture, struct attempt attempt)
{
    attempt.call.now_us = fixture->now_us;
    assert_int_equal(fixture->store->ops->read(fixture->store, look, &attempt, &fixture->arena),
                     GH_OK);
    if (!attempt.admitted)
        assert_true(attempt.call.retry_after_s > 0);
    return attempt.admitted ? 0 : attempt.call.retry_after_s;
}

static void miss(struct gh_identity_fixture *fixture, struct gh_str email, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        struct attempt attempt = attempt_on(fixture, email);
        run(fixture, count_failure, &attempt);
    }
}

/* ---- Accounts ---- */

static void lets_five_failures_go_free(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    miss(fixture, ALICE, 5);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 0);
    miss(fixture, ALICE, 1);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 1);
}

static void doubles_the_delay_up_to_a_quarter_of_an_hour(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    miss(fixture, ALICE, 5);
    for (uint64_t expected = 1; expected < 900; expected *= 2) {
        miss(fixture, ALICE, 1);
        assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), expected);
    }
    for (unsigned i = 0; i < 100; i++) {
        miss(fixture, ALICE, 1);
        assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 900);
    }
}

static void admits_again_when_the_delay_is_over(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    miss(fixture, ALICE, 8);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 4);
    fixture->now_us += 4 * FIXTURE_SECOND - 1;
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 1);
    fixture->now_us += 1;
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 0);
}

static void counts_an_address_in_any_case_as_one(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    miss(fixture, ALICE, 6);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, GH_STR("ALICE@Example.com"))), 1);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, BOB)), 0);
}

static void forgets_a_day_after_the_last_failure(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    miss(fixture, ALICE, 20);
    fixture->now_us += FIXTURE_DAY - 1;
    miss(fixture, ALICE, 1);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 900);
    fixture->now_us += FIXTURE_DAY;
    miss(fixture, ALICE, 5);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 0);
}

static void forgives_by_a_success_and_by_an_admin(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    miss(fixture, ALICE, 9);
    struct attempt attempt = attempt_on(fixture, ALICE);
    run(fixture, count_success, &attempt);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 0);
    miss(fixture, ALICE, 9);
    assert_true(wait_s(fixture, attempt_on(fixture, ALICE)) > 0);
    run(fixture, forgive, &attempt);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 0);
}

static void survives_a_restart(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    miss(fixture, ALICE, 9);
    gh_identity_fixture_restart(fixture);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 8);
}

static void is_not_stuck_when_the_clock_is_set_back(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    miss(fixture, ALICE, 30);
    fixture->now_us -= 30 * FIXTURE_DAY;
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 0);
}

/* ---- Networks ---- */

static struct attempt from_office(struct gh_identity_fixture *fixture, struct gh_str email)
{
    return attempt_from(fixture, email, GH_STR("198.51.100.7"), (struct gh_str){NULL, 0});
}

static void fail_in_office(struct gh_identity_fixture *fixture, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        struct gh_str email = gh_arena_format(&fixture->arena, "user%u@example.com", i);
        struct attempt attempt = from_office(fixture, email);
        run(fixture, count_failure, &attempt);
    }
}

static void slows_a_network_that_tries_many_accounts(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    fail_in_office(fixture, 5);
    assert_int_equal(wait_s(fixture, from_office(fixture, ALICE)), 0);
    fail_in_office(fixture, 2);
    assert_int_equal(wait_s(fixture, from_office(fixture, ALICE)), 2);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 0);
}

static void does_not_forgive_a_network_by_a_success(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    fail_in_office(fixture, 7);
    struct attempt attempt = from_office(fixture, ALICE);
    run(fixture, count_success, &attempt);
    assert_int_equal(wait_s(fixture, from_office(fixture, ALICE)), 2);
}

static void forgets_the_slips_of_an_office_over_the_day(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    for (unsigned slip = 0; slip < 30; slip++) { /* a day's typing errors */
        fail_in_office(fixture, 1);
        assert_int_equal(wait_s(fixture, from_office(fixture, ALICE)), 0);
        fixture->now_us += 20 * FIXTURE_MINUTE;
    }
    fail_in_office(fixture, 12);
    assert_int_equal(wait_s(fixture, from_office(fixture, ALICE)), 64); /* 12 */
    fixture->now_us += 64 * FIXTURE_SECOND + 30 * FIXTURE_MINUTE;
    fail_in_office(fixture, 3);
    assert_int_equal(wait_s(fixture, from_office(fixture, ALICE)), 1); /* 3, and 3 */
}

static void forgets_nothing_of_a_network_that_comes_back_after_each_delay(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    fail_in_office(fixture, 16);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(wait_s(fixture, from_office(fixture, ALICE)), 900);
        fixture->now_us += 900 * FIXTURE_SECOND;
        fail_in_office(fixture, 1);
    }
}

static void forgets_nothing_of_an_account_within_the_day(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    miss(fixture, ALICE, 10);
    fixture->now_us += 10 * FIXTURE_HOUR;
    miss(fixture, ALICE, 1);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 32);
}

/* ---- Devices ---- */

static struct gh_str cookie_of(struct gh_identity_fixture *fixture, struct gh_str email)
{
    struct gh_identity_call call = gh_fixture_call(fixture);
    return gh_device_cookie_make(&call, email);
}

static void lets_the_owner_in_on_a_known_device(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str cookie = cookie_of(fixture, ALICE);
    miss(fixture, ALICE, 30);
    fail_in_office(fixture, 30);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 900);
    struct attempt owner = attempt_from(fixture, ALICE, GH_STR("198.51.100.7"), cookie);
    assert_true(owner.keys.by_device);
    assert_int_equal(wait_s(fixture, owner), 0);
}

static void gives_each_device_a_budget_of_its_own(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str first = cookie_of(fixture, ALICE), second = cookie_of(fixture, ALICE);
    for (unsigned i = 0; i < 7; i++) {
        struct attempt attempt = attempt_from(fixture, ALICE, network(fixture, i), first);
        run(fixture, count_failure, &attempt);
    }
    assert_int_equal(wait_s(fixture, attempt_from(fixture, ALICE, network(fixture, 99), first)), 2);
    assert_int_equal(wait_s(fixture, attempt_from(fixture, ALICE, network(fixture, 99), second)),
                     0);
    assert_int_equal(wait_s(fixture, attempt_on(fixture, ALICE)), 0);
}

static void refuses_a_cookie_of_another_account_or_a_changed_one(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_identity_call call = gh_fixture_call(fixture);
    struct gh_str cookie = cookie_of(fixture, ALICE);
    assert_true(gh_device_cookie_is_of(&call, cookie, ALICE, 0));
    assert_true(gh_device_cookie_is_of(&call, cookie, GH_STR("Alice@example.com"), 0));
    assert_false(gh_device_cookie_is_of(&call, cookie, BOB, 0));
    assert_false(gh_device_cookie_is_of(&call, (struct gh_str){NULL, 0}, ALICE, 0));
    assert_false(gh_device_cookie_is_of(&call, GH_STR(""), ALICE, 0));
    assert_false(gh_device_cookie_is_of(&call, GH_STR("not a cookie"), ALICE, 0));
    for (size_t i = 0; i < cookie.len; i++) {
        struct gh_str copy = gh_arena_dup(&fixture->arena, cookie);
        ((char *)copy.ptr)[i] = copy.ptr[i] == 'A' ? 'B' : 'A';
        assert_false(gh_device_cookie_is_of(&call, copy, ALICE, 0));
        assert_false(gh_device_cookie_is_of(&call, gh_str_first(cookie, i), ALICE, 0));
    }
}

static void forgets_a_device_after_180_days_and_after_a_new_password(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str cookie = cookie_of(fixture, ALICE);
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_true(gh_device_cookie_is_of(&call, cookie, ALICE, call.now_us));
    assert_false(gh_device_cookie_is_of(&call, cookie, ALICE, call.now_us + 1));
    call.now_us += 180 * FIXTURE_DAY - 1;
    assert_true(gh_device_cookie_is_of(&call, cookie, ALICE, 0));
    call.now_us++;
    assert_false(gh_device_cookie_is_of(&call, cookie, ALICE, 0));
}

static void knows_a_device_after_a_restart(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    struct gh_str cookie = cookie_of(fixture, ALICE);
    gh_identity_fixture_restart(fixture);
    struct gh_identity_call call = gh_fixture_call(fixture);
    assert_true(gh_device_cookie_is_of(&call, cookie, ALICE, 0));
}

/* ---- A spray over all accounts ---- */

static void spray(struct gh_identity_fixture *fixture, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        miss(fixture, gh_arena_format(&fixture->arena, "victim%u@example.com", i), 1);
}

static uint64_t wait_after_two_failures(struct gh_identity_fixture *fixture)
{
    struct gh_str fresh = network(fixture, 40000 + (unsigned)fixture->drawn++ % 20000);
    for (unsigned i = 0; i < 2; i++) {
        struct attempt attempt = attempt_from(fixture, ALICE, fresh, (struct gh_str){NULL, 0});
        run(fixture, count_failure, &attempt);
    }
    return wait_s(fixture, attempt_from(fixture, BOB, fresh, (struct gh_str){NULL, 0}));
}

static void slows_networks_after_one_failure_while_all_accounts_are_sprayed(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    assert_int_equal(wait_after_two_failures(fixture), 0);
    spray(fixture, 100);
    assert_int_equal(wait_after_two_failures(fixture), 1);
    fixture->now_us += FIXTURE_MINUTE; /* another minute: it is over */
    assert_int_equal(wait_after_two_failures(fixture), 0);
}

static void spares_a_single_failure_during_a_spray(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    spray(fixture, 150);
    struct gh_str fresh = GH_STR("203.0.113.9");
    struct attempt attempt = attempt_from(fixture, ALICE, fresh, (struct gh_str){NULL, 0});
    run(fixture, count_failure, &attempt);
    assert_int_equal(wait_s(fixture, attempt_from(fixture, BOB, fresh, (struct gh_str){NULL, 0})),
                     0);
}

static void still_sees_a_spray_after_an_hour_of_it(void **state)
{
    struct gh_identity_fixture *fixture = *state;
    for (unsigned minute = 0; minute < 60; minute++) {
        spray(fixture, 110);
        fixture->now_us += FIXTURE_MINUTE;
    }
    spray(fixture, 110);
    assert_int_equal(wait_after_two_failures(fixture), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lets_five_failures_go_free),
        TEST(doubles_the_delay_up_to_a_quarter_of_an_hour),
        TEST(admits_again_when_the_delay_is_over),
        TEST(counts_an_address_in_any_case_as_one),
        TEST(forgets_a_day_after_the_last_failure),
        TEST(forgives_by_a_success_and_by_an_admin),
        TEST(survives_a_restart),
        TEST(is_not_stuck_when_the_clock_is_set_back),
        TEST(slows_a_network_that_tries_many_accounts),
        TEST(does_not_forgive_a_network_by_a_success),
        TEST(forgets_the_slips_of_an_office_over_the_day),
        TEST(forgets_nothing_of_a_network_that_comes_back_after_each_delay),
        TEST(forgets_nothing_of_an_account_within_the_day),
        TEST(lets_the_owner_in_on_a_known_device),
        TEST(gives_each_device_a_budget_of_its_own),
        TEST(refuses_a_cookie_of_another_account_or_a_changed_one),
        TEST(forgets_a_device_after_180_days_and_after_a_new_password),
        TEST(knows_a_device_after_a_restart),
        TEST(slows_networks_after_one_failure_while_all_accounts_are_sprayed),
        TEST(spares_a_single_failure_during_a_spray),
        TEST(still_sees_a_spray_after_an_hour_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
