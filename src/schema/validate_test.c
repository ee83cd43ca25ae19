/* What the test suite doesn't show: reports, limits, exact numbers, and what OpenAPI adds. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "schema/check_fixture.h"

static void assert_str(struct gh_str got, const char *wanted)
{
    if (!gh_str_eq(got, gh_str_from_c(wanted)))
        fail_msg("\"%.*s\" is not \"%s\"", GH_STR_ARG(got), wanted);
}

static enum gh_schema_outcome check(struct gh_check_fixture *fixture, const char *value)
{
    return gh_fixture_check(fixture, gh_str_from_c(value), &gh_schema_check_usual);
}

static enum gh_schema_outcome check_once(enum gh_schema_dialect dialect, const char *schema,
                                         const char *value)
{
    struct gh_check_fixture fixture;
    gh_fixture_open(&fixture, dialect, schema);
    assert_int_equal(fixture.err, GH_OK);
    enum gh_schema_outcome outcome = check(&fixture, value);
    gh_fixture_close(&fixture);
    return outcome;
}

struct verdict {
    const char *schema, *value;
    enum gh_schema_outcome outcome;
};

static void assert_verdicts(enum gh_schema_dialect dialect, const struct verdict *cases,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum gh_schema_outcome outcome = check_once(dialect, cases[i].schema, cases[i].value);
        if (outcome != cases[i].outcome)
            fail_msg("%s with %s: %d, not %d", cases[i].schema, cases[i].value, outcome,
                     cases[i].outcome);
    }
}
#define ASSERT_VERDICTS(dialect, cases)                                                            \
    assert_verdicts(dialect, cases, sizeof(cases) / sizeof((cases)[0]))

/* ---- Reports ---- */

static const struct report_case {
    const char *schema, *value, *pointer, *keyword, *schema_pointer, *message;
} REPORTS[] = {
    {"{'type':'integer'}", "1.5", "", "type", "/type",
     "must be a whole number, not a broken number"},
    {"{'type':['string','null']}", "[]", "", "type", "/type",
     "must be null or a string, not an array"},
    {"{'properties':{'a':{'maxLength':2}}}", "{'b':1,'a':'xyz'}", "/a", "maxLength",
     "/properties/a/maxLength", "must be at most 2 characters long, not 3"},
    {"{'minLength':1}", "''", "", "minLength", "/minLength",
     "must be at least 1 character long, not 0"},
    {"{'maxLength':1}", "'\xc3\xa4\xc3\xb6'", "", "maxLength", "/maxLength",
     "must be at most 1 character long, not 2"},
    {"{'items':{'pattern':'^a'}}", "['a','b']", "/1", "pattern", "/items/pattern",
     "must match the pattern"},
    {"{'required':['a','b']}", "{'b':1}", "", "required", "/required",
     "must have the member \"a\""},
    {"{'additionalProperties':false,'properties':{'a':true}}", "{'a':1,'x/~y':1}", "/x~1~0y",
     "additionalProperties", "/additionalProperties", "is not allowed here"},
    {"{'properties':{'a':false}}", "{'a':1}", "/a", "false", "/properties/a",
     "is not allowed here"},
    {"{'propertyNames':{'maxLength':1}}", "{'ab':1}", "/ab", "maxLength",
     "/propertyNames/maxLength", "must be at most 1 character long, not 2"},
    {"{'enum':[1,2]}", "3", "", "enum", "/enum", "must be one of the 2 values allowed"},
    {"{'const':1}", "2", "", "const", "/const", "must be the one value allowed here"},
    {"{'minItems':1}", "[]", "", "minItems", "/minItems", "must have at least 1 item, not 0"},
    {"{'maxProperties':1}", "{'a':1,'b':2}", "", "maxProperties", "/maxProperties",
     "must have at most 1 member, not 2"},
    {"{'not':{}}", "1", "", "not", "/not", "has the one form that is not allowed"},
    {"{'oneOf':[{'minimum':1},{'minimum':2}]}", "3", "", "oneOf", "/oneOf",
     "fits more than one of the forms of which it must fit one"},
    {"{'anyOf':[{'minimum':1},{'minimum':2}]}", "0", "", "anyOf", "/anyOf",
     "fits none of the 2 forms allowed"},
    {"{'anyOf':[{'type':'null'},{'type':'string','maxLength':1}]}", "'ab'", "", "maxLength",
     "/anyOf/1/maxLength", "must be at most 1 character long, not 2"},
    {"{'$ref':'#/$defs/a','$defs':{'a':{'type':'null'}}}", "1", "", "type", "/$defs/a/type",
     "must be null, not a number"},
    {"{'format':'date'}", "'2024-02-30'", "", "format", "/format", NULL},
    {"{'uniqueItems':true}", "[1,2,1.0]", "", "uniqueItems", "/uniqueItems", NULL},
    {"{'unevaluatedProperties':false,'properties':{'a':true}}", "{'a':1,'b':2}", "/b",
     "unevaluatedProperties", "/unevaluatedProperties", "is not allowed here"},
    {"{'dependentRequired':{'a':['b']}}", "{'a':1}", "", "dependentRequired", "/dependentRequired",
     "must have the member \"b\", since it has \"a\""},
    {"{'dependencies':{'a':['b'],'c':false}}", "{'a':1}", "", "dependencies", "/dependencies",
     "must have the member \"b\", since it has \"a\""},
    {"{'dependencies':{'a':['b'],'c':false}}", "{'c':1}", "", "false", "/dependencies/c",
     "is not allowed here"},
};

