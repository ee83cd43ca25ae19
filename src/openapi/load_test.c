/* Documents that are fine, and what becomes of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openapi/load_fixture.h"

#include <stdlib.h>

#include "base/buf.h"

#define HEAD   "openapi: 3.0.3\ninfo: {title: t, version: '1'}\n"
#define ANSWER "      operationId: a\n      responses: {'200': {description: d}}\n"

static struct gh_test_load *load_text(const char *text, bool responses)
{
    struct gh_test_load *load = calloc(1, sizeof(*load));
    struct gh_test_text texts[] = {{"a.yaml", text}, {NULL, NULL}};
    assert_non_null(load);
    load->texts = texts;
    load->options.responses = responses;
    gh_test_load(load);
    load->texts = NULL;
    if (!load->openapi)
        fail_msg("%s", gh_test_problems(load));
    return load;
}

static void done(struct gh_test_load *load)
{
    gh_test_load_done(load);
    free(load);
}

#define assert_text(found, expected) assert_true(gh_str_eq(found, GH_STR(expected)))

static void check_file(const char *path, size_t operation_count, const char *problems)
{
    struct gh_test_load *load = calloc(1, sizeof(*load));
    assert_non_null(load);
    load->options.responses = true;
    if (!gh_test_load_file(load, path)) {
        free(load);
        print_message("%s is not there\n", path);
        skip();
    }
    assert_string_equal(gh_test_problems(load), problems);
    assert_non_null(load->openapi);
    assert_int_equal(load->openapi->operation_count, operation_count);
    assert_ptr_equal(load->openapi->schemas, load->openapi->response_schemas);
    done(load);
}

static void loads_petstore(void **state)
{
    check_file("../shared/conformance/openapi/petstore.yaml", 3, "");
}

static void loads_petstore_expanded(void **state)
{
    check_file("../shared/conformance/openapi/petstore-expanded.yaml", 4, "");
}

static void loads_realworld(void **state)
{
    check_file("../shared/conformance/openapi/realworld-conduit.yml", 19, "");
}

/* Written by FastAPI of Debian 12, which numbers what it writes 3.0.2. */
static void loads_what_fastapi_writes(void **state)
{
    check_file("tests/openapi/fastapi.json", 3, "");
}

static void loads_what_fastapi_writes_for_3_1(void **state)
{
    check_file("tests/openapi/fastapi-3.1.json", 3, "");
}

static void parameters_have_the_defaults_of_their_place(void **state)
{
    struct gh_test_load *load = load_text(
        HEAD "paths:\n  /{b}/{a}:\n    get:\n" ANSWER "      parameters:\n"
             "        - {name: c, in: cookie, schema: {}}\n"
             "        - {name: X-H, in: header, schema: {}}\n"
             "        - {name: q, in: query, allowEmptyValue: true, schema: {}}\n"
             "        - {name: d, in: query, style: deepObject, schema: {}}\n"
             "        - {name: e, in: query, explode: false, allowReserved: true, schema: {}}\n"
             "        - {name: j, in: query, content: {application/json: {schema: {}}}}\n"
             "        - {name: a, in: path, required: true, schema: {}}\n"
             "        - {name: b, in: path, required: true, style: matrix, schema: {}}\n",
        false);
    static const struct {
        const char *name;
        enum gh_parameter_in in;
        enum gh_parameter_style style;
        bool explode;
    } EXPECTED[] = {
        {"b", GH_IN_PATH, GH_STYLE_MATRIX, false},
        {"a", GH_IN_PATH, GH_STYLE_SIMPLE, false},
        {"q", GH_IN_QUERY, GH_STYLE_FORM, true},
        {"d", GH_IN_QUERY, GH_STYLE_DEEP_OBJECT, false},
        {"e", GH_IN_QUERY, GH_STYLE_FORM, false},
        {"j", GH_IN_QUERY, GH_STYLE_FORM, true},
        {"X-H", GH_IN_HEADER, GH_STYLE_SIMPLE, false},
        {"c", GH_IN_COOKIE, GH_STYLE_FORM, true},
    };
    const struct gh_openapi_operation *operation = &load->openapi->operations[0];
    assert_int_equal(operation->parameter_count, 8);
    for (size_t i = 0; i < 8; i++) {
        const struct gh_openapi_parameter *parameter = &operation->parameters[i];
        assert_true(gh_str_eq(parameter->name, gh_str_from_c(EXPECTED[i].name)));
        assert_int_equal(parameter->in, EXPECTED[i].in);
        assert_int_equal(parameter->style, EXPECTED[i].style);
        assert_int_equal(parameter->explode, EXPECTED[i].explode);
        assert_int_not_equal(parameter->schema, GH_OPENAPI_NO_SCHEMA);
    }
    assert_int_equal(operation->parameters[0].path_index, 0);
    assert_int_equal(operation->parameters[1].path_index, 1);
    assert_true(operation->parameters[2].allow_empty);
    assert_true(operation->parameters[4].allow_reserved);
    assert_true(operation->parameters[5].is_json);
    done(load);
}

