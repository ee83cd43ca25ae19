#include "http/problem.h"

#include "http/message.h"
#include "json/writer.h"

void gh_problem_write(struct gh_buf *buf, const struct gh_problem *problem)
{
    struct gh_str type = problem->type.len ? problem->type : GH_STR("about:blank");
    struct gh_str title = problem->title.len ? problem->title : gh_status_text(problem->status);
    if (!title.len) /* a backend may answer with any number */
        title = problem->status >= 500 ? GH_STR("Server Error") : GH_STR("Client Error");
    gh_buf_put_char(buf, '{');
    gh_json_put_member(buf, GH_STR("type"), type);
    gh_json_put_member(buf, GH_STR("title"), title);
    gh_json_put_member_u64(buf, GH_STR("status"), problem->status);
    if (problem->detail.len)
        gh_json_put_member(buf, GH_STR("detail"), problem->detail);
    if (problem->request_id.len)
        gh_json_put_member(buf, GH_STR("request_id"), problem->request_id);
    if (problem->extra.len) {
        gh_buf_put_char(buf, ',');
        gh_buf_put(buf, problem->extra);
    }
    gh_buf_put_char(buf, '}');
}
