/*
 * The one thread that writes. Units wait in bounded queues; all urgent ones that wait when it looks
 * are run in one transaction, each within a savepoint, and answered after its commit, so that many
 * writers share one sync of the disk without a timer. Bulk units get a transaction each.
 */
#ifndef GH_STORE_SQLITE_WRITER_H
#define GH_STORE_SQLITE_WRITER_H

#include <pthread.h>

#include "store/sqlite_call.h"

struct gh_sqlite_wait;

/* What the thread can do next, each with a queue. */
enum gh_sqlite_turn { GH_SQLITE_URGENT, GH_SQLITE_BULK, GH_SQLITE_SCRUB, GH_SQLITE_TURN_COUNT };

struct gh_sqlite_queue {
    struct gh_sqlite_wait *first, **end;
    size_t waiting;
};

struct gh_sqlite_writer {
    struct gh_sqlite_connection connection; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work;
    struct gh_sqlite_queue queues[GH_SQLITE_TURN_COUNT];
    size_t waiting_max;   /* in each */
    unsigned passed_over; /* groups of urgent units, while something else waits */
    bool closing;
};

/* Takes over the open connection. GH_ERR_MEMORY: no thread. */
GH_MUST_USE enum gh_err gh_sqlite_writer_start(struct gh_sqlite_writer *writer, size_t waiting_max);
/* Runs what waits, then ends the thread. */
void gh_sqlite_writer_stop(struct gh_sqlite_writer *writer);

/* Returns when the unit is durable or undone, or what was deleted is scrubbed (without a unit).
   GH_ERR_FULL: too many wait; GH_ERR_CLOSED. */
GH_MUST_USE enum gh_err gh_sqlite_writer_run(struct gh_sqlite_writer *writer,
                                             enum gh_sqlite_turn turn, gh_store_unit *unit,
                                             void *args, struct gh_arena *arena);

#endif
