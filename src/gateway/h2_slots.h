/*
 * Slots that a worker lends to its HTTP/2 connections, of whole pages: what of a slot is not
 * touched costs nothing. No slot is on a huge page, which would be touched as a whole.
 */
#ifndef GH_GATEWAY_H2_SLOTS_H
#define GH_GATEWAY_H2_SLOTS_H

struct gh_h2_slots;

/* Used by one thread. NULL: no memory. */
struct gh_h2_slots *gh_h2_slots_open(void);
/* When all are back. */
void gh_h2_slots_close(struct gh_h2_slots *slots);
/* GH_H2_SLOT_BYTES with anything in them; NULL: no memory. */
void *gh_h2_slots_take(struct gh_h2_slots *slots);
/* NULL is allowed. */
void gh_h2_slots_give(struct gh_h2_slots *slots, void *slot);

#endif
