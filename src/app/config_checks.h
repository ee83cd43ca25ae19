/*
 * Settings that are right each by itself and wrong together, or that are allowed but seldom meant:
 * errors and warnings with their place and remedy. What concerns one feature alone is checked
 * where that feature is compiled (policy/).
 */
#ifndef GH_APP_CONFIG_CHECKS_H
#define GH_APP_CONFIG_CHECKS_H

#include "app/root_config.h"

/* After binding without errors. `unix_seconds` is the current time. */
void gh_config_check(struct gh_config_load *load, const struct gh_root_settings *settings,
                     int64_t unix_seconds);

/* Passwords written out in URLs anywhere in the tree; those from the environment are fine. */
void gh_config_check_passwords(struct gh_config_load *load, const struct gh_config_node *root);

#endif
