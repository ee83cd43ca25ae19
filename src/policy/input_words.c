/* What the stage tells: the members of the 422 (RFC 9457 section 3.2), and words for explain. */
#include "policy/input.h"

#include "json/writer.h"
#include "policy/policy.h"

/* Of one violation beside its texts, and how much longer JSON makes a byte of them. */
#define VIOLATION_BYTES    128
#define JSON_BYTES_OF_BYTE 6

struct gh_str gh_input_detail(struct gh_arena *arena, const struct gh_input_report *report)
{
    return gh_arena_format(arena, "The request does not match what is declared: %zu violation%s%s.",
                           report->count, report->count == 1 ? "" : "s",
                           report->count >= report->max ? " or more" : "");
}

static size_t bytes_of(const struct gh_input_violation *violation)
{
    return VIOLATION_BYTES + JSON_BYTES_OF_BYTE * (violation->name.len + violation->pointer.len +
                                                   violation->rule.len + violation->message.len);
}

static void put_violation(struct gh_buf *out, const struct gh_input_violation *violation)
{
    gh_buf_put_char(out, '{');
    gh_json_put_member(out, GH_STR("location"), gh_input_part_name(violation->part));
    if (violation->name.len)
        gh_json_put_member(out, GH_STR("name"), violation->name);
    gh_json_put_member(out, GH_STR("pointer"), violation->pointer);
    gh_json_put_member(out, GH_STR("rule"), violation->rule);
    gh_json_put_member(out, GH_STR("message"), violation->message);
    gh_buf_put_char(out, '}');
}

struct gh_str gh_input_errors(struct gh_arena *arena, const struct gh_input_report *report)
{
    size_t cap = sizeof("\"errors\":[]");
    for (size_t i = 0; i < report->count; i++)
        cap += bytes_of(&report->violations[i]);
    char *memory = gh_arena_alloc(arena, cap);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf out = gh_buf_over(memory, cap);
    gh_buf_put(&out, GH_STR("\"errors\":["));
    for (size_t i = 0; i < report->count; i++) {
        gh_buf_put(&out, i ? GH_STR(",") : GH_STR(""));
        put_violation(&out, &report->violations[i]);
    }
    gh_buf_put_char(&out, ']');
    return gh_buf_str(&out);
}

/* ---- explain ---- */

static void put_violations(struct gh_buf *out, const struct gh_input_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct gh_input_violation *violation = &report->violations[i];
        gh_buf_put(out, i ? GH_STR("; ") : GH_STR(": "));
        gh_buf_put(out, gh_input_part_name(violation->part));
        gh_buf_put(out, violation->name.len ? GH_STR(" ") : GH_STR(""));
        gh_buf_put(out, violation->name);
        gh_buf_put(out, violation->pointer.len ? GH_STR(" ") : GH_STR(""));
        gh_buf_put(out, violation->pointer);
        gh_buf_put(out, GH_STR(" ("));
        gh_buf_put(out, violation->rule);
        gh_buf_put(out, GH_STR(") "));
        gh_buf_put(out, violation->message);
    }
}

static void explain_body(const struct gh_request *request, struct gh_buf *out)
{
    const struct gh_input *input = request->input;
    gh_buf_put(out, request->body_known ? GH_STR("the body is as declared for ")
                                        : GH_STR("the body is judged when it comes (here: --body "
                                                 "FILE), by the schema of "));
    gh_buf_put(out, input->checked.media->range);
}

void gh_input_explain(const struct gh_request *request, unsigned turn, struct gh_buf *out)
{
    const struct gh_input *input = request->input;
    if (!input) {
        gh_buf_put(out, GH_STR("a preflight is no request of the document's"));
    } else if (input->reason == GH_REASON_INPUT_INVALID) {
        put_violations(out, &input->checked.report);
    } else if (!input->operation) {
        gh_buf_put(out, input->rule->file);
        gh_buf_put(out, GH_STR(" does not declare it, which is not minded"));
    } else if (turn) {
        explain_body(request, out);
    } else {
        gh_buf_put(out, input->operation->label);
        gh_buf_put(out, GH_STR(" of "));
        gh_buf_put(out, input->rule->file);
        gh_buf_put(out, input->checked.report.count
                            ? GH_STR(": there are violations, told with the body's")
                            : GH_STR(": the parameters are as declared"));
    }
}
