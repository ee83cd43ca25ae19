#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "app/anomaly_claims.h"
#include "app/anomaly_watch.h"
#include "audit/personal.h"
#include "crypto/hash.h"

#define NOW_S  1767571200u
#define ANN    "5d3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a01"
#define ATTACK "203.0.113.9"

struct world {
    struct gh_arena arena;
    struct gh_anomaly_config config;
    struct gh_sanctions *sanctions;
    struct gh_anomaly_watch *watch;
};

static const char *no_environment(void *context, const char *name)
{
    (void)context;
    (void)name;
    return NULL;
}

/* Settings as a file of that text gives them. */
static bool read_config(struct gh_arena *arena, const char *yaml, struct gh_anomaly_config *out)
{
    struct gh_config_load load;
    memset(out, 0, sizeof(*out));
    gh_config_load_init(&load, arena, "test", no_environment, NULL);
    const struct gh_config_node *node = gh_config_parse(&load, gh_str_from_c(yaml));
    gh_config_bind(&load, &gh_anomaly_table, node, out);
    return !load.error_count;
}

static void open_world(struct world *world, const char *yaml)
{
    gh_arena_init(&world->arena, 65536, 1 << 20);
    assert_true(read_config(&world->arena, yaml, &world->config));
    world->sanctions = gh_sanctions_new(64, (struct gh_hash_key){1, 2});
    assert_non_null(world->sanctions);
    world->watch =
        gh_anomaly_watch_new(&world->config, world->sanctions, (struct gh_hash_key){3, 4});
    assert_non_null(world->watch);
}

static void close_world(struct world *world)
{
    gh_anomaly_watch_free(world->watch);
    gh_sanctions_free(world->sanctions);
    gh_arena_done(&world->arena);
}

/* `network` 0: ATTACK's. */
static void fail_at(struct world *world, unsigned account, unsigned network, bool quiet)
{
    char metadata[96], address[32];
    snprintf(metadata, sizeof(metadata), "{\"email\":\"u%u@example.com\",\"reason\":\"unknown\"}",
             account);
    snprintf(address, sizeof(address), "10.0.%u.1", network);
    const struct gh_audit_record record = {
        .time_us = NOW_S * 1000000ull,
        .event = GH_AUDIT_LOGIN_FAILED,
        .ip_address = gh_str_from_c(network ? address : ATTACK),
        .outcome = GH_AUDIT_FAILURE,
        .metadata = gh_str_from_c(metadata),
    };
    gh_anomaly_watch_record(world->watch, &record, quiet);
}

static void fail_accounts(struct world *world, unsigned count, bool quiet)
{
    for (unsigned i = 0; i < count; i++)
        fail_at(world, i, 0, quiet);
}

static void reuse_of(struct world *world, const char *id)
{
    const struct gh_audit_record record = {
        .time_us = NOW_S * 1000000ull,
        .event = GH_AUDIT_SESSION_REVOKED,
        .user_id = gh_str_from_c(id),
        .ip_address = GH_STR(ATTACK),
        .outcome = GH_AUDIT_FAILURE,
        .metadata = GH_STR("{\"reason\":\"refresh_reuse\",\"count\":1}"),
    };
    gh_anomaly_watch_record(world->watch, &record, false);
}

static void reuse(struct world *world, unsigned account)
{
    char id[37];
    snprintf(id, sizeof(id), "5d3c1f6e-0b53-4e0e-9d3c-1c1a%08x", account);
    reuse_of(world, id);
}

static struct gh_sanction of_network(const struct world *world, uint64_t now_s)
{
    struct gh_ip ip;
    assert_true(gh_ip_parse(GH_STR("203.0.113.77"), &ip));
    return gh_sanctions_find(world->sanctions, gh_sanctions_network(world->sanctions, &ip), now_s);
}

/* ---- Settings ---- */

static void the_defaults_of_the_file_are_those_of_the_rules(void **state)
{
    struct world world;
    struct gh_anomaly_settings expected;
    (void)state;
    open_world(&world, "{}");
    gh_anomaly_defaults(&expected);
    struct gh_anomaly_settings rules = gh_anomaly_config_rules(&world.config);
    assert_memory_equal(rules.actions, expected.actions, sizeof(rules.actions));
    assert_memory_equal(rules.values, expected.values, sizeof(rules.values));
    close_world(&world);
}

