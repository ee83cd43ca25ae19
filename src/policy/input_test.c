#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "policy/input.h"
#include "policy/policy_fixture.h"
#include "policy/policy_fixture_yaml.h"

static const char DOCUMENT[] =
    "openapi: 3.1.0\n"
    "info: {title: t, version: '1'}\n"
    "servers: [{url: /v1}]\n"
    "paths:\n"
    "  /pets:\n"
    "    get:\n"
    "      operationId: listPets\n"
    "      parameters: [{name: limit, in: query, schema: {type: integer, maximum: 9}}]\n"
    "      responses: {'200': {description: d, content: {application/json: {schema: {type: "
    "array}}}}}\n"
    "    post:\n"
    "      operationId: addPet\n"
    "      requestBody:\n"
    "        required: true\n"
    "        content:\n"
    "          application/json: {schema: {type: object, required: [name]}}\n"
    "          multipart/form-data: {schema: {type: object, required: [photo]}}\n"
    "          image/*: {}\n"
    "      responses: {'201': {description: d}}\n"
    "  /pets/{pet.id}/notes/{note-id}:\n"
    "    get:\n"
    "      parameters:\n"
    "        - {name: note-id, in: path, required: true, schema: {type: string, maxLength: 3}}\n"
    "        - {name: pet.id, in: path, required: true, schema: {type: integer}}\n"
    "      responses: {'200': {description: d}}\n"
    "  /files/*:\n"
    "    get: {operationId: star, responses: {'200': {description: d}}}\n";

static void open_with(struct gh_fixture *f, const char *members)
{
    char yaml[1024];
    struct gh_buf buf = gh_buf_over(yaml, sizeof(yaml) - 1);
    gh_buf_format(&buf,
                  DEVELOPMENT "routes: [{path: /v1/**, upstream: api, input: {openapi: a.yaml%s}}, "
                              "{path: /free, upstream: api}]\n",
                  members);
    yaml[buf.len] = '\0';
    gh_fixture_open_input(f, yaml, DOCUMENT);
}

static void open_document(struct gh_fixture *f)
{
    open_with(f, "");
    assert_non_null(f->policy);
}

#define HEAD(line, fields) line " HTTP/1.1\r\nHost: localhost\r\n" fields "\r\n"
#define JSON_FIELDS        "Content-Type: application/json\r\n"

static void expect_refusal(struct gh_fixture *f, const char *bytes, enum gh_reason reason,
                           unsigned status)
{
    struct gh_verdict verdict = gh_fixture_run(f, bytes);
    assert_int_equal(verdict.kind, GH_VERDICT_RESPOND);
    assert_int_equal(verdict.reason, reason);
    assert_int_equal(f->request.reply.status, status);
    assert_int_equal(f->request.stage, GH_STAGE_INPUT);
}

static struct gh_verdict go_on_with(struct gh_fixture *f, const char *body)
{
    f->request.body = gh_str_from_c(body);
    f->request.body_known = true;
    return gh_policy_run(&f->request);
}

static void a_route_without_input_judges_nothing(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_document(&f);
    assert_int_equal(gh_fixture_run(&f, HEAD("DELETE /free?x=1", "")).kind, GH_VERDICT_NEXT);
    assert_null(f.request.input);
    gh_fixture_close(&f);
}

static void what_the_document_does_not_have_is_refused(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_document(&f);
    expect_refusal(&f, HEAD("GET /v1/cats", ""), GH_REASON_INPUT_PATH, 404);
    expect_refusal(&f, HEAD("GET /v1", ""), GH_REASON_INPUT_PATH, 404);
    expect_refusal(&f, HEAD("GET /v1/pets/", ""), GH_REASON_INPUT_PATH, 404);
    expect_refusal(&f, HEAD("DELETE /v1/pets", ""), GH_REASON_INPUT_METHOD, 405);
    assert_non_null(strstr(gh_fixture_reply(&f), "Allow: GET, HEAD, POST"));
    expect_refusal(&f, HEAD("POST /v1/pets", "Content-Type: a/b\r\nContent-Length: 1\r\n"),
                   GH_REASON_INPUT_CONTENT_TYPE, 415);
    assert_non_null(strstr(gh_fixture_reply(&f), "Accept: "));
    gh_fixture_close(&f);
}

static void parameters_are_judged_by_their_place_in_the_path(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_document(&f);
    assert_int_equal(gh_fixture_run(&f, HEAD("GET /v1/pets/17/notes/abc", "")).kind,
                     GH_VERDICT_NEXT);
    assert_int_equal(gh_fixture_run(&f, HEAD("GET /v1/files/%2A", "")).kind, GH_VERDICT_NEXT);
    expect_refusal(&f, HEAD("GET /v1/pets/abc/notes/17", ""), GH_REASON_INPUT_INVALID, 422);
    assert_int_equal(f.request.input->checked.report.count, 1);
    assert_true(gh_str_eq(f.request.input->checked.report.violations[0].name, GH_STR("pet.id")));
    gh_fixture_close(&f);
}