static void says_where_and_why_a_value_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(REPORTS) / sizeof(REPORTS[0]); i++) {
        const struct report_case *wanted = &REPORTS[i];
        struct gh_check_fixture fixture;
        gh_fixture_open(&fixture, GH_SCHEMA_2020_12, wanted->schema);
        assert_int_equal(fixture.err, GH_OK);
        if (check(&fixture, wanted->value) != GH_SCHEMA_INVALID || fixture.report.count != 1)
            fail_msg("%s accepts %s", wanted->schema, wanted->value);
        const struct gh_schema_violation *violation = fixture.report.violations;
        assert_str(violation->pointer, wanted->pointer);
        assert_str(violation->keyword, wanted->keyword);
        assert_str(violation->schema_pointer, wanted->schema_pointer);
        assert_str(violation->schema_uri, "test:/schema");
        if (wanted->message)
            assert_str(violation->message, wanted->message);
        gh_fixture_close(&fixture);
    }
}

static void names_the_missing_member(void **state)
{
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12, "{'required':['a','b','c']}");
    assert_int_equal(check(&fixture, "{'b':1}"), GH_SCHEMA_INVALID);
    assert_int_equal(fixture.report.count, 2);
    assert_str(fixture.report.violations[0].name, "a");
    assert_str(fixture.report.violations[1].name, "c");
    gh_fixture_close(&fixture);
}

static void finds_all_that_is_wrong(void **state)
{
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12,
                    "{'properties':{'a':{'type':'string'},'b':{'items':{'minimum':0}},"
                    "'c':{'allOf':[{'maxLength':1},{'pattern':'^x'}]}},'required':['d']}");
    assert_int_equal(check(&fixture, "{'a':1,'b':[1,-1,-2],'c':'yy'}"), GH_SCHEMA_INVALID);
    assert_int_equal(fixture.report.count, 6);
    assert_str(fixture.report.violations[0].pointer, "/a");
    assert_str(fixture.report.violations[1].pointer, "/b/1");
    assert_str(fixture.report.violations[2].pointer, "/b/2");
    assert_str(fixture.report.violations[3].keyword, "maxLength");
    assert_str(fixture.report.violations[4].keyword, "pattern");
    assert_str(fixture.report.violations[5].keyword, "required");
    gh_fixture_close(&fixture);
}

