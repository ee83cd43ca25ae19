/* Parameter Objects of an operation (OpenAPI 3.1.1, section 4.8.12). */
#include "openapi/loader.h"

#define PARAMETERS_MAX 256

/* The parameters of one operation while they are collected. */
struct collection {
    struct gh_openapi_loader *loader;
    struct gh_openapi_template template;
    bool has_good_template; /* else it was told, and what follows from it is moot */
    struct gh_str path;
    struct gh_openapi_parameter *items;
    size_t count;
    size_t path_item_count; /* so many of the path's come first */
};

static bool in_of(struct gh_str name, enum gh_parameter_in *out_in)
{
    static const char *const NAMES[] = {"path", "query", "header", "cookie"};
    static const enum gh_parameter_in PLACES[] = {GH_IN_PATH, GH_IN_QUERY, GH_IN_HEADER,
                                                  GH_IN_COOKIE};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(NAMES[i]))) {
            *out_in = PLACES[i];
            return true;
        }
    }
    return false;
}

struct style {
    const char *name;
    enum gh_parameter_style style;
    unsigned places; /* bits of enum gh_parameter_in */
};

#define IN(place) (1U << (place))

static const struct style STYLES[] = {
    {"simple", GH_STYLE_SIMPLE, IN(GH_IN_PATH) | IN(GH_IN_HEADER)},
    {"label", GH_STYLE_LABEL, IN(GH_IN_PATH)},
    {"matrix", GH_STYLE_MATRIX, IN(GH_IN_PATH)},
    {"form", GH_STYLE_FORM, IN(GH_IN_QUERY) | IN(GH_IN_COOKIE)},
    {"spaceDelimited", GH_STYLE_SPACE_DELIMITED, IN(GH_IN_QUERY)},
    {"pipeDelimited", GH_STYLE_PIPE_DELIMITED, IN(GH_IN_QUERY)},
    {"deepObject", GH_STYLE_DEEP_OBJECT, IN(GH_IN_QUERY)},
};

static void read_style(struct gh_openapi_loader *loader, struct gh_openapi_parameter *parameter)
{
    static const char *const REMEDIES[] = {
        [GH_IN_PATH] = "of paths it is simple, label or matrix",
        [GH_IN_QUERY] = "of queries it is form, spaceDelimited, pipeDelimited or deepObject",
        [GH_IN_HEADER] = "of headers it is simple",
        [GH_IN_COOKIE] = "of cookies it is form",
    };
    bool is_form = parameter->in == GH_IN_QUERY || parameter->in == GH_IN_COOKIE;
    struct gh_openapi_at at = gh_openapi_member(parameter->at, "style");
    struct gh_str name = gh_json_string(at.value);
    const struct style *found = NULL;
    parameter->style = is_form ? GH_STYLE_FORM : GH_STYLE_SIMPLE;
    for (size_t i = 0; name.ptr && i < sizeof(STYLES) / sizeof(STYLES[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(STYLES[i].name)))
            found = &STYLES[i];
    }
    if (found && (found->places & IN(parameter->in)))
        parameter->style = found->style;
    else if (name.ptr)
        gh_openapi_error(loader, at, REMEDIES[parameter->in], "the style \"%.*s\" can't be here",
                         GH_STR_ARG(name));
    parameter->explode =
        gh_openapi_flag(parameter->at, "explode", parameter->style == GH_STYLE_FORM);
}

/* `content` has one media type, of which the value is written. */
static void read_content(struct gh_openapi_loader *loader, struct gh_openapi_at content,
                         struct gh_openapi_parameter *parameter)
{
    if (content.value->kind != GH_JSON_OBJECT)
        return;
    if (content.value->count != 1) {
        gh_openapi_error(loader, content, NULL,
                         "the content of a parameter must have exactly one media type");
        return;
    }
    struct gh_openapi_at media = {content.file, gh_json_first(&content.file->doc, content.value)};
    struct gh_str range = gh_openapi_media_range(loader->arena, media.value->name);
    if (!range.ptr) {
        gh_openapi_no_memory(loader);
        return;
    }
    parameter->is_json = gh_openapi_is_json_type(range);
    if (!parameter->is_json && !gh_str_starts_with(range, GH_STR("text/")))
        gh_openapi_error_at_name(loader, media, "use application/json, or a schema and a style",
                                 "a parameter of \"%.*s\" can't be checked", GH_STR_ARG(range));
    parameter->schema_at = gh_openapi_member(media, "schema");
}

