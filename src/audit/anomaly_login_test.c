/* Rules about signing in: what makes each fire, what just does not, what it forgets. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "audit/anomaly_fixture.h"

/* ---- Credential stuffing ---- */

static void stuffing_fires_at_the_fifteenth_account_of_a_network(void **state)
{
    struct world *world = *state;
    fail_accounts(world, 0, 14, "203.0.113.9");
    assert_int_equal(onsets(world), 0);
    fail_accounts(world, 14, 15, "203.0.113.200");
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 1);
    assert_string_equal(world->network, "203.0.113.0/24");
    assert_string_equal(world->account, "");
    assert_true(evidence_says(world, "\"accounts_failed\":15"));
    assert_true(evidence_says(world, "\"failures_of_unknown\":15"));
    assert_true(evidence_says(world, "\"threshold_accounts\":15"));
    assert_true(evidence_says(world, "\"window_s\":21600"));
}

static void stuffing_is_not_one_account_that_fails_fifteen_times(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 15; i++)
        fail_unknown(world, 1, "203.0.113.9");
    assert_int_equal(onsets(world), 0);
}

static void stuffing_takes_letters_of_either_case_for_one_account(void **state)
{
    struct world *world = *state;
    char metadata[64];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(metadata, sizeof(metadata), "{\"email\":\"%c%c@x.org\",\"reason\":\"unknown\"}",
                 i % 2 ? 'a' : 'A', i % 4 / 2 ? 'b' : 'B');
        feed(world, &(struct happened){GH_AUDIT_LOGIN_FAILED, "", NULL, "203.0.113.9", metadata,
                                       GH_AUDIT_FAILURE});
    }
    assert_int_equal(onsets(world), 0);
}

static void stuffing_forgets_accounts_that_get_in_from_there(void **state)
{
    struct world *world = *state;
    char name[32];
    for (unsigned i = 0; i < 100; i++) { /* Monday morning */
        world->now_s += 20;
        fail_of(world, numbered(name, "user", i), "203.0.113.9");
        sign_in(world, name, "203.0.113.9");
    }
    assert_int_equal(onsets(world), 0);
}

static void stuffing_needs_its_share_behind_a_shared_address(void **state)
{
    struct world *world = *state;
    char name[32];
    for (unsigned i = 0; i < 120; i++)
        sign_in(world, numbered(name, "user", i), "203.0.113.9");
    fail_accounts(world, 0, 20, "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 0);
    fail_accounts(world, 20, 60, "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 1);
}

static void stuffing_is_of_one_network(void **state)
{
    struct world *world = *state;
    fail_accounts(world, 0, 14, "203.0.113.9");
    fail_accounts(world, 14, 28, "203.0.114.9");
    assert_int_equal(onsets(world), 0);
}

static void stuffing_takes_an_ipv6_site_for_one_network(void **state)
{
    struct world *world = *state;
    char address[64];
    for (unsigned i = 0; i < 15; i++) {
        snprintf(address, sizeof(address), "2001:db8:0:%x::1", i);
        fail_unknown(world, i, address);
    }
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 1);
    assert_string_equal(world->network, "2001:db8::/56");
}

static void stuffing_forgets_failures_after_its_window(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 100; i++) {
        world->now_s += 6 * HOUR_S / 14 + 1;
        fail_unknown(world, i, "203.0.113.9");
    }
    assert_int_equal(onsets(world), 0);
}

static void a_finding_is_told_once_until_it_was_quiet(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 200; i++) {
        world->now_s += 10 * MINUTE_S; /* for 33 hours */
        fail_unknown(world, i, "203.0.113.9");
    }
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 1);
    assert_int_equal(world->more[GH_ANOMALY_CREDENTIAL_STUFFING], 200 - 15);
    world->now_s += 6 * HOUR_S;
    fail_accounts(world, 1000, 1015, "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_CREDENTIAL_STUFFING], 2);
}

static void a_rule_that_is_off_says_nothing(void **state)
{
    struct world *world = *state;
    struct gh_anomaly_settings settings;
    gh_anomaly_defaults(&settings);
    settings.actions[GH_ANOMALY_CREDENTIAL_STUFFING] = GH_ANOMALY_OFF;
    gh_anomaly_set(world->anomaly, &settings);
    fail_accounts(world, 0, 25, "203.0.113.9");
    assert_int_equal(onsets(world), 0);
}

/* ---- Password spraying ---- */

static void spraying_fires_at_thirty_accounts_whatever_their_networks(void **state)
{
    struct world *world = *state;
    spray(world, 0, 29);
    assert_int_equal(onsets(world), 0);
    spray(world, 29, 30);
    assert_int_equal(world->onsets[GH_ANOMALY_PASSWORD_SPRAYING], 1);
    assert_true(evidence_says(world, "\"accounts_failed\":30"));
    assert_true(evidence_says(world, "\"usual_accounts\":0"));
    assert_string_equal(world->network, ""); /* none takes part for certain */
}

