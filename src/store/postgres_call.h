/*
 * One use of a prepared statement inside a unit: parameters are put and columns taken in the order
 * in which the statement names them ($1, $2, ...). The first trouble sticks and is what `end`
 * returns. The statement runs at the first `next` (or `change`, ...): one round trip.
 *
 *     struct gh_postgres_call call = gh_postgres_begin(tx, GH_POSTGRES_RECOVERY_COUNT);
 *     gh_postgres_put_key(&call, account);
 *     if (gh_postgres_next(&call))
 *         count = gh_postgres_take_u64(&call);
 *     return gh_postgres_end(&call);
 *
 * PostgreSQL gives a transaction up when a statement fails. "An operation that fails has changed
 * nothing, and the unit may go on" therefore means: a statement must not fail because of what the
 * unit asks for. INSERT ... ON CONFLICT DO NOTHING, and tests in the statement itself, answer with
 * rows; what the server would refuse as a value is refused here before it is sent. A constraint
 * that is violated all the same can only come from a transaction beside this one, and the unit is
 * run again.
 */
#ifndef GH_STORE_POSTGRES_CALL_H
#define GH_STORE_POSTGRES_CALL_H

#include "identity/store.h"
#include "store/postgres_connection.h"

struct gh_postgres_sealer; /* postgres_sealer.h */

enum gh_postgres_kind {
    GH_POSTGRES_RUN,
    GH_POSTGRES_BULK, /* on the sealer's connection, which holds the chain */
    GH_POSTGRES_READ, /* a statement that writes is GH_ERR_INVALID and is not sent */
};

/* A unit under way. */
struct gh_postgres_tx {
    struct gh_tx tx; /* first */
    struct gh_postgres_connection *connection;
    struct gh_postgres_sealer *sealer; /* of the store; NULL: it has none */
    enum gh_postgres_kind kind;
    bool has_caught_up;  /* all is sealed that was committed before the unit's first try */
    enum gh_err failure; /* of the store itself: such a unit can't commit, whatever it returns */
    bool wrote;          /* a statement that writes was sent */
    unsigned appended;   /* records that audit_append left to the sealer, */
    uint32_t entered;    /* in this chain; 0: none */
    bool must_seal;      /* set by an operation: roll back, let the sealer catch up, run again */
};

extern const struct gh_tx_ops gh_postgres_tx_ops;

struct gh_postgres_call {
    struct gh_postgres_tx *tx;
    enum gh_postgres_statement statement;
    PGresult *result; /* NULL: not run yet */
    int row, at;      /* -1: before the first; the next parameter, then column */
    struct gh_postgres_values put;
    uint64_t numbers[GH_POSTGRES_PARAMETERS_MAX]; /* those of put, big-endian */
    enum gh_err err;
};

struct gh_postgres_call gh_postgres_begin(struct gh_tx *tx, enum gh_postgres_statement statement);
/* The next row; false: no more, or trouble. */
bool gh_postgres_next(struct gh_postgres_call *call);
GH_MUST_USE enum gh_err gh_postgres_end(struct gh_postgres_call *call);
/* Marks the unit as one that can't commit, where the failure is the store's own; returns it. */
enum gh_err gh_postgres_fail(struct gh_postgres_tx *tx, enum gh_err err);

/* Runs to the end: how many rows were changed does not matter, or none is GH_ERR_NOT_FOUND. */
GH_MUST_USE enum gh_err gh_postgres_change(struct gh_postgres_call *call, uint64_t *out_changed);
GH_MUST_USE enum gh_err gh_postgres_change_any(struct gh_postgres_call *call);
GH_MUST_USE enum gh_err gh_postgres_change_one(struct gh_postgres_call *call);
/* Of a statement that answers with one row of two booleans: done; else whether it was because
   something is taken (GH_ERR_EXISTS) or missing (GH_ERR_NOT_FOUND). */
GH_MUST_USE enum gh_err gh_postgres_change_told(struct gh_postgres_call *call);
/* The end of a query for one row of which the columns were taken if `found`. */
GH_MUST_USE enum gh_err gh_postgres_end_one(struct gh_postgres_call *call, bool found);
/* The one number of a query. */
GH_MUST_USE enum gh_err gh_postgres_count(struct gh_postgres_call *call, uint64_t *out_count);

/* Empty texts, ids and bytes are NULL. Bytes and texts must live until the statement has run. */
void gh_postgres_put_u64(struct gh_postgres_call *call, uint64_t value); /* at most INT64_MAX */
void gh_postgres_put_limit(struct gh_postgres_call *call, size_t limit); /* of rows; any number */
void gh_postgres_put_flag(struct gh_postgres_call *call, bool flag);
/* GH_ERR_INVALID: not UTF-8, or with a NUL, which PostgreSQL can't keep. */
void gh_postgres_put_text(struct gh_postgres_call *call, struct gh_str text);
/* A text to look for: one that can't be kept is not there either, so it is NULL, equal to none. */
void gh_postgres_put_key(struct gh_postgres_call *call, struct gh_str text);
/* GH_ERR_INVALID: not of an id's length. */
void gh_postgres_put_id(struct gh_postgres_call *call, const struct gh_id *id);
void gh_postgres_put_optional_id(struct gh_postgres_call *call, const struct gh_id *id);
void gh_postgres_put_bytes(struct gh_postgres_call *call, const void *bytes, size_t count);
void gh_postgres_put_sealed(struct gh_postgres_call *call, struct gh_str sealed);
/* Arrays, for unnest: bigint[], text[] and bytea[]; empty texts and bytes are NULL. They are copied
   to the connection's scratch. */
void gh_postgres_put_u64s(struct gh_postgres_call *call, const uint64_t *values, size_t count);
void gh_postgres_put_texts(struct gh_postgres_call *call, const struct gh_str *texts, size_t count);
void gh_postgres_put_sealeds(struct gh_postgres_call *call, const struct gh_str *sealed,
                             size_t count);

uint64_t gh_postgres_take_u64(struct gh_postgres_call *call); /* of a bigint; NULL: 0 */
/* At most `max`: an enum. What is over it can only come from a damaged table. */
unsigned gh_postgres_take_number(struct gh_postgres_call *call, unsigned max);
bool gh_postgres_take_flag(struct gh_postgres_call *call); /* NULL: false */
/* Texts and sealed bytes, copied to the unit's arena; NULL: empty. */
struct gh_str gh_postgres_take_text(struct gh_postgres_call *call);
struct gh_id gh_postgres_take_id(struct gh_postgres_call *call);
void gh_postgres_take_bytes(struct gh_postgres_call *call, void *out, size_t count);

/*
 * Takes all rows of a query into an array in the unit's arena. `take` reads one row of
 * `row_bytes`.
 */
typedef void gh_postgres_take_row(struct gh_postgres_call *call, void *out_row);
GH_MUST_USE enum gh_err gh_postgres_take_all(struct gh_postgres_call *call,
                                             gh_postgres_take_row *take, size_t row_bytes,
                                             void **out_rows, size_t *out_count);

#endif
