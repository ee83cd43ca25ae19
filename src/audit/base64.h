/* Base64 with the standard alphabet and padding (RFC 4648 section 4), as signed notes have it.
   Strict: one text for one value. */
#ifndef GH_AUDIT_BASE64_H
#define GH_AUDIT_BASE64_H

#include "base/buf.h"

/* Characters for `bytes` bytes. */
#define GH_BASE64_LEN(bytes) (((bytes) + 2) / 3 * 4)

void gh_base64_put(struct gh_buf *buf, const uint8_t *bytes, size_t count);
/* Decodes into `out` (`cap` bytes) and sets *out_len. False: anything but what the above writes, or
   more than `cap` bytes. */
bool gh_base64_decode(struct gh_str text, uint8_t *out, size_t cap, size_t *out_len);

#endif
