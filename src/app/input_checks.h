/* What is worth knowing of `input` over all the routes: operations that nobody can reach, or that
   are reached unjudged, and settings that don't mean what they seem to. */
#ifndef GH_APP_INPUT_CHECKS_H
#define GH_APP_INPUT_CHECKS_H

#include "app/root_config.h"

/* Adds problems. `policy` NULL: it could not be compiled. */
void gh_input_check(struct gh_config_load *load, const struct gh_root_settings *settings,
                    const struct gh_policy *policy);

#endif
