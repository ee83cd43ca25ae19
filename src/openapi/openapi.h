/*
 * OpenAPI documents, 3.0 and 3.1: read from YAML or JSON, from one file or several, checked against
 * themselves, and compiled into operations whose inputs have compiled schemas.
 *
 * Documents are trusted but full of mistakes: each is a problem with file, line and column, and
 * all are found in one run. Nothing is fetched and nothing here opens a file: texts come from
 * `struct gh_openapi_source`. Requests are checked in check.h, documents are audited in lint.h.
 */
#ifndef GH_OPENAPI_OPENAPI_H
#define GH_OPENAPI_OPENAPI_H

#include "schema/parameter.h"
#include "schema/schema.h"

#define GH_OPENAPI_FILE_BYTES_MAX (8U * 1024 * 1024) /* of one file */
#define GH_OPENAPI_FILES_MAX      64
#define GH_OPENAPI_PROBLEMS_MAX   200 /* kept; further ones are only counted */

/* "https://example.com/a.json" is read from the file a.json. */
struct gh_openapi_mapping {
    struct gh_str uri, path;
};

/* Where texts come from. */
struct gh_openapi_source {
    void *context;
    /* The text of a file, in `arena`. `path` is as it was given, or resolved against the file that
       refers to it. GH_OK, GH_ERR_NOT_FOUND, GH_ERR_FULL (longer than the bound), GH_ERR_MEMORY,
       or another error of reading. */
    enum gh_err (*read)(void *context, struct gh_arena *arena, struct gh_str path,
                        struct gh_str *out_text);
    const struct gh_openapi_mapping *mappings;
    size_t mapping_count;
};

enum gh_openapi_severity { GH_OPENAPI_ERROR, GH_OPENAPI_WARNING };

struct gh_openapi_problem {
    enum gh_openapi_severity severity;
    struct gh_str file;    /* its path */
    unsigned line, column; /* from 1; 0: of the file as a whole */
    struct gh_str what;    /* "the parameter \"petId\" stands in no path" */
    struct gh_str remedy;  /* may be empty */
};

struct gh_openapi_problems {
    struct gh_openapi_problem items[GH_OPENAPI_PROBLEMS_MAX];
    size_t count;
    unsigned error_count, warning_count; /* also of those that are not kept */
};

/* A file that was read. */
struct gh_openapi_file {
    struct gh_str path; /* for people */
    struct gh_str uri;  /* as it is registered with the schemas */
    struct gh_str text;
    struct gh_json_doc doc; /* its values' start and end are places in `text`, YAML or JSON */
};

/* Something that stands in a file: for messages and for lint. */
struct gh_openapi_at {
    const struct gh_openapi_file *file;
    const struct gh_json_value *value;
};

#define GH_OPENAPI_NO_SCHEMA UINT32_MAX

struct gh_openapi_parameter {
    struct gh_str name; /* as written; of header fields any case */
    enum gh_parameter_in in;
    enum gh_parameter_style style;
    bool explode;
    bool required;
    bool allow_reserved;
    bool allow_empty;                   /* query: "?flag" stands for no value */
    bool is_json;                       /* `content: {application/json: ...}`: one text of JSON */
    uint32_t schema;                    /* for gh_schema_check; NO_SCHEMA: any value */
    unsigned path_index;                /* PATH: which template expression of the path, from 0 */
    struct gh_openapi_at at, schema_at; /* schema_at.value NULL: none */
};

enum gh_openapi_body_kind {
    GH_OPENAPI_BODY_JSON, /* application/json and +json */
    GH_OPENAPI_BODY_FORM, /* application/x-www-form-urlencoded */
    GH_OPENAPI_BODY_MULTIPART,
    GH_OPENAPI_BODY_TEXT,   /* text/...: one string */
    GH_OPENAPI_BODY_OPAQUE, /* anything else: only its size is judged */
};

/* How one property of a form or multipart body is written (Encoding Object). */
struct gh_openapi_encoding {
    struct gh_str property;
    struct gh_str content_types; /* "image/png, image/jpeg"; empty: the default of its schema */
    enum gh_parameter_style style;
    bool explode, allow_reserved, styled; /* styled: style or explode was given */
};

struct gh_openapi_media {
    struct gh_str range; /* a type, "image" with any subtype, or anything: as in the document, but
                            lower case and without parameters */
    enum gh_openapi_body_kind kind;
    uint32_t schema; /* GH_OPENAPI_NO_SCHEMA: anything */
    const struct gh_openapi_encoding *encodings;
    size_t encoding_count;
    struct gh_openapi_at at, schema_at;
};

/* One status of an operation's answers. */
struct gh_openapi_response {
    unsigned status_min, status_max; /* 200..200, 400..499 of "4XX", 0..999 of "default" */
    const struct gh_openapi_media *media;
    size_t media_count;
    struct gh_openapi_at at;
};

struct gh_openapi_operation {
    struct gh_str method;                          /* "GET" */
    struct gh_str path;                            /* the template as written: "/pets/{petId}" */
    struct gh_str id;                              /* operationId; ptr NULL: none */
    const struct gh_openapi_parameter *parameters; /* the path's and its own, by place */
    size_t parameter_count;
    bool has_body, body_required;
    const struct gh_openapi_media *media; /* of the request body, the most specific range first */
    size_t media_count;
    const struct gh_openapi_response *responses; /* exact before ranges before default */
    size_t response_count;
    bool secured; /* a security requirement that is not empty applies */
    struct gh_openapi_at at, body_at;
};

/* Frozen after loading; shared by threads. All of it lives in the arena. */
struct gh_openapi {
    bool is_3_0;
    struct gh_str title, version; /* info; may be empty */
    struct gh_str base_path;      /* of the first server's URL, without a final "/": "/v3", or "" */
    const struct gh_openapi_operation *operations; /* in the order of the document */
    size_t operation_count;
    const struct gh_openapi_file *const *files; /* [0]: the document itself */
    size_t file_count;
    const struct gh_schemas *schemas;
    const struct gh_schemas *response_schemas; /* the same; NULL unless options.responses */
};

struct gh_openapi_options {
    bool assert_formats;
    bool responses; /* compile the schemas of answers too */
};

/*
 * Reads the document at `path` and all that it refers to. NULL: there was an error (it is among
 * *problems, which is begun anew), or no memory (also told there). Problems are sorted by place;
 * the first ones are kept, errors before warnings. Warnings don't keep a document from being used.
 *
 * What can't be checked is an error, never passed over: a reference that leads nowhere or in a
 * circle, a parameter that is in no template, two operations of one method that match the same
 * paths, a path expression that is not a whole segment, a pattern that can't be compiled, an
 * unknown style. What is told and can be lived with: unknown members, a missing or repeated
 * operationId, examples that are not valid, mistakes in schemas that no request reaches (errors
 * with options.responses).
 */
const struct gh_openapi *gh_openapi_load(struct gh_arena *arena,
                                         const struct gh_openapi_source *source, struct gh_str path,
                                         const struct gh_openapi_options *options,
                                         struct gh_openapi_problems *problems);

/* Line and column (in bytes, from 1) of an offset in a file. */
void gh_openapi_place(const struct gh_openapi_file *file, size_t offset, unsigned *out_line,
                      unsigned *out_column);
/* Adds a problem at a value (value NULL: of the file as a whole). Formats are printf's; texts live
   in `arena`; `remedy` may be NULL. */
void gh_openapi_problem_add(struct gh_openapi_problems *problems, struct gh_arena *arena,
                            enum gh_openapi_severity severity, struct gh_openapi_at at,
                            const char *remedy, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#endif
