/*
 * Sees the frames of a connection go by (RFC 9113 section 4.1) before nghttp2 reads them: cuts the
 * bytes at their ends, so that what one frame brought is told before the next is read, counts what
 * they cost, and knows which streams are over, so that what still comes for them is told apart from
 * what nobody may send any more (section 5.1). Decodes no payload. Private to the codec.
 */
#ifndef GH_HTTP_H2_FRAMES_H
#define GH_HTTP_H2_FRAMES_H

#include "base/str.h"
#include "http/h2_budget.h"

/* Streams that are remembered behind their end; DATA for older ones is ignored. */
#define GH_H2_REMEMBERED_STREAMS 128

/* The frame header and as much of the payload as is looked at: a padding length, a dependency. */
#define GH_H2_LOOKED_AT_BYTES 13

enum gh_h2_stream_fate {
    GH_H2_STREAM_OPEN,
    GH_H2_STREAM_ENDED_BY_CLIENT, /* it has sent END_STREAM or RST_STREAM: it knows */
    GH_H2_STREAM_ENDED_BY_US,     /* what comes may have been on its way */
};

struct gh_h2_remembered {
    uint32_t id;
    enum gh_h2_stream_fate fate : 8;
    bool trailers; /* its second header block has begun */
};

struct gh_h2_frames {
    size_t preface_left;
    uint8_t bytes[GH_H2_LOOKED_AT_BYTES];
    size_t have, need;                       /* of `bytes` */
    size_t payload_left;                     /* behind `bytes` */
    bool block_open;                         /* CONTINUATION has to follow */
    bool any_whole;                          /* a frame was read to its end */
    uint64_t begun_ms;                       /* of the frame, or of the whole header block */
    size_t continuations, continuations_max; /* of one header block */
    uint32_t last_id;
    struct gh_h2_remembered streams[GH_H2_REMEMBERED_STREAMS]; /* a ring, ids ascending */
    size_t streams_seen;
};

/* Whether a stream is open. */
typedef bool gh_h2_is_open_fn(void *context, uint32_t stream);

struct gh_h2_judge {
    struct gh_h2_budget *budget;
    uint64_t now_ms;
    gh_h2_is_open_fn *is_open;
    void *context;
};

/* What is to be read next. */
struct gh_h2_step {
    size_t taken;         /* of the bytes given */
    struct gh_str before; /* the beginning of a frame that was held back until it was whole */
    struct gh_str bytes;  /* what of the bytes given goes on, behind that */
    uint32_t data_stream; /* DATA begins for this stream, so many bytes without padding; 0: no */
    size_t data_bytes;
    bool refused; /* the frame ends the connection, with `code` of section 7 */
    uint32_t code;
};

void gh_h2_frames_init(struct gh_h2_frames *frames, size_t head_bytes_max);
/* How many CONTINUATION frames a header block may have. */
size_t gh_h2_continuations_max(size_t head_bytes_max);
/*
 * To the end of a frame, or of the bytes. A frame is judged, and goes on, when its header is whole:
 * nghttp2 1.52 takes each piece of the header of a CONTINUATION for one more of them.
 */
struct gh_h2_step gh_h2_frames_step(struct gh_h2_frames *frames, struct gh_str bytes,
                                    const struct gh_h2_judge *judge);
/* True when the rest of a frame or of a header block is still to come, since when. DATA that is
   slow is the matter of its stream, from the end of its header on. */
bool gh_h2_frames_is_cut(const struct gh_h2_frames *frames, uint64_t *out_since_ms);
/* What the last frame whose header was read costs; GH_H2_COST_COUNT: nothing. */
enum gh_h2_cost gh_h2_frames_cost(const struct gh_h2_frames *frames);
/* A stream is over. */
void gh_h2_frames_ended(struct gh_h2_frames *frames, uint32_t stream, bool by_client);

#endif
