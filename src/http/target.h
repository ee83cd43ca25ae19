/*
 * Request targets: well-formedness (RFC 3986) and the one normalisation of the path (SPEC section
 * 3, stage 2). What is matched is what is forwarded.
 */
#ifndef GH_HTTP_TARGET_H
#define GH_HTTP_TARGET_H

#include "base/buf.h"
#include "base/str.h"

enum gh_path_status {
    GH_PATH_REFUSED,    /* outside the grammar */
    GH_PATH_ABOVE_ROOT, /* ".." past the root */
    GH_PATH_NUL,        /* %00 */
    GH_PATH_BACKSLASH,  /* %5c or a raw backslash */
    GH_PATH_BAD_UTF8,   /* overlong or invalid after decoding */
    GH_PATH_TOO_LONG,   /* did not fit the buffer */
    GH_PATH_OK,
};

/* What a route may still refuse (SPEC stage 2, `encoded: refuse | keep`). */
struct gh_path_traits {
    bool encoded_slash;   /* %2F */
    bool encoded_percent; /* %25 */
    bool semicolon;       /* ';', raw or as %3B */
};

/*
 * Normalises the path of an origin-form target: unreserved characters decoded, other escapes kept
 * with upper-case digits, repeated slashes merged, dot segments resolved (after decoding: "%2e%2e"
 * is one). `path` must begin with '/'. The result is appended to `out` (at most path.len bytes);
 * nothing is when the status is not OK.
 * Idempotent: normalising the result gives the result.
 */
enum gh_path_status gh_path_normalise(struct gh_str path, struct gh_buf *out,
                                      struct gh_path_traits *out_traits);

/* True when each byte may stand raw in a query (RFC 3986 section 3.4, plus the []{}|^`"<> that
   browsers send) and each '%' is followed by two hexadecimal digits. */
bool gh_query_is_valid(struct gh_str query);

#endif
