#include "openapi/load_fixture.h"

#include <stdio.h>

#include "base/buf.h"

#define ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)

static enum gh_err read_text(void *context, struct gh_arena *arena, struct gh_str path,
                             struct gh_str *out_text)
{
    const struct gh_test_load *load = context;
    for (const struct gh_test_text *text = load->texts; text->path; text++) {
        if (gh_str_eq(path, gh_str_from_c(text->path))) {
            *out_text = gh_arena_dup(arena, gh_str_from_c(text->text));
            return out_text->ptr ? GH_OK : GH_ERR_MEMORY;
        }
    }
    return GH_ERR_NOT_FOUND;
}

static enum gh_err read_file(void *context, struct gh_arena *arena, struct gh_str path,
                             struct gh_str *out_text)
{
    char name[4096];
    snprintf(name, sizeof(name), "%.*s", GH_STR_ARG(path));
    FILE *file = fopen(name, "rb");
    if (!file)
        return GH_ERR_NOT_FOUND;
    char *memory = gh_arena_alloc(arena, GH_OPENAPI_FILE_BYTES_MAX);
    size_t len = memory ? fread(memory, 1, GH_OPENAPI_FILE_BYTES_MAX, file) : 0;
    fclose(file);
    *out_text = gh_str_of(memory, len);
    return memory ? GH_OK : GH_ERR_MEMORY;
}

void gh_test_load(struct gh_test_load *load)
{
    struct gh_openapi_source source = {.context = load,
                                       .read = read_text,
                                       .mappings = load->mappings,
                                       .mapping_count = load->mapping_count};
    gh_arena_init(&load->arena, load->arena_max ? 256 : 65536,
                  load->arena_max ? load->arena_max : ARENA_BYTES_MAX);
    load->openapi = gh_openapi_load(&load->arena, &source, gh_str_from_c(load->texts[0].path),
                                    &load->options, &load->problems);
}

bool gh_test_load_file(struct gh_test_load *load, const char *path)
{
    struct gh_openapi_source source = {.context = load, .read = read_file};
    char name[4096];
    snprintf(name, sizeof(name), "%s/%s", GH_SOURCE_ROOT, path);
    FILE *file = fopen(name, "rb");
    if (!file)
        return false;
    fclose(file);
    gh_arena_init(&load->arena, 65536, ARENA_BYTES_MAX);
    load->openapi = gh_openapi_load(&load->arena, &source, gh_str_from_c(name), &load->options,
                                    &load->problems);
    return true;
}

void gh_test_load_done(struct gh_test_load *load)
{
    gh_arena_done(&load->arena);
}

const char *gh_test_problems(struct gh_test_load *load)
{
    size_t cap = 256 * 1024;
    char *memory = gh_arena_alloc(&load->arena, cap);
    if (!memory)
        return "no memory";
    struct gh_buf buf = gh_buf_over(memory, cap - 1);
    for (size_t i = 0; i < load->problems.count; i++) {
        const struct gh_openapi_problem *problem = &load->problems.items[i];
        struct gh_str file = problem->file;
        for (size_t at; (at = gh_str_find_char(file, '/')) < file.len;)
            file = gh_str_skip(file, at + 1);
        gh_buf_format(&buf, "%.*s:%u:%u: %s: %.*s%s%.*s\n", GH_STR_ARG(file), problem->line,
                      problem->column, problem->severity == GH_OPENAPI_ERROR ? "error" : "warning",
                      GH_STR_ARG(problem->what), problem->remedy.len ? "; " : "",
                      GH_STR_ARG(problem->remedy));
    }
    memory[buf.len] = '\0';
    return memory;
}
