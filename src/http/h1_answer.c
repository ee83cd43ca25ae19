#include "http/h1_answer.h"

#include "base/assert.h"
#include "base/buf.h"
#include "http/byte_class.h"

/* Status line, framing, Connection and the empty line, at their longest. */
#define FIXED_BYTES_MAX 192

/* Fields about this one connection (RFC 9110 section 7.6.1) and the framing of this message. */
static bool is_written_by_codec(enum gh_field_id id)
{
    return id == GH_FIELD_CONNECTION || id == GH_FIELD_CONTENT_LENGTH ||
           id == GH_FIELD_TRANSFER_ENCODING || id == GH_FIELD_KEEP_ALIVE ||
           id == GH_FIELD_PROXY_CONNECTION || id == GH_FIELD_TRAILER;
}

static bool is_left_out(const struct gh_field *field, const struct gh_h1_answer_frame *frame)
{
    if (field->dropped)
        return true;
    enum gh_field_id id = field->id;
    if (id == GH_FIELD_OTHER) /* made by hand, perhaps */
        id = gh_field_id_of(field->name);
    return is_written_by_codec(id) ||
           (id == GH_FIELD_UPGRADE && frame->connection != GH_H1_OPTION_UPGRADE);
}

static size_t bytes_of(const struct gh_answer_head *answer)
{
    size_t bytes = FIXED_BYTES_MAX + answer->block.len;
    for (size_t i = 0; i < answer->field_count; i++)
        bytes += answer->fields[i].name.len + answer->fields[i].value.len + 4;
    return bytes;
}

static void put_status_line(struct gh_buf *out, unsigned status)
{
    GH_ASSERT(status >= 100 && status <= 599);
    gh_buf_put(out, GH_STR("HTTP/1.1 "));
    gh_buf_put_u64(out, status);
    gh_buf_put(out, GH_STR(" "));
    gh_buf_put(out, gh_status_text(status));
    gh_buf_put(out, GH_STR("\r\n"));
}

/* The last line of defence against response splitting: what is written here was checked before. */
static void put_field(struct gh_buf *out, const struct gh_field *field)
{
    GH_ASSERT(gh_is_token(field->name));
    GH_ASSERT(gh_find_control(field->value.ptr, 0, field->value.len) == field->value.len);
    gh_buf_put(out, field->name);
    gh_buf_put(out, GH_STR(": "));
    gh_buf_put(out, field->value);
    gh_buf_put(out, GH_STR("\r\n"));
}

static void put_framing(struct gh_buf *out, enum gh_h1_framing framing, uint64_t content_length)
{
    switch (framing) {
    case GH_H1_FRAMING_NONE:
        break;
    case GH_H1_FRAMING_LENGTH:
        gh_buf_put(out, GH_STR("Content-Length: "));
        gh_buf_put_u64(out, content_length);
        gh_buf_put(out, GH_STR("\r\n"));
        break;
    case GH_H1_FRAMING_CHUNKED:
        gh_buf_put(out, GH_STR("Transfer-Encoding: chunked\r\n"));
        break;
    }
}

static void put_connection(struct gh_buf *out, enum gh_h1_connection_option option)
{
    switch (option) {
    case GH_H1_OPTION_NONE:
        break;
    case GH_H1_OPTION_CLOSE:
        gh_buf_put(out, GH_STR("Connection: close\r\n"));
        break;
    case GH_H1_OPTION_KEEP_ALIVE:
        gh_buf_put(out, GH_STR("Connection: keep-alive\r\n"));
        break;
    case GH_H1_OPTION_UPGRADE:
        gh_buf_put(out, GH_STR("Connection: Upgrade\r\n"));
        break;
    }
}

struct gh_str gh_h1_write_answer_head(const struct gh_answer_head *answer,
                                      struct gh_h1_answer_frame frame, struct gh_arena *arena)
{
    size_t cap = bytes_of(answer);
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return (struct gh_str){NULL, 0};
    struct gh_buf out = gh_buf_over(memory, cap);
    put_status_line(&out, answer->status);
    for (size_t i = 0; i < answer->field_count; i++) {
        if (!is_left_out(&answer->fields[i], &frame))
            put_field(&out, &answer->fields[i]);
    }
    gh_buf_put(&out, answer->block);
    put_framing(&out, frame.framing, frame.content_length);
    put_connection(&out, frame.connection);
    gh_buf_put(&out, GH_STR("\r\n"));
    GH_ASSERT(!out.overflow);
    return gh_buf_str(&out);
}
