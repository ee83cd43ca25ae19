/*
 * What an HTTP/2 session asks for while it is opened lies together in one slot, which its owner
 * lends. The largest piece by far is nghttp2's frame buffer, of 16 KB, of which only as much is
 * ever touched as the longest frame needs: from the heap it would lie on pages that others have
 * dirtied, and an idle connection would pay for all of it.
 *
 * Where a block lies is all that this decides; nothing here depends on what nghttp2 asks for.
 */
#ifndef GH_HTTP_H2_LEASE_H
#define GH_HTTP_H2_LEASE_H

#include <nghttp2/nghttp2.h>

#include <stdbool.h>
#include <stddef.h>

/* Does not move while its session lives. */
struct gh_h2_lease {
    char *slot; /* GH_H2_SLOT_BYTES, or NULL: all is heap */
    size_t used;
    bool filling; /* what is asked for now goes into the slot, as far as it has room */
};

/* Begins filling `slot`. */
struct gh_h2_lease gh_h2_lease_begin(void *slot);
/* As malloc's and free's. */
void *gh_h2_lease_alloc(struct gh_h2_lease *lease, size_t bytes);
void gh_h2_lease_free(struct gh_h2_lease *lease, void *block);
/* For nghttp2. */
nghttp2_mem gh_h2_lease_hooks(struct gh_h2_lease *lease);

#endif
