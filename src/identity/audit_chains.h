/*
 * The chains of the audit log (store.h), and how far somebody has read each of them: for those who
 * go on where they stopped. A text for people and for the next call: "1:532,2:77".
 */
#ifndef GH_IDENTITY_AUDIT_CHAINS_H
#define GH_IDENTITY_AUDIT_CHAINS_H

#include "identity/store.h"

/* The chains as they are now, by number, in `arena`; in a reading unit of its own. */
GH_MUST_USE enum gh_err gh_audit_chains_read(struct gh_store *store, struct gh_arena *arena,
                                             struct gh_audit_chain **out_chains, size_t *out_count);
/* In a unit: the number of the chain that it speaks of (tx->chain, or the one that this process
   writes). GH_ERR_NOT_FOUND: it writes none. */
GH_MUST_USE enum gh_err gh_audit_chain_of_unit(struct gh_tx *tx, uint32_t *out_chain);

/* A chain was read through `seq`; 0: nothing of it. */
struct gh_audit_cursor {
    uint32_t chain;
    uint64_t seq;
};
struct gh_audit_cursors {
    struct gh_audit_cursor *items; /* by chain */
    size_t count;
};
/* What a cursor's text takes at most, and that of all of them with its NUL. */
#define GH_AUDIT_CURSOR_LEN             31
#define GH_AUDIT_CURSORS_BYTES_MAX(max) ((max) * (GH_AUDIT_CURSOR_LEN + 1) + 1)

/* Of a chain that is not among them: 0. */
uint64_t gh_audit_cursor_of(const struct gh_audit_cursors *cursors, uint32_t chain);
/* "1:532,2:77". Nothing where there are none. */
void gh_audit_cursors_put(struct gh_buf *buf, const struct gh_audit_cursors *cursors);
/* Reads such a text, chains in order, each once; a number alone is of chain 1. Items live in
   `arena`. False: another text, more than `max` of them, or no memory. */
bool gh_audit_cursors_parse(struct gh_arena *arena, struct gh_str text, size_t max,
                            struct gh_audit_cursors *out);

#endif
