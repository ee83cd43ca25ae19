/*
 * The inside of gh_openapi_load, for its files only: the documents read so far, and what a
 * reference in them leads to.
 *
 * A file's URI follows from its path and back, so that references are resolved as RFC 3986 says,
 * here and in the schemas alike.
 */
#ifndef GH_OPENAPI_LOADER_H
#define GH_OPENAPI_LOADER_H

#include "openapi/openapi.h"

#define GH_OPENAPI_EXPRESSIONS_MAX 32 /* of a path template */

/* A reference to a reference to ...: longer chains are circles or might as well be. */
#define GH_OPENAPI_REFERENCES_MAX 32

/* Schemas while they are compiled. After an error a new set is begun, so that further ones can be
   found; none of them is of use then. */
struct gh_openapi_registry {
    struct gh_arena *arena;
    struct gh_schemas *schemas; /* NULL: not made yet, or given up */
    unsigned broken_count;
};

struct gh_openapi_loader {
    struct gh_arena *arena;
    const struct gh_openapi_source *source;
    const struct gh_openapi_options *options;
    struct gh_openapi_problems *problems;
    const struct gh_openapi_file *files[GH_OPENAPI_FILES_MAX];
    /* Of each file's values: as what they were looked at (structure.c). */
    uint64_t *marks[GH_OPENAPI_FILES_MAX];
    size_t file_count;
    /* URIs that could not be read, so that each is told once. */
    struct gh_str missing[GH_OPENAPI_FILES_MAX];
    size_t missing_count;
    bool is_3_0;
    bool no_memory;
    struct gh_openapi_registry registry; /* of requests and answers */
    struct gh_openapi_registry remarks;  /* of all else, in `scratch` */
    struct gh_arena scratch;
    struct gh_openapi *openapi; /* what is being made */
};

#define GH_OPENAPI_AT(file, value) ((struct gh_openapi_at){file, value})

