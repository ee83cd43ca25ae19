#include <time.h>

#include "audit/chain.h"
#include "store/postgres_pool.h"
#include "store/postgres_sealer_state.h"

#define ROWS_AT_ONCE 256
/* A server notices a moment after its client that their connection has ended, and then forgets its
   locks. */
#define TAKE_AGAIN_TRIES 20
#define TAKE_AGAIN_MS    25
#define TAKE_TRIES       1000 /* others may be faster each time */
#define CHAINS_AT_ONCE   256  /* of others, in a look */
#define ASK_MS           50   /* what became of a chain that another process holds now */

struct gh_postgres_tx gh_postgres_sealer_tx(struct gh_postgres_sealer *sealer,
                                            struct gh_arena *arena)
{
    return (struct gh_postgres_tx){
        .tx = {.ops = &gh_postgres_tx_ops, .arena = arena},
        .connection = &sealer->connection,
        .sealer = sealer,
        .kind = GH_POSTGRES_BULK,
    };
}

/* ---- The chain ---- */

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

/* The first one is written from now on; what was unsealed in the others may still be. */
static void set_chain(struct gh_postgres_sealer *sealer, uint64_t chain)
{
    struct gh_postgres_had had = {.chain = chain};
    pthread_mutex_lock(&sealer->lock);
    size_t at = 0;
    while (at < sealer->chain_count && sealer->chains[at].chain != chain)
        at++;
    if (at < sealer->chain_count)
        had = sealer->chains[at];
    else if (at < GH_POSTGRES_CHAINS_HAD_MAX)
        sealer->chain_count++;
    else
        at--;
    if (at > 0)
        sealer->counts.lost_chains++;
    memmove(sealer->chains + 1, sealer->chains, at * sizeof(sealer->chains[0]));
    sealer->chains[0] = had;
    pthread_mutex_unlock(&sealer->lock);
}

/* Nothing of this process is unsealed there, and none of its units appends there. */
static void drop_chain(struct gh_postgres_sealer *sealer, uint64_t chain)
{
    pthread_mutex_lock(&sealer->lock);
    size_t at = 1;
    while (at < sealer->chain_count && sealer->chains[at].chain != chain)
        at++;
    if (at < sealer->chain_count)
        memmove(sealer->chains + at, sealer->chains + at + 1,
                (--sealer->chain_count - at) * sizeof(sealer->chains[0]));
    pthread_mutex_unlock(&sealer->lock);
}

void gh_postgres_sealer_note_written(struct gh_postgres_sealer *sealer, bool may_have_committed)
{
    struct gh_postgres_batch *batch = &sealer->batch;
    pthread_mutex_lock(&sealer->lock);
    for (size_t i = 0; may_have_committed && i < batch->borrowed_count; i++)
        gh_written_add(&sealer->written, batch->borrowed[i].chain, batch->borrowed[i].after_seq,
                       batch->borrowed[i].through_seq);
    pthread_mutex_unlock(&sealer->lock);
    batch->borrowed_count = 0;
}

/* Statements that are transactions of their own, with one value for an answer. */
static enum gh_err take_again(struct gh_postgres_sealer *sealer, uint64_t chain, bool *out_taken)
{
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_CHAIN_TAKE_AGAIN);
    gh_postgres_put_u64(&call, chain);
    *out_taken = gh_postgres_next(&call) && gh_postgres_take_flag(&call);
    return gh_postgres_end(&call);
}

static enum gh_err take_any(struct gh_postgres_sealer *sealer, uint64_t *out_chain)
{
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_CHAIN_TAKE);
    return gh_postgres_count(&call, out_chain);
}

static enum gh_err make_chain(struct gh_postgres_sealer *sealer)
{
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_CHAIN_MAKE);
    return gh_postgres_change_any(&call);
}

