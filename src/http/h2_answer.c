/*
 * An answer's head as fields for HPACK (RFC 9113 sections 8.2 and 8.3.2): names in lower case,
 * nothing about the connection, the lines of the route's ready-made block taken apart.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "http/byte_class.h"
#include "http/h2_session.h"

struct field_list {
    nghttp2_nv *items;
    size_t count, cap;
};

/* Said by frames in HTTP/2, or by us. */
static bool is_left_out(enum gh_field_id id)
{
    return id == GH_FIELD_CONNECTION || id == GH_FIELD_KEEP_ALIVE ||
           id == GH_FIELD_PROXY_CONNECTION || id == GH_FIELD_TRANSFER_ENCODING ||
           id == GH_FIELD_UPGRADE || id == GH_FIELD_TRAILER || id == GH_FIELD_CONTENT_LENGTH ||
           id == GH_FIELD_SEC_WEBSOCKET_ACCEPT || id == GH_FIELD_TE;
}

/*
 * HPACK shall not keep what belongs to one client (RFC 7541 section 7.1.3), nor what is another in
 * each answer: that would only drive out the lines that come again, and cost memory for each.
 */
static bool is_told_once(struct gh_str name, enum gh_field_id id)
{
    if (id == GH_FIELD_OTHER)
        return gh_str_ieq(name, GH_STR("ratelimit"));
    return id == GH_FIELD_SET_COOKIE || id == GH_FIELD_AUTHORIZATION ||
           id == GH_FIELD_X_REQUEST_ID || id == GH_FIELD_TRACEPARENT || id == GH_FIELD_RETRY_AFTER;
}

/* Values are copied by nghttp2, and names without the flag, which it makes lower case. */
static void add(struct field_list *list, struct gh_str name, struct gh_str value, unsigned flags)
{
    GH_ASSERT(list->count < list->cap);
    list->items[list->count++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.ptr,
                                              .namelen = name.len,
                                              .value = (uint8_t *)(uintptr_t)value.ptr,
                                              .valuelen = value.len,
                                              .flags = (uint8_t)flags};
}

/* Of an id: its name is ours for ever, and in lower case. */
static void add_known(struct field_list *list, struct gh_str name, struct gh_str value,
                      enum gh_field_id id)
{
    unsigned flags = is_told_once(name, id) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    if (id == GH_FIELD_OTHER)
        add(list, name, value, flags);
    else
        add(list, gh_field_name(id), value, flags | NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

/* The last line of defence: what is written here was checked before. */
static void add_field(struct field_list *list, struct gh_str name, struct gh_str value,
                      enum gh_field_id id)
{
    if (id == GH_FIELD_OTHER)
        id = gh_field_id_of(name);
    if (is_left_out(id))
        return;
    GH_ASSERT(id != GH_FIELD_OTHER || gh_is_token(name));
    GH_ASSERT(gh_find_control(value.ptr, 0, value.len) == value.len);
    add_known(list, name, gh_str_trim_ows(value), id);
}

static size_t count_lines(struct gh_str block)
{
    size_t count = 0;
    for (size_t i = 0; i < block.len; i++)
        count += block.ptr[i] == '\n';
    return count;
}

/* Each line ends with CRLF. */
static void add_block(struct field_list *list, struct gh_str block)
{
    while (block.len) {
        size_t end = gh_str_find_char(block, '\r');
        struct gh_str line = gh_str_first(block, end);
        size_t colon = gh_str_find_char(line, ':');
        GH_ASSERT(end + 1 < block.len && block.ptr[end + 1] == '\n' && colon < line.len);
        add_field(list, gh_str_first(line, colon), gh_str_trim_ows(gh_str_skip(line, colon + 1)),
                  GH_FIELD_OTHER);
        block = gh_str_skip(block, end + 2);
    }
}

/* They were taken apart and checked when the configuration was loaded. */
static void add_block_fields(struct field_list *list, const struct gh_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_left_out(fields[i].id))
            add_known(list, fields[i].name, fields[i].value, fields[i].id);
}

/* Content-Length as HTTP/1.1 would announce it; answers to HEAD and 304 have one and no body. */
static bool announces_length(const struct gh_answer_head *answer, bool has_body)
{
    if (answer->tunnel || answer->status < 200 || answer->status == 204)
        return false;
    if (answer->body == GH_BODY_LENGTH)
        return answer->status != 304;
    return answer->body == GH_BODY_NONE && has_body;
}

static bool open_list(struct field_list *list, const struct gh_answer_head *answer,
                      struct gh_arena *arena)
{
    size_t of_block = answer->block_fields ? answer->block_field_count : count_lines(answer->block);
    list->cap = answer->field_count + of_block + 2;
    list->items = gh_arena_alloc(arena, list->cap * sizeof(*list->items));
    return list->items;
}

static int submit(struct gh_h2_codec *h2, struct gh_h2_stream *stream,
                  const struct field_list *list, bool is_interim, bool is_over)
{
    int32_t id = (int32_t)stream->id;
    if (is_interim)
        return nghttp2_submit_headers(h2->session, NGHTTP2_FLAG_NONE, id, NULL, list->items,
                                      list->count, NULL);
    nghttp2_data_provider provider = gh_h2_output_provider();
    return nghttp2_submit_response(h2->session, id, list->items, list->count,
                                   is_over ? NULL : &provider);
}

bool gh_h2_submit_answer(struct gh_h2_codec *h2, struct gh_h2_stream *stream,
                         const struct gh_answer_head *answer, bool is_over)
{
    struct field_list list = {0};
    char status_text[4], length_text[24];
    struct gh_buf status = gh_buf_over(status_text, sizeof(status_text));
    struct gh_buf length = gh_buf_over(length_text, sizeof(length_text));
    if (!open_list(&list, answer, stream->arena))
        return false;
    GH_ASSERT(answer->status >= 100 && answer->status <= 599);
    gh_buf_put_u64(&status, answer->tunnel ? 200 : answer->status);
    add(&list, GH_STR(":status"), gh_buf_str(&status), NGHTTP2_NV_FLAG_NO_COPY_NAME);
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct gh_field *field = &answer->fields[i];
        if (!field->dropped)
            add_field(&list, field->name, field->value, field->id);
    }
    if (answer->block_fields)
        add_block_fields(&list, answer->block_fields, answer->block_field_count);
    else
        add_block(&list, answer->block);
    if (announces_length(answer, !stream->answer_no_body)) {
        gh_buf_put_u64(&length, answer->body == GH_BODY_LENGTH ? answer->content_length : 0);
        add_known(&list, GH_STR(""), gh_buf_str(&length), GH_FIELD_CONTENT_LENGTH);
    }
    bool is_interim = answer->status < 200 && !answer->tunnel;
    return submit(h2, stream, &list, is_interim, is_over) == 0;
}
