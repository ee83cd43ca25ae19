#include "http/h2_codec.h"

#include <stdlib.h>

#include <nghttp2/nghttp2.h>

#include "base/assert.h"

struct gh_h2_codec {
    struct gh_codec base; /* first */
    struct gh_codec_limits limits;
    uint64_t now_ms;
    nghttp2_session *session;
};

static struct gh_h2_codec *h2_of(struct gh_codec *codec)
{
    return (struct gh_h2_codec *)codec;
}

/* ---- Reading: nothing is read yet, the connection ends at once ---- */

static size_t feed(struct gh_codec *codec, struct gh_str bytes)
{
    (void)codec;
    (void)bytes;
    return 0;
}

static bool wants_input(const struct gh_codec *codec)
{
    (void)codec;
    return false;
}

static void consumed(struct gh_codec *codec, gh_stream_id stream, size_t bytes)
{
    (void)codec;
    (void)stream;
    (void)bytes;
}

/* ---- Answering ---- */

static void write_continue(struct gh_codec *codec, gh_stream_id stream)
{
    (void)codec;
    (void)stream;
}

static void write_head(struct gh_codec *codec, gh_stream_id stream,
                       const struct gh_answer_head *answer, struct gh_str first, bool is_last)
{
    (void)codec;
    (void)stream;
    (void)answer;
    (void)first;
    (void)is_last;
}

static void write_body(struct gh_codec *codec, gh_stream_id stream, struct gh_str bytes,
                       bool is_last)
{
    (void)codec;
    (void)stream;
    (void)bytes;
    (void)is_last;
}

static bool is_full(const struct gh_codec *codec, gh_stream_id stream)
{
    (void)codec;
    (void)stream;
    return false;
}

static void reset(struct gh_codec *codec, gh_stream_id stream)
{
    (void)codec;
    (void)stream;
}

/* ---- The connection ---- */

static void on_writable(struct gh_codec *codec)
{
    (void)codec;
}

static bool wants_close(const struct gh_codec *codec)
{
    (void)codec;
    return true;
}

static void done(struct gh_codec *codec)
{
    nghttp2_session_del(h2_of(codec)->session);
    free(codec);
}

static const struct gh_codec_ops OPS = {
    .feed = feed,
    .wants_input = wants_input,
    .write_continue = write_continue,
    .write_head = write_head,
    .write_body = write_body,
    .is_full = is_full,
    .consumed = consumed,
    .reset = reset,
    .on_writable = on_writable,
    .wants_close = wants_close,
    .done = done,
};

void gh_h2_codec_set_now(struct gh_codec *codec, uint64_t now_ms)
{
    h2_of(codec)->now_ms = now_ms;
}

void gh_h2_codec_drain(struct gh_codec *codec)
{
    (void)codec;
}

void gh_h2_codec_set_lingering(struct gh_codec *codec, size_t count)
{
    (void)codec;
    (void)count;
}

size_t gh_h2_codec_unsent(const struct gh_codec *codec, gh_stream_id stream)
{
    (void)codec;
    (void)stream; /* nothing is written yet */
    return 0;
}

size_t gh_h2_codec_open_streams(const struct gh_codec *codec)
{
    (void)codec;
    return 0;
}

enum gh_err gh_h2_codec_open(const struct gh_codec_events *events, void *owner,
                             const struct gh_codec_limits *limits, struct gh_codec **out_codec)
{
    GH_ASSERT(limits->field_count_max <= GH_FIELDS_MAX);
    struct gh_h2_codec *h2 = calloc(1, sizeof(*h2));
    if (!h2)
        return GH_ERR_MEMORY;
    h2->base = (struct gh_codec){.ops = &OPS, .events = events, .owner = owner};
    h2->limits = *limits;
    *out_codec = &h2->base;
    return GH_OK;
}
