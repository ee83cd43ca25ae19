#include "session/gate.h"

#include "base/base64.h"
#include "crypto/hash.h"
#include "json/writer.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW          1700000000u
#define CLIENT       7
#define OURS         GH_STR("https://api.example.com")
#define IDP          GH_STR("https://idp.example.org")

enum { COOKIE_KEY, RING_KEY, IDP_ED, IDP_RS, IDP_ES, KEY_COUNT };

static struct gh_arena arena;
static struct gh_token_key keys[KEY_COUNT];
static const struct gh_token_key_set idp_keys = {&keys[IDP_ED], 3};
static struct gh_gate_issuer issuer;
static struct gh_gate_rules rules;
static struct gh_revocations *revocations;
static struct gh_gate *gate;
static struct gh_subject subject;
static const struct gh_str NAMES[] = {GH_STR_INIT("user"), GH_STR_INIT("admin")};

static int make_keys(void **state)
{
    keys[COOKIE_KEY] = (struct gh_token_key){.alg = GH_TOKEN_HS256,
                                             .secret = GH_STR("0123456789abcdef0123456789abcdef")};
    keys[RING_KEY] = (struct gh_token_key){
        .alg = GH_TOKEN_EDDSA, .kid = GH_STR("ring"), .pkey = gh_pkey_generate(GH_PKEY_ED25519)};
    keys[IDP_ED] = (struct gh_token_key){
        .alg = GH_TOKEN_EDDSA, .kid = GH_STR("ed"), .pkey = gh_pkey_generate(GH_PKEY_ED25519)};
    keys[IDP_RS] = (struct gh_token_key){
        .alg = GH_TOKEN_RS256, .kid = GH_STR("rs"), .pkey = gh_pkey_generate(GH_PKEY_RS256)};
    keys[IDP_ES] = (struct gh_token_key){
        .alg = GH_TOKEN_ES256, .kid = GH_STR("es"), .pkey = gh_pkey_generate(GH_PKEY_ES256)};
    return 0;
}

static int drop_keys(void **state)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        gh_pkey_unref(keys[i].pkey);
    return 0;
}

static int set_up(void **state)
{
    gh_arena_init(&arena, 1 << 14, 1 << 26);
    issuer = (struct gh_gate_issuer){.issuer = IDP,
                                     .audience = GH_STR("api"),
                                     .keys = &idp_keys,
                                     .algorithms = 1u << GH_TOKEN_EDDSA | 1u << GH_TOKEN_RS256,
                                     .roles_claim = GH_STR("groups")};
    rules = (struct gh_gate_rules){.cookie_keys = {&keys[COOKIE_KEY], 1},
                                   .bearer_keys = {&keys[RING_KEY], 1},
                                   .roles = {NAMES, 2},
                                   .issuer = OURS,
                                   .audience = GH_STR("api"),
                                   .issuers = &issuer,
                                   .issuer_count = 1,
                                   .leeway_s = 5,
                                   .epoch = 1};
    revocations = gh_revocations_new(64, (struct gh_hash_key){1, 2});
    gate = gh_gate_new(revocations, (struct gh_hash_key){3, 4});
    subject = (struct gh_subject){.roles = 99};
    assert_non_null(gate);
    return 0;
}

static int tear_down(void **state)
{
    gh_gate_free(gate);
    gh_revocations_free(revocations);
    gh_arena_done(&arena);
    return 0;
}

static struct gh_access_claims claims_of(const char *session)
{
    return (struct gh_access_claims){
        .subject = {.id = GH_STR("u1"),
                    .session_id = gh_str_from_c(session),
                    .email = GH_STR("jane@example.com"),
                    .roles = 1,
                    .authenticated_s = NOW - 10,
                    .expires_s = NOW + 900},
        .issuer = OURS,
        .audience = GH_STR("api"),
        .issued_s = NOW,
    };
}

static struct gh_str token_of(size_t key, const struct gh_access_claims *claims)
{
    struct gh_str token = gh_access_token_make(&arena, &keys[key], &rules.roles, claims);
    assert_non_null(token.ptr);
    return token;
}

