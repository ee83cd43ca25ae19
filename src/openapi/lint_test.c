/* The rules, one by one: what each finds, and what it lets be. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "openapi/lint_fixture.h"

#define GOOD_STRING "{type: string, minLength: 1, maxLength: 9, pattern: '^[a-z]+$'}"

/* A body of one member; `required` or not. */
static struct gh_test_lint member(const char *name, const char *schema, bool required)
{
    struct gh_test_lint lint = {.name = NULL};
    char body[4096];
    snprintf(body, sizeof(body),
             "{type: object, additionalProperties: false, required: [%s], properties: {%s: %s}}",
             required ? name : "", name, schema);
    gh_test_lint_body(&lint, "3.1.0", body, "");
    return lint;
}

static void expect(const char *name, const char *schema, bool required, enum gh_lint_rule rule,
                   size_t count)
{
    struct gh_test_lint lint = member(name, schema, required);
    if (gh_test_lint_count(&lint, rule) != count)
        fail_msg("%s of %s: %zu times %s", name, schema, gh_test_lint_count(&lint, rule),
                 gh_lint_rule_facts(rule)->id);
    gh_test_lint_done(&lint);
}

static void expect_body(const char *version, const char *body, const char *components,
                        enum gh_lint_rule rule, size_t count)
{
    struct gh_test_lint lint = {.name = NULL};
    gh_test_lint_body(&lint, version, body, components);
    if (gh_test_lint_count(&lint, rule) != count)
        fail_msg("%s: %zu times %s", body, gh_test_lint_count(&lint, rule),
                 gh_lint_rule_facts(rule)->id);
    gh_test_lint_done(&lint);
}

static void every_rule_has_facts_and_a_name_of_its_own(void **state)
{
    for (unsigned i = 0; i < GH_LINT_RULE_COUNT; i++) {
        const struct gh_lint_rule_facts *facts = gh_lint_rule_facts((enum gh_lint_rule)i);
        assert_int_equal(gh_lint_rule_find(gh_str_from_c(facts->id)), i);
        assert_true(facts->meaning && facts->remedy && facts->owasp && facts->asvs && facts->cwe);
    }
    assert_int_equal(gh_lint_rule_find(GH_STR("string")), GH_LINT_RULE_COUNT);
    assert_int_equal(gh_lint_rule_find(GH_STR("")), GH_LINT_RULE_COUNT);
}

static void a_good_document_has_no_findings_and_all_points(void **state)
{
    struct gh_test_lint lint = member("word", GOOD_STRING, true);
    assert_int_equal(lint.report->count, 0);
    assert_int_equal(lint.report->score, 100);
    assert_true(lint.report->all.checked > 5);
    gh_test_lint_done(&lint);
}

static void finds_strings_of_any_length(void **state)
{
    expect("a", "{type: string}", false, GH_LINT_STRING_NO_MAX_LENGTH, 1);
    expect("a", "{type: [string, 'null']}", false, GH_LINT_STRING_NO_MAX_LENGTH, 1);
    expect("a", "{minLength: 1}", false, GH_LINT_STRING_NO_MAX_LENGTH, 1);
    expect("a", "{type: string, format: date-time}", false, GH_LINT_STRING_NO_MAX_LENGTH, 1);
    expect("a", "{type: string, format: binary}", false, GH_LINT_STRING_NO_MAX_LENGTH, 1);
    expect("a", "{anyOf: [{type: string}, {type: 'null'}]}", false, GH_LINT_STRING_NO_MAX_LENGTH,
           1);
    expect("a", "{oneOf: [{type: string}, {type: string, maxLength: 3}]}", false,
           GH_LINT_STRING_NO_MAX_LENGTH, 1);
    expect("a", "{type: array, maxItems: 3, items: {type: string}}", false,
           GH_LINT_STRING_NO_MAX_LENGTH, 1);
}

