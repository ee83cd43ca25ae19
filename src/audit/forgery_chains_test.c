/*
 * Attacks on a log of several chains, as several nodes write it: rows of all chains come in any
 * mixture, each chain is judged by itself, and the chain and number of the wrong record are named.
 */
#include "audit/verify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/log_fixture.h"

enum { CHAINS = 3, LOGS = 40, ROWS_MAX = CHAINS * GH_LOG_ROWS_MAX };

struct attack {
    struct gh_arena arena, scratch, keys;
    struct gh_pkey *key;
    struct gh_audit_verifier verifier;
    uint64_t random;
    struct gh_log logs[CHAINS]; /* of the chains 1, 2, 3 */
    struct gh_audit_checkpoint saved[8];
    size_t saved_count;
    struct gh_audit_row rows[ROWS_MAX]; /* what is read */
    size_t count;
};

static size_t pick(struct attack *attack, size_t from, size_t to)
{
    attack->random ^= attack->random << 13;
    attack->random ^= attack->random >> 7;
    attack->random ^= attack->random << 17;
    return from + attack->random % (to - from + 1);
}

static struct gh_audit_record some_record(struct attack *attack)
{
    return (struct gh_audit_record){
        .time_us = GH_LOG_START_US,
        .event = GH_AUDIT_LOGIN,
        .user_id = gh_arena_format(&attack->arena, "u-%zu", pick(attack, 0, 99)),
    };
}

/* Each of 12 to 30 records, every sixth a checkpoint. */
static void new_logs(struct attack *attack)
{
    gh_arena_reset(&attack->arena);
    attack->saved_count = 0;
    for (size_t c = 0; c < CHAINS; c++) {
        struct gh_log *log = &attack->logs[c];
        size_t count = pick(attack, 12, 30);
        gh_log_init(log, &attack->arena, attack->key);
        log->chain = (uint32_t)c + 1;
        for (size_t i = 1; i <= count; i++) {
            if (i % 6 == 0)
                gh_log_append_checkpoint(log);
            else
                gh_log_append(log, some_record(attack));
        }
    }
}

/* Chain after chain. */
static void lay_out(struct attack *attack)
{
    attack->count = 0;
    for (size_t c = 0; c < CHAINS; c++)
        for (size_t i = 0; i < attack->logs[c].count; i++)
            attack->rows[attack->count++] = attack->logs[c].rows[i];
}

/* In any mixture that keeps the order of each. */
static void mix(struct attack *attack)
{
    size_t at[CHAINS] = {0}, left = 0;
    for (size_t c = 0; c < CHAINS; c++)
        left += attack->logs[c].count;
    attack->count = 0;
    while (attack->count < left) {
        size_t c = pick(attack, 0, CHAINS - 1);
        if (at[c] < attack->logs[c].count)
            attack->rows[attack->count++] = attack->logs[c].rows[at[c]++];
    }
}

/* The line of the row of this chain and number; 0: there is none. */
static uint64_t line_of(const struct attack *attack, uint32_t chain, uint64_t seq)
{
    for (size_t i = 0; i < attack->count; i++)
        if (gh_audit_chain_of(&attack->rows[i].record) == chain &&
            attack->rows[i].record.seq == seq)
            return i + 1;
    return 0;
}

static void save(struct attack *attack, size_t c, size_t at)
{
    attack->saved[attack->saved_count++] = gh_log_checkpoint(&attack->logs[c], at);
}

static struct gh_audit_verification *begin(struct attack *attack)
{
    const struct gh_audit_verify_options options = {.verifiers = &attack->verifier,
                                                    .verifier_count = 1,
                                                    .saved = attack->saved,
                                                    .saved_count = attack->saved_count};
    gh_arena_reset(&attack->scratch);
    struct gh_audit_verification *run = gh_audit_verify_begin(&attack->scratch, &options);
    assert_non_null(run);
    return run;
}

