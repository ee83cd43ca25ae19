/* For tests and fuzz targets of the parser: the same text in other pieces must mean the same. */
#ifndef GH_JSON_PARSE_CUTS_H
#define GH_JSON_PARSE_CUTS_H

#include "base/assert.h"
#include "json/parse.h"

struct gh_json_result {
    enum gh_json_status status;
    size_t offset;
    struct gh_json_doc doc;
};

/* A piece as the parser gets it: in memory of its own size, gone after the call. */
static inline enum gh_json_status gh_json_feed_copy(struct gh_json_parser *parser,
                                                    struct gh_str piece)
{
    struct gh_arena gone;
    gh_arena_init(&gone, 1, SIZE_MAX / 2);
    char *copy = gh_arena_alloc(&gone, piece.len);
    GH_ASSERT(copy);
    if (piece.len)
        memcpy(copy, piece.ptr, piece.len);
    enum gh_json_status status = gh_json_feed(parser, gh_str_of(copy, piece.len));
    gh_arena_done(&gone);
    return status;
}

/* The first piece has `first` bytes, the others `other`. */
static inline struct gh_json_result gh_json_parse_cut(struct gh_arena *arena, struct gh_str text,
                                                      const struct gh_json_limits *limits,
                                                      size_t first, size_t other)
{
    struct gh_json_result result = {0};
    struct gh_json_parser *parser = gh_json_parser_new(arena, limits);
    GH_ASSERT(parser);
    for (size_t len = first; text.len; len = other) {
        (void)gh_json_feed_copy(parser, gh_str_first(text, len));
        text = gh_str_skip(text, len);
    }
    result.status = gh_json_finish(parser, &result.doc);
    result.offset = gh_json_error_offset(parser);
    return result;
}

static inline void gh_json_assert_same_value(const struct gh_json_value *a,
                                             const struct gh_json_value *b)
{
    GH_ASSERT(a->kind == b->kind && a->boolean == b->boolean && a->is_integer == b->is_integer);
    GH_ASSERT(a->count == b->count && a->next == b->next);
    GH_ASSERT(a->start == b->start && a->end == b->end);
    GH_ASSERT(a->name_hash == b->name_hash);
    GH_ASSERT((a->name.ptr == NULL) == (b->name.ptr == NULL) && gh_str_eq(a->name, b->name));
    GH_ASSERT((a->text.ptr == NULL) == (b->text.ptr == NULL) && gh_str_eq(a->text, b->text));
}

static inline void gh_json_assert_same(const struct gh_json_result *a,
                                       const struct gh_json_result *b)
{
    GH_ASSERT(a->status == b->status && a->offset == b->offset);
    GH_ASSERT(a->doc.count == b->doc.count);
    for (size_t i = 0; i < a->doc.count; i++)
        gh_json_assert_same_value(&a->doc.values[i], &b->doc.values[i]);
}

#endif
