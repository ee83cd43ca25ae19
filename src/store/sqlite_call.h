/*
 * One use of a prepared statement inside a unit: parameters are put and columns taken in the order
 * in which the statement names them. The first trouble sticks and is what `end` returns.
 *
 *     struct gh_sqlite_call call = gh_sqlite_begin(tx, GH_SQLITE_RECOVERY_COUNT);
 *     gh_sqlite_put_text(&call, account);
 *     if (gh_sqlite_next(&call))
 *         count = gh_sqlite_take_u64(&call);
 *     return gh_sqlite_end(&call);
 */
#ifndef GH_STORE_SQLITE_CALL_H
#define GH_STORE_SQLITE_CALL_H

#include "identity/store.h"
#include "store/sqlite_connection.h"

/* A unit under way. */
struct gh_sqlite_tx {
    struct gh_tx tx; /* first */
    struct gh_sqlite_connection *connection;
    enum gh_err failure; /* of the store itself: such a unit can't commit, whatever it returns */
};

extern const struct gh_tx_ops gh_sqlite_tx_ops;

struct gh_sqlite_call {
    struct gh_sqlite_tx *tx;
    sqlite3_stmt *statement;
    int at; /* of the next parameter, then column */
    enum gh_err err;
};

struct gh_sqlite_call gh_sqlite_begin(struct gh_tx *tx, enum gh_sqlite_statement id);
/* The next row; false: no more, or trouble. */
bool gh_sqlite_next(struct gh_sqlite_call *call);
GH_MUST_USE enum gh_err gh_sqlite_end(struct gh_sqlite_call *call);

/* Runs to the end: how many rows were changed does not matter, or none is GH_ERR_NOT_FOUND. */
GH_MUST_USE enum gh_err gh_sqlite_change(struct gh_sqlite_call *call, uint64_t *out_changed);
GH_MUST_USE enum gh_err gh_sqlite_change_any(struct gh_sqlite_call *call);
GH_MUST_USE enum gh_err gh_sqlite_change_one(struct gh_sqlite_call *call);
/* The end of a query for one row of which the columns were taken if `found`. */
GH_MUST_USE enum gh_err gh_sqlite_end_one(struct gh_sqlite_call *call, bool found);
/* The one number of a query. */
GH_MUST_USE enum gh_err gh_sqlite_count(struct gh_sqlite_call *call, uint64_t *out_count);

/* Empty texts and ids are NULL. Bytes and texts must live until `end`. */
void gh_sqlite_put_u64(struct gh_sqlite_call *call, uint64_t value); /* at most INT64_MAX */
void gh_sqlite_put_limit(struct gh_sqlite_call *call, size_t limit); /* of rows; any number */
void gh_sqlite_put_text(struct gh_sqlite_call *call, struct gh_str text);
void gh_sqlite_put_id(struct gh_sqlite_call *call, const struct gh_id *id);
void gh_sqlite_put_bytes(struct gh_sqlite_call *call, const void *bytes, size_t count);
void gh_sqlite_put_sealed(struct gh_sqlite_call *call, struct gh_str sealed);

uint64_t gh_sqlite_take_u64(struct gh_sqlite_call *call);
/* At most `max`: an enum, a bool. What is over it can only come from a damaged file. */
unsigned gh_sqlite_take_number(struct gh_sqlite_call *call, unsigned max);
/* Texts and sealed bytes, copied to the unit's arena. */
struct gh_str gh_sqlite_take_text(struct gh_sqlite_call *call);
struct gh_id gh_sqlite_take_id(struct gh_sqlite_call *call);
void gh_sqlite_take_bytes(struct gh_sqlite_call *call, void *out, size_t count);

/*
 * Takes all rows of a query into an array in the unit's arena. `take` reads one row of
 * `row_bytes`.
 */
typedef void gh_sqlite_take_row(struct gh_sqlite_call *call, void *out_row);
GH_MUST_USE enum gh_err gh_sqlite_take_all(struct gh_sqlite_call *call, gh_sqlite_take_row *take,
                                           size_t row_bytes, void **out_rows, size_t *out_count);

#endif
