/*
 * Refusals of a minute, on their way from the tallies to the log: the first of a kind is due at
 * once, what else comes within its minute as one more when the minute is over. Time is a parameter.
 *
 * What is due stays until it is said to be written: while the log can't be written, counts grow
 * here, and nothing is lost. Memory is fixed; what finds no place is counted by event, without
 * client and route, and comes in the same rhythm. The counts of all that is ever due add up to the
 * counts that were added.
 *
 * What is not due yet can be saved elsewhere meanwhile, each kind at its place.
 */
#ifndef GH_AUDIT_WINDOW_H
#define GH_AUDIT_WINDOW_H

#include "audit/tally.h"

#define GH_WINDOW_US (60 * UINT64_C(1000000))

struct gh_window;

/* Room for `kinds_max` kinds. NULL without memory. */
struct gh_window *gh_window_new(size_t kinds_max, struct gh_hash_key key);
void gh_window_free(struct gh_window *window); /* NULL is fine */
/*
 * How many new kinds may begin: so many at once, and then so many a second (at most a million).
 * More are counted by event, as what finds no place: a flood of which no two are alike must not
 * cost more than it tells. The last eighth is for people who are signed in.
 */
struct gh_window_pace {
    uint32_t kinds_per_second, kinds_at_once;
};
/* As it begins a window has none. */
void gh_window_set_pace(struct gh_window *window, struct gh_window_pace pace);

/* Adds what was taken of a tally at `now_us`. */
void gh_window_add(struct gh_window *window, const struct gh_tally_taken *taken, uint64_t now_us);

struct gh_window_entry {
    struct gh_tally_entry entry;
    uint32_t place; /* of its kind: no other's until it is written; under gh_window_places */
    bool saved;     /* something of it is, from before */
};
/* How many places there are. */
uint32_t gh_window_places(const struct gh_window *window);

/*
 * What is to be written now, at most `max`: counts of which nothing was written yet. All of them
 * when `all` (the end). Texts live until gh_window_written. An entry with an empty client and
 * reason is what found no place.
 */
size_t gh_window_due(struct gh_window *window, uint64_t now_us, bool all,
                     struct gh_window_entry *out_entries, size_t max);
/* What was due last has been written, and what was saved of it removed. Without this call it is due
   again, and may have grown. */
void gh_window_written(struct gh_window *window, uint64_t now_us);

/* Whole counts that wait and are not saved as they are now, at most `max`. Texts as above. */
size_t gh_window_unsaved(struct gh_window *window, struct gh_window_entry *out_entries, size_t max);
/* What was unsaved when that was asked last has been saved, in the place of what was before. */
void gh_window_saved(struct gh_window *window);

/* What is saved is somebody else's to write, and no part of the counts any more. */
void gh_window_disown_saved(struct gh_window *window);

struct gh_window_state {
    size_t kinds;     /* places in use */
    uint64_t waiting; /* the sum of counts that are not written */
};
struct gh_window_state gh_window_state(const struct gh_window *window);

#endif
