/* Between operations: identifiers, templates that match the same paths, security schemes. */
#include "openapi/structure.h"

#include <stdlib.h>

struct named {
    struct gh_str name;
    struct gh_openapi_at at;
};

static int compare(const void *a, const void *b)
{
    const struct named *one = a, *other = b;
    int order = gh_str_compare(one->name, other->name);
    if (order == 0)
        order = gh_str_compare(one->at.file->path, other->at.file->path);
    if (order)
        return order;
    uint32_t start = one->at.value->start, other_start = other->at.value->start;
    return start < other_start ? -1 : start > other_start;
}

static void tell_repeated(struct gh_openapi_loader *loader, struct named *names, size_t count)
{
    qsort(names, count, sizeof(*names), compare);
    for (size_t i = 1; i < count; i++) {
        if (gh_str_eq(names[i - 1].name, names[i].name) &&
            names[i].at.value != names[i - 1].at.value)
            gh_openapi_warning(loader, names[i].at, NULL, "the operationId \"%.*s\" is not unique",
                               GH_STR_ARG(names[i].name));
    }
}

static void check_ids(struct gh_openapi_loader *loader)
{
    const struct gh_openapi *openapi = loader->openapi;
    size_t count = 0;
    struct named *names =
        gh_arena_zalloc(loader->arena, openapi->operation_count + 1, sizeof(*names));
    if (!names) {
        gh_openapi_no_memory(loader);
        return;
    }
    for (size_t i = 0; i < openapi->operation_count; i++) {
        const struct gh_openapi_operation *operation = &openapi->operations[i];
        if (operation->id.ptr)
            names[count++] =
                (struct named){operation->id, gh_openapi_member(operation->at, "operationId")};
        else
            gh_openapi_warning_at_name(loader, operation->at, NULL, "%.*s %.*s has no operationId",
                                       GH_STR_ARG(operation->method), GH_STR_ARG(operation->path));
    }
    tell_repeated(loader, names, count);
}

/* With the names taken out, so that those that match the same paths are equal. */
static struct gh_str shape_of(struct gh_arena *arena, struct gh_str path)
{
    char *memory = gh_arena_alloc(arena, path.len + 1);
    size_t len = 0;
    if (!memory)
        return (struct gh_str){0};
    for (struct gh_str rest = path; rest.ptr;) {
        struct gh_str segment = gh_str_split(&rest, '/');
        bool is_expression = segment.len > 2 && segment.ptr[0] == '{';
        struct gh_str text = is_expression ? GH_STR("{}") : segment;
        if (text.len)
            memcpy(memory + len, text.ptr, text.len);
        len += text.len;
        if (rest.ptr)
            memory[len++] = '/';
    }
    return gh_str_of(memory, len);
}

/* Has an operation of `path` the method of one of `other`? */
static bool share_method(const struct gh_openapi *openapi, struct gh_str path, struct gh_str other)
{
    for (size_t i = 0; i < openapi->operation_count; i++) {
        if (!gh_str_eq(openapi->operations[i].path, path))
            continue;
        for (size_t j = 0; j < openapi->operation_count; j++)
            if (gh_str_eq(openapi->operations[j].path, other) &&
                gh_str_eq(openapi->operations[j].method, openapi->operations[i].method))
                return true;
    }
    return false;
}

/* Of three, each two are looked at. Generators make a path of its own for each name that a function
   has for its parameter: that is against the specification, but clear where the methods differ. */
static void check_same_paths(struct gh_openapi_loader *loader, const struct named *shapes,
                             size_t first, size_t index)
{
    struct gh_openapi_at at = shapes[index].at;
    for (size_t i = first; i < index; i++) {
        struct gh_str other = shapes[i].at.value->name;
        if (!share_method(loader->openapi, at.value->name, other))
            continue;
        gh_openapi_error_at_name(loader, at, "name their parameters alike, and make them one path",
                                 "\"%.*s\" matches the same paths as \"%.*s\"",
                                 GH_STR_ARG(at.value->name), GH_STR_ARG(other));
        return;
    }
    gh_openapi_warning_at_name(
        loader, at, "name their parameters alike, and make them one path",
        "\"%.*s\" matches the same paths as \"%.*s\"; they are taken together, by method",
        GH_STR_ARG(at.value->name), GH_STR_ARG(shapes[first].at.value->name));
}

static void check_paths(struct gh_openapi_loader *loader)
{
    const struct gh_openapi_file *file = loader->files[0];
    struct gh_openapi_at paths =
        gh_openapi_member(GH_OPENAPI_AT(file, gh_json_root(&file->doc)), "paths");
    if (!paths.value || paths.value->kind != GH_JSON_OBJECT)
        return;
    struct named *shapes = gh_arena_zalloc(loader->arena, paths.value->count + 1, sizeof(*shapes));
    size_t count = 0;
    for (const struct gh_json_value *path = gh_json_first(&file->doc, paths.value); path && shapes;
         path = gh_json_after(&file->doc, paths.value, path)) {
        struct gh_str shape = shape_of(loader->arena, path->name);
        if (!shape.ptr)
            shapes = NULL;
        else
            shapes[count++] = (struct named){shape, {file, path}};
    }
    if (!shapes) {
        gh_openapi_no_memory(loader);
        return;
    }
    qsort(shapes, count, sizeof(*shapes), compare);
    for (size_t i = 1, first = 0; i < count; i++) {
        if (gh_str_eq(shapes[i - 1].name, shapes[i].name))
            check_same_paths(loader, shapes, first, i);
        else
            first = i;
    }
}

static void check_requirement(struct gh_openapi_loader *loader, struct gh_openapi_at requirement)
{
    const struct gh_openapi_file *file = loader->files[0];
    struct gh_openapi_at root = {file, gh_json_root(&file->doc)};
    struct gh_openapi_at schemes =
        gh_openapi_member(gh_openapi_member(root, "components"), "securitySchemes");
    const struct gh_json_doc *doc = &requirement.file->doc;
    for (const struct gh_json_value *name = gh_json_first(doc, requirement.value); name;
         name = gh_json_after(doc, requirement.value, name)) {
        if (!schemes.value || !gh_json_get(&file->doc, schemes.value, name->name))
            gh_openapi_error_at_name(loader, GH_OPENAPI_AT(requirement.file, name),
                                     "declare it in components, securitySchemes",
                                     "there is no security scheme \"%.*s\"",
                                     GH_STR_ARG(name->name));
    }
}

static void check_security(struct gh_openapi_loader *loader)
{
    for (size_t i = 0; i < loader->file_count; i++) {
        const struct gh_openapi_file *file = loader->files[i];
        for (size_t k = 0; k < file->doc.count; k++) {
            const struct gh_json_value *value = &file->doc.values[k];
            if ((loader->marks[i][k] & GH_MARK_ANY(GH_KIND_SECURITY)) &&
                value->kind == GH_JSON_OBJECT)
                check_requirement(loader, GH_OPENAPI_AT(file, value));
        }
    }
}

void gh_openapi_check_operations(struct gh_openapi_loader *loader)
{
    check_ids(loader);
    check_paths(loader);
    check_security(loader);
    if (loader->openapi->operation_count == 0 && loader->problems->error_count == 0)
        gh_openapi_warning(loader, GH_OPENAPI_AT(loader->files[0], NULL), NULL,
                           "the document has no operations");
}
