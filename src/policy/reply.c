/* The gateway's own answers: problem documents (RFC 9457) and the replies of stages. */
#include "policy/policy.h"

#include "base/assert.h"
#include "http/problem.h"
#include "policy/input.h"

/* Title, detail and type come from tables of ours, the request id has at most 128 bytes. */
#define PROBLEM_BYTES_MAX 1024

/* Until when a client told to come back shall wait at least: about a health check or a restart. */
#define RETRY_AFTER GH_STR("5")

static struct gh_field make_field(struct gh_str name, struct gh_str value)
{
    return (struct gh_field){.name = name, .value = value, .id = gh_field_id_of(name)};
}

void gh_reply_add(struct gh_reply *reply, struct gh_str name, struct gh_str value)
{
    GH_ASSERT(reply->field_count < GH_REPLY_FIELDS_MAX);
    reply->fields[reply->field_count++] = make_field(name, value);
}

void gh_request_add_extra(struct gh_request *request, struct gh_str name, struct gh_str value)
{
    GH_ASSERT(request->extra_count < GH_EXTRA_FIELDS_MAX);
    request->extra[request->extra_count++] = make_field(name, value);
}

void gh_request_remove_extra(struct gh_request *request, struct gh_str name)
{
    size_t kept = 0;
    for (size_t i = 0; i < request->extra_count; i++)
        if (!gh_str_ieq(request->extra[i].name, name))
            request->extra[kept++] = request->extra[i];
    request->extra_count = kept;
}

void gh_reply_begin(struct gh_reply *reply, unsigned status, struct gh_str content_type,
                    struct gh_str body)
{
    reply->status = status;
    reply->field_count = 0;
    reply->body = body;
    if (content_type.len)
        gh_reply_add(reply, GH_STR("Content-Type"), content_type);
    gh_reply_add(reply, GH_STR("Cache-Control"), GH_STR("no-store"));
}

/* What the table can't say: how many violations there are, and which. */
static void tell_violations(struct gh_request *request, struct gh_problem *problem)
{
    const struct gh_input_report *report = &request->input->checked.report;
    struct gh_str detail = gh_input_detail(request->arena, report);
    struct gh_str errors = gh_input_errors(request->arena, report);
    if (!detail.ptr || !errors.ptr)
        return;
    if (problem->status == gh_reason_facts(GH_REASON_INPUT_INVALID)->status)
        problem->detail = detail;
    problem->extra = errors;
}

static struct gh_str write_problem(struct gh_request *request, enum gh_reason reason,
                                   unsigned status)
{
    const struct gh_reason_facts *facts = gh_reason_facts(reason);
    struct gh_problem problem = {
        .status = status,
        .type = facts->problem_type,
        .detail = facts->detail,
        .request_id = request->request_id,
    };
    bool tells = reason == GH_REASON_INPUT_INVALID || reason == GH_REASON_INPUT_CONTENT_TYPE;
    if (tells && request->input && request->input->checked.report.count)
        tell_violations(request, &problem);
    size_t cap = PROBLEM_BYTES_MAX + problem.extra.len;
    char *memory = gh_arena_alloc(request->arena, cap);
    if (!memory)
        return (struct gh_str){"", 0}; /* the status alone has to do */
    struct gh_buf body = gh_buf_over(memory, cap);
    gh_problem_write(&body, &problem);
    GH_ASSERT(!body.overflow);
    return gh_buf_str(&body);
}

/* Reports are answered 204 whatever becomes of them: nobody learns what was kept. */
static bool is_quiet(const struct gh_request *request, enum gh_reason reason)
{
    return request->target == GH_TARGET_CSP_REPORT &&
           (reason == GH_REASON_BODY_TOO_LARGE || reason == GH_REASON_RATE_LIMITED);
}

void gh_reply_problem(struct gh_request *request, enum gh_stage stage, enum gh_reason reason,
                      unsigned status)
{
    const struct gh_reason_facts *facts = gh_reason_facts(reason);
    struct gh_reply *reply = &request->reply;
    if (!request->request_id.ptr)
        gh_request_make_id(request);
    request->stage = stage;
    request->verdict = gh_verdict_respond(reason);
    if (stage >= GH_STAGE_ROUTE)
        gh_cors_note(request);
    if (is_quiet(request, reason)) {
        request->extra_count = 0;
        gh_reply_begin(reply, 204, GH_STR(""), GH_STR(""));
        return;
    }
    if (!status)
        status = facts->status;
    gh_reply_begin(reply, status, GH_STR(GH_PROBLEM_CONTENT_TYPE),
                   write_problem(request, reason, status));
    if (status == 503)
        gh_reply_add(reply, GH_STR("Retry-After"), RETRY_AFTER);
    if (reason == GH_REASON_METHOD_REFUSED)
        gh_reply_add(reply, GH_STR("Allow"),
                     GH_STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
}

void gh_policy_refuse(struct gh_request *request, enum gh_stage stage, enum gh_reason reason)
{
    gh_reply_problem(request, stage, reason, 0);
}
