/*
 * The usual case of the grammar: members and items that are all there, in a loop that keeps what it
 * needs in registers. It reports no error. What it doesn't know it leaves to parse.c, in a state
 * between two tokens, and that comes back here behind it.
 */
#include "json/parse_hash.h"
#include "json/parse_scan.h"
#include "json/parse_state.h"

/* Hashes of names that are kept at once. */
#define HASHES_MAX 28

struct cursor {
    const char *at, *end;
    size_t origin;                               /* address of the text's first byte */
    struct gh_json_value *values, *next, *limit; /* the tape */
    struct gh_json_value *open;                  /* NULL: none */
    bool in_object;
    enum gh_json_expect expect;
    /* Of the members of all open objects, the innermost last; of those that were open before, some
       are missing. */
    uint32_t *hashes;
    uint32_t hash_count;
};

static inline uint32_t offset_of(const struct cursor *cursor, const char *at)
{
    return (uint32_t)((size_t)at - cursor->origin);
}

static inline void enter(struct cursor *cursor, struct gh_json_value *open)
{
    cursor->open = open;
    cursor->in_object = open->kind == GH_JSON_OBJECT;
}

/* With the colon, up to the value, whose place on the tape gets it. */
static inline bool take_name(struct cursor *cursor)
{
    const char *start = cursor->at + 1, *end = cursor->end;
    if (*cursor->at != '"')
        return false;
    const char *quote = gh_json_skip_plain(start, end);
    if (end - quote < 3 || quote[0] != '"' || quote[1] != ':')
        return false;
    const char *at = gh_json_skip_space(quote + 2, end);
    if (at == end)
        return false;
    struct gh_str name = gh_str_of(start, (size_t)(quote - start));
    uint32_t hash = gh_json_hash_within(name, end);
    cursor->next->name = name;
    cursor->next->name_hash = hash;
    cursor->hashes[cursor->hash_count++] = hash;
    cursor->at = at;
    return true;
}

/* A value that is over at `behind`; its name and text are set. */
static inline struct gh_json_value *put(struct cursor *cursor, enum gh_json_kind kind,
                                        const char *behind)
{
    struct gh_json_value *value = cursor->next++;
    value->kind = kind;
    value->boolean = false;
    value->is_integer = false;
    value->count = 0;
    value->next = (uint32_t)(cursor->next - cursor->values);
    value->start = offset_of(cursor, cursor->at);
    value->end = offset_of(cursor, behind);
    cursor->open->count++;
    cursor->at = behind;
    cursor->expect = GH_JSON_EXPECT_COMMA_OR_END;
    return value;
}

enum taken { TAKEN_NOT, TAKEN_SCALAR, TAKEN_OPEN, TAKEN_STOP };

static inline enum taken take_string(struct gh_json_parser *parser, struct cursor *cursor)
{
    const char *start = cursor->at, *behind = gh_json_skip_plain(start + 1, cursor->end);
    if (behind < cursor->end && *behind == '"') {
        cursor->next->text = gh_str_of(start + 1, (size_t)(behind - start) - 1);
        behind++;
    } else {
        behind = gh_json_read_string(parser, start, behind, &cursor->next->text);
        if (!behind)
            return TAKEN_STOP;
    }
    put(cursor, GH_JSON_STRING, behind);
    return TAKEN_SCALAR;
}

static inline enum taken take_number(struct cursor *cursor)
{
    bool is_integer;
    const char *start = cursor->at;
    const char *behind = gh_json_skip_number(start, cursor->end, &is_integer);
    if (!behind)
        return TAKEN_NOT;
    cursor->next->text = gh_str_of(start, (size_t)(behind - start));
    put(cursor, GH_JSON_NUMBER, behind)->is_integer = is_integer;
    return TAKEN_SCALAR;
}

static inline enum taken take_literal(struct cursor *cursor, const char *literal, size_t len,
                                      enum gh_json_kind kind)
{
    if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, literal, len) != 0)
        return TAKEN_NOT;
    cursor->next->text = (struct gh_str){NULL, 0};
    put(cursor, kind, cursor->at + len)->boolean = *literal == 't';
    return TAKEN_SCALAR;
}

static inline enum taken take_open(struct gh_json_parser *parser, struct cursor *cursor,
                                   enum gh_json_kind kind)
{
    if (parser->depth + 1 >= parser->limits.depth_max)
        return TAKEN_NOT;
    cursor->next->text = (struct gh_str){NULL, 0};
    struct gh_json_value *outer = cursor->open, *value = put(cursor, kind, cursor->at + 1);
    value->next = (uint32_t)(outer - cursor->values);
    parser->depth++;
    enter(cursor, value);
    cursor->expect = cursor->in_object ? GH_JSON_EXPECT_NAME_OR_END : GH_JSON_EXPECT_ITEM_OR_END;
    cursor->at = gh_json_skip_space(cursor->at, cursor->end);
    return TAKEN_OPEN;
}

static inline enum taken take_value(struct gh_json_parser *parser, struct cursor *cursor)
{
    switch (*cursor->at) {
    case '"':
        return take_string(parser, cursor);
    case '{':
        return take_open(parser, cursor, GH_JSON_OBJECT);
    case '[':
        return take_open(parser, cursor, GH_JSON_ARRAY);
    case 't':
        return take_literal(cursor, "true", 4, GH_JSON_BOOL);
    case 'f':
        return take_literal(cursor, "false", 5, GH_JSON_BOOL);
    case 'n':
        return take_literal(cursor, "null", 4, GH_JSON_NULL);
    }
    return take_number(cursor);
}