static struct gh_str cookie_token(const char *session)
{
    struct gh_access_claims claims = claims_of(session);
    return token_of(COOKIE_KEY, &claims);
}

static struct gh_str bearer_token(const char *session)
{
    struct gh_access_claims claims = claims_of(session);
    return token_of(RING_KEY, &claims);
}

static enum gh_gate_status judge_at(enum gh_credential kind, struct gh_str token, uint64_t now_s)
{
    /* In memory of its own, so that nothing can lean on it afterwards. */
    struct gh_arena gone;
    gh_arena_init(&gone, 1, SIZE_MAX / 2);
    struct gh_str copy = gh_arena_dup(&gone, token);
    enum gh_gate_status status =
        gh_gate_judge(gate, &arena, &rules, kind, copy, CLIENT, now_s, &subject);
    gh_arena_done(&gone);
    return status;
}

static enum gh_gate_status cookie(struct gh_str token)
{
    return judge_at(GH_CREDENTIAL_COOKIE, token, NOW);
}

static enum gh_gate_status bearer(struct gh_str token)
{
    return judge_at(GH_CREDENTIAL_BEARER, token, NOW);
}

static struct gh_str foreign_token(size_t key, const char *typ, const char *claims)
{
    struct gh_str token =
        gh_jwt_sign(&arena, &keys[key], gh_str_from_c(typ), gh_str_from_c(claims));
    assert_non_null(token.ptr);
    return token;
}

/* A token with any header, signed by HMAC under any secret. */
static struct gh_str forge(const char *header, struct gh_str payload, struct gh_str secret)
{
    char *memory = gh_arena_alloc(&arena, 4096);
    struct gh_buf buf = gh_buf_over(memory, 4096);
    uint8_t mac[GH_SHA256_BYTES];
    gh_base64url_put(&buf, (const uint8_t *)header, strlen(header));
    gh_buf_put_char(&buf, '.');
    gh_buf_put(&buf, payload);
    gh_hmac_sha256(secret, gh_buf_str(&buf), mac);
    gh_buf_put_char(&buf, '.');
    if (secret.len)
        gh_base64url_put(&buf, mac, sizeof(mac));
    assert_false(buf.overflow);
    return gh_buf_str(&buf);
}

static struct gh_str payload_of(struct gh_str token)
{
    struct gh_str rest = token;
    (void)gh_str_split(&rest, '.');
    return gh_str_split(&rest, '.');
}

/* ---- ours ---- */

static void lets_in_who_shows_our_token(void **state)
{
    assert_int_equal(cookie(cookie_token("s1")), GH_GATE_OK);
    assert_true(gh_str_eq(subject.id, GH_STR("u1")));
    assert_true(gh_str_eq(subject.session_id, GH_STR("s1")));
    assert_true(gh_str_eq(subject.email, GH_STR("jane@example.com")));
    assert_int_equal(subject.issuer.len, 0);
    assert_true(subject.roles == 1);
    assert_int_equal(bearer(bearer_token("s2")), GH_GATE_OK);
    assert_true(gh_str_eq(subject.session_id, GH_STR("s2")));
}

static void a_second_look_is_a_hit_with_the_same_subject(void **state)
{
    struct gh_str token = cookie_token("s1");
    assert_int_equal(cookie(token), GH_GATE_OK);
    struct gh_subject first = subject;
    assert_int_equal(cookie(token), GH_GATE_OK);
    assert_ptr_not_equal(first.id.ptr, subject.id.ptr);
    assert_true(gh_str_eq(first.id, subject.id));
    assert_true(gh_str_eq(first.session_id, subject.session_id));
    assert_true(gh_str_eq(first.email, subject.email));
    assert_true(first.roles == subject.roles && first.expires_s == subject.expires_s);
    struct gh_gate_counts counts = gh_gate_counts(gate);
    assert_int_equal(counts.hits, 1);
    assert_int_equal(counts.verified, 1);
    assert_int_equal(counts.refused, 0);
}

