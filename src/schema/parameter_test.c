/*
 * Parameters in all styles: the examples of OpenAPI 3.1.1 (section 4.8.12.6) and of RFC 6570
 * (section 3.2), and more that is refused.
 */
#include "schema/parameter.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static struct gh_arena arena;

static int open_arena(void **state)
{
    (void)state;
    gh_arena_init(&arena, 1 << 16, 1 << 26);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    gh_arena_done(&arena);
    return 0;
}

static uint32_t compile(const char *text, struct gh_schemas **out_schemas)
{
    static const struct gh_schema_options OPTIONS = {0};
    struct gh_schema_error error;
    struct gh_json_doc *doc = gh_arena_alloc(&arena, sizeof(*doc));
    uint32_t schema;
    *out_schemas = gh_schemas_new(&arena, &OPTIONS);
    assert_non_null(*out_schemas);
    assert_int_equal(gh_json_parse(&arena, gh_str_from_c(text), &gh_json_small, doc, NULL),
                     GH_JSON_OK);
    assert_int_equal(gh_schemas_add(*out_schemas, GH_STR("t:s"), doc, GH_SCHEMA_IS_SCHEMA, &error),
                     GH_OK);
    assert_int_equal(gh_schemas_compile(*out_schemas, GH_STR("t:s"), &schema, &error), GH_OK);
    return schema;
}

static bool is_same(const struct gh_json_doc *a, const struct gh_json_doc *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct gh_json_value *x = &a->values[i], *y = &b->values[i];
        if (x->kind != y->kind || x->boolean != y->boolean || x->next != y->next ||
            !gh_str_eq(x->name, y->name) || !gh_str_eq(x->text, y->text))
            return false;
    }
    return true;
}

struct style_case {
    enum gh_parameter_in in;
    enum gh_parameter_style style;
    bool explode;
    const char *schema; /* NULL: none */
    const char *text;   /* of query and cookie: all of it */
    const char *want;   /* JSON; NULL: not OK */
    enum gh_parameter_status status;
};

static enum gh_parameter_status read_case(const struct style_case *c, bool is_json,
                                          struct gh_json_doc *out_doc)
{
    struct gh_schemas *schemas;
    struct gh_form form;
    bool used[300] = {false};
    uint32_t schema = compile(c->schema ? c->schema : "true", &schemas);
    const struct gh_parameter parameter = {
        .name = GH_STR("color"),
        .in = c->in,
        .style = c->style,
        .explode = c->explode,
        .is_json = is_json,
        .schema = c->schema ? schema : UINT32_MAX,
    };
    if (c->in == GH_IN_PATH || c->in == GH_IN_HEADER)
        return gh_parameter_read_text(schemas, &parameter, &arena, gh_str_from_c(c->text), out_doc);
    assert_int_equal(gh_form_parse(&arena, gh_str_from_c(c->text), &gh_form_small, &form, NULL),
                     GH_FORM_OK);
    return gh_parameter_read_form(schemas, &parameter, &arena, &form, used, out_doc);
}

static void run(const struct style_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct style_case *c = &cases[i];
        struct gh_json_doc got = {0}, want = {0};
        enum gh_parameter_status status = read_case(c, false, &got);
        bool good = status == (c->want ? GH_PARAMETER_OK : c->status);
        if (c->want) {
            assert_int_equal(
                gh_json_parse(&arena, gh_str_from_c(c->want), &gh_json_small, &want, NULL),
                GH_JSON_OK);
            good = good && is_same(&got, &want);
        }
        if (!good)
            print_message("case %zu: \"%s\" for %s: status %d\n", i, c->text,
                          c->schema ? c->schema : "no schema", (int)status);
        assert_true(good);
    }
}

#define RUN(cases) run(cases, sizeof(cases) / sizeof((cases)[0]))

#define STRING  "{\"type\":\"string\"}"
#define INTEGER "{\"type\":\"integer\"}"
#define STRINGS "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
#define NUMBERS "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}"
#define RGB                                                                                        \
    "{\"type\":\"object\",\"properties\":{\"R\":{\"type\":\"integer\"},\"G\":{\"type\":"           \
    "\"integer\"},\"B\":{\"type\":\"integer\"},\"n\":{\"type\":\"string\"}},"                      \
    "\"additionalProperties\":false}"
