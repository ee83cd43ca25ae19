/*
 * The control socket: how a command reaches the process that serves. A client hands over its
 * arguments and its standard streams; the server runs the command on them and answers its exit
 * status. Only the server's own user and root may connect.
 */
#ifndef GH_APP_CONTROL_H
#define GH_APP_CONTROL_H

#include <stdio.h>

#include "base/err.h"
#include "obs/log.h"

#define GH_CONTROL_ARGS_MAX  64
#define GH_CONTROL_BYTES_MAX (32 * 1024)
/* Commands at once; others wait until one of them ends. */
#define GH_CONTROL_CALLERS_MAX 8
/* A command whose streams take or give nothing for so long is ended. */
#define GH_CONTROL_STALL_MS 30000

/* ---- The serving side ---- */

struct gh_control;

struct gh_control_options {
    const char *path;
    struct gh_log_ring *ring; /* of these threads alone, which take turns */
    int stall_ms;             /* 0: GH_CONTROL_STALL_MS */
    /* On a thread of its own. The streams are closed by the caller. They fail when the one who gave
       the command has gone or keeps them waiting, or when this process ends. */
    int (*run)(void *context, int argc, char **argv, FILE *in, FILE *out, FILE *err);
    void *context;
};

/* Listens at `path` (mode 0600; what is left of a dead process is replaced). */
GH_MUST_USE enum gh_err gh_control_open(const struct gh_control_options *options,
                                        struct gh_control **out_control);
/* Waits for the commands that run, whose streams fail from now on. NULL is fine. */
void gh_control_close(struct gh_control *control);

/* ---- The client side ---- */

/* Runs the command in the process that listens at `path`, on this process's standard streams.
   GH_ERR_NOT_FOUND: nobody listens there; GH_ERR_CLOSED: the server ended meanwhile. */
GH_MUST_USE enum gh_err gh_control_call(const char *path, int argc, char **argv, int *out_status);
/* The same on these: in, out, err. */
GH_MUST_USE enum gh_err gh_control_call_on(const char *path, int argc, char **argv,
                                           const int streams[3], int *out_status);

#endif