static void a_token_is_good_only_where_it_belongs(void **state)
{
    struct gh_str of_cookie = cookie_token("s1"), of_bearer = bearer_token("s1");
    /* Also when it is remembered from the other place. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bearer(of_cookie), GH_GATE_BAD);
        assert_int_equal(cookie(of_bearer), GH_GATE_BAD);
        assert_int_equal(cookie(of_cookie), GH_GATE_OK);
        assert_int_equal(bearer(of_bearer), GH_GATE_OK);
    }
}

static void refuses_a_changed_token(void **state)
{
    struct gh_str token = cookie_token("s1");
    assert_int_equal(cookie(token), GH_GATE_OK);
    char changed[1024];
    for (size_t i = 0; i < token.len; i++) {
        memcpy(changed, token.ptr, token.len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_equal(cookie(gh_str_of(changed, token.len)), GH_GATE_BAD);
        assert_int_equal(cookie(gh_str_first(token, i)), GH_GATE_BAD);
    }
    assert_int_equal(cookie(gh_str_of("", 0)), GH_GATE_BAD);
    assert_true(subject.roles == 1);
}

static void refuses_an_algorithm_that_is_not_the_keys(void **state)
{
    struct gh_str payload = payload_of(bearer_token("s1"));
    struct gh_str der = gh_pkey_private_der(keys[RING_KEY].pkey, &arena), x, y;
    assert_int_equal(gh_pkey_public_numbers(keys[RING_KEY].pkey, &arena, &x, &y), GH_OK);
    assert_int_equal(bearer(forge("{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"ring\"}", payload,
                                  GH_STR(""))),
                     GH_GATE_BAD);
    assert_int_equal(bearer(forge("{\"alg\":\"None\",\"typ\":\"at+jwt\"}", payload, GH_STR(""))),
                     GH_GATE_BAD);
    assert_int_equal(
        bearer(forge("{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"ring\"}", payload, x)),
        GH_GATE_BAD);
    assert_int_equal(
        bearer(forge("{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"ring\"}", payload, x)),
        GH_GATE_BAD);
    assert_int_equal(bearer(forge("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", payload, der)),
                     GH_GATE_BAD);
    /* The same secret, but another place. */
    payload = payload_of(cookie_token("s1"));
    struct gh_str secret = keys[COOKIE_KEY].secret;
    struct gh_str forged = forge("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", payload, secret);
    assert_int_equal(cookie(forged), GH_GATE_OK);
    assert_int_equal(bearer(forged), GH_GATE_BAD);
    assert_int_equal(cookie(forge("{\"alg\":\"none\",\"typ\":\"at+jwt\"}", payload, GH_STR(""))),
                     GH_GATE_BAD);
    assert_int_equal(cookie(forge("{\"alg\":\"HS256\",\"typ\":\"JWT\"}", payload, secret)),
                     GH_GATE_BAD);
    assert_int_equal(cookie(forge("{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"jku\":\"https://x\"}",
                                  payload, secret)),
                     GH_GATE_BAD);
}

static void refuses_another_issuer_audience_or_time(void **state)
{
    struct gh_access_claims claims = claims_of("s1");
    claims.issuer = GH_STR("https://api.example.org");
    assert_int_equal(cookie(token_of(COOKIE_KEY, &claims)), GH_GATE_BAD);
    assert_int_equal(bearer(token_of(RING_KEY, &claims)), GH_GATE_BAD);
    claims = claims_of("s1");
    claims.audience = GH_STR("backend");
    assert_int_equal(cookie(token_of(COOKIE_KEY, &claims)), GH_GATE_BAD);
    claims = claims_of("s1");
    claims.issued_s = NOW + 60;
    assert_int_equal(cookie(token_of(COOKIE_KEY, &claims)), GH_GATE_BAD);
    claims = claims_of("s1");
    claims.subject.expires_s = NOW - 5;
    assert_int_equal(cookie(token_of(COOKIE_KEY, &claims)), GH_GATE_EXPIRED);
    assert_int_equal(gh_gate_counts(gate).refused, 5);
}

