#include "http/h1_lines.h"

#include "base/num.h"
#include "http/byte_class.h"
#include "http/request_head.h"

/* " HTTP/1.1" */
#define VERSION_BYTES 9

bool gh_h1_first_line(struct gh_str bytes, struct gh_str *out_line)
{
    size_t end = gh_find_control(bytes.ptr, 0, bytes.len);
    if (bytes.len - end < 2 || bytes.ptr[end] != '\r' || bytes.ptr[end + 1] != '\n')
        return false;
    *out_line = gh_str_first(bytes, end);
    return true;
}

/* ---- The request line (RFC 9112 section 3) ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* `text` has VERSION_BYTES bytes: SP, "HTTP/", DIGIT, ".", DIGIT. */
static enum gh_http_error read_version(const char *text, uint8_t *out_minor)
{
    if (memcmp(text, " HTTP/", 6) != 0 || text[7] != '.')
        return GH_HTTP_ERROR_MALFORMED;
    char major = text[6], minor = text[8];
    if (!is_digit(major) || !is_digit(minor) || major == '0')
        return GH_HTTP_ERROR_MALFORMED;
    if (major != '1')
        return GH_HTTP_ERROR_VERSION;
    *out_minor = minor == '0' ? 0 : 1;
    return GH_HTTP_ERROR_NONE;
}

enum gh_http_error gh_h1_split_request_line(struct gh_str line,
                                            const struct gh_codec_limits *limits,
                                            struct gh_h1_request_line *out_line)
{
    *out_line = (struct gh_h1_request_line){0};
    size_t len = 0;
    while (len < line.len && gh_byte_is(line.ptr[len], GH_BYTE_TOKEN))
        len++;
    if (len == 0 || len > GH_METHOD_BYTES_MAX || len == line.len || line.ptr[len] != ' ')
        return GH_HTTP_ERROR_MALFORMED;
    out_line->method = gh_str_first(line, len);
    out_line->method_id = gh_method_of(out_line->method);

    struct gh_str rest = gh_str_skip(line, len + 1);
    if (rest.len <= VERSION_BYTES) /* HTTP/0.9 has no version, others must have a target */
        return GH_HTTP_ERROR_MALFORMED;
    out_line->target = gh_str_first(rest, rest.len - VERSION_BYTES);
    enum gh_http_error error =
        read_version(rest.ptr + out_line->target.len, &out_line->version_minor);
    if (error != GH_HTTP_ERROR_NONE)
        return error;
    if (out_line->method_id == GH_METHOD_TRACE || out_line->method_id == GH_METHOD_CONNECT)
        return GH_HTTP_ERROR_METHOD;
    if (out_line->target.len > limits->target_bytes_max)
        return GH_HTTP_ERROR_TARGET_TOO_LONG;
    return GH_HTTP_ERROR_NONE;
}

/* ---- Field lines (RFC 9112 section 5) ---- */

