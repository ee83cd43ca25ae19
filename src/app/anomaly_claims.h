/*
 * Which of several processes records what all of them find in one log. The first in line records it
 * at once. The others wait for its record to come by, each longer than the one before it in line,
 * and then record it themselves: whatever the first is, or does, nothing that was found stays
 * unrecorded. A finding is known by a key, the same in all processes for the same finding. Used by
 * one thread; bounded.
 */
#ifndef GH_APP_ANOMALY_CLAIMS_H
#define GH_APP_ANOMALY_CLAIMS_H

#include "audit/record.h"

/* So long a record may be on its way: longer than the feed needs (GH_AUDIT_FEED_SWEEP_US). */
#define GH_ANOMALY_CLAIM_WAIT_US (15 * UINT64_C(1000000))
/* Who is further back in line waits no longer than this one. */
#define GH_ANOMALY_CLAIM_PLACE_MAX 16
/* A record without a finding, or a finding without its record, is remembered for so long. */
#define GH_ANOMALY_CLAIM_KEPT_US (60 * UINT64_C(1000000))
#define GH_ANOMALY_CLAIMS_MAX    256

#define GH_ANOMALY_ACCOUNT_BYTES_MAX  64
#define GH_ANOMALY_METADATA_BYTES_MAX 1024

/* What goes into the log; owns its texts. */
struct gh_anomaly_kept {
    uint64_t time_us;
    unsigned rule; /* enum gh_anomaly_rule */
    size_t account_len, metadata_len;
    char account[GH_ANOMALY_ACCOUNT_BYTES_MAX], metadata[GH_ANOMALY_METADATA_BYTES_MAX];
};

struct gh_anomaly_claims;

struct gh_anomaly_claims *gh_anomaly_claims_new(void);         /* NULL without memory */
void gh_anomaly_claims_free(struct gh_anomaly_claims *claims); /* NULL is fine */

enum gh_anomaly_claim {
    GH_ANOMALY_CLAIM_OURS,  /* record it now */
    GH_ANOMALY_CLAIM_WAITS, /* it comes back by gh_anomaly_claims_due, or was another's after all */
    GH_ANOMALY_CLAIM_THEIRS, /* another process has recorded it */
};
/* Something was found. `place`: in line, 0: the first. */
enum gh_anomaly_claim gh_anomaly_claims_found(struct gh_anomaly_claims *claims, uint64_t key,
                                              unsigned place, uint64_t now_us,
                                              const struct gh_anomaly_kept *kept);
/* This process records it by itself, and its record will come by. */
void gh_anomaly_claims_mine(struct gh_anomaly_claims *claims, uint64_t key, uint64_t now_us);
/* Its record came by. True: it waited here, and is another's. */
bool gh_anomaly_claims_recorded(struct gh_anomaly_claims *claims, uint64_t key, uint64_t now_us);
/* One that has waited for long enough, or whose room is needed: it is ours now. False: none. */
bool gh_anomaly_claims_due(struct gh_anomaly_claims *claims, uint64_t now_us,
                           struct gh_anomaly_kept *out);

#endif
