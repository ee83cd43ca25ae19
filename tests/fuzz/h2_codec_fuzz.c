/*
 * The HTTP/2 codec behind a preface: arbitrary frames, cut at arbitrary places.
 *
 * With an owner that only listens: the events are the same whole and in pieces, they come in a
 * legal order, and of a head that is told nghttp2 with its own checks of messages on thinks no
 * worse. With one that does as the input tells it: what is written is frames, whose field blocks
 * can be decoded, in the order that section 5.1 allows for each stream.
 */
#include <stdlib.h>

#include <nghttp2/nghttp2.h>

#include "base/assert.h"
#include "base/buf.h"
#include "http/h2_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX  4096
#define STREAMS    GH_H2_STREAMS_MAX
#define LOG_BYTES  (1u << 16)
#define WIRE_BYTES (4u << 20)
#define IDS        4096
#define ROOM_BYTES 100000

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 1024, .target_bytes_max = 256, .field_count_max = 20};
static const char START[] = GH_H2_PREFACE "\0\0\0\4\0\0\0\0\0";

enum stage { STAGE_FREE, STAGE_BEGUN, STAGE_BODY, STAGE_OVER };

struct stream {
    gh_stream_id id;
    enum stage stage;
    struct gh_arena arena;
    size_t unpaid;
    bool head_written, answer_over, is_get;
};

struct owner {
    struct gh_codec *codec;
    struct stream streams[STREAMS];
    gh_stream_id last_id;
    bool acts, wire_is_full;
    struct gh_str script;
    struct gh_buf log;
    gh_stream_id body_id; /* the last line of the log is of its body */
    uint8_t told[IDS];    /* ids whose head was told */
    size_t wire_len;
    size_t room_taken;
    /* Not wiped between runs. */
    char log_bytes[LOG_BYTES];
    char wire[WIRE_BYTES];
};

static struct owner owners[2];

/* ---- The owner ---- */

static struct stream *find(struct owner *owner, gh_stream_id id)
{
    for (size_t i = 0; i < STREAMS; i++) {
        if (owner->streams[i].stage != STAGE_FREE && owner->streams[i].id == id)
            return &owner->streams[i];
    }
    return NULL;
}

static struct stream *must_find(struct owner *owner, gh_stream_id id)
{
    struct stream *stream = find(owner, id);
    GH_ASSERT(stream);
    return stream;
}

static uint8_t decide(struct owner *owner)
{
    if (owner->script.len == 0)
        return 0xff;
    uint8_t c = (uint8_t)owner->script.ptr[0];
    owner->script = gh_str_skip(owner->script, 1);
    return c;
}

static void write_answer_head(struct owner *owner, struct stream *stream, uint8_t choice)
{
    static const unsigned STATUS[] = {200, 404, 204, 304};
    static const char BODY[20000];
    struct gh_answer_head head = {.status = STATUS[choice >> 2 & 3],
                                  .block = GH_STR("X-Block: 1\r\nServer: g\r\n")};
    head.body = (enum gh_body_kind)(choice & 3);
    size_t len = choice & 64 ? sizeof(BODY) : 3;
    bool is_last = choice & 32 || head.body == GH_BODY_NONE;
    head.content_length = head.body == GH_BODY_LENGTH ? len : 0;
    if (head.body == GH_BODY_NONE)
        len = 0;
    stream->head_written = true;
    stream->answer_over = is_last;
    owner->codec->ops->write_head(owner->codec, stream->id, &head, gh_str_of(BODY, len), is_last);
}

static void write_more(struct owner *owner, struct stream *stream, bool is_last)
{
    stream->answer_over = is_last;
    owner->codec->ops->write_body(owner->codec, stream->id, GH_STR(""), is_last);
}

/* One thing that an exchange may do with an open stream. */
static void act(struct owner *owner, struct stream *stream)
{
    const struct gh_codec_ops *ops = owner->codec->ops;
    if (!owner->acts || !stream)
        return;
    uint8_t choice = decide(owner);
    switch (choice & 7) {
    case 0:
    case 1:
        if (!stream->head_written)
            write_answer_head(owner, stream, decide(owner));
        else if (!stream->answer_over)
            write_more(owner, stream, choice & 8);
        break;
    case 2:
        ops->write_continue(owner->codec, stream->id);
        break;
    case 3: {
        size_t paid = stream->unpaid;
        stream->unpaid = 0;
        ops->consumed(owner->codec, stream->id, paid);
        break;
    }
    case 4:
        if (choice & 64)
            ops->reset(owner->codec, stream->id);
        break;
    case 5:
        owner->wire_is_full = !owner->wire_is_full;
        break;
    default:
        break;
    }
}

