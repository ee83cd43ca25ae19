/*
 * Records on their way into the log: linked behind the heads of their chains, and inserted as
 * arrays, one statement for many. Of one transaction at a time, on the sealer's connection; chains
 * that are not the sealer's own are locked for the transaction.
 */
#ifndef GH_STORE_POSTGRES_BATCH_H
#define GH_STORE_POSTGRES_BATCH_H

#include "store/postgres_call.h"

#define GH_POSTGRES_BATCH_ROWS_MAX 512
#define GH_POSTGRES_HEADS_MAX      8

/* The newest record of a chain that this transaction may write. */
struct gh_postgres_head {
    uint32_t chain; /* 0: nothing here */
    uint64_t seq;
    uint8_t hash[GH_SHA256_BYTES];
};

/* What was inserted into a chain that is not the own one. */
struct gh_postgres_borrowed {
    uint32_t chain;
    uint64_t after_seq, through_seq;
};

struct gh_postgres_batch {
    struct gh_postgres_head heads[GH_POSTGRES_HEADS_MAX];        /* the first: of the own chain */
    size_t next_head;                                            /* the place that is used again */
    struct gh_postgres_borrowed borrowed[GH_POSTGRES_HEADS_MAX]; /* of the last transaction */
    size_t borrowed_count;
    uint32_t chain;    /* of the rows, which are not inserted yet */
    uint64_t prev_seq; /* before them */
    struct gh_audit_row rows[GH_POSTGRES_BATCH_ROWS_MAX];
    size_t count;
    struct gh_arena texts;   /* of rows */
    struct gh_arena scratch; /* of one row */
};

void gh_postgres_batch_init(struct gh_postgres_batch *batch);
void gh_postgres_batch_done(struct gh_postgres_batch *batch);

/* The transaction may write this chain, which is not the own one. GH_ERR_NOT_FOUND: no such chain;
   GH_ERR_EXISTS: another process holds it. */
GH_MUST_USE enum gh_err gh_postgres_batch_borrow(struct gh_postgres_tx *tx,
                                                 struct gh_postgres_batch *batch, uint32_t chain);
/*
 * Links the row behind the newest of `chain`, which was borrowed or is the own one. What the row
 * has of numbers and hashes is not looked at; its texts are copied. GH_ERR_INVALID: it can be no
 * record, and nothing has changed. Other errors are the store's.
 */
GH_MUST_USE enum gh_err gh_postgres_batch_add(struct gh_postgres_tx *tx,
                                              struct gh_postgres_batch *batch, uint32_t chain,
                                              const struct gh_audit_row *row);
/* Inserts what was added. */
GH_MUST_USE enum gh_err gh_postgres_batch_flush(struct gh_postgres_tx *tx,
                                                struct gh_postgres_batch *batch);
/* The transaction has ended: borrowed chains are given back. The head of the own one is still known
   where it committed; what was `borrowed` is until the caller forgets it. */
void gh_postgres_batch_end(struct gh_postgres_batch *batch, bool committed);

/* Can the row become a record wherever it comes to stand? GH_ERR_INVALID, GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_postgres_check_record(struct gh_arena *scratch,
                                                 const struct gh_audit_row *row);

/* Takes the nine columns of GH_PG_FACTS. The call's err is GH_ERR_INVALID: no record has such. */
void gh_postgres_take_facts(struct gh_postgres_call *call, struct gh_audit_record *record);

#endif