static struct gh_audit_verdict verify(struct attack *attack)
{
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = begin(attack);
    for (size_t i = 0; i < attack->count && gh_audit_verify_row(run, &attack->rows[i]); i++)
        ;
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    return verdict;
}

static void assert_good(struct attack *attack)
{
    assert_int_equal(verify(attack).fault, GH_AUDIT_FAULT_NONE);
}

static void assert_named(struct attack *attack, enum gh_audit_fault fault, uint32_t chain,
                         uint64_t seq, uint64_t line)
{
    struct gh_audit_verdict verdict = verify(attack);
    if (verdict.fault != fault || verdict.chain != chain || verdict.seq != seq ||
        verdict.line != line)
        print_error("wanted %s %u.%u (line %u), found %s %u.%u (line %u)\n",
                    gh_audit_fault_name(fault).ptr, chain, (unsigned)seq, (unsigned)line,
                    gh_audit_fault_name(verdict.fault).ptr, verdict.chain, (unsigned)verdict.seq,
                    (unsigned)verdict.line);
    assert_int_equal(verdict.fault, fault);
    assert_int_equal(verdict.chain, chain);
    assert_int_equal(verdict.seq, seq);
    assert_int_equal(verdict.line, line);
}

/* Gives a row that was changed a hash of its own. */
static void rehash(struct attack *attack, struct gh_audit_row *row)
{
    assert_int_equal(gh_audit_row_hash(&attack->arena, row, row->hash), GH_OK);
}

/* All of a chain under another number, each row with a hash of its own; notes stay. */
static void renumber(struct gh_log *log, uint32_t chain)
{
    log->chain = chain;
    for (size_t i = 0; i < log->count; i++)
        log->rows[i].record.chain = chain;
    gh_log_link(log, 0);
}

static int set_up(void **state)
{
    static struct attack attack;
    gh_arena_init(&attack.arena, 1 << 20, 64 << 20);
    gh_arena_init(&attack.scratch, 64 * 1024, 8 << 20);
    gh_arena_init(&attack.keys, 1024, 64 * 1024);
    attack.key = gh_log_key(0);
    attack.verifier = gh_log_verifier(&attack.keys, attack.key);
    attack.random = 88172645463325252;
    *state = &attack;
    return 0;
}

static int tear_down(void **state)
{
    struct attack *attack = *state;
    gh_pkey_unref(attack->key);
    gh_pkey_unref(attack->verifier.key);
    gh_arena_done(&attack->arena);
    gh_arena_done(&attack->scratch);
    gh_arena_done(&attack->keys);
    return 0;
}

static void chains_that_nobody_touched_are_good_in_any_mixture(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        for (size_t c = 0; c < CHAINS; c++) {
            save(attack, c, 3);
            save(attack, c, attack->logs[c].count - 1);
        }
        if (i % 2)
            mix(attack);
        else
            lay_out(attack);
        struct gh_audit_verdict verdict = verify(attack);
        assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
        assert_int_equal(verdict.chains, CHAINS);
        assert_int_equal(verdict.records, attack->count);
        assert_int_equal(verdict.saved_met, 2 * CHAINS);
        assert_int_equal(verdict.chain, 1);
        assert_int_equal(verdict.last_seq, attack->logs[0].count);
        assert_memory_equal(verdict.last_hash, attack->logs[0].rows[verdict.last_seq - 1].hash,
                            GH_SHA256_BYTES);
        size_t unsigned_records = 0; /* checkpoints are unsigned themselves */
        for (size_t c = 0; c < CHAINS; c++)
            unsigned_records += attack->logs[c].count % 6 + 1;
        assert_int_equal(verdict.unsigned_records, unsigned_records);
    }
}

static void a_changed_record_is_named_with_its_chain(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t c = pick(attack, 0, CHAINS - 1), at = pick(attack, 0, attack->logs[c].count - 1);
        attack->logs[c].rows[at].record.user_id = GH_STR("somebody else");
        mix(attack);
        uint32_t chain = (uint32_t)c + 1;
        assert_named(attack, GH_AUDIT_FAULT_CHANGED, chain, at + 1, line_of(attack, chain, at + 1));
    }
}

