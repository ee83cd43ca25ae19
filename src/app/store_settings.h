/* The table `store` of the file: where accounts, sessions and the audit log live, and how much of a
   PostgreSQL server this process takes. */
#ifndef GH_APP_STORE_SETTINGS_H
#define GH_APP_STORE_SETTINGS_H

#include "config/config.h"

struct gh_store_settings {
    struct gh_str url;    /* or a reference to it (`env:NAME`, `file:PATH`) */
    uint64_t connections; /* 0 here and below: the store's own default */
    uint64_t statement_timeout_ms, connect_timeout_ms;
};

extern const struct gh_config_table gh_store_table;

/* Whether a restart would change nothing. */
bool gh_store_settings_are_same(const struct gh_store_settings *one,
                                const struct gh_store_settings *other);

#endif
