/*
 * The sealer: the one thread of a process that writes the audit log over PostgreSQL. It holds a
 * chain of the log by an advisory lock of its own connection (a lost connection is a lost lock, and
 * nobody else writes on that connection, so that a chain never has two writers), takes what units
 * of `run` have left in audit_unsealed, links it and inserts it by arrays. Units of `run_bulk` run
 * on its thread and connection, behind what is left, and link what they append at once.
 *
 * A process that ends gives its chain up and the next one goes on with it. What a killed one left
 * unsealed goes into that one's own chain, by whoever takes the chain or comes by first.
 */
#ifndef GH_STORE_POSTGRES_SEALER_H
#define GH_STORE_POSTGRES_SEALER_H

#include "identity/store.h"
#include "store/postgres_connection.h"

struct gh_postgres_sealer;

struct gh_postgres_sealer_options {
    struct gh_postgres_target target;
    unsigned bulk_queue_max; /* units of run_bulk that wait; 0: 64 */
    unsigned look_ms;        /* looks this often for what others left; 0: 2,000 */
    unsigned patience_ms;    /* bulk units, and who waits for sealing, wait for a server that is
                                away for so long; 0: 10,000 */
};

/*
 * Connects, takes the lowest chain that nobody holds, or makes the next, and starts the thread. The
 * schema is there. Errors as gh_postgres_connect; *out_message lives in `arena`. The strings of the
 * target are copied.
 */
GH_MUST_USE enum gh_err gh_postgres_sealer_open(const struct gh_postgres_sealer_options *options,
                                                struct gh_arena *arena,
                                                struct gh_postgres_sealer **out_sealer,
                                                struct gh_str *out_message);
/* Seals what this process has committed, then gives the chain up. No unit is under way. */
void gh_postgres_sealer_close(struct gh_postgres_sealer *sealer);

/*
 * A unit is about to append: all its records go to the chain that is returned, also where that is
 * another process's meanwhile. `note` says which row it has left there, `leave` that it has ended,
 * with so many records committed.
 */
uint32_t gh_postgres_sealer_enter(struct gh_postgres_sealer *sealer);
void gh_postgres_sealer_note(struct gh_postgres_sealer *sealer, uint32_t chain, uint64_t id);
void gh_postgres_sealer_leave(struct gh_postgres_sealer *sealer, uint32_t chain, unsigned records);
/* Something is committed that may not be sealed. */
void gh_postgres_sealer_wake(struct gh_postgres_sealer *sealer);
/* The haste of its target has begun (postgres_haste.h). */
void gh_postgres_sealer_look_up(struct gh_postgres_sealer *sealer);
/* Waits until all is sealed that was committed before the call. GH_ERR_IO: it took too long. */
GH_MUST_USE enum gh_err gh_postgres_sealer_catch_up(struct gh_postgres_sealer *sealer);

/* run_bulk of the store: waits for its turn; errors as there. */
GH_MUST_USE enum gh_err gh_postgres_sealer_run(struct gh_postgres_sealer *sealer,
                                               gh_store_unit *unit, void *args,
                                               struct gh_arena *arena);

/* Whether something is committed that may not be sealed yet. */
bool gh_postgres_sealer_is_behind(struct gh_postgres_sealer *sealer);
/* Bulk units that wait. */
unsigned gh_postgres_sealer_queued(struct gh_postgres_sealer *sealer);
/* The chain that this process writes; while the connection is lost the one that it wrote. */
uint32_t gh_postgres_sealer_chain(struct gh_postgres_sealer *sealer);
/* A chain that this process writes, or wrote and may have left something in. */
struct gh_postgres_had {
    uint64_t chain;
    uint64_t through_id; /* of rows: who has it now leaves others behind them */
    unsigned under_way;  /* units that append there */
    unsigned waiting;    /* records of ended units that may be unsealed, */
    int64_t since_ms;    /* the first of them since then (gh_postgres_now_ms) */
};
/* The first one is written; over so many the oldest is forgotten. */
#define GH_POSTGRES_CHAINS_HAD_MAX 16
size_t gh_postgres_sealer_chains(struct gh_postgres_sealer *sealer,
                                 struct gh_postgres_had out_chains[GH_POSTGRES_CHAINS_HAD_MAX]);
/* Asks in which of them rows are unsealed, all of the first one and those up to through_id of the
   others: those to which the call answers with a row, which is the chain. */
struct gh_postgres_call;
void gh_postgres_put_chains(struct gh_postgres_call *call, const struct gh_postgres_had *chains,
                            size_t count);

/* For metrics: what waits just now, and what was done since it was opened. */
struct gh_postgres_sealing {
    uint64_t waiting, waiting_ms; /* records of this process; how long the first of them has */
    uint64_t batches, records;    /* transactions that sealed, and what they sealed */
    uint64_t foreign_chains;      /* times that what others had left in a chain was sealed */
    uint64_t lost_chains;         /* times that somebody else had taken the own one */
};
struct gh_postgres_sealing gh_postgres_sealer_count(struct gh_postgres_sealer *sealer);

/* That chain, and how many times it took one. */
struct gh_audit_own gh_postgres_sealer_own(struct gh_postgres_sealer *sealer);
/* As audit_written of the store; the rows live in `arena`. */
GH_MUST_USE enum gh_err gh_postgres_sealer_written(struct gh_postgres_sealer *sealer,
                                                   uint64_t number, struct gh_arena *arena,
                                                   struct gh_audit_written **out_rows,
                                                   size_t *out_count);

/* What bulk units append, until it is inserted (postgres_batch.h). Of the sealer's thread. */
struct gh_postgres_batch *gh_postgres_sealer_batch(struct gh_postgres_sealer *sealer);

#endif
