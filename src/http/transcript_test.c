/*
 * Runs the Markdown files of tests/transcripts: bytes in, events out. Each transcript is read
 * whole, byte by byte, and cut in two at every place; the events must be the same. The syntax is in
 * the README there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "http/h1_codec.h"
#include "http/h1_head.h"
#include "http/transcript_text.h"

#define FOLDER           GH_SOURCE_ROOT "/tests/transcripts"
#define BYTES_MAX        8192
#define EVENTS_BYTES_MAX 32768

/* Small, so that the transcripts of what is too large stay readable. */
static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 1024, .target_bytes_max = 256, .field_count_max = 16};

struct recording {
    char text[EVENTS_BYTES_MAX];
    struct gh_buf events;
    bool in_body; /* the last line is a body line that may go on */
    bool with_fields;
    struct gh_arena arena;
    struct gh_h1_codec codec;
};

/* ---- Writing events ---- */

__attribute__((format(printf, 2, 3))) static void put_event(struct recording *recording,
                                                            const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (recording->in_body)
        gh_buf_put_char(&recording->events, '\n');
    recording->in_body = false;
    gh_buf_put(&recording->events, gh_str_from_c(text));
}

static void put_body(struct recording *recording, struct gh_str bytes)
{
    if (!recording->in_body)
        gh_buf_put(&recording->events, GH_STR("body "));
    recording->in_body = true;
    transcript_escape(&recording->events, bytes);
}

static void put_framing(struct recording *recording, enum gh_body_kind kind, uint64_t length)
{
    switch (kind) {
    case GH_BODY_NONE:
        put_event(recording, " body=none");
        break;
    case GH_BODY_LENGTH:
        put_event(recording, " body=%llu", (unsigned long long)length);
        break;
    case GH_BODY_CHUNKED:
        put_event(recording, " body=chunked");
        break;
    case GH_BODY_CLOSE:
        put_event(recording, " body=close");
        break;
    }
}

static void put_fields(struct recording *recording, const struct gh_fields *fields)
{
    put_event(recording, "\n");
    if (!recording->with_fields)
        return;
    for (size_t i = 0; i < fields->count; i++) {
        put_event(recording, "field ");
        transcript_escape(&recording->events, fields->items[i].name);
        put_event(recording, ": ");
        transcript_escape(&recording->events, fields->items[i].value);
        put_event(recording, "\n");
    }
}

/* ---- Requests: through the codec, each answered with an empty 200 ---- */

static struct gh_arena *on_begin(void *owner, gh_stream_id stream)
{
    (void)stream;
    return &((struct recording *)owner)->arena;
}

static void on_head(void *owner, gh_stream_id stream, struct gh_request_head *head)
{
    struct recording *recording = owner;
    (void)stream;
    put_event(recording, "head %.*s %.*s HTTP/1.%d", GH_STR_ARG(head->method_text),
              GH_STR_ARG(head->target), head->version_minor);
    put_framing(recording, head->body, head->content_length);
    put_event(recording, "%s%s%s", head->keep_alive ? "" : " close",
              head->expect_continue ? " expect" : "", head->upgrade_websocket ? " websocket" : "");
    put_fields(recording, &head->fields);
}

static void on_body(void *owner, gh_stream_id stream, struct gh_str bytes)
{
    struct recording *recording = owner;
    put_body(recording, bytes);
    recording->codec.base.ops->consumed(&recording->codec.base, stream, bytes.len);
}

static void answer(struct recording *recording, gh_stream_id stream)
{
    struct gh_answer_head head = {.status = 200};
    recording->codec.base.ops->write_head(&recording->codec.base, stream, &head, GH_STR(""), true);
}

static void on_end(void *owner, gh_stream_id stream)
{
    put_event(owner, "end\n");
    answer(owner, stream);
}

static void on_error(void *owner, gh_stream_id stream, enum gh_http_error error)
{
    put_event(owner, "error %s\n", transcript_error_name(error));
    answer(owner, stream);
}

static void on_closed(void *owner, gh_stream_id stream)
{
    (void)stream;
    gh_arena_reset(&((struct recording *)owner)->arena);
}

static bool output(void *owner, const struct gh_str *slices, size_t count)
{
    (void)owner;
    (void)slices;
    assert_in_range(count, 1, 8);
    return true;
}

