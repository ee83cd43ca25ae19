/* Internal to yaml_read.c: are the names of a map all different? */
#ifndef GH_OPENAPI_YAML_NAMES_H
#define GH_OPENAPI_YAML_NAMES_H

#include "json/parse.h"

/* *out_repeated: the first member whose name stands before it too; 0: none. False: no memory. */
bool gh_openapi_yaml_names(const struct gh_json_value *values, uint32_t object,
                           uint32_t *out_repeated);

#endif