/* The next row of its chain may stand far behind. */
static void a_record_with_a_hash_of_its_own_is_named_across_other_chains(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t c = pick(attack, 0, CHAINS - 1);
        struct gh_log *log = &attack->logs[c];
        log->rows[1].record.user_id = GH_STR("somebody else");
        rehash(attack, &log->rows[1]);
        mix(attack);
        assert_named(attack, GH_AUDIT_FAULT_CHANGED, log->chain, 2, line_of(attack, log->chain, 2));
        log->count = 3; /* nothing behind it tells: the earlier one is named */
        mix(attack);
        assert_named(attack, GH_AUDIT_FAULT_CHANGED, log->chain, 2, line_of(attack, log->chain, 2));
    }
}

static void a_removed_record_is_named_with_its_chain(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t c = pick(attack, 0, CHAINS - 1);
        struct gh_log *log = &attack->logs[c];
        size_t at = pick(attack, 1, log->count - 2);
        memmove(&log->rows[at], &log->rows[at + 1], (--log->count - at) * sizeof(log->rows[0]));
        mix(attack);
        assert_named(attack, GH_AUDIT_FAULT_MISSING, log->chain, at + 1,
                     line_of(attack, log->chain, at + 2));
    }
}

static void a_record_that_was_moved_to_another_chain_is_found(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    lay_out(attack);
    /* The newest of chain 1, as the newest of chain 2: nothing is missing in the middle. */
    struct gh_log *from = &attack->logs[0], *to = &attack->logs[1];
    struct gh_audit_row moved = from->rows[--from->count];
    save(attack, 0, from->count); /* knows of it */
    moved.record.chain = 2;
    to->rows[to->count++] = moved;
    lay_out(attack);
    assert_named(attack, GH_AUDIT_FAULT_CHANGED, 2, to->count,
                 line_of(attack, 2, moved.record.seq) ? attack->logs[0].count + to->count : 0);
    rehash(attack, &to->rows[to->count - 1]);
    to->rows[to->count - 1].record.seq = to->count;
    gh_log_link(to, to->count - 1);
    lay_out(attack);
    assert_named(attack, GH_AUDIT_FAULT_TRUNCATED, 1, from->count + 1, 0);
    attack->saved_count = 0; /* without a saved checkpoint nobody can tell */
    assert_good(attack);
}

static void a_record_of_another_chain_in_between_is_found(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    /* The record 3 of chain 1 in the place of that of chain 2, with a hash that is right. */
    struct gh_audit_row row = attack->logs[0].rows[2];
    row.record.chain = 2;
    rehash(attack, &row);
    attack->logs[1].rows[2] = row;
    lay_out(attack);
    assert_named(attack, GH_AUDIT_FAULT_UNLINKED, 2, 3, attack->logs[0].count + 3);
}

static void two_chains_that_were_swapped_are_found(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    /* As they are: their hashes have their numbers. */
    for (size_t c = 0; c < 2; c++)
        for (size_t i = 0; i < attack->logs[c].count; i++)
            attack->logs[c].rows[i].record.chain = c ? 1 : 2;
    mix(attack);
    struct gh_audit_verdict verdict = verify(attack);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_CHANGED);
    assert_int_equal(verdict.seq, 1);
    /* Built anew: what was signed in them speaks of the other. */
    renumber(&attack->logs[0], 2);
    renumber(&attack->logs[1], 1);
    lay_out(attack);
    assert_named(attack, GH_AUDIT_FAULT_CHECKPOINT, 2, 6, 6);
}

