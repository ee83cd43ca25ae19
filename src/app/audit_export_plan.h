/*
 * What a second place is to be brought of the log by this process: what it has written, of
 * whichever chain, and at a start a little of what was written before.
 */
#ifndef GH_APP_AUDIT_EXPORT_PLAN_H
#define GH_APP_AUDIT_EXPORT_PLAN_H

#include "app/audit_messages.h"
#include "app/audit_stretches.h"
#include "identity/store.h"

/* Where a place begins that is new as of now. */
struct gh_audit_export_start {
    uint32_t chain;    /* that this process writes; 0: none */
    uint64_t head_seq; /* its last record */
    uint64_t after;    /* before its newest checkpoint, which comes again */
    uint64_t number;   /* of audit_written: what came behind it is not in here */
};
/* *out_left: the newest checkpoints of chains that nobody holds, for which nobody else will answer
   at this moment: added to what is there. NULL: not asked for. */
GH_MUST_USE enum gh_err gh_audit_export_start_read(struct gh_store *store, struct gh_arena *arena,
                                                   struct gh_audit_export_start *out,
                                                   struct gh_audit_stretches *out_left);

/* What this process has written behind that number, for a place that is brought `open_chain`. */
struct gh_audit_export_news {
    uint64_t number;     /* from the caller; then of the newest of them */
    uint32_t open_chain; /* from the caller; 0: none */
    bool moved;          /* that has ended, by then at: */
    uint64_t open_through;
    struct gh_audit_export_new {
        uint32_t chain;
        uint64_t after, through; /* as gh_audit_stretch */
        uint64_t last_seq; /* that was there before this process took the chain; 0: it did not */
    } * items;             /* in `arena` */
    size_t count;
};
GH_MUST_USE enum gh_err gh_audit_export_news_read(struct gh_store *store, struct gh_arena *arena,
                                                  struct gh_audit_export_news *news);

/* The next records of that stretch; `checkpoints`: those that hold one. */
GH_MUST_USE enum gh_err gh_audit_export_page_read(struct gh_store *store, struct gh_arena *arena,
                                                  const struct gh_audit_stretch *stretch,
                                                  bool checkpoints,
                                                  struct gh_audit_message_page *out_page);

/* The number in the last whole line of this chain that a file of JSON ends with; 0: none. */
uint64_t gh_audit_export_file_seq(const char *path, uint32_t chain);

/* Of a chain that was taken, what was there before is not brought twice where that file has it. */
void gh_audit_export_skip(struct gh_audit_export_new *item, const char *path);

#endif
