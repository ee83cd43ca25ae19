/* The constrained copy: where keywords go, that it stays the same document, and that it is clean.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "openapi/lint_fixture.h"

#define HEAD                                                                                       \
    "openapi: 3.1.0\n"                                                                             \
    "info: {title: t, version: '1'}\n"                                                             \
    "paths:\n"                                                                                     \
    "  /a:\n"                                                                                      \
    "    post:\n"                                                                                  \
    "      responses: {'200': {description: ok}}\n"                                                \
    "      requestBody:\n"                                                                         \
    "        content:\n"                                                                           \
    "          application/json:\n"                                                                \
    "            schema:\n"

static bool is_fixable_rule(enum gh_lint_rule rule)
{
    return gh_lint_rule_facts(rule)->fixable;
}

/* The copy of `text` is `wanted`, and has no findings of rules that can be mended. */
static void expect(const char *name, const char *text, const char *wanted)
{
    struct gh_test_lint before = {.name = name}, after = {.name = name};
    gh_test_lint_text(&before, text);
    const char *copy = gh_test_lint_fix(&before);
    if (wanted)
        assert_string_equal(copy, wanted);
    gh_test_lint_text(&after, copy);
    for (size_t i = 0; i < after.report->count; i++)
        if (is_fixable_rule(after.report->findings[i].rule))
            fail_msg("%s is left in %s", gh_lint_rule_facts(after.report->findings[i].rule)->id,
                     copy);
    gh_test_lint_done(&after);
    gh_test_lint_done(&before);
}

static void block_style_keeps_comments_and_order(void **state)
{
    expect("a.yaml",
           HEAD "              # of a thing\n"
                "              type: object # closed soon\n"
                "              required: [name]\n"
                "              properties:\n"
                "                name:\n"
                "                  description: its name\n"
                "                  type: string\n"
                "                size:\n"
                "                  type: integer\n"
                "                  minimum: 1\n",
           HEAD "              # of a thing\n"
                "              type: object # closed soon\n"
                "              additionalProperties: false\n"
                "              required: [name]\n"
                "              properties:\n"
                "                name:\n"
                "                  description: its name\n"
                "                  type: string\n"
                "                  maxLength: 255\n"
                "                  minLength: 1\n"
                "                size:\n"
                "                  type: integer\n"
                "                  maximum: 9007199254740991\n"
                "                  format: \"int64\"\n"
                "                  minimum: 1\n");
}

static void lists_in_block_style(void **state)
{
    expect("a.yaml",
           HEAD "              anyOf:\n"
                "                - type: string\n"
                "                - minimum: 3\n"
                "                  type: number\n"
                "                -\n"
                "                  type: array\n"
                "                  items: {type: boolean}\n",
           HEAD "              anyOf:\n"
                "                - type: string\n"
                "                  maxLength: 255\n"
                "                  minLength: 1\n"
                "                - minimum: 3\n"
                "                  type: number\n"
                "                  maximum: 9007199254740991\n"
                "                -\n"
                "                  type: array\n"
                "                  maxItems: 1000\n"
                "                  items: {type: boolean}\n");
}

static void flow_style_stays_flow_style(void **state)
{
    expect("a.yaml", HEAD "              {type: object, properties: {a: {type: string}}}\n",
           HEAD "              {type: object, additionalProperties: false, properties: {a: {type: "
                "string, maxLength: 255}}}\n");
}

static void line_ends_stay(void **state)
{
    expect("a.yaml", HEAD "              type: string\r\n              pattern: ^a$\r\n",
           HEAD "              type: string\r\n              maxLength: 255\r\n              "
                "pattern: ^a$\r\n");
    expect("a.yaml", HEAD "              type: string\n              minLength: 1",
           HEAD "              type: string\n              maxLength: 255\n              "
                "minLength: 1");
    expect("a.yaml", HEAD "              minLength: 1\n              type: string",
           HEAD "              minLength: 1\n              type: string\n              "
                "maxLength: 255");
}

static void keywords_without_a_type_get_theirs_in_front(void **state)
{
    expect("a.yaml", HEAD "              minLength: 1\n",
           HEAD "              maxLength: 255\n              minLength: 1\n");
}

#define JSON_HEAD                                                                                  \
    "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"t\",\"version\":\"1\"},\"paths\":{\"/a\":{"      \
    "\"post\":{\"responses\":{\"200\":{\"description\":\"ok\"}},\"requestBody\":{\"content\":{"    \
    "\"application/json\":{\"schema\":"
