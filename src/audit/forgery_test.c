/*
 * Attacks on the log by somebody who holds the database, an export, or the signing key too. For
 * random logs, each attack must be found, and the first wrong record named. What can't be found
 * without a saved checkpoint is shown as well, so that nobody believes more than is true.
 * forgery_line_test.c has the bytes of an export.
 */
#include "audit/verify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/log_fixture.h"

enum { LOGS = 60 };

struct attack {
    struct gh_arena arena;   /* of one log */
    struct gh_arena scratch; /* of one verification */
    struct gh_pkey *key, *other_key;
    struct gh_audit_verifier verifier;
    struct gh_arena keys;
    uint64_t random;
    struct gh_log log, other; /* `other`: another gateway's, with the other key */
    struct gh_log forged;
    struct gh_audit_checkpoint saved[GH_LOG_ROWS_MAX];
    size_t saved_count;
    uint64_t unsigned_records_max;
};

static uint64_t next_random(struct attack *attack)
{
    attack->random ^= attack->random << 13;
    attack->random ^= attack->random >> 7;
    attack->random ^= attack->random << 17;
    return attack->random;
}

static size_t pick(struct attack *attack, size_t from, size_t to)
{
    return from + next_random(attack) % (to - from + 1);
}

static struct gh_audit_record random_record(struct attack *attack, struct gh_arena *arena)
{
    uint64_t random = next_random(attack);
    return (struct gh_audit_record){
        .time_us = GH_LOG_START_US + random % 1000000,
        .event = random & 1 ? GH_AUDIT_LOGIN : GH_AUDIT_LOGIN_FAILED,
        .user_id = gh_arena_format(arena, "u-%u", (unsigned)(random >> 8 & 255)),
        .user_agent = random & 2 ? GH_STR("agent \"x\" \xc3\xa9\x01") : GH_STR(""),
        .request_id = gh_arena_format(arena, "%016llx", (unsigned long long)random),
        .outcome = random & 1 ? GH_AUDIT_SUCCESS : GH_AUDIT_FAILURE,
        .metadata = gh_arena_format(arena, "{\"reason\":\"r\",\"n\":%u}", (unsigned)(random >> 40)),
    };
}

/* At least ten records, a checkpoint as every `period`th; the last is none. */
static void fill(struct attack *attack, struct gh_log *log, size_t count, size_t period)
{
    gh_log_init(log, &attack->arena, log == &attack->other ? attack->other_key : attack->key);
    for (size_t i = 1; i <= count; i++) {
        if (i % period == 0 && i < count)
            gh_log_append_checkpoint(log);
        else
            gh_log_append(log, random_record(attack, &attack->arena));
    }
}

static void new_logs(struct attack *attack)
{
    gh_arena_reset(&attack->arena);
    size_t count = pick(attack, 10, 60), period = pick(attack, 2, 9);
    fill(attack, &attack->log, count, period);
    fill(attack, &attack->other, count, period);
    attack->forged = attack->log;
    attack->saved_count = 0;
}

static void save(struct attack *attack, size_t at)
{
    attack->saved[attack->saved_count++] = gh_log_checkpoint(&attack->log, at);
}

static struct gh_audit_verification *begin(struct attack *attack)
{
    const struct gh_audit_verify_options options = {.verifiers = &attack->verifier,
                                                    .verifier_count = 1,
                                                    .saved = attack->saved,
                                                    .saved_count = attack->saved_count,
                                                    .unsigned_records_max =
                                                        attack->unsigned_records_max};
    gh_arena_reset(&attack->scratch);
    struct gh_audit_verification *run = gh_audit_verify_begin(&attack->scratch, &options);
    assert_non_null(run);
    return run;
}

/* The forged log. */
static struct gh_audit_verdict verify(struct attack *attack)
{
    struct gh_audit_verdict verdict;
    struct gh_audit_verification *run = begin(attack);
    const struct gh_log *log = &attack->forged;
    for (size_t i = 0; i < log->count && gh_audit_verify_row(run, &log->rows[i]); i++)
        ;
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    return verdict;
}

static void assert_good(struct attack *attack)
{
    assert_int_equal(verify(attack).fault, GH_AUDIT_FAULT_NONE);
}

