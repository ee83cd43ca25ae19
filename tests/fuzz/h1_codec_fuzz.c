/*
 * The HTTP/1.1 codec driven by bytes and by an owner that does as the input tells it: the events
 * keep their order, a stream is closed once, and what is written can be read back by our own reader
 * of responses.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "http/h1_codec.h"
#include "http/h1_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 1024, .target_bytes_max = 256, .field_count_max = 20};

enum stage { STAGE_CLOSED, STAGE_BEGUN, STAGE_BODY, STAGE_OVER };

struct owner {
    struct gh_h1_codec h1;
    struct gh_arena arena;
    struct gh_str script; /* one byte decides one thing */
    enum stage stage;
    gh_stream_id stream;
    bool head_written, answer_over, broken;
    enum gh_method method;
    size_t unpaid;
    char *wire;
    size_t wire_len, wire_cap;
    enum gh_method answered[256]; /* methods of the requests whose answers are on the wire */
    size_t answered_count;
};

static uint8_t decide(struct owner *owner)
{
    if (owner->script.len == 0)
        return 0;
    uint8_t c = (uint8_t)owner->script.ptr[0];
    owner->script = gh_str_skip(owner->script, 1);
    return c;
}

static void write_answer_head(struct owner *owner, uint8_t choice)
{
    static const unsigned STATUS[] = {200, 404, 204, 304};
    struct gh_answer_head head = {.status = STATUS[choice >> 2 & 3], .close = choice & 64};
    bool is_last = choice & 32;
    head.body = (enum gh_body_kind)(choice & 3);
    head.content_length = head.body == GH_BODY_LENGTH ? 3 : 0;
    struct gh_str first = head.body == GH_BODY_NONE ? GH_STR("") : GH_STR("abc");
    if (head.body == GH_BODY_LENGTH && !is_last)
        first = GH_STR("");
    owner->head_written = true;
    owner->answer_over = is_last;
    if (owner->answered_count < 256)
        owner->answered[owner->answered_count++] = owner->method;
    /* No body: say so at once, the way the exchange does. */
    owner->answer_over = is_last = is_last || head.body == GH_BODY_NONE;
    owner->h1.base.ops->write_head(&owner->h1.base, owner->stream, &head, first, is_last);
}

/* One thing that an exchange may do with an open stream. */
static void act(struct owner *owner)
{
    if (owner->stage == STAGE_CLOSED || owner->stage == STAGE_BEGUN)
        return;
    const struct gh_codec_ops *ops = owner->h1.base.ops;
    uint8_t choice = decide(owner);
    switch (choice % 8) {
    case 0:
    case 1:
    case 2:
        if (!owner->head_written)
            write_answer_head(owner, decide(owner));
        break;
    case 3:
        if (owner->head_written && !owner->answer_over) {
            owner->answer_over = true;
            ops->write_body(&owner->h1.base, owner->stream, GH_STR("abc"), true);
        }
        break;
    case 4:
        ops->write_continue(&owner->h1.base, owner->stream);
        break;
    case 5: {
        size_t paid = owner->unpaid;
        owner->unpaid = 0;
        ops->consumed(&owner->h1.base, owner->stream, paid);
        break;
    }
    case 6:
        if (choice & 64) {
            owner->broken = owner->head_written && !owner->answer_over;
            ops->reset(&owner->h1.base, owner->stream);
        }
        break;
    default:
        break;
    }
}

static struct gh_arena *on_begin(void *context, gh_stream_id stream)
{
    struct owner *owner = context;
    GH_ASSERT(owner->stage == STAGE_CLOSED && stream == owner->stream + 1);
    owner->stage = STAGE_BEGUN;
    owner->stream = stream;
    owner->head_written = owner->answer_over = false;
    owner->unpaid = 0;
    owner->method = GH_METHOD_OTHER;
    gh_arena_init(&owner->arena, 4096, 65536);
    return &owner->arena;
}

static void on_head(void *context, gh_stream_id stream, struct gh_request_head *head)
{
    struct owner *owner = context;
    GH_ASSERT(owner->stage == STAGE_BEGUN && stream == owner->stream);
    owner->stage = STAGE_BODY;
    owner->method = head->method;
    act(owner);
}

static void on_body(void *context, gh_stream_id stream, struct gh_str bytes)
{
    struct owner *owner = context;
    GH_ASSERT(owner->stage == STAGE_BODY && stream == owner->stream && bytes.len > 0);
    GH_ASSERT(!owner->answer_over);
    owner->unpaid += bytes.len;
    GH_ASSERT(owner->unpaid <= GH_H1_UNPAID_BYTES_MAX);
    act(owner);
}

static void on_end(void *context, gh_stream_id stream)
{
    struct owner *owner = context;
    GH_ASSERT(owner->stage == STAGE_BODY && stream == owner->stream && !owner->answer_over);
    owner->stage = STAGE_OVER;
    act(owner);
}

