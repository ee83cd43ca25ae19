#include "app/audit_signer.h"

#include <stdlib.h>

#include "audit/personal.h"
#include "audit/verify.h"
#include "identity/audit_chains.h"
#include "net/loop.h"

#define KEYS_BLOCK_BYTES    (16u * 1024)
#define KEYS_BYTES_MAX      (1024u * 1024)
#define HOUR_US             (3600 * UINT64_C(1000000))
#define DOUBT_US            (60 * UINT64_C(1000000)) /* a clock in doubt is looked at again */
#define DROPPED_AT_ONCE_MAX 2000
#define OTHERS_ROOM_MIN     8

/* ---- Opening ---- */

void gh_audit_signer_close(struct gh_audit_signer *signer)
{
    gh_audit_keys_done(&signer->keys);
    gh_arena_done(&signer->key_arena);
    free(signer->others);
    signer->others = NULL;
    signer->other_count = signer->other_room = 0;
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
    gh_audit_keys_done(&signer->keys);
    gh_arena_done(&signer->key_arena);
    signer->key_arena = arena;
    signer->keys = keys;
    return GH_OK;
}

/* What is in the store is taken for true. */
static enum gh_err find_newest(struct gh_tx *tx, void *args)
{
    struct gh_audit_signer_chain *chain = args;
    struct gh_audit_row row;
    tx->chain = chain->id;
    *chain = (struct gh_audit_signer_chain){.id = chain->id};
    enum gh_err err = tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 0, &row);
    if (err == GH_OK) {
        chain->checkpoint_seq = row.record.seq;
        chain->checkpoint_us = row.record.time_us;
        memcpy(chain->checkpoint_hash, row.hash, sizeof(row.hash));
    }
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_err find_own(struct gh_tx *tx, void *args)
{
    uint32_t *own = args;
    enum gh_err err = gh_audit_chain_of_unit(tx, own);
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

/* Another than before: a process that lost its chain goes on with one that nobody held. */
static enum gh_err take_own(struct gh_audit_signer *signer, uint32_t own, struct gh_arena *arena)
{
    struct gh_store *store = signer->identity->store;
    struct gh_audit_signer_chain chain = {.id = own};
    if (own == signer->own.id)
        return GH_OK;
    enum gh_err err = own ? store->ops->read(store, find_newest, &chain, arena) : GH_OK;
    if (err == GH_OK)
        signer->own = chain;
    return err;
}

/* Of all chains; 0: there is none. */
static enum gh_err find_newest_time(struct gh_tx *tx, struct gh_str event, uint64_t *out_us)
{
    const struct gh_audit_query query = {.every_chain = true, .event = event, .limit = 1};
    struct gh_audit_row *rows;
    size_t count;
    enum gh_err err = tx->ops->audit_page(tx, &query, &rows, &count);
    if (err == GH_OK)
        *out_us = count ? rows[0].record.time_us : 0;
    return err;
}

/* The own chain may be new, and have none. */
static enum gh_err find_newest_checkpoint(struct gh_tx *tx, void *args)
{
    return find_newest_time(tx, gh_audit_event_facts(GH_AUDIT_AUDIT_CHECKPOINT)->name, args);
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
    uint64_t newest_us = 0;
    uint32_t own = 0;
    *signer = (struct gh_audit_signer){.identity = identity};
    enum gh_err err = load_keys(signer, now_us);
    if (err == GH_OK)
        err = identity->store->ops->read(identity->store, find_own, &own, arena);
    if (err == GH_OK)
        err = take_own(signer, own, arena);
    if (err == GH_OK)
        err =
            identity->store->ops->read(identity->store, find_newest_checkpoint, &newest_us, arena);
    /* Not by the newest record: this start may have written some (keys that were due). */
    gh_audit_clock_begin(&signer->clock, now_us, running_us, newest_us);
    return err;
}

/* ---- Signing ---- */

struct signing {
    const struct gh_audit_signer *signer;
    const struct gh_audit_signer_chain *chain;
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

/* Whether another process has dropped it: one that held the chain meanwhile, or like this one found
   it held by nobody. */
static enum gh_err is_dropped(struct gh_tx *tx, const struct signing *signing, bool *out_dropped)
{
    struct gh_audit_front front;
    *out_dropped = false;
    if (signing->chain == &signing->signer->own)
        return GH_OK;
    enum gh_err err = tx->ops->audit_first(tx, &front.seq, front.prev_hash);
    *out_dropped = err == GH_OK && front.seq > signing->chain->checkpoint_seq;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

/* Whoever cut the log behind a checkpoint, built it anew or put a backup back while this runs gets
   no signature for it. The newest checkpoint is never dropped. */
static enum gh_err check_last(struct gh_tx *tx, struct signing *signing)
{
    const struct gh_audit_signer_chain *chain = signing->chain;
    struct gh_audit_query query = {.after_seq = chain->checkpoint_seq - 1,
                                   .before_seq = chain->checkpoint_seq + 1,
                                   .limit = 1};
    struct gh_audit_row row;
    bool found = false, dropped = false;
    signing->contradicted = false;
    if (!chain->checkpoint_seq)
        return GH_OK;
    enum gh_err err = find_one(tx, &query, &row, &found);
    if (err == GH_OK && !found)
        err = is_dropped(tx, signing, &dropped);
    if (err != GH_OK || dropped)
        return err;
    signing->contradicted =
        !found || memcmp(row.hash, chain->checkpoint_hash, sizeof(row.hash)) != 0;
    return signing->contradicted ? GH_ERR_REFUSED : GH_OK;
}

/* Whether all of the chain is signed: its last record is that of a checkpoint. */
static enum gh_err is_settled(struct gh_tx *tx, bool *out_settled)
{
    struct gh_audit_row row;
    uint64_t head_seq;
    uint8_t hash[GH_SHA256_BYTES];
    *out_settled = false;
    enum gh_err err = tx->ops->audit_head(tx, &head_seq, hash);
    if (err == GH_OK)
        err = tx->ops->audit_last_of(tx, GH_AUDIT_AUDIT_CHECKPOINT, 0, &row);
    *out_settled = err == GH_OK && row.record.seq == head_seq;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_err sign(struct gh_tx *tx, void *args)
{
    struct signing *signing = args;
    const struct gh_audit_signer *signer = signing->signer;
    const struct gh_audit_row *through = signing->drop_through;
    struct gh_audit_front front;
    bool settled = false;
    tx->chain = signing->chain->id;
    signing->dropped = 0;
    signing->is_signed = false;
    enum gh_err err = check_last(tx, signing);
    if (err == GH_OK && through) {
        err = tx->ops->audit_drop(tx, through->record.seq, DROPPED_AT_ONCE_MAX, &signing->dropped);
        if (err != GH_OK || !signing->dropped)
            return err;
        err = find_front(tx, through, &front);
    } else if (err == GH_OK && signing->chain != &signer->own) {
        err = is_settled(tx, &settled);
    }
    if (err != GH_OK || settled)
        return err;
    err = gh_audit_keys_sign(tx, signer->identity, &signer->keys, through ? &front : NULL,
                             signing->now_us, &signing->result);
    signing->is_signed = err == GH_OK;
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_err run(struct gh_audit_signer *signer, struct gh_audit_signer_chain *chain,
                       struct signing *signing, struct gh_arena *arena)
{
    struct gh_store *store = signer->identity->store;
    signing->signer = signer;
    signing->chain = chain;
    enum gh_err err = store->ops->run_bulk(store, sign, signing, arena);
    chain->contradicted = signing->contradicted;
    if (err == GH_OK && signing->is_signed) {
        chain->checkpoint_seq = signing->result.seq;
        chain->checkpoint_us = signing->now_us;
        memcpy(chain->checkpoint_hash, signing->result.hash, sizeof(chain->checkpoint_hash));
        chain->unsigned_us = 0;
    }
    return err;
}

enum gh_err gh_audit_signer_turn(struct gh_audit_signer *signer,
                                 const struct gh_audit_settings *settings, uint32_t own,
                                 uint64_t head_seq, uint64_t now_us, bool now,
                                 struct gh_arena *arena, bool *out_signed)
{
    struct gh_audit_signer_chain *chain = &signer->own;
    *out_signed = false;
    enum gh_err err = take_own(signer, own, arena);
    if (err != GH_OK || !own || head_seq <= chain->checkpoint_seq)
        return err;
    if (!chain->unsigned_us || now_us < chain->unsigned_us) /* or the clock went back */
        chain->unsigned_us = now_us;
    if (!now && head_seq - chain->checkpoint_seq < settings->checkpoint.records &&
        now_us - chain->unsigned_us < settings->checkpoint.interval_ms * 1000)
        return GH_OK;
    struct signing signing = {.now_us = now_us};
    err = run(signer, chain, &signing, arena);
    *out_signed = err == GH_OK && signing.is_signed;
    return err;
}

/* ---- Chains that nobody holds ---- */

/* As it was met before, or as it is in the store. NULL: *out_err says why. */
static struct gh_audit_signer_chain *find_other(struct gh_audit_signer *signer, uint32_t id,
                                                struct gh_arena *arena, enum gh_err *out_err)
{
    struct gh_store *store = signer->identity->store;
    for (size_t i = 0; i < signer->other_count; i++)
        if (signer->others[i].id == id)
            return &signer->others[i];
    if (signer->other_count == signer->other_room) {
        size_t room = signer->other_room ? 2 * signer->other_room : OTHERS_ROOM_MIN;
        struct gh_audit_signer_chain *others =
            room <= GH_AUDIT_CHAINS_MAX ? realloc(signer->others, room * sizeof(*others)) : NULL;
        *out_err = room <= GH_AUDIT_CHAINS_MAX ? GH_ERR_MEMORY : GH_ERR_FULL;
        if (!others)
            return NULL;
        signer->others = others;
        signer->other_room = room;
    }
    struct gh_audit_signer_chain *chain = &signer->others[signer->other_count];
    chain->id = id;
    *out_err = store->ops->read(store, find_newest, chain, arena);
    signer->other_count += *out_err == GH_OK;
    return *out_err == GH_OK ? chain : NULL;
}

/* Who holds a chain goes on with it: what was known of it here is of the past. */
static void forget_other(struct gh_audit_signer *signer, uint32_t id)
{
    for (size_t i = 0; i < signer->other_count; i++)
        if (signer->others[i].id == id)
            signer->others[i] = signer->others[--signer->other_count];
}

/* Does it for each chain that nobody holds; the first error of any. */
static enum gh_err for_others(struct gh_audit_signer *signer, struct gh_arena *arena,
                              enum gh_err (*do_one)(struct gh_audit_signer *signer,
                                                    struct gh_audit_signer_chain *chain,
                                                    struct gh_arena *arena, void *args),
                              void *args)
{
    struct gh_arena list;
    struct gh_audit_chain *chains;
    size_t count = 0;
    gh_arena_init(&list, KEYS_BLOCK_BYTES, KEYS_BYTES_MAX);
    enum gh_err first = gh_audit_chains_read(signer->identity->store, &list, &chains, &count);
    for (size_t i = 0; i < count; i++) {
        enum gh_err err = GH_OK;
        gh_arena_reset(arena);
        /* Who invents chains makes nobody remember them, nor try to sign them. */
        if (chains[i].invented || chains[i].holder != GH_AUDIT_HELD_BY_NOBODY) {
            forget_other(signer, chains[i].id);
            continue;
        }
        struct gh_audit_signer_chain *chain = find_other(signer, chains[i].id, arena, &err);
        if (chain)
            err = do_one(signer, chain, arena, args);
        if (err == GH_ERR_EXISTS) { /* somebody took it meanwhile */
            forget_other(signer, chains[i].id);
            err = GH_OK;
        }
        first = first == GH_OK ? err : first;
    }
    gh_arena_done(&list);
    return first;
}

struct others {
    uint64_t now_us;
    size_t is_signed;
};

static enum gh_err sign_other(struct gh_audit_signer *signer, struct gh_audit_signer_chain *chain,
                              struct gh_arena *arena, void *args)
{
    struct others *others = args;
    struct signing signing = {.now_us = others->now_us};
    enum gh_err err = run(signer, chain, &signing, arena);
    others->is_signed += err == GH_OK && signing.is_signed;
    return err;
}

enum gh_err gh_audit_signer_turn_others(struct gh_audit_signer *signer,
                                        const struct gh_audit_settings *settings, uint64_t now_us,
                                        struct gh_arena *arena, size_t *out_signed)
{
    uint64_t every_us = settings->checkpoint.interval_ms * 1000;
    struct others others = {.now_us = now_us};
    *out_signed = 0;
    if (now_us < signer->others_us && signer->others_us - now_us <= every_us)
        return GH_OK;
    signer->others_us = now_us + every_us;
    enum gh_err err = for_others(signer, arena, sign_other, &others);
    *out_signed = others.is_signed;
    return err;
}

/* ---- Retention ---- */

struct cut {
    uint32_t chain;
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
    tx->chain = cut->chain;
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

static enum gh_err drop(struct gh_audit_signer *signer, struct gh_audit_signer_chain *chain,
                        const struct gh_audit_row *through, uint64_t now_us, struct gh_arena *arena,
                        uint64_t *dropped)
{
    struct signing signing = {.now_us = now_us, .drop_through = through};
    enum gh_err err;
    do {
        gh_arena_reset(arena);
        err = run(signer, chain, &signing, arena);
        if (err == GH_OK)
            *dropped += signing.dropped;
    } while (err == GH_OK && signing.dropped == DROPPED_AT_ONCE_MAX);
    return err;
}

/* ---- Whether the clock is believed ---- */

struct heard {
    uint64_t newest_us;             /* of the newest record of all; 0: there is none */
    uint64_t after_position;        /* what was heard before says nothing of now */
    uint64_t position, earliest_us; /* 0: nothing was heard */
};

/*
 * The newest record of each process that runs, where it is new. Not of the own chain, and not of
 * those that nobody holds: what came there since the start has the time of this clock (its
 * checkpoints, its counts of the dead), and would make any clock look right.
 */
static enum gh_err hear_others(struct gh_tx *tx, void *args)
{
    struct heard *heard = args;
    const struct gh_audit_query query = {.limit = 1};
    struct gh_audit_chain *chains;
    struct gh_audit_row row;
    size_t count = 0;
    bool found;
    *heard = (struct heard){.after_position = heard->after_position};
    enum gh_err err = find_newest_time(tx, GH_STR(""), &heard->newest_us);
    if (err == GH_OK)
        err = tx->ops->audit_chains(tx, &chains, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        if (chains[i].holder != GH_AUDIT_HELD_BY_ANOTHER)
            continue;
        tx->chain = chains[i].id;
        err = find_one(tx, &query, &row, &found);
        if (err != GH_OK || !found || row.position <= heard->after_position)
            continue;
        if (row.position > heard->position)
            heard->position = row.position;
        if (!heard->earliest_us || row.record.time_us < heard->earliest_us)
            heard->earliest_us = row.record.time_us;
    }
    return err;
}

/*
 * In doubt nothing is dropped, and the clock is looked at again soon. It is believed when it has
 * stayed as it is for a day in which no other process wrote a record that contradicts it: one that
 * is right and the first after a long pause is, one that is wrong among others that write is not.
 */
static enum gh_err judge_clock(struct gh_audit_signer *signer, uint64_t now_us,
                               struct gh_arena *arena)
{
    struct gh_store *store = signer->identity->store;
    struct heard heard = {.after_position = signer->heard_position};
    enum gh_err err = store->ops->read(store, hear_others, &heard, arena);
    if (err != GH_OK)
        return err;
    uint64_t wall_us = gh_wall_now_us();
    bool contradicted = heard.earliest_us && wall_us > heard.earliest_us &&
                        wall_us - heard.earliest_us > GH_AUDIT_CLOCK_GAP_US;
    signer->verdict = gh_audit_clock_judge(&signer->clock, wall_us, running_now_us(),
                                           contradicted ? heard.earliest_us : heard.newest_us);
    if (heard.position)
        signer->heard_position = heard.position;
    if (contradicted) {
        signer->clock.doubted = false; /* the day begins anew */
        signer->clock.ahead |= signer->verdict == GH_AUDIT_CLOCK_AHEAD;
    }
    if (signer->verdict != GH_AUDIT_CLOCK_PLAUSIBLE)
        signer->retention_us = now_us + DOUBT_US;
    return GH_OK;
}

static void tell_doubt(struct gh_audit_signer *signer)
{
    uint64_t running_us = running_now_us();
    if (signer->doubt_told_us && running_us - signer->doubt_told_us < HOUR_US)
        return;
    signer->doubt_told_us = running_us;
    signer->tell_doubt = true;
}

struct retention {
    uint64_t before_us, now_us;
    uint64_t dropped;
};

static enum gh_err retain_chain(struct gh_audit_signer *signer, struct gh_audit_signer_chain *chain,
                                struct gh_arena *arena, void *args)
{
    struct gh_store *store = signer->identity->store;
    struct retention *retention = args;
    struct cut cut = {.chain = chain->id,
                      .keys = &signer->keys,
                      .before_us = retention->before_us,
                      .now_us = retention->now_us};
    enum gh_err err = store->ops->read(store, find_cut, &cut, arena);
    if (err == GH_OK && cut.forged)
        err = GH_ERR_INVALID;
    if (err != GH_OK || !cut.found)
        return err;
    if (signer->verdict == GH_AUDIT_CLOCK_PLAUSIBLE)
        return drop(signer, chain, &cut.through, cut.now_us, arena, &retention->dropped);
    tell_doubt(signer);
    return GH_OK;
}

enum gh_err gh_audit_signer_retain(struct gh_audit_signer *signer,
                                   const struct gh_audit_settings *settings, uint64_t now_us,
                                   struct gh_arena *arena, uint64_t *out_dropped)
{
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
    struct retention retention = {.before_us = now_us - retention_us, .now_us = now_us};
    if (signer->own.id)
        err = retain_chain(signer, &signer->own, arena, &retention);
    enum gh_err of_others = for_others(signer, arena, retain_chain, &retention);
    err = err == GH_OK ? of_others : err;
    *out_dropped = retention.dropped;
    if (err != GH_OK || signer->verdict != GH_AUDIT_CLOCK_PLAUSIBLE)
        return err;
    return destroy_keys(signer, retention.before_us, arena);
}
