/*
 * The table `redis` of the file (SPEC section 6): where Redis or Valkey is. Its URL may hold a
 * password, so it is a reference (`env:NAME`, `file:PATH`), comes from the environment
 * (`${REDIS_URL:-}`), or holds none.
 */
#ifndef GH_APP_REDIS_SETTINGS_H
#define GH_APP_REDIS_SETTINGS_H

#include "app/secrets.h"
#include "store/redis_url.h"

struct gh_redis_settings {
    struct gh_str url; /* or a reference to it; empty: there is no Redis */
    struct gh_str ca;  /* path, NUL behind it; empty: the system's authorities */
    uint64_t timeout_ms;
};

extern const struct gh_config_table gh_redis_table;

/* What can be said before it is opened; a reference that leads nowhere here is no problem yet. */
void gh_redis_settings_check(struct gh_config_load *load, const struct gh_redis_settings *settings,
                             bool production, const struct gh_secret_source *source);

/* The URL itself, its texts in `arena`. Only where settings->url is not empty. False: *out_message
   says what is wrong, without the value. */
bool gh_redis_settings_resolve(const struct gh_redis_settings *settings, bool production,
                               const struct gh_secret_source *source, struct gh_arena *arena,
                               struct gh_redis_url *out_url, struct gh_str *out_message);

#endif
