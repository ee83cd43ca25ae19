/* For tests: a load with an environment of its own, and its problems as text to compare. */
#ifndef GH_CONFIG_RENDER_PROBLEMS_H
#define GH_CONFIG_RENDER_PROBLEMS_H

#include <stdio.h>

#include "config/config.h"

struct test_load {
    struct gh_arena arena;
    struct gh_config_load load;
    const char *const *environment; /* name, value, name, value, ..., NULL */
    char rendered[16384];
};

static inline const char *test_getenv(void *context, const char *name)
{
    const struct test_load *test = context;
    for (const char *const *at = test->environment; at && *at; at += 2) {
        if (strcmp(*at, name) == 0)
            return at[1];
    }
    return NULL;
}

static inline void test_load_init(struct test_load *test, const char *const *environment)
{
    test->environment = environment;
    gh_arena_init(&test->arena, 64 * 1024, 256 * 1024 * 1024);
    gh_config_load_init(&test->load, &test->arena, "test.yaml", test_getenv, test);
}

static inline void test_load_done(struct test_load *test)
{
    gh_arena_done(&test->arena);
}

/* "LINE:COL what | remedy" and a newline for each, warnings with "warning: " before the text. */
static inline const char *test_load_problems(struct test_load *test)
{
    size_t at = 0;
    gh_config_problems_sort(&test->load);
    test->rendered[0] = '\0';
    for (const struct gh_config_problem *p = test->load.problems; p; p = p->next) {
        int len = snprintf(test->rendered + at, sizeof test->rendered - at, "%u:%u %s%.*s%s%.*s\n",
                           p->place.line, p->place.column,
                           p->severity == GH_CONFIG_WARNING ? "warning: " : "", GH_STR_ARG(p->what),
                           p->remedy.len ? " | " : "", GH_STR_ARG(p->remedy));
        at += (size_t)len;
        if (at >= sizeof test->rendered)
            return "more problems than a test should have";
    }
    return test->rendered;
}

#endif
