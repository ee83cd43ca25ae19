/* See gate.h. */
#include "session/gate.h"

#include <stdlib.h>

#include "session/gate_state.h"

/* A verification decodes and parses at most GH_JWT_BYTES_MAX three times over. */
#define SCRATCH_BLOCK_BYTES (32u << 10)
#define SCRATCH_BYTES_MAX   (512u << 10)
/* The end of a token, where its signature is: nobody can make two that are remembered and end
   alike, and whoever knows it knows the token. Hashing all of it costs more than the rest of a
   judgement. */
#define SIGNATURE_BYTES 64

struct gh_gate *gh_gate_new(const struct gh_revocations *revocations, struct gh_hash_key hash_key)
{
    struct gh_gate *gate = calloc(1, sizeof(*gate));
    if (!gate)
        return NULL;
    gate->revocations = revocations;
    gate->verified.hash_key = gate->forwarded.hash_key = hash_key;
    gate->verified.hashed_bytes = SIGNATURE_BYTES;
    gh_arena_init(&gate->scratch, SCRATCH_BLOCK_BYTES, SCRATCH_BYTES_MAX);
    return gate;
}

void gh_gate_free(struct gh_gate *gate)
{
    if (!gate)
        return;
    gh_gate_cache_clear(&gate->verified);
    gh_gate_cache_clear(&gate->forwarded);
    gh_arena_done(&gate->scratch);
    free(gate);
}

void gh_gate_follow(struct gh_gate *gate, const struct gh_gate_rules *rules)
{
    if (gate->epoch == rules->epoch)
        return;
    gh_gate_cache_clear(&gate->verified);
    gh_gate_cache_clear(&gate->forwarded);
    gate->epoch = rules->epoch;
}

/* ---- verifying ---- */

static bool has_public_key(const struct gh_token_key_set *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->keys[i].alg != GH_TOKEN_HS256)
            return true;
    return false;
}

static const struct gh_gate_issuer *find_issuer(const struct gh_gate_rules *rules,
                                                struct gh_str name)
{
    for (size_t i = 0; i < rules->issuer_count; i++)
        if (name.len && gh_str_eq(rules->issuers[i].issuer, name))
            return &rules->issuers[i];
    return NULL;
}

/* By which rules: `issuer` NULL means ours. */
struct judge {
    const struct gh_gate_issuer *issuer;
    const struct gh_token_key_set *keys;
};

/* False: nobody that we trust. Who signed is what verifying tells; here the token only says it. */
static bool choose_judge(struct gh_gate *gate, const struct gh_gate_rules *rules,
                         enum gh_credential kind, struct gh_str token, struct judge *out_judge)
{
    struct judge judge = {.keys = &rules->bearer_keys};
    struct gh_str audience = rules->audience, issuer = rules->issuer;
    if (kind == GH_CREDENTIAL_COOKIE) {
        judge.keys = &rules->cookie_keys;
    } else if (rules->issuer_count) {
        struct gh_str named = gh_gate_named_issuer(&gate->scratch, token);
        judge.issuer = gh_str_eq(named, rules->issuer) ? NULL : find_issuer(rules, named);
        if (!judge.issuer && !gh_str_eq(named, rules->issuer))
            return false;
    }
    if (judge.issuer) {
        judge.keys = judge.issuer->keys;
        audience = judge.issuer->audience;
        issuer = judge.issuer->issuer;
    }
    *out_judge = judge;
    /* An empty one would mean that any will do. */
    return audience.len && issuer.len && judge.keys && judge.keys->count;
}

static enum gh_gate_status status_of(enum gh_jwt_status status)
{
    switch (status) {
    case GH_JWT_OK:
        return GH_GATE_OK;
    case GH_JWT_EXPIRED:
        return GH_GATE_EXPIRED;
    case GH_JWT_MALFORMED:
    case GH_JWT_HEADER:
    case GH_JWT_UNKNOWN_KEY:
    case GH_JWT_SIGNATURE:
    case GH_JWT_NOT_YET:
    case GH_JWT_CLAIMS:
        break;
    }
    return GH_GATE_BAD;
}

static enum gh_jwt_status read_token(struct gh_gate *gate, const struct gh_gate_rules *rules,
                                     const struct judge *judge, struct gh_str token, uint64_t now_s,
                                     struct gh_access_claims *out_claims)
{
    if (judge->issuer)
        return gh_gate_read_foreign(&gate->scratch, token, judge->issuer, rules, now_s, out_claims);
    struct gh_jwt_expect expect = {.keys = judge->keys,
                                   .issuer = rules->issuer,
                                   .audience = rules->audience,
                                   .now_s = now_s,
                                   .leeway_s = rules->leeway_s};
    return gh_access_token_read_claims(&gate->scratch, token, &expect, &rules->roles, out_claims);
}

