/*
 * Edits of text that is JSON or YAML. A keyword is put behind the object's `type`, or in front of
 * its first member; the layout around it says how: flow style with its quotes and line ends, block
 * style with its indentation.
 */
#include "openapi/fix_edit.h"

#include <stdlib.h>

#include "base/buf.h"

#define SPACE_BYTES_MAX 200 /* between "{" and the first member, kept as it is */

/* ---- Looking around ---- */

static char at(struct gh_str text, size_t i)
{
    return i < text.len ? text.ptr[i] : 0;
}

static size_t skip_blanks(struct gh_str text, size_t i)
{
    while (at(text, i) == ' ' || at(text, i) == '\t')
        i++;
    return i;
}

static size_t skip_space(struct gh_str text, size_t i)
{
    while (at(text, i) && strchr(" \t\r\n", at(text, i)))
        i++;
    return i;
}

static size_t line_start(struct gh_str text, size_t i)
{
    while (i > 0 && text.ptr[i - 1] != '\n')
        i--;
    return i;
}

/* Where the line ends when only a comment follows; `text.len + 1`: something else does. */
static size_t line_end(struct gh_str text, size_t i)
{
    size_t from = i;
    i = skip_blanks(text, i);
    if (at(text, i) == '#' && i > from)
        while (i < text.len && text.ptr[i] != '\n')
            i++;
    if (i < text.len && text.ptr[i] != '\n' && text.ptr[i] != '\r')
        return text.len + 1;
    while (i > from && text.ptr[i - 1] == '\r')
        i--;
    return i;
}

static const struct gh_json_value *type_of(struct gh_openapi_at object)
{
    return gh_json_get(&object.file->doc, object.value, GH_STR("type"));
}

/* ---- Edits ---- */

static void add(struct gh_fix_edits *edits, struct gh_fix_edit edit)
{
    if (edits->count == edits->room) {
        size_t room = edits->room ? 2 * edits->room : 64;
        struct gh_fix_edit *bigger = gh_arena_zalloc(edits->arena, room, sizeof(*bigger));
        if (!bigger) {
            edits->no_memory = true;
            return;
        }
        if (edits->count)
            memcpy(bigger, edits->items, edits->count * sizeof(*bigger));
        edits->items = bigger;
        edits->room = room;
    }
    edit.order = edits->count;
    edits->no_memory |= !edit.text.ptr;
    edits->items[edits->count++] = edit;
}

/* ---- Flow style: {type: string}, and all JSON ---- */

static void put_in_flow(struct gh_fix_edits *edits, struct gh_openapi_at object, const char *key,
                        struct gh_str literal)
{
    struct gh_str text = object.file->text;
    size_t first = object.value->start + 1, member = skip_space(text, first);
    const struct gh_json_value *type = type_of(object);
    bool in_lines = memchr(text.ptr + first, '\n', member - first) != NULL;
    const char *quote = at(text, member) == '"' ? "\"" : "";
    struct gh_str space = gh_str_of(text.ptr + first, member - first);
    const struct gh_json_value *child = gh_json_first(&object.file->doc, object.value);
    bool tight = child->start > 0 && child->start <= text.len && text.ptr[child->start - 1] == ':';
    if (at(text, member) == '}' || at(text, member) == '#' || space.len > SPACE_BYTES_MAX)
        return;
    if (!in_lines)
        space = tight ? GH_STR("") : GH_STR(" ");
    struct gh_fix_edit edit = {.file = object.file, .object = object.value->start, .key = key};
    const char *colon = tight ? ":" : ": ";
    if (type) {
        edit.offset = type->end;
        edit.text = gh_arena_format(edits->arena, ",%.*s%s%s%s%s%.*s", GH_STR_ARG(space), quote,
                                    key, quote, colon, GH_STR_ARG(literal));
    } else {
        edit.offset = first;
        edit.text = gh_arena_format(edits->arena, "%.*s%s%s%s%s%.*s,%s",
                                    in_lines ? (int)space.len : 0, space.ptr, quote, key, quote,
                                    colon, GH_STR_ARG(literal), member > first || tight ? "" : " ");
    }
    add(edits, edit);
}

/* ---- Block style ---- */

/* The column of the key `type` when the line is "- type: ..." or "type: ..."; -1: it is not. */
static int column_of_type(struct gh_str text, size_t value)
{
    size_t start = line_start(text, value), i = start;
    while (at(text, i) == ' ' || (at(text, i) == '-' && at(text, i + 1) == ' '))
        i++;
    static const char *const KEYS[] = {"type:", "\"type\":", "'type':"};
    for (size_t k = 0; k < 3; k++)
        if (gh_str_starts_with(gh_str_skip(text, i), gh_str_from_c(KEYS[k])))
            return skip_blanks(text, i + strlen(KEYS[k])) == value ? (int)(i - start) : -1;
    return -1;
}

