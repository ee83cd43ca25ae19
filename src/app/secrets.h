/*
 * Secrets at start (SPEC section 7): found, judged all together, and told by name, never by value.
 * A secret is written in the configuration as `env:NAME` or `file:PATH`.
 */
#ifndef GH_APP_SECRETS_H
#define GH_APP_SECRETS_H

#include <stdio.h>

#include "base/err.h"
#include "config/config.h"
#include "crypto/fernet.h"
#include "identity/vault.h"

struct gh_secrets_settings {
    struct gh_str root;             /* a reference */
    struct gh_config_list previous; /* of struct gh_str: references to earlier root keys */
    struct gh_config_list required; /* of struct gh_str: environment variables */
    struct gh_config_list fernet;   /* of struct gh_str: references to keys of another system */
    uint64_t rotate_after_ms;
};
extern const struct gh_config_table gh_secrets_table;

#define GH_SECRET_ROOTS_MAX 8
#define GH_SECRET_BYTES_MAX 4096

/* What was found. Values live in the arena that they were loaded into: wipe it by gh_arena_done. */
struct gh_secrets {
    struct gh_str roots[GH_SECRET_ROOTS_MAX]; /* the current one first; none when not needed */
    size_t root_count;
    struct gh_fernet_key *fernet; /* at most GH_VAULT_FERNET_MAX */
    size_t fernet_count;
};

/* Where values come from; tests pass their own. */
struct gh_secret_source {
    gh_config_getenv *getenv;
    void *context;
};

/*
 * Loads and judges everything that `settings` names. `root_needed`: identity is on. False:
 * *out_message names every secret that is missing, empty, default-looking or weak, in one text.
 * Looks and strength are errors in production only, else *out_warning names them (empty: none).
 */
bool gh_secrets_load(const struct gh_secrets_settings *settings, bool root_needed, bool production,
                     const struct gh_secret_source *source, struct gh_arena *arena,
                     struct gh_secrets *out_secrets, struct gh_str *out_message,
                     struct gh_str *out_warning);

/* One reference: `env:NAME`, `file:PATH`, or the text itself. GH_ERR_NOT_FOUND: no such variable or
   file, or an empty one; GH_ERR_MEMORY, GH_ERR_IO. A line end behind a file's text is cut. */
GH_MUST_USE enum gh_err gh_secret_resolve(struct gh_arena *arena,
                                          const struct gh_secret_source *source,
                                          struct gh_str reference, struct gh_str *out_value);

/* Overwrites the values of these `env:` references in this process's environment, where
   /proc/PID/environ would show them as long as it runs. Once they are loaded, before threads. */
void gh_secrets_forget_environment(const struct gh_secrets_settings *settings);

enum gh_secrets_form {
    GH_SECRETS_ENV_FILE, /* NAME=value */
    GH_SECRETS_JSON,
    GH_SECRETS_RAW, /* the value alone: for a file */
};
/* Prints a fresh secret for `root`: 32 random bytes, in base64url. False: it could not be written.
 */
bool gh_secrets_generate(const struct gh_secrets_settings *settings, enum gh_secrets_form form,
                         FILE *out);

/* True for values that stand in guides and are forgotten there: changeme, your-secret-here, ... */
bool gh_secret_looks_default(struct gh_str value);
/* True for less than what 32 random bytes give in hexadecimal or Base64. */
bool gh_secret_is_weak(struct gh_str value);

#endif
