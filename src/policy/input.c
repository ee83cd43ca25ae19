/* The stage's two turns and what becomes of a finding. See input.h. */
#include "policy/input.h"

#include "policy/policy.h"

/* A body of this length or less comes in about one piece: it is parsed at once when it is there,
   and nothing is won by reading it as it comes. */
#define AT_ONCE_BYTES_MAX ((size_t)16 * 1024)
/* Of the memory in which a body that is here is judged. */
#define SCRATCH_BLOCK_BYTES ((size_t)32 * 1024)

#define ACCEPT_BYTES_MAX 512

/* ---- What becomes of a finding ---- */

static struct gh_verdict refuse(struct gh_request *request, enum gh_reason reason)
{
    request->input->reason = reason;
    return gh_stage_refuse(request, GH_STAGE_INPUT, request->input->rule->mode, reason);
}

/* What the document does not declare. */
static struct gh_verdict handle_undeclared(struct gh_request *request, enum gh_undeclared action,
                                           enum gh_reason reason)
{
    switch (action) {
    case GH_UNDECLARED_REFUSE:
        return refuse(request, reason);
    case GH_UNDECLARED_REPORT:
        request->input->reason = reason;
        return gh_stage_refuse(request, GH_STAGE_INPUT, GH_MODE_OBSERVE, reason);
    case GH_UNDECLARED_IGNORE:
        break;
    }
    return gh_verdict_next();
}

static struct gh_verdict without_memory(const struct gh_input_rule *rule)
{
    return rule->mode == GH_MODE_ENFORCE ? gh_verdict_deny(GH_REASON_OVERLOADED)
                                         : gh_verdict_next();
}

/* ---- The head ---- */

static bool has_body(const struct gh_request_head *head)
{
    return head->body == GH_BODY_CHUNKED ||
           (head->body == GH_BODY_LENGTH && head->content_length > 0);
}

/* Its bytes are looked at. */
static bool is_judged(const struct gh_input_checked *checked)
{
    return checked->media && checked->kind != GH_OPENAPI_BODY_OPAQUE;
}

/* Held until it is judged, where input is enforced. */
static bool is_held(const struct gh_input_checked *checked)
{
    return is_judged(checked) && checked->kind != GH_OPENAPI_BODY_MULTIPART;
}

/* Which types the operation takes (RFC 9110 section 12.5.1), with a 415. */
static void add_accept(struct gh_request *request)
{
    const struct gh_openapi_operation *operation = request->input->operation->declared;
    char memory[ACCEPT_BYTES_MAX];
    struct gh_buf out = gh_buf_over(memory, sizeof(memory));
    for (size_t i = 0; i < operation->media_count; i++) {
        gh_buf_put(&out, i ? GH_STR(", ") : GH_STR(""));
        gh_buf_put(&out, operation->media[i].range);
    }
    struct gh_str value =
        out.overflow ? (struct gh_str){0} : gh_arena_dup(request->arena, gh_buf_str(&out));
    if (value.len)
        gh_request_add_extra(request, GH_STR("Accept"), value);
}

static struct gh_verdict handle_type(struct gh_request *request)
{
    const struct gh_input_rule *rule = request->input->rule;
    if (rule->mode == GH_MODE_ENFORCE && rule->undeclared.content_types == GH_UNDECLARED_REFUSE)
        add_accept(request);
    return handle_undeclared(request, rule->undeclared.content_types, GH_REASON_INPUT_CONTENT_TYPE);
}

/* What the head says of the body's type, or that there is a body at all. */
static bool is_of_type(const struct gh_input_violation *violation)
{
    return gh_str_eq(violation->rule, GH_STR("content_type")) ||
           gh_str_eq(violation->rule, GH_STR("content_encoding")) ||
           (violation->part == GH_INPUT_BODY && gh_str_eq(violation->rule, GH_STR("undeclared")));
}

/* It was reported, or is not minded: the rest of the report stands. */
static void forget_type(struct gh_input_report *report)
{
    size_t kept = 0;
    for (size_t i = 0; i < report->count; i++)
        if (!is_of_type(&report->violations[i]))
            report->violations[kept++] = report->violations[i];
    report->count = kept;
}

static bool has_type_violation(const struct gh_input_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (is_of_type(&report->violations[i]))
            return true;
    return false;
}