static void a_rule_takes_an_action_or_a_map(void **state)
{
    struct world world;
    (void)state;
    open_world(&world, "credential_stuffing: block\n"
                       "brute_force: {action: slow, failures: 12, window: 2h}\n"
                       "new_device: off\n"
                       "block_for: 1h\n");
    struct gh_anomaly_settings rules = gh_anomaly_config_rules(&world.config);
    assert_int_equal(rules.actions[GH_ANOMALY_CREDENTIAL_STUFFING], GH_ANOMALY_BLOCK);
    assert_int_equal(rules.actions[GH_ANOMALY_BRUTE_FORCE], GH_ANOMALY_SLOW);
    assert_int_equal(rules.actions[GH_ANOMALY_NEW_DEVICE], GH_ANOMALY_OFF);
    assert_int_equal(rules.values[GH_ANOMALY_BRUTE_FAILURES], 12);
    assert_int_equal(rules.values[GH_ANOMALY_BRUTE_WINDOW], 7200);
    assert_int_equal(world.config.block_ms, 3600000);
    close_world(&world);
}

static void refuses_what_is_no_action_and_no_rule(void **state)
{
    static const char *const BAD[] = {
        "brute_force: lock",
        "brute_force: {failures: 33}",
        "brute_force: {failures: 1}",
        "brute_force: {window: 30s}",
        "brute_forse: log",
        "credential_stuffing: {share: 101}",
        "block_for: 0s",
        "pace: 1ms",
    };
    struct gh_anomaly_config config;
    struct gh_arena arena;
    (void)state;
    gh_arena_init(&arena, 65536, 1 << 20);
    for (unsigned i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_false(read_config(&arena, BAD[i], &config));
    gh_arena_done(&arena);
}

/* ---- Findings ---- */

static void a_finding_waits_until_it_is_written(void **state)
{
    struct world world;
    size_t count;
    (void)state;
    open_world(&world, "{}");
    fail_accounts(&world, 14, false);
    gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 0);
    fail_accounts(&world, 15, false);
    const struct gh_audit_record *records = gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 1);
    assert_int_equal(records[0].event, GH_AUDIT_ANOMALY_DETECTED);
    assert_int_equal(records[0].time_us, NOW_S * 1000000ull);
    assert_true(gh_str_starts_with(records[0].metadata,
                                   GH_STR("{\"rule\":\"credential_stuffing\",\"network\":"
                                          "\"203.0.113.0/24\",\"action\":\"log\",\"evidence\":{")));
    gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 1);
    gh_anomaly_watch_written(world.watch, count);
    gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 0);
    assert_false(gh_sanctions_any(world.sanctions, NOW_S)); /* logging is all */
    close_world(&world);
}

/* Of accounts, of networks and of everybody: all members that there are. */
static void the_log_takes_what_is_found(void **state)
{
    struct world world;
    struct gh_audit_row row;
    const struct gh_audit_person day = {.name = GH_STR("day:2026-01-05")};
    size_t count;
    (void)state;
    open_world(&world, "{}");
    fail_accounts(&world, 15, false);
    for (unsigned i = 0; i < 30; i++)
        fail_at(&world, 100 + i, 1 + i, false);
    reuse(&world, 7);
    const struct gh_audit_record *records = gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(
            gh_audit_protect(&world.arena, &gh_kernel_random, &records[i], &day, &day, &row),
            GH_OK);
    close_world(&world);
}

static void traffic_is_looked_at(void **state)
{
    struct world world;
    size_t count;
    struct gh_anomaly_requests traffic = {
        .account = GH_STR(ANN),
        .client = GH_STR(ATTACK),
        .requests = 199,
        .missing = 199,
        .now_us = NOW_S * 1000000ull,
    };
    (void)state;
    open_world(&world, "id_scanning: block");
    gh_anomaly_watch_caught_up(world.watch);
    gh_anomaly_watch_traffic(world.watch, &traffic);
    gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 0);
    traffic.requests = traffic.missing = 1;
    gh_anomaly_watch_traffic(world.watch, &traffic);
    const struct gh_audit_record *records = gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 1);
    assert_true(gh_str_eq(records[0].user_id, GH_STR(ANN)));
    uint64_t whom = gh_sanctions_account(world.sanctions, GH_STR(ANN));
    assert_int_equal(gh_sanctions_find(world.sanctions, whom, NOW_S).until_s[GH_SANCTION_BLOCK],
                     NOW_S + 900);
    close_world(&world);
}

static void findings_without_room_are_counted(void **state)
{
    struct world world;
    size_t count;
    (void)state;
    open_world(&world, "{}");
    for (unsigned i = 0; i < GH_ANOMALY_WAITING_MAX + 5; i++)
        reuse(&world, i);
    gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, GH_ANOMALY_WAITING_MAX);
    struct gh_anomaly_watch_counts counts = gh_anomaly_watch_counts(world.watch);
    assert_int_equal(counts.lost, 5);
    assert_int_equal(counts.found[GH_ANOMALY_REFRESH_REUSE], GH_ANOMALY_WAITING_MAX + 5);
    close_world(&world);
}

