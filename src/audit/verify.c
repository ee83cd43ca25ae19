#include "audit/verify.h"

#include <stdlib.h>

#include "audit/opening.h"
#include "json/parse.h"

/* A row at work takes some multiples of a line's length. */
enum { SCRATCH_BLOCK = 64 * 1024, SCRATCH_MAX = 4 * 1024 * 1024 };
/* What may be unsigned at least, and as so many checkpoints would hold. */
enum { UNSIGNED_RECORDS = 10000, UNSIGNED_CHECKPOINTS = 10 };

struct gh_audit_verification {
    struct gh_audit_verify_options options;
    struct gh_audit_checkpoint *saved; /* by seq */
    size_t saved_next;                 /* the first that may still be met */
    struct gh_arena scratch;           /* of one row */
    struct gh_audit_verdict verdict;
    enum gh_err err;
    uint64_t line;
    uint8_t first_prev_hash[GH_SHA256_BYTES]; /* of the first row */
    /* The last record that a checkpoint of any place bears out. */
    uint64_t proven_through;
    /* What the newest of the checkpoints says of the front; seq 0: there was none. */
    uint64_t front_seq;
    uint8_t front_prev_hash[GH_SHA256_BYTES];
    /* When the first checkpoint was signed that says that the log begins where it does, or later:
       by then what was before was dropped. 0: none said so. */
    uint64_t dropped_us;
    /* The last row does not link to the one before, and nothing tells yet which is wrong. */
    bool in_doubt;
};

struct gh_str gh_audit_fault_name(enum gh_audit_fault fault)
{
    static const struct gh_str NAMES[GH_AUDIT_FAULT_COUNT] = {
#define X(id, name, text) GH_STR_INIT(name),
        GH_AUDIT_FAULTS(X)
#undef X
    };
    return NAMES[fault];
}

struct gh_str gh_audit_fault_text(enum gh_audit_fault fault)
{
    static const struct gh_str TEXTS[GH_AUDIT_FAULT_COUNT] = {
#define X(id, name, text) GH_STR_INIT(text),
        GH_AUDIT_FAULTS(X)
#undef X
    };
    return TEXTS[fault];
}

uint64_t gh_audit_unsigned_records_max(uint64_t checkpoint_records)
{
    if (checkpoint_records > UINT64_MAX / UNSIGNED_CHECKPOINTS)
        return UINT64_MAX;
    uint64_t records = UNSIGNED_CHECKPOINTS * checkpoint_records;
    return records > UNSIGNED_RECORDS ? records : UNSIGNED_RECORDS;
}

