/*
 * JSON Web Tokens in compact form (RFC 7515, 7519, and the advice of RFC 8725). The algorithm is
 * the key's, never the token's; `crit`, `b64`, `jku`, `jwk`, `x5u`, `x5c` in the header, repeated
 * members, JSON serialisation and encryption are refused.
 */
#ifndef GH_TOKEN_JWT_H
#define GH_TOKEN_JWT_H

#include "token/key.h"

#define GH_JWT_BYTES_MAX 8192

enum gh_jwt_status {
    GH_JWT_OK,
    GH_JWT_MALFORMED,   /* not three parts of base64url over strict JSON, too long, ... */
    GH_JWT_HEADER,      /* alg, typ or a header member that we refuse */
    GH_JWT_UNKNOWN_KEY, /* no key of that kid (or several keys and no kid) */
    GH_JWT_SIGNATURE,
    GH_JWT_EXPIRED,
    GH_JWT_NOT_YET, /* nbf or iat in the future */
    GH_JWT_CLAIMS,  /* iss, aud, sub, exp missing, of a wrong type or another's */
};
struct gh_str gh_jwt_status_text(enum gh_jwt_status status);

struct gh_jwt_expect {
    const struct gh_token_key_set *keys;
    struct gh_str typ;      /* "at+jwt" ("application/at+jwt" is the same); empty: any or none */
    struct gh_str issuer;   /* empty: not looked at */
    struct gh_str audience; /* one of the token's; empty: not looked at */
    uint64_t now_s;
    unsigned leeway_s; /* for exp, nbf, iat */
    bool require_exp;
};

struct gh_jwt {
    const struct gh_token_key *key;
    struct gh_json_doc header, claims; /* objects */
    struct gh_str subject;             /* empty: none */
    int64_t issued_s, expires_s;       /* 0: none */
};

/* Checks everything in `expect`; *out_jwt lives in `arena` and is set on OK only. */
enum gh_jwt_status gh_jwt_verify(struct gh_arena *arena, struct gh_str token,
                                 const struct gh_jwt_expect *expect, struct gh_jwt *out_jwt);

/* Signs `claims` (a JSON object's text) under `key`; typ and kid go into the header when they are
   not empty. ptr NULL: the arena is full, or the key can't sign. */
struct gh_str gh_jwt_sign(struct gh_arena *arena, const struct gh_token_key *key, struct gh_str typ,
                          struct gh_str claims);

#endif
