/* The inside of the compiler, for compile*.c only. */
#ifndef GH_SCHEMA_COMPILE_H
#define GH_SCHEMA_COMPILE_H

#include "schema/program.h"

#define GH_SCHEMA_OPS_MAX 40

/* The schema that is being compiled. */
struct gh_schema_compiler {
    struct gh_schemas *schemas;
    struct gh_schema_error *error;
    enum gh_err err;

    struct gh_place place;
    const struct gh_json_doc *doc;
    const struct gh_json_value *schema;
    uint32_t resource;
    unsigned vocabularies;
    struct gh_schema_node node; /* to be filled in */
    struct gh_schema_op ops[GH_SCHEMA_OPS_MAX];
    unsigned op_count;
};

/* A keyword's value, NULL: not there. */
const struct gh_json_value *gh_compile_keyword(const struct gh_schema_compiler *compiler,
                                               const char *name);
/* Always false, with the first error kept. */
bool gh_compile_fail(struct gh_schema_compiler *compiler, const struct gh_json_value *at,
                     const char *text);
bool gh_compile_no_memory(struct gh_schema_compiler *compiler);
/* One more operation for the node, whose keyword's value is `keyword`. */
struct gh_schema_op *gh_compile_op(struct gh_schema_compiler *compiler, enum gh_schema_op_code code,
                                   const struct gh_json_value *keyword);
uint32_t gh_compile_index(const struct gh_schema_compiler *compiler,
                          const struct gh_json_value *value);
/* The node of a schema that stands in this document or elsewhere; false: an error. */
bool gh_compile_subschema(struct gh_schema_compiler *compiler, const struct gh_json_value *value,
                          uint32_t *out_node);
bool gh_compile_node(struct gh_schemas *schemas, struct gh_place place, uint32_t *out_node);
/* Zeroed; NULL with the error set. */
void *gh_compile_alloc(struct gh_schema_compiler *compiler, size_t count, size_t size);
/* A whole number from 0; absent: *out is left. */
bool gh_compile_count(struct gh_schema_compiler *compiler, const char *name, uint64_t *out,
                      uint32_t *out_keyword, bool *out_there);

/* Each adds what its keywords ask for; false: an error. */
bool gh_compile_general(struct gh_schema_compiler *compiler); /* compile_general.c */
bool gh_compile_scalar(struct gh_schema_compiler *compiler);  /* compile_scalar.c */
bool gh_compile_array(struct gh_schema_compiler *compiler);   /* compile_array.c */
bool gh_compile_object(struct gh_schema_compiler *compiler);  /* compile_object.c */

/* compile_discriminator.c: NULL in *out: there is none, or it is of no use here. */
bool gh_compile_discriminator(struct gh_schema_compiler *compiler, const struct gh_json_value *list,
                              const uint32_t *nodes, const struct gh_schema_discriminator **out);
/* compile_facts.c: what follows for each new node from those it refers to; they have no loops. */
void gh_compile_facts(struct gh_schemas *schemas, uint32_t first_new);

/* compile_graph.c: refuses schemas that lead back to themselves without a step into the value. */
bool gh_compile_check_loops(struct gh_schemas *schemas, struct gh_schema_error *error,
                            enum gh_err *out_err);

#endif
