#include "gateway/gate_version.h"

#include <stdlib.h>

/* The ring of ours and the key sets of a few issuers. */
#define VERSION_BYTES_MAX   (4u * 1024 * 1024)
#define VERSION_BLOCK_BYTES (4u * 1024)

struct gh_gate_version *gh_gate_version_new(void)
{
    struct gh_gate_version *version = calloc(1, sizeof(*version));
    if (!version)
        return NULL;
    atomic_init(&version->references, 1);
    gh_arena_init(&version->arena, VERSION_BLOCK_BYTES, VERSION_BYTES_MAX);
    return version;
}

void gh_gate_version_ref(struct gh_gate_version *version)
{
    atomic_fetch_add_explicit(&version->references, 1, memory_order_relaxed);
}

void gh_gate_version_unref(struct gh_gate_version *version)
{
    if (atomic_fetch_sub_explicit(&version->references, 1, memory_order_acq_rel) != 1)
        return;
    if (version->done)
        version->done(version);
    gh_arena_done(&version->arena);
    free(version);
}
