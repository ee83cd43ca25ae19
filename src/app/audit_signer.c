#include "app/audit_signer.h"

#include "audit/personal.h"
#include "net/loop.h"

#define KEYS_BLOCK_BYTES    (16u * 1024)
#define KEYS_BYTES_MAX      (1024u * 1024)
#define HOUR_US             (3600 * UINT64_C(1000000))
#define DOUBT_US            (60 * UINT64_C(1000000)) /* a clock in doubt is looked at again */
#define DROPPED_AT_ONCE_MAX 2000

/* ---- Opening ---- */

void gh_audit_signer_close(struct gh_audit_signer *signer)
{
    gh_audit_keys_done(&signer->keys);
    gh_arena_done(&signer->key_arena);
}

/* Where they can't be read the ones at hand go on signing. */
static enum gh_err load_keys(struct gh_audit_signer *signer, uint64_t now_us)
{
    struct gh_audit_keys keys;
    struct gh_arena arena;
    gh_arena_init(&arena, KEYS_BLOCK_BYTES, KEYS_BYTES_MAX);
    enum gh_err err = gh_audit_keys_load(signer->identity, now_us, &arena, &keys);
    if (err != GH_OK) {
        gh_arena_done(&arena);
        return err;
    }
    gh_audit_signer_close(signer);
    signer->key_arena = arena;
    signer->keys = keys;
    return GH_OK;
}

static enum gh_err find_newest(struct gh_tx *tx, void *args)
{
    struct gh_audit_signer *signer = args;
    struct gh_audit_row row;
    enum gh_err err = tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 0, &row);
    if (err == GH_OK) {
        signer->checkpoint_seq = row.record.seq;
        signer->checkpoint_us = row.record.time_us;
        memcpy(signer->checkpoint_hash, row.hash, sizeof(row.hash));
    }
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_err find_newest_time(struct gh_tx *tx, void *args)
{
    uint64_t *newest_us = args;
    const struct gh_audit_query query = {.limit = 1};
    struct gh_audit_row *rows;
    size_t count;
    enum gh_err err = tx->ops->audit_page(tx, &query, &rows, &count);
    if (err == GH_OK)
        *newest_us = count ? rows[0].record.time_us : 0;
    return err;
}

/* A clock that nobody sets. */
static uint64_t running_now_us(void)
{
    return gh_monotonic_now_ms() * 1000;
}

enum gh_err gh_audit_signer_open(struct gh_audit_signer *signer, const struct gh_identity *identity,
                                 uint64_t now_us, struct gh_arena *arena)
{
    uint64_t running_us = running_now_us(); /* at once: both clocks of one moment */
    *signer = (struct gh_audit_signer){.identity = identity};
    enum gh_err err = load_keys(signer, now_us);
    if (err == GH_OK)
        err = identity->store->ops->read(identity->store, find_newest, signer, arena);
    /* Not by the newest record: this start may have written some (keys that were due). */
    gh_audit_clock_begin(&signer->clock, now_us, running_us, signer->checkpoint_us);
    return err;
}

/* ---- Signing ---- */

struct signing {
    const struct gh_audit_signer *signer;
    uint64_t now_us;
    const struct gh_audit_row *drop_through; /* NULL: nothing */
    uint64_t dropped;
    bool is_signed, contradicted;
    struct gh_audit_signed result;
};

/* Where the log begins by now, but not behind what was to be dropped: more than that somebody else
   has cut. */
static enum gh_err find_front(struct gh_tx *tx, const struct gh_audit_row *dropped_through,
                              struct gh_audit_front *out)
{
    enum gh_err err = tx->ops->audit_first(tx, &out->seq, out->prev_hash);
    if (err == GH_OK && out->seq > dropped_through->record.seq) {
        out->seq = dropped_through->record.seq + 1;
        memcpy(out->prev_hash, dropped_through->hash, sizeof(out->prev_hash));
    }
    return err;
}

static enum gh_err find_one(struct gh_tx *tx, const struct gh_audit_query *query,
                            struct gh_audit_row *out, bool *out_found)
{
    struct gh_audit_row *rows;
    size_t count;
    enum gh_err err = tx->ops->audit_page(tx, query, &rows, &count);
    *out_found = err == GH_OK && count > 0;
    if (*out_found)
        *out = rows[0];
    return err;
}

/* Whoever cut the log behind a checkpoint, built it anew or put a backup back while this runs gets
   no signature for it. The newest checkpoint is never dropped. */
