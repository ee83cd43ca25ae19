/*
 * The server side of HTTP/1.1 (RFC 9112) as a codec. One request at a time: the next one is read
 * only after the answer has been written, so a pipelining client waits in its socket.
 *
 * After an answer that came before the request's body was read, the rest of the body is read and
 * discarded (no events, not even on_end) so that the connection can go on and the client sees the
 * answer instead of a reset; the shell bounds that by bytes and time. It is in that phase from the
 * last byte of the answer until on_closed. A connection that has to be closed then is closed after
 * the phase, too; only after a request that could not be read it is closed at once.
 *
 * Events may call back into the codec. on_closed is the last thing that write_head, write_body,
 * reset and done do; when the answer ends inside another event it comes right after that event.
 * `done` closes a stream that is still open, with on_closed. A codec is not to be done away with
 * inside an event. `feed` inside an event takes nothing.
 */
#ifndef GH_HTTP_H1_CODEC_H
#define GH_HTTP_H1_CODEC_H

#include "http/codec.h"
#include "http/h1_body.h"

/* Body bytes that may be given out and not be paid back; above it no input is taken. */
#define GH_H1_UNPAID_BYTES_MAX (256u * 1024)

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

    /* The stream that is open, or was last. */
    gh_stream_id stream;
    bool open;           /* between on_begin and on_closed */
    bool closed_pending; /* over, and on_closed waits for the running event to return */
    bool feeding;        /* feed is running */

    /* The request. */
    struct gh_arena *arena;
    struct gh_request_head *head; /* in arena; NULL before on_head */
    char *head_bytes;             /* in arena: a head that came in pieces */
    size_t head_len, head_cap, scanned;
    struct gh_h1_body body;
    size_t unpaid;     /* body bytes given out and not paid back */
    bool request_done; /* read to its end, or refused: nothing more will come of it */
    bool body_begun;   /* the client does send the body, asked for or not */
    bool discard;      /* the answer is over: what still comes of the request is thrown away */

    /* The answer. */
    bool continue_written, head_written, answer_done;
    bool answer_chunked;
    bool answer_has_length;
    bool answer_no_body;  /* to HEAD, 204, 304: what is written as body is left out */
    uint64_t answer_left; /* bytes still owed under its Content-Length */
    bool close_after;     /* no request is read after this one */
};

/* Memory is the caller's; `limits` is copied, so that a reload reaches the next connection. */
void gh_h1_codec_init(struct gh_h1_codec *codec, const struct gh_codec_events *events, void *owner,
                      const struct gh_codec_limits *limits);

#endif
