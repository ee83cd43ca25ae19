#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define CONFIG                                                                                     \
    PRODUCTION "trusted_proxies: [10.0.0.0/8, 192.0.2.0/24]\n"                                     \
               "cors: {origins: [\"https://app.example.com\"], methods: [GET, POST]}\n"            \
               "routes: [{path: /open/**, upstream: api, access: public}, "                        \
               "{path: /mine/**, upstream: api}, "                                                 \
               "{path: /admin/**, upstream: api, access: {role: admin}}, "                         \
               "{path: /fresh, upstream: api, access: {fresh: true}}, "                            \
               "{path: /get, methods: [GET], upstream: api, access: public}]\n"

#define NGINX   "GET /api/v1/authz/auth-request HTTP/1.1\r\nHost: gatehouse:9000\r\n"
#define TRAEFIK "GET /api/v1/authz/forward-auth HTTP/1.1\r\nHost: gatehouse:9000\r\n"
#define ORIGINAL(method, uri)                                                                      \
    "X-Original-Method: " method "\r\nX-Original-URL: https://api.example.com" uri "\r\n"
#define FORWARDED(method, uri)                                                                     \
    "X-Forwarded-Method: " method "\r\nX-Forwarded-Uri: " uri                                      \
    "\r\nX-Forwarded-Host: api.example.com\r\nX-Forwarded-Proto: https\r\n"
#define ENVOY(method, path)                                                                        \
    method " /api/v1/authz/ext-authz" path " HTTP/1.1\r\nHost: api.example.com\r\n"                \
           "X-Forwarded-Proto: https\r\n"
#define NAVIGATION "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"

static void open_fixture(struct gh_fixture *f)
{
    gh_fixture_open_identity(f, CONFIG, &gh_fixture_identity);
    assert_non_null(f->policy);
    gh_fixture_peer(f, "10.1.2.3", false);
}

/* The status that a question gets; `fields` stand behind it. */
static unsigned ask(struct gh_fixture *f, const char *question, const char *fields)
{
    char bytes[8192];
    snprintf(bytes, sizeof(bytes), "%s%s\r\n", question, fields);
    struct gh_verdict verdict = gh_fixture_run(f, bytes);
    assert_int_equal(verdict.kind, GH_VERDICT_RESPOND);
    return f->request.reply.status;
}

static void expect(const char *question, const char *fields, unsigned status)
{
    struct gh_fixture f;
    open_fixture(&f);
    unsigned found = ask(&f, question, fields);
    if (found != status)
        fail_msg("%s%s: %u (%s)", question, fields, found,
                 gh_reason_facts(f.verdict.reason)->word.ptr);
    gh_fixture_close(&f);
}

static const char *cookie(struct gh_fixture *f, const struct gh_subject *subject)
{
    static char line[2048];
    snprintf(line, sizeof(line), "Cookie: __Host-gh_access=%s\r\n",
             gh_fixture_token(f, GH_CREDENTIAL_COOKIE, subject));
    return line;
}

/* ---- What each dialect gets ---- */

static void tells_every_proxy_who_is_signed_in(void **state)
{
    static const char *const QUESTIONS[] = {
        NGINX ORIGINAL("GET", "/mine/1?a=b"),
        NGINX FORWARDED("POST", "/mine/1"),
        TRAEFIK FORWARDED("GET", "/mine/1?a=b"),
        ENVOY("GET", "/mine/1?a=b"),
        ENVOY("DELETE", "/mine/1") "Sec-Fetch-Site: same-origin\r\n",
    };
    struct gh_fixture f;
    struct gh_subject subject = gh_fixture_subject();
    open_fixture(&f);
    subject.roles = 5;
    for (size_t i = 0; i < sizeof(QUESTIONS) / sizeof(QUESTIONS[0]); i++) {
        char fields[4096];
        /* a page of ours asks, where it would matter */
        snprintf(fields, sizeof(fields), "Origin: https://api.example.com\r\n%s",
                 cookie(&f, &subject));
        assert_int_equal(ask(&f, QUESTIONS[i], fields), 200);
        const char *reply = gh_fixture_reply(&f);
        assert_string_equal(gh_fixture_value(&f, reply, "Remote-User"), GH_FIXTURE_USER);
        assert_string_equal(gh_fixture_value(&f, reply, "Remote-Groups"), "user,editor");
        assert_string_equal(gh_fixture_value(&f, reply, "Remote-Email"), "ann@example.com");
        assert_string_equal(gh_fixture_value(&f, reply, "X-Auth-Request-User"), GH_FIXTURE_USER);
        assert_string_equal(gh_fixture_value(&f, reply, "X-Auth-Request-Groups"), "user,editor");
        assert_string_equal(gh_fixture_value(&f, reply, "X-Auth-Request-Email"), "ann@example.com");
        assert_string_equal(gh_fixture_value(&f, reply, "Cache-Control"), "no-store");
        assert_true(f.request.signed_in);
    }
    gh_fixture_close(&f);
}

