/* Votes in one SQLite file: for trying out, and for one machine. A vote is counted, on disk, when
   it is taken. One connection under a lock: SQLite has one writer anyway. */
#include "store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

struct store_sqlite {
    sqlite3 *database;
    pthread_mutex_t lock;
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS votes (option TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS voters (voter TEXT PRIMARY KEY) STRICT;";

/* One statement with up to one text; `on_row` may be NULL. */
static bool run(sqlite3 *database, const char *sql, const char *text,
                void (*on_row)(sqlite3_stmt *, void *), void *context)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        return false;
    int result = text ? sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC) : SQLITE_OK;
    if (result == SQLITE_OK) {
        while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
            if (on_row)
                on_row(statement, context);
        }
    }
    sqlite3_finalize(statement);
    return result == SQLITE_DONE;
}

static bool cast_in_transaction(sqlite3 *database, const char *option, const char *voter)
{
    if (voter) {
        if (!run(database, "INSERT INTO voters (voter) VALUES (?) ON CONFLICT DO NOTHING", voter,
                 NULL, NULL))
            return false;
        if (sqlite3_changes(database) == 0)
            return true; /* voted before: taken, and not counted */
    }
    return run(database,
               "INSERT INTO votes (option, count) VALUES (?, 1) "
               "ON CONFLICT (option) DO UPDATE SET count = count + 1",
               option, NULL, NULL);
}

static bool cast(void *self, const char *option, const char *voter)
{
    struct store_sqlite *store = self;
    pthread_mutex_lock(&store->lock);
    bool done = run(store->database, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (done) {
        done = cast_in_transaction(store->database, option, voter) &&
               run(store->database, "COMMIT", NULL, NULL, NULL);
        if (!done)
            run(store->database, "ROLLBACK", NULL, NULL, NULL);
    }
    pthread_mutex_unlock(&store->lock);
    return done;
}

struct counting {
    const struct ballot *ballot;
    uint64_t *counts;
};

static void take_row(sqlite3_stmt *statement, void *context)
{
    struct counting *counting = context;
    const char *option = (const char *)sqlite3_column_text(statement, 0);
    size_t index = option ? ballot_find(counting->ballot, option) : counting->ballot->count;
    if (index < counting->ballot->count)
        counting->counts[index] = (uint64_t)sqlite3_column_int64(statement, 1);
}

static bool count(void *self, const struct ballot *ballot, uint64_t *counts)
{
    struct store_sqlite *store = self;
    struct counting counting = {ballot, counts};
    for (size_t i = 0; i < ballot->count; i++)
        counts[i] = 0;
    pthread_mutex_lock(&store->lock);
    bool done = run(store->database, "SELECT option, count FROM votes", NULL, take_row, &counting);
    pthread_mutex_unlock(&store->lock);
    return done;
}

static bool is_ready(void *self)
{
    struct store_sqlite *store = self;
    pthread_mutex_lock(&store->lock);
    bool ready = run(store->database, "SELECT 1 FROM votes LIMIT 1", NULL, NULL, NULL);
    pthread_mutex_unlock(&store->lock);
    return ready;
}

static void close_store(void *self)
{
    struct store_sqlite *store = self;
    sqlite3_close(store->database);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static const struct store_calls calls = {cast, count, is_ready, close_store};

static bool prepare(sqlite3 *database, int timeout_ms)
{
    sqlite3_busy_timeout(database, timeout_ms);
    return sqlite3_exec(database, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;", NULL,
                        NULL, NULL) == SQLITE_OK &&
           sqlite3_exec(database, schema, NULL, NULL, NULL) == SQLITE_OK;
}

bool store_sqlite_open(const struct settings *settings, struct store *out, char *message,
                       size_t message_size)
{
    sqlite3 *database = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(settings->sqlite_path, &database, flags, NULL) != SQLITE_OK ||
        !prepare(database, settings->store_timeout_ms)) {
        snprintf(message, message_size, "%s: %s", settings->sqlite_path, sqlite3_errmsg(database));
        sqlite3_close(database);
        return false;
    }
    struct store_sqlite *store = calloc(1, sizeof(*store));
    if (!store) {
        snprintf(message, message_size, "out of memory");
        sqlite3_close(database);
        return false;
    }
    store->database = database;
    pthread_mutex_init(&store->lock, NULL);
    *out = (struct store){&calls, store};
    return true;
}
