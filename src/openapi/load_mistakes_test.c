/*
 * Documents with one mistake each, tests/openapi/mistakes/<name>.yaml, and what is told of them, in
 * tests/openapi/mistakes.txt: "== <name>" and the lines of its problems.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "openapi/load_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define MISTAKES_MIN 80

/* The problems without their file's name, one a line. */
static void check_one(const char *name, const char *expected)
{
    struct gh_test_load *load = calloc(1, sizeof(*load));
    char path[512], found[8192] = "";
    assert_non_null(load);
    snprintf(path, sizeof(path), "tests/openapi/mistakes/%s.yaml", name);
    if (!gh_test_load_file(load, path))
        fail_msg("%s is not there", path);
    const char *line = gh_test_problems(load);
    while (*line) {
        const char *end = strchr(line, '\n'), *colon = strchr(line, ':');
        strncat(found, colon + 1, (size_t)(end - colon));
        line = end + 1;
    }
    /* Files are named by their whole paths, which differ from machine to machine. */
    char *root = strstr(found, GH_SOURCE_ROOT "/tests/openapi/mistakes/");
    if (root)
        memmove(root, root + strlen(GH_SOURCE_ROOT "/tests/openapi/mistakes/"),
                strlen(root) + 1 - strlen(GH_SOURCE_ROOT "/tests/openapi/mistakes/"));
    if (strcmp(found, expected) != 0)
        fail_msg("%s\nfound:\n%sexpected:\n%s", name, found, expected);
    assert_true((load->openapi == NULL) == (load->problems.error_count > 0));
    gh_test_load_done(load);
    free(load);
}

static void tells_each_mistake_at_its_place(void **state)
{
    FILE *file = fopen(GH_SOURCE_ROOT "/tests/openapi/mistakes.txt", "rb");
    char line[1024], name[512] = "", expected[8192] = "";
    unsigned count = 0;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, "== ", 3) != 0) {
            assert_true(strlen(expected) + strlen(line) < sizeof(expected));
            strcat(expected, line);
            continue;
        }
        if (*name)
            check_one(name, expected);
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, sizeof(name), "%.500s", line + 3);
        *expected = '\0';
        count++;
    }
    check_one(name, expected);
    fclose(file);
    assert_true(count >= MISTAKES_MIN);
}

static void errors_push_warnings_out_when_there_are_too_many(void **state)
{
    struct gh_openapi_problems *problems = calloc(1, sizeof(*problems));
    struct gh_arena arena;
    assert_non_null(problems);
    gh_arena_init(&arena, 65536, 1 << 20);
    for (unsigned i = 0; i < GH_OPENAPI_PROBLEMS_MAX + 5; i++)
        gh_openapi_problem_add(problems, &arena, GH_OPENAPI_WARNING, (struct gh_openapi_at){0},
                               NULL, "warning %u", i);
    gh_openapi_problem_add(problems, &arena, GH_OPENAPI_ERROR, (struct gh_openapi_at){0}, NULL,
                           "error");
    assert_int_equal(problems->count, GH_OPENAPI_PROBLEMS_MAX);
    assert_int_equal(problems->warning_count, GH_OPENAPI_PROBLEMS_MAX + 5);
    assert_int_equal(problems->error_count, 1);
    assert_int_equal(problems->items[GH_OPENAPI_PROBLEMS_MAX - 1].severity, GH_OPENAPI_ERROR);
    gh_arena_done(&arena);
    free(problems);
}

static void a_message_has_no_control_bytes_and_an_end(void **state)
{
    struct gh_openapi_problems *problems = calloc(1, sizeof(*problems));
    struct gh_arena arena;
    char *text = malloc(5001);
    assert_non_null(problems);
    assert_non_null(text);
    for (unsigned i = 0; i < 5000; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[5000] = '\0';
    gh_arena_init(&arena, 65536, 1 << 20);
    gh_openapi_problem_add(problems, &arena, GH_OPENAPI_ERROR, (struct gh_openapi_at){0}, NULL,
                           "a%c[31m%s", 27, text);
    struct gh_str what = problems->items[0].what;
    assert_true(what.len < 700);
    assert_memory_equal(what.ptr, "a?[31m", 6);
    assert_memory_equal(what.ptr + what.len - 2, "\xc3\xa9", 2);
    gh_arena_done(&arena);
    free(text);
    free(problems);
}

static void keeps_the_first_of_many_in_order(void **state)
{
    static char text[64 * 1024];
    struct gh_buf buf = gh_buf_over(text, sizeof(text) - 1);
    gh_buf_put(&buf, GH_STR("openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {}\n"
                            "components:\n  schemas:\n"));
    for (unsigned i = 0; i < 300; i++)
        gh_buf_format(&buf, "    S%u: {$ref: '#/no/%u'}\n", i, i);
    text[buf.len] = '\0';
    struct gh_test_text texts[] = {{"a.yaml", text}, {NULL, NULL}};
    struct gh_test_load *load = calloc(1, sizeof(*load));
    assert_non_null(load);
    load->texts = texts;
    load->problems.error_count = 7; /* loading begins anew */
    gh_test_load(load);
    assert_null(load->openapi);
    assert_int_equal(load->problems.count, GH_OPENAPI_PROBLEMS_MAX);
    assert_in_range(load->problems.error_count, 300, 500);
    for (unsigned i = 0; i < GH_OPENAPI_PROBLEMS_MAX; i++)
        assert_int_equal(load->problems.items[i].line, 6 + i);
    gh_test_load_done(load);
    free(load);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_each_mistake_at_its_place),
        cmocka_unit_test(errors_push_warnings_out_when_there_are_too_many),
        cmocka_unit_test(keeps_the_first_of_many_in_order),
        cmocka_unit_test(a_message_has_no_control_bytes_and_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
