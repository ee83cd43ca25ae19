/*
 * Runs the stages of SPEC section 3 over a request, in one order that stands in one table. The
 * texts for `explain` are in explain.c; what a refusal says is in reason.c.
 */
#include "policy/policy.h"

#include "base/assert.h"
#include "policy/explain.h"

typedef struct gh_verdict stage_run(struct gh_request *request);

/* Rows that stand there again judge what has become known since; they are passed over silently
   where they have nothing to do. */
static const struct {
    enum gh_stage stage;
    stage_run *run;
    unsigned turn;
} STAGES[] = {
    {GH_STAGE_PATH, gh_stage_path, 0},
    {GH_STAGE_CLIENT, gh_stage_client, 0},
    {GH_STAGE_HOST, gh_stage_host, 0},
    {GH_STAGE_HTTPS, gh_stage_https, 0},
    {GH_STAGE_ROUTE, gh_stage_route, 0},
    {GH_STAGE_CORS, gh_stage_cors, 0},
    {GH_STAGE_SIZE, gh_stage_size, 0},
    {GH_STAGE_RATE, gh_stage_rate, GH_RATE_AT_HEAD},
    {GH_STAGE_CROSS_SITE, gh_stage_cross_site, 0},
    {GH_STAGE_IDENTIFY, gh_stage_identify, 0},
    {GH_STAGE_RATE, gh_stage_rate_subject, GH_RATE_AT_SUBJECT},
    {GH_STAGE_ACCESS, gh_stage_sanction, 1},
    {GH_STAGE_ACCESS, gh_stage_access, 0},
    {GH_STAGE_INPUT, gh_stage_input, 0},
    {GH_STAGE_SIZE, gh_stage_body, 1},
    {GH_STAGE_RATE, gh_stage_rate_body, GH_RATE_AT_BODY},
    {GH_STAGE_INPUT, gh_stage_input_body, 1},
};
#define STAGE_COUNT (sizeof(STAGES) / sizeof(STAGES[0]))

static const struct gh_str STAGE_NAMES[GH_STAGE_COUNT] = {
    [GH_STAGE_READ] = GH_STR_INIT("read"),
    [GH_STAGE_PATH] = GH_STR_INIT("path"),
    [GH_STAGE_CLIENT] = GH_STR_INIT("client"),
    [GH_STAGE_HOST] = GH_STR_INIT("host"),
    [GH_STAGE_HTTPS] = GH_STR_INIT("https"),
    [GH_STAGE_ROUTE] = GH_STR_INIT("route"),
    [GH_STAGE_CORS] = GH_STR_INIT("cors"),
    [GH_STAGE_SIZE] = GH_STR_INIT("size"),
    [GH_STAGE_RATE] = GH_STR_INIT("rate"),
    [GH_STAGE_HEADERS] = GH_STR_INIT("headers"),
    [GH_STAGE_CROSS_SITE] = GH_STR_INIT("cross_site"),
    [GH_STAGE_IDENTIFY] = GH_STR_INIT("identify"),
    [GH_STAGE_ACCESS] = GH_STR_INIT("access"),
    [GH_STAGE_INPUT] = GH_STR_INIT("input"),
    [GH_STAGE_HANDOVER] = GH_STR_INIT("handover"),
    [GH_STAGE_SCRUB] = GH_STR_INIT("scrub"),
};

struct gh_str gh_stage_name(enum gh_stage stage)
{
    GH_ASSERT((unsigned)stage < GH_STAGE_COUNT);
    return STAGE_NAMES[stage];
}

void gh_request_init(struct gh_request *request)
{
    /* The big tables are left as they are: their counts say what of them is valid. */
    const size_t tables[][2] = {
        {offsetof(struct gh_request, params), sizeof(request->params)},
        {offsetof(struct gh_request, extra), sizeof(request->extra)},
        {offsetof(struct gh_request, reply.fields), sizeof(request->reply.fields)},
    };
    size_t at = 0;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        GH_ASSERT(tables[i][0] >= at);
        memset((char *)request + at, 0, tables[i][0] - at);
        at = tables[i][0] + tables[i][1];
    }
    memset((char *)request + at, 0, sizeof(*request) - at);
}

struct gh_verdict gh_stage_refuse(struct gh_request *request, enum gh_stage stage,
                                  enum gh_mode mode, enum gh_reason reason)
{
    if (mode == GH_MODE_ENFORCE)
        return gh_verdict_deny(reason);
    if (mode == GH_MODE_OBSERVE && request->observed_count < GH_STAGE_COUNT) {
        request->observed[request->observed_count] = stage;
        request->observed_reason[request->observed_count++] = reason;
    }
    return gh_verdict_next();
}

/* One stage; a DENY becomes the RESPOND of its problem document. */
static struct gh_verdict run_one(struct gh_request *request)
{
    enum gh_stage stage = STAGES[request->next_stage].stage;
    request->stage = stage;
    struct gh_verdict verdict = STAGES[request->next_stage].run(request);
    switch (verdict.kind) {
    case GH_VERDICT_DENY:
        gh_policy_refuse(request, request->stage, verdict.reason);
        verdict.kind = GH_VERDICT_RESPOND;
        break;
    case GH_VERDICT_RESPOND:
        if (stage == GH_STAGE_ROUTE) /* later stages come after CORS */
            gh_cors_note(request);
        if (stage == GH_STAGE_RATE && request->target == GH_TARGET_CSP_REPORT)
            gh_policy_refuse(request, stage, verdict.reason);
        break;
    case GH_VERDICT_NEXT:
        request->next_stage++;
        break;
    case GH_VERDICT_ASK: /* the same stage runs again when the fact is there */
        break;
    }
    request->verdict = verdict;
    return verdict;
}

struct gh_verdict gh_policy_run(struct gh_request *request)
{
    struct gh_verdict verdict = gh_verdict_next();
    while (request->next_stage < STAGE_COUNT && verdict.kind == GH_VERDICT_NEXT)
        verdict = run_one(request);
    if (verdict.kind == GH_VERDICT_NEXT)
        request->stage = GH_STAGE_HANDOVER;
    request->verdict = verdict;
    return verdict;
}

struct gh_verdict gh_policy_explain(struct gh_request *request, gh_policy_step *step, void *context)
{
    struct gh_verdict verdict = gh_verdict_next();
    while (request->next_stage < STAGE_COUNT && verdict.kind == GH_VERDICT_NEXT) {
        char text[GH_EXPLAIN_BYTES_MAX];
        struct gh_buf why = gh_buf_over(text, sizeof(text));
        size_t observed_before = request->observed_count;
        enum gh_stage stage = STAGES[request->next_stage].stage;
        unsigned turn = STAGES[request->next_stage].turn;
        verdict = run_one(request);
        bool observed = request->observed_count > observed_before;
        if (!gh_explain_concerns(request, stage, turn) && verdict.kind == GH_VERDICT_NEXT)
            continue;
        gh_explain_stage(request, stage, turn, verdict, observed, &why);
        step(context, stage, verdict, gh_buf_str(&why));
    }
    if (verdict.kind == GH_VERDICT_NEXT)
        request->stage = GH_STAGE_HANDOVER;
    return verdict;
}
