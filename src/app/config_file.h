/* The configuration's text and environment as the operating system has them. */
#ifndef GH_APP_CONFIG_FILE_H
#define GH_APP_CONFIG_FILE_H

#include "base/arena.h"
#include "config/config.h"

/* What commands read when no file is named. */
#define GH_CONFIG_FILE_DEFAULT "gatehouse.yaml"

/* Reads the file at `path` into `arena`. False: *out_message says why, without the path. Files over
   GH_CONFIG_BYTES_MAX are refused. */
bool gh_config_file_read(const char *path, struct gh_arena *arena, struct gh_str *out_text,
                         const char **out_message);

/* The process's environment, for gh_config_load_init. */
const char *gh_environment_get(void *context, const char *name);

#endif
