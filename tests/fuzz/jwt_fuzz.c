/*
 * JWTs, twice for each input: as it is, and its first two lines as header and claims of a token
 * under our secret, which carries the fuzzer past the signature. Properties: what is accepted is
 * byte for byte the canonical encoding of its parts with the right MAC; its times and subject are
 * as asked for; signing its claims again gives a token that is accepted too; with another secret,
 * one byte more or one byte less it is not.
 */
#include "base/assert.h"
#include "base/base64.h"
#include "token/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 6000, TOKEN_BYTES_MAX = 2 * GH_JWT_BYTES_MAX, NOW = 1700000000 };

static const struct gh_token_key KEY = {.alg = GH_TOKEN_HS256,
                                        .kid = GH_STR_INIT("k"),
                                        .secret = GH_STR_INIT("01234567890123456789012345678901")};
static const struct gh_token_key OTHER = {.alg = GH_TOKEN_HS256,
                                          .kid = GH_STR_INIT("k"),
                                          .secret =
                                              GH_STR_INIT("01234567890123456789012345678902")};
static const struct gh_token_key_set KEYS = {&KEY, 1};
static const struct gh_token_key_set OTHER_KEYS = {&OTHER, 1};

static void put_mac(struct gh_buf *buf)
{
    uint8_t mac[GH_SHA256_BYTES];
    gh_hmac_sha256(KEY.secret, gh_buf_str(buf), mac);
    gh_buf_put_char(buf, '.');
    gh_base64url_put(buf, mac, sizeof(mac));
}

/* Header text from the token's own first part, payload as it was decoded, and a MAC over them. */
static void check_canonical(struct gh_str token, struct gh_str payload)
{
    static char memory[TOKEN_BYTES_MAX];
    uint8_t header[GH_JWT_BYTES_MAX];
    size_t header_len;
    struct gh_str rest = token;
    GH_ASSERT(gh_base64url_decode(gh_str_split(&rest, '.'), header, sizeof(header), &header_len));
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_base64url_put(&buf, header, header_len);
    gh_buf_put_char(&buf, '.');
    gh_base64url_put(&buf, (const uint8_t *)payload.ptr, payload.len);
    put_mac(&buf);
    GH_ASSERT(!buf.overflow && gh_str_eq(gh_buf_str(&buf), token));
}

static void check_neighbours(struct gh_arena *arena, struct gh_str token)
{
    char longer[GH_JWT_BYTES_MAX + 1];
    struct gh_jwt_expect expect = {.keys = &OTHER_KEYS, .now_s = NOW};
    struct gh_jwt jwt;
    GH_ASSERT(gh_jwt_verify(arena, token, &expect, &jwt) == GH_JWT_SIGNATURE);
    expect.keys = &KEYS;
    memcpy(longer, token.ptr, token.len);
    longer[token.len] = 'A';
    GH_ASSERT(gh_jwt_verify(arena, gh_str_of(longer, token.len + 1), &expect, &jwt) != GH_JWT_OK);
    GH_ASSERT(gh_jwt_verify(arena, gh_str_first(token, token.len - 1), &expect, &jwt) != GH_JWT_OK);
}

static void check_claims(const struct gh_jwt *jwt)
{
    GH_ASSERT(jwt->key == &KEY && jwt->issued_s >= 0 && jwt->issued_s <= NOW);
    GH_ASSERT(jwt->expires_s == 0 || jwt->expires_s > NOW);
    for (size_t i = 0; i < jwt->subject.len; i++)
        GH_ASSERT((uint8_t)jwt->subject.ptr[i] >= 0x20);
    GH_ASSERT(!gh_json_get(&jwt->header, gh_json_root(&jwt->header), GH_STR("crit")));
}

static void check(struct gh_str token)
{
    struct gh_arena arena;
    struct gh_jwt_expect expect = {.keys = &KEYS, .now_s = NOW};
    struct gh_jwt jwt;
    struct gh_jws jws;
    gh_arena_init(&arena, 1 << 16, 1 << 26);
    bool whole = gh_jws_verify(&arena, token, &KEYS, GH_STR(""), &jws) == GH_JWT_OK;
    bool accepted = gh_jwt_verify(&arena, token, &expect, &jwt) == GH_JWT_OK;
    GH_ASSERT(whole || !accepted);
    if (whole)
        check_canonical(token, jws.payload);
    if (accepted) {
        check_claims(&jwt);
        check_neighbours(&arena, token);
        struct gh_str again = gh_jwt_sign(&arena, &KEY, GH_STR("at+jwt"), jws.payload);
        expect.typ = GH_STR("at+jwt");
        GH_ASSERT(!again.ptr || gh_jwt_verify(&arena, again, &expect, &jwt) == GH_JWT_OK);
    }
    gh_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char memory[TOKEN_BYTES_MAX];
    if (size > INPUT_BYTES_MAX)
        return 0;
    gh_crypto_init();
    struct gh_str text = {(const char *)data, size};
    check(text);
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    size_t line = gh_str_find_char(text, '\n');
    struct gh_str claims = gh_str_skip(text, line + 1);
    gh_base64url_put(&buf, data, line);
    gh_buf_put_char(&buf, '.');
    gh_base64url_put(&buf, (const uint8_t *)claims.ptr, claims.len);
    put_mac(&buf);
    check(gh_buf_str(&buf));
    return 0;
}
