/* Pieces of text become JSON values, guided by the schema of each. */
#include "schema/parameter_read.h"

#include "json/build.h"

bool gh_parameter_is_valid(const struct gh_parameter_reader *reader, uint32_t schema,
                           const struct gh_json_doc *doc, const struct gh_json_value *value)
{
    struct gh_schema_check_options options = gh_schema_check_usual;
    struct gh_schema_report report;
    options.limits.violations_max = 0;
    options.direction = GH_SCHEMA_REQUEST;
    return gh_schema_check(reader->schemas, schema, doc, value, &options, reader->arena, &report) ==
           GH_SCHEMA_VALID;
}

/* "1e2" is a hundred for one reader and a one with a tail for the next. */
static bool has_exponent(struct gh_str text)
{
    return gh_str_find_char(text, 'e') < text.len || gh_str_find_char(text, 'E') < text.len;
}

/* What the text spells in JSON where one of `kinds` is that; else STRING. */
static enum gh_json_kind spelled_kind(struct gh_str text, unsigned kinds)
{
    bool is_bool = gh_str_eq(text, GH_STR("true")) || gh_str_eq(text, GH_STR("false"));
    if (kinds & 1u << GH_JSON_BOOL && is_bool)
        return GH_JSON_BOOL;
    if (kinds & 1u << GH_JSON_NULL && gh_str_eq(text, GH_STR("null")))
        return GH_JSON_NULL;
    bool is_wanted =
        kinds & 1u << GH_JSON_NUMBER || (kinds & GH_SCHEMA_INTEGER && !has_exponent(text));
    if (is_wanted && gh_json_is_number(text))
        return GH_JSON_NUMBER;
    return GH_JSON_STRING;
}

static void add_spelled(struct gh_json_builder *builder, const struct gh_parameter_piece *piece,
                        enum gh_json_kind kind)
{
    if (kind == GH_JSON_NULL)
        gh_json_build_null(builder, piece->name);
    else if (kind == GH_JSON_BOOL)
        gh_json_build_bool(builder, piece->name, piece->text.len == 4);
    else if (kind == GH_JSON_NUMBER)
        gh_json_build_number(builder, piece->name, piece->text);
    else
        gh_json_build_string(builder, piece->name, piece->text);
}

/* `schema`: of this value, UINT32_MAX: not known. */
static void add_value(struct gh_parameter_reader *reader, struct gh_json_builder *builder,
                      uint32_t schema, const struct gh_parameter_piece *piece)
{
    bool is_known = schema != UINT32_MAX;
    bool may_guess = !is_known && reader->parameter->schema != UINT32_MAX && !reader->as_strings;
    unsigned kinds = is_known    ? gh_schema_kinds(reader->schemas, schema)
                     : may_guess ? UINT32_MAX
                                 : 0;
    enum gh_json_kind kind = spelled_kind(piece->text, kinds);
    if (kind != GH_JSON_STRING && !is_known)
        reader->is_guessed = true;
    if (kind != GH_JSON_STRING && is_known && kinds & 1u << GH_JSON_STRING) {
        /* Both would do as a kind: typed, if that is valid. */
        struct gh_json_builder scratch;
        struct gh_json_doc doc;
        gh_json_build_init(&scratch, reader->arena, &gh_json_small);
        add_spelled(&scratch, piece, kind);
        if (gh_json_build_finish(&scratch, &doc) == GH_JSON_OK &&
            !gh_parameter_is_valid(reader, schema, &doc, doc.values))
            kind = GH_JSON_STRING;
    }
    add_spelled(builder, piece, kind);
}

static void add_array(struct gh_parameter_reader *reader, struct gh_json_builder *builder,
                      uint32_t schema, const struct gh_parameter_pieces *pieces)
{
    uint32_t items = UINT32_MAX;
    if (schema != UINT32_MAX && !gh_schema_items(reader->schemas, schema, &items))
        items = UINT32_MAX;
    gh_json_build_begin(builder, pieces->count ? pieces->items->name : GH_STR(""), GH_JSON_ARRAY);
    for (size_t i = 0; i < pieces->count; i++)
        add_value(reader, builder, items, &pieces->items[i]);
    gh_json_build_end(builder);
}

/* Moves the pieces with the name of the first one to the front; how many they are. */
static size_t gather_repeated(struct gh_parameter_pieces pieces)
{
    size_t count = 1;
    for (size_t i = 1; i < pieces.count; i++) {
        if (!gh_str_eq(pieces.items[i].name, pieces.items[0].name))
            continue;
        struct gh_parameter_piece piece = pieces.items[i];
        memmove(&pieces.items[count + 1], &pieces.items[count],
                (i - count) * sizeof(*pieces.items));
        pieces.items[count++] = piece;
    }
    return count;
}

static bool wants_array(const struct gh_parameter_reader *reader, uint32_t schema, size_t count)
{
    if (!reader->may_repeat || schema == UINT32_MAX)
        return false;
    unsigned kinds = gh_schema_kinds(reader->schemas, schema);
    return kinds & 1u << GH_JSON_ARRAY && (count > 1 || kinds == 1u << GH_JSON_ARRAY);
}

static void add_object(struct gh_parameter_reader *reader, struct gh_json_builder *builder,
                       struct gh_parameter_pieces pieces)
{
    gh_json_build_begin(builder, GH_STR(""), GH_JSON_OBJECT);
    while (pieces.count) {
        uint32_t schema = UINT32_MAX;
        if (!gh_schema_property(reader->schemas, reader->parameter->schema, pieces.items->name,
                                &schema))
            schema = UINT32_MAX;
        size_t count = reader->may_repeat ? gather_repeated(pieces) : 1;
        bool is_array = wants_array(reader, schema, count);
        if (is_array)
            add_array(reader, builder, schema, &(struct gh_parameter_pieces){pieces.items, count});
        /* A repeated name stops the builder. */
        for (size_t i = 0; i < count && !is_array; i++)
            add_value(reader, builder, schema, &pieces.items[i]);
        pieces.items += count;
        pieces.count -= count;
    }
    gh_json_build_end(builder);
}

enum gh_parameter_status gh_parameter_build(struct gh_parameter_reader *reader,
                                            enum gh_parameter_shape shape,
                                            const struct gh_parameter_pieces *pieces,
                                            struct gh_json_doc *out_doc)
{
    struct gh_json_builder builder;
    gh_json_build_init(&builder, reader->arena, &gh_json_small);
    switch (shape) {
    case GH_SHAPE_SINGLE:
        add_value(reader, &builder, reader->parameter->schema, pieces->items);
        break;
    case GH_SHAPE_ARRAY:
        add_array(reader, &builder, reader->parameter->schema, pieces);
        break;
    case GH_SHAPE_OBJECT:
        add_object(reader, &builder, *pieces);
        break;
    }
    enum gh_json_status status = gh_json_build_finish(&builder, out_doc);
    if (status == GH_JSON_OK)
        return GH_PARAMETER_OK;
    if (status == GH_JSON_DUPLICATE_NAME)
        return GH_PARAMETER_REPEATED;
    return status == GH_JSON_MEMORY ? GH_PARAMETER_NO_MEMORY : GH_PARAMETER_TOO_LARGE;
}
