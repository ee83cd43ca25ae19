/*
 * The one thread that writes. Units wait in a bounded queue; all that wait when it looks are run
 * in one transaction, each within a savepoint, and answered after its commit, so that many writers
 * share one sync of the disk without a timer.
 */
#ifndef GH_STORE_SQLITE_WRITER_H
#define GH_STORE_SQLITE_WRITER_H

#include <pthread.h>

#include "store/sqlite_call.h"

struct gh_sqlite_wait;

struct gh_sqlite_writer {
    struct gh_sqlite_connection connection; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work;
    struct gh_sqlite_wait *first, **end;
    size_t waiting, waiting_max;
    bool closing;
};

/* Takes over the open connection. GH_ERR_MEMORY: no thread. */
GH_MUST_USE enum gh_err gh_sqlite_writer_start(struct gh_sqlite_writer *writer, size_t waiting_max);
/* Runs what waits, then ends the thread. */
void gh_sqlite_writer_stop(struct gh_sqlite_writer *writer);

/* Returns when the unit is durable or undone. GH_ERR_FULL: too many wait; GH_ERR_CLOSED. */
GH_MUST_USE enum gh_err gh_sqlite_writer_run(struct gh_sqlite_writer *writer, gh_store_unit *unit,
                                             void *args, struct gh_arena *arena);

#endif