static void public_routes_are_allowed_for_strangers(void **state)
{
    expect(NGINX ORIGINAL("GET", "/open/x"), "", 200);
    expect(TRAEFIK FORWARDED("GET", "/open/x"), "", 200);
    expect(ENVOY("GET", "/open/x"), "", 200);
    expect(ENVOY("GET", "/open/x"), "Cookie: __Host-gh_access=bad\r\n", 200);
    /* identity's own endpoint, judged as if it came here */
    expect(TRAEFIK FORWARDED("POST", "/api/v1/auth/login"), "Sec-Fetch-Site: same-origin\r\n", 200);
    expect(TRAEFIK FORWARDED("POST", "/api/v1/auth/login"), "", 403);
}

static void a_stranger_is_never_given_a_name(void **state)
{
    struct gh_fixture f;
    static const char SPOOFED[] = "Remote-User: root\r\nX-Auth-Request-User: root\r\n";
    open_fixture(&f);
    assert_int_equal(ask(&f, NGINX ORIGINAL("GET", "/open/x"), SPOOFED), 200);
    assert_int_equal(gh_fixture_count(gh_fixture_reply(&f), "Remote-User"), 0);
    /* others do odd things with what they are not told about: they are told of nobody */
    static const char *const QUESTIONS[] = {ENVOY("GET", "/open/x"),
                                            TRAEFIK FORWARDED("GET", "/open/x")};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ask(&f, QUESTIONS[i], SPOOFED), 200);
        const char *reply = gh_fixture_reply(&f);
        assert_string_equal(gh_fixture_value(&f, reply, "Remote-User"), "");
        assert_string_equal(gh_fixture_value(&f, reply, "X-Auth-Request-Groups"), "");
    }
    gh_fixture_close(&f);
}

static void nginx_gets_401_or_403_and_nothing_else(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    open_fixture(&f);
    assert_int_equal(ask(&f, NGINX ORIGINAL("GET", "/mine/1?a=b"), NAVIGATION), 401);
    const char *reply = gh_fixture_reply(&f);
    assert_string_equal(gh_fixture_value(&f, reply, "Location"),
                        "/login?return_to=/mine/1%3Fa%3Db");
    assert_non_null(gh_fixture_value(&f, reply, "WWW-Authenticate"));
    assert_int_equal(ask(&f, NGINX ORIGINAL("GET", "/mine/1"), ""), 401);
    assert_non_null(gh_fixture_value(&f, gh_fixture_reply(&f), "Location"));
    assert_int_equal(gh_fixture_count(gh_fixture_reply(&f), "WWW-Authenticate"), 1);
    assert_int_equal(ask(&f, NGINX ORIGINAL("GET", "/mine/1"),
                         "Cookie: __Host-gh_access=a; __Host-gh_access=b\r\n"),
                     403);
    assert_int_equal(ask(&f, NGINX ORIGINAL("GET", "/admin/"), cookie(&f, &user)), 403);
    assert_int_equal(ask(&f, NGINX ORIGINAL("GET", "/fresh"), cookie(&f, &user)), 403);
    assert_non_null(gh_fixture_value(&f, gh_fixture_reply(&f), "WWW-Authenticate"));
    assert_int_equal(ask(&f, NGINX ORIGINAL("GET", "/nowhere"), ""), 403);
    assert_int_equal(ask(&f, NGINX ORIGINAL("POST", "/get"), ""), 403);
    assert_null(gh_fixture_value(&f, gh_fixture_reply(&f), "Allow"));
    gh_fixture_close(&f);
}

