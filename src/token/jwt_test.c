#include "token/jwt.h"

#include "base/base64.h"
#include "token/jws.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NOW = 1700000000 };

static struct gh_arena arena;
static struct gh_token_key keys[GH_TOKEN_ALG_COUNT]; /* one of each algorithm, by its number */
static struct gh_token_key_set set = {keys, GH_TOKEN_ALG_COUNT};
static const struct gh_str SECRET = GH_STR_INIT("01234567890123456789012345678901");

static int make_keys(void **state)
{
    keys[GH_TOKEN_HS256] =
        (struct gh_token_key){.alg = GH_TOKEN_HS256, .kid = GH_STR("hs"), .secret = SECRET};
    keys[GH_TOKEN_EDDSA] = (struct gh_token_key){
        .alg = GH_TOKEN_EDDSA, .kid = GH_STR("ed"), .pkey = gh_pkey_generate(GH_PKEY_ED25519)};
    keys[GH_TOKEN_ES256] = (struct gh_token_key){
        .alg = GH_TOKEN_ES256, .kid = GH_STR("es"), .pkey = gh_pkey_generate(GH_PKEY_ES256)};
    keys[GH_TOKEN_RS256] = (struct gh_token_key){
        .alg = GH_TOKEN_RS256, .kid = GH_STR("rs"), .pkey = gh_pkey_generate(GH_PKEY_RS256)};
    return 0;
}

static int drop_keys(void **state)
{
    gh_token_key_set_done(&set);
    return 0;
}

