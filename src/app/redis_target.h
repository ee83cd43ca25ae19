/*
 * Where Redis is, by URL and settings: own copies, for clients that are opened later, and again.
 */
#ifndef GH_APP_REDIS_TARGET_H
#define GH_APP_REDIS_TARGET_H

#include "app/redis_settings.h"

struct gh_redis_target {
    struct gh_arena arena; /* of the texts */
    struct gh_redis_url url;
    const char *ca; /* path; NULL: the system's authorities */
    uint32_t timeout_ms;
};

/* `url` and `settings` as gh_redis_settings_resolve and the file have them. NULL without memory. */
struct gh_redis_target *gh_redis_target_new(const struct gh_redis_url *url,
                                            const struct gh_redis_settings *settings);
/* NULL is fine. */
void gh_redis_target_free(struct gh_redis_target *target);
bool gh_redis_target_is_same(const struct gh_redis_target *a, const struct gh_redis_target *b);

#endif