static struct gh_str trim(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (from < to && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return gh_str_of(from, (size_t)(to - from));
}

/*
 * One field line at `at`; `bytes` end with LF, which is no token byte, so that the name's loop
 * ends. A line that begins with a space (obs-fold) has an empty name here.
 */
static bool read_field_line(struct gh_str bytes, size_t *at, struct gh_str *out_name,
                            struct gh_str *out_value)
{
    size_t colon = *at;
    while (gh_byte_is(bytes.ptr[colon], GH_BYTE_TOKEN))
        colon++;
    if (colon == *at || bytes.ptr[colon] != ':')
        return false;
    size_t end = gh_find_control(bytes.ptr, colon + 1, bytes.len);
    if (bytes.len - end < 2 || bytes.ptr[end] != '\r' || bytes.ptr[end + 1] != '\n')
        return false;
    *out_name = gh_str_of(bytes.ptr + *at, colon - *at);
    *out_value = trim(bytes.ptr + colon + 1, bytes.ptr + end);
    *at = end + 2;
    return true;
}

static enum gh_http_error read_lines(struct gh_str bytes, struct gh_fields *fields)
{
    size_t at = 0;
    while (at + 2 < bytes.len) {
        struct gh_str name, value;
        if (!read_field_line(bytes, &at, &name, &value))
            return GH_HTTP_ERROR_MALFORMED;
        if (!gh_fields_add(fields, name, value))
            return GH_HTTP_ERROR_TOO_MANY_FIELDS;
    }
    /* What is left is the empty line; anything else would have been an empty name. */
    return bytes.len - at == 2 ? GH_HTTP_ERROR_NONE : GH_HTTP_ERROR_MALFORMED;
}

enum gh_http_error gh_h1_read_fields(struct gh_str bytes, const struct gh_codec_limits *limits,
                                     struct gh_arena *arena, struct gh_fields *out_fields)
{
    /* Read here first and then copied: the arena can't give back what a guess took too much, and
       counting the lines beforehand would be another pass. Wiping it would cost more than both. */
    struct gh_field items[GH_FIELDS_MAX] __attribute__((uninitialized));
    size_t cap = limits->field_count_max < GH_FIELDS_MAX ? limits->field_count_max : GH_FIELDS_MAX;
    gh_fields_init(out_fields, items, cap);

    enum gh_http_error error = GH_HTTP_ERROR_MALFORMED;
    if (bytes.len >= 2 && memcmp(bytes.ptr + bytes.len - 2, "\r\n", 2) == 0)
        error = read_lines(bytes, out_fields);
    struct gh_field *kept = NULL;
    if (error == GH_HTTP_ERROR_NONE) {
        kept = gh_arena_alloc(arena, out_fields->count * sizeof(*kept));
        if (!kept)
            error = GH_HTTP_ERROR_MEMORY;
    }
    if (error != GH_HTTP_ERROR_NONE) {
        *out_fields = (struct gh_fields){0};
        return error;
    }
    memcpy(kept, items, out_fields->count * sizeof(*kept));
    out_fields->items = kept;
    out_fields->cap = out_fields->count;
    return GH_HTTP_ERROR_NONE;
}

/* ---- Framing (RFC 9112 section 6) ---- */

/*
 * A tab beside a value that frames the message. RFC 9110 allows it as white space, but there are
 * parsers that take it for part of the value or refuse it, and nobody honest writes it. The value
 * is part of a whole field line: a colon stands before it and CR behind it.
 */
static bool has_tab_beside(struct gh_str value)
{
    const char *before = value.ptr, *behind = value.ptr + value.len;
    while (before[-1] == ' ')
        before--;
    while (*behind == ' ')
        behind++;
    return before[-1] == '\t' || *behind == '\t';
}

/*
 * A Transfer-Encoding that is not "chunked" alone: 501 when it is a proper list of codings of which
 * we lack one, else it is simply wrong. With "chunked" anywhere but last the length could not be
 * known (section 6.3), so that is wrong too.
 */
static enum gh_http_error refuse_coding(struct gh_str value)
{
    bool other = false, chunked = false;
    for (struct gh_str rest = value; rest.ptr;) {
        struct gh_str coding = gh_str_trim_ows(gh_str_split(&rest, ','));
        if (!gh_is_token(coding) || chunked)
            return GH_HTTP_ERROR_FRAMING;
        chunked = gh_str_ieq(coding, GH_STR("chunked"));
        other = other || !chunked;
    }
    return other ? GH_HTTP_ERROR_UNKNOWN_CODING : GH_HTTP_ERROR_FRAMING;
}

static enum gh_http_error read_transfer_encoding(const struct gh_fields *fields,
                                                 const struct gh_field *coding,
                                                 uint8_t version_minor)
{
    if (version_minor == 0 || gh_fields_find_next(fields, coding) || has_tab_beside(coding->value))
        return GH_HTTP_ERROR_FRAMING;
    if (!gh_str_ieq(coding->value, GH_STR("chunked")))
        return refuse_coding(coding->value);
    return GH_HTTP_ERROR_NONE;
}

enum gh_http_error gh_h1_read_framing(const struct gh_fields *fields, uint8_t version_minor,
                                      enum gh_body_kind *out_kind, uint64_t *out_length)
{
    const struct gh_field *length = gh_fields_find(fields, GH_FIELD_CONTENT_LENGTH);
    const struct gh_field *coding = gh_fields_find(fields, GH_FIELD_TRANSFER_ENCODING);
    *out_kind = GH_BODY_NONE;
    *out_length = 0;
    if (coding) {
        if (length)
            return GH_HTTP_ERROR_FRAMING;
        *out_kind = GH_BODY_CHUNKED;
        return read_transfer_encoding(fields, coding, version_minor);
    }
    if (!length)
        return GH_HTTP_ERROR_NONE;
    *out_kind = GH_BODY_LENGTH;
    if (gh_fields_find_next(fields, length) || has_tab_beside(length->value) ||
        !gh_num_parse_u64(length->value, INT64_MAX, out_length))
        return GH_HTTP_ERROR_FRAMING;
    return GH_HTTP_ERROR_NONE;
}

/* ---- Connection (RFC 9110 section 7.6.1) ---- */

struct gh_h1_connection gh_h1_read_connection(const struct gh_fields *fields)
{
    struct gh_h1_connection connection = {0};
    const struct gh_field *field = gh_fields_find(fields, GH_FIELD_CONNECTION);
    for (; field; field = gh_fields_find_next(fields, field)) {
        struct gh_str rest = field->value, option;
        while (gh_str_next_list_item(&rest, &option)) {
            connection.close = connection.close || gh_str_ieq(option, GH_STR("close"));
            connection.keep_alive =
                connection.keep_alive || gh_str_ieq(option, GH_STR("keep-alive"));
            connection.upgrade = connection.upgrade || gh_str_ieq(option, GH_STR("upgrade"));
        }
    }
    return connection;
}

bool gh_h1_keeps_alive(struct gh_h1_connection connection, uint8_t version_minor)
{
    return !connection.close && (version_minor > 0 || connection.keep_alive);
}
