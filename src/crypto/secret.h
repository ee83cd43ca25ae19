/*
 * Memory for keys that live long: locked (where the limit allows), in no core dump and no child,
 * wiped when it is given back, and with pages around it that must not be touched, so that who reads
 * too far ends the process. Some pages for each: for a few dozen keys, not for what requests bring;
 * that lives in arenas, which are wiped, too.
 */
#ifndef GH_CRYPTO_SECRET_H
#define GH_CRYPTO_SECRET_H

#include "base/str.h"

/* `bytes` of zeros, aligned for any object of that size; NULL without memory. After
   gh_crypto_init. */
void *gh_secret_alloc(size_t bytes);
/* A copy of the bytes in such memory; ptr NULL without memory. Of nothing: nothing. */
struct gh_str gh_secret_dup(struct gh_str bytes);
/* NULL is fine. */
void gh_secret_free(void *secret);

/* OpenSSL's secure heap is not used in a process that serves: the ephemeral key of every open
   connection of TLS 1.3 would lie there, and where it is full OpenSSL fails rather than go to the
   heap. */

#endif