#define COLORS     "[\"blue\",\"black\",\"brown\"]"
#define RGB_VALUES "{\"R\":100,\"G\":200,\"B\":150}"

#define SIMPLE  GH_IN_PATH, GH_STYLE_SIMPLE
#define LABEL   GH_IN_PATH, GH_STYLE_LABEL
#define MATRIX  GH_IN_PATH, GH_STYLE_MATRIX
#define HEADER  GH_IN_HEADER, GH_STYLE_SIMPLE
#define FORM    GH_IN_QUERY, GH_STYLE_FORM
#define SPACE   GH_IN_QUERY, GH_STYLE_SPACE_DELIMITED
#define PIPE    GH_IN_QUERY, GH_STYLE_PIPE_DELIMITED
#define DEEP    GH_IN_QUERY, GH_STYLE_DEEP_OBJECT
#define COOKIE  GH_IN_COOKIE, GH_STYLE_FORM
#define BAD     NULL, GH_PARAMETER_MALFORMED
#define TWICE   NULL, GH_PARAMETER_REPEATED
#define MISSING NULL, GH_PARAMETER_ABSENT

static void reads_the_examples_of_the_specification(void **state)
{
    (void)state;
    static const struct style_case CASES[] = {
        {SIMPLE, false, STRING, "blue", "\"blue\"", 0},
        {SIMPLE, true, STRING, "blue", "\"blue\"", 0},
        {SIMPLE, false, STRING, "", "\"\"", 0},
        {SIMPLE, false, STRINGS, "blue,black,brown", COLORS, 0},
        {SIMPLE, true, STRINGS, "blue,black,brown", COLORS, 0},
        {SIMPLE, false, RGB, "R,100,G,200,B,150", RGB_VALUES, 0},
        {SIMPLE, true, RGB, "R=100,G=200,B=150", RGB_VALUES, 0},
        {LABEL, false, STRING, ".", "\"\"", 0},
        {LABEL, false, STRING, ".blue", "\"blue\"", 0},
        {LABEL, false, STRINGS, ".blue,black,brown", COLORS, 0},
        {LABEL, true, STRINGS, ".blue.black.brown", COLORS, 0},
        {LABEL, false, RGB, ".R,100,G,200,B,150", RGB_VALUES, 0},
        {LABEL, true, RGB, ".R=100.G=200.B=150", RGB_VALUES, 0},
        {MATRIX, false, STRING, ";color", "\"\"", 0},
        {MATRIX, false, STRING, ";color=", "\"\"", 0},
        {MATRIX, false, STRING, ";color=blue", "\"blue\"", 0},
        {MATRIX, true, STRING, ";color=blue", "\"blue\"", 0},
        {MATRIX, false, STRINGS, ";color=blue,black,brown", COLORS, 0},
        {MATRIX, true, STRINGS, ";color=blue;color=black;color=brown", COLORS, 0},
        {MATRIX, false, RGB, ";color=R,100,G,200,B,150", RGB_VALUES, 0},
        {MATRIX, true, RGB, ";R=100;G=200;B=150", RGB_VALUES, 0},
        {HEADER, false, STRING, "blue", "\"blue\"", 0},
        {HEADER, false, STRINGS, "blue, black,brown", COLORS, 0},
        {HEADER, false, RGB, "R,100,G,200, B,150", RGB_VALUES, 0},
        {HEADER, true, RGB, "R=100,G=200,B=150", RGB_VALUES, 0},
        {FORM, true, STRING, "color=", "\"\"", 0},
        {FORM, true, STRING, "color", "\"\"", 0},
        {FORM, true, STRING, "color=blue", "\"blue\"", 0},
        {FORM, true, STRINGS, "color=blue&color=black&color=brown", COLORS, 0},
        {FORM, false, STRINGS, "color=blue,black,brown", COLORS, 0},
        {FORM, false, RGB, "color=R,100,G,200,B,150", RGB_VALUES, 0},
        {FORM, true, RGB, "R=100&G=200&B=150", RGB_VALUES, 0},
        {SPACE, false, STRINGS, "color=blue%20black%20brown", COLORS, 0},
        {SPACE, false, STRINGS, "color=blue+black+brown", COLORS, 0},
        {SPACE, false, RGB, "color=R%20100%20G%20200%20B%20150", RGB_VALUES, 0},
        {PIPE, false, STRINGS, "color=blue%7Cblack%7cbrown", COLORS, 0},
        {PIPE, false, STRINGS, "color=blue|black|brown", COLORS, 0},
        {PIPE, false, RGB, "color=R%7C100%7CG%7C200%7CB%7C150", RGB_VALUES, 0},
        {DEEP, true, RGB, "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150", RGB_VALUES, 0},
        {DEEP, false, RGB, "color[R]=100&color[G]=200&color[B]=150", RGB_VALUES, 0},
        {COOKIE, true, STRING, "color=blue", "\"blue\"", 0},
        {COOKIE, false, STRINGS, "color=blue,black,brown", COLORS, 0},
        {COOKIE, false, RGB, "color=R,100,G,200,B,150", RGB_VALUES, 0},
    };
    RUN(CASES);
}

