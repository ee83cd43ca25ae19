#include "schema/form.h"

#include "base/num.h"
#include "base/utf8.h"

const struct gh_form_limits gh_form_small = {
    .bytes_max = 64 * 1024, .fields_max = 256, .name_bytes_max = 256};

struct gh_str gh_form_status_text(enum gh_form_status status)
{
    switch (status) {
    case GH_FORM_NO_MEMORY:
        return GH_STR("no memory");
    case GH_FORM_OK:
        return GH_STR("well-formed");
    case GH_FORM_BYTE:
        return GH_STR("a byte that must be percent-encoded");
    case GH_FORM_ESCAPE:
        return GH_STR("a bad percent escape");
    case GH_FORM_UTF8:
        return GH_STR("not UTF-8");
    case GH_FORM_NUL:
        return GH_STR("a NUL byte");
    case GH_FORM_SEPARATOR:
        return GH_STR("a semicolon that is not percent-encoded");
    case GH_FORM_NO_NAME:
        return GH_STR("a field without a name");
    case GH_FORM_CHARSET:
        return GH_STR("a field that names a character set");
    case GH_FORM_TOO_LONG:
        return GH_STR("too long");
    case GH_FORM_TOO_MANY:
        return GH_STR("too many fields");
    case GH_FORM_NAME_TOO_LONG:
        return GH_STR("a name that is too long");
    }
    return GH_STR("");
}

/* Bytes that `raw` has, decoded, if its bytes and escapes are good. *out_offset: else, where. */
static enum gh_form_status measure(struct gh_str raw, size_t *out_len, size_t *out_offset)
{
    size_t i = 0, len = 0;
    for (; i < raw.len; i++, len++) {
        *out_offset = i;
        char c = raw.ptr[i];
        if (c <= ' ' || c >= 0x7f)
            return GH_FORM_BYTE;
        if (c != '%')
            continue;
        if (raw.len - i < 3 || gh_num_hex_digit(raw.ptr[i + 1]) < 0 ||
            gh_num_hex_digit(raw.ptr[i + 2]) < 0)
            return GH_FORM_ESCAPE;
        if (raw.ptr[i + 1] == '0' && raw.ptr[i + 2] == '0')
            return GH_FORM_NUL;
        i += 2;
    }
    *out_len = len;
    return GH_FORM_OK;
}

static void write_decoded(struct gh_str raw, enum gh_form_plus plus, char *to)
{
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '%') {
            c = (char)(gh_num_hex_digit(raw.ptr[i + 1]) << 4 | gh_num_hex_digit(raw.ptr[i + 2]));
            i += 2;
        } else if (c == '+' && plus == GH_FORM_PLUS_IS_SPACE) {
            c = ' ';
        }
        *to++ = c;
    }
}

/* Where in `raw` the first byte of `text`, its decoded form, stands that is not UTF-8. */
static size_t find_bad_utf8(struct gh_str raw, struct gh_str text)
{
    size_t at = 0, len;
    for (; (len = gh_utf8_sequence_len(text)) > 0; text = gh_str_skip(text, len)) {
        for (size_t i = 0; i < len; i++)
            at += raw.ptr[at] == '%' ? 3 : 1;
    }
    return at;
}

enum gh_form_status gh_form_decode(struct gh_arena *arena, struct gh_str raw,
                                   enum gh_form_plus plus, struct gh_str *out_text,
                                   size_t *out_offset)
{
    size_t len = 0, offset = 0;
    enum gh_form_status status = measure(raw, &len, &offset);
    bool is_plain =
        len == raw.len && (plus == GH_FORM_PLUS_IS_PLUS || gh_str_find_char(raw, '+') == raw.len);
    char *memory = NULL;
    if (status == GH_FORM_OK && !is_plain) {
        memory = gh_arena_alloc(arena, len);
        status = memory ? GH_FORM_OK : GH_FORM_NO_MEMORY;
    }
    struct gh_str text = is_plain ? raw : gh_str_of(memory, len);
    if (status == GH_FORM_OK && !is_plain) {
        write_decoded(raw, plus, memory);
        offset = find_bad_utf8(raw, text);
        status = offset == raw.len ? GH_FORM_OK : GH_FORM_UTF8;
    }
    if (status == GH_FORM_OK)
        *out_text = text;
    else if (out_offset)
        *out_offset = offset;
    return status;
}

/* *out_offset is in `raw`. */
static enum gh_form_status read_field(struct gh_arena *arena, struct gh_str raw,
                                      size_t name_bytes_max, struct gh_form_field *out_field,
                                      size_t *out_offset)
{
    *out_offset = gh_str_find_char(raw, ';');
    if (*out_offset < raw.len)
        return GH_FORM_SEPARATOR;
    struct gh_str value = raw;
    struct gh_str name = gh_str_split(&value, '=');
    *out_offset = 0;
    if (!name.len)
        return GH_FORM_NO_NAME;
    if (!value.ptr)
        value = gh_str_skip(raw, raw.len);
    out_field->raw_value = value;
    enum gh_form_status status =
        gh_form_decode(arena, name, GH_FORM_PLUS_IS_SPACE, &out_field->name, out_offset);
    if (status != GH_FORM_OK)
        return status;
    if (out_field->name.len > name_bytes_max)
        return GH_FORM_NAME_TOO_LONG;
    if (gh_str_ieq(out_field->name, GH_STR("_charset_")))
        return GH_FORM_CHARSET;
    status = gh_form_decode(arena, value, GH_FORM_PLUS_IS_SPACE, &out_field->value, out_offset);
    if (status != GH_FORM_OK)
        *out_offset += (size_t)(value.ptr - raw.ptr);
    return status;
}

/* Fields of a text that is not empty; *out_offset: where the first one above `max` is. */
static size_t count_fields(struct gh_str text, size_t max, size_t *out_offset)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '&' && count++ == max)
            *out_offset = i + 1;
    }
    return count;
}

static enum gh_form_status read_fields(struct gh_arena *arena, struct gh_str text,
                                       const struct gh_form_limits *limits,
                                       struct gh_form *out_form, size_t *out_offset)
{
    *out_offset = 0;
    size_t count = text.len ? count_fields(text, limits->fields_max, out_offset) : 0;
    if (count > limits->fields_max)
        return GH_FORM_TOO_MANY;
    struct gh_form_field *fields = gh_arena_zalloc(arena, count, sizeof(*fields));
    if (!fields)
        return GH_FORM_NO_MEMORY;
    size_t i = 0;
    for (struct gh_str rest = text; rest.ptr && i < count; i++) {
        struct gh_str raw = gh_str_split(&rest, '&');
        enum gh_form_status status =
            read_field(arena, raw, limits->name_bytes_max, &fields[i], out_offset);
        if (status != GH_FORM_OK) {
            *out_offset += (size_t)(raw.ptr - text.ptr);
            return status;
        }
    }
    *out_form = (struct gh_form){.text = text, .fields = fields, .count = count};
    return GH_FORM_OK;
}

enum gh_form_status gh_form_parse(struct gh_arena *arena, struct gh_str text,
                                  const struct gh_form_limits *limits, struct gh_form *out_form,
                                  size_t *out_offset)
{
    size_t offset = limits->bytes_max;
    enum gh_form_status status = GH_FORM_TOO_LONG;
    if (text.len <= limits->bytes_max)
        status = read_fields(arena, text, limits, out_form, &offset);
    if (status != GH_FORM_OK && out_offset)
        *out_offset = offset;
    return status;
}
