/*
 * The truncation of RFC 4226 over OpenSSL's HMAC. liboath would do it too, but it brings its own
 * SHA-1 and compares with strcmp; it is the oracle of the test.
 */
#include "crypto/totp.h"

#include "base/assert.h"
#include "crypto/hash.h"
#include "crypto/library.h"

enum { SHA1_BYTES = 20, DRIFT_MAX = 10, MODULUS = 1000000 };

void gh_totp_code(struct gh_str secret, uint64_t step, char out[GH_TOTP_DIGITS + 1])
{
    uint8_t counter[8], mac[SHA1_BYTES];
    for (unsigned i = 0; i < sizeof(counter); i++)
        counter[i] = (uint8_t)(step >> (56 - 8 * i));
    gh_crypto_mac(gh_crypto_library()->hmac_sha1, secret,
                  gh_str_of((const char *)counter, sizeof(counter)), mac, sizeof(mac));
    const uint8_t *part = mac + (mac[SHA1_BYTES - 1] & 0x0f);
    uint32_t number = ((uint32_t)(part[0] & 0x7f) << 24 | (uint32_t)part[1] << 16 |
                       (uint32_t)part[2] << 8 | part[3]) %
                      MODULUS;
    for (unsigned i = GH_TOTP_DIGITS; i-- > 0; number /= 10)
        out[i] = (char)('0' + number % 10);
    out[GH_TOTP_DIGITS] = '\0';
}

bool gh_totp_match(struct gh_str secret, struct gh_str code, uint64_t unix_seconds, unsigned drift,
                   uint64_t *out_step)
{
    GH_ASSERT(drift <= DRIFT_MAX);
    uint64_t now = unix_seconds / GH_TOTP_STEP_SECONDS;
    uint64_t found = 0;
    bool match = false;
    /* All are looked at; of two steps with one code the later wins, so that it can't be used for
       each of them. */
    for (uint64_t step = now < drift ? 0 : now - drift; step <= now + drift; step++) {
        char expected[GH_TOTP_DIGITS + 1];
        gh_totp_code(secret, step, expected);
        bool equal = gh_secret_eq(gh_str_of(expected, GH_TOTP_DIGITS), code);
        found = equal ? step : found;
        match |= equal;
        gh_wipe(expected, sizeof(expected));
    }
    if (match)
        *out_step = found;
    return match;
}
