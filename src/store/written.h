/*
 * Where one process has written the log, for adapters: the chains that it took, one after another,
 * and what it put into those that it does not hold (gh_audit_written). Not locked.
 */
#ifndef GH_STORE_WRITTEN_H
#define GH_STORE_WRITTEN_H

#include "identity/store.h"

struct gh_written {
    struct gh_audit_own own;
    uint64_t number; /* of the last item that came */
    struct gh_audit_written items[GH_AUDIT_WRITTEN_MAX];
    size_t count;
};

/* It took the chain, whose last record was this one. The one that it had last goes on. */
void gh_written_take(struct gh_written *written, uint32_t chain, uint64_t last_seq);
/* It wrote this of a chain that it does not hold. */
void gh_written_add(struct gh_written *written, uint32_t chain, uint64_t after_seq,
                    uint64_t through_seq);
/* Those behind that number, as audit_written; the rows live in `arena`. */
GH_MUST_USE enum gh_err gh_written_since(const struct gh_written *written, uint64_t number,
                                         struct gh_arena *arena, struct gh_audit_written **out_rows,
                                         size_t *out_count);

#endif
