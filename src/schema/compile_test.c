/* What the test suite doesn't show: mistakes in schemas, and what is known without a value. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "schema/check_fixture.h"

#define ALL_KINDS (GH_SCHEMA_INTEGER * 2 - 1)
#define BIT(kind) (1u << GH_JSON_##kind)

static void assert_str(struct gh_str got, const char *wanted)
{
    if (!gh_str_eq(got, gh_str_from_c(wanted)))
        fail_msg("\"%.*s\" is not \"%s\"", GH_STR_ARG(got), wanted);
}

struct mistake {
    const char *schema, *pointer, *text; /* text: how the sentence begins */
};

static void assert_refused(enum gh_schema_dialect dialect, const struct mistake *cases,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct gh_check_fixture fixture;
        gh_fixture_open(&fixture, dialect, cases[i].schema);
        if (fixture.err != GH_ERR_INVALID)
            fail_msg("accepted: %s", cases[i].schema);
        assert_str(fixture.error.uri, "test:/schema");
        assert_str(fixture.error.pointer, cases[i].pointer);
        if (!gh_str_starts_with(fixture.error.text, gh_str_from_c(cases[i].text)))
            fail_msg("%s: %.*s", cases[i].schema, GH_STR_ARG(fixture.error.text));
        gh_fixture_close(&fixture);
    }
}
#define ASSERT_REFUSED(dialect, cases)                                                             \
    assert_refused(dialect, cases, sizeof(cases) / sizeof((cases)[0]))

static void refuses_schemas_with_mistakes_and_says_where(void **state)
{
    static const struct mistake CASES[] = {
        {"1", "", "A schema is an object or a boolean."},
        {"{'properties':{'a':null}}", "/properties/a", "A schema is"},
        {"{'properties':[]}", "/properties", "This must be an object."},
        {"{'patternProperties':[]}", "/patternProperties", "This must be an object."},
        {"{'patternProperties':{'(':true}}", "/patternProperties/(", "Its name is no regular"},
        {"{'type':'int'}", "/type", "type must be null, boolean"},
        {"{'type':['string','text']}", "/type/1", "type must be null, boolean"},
        {"{'type':[]}", "/type", "type must name"},
        {"{'enum':1}", "/enum", "enum must be a list"},
        {"{'required':'a'}", "/required", "required must be a list of names."},
        {"{'required':[1]}", "/required/0", "required must be a list of names."},
        {"{'dependentRequired':{'a':'b'}}", "/dependentRequired/a", "This must be a list"},
        {"{'minLength':-1}", "/minLength", "This must be a whole number, 0 or more."},
        {"{'maxItems':1.5}", "/maxItems", "This must be a whole number, 0 or more."},
        {"{'maximum':'1'}", "/maximum", "This must be a number."},
        {"{'multipleOf':0}", "/multipleOf", "multipleOf must be above 0."},
        {"{'multipleOf':-1}", "/multipleOf", "multipleOf must be above 0."},
        {"{'pattern':1}", "/pattern", "pattern must be a string."},
        {"{'pattern':'a{2,1}'}", "/pattern", "This is no regular expression we can use."},
        {"{'format':1}", "/format", "format must be a string."},
        {"{'items':[true]}", "/items", "items is one schema; a list of them is called prefixItems"},
        {"{'prefixItems':[]}", "/prefixItems", "This must be a list of schemas."},
        {"{'uniqueItems':1}", "/uniqueItems", "uniqueItems must be true or false."},
        {"{'allOf':{}}", "/allOf", "This must be a list of schemas."},
        {"{'anyOf':[]}", "/anyOf", "This must be a list of schemas."},
        {"{'readOnly':'yes'}", "/readOnly", "This must be true or false."},
        {"{'writeOnly':1}", "/writeOnly", "This must be true or false."},
        {"{'$id':'a#b'}", "/$id", "$id must have no fragment"},
        {"{'$id':1}", "/$id", "$id must be a string."},
        {"{'$anchor':'1a'}", "/$anchor", "An anchor is"},
        {"{'$defs':{'a':{'$id':'x'},'b':{'$id':'x'}}}", "/$defs/b/$id", "Another schema has"},
        {"{'$defs':{'a':{'$anchor':'x'},'b':{'$anchor':'x'}}}", "/$defs/b/$anchor", "The same"},
        {"{'$schema':'http://json-schema.org/draft-07/schema#'}", "/$schema", "This dialect"},
    };
    (void)state;
    ASSERT_REFUSED(GH_SCHEMA_2020_12, CASES);
}

