/* A consumer of a stream, as its own files see it. */
#ifndef GH_STORE_STREAM_CONSUMER_STATE_H
#define GH_STORE_STREAM_CONSUMER_STATE_H

#include "store/stream_consumer.h"
#include "store/stream_trials.h"

/* XACK, the stream, the group, ids. */
#define GH_STREAM_ITEMS_MAX       (GH_REDIS_ARGUMENTS_MAX - 4)
#define GH_STREAM_ID_BYTES_MAX    48
#define GH_STREAM_REPLY_BYTES_MAX (32u * 1024 * 1024)
#define GH_STREAM_ARENA_BYTES_MAX (96u * 1024 * 1024)

enum gh_stream_item_state {
    GH_STREAM_ITEM_NEW,
    GH_STREAM_ITEM_ALONE, /* refused with others: to be applied alone */
    /* It failed alone, and so might any other: it is not told yet. */
    GH_STREAM_ITEM_SUSPECT,
    GH_STREAM_ITEM_WAITS, /* for its next try: not acknowledged */
    GH_STREAM_ITEM_DONE,  /* to be acknowledged */
};

struct gh_stream_item {
    struct gh_stream_entry entry;
    struct gh_str *fields; /* name, value, name, value, ..., in the arena */
    size_t field_count;    /* of both; no fields at all: they were not read */
    const char *trouble;   /* it can't be applied at all; NULL: it can */
    enum gh_stream_item_state state;
    struct gh_str message; /* of the server, of a suspect */
    char sqlstate[6];
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
    struct gh_stream_id group_through; /* while that is asked: everything up to it is done */
    bool own;                          /* its own entries are being read again, behind own_from */
    bool has_unnoted;                  /* refused ones that trials had no room for */
    bool statement_works;              /* it was run with an entry just now */
    bool others_of_the_end;            /* where others to try it with are looked for next */
    bool reads_own;                    /* that is the command that has no answer yet */
    bool has_unread;    /* its own first entry behind unread_from was too large to be read */
    bool reads_alone;   /* unread_id, by the command that has no answer yet */
    bool is_unreadable; /* it was too large alone, too */
    char unread_from[GH_STREAM_ID_BYTES_MAX], unread_id[GH_STREAM_ID_BYTES_MAX];
    char own_from[GH_STREAM_ID_BYTES_MAX], claim_from[GH_STREAM_ID_BYTES_MAX];
    uint64_t own_since_ms, claim_at_ms, info_at_ms, forget_at_ms;
    unsigned pauses;      /* in a row */
    size_t batch;         /* entries at a time, just now: fewer after one that was too much */
    size_t batch_max;     /* how many it may be again */
    bool looks_for_large; /* entries of its own come one by one: all of them were too large */
    struct gh_stream_item *items;
    size_t item_count;
    struct gh_arena arena; /* of the items */
    struct gh_stream_trials trials;
    struct gh_stream_counts counts;
};

void gh_stream_consumer_tell(struct gh_stream_consumer *consumer, bool is_error, const char *format,
                             ...) __attribute__((format(printf, 3, 4)));

/* ---- What is under way: stream_consumer.c ---- */

/* Sends a command; where it can't be, it goes on after a pause, or when Redis is there. */
void gh_stream_consumer_call(struct gh_stream_consumer *consumer, const struct gh_str *argv,
                             size_t argc, gh_redis_answer_fn *callback);
/* Of each answer, at first. False: nothing more is to be done with it. `what`: "acknowledging" */
bool gh_stream_consumer_take_answer(struct gh_stream_consumer *consumer, enum gh_err err,
                                    const struct gh_redis_reply *reply, const char *what);
/* What is next. */
void gh_stream_consumer_go_on(struct gh_stream_consumer *consumer);
/* Of the database. */
void gh_stream_consumer_note_failure(struct gh_stream_consumer *consumer);
void gh_stream_consumer_note_success(struct gh_stream_consumer *consumer);

void gh_stream_consumer_wait_for_database(struct gh_stream_consumer *consumer);
bool gh_stream_consumer_is_error(const struct gh_redis_reply *reply, struct gh_str beginning);

/* ---- The group: stream_consumer_group.c ---- */

/* Makes it where it is not there; else notes from where on it was to be read, where nothing tells.
 */
void gh_stream_consumer_make_group(struct gh_stream_consumer *consumer);

/* ---- How far the group is: stream_consumer_look.c ---- */

/* The gauges. */
void gh_stream_consumer_look(struct gh_stream_consumer *consumer);
/* Forgets marks that nothing pending needs. */
void gh_stream_consumer_look_at_pending(struct gh_stream_consumer *consumer);

/* ---- Entries in hand: stream_consumer_batch.c ---- */

/* "1526919030474-55" */
bool gh_stream_id_parse(struct gh_str text, struct gh_stream_id *out_id);
void gh_stream_id_put(struct gh_stream_id id, char *out, size_t size);
/* Takes entries, as XREADGROUP and XAUTOCLAIM have them, in place of those before. False: not all
   of them: they stay pending. */
bool gh_stream_batch_take(struct gh_stream_consumer *consumer,
                          const struct gh_redis_reply *entries);
/* In place of those before one that can't be read, to be parked. False: that is no id. */
bool gh_stream_batch_take_unread(struct gh_stream_consumer *consumer, struct gh_str id);

enum gh_stream_became {
    /* The database is away, or too slow for so many: what is in hand waits, to be gone on with by
       calling it again. */
    GH_STREAM_BATCH_WAITS,
    /* The same; none could be run, and others may tell whether that is the statement's fault. */
    GH_STREAM_BATCH_IN_QUESTION,
    GH_STREAM_BATCH_DONE,
};
enum gh_stream_became gh_stream_batch_apply(struct gh_stream_consumer *consumer);
/* Whether the statement can be run with one of these, as XRANGE has them, that is none of those in
   question. Nothing is changed. */
bool gh_stream_batch_try_others(struct gh_stream_consumer *consumer,
                                const struct gh_redis_reply *entries);
/* It can: those in question were refused themselves. */
enum gh_stream_became gh_stream_batch_blame(struct gh_stream_consumer *consumer);
/* After something was too much at a time. */
void gh_stream_batch_shrink(struct gh_stream_consumer *consumer);

#endif