static void lets_strings_be_whose_length_is_bounded(void **state)
{
    expect("a", "{type: string, maxLength: 3}", false, GH_LINT_STRING_NO_MAX_LENGTH, 0);
    expect("a", "{type: string, enum: [x]}", false, GH_LINT_STRING_NO_MAX_LENGTH, 0);
    expect("a", "{const: x}", false, GH_LINT_STRING_NO_MAX_LENGTH, 0);
    expect("a", "{type: string, format: date}", false, GH_LINT_STRING_NO_MAX_LENGTH, 0);
    expect("a", "{type: string, format: uuid}", false, GH_LINT_STRING_NO_MAX_LENGTH, 0);
    expect("a", "{type: string, readOnly: true}", false, GH_LINT_STRING_NO_MAX_LENGTH, 0);
    expect("a", "{allOf: [{type: string}, {maxLength: 3}]}", false, GH_LINT_STRING_NO_MAX_LENGTH,
           0);
    expect("a", "{maxLength: 3, anyOf: [{type: string}, {type: 'null'}]}", false,
           GH_LINT_STRING_NO_MAX_LENGTH, 0);
    expect("a", "{type: integer}", false, GH_LINT_STRING_NO_MAX_LENGTH, 0);
}

static void finds_required_strings_that_may_be_empty(void **state)
{
    expect("a", "{type: string}", true, GH_LINT_STRING_NO_MIN_LENGTH, 1);
    expect("a", "{type: string}", false, GH_LINT_STRING_NO_MIN_LENGTH, 0);
    expect("a", "{type: string, minLength: 0}", true, GH_LINT_STRING_NO_MIN_LENGTH, 0);
    expect("a", "{type: string, format: email}", true, GH_LINT_STRING_NO_MIN_LENGTH, 0);
    expect("a", "{type: string, pattern: '^x$'}", true, GH_LINT_STRING_NO_MIN_LENGTH, 0);
}

static void finds_addresses_codes_and_phones_by_their_names(void **state)
{
    expect("email", "{type: string}", false, GH_LINT_EMAIL_NO_FORMAT, 1);
    expect("billingEmail", "{type: string}", false, GH_LINT_EMAIL_NO_FORMAT, 1);
    expect("email_address", "{type: string}", false, GH_LINT_EMAIL_NO_FORMAT, 1);
    expect("email", "{type: string, format: email}", false, GH_LINT_EMAIL_NO_FORMAT, 0);
    expect("email", "{type: boolean}", false, GH_LINT_EMAIL_NO_FORMAT, 0);
    expect("emailSubject", "{type: string}", false, GH_LINT_EMAIL_NO_FORMAT, 0);
    expect("phone_number", "{type: string}", false, GH_LINT_PHONE_NO_PATTERN, 1);
    expect("phone", "{type: string, pattern: '^[0-9]+$'}", false, GH_LINT_PHONE_NO_PATTERN, 0);
    expect("microphone", "{type: string}", false, GH_LINT_PHONE_NO_PATTERN, 0);
    expect("zipCode", "{type: string}", false, GH_LINT_CODE_NO_PATTERN, 1);
    expect("otp", "{type: string, enum: ['1']}", false, GH_LINT_CODE_NO_PATTERN, 0);
    expect("barcode", "{type: string}", false, GH_LINT_CODE_NO_PATTERN, 0);
}

static void finds_patterns_that_are_loose_or_explode(void **state)
{
    expect("a", "{type: string, pattern: '^a$'}", false, GH_LINT_PATTERN_NO_MAX_LENGTH, 1);
    expect("a", "{type: string, pattern: '^a$'}", false, GH_LINT_STRING_NO_MAX_LENGTH, 0);
    expect("a", "{type: string, pattern: '[a-z]+'}", false, GH_LINT_PATTERN_NOT_ANCHORED, 1);
    expect("a", "{type: string, pattern: '^(a+)+$'}", false, GH_LINT_PATTERN_EXPLODES, 1);
}

