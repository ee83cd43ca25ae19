/*
 * Inside the sealer: what its thread and those who call it share (postgres_sealer.c), and how it
 * keeps its connection, its chain and the log (postgres_sealer_chain.c).
 */
#ifndef GH_STORE_POSTGRES_SEALER_STATE_H
#define GH_STORE_POSTGRES_SEALER_STATE_H

#include <pthread.h>

#include "store/postgres_batch.h"
#include "store/postgres_sealer.h"
#include "store/postgres_unit.h"
#include "store/written.h"

/* A unit of run_bulk; lives on the stack of who waits for it. */
struct gh_postgres_job {
    struct gh_postgres_job *next;
    gh_store_unit *unit;
    void *args;
    struct gh_arena *arena;
    enum gh_err result;
    bool done;
};

struct gh_postgres_sealer {
    char *url, *application;
    struct gh_postgres_target target; /* with these strings */
    unsigned queue_max, look_ms, patience_ms;
    pthread_t thread;

    pthread_mutex_t lock; /* of all below, up to the next comment */
    pthread_cond_t changed;
    uint64_t committed; /* units that appended, as far as this is known */
    uint64_t linked;    /* those of them of which nothing is unsealed in the chain that is held */
    uint64_t sealed;    /* and in chains that it had before */
    struct gh_postgres_job *first, *last;
    unsigned queued;
    bool is_stopping;
    struct gh_postgres_had
        chains[GH_POSTGRES_CHAINS_HAD_MAX]; /* only the thread adds, removes and
                                               moves: it reads without the lock */
    size_t chain_count;
    struct gh_postgres_sealing counts; /* but what waits, which chains say */
    struct gh_written written;

    /* The thread's alone. */
    struct gh_postgres_connection connection;
    struct gh_postgres_batch batch;
    struct gh_arena arena;    /* of what a pass reads */
    int64_t look_at_ms;       /* for what others left */
    int64_t ask_at_ms;        /* what became of chains that it had before */
    int64_t failing_since_ms; /* 0: it is not */
};

/* Has a connection that holds a chain, or makes one. *out_message (may be NULL) as
   gh_postgres_sealer_open. */
GH_MUST_USE enum gh_err gh_postgres_sealer_connect(struct gh_postgres_sealer *sealer,
                                                   struct gh_arena *arena,
                                                   struct gh_str *out_message);
/* Gives chain and connection up. */
void gh_postgres_sealer_disconnect(struct gh_postgres_sealer *sealer);
/* Seals all that is committed of this process; GH_ERR_TIMEOUT: some of it may be unsealed in a
   chain that it had before, and which another process holds now, who will; that is asked at times.
 */
GH_MUST_USE enum gh_err gh_postgres_sealer_seal(struct gh_postgres_sealer *sealer);
/* Seals what processes have left that are gone; what it can't, the next look may. */
void gh_postgres_sealer_look(struct gh_postgres_sealer *sealer);

/* The transaction is over: what it put into chains of nobody is told of from now on, where it has
   committed, or may have. */
void gh_postgres_sealer_note_written(struct gh_postgres_sealer *sealer, bool may_have_committed);

/* A transaction of the sealer's own. */
struct gh_postgres_tx gh_postgres_sealer_tx(struct gh_postgres_sealer *sealer,
                                            struct gh_arena *arena);

#endif