static void an_operation_overrides_the_parameters_of_its_path(void **state)
{
    struct gh_test_load *load =
        load_text(HEAD "paths:\n  /a:\n    parameters:\n"
                       "      - {name: X-One, in: header, schema: {type: string}}\n"
                       "      - {name: q, in: query, schema: {type: string}}\n"
                       "    get:\n" ANSWER "      parameters:\n"
                       "        - {name: x-one, in: header, required: true, schema: {}}\n"
                       "        - {name: q, in: header, schema: {}}\n",
                  false);
    const struct gh_openapi_operation *operation = &load->openapi->operations[0];
    assert_int_equal(operation->parameter_count, 3);
    assert_text(operation->parameters[0].name, "q");
    assert_int_equal(operation->parameters[0].in, GH_IN_QUERY);
    assert_text(operation->parameters[1].name, "x-one");
    assert_true(operation->parameters[1].required);
    assert_text(operation->parameters[2].name, "q");
    done(load);
}

static void bodies_are_sorted_by_how_much_their_range_says(void **state)
{
    struct gh_test_load *load = load_text(
        HEAD "paths:\n  /a:\n    post:\n" ANSWER "      requestBody:\n        required: true\n"
             "        content:\n"
             "          '*/*': {}\n"
             "          text/*: {}\n"
             "          Application/Problem+JSON; charset=utf-8: {schema: {type: object}}\n"
             "          multipart/form-data:\n"
             "            schema: {type: object, properties: {f: {type: string}}}\n"
             "            encoding: {f: {contentType: image/png, style: pipeDelimited}}\n"
             "          application/x-www-form-urlencoded: {}\n"
             "          application/octet-stream: {schema: {type: string, format: binary}}\n",
        false);
    static const struct {
        const char *range;
        enum gh_openapi_body_kind kind;
    } EXPECTED[] = {
        {"application/problem+json", GH_OPENAPI_BODY_JSON},
        {"multipart/form-data", GH_OPENAPI_BODY_MULTIPART},
        {"application/x-www-form-urlencoded", GH_OPENAPI_BODY_FORM},
        {"application/octet-stream", GH_OPENAPI_BODY_OPAQUE},
        {"text/*", GH_OPENAPI_BODY_TEXT},
        {"*/*", GH_OPENAPI_BODY_OPAQUE},
    };
    const struct gh_openapi_operation *operation = &load->openapi->operations[0];
    assert_string_equal(gh_test_problems(load), "");
    assert_true(operation->has_body && operation->body_required);
    assert_int_equal(operation->media_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_true(gh_str_eq(operation->media[i].range, gh_str_from_c(EXPECTED[i].range)));
        assert_int_equal(operation->media[i].kind, EXPECTED[i].kind);
    }
    const struct gh_openapi_encoding *encoding = operation->media[1].encodings;
    assert_int_equal(operation->media[1].encoding_count, 1);
    assert_text(encoding->property, "f");
    assert_text(encoding->content_types, "image/png");
    assert_int_equal(encoding->style, GH_STYLE_PIPE_DELIMITED);
    assert_true(encoding->styled && !encoding->explode);
    assert_int_equal(operation->media[2].schema, GH_OPENAPI_NO_SCHEMA);
    done(load);
}

