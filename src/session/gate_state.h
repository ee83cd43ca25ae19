/* The inside of the gate, for gate*.c only. */
#ifndef GH_SESSION_GATE_STATE_H
#define GH_SESSION_GATE_STATE_H

#include "session/gate.h"
#include "session/gate_cache.h"

#define GH_GATE_BUDGET_CLIENTS 1024
#define GH_GATE_BUDGET_WAYS    4

/* Failures of a client since `since_s`, for a minute. */
struct gh_gate_failures {
    uint64_t client, since_s;
    unsigned count; /* 0: free */
};

struct gh_gate {
    const struct gh_revocations *revocations;
    uint64_t epoch;
    struct gh_gate_counts counts;
    struct gh_arena scratch; /* of one verification */
    struct gh_gate_cache verified, forwarded;
    struct gh_gate_failures failures[GH_GATE_BUDGET_CLIENTS];
};

/* Forgets what was made by other rules. */
void gh_gate_follow(struct gh_gate *gate, const struct gh_gate_rules *rules);

/* gate_budget.c */
bool gh_gate_is_over_budget(const struct gh_gate *gate, uint64_t client, uint64_t now_s);
void gh_gate_count_failure(struct gh_gate *gate, uint64_t client, uint64_t now_s);

/* gate_issuer.c: a token of another issuer. The issuer that `token` names, unverified (empty: it
   can't be read); and judging by that one's rules. */
struct gh_str gh_gate_named_issuer(struct gh_arena *arena, struct gh_str token);
enum gh_jwt_status gh_gate_read_foreign(struct gh_arena *arena, struct gh_str token,
                                        const struct gh_gate_issuer *issuer,
                                        const struct gh_gate_rules *rules, uint64_t now_s,
                                        struct gh_access_claims *out_claims);

#endif
