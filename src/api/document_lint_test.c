/* The document of the service through the audit that gatehouse gives to others (SPEC section 8). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "api/endpoint.h"
#include "openapi/fix.h"

static struct gh_arena arena;
static const struct gh_identity_settings settings = {.base_path = GH_STR_INIT("/api/v1")};

static enum gh_err read_document(void *context, struct gh_arena *memory, struct gh_str path,
                                 struct gh_str *out_text)
{
    char *room = gh_arena_alloc(memory, GH_API_DOCUMENT_BYTES_MAX);
    struct gh_buf buf = gh_buf_over(room, room ? GH_API_DOCUMENT_BYTES_MAX : 0);
    (void)context;
    (void)path;
    gh_api_put_document(&buf, &settings);
    *out_text = gh_buf_str(&buf);
    return buf.overflow ? GH_ERR_FULL : GH_OK;
}

static const struct gh_openapi *load(void)
{
    const struct gh_openapi_source source = {.read = read_document};
    const struct gh_openapi_options options = {.assert_formats = true, .responses = true};
    struct gh_openapi_problems *problems = gh_arena_zalloc(&arena, 1, sizeof(*problems));
    const struct gh_openapi *openapi =
        gh_openapi_load(&arena, &source, GH_STR("openapi.json"), &options, problems);
    assert_int_equal(problems->error_count, 0);
    assert_non_null(openapi);
    return openapi;
}

static int begin(void **state)
{
    gh_arena_init(&arena, 64u * 1024, 64u << 20);
    return 0;
}

static int end(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static void assert_clean(const struct gh_lint_options *options)
{
    const struct gh_openapi *openapi = load();
    const struct gh_lint_report *report = gh_lint_run(&arena, openapi, options);
    assert_non_null(report);
    const struct gh_lint_record record = {.openapi = openapi,
                                          .report = report,
                                          .options = options,
                                          .file = GH_STR("openapi.json"),
                                          .date = GH_STR(""),
                                          .digest = GH_STR("")};
    if (report->count)
        gh_lint_write_text(stderr, &record);
    assert_int_equal(report->count, 0);
    assert_int_equal(report->score, 100);
    assert_true(report->all.checked > 200);
}

static void requests_have_no_findings(void **state)
{
    assert_clean(&(struct gh_lint_options){.responses = false});
}

static void answers_are_judged_only_when_asked(void **state)
{
    struct gh_lint_options options = {.responses = true};
    const struct gh_lint_report *report = gh_lint_run(&arena, load(), &options);
    assert_non_null(report);
    assert_true(report->count > 0); /* answers hold open maps: what audit records say */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_have_no_findings, begin, end),
        cmocka_unit_test_setup_teardown(answers_are_judged_only_when_asked, begin, end),
    };
    return cmocka_run_group_tests_name("document lint", tests, NULL, NULL);
}