/* Behind the line of the type. */
static bool put_behind_type(struct gh_fix_edits *edits, struct gh_openapi_at object,
                            const char *key, struct gh_str literal)
{
    struct gh_str text = object.file->text;
    const struct gh_json_value *type = type_of(object);
    if (!type || type->start >= type->end || type->end > text.len)
        return false;
    int column = column_of_type(text, type->start);
    size_t end = line_end(text, type->end);
    if (column < 0 || end > text.len || memchr(text.ptr + type->start, '\n', end - type->start))
        return false;
    struct gh_fix_edit edit = {.file = object.file, .object = object.value->start, .key = key};
    edit.offset = end;
    edit.text =
        gh_arena_format(edits->arena, "%s%*s%s: %.*s", at(text, end) == '\r' ? "\r\n" : "\n",
                        column, "", key, GH_STR_ARG(literal));
    add(edits, edit);
    return true;
}

/* In front of the first key, where the object begins with it and not with an anchor or a tag. */
static void put_in_front(struct gh_fix_edits *edits, struct gh_openapi_at object, const char *key,
                         struct gh_str literal)
{
    struct gh_str text = object.file->text;
    size_t start = object.value->start, line = line_start(text, start), i = line;
    while (i < start && (at(text, i) == ' ' || (at(text, i) == '-' && at(text, i + 1) == ' ')))
        i++;
    if (i != start || !at(text, i) || strchr("&!?*|>[#%@,]}", at(text, i)))
        return;
    struct gh_fix_edit edit = {.file = object.file, .object = start, .key = key, .offset = start};
    edit.text = gh_arena_format(edits->arena, "%s: %.*s\n%*s", key, GH_STR_ARG(literal),
                                (int)(start - line), "");
    add(edits, edit);
}

void gh_fix_put(struct gh_fix_edits *edits, struct gh_openapi_at object, const char *key,
                struct gh_str literal)
{
    struct gh_str text = object.file->text;
    if (!object.value || object.value->kind != GH_JSON_OBJECT || object.value->count == 0 ||
        object.value->start >= text.len ||
        gh_json_get(&object.file->doc, object.value, gh_str_from_c(key)))
        return;
    if (text.ptr[object.value->start] == '{')
        put_in_flow(edits, object, key, literal);
    else if (!put_behind_type(edits, object, key, literal))
        put_in_front(edits, object, key, literal);
}

void gh_fix_replace(struct gh_fix_edits *edits, struct gh_openapi_at value, struct gh_str literal)
{
    const struct gh_json_value *old = value.value;
    struct gh_str text = value.file->text;
    if (old->start >= old->end || old->end > text.len)
        return;
    struct gh_str was = gh_str_of(text.ptr + old->start, old->end - old->start);
    bool is_known = old->kind == GH_JSON_BOOL ? gh_str_eq(was, GH_STR("true"))
                                              : old->count == 0 && was.ptr[0] == '{';
    if (!is_known)
        return;
    add(edits, (struct gh_fix_edit){.file = value.file,
                                    .offset = old->start,
                                    .removed = old->end - old->start,
                                    .text = literal,
                                    .object = old->start,
                                    .key = ""});
}

/* ---- The new text ---- */

static int compare(const void *left, const void *right)
{
    const struct gh_fix_edit *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

/* Aliases of YAML make two values of one text, which want the same keyword. */
static bool is_repeated(const struct gh_fix_edits *edits, size_t index)
{
    const struct gh_fix_edit *edit = &edits->items[index];
    for (size_t i = index; i-- > 0 && edits->items[i].offset == edit->offset;)
        if (edits->items[i].file == edit->file && edits->items[i].object == edit->object &&
            strcmp(edits->items[i].key, edit->key) == 0)
            return true;
    return false;
}

struct gh_str gh_fix_text_of(struct gh_fix_edits *edits, const struct gh_openapi_file *file,
                             size_t *out_count)
{
    size_t room = file->text.len, from = 0;
    *out_count = 0;
    if (edits->count)
        qsort(edits->items, edits->count, sizeof(*edits->items), compare);
    for (size_t i = 0; i < edits->count; i++)
        room += edits->items[i].file == file ? edits->items[i].text.len : 0;
    char *memory = gh_arena_alloc(edits->arena, room + 1);
    if (!memory)
        return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(memory, room);
    for (size_t i = 0; i < edits->count; i++) {
        const struct gh_fix_edit *edit = &edits->items[i];
        if (edit->file != file || edit->offset < from || is_repeated(edits, i))
            continue;
        gh_buf_put(&buf, gh_str_of(file->text.ptr + from, edit->offset - from));
        gh_buf_put(&buf, edit->text);
        from = edit->offset + edit->removed;
        ++*out_count;
    }
    gh_buf_put(&buf, gh_str_skip(file->text, from));
    return gh_buf_str(&buf);
}
