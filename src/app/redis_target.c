#include "app/redis_target.h"

#include <stdlib.h>

#define BLOCK_BYTES 1024
#define BYTES_MAX   (16u * 1024)

void gh_redis_target_free(struct gh_redis_target *target)
{
    if (!target)
        return;
    gh_arena_done(&target->arena);
    free(target);
}

/* With a NUL behind it. */
static bool copy_text(struct gh_arena *arena, struct gh_str from, struct gh_str *out)
{
    *out = gh_arena_dup(arena, from);
    return out->ptr != NULL;
}

struct gh_redis_target *gh_redis_target_new(const struct gh_redis_url *url,
                                            const struct gh_redis_settings *settings)
{
    struct gh_redis_target *target = calloc(1, sizeof(*target));
    struct gh_str ca;
    if (!target)
        return NULL;
    gh_arena_init(&target->arena, BLOCK_BYTES, BYTES_MAX);
    target->url = *url;
    target->timeout_ms = (uint32_t)settings->timeout_ms;
    if (copy_text(&target->arena, url->host, &target->url.host) &&
        copy_text(&target->arena, url->path, &target->url.path) &&
        copy_text(&target->arena, url->user, &target->url.user) &&
        copy_text(&target->arena, url->password, &target->url.password) &&
        copy_text(&target->arena, url->text, &target->url.text) &&
        copy_text(&target->arena, settings->ca, &ca)) {
        target->ca = ca.len ? ca.ptr : NULL;
        return target;
    }
    gh_redis_target_free(target);
    return NULL;
}

bool gh_redis_target_is_same(const struct gh_redis_target *a, const struct gh_redis_target *b)
{
    return gh_str_eq(a->url.text, b->url.text) && a->url.tls == b->url.tls &&
           gh_str_eq(a->url.user, b->url.user) && gh_str_eq(a->url.password, b->url.password) &&
           a->url.database == b->url.database && a->timeout_ms == b->timeout_ms &&
           gh_str_eq(gh_str_from_c(a->ca ? a->ca : ""), gh_str_from_c(b->ca ? b->ca : ""));
}