#define JSON_TAIL "}}}}}}}"

static void json_stays_json(void **state)
{
    expect("a.json", JSON_HEAD "{\"type\":\"string\",\"minLength\":1}" JSON_TAIL,
           JSON_HEAD "{\"type\":\"string\",\"maxLength\":255,\"minLength\":1}" JSON_TAIL);
    expect("a.json", JSON_HEAD "{ \"minLength\": 1 }" JSON_TAIL,
           JSON_HEAD "{\"maxLength\": 255, \"minLength\": 1 }" JSON_TAIL);
    expect("a.json", JSON_HEAD "{\n  \"type\": \"string\",\n  \"minLength\": 1\n}" JSON_TAIL,
           JSON_HEAD
           "{\n  \"type\": \"string\",\n  \"maxLength\": 255,\n  \"minLength\": 1\n}" JSON_TAIL);
}

static void names_give_formats_and_patterns(void **state)
{
    struct gh_test_lint lint = {.name = NULL};
    gh_test_lint_body(&lint, "3.1.0",
                      "{type: object, properties: {email: {type: string}, phone: {type: string}, "
                      "zipCode: {type: string}, homeUrl: {type: string}, comment: {type: string}}}",
                      "");
    const char *copy = gh_test_lint_fix(&lint);
    assert_non_null(strstr(copy, "email: {type: string, maxLength: 254, format: \"email\"}"));
    assert_non_null(strstr(copy, "maxLength: 32, pattern: \"^[+]?[0-9 ()./-]+$\""));
    assert_non_null(strstr(copy, "maxLength: 64, pattern: \"^[0-9A-Za-z ._-]+$\""));
    assert_non_null(strstr(copy, "homeUrl: {type: string, maxLength: 2048}"));
    assert_non_null(strstr(copy, "comment: {type: string, maxLength: 16384}"));
    gh_test_lint_done(&lint);
}

static void examples_stay_valid(void **state)
{
    struct gh_test_lint lint = {.name = NULL};
    gh_test_lint_body(
        &lint, "3.1.0",
        "{type: object, required: [email, phone, note], properties: {email: {type: string, "
        "example: nobody}, phone: {type: string, example: none}, note: {type: string, default: ''},"
        " n: {type: integer, examples: [90071992547409930]}, code: {type: string, example: 'a+b'}},"
        " example: {email: x, other: 1}}",
        "");
    const char *copy = gh_test_lint_fix(&lint);
    assert_null(strstr(copy, "format: \"email\""));
    assert_null(strstr(copy, "pattern"));
    assert_null(strstr(copy, "additionalProperties"));
    assert_non_null(strstr(copy, "note: {type: string, maxLength: 16384, default"));
    assert_non_null(strstr(copy, "maximum: 200000000000000000"));
    gh_test_lint_done(&lint);
}

static void long_examples_widen_the_bound(void **state)
{
    char body[1024], word[401];
    struct gh_test_lint lint = {.name = NULL};
    memset(word, 'a', 400);
    word[400] = 0;
    snprintf(body, sizeof(body), "{type: string, example: %s}", word);
    gh_test_lint_body(&lint, "3.1.0", body, "");
    assert_non_null(strstr(gh_test_lint_fix(&lint), "maxLength: 512"));
    gh_test_lint_done(&lint);
}

static void open_objects_are_closed_where_it_breaks_nothing(void **state)
{
    static const char BODY[] = "{allOf: [{$ref: '#/components/schemas/Base'}, {type: object, "
                               "properties: {b: {type: boolean}}}]}";
    static const char BASE[] = "Base: {type: object, properties: {a: {type: boolean}}}";
    struct gh_test_lint lint = {.name = NULL};
    gh_test_lint_body(&lint, "3.1.0", BODY, BASE);
    assert_non_null(
        strstr(gh_test_lint_fix(&lint), "schema: {unevaluatedProperties: false, allOf"));
    assert_null(strstr(gh_test_lint_fix(&lint), "additionalProperties"));
    gh_test_lint_done(&lint);
    lint = (struct gh_test_lint){.name = NULL};
    gh_test_lint_body(&lint, "3.0.3", BODY, BASE);
    assert_null(strstr(gh_test_lint_fix(&lint), "Properties: false"));
    gh_test_lint_done(&lint);
    lint = (struct gh_test_lint){.name = NULL};
    gh_test_lint_body(&lint, "3.0.3",
                      "{type: object, additionalProperties: true, properties: {a: {type: "
                      "boolean}}}",
                      "");
    assert_non_null(strstr(gh_test_lint_fix(&lint), "additionalProperties: false"));
    gh_test_lint_done(&lint);
}