static bool has_undeclared_query(const struct gh_input_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        if (report->violations[i].part == GH_INPUT_QUERY &&
            gh_str_eq(report->violations[i].rule, GH_STR("undeclared")))
            return true;
    return false;
}

/* Where undeclared names are only reported, what else is wrong is looked for without them. */
static enum gh_input_outcome check_head(struct gh_request *request)
{
    struct gh_input *input = request->input;
    enum gh_input_outcome outcome =
        gh_input_check_head(&input->checking, request->arena, &input->checked);
    if (input->rule->undeclared.query != GH_UNDECLARED_REPORT ||
        !has_undeclared_query(&input->checked.report))
        return outcome;
    handle_undeclared(request, GH_UNDECLARED_REPORT, GH_REASON_INPUT_QUERY);
    input->checking.undeclared.query = false;
    return gh_input_check_head(&input->checking, request->arena, &input->checked);
}

static struct gh_verdict judge_head(struct gh_request *request)
{
    struct gh_input *input = request->input;
    const struct gh_request_head *head = request->head;
    const struct gh_input_report *report = &input->checked.report;
    enum gh_input_outcome outcome = check_head(request);
    if (outcome == GH_INPUT_NO_MEMORY)
        return without_memory(input->rule);
    bool minded = input->rule->undeclared.content_types == GH_UNDECLARED_REFUSE;
    if (outcome == GH_INPUT_UNSUPPORTED_TYPE || (!minded && has_type_violation(report))) {
        struct gh_verdict verdict = handle_type(request);
        if (verdict.kind != GH_VERDICT_NEXT || minded) {
            input->judged = true;
            return verdict;
        }
        forget_type(&input->checked.report);
        input->checked.media = NULL; /* nobody knows by what to judge it */
    }
    input->judged = !input->checking.has_body || !is_judged(&input->checked);
    if (!report->count)
        return gh_verdict_next();
    /* They are told together with the body's: unless the client waits to be asked for it. */
    if (!input->judged && !head->expect_continue &&
        (input->rule->mode == GH_MODE_OBSERVE || is_held(&input->checked)))
        return gh_verdict_next();
    input->judged = true;
    return refuse(request, GH_REASON_INPUT_INVALID);
}

static bool would_refuse(const struct gh_input_rule *rule, enum gh_undeclared action)
{
    return rule->mode == GH_MODE_ENFORCE && action == GH_UNDECLARED_REFUSE;
}

/* Where CORS is not enforced the backend answers preflights: they ask for what will follow, and no
   document declares them. */
static bool is_asking(const struct gh_request *request)
{
    return gh_cors_is_preflight(request) && !has_body(request->head);
}

/* A 404 or 405 for a path that the gateway can answer itself is replaced, as the backend's is. */
static struct gh_verdict find_operation(struct gh_request *request, struct gh_str *values,
                                        size_t *out_value_count)
{
    struct gh_input *input = request->input;
    const struct gh_input_rule *rule = input->rule;
    struct gh_str allow = {0};
    enum gh_method method = request->head->method;
    if (is_asking(request))
        method = gh_method_of(
            gh_fields_value(&request->head->fields, GH_FIELD_ACCESS_CONTROL_REQUEST_METHOD));
    switch (gh_input_find(rule->api, request->path, method, request->arena, &input->operation,
                          values, out_value_count, &allow)) {
    case GH_ROUTE_NONE:
        if (would_refuse(rule, rule->undeclared.paths) && gh_builtin_fallback(request))
            return gh_verdict_respond(GH_REASON_BUILT_IN);
        return handle_undeclared(request, rule->undeclared.paths, GH_REASON_INPUT_PATH);
    case GH_ROUTE_BAD_METHOD:
        if (would_refuse(rule, rule->undeclared.methods) && gh_builtin_fallback(request))
            return gh_verdict_respond(GH_REASON_BUILT_IN);
        if (allow.len && would_refuse(rule, rule->undeclared.methods))
            gh_request_add_extra(request, GH_STR("Allow"), allow);
        return handle_undeclared(request, rule->undeclared.methods, GH_REASON_INPUT_METHOD);
    case GH_ROUTE_FOUND:
        break;
    }
    return gh_verdict_next();
}

