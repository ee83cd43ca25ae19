/*
 * Keys of tokens: one algorithm, one id, one secret or key pair; JSON Web Keys (RFC 7517, 7518
 * section 6, RFC 8037); and sets of them.
 */
#ifndef GH_TOKEN_KEY_H
#define GH_TOKEN_KEY_H

#include "base/buf.h"
#include "crypto/hash.h"
#include "crypto/pkey.h"
#include "json/parse.h"

enum gh_token_alg { GH_TOKEN_EDDSA, GH_TOKEN_ES256, GH_TOKEN_RS256, GH_TOKEN_HS256 };
#define GH_TOKEN_ALG_COUNT 4
/* "EdDSA", ...; and back (false: none of ours). */
struct gh_str gh_token_alg_name(enum gh_token_alg alg);
bool gh_token_alg_parse(struct gh_str name, enum gh_token_alg *out_alg);

#define GH_TOKEN_KID_BYTES_MAX 64

struct gh_token_key {
    enum gh_token_alg alg;
    struct gh_str kid;    /* empty: none */
    struct gh_pkey *pkey; /* all but HS256; borrowed by verify and sign */
    struct gh_str secret; /* HS256: at least 32 bytes */
};

/* A set that tokens are verified with; keys of other uses and algorithms were left out. */
struct gh_token_key_set {
    const struct gh_token_key *keys;
    size_t count;
};

#define GH_TOKEN_SET_KEYS_MAX 64

/*
 * Reads one JWK. False: not a key that we use (another kty, use, key_ops or alg; a private member
 * in a key that should be public; a bad number; a kid over 64 bytes). HS256 keys ("oct") only where
 * `allow_secret`. On success the caller owns out_key->pkey.
 */
bool gh_jwk_parse(struct gh_arena *arena, const struct gh_json_doc *doc,
                  const struct gh_json_value *jwk, bool allow_secret, struct gh_token_key *out_key);
/* A JWK set as another issuer publishes it: public keys that we can use; others are passed over.
   False: not a key set, or repeated kids. The caller releases by gh_token_key_set_done. */
bool gh_jwks_parse(struct gh_arena *arena, struct gh_str text, struct gh_token_key_set *out_set);
void gh_token_key_set_done(struct gh_token_key_set *set);

/* {"keys":[...]} of the public halves, with use, alg and kid; HS256 keys are left out. */
void gh_jwks_put(struct gh_buf *buf, struct gh_arena *arena, const struct gh_token_key_set *set);
/* The key's thumbprint (RFC 7638), base64url: our kids. ptr NULL: arena full. */
struct gh_str gh_jwk_thumbprint(struct gh_arena *arena, const struct gh_pkey *pkey);

#endif