static void others_may_be_led_to_the_login_page(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    assert_int_equal(ask(&f, TRAEFIK FORWARDED("GET", "/mine/1"), NAVIGATION), 303);
    assert_string_equal(gh_fixture_value(&f, gh_fixture_reply(&f), "Location"),
                        "/login?return_to=/mine/1");
    assert_int_equal(ask(&f, ENVOY("GET", "/mine/1"), NAVIGATION), 303);
    assert_int_equal(ask(&f, TRAEFIK FORWARDED("GET", "/mine/1"), ""), 401);
    assert_null(gh_fixture_value(&f, gh_fixture_reply(&f), "Location"));
    /* the question is a GET, the request is not */
    assert_int_equal(ask(&f, TRAEFIK FORWARDED("POST", "/mine/1"), NAVIGATION), 401);
    gh_fixture_close(&f);
}

/* ---- Who may ask ---- */

static void only_listed_peers_are_answered(void **state)
{
    static const char *const QUESTIONS[] = {NGINX ORIGINAL("GET", "/open/x"),
                                            TRAEFIK FORWARDED("GET", "/open/x"),
                                            ENVOY("GET", "/open/x")};
    struct gh_fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < 3; i++) {
        gh_fixture_peer(&f, "192.0.2.1", false); /* a trusted proxy, but not one that may ask */
        assert_int_equal(ask(&f, QUESTIONS[i], "X-Forwarded-For: 10.1.2.3\r\n"), 403);
        assert_int_equal(f.verdict.reason, GH_REASON_AUTHZ_PEER);
        gh_fixture_peer(&f, "203.0.113.9", true);
        assert_int_equal(ask(&f, QUESTIONS[i], "X-Forwarded-For: 10.1.2.3\r\n"), 403);
        assert_int_equal(f.verdict.reason, GH_REASON_AUTHZ_PEER);
        gh_fixture_peer(&f, NULL, false);
        assert_int_equal(ask(&f, QUESTIONS[i], ""), 403);
    }
    gh_fixture_close(&f);
}

static void without_peers_nobody_is(void **state)
{
    struct gh_fixture f;
    struct gh_policy_identity identity = gh_fixture_identity;
    identity.authz_peers = (struct gh_config_list){0};
    gh_fixture_open_identity(&f,
                             DEVELOPMENT "routes: [{path: /**, upstream: api, access: "
                                         "public}]\n",
                             &identity);
    gh_fixture_peer(&f, "10.1.2.3", false);
    static const char *const LINES[] = {
        "GET /api/v1/authz/auth-request",
        "GET /api/v1/authz/auth-request/",
        "GET /api/v1/authz/forward-auth",
        "GET /api/v1/authz/ext-authz/x",
        "GET /api/v1/authz/ext-authz",
        "GET /api//v1/authz/ext-authz/x",
        "GET /api/v1/%61uthz/forward-auth",
        "GET /x/../api/v1/authz/auth-request",
        "GET /api/v1/authz/ext-authz/../../../x",
        "GET /api/v1/authz/ext-authz/../../../../x",
    };
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        char bytes[256];
        snprintf(bytes, sizeof(bytes), "%s HTTP/1.1\r\nHost: localhost\r\n", LINES[i]);
        unsigned status = ask(&f, bytes, "");
        if (status != 403)
            fail_msg("%s: %u", LINES[i], status);
        assert_int_equal(f.verdict.reason, GH_REASON_AUTHZ_PEER);
    }
    gh_fixture_close(&f);
}