static void refuses_references_that_lead_nowhere(void **state)
{
    static const struct mistake CASES[] = {
        {"{'$ref':1}", "/$ref", "A reference must be a string."},
        {"{'$ref':'#/$defs/a'}", "/$ref", "It refers to \"#/$defs/a\", and there is nothing"},
        {"{'$ref':'#a'}", "/$ref", "It refers to \"#a\", and there is nothing"},
        {"{'items':{'$ref':'other'}}", "/items/$ref", "It refers to \"test:/other\", which is not"},
        {"{'$ref':'https://example.com/a.json'}", "/$ref", "It refers to \"https://example.com/a"},
        {"{'$ref':'file:///etc/passwd'}", "/$ref", "It refers to \"file:///etc/passwd\""},
        {"{'$dynamicRef':'#a'}", "/$dynamicRef", "It refers to \"#a\""},
    };
    (void)state;
    ASSERT_REFUSED(GH_SCHEMA_2020_12, CASES);
}

static void refuses_schemas_that_only_lead_back_to_themselves(void **state)
{
    static const char *const LOOPS[] = {
        "{'$ref':'#'}",
        "{'allOf':[{'$ref':'#'}]}",
        "{'anyOf':[true,{'$ref':'#'}]}",
        "{'oneOf':[{'$ref':'#/oneOf/0'}]}",
        "{'not':{'$ref':'#'}}",
        "{'if':{'$ref':'#'}}",
        "{'if':true,'else':{'$ref':'#'}}",
        "{'dependentSchemas':{'a':{'$ref':'#'}}}",
        "{'$defs':{'a':{'$ref':'#/$defs/b'},'b':{'$ref':'#/$defs/a'}},'$ref':'#/$defs/a'}",
        "{'$defs':{'a':{'not':{'$ref':'#b'}},'b':{'$anchor':'b','$ref':'#/$defs/a'}},'$ref':'#b'}",
    };
    struct gh_check_fixture fixture;
    (void)state;
    for (size_t i = 0; i < sizeof(LOOPS) / sizeof(LOOPS[0]); i++) {
        gh_fixture_open(&fixture, GH_SCHEMA_2020_12, LOOPS[i]);
        if (fixture.err != GH_ERR_INVALID)
            fail_msg("accepted: %s", LOOPS[i]);
        assert_true(gh_str_starts_with(fixture.error.text, GH_STR("The schema leads back")));
        gh_fixture_close(&fixture);
    }
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12,
                    "{'properties':{'a':{'$ref':'#'}},'items':{'$ref':'#'}}");
    assert_int_equal(fixture.err, GH_OK);
    gh_fixture_close(&fixture);
}

static void refuses_what_openapi_3_0_does_not_have(void **state)
{
    static const struct mistake CASES[] = {
        {"{'minimum':1,'exclusiveMinimum':'2'}", "/exclusiveMinimum", "In OpenAPI 3.0"},
        {"{'type':['string','null']}", "/type", "type must name a kind of value."},
        {"{'items':[{}]}", "/items", "items is one schema"},
    };
    (void)state;
    ASSERT_REFUSED(GH_SCHEMA_OPENAPI_30, CASES);
}

#define FORMS "'oneOf':[{'$ref':'#/$defs/A'},{'$ref':'#/$defs/B'}],'$defs':{'A':{},'B':{}}"

