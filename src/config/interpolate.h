/* Inside the module: environment references in scalars. */
#ifndef GH_CONFIG_INTERPOLATE_H
#define GH_CONFIG_INTERPOLATE_H

#include "config/config.h"

/*
 * Replaces `${NAME}` and `${NAME:-default}` (the default also when NAME is empty, as in a shell)
 * and `$${` by a literal `${`. What comes from the environment is not looked at again. False, with
 * a problem added, for a malformed reference, an unset NAME without default, or a result over
 * GH_CONFIG_SCALAR_BYTES_MAX. *out_replaced: a reference was there.
 */
bool gh_config_interpolate(struct gh_config_load *load, struct gh_config_place place,
                           struct gh_str text, struct gh_str *out_text, bool *out_replaced);

#endif
