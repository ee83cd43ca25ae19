/* The Cookie field of requests (RFC 6265 section 4.2, over all lines), read strictly. */
#ifndef GH_HTTP_COOKIE_H
#define GH_HTTP_COOKIE_H

#include "http/message.h"

enum gh_cookie_find {
    GH_COOKIE_AMBIGUOUS, /* the name stands there more than once: never choose */
    GH_COOKIE_ABSENT,
    GH_COOKIE_FOUND,
};

/* Finds the cookie of exactly that name (case-sensitive); *out_value is a slice of the field. */
enum gh_cookie_find gh_cookie_find(const struct gh_fields *fields, struct gh_str name,
                                   struct gh_str *out_value);

#endif
