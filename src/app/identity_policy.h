/* Identity's settings and endpoints as the policy sees them. */
#ifndef GH_APP_IDENTITY_POLICY_H
#define GH_APP_IDENTITY_POLICY_H

#include "app/root_config.h"

/* Checks the identity settings against their surroundings, derives the rest of them, and fills
   settings->policy.identity. Problems go to `load`. */
void gh_identity_policy_fill(struct gh_config_load *load, struct gh_root_settings *settings);

#endif