static void refuses_discriminators_with_mistakes(void **state)
{
    static const struct mistake CASES[] = {
        {"{'discriminator':'k'," FORMS "}", "/discriminator", "This must be an object."},
        {"{'discriminator':{}," FORMS "}", "/discriminator", "A discriminator needs"},
        {"{'discriminator':{'propertyName':1}," FORMS "}", "/discriminator",
         "A discriminator needs"},
        {"{'discriminator':{'propertyName':'k','mapping':[]}," FORMS "}", "/discriminator/mapping",
         "This must be an object."},
        {"{'discriminator':{'propertyName':'k','mapping':{'a':1}}," FORMS "}",
         "/discriminator/mapping/a", "A mapping leads to"},
        {"{'discriminator':{'propertyName':'k','mapping':{'a':'#/$defs/C'}}," FORMS "}",
         "/discriminator/mapping/a", "It refers to"},
        {"{'discriminator':{'propertyName':'k','mapping':{'a':'#'}}," FORMS "}",
         "/discriminator/mapping/a", "The mapping leads to none"},
    };
    (void)state;
    ASSERT_REFUSED(GH_SCHEMA_OPENAPI_31, CASES);
    ASSERT_REFUSED(GH_SCHEMA_OPENAPI_30, CASES);
}

static void discriminators_mean_nothing_outside_of_openapi(void **state)
{
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12, "{'discriminator':1," FORMS "}");
    assert_int_equal(fixture.err, GH_OK);
    gh_fixture_close(&fixture);
}

static void refuses_a_second_document_of_the_same_name(void **state)
{
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12, "true");
    assert_int_equal(gh_schemas_add(fixture.schemas, GH_STR("test:/schema"), &fixture.schema_doc,
                                    GH_SCHEMA_IS_SCHEMA, &fixture.error),
                     GH_ERR_EXISTS);
    assert_str(fixture.error.uri, "test:/schema");
    gh_fixture_close(&fixture);
}

static void tells_the_kinds_a_schema_may_accept(void **state)
{
    static const struct {
        const char *schema;
        unsigned kinds;
    } CASES[] = {
        {"true", ALL_KINDS},
        {"false", 0},
        {"{}", ALL_KINDS},
        {"{'type':'integer'}", GH_SCHEMA_INTEGER},
        {"{'type':'number'}", BIT(NUMBER) | GH_SCHEMA_INTEGER},
        {"{'type':['string','null']}", BIT(STRING) | BIT(NULL)},
        {"{'type':['integer','boolean']}", GH_SCHEMA_INTEGER | BIT(BOOL)},
        {"{'const':5}", GH_SCHEMA_INTEGER},
        {"{'const':5.0}", GH_SCHEMA_INTEGER | BIT(NUMBER)},
        {"{'enum':['a',1.5]}", BIT(STRING) | BIT(NUMBER) | GH_SCHEMA_INTEGER},
        {"{'enum':['a',null],'type':'string'}", BIT(STRING)},
        {"{'$ref':'#/$defs/a','$defs':{'a':{'type':'array'}}}", BIT(ARRAY)},
        {"{'allOf':[{'type':'number'},{'type':['integer','string']}]}", GH_SCHEMA_INTEGER},
        {"{'anyOf':[{'type':'integer'},{'type':'null'}]}", GH_SCHEMA_INTEGER | BIT(NULL)},
        {"{'oneOf':[{'type':'string'},{'$ref':'#/$defs/a'}],'$defs':{'a':{'enum':[true]}}}",
         BIT(STRING) | BIT(BOOL)},
        {"{'not':{'type':'string'}}", ALL_KINDS},
        {"{'items':{'$ref':'#'},'type':'array'}", BIT(ARRAY)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_check_fixture fixture;
        gh_fixture_open(&fixture, GH_SCHEMA_2020_12, CASES[i].schema);
        assert_int_equal(fixture.err, GH_OK);
        unsigned kinds = gh_schema_kinds(fixture.schemas, fixture.schema);
        if (kinds != CASES[i].kinds)
            fail_msg("%s: %#x, not %#x", CASES[i].schema, kinds, CASES[i].kinds);
        gh_fixture_close(&fixture);
    }
}

static void counts_null_in_where_openapi_3_0_says_nullable(void **state)
{
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_OPENAPI_30, "{'type':'string','nullable':true}");
    assert_int_equal(gh_schema_kinds(fixture.schemas, fixture.schema), BIT(STRING) | BIT(NULL));
    gh_fixture_close(&fixture);
}

