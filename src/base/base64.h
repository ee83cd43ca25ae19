/*
 * Base64 with the URL-safe alphabet and without padding (RFC 4648 section 5, as JOSE uses it), and
 * Base32 (section 6, as authenticator apps read it). Decoders are strict: one text for one value.
 */
#ifndef GH_BASE_BASE64_H
#define GH_BASE_BASE64_H

#include "base/buf.h"

/* Characters for `bytes` bytes. */
#define GH_BASE64URL_LEN(bytes) (((bytes)*4 + 2) / 3)
#define GH_BASE32_LEN(bytes)    (((bytes)*8 + 4) / 5)

void gh_base64url_put(struct gh_buf *buf, const uint8_t *bytes, size_t count);
/*
 * Decodes into `out` (`cap` bytes) and sets *out_len. False: a character outside of the alphabet
 * (padding and white space too), an impossible length, unused bits that are not zero, or more than
 * `cap` bytes.
 */
bool gh_base64url_decode(struct gh_str text, uint8_t *out, size_t cap, size_t *out_len);

/* Upper case, without padding. */
void gh_base32_put(struct gh_buf *buf, const uint8_t *bytes, size_t count);
/* Takes lower case, and padding or none; otherwise as strict as the above. */
bool gh_base32_decode(struct gh_str text, uint8_t *out, size_t cap, size_t *out_len);

#endif
