/* Documents of several files: references, mappings, and what they can't be. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openapi/load_fixture.h"

#include <stdlib.h>

#include "openapi/loader.h"

#define HEAD_30 "openapi: 3.0.3\ninfo: {title: t, version: '1'}\n"
#define HEAD_31 "openapi: 3.1.0\ninfo: {title: t, version: '1'}\n"
#define ANSWER  "      operationId: a\n      responses: {'200': {description: d}}\n"

static struct gh_test_load *load(const struct gh_test_text *texts,
                                 const struct gh_openapi_mapping *mappings, size_t mapping_count)
{
    struct gh_test_load *result = calloc(1, sizeof(*result));
    assert_non_null(result);
    result->texts = texts;
    result->mappings = mappings;
    result->mapping_count = mapping_count;
    gh_test_load(result);
    return result;
}

static void done(struct gh_test_load *result)
{
    gh_test_load_done(result);
    free(result);
}

static void assert_problems(const struct gh_test_text *texts, const char *expected)
{
    struct gh_test_load *result = load(texts, NULL, 0);
    assert_string_equal(gh_test_problems(result), expected);
    done(result);
}

static bool accepts(const struct gh_openapi *openapi, uint32_t schema, const char *json)
{
    struct gh_arena arena;
    struct gh_json_doc doc;
    struct gh_schema_report report;
    gh_arena_init(&arena, 4096, 1 << 20);
    assert_int_equal(gh_json_parse(&arena, gh_str_from_c(json), &gh_json_small, &doc, NULL),
                     GH_JSON_OK);
    enum gh_schema_outcome outcome =
        gh_schema_check(openapi->schemas, schema, &doc, gh_json_root(&doc), &gh_schema_check_usual,
                        &arena, &report);
    gh_arena_done(&arena);
    return outcome == GH_SCHEMA_VALID;
}

static void follows_references_from_file_to_file(void **state)
{
    static const struct gh_test_text TEXTS[] = {
        {"api/openapi.yaml", HEAD_30 "paths:\n  /a/{id}:\n    $ref: 'paths/a.yaml'\n"},
        {"api/paths/a.yaml", "post:\n  operationId: a\n  responses: {'200': {description: d}}\n"
                             "  parameters:\n"
                             "    - $ref: '../parts.json#/parameters/a~1b%20c'\n"
                             "  requestBody: {$ref: '../../shared/body.yaml#/Body'}\n"},
        {"api/parts.json", "{\"parameters\": {\"a/b c\": {\"name\": \"id\", \"in\": \"path\","
                           "\"required\": true, \"schema\": {\"type\": \"integer\"}}}}"},
        {"shared/body.yaml",
         "Body:\n  content:\n    application/json:\n      schema: {$ref: 'user.yaml'}\n"},
        {"shared/user.yaml", "type: object\nrequired: [name]\nproperties:\n"
                             "  name: {$ref: '../api/names.yaml#/Name'}\n  friend: {$ref: '#'}\n"},
        {"api/names.yaml", "Name: {type: string, maxLength: 3}\n"},
        {NULL, NULL}};
    struct gh_test_load *result = load(TEXTS, NULL, 0);
    const struct gh_openapi *openapi = result->openapi;
    assert_string_equal(gh_test_problems(result), "");
    assert_non_null(openapi);
    assert_int_equal(openapi->file_count, 6);
    assert_int_equal(openapi->operation_count, 1);
    const struct gh_openapi_operation *operation = &openapi->operations[0];
    assert_true(gh_str_eq(operation->path, GH_STR("/a/{id}")));
    assert_true(gh_str_eq(operation->at.file->path, GH_STR("api/paths/a.yaml")));
    assert_int_equal(operation->parameter_count, 1);
    assert_true(accepts(openapi, operation->parameters[0].schema, "1"));
    assert_false(accepts(openapi, operation->parameters[0].schema, "\"a\""));
    uint32_t schema = operation->media[0].schema;
    assert_true(accepts(openapi, schema, "{\"name\": \"a\", \"friend\": {\"name\": \"b\"}}"));
    assert_false(accepts(openapi, schema, "{\"name\": \"abcd\"}"));
    assert_false(accepts(openapi, schema, "{\"name\": \"a\", \"friend\": {}}"));
    done(result);
}

static void tells_mistakes_in_the_file_they_are_in(void **state)
{
    static const struct gh_test_text TEXTS[] = {
        {"a.yaml", HEAD_30 "paths:\n  /a:\n    get:\n" ANSWER
                           "      parameters:\n        - $ref: 'b.yaml#/P'\n"
                           "        - $ref: 'c.yaml#/P'\n        - $ref: 'b.yaml#/Q'\n"},
        {"b.yaml", "P:\n  name: p\n  in: query\n  schema: {type: text}\n"},
        {"c.yaml", "P: [\n"},
        {NULL, NULL}};
    assert_problems(TEXTS, "a.yaml:11:17: error: \"b.yaml#/Q\" leads nowhere\n"
                           "b.yaml:4:18: error: type must be null, boolean, integer, number, "
                           "string, array or object\n"
                           "c.yaml:2:1: error: did not find expected node content, while parsing "
                           "a flow node\n");
}

static void refuses_what_is_not_mapped(void **state)
{
    static const struct gh_test_text TEXTS[] = {
        {"a.yaml", HEAD_30 "paths:\n  /a:\n    post:\n" ANSWER
                           "      requestBody:\n        content:\n          application/json:\n"
                           "            schema: {$ref: 'https://example.com/u.json#/User'}\n"},
        {"u.json", "{\"User\": {\"$ref\": \"v.json\"}}"},
        {"v.json", "{\"type\": \"integer\"}"},
        {NULL, NULL}};
    static const struct gh_openapi_mapping MAPPINGS[] = {
        {GH_STR_INIT("https://example.com/u.json"), GH_STR_INIT("u.json")},
        {GH_STR_INIT("https://example.com/v.json"), GH_STR_INIT("v.json")},
    };
    struct gh_test_load *result = load(TEXTS, NULL, 0);
    assert_string_equal(
        gh_test_problems(result),
        "a.yaml:11:28: error: \"https://example.com/u.json\" is not fetched from the network; map "
        "it to a file: schemas: {\"https://example.com/u.json\": FILE}\n");
    done(result);
    result = load(TEXTS, MAPPINGS, 1);
    assert_string_equal(
        gh_test_problems(result),
        "u.json:1:19: error: \"https://example.com/v.json\" is not fetched from the network; map "
        "it to a file: schemas: {\"https://example.com/v.json\": FILE}\n");
    done(result);
    result = load(TEXTS, MAPPINGS, 2);
    assert_string_equal(gh_test_problems(result), "");
    assert_true(accepts(result->openapi, result->openapi->operations[0].media[0].schema, "1"));
    done(result);
}

static void knows_schemas_by_their_own_names(void **state)
{
    static const struct gh_test_text TEXTS[] = {
        {"a.yaml", HEAD_31 "paths:\n  /a:\n    post:\n" ANSWER
                           "      requestBody:\n        content:\n          application/json:\n"
                           "            schema: {$ref: 'https://example.com/user'}\n"
                           "          text/plain:\n            schema: {$ref: '#name'}\n"
                           "components:\n  schemas:\n"
                           "    User: {$id: 'https://example.com/user', type: integer}\n"
                           "    Name: {$anchor: name, type: string, maxLength: 2}\n"},
        {NULL, NULL}};
    struct gh_test_load *result = load(TEXTS, NULL, 0);
    const struct gh_openapi *openapi = result->openapi;
    assert_string_equal(gh_test_problems(result), "");
    assert_non_null(openapi);
    assert_true(accepts(openapi, openapi->operations[0].media[0].schema, "1"));
    assert_false(accepts(openapi, openapi->operations[0].media[0].schema, "\"1\""));
    assert_false(accepts(openapi, openapi->operations[0].media[1].schema, "\"abc\""));
    done(result);
}

static void refuses_circles_over_files(void **state)
{
    static const struct gh_test_text TEXTS[] = {
        {"a.yaml", HEAD_30 "paths:\n  /a:\n    $ref: 'b.yaml'\n"},
        {"b.yaml", "$ref: 'a.yaml#/paths/~1a'\n"},
        {NULL, NULL}};
    assert_problems(TEXTS, "a.yaml:5:11: error: \"b.yaml\" leads in a circle\n"
                           "b.yaml:1:7: error: \"a.yaml#/paths/~1a\" leads in a circle\n");
}

static void refuses_text_that_is_not_plain_utf8(void **state)
{
    static const struct gh_test_text BOM[] = {{"a.yaml", "\xef\xbb\xbfopenapi: 3.0.3\n"},
                                              {NULL, NULL}};
    static const struct gh_test_text LATIN[] = {{"a.yaml", "openapi: 3.0.3\ninfo: \xe9\n"},
                                                {NULL, NULL}};
    static const struct gh_test_text JSON[] = {{"a.json", "{\"openapi\": \"3.0.3\",}"},
                                               {NULL, NULL}};
    static const struct gh_test_text NOTHING[] = {{NULL, NULL}};
    assert_problems(BOM, "a.yaml:0:0: error: the file begins with a byte order mark; save it as "
                         "UTF-8 without one\n");
    assert_problems(LATIN, "a.yaml:2:7: error: the file is not UTF-8; save it as UTF-8\n");
    struct gh_test_load *result = load(JSON, NULL, 0);
    assert_null(result->openapi);
    assert_int_equal(result->problems.items[0].column, 21);
    done(result);
    assert_problems(NOTHING, ":0:0: error: there is no file \"\"\n");
}

static void paths_become_uris_and_back(void **state)
{
    static const char *const PATHS[] = {"a.yaml",          "/etc/a b.yaml", "../a.yaml",
                                        "../../x/%41.yml", "x/y#z?.json",   "../../../../a"};
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < sizeof(PATHS) / sizeof(PATHS[0]); i++) {
        struct gh_str uri = gh_openapi_uri_of_path(&arena, gh_str_from_c(PATHS[i]));
        struct gh_str path = gh_openapi_path_of_uri(&arena, uri);
        assert_true(gh_str_starts_with(uri, GH_STR("file://")));
        assert_true(gh_str_eq(path, gh_str_from_c(PATHS[i])));
    }
    struct gh_str one = gh_openapi_uri_of_path(&arena, GH_STR("a/../b/./c.yaml"));
    assert_true(gh_str_eq(gh_openapi_path_of_uri(&arena, one), GH_STR("b/c.yaml")));
    gh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_references_from_file_to_file),
        cmocka_unit_test(tells_mistakes_in_the_file_they_are_in),
        cmocka_unit_test(refuses_what_is_not_mapped),
        cmocka_unit_test(knows_schemas_by_their_own_names),
        cmocka_unit_test(refuses_circles_over_files),
        cmocka_unit_test(refuses_text_that_is_not_plain_utf8),
        cmocka_unit_test(paths_become_uris_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