static void spraying_names_networks_that_take_part(void **state)
{
    struct world *world = *state;
    spray(world, 0, 40);
    spray(world, 7, 8);
    assert_string_equal(world->network, "");
    fail_unknown(world, 1000, "10.0.7.3"); /* a second account from there */
    assert_string_equal(world->network, "10.0.7.0/24");
    assert_int_equal(world->onsets[GH_ANOMALY_PASSWORD_SPRAYING], 1);
}

static void spraying_forgets_after_an_hour(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 200; i++) {
        world->now_s += HOUR_S / 28;
        spray(world, i, i + 1);
    }
    assert_int_equal(onsets(world), 0);
}

static void spraying_leaves_out_accounts_that_fail_often(void **state)
{
    struct world *world = *state;
    for (unsigned round = 0; round < 6; round++)
        spray(world, 0, 29);
    spray(world, 29, 58);
    assert_int_equal(onsets(world), 0);
}

static void spraying_leaves_out_accounts_that_get_in(void **state)
{
    struct world *world = *state;
    char name[32], address[32];
    for (unsigned i = 0; i < 100; i++) {
        numbered(address, "10", i);
        fail_of(world, numbered(name, "user", i), address);
        sign_in(world, name, address);
    }
    assert_int_equal(onsets(world), 0);
}

static void spraying_knows_what_is_usual_at_this_hour(void **state)
{
    struct world *world = *state;
    for (unsigned day = 0; day < 3; day++) {
        spray(world, 100 * day, 100 * day + 20);
        world->now_s += DAY_S;
    }
    spray(world, 1000, 1059);
    assert_int_equal(onsets(world), 0);
    spray(world, 1059, 1060); /* three times 20 */
    assert_int_equal(world->onsets[GH_ANOMALY_PASSWORD_SPRAYING], 1);
    assert_true(evidence_says(world, "\"usual_accounts\":20"));
}

static void an_attack_raises_what_is_usual_by_its_factor_at_most(void **state)
{
    struct world *world = *state;
    spray(world, 0, 600);
    assert_true(evidence_says(world, "\"threshold_accounts\":30,"));
    world->now_s += DAY_S;
    spray(world, 0, 100);
    assert_true(evidence_says(world, "\"usual_accounts\":29,\"threshold_accounts\":87,"));
    assert_int_equal(world->onsets[GH_ANOMALY_PASSWORD_SPRAYING], 2);
}

/* ---- Brute force ---- */

static void brute_force_fires_at_the_twentieth_failure(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 19; i++)
        fail_of(world, "ann", "203.0.113.9");
    assert_int_equal(onsets(world), 0);
    fail_of(world, "ann", "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_BRUTE_FORCE], 1);
    assert_string_equal(world->account, "ann");
    assert_string_equal(world->network, "203.0.113.0/24");
    assert_true(evidence_says(world, "\"failures\":20"));
    assert_true(evidence_says(world, "\"networks\":1"));
}

static void brute_force_counts_codes_too(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 20; i++)
        feed(world, &(struct happened){GH_AUDIT_TWO_FACTOR_FAILED, "ann", NULL, "203.0.113.9",
                                       "{\"reason\":\"login\"}", GH_AUDIT_FAILURE});
    assert_int_equal(world->onsets[GH_ANOMALY_BRUTE_FORCE], 1);
}

static void brute_force_comes_from_many_networks_too(void **state)
{
    struct world *world = *state;
    char address[32];
    for (unsigned i = 0; i < 20; i++)
        fail_of(world, "ann", numbered(address, "10", i));
    assert_int_equal(world->onsets[GH_ANOMALY_BRUTE_FORCE], 1);
    assert_true(evidence_says(world, "\"networks\":20"));
    assert_string_equal(world->network, ""); /* one failure is no part to act upon */
}

static void the_owner_who_gets_in_takes_back_only_what_failed_there(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 19; i++)
        fail_of(world, "ann", "203.0.113.9");
    sign_in(world, "ann", "198.51.100.1");
    fail_of(world, "ann", "203.0.113.9");
    assert_int_equal(world->onsets[GH_ANOMALY_BRUTE_FORCE], 1);
    for (unsigned i = 0; i < 19; i++)
        fail_of(world, "bob", "203.0.113.9");
    sign_in(world, "bob", "203.0.113.9");
    fail_of(world, "bob", "203.0.113.9");
    assert_int_equal(onsets(world), 1);
}

