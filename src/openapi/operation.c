/* The paths of a document, compiled into operations. */
#include "openapi/loader.h"

#define OPERATIONS_MAX 10000

struct method {
    const char *name, *text;
    bool no_body; /* a body has no meaning there (RFC 9110, sections 9.3.1, 9.3.2, 9.3.5, 9.3.8) */
};

static const struct method METHODS[] = {
    {"get", "GET", true},       {"put", "PUT", false},         {"post", "POST", false},
    {"delete", "DELETE", true}, {"options", "OPTIONS", false}, {"head", "HEAD", true},
    {"patch", "PATCH", false},  {"trace", "TRACE", true},
};

static const struct method *method_of(struct gh_str name)
{
    for (size_t i = 0; i < sizeof(METHODS) / sizeof(METHODS[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(METHODS[i].name)))
            return &METHODS[i];
    }
    return NULL;
}

static struct gh_openapi_at root_of(const struct gh_openapi_loader *loader)
{
    const struct gh_openapi_file *file = loader->files[0];
    return GH_OPENAPI_AT(file, gh_json_root(&file->doc));
}

static bool is_secured(const struct gh_openapi_loader *loader, struct gh_openapi_at operation)
{
    struct gh_openapi_at list = gh_openapi_member(operation, "security");
    if (!list.value)
        list = gh_openapi_member(root_of(loader), "security");
    if (!list.value || list.value->kind != GH_JSON_ARRAY || list.value->count == 0)
        return false;
    /* An empty one among them makes security optional. */
    for (const struct gh_json_value *item = gh_json_first(&list.file->doc, list.value); item;
         item = gh_json_after(&list.file->doc, list.value, item)) {
        if (item->count == 0)
            return false;
    }
    return true;
}

static bool read_body(struct gh_openapi_loader *loader, const struct method *method,
                      struct gh_openapi_operation *operation)
{
    struct gh_openapi_at at = gh_openapi_member(operation->at, "requestBody");
    if (!at.value)
        return true;
    if (method->no_body)
        gh_openapi_warning_at_name(loader, at, NULL, "the body of a %s request has no meaning",
                                   method->text);
    operation->body_at = gh_openapi_follow(loader, at);
    operation->has_body = true;
    operation->body_required = gh_openapi_flag(operation->body_at, "required", false);
    struct gh_openapi_at content = gh_openapi_member(operation->body_at, "content");
    if (content.value && content.value->kind == GH_JSON_OBJECT && content.value->count == 0)
        gh_openapi_error(loader, content, NULL, "a body must have at least one media type");
    return gh_openapi_read_media(loader, content, &operation->media, &operation->media_count);
}

/* False: it is none of "200", "2XX" and "default". */
static bool read_status(struct gh_str name, struct gh_openapi_response *response)
{
    if (gh_str_eq(name, GH_STR("default"))) {
        response->status_max = 999;
        return true;
    }
    if (name.len != 3 || name.ptr[0] < '1' || name.ptr[0] > '5')
        return false;
    unsigned hundreds = (unsigned)(name.ptr[0] - '0') * 100;
    if (name.ptr[1] == 'X' && name.ptr[2] == 'X') {
        response->status_min = hundreds;
        response->status_max = hundreds + 99;
        return true;
    }
    if (name.ptr[1] < '0' || name.ptr[1] > '9' || name.ptr[2] < '0' || name.ptr[2] > '9')
        return false;
    response->status_min = response->status_max =
        hundreds + (unsigned)(name.ptr[1] - '0') * 10 + (unsigned)(name.ptr[2] - '0');
    return true;
}

static unsigned width(const struct gh_openapi_response *response)
{
    return response->status_max - response->status_min;
}

/* The narrowest first. */
static void insert(struct gh_openapi_response *responses, size_t count,
                   struct gh_openapi_response one)
{
    size_t at = count;
    for (; at > 0 && width(&responses[at - 1]) > width(&one); at--)
        responses[at] = responses[at - 1];
    responses[at] = one;
}

static bool read_responses(struct gh_openapi_loader *loader, struct gh_openapi_operation *operation)
{
    struct gh_openapi_at map = gh_openapi_member(operation->at, "responses");
    if (!map.value || map.value->kind != GH_JSON_OBJECT)
        return true;
    struct gh_openapi_response *responses =
        gh_arena_zalloc(loader->arena, map.value->count + 1, sizeof(*responses));
    size_t count = 0;
    if (!responses)
        return false;
    for (const struct gh_json_value *item = gh_json_first(&map.file->doc, map.value); item;
         item = gh_json_after(&map.file->doc, map.value, item)) {
        struct gh_openapi_response one = {.at = {map.file, item}};
        if (gh_str_starts_with(item->name, GH_STR("x-")))
            continue;
        if (!read_status(item->name, &one)) {
            gh_openapi_error_at_name(loader, one.at, "it is \"200\", \"2XX\" or \"default\"",
                                     "\"%.*s\" is no status", GH_STR_ARG(item->name));
            continue;
        }
        one.at = gh_openapi_follow(loader, one.at);
        if (loader->options->responses &&
            !gh_openapi_read_media(loader, gh_openapi_member(one.at, "content"), &one.media,
                                   &one.media_count))
            return false;
        insert(responses, count++, one);
    }
    operation->responses = responses;
    operation->response_count = count;
    return true;
}