static void answers_are_sorted_and_compiled_when_asked_for(void **state)
{
    static const char TEXT[] =
        HEAD "paths:\n  /a:\n    get:\n      operationId: a\n      responses:\n"
             "        default: {description: d, content: {application/json: {schema: {}}}}\n"
             "        2XX: {description: d}\n        200: {description: d}\n"
             "        x-note: {}\n";
    struct gh_test_load *load = load_text(TEXT, false);
    const struct gh_openapi_operation *operation = &load->openapi->operations[0];
    assert_null(load->openapi->response_schemas);
    assert_int_equal(operation->response_count, 3);
    assert_int_equal(operation->responses[0].status_min, 200);
    assert_int_equal(operation->responses[0].status_max, 200);
    assert_int_equal(operation->responses[1].status_max, 299);
    assert_int_equal(operation->responses[2].status_max, 999);
    assert_int_equal(operation->responses[2].media_count, 0);
    done(load);
    load = load_text(TEXT, true);
    operation = &load->openapi->operations[0];
    assert_int_equal(operation->responses[2].media_count, 1);
    assert_int_not_equal(operation->responses[2].media[0].schema, GH_OPENAPI_NO_SCHEMA);
    assert_non_null(load->openapi->response_schemas);
    done(load);
}

static bool is_secured(const char *global, const char *own)
{
    char text[1024];
    struct gh_buf buf = gh_buf_over(text, sizeof(text) - 1);
    gh_buf_format(&buf,
                  HEAD "%scomponents: {securitySchemes: {k: {type: http, scheme: basic}}}\n"
                       "paths:\n  /a:\n    get:\n" ANSWER "%s",
                  global, own);
    text[buf.len] = '\0';
    struct gh_test_load *load = load_text(text, false);
    bool secured = load->openapi->operations[0].secured;
    done(load);
    return secured;
}

static void knows_whether_an_operation_is_secured(void **state)
{
    assert_false(is_secured("", ""));
    assert_true(is_secured("security: [{k: []}]\n", ""));
    assert_false(is_secured("security: [{k: []}]\n", "      security: []\n"));
    assert_true(is_secured("", "      security: [{k: []}]\n"));
    assert_false(is_secured("", "      security: [{k: []}, {}]\n"));
    assert_false(is_secured("security: [{}]\n", ""));
}

static void assert_base(const char *servers, const char *expected)
{
    char text[1024];
    struct gh_buf buf = gh_buf_over(text, sizeof(text) - 1);
    gh_buf_format(&buf, HEAD "%spaths:\n  /a:\n    get:\n" ANSWER, servers);
    text[buf.len] = '\0';
    struct gh_test_load *load = load_text(text, false);
    if (!gh_str_eq(load->openapi->base_path, gh_str_from_c(expected)))
        fail_msg("%s gives %.*s", servers, GH_STR_ARG(load->openapi->base_path));
    done(load);
}

static void takes_the_base_path_of_the_first_server(void **state)
{
    assert_base("", "");
    assert_base("servers: []\n", "");
    assert_base("servers: [{url: /}]\n", "");
    assert_base("servers: [{url: /v1/}]\n", "/v1");
    assert_base("servers: [{url: 'https://example.com'}]\n", "");
    assert_base("servers: [{url: 'https://example.com/api/v1?x=1'}]\n", "/api/v1");
    assert_base("servers: [{url: '{s}://h:{p}/{b}', variables: {s: {default: http}, p: {default: "
                "'8'}, b: {default: v2, enum: [v2]}}}]\n",
                "/v2");
    assert_base("servers: [{url: ./v1}]\n", "/v1");
}

