#include "store/postgres_schema.h"

#include <stdio.h>

#include "store/migrations.h"

/* Some number that nobody else has: "gatehous". */
#define LOCK "SELECT pg_advisory_lock(7449363223475217779)"
#define OURS "relnamespace = current_schema()::regnamespace"
#define MADE                                                                                       \
    "CREATE TABLE IF NOT EXISTS schema_version ("                                                  \
    "version bigint NOT NULL PRIMARY KEY, name text NOT NULL, applied_us bigint NOT NULL)"
#define NOTE                                                                                       \
    "INSERT INTO schema_version (version, name, applied_us) "                                      \
    "VALUES (%u, '%s', extract(epoch FROM clock_timestamp())::bigint * 1000000)"

/* How far the schema is. */
struct state {
    uint64_t schemas; /* 0: there is none to put tables in */
    uint64_t tables;  /* of anybody */
    uint64_t is_ours, version;
};

static enum gh_err look(struct gh_postgres_connection *connection, struct state *out_state)
{
    struct state state = {.version = 0};
    enum gh_err err =
        gh_postgres_number(connection, "SELECT count(current_schema())", &state.schemas);
    if (err == GH_OK)
        err = gh_postgres_number(connection,
                                 "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', "
                                 "'m', 'f') AND " OURS,
                                 &state.tables);
    if (err == GH_OK)
        err = gh_postgres_number(
            connection, "SELECT count(*) FROM pg_class WHERE relname = 'schema_version' AND " OURS,
            &state.is_ours);
    if (err == GH_OK && state.is_ours)
        err = gh_postgres_number(connection, "SELECT max(version) FROM schema_version",
                                 &state.version);
    *out_state = state;
    return err;
}

/* One after another, so that a large one is not done again because the next one failed. */
static enum gh_err apply(struct gh_postgres_connection *connection,
                         const struct gh_migration *migration, struct gh_arena *arena,
                         struct gh_str *out_message)
{
    struct gh_str sql = gh_arena_format(arena, "BEGIN; %s; " MADE "; " NOTE "; COMMIT",
                                        migration->sql, migration->number, migration->name);
    if (!sql.ptr)
        return GH_ERR_MEMORY;
    enum gh_err err = gh_postgres_long_script(connection, sql.ptr);
    if (err == GH_OK)
        return GH_OK;
    *out_message = gh_arena_format(arena, "migration %u (%s): %s", migration->number,
                                   migration->name, gh_postgres_explain(connection, arena).ptr);
    if (gh_postgres_is_up(connection) && gh_postgres_script(connection, "ROLLBACK") != GH_OK)
        return GH_ERR_IO;
    return err;
}

static enum gh_err refuse(struct gh_arena *arena, const struct state *state, bool migrate,
                          struct gh_str *out_message)
{
    const unsigned ours = gh_postgresql_migration_count;
    if (!state->schemas) {
        *out_message = GH_STR("there is no schema in the search path");
        return GH_ERR_INVALID;
    }
    if (state->version > ours) {
        *out_message = gh_arena_format(arena,
                                       "its schema has version %llu, this gatehouse knows %u: use "
                                       "the newer gatehouse, or a backup made before",
                                       (unsigned long long)state->version, ours);
        return GH_ERR_INVALID;
    }
    if (state->tables && !state->is_ours) {
        *out_message = GH_STR("it is a database of another program: make one for gatehouse alone");
        return GH_ERR_INVALID;
    }
    if (state->version < ours && !migrate) {
        *out_message = GH_STR("its schema is older than this gatehouse: start the server once");
        return GH_ERR_INVALID;
    }
    return GH_OK;
}

static enum gh_err look_and_judge(struct gh_postgres_connection *connection, bool migrate,
                                  struct state *out_state, struct gh_arena *arena,
                                  struct gh_str *out_message)
{
    enum gh_err err = look(connection, out_state);
    if (err == GH_OK)
        return refuse(arena, out_state, migrate, out_message);
    *out_message = gh_postgres_explain(connection, arena);
    return err;
}

enum gh_err gh_postgres_schema_open(struct gh_postgres_connection *connection, bool migrate,
                                    struct gh_arena *arena, struct gh_str *out_message)
{
    struct state state;
    uint64_t locked;
    enum gh_err err = look_and_judge(connection, migrate, &state, arena, out_message);
    if (err != GH_OK || state.version == gh_postgresql_migration_count)
        return err;
    err = gh_postgres_number(connection, LOCK, &locked);
    if (err != GH_OK) {
        *out_message = gh_postgres_explain(connection, arena);
        return err;
    }
    err = look_and_judge(connection, migrate, &state, arena, out_message); /* somebody may have */
    for (unsigned i = 0; err == GH_OK && i < gh_postgresql_migration_count; i++)
        if (gh_postgresql_migrations[i].number > state.version)
            err = apply(connection, &gh_postgresql_migrations[i], arena, out_message);
    return err;
}
