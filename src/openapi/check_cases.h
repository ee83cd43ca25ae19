/* What tests of checking requests share: one document, opened for the group, and what is expected
   of a request whole and in pieces. */
#ifndef GH_OPENAPI_CHECK_CASES_H
#define GH_OPENAPI_CHECK_CASES_H

#include "openapi/check_fixture.h"
#include "openapi/load_fixture.h"

#define JSON_TYPE  "application/json"
#define FORM_TYPE  "application/x-www-form-urlencoded"
#define PARTS_TYPE "multipart/form-data; boundary=b"

static struct gh_test_load load;
static struct gh_arena arena;

static int open_document(void **state)
{
    static const struct gh_test_text TEXTS[] = {{"api.yaml", GH_TEST_API}, {NULL, NULL}};
    (void)state;
    load = (struct gh_test_load){.texts = TEXTS, .options = {.responses = true}};
    gh_test_load(&load);
    if (!load.openapi)
        print_message("%s", gh_test_problems(&load));
    return load.openapi ? 0 : -1;
}

static int close_document(void **state)
{
    (void)state;
    gh_test_load_done(&load);
    return 0;
}

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

static void expect(const struct gh_test_request *request, const char *want)
{
    static const size_t STEPS[] = {0, 1, 7, 100000};
    for (size_t i = 0; i < sizeof(STEPS) / sizeof(STEPS[0]); i++) {
        const char *got = gh_test_check(load.openapi, &arena, request, STEPS[i]);
        if (strcmp(got, want) != 0)
            print_message("query \"%s\" fields \"%s\" body \"%s\" by %zu\n",
                          request->query ? request->query : "",
                          request->fields ? request->fields : "",
                          request->body ? request->body : "", STEPS[i]);
        assert_string_equal(got, want);
    }
}

#endif
