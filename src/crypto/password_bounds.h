/* What a password hash may cost at all, for password*.c only. */
#ifndef GH_CRYPTO_PASSWORD_BOUNDS_H
#define GH_CRYPTO_PASSWORD_BOUNDS_H

#include "crypto/password.h"

enum {
    GH_ARGON2_MEMORY_BYTES_MIN = 8 << 10, /* the least that libsodium takes */
    GH_ARGON2_MEMORY_BYTES_MAX = 512 << 20,
    GH_ARGON2_PASSES_MAX = 10,
    GH_ARGON2_LANES_MAX = 16,
    GH_BCRYPT_LOG_ROUNDS_MAX = 16, /* a few seconds */
    GH_BCRYPT_LOG_ROUNDS_IMPORTED_MIN = 10,
};

/* What hash makes and verify computes; imported hashes must be acceptable besides. */
bool gh_password_cost_is_bounded(const struct gh_password_cost *cost);

#endif