static void peers_of_unix_sockets_may_be_listed(void **state)
{
    struct gh_fixture f;
    static const struct gh_str PEERS[] = {GH_STR_INIT("unix")};
    struct gh_policy_identity identity = gh_fixture_identity;
    identity.authz_peers = (struct gh_config_list){(void *)(uintptr_t)PEERS, 1};
    gh_fixture_open_identity(&f, CONFIG, &identity);
    gh_fixture_peer(&f, NULL, false);
    assert_int_equal(ask(&f, NGINX ORIGINAL("GET", "/open/x"), ""), 200);
    gh_fixture_peer(&f, "10.1.2.3", false);
    assert_int_equal(ask(&f, NGINX ORIGINAL("GET", "/open/x"), ""), 403);
    gh_fixture_close(&f);
}

/* ---- Bypasses that other products had ---- */

/* GHSA-7x63-xv5r-3p2x: the proxy sets one custom, the client writes the other. */
static void a_client_can_not_add_facts_of_the_other_custom(void **state)
{
    expect(NGINX ORIGINAL("GET", "/mine/1"), "X-Forwarded-Uri: /open/x\r\n", 403);
    expect(NGINX ORIGINAL("GET", "/mine/1"), FORWARDED("GET", "/open/x"), 403);
    expect(NGINX ORIGINAL("DELETE", "/open/x"), "X-Forwarded-Method: GET\r\n", 403);
    expect(NGINX ORIGINAL("GET", "/open/x"), "X-Forwarded-Host: other.example\r\n", 403);
    expect(NGINX FORWARDED("GET", "/mine/1"),
           "X-Original-URL: https://api.example.com/open/x\r\nX-Original-Method: GET\r\n", 403);
    expect(NGINX FORWARDED("GET", "/mine/1"), "X-Original-Method: GET\r\n", 403);
    expect(NGINX FORWARDED("GET", "/mine/1"), "X-Original-URL: https://api.example.com/open\r\n",
           403);
    /* where a dialect has one custom, the other means nothing */
    expect(TRAEFIK FORWARDED("GET", "/mine/1"), ORIGINAL("GET", "/open/x"), 401);
    expect(ENVOY("GET", "/mine/1"), ORIGINAL("GET", "/open/x") FORWARDED("GET", "/open/x"), 401);
    /* and agreeing is no lie */
    expect(NGINX ORIGINAL("GET", "/open/x?a"), FORWARDED("GET", "/open/x?a"), 200);
}

static void a_client_can_not_say_a_fact_twice(void **state)
{
    expect(TRAEFIK FORWARDED("GET", "/mine/1"), "X-Forwarded-Uri: /open/x\r\n", 403);
    expect(TRAEFIK "X-Forwarded-Uri: /open/x\r\n", FORWARDED("GET", "/mine/1"), 403);
    expect(TRAEFIK FORWARDED("GET", "/open/x"), "x-forwarded-method: GET\r\n", 403);
    expect(TRAEFIK FORWARDED("GET", "/open/x"), "X-Forwarded-Host: api.example.com\r\n", 403);
    expect(NGINX ORIGINAL("GET", "/open/x"), "X-Original-URL: https://api.example.com/open\r\n",
           403);
    /* other spellings are other fields */
    expect(TRAEFIK FORWARDED("GET", "/mine/1"), "X_Forwarded_Uri: /open/x\r\n", 401);
    expect(TRAEFIK "X_Forwarded_Uri: /open/x\r\nX-Forwarded-Method: GET\r\n",
           "X-Forwarded-Host: api.example.com\r\nX-Forwarded-Proto: https\r\n", 403);
}

static void missing_facts_are_not_guessed(void **state)
{
    expect(NGINX, "", 403);
    expect(TRAEFIK, "", 403);
    expect(NGINX "X-Original-URL: https://api.example.com/open/x\r\n", "", 403);
    expect(NGINX "X-Original-Method: GET\r\n", "", 403);
    expect(TRAEFIK "X-Forwarded-Uri: /open/x\r\nX-Forwarded-Method: GET\r\n",
           "X-Forwarded-Proto: https\r\n", 403);
    expect(TRAEFIK "X-Forwarded-Uri: /open/x\r\nX-Forwarded-Host: api.example.com\r\n",
           "X-Forwarded-Proto: https\r\n", 403);
    expect(TRAEFIK "X-Forwarded-Uri: /open/x\r\nX-Forwarded-Host: api.example.com\r\n",
           "X-Forwarded-Method: GET\r\n", 403);
    expect(TRAEFIK ORIGINAL("GET", "/open/x"), "", 403);
}

