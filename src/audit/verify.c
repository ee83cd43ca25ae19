#include "audit/verify.h"

#include <stdlib.h>

#include "audit/opening.h"
#include "json/parse.h"

/* A row at work takes some multiples of a line's length. */
enum { SCRATCH_BLOCK = 64 * 1024, SCRATCH_MAX = 4 * 1024 * 1024 };

/* What is known of one chain. */
struct chain {
    uint32_t id;
    const struct gh_audit_checkpoint *saved; /* by seq */
    size_t saved_count;
    size_t saved_next; /* the first that may still be met */
    uint64_t records, first_seq, last_seq, signed_through;
    uint64_t lines[3];                        /* of its last rows, the newest first; 0: none */
    uint64_t unsigned_line;                   /* of its first row behind `signed_through` */
    uint8_t first_prev_hash[GH_SHA256_BYTES]; /* of the first row */
    uint8_t last_hash[GH_SHA256_BYTES];
    /* The last record that a checkpoint of any place bears out. */
    uint64_t proven_through;
    /* What the newest of the checkpoints says of the front; seq 0: there was none. */
    uint64_t front_seq;
    uint8_t front_prev_hash[GH_SHA256_BYTES];
    /* When the first checkpoint was signed that says that the chain begins where it does, or later:
       by then what was before was dropped. 0: none said so. */
    uint64_t dropped_us;
    /* The last row does not link to the one before, and nothing tells yet which is wrong. */
    bool in_doubt;
    bool saved_met; /* one of them */
    /* The last record by what is kept beside the log; 0: nothing is. */
    uint64_t head_seq;
    uint8_t head_hash[GH_SHA256_BYTES];
};

struct gh_audit_verification {
    struct gh_arena *arena; /* of the chains */
    struct gh_audit_verify_options options;
    struct chain **chains; /* by id, GH_AUDIT_CHAINS_MAX places */
    size_t chain_count;
    struct chain *current;   /* of the row that came last; NULL: none did */
    struct gh_arena scratch; /* of one row */
    struct gh_audit_verdict verdict;
    enum gh_err err;
    uint64_t line;
};

/* ---- Chains ---- */