static void finds_numbers_without_both_bounds(void **state)
{
    expect("a", "{type: number}", false, GH_LINT_NUMBER_NO_BOUNDS, 1);
    expect("a", "{type: integer, minimum: 1}", false, GH_LINT_NUMBER_NO_BOUNDS, 1);
    expect("a", "{type: integer, maximum: 1, format: int32}", false, GH_LINT_NUMBER_NO_BOUNDS, 1);
    expect("a", "{type: number, minimum: 1, exclusiveMaximum: 3}", false, GH_LINT_NUMBER_NO_BOUNDS,
           0);
    expect("a", "{type: integer, enum: [1, 2]}", false, GH_LINT_NUMBER_NO_BOUNDS, 0);
    expect("a", "{type: integer, minimum: 1, maximum: 2}", false, GH_LINT_INTEGER_NO_FORMAT, 1);
    expect("a", "{type: number, minimum: 1, maximum: 2}", false, GH_LINT_INTEGER_NO_FORMAT, 0);
    expect_body("3.0.3",
                "{type: object, additionalProperties: false, properties: {a: {type: number, "
                "exclusiveMinimum: true, maximum: 3}}}",
                "", GH_LINT_NUMBER_NO_BOUNDS, 1);
}

static void finds_arrays_of_any_size(void **state)
{
    expect("a", "{type: array, items: {type: boolean}}", false, GH_LINT_ARRAY_NO_MAX_ITEMS, 1);
    expect("a", "{type: array, maxItems: 3, items: {type: boolean}}", false,
           GH_LINT_ARRAY_NO_MAX_ITEMS, 0);
    expect("a", "{type: array, prefixItems: [{type: boolean}], items: false}", false,
           GH_LINT_ARRAY_NO_MAX_ITEMS, 0);
    expect("a", "{type: array, maxItems: 3}", false, GH_LINT_SCHEMA_NO_TYPE, 1);
}

static void finds_open_objects_and_unbounded_maps(void **state)
{
    expect_body("3.1.0", "{type: object, properties: {a: {type: boolean}}}", "",
                GH_LINT_OBJECT_OPEN, 1);
    expect_body("3.1.0", "{type: object}", "", GH_LINT_OBJECT_OPEN, 1);
    expect_body("3.1.0", "{type: object, additionalProperties: true, properties: {}}", "",
                GH_LINT_OBJECT_OPEN, 1);
    expect_body("3.1.0", "{type: object, additionalProperties: {type: boolean}}", "",
                GH_LINT_OBJECT_OPEN, 0);
    expect_body("3.1.0", "{type: object, additionalProperties: {type: boolean}}", "",
                GH_LINT_MAP_NO_MAX_PROPERTIES, 1);
    expect_body("3.1.0", "{type: object, unevaluatedProperties: false, properties: {}}", "",
                GH_LINT_OBJECT_OPEN, 0);
}

static void what_is_composed_is_closed_as_a_whole_only(void **state)
{
    static const char PARTS[] = "Base: {type: object, properties: {a: {type: boolean}}}";
    static const char BODY[] = "{allOf: [{$ref: '#/components/schemas/Base'}, {type: object, "
                               "properties: {b: {type: boolean}}}]}";
    struct gh_test_lint lint = {.name = NULL};
    gh_test_lint_body(&lint, "3.1.0", BODY, PARTS);
    const struct gh_lint_finding *finding = gh_test_lint_find(&lint, GH_LINT_OBJECT_OPEN);
    assert_non_null(finding);
    assert_true(finding->fixable && finding->use_unevaluated);
    assert_int_equal(gh_test_lint_count(&lint, GH_LINT_OBJECT_OPEN), 1);
    gh_test_lint_done(&lint);
    lint = (struct gh_test_lint){.name = NULL};
    gh_test_lint_body(&lint, "3.0.3", BODY, PARTS);
    assert_false(gh_test_lint_find(&lint, GH_LINT_OBJECT_OPEN)->fixable);
    gh_test_lint_done(&lint);
}

static void finds_schemas_that_take_anything(void **state)
{
    expect("a", "{}", false, GH_LINT_SCHEMA_NO_TYPE, 1);
    expect("a", "true", false, GH_LINT_SCHEMA_NO_TYPE, 1);
    expect("a", "{properties: {b: {type: boolean}}}", false, GH_LINT_SCHEMA_NO_TYPE, 1);
    expect("a", "{anyOf: [{type: boolean}, {}]}", false, GH_LINT_SCHEMA_NO_TYPE, 1);
    expect("a", "false", false, GH_LINT_SCHEMA_NO_TYPE, 0);
}

