/* The rules of servers, security schemes and answers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "openapi/lint_fixture.h"

/* `head`: members of the document; `operation`: of GET /a; `schemes`: of securitySchemes. */
static void expect(const char *head, const char *method, const char *operation, const char *schemes,
                   enum gh_lint_rule rule, size_t count)
{
    char text[4096];
    struct gh_test_lint lint = {.name = NULL};
    snprintf(text, sizeof(text),
             "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n%s\n"
             "paths: {/a: {%s: {%s}}}\n"
             "components: {securitySchemes: {%s}}\n",
             head, method, operation, schemes);
    gh_test_lint_text(&lint, text);
    if (gh_test_lint_count(&lint, rule) != count)
        fail_msg("%s %s %s %s: %zu times %s", head, method, operation, schemes,
                 gh_test_lint_count(&lint, rule), gh_lint_rule_facts(rule)->id);
    gh_test_lint_done(&lint);
}

#define KEY "key: {type: apiKey, in: header, name: X-Key}"
#define OK  "responses: {'200': {description: ok}}"

static void finds_operations_that_say_nothing_of_security(void **state)
{
    expect("", "get", OK, "", GH_LINT_OPERATION_NO_SECURITY, 1);
    expect("security: [{key: []}]", "get", OK, KEY, GH_LINT_OPERATION_NO_SECURITY, 0);
    expect("", "get", "security: [], " OK, "", GH_LINT_OPERATION_NO_SECURITY, 0);
}

static void finds_writes_that_anybody_may_call(void **state)
{
    expect("", "post", "security: [], " OK, "", GH_LINT_WRITE_PUBLIC, 1);
    expect("", "post", "security: [{key: []}, {}], " OK, KEY, GH_LINT_WRITE_PUBLIC, 1);
    expect("", "post", "security: [], x-public: '', " OK, "", GH_LINT_WRITE_PUBLIC, 1);
    expect("", "post", "security: [], x-public: it signs in, " OK, "", GH_LINT_WRITE_PUBLIC, 0);
    expect("", "get", "security: [], " OK, "", GH_LINT_WRITE_PUBLIC, 0);
}

static void finds_what_is_spoken_in_clear(void **state)
{
    expect("servers: [{url: 'http://a.example'}]", "get", OK, "", GH_LINT_SERVER_HTTP, 1);
    expect("servers: [{url: 'HTTP://a.example'}]", "get", OK, "", GH_LINT_SERVER_HTTP, 1);
    expect("servers: [{url: 'https://a.example'}, {url: /v1}]", "get", OK, "", GH_LINT_SERVER_HTTP,
           0);
    expect("", "get", OK, "o: {type: openIdConnect, openIdConnectUrl: 'http://a.example/'}",
           GH_LINT_AUTH_HTTP, 1);
}

static void finds_weak_schemes(void **state)
{
    expect("", "get", OK, "b: {type: http, scheme: Basic}", GH_LINT_AUTH_BASIC, 1);
    expect("", "get", OK, "b: {type: http, scheme: negotiate}", GH_LINT_AUTH_WEAK_SCHEME, 1);
    expect("", "get", OK, "b: {type: http, scheme: bearer}", GH_LINT_AUTH_WEAK_SCHEME, 0);
    expect("", "get", OK, "b: {type: apiKey, in: query, name: k}", GH_LINT_API_KEY_IN_URL, 1);
    expect("", "get", OK, KEY, GH_LINT_API_KEY_IN_URL, 0);
    expect("", "get", OK, "b: {type: http, scheme: bearer, bearerFormat: JWT}",
           GH_LINT_JWT_PRACTICES, 1);
    expect("", "get", OK,
           "b: {type: http, scheme: bearer, bearerFormat: JWT, description: by RFC 8725}",
           GH_LINT_JWT_PRACTICES, 0);
    expect("", "get", OK,
           "b: {type: oauth2, flows: {password: {tokenUrl: 'https://a.example', scopes: {}}}}",
           GH_LINT_TOKEN_NO_REFRESH, 1);
}

