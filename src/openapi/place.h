/* Problems at any byte of a file; those at values are in openapi.h. */
#ifndef GH_OPENAPI_PLACE_H
#define GH_OPENAPI_PLACE_H

#include <stdarg.h>

#include "openapi/openapi.h"

#define GH_OPENAPI_NO_OFFSET SIZE_MAX /* of the file as a whole */

void gh_openapi_problem_vput(struct gh_openapi_problems *problems, struct gh_arena *arena,
                             enum gh_openapi_severity severity, const struct gh_openapi_file *file,
                             size_t offset, const char *remedy, const char *format, va_list list)
    __attribute__((format(printf, 7, 0)));
void gh_openapi_problem_put(struct gh_openapi_problems *problems, struct gh_arena *arena,
                            enum gh_openapi_severity severity, const struct gh_openapi_file *file,
                            size_t offset, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

/* Where the name of a member stands, as far as the text shows it; else where its value does. */
size_t gh_openapi_name_offset(const struct gh_openapi_file *file,
                              const struct gh_json_value *member);

/* By file, line and column; those of one place stay in order. */
void gh_openapi_problems_sort(const struct gh_openapi *openapi,
                              struct gh_openapi_problems *problems);

#endif
