/*
 * The answer: bytes of the connection to head and body events (RFC 9112 sections 4, 6 and 7). What
 * is malformed, or could be read in two ways, ends the call and the connection.
 */
#include "upstream/call.h"

#define HEAD_BYTES_MIN 4096

static const struct gh_codec_limits limits = {
    .head_bytes_max = GH_UPSTREAM_HEAD_BYTES_MAX,
    .field_count_max = GH_UPSTREAM_FIELDS_MAX,
};

/* ---- Finding the head ---- */

/* Appends what may belong to a head, of which there are at most so many bytes as to see that it is
   too long. */
static bool keep_head_bytes(struct gh_upstream_call *call, struct gh_str bytes)
{
    size_t room = GH_UPSTREAM_HEAD_BYTES_MAX + 1 - call->head_len;
    bytes = gh_str_first(bytes, room);
    if (bytes.len > call->head_cap - call->head_len) {
        size_t cap = call->head_cap ? call->head_cap : HEAD_BYTES_MIN;
        while (cap < call->head_len + bytes.len)
            cap *= 2;
        char *grown = gh_arena_alloc(call->arena, cap);
        if (!grown)
            return false;
        if (call->head_len)
            memcpy(grown, call->head_bytes, call->head_len);
        call->head_bytes = grown;
        call->head_cap = cap;
    }
    memcpy(call->head_bytes + call->head_len, bytes.ptr, bytes.len);
    call->head_len += bytes.len;
    return true;
}

/* A head that is whole in one read: copied once, at its own length. */
static enum gh_h1_scan_status scan_whole(struct gh_upstream_call *call, struct gh_str *input,
                                         struct gh_str *out_head)
{
    size_t head_len;
    call->head_scanned = 0;
    enum gh_h1_scan_status status =
        gh_h1_scan_response_head(*input, &call->head_scanned, &limits, &head_len);
    if (status == GH_H1_SCAN_MORE) {
        bool is_kept = keep_head_bytes(call, *input);
        *input = gh_str_skip(*input, input->len);
        return is_kept ? GH_H1_SCAN_MORE : GH_H1_SCAN_ERROR;
    }
    if (status == GH_H1_SCAN_DONE) {
        *out_head = gh_arena_dup(call->arena, gh_str_first(*input, head_len));
        *input = gh_str_skip(*input, head_len);
        if (!out_head->ptr)
            return GH_H1_SCAN_ERROR;
    }
    return status;
}

static enum gh_h1_scan_status scan_pieces(struct gh_upstream_call *call, struct gh_str *input,
                                          struct gh_str *out_head)
{
    size_t head_len, before = call->head_len;
    if (!keep_head_bytes(call, *input))
        return GH_H1_SCAN_ERROR;
    enum gh_h1_scan_status status = gh_h1_scan_response_head(
        gh_str_of(call->head_bytes, call->head_len), &call->head_scanned, &limits, &head_len);
    if (status == GH_H1_SCAN_DONE) {
        *out_head = gh_str_of(call->head_bytes, head_len);
        *input = gh_str_skip(*input, head_len - before);
        call->head_bytes = NULL;
        call->head_len = call->head_cap = 0;
    } else {
        *input = gh_str_skip(*input, input->len);
    }
    return status;
}

/* ---- Judging it ---- */

static bool has_upgrade_token(const struct gh_response_head *head)
{
    struct gh_field *field = gh_fields_find(&head->fields, GH_FIELD_CONNECTION);
    for (; field; field = gh_fields_find_next(&head->fields, field)) {
        struct gh_str rest = field->value, item;
        while (gh_str_next_list_item(&rest, &item)) {
            if (gh_str_ieq(item, GH_STR("upgrade")))
                return true;
        }
    }
    return false;
}

/* RFC 6455 section 4.1. Whether the accept value is right is the client's to check. */
static bool is_websocket_accepted(const struct gh_upstream_call *call,
                                  const struct gh_response_head *head)
{
    return call->request.upgrade && call->request_sent && has_upgrade_token(head) &&
           gh_str_ieq(gh_fields_value(&head->fields, GH_FIELD_UPGRADE), GH_STR("websocket")) &&
           gh_fields_find(&head->fields, GH_FIELD_SEC_WEBSOCKET_ACCEPT);
}