static void the_problem_document_names_each_violation_and_no_value(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_document(&f);
    expect_refusal(&f, HEAD("GET /v1/pets?limit=10&secret=hunter2", ""), GH_REASON_INPUT_INVALID,
                   422);
    const char *reply = gh_fixture_reply(&f);
    assert_non_null(strstr(reply, "\"type\":\"urn:gatehouse:problem:invalid-input\""));
    assert_non_null(strstr(reply, "declared: 2 violations.\""));
    assert_non_null(strstr(reply, "{\"location\":\"query\",\"name\":\"limit\",\"pointer\":\"\","
                                  "\"rule\":\"maximum\",\"message\":\""));
    assert_non_null(strstr(reply, "\"name\":\"secret\",\"pointer\":\"\",\"rule\":\"undeclared\""));
    assert_null(strstr(reply, "hunter2"));
    gh_fixture_close(&f);
}

static void a_small_body_is_asked_for_and_judged_at_once(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_document(&f);
    const char *head = HEAD("POST /v1/pets", JSON_FIELDS "Content-Length: 12\r\n");
    assert_int_equal(gh_fixture_run(&f, head).kind, GH_VERDICT_ASK);
    assert_int_equal(f.request.ask, GH_ASK_BODY);
    assert_int_equal(f.request.ask_body_max, 1 << 20);
    assert_null(f.request.input->stream);
    assert_int_equal(go_on_with(&f, "{\"name\": 1}").kind, GH_VERDICT_NEXT);
    gh_fixture_run(&f, head);
    assert_int_equal(go_on_with(&f, "{\"nome\": 1}").reason, GH_REASON_INPUT_INVALID);
    gh_fixture_close(&f);
}

static void a_long_body_is_refused_at_its_first_wrong_byte(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_document(&f);
    const char *head = HEAD("POST /v1/pets", JSON_FIELDS "Content-Length: 100000\r\n");
    assert_int_equal(gh_fixture_run(&f, head).kind, GH_VERDICT_ASK);
    assert_non_null(f.request.input->stream);
    assert_true(gh_policy_input_feed(&f.request, GH_STR("{\"name\": tr")));
    assert_false(gh_policy_input_feed(&f.request, GH_STR("x")));
    assert_int_equal(f.request.input->reason, GH_REASON_INPUT_INVALID);
    gh_fixture_close(&f);
}