/* `line` as of the input, 0: at its ends. */
static void assert_named(struct attack *attack, enum gh_audit_fault fault, uint64_t seq,
                         uint64_t line)
{
    struct gh_audit_verdict verdict = verify(attack);
    if (verdict.fault != fault || verdict.seq != seq || verdict.line != line)
        print_error("of %zu: wanted %s %u (line %u), found %s %u (line %u)\n", attack->forged.count,
                    gh_audit_fault_name(fault).ptr, (unsigned)seq, (unsigned)line,
                    gh_audit_fault_name(verdict.fault).ptr, (unsigned)verdict.seq,
                    (unsigned)verdict.line);
    assert_int_equal(verdict.fault, fault);
    assert_int_equal(verdict.seq, seq);
    assert_int_equal(verdict.line, line);
}

static void remove_at(struct gh_log *log, size_t at)
{
    memmove(&log->rows[at], &log->rows[at + 1], (log->count - at - 1) * sizeof(log->rows[0]));
    log->count--;
}

static void insert_at(struct gh_log *log, size_t at, struct gh_audit_row row)
{
    memmove(&log->rows[at + 1], &log->rows[at], (log->count - at) * sizeof(log->rows[0]));
    log->rows[at] = row;
    log->count++;
}

/* Gives a row that was changed a hash of its own. */
static void rehash(struct attack *attack, struct gh_audit_row *row)
{
    assert_int_equal(gh_audit_row_hash(&attack->arena, row, row->hash), GH_OK);
}

static int set_up(void **state)
{
    static struct attack attack;
    gh_arena_init(&attack.arena, 1 << 20, 64 << 20);
    gh_arena_init(&attack.scratch, 64 * 1024, 1 << 20);
    gh_arena_init(&attack.keys, 1024, 64 * 1024);
    attack.key = gh_log_key(0);
    attack.other_key = gh_log_key(100);
    attack.verifier = gh_log_verifier(&attack.keys, attack.key);
    attack.random = 88172645463325252;
    *state = &attack;
    return 0;
}

static int tear_down(void **state)
{
    struct attack *attack = *state;
    gh_pkey_unref(attack->key);
    gh_pkey_unref(attack->other_key);
    gh_pkey_unref(attack->verifier.key);
    gh_arena_done(&attack->arena);
    gh_arena_done(&attack->scratch);
    gh_arena_done(&attack->keys);
    return 0;
}

static void a_log_that_nobody_touched_is_good(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        for (size_t at = 0; at < attack->log.count; at += 3)
            save(attack, at);
        assert_good(attack);
    }
}

/* ---- One record ---- */

static void a_changed_record_is_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = pick(attack, 0, attack->log.count - 1);
        attack->forged.rows[at].record.user_id = GH_STR("somebody else");
        assert_named(attack, GH_AUDIT_FAULT_CHANGED, at + 1, at + 1);
        attack->forged.rows[at] = attack->log.rows[at];
        attack->forged.rows[at].hash[i % GH_SHA256_BYTES] ^= 1;
        assert_named(attack, GH_AUDIT_FAULT_CHANGED, at + 1, at + 1);
        attack->forged.rows[at] = attack->log.rows[at];
        attack->forged.rows[at].prev_hash[i % GH_SHA256_BYTES] ^= 1;
        assert_named(attack, GH_AUDIT_FAULT_CHANGED, at + 1, at + 1);
        if (at == 0)
            continue;
        attack->forged.rows[at] = attack->log.rows[at];
        attack->forged.rows[at].record.seq = pick(attack, 0, 100) + 61;
        assert_named(attack, GH_AUDIT_FAULT_CHANGED, at + 1, at + 1);
    }
}

static void a_record_that_was_changed_with_its_hash_is_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = pick(attack, 0, attack->log.count - 2);
        struct gh_audit_row *row = &attack->forged.rows[at];
        row->record.event = GH_AUDIT_LOGOUT;
        rehash(attack, row);
        bool next_is_checkpoint = row[1].record.event == GH_AUDIT_AUDIT_CHECKPOINT;
        assert_named(attack,
                     next_is_checkpoint ? GH_AUDIT_FAULT_CONTRADICTION : GH_AUDIT_FAULT_CHANGED,
                     at + 1, at + 1);
    }
}