/* The claims live in gate->scratch. */
static enum gh_gate_status verify(struct gh_gate *gate, const struct gh_gate_rules *rules,
                                  enum gh_credential kind, struct gh_str token, uint64_t client,
                                  uint64_t now_s, struct gh_access_claims *out_claims)
{
    struct judge judge;
    if (token.len > GH_JWT_BYTES_MAX || !choose_judge(gate, rules, kind, token, &judge))
        return GH_GATE_BAD;
    bool costly = has_public_key(judge.keys);
    if (costly && gh_gate_is_over_budget(gate, client, now_s))
        return GH_GATE_BUDGET;
    enum gh_jwt_status status = read_token(gate, rules, &judge, token, now_s, out_claims);
    if (costly && status == GH_JWT_SIGNATURE)
        gh_gate_count_failure(gate, client, now_s);
    gate->counts.verified += status == GH_JWT_OK;
    return status_of(status);
}

/* ---- remembering ---- */

static void remember(struct gh_gate *gate, enum gh_credential kind, struct gh_str token,
                     const struct gh_access_claims *claims)
{
    char *rest;
    struct gh_gate_entry *entry =
        gh_gate_cache_add(&gate->verified, kind, token, gh_subject_bytes(&claims->subject), &rest);
    if (!entry)
        return;
    entry->subject = claims->subject;
    entry->issued_s = claims->issued_s;
    gh_subject_move(&entry->subject, rest);
}

/* Was it made under settings that let tokens live longer? */
static bool has_outlived(const struct gh_gate_rules *rules, const struct gh_subject *subject,
                         uint64_t issued_s, uint64_t now_s)
{
    return rules->access_s && !subject->issuer.len && now_s > issued_s &&
           now_s - issued_s >= rules->access_s + rules->leeway_s;
}

/* What changes with time. */
static enum gh_gate_status check_now(const struct gh_gate *gate, const struct gh_gate_rules *rules,
                                     const struct gh_subject *subject, uint64_t issued_s,
                                     uint64_t now_s)
{
    if (now_s >= subject->expires_s && now_s - subject->expires_s >= rules->leeway_s)
        return GH_GATE_EXPIRED;
    if (has_outlived(rules, subject, issued_s, now_s))
        return GH_GATE_EXPIRED;
    /* By a clock that is ahead of ours a token looks younger than the revocation behind it. */
    uint64_t surely_s = issued_s > rules->leeway_s ? issued_s - rules->leeway_s : 0;
    if (subject->session_id.len &&
        gh_revocations_has(gate->revocations, subject->session_id, surely_s, now_s))
        return GH_GATE_REVOKED;
    return GH_GATE_OK;
}

static bool copy_subject(struct gh_arena *arena, const struct gh_subject *subject,
                         struct gh_subject *out_subject)
{
    char *memory = gh_arena_alloc(arena, gh_subject_bytes(subject));
    if (!memory)
        return false;
    *out_subject = *subject;
    gh_subject_move(out_subject, memory);
    return true;
}

static enum gh_gate_status judge_known(struct gh_gate *gate, struct gh_arena *arena,
                                       const struct gh_gate_rules *rules,
                                       struct gh_gate_entry *entry, uint64_t now_s,
                                       struct gh_subject *out_subject)
{
    gate->counts.hits++;
    enum gh_gate_status status = check_now(gate, rules, &entry->subject, entry->issued_s, now_s);
    if (status != GH_GATE_OK) {
        gh_gate_cache_drop(entry);
        return status;
    }
    return copy_subject(arena, &entry->subject, out_subject) ? GH_GATE_OK : GH_GATE_BAD;
}

static enum gh_gate_status judge_new(struct gh_gate *gate, struct gh_arena *arena,
                                     const struct gh_gate_rules *rules, enum gh_credential kind,
                                     struct gh_str token, uint64_t client, uint64_t now_s,
                                     struct gh_subject *out_subject)
{
    struct gh_access_claims claims;
    enum gh_gate_status status = verify(gate, rules, kind, token, client, now_s, &claims);
    if (status == GH_GATE_OK)
        status = check_now(gate, rules, &claims.subject, claims.issued_s, now_s);
    if (status == GH_GATE_OK && !copy_subject(arena, &claims.subject, out_subject))
        status = GH_GATE_BAD;
    if (status == GH_GATE_OK)
        remember(gate, kind, token, &claims);
    gh_arena_reset(&gate->scratch);
    return status;
}

enum gh_gate_status gh_gate_judge(struct gh_gate *gate, struct gh_arena *arena,
                                  const struct gh_gate_rules *rules, enum gh_credential kind,
                                  struct gh_str token, uint64_t client, uint64_t now_s,
                                  struct gh_subject *out_subject)
{
    enum gh_gate_status status;
    gh_gate_follow(gate, rules);
    struct gh_gate_entry *known = gh_gate_cache_find(&gate->verified, kind, token);
    if (known)
        status = judge_known(gate, arena, rules, known, now_s, out_subject);
    else
        status = judge_new(gate, arena, rules, kind, token, client, now_s, out_subject);
    gate->counts.refused += status != GH_GATE_OK;
    return status;
}

bool gh_gate_is_blind(const struct gh_gate *gate, uint64_t now_ms)
{
    return !gh_revocations_is_current(gate->revocations, now_ms);
}

struct gh_gate_counts gh_gate_counts(const struct gh_gate *gate)
{
    return gate->counts;
}
