/*
 * The PostgreSQL adapter: a pool of connections, one for each thread that runs a unit just then;
 * any number of processes over one database. Needs PostgreSQL 13 or later and libpq 14 or later.
 *
 * Units of `run` are serializable transactions, those of `read` see one state. A unit that another
 * one came in the way of, or whose connection was lost, is run again, for some seconds: then
 * GH_ERR_FULL (others were always faster, or no connection was free) or GH_ERR_IO (the server can't
 * be reached), and nothing of it is left. Each unit that writes leaves an id with what it wrote; a
 * COMMIT whose answer was lost is looked up by it. Where that can't be found out in time either,
 * `run` returns GH_ERR_IO and the unit may have committed.
 *
 * Texts are UTF-8 without a NUL; others are GH_ERR_INVALID to put in, and found nowhere.
 *
 * What `scrub` does: tables that hold wrapped keys (keys, person_keys) are written anew without
 * what was deleted, as long as they are small (32 MiB each); larger ones are vacuumed, which leaves
 * deleted bytes in their pages until something else is put there. What PostgreSQL has elsewhere is
 * not in our hands and stays: the write-ahead log until it is recycled or where it is archived,
 * standbys, base backups and dumps, and blocks of the file system that belonged to the old files.
 * Whoever needs keys to be gone for good keeps archives shorter than the retention they promise.
 */
#ifndef GH_STORE_POSTGRES_H
#define GH_STORE_POSTGRES_H

#include "identity/store.h"

struct gh_postgres_options {
    struct gh_str url;         /* postgresql://..., as libpq takes it */
    unsigned connection_count; /* at most, for units; 0: 8; the sealer's comes to them */
    unsigned wait_ms;          /* for a free one; 0: 5,000 */
    unsigned statement_ms;     /* a statement takes at most; 0: 5,000 */
    unsigned connect_s;        /* connecting to one server, unless the URL says it; 0: 5 */
    unsigned retry_ms;         /* a unit is begun again for so long; 0: 10,000 */
    bool writes;               /* migrates, and seals a chain of the log; else for reading only */
};

/* Loads libpq now; false: there is none. For a process that can load nothing later. */
bool gh_postgres_load(void);

/*
 * Connects, migrates, and takes a chain of the log. GH_ERR_INVALID: no libpq, a schema newer than
 * ours (or older, and not to be written), or a database of somebody else; GH_ERR_IO. *out_message
 * (in `arena`) says what and what to do, never with the password.
 */
GH_MUST_USE enum gh_err gh_postgres_open(const struct gh_postgres_options *options,
                                         struct gh_arena *arena, struct gh_store **out_store,
                                         struct gh_str *out_message);

/* What the operator should know since it was opened: the server may have too few connections for
   all who share it. Empty: nothing, or a store of another kind. */
struct gh_str gh_postgres_warning_of(struct gh_store *store);
/* Connects, and changes nothing. Errors as gh_postgres_open, but an empty database is none;
 *out_warning as above, in `arena`. */
GH_MUST_USE enum gh_err gh_postgres_probe(const struct gh_postgres_options *options,
                                          struct gh_arena *arena, struct gh_str *out_warning,
                                          struct gh_str *out_message);

/* For metrics: what the adapter does just now, and has done since it was opened. */
struct gh_postgres_counts {
    unsigned connections_max, connections, in_use, waiting;
    uint64_t waits;                              /* units that found no free connection at once */
    uint64_t refusals;                           /* and got none in time */
    uint64_t connects, connect_failures, losses; /* of connections */
    uint64_t retries;                            /* units begun again because of another one */
    uint64_t lost_answers;                       /* of COMMIT */
    uint64_t failures;                    /* units that ended with GH_ERR_IO or GH_ERR_FULL */
    bool seals;                           /* else all of the next are 0 */
    uint64_t unsealed, unsealed_ms;       /* records; how long the first of them waits */
    uint64_t batches, sealed;             /* transactions that sealed, and records */
    uint64_t foreign_chains, lost_chains; /* sealed for others; taken by others */
};
/* False: it is a store of another kind. */
bool gh_postgres_counts_of(struct gh_store *store, struct gh_postgres_counts *out_counts);

#endif