static void check_servers(struct gh_openapi_loader *loader, struct gh_openapi_at at)
{
    struct gh_openapi_at servers = gh_openapi_member(at, "servers");
    if (servers.value && servers.value->count > 0)
        gh_openapi_warning_at_name(loader, servers, NULL,
                                   "servers of a path or an operation don't count, only the first "
                                   "of the document does");
}

static bool read_operation(struct gh_openapi_loader *loader, const struct method *method,
                           struct gh_openapi_at path_item, struct gh_openapi_operation *operation)
{
    operation->method = gh_str_from_c(method->text);
    operation->id = gh_json_string(gh_openapi_member(operation->at, "operationId").value);
    check_servers(loader, operation->at);
    operation->secured = is_secured(loader, operation->at);
    return gh_openapi_read_parameters(loader, path_item, operation->at, operation) &&
           read_body(loader, method, operation) && read_responses(loader, operation);
}

static void check_template(struct gh_openapi_loader *loader, struct gh_openapi_at path)
{
    static const char *const TEXTS[] = {
        [GH_OPENAPI_TEMPLATE_OK] = NULL,
        [GH_OPENAPI_TEMPLATE_NO_SLASH] = "must begin with \"/\"",
        [GH_OPENAPI_TEMPLATE_PARTIAL] = "has an expression that is not a whole segment",
        [GH_OPENAPI_TEMPLATE_BRACE] = "has a brace without its other, or with no name",
        [GH_OPENAPI_TEMPLATE_REPEATED] = "has one expression twice",
        [GH_OPENAPI_TEMPLATE_TOO_MANY] = "has too many expressions",
        [GH_OPENAPI_TEMPLATE_URL] = "has a query or a fragment",
    };
    struct gh_openapi_template template;
    enum gh_openapi_template_status status = gh_openapi_template_read(path.value->name, &template);
    if (status != GH_OPENAPI_TEMPLATE_OK)
        gh_openapi_error_at_name(
            loader, path,
            status == GH_OPENAPI_TEMPLATE_URL ? "declare query parameters under \"parameters\""
                                              : NULL,
            "the path \"%.*s\" %s", GH_STR_ARG(path.value->name), TEXTS[status]);
}

/* Operations of one path item, appended to `operations`. */
static bool read_path(struct gh_openapi_loader *loader, struct gh_openapi_at path,
                      struct gh_openapi_operation *operations, size_t *count)
{
    struct gh_openapi_at item = gh_openapi_follow(loader, path);
    check_template(loader, path);
    if (!item.value || item.value->kind != GH_JSON_OBJECT)
        return true;
    check_servers(loader, item);
    for (const struct gh_json_value *member = gh_json_first(&item.file->doc, item.value); member;
         member = gh_json_after(&item.file->doc, item.value, member)) {
        const struct method *method = method_of(member->name);
        if (!method || member->kind != GH_JSON_OBJECT)
            continue;
        if (*count == OPERATIONS_MAX) {
            gh_openapi_error(loader, path, NULL, "there are more than %d operations",
                             OPERATIONS_MAX);
            return true;
        }
        struct gh_openapi_operation *operation = &operations[(*count)++];
        operation->path = path.value->name;
        operation->at = GH_OPENAPI_AT(item.file, member);
        if (!read_operation(loader, method, item, operation))
            return false;
    }
    return true;
}

bool gh_openapi_read_operations(struct gh_openapi_loader *loader)
{
    struct gh_openapi_at paths = gh_openapi_member(root_of(loader), "paths");
    if (!paths.value || paths.value->kind != GH_JSON_OBJECT)
        return true;
    size_t max = (size_t)paths.value->count * (sizeof(METHODS) / sizeof(METHODS[0])), count = 0;
    struct gh_openapi_operation *operations = gh_arena_zalloc(
        loader->arena, max < OPERATIONS_MAX ? max + 1 : OPERATIONS_MAX, sizeof(*operations));
    if (!operations)
        return false;
    for (const struct gh_json_value *path = gh_json_first(&paths.file->doc, paths.value); path;
         path = gh_json_after(&paths.file->doc, paths.value, path)) {
        if (!gh_str_starts_with(path->name, GH_STR("x-")) &&
            !read_path(loader, GH_OPENAPI_AT(paths.file, path), operations, &count))
            return false;
    }
    loader->openapi->operations = operations;
    loader->openapi->operation_count = count;
    return true;
}
