/* Entries of a stream that were refused and are tried again after a pause that doubles. Bounded. */
#ifndef GH_STORE_STREAM_TRIALS_H
#define GH_STORE_STREAM_TRIALS_H

#include "store/stream_sink.h"

#define GH_STREAM_TRIALS_MAX 512
/* The longest pause before the next try. */
#define GH_STREAM_TRIAL_PAUSE_MAX_MS 4000

struct gh_stream_trials {
    struct {
        struct gh_stream_id id;
        unsigned tries;
        uint64_t due_ms;
    } items[GH_STREAM_TRIALS_MAX];
    size_t count;
};

/* It was refused at `now_ms`; returns how often by now; 0: there is no room to remember it. */
unsigned gh_stream_trials_note(struct gh_stream_trials *trials, struct gh_stream_id id,
                               uint64_t now_ms);
void gh_stream_trials_forget(struct gh_stream_trials *trials, struct gh_stream_id id);
/* One that was never refused is due. */
bool gh_stream_trials_is_due(const struct gh_stream_trials *trials, struct gh_stream_id id,
                             uint64_t now_ms);
bool gh_stream_trials_any_due(const struct gh_stream_trials *trials, uint64_t now_ms);
/* Forgets those that were due at `ms` and are still. */
void gh_stream_trials_drop(struct gh_stream_trials *trials, uint64_t ms);
/* There may be no room for those of one more batch. */
bool gh_stream_trials_are_full(const struct gh_stream_trials *trials);

#endif