static void anchors_of_yaml_are_left_alone_or_changed_once(void **state)
{
    struct gh_test_lint lint = {.name = NULL};
    gh_test_lint_text(&lint, HEAD "              type: object\n"
                                  "              properties:\n"
                                  "                a: &word\n"
                                  "                  type: string\n"
                                  "                b: *word\n");
    const char *copy = gh_test_lint_fix(&lint), *at = strstr(copy, "maxLength");
    assert_non_null(at);
    assert_null(strstr(at + 1, "maxLength"));
    gh_test_lint_done(&lint);
}

/* The first operation has no example, the second one has. */
static void examples_of_any_operation_count(void **state)
{
    struct gh_test_lint lint = {.name = NULL};
    gh_test_lint_text(
        &lint,
        "openapi: 3.1.0\n"
        "info: {title: t, version: '1'}\n"
        "paths:\n"
        "  /a:\n"
        "    post: &post\n"
        "      responses: {'200': {description: ok}}\n"
        "      requestBody: {content: {application/json: {schema: {$ref: "
        "'#/components/schemas/A'}}}}\n"
        "    put:\n"
        "      responses: {'200': {description: ok}}\n"
        "      requestBody: {content: {application/json: {example: {email: x, more: 1, code: "
        "''}, schema: {$ref: '#/components/schemas/A'}}}}\n"
        "components: {schemas: {A: {type: object, required: [code], properties: {email: "
        "{type: string}, code: {type: string}}}}}\n");
    const char *copy = gh_test_lint_fix(&lint);
    assert_non_null(strstr(copy, "email: {type: string, maxLength: 254}"));
    assert_non_null(strstr(copy, "code: {type: string, maxLength: 64}"));
    assert_null(strstr(copy, "additionalProperties"));
    gh_test_lint_done(&lint);
}

/* ---- Evidence ---- */

static void evidence_is(const char *lines, const char *schema, const char *wanted)
{
    struct gh_test_lint lint = {.name = NULL};
    struct gh_evidence evidence;
    struct gh_arena arena;
    unsigned line;
    const char *what;
    gh_arena_init(&arena, 4096, 1u << 20);
    assert_int_equal(gh_evidence_parse(&arena, gh_str_from_c(lines), &evidence, &line, &what),
                     GH_OK);
    lint.options.evidence = &evidence;
    gh_test_lint_body(&lint, "3.1.0", schema, "");
    const char *copy = gh_test_lint_fix(&lint);
    if (!strstr(copy, wanted))
        fail_msg("no %s in %s", wanted, copy);
    gh_test_lint_done(&lint);
    gh_arena_done(&arena);
}

#define LINE(pointer, kind, min, max, count)                                                       \
    "{\"operation\":\"put\",\"location\":\"body\",\"pointer\":\"" pointer "\",\"kind\":\"" kind    \
    "\",\"min\":" min ",\"max\":" max ",\"count\":" count "}\n"
#define OBJECT(name, schema) "{type: object, properties: {" name ": " schema "}}"

static void evidence_gives_bounds_with_room(void **state)
{
    evidence_is(LINE("/a", "string", "3", "40", "120"), OBJECT("a", "{type: string}"),
                "{type: string, maxLength: 64}");
    evidence_is(LINE("/a", "string", "3", "60", "120"), OBJECT("a", "{type: string}"),
                "{type: string, maxLength: 128}");
    evidence_is(LINE("/a", "integer", "1", "60", "120"), OBJECT("a", "{type: integer}"),
                "minimum: 0, maximum: 100, format: \"int32\"");
    evidence_is(LINE("/a", "number", "-7", "1000", "120"), OBJECT("a", "{type: number}"),
                "minimum: -10, maximum: 2000");
    evidence_is(LINE("/a", "array", "0", "5", "120") LINE("/a/*", "string", "1", "5", "900"),
                OBJECT("a", "{type: array, items: {type: string}}"),
                "{type: array, maxItems: 8, items: {type: string, maxLength: 8}}");
    evidence_is("{\"operation\":\"POST /things\",\"location\":\"body\",\"pointer\":\"/a\","
                "\"kind\":\"string\",\"min\":1,\"max\":9,\"count\":99}",
                OBJECT("a", "{type: string}"), "maxLength: 16}");
}

