/* Reading the files: the document itself and those that references lead to. */
#include "base/utf8.h"
#include "openapi/loader.h"
#include "openapi/place.h"
#include "openapi/yaml_read.h"
#include "schema/uri.h"

#define MEMBERS_MAX 65536 /* of one object */

void gh_openapi_error(struct gh_openapi_loader *loader, struct gh_openapi_at at, const char *remedy,
                      const char *format, ...)
{
    va_list list;
    va_start(list, format);
    gh_openapi_problem_vput(loader->problems, loader->arena, GH_OPENAPI_ERROR, at.file,
                            at.value ? at.value->start : GH_OPENAPI_NO_OFFSET, remedy, format,
                            list);
    va_end(list);
}

void gh_openapi_warning(struct gh_openapi_loader *loader, struct gh_openapi_at at,
                        const char *remedy, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    gh_openapi_problem_vput(loader->problems, loader->arena, GH_OPENAPI_WARNING, at.file,
                            at.value ? at.value->start : GH_OPENAPI_NO_OFFSET, remedy, format,
                            list);
    va_end(list);
}

void gh_openapi_error_at_name(struct gh_openapi_loader *loader, struct gh_openapi_at at,
                              const char *remedy, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    gh_openapi_problem_vput(loader->problems, loader->arena, GH_OPENAPI_ERROR, at.file,
                            gh_openapi_name_offset(at.file, at.value), remedy, format, list);
    va_end(list);
}

void gh_openapi_warning_at_name(struct gh_openapi_loader *loader, struct gh_openapi_at at,
                                const char *remedy, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    gh_openapi_problem_vput(loader->problems, loader->arena, GH_OPENAPI_WARNING, at.file,
                            gh_openapi_name_offset(at.file, at.value), remedy, format, list);
    va_end(list);
}

void gh_openapi_no_memory(struct gh_openapi_loader *loader)
{
    if (!loader->no_memory)
        gh_openapi_error(loader,
                         (struct gh_openapi_at){loader->file_count ? loader->files[0] : NULL}, NULL,
                         "the document takes too much memory");
    loader->no_memory = true;
}

size_t gh_openapi_file_index(const struct gh_openapi_loader *loader,
                             const struct gh_openapi_file *file)
{
    size_t index = 0;
    while (index < loader->file_count && loader->files[index] != file)
        index++;
    return index;
}

static bool is_json(const struct gh_openapi_file *file)
{
    static const char SPACE[] = " \t\r\n";
    size_t at = 0;
    while (at < file->text.len && file->text.ptr[at] && strchr(SPACE, file->text.ptr[at]))
        at++;
    bool is_yaml = gh_str_ends_with(file->path, GH_STR(".yaml")) ||
                   gh_str_ends_with(file->path, GH_STR(".yml"));
    return !is_yaml && at < file->text.len && file->text.ptr[at] == '{';
}

static bool read_json(struct gh_openapi_loader *loader, struct gh_openapi_file *file)
{
    static const struct gh_json_limits LIMITS = {.bytes_max = GH_OPENAPI_FILE_BYTES_MAX + 1,
                                                 .depth_max = GH_OPENAPI_DEPTH_MAX,
                                                 .values_max = GH_OPENAPI_VALUES_MAX,
                                                 .members_max = MEMBERS_MAX};
    size_t offset = 0;
    enum gh_json_status status =
        gh_json_parse(loader->arena, file->text, &LIMITS, &file->doc, &offset);
    if (status == GH_JSON_OK)
        return true;
    struct gh_str text = gh_json_status_text(status);
    gh_openapi_problem_put(loader->problems, loader->arena, GH_OPENAPI_ERROR, file, offset, NULL,
                           "this is no JSON: %.*s", GH_STR_ARG(text));
    return false;
}

static bool parse(struct gh_openapi_loader *loader, struct gh_openapi_file *file)
{
    struct gh_openapi_at whole = {file, NULL};
    if (gh_str_starts_with(file->text, GH_STR("\xef\xbb\xbf"))) {
        gh_openapi_error(loader, whole, "save it as UTF-8 without one",
                         "the file begins with a byte order mark");
        return false;
    }
    size_t at = 0, len;
    while ((len = gh_utf8_sequence_len(gh_str_skip(file->text, at))) > 0)
        at += len;
    if (at < file->text.len) {
        gh_openapi_problem_put(loader->problems, loader->arena, GH_OPENAPI_ERROR, file, at,
                               "save it as UTF-8", "the file is not UTF-8");
        return false;
    }
    return is_json(file) ? read_json(loader, file)
                         : gh_openapi_yaml_read(loader->arena, file, loader->problems);
}

static void tell_unread(struct gh_openapi_loader *loader, enum gh_err err, struct gh_str path,
                        struct gh_openapi_at from)
{
    if (err == GH_ERR_NOT_FOUND)
        gh_openapi_error(loader, from, NULL, "there is no file \"%.*s\"", GH_STR_ARG(path));
    else if (err == GH_ERR_FULL)
        gh_openapi_error(loader, from, NULL, "the file \"%.*s\" is over %u MiB", GH_STR_ARG(path),
                         GH_OPENAPI_FILE_BYTES_MAX >> 20);
    else
        gh_openapi_error(loader, from, NULL, "the file \"%.*s\" can't be read: %s",
                         GH_STR_ARG(path), gh_err_text(err));
}

