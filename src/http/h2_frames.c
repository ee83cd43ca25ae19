#include "http/h2_frames.h"

#include <nghttp2/nghttp2.h>

#include "http/h2_codec.h"

#define FRAME_HEADER_BYTES 9
#define FRAME_BYTES_MAX    16384
#define PRIORITY_UPDATE    0x10

/* We announce no other SETTINGS_MAX_FRAME_SIZE than the first. */
size_t gh_h2_continuations_max(size_t head_bytes_max)
{
    return GH_H2_CONTINUATIONS_SPARE + (head_bytes_max - 1) / FRAME_BYTES_MAX;
}

void gh_h2_frames_init(struct gh_h2_frames *frames, size_t head_bytes_max)
{
    *frames = (struct gh_h2_frames){.preface_left = GH_H2_PREFACE_BYTES,
                                    .need = FRAME_HEADER_BYTES,
                                    .continuations_max = gh_h2_continuations_max(head_bytes_max)};
}

/* ---- Streams that are over ---- */

static struct gh_h2_remembered *find_stream(struct gh_h2_frames *frames, uint32_t id)
{
    size_t count = frames->streams_seen < GH_H2_REMEMBERED_STREAMS ? frames->streams_seen
                                                                   : GH_H2_REMEMBERED_STREAMS;
    for (size_t i = 1; i <= count; i++) {
        struct gh_h2_remembered *stream =
            &frames->streams[(frames->streams_seen - i) % GH_H2_REMEMBERED_STREAMS];
        if (stream->id == id)
            return stream;
        if (stream->id < id)
            return NULL;
    }
    return NULL;
}

/* The smallest id of which it is known whether it was used. */
static uint32_t first_known_id(const struct gh_h2_frames *frames)
{
    if (frames->streams_seen <= GH_H2_REMEMBERED_STREAMS)
        return 1;
    return frames->streams[frames->streams_seen % GH_H2_REMEMBERED_STREAMS].id;
}

void gh_h2_frames_ended(struct gh_h2_frames *frames, uint32_t id, bool by_client)
{
    struct gh_h2_remembered *stream = find_stream(frames, id);
    if (stream)
        stream->fate = by_client ? GH_H2_STREAM_ENDED_BY_CLIENT : GH_H2_STREAM_ENDED_BY_US;
}

/* ---- One frame ---- */

struct frame {
    size_t payload_bytes;
    uint8_t type, flags;
    uint32_t stream;
    const uint8_t *payload; /* as much of it as is looked at */
};

static uint32_t read_u31(const uint8_t *at)
{
    return ((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]) &
           0x7fffffff;
}

static struct frame read_frame(const uint8_t *at)
{
    return (struct frame){.payload_bytes = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2],
                          .type = at[3],
                          .flags = at[4],
                          .stream = read_u31(at + 5),
                          .payload = at + FRAME_HEADER_BYTES};
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Of the payload: the length of DATA's padding, what a PRIORITY depends on. */
static size_t looked_at_bytes(const struct frame *frame)
{
    if (frame->type == NGHTTP2_DATA && (frame->flags & NGHTTP2_FLAG_PADDED))
        return min_size(1, frame->payload_bytes);
    return frame->type == NGHTTP2_PRIORITY ? min_size(4, frame->payload_bytes) : 0;
}

/* Without padding. */
static size_t data_bytes(const struct frame *frame)
{
    if (!(frame->flags & NGHTTP2_FLAG_PADDED) || frame->payload_bytes == 0)
        return frame->payload_bytes;
    size_t padding = (size_t)frame->payload[0] + 1;
    return frame->payload_bytes > padding ? frame->payload_bytes - padding : 0;
}

static bool is_empty_data(const struct frame *frame)
{
    return !(frame->flags & NGHTTP2_FLAG_END_STREAM) && data_bytes(frame) == 0;
}

