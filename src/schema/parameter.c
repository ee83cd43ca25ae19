/* Which way a parameter is read: all that its schema allows are tried, the first valid one wins. */
#include "schema/parameter_read.h"

#include "base/utf8.h"

struct gh_str gh_parameter_status_text(enum gh_parameter_status status)
{
    switch (status) {
    case GH_PARAMETER_OK:
        return GH_STR("is well-formed");
    case GH_PARAMETER_ABSENT:
        return GH_STR("is missing");
    case GH_PARAMETER_REPEATED:
        return GH_STR("stands there more than once");
    case GH_PARAMETER_MALFORMED:
        return GH_STR("is not written in its style");
    case GH_PARAMETER_JSON:
        return GH_STR("is not JSON");
    case GH_PARAMETER_TOO_LARGE:
        return GH_STR("has too many parts");
    case GH_PARAMETER_NO_MEMORY:
        return GH_STR("there is no memory to read it");
    }
    return GH_STR("");
}

static enum gh_parameter_status cut(const struct gh_parameter_reader *reader,
                                    enum gh_parameter_shape shape,
                                    struct gh_parameter_pieces *out_pieces)
{
    return reader->form ? gh_parameter_cut_form(reader, shape, out_pieces)
                        : gh_parameter_cut_text(reader, shape, out_pieces);
}

/* In one shape; *out_is_valid is looked at only where that decides something. */
static enum gh_parameter_status read_as(struct gh_parameter_reader *reader,
                                        enum gh_parameter_shape shape, bool is_only,
                                        struct gh_json_doc *out_doc, bool *out_is_valid)
{
    struct gh_parameter_pieces pieces;
    uint32_t schema = reader->parameter->schema;
    enum gh_parameter_status status = cut(reader, shape, &pieces);
    *out_is_valid = false;
    reader->as_strings = reader->is_guessed = false;
    if (status == GH_PARAMETER_OK)
        status = gh_parameter_build(reader, shape, &pieces, out_doc);
    if (status != GH_PARAMETER_OK || schema == UINT32_MAX)
        return status;
    *out_is_valid = (is_only && !reader->is_guessed) ||
                    gh_parameter_is_valid(reader, schema, out_doc, out_doc->values);
    if (*out_is_valid || !reader->is_guessed)
        return status;
    struct gh_json_doc strings;
    reader->as_strings = true;
    status = gh_parameter_build(reader, shape, &pieces, &strings);
    if (status != GH_PARAMETER_OK)
        return status;
    *out_is_valid = gh_parameter_is_valid(reader, schema, &strings, strings.values);
    if (*out_is_valid)
        *out_doc = strings;
    return GH_PARAMETER_OK;
}

#define CONTAINERS (1u << GH_JSON_ARRAY | 1u << GH_JSON_OBJECT)
#define SINGLES    (1u << GH_JSON_NULL | 1u << GH_JSON_BOOL | 1u << GH_JSON_STRING)

/* Bits of 1 << enum gh_parameter_shape. */
static unsigned wanted_shapes(const struct gh_parameter_reader *reader)
{
    uint32_t schema = reader->parameter->schema;
    if (schema == UINT32_MAX)
        return 1u << GH_SHAPE_SINGLE;
    unsigned kinds = gh_schema_kinds(reader->schemas, schema), shapes = 0;
    if (!kinds || kinds & ~CONTAINERS)
        shapes |= 1u << GH_SHAPE_SINGLE;
    /* What says nothing of types means no list: "minLength: 5" isn't to be got round by one. */
    if ((kinds & SINGLES) == SINGLES && (kinds & CONTAINERS) == CONTAINERS)
        return shapes;
    if (kinds & 1u << GH_JSON_ARRAY)
        shapes |= 1u << GH_SHAPE_ARRAY;
    if (kinds & 1u << GH_JSON_OBJECT)
        shapes |= 1u << GH_SHAPE_OBJECT;
    return shapes;
}