/* Every keyword fails on text that must stay out of messages, also as a member's name. */
static void repeats_nothing_of_the_value(void **state)
{
    static const char *const SCHEMAS[] = {
        "{'type':'null'}",
        "{'const':1}",
        "{'enum':[1,2]}",
        "{'maxLength':1}",
        "{'minLength':50}",
        "{'pattern':'^$'}",
        "{'format':'date-time'}",
        "{'format':'email'}",
        "{'format':'uri'}",
        "{'format':'regex'}",
        "{'not':{'type':['string','object','array']}}",
        "{'anyOf':[{'type':'null'},{'type':'boolean'}]}",
        "false",
        "{'additionalProperties':false,'items':false,'type':['object','array']}",
        "{'unevaluatedProperties':false,'unevaluatedItems':false,'type':['object','array']}",
        "{'propertyNames':{'maxLength':1},'maxItems':1,'type':['object','array']}",
        "{'maxProperties':0,'uniqueItems':true,'type':['object','array']}",
        "{'contains':{'type':'null'},'required':['a'],'type':['object','array']}",
    };
    static const char *const VALUES[] = {"'s3cr3t(['", "{'s3cr3t':'s3cr3t'}",
                                         "['s3cr3t','s3cr3t']"};
    unsigned seen = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(SCHEMAS) / sizeof(SCHEMAS[0]); i++) {
        struct gh_check_fixture fixture;
        gh_fixture_open(&fixture, GH_SCHEMA_2020_12, SCHEMAS[i]);
        for (size_t v = 0; v < sizeof(VALUES) / sizeof(VALUES[0]); v++) {
            (void)check(&fixture, VALUES[v]);
            for (size_t k = 0; k < fixture.report.count; k++, seen++) {
                struct gh_str message = fixture.report.violations[k].message;
                assert_true(message.len);
                assert_int_equal(gh_str_find(message, GH_STR("s3cr3t")), message.len);
            }
        }
        gh_fixture_close(&fixture);
    }
    assert_true(seen > 30);
}

/* ---- Limits ---- */

static void stops_when_its_steps_are_used_up(void **state)
{
    struct gh_schema_check_options options = gh_schema_check_usual;
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12, "{'items':{'type':'integer'}}");
    assert_int_equal(check(&fixture, "[1,2,3,4,5,6,7,8]"), GH_SCHEMA_VALID);
    uint64_t needed = fixture.report.steps;
    options.limits.steps_max = needed;
    assert_int_equal(gh_fixture_check(&fixture, GH_STR("[1,2,3,4,5,6,7,8]"), &options),
                     GH_SCHEMA_VALID);
    for (uint64_t steps = 0; steps < needed; steps++) {
        options.limits.steps_max = steps;
        assert_int_equal(gh_fixture_check(&fixture, GH_STR("[1,2,3,4,5,6,7,8]"), &options),
                         GH_SCHEMA_TOO_COMPLEX);
        assert_int_equal(fixture.report.count, 1);
        assert_str(fixture.report.violations[0].message, "takes too much work to check");
        assert_str(fixture.report.violations[0].keyword, "");
        assert_non_null(fixture.report.violations[0].keyword.ptr);
        assert_true(fixture.report.steps <= steps);
    }
    gh_fixture_close(&fixture);
}

static void stops_when_schemas_are_too_deep(void **state)
{
    struct gh_schema_check_options options = gh_schema_check_usual;
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12, "{'items':{'$ref':'#'}}");
    options.limits.depth_max = 7;
    assert_int_equal(gh_fixture_check(&fixture, GH_STR("[[[[]]]]"), &options), GH_SCHEMA_VALID);
    assert_int_equal(gh_fixture_check(&fixture, GH_STR("[[[[[]]]]]"), &options),
                     GH_SCHEMA_TOO_COMPLEX);
    assert_int_equal(fixture.report.count, 1);
    gh_fixture_close(&fixture);
}

static void ends_loops_through_dynamic_references(void **state)
{
    (void)state;
    assert_int_equal(
        check_once(GH_SCHEMA_2020_12, "{'$dynamicAnchor':'a','allOf':[{'$dynamicRef':'#a'}]}", "1"),
        GH_SCHEMA_TOO_COMPLEX);
}

static void reports_no_more_than_asked_for(void **state)
{
    struct gh_schema_check_options options = gh_schema_check_usual;
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12, "{'items':{'type':'null'}}");
    for (size_t max = 0; max < 8; max++) {
        options.limits.violations_max = max;
        assert_int_equal(gh_fixture_check(&fixture, GH_STR("[1,2,3,4,5]"), &options),
                         GH_SCHEMA_INVALID);
        assert_int_equal(fixture.report.count, max < 5 ? max : 5);
    }
    gh_fixture_close(&fixture);
}

/* A string of `count` times 'a' and an end. */
static struct gh_str long_string(struct gh_arena *arena, size_t count, char end)
{
    char *text = gh_arena_alloc(arena, count + 3);
    assert_non_null(text);
    memset(text, 'a', count + 2);
    text[0] = '"';
    text[count + 1] = end;
    text[count + 2] = '"';
    return gh_str_of(text, count + 3);
}

