/* Checkpoints and retention of the own chain, and of chains that nobody holds. */
#include "app/audit_signer.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/audit_check.h"
#include "identity/audit_log.h"
#include "identity/identity_fixture.h"
#include "net/loop.h"
#include "store/memory.h"

#define MINUTE (60 * UINT64_C(1000000))

static struct gh_identity_fixture f;
static struct gh_audit_signer signer;
static struct gh_arena arena;
static const struct gh_audit_settings SETTINGS = {
    .retention_ms = 30ull * 24 * 3600 * 1000,
    .checkpoint = {.records = 1000, .interval_ms = 60000},
};

static void open_signer(void)
{
    assert_int_equal(gh_audit_signer_open(&signer, &f.identity, f.now_us, &arena), GH_OK);
}

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    gh_arena_init(&arena, 64 * 1024, 64u << 20);
    return 0;
}

static int close_fixture(void **state)
{
    gh_audit_signer_close(&signer);
    gh_arena_done(&arena);
    gh_identity_fixture_close(&f);
    return 0;
}

static void append_to(uint32_t chain, size_t count)
{
    struct gh_audit_record record = {.time_us = f.now_us,
                                     .event = GH_AUDIT_HOST_REJECTED,
                                     .outcome = GH_AUDIT_FAILURE,
                                     .metadata = GH_STR("{\"count\":1}")};
    gh_memory_store_hold(f.store, chain);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(gh_audit_log_append_many(&f.identity, &f.arena, &record, 1), GH_OK);
}

struct asked {
    uint32_t chain;
    uint64_t first, head;
};

static enum gh_err ask(struct gh_tx *tx, void *args)
{
    struct asked *asked = args;
    uint8_t hash[GH_SHA256_BYTES];
    tx->chain = asked->chain;
    enum gh_err err = tx->ops->audit_first(tx, &asked->first, hash);
    if (err == GH_OK)
        err = tx->ops->audit_head(tx, &asked->head, hash);
    return err;
}

/* Number of the first and last record of a chain. */
static struct asked numbers_of(uint32_t chain)
{
    struct asked asked = {.chain = chain};
    assert_int_equal(f.store->ops->read(f.store, ask, &asked, &f.arena), GH_OK);
    return asked;
}

static struct gh_audit_verdict check(void)
{
    struct gh_audit_verify_options options = {.verifiers = signer.keys.verifiers,
                                              .verifier_count = signer.keys.verifier_count};
    struct gh_audit_verdict verdict;
    assert_int_equal(gh_audit_check_store(f.store, &options, 0, &verdict), GH_OK);
    return verdict;
}

static enum gh_err sign_own(uint32_t own, bool now, bool *out_signed)
{
    gh_arena_reset(&arena);
    return gh_audit_signer_turn(&signer, &SETTINGS, own, numbers_of(own).head, f.now_us, now,
                                &arena, out_signed);
}

static size_t sign_others(void)
{
    size_t count;
    gh_arena_reset(&arena);
    assert_int_equal(gh_audit_signer_turn_others(&signer, &SETTINGS, f.now_us, &arena, &count),
                     GH_OK);
    return count;
}

/* ---- The own chain ---- */

static void the_own_chain_is_signed_when_it_is_due(void **state)
{
    bool is_signed;
    append_to(2, 3);
    open_signer();
    assert_int_equal(signer.own.id, 2);
    assert_int_equal(sign_own(2, false, &is_signed), GH_OK);
    assert_false(is_signed);
    f.now_us += MINUTE;
    assert_int_equal(sign_own(2, false, &is_signed), GH_OK);
    assert_true(is_signed);
    assert_int_equal(signer.own.checkpoint_seq, 4);
    assert_int_equal(sign_own(2, true, &is_signed), GH_OK);
    assert_false(is_signed);
    assert_int_equal(check().unsigned_records, 1);
}

