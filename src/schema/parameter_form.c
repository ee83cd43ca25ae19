/* Finding a parameter among the fields of a query, a form or a list of cookies. */
#include "schema/parameter_read.h"

static enum gh_parameter_status read_field(const struct gh_parameter_reader *reader, size_t field,
                                           struct gh_parameter_piece *out_piece)
{
    reader->used[field] = true;
    out_piece->text = reader->form->fields[field].value;
    return out_piece->text.ptr ? GH_PARAMETER_OK
                               : gh_parameter_decode(reader, reader->form->fields[field].raw_value,
                                                     &out_piece->text);
}

/* Those with the parameter's name. */
static size_t count_named(const struct gh_parameter_reader *reader, size_t *out_first)
{
    size_t count = 0;
    for (size_t i = reader->form->count; i-- > 0;) {
        if (!gh_str_eq(reader->form->fields[i].name, reader->parameter->name))
            continue;
        reader->used[i] = true;
        *out_first = i;
        count++;
    }
    return count;
}

/* One field, for the shape it is cut into. */
static enum gh_parameter_status cut_one(const struct gh_parameter_reader *reader,
                                        enum gh_parameter_shape shape,
                                        struct gh_parameter_pieces *out_pieces)
{
    size_t field = 0, count = count_named(reader, &field);
    struct gh_parameter_separator separator = {',', NULL};
    if (count != 1)
        return count ? GH_PARAMETER_REPEATED : GH_PARAMETER_ABSENT;
    if (shape == GH_SHAPE_SINGLE) {
        enum gh_parameter_status status = gh_parameter_alloc(reader, 1, shape, out_pieces);
        if (status != GH_PARAMETER_OK)
            return status;
        out_pieces->count = 1;
        return read_field(reader, field, out_pieces->items);
    }
    if (reader->parameter->style == GH_STYLE_SPACE_DELIMITED)
        separator = (struct gh_parameter_separator){'+', "20"};
    if (reader->parameter->style == GH_STYLE_PIPE_DELIMITED)
        separator = (struct gh_parameter_separator){'|', "7c"};
    struct gh_str raw = reader->form->fields[field].raw_value;
    return gh_parameter_split(reader, raw.ptr ? raw : GH_STR(""), separator, shape, false,
                              out_pieces);
}

/* id=a&id=b */
static enum gh_parameter_status cut_items(const struct gh_parameter_reader *reader,
                                          struct gh_parameter_pieces *out_pieces)
{
    size_t first = 0, count = count_named(reader, &first);
    if (!count)
        return GH_PARAMETER_ABSENT;
    enum gh_parameter_status status = gh_parameter_alloc(reader, count, GH_SHAPE_ARRAY, out_pieces);
    for (size_t i = first; i < reader->form->count && status == GH_PARAMETER_OK; i++) {
        if (gh_str_eq(reader->form->fields[i].name, reader->parameter->name))
            status = read_field(reader, i, &out_pieces->items[out_pieces->count++]);
    }
    return status;
}

/* The name of a member that a field's name stands for; ptr NULL: it is none of this object's. */
static struct gh_str member_name(const struct gh_parameter_reader *reader, size_t field,
                                 bool *out_is_malformed)
{
    const struct gh_str none = {0};
    struct gh_str own = reader->parameter->name, name = reader->form->fields[field].name;
    uint32_t schema;
    *out_is_malformed = false;
    if (reader->parameter->style != GH_STYLE_DEEP_OBJECT) {
        bool is_known =
            !reader->used[field] &&
            gh_schema_property(reader->schemas, reader->parameter->schema, name, &schema) &&
            gh_schema_kinds(reader->schemas, schema) != 0;
        return is_known ? name : none;
    }
    if (!gh_str_starts_with(name, own) || name.len == own.len || name.ptr[own.len] != '[')
        return none;
    name = gh_str_skip(name, own.len + 1);
    *out_is_malformed = !gh_str_ends_with(name, GH_STR("]")) || name.len == 1 ||
                        gh_str_find_char(name, '[') < name.len ||
                        gh_str_find_char(name, ']') != name.len - 1;
    return gh_str_first(name, name.len ? name.len - 1 : 0);
}

/* a=1&b=2, or id[a]=1&id[b]=2 */
static enum gh_parameter_status cut_members(const struct gh_parameter_reader *reader,
                                            struct gh_parameter_pieces *out_pieces)
{
    enum gh_parameter_status status = GH_PARAMETER_OK, worst = GH_PARAMETER_OK;
    bool is_malformed;
    size_t count = 0;
    for (size_t i = 0; i < reader->form->count; i++)
        count += member_name(reader, i, &is_malformed).ptr != NULL;
    if (!count)
        return GH_PARAMETER_ABSENT;
    status = gh_parameter_alloc(reader, count, GH_SHAPE_OBJECT, out_pieces);
    if (status != GH_PARAMETER_OK)
        return status;
    /* All are looked at, so that all are used, also those behind a bad one. */
    for (size_t i = 0; i < reader->form->count; i++) {
        struct gh_str name = member_name(reader, i, &is_malformed);
        if (!name.ptr)
            continue;
        struct gh_parameter_piece *piece = &out_pieces->items[out_pieces->count++];
        piece->name = name;
        status = read_field(reader, i, piece);
        if (status == GH_PARAMETER_NO_MEMORY)
            return status;
        if (status != GH_PARAMETER_OK || is_malformed)
            worst = GH_PARAMETER_MALFORMED;
    }
    return worst;
}

enum gh_parameter_status gh_parameter_cut_form(const struct gh_parameter_reader *reader,
                                               enum gh_parameter_shape shape,
                                               struct gh_parameter_pieces *out_pieces)
{
    bool is_deep = reader->parameter->style == GH_STYLE_DEEP_OBJECT;
    bool is_exploded = reader->parameter->explode && !reader->parameter->is_json;
    if (shape == GH_SHAPE_OBJECT && (is_deep || is_exploded))
        return cut_members(reader, out_pieces);
    if (is_deep && !reader->parameter->is_json)
        return GH_PARAMETER_ABSENT;
    if (shape == GH_SHAPE_ARRAY && is_exploded)
        return cut_items(reader, out_pieces);
    return cut_one(reader, shape, out_pieces);
}
