/*
 * Our request heads against http-parser's: what we accept, it accepts, with as many fields, the
 * same framing, and the same length of head. (It accepts a great deal that we refuse.)
 */
#include <http_parser.h>

#include "base/assert.h"
#include "http/h1_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gh_codec_limits LIMITS = {
    .head_bytes_max = 4096, .target_bytes_max = 1024, .field_count_max = 100};

struct seen {
    size_t names;
    bool in_name, complete, chunked, has_length, upgrade;
    uint64_t length;
    unsigned method, major, minor;
};

static int on_name(http_parser *parser, const char *at, size_t len)
{
    struct seen *seen = parser->data;
    (void)at;
    if (len && !seen->in_name)
        seen->names++;
    seen->in_name = true;
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    (void)at;
    (void)len;
    ((struct seen *)parser->data)->in_name = false;
    return 0;
}

static int on_complete(http_parser *parser)
{
    struct seen *seen = parser->data;
    seen->complete = true;
    seen->chunked = (parser->flags & F_CHUNKED) != 0;
    seen->has_length = (parser->flags & F_CONTENTLENGTH) != 0;
    seen->length = parser->content_length;
    seen->method = parser->method;
    seen->major = parser->http_major;
    seen->minor = parser->http_minor;
    return 1; /* no body is given to it */
}

/* http-parser takes a name that only begins like a framing field for that field: it refuses
   "Transfer-Encoding-X" beside a length. */
static bool begins_like_framing(struct gh_str name)
{
    static const struct gh_str FRAMING[] = {GH_STR_INIT("transfer-encoding"),
                                            GH_STR_INIT("content-length")};
    for (size_t i = 0; i < sizeof(FRAMING) / sizeof(FRAMING[0]); i++) {
        if (name.len > FRAMING[i].len && gh_str_ieq(gh_str_first(name, FRAMING[i].len), FRAMING[i]))
            return true;
    }
    return false;
}

/* http-parser knows a list of methods, and of targets only those that begin like URLs of old. */
static bool is_known_to_both(const struct gh_request_head *head)
{
    for (size_t i = 0; i < head->fields.count; i++) {
        if (begins_like_framing(head->fields.items[i].name))
            return false;
    }
    return head->method != GH_METHOD_OTHER && !head->absolute_form;
}

static void compare(const struct gh_request_head *head, const struct seen *seen, size_t fields)
{
    GH_ASSERT(seen->complete);
    GH_ASSERT(seen->names == fields);
    GH_ASSERT(seen->chunked == (head->body == GH_BODY_CHUNKED));
    GH_ASSERT(seen->has_length == (head->body == GH_BODY_LENGTH));
    GH_ASSERT(!seen->has_length || seen->length == head->content_length);
    GH_ASSERT(seen->major == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str bytes = gh_str_of((const char *)data, size);
    size_t scanned = 0, head_len = 0;
    enum gh_http_error error;
    if (gh_h1_scan_request_head(bytes, &scanned, &LIMITS, &head_len, &error) != GH_H1_SCAN_DONE)
        return 0;
    struct gh_arena arena;
    struct gh_request_head head;
    gh_arena_init(&arena, 8192, 65536);
    error = gh_h1_parse_request_head(gh_str_first(bytes, head_len), &LIMITS, &arena, &head);
    if (error == GH_HTTP_ERROR_NONE && is_known_to_both(&head)) {
        struct seen seen = {0};
        http_parser parser;
        http_parser_settings settings;
        http_parser_init(&parser, HTTP_REQUEST);
        http_parser_settings_init(&settings);
        parser.data = &seen;
        settings.on_header_field = on_name;
        settings.on_header_value = on_value;
        settings.on_headers_complete = on_complete;
        size_t taken = http_parser_execute(&parser, &settings, bytes.ptr, head_len);
        GH_ASSERT(HTTP_PARSER_ERRNO(&parser) == HPE_OK);
        GH_ASSERT(taken == head_len);
        compare(&head, &seen, head.fields.count);
    }
    gh_arena_done(&arena);
    return 0;
}
