#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_BYTES_MAX 128

/* An empty variable counts as none, as deployment files often leave it. */
static const char *text_of(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static bool refuse(char *message, size_t size, const char *text)
{
    snprintf(message, size, "%s", text);
    return false;
}

static bool read_numbers(struct settings *settings, char *message, size_t size)
{
    const struct {
        const char *name;
        int otherwise, min, max;
        int *slot;
    } numbers[] = {
        {"BODY_BYTES_MAX", 4096, 64, 1 << 20, &settings->body_bytes_max},
        {"THREADS", 4, 1, 64, &settings->threads},
        {"STORE_TIMEOUT_MS", 2000, 10, 60000, &settings->store_timeout_ms},
        {"DRAIN_SECONDS", 30, 0, 600, &settings->drain_seconds},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const char *text = text_of(numbers[i].name, NULL);
        *numbers[i].slot = numbers[i].otherwise;
        if (!text)
            continue;
        char *end;
        errno = 0;
        long number = strtol(text, &end, 10);
        bool is_number = text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
        if (!is_number || number < numbers[i].min || number > numbers[i].max) {
            snprintf(message, size, "%s is not a number from %d to %d", numbers[i].name,
                     numbers[i].min, numbers[i].max);
            return false;
        }
        *numbers[i].slot = (int)number;
    }
    return true;
}

static bool read_database(struct settings *settings, char *message, size_t size)
{
    const char *url = text_of("DATABASE_URL", "sqlite:votes.db");
    if (strncmp(url, "sqlite:", 7) == 0 && url[7])
        settings->sqlite_path = url + 7;
    else if (strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0)
        settings->postgres_url = url;
    else
        return refuse(message, size, "DATABASE_URL is neither sqlite:PATH nor postgresql://...");
    return true;
}

static bool read_redis(struct settings *settings, char *message, size_t size)
{
    const char *url = text_of("REDIS_URL", NULL);
    settings->stream = text_of("STREAM", "votes");
    if (strlen(settings->stream) > STREAM_BYTES_MAX)
        return refuse(message, size, "STREAM is too long");
    if (!url)
        return true;
    if (!redis_url_parse(url, &settings->redis))
        return refuse(message, size, "REDIS_URL is neither redis://... nor unix:/PATH");
    if (!settings->postgres_url)
        return refuse(message, size,
                      "REDIS_URL needs DATABASE_URL=postgresql://...: that is where votes of the "
                      "stream are counted and results are read");
    settings->has_redis = true;
    return true;
}

static bool is_field_name(const char *name)
{
    const char *marks = "!#$%&'*+-.^_`|~";
    for (const char *c = name; *c; c++) {
        bool is_letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!is_letter && !(*c >= '0' && *c <= '9') && !strchr(marks, *c))
            return false;
    }
    return true;
}

static bool read_once(struct settings *settings, char *message, size_t size)
{
    const char *once = text_of("VOTE_ONCE", "off");
    settings->once_per_user = strcmp(once, "user") == 0;
    if (!settings->once_per_user && strcmp(once, "off") != 0)
        return refuse(message, size, "VOTE_ONCE is neither off nor user");
    settings->identity_header = text_of("IDENTITY_HEADER", "X-User-Id");
    if (!is_field_name(settings->identity_header))
        return refuse(message, size, "IDENTITY_HEADER is not the name of a header field");
    return true;
}

bool settings_read(struct settings *out, char *message, size_t message_size)
{
    struct settings settings = {.listen = text_of("LISTEN", "127.0.0.1:8000")};
    if (!ballot_parse(text_of("VOTE_OPTIONS", "cats,dogs"), &settings.ballot)) {
        snprintf(message, message_size,
                 "VOTE_OPTIONS is not a list of %d to %d different options of at most %d bytes",
                 BALLOT_OPTIONS_MIN, BALLOT_OPTIONS_MAX, BALLOT_OPTION_BYTES_MAX);
        return false;
    }
    if (!read_once(&settings, message, message_size) ||
        !read_database(&settings, message, message_size) ||
        !read_redis(&settings, message, message_size) ||
        !read_numbers(&settings, message, message_size))
        return false;
    *out = settings;
    return true;
}
