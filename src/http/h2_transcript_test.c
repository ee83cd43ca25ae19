/*
 * Runs the Markdown files of tests/transcripts/http2: frames in, events out. Each transcript is
 * read whole, byte by byte, and cut in two at every place; the events must be the same. The syntax
 * is in the README of tests/transcripts.
 */
#include "http/h2_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>

#include "http/h2_test_peer.h"
#include "http/transcript_text.h"

#define FOLDER    GH_SOURCE_ROOT "/tests/transcripts/http2"
#define BYTES_MAX 16384

static const struct gh_codec_limits SMALL = {
    .head_bytes_max = 1024, .target_bytes_max = 256, .field_count_max = 16};

struct transcript {
    struct gh_str name;
    char bytes[BYTES_MAX]; /* of all frames, behind the preface */
    size_t len;
    struct gh_str events;
};

/* ---- Frames as text ---- */

struct frame_line {
    struct gh_str kind, rest;
    uint32_t id;
    bool is_end, has_more;
};

static uint64_t next_number(struct gh_str *rest)
{
    uint64_t number = 0;
    assert_true(gh_num_parse_u64(gh_str_split(rest, ' '), UINT32_MAX, &number));
    return number;
}

static bool take_word(struct gh_str *rest, struct gh_str word)
{
    struct gh_str after = *rest;
    if (!rest->ptr || !gh_str_eq(gh_str_split(&after, ' '), word))
        return false;
    *rest = after;
    return true;
}

static size_t begin_frame(struct transcript *t, uint8_t type, unsigned flags, uint32_t id)
{
    uint8_t header[9] = {0, 0, 0, type, (uint8_t)flags, 0, 0, (uint8_t)(id >> 8), (uint8_t)id};
    assert_true(sizeof(t->bytes) - t->len > sizeof(header));
    memcpy(t->bytes + t->len, header, sizeof(header));
    t->len += sizeof(header);
    return t->len;
}

static void end_frame(struct transcript *t, size_t payload)
{
    size_t len = t->len - payload;
    t->bytes[payload - 9] = (char)(len >> 16);
    t->bytes[payload - 8] = (char)(len >> 8);
    t->bytes[payload - 7] = (char)len;
}

static void add_text(struct transcript *t, struct gh_str text)
{
    if (text.ptr)
        t->len += transcript_unescape(text, t->bytes + t->len, sizeof(t->bytes) - t->len);
}

static void add_u32(struct transcript *t, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        t->bytes[t->len++] = (char)(value >> shift);
}

/* A string without Huffman's code, its length in one byte or more (RFC 7541 section 5). */
static void add_hpack_string(struct transcript *t, struct gh_str text)
{
    static char bytes[BYTES_MAX];
    size_t len = transcript_unescape(text, bytes, sizeof(bytes));
    size_t rest = len;
    t->bytes[t->len++] = (char)(rest < 127 ? rest : 127);
    if (rest >= 127) {
        for (rest -= 127; rest >= 128; rest >>= 7)
            t->bytes[t->len++] = (char)(rest % 128 + 128);
        t->bytes[t->len++] = (char)rest;
    }
    assert_true(len < sizeof(t->bytes) - t->len);
    memcpy(t->bytes + t->len, bytes, len);
    t->len += len;
}

/* "  name: value", as a literal that the table does not keep. */
static void add_field(struct transcript *t, struct gh_str line)
{
    struct gh_str field = gh_str_skip(line, 2);
    size_t colon = 1 + gh_str_find(gh_str_skip(field, 1), GH_STR(":"));
    t->bytes[t->len++] = 0;
    add_hpack_string(t, gh_str_first(field, colon));
    struct gh_str value = gh_str_skip(field, colon + 1);
    add_hpack_string(t, gh_str_skip(value, value.len && value.ptr[0] == ' '));
}