static void brute_force_forgets_after_a_day(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 100; i++) {
        world->now_s += DAY_S / 19 + 1;
        fail_of(world, "ann", "203.0.113.9");
    }
    assert_int_equal(onsets(world), 0);
}

static void the_right_password_of_an_unconfirmed_address_is_no_guess(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 40; i++)
        feed(world, &(struct happened){GH_AUDIT_LOGIN_FAILED, "ann", NULL, "203.0.113.9",
                                       "{\"email\":\"a@x.org\",\"reason\":\"unverified\"}",
                                       GH_AUDIT_FAILURE});
    assert_int_equal(onsets(world), 0);
}

/* ---- New device, refresh reuse ---- */

static void a_new_device_is_told_once_an_hour(void **state)
{
    struct world *world = *state;
    sign_in_anew(world, "ann");
    sign_in_anew(world, "ann");
    assert_int_equal(world->onsets[GH_ANOMALY_NEW_DEVICE], 1);
    assert_string_equal(world->account, "ann");
    world->now_s += HOUR_S;
    sign_in_anew(world, "ann");
    assert_int_equal(world->onsets[GH_ANOMALY_NEW_DEVICE], 2);
}

static void the_first_sign_in_of_an_account_is_no_news(void **state)
{
    struct world *world = *state;
    feed(world,
         &(struct happened){GH_AUDIT_SIGNUP, "ann", NULL, "192.0.2.1", "{}", GH_AUDIT_SUCCESS});
    sign_in_anew(world, "ann");
    assert_int_equal(onsets(world), 0);
    sign_in_anew(world, "ann");
    assert_int_equal(world->onsets[GH_ANOMALY_NEW_DEVICE], 1);
}

static void a_known_device_and_a_step_up_are_no_news(void **state)
{
    struct world *world = *state;
    sign_in(world, "ann", "192.0.2.1");
    feed(world, &(struct happened){GH_AUDIT_LOGIN, "ann", NULL, "192.0.2.1",
                                   "{\"method\":\"totp\",\"new_device\":true,\"step_up\":true}",
                                   GH_AUDIT_SUCCESS});
    assert_int_equal(onsets(world), 0);
}

static void a_reused_refresh_token_is_found_at_once(void **state)
{
    struct world *world = *state;
    feed(world,
         &(struct happened){GH_AUDIT_SESSION_REVOKED, "ann", NULL, "192.0.2.1",
                            "{\"reason\":\"password_change\",\"count\":3}", GH_AUDIT_SUCCESS});
    assert_int_equal(onsets(world), 0);
    feed(world, &(struct happened){GH_AUDIT_SESSION_REVOKED, "ann", NULL, "192.0.2.1",
                                   "{\"reason\":\"refresh_reuse\",\"count\":1}", GH_AUDIT_FAILURE});
    assert_int_equal(world->onsets[GH_ANOMALY_REFRESH_REUSE], 1);
    assert_string_equal(world->account, "ann");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(stuffing_fires_at_the_fifteenth_account_of_a_network),
        CASE(stuffing_is_not_one_account_that_fails_fifteen_times),
        CASE(stuffing_takes_letters_of_either_case_for_one_account),
        CASE(stuffing_forgets_accounts_that_get_in_from_there),
        CASE(stuffing_needs_its_share_behind_a_shared_address),
        CASE(stuffing_is_of_one_network),
        CASE(stuffing_takes_an_ipv6_site_for_one_network),
        CASE(stuffing_forgets_failures_after_its_window),
        CASE(a_finding_is_told_once_until_it_was_quiet),
        CASE(a_rule_that_is_off_says_nothing),
        CASE(spraying_fires_at_thirty_accounts_whatever_their_networks),
        CASE(spraying_names_networks_that_take_part),
        CASE(spraying_forgets_after_an_hour),
        CASE(spraying_leaves_out_accounts_that_fail_often),
        CASE(spraying_leaves_out_accounts_that_get_in),
        CASE(spraying_knows_what_is_usual_at_this_hour),
        CASE(an_attack_raises_what_is_usual_by_its_factor_at_most),
        CASE(brute_force_fires_at_the_twentieth_failure),
        CASE(brute_force_counts_codes_too),
        CASE(brute_force_comes_from_many_networks_too),
        CASE(the_owner_who_gets_in_takes_back_only_what_failed_there),
        CASE(brute_force_forgets_after_a_day),
        CASE(the_right_password_of_an_unconfirmed_address_is_no_guess),
        CASE(a_new_device_is_told_once_an_hour),
        CASE(the_first_sign_in_of_an_account_is_no_news),
        CASE(a_known_device_and_a_step_up_are_no_news),
        CASE(a_reused_refresh_token_is_found_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