static void on_drained(void *owner, gh_stream_id stream)
{
    (void)owner;
    (void)stream;
    fail_msg("HTTP/1.1 keeps nothing");
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

static void read_requests(struct recording *recording, const struct gh_str *pieces, size_t count)
{
    struct gh_codec *codec = &recording->codec.base;
    gh_h1_codec_init(&recording->codec, &EVENTS, recording, &LIMITS);
    for (size_t i = 0; i < count; i++) {
        struct gh_str rest = pieces[i];
        size_t taken;
        do { /* at most one request at a time */
            taken = codec->ops->feed(codec, rest);
            rest = gh_str_skip(rest, taken);
        } while (rest.len && taken);
        assert_true(rest.len == 0 || !codec->ops->wants_input(codec));
    }
    if (codec->ops->wants_close(codec))
        put_event(recording, "close\n");
    else if (recording->codec.open)
        put_event(recording, "incomplete\n");
    codec->ops->done(codec);
}

/* ---- Responses: scan, parse, body ---- */

struct reader {
    char head[BYTES_MAX];
    size_t head_len, scanned;
    bool in_body, over;
    enum gh_method method;
    struct gh_h1_body body;
};

static void read_response_body(struct recording *recording, struct reader *reader,
                               struct gh_str *input)
{
    for (;;) {
        struct gh_str data;
        switch (gh_h1_body_read(&reader->body, input, &data)) {
        case GH_H1_BODY_ERROR:
            put_event(recording, "error\n");
            reader->over = true;
            return;
        case GH_H1_BODY_MORE:
            return;
        case GH_H1_BODY_DATA:
            put_body(recording, data);
            break;
        case GH_H1_BODY_DONE:
            put_event(recording, "end\n");
            reader->over = true;
            return;
        }
    }
}

static void begin_response(struct recording *recording, struct reader *reader, struct gh_str head)
{
    struct gh_response_head parsed;
    if (!gh_h1_parse_response_head(head, reader->method, &LIMITS, &recording->arena, &parsed)) {
        put_event(recording, "error\n");
        reader->over = true;
        return;
    }
    put_event(recording, "head %u HTTP/1.%d", parsed.status, parsed.version_minor);
    put_framing(recording, parsed.body, parsed.content_length);
    put_event(recording, parsed.keep_alive ? "" : " close");
    put_fields(recording, &parsed.fields);
    reader->in_body = parsed.status >= 200; /* else another head follows */
    gh_h1_body_init(&reader->body, parsed.body, parsed.content_length);
}

/* One byte after the other into the head, so that what follows it stays in `input`. */
static void read_response_head(struct recording *recording, struct reader *reader,
                               struct gh_str *input)
{
    size_t before = reader->head_len, end = 0;
    memcpy(reader->head + before, input->ptr, input->len);
    reader->head_len += input->len;
    switch (gh_h1_scan_response_head(gh_str_of(reader->head, reader->head_len), &reader->scanned,
                                     &LIMITS, &end)) {
    case GH_H1_SCAN_ERROR:
        put_event(recording, "error\n");
        reader->over = true;
        return;
    case GH_H1_SCAN_MORE:
        *input = gh_str_skip(*input, input->len);
        return;
    case GH_H1_SCAN_DONE:
        *input = gh_str_skip(*input, end - before);
        begin_response(recording, reader, gh_str_of(reader->head, end));
        reader->head_len = reader->scanned = 0;
        return;
    }
}

static void read_response(struct recording *recording, enum gh_method method,
                          const struct gh_str *pieces, size_t count)
{
    static struct reader reader;
    memset(&reader, 0, sizeof(reader));
    reader.method = method;
    for (size_t i = 0; i < count && !reader.over; i++) {
        struct gh_str input = pieces[i];
        while (!reader.over && !reader.in_body && input.len)
            read_response_head(recording, &reader, &input);
        if (!reader.over && reader.in_body)
            read_response_body(recording, &reader, &input);
    }
    if (!reader.over)
        put_event(recording, "incomplete\n");
    gh_arena_reset(&recording->arena);
}

/* ---- One transcript ---- */

struct transcript {
    struct gh_str name;
    bool is_response;
    enum gh_method method;
    char bytes[BYTES_MAX];
    size_t len;
    struct gh_str events;
};

static void play(const struct transcript *transcript, const struct gh_str *pieces, size_t count,
                 const char *how)
{
    static struct recording recording;
    memset(&recording, 0, offsetof(struct recording, arena));
    recording.events = gh_buf_over(recording.text, sizeof(recording.text));
    recording.with_fields =
        gh_str_find(transcript->events, GH_STR("field ")) < transcript->events.len;
    gh_arena_init(&recording.arena, 4096, 65536);
    if (transcript->is_response)
        read_response(&recording, transcript->method, pieces, count);
    else
        read_requests(&recording, pieces, count);
    put_event(&recording, "%s", "");
    gh_arena_done(&recording.arena);
    assert_false(recording.events.overflow);
    if (!gh_str_eq(gh_buf_str(&recording.events), transcript->events)) {
        fail_msg("%.*s (%s): expected\n%.*sgot\n%.*s", GH_STR_ARG(transcript->name), how,
                 GH_STR_ARG(transcript->events), GH_STR_ARG(gh_buf_str(&recording.events)));
    }
}

static void play_every_way(const struct transcript *transcript)
{
    static struct gh_str pieces[BYTES_MAX];
    /* Heap copies of the exact size, so that a read past the end is seen. */
    char *whole = malloc(transcript->len + 1);
    memcpy(whole, transcript->bytes, transcript->len);
    struct gh_str bytes = gh_str_of(whole, transcript->len);
    play(transcript, &bytes, 1, "whole");
    for (size_t i = 0; i < bytes.len; i++)
        pieces[i] = gh_str_of(bytes.ptr + i, 1);
    play(transcript, pieces, bytes.len, "byte by byte");
    for (size_t i = 1; i < bytes.len; i++) {
        struct gh_str halves[2] = {gh_str_first(bytes, i), gh_str_skip(bytes, i)};
        char how[32];
        snprintf(how, sizeof(how), "cut at %zu", i);
        play(transcript, halves, 2, how);
    }
    free(whole);
}

/* ---- Reading the files ---- */

/* The line that opens a block of bytes: "```request" or "```response METHOD". */
static bool opens_bytes(struct gh_str line, struct transcript *transcript)
{
    bool request = gh_str_eq(line, GH_STR("```request"));
    transcript->is_response = gh_str_starts_with(line, GH_STR("```response "));
    if (transcript->is_response)
        transcript->method = gh_method_of(gh_str_skip(line, 12));
    transcript->len = 0;
    return request || transcript->is_response;
}

static size_t run_file(struct gh_str text)
{
    static struct transcript transcript;
    enum { OUTSIDE, IN_BYTES, IN_EVENTS } where = OUTSIDE;
    size_t count = 0;
    for (struct gh_str rest = text; rest.ptr;) {
        struct gh_str line = gh_str_split(&rest, '\n');
        bool fence = gh_str_eq(line, GH_STR("```"));
        if (where == IN_EVENTS && fence) {
            transcript.events.len = (size_t)(line.ptr - transcript.events.ptr);
            play_every_way(&transcript);
            count++;
        } else if (where == IN_BYTES && !fence) {
            transcript.len += transcript_unescape(line, transcript.bytes + transcript.len,
                                                  sizeof(transcript.bytes) - transcript.len);
        } else if (where == OUTSIDE && gh_str_starts_with(line, GH_STR("## "))) {
            transcript.name = gh_str_skip(line, 3);
        } else if (where == OUTSIDE && gh_str_eq(line, GH_STR("```events"))) {
            transcript.events = rest;
            where = IN_EVENTS;
        } else if (where == OUTSIDE && gh_str_starts_with(line, GH_STR("```"))) {
            assert_true(opens_bytes(line, &transcript));
            where = IN_BYTES;
        }
        if (fence)
            where = OUTSIDE;
    }
    return count;
}

static size_t run_path(const char *path)
{
    static char text[1 << 18];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof(text), file);
    fclose(file);
    assert_true(len < sizeof(text));
    return run_file(gh_str_of(text, len));
}

static void every_transcript_gives_its_events_however_it_is_cut(void **state)
{
    (void)state;
    DIR *folder = opendir(FOLDER);
    assert_non_null(folder);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct gh_str name = gh_str_from_c(entry->d_name);
        if (!gh_str_ends_with(name, GH_STR(".md")) || gh_str_eq(name, GH_STR("README.md")))
            continue;
        char path[1024];
        snprintf(path, sizeof(path), "%s/%s", FOLDER, entry->d_name);
        count += run_path(path);
    }
    closedir(folder);
    assert_true(count > 100);
    print_message("%zu transcripts\n", count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_transcript_gives_its_events_however_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
