/* Hashes, MACs, derived keys, and what goes with secrets: comparing and wiping. */
#ifndef GH_CRYPTO_HASH_H
#define GH_CRYPTO_HASH_H

#include "base/str.h"

#define GH_SHA256_BYTES 32
#define GH_KEY_BYTES    32 /* of symmetric keys */

/* Must be called once before anything of crypto/ is used; aborts when the library is unusable. */
void gh_crypto_init(void);

void gh_sha256(struct gh_str data, uint8_t out[GH_SHA256_BYTES]);
/* For what others have defined with it (range APIs of breached passwords); never for our own. */
#define GH_SHA1_BYTES 20
void gh_sha1(struct gh_str data, uint8_t out[GH_SHA1_BYTES]);
void gh_hmac_sha256(struct gh_str key, struct gh_str data, uint8_t out[GH_SHA256_BYTES]);
/* HKDF-Expand with SHA-256 (RFC 5869 section 2.3); `label` names the use: one label, one use. */
void gh_derive_key(const uint8_t key[GH_KEY_BYTES], struct gh_str label, uint8_t out[GH_KEY_BYTES]);
/* HKDF-Extract and Expand over input that is no uniform key (a root secret of any length). */
void gh_derive_root(struct gh_str secret, struct gh_str label, uint8_t out[GH_KEY_BYTES]);

/* In a time that depends on the lengths only. */
bool gh_secret_eq(struct gh_str a, struct gh_str b);
/* Overwrites in a way that is not optimised away. */
void gh_wipe(void *memory, size_t count);

#endif
