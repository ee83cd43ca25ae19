/*
 * Password hashes in their usual text forms: argon2id and argon2i ("$argon2id$v=19$m=..,t=..,p=..$
 * salt$hash") and bcrypt ("$2b$12$..."; "$2a$" and "$2y$" are read too). Slow on purpose: call on
 * the hash lane only.
 */
#ifndef GH_CRYPTO_PASSWORD_H
#define GH_CRYPTO_PASSWORD_H

#include "base/err.h"
#include "base/str.h"

#define GH_PASSWORD_HASH_BYTES_MAX   256 /* with the NUL */
#define GH_BCRYPT_PASSWORD_BYTES_MAX 72

enum gh_password_scheme { GH_PASSWORD_ARGON2ID, GH_PASSWORD_BCRYPT, GH_PASSWORD_ARGON2I };

struct gh_password_cost {
    enum gh_password_scheme scheme;
    uint64_t memory_bytes; /* argon2 */
    unsigned passes;       /* argon2 */
    unsigned lanes;        /* argon2: 1 in ours */
    unsigned log_rounds;   /* bcrypt: 4..31 */
};

/* Makes a hash with a fresh salt. GH_ERR_MEMORY; GH_ERR_INVALID: a cost out of bounds (bcrypt: 4 to
   16), argon2i or more than one lane, or for bcrypt a password over 72 bytes or with a NUL byte in
   it (it is never cut). */
GH_MUST_USE enum gh_err gh_password_hash(const struct gh_password_cost *cost,
                                         struct gh_str password,
                                         char out[GH_PASSWORD_HASH_BYTES_MAX]);
/* GH_OK: it is the password. GH_ERR_NOT_FOUND: it is not. GH_ERR_INVALID: not a hash we read, or
   its cost is over bounds (512 MiB, 10 passes, 16 lanes; bcrypt 16). GH_ERR_MEMORY. A bcrypt hash
   speaks of 72 bytes only: it matches whatever comes behind them, as with all who made such. */
GH_MUST_USE enum gh_err gh_password_verify(struct gh_str hash, struct gh_str password);
/* What a hash costs; false: not a hash we read. Reads exactly what verify takes. */
bool gh_password_cost_of(struct gh_str hash, struct gh_password_cost *out_cost);
/* False for a hash of somebody else that would cost too much (argon2: 8 KiB to 512 MiB, 1 to 10
   passes, 1 to 16 lanes; bcrypt: 10 to 16). */
bool gh_password_cost_is_acceptable(const struct gh_password_cost *cost);

/* Guesses that an informed attacker needs, as a power of ten, and whether the whole of it is a
   word of the list of common passwords, in any case or with the usual digits for letters.
   `own_words`: the user's e-mail, name, the site's name; their parts count too. Judged are the
   first 32 bytes. Takes up to some 5 ms. */
struct gh_password_strength {
    double guesses_log10;
    bool is_common;
};
struct gh_password_strength gh_password_strength(struct gh_str password,
                                                 const struct gh_str *own_words,
                                                 size_t own_word_count);

#endif
