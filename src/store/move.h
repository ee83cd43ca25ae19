/*
 * A whole deployment moved from an SQLite file to an empty PostgreSQL database: every table with
 * every column, in one transaction, and read back and compared byte for byte before it commits. The
 * audit log becomes chain 1 there, and goes on.
 *
 * The file stays as it is. It is locked meanwhile, so that no server writes what would be left
 * behind.
 */
#ifndef GH_STORE_MOVE_H
#define GH_STORE_MOVE_H

#include "base/arena.h"
#include "base/err.h"

#define GH_MOVE_TABLES_MAX 32

struct gh_move_options {
    struct gh_str sqlite_path;
    const char *postgres_url;
    /* Told now and then how many rows of all were copied or compared; NULL: nobody asks. */
    void (*progress)(void *context, uint64_t rows, uint64_t rows_max);
    void *context;
};

struct gh_move_result {
    struct {
        struct gh_str name; /* in the arena */
        uint64_t rows;
    } tables[GH_MOVE_TABLES_MAX];
    size_t table_count;
};

/*
 * After any failure the database is as it was, but for the tables, which may be there, empty.
 * GH_ERR_EXISTS: a process has the file open for writing, or the database is not empty;
 * GH_ERR_INVALID: no such file, not gatehouse's, newer than this version, or a row that PostgreSQL
 * can't hold; GH_ERR_IO, GH_ERR_TIMEOUT, GH_ERR_MEMORY. *out_message (in `arena`, never with a
 * password) says what, and what to do.
 */
GH_MUST_USE enum gh_err gh_move_run(const struct gh_move_options *options, struct gh_arena *arena,
                                    struct gh_move_result *out_result, struct gh_str *out_message);

#endif
