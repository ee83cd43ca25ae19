/*
 * Fernet tokens. Properties: what opens begins with the version's byte and is shorter than its
 * token; with a byte of it changed it does not open any more; a key that parses is 32 bytes. The
 * first byte of the input says whether the rest is signed first, so that what is behind the
 * signature is reached.
 */
#include "base/assert.h"
#include "base/base64.h"
#include "crypto/fernet.h"
#include "crypto/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 1024, MAC_BYTES = GH_SHA256_BYTES };

static const struct gh_fernet_key KEYS[] = {{{1}}, {{"0123456789abcdef0123456789abcde"}}};

static struct gh_str signed_token(const uint8_t *data, size_t size, char *text, size_t cap)
{
    uint8_t raw[INPUT_BYTES_MAX + MAC_BYTES];
    struct gh_buf buf = gh_buf_over(text, cap);
    memcpy(raw, data, size);
    gh_hmac_sha256(gh_str_of((const char *)KEYS[1].bytes, 16), gh_str_of((const char *)raw, size),
                   raw + size);
    gh_base64url_put(&buf, raw, size + MAC_BYTES);
    return gh_buf_str(&buf);
}

static void check(struct gh_arena *arena, struct gh_str token)
{
    struct gh_str plain = gh_fernet_open(arena, KEYS, 2, token);
    if (!plain.ptr)
        return;
    GH_ASSERT(plain.len < token.len && token.ptr[0] == 'g');
    GH_ASSERT(!gh_fernet_open(arena, KEYS, 1, token).ptr);
    struct gh_str changed = gh_arena_dup(arena, token);
    char *at = (char *)changed.ptr + changed.len / 2;
    *at = *at == 'A' ? 'B' : 'A';
    GH_ASSERT(!gh_fernet_open(arena, KEYS, 2, changed).ptr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[GH_BASE64URL_LEN(INPUT_BYTES_MAX + MAC_BYTES)];
    struct gh_fernet_key key;
    struct gh_arena arena;
    if (size == 0 || size > INPUT_BYTES_MAX)
        return 0;
    gh_crypto_init();
    gh_arena_init(&arena, 4096, 1 << 20);
    struct gh_str input = gh_str_of((const char *)data + 1, size - 1);
    check(&arena, data[0] & 1 ? signed_token(data + 1, size - 1, text, sizeof(text)) : input);
    if (gh_fernet_key_parse(input, &key))
        GH_ASSERT(input.len == 43 || input.len == 44);
    gh_arena_done(&arena);
    return 0;
}
