/* Documents from memory for tests of loading. */
#ifndef GH_OPENAPI_LOAD_FIXTURE_H
#define GH_OPENAPI_LOAD_FIXTURE_H

#include "openapi/openapi.h"

struct gh_test_text {
    const char *path, *text;
};

struct gh_test_load {
    struct gh_arena arena;
    const struct gh_test_text *texts; /* the first is loaded; ends with path NULL */
    const struct gh_openapi_mapping *mappings;
    size_t mapping_count;
    struct gh_openapi_options options;
    size_t arena_max; /* 0: plenty */
    struct gh_openapi_problems problems;
    const struct gh_openapi *openapi;
};

/* Loads texts[0], with the others beside it. */
void gh_test_load(struct gh_test_load *load);
/* A file of the project, by its path from the project's root; false: there is none. */
bool gh_test_load_file(struct gh_test_load *load, const char *path);
void gh_test_load_done(struct gh_test_load *load);
/* All problems, a line each: "file:line:column: error: what; remedy". Lives in the load's arena. */
const char *gh_test_problems(struct gh_test_load *load);

#endif