static void read_schema(struct gh_openapi_loader *loader, struct gh_openapi_parameter *parameter)
{
    struct gh_openapi_at schema = gh_openapi_member(parameter->at, "schema");
    struct gh_openapi_at content = gh_openapi_member(parameter->at, "content");
    if (schema.value && content.value)
        gh_openapi_error_at_name(loader, content, "keep one of them",
                                 "a parameter has either \"schema\" or \"content\"");
    else if (!schema.value && !content.value)
        gh_openapi_error(loader, parameter->at, NULL,
                         "the parameter \"%.*s\" has neither \"schema\" nor \"content\"",
                         GH_STR_ARG(parameter->name));
    parameter->schema_at = schema;
    if (content.value && !schema.value)
        read_content(loader, content, parameter);
    parameter->schema = gh_openapi_compile(loader, parameter->schema_at);
}

/* Which expression of the template it is; false: none, which is told. */
static bool find_expression(struct collection *collection, struct gh_openapi_parameter *parameter)
{
    struct gh_openapi_loader *loader = collection->loader;
    const struct gh_openapi_template *template = &collection->template;
    for (size_t i = 0; i < template->count; i++) {
        if (gh_str_eq(template->names[i], parameter->name)) {
            parameter->path_index = (unsigned)i;
            if (!parameter->required)
                gh_openapi_error(loader, parameter->at, "add \"required: true\"",
                                 "the path parameter \"%.*s\" must be required",
                                 GH_STR_ARG(parameter->name));
            return true;
        }
    }
    if (collection->has_good_template)
        gh_openapi_error(loader, parameter->at, NULL,
                         "the path parameter \"%.*s\" does not stand in \"%.*s\"",
                         GH_STR_ARG(parameter->name), GH_STR_ARG(collection->path));
    return false;
}

/* These are described elsewhere in the document, so the specification has them ignored here. */
static bool is_ignored(const struct gh_openapi_parameter *parameter)
{
    return parameter->in == GH_IN_HEADER && (gh_str_ieq(parameter->name, GH_STR("accept")) ||
                                             gh_str_ieq(parameter->name, GH_STR("content-type")) ||
                                             gh_str_ieq(parameter->name, GH_STR("authorization")));
}

static bool is_same(const struct gh_openapi_parameter *a, const struct gh_openapi_parameter *b)
{
    return a->in == b->in &&
           (a->in == GH_IN_HEADER ? gh_str_ieq(a->name, b->name) : gh_str_eq(a->name, b->name));
}

/* A parameter of the operation takes the place of the path's; two in one list are a mistake. */
static struct gh_openapi_parameter *find_place(struct collection *collection,
                                               const struct gh_openapi_parameter *parameter,
                                               bool of_operation)
{
    for (size_t i = 0; i < collection->count; i++) {
        if (!is_same(&collection->items[i], parameter))
            continue;
        if (of_operation && i < collection->path_item_count)
            return &collection->items[i];
        gh_openapi_error(collection->loader, parameter->at, "keep one of them",
                         "the parameter \"%.*s\" stands in the list already",
                         GH_STR_ARG(parameter->name));
        return NULL;
    }
    if (collection->count == PARAMETERS_MAX) {
        gh_openapi_error(collection->loader, parameter->at, NULL,
                         "an operation has more than %d parameters", PARAMETERS_MAX);
        return NULL;
    }
    return &collection->items[collection->count++];
}

