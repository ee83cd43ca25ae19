/* Evidence of observed bounds, read line by line. */
#include "openapi/evidence.h"

#include <math.h>
#include <stdlib.h>

#include "json/parse.h"

static const struct {
    const char *name;
    enum gh_evidence_kind kind;
} KINDS[] = {
    {"string", GH_EVIDENCE_STRING}, {"integer", GH_EVIDENCE_INTEGER},
    {"number", GH_EVIDENCE_NUMBER}, {"array", GH_EVIDENCE_ARRAY},
    {"object", GH_EVIDENCE_OBJECT},
};

static bool read_kind(struct gh_str text, enum gh_evidence_kind *out)
{
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        if (gh_str_eq(text, gh_str_from_c(KINDS[i].name))) {
            *out = KINDS[i].kind;
            return true;
        }
    }
    return false;
}

struct gh_str gh_evidence_kind_name(enum gh_evidence_kind kind)
{
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
        if (KINDS[i].kind == kind)
            return gh_str_from_c(KINDS[i].name);
    return GH_STR("");
}

static bool read_location(struct gh_str text)
{
    static const char *const PLACES[] = {"path", "query", "header", "cookie", "body"};
    for (size_t i = 0; i < sizeof(PLACES) / sizeof(PLACES[0]); i++)
        if (gh_str_eq(text, gh_str_from_c(PLACES[i])))
            return true;
    return false;
}

/* The text of a number on the tape is JSON's, and a byte that is none stands behind it or nothing
   does: a copy ends it. */
static bool read_number(const struct gh_json_value *value, double *out)
{
    char memory[64];
    if (!value || value->kind != GH_JSON_NUMBER || value->text.len >= sizeof(memory))
        return false;
    memcpy(memory, value->text.ptr, value->text.len);
    memory[value->text.len] = 0;
    *out = strtod(memory, NULL);
    return isfinite(*out);
}

/* NULL, or what is wrong. */
static const char *read_line(const struct gh_json_doc *doc, struct gh_evidence_line *line)
{
    const struct gh_json_value *root = gh_json_root(doc);
    if (root->kind != GH_JSON_OBJECT)
        return "it is no object";
    line->operation = gh_json_string(gh_json_get(doc, root, GH_STR("operation")));
    line->location = gh_json_string(gh_json_get(doc, root, GH_STR("location")));
    line->name = gh_json_string(gh_json_get(doc, root, GH_STR("name")));
    line->pointer = gh_json_string(gh_json_get(doc, root, GH_STR("pointer")));
    if (!line->operation.len)
        return "it has no operation";
    if (!line->location.ptr || !read_location(line->location))
        return "its location is none of path, query, header, cookie and body";
    if (line->pointer.len && line->pointer.ptr[0] != '/')
        return "its pointer is no JSON Pointer";
    if (!read_kind(gh_json_string(gh_json_get(doc, root, GH_STR("kind"))), &line->kind))
        return "its kind is none of string, integer, number, array and object";
    if (!read_number(gh_json_get(doc, root, GH_STR("min")), &line->min) ||
        !read_number(gh_json_get(doc, root, GH_STR("max")), &line->max) || line->min > line->max)
        return "its min and max are no bounds";
    int64_t count = 0;
    if (!gh_json_int64(gh_json_get(doc, root, GH_STR("count")), &count) || count < 1)
        return "its count is no number from 1";
    line->count = (uint64_t)count;
    const struct gh_json_value *extra = gh_json_get(doc, root, GH_STR("extra"));
    line->extra = extra && extra->kind == GH_JSON_BOOL && extra->boolean;
    return NULL;
}

static size_t count_lines(struct gh_str text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    return count;
}

enum gh_err gh_evidence_parse(struct gh_arena *arena, struct gh_str text,
                              struct gh_evidence *out_evidence, unsigned *out_line,
                              const char **out_what)
{
    size_t max = count_lines(text), count = 0;
    *out_line = 0;
    *out_what = "";
    if (max > GH_EVIDENCE_LINES_MAX)
        return GH_ERR_FULL;
    struct gh_evidence_line *lines = gh_arena_zalloc(arena, max, sizeof(*lines));
    if (!lines)
        return GH_ERR_MEMORY;
    for (struct gh_str rest = text; rest.ptr;) {
        struct gh_str line = gh_str_trim_ows(gh_str_split(&rest, '\n'));
        struct gh_json_doc doc;
        ++*out_line;
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (!line.len)
            continue;
        enum gh_json_status status = gh_json_parse(arena, line, &gh_json_small, &doc, NULL);
        if (status == GH_JSON_MEMORY)
            return GH_ERR_MEMORY;
        *out_what = status == GH_JSON_OK ? read_line(&doc, &lines[count++]) : "it is no JSON";
        if (*out_what)
            return GH_ERR_INVALID;
    }
    *out_evidence = (struct gh_evidence){lines, count};
    return GH_OK;
}
