/*
 * The server side of HTTP/1.1 (RFC 9112) as a codec. One request at a time: the next one is read
 * only after the answer has been written, so a pipelining client waits in its socket.
 *
 * After an answer that came before the request's body was read, the rest of the body is read and
 * discarded (no events) so that the connection can go on; the shell bounds that by bytes and time.
 */
#ifndef GH_HTTP_H1_CODEC_H
#define GH_HTTP_H1_CODEC_H

#include "http/codec.h"
#include "http/h1_body.h"

/* Where the reading side stands. */
enum gh_h1_state {
    GH_H1_IDLE,      /* between requests, nothing read */
    GH_H1_HEAD,      /* inside a head */
    GH_H1_BODY,      /* inside a body */
    GH_H1_ANSWERING, /* request complete, its answer is not */
    GH_H1_TUNNEL,    /* after 101: bytes are passed through by the shell, not by the codec */
    GH_H1_CLOSED,    /* refused or closing: no more input is taken */
};

struct gh_h1_codec {
    struct gh_codec base; /* first */
    struct gh_codec_limits limits;
    enum gh_h1_state state;
    gh_stream_id stream;
    struct gh_arena *arena;       /* of the request being read */
    struct gh_request_head *head; /* in arena */
    char *head_bytes;             /* in arena: the head as far as it was read */
    size_t head_len, head_cap, scanned;
    struct gh_h1_body body; /* decoder of the request's body */
    bool request_done, answer_done, head_written, answer_chunked, close_after, discard;
    uint64_t answer_left;                   /* bytes the answer still owes under a Content-Length */
    bool answer_has_length, answer_no_body; /* HEAD, 204, 304 */
};

/* Memory is the caller's; `limits` is copied, so that a reload reaches the next connection. */
void gh_h1_codec_init(struct gh_h1_codec *codec, const struct gh_codec_events *events, void *owner,
                      const struct gh_codec_limits *limits);

#endif
