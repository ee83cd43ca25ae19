/*
 * JSON Web Signatures in compact form (RFC 7515 section 7.1): what is below the claims of a JWT.
 * The payload is any bytes.
 */
#ifndef GH_TOKEN_JWS_H
#define GH_TOKEN_JWS_H

#include "token/jwt.h"

struct gh_jws {
    const struct gh_token_key *key;
    struct gh_json_doc header; /* an object */
    struct gh_str payload;
};

/* As gh_jwt_verify, without claims: MALFORMED, HEADER, UNKNOWN_KEY, SIGNATURE or OK. `typ` as in
   struct gh_jwt_expect. */
enum gh_jwt_status gh_jws_verify(struct gh_arena *arena, struct gh_str token,
                                 const struct gh_token_key_set *keys, struct gh_str typ,
                                 struct gh_jws *out_jws);

/* As gh_jwt_sign, over any bytes. */
struct gh_str gh_jws_sign(struct gh_arena *arena, const struct gh_token_key *key, struct gh_str typ,
                          struct gh_str payload);

#endif