struct gh_verdict gh_stage_input(struct gh_request *request)
{
    const struct gh_input_rule *rule = request->route ? request->route->input : NULL;
    if (!rule || request->target != GH_TARGET_UPSTREAM)
        return gh_verdict_next();
    struct gh_input *input = gh_arena_zalloc(request->arena, 1, sizeof(*input));
    struct gh_str *values =
        gh_arena_zalloc(request->arena, GH_PATH_PARAMS_MAX, sizeof(struct gh_str));
    if (!input || !values)
        return without_memory(rule);
    input->rule = rule;
    request->input = input;
    size_t value_count = 0;
    struct gh_verdict verdict = find_operation(request, values, &value_count);
    if (verdict.kind != GH_VERDICT_NEXT || !input->operation)
        return verdict;
    if (is_asking(request)) {
        request->input = NULL;
        return verdict;
    }
    input->checking = (struct gh_input_request){
        .openapi = rule->api->document,
        .operation = input->operation->declared,
        .limits = &rule->limits,
        .undeclared = {.query = rule->undeclared.query != GH_UNDECLARED_IGNORE},
        .path_values = values,
        .path_value_count = value_count,
        .query = request->query,
        .fields = &request->head->fields,
        .has_body = has_body(request->head),
        .evidence = rule->evidence,
    };
    return judge_head(request);
}

/* ---- The body ---- */

static bool keep_text(struct gh_arena *arena, struct gh_str *text)
{
    struct gh_str copy = text->len ? gh_arena_dup(arena, *text) : GH_STR("");
    *text = copy;
    return copy.ptr;
}

/* The report outlives the memory it was made in. */
static bool keep_report(struct gh_arena *arena, struct gh_input_report *report)
{
    struct gh_input_violation *kept = gh_arena_zalloc(arena, report->count, sizeof(*kept));
    if (!kept)
        return false;
    for (size_t i = 0; i < report->count; i++) {
        kept[i] = report->violations[i];
        if (!keep_text(arena, &kept[i].name) || !keep_text(arena, &kept[i].pointer) ||
            !keep_text(arena, &kept[i].rule) || !keep_text(arena, &kept[i].message))
            return false;
    }
    report->violations = kept; /* room for these: nothing is added any more */
    return true;
}

/* In memory of its own, which goes back at once: values take many times the bytes of their text. */
static enum gh_input_outcome check_whole(struct gh_request *request)
{
    struct gh_input *input = request->input;
    struct gh_arena scratch;
    gh_arena_init(&scratch, SCRATCH_BLOCK_BYTES, GH_INPUT_BYTES_MAX);
    enum gh_input_outcome outcome =
        gh_input_check_body(&input->checking, &scratch, request->body, &input->checked);
    if (input->checked.report.count && !keep_report(request->arena, &input->checked.report)) {
        input->checked.report.count = 0;
        outcome = GH_INPUT_NO_MEMORY;
    }
    gh_arena_done(&scratch);
    return outcome;
}

/* The end of judging, for good or bad: the reason, UNDECIDED when it is as declared. */
static enum gh_reason conclude(struct gh_input *input, enum gh_input_outcome outcome)
{
    input->judged = true;
    if (outcome == GH_INPUT_OK && input->checked.report.count) /* the head's */
        outcome = GH_INPUT_VIOLATIONS;
    switch (outcome) {
    case GH_INPUT_OK:
        break;
    case GH_INPUT_VIOLATIONS:
        return GH_REASON_INPUT_INVALID;
    case GH_INPUT_UNSUPPORTED_TYPE:
        return GH_REASON_INPUT_CONTENT_TYPE;
    case GH_INPUT_NO_MEMORY:
        input->gave_up = true;
        return GH_REASON_OVERLOADED;
    }
    return GH_REASON_UNDECIDED;
}

static struct gh_verdict judge_body(struct gh_request *request)
{
    struct gh_input *input = request->input;
    enum gh_reason reason = GH_REASON_BODY_TOO_LARGE;
    if (request->body.len <= input->rule->body_max)
        reason = conclude(input, input->stream ? gh_input_stream_finish(input->stream)
                                               : check_whole(request));
    input->judged = true;
    if (reason == GH_REASON_UNDECIDED)
        return gh_verdict_next();
    if (reason == GH_REASON_OVERLOADED)
        return without_memory(input->rule);
    return refuse(request, reason);
}

