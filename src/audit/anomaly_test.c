/* Floods of what outsiders choose, and odd records. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "audit/anomaly_fixture.h"

/* ---- Bounds ---- */

static void a_flood_of_networks_and_addresses_does_not_hide_an_attack(void **state)
{
    struct world *world = *state;
    char address[32];
    struct gh_anomaly_settings settings;
    gh_anomaly_defaults(&settings);
    settings.actions[GH_ANOMALY_PASSWORD_SPRAYING] = GH_ANOMALY_OFF;
    gh_anomaly_set(world->anomaly, &settings);
    fail_accounts(world, 0, 10, "203.0.113.9");
    for (unsigned i = 0; i < 20000; i++) /* 80 times what the table holds */
        fail_unknown(world, 1000 + i, numbered(address, "10", i));
    assert_int_equal(onsets(world), 0);
    fail_accounts(world, 10, 15, "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 1);
}

static void spraying_counts_no_more_than_its_table_holds(void **state)
{
    struct world *world = *state;
    char address[32];
    for (unsigned i = 0; i < 20000; i++)
        fail_unknown(world, i, numbered(address, "10", i));
    assert_int_equal(world->onsets[GH_ANOMALY_PASSWORD_SPRAYING], 1);
    fail_unknown(world, 30000, "10.0.0.1"); /* a network with two accounts: it is told */
    unsigned accounts = 0;
    assert_int_equal(sscanf(world->evidence, "{\"accounts_failed\":%u", &accounts), 1);
    assert_true(accounts > 30 && accounts <= 512);
    world->now_s += HOUR_S; /* and the count comes back to nothing */
    spray(world, 40000, 40029);
    assert_int_equal(world->onsets[GH_ANOMALY_PASSWORD_SPRAYING], 1);
    spray(world, 40029, 40030);
    assert_int_equal(world->onsets[GH_ANOMALY_PASSWORD_SPRAYING], 2);
}

static void a_flood_of_accounts_keeps_those_that_fail(void **state)
{
    struct world *world = *state;
    char name[32];
    for (unsigned i = 0; i < 10; i++)
        fail_of(world, "ann", "203.0.113.9");
    for (unsigned i = 0; i < 20000; i++)
        ask(world, numbered(name, "user", i), 1, 0);
    for (unsigned i = 0; i < 10; i++)
        fail_of(world, "ann", "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_BRUTE_FORCE], 1);
}

static void a_full_set_of_a_network_still_fires(void **state)
{
    struct world *world = *state;
    char name[32];
    for (unsigned i = 0; i < 5000; i++)
        sign_in(world, numbered(name, "user", i), "203.0.113.9");
    fail_accounts(world, 0, 255, "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 0);
    fail_accounts(world, 255, 300, "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 1);
}

/* ---- Odd input ---- */

static void metadata_that_are_no_json_are_nobodys_address(void **state)
{
    struct world *world = *state;
    const char *const ODD[] = {"",
                               "{",
                               "[]",
                               "null",
                               "{\"email\":3}",
                               "{\"email\":null}",
                               "{\"count\":-1}",
                               "{\"count\":1e9}"};
    for (unsigned i = 0; i < 8; i++)
        for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++)
            for (unsigned round = 0; round < 5; round++)
                feed(world, &(struct happened){(enum gh_audit_event)event, "", NULL, "no address",
                                               ODD[i], GH_AUDIT_FAILURE});
    assert_int_equal(onsets(world), 0);
}

static void a_clock_that_went_back_begins_anew(void **state)
{
    struct world *world = *state;
    world->now_s += 100 * DAY_S;
    fail_accounts(world, 0, 14, "203.0.113.9");
    world->now_s -= 100 * DAY_S;
    fail_accounts(world, 14, 28, "203.0.113.9");
    assert_int_equal(onsets(world), 0);
    world->now_s -= MINUTE_S; /* records of threads that overtook one another */
    fail_accounts(world, 28, 29, "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 1);
}

static void its_own_findings_are_nothing_to_look_at(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 100; i++)
        feed(world,
             &(struct happened){GH_AUDIT_ANOMALY_DETECTED, "ann", NULL, "192.0.2.1",
                                "{\"rule\":\"brute_force\",\"evidence\":{}}", GH_AUDIT_FAILURE});
    assert_int_equal(onsets(world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_flood_of_networks_and_addresses_does_not_hide_an_attack),
        CASE(spraying_counts_no_more_than_its_table_holds),
        CASE(a_flood_of_accounts_keeps_those_that_fail),
        CASE(a_full_set_of_a_network_still_fires),
        CASE(metadata_that_are_no_json_are_nobodys_address),
        CASE(a_clock_that_went_back_begins_anew),
        CASE(its_own_findings_are_nothing_to_look_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
