#include "store/stream_trials.h"

#define PAUSE_MIN_MS 500u
#define SHIFT_MAX    16
#define BATCH_ROOM   256

static size_t find(const struct gh_stream_trials *trials, struct gh_stream_id id)
{
    size_t i = 0;
    while (i < trials->count &&
           (trials->items[i].id.ms != id.ms || trials->items[i].id.seq != id.seq))
        i++;
    return i;
}

unsigned gh_stream_trials_note(struct gh_stream_trials *trials, struct gh_stream_id id,
                               uint64_t now_ms)
{
    size_t i = find(trials, id);
    if (i == trials->count) {
        if (trials->count == GH_STREAM_TRIALS_MAX)
            return 0;
        trials->items[trials->count].id = id;
        trials->items[trials->count++].tries = 0;
    }
    unsigned tries = trials->items[i].tries++;
    uint64_t pause_ms = (uint64_t)PAUSE_MIN_MS << (tries < SHIFT_MAX ? tries : SHIFT_MAX);
    trials->items[i].due_ms =
        now_ms +
        (pause_ms < GH_STREAM_TRIAL_PAUSE_MAX_MS ? pause_ms : GH_STREAM_TRIAL_PAUSE_MAX_MS);
    return tries + 1;
}

void gh_stream_trials_forget(struct gh_stream_trials *trials, struct gh_stream_id id)
{
    size_t i = find(trials, id);
    if (i < trials->count)
        trials->items[i] = trials->items[--trials->count];
}

bool gh_stream_trials_is_due(const struct gh_stream_trials *trials, struct gh_stream_id id,
                             uint64_t now_ms)
{
    size_t i = find(trials, id);
    return i == trials->count || trials->items[i].due_ms <= now_ms;
}

bool gh_stream_trials_any_due(const struct gh_stream_trials *trials, uint64_t now_ms)
{
    for (size_t i = 0; i < trials->count; i++)
        if (trials->items[i].due_ms <= now_ms)
            return true;
    return false;
}

void gh_stream_trials_drop(struct gh_stream_trials *trials, uint64_t ms)
{
    for (size_t i = trials->count; i-- > 0;)
        if (trials->items[i].due_ms <= ms)
            trials->items[i] = trials->items[--trials->count];
}

bool gh_stream_trials_are_full(const struct gh_stream_trials *trials)
{
    return trials->count + BATCH_ROOM > GH_STREAM_TRIALS_MAX;
}
