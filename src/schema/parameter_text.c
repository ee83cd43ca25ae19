/* Cutting the texts of paths and fields: RFC 6570's simple, label and matrix. */
#include "base/utf8.h"
#include "schema/parameter_read.h"

enum gh_parameter_status gh_parameter_decode(const struct gh_parameter_reader *reader,
                                             struct gh_str raw, struct gh_str *out_text)
{
    enum gh_form_plus plus = reader->form && reader->parameter->in != GH_IN_COOKIE
                                 ? GH_FORM_PLUS_IS_SPACE
                                 : GH_FORM_PLUS_IS_PLUS;
    if (reader->parameter->in == GH_IN_HEADER) {
        *out_text = gh_str_trim_ows(raw);
        return gh_utf8_is_valid(raw) ? GH_PARAMETER_OK : GH_PARAMETER_MALFORMED;
    }
    enum gh_form_status status = gh_form_decode(reader->arena, raw, plus, out_text, NULL);
    if (status == GH_FORM_NO_MEMORY)
        return GH_PARAMETER_NO_MEMORY;
    return status == GH_FORM_OK ? GH_PARAMETER_OK : GH_PARAMETER_MALFORMED;
}

enum gh_parameter_status gh_parameter_alloc(const struct gh_parameter_reader *reader, size_t count,
                                            enum gh_parameter_shape shape,
                                            struct gh_parameter_pieces *out_pieces)
{
    size_t max =
        shape == GH_SHAPE_OBJECT ? gh_json_small.members_max : gh_json_small.values_max - 1;
    if (count > max)
        return GH_PARAMETER_TOO_LARGE;
    *out_pieces = (struct gh_parameter_pieces){
        gh_arena_zalloc(reader->arena, count ? count : 1, sizeof(*out_pieces->items)), 0};
    return out_pieces->items ? GH_PARAMETER_OK : GH_PARAMETER_NO_MEMORY;
}

/* Bytes of the separator that stands at `at`; 0: none does. */
static size_t separator_len(struct gh_str raw, size_t at, struct gh_parameter_separator separator)
{
    if (raw.ptr[at] == separator.plain)
        return 1;
    bool is_escaped = separator.escaped && raw.len - at >= 3 && raw.ptr[at] == '%' &&
                      gh_str_ieq(gh_str_of(raw.ptr + at + 1, 2), gh_str_from_c(separator.escaped));
    return is_escaped ? 3 : 0;
}

/* As gh_str_split. */
static struct gh_str next_part(struct gh_str *rest, struct gh_parameter_separator separator)
{
    struct gh_str part = *rest;
    for (size_t i = 0; i < part.len; i++) {
        size_t len = separator_len(part, i, separator);
        if (len) {
            *rest = gh_str_skip(part, i + len);
            return gh_str_first(part, i);
        }
    }
    *rest = (struct gh_str){0};
    return part;
}

static enum gh_parameter_status read_pair(const struct gh_parameter_reader *reader,
                                          struct gh_str raw_name, struct gh_str raw_text,
                                          struct gh_parameter_piece *out_piece)
{
    if (!raw_text.ptr)
        return GH_PARAMETER_MALFORMED;
    enum gh_parameter_status status = gh_parameter_decode(reader, raw_name, &out_piece->name);
    if (status == GH_PARAMETER_OK && !out_piece->name.len)
        status = GH_PARAMETER_MALFORMED;
    return status == GH_PARAMETER_OK ? gh_parameter_decode(reader, raw_text, &out_piece->text)
                                     : status;
}

/* The next member; *rest as for next_part. */
static enum gh_parameter_status read_member(const struct gh_parameter_reader *reader,
                                            struct gh_str *rest,
                                            struct gh_parameter_separator separator, bool is_paired,
                                            struct gh_parameter_piece *out_piece)
{
    struct gh_str name = next_part(rest, separator), text = {0};
    if (is_paired) {
        text = name;
        name = gh_str_split(&text, '=');
    } else if (rest->ptr) {
        text = next_part(rest, separator);
    }
    return read_pair(reader, name, text, out_piece);
}

enum gh_parameter_status gh_parameter_split(const struct gh_parameter_reader *reader,
                                            struct gh_str raw,
                                            struct gh_parameter_separator separator,
                                            enum gh_parameter_shape shape, bool is_paired,
                                            struct gh_parameter_pieces *out_pieces)
{
    size_t count = 0;
    for (struct gh_str rest = raw; rest.ptr; count++)
        next_part(&rest, separator);
    if (shape == GH_SHAPE_OBJECT && !is_paired)
        count = count / 2 + count % 2;
    enum gh_parameter_status status = gh_parameter_alloc(reader, count, shape, out_pieces);
    for (struct gh_str rest = raw; rest.ptr && status == GH_PARAMETER_OK;) {
        struct gh_parameter_piece *piece = &out_pieces->items[out_pieces->count++];
        if (shape == GH_SHAPE_OBJECT)
            status = read_member(reader, &rest, separator, is_paired, piece);
        else
            status = gh_parameter_decode(reader, next_part(&rest, separator), &piece->text);
    }
    return status;
}

