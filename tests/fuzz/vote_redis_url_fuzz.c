/* The voting service's URL of Redis: parts are bounded texts, and nothing is touched on refusal. */
#include "../../examples/vote/redis_url.c"

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

#define TEXT_BYTES_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_text(const char *part)
{
    GH_ASSERT(memchr(part, '\0', REDIS_URL_PART_BYTES_MAX + 1) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES_MAX + 1];
    if (size > TEXT_BYTES_MAX)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct redis_url url = {.port = -1, .database = -1};
    if (!redis_url_parse(text, &url)) {
        GH_ASSERT(url.port == -1 && url.database == -1 && !url.host[0] && !url.password[0]);
        return 0;
    }
    expect_text(url.path);
    expect_text(url.host);
    expect_text(url.user);
    expect_text(url.password);
    GH_ASSERT((url.path[0] == '/') != (url.host[0] != '\0'));
    GH_ASSERT(url.port > 0 && url.port <= PORT_MAX);
    GH_ASSERT(url.database >= 0 && url.database <= DATABASE_MAX);
    return 0;
}
