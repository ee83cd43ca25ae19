/* A load: its list of problems, and the memory of where each setting was written. */
#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "config/origins.h"

/* A message longer than this is cut; texts from the file in it are cut much earlier. */
#define MESSAGE_BYTES_MAX 1024

/* Buckets of the address table: a configuration has hundreds of settings, not millions. */
#define ORIGIN_BUCKETS 1024

struct origin {
    const void *field;
    struct gh_config_place place;
    struct origin *next;
};

struct gh_config_origins {
    struct origin *buckets[ORIGIN_BUCKETS];
};

void gh_config_load_init(struct gh_config_load *load, struct gh_arena *arena, const char *file_name,
                         gh_config_getenv *getenv, void *getenv_context)
{
    *load = (struct gh_config_load){
        .arena = arena, .file_name = file_name, .getenv = getenv, .getenv_context = getenv_context};
    load->problems_end = &load->problems;
}

/* Copies a message as it may stand on a terminal and in a log: no control bytes, no passwords. */
static struct gh_str clean_message(struct gh_arena *arena, struct gh_str text)
{
    char memory[MESSAGE_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof memory);
    bool hide = gh_config_has_url_password(text);
    size_t scheme = gh_str_find(text, GH_STR("://"));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (hide && i == scheme + 3) {
            gh_buf_put(&buf, GH_STR("(hidden)"));
            return gh_arena_dup(arena, gh_buf_str(&buf));
        }
        gh_buf_put_char(&buf, c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
    return gh_arena_dup(arena, gh_buf_str(&buf));
}

static void append_problem(struct gh_config_load *load, struct gh_config_problem problem)
{
    if (load->error_count + load->warning_count > GH_CONFIG_PROBLEMS_MAX)
        return;
    struct gh_config_problem *kept = gh_arena_alloc(load->arena, sizeof(*kept));
    if (!kept)
        return; /* it is counted, which is what stops a start */
    *kept = problem;
    *load->problems_end = kept;
    load->problems_end = &kept->next;
}

void gh_config_problem_add(struct gh_config_load *load, enum gh_config_severity severity,
                           struct gh_config_place place, const char *remedy, const char *format,
                           ...)
{
    char text[MESSAGE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof text)
        len = sizeof text - 1;
    gh_config_problem_add_in(load, GH_STR(""), severity, place, gh_str_of(text, (size_t)len),
                             gh_str_from_c(remedy));
}

void gh_config_problem_add_in(struct gh_config_load *load, struct gh_str file,
                              enum gh_config_severity severity, struct gh_config_place place,
                              struct gh_str what, struct gh_str remedy)
{
    bool placeless = load->without_places && !file.len;
    if (severity == GH_CONFIG_ERROR)
        load->error_count++;
    else
        load->warning_count++;
    append_problem(load, (struct gh_config_problem){
                             .severity = severity,
                             .file = file.len ? gh_arena_dup(load->arena, file) : file,
                             .place = placeless ? (struct gh_config_place){0, 0} : place,
                             .what = clean_message(load->arena, what),
                             .remedy = clean_message(load->arena, remedy),
                         });
}

static int compare_texts(struct gh_str a, struct gh_str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static bool stands_after(const struct gh_config_problem *a, const struct gh_config_problem *b)
{
    int files = compare_texts(a->file, b->file);
    if (files)
        return files > 0;
    return a->place.line > b->place.line ||
           (a->place.line == b->place.line && a->place.column > b->place.column);
}

/* Insertion: there are at most GH_CONFIG_PROBLEMS_MAX of them. */
void gh_config_problems_sort(struct gh_config_load *load)
{
    struct gh_config_problem *sorted = NULL, *next;
    for (struct gh_config_problem *problem = load->problems; problem; problem = next) {
        next = problem->next;
        struct gh_config_problem **at = &sorted;
        while (*at && !stands_after(*at, problem))
            at = &(*at)->next;
        problem->next = *at;
        *at = problem;
    }
    load->problems = sorted;
    load->problems_end = &load->problems;
    while (*load->problems_end)
        load->problems_end = &(*load->problems_end)->next;
}

static size_t bucket_of(const void *field)
{
    uintptr_t address = (uintptr_t)field;
    return (address >> 3 ^ address >> 13) % ORIGIN_BUCKETS;
}

void gh_config_origin_add(struct gh_config_load *load, const void *field,
                          struct gh_config_place place)
{
    if (place.line == 0)
        return;
    if (!load->origins)
        load->origins = gh_arena_zalloc(load->arena, 1, sizeof(*load->origins));
    struct origin *origin = gh_arena_alloc(load->arena, sizeof(*origin));
    if (!load->origins || !origin)
        return; /* only a message loses its place */
    struct origin **bucket = &load->origins->buckets[bucket_of(field)];
    *origin = (struct origin){field, place, *bucket};
    *bucket = origin;
}

struct gh_config_place gh_config_where(const struct gh_config_load *load, const void *field)
{
    if (!load->origins)
        return (struct gh_config_place){0, 0};
    for (const struct origin *o = load->origins->buckets[bucket_of(field)]; o; o = o->next) {
        if (o->field == field)
            return o->place;
    }
    return (struct gh_config_place){0, 0};
}
