/*
 * The gate: is this credential one of ours (or of an issuer that we trust), and whose? Asked for
 * every request with a cookie or bearer token; keeps verified tokens in a small cache per worker.
 */
#ifndef GH_SESSION_GATE_H
#define GH_SESSION_GATE_H

#include "session/access_token.h"
#include "session/revocation.h"

struct gh_gate_issuer {
    struct gh_str issuer, audience;
    const struct gh_token_key_set *keys; /* fetched by the app; NULL: not yet */
    uint32_t algorithms;                 /* bit 1 << enum gh_token_alg */
    struct gh_str roles_claim;           /* empty: such subjects have no roles */
};
/* Of another issuer's token the subject gets: sub; roles from the named claim (a list, or a text
   of names with spaces between); email only with `email_verified`; two_factor from `amr` ("mfa", or
   "pwd" and "otp"; RFC 8176); authenticated_s from `auth_time`. */

/* What tokens are judged by; frozen, swapped whole when keys rotate or the configuration changes,
   counted. Made by the app from the key ring and the settings. */
struct gh_gate_rules {
    struct gh_token_key_set cookie_keys; /* HS256; the first signs */
    struct gh_token_key_set bearer_keys; /* the ring; the first signs */
    struct gh_role_names roles;
    struct gh_str issuer, audience; /* ours */
    const struct gh_gate_issuer *issuers;
    size_t issuer_count;
    unsigned leeway_s; /* what the clocks of those who issue may be ahead of ours, or behind */
    /* No token of ours is good for longer after it was issued, whatever it says: revocations are
       kept for as long as tokens live by the settings of now. 0: as it says. */
    uint64_t access_s;
    uint64_t epoch; /* another value empties the caches */
};

struct gh_gate; /* one per worker, not shared between threads */

/* `revocations` is shared by all gates. NULL without memory. */
struct gh_gate *gh_gate_new(const struct gh_revocations *revocations, struct gh_hash_key hash_key);
void gh_gate_free(struct gh_gate *gate);

enum gh_credential { GH_CREDENTIAL_COOKIE, GH_CREDENTIAL_BEARER };

enum gh_gate_status {
    GH_GATE_OK,
    GH_GATE_BAD, /* malformed, forged, of another audience, ... */
    GH_GATE_EXPIRED,
    GH_GATE_REVOKED,
    GH_GATE_BUDGET, /* this client made too many signatures fail lately (not looked at) */
};

/*
 * Judges `token`: a cookie's by the cookie keys only, a bearer's by the ring or by the keys of the
 * issuer that it names. On OK *out_subject points into `arena`. Verified tokens are remembered
 * (1,024 of up to 4 KiB); expiry and revocation are looked at every time. Rules without an issuer,
 * an audience or keys let nothing in. `client` (a hash of the client's address) has a budget of
 * failed public-key verifications: 20 a minute.
 */
enum gh_gate_status gh_gate_judge(struct gh_gate *gate, struct gh_arena *arena,
                                  const struct gh_gate_rules *rules, enum gh_credential kind,
                                  struct gh_str token, uint64_t client, uint64_t now_s,
                                  struct gh_subject *out_subject);

/*
 * A bearer token for the backend that speaks for `subject`: 120 seconds long, `aud` the
 * configured audience, signed by the ring; one made under 60 seconds ago for the same subject is
 * given again. Its typ is "JWT", so that nobody gets in here with it; whom another issuer vouches
 * for has `sub_id` in it (RFC 9493, "iss_sub"). ptr NULL: out of memory, or no key to sign with.
 */
struct gh_str gh_gate_forward_token(struct gh_gate *gate, struct gh_arena *arena,
                                    const struct gh_gate_rules *rules,
                                    const struct gh_subject *subject, uint64_t now_s);

/* True: sessions that ended elsewhere may still pass: nobody who needs a session may be let in. */
bool gh_gate_is_blind(const struct gh_gate *gate, uint64_t now_ms);

struct gh_gate_counts {
    uint64_t hits, verified, refused;
};
struct gh_gate_counts gh_gate_counts(const struct gh_gate *gate);

#endif