static void rules_that_say_nothing_let_nobody_in(void **state)
{
    struct gh_str token = cookie_token("s1");
    rules.audience = GH_STR("");
    assert_int_equal(cookie(token), GH_GATE_BAD);
    rules.audience = GH_STR("api");
    rules.issuer = GH_STR("");
    assert_int_equal(cookie(token), GH_GATE_BAD);
    rules.issuer = OURS;
    rules.cookie_keys.count = 0;
    assert_int_equal(cookie(token), GH_GATE_BAD);
    issuer.audience = GH_STR("");
    token = foreign_token(IDP_ED, "at+jwt",
                          "{\"iss\":\"https://idp.example.org\",\"aud\":\"api\",\"sub\":\"f\","
                          "\"exp\":1700000900}");
    assert_int_equal(bearer(token), GH_GATE_BAD);
    issuer.audience = GH_STR("api");
    issuer.keys = NULL;
    assert_int_equal(bearer(token), GH_GATE_BAD);
    issuer.keys = &idp_keys;
    assert_int_equal(bearer(token), GH_GATE_OK);
}

/* ---- with time ---- */

/* Made when tokens lived for 15 minutes; revocations are kept for two by now. */
static void tokens_live_no_longer_than_the_settings_of_now_say(void **state)
{
    struct gh_str remembered = cookie_token("s1"), other = cookie_token("s2");
    rules.access_s = 60;
    assert_int_equal(cookie(remembered), GH_GATE_OK);
    assert_int_equal(judge_at(GH_CREDENTIAL_COOKIE, remembered, NOW + 64), GH_GATE_OK);
    assert_int_equal(judge_at(GH_CREDENTIAL_COOKIE, remembered, NOW + 65), GH_GATE_EXPIRED);
    assert_int_equal(judge_at(GH_CREDENTIAL_COOKIE, other, NOW + 65), GH_GATE_EXPIRED);
    struct gh_str foreign = foreign_token(IDP_ED, "at+jwt",
                                          "{\"iss\":\"https://idp.example.org\",\"aud\":\"api\","
                                          "\"exp\":1700000900,\"iat\":1700000000,\"sub\":\"f1\"}");
    assert_int_equal(judge_at(GH_CREDENTIAL_BEARER, foreign, NOW + 65), GH_GATE_OK);
}

static void expiry_is_seen_in_what_is_remembered(void **state)
{
    struct gh_str token = cookie_token("s1");
    assert_int_equal(cookie(token), GH_GATE_OK);
    assert_int_equal(judge_at(GH_CREDENTIAL_COOKIE, token, NOW + 904), GH_GATE_OK);
    assert_int_equal(judge_at(GH_CREDENTIAL_COOKIE, token, NOW + 905), GH_GATE_EXPIRED);
    assert_int_equal(judge_at(GH_CREDENTIAL_COOKIE, token, NOW + 905), GH_GATE_EXPIRED);
    assert_int_equal(gh_gate_counts(gate).hits, 2);
}

static void revocation_is_seen_at_once(void **state)
{
    struct gh_str token = cookie_token("s1"), other = cookie_token("s2");
    assert_int_equal(cookie(token), GH_GATE_OK);
    assert_int_equal(cookie(other), GH_GATE_OK);
    gh_revocations_add(revocations, GH_STR("s1"), NOW + 1000, NOW);
    assert_int_equal(cookie(token), GH_GATE_REVOKED);
    assert_int_equal(cookie(token), GH_GATE_REVOKED);
    assert_int_equal(bearer(bearer_token("s1")), GH_GATE_REVOKED);
    assert_int_equal(cookie(other), GH_GATE_OK);
}

static void folded_sessions_have_to_refresh(void **state)
{
    struct gh_str token = cookie_token("s1");
    char name[32];
    assert_int_equal(cookie(token), GH_GATE_OK);
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "x%d", i);
        gh_revocations_add(revocations, gh_str_from_c(name), NOW + 1000, NOW);
    }
    assert_int_equal(cookie(token), GH_GATE_REVOKED);
    struct gh_access_claims claims = claims_of("s1");
    claims.issued_s = NOW + 6;
    assert_int_equal(judge_at(GH_CREDENTIAL_COOKIE, token_of(COOKIE_KEY, &claims), NOW + 6),
                     GH_GATE_OK);
}

