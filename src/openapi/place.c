/* Problems and their places in files. */
#include "openapi/place.h"

#include <stdio.h>

#define TEXT_BYTES_MAX 600  /* of a problem; names in documents can be of any length */
#define NAME_BYTES_MAX 4096 /* how far before its value a name is looked for */

void gh_openapi_place(const struct gh_openapi_file *file, size_t offset, unsigned *out_line,
                      unsigned *out_column)
{
    const char *text = file->text.ptr;
    size_t line_start = 0;
    unsigned line = 1;
    if (offset > file->text.len)
        offset = file->text.len;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    *out_line = line;
    *out_column = (unsigned)(offset - line_start) + 1;
}

/* What a terminal would act on is shown as "?"; a sequence that was cut is dropped. */
static struct gh_str printable(struct gh_arena *arena, char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    }
    if (len == TEXT_BYTES_MAX) {
        while (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
            len--;
        if (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0xc0)
            len--;
    }
    struct gh_str copy = gh_arena_dup(arena, gh_str_of(text, len));
    return copy.ptr ? copy : GH_STR("no memory for the message");
}

/* The last warning, which gives way to an error when there are too many; count: there is none. */
static size_t last_warning(const struct gh_openapi_problems *problems)
{
    for (size_t at = problems->count; at > 0; at--) {
        if (problems->items[at - 1].severity == GH_OPENAPI_WARNING)
            return at - 1;
    }
    return problems->count;
}

static bool has_room(const struct gh_openapi_problems *problems, enum gh_openapi_severity severity)
{
    return problems->count < GH_OPENAPI_PROBLEMS_MAX ||
           (severity == GH_OPENAPI_ERROR && last_warning(problems) < problems->count);
}

static void append(struct gh_openapi_problems *problems, struct gh_openapi_problem problem)
{
    if (problems->count == GH_OPENAPI_PROBLEMS_MAX) {
        size_t at = last_warning(problems);
        memmove(&problems->items[at], &problems->items[at + 1],
                (problems->count - at - 1) * sizeof(problems->items[0]));
        problems->count--;
    }
    problems->items[problems->count++] = problem;
}

/* What many operations refer to is looked at by each of them. */
static bool was_told(const struct gh_openapi_problems *problems,
                     const struct gh_openapi_problem *problem)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct gh_openapi_problem *other = &problems->items[i];
        if (other->line == problem->line && other->column == problem->column &&
            gh_str_eq(other->what, problem->what) && gh_str_eq(other->file, problem->file))
            return true;
    }
    return false;
}

static void count(struct gh_openapi_problems *problems, enum gh_openapi_severity severity)
{
    if (severity == GH_OPENAPI_ERROR)
        problems->error_count++;
    else
        problems->warning_count++;
}

void gh_openapi_problem_vput(struct gh_openapi_problems *problems, struct gh_arena *arena,
                             enum gh_openapi_severity severity, const struct gh_openapi_file *file,
                             size_t offset, const char *remedy, const char *format, va_list list)
{
    char text[TEXT_BYTES_MAX + 1];
    struct gh_openapi_problem problem = {.severity = severity};
    if (!has_room(problems, severity)) {
        count(problems, severity);
        return;
    }
    int len = vsnprintf(text, sizeof(text), format, list);
    size_t kept = len < 0 ? 0 : (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
    problem.what = printable(arena, text, kept);
    struct gh_str remedy_text = gh_str_from_c(remedy);
    if (remedy_text.len)
        problem.remedy = gh_arena_dup(arena, remedy_text);
    if (!problem.remedy.ptr)
        problem.remedy = GH_STR("");
    if (file)
        problem.file = file->path;
    if (file && offset != GH_OPENAPI_NO_OFFSET)
        gh_openapi_place(file, offset, &problem.line, &problem.column);
    if (was_told(problems, &problem))
        return;
    count(problems, severity);
    append(problems, problem);
}

void gh_openapi_problem_put(struct gh_openapi_problems *problems, struct gh_arena *arena,
                            enum gh_openapi_severity severity, const struct gh_openapi_file *file,
                            size_t offset, const char *remedy, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    gh_openapi_problem_vput(problems, arena, severity, file, offset, remedy, format, list);
    va_end(list);
}

void gh_openapi_problem_add(struct gh_openapi_problems *problems, struct gh_arena *arena,
                            enum gh_openapi_severity severity, struct gh_openapi_at at,
                            const char *remedy, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    gh_openapi_problem_vput(problems, arena, severity, at.file,
                            at.value ? at.value->start : GH_OPENAPI_NO_OFFSET, remedy, format,
                            list);
    va_end(list);
}

/* Is there nothing between a name and its value but the colon, space, remarks and an anchor? */
static bool is_gap(struct gh_str gap)
{
    bool colon = false;
    size_t i = 0;
    if (gap.len && (gap.ptr[0] == '"' || gap.ptr[0] == '\''))
        i = 1;
    while (i < gap.len) {
        char c = gap.ptr[i];
        if (c == '#' || (c == '&' && colon)) {
            while (i < gap.len && gap.ptr[i] != '\n' && (c == '#' || gap.ptr[i] != ' '))
                i++;
            continue;
        }
        if (c == ':' && !colon)
            colon = true;
        else if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return false;
        i++;
    }
    return colon;
}

size_t gh_openapi_name_offset(const struct gh_openapi_file *file,
                              const struct gh_json_value *member)
{
    struct gh_str text = file->text, name = member->name;
    size_t start = member->start;
    if (!name.ptr || start > text.len || name.len > start)
        return start;
    size_t lowest = start > NAME_BYTES_MAX ? start - NAME_BYTES_MAX : 0;
    for (size_t at = start - name.len; at + 1 > lowest; at--) {
        struct gh_str found = gh_str_of(text.ptr + at, name.len);
        size_t behind = at + name.len;
        if (gh_str_eq(found, name) && is_gap(gh_str_of(text.ptr + behind, start - behind)))
            return at > 0 && (text.ptr[at - 1] == '"' || text.ptr[at - 1] == '\'') ? at - 1 : at;
        if (at == 0)
            break;
    }
    return start;
}

static size_t file_rank(const struct gh_openapi_file *const *files, size_t count,
                        struct gh_str path)
{
    size_t rank = 0;
    while (rank < count && !gh_str_eq(files[rank]->path, path))
        rank++;
    return rank;
}

static bool is_before(const struct gh_openapi *openapi, const struct gh_openapi_problem *a,
                      const struct gh_openapi_problem *b)
{
    size_t rank_a = file_rank(openapi->files, openapi->file_count, a->file);
    size_t rank_b = file_rank(openapi->files, openapi->file_count, b->file);
    if (rank_a != rank_b)
        return rank_a < rank_b;
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

void gh_openapi_problems_sort(const struct gh_openapi *openapi,
                              struct gh_openapi_problems *problems)
{
    for (size_t i = 1; i < problems->count; i++) {
        struct gh_openapi_problem moved = problems->items[i];
        size_t at = i;
        for (; at > 0 && is_before(openapi, &moved, &problems->items[at - 1]); at--)
            problems->items[at] = problems->items[at - 1];
        problems->items[at] = moved;
    }
}
