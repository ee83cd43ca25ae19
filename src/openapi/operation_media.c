/* Media Type Objects: which bodies are what, and how they are written. */
#include "openapi/loader.h"

struct gh_str gh_openapi_media_range(struct gh_arena *arena, struct gh_str type)
{
    struct gh_str range = gh_str_trim_ows(gh_str_first(type, gh_str_find_char(type, ';')));
    char *lower = gh_arena_alloc(arena, range.len ? range.len : 1);
    if (!lower)
        return (struct gh_str){0};
    for (size_t i = 0; i < range.len; i++)
        lower[i] = gh_ascii_lower(range.ptr[i]);
    return gh_str_of(lower, range.len);
}

bool gh_openapi_is_json_type(struct gh_str type)
{
    return gh_str_eq(type, GH_STR("application/json")) || gh_str_ends_with(type, GH_STR("+json"));
}

static enum gh_openapi_body_kind kind_of(struct gh_str range)
{
    if (gh_openapi_is_json_type(range))
        return GH_OPENAPI_BODY_JSON;
    if (gh_str_eq(range, GH_STR("application/x-www-form-urlencoded")))
        return GH_OPENAPI_BODY_FORM;
    if (gh_str_eq(range, GH_STR("multipart/form-data")))
        return GH_OPENAPI_BODY_MULTIPART;
    if (gh_str_starts_with(range, GH_STR("text/")))
        return GH_OPENAPI_BODY_TEXT;
    return GH_OPENAPI_BODY_OPAQUE;
}

/* 2: one type; 1: any subtype; 0: anything. */
static unsigned specificity(struct gh_str range)
{
    if (gh_str_eq(range, GH_STR("*/*")))
        return 0;
    return gh_str_ends_with(range, GH_STR("/*")) ? 1 : 2;
}

static bool is_token(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = gh_ascii_lower(text.ptr[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              (c && strchr("!#$%&'*+-.^_`|~", c))))
            return false;
    }
    return text.len > 0;
}

static bool is_range(struct gh_str range)
{
    size_t slash = gh_str_find_char(range, '/');
    struct gh_str type = gh_str_first(range, slash), subtype = gh_str_skip(range, slash + 1);
    bool any_type = gh_str_eq(type, GH_STR("*")), any_subtype = gh_str_eq(subtype, GH_STR("*"));
    return is_token(type) && is_token(subtype) && (!any_type || any_subtype);
}

/* Does it say more of an opaque body than that it is a string of bytes? */
static bool has_unchecked_schema(struct gh_openapi_loader *loader, struct gh_openapi_at schema)
{
    struct gh_openapi_at target = gh_openapi_follow(loader, schema);
    if (!target.value || target.value->kind != GH_JSON_OBJECT || target.value->count == 0)
        return false;
    struct gh_str type = gh_json_string(gh_openapi_member(target, "type").value);
    return !gh_str_eq(type, GH_STR("string"));
}

static bool style_of(struct gh_str name, enum gh_parameter_style *out_style)
{
    static const struct {
        const char *name;
        enum gh_parameter_style style;
    } STYLES[] = {
        {"form", GH_STYLE_FORM},
        {"spaceDelimited", GH_STYLE_SPACE_DELIMITED},
        {"pipeDelimited", GH_STYLE_PIPE_DELIMITED},
        {"deepObject", GH_STYLE_DEEP_OBJECT},
    };
    for (size_t i = 0; i < sizeof(STYLES) / sizeof(STYLES[0]); i++) {
        if (gh_str_eq(name, gh_str_from_c(STYLES[i].name))) {
            *out_style = STYLES[i].style;
            return true;
        }
    }
    return false;
}

static void read_encoding(struct gh_openapi_loader *loader, struct gh_openapi_at at,
                          struct gh_openapi_encoding *out)
{
    struct gh_openapi_at style = gh_openapi_member(at, "style");
    struct gh_str types = gh_json_string(gh_openapi_member(at, "contentType").value);
    *out = (struct gh_openapi_encoding){
        .property = at.value->name,
        .content_types = types.ptr ? types : GH_STR(""),
        .style = GH_STYLE_FORM,
        .allow_reserved = gh_openapi_flag(at, "allowReserved", false),
        .styled = style.value || gh_openapi_member(at, "explode").value,
    };
    if (gh_json_string(style.value).ptr && !style_of(style.value->text, &out->style))
        gh_openapi_error(loader, style, "it is form, spaceDelimited, pipeDelimited or deepObject",
                         "there is no style \"%.*s\" of properties", GH_STR_ARG(style.value->text));
    out->explode = gh_openapi_flag(at, "explode", out->style == GH_STYLE_FORM);
}

