/* What the process with the TLS keys may still do, once it has read them. */
#ifndef GH_APP_KEY_RIGHTS_H
#define GH_APP_KEY_RIGHTS_H

#include "app/process.h"
#include "app/root_config.h"

struct gh_key_rights {
    const struct gh_root_settings *settings; /* those of the start */
    struct gh_process_user user;
};

/*
 * For struct gh_tls_keeper_options; the context is a struct gh_key_rights. Before there are
 * threads: another user, no dumps, and of all files only certificates and keys, to be read. What
 * holds it is what holds the server (sandbox/sandbox.h), in the same mode; where the kernel has no
 * Landlock, files are the user's rights alone.
 */
bool gh_key_rights_confine(void *rights);
/* In each thread: the system calls that it needs, and death for any other. */
bool gh_key_rights_confine_thread(void *rights, bool signs);

#endif
