/* A consumer of a stream, as its own files see it. */
#ifndef GH_STORE_STREAM_CONSUMER_STATE_H
#define GH_STORE_STREAM_CONSUMER_STATE_H

#include "store/stream_consumer.h"
#include "store/stream_trials.h"

/* XACK, the stream, the group, ids. */
#define GH_STREAM_ITEMS_MAX       (GH_REDIS_ARGUMENTS_MAX - 4)
#define GH_STREAM_ID_BYTES_MAX    48
#define GH_STREAM_REPLY_BYTES_MAX (32u * 1024 * 1024)

enum gh_stream_item_state {
    GH_STREAM_ITEM_NEW,
    GH_STREAM_ITEM_ALONE, /* refused with others: to be applied alone */
    GH_STREAM_ITEM_WAITS, /* for its next try: not acknowledged */
    GH_STREAM_ITEM_DONE,  /* to be acknowledged */
};

struct gh_stream_item {
    struct gh_stream_entry entry;
    struct gh_str *fields; /* name, value, name, value, ..., in the arena */
    size_t field_count;    /* of both */
    const char *trouble;   /* it can't be applied at all; NULL: it can */
    enum gh_stream_item_state state;
    char id[GH_STREAM_ID_BYTES_MAX];
};

struct gh_stream_consumer {
    struct gh_stream_consumer_options options;
    struct gh_loop *loop;
    struct gh_redis *redis;
    struct gh_timer timer; /* of a pause, after which what was in hand goes on */
    bool calling;          /* a command has no answer yet */
    bool stopping, ended;
    bool group_is_made, database_was_lost;
    bool own;         /* its own entries are being read again, behind own_from */
    bool has_unnoted; /* refused ones that trials had no room for */
    char own_from[GH_STREAM_ID_BYTES_MAX], claim_from[GH_STREAM_ID_BYTES_MAX];
    uint64_t own_since_ms, claim_at_ms, info_at_ms, forget_at_ms;
    unsigned pauses; /* in a row */
    size_t batch;    /* entries at a time, just now: fewer after one that was too much */
    struct gh_stream_item *items;
    size_t item_count;
    struct gh_arena arena; /* of the items */
    struct gh_stream_trials trials;
    struct gh_stream_counts counts;
};

void gh_stream_consumer_tell(struct gh_stream_consumer *consumer, bool is_error, const char *format,
                             ...) __attribute__((format(printf, 3, 4)));

/* ---- Entries in hand: stream_consumer_batch.c ---- */

/* "1526919030474-55" */
bool gh_stream_id_parse(struct gh_str text, struct gh_stream_id *out_id);
/* Takes entries, as XREADGROUP and XAUTOCLAIM have them, in place of those before. False: not all
   of them: they stay pending. */
bool gh_stream_batch_take(struct gh_stream_consumer *consumer,
                          const struct gh_redis_reply *entries);
/* False: the database is away, or too slow for so many: what is in hand waits, to be gone on with
   by calling it again. */
bool gh_stream_batch_apply(struct gh_stream_consumer *consumer);
/* After something was too much at a time. */
void gh_stream_batch_shrink(struct gh_stream_consumer *consumer);

#endif