static void another_own_chain_is_gone_on_with_where_it_is(void **state)
{
    bool is_signed;
    append_to(1, 3);
    open_signer();
    assert_int_equal(sign_own(1, true, &is_signed), GH_OK);
    append_to(2, 1);
    assert_int_equal(sign_own(2, true, &is_signed), GH_OK);
    assert_true(is_signed);
    assert_int_equal(signer.own.id, 2);
    assert_int_equal(signer.own.checkpoint_seq, 2);
    gh_memory_store_hold(f.store, 1);
    assert_int_equal(sign_own(1, true, &is_signed), GH_OK);
    assert_false(is_signed);
    assert_int_equal(signer.own.checkpoint_seq, 4);
    assert_int_equal(
        gh_audit_signer_turn(&signer, &SETTINGS, 0, 0, f.now_us, true, &arena, &is_signed),
        GH_OK); /* it writes none at the moment */
    assert_false(is_signed);
    assert_int_equal(check().fault, GH_AUDIT_FAULT_NONE);
}

/* ---- Chains of nobody ---- */

static void the_end_of_a_chain_of_nobody_is_signed_once(void **state)
{
    append_to(1, 3);
    append_to(2, 3);
    append_to(3, 1);
    open_signer();
    assert_int_equal(sign_others(), 2);
    struct gh_audit_verdict verdict = check();
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.checkpoints, 2);
    assert_int_equal(numbers_of(1).head, 4);
    assert_int_equal(numbers_of(3).head, 1);
    f.now_us += MINUTE;
    assert_int_equal(sign_others(), 0);
    append_to(1, 1);
    append_to(3, 1);
    f.now_us += MINUTE - 1;
    assert_int_equal(sign_others(), 0); /* they come as often as checkpoints */
    f.now_us += 1;
    assert_int_equal(sign_others(), 1);
    assert_int_equal(check().unsigned_records, 1 + 1 + 2);
}

static void chains_of_others_are_left_to_them(void **state)
{
    append_to(1, 3);
    append_to(2, 3);
    gh_memory_store_hold_elsewhere(f.store, 1);
    open_signer();
    assert_int_equal(sign_others(), 0);
    gh_memory_store_give_up(f.store, 1);
    f.now_us += MINUTE;
    assert_int_equal(sign_others(), 1);
}

static void a_chain_without_records_is_no_fault(void **state)
{
    gh_memory_store_hold(f.store, 4);
    open_signer();
    assert_int_equal(sign_others(), 0);
}

/* ---- Somebody takes the chain between the look and the signing ---- */

static enum gh_err taken_meanwhile(struct gh_store *store, gh_store_unit *unit, void *args,
                                   struct gh_arena *unit_arena)
{
    (void)store;
    gh_memory_store_hold_elsewhere(f.store, 1);
    return f.store->ops->run_bulk(f.store, unit, args, unit_arena);
}

static enum gh_err read_through(struct gh_store *store, gh_store_unit *unit, void *args,
                                struct gh_arena *unit_arena)
{
    (void)store;
    return f.store->ops->read(f.store, unit, args, unit_arena);
}

static void who_takes_a_chain_meanwhile_signs_it(void **state)
{
    static const struct gh_store_ops OPS = {.read = read_through, .run_bulk = taken_meanwhile};
    struct gh_store store = {&OPS};
    struct gh_identity identity;
    append_to(1, 3);
    append_to(2, 3);
    open_signer();
    memcpy((void *)&identity, &f.identity, sizeof(identity));
    identity.store = &store;
    signer.identity = &identity;
    assert_int_equal(sign_others(), 0);
    assert_int_equal(signer.other_count, 0);
    signer.identity = &f.identity;
    assert_int_equal(numbers_of(1).head, 3);
}

/* ---- Forgeries ---- */

static enum gh_err cut(struct gh_tx *tx, void *args)
{
    const uint64_t *through = args;
    uint64_t removed;
    return tx->ops->audit_drop(tx, *through, 1000, &removed);
}

static void a_chain_of_nobody_that_was_built_anew_is_not_signed(void **state)
{
    size_t count;
    append_to(1, 3);
    append_to(2, 1);
    open_signer();
    assert_int_equal(sign_others(), 1);
    signer.others[0].checkpoint_hash[0] ^= 1; /* it is another one now */
    append_to(1, 3);
    append_to(2, 1);
    f.now_us += MINUTE;
    gh_arena_reset(&arena);
    assert_int_equal(gh_audit_signer_turn_others(&signer, &SETTINGS, f.now_us, &arena, &count),
                     GH_ERR_REFUSED);
    assert_true(signer.others[0].contradicted);
    assert_int_equal(numbers_of(1).head, 7);
}

