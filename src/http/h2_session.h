/*
 * What the parts of the HTTP/2 codec share: the connection and its streams. h2_read.c reads,
 * h2_output.c writes, h2_answer.c makes fields for HPACK out of an answer, h2_streams.c ends
 * things. Private to them.
 *
 * nghttp2 may not be called to read or send inside its own callbacks, and an owner may call the
 * codec inside any event. So callbacks only note what happened, frame by frame; events are told
 * when nghttp2 has returned. A stream of ours is from on_begin to on_closed; nghttp2's may be
 * longer, then its user data is NULL and what comes for it is thrown away.
 */
#ifndef GH_HTTP_H2_SESSION_H
#define GH_HTTP_H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "http/h2_budget.h"
#include "http/h2_codec.h"
#include "http/h2_frames.h"
#include "http/h2_head.h"
#include "http/h2_lease.h"

/* Frames that may wait for a full wire before no more input is taken; each is some 200 bytes. */
#define GH_H2_QUEUED_FRAMES_MAX 512

/* Lives in its arena. */
struct gh_h2_stream {
    gh_stream_id id;
    struct gh_h2_stream *prev, *next;
    struct gh_h2_stream *next_over;
    struct gh_arena *arena;
    bool over; /* on the list of those of which on_closed is still to be told */

    /* The request. */
    struct gh_request_head *head; /* NULL before on_head */
    uint64_t body_left;           /* of its Content-Length */
    size_t unpaid;
    bool is_head;        /* HEAD, as far as it was read: its answer has no body */
    bool request_done;   /* read to its end */
    bool refused;        /* on_error was told; nothing more is read */
    bool too_long;       /* a frame has begun that is more than body_left */
    uint32_t reset_code; /* with which a refused one ends */

    /* The answer. */
    bool continue_written, head_written, tunnel;
    bool answer_has_length, answer_no_body;
    bool answer_last; /* all of it was written to us */
    uint64_t answer_left;
    struct gh_str lent; /* bytes of the write that is running, behind those kept */
    char *kept;         /* heap: unsent bytes are kept[kept_from, kept_from + kept_len) */
    size_t kept_from, kept_len, kept_cap;
    bool over_room; /* the owner's budget had no room for all that is kept */
    bool full;      /* until on_drained */
};

/* What one frame brought. */
struct gh_h2_happened {
    struct gh_h2_stream *stream; /* NULL: nothing, or it is over */
    bool head, trailers, end;
    struct gh_str data;
    bool fail;
    uint32_t fail_code;
};

struct gh_h2_gather;

struct gh_h2_codec {
    struct gh_codec base; /* first */
    struct gh_h2_lease lease;
    struct gh_codec_limits limits;
    uint64_t now_ms;
    nghttp2_session *session;
    struct gh_h2_frames frames;
    struct gh_h2_budget budget;
    struct gh_h2_head head; /* the one header block that may be on its way */
    struct gh_h2_happened happened;

    struct gh_h2_stream *streams; /* those that are open */
    size_t open_count, lingering;
    size_t kept_bytes; /* heap, of all streams */
    const struct gh_h2_room *room;
    uint64_t data_sent;        /* bytes of DATA, of all streams */
    struct gh_h2_stream *over; /* on_closed is due */
    bool any_drained_due;      /* of streams that are full some may take more */

    bool busy;      /* an event is running, or what follows from one is being seen to */
    bool sending;   /* inside nghttp2_session_send or output */
    bool wire_full; /* output said so */
    bool failed;    /* GOAWAY with an error has left: nothing more is read or written */
    enum gh_h2_failure failure;
    bool goaway_sent;
    bool honours_priorities;
    bool due;                    /* on_due was called, and no flush came */
    void (*on_due)(void *owner); /* NULL: nothing waits */
    unsigned drain_step;
    struct gh_h2_gather *gather; /* of the running send */
};

static inline struct gh_h2_codec *gh_h2_of(struct gh_codec *codec)
{
    return (struct gh_h2_codec *)codec;
}

/* ---- h2_streams.c ---- */

/* The open stream with that id, or NULL. */
struct gh_h2_stream *gh_h2_find(const struct gh_h2_codec *h2, int32_t id);
/* Ends a stream as far as we are concerned; on_closed follows. */
void gh_h2_stream_over(struct gh_h2_codec *h2, struct gh_h2_stream *stream);
/* RST_STREAM with that code, and the end. */
void gh_h2_stream_reset(struct gh_h2_codec *h2, struct gh_h2_stream *stream, uint32_t code);
/* RST_STREAM(NO_ERROR) for an answered stream that has used up its window. */
void gh_h2_reset_if_stuck(struct gh_h2_codec *h2, int32_t id);
void gh_h2_link_stream(struct gh_h2_codec *h2, struct gh_h2_stream *stream);
/* Tells on_closed and on_drained where they are due; false when nowhere. */
bool gh_h2_tell(struct gh_h2_codec *h2);
/* Sends what can go, unless that waits for a flush, and tells what follows from it. */
void gh_h2_work_off(struct gh_h2_codec *h2);
/* The same without waiting. */
void gh_h2_work_off_now(struct gh_h2_codec *h2);
/* The connection shall end, with that code; noted while nghttp2 is running. */
void gh_h2_note_failure(struct gh_h2_codec *h2, uint32_t code);
/* Why it failed, if that is not known yet. */
void gh_h2_note_code(struct gh_h2_codec *h2, uint32_t code);
/* Ends it: what waits leaves if the wire is not full, GOAWAY in any case, and nothing more. */
void gh_h2_fail(struct gh_h2_codec *h2, uint32_t code);
/* Counts; false and noted as failed when it is too much. */
bool gh_h2_spend(struct gh_h2_codec *h2, enum gh_h2_cost cost, size_t amount);

/* ---- h2_read.c ---- */

void gh_h2_read_set_callbacks(nghttp2_session_callbacks *callbacks);
bool gh_h2_takes_input(const struct gh_h2_codec *h2);
/* The op of codec.h. */
size_t gh_h2_feed(struct gh_codec *codec, struct gh_str bytes);

/* ---- h2_answer.c ---- */

/* The head of an answer; nghttp2 copies it. `is_over`: the stream ends with it. False: no memory.
 */
bool gh_h2_submit_answer(struct gh_h2_codec *h2, struct gh_h2_stream *stream,
                         const struct gh_answer_head *answer, bool is_over);

/* ---- h2_output.c ---- */

/* Callbacks of nghttp2 for sending. */
void gh_h2_output_set_callbacks(nghttp2_session_callbacks *callbacks);
/* nghttp2 asks this for the bytes of an answer. */
nghttp2_data_provider gh_h2_output_provider(void);
/* Sends what can go. `must`: the wire may be full, only GOAWAY goes. */
void gh_h2_output_send(struct gh_h2_codec *h2, bool must);
/* `bytes` are the next of the answer: sent as far as they can go at once, else kept. */
void gh_h2_output_put(struct gh_h2_codec *h2, struct gh_h2_stream *stream, struct gh_str bytes);
/* Gives back what is kept. */
void gh_h2_output_drop(struct gh_h2_codec *h2, struct gh_h2_stream *stream);
/* Whether a stream that was full is so no longer. */
bool gh_h2_output_takes_more(const struct gh_h2_codec *h2, const struct gh_h2_stream *stream);

#endif