static void another_epoch_forgets_what_was_verified(void **state)
{
    struct gh_str token = bearer_token("s1");
    assert_int_equal(bearer(token), GH_GATE_OK);
    rules.bearer_keys = (struct gh_token_key_set){&keys[IDP_ED], 1};
    assert_int_equal(bearer(token), GH_GATE_OK);
    rules.epoch++;
    assert_int_equal(bearer(token), GH_GATE_BAD);
}

/* ---- other issuers ---- */

#define FOREIGN "\"iss\":\"https://idp.example.org\",\"aud\":[\"x\",\"api\"],\"exp\":1700000900"

static void lets_in_whom_an_issuer_vouches_for(void **state)
{
    struct gh_str token = foreign_token(
        IDP_RS, "JWT",
        "{" FOREIGN ",\"sub\":\"f1\",\"groups\":[\"admin\",\"other\"],\"amr\":[\"mfa\"],"
        "\"email\":\"f@example.org\",\"email_verified\":true,\"auth_time\":1699990000,"
        "\"sid\":\"s1\"}");
    assert_int_equal(bearer(token), GH_GATE_OK);
    assert_true(gh_str_eq(subject.id, GH_STR("f1")));
    assert_true(gh_str_eq(subject.issuer, IDP));
    assert_true(gh_str_eq(subject.email, GH_STR("f@example.org")));
    /* Its sessions are not ours. */
    assert_int_equal(subject.session_id.len, 0);
    assert_true(subject.roles == 2);
    assert_true(subject.two_factor);
    assert_false(subject.must_enrol);
    assert_int_equal(subject.authenticated_s, 1699990000);
    gh_revocations_add(revocations, GH_STR("s1"), NOW + 1000, NOW);
    assert_int_equal(bearer(token), GH_GATE_OK);
    assert_true(gh_str_eq(subject.issuer, IDP));
    assert_int_equal(gh_gate_counts(gate).hits, 1);
}

static void believes_another_issuer_no_more_than_configured(void **state)
{
    assert_int_equal(bearer(foreign_token(IDP_ED, "",
                                          "{" FOREIGN ",\"sub\":\"f1\",\"groups\":\"x admin\","
                                          "\"email\":\"f@example.org\",\"amr\":[\"otp\"]}")),
                     GH_GATE_OK);
    assert_true(subject.roles == 2);
    assert_int_equal(subject.email.len, 0);
    assert_false(subject.two_factor);
    issuer.roles_claim = GH_STR("");
    assert_int_equal(bearer(foreign_token(IDP_ED, "",
                                          "{" FOREIGN ",\"sub\":\"f2\",\"roles\":[\"admin\"],"
                                          "\"email\":\"a@b@example.org\",\"email_verified\":true,"
                                          "\"\":[\"admin\"],\"enrol\":true}")),
                     GH_GATE_OK);
    assert_true(subject.roles == 0);
    assert_int_equal(subject.email.len, 0);
    assert_false(subject.must_enrol);
}