static void little_evidence_only_widens(void **state)
{
    evidence_is(LINE("/a", "string", "3", "40", "5"), OBJECT("a", "{type: string}"),
                "{type: string, maxLength: 255}");
    evidence_is(LINE("/a", "string", "3", "400", "5"), OBJECT("a", "{type: string}"),
                "{type: string, maxLength: 512}");
    evidence_is(LINE("/b", "string", "3", "4", "500"), OBJECT("a", "{type: string}"),
                "{type: string, maxLength: 255}");
}

static void empty_strings_that_were_seen_stay_allowed(void **state)
{
    evidence_is(LINE("/a", "string", "0", "40", "120"),
                "{type: object, required: [a], properties: {a: {type: string}}}",
                "{type: string, maxLength: 64}");
}

static void bad_evidence_is_refused_with_its_line(void **state)
{
    static const char *const BAD[] = {
        "{",
        "[]",
        "{\"operation\":\"put\"}",
        "{\"operation\":\"put\",\"location\":\"space\",\"kind\":\"string\",\"min\":1,\"max\":2,"
        "\"count\":1}",
        LINE("a", "string", "1", "2", "1"),
        LINE("/a", "text", "1", "2", "1"),
        LINE("/a", "string", "3", "2", "1"),
        LINE("/a", "string", "1", "1e999", "1"),
        LINE("/a", "string", "1", "\"2\"", "1"),
        LINE("/a", "string", "1", "2", "0"),
        LINE("/a", "string", "1", "2", "1.5"),
    };
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        char text[512];
        struct gh_evidence evidence;
        struct gh_arena arena;
        unsigned line;
        const char *what;
        gh_arena_init(&arena, 4096, 1u << 20);
        snprintf(text, sizeof(text), "%s\n%s", LINE("/a", "string", "1", "2", "1"), BAD[i]);
        assert_int_equal(gh_evidence_parse(&arena, gh_str_from_c(text), &evidence, &line, &what),
                         GH_ERR_INVALID);
        assert_int_equal(line, 3);
        assert_true(what[0] != 0);
        gh_arena_done(&arena);
    }
}

/* Whatever the cap: a result, or none, and nothing half done. */
static void memory_that_runs_out_is_told(void **state)
{
    struct gh_test_lint lint = {.name = NULL};
    bool failed = false, succeeded = false;
    gh_test_lint_body(&lint, "3.1.0",
                      "{type: object, properties: {a: {type: string}, b: {type: array, items: "
                      "{type: integer}}}, example: {a: x, b: [1]}}",
                      "");
    for (size_t cap = 512; cap < 256 * 1024; cap += cap / 4) {
        struct gh_arena arena;
        struct gh_fix fix;
        gh_arena_init(&arena, 256, cap);
        const struct gh_lint_report *report = gh_lint_run(&arena, lint.load.openapi, &lint.options);
        bool good = report && gh_fix_make(&arena, lint.load.openapi, report, &fix) == GH_OK;
        if (good)
            assert_string_equal(gh_arena_dup(&lint.load.arena, fix.texts[0].text).ptr,
                                gh_test_lint_fix(&lint));
        failed |= !good;
        succeeded |= good;
        gh_arena_done(&arena);
    }
    assert_true(failed && succeeded);
    gh_test_lint_done(&lint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_style_keeps_comments_and_order),
        cmocka_unit_test(lists_in_block_style),
        cmocka_unit_test(flow_style_stays_flow_style),
        cmocka_unit_test(line_ends_stay),
        cmocka_unit_test(keywords_without_a_type_get_theirs_in_front),
        cmocka_unit_test(json_stays_json),
        cmocka_unit_test(names_give_formats_and_patterns),
        cmocka_unit_test(examples_stay_valid),
        cmocka_unit_test(long_examples_widen_the_bound),
        cmocka_unit_test(open_objects_are_closed_where_it_breaks_nothing),
        cmocka_unit_test(anchors_of_yaml_are_left_alone_or_changed_once),
        cmocka_unit_test(examples_of_any_operation_count),
        cmocka_unit_test(evidence_gives_bounds_with_room),
        cmocka_unit_test(little_evidence_only_widens),
        cmocka_unit_test(empty_strings_that_were_seen_stay_allowed),
        cmocka_unit_test(bad_evidence_is_refused_with_its_line),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests_name("fix", tests, NULL, NULL);
}