static void a_body_over_the_bound_is_refused_by_its_length(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_with(&f, ", body: 1KiB");
    assert_int_equal(
        gh_fixture_run(&f, HEAD("POST /v1/pets", JSON_FIELDS "Content-Length: 1025\r\n")).reason,
        GH_REASON_BODY_TOO_LARGE);
    /* what isn't held is bounded by the route alone */
    assert_int_equal(gh_fixture_run(&f, HEAD("POST /v1/pets", "Content-Type: image/png\r\n"
                                                              "Content-Length: 1025\r\n"))
                         .kind,
                     GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void violations_of_head_and_body_are_told_together(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_document(&f);
    gh_fixture_run(&f, HEAD("POST /v1/pets?x=1", JSON_FIELDS "Content-Length: 2\r\n"));
    assert_int_equal(f.request.ask, GH_ASK_BODY);
    assert_int_equal(go_on_with(&f, "{}").kind, GH_VERDICT_RESPOND);
    assert_int_equal(f.request.input->checked.report.count, 2);
    /* but who waits to be asked for the body is told at once */
    expect_refusal(
        &f, HEAD("POST /v1/pets?x=1", JSON_FIELDS "Content-Length: 2\r\nExpect: 100-continue\r\n"),
        GH_REASON_INPUT_INVALID, 422);
    gh_fixture_close(&f);
}

static void multipart_flows_and_is_refused_before_its_end(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_document(&f);
    const char *head = HEAD("POST /v1/pets", "Content-Type: multipart/form-data; boundary=b\r\n"
                                             "Content-Length: 70\r\n");
    assert_int_equal(gh_fixture_run(&f, head).kind, GH_VERDICT_NEXT);
    assert_true(f.request.input->flows);
    assert_true(gh_policy_input_feed(
        &f.request, GH_STR("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n")));
    bool on = gh_policy_input_feed(&f.request, GH_STR("--b--\r\n"));
    assert_false(on && gh_policy_input_finish(&f.request)); /* photo is missing */
    assert_int_equal(f.request.input->reason, GH_REASON_INPUT_INVALID);
    gh_fixture_close(&f);
}

static void observing_holds_nothing_and_refuses_nothing(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_with(&f, ", mode: observe");
    assert_int_equal(gh_fixture_run(&f, HEAD("GET /v1/cats", "")).kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.observed_reason[0], GH_REASON_INPUT_PATH);
    assert_int_equal(
        gh_fixture_run(&f, HEAD("POST /v1/pets?x=1", JSON_FIELDS "Content-Length: 2\r\n")).kind,
        GH_VERDICT_NEXT);
    assert_int_equal(f.request.observed_count, 0); /* it is told once, with the body's */
    assert_true(gh_policy_input_feed(&f.request, GH_STR("{}")));
    assert_true(gh_policy_input_finish(&f.request));
    assert_int_equal(f.request.observed_count, 1);
    assert_int_equal(f.request.observed_reason[0], GH_REASON_INPUT_INVALID);
    assert_int_equal(f.request.input->checked.report.count, 2);
    gh_fixture_close(&f);
}

static void reported_names_do_not_hide_what_is_wrong(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_with(&f, ", violations: 1, undeclared: {query: report}");
    assert_int_equal(gh_fixture_run(&f, HEAD("GET /v1/pets?a=1", "")).kind, GH_VERDICT_NEXT);
    assert_int_equal(f.request.observed_reason[0], GH_REASON_INPUT_QUERY);
    expect_refusal(&f, HEAD("GET /v1/pets?a=1&limit=10", ""), GH_REASON_INPUT_INVALID, 422);
    gh_fixture_close(&f);
}

static void a_dry_run_asks_for_no_body(void **state)
{
    (void)state;
    struct gh_fixture f;
    open_document(&f);
    gh_fixture_begin(&f, HEAD("POST /v1/pets", JSON_FIELDS "Content-Length: 2\r\n"));
    f.request.dry_run = true;
    assert_int_equal(gh_policy_run(&f.request).kind, GH_VERDICT_NEXT);
    gh_fixture_close(&f);
}

static void answers_are_looked_at_where_that_is_asked_for(void **state)
{
    (void)state;
    struct gh_fixture f;
    struct gh_input_report report = {0};
    open_with(&f, ", responses: observe");
    gh_fixture_run(&f, HEAD("GET /v1/pets", ""));
    assert_true(gh_policy_input_wants_response(&f.request));
    assert_int_equal(gh_policy_input_response(&f.request, &f.request_arena, 200,
                                              GH_STR("application/json"), GH_STR("[]"), &report),
                     GH_INPUT_OK);
    assert_int_equal(gh_policy_input_response(&f.request, &f.request_arena, 200,
                                              GH_STR("application/json"), GH_STR("{}"), &report),
                     GH_INPUT_VIOLATIONS);
    gh_fixture_close(&f);
    open_document(&f);
    gh_fixture_run(&f, HEAD("GET /v1/pets", ""));
    assert_false(gh_policy_input_wants_response(&f.request));
    gh_fixture_close(&f);
}

static void routes_share_a_document_and_number_its_operations_once(void **state)
{
    (void)state;
    struct gh_fixture f;
    gh_fixture_open_input(&f,
                          DEVELOPMENT "routes:\n"
                                      "  - {path: /v1/pets, upstream: api, input: a.yaml}\n"
                                      "  - {path: /v1/**, upstream: api, input: a.yaml}\n"
                                      "  - path: /v2/**\n"
                                      "    upstream: api\n"
                                      "    input: {openapi: a.yaml, base_path: /v2}\n",
                          DOCUMENT);
    size_t count = 0;
    const struct gh_route *routes = f.policy->routes;
    assert_ptr_equal(routes[0].input->api, routes[1].input->api);
    assert_ptr_not_equal(routes[0].input->api, routes[2].input->api);
    assert_non_null(gh_policy_input_apis(f.policy, &count));
    assert_int_equal(count, 8);
    assert_int_equal(gh_fixture_run(&f, HEAD("GET /v2/pets", "")).kind, GH_VERDICT_NEXT);
    assert_true(f.request.input->operation->number >= 4);
    assert_int_equal(gh_fixture_run(&f, HEAD("GET /v2/pets/1/notes/2", "")).kind, GH_VERDICT_NEXT);
    assert_true(
        gh_str_eq(f.request.input->operation->label, GH_STR("GET /pets/{pet.id}/notes/{note-id}")));
    gh_fixture_close(&f);
}

static void a_base_path_that_is_no_path_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {", base_path: v1", ", base_path: '/{v}'",
                                        ", base_path: '/**'"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gh_fixture f;
        open_with(&f, cases[i]);
        assert_null(f.policy);
        assert_true(gh_fixture_has_problem(&f, GH_CONFIG_ERROR, "can't stand before"));
        gh_fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_without_input_judges_nothing),
        cmocka_unit_test(what_the_document_does_not_have_is_refused),
        cmocka_unit_test(parameters_are_judged_by_their_place_in_the_path),
        cmocka_unit_test(the_problem_document_names_each_violation_and_no_value),
        cmocka_unit_test(a_small_body_is_asked_for_and_judged_at_once),
        cmocka_unit_test(a_long_body_is_refused_at_its_first_wrong_byte),
        cmocka_unit_test(a_body_over_the_bound_is_refused_by_its_length),
        cmocka_unit_test(violations_of_head_and_body_are_told_together),
        cmocka_unit_test(multipart_flows_and_is_refused_before_its_end),
        cmocka_unit_test(observing_holds_nothing_and_refuses_nothing),
        cmocka_unit_test(reported_names_do_not_hide_what_is_wrong),
        cmocka_unit_test(a_dry_run_asks_for_no_body),
        cmocka_unit_test(answers_are_looked_at_where_that_is_asked_for),
        cmocka_unit_test(routes_share_a_document_and_number_its_operations_once),
        cmocka_unit_test(a_base_path_that_is_no_path_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