/* What is gone in front may be the retention of another process. */
static void what_another_process_dropped_is_no_contradiction(void **state)
{
    uint64_t through = 4;
    append_to(1, 3);
    append_to(2, 1);
    open_signer();
    assert_int_equal(sign_others(), 1);
    append_to(1, 3);
    assert_int_equal(f.store->ops->run(f.store, cut, &through, &f.arena), GH_OK);
    append_to(2, 1);
    f.now_us += MINUTE;
    assert_int_equal(sign_others(), 1);
}

/* ---- Retention ---- */

static uint64_t retain(void)
{
    uint64_t dropped = 77;
    gh_arena_reset(&arena);
    assert_int_equal(gh_audit_signer_retain(&signer, &SETTINGS, f.now_us, &arena, &dropped), GH_OK);
    return dropped;
}

/* The clock of retention is that of the wall. */
static void retention_reaches_the_own_chain_and_those_of_nobody(void **state)
{
    bool is_signed;
    uint64_t wall_us = gh_wall_now_us();
    f.now_us = wall_us - 40 * FIXTURE_DAY;
    for (uint32_t chain = 1; chain <= 4; chain++)
        append_to(chain, 3);
    open_signer();
    assert_int_equal(sign_own(4, true, &is_signed), GH_OK);
    gh_memory_store_hold_elsewhere(f.store, 3);
    assert_int_equal(sign_others(), 2);
    f.now_us = wall_us;
    append_to(1, 2);
    append_to(2, 2);
    append_to(3, 1); /* it runs, and agrees about the time */
    append_to(4, 2);
    gh_memory_store_hold_elsewhere(f.store, 3);
    assert_int_equal(sign_own(4, true, &is_signed), GH_OK);
    assert_int_equal(sign_others(), 2);
    gh_audit_signer_close(&signer);
    open_signer();
    assert_int_equal(retain(), 12);
    assert_int_equal(signer.verdict, GH_AUDIT_CLOCK_PLAUSIBLE);
    assert_int_equal(numbers_of(1).first, 5);
    assert_int_equal(numbers_of(2).first, 5);
    assert_int_equal(numbers_of(3).first, 1);
    assert_int_equal(numbers_of(4).first, 5);
    struct gh_audit_verdict verdict = check();
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verdict.chains, 4);
    assert_int_equal(retain(), 0); /* once an hour */
}

/* ---- A clock that is wrong beside others that are right ---- */

#define AHEAD (730 * FIXTURE_DAY)

/* Another process writes, whose clock is that of the fixture. */
static void other_writes(uint32_t other, uint32_t own)
{
    append_to(other, 1);
    gh_memory_store_hold(f.store, own);
    gh_memory_store_hold_elsewhere(f.store, other);
}

/* Chain 1 is left, 2 is another's, 3 is new; the wall is two years ahead of what they have. Chain 1
   has segments that the wall makes too old. */
static void open_two_years_ahead(uint64_t wall_us)
{
    bool is_signed;
    for (unsigned i = 0; i < 2; i++) {
        f.now_us = wall_us - AHEAD + i * MINUTE;
        append_to(1, 3);
        open_signer();
        assert_int_equal(sign_own(1, true, &is_signed), GH_OK);
        gh_audit_signer_close(&signer);
    }
    other_writes(2, 3);
    f.now_us = wall_us;
    open_signer();
    assert_int_equal(signer.own.id, 3);
    append_to(3, 1);
    assert_int_equal(sign_own(3, true, &is_signed), GH_OK);
    sign_others();
}

/* As if the process had run for a day since. */
static uint64_t retain_a_day_later(void)
{
    signer.clock.doubted_us -= GH_AUDIT_CLOCK_BELIEVED_US;
    signer.retention_us = 0;
    return retain();
}