/* Where the chain is, or would be. */
static size_t place_of(const struct gh_audit_verification *run, uint32_t id)
{
    size_t from = 0, to = run->chain_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (run->chains[middle]->id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* A new one where there is none yet. NULL: no room, the run ends without a verdict. */
static struct chain *find_chain(struct gh_audit_verification *run, uint32_t id)
{
    if (run->current && run->current->id == id)
        return run->current;
    size_t at = place_of(run, id);
    if (at < run->chain_count && run->chains[at]->id == id)
        return run->chains[at];
    bool room = run->chain_count < GH_AUDIT_CHAINS_MAX;
    struct chain *chain = room ? gh_arena_zalloc(run->arena, 1, sizeof(*chain)) : NULL;
    if (!chain) {
        run->err = room ? GH_ERR_MEMORY : GH_ERR_FULL;
        return NULL;
    }
    chain->id = id;
    memmove(&run->chains[at + 1], &run->chains[at],
            (run->chain_count++ - at) * sizeof(struct chain *));
    run->chains[at] = chain;
    return chain;
}

/* The chain that the next row is of. */
static struct chain *begin_row(struct gh_audit_verification *run, uint32_t id)
{
    struct chain *chain = find_chain(run, id);
    if (!chain)
        return NULL;
    run->current = chain;
    chain->lines[2] = chain->lines[1];
    chain->lines[1] = chain->lines[0];
    chain->lines[0] = run->line;
    return chain;
}

static int compare_saved(const void *a, const void *b)
{
    const struct gh_audit_checkpoint *x = a, *y = b;
    if (x->chain != y->chain)
        return x->chain < y->chain ? -1 : 1;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Each chain has its own, by seq. */
static void deal_out_saved(struct gh_audit_verification *run, struct gh_audit_checkpoint *saved)
{
    size_t count = run->options.saved_count;
    for (size_t i = 0; i < count; i++) {
        saved[i] = run->options.saved[i];
        saved[i].chain = saved[i].chain ? saved[i].chain : 1;
    }
    qsort(saved, count, sizeof(*saved), compare_saved);
    for (size_t i = 0; i < count; i++) {
        struct chain *chain = find_chain(run, saved[i].chain);
        if (!chain)
            return;
        if (!chain->saved)
            chain->saved = &saved[i];
        chain->saved_count++;
    }
}

struct gh_audit_verification *gh_audit_verify_begin(struct gh_arena *arena,
                                                    const struct gh_audit_verify_options *options)
{
    struct gh_audit_verification *run = gh_arena_zalloc(arena, 1, sizeof(*run));
    struct gh_audit_checkpoint *saved =
        gh_arena_zalloc(arena, options->saved_count + 1, sizeof(*saved));
    struct chain **chains = gh_arena_zalloc(arena, GH_AUDIT_CHAINS_MAX, sizeof(*chains));
    if (!run || !saved || !chains)
        return NULL;
    run->arena = arena;
    run->chains = chains;
    run->options = *options;
    if (!run->options.unsigned_records_max)
        run->options.unsigned_records_max = gh_audit_unsigned_records_max(0);
    deal_out_saved(run, saved);
    run->verdict.signatures_checked = options->verifier_count > 0;
    gh_arena_init(&run->scratch, SCRATCH_BLOCK, SCRATCH_MAX);
    return run;
}

static bool is_over(const struct gh_audit_verification *run)
{
    return run->err || run->verdict.fault != GH_AUDIT_FAULT_NONE;
}

/* The record `seq` of the chain is wrong; it stands (or should) in this line, 0: before or behind
   the input. */
static bool stop(struct gh_audit_verification *run, const struct chain *chain,
                 enum gh_audit_fault fault, uint64_t seq, uint64_t line)
{
    run->verdict.fault = fault;
    run->verdict.chain = chain->id;
    run->verdict.seq = seq;
    run->verdict.line = line;
    return false;
}

/* Nothing told which of the last two records is wrong: the earlier one, then. */
static bool stop_in_doubt(struct gh_audit_verification *run, const struct chain *chain,
                          uint64_t line)
{
    return stop(run, chain, GH_AUDIT_FAULT_CHANGED, chain->last_seq - 1, line);
}

/* GH_ERR_MEMORY ends the run without a verdict, everything else is the present row's fault. */
static bool stop_for(struct gh_audit_verification *run, const struct chain *chain, enum gh_err err,
                     enum gh_audit_fault fault, uint64_t seq)
{
    if (err == GH_ERR_MEMORY)
        run->err = err;
    else if (chain->in_doubt)
        stop_in_doubt(run, chain, chain->lines[2]);
    else
        stop(run, chain, fault, seq, chain->lines[0]);
    return false;
}

/* The number that the next row should have; 0: any, it is the first. */
static uint64_t next_seq(const struct chain *chain)
{
    return chain->records ? chain->last_seq + 1 : 0;
}

/* ---- Checkpoints ---- */

/* A newer checkpoint knows of a later front. */
static void note_front(struct chain *chain, const struct gh_audit_checkpoint *checkpoint)
{
    if (!chain->dropped_us && checkpoint->first_seq >= chain->first_seq)
        chain->dropped_us = checkpoint->time_us;
    if (checkpoint->first_seq < chain->front_seq)
        return;
    chain->front_seq = checkpoint->first_seq;
    memcpy(chain->front_prev_hash, checkpoint->first_prev_hash, GH_SHA256_BYTES);
}

/* Opens the note of a checkpoint's record. False: malformed, forged, of an unknown key, or it does
   not speak of the record right before in this chain. */
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
    return good && out->chain == gh_audit_chain_of(&row->record) && out->seq + 1 == row->record.seq;
}

/* After the row is known to follow the one before. */
static bool take_checkpoint(struct gh_audit_verification *run, struct chain *chain,
                            const struct gh_audit_row *row)
{
    struct gh_audit_checkpoint checkpoint;
    if (!open_checkpoint(run, row, &checkpoint))
        return !run->err &&
               stop(run, chain, GH_AUDIT_FAULT_CHECKPOINT, row->record.seq, chain->lines[0]);
    if (memcmp(checkpoint.hash, row->prev_hash, GH_SHA256_BYTES) != 0)
        return stop(run, chain, GH_AUDIT_FAULT_CONTRADICTION, checkpoint.seq, chain->lines[1]);
    run->verdict.checkpoints++;
    note_front(chain, &checkpoint);
    if (run->options.verifier_count) {
        chain->signed_through = checkpoint.seq;
        chain->proven_through = checkpoint.seq;
        chain->unsigned_line = chain->lines[0];
    }
    return true;
}

/* Compares the record in this line with what saved checkpoints say of it. */
static bool meet_saved(struct gh_audit_verification *run, struct chain *chain, uint64_t seq,
                       const uint8_t hash[GH_SHA256_BYTES], uint64_t line)
{
    for (; chain->saved_next < chain->saved_count; chain->saved_next++) {
        const struct gh_audit_checkpoint *saved = &chain->saved[chain->saved_next];
        if (saved->seq > seq)
            return true;
        if (saved->seq < seq)
            continue;
        if (memcmp(saved->hash, hash, GH_SHA256_BYTES) != 0)
            return stop(run, chain, GH_AUDIT_FAULT_CONTRADICTION, seq, line);
        run->verdict.saved_met++;
        chain->proven_through = seq;
        chain->saved_met = true;
        note_front(chain, saved);
    }
    return true;
}

/* ---- Heads ---- */

void gh_audit_verify_head(struct gh_audit_verification *run, uint32_t id, uint64_t seq,
                          const uint8_t hash[GH_SHA256_BYTES])
{
    struct chain *chain = is_over(run) || !seq ? NULL : find_chain(run, id);
    if (!chain)
        return;
    chain->head_seq = seq;
    memcpy(chain->head_hash, hash, GH_SHA256_BYTES);
}

void gh_audit_verify_absent(struct gh_audit_verification *run, uint32_t id)
{
    struct chain *chain = is_over(run) ? NULL : find_chain(run, id);
    if (chain)
        stop(run, chain, GH_AUDIT_FAULT_MISSING, 1, 0);
}

static bool meet_head(struct gh_audit_verification *run, const struct chain *chain)
{
    return chain->head_seq != chain->last_seq ||
           memcmp(chain->head_hash, chain->last_hash, GH_SHA256_BYTES) == 0 ||
           stop(run, chain, GH_AUDIT_FAULT_HEAD, chain->last_seq, chain->lines[0]);
}

/* ---- Rows ---- */

static bool take_first(struct gh_audit_verification *run, struct chain *chain,
                       const struct gh_audit_row *row)
{
    static const uint8_t ZEROS[GH_SHA256_BYTES];
    uint64_t seq = row->record.seq;
    if (seq == 1 && memcmp(row->prev_hash, ZEROS, GH_SHA256_BYTES) != 0)
        return stop(run, chain, GH_AUDIT_FAULT_UNLINKED, seq, chain->lines[0]);
    chain->first_seq = seq;
    chain->unsigned_line = chain->lines[0];
    memcpy(chain->first_prev_hash, row->prev_hash, GH_SHA256_BYTES);
    return meet_saved(run, chain, seq - 1, row->prev_hash, 0);
}

/* Whether a checkpoint of any place says that this row is as it was written. */
static bool is_proven(struct gh_audit_verification *run, const struct chain *chain,
                      const struct gh_audit_row *row)
{
    struct gh_audit_checkpoint checkpoint;
    for (size_t i = chain->saved_next; i < chain->saved_count; i++)
        if (chain->saved[i].seq == row->record.seq)
            return memcmp(chain->saved[i].hash, row->hash, GH_SHA256_BYTES) == 0;
    return row->record.event == GH_AUDIT_AUDIT_CHECKPOINT && run->options.verifier_count &&
           open_checkpoint(run, row, &checkpoint) &&
           memcmp(checkpoint.hash, row->prev_hash, GH_SHA256_BYTES) == 0;
}

/* `row` does not link to the one before, and either may be wrong. */
static bool take_unlinked(struct gh_audit_verification *run, struct chain *chain,
                          const struct gh_audit_row *row)
{
    uint64_t seq = row->record.seq;
    if (chain->in_doubt)
        return stop(run, chain, GH_AUDIT_FAULT_UNLINKED, seq - 1, chain->lines[1]);
    if (chain->proven_through + 1 == seq)
        return stop(run, chain, GH_AUDIT_FAULT_UNLINKED, seq, chain->lines[0]);
    if (is_proven(run, chain, row))
        return stop(run, chain, GH_AUDIT_FAULT_CONTRADICTION, seq - 1, chain->lines[1]);
    chain->in_doubt = !run->err;
    return chain->in_doubt;
}

static bool take_next(struct gh_audit_verification *run, struct chain *chain,
                      const struct gh_audit_row *row)
{
    uint64_t seq = row->record.seq, expected = next_seq(chain);
    /* What is in doubt has no follower, so it does not belong here. */
    if (chain->in_doubt && seq != expected)
        return stop(run, chain, GH_AUDIT_FAULT_UNLINKED, expected - 1, chain->lines[1]);
    if (seq > expected)
        return stop(run, chain, GH_AUDIT_FAULT_MISSING, expected, chain->lines[0]);
    if (seq < expected)
        return stop(run, chain, GH_AUDIT_FAULT_REPEATED, seq, chain->lines[0]);
    if (memcmp(row->prev_hash, chain->last_hash, GH_SHA256_BYTES) != 0)
        return take_unlinked(run, chain, row);
    /* What is in doubt has a follower, so the one before it was changed. */
    return !chain->in_doubt || stop(run, chain, GH_AUDIT_FAULT_CHANGED, seq - 2, chain->lines[2]);
}

static bool take_row(struct gh_audit_verification *run, const struct gh_audit_row *row)
{
    uint8_t hash[GH_SHA256_BYTES];
    struct chain *chain = begin_row(run, gh_audit_chain_of(&row->record));
    if (!chain)
        return false;
    uint64_t expected = next_seq(chain), seq = row->record.seq;
    enum gh_err err = gh_audit_row_hash(&run->scratch, row, hash);
    if (err || memcmp(hash, row->hash, GH_SHA256_BYTES) != 0)
        return stop_for(run, chain, err, GH_AUDIT_FAULT_CHANGED, expected ? expected : seq);
    if (seq == 0)
        return stop(run, chain, GH_AUDIT_FAULT_UNLINKED, 0, chain->lines[0]);
    if (!(expected ? take_next(run, chain, row) : take_first(run, chain, row)))
        return false;
    chain->records++;
    run->verdict.sealed += row->sealed.len > 0;
    chain->last_seq = seq;
    memcpy(chain->last_hash, row->hash, GH_SHA256_BYTES);
    if (chain->in_doubt)
        return true;
    if (row->record.event == GH_AUDIT_AUDIT_CHECKPOINT && !take_checkpoint(run, chain, row))
        return false;
    return meet_saved(run, chain, seq, row->hash, chain->lines[0]) && meet_head(run, chain);
}

bool gh_audit_verify_row(struct gh_audit_verification *run, const struct gh_audit_row *row)
{
    if (is_over(run))
        return false;
    run->line++;
    gh_arena_reset(&run->scratch);
    return take_row(run, row);
}

/* The present line is none that can be read. */
static bool stop_unreadable(struct gh_audit_verification *run, uint32_t id, uint64_t seq,
                            enum gh_err err)
{
    if (!id)
        id = run->current ? run->current->id : 1;
    struct chain *chain = begin_row(run, id);
    if (!chain)
        return false;
    uint64_t expected = next_seq(chain);
    return stop_for(run, chain, err, GH_AUDIT_FAULT_UNREADABLE, expected ? expected : seq);
}

bool gh_audit_verify_unreadable(struct gh_audit_verification *run, uint32_t chain, uint64_t seq)
{
    if (is_over(run))
        return false;
    run->line++;
    return stop_unreadable(run, chain, seq, GH_ERR_INVALID);
}

bool gh_audit_verify_line(struct gh_audit_verification *run, struct gh_str line)
{
    struct gh_audit_row row;
    struct gh_str openings;
    if (line.len > GH_AUDIT_LINE_BYTES_MAX)
        return gh_audit_verify_unreadable(run, 0, 0);
    if (is_over(run))
        return false;
    run->line++;
    gh_arena_reset(&run->scratch);
    enum gh_err err = gh_audit_parse_line(&run->scratch, line, &row, &openings);
    if (err)
        return stop_unreadable(run, 0, 0, err);
    if (!take_row(run, &row))
        return false;
    /* What is in doubt ends as a fault of its own. */
    if (!openings.ptr || run->current->in_doubt)
        return true;
    run->verdict.personal++;
    err = gh_audit_check_openings(&run->scratch, &row, openings);
    return !err || stop_for(run, run->current, err, GH_AUDIT_FAULT_OPENING, row.record.seq);
}

/* ---- The end, of each chain ---- */

/* Two that speak of one record that the log has were met, and one of them contradicted it. What is
   left are those of records that are not there. */
static void check_saved(struct gh_audit_verification *run, const struct chain *chain)
{
    for (size_t i = 1; i < chain->saved_count; i++) {
        const struct gh_audit_checkpoint *one = &chain->saved[i - 1], *other = &chain->saved[i];
        if (one->seq == other->seq && memcmp(one->hash, other->hash, GH_SHA256_BYTES) != 0) {
            stop(run, chain, GH_AUDIT_FAULT_CONTRADICTION, one->seq, 0);
            return;
        }
    }
}

/* A chain that begins later than with its first record: a checkpoint must say so. */
static void check_front(struct gh_audit_verification *run, const struct chain *chain)
{
    uint64_t first = chain->first_seq, said = chain->front_seq ? chain->front_seq : 1;
    if (chain->records == 0 || first == 1 || said > first)
        return;
    if (said < first)
        stop(run, chain, GH_AUDIT_FAULT_FRONT, said, 0);
    else if (memcmp(chain->front_prev_hash, chain->first_prev_hash, GH_SHA256_BYTES) != 0)
        stop(run, chain, GH_AUDIT_FAULT_FRONT, first - 1, 0);
}

/* Whether this saved checkpoint was too young when the chain lost its front. A clock that ran ahead
   is nobody's attack: retention passes over what is of a later time than now. */
static bool is_too_young(const struct gh_audit_verification *run, const struct chain *chain,
                         const struct gh_audit_checkpoint *saved)
{
    uint64_t now_us = run->options.now_us ? run->options.now_us : UINT64_MAX;
    uint64_t dropped_us = chain->dropped_us < now_us ? chain->dropped_us : now_us;
    return saved->time_us <= now_us && (dropped_us <= run->options.retention_us ||
                                        saved->time_us >= dropped_us - run->options.retention_us);
}

/*
 * Who holds the signing key can sign that the front was dropped. Retention drops through the record
 * of a checkpoint that is old enough, with all before it. So the newest saved checkpoint of what is
 * gone must be, too; not the one of the last record that is gone, which a later one may have signed
 * when nothing else had come.
 */
static void check_retention(struct gh_audit_verification *run, const struct chain *chain)
{
    uint64_t first = chain->first_seq;
    size_t gone = 0;
    while (gone < chain->saved_count && chain->saved[gone].seq + 1 < first)
        gone++;
    run->verdict.retention_checked &= first <= 1 || (run->options.retention_us && gone);
    if (first <= 1 || !run->options.retention_us)
        return;
    size_t young = gone;
    while (young && is_too_young(run, chain, &chain->saved[young - 1]))
        young--;
    if (young < gone)
        stop(run, chain, GH_AUDIT_FAULT_FRONT, chain->saved[young].seq, 0);
}

/* Who holds the signing key could have dropped all that was saved. */
static void check_tail(struct gh_audit_verification *run, const struct chain *chain)
{
    uint64_t known = chain->saved_count ? chain->saved[chain->saved_count - 1].seq : 0;
    if (chain->head_seq > known)
        known = chain->head_seq;
    if (known > chain->last_seq)
        stop(run, chain, GH_AUDIT_FAULT_TRUNCATED, chain->last_seq + 1, 0);
    else if (chain->saved_count && !chain->saved_met)
        stop(run, chain, GH_AUDIT_FAULT_UNMET, chain->first_seq, 0);
}

/* The last record that is under a checkpoint of the log, or gone. */
static uint64_t settled_through(const struct chain *chain)
{
    uint64_t before = chain->first_seq - 1;
    return chain->signed_through > before ? chain->signed_through : before;
}

static uint64_t unsigned_records(const struct chain *chain)
{
    return chain->records ? chain->last_seq - settled_through(chain) : 0;
}

/*
 * Of all chains together: who invents chains, or cuts up an end that has no checkpoint, has no more
 * room for that. Each chain that somebody with the key has signed stands for a process that may be
 * on its way to its next checkpoint. Named is the chain that has most.
 */
static void check_signed_in_all(struct gh_audit_verification *run)
{
    uint64_t bound = run->options.unsigned_records_max, sum = 0;
    const struct chain *most = NULL;
    for (size_t i = 0, count = 0; i < run->chain_count; i++) {
        const struct chain *chain = run->chains[i];
        sum += unsigned_records(chain); /* of rows that were read */
        if (chain->signed_through && count++)
            bound += run->options.unsigned_records_max / GH_AUDIT_UNSIGNED_CHECKPOINTS;
        if (!most || unsigned_records(chain) > unsigned_records(most))
            most = chain;
    }
    if (bound < run->options.unsigned_records_max)
        bound = UINT64_MAX;
    if (run->options.verifier_count && most && sum > bound)
        stop(run, most, GH_AUDIT_FAULT_NOT_SIGNED, settled_through(most) + 1, most->unsigned_line);
}

/* Whoever writes the end anew without the key has no checkpoint for it. */
static void check_signed(struct gh_audit_verification *run, const struct chain *chain)
{
    if (run->options.verifier_count && unsigned_records(chain) > run->options.unsigned_records_max)
        stop(run, chain, GH_AUDIT_FAULT_NOT_SIGNED, settled_through(chain) + 1,
             chain->unsigned_line);
}

static void check_end(struct gh_audit_verification *run, const struct chain *chain)
{
    static void (*const WHOLE[])(struct gh_audit_verification *,
                                 const struct chain *) = {check_front, check_retention, check_tail};
    check_saved(run, chain);
    for (size_t i = 0; i < sizeof(WHOLE) / sizeof(WHOLE[0]); i++)
        if (!is_over(run) && !run->options.partial)
            WHOLE[i](run, chain);
    if (!is_over(run))
        check_signed(run, chain);
}

/* The verdict counts all, and names one chain: that of the wrong record, else the lowest. */
static void sum_up(struct gh_audit_verification *run)
{
    struct gh_audit_verdict *verdict = &run->verdict;
    uint32_t expected = 1; /* chains are numbered without gaps */
    for (size_t i = 0; i < run->chain_count; i++) {
        const struct chain *chain = run->chains[i];
        verdict->records += chain->records;
        verdict->chains += chain->records > 0;
        verdict->unsigned_records += unsigned_records(chain);
        if (chain->records && !verdict->absent_chain && chain->id < GH_AUDIT_CHAIN_OUTSIDE) {
            verdict->absent_chain = chain->id > expected ? expected : 0;
            expected = chain->id + 1;
        }
        if (!verdict->chain && chain->records)
            verdict->chain = chain->id;
        if (verdict->chain != chain->id)
            continue;
        verdict->first_seq = chain->first_seq;
        verdict->last_seq = chain->last_seq;
        verdict->signed_through = chain->signed_through;
        memcpy(verdict->last_hash, chain->last_hash, GH_SHA256_BYTES);
    }
}

enum gh_err gh_audit_verify_end(struct gh_audit_verification *run,
                                struct gh_audit_verdict *out_verdict)
{
    for (size_t i = 0; i < run->chain_count && !is_over(run); i++)
        if (run->chains[i]->in_doubt)
            stop_in_doubt(run, run->chains[i], run->chains[i]->lines[1]);
    run->verdict.retention_checked = !is_over(run) && !run->options.partial;
    for (size_t i = 0; i < run->chain_count && !is_over(run); i++)
        check_end(run, run->chains[i]);
    if (!is_over(run))
        check_signed_in_all(run);
    sum_up(run);
    gh_arena_done(&run->scratch);
    if (!run->err)
        *out_verdict = run->verdict;
    return run->err;
}
