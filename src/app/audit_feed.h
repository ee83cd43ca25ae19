/*
 * New records of the audit log, in clear, for those who look at all of them. Those of one chain
 * come in their order and each once; those of several in about the order in which they were
 * written, ones that others wrote late by up to GH_AUDIT_FEED_SWEEP_US. One thread's.
 */
#ifndef GH_APP_AUDIT_FEED_H
#define GH_APP_AUDIT_FEED_H

#include "identity/audit_chains.h"
#include "identity/audit_log.h"

#define GH_AUDIT_FEED_READERS_MAX 4
#define GH_AUDIT_FEED_PAGE        256
/* At the beginning, so far behind records that are too old may stand one that is not. */
#define GH_AUDIT_FEED_LOOK_BACK 10000
/* So often it looks who holds which chain, and after records that came behind their turn. */
#define GH_AUDIT_FEED_LOOK_US  (2 * UINT64_C(1000000))
#define GH_AUDIT_FEED_SWEEP_US (10 * UINT64_C(1000000))

/* `replayed`: it was there before the start; `own`: of the chain that this process writes. */
struct gh_audit_feed_from {
    bool replayed, own;
};
typedef void gh_audit_feed_reader(void *context, const struct gh_audit_record *record,
                                  struct gh_audit_feed_from from);

struct gh_audit_feed_chain {
    uint32_t id;
    enum gh_audit_holder holder; /* when it was looked at last */
    bool behind;                 /* it is read for itself, from its cursor */
    uint64_t cursor;             /* the last record that was told of */
    uint64_t start_seq;          /* the last one when the feed began */
};

struct gh_audit_feed {
    const struct gh_identity *identity;
    struct gh_audit_feed_chain *chains; /* by id */
    size_t chain_count, chain_room;
    uint64_t position;             /* of the last record of any chain that was met */
    uint64_t told;                 /* how many records, since it began */
    uint64_t look_us, sweep_us;    /* when these come next */
    struct gh_audit_passed passed; /* of the last turn; each is in one turn */
    struct {
        gh_audit_feed_reader *read;
        void *context;
    } readers[GH_AUDIT_FEED_READERS_MAX];
    size_t reader_count;
};

/* Begins with the first record of `since_us` or later; `arena` is scratch. */
GH_MUST_USE enum gh_err gh_audit_feed_begin(struct gh_audit_feed *feed,
                                            const struct gh_identity *identity, uint64_t since_us,
                                            struct gh_arena *arena);
void gh_audit_feed_end(struct gh_audit_feed *feed); /* one that never began is fine, zeroed */
void gh_audit_feed_add(struct gh_audit_feed *feed, gh_audit_feed_reader *read, void *context);
/* Tells of the next page of each that has one; *out_more: there may be another. `whole`: also of
   what may have come behind its turn, as at the end. Resets the arena, which holds one page. */
GH_MUST_USE enum gh_err gh_audit_feed_turn(struct gh_audit_feed *feed, struct gh_arena *arena,
                                           uint64_t now_us, bool whole, bool *out_more);

/* The chain that this process writes, as of the last look; NULL: none. */
const struct gh_audit_feed_chain *gh_audit_feed_own(const struct gh_audit_feed *feed);
/* How many processes stand before this one in line: those that hold a lower chain, as of the last
   look. They may be commands, and do nothing of what a server does. */
unsigned gh_audit_feed_place(const struct gh_audit_feed *feed);

#endif
