/* For tests of checking: one request, and what came of it as a line of text. */
#ifndef GH_OPENAPI_CHECK_FIXTURE_H
#define GH_OPENAPI_CHECK_FIXTURE_H

#include "base/assert.h"
#include "base/buf.h"
#include "openapi/check.h"

/* Every place that an input can stand in. */
static const char GH_TEST_API[] =
    "openapi: 3.1.0\n"
    "info: {title: t, version: '1'}\n"
    "components: {securitySchemes: {key: {type: apiKey, in: query, name: api_key},\n"
    "  session: {type: apiKey, in: cookie, name: session}}}\n"
    "paths:\n"
    "  /pets/{id}/{tags}:\n"
    "    get:\n"
    "      parameters:\n"
    "        - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}\n"
    "        - {name: tags, in: path, required: true, style: matrix,\n"
    "         schema: {type: array, items: {type: string, maxLength: 3}}}\n"
    "        - {name: limit, in: query, schema: {type: integer, maximum: 100}}\n"
    "        - {name: need, in: query, required: true, schema: {type: string, minLength: 1}}\n"
    "        - {name: flag, in: query, allowEmptyValue: true, schema: {type: boolean}}\n"
    "        - {name: filter, in: query, style: deepObject, explode: true,\n"
    "         schema: {type: object, additionalProperties: false,\n"
    "         properties: {min: {type: number}, max: {type: number}}}}\n"
    "        - {name: where, in: query, content: {application/json: {schema:\n"
    "         {type: object, required: [x], properties: {x: {type: integer}}}}}}\n"
    "        - {name: page, in: query, schema: {type: object,\n"
    "         properties: {from: {type: integer}, to: {type: integer}}}}\n"
    "        - {name: X-Trace, in: header, schema: {type: string, pattern: '^[a-f0-9]+$'}}\n"
    "        - {name: X-List, in: header, schema: {type: array, maxItems: 3,\n"
    "         items: {type: integer}}}\n"
    "        - {name: Accept, in: header, schema: {type: integer}}\n"
    "        - {name: theme, in: cookie, schema: {enum: [dark, light]}}\n"
    "        - {name: ids, in: cookie, explode: false, schema: {type: array,\n"
    "         items: {type: integer}}}\n"
    "      responses:\n"
    "        '200': {description: d, content: {application/json: {schema:\n"
    "         {type: object, required: [id, secret], properties: {id: {type: integer},\n"
    "         secret: {type: string, writeOnly: true}, seen: {type: string, readOnly: "
    "true}}}}}}\n"
    "        '204': {description: d}\n"
    "        4XX: {description: d, content: {application/problem+json: {schema:\n"
    "         {type: object, required: [title]}}}}\n"
    "  /json:\n"
    "    post:\n"
    "      requestBody: {required: true, content: {application/json: {schema:\n"
    "       {type: object, required: [name], additionalProperties: false, properties: {\n"
    "       name: {type: string, minLength: 2, maxLength: 5}, id: {type: integer,\n"
    "       readOnly: true}, tags: {type: array, maxItems: 2, items: {type: string,\n"
    "       maxLength: 3}}}}}, 'image/png': {}, 'text/*': {schema: {type: string,\n"
    "       maxLength: 4}}}}\n"
    "      responses: {'200': {description: d}}\n"
    "    put:\n"
    "      requestBody: {content: {'*/*': {schema: {type: object}}}}\n"
    "      responses: {default: {description: d}}\n"
    "  /form:\n"
    "    post:\n"
    "      requestBody: {content: {application/x-www-form-urlencoded: {schema:\n"
    "       {type: object, required: [name], properties: {name: {type: string, maxLength: 5},\n"
    "       age: {type: integer, minimum: 0}, tags: {type: array, maxItems: 2,\n"
    "       items: {type: integer}}, home: {type: object, required: [zip],\n"
    "       properties: {zip: {type: string, maxLength: 5}}}, csv: {type: array,\n"
    "       items: {type: string}, maxItems: 2}, deep: {type: object,\n"
    "       properties: {a: {type: integer}}, additionalProperties: false},\n"
    "       raw: {type: string}}},\n"
    "       encoding: {csv: {style: form, explode: false}, deep: {style: deepObject,\n"
    "       explode: true}}}}}\n"
    "      responses: {'200': {description: d}}\n"
    "  /parts:\n"
    "    post:\n"
    "      requestBody: {required: true, content: {multipart/form-data: {schema:\n"
    "       {type: object, required: [title, doc], properties: {title: {type: string,\n"
    "       maxLength: 5, pattern: '^[a-z]*$'}, count: {type: integer, maximum: 9},\n"
    "       doc: {type: string, format: binary, minLength: 2, maxLength: 10},\n"
    "       big: {type: string, contentMediaType: image/png, maxLength: 5000},\n"
    "       all: {type: array, maxItems: 2, items: {type: string, format: binary,\n"
    "       maxLength: 3}}, any: {}, meta: {type: object, required: [k],\n"
    "       properties: {k: {type: integer}}}, nums: {type: array, items: {type: integer}}}},\n"
    "       encoding: {doc: {contentType: 'image/png, image/*'}}}}}\n"
    "      responses: {'200': {description: d}}\n";

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
    struct gh_evidence_collector *evidence;
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
        .evidence = test->evidence,
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
