#include "http/h1_head.h"

#include "http/h1_lines.h"
#include "http/request_head.h"

/* ---- The target (RFC 9112 section 3.2) ---- */

/* The length of "http://" or "https://" before the authority, or 0. */
static size_t scheme_bytes(struct gh_str target)
{
    static const struct gh_str SCHEMES[] = {GH_STR_INIT("http://"), GH_STR_INIT("https://")};
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
        if (gh_str_ieq(gh_str_first(target, SCHEMES[i].len), SCHEMES[i]))
            return SCHEMES[i].len;
    }
    return 0;
}

/* absolute-form (section 3.2.2): an empty path is "/", or "*" for OPTIONS (section 3.2.4). */
static enum gh_http_error read_absolute_form(struct gh_request_head *head)
{
    size_t scheme = scheme_bytes(head->target);
    if (!scheme)
        return GH_HTTP_ERROR_TARGET;
    struct gh_str rest = gh_str_skip(head->target, scheme);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
        end++;
    head->absolute_form = true;
    head->authority = gh_str_first(rest, end);
    gh_request_split_query(head, gh_str_skip(rest, end));
    if (head->path.len == 0) {
        bool whole_server = head->method == GH_METHOD_OPTIONS && !head->query.ptr;
        head->path = whole_server ? GH_STR("*") : GH_STR("/");
    }
    return gh_request_is_host_text(head->authority) ? GH_HTTP_ERROR_NONE : GH_HTTP_ERROR_HOST;
}

static enum gh_http_error read_target(struct gh_request_head *head)
{
    if (head->target.ptr[0] != '/' && !gh_str_eq(head->target, GH_STR("*")))
        return gh_request_target_is_valid(head->target) ? read_absolute_form(head)
                                                        : GH_HTTP_ERROR_TARGET;
    return gh_request_read_origin_form(head) ? GH_HTTP_ERROR_NONE : GH_HTTP_ERROR_TARGET;
}

/* ---- What the fields say about the request itself ---- */

/* Exactly one Host (RFC 9112 section 3.2), of HTTP/1.0 too, and equal to an absolute form's. */
static enum gh_http_error read_host(struct gh_request_head *head)
{
    const struct gh_field *host = gh_fields_find(&head->fields, GH_FIELD_HOST);
    if (!host || gh_fields_find_next(&head->fields, host) || !gh_request_is_host_text(host->value))
        return GH_HTTP_ERROR_HOST;
    if (head->absolute_form && !gh_str_ieq(head->authority, host->value))
        return GH_HTTP_ERROR_HOST;
    head->authority = host->value;
    return GH_HTTP_ERROR_NONE;
}

static void read_connection(struct gh_request_head *head)
{
    struct gh_h1_connection connection = gh_h1_read_connection(&head->fields);
    head->keep_alive = gh_h1_keeps_alive(connection, head->version_minor);
    if (!connection.upgrade || head->version_minor == 0 || head->method != GH_METHOD_GET ||
        gh_request_has_body(head))
        return;
    const struct gh_field *upgrade = gh_fields_find(&head->fields, GH_FIELD_UPGRADE);
    head->upgrade_websocket = upgrade && !gh_fields_find_next(&head->fields, upgrade) &&
                              gh_str_ieq(upgrade->value, GH_STR("websocket"));
}

static enum gh_http_error read_meaning(struct gh_request_head *head)
{
    enum gh_http_error error = read_host(head);
    if (error == GH_HTTP_ERROR_NONE)
        error = gh_h1_read_framing(&head->fields, head->version_minor, &head->body,
                                   &head->content_length);
    if (error == GH_HTTP_ERROR_NONE)
        error = gh_request_read_expect(head);
    if (error == GH_HTTP_ERROR_NONE)
        read_connection(head);
    return error;
}

enum gh_http_error gh_h1_parse_request_head(struct gh_str bytes,
                                            const struct gh_codec_limits *limits,
                                            struct gh_arena *arena,
                                            struct gh_request_head *out_head)
{
    *out_head = (struct gh_request_head){.version_major = 1};
    struct gh_str text;
    if (!gh_h1_first_line(bytes, &text))
        return GH_HTTP_ERROR_MALFORMED;
    struct gh_h1_request_line line;
    enum gh_http_error error = gh_h1_split_request_line(text, limits, &line);
    out_head->method = line.method_id;
    out_head->method_text = line.method;
    out_head->target = line.target;
    out_head->version_minor = line.version_minor;
    if (error == GH_HTTP_ERROR_NONE)
        error = read_target(out_head);
    if (error == GH_HTTP_ERROR_NONE)
        error =
            gh_h1_read_fields(gh_str_skip(bytes, text.len + 2), limits, arena, &out_head->fields);
    return error == GH_HTTP_ERROR_NONE ? read_meaning(out_head) : error;
}

/* ---- Responses (RFC 9112 section 4) ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/*
 * "HTTP/1.x NNN", then nothing, or a space and a reason phrase of any bytes but control ones (which
 * would have ended the line). The space before an absent reason is often left out, harmlessly.
 */
static bool read_status_line(struct gh_str line, struct gh_response_head *head)
{
    const size_t version_bytes = 9, status_bytes = 3;
    const char *at = line.ptr;
    if (line.len < version_bytes + status_bytes || memcmp(at, "HTTP/1.", 7) != 0 ||
        (at[7] != '0' && at[7] != '1') || at[8] != ' ')
        return false;
    if (line.len > version_bytes + status_bytes && at[version_bytes + status_bytes] != ' ')
        return false;
    if (!is_digit(at[9]) || !is_digit(at[10]) || !is_digit(at[11]))
        return false;
    head->version_minor = (uint8_t)(at[7] - '0');
    head->status =
        (unsigned)(at[9] - '0') * 100 + (unsigned)(at[10] - '0') * 10 + (unsigned)(at[11] - '0');
    return head->status >= 100 && head->status <= 599;
}

/*
 * RFC 9112 section 6.3. The length that an answer to HEAD or a 304 announces is kept in
 * content_length though no body follows. A 1xx or 204 that announces a body is refused: there are
 * readers that would wait for it.
 */
static bool decide_body(struct gh_response_head *head, enum gh_method request_method)
{
    bool never_has_body = head->status < 200 || head->status == 204;
    if (never_has_body && (head->body == GH_BODY_CHUNKED || head->content_length > 0))
        return false;
    if (never_has_body || head->status == 304 || request_method == GH_METHOD_HEAD)
        head->body = GH_BODY_NONE;
    else if (head->body == GH_BODY_NONE)
        head->body = GH_BODY_CLOSE;
    return true;
}

bool gh_h1_parse_response_head(struct gh_str bytes, enum gh_method request_method,
                               const struct gh_codec_limits *limits, struct gh_arena *arena,
                               struct gh_response_head *out_head)
{
    *out_head = (struct gh_response_head){0};
    struct gh_str line;
    if (!gh_h1_first_line(bytes, &line) || !read_status_line(line, out_head))
        return false;
    if (gh_h1_read_fields(gh_str_skip(bytes, line.len + 2), limits, arena, &out_head->fields) !=
        GH_HTTP_ERROR_NONE)
        return false;
    if (gh_h1_read_framing(&out_head->fields, out_head->version_minor, &out_head->body,
                           &out_head->content_length) != GH_HTTP_ERROR_NONE)
        return false;
    if (!decide_body(out_head, request_method))
        return false;
    out_head->keep_alive =
        out_head->body != GH_BODY_CLOSE &&
        gh_h1_keeps_alive(gh_h1_read_connection(&out_head->fields), out_head->version_minor);
    return true;
}
