/*
 * Finding the end of a head. The scan keeps no state but how far it came: what it needs to know
 * about earlier bytes it sees in them. Whatever is refused is refused at one certain byte, so that
 * the answer does not depend on how the bytes were cut into reads.
 */
#include "http/byte_class.h"
#include "http/h1_lines.h"
#include "http/request_head.h"

/* Method, two spaces, "HTTP/1.1", CRLF: what a request line has beside its target. */
#define LINE_BYTES_BESIDE_TARGET (GH_METHOD_BYTES_MAX + 1 + 9 + 2)

struct scan {
    struct gh_str bytes;
    const struct gh_codec_limits *limits;
    bool is_request;
    bool in_first_line;
    enum gh_http_error error;
};

/* The scan may look at bytes before this index; a head that is not over by then is refused. */
static size_t bytes_max(const struct scan *scan)
{
    size_t head_max = scan->limits->head_bytes_max;
    if (!scan->is_request || !scan->in_first_line)
        return head_max;
    size_t line_max;
    if (__builtin_add_overflow(scan->limits->target_bytes_max, (size_t)LINE_BYTES_BESIDE_TARGET,
                               &line_max))
        return head_max;
    return line_max < head_max ? line_max : head_max;
}

static enum gh_h1_scan_status refuse(struct scan *scan, enum gh_http_error error)
{
    scan->error = error;
    return GH_H1_SCAN_ERROR;
}

/* `max` bytes went by: which limit was that? */
static enum gh_h1_scan_status refuse_length(struct scan *scan, size_t max)
{
    if (max == scan->limits->head_bytes_max)
        return refuse(scan, GH_HTTP_ERROR_HEAD_TOO_LARGE);
    size_t method_end = gh_str_find_char(scan->bytes, ' ');
    struct gh_str method = gh_str_first(scan->bytes, method_end);
    if (method_end > GH_METHOD_BYTES_MAX || !gh_is_token(method))
        return refuse(scan, GH_HTTP_ERROR_MALFORMED);
    return refuse(scan, GH_HTTP_ERROR_TARGET_TOO_LONG);
}

/* The first line ends at `end`. */
static bool check_first_line(struct scan *scan, size_t end)
{
    scan->in_first_line = false;
    if (!scan->is_request)
        return end > 0;
    struct gh_h1_request_line line;
    scan->error = gh_h1_split_request_line(gh_str_first(scan->bytes, end), scan->limits, &line);
    return scan->error == GH_HTTP_ERROR_NONE;
}

/* Goes on from *at, where it leaves what has to be looked at again with more bytes. */
static enum gh_h1_scan_status run(struct scan *scan, size_t *at, size_t *out_head_len)
{
    const char *ptr = scan->bytes.ptr;
    for (;;) {
        size_t max = bytes_max(scan);
        size_t end = scan->bytes.len < max ? scan->bytes.len : max;
        if (*at < end)
            *at = gh_find_control(ptr, *at, end);
        if (*at + 1 >= max)
            return refuse_length(scan, max);
        if (*at >= end)
            return GH_H1_SCAN_MORE;
        if (ptr[*at] != '\r')
            return refuse(scan, GH_HTTP_ERROR_MALFORMED);
        if (*at + 1 == end)
            return GH_H1_SCAN_MORE;
        if (ptr[*at + 1] != '\n')
            return refuse(scan, GH_HTTP_ERROR_MALFORMED);
        if (scan->in_first_line) {
            if (!check_first_line(scan, *at))
                return GH_H1_SCAN_ERROR;
        } else if (ptr[*at - 1] == '\n') {
            *out_head_len = *at + 2;
            return GH_H1_SCAN_DONE;
        }
        *at += 2;
    }
}

static enum gh_h1_scan_status scan_head(struct scan *scan, size_t *scanned, size_t *out_head_len)
{
    struct gh_str seen = gh_str_first(scan->bytes, *scanned);
    scan->in_first_line = gh_str_find_char(seen, '\n') == seen.len;
    return run(scan, scanned, out_head_len);
}

enum gh_h1_scan_status gh_h1_scan_request_head(struct gh_str bytes, size_t *scanned,
                                               const struct gh_codec_limits *limits,
                                               size_t *out_head_len, enum gh_http_error *out_error)
{
    struct scan scan = {.bytes = bytes, .limits = limits, .is_request = true};
    enum gh_h1_scan_status status = scan_head(&scan, scanned, out_head_len);
    if (status == GH_H1_SCAN_ERROR)
        *out_error = scan.error;
    return status;
}

enum gh_h1_scan_status gh_h1_scan_response_head(struct gh_str bytes, size_t *scanned,
                                                const struct gh_codec_limits *limits,
                                                size_t *out_head_len)
{
    struct scan scan = {.bytes = bytes, .limits = limits};
    return scan_head(&scan, scanned, out_head_len);
}