static int open_arena(void **state)
{
    gh_arena_init(&arena, 1 << 16, 1 << 26);
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static struct gh_jwt_expect expect_nothing(void)
{
    return (struct gh_jwt_expect){.keys = &set, .now_s = NOW};
}

static struct gh_str encode(struct gh_str text)
{
    size_t len = GH_BASE64URL_LEN(text.len);
    struct gh_buf buf = gh_buf_over(gh_arena_alloc(&arena, len + 1), len);
    gh_base64url_put(&buf, (const uint8_t *)text.ptr, text.len);
    return gh_buf_str(&buf);
}

/* A token with any header, rightly signed with the secret. */
static struct gh_str token_of(const char *header, struct gh_str claims)
{
    uint8_t mac[GH_SHA256_BYTES];
    struct gh_str head = encode(gh_str_from_c(header)), body = encode(claims);
    struct gh_str input = gh_arena_format(&arena, "%.*s.%.*s", GH_STR_ARG(head), GH_STR_ARG(body));
    gh_hmac_sha256(SECRET, input, mac);
    struct gh_str end = encode(gh_str_of((const char *)mac, sizeof(mac)));
    return gh_arena_format(&arena, "%.*s.%.*s", GH_STR_ARG(input), GH_STR_ARG(end));
}

static enum gh_jwt_status verify(struct gh_str token, const struct gh_jwt_expect *expect)
{
    struct gh_jwt jwt = {.subject = GH_STR("untouched")};
    enum gh_jwt_status status = gh_jwt_verify(&arena, token, expect, &jwt);
    if (status != GH_JWT_OK)
        assert_true(gh_str_eq(jwt.subject, GH_STR("untouched")));
    return status;
}

static enum gh_jwt_status verify_header(const char *header)
{
    struct gh_jwt_expect expect = expect_nothing();
    return verify(token_of(header, GH_STR("{}")), &expect);
}

static enum gh_jwt_status verify_claims(const char *claims, const struct gh_jwt_expect *expect)
{
    return verify(token_of("{\"alg\":\"HS256\",\"kid\":\"hs\"}", gh_str_from_c(claims)), expect);
}

static void what_is_signed_is_verified_and_its_claims_are_there(void **state)
{
    struct gh_jwt_expect expect = expect_nothing();
    expect.typ = GH_STR("at+jwt");
    expect.issuer = GH_STR("https://api.example.com");
    expect.audience = GH_STR("api");
    expect.require_exp = true;
    for (size_t i = 0; i < GH_TOKEN_ALG_COUNT; i++) {
        struct gh_jwt jwt;
        struct gh_str token = gh_jwt_sign(
            &arena, &keys[i], GH_STR("at+jwt"),
            GH_STR("{\"iss\":\"https://api.example.com\",\"aud\":\"api\",\"sub\":\"user-7\","
                   "\"iat\":1699999990,\"exp\":1700000900,\"sid\":\"s\"}"));
        assert_non_null(token.ptr);
        assert_int_equal(gh_jwt_verify(&arena, token, &expect, &jwt), GH_JWT_OK);
        assert_ptr_equal(jwt.key, &keys[i]);
        assert_true(gh_str_eq(jwt.subject, GH_STR("user-7")));
        assert_int_equal(jwt.issued_s, 1699999990);
        assert_int_equal(jwt.expires_s, 1700000900);
        const struct gh_json_value *root = gh_json_root(&jwt.claims);
        assert_true(
            gh_str_eq(gh_json_string(gh_json_get(&jwt.claims, root, GH_STR("sid"))), GH_STR("s")));
        root = gh_json_root(&jwt.header);
        assert_true(
            gh_str_eq(gh_json_string(gh_json_get(&jwt.header, root, GH_STR("kid"))), keys[i].kid));
    }
}

static void a_token_without_kid_is_for_the_only_key(void **state)
{
    struct gh_jwt_expect expect = expect_nothing();
    struct gh_token_key_set one = {&keys[GH_TOKEN_HS256], 1}, none = {keys, 0};
    struct gh_str token = token_of("{\"alg\":\"HS256\"}", GH_STR("{}"));
    assert_int_equal(verify(token, &expect), GH_JWT_UNKNOWN_KEY);
    expect.keys = &one;
    assert_int_equal(verify(token, &expect), GH_JWT_OK);
    expect.keys = &none;
    assert_int_equal(verify(token, &expect), GH_JWT_UNKNOWN_KEY);
}

static void refuses_unknown_kids(void **state)
{
    struct gh_jwt_expect expect = expect_nothing();
    assert_int_equal(verify_header("{\"alg\":\"HS256\",\"kid\":\"h\"}"), GH_JWT_UNKNOWN_KEY);
    assert_int_equal(verify_header("{\"alg\":\"HS256\",\"kid\":\"hss\"}"), GH_JWT_UNKNOWN_KEY);
    assert_int_equal(verify_header("{\"alg\":\"HS256\",\"kid\":\"HS\"}"), GH_JWT_UNKNOWN_KEY);
    assert_int_equal(verify_header("{\"alg\":\"HS256\",\"kid\":\"hs\\u0000\"}"),
                     GH_JWT_UNKNOWN_KEY);
    /* An empty kid names no key, also not one without a kid. */
    struct gh_token_key nameless = {.alg = GH_TOKEN_HS256, .secret = SECRET};
    struct gh_token_key_set one = {&nameless, 1};
    expect.keys = &one;
    assert_int_equal(verify(token_of("{\"alg\":\"HS256\",\"kid\":\"\"}", GH_STR("{}")), &expect),
                     GH_JWT_UNKNOWN_KEY);
    assert_int_equal(verify(token_of("{\"alg\":\"HS256\",\"kid\":\"x\"}", GH_STR("{}")), &expect),
                     GH_JWT_UNKNOWN_KEY);
    assert_int_equal(verify(token_of("{\"alg\":\"HS256\"}", GH_STR("{}")), &expect), GH_JWT_OK);
}

static void the_algorithm_is_the_keys_never_the_tokens(void **state)
{
    static const char *const HEADERS[] = {
        "{\"alg\":\"none\",\"kid\":\"hs\"}",    "{\"alg\":\"NONE\",\"kid\":\"hs\"}",
        "{\"alg\":\"\",\"kid\":\"hs\"}",        "{\"alg\":null,\"kid\":\"hs\"}",
        "{\"alg\":[\"HS256\"],\"kid\":\"hs\"}", "{\"kid\":\"hs\"}",
        "{\"alg\":\"hs256\",\"kid\":\"hs\"}",   "{\"alg\":\"HS512\",\"kid\":\"hs\"}",
        "{\"alg\":\"HS256\",\"kid\":\"rs\"}",   "{\"alg\":\"HS256\",\"kid\":\"ed\"}",
        "{\"alg\":\"RS256\",\"kid\":\"hs\"}",   "{\"alg\":\"RS256\",\"kid\":\"es\"}",
        "{\"alg\":\"PS256\",\"kid\":\"rs\"}",   "{\"alg\":\"ES256\",\"kid\":\"ed\"}",
    };
    for (size_t i = 0; i < COUNT(HEADERS); i++)
        if (verify_header(HEADERS[i]) != GH_JWT_HEADER)
            fail_msg("%s: %d", HEADERS[i], verify_header(HEADERS[i]));
}

/* The classic: an RSA key's public half, known to all, taken for the secret of HS256. */
static void a_public_key_is_no_secret(void **state)
{
    struct gh_str n, e;
    uint8_t mac[GH_SHA256_BYTES];
    assert_int_equal(gh_pkey_public_numbers(keys[GH_TOKEN_RS256].pkey, &arena, &n, &e), GH_OK);
    struct gh_str token = token_of("{\"alg\":\"HS256\",\"kid\":\"rs\"}", GH_STR("{}"));
    struct gh_str input = gh_str_first(token, token.len - 44);
    gh_hmac_sha256(n, input, mac);
    struct gh_str end = encode(gh_str_of((const char *)mac, sizeof(mac)));
    token = gh_arena_format(&arena, "%.*s.%.*s", GH_STR_ARG(input), GH_STR_ARG(end));
    struct gh_jwt_expect expect = expect_nothing();
    assert_int_equal(verify(token, &expect), GH_JWT_HEADER);
}

static void refuses_headers_that_bring_keys_or_change_the_rules(void **state)
{
    static const char *const MEMBERS[] = {
        "\"crit\":[\"b64\"],\"b64\":false",
        "\"crit\":[]",
        "\"crit\":null",
        "\"crit\":[\"exp\"],\"exp\":1",
        "\"b64\":true",
        "\"b64\":false",
        "\"jku\":\"https://evil.example/keys\"",
        "\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}",
        "\"jwk\":null",
        "\"x5u\":\"https://evil.example/cert\"",
        "\"x5c\":[\"AA\"]",
        "\"enc\":\"A128GCM\"",
        "\"zip\":\"DEF\"",
        "\"typ\":1",
        "\"typ\":null",
        "\"\\u0063rit\":[]",
    };
    for (size_t i = 0; i < COUNT(MEMBERS); i++) {
        struct gh_str header =
            gh_arena_format(&arena, "{\"alg\":\"HS256\",\"kid\":\"hs\",%s}", MEMBERS[i]);
        if (verify_header(header.ptr) != GH_JWT_HEADER)
            fail_msg("%s", MEMBERS[i]);
    }
    assert_int_equal(verify_header("{\"alg\":\"HS256\",\"kid\":1}"), GH_JWT_HEADER);
    assert_int_equal(verify_header("{\"alg\":\"HS256\",\"kid\":null}"), GH_JWT_HEADER);
    assert_int_equal(verify_header("{\"alg\":\"HS256\",\"kid\":\"hs\",\"x5t\":\"a\",\"y\":[1]}"),
                     GH_JWT_OK);
}

static void refuses_headers_and_claims_that_are_no_strict_objects(void **state)
{
    static const char *const TEXTS[] = {
        "",
        " ",
        "[]",
        "1",
        "null",
        "\"HS256\"",
        "{",
        "{}}",
        "{} x",
        "{\"alg\":\"HS256\"",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"hs\"}",
        "{\"alg\":\"none\",\"\\u0061lg\":\"HS256\",\"kid\":\"hs\"}",
        "{'alg':'HS256'}",
        "{\"alg\":\"HS256\",}",
        "\xef\xbb\xbf{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\xff\"}",
    };
    struct gh_jwt_expect expect = expect_nothing();
    for (size_t i = 0; i < COUNT(TEXTS); i++) {
        if (verify_header(TEXTS[i]) != GH_JWT_MALFORMED)
            fail_msg("as header: %s", TEXTS[i]);
        if (verify_claims(TEXTS[i], &expect) != GH_JWT_MALFORMED)
            fail_msg("as claims: %s", TEXTS[i]);
    }
}

static void refuses_other_forms_than_three_parts_of_base64url(void **state)
{
    struct gh_jwt_expect expect = expect_nothing();
    struct gh_str token = token_of("{\"alg\":\"HS256\",\"kid\":\"hs\"}", GH_STR("{\"a\":1}"));
    assert_int_equal(verify(token, &expect), GH_JWT_OK);
    static const char *const FORMS[] = {
        "%.*s.",       ".%.*s", "%.*s=",  " %.*s",  "%.*s ", "%.*s\n",
        "Bearer %.*s", "%.*sA", "%.*s.A", "%.*sAA", "A%.*s", "{\"a\":\"%.*s\"}",
    };
    for (size_t i = 0; i < COUNT(FORMS); i++) {
        char text[1024];
        size_t at = strstr(FORMS[i], "%.*s") - FORMS[i];
        struct gh_buf buf = gh_buf_over(text, sizeof(text));
        gh_buf_put(&buf, gh_str_of(FORMS[i], at));
        gh_buf_put(&buf, token);
        gh_buf_put(&buf, gh_str_from_c(FORMS[i] + at + 4));
        if (verify(gh_buf_str(&buf), &expect) == GH_JWT_OK)
            fail_msg("%s", FORMS[i]);
    }
    assert_int_equal(verify(GH_STR(""), &expect), GH_JWT_MALFORMED);
    assert_int_equal(verify(GH_STR("."), &expect), GH_JWT_MALFORMED);
    assert_int_equal(verify(GH_STR(".."), &expect), GH_JWT_MALFORMED);
    assert_int_equal(verify(GH_STR("..."), &expect), GH_JWT_MALFORMED);
    assert_int_equal(verify(GH_STR("a.b.c.d.e"), &expect), GH_JWT_MALFORMED);
    for (size_t len = 0; len < token.len; len++)
        assert_int_not_equal(verify(gh_str_first(token, len), &expect), GH_JWT_OK);
}

static void refuses_every_changed_byte(void **state)
{
    struct gh_jwt_expect expect = expect_nothing();
    for (size_t i = 0; i < GH_TOKEN_ALG_COUNT; i++) {
        struct gh_str token = gh_jwt_sign(&arena, &keys[i], GH_STR(""), GH_STR("{\"a\":1}"));
        for (size_t at = 0; at < token.len; at++) {
            static const uint8_t MASKS[] = {0x01, 0x02, 0x20, 0x80};
            for (size_t m = 0; m < COUNT(MASKS); m++) {
                struct gh_str copy = gh_arena_dup(&arena, token);
                ((char *)copy.ptr)[at] ^= (char)MASKS[m];
                assert_int_not_equal(verify(copy, &expect), GH_JWT_OK);
            }
        }
    }
}

static void refuses_an_empty_or_foreign_signature(void **state)
{
    struct gh_jwt_expect expect = expect_nothing();
    for (size_t i = 0; i < GH_TOKEN_ALG_COUNT; i++) {
        struct gh_str token = gh_jwt_sign(&arena, &keys[i], GH_STR(""), GH_STR("{}"));
        struct gh_str rest = token;
        gh_str_split(&rest, '.');
        gh_str_split(&rest, '.');
        assert_int_equal(verify(gh_str_first(token, token.len - rest.len), &expect),
                         GH_JWT_SIGNATURE);
        struct gh_token_key other = keys[i];
        if (other.alg == GH_TOKEN_HS256)
            other.secret = GH_STR("01234567890123456789012345678902");
        else
            other.pkey = gh_pkey_generate(gh_pkey_alg(keys[i].pkey));
        token = gh_jwt_sign(&arena, &other, GH_STR(""), GH_STR("{}"));
        assert_int_equal(verify(token, &expect), GH_JWT_SIGNATURE);
        if (other.alg != GH_TOKEN_HS256)
            gh_pkey_unref(other.pkey);
    }
}

static void a_token_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
    char claims[GH_JWT_BYTES_MAX];
    struct gh_jwt_expect expect = expect_nothing();
    bool fitted = false, passed = false;
    for (size_t len = 6000; len < 6200; len++) {
        struct gh_buf buf = gh_buf_over(claims, sizeof(claims));
        gh_buf_put(&buf, GH_STR("{\"a\":\""));
        while (buf.len < len)
            gh_buf_put_char(&buf, 'x');
        gh_buf_put(&buf, GH_STR("\"}"));
        struct gh_str ours =
            gh_jwt_sign(&arena, &keys[GH_TOKEN_HS256], GH_STR(""), gh_buf_str(&buf));
        struct gh_str token = token_of("{\"alg\":\"HS256\",\"kid\":\"hs\"}", gh_buf_str(&buf));
        bool fits = token.len <= GH_JWT_BYTES_MAX;
        assert_int_equal(ours.ptr != NULL, fits);
        assert_int_equal(verify(token, &expect), fits ? GH_JWT_OK : GH_JWT_MALFORMED);
        *(fits ? &fitted : &passed) = true;
    }
    assert_true(fitted && passed);
}