static int compare_seq(const void *a, const void *b)
{
    const struct gh_audit_checkpoint *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

struct gh_audit_verification *gh_audit_verify_begin(struct gh_arena *arena,
                                                    const struct gh_audit_verify_options *options)
{
    struct gh_audit_verification *run = gh_arena_zalloc(arena, 1, sizeof(*run));
    struct gh_audit_checkpoint *saved =
        gh_arena_zalloc(arena, options->saved_count + 1, sizeof(*saved));
    if (!run || !saved)
        return NULL;
    if (options->saved_count)
        memcpy(saved, options->saved, options->saved_count * sizeof(*saved));
    qsort(saved, options->saved_count, sizeof(*saved), compare_seq);
    run->options = *options;
    if (!run->options.unsigned_records_max)
        run->options.unsigned_records_max = gh_audit_unsigned_records_max(0);
    run->saved = saved;
    run->verdict.signatures_checked = options->verifier_count > 0;
    gh_arena_init(&run->scratch, SCRATCH_BLOCK, SCRATCH_MAX);
    return run;
}

static bool is_over(const struct gh_audit_verification *run)
{
    return run->err || run->verdict.fault != GH_AUDIT_FAULT_NONE;
}

/* The record `seq` is wrong; it stands (or should) `lines_back` before the present line. */
static bool stop(struct gh_audit_verification *run, enum gh_audit_fault fault, uint64_t seq,
                 uint64_t lines_back)
{
    run->verdict.fault = fault;
    run->verdict.seq = seq;
    run->verdict.line = run->line > lines_back ? run->line - lines_back : 0;
    return false;
}

/* Nothing told which of the last two records is wrong: the earlier one, then. */
static bool stop_in_doubt(struct gh_audit_verification *run, uint64_t lines_back)
{
    return stop(run, GH_AUDIT_FAULT_CHANGED, run->verdict.last_seq - 1, lines_back);
}

/* The same of a record that is before or behind the input. */
static void stop_outside(struct gh_audit_verification *run, enum gh_audit_fault fault, uint64_t seq)
{
    run->line = 0;
    stop(run, fault, seq, 0);
}

/* GH_ERR_MEMORY ends the run without a verdict, everything else is the row's fault. */
static bool stop_for(struct gh_audit_verification *run, enum gh_err err, enum gh_audit_fault fault,
                     uint64_t seq)
{
    if (err == GH_ERR_MEMORY)
        run->err = err;
    else if (run->in_doubt)
        stop_in_doubt(run, 2);
    else
        stop(run, fault, seq, 0);
    return false;
}

/* The number that the next row should have; 0: any, it is the first. */
static uint64_t next_seq(const struct gh_audit_verification *run)
{
    return run->verdict.records ? run->verdict.last_seq + 1 : 0;
}

/* ---- Checkpoints ---- */

/* A newer checkpoint knows of a later front. */
static void note_front(struct gh_audit_verification *run,
                       const struct gh_audit_checkpoint *checkpoint)
{
    if (!run->dropped_us && checkpoint->first_seq >= run->verdict.first_seq)
        run->dropped_us = checkpoint->time_us;
    if (checkpoint->first_seq < run->front_seq)
        return;
    run->front_seq = checkpoint->first_seq;
    memcpy(run->front_prev_hash, checkpoint->first_prev_hash, GH_SHA256_BYTES);
}

/* Opens the note of a checkpoint's record. False: malformed, forged, of an unknown key, or it does
   not speak of the record right before. */
static bool open_checkpoint(struct gh_audit_verification *run, const struct gh_audit_row *row,
                            struct gh_audit_checkpoint *out)
{
    struct gh_json_doc doc;
    enum gh_json_status status =
        gh_json_parse(&run->scratch, row->record.metadata, &gh_json_small, &doc, NULL);
    if (status == GH_JSON_MEMORY)
        run->err = GH_ERR_MEMORY;
    if (status != GH_JSON_OK)
        return false;
    struct gh_str note = gh_json_string(gh_json_get(&doc, gh_json_root(&doc), GH_STR("note")));
    enum gh_audit_note judgement =
        gh_audit_checkpoint_open(note, run->options.verifiers, run->options.verifier_count, out);
    bool good = judgement == GH_AUDIT_NOTE_GOOD ||
                (judgement == GH_AUDIT_NOTE_UNKNOWN_KEY && !run->options.verifier_count);
    return good && out->seq + 1 == row->record.seq;
}

/* After the row is known to follow the one before. */
static bool take_checkpoint(struct gh_audit_verification *run, const struct gh_audit_row *row)
{
    struct gh_audit_checkpoint checkpoint;
    if (!open_checkpoint(run, row, &checkpoint))
        return !run->err && stop(run, GH_AUDIT_FAULT_CHECKPOINT, row->record.seq, 0);
    if (memcmp(checkpoint.hash, row->prev_hash, GH_SHA256_BYTES) != 0)
        return stop(run, GH_AUDIT_FAULT_CONTRADICTION, checkpoint.seq, 1);
    run->verdict.checkpoints++;
    note_front(run, &checkpoint);
    if (run->options.verifier_count) {
        run->verdict.signed_through = checkpoint.seq;
        run->proven_through = checkpoint.seq;
    }
    return true;
}

/* Compares the record with what saved checkpoints say of it. */
static bool meet_saved(struct gh_audit_verification *run, uint64_t seq,
                       const uint8_t hash[GH_SHA256_BYTES], uint64_t lines_back)
{
    for (; run->saved_next < run->options.saved_count; run->saved_next++) {
        const struct gh_audit_checkpoint *saved = &run->saved[run->saved_next];
        if (saved->seq > seq)
            return true;
        if (saved->seq < seq)
            continue;
        if (memcmp(saved->hash, hash, GH_SHA256_BYTES) != 0)
            return stop(run, GH_AUDIT_FAULT_CONTRADICTION, seq, lines_back);
        run->verdict.saved_met++;
        run->proven_through = seq;
        note_front(run, saved);
    }
    return true;
}

/* ---- Rows ---- */

static bool take_first(struct gh_audit_verification *run, const struct gh_audit_row *row)
{
    static const uint8_t ZEROS[GH_SHA256_BYTES];
    uint64_t seq = row->record.seq;
    if (seq == 1 && memcmp(row->prev_hash, ZEROS, GH_SHA256_BYTES) != 0)
        return stop(run, GH_AUDIT_FAULT_UNLINKED, seq, 0);
    run->verdict.first_seq = seq;
    memcpy(run->first_prev_hash, row->prev_hash, GH_SHA256_BYTES);
    return meet_saved(run, seq - 1, row->prev_hash, 1);
}

/* Whether a checkpoint of any place says that this row is as it was written. */
static bool is_proven(struct gh_audit_verification *run, const struct gh_audit_row *row)
{
    struct gh_audit_checkpoint checkpoint;
    for (size_t i = run->saved_next; i < run->options.saved_count; i++)
        if (run->saved[i].seq == row->record.seq)
            return memcmp(run->saved[i].hash, row->hash, GH_SHA256_BYTES) == 0;
    return row->record.event == GH_AUDIT_AUDIT_CHECKPOINT && run->options.verifier_count &&
           open_checkpoint(run, row, &checkpoint) &&
           memcmp(checkpoint.hash, row->prev_hash, GH_SHA256_BYTES) == 0;
}

/* `row` does not link to the one before, and either may be wrong. */
static bool take_unlinked(struct gh_audit_verification *run, const struct gh_audit_row *row)
{
    uint64_t seq = row->record.seq;
    if (run->in_doubt)
        return stop(run, GH_AUDIT_FAULT_UNLINKED, seq - 1, 1);
    if (run->proven_through + 1 == seq)
        return stop(run, GH_AUDIT_FAULT_UNLINKED, seq, 0);
    if (is_proven(run, row))
        return stop(run, GH_AUDIT_FAULT_CONTRADICTION, seq - 1, 1);
    run->in_doubt = !run->err;
    return run->in_doubt;
}

static bool take_next(struct gh_audit_verification *run, const struct gh_audit_row *row)
{
    uint64_t seq = row->record.seq, expected = next_seq(run);
    /* What is in doubt has no follower, so it does not belong here. */
    if (run->in_doubt && seq != expected)
        return stop(run, GH_AUDIT_FAULT_UNLINKED, expected - 1, 1);
    if (seq > expected)
        return stop(run, GH_AUDIT_FAULT_MISSING, expected, 0);
    if (seq < expected)
        return stop(run, GH_AUDIT_FAULT_REPEATED, seq, 0);
    if (memcmp(row->prev_hash, run->verdict.last_hash, GH_SHA256_BYTES) != 0)
        return take_unlinked(run, row);
    /* What is in doubt has a follower, so the one before it was changed. */
    return !run->in_doubt || stop(run, GH_AUDIT_FAULT_CHANGED, seq - 2, 2);
}

static bool take_row(struct gh_audit_verification *run, const struct gh_audit_row *row)
{
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t expected = next_seq(run), seq = row->record.seq;
    enum gh_err err = gh_audit_row_hash(&run->scratch, row, hash);
    if (err || memcmp(hash, row->hash, GH_SHA256_BYTES) != 0)
        return stop_for(run, err, GH_AUDIT_FAULT_CHANGED, expected ? expected : seq);
    if (seq == 0)
        return stop(run, GH_AUDIT_FAULT_UNLINKED, 0, 0);
    if (!(expected ? take_next(run, row) : take_first(run, row)))
        return false;
    run->verdict.records++;
    run->verdict.sealed += row->sealed.len > 0;
    run->verdict.last_seq = seq;
    memcpy(run->verdict.last_hash, row->hash, GH_SHA256_BYTES);
    if (run->in_doubt)
        return true;
    if (row->record.event == GH_AUDIT_AUDIT_CHECKPOINT && !take_checkpoint(run, row))
        return false;
    return meet_saved(run, seq, row->hash, 0);
}

bool gh_audit_verify_row(struct gh_audit_verification *run, const struct gh_audit_row *row)
{
    if (is_over(run))
        return false;
    run->line++;
    gh_arena_reset(&run->scratch);
    return take_row(run, row);
}

bool gh_audit_verify_unreadable(struct gh_audit_verification *run, uint64_t seq)
{
    if (is_over(run))
        return false;
    run->line++;
    uint64_t expected = next_seq(run);
    return stop_for(run, GH_ERR_INVALID, GH_AUDIT_FAULT_UNREADABLE, expected ? expected : seq);
}

bool gh_audit_verify_line(struct gh_audit_verification *run, struct gh_str line)
{
    struct gh_audit_row row;
    struct gh_str openings;
    if (line.len > GH_AUDIT_LINE_BYTES_MAX)
        return gh_audit_verify_unreadable(run, 0);
    if (is_over(run))
        return false;
    run->line++;
    gh_arena_reset(&run->scratch);
    enum gh_err err = gh_audit_parse_line(&run->scratch, line, &row, &openings);
    if (err)
        return stop_for(run, err, GH_AUDIT_FAULT_UNREADABLE, next_seq(run));
    if (!take_row(run, &row))
        return false;
    /* What is in doubt ends as a fault of its own. */
    if (!openings.ptr || run->in_doubt)
        return true;
    run->verdict.personal++;
    err = gh_audit_check_openings(&run->scratch, &row, openings);
    return !err || stop_for(run, err, GH_AUDIT_FAULT_OPENING, row.record.seq);
}

/* ---- The end ---- */

/* Two that speak of one record that the log has were met, and one of them contradicted it. What is
   left are those of records that are not there. */
static void check_saved(struct gh_audit_verification *run)
{
    for (size_t i = 1; i < run->options.saved_count; i++) {
        const struct gh_audit_checkpoint *one = &run->saved[i - 1], *other = &run->saved[i];
        if (one->seq == other->seq && memcmp(one->hash, other->hash, GH_SHA256_BYTES) != 0) {
            stop_outside(run, GH_AUDIT_FAULT_CONTRADICTION, one->seq);
            return;
        }
    }
}

/* A log that begins later than with its first record: a checkpoint must say so. */
static void check_front(struct gh_audit_verification *run)
{
    uint64_t first = run->verdict.first_seq, said = run->front_seq ? run->front_seq : 1;
    if (run->verdict.records == 0 || first == 1 || said > first)
        return;
    if (said < first)
        stop_outside(run, GH_AUDIT_FAULT_FRONT, said);
    else if (memcmp(run->front_prev_hash, run->first_prev_hash, GH_SHA256_BYTES) != 0)
        stop_outside(run, GH_AUDIT_FAULT_FRONT, first - 1);
}

/* Whether this saved checkpoint was too young when the log lost its front. A clock that ran ahead
   is nobody's attack: retention passes over what is of a later time than now. */
static bool is_too_young(const struct gh_audit_verification *run,
                         const struct gh_audit_checkpoint *saved)
{
    uint64_t now_us = run->options.now_us ? run->options.now_us : UINT64_MAX;
    uint64_t dropped_us = run->dropped_us < now_us ? run->dropped_us : now_us;
    return saved->time_us <= now_us && (dropped_us <= run->options.retention_us ||
                                        saved->time_us >= dropped_us - run->options.retention_us);
}

/*
 * Who holds the signing key can sign that the front was dropped. Retention drops through the record
 * of a checkpoint that is old enough, with all before it. So the newest saved checkpoint of what is
 * gone must be, too; not the one of the last record that is gone, which a later one may have signed
 * when nothing else had come.
 */
static void check_retention(struct gh_audit_verification *run)
{
    uint64_t first = run->verdict.first_seq;
    size_t gone = 0;
    while (gone < run->options.saved_count && run->saved[gone].seq + 1 < first)
        gone++;
    run->verdict.retention_checked = first <= 1 || (run->options.retention_us && gone);
    if (first <= 1 || !run->options.retention_us)
        return;
    size_t young = gone;
    while (young && is_too_young(run, &run->saved[young - 1]))
        young--;
    if (young < gone)
        stop_outside(run, GH_AUDIT_FAULT_FRONT, run->saved[young].seq);
}

/* Who holds the signing key could have dropped all that was saved. */
static void check_tail(struct gh_audit_verification *run)
{
    if (run->options.saved_count == 0)
        return;
    if (run->saved[run->options.saved_count - 1].seq > run->verdict.last_seq)
        stop_outside(run, GH_AUDIT_FAULT_TRUNCATED, run->verdict.last_seq + 1);
    else if (!run->verdict.saved_met)
        stop_outside(run, GH_AUDIT_FAULT_UNMET, run->verdict.first_seq);
}

/* Whoever writes the end anew without the key has no checkpoint for it. */
static void check_signed(struct gh_audit_verification *run)
{
    const struct gh_audit_verdict *verdict = &run->verdict;
    uint64_t before = verdict->first_seq - 1;
    uint64_t through = verdict->signed_through > before ? verdict->signed_through : before;
    if (run->options.verifier_count && verdict->records &&
        verdict->last_seq - through > run->options.unsigned_records_max)
        stop(run, GH_AUDIT_FAULT_NOT_SIGNED, through + 1, verdict->last_seq - through - 1);
}

enum gh_err gh_audit_verify_end(struct gh_audit_verification *run,
                                struct gh_audit_verdict *out_verdict)
{
    if (!is_over(run) && run->in_doubt)
        stop_in_doubt(run, 1);
    if (!is_over(run))
        check_saved(run);
    if (!is_over(run) && !run->options.partial)
        check_front(run);
    if (!is_over(run) && !run->options.partial)
        check_retention(run);
    if (!is_over(run) && !run->options.partial)
        check_tail(run);
    if (!is_over(run))
        check_signed(run);
    gh_arena_done(&run->scratch);
    if (!run->err)
        *out_verdict = run->verdict;
    return run->err;
}
