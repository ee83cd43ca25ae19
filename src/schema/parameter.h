/*
 * Parameters as OpenAPI writes them into paths, queries, fields and cookies (its `style` and
 * `explode`, which are forms of RFC 6570), read back into JSON values, strictly.
 *
 * Texts carry no types, so the schema says what is looked for: where it allows a number, a boolean
 * or null and the text is one in JSON's spelling, it becomes that value; else it is a string. An
 * array or object is split only where the schema allows one. Where a text can be read in more than
 * one way, the first is taken that is valid: as one value, as an array, as an object; each typed
 * before a string. Where none is, the caller finds out why when it checks the result.
 *
 * Booleans are "true" and "false", null is "null". An empty text is an empty string, or an array of
 * one, never nothing. A label that isn't exploded has commas (RFC 6570, OpenAPI 3.1.1; the table of
 * OpenAPI 3.0.0 to 3.0.3 had points).
 */
#ifndef GH_SCHEMA_PARAMETER_H
#define GH_SCHEMA_PARAMETER_H

#include "schema/form.h"
#include "schema/schema.h"

enum gh_parameter_in { GH_IN_PATH, GH_IN_QUERY, GH_IN_HEADER, GH_IN_COOKIE };

enum gh_parameter_style {
    GH_STYLE_SIMPLE,          /* path, header: a,b */
    GH_STYLE_LABEL,           /* path: .a.b */
    GH_STYLE_MATRIX,          /* path: ;id=a,b */
    GH_STYLE_FORM,            /* query, cookie: id=a&id=b, id=a,b */
    GH_STYLE_SPACE_DELIMITED, /* query: id=a%20b */
    GH_STYLE_PIPE_DELIMITED,  /* query: id=a|b */
    GH_STYLE_DEEP_OBJECT,     /* query: id[x]=a&id[y]=b */
};

struct gh_parameter {
    struct gh_str name;
    enum gh_parameter_in in;
    enum gh_parameter_style style;
    bool explode;
    bool is_json;    /* the text is a JSON document */
    uint32_t schema; /* UINT32_MAX: any value, a string */
};

enum gh_parameter_status {
    GH_PARAMETER_OK,
    GH_PARAMETER_ABSENT,
    GH_PARAMETER_REPEATED,  /* it stands twice where one value is wanted */
    GH_PARAMETER_MALFORMED, /* not of its style: a bad escape, an object with an odd number of
                               parts, "a[b" */
    GH_PARAMETER_JSON,      /* is_json, and it isn't (one document, strictly) */
    GH_PARAMETER_TOO_LARGE, /* more items or members than gh_json_small allows */
    GH_PARAMETER_NO_MEMORY,
};
/* A short text for people: "stands twice". */
struct gh_str gh_parameter_status_text(enum gh_parameter_status status);

/* One text without a style, decoded and UTF-8: a part of a form, a body of text. OK, MALFORMED (no
   UTF-8), NO_MEMORY. */
enum gh_parameter_status gh_parameter_read_value(const struct gh_schemas *schemas, uint32_t schema,
                                                 struct gh_arena *arena, struct gh_str text,
                                                 struct gh_json_doc *out_doc);

/* One text: of a path expression (escapes not decoded yet), or of a header field (taken as it is;
   several lines are for the caller to refuse or join). *out_doc lives in `arena` and may borrow. */
enum gh_parameter_status gh_parameter_read_text(const struct gh_schemas *schemas,
                                                const struct gh_parameter *parameter,
                                                struct gh_arena *arena, struct gh_str text,
                                                struct gh_json_doc *out_doc);

/*
 * Of a query, a cookie list or a form: all fields of that parameter are found. `used` has a place
 * for each field of `form` and is set for those that are its; what stays unset at the end was
 * declared by no parameter. An exploded object takes the names that its schema knows and that no
 * other took, so it must be read after the others; where the schema has additionalProperties, it
 * knows all. A form of cookies has fields without a `value`: those are read from `raw_value`.
 */
enum gh_parameter_status gh_parameter_read_form(const struct gh_schemas *schemas,
                                                const struct gh_parameter *parameter,
                                                struct gh_arena *arena, const struct gh_form *form,
                                                bool *used, struct gh_json_doc *out_doc);

/* What a schema says of a file: a string of `format: binary` or with a contentMediaType and no
   contentEncoding. Its lengths are in bytes (OpenAPI 3.1.1, section 4.8.24.5.2). */
struct gh_parameter_file {
    bool is_binary;
    uint64_t bytes_min, bytes_max; /* 0 and UINT64_MAX: no bound */
};
struct gh_parameter_file gh_parameter_file_of(const struct gh_schemas *schemas, uint32_t schema);

#endif
