#include "gateway/refusal.h"

#include "gateway/service_call_fill.h"
#include "policy/csp_report.h"
#include "policy/input.h"
#include "policy/rate.h"

#define CLIENT_TEXT_BYTES 64

/* In full: the log of accounts is not the access log. */
static struct gh_str ip_text(const struct gh_ip *client, char memory[CLIENT_TEXT_BYTES])
{
    struct gh_buf text = gh_buf_over(memory, CLIENT_TEXT_BYTES);
    if (client->family == GH_IP_NONE)
        return GH_STR("");
    gh_ip_write(&text, client);
    return gh_buf_str(&text);
}

static struct gh_str client_text(const struct gh_request *request, char memory[CLIENT_TEXT_BYTES])
{
    return ip_text(request->client.family != GH_IP_NONE ? &request->client : &request->peer->ip,
                   memory);
}

/* Of another issuer's people nothing is kept: they have no account here, and their names can be
   anything. */
static bool is_ours(const struct gh_request *request)
{
    return request->signed_in && !request->subject.issuer.len;
}

static struct gh_refusal begin(const struct gh_request *request, struct gh_str client)
{
    return (struct gh_refusal){
        .client = client,
        .route = request->route ? request->route->pattern : GH_STR(""),
        .user_id = is_ours(request) ? request->subject.id : GH_STR(""),
        .session = is_ours(request) ? request->subject.session_id : GH_STR(""),
        .user_agent = request->head ? gh_service_user_agent(&request->head->fields) : GH_STR(""),
        .request_id = request->request_id,
        .time_us = gh_wall_now_us(),
    };
}

/* A tunnel that ends, and an answer that its session did not outlive, had been let in. */
static bool is_refusal(const struct gh_exchange *exchange)
{
    return gh_reason_facts(exchange->reason)->event != GH_AUDIT_NOTHING && !exchange->tunnel &&
           !exchange->session_revoked;
}

static void note_refusal(const struct gh_exchange *exchange, struct gh_str client)
{
    const struct gh_request *request = &exchange->request;
    const struct gh_reason_facts *facts = gh_reason_facts(exchange->reason);
    struct gh_refusal refusal = begin(request, client);
    refusal.event = facts->event;
    refusal.reason = facts->word;
    if (exchange->reason == GH_REASON_RATE_LIMITED)
        refusal.detail = gh_policy_rates(request->policy)[request->limited_by].name;
    else if (request->input && request->input->operation && exchange->stage == GH_STAGE_INPUT)
        refusal.detail = request->input->operation->label;
    gh_tally_note(exchange->worker->tally, &refusal);
}

void gh_refusal_note(const struct gh_exchange *exchange)
{
    const struct gh_request *request = &exchange->request;
    struct gh_tally *tally = exchange->worker->tally;
    char memory[CLIENT_TEXT_BYTES];
    if (!tally)
        return;
    struct gh_str client = client_text(request, memory);
    if (is_refusal(exchange))
        note_refusal(exchange, client);
    bool ours = is_ours(request);
    if (exchange->status && !exchange->peer->admin)
        gh_tally_request(tally, ours ? request->subject.id : GH_STR(""),
                         ours ? request->subject.session_id : GH_STR(""), client,
                         exchange->status == 404 || exchange->status == 410);
}

void gh_refusal_note_answer(const struct gh_exchange *exchange)
{
    const struct gh_request *request = &exchange->request;
    char memory[CLIENT_TEXT_BYTES];
    if (!exchange->worker->tally)
        return;
    struct gh_refusal answer = begin(request, client_text(request, memory));
    answer.event = GH_AUDIT_INPUT_REJECTED;
    answer.reason = GH_STR("answer_invalid"); /* no reason of a refusal: the answer went out */
    answer.detail = request->input->operation->label;
    gh_tally_note(exchange->worker->tally, &answer);
}

void gh_refusal_note_flood(struct gh_worker *worker, const struct gh_ip *client, struct gh_str what)
{
    char memory[CLIENT_TEXT_BYTES];
    if (!worker->tally)
        return;
    const struct gh_refusal flood = {
        .event = GH_AUDIT_RATE_LIMITED,
        .reason = GH_STR("http2_flood"), /* of a connection, not of a request */
        .detail = what,
        .client = ip_text(client, memory),
        .time_us = gh_wall_now_us(),
    };
    gh_tally_note(worker->tally, &flood);
}

void gh_refusal_note_report(struct gh_worker *worker, struct gh_request *request)
{
    struct gh_str directives[GH_CSP_REPORTS_MAX];
    char memory[CLIENT_TEXT_BYTES];
    if (!worker->tally || !request->body_known)
        return;
    size_t count = gh_csp_report_read(request->arena, request->body, directives);
    struct gh_refusal report = begin(request, client_text(request, memory));
    report.event = GH_AUDIT_CSP_VIOLATION;
    for (size_t i = 0; i < count; i++) {
        report.detail = directives[i];
        gh_tally_note(worker->tally, &report);
    }
}
