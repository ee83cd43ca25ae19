#include "identity/refresh_token.h"

#include "base/base64.h"
#include "base/num.h"

#define FAMILY_BYTES  16
#define COUNTER_BYTES 8
_Static_assert(FAMILY_BYTES + COUNTER_BYTES + GH_SHA256_BYTES == GH_REFRESH_TOKEN_BYTES,
               "its parts");
_Static_assert(GH_BASE64URL_LEN(GH_REFRESH_TOKEN_BYTES) == GH_REFRESH_TOKEN_LEN, "its text");

/* The bytes of an id, which is well-formed. */
static void id_bytes(const struct gh_id *id, uint8_t out[FAMILY_BYTES])
{
    size_t count = 0;
    for (size_t i = 0; i + 1 < GH_ID_LEN && count < FAMILY_BYTES; i += 2) {
        if (id->text[i] == '-')
            i++;
        out[count++] =
            (uint8_t)(gh_num_hex_digit(id->text[i]) << 4 | gh_num_hex_digit(id->text[i + 1]));
    }
}

static void counter_mac(const uint8_t secret[GH_KEY_BYTES], const uint8_t counter[COUNTER_BYTES],
                        uint8_t out[GH_SHA256_BYTES])
{
    gh_hmac_sha256(gh_str_of((const char *)secret, GH_KEY_BYTES),
                   gh_str_of((const char *)counter, COUNTER_BYTES), out);
}

static void put_counter(uint64_t counter, uint8_t out[COUNTER_BYTES])
{
    for (unsigned i = 0; i < COUNTER_BYTES; i++)
        out[i] = (uint8_t)(counter >> (56 - 8 * i));
}

struct gh_str gh_refresh_token_make(struct gh_arena *arena, const struct gh_id *family,
                                    const uint8_t secret[GH_KEY_BYTES], uint64_t counter)
{
    uint8_t bytes[GH_REFRESH_TOKEN_BYTES];
    char *text = gh_arena_alloc(arena, GH_REFRESH_TOKEN_LEN);
    if (!text)
        return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(text, GH_REFRESH_TOKEN_LEN);
    id_bytes(family, bytes);
    put_counter(counter, bytes + FAMILY_BYTES);
    counter_mac(secret, bytes + FAMILY_BYTES, bytes + FAMILY_BYTES + COUNTER_BYTES);
    gh_base64url_put(&buf, bytes, sizeof(bytes));
    gh_wipe(bytes, sizeof(bytes));
    return gh_buf_str(&buf);
}

bool gh_refresh_token_parse(struct gh_str text, struct gh_refresh_token *out_token)
{
    uint8_t bytes[GH_REFRESH_TOKEN_BYTES], again[FAMILY_BYTES];
    size_t len;
    if (!gh_base64url_decode(text, bytes, sizeof(bytes), &len) || len != sizeof(bytes))
        return false;
    struct gh_refresh_token token = {.family = gh_id_make(bytes)};
    id_bytes(&token.family, again);
    if (memcmp(bytes, again, sizeof(again)) != 0) /* bits that an id has always set otherwise */
        return false;
    for (unsigned i = 0; i < COUNTER_BYTES; i++)
        token.counter = token.counter << 8 | bytes[FAMILY_BYTES + i];
    memcpy(token.mac, bytes + FAMILY_BYTES + COUNTER_BYTES, sizeof(token.mac));
    *out_token = token;
    return true;
}

bool gh_refresh_token_is_of(const struct gh_refresh_token *token,
                            const uint8_t secret[GH_KEY_BYTES])
{
    uint8_t counter[COUNTER_BYTES], mac[GH_SHA256_BYTES];
    put_counter(token->counter, counter);
    counter_mac(secret, counter, mac);
    return gh_secret_eq(gh_str_of((const char *)mac, sizeof(mac)),
                        gh_str_of((const char *)token->mac, sizeof(token->mac)));
}