/* ---- Several processes over one log ---- */

#define NOW_US (NOW_S * 1000000ull)

/* What is kept, as the log gives it back to everybody who reads it; how many there were. */
static size_t record_findings(struct world *from, struct world *to)
{
    size_t count;
    const struct gh_audit_record *records = gh_anomaly_watch_findings(from->watch, &count);
    for (size_t i = 0; i < count; i++) {
        gh_anomaly_watch_record(to->watch, &records[i], false);
        gh_anomaly_watch_record(from->watch, &records[i], false);
    }
    gh_anomaly_watch_written(from->watch, count);
    return count;
}

static size_t kept(struct world *world)
{
    size_t count;
    gh_anomaly_watch_findings(world->watch, &count);
    return count;
}

static void claim_at(struct world *world, uint64_t now_us, unsigned place)
{
    gh_anomaly_watch_turn(world->watch, now_us, place);
    gh_anomaly_watch_claim(world->watch, false);
}

static void who_is_not_the_first_acts_and_leaves_it_to_that_one(void **state)
{
    struct world first, second;
    (void)state;
    open_world(&first, "credential_stuffing: block");
    open_world(&second, "credential_stuffing: block");
    gh_anomaly_watch_turn(first.watch, NOW_US, 0);
    gh_anomaly_watch_turn(second.watch, NOW_US, 1);
    fail_accounts(&first, 15, false);
    fail_accounts(&second, 15, false);
    assert_int_equal(kept(&second), 0);
    assert_int_equal(of_network(&second, NOW_S).until_s[GH_SANCTION_BLOCK], NOW_S + 900);
    assert_int_equal(record_findings(&first, &second), 1);
    claim_at(&first, NOW_US + 60000000, 0);
    claim_at(&second, NOW_US + 60000000, 1);
    assert_int_equal(kept(&first), 0);
    assert_int_equal(kept(&second), 0);
    struct gh_anomaly_watch_counts counts = gh_anomaly_watch_counts(second.watch);
    assert_int_equal(counts.muted, 1);
    assert_int_equal(counts.found[GH_ANOMALY_CREDENTIAL_STUFFING], 0);
    assert_int_equal(gh_anomaly_watch_counts(first.watch).muted, 0);
    close_world(&first);
    close_world(&second);
}

/* It is a command, is stuck, or has that rule off. */
static void what_the_first_does_not_record_the_second_does(void **state)
{
    struct world world;
    size_t count;
    (void)state;
    open_world(&world, "credential_stuffing: log");
    gh_anomaly_watch_turn(world.watch, NOW_US, 1);
    fail_accounts(&world, 15, false);
    claim_at(&world, NOW_US + GH_ANOMALY_CLAIM_WAIT_US - 1, 1);
    assert_int_equal(kept(&world), 0);
    claim_at(&world, NOW_US + GH_ANOMALY_CLAIM_WAIT_US, 1);
    const struct gh_audit_record *records = gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 1);
    assert_true(
        gh_str_starts_with(records[0].metadata, GH_STR("{\"rule\":\"credential_stuffing\"")));
    assert_int_equal(records[0].time_us, NOW_US);
    gh_anomaly_watch_written(world.watch, count);
    claim_at(&world, NOW_US + 9 * GH_ANOMALY_CLAIM_WAIT_US, 1);
    assert_int_equal(kept(&world), 0);
    struct gh_anomaly_watch_counts counts = gh_anomaly_watch_counts(world.watch);
    assert_int_equal(counts.muted, 0);
    assert_int_equal(counts.found[GH_ANOMALY_CREDENTIAL_STUFFING], 1);
    close_world(&world);
}

static void a_record_that_comes_by_before_the_finding_counts_too(void **state)
{
    struct world first, second;
    (void)state;
    open_world(&first, "{}");
    open_world(&second, "{}");
    gh_anomaly_watch_turn(first.watch, NOW_US, 0);
    gh_anomaly_watch_turn(second.watch, NOW_US, 0); /* both think so, for a moment */
    reuse(&first, 7);
    assert_int_equal(record_findings(&first, &second), 1);
    reuse(&second, 8);
    assert_int_equal(kept(&second), 1); /* another one's */
    reuse(&second, 7);
    assert_int_equal(kept(&second), 1);
    assert_int_equal(gh_anomaly_watch_counts(second.watch).muted, 1);
    close_world(&first);
    close_world(&second);
}

