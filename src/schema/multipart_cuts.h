/* For tests and the fuzz target of the parser: the same body in other pieces must mean the same. */
#ifndef GH_SCHEMA_MULTIPART_CUTS_H
#define GH_SCHEMA_MULTIPART_CUTS_H

#include "base/arena.h"
#include "base/assert.h"
#include "base/buf.h"
#include "schema/multipart.h"

struct gh_multipart_result {
    enum gh_multipart_status status;
    uint64_t offset;
    struct gh_buf events; /* what happened, without data: "[name|filename|type" and "]" */
    struct gh_buf parts;  /* the same with data */
};

static inline void gh_multipart_put_optional(struct gh_buf *buf, struct gh_str text)
{
    gh_buf_put(buf, text.ptr ? text : GH_STR("-"));
}

static inline void gh_multipart_note(struct gh_multipart_result *result, struct gh_str text)
{
    gh_buf_put(&result->events, text);
    gh_buf_put(&result->parts, text);
}

static inline void gh_multipart_note_part(struct gh_multipart_result *result,
                                          const struct gh_multipart_part *part)
{
    char memory[2 * GH_MULTIPART_HEAD_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put(&buf, GH_STR("["));
    gh_multipart_put_optional(&buf, part->name);
    gh_buf_put(&buf, GH_STR("|"));
    gh_multipart_put_optional(&buf, part->filename);
    gh_buf_put(&buf, GH_STR("|"));
    gh_multipart_put_optional(&buf, part->content_type);
    gh_buf_put(&buf, GH_STR(":"));
    GH_ASSERT(!buf.overflow);
    gh_multipart_note(result, gh_buf_str(&buf));
}

/* A piece as the parser gets it: in memory of its own size, gone after the call. */
static inline void gh_multipart_read_copy(struct gh_multipart *multipart, struct gh_str piece,
                                          struct gh_multipart_result *result)
{
    struct gh_arena gone;
    struct gh_str data, input;
    gh_arena_init(&gone, 1, SIZE_MAX / 2);
    input = gh_arena_dup(&gone, piece);
    GH_ASSERT(input.ptr);
    for (;;) {
        enum gh_multipart_event event = gh_multipart_read(multipart, &input, &data);
        if (event == GH_MULTIPART_REFUSED || event == GH_MULTIPART_MORE)
            break;
        if (event == GH_MULTIPART_PART)
            gh_multipart_note_part(result, &multipart->part);
        if (event == GH_MULTIPART_PART_END)
            gh_multipart_note(result, GH_STR("]"));
        if (event == GH_MULTIPART_END)
            gh_buf_put(&result->events, GH_STR("$"));
        if (event == GH_MULTIPART_DATA) {
            GH_ASSERT(data.len);
            gh_buf_put(&result->parts, data);
        }
    }
    GH_ASSERT(!input.len || gh_multipart_finish(multipart) > GH_MULTIPART_OK);
    gh_arena_done(&gone);
}

/* The first piece has `first` bytes, the others `other`. The result's texts live in `arena`. */
static inline struct gh_multipart_result gh_multipart_read_cut(
    struct gh_arena *arena, struct gh_str content_type, struct gh_str body,
    const struct gh_multipart_limits *limits, size_t first, size_t other)
{
    struct gh_multipart multipart;
    /* Each name stands in the body, with more around it than here. */
    size_t cap = 2 * body.len + 64;
    char *events = gh_arena_alloc(arena, cap), *parts = gh_arena_alloc(arena, cap);
    GH_ASSERT(events && parts);
    struct gh_multipart_result result = {.events = gh_buf_over(events, cap),
                                         .parts = gh_buf_over(parts, cap)};
    (void)gh_multipart_init(&multipart, content_type, limits);
    for (size_t len = first; body.len; len = other) {
        gh_multipart_read_copy(&multipart, gh_str_first(body, len), &result);
        body = gh_str_skip(body, len);
    }
    result.status = gh_multipart_finish(&multipart);
    result.offset = multipart.offset;
    GH_ASSERT(!result.events.overflow && !result.parts.overflow);
    return result;
}

/* How much data was given before a refusal depends on the pieces; nothing else does. */
static inline void gh_multipart_assert_same(const struct gh_multipart_result *a,
                                            const struct gh_multipart_result *b)
{
    GH_ASSERT(a->status == b->status && a->offset == b->offset);
    GH_ASSERT(gh_str_eq(gh_buf_str(&a->events), gh_buf_str(&b->events)));
    if (a->status == GH_MULTIPART_OK) /* END comes last */
        GH_ASSERT(gh_str_find_char(gh_str_skip(gh_buf_str(&a->events), a->events.len - 1), '$') ==
                  0);
    if (a->status <= GH_MULTIPART_OK)
        GH_ASSERT(gh_str_eq(gh_buf_str(&a->parts), gh_buf_str(&b->parts)));
}

#endif
