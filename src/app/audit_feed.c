/*
 * Pages of all chains go by position, one query whatever their number. A position is given before
 * the record can be seen, so one may come behind the turn of its position. In a chain positions are
 * in the order of numbers: then the next record of that chain leaves a gap, and the chain is read
 * for itself; where none comes, a sweep finds it. So nothing is missed, and nothing told twice.
 */
#include "app/audit_feed.h"

#include <stdlib.h>

#include "audit/verify.h"
#include "base/assert.h"

#define ROOM_MIN 8

/* ---- Chains ---- */

static struct gh_audit_feed_chain *find(const struct gh_audit_feed *feed, uint32_t id)
{
    size_t from = 0, to = feed->chain_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (feed->chains[middle].id == id)
            return &feed->chains[middle];
        if (feed->chains[middle].id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static bool make_room(struct gh_audit_feed *feed)
{
    if (feed->chain_count < feed->chain_room)
        return true;
    size_t room = feed->chain_room ? 2 * feed->chain_room : ROOM_MIN;
    if (room > GH_AUDIT_CHAINS_MAX)
        return false;
    struct gh_audit_feed_chain *chains = realloc(feed->chains, room * sizeof(*chains));
    if (!chains)
        return false;
    feed->chains = chains;
    feed->chain_room = room;
    return true;
}

static enum gh_err add_chain(struct gh_audit_feed *feed, struct gh_audit_feed_chain chain)
{
    if (!make_room(feed))
        return feed->chain_count < GH_AUDIT_CHAINS_MAX ? GH_ERR_MEMORY : GH_ERR_FULL;
    size_t at = feed->chain_count++;
    for (; at > 0 && feed->chains[at - 1].id > chain.id; at--)
        feed->chains[at] = feed->chains[at - 1];
    feed->chains[at] = chain;
    return GH_OK;
}

const struct gh_audit_feed_chain *gh_audit_feed_own(const struct gh_audit_feed *feed)
{
    for (size_t i = 0; i < feed->chain_count; i++)
        if (feed->chains[i].holder == GH_AUDIT_HELD_HERE)
            return &feed->chains[i];
    return NULL;
}

unsigned gh_audit_feed_place(const struct gh_audit_feed *feed)
{
    unsigned place = 0;
    for (size_t i = 0; i < feed->chain_count; i++) {
        if (feed->chains[i].holder == GH_AUDIT_HELD_HERE)
            break;
        place += feed->chains[i].holder == GH_AUDIT_HELD_BY_ANOTHER;
    }
    return place;
}

/* ---- The beginning ---- */

struct beginning {
    uint64_t since_us;
    uint32_t chain;
    uint64_t cursor, start_seq;
    uint64_t position; /* before the first record since then; 0: none is so young */
};

/*
 * No index has times, so the log is not walked from its oldest record: that would take the longer
 * the more is kept. The newest record that is older than that has only those since then behind it.
 * Times need not be in order, since records get theirs before their place, and clocks are set. So
 * it begins with the first of these that stands among the GH_AUDIT_FEED_LOOK_BACK records before.
 * Assumed is that nothing since then stands even further before something that is older: after
 * that many records, or more, of a clock that was set back by a day, what it replays is less.
 */
static enum gh_err find_first(struct gh_tx *tx, uint64_t since_us, struct gh_audit_row **out_rows,
                              size_t *out_count)
{
    const struct gh_audit_query older = {.until_us = since_us, .limit = 1};
    struct gh_audit_query since = {.since_us = since_us, .oldest_first = true, .limit = 1};
    struct gh_audit_row *rows;
    size_t count = 0;
    enum gh_err err = since_us ? tx->ops->audit_page(tx, &older, &rows, &count) : GH_OK;
    if (err != GH_OK)
        return err;
    if (count && rows[0].record.seq > GH_AUDIT_FEED_LOOK_BACK)
        since.after_seq = rows[0].record.seq - GH_AUDIT_FEED_LOOK_BACK;
    return tx->ops->audit_page(tx, &since, out_rows, out_count);
}

static enum gh_err find_beginning(struct gh_tx *tx, void *args)
{
    struct beginning *beginning = args;
    struct gh_audit_row *rows;
    uint8_t hash[GH_SHA256_BYTES];
    size_t count = 0;
    tx->chain = beginning->chain;
    beginning->start_seq = beginning->position = 0;
    enum gh_err err = tx->ops->audit_head(tx, &beginning->start_seq, hash);
    if (err == GH_OK || err == GH_ERR_NOT_FOUND)
        err = find_first(tx, beginning->since_us, &rows, &count);
    if (err != GH_OK)
        return err;
    beginning->cursor = count ? rows[0].record.seq - 1 : beginning->start_seq;
    beginning->position = count ? rows[0].position : 0;
    return GH_OK;
}

static enum gh_err find_newest_position(struct gh_tx *tx, void *args)
{
    uint64_t *position = args;
    const struct gh_audit_query newest = {.every_chain = true, .limit = 1};
    struct gh_audit_row *rows;
    size_t count;
    enum gh_err err = tx->ops->audit_page(tx, &newest, &rows, &count);
    if (err == GH_OK)
        *position = count ? rows[0].position : 0;
    return err;
}

static enum gh_err begin_chain(struct gh_audit_feed *feed, const struct gh_audit_chain *chain,
                               uint64_t since_us, struct gh_arena *arena)
{
    struct beginning beginning = {.since_us = since_us, .chain = chain->id};
    struct gh_store *store = feed->identity->store;
    enum gh_err err = store->ops->read(store, find_beginning, &beginning, arena);
    if (err != GH_OK)
        return err;
    if (beginning.position && beginning.position <= feed->position)
        feed->position = beginning.position - 1;
    return add_chain(feed, (struct gh_audit_feed_chain){.id = chain->id,
                                                        .holder = chain->holder,
                                                        .cursor = beginning.cursor,
                                                        .start_seq = beginning.start_seq});
}

enum gh_err gh_audit_feed_begin(struct gh_audit_feed *feed, const struct gh_identity *identity,
                                uint64_t since_us, struct gh_arena *arena)
{
    struct gh_store *store = identity->store;
    struct gh_audit_chain *chains;
    size_t count = 0;
    *feed = (struct gh_audit_feed){.identity = identity};
    /* Behind the newest, or before the first of any chain. */
    enum gh_err err = store->ops->read(store, find_newest_position, &feed->position, arena);
    if (err == GH_OK)
        err = gh_audit_chains_read(store, arena, &chains, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++)
        err = begin_chain(feed, &chains[i], since_us, arena);
    if (err != GH_OK)
        gh_audit_feed_end(feed);
    return err;
}

void gh_audit_feed_end(struct gh_audit_feed *feed)
{
    free(feed->chains);
    *feed = (struct gh_audit_feed){.identity = NULL};
}

void gh_audit_feed_add(struct gh_audit_feed *feed, gh_audit_feed_reader *read, void *context)
{
    GH_ASSERT(feed->reader_count < GH_AUDIT_FEED_READERS_MAX);
    feed->readers[feed->reader_count].read = read;
    feed->readers[feed->reader_count++].context = context;
}

/* ---- Telling ---- */

static void tell(struct gh_audit_feed *feed, struct gh_audit_feed_chain *chain,
                 const struct gh_audit_record *record)
{
    const struct gh_audit_feed_from from = {.replayed = record->seq <= chain->start_seq,
                                            .own = chain->holder == GH_AUDIT_HELD_HERE};
    for (size_t r = 0; r < feed->reader_count; r++)
        feed->readers[r].read(feed->readers[r].context, record, from);
    chain->cursor = record->seq;
    feed->told++;
}

/* One chain for itself. */
static enum gh_err read_chain(struct gh_audit_feed *feed, struct gh_arena *arena,
                              struct gh_audit_feed_chain *chain)
{
    struct gh_audit_passed passed = {.count = 0};
    const struct gh_audit_query query = {
        .after_seq = chain->cursor,
        .oldest_first = true,
        .limit = GH_AUDIT_FEED_PAGE,
        .passed = &passed,
    };
    struct gh_audit_entries entries;
    gh_arena_reset(arena);
    enum gh_err err = gh_audit_log_chain_page(feed->identity, arena, chain->id, &query, &entries);
    if (err != GH_OK)
        return err;
    for (size_t i = 0; i < entries.count; i++) {
        tell(feed, chain, &entries.items[i].record);
        if (feed->chain_count == 1) /* nobody else's can stand before it */
            feed->position = entries.items[i].position;
    }
    if (passed.last_seq > chain->cursor)
        chain->cursor = passed.last_seq;
    feed->passed.count += passed.count;
    feed->passed.last_seq = passed.count ? passed.last_seq : feed->passed.last_seq;
    chain->behind = entries.count == GH_AUDIT_FEED_PAGE;
    return GH_OK;
}

/* The record has its turn, was told of already, or came before one that is missing. */
static enum gh_err meet(struct gh_audit_feed *feed, const struct gh_audit_entry *entry)
{
    const struct gh_audit_record *record = &entry->record;
    uint32_t id = gh_audit_chain_of(record);
    struct gh_audit_feed_chain *chain = find(feed, id);
    if (!chain) {
        enum gh_err err = add_chain(
            feed, (struct gh_audit_feed_chain){.id = id, .holder = GH_AUDIT_HELD_BY_ANOTHER});
        if (err != GH_OK)
            return err;
        chain = find(feed, id);
    }
    if (record->seq == chain->cursor + 1)
        tell(feed, chain, record);
    else if (record->seq > chain->cursor)
        chain->behind = true;
    feed->position = entry->position;
    return GH_OK;
}

/* All chains, by position. */
static enum gh_err read_all(struct gh_audit_feed *feed, struct gh_arena *arena, bool *out_more)
{
    const struct gh_audit_query query = {
        .every_chain = true,
        .after_seq = feed->position,
        .oldest_first = true,
        .limit = GH_AUDIT_FEED_PAGE,
    };
    struct gh_audit_entries entries;
    gh_arena_reset(arena);
    enum gh_err err = gh_audit_log_page(feed->identity, arena, &query, &entries);
    if (err != GH_OK)
        return err;
    for (size_t i = 0; err == GH_OK && i < entries.count; i++)
        err = meet(feed, &entries.items[i]);
    *out_more = entries.count == GH_AUDIT_FEED_PAGE;
    return err;
}

/* ---- Turns ---- */

static enum gh_err look(struct gh_audit_feed *feed, struct gh_arena *arena)
{
    struct gh_audit_chain *chains;
    size_t count;
    gh_arena_reset(arena);
    enum gh_err err = gh_audit_chains_read(feed->identity->store, arena, &chains, &count);
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        struct gh_audit_feed_chain *chain = find(feed, chains[i].id);
        if (chain)
            chain->holder = chains[i].holder;
        else /* it came since the beginning: all of it is new */
            err = add_chain(feed, (struct gh_audit_feed_chain){.id = chains[i].id,
                                                               .holder = chains[i].holder,
                                                               .behind = true});
    }
    return err;
}

/* Or the clock went back. */
static bool is_due(uint64_t *at_us, uint64_t now_us, uint64_t every_us)
{
    if (now_us < *at_us && *at_us - now_us <= every_us)
        return false;
    *at_us = now_us + every_us;
    return true;
}

enum gh_err gh_audit_feed_turn(struct gh_audit_feed *feed, struct gh_arena *arena, uint64_t now_us,
                               bool whole, bool *out_more)
{
    enum gh_err err = GH_OK;
    bool more = false;
    feed->passed = (struct gh_audit_passed){.count = 0};
    if (is_due(&feed->look_us, now_us, GH_AUDIT_FEED_LOOK_US))
        err = look(feed, arena);
    if (err == GH_OK && feed->chain_count > 1)
        err = read_all(feed, arena, &more);
    /* Not before the turn of what is there: chain after chain is another order than that of time.
     */
    bool sweep = feed->chain_count == 1 ||
                 (!more && (is_due(&feed->sweep_us, now_us, GH_AUDIT_FEED_SWEEP_US) || whole));
    for (size_t i = 0; err == GH_OK && i < feed->chain_count; i++) {
        struct gh_audit_feed_chain *chain = &feed->chains[i];
        if (sweep || chain->behind)
            err = read_chain(feed, arena, chain);
        more |= chain->behind;
    }
    *out_more = more;
    return err;
}
