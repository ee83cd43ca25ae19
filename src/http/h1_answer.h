/*
 * Writing the head of an answer as HTTP/1.1 bytes (RFC 9112 section 4). Knows no connection state:
 * how the body is framed and whether the connection ends was decided before. Private to h1_codec.
 */
#ifndef GH_HTTP_H1_ANSWER_H
#define GH_HTTP_H1_ANSWER_H

#include "http/codec.h"

/* How a head says where its body ends. */
enum gh_h1_framing {
    GH_H1_FRAMING_NONE,    /* nothing is said: no body, or one up to the end of the connection */
    GH_H1_FRAMING_LENGTH,  /* Content-Length */
    GH_H1_FRAMING_CHUNKED, /* Transfer-Encoding: chunked */
};

/* What its Connection field says. */
enum gh_h1_connection_option {
    GH_H1_OPTION_NONE,
    GH_H1_OPTION_CLOSE,
    GH_H1_OPTION_KEEP_ALIVE, /* for HTTP/1.0 clients that asked */
    GH_H1_OPTION_UPGRADE,
};

struct gh_h1_answer_frame {
    enum gh_h1_framing framing;
    uint64_t content_length; /* for FRAMING_LENGTH; the answer's own is not looked at */
    enum gh_h1_connection_option connection;
};

/*
 * The bytes of the head with the empty line, in `arena`; ptr == NULL when it is full. Framing and
 * hop-by-hop fields among the answer's are left out: only the codec speaks about the connection.
 * A field with CR, LF, NUL or another control byte in it is our bug.
 */
struct gh_str gh_h1_write_answer_head(const struct gh_answer_head *answer,
                                      struct gh_h1_answer_frame frame, struct gh_arena *arena);

#endif