static void at_the_end_nothing_waits_for_others(void **state)
{
    struct world world;
    (void)state;
    open_world(&world, "{}");
    gh_anomaly_watch_turn(world.watch, NOW_US, 2);
    reuse(&world, 7);
    reuse(&world, 8);
    assert_int_equal(kept(&world), 0);
    gh_anomaly_watch_claim(world.watch, true);
    assert_int_equal(kept(&world), 2);
    close_world(&world);
}

static void the_next_record_says_how_many_were_left_to_others(void **state)
{
    struct world first, second;
    struct gh_audit_row row;
    const struct gh_audit_person day = {.name = GH_STR("day:2026-01-05")};
    size_t count;
    (void)state;
    open_world(&first, "{}");
    open_world(&second, "{}");
    gh_anomaly_watch_turn(first.watch, NOW_US, 0);
    gh_anomaly_watch_turn(second.watch, NOW_US, 1);
    for (unsigned i = 0; i < 3; i++) {
        reuse(&first, i);
        reuse(&second, i);
    }
    assert_int_equal(record_findings(&first, &second), 3);
    gh_anomaly_watch_turn(second.watch, NOW_US, 0); /* the one before it ended */
    reuse(&second, 7);
    reuse(&second, 8);
    const struct gh_audit_record *records = gh_anomaly_watch_findings(second.watch, &count);
    assert_int_equal(count, 2);
    assert_true(gh_str_ends_with(records[0].metadata, GH_STR(",\"muted\":3}")));
    assert_int_equal(gh_str_find(records[1].metadata, GH_STR("muted")), records[1].metadata.len);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(
            gh_audit_protect(&second.arena, &gh_kernel_random, &records[i], &day, &day, &row),
            GH_OK);
    close_world(&first);
    close_world(&second);
}

static void what_its_own_traffic_tells_is_kept_all_the_same(void **state)
{
    struct world world;
    size_t count;
    struct gh_anomaly_requests traffic = {
        .account = GH_STR(ANN),
        .client = GH_STR(ATTACK),
        .requests = 200,
        .missing = 200,
        .now_us = NOW_S * 1000000ull,
    };
    (void)state;
    open_world(&world, "id_scanning: log");
    gh_anomaly_watch_turn(world.watch, NOW_US, 1);
    reuse(&world, 7);
    gh_anomaly_watch_traffic(world.watch, &traffic);
    const struct gh_audit_record *records = gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 1);
    assert_true(gh_str_eq(records[0].user_id, GH_STR(ANN)));
    close_world(&world);
}

/* ---- Sanctions ---- */

static void a_network_is_blocked_for_its_time(void **state)
{
    struct world world;
    (void)state;
    open_world(&world, "credential_stuffing: block");
    fail_accounts(&world, 15, false);
    assert_int_equal(of_network(&world, NOW_S).until_s[GH_SANCTION_BLOCK], NOW_S + 900);
    assert_int_equal(of_network(&world, NOW_S + 900).until_s[GH_SANCTION_BLOCK], 0);
    close_world(&world);
}

static void an_account_must_show_a_second_factor(void **state)
{
    struct world world;
    (void)state;
    open_world(&world, "refresh_reuse: second_factor");
    reuse(&world, 7);
    uint64_t whom =
        gh_sanctions_account(world.sanctions, GH_STR("5d3c1f6e-0b53-4e0e-9d3c-1c1a00000007"));
    struct gh_sanction sanction = gh_sanctions_find(world.sanctions, whom, NOW_S);
    assert_int_equal(sanction.since_s[GH_SANCTION_SECOND_FACTOR], NOW_S);
    assert_int_equal(sanction.until_s[GH_SANCTION_SECOND_FACTOR], NOW_S + 12 * 3600);
    assert_int_equal(of_network(&world, NOW_S).until_s[GH_SANCTION_SECOND_FACTOR], 0);
    close_world(&world);
}

static void strangers_can_not_lock_an_account(void **state)
{
    struct world world;
    (void)state;
    open_world(&world, "brute_force: block");
    for (unsigned i = 0; i < 25; i++) {
        const struct gh_audit_record record = {
            .time_us = NOW_S * 1000000ull,
            .event = GH_AUDIT_LOGIN_FAILED,
            .user_id = GH_STR(ANN),
            .ip_address = GH_STR(ATTACK),
            .outcome = GH_AUDIT_FAILURE,
            .metadata = GH_STR("{\"email\":\"ann@example.com\",\"reason\":\"password\"}"),
        };
        gh_anomaly_watch_record(world.watch, &record, false);
    }
    uint64_t whom = gh_sanctions_account(world.sanctions, GH_STR(ANN));
    assert_int_equal(gh_sanctions_find(world.sanctions, whom, NOW_S).until_s[GH_SANCTION_BLOCK], 0);
    assert_int_equal(of_network(&world, NOW_S).until_s[GH_SANCTION_BLOCK], NOW_S + 900);
    close_world(&world);
}

