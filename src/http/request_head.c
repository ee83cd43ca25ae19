#include "http/request_head.h"

#include "base/num.h"
#include "http/byte_class.h"

bool gh_request_target_is_valid(struct gh_str target)
{
    size_t i = 0;
    while (i < target.len) {
        if (gh_byte_is(target.ptr[i], GH_BYTE_TARGET)) {
            i++;
            continue;
        }
        bool escape = target.ptr[i] == '%' && target.len - i >= 3 &&
                      gh_num_hex_digit(target.ptr[i + 1]) >= 0 &&
                      gh_num_hex_digit(target.ptr[i + 2]) >= 0;
        if (!escape)
            return false;
        i += 3;
    }
    return true;
}

void gh_request_split_query(struct gh_request_head *head, struct gh_str path_and_query)
{
    head->query = path_and_query;
    head->path = gh_str_split(&head->query, '?');
}

bool gh_request_read_origin_form(struct gh_request_head *head)
{
    if (head->target.len == 0 || !gh_request_target_is_valid(head->target))
        return false;
    if (head->target.ptr[0] == '/') {
        gh_request_split_query(head, head->target);
        return true;
    }
    head->path = head->target;
    return head->method == GH_METHOD_OPTIONS && gh_str_eq(head->target, GH_STR("*"));
}

bool gh_request_is_host_text(struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!gh_byte_is(text.ptr[i], GH_BYTE_HOST))
            return false;
    }
    return text.len > 0;
}

bool gh_request_has_body(const struct gh_request_head *head)
{
    return head->body == GH_BODY_CHUNKED ||
           (head->body == GH_BODY_LENGTH && head->content_length > 0);
}

/* HTTP/1.0 clients can't have meant it. */
enum gh_http_error gh_request_read_expect(struct gh_request_head *head)
{
    const struct gh_field *expect = gh_fields_find(&head->fields, GH_FIELD_EXPECT);
    if (!expect)
        return GH_HTTP_ERROR_NONE;
    if (gh_fields_find_next(&head->fields, expect) ||
        !gh_str_ieq(expect->value, GH_STR("100-continue")))
        return GH_HTTP_ERROR_EXPECTATION;
    bool is_1_0 = head->version_major == 1 && head->version_minor == 0;
    head->expect_continue = !is_1_0 && gh_request_has_body(head);
    return GH_HTTP_ERROR_NONE;
}