static void on_error(void *context, gh_stream_id stream, enum gh_http_error error)
{
    struct owner *owner = context;
    GH_ASSERT(owner->stage == STAGE_BEGUN || owner->stage == STAGE_BODY);
    GH_ASSERT(stream == owner->stream && error != GH_HTTP_ERROR_NONE && !owner->answer_over);
    owner->stage = STAGE_OVER;
    act(owner);
}

static void on_closed(void *context, gh_stream_id stream)
{
    struct owner *owner = context;
    GH_ASSERT(owner->stage != STAGE_CLOSED && stream == owner->stream);
    owner->stage = STAGE_CLOSED;
    gh_arena_done(&owner->arena);
}

static bool output(void *context, const struct gh_str *slices, size_t count)
{
    struct owner *owner = context;
    GH_ASSERT(count >= 1 && count <= 8);
    for (size_t i = 0; i < count; i++) {
        GH_ASSERT(slices[i].len <= owner->wire_cap - owner->wire_len);
        memcpy(owner->wire + owner->wire_len, slices[i].ptr, slices[i].len);
        owner->wire_len += slices[i].len;
    }
    return true;
}

static void on_drained(void *context, gh_stream_id stream)
{
    (void)context;
    (void)stream;
    GH_ASSERT(!"HTTP/1.1 keeps nothing");
}

static const struct gh_codec_events EVENTS = {
    .on_begin = on_begin,
    .on_head = on_head,
    .on_body = on_body,
    .on_end = on_end,
    .on_error = on_error,
    .on_closed = on_closed,
    .output = output,
    .on_drained = on_drained,
};

/* Reads one body off `wire`; false when the wire ends inside it. */
static bool read_body_back(struct gh_response_head *head, struct gh_str *wire)
{
    struct gh_h1_body body;
    struct gh_str data;
    enum gh_h1_body_status status;
    gh_h1_body_init(&body, head->body, head->content_length);
    do {
        status = gh_h1_body_read(&body, wire, &data);
        GH_ASSERT(status != GH_H1_BODY_ERROR);
    } while (status == GH_H1_BODY_DATA);
    return status == GH_H1_BODY_DONE;
}

/* What was written is a row of answers; only the last may be cut short. */
static void read_wire_back(const struct owner *owner)
{
    struct gh_codec_limits limits = {1 << 16, 0, 100};
    struct gh_str wire = gh_str_of(owner->wire, owner->wire_len);
    struct gh_arena arena;
    size_t answered = 0;
    gh_arena_init(&arena, 4096, 1 << 20);
    while (wire.len) {
        struct gh_response_head head;
        size_t scanned = 0, len = 0;
        GH_ASSERT(gh_h1_scan_response_head(wire, &scanned, &limits, &len) == GH_H1_SCAN_DONE);
        enum gh_method method =
            answered < owner->answered_count ? owner->answered[answered] : GH_METHOD_OTHER;
        GH_ASSERT(
            gh_h1_parse_response_head(gh_str_first(wire, len), method, &limits, &arena, &head));
        wire = gh_str_skip(wire, len);
        if (head.status < 200)
            continue;
        answered++;
        if (!read_body_back(&head, &wire))
            GH_ASSERT(wire.len == 0);
    }
    gh_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 8192)
        return 0;
    size_t script = data[0] % size, step = data[1] % 64 + 1;
    struct owner *owner = calloc(1, sizeof(*owner));
    GH_ASSERT(owner);
    owner->wire_cap = 1 << 20;
    owner->wire = malloc(owner->wire_cap);
    owner->script = gh_str_of((const char *)data, script);
    struct gh_str bytes = gh_str_of((const char *)data + script, size - script);
    struct gh_codec *codec = &owner->h1.base;
    gh_h1_codec_init(&owner->h1, &EVENTS, owner, &LIMITS);
    while (bytes.len && !codec->ops->wants_close(codec)) {
        struct gh_str piece = gh_str_first(bytes, step);
        bool wanted = codec->ops->wants_input(codec);
        size_t taken = codec->ops->feed(codec, piece);
        GH_ASSERT(taken <= piece.len && (wanted || taken == 0));
        bool request_over = taken > 0 && owner->h1.state == GH_H1_IDLE;
        GH_ASSERT(taken == piece.len || request_over || !codec->ops->wants_input(codec));
        bytes = gh_str_skip(bytes, taken);
        size_t script_left = owner->script.len;
        act(owner);
        if (taken == 0 && owner->script.len == script_left)
            break;
    }
    codec->ops->done(codec);
    GH_ASSERT(owner->stage == STAGE_CLOSED && codec->ops->wants_close(codec));
    read_wire_back(owner);
    free(owner->wire);
    free(owner);
    return 0;
}
