/* The process: how many cores it may use, its limits, its rights, its signals. */
#ifndef GH_APP_PROCESS_H
#define GH_APP_PROCESS_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/* Cores this process may use: the affinity mask and the cgroup's CPU quota, at least 1. */
unsigned gh_process_cores(void);

/* First of all, in every command: no core dump, and no other process of the same user may look into
   this one's memory or environment. */
void gh_process_hide_memory(void);
/* Before any thread: raises the descriptor limit as far as allowed and returns it; forbids new
   privileges, ignores SIGPIPE, has malloc keep some memory that is free. */
uint64_t gh_process_set_limits(void);

/* Whom to become. */
struct gh_process_user {
    const char *name; /* NULL: nobody else */
    uid_t uid;
    gid_t gid;
};
/*
 * Finds `user` (NULL: "gatehouse" if there is one, else "nobody") when we run as root. "root" as
 * the user stays root, for containers that have nothing else. While the system's list of users can
 * still be read. On failure *out_message says why.
 */
GH_MUST_USE enum gh_err gh_process_find_user(const char *user, struct gh_arena *arena,
                                             struct gh_process_user *out_user,
                                             struct gh_str *out_message);
/* Gives up root in all threads and becomes `user`. */
GH_MUST_USE enum gh_err gh_process_drop_privileges(const struct gh_process_user *user,
                                                   struct gh_arena *arena,
                                                   struct gh_str *out_message);

/* Blocks the signals that gh_signals_open will wait for; first thing in main, before any thread. */
void gh_signals_block(void);

struct gh_loop;
struct gh_signals;
typedef void gh_signal_fn(void *context, int signal_number);
/* A thread that waits for SIGTERM, SIGINT, SIGHUP and SIGCHLD and calls `fn` on the loop's thread.
 */
GH_MUST_USE enum gh_err gh_signals_open(struct gh_loop *loop, gh_signal_fn *fn, void *context,
                                        struct gh_signals **out_signals);
void gh_signals_close(struct gh_signals *signals);

#endif
