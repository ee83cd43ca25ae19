/*
 * When the whole body is needed before the request goes on: endpoints of the identity service take
 * JSON, and some rate limits count by a field of it. It is asked for after all that the head can
 * decide, so that strangers do not make us hold anything.
 */
#include "policy/policy.h"

/* For keys of rate limits; more is answered 413 rather than counted by what is not read. */
#define KEY_BODY_BYTES_MAX ((size_t)64 * 1024)

static bool has_body(const struct gh_request_head *head)
{
    return head->body == GH_BODY_CHUNKED ||
           (head->body == GH_BODY_LENGTH && head->content_length > 0);
}

/* One Content-Type line that says JSON, and nothing that would have to be unpacked first. */
static bool is_plain_json(const struct gh_fields *fields)
{
    const struct gh_field *type = gh_fields_find(fields, GH_FIELD_CONTENT_TYPE);
    if (!type || gh_fields_find_next(fields, type) ||
        gh_fields_find(fields, GH_FIELD_CONTENT_ENCODING))
        return false;
    struct gh_str media = gh_str_first(type->value, gh_str_find_char(type->value, ';'));
    return gh_str_ieq(gh_str_trim_ows(media), GH_STR("application/json"));
}

/* How much of it is asked for; 0: it streams. */
static size_t wanted_bytes(const struct gh_request *request)
{
    const struct gh_route *route = request->route;
    if (request->target == GH_TARGET_SERVICE)
        return route->ask_body_max;
    if (!request->limits || !(route->rate_points >> GH_RATE_AT_BODY & 1))
        return 0;
    return route->request_body_max < KEY_BODY_BYTES_MAX ? (size_t)route->request_body_max
                                                        : KEY_BODY_BYTES_MAX;
}

struct gh_verdict gh_stage_body(struct gh_request *request)
{
    const struct gh_request_head *head = request->head;
    request->ask = GH_ASK_NOTHING;
    size_t wanted = request->route ? wanted_bytes(request) : 0;
    if (!wanted || request->body_known)
        return gh_verdict_next();
    if (!has_body(head)) {
        request->body = GH_STR("");
        request->body_known = true;
        return gh_verdict_next();
    }
    if (request->target == GH_TARGET_SERVICE && !is_plain_json(&head->fields))
        return gh_verdict_deny(GH_REASON_CONTENT_TYPE);
    if (head->body == GH_BODY_LENGTH && head->content_length > wanted)
        return gh_verdict_deny(GH_REASON_BODY_TOO_LARGE);
    if (request->dry_run)
        return gh_verdict_next();
    request->ask = GH_ASK_BODY;
    request->ask_body_max = wanted;
    return (struct gh_verdict){GH_VERDICT_ASK, GH_REASON_UNDECIDED};
}
