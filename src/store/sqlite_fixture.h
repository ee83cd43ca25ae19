/* For tests of the SQLite adapter: a directory of its own with a store in it. */
#ifndef GH_STORE_SQLITE_FIXTURE_H
#define GH_STORE_SQLITE_FIXTURE_H

#include "store/sqlite.h"

struct gh_sqlite_fixture {
    char directory[64], path[96];
    struct gh_arena arena;
    struct gh_str message; /* of the last opening that failed */
    size_t queue_max;      /* 0: the adapter's own */
};

void gh_sqlite_fixture_init(struct gh_sqlite_fixture *fixture);
/* In memory where the system has files there: for what opens hundreds of stores. */
void gh_sqlite_fixture_init_in_memory(struct gh_sqlite_fixture *fixture);
/* Removes the directory and the store's files in it. */
void gh_sqlite_fixture_done(struct gh_sqlite_fixture *fixture);

/* NULL: `message` says why. */
struct gh_store *gh_sqlite_fixture_open(struct gh_sqlite_fixture *fixture);
enum gh_err gh_sqlite_fixture_try(struct gh_sqlite_fixture *fixture, bool exclusive,
                                  struct gh_store **out_store);

#endif
