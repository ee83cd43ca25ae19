/*
 * JSON Schema, draft 2020-12: documents are registered, schemas in them compiled at load into one
 * flat program, and values checked against it. Nothing is fetched: a reference leads to what was
 * registered or is refused.
 *
 * Compiling is for trusted documents with mistakes in them: each mistake is a sentence with its
 * place. Checking is for hostile values: steps, depth, memory and the number of reported violations
 * are bounded, and patterns run under limits.
 */
#ifndef GH_SCHEMA_SCHEMA_H
#define GH_SCHEMA_SCHEMA_H

#include "base/err.h"
#include "json/parse.h"

enum gh_schema_dialect {
    GH_SCHEMA_2020_12,
    GH_SCHEMA_OPENAPI_30, /* nullable, boolean exclusiveMinimum, nothing beside $ref */
    GH_SCHEMA_OPENAPI_31, /* draft 2020-12 and `discriminator`, which 3.0 has too */
};

struct gh_schema_options {
    enum gh_schema_dialect dialect; /* of documents without $schema */
    bool assert_formats; /* else `format` is a remark, unless the metaschema says otherwise */
};

/* What is wrong with a schema. */
struct gh_schema_error {
    struct gh_str uri;     /* of the document, as registered */
    struct gh_str pointer; /* JSON Pointer into it */
    size_t offset;         /* of that value in the document's text */
    struct gh_str text;    /* a sentence for people */
};

/*
 * Documents and the schemas compiled from them, all in one arena. After the last gh_schemas_compile
 * it doesn't change and can be shared by threads. After an error it is good for nothing.
 */
struct gh_schemas;

/* NULL: the arena is full. `options` is copied. */
struct gh_schemas *gh_schemas_new(struct gh_arena *arena, const struct gh_schema_options *options);

enum gh_schema_content {
    GH_SCHEMA_IS_SCHEMA,   /* the document is one schema */
    GH_SCHEMA_HAS_SCHEMAS, /* schemas are at places that gh_schemas_compile names (OpenAPI) */
};

/*
 * Registers a document under an absolute URI (a path will do when nothing refers to it by URI). The
 * document, its text and the URI must outlive `schemas`. GH_ERR_EXISTS: there is one of that URI;
 * GH_ERR_INVALID: an identifier in it can't be used; GH_ERR_MEMORY. *out_error is set on all.
 */
GH_MUST_USE enum gh_err gh_schemas_add(struct gh_schemas *schemas, struct gh_str uri,
                                       const struct gh_json_doc *doc,
                                       enum gh_schema_content content,
                                       struct gh_schema_error *out_error);

/* Compiles the schema that `reference` names: the URI of a document or of an $id, with an anchor or
   a JSON Pointer as fragment or none. What it refers to is compiled too. Errors as above. */
GH_MUST_USE enum gh_err gh_schemas_compile(struct gh_schemas *schemas, struct gh_str reference,
                                           uint32_t *out_schema, struct gh_schema_error *out_error);
/* The same for a value of a registered document. */
GH_MUST_USE enum gh_err gh_schemas_compile_value(struct gh_schemas *schemas,
                                                 const struct gh_json_doc *doc,
                                                 const struct gh_json_value *value,
                                                 uint32_t *out_schema,
                                                 struct gh_schema_error *out_error);

/*
 * What can be said of a schema before there is a value, for those who make values out of text
 * (parameters, forms). All of it errs to the open side: what is not known is taken as possible.
 */

/* The kinds of value it may accept: 1 << enum gh_json_kind each. Any number: the bits of NUMBER and
   GH_SCHEMA_INTEGER; whole numbers only: the second alone. 0: nothing is valid. */
#define GH_SCHEMA_INTEGER (1u << 6)
unsigned gh_schema_kinds(const struct gh_schemas *schemas, uint32_t schema);
/* The schema of an object's member: in `properties`, else additionalProperties; through $ref, allOf
   and, where only one alternative is for objects, anyOf and oneOf. False: nothing is known. */
bool gh_schema_property(const struct gh_schemas *schemas, uint32_t schema, struct gh_str name,
                        uint32_t *out_schema);
/* The same for the items of an array, where they all have one schema. */
bool gh_schema_items(const struct gh_schemas *schemas, uint32_t schema, uint32_t *out_schema);

struct gh_schema_limits {
    uint64_t steps_max;    /* about 10 ns each, patterns included */
    unsigned depth_max;    /* of schemas within schemas; at most GH_SCHEMA_DEPTH_MAX */
    size_t violations_max; /* no more are looked for */
};
#define GH_SCHEMA_DEPTH_MAX 512
/* 2,000,000 steps, GH_SCHEMA_DEPTH_MAX deep, 20 violations. */
extern const struct gh_schema_limits gh_schema_limits_usual;

/* Which way a value goes. A member whose schema says readOnly is not allowed in a request, and
   `required` doesn't ask for it there; writeOnly is the same for a response. */
enum gh_schema_direction {
    GH_SCHEMA_ANY_WAY, /* both are remarks */
    GH_SCHEMA_REQUEST,
    GH_SCHEMA_RESPONSE,
};

struct gh_schema_check_options {
    struct gh_schema_limits limits;
    enum gh_schema_direction direction;
};
/* The usual limits, any way. */
extern const struct gh_schema_check_options gh_schema_check_usual;

/* Longest pointer in a violation; a longer one leads to a container of the value. */
#define GH_SCHEMA_POINTER_BYTES_MAX 1024

struct gh_schema_violation {
    uint32_t value;        /* index in the document */
    struct gh_str pointer; /* JSON Pointer to it */
    struct gh_str keyword; /* "maxLength"; "false" of the schema that allows nothing; "" when a
                              limit was reached and no keyword is to blame */
    struct gh_str name;    /* required, dependentRequired, discriminator: the missing member; else
                              ptr NULL */
    struct gh_str schema_uri, schema_pointer; /* where the keyword stands */
    struct gh_str message; /* for people; repeats nothing of the value but sizes and kinds */
};

struct gh_schema_report {
    const struct gh_schema_violation *violations;
    size_t count;
    uint64_t steps; /* that were taken */
};

enum gh_schema_outcome {
    GH_SCHEMA_INVALID,
    GH_SCHEMA_VALID,
    GH_SCHEMA_TOO_COMPLEX, /* a limit was reached before there was an answer */
    GH_SCHEMA_NO_MEMORY,
};

/*
 * Checks `value` of `doc`. `arena` is scratch, and the report lives there; a valid value takes
 * nothing from it unless there are patterns, unevaluated* or uniqueItems. INVALID and TOO_COMPLEX
 * come with at least one violation, unless the limits ask for none.
 */
enum gh_schema_outcome gh_schema_check(const struct gh_schemas *schemas, uint32_t schema,
                                       const struct gh_json_doc *doc,
                                       const struct gh_json_value *value,
                                       const struct gh_schema_check_options *options,
                                       struct gh_arena *arena, struct gh_schema_report *out_report);

#endif
