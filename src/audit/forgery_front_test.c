/*
 * Where a log begins: retention drops what is old enough and signs that it did, and so can somebody
 * who holds database and signing key, with what is not. Saved checkpoints and the retention tell
 * them apart.
 */
#include "audit/verify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/log_fixture.h"

#define DAY_US ((uint64_t)24 * 3600 * 1000000)
/* A record a day, each fifth a checkpoint; all checkpoints are saved. */
enum { DAYS = 60, PERIOD = 5, RETENTION_DAYS = 20 };

struct fixture {
    struct gh_arena arena;
    struct gh_pkey *key;
    struct gh_audit_verifier verifier;
    struct gh_log log;
    struct gh_audit_checkpoint saved[GH_LOG_ROWS_MAX];
    size_t saved_count;
    struct gh_audit_verify_options options;
};

static uint64_t day(uint64_t number)
{
    return GH_LOG_START_US + number * DAY_US;
}

/* Signed on that day over what is there. */
static void sign(struct fixture *fixture, uint64_t time_us)
{
    struct gh_log *log = &fixture->log;
    struct gh_audit_checkpoint checkpoint = gh_log_checkpoint(log, log->count - 1);
    checkpoint.time_us = time_us;
    struct gh_str note = gh_log_note(&fixture->arena, &checkpoint, fixture->key);
    fixture->saved[fixture->saved_count++] = checkpoint;
    gh_log_append(log, gh_log_checkpoint_record(&fixture->arena, note, time_us));
}

/* Records of a day each up to this number, the number of their day. */
static void live(struct fixture *fixture, uint64_t days)
{
    for (uint64_t number = fixture->log.count + 1; number <= days; number++) {
        if (number % PERIOD == 0)
            sign(fixture, day(number) - 1);
        else
            gh_log_append(&fixture->log, (struct gh_audit_record){.time_us = day(number) - 2,
                                                                  .event = GH_AUDIT_LOGIN,
                                                                  .user_id = GH_STR("u")});
    }
}

/* Drops the records through this number and signs that it did, as it says at that time. */
static void drop(struct fixture *fixture, uint64_t through, uint64_t said_us)
{
    struct gh_log *log = &fixture->log;
    size_t gone = through - log->rows[0].record.seq + 1;
    log->first_seq = through + 1;
    memcpy(log->first_prev_hash, log->rows[gone - 1].hash, GH_SHA256_BYTES);
    sign(fixture, said_us);
    memmove(log->rows, log->rows + gone, (log->count - gone) * sizeof(log->rows[0]));
    log->count -= gone;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    gh_arena_init(&fixture.arena, 64 * 1024, 64 << 20);
    fixture.key = gh_log_key(0);
    fixture.verifier = gh_log_verifier(&fixture.arena, fixture.key);
    gh_log_init(&fixture.log, &fixture.arena, fixture.key);
    fixture.saved_count = 0;
    fixture.options = (struct gh_audit_verify_options){.verifiers = &fixture.verifier,
                                                       .verifier_count = 1,
                                                       .saved = fixture.saved,
                                                       .retention_us = RETENTION_DAYS * DAY_US};
    live(&fixture, DAYS);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    gh_pkey_unref(fixture->verifier.key);
    gh_pkey_unref(fixture->key);
    gh_arena_done(&fixture->arena);
    return 0;
}

static struct gh_audit_verdict verify(struct fixture *fixture, uint64_t now_us)
{
    struct gh_audit_verdict verdict;
    fixture->options.saved_count = fixture->saved_count;
    fixture->options.now_us = now_us;
    struct gh_audit_verification *run = gh_audit_verify_begin(&fixture->arena, &fixture->options);
    assert_non_null(run);
    for (size_t i = 0; i < fixture->log.count; i++)
        assert_true(gh_audit_verify_row(run, &fixture->log.rows[i]));
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    return verdict;
}

static void assert_good(struct fixture *fixture, uint64_t now_us, bool retention_checked)
{
    struct gh_audit_verdict verdict = verify(fixture, now_us);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.retention_checked, retention_checked);
}

