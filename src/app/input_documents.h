/*
 * Reads the OpenAPI documents that routes name in `input`, each once for all the routes that name
 * it alike. Their problems join those of the configuration, at places in their own files.
 */
#ifndef GH_APP_INPUT_DOCUMENTS_H
#define GH_APP_INPUT_DOCUMENTS_H

#include "app/root_config.h"

/* Sets input.document of the routes; call between gh_root_load and gh_root_compile. Paths are
   relative to load->file_name. Documents live in load->arena. */
void gh_input_documents_load(struct gh_config_load *load, struct gh_root_settings *settings);
/* A path of `input` as seen from the configuration file; ptr NULL: no memory. */
struct gh_str gh_input_path(const struct gh_config_load *load, struct gh_str path);

#endif