static void finds_answers_that_are_not_declared(void **state)
{
    expect("security: [{key: []}]", "get", OK, KEY, GH_LINT_RESPONSE_401_MISSING, 1);
    expect("security: [{key: []}]", "get", "responses: {4XX: {description: no}}", KEY,
           GH_LINT_RESPONSE_401_MISSING, 0);
    expect("", "get", OK, "", GH_LINT_RESPONSE_429_MISSING, 1);
    expect("", "get", "responses: {default: {description: no}}", "", GH_LINT_RESPONSE_429_MISSING,
           0);
    expect("", "get", "responses: {'429': {description: no}}", "", GH_LINT_RESPONSE_429_NO_RETRY,
           1);
    expect("", "get", "responses: {'429': {description: no, headers: {retry-after: {schema: {}}}}}",
           "", GH_LINT_RESPONSE_429_NO_RETRY, 0);
    expect("", "get", OK, "", GH_LINT_RESPONSE_422_MISSING, 0);
}

#define QUERY(name, schema) "parameters: [{name: " name ", in: query, schema: " schema "}], " OK

static void finds_what_must_not_stand_in_a_url(void **state)
{
    expect("", "get", QUERY("access_token", "{type: string}"), "", GH_LINT_CREDENTIALS_IN_URL, 1);
    expect("", "get", QUERY("password", "{type: string}"), "", GH_LINT_CREDENTIALS_IN_URL, 1);
    expect("", "get", QUERY("page_token", "{type: string}"), "", GH_LINT_CREDENTIALS_IN_URL, 0);
    expect("", "get", QUERY("userId", "{type: integer}"), "", GH_LINT_NUMERIC_ID, 1);
    expect("", "get", QUERY("userId", "{type: string}"), "", GH_LINT_NUMERIC_ID, 0);
    expect("", "get", QUERY("limit", "{type: integer}"), "", GH_LINT_NUMERIC_ID, 0);
    expect("", "get", QUERY("redirect_uri", "{type: string}"), "", GH_LINT_URL_PARAMETER, 1);
    expect("", "get", QUERY("redirect_uri", "{type: string, enum: ['/']}"), "",
           GH_LINT_URL_PARAMETER, 0);
    expect("", "get", QUERY("a", "{type: string}"), "", GH_LINT_RESPONSE_422_MISSING, 1);
}

static void finds_bodies_that_may_be_anything(void **state)
{
    expect("", "post", "requestBody: {content: {'*/*': {schema: {type: string}}}}, " OK, "",
           GH_LINT_BODY_ANY_CONTENT_TYPE, 1);
    expect("", "post", "requestBody: {content: {application/json: {}}}, " OK, "",
           GH_LINT_BODY_NO_SCHEMA, 1);
    expect("", "post", "requestBody: {content: {image/png: {}}}, " OK, "", GH_LINT_BODY_NO_SCHEMA,
           0);
}

static void files_need_no_length(void **state)
{
    expect("", "post",
           "requestBody: {content: {multipart/form-data: {schema: {type: object, properties: {f: "
           "{type: string, format: binary}}}}}}, " OK,
           "", GH_LINT_STRING_NO_MAX_LENGTH, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_operations_that_say_nothing_of_security),
        cmocka_unit_test(finds_writes_that_anybody_may_call),
        cmocka_unit_test(finds_what_is_spoken_in_clear),
        cmocka_unit_test(finds_weak_schemes),
        cmocka_unit_test(finds_answers_that_are_not_declared),
        cmocka_unit_test(finds_what_must_not_stand_in_a_url),
        cmocka_unit_test(finds_bodies_that_may_be_anything),
        cmocka_unit_test(files_need_no_length),
    };
    return cmocka_run_group_tests_name("lint security", tests, NULL, NULL);
}
