/*
 * The codec interface: bytes of one connection in, events of its streams out, and back.
 *
 * A codec never touches a socket, a clock or the heap of a request: it is given bytes, it calls
 * `events`, it hands bytes for the wire to `output`. HTTP/1.1 has one stream at a time, HTTP/2 has
 * many; nothing behind this interface knows which. Stream ids are never reused on a connection.
 *
 * Back-pressure: each body event must be paid back with `consumed` once its bytes have gone on;
 * a codec stops asking for input (`feed` takes less than it was given) when too much is unpaid.
 */
#ifndef GH_HTTP_CODEC_H
#define GH_HTTP_CODEC_H

#include "base/arena.h"
#include "http/message.h"

struct gh_codec;
typedef uint32_t gh_stream_id;

/* Why a message was refused while being read. Zero is the safe value: plainly malformed. */
enum gh_http_error {
    GH_HTTP_ERROR_MALFORMED,       /* 400 */
    GH_HTTP_ERROR_FRAMING,         /* 400: lengths or codings that can be read two ways */
    GH_HTTP_ERROR_HOST,            /* 400: missing, repeated or ill-formed Host */
    GH_HTTP_ERROR_TARGET,          /* 400: target not well-formed */
    GH_HTTP_ERROR_TARGET_TOO_LONG, /* 414 */
    GH_HTTP_ERROR_HEAD_TOO_LARGE,  /* 431 */
    GH_HTTP_ERROR_TOO_MANY_FIELDS, /* 431 */
    GH_HTTP_ERROR_UNKNOWN_CODING,  /* 501 */
    GH_HTTP_ERROR_VERSION,         /* 505 */
    GH_HTTP_ERROR_METHOD,          /* 405: TRACE, CONNECT */
    GH_HTTP_ERROR_EXPECTATION,     /* 417: an Expect other than 100-continue */
    GH_HTTP_ERROR_CHUNK,           /* 400: chunk size, extension, terminator or trailer */
    GH_HTTP_ERROR_MEMORY,          /* 503: the arena's cap was reached */
    GH_HTTP_ERROR_NONE,            /* for functions that return an error or none */
};

/* The limits a codec reads by; settings of `limits`. */
struct gh_codec_limits {
    size_t head_bytes_max; /* request line and field lines */
    size_t target_bytes_max;
    size_t field_count_max; /* at most GH_FIELDS_MAX */
};

struct gh_codec_events {
    /*
     * A request begins: the memory its head shall live in, or NULL to refuse (the codec then
     * closes). Called with the first byte of a head, so that head timeouts can start.
     */
    struct gh_arena *(*on_begin)(void *owner, gh_stream_id stream);
    /* The head is complete. `head` lives in the stream's arena until the stream is closed. */
    void (*on_head)(void *owner, gh_stream_id stream, struct gh_request_head *head);
    /* Decoded body bytes, borrowed for the call. */
    void (*on_body)(void *owner, gh_stream_id stream, struct gh_str bytes);
    /* The request is complete (also called, right after on_head, when it has no body). */
    void (*on_end)(void *owner, gh_stream_id stream);
    /*
     * The request can't be read. An answer may still be written to the stream; the codec then
     * ends the connection (HTTP/1.1) or the stream (HTTP/2). Before on_head there was no head.
     */
    void (*on_error)(void *owner, gh_stream_id stream, enum gh_http_error error);
    /* The stream is over in both directions and its memory is no longer used by the codec. */
    void (*on_closed)(void *owner, gh_stream_id stream);
    /*
     * Bytes for the wire, borrowed for the call: up to 8 slices, to be written together. They are
     * always taken. False: the wire is full now; until on_writable the codec gives out nothing but
     * what it must.
     */
    bool (*output)(void *owner, const struct gh_str *slices, size_t count);
    /* The stream's answer goes on: is_full() was true for it and no longer is. */
    void (*on_drained)(void *owner, gh_stream_id stream);
};

/* The answer's head as the exchange wants it written. */
struct gh_answer_head {
    unsigned status;
    const struct gh_field *fields; /* written in order, dropped ones left out */
    size_t field_count;
    /* Ready-made block of the route: complete HTTP/1.1 field lines, each ended by CRLF. */
    struct gh_str block;
    /* The same lines as fields, checked, for a codec that writes no lines; NULL: it reads them. */
    const struct gh_field *block_fields;
    size_t block_field_count;
    enum gh_body_kind body; /* CLOSE: length unknown, the codec frames it */
    uint64_t content_length;
    bool close;  /* end the connection after this answer */
    bool tunnel; /* 101: after this head both directions are raw bytes */
};

struct gh_codec_ops {
    /*
     * Feeds bytes from the wire. Returns how many were taken: less than bytes.len when the codec
     * can't take more now (a request is still being answered, or too much is unpaid), and with
     * HTTP/1.1 also when a request is over; the caller keeps the rest and feeds it again, at once
     * or later, when `wants_input` says so.
     */
    size_t (*feed)(struct gh_codec *codec, struct gh_str bytes);
    /* True when feed would take bytes. */
    bool (*wants_input)(const struct gh_codec *codec);
    /* "100 Continue", once, before the final head. */
    void (*write_continue)(struct gh_codec *codec, gh_stream_id stream);
    /*
     * The answer's head, with `first` as the first bytes of its body (may be empty), so that both
     * leave in one write. `is_last` says that the body ends with them.
     */
    void (*write_head)(struct gh_codec *codec, gh_stream_id stream,
                       const struct gh_answer_head *head, struct gh_str first, bool is_last);
    void (*write_body)(struct gh_codec *codec, gh_stream_id stream, struct gh_str bytes,
                       bool is_last);
    /*
     * True when the codec keeps so much of the stream's answer that nothing should be written to it
     * until on_drained. HTTP/1.1 keeps nothing: never true there, and on_drained never comes.
     */
    bool (*is_full)(const struct gh_codec *codec, gh_stream_id stream);
    /* `bytes` of the body events were passed on. */
    void (*consumed)(struct gh_codec *codec, gh_stream_id stream, size_t bytes);
    /*
     * The answer can't be finished (the upstream broke off): the stream must not look complete.
     * HTTP/1.1 closes the connection without a last chunk; HTTP/2 resets the stream.
     */
    void (*reset)(struct gh_codec *codec, gh_stream_id stream);
    /* The wire can take output again after the transport was full. */
    void (*on_writable)(struct gh_codec *codec);
    /* True when the connection shall be closed once all output has left. */
    bool (*wants_close)(const struct gh_codec *codec);
    void (*done)(struct gh_codec *codec);
};

/* The head of every codec. */
struct gh_codec {
    const struct gh_codec_ops *ops;
    const struct gh_codec_events *events;
    void *owner;
};

#endif
