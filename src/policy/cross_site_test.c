#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define CONFIG                                                                                     \
    PRODUCTION "public_url: https://www.example.com\ncors: {origins: [\"https://app.example.com\"" \
               ", \"https://*.apps.example\"], credentials: true}\n"                               \
               "routes: [{path: /**, upstream: api}, {path: /ws, upstream: api, websocket: "       \
               "true}]\n"
#define COOKIE "Cookie: theme=dark; __Host-gh_access=x\r\n"
#define POST   "POST /x HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 0\r\n"
#define UPGRADE                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: "                \
    "websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

static bool passes(const char *request)
{
    struct gh_fixture f;
    gh_fixture_open(&f, CONFIG);
    assert_non_null(f.policy);
    gh_fixture_peer(&f, "192.0.2.1", true);
    struct gh_verdict verdict = gh_fixture_run(&f, request);
    if (verdict.kind != GH_VERDICT_NEXT) {
        assert_int_equal(verdict.reason, GH_REASON_CROSS_SITE);
        assert_int_equal(f.request.reply.status, 403);
    }
    gh_fixture_close(&f);
    return verdict.kind == GH_VERDICT_NEXT;
}

static void passes_state_changes_of_our_own_pages(void **state)
{
    assert_true(passes(POST COOKIE "Sec-Fetch-Site: same-origin\r\n\r\n"));
    assert_true(passes(POST COOKIE "Sec-Fetch-Site: none\r\n\r\n"));
    assert_true(passes(POST COOKIE "Origin: https://api.example.com\r\n\r\n"));
    assert_true(passes(POST COOKIE "Origin: https://www.example.com\r\n\r\n"));
    assert_true(passes(POST COOKIE "Origin: null\r\nSec-Fetch-Site: same-origin\r\n\r\n"));
    assert_true(
        passes(POST COOKIE "Sec-Fetch-Site: same-site\r\nOrigin: https://app.example.com\r\n\r\n"));
}

static void refuses_state_changes_of_other_sites(void **state)
{
    static const char *const LINES[] = {
        "",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: cross-site\r\nOrigin: https://evil.example\r\n",
        "Sec-Fetch-Site: same-site\r\nOrigin: https://x.apps.example\r\n",
        "Sec-Fetch-Site: nonsense\r\n",
        "Sec-Fetch-Site:\r\n",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: same-origin\r\n",
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://api.example.com\r\n",
        "Origin: https://api.example.com:8443\r\n",
        "Origin: https://api.example.com.evil.com\r\n",
        "Origin: https://api.example.com\r\nOrigin: https://api.example.com\r\n",
    };
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        char request[512];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf, POST COOKIE "%s\r\n", LINES[i]);
        request[buf.len] = 0;
        if (passes(request))
            fail_msg("%s passed", LINES[i]);
    }
}

static void does_not_care_without_our_cookies_or_with_safe_methods(void **state)
{
    assert_true(passes(POST "Sec-Fetch-Site: cross-site\r\nCookie: other=1\r\n\r\n"));
    assert_true(passes(POST "Authorization: Bearer x\r\nOrigin: https://evil.example\r\n\r\n"));
    assert_true(passes("GET /x HTTP/1.1\r\nHost: api.example.com\r\n" COOKIE
                       "Sec-Fetch-Site: cross-site\r\n\r\n"));
}

static void knows_each_of_our_cookies_also_when_doubled(void **state)
{
    static const char *const COOKIES[] = {"__Host-gh_access=1", "__Secure-gh_refresh=1",
                                          "gh_access=1", "gh_refresh=1",
                                          "gh_access=1; gh_access=2"};
    for (size_t i = 0; i < sizeof(COOKIES) / sizeof(COOKIES[0]); i++) {
        char request[512];
        struct gh_buf buf = gh_buf_over(request, sizeof(request));
        gh_buf_format(&buf, POST "Cookie: %s\r\nOrigin: https://evil.example\r\n\r\n", COOKIES[i]);
        request[buf.len] = 0;
        if (passes(request))
            fail_msg("%s passed", COOKIES[i]);
    }
}

static void checks_the_origin_of_every_upgrade(void **state)
{
    assert_true(passes(UPGRADE "\r\n"));
    assert_true(passes(UPGRADE "Origin: https://api.example.com\r\n\r\n"));
    assert_true(passes(UPGRADE "Origin: https://app.example.com\r\n" COOKIE "\r\n"));
    assert_true(passes(UPGRADE "Origin: https://x.apps.example\r\n\r\n"));
    assert_false(passes(UPGRADE "Origin: https://evil.example\r\n\r\n"));
    assert_false(passes(UPGRADE "Origin: null\r\n\r\n"));
    assert_false(passes(UPGRADE "Origin: http://api.example.com\r\n\r\n"));
    assert_false(passes(UPGRADE COOKIE "\r\n"));
}

static void a_routes_own_mode_wins(void **state)
{
    struct gh_fixture f;
    gh_fixture_open(&f, PRODUCTION
                    "routes: [{path: /**, upstream: api, cross_site: {mode: observe}}]\n");
    assert_non_null(f.policy);
    gh_fixture_peer(&f, "192.0.2.1", true);
    assert_int_equal(gh_fixture_run(&f, POST COOKIE "Origin: https://evil.example\r\n\r\n").kind,
                     GH_VERDICT_NEXT);
    assert_int_equal(f.request.observed_count, 1);
    assert_int_equal(f.request.observed[0], GH_STAGE_CROSS_SITE);
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_state_changes_of_our_own_pages),
        cmocka_unit_test(refuses_state_changes_of_other_sites),
        cmocka_unit_test(does_not_care_without_our_cookies_or_with_safe_methods),
        cmocka_unit_test(knows_each_of_our_cookies_also_when_doubled),
        cmocka_unit_test(checks_the_origin_of_every_upgrade),
        cmocka_unit_test(a_routes_own_mode_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
