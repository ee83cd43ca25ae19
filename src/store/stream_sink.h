/*
 * Where entries of a stream become rows: a statement for each, in PostgreSQL, once in effect. What
 * an entry's statement does and the note that it was done are one transaction, so that an entry
 * that comes again (its consumer died before it could acknowledge) is passed over.
 *
 * Tables of ours beside those of the statement, made when they are missing: gatehouse_consumed
 * (marks of what was done), gatehouse_groups (up to where marks were forgotten) and
 * gatehouse_parked (entries that the statement refuses, with the reason). One thread; calls wait
 * for the server.
 */
#ifndef GH_STORE_STREAM_SINK_H
#define GH_STORE_STREAM_SINK_H

#include "base/arena.h"
#include "base/err.h"

#define GH_STREAM_FIELDS_MAX 32
/* Entries of one transaction. */
#define GH_STREAM_BATCH_MAX 512
/* Marks that are forgotten at a time. */
#define GH_STREAM_FORGET_MAX 5000

/* An entry's id, as Redis gives it: milliseconds and a number within them. */
struct gh_stream_id {
    uint64_t ms, seq;
};
struct gh_stream_entry {
    struct gh_stream_id id;
    const char *values[GH_STREAM_FIELDS_MAX]; /* of the statement's parameters, as texts */
};

struct gh_stream_sink_options {
    const char *url;
    struct gh_str source;        /* of which server the stream is: its entries' ids are its own */
    struct gh_str stream, group; /* live as long as the sink, as the statement does */
    struct gh_str statement;     /* with $1, $2, ...: the fields */
    size_t field_count;
    unsigned statement_ms; /* a statement takes at most; 0: 5,000 */
};

struct gh_stream_sink;

/* Nothing is connected yet. GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_stream_sink_new(const struct gh_stream_sink_options *options,
                                           struct gh_stream_sink **out_sink);
void gh_stream_sink_free(struct gh_stream_sink *sink); /* NULL is fine */

/*
 * Applies the entries, all or none. *out_applied: how many had not been applied before. Batches of
 * one stream and group are applied one after another, whoever has them.
 * GH_ERR_REFUSED  the statement refuses one of them because of its values (asked for alone: this
 *                 one);
 * GH_ERR_INVALID  it, or one of them, can't be run: because of its values, or because of the
 *                 statement (a table that is missing): whether others can tells;
 * GH_ERR_TIMEOUT  all of it, or a statement, took too long: fewer at a time may do;
 * GH_ERR_IO       the database is away, or does not take the statement at all: later.
 * Connects when it must.
 */
GH_MUST_USE enum gh_err gh_stream_sink_apply(struct gh_stream_sink *sink,
                                             const struct gh_stream_entry *entries, size_t count,
                                             size_t *out_applied);
/* Whether the statement can be run with this entry, whose change is undone. Errors as above. */
GH_MUST_USE enum gh_err gh_stream_sink_try(struct gh_stream_sink *sink,
                                           const struct gh_stream_entry *entry);
/* The next call connects, and has the statement read, anew. */
void gh_stream_sink_begin_anew(struct gh_stream_sink *sink);
/* Puts an entry aside for good, unless it has been applied or parked; `fields` is what it held, as
   JSON. GH_ERR_IO, GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_stream_sink_park(struct gh_stream_sink *sink, struct gh_stream_id id,
                                            struct gh_str fields, struct gh_str reason,
                                            unsigned tries);
/*
 * Forgets what was applied or parked longer than `keep_ms` ago, by the server's clock, and has an
 * id below `below`: none of them may be pending. GH_STREAM_FORGET_MAX at most; *out_more: there may
 * be others.
 */
GH_MUST_USE enum gh_err gh_stream_sink_forget(struct gh_stream_sink *sink,
                                              struct gh_stream_id below, uint64_t keep_ms,
                                              bool *out_more);
/* The highest id that was forgotten: everything up to it was applied or parked, or was before where
   the group was to begin. 0-0: nothing was. GH_ERR_IO. */
GH_MUST_USE enum gh_err gh_stream_sink_forgotten(struct gh_stream_sink *sink,
                                                 struct gh_stream_id *out_through);
/* Notes that as such, where nothing is noted. GH_ERR_IO. */
GH_MUST_USE enum gh_err gh_stream_sink_begin_behind(struct gh_stream_sink *sink,
                                                    struct gh_stream_id through);
/* What the server said when a call failed last: one line, which may quote values of the entry; and
   its SQLSTATE, empty when it was not the server. Valid until the next call. */
struct gh_str gh_stream_sink_message(const struct gh_stream_sink *sink);
const char *gh_stream_sink_sqlstate(const struct gh_stream_sink *sink);
/* The same for logs: never values of an entry. */
struct gh_str gh_stream_sink_shown(const struct gh_stream_sink *sink);

#endif
