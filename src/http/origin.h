/* Serialised origins (RFC 6454 section 6.2) in their canonical form. */
#ifndef GH_HTTP_ORIGIN_H
#define GH_HTTP_ORIGIN_H

#include "base/arena.h"

enum gh_origin_fault {
    GH_ORIGIN_MALFORMED,
    GH_ORIGIN_NULL, /* "null" */
    GH_ORIGIN_PATH, /* path, query, fragment or trailing slash */
    GH_ORIGIN_UPPER_CASE,
    GH_ORIGIN_DEFAULT_PORT, /* ":443" with https, ":80" with http */
    GH_ORIGIN_OK,
};

struct gh_origin {
    struct gh_str scheme, host;
    uint16_t port; /* the effective one */
};

/*
 * Reads scheme://host[:port] as a browser serialises it: canonical or refused. A host may begin
 * with "*." where `allow_wildcard`. Slices point into `text`.
 */
enum gh_origin_fault gh_origin_parse(struct gh_str text, bool allow_wildcard,
                                     struct gh_origin *out_origin);

#endif
