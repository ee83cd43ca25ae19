/*
 * The text forms of password hashes, and the strength of passwords. Properties: what is read is
 * plain text of a scheme that we know and says its cost in its own digits; a hash that is cheap to
 * compute is computed (so that the libraries read all that we read); a strength is a number.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "crypto/hash.h"
#include "crypto/password.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 512, CHEAP_MEMORY_BYTES = 64 << 10 };

static void check_argon2_text(struct gh_str hash, const struct gh_password_cost *cost)
{
    char text[128];
    struct gh_buf buf = gh_buf_over(text, sizeof(text));
    gh_buf_format(&buf, "$argon2%s$v=19$m=%llu,t=%u,p=%u$",
                  cost->scheme == GH_PASSWORD_ARGON2ID ? "id" : "i",
                  (unsigned long long)(cost->memory_bytes / 1024), cost->passes, cost->lanes);
    GH_ASSERT(!buf.overflow && gh_str_starts_with(hash, gh_buf_str(&buf)));
}

static void check_bcrypt_text(struct gh_str hash, const struct gh_password_cost *cost)
{
    GH_ASSERT(hash.len == 60 && cost->log_rounds >= 4 && cost->log_rounds <= 31);
    GH_ASSERT((unsigned)(hash.ptr[4] - '0') * 10 + (unsigned)(hash.ptr[5] - '0') ==
              cost->log_rounds);
}

static void check_hash(struct gh_str hash)
{
    struct gh_password_cost cost;
    if (!gh_password_cost_of(hash, &cost)) {
        GH_ASSERT(gh_password_verify(hash, GH_STR("x")) == GH_ERR_INVALID);
        return;
    }
    GH_ASSERT(hash.len < GH_PASSWORD_HASH_BYTES_MAX);
    for (size_t i = 0; i < hash.len; i++)
        GH_ASSERT(hash.ptr[i] > 0x20 && hash.ptr[i] < 0x7f);
    bool bcrypt = cost.scheme == GH_PASSWORD_BCRYPT;
    (bcrypt ? check_bcrypt_text : check_argon2_text)(hash, &cost);
    bool cheap =
        bcrypt ? cost.log_rounds == 4 : cost.memory_bytes <= CHEAP_MEMORY_BYTES && cost.passes <= 2;
    if (!cheap)
        return;
    enum gh_err err = gh_password_verify(hash, GH_STR("x"));
    bool bounded = bcrypt || (cost.lanes <= 16 && cost.memory_bytes >= 8192);
    GH_ASSERT(bounded ? err == GH_OK || err == GH_ERR_NOT_FOUND : err == GH_ERR_INVALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX)
        return 0;
    gh_crypto_init();
    struct gh_str text = {(const char *)data, size};
    check_hash(text);
    struct gh_str words[2] = {gh_str_first(text, size / 2), gh_str_skip(text, size / 2)};
    struct gh_password_strength strength = gh_password_strength(text, words, 2);
    GH_ASSERT(strength.guesses_log10 >= 0 && strength.guesses_log10 < 1000);
    return 0;
}
