/* The `store` setting: which adapter, and where. It may be a reference (`env:NAME`, `file:PATH`).
 */
#ifndef GH_APP_STORE_OPEN_H
#define GH_APP_STORE_OPEN_H

#include <stdio.h>

#include "app/store_settings.h"
#include "identity/store.h"

/* Checks the text without opening anything; problems go to `load` at `place`. A reference that
   leads nowhere here is no problem yet. */
void gh_store_setting_check(struct gh_config_load *load, struct gh_config_place place,
                            struct gh_str setting, bool production);
/* All of the table. */
void gh_store_settings_check(struct gh_config_load *load, const struct gh_store_settings *settings,
                             bool production);
/* Connects where the store is PostgreSQL, and changes nothing: what would keep `serve` from using
   it, and whether it has connections enough. */
void gh_store_settings_try(struct gh_config_load *load, const struct gh_store_settings *settings);
/* "sqlite:PATH", "postgresql://...", "memory:" or "memory:DIRECTORY". `exclusive`: to write, as the
   one process that does where the store is a file. Errors as those of gh_sqlite_open and
   gh_postgres_open. */
GH_MUST_USE enum gh_err gh_store_setting_open(const struct gh_store_settings *settings,
                                              bool exclusive, struct gh_arena *arena,
                                              struct gh_store **out_store,
                                              struct gh_str *out_message);
/* Several processes may write it at once. A reference that leads nowhere counts as one: opening it
   says what is wrong. */
bool gh_store_setting_is_shared(struct gh_str setting);
/* Where the setup token and the control socket lie, ending in '/': the directory of the store's
   file, that of "memory:DIRECTORY", or $STATE_DIRECTORY where the store is a server. In `arena`;
   empty: there is none. */
struct gh_str gh_store_setting_directory(struct gh_arena *arena, struct gh_str setting);

/* A source of gh_metrics_add_source; `store` is a struct gh_store of any kind. */
void gh_store_write_metrics(void *store, FILE *out);

#endif