/* A reading that is only invalid says more than one that failed, and that more than "absent". */
static bool is_better(enum gh_parameter_status status, enum gh_parameter_status than)
{
    return status == GH_PARAMETER_OK || (than != GH_PARAMETER_OK && status != GH_PARAMETER_ABSENT);
}

static enum gh_parameter_status choose(struct gh_parameter_reader *reader,
                                       struct gh_json_doc *out_doc)
{
    enum gh_parameter_status best = GH_PARAMETER_ABSENT;
    unsigned shapes = wanted_shapes(reader);
    for (unsigned shape = GH_SHAPE_SINGLE; shape <= GH_SHAPE_OBJECT; shape++) {
        struct gh_json_doc doc;
        bool is_valid;
        if (!(shapes & 1u << shape))
            continue;
        enum gh_parameter_status status =
            read_as(reader, (enum gh_parameter_shape)shape, shapes == 1u << shape, &doc, &is_valid);
        if (status == GH_PARAMETER_NO_MEMORY)
            return status;
        if (!is_better(status, best))
            continue;
        best = status;
        if (status == GH_PARAMETER_OK)
            *out_doc = doc;
        if (is_valid)
            break;
    }
    return best;
}

static enum gh_parameter_status read_json(const struct gh_parameter_reader *reader,
                                          struct gh_json_doc *out_doc)
{
    struct gh_parameter_pieces pieces;
    enum gh_parameter_status status = cut(reader, GH_SHAPE_SINGLE, &pieces);
    if (status != GH_PARAMETER_OK)
        return status;
    enum gh_json_status json =
        gh_json_parse(reader->arena, pieces.items->text, &gh_json_small, out_doc, NULL);
    if (json == GH_JSON_MEMORY)
        return GH_PARAMETER_NO_MEMORY;
    return json == GH_JSON_OK ? GH_PARAMETER_OK : GH_PARAMETER_JSON;
}

static enum gh_parameter_status read_any(struct gh_parameter_reader *reader,
                                         struct gh_json_doc *out_doc)
{
    return reader->parameter->is_json ? read_json(reader, out_doc) : choose(reader, out_doc);
}

enum gh_parameter_status gh_parameter_read_text(const struct gh_schemas *schemas,
                                                const struct gh_parameter *parameter,
                                                struct gh_arena *arena, struct gh_str text,
                                                struct gh_json_doc *out_doc)
{
    struct gh_parameter_reader reader = {
        .schemas = schemas, .parameter = parameter, .arena = arena, .text = text};
    return read_any(&reader, out_doc);
}

enum gh_parameter_status gh_parameter_read_form(const struct gh_schemas *schemas,
                                                const struct gh_parameter *parameter,
                                                struct gh_arena *arena, const struct gh_form *form,
                                                bool *used, struct gh_json_doc *out_doc)
{
    struct gh_parameter_reader reader = {
        .schemas = schemas,
        .parameter = parameter,
        .arena = arena,
        .form = form,
        .used = used,
        .may_repeat = parameter->explode || parameter->style == GH_STYLE_DEEP_OBJECT,
    };
    return read_any(&reader, out_doc);
}

enum gh_parameter_status gh_parameter_read_value(const struct gh_schemas *schemas, uint32_t schema,
                                                 struct gh_arena *arena, struct gh_str text,
                                                 struct gh_json_doc *out_doc)
{
    const struct gh_parameter parameter = {.schema = schema};
    struct gh_parameter_reader reader = {
        .schemas = schemas, .parameter = &parameter, .arena = arena};
    struct gh_parameter_piece piece = {.text = text};
    const struct gh_parameter_pieces pieces = {.items = &piece, .count = 1};
    if (!gh_utf8_is_valid(text))
        return GH_PARAMETER_MALFORMED;
    return gh_parameter_build(&reader, GH_SHAPE_SINGLE, &pieces, out_doc);
}
