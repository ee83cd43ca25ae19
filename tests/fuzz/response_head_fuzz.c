/* Response heads: any split gives the scan's verdict, and what is accepted is framed in one way. */
#include "base/assert.h"
#include "http/byte_class.h"
#include "http/h1_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 2048, .target_bytes_max = 256, .field_count_max = 40};

static enum gh_h1_scan_status scan(struct gh_str bytes, size_t step, size_t *out_head_len)
{
    enum gh_h1_scan_status status = GH_H1_SCAN_MORE;
    size_t scanned = 0;
    for (size_t len = 0; len < bytes.len && status == GH_H1_SCAN_MORE;) {
        len = bytes.len - len < step ? bytes.len : len + step;
        status =
            gh_h1_scan_response_head(gh_str_first(bytes, len), &scanned, &LIMITS, out_head_len);
    }
    return status;
}

static void check(const struct gh_response_head *head, enum gh_method method)
{
    size_t lengths = 0, codings = 0;
    for (size_t i = 0; i < head->fields.count; i++) {
        const struct gh_field *field = &head->fields.items[i];
        GH_ASSERT(gh_is_token(field->name));
        GH_ASSERT(gh_find_control_scalar(field->value.ptr, 0, field->value.len) ==
                  field->value.len);
        lengths += gh_str_ieq(field->name, GH_STR("content-length"));
        codings += gh_str_ieq(field->name, GH_STR("transfer-encoding"));
    }
    GH_ASSERT(head->status >= 100 && head->status <= 599 && head->version_minor <= 1);
    GH_ASSERT(lengths + codings <= 1);
    bool no_body = method == GH_METHOD_HEAD || head->status < 200 || head->status == 204 ||
                   head->status == 304;
    if (no_body)
        GH_ASSERT(head->body == GH_BODY_NONE);
    else
        GH_ASSERT(head->body == (codings   ? GH_BODY_CHUNKED
                                 : lengths ? GH_BODY_LENGTH
                                           : GH_BODY_CLOSE));
    GH_ASSERT(head->body != GH_BODY_CLOSE || !head->keep_alive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str bytes = gh_str_of((const char *)data, size);
    size_t head_len = 0, pieces_len = 0;
    enum gh_h1_scan_status whole = scan(bytes, size ? size : 1, &head_len);
    for (size_t step = 1; step <= 3; step++) {
        GH_ASSERT(scan(bytes, step, &pieces_len) == whole);
        GH_ASSERT(whole != GH_H1_SCAN_DONE || pieces_len == head_len);
    }
    struct gh_arena arena;
    struct gh_response_head head;
    gh_arena_init(&arena, 4096, 65536);
    struct gh_str text = whole == GH_H1_SCAN_DONE ? gh_str_first(bytes, head_len) : bytes;
    static const enum gh_method METHODS[] = {GH_METHOD_GET, GH_METHOD_HEAD};
    for (size_t i = 0; i < 2; i++) {
        if (gh_h1_parse_response_head(text, METHODS[i], &LIMITS, &arena, &head))
            check(&head, METHODS[i]);
    }
    gh_arena_done(&arena);
    return 0;
}
