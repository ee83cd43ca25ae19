#include "app/input_documents.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "openapi/openapi.h"

/* Of one document; errors are all told. */
#define WARNINGS_MAX 20

/* ---- Files ---- */

static enum gh_err error_of_errno(void)
{
    return errno == ENOENT || errno == ENOTDIR ? GH_ERR_NOT_FOUND : GH_ERR_IO;
}

static enum gh_err read_all(int fd, size_t size, struct gh_arena *arena, struct gh_str *out_text)
{
    char *memory = gh_arena_alloc(arena, size + 1);
    size_t len = 0;
    if (!memory)
        return GH_ERR_MEMORY;
    while (len < size) {
        ssize_t got = read(fd, memory + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return GH_ERR_IO;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    *out_text = gh_str_of(memory, len);
    return GH_OK;
}

/* Only regular files: a pipe would keep a reload waiting. */
static enum gh_err read_file(void *context, struct gh_arena *arena, struct gh_str path,
                             struct gh_str *out_text)
{
    (void)context;
    struct stat facts;
    struct gh_str name = gh_arena_dup(arena, path);
    if (!name.ptr)
        return GH_ERR_MEMORY;
    int fd = open(name.ptr, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_of_errno();
    enum gh_err err = GH_OK;
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        err = GH_ERR_IO;
    else if (facts.st_size > (off_t)GH_OPENAPI_FILE_BYTES_MAX)
        err = GH_ERR_FULL;
    else
        err = read_all(fd, (size_t)facts.st_size, arena, out_text);
    close(fd);
    return err;
}

struct gh_str gh_input_path(const struct gh_config_load *load, struct gh_str path)
{
    struct gh_str file = gh_str_from_c(load->file_name);
    size_t len = file.len;
    while (len && file.ptr[len - 1] != '/')
        len--;
    if (!len || (path.len && path.ptr[0] == '/'))
        return path;
    return gh_arena_format(load->arena, "%.*s%.*s", (int)len, file.ptr, GH_STR_ARG(path));
}

/* ---- Documents ---- */

static bool same_map(const struct gh_config_map *a, const struct gh_config_map *b)
{
    const struct gh_str *paths = a->items, *others = b->items;
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!gh_str_eq(a->keys[i], b->keys[i]) || !gh_str_eq(paths[i], others[i]))
            return false;
    return true;
}

static bool same_document(const struct gh_input_settings *a, const struct gh_input_settings *b)
{
    return gh_str_eq(a->openapi, b->openapi) && a->formats == b->formats &&
           a->responses == b->responses && same_map(&a->schemas, &b->schemas);
}

static void take_problem(struct gh_config_load *load, const struct gh_openapi_problem *problem)
{
    gh_config_problem_add_in(
        load, problem->file,
        problem->severity == GH_OPENAPI_ERROR ? GH_CONFIG_ERROR : GH_CONFIG_WARNING,
        (struct gh_config_place){problem->line, problem->column}, problem->what, problem->remedy);
}

/* Warnings of a large document must not crowd out the errors of the configuration. */
static void take_problems(struct gh_config_load *load, struct gh_str path,
                          const struct gh_openapi_problems *problems)
{
    unsigned warnings = 0;
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].severity == GH_OPENAPI_ERROR)
            take_problem(load, &problems->items[i]);
    for (size_t i = 0; i < problems->count && warnings < WARNINGS_MAX; i++)
        if (problems->items[i].severity == GH_OPENAPI_WARNING) {
            take_problem(load, &problems->items[i]);
            warnings++;
        }
    if (problems->warning_count <= warnings)
        return;
    struct gh_str more = gh_arena_format(load->arena, "%u more warnings are not shown",
                                         problems->warning_count - warnings);
    gh_config_problem_add_in(load, path, GH_CONFIG_WARNING, (struct gh_config_place){0, 0},
                             more.ptr ? more : GH_STR("more warnings are not shown"), GH_STR(""));
}

static void refuse(struct gh_config_load *load, const struct gh_input_settings *input)
{
    gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &input->openapi), NULL,
                          "the document %.*s can't be used",
                          GH_STR_ARG(gh_config_show(load->arena, input->openapi)));
}

/* Some error names a line, so that it is known what to mend. */
static bool is_placed(const struct gh_openapi_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        if (problems->items[i].severity == GH_OPENAPI_ERROR && problems->items[i].line)
            return true;
    return false;
}

static const struct gh_openapi *load_document(struct gh_config_load *load,
                                              const struct gh_input_settings *input)
{
    const struct gh_str *paths = input->schemas.items;
    struct gh_openapi_problems *problems = gh_arena_zalloc(load->arena, 1, sizeof(*problems));
    struct gh_openapi_mapping *mappings =
        gh_arena_zalloc(load->arena, input->schemas.count, sizeof(*mappings));
    struct gh_str path = gh_input_path(load, input->openapi);
    if (!problems || !mappings || !path.ptr)
        return NULL;
    for (size_t i = 0; i < input->schemas.count; i++) {
        mappings[i] =
            (struct gh_openapi_mapping){input->schemas.keys[i], gh_input_path(load, paths[i])};
        if (!mappings[i].path.ptr)
            return NULL;
    }
    const struct gh_openapi_source source = {
        .read = read_file, .mappings = mappings, .mapping_count = input->schemas.count};
    const struct gh_openapi_options options = {
        .assert_formats = input->formats == GH_INPUT_FORMATS_ASSERT,
        .responses = input->responses == GH_INPUT_RESPONSES_OBSERVE,
    };
    const struct gh_openapi *document =
        gh_openapi_load(load->arena, &source, path, &options, problems);
    take_problems(load, path, problems);
    if (!document && !is_placed(problems))
        refuse(load, input);
    return document;
}

void gh_input_documents_load(struct gh_config_load *load, struct gh_root_settings *settings)
{
    struct gh_route_settings *routes = settings->policy.routes.items;
    for (size_t i = 0; i < settings->policy.routes.count; i++) {
        struct gh_input_settings *input = &routes[i].input;
        if (!input->openapi.len || input->mode == GH_MODE_OFF)
            continue;
        size_t same = 0;
        while (same < i && (routes[same].input.mode == GH_MODE_OFF ||
                            !same_document(&routes[same].input, input)))
            same++;
        unsigned before = load->error_count;
        if (same < i)
            input->document = routes[same].input.document;
        else
            input->document = load_document(load, input);
        if (!input->document && same == i && load->error_count == before)
            refuse(load, input);
    }
}
