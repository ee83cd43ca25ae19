#include "identity/breach.h"

#include "base/num.h"

#define DIGITS        (2 * GH_BREACH_DIGEST_BYTES)
#define PREFIX_DIGITS 5
#define HTTP_OK       200
#define TIMEOUT_MS    2000 /* sign-ins wait behind it */

/* In capitals, as the service writes them. */
static void put_digits(const uint8_t digest[GH_BREACH_DIGEST_BYTES], char out[DIGITS])
{
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < GH_BREACH_DIGEST_BYTES; i++) {
        out[2 * i] = HEX[digest[i] >> 4];
        out[2 * i + 1] = HEX[digest[i] & 15];
    }
}

/* "0018A45C4D1DEF81644B54AB7F969B88D65:21" and nothing else. A count of 0 is padding. */
static bool read_line(struct gh_str line, struct gh_str suffix, bool *out_found)
{
    uint64_t count;
    if (gh_str_ends_with(line, GH_STR("\r")))
        line.len--;
    if (!line.len)
        return true;
    size_t colon = gh_str_find_char(line, ':');
    if (colon != suffix.len || !gh_num_parse_u64(gh_str_skip(line, colon + 1), UINT64_MAX, &count))
        return false;
    *out_found |= count > 0 && gh_str_ieq(gh_str_first(line, colon), suffix);
    return true;
}

enum gh_err gh_breach_find(struct gh_identity_call *call,
                           const uint8_t digest[GH_BREACH_DIGEST_BYTES], bool *out_found)
{
    const struct gh_identity_http *http = &call->identity->http;
    char digits[DIGITS];
    unsigned status = 0;
    bool found = false;
    struct gh_str none = {NULL, 0}, body = none;
    put_digits(digest, digits);
    struct gh_str url =
        gh_arena_format(call->arena, "%.*s%.*s", GH_STR_ARG(call->settings->passwords.breach),
                        PREFIX_DIGITS, digits);
    if (!http->fetch || !url.ptr)
        return http->fetch ? GH_ERR_MEMORY : GH_ERR_INVALID;
    enum gh_err err =
        http->fetch(http->context, call->arena, url, none, none, TIMEOUT_MS, &status, &body);
    if (err != GH_OK || status != HTTP_OK)
        return err != GH_OK ? err : GH_ERR_INVALID;
    struct gh_str suffix = gh_str_of(digits + PREFIX_DIGITS, DIGITS - PREFIX_DIGITS);
    for (struct gh_str rest = body; rest.ptr;)
        if (!read_line(gh_str_split(&rest, '\n'), suffix, &found))
            return GH_ERR_INVALID;
    *out_found = found;
    return GH_OK;
}