static void refuses_what_no_issuer_of_ours_signed(void **state)
{
    static const char good[] = "{" FOREIGN ",\"sub\":\"f1\"}";
    assert_int_equal(bearer(foreign_token(IDP_ED, "at+jwt", good)), GH_GATE_OK);
    /* A key of theirs, but not an algorithm that is configured. */
    assert_int_equal(bearer(foreign_token(IDP_ES, "at+jwt", good)), GH_GATE_BAD);
    /* Our keys, their name, and the other way round. */
    assert_int_equal(bearer(foreign_token(RING_KEY, "at+jwt", good)), GH_GATE_BAD);
    assert_int_equal(bearer(foreign_token(COOKIE_KEY, "at+jwt", good)), GH_GATE_BAD);
    struct gh_access_claims claims = claims_of("s1");
    assert_int_equal(bearer(token_of(IDP_ED, &claims)), GH_GATE_BAD);
    /* In a cookie only ours count. */
    assert_int_equal(cookie(foreign_token(IDP_ED, "at+jwt", good)), GH_GATE_BAD);
    static const char *const types[] = {"logout+jwt", "dpop+jwt", "secevent+jwt", "x"};
    for (size_t i = 0; i < COUNT(types); i++)
        assert_int_equal(bearer(foreign_token(IDP_ED, types[i], good)), GH_GATE_BAD);
    static const char *const bad[] = {
        "{" FOREIGN "}",
        "{" FOREIGN ",\"sub\":\"\"}",
        "{" FOREIGN ",\"sub\":\"f1\",\"auth_time\":\"x\"}",
        "{\"aud\":\"api\",\"exp\":1700000900,\"sub\":\"f1\"}",
        "{\"iss\":\"\",\"aud\":\"api\",\"exp\":1700000900,\"sub\":\"f1\"}",
        "{\"iss\":[\"https://idp.example.org\"],\"aud\":\"api\",\"exp\":1700000900,\"sub\":\"f\"}",
        "{\"iss\":\"https://idp.example.org/\",\"aud\":\"api\",\"exp\":1700000900,\"sub\":\"f\"}",
        "{\"iss\":\"https://idp.example.org\",\"aud\":\"x\",\"exp\":1700000900,\"sub\":\"f1\"}",
        "{\"iss\":\"https://idp.example.org\",\"exp\":1700000900,\"sub\":\"f1\"}",
        "{\"iss\":\"https://idp.example.org\",\"aud\":\"api\",\"sub\":\"f1\"}",
        "[]",
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        if (bearer(foreign_token(IDP_ED, "at+jwt", bad[i])) != GH_GATE_BAD)
            fail_msg("%s", bad[i]);
    assert_int_equal(bearer(foreign_token(IDP_ED, "at+jwt",
                                          "{\"iss\":\"https://idp.example.org\",\"aud\":\"api\","
                                          "\"exp\":1600000000,\"sub\":\"f1\"}")),
                     GH_GATE_EXPIRED);
}

/* ---- budget ---- */

static enum gh_gate_status judge_from(uint64_t client, struct gh_str token, uint64_t now_s)
{
    return gh_gate_judge(gate, &arena, &rules, GH_CREDENTIAL_BEARER, token, client, now_s,
                         &subject);
}

/* A good token with another signature. */
static struct gh_str forged_bearer(void)
{
    struct gh_str token = bearer_token("forged");
    char *copy = gh_arena_alloc(&arena, token.len);
    memcpy(copy, token.ptr, token.len);
    copy[token.len - 10] = copy[token.len - 10] == 'A' ? 'B' : 'A';
    return gh_str_of(copy, token.len);
}

static void a_client_may_fail_twenty_times_a_minute(void **state)
{
    struct gh_str forged = forged_bearer(), known = bearer_token("s1"), other = bearer_token("s2");
    assert_int_equal(judge_from(1, known, NOW), GH_GATE_OK);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(judge_from(1, forged, NOW + i), GH_GATE_BAD);
    assert_int_equal(judge_from(1, forged, NOW + 59), GH_GATE_BUDGET);
    assert_int_equal(judge_from(1, other, NOW + 59), GH_GATE_BUDGET);
    /* What was verified before needs no budget, and others have their own. */
    assert_int_equal(judge_from(1, known, NOW + 59), GH_GATE_OK);
    assert_int_equal(judge_from(2, other, NOW + 59), GH_GATE_OK);
    assert_int_equal(judge_from(2, forged, NOW + 59), GH_GATE_BAD);
    assert_int_equal(judge_from(1, forged, NOW + 60), GH_GATE_BAD);
}

static void only_costly_failures_count(void **state)
{
    struct gh_str token = bearer_token("s1"), cookies = cookie_token("s2");
    for (unsigned i = 0; i < 100; i++) {
        /* No signature is checked in these. */
        assert_int_equal(judge_from(1, GH_STR("x.y.z"), NOW), GH_GATE_BAD);
        assert_int_equal(judge_from(1, cookies, NOW), GH_GATE_BAD);
        assert_int_equal(judge_from(1, gh_str_first(token, token.len - 1), NOW), GH_GATE_BAD);
        char changed[1024];
        memcpy(changed, cookies.ptr, cookies.len);
        changed[cookies.len - 2] ^= 1;
        assert_int_equal(gh_gate_judge(gate, &arena, &rules, GH_CREDENTIAL_COOKIE,
                                       gh_str_of(changed, cookies.len), 1, NOW, &subject),
                         GH_GATE_BAD);
    }
    assert_int_equal(judge_from(1, token, NOW), GH_GATE_OK);
}

static void many_clients_do_not_free_the_worst(void **state)
{
    struct gh_str forged = forged_bearer();
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(judge_from(1, forged, NOW), GH_GATE_BAD);
    for (uint64_t client = 100; client < 3100; client++)
        (void)judge_from(client, forged, NOW + 1);
    assert_int_equal(judge_from(1, forged, NOW + 2), GH_GATE_BUDGET);
}

/* ---- the cache's bounds ---- */

static void more_tokens_than_it_remembers_are_all_judged_right(void **state)
{
    enum { TOKENS = 1500 };
    static struct gh_str tokens[TOKENS];
    char name[16];
    for (int i = 0; i < TOKENS; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        tokens[i] = cookie_token(name);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < TOKENS; i++) {
            snprintf(name, sizeof(name), "n%d", i);
            assert_int_equal(cookie(tokens[i]), GH_GATE_OK);
            assert_true(gh_str_eq(subject.session_id, gh_str_from_c(name)));
        }
    struct gh_gate_counts counts = gh_gate_counts(gate);
    assert_int_equal(counts.hits + counts.verified, 2 * TOKENS);
}

static void a_token_too_large_to_remember_is_verified_each_time(void **state)
{
    static char claims[6000];
    memset(claims, 'x', sizeof(claims));
    int len = snprintf(claims, sizeof(claims), "{" FOREIGN ",\"sub\":\"f1\",\"more\":\"");
    claims[len] = 'x';
    memcpy(claims + 5500, "\"}", 3);
    struct gh_str token = foreign_token(IDP_ED, "at+jwt", claims);
    assert_true(token.len > 4096);
    assert_int_equal(bearer(token), GH_GATE_OK);
    assert_int_equal(bearer(token), GH_GATE_OK);
    assert_int_equal(gh_gate_counts(gate).verified, 2);
    assert_int_equal(gh_gate_counts(gate).hits, 0);
}

static void without_memory_nobody_is_let_in(void **state)
{
    struct gh_str token = cookie_token("s1");
    struct gh_arena none;
    for (int i = 0; i < 2; i++) {
        gh_arena_init(&none, 8, 8);
        assert_int_equal(
            gh_gate_judge(gate, &none, &rules, GH_CREDENTIAL_COOKIE, token, CLIENT, NOW, &subject),
            GH_GATE_BAD);
        gh_arena_done(&none);
        assert_true(subject.roles == 99);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lets_in_who_shows_our_token),
        TEST(a_second_look_is_a_hit_with_the_same_subject),
        TEST(a_token_is_good_only_where_it_belongs),
        TEST(refuses_a_changed_token),
        TEST(refuses_an_algorithm_that_is_not_the_keys),
        TEST(refuses_another_issuer_audience_or_time),
        TEST(rules_that_say_nothing_let_nobody_in),
        TEST(tokens_live_no_longer_than_the_settings_of_now_say),
        TEST(expiry_is_seen_in_what_is_remembered),
        TEST(revocation_is_seen_at_once),
        TEST(folded_sessions_have_to_refresh),
        TEST(another_epoch_forgets_what_was_verified),
        TEST(lets_in_whom_an_issuer_vouches_for),
        TEST(believes_another_issuer_no_more_than_configured),
        TEST(refuses_what_no_issuer_of_ours_signed),
        TEST(a_client_may_fail_twenty_times_a_minute),
        TEST(only_costly_failures_count),
        TEST(many_clients_do_not_free_the_worst),
        TEST(more_tokens_than_it_remembers_are_all_judged_right),
        TEST(a_token_too_large_to_remember_is_verified_each_time),
        TEST(without_memory_nobody_is_let_in),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