static struct gh_verdict begin_stream(struct gh_request *request, bool flows)
{
    struct gh_input *input = request->input;
    input->flows = flows;
    input->stream = gh_input_stream_new(&input->checking, request->arena, &input->checked);
    return input->stream ? gh_verdict_next() : without_memory(input->rule);
}

static struct gh_verdict ask(struct gh_request *request)
{
    const struct gh_request_head *head = request->head;
    const struct gh_input_rule *rule = request->input->rule;
    if (head->body == GH_BODY_LENGTH && head->content_length > rule->body_max)
        return gh_verdict_deny(GH_REASON_BODY_TOO_LARGE);
    bool at_once = head->body == GH_BODY_LENGTH && head->content_length <= AT_ONCE_BYTES_MAX;
    struct gh_verdict verdict = at_once ? gh_verdict_next() : begin_stream(request, false);
    if (verdict.kind != GH_VERDICT_NEXT)
        return verdict;
    request->ask = GH_ASK_BODY;
    request->ask_body_max = (size_t)rule->body_max;
    return (struct gh_verdict){GH_VERDICT_ASK, GH_REASON_UNDECIDED};
}

struct gh_verdict gh_stage_input_body(struct gh_request *request)
{
    struct gh_input *input = request->input;
    request->ask = GH_ASK_NOTHING;
    if (!input || !input->operation || input->judged)
        return gh_verdict_next();
    if (request->body_known)
        return judge_body(request);
    if (request->dry_run)
        return input->checked.report.count ? refuse(request, GH_REASON_INPUT_INVALID)
                                           : gh_verdict_next();
    if (input->rule->mode == GH_MODE_OBSERVE || !is_held(&input->checked))
        return begin_stream(request, true);
    return ask(request);
}

/* ---- As it comes ---- */

/* True: the request may go on. */
static bool let_on(struct gh_request *request, enum gh_reason reason)
{
    struct gh_input *input = request->input;
    if (reason == GH_REASON_UNDECIDED)
        return true;
    if (reason == GH_REASON_OVERLOADED && input->rule->mode == GH_MODE_OBSERVE)
        return true;
    return refuse(request, reason).kind == GH_VERDICT_NEXT;
}

/* Observed only: a body that nobody would hold is no longer looked at. */
static bool is_too_long(const struct gh_input *input)
{
    return input->rule->mode == GH_MODE_OBSERVE && is_held(&input->checked) &&
           input->fed_bytes > input->rule->body_max;
}

bool gh_policy_input_feed(struct gh_request *request, struct gh_str bytes)
{
    struct gh_input *input = request->input;
    if (!input || !input->stream || input->judged)
        return true;
    input->fed_bytes += bytes.len;
    if (is_too_long(input)) {
        input->judged = input->gave_up = true;
        return let_on(request, GH_REASON_BODY_TOO_LARGE);
    }
    size_t known = input->checked.report.count; /* the head's: they wait for the body's */
    enum gh_input_outcome outcome = gh_input_stream_feed(input->stream, bytes);
    if (outcome == GH_INPUT_OK ||
        (outcome == GH_INPUT_VIOLATIONS && input->checked.report.count == known))
        return true;
    return let_on(request, conclude(input, outcome));
}

bool gh_policy_input_finish(struct gh_request *request)
{
    struct gh_input *input = request->input;
    if (!input || !input->stream || !input->flows || input->judged)
        return true;
    return let_on(request, conclude(input, gh_input_stream_finish(input->stream)));
}

/* ---- Answers ---- */

bool gh_policy_input_wants_response(const struct gh_request *request)
{
    return request->input && request->input->operation && request->input->rule->observe_responses;
}

enum gh_input_outcome gh_policy_input_response(const struct gh_request *request,
                                               struct gh_arena *arena, unsigned status,
                                               struct gh_str content_type, struct gh_str body,
                                               struct gh_input_report *out_report)
{
    const struct gh_input *input = request->input;
    const struct gh_input_response response = {
        .openapi = input->rule->api->document,
        .operation = input->operation->declared,
        .limits = &input->rule->limits,
        .status = status,
        .content_type = content_type,
        .body = body,
    };
    return gh_input_check_response(&response, arena, out_report);
}
