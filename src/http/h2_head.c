#include "http/h2_head.h"

#include "base/assert.h"
#include "base/num.h"
#include "http/authority.h"
#include "http/byte_class.h"
#include "http/request_head.h"

/* What a field costs beside its bytes (RFC 9113 section 10.5.1). */
#define FIELD_OVERHEAD_BYTES 32
/* Room for fields to begin with, the Host among them; it is doubled up to the limit. */
#define FIRST_FIELDS       24
#define FIRST_COOKIE_BYTES 512

static const struct gh_str PSEUDO_NAMES[GH_H2_PSEUDO_COUNT] = {
    [GH_H2_METHOD] = GH_STR_INIT(":method"),       [GH_H2_SCHEME] = GH_STR_INIT(":scheme"),
    [GH_H2_AUTHORITY] = GH_STR_INIT(":authority"), [GH_H2_PATH] = GH_STR_INIT(":path"),
    [GH_H2_PROTOCOL] = GH_STR_INIT(":protocol"),
};

void gh_h2_head_begin(struct gh_h2_head *head, const struct gh_codec_limits *limits,
                      struct gh_arena *arena, bool is_trailer)
{
    *head = (struct gh_h2_head){
        .limits = limits, .arena = arena, .is_trailer = is_trailer, .error = GH_HTTP_ERROR_NONE};
}

/* ---- One field ---- */

