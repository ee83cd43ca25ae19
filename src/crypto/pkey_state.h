/* The inside of a key, for pkey*.c only. */
#ifndef GH_CRYPTO_PKEY_STATE_H
#define GH_CRYPTO_PKEY_STATE_H

#include <openssl/evp.h>
#include <sodium.h>
#include <stdatomic.h>

#include "crypto/pkey.h"

/* Ed25519 is libsodium's (half of OpenSSL's time, and strict about points and scalars), the others
   are OpenSSL's. */
struct gh_pkey {
    atomic_uint references;
    enum gh_pkey_alg alg;
    bool is_private;
    uint8_t ed_public[crypto_sign_PUBLICKEYBYTES];
    uint8_t *ed_secret;          /* seed, public key; NULL: no such private key */
    EVP_PKEY *evp;               /* of the others */
    EVP_PKEY_CTX *sign, *verify; /* prepared; only copies are used */
};

/* Without its key yet; NULL without memory. */
struct gh_pkey *gh_pkey_new(enum gh_pkey_alg alg, bool is_private);
/* Takes `evp` over, on failure too; NULL: it is no key for `alg`, or no memory. */
struct gh_pkey *gh_pkey_wrap(enum gh_pkey_alg alg, EVP_PKEY *evp, bool is_private);

/* False for the numbers of an RSA key that we don't trust (see gh_pkey_from_public). */
bool gh_rsa_numbers_are_sound(struct gh_str modulus, struct gh_str exponent);

#endif
