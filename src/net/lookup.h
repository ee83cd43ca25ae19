/*
 * Addresses of a name, looked up without blocking the loop: on a thread of its own, which is
 * detached, so that a lookup that hangs holds up neither the loop nor the end of the process.
 */
#ifndef GH_NET_LOOKUP_H
#define GH_NET_LOOKUP_H

#include "base/err.h"
#include "base/ip.h"
#include "net/loop.h"

#define GH_LOOKUP_ADDRESSES_MAX 8
#define GH_LOOKUP_NAME_BYTES    256 /* with its NUL */

struct gh_lookup;

/* Addresses in the resolver's order, lent for the call; `count` 0: none, and `problem` says why. */
typedef void gh_lookup_fn(void *context, const struct gh_ip *addresses, size_t count,
                          const char *problem);

/* `fn` follows once, on the loop's thread, never inside this call. GH_ERR_INVALID: too long a name;
   GH_ERR_MEMORY; GH_ERR_IO: no thread could be had. */
GH_MUST_USE enum gh_err gh_lookup_start(struct gh_loop *loop, const char *name, gh_lookup_fn *fn,
                                        void *context, struct gh_lookup **out_lookup);
/* Before `fn` was called, on the loop's thread, and before the loop ends: it is not called any
   more. */
void gh_lookup_cancel(struct gh_lookup *lookup);

#endif
