/*
 * The service's settings, read once from environment variables; README.md lists them.
 *
 * Secrets (REDIS_URL, DATABASE_URL) are never printed, also not when they are refused.
 */
#ifndef VOTE_SETTINGS_H
#define VOTE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "ballot.h"
#include "redis_url.h"

struct settings {
    const char *listen; /* HOST:PORT with a numeric host, or unix:PATH */
    struct ballot ballot;
    bool once_per_user;
    const char *identity_header;
    const char *sqlite_path;  /* NULL: PostgreSQL */
    const char *postgres_url; /* NULL: SQLite */
    bool has_redis;
    struct redis_url redis;
    const char *stream;
    int body_bytes_max;
    int threads;
    int store_timeout_ms;
    int drain_seconds;
};

/* Texts point into the environment. On failure false, and `message` says which variable is wrong.
 */
bool settings_read(struct settings *out, char *message, size_t message_size);

#endif