static void only_a_saved_checkpoint_knows_the_last_record(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    size_t last = attack->log.count - 1;
    struct gh_audit_row *row = &attack->forged.rows[last];
    row->record.event = GH_AUDIT_LOGOUT;
    rehash(attack, row);
    assert_good(attack);
    save(attack, last);
    assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, last + 1, last + 1);
}

static void a_removed_record_is_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = pick(attack, 1, attack->log.count - 2);
        remove_at(&attack->forged, at);
        assert_named(attack, GH_AUDIT_FAULT_MISSING, at + 1, at + 1);
    }
}

static void an_inserted_record_is_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = pick(attack, 1, attack->log.count - 1);
        const struct gh_audit_row *before = &attack->log.rows[at - 1];
        struct gh_audit_row row = {.record = random_record(attack, &attack->arena)};
        assert_int_equal(gh_audit_link(&attack->arena, &row, before->record.seq, before->hash),
                         GH_OK);
        insert_at(&attack->forged, at, row);
        assert_named(attack, GH_AUDIT_FAULT_REPEATED, at + 1, at + 2);
    }
}

static void a_repeated_record_is_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = pick(attack, 0, attack->log.count - 1);
        size_t to = pick(attack, at + 1, attack->log.count);
        insert_at(&attack->forged, to, attack->log.rows[at]);
        assert_named(attack, GH_AUDIT_FAULT_REPEATED, at + 1, to + 1);
    }
}

static void records_in_another_order_are_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = pick(attack, 1, attack->log.count - 2);
        size_t with = pick(attack, at + 1, attack->log.count - 1);
        attack->forged.rows[at] = attack->log.rows[with];
        attack->forged.rows[with] = attack->log.rows[at];
        assert_named(attack, GH_AUDIT_FAULT_MISSING, at + 1, at + 1);
        /* Numbers put right, hashes made anew. */
        attack->forged.rows[at].record.seq = at + 1;
        rehash(attack, &attack->forged.rows[at]);
        assert_named(attack, GH_AUDIT_FAULT_UNLINKED, at + 1, at + 1);
    }
}

static void a_record_of_another_log_is_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = pick(attack, 1, attack->log.count - 2);
        insert_at(&attack->forged, at, attack->other.rows[at]);
        assert_named(attack, GH_AUDIT_FAULT_UNLINKED, at + 1, at + 1);
        attack->forged = attack->log;
        attack->forged.rows[at] = attack->other.rows[at];
        assert_named(attack, GH_AUDIT_FAULT_UNLINKED, at + 1, at + 1);
        /* At the end nothing follows that could decide, but a checkpoint can. */
        size_t last = attack->log.count - 1;
        attack->forged = attack->log;
        attack->forged.rows[last] = attack->other.rows[last];
        save(attack, last - 1);
        assert_named(attack, GH_AUDIT_FAULT_UNLINKED, last + 1, last + 1);
    }
}

/* ---- Ends ---- */

static void a_cut_tail_is_found_through_a_saved_checkpoint(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t kept = pick(attack, 1, attack->log.count - 1);
        attack->forged.count = kept;
        assert_good(attack);
        save(attack, pick(attack, 0, kept - 1));
        assert_good(attack);
        save(attack, pick(attack, kept, attack->log.count - 1));
        assert_named(attack, GH_AUDIT_FAULT_TRUNCATED, kept + 1, 0);
    }
}

static void an_old_backup_that_went_on_is_found_through_a_saved_checkpoint(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t kept = pick(attack, 1, attack->log.count - 2);
        attack->forged.count = kept;
        while (attack->forged.count < attack->log.count + 3)
            gh_log_append(&attack->forged, random_record(attack, &attack->arena));
        assert_good(attack);
        save(attack, attack->log.count - 1);
        size_t at = pick(attack, kept, attack->log.count - 1);
        save(attack, at);
        save(attack, pick(attack, 0, kept - 1));
        assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, at + 1, at + 1);
    }
}

static void a_dropped_front_is_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t dropped = pick(attack, 1, attack->log.count - 1);
        for (size_t k = 0; k < dropped; k++)
            remove_at(&attack->forged, 0);
        assert_named(attack, GH_AUDIT_FAULT_FRONT, 1, 0);
    }
}