/* Section 8.2: lower case, else a token. */
static bool is_field_name(struct gh_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!gh_byte_is(name.ptr[i], GH_BYTE_TOKEN) || (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z'))
            return false;
    }
    return name.len > 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Section 8.2.1: no control bytes (but a tab inside, as on HTTP/1.1), no space around it. */
static bool is_field_value(struct gh_str value)
{
    if (value.len == 0)
        return true;
    return !is_space(value.ptr[0]) && !is_space(value.ptr[value.len - 1]) &&
           gh_find_control(value.ptr, 0, value.len) == value.len;
}

/* Section 8.2.2. */
static bool is_about_connection(enum gh_field_id id, struct gh_str value)
{
    return id == GH_FIELD_CONNECTION || id == GH_FIELD_PROXY_CONNECTION ||
           id == GH_FIELD_KEEP_ALIVE || id == GH_FIELD_TRANSFER_ENCODING ||
           id == GH_FIELD_UPGRADE || (id == GH_FIELD_TE && !gh_str_ieq(value, GH_STR("trailers")));
}

static enum gh_http_error add_pseudo(struct gh_h2_head *head, struct gh_str name,
                                     struct gh_str value)
{
    size_t which = 0;
    while (which < GH_H2_PSEUDO_COUNT && !gh_str_eq(name, PSEUDO_NAMES[which]))
        which++;
    if (which == GH_H2_PSEUDO_COUNT || head->is_trailer || head->fields_begun ||
        head->pseudo[which].ptr || !is_field_value(value))
        return GH_HTTP_ERROR_MALFORMED;
    if (which == GH_H2_PATH && value.len > head->limits->target_bytes_max)
        return GH_HTTP_ERROR_TARGET_TOO_LONG;
    head->pseudo[which] = gh_arena_dup(head->arena, value);
    return head->pseudo[which].ptr ? GH_HTTP_ERROR_NONE : GH_HTTP_ERROR_MEMORY;
}

/* Room for one more field behind items[0]. */
static bool reserve_item(struct gh_h2_head *head)
{
    if (head->count + 1 < head->cap)
        return true;
    size_t cap = head->cap ? head->cap * 2 : FIRST_FIELDS;
    struct gh_field *items = gh_arena_alloc(head->arena, cap * sizeof(*items));
    if (!items)
        return false;
    if (head->count)
        memcpy(items + 1, head->items + 1, head->count * sizeof(*items));
    head->items = items;
    head->cap = cap;
    return true;
}

/* A cookie may come in crumbs, one pair each, so that HPACK remembers them one by one; it has to be
   one field again for whom it goes to (section 8.2.3). */
static enum gh_http_error add_crumb(struct gh_h2_head *head, struct gh_str value)
{
    size_t needed = head->cookie_len + 2 + value.len;
    if (needed > head->cookie_cap) {
        size_t cap = needed * 2 < FIRST_COOKIE_BYTES ? FIRST_COOKIE_BYTES : needed * 2;
        char *memory = gh_arena_alloc(head->arena, cap);
        if (!memory)
            return GH_HTTP_ERROR_MEMORY;
        struct gh_str before = head->items[head->cookie_at].value;
        if (before.len)
            memcpy(memory, before.ptr, before.len);
        head->cookie = memory;
        head->cookie_cap = cap;
    }
    memcpy(head->cookie + head->cookie_len, "; ", 2);
    if (value.len)
        memcpy(head->cookie + head->cookie_len + 2, value.ptr, value.len);
    head->cookie_len = needed;
    head->items[head->cookie_at].value = gh_str_of(head->cookie, needed);
    return GH_HTTP_ERROR_NONE;
}

/* Name (unless we have it) and value in one piece of memory. */
static bool copy_field(struct gh_h2_head *head, struct gh_field *field)
{
    size_t name_len = field->id == GH_FIELD_OTHER ? field->name.len : 0;
    char *memory = gh_arena_alloc(head->arena, name_len + field->value.len + 1);
    if (!memory)
        return false;
    if (field->value.len)
        memcpy(memory + name_len, field->value.ptr, field->value.len);
    field->value.ptr = memory + name_len;
    if (name_len)
        memcpy(memory, field->name.ptr, name_len);
    field->name = name_len ? gh_str_of(memory, name_len) : gh_field_name(field->id);
    return true;
}

static enum gh_http_error add_field(struct gh_h2_head *head, struct gh_str name,
                                    struct gh_str value)
{
    struct gh_field field = {.name = name, .value = value, .id = gh_field_id_of(name)};
    head->fields_begun = true;
    /* What is as we write it ourselves needs no look at each byte. */
    bool is_name = field.id != GH_FIELD_OTHER && gh_str_eq(name, gh_field_name(field.id));
    if ((!is_name && !is_field_name(name)) || !is_field_value(value) ||
        is_about_connection(field.id, value))
        return GH_HTTP_ERROR_MALFORMED;
    if (field.id == GH_FIELD_COOKIE && head->cookie_at && !head->is_trailer)
        return add_crumb(head, value);
    if (head->count == head->limits->field_count_max)
        return GH_HTTP_ERROR_TOO_MANY_FIELDS;
    if (head->is_trailer) {
        head->count++;
        return GH_HTTP_ERROR_NONE;
    }
    if (!reserve_item(head) || !copy_field(head, &field))
        return GH_HTTP_ERROR_MEMORY;
    head->items[++head->count] = field;
    if (field.id == GH_FIELD_COOKIE) {
        head->cookie_at = head->count;
        head->cookie_len = value.len;
    }
    return GH_HTTP_ERROR_NONE;
}

size_t gh_h2_head_add(struct gh_h2_head *head, struct gh_str name, struct gh_str value)
{
    size_t bytes = name.len + value.len + FIELD_OVERHEAD_BYTES;
    head->list_bytes += bytes;
    if (head->error != GH_HTTP_ERROR_NONE)
        return bytes;
    bool is_pseudo = name.len && name.ptr[0] == ':';
    head->error = is_pseudo ? add_pseudo(head, name, value) : GH_HTTP_ERROR_NONE;
    if (head->error == GH_HTTP_ERROR_NONE && head->list_bytes > head->limits->head_bytes_max)
        head->error = GH_HTTP_ERROR_HEAD_TOO_LARGE;
    if (head->error == GH_HTTP_ERROR_NONE && !is_pseudo)
        head->error = add_field(head, name, value);
    return bytes;
}

/* ---- The list as a whole (section 8.3.1) ---- */

bool gh_h2_head_is_head(const struct gh_h2_head *head)
{
    struct gh_str method = head->pseudo[GH_H2_METHOD];
    return method.ptr && gh_method_of(method) == GH_METHOD_HEAD;
}

static enum gh_http_error read_method(const struct gh_h2_head *head, struct gh_request_head *out)
{
    struct gh_str method = head->pseudo[GH_H2_METHOD];
    bool is_extended = head->pseudo[GH_H2_PROTOCOL].ptr;
    if (!method.ptr || !gh_is_token(method) || method.len > GH_METHOD_BYTES_MAX)
        return GH_HTTP_ERROR_MALFORMED;
    out->method_text = method;
    out->method = gh_method_of(method);
    if (is_extended && out->method != GH_METHOD_CONNECT)
        return GH_HTTP_ERROR_MALFORMED;
    if (out->method == GH_METHOD_TRACE)
        return GH_HTTP_ERROR_METHOD;
    if (out->method != GH_METHOD_CONNECT)
        return GH_HTTP_ERROR_NONE;
    if (!is_extended) { /* section 8.5 */
        bool is_whole = head->pseudo[GH_H2_AUTHORITY].ptr && !head->pseudo[GH_H2_SCHEME].ptr &&
                        !head->pseudo[GH_H2_PATH].ptr;
        return is_whole ? GH_HTTP_ERROR_METHOD : GH_HTTP_ERROR_MALFORMED;
    }
    /* RFC 8441 section 4; there are other protocols, which we don't have. */
    if (!gh_str_ieq(head->pseudo[GH_H2_PROTOCOL], GH_STR("websocket")))
        return GH_HTTP_ERROR_METHOD;
    out->method = GH_METHOD_GET;
    out->method_text = gh_method_name(GH_METHOD_GET);
    out->upgrade_websocket = true;
    return GH_HTTP_ERROR_NONE;
}

static enum gh_http_error read_target(const struct gh_h2_head *head, struct gh_request_head *out)
{
    struct gh_str scheme = head->pseudo[GH_H2_SCHEME];
    if (!scheme.ptr ||
        (!gh_str_ieq(scheme, GH_STR("http")) && !gh_str_ieq(scheme, GH_STR("https"))))
        return GH_HTTP_ERROR_MALFORMED;
    out->target = head->pseudo[GH_H2_PATH];
    if (!out->target.ptr)
        return GH_HTTP_ERROR_MALFORMED;
    return gh_request_read_origin_form(out) ? GH_HTTP_ERROR_NONE : GH_HTTP_ERROR_TARGET;
}

/* The table of fields, with a Host in front where only :authority was there. */
static enum gh_http_error take_fields(struct gh_h2_head *head, struct gh_request_head *out)
{
    struct gh_fields *fields = &out->fields;
    bool has_host = false;
    for (size_t i = 1; i <= head->count; i++)
        has_host = has_host || head->items[i].id == GH_FIELD_HOST;
    if (!has_host && head->pseudo[GH_H2_AUTHORITY].ptr) {
        if (head->count == head->limits->field_count_max)
            return GH_HTTP_ERROR_TOO_MANY_FIELDS;
        if (!head->items && !reserve_item(head))
            return GH_HTTP_ERROR_MEMORY;
        head->items[0] = (struct gh_field){.name = gh_field_name(GH_FIELD_HOST),
                                           .value = head->pseudo[GH_H2_AUTHORITY],
                                           .id = GH_FIELD_HOST};
        fields->items = head->items;
        fields->count = head->count + 1;
    } else {
        fields->items = head->items ? head->items + 1 : NULL;
        fields->count = head->count;
    }
    fields->cap = fields->count;
    for (size_t i = 0; i < fields->count; i++) {
        enum gh_field_id id = fields->items[i].id;
        if (id != GH_FIELD_OTHER && fields->first[id] == 0)
            fields->first[id] = (uint8_t)(i + 1);
    }
    return GH_HTTP_ERROR_NONE;
}

/* Exactly one, as :authority, as Host, or as both and equal. An ill-formed one is refused here and
   not only by the stage that reads it, because it makes the request malformed: its stream ends so.
 */
static enum gh_http_error read_host(const struct gh_h2_head *head, struct gh_request_head *out)
{
    const struct gh_field *host = gh_fields_find(&out->fields, GH_FIELD_HOST);
    struct gh_str authority = head->pseudo[GH_H2_AUTHORITY];
    struct gh_authority parsed;
    if (!host || gh_fields_find_next(&out->fields, host) || !gh_request_is_host_text(host->value) ||
        !gh_authority_parse(host->value, head->arena, &parsed))
        return GH_HTTP_ERROR_HOST;
    if (authority.ptr && !gh_str_ieq(authority, host->value))
        return GH_HTTP_ERROR_HOST;
    out->authority = host->value;
    return GH_HTTP_ERROR_NONE;
}

static enum gh_http_error read_framing(struct gh_request_head *out, bool has_more)
{
    const struct gh_field *length = gh_fields_find(&out->fields, GH_FIELD_CONTENT_LENGTH);
    if (!length) {
        out->body = has_more && !out->upgrade_websocket ? GH_BODY_CHUNKED : GH_BODY_NONE;
        return GH_HTTP_ERROR_NONE;
    }
    out->body = GH_BODY_LENGTH;
    if (out->upgrade_websocket || gh_fields_find_next(&out->fields, length) ||
        !gh_num_parse_u64(length->value, INT64_MAX, &out->content_length))
        return GH_HTTP_ERROR_FRAMING;
    return has_more || out->content_length == 0 ? GH_HTTP_ERROR_NONE : GH_HTTP_ERROR_FRAMING;
}

enum gh_http_error gh_h2_head_finish(struct gh_h2_head *head, bool has_more,
                                     struct gh_request_head *out_head)
{
    *out_head = (struct gh_request_head){.version_major = 2, .keep_alive = true};
    enum gh_http_error error = head->error;
    if (error == GH_HTTP_ERROR_NONE)
        error = read_method(head, out_head);
    if (error == GH_HTTP_ERROR_NONE)
        error = read_target(head, out_head);
    if (error == GH_HTTP_ERROR_NONE)
        error = take_fields(head, out_head);
    if (error == GH_HTTP_ERROR_NONE)
        error = read_host(head, out_head);
    if (error == GH_HTTP_ERROR_NONE)
        error = read_framing(out_head, has_more);
    if (error == GH_HTTP_ERROR_NONE)
        error = gh_request_read_expect(out_head);
    return error;
}