/* A member or an item. */
static inline enum taken take(struct gh_json_parser *parser, struct cursor *cursor)
{
    if (cursor->at == cursor->end || cursor->next == cursor->limit)
        return TAKEN_NOT;
    if (cursor->in_object) {
        if (cursor->open->count >= parser->limits.members_max || cursor->hash_count == HASHES_MAX ||
            !take_name(cursor))
            return TAKEN_NOT;
        cursor->expect = GH_JSON_EXPECT_VALUE;
    } else {
        cursor->next->name = (struct gh_str){NULL, 0};
        cursor->next->name_hash = 0;
    }
    return take_value(parser, cursor);
}

/* Of the innermost object, which is over. */
static inline bool check_names(struct gh_json_parser *parser, struct cursor *cursor)
{
    uint32_t count = cursor->open->count, twice;
    uint32_t kept = count < cursor->hash_count ? count : cursor->hash_count;
    cursor->hash_count -= kept;
    if (kept == count && count <= GH_JSON_FEW &&
        gh_json_are_distinct(cursor->hashes + cursor->hash_count, count))
        return true;
    return gh_json_check_names(parser, (uint32_t)(cursor->open - cursor->values), &twice) ==
           GH_JSON_OK;
}

static inline bool close_container(struct gh_json_parser *parser, struct cursor *cursor)
{
    struct gh_json_value *value = cursor->open;
    uint32_t outer = value->next;
    value->next = (uint32_t)(cursor->next - cursor->values);
    if (cursor->in_object && !check_names(parser, cursor)) {
        value->next = outer;
        return false;
    }
    cursor->at++;
    value->end = offset_of(cursor, cursor->at);
    parser->depth--;
    cursor->open = NULL;
    if (outer != GH_JSON_NO_VALUE)
        enter(cursor, &cursor->values[outer]);
    return true;
}

/* What ends here and the comma behind it, up to the next member or item. */
static inline bool pass_ends(struct gh_json_parser *parser, struct cursor *cursor)
{
    cursor->expect = GH_JSON_EXPECT_COMMA_OR_END;
    for (;;) {
        cursor->at = gh_json_skip_space(cursor->at, cursor->end);
        if (cursor->at == cursor->end)
            return false;
        if (*cursor->at == ',')
            break;
        if (*cursor->at != (cursor->in_object ? '}' : ']') || !close_container(parser, cursor))
            return false;
        if (!cursor->open) {
            cursor->at = gh_json_skip_space(cursor->at, cursor->end);
            cursor->expect = GH_JSON_EXPECT_NOTHING;
            return false;
        }
    }
    cursor->at = gh_json_skip_space(cursor->at + 1, cursor->end);
    cursor->expect = cursor->in_object ? GH_JSON_EXPECT_NAME : GH_JSON_EXPECT_VALUE;
    return true;
}

static inline bool is_at_end(const struct cursor *cursor)
{
    return cursor->at < cursor->end && *cursor->at == (cursor->in_object ? '}' : ']');
}

static inline void leave(struct gh_json_parser *parser, const struct cursor *cursor)
{
    bool is_named = cursor->in_object && cursor->expect == GH_JSON_EXPECT_VALUE;
    parser->count = (uint32_t)(cursor->next - cursor->values);
    parser->open = cursor->open ? (uint32_t)(cursor->open - cursor->values) : GH_JSON_NO_VALUE;
    parser->expect = cursor->expect;
    parser->name = is_named ? cursor->next->name : (struct gh_str){NULL, 0};
    parser->name_hash = is_named ? cursor->next->name_hash : 0;
}

static inline bool can_begin(const struct gh_json_parser *parser)
{
    if (parser->token.seen || parser->open == GH_JSON_NO_VALUE)
        return false;
    switch (parser->expect) {
    case GH_JSON_EXPECT_VALUE:
        return parser->name.ptr == NULL;
    case GH_JSON_EXPECT_ITEM_OR_END:
    case GH_JSON_EXPECT_NAME_OR_END:
    case GH_JSON_EXPECT_NAME:
    case GH_JSON_EXPECT_COMMA_OR_END:
        return true;
    case GH_JSON_EXPECT_COLON:
    case GH_JSON_EXPECT_NOTHING:
        break;
    }
    return false;
}

const char *gh_json_run_usual(struct gh_json_parser *parser, const char *at)
{
    if (!can_begin(parser))
        return at;
    uint32_t hashes[HASHES_MAX + GH_JSON_FEW_STEP];
    struct cursor cursor = {
        .at = at,
        .end = parser->end,
        .origin = (size_t)parser->text - parser->base,
        .values = parser->values,
        .next = parser->values + parser->count,
        .limit = parser->values + parser->cap,
        .expect = parser->expect,
        .hashes = hashes,
    };
    enum taken taken = TAKEN_SCALAR;
    enter(&cursor, &cursor.values[parser->open]);
    if (cursor.expect != GH_JSON_EXPECT_COMMA_OR_END || pass_ends(parser, &cursor)) {
        do
            taken = take(parser, &cursor);
        while ((taken == TAKEN_OPEN && !is_at_end(&cursor)) ||
               (taken > TAKEN_NOT && taken < TAKEN_STOP && pass_ends(parser, &cursor)));
    }
    leave(parser, &cursor);
    return taken == TAKEN_STOP ? NULL : cursor.at;
}
