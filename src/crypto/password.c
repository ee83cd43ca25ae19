/* See password.h. argon2 is libsodium's, bcrypt is libxcrypt's. */
#include "crypto/password.h"

#include <crypt.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/assert.h"
#include "crypto/hash.h"
#include "crypto/password_bounds.h"
#include "crypto/random.h"

enum {
    BCRYPT_SALT_BYTES = 16,
    BCRYPT_TEXT_BYTES = 60,
    BCRYPT_DIGEST_CHARS = 31, /* at the end of the text */
};
_Static_assert(crypto_pwhash_argon2id_STRBYTES <= GH_PASSWORD_HASH_BYTES_MAX,
               "an argon2 text fits");
_Static_assert(CRYPT_GENSALT_OUTPUT_SIZE <= GH_PASSWORD_HASH_BYTES_MAX, "a bcrypt setting fits");

static enum gh_err argon2id_hash(const struct gh_password_cost *cost, struct gh_str password,
                                 char *out)
{
    if (cost->lanes != 1)
        return GH_ERR_INVALID;
    if (crypto_pwhash_argon2id_str(out, password.ptr, password.len, cost->passes,
                                   (size_t)cost->memory_bytes) != 0)
        return GH_ERR_MEMORY;
    return GH_OK;
}

/* libsodium says -1 for all; what is wrong it tells by errno: EINVAL is the password. */
static enum gh_err argon2_verify(enum gh_password_scheme scheme, const char *hash,
                                 struct gh_str password)
{
    errno = 0;
    int status = scheme == GH_PASSWORD_ARGON2ID
                     ? crypto_pwhash_argon2id_str_verify(hash, password.ptr, password.len)
                     : crypto_pwhash_argon2i_str_verify(hash, password.ptr, password.len);
    if (status == 0)
        return GH_OK;
    return errno == EINVAL ? GH_ERR_NOT_FOUND : GH_ERR_MEMORY;
}

/* What crypt(3) gives for the first 72 bytes of `password` up to a NUL. */
static enum gh_err run_bcrypt(const char *setting, struct gh_str password,
                              char out[BCRYPT_TEXT_BYTES + 1])
{
    char text[GH_BCRYPT_PASSWORD_BYTES_MAX + 1] = "";
    struct gh_str head = gh_str_first(password, GH_BCRYPT_PASSWORD_BYTES_MAX);
    if (head.len)
        memcpy(text, head.ptr, head.len);
    struct crypt_data *work = calloc(1, sizeof(*work)); /* 32 KiB: too much for a stack */
    if (!work) {
        gh_wipe(text, sizeof(text));
        return GH_ERR_MEMORY;
    }
    const char *result = crypt_r(text, setting, work);
    enum gh_err err = result && strlen(result) == BCRYPT_TEXT_BYTES ? GH_OK : GH_ERR_MEMORY;
    if (!err)
        memcpy(out, result, BCRYPT_TEXT_BYTES + 1);
    gh_wipe(work, sizeof(*work));
    free(work);
    gh_wipe(text, sizeof(text));
    return err;
}

static bool has_nul(struct gh_str text)
{
    return gh_str_find_char(text, '\0') < text.len;
}

static enum gh_err bcrypt_hash(const struct gh_password_cost *cost, struct gh_str password,
                               char *out)
{
    if (password.len > GH_BCRYPT_PASSWORD_BYTES_MAX || has_nul(password))
        return GH_ERR_INVALID;
    char salt[BCRYPT_SALT_BYTES], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    gh_random_bytes(salt, sizeof(salt));
    GH_ASSERT(crypt_gensalt_rn("$2b$", cost->log_rounds, salt, sizeof(salt), setting,
                               sizeof(setting)) != NULL);
    return run_bcrypt(setting, password, out);
}

/* Only the digest is compared: some writers leave unused bits of the salt set, which crypt(3)
   clears in what it returns. */
static enum gh_err bcrypt_verify(const char *hash, struct gh_str password)
{
    char computed[BCRYPT_TEXT_BYTES + 1];
    enum gh_err err = run_bcrypt(hash, password, computed);
    if (err)
        return err;
    size_t at = BCRYPT_TEXT_BYTES - BCRYPT_DIGEST_CHARS;
    bool equal = gh_secret_eq(gh_str_of(hash + at, BCRYPT_DIGEST_CHARS),
                              gh_str_of(computed + at, BCRYPT_DIGEST_CHARS));
    gh_wipe(computed, sizeof(computed));
    /* Looked at last, so that this refusal takes as long as the others. */
    return equal && !has_nul(password) ? GH_OK : GH_ERR_NOT_FOUND;
}

enum gh_err gh_password_hash(const struct gh_password_cost *cost, struct gh_str password,
                             char out[GH_PASSWORD_HASH_BYTES_MAX])
{
    if (!gh_password_cost_is_bounded(cost))
        return GH_ERR_INVALID;
    switch (cost->scheme) {
    case GH_PASSWORD_ARGON2ID:
        return argon2id_hash(cost, password, out);
    case GH_PASSWORD_BCRYPT:
        return bcrypt_hash(cost, password, out);
    case GH_PASSWORD_ARGON2I:
        return GH_ERR_INVALID; /* of others, to be verified and replaced */
    }
    return GH_ERR_INVALID;
}

enum gh_err gh_password_verify(struct gh_str hash, struct gh_str password)
{
    char text[GH_PASSWORD_HASH_BYTES_MAX];
    struct gh_password_cost cost;
    if (!gh_password_cost_of(hash, &cost) || !gh_password_cost_is_bounded(&cost))
        return GH_ERR_INVALID;
    memcpy(text, hash.ptr, hash.len);
    text[hash.len] = '\0';
    switch (cost.scheme) {
    case GH_PASSWORD_ARGON2ID:
    case GH_PASSWORD_ARGON2I:
        return argon2_verify(cost.scheme, text, password);
    case GH_PASSWORD_BCRYPT:
        return bcrypt_verify(text, password);
    }
    return GH_ERR_INVALID;
}
