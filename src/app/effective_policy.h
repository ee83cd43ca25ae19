/*
 * What a configuration comes to, once defaults, environment and inheritance are applied: for
 * `check`. Only reads; decides nothing.
 */
#ifndef GH_APP_EFFECTIVE_POLICY_H
#define GH_APP_EFFECTIVE_POLICY_H

#include <stdio.h>

#include "app/root_config.h"

struct gh_effective {
    const struct gh_root_settings *settings;
    const struct gh_policy *policy; /* compiled from them */
    const char *file;               /* they came from; NULL: none */
};

/* For people. */
void gh_effective_print(FILE *out, const struct gh_effective *effective);
/* One JSON object. */
void gh_effective_print_json(FILE *out, const struct gh_effective *effective);

/* ---- Shared by the two ---- */

struct gh_header_block;
struct gh_header_line;
struct gh_route;

/* Words for what the settings hold as enums. */
const char *gh_effective_preset_name(enum gh_header_preset preset);
const char *gh_effective_plain_text(const struct gh_effective *effective,
                                    const struct gh_listener_settings *listener);
/* The preset that a route answers with. */
enum gh_header_preset gh_effective_preset(const struct gh_effective *effective, size_t route);
/* "5/minute" in `arena`. */
struct gh_str gh_effective_rate(struct gh_arena *arena, struct gh_config_rate rate);
/* "public", "role admin, fresh", in `arena`. */
struct gh_str gh_effective_access(struct gh_arena *arena, const struct gh_effective *effective,
                                  const struct gh_route *route);
/* The next endpoint of identity from *endpoint on that takes requests of `route` (its index);
   false: there is none. */
bool gh_effective_shadow(const struct gh_effective *effective, size_t route, size_t *endpoint);
/* What stays in reach of a process that serves it, each rule; nothing where the sandbox is off. */
void gh_effective_sandbox(const struct gh_effective *effective, gh_sandbox_tell *tell,
                          void *context);
/* When a line is sent, or NULL for always. */
const char *gh_effective_when(const struct gh_header_line *line);

#endif