/* GHSA-5hvv-m4w4-gf6v. */
static void nobody_is_let_in_for_his_user_agent(void **state)
{
    static const char *const AGENTS[] = {"User-Agent: kube-probe/1.29\r\n",
                                         "User-Agent: GoogleHC/1.0\r\n",
                                         "User-Agent: ELB-HealthChecker/2.0\r\n"};
    for (size_t i = 0; i < 3; i++) {
        expect(NGINX ORIGINAL("GET", "/mine/1"), AGENTS[i], 401);
        expect(TRAEFIK FORWARDED("GET", "/mine/1"), AGENTS[i], 401);
        expect(ENVOY("GET", "/mine/1"), AGENTS[i], 401);
    }
}

/* GHSA-pxq7-h93f-9jrg: what a rule that skips sign-in must not be talked into. */
static void fragments_and_odd_targets_are_no_way_around(void **state)
{
    static const char *const URIS[] = {
        "/open/x#/../mine/1",
        "/mine/1#/open/x",
        "/open/x?a#b",
        "open/x",
        "*",
        "",
        "https://x/open/x",
        "/open/%",
        "/open/%2",
        "/open/%00",
        "/open/a b",
        "/open/%5c..%5cmine",
        "/open/\\..\\mine",
        "/../open/x",
        "/open/%c0%af",
        "/open/%2f..%2fmine",
        "/open/x;/mine",
        "/open/\x80",
        "/open/x?%",
        "?/open/x",
    };
    for (size_t i = 0; i < sizeof(URIS) / sizeof(URIS[0]); i++) {
        char question[512];
        snprintf(question, sizeof(question),
                 TRAEFIK "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: %s\r\n"
                         "X-Forwarded-Host: api.example.com\r\nX-Forwarded-Proto: https\r\n",
                 URIS[i]);
        expect(question, "", 403);
        snprintf(question, sizeof(question),
                 NGINX "X-Original-Method: GET\r\n"
                       "X-Original-URL: https://api.example.com%s\r\n",
                 URIS[i]);
        expect(question, "", 403);
    }
    /* an escaped one is a byte of its segment */
    expect(TRAEFIK FORWARDED("GET", "/mine/1%23/open/x"), "", 401);
}

/* The application gets the path as it was sent, and may resolve nothing. */
static void paths_with_two_readings_are_refused(void **state)
{
    static const char *const URIS[] = {
        "/mine/1/../../open/x",
        "/mine/%2e%2e/open/x",
        "/mine/.%2E/open/x",
        "/open/../mine/1",
        "/open/%2e%2e/mine/1",
        "/open/./x",
        "/open/.",
        "/open/..",
        "//mine//1",
        "//open/x",
        "/open//x",
        "/%6fpen/x",
        "/open/%7Ex",
        "/mine%2e/../open/x",
        "/x/../",
    };
    for (size_t i = 0; i < sizeof(URIS) / sizeof(URIS[0]); i++) {
        char question[512];
        snprintf(question, sizeof(question),
                 TRAEFIK "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: %s\r\n"
                         "X-Forwarded-Host: api.example.com\r\nX-Forwarded-Proto: https\r\n",
                 URIS[i]);
        expect(question, "", 403);
        snprintf(question, sizeof(question),
                 NGINX "X-Original-Method: GET\r\n"
                       "X-Original-URL: https://api.example.com%s\r\n",
                 URIS[i]);
        expect(question, "", 403);
        snprintf(question, sizeof(question),
                 "GET /api/v1/authz/ext-authz%s HTTP/1.1\r\nHost: api.example.com\r\n"
                 "X-Forwarded-Proto: https\r\n",
                 URIS[i]);
        expect(question, "", 403);
    }
    /* the digits of an escape may be of either case, and a query is nothing of ours */
    expect(TRAEFIK FORWARDED("GET", "/open/%c3%A9"), "", 200);
    expect(TRAEFIK FORWARDED("GET", "/open/x..y/...?/../mine"), "", 200);
}