static void reads_the_examples_of_rfc_6570(void **state)
{
    (void)state;
    static const struct style_case CASES[] = {
        {SIMPLE, false, STRING, "value", "\"value\"", 0},
        {SIMPLE, false, STRING, "Hello%20World%21", "\"Hello World!\"", 0},
        {SIMPLE, false, STRING, "50%25", "\"50%\"", 0},
        {SIMPLE, false, STRINGS, "1024,768", "[\"1024\",\"768\"]", 0},
        {SIMPLE, false, STRINGS, "1024,Hello%20World%21,768", "[\"1024\",\"Hello World!\",\"768\"]",
         0},
        {SIMPLE, false, "{\"type\":\"object\"}", "semi,%3B,dot,.,comma,%2C",
         "{\"semi\":\";\",\"dot\":\".\",\"comma\":\",\"}", 0},
        {SIMPLE, true, "{\"type\":\"object\"}", "semi=%3B,dot=.,comma=%2C",
         "{\"semi\":\";\",\"dot\":\".\",\"comma\":\",\"}", 0},
        {LABEL, true, STRINGS, ".red.green.blue", "[\"red\",\"green\",\"blue\"]", 0},
        {LABEL, false, "{\"type\":\"object\"}", ".semi,%3B,dot,.,comma,%2C",
         "{\"semi\":\";\",\"dot\":\".\",\"comma\":\",\"}", 0},
        {MATRIX, true, "{\"type\":\"object\"}", ";semi=%3B;dot=.;comma=%2C",
         "{\"semi\":\";\",\"dot\":\".\",\"comma\":\",\"}", 0},
        {FORM, false, "{\"type\":\"object\"}", "color=semi,%3B,dot,.,comma,%2C",
         "{\"semi\":\";\",\"dot\":\".\",\"comma\":\",\"}", 0},
    };
    RUN(CASES);
}

