/*
 * A body on its way past the stage that judges it, piece by piece, and a copy of the answer where
 * answers are observed. What is judged, and by what, is policy/input.h's.
 */
#include "gateway/exchange_parts.h"

#include "gateway/client_count.h"
#include "gateway/input_counters.h"
#include "gateway/refusal.h"
#include "json/writer.h"
#include "policy/input.h"

/* That one client may have on their way when less than half of the memory for them is left. */
#define SCARCE_BODIES_PER_CLIENT 2

/* Of an answer; longer ones are not looked at. */
#define ANSWER_BYTES_MAX ((size_t)256 * 1024)
/* Room that a body outgrew, and the last room. */
#define ANSWER_COPIES_MAX   3
#define SCRATCH_BLOCK_BYTES ((size_t)32 * 1024)
/* Violations that a line of the log names. */
#define LOGGED_MAX 3

/* An answer that is copied as it goes by. */
struct gh_answer_copy {
    struct gh_held_body body;
    struct gh_str content_type;
    unsigned status;
    bool gave_up;
};

/* ---- The request's body ---- */

void gh_exchange_input_begin(struct gh_exchange *exchange)
{
    const struct gh_input *input = exchange->request.input;
    if (input && input->stream)
        exchange->arena.allocated_max += GH_INPUT_BYTES_MAX;
    struct gh_client_count *judged = exchange->worker->shared->judged_bodies;
    if (input && input->stream && judged && !exchange->input_counted)
        exchange->input_counted = gh_client_count_enter(judged, &exchange->request.client,
                                                        UINT64_MAX) == GH_CLIENT_COUNTED;
}

/* A few slow bodies of one client must not take what all of them have. */
static bool is_over_share(const struct gh_exchange *exchange)
{
    const struct gh_shared *shared = exchange->worker->shared;
    return exchange->input_counted && gh_body_budget_is_scarce(&shared->held_bodies) &&
           gh_client_count_of(shared->judged_bodies, &exchange->request.client) >
               SCARCE_BODIES_PER_CLIENT;
}

/* What is judged takes memory of the request, which all of them together have a budget of. */
static bool charge(struct gh_exchange *exchange, size_t allocated_before)
{
    size_t bytes = exchange->arena.allocated_bytes - allocated_before;
    if (!bytes)
        return true;
    if (is_over_share(exchange) ||
        !gh_body_budget_take(&exchange->worker->shared->held_bodies, bytes))
        return false;
    exchange->input_charged += bytes;
    return true;
}

/* False: it was refused, and the exchange may be over. */
static bool settle(struct gh_exchange *exchange, bool good, bool charged)
{
    struct gh_input *input = exchange->request.input;
    if (!charged && input->rule->mode == GH_MODE_OBSERVE) {
        input->judged = input->gave_up = true;
        return true;
    }
    if (good && charged)
        return true;
    if (!charged || input->reason == GH_REASON_OVERLOADED)
        gh_exchange_refuse_for_now(exchange);
    else
        gh_exchange_refuse(exchange, GH_STAGE_INPUT, input->reason);
    return false;
}

/* A body of known length is complete with its last byte, and the upstream would act on it. */
static bool is_last_byte(const struct gh_exchange *exchange)
{
    const struct gh_request_head *head = exchange->request.head;
    return head->body == GH_BODY_LENGTH && exchange->body_bytes_in >= head->content_length;
}

bool gh_exchange_input_feed(struct gh_exchange *exchange, struct gh_str bytes)
{
    size_t before = exchange->arena.allocated_bytes;
    if (!exchange->request.input->stream)
        return true;
    bool good = gh_policy_input_feed(&exchange->request, bytes);
    if (good && is_last_byte(exchange))
        good = gh_policy_input_finish(&exchange->request);
    bool charged = charge(exchange, before);
    bool observed = exchange->request.input->rule->mode == GH_MODE_OBSERVE;
    if (!good || !(charged || observed)) /* nobody takes these bytes any more */
        exchange->codec->ops->consumed(exchange->codec, exchange->stream, bytes.len);
    return settle(exchange, good, charged);
}

bool gh_exchange_input_finish(struct gh_exchange *exchange)
{
    size_t before = exchange->arena.allocated_bytes;
    if (!exchange->request.input->stream)
        return true;
    bool good = gh_policy_input_finish(&exchange->request);
    return settle(exchange, good, charge(exchange, before));
}

/* ---- The answer ---- */

/* application/json and +json; other answers are no business of schemas. */
static bool is_json(struct gh_str content_type)
{
    struct gh_str media =
        gh_str_trim_ows(gh_str_first(content_type, gh_str_find_char(content_type, ';')));
    const struct gh_str suffix = GH_STR("+json");
    return gh_str_ieq(media, GH_STR("application/json")) ||
           (media.len > suffix.len &&
            gh_str_ieq(gh_str_skip(media, media.len - suffix.len), suffix));
}