static const struct gh_openapi_file *read_file(struct gh_openapi_loader *loader, struct gh_str path,
                                               struct gh_str uri, struct gh_openapi_at from)
{
    if (loader->file_count == GH_OPENAPI_FILES_MAX) {
        gh_openapi_error(loader, from, "put some of them together",
                         "the document is spread over more than %d files", GH_OPENAPI_FILES_MAX);
        return NULL;
    }
    struct gh_openapi_file *file = gh_arena_zalloc(loader->arena, 1, sizeof(*file));
    if (!file) {
        gh_openapi_no_memory(loader);
        return NULL;
    }
    *file = (struct gh_openapi_file){.path = gh_arena_dup(loader->arena, path), .uri = uri};
    enum gh_err err =
        loader->source->read(loader->source->context, loader->arena, path, &file->text);
    if (err == GH_OK && file->text.len > GH_OPENAPI_FILE_BYTES_MAX)
        err = GH_ERR_FULL;
    if (err != GH_OK || !file->path.ptr) {
        if (!from.file)
            from.file = file;
        tell_unread(loader, err, path, from);
        return NULL;
    }
    if (!parse(loader, file))
        return NULL;
    size_t index = loader->file_count;
    loader->marks[index] =
        gh_arena_zalloc(loader->arena, file->doc.count, sizeof(*loader->marks[index]));
    if (!loader->marks[index]) {
        gh_openapi_no_memory(loader);
        return NULL;
    }
    loader->files[loader->file_count++] = file;
    return file;
}

const struct gh_openapi_file *gh_openapi_read_path(struct gh_openapi_loader *loader,
                                                   struct gh_str path, struct gh_openapi_at from)
{
    struct gh_str uri = gh_openapi_uri_of_path(loader->arena, path);
    if (!uri.ptr) {
        gh_openapi_no_memory(loader);
        return NULL;
    }
    return read_file(loader, path, uri, from);
}

static const struct gh_openapi_mapping *find_mapping(const struct gh_openapi_source *source,
                                                     struct gh_str uri)
{
    for (size_t i = 0; i < source->mapping_count; i++) {
        if (gh_str_eq(source->mappings[i].uri, uri))
            return &source->mappings[i];
    }
    return NULL;
}

static const struct gh_openapi_file *read_new_uri(struct gh_openapi_loader *loader,
                                                  struct gh_str uri, struct gh_openapi_at from)
{
    const struct gh_openapi_mapping *mapping = find_mapping(loader->source, uri);
    if (mapping)
        return read_file(loader, mapping->path, uri, from);
    if (!gh_str_starts_with(uri, GH_STR("file:"))) {
        struct gh_str remedy = gh_arena_format(
            loader->arena, "map it to a file: schemas: {\"%.*s\": FILE}", GH_STR_ARG(uri));
        gh_openapi_error(loader, from, remedy.ptr, "\"%.*s\" is not fetched from the network",
                         GH_STR_ARG(uri));
        return NULL;
    }
    struct gh_str path = gh_openapi_path_of_uri(loader->arena, uri);
    if (!path.ptr || memchr(path.ptr, '\0', path.len)) {
        gh_openapi_error(loader, from, NULL, "\"%.*s\" is no path of a file", GH_STR_ARG(uri));
        return NULL;
    }
    return read_file(loader, path, uri, from);
}

const struct gh_openapi_file *gh_openapi_file_of(const struct gh_openapi_loader *loader,
                                                 struct gh_str uri)
{
    for (size_t i = 0; i < loader->file_count; i++) {
        if (gh_str_eq(loader->files[i]->uri, uri))
            return loader->files[i];
    }
    return NULL;
}

bool gh_openapi_is_identifier(const struct gh_openapi_loader *loader, struct gh_str uri)
{
    if (loader->is_3_0)
        return false;
    if (gh_str_starts_with(uri, GH_STR("https://json-schema.org/draft/2020-12/")))
        return true;
    for (size_t i = 0; i < loader->file_count; i++) {
        const struct gh_openapi_file *file = loader->files[i];
        for (size_t k = 0; k < file->doc.count; k++) {
            const struct gh_json_value *value = &file->doc.values[k];
            if (value->kind != GH_JSON_STRING || !gh_str_eq(value->name, GH_STR("$id")))
                continue;
            struct gh_str id = gh_uri_resolve(loader->arena, file->uri, value->text);
            if (id.ptr && gh_str_eq(id, uri))
                return true;
        }
    }
    return false;
}

const struct gh_openapi_file *gh_openapi_read_uri(struct gh_openapi_loader *loader,
                                                  struct gh_str uri, struct gh_openapi_at from)
{
    const struct gh_openapi_file *file = gh_openapi_file_of(loader, uri);
    if (file)
        return file;
    for (size_t i = 0; i < loader->missing_count; i++) {
        if (gh_str_eq(loader->missing[i], uri))
            return NULL;
    }
    file = read_new_uri(loader, uri, from);
    if (!file && loader->missing_count < GH_OPENAPI_FILES_MAX)
        loader->missing[loader->missing_count++] = uri;
    return file;
}
