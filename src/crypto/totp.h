/* Time-based one-time passwords (RFC 6238): SHA-1, 6 digits, steps of 30 seconds. */
#ifndef GH_CRYPTO_TOTP_H
#define GH_CRYPTO_TOTP_H

#include "base/str.h"

#define GH_TOTP_DIGITS       6
#define GH_TOTP_STEP_SECONDS 30
#define GH_TOTP_SECRET_BYTES 20

/* The code of one step, with a NUL behind it. */
void gh_totp_code(struct gh_str secret, uint64_t step, char out[GH_TOTP_DIGITS + 1]);
/* True when `code` (six ASCII digits) is that of the step of `unix_seconds` or of one up to `drift`
   steps beside it; *out_step is the step. All candidates are compared in equal time. */
bool gh_totp_match(struct gh_str secret, struct gh_str code, uint64_t unix_seconds, unsigned drift,
                   uint64_t *out_step);

#endif
