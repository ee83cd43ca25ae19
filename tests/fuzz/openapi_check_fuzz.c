/*
 * Requests against a document: a body whole, byte by byte and in pieces means the same, and "ok"
 * and violations exclude each other. Input: operation, content type, pieces, then query, fields,
 * two path values and a body, each ended by '\n' '\n'.
 */
#include "openapi/check_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const TYPES[] = {NULL,
                                    "application/json",
                                    "application/x-www-form-urlencoded",
                                    "multipart/form-data; boundary=b",
                                    "text/plain; charset=utf-8",
                                    "image/png"};

static enum gh_err read_document(void *context, struct gh_arena *arena, struct gh_str path,
                                 struct gh_str *out_text)
{
    (void)context;
    (void)path;
    *out_text = gh_arena_dup(arena, gh_str_from_c(GH_TEST_API));
    return out_text->ptr ? GH_OK : GH_ERR_MEMORY;
}

static const struct gh_openapi *load(void)
{
    static struct gh_arena arena;
    static struct gh_openapi_problems problems;
    static const struct gh_openapi_options OPTIONS = {.responses = true};
    const struct gh_openapi_source source = {.read = read_document};
    gh_arena_init(&arena, 65536, 1 << 28);
    return gh_openapi_load(&arena, &source, GH_STR("api.yaml"), &OPTIONS, &problems);
}

/* Up to an empty line, with a NUL behind it. */
static const char *take(struct gh_arena *arena, struct gh_str *rest)
{
    size_t len = gh_str_find(*rest, GH_STR("\n\n"));
    struct gh_str text = gh_arena_dup(arena, gh_str_first(*rest, len));
    GH_ASSERT(text.ptr);
    *rest = gh_str_skip(*rest, len + 2);
    return text.ptr;
}

static void check_answer(const struct gh_openapi *openapi, struct gh_arena *arena,
                         const struct gh_test_request *test)
{
    struct gh_input_report report;
    const struct gh_input_response response = {
        .openapi = openapi,
        .operation = gh_test_operation(openapi, "GET", "/pets/{id}/{tags}"),
        .limits = &gh_input_usual,
        .status = 200 + (unsigned)test->body_len % 5,
        .content_type = test->type ? gh_str_from_c(test->type) : (struct gh_str){0},
        .body = gh_str_of(test->body, test->body_len),
    };
    enum gh_input_outcome outcome = gh_input_check_response(&response, arena, &report);
    GH_ASSERT(outcome != GH_INPUT_NO_MEMORY);
    GH_ASSERT((outcome == GH_INPUT_OK) == (report.count == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gh_openapi *openapi;
    if (!openapi)
        openapi = load();
    GH_ASSERT(openapi);
    if (size < 3)
        return 0;
    struct gh_arena arena;
    gh_arena_init(&arena, 1 << 16, 1 << 28);
    struct gh_str rest = gh_str_of((const char *)data + 3, size - 3);
    const struct gh_openapi_operation *operation =
        &openapi->operations[data[0] % openapi->operation_count];
    struct gh_test_request test = {
        .method = gh_arena_dup(&arena, operation->method).ptr,
        .path = gh_arena_dup(&arena, operation->path).ptr,
        .type = TYPES[data[1] % (sizeof(TYPES) / sizeof(TYPES[0]))],
        .undeclared = {.query = data[0] & 0x80, .cookies = data[0] & 0x40},
    };
    test.query = take(&arena, &rest);
    test.fields = take(&arena, &rest);
    size_t lines = 0;
    for (const char *at = test.fields; *at; at++)
        lines += *at == '\n';
    test.values[0] = take(&arena, &rest);
    test.values[1] = take(&arena, &rest);
    test.body = rest.len ? rest.ptr : NULL;
    test.body_len = rest.len;
    if (lines < GH_FIELDS_MAX - 2) {
        const char *whole = gh_test_check(openapi, &arena, &test, 0);
        GH_ASSERT(*whole && strncmp(whole, "no memory", 9) != 0);
        GH_ASSERT(strcmp(whole, gh_test_check(openapi, &arena, &test, 1)) == 0);
        GH_ASSERT(strcmp(whole, gh_test_check(openapi, &arena, &test, data[2] + 1u)) == 0);
        check_answer(openapi, &arena, &test);
    }
    gh_arena_done(&arena);
    return 0;
}
