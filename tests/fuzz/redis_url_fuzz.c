/*
 * URLs of Redis: what is accepted leads somewhere, fits what the client can send, and its text for
 * logs shows no password; reading it again gives the same.
 */
#include "base/assert.h"
#include "store/redis_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct gh_redis_url *url)
{
    GH_ASSERT((url->host.len > 0) != (url->path.len > 0));
    GH_ASSERT(url->host.len == 0 || (url->port > 0 && url->host.ptr[url->host.len] == '\0'));
    GH_ASSERT(url->path.len == 0 || (url->path.ptr[0] == '/' && url->path.len <= 107 && !url->tls));
    GH_ASSERT(!memchr(url->host.ptr ? url->host.ptr : "", 0, url->host.len));
    GH_ASSERT(url->database <= GH_REDIS_DATABASE_MAX);
    GH_ASSERT(url->user.len == 0 || url->password.len > 0);
    GH_ASSERT(gh_str_find_char(url->text, '@') == url->text.len || url->path.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena arena;
    struct gh_redis_url url, again;
    gh_arena_init(&arena, 4096, 1 << 16);
    if (!gh_redis_url_parse(gh_str_of((const char *)data, size), &arena, &url)) {
        check(&url);
        struct gh_str bare =
            gh_arena_format(&arena, "%s%.*s", url.path.len ? "" : "redis://", GH_STR_ARG(url.text));
        GH_ASSERT(!gh_redis_url_parse(bare, &arena, &again));
        GH_ASSERT(gh_str_eq(again.host, url.host) && gh_str_eq(again.path, url.path));
        GH_ASSERT(gh_str_eq(again.text, url.text) && again.password.len == 0);
    }
    gh_arena_done(&arena);
    return 0;
}