static void circles_end(void **state)
{
    static const char NODE[] =
        "Node: {type: object, additionalProperties: false, properties: {next: {$ref: "
        "'#/components/schemas/Node'}, name: {type: string}, all: {type: array, items: {$ref: "
        "'#/components/schemas/Node'}}}}";
    expect_body("3.1.0", "{$ref: '#/components/schemas/Node'}", NODE, GH_LINT_STRING_NO_MAX_LENGTH,
                1);
    expect_body("3.1.0", "{$ref: '#/components/schemas/Node'}", NODE, GH_LINT_ARRAY_NO_MAX_ITEMS,
                1);
}

static void shared_schemas_are_told_once_and_counted_for_each(void **state)
{
    struct gh_test_lint lint = {.name = NULL};
    gh_test_lint_text(&lint, "openapi: 3.1.0\n"
                             "info: {title: t, version: '1'}\n"
                             "paths:\n"
                             "  /a/{x}:\n"
                             "    parameters:\n"
                             "      - {name: x, in: path, required: true, schema: {type: string}}\n"
                             "    get: {responses: {'200': {description: ok}}}\n"
                             "    delete: {responses: {'200': {description: ok}}}\n");
    const struct gh_lint_finding *finding = gh_test_lint_find(&lint, GH_LINT_STRING_NO_MAX_LENGTH);
    assert_int_equal(gh_test_lint_count(&lint, GH_LINT_STRING_NO_MAX_LENGTH), 1);
    assert_int_equal(finding->operation_count, 2);
    assert_int_equal(gh_test_lint_count(&lint, GH_LINT_OPERATION_NO_SECURITY), 2);
    assert_int_equal(lint.report->operations[0].errors, lint.report->operations[1].errors);
    assert_true(lint.report->score < 60);
    gh_test_lint_done(&lint);
}

static void ignored_rules_find_nothing(void **state)
{
    struct gh_test_lint lint = {.options.ignored[GH_LINT_STRING_NO_MAX_LENGTH] = true};
    gh_test_lint_body(&lint, "3.1.0", "{type: string}", "");
    assert_null(gh_test_lint_find(&lint, GH_LINT_STRING_NO_MAX_LENGTH));
    assert_non_null(gh_test_lint_find(&lint, GH_LINT_STRING_UNRESTRICTED));
    gh_test_lint_done(&lint);
}

static void the_threshold_leaves_warnings_out(void **state)
{
    struct gh_test_lint lint = member("a", "{type: string, maxLength: 3}", false);
    assert_int_equal(gh_lint_count(lint.report, GH_LINT_WARNING), 1);
    assert_int_equal(gh_lint_count(lint.report, GH_LINT_ERROR), 0);
    gh_test_lint_done(&lint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_has_facts_and_a_name_of_its_own),
        cmocka_unit_test(a_good_document_has_no_findings_and_all_points),
        cmocka_unit_test(finds_strings_of_any_length),
        cmocka_unit_test(lets_strings_be_whose_length_is_bounded),
        cmocka_unit_test(finds_required_strings_that_may_be_empty),
        cmocka_unit_test(finds_addresses_codes_and_phones_by_their_names),
        cmocka_unit_test(finds_patterns_that_are_loose_or_explode),
        cmocka_unit_test(finds_numbers_without_both_bounds),
        cmocka_unit_test(finds_arrays_of_any_size),
        cmocka_unit_test(finds_open_objects_and_unbounded_maps),
        cmocka_unit_test(what_is_composed_is_closed_as_a_whole_only),
        cmocka_unit_test(finds_schemas_that_take_anything),
        cmocka_unit_test(circles_end),
        cmocka_unit_test(shared_schemas_are_told_once_and_counted_for_each),
        cmocka_unit_test(ignored_rules_find_nothing),
        cmocka_unit_test(the_threshold_leaves_warnings_out),
    };
    return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
