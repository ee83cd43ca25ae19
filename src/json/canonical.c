#include "json/canonical.h"

#include <stdlib.h>

#include "base/utf8.h"

/* RFC 8785 section 3.2.2.2: of the control bytes five have a short escape, the rest is \u00xx in
   lower case; nothing else is escaped but '"' and '\'. */
static void put_escape(struct gh_buf *buf, char c)
{
    static const char BYTES[] = "\"\\\b\f\n\r\t", NAMES[] = "\"\\bfnrt";
    const char *at = c ? strchr(BYTES, c) : NULL;
    if (at) {
        gh_buf_put_char(buf, '\\');
        gh_buf_put_char(buf, NAMES[at - BYTES]);
        return;
    }
    uint8_t byte = (uint8_t)c;
    gh_buf_put(buf, GH_STR("\\u00"));
    gh_buf_put_hex_bytes(buf, &byte, 1);
}

static bool needs_escape(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

enum gh_err gh_json_put_canonical_string(struct gh_buf *buf, struct gh_str text)
{
    if (!gh_utf8_is_valid(text))
        return GH_ERR_INVALID;
    gh_buf_put_char(buf, '"');
    while (text.len) {
        size_t plain = 0;
        while (plain < text.len && !needs_escape(text.ptr[plain]))
            plain++;
        gh_buf_put(buf, gh_str_first(text, plain));
        if (plain < text.len)
            put_escape(buf, text.ptr[plain++]);
        text = gh_str_skip(text, plain);
    }
    gh_buf_put_char(buf, '"');
    return GH_OK;
}

static enum gh_err put_number(struct gh_buf *buf, const struct gh_json_value *value)
{
    int64_t number;
    if (!gh_json_int64(value, &number) || number > GH_JSON_SAFE_INTEGER_MAX ||
        number < -GH_JSON_SAFE_INTEGER_MAX)
        return GH_ERR_INVALID;
    if (number < 0)
        gh_buf_put_char(buf, '-');
    gh_buf_put_u64(buf, (uint64_t)llabs(number));
    return GH_OK;
}

/*
 * The order of UTF-16 code units (RFC 8785 section 3.2.3). It is that of the bytes of UTF-8, except
 * that code points above U+FFFF (first byte F0 to F4), being surrogates there, come before U+E000
 * to U+FFFF (first byte EE and EF).
 */
static int compare_utf16(struct gh_str a, struct gh_str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < shorter; i++) {
        unsigned char x = (unsigned char)a.ptr[i], y = (unsigned char)b.ptr[i];
        if (x == y)
            continue;
        if (x >= 0xee && y >= 0xee && (x >= 0xf0) != (y >= 0xf0))
            return x >= 0xf0 ? -1 : 1;
        return x < y ? -1 : 1;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int compare_members(const void *a, const void *b)
{
    const struct gh_json_value *const *x = a, *const *y = b;
    return compare_utf16((*x)->name, (*y)->name);
}

struct writing {
    struct gh_buf *buf;
    struct gh_arena *arena;
    const struct gh_json_doc *doc;
};

static enum gh_err put_value(const struct writing *writing, const struct gh_json_value *value,
                             unsigned depth);

static enum gh_err put_array(const struct writing *writing, const struct gh_json_value *array,
                             unsigned depth)
{
    gh_buf_put_char(writing->buf, '[');
    const struct gh_json_value *item = gh_json_first(writing->doc, array);
    for (bool first = true; item; item = gh_json_after(writing->doc, array, item)) {
        if (!first)
            gh_buf_put_char(writing->buf, ',');
        first = false;
        enum gh_err err = put_value(writing, item, depth);
        if (err)
            return err;
    }
    gh_buf_put_char(writing->buf, ']');
    return GH_OK;
}

static enum gh_err put_object(const struct writing *writing, const struct gh_json_value *object,
                              unsigned depth)
{
    const struct gh_json_value **members =
        gh_arena_zalloc(writing->arena, object->count + 1u, sizeof(*members));
    if (!members)
        return GH_ERR_MEMORY;
    size_t count = 0;
    for (const struct gh_json_value *member = gh_json_first(writing->doc, object); member;
         member = gh_json_after(writing->doc, object, member))
        members[count++] = member;
    qsort(members, count, sizeof(*members), compare_members);
    gh_buf_put_char(writing->buf, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            gh_buf_put_char(writing->buf, ',');
        enum gh_err err = gh_json_put_canonical_string(writing->buf, members[i]->name);
        if (err)
            return err;
        gh_buf_put_char(writing->buf, ':');
        err = put_value(writing, members[i], depth);
        if (err)
            return err;
    }
    gh_buf_put_char(writing->buf, '}');
    return GH_OK;
}

static enum gh_err put_value(const struct writing *writing, const struct gh_json_value *value,
                             unsigned depth)
{
    if (depth == 0)
        return GH_ERR_INVALID;
    switch (value->kind) {
    case GH_JSON_NULL:
        gh_buf_put(writing->buf, GH_STR("null"));
        return GH_OK;
    case GH_JSON_BOOL:
        gh_buf_put(writing->buf, value->boolean ? GH_STR("true") : GH_STR("false"));
        return GH_OK;
    case GH_JSON_NUMBER:
        return put_number(writing->buf, value);
    case GH_JSON_STRING:
        return gh_json_put_canonical_string(writing->buf, value->text);
    case GH_JSON_ARRAY:
        return put_array(writing, value, depth - 1);
    case GH_JSON_OBJECT:
        return put_object(writing, value, depth - 1);
    }
    return GH_ERR_INVALID;
}

enum gh_err gh_json_put_canonical(struct gh_buf *buf, struct gh_arena *arena,
                                  const struct gh_json_doc *doc, const struct gh_json_value *value)
{
    const struct writing writing = {buf, arena, doc};
    return put_value(&writing, value, GH_JSON_CANONICAL_DEPTH);
}

/* A string is never longer than as it was written. A number may be: the five bytes of "9e15,"
   become seventeen. */
size_t gh_json_canonical_bytes_max(const struct gh_json_value *value)
{
    return ((size_t)value->end - value->start) * 4 + 16;
}

enum gh_err gh_json_canonicalise(struct gh_arena *arena, struct gh_str text,
                                 const struct gh_json_limits *limits, struct gh_str *out_text)
{
    struct gh_json_doc doc;
    enum gh_json_status status = gh_json_parse(arena, text, limits, &doc, NULL);
    if (status != GH_JSON_OK)
        return status == GH_JSON_MEMORY ? GH_ERR_MEMORY : GH_ERR_INVALID;
    const struct gh_json_value *root = gh_json_root(&doc);
    if (!root)
        return GH_ERR_INVALID;
    size_t cap = gh_json_canonical_bytes_max(root);
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return GH_ERR_MEMORY;
    struct gh_buf buf = gh_buf_over(memory, cap);
    enum gh_err err = gh_json_put_canonical(&buf, arena, &doc, root);
    if (!err)
        *out_text = gh_buf_str(&buf);
    return err ? err : buf.overflow ? GH_ERR_INVALID : GH_OK;
}
