/* Checks of the table `audit` that concern more than one setting. */
#ifndef GH_APP_AUDIT_CHECKS_H
#define GH_APP_AUDIT_CHECKS_H

#include "app/root_config.h"

/* Problems go to `load`. Nothing is opened. */
void gh_audit_check(struct gh_config_load *load, const struct gh_root_settings *settings);

#endif