static void the_type_is_compared_as_a_media_type(void **state)
{
    static const struct {
        const char *typ;
        bool fits;
    } CASES[] = {
        {"at+jwt", true},
        {"application/at+jwt", true},
        {"AT+JWT", true},
        {"Application/AT+jwt", true},
        {"JWT", false},
        {"", false},
        {"application/", false},
        {"application/jwt", false},
        {"at+jwt ", false},
        {"text/at+jwt", false},
        {"application/application/at+jwt", false},
    };
    struct gh_jwt_expect expect = expect_nothing();
    expect.typ = GH_STR("at+jwt");
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct gh_str header = gh_arena_format(
            &arena, "{\"alg\":\"HS256\",\"kid\":\"hs\",\"typ\":\"%s\"}", CASES[i].typ);
        assert_int_equal(verify(token_of(header.ptr, GH_STR("{}")), &expect),
                         CASES[i].fits ? GH_JWT_OK : GH_JWT_HEADER);
    }
    assert_int_equal(verify_claims("{}", &expect), GH_JWT_HEADER); /* none */
}

static void times_are_looked_at_with_leeway(void **state)
{
    static const struct {
        const char *claims;
        unsigned leeway_s;
        enum gh_jwt_status status;
    } CASES[] = {
        {"{\"exp\":1700000001}", 0, GH_JWT_OK},
        {"{\"exp\":1700000000}", 0, GH_JWT_EXPIRED},
        {"{\"exp\":1699999999}", 0, GH_JWT_EXPIRED},
        {"{\"exp\":0}", 0, GH_JWT_EXPIRED},
        {"{\"exp\":1700000000}", 5, GH_JWT_OK},
        {"{\"exp\":1699999996}", 5, GH_JWT_OK},
        {"{\"exp\":1699999995}", 5, GH_JWT_EXPIRED},
        {"{\"exp\":1700000001.9}", 0, GH_JWT_OK},
        {"{\"exp\":1700000000.9}", 0, GH_JWT_EXPIRED},
        {"{\"exp\":17e8}", 0, GH_JWT_EXPIRED},
        {"{\"exp\":9223372036854775807}", 4000000000, GH_JWT_OK},
        {"{\"nbf\":1700000000}", 0, GH_JWT_OK},
        {"{\"nbf\":1700000001}", 0, GH_JWT_NOT_YET},
        {"{\"nbf\":1700000001}", 1, GH_JWT_OK},
        {"{\"nbf\":9223372036854775807}", 4000000000, GH_JWT_NOT_YET},
        {"{\"iat\":1700000000}", 0, GH_JWT_OK},
        {"{\"iat\":1700000001}", 0, GH_JWT_NOT_YET},
        {"{\"iat\":1700000060}", 60, GH_JWT_OK},
        {"{\"iat\":0,\"nbf\":0}", 0, GH_JWT_OK},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct gh_jwt_expect expect = expect_nothing();
        expect.leeway_s = CASES[i].leeway_s;
        if (verify_claims(CASES[i].claims, &expect) != CASES[i].status)
            fail_msg("%s: %d", CASES[i].claims, verify_claims(CASES[i].claims, &expect));
    }
}