static void add_frame(struct transcript *t, struct gh_str line, struct gh_str *rest)
{
    struct gh_str words = line, kind = gh_str_split(&words, ' ');
    bool is_headers = gh_str_eq(kind, GH_STR("HEADERS"));
    if (gh_str_eq(kind, GH_STR("FRAME"))) {
        uint8_t type = (uint8_t)next_number(&words), flags = (uint8_t)next_number(&words);
        size_t payload = begin_frame(t, type, flags, (uint32_t)next_number(&words));
        add_text(t, words);
        end_frame(t, payload);
        return;
    }
    uint32_t id = (uint32_t)next_number(&words);
    unsigned flags = take_word(&words, GH_STR("END")) ? FIN : 0;
    if (is_headers || gh_str_eq(kind, GH_STR("CONTINUATION"))) {
        flags |= take_word(&words, GH_STR("MORE")) ? 0 : DONE;
        size_t payload =
            begin_frame(t, is_headers ? NGHTTP2_HEADERS : NGHTTP2_CONTINUATION, flags, id);
        while (gh_str_starts_with(*rest, GH_STR("  ")))
            add_field(t, gh_str_split(rest, '\n'));
        end_frame(t, payload);
    } else if (gh_str_eq(kind, GH_STR("DATA"))) {
        size_t payload = begin_frame(t, NGHTTP2_DATA, flags, id);
        add_text(t, words);
        end_frame(t, payload);
    } else {
        bool is_reset = gh_str_eq(kind, GH_STR("RESET"));
        assert_true(is_reset || gh_str_eq(kind, GH_STR("WINDOW")));
        size_t payload =
            begin_frame(t, is_reset ? NGHTTP2_RST_STREAM : NGHTTP2_WINDOW_UPDATE, 0, id);
        add_u32(t, (uint32_t)next_number(&words));
        end_frame(t, payload);
    }
}

/* ---- Events ---- */

struct player {
    struct gh_codec *codec;
    struct gh_arena arenas[64]; /* by id */
    char events_bytes[32768], wire[1 << 17];
    struct gh_buf events;
    size_t wire_len;
    gh_stream_id body; /* the last line is of its body, and may go on */
    bool with_fields;
};

static struct gh_buf *event(struct player *player)
{
    if (player->body)
        gh_buf_put_char(&player->events, '\n');
    player->body = 0;
    return &player->events;
}

static struct gh_arena *play_begin(void *owner, gh_stream_id id)
{
    struct gh_arena *arena = &((struct player *)owner)->arenas[id];
    assert_true(id < 64);
    gh_arena_init(arena, 4096, 65536);
    return arena;
}

static void play_head(void *owner, gh_stream_id id, struct gh_request_head *head)
{
    struct player *player = owner;
    struct gh_buf *out = event(player);
    gh_buf_format(out, "head %u %.*s %.*s", id, GH_STR_ARG(head->method_text),
                  GH_STR_ARG(head->target));
    if (head->body == GH_BODY_LENGTH)
        gh_buf_format(out, " body=%llu", (unsigned long long)head->content_length);
    else
        gh_buf_format(out, " body=%s", head->body == GH_BODY_NONE ? "none" : "open");
    gh_buf_format(out, "%s%s\n", head->expect_continue ? " expect" : "",
                  head->upgrade_websocket ? " websocket" : "");
    for (size_t i = 0; player->with_fields && i < head->fields.count; i++) {
        gh_buf_put(out, GH_STR("field "));
        transcript_escape(out, head->fields.items[i].name);
        gh_buf_put(out, GH_STR(": "));
        transcript_escape(out, head->fields.items[i].value);
        gh_buf_put_char(out, '\n');
    }
}

static void play_body(void *owner, gh_stream_id id, struct gh_str bytes)
{
    struct player *player = owner;
    if (player->body != id)
        gh_buf_format(event(player), "body %u ", id);
    player->body = id;
    transcript_escape(&player->events, bytes);
    player->codec->ops->consumed(player->codec, id, bytes.len);
}

static void play_answer(struct player *player, gh_stream_id id)
{
    struct gh_answer_head head = {.status = 200, .block = GH_STR("")};
    player->codec->ops->write_head(player->codec, id, &head, GH_STR(""), true);
}

static void play_end(void *owner, gh_stream_id id)
{
    gh_buf_format(event(owner), "end %u\n", id);
    play_answer(owner, id);
}

static void play_error(void *owner, gh_stream_id id, enum gh_http_error error)
{
    gh_buf_format(event(owner), "error %u %s\n", id, transcript_error_name(error));
    play_answer(owner, id);
}

static void play_closed(void *owner, gh_stream_id id)
{
    gh_arena_done(&((struct player *)owner)->arenas[id]);
}

static bool play_output(void *owner, const struct gh_str *slices, size_t count)
{
    struct player *player = owner;
    for (size_t i = 0; i < count; i++) {
        assert_true(slices[i].len <= sizeof(player->wire) - player->wire_len);
        memcpy(player->wire + player->wire_len, slices[i].ptr, slices[i].len);
        player->wire_len += slices[i].len;
    }
    return true;
}

static void play_drained(void *owner, gh_stream_id id)
{
    (void)owner;
    fail_msg("stream %u was never full", id);
}

static const struct gh_codec_events PLAY = {
    .on_begin = play_begin,
    .on_head = play_head,
    .on_body = play_body,
    .on_end = play_end,
    .on_error = play_error,
    .on_closed = play_closed,
    .output = play_output,
    .on_drained = play_drained,
};