/* The path behind Envoy's prefix is the other request's: it must not lead out of the prefix. */
static void dot_segments_do_not_lead_out_of_envoys_prefix(void **state)
{
    expect(ENVOY("GET", "/../../../../open/x"), "", 403);
    expect(ENVOY("GET", "/mine/../../../../../open/x"), "", 403);
    expect(ENVOY("GET", "/mine/%2e%2e/%2e%2e/open/x"), "", 403);
    expect(ENVOY("GET", "/open/../mine/1"), "", 403);
    expect(ENVOY("GET", "/../../../../healthz"), "", 403);
    expect(ENVOY("GET", "//mine/1"), "", 403);
    expect(ENVOY("GET", ""), "", 403);
    expect(ENVOY("GET", "open/x"), "", 403);
    expect(ENVOY("OPTIONS", "*"), "", 403);
}

static void hosts_are_checked_as_ever(void **state)
{
    expect(TRAEFIK "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /open/x\r\n"
                   "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n",
           "", 403);
    expect(TRAEFIK "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /open/x\r\n"
                   "X-Forwarded-Proto: https\r\nX-Forwarded-Host: api.example.com, evil\r\n",
           "", 403);
    expect(NGINX "X-Original-Method: GET\r\nX-Original-URL: https://evil.example/open/x\r\n", "",
           403);
    expect(NGINX "X-Original-Method: GET\r\n"
                 "X-Original-URL: https://api.example.com@evil.example/open/x\r\n",
           "", 403);
    expect(NGINX "X-Original-Method: GET\r\nX-Original-URL: ftp://api.example.com/open/x\r\n", "",
           403);
    /* no probe of ours is meant */
    expect(TRAEFIK "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /healthz\r\n"
                   "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n",
           "", 403);
}

static void paths_of_our_own_are_nothing_special(void **state)
{
    static const char *const PATHS[] = {
        "/healthz",    "/readyz", "/", "/health", "/.well-known/security.txt",
        "/csp-report", "/metrics"};
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        char question[512];
        snprintf(question, sizeof(question),
                 TRAEFIK "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: %s\r\n"
                         "X-Forwarded-Host: api.example.com\r\nX-Forwarded-Proto: https\r\n",
                 PATHS[i]);
        expect(question, "", 403);
    }
    expect(TRAEFIK FORWARDED("GET", "/api/v1/authz/forward-auth"), "", 403);
}

static void methods_are_those_of_the_request_itself(void **state)
{
    static const char PREFLIGHT[] = "Origin: https://app.example.com\r\n"
                                    "Access-Control-Request-Method: GET\r\n";
    expect(TRAEFIK FORWARDED("GET", "/get"), "", 200);
    expect(TRAEFIK FORWARDED("POST", "/get"), "", 403);
    expect(TRAEFIK FORWARDED("OPTIONS", "/get"), PREFLIGHT, 403);
    expect(ENVOY("OPTIONS", "/get"), PREFLIGHT, 403);
    expect(ENVOY("OPTIONS", "/mine/1"), PREFLIGHT, 401);
    expect(TRAEFIK FORWARDED("TRACE", "/open/x"), "", 403);
    expect(TRAEFIK FORWARDED("CONNECT", "/open/x"), "", 403);
    expect(TRAEFIK FORWARDED("GET POST", "/open/x"), "", 403);
    expect(TRAEFIK FORWARDED("get", "/get"), "", 403);
}

