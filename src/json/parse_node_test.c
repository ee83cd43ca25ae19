/*
 * For parse_node_test.js: each line is a document in hexadecimal; for each goes out a line with the
 * name of what the parser said, and for a good one its values, written anew.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "json/parse_cuts.h"
#include "json/writer.h"

#define LINE_BYTES_MAX (1u << 16)

static const struct gh_json_limits LIMITS = {
    .bytes_max = LINE_BYTES_MAX, .depth_max = 64, .values_max = 1 << 14, .members_max = 1 << 12};

static const char *status_name(enum gh_json_status status)
{
    switch (status) {
    case GH_JSON_OK:
        return "ok";
    case GH_JSON_SYNTAX:
        return "syntax";
    case GH_JSON_UTF8:
        return "utf8";
    case GH_JSON_ESCAPE:
        return "escape";
    case GH_JSON_DUPLICATE_NAME:
        return "duplicate";
    case GH_JSON_TOO_DEEP:
        return "deep";
    case GH_JSON_TOO_LARGE:
        return "large";
    case GH_JSON_INCOMPLETE:
        return "incomplete";
    case GH_JSON_MEMORY:
        return "memory";
    }
    return "";
}

static void put_value(struct gh_buf *buf, const struct gh_json_doc *doc,
                      const struct gh_json_value *value)
{
    bool is_object = value->kind == GH_JSON_OBJECT;
    switch (value->kind) {
    case GH_JSON_NULL:
        gh_buf_put(buf, GH_STR("null"));
        return;
    case GH_JSON_BOOL:
        gh_buf_put(buf, value->boolean ? GH_STR("true") : GH_STR("false"));
        return;
    case GH_JSON_NUMBER:
        gh_buf_put(buf, value->text);
        return;
    case GH_JSON_STRING:
        gh_json_put_string(buf, value->text);
        return;
    case GH_JSON_ARRAY:
    case GH_JSON_OBJECT:
        break;
    }
    gh_buf_put_char(buf, is_object ? '{' : '[');
    for (const struct gh_json_value *child = gh_json_first(doc, value); child;
         child = gh_json_after(doc, value, child)) {
        if (child != value + 1)
            gh_buf_put_char(buf, ',');
        if (is_object) {
            gh_json_put_string(buf, child->name);
            gh_buf_put_char(buf, ':');
        }
        put_value(buf, doc, child);
    }
    gh_buf_put_char(buf, is_object ? '}' : ']');
}

static size_t decode(const char *line, char *out)
{
    size_t len = 0;
    for (; line[0] && line[0] != '\n'; line += 2)
        out[len++] = (char)(gh_num_hex_digit(line[0]) << 4 | gh_num_hex_digit(line[1]));
    return len;
}

int main(void)
{
    static char line[2 * LINE_BYTES_MAX + 2], out[8 * LINE_BYTES_MAX];
    while (fgets(line, sizeof(line), stdin)) {
        struct gh_arena arena;
        gh_arena_init(&arena, 64 * 1024, 64 << 20);
        char *bytes = gh_arena_alloc(&arena, LINE_BYTES_MAX);
        GH_ASSERT(bytes);
        struct gh_str text = gh_str_of(bytes, decode(line, bytes));
        struct gh_json_result whole = {0};
        whole.status = gh_json_parse(&arena, text, &LIMITS, &whole.doc, &whole.offset);
        struct gh_json_result pieces = gh_json_parse_cut(&arena, text, &LIMITS, 1, 3);
        gh_json_assert_same(&whole, &pieces);
        struct gh_buf buf = gh_buf_over(out, sizeof(out));
        if (whole.status == GH_JSON_OK)
            put_value(&buf, &whole.doc, gh_json_root(&whole.doc));
        GH_ASSERT(!buf.overflow);
        printf("%s %.*s\n", status_name(whole.status), (int)buf.len, buf.ptr);
        gh_arena_done(&arena);
    }
    return 0;
}
