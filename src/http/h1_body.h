/*
 * The body framing of HTTP/1.1 (RFC 9112 sections 6 and 7): an incremental decoder for bodies by
 * length, chunked, or up to the end of the connection. Strict: what RFC 9112 lets a recipient
 * forgive (bare LF, odd sizes) is an error. Chunk extensions and trailers are checked and dropped.
 */
#ifndef GH_HTTP_H1_BODY_H
#define GH_HTTP_H1_BODY_H

#include "http/message.h"

/* Extensions of one chunk may take this much, and all trailer lines together. */
#define GH_H1_CHUNK_EXTENSION_BYTES_MAX 256
#define GH_H1_TRAILER_BYTES_MAX         4096

enum gh_h1_body_status {
    GH_H1_BODY_ERROR, /* malformed: nothing after this may be trusted */
    GH_H1_BODY_MORE,  /* all input was taken, the body goes on */
    GH_H1_BODY_DATA,  /* *out_data holds body bytes (a slice of the input) */
    GH_H1_BODY_DONE,  /* the body is complete; input behind it was not taken */
};

struct gh_h1_body {
    enum gh_body_kind kind;
    unsigned state;      /* of the chunked decoder, see h1_body.c */
    uint64_t left;       /* bytes left of the body or the chunk */
    uint32_t line_bytes; /* of the size line or the trailer so far */
    uint8_t digits;
};

void gh_h1_body_init(struct gh_h1_body *body, enum gh_body_kind kind, uint64_t content_length);
/*
 * Reads from *input and advances it past what was taken. Call again until it returns MORE, DONE
 * or ERROR. A body of kind NONE or length 0 is DONE at once. CLOSE never is: the end of the
 * connection ends it.
 */
enum gh_h1_body_status gh_h1_body_read(struct gh_h1_body *body, struct gh_str *input,
                                       struct gh_str *out_data);

/* True when nothing more belongs to the body: the next read would be DONE. */
bool gh_h1_body_is_complete(const struct gh_h1_body *body);

#endif