static void more_dropped_than_a_checkpoint_says_is_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        struct gh_log *log = &attack->forged;
        size_t dropped = pick(attack, 1, log->count - 3), more = pick(attack, 1, 2);
        log->first_seq = dropped + 1;
        memcpy(log->first_prev_hash, log->rows[dropped - 1].hash, GH_SHA256_BYTES);
        gh_log_append_checkpoint(log);
        for (size_t k = 0; k < dropped; k++)
            remove_at(log, 0);
        assert_good(attack);
        for (size_t k = 0; k < more; k++)
            remove_at(log, 0);
        assert_named(attack, GH_AUDIT_FAULT_FRONT, dropped + 1, 0);
    }
}

/* ---- Chains built anew, and checkpoints ---- */

/* The row (an index) of the first checkpoint from `from` on; count: none. */
static size_t find_checkpoint(const struct gh_log *log, size_t from)
{
    while (from < log->count && log->rows[from].record.event != GH_AUDIT_AUDIT_CHECKPOINT)
        from++;
    return from;
}

static void a_chain_built_anew_without_the_key_contradicts_its_checkpoints(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = pick(attack, 0, attack->log.count - 2);
        size_t checkpoint = find_checkpoint(&attack->log, at + 1);
        if (attack->log.rows[at].record.event == GH_AUDIT_AUDIT_CHECKPOINT ||
            checkpoint == attack->log.count)
            continue;
        attack->forged.rows[at].record.user_id = GH_STR("somebody else");
        gh_log_link(&attack->forged, at);
        assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, checkpoint, checkpoint);
        /* The same without its record: numbers no longer fit the notes. */
        attack->forged = attack->log;
        remove_at(&attack->forged, at);
        gh_log_link(&attack->forged, at);
        assert_named(attack, GH_AUDIT_FAULT_CHECKPOINT, checkpoint, checkpoint);
    }
}

static void a_chain_built_anew_with_the_key_is_found_through_a_saved_checkpoint(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        struct gh_log *log = &attack->forged;
        size_t at = pick(attack, 0, log->count - 1), count = log->count;
        bool is_checkpoint = log->rows[at].record.event == GH_AUDIT_AUDIT_CHECKPOINT;
        log->count = at;
        for (size_t k = at; k < count; k++) {
            if (attack->log.rows[k].record.event == GH_AUDIT_AUDIT_CHECKPOINT)
                gh_log_append_checkpoint(log);
            else
                gh_log_append(log, attack->log.rows[k].record);
            if (k == at && !is_checkpoint) {
                log->rows[k].record.user_id = GH_STR("somebody else");
                gh_log_link(log, k);
            }
        }
        if (is_checkpoint)
            continue;
        assert_good(attack);
        save(attack, count - 1);
        size_t known = pick(attack, at, count - 1);
        save(attack, known);
        if (at > 0)
            save(attack, pick(attack, 0, at - 1));
        assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, known + 1, known + 1);
    }
}

/* Puts another note into the checkpoint at `at` and links the rest again. */
static void replace_note(struct attack *attack, size_t at, struct gh_str note)
{
    attack->forged = attack->log;
    attack->forged.rows[at].record =
        gh_log_checkpoint_record(&attack->arena, note, GH_LOG_START_US);
    gh_log_link(&attack->forged, at);
}

static void a_forged_checkpoint_is_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = find_checkpoint(&attack->log, 0);
        struct gh_audit_checkpoint said = gh_log_checkpoint(&attack->log, at - 1), later = said;
        later.seq++;
        struct gh_str good = gh_log_note(&attack->arena, &said, attack->key);
        struct gh_str unsigned_note = gh_str_first(good, gh_str_find(good, GH_STR("\n\n")) + 1);
        const struct gh_str notes[] = {
            gh_log_note(&attack->arena, &said, attack->other_key),
            gh_log_note(&attack->arena, &later, attack->key),
            unsigned_note,
            gh_arena_format(&attack->arena, "x%.*s", GH_STR_ARG(good)),
            GH_STR("x"),
        };
        for (size_t n = 0; n < sizeof(notes) / sizeof(notes[0]); n++) {
            replace_note(attack, at, notes[n]);
            assert_named(attack, GH_AUDIT_FAULT_CHECKPOINT, at + 1, at + 1);
        }
        attack->forged.rows[at].record.metadata = GH_STR("{\"note\":1}");
        gh_log_link(&attack->forged, at);
        assert_named(attack, GH_AUDIT_FAULT_CHECKPOINT, at + 1, at + 1);
    }
}

