/* Whether a PostgreSQL server has connections enough for all processes that share it. */
#ifndef GH_STORE_POSTGRES_ROOM_H
#define GH_STORE_POSTGRES_ROOM_H

#include "store/postgres_connection.h"

/*
 * Processes are counted by the chains that they hold; `joins`: one more will. Each takes
 * `connections`. *out_warning (in `arena`) is empty where they have room, or where the server does
 * not say.
 */
void gh_postgres_check_room(struct gh_postgres_connection *connection, unsigned connections,
                            bool joins, struct gh_arena *arena, struct gh_str *out_warning);

#endif