static void two_chains_that_were_swapped_with_the_key_are_found_by_saved_checkpoints(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    save(attack, 0, 8);
    save(attack, 1, 8);
    for (size_t c = 0; c < 2; c++) {
        struct gh_log swapped;
        gh_log_init(&swapped, &attack->arena, attack->key);
        swapped.chain = c ? 1 : 2;
        for (size_t i = 0; i < attack->logs[c].count; i++) {
            struct gh_audit_record record = attack->logs[c].rows[i].record;
            if (record.event == GH_AUDIT_AUDIT_CHECKPOINT)
                gh_log_append_checkpoint(&swapped);
            else
                gh_log_append(&swapped, record);
        }
        attack->logs[c] = swapped;
    }
    lay_out(attack);
    assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, 2, 9, 9);
    attack->saved_count = 0;
    assert_good(attack);
}

static void a_chain_of_which_nothing_is_there_is_cut_to_its_saved_checkpoint(void **state)
{
    struct attack *attack = *state;
    for (size_t gone = 0; gone < CHAINS; gone++) {
        new_logs(attack);
        for (size_t c = 0; c < CHAINS; c++)
            save(attack, c, 8);
        attack->logs[gone].count = 0;
        mix(attack);
        assert_named(attack, GH_AUDIT_FAULT_TRUNCATED, (uint32_t)gone + 1, 1, 0);
        attack->saved_count = 0; /* without one nobody can tell */
        struct gh_audit_verdict verdict = verify(attack);
        assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
        assert_int_equal(verdict.chains, CHAINS - 1);
        assert_int_equal(verdict.chain, gone ? 1 : 2);
    }
}

static void a_chain_under_another_number_is_found(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    renumber(&attack->logs[2], 4);
    lay_out(attack);
    assert_named(attack, GH_AUDIT_FAULT_CHECKPOINT, 4, 6,
                 attack->logs[0].count + attack->logs[1].count + 6);
    attack->logs[2].count = 5; /* before its first checkpoint: only a saved one knows */
    attack->saved[attack->saved_count++] = gh_log_checkpoint(&attack->logs[2], 4);
    attack->saved[0].chain = 3;
    lay_out(attack);
    assert_named(attack, GH_AUDIT_FAULT_TRUNCATED, 3, 1, 0);
}

static void a_checkpoint_of_one_chain_says_nothing_of_another(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    /* Saved: of another record than chain 2 has there. */
    save(attack, 0, 4);
    attack->saved[0].chain = 2;
    lay_out(attack);
    assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, 2, 5, attack->logs[0].count + 5);
    /* In the log: the note of chain 1 is a good one, and of the right number and hash even. */
    attack->saved_count = 0;
    struct gh_log *log = &attack->logs[1];
    struct gh_audit_checkpoint checkpoint = gh_log_checkpoint(log, 4);
    checkpoint.chain = 1;
    struct gh_str note = gh_log_note(&attack->arena, &checkpoint, attack->key);
    log->rows[5].record = gh_log_checkpoint_record(&attack->arena, note, checkpoint.time_us);
    log->rows[5].record.chain = 2;
    gh_log_link(log, 5);
    lay_out(attack);
    assert_named(attack, GH_AUDIT_FAULT_CHECKPOINT, 2, 6, attack->logs[0].count + 6);
}

static void a_front_is_judged_by_the_checkpoints_of_its_own_chain(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    struct gh_log *log = &attack->logs[1];
    memmove(&log->rows[0], &log->rows[2], (log->count -= 2) * sizeof(log->rows[0]));
    mix(attack);
    assert_named(attack, GH_AUDIT_FAULT_FRONT, 2, 1, 0);
}

static void each_chain_has_to_be_signed(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    lay_out(attack);
    struct gh_audit_verify_options options = {
        .verifiers = &attack->verifier, .verifier_count = 1, .unsigned_records_max = 6};
    struct gh_audit_verdict verdict;
    attack->logs[1].count = 0;
    for (size_t i = 0; i < 7; i++)
        gh_log_append(&attack->logs[1], some_record(attack));
    lay_out(attack);
    gh_arena_reset(&attack->scratch);
    struct gh_audit_verification *run = gh_audit_verify_begin(&attack->scratch, &options);
    for (size_t i = 0; i < attack->count; i++)
        assert_true(gh_audit_verify_row(run, &attack->rows[i]));
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NOT_SIGNED);
    assert_int_equal(verdict.chain, 2);
    assert_int_equal(verdict.seq, 1);
    assert_int_equal(verdict.line, attack->logs[0].count + 1);
}