static enum gh_err check_last(struct gh_tx *tx, struct signing *signing)
{
    const struct gh_audit_signer *signer = signing->signer;
    struct gh_audit_query query = {.after_seq = signer->checkpoint_seq - 1,
                                   .before_seq = signer->checkpoint_seq + 1,
                                   .limit = 1};
    struct gh_audit_row row;
    bool found = false;
    signing->contradicted = false;
    if (!signer->checkpoint_seq)
        return GH_OK;
    enum gh_err err = find_one(tx, &query, &row, &found);
    signing->contradicted = err == GH_OK && (!found || memcmp(row.hash, signer->checkpoint_hash,
                                                              sizeof(row.hash)) != 0);
    return signing->contradicted ? GH_ERR_REFUSED : err;
}

static enum gh_err sign(struct gh_tx *tx, void *args)
{
    struct signing *signing = args;
    const struct gh_audit_signer *signer = signing->signer;
    const struct gh_audit_row *through = signing->drop_through;
    struct gh_audit_front front;
    signing->dropped = 0;
    signing->is_signed = false;
    enum gh_err err = check_last(tx, signing);
    if (err == GH_OK && through) {
        err = tx->ops->audit_drop(tx, through->record.seq, DROPPED_AT_ONCE_MAX, &signing->dropped);
        if (err != GH_OK || !signing->dropped)
            return err;
        err = find_front(tx, through, &front);
    }
    if (err == GH_OK)
        err = gh_audit_keys_sign(tx, signer->identity, &signer->keys, through ? &front : NULL,
                                 signing->now_us, &signing->result);
    signing->is_signed = err == GH_OK;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_err run(struct gh_audit_signer *signer, struct signing *signing,
                       struct gh_arena *arena)
{
    struct gh_store *store = signer->identity->store;
    enum gh_err err = store->ops->run_bulk(store, sign, signing, arena);
    signer->contradicted = signing->contradicted;
    if (err == GH_OK && signing->is_signed) {
        signer->checkpoint_seq = signing->result.seq;
        signer->checkpoint_us = signing->now_us;
        memcpy(signer->checkpoint_hash, signing->result.hash, sizeof(signer->checkpoint_hash));
        signer->unsigned_us = 0;
    }
    return err;
}

enum gh_err gh_audit_signer_turn(struct gh_audit_signer *signer,
                                 const struct gh_audit_settings *settings, uint64_t head_seq,
                                 uint64_t now_us, bool now, struct gh_arena *arena,
                                 bool *out_signed)
{
    *out_signed = false;
    if (head_seq <= signer->checkpoint_seq)
        return GH_OK;
    if (!signer->unsigned_us || now_us < signer->unsigned_us) /* or the clock went back */
        signer->unsigned_us = now_us;
    if (!now && head_seq - signer->checkpoint_seq < settings->checkpoint.records &&
        now_us - signer->unsigned_us < settings->checkpoint.interval_ms * 1000)
        return GH_OK;
    struct signing signing = {.signer = signer, .now_us = now_us};
    enum gh_err err = run(signer, &signing, arena);
    *out_signed = err == GH_OK && signing.is_signed;
    return err;
}

/* ---- Retention ---- */

struct cut {
    const struct gh_audit_keys *keys;
    uint64_t before_us, now_us;
    struct gh_audit_row through;
    bool found, forged;
};

/*
 * The newest checkpoint before all that is young enough. So records keep their time where a clock
 * that went back has stamped later ones earlier; what one that ran ahead has stamped is no reason.
 * When it was signed is what its note says: anybody with the store can change a column. The newest
 * checkpoint of all stays: another one stands behind it, or there is nothing to drop.
 */
static enum gh_err find_cut(struct gh_tx *tx, void *args)
{
    struct cut *cut = args;
    struct gh_audit_query young_ones = {.since_us = cut->before_us,
                                        .until_us = cut->now_us,
                                        .oldest_first = true,
                                        .limit = 1},
                          checkpoints = {.limit = 1};
    struct gh_audit_checkpoint checkpoint;
    struct gh_audit_row young, newest;
    bool is_young;
    checkpoints.event = gh_audit_event_facts(GH_AUDIT_AUDIT_CHECKPOINT)->name;
    cut->found = cut->forged = false;
    enum gh_err err = tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 0, &newest);
    if (err != GH_OK)
        return err == GH_ERR_NOT_FOUND ? GH_OK : err;
    err = find_one(tx, &young_ones, &young, &is_young);
    checkpoints.before_seq =
        is_young && young.record.seq < newest.record.seq ? young.record.seq : newest.record.seq;
    if (err == GH_OK)
        err = find_one(tx, &checkpoints, &cut->through, &cut->found);
    if (err != GH_OK || !cut->found)
        return err;
    cut->forged = !gh_audit_keys_open(cut->keys, tx->arena, &cut->through, &checkpoint);
    cut->found = !cut->forged && checkpoint.time_us < cut->before_us;
    return GH_OK;
}

