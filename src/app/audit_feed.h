/*
 * New records of the audit log, in clear and in their order, for those who look at all of them.
 * One thread's.
 */
#ifndef GH_APP_AUDIT_FEED_H
#define GH_APP_AUDIT_FEED_H

#include "identity/audit_log.h"

#define GH_AUDIT_FEED_READERS_MAX 4
#define GH_AUDIT_FEED_PAGE        256

/* `replayed`: it was there before the start. */
typedef void gh_audit_feed_reader(void *context, const struct gh_audit_record *record,
                                  bool replayed);

struct gh_audit_feed {
    const struct gh_identity *identity;
    uint64_t cursor;               /* the last record that was told of */
    uint64_t start_seq;            /* the last one when it began */
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
void gh_audit_feed_add(struct gh_audit_feed *feed, gh_audit_feed_reader *read, void *context);
/* Tells of the next page; *out_more: there may be another. The arena holds one page. */
GH_MUST_USE enum gh_err gh_audit_feed_turn(struct gh_audit_feed *feed, struct gh_arena *arena,
                                           bool *out_more);

#endif
