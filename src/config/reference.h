/* What is generated from the field tables, so that it can't drift from them. */
#ifndef GH_CONFIG_REFERENCE_H
#define GH_CONFIG_REFERENCE_H

#include <stdio.h>

#include "config/config.h"

/* JSON Schema (2020-12) of the whole file, for editors. */
void gh_config_write_schema(FILE *out, const struct gh_config_table *root);
/* The reference page in Markdown: a section per table, a row per field. */
void gh_config_write_reference(FILE *out, const struct gh_config_table *root);

#endif
