/*
 * See parse.h. The grammar of RFC 8259 section 2, a token at a time; one pass, no recursion. All of
 * it is here; what is usual goes through parse_usual.c first.
 */
#include "json/parse.h"

#include "base/assert.h"
#include "json/parse_scan.h"
#include "json/parse_state.h"

#define PIECES_BLOCK_BYTES 2048

const struct gh_json_limits gh_json_small = {
    .bytes_max = 64 * 1024, .depth_max = 32, .values_max = 4096, .members_max = 256};

const char *gh_json_stop(struct gh_json_parser *parser, enum gh_json_status status, const char *at)
{
    parser->status = status;
    parser->error_offset = parser->base + (size_t)(at - parser->text);
    return NULL;
}

const char *gh_json_suspend(struct gh_json_parser *parser, const char *start)
{
    parser->at = start;
    return NULL;
}

static uint32_t offset_of(const struct gh_json_parser *parser, const char *at)
{
    return (uint32_t)(parser->base + (size_t)(at - parser->text));
}

/* Room for twice as many values; false: over the limit or without memory. */
static bool grow_values(struct gh_json_parser *parser, const char *at)
{
    size_t cap = (size_t)parser->cap * 2;
    if (parser->count >= parser->limits.values_max) {
        gh_json_stop(parser, GH_JSON_TOO_LARGE, at);
        return false;
    }
    if (cap > parser->limits.values_max)
        cap = parser->limits.values_max;
    struct gh_json_value *values = gh_arena_alloc(parser->arena, cap * sizeof(*values));
    if (!values) {
        gh_json_stop(parser, GH_JSON_MEMORY, at);
        return false;
    }
    memcpy(values, parser->values, parser->count * sizeof(*values));
    parser->values = values;
    parser->cap = (uint32_t)cap;
    return true;
}

/* The next value on the tape, begun at `start`, with its name; NULL: stopped. */
static struct gh_json_value *add_value(struct gh_json_parser *parser, enum gh_json_kind kind,
                                       const char *start)
{
    if (parser->count == parser->cap && !grow_values(parser, start))
        return NULL;
    struct gh_json_value *value = &parser->values[parser->count++];
    value->kind = kind;
    value->boolean = false;
    value->is_integer = false;
    value->count = 0;
    value->next = parser->count;
    value->start = offset_of(parser, start);
    value->name_hash = parser->name_hash;
    value->name = parser->name;
    value->text = (struct gh_str){NULL, 0};
    if (parser->open != GH_JSON_NO_VALUE)
        parser->values[parser->open].count++;
    return value;
}

/* A value is over. */
static void expect_next(struct gh_json_parser *parser)
{
    parser->expect =
        parser->open == GH_JSON_NO_VALUE ? GH_JSON_EXPECT_NOTHING : GH_JSON_EXPECT_COMMA_OR_END;
}

static const char *read_string(struct gh_json_parser *parser, const char *start,
                               struct gh_str *out_text)
{
    size_t seen = parser->token.seen ? parser->token.seen : 1;
    return gh_json_read_string(parser, start, start + seen, out_text);
}

static const char *on_string(struct gh_json_parser *parser, const char *start)
{
    struct gh_str text;
    const char *behind = read_string(parser, start, &text);
    if (!behind)
        return NULL;
    struct gh_json_value *value = add_value(parser, GH_JSON_STRING, start);
    if (!value)
        return NULL;
    value->text = text;
    value->end = offset_of(parser, behind);
    expect_next(parser);
    return behind;
}

static const char *on_number(struct gh_json_parser *parser, const char *start)
{
    bool is_integer;
    const char *behind = gh_json_read_number(parser, start, &is_integer);
    if (!behind)
        return NULL;
    struct gh_json_value *value = add_value(parser, GH_JSON_NUMBER, start);
    if (!value)
        return NULL;
    value->is_integer = is_integer;
    value->text = gh_str_of(start, (size_t)(behind - start));
    value->end = offset_of(parser, behind);
    expect_next(parser);
    return behind;
}

static const char *on_literal(struct gh_json_parser *parser, const char *start,
                              struct gh_str literal, enum gh_json_kind kind)
{
    for (size_t i = 0; i < literal.len; i++) {
        if (start + i == parser->end)
            return gh_json_suspend(parser, start);
        if (start[i] != literal.ptr[i])
            return gh_json_stop(parser, GH_JSON_SYNTAX, start + i);
    }
    struct gh_json_value *value = add_value(parser, kind, start);
    if (!value)
        return NULL;
    value->boolean = *start == 't';
    value->end = offset_of(parser, start + literal.len);
    expect_next(parser);
    return start + literal.len;
}