static struct gh_arena *on_begin(void *context, gh_stream_id id)
{
    struct owner *owner = context;
    GH_ASSERT(id % 2 == 1 && id > owner->last_id && !find(owner, id));
    owner->last_id = id;
    owner->body_id = 0;
    gh_buf_format(&owner->log, "begin %u\n", id);
    for (size_t i = 0; i < STREAMS; i++) {
        struct stream *stream = &owner->streams[i];
        if (stream->stage != STAGE_FREE)
            continue;
        *stream = (struct stream){.id = id, .stage = STAGE_BEGUN};
        gh_arena_init(&stream->arena, 4096, 16384);
        return &stream->arena;
    }
    GH_ASSERT(!"more streams than announced");
    return NULL;
}

static void on_head(void *context, gh_stream_id id, struct gh_request_head *head)
{
    struct owner *owner = context;
    struct stream *stream = must_find(owner, id);
    GH_ASSERT(stream->stage == STAGE_BEGUN && !stream->answer_over);
    stream->stage = STAGE_BODY;
    owner->body_id = 0;
    if (id < IDS)
        owner->told[id] = 1;
    gh_buf_format(&owner->log, "head %u %.*s %.*s %zu\n", id, GH_STR_ARG(head->method_text),
                  GH_STR_ARG(head->target), head->fields.count);
    GH_ASSERT(head->path.len && head->authority.len);
    act(owner, stream);
}

static void on_body(void *context, gh_stream_id id, struct gh_str bytes)
{
    struct owner *owner = context;
    struct stream *stream = must_find(owner, id);
    GH_ASSERT(stream->stage == STAGE_BODY && bytes.len > 0 && !stream->answer_over);
    stream->unpaid += bytes.len;
    if (owner->body_id != id)
        gh_buf_format(&owner->log, "body %u\n", id);
    owner->body_id = id;
    gh_buf_put(&owner->log, bytes);
    act(owner, stream);
}

static void on_end(void *context, gh_stream_id id)
{
    struct owner *owner = context;
    struct stream *stream = must_find(owner, id);
    GH_ASSERT(stream->stage == STAGE_BODY && !stream->answer_over);
    stream->stage = STAGE_OVER;
    owner->body_id = 0;
    gh_buf_format(&owner->log, "end %u\n", id);
    act(owner, stream);
}

static void on_error(void *context, gh_stream_id id, enum gh_http_error error)
{
    struct owner *owner = context;
    struct stream *stream = must_find(owner, id);
    GH_ASSERT(stream->stage == STAGE_BEGUN || stream->stage == STAGE_BODY);
    GH_ASSERT(error != GH_HTTP_ERROR_NONE && !stream->answer_over);
    stream->stage = STAGE_OVER;
    owner->body_id = 0;
    gh_buf_format(&owner->log, "error %u %d\n", id, (int)error);
    act(owner, stream);
}

static void on_closed(void *context, gh_stream_id id)
{
    struct owner *owner = context;
    struct stream *stream = must_find(owner, id);
    gh_arena_done(&stream->arena);
    stream->stage = STAGE_FREE;
    owner->body_id = 0;
    if (owner->acts)
        gh_buf_format(&owner->log, "closed %u\n", id);
}

static bool output(void *context, const struct gh_str *slices, size_t count)
{
    struct owner *owner = context;
    GH_ASSERT(count >= 1 && count <= 8);
    for (size_t i = 0; i < count; i++) {
        GH_ASSERT(slices[i].len && slices[i].len <= WIRE_BYTES - owner->wire_len);
        memcpy(owner->wire + owner->wire_len, slices[i].ptr, slices[i].len);
        owner->wire_len += slices[i].len;
    }
    return !owner->wire_is_full;
}

