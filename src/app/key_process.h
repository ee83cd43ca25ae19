/*
 * The process that keeps the private keys of the TLS listeners ("gatehouse: keys"): made before
 * there is a thread, gone with the one that made it. What is said to it is net/tls_keys.h's.
 */
#ifndef GH_APP_KEY_PROCESS_H
#define GH_APP_KEY_PROCESS_H

#include <sys/types.h>

#include "app/root_config.h"
#include "net/tls_keys.h"

struct gh_key_process {
    struct gh_tls_keys *keys; /* NULL: there is no such process, and no TLS listener */
    pid_t id;
};

bool gh_key_process_is_needed(const struct gh_root_settings *settings);
/*
 * Only where `settings`, which must stay, have certificates. `thread_count` threads will shake
 * hands; `user` is who it becomes when it is sealed (gh_process_find_user). Before any thread, and
 * before anything is held. On failure *out_message says why.
 */
GH_MUST_USE enum gh_err gh_key_process_start(const struct gh_root_settings *settings,
                                             size_t thread_count, const char *user,
                                             struct gh_arena *arena,
                                             struct gh_key_process *out_process,
                                             struct gh_str *out_message);
/* The start is over: it gives up its rights. */
GH_MUST_USE enum gh_err gh_key_process_seal(struct gh_key_process *process, struct gh_arena *arena,
                                            struct gh_str *out_message);
/* Whether a reload may go on to these settings. False: *out_message. */
bool gh_key_process_suffices(const struct gh_key_process *process,
                             const struct gh_root_settings *settings, struct gh_str *out_message);
/* After SIGCHLD. True, once: it has ended, and *out_how says how ("signal 9"). */
bool gh_key_process_has_ended(struct gh_key_process *process, struct gh_arena *arena,
                              struct gh_str *out_how);
/* After all that uses its keys. It ends by itself when nobody is left to ask it. */
void gh_key_process_close(struct gh_key_process *process);

#endif
