#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openapi/yaml_read.h"

#include <stdlib.h>

#include "base/buf.h"

struct read {
    struct gh_arena arena;
    struct gh_openapi_file file;
    struct gh_openapi_problems problems;
    bool good;
};

static struct read *read_text(struct gh_str text)
{
    struct read *read = calloc(1, sizeof(*read));
    assert_non_null(read);
    gh_arena_init(&read->arena, 65536, (size_t)256 * 1024 * 1024);
    read->file = (struct gh_openapi_file){.path = GH_STR("a.yaml"), .text = text};
    read->good = gh_openapi_yaml_read(&read->arena, &read->file, &read->problems);
    return read;
}

static void done(struct read *read)
{
    gh_arena_done(&read->arena);
    free(read);
}

/* A document as JSON, for comparing. */
static void put(struct gh_buf *buf, const struct gh_json_doc *doc,
                const struct gh_json_value *value)
{
    switch (value->kind) {
    case GH_JSON_NULL:
        gh_buf_put(buf, GH_STR("null"));
        return;
    case GH_JSON_BOOL:
        gh_buf_put(buf, value->boolean ? GH_STR("true") : GH_STR("false"));
        return;
    case GH_JSON_NUMBER:
        gh_buf_put(buf, value->text);
        return;
    case GH_JSON_STRING:
        gh_buf_format(buf, "\"%.*s\"", GH_STR_ARG(value->text));
        return;
    case GH_JSON_ARRAY:
    case GH_JSON_OBJECT:
        break;
    }
    bool is_object = value->kind == GH_JSON_OBJECT;
    uint32_t count = 0;
    gh_buf_put_char(buf, is_object ? '{' : '[');
    for (const struct gh_json_value *child = gh_json_first(doc, value); child;
         child = gh_json_after(doc, value, child)) {
        if (count++)
            gh_buf_put_char(buf, ',');
        if (is_object)
            gh_buf_format(buf, "\"%.*s\":", GH_STR_ARG(child->name));
        put(buf, doc, child);
    }
    assert_int_equal(count, value->count);
    gh_buf_put_char(buf, is_object ? '}' : ']');
}

static void assert_reads(const char *yaml, const char *json)
{
    char memory[8192];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory) - 1);
    struct read *read = read_text(gh_str_from_c(yaml));
    if (!read->good)
        fail_msg("%s: %.*s", yaml, GH_STR_ARG(read->problems.items[0].what));
    put(&buf, &read->file.doc, gh_json_root(&read->file.doc));
    assert_false(buf.overflow);
    memory[buf.len] = '\0';
    assert_string_equal(memory, json);
    done(read);
}

static void assert_refuses(const char *yaml, unsigned line, unsigned column, const char *what)
{
    struct read *read = read_text(gh_str_from_c(yaml));
    if (read->good)
        fail_msg("%s is taken", yaml);
    const struct gh_openapi_problem *problem = &read->problems.items[0];
    assert_int_equal(read->problems.count, 1);
    if (gh_str_find(problem->what, gh_str_from_c(what)) == problem->what.len)
        fail_msg("%s: %.*s", yaml, GH_STR_ARG(problem->what));
    assert_int_equal(problem->line, line);
    assert_int_equal(problem->column, column);
    done(read);
}

static void reads_scalars_by_the_core_schema(void **state)
{
    assert_reads("[null, Null, NULL, ~, ]", "[null,null,null,null]");
    assert_reads("a:\nb: # nothing\n", "{\"a\":null,\"b\":null}");
    assert_reads("[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]");
    assert_reads("[yes, no, on, off, y, n, tRUE, nULL]",
                 "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\",\"tRUE\",\"nULL\"]");
    assert_reads("[0, 7, -7, +7, 007, -0, 0x1F, 0o17, 0xffffffffffffffff]",
                 "[0,7,-7,7,7,-0,31,15,18446744073709551615]");
    assert_reads("[1.5, -1.5, +1.5, .5, 5., 1e3, 1E+3, 1.e-3, 00.10, -.5e1]",
                 "[1.5,-1.5,1.5,0.5,5.0,1e3,1e+3,1.0e-3,0.10,-0.5e1]");
    assert_reads("[2024-01-01, 1:30, 1_000, 0b1, 0x, 0o8, 1e, ., +, -x, 1.2.3, 0xfg, -0x1]",
                 "[\"2024-01-01\",\"1:30\",\"1_000\",\"0b1\",\"0x\",\"0o8\",\"1e\",\".\",\"+\","
                 "\"-x\",\"1.2.3\",\"0xfg\",\"-0x1\"]");
    assert_reads("['1', \"true\", 'null', !!str 1, !!str true]",
                 "[\"1\",\"true\",\"null\",\"1\",\"true\"]");
    assert_reads("99999999999999999999999999", "99999999999999999999999999");
    assert_reads("[!!int 1, !!float 1.5, !!bool true, !!null null, !!seq [], !!map {}]",
                 "[1,1.5,true,null,[],{}]");
}

static void names_are_strings_whatever_they_look_like(void **state)
{
    assert_reads("200: a\n0x10: b\ntrue: c\n~: d\n", "{\"200\":\"a\",\"0x10\":\"b\",\"true\":\"c\","
                                                     "\"~\":\"d\"}");
}

