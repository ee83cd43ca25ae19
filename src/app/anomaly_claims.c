#include "app/anomaly_claims.h"

#include <stdlib.h>

enum state {
    FREE,
    WAITS, /* found here, and not seen in the log yet */
    MINE,  /* to be recorded here, and not seen in the log yet */
    SEEN,  /* seen in the log, and not found here yet */
};

struct claim {
    enum state state;
    uint64_t key, since_us, for_us;
    struct gh_anomaly_kept kept; /* of WAITS */
};

struct gh_anomaly_claims {
    struct claim items[GH_ANOMALY_CLAIMS_MAX];
    size_t waiting;
};

struct gh_anomaly_claims *gh_anomaly_claims_new(void)
{
    return calloc(1, sizeof(struct gh_anomaly_claims));
}

void gh_anomaly_claims_free(struct gh_anomaly_claims *claims)
{
    free(claims);
}

/* Or the clock went back. */
static bool is_over(const struct claim *claim, uint64_t now_us)
{
    return now_us < claim->since_us || now_us - claim->since_us >= claim->for_us;
}

static struct claim *find(struct gh_anomaly_claims *claims, enum state state, uint64_t key)
{
    for (size_t i = 0; i < GH_ANOMALY_CLAIMS_MAX; i++)
        if (claims->items[i].state == state && claims->items[i].key == key)
            return &claims->items[i];
    return NULL;
}

static void give_back(struct gh_anomaly_claims *claims, struct claim *claim)
{
    claims->waiting -= claim->state == WAITS;
    claim->state = FREE;
}

/* Free, or the oldest of those that only remember something. NULL: all wait. */
static struct claim *make_room(struct gh_anomaly_claims *claims, uint64_t now_us)
{
    struct claim *oldest = NULL;
    for (size_t i = 0; i < GH_ANOMALY_CLAIMS_MAX; i++) {
        struct claim *claim = &claims->items[i];
        if (claim->state == FREE || (claim->state != WAITS && is_over(claim, now_us)))
            return claim;
        if (claim->state != WAITS && (!oldest || claim->since_us < oldest->since_us))
            oldest = claim;
    }
    return oldest;
}

static bool put(struct gh_anomaly_claims *claims, enum state state, uint64_t key, uint64_t now_us,
                uint64_t for_us, const struct gh_anomaly_kept *kept)
{
    struct claim *claim = make_room(claims, now_us);
    if (!claim)
        return false;
    claim->state = state;
    claim->key = key;
    claim->since_us = now_us;
    claim->for_us = for_us;
    if (kept)
        claim->kept = *kept;
    claims->waiting += state == WAITS;
    return true;
}

enum gh_anomaly_claim gh_anomaly_claims_found(struct gh_anomaly_claims *claims, uint64_t key,
                                              unsigned place, uint64_t now_us,
                                              const struct gh_anomaly_kept *kept)
{
    struct claim *seen = find(claims, SEEN, key);
    bool is_fresh = seen && !is_over(seen, now_us);
    if (seen)
        give_back(claims, seen);
    if (is_fresh)
        return GH_ANOMALY_CLAIM_THEIRS;
    if (place > GH_ANOMALY_CLAIM_PLACE_MAX)
        place = GH_ANOMALY_CLAIM_PLACE_MAX;
    if (place && put(claims, WAITS, key, now_us, place * GH_ANOMALY_CLAIM_WAIT_US, kept))
        return GH_ANOMALY_CLAIM_WAITS;
    gh_anomaly_claims_mine(claims, key, now_us);
    return GH_ANOMALY_CLAIM_OURS;
}

void gh_anomaly_claims_mine(struct gh_anomaly_claims *claims, uint64_t key, uint64_t now_us)
{
    (void)put(claims, MINE, key, now_us, GH_ANOMALY_CLAIM_KEPT_US, NULL);
}

/* Whoever's it is: a process that waits does not mind which of the others was faster. */
bool gh_anomaly_claims_recorded(struct gh_anomaly_claims *claims, uint64_t key, uint64_t now_us)
{
    struct claim *mine = find(claims, MINE, key);
    if (mine) {
        give_back(claims, mine);
        return false;
    }
    struct claim *waits = find(claims, WAITS, key);
    if (waits)
        give_back(claims, waits);
    else
        (void)put(claims, SEEN, key, now_us, GH_ANOMALY_CLAIM_KEPT_US, NULL);
    return waits;
}

bool gh_anomaly_claims_due(struct gh_anomaly_claims *claims, uint64_t now_us,
                           struct gh_anomaly_kept *out)
{
    for (size_t i = 0; claims->waiting && i < GH_ANOMALY_CLAIMS_MAX; i++) {
        struct claim *claim = &claims->items[i];
        if (claim->state != WAITS || !is_over(claim, now_us))
            continue;
        *out = claim->kept;
        give_back(claims, claim);
        gh_anomaly_claims_mine(claims, claim->key, now_us);
        return true;
    }
    return false;
}
