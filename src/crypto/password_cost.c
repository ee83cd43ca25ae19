/* See password.h. The text forms of password hashes, read strictly: nothing is computed here. */
#include <sodium.h>

#include "base/num.h"
#include "crypto/password.h"
#include "crypto/password_bounds.h"

enum {
    KIB = 1024,
    ARGON2_SALT_BYTES_MIN = 8,  /* as libsodium reads them */
    ARGON2_HASH_BYTES_MIN = 16, /* the same */
    ARGON2_LANES_MAX = (1 << 24) - 1,
    BCRYPT_TEXT_BYTES = 60,
    BCRYPT_PREFIX_BYTES = 7, /* "$2b$12$" */
    BCRYPT_LOG_ROUNDS_MIN = 4,
    BCRYPT_LOG_ROUNDS_MAX = 31,
};

static bool cut_prefix(struct gh_str *text, struct gh_str prefix)
{
    if (!gh_str_starts_with(*text, prefix))
        return false;
    *text = gh_str_skip(*text, prefix.len);
    return true;
}

/* "m=65536": a decimal number in 1..max behind its name. */
static bool read_parameter(struct gh_str text, struct gh_str name, uint64_t max,
                           uint64_t *out_value)
{
    return cut_prefix(&text, name) && gh_num_parse_u64(text, max, out_value) && *out_value > 0;
}

static bool is_base64_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* Standard alphabet without padding, at least `bytes_min` bytes. The digits are looked at here:
   libsodium takes some bytes over 127 for digits. */
static bool is_base64(struct gh_str text, size_t bytes_min)
{
    uint8_t bytes[GH_PASSWORD_HASH_BYTES_MAX];
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++)
        if (!is_base64_digit(text.ptr[i]))
            return false;
    return text.ptr &&
           sodium_base642bin(bytes, sizeof(bytes), text.ptr, text.len, NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
           len >= bytes_min;
}

/* m=..,t=..,p=..$salt$hash */
static bool read_argon2(struct gh_str text, struct gh_password_cost *cost)
{
    struct gh_str rest = text, empty = {NULL, 0};
    struct gh_str parameters = gh_str_split(&rest, '$');
    struct gh_str salt = rest.ptr ? gh_str_split(&rest, '$') : empty;
    struct gh_str m = gh_str_split(&parameters, ',');
    struct gh_str t = parameters.ptr ? gh_str_split(&parameters, ',') : empty;
    uint64_t kib, passes, lanes;
    if (!read_parameter(m, GH_STR("m="), UINT32_MAX, &kib) ||
        !read_parameter(t, GH_STR("t="), UINT32_MAX, &passes) || !parameters.ptr ||
        !read_parameter(parameters, GH_STR("p="), ARGON2_LANES_MAX, &lanes) || kib < 8 * lanes ||
        !is_base64(salt, ARGON2_SALT_BYTES_MIN) || !is_base64(rest, ARGON2_HASH_BYTES_MIN))
        return false;
    cost->memory_bytes = kib * KIB;
    cost->passes = (unsigned)passes;
    cost->lanes = (unsigned)lanes;
    return true;
}

static bool is_bcrypt_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '.' && c <= '9');
}

static bool read_bcrypt(struct gh_str text, struct gh_password_cost *cost)
{
    if (text.len != BCRYPT_TEXT_BYTES || text.ptr[3] != '$' || text.ptr[6] != '$')
        return false;
    char version = text.ptr[2], tens = text.ptr[4], ones = text.ptr[5];
    if ((version != 'a' && version != 'b' && version != 'y') || tens < '0' || tens > '3' ||
        ones < '0' || ones > '9')
        return false;
    cost->log_rounds = (unsigned)(tens - '0') * 10 + (unsigned)(ones - '0');
    for (size_t i = BCRYPT_PREFIX_BYTES; i < BCRYPT_TEXT_BYTES; i++)
        if (!is_bcrypt_digit(text.ptr[i]))
            return false;
    return cost->log_rounds >= BCRYPT_LOG_ROUNDS_MIN && cost->log_rounds <= BCRYPT_LOG_ROUNDS_MAX;
}

bool gh_password_cost_of(struct gh_str hash, struct gh_password_cost *out_cost)
{
    struct gh_password_cost cost = {0};
    struct gh_str rest = hash;
    bool ok;
    if (hash.len >= GH_PASSWORD_HASH_BYTES_MAX) {
        ok = false;
    } else if (gh_str_starts_with(hash, GH_STR("$2"))) {
        cost.scheme = GH_PASSWORD_BCRYPT;
        ok = read_bcrypt(hash, &cost);
    } else if (cut_prefix(&rest, GH_STR("$argon2id$v=19$"))) {
        cost.scheme = GH_PASSWORD_ARGON2ID;
        ok = read_argon2(rest, &cost);
    } else {
        cost.scheme = GH_PASSWORD_ARGON2I;
        ok = cut_prefix(&rest, GH_STR("$argon2i$v=19$")) && read_argon2(rest, &cost);
    }
    if (ok)
        *out_cost = cost;
    return ok;
}

bool gh_password_cost_is_bounded(const struct gh_password_cost *cost)
{
    switch (cost->scheme) {
    case GH_PASSWORD_ARGON2ID:
    case GH_PASSWORD_ARGON2I:
        return cost->memory_bytes >= GH_ARGON2_MEMORY_BYTES_MIN &&
               cost->memory_bytes <= GH_ARGON2_MEMORY_BYTES_MAX && cost->passes >= 1 &&
               cost->passes <= GH_ARGON2_PASSES_MAX && cost->lanes >= 1 &&
               cost->lanes <= GH_ARGON2_LANES_MAX;
    case GH_PASSWORD_BCRYPT:
        return cost->log_rounds >= BCRYPT_LOG_ROUNDS_MIN &&
               cost->log_rounds <= GH_BCRYPT_LOG_ROUNDS_MAX;
    }
    return false;
}

bool gh_password_cost_is_acceptable(const struct gh_password_cost *cost)
{
    return gh_password_cost_is_bounded(cost) &&
           (cost->scheme != GH_PASSWORD_BCRYPT ||
            cost->log_rounds >= GH_BCRYPT_LOG_ROUNDS_IMPORTED_MIN);
}
