/*
 * How old each key is, and when it is due to be replaced: for `secrets status`, cron and reviews.
 */
#ifndef GH_IDENTITY_SECRET_STATUS_H
#define GH_IDENTITY_SECRET_STATUS_H

#include "identity/vault.h"

/* What a secret is for: as secret_rotated names it. */
enum gh_secret_purpose {
    GH_SECRET_ROOT,    /* wraps all others; not stored */
    GH_SECRET_FIELD,   /* seals values */
    GH_SECRET_INDEX,   /* finds values; never changes */
    GH_SECRET_COOKIE,  /* signs access cookies */
    GH_SECRET_SIGNING, /* signs tokens that leave us */
    GH_SECRET_AUDIT,   /* signs checkpoints of the audit log */
};
const char *gh_secret_purpose_name(enum gh_secret_purpose purpose);

struct gh_secret_state {
    enum gh_secret_purpose purpose;
    struct gh_str name; /* kid, or the number of a field key; empty: it has none */
    uint64_t since_us;  /* the root: since what is stored was wrapped under it */
    uint64_t due_us;    /* 0: never */
    bool retired;       /* opens or verifies, makes nothing new */
    bool overdue;
};

struct gh_secret_schedule {
    uint64_t rotate_after_us; /* secrets.rotate_after */
    uint64_t tokens_after_us; /* identity.tokens.rotate_after: a running gateway does that itself */
};

struct gh_secret_status {
    struct gh_secret_state *secrets; /* by purpose; of each the oldest first */
    size_t count, overdue;
    /* The field key is older than the root: `secrets rotate` has not come to its end, or has not
       been given after the new root. */
    bool unfinished;
};
/* All in `arena`. */
GH_MUST_USE enum gh_err gh_secret_status(const struct gh_vault *vault, struct gh_store *store,
                                         const struct gh_secret_schedule *schedule, uint64_t now_us,
                                         struct gh_arena *arena,
                                         struct gh_secret_status *out_status);

#endif
