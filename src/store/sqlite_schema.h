/* The version of an SQLite file's schema, and its way to ours. */
#ifndef GH_STORE_SQLITE_SCHEMA_H
#define GH_STORE_SQLITE_SCHEMA_H

#include "base/arena.h"
#include "store/sqlite_connection.h"

/*
 * Brings the schema to ours in one transaction (`migrate`), or only checks that it is ours.
 * GH_ERR_INVALID: newer than ours, not gatehouse's, or old and not to be migrated; *out_message
 * says what to do. Other errors leave the file as it was.
 */
GH_MUST_USE enum gh_err gh_sqlite_schema_open(struct gh_sqlite_connection *connection, bool migrate,
                                              struct gh_arena *arena, struct gh_str *out_message);

#endif
