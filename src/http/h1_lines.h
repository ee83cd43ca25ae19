/*
 * The parts that heads of requests and of responses have in common (RFC 9112): the request line's
 * pieces, field lines, message framing, the Connection field. Private to h1_*.c; the interface is
 * h1_head.h.
 */
#ifndef GH_HTTP_H1_LINES_H
#define GH_HTTP_H1_LINES_H

#include "http/h1_head.h"

struct gh_h1_request_line {
    struct gh_str method, target;
    enum gh_method method_id;
    uint8_t version_minor; /* 0 or 1: a higher 1.x is read as 1.1 (RFC 9110 section 2.5) */
};

/*
 * Splits a request line (without its CRLF) and checks method, version and the target's length. The
 * bytes of the target are checked when the head is parsed. Fills *out_line as far as it was read.
 */
enum gh_http_error gh_h1_split_request_line(struct gh_str line,
                                            const struct gh_codec_limits *limits,
                                            struct gh_h1_request_line *out_line);

/*
 * Reads all field lines of `bytes`, which must begin behind the first line and end with the empty
 * line. The table is taken from `arena`.
 */
enum gh_http_error gh_h1_read_fields(struct gh_str bytes, const struct gh_codec_limits *limits,
                                     struct gh_arena *arena, struct gh_fields *out_fields);

/*
 * What Content-Length and Transfer-Encoding say (RFC 9112 section 6.3): LENGTH, CHUNKED, or NONE
 * when neither is there.
 */
enum gh_http_error gh_h1_read_framing(const struct gh_fields *fields, uint8_t version_minor,
                                      enum gh_body_kind *out_kind, uint64_t *out_length);

/* The options of all Connection lines that mean something to us (RFC 9110 section 7.6.1). */
struct gh_h1_connection {
    bool close, keep_alive, upgrade;
};

struct gh_h1_connection gh_h1_read_connection(const struct gh_fields *fields);

/* Whether the sender lets the connection go on (RFC 9112 section 9.3). */
bool gh_h1_keeps_alive(struct gh_h1_connection connection, uint8_t version_minor);

/* The end of the first line of a head, without its CRLF; false when it is not ended by one. */
bool gh_h1_first_line(struct gh_str bytes, struct gh_str *out_line);

#endif