/* The lowest that nobody holds, or the next. */
static enum gh_err take_new(struct gh_postgres_sealer *sealer)
{
    for (unsigned i = 0; i < TAKE_TRIES; i++) {
        uint64_t chain = 0;
        enum gh_err err = take_any(sealer, &chain);
        if (err == GH_OK && chain) {
            set_chain(sealer, chain);
            return GH_OK;
        }
        if (err == GH_OK)
            err = make_chain(sealer);
        if (err != GH_OK)
            return err;
    }
    return GH_ERR_IO;
}

/* The one that it had, if nobody has taken it meanwhile. */
static enum gh_err take_chain(struct gh_postgres_sealer *sealer)
{
    bool taken = false;
    for (unsigned i = 0; sealer->chain_count && i < TAKE_AGAIN_TRIES; i++) {
        enum gh_err err = take_again(sealer, sealer->chains[0].chain, &taken);
        if (err != GH_OK || taken)
            return err;
        pause_ms(TAKE_AGAIN_MS);
    }
    return take_new(sealer);
}

/* Others may have written it since this process had it last. A head that can't be read is that of
   who wrote it there; then all of the chain may be new. */
static enum gh_err note_taken(struct gh_postgres_sealer *sealer)
{
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
    uint64_t last_seq = 0;
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_CHAIN_HEAD);
    gh_postgres_put_u64(&call, sealer->chains[0].chain);
    if (gh_postgres_count(&call, &last_seq) != GH_OK) {
        if (!gh_postgres_is_up(&sealer->connection))
            return GH_ERR_IO;
        last_seq = 0;
    }
    pthread_mutex_lock(&sealer->lock);
    gh_written_take(&sealer->written, (uint32_t)sealer->chains[0].chain, last_seq);
    pthread_mutex_unlock(&sealer->lock);
    return GH_OK;
}

/* What an older version could not read, this one may. */
static enum gh_err retry_refused(struct gh_postgres_sealer *sealer)
{
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_UNSEALED_RETRY);
    return gh_postgres_change_any(&call);
}

enum gh_err gh_postgres_sealer_connect(struct gh_postgres_sealer *sealer, struct gh_arena *arena,
                                       struct gh_str *out_message)
{
    struct gh_str message;
    if (gh_postgres_is_up(&sealer->connection))
        return GH_OK;
    gh_postgres_batch_end(&sealer->batch, false);
    gh_postgres_disconnect(&sealer->connection);
    enum gh_err err = gh_postgres_connect(&sealer->connection, &sealer->target, arena, &message);
    if (err == GH_OK) {
        err = take_chain(sealer);
        if (err == GH_OK)
            err = note_taken(sealer);
        if (err == GH_OK)
            err = retry_refused(sealer);
        if (err != GH_OK)
            message = gh_postgres_explain(&sealer->connection, arena);
        if (err != GH_OK)
            gh_postgres_disconnect(&sealer->connection);
    }
    if (err != GH_OK && out_message)
        *out_message = message;
    return err;
}

void gh_postgres_sealer_disconnect(struct gh_postgres_sealer *sealer)
{
    if (gh_postgres_is_up(&sealer->connection)) {
        struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
        struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_CHAIN_GIVE_UP);
        gh_postgres_put_u64(&call, sealer->chains[0].chain);
        enum gh_err err = gh_postgres_change_any(&call);
        (void)err; /* or the end of the connection does */
    }
    gh_postgres_disconnect(&sealer->connection);
}

/* ---- Sealing ---- */

struct unsealed {
    uint64_t id;
    struct gh_audit_row row;
    bool unreadable;
};

static void take_unsealed(struct gh_postgres_call *call, void *out_row)
{
    struct unsealed *unsealed = out_row;
    unsealed->id = gh_postgres_take_u64(call);
    unsealed->row.record.time_us = gh_postgres_take_u64(call);
    gh_postgres_take_facts(call, &unsealed->row.record);
    unsealed->row.sealed = gh_postgres_take_text(call);
    unsealed->unreadable = call->err == GH_ERR_INVALID;
    if (unsealed->unreadable)
        call->err = GH_OK;
}