static void a_checkpoint_of_another_log_contradicts(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        size_t at = find_checkpoint(&attack->log, 0);
        struct gh_audit_checkpoint said = gh_log_checkpoint(&attack->other, at - 1);
        replace_note(attack, at, gh_log_note(&attack->arena, &said, attack->key));
        assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, at, at);
    }
}

static void a_chain_that_leaves_its_checkpoints_out_is_not_signed(void **state)
{
    struct attack *attack = *state;
    new_logs(attack);
    struct gh_log *log = &attack->forged;
    gh_log_init(log, &attack->arena, attack->key);
    while (log->count < 50)
        gh_log_append(log, random_record(attack, &attack->arena));
    assert_good(attack);
    attack->unsigned_records_max = 20;
    assert_named(attack, GH_AUDIT_FAULT_NOT_SIGNED, 1, 1);
    attack->unsigned_records_max = 0;
}

/* With the key two logs can be signed; whoever saved of both has the proof, though neither record
   can be looked at any more. */
static void saved_checkpoints_that_contradict_each_other_are_named(void **state)
{
    struct attack *attack = *state;
    for (unsigned i = 0; i < LOGS; i++) {
        new_logs(attack);
        struct gh_log *log = &attack->forged;
        size_t at = pick(attack, 0, log->count - 3);
        bool other_first = i & 1;
        save(attack, at);
        save(attack, at);
        assert_good(attack);
        attack->saved[other_first ? 0 : 1].hash[0] ^= 1;
        /* The log has the record. */
        assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, at + 1, at + 1);
        /* It was dropped, with a signature. */
        log->first_seq = at + 3;
        memcpy(log->first_prev_hash, log->rows[at + 1].hash, GH_SHA256_BYTES);
        gh_log_append_checkpoint(log);
        for (size_t k = 0; k < at + 2; k++)
            remove_at(log, 0);
        attack->log = *log;
        save(attack, log->count - 1);
        assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, at + 1, 0);
        /* It was cut off. */
        new_logs(attack);
        save(attack, at % 9 + 1);
        save(attack, at % 9 + 1);
        attack->saved[other_first ? 0 : 1].hash[0] ^= 1;
        log->count = at % 9 + 1;
        assert_named(attack, GH_AUDIT_FAULT_CONTRADICTION, at % 9 + 2, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_nobody_touched_is_good),
        cmocka_unit_test(a_changed_record_is_named),
        cmocka_unit_test(a_record_that_was_changed_with_its_hash_is_named),
        cmocka_unit_test(only_a_saved_checkpoint_knows_the_last_record),
        cmocka_unit_test(a_removed_record_is_named),
        cmocka_unit_test(an_inserted_record_is_named),
        cmocka_unit_test(a_repeated_record_is_named),
        cmocka_unit_test(records_in_another_order_are_named),
        cmocka_unit_test(a_record_of_another_log_is_named),
        cmocka_unit_test(a_cut_tail_is_found_through_a_saved_checkpoint),
        cmocka_unit_test(an_old_backup_that_went_on_is_found_through_a_saved_checkpoint),
        cmocka_unit_test(a_dropped_front_is_named),
        cmocka_unit_test(more_dropped_than_a_checkpoint_says_is_named),
        cmocka_unit_test(a_chain_built_anew_without_the_key_contradicts_its_checkpoints),
        cmocka_unit_test(a_chain_built_anew_with_the_key_is_found_through_a_saved_checkpoint),
        cmocka_unit_test(a_forged_checkpoint_is_named),
        cmocka_unit_test(a_checkpoint_of_another_log_contradicts),
        cmocka_unit_test(a_chain_that_leaves_its_checkpoints_out_is_not_signed),
        cmocka_unit_test(saved_checkpoints_that_contradict_each_other_are_named),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
