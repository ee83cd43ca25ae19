/*
 * Is a request what its operation declares? In two steps, since the body comes later: first the
 * head (parameters, content type), then the body. Findings of both are in one list.
 *
 * Values are hostile: nothing of them is repeated in a message (names of declared parameters,
 * sizes and kinds are), work and memory are bounded.
 */
#ifndef GH_OPENAPI_CHECK_H
#define GH_OPENAPI_CHECK_H

#include "http/field.h"
#include "openapi/openapi.h"
#include "schema/multipart.h"

enum gh_input_part {
    GH_INPUT_PATH,
    GH_INPUT_QUERY,
    GH_INPUT_HEADER,
    GH_INPUT_COOKIE,
    GH_INPUT_BODY,
};
/* "path", "query", "header", "cookie", "body". */
struct gh_str gh_input_part_name(enum gh_input_part part);

struct gh_input_violation {
    enum gh_input_part part;
    struct gh_str name;    /* of the parameter, or of an undeclared query name (cut to 64 bytes,
                              printable ASCII only, else empty); empty for a body */
    struct gh_str pointer; /* JSON Pointer into the value; "" the whole; of a member that is
                              missing: where it would stand */
    struct gh_str rule;    /* the schema's keyword ("maxLength"), or "required", "undeclared",
                              "syntax", "content_type", "content_encoding", "style" (a parameter
                              that can't be read), "too_complex" (a limit was passed),
                              "range" (a number that no double holds) */
    struct gh_str message; /* a sentence for people */
};

struct gh_input_report {
    struct gh_input_violation *violations;
    size_t count, max; /* no more than max are looked for */
};

enum gh_input_outcome {
    GH_INPUT_OK,
    GH_INPUT_VIOLATIONS,       /* see the report */
    GH_INPUT_UNSUPPORTED_TYPE, /* the body's content type is not declared: 415 */
    GH_INPUT_NO_MEMORY,
};

struct gh_input_limits {
    struct gh_json_limits json; /* of a body */
    struct gh_form_limits form;
    struct gh_multipart_limits multipart;
    struct gh_schema_limits schema;
    size_t violations_max;
};
/* Bodies of 1 MiB, 64 deep, 65,536 values, 4,096 members; 20 violations; the usual limits else. */
extern const struct gh_input_limits gh_input_usual;

/* What of undeclared things is a violation; the name of an API key that a security scheme declares
   is none. */
struct gh_input_undeclared {
    bool query;   /* a query name that no parameter declares */
    bool cookies; /* a cookie that none declares; ours and others' make this rarely wise */
};

struct gh_evidence_collector; /* evidence_collect.h */
struct gh_evidence_note;

struct gh_input_request {
    const struct gh_openapi *openapi;
    const struct gh_openapi_operation *operation;
    const struct gh_input_limits *limits;
    struct gh_input_undeclared undeclared;
    const struct gh_str *path_values; /* of the template's expressions, escapes as they came */
    size_t path_value_count;
    struct gh_str query; /* ptr NULL: none */
    const struct gh_fields *fields;
    bool has_body;                          /* some bytes, or none but a Transfer-Encoding */
    struct gh_evidence_collector *evidence; /* notes what is as declared; NULL: nothing does */
};

struct gh_input_checked {
    /* Of the body; NULL: there is none, or nothing fits it. */
    const struct gh_openapi_media *media;
    enum gh_openapi_body_kind kind; /* of the media, or where its range has a '*', of the body */
    struct gh_str content_type;
    struct gh_input_report report;
    const struct gh_evidence_note *notes; /* for the collector, once all is found good */
};

/*
 * Parameters and content type; begins the report, in `arena`. Header fields named Accept,
 * Content-Type and Authorization are no parameters, whatever the document says (OpenAPI 3.1.1,
 * section 4.8.12.2). A single header field in two lines is a violation, a list in several lines is
 * one list.
 *
 * UNSUPPORTED_TYPE has its violation too ("content_type" or "content_encoding"), beside all others:
 * no declared range matches, the field is missing, repeated or malformed, its charset is not UTF-8
 * (JSON, forms, text), a boundary is missing, or the body is encoded and it is not opaque. A body
 * where none is declared is a violation "undeclared".
 */
enum gh_input_outcome gh_input_check_head(const struct gh_input_request *request,
                                          struct gh_arena *arena, struct gh_input_checked *out);
/*
 * A whole body; `checked` is from the head, with a media. Adds to the report; VIOLATIONS when there
 * is any, also from the head. Multipart too, for those who hold it.
 *
 * No bytes at all are no body for JSON and multipart: a violation "required", or nothing. A form
 * becomes an object of its schema's properties: repeated names an array, what is an object in the
 * schema is JSON, the rest as in schema/parameter.h; an Encoding Object with a style changes that
 * (not in multipart). In multipart, a part is a file when its schema says so (format binary,
 * contentMediaType) or nothing; for the schema it is a string as long as the file has bytes.
 */
enum gh_input_outcome gh_input_check_body(const struct gh_input_request *request,
                                          struct gh_arena *arena, struct gh_str body,
                                          struct gh_input_checked *checked);

/*
 * A body as it arrives: JSON is parsed (and refused at the first wrong byte), the text parts of
 * multipart are collected and files flow by, counted. Nothing may be believed before finish said
 * OK. Lives in `arena`; NULL: full.
 */
struct gh_input_stream;
struct gh_input_stream *gh_input_stream_new(const struct gh_input_request *request,
                                            struct gh_arena *arena,
                                            struct gh_input_checked *checked);
enum gh_input_outcome gh_input_stream_feed(struct gh_input_stream *stream, struct gh_str bytes);
enum gh_input_outcome gh_input_stream_finish(struct gh_input_stream *stream);

/* Is an answer what is declared? UNSUPPORTED_TYPE: its type is not; a status that is not declared
   is a violation with the rule "undeclared" and the name "status". `body` is whole and not encoded.
 */
struct gh_input_response {
    const struct gh_openapi *openapi;
    const struct gh_openapi_operation *operation;
    const struct gh_input_limits *limits;
    unsigned status;
    struct gh_str content_type; /* ptr NULL: none */
    struct gh_str body;
};
enum gh_input_outcome gh_input_check_response(const struct gh_input_response *response,
                                              struct gh_arena *arena,
                                              struct gh_input_report *out_report);

#endif
