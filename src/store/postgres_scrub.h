/* What a PostgreSQL adapter can do so that deleted keys are gone from the tables' files: postgres.h
   says what is left. */
#ifndef GH_STORE_POSTGRES_SCRUB_H
#define GH_STORE_POSTGRES_SCRUB_H

#include "store/postgres_connection.h"

/* On a connection of its own. GH_ERR_TIMEOUT: somebody still sees or uses them, try again. */
GH_MUST_USE enum gh_err gh_postgres_scrub(struct gh_postgres_connection *connection);

#endif