static void a_new_chain_does_not_make_a_wrong_clock_look_right(void **state)
{
    open_two_years_ahead(gh_wall_now_us());
    assert_int_equal(retain(), 0);
    assert_int_equal(signer.verdict, GH_AUDIT_CLOCK_AHEAD);
    assert_true(signer.tell_doubt);
    assert_int_equal(numbers_of(1).first, 1);
}

static void a_clock_that_others_contradict_is_never_believed(void **state)
{
    uint64_t wall_us = gh_wall_now_us();
    open_two_years_ahead(wall_us);
    assert_int_equal(retain(), 0);
    for (unsigned day = 1; day < 4; day++) {
        f.now_us = wall_us - AHEAD + day * FIXTURE_DAY;
        other_writes(2, 3);
        f.now_us = wall_us;
        append_to(3, 1);
        assert_int_equal(retain_a_day_later(), 0);
        assert_int_equal(signer.verdict, GH_AUDIT_CLOCK_AHEAD);
        signer.retention_us = 0;
        assert_int_equal(retain(), 0); /* nor while they are silent for a moment */
        assert_int_equal(signer.verdict, GH_AUDIT_CLOCK_AHEAD);
    }
    assert_int_equal(numbers_of(1).first, 1);
}

static void a_clock_that_nobody_contradicts_for_a_day_is_believed(void **state)
{
    open_two_years_ahead(gh_wall_now_us());
    assert_int_equal(retain(), 0);
    other_writes(2, 3); /* it has the same time */
    signer.retention_us = 0;
    assert_int_equal(retain(), 0);
    assert_int_equal(signer.verdict, GH_AUDIT_CLOCK_AHEAD);
    assert_true(retain_a_day_later() > 0);
    assert_int_equal(signer.verdict, GH_AUDIT_CLOCK_PLAUSIBLE);
    assert_true(numbers_of(1).first > 1);
}

static void a_checkpoint_of_an_earlier_life_does_not_outweigh_who_runs(void **state)
{
    open_two_years_ahead(gh_wall_now_us());
    gh_audit_signer_close(&signer);
    open_signer(); /* the newest checkpoint is as far ahead as the wall */
    assert_false(signer.clock.ahead);
    assert_int_equal(retain(), 0);
    assert_int_equal(signer.verdict, GH_AUDIT_CLOCK_AHEAD);
    signer.retention_us = 0;
    assert_int_equal(retain(), 0);
    assert_int_equal(signer.verdict, GH_AUDIT_CLOCK_AHEAD);
}

static void a_new_chain_beside_others_of_this_time_is_believed_at_once(void **state)
{
    bool is_signed;
    f.now_us = gh_wall_now_us() - FIXTURE_DAY;
    append_to(1, 3);
    open_signer();
    assert_int_equal(sign_own(1, true, &is_signed), GH_OK);
    gh_audit_signer_close(&signer);
    other_writes(2, 3);
    f.now_us += FIXTURE_DAY;
    open_signer();
    assert_int_equal(retain(), 0);
    assert_int_equal(signer.verdict, GH_AUDIT_CLOCK_PLAUSIBLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_own_chain_is_signed_when_it_is_due),
        TEST(another_own_chain_is_gone_on_with_where_it_is),
        TEST(the_end_of_a_chain_of_nobody_is_signed_once),
        TEST(chains_of_others_are_left_to_them),
        TEST(a_chain_without_records_is_no_fault),
        TEST(who_takes_a_chain_meanwhile_signs_it),
        TEST(a_chain_of_nobody_that_was_built_anew_is_not_signed),
        TEST(what_another_process_dropped_is_no_contradiction),
        TEST(retention_reaches_the_own_chain_and_those_of_nobody),
        TEST(a_new_chain_does_not_make_a_wrong_clock_look_right),
        TEST(a_clock_that_others_contradict_is_never_believed),
        TEST(a_clock_that_nobody_contradicts_for_a_day_is_believed),
        TEST(a_checkpoint_of_an_earlier_life_does_not_outweigh_who_runs),
        TEST(a_new_chain_beside_others_of_this_time_is_believed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
