#include "identity/hook.h"

#include "json/writer.h"
#include "token/jwt.h"

#define TOKEN_LIFE_S    60
#define CLAIM_BYTES_MAX 4096
#define BODY_BYTES_MAX  256
#define US_PER_SECOND   1000000u
#define TIMEOUT_MS      20000

struct gh_str gh_hook_token(struct gh_identity_call *call, struct gh_str url, struct gh_str account,
                            const char *purpose, struct gh_str body)
{
    const struct gh_token_key_set *ring = &call->keys->ring;
    struct gh_id token_id = gh_identity_new_id(call);
    uint64_t now_s = call->now_us / US_PER_SECOND;
    uint8_t hash[GH_SHA256_BYTES];
    char hex[2 * GH_SHA256_BYTES], claims[CLAIM_BYTES_MAX];
    struct gh_buf digits = gh_buf_over(hex, sizeof(hex));
    struct gh_buf buf = gh_buf_over(claims, sizeof(claims));
    gh_sha256(body, hash);
    gh_buf_put_hex_bytes(&digits, hash, sizeof(hash));
    gh_buf_put_char(&buf, '{');
    gh_json_put_member(&buf, GH_STR("iss"), call->settings->public_url);
    gh_json_put_member(&buf, GH_STR("aud"), url);
    gh_json_put_member(&buf, GH_STR("sub"), account);
    gh_json_put_member_u64(&buf, GH_STR("iat"), now_s);
    gh_json_put_member_u64(&buf, GH_STR("exp"), now_s + TOKEN_LIFE_S);
    gh_json_put_member(&buf, GH_STR("jti"), gh_id_str(&token_id));
    gh_json_put_member(&buf, GH_STR("purpose"), gh_str_from_c(purpose));
    gh_json_put_member(&buf, GH_STR("body_sha256"), gh_buf_str(&digits));
    gh_buf_put_char(&buf, '}');
    if (buf.overflow || !ring->count)
        return (struct gh_str){NULL, 0};
    return gh_jwt_sign(call->arena, &ring->keys[0], GH_STR("hook+jwt"), gh_buf_str(&buf));
}

bool gh_hook_call(struct gh_identity_call *call, struct gh_arena *arena, struct gh_str url,
                  struct gh_str account, const char *purpose, struct gh_str *out_body)
{
    const struct gh_identity_http *http = &call->identity->http;
    char memory[BODY_BYTES_MAX];
    struct gh_buf body = gh_buf_over(memory, sizeof(memory));
    struct gh_str answer = GH_STR("");
    unsigned status = 0;
    gh_buf_put_char(&body, '{');
    gh_json_put_member(&body, GH_STR("user_id"), account);
    gh_buf_put_char(&body, '}');
    struct gh_str token = gh_hook_token(call, url, account, purpose, gh_buf_str(&body));
    call->why = "the application did not answer: try again later";
    if (body.overflow || !token.ptr || !http->fetch)
        return false;
    if (http->fetch(http->context, arena, url, token, gh_buf_str(&body), TIMEOUT_MS, &status,
                    &answer) != GH_OK ||
        status < 200 || status > 299)
        return false;
    call->why = NULL;
    if (status != 200)
        *out_body = (struct gh_str){NULL, 0};
    else
        *out_body = answer.ptr ? answer : GH_STR("");
    return true;
}