static struct gh_audit_verdict verify_bounded(struct attack *attack, uint64_t unsigned_max)
{
    const struct gh_audit_verify_options options = {
        .verifiers = &attack->verifier, .verifier_count = 1, .unsigned_records_max = unsigned_max};
    struct gh_audit_verdict verdict;
    gh_arena_reset(&attack->scratch);
    struct gh_audit_verification *run = gh_audit_verify_begin(&attack->scratch, &options);
    for (size_t i = 0; i < attack->count; i++)
        assert_true(gh_audit_verify_row(run, &attack->rows[i]));
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    return verdict;
}

static void the_bound_of_what_is_unsigned_is_of_all_chains_together(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    for (size_t c = 0; c < CHAINS; c++) {
        attack->logs[c].count = 0;
        for (size_t i = 0; i < 10 + c; i++)
            gh_log_append(&attack->logs[c], some_record(attack));
    }
    lay_out(attack);
    size_t in_all = attack->count;
    assert_int_equal(verify_bounded(attack, in_all).fault, GH_AUDIT_FAULT_NONE);
    struct gh_audit_verdict verdict = verify_bounded(attack, in_all - 1);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NOT_SIGNED);
    assert_int_equal(verdict.chain, CHAINS); /* which has most */
    assert_int_equal(verdict.seq, 1);
    assert_int_equal(verdict.line, in_all - (10 + CHAINS - 1) + 1);
}

static void each_chain_that_was_signed_may_have_some_more(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    for (size_t c = 0; c < CHAINS; c++) {
        attack->logs[c].count = 0;
        gh_log_append(&attack->logs[c], some_record(attack));
        gh_log_append_checkpoint(&attack->logs[c]); /* itself is not signed */
        for (size_t i = 0; i < 9; i++)
            gh_log_append(&attack->logs[c], some_record(attack));
    }
    lay_out(attack);
    uint64_t sum = 10 * CHAINS, bound = sum * 10 / (10 + CHAINS - 1);
    assert_int_equal(verify_bounded(attack, bound + 10).fault, GH_AUDIT_FAULT_NONE);
    assert_int_equal(verify_bounded(attack, bound - 3).fault, GH_AUDIT_FAULT_NOT_SIGNED);
}

static void a_number_that_is_left_out_is_told(void **state)
{
    struct attack *attack = *state;
    for (size_t c = 0; c < CHAINS; c++) {
        new_logs(attack);
        attack->logs[c].count = 0;
        mix(attack);
        struct gh_audit_verdict verdict = verify(attack);
        assert_int_equal(verdict.fault, GH_AUDIT_FAULT_NONE);
        assert_int_equal(verdict.absent_chain, c + 1 < CHAINS ? c + 1 : 0);
    }
    new_logs(attack);
    mix(attack);
    assert_int_equal(verify(attack).absent_chain, 0);
}