static void exploding_patterns_are_bounded(void **state)
{
    static const char *const PATTERNS[] = {
        "(a+)+$",       "^(a|a)*$",        "^(a|aa)+$",  "^((a*)*)*$",
        "(.*)*b(.*)*c", "^(a?){60}a{60}$", "(a*)*\\\\d", "^(?=(a+)+$)b",
    };
    static const size_t LENGTHS[] = {30, 1000, 100000};
    struct gh_arena arena;
    (void)state;
    gh_arena_init(&arena, 64 * 1024, 8 << 20);
    for (size_t i = 0; i < sizeof(PATTERNS) / sizeof(PATTERNS[0]); i++) {
        char schema[64];
        struct gh_check_fixture fixture;
        snprintf(schema, sizeof(schema), "{'pattern':'%s'}", PATTERNS[i]);
        gh_fixture_open(&fixture, GH_SCHEMA_2020_12, schema);
        if (fixture.err == GH_ERR_INVALID) { /* refused at load is as good */
            gh_fixture_close(&fixture);
            continue;
        }
        for (size_t k = 0; k < sizeof(LENGTHS) / sizeof(LENGTHS[0]); k++) {
            enum gh_schema_outcome outcome = gh_fixture_check(
                &fixture, long_string(&arena, LENGTHS[k], '!'), &gh_schema_check_usual);
            assert_true(outcome == GH_SCHEMA_INVALID || outcome == GH_SCHEMA_TOO_COMPLEX);
            assert_int_equal(fixture.report.count, 1);
            assert_str(fixture.report.violations[0].keyword, "pattern");
            assert_true(fixture.report.steps <= gh_schema_limits_usual.steps_max);
        }
        gh_fixture_close(&fixture);
    }
    gh_arena_done(&arena);
}

/* Alternatives within alternatives, each with marks of its own for a large object. */
static void unevaluated_takes_bounded_memory(void **state)
{
    enum { NESTED = 200, MEMBERS = 4000 };
    struct gh_check_fixture fixture;
    struct gh_arena arena, scratch;
    (void)state;
    gh_arena_init(&arena, 64 * 1024, 8 << 20);
    struct gh_buf schema = gh_buf_over(gh_arena_alloc(&arena, 1 << 16), 1 << 16);
    struct gh_buf value = gh_buf_over(gh_arena_alloc(&arena, 1 << 17), 1 << 17);
    for (unsigned i = 0; i < NESTED; i++)
        gh_buf_put(&schema, GH_STR("{'unevaluatedProperties':{'type':'null'},'anyOf':["));
    gh_buf_put(&schema, GH_STR("true"));
    for (unsigned i = 0; i < NESTED; i++)
        gh_buf_put(&schema, GH_STR("]}"));
    gh_buf_put_char(&schema, '\0');
    for (unsigned i = 0; i < MEMBERS; i++) {
        gh_buf_put_char(&value, i ? ',' : '{');
        gh_buf_put(&value, gh_arena_format(&arena, "'%u':null", i));
    }
    gh_buf_put_char(&value, '}');
    assert_false(schema.overflow || value.overflow);
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12, schema.ptr);
    assert_int_equal(fixture.err, GH_OK);
    fixture.doc = gh_fixture_parse(&arena, gh_buf_str(&value));
    gh_arena_init(&scratch, 4096, 64 * 1024);
    assert_int_equal(gh_schema_check(fixture.schemas, fixture.schema, &fixture.doc,
                                     gh_json_root(&fixture.doc), &gh_schema_check_usual, &scratch,
                                     &fixture.report),
                     GH_SCHEMA_TOO_COMPLEX);
    gh_arena_done(&scratch);
    gh_arena_done(&arena);
    gh_fixture_close(&fixture);
}

static void says_when_there_is_no_memory(void **state)
{
    struct gh_check_fixture fixture;
    struct gh_arena none;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_2020_12, "{'unevaluatedItems':false}");
    fixture.doc = gh_fixture_parse(&fixture.arena, GH_STR("[1]"));
    gh_arena_init(&none, 16, 16);
    assert_int_equal(gh_schema_check(fixture.schemas, fixture.schema, &fixture.doc,
                                     gh_json_root(&fixture.doc), &gh_schema_check_usual, &none,
                                     &fixture.report),
                     GH_SCHEMA_NO_MEMORY);
    assert_int_equal(fixture.report.count, 0);
    gh_arena_done(&none);
    gh_fixture_close(&fixture);
}

