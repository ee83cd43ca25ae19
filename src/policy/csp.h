/* Content-Security-Policy (W3C CSP Level 3): from settings and preset to header values. */
#ifndef GH_POLICY_CSP_H
#define GH_POLICY_CSP_H

#include "policy/header_presets.h"
#include "policy/headers.h"

/* Values of the three headers; empty: not sent. */
struct gh_csp_headers {
    struct gh_str enforced, reported, endpoints;
};

/* Problems with names and sources go to `load`. False: the arena is full. */
bool gh_csp_compile(struct gh_config_load *load, const struct gh_header_source *source,
                    const struct gh_preset *preset, struct gh_csp_headers *out_headers);

/* A directive's name, as a literal; empty: there is none of that name. */
struct gh_str gh_csp_directive(struct gh_str name);

#endif
