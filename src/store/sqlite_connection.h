/*
 * A connection to SQLite with its prepared statements, and what its results mean. One thread at a
 * time.
 */
#ifndef GH_STORE_SQLITE_CONNECTION_H
#define GH_STORE_SQLITE_CONNECTION_H

#include <sqlite3.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "store/sqlite_statements.h"

struct gh_sqlite_connection {
    sqlite3 *db;
    bool read_only;
    sqlite3_stmt *statements[GH_SQLITE_STATEMENT_COUNT]; /* prepared when first used */
    struct gh_arena scratch;                             /* of one operation */
};

/* `path` ends with a NUL. The caller closes after a failure too. */
GH_MUST_USE enum gh_err gh_sqlite_connect(struct gh_sqlite_connection *connection, const char *path,
                                          bool read_only);
void gh_sqlite_disconnect(struct gh_sqlite_connection *connection);

/* The statement, ready to be bound; NULL: *out_err says why. */
sqlite3_stmt *gh_sqlite_statement(struct gh_sqlite_connection *connection,
                                  enum gh_sqlite_statement id, enum gh_err *out_err);
/* Runs one without parameters and rows (BEGIN, COMMIT, ...). */
GH_MUST_USE enum gh_err gh_sqlite_exec(struct gh_sqlite_connection *connection,
                                       enum gh_sqlite_statement id);
/* Writes the journal back and empties it, so that nothing is left of what was deleted. For the
   writer, outside of a transaction. GH_ERR_TIMEOUT: somebody reads what is in it. */
GH_MUST_USE enum gh_err gh_sqlite_scrub(struct gh_sqlite_connection *connection);
/* The number that a query gives (a PRAGMA, a count); false: none. */
bool gh_sqlite_number(struct gh_sqlite_connection *connection, const char *sql,
                      sqlite3_int64 *out_number);

/* What an SQLite result code means to the port (GH_OK for OK, ROW and DONE). Call it at once. */
enum gh_err gh_sqlite_err(const struct gh_sqlite_connection *connection, int result);
/* At opening: what SQLite says of its last failure, in `arena`. Returns `err`, or GH_ERR_INVALID
   for a file that can't be worked with. Call it at once. */
enum gh_err gh_sqlite_explain(const struct gh_sqlite_connection *connection, enum gh_err err,
                              struct gh_arena *arena, struct gh_str *out_message);

#endif