static bool is_interim(const struct gh_response_head *head)
{
    return head->status < 200 && head->status != 101;
}

/* Notes what the head says about the rest of the call. False: it can't be accepted. */
static bool accept_head(struct gh_upstream_call *call, const struct gh_response_head *head)
{
    bool is_sent = call->request_sent && gh_stream_queued(&call->connection->stream) == 0;
    if (head->status == 101) {
        if (!is_websocket_accepted(call, head))
            return false;
        call->tunnel = true;
    } else {
        gh_h1_body_init(&call->body, head->body, head->content_length);
        /* A server that answers before it has the request may take the rest of it for another. */
        call->keep =
            head->keep_alive && head->body != GH_BODY_CLOSE && is_sent && !call->request.upgrade;
    }
    struct gh_loop *loop = call->upstreams->loop;
    call->answered = true;
    call->head_us = gh_loop_now_us(loop);
    call->activity_ms = gh_loop_now_ms(loop);
    if (call->trial)
        gh_server_note_open(call->connection->pool->server, call->connection->address);
    gh_call_set_timer(call);
    return true;
}

/* The next head that is not interim; MORE: not there yet. */
static enum gh_h1_scan_status next_head(struct gh_upstream_call *call, struct gh_str *input,
                                        struct gh_response_head **out_head)
{
    while (input->len) {
        struct gh_str text;
        enum gh_h1_scan_status status =
            call->head_len ? scan_pieces(call, input, &text) : scan_whole(call, input, &text);
        if (status != GH_H1_SCAN_DONE)
            return status;
        struct gh_response_head *head = gh_arena_zalloc(call->arena, 1, sizeof *head);
        if (!head ||
            !gh_h1_parse_response_head(text, call->request.method, &limits, call->arena, head))
            return GH_H1_SCAN_ERROR;
        if (!is_interim(head)) {
            *out_head = head;
            return GH_H1_SCAN_DONE;
        }
        if (++call->interim_count > GH_UPSTREAM_INTERIM_MAX)
            return GH_H1_SCAN_ERROR;
    }
    return GH_H1_SCAN_MORE;
}

/* ---- The body ---- */

/* The last slice is held back until it is known whether the body ends with it, so that the owner
   can send both in one write. */
static void read_body(struct gh_upstream_call *call, struct gh_str input)
{
    struct gh_upstream_connection *connection = call->connection;
    struct gh_str held = {"", 0}, data;
    for (;;) {
        enum gh_h1_body_status status = gh_h1_body_read(&call->body, &input, &data);
        if (status == GH_H1_BODY_DONE) {
            gh_call_finish(call, held, input.len > 0);
            return;
        }
        if (held.len) {
            call->events->on_body(call, held, false);
            if (connection->call != call)
                return;
        }
        if (status == GH_H1_BODY_ERROR) {
            gh_call_fail(call, GH_UPSTREAM_CUT);
            return;
        }
        if (status == GH_H1_BODY_MORE)
            return;
        held = data;
    }
}

static void read_answer(struct gh_upstream_call *call, struct gh_str input)
{
    if (!call->tunnel)
        read_body(call, input);
    else if (input.len)
        call->events->on_body(call, input, false);
}

void gh_call_on_read(struct gh_upstream_call *call, struct gh_str bytes)
{
    struct gh_upstream_connection *connection = call->connection;
    struct gh_response_head *head = NULL;
    call->got_bytes = true;
    if (call->answered) {
        call->activity_ms = gh_loop_now_ms(call->upstreams->loop);
        read_answer(call, bytes);
        return;
    }
    enum gh_h1_scan_status status = next_head(call, &bytes, &head);
    if (status == GH_H1_SCAN_MORE)
        return;
    if (status == GH_H1_SCAN_ERROR || !accept_head(call, head)) {
        gh_call_fail(call, GH_UPSTREAM_BAD_RESPONSE);
        return;
    }
    call->events->on_head(call, head);
    if (connection->call == call)
        read_answer(call, bytes);
}