void gh_openapi_error(struct gh_openapi_loader *loader, struct gh_openapi_at at, const char *remedy,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
void gh_openapi_warning(struct gh_openapi_loader *loader, struct gh_openapi_at at,
                        const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same at the name of a member. */
void gh_openapi_error_at_name(struct gh_openapi_loader *loader, struct gh_openapi_at at,
                              const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void gh_openapi_warning_at_name(struct gh_openapi_loader *loader, struct gh_openapi_at at,
                                const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Told once. */
void gh_openapi_no_memory(struct gh_openapi_loader *loader);

/* document.c. NULL: it can't be read, which is told at `from` (from.file NULL: nowhere). */
const struct gh_openapi_file *gh_openapi_read_path(struct gh_openapi_loader *loader,
                                                   struct gh_str path, struct gh_openapi_at from);
const struct gh_openapi_file *gh_openapi_read_uri(struct gh_openapi_loader *loader,
                                                  struct gh_str uri, struct gh_openapi_at from);
/* The file that was read from it; NULL: none was. */
const struct gh_openapi_file *gh_openapi_file_of(const struct gh_openapi_loader *loader,
                                                 struct gh_str uri);
/* Has a schema in what was read this $id, or is it of JSON Schema itself? */
bool gh_openapi_is_identifier(const struct gh_openapi_loader *loader, struct gh_str uri);
size_t gh_openapi_file_index(const struct gh_openapi_loader *loader,
                             const struct gh_openapi_file *file);

/* file_uri.c. ptr NULL: no memory, or the path leads too far up. */
struct gh_str gh_openapi_uri_of_path(struct gh_arena *arena, struct gh_str path);
struct gh_str gh_openapi_path_of_uri(struct gh_arena *arena, struct gh_str uri);

/* reference.c */

/* The text of its $ref; ptr NULL: it has none, or one that is no string. */
struct gh_str gh_openapi_reference_of(struct gh_openapi_at at);
/* Who follows a reference, and what is told when it leads nowhere. */
enum gh_openapi_asker {
    GH_ASKER_AGAIN,  /* nothing: it was told before */
    GH_ASKER_OBJECT, /* that it does */
    GH_ASKER_SCHEMA, /* the same; what names an $id or an anchor is left to the compiler */
};
/* One step; value NULL: nowhere. */
struct gh_openapi_at gh_openapi_target(struct gh_openapi_loader *loader, struct gh_openapi_at at,
                                       enum gh_openapi_asker asker);
/* All steps to what is no reference; value NULL: nowhere, or in a circle. Tells nothing: the walk
   over the structure did. */
struct gh_openapi_at gh_openapi_follow(struct gh_openapi_loader *loader, struct gh_openapi_at at);

/* compile.c */

/* NO_SCHEMA when there is none or it has a mistake, which is told. */
uint32_t gh_openapi_compile(struct gh_openapi_loader *loader, struct gh_openapi_at schema);
/* The same among the remarks; what is told is of the severity given. */
uint32_t gh_openapi_compile_remark(struct gh_openapi_loader *loader, struct gh_openapi_at schema,
                                   enum gh_openapi_severity severity);
/* An empty set is made if there is none: what reads values asks for one. False: no memory. */
bool gh_openapi_registry_ready(struct gh_openapi_loader *loader,
                               struct gh_openapi_registry *registry);

/* remark.c: schemas that no request reaches, contradictions, examples that are not valid. */
void gh_openapi_remark(struct gh_openapi_loader *loader);

/* operation_check.c: what is wrong between operations. */
void gh_openapi_check_operations(struct gh_openapi_loader *loader);

/* operation.c: all of `paths` into loader->openapi. False: no memory. */
bool gh_openapi_read_operations(struct gh_openapi_loader *loader);

/* operation_parameter.c: those of a path item and an operation together. */
bool gh_openapi_read_parameters(struct gh_openapi_loader *loader, struct gh_openapi_at path_item,
                                struct gh_openapi_at operation, struct gh_openapi_operation *out);

/* operation_media.c: a Media Type map. */
bool gh_openapi_read_media(struct gh_openapi_loader *loader, struct gh_openapi_at content,
                           const struct gh_openapi_media **out_media, size_t *out_count);
bool gh_openapi_is_json_type(struct gh_str type);
/* Of a media type: lower case, without parameters; ptr NULL: no memory. */
struct gh_str gh_openapi_media_range(struct gh_arena *arena, struct gh_str type);

/* server.c: the path of the first server's URL. */
void gh_openapi_read_servers(struct gh_openapi_loader *loader);

/* template.c */
enum gh_openapi_template_status {
    GH_OPENAPI_TEMPLATE_OK,
    GH_OPENAPI_TEMPLATE_NO_SLASH, /* it doesn't begin with one */
    GH_OPENAPI_TEMPLATE_PARTIAL,  /* an expression is not a whole segment */
    GH_OPENAPI_TEMPLATE_BRACE,    /* unmatched, or with nothing between */
    GH_OPENAPI_TEMPLATE_REPEATED, /* one name twice */
    GH_OPENAPI_TEMPLATE_TOO_MANY,
    GH_OPENAPI_TEMPLATE_URL, /* a query or fragment */
};
struct gh_openapi_template {
    struct gh_str names[GH_OPENAPI_EXPRESSIONS_MAX];
    size_t count;
};
enum gh_openapi_template_status gh_openapi_template_read(struct gh_str path,
                                                         struct gh_openapi_template *out);
/* Do both match the same paths, since only names differ? */
bool gh_openapi_template_is_same(struct gh_str a, struct gh_str b);

/* Members: value NULL when `at` has none of the name. Another document may stand behind it: follow
   what can be a reference. */
struct gh_openapi_at gh_openapi_member(struct gh_openapi_at at, const char *name);
bool gh_openapi_flag(struct gh_openapi_at at, const char *name, bool otherwise);

#endif
