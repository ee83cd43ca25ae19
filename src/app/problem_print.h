/* Problems of a configuration for people and for programs. */
#ifndef GH_APP_PROBLEM_PRINT_H
#define GH_APP_PROBLEM_PRINT_H

#include <stdio.h>

#include "config/config.h"
#include "obs/log.h"

/* A line each, in the order of the file: `FILE:LINE:COLUMN: error: what. remedy`. */
void gh_problems_print(FILE *out, struct gh_config_load *load, bool colour);
/* The same as lines of the log. */
void gh_problems_log(struct gh_log_ring *ring, struct gh_config_load *load);
/* "2 errors, 1 warning" with a newline. */
void gh_problems_print_summary(FILE *out, const struct gh_config_load *load, bool colour);
/* A JSON array of {severity, file, line, column, message, remedy}; line and column are left out
   where there is no place, file where it is the configuration's own. */
void gh_problems_print_json(FILE *out, struct gh_config_load *load);
/* Whether colours may be used on `out`: a terminal, and NO_COLOR is not set. */
bool gh_colour_wanted(FILE *out);

#endif
