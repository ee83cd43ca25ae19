#include "app/audit_feed.h"

#include "base/assert.h"

struct beginning {
    uint64_t since_us;
    uint64_t cursor, start_seq;
};

static enum gh_err find_beginning(struct gh_tx *tx, void *args)
{
    struct beginning *beginning = args;
    struct gh_audit_query query = {
        .since_us = beginning->since_us, .oldest_first = true, .limit = 1};
    struct gh_audit_row *rows;
    uint8_t hash[GH_SHA256_BYTES];
    size_t count;
    beginning->start_seq = 0;
    enum gh_err err = tx->ops->audit_head(tx, &beginning->start_seq, hash);
    if (err == GH_OK || err == GH_ERR_NOT_FOUND)
        err = tx->ops->audit_page(tx, &query, &rows, &count);
    if (err == GH_OK)
        beginning->cursor = count ? rows[0].record.seq - 1 : beginning->start_seq;
    return err;
}

enum gh_err gh_audit_feed_begin(struct gh_audit_feed *feed, const struct gh_identity *identity,
                                uint64_t since_us, struct gh_arena *arena)
{
    struct beginning beginning = {.since_us = since_us};
    struct gh_store *store = identity->store;
    enum gh_err err = store->ops->read(store, find_beginning, &beginning, arena);
    if (err == GH_OK)
        *feed = (struct gh_audit_feed){
            .identity = identity, .cursor = beginning.cursor, .start_seq = beginning.start_seq};
    return err;
}

void gh_audit_feed_add(struct gh_audit_feed *feed, gh_audit_feed_reader *read, void *context)
{
    GH_ASSERT(feed->reader_count < GH_AUDIT_FEED_READERS_MAX);
    feed->readers[feed->reader_count].read = read;
    feed->readers[feed->reader_count++].context = context;
}

enum gh_err gh_audit_feed_turn(struct gh_audit_feed *feed, struct gh_arena *arena, bool *out_more)
{
    struct gh_audit_query query = {
        .after_seq = feed->cursor,
        .oldest_first = true,
        .limit = GH_AUDIT_FEED_PAGE,
        .passed = &feed->passed,
    };
    struct gh_audit_entries entries;
    feed->passed = (struct gh_audit_passed){.count = 0};
    enum gh_err err = gh_audit_log_page(feed->identity, arena, &query, &entries);
    if (err != GH_OK)
        return err;
    for (size_t i = 0; i < entries.count; i++) {
        const struct gh_audit_record *record = &entries.items[i].record;
        for (size_t r = 0; r < feed->reader_count; r++)
            feed->readers[r].read(feed->readers[r].context, record, record->seq <= feed->start_seq);
        feed->cursor = record->seq;
    }
    if (feed->passed.last_seq > feed->cursor)
        feed->cursor = feed->passed.last_seq;
    *out_more = entries.count == GH_AUDIT_FEED_PAGE;
    return GH_OK;
}
