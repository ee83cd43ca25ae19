/* Votes in PostgreSQL: the tally, and the intake where no Redis is configured. The tables and
   functions are those of schema.sql. */
#include "store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "pool.h"
#include "schema_data.h"

struct store_postgres {
    struct pool pool;
    const char *url;
    int timeout_ms;
};

static void close_connection(void *connection)
{
    PQfinish(connection);
}

/* A COMMAND or a row set that ended well; the result is the caller's to clear then. */
static PGresult *keep_good(PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return result;
    PQclear(result);
    return NULL;
}

static bool run(PGconn *connection, const char *sql)
{
    PGresult *result = keep_good(PQexec(connection, sql));
    PQclear(result);
    return result != NULL;
}

static PGconn *open_connection(const char *url, int timeout_ms)
{
    char seconds[16], milliseconds[16];
    snprintf(seconds, sizeof(seconds), "%d", timeout_ms / 1000 < 2 ? 2 : timeout_ms / 1000);
    snprintf(milliseconds, sizeof(milliseconds), "%d", timeout_ms);
    const char *names[] = {"dbname",           "application_name", "connect_timeout",
                           "tcp_user_timeout", "keepalives_idle",  "keepalives_interval",
                           "keepalives_count", "gssencmode",       NULL};
    const char *values[] = {url, "vote", seconds, milliseconds, "5", "2", "3", "disable", NULL};
    PGconn *connection = PQconnectdbParams(names, values, 1);
    return connection;
}

static void drop_notice(void *context, const char *text)
{
    (void)context, (void)text;
}

static PGconn *connect_to(const struct store_postgres *store)
{
    PGconn *connection = open_connection(store->url, store->timeout_ms);
    char sql[64];
    snprintf(sql, sizeof(sql), "SET statement_timeout = %d", store->timeout_ms);
    if (PQstatus(connection) != CONNECTION_OK || !run(connection, sql)) {
        PQfinish(connection);
        return NULL;
    }
    PQsetNoticeProcessor(connection, drop_notice, NULL);
    return connection;
}

/* Between statements there is nothing to read: what is, is the end of the connection. */
static bool has_ended(PGconn *connection)
{
    struct pollfd poller = {.fd = PQsocket(connection), .events = POLLIN};
    return PQstatus(connection) != CONNECTION_OK || poll(&poller, 1, 0) != 0;
}

static PGconn *take(struct store_postgres *store)
{
    PGconn *connection = pool_take(&store->pool);
    if (connection && has_ended(connection)) {
        PQfinish(connection);
        connection = NULL;
    }
    if (!connection)
        connection = connect_to(store);
    if (!connection)
        pool_give(&store->pool, NULL);
    return connection;
}

static void give(struct store_postgres *store, PGconn *connection, bool good)
{
    if (!good) {
        PQfinish(connection);
        connection = NULL;
    }
    pool_give(&store->pool, connection);
}

static bool cast(void *self, const char *option, const char *voter)
{
    struct store_postgres *store = self;
    PGconn *connection = take(store);
    if (!connection)
        return false;
    const char *values[] = {option, voter};
    const char *sql =
        voter ? "SELECT public.increment_vote($1, $2)" : "SELECT public.increment_vote($1)";
    PGresult *result =
        keep_good(PQexecParams(connection, sql, voter ? 2 : 1, NULL, values, NULL, NULL, 0));
    PQclear(result);
    give(store, connection, result != NULL);
    return result != NULL;
}

static void take_rows(const PGresult *result, const struct ballot *ballot, uint64_t *counts)
{
    for (int row = 0; row < PQntuples(result); row++) {
        size_t index = ballot_find(ballot, PQgetvalue(result, row, 0));
        if (index < ballot->count)
            counts[index] = strtoull(PQgetvalue(result, row, 1), NULL, 10);
    }
}

static bool count(void *self, const struct ballot *ballot, uint64_t *counts)
{
    struct store_postgres *store = self;
    for (size_t i = 0; i < ballot->count; i++)
        counts[i] = 0;
    PGconn *connection = take(store);
    if (!connection)
        return false;
    PGresult *result =
        keep_good(PQexec(connection, "SELECT option, count FROM public.votes LIMIT 1000"));
    if (result)
        take_rows(result, ballot, counts);
    PQclear(result);
    give(store, connection, result != NULL);
    return result != NULL;
}

/* Also that the schema is there. */
static bool is_ready(void *self)
{
    struct store_postgres *store = self;
    PGconn *connection = take(store);
    if (!connection)
        return false;
    bool good = run(connection, "SELECT count FROM public.votes LIMIT 1");
    give(store, connection, good);
    return good;
}

static void close_store(void *self)
{
    struct store_postgres *store = self;
    pool_done(&store->pool, close_connection);
    free(store);
}

static const struct store_calls calls = {cast, count, is_ready, close_store};

/* libpq's own words would quote the URL, and a password with it. */
static bool is_url(const char *url, char *message, size_t message_size)
{
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (!options)
        snprintf(message, message_size, "DATABASE_URL is not a connection URL of PostgreSQL");
    PQconninfoFree(options);
    return options != NULL;
}

bool store_postgres_open(const struct settings *settings, struct store *out, char *message,
                         size_t message_size)
{
    if (!is_url(settings->postgres_url, message, message_size))
        return false;
    struct store_postgres *store = calloc(1, sizeof(*store));
    if (!store) {
        snprintf(message, message_size, "out of memory");
        return false;
    }
    pool_init(&store->pool, (size_t)settings->threads);
    store->url = settings->postgres_url;
    store->timeout_ms = settings->store_timeout_ms;
    *out = (struct store){&calls, store};
    return true;
}

bool store_postgres_install(const struct settings *settings, char *message, size_t message_size)
{
    if (!is_url(settings->postgres_url, message, message_size))
        return false;
    PGconn *connection = open_connection(settings->postgres_url, settings->store_timeout_ms);
    PQsetNoticeProcessor(connection, drop_notice, NULL);
    bool done = PQstatus(connection) == CONNECTION_OK && run(connection, schema_sql);
    if (!done)
        snprintf(message, message_size, "%s", PQerrorMessage(connection));
    PQfinish(connection);
    return done;
}
