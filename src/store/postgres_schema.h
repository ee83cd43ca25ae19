/* The version of a PostgreSQL schema, and its way to ours. */
#ifndef GH_STORE_POSTGRES_SCHEMA_H
#define GH_STORE_POSTGRES_SCHEMA_H

#include "store/postgres_connection.h"

/*
 * Brings the first schema of the search path to ours (`migrate`), or only checks that it is ours.
 * Each migration is a transaction of its own; processes that come at the same time do it one after
 * another, by an advisory lock that the connection keeps until it ends. GH_ERR_INVALID: newer than
 * ours, not gatehouse's, or old and not to be migrated; *out_message says what to do.
 */
GH_MUST_USE enum gh_err gh_postgres_schema_open(struct gh_postgres_connection *connection,
                                                bool migrate, struct gh_arena *arena,
                                                struct gh_str *out_message);

#endif
