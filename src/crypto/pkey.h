/*
 * Public-key signatures: Ed25519, ECDSA over P-256 with SHA-256, RSA PKCS#1 v1.5 with SHA-256 (at
 * least 2048 bits). Signatures are in the form that JWS wants (RFC 7518 section 3, RFC 8037): ECDSA
 * as R || S of 64 bytes. A key knows its algorithm and is used with no other.
 */
#ifndef GH_CRYPTO_PKEY_H
#define GH_CRYPTO_PKEY_H

#include "base/arena.h"
#include "base/err.h"

enum gh_pkey_alg { GH_PKEY_ED25519, GH_PKEY_ES256, GH_PKEY_RS256 };

#define GH_PKEY_SIGNATURE_BYTES_MAX 1024 /* RSA of 8192 bits */

struct gh_pkey; /* immutable, usable from all threads, counted */

/* A fresh key pair (RSA: 2048 bits). NULL without memory. */
struct gh_pkey *gh_pkey_generate(enum gh_pkey_alg alg);
/* PKCS#8 DER of a private key; NULL: not one of `alg`. */
struct gh_pkey *gh_pkey_from_private(enum gh_pkey_alg alg, struct gh_str der);
/* The numbers of a JWK, unsigned big-endian: Ed25519 x; P-256 x and y; RSA n and e in x and y.
   NULL: not a valid public key (a point off the curve, an RSA key under 2048 or over 8192 bits, an
   even or small exponent, ...). */
struct gh_pkey *gh_pkey_from_public(enum gh_pkey_alg alg, struct gh_str x, struct gh_str y);
void gh_pkey_ref(struct gh_pkey *key);
void gh_pkey_unref(struct gh_pkey *key); /* NULL is fine */

enum gh_pkey_alg gh_pkey_alg(const struct gh_pkey *key);
bool gh_pkey_is_private(const struct gh_pkey *key);
/* In `arena`; ptr NULL on failure. Wipe the private one after use. */
struct gh_str gh_pkey_private_der(const struct gh_pkey *key, struct gh_arena *arena);
/* As from_public takes them. */
GH_MUST_USE enum gh_err gh_pkey_public_numbers(const struct gh_pkey *key, struct gh_arena *arena,
                                               struct gh_str *out_x, struct gh_str *out_y);

/* *out_len bytes of signature. GH_ERR_INVALID: no private key. */
GH_MUST_USE enum gh_err gh_pkey_sign(const struct gh_pkey *key, struct gh_str data,
                                     uint8_t out[GH_PKEY_SIGNATURE_BYTES_MAX], size_t *out_len);
bool gh_pkey_verify(const struct gh_pkey *key, struct gh_str data, struct gh_str signature);

#endif
