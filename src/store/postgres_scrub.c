#include "store/postgres_scrub.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define REWRITTEN_BYTES_MAX (32u << 20) /* a second or so, while units that need the table wait */
#define LOCK_MS             "2000"
#define READERS_TRIES       100
#define READERS_PAUSE_MS    20

static const char *const TABLES[] = {"keys", "person_keys"};

/* Rows that an older transaction can see would be copied. Other roles' transactions are seen by
   privileged ones alone; nodes of one deployment have one role. */
static enum gh_err wait_for_readers(struct gh_postgres_connection *connection)
{
    const struct timespec pause = {.tv_nsec = READERS_PAUSE_MS * 1000000};
    char sql[256];
    uint64_t now, older;
    enum gh_err err = gh_postgres_number(connection, "SELECT pg_current_xact_id()::xid", &now);
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
             "pg_backend_pid() AND age(backend_xmin) > age('%llu'::xid)",
             (unsigned long long)now);
    for (int i = 0; err == GH_OK && i < READERS_TRIES; i++) {
        err = gh_postgres_number(connection, sql, &older);
        if (err == GH_OK && !older)
            return GH_OK;
        nanosleep(&pause, NULL);
    }
    return err == GH_OK ? GH_ERR_TIMEOUT : err;
}

static enum gh_err scrub_table(struct gh_postgres_connection *connection, const char *table)
{
    char sql[96];
    uint64_t bytes;
    snprintf(sql, sizeof(sql), "SELECT pg_table_size('%s')", table);
    enum gh_err err = gh_postgres_number(connection, sql, &bytes);
    if (err != GH_OK)
        return err;
    snprintf(sql, sizeof(sql), bytes <= REWRITTEN_BYTES_MAX ? "VACUUM FULL %s" : "VACUUM %s",
             table);
    err = gh_postgres_script(connection, sql);
    bool is_locked = err != GH_OK && strcmp(connection->sqlstate, "55P03") == 0;
    return is_locked ? GH_ERR_TIMEOUT : err;
}

enum gh_err gh_postgres_scrub(struct gh_postgres_connection *connection)
{
    enum gh_err err = gh_postgres_script(connection, "SET lock_timeout = " LOCK_MS);
    if (err == GH_OK)
        err = wait_for_readers(connection);
    for (size_t i = 0; err == GH_OK && i < sizeof(TABLES) / sizeof(TABLES[0]); i++)
        err = scrub_table(connection, TABLES[i]);
    return err;
}
