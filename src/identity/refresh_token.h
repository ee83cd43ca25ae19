/*
 * Refresh tokens as texts: base64url of the family's id (16 bytes), a counter (8 bytes, big-endian)
 * and HMAC-SHA256 of the counter under the family's secret (32 bytes). What they are good for is
 * decided in sessions.c.
 */
#ifndef GH_IDENTITY_REFRESH_TOKEN_H
#define GH_IDENTITY_REFRESH_TOKEN_H

#include "base/arena.h"
#include "crypto/hash.h"
#include "session/subject.h"

#define GH_REFRESH_TOKEN_BYTES 56
#define GH_REFRESH_TOKEN_LEN   75 /* characters */

struct gh_refresh_token {
    struct gh_id family;
    uint64_t counter;
    uint8_t mac[GH_SHA256_BYTES];
};

/* Computed, not drawn: the same for the same counter. ptr NULL: the arena is full. */
struct gh_str gh_refresh_token_make(struct gh_arena *arena, const struct gh_id *family,
                                    const uint8_t secret[GH_KEY_BYTES], uint64_t counter);
/* False: not of that form (one text for one token). Says nothing about its mac. */
bool gh_refresh_token_parse(struct gh_str text, struct gh_refresh_token *out_token);
bool gh_refresh_token_is_of(const struct gh_refresh_token *token,
                            const uint8_t secret[GH_KEY_BYTES]);

#endif
