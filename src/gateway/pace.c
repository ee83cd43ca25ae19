#include "gateway/pace.h"

/* A body must average limits.body_rate_min from this age on. */
#define RATE_GRACE_MS 10000

void gh_body_pace_begin(struct gh_body_pace *pace, uint64_t now_ms)
{
    *pace = (struct gh_body_pace){.started_ms = now_ms, .looked_ms = now_ms, .progress_ms = now_ms};
}

bool gh_body_pace_is_stalled(struct gh_body_pace *pace, const struct gh_limits_settings *limits,
                             uint64_t now_ms, uint64_t bytes_in, bool ours)
{
    uint64_t since_ms = now_ms - pace->looked_ms;
    pace->looked_ms = now_ms;
    if (ours) {
        pace->started_ms += since_ms; /* nor does it count for the average */
        pace->progress_ms = now_ms;
        return false;
    }
    if (bytes_in != pace->seen) {
        pace->seen = bytes_in;
        pace->progress_ms = now_ms;
    }
    uint64_t age_ms = now_ms - pace->started_ms;
    if (now_ms - pace->progress_ms >= limits->body_timeout_ms)
        return true;
    return limits->body_rate_min && age_ms > RATE_GRACE_MS &&
           bytes_in / (age_ms / 1000) < limits->body_rate_min;
}

bool gh_output_pace_is_stalled(struct gh_output_pace *pace, const struct gh_limits_settings *limits,
                               uint64_t now_ms, size_t queued, uint64_t taken)
{
    if (queued == 0 || taken != pace->taken || pace->since_ms == 0) {
        pace->taken = taken;
        pace->since_ms = queued ? now_ms : 0;
        return false;
    }
    return now_ms - pace->since_ms >= limits->body_timeout_ms;
}

void gh_link_pace_begin(struct gh_link_pace *pace, uint64_t now_ms, uint64_t sent)
{
    *pace = (struct gh_link_pace){.started_ms = now_ms, .sent_at_start = sent, .sent = sent};
}

bool gh_link_pace_is_moving(struct gh_link_pace *pace, const struct gh_limits_settings *limits,
                            uint64_t now_ms, uint64_t sent)
{
    bool any = sent != pace->sent;
    pace->sent = sent;
    uint64_t age_ms = now_ms - pace->started_ms;
    if (age_ms >= limits->body_timeout_ms && age_ms >= 1000) {
        pace->slow = (sent - pace->sent_at_start) / (age_ms / 1000) < limits->body_rate_min;
        pace->started_ms = now_ms;
        pace->sent_at_start = sent;
    }
    return any && !pace->slow;
}
