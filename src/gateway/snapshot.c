#include "gateway/snapshot.h"

#include <stdlib.h>

/* Settings of a large deployment (10,000 routes with their headers) stay well below this. */
#define SNAPSHOT_BYTES_MAX   (256u * 1024 * 1024)
#define SNAPSHOT_BLOCK_BYTES (64u * 1024)

struct gh_snapshot *gh_snapshot_new(void)
{
    struct gh_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (!snapshot)
        return NULL;
    atomic_init(&snapshot->references, 1);
    gh_arena_init(&snapshot->arena, SNAPSHOT_BLOCK_BYTES, SNAPSHOT_BYTES_MAX);
    return snapshot;
}

void gh_snapshot_ref(struct gh_snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
}

void gh_snapshot_unref(struct gh_snapshot *snapshot)
{
    if (atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < snapshot->group_count; i++) {
        if (snapshot->groups[i])
            gh_upstream_group_unref(snapshot->groups[i]);
    }
    for (size_t i = 0; i < snapshot->listen_count; i++) {
        if (snapshot->listens[i].tls)
            gh_tls_server_unref(snapshot->listens[i].tls);
    }
    if (snapshot->gate)
        gh_gate_version_unref(snapshot->gate);
    gh_arena_done(&snapshot->arena);
    free(snapshot);
}

bool gh_snapshot_is_ready(const struct gh_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->group_count; i++) {
        if (!gh_upstream_group_is_up(snapshot->groups[i]))
            return false;
    }
    return true;
}
