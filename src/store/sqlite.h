/*
 * The SQLite adapter: one file, WAL, full sync; one writer thread that commits what is queued as
 * a group, a few readers. Forward-only migrations (migrations.h).
 */
#ifndef GH_STORE_SQLITE_H
#define GH_STORE_SQLITE_H

#include "identity/store.h"

struct gh_sqlite_options {
    struct gh_str path;    /* of the file; made with mode 0600, its directory must be there */
    unsigned reader_count; /* 0: 2 */
    size_t queue_max;      /* units that may wait; 0: 1,024 */
    /* A lock held while open, so that a second process is refused; commands that only read say
       false. */
    bool exclusive;
};

/*
 * Opens, locks and migrates. GH_ERR_EXISTS: another process holds the lock; GH_ERR_INVALID: a
 * schema newer than ours, or no such database; GH_ERR_IO. *out_message (in `arena`) says what and
 * what to do.
 */
GH_MUST_USE enum gh_err gh_sqlite_open(const struct gh_sqlite_options *options,
                                       struct gh_arena *arena, struct gh_store **out_store,
                                       struct gh_str *out_message);

#endif
