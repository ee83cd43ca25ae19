/*
 * Kinds of refusals in fixed memory, for tally.c and window.c: what makes two of them alike, and a
 * copy of one that owns its texts.
 */
#ifndef GH_AUDIT_TALLY_ENTRY_H
#define GH_AUDIT_TALLY_ENTRY_H

#include "audit/tally.h"

#define GH_TALLY_TEXT_BYTES                                                                        \
    (GH_TALLY_REASON_MAX + GH_TALLY_DETAIL_MAX + GH_TALLY_CLIENT_MAX + GH_TALLY_ROUTE_MAX +        \
     2 * GH_TALLY_ID_MAX + GH_TALLY_USER_AGENT_MAX + GH_TALLY_REQUEST_ID_MAX)

/* One refusal as a kind with a count of 1; its texts, cut at their bounds, are the caller's. */
struct gh_tally_entry gh_tally_entry_of(const struct gh_refusal *refusal);
/* Of what makes a kind, texts cut. */
uint64_t gh_tally_entry_hash(struct gh_hash_key key, const struct gh_tally_entry *entry);
bool gh_tally_entry_alike(const struct gh_tally_entry *a, const struct gh_tally_entry *b);
/* *out is `from` with its texts in `text`. */
void gh_tally_entry_copy(struct gh_tally_entry *out, char text[GH_TALLY_TEXT_BYTES],
                         const struct gh_tally_entry *from);
/* Adds the counts of one that is alike. Counts stop at the top. */
void gh_tally_entry_add(struct gh_tally_entry *entry, const struct gh_tally_entry *more);
uint64_t gh_tally_sum(uint64_t a, uint64_t b);
/* How many of a table's places somebody may find taken and still get one: the last eighth is for
   people who are signed in. Strangers can have any number of addresses, and would hide others. */
size_t gh_tally_places(size_t places_max, struct gh_str user_id);

#endif
