/* Identity's settings against the rest of the configuration: what is right alone and wrong
   together. */
#ifndef GH_APP_IDENTITY_CHECKS_H
#define GH_APP_IDENTITY_CHECKS_H

#include "app/root_config.h"

/* After compiling; `policy` may be NULL when that failed. */
void gh_identity_check(struct gh_config_load *load, const struct gh_root_settings *settings,
                       const struct gh_policy *policy);

#endif