static void the_schema_says_what_a_text_is(void **state)
{
    (void)state;
    static const struct style_case CASES[] = {
        {FORM, true, INTEGER, "color=12", "12", 0},
        {FORM, true, INTEGER, "color=-0", "-0", 0},
        {FORM, true, INTEGER, "color=012", "\"012\"", 0},
        {FORM, true, INTEGER, "color=%2B1", "\"+1\"", 0},
        {FORM, true, INTEGER, "color=+1", "\" 1\"", 0},
        {FORM, true, STRING, "color=12", "\"12\"", 0},
        {FORM, true, STRING, "color=true", "\"true\"", 0},
        {FORM, true, NULL, "color=12", "\"12\"", 0},
        {FORM, true, "{\"type\":\"number\"}", "color=1e400", "1e400", 0},
        {FORM, true, "{\"type\":\"integer\"}", "color=1e2", "\"1e2\"", 0},
        {FORM, true, "{\"type\":\"integer\"}", "color=10E-1", "\"10E-1\"", 0},
        {FORM, true, "{\"type\":\"integer\"}", "color=2.0", "2.0", 0},
        {FORM, true, "{\"type\":\"number\"}", "color=NaN", "\"NaN\"", 0},
        {FORM, true, "{\"type\":\"number\"}", "color=0x10", "\"0x10\"", 0},
        {FORM, true, "{\"type\":\"boolean\"}", "color=true", "true", 0},
        {FORM, true, "{\"type\":\"boolean\"}", "color=false", "false", 0},
        {FORM, true, "{\"type\":\"boolean\"}", "color=True", "\"True\"", 0},
        {FORM, true, "{\"type\":\"boolean\"}", "color=1", "\"1\"", 0},
        {FORM, true, "{\"type\":[\"integer\",\"null\"]}", "color=null", "null", 0},
        {FORM, true, "{\"type\":[\"integer\",\"null\"]}", "color=", "\"\"", 0},
        {FORM, true, "{\"enum\":[1,2]}", "color=2", "2", 0},
        {FORM, true, "{\"enum\":[\"1\",\"2\"]}", "color=2", "\"2\"", 0},
        /* Two ways: the valid one. */
        {FORM, true, "{\"type\":[\"integer\",\"string\"],\"maximum\":9}", "color=8", "8", 0},
        {FORM, true, "{\"type\":[\"integer\",\"string\"],\"maximum\":9}", "color=80", "\"80\"", 0},
        {FORM, true, "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":10},{\"const\":\"7\"}]}",
         "color=7", "\"7\"", 0},
        {FORM, true, "{\"anyOf\":[" STRINGS ",{\"type\":\"null\"}]}", "color=a", "[\"a\"]", 0},
        {FORM, true, "{\"anyOf\":[" NUMBERS ",{\"type\":\"null\"}]}", "color=null", "null", 0},
        {SIMPLE, false, "{\"type\":[\"string\",\"array\"],\"maxLength\":3}", "a,b", "\"a,b\"", 0},
        {SIMPLE, false, "{\"type\":[\"string\",\"array\"],\"maxLength\":3}", "aa,bb",
         "[\"aa\",\"bb\"]", 0},
        {SIMPLE, false,
         "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},"
         "{\"type\":\"string\"}]}",
         "1,x", "[1,\"x\"]", 0},
        {SIMPLE, false,
         "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"},"
         "{\"type\":\"string\"}]}",
         "1,2", "[\"1\",\"2\"]", 0},
        /* What says nothing of types is no list. */
        {SIMPLE, false, "{\"minLength\":5}", "a,b", "\"a,b\"", 0},
        {FORM, true, "true", "color=1", "1", 0},
    };
    RUN(CASES);
}

static void members_and_items_have_their_own_schemas(void **state)
{
    (void)state;
    static const struct style_case CASES[] = {
        {DEEP, true,
         "{\"type\":\"object\",\"properties\":{\"t\":{\"type\":\"array\",\"items\":{\"type\":"
         "\"integer\"}},\"s\":{\"type\":\"string\"}}}",
         "color[t]=1&color[s]=5&color[t]=2", "{\"t\":[1,2],\"s\":\"5\"}", 0},
        {DEEP, true,
         "{\"type\":\"object\",\"properties\":{\"t\":{\"type\":\"array\",\"items\":{\"type\":"
         "\"integer\"}}}}",
         "color[t]=1", "{\"t\":[1]}", 0},
        {DEEP, true, RGB, "color[R]=1&color[n]=1", "{\"R\":1,\"n\":\"1\"}", 0},
        {DEEP, true, RGB, "color[x]=1", "{\"x\":\"1\"}", 0},
        {FORM, true, RGB, "x=1&R=1&y=2", "{\"R\":1}", 0},
        {FORM, true, "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
         "x=1&y=2", "{\"x\":1,\"y\":2}", 0},
        {SIMPLE, false, NUMBERS, "1,b,3", "[1,\"b\",3]", 0},
        {SIMPLE, false, STRINGS, ",", "[\"\",\"\"]", 0},
        {FORM, true, STRINGS, "color=", "[\"\"]", 0},
        {FORM, false, STRINGS, "color=a%2Cb,c", "[\"a,b\",\"c\"]", 0},
        {FORM, true, STRINGS, "color=a,b", "[\"a,b\"]", 0},
        {PIPE, false, STRINGS, "color=a,b%7Cc", "[\"a,b\",\"c\"]", 0},
        {SIMPLE, false, STRINGS, "a+b,c", "[\"a+b\",\"c\"]", 0},
        {FORM, false, STRINGS, "color=a+b,c", "[\"a b\",\"c\"]", 0},
        {HEADER, false, STRING, "100%", "\"100%\"", 0},
        {HEADER, false, STRING, "a%20b", "\"a%20b\"", 0},
        {HEADER, false, STRING, "a, b", "\"a, b\"", 0},
    };
    RUN(CASES);
}

