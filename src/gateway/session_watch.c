#include "gateway/session_watch.h"

#include "gateway/connection.h"

/* Twice within the second that is promised. */
#define WATCH_MS 500
/* What goes with a 401 (RFC 6750 section 3), where no answer had begun. */
#define CHALLENGE                                                                                  \
    GH_STR("Bearer error=\"invalid_token\", error_description=\"The session has ended\"")

/* An upstream is answering it, or will be asked once the body is there, or a limit is known. Calls
   of the service are left alone: the one that ends the session is among them, and its answer says
   so. */
static bool is_for_upstream(const struct gh_exchange *exchange)
{
    return exchange->call_active || exchange->start_wanted ||
           ((exchange->body_asked || exchange->limits_asked) &&
            exchange->request.target != GH_TARGET_SERVICE);
}

static bool is_ended(const struct gh_worker *worker, const struct gh_exchange *exchange,
                     uint64_t now_s)
{
    const struct gh_request *request = &exchange->request;
    /* Judged at that moment its token was not revoked: whatever names it as one of refusal was said
       later. */
    return is_for_upstream(exchange) && request->signed_in && request->subject.session_id.len &&
           gh_revocations_has(worker->shared->revocations, request->subject.session_id,
                              request->identified_s, now_s);
}

static void end_stream(struct gh_connection *connection, struct gh_exchange *exchange)
{
    struct gh_request *request = &exchange->request;
    exchange->close_after = true;
    exchange->session_revoked = true;
    if (exchange->tunnel) {
        exchange->stage = GH_STAGE_IDENTIFY;
        exchange->reason = GH_REASON_CREDENTIAL_REVOKED;
        gh_connection_cut_tunnel(connection, exchange);
        return;
    }
    if (request->extra_count < GH_EXTRA_FIELDS_MAX)
        request->extra[request->extra_count++] =
            (struct gh_field){.name = GH_STR("WWW-Authenticate"), .value = CHALLENGE};
    gh_exchange_refuse(exchange, GH_STAGE_IDENTIFY, GH_REASON_CREDENTIAL_REVOKED);
}

static void end_streams(struct gh_worker *worker)
{
    uint64_t now_s = gh_wall_now_us() / 1000000;
    for (struct gh_connection *connection = worker->connections; connection;
         connection = connection->next) {
        struct gh_exchange *next;
        for (struct gh_exchange *exchange = connection->exchanges; exchange; exchange = next) {
            next = exchange->next;
            if (is_ended(worker, exchange, now_s))
                end_stream(connection, exchange);
        }
    }
}

/* The gate counts for itself, on this thread; scrapes read the metrics, on another. */
static void count_gate(struct gh_worker *worker)
{
    struct gh_metrics *metrics = worker->shared->metrics;
    const struct gh_counters *counters = &worker->shared->counters;
    struct gh_gate_counts now = gh_gate_counts(worker->gate);
    struct gh_gate_counts *seen = &worker->gate_counted;
    gh_metric_add(metrics, worker->index, counters->gate[GH_GATE_HITS], now.hits - seen->hits);
    gh_metric_add(metrics, worker->index, counters->gate[GH_GATE_VERIFIED],
                  now.verified - seen->verified);
    gh_metric_add(metrics, worker->index, counters->gate[GH_GATE_REFUSED],
                  now.refused - seen->refused);
    *seen = now;
}

static void on_timer(struct gh_timer *timer)
{
    struct gh_worker *worker =
        (struct gh_worker *)((char *)timer - offsetof(struct gh_worker, session_timer));
    /* Read before the streams are looked at: what comes meanwhile is seen the next time. */
    uint64_t version = gh_revocations_version(worker->shared->revocations);
    if (version != worker->revocations_seen) {
        worker->revocations_seen = version;
        end_streams(worker);
    }
    count_gate(worker);
    gh_timer_start(worker->loop, timer, WATCH_MS, on_timer);
}

void gh_session_watch_start(struct gh_worker *worker)
{
    gh_timer_start(worker->loop, &worker->session_timer, WATCH_MS, on_timer);
}
