/* Inside the module: noting where a setting was written, for gh_config_where. */
#ifndef GH_CONFIG_ORIGINS_H
#define GH_CONFIG_ORIGINS_H

#include "config/config.h"

/* The newest note for an address wins, so that inner fields are noted after their struct. */
void gh_config_origin_add(struct gh_config_load *load, const void *field,
                          struct gh_config_place place);

#endif