static void refuses_what_is_not_of_its_style(void **state)
{
    (void)state;
    static const struct style_case CASES[] = {
        {SIMPLE, false, STRING, "a%2", BAD},
        {SIMPLE, false, STRING, "a%zz", BAD},
        {SIMPLE, false, STRING, "%00", BAD},
        {SIMPLE, false, STRING, "%c0%af", BAD},
        {SIMPLE, false, STRING, "%ed%a0%80", BAD},
        {SIMPLE, false, STRING, "a b", BAD},
        {SIMPLE, false, STRINGS, "a,%", BAD},
        {SIMPLE, false, RGB, "R,100,G", BAD},
        {SIMPLE, false, RGB, "R", BAD},
        {SIMPLE, false, RGB, "", BAD},
        {SIMPLE, false, RGB, ",1", BAD},
        {SIMPLE, false, RGB, "R,1,R,2", TWICE},
        {SIMPLE, false, RGB, "R,1,%52,2", TWICE},
        {SIMPLE, true, RGB, "R,100", BAD},
        {SIMPLE, true, RGB, "R=1,G", BAD},
        {SIMPLE, true, RGB, "=1", BAD},
        {SIMPLE, true, RGB, "R=1,R=1", TWICE},
        {LABEL, false, STRING, "", BAD},
        {LABEL, false, STRING, "blue", BAD},
        {LABEL, true, STRINGS, "blue.black", BAD},
        {LABEL, true, RGB, ".R=1.G", BAD},
        {LABEL, false, RGB, ".R.1", BAD},
        {MATRIX, false, STRING, "", BAD},
        {MATRIX, false, STRING, "color=blue", BAD},
        {MATRIX, false, STRING, ";colour=blue", BAD},
        {MATRIX, false, STRING, ";colors=blue", BAD},
        {MATRIX, false, STRING, ";col", BAD},
        {MATRIX, true, STRINGS, ";color=a;other=b", BAD},
        {MATRIX, true, STRINGS, ";color=a;", BAD},
        {MATRIX, true, STRINGS, "", BAD},
        {MATRIX, true, RGB, "R=1", BAD},
        {MATRIX, true, RGB, ";R=1;", BAD},
        {MATRIX, true, RGB, ";R=1;R=2", TWICE},
        {HEADER, false, STRING, "\xff", BAD},
        {HEADER, false, STRINGS, "a,\xc0\xaf", BAD},
        {FORM, true, STRING, "color=a&color=b", TWICE},
        {FORM, true, STRING, "color&color", TWICE},
        {FORM, true, NULL, "color=a&color=b", TWICE},
        {FORM, false, STRINGS, "color=a&color=b", TWICE},
        {FORM, true, RGB, "R=1&R=2", TWICE},
        {FORM, false, RGB, "color=R,1,G", BAD},
        {SPACE, false, STRINGS, "color=a&color=b", TWICE},
        {PIPE, false, RGB, "color=R|1|R|2", TWICE},
        {PIPE, false, RGB, "color=R|1|", BAD},
        {DEEP, true, RGB, "color[R=1", BAD},
        {DEEP, true, RGB, "color[=1", BAD},
        {DEEP, true, RGB, "color[]=1", BAD},
        {DEEP, true, RGB, "color[R]x=1", BAD},
        {DEEP, true, RGB, "color[R]]=1", BAD},
        {DEEP, true, RGB, "color[R][G]=1", BAD},
        {DEEP, true, RGB, "color[[R]]=1", BAD},
        {DEEP, true, RGB, "color[R]=1&color[R]=2", TWICE},
        {DEEP, true, RGB, "color[R]=1&color%5BR%5D=2", TWICE},
        {DEEP, true, RGB, "color=1", MISSING},
        {DEEP, true, RGB, "colors[R]=1", MISSING},
        {FORM, true, STRING, "", MISSING},
        {FORM, true, STRING, "Color=a", MISSING},
        {FORM, true, STRINGS, "color[]=a", MISSING},
        {FORM, true, RGB, "r=1", MISSING},
        {COOKIE, true, STRING, "color=a&color=b", TWICE},
    };
    RUN(CASES);
}

