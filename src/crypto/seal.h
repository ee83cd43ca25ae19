/*
 * Authenticated encryption: XChaCha20-Poly1305 with a random nonce (draft-irtf-cfrg-xchacha).
 * A sealed text is nonce (24 bytes), ciphertext, tag (16 bytes).
 */
#ifndef GH_CRYPTO_SEAL_H
#define GH_CRYPTO_SEAL_H

#include "base/arena.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define GH_SEAL_OVERHEAD 40

/* `context` is authenticated, not stored: it binds the text to its place (table, column, row).
   ptr NULL: the arena is full. */
struct gh_str gh_seal(struct gh_arena *arena, const struct gh_random *random,
                      const uint8_t key[GH_KEY_BYTES], struct gh_str context, struct gh_str plain);
/* ptr NULL: too short, changed, of another key or context (or the arena is full). */
struct gh_str gh_unseal(struct gh_arena *arena, const uint8_t key[GH_KEY_BYTES],
                        struct gh_str context, struct gh_str sealed);

#endif