static void refuses_times_that_are_no_times(void **state)
{
    static const char *const VALUES[] = {
        "\"1800000000\"",
        "null",
        "true",
        "[1800000000]",
        "{}",
        "-1",
        "-0.5",
        "1e400",
        "9223372036854775808",
        "1.5e300",
        "1800000000.5e0",
    };
    static const char *const NAMES[] = {"exp", "nbf", "iat"};
    struct gh_jwt_expect expect = expect_nothing();
    for (size_t i = 0; i < COUNT(VALUES); i++)
        for (size_t n = 0; n < COUNT(NAMES); n++) {
            struct gh_str claims = gh_arena_format(&arena, "{\"%s\":%s}", NAMES[n], VALUES[i]);
            if (verify_claims(claims.ptr, &expect) != GH_JWT_CLAIMS)
                fail_msg("%s: %d", claims.ptr, verify_claims(claims.ptr, &expect));
        }
    expect.require_exp = true;
    assert_int_equal(verify_claims("{}", &expect), GH_JWT_CLAIMS);
}

static void issuer_audience_and_subject_have_to_fit(void **state)
{
    static const struct {
        const char *claims;
        bool fits, fits_unlooked;
    } CASES[] = {
        {"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\"}", true, true},
        {"{\"iss\":\"i\",\"aud\":[\"b\",\"a\"]}", true, true},
        {"{\"iss\":\"i\",\"aud\":[\"a\"]}", true, true},
        {"{\"iss\":\"i\",\"aud\":\"b\"}", false, true},
        {"{\"iss\":\"i\",\"aud\":[]}", false, true},
        {"{\"iss\":\"i\",\"aud\":[\"a\",1]}", false, false},
        {"{\"iss\":\"i\",\"aud\":[[\"a\"]]}", false, false},
        {"{\"iss\":\"i\",\"aud\":{\"a\":\"a\"}}", false, false},
        {"{\"iss\":\"i\",\"aud\":null}", false, false},
        {"{\"iss\":\"i\"}", false, true},
        {"{\"aud\":\"a\"}", false, true},
        {"{\"iss\":\"i/\",\"aud\":\"a\"}", false, true},
        {"{\"iss\":\"I\",\"aud\":\"a\"}", false, true},
        {"{\"iss\":[\"i\"],\"aud\":\"a\"}", false, false},
        {"{\"iss\":1,\"aud\":\"a\"}", false, false},
        {"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":7}", false, false},
        {"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"\"}", false, false},
        {"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":null}", false, false},
        {"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"a\\r\\nX: 1\"}", false, false},
        {"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"a\\u0000\"}", false, false},
        {"{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"a\\u007f\"}", false, false},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct gh_jwt_expect expect = expect_nothing();
        if (verify_claims(CASES[i].claims, &expect) !=
            (CASES[i].fits_unlooked ? GH_JWT_OK : GH_JWT_CLAIMS))
            fail_msg("not looked at: %s", CASES[i].claims);
        expect.issuer = GH_STR("i");
        expect.audience = GH_STR("a");
        if (verify_claims(CASES[i].claims, &expect) != (CASES[i].fits ? GH_JWT_OK : GH_JWT_CLAIMS))
            fail_msg("%s", CASES[i].claims);
    }
}

