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

/* A unit that had appended (gh_postgres_tx.appended) has committed. */
void gh_postgres_sealer_wake(struct gh_postgres_sealer *sealer);
/* The haste of its target has begun (postgres_haste.h). */
void gh_postgres_sealer_look_up(struct gh_postgres_sealer *sealer);
/* Waits until all is sealed whose `wake` came before the call. GH_ERR_IO: it took too long. */
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
/* All that it has had since it was opened, as long as something may be unsealed there. */
#define GH_POSTGRES_CHAINS_HAD_MAX 16
size_t gh_postgres_sealer_chains(struct gh_postgres_sealer *sealer,
                                 uint64_t out_chains[GH_POSTGRES_CHAINS_HAD_MAX]);

/* What bulk units append, until it is inserted (postgres_batch.h). Of the sealer's thread. */
struct gh_postgres_batch *gh_postgres_sealer_batch(struct gh_postgres_sealer *sealer);

#endif
