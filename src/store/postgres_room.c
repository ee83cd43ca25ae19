#include "store/postgres_room.h"

/* What is reserved is for superusers, and from PostgreSQL 16 on for a role of administrators. */
static const char ROOM_SQL[] = "SELECT current_setting('max_connections')::bigint - "
                               "current_setting('superuser_reserved_connections')::bigint - "
                               "coalesce(current_setting('reserved_connections', true)::bigint, 0)";
/* There may be no schema yet. */
static const char PROCESSES_SQL[] =
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND "
    "classid = to_regclass('audit_chains')::oid AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())";

void gh_postgres_check_room(struct gh_postgres_connection *connection, unsigned connections,
                            bool joins, struct gh_arena *arena, struct gh_str *out_warning)
{
    uint64_t room, processes;
    *out_warning = GH_STR("");
    if (gh_postgres_number(connection, ROOM_SQL, &room) != GH_OK ||
        gh_postgres_number(connection, PROCESSES_SQL, &processes) != GH_OK)
        return;
    processes += joins || !processes;
    if (processes * connections <= room)
        return;
    *out_warning = gh_arena_format(
        arena,
        "PostgreSQL takes %llu connections (max_connections less what is reserved), and %llu "
        "process%s of gatehouse may need %llu: raise max_connections, or lower store.connections",
        (unsigned long long)room, (unsigned long long)processes, processes == 1 ? "" : "es",
        (unsigned long long)(processes * connections));
}
