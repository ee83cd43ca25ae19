/* Views of schemas, and following references between the files of a document. */
#include "openapi/lint_view.h"

#include "schema/pointer.h"
#include "schema/uri.h"

/* ---- References ---- */

static const struct gh_openapi_file *file_of(const struct gh_openapi *openapi, struct gh_str uri)
{
    for (size_t i = 0; i < openapi->file_count; i++)
        if (gh_str_eq(openapi->files[i]->uri, uri))
            return openapi->files[i];
    return NULL;
}

/* Anchors are rare: the whole tape is looked along. */
static const struct gh_json_value *find_anchor(const struct gh_json_doc *doc, struct gh_str name)
{
    for (size_t i = 0; i < doc->count; i++) {
        const struct gh_json_value *value = &doc->values[i];
        if (value->kind != GH_JSON_OBJECT)
            continue;
        struct gh_str anchor = gh_json_string(gh_json_get(doc, value, GH_STR("$anchor")));
        if (!anchor.ptr)
            anchor = gh_json_string(gh_json_get(doc, value, GH_STR("$dynamicAnchor")));
        if (anchor.ptr && gh_str_eq(anchor, name))
            return value;
    }
    return NULL;
}

static const struct gh_json_value *find_fragment(const struct gh_openapi_file *file,
                                                 struct gh_str fragment)
{
    if (fragment.len && fragment.ptr[0] != '/')
        return find_anchor(&file->doc, fragment);
    return gh_json_pointer_find(&file->doc, gh_json_root(&file->doc), fragment);
}

struct gh_openapi_at gh_lint_follow(const struct gh_openapi *openapi,
                                    const struct gh_openapi_file *file, struct gh_str reference)
{
    struct gh_openapi_at none = {NULL, NULL};
    struct gh_arena scratch;
    gh_arena_init(&scratch, 1024, 64u * 1024);
    struct gh_uri parts = gh_uri_split(reference);
    size_t hash = gh_str_find_char(reference, '#');
    struct gh_str fragment =
        parts.fragment.ptr ? gh_uri_decode(&scratch, parts.fragment) : GH_STR("");
    const struct gh_openapi_file *target = file;
    if (hash > 0)
        target =
            file_of(openapi, gh_uri_resolve(&scratch, file->uri, gh_str_first(reference, hash)));
    struct gh_openapi_at at = none;
    if (target && target->doc.values && fragment.ptr)
        at = (struct gh_openapi_at){target, find_fragment(target, fragment)};
    gh_arena_done(&scratch);
    return at;
}

/* ---- Views ---- */

static bool has_part(const struct gh_lint_view *view, const struct gh_json_value *value)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->parts[i].value == value)
            return true;
    return false;
}

static void not_followed(struct gh_lint_view *view, struct gh_openapi_at at)
{
    view->not_followed = true;
    if (!view->reference.value)
        view->reference = at;
}

/* One schema object, without what it refers to. */
static bool add_part(struct gh_lint_view *view, struct gh_openapi_at schema)
{
    if (!schema.value || has_part(view, schema.value))
        return false;
    if (schema.value->kind == GH_JSON_BOOL && !schema.value->boolean)
        view->is_false = true;
    if (view->count == GH_LINT_VIEW_MAX) {
        not_followed(view, schema);
        return false;
    }
    view->parts[view->count++] = schema;
    return true;
}

static void add_reference(struct gh_lint_view *view, struct gh_openapi_at schema)
{
    static const char *const NAMES[] = {"$ref", "$dynamicRef"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        struct gh_str reference = gh_json_string(gh_lint_get(schema, gh_str_from_c(NAMES[i])));
        if (!reference.ptr)
            continue;
        struct gh_openapi_at target = gh_lint_follow(view->openapi, schema.file, reference);
        if (target.value)
            add_part(view, target);
        else
            not_followed(view, schema);
    }
}

static bool is_only_reference(const struct gh_openapi *openapi, struct gh_openapi_at schema)
{
    return gh_lint_get(schema, GH_STR("$ref")) && (openapi->is_3_0 || schema.value->count == 1);
}

