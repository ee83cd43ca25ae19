/*
 * Stage 2: the path is normalised once; what is matched is what is forwarded. What a route may
 * still refuse (encoded slashes, percent signs, semicolons) is judged in routing.c, where the
 * route is known.
 */
#include "policy/policy.h"

struct gh_verdict gh_stage_path(struct gh_request *request)
{
    const struct gh_request_head *head = request->head;
    request->query = head->query;
    if (head->query.ptr && !gh_query_is_valid(head->query))
        return gh_verdict_deny(GH_REASON_TARGET_MALFORMED);
    if (head->method == GH_METHOD_OPTIONS && gh_str_eq(head->path, GH_STR("*")) &&
        !request->inner) {
        request->path = head->path;
        return gh_verdict_next();
    }
    if (!head->path.len || head->path.ptr[0] != '/')
        return gh_verdict_deny(GH_REASON_TARGET_MALFORMED);
    if (request->policy->identity && gh_authz_note(request))
        return gh_verdict_next();
    char *memory = gh_arena_alloc(request->arena, head->path.len);
    if (!memory)
        return gh_verdict_deny(GH_REASON_OVERLOADED);
    struct gh_buf out = gh_buf_over(memory, head->path.len);
    enum gh_path_status status = gh_path_normalise(head->path, &out, &request->path_traits);
    if (status != GH_PATH_OK)
        return gh_verdict_deny(gh_reason_of_path((int)status));
    request->path = gh_buf_str(&out);
    return gh_verdict_next();
}