static void the_head_that_is_known_from_elsewhere_must_be_there(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    mix(attack);
    const struct gh_log *log = &attack->logs[1];
    const struct gh_audit_row *last = &log->rows[log->count - 1];
    static const struct {
        int more;
        bool forged;
        enum gh_audit_fault fault;
    } CASES[] = {{0, false, GH_AUDIT_FAULT_NONE},
                 {0, true, GH_AUDIT_FAULT_HEAD},
                 {1, false, GH_AUDIT_FAULT_TRUNCATED},
                 {-1, true, GH_AUDIT_FAULT_HEAD}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_audit_verdict verdict;
        uint8_t hash[GH_SHA256_BYTES];
        memcpy(hash, last->hash, sizeof(hash));
        hash[31] ^= CASES[i].forged;
        struct gh_audit_verification *run = begin(attack);
        uint64_t seq = last->record.seq + (uint64_t)(int64_t)CASES[i].more;
        gh_audit_verify_head(run, 2, seq, hash);
        for (size_t row = 0; row < attack->count; row++)
            if (!gh_audit_verify_row(run, &attack->rows[row]))
                break;
        assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
        assert_int_equal(verdict.fault, CASES[i].fault);
        if (verdict.fault != GH_AUDIT_FAULT_NONE) {
            assert_int_equal(verdict.chain, 2);
            assert_int_equal(verdict.seq, seq);
        }
    }
}

static void a_line_that_can_not_be_read_is_of_the_chain_before_it(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    lay_out(attack);
    size_t at = attack->logs[0].count + 4;
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = begin(attack);
    for (size_t i = 0; i < at; i++)
        assert_true(gh_audit_verify_row(run, &attack->rows[i]));
    assert_false(gh_audit_verify_line(run, GH_STR("{\"seq\":5}")));
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    assert_int_equal(verdict.fault, GH_AUDIT_FAULT_UNREADABLE);
    assert_int_equal(verdict.chain, 2);
    assert_int_equal(verdict.seq, 5);
    assert_int_equal(verdict.line, at + 1);
}

static void more_chains_than_the_bound_have_no_verdict(void **state)
{
    struct attack *attack = *state;
    struct gh_audit_verdict verdict = {.records = 77};
    attack->saved_count = 0;
    struct gh_audit_verification *run = begin(attack);
    for (uint32_t chain = 1; chain <= GH_AUDIT_CHAINS_MAX + 1; chain++) {
        /* In an order that makes room in the middle. */
        struct gh_audit_row row = {
            .record = {.chain = chain * 7919 % 65537, .event = GH_AUDIT_CONFIG_RELOADED}};
        gh_arena_reset(&attack->arena);
        assert_int_equal(gh_audit_link(&attack->arena, &row, 0, NULL), GH_OK);
        assert_int_equal(gh_audit_verify_row(run, &row), chain <= GH_AUDIT_CHAINS_MAX);
    }
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_ERR_FULL);
    assert_int_equal(verdict.records, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_that_nobody_touched_are_good_in_any_mixture),
        cmocka_unit_test(a_changed_record_is_named_with_its_chain),
        cmocka_unit_test(a_record_with_a_hash_of_its_own_is_named_across_other_chains),
        cmocka_unit_test(a_removed_record_is_named_with_its_chain),
        cmocka_unit_test(a_record_that_was_moved_to_another_chain_is_found),
        cmocka_unit_test(a_record_of_another_chain_in_between_is_found),
        cmocka_unit_test(two_chains_that_were_swapped_are_found),
        cmocka_unit_test(two_chains_that_were_swapped_with_the_key_are_found_by_saved_checkpoints),
        cmocka_unit_test(a_chain_of_which_nothing_is_there_is_cut_to_its_saved_checkpoint),
        cmocka_unit_test(a_chain_under_another_number_is_found),
        cmocka_unit_test(a_checkpoint_of_one_chain_says_nothing_of_another),
        cmocka_unit_test(a_front_is_judged_by_the_checkpoints_of_its_own_chain),
        cmocka_unit_test(each_chain_has_to_be_signed),
        cmocka_unit_test(the_bound_of_what_is_unsigned_is_of_all_chains_together),
        cmocka_unit_test(each_chain_that_was_signed_may_have_some_more),
        cmocka_unit_test(a_number_that_is_left_out_is_told),
        cmocka_unit_test(the_head_that_is_known_from_elsewhere_must_be_there),
        cmocka_unit_test(a_line_that_can_not_be_read_is_of_the_chain_before_it),
        cmocka_unit_test(more_chains_than_the_bound_have_no_verdict),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
