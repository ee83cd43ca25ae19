/* Server addresses from the configuration: what is taken is what it says, read again or not. */
#include "base/assert.h"
#include "upstream/server_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_server_url url, again;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 65536);
    if (!gh_server_url_parse(gh_str_of((const char *)data, size), &arena, &url)) {
        bool is_unix = url.path.len > 0;
        GH_ASSERT(is_unix != (url.host.len > 0));
        GH_ASSERT(is_unix ? url.port == 0 && !url.tls : url.port > 0);
        GH_ASSERT(url.path.len == 0 || url.path.ptr[url.path.len] == 0);
        GH_ASSERT(url.host.len == 0 || url.host.ptr[url.host.len] == 0);
        GH_ASSERT(!memchr(url.host.ptr ? url.host.ptr : "", 0, url.host.len));
        struct gh_str text = is_unix
                                 ? url.text
                                 : gh_arena_format(&arena, "%s://%.*s", url.tls ? "https" : "http",
                                                   GH_STR_ARG(url.text));
        GH_ASSERT(!gh_server_url_parse(text, &arena, &again));
        GH_ASSERT(gh_str_eq(url.text, again.text) && gh_str_eq(url.host, again.host));
        GH_ASSERT(url.port == again.port && url.ip.family == again.ip.family);
    }
    gh_arena_done(&arena);
    return 0;
}
