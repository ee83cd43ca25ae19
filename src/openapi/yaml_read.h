/*
 * YAML 1.2 (core schema) to the same tape of values that JSON becomes, with places in the YAML
 * text. It is strict where YAML is loose: no tags but those of the core schema, no merge keys, no
 * repeated names, one document. Aliases are copied out, up to a bound. Not here: what values mean.
 */
#ifndef GH_OPENAPI_YAML_READ_H
#define GH_OPENAPI_YAML_READ_H

#include "openapi/openapi.h"

#define GH_OPENAPI_DEPTH_MAX        128
#define GH_OPENAPI_VALUES_MAX       500000 /* of one file */
#define GH_OPENAPI_ALIAS_VALUES_MAX 10000  /* that aliases stand for, all together */

/* Reads file->text and sets file->doc. False: there were errors, which are told. */
bool gh_openapi_yaml_read(struct gh_arena *arena, struct gh_openapi_file *file,
                          struct gh_openapi_problems *problems);

enum gh_openapi_scalar {
    GH_OPENAPI_SCALAR_OK,
    GH_OPENAPI_SCALAR_NOT_FINITE, /* .inf, .nan: JSON has no such numbers */
    GH_OPENAPI_SCALAR_TOO_LARGE,  /* a hexadecimal or octal number over 64 bits */
    GH_OPENAPI_SCALAR_MEMORY,
};
/* What a plain scalar is (YAML 1.2.2 section 10.3.2): sets kind, boolean, is_integer and text.
   `text` is kept where it needs no change, so it must live in the arena. */
enum gh_openapi_scalar gh_openapi_yaml_scalar(struct gh_arena *arena, struct gh_str text,
                                              struct gh_json_value *out_value);

#endif
