/* The `store` setting: which adapter, and where. */
#ifndef GH_APP_STORE_OPEN_H
#define GH_APP_STORE_OPEN_H

#include "config/config.h"
#include "identity/store.h"

/* Checks the text without opening anything; problems go to `load` at `place`. */
void gh_store_setting_check(struct gh_config_load *load, struct gh_config_place place,
                            struct gh_str setting, bool production);
/* "sqlite:PATH", "memory:" or "memory:DIRECTORY". `exclusive`: as the one process that writes.
   Errors as those of gh_sqlite_open. */
GH_MUST_USE enum gh_err gh_store_setting_open(struct gh_str setting, bool exclusive,
                                              struct gh_arena *arena, struct gh_store **out_store,
                                              struct gh_str *out_message);
/* Where the setup token and the control socket lie: the directory of the store's file, ending in
   '/', or that of "memory:DIRECTORY". In `arena`; empty: a store that has none. */
struct gh_str gh_store_setting_directory(struct gh_arena *arena, struct gh_str setting);

#endif