static bool read_encodings(struct gh_openapi_loader *loader, struct gh_openapi_media *media)
{
    struct gh_openapi_at map = gh_openapi_member(media->at, "encoding");
    if (!map.value || map.value->kind != GH_JSON_OBJECT || map.value->count == 0)
        return true;
    if (media->kind != GH_OPENAPI_BODY_FORM && media->kind != GH_OPENAPI_BODY_MULTIPART) {
        gh_openapi_warning_at_name(loader, map, NULL,
                                   "\"encoding\" has a meaning for forms and multipart only");
        return true;
    }
    struct gh_openapi_encoding *encodings =
        gh_arena_zalloc(loader->arena, map.value->count, sizeof(*encodings));
    if (!encodings)
        return false;
    size_t count = 0;
    for (const struct gh_json_value *item = gh_json_first(&map.file->doc, map.value); item;
         item = gh_json_after(&map.file->doc, map.value, item)) {
        if (item->kind == GH_JSON_OBJECT)
            read_encoding(loader, GH_OPENAPI_AT(map.file, item), &encodings[count++]);
    }
    media->encodings = encodings;
    media->encoding_count = count;
    return true;
}

static bool read_one(struct gh_openapi_loader *loader, struct gh_openapi_media *media)
{
    media->schema = GH_OPENAPI_NO_SCHEMA;
    media->schema_at = gh_openapi_member(media->at, "schema");
    media->kind = kind_of(media->range);
    bool is_opaque = media->kind == GH_OPENAPI_BODY_OPAQUE;
    bool is_unchecked = is_opaque && has_unchecked_schema(loader, media->schema_at);
    bool is_range = specificity(media->range) < 2; /* what comes under it may be JSON */
    if (!is_opaque || (is_unchecked && is_range))
        media->schema = gh_openapi_compile(loader, media->schema_at);
    if (is_unchecked)
        gh_openapi_warning_at_name(
            loader, media->at, is_range ? "name the types that are meant" : NULL,
            "bodies of \"%.*s\" are not checked against a schema%s", GH_STR_ARG(media->range),
            is_range ? " unless they are JSON, a form or text" : "");
    return read_encodings(loader, media);
}

/* Sorted in while they come, so that equal ones stay in order. */
static void insert(struct gh_openapi_media *media, size_t count, struct gh_openapi_media one)
{
    size_t at = count;
    for (; at > 0 && specificity(media[at - 1].range) < specificity(one.range); at--)
        media[at] = media[at - 1];
    media[at] = one;
}

static bool is_known(const struct gh_openapi_media *media, size_t count, struct gh_str range)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(media[i].range, range))
            return true;
    }
    return false;
}

bool gh_openapi_read_media(struct gh_openapi_loader *loader, struct gh_openapi_at content,
                           const struct gh_openapi_media **out_media, size_t *out_count)
{
    *out_media = NULL;
    *out_count = 0;
    if (!content.value || content.value->kind != GH_JSON_OBJECT)
        return true;
    const struct gh_json_doc *doc = &content.file->doc;
    size_t count = 0;
    struct gh_openapi_media *media =
        gh_arena_zalloc(loader->arena, content.value->count + 1, sizeof(*media));
    if (!media)
        return false;
    for (const struct gh_json_value *item = gh_json_first(doc, content.value); item;
         item = gh_json_after(doc, content.value, item)) {
        struct gh_openapi_media one = {.at = {content.file, item}};
        one.range = gh_openapi_media_range(loader->arena, item->name);
        if (!one.range.ptr)
            return false;
        if (!is_range(one.range)) {
            gh_openapi_error_at_name(loader, one.at, "write it as in \"application/json\"",
                                     "\"%.*s\" is no media type", GH_STR_ARG(item->name));
        } else if (is_known(media, count, one.range)) {
            gh_openapi_error_at_name(loader, one.at, "join their schemas with oneOf",
                                     "\"%.*s\" stands here twice; parameters make no difference",
                                     GH_STR_ARG(one.range));
        } else {
            if (!read_one(loader, &one))
                return false;
            insert(media, count++, one);
        }
    }
    *out_media = media;
    *out_count = count;
    return true;
}
