/*
 * Gives up what this process never needs, for good and for all its threads:
 *
 *   files and ports   Landlock, before any thread starts (it holds the calling thread and those
 *                     that come from it), from a list made of the configuration
 *   system calls      seccomp with TSYNC, once all threads run: what is not listed ends the process
 *
 * Neither needs a right beside no_new_privs, and neither can be undone. What each leaves is said in
 * docs/sandbox.md. Landlock: Linux's Documentation/userspace-api/landlock.rst.
 */
#ifndef GH_SANDBOX_SANDBOX_H
#define GH_SANDBOX_SANDBOX_H

#include "base/err.h"
#include "sandbox/rules.h"

enum gh_sandbox_mode {
    GH_SANDBOX_ENFORCE,
    GH_SANDBOX_LOG, /* the kernel logs what would be stopped, and lets it be */
    GH_SANDBOX_OFF,
};

/*
 * Holds the calling thread and all it will start to `rules`, and sets no_new_privs. *out_ports: TCP
 * ports are held as well (kernels since 6.7). GH_ERR_NOT_FOUND: this kernel has no Landlock, or it
 * is switched off. GH_ERR_IO, GH_ERR_MEMORY: it failed, and errno says why; nothing is held then.
 */
GH_MUST_USE enum gh_err gh_sandbox_hold_files(const struct gh_sandbox_rules *rules,
                                              bool *out_ports);

/*
 * Holds all threads of the process to the system calls of calls.c. Not in mode OFF.
 * GH_ERR_NOT_FOUND: this kernel has no seccomp filters, or we may not set one. GH_ERR_IO: it
 * failed; errno says why.
 */
GH_MUST_USE enum gh_err gh_sandbox_hold_calls(enum gh_sandbox_mode mode);

#endif
