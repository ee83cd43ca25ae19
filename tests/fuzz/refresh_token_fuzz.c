/* Refresh tokens: what is read has one text only, and says what it was made of. */
#include "base/assert.h"
#include "base/base64.h"
#include "identity/refresh_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct gh_str text)
{
    static const uint8_t SECRET[GH_KEY_BYTES] = {7};
    struct gh_refresh_token token, again;
    struct gh_arena arena;
    uint8_t bytes[GH_REFRESH_TOKEN_BYTES], copy[GH_REFRESH_TOKEN_BYTES];
    size_t len;
    if (!gh_refresh_token_parse(text, &token))
        return;
    gh_arena_init(&arena, 4096, 64 * 1024);
    struct gh_str made = gh_refresh_token_make(&arena, &token.family, SECRET, token.counter);
    GH_ASSERT(made.ptr && gh_refresh_token_parse(made, &again));
    GH_ASSERT(again.counter == token.counter);
    GH_ASSERT(strcmp(again.family.text, token.family.text) == 0);
    GH_ASSERT(gh_refresh_token_is_of(&again, SECRET));
    /* all but the mac is the same: nothing of the text was passed over */
    GH_ASSERT(gh_base64url_decode(text, bytes, sizeof(bytes), &len));
    GH_ASSERT(gh_base64url_decode(made, copy, sizeof(copy), &len));
    GH_ASSERT(memcmp(bytes, copy, GH_REFRESH_TOKEN_BYTES - GH_SHA256_BYTES) == 0);
    GH_ASSERT(gh_refresh_token_is_of(&token, SECRET) == gh_str_eq(text, made));
    gh_arena_done(&arena);
}

/* As it is, and as the bytes of a token (the parser would seldom see one otherwise). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char memory[GH_REFRESH_TOKEN_LEN];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    gh_crypto_init();
    check(gh_str_of((const char *)data, size));
    if (size > GH_REFRESH_TOKEN_BYTES)
        size = GH_REFRESH_TOKEN_BYTES;
    gh_base64url_put(&text, data, size);
    check(gh_buf_str(&text));
    return 0;
}
