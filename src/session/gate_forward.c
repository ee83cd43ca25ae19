/* Tokens for the backend. Signing costs more than a request does, so they are used again. */
#include "json/writer.h"
#include "session/claims.h"
#include "session/gate_state.h"

#define LIFETIME_S       120
#define REUSE_S          60
#define KEY_BYTES_MAX    1024
#define CLAIMS_BYTES_MAX 4096

static const struct gh_str NOTHING = {NULL, 0};

static void put_text(struct gh_buf *buf, struct gh_str text)
{
    uint64_t len = text.len;
    gh_buf_put(buf, gh_str_of((const char *)&len, sizeof(len)));
    gh_buf_put(buf, text);
}

/* All that the claims are made of, but the time. */
static void put_key(struct gh_buf *buf, const struct gh_subject *subject)
{
    uint64_t numbers[] = {subject->roles, subject->authenticated_s, subject->two_factor};
    gh_buf_put(buf, gh_str_of((const char *)numbers, sizeof(numbers)));
    put_text(buf, subject->session_id);
    put_text(buf, subject->id);
    put_text(buf, subject->issuer);
    put_text(buf, subject->email);
}

static void put_claims(struct gh_buf *buf, const struct gh_gate_rules *rules,
                       const struct gh_subject *subject, uint64_t now_s)
{
    gh_buf_put_char(buf, '{');
    gh_json_put_member(buf, GH_STR("iss"), rules->issuer);
    gh_json_put_member(buf, GH_STR("aud"), rules->audience);
    gh_json_put_member(buf, GH_STR("sub"), subject->id);
    if (subject->issuer.len) {
        gh_json_put_name(buf, GH_STR("sub_id"));
        gh_buf_put_char(buf, '{');
        gh_json_put_member(buf, GH_STR("format"), GH_STR("iss_sub"));
        gh_json_put_member(buf, GH_STR("iss"), subject->issuer);
        gh_json_put_member(buf, GH_STR("sub"), subject->id);
        gh_buf_put_char(buf, '}');
    }
    if (subject->session_id.len)
        gh_json_put_member(buf, GH_STR("sid"), subject->session_id);
    gh_json_put_member_u64(buf, GH_STR("iat"), now_s);
    gh_json_put_member_u64(buf, GH_STR("exp"), now_s + LIFETIME_S);
    gh_claims_put_subject(buf, &rules->roles, subject);
    gh_buf_put_char(buf, '}');
}

static struct gh_str make_token(struct gh_arena *arena, const struct gh_gate_rules *rules,
                                const struct gh_subject *subject, uint64_t now_s)
{
    char memory[CLAIMS_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    put_claims(&buf, rules, subject, now_s);
    if (buf.overflow || rules->bearer_keys.count == 0)
        return NOTHING;
    return gh_jwt_sign(arena, &rules->bearer_keys.keys[0], GH_STR("JWT"), gh_buf_str(&buf));
}

static void remember(struct gh_gate *gate, struct gh_str key, struct gh_str token, uint64_t now_s)
{
    char *rest;
    struct gh_gate_entry *entry = gh_gate_cache_add(&gate->forwarded, 0, key, token.len, &rest);
    if (!entry)
        return;
    memcpy(rest, token.ptr, token.len);
    entry->token = gh_str_of(rest, token.len);
    entry->issued_s = now_s;
}

struct gh_str gh_gate_forward_token(struct gh_gate *gate, struct gh_arena *arena,
                                    const struct gh_gate_rules *rules,
                                    const struct gh_subject *subject, uint64_t now_s)
{
    char memory[KEY_BYTES_MAX];
    struct gh_buf key = gh_buf_over(memory, sizeof(memory));
    gh_gate_follow(gate, rules);
    put_key(&key, subject);
    struct gh_gate_entry *entry =
        key.overflow ? NULL : gh_gate_cache_find(&gate->forwarded, 0, gh_buf_str(&key));
    if (entry && now_s >= entry->issued_s && now_s - entry->issued_s < REUSE_S)
        return gh_arena_dup(arena, entry->token);
    if (entry)
        gh_gate_cache_drop(entry);
    struct gh_str token = make_token(arena, rules, subject, now_s);
    if (token.ptr && !key.overflow)
        remember(gate, gh_buf_str(&key), token, now_s);
    return token;
}
