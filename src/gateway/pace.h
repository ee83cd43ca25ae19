/*
 * Whether a client keeps pace: with the body that it sends, and with the answers that it takes.
 * Arithmetic over what the connection has counted; the clock and the settings are given.
 */
#ifndef GH_GATEWAY_PACE_H
#define GH_GATEWAY_PACE_H

#include "policy/settings.h"

/* Of a request's body on its way in. */
struct gh_body_pace {
    uint64_t started_ms; /* without the time in which it was us who took nothing */
    uint64_t looked_ms, progress_ms;
    uint64_t seen; /* its bytes at progress_ms */
};

/* Of bytes on their way out. */
struct gh_output_pace {
    uint64_t since_ms; /* since when nothing of them was taken; 0: some was, or there are none */
    uint64_t taken;    /* in all, at the last look */
};

/* Of all that leaves a connection on which many answers wait for their turn. */
struct gh_link_pace {
    uint64_t started_ms, sent_at_start; /* of the stretch of time that is being measured */
    uint64_t sent;                      /* in all, at the last look */
    bool slow;                          /* the stretch before was */
};

void gh_body_pace_begin(struct gh_body_pace *pace, uint64_t now_ms);
/* True when the body has stopped coming for limits.body_timeout, or comes too slowly to be honest.
   `ours`: it is us who take none of it. */
bool gh_body_pace_is_stalled(struct gh_body_pace *pace, const struct gh_limits_settings *limits,
                             uint64_t now_ms, uint64_t bytes_in, bool ours);
/* True when nothing of `queued` bytes was taken for limits.body_timeout. `taken` in all: what is
   queued may be as much as before, and not the same. */
bool gh_output_pace_is_stalled(struct gh_output_pace *pace, const struct gh_limits_settings *limits,
                               uint64_t now_ms, size_t queued, uint64_t taken);
void gh_link_pace_begin(struct gh_link_pace *pace, uint64_t now_ms, uint64_t sent);
/*
 * True when some of the `sent` bytes have left since the last look, and on average of each
 * limits.body_timeout as many as a link must carry (limits.body_rate_min): a client that opens its
 * window for a byte now and then is none.
 */
bool gh_link_pace_is_moving(struct gh_link_pace *pace, const struct gh_limits_settings *limits,
                            uint64_t now_ms, uint64_t sent);

#endif
