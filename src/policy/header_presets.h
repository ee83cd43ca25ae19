/* What the presets of `headers.preset` are made of: tables only. */
#ifndef GH_POLICY_HEADER_PRESETS_H
#define GH_POLICY_HEADER_PRESETS_H

#include "policy/settings.h"

struct gh_preset_line {
    struct gh_str name, value;
    bool if_silent;
};

struct gh_preset {
    const struct gh_preset_line *lines;
    size_t line_count;
    struct gh_str hsts;
    struct gh_str permissions;   /* value of Permissions-Policy; empty: none */
    struct gh_str csp;           /* value of Content-Security-Policy; empty: none */
    struct gh_str form_action;   /* of the baseline that report_only enforces */
    struct gh_str trusted_types; /* a policy that is only ever reported; empty: none */
    enum gh_csp_mode csp_mode;
    bool removes_leaks; /* the lists below go from the upstream's answers */
};

const struct gh_preset *gh_preset_of(enum gh_header_preset preset);

/* Names that tell strangers what runs behind us; and headers that no browser should see. */
extern const struct gh_str gh_leaking_names[];
extern const size_t gh_leaking_name_count;
extern const struct gh_str gh_obsolete_names[];
extern const size_t gh_obsolete_name_count;

#endif