static void what_can_not_sign_does_not(void **state)
{
    struct gh_str x, y;
    struct gh_token_key public_key = keys[GH_TOKEN_ES256], short_secret = keys[GH_TOKEN_HS256];
    assert_int_equal(gh_pkey_public_numbers(public_key.pkey, &arena, &x, &y), GH_OK);
    public_key.pkey = gh_pkey_from_public(GH_PKEY_ES256, x, y);
    assert_null(gh_jwt_sign(&arena, &public_key, GH_STR(""), GH_STR("{}")).ptr);
    gh_pkey_unref(public_key.pkey);
    short_secret.secret = gh_str_first(SECRET, 31);
    assert_null(gh_jwt_sign(&arena, &short_secret, GH_STR(""), GH_STR("{}")).ptr);
    struct gh_arena small;
    gh_arena_init(&small, 16, 16);
    assert_null(gh_jwt_sign(&small, &keys[GH_TOKEN_HS256], GH_STR(""), GH_STR("{}")).ptr);
    gh_arena_done(&small);
}

static void a_short_secret_verifies_nothing(void **state)
{
    struct gh_token_key weak = {.alg = GH_TOKEN_HS256, .secret = GH_STR("secret")};
    struct gh_token_key_set one = {&weak, 1};
    struct gh_jwt_expect expect = {.keys = &one, .now_s = NOW};
    /* {"alg":"HS256","typ":"JWT"}.{} under "secret" */
    assert_int_equal(verify(GH_STR("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30."
                                   "t-IDcSemACt8x4iTMCda8Yhe3iZaWbvV5XKSTbuAn0M"),
                            &expect),
                     GH_JWT_SIGNATURE);
}