/* ---- Numbers ---- */

static void compares_numbers_exactly(void **state)
{
    static const struct verdict CASES[] = {
        {"{'maximum':1e400}", "1e400", GH_SCHEMA_VALID},
        {"{'maximum':1e400}", "1.0000000000000000000000000001e400", GH_SCHEMA_INVALID},
        {"{'maximum':1e308}", "1e400", GH_SCHEMA_INVALID},
        {"{'minimum':-1e400}", "-1e401", GH_SCHEMA_INVALID},
        {"{'const':1e400}", "10e399", GH_SCHEMA_VALID},
        {"{'const':1e400}", "1e401", GH_SCHEMA_INVALID},
        {"{'exclusiveMinimum':0}", "1e-400", GH_SCHEMA_VALID},
        {"{'exclusiveMinimum':0}", "-0.0", GH_SCHEMA_INVALID},
        {"{'const':0}", "-0e99", GH_SCHEMA_VALID},
        {"{'maximum':9007199254740992}", "9007199254740993", GH_SCHEMA_INVALID},
        {"{'const':0.1}", "0.1000000000000000055511151231257827", GH_SCHEMA_INVALID},
        {"{'type':'integer'}", "1e400", GH_SCHEMA_VALID},
        {"{'type':'integer'}", "1e-400", GH_SCHEMA_INVALID},
        {"{'uniqueItems':true}", "[1e400,1e401]", GH_SCHEMA_VALID},
        {"{'uniqueItems':true}", "[1e400,10e399]", GH_SCHEMA_INVALID},
        {"{'multipleOf':0.01}", "123456789012345678901234567890.12", GH_SCHEMA_VALID},
        {"{'multipleOf':0.01}", "123456789012345678901234567890.123", GH_SCHEMA_INVALID},
        {"{'multipleOf':1e-400}", "3e-400", GH_SCHEMA_VALID},
        {"{'multipleOf':1e-400}", "3e-401", GH_SCHEMA_INVALID},
        {"{'multipleOf':7}", "7e1000000000000", GH_SCHEMA_VALID},
        {"{'multipleOf':7}", "1e400", GH_SCHEMA_INVALID},
        {"{'multipleOf':0.000000000000000001}", "1e400", GH_SCHEMA_VALID},
    };
    (void)state;
    ASSERT_VERDICTS(GH_SCHEMA_2020_12, CASES);
}

/* ---- OpenAPI ---- */

static void keeps_the_rules_of_openapi_3_0(void **state)
{
    static const struct verdict CASES[] = {
        {"{'type':'string','nullable':true}", "null", GH_SCHEMA_VALID},
        {"{'type':'string','nullable':false}", "null", GH_SCHEMA_INVALID},
        {"{'type':'string'}", "null", GH_SCHEMA_INVALID},
        {"{'type':'string','nullable':true}", "1", GH_SCHEMA_INVALID},
        {"{'minimum':1,'exclusiveMinimum':true}", "1", GH_SCHEMA_INVALID},
        {"{'minimum':1,'exclusiveMinimum':false}", "1", GH_SCHEMA_VALID},
        {"{'maximum':1,'exclusiveMaximum':true}", "1", GH_SCHEMA_INVALID},
        {"{'maximum':1,'exclusiveMaximum':true}", "0.999", GH_SCHEMA_VALID},
        {"{'exclusiveMaximum':true}", "1", GH_SCHEMA_VALID},
        {"{'exclusiveMinimum':0}", "0", GH_SCHEMA_INVALID}, /* as FastAPI writes it */
        {"{'exclusiveMinimum':0}", "0.1", GH_SCHEMA_VALID},
        {"{'maximum':9,'exclusiveMaximum':5}", "5", GH_SCHEMA_INVALID},
        {"{'properties':{'a':{'$ref':'#/x','type':'null','maxLength':1}},'x':{'type':'string'}}",
         "{'a':'long'}", GH_SCHEMA_VALID},
        {"{'properties':{'a':{'$ref':'#/x'}},'x':{'type':'string'}}", "{'a':1}", GH_SCHEMA_INVALID},
        /* not known there */
        {"{'const':1}", "2", GH_SCHEMA_VALID},
        {"{'if':true,'then':false}", "2", GH_SCHEMA_VALID},
        {"{'patternProperties':{'a':false}}", "{'a':1}", GH_SCHEMA_VALID},
        {"{'unevaluatedProperties':false}", "{'a':1}", GH_SCHEMA_VALID},
    };
    (void)state;
    ASSERT_VERDICTS(GH_SCHEMA_OPENAPI_30, CASES);
    /* The same mean something else, or nothing, in draft 2020-12. */
    assert_int_equal(check_once(GH_SCHEMA_2020_12, "{'type':'string','nullable':true}", "null"),
                     GH_SCHEMA_INVALID);
    assert_int_equal(check_once(GH_SCHEMA_2020_12,
                                "{'$ref':'#/x','maxLength':1,'x':{'type':'string'}}", "'long'"),
                     GH_SCHEMA_INVALID);
}

