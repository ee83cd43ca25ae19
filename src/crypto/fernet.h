/*
 * Reads Fernet tokens, version 0x80 (github.com/fernet/spec): what an existing system sealed is
 * taken over once. Makes none, and judges no age: here they are values at rest, not tokens of a
 * moment.
 */
#ifndef GH_CRYPTO_FERNET_H
#define GH_CRYPTO_FERNET_H

#include "base/arena.h"

#define GH_FERNET_KEY_BYTES 32 /* the half that signs, then the half that encrypts */

struct gh_fernet_key {
    uint8_t bytes[GH_FERNET_KEY_BYTES];
};

/* Base64url of 32 bytes, with its padding or without. False: it is none. */
bool gh_fernet_key_parse(struct gh_str text, struct gh_fernet_key *out_key);
/* True for what begins like a token and is long enough for one: nothing else that is imported
   does. */
bool gh_fernet_looks_like(struct gh_str text);
/* What the token holds; keys are tried in their order. Authenticity is checked, in constant time,
   before anything is decrypted. ptr NULL: no token, changed, of none of the keys (or the arena is
   full). */
struct gh_str gh_fernet_open(struct gh_arena *arena, const struct gh_fernet_key *keys, size_t count,
                             struct gh_str token);

#endif
