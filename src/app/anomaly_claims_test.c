/* Every finding is recorded by somebody, and by one where that can be. */
#include "app/anomaly_claims.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

#define NOW  UINT64_C(1800000000000000)
#define WAIT GH_ANOMALY_CLAIM_WAIT_US
#define KEPT GH_ANOMALY_CLAIM_KEPT_US

static struct gh_anomaly_claims *claims;
static struct gh_anomaly_kept due;

static int open_claims(void **state)
{
    (void)state;
    claims = gh_anomaly_claims_new();
    return claims ? 0 : -1;
}

static int close_claims(void **state)
{
    (void)state;
    gh_anomaly_claims_free(claims);
    return 0;
}

static enum gh_anomaly_claim find_at(uint64_t key, unsigned place, uint64_t now_us)
{
    const struct gh_anomaly_kept kept = {.time_us = key};
    return gh_anomaly_claims_found(claims, key, place, now_us, &kept);
}

static void the_first_in_line_records_at_once(void **state)
{
    (void)state;
    assert_int_equal(find_at(1, 0, NOW), GH_ANOMALY_CLAIM_OURS);
    assert_false(gh_anomaly_claims_recorded(claims, 1, NOW));    /* its own record */
    assert_int_equal(find_at(1, 0, NOW), GH_ANOMALY_CLAIM_OURS); /* begins again */
    assert_false(gh_anomaly_claims_due(claims, NOW + 100 * WAIT, &due));
}

static void who_waits_records_what_nobody_did(void **state)
{
    (void)state;
    assert_int_equal(find_at(1, 1, NOW), GH_ANOMALY_CLAIM_WAITS);
    assert_int_equal(find_at(2, 1, NOW), GH_ANOMALY_CLAIM_WAITS);
    assert_true(gh_anomaly_claims_recorded(claims, 1, NOW + 1));
    assert_false(gh_anomaly_claims_due(claims, NOW + WAIT - 1, &due));
    assert_true(gh_anomaly_claims_due(claims, NOW + WAIT, &due));
    assert_int_equal(due.time_us, 2);
    assert_false(gh_anomaly_claims_due(claims, NOW + WAIT, &due));
    assert_false(gh_anomaly_claims_recorded(claims, 2, NOW + WAIT + 1)); /* its own record */
}

static void the_further_back_in_line_the_longer_up_to_a_bound(void **state)
{
    static const unsigned PLACES[] = {1, 2, 5, GH_ANOMALY_CLAIM_PLACE_MAX, 1000, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++) {
        unsigned places =
            PLACES[i] < GH_ANOMALY_CLAIM_PLACE_MAX ? PLACES[i] : GH_ANOMALY_CLAIM_PLACE_MAX;
        assert_int_equal(find_at(i, PLACES[i], NOW), GH_ANOMALY_CLAIM_WAITS);
        assert_false(gh_anomaly_claims_due(claims, NOW + places * WAIT - 1, &due));
        assert_true(gh_anomaly_claims_due(claims, NOW + places * WAIT, &due));
    }
}

static void a_record_excuses_one_finding_and_not_for_long(void **state)
{
    (void)state;
    assert_false(gh_anomaly_claims_recorded(claims, 1, NOW));
    assert_int_equal(find_at(1, 0, NOW + KEPT - 1), GH_ANOMALY_CLAIM_THEIRS);
    assert_int_equal(find_at(1, 0, NOW + KEPT - 1), GH_ANOMALY_CLAIM_OURS);
    assert_false(gh_anomaly_claims_recorded(claims, 2, NOW));
    assert_int_equal(find_at(2, 0, NOW + KEPT), GH_ANOMALY_CLAIM_OURS);
    assert_false(gh_anomaly_claims_recorded(claims, 3, NOW));
    assert_int_equal(find_at(3, 0, NOW - 1), GH_ANOMALY_CLAIM_OURS); /* the clock went back */
}

static void a_clock_that_goes_back_lets_nothing_wait_for_ever(void **state)
{
    (void)state;
    assert_int_equal(find_at(1, 1, NOW), GH_ANOMALY_CLAIM_WAITS);
    assert_true(gh_anomaly_claims_due(claims, NOW - 1, &due));
}

static void what_finds_no_room_to_wait_is_recorded(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < GH_ANOMALY_CLAIMS_MAX; i++)
        assert_false(gh_anomaly_claims_recorded(claims, 1000 + i, NOW));
    for (uint64_t i = 0; i < GH_ANOMALY_CLAIMS_MAX; i++) /* what only remembers makes room */
        assert_int_equal(find_at(i, 1, NOW + 1), GH_ANOMALY_CLAIM_WAITS);
    assert_int_equal(find_at(GH_ANOMALY_CLAIMS_MAX, 1, NOW + 1), GH_ANOMALY_CLAIM_OURS);
    assert_false(gh_anomaly_claims_recorded(claims, 5000, NOW + 1)); /* not remembered */
    bool seen[GH_ANOMALY_CLAIMS_MAX] = {false};
    for (size_t i = 0; i < GH_ANOMALY_CLAIMS_MAX; i++) {
        assert_true(gh_anomaly_claims_due(claims, NOW + 1 + WAIT, &due));
        assert_false(seen[due.time_us]);
        seen[due.time_us] = true;
    }
    assert_false(gh_anomaly_claims_due(claims, NOW + 1 + WAIT, &due));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_claims, close_claims)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_in_line_records_at_once),
        TEST(who_waits_records_what_nobody_did),
        TEST(the_further_back_in_line_the_longer_up_to_a_bound),
        TEST(a_record_excuses_one_finding_and_not_for_long),
        TEST(a_clock_that_goes_back_lets_nothing_wait_for_ever),
        TEST(what_finds_no_room_to_wait_is_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