/* ";name=text" or ";name"; ptr NULL: it is not. */
static struct gh_str matrix_text(struct gh_str raw, struct gh_str name)
{
    if (!gh_str_starts_with(raw, GH_STR(";")) || !gh_str_starts_with(gh_str_skip(raw, 1), name))
        return (struct gh_str){0};
    struct gh_str rest = gh_str_skip(raw, 1 + name.len);
    if (!rest.len)
        return rest;
    return rest.ptr[0] == '=' ? gh_str_skip(rest, 1) : (struct gh_str){0};
}

/* ";id=a;id=b" */
static enum gh_parameter_status cut_matrix_items(const struct gh_parameter_reader *reader,
                                                 struct gh_parameter_pieces *out_pieces)
{
    size_t count = 0;
    struct gh_str text = reader->text;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ';';
    enum gh_parameter_status status = gh_parameter_alloc(reader, count, GH_SHAPE_ARRAY, out_pieces);
    if (!text.len || text.ptr[0] != ';')
        return GH_PARAMETER_MALFORMED;
    for (struct gh_str rest = text; rest.len && status == GH_PARAMETER_OK;) {
        size_t end = 1 + gh_str_find_char(gh_str_skip(rest, 1), ';');
        struct gh_str item = matrix_text(gh_str_first(rest, end), reader->parameter->name);
        rest = gh_str_skip(rest, end);
        status = item.ptr ? gh_parameter_decode(reader, item,
                                                &out_pieces->items[out_pieces->count++].text)
                          : GH_PARAMETER_MALFORMED;
    }
    return status;
}

static enum gh_parameter_status cut_single(const struct gh_parameter_reader *reader,
                                           struct gh_str raw,
                                           struct gh_parameter_pieces *out_pieces)
{
    enum gh_parameter_status status = gh_parameter_alloc(reader, 1, GH_SHAPE_SINGLE, out_pieces);
    if (status != GH_PARAMETER_OK)
        return status;
    out_pieces->count = 1;
    return gh_parameter_decode(reader, raw, &out_pieces->items->text);
}

static enum gh_parameter_status cut_matrix(const struct gh_parameter_reader *reader,
                                           enum gh_parameter_shape shape,
                                           struct gh_parameter_pieces *out_pieces)
{
    struct gh_str raw = reader->text;
    if (shape == GH_SHAPE_ARRAY && reader->parameter->explode)
        return cut_matrix_items(reader, out_pieces);
    if (shape == GH_SHAPE_OBJECT && reader->parameter->explode) {
        if (!gh_str_starts_with(raw, GH_STR(";")))
            return GH_PARAMETER_MALFORMED;
        return gh_parameter_split(reader, gh_str_skip(raw, 1),
                                  (struct gh_parameter_separator){';', NULL}, shape, true,
                                  out_pieces);
    }
    struct gh_str text = matrix_text(raw, reader->parameter->name);
    if (!text.ptr)
        return GH_PARAMETER_MALFORMED;
    if (shape == GH_SHAPE_SINGLE)
        return cut_single(reader, text, out_pieces);
    return gh_parameter_split(reader, text, (struct gh_parameter_separator){',', NULL}, shape,
                              false, out_pieces);
}

enum gh_parameter_status gh_parameter_cut_text(const struct gh_parameter_reader *reader,
                                               enum gh_parameter_shape shape,
                                               struct gh_parameter_pieces *out_pieces)
{
    const struct gh_parameter *parameter = reader->parameter;
    struct gh_str raw = reader->text.ptr ? reader->text : GH_STR("");
    bool is_label = parameter->style == GH_STYLE_LABEL;
    if (parameter->style == GH_STYLE_MATRIX)
        return cut_matrix(reader, shape, out_pieces);
    if (is_label && !gh_str_starts_with(raw, GH_STR(".")))
        return GH_PARAMETER_MALFORMED;
    if (is_label)
        raw = gh_str_skip(raw, 1);
    if (shape == GH_SHAPE_SINGLE)
        return cut_single(reader, raw, out_pieces);
    struct gh_parameter_separator separator = {is_label && parameter->explode ? '.' : ',', NULL};
    return gh_parameter_split(reader, raw, separator, shape, parameter->explode, out_pieces);
}