#define USER                                                                                       \
    "{'type':'object','required':['id','name','password'],'additionalProperties':false,"           \
    "'properties':{'id':{'$ref':'#/$defs/id'},'name':{'type':'string'},"                           \
    "'password':{'type':'string','writeOnly':true},'friend':{'$ref':'#'}},"                        \
    "'$defs':{'id':{'allOf':[{'type':'integer'},{'readOnly':true}]}}}"

static enum gh_schema_outcome check_towards(struct gh_check_fixture *fixture,
                                            enum gh_schema_direction direction, const char *value)
{
    struct gh_schema_check_options options = {.limits = gh_schema_limits_usual,
                                              .direction = direction};
    return gh_fixture_check(fixture, gh_str_from_c(value), &options);
}

static void read_only_members_are_refused_and_not_required_in_requests(void **state)
{
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_OPENAPI_31, USER);
    assert_int_equal(fixture.err, GH_OK);
    assert_int_equal(check_towards(&fixture, GH_SCHEMA_REQUEST, "{'name':'a','password':'b'}"),
                     GH_SCHEMA_VALID);
    assert_int_equal(check_towards(&fixture, GH_SCHEMA_REQUEST,
                                   "{'name':'a','password':'b','friend':{'name':'c'}}"),
                     GH_SCHEMA_INVALID);
    assert_int_equal(fixture.report.count, 1);
    assert_str(fixture.report.violations[0].pointer, "/friend");
    assert_str(fixture.report.violations[0].name, "password");
    assert_int_equal(check_towards(&fixture, GH_SCHEMA_REQUEST, "{'id':1,'name':'a'}"),
                     GH_SCHEMA_INVALID);
    assert_int_equal(fixture.report.count, 2);
    assert_str(fixture.report.violations[0].pointer, "/id");
    assert_str(fixture.report.violations[0].keyword, "readOnly");
    assert_str(fixture.report.violations[0].schema_pointer, "/$defs/id/allOf/1/readOnly");
    assert_str(fixture.report.violations[1].keyword, "required");
    assert_str(fixture.report.violations[1].name, "password");
    gh_fixture_close(&fixture);
}

static void write_only_members_are_refused_and_not_required_in_responses(void **state)
{
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_OPENAPI_31, USER);
    assert_int_equal(check_towards(&fixture, GH_SCHEMA_RESPONSE, "{'id':1,'name':'a'}"),
                     GH_SCHEMA_VALID);
    assert_int_equal(
        check_towards(&fixture, GH_SCHEMA_RESPONSE, "{'id':1,'name':'a','password':'b'}"),
        GH_SCHEMA_INVALID);
    assert_str(fixture.report.violations[0].keyword, "writeOnly");
    assert_str(fixture.report.violations[0].pointer, "/password");
    assert_int_equal(check_towards(&fixture, GH_SCHEMA_ANY_WAY, "{'id':1,'name':'a'}"),
                     GH_SCHEMA_INVALID);
    assert_int_equal(
        check_towards(&fixture, GH_SCHEMA_ANY_WAY, "{'id':1,'name':'a','password':'b'}"),
        GH_SCHEMA_VALID);
    gh_fixture_close(&fixture);
}

static void what_is_checked_as_a_whole_is_no_member(void **state)
{
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_OPENAPI_31, "{'type':'string','readOnly':true}");
    assert_int_equal(check_towards(&fixture, GH_SCHEMA_REQUEST, "'a'"), GH_SCHEMA_VALID);
    gh_fixture_close(&fixture);
}

