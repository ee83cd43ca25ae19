/* Content types, and which of the declared media ranges (RFC 9110 section 12.5.1) they fall under.
 */
#include "openapi/check_job.h"

/* "token" or a quoted string without escapes; *rest moves behind it. ptr NULL: neither. */
static struct gh_str take_parameter_value(struct gh_str *rest)
{
    struct gh_str value = *rest;
    bool is_quoted = gh_str_starts_with(value, GH_STR("\""));
    if (!is_quoted) {
        size_t len = 0;
        while (len < value.len && gh_is_token_char(value.ptr[len]))
            len++;
        *rest = gh_str_skip(value, len);
        return len ? gh_str_first(value, len) : (struct gh_str){0};
    }
    value = gh_str_skip(value, 1);
    size_t end = gh_str_find_char(value, '"');
    if (end == value.len || gh_str_find_char(value, '\\') < end)
        return (struct gh_str){0};
    *rest = gh_str_skip(value, end + 1);
    return gh_str_first(value, end);
}

static struct gh_str skip_ows(struct gh_str s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = gh_str_skip(s, 1);
    return s;
}

/* *rest begins behind a ';'. */
static bool read_parameter(struct gh_str *rest, struct gh_content_type *out)
{
    *rest = skip_ows(*rest);
    size_t equals = gh_str_find_char(*rest, '=');
    struct gh_str name = gh_str_first(*rest, equals);
    if (equals == rest->len || !gh_is_token(name))
        return false;
    *rest = gh_str_skip(*rest, equals + 1);
    struct gh_str value = take_parameter_value(rest);
    bool is_charset = gh_str_ieq(name, GH_STR("charset"));
    if (!value.ptr || (is_charset && out->charset.ptr))
        return false;
    if (is_charset)
        out->charset = value;
    *rest = skip_ows(*rest);
    return true;
}

bool gh_content_type_parse(struct gh_str text, struct gh_content_type *out)
{
    struct gh_str rest = text;
    *out = (struct gh_content_type){.type = gh_str_trim_ows(gh_str_split(&rest, ';'))};
    struct gh_str subtype = out->type, type = gh_str_split(&subtype, '/');
    if (!subtype.ptr || !gh_is_token(type) || !gh_is_token(subtype))
        return false;
    /* A range is no type. */
    if (gh_str_find_char(out->type, '*') < out->type.len)
        return false;
    while (rest.ptr) {
        if (!read_parameter(&rest, out))
            return false;
        if (rest.len && rest.ptr[0] != ';')
            return false;
        rest = rest.len ? gh_str_skip(rest, 1) : (struct gh_str){0};
    }
    return true;
}

bool gh_media_range_matches(struct gh_str range, struct gh_str type)
{
    if (gh_str_eq(range, GH_STR("*/*")))
        return true;
    if (!gh_str_ends_with(range, GH_STR("/*")))
        return gh_str_ieq(range, type);
    struct gh_str with_slash = gh_str_first(range, range.len - 1);
    return gh_str_ieq(with_slash, gh_str_first(type, with_slash.len));
}

static bool ends_with_any_case(struct gh_str s, struct gh_str end)
{
    return s.len >= end.len && gh_str_ieq(gh_str_skip(s, s.len - end.len), end);
}

enum gh_openapi_body_kind gh_media_kind(struct gh_str type)
{
    if (gh_str_ieq(type, GH_STR("application/json")) || ends_with_any_case(type, GH_STR("+json")))
        return GH_OPENAPI_BODY_JSON;
    if (gh_str_ieq(type, GH_STR("application/x-www-form-urlencoded")))
        return GH_OPENAPI_BODY_FORM;
    if (gh_str_ieq(gh_str_first(type, 10), GH_STR("multipart/")))
        return GH_OPENAPI_BODY_MULTIPART;
    if (gh_str_ieq(gh_str_first(type, 5), GH_STR("text/")))
        return GH_OPENAPI_BODY_TEXT;
    return GH_OPENAPI_BODY_OPAQUE;
}

static void refuse_type(struct gh_input_job *job, const char *message)
{
    gh_input_add(job, (struct gh_input_place){.part = GH_INPUT_BODY}, GH_STR("content_type"), "%s",
                 message);
}

/* Its parameters: is the body what we'll read it as? */
static bool has_good_parameters(struct gh_input_job *job, const struct gh_content_type *type,
                                const struct gh_input_checked *checked)
{
    struct gh_multipart multipart;
    bool is_utf8 = !type->charset.ptr || gh_str_ieq(type->charset, GH_STR("utf-8"));
    switch (checked->kind) {
    case GH_OPENAPI_BODY_OPAQUE:
        return true;
    case GH_OPENAPI_BODY_MULTIPART:
        if (gh_multipart_init(&multipart, checked->content_type, &job->limits->multipart) ==
            GH_MULTIPART_OK)
            return true;
        refuse_type(job, "must be multipart/form-data with a boundary and nothing else");
        return false;
    case GH_OPENAPI_BODY_JSON:
    case GH_OPENAPI_BODY_FORM:
    case GH_OPENAPI_BODY_TEXT:
        if (!is_utf8)
            refuse_type(job, "must be in UTF-8");
        return is_utf8;
    }
    return false;
}

bool gh_input_find_media(struct gh_input_job *job, const struct gh_openapi_media *media,
                         size_t media_count, struct gh_str content_type,
                         struct gh_input_checked *out)
{
    struct gh_content_type type = {0};
    if (content_type.ptr && !gh_content_type_parse(content_type, &type)) {
        refuse_type(job, "has a malformed content type");
        return false;
    }
    size_t i = 0;
    while (i < media_count &&
           !gh_media_range_matches(media[i].range, type.type.ptr ? type.type : GH_STR("")))
        i++;
    if (i == media_count) {
        refuse_type(job, content_type.ptr ? "has a content type that is not declared"
                                          : "has no content type");
        return false;
    }
    bool is_range = gh_str_find_char(media[i].range, '*') < media[i].range.len;
    out->kind = !is_range       ? media[i].kind
                : type.type.ptr ? gh_media_kind(type.type)
                                : GH_OPENAPI_BODY_OPAQUE;
    out->content_type = content_type;
    if (!has_good_parameters(job, &type, out))
        return false;
    out->media = &media[i];
    return true;
}