static void assert_too_early(struct fixture *fixture, uint64_t now_us, uint64_t seq)
{
    struct gh_audit_verdict verdict = verify(fixture, now_us);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_FRONT);
    assert_int_equal(verdict.seq, seq);
    assert_int_equal(verdict.line, 0);
}

static void a_log_that_nothing_was_dropped_of_is_good(void **state)
{
    struct fixture *fixture = *state;
    assert_good(fixture, day(DAYS), true);
    assert_good(fixture, 0, true);
    fixture->options.retention_us = 0;
    assert_good(fixture, day(DAYS), true);
}

static void what_was_old_enough_may_be_dropped(void **state)
{
    struct fixture *fixture = *state;
    drop(fixture, 40, day(DAYS));
    assert_good(fixture, day(DAYS), true);
    assert_good(fixture, day(DAYS + 1000), true);
    assert_good(fixture, 0, true);
}

static void what_was_dropped_before_its_time_is_named(void **state)
{
    struct fixture *fixture = *state;
    drop(fixture, 45, day(DAYS));
    assert_too_early(fixture, day(DAYS), 44);
    /* It stays so, however late somebody looks. */
    assert_too_early(fixture, day(DAYS + 1000), 44);
    assert_too_early(fixture, 0, 44);
    fixture->options.partial = true;
    assert_good(fixture, day(DAYS), false);
}

static void of_much_that_was_dropped_before_its_time_the_first_is_named(void **state)
{
    struct fixture *fixture = *state;
    drop(fixture, 40, day(DAYS));
    drop(fixture, 57, day(DAYS));
    assert_too_early(fixture, day(DAYS), 44);
}

static void a_time_that_is_yet_to_come_makes_nothing_old(void **state)
{
    struct fixture *fixture = *state;
    drop(fixture, 45, day(DAYS + 500));
    fixture->saved_count--; /* who does that exports nothing more */
    assert_too_early(fixture, day(DAYS), 44);
    assert_too_early(fixture, day(44 + RETENTION_DAYS), 44);
    assert_good(fixture, day(45 + RETENTION_DAYS), true);
}

static void a_log_that_is_younger_than_its_retention_lost_what_is_missing(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.retention_us = 10 * day(DAYS);
    drop(fixture, 5, day(DAYS));
    assert_too_early(fixture, day(DAYS), 4);
}

static void where_nobody_can_tell_it_is_said(void **state)
{
    struct fixture *fixture = *state;
    drop(fixture, 45, day(DAYS));
    fixture->options.retention_us = 0;
    assert_good(fixture, day(DAYS), false);
    /* Nothing was saved of what is gone. */
    fixture->options.retention_us = RETENTION_DAYS * DAY_US;
    fixture->options.saved = fixture->saved + fixture->saved_count - 1;
    fixture->saved_count = 1;
    assert_good(fixture, day(DAYS), false);
}

static void a_checkpoint_of_a_checkpoint_is_not_of_what_it_follows(void **state)
{
    struct fixture *fixture = *state;
    /* Retention signs without anything new, right behind a checkpoint. */
    drop(fixture, 40, day(DAYS));
    assert_int_equal(fixture->saved[fixture->saved_count - 1].seq, DAYS);
    /* The older one of the two is old enough first. */
    drop(fixture, DAYS, day(DAYS + RETENTION_DAYS));
    assert_good(fixture, day(DAYS + RETENTION_DAYS), true);
}

static void a_clock_that_ran_ahead_is_no_attack(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < fixture->saved_count; i++)
        if (fixture->saved[i].seq == 39)
            fixture->saved[i].time_us = day(DAYS + 500);
    drop(fixture, 40, day(DAYS));
    assert_good(fixture, day(DAYS), true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_log_that_nothing_was_dropped_of_is_good),
        TEST(what_was_old_enough_may_be_dropped),
        TEST(what_was_dropped_before_its_time_is_named),
        TEST(of_much_that_was_dropped_before_its_time_the_first_is_named),
        TEST(a_time_that_is_yet_to_come_makes_nothing_old),
        TEST(a_log_that_is_younger_than_its_retention_lost_what_is_missing),
        TEST(where_nobody_can_tell_it_is_said),
        TEST(a_checkpoint_of_a_checkpoint_is_not_of_what_it_follows),
        TEST(a_clock_that_ran_ahead_is_no_attack),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