/* What a frame costs; COST_COUNT: nothing, there are other bounds. */
static enum gh_h2_cost cost_of(const struct frame *frame)
{
    switch (frame->type) {
    case NGHTTP2_DATA:
        return is_empty_data(frame) ? GH_H2_COST_EMPTY_DATA : GH_H2_COST_COUNT;
    case NGHTTP2_HEADERS:
        return GH_H2_COST_COUNT;
    case NGHTTP2_PRIORITY:
    case PRIORITY_UPDATE:
        return GH_H2_COST_PRIORITY;
    case NGHTTP2_RST_STREAM:
        return GH_H2_COST_RESET;
    case NGHTTP2_SETTINGS:
        return GH_H2_COST_SETTINGS;
    case NGHTTP2_PING:
        return GH_H2_COST_PING;
    case NGHTTP2_WINDOW_UPDATE:
        return GH_H2_COST_WINDOW_UPDATE;
    case NGHTTP2_CONTINUATION:
        return frame->payload_bytes < GH_H2_CONTINUATION_BYTES_FREE ? GH_H2_COST_CONTINUATION
                                                                    : GH_H2_COST_COUNT;
    default:
        return GH_H2_COST_OTHER;
    }
}

/* What is wrong with it, as far as nghttp2 lets it pass; NO_ERROR: nothing. */
static uint32_t judge_priority(const struct frame *frame)
{
    if (frame->stream == 0)
        return NGHTTP2_PROTOCOL_ERROR;
    return frame->payload_bytes == 5 && read_u31(frame->payload) == frame->stream
               ? NGHTTP2_PROTOCOL_ERROR
               : NGHTTP2_NO_ERROR;
}

/* HEADERS or DATA for a stream that is no longer, or never was (sections 5.1 and 5.1.1). */
static uint32_t judge_late_frame(struct gh_h2_frames *frames, const struct frame *frame)
{
    const struct gh_h2_remembered *stream = find_stream(frames, frame->stream);
    if (stream && stream->fate == GH_H2_STREAM_ENDED_BY_CLIENT)
        return NGHTTP2_STREAM_CLOSED;
    if (!stream && frame->stream >= first_known_id(frames))
        return NGHTTP2_PROTOCOL_ERROR;
    return NGHTTP2_NO_ERROR;
}

static void remember_stream(struct gh_h2_frames *frames, uint32_t id)
{
    frames->last_id = id;
    frames->streams[frames->streams_seen++ % GH_H2_REMEMBERED_STREAMS] =
        (struct gh_h2_remembered){.id = id, .fate = GH_H2_STREAM_OPEN};
}

/* A stream that is open has a head and trailers, which come with it. */
static enum gh_h2_cost cost_of_late_headers(struct gh_h2_frames *frames, uint32_t id, bool is_open)
{
    struct gh_h2_remembered *stream = find_stream(frames, id);
    if (!stream || !is_open || stream->trailers)
        return GH_H2_COST_OTHER;
    stream->trailers = true;
    return GH_H2_COST_COUNT;
}

/* A code of section 7. */
static uint32_t judge_frame(struct gh_h2_frames *frames, const struct frame *frame,
                            const struct gh_h2_judge *judge)
{
    enum gh_h2_cost cost = cost_of(frame);
    frames->continuations =
        frame->type == NGHTTP2_CONTINUATION ? frames->continuations + 1 : (size_t)0;
    if (frames->continuations > frames->continuations_max) {
        gh_h2_budget_exceed(judge->budget, GH_H2_COST_CONTINUATION);
        return NGHTTP2_ENHANCE_YOUR_CALM;
    }
    uint32_t code = NGHTTP2_NO_ERROR;
    bool is_message = frame->type == NGHTTP2_DATA || frame->type == NGHTTP2_HEADERS;
    if (frame->type == NGHTTP2_PRIORITY) {
        code = judge_priority(frame);
    } else if (frame->type == NGHTTP2_HEADERS && frame->stream > frames->last_id) {
        remember_stream(frames, frame->stream);
    } else if (is_message && frame->stream && frame->stream <= frames->last_id) {
        bool is_open = judge->is_open(judge->context, frame->stream);
        if (!is_open)
            code = judge_late_frame(frames, frame);
        if (frame->type == NGHTTP2_HEADERS) /* of DATA no more comes than the windows let */
            cost = cost_of_late_headers(frames, frame->stream, is_open);
    }
    if (code == NGHTTP2_NO_ERROR && cost != GH_H2_COST_COUNT &&
        !gh_h2_budget_spend(judge->budget, judge->now_ms, cost, 1))
        code = NGHTTP2_ENHANCE_YOUR_CALM;
    return code;
}

