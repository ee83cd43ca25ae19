/*
 * Where votes go and where results come from.
 *
 * Two roles, the intake and the tally. On SQLite, or on PostgreSQL alone, one store plays both: a
 * vote that was taken is counted. With Redis the intake is a stream, and a consumer adds its
 * entries up in PostgreSQL: a vote that was taken will be counted.
 *
 * Every call may block for at most about the store's timeout, and may be made by any thread.
 */
#ifndef VOTE_STORE_H
#define VOTE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ballot.h"
#include "settings.h"

struct store {
    const struct store_calls *calls;
    void *self;
};

struct store_calls {
    /* Takes a vote durably. `voter` is NULL, or whose first vote alone counts. False: it is not
       known whether the vote was taken, and it is never tried again from here. */
    bool (*cast)(void *self, const char *option, const char *voter);
    /* Sets counts[i] for each option of the ballot. NULL where the store is an intake only. */
    bool (*count)(void *self, const struct ballot *ballot, uint64_t *counts);
    bool (*is_ready)(void *self);
    void (*close)(void *self);
};

/* On failure false with a message that holds no secret. PostgreSQL and Redis are connected to when
   they are first needed, so that the service starts while they are away. */
bool store_sqlite_open(const struct settings *settings, struct store *out, char *message,
                       size_t message_size);
bool store_postgres_open(const struct settings *settings, struct store *out, char *message,
                         size_t message_size);
bool store_redis_open(const struct settings *settings, struct store *out, char *message,
                      size_t message_size);

/* Applies schema.sql, which may be applied again, to the PostgreSQL database. */
bool store_postgres_install(const struct settings *settings, char *message, size_t message_size);

#endif