bool gh_lint_view_add(struct gh_lint_view *view, struct gh_openapi_at schema)
{
    size_t at = view->count;
    if (!add_part(view, schema))
        return false;
    for (; at < view->count; at++) { /* grows while it runs */
        struct gh_openapi_at part = view->parts[at];
        add_reference(view, part);
        if (is_only_reference(view->openapi, part))
            continue;
        if (!view->root.value)
            view->root = part;
        const struct gh_json_value *all = gh_lint_get(part, GH_STR("allOf"));
        const struct gh_json_doc *doc = &part.file->doc;
        for (const struct gh_json_value *item = all ? gh_json_first(doc, all) : NULL; item;
             item = gh_json_after(doc, all, item))
            add_part(view, (struct gh_openapi_at){part.file, item});
    }
    if (!view->root.value)
        view->root = schema;
    return true;
}

const struct gh_json_value *gh_lint_view_get(const struct gh_lint_view *view, struct gh_str name,
                                             struct gh_openapi_at *out_part)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct gh_json_value *value = gh_lint_get(view->parts[i], name);
        if (!value || is_only_reference(view->openapi, view->parts[i]))
            continue;
        if (out_part)
            *out_part = view->parts[i];
        return value;
    }
    return NULL;
}

/* ---- Kinds ---- */

#define KIND(name) (1u << GH_JSON_##name)
#define INTEGER    (1u << 6)

static unsigned kind_of_name(struct gh_str name)
{
    static const struct {
        const char *name;
        unsigned kinds;
    } NAMES[] = {
        {"string", KIND(STRING)}, {"number", KIND(NUMBER)}, {"integer", INTEGER},
        {"boolean", KIND(BOOL)},  {"array", KIND(ARRAY)},   {"object", KIND(OBJECT)},
        {"null", KIND(NULL)},
    };
    for (size_t i = 0; name.ptr && i < sizeof(NAMES) / sizeof(NAMES[0]); i++)
        if (gh_str_eq(name, gh_str_from_c(NAMES[i].name)))
            return NAMES[i].kinds;
    return 0;
}

static unsigned kinds_of_type(struct gh_openapi_at part, const struct gh_json_value *type)
{
    unsigned kinds = 0;
    const struct gh_json_doc *doc = &part.file->doc;
    if (type->kind != GH_JSON_ARRAY)
        return kind_of_name(gh_json_string(type));
    for (const struct gh_json_value *item = gh_json_first(doc, type); item;
         item = gh_json_after(doc, type, item))
        kinds |= kind_of_name(gh_json_string(item));
    return kinds;
}

unsigned gh_lint_view_types(const struct gh_lint_view *view, bool *out_integer)
{
    unsigned all = 0;
    bool any = false;
    for (size_t i = 0; i < view->count; i++) {
        const struct gh_json_value *type = gh_lint_get(view->parts[i], GH_STR("type"));
        if (!type || is_only_reference(view->openapi, view->parts[i]))
            continue;
        unsigned kinds = kinds_of_type(view->parts[i], type);
        if (any && (kinds & KIND(NUMBER)) && (all & INTEGER))
            kinds |= INTEGER;
        if (any && (all & KIND(NUMBER)) && (kinds & INTEGER))
            all |= INTEGER;
        all = any ? all & kinds : kinds;
        any = true;
    }
    *out_integer = (all & INTEGER) && !(all & KIND(NUMBER));
    return (all & INTEGER) ? (all & ~INTEGER) | KIND(NUMBER) : all;
}

unsigned gh_lint_view_implied(const struct gh_lint_view *view)
{
    static const struct {
        const char *keyword;
        unsigned kinds;
    } KEYWORDS[] = {
        {"properties", KIND(OBJECT)},    {"additionalProperties", KIND(OBJECT)},
        {"required", KIND(OBJECT)},      {"patternProperties", KIND(OBJECT)},
        {"maxProperties", KIND(OBJECT)}, {"items", KIND(ARRAY)},
        {"prefixItems", KIND(ARRAY)},    {"maxItems", KIND(ARRAY)},
        {"pattern", KIND(STRING)},       {"maxLength", KIND(STRING)},
        {"minLength", KIND(STRING)},     {"format", KIND(STRING)},
        {"minimum", KIND(NUMBER)},       {"maximum", KIND(NUMBER)},
    };
    unsigned kinds = 0;
    for (size_t i = 0; i < sizeof(KEYWORDS) / sizeof(KEYWORDS[0]); i++)
        if (gh_lint_view_get(view, gh_str_from_c(KEYWORDS[i].keyword), NULL))
            kinds |= KEYWORDS[i].kinds;
    return kinds;
}