static void read_one(struct collection *collection, struct gh_openapi_at at, bool of_operation)
{
    struct gh_openapi_loader *loader = collection->loader;
    struct gh_openapi_parameter parameter = {.at = gh_openapi_follow(loader, at),
                                             .schema = GH_OPENAPI_NO_SCHEMA};
    struct gh_openapi_at in = gh_openapi_member(parameter.at, "in");
    parameter.name = gh_json_string(gh_openapi_member(parameter.at, "name").value);
    if (!parameter.name.ptr || !gh_json_string(in.value).ptr)
        return; /* the walk over the structure told */
    if (!in_of(in.value->text, &parameter.in)) {
        gh_openapi_error(loader, in, "it is path, query, header or cookie",
                         "there are no parameters in \"%.*s\"", GH_STR_ARG(in.value->text));
        return;
    }
    if (is_ignored(&parameter)) {
        gh_openapi_warning(loader, parameter.at, NULL,
                           "a parameter for the header \"%.*s\" is ignored, as OpenAPI says",
                           GH_STR_ARG(parameter.name));
        return;
    }
    parameter.required = gh_openapi_flag(parameter.at, "required", false);
    parameter.allow_reserved = gh_openapi_flag(parameter.at, "allowReserved", false);
    parameter.allow_empty =
        parameter.in == GH_IN_QUERY && gh_openapi_flag(parameter.at, "allowEmptyValue", false);
    if (parameter.in == GH_IN_PATH && !find_expression(collection, &parameter))
        return;
    read_style(loader, &parameter);
    read_schema(loader, &parameter);
    struct gh_openapi_parameter *place = find_place(collection, &parameter, of_operation);
    if (place)
        *place = parameter;
}

static void read_list(struct collection *collection, struct gh_openapi_at list, bool of_operation)
{
    if (!list.value || list.value->kind != GH_JSON_ARRAY)
        return;
    for (const struct gh_json_value *item = gh_json_first(&list.file->doc, list.value); item;
         item = gh_json_after(&list.file->doc, list.value, item))
        read_one(collection, GH_OPENAPI_AT(list.file, item), of_operation);
}

static bool is_before(const struct gh_openapi_parameter *a, const struct gh_openapi_parameter *b)
{
    return a->in != b->in ? a->in < b->in : a->path_index < b->path_index;
}

static void sort(struct gh_openapi_parameter *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct gh_openapi_parameter moved = items[i];
        size_t at = i;
        for (; at > 0 && is_before(&moved, &items[at - 1]); at--)
            items[at] = items[at - 1];
        items[at] = moved;
    }
}

static void tell_missing(const struct collection *collection, struct gh_openapi_at operation)
{
    for (size_t i = 0; i < collection->template.count; i++) {
        bool there = false;
        for (size_t k = 0; k < collection->count; k++)
            there |= collection->items[k].in == GH_IN_PATH && collection->items[k].path_index == i;
        if (!there)
            gh_openapi_error_at_name(collection->loader, operation, NULL,
                                     "\"{%.*s}\" of the path has no parameter",
                                     GH_STR_ARG(collection->template.names[i]));
    }
}

bool gh_openapi_read_parameters(struct gh_openapi_loader *loader, struct gh_openapi_at path_item,
                                struct gh_openapi_at operation, struct gh_openapi_operation *out)
{
    struct collection collection = {.loader = loader, .path = out->path};
    struct gh_openapi_at shared = gh_openapi_member(path_item, "parameters");
    struct gh_openapi_at own = gh_openapi_member(operation, "parameters");
    size_t max = 1 + (shared.value ? shared.value->count : 0) + (own.value ? own.value->count : 0);
    collection.items = gh_arena_zalloc(loader->arena, max < PARAMETERS_MAX ? max : PARAMETERS_MAX,
                                       sizeof(*collection.items));
    if (!collection.items)
        return false;
    collection.has_good_template =
        gh_openapi_template_read(out->path, &collection.template) == GH_OPENAPI_TEMPLATE_OK;
    read_list(&collection, shared, false);
    collection.path_item_count = collection.count;
    read_list(&collection, own, true);
    if (collection.has_good_template)
        tell_missing(&collection, operation);
    sort(collection.items, collection.count);
    out->parameters = collection.items;
    out->parameter_count = collection.count;
    return true;
}
