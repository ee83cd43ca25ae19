#include "gateway/websocket.h"

#include "base/assert.h"
#include "base/base64.h"
#include "crypto/hash.h"

#define KEY_BYTES     16
#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
#define GUID          GH_STR("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")

/* With the alphabet and the padding of RFC 4648 section 4. */
static struct gh_str base64(struct gh_arena *arena, const uint8_t *bytes, size_t count)
{
    size_t len = BASE64_LEN(count);
    char *memory = gh_arena_alloc(arena, len);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf text = gh_buf_over(memory, len);
    gh_base64url_put(&text, bytes, count);
    for (size_t i = 0; i < text.len; i++) {
        if (memory[i] == '-')
            memory[i] = '+';
        else if (memory[i] == '_')
            memory[i] = '/';
    }
    while (text.len < len)
        gh_buf_put_char(&text, '=');
    GH_ASSERT(!text.overflow);
    return gh_buf_str(&text);
}

bool gh_websocket_challenge(struct gh_worker *worker, struct gh_request *request)
{
    uint8_t random[KEY_BYTES], digest[GH_SHA1_BYTES];
    char memory[BASE64_LEN(KEY_BYTES) + 36];
    struct gh_buf both = gh_buf_over(memory, sizeof(memory));
    gh_worker_random(worker, random);
    request->websocket_key = base64(request->arena, random, sizeof(random));
    if (!request->websocket_key.ptr)
        return false;
    gh_buf_put(&both, request->websocket_key);
    gh_buf_put(&both, GUID);
    GH_ASSERT(!both.overflow);
    gh_sha1(gh_buf_str(&both), digest);
    request->websocket_accept = base64(request->arena, digest, sizeof(digest));
    return request->websocket_accept.ptr;
}
