/*
 * What tokens are judged by at one time: made by the app when keys rotate, shared by all workers,
 * freed when the last request that began under it has ended.
 */
#ifndef GH_GATEWAY_GATE_VERSION_H
#define GH_GATEWAY_GATE_VERSION_H

#include <stdatomic.h>

#include "base/arena.h"
#include "session/gate.h"

struct gh_gate_version {
    atomic_uint references;
    struct gh_arena arena; /* what `rules` points to may live here */
    struct gh_gate_rules rules;
    /* Gives back what is counted elsewhere (keys), on any thread, just before the memory goes;
       NULL: nothing. */
    void (*done)(struct gh_gate_version *version);
};

/* With one reference, no rules, and an empty arena; NULL without memory. */
struct gh_gate_version *gh_gate_version_new(void);
void gh_gate_version_ref(struct gh_gate_version *version);
void gh_gate_version_unref(struct gh_gate_version *version);

#endif