static const char *on_open(struct gh_json_parser *parser, const char *start, enum gh_json_kind kind)
{
    if (parser->depth + 1 >= parser->limits.depth_max)
        return gh_json_stop(parser, GH_JSON_TOO_DEEP, start);
    struct gh_json_value *value = add_value(parser, kind, start);
    if (!value)
        return NULL;
    value->next = parser->open;
    parser->open = parser->count - 1;
    parser->depth++;
    parser->name = (struct gh_str){NULL, 0};
    parser->name_hash = 0;
    parser->expect =
        kind == GH_JSON_ARRAY ? GH_JSON_EXPECT_ITEM_OR_END : GH_JSON_EXPECT_NAME_OR_END;
    return start + 1;
}

static const char *on_close(struct gh_json_parser *parser, const char *at)
{
    uint32_t index = parser->open, twice;
    struct gh_json_value *value = &parser->values[index];
    parser->open = value->next;
    parser->depth--;
    value->next = parser->count;
    value->end = offset_of(parser, at + 1);
    if (value->kind == GH_JSON_OBJECT && value->count > 1) {
        enum gh_json_status status = gh_json_check_names(parser, index, &twice);
        if (status != GH_JSON_OK) {
            gh_json_stop(parser, status, at);
            if (status == GH_JSON_DUPLICATE_NAME)
                parser->error_offset = parser->values[twice].start;
            return NULL;
        }
    }
    parser->name = (struct gh_str){NULL, 0};
    parser->name_hash = 0;
    expect_next(parser);
    return at + 1;
}

static const char *on_value(struct gh_json_parser *parser, const char *at)
{
    switch (*at) {
    case '"':
        return on_string(parser, at);
    case '{':
        return on_open(parser, at, GH_JSON_OBJECT);
    case '[':
        return on_open(parser, at, GH_JSON_ARRAY);
    case 't':
        return on_literal(parser, at, GH_STR("true"), GH_JSON_BOOL);
    case 'f':
        return on_literal(parser, at, GH_STR("false"), GH_JSON_BOOL);
    case 'n':
        return on_literal(parser, at, GH_STR("null"), GH_JSON_NULL);
    }
    if (*at == '-' || (*at >= '0' && *at <= '9'))
        return on_number(parser, at);
    return gh_json_stop(parser, GH_JSON_SYNTAX, at);
}

static const char *on_name(struct gh_json_parser *parser, const char *at)
{
    if (*at != '"')
        return gh_json_stop(parser, GH_JSON_SYNTAX, at);
    if (parser->values[parser->open].count >= parser->limits.members_max)
        return gh_json_stop(parser, GH_JSON_TOO_LARGE, at);
    at = read_string(parser, at, &parser->name);
    if (!at)
        return NULL;
    parser->name_hash = gh_json_name_hash(parser->name);
    parser->expect = GH_JSON_EXPECT_COLON;
    return at;
}

static const char *on_comma_or_end(struct gh_json_parser *parser, const char *at)
{
    bool in_object = parser->values[parser->open].kind == GH_JSON_OBJECT;
    if (*at == ',') {
        parser->expect = in_object ? GH_JSON_EXPECT_NAME : GH_JSON_EXPECT_VALUE;
        return at + 1;
    }
    if (*at == (in_object ? '}' : ']'))
        return on_close(parser, at);
    return gh_json_stop(parser, GH_JSON_SYNTAX, at);
}

static const char *on_token(struct gh_json_parser *parser, const char *at)
{
    switch (parser->expect) {
    case GH_JSON_EXPECT_ITEM_OR_END:
        if (*at == ']')
            return on_close(parser, at);
        return on_value(parser, at);
    case GH_JSON_EXPECT_VALUE:
        return on_value(parser, at);
    case GH_JSON_EXPECT_NAME_OR_END:
        if (*at == '}')
            return on_close(parser, at);
        return on_name(parser, at);
    case GH_JSON_EXPECT_NAME:
        return on_name(parser, at);
    case GH_JSON_EXPECT_COLON:
        if (*at != ':')
            break;
        parser->expect = GH_JSON_EXPECT_VALUE;
        return at + 1;
    case GH_JSON_EXPECT_COMMA_OR_END:
        return on_comma_or_end(parser, at);
    case GH_JSON_EXPECT_NOTHING:
        break;
    }
    return gh_json_stop(parser, GH_JSON_SYNTAX, at);
}

/* As far as the text goes. */
static void run(struct gh_json_parser *parser)
{
    const char *at = parser->at;
    while (at) {
        at = gh_json_skip_space(at, parser->end);
        if (at == parser->end) {
            parser->at = at;
            return;
        }
        at = gh_json_run_usual(parser, at);
        if (at && at < parser->end)
            at = on_token(parser, at);
    }
}