void gh_exchange_answer_copy_begin(struct gh_exchange *exchange,
                                   const struct gh_response_head *head)
{
    struct gh_str content_type = gh_fields_value(&head->fields, GH_FIELD_CONTENT_TYPE);
    if (!gh_policy_input_wants_response(&exchange->request) || head->body == GH_BODY_NONE ||
        gh_fields_find(&head->fields, GH_FIELD_CONTENT_ENCODING) || !is_json(content_type))
        return;
    if (head->body == GH_BODY_LENGTH && head->content_length > ANSWER_BYTES_MAX)
        return;
    struct gh_answer_copy *copy = gh_arena_zalloc(&exchange->arena, 1, sizeof(*copy));
    if (!copy)
        return;
    exchange->arena.allocated_max += ANSWER_COPIES_MAX * ANSWER_BYTES_MAX;
    copy->body.budget = &exchange->worker->shared->held_bodies;
    copy->body.client = &exchange->request.client;
    copy->content_type = content_type;
    copy->status = head->status;
    exchange->answer_copy = copy;
}

void gh_exchange_answer_copy_add(struct gh_exchange *exchange, struct gh_str bytes)
{
    struct gh_answer_copy *copy = exchange->answer_copy;
    if (copy->gave_up)
        return;
    copy->gave_up =
        bytes.len > ANSWER_BYTES_MAX - copy->body.len ||
        gh_held_body_add(&copy->body, &exchange->arena, bytes, 0, ANSWER_BYTES_MAX) != GH_HOLD_OK;
}

/* The access line of the request may be out already. */
static void log_answer(const struct gh_exchange *exchange, const struct gh_input_report *report)
{
    const struct gh_request *request = &exchange->request;
    char memory[GH_LOG_LINE_BYTES_MAX];
    struct gh_buf line = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&line, '{');
    gh_json_put_member(&line, GH_STR("level"), GH_STR("warning"));
    gh_json_put_member(&line, GH_STR("message"), GH_STR("an answer is not as declared"));
    gh_json_put_member(&line, GH_STR("id"), request->request_id);
    gh_json_put_member(&line, GH_STR("operation"), request->input->operation->label);
    gh_json_put_member_u64(&line, GH_STR("status"), exchange->answer_copy->status);
    gh_json_put_name(&line, GH_STR("violations"));
    gh_buf_put_char(&line, '[');
    for (size_t i = 0; i < report->count && i < LOGGED_MAX; i++) {
        gh_buf_put(&line, i ? GH_STR(",{") : GH_STR("{"));
        gh_json_put_member(&line, GH_STR("pointer"), report->violations[i].pointer);
        gh_json_put_member(&line, GH_STR("rule"), report->violations[i].rule);
        gh_buf_put_char(&line, '}');
    }
    gh_buf_put(&line, GH_STR("]}"));
    if (!line.overflow)
        gh_log_line(exchange->worker->log, gh_buf_str(&line));
}

/* A type that is not declared, as a violation like others. */
static const struct gh_input_violation UNDECLARED_TYPE = {
    .part = GH_INPUT_HEADER,
    .name = GH_STR_INIT("Content-Type"),
    .pointer = GH_STR_INIT(""),
    .rule = GH_STR_INIT("undeclared"),
    .message = GH_STR_INIT("this type of answer is not declared"),
};

void gh_exchange_answer_copy_judge(struct gh_exchange *exchange)
{
    struct gh_answer_copy *copy = exchange->answer_copy;
    struct gh_input_report report = {0};
    struct gh_arena scratch;
    if (copy->gave_up)
        return;
    gh_arena_init(&scratch, SCRATCH_BLOCK_BYTES, GH_INPUT_BYTES_MAX);
    enum gh_input_outcome outcome =
        gh_policy_input_response(&exchange->request, &scratch, copy->status, copy->content_type,
                                 gh_held_body_str(&copy->body), &report);
    struct gh_input_violation type = UNDECLARED_TYPE;
    if (outcome == GH_INPUT_UNSUPPORTED_TYPE && !report.count)
        report = (struct gh_input_report){&type, 1, 1};
    if (outcome != GH_INPUT_NO_MEMORY)
        gh_input_count_answer(exchange, &report);
    if (outcome != GH_INPUT_NO_MEMORY && report.count) {
        log_answer(exchange, &report);
        gh_refusal_note_answer(exchange);
    }
    gh_arena_done(&scratch);
}

void gh_exchange_input_end(struct gh_exchange *exchange)
{
    if (exchange->answer_copy)
        gh_held_body_release(&exchange->answer_copy->body);
    if (exchange->input_charged)
        gh_body_budget_give(&exchange->worker->shared->held_bodies, exchange->input_charged);
    exchange->input_charged = 0;
    if (exchange->input_counted)
        gh_client_count_leave(exchange->worker->shared->judged_bodies, &exchange->request.client);
    exchange->input_counted = false;
}
