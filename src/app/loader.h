/* From a configuration file to a snapshot that workers can run under. */
#ifndef GH_APP_LOADER_H
#define GH_APP_LOADER_H

#include <stdio.h>

#include "app/root_config.h"
#include "gateway/snapshot.h"
#include "obs/log.h"

/* Where the configuration comes from. */
struct gh_source {
    const char *file;     /* NULL: `upstream` alone */
    const char *upstream; /* `serve --upstream URL` without a file */
    const char *listen;   /* replaces the file's listeners; NULL: as they are */
};

/*
 * Loads `source` with the process's environment: settings in snapshot->arena, policy compiled,
 * problems collected in *load (which keeps pointing into the snapshot's arena). NULL when the file
 * could not be read or had errors; then *out_message says it in one line and the problems are in
 * `load` until gh_loader_forget.
 */
struct gh_loaded {
    struct gh_config_load load;
    struct gh_root_settings settings;
    struct gh_snapshot *snapshot;
    struct gh_str message; /* why it failed, when it failed before there were problems */
};

/* Reads, binds, checks and compiles; opens nothing. False: see loaded->load and ->message. */
bool gh_loader_read(const struct gh_source *source, struct gh_loaded *loaded);
/* Opens what the snapshot needs to run: TLS contexts (tickets shared with `old`, may be NULL; their
   keys are with who keeps `keys`, NULL: with us) and upstream groups. False: loaded->message. */
bool gh_loader_open(struct gh_loaded *loaded, struct gh_upstream_groups *groups,
                    struct gh_tls_keys *keys, const struct gh_snapshot *old);
/* With the rights that reloads will have: warns where the file can't be read again. */
void gh_loader_warn_of_reloads(const struct gh_source *source, struct gh_log_ring *ring);
/* Gives the snapshot back when it was not handed on. */
void gh_loader_forget(struct gh_loaded *loaded);
/* Prints all problems as FILE:LINE:COLUMN: severity: what. remedy. */
void gh_loader_print_problems(struct gh_loaded *loaded, FILE *out);

#endif
