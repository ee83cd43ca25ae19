/* A progress bar for people: on one line of a terminal, for work that takes over a second. */
#ifndef GH_APP_PROGRESS_H
#define GH_APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct gh_progress {
    FILE *out;
    const char *what; /* "sealing anew" */
    bool shown;
    uint64_t begun_ms, next_ms;
};

/* Both texts live as long as it. */
void gh_progress_begin(struct gh_progress *progress, FILE *out, const char *what);
/* As often as one likes: it draws now and then, and when `done` is `all` (which is not 0). */
void gh_progress_show(struct gh_progress *progress, uint64_t done, uint64_t all);
/* Ends the line, if there is one. */
void gh_progress_end(struct gh_progress *progress);

#endif