static void on_drained(void *context, gh_stream_id id)
{
    struct owner *owner = context;
    GH_ASSERT(!owner->codec->ops->is_full(owner->codec, id));
    act(owner, must_find(owner, id));
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

static struct owner *open_owner(size_t which)
{
    struct owner *owner = &owners[which];
    memset(owner, 0, offsetof(struct owner, log_bytes));
    owner->log = gh_buf_over(owner->log_bytes, sizeof(owner->log_bytes));
    GH_ASSERT(gh_h2_codec_open(&EVENTS, owner, &LIMITS, NULL, &owner->codec) == GH_OK);
    gh_h2_codec_set_now(owner->codec, 1000);
    GH_ASSERT(owner->codec->ops->feed(owner->codec, gh_str_of(START, sizeof(START) - 1)) ==
              sizeof(START) - 1);
    return owner;
}

static void close_owner(struct owner *owner)
{
    owner->codec->ops->done(owner->codec);
    for (size_t i = 0; i < STREAMS; i++)
        GH_ASSERT(owner->streams[i].stage == STAGE_FREE);
}

/* ---- Only listening ---- */

static struct owner *listen_to(size_t which, struct gh_str bytes, size_t step)
{
    struct owner *owner = open_owner(which);
    const struct gh_codec_ops *ops = owner->codec->ops;
    while (bytes.len && ops->wants_input(owner->codec)) {
        struct gh_str piece = gh_str_first(bytes, step);
        size_t taken = ops->feed(owner->codec, piece);
        GH_ASSERT(taken == piece.len || !ops->wants_input(owner->codec));
        bytes = gh_str_skip(bytes, taken);
    }
    gh_buf_format(&owner->log, "%s", ops->wants_close(owner->codec) ? "close\n" : "");
    return owner;
}

static int note_invalid(nghttp2_session *session, const nghttp2_frame *frame, int error,
                        void *context)
{
    (void)session;
    (void)error;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST &&
        frame->hd.stream_id < IDS)
        ((uint8_t *)context)[frame->hd.stream_id] = 1;
    return 0;
}

static int note_invalid_field(nghttp2_session *session, const nghttp2_frame *frame,
                              nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
                              void *context)
{
    (void)name;
    (void)value;
    (void)flags;
    return note_invalid(session, frame, 0, context);
}

/* Which heads nghttp2 by itself takes for malformed. */
static void ask_nghttp2(struct gh_str bytes, uint8_t *out_invalid)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_settings_entry connect = {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    GH_ASSERT(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, note_invalid);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, note_invalid_field);
    GH_ASSERT(nghttp2_session_server_new(&session, callbacks, out_invalid) == 0);
    GH_ASSERT(nghttp2_submit_settings(session, 0, &connect, 1) == 0);
    static const char ACK[] = "\0\0\0\4\1\0\0\0\0";
    (void)nghttp2_session_mem_recv(session, (const uint8_t *)START, sizeof(START) - 1);
    (void)nghttp2_session_mem_recv(session, (const uint8_t *)ACK, sizeof(ACK) - 1);
    (void)nghttp2_session_mem_recv(session, (const uint8_t *)bytes.ptr, bytes.len);
    nghttp2_session_del(session);
    nghttp2_session_callbacks_del(callbacks);
}

static void check_listening(struct gh_str bytes, size_t step)
{
    static uint8_t invalid[IDS];
    memset(invalid, 0, sizeof(invalid));
    struct owner *whole = listen_to(0, bytes, bytes.len), *pieces = listen_to(1, bytes, step);
    GH_ASSERT(gh_str_eq(gh_buf_str(&whole->log), gh_buf_str(&pieces->log)));
    ask_nghttp2(bytes, invalid);
    for (size_t i = 0; i < IDS; i++)
        GH_ASSERT(!whole->told[i] || !invalid[i]);
    close_owner(whole);
    close_owner(pieces);
}

/* ---- Acting ---- */

struct written {
    bool head, over, reset;
};

static void inflate(nghttp2_hd_inflater *inflater, const uint8_t *block, size_t len)
{
    int flags = 0;
    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv nv;
        flags = 0;
        ssize_t taken = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block, len, 1);
        GH_ASSERT(taken >= 0);
        block += taken;
        len -= (size_t)taken;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            GH_ASSERT(nghttp2_check_header_name(nv.name, nv.namelen) || nv.name[0] == ':');
    }
    nghttp2_hd_inflate_end_headers(inflater);
}