#define UNKNOWN 0x100u

static void finds_the_schema_of_a_member(void **state)
{
    static const struct {
        const char *schema;
        unsigned kinds;
    } CASES[] = {
        {"{'properties':{'a':{'type':'string'}},'additionalProperties':false}", BIT(STRING)},
        {"{'properties':{'b':{'type':'string'}},'additionalProperties':false}", 0},
        {"{'properties':{'b':true},'additionalProperties':{'type':'integer'}}", GH_SCHEMA_INTEGER},
        {"{'properties':{'b':true},'required':['a']}", UNKNOWN},
        {"{'patternProperties':{'^a':true},'additionalProperties':false}", UNKNOWN},
        {"true", UNKNOWN},
        {"{'$ref':'#/$defs/x','$defs':{'x':{'allOf':[true,{'properties':{'a':{'type':'null'}}}]}}}",
         BIT(NULL)},
        {"{'allOf':[{'additionalProperties':{'type':'null'}},{'properties':{'a':{'type':"
         "'string'}}}]}",
         BIT(STRING)},
        {"{'anyOf':[{'type':'null'},{'type':'object','properties':{'a':{'type':'array'}}}]}",
         BIT(ARRAY)},
        {"{'anyOf':[{},{'type':'object','properties':{'a':{'type':'array'}}}]}", UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_check_fixture fixture;
        uint32_t schema;
        gh_fixture_open(&fixture, GH_SCHEMA_2020_12, CASES[i].schema);
        assert_int_equal(fixture.err, GH_OK);
        bool known = gh_schema_property(fixture.schemas, fixture.schema, GH_STR("a"), &schema);
        unsigned kinds = known ? gh_schema_kinds(fixture.schemas, schema) : UNKNOWN;
        if (kinds != CASES[i].kinds)
            fail_msg("%s: %#x, not %#x", CASES[i].schema, kinds, CASES[i].kinds);
        gh_fixture_close(&fixture);
    }
}

static void finds_the_schema_of_items(void **state)
{
    static const struct {
        const char *schema;
        unsigned kinds;
    } CASES[] = {
        {"{'items':{'type':'string'}}", BIT(STRING)},
        {"{'anyOf':[{'type':'array','items':{'type':'integer'}},{'type':'null'}]}",
         GH_SCHEMA_INTEGER},
        {"{'prefixItems':[true],'items':{'type':'string'}}", UNKNOWN},
        {"{'contains':{'type':'string'}}", UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_check_fixture fixture;
        uint32_t schema;
        gh_fixture_open(&fixture, GH_SCHEMA_2020_12, CASES[i].schema);
        bool known = gh_schema_items(fixture.schemas, fixture.schema, &schema);
        unsigned kinds = known ? gh_schema_kinds(fixture.schemas, schema) : UNKNOWN;
        if (kinds != CASES[i].kinds)
            fail_msg("%s: %#x, not %#x", CASES[i].schema, kinds, CASES[i].kinds);
        gh_fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_schemas_with_mistakes_and_says_where),
        cmocka_unit_test(refuses_references_that_lead_nowhere),
        cmocka_unit_test(refuses_schemas_that_only_lead_back_to_themselves),
        cmocka_unit_test(refuses_what_openapi_3_0_does_not_have),
        cmocka_unit_test(refuses_discriminators_with_mistakes),
        cmocka_unit_test(discriminators_mean_nothing_outside_of_openapi),
        cmocka_unit_test(refuses_a_second_document_of_the_same_name),
        cmocka_unit_test(tells_the_kinds_a_schema_may_accept),
        cmocka_unit_test(counts_null_in_where_openapi_3_0_says_nullable),
        cmocka_unit_test(finds_the_schema_of_a_member),
        cmocka_unit_test(finds_the_schema_of_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
