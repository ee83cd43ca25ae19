/* Rules about what callers do: what makes each fire, what just does not, what it forgets. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "audit/anomaly_fixture.h"

/* ---- Id scanning ---- */

static void deny(struct world *world, const char *user, const char *reason, unsigned count)
{
    char metadata[128];
    snprintf(metadata, sizeof(metadata),
             "{\"route\":\"/items/{id}\",\"reason\":\"%s\",\"count\":%u}", reason, count);
    feed(world, &(struct happened){GH_AUDIT_ACCESS_DENIED, user, NULL, "192.0.2.1", metadata,
                                   GH_AUDIT_FAILURE});
}

static void scanning_counts_coalesced_refusals(void **state)
{
    struct world *world = *state;
    deny(world, "ann", "not_owner", 1);
    deny(world, "ann", "not_owner", 28);
    assert_int_equal(onsets(world), 0);
    deny(world, "ann", "role_missing", 1);
    assert_int_equal(world->onsets[GH_ANOMALY_ID_SCANNING], 1);
    assert_string_equal(world->account, "ann");
    assert_true(evidence_says(world, "\"refused\":30"));
}

static void scanning_passes_over_strangers_who_are_not_signed_in(void **state)
{
    struct world *world = *state;
    deny(world, "", "not_signed_in", 100000);
    deny(world, "ann", "credential_expired", 100000);
    assert_int_equal(onsets(world), 0);
}

static void scanning_counts_missing_ids_by_their_share(void **state)
{
    struct world *world = *state;
    ask(world, "ann", 402, 199);
    assert_int_equal(onsets(world), 0);
    ask(world, "ann", 1, 1); /* 200 of 403: under a half */
    assert_int_equal(onsets(world), 0);
    ask(world, "bob", 400, 200);
    assert_int_equal(world->onsets[GH_ANOMALY_ID_SCANNING], 1);
    assert_true(evidence_says(world, "\"missing_percent\":50"));
}

static void scanning_forgets_after_an_hour(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 100; i++) {
        world->now_s += 10 * MINUTE_S;
        deny(world, "ann", "not_owner", 4);
        ask(world, "ann", 30, 30);
    }
    assert_int_equal(onsets(world), 0);
}

static void scanning_knows_a_caller_who_always_misses(void **state)
{
    struct world *world = *state;
    ask(world, "sync", 199, 199);
    world->now_s += DAY_S;
    ask(world, "sync", 795, 795);
    assert_int_equal(onsets(world), 0);
    ask(world, "sync", 1, 1); /* four times the usual */
    assert_int_equal(world->onsets[GH_ANOMALY_ID_SCANNING], 1);
    assert_true(evidence_says(world, "\"usual_missing\":199"));
}

static void scanning_of_nobody_is_its_networks(void **state)
{
    struct world *world = *state;
    ask(world, "", 999, 999);
    assert_int_equal(onsets(world), 0);
    ask(world, "", 1, 1);
    assert_int_equal(world->onsets[GH_ANOMALY_ID_SCANNING], 1);
    assert_string_equal(world->account, "");
    assert_string_equal(world->network, "192.0.2.0/24");
}

/* ---- Volume, exports ---- */

static void live_days(struct world *world, unsigned days)
{
    for (unsigned i = 0; i < days; i++) {
        ask(world, "ann", 500, 0);
        world->now_s += DAY_S;
    }
}

static void volume_fires_at_five_times_the_most_of_earlier_days(void **state)
{
    struct world *world = *state;
    live_days(world, 5);
    ask(world, "ann", 2499, 0);
    assert_int_equal(onsets(world), 0);
    ask(world, "ann", 1, 0);
    assert_int_equal(world->onsets[GH_ANOMALY_UNUSUAL_VOLUME], 1);
    assert_true(evidence_says(world, "\"usual_requests\":500"));
    assert_true(evidence_says(world, "\"days_known\":5"));
}

static void volume_says_nothing_before_it_knows_the_caller(void **state)
{
    struct world *world = *state;
    live_days(world, 4);
    ask(world, "ann", 1000000, 0);
    assert_int_equal(onsets(world), 0);
}

static void volume_forgets_days_after_five_weeks(void **state)
{
    struct world *world = *state;
    live_days(world, 5);
    world->now_s += 35 * DAY_S;
    ask(world, "ann", 1000000, 0);
    assert_int_equal(onsets(world), 0);
}

static void volume_is_nobodys_business_when_nobody_is_signed_in(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 10; i++) {
        ask(world, "", 10, 0);
        world->now_s += DAY_S;
    }
    ask(world, "", 1000000, 0);
    assert_int_equal(onsets(world), 0);
}

static void export_one(struct world *world, const char *actor)
{
    feed(world, &(struct happened){GH_AUDIT_DATA_EXPORT, "bob", actor, "192.0.2.1",
                                   "{\"record_count\":3}", GH_AUDIT_SUCCESS});
}

static void exports_are_counted_by_who_makes_them(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 14; i++)
        export_one(world, "ann");
    export_one(world, "bob");
    assert_int_equal(onsets(world), 0);
    export_one(world, "ann");
    assert_int_equal(world->onsets[GH_ANOMALY_EXPORT_SPREE], 1);
    assert_string_equal(world->account, "ann");
    assert_true(evidence_says(world, "\"exports\":15"));
}

static void exports_forget_after_a_day(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 100; i++) {
        world->now_s += DAY_S / 13;
        export_one(world, "ann");
    }
    assert_int_equal(onsets(world), 0);
}

static void a_month_with_many_exports_makes_them_usual(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 14; i++)
        export_one(world, "ann");
    world->now_s += 30 * DAY_S;
    for (unsigned i = 0; i < 27; i++)
        export_one(world, "ann");
    assert_int_equal(onsets(world), 0);
    export_one(world, "ann");
    assert_int_equal(world->onsets[GH_ANOMALY_EXPORT_SPREE], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(scanning_counts_coalesced_refusals),
        CASE(scanning_passes_over_strangers_who_are_not_signed_in),
        CASE(scanning_counts_missing_ids_by_their_share),
        CASE(scanning_forgets_after_an_hour),
        CASE(scanning_knows_a_caller_who_always_misses),
        CASE(scanning_of_nobody_is_its_networks),
        CASE(volume_fires_at_five_times_the_most_of_earlier_days),
        CASE(volume_says_nothing_before_it_knows_the_caller),
        CASE(volume_forgets_days_after_five_weeks),
        CASE(volume_is_nobodys_business_when_nobody_is_signed_in),
        CASE(exports_are_counted_by_who_makes_them),
        CASE(exports_forget_after_a_day),
        CASE(a_month_with_many_exports_makes_them_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
