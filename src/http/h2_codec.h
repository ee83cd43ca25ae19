/*
 * The server side of HTTP/2 (RFC 9113) as a codec, over nghttp2: frames, HPACK, stream states and
 * flow control are its; what a request may look like, how much of everything a client may ask for,
 * and when input and output wait, is decided here. The upgrade from HTTP/1.1 and server push are
 * not there.
 *
 * A head that is not as section 8 wants it ends its stream, never the connection: on_error, the
 * answer that is written (if any), then RST_STREAM(PROTOCOL_ERROR). What is only not served (405,
 * 414, 417, 431) is answered and, when more of it is to come, reset with NO_ERROR. A single field
 * of more than 64 KiB, which nghttp2 does not decode, ends the connection (COMPRESSION_ERROR),
 * since the state of HPACK is lost with it. What breaks the protocol ends the connection with
 * GOAWAY and the code that the RFC names; what is only too much of something ends it with
 * ENHANCE_YOUR_CALM. Both are said before wants_close() says so.
 *
 * Extended CONNECT (RFC 8441) with :protocol "websocket" is told as on HTTP/1.1: method GET,
 * upgrade_websocket (but without the fields that belong to HTTP/1.1's handshake), and a `tunnel`
 * answer is written as 200. on_body and write_body carry what passes through, on_end is the
 * client's end; a client that does not wait for the 200 has its bytes told before.
 *
 * An answer that is over before its request ends the stream with on_closed; what still comes of the
 * request is thrown away, within the stream's window, and behind that the stream is reset without
 * an error. `close` of an answer is nothing to HTTP/2: the shell drains. When on_begin gives no
 * memory the stream is refused, and nothing else happens. A connection that ends by an error closes
 * all its streams (on_closed) before wants_close() says so.
 *
 * Events may call back into the codec, with two exceptions: in on_begin nothing of the stream is
 * there yet, and inside output nothing may be written. on_closed comes right behind the event or
 * the call in which the stream ended. `feed` inside an event takes nothing, and a codec is not to
 * be done away with there.
 *
 * Body bytes that can't be sent (a stream's or the connection's window is shut, or the wire is
 * full) are copied and kept; is_full() says when a stream has enough of them, on_drained when it
 * takes more. A client that does not read costs GH_H2_UNSENT_BYTES_MAX and one write for a stream,
 * and for all its streams GH_H2_CONNECTION_UNSENT_BYTES_MAX and one write for each; less where the
 * owner's budget (gh_h2_codec_count_kept) is used up.
 */
#ifndef GH_HTTP_H2_CODEC_H
#define GH_HTTP_H2_CODEC_H

#include "base/err.h"
#include "http/codec.h"

/* The connection preface, section 3.4: by these bytes h2c is known from HTTP/1.1. */
#define GH_H2_PREFACE       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define GH_H2_PREFACE_BYTES 24

/* Streams at once (SETTINGS_MAX_CONCURRENT_STREAMS). */
#define GH_H2_STREAMS_MAX 100
/* Body bytes that a stream may send before they are paid back: its window. */
#define GH_H2_STREAM_WINDOW_BYTES (256u * 1024)
/* The same of all streams together. */
#define GH_H2_CONNECTION_WINDOW_BYTES (1024u * 1024)
/* Unsent bytes of an answer above which is_full(). */
#define GH_H2_UNSENT_BYTES_MAX (64u * 1024)
/* The same of all answers together. */
#define GH_H2_CONNECTION_UNSENT_BYTES_MAX (1024u * 1024)

/* X(name, code of section 7 in words): with which a connection can end. */
#define GH_H2_FAILURES(X)                                                                          \
    X(PROTOCOL, "protocol_error")                                                                  \
    X(INTERNAL, "internal_error")                                                                  \
    X(FLOW_CONTROL, "flow_control_error")                                                          \
    X(STREAM_CLOSED, "stream_closed")                                                              \
    X(FRAME_SIZE, "frame_size_error")                                                              \
    X(COMPRESSION, "compression_error")                                                            \
    X(CALM, "enhance_your_calm")                                                                   \
    X(OTHER, "other")

/* A slot of these is aligned for anything, and may hold anything. */
#define GH_H2_SLOT_BYTES (32u * 1024)

