/* Inside the module: one scalar into its C type. */
#ifndef GH_CONFIG_BIND_SCALAR_H
#define GH_CONFIG_BIND_SCALAR_H

#include "config/config.h"

/* `field` is of a scalar type, `label` its name in messages. False: a problem was added and *out is
   untouched. */
bool gh_config_bind_scalar(struct gh_config_load *load, const struct gh_config_field *field,
                           const char *label, const struct gh_config_node *node, void *out);

/* A bound or value of an INTEGER, DURATION or SIZE as it would be written. */
struct gh_str gh_config_format_number(struct gh_arena *arena, enum gh_config_type type,
                                      uint64_t value);

#endif