/* ---- The bytes ---- */

/* Collects what of the frame is looked at; true when it is complete. */
static bool collect(struct gh_h2_frames *frames, struct gh_str bytes, size_t *taken)
{
    while (frames->have < frames->need && *taken < bytes.len) {
        size_t count = min_size(frames->need - frames->have, bytes.len - *taken);
        memcpy(frames->bytes + frames->have, bytes.ptr + *taken, count);
        *taken += count;
        frames->have += count;
        if (frames->have == FRAME_HEADER_BYTES && frames->need == FRAME_HEADER_BYTES) {
            struct frame frame = read_frame(frames->bytes);
            frames->need += looked_at_bytes(&frame);
            frames->payload_left = frame.payload_bytes - looked_at_bytes(&frame);
        }
    }
    return frames->have == frames->need;
}

/* The header is whole, and maybe it came in pieces of which `held` bytes were before. */
static struct gh_h2_step begin_frame(struct gh_h2_frames *frames, size_t held,
                                     const struct gh_h2_judge *judge)
{
    struct frame frame = read_frame(frames->bytes);
    struct gh_h2_step step = {.code = judge_frame(frames, &frame, judge)};
    step.refused = step.code != NGHTTP2_NO_ERROR;
    if (frame.type == NGHTTP2_HEADERS || frame.type == NGHTTP2_CONTINUATION)
        frames->block_open = !(frame.flags & NGHTTP2_FLAG_END_HEADERS);
    if (frame.type == NGHTTP2_DATA) {
        step.data_stream = frame.stream;
        step.data_bytes = data_bytes(&frame);
    }
    if (held)
        step.before = gh_str_of((const char *)frames->bytes, frames->need);
    return step;
}

struct gh_h2_step gh_h2_frames_step(struct gh_h2_frames *frames, struct gh_str bytes,
                                    const struct gh_h2_judge *judge)
{
    if (frames->preface_left) {
        struct gh_str preface = gh_str_first(bytes, frames->preface_left);
        frames->preface_left -= preface.len;
        return (struct gh_h2_step){.taken = preface.len, .bytes = preface};
    }
    struct gh_h2_step step = {0};
    size_t header = 0;
    if (frames->have < frames->need) {
        size_t held = frames->have;
        if (held == 0 && !frames->block_open)
            frames->begun_ms = judge->now_ms;
        if (!collect(frames, bytes, &header))
            return (struct gh_h2_step){.taken = header};
        step = begin_frame(frames, held, judge);
    }
    size_t payload = min_size(frames->payload_left, bytes.len - header);
    size_t skipped = step.before.len ? header : 0;
    step.taken = header + payload;
    step.bytes = gh_str_of(bytes.ptr + skipped, step.taken - skipped);
    frames->payload_left -= payload;
    if (frames->payload_left == 0) {
        frames->have = 0;
        frames->need = FRAME_HEADER_BYTES;
        frames->any_whole = true;
    }
    return step;
}

enum gh_h2_cost gh_h2_frames_cost(const struct gh_h2_frames *frames)
{
    struct frame frame = read_frame(frames->bytes);
    return cost_of(&frame);
}

bool gh_h2_frames_is_cut(const struct gh_h2_frames *frames, uint64_t *out_since_ms)
{
    *out_since_ms = frames->begun_ms;
    if (frames->have == 0)
        return frames->block_open;
    return frames->have < frames->need || read_frame(frames->bytes).type != NGHTTP2_DATA;
}
