/*
 * The gate over a life: each pair of bytes is a step (a token is shown, a session revoked, time
 * goes on, the rules change), and a simple model says what has to come out. What is remembered must
 * never answer otherwise than a gate that remembers nothing.
 */
#include "base/assert.h"
#include "session/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW 1700000000u
enum { SESSIONS = 8, STEPS_MAX = 64 };

static const struct gh_str NAMES[] = {GH_STR_INIT("user"), GH_STR_INIT("admin")};
static const struct gh_token_key COOKIE_KEYS[2] = {
    {.alg = GH_TOKEN_HS256, .secret = GH_STR_INIT("0123456789abcdef0123456789abcdef")},
    {.alg = GH_TOKEN_HS256, .secret = GH_STR_INIT("fedcba9876543210fedcba9876543210")}};
static const struct gh_token_key BEARER_KEY = {
    .alg = GH_TOKEN_HS256, .secret = GH_STR_INIT("another secret of thirty-two bytes")};

struct life {
    struct gh_arena arena;
    struct gh_gate *gate, *forgetful; /* the second gets new rules before each token */
    struct gh_revocations *revocations;
    struct gh_gate_rules rules;
    uint64_t now_s, forgetful_epoch;
    bool revoked[SESSIONS];
};

static struct gh_str session_name(unsigned n)
{
    static const char TEXT[] = "s0s1s2s3s4s5s6s7";
    return gh_str_of(TEXT + n % SESSIONS * 2, 2);
}

/* Issued and expiring at set times, so that the same step makes the same token. */
static struct gh_str make_token(struct life *life, uint8_t what, enum gh_credential made_for)
{
    struct gh_access_claims claims = {
        .subject = {.id = GH_STR("u"),
                    .session_id = session_name(what),
                    .roles = what >> 3 & 3,
                    .expires_s = NOW + 60 + (what >> 5) * 20u},
        .issuer = GH_STR("https://a.example"),
        .audience = what >> 6 == 3 ? GH_STR("other") : GH_STR("api"),
        .issued_s = NOW - 100,
    };
    const struct gh_token_key *key =
        made_for == GH_CREDENTIAL_COOKIE ? &COOKIE_KEYS[0] : &BEARER_KEY;
    struct gh_str token = gh_access_token_make(&life->arena, key, &life->rules.roles, &claims);
    GH_ASSERT(token.ptr);
    return token;
}

static enum gh_gate_status judge_both(struct life *life, enum gh_credential kind,
                                      struct gh_str token)
{
    struct gh_subject one = {.roles = 0}, other = {.roles = 0};
    struct gh_gate_rules fresh = life->rules;
    fresh.epoch = ++life->forgetful_epoch;
    enum gh_gate_status status =
        gh_gate_judge(life->gate, &life->arena, &life->rules, kind, token, 1, life->now_s, &one);
    GH_ASSERT(gh_gate_judge(life->forgetful, &life->arena, &fresh, kind, token, 1, life->now_s,
                            &other) == status);
    GH_ASSERT(status != GH_GATE_BUDGET); /* no public keys here */
    if (status == GH_GATE_OK) {
        GH_ASSERT(gh_str_eq(one.session_id, other.session_id) && one.roles == other.roles);
        GH_ASSERT(one.expires_s == other.expires_s);
    }
    return status;
}

static void show(struct life *life, uint8_t how, uint8_t what)
{
    enum gh_credential made_for = how & 1 ? GH_CREDENTIAL_BEARER : GH_CREDENTIAL_COOKIE;
    enum gh_credential shown_as = how & 2 ? GH_CREDENTIAL_BEARER : GH_CREDENTIAL_COOKIE;
    struct gh_str token = make_token(life, what, made_for);
    if (how & 4) { /* one bit changed */
        ((char *)token.ptr)[(size_t)how * what % token.len] ^= 1;
        GH_ASSERT(judge_both(life, shown_as, token) != GH_GATE_OK);
        return;
    }
    enum gh_gate_status status = judge_both(life, shown_as, token);
    bool knows_key =
        shown_as == GH_CREDENTIAL_BEARER || life->rules.cookie_keys.keys == &COOKIE_KEYS[0];
    if (made_for != shown_as || !knows_key)
        GH_ASSERT(status == GH_GATE_BAD);
    else if (life->now_s >= NOW + 60 + (what >> 5) * 20u)
        GH_ASSERT(status == GH_GATE_EXPIRED);
    else if (what >> 6 == 3)
        GH_ASSERT(status == GH_GATE_BAD);
    else
        GH_ASSERT(status == (life->revoked[what % SESSIONS] ? GH_GATE_REVOKED : GH_GATE_OK));
}

static void change_keys(struct life *life, uint8_t which)
{
    life->rules.cookie_keys = (struct gh_token_key_set){&COOKIE_KEYS[which & 1], 1};
    life->rules.epoch++;
}

static void step(struct life *life, uint8_t what, uint8_t with)
{
    switch (what % 16) {
    case 0:
        gh_revocations_add(life->revocations, session_name(with), NOW + 1000, life->now_s);
        life->revoked[with % SESSIONS] = true;
        return;
    case 1:
        life->now_s += with % 32;
        return;
    case 2:
        change_keys(life, with);
        return;
    }
    show(life, what / 16, with);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct life life = {.now_s = NOW,
                        .rules = {.cookie_keys = {&COOKIE_KEYS[0], 1},
                                  .bearer_keys = {&BEARER_KEY, 1},
                                  .roles = {NAMES, 2},
                                  .issuer = GH_STR("https://a.example"),
                                  .audience = GH_STR("api"),
                                  .epoch = 1}};
    gh_crypto_init();
    gh_arena_init(&life.arena, 1 << 16, 1 << 24);
    life.revocations = gh_revocations_new(1024, (struct gh_hash_key){1, 2});
    life.gate = gh_gate_new(life.revocations, (struct gh_hash_key){3, 4});
    life.forgetful = gh_gate_new(life.revocations, (struct gh_hash_key){3, 4});
    for (size_t i = 0; i + 1 < size && i / 2 < STEPS_MAX; i += 2)
        step(&life, data[i], data[i + 1]);
    GH_ASSERT(gh_gate_counts(life.forgetful).hits == 0);
    gh_gate_free(life.forgetful);
    gh_gate_free(life.gate);
    gh_revocations_free(life.revocations);
    gh_arena_done(&life.arena);
    return 0;
}