static void copies_what_aliases_stand_for(void **state)
{
    assert_reads("a: &x {b: [1]}\nc: *x\nd: [*x, *x]\n",
                 "{\"a\":{\"b\":[1]},\"c\":{\"b\":[1]},\"d\":[{\"b\":[1]},{\"b\":[1]}]}");
    assert_reads("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
}

static void values_know_where_they_stand(void **state)
{
    struct read *read = read_text(GH_STR("\xc3\xa9: 1\nb:\n  c: [x, yy]  # z\n  d: 'q'\n"));
    const struct gh_json_value *values = read->file.doc.values;
    assert_true(read->good);
    assert_int_equal(read->file.doc.count, 7);
    assert_int_equal(values[0].start, 0);
    assert_int_equal(values[1].start, 4);
    assert_int_equal(values[1].end, 5);
    assert_int_equal(values[2].start, 11); /* where its first name stands */
    assert_int_equal(values[3].start, 14);
    assert_int_equal(values[3].end, 21);
    assert_int_equal(values[5].start, 18);
    assert_int_equal(values[5].end, 20);
    assert_int_equal(values[6].start, 32);
    assert_int_equal(values[6].end, 35);
    assert_int_equal(values[2].end, 35); /* without what follows */
    assert_int_equal(values[0].next, 7);
    done(read);
}

static void refuses_what_is_not_allowed(void **state)
{
    assert_refuses("a: 1\nb: 2\na: 3\n", 3, 1, "\"a\" stands in this map already");
    assert_refuses("{a: 1, 'a': 2}", 1, 8, "stands in this map already");
    assert_refuses("a: &x {}\nb:\n  <<: *x\n", 3, 3, "merge keys");
    assert_refuses("a: !x 1\n", 1, 4, "tags other than");
    assert_refuses("a: ! 1\n", 1, 4, "tags other than");
    assert_refuses("a: !!binary aGk=\n", 1, 4, "tags other than");
    assert_refuses("a: !!int x\n", 1, 4, "not of the kind");
    assert_refuses("a: !!seq {}\n", 1, 4, "not of the kind");
    assert_refuses("a: .inf\n", 1, 4, "no infinity");
    assert_refuses("a: -.INF\n", 1, 4, "no infinity");
    assert_refuses("a: .nan\n", 1, 4, "no infinity");
    assert_refuses("a: 0x10000000000000000\n", 1, 4, "over 64 bits");
    assert_refuses("a: 1\n---\nb: 1\n", 2, 1, "a second document");
    assert_refuses("? [a]\n: b\n", 1, 3, "a key must be one word");
    assert_refuses("&x a: b\n", 1, 1, "a key can't have an anchor");
    assert_refuses("", 0, 0, "empty");
    assert_refuses("# nothing\n", 0, 0, "empty");
}

static void refuses_aliases_that_lead_nowhere_or_back(void **state)
{
    assert_refuses("a: *x\n", 1, 4, "no anchor of this name");
    assert_refuses("a: *x\nb: &x 1\n", 1, 4, "no anchor of this name");
    assert_refuses("a: &x [*x]\n", 1, 8, "within what it names");
    assert_refuses("a: &x\n  b: *x\n", 2, 6, "within what it names");
}

static void refuses_aliases_that_grow_without_end(void **state)
{
    assert_refuses("a: &a [x,x,x,x,x,x,x,x,x]\n"
                   "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                   "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                   "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                   "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                   "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
                   5, 8, "stand for too many values");
}

static void refuses_bad_syntax_at_its_place(void **state)
{
    assert_refuses("a: [1, 2\n", 2, 1, "did not find expected ',' or ']'");
    assert_refuses("a: b: c\n", 1, 5, "mapping values are not allowed");
    assert_refuses("a:\n\tb: 1\n", 2, 1, "cannot start any token");
    assert_refuses("a: \"\\ud800\"\n", 1, 7, "invalid Unicode");
    assert_refuses("a: \x01\n", 1, 4, "control characters are not allowed");
}

static void assert_deep(unsigned depth, bool expected)
{
    char text[1024] = {0};
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    struct read *read = read_text(gh_str_from_c(text));
    assert_int_equal(read->good, expected);
    if (!expected)
        assert_int_equal(read->problems.count, 1);
    done(read);
}

static void refuses_what_is_nested_too_deeply(void **state)
{
    assert_deep(GH_OPENAPI_DEPTH_MAX, true);
    assert_deep(GH_OPENAPI_DEPTH_MAX + 1, false);
    struct read *read = read_text(GH_STR("a: &x [[[[[[1]]]]]]\nb: [[[*x]]]\n"));
    assert_true(read->good);
    done(read);
}

static void refuses_more_values_than_it_takes(void **state)
{
    size_t len = (size_t)GH_OPENAPI_VALUES_MAX * 2 + 2;
    char *text = malloc(len);
    assert_non_null(text);
    for (size_t i = 0; i < len; i += 2)
        memcpy(text + i, "0,", 2);
    text[0] = '[';
    text[len - 1] = ']';
    struct read *read = read_text(gh_str_of(text, len));
    assert_false(read->good);
    assert_int_equal(read->problems.count, 1);
    done(read);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_scalars_by_the_core_schema),
        cmocka_unit_test(names_are_strings_whatever_they_look_like),
        cmocka_unit_test(copies_what_aliases_stand_for),
        cmocka_unit_test(values_know_where_they_stand),
        cmocka_unit_test(refuses_what_is_not_allowed),
        cmocka_unit_test(refuses_aliases_that_lead_nowhere_or_back),
        cmocka_unit_test(refuses_aliases_that_grow_without_end),
        cmocka_unit_test(refuses_bad_syntax_at_its_place),
        cmocka_unit_test(refuses_what_is_nested_too_deeply),
        cmocka_unit_test(refuses_more_values_than_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