/* Both forms would fit a bird without a look at its kind. */
#define PETS                                                                                       \
    "{'oneOf':[{'$ref':'#/$defs/Cat'},{'$ref':'#/$defs/Bird'},{'type':'null'}],"                   \
    "'discriminator':{'propertyName':'kind','mapping':{'feline':'#/$defs/Cat','Tit':'Bird'}},"     \
    "'unevaluatedProperties':false,"                                                               \
    "'$defs':{'Cat':{'type':'object','properties':{'kind':true,'lives':{'maximum':9}}},"           \
    "'Bird':{'type':'object','properties':{'kind':true,'wings':{'const':2}}}}}"

static void a_discriminator_chooses_the_only_form_that_is_looked_at(void **state)
{
    static const struct verdict CASES[] = {
        {PETS, "{'kind':'Cat','lives':9}", GH_SCHEMA_VALID},
        {PETS, "{'kind':'feline','lives':9}", GH_SCHEMA_VALID},
        {PETS, "{'kind':'Bird','wings':2}", GH_SCHEMA_VALID},
        {PETS, "{'kind':'Tit'}", GH_SCHEMA_VALID},
        {PETS, "null", GH_SCHEMA_VALID},
        {PETS, "{'kind':'Cat','wings':2}", GH_SCHEMA_INVALID},
        {PETS, "{'kind':'Bird','lives':9}", GH_SCHEMA_INVALID},
        {PETS, "{'kind':'cat'}", GH_SCHEMA_INVALID},
        {PETS, "{'kind':1}", GH_SCHEMA_INVALID},
        {PETS, "{}", GH_SCHEMA_INVALID},
    };
    (void)state;
    ASSERT_VERDICTS(GH_SCHEMA_OPENAPI_31, CASES);
}

static void a_discriminator_says_what_is_wrong(void **state)
{
    static const struct report_case CASES[] = {
        {PETS, "{'kind':'dog'}", "/kind", "discriminator", "/discriminator",
         "must name one of the forms allowed"},
        {PETS, "{'lives':1}", "", "discriminator", "/discriminator",
         "must have the member \"kind\", which names its form"},
        {PETS, "{'kind':'Cat','lives':10}", "/lives", "maximum",
         "/$defs/Cat/properties/lives/maximum", NULL},
    };
    struct gh_check_fixture fixture;
    (void)state;
    gh_fixture_open(&fixture, GH_SCHEMA_OPENAPI_31, PETS);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_int_equal(check(&fixture, CASES[i].value), GH_SCHEMA_INVALID);
        assert_int_equal(fixture.report.count, 1);
        const struct gh_schema_violation *violation = fixture.report.violations;
        assert_str(violation->pointer, CASES[i].pointer);
        assert_str(violation->keyword, CASES[i].keyword);
        assert_str(violation->schema_pointer, CASES[i].schema_pointer);
        if (CASES[i].message)
            assert_str(violation->message, CASES[i].message);
    }
    gh_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_where_and_why_a_value_is_refused),
        cmocka_unit_test(names_the_missing_member),
        cmocka_unit_test(finds_all_that_is_wrong),
        cmocka_unit_test(repeats_nothing_of_the_value),
        cmocka_unit_test(stops_when_its_steps_are_used_up),
        cmocka_unit_test(stops_when_schemas_are_too_deep),
        cmocka_unit_test(ends_loops_through_dynamic_references),
        cmocka_unit_test(reports_no_more_than_asked_for),
        cmocka_unit_test(exploding_patterns_are_bounded),
        cmocka_unit_test(unevaluated_takes_bounded_memory),
        cmocka_unit_test(says_when_there_is_no_memory),
        cmocka_unit_test(compares_numbers_exactly),
        cmocka_unit_test(keeps_the_rules_of_openapi_3_0),
        cmocka_unit_test(read_only_members_are_refused_and_not_required_in_requests),
        cmocka_unit_test(write_only_members_are_refused_and_not_required_in_responses),
        cmocka_unit_test(what_is_checked_as_a_whole_is_no_member),
        cmocka_unit_test(a_discriminator_chooses_the_only_form_that_is_looked_at),
        cmocka_unit_test(a_discriminator_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