static void any_full_arena_is_a_refusal(void **state)
{
    struct gh_jwt_expect expect = expect_nothing();
    struct gh_str token = gh_jwt_sign(&arena, &keys[GH_TOKEN_HS256], GH_STR("at+jwt"),
                                      GH_STR("{\"sub\":\"s\",\"a\":[1,2,3]}"));
    for (size_t cap = 0; cap < 4096; cap += 64) {
        struct gh_arena small;
        struct gh_jwt jwt;
        gh_arena_init(&small, 64, cap);
        enum gh_jwt_status status = gh_jwt_verify(&small, token, &expect, &jwt);
        assert_true(status == GH_JWT_OK || status == GH_JWT_MALFORMED);
        gh_arena_done(&small);
    }
}

static void every_status_has_a_text(void **state)
{
    for (int status = GH_JWT_OK; status <= GH_JWT_CLAIMS; status++)
        assert_true(gh_jwt_status_text((enum gh_jwt_status)status).len > 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_signed_is_verified_and_its_claims_are_there),
        TEST(a_token_without_kid_is_for_the_only_key),
        TEST(refuses_unknown_kids),
        TEST(the_algorithm_is_the_keys_never_the_tokens),
        TEST(a_public_key_is_no_secret),
        TEST(refuses_headers_that_bring_keys_or_change_the_rules),
        TEST(refuses_headers_and_claims_that_are_no_strict_objects),
        TEST(refuses_other_forms_than_three_parts_of_base64url),
        TEST(refuses_every_changed_byte),
        TEST(refuses_an_empty_or_foreign_signature),
        TEST(a_token_may_be_as_long_as_the_limit_and_no_longer),
        TEST(the_type_is_compared_as_a_media_type),
        TEST(times_are_looked_at_with_leeway),
        TEST(refuses_times_that_are_no_times),
        TEST(issuer_audience_and_subject_have_to_fit),
        TEST(what_can_not_sign_does_not),
        TEST(a_short_secret_verifies_nothing),
        TEST(any_full_arena_is_a_refusal),
        TEST(every_status_has_a_text),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