static void refuses_too_many_parts(void **state)
{
    (void)state;
    const size_t len = 5000;
    char *text = gh_arena_alloc(&arena, len + 1);
    memset(text, ',', len);
    text[len] = '\0';
    struct style_case c = {SIMPLE, false, STRINGS, text, NULL, GH_PARAMETER_TOO_LARGE};
    run(&c, 1);
    c.schema = RGB;
    c.text = &text[len - 600];
    run(&c, 1);
}

static void reads_json_strictly(void **state)
{
    (void)state;
    static const struct style_case CASES[] = {
        {FORM, true, RGB, "color=%7B%22R%22:1%7D", "{\"R\":1}", 0},
        {SIMPLE, false, RGB, "%7B%22R%22%3A1%7D", "{\"R\":1}", 0},
        {HEADER, false, RGB, "{\"R\":1}", "{\"R\":1}", 0},
        {FORM, true, RGB, "color=", NULL, GH_PARAMETER_JSON},
        {FORM, true, RGB, "color=%7B%7D%7B%7D", NULL, GH_PARAMETER_JSON},
        {FORM, true, RGB, "color=%7B%22a%22:1,%22a%22:1%7D", NULL, GH_PARAMETER_JSON},
        {FORM, true, RGB, "color=blue", NULL, GH_PARAMETER_JSON},
        {FORM, true, RGB, "R=1", NULL, GH_PARAMETER_ABSENT},
        {FORM, true, RGB, "color=1&color=1", NULL, GH_PARAMETER_REPEATED},
        {DEEP, true, RGB, "color=1&color=1", NULL, GH_PARAMETER_REPEATED},
        {SIMPLE, false, RGB, "%7B%22R%22%3A%ff%7D", NULL, GH_PARAMETER_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_json_doc got, want;
        assert_int_equal(read_case(&CASES[i], true, &got),
                         CASES[i].want ? GH_PARAMETER_OK : CASES[i].status);
        if (!CASES[i].want)
            continue;
        assert_int_equal(
            gh_json_parse(&arena, gh_str_from_c(CASES[i].want), &gh_json_small, &want, NULL),
            GH_JSON_OK);
        assert_true(is_same(&got, &want));
    }
}

static void tells_which_fields_are_its_own(void **state)
{
    (void)state;
    struct gh_schemas *schemas;
    struct gh_json_doc doc;
    struct gh_form form;
    uint32_t schema = compile(RGB, &schemas);
    const struct gh_str text = GH_STR("a=1&color[R]=1&b=2&color[=&color=3&color[G]=2");
    const bool want[] = {false, true, false, true, false, true};
    bool used[6] = {false};
    struct gh_parameter parameter = {.name = GH_STR("color"),
                                     .in = GH_IN_QUERY,
                                     .style = GH_STYLE_DEEP_OBJECT,
                                     .explode = true,
                                     .schema = schema};
    assert_int_equal(gh_form_parse(&arena, text, &gh_form_small, &form, NULL), GH_FORM_OK);
    assert_int_equal(gh_parameter_read_form(schemas, &parameter, &arena, &form, used, &doc),
                     GH_PARAMETER_MALFORMED);
    assert_memory_equal(used, want, sizeof(want));
}

static void values_without_a_style_are_read_as_they_are(void **state)
{
    (void)state;
    struct gh_schemas *schemas;
    struct gh_json_doc doc;
    uint32_t schema = compile(INTEGER, &schemas);
    assert_int_equal(gh_parameter_read_value(schemas, schema, &arena, GH_STR("7"), &doc),
                     GH_PARAMETER_OK);
    assert_int_equal(doc.values->kind, GH_JSON_NUMBER);
    assert_int_equal(gh_parameter_read_value(schemas, UINT32_MAX, &arena, GH_STR("%20+"), &doc),
                     GH_PARAMETER_OK);
    assert_true(gh_str_eq(doc.values->text, GH_STR("%20+")));
    assert_int_equal(gh_parameter_read_value(schemas, schema, &arena, GH_STR("\xff"), &doc),
                     GH_PARAMETER_MALFORMED);
}

static void knows_files_and_their_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        bool is_binary;
        uint64_t min, max;
    } CASES[] = {
        {STRING, false, 0, UINT64_MAX},
        {"{\"type\":\"string\",\"format\":\"binary\",\"maxLength\":9}", true, 0, 9},
        {"{\"type\":\"string\",\"contentMediaType\":\"image/png\",\"minLength\":2}", true, 2,
         UINT64_MAX},
        {"{\"type\":\"string\",\"contentMediaType\":\"image/png\",\"contentEncoding\":\"base64\"}",
         false, 0, UINT64_MAX},
        {"{\"anyOf\":[{\"type\":\"string\",\"format\":\"binary\",\"maxLength\":9},"
         "{\"type\":\"null\"}]}",
         true, 0, 9},
        {"{\"allOf\":[{\"$ref\":\"#/$defs/f\"},{\"maxLength\":7}],\"$defs\":{\"f\":{\"type\":"
         "\"string\",\"format\":\"binary\",\"maxLength\":9}}}",
         true, 0, 7},
        {"{\"anyOf\":[{\"type\":\"string\",\"format\":\"binary\"},{\"type\":\"string\"}]}", false,
         0, UINT64_MAX},
        {"true", false, 0, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_schemas *schemas;
        uint32_t schema = compile(CASES[i].schema, &schemas);
        struct gh_parameter_file file = gh_parameter_file_of(schemas, schema);
        assert_int_equal(file.is_binary, CASES[i].is_binary);
        assert_int_equal(file.bytes_min, CASES[i].min);
        assert_int_equal(file.bytes_max, CASES[i].max);
    }
}

