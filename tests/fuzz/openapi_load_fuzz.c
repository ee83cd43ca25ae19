/* Loading of OpenAPI documents: a first file, and behind a NUL a second one that it may refer to.
 */
#include "base/assert.h"
#include "openapi/openapi.h"

#include <stdlib.h>

#define ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct texts {
    struct gh_str first, second;
};

static enum gh_err read_text(void *context, struct gh_arena *arena, struct gh_str path,
                             struct gh_str *out_text)
{
    const struct texts *texts = context;
    if (gh_str_starts_with(path, GH_STR("a.")))
        *out_text = texts->first;
    else if (gh_str_eq(path, GH_STR("b.yaml")))
        *out_text = texts->second;
    else
        return GH_ERR_NOT_FOUND;
    return GH_OK;
}

/* Every container holds as many as it says, and what follows it begins where it ends. */
static void check_tape(const struct gh_openapi_file *file)
{
    const struct gh_json_value *values = file->doc.values;
    GH_ASSERT(file->doc.count > 0 && values[0].next == file->doc.count);
    for (uint32_t i = 0; i < file->doc.count; i++) {
        uint32_t count = 0, at = i + 1;
        for (; at < values[i].next; at = values[at].next) {
            GH_ASSERT((values[i].kind == GH_JSON_OBJECT) == (values[at].name.ptr != NULL));
            count++;
        }
        GH_ASSERT(at == values[i].next && count == values[i].count);
        GH_ASSERT(values[i].start <= file->text.len && values[i].end <= file->text.len);
        /* A number stands where it is said to, perhaps behind its anchor or tag. */
        if (values[i].kind == GH_JSON_NUMBER)
            GH_ASSERT(values[i].start < file->text.len &&
                      strchr("0123456789+-.!&", file->text.ptr[values[i].start]));
    }
}

static void check_problems(const struct gh_openapi_problems *problems)
{
    GH_ASSERT(problems->count <= problems->error_count + problems->warning_count);
    for (size_t i = 0; i < problems->count; i++) {
        GH_ASSERT(problems->items[i].what.len > 0);
        GH_ASSERT((problems->items[i].line == 0) == (problems->items[i].column == 0));
    }
}

static void load(struct gh_str path, struct texts *texts)
{
    struct gh_openapi_problems *problems = calloc(1, sizeof(*problems));
    struct gh_openapi_source source = {.context = texts, .read = read_text};
    struct gh_openapi_options options = {.assert_formats = true, .responses = true};
    struct gh_arena arena;
    GH_ASSERT(problems);
    gh_arena_init(&arena, 65536, ARENA_BYTES_MAX);
    const struct gh_openapi *openapi = gh_openapi_load(&arena, &source, path, &options, problems);
    GH_ASSERT((openapi == NULL) == (problems->error_count > 0));
    check_problems(problems);
    for (size_t i = 0; openapi && i < openapi->file_count; i++)
        check_tape(openapi->files[i]);
    for (size_t i = 0; openapi && i < openapi->operation_count; i++)
        GH_ASSERT(openapi->operations[i].path.ptr[0] == '/');
    gh_arena_done(&arena);
    free(problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str text = gh_str_of((const char *)data, size);
    size_t cut = gh_str_find_char(text, '\0');
    struct texts texts = {gh_str_first(text, cut), gh_str_skip(text, cut + 1)};
    load(size % 4 == 3 ? GH_STR("a.json") : GH_STR("a.yaml"), &texts);
    return 0;
}