static void read_frame_back(const uint8_t *at, size_t len, struct written *streams,
                            nghttp2_hd_inflater *inflater)
{
    uint32_t id = (uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 | at[8];
    struct written *stream = &streams[id < IDS ? id : 0];
    bool is_end = at[4] & NGHTTP2_FLAG_END_STREAM;
    switch (at[3]) {
    case NGHTTP2_HEADERS:
        GH_ASSERT(at[4] & NGHTTP2_FLAG_END_HEADERS);
        inflate(inflater, at + 9, len);
        GH_ASSERT(id >= IDS || (!stream->over && !stream->reset));
        stream->head = true;
        stream->over = is_end;
        break;
    case NGHTTP2_DATA:
        GH_ASSERT(id >= IDS || (stream->head && !stream->over && !stream->reset));
        stream->over = is_end;
        break;
    case NGHTTP2_RST_STREAM:
        stream->reset = true;
        break;
    default:
        GH_ASSERT(at[3] <= NGHTTP2_WINDOW_UPDATE && at[3] != NGHTTP2_PUSH_PROMISE);
        break;
    }
}

static void read_wire_back(const struct owner *owner)
{
    static struct written streams[IDS];
    nghttp2_hd_inflater *inflater;
    memset(streams, 0, sizeof(streams));
    GH_ASSERT(nghttp2_hd_inflate_new(&inflater) == 0);
    for (size_t i = 0; i < owner->wire_len;) {
        const uint8_t *at = (const uint8_t *)owner->wire + i;
        GH_ASSERT(owner->wire_len - i >= 9);
        size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        GH_ASSERT(len <= owner->wire_len - i - 9);
        read_frame_back(at, len, streams, inflater);
        i += 9 + len;
    }
    nghttp2_hd_inflate_del(inflater);
}

static void on_due(void *context)
{
    (void)context; /* the input says when */
}

/* A budget that is used up now and then. */
static bool charge_room(void *context, size_t bytes)
{
    struct owner *owner = context;
    owner->room_taken += bytes;
    return owner->room_taken <= ROOM_BYTES;
}

static void give_room(void *context, size_t bytes)
{
    struct owner *owner = context;
    GH_ASSERT(bytes > 0 && bytes <= owner->room_taken);
    owner->room_taken -= bytes;
}

static const struct gh_h2_room ROOM = {charge_room, give_room};

static void act_on_any(struct owner *owner)
{
    struct stream *stream = &owner->streams[decide(owner) % STREAMS];
    if (stream->stage != STAGE_FREE)
        act(owner, stream);
}

static void check_acting(struct gh_str script, struct gh_str bytes, size_t step)
{
    struct owner *owner = open_owner(0);
    const struct gh_codec_ops *ops = owner->codec->ops;
    uint64_t now_ms = 1000;
    owner->acts = true;
    owner->script = script;
    gh_h2_codec_honour_priorities(owner->codec);
    gh_h2_codec_count_kept(owner->codec, &ROOM);
    if (step % 2)
        gh_h2_codec_gather(owner->codec, on_due);
    while (bytes.len && !ops->wants_close(owner->codec)) {
        bool wanted = ops->wants_input(owner->codec);
        size_t taken = ops->feed(owner->codec, gh_str_first(bytes, step));
        GH_ASSERT(wanted || taken == 0);
        bytes = gh_str_skip(bytes, taken);
        gh_h2_codec_set_now(owner->codec, now_ms += 10);
        if (decide(owner) % 4 == 0)
            gh_h2_codec_flush(owner->codec);
        if (!owner->wire_is_full)
            ops->on_writable(owner->codec);
        size_t script_left = owner->script.len;
        act_on_any(owner);
        if (taken == 0 && owner->script.len == script_left)
            break;
    }
    owner->wire_is_full = false;
    ops->on_writable(owner->codec);
    gh_h2_codec_drain(owner->codec);
    gh_h2_codec_drain(owner->codec);
    gh_h2_codec_flush(owner->codec);
    read_wire_back(owner);
    close_owner(owner);
    GH_ASSERT(owner->room_taken == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > INPUT_MAX)
        return 0;
    size_t script = 2 + data[0] % (size - 2), step = data[1] % 64 + 1;
    struct gh_str bytes = gh_str_of((const char *)data + script, size - script);
    check_listening(bytes, step);
    check_acting(gh_str_of((const char *)data + 2, script - 2), bytes, step);
    return 0;
}