static void a_replay_restores_sanctions_and_tells_nothing_twice(void **state)
{
    struct world world;
    size_t count;
    (void)state;
    open_world(&world, "credential_stuffing: block");
    fail_accounts(&world, 15, true);
    gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 0);
    assert_int_equal(of_network(&world, NOW_S + 60).until_s[GH_SANCTION_BLOCK], NOW_S + 900);
    fail_accounts(&world, 16, false); /* it goes on: nothing new */
    gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 0);
    close_world(&world);
}

/* Else what is replayed would look as if the clock had gone back. */
static void traffic_of_now_does_not_disturb_a_replay(void **state)
{
    struct world world;
    const struct gh_anomaly_requests traffic = {.account = GH_STR(ANN),
                                                .client = GH_STR(ATTACK),
                                                .requests = 1,
                                                .now_us = (NOW_S + 80000) * 1000000ull};
    (void)state;
    open_world(&world, "credential_stuffing: block");
    for (unsigned i = 0; i < 15; i++) {
        gh_anomaly_watch_traffic(world.watch, &traffic);
        fail_at(&world, i, 0, true);
    }
    assert_int_equal(of_network(&world, NOW_S + 60).until_s[GH_SANCTION_BLOCK], NOW_S + 900);
    close_world(&world);
}

static void an_action_taken_back_ends_its_sanctions(void **state)
{
    struct world world;
    struct gh_anomaly_config other;
    (void)state;
    open_world(&world, "credential_stuffing: block");
    fail_accounts(&world, 15, false);
    assert_true(read_config(&world.arena, "{credential_stuffing: block, pace: 5s}", &other));
    gh_anomaly_watch_set(world.watch, &other);
    assert_true(gh_sanctions_any(world.sanctions, NOW_S));
    assert_true(read_config(&world.arena, "credential_stuffing: log", &other));
    gh_anomaly_watch_set(world.watch, &other);
    assert_false(gh_sanctions_any(world.sanctions, NOW_S));
    close_world(&world);
}

static void a_record_that_somebody_wrote_into_the_store_ends_nothing(void **state)
{
    struct world world;
    char id[301] = "";
    size_t count;
    (void)state;
    open_world(&world, "{}");
    memset(id, 'x', sizeof(id) - 1);
    reuse_of(&world, id);
    gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 0);
    assert_int_equal(gh_anomaly_watch_counts(world.watch).lost, 1);
    reuse(&world, 1);
    gh_anomaly_watch_findings(world.watch, &count);
    assert_int_equal(count, 1);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_of_the_file_are_those_of_the_rules),
        cmocka_unit_test(a_rule_takes_an_action_or_a_map),
        cmocka_unit_test(refuses_what_is_no_action_and_no_rule),
        cmocka_unit_test(a_record_that_somebody_wrote_into_the_store_ends_nothing),
        cmocka_unit_test(a_finding_waits_until_it_is_written),
        cmocka_unit_test(the_log_takes_what_is_found),
        cmocka_unit_test(traffic_is_looked_at),
        cmocka_unit_test(findings_without_room_are_counted),
        cmocka_unit_test(who_is_not_the_first_acts_and_leaves_it_to_that_one),
        cmocka_unit_test(what_the_first_does_not_record_the_second_does),
        cmocka_unit_test(a_record_that_comes_by_before_the_finding_counts_too),
        cmocka_unit_test(at_the_end_nothing_waits_for_others),
        cmocka_unit_test(the_next_record_says_how_many_were_left_to_others),
        cmocka_unit_test(what_its_own_traffic_tells_is_kept_all_the_same),
        cmocka_unit_test(a_network_is_blocked_for_its_time),
        cmocka_unit_test(an_account_must_show_a_second_factor),
        cmocka_unit_test(strangers_can_not_lock_an_account),
        cmocka_unit_test(a_replay_restores_sanctions_and_tells_nothing_twice),
        cmocka_unit_test(traffic_of_now_does_not_disturb_a_replay),
        cmocka_unit_test(an_action_taken_back_ends_its_sanctions),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