static enum gh_err take_some(struct gh_postgres_tx *tx, uint64_t chain, struct unsealed **out_rows,
                             size_t *out_count)
{
    struct gh_postgres_call call = gh_postgres_begin(&tx->tx, GH_POSTGRES_UNSEALED_TAKE);
    gh_postgres_put_u64(&call, chain);
    gh_postgres_put_limit(&call, ROWS_AT_ONCE);
    void *rows;
    enum gh_err err =
        gh_postgres_take_all(&call, take_unsealed, sizeof(**out_rows), &rows, out_count);
    if (err == GH_OK)
        *out_rows = rows;
    return err;
}

/* One round: what was taken is in the chain when this commits. */
struct round {
    uint32_t chain;
    bool is_own;
    size_t count;        /* of rows that were there */
    uint64_t refused_id; /* can be no record: it stays where it is, and this round is undone */
};

static enum gh_err take_and_link(struct gh_postgres_tx *tx, struct round *round)
{
    struct gh_postgres_batch *batch = &tx->sealer->batch;
    struct unsealed *rows;
    enum gh_err err = GH_OK;
    if (!round->is_own)
        err = gh_postgres_batch_borrow(tx, batch, round->chain);
    if (err == GH_OK)
        err = take_some(tx, round->chain, &rows, &round->count);
    for (size_t i = 0; err == GH_OK && i < round->count; i++) {
        err = rows[i].unreadable ? GH_ERR_INVALID
                                 : gh_postgres_batch_add(tx, batch, round->chain, &rows[i].row);
        if (err == GH_ERR_INVALID)
            round->refused_id = rows[i].id;
    }
    return err == GH_OK ? gh_postgres_batch_flush(tx, batch) : err;
}

static enum gh_err refuse(struct gh_postgres_sealer *sealer, uint64_t id)
{
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_UNSEALED_REFUSE);
    gh_postgres_put_u64(&call, id);
    return gh_postgres_change_any(&call);
}

/* No unit looks at what the sealer reads and writes here, and locks keep others from it: read
   committed will do, and does not make units wait for each other. */
static enum gh_err run_round(struct gh_postgres_sealer *sealer, struct round *round)
{
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
    gh_postgres_begin_later(&sealer->connection, GH_POSTGRES_COMMITTED);
    enum gh_err err = take_and_link(&tx, round);
    bool is_linked = err == GH_OK;
    if (is_linked)
        err = gh_postgres_commit(&sealer->connection, NULL);
    gh_postgres_rollback(&sealer->connection); /* what is still open */
    gh_postgres_batch_end(&sealer->batch, err == GH_OK);
    gh_postgres_sealer_note_written(sealer, is_linked);
    gh_arena_reset(&sealer->arena);
    if (err == GH_ERR_INVALID && round->refused_id)
        err = refuse(sealer, round->refused_id);
    return err;
}

static void count_round(struct gh_postgres_sealer *sealer, const struct round *round, bool is_first)
{
    pthread_mutex_lock(&sealer->lock);
    sealer->counts.batches++;
    sealer->counts.records += round->count;
    sealer->counts.foreign_chains += !round->is_own && is_first;
    pthread_mutex_unlock(&sealer->lock);
}

static enum gh_err seal_chain(struct gh_postgres_sealer *sealer, uint64_t chain)
{
    bool is_own = chain == sealer->chains[0].chain, is_first = true;
    struct round round;
    do {
        round = (struct round){.chain = (uint32_t)chain, .is_own = is_own};
        enum gh_err err = run_round(sealer, &round);
        if (err != GH_OK)
            return err;
        if (round.refused_id || !round.count)
            continue;
        count_round(sealer, &round, is_first);
        is_first = false;
    } while (round.count == ROWS_AT_ONCE || round.refused_id);
    return GH_OK;
}

/* ---- Chains that it had before ---- */

