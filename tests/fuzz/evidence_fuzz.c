/*
 * Evidence: whatever is sent, only names of the document stand in it, and what is written is read
 * again and stays so. Input: a byte that chooses; a body of JSON, or a file of evidence.
 */
#include "openapi/check_fixture.h"
#include "openapi/evidence_collect.h"

#define TEXT_BYTES_MAX ((size_t)1 << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    static const struct gh_openapi_options OPTIONS = {.responses = false};
    const struct gh_openapi_source source = {.read = read_document};
    gh_arena_init(&arena, 65536, 1 << 28);
    return gh_openapi_load(&arena, &source, GH_STR("api.yaml"), &OPTIONS, &problems);
}

/* Written, read, written: the same. */
static void check_round(struct gh_arena *arena, const struct gh_evidence *evidence)
{
    const struct gh_evidence none = {NULL, 0};
    struct gh_evidence sorted, read;
    struct gh_str once, twice;
    const char *what;
    unsigned line;
    GH_ASSERT(gh_evidence_merge(arena, evidence, &none, &sorted) == GH_OK);
    GH_ASSERT(gh_evidence_write(arena, &sorted, TEXT_BYTES_MAX, &once) == GH_OK);
    GH_ASSERT(gh_evidence_parse(arena, once, &read, &line, &what) == GH_OK);
    GH_ASSERT(read.count == sorted.count);
    for (size_t i = 0; i < read.count; i++)
        GH_ASSERT(read.lines[i].min <= sorted.lines[i].min &&
                  read.lines[i].max >= sorted.lines[i].max &&
                  read.lines[i].count == sorted.lines[i].count);
    GH_ASSERT(gh_evidence_write(arena, &read, TEXT_BYTES_MAX, &twice) == GH_OK);
    GH_ASSERT(gh_str_eq(once, twice));
}

/* The document has no names with '~' or '/'. */
static void check_names(const struct gh_evidence *evidence)
{
    const struct gh_str api = gh_str_from_c(GH_TEST_API);
    for (size_t i = 0; i < evidence->count; i++) {
        for (struct gh_str rest = gh_str_skip(evidence->lines[i].pointer, 1); rest.len;) {
            struct gh_str step = gh_str_split(&rest, '/');
            GH_ASSERT(step.len && gh_str_find(api, step) < api.len);
        }
    }
}

static void check_body(const struct gh_openapi *openapi, struct gh_arena *arena, struct gh_str body,
                       uint8_t choice)
{
    const struct gh_openapi_operation *operation =
        &openapi->operations[choice % openapi->operation_count];
    struct gh_evidence_collector *collector = gh_evidence_collector_new(arena, openapi);
    struct gh_evidence_taken taken;
    struct gh_evidence lines;
    struct gh_test_request test = {
        .method = gh_arena_dup(arena, operation->method).ptr,
        .path = gh_arena_dup(arena, operation->path).ptr,
        .type = choice & 0x40 ? "application/x-www-form-urlencoded" : "application/json",
        .body = gh_arena_dup(arena, body).ptr,
        .body_len = body.len,
        .evidence = collector,
    };
    const char *outcome = gh_test_check(openapi, arena, &test, choice & 0x20 ? 7 : 0);
    GH_ASSERT(gh_evidence_take(collector, gh_evidence_counts_new(arena), &taken));
    GH_ASSERT(gh_evidence_lines_of(collector, &taken, arena, &lines) == GH_OK);
    GH_ASSERT(!lines.count || strcmp(outcome, "ok") == 0);
    check_names(&lines);
    check_round(arena, &lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gh_openapi *openapi;
    struct gh_arena arena;
    struct gh_evidence evidence;
    const char *what;
    unsigned line;
    openapi = openapi ? openapi : load();
    GH_ASSERT(openapi);
    if (size < 2)
        return 0;
    gh_arena_init(&arena, 1 << 16, 1 << 28);
    const struct gh_str rest = gh_str_of((const char *)data + 1, size - 1);
    if (data[0] < 0x80)
        check_body(openapi, &arena, rest, data[0]);
    else if (gh_evidence_parse(&arena, rest, &evidence, &line, &what) == GH_OK)
        check_round(&arena, &evidence);
    gh_arena_done(&arena);
    return 0;
}