/* RST_STREAM and GOAWAY among what was written. */
static void tell_ends(struct player *player)
{
    for (size_t i = 0; i < player->wire_len;) {
        const uint8_t *at = (const uint8_t *)player->wire + i;
        if (at[3] == NGHTTP2_RST_STREAM)
            gh_buf_format(event(player), "reset %u %u\n", u32_of(at + 5), u32_of(at + 9));
        if (at[3] == NGHTTP2_GOAWAY)
            gh_buf_format(event(player), "goaway %u\n", u32_of(at + 13));
        i += 9 + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]);
    }
}

/* ---- One transcript ---- */

static void feed_piece(struct player *player, const char *bytes, size_t len)
{
    char *copy = malloc(len + 1); /* so that a read past the end is seen */
    const struct gh_codec_ops *ops = player->codec->ops;
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    size_t taken = ops->feed(player->codec, gh_str_of(copy, len));
    assert_true(taken == len || !ops->wants_input(player->codec));
    free(copy);
}

/* Pieces of `step` bytes, the first of `first`. */
static void play(const struct transcript *t, size_t first, size_t step)
{
    static struct player player;
    memset(&player, 0, offsetof(struct player, events_bytes));
    player.wire_len = player.body = 0;
    player.events = gh_buf_over(player.events_bytes, sizeof(player.events_bytes));
    player.with_fields = gh_str_find(t->events, GH_STR("field ")) < t->events.len;
    assert_int_equal(gh_h2_codec_open(&PLAY, &player, &SMALL, NULL, &player.codec), GH_OK);
    static const char START[] = GH_H2_PREFACE "\0\0\0\4\0\0\0\0\0";
    feed_piece(&player, START, sizeof(START) - 1);
    for (size_t at = 0; at < t->len;) {
        size_t piece = at == 0 ? first : step;
        piece = piece < t->len - at ? piece : t->len - at;
        feed_piece(&player, t->bytes + at, piece);
        at += piece;
    }
    tell_ends(&player);
    if (player.codec->ops->wants_close(player.codec))
        gh_buf_put(event(&player), GH_STR("close\n"));
    else if (gh_h2_codec_open_streams(player.codec))
        gh_buf_format(event(&player), "open %zu\n", gh_h2_codec_open_streams(player.codec));
    player.codec->ops->done(player.codec);
    assert_false(player.events.overflow);
    if (!gh_str_eq(gh_buf_str(&player.events), t->events))
        fail_msg("%.*s (%zu, then %zu): expected\n%.*sgot\n%.*s", GH_STR_ARG(t->name), first, step,
                 GH_STR_ARG(t->events), GH_STR_ARG(gh_buf_str(&player.events)));
}

static void play_every_way(const struct transcript *t)
{
    play(t, t->len, t->len);
    play(t, 1, 1);
    for (size_t cut = 1; cut < t->len; cut++)
        play(t, cut, t->len);
}

/* ---- Reading the files ---- */

static size_t run_file(struct gh_str text)
{
    static struct transcript t;
    size_t count = 0;
    for (struct gh_str rest = text; rest.ptr;) {
        struct gh_str line = gh_str_split(&rest, '\n');
        if (gh_str_starts_with(line, GH_STR("## "))) {
            t.name = gh_str_skip(line, 3);
        } else if (gh_str_eq(line, GH_STR("```frames"))) {
            t.len = 0;
            while (!gh_str_eq(line = gh_str_split(&rest, '\n'), GH_STR("```")))
                add_frame(&t, line, &rest);
        } else if (gh_str_eq(line, GH_STR("```events"))) {
            t.events = gh_str_first(rest, gh_str_find(rest, GH_STR("```")));
            rest = gh_str_skip(rest, t.events.len + 3);
            play_every_way(&t);
            count++;
        }
    }
    return count;
}

static void every_transcript_gives_its_events_however_it_is_cut(void **state)
{
    (void)state;
    static char text[1 << 17];
    DIR *folder = opendir(FOLDER);
    assert_non_null(folder);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!gh_str_ends_with(gh_str_from_c(entry->d_name), GH_STR(".md")))
            continue;
        char path[1024];
        snprintf(path, sizeof(path), "%s/%s", FOLDER, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t len = fread(text, 1, sizeof(text), file);
        fclose(file);
        assert_true(len < sizeof(text));
        count += run_file(gh_str_of(text, len));
    }
    closedir(folder);
    assert_true(count > 30);
    print_message("%zu transcripts\n", count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_transcript_gives_its_events_however_it_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