void gh_postgres_put_chains(struct gh_postgres_call *call, const struct gh_postgres_had *chains,
                            size_t count)
{
    uint64_t numbers[GH_POSTGRES_CHAINS_HAD_MAX], bounds[GH_POSTGRES_CHAINS_HAD_MAX];
    for (size_t i = 0; i < count; i++) {
        numbers[i] = chains[i].chain;
        bounds[i] = i ? chains[i].through_id : INT64_MAX;
    }
    gh_postgres_put_u64s(call, numbers, count);
    gh_postgres_put_u64s(call, bounds, count);
}

/* In which of them something of this process is unsealed; the own one is not asked about. */
static enum gh_err find_left(struct gh_postgres_sealer *sealer, const struct gh_postgres_had *had,
                             size_t count, bool out_left[GH_POSTGRES_CHAINS_HAD_MAX])
{
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_UNSEALED_IN);
    gh_postgres_put_chains(&call, had, count);
    memset(out_left, 0, count * sizeof(out_left[0]));
    while (gh_postgres_next(&call)) {
        uint64_t chain = gh_postgres_take_u64(&call);
        for (size_t i = 1; i < count; i++)
            out_left[i] |= had[i].chain == chain;
    }
    return gh_postgres_end(&call);
}

/* Who holds such a chain seals what is there; where nobody does, this one. What it asked about
   before the units that append there had ended says nothing of theirs. */
static enum gh_err settle_left(struct gh_postgres_sealer *sealer)
{
    struct gh_postgres_had had[GH_POSTGRES_CHAINS_HAD_MAX];
    bool left[GH_POSTGRES_CHAINS_HAD_MAX], is_left = false;
    size_t count = gh_postgres_sealer_chains(sealer, had);
    enum gh_err err = find_left(sealer, had, count, left);
    for (size_t i = 1; err == GH_OK && i < count; i++) {
        if (left[i]) {
            err = seal_chain(sealer, had[i].chain);
            left[i] = err == GH_ERR_EXISTS;
            err = left[i] ? GH_OK : err;
        }
        if (err == GH_OK && !left[i] && !had[i].under_way)
            drop_chain(sealer, had[i].chain);
        is_left |= left[i];
    }
    sealer->ask_at_ms = gh_postgres_now_ms() + ASK_MS;
    return err == GH_OK && is_left ? GH_ERR_TIMEOUT : err;
}

enum gh_err gh_postgres_sealer_seal(struct gh_postgres_sealer *sealer)
{
    enum gh_err err = seal_chain(sealer, sealer->chains[0].chain);
    if (err != GH_OK || sealer->chain_count == 1)
        return err;
    return gh_postgres_now_ms() < sealer->ask_at_ms ? GH_ERR_TIMEOUT : settle_left(sealer);
}

/* ---- What others left ---- */

static void take_number(struct gh_postgres_call *call, void *out_row)
{
    *(uint64_t *)out_row = gh_postgres_take_u64(call);
}

void gh_postgres_sealer_look(struct gh_postgres_sealer *sealer)
{
    uint64_t chains[CHAINS_AT_ONCE];
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, &sealer->arena);
    struct gh_postgres_call call = gh_postgres_begin(&tx.tx, GH_POSTGRES_UNSEALED_CHAINS);
    size_t count = 0;
    void *found;
    gh_postgres_put_u64(&call, sealer->chains[0].chain);
    gh_postgres_put_limit(&call, CHAINS_AT_ONCE);
    enum gh_err err = gh_postgres_take_all(&call, take_number, sizeof(chains[0]), &found, &count);
    if (err == GH_OK && count)
        memcpy(chains, found, count * sizeof(chains[0]));
    for (size_t i = 0; err == GH_OK && i < count && gh_postgres_is_up(&sealer->connection); i++) {
        enum gh_err left = seal_chain(sealer, chains[i]);
        (void)left; /* that process is alive, or the chain never was: the others all the same */
    }
    gh_arena_reset(&sealer->arena);
}
