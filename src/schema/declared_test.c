/* What a document declares of a value's children. */
#include "schema/declared.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct gh_arena arena;
static struct gh_schemas *schemas;
static struct gh_schema_set set, below;
static struct gh_str name_found;

static int begin(void **state)
{
    (void)state;
    gh_arena_init(&arena, 4096, 1 << 24);
    return 0;
}

static int end(void **state)
{
    (void)state;
    gh_arena_done(&arena);
    return 0;
}

/* `set` becomes that of a value of the schema. */
static void open_schema(const char *text)
{
    static const struct gh_schema_options OPTIONS = {.dialect = GH_SCHEMA_OPENAPI_31};
    struct gh_json_doc *doc = gh_arena_alloc(&arena, sizeof(*doc));
    struct gh_schema_error error;
    uint32_t schema;
    assert_int_equal(gh_json_parse(&arena, gh_str_from_c(text), &gh_json_small, doc, NULL),
                     GH_JSON_OK);
    schemas = gh_schemas_new(&arena, &OPTIONS);
    assert_non_null(schemas);
    assert_int_equal(gh_schemas_add(schemas, GH_STR("a"), doc, GH_SCHEMA_IS_SCHEMA, &error), GH_OK);
    assert_int_equal(gh_schemas_compile(schemas, GH_STR("a"), &schema, &error), GH_OK);
    set.count = 0;
    gh_schema_set_add(schemas, &set, schema);
}

static enum gh_schema_declared declared(const char *name)
{
    struct gh_str own = gh_str_from_c(name);
    return gh_schema_set_member(schemas, &set, own, gh_json_name_hash(own), &name_found, &below);
}

static void what_is_in_no_properties_is_not_declared(void **state)
{
    static const char *const SCHEMAS[] = {
        "{}",
        "true",
        "{\"type\":\"object\"}",
        "{\"additionalProperties\":true}",
        "{\"additionalProperties\":{}}",
        "{\"additionalProperties\":false}",
        "{\"required\":[\"a\"]}",
        "{\"properties\":{\"b\":{\"type\":\"string\"}},\"required\":[\"a\"]}",
        "{\"not\":{\"properties\":{\"a\":{}}}}",
        "{\"if\":{\"properties\":{\"a\":{}}},\"then\":{\"properties\":{\"a\":{}}}}",
        "{\"dependentSchemas\":{\"b\":{\"properties\":{\"a\":{}}}}}",
        "{\"properties\":{\"b\":{\"properties\":{\"a\":{}}}}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(SCHEMAS) / sizeof(SCHEMAS[0]); i++) {
        open_schema(SCHEMAS[i]);
        assert_int_equal(declared("a"), GH_SCHEMA_NOT_DECLARED);
        assert_int_equal(below.count, 0);
    }
}

static void names_are_found_through_all_that_applies(void **state)
{
    static const char *const SCHEMAS[] = {
        "{\"properties\":{\"a\":{}}}",
        "{\"properties\":{\"a\":true},\"additionalProperties\":{\"type\":\"string\"}}",
        "{\"$ref\":\"#/$defs/x\",\"$defs\":{\"x\":{\"properties\":{\"a\":{}}}}}",
        "{\"allOf\":[{},{\"properties\":{\"a\":{}}}]}",
        "{\"anyOf\":[{\"type\":\"null\"},{\"allOf\":[{\"properties\":{\"a\":{}}}]}]}",
        "{\"oneOf\":[{\"properties\":{\"b\":{}}},{\"properties\":{\"a\":{}}}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(SCHEMAS) / sizeof(SCHEMAS[0]); i++) {
        const char name[] = "a";
        open_schema(SCHEMAS[i]);
        assert_int_equal(declared(name), GH_SCHEMA_DECLARED_BY_NAME);
        assert_true(gh_str_eq(name_found, GH_STR("a")) && name_found.ptr != name);
        assert_int_equal(below.count, 1);
    }
}

static void schemas_of_one_name_are_all_kept(void **state)
{
    (void)state;
    open_schema("{\"properties\":{\"a\":{\"type\":\"string\"}},\"oneOf\":["
                "{\"properties\":{\"a\":{\"maxLength\":3}}},{\"properties\":{\"a\":{\"$ref\":"
                "\"#/$defs/x\"}}}],\"$defs\":{\"x\":{\"minLength\":1}}}");
    assert_int_equal(declared("a"), GH_SCHEMA_DECLARED_BY_NAME);
    assert_int_equal(below.count, 4); /* with the reference itself */
}

static void maps_declare_other_names(void **state)
{
    (void)state;
    open_schema("{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"string\"}}");
    assert_int_equal(declared("z"), GH_SCHEMA_DECLARED_AS_OTHER);
    assert_int_equal(below.count, 1);
    open_schema("{\"patternProperties\":{\"^x\":{\"type\":\"string\"},\"^y\":{}}}");
    assert_int_equal(declared("x"), GH_SCHEMA_DECLARED_AS_OTHER);
    assert_int_equal(below.count, 2);
}

static void items_have_the_schemas_of_all_places(void **state)
{
    struct gh_schema_set items;
    (void)state;
    open_schema("{\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"null\"}],"
                "\"items\":{\"type\":\"object\"},\"allOf\":[{\"items\":{\"minProperties\":1}}]}");
    gh_schema_set_items(schemas, &set, &items);
    assert_int_equal(items.count, 4);
    open_schema("{\"type\":\"array\",\"contains\":{\"type\":\"string\"}}");
    gh_schema_set_items(schemas, &set, &items);
    assert_int_equal(items.count, 0);
}

static void circles_and_crowds_come_to_an_end(void **state)
{
    char text[8192];
    struct gh_buf buf = gh_buf_over(text, sizeof(text) - 1);
    (void)state;
    open_schema("{\"properties\":{\"a\":{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}}}");
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(declared("a"), GH_SCHEMA_DECLARED_BY_NAME);
        set = below;
    }
    gh_buf_put(&buf, GH_STR("{\"anyOf\":["));
    for (unsigned i = 0; i < 100; i++)
        gh_buf_format(&buf, "{\"properties\":{\"m%u\":{}}},", i);
    gh_buf_put(&buf, GH_STR("{}]}"));
    text[buf.len] = '\0';
    open_schema(text);
    assert_int_equal(set.count, GH_SCHEMA_SET_MAX);
    assert_int_equal(declared("m0"), GH_SCHEMA_DECLARED_BY_NAME);
    assert_int_equal(declared("m99"), GH_SCHEMA_NOT_DECLARED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_in_no_properties_is_not_declared, begin, end),
        cmocka_unit_test_setup_teardown(names_are_found_through_all_that_applies, begin, end),
        cmocka_unit_test_setup_teardown(schemas_of_one_name_are_all_kept, begin, end),
        cmocka_unit_test_setup_teardown(maps_declare_other_names, begin, end),
        cmocka_unit_test_setup_teardown(items_have_the_schemas_of_all_places, begin, end),
        cmocka_unit_test_setup_teardown(circles_and_crowds_come_to_an_end, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
