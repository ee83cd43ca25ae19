/*
 * The sandbox of a serving process: one call before any thread starts, one once all run, and the
 * judgement of a reload, which can add nothing to what is held.
 */
#ifndef GH_APP_SERVE_SANDBOX_H
#define GH_APP_SERVE_SANDBOX_H

#include <stdatomic.h>

#include "app/loader.h"
#include "app/sandbox_rules.h"
#include "net/loop.h"
#include "obs/log.h"

struct gh_serve_sandbox {
    enum gh_sandbox_mode mode;
    bool files_held, ports_held, calls_held; /* in mode enforce */
    bool has_fetch;                          /* libcurl is loaded; later it can't be */
    atomic_size_t replaced;                  /* files that are out of reach for that */
    struct gh_loop *loop;                    /* which looks at them */
    struct gh_timer timer;
    struct gh_log_ring *ring;
    struct gh_sandbox_rules rules;
    struct gh_arena arena; /* of the rules */
};

/*
 * Before any thread: loads what could not be loaded later, and holds files and ports to what
 * `loaded` names. False: *out_message (in `arena`) says why this process must not start.
 */
bool gh_serve_sandbox_begin(struct gh_serve_sandbox *sandbox, const struct gh_loaded *loaded,
                            const char *config_file, struct gh_arena *arena,
                            struct gh_str *out_message);
/* The same for `gatehouse consume`. */
bool gh_serve_sandbox_begin_consume(struct gh_serve_sandbox *sandbox,
                                    const struct gh_root_settings *settings, struct gh_arena *arena,
                                    struct gh_str *out_message);
/* Once all threads run: holds system calls, and says in the log what is held and what is not.
   False: as above. */
bool gh_serve_sandbox_finish(struct gh_serve_sandbox *sandbox,
                             const struct gh_sandbox_settings *settings, struct gh_log_ring *ring,
                             struct gh_arena *arena, struct gh_str *out_message);
/* After that, as the user that serves: warns of private TLS keys that this process can read, though
   another one is there to keep them. */
void gh_serve_sandbox_warn_of_keys(const struct gh_serve_sandbox *sandbox,
                                   const struct gh_root_settings *settings,
                                   struct gh_log_ring *ring);
/* From then on, as long as `loop` runs: an error in the log for a file that is held alone, and was
   replaced (/etc/resolv.conf), within ten seconds. On the loop's thread, or before it runs. */
void gh_serve_sandbox_watch(struct gh_serve_sandbox *sandbox, struct gh_loop *loop,
                            struct gh_log_ring *ring);
/* For gh_metrics_add_source; a struct gh_serve_sandbox. */
void gh_serve_sandbox_write_metrics(void *sandbox, FILE *out);
/* Whether this process can reach what a later configuration names. False: *out_message, which ends
   in "needs a restart". */
bool gh_serve_sandbox_admits(const struct gh_serve_sandbox *sandbox, const struct gh_loaded *loaded,
                             const char *config_file, struct gh_arena *arena,
                             struct gh_str *out_message);
/* Gives memory back; what is held stays so. */
void gh_serve_sandbox_done(struct gh_serve_sandbox *sandbox);

#endif
