#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

/* ---- By user and session ---- */

static enum gh_verdict_kind call(struct gh_fixture *f, const char *ip,
                                 const struct gh_subject *subject)
{
    char bytes[8192];
    gh_fixture_peer(f, ip, false);
    snprintf(bytes, sizeof(bytes), "GET /x HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n",
             subject ? "Cookie: __Host-gh_access=" : "",
             subject ? gh_fixture_token(f, GH_CREDENTIAL_COOKIE, subject) : "",
             subject ? "\r\n" : "");
    return gh_fixture_run(f, bytes).kind;
}

static void open_keyed(struct gh_fixture *f, const char *limits)
{
    char yaml[1024];
    snprintf(yaml, sizeof(yaml),
             DEVELOPMENT "rate_limits: {%s}\n"
                         "routes: [{path: /**, upstream: api, access: public, rate_limit: [a]}]\n",
             limits);
    gh_fixture_open_identity(f, yaml, &gh_fixture_identity);
    if (!f->policy)
        fail_msg("%.*s", GH_STR_ARG(f->load.problems->what));
}

static void users_are_counted_wherever_they_come_from(void **state)
{
    struct gh_fixture f;
    struct gh_subject ann = gh_fixture_subject(), bob = ann;
    bob.id = GH_STR(GH_FIXTURE_OTHER);
    open_keyed(&f, "a: {limit: 2/minute, key: user}");
    assert_int_equal(call(&f, "192.0.2.1", &ann), GH_VERDICT_NEXT);
    assert_int_equal(call(&f, "192.0.2.2", &ann), GH_VERDICT_NEXT);
    assert_int_equal(call(&f, "192.0.2.3", &ann), GH_VERDICT_RESPOND);
    assert_int_equal(f.request.verdict.reason, GH_REASON_RATE_LIMITED);
    ann.session_id = GH_STR("7e3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a1f"); /* another session */
    assert_int_equal(call(&f, "192.0.2.1", &ann), GH_VERDICT_RESPOND);
    assert_int_equal(call(&f, "192.0.2.1", &bob), GH_VERDICT_NEXT);
    /* strangers by their address, and not as anybody */
    assert_int_equal(call(&f, "192.0.2.1", NULL), GH_VERDICT_NEXT);
    assert_int_equal(call(&f, "192.0.2.1", NULL), GH_VERDICT_NEXT);
    assert_int_equal(call(&f, "192.0.2.1", NULL), GH_VERDICT_RESPOND);
    assert_int_equal(call(&f, "192.0.2.2", NULL), GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void sessions_are_counted_each_for_itself(void **state)
{
    struct gh_fixture f;
    struct gh_subject one = gh_fixture_subject(), two = one;
    two.session_id = GH_STR("7e3c1f6e-0b53-4e0e-9d3c-1c1a5f0f7a1f");
    open_keyed(&f, "a: {limit: 1/minute, key: session}");
    assert_int_equal(call(&f, "192.0.2.1", &one), GH_VERDICT_NEXT);
    assert_int_equal(call(&f, "192.0.2.2", &one), GH_VERDICT_RESPOND);
    assert_int_equal(call(&f, "192.0.2.2", &two), GH_VERDICT_NEXT);
    assert_int_equal(call(&f, "192.0.2.2", NULL), GH_VERDICT_NEXT);
    assert_int_equal(call(&f, "192.0.2.2", NULL), GH_VERDICT_RESPOND);
    gh_fixture_close(&f);
}

static void a_list_counts_each_combination(void **state)
{
    struct gh_fixture f;
    struct gh_subject ann = gh_fixture_subject();
    open_keyed(&f, "a: {limit: 1/minute, key: [user, client]}");
    assert_int_equal(call(&f, "192.0.2.1", &ann), GH_VERDICT_NEXT);
    assert_int_equal(call(&f, "192.0.2.1", &ann), GH_VERDICT_RESPOND);
    assert_int_equal(call(&f, "192.0.2.2", &ann), GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void what_all_limits_have_to_tell_stands_in_one_line(void **state)
{
    struct gh_fixture f;
    struct gh_subject ann = gh_fixture_subject();
    gh_fixture_open_identity(&f,
                             DEVELOPMENT
                             "rate_limits: {global: {limit: 9/minute}, a: {limit: 3/minute, key: "
                             "user}, b: {limit: 2/minute, key: session}}\n"
                             "routes: [{path: /**, upstream: api, rate_limit: [a, b]}]\n",
                             &gh_fixture_identity);
    assert_int_equal(call(&f, "192.0.2.1", &ann), GH_VERDICT_NEXT);
    const char *answer = gh_fixture_answer(&f, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(gh_fixture_count(answer, "RateLimit"), 1);
    assert_string_equal(gh_fixture_value(&f, answer, "RateLimit"),
                        "\"global\";r=8;t=60, \"a\";r=2;t=60, \"b\";r=1;t=60");
    assert_string_equal(gh_fixture_value(&f, answer, "RateLimit-Policy"),
                        "\"global\";q=9;w=60, \"a\";q=3;w=60, \"b\";q=2;w=60");
    call(&f, "192.0.2.1", &ann);
    assert_int_equal(call(&f, "192.0.2.1", &ann), GH_VERDICT_RESPOND);
    const char *reply = gh_fixture_reply(&f);
    assert_int_equal(gh_fixture_count(reply, "RateLimit"), 1);
    assert_string_equal(gh_fixture_value(&f, reply, "RateLimit"), "\"b\";r=0;t=60");
    assert_int_equal(gh_fixture_count(reply, "RateLimit-Policy"), 1);
    gh_fixture_close(&f);
}

static void a_group_that_refuses_charges_nothing(void **state)
{
    struct gh_fixture f;
    struct gh_subject ann = gh_fixture_subject();
    gh_fixture_open_identity(
        &f,
        DEVELOPMENT "rate_limits: {a: {limit: 2/minute, key: user}, b: {limit: 1/minute, key: "
                    "session}}\n"
                    "routes: [{path: /both, upstream: api, rate_limit: [a, b]}, {path: /x, "
                    "upstream: api, rate_limit: [b]}]\n",
        &gh_fixture_identity);
    assert_int_equal(call(&f, "192.0.2.1", &ann), GH_VERDICT_NEXT); /* b is used up */
    for (unsigned i = 0; i < 5; i++) {
        char bytes[4096];
        snprintf(bytes, sizeof(bytes),
                 "GET /both HTTP/1.1\r\nHost: localhost\r\nCookie: __Host-gh_access=%s\r\n\r\n",
                 gh_fixture_token(&f, GH_CREDENTIAL_COOKIE, &ann));
        assert_int_equal(gh_fixture_run(&f, bytes).kind, GH_VERDICT_RESPOND);
        assert_int_equal(f.request.limited_by, 1); /* never a */
    }
    gh_fixture_close(&f);
}

static void nobody_is_counted_by_user_while_identity_is_off(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT "rate_limits: {a: {limit: 1/minute, key: user}}\n"
                                    "routes: [{path: /**, upstream: api, rate_limit: a}]\n");
    assert_non_null(f.policy);
    assert_true(gh_fixture_has_problem(&f, GH_CONFIG_WARNING, "is counted by client"));
    assert_int_equal(call(&f, "192.0.2.1", NULL), GH_VERDICT_NEXT);
    assert_int_equal(call(&f, "192.0.2.1", NULL), GH_VERDICT_RESPOND);
    assert_int_equal(call(&f, "192.0.2.2", NULL), GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

/* ---- By a field of the body ---- */

#define BODY_ROUTES                                                                                \
    DEVELOPMENT "rate_limits: {head: {limit: 100/minute}, a: {limit: 1/minute, key: "              \
                "\"body:email\"}, c: {limit: 1/minute, key: \"body:code\"}}\n"                     \
                "routes: [{path: /**, upstream: api, rate_limit: [a, head]}, {path: /c, "          \
                "upstream: api, rate_limit: [c]}]\n"

static struct gh_verdict post(struct gh_fixture *f, const char *path, const char *ip,
                              const char *type, const char *body)
{
    char bytes[1024];
    gh_fixture_peer(f, ip, false);
    snprintf(bytes, sizeof(bytes),
             "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
             "\r\n",
             path, type, strlen(body));
    struct gh_verdict verdict = gh_fixture_run(f, bytes);
    if (verdict.kind != GH_VERDICT_ASK)
        return verdict;
    f->request.body = gh_str_from_c(body);
    f->request.body_known = true;
    return gh_policy_run(&f->request);
}

static void expect_same(bool same, const char *type_a, const char *a, const char *type_b,
                        const char *b)
{
    struct gh_fixture f;
    gh_fixture_open(&f, BODY_ROUTES);
    assert_non_null(f.policy);
    assert_int_equal(post(&f, "/x", "192.0.2.1", type_a, a).kind, GH_VERDICT_NEXT);
    struct gh_verdict verdict = post(&f, "/x", "192.0.2.2", type_b, b);
    if ((verdict.reason == GH_REASON_RATE_LIMITED) != same)
        fail_msg("%s and %s", a, b);
    gh_fixture_close(&f);
}

#define JSON              "application/json"
#define FORM              "application/x-www-form-urlencoded"
#define PARTS             "multipart/form-data; boundary=x"
#define PART_HEAD(name)   "--x\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define PART(name, value) PART_HEAD(name) value "\r\n--x--\r\n"
#define PART_OF(name, type, value)                                                                 \
    "--x\r\nContent-Disposition: form-data; name=\"" name "\"\r\nContent-Type: " type              \
    "\r\n\r\n" value "\r\n--x--\r\n"

static void one_address_is_one_however_it_is_written(void **state)
{
    static const char ANN[] = "{\"email\":\"ann@example.com\"}";
    expect_same(true, JSON, ANN, JSON, ANN);
    expect_same(true, JSON, ANN, JSON, "{\"x\":1,\"email\":\" ANN@Example.com\\n\"}");
    expect_same(true, JSON, ANN, JSON, "{\"\\u0065mail\":\"\\u0061nn@example.com\"}");
    expect_same(true, JSON, ANN, "application/json; charset=utf-8", ANN);
    expect_same(true, JSON, ANN, "application/vnd.api+json", ANN);
    expect_same(true, JSON, ANN, FORM, "a=b&email=ann%40EXAMPLE.com");
    expect_same(true, JSON, ANN, FORM, "%65mail=+ann@example.com+&x");
    expect_same(true, JSON, ANN, "text/plain", ANN); /* many backends do not look at the type */
    expect_same(true, JSON, ANN, "", ANN);
    expect_same(true, JSON, ANN, JSON, "{\"Email\":\"ann@example.com\"}");
    expect_same(true, JSON, ANN, JSON, "{\"EMA\u0131L\":\"ann@example.com\"}");
    expect_same(true, JSON, ANN, JSON, "{\"email\":\"\u00a0ann@example.com\u3000\"}");
    expect_same(true, JSON, ANN, JSON, "{\"email\":\"\\ufeff\u200bann@example.com\\u0085\"}");
    expect_same(true, JSON, ANN, JSON, "{\"email\":\"\u00c1NN@ex\u00e0mple.com\"}");
    expect_same(true, JSON, ANN, JSON, "{\"email\":\"\uff41nn\uff20example\uff0ecom\"}");
    expect_same(true, JSON, ANN, FORM, "EMAIL=ann%40example.com%00x");
    expect_same(true, JSON, ANN, FORM, "email[]=ann@example.com");
    expect_same(true, JSON, ANN, FORM, "x=1;email=ann@example.com");
    expect_same(true, JSON, ANN, FORM, "e%CC%81mail=ann@example.com");
    expect_same(true, JSON, ANN, FORM, ANN); /* what PHP reads of php://input */
    expect_same(true, JSON, ANN, "", "email=ann@example.com");
    expect_same(true, JSON, ANN, "text/plain", "a=b&email=ann@example.com");
    expect_same(true, JSON, ANN, FORM "; charset=\"UTF-8\"", "email=ann@example.com");
    expect_same(true, JSON, ANN, PARTS, PART("email", "Ann@example.com "));
    expect_same(true, JSON, ANN, PARTS "; charset=UTF-8", PART("email", "ann@example.com"));
    expect_same(true, JSON, ANN, "multipart/form-data;charset=\"ISO-8859-1\";boundary=x",
                PART("email", "ann@example.com"));
    expect_same(true, JSON, ANN, PARTS,
                PART_OF("email", "text/plain; charset=ISO-8859-1", "ann@example.com"));
    expect_same(true, JSON, ANN, PARTS,
                PART_OF("email", "text/plain;charset=US-ASCII", "ann@example.com"));
    expect_same(false, JSON, ANN, PARTS, PART("email", "bob@example.com"));
    expect_same(false, JSON, ANN, JSON, "{\"email\":\"bob@example.com\"}");
    expect_same(false, JSON, ANN, JSON, "{\"mail\":\"ann@example.com\"}");
    expect_same(false, JSON, ANN, JSON, "{\"user\":{\"email\":\"ann@example.com\"}}");
    expect_same(false, JSON, ANN, JSON, "{\"email\":[\"ann@example.com\"]}");
}

/* Collations know more spellings of a letter than folding does. */
static void addresses_beyond_ascii_are_counted_as_one(void **state)
{
    (void)state;
    static const char JIRI[] = "{\"email\":\"ji\u0159i@example.com\"}";
    static const char STRASSE[] = "{\"email\":\"stra\u00dfe@example.com\"}";
    static const char LATIN[] = FORM "; charset=ISO-8859-1";
    expect_same(true, JSON, JIRI, FORM, "email=jiri@example.com");
    expect_same(true, JSON, STRASSE, FORM, "email=%E1%BA%A5nh@example.com");
    expect_same(true, JSON, STRASSE, JSON, "{\"email\":\"\u0430nn\u20d0@example.com\"}");
    expect_same(false, JSON, STRASSE, FORM, "email=strase@example.com");
    expect_same(true, JSON, STRASSE, LATIN, "email=stra%DFe@example.com");
    expect_same(true, JSON, STRASSE, LATIN, "email=ji%C5%99i@example.com");
    expect_same(true, JSON, STRASSE, PARTS,
                PART_OF("email", "text/plain; charset=ISO-8859-1", "jos\xe9@example.com"));
    expect_same(true, JSON, JIRI, LATIN, "email=jiri@example.com");
    expect_same(true, JSON, JIRI, FORM "; charset=utf-8", "email=ji%C5%99i@example.com");
}

static void other_fields_are_compared_as_they_are(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, BODY_ROUTES);
    assert_int_equal(post(&f, "/c", "192.0.2.1", JSON, "{\"code\":\"Ab\"}").kind, GH_VERDICT_NEXT);
    assert_int_equal(post(&f, "/c", "192.0.2.1", JSON, "{\"code\":\"aB\"}").kind, GH_VERDICT_NEXT);
    assert_int_equal(post(&f, "/c", "192.0.2.1", JSON, "{\"code\":17}").kind, GH_VERDICT_NEXT);
    assert_int_equal(post(&f, "/c", "192.0.2.2", FORM, "code=17").reason, GH_REASON_RATE_LIMITED);
    assert_int_equal(post(&f, "/c", "192.0.2.2", JSON, "{\"code\":1.70e1}").reason,
                     GH_REASON_RATE_LIMITED);
    assert_int_equal(post(&f, "/c", "192.0.2.2", JSON, "{\"code\":1e30}").kind, GH_VERDICT_NEXT);
    assert_int_equal(post(&f, "/c", "192.0.2.2", JSON, "{\"Code\":10e29}").reason,
                     GH_REASON_RATE_LIMITED);
    gh_fixture_close(&f);
}

static void without_the_field_the_client_is_counted(void **state)
{
    static const struct {
        const char *type, *body;
    } CASES[] = {
        {JSON, "{}"},
        {JSON, "[]"},
        {JSON, "\"email\""},
        {JSON, "{\"email\":\"\"}"},
        {JSON, "{\"email\":\"  \"}"},
        {JSON, "{\"email\":null}"},
        {JSON, ""},
        {FORM, "x=1"},
        {FORM, "email="},
        {FORM, ""},
        {JSON, "{\"email\":false}"},
        {JSON, " \n"},
        {PARTS, PART("name", "Ann")},
        {PARTS, PART("email", " ")},
        {"text/plain", "no json"},
        {"text/plain", "/help"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fixture f;
        gh_fixture_open(&f, BODY_ROUTES);
        assert_int_equal(post(&f, "/x", "192.0.2.1", CASES[i].type, CASES[i].body).kind,
                         GH_VERDICT_NEXT);
        if (post(&f, "/x", "192.0.2.1", CASES[i].type, CASES[i].body).reason !=
            GH_REASON_RATE_LIMITED)
            fail_msg("%s: %s", CASES[i].type, CASES[i].body);
        assert_int_equal(post(&f, "/x", "192.0.2.2", CASES[i].type, CASES[i].body).kind,
                         GH_VERDICT_NEXT);
        gh_fixture_close(&f);
    }
}

static void what_two_backends_could_read_in_two_ways_is_refused(void **state)
{
    static const struct {
        const char *type, *body;
    } CASES[] = {
        {JSON, "{\"email\":\"a@x\",\"email\":\"b@x\"}"},
        {JSON, "{\"email\":\"a@x\",\"\\u0065mail\":\"b@x\"}"},
        {JSON, "{\"email\":\"a@x\"} {}"},
        {JSON, "{\"email\":\"a@x\",}"},
        {JSON, "{\"email\":\"a@x\",\"n\":NaN}"},
        {JSON, "{email:\"a@x\"}"},
        {JSON, "\xef\xbb\xbf{\"email\":\"a@x\"}"},
        {JSON, "{\"email\":\"\xff\"}"},
        {JSON, "{\"email\":\"a@x\"/*c*/}"},
        {FORM, "email=a%01b@x"},
        {FORM, "email=a%7Fb@x"},
        {FORM, "email=a%C2%85b@x"},
        {FORM, "email=jos%E9@x"},
        {FORM "; charset=utf-8", "email=jos%E9@x"},
        {JSON, "{\"email\":\"a\\u0001b@x\"}"},
        {JSON, "{\"email\":\"a\\nb@x\"}"},
        {PARTS, PART("email", "jos\xe9@x")},
        {FORM "; charset=ISO-8859-1", "email=a%01b@x"},
        {FORM, "[email]=a&email=b"},
        {FORM, "email=a&email=b"},
        {FORM, "email=a&%65mail=b"},
        {FORM, "email=a&+email=b"},
        {JSON, "{\"email\":\"a@x\",\"Email\":\"b@x\"}"},
        {JSON, "{\"email\":[\"a@x\"]}"},
        {JSON, "{\"email\":{\"$ne\":\"a@x\"}}"},
        {JSON, "e\0"},
        {FORM, "email=a&EMAIL=b"},
        {FORM, "email=a;email=b"},
        {FORM, "email=a&email%5B%5D=b"},
        {FORM, "{\"email\":\"a@x\",\"b\":\"&email=b@x&\"}"},
        {FORM, "{\"email\":\"a@x\",}"},
        {FORM "; charset=ibm037", "\x85\x94\x81\x89\x93~a"},
        {JSON "; charset=utf-16", "{}"},
        {"text/plain", "{no json"},
        {"text/plain", "/*c*/{\"email\":\"a@x\"}"},
        {"text/plain", "\xef\xbb\xbf{\"email\":\"a@x\"}"},
        {"text/plain", "\xff\xfe{"},
        {PARTS, "--x\r\n\r\n"},
        {"multipart/mixed; boundary=x", "--x\r\n\r\n"},
        {"Multipart/Related; boundary=x", PART("email", "a@x")},
        {"multipart/form-data, text/plain; boundary=x", PART("email", "a@x")},
        {"multipart/", PART("name", "a")},
        {PARTS, "x" PART("email", "a@x")},
        {PARTS, PART_HEAD("email") "a@x\r\n" PART("Email", "b@x")},
        {PARTS "; charset=utf-8; charset=utf-8", PART("email", "a@x")},
        {PARTS "; charset=utf-7", PART("email", "a@x")},
        {PARTS "; charset=\"boundary=y\"", PART("email", "a@x")},
        {PARTS, PART_OF("email", "text/plain; charset=ibm037", "a@x")},
        {PARTS, PART_OF("email", "text/plain; charset=utf-8; charset=us-ascii", "a@x")},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_fixture f;
        gh_fixture_open(&f, BODY_ROUTES);
        struct gh_verdict verdict = post(&f, "/x", "192.0.2.1", CASES[i].type, CASES[i].body);
        if (verdict.reason != GH_REASON_BODY_UNREADABLE)
            fail_msg("%s", CASES[i].body);
        assert_int_equal(f.request.reply.status, 400);
        gh_fixture_close(&f);
    }
}

/* Servlets take the first of both, Rack and PHP's $_REQUEST the body's, others the query's. */
static void the_query_has_fields_like_the_body(void **state)
{
    static const struct {
        const char *path, *type, *body;
    } TWICE[] = {
        {"/x?email=ann@example.com", FORM, "email=bob@example.com"},
        {"/x?email=ann@example.com", FORM, "email=ann@example.com"},
        {"/x?%65mail[]=ann@example.com", JSON, "{\"Email\":\"bob@example.com\"}"},
        {"/x?a=b&EMAIL=ann@example.com", PARTS, PART("email", "bob@example.com")},
        {"/x?email=ann@example.com;email=bob@example.com", FORM, ""},
    };
    for (size_t i = 0; i < sizeof(TWICE) / sizeof(TWICE[0]); i++) {
        struct gh_fixture f;
        gh_fixture_open(&f, BODY_ROUTES);
        if (post(&f, TWICE[i].path, "192.0.2.1", TWICE[i].type, TWICE[i].body).reason !=
            GH_REASON_BODY_UNREADABLE)
            fail_msg("%s and %s", TWICE[i].path, TWICE[i].body);
        gh_fixture_close(&f);
    }
    struct gh_fixture f;
    gh_fixture_open(&f, BODY_ROUTES);
    assert_int_equal(post(&f, "/x", "192.0.2.1", FORM, "email=ann@example.com").kind,
                     GH_VERDICT_NEXT);
    assert_int_equal(post(&f, "/x?email=Ann@example.com", "192.0.2.2", FORM, "x=1").reason,
                     GH_REASON_RATE_LIMITED);
    assert_int_equal(post(&f, "/x?email=%20ann@example.com", "192.0.2.3", JSON, "").reason,
                     GH_REASON_RATE_LIMITED);
    assert_int_equal(post(&f, "/x?email=bob@example.com", "192.0.2.3", JSON, "{}").kind,
                     GH_VERDICT_NEXT);
    assert_int_equal(post(&f, "/x?mail=ann@example.com", "192.0.2.4", JSON, "{}").kind,
                     GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void a_body_that_must_be_unpacked_first_is_refused(void **state)
{
    (void)state;
    static const char *const LINES[] = {"Content-Encoding: gzip",
                                        "Content-Type: text/plain\r\nContent-Type: " FORM};
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        struct gh_fixture f;
        char bytes[256];
        gh_fixture_open(&f, BODY_ROUTES);
        snprintf(bytes, sizeof(bytes),
                 "POST /x HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: 7\r\n\r\n",
                 LINES[i]);
        assert_int_equal(gh_fixture_run(&f, bytes).kind, GH_VERDICT_ASK);
        f.request.body = GH_STR("email=a");
        f.request.body_known = true;
        assert_int_equal(gh_policy_run(&f.request).reason, GH_REASON_BODY_UNREADABLE);
        gh_fixture_close(&f);
    }
}

static void the_service_says_itself_what_is_wrong_in_a_body(void **state)
{
    struct gh_fixture f;
    gh_fixture_open_identity(&f, DEVELOPMENT "routes: []\n", &gh_fixture_identity);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(post(&f, "/api/v1/account/reset", "192.0.2.1", JSON, "{no").kind,
                         GH_VERDICT_NEXT);
    assert_int_equal(post(&f, "/api/v1/account/reset", "192.0.2.1", JSON, "{no").reason,
                     GH_REASON_RATE_LIMITED);
    gh_fixture_close(&f);
}

static void the_service_takes_no_field_from_the_query(void **state)
{
    struct gh_fixture f;
    const char *path = "/api/v1/account/reset?email=other@example.com";
    (void)state;
    gh_fixture_open_identity(&f, DEVELOPMENT "routes: []\n", &gh_fixture_identity);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(post(&f, path, "192.0.2.1", JSON, "{\"email\":\"ann@example.com\"}").kind,
                         GH_VERDICT_NEXT);
    assert_int_equal(post(&f, path, "192.0.2.2", JSON, "{\"email\":\"ann@example.com\"}").reason,
                     GH_REASON_RATE_LIMITED);
    gh_fixture_close(&f);
}

static void the_fourth_reset_in_an_hour_is_refused(void **state)
{
    struct gh_fixture f;
    gh_fixture_open_identity(&f, DEVELOPMENT "routes: []\n", &gh_fixture_identity);
    static const char BODY[] = "{\"email\":\"ann@example.com\"}";
    for (unsigned i = 0; i < 3; i++) {
        char ip[16];
        snprintf(ip, sizeof(ip), "192.0.2.%u", i + 1);
        assert_int_equal(post(&f, "/api/v1/account/reset", ip, JSON, BODY).kind, GH_VERDICT_NEXT);
    }
    assert_int_equal(post(&f, "/api/v1/account/reset", "192.0.2.9", JSON, BODY).reason,
                     GH_REASON_RATE_LIMITED);
    assert_int_equal(
        post(&f, "/api/v1/account/reset", "192.0.2.9", JSON, "{\"email\":\"bob@example.com\"}")
            .kind,
        GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void waiting_for_the_body_charges_nothing_twice(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f,
                    DEVELOPMENT "rate_limits: {head: {limit: 1/minute}, a: {limit: 1/minute, "
                                "key: \"body:email\"}}\n"
                                "routes: [{path: /**, upstream: api, rate_limit: [head, a]}]\n");
    assert_int_equal(post(&f, "/x", "192.0.2.1", JSON, "{\"email\":\"a@x\"}").kind,
                     GH_VERDICT_NEXT);
    assert_int_equal(post(&f, "/x", "192.0.2.1", JSON, "{\"email\":\"b@x\"}").reason,
                     GH_REASON_RATE_LIMITED);
    assert_int_equal(f.request.ask, GH_ASK_NOTHING); /* it was never asked for */
    gh_fixture_close(&f);
}

static void bodies_beyond_what_is_read_are_refused(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, BODY_ROUTES);
    struct gh_verdict verdict =
        gh_fixture_run(&f, "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n");
    assert_int_equal(verdict.reason, GH_REASON_BODY_TOO_LARGE);
    verdict = gh_fixture_run(
        &f, "POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_int_equal(verdict.kind, GH_VERDICT_ASK);
    assert_int_equal(f.request.ask_body_max, 65536);
    /* nobody reads what no limit asks for */
    verdict = gh_fixture_run(&f, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_int_equal(verdict.kind, GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void observed_limits_read_the_body_and_refuse_nobody(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, DEVELOPMENT
                    "rate_limits: {a: {limit: 1/minute, key: \"body:email\", mode: observe}}\n"
                    "routes: [{path: /**, upstream: api, rate_limit: a}]\n");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(post(&f, "/x", "192.0.2.1", JSON, "{\"email\":\"a@x\"}").kind,
                         GH_VERDICT_NEXT);
        assert_int_equal(f.request.observed_count, i ? 1 : 0);
    }
    assert_int_equal(post(&f, "/x", "192.0.2.1", JSON, "{no json").kind, GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_counted_wherever_they_come_from),
        cmocka_unit_test(sessions_are_counted_each_for_itself),
        cmocka_unit_test(a_list_counts_each_combination),
        cmocka_unit_test(what_all_limits_have_to_tell_stands_in_one_line),
        cmocka_unit_test(a_group_that_refuses_charges_nothing),
        cmocka_unit_test(nobody_is_counted_by_user_while_identity_is_off),
        cmocka_unit_test(one_address_is_one_however_it_is_written),
        cmocka_unit_test(addresses_beyond_ascii_are_counted_as_one),
        cmocka_unit_test(other_fields_are_compared_as_they_are),
        cmocka_unit_test(without_the_field_the_client_is_counted),
        cmocka_unit_test(what_two_backends_could_read_in_two_ways_is_refused),
        cmocka_unit_test(the_query_has_fields_like_the_body),
        cmocka_unit_test(a_body_that_must_be_unpacked_first_is_refused),
        cmocka_unit_test(the_service_says_itself_what_is_wrong_in_a_body),
        cmocka_unit_test(the_service_takes_no_field_from_the_query),
        cmocka_unit_test(the_fourth_reset_in_an_hour_is_refused),
        cmocka_unit_test(waiting_for_the_body_charges_nothing_twice),
        cmocka_unit_test(bodies_beyond_what_is_read_are_refused),
        cmocka_unit_test(observed_limits_read_the_body_and_refuse_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
