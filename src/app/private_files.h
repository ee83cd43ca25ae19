/*
 * Who may read the private files that a configuration names: keys of certificates, and secrets in
 * files. For `check`, which stands outside of it all; `serve` knows what it can read itself.
 */
#ifndef GH_APP_PRIVATE_FILES_H
#define GH_APP_PRIVATE_FILES_H

#include "app/root_config.h"

/* A path comes before it. */
#define GH_PRIVATE_KEY_IN_REACH                                                                    \
    "a private key that the server can read as well as the process that keeps it"
#define GH_PRIVATE_KEY_REMEDY "give keys a directory apart from the configuration's"

/*
 * Warns of files that everybody may read, or a group (root's files may have one: `0640`, as
 * certbot's and Debian's are); and, where the sandbox is on, of keys that the user whom `serve`
 * would become without --user can read, in a directory that the server's sandbox leaves in reach.
 * By rights of files and directories; access control lists are not looked at. A file that is not
 * there is none of its business.
 */
void gh_private_files_check(struct gh_config_load *load, const struct gh_root_settings *settings,
                            const char *config_file);

#endif
