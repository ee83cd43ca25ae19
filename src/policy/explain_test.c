#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

#define CONFIG                                                                                     \
    DEVELOPMENT "rate_limits: {a: {limit: 3/minute, key: user}, b: {limit: 5/minute, key: "        \
                "\"body:code\"}}\n"                                                                \
                "routes: [{path: /open, upstream: api, access: public}, {path: \"/u/{id}\", "      \
                "upstream: api, access: {role: admin, owner: id, or_role: admin}, rate_limit: "    \
                "[a, b]}]\n"

/* What was said, a line for each stage. */
struct said {
    char text[8192];
    struct gh_buf buf;
};

static void on_step(void *context, enum gh_stage stage, struct gh_verdict verdict,
                    struct gh_str why)
{
    struct said *said = context;
    gh_buf_format(&said->buf, "%.*s: %.*s\n", GH_STR_ARG(gh_stage_name(stage)), GH_STR_ARG(why));
}

/* As the command does it: without limits and without keys. */
static enum gh_verdict_kind explain(struct gh_fixture *f, struct said *said, const char *bytes)
{
    gh_fixture_begin(f, bytes);
    f->request.dry_run = true;
    f->request.limits = NULL;
    f->request.gate = NULL;
    f->request.gate_rules = NULL;
    said->buf = gh_buf_over(said->text, sizeof(said->text) - 1);
    enum gh_verdict_kind kind = gh_policy_explain(&f->request, on_step, said).kind;
    said->text[said->buf.len] = 0;
    return kind;
}

static void expect(const struct said *said, const char *line)
{
    if (!strstr(said->text, line))
        fail_msg("no \"%s\" in\n%s", line, said->text);
}

static void says_that_it_can_not_verify_a_credential(void **state)
{
    struct gh_fixture f;
    struct said said;
    gh_fixture_open_identity(&f, CONFIG, &gh_fixture_identity);
    assert_non_null(f.policy);
    assert_int_equal(explain(&f, &said,
                             "POST /u/7 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
                             "Sec-Fetch-Site: same-origin\r\nCookie: __Host-gh_access=x\r\n\r\n"),
                     GH_VERDICT_NEXT);
    expect(&said, "identify: there is a credential, which can't be verified here");
    expect(&said, "access: role admin, owner id or role admin: depends on who calls");
    expect(&said, "rate: no rate limit applies yet\n");
    expect(&said, "rate: counted against \"a\";q=3;w=60\n");
    expect(&said, "size: the body is read first, for a rate limit, at most 65536 bytes\n");
    expect(&said, "rate: counted against \"b\";q=5;w=60\n");
    gh_fixture_close(&f);
}

static void says_who_is_nobody(void **state)
{
    struct gh_fixture f;
    struct said said;
    gh_fixture_open_identity(&f, CONFIG, &gh_fixture_identity);
    assert_int_equal(explain(&f, &said, "GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                     GH_VERDICT_NEXT);
    expect(&said, "identify: no session cookie and no bearer token: anonymous\n");
    expect(&said, "access: public\n");
    assert_int_equal(explain(&f, &said, "GET /u/7 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                     GH_VERDICT_RESPOND);
    expect(&said, "identify: answered 401 (not_signed_in): Sign in, then try again.\n");
    assert_null(strstr(said.text, "access:"));
    assert_int_equal(explain(&f, &said,
                             "GET /u/7 HTTP/1.1\r\nHost: localhost\r\n"
                             "Cookie: __Host-gh_access=a; __Host-gh_access=b\r\n\r\n"),
                     GH_VERDICT_RESPOND);
    expect(&said, "identify: answered 400 (credential_ambiguous)");
    gh_fixture_close(&f);
}

static void says_who_asks_for_a_decision(void **state)
{
    struct gh_fixture f;
    struct said said;
    gh_fixture_open_identity(&f, CONFIG, &gh_fixture_identity);
    gh_fixture_peer(&f, "10.0.0.1", false);
    assert_int_equal(
        explain(&f, &said,
                "GET /api/v1/authz/auth-request HTTP/1.1\r\nHost: x\r\nX-Original-Method: GET\r\n"
                "X-Original-URL: http://localhost/u/7\r\n\r\n"),
        GH_VERDICT_RESPOND);
    expect(&said, "route: answered 401 (not_signed_in)");
    gh_fixture_close(&f);
}

static void without_identity_says_so(void **state)
{
    struct gh_fixture f;
    struct said said;
    gh_fixture_open(&f, DEVELOPMENT ROUTE_ALL);
    assert_int_equal(explain(&f, &said, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                     GH_VERDICT_NEXT);
    expect(&said, "identify: identity is off\n");
    expect(&said, "access: public\n");
    gh_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_that_it_can_not_verify_a_credential),
        cmocka_unit_test(says_who_is_nobody),
        cmocka_unit_test(says_who_asks_for_a_decision),
        cmocka_unit_test(without_identity_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
