/*
 * What a second place is still to be brought of the log: stretches of its chains, one behind
 * another. What comes twice is brought once, and nothing that was added is left out. Not locked.
 */
#ifndef GH_APP_AUDIT_STRETCHES_H
#define GH_APP_AUDIT_STRETCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The chain is written by this process: it has no end yet. */
#define GH_AUDIT_STRETCH_OPEN UINT64_MAX
/* So many that do not touch are kept apart; with more, what lies between comes, too. */
#define GH_AUDIT_STRETCHES_APART_MAX 1024

struct gh_audit_stretch {
    uint32_t chain;
    uint64_t from;    /* behind this record it began */
    uint64_t after;   /* delivered through this one */
    uint64_t through; /* its last one, or GH_AUDIT_STRETCH_OPEN */
};

/* Zeroed: nothing. At most one is open. */
struct gh_audit_stretches {
    struct gh_audit_stretch *items;
    size_t count, room;
};

void gh_audit_stretches_done(struct gh_audit_stretches *stretches);
/* Adds the records behind `after`. An open one where none is open (gh_audit_stretches_end). False:
   no memory, and nothing changed. */
bool gh_audit_stretches_add(struct gh_audit_stretches *stretches, uint32_t chain, uint64_t after,
                            uint64_t through);
/* The one that is open has its last record. */
void gh_audit_stretches_end(struct gh_audit_stretches *stretches, uint64_t through);
/* NULL: none is. */
const struct gh_audit_stretch *gh_audit_stretches_open(const struct gh_audit_stretches *stretches);
/* The one to go on with; `count`: there is none. Those that have an end come first: they would wait
   for ever behind one that grows faster than it is delivered. */
size_t gh_audit_stretches_next(const struct gh_audit_stretches *stretches);
void gh_audit_stretches_remove(struct gh_audit_stretches *stretches, size_t index);
/* Puts a copy of `from` into an empty list. False: no memory. */
bool gh_audit_stretches_copy(struct gh_audit_stretches *to, const struct gh_audit_stretches *from);

#endif
