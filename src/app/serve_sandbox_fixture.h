/*
 * Hostile threads in a process that is held as `serve` holds itself: by the same calls, with the
 * rules of a configuration that was loaded as serve loads it. Each attempt runs in a process of its
 * own, on a thread that was there before the filter came.
 */
#ifndef GH_APP_SERVE_SANDBOX_FIXTURE_H
#define GH_APP_SERVE_SANDBOX_FIXTURE_H

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

/* What a child's exit status says beside an errno. */
#define SUCCEEDED 0
#define BROKEN    250 /* the test, not the attempt */
/* What is expected beside an errno. */
#define KILLED 1000
/* The sanitizers need these calls themselves; then it is Landlock that stops them, or nothing. */
#ifdef GH_SANDBOX_SANITIZER
#define KILLED_OR(other) (other)
#else
#define KILLED_OR(other) KILLED
#endif

struct sandbox_world {
    char held[64], other[64]; /* directories: of the configuration and store; of somebody else */
    int named, foreign;       /* sockets that listen: a port that is an upstream's, and another */
    uint16_t named_port, foreign_port;
    pid_t victim; /* a process of the same user, outside of the sandbox */
};

/* Returns SUCCEEDED or an errno. */
typedef int sandbox_attempt(const struct sandbox_world *world);

int sandbox_world_set_up(void **state);
int sandbox_world_tear_down(void **state);

/* In a buffer of this thread's. */
const char *sandbox_path_in(const char *directory, const char *name);

/* Runs it in a process that serves with `sandbox: MODE`: SUCCEEDED, an errno, or KILLED. */
int sandbox_outcome(const struct sandbox_world *world, const char *mode, sandbox_attempt *attempt);
/* What this kernel's Landlock can; 0: there is none. */
enum sandbox_landlock {
    SANDBOX_HOLDS_FILES = 1,
    SANDBOX_HOLDS_PORTS = 4,
    SANDBOX_HOLDS_SIGNALS = 6
};
long sandbox_landlock(void);
/* The mode of one that holds all that this kernel can, and is required where that is all. */
const char *sandbox_held(void);
/* It succeeds without the sandbox, and ends as expected with it. */
void sandbox_assert_stopped(void **state, sandbox_attempt *attempt, int expected);

/* A socket that listens on loopback, and its port. */
uint16_t sandbox_listen_somewhere(int *out_fd);

/* What a call gave as an attempt's result. */
static inline int result_of(long value)
{
    return value < 0 ? errno : SUCCEEDED;
}

#endif
