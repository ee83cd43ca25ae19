/*
 * Rows of an SQLite table in the binary form of PostgreSQL's COPY (its manual, "Binary Format").
 * Tables and columns have the same names on both sides; chain numbers, which SQLite's log has not,
 * are 1.
 */
#ifndef GH_STORE_MOVE_ROWS_H
#define GH_STORE_MOVE_ROWS_H

#include <sqlite3.h>

#include "base/buf.h"
#include "base/err.h"

#define GH_MOVE_COLUMNS_MAX 32

enum gh_move_type { GH_MOVE_BIGINT, GH_MOVE_TEXT, GH_MOVE_BYTES, GH_MOVE_FLAG };

struct gh_move_table {
    struct gh_str name;
    struct gh_str columns[GH_MOVE_COLUMNS_MAX];   /* as SQLite has them */
    enum gh_move_type types[GH_MOVE_COLUMNS_MAX]; /* as PostgreSQL has them */
    size_t column_count;
    struct gh_str keys[GH_MOVE_COLUMNS_MAX]; /* of the primary key, in its order */
    size_t key_count;
    bool has_chain; /* PostgreSQL's has a column `chain` before these, of its key too */
    uint64_t rows;
};

/* What comes before the first row, and behind the last. */
extern const struct gh_str gh_move_header;
extern const struct gh_str gh_move_trailer;

/* SELECT of all columns in the order of the key; the buffer's text ends with a NUL. */
void gh_move_put_select(struct gh_buf *buf, const struct gh_move_table *table);
/* The row that `statement` (of that SELECT) stands on. GH_ERR_INVALID: a value of another type than
   its column, which only somebody else can have written; GH_ERR_FULL: larger than the buffer. */
GH_MUST_USE enum gh_err gh_move_put_row(struct gh_buf *buf, const struct gh_move_table *table,
                                        sqlite3_stmt *statement);
/* "chain, seq, ..." for COPY, and for ORDER BY. */
void gh_move_put_columns(struct gh_buf *buf, const struct gh_move_table *table);
void gh_move_put_keys(struct gh_buf *buf, const struct gh_move_table *table);

#endif