static void loads_version_3_1(void **state)
{
    struct gh_test_load *load =
        load_text("openapi: 3.1.1\ninfo: {title: t, version: '1', summary: s}\n"
                  "jsonSchemaDialect: https://spec.openapis.org/oas/3.1/dialect/base\n"
                  "webhooks: {w: {post: {responses: {}}}}\n"
                  "components: {pathItems: {P: {get: {operationId: a}}}}\n"
                  "paths:\n  /a: {$ref: '#/components/pathItems/P'}\n",
                  false);
    assert_string_equal(gh_test_problems(load), "");
    assert_false(load->openapi->is_3_0);
    assert_int_equal(load->openapi->operation_count, 1);
    assert_text(load->openapi->title, "t");
    done(load);
}

static void follows_answers_bodies_and_examples(void **state)
{
    struct gh_test_load *load = load_text(
        HEAD "paths:\n  /a:\n    post:\n      operationId: a\n"
             "      requestBody: {$ref: '#/components/requestBodies/B'}\n"
             "      responses: {'200': {$ref: '#/components/responses/R'}}\n"
             "components:\n  requestBodies:\n    B:\n      content:\n        application/json:\n"
             "          schema: {$ref: '#/components/schemas/S'}\n"
             "          examples: {e: {$ref: '#/components/examples/E'}}\n"
             "  schemas: {S: {type: object, properties: {$ref: {type: string}, s: {$ref: "
             "'#/components/schemas/S'}}}}\n"
             "  responses: {R: {description: d, headers: {X: {$ref: '#/components/headers/H'}}}}\n"
             "  headers: {H: {schema: {type: string}}}\n"
             "  examples: {E: {value: {$ref: '#/no/reference'}}}\n",
        true);
    assert_string_equal(gh_test_problems(load), "");
    assert_int_equal(load->openapi->operations[0].media_count, 1);
    done(load);
}

/* Loading in an arena that has no room ends with a problem, not with a crash. */
static void tells_when_there_is_no_memory(void **state)
{
    struct gh_test_load *load = calloc(1, sizeof(*load));
    struct gh_test_text texts[] = {{"a.yaml",
                                    HEAD "paths:\n  /a:\n    get:\n" ANSWER
                                         "      parameters: [{name: q, in: query, schema: {type: "
                                         "string, pattern: '^a+$'}}]\n"},
                                   {NULL, NULL}};
    assert_non_null(load);
    bool loaded = false;
    for (size_t max = 256; max < 4 * 1024 * 1024 && !loaded; max += max / 4) {
        memset(load, 0, sizeof(*load));
        load->texts = texts;
        load->arena_max = max;
        gh_test_load(load);
        loaded = load->openapi;
        assert_true(loaded || load->problems.error_count > 0);
        gh_test_load_done(load);
    }
    assert_true(loaded);
    free(load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_petstore),
        cmocka_unit_test(loads_petstore_expanded),
        cmocka_unit_test(loads_realworld),
        cmocka_unit_test(loads_what_fastapi_writes),
        cmocka_unit_test(loads_what_fastapi_writes_for_3_1),
        cmocka_unit_test(parameters_have_the_defaults_of_their_place),
        cmocka_unit_test(an_operation_overrides_the_parameters_of_its_path),
        cmocka_unit_test(bodies_are_sorted_by_how_much_their_range_says),
        cmocka_unit_test(answers_are_sorted_and_compiled_when_asked_for),
        cmocka_unit_test(knows_whether_an_operation_is_secured),
        cmocka_unit_test(takes_the_base_path_of_the_first_server),
        cmocka_unit_test(loads_version_3_1),
        cmocka_unit_test(follows_answers_bodies_and_examples),
        cmocka_unit_test(tells_when_there_is_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