enum gh_h2_failure {
#define X(name, word) GH_H2_FAILURE_##name,
    GH_H2_FAILURES(X)
#undef X
        GH_H2_FAILURE_COUNT,
    GH_H2_FAILURE_NONE = GH_H2_FAILURE_COUNT
};

/* `limits` is copied; head_bytes_max counts 32 bytes more for each field, as section 10.5.1 does,
   so that what SETTINGS announce is what is enforced. What the codec needs from its beginning
   lies in `slot` (GH_H2_SLOT_BYTES, used until ops->done), the rest, or with NULL all, on the heap.
   GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_h2_codec_open(const struct gh_codec_events *events, void *owner,
                                         const struct gh_codec_limits *limits, void *slot,
                                         struct gh_codec **out_codec);
/* Monotonic milliseconds, said before feed: budgets are by the second. */
void gh_h2_codec_set_now(struct gh_codec *codec, uint64_t now_ms);
/* GOAWAY with NO_ERROR: first for streams still on their way (the last id open), at the second
   call with the last stream taken; streams that are open are answered. wants_close() when none is.
 */
void gh_h2_codec_drain(struct gh_codec *codec);
/*
 * How many exchanges of streams that are over are still at work (a job that can't be broken off).
 * They count against GH_H2_STREAMS_MAX, so that resetting streams buys no more work than waiting
 * for answers does; what is over it is refused with REFUSED_STREAM. 0 when nobody says.
 */
void gh_h2_codec_set_lingering(struct gh_codec *codec, size_t count);
/*
 * Bytes of the stream's answer that are kept because the client's windows, or the wire, have not
 * let them out: the owner sees by them that a client takes nothing any more. 0 for no stream of
 * ours.
 */
size_t gh_h2_codec_unsent(const struct gh_codec *codec, gh_stream_id stream);
/* True when the client lets none of them out by the stream's own window. Else they wait for their
   turn with the other streams, as long as gh_h2_codec_data_sent goes on. */
bool gh_h2_codec_is_window_shut(const struct gh_codec *codec, gh_stream_id stream);
/* True when the client may send hardly any body bytes on any stream, until more are consumed. */
bool gh_h2_codec_is_input_shut(const struct gh_codec *codec);
/* The client's SETTINGS are here: before them nothing that it sends is a request. */
bool gh_h2_codec_is_greeted(const struct gh_codec *codec);
/* True when the rest of a frame or of a header block is still to come, since when by
   gh_h2_codec_set_now. Not so for the bytes of DATA: a slow body is its stream's matter. */
bool gh_h2_codec_is_cut(const struct gh_codec *codec, uint64_t *out_since_ms);
/* Body bytes that have left, of all streams. */
uint64_t gh_h2_codec_data_sent(const struct gh_codec *codec);
/*
 * From now on small answers that are written outside of feed wait for gh_h2_codec_flush, so that
 * what many streams answer in one turn of a loop leaves in one write. `on_due` is called when
 * something waits that did not before.
 */
void gh_h2_codec_gather(struct gh_codec *codec, void (*on_due)(void *owner));
void gh_h2_codec_flush(struct gh_codec *codec);
/*
 * A budget that the owner has for what is kept, beside the bounds above; both get the owner.
 * `charge` counts it in any case, and says false when there was no room: what was written is kept
 * all the same, but its stream is full until it keeps nothing, so that each stream has one write
 * over it at the most. How large a write is then is the owner's to bound. Counted is heap memory.
 */
struct gh_h2_room {
    bool (*charge)(void *owner, size_t bytes);
    void (*give)(void *owner, size_t bytes);
};
/* From now on the Priority field of requests (RFC 9218) says in what order answers leave. Not to be
   asked for where the requests of several clients come on one connection: one could have all of it.
   Without the field, answers share. */
void gh_h2_codec_honour_priorities(struct gh_codec *codec);
/* Before anything is kept; `room` outlives the codec. */
void gh_h2_codec_count_kept(struct gh_codec *codec, const struct gh_h2_room *room);
/* Why the connection ends: known before on_closed of the streams that end with it. */
enum gh_h2_failure gh_h2_codec_failure(const struct gh_codec *codec);
/* When that is GH_H2_FAILURE_CALM: of what there was too much, in a word. */
const char *gh_h2_codec_flood(const struct gh_codec *codec);
/* Streams between on_begin and on_closed. */
size_t gh_h2_codec_open_streams(const struct gh_codec *codec);

#endif
