/* The table `sandbox` of the file (SPEC section 11): whether what the process never needs is given
   up, and what later configurations may need beside what this one names. */
#ifndef GH_APP_SANDBOX_SETTINGS_H
#define GH_APP_SANDBOX_SETTINGS_H

#include "config/config.h"
#include "sandbox/sandbox.h"

struct gh_sandbox_settings {
    enum gh_sandbox_mode mode;
    bool required;
    struct gh_config_list read, write;     /* of struct gh_str: directories and files */
    struct gh_config_list certificates;    /* the same, for the process that keeps TLS keys alone */
    struct gh_config_list connect, listen; /* of uint64_t: ports */
};

extern const struct gh_config_table gh_sandbox_table;

/* "enforce", "log", "off" */
const char *gh_sandbox_mode_name(enum gh_sandbox_mode mode);

#endif
