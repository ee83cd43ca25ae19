/*
 * Heads of HTTP/1.1 requests and responses (RFC 9112 sections 2 to 6), strictly. Whatever two
 * implementations could read in two ways is an error (SPEC section 3, stage 1); nothing is
 * repaired.
 */
#ifndef GH_HTTP_H1_HEAD_H
#define GH_HTTP_H1_HEAD_H

#include "base/arena.h"
#include "http/codec.h"

enum gh_h1_scan_status {
    GH_H1_SCAN_ERROR, /* *out_error says why; found as early as the bytes allow */
    GH_H1_SCAN_MORE,  /* no end of head yet */
    GH_H1_SCAN_DONE,  /* *out_head_len is the length of the head with its last CRLF CRLF */
};

/*
 * Looks for the end of a head in `bytes`, of which the first *scanned were seen by earlier calls
 * (start with 0). Refuses early: bare CR or LF, NUL and control bytes, a first line that can't be
 * a request line (HTTP/0.9, other versions), and limits passed.
 */
enum gh_h1_scan_status gh_h1_scan_request_head(struct gh_str bytes, size_t *scanned,
                                               const struct gh_codec_limits *limits,
                                               size_t *out_head_len, enum gh_http_error *out_error);

/*
 * Parses a complete head (as found by the scan, with its last CRLF CRLF). Field table entries are
 * taken from `arena`; slices point into `bytes`. Returns GH_HTTP_ERROR_NONE or what is wrong; then
 * *out_head holds what could be read (method, target), for the log only.
 */
enum gh_http_error gh_h1_parse_request_head(struct gh_str bytes,
                                            const struct gh_codec_limits *limits,
                                            struct gh_arena *arena,
                                            struct gh_request_head *out_head);

/*
 * The same two for answers of upstreams. `request_method` decides whether there is a body; an
 * answer to HEAD and a 304 keep the length they announce in content_length, with body NONE.
 */
enum gh_h1_scan_status gh_h1_scan_response_head(struct gh_str bytes, size_t *scanned,
                                                const struct gh_codec_limits *limits,
                                                size_t *out_head_len);
/* False: malformed, or framed in a way that can be read twice; the connection must be closed. */
bool gh_h1_parse_response_head(struct gh_str bytes, enum gh_method request_method,
                               const struct gh_codec_limits *limits, struct gh_arena *arena,
                               struct gh_response_head *out_head);

#endif