static void a_full_arena_is_told(void **state)
{
    (void)state;
    struct gh_schemas *schemas;
    uint32_t schema = compile(STRINGS, &schemas);
    const struct gh_parameter parameter = {
        .name = GH_STR("color"), .in = GH_IN_PATH, .schema = schema};
    size_t max = 0;
    for (enum gh_parameter_status status = GH_PARAMETER_NO_MEMORY; status == GH_PARAMETER_NO_MEMORY;
         max += 64) {
        struct gh_json_doc doc;
        struct gh_arena small;
        assert_true(max < 4096);
        gh_arena_init(&small, 64, max);
        status = gh_parameter_read_text(schemas, &parameter, &small, GH_STR("a%20b,c"), &doc);
        assert_true(status == GH_PARAMETER_NO_MEMORY || status == GH_PARAMETER_OK);
        gh_arena_done(&small);
    }
    assert_true(max > 64);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        TEST(reads_the_examples_of_the_specification),
        TEST(reads_the_examples_of_rfc_6570),
        TEST(the_schema_says_what_a_text_is),
        TEST(members_and_items_have_their_own_schemas),
        TEST(refuses_what_is_not_of_its_style),
        TEST(refuses_too_many_parts),
        TEST(reads_json_strictly),
        TEST(tells_which_fields_are_its_own),
        TEST(values_without_a_style_are_read_as_they_are),
        TEST(knows_files_and_their_bounds),
        TEST(a_full_arena_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
