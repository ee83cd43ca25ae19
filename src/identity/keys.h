/*
 * The keys that tokens are signed with: the secret of access cookies, and the ring of key pairs for
 * tokens that leave us. Pairs rotate on schedule: a new one is published 10 minutes before it
 * signs, an old one verifies for an access token's life and a day longer.
 */
#ifndef GH_IDENTITY_KEYS_H
#define GH_IDENTITY_KEYS_H

#include "identity/settings.h"
#include "identity/vault.h"

struct gh_identity_keys {
    struct gh_token_key_set cookie; /* HS256; the first signs */
    struct gh_token_key_set ring;   /* the first signs; all verify and stand in the JWKS */
    bool changed;                   /* maintain made or dropped one */
};

/*
 * Makes what is missing or due, drops what is over, and gives the keys of this moment in `arena`
 * (released by gh_identity_keys_done). `ring_alg` is settings->tokens.algorithm; with HS256 the
 * ring holds secrets and its JWKS is empty. Audits secret_rotated.
 */
GH_MUST_USE enum gh_err gh_identity_keys_maintain(struct gh_store *store,
                                                  const struct gh_vault *vault,
                                                  const struct gh_identity_settings *settings,
                                                  const struct gh_random *random, uint64_t now_us,
                                                  struct gh_arena *arena,
                                                  struct gh_identity_keys *out_keys);
void gh_identity_keys_done(struct gh_identity_keys *keys);

/* Makes the next cookie secret and the next pair before they are due: from the next maintain on
   they are published, and they sign ten minutes later. One that already waits to sign stays the
   next. Audits. `arena`: for work. */
GH_MUST_USE enum gh_err gh_identity_keys_rotate(struct gh_store *store,
                                                const struct gh_vault *vault,
                                                const struct gh_identity_settings *settings,
                                                const struct gh_random *random, uint64_t now_us,
                                                struct gh_arena *arena, bool *out_made);
/* The same keys in the same order: nobody need be told of `b` who knows `a`. */
bool gh_identity_keys_are_same(const struct gh_identity_keys *a, const struct gh_identity_keys *b);

/* Another value says that the store's keys, of any purpose, are others than before: by which a
   process looks each second for what another has made. `arena`: for work. */
GH_MUST_USE enum gh_err gh_identity_keys_digest(struct gh_store *store, struct gh_arena *arena,
                                                uint8_t out[GH_SHA256_BYTES]);

#define GH_IDENTITY_KEYS_PUBLISH_US (10 * 60 * 1000000ull)

#endif
