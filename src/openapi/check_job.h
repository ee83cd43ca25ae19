/* The inside of checking inputs, for check*.c only. */
#ifndef GH_OPENAPI_CHECK_JOB_H
#define GH_OPENAPI_CHECK_JOB_H

#include "openapi/evidence_collect.h"

/* What all steps of one check share. */
struct gh_input_job {
    const struct gh_schemas *schemas; /* NULL: values are not judged */
    enum gh_schema_direction direction;
    const struct gh_input_limits *limits;
    struct gh_arena *arena;
    struct gh_input_report *report;
    struct gh_evidence_collector *evidence; /* NULL: nothing is noted */
    const struct gh_openapi_operation *operation;
    const struct gh_evidence_note **notes; /* of what was judged, as long as all is good */
    bool is_out_of_memory;
};

struct gh_input_place {
    enum gh_input_part part;
    struct gh_str name, pointer;
};

/* check_report.c */
void gh_input_report_init(struct gh_input_report *report, const struct gh_input_limits *limits);
/* Has nothing gone wrong with memory, and is there room for more violations? */
bool gh_input_goes_on(const struct gh_input_job *job);
void gh_input_add(struct gh_input_job *job, struct gh_input_place place, struct gh_str rule,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A parameter, or a member of a form, that could not be read; `status` is not OK. */
void gh_input_add_status(struct gh_input_job *job, struct gh_input_place place,
                         enum gh_parameter_status status);
void gh_input_add_json_status(struct gh_input_job *job, struct gh_input_place place,
                              enum gh_json_status status, size_t offset);
void gh_input_add_form_status(struct gh_input_job *job, struct gh_input_place place,
                              enum gh_form_status status, size_t offset);
/* Checks a value; a schema of GH_OPENAPI_NO_SCHEMA takes any. */
void gh_input_judge(struct gh_input_job *job, enum gh_input_part part, struct gh_str name,
                    uint32_t schema, const struct gh_json_doc *doc);
enum gh_input_outcome gh_input_outcome_of(const struct gh_input_job *job);
/* The same at the end of a request: one without violations is evidence. */
enum gh_input_outcome gh_input_conclude(struct gh_input_job *job);
/* "/name" in a body, escaped; what is too long is the whole. */
struct gh_input_place gh_input_member(struct gh_input_job *job, struct gh_str name);

/* check_parameters.c: in the order path, query, header, cookie. */
void gh_input_check_parameters(struct gh_input_job *job, const struct gh_input_request *request);

/* check_type.c. A media type (RFC 9110 section 8.3.1). False: malformed. */
struct gh_content_type {
    struct gh_str type;    /* "type/subtype" as it came */
    struct gh_str charset; /* ptr NULL: none */
};
bool gh_content_type_parse(struct gh_str text, struct gh_content_type *out);
/* Does "image/png", in any case, fall under "image/png", "image" with any subtype, or anything? */
bool gh_media_range_matches(struct gh_str range, struct gh_str type);
enum gh_openapi_body_kind gh_media_kind(struct gh_str type);
/* The media of a body with that content type. False: there is none, and that is reported. */
bool gh_input_find_media(struct gh_input_job *job, const struct gh_openapi_media *media,
                         size_t media_count, struct gh_str content_type,
                         struct gh_input_checked *out);

/* check_stream.c: the body of a request or a response. */
struct gh_input_stream {
    struct gh_input_job job;
    const struct gh_openapi_media *media;
    enum gh_openapi_body_kind kind;
    bool is_required; /* no bytes are no body */
    bool is_stopped;  /* the body is refused, the rest is not looked at */
    uint64_t bytes;
    struct gh_json_parser *json;
    struct gh_input_text *text;
    struct gh_input_parts *parts;
};
/* False: no memory. */
bool gh_input_stream_init(struct gh_input_stream *stream, const struct gh_input_job *job,
                          const struct gh_input_checked *checked, bool is_required);
enum gh_input_outcome gh_input_check_whole(struct gh_input_stream *stream, struct gh_str body);

/* A text that grows as it arrives, in the arena. */
struct gh_input_text {
    char *ptr;
    size_t len, cap;
};
/* False: no memory. */
bool gh_input_text_put(struct gh_arena *arena, struct gh_input_text *text, struct gh_str bytes);

/* check_form.c: as an object, checked. */
void gh_input_check_form(struct gh_input_job *job, const struct gh_openapi_media *media,
                         struct gh_str text);
const struct gh_openapi_encoding *gh_input_encoding(const struct gh_openapi_media *media,
                                                    struct gh_str property);
/* The schema of a member; UINT32_MAX: not known. */
uint32_t gh_input_property(const struct gh_input_job *job, const struct gh_openapi_media *media,
                           struct gh_str name);
/* Only an object will do: it is written as JSON. */
bool gh_input_is_object(const struct gh_input_job *job, uint32_t schema);
/* Closes the object of a form and checks it, unless it could not be read. */
struct gh_json_builder;
void gh_input_judge_form(struct gh_input_job *job, const struct gh_openapi_media *media,
                         struct gh_json_builder *builder, size_t violations_before);

/* check_multipart.c. NULL: no memory. */
struct gh_input_parts *gh_input_parts_new(struct gh_input_job *job,
                                          const struct gh_openapi_media *media,
                                          struct gh_str content_type);
/* False: refused. */
bool gh_input_parts_feed(struct gh_input_job *job, struct gh_input_parts *parts,
                         struct gh_str bytes);
void gh_input_parts_finish(struct gh_input_job *job, struct gh_input_parts *parts);

#endif
