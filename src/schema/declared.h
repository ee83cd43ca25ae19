/*
 * Which schemas a value's children have, by all that may apply to the value: $ref, allOf, anyOf and
 * oneOf. For those who name places by what a document declares, never by what a caller wrote. What
 * is not followed ($dynamicRef, if, dependentSchemas, unevaluated*) declares nothing here.
 */
#ifndef GH_SCHEMA_DECLARED_H
#define GH_SCHEMA_DECLARED_H

#include "schema/schema.h"

/* Schemas beyond this many are left out: less is known then, never more. */
#define GH_SCHEMA_SET_MAX 32

/* All schemas that may apply to one value. */
struct gh_schema_set {
    uint32_t items[GH_SCHEMA_SET_MAX];
    uint32_t count;
};

enum gh_schema_declared {
    GH_SCHEMA_NOT_DECLARED,
    GH_SCHEMA_DECLARED_BY_NAME,  /* in `properties` */
    GH_SCHEMA_DECLARED_AS_OTHER, /* by additionalProperties or patternProperties with a schema */
};

/* Adds a schema and all that it leads to. */
void gh_schema_set_add(const struct gh_schemas *schemas, struct gh_schema_set *set,
                       uint32_t schema);

/*
 * The schemas of the member `name` of an object, in *out_set, which is begun anew. BY_NAME:
 * *out_name is the name as the document has it, and lives as long. The patterns of
 * patternProperties are not run: any name that is in no `properties` may be meant by them.
 */
enum gh_schema_declared gh_schema_set_member(const struct gh_schemas *schemas,
                                             const struct gh_schema_set *set, struct gh_str name,
                                             uint32_t name_hash, struct gh_str *out_name,
                                             struct gh_schema_set *out_set);
/* The schemas of any item of an array; none: nothing is known. */
void gh_schema_set_items(const struct gh_schemas *schemas, const struct gh_schema_set *set,
                         struct gh_schema_set *out_set);

#endif