static void other_sites_can_not_use_the_session(void **state)
{
    struct gh_fixture f;
    struct gh_subject user = gh_fixture_subject();
    char fields[4096];
    open_fixture(&f);
    snprintf(fields, sizeof(fields), "Sec-Fetch-Site: cross-site\r\n%s", cookie(&f, &user));
    assert_int_equal(ask(&f, TRAEFIK FORWARDED("POST", "/mine/1"), fields), 403);
    assert_int_equal(f.verdict.reason, GH_REASON_CROSS_SITE);
    assert_int_equal(ask(&f, TRAEFIK FORWARDED("GET", "/mine/1"), fields), 200);
    gh_fixture_close(&f);
}

/* GHSA-c5c4-8r6x-56w3. */
static void an_email_that_reads_two_ways_is_not_told(void **state)
{
    static const struct gh_str EMAILS[] = {
        GH_STR_INIT("ann@evil.example@corp.example"),
        GH_STR_INIT("ann"),
        GH_STR_INIT("@corp.example"),
        GH_STR_INIT("ann@"),
        GH_STR_INIT("ann@x.example,root@corp"),
        GH_STR_INIT("\"ann smith\"@x.example"),
        GH_STR_INIT("<ann@x.example>"),
    };
    struct gh_fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof(EMAILS) / sizeof(EMAILS[0]); i++) {
        struct gh_subject user = gh_fixture_subject();
        user.email = EMAILS[i];
        assert_int_equal(ask(&f, TRAEFIK FORWARDED("GET", "/mine/1"), cookie(&f, &user)), 200);
        const char *reply = gh_fixture_reply(&f);
        assert_string_equal(gh_fixture_value(&f, reply, "Remote-Email"), "");
        assert_string_equal(gh_fixture_value(&f, reply, "Remote-User"), GH_FIXTURE_USER);
    }
    gh_fixture_close(&f);
}

static void refusals_are_those_that_a_proxy_understands(void **state)
{
    struct gh_fixture f;
    open_fixture(&f);
    char bytes[1024];
    snprintf(bytes, sizeof(bytes),
             NGINX ORIGINAL("GET", "/mine/1") "Cookie: __Host-gh_access=%s"
                                              "\r\n\r\n",
             "aaaa");
    gh_fixture_begin(&f, bytes);
    f.request.gate = NULL;
    gh_policy_run(&f.request);
    assert_int_equal(f.request.reply.status, 403); /* a 503 would be nginx's 500 */
    snprintf(bytes, sizeof(bytes), ENVOY("GET", "/mine/1") "Cookie: __Host-gh_access=%s\r\n\r\n",
             "aaaa");
    gh_fixture_begin(&f, bytes);
    f.request.gate = NULL;
    gh_policy_run(&f.request);
    assert_int_equal(f.request.reply.status, 503);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_every_proxy_who_is_signed_in),
        cmocka_unit_test(public_routes_are_allowed_for_strangers),
        cmocka_unit_test(a_stranger_is_never_given_a_name),
        cmocka_unit_test(nginx_gets_401_or_403_and_nothing_else),
        cmocka_unit_test(others_may_be_led_to_the_login_page),
        cmocka_unit_test(only_listed_peers_are_answered),
        cmocka_unit_test(without_peers_nobody_is),
        cmocka_unit_test(peers_of_unix_sockets_may_be_listed),
        cmocka_unit_test(a_client_can_not_add_facts_of_the_other_custom),
        cmocka_unit_test(a_client_can_not_say_a_fact_twice),
        cmocka_unit_test(missing_facts_are_not_guessed),
        cmocka_unit_test(nobody_is_let_in_for_his_user_agent),
        cmocka_unit_test(fragments_and_odd_targets_are_no_way_around),
        cmocka_unit_test(paths_with_two_readings_are_refused),
        cmocka_unit_test(dot_segments_do_not_lead_out_of_envoys_prefix),
        cmocka_unit_test(hosts_are_checked_as_ever),
        cmocka_unit_test(paths_of_our_own_are_nothing_special),
        cmocka_unit_test(methods_are_those_of_the_request_itself),
        cmocka_unit_test(other_sites_can_not_use_the_session),
        cmocka_unit_test(an_email_that_reads_two_ways_is_not_told),
        cmocka_unit_test(refusals_are_those_that_a_proxy_understands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
