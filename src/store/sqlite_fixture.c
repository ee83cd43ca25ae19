#include "store/sqlite_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"

static void init_below(struct gh_sqlite_fixture *fixture, const char *parent)
{
    gh_crypto_init();
    *fixture = (struct gh_sqlite_fixture){.queue_max = 0};
    snprintf(fixture->directory, sizeof(fixture->directory), "%s/gatehouse-store-XXXXXX", parent);
    GH_ASSERT(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/gatehouse.db", fixture->directory);
    gh_arena_init(&fixture->arena, 4096, 1 << 20);
}

void gh_sqlite_fixture_init(struct gh_sqlite_fixture *fixture)
{
    init_below(fixture, "/tmp");
}

void gh_sqlite_fixture_init_in_memory(struct gh_sqlite_fixture *fixture)
{
    init_below(fixture, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

void gh_sqlite_fixture_done(struct gh_sqlite_fixture *fixture)
{
    static const char *const SUFFIXES[] = {"", "-wal", "-shm", "-journal", ".lock"};
    char path[128];
    for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", fixture->path, SUFFIXES[i]);
        unlink(path);
    }
    rmdir(fixture->directory);
    gh_arena_done(&fixture->arena);
}

enum gh_err gh_sqlite_fixture_try(struct gh_sqlite_fixture *fixture, bool exclusive,
                                  struct gh_store **out_store)
{
    struct gh_sqlite_options options = {
        .path = gh_str_from_c(fixture->path),
        .queue_max = fixture->queue_max,
        .exclusive = exclusive,
    };
    fixture->message = GH_STR("");
    return gh_sqlite_open(&options, &fixture->arena, out_store, &fixture->message);
}

struct gh_store *gh_sqlite_fixture_open(struct gh_sqlite_fixture *fixture)
{
    struct gh_store *store = NULL;
    enum gh_err err = gh_sqlite_fixture_try(fixture, true, &store);
    if (err != GH_OK)
        fprintf(stderr, "%s: %.*s\n", gh_err_text(err), GH_STR_ARG(fixture->message));
    return err == GH_OK ? store : NULL;
}
