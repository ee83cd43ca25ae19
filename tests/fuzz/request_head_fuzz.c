/*
 * Request heads: the scan's verdict does not depend on how the bytes come, and what is accepted
 * keeps every promise of h1_head.h.
 */
#include "base/assert.h"
#include "http/byte_class.h"
#include "http/h1_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 2048, .target_bytes_max = 256, .field_count_max = 40};

struct verdict {
    enum gh_h1_scan_status status;
    size_t head_len;
    enum gh_http_error error;
};

/* Gives the bytes in pieces of `step`. */
static struct verdict scan(struct gh_str bytes, size_t step)
{
    struct verdict verdict = {.status = GH_H1_SCAN_MORE};
    size_t scanned = 0;
    for (size_t len = 0; len < bytes.len && verdict.status == GH_H1_SCAN_MORE;) {
        len = bytes.len - len < step ? bytes.len : len + step;
        verdict.status = gh_h1_scan_request_head(gh_str_first(bytes, len), &scanned, &LIMITS,
                                                 &verdict.head_len, &verdict.error);
    }
    return verdict;
}

static bool is_within(struct gh_str part, struct gh_str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static bool has_name(const struct gh_field *field, struct gh_str name)
{
    return gh_str_ieq(field->name, name);
}

static void check_fields(const struct gh_request_head *head, struct gh_str bytes)
{
    size_t hosts = 0, lengths = 0, codings = 0;
    GH_ASSERT(head->fields.count <= LIMITS.field_count_max);
    for (size_t i = 0; i < head->fields.count; i++) {
        const struct gh_field *field = &head->fields.items[i];
        GH_ASSERT(gh_is_token(field->name) && is_within(field->name, bytes));
        GH_ASSERT(is_within(field->value, bytes));
        GH_ASSERT(gh_find_control_scalar(field->value.ptr, 0, field->value.len) ==
                  field->value.len);
        GH_ASSERT(gh_str_trim_ows(field->value).len == field->value.len);
        GH_ASSERT(field->id == gh_field_id_of(field->name));
        hosts += has_name(field, GH_STR("host"));
        lengths += has_name(field, GH_STR("content-length"));
        codings += has_name(field, GH_STR("transfer-encoding"));
    }
    GH_ASSERT(hosts == 1);
    GH_ASSERT(lengths + codings <= 1);
    GH_ASSERT((head->body == GH_BODY_LENGTH) == (lengths == 1));
    GH_ASSERT((head->body == GH_BODY_CHUNKED) == (codings == 1));
    GH_ASSERT(codings == 0 || head->version_minor == 1);
    GH_ASSERT(head->content_length <= INT64_MAX);
}

static void check_line(const struct gh_request_head *head)
{
    GH_ASSERT(gh_is_token(head->method_text) && head->version_major == 1);
    GH_ASSERT(head->method != GH_METHOD_CONNECT && head->method != GH_METHOD_TRACE);
    GH_ASSERT(head->target.len > 0 && head->target.len <= LIMITS.target_bytes_max);
    for (size_t i = 0; i < head->target.len; i++) {
        uint8_t c = (uint8_t)head->target.ptr[i];
        GH_ASSERT(c > 0x20 && c < 0x7f && c != '#' && c != '\\');
    }
    GH_ASSERT(head->path.len > 0 && head->authority.len > 0);
    GH_ASSERT(head->path.ptr[0] == '/' ||
              (gh_str_eq(head->path, GH_STR("*")) && head->method == GH_METHOD_OPTIONS));
    GH_ASSERT(!head->upgrade_websocket || head->method == GH_METHOD_GET);
    GH_ASSERT(!head->expect_continue || head->body != GH_BODY_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str bytes = gh_str_of((const char *)data, size);
    struct verdict whole = scan(bytes, size ? size : 1);
    for (size_t step = 1; step<8; step += step> 2 ? 4 : 1) {
        struct verdict pieces = scan(bytes, step);
        GH_ASSERT(pieces.status == whole.status);
        GH_ASSERT(whole.status != GH_H1_SCAN_DONE || pieces.head_len == whole.head_len);
        GH_ASSERT(whole.status != GH_H1_SCAN_ERROR || pieces.error == whole.error);
    }
    struct gh_arena arena;
    struct gh_request_head head;
    gh_arena_init(&arena, 4096, 65536);
    struct gh_str text =
        whole.status == GH_H1_SCAN_DONE ? gh_str_first(bytes, whole.head_len) : bytes;
    /* Also without the scan's leave: the parser stands on its own feet. */
    if (gh_h1_parse_request_head(text, &LIMITS, &arena, &head) == GH_HTTP_ERROR_NONE) {
        check_line(&head);
        check_fields(&head, text);
    }
    gh_arena_done(&arena);
    return 0;
}