/* False: the arena is full. */
static bool start(struct gh_json_parser *parser, struct gh_arena *arena,
                  const struct gh_json_limits *limits, size_t values)
{
    GH_ASSERT(limits->bytes_max < UINT32_MAX && limits->values_max < GH_JSON_NO_VALUE);
    *parser = (struct gh_json_parser){.arena = arena, .limits = *limits, .open = GH_JSON_NO_VALUE};
    parser->cap = (uint32_t)(values < limits->values_max ? values : limits->values_max);
    parser->values = gh_arena_alloc(arena, parser->cap * sizeof(*parser->values));
    return parser->values != NULL;
}

/* The whole text was seen. */
static enum gh_json_status conclude(struct gh_json_parser *parser, struct gh_json_doc *out_doc)
{
    if (parser->status == GH_JSON_OK && parser->expect != GH_JSON_EXPECT_NOTHING)
        gh_json_stop(parser, GH_JSON_INCOMPLETE, parser->end);
    if (parser->status == GH_JSON_OK)
        *out_doc = (struct gh_json_doc){.values = parser->values, .count = parser->count};
    return parser->status;
}

struct gh_json_parser *gh_json_parser_new(struct gh_arena *arena,
                                          const struct gh_json_limits *limits)
{
    struct gh_json_parser *parser = gh_arena_alloc(arena, sizeof(*parser));
    return parser && start(parser, arena, limits, 32) ? parser : NULL;
}

/* Puts `bytes` behind what is still needed of the text so far. */
static bool keep(struct gh_json_parser *parser, struct gh_str bytes)
{
    size_t needed = (size_t)(parser->end - parser->at);
    size_t used = parser->block ? (size_t)(parser->end - parser->block) : 0;
    if (bytes.len > parser->block_cap - used) {
        /* Twice as much, so that a long string in many pieces is not copied again with each. */
        size_t cap = needed * 2 + bytes.len;
        if (cap < PIECES_BLOCK_BYTES)
            cap = PIECES_BLOCK_BYTES;
        char *block = gh_arena_alloc(parser->arena, cap);
        if (!block)
            return false;
        if (needed)
            memcpy(block, parser->at, needed);
        parser->base += (size_t)(parser->at - parser->text);
        parser->block = block;
        parser->block_cap = cap;
        parser->text = parser->at = block;
        parser->end = block + needed;
    }
    memcpy(parser->block + (parser->end - parser->block), bytes.ptr, bytes.len);
    parser->end += bytes.len;
    return true;
}

enum gh_json_status gh_json_feed(struct gh_json_parser *parser, struct gh_str bytes)
{
    if (parser->status != GH_JSON_OK || bytes.len == 0)
        return parser->status;
    size_t seen = parser->base + (size_t)(parser->end - parser->text);
    struct gh_str allowed = gh_str_first(bytes, parser->limits.bytes_max - seen);
    if (allowed.len && !keep(parser, allowed))
        gh_json_stop(parser, GH_JSON_MEMORY, parser->end);
    if (parser->status == GH_JSON_OK)
        run(parser);
    if (parser->status == GH_JSON_OK && allowed.len < bytes.len)
        gh_json_stop(parser, GH_JSON_TOO_LARGE, parser->end);
    return parser->status;
}

enum gh_json_status gh_json_finish(struct gh_json_parser *parser, struct gh_json_doc *out_doc)
{
    parser->is_whole = true;
    if (parser->status == GH_JSON_OK)
        run(parser);
    return conclude(parser, out_doc);
}

size_t gh_json_error_offset(const struct gh_json_parser *parser)
{
    return parser->error_offset;
}

enum gh_json_status gh_json_parse(struct gh_arena *arena, struct gh_str text,
                                  const struct gh_json_limits *limits, struct gh_json_doc *out_doc,
                                  size_t *out_offset)
{
    struct gh_json_parser parser;
    struct gh_str allowed = gh_str_first(text, limits->bytes_max);
    if (start(&parser, arena, limits, allowed.len / 12 + 8)) {
        parser.text = parser.at = allowed.ptr ? allowed.ptr : "";
        parser.end = parser.text + allowed.len;
        parser.is_whole = allowed.len == text.len;
        run(&parser);
        if (parser.status == GH_JSON_OK && !parser.is_whole)
            gh_json_stop(&parser, GH_JSON_TOO_LARGE, parser.end);
    } else {
        parser.status = GH_JSON_MEMORY;
    }
    (void)conclude(&parser, out_doc);
    if (out_offset)
        *out_offset = parser.error_offset;
    return parser.status;
}
