/* For tests of checking: one request, and what came of it as a line of text. */
#ifndef GH_OPENAPI_CHECK_FIXTURE_H
#define GH_OPENAPI_CHECK_FIXTURE_H

#include "base/assert.h"
#include "base/buf.h"
#include "openapi/check.h"

#define GH_TEST_VALUES_MAX 4
#define GH_TEST_FIELDS_MAX 300

struct gh_test_request {
    const char *method, *path;              /* the operation */
    const char *values[GH_TEST_VALUES_MAX]; /* of the path's expressions */
    const char *query;                      /* NULL: none */
    const char *fields;                     /* "Name: value" lines, each with "\n" */
    const char *type;                       /* Content-Type; NULL: none */
    const char *body;                       /* NULL: none */
    size_t body_len;                        /* 0: up to a NUL */
    const struct gh_input_limits *limits;   /* NULL: the usual ones */
    struct gh_input_undeclared undeclared;
};

static inline const struct gh_openapi_operation *gh_test_operation(const struct gh_openapi *openapi,
                                                                   const char *method,
                                                                   const char *path)
{
    for (size_t i = 0; i < openapi->operation_count; i++) {
        const struct gh_openapi_operation *operation = &openapi->operations[i];
        if (gh_str_eq(operation->method, gh_str_from_c(method)) &&
            gh_str_eq(operation->path, gh_str_from_c(path)))
            return operation;
    }
    return NULL;
}

static inline void gh_test_put_report(struct gh_buf *buf, enum gh_input_outcome outcome,
                                      const struct gh_input_report *report)
{
    static const char *const OUTCOMES[] = {"ok", "", "415 ", "no memory"};
    gh_buf_put(buf, gh_str_from_c(OUTCOMES[outcome]));
    for (size_t i = 0; i < report->count; i++) {
        const struct gh_input_violation *found = &report->violations[i];
        GH_ASSERT(found->message.len && found->rule.len);
        gh_buf_format(buf, "%s%.*s:%.*s:%.*s %.*s", i ? ", " : "",
                      GH_STR_ARG(gh_input_part_name(found->part)), GH_STR_ARG(found->name),
                      GH_STR_ARG(found->pointer), GH_STR_ARG(found->rule));
    }
}

/* The body in pieces of `step` bytes, each in memory of its own. */
static inline enum gh_input_outcome gh_test_stream(const struct gh_input_request *request,
                                                   struct gh_arena *arena, struct gh_str body,
                                                   size_t step, struct gh_input_checked *checked)
{
    struct gh_input_stream *stream = gh_input_stream_new(request, arena, checked);
    GH_ASSERT(stream);
    while (body.len) {
        struct gh_arena gone;
        gh_arena_init(&gone, 1, SIZE_MAX / 2);
        struct gh_str piece = gh_arena_dup(&gone, gh_str_first(body, step));
        GH_ASSERT(piece.ptr);
        (void)gh_input_stream_feed(stream, piece);
        gh_arena_done(&gone);
        body = gh_str_skip(body, step);
    }
    return gh_input_stream_finish(stream);
}

/* `step` 0: the body as a whole. */
static inline const char *gh_test_check(const struct gh_openapi *openapi, struct gh_arena *arena,
                                        const struct gh_test_request *test, size_t step)
{
    struct gh_fields fields;
    struct gh_str values[GH_TEST_VALUES_MAX];
    size_t value_count = 0;
    gh_fields_init(&fields, gh_arena_zalloc(arena, GH_FIELDS_MAX, sizeof(struct gh_field)),
                   GH_FIELDS_MAX);
    while (value_count < GH_TEST_VALUES_MAX && test->values[value_count]) {
        values[value_count] = gh_str_from_c(test->values[value_count]);
        value_count++;
    }
    if (test->type)
        GH_ASSERT(gh_fields_add(&fields, GH_STR("Content-Type"), gh_str_from_c(test->type)));
    for (struct gh_str rest = gh_str_from_c(test->fields); rest.len;) {
        struct gh_str value = gh_str_split(&rest, '\n'), name = gh_str_split(&value, ':');
        GH_ASSERT(gh_fields_add(&fields, name, gh_str_trim_ows(value)));
    }
    const struct gh_input_request request = {
        .openapi = openapi,
        .operation = gh_test_operation(openapi, test->method, test->path),
        .limits = test->limits ? test->limits : &gh_input_usual,
        .undeclared = test->undeclared,
        .path_values = values,
        .path_value_count = value_count,
        .query = test->query ? gh_str_from_c(test->query) : (struct gh_str){0},
        .fields = &fields,
        .has_body = test->body != NULL,
    };
    GH_ASSERT(request.operation);
    struct gh_input_checked checked;
    enum gh_input_outcome outcome = gh_input_check_head(&request, arena, &checked);
    struct gh_str body =
        test->body_len ? gh_str_of(test->body, test->body_len) : gh_str_from_c(test->body);
    if (outcome != GH_INPUT_UNSUPPORTED_TYPE && checked.media)
        outcome = step ? gh_test_stream(&request, arena, body, step, &checked)
                       : gh_input_check_body(&request, arena, body, &checked);
    const size_t cap = 65536;
    char *memory = gh_arena_alloc(arena, cap);
    struct gh_buf buf = gh_buf_over(memory, cap - 1);
    gh_test_put_report(&buf, outcome, &checked.report);
    memory[buf.len] = '\0';
    return memory;
}

#endif