struct day_drop {
    char day[GH_AUDIT_DAY_LEN + 1];
    uint64_t removed;
};

static enum gh_err drop_days(struct gh_tx *tx, void *args)
{
    struct day_drop *drop = args;
    return tx->ops->person_keys_drop_days(tx, gh_str_of(drop->day, GH_AUDIT_DAY_LEN),
                                          &drop->removed);
}

/* Keys of days that ended before; nothing of them stays in the store's files. */
static enum gh_err destroy_keys(struct gh_audit_signer *signer, uint64_t before_us,
                                struct gh_arena *arena)
{
    struct gh_store *store = signer->identity->store;
    struct day_drop drop;
    gh_audit_day(before_us, drop.day);
    gh_arena_reset(arena);
    enum gh_err err = store->ops->run_bulk(store, drop_days, &drop, arena);
    if (err == GH_OK && drop.removed)
        err = store->ops->scrub(store);
    return err;
}

static enum gh_err drop(struct gh_audit_signer *signer, const struct gh_audit_row *through,
                        uint64_t now_us, struct gh_arena *arena, uint64_t *dropped)
{
    struct signing signing = {.signer = signer, .now_us = now_us, .drop_through = through};
    enum gh_err err;
    do {
        gh_arena_reset(arena);
        err = run(signer, &signing, arena);
        if (err == GH_OK)
            *dropped += signing.dropped;
    } while (err == GH_OK && signing.dropped == DROPPED_AT_ONCE_MAX);
    return err;
}

/* In doubt nothing is dropped, and the clock is looked at again soon. */
static enum gh_err judge_clock(struct gh_audit_signer *signer, uint64_t now_us,
                               struct gh_arena *arena)
{
    struct gh_store *store = signer->identity->store;
    uint64_t newest_us = 0;
    enum gh_err err = store->ops->read(store, find_newest_time, &newest_us, arena);
    if (err == GH_OK)
        signer->verdict =
            gh_audit_clock_judge(&signer->clock, gh_wall_now_us(), running_now_us(), newest_us);
    if (err == GH_OK && signer->verdict != GH_AUDIT_CLOCK_PLAUSIBLE)
        signer->retention_us = now_us + DOUBT_US;
    return err;
}

static void tell_doubt(struct gh_audit_signer *signer)
{
    uint64_t running_us = running_now_us();
    if (signer->doubt_told_us && running_us - signer->doubt_told_us < HOUR_US)
        return;
    signer->doubt_told_us = running_us;
    signer->tell_doubt = true;
}

enum gh_err gh_audit_signer_retain(struct gh_audit_signer *signer,
                                   const struct gh_audit_settings *settings, uint64_t now_us,
                                   struct gh_arena *arena, uint64_t *out_dropped)
{
    struct gh_store *store = signer->identity->store;
    uint64_t retention_us = settings->retention_ms * 1000;
    *out_dropped = 0;
    signer->tell_doubt = false;
    if (now_us < signer->retention_us && signer->retention_us - now_us <= HOUR_US)
        return GH_OK;
    signer->retention_us = now_us + HOUR_US;
    enum gh_err err = load_keys(signer, now_us); /* another may have been made */
    if (err == GH_OK)
        err = judge_clock(signer, now_us, arena);
    if (err != GH_OK || now_us <= retention_us)
        return err;
    struct cut cut = {.keys = &signer->keys, .before_us = now_us - retention_us, .now_us = now_us};
    err = store->ops->read(store, find_cut, &cut, arena);
    if (err == GH_OK && cut.forged)
        err = GH_ERR_INVALID;
    if (err == GH_OK && signer->verdict != GH_AUDIT_CLOCK_PLAUSIBLE) {
        if (cut.found)
            tell_doubt(signer);
        return GH_OK;
    }
    if (err == GH_OK && cut.found)
        err = drop(signer, &cut.through, now_us, arena, out_dropped);
    return err == GH_OK ? destroy_keys(signer, cut.before_us, arena) : err;
}
