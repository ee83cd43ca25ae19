/*
 * Is a password known from a breach? Asked of a range API by the first five digits of its SHA-1
 * (k-anonymity, as Have I Been Pwned offers it): the service learns neither password nor hash.
 */
#ifndef GH_IDENTITY_BREACH_H
#define GH_IDENTITY_BREACH_H

#include "identity/identity.h"

#define GH_BREACH_DIGEST_BYTES 20 /* SHA-1 */

/* GH_OK and the answer; anything else: the service failed, nothing is known. Blocks. */
enum gh_err gh_breach_find(struct gh_identity_call *call,
                           const uint8_t digest[GH_BREACH_DIGEST_BYTES], bool *out_found);

#endif
