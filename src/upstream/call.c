/*
 * The life of a call: choosing a server, connecting, sending, trying again, deadlines, the end.
 *
 * One timer per call, armed lazily: it is started once and, when it fires, compares the clock with
 * the deadline of the phase the call is in by then. Whoever calls back into the owner does so last,
 * or looks afterwards (through the connection) whether the call is still there.
 */
#include "upstream/call.h"

#include "base/assert.h"
#include "upstream/balance.h"

/*
 * A kept connection may be closed by its server just when a request is sent on it. A request that
 * can be repeated does not mind; any other takes only connections that were in use so shortly ago
 * that common servers (gunicorn keeps them for 2 s, Node and uvicorn for 5 s) are not near closing.
 */
#define REUSE_ONCE_MS 1500

static struct gh_loop *loop_of(const struct gh_upstream_call *call)
{
    return call->upstreams->loop;
}

static void over(struct gh_upstream_call *call)
{
    call->over = true;
    call->ready = false;
    gh_timer_stop(loop_of(call), &call->timer);
}

void gh_call_fail(struct gh_upstream_call *call, enum gh_upstream_failure failure)
{
    over(call);
    if (call->connection)
        gh_connection_close(call->connection);
    call->events->on_failure(call, failure);
}

void gh_call_finish(struct gh_upstream_call *call, struct gh_str last, bool has_more)
{
    uint64_t keep_ms = call->group->settings.timeouts.idle_ms;
    over(call);
    /* A little less than the setting, which tends to be what the server has too. */
    if (call->keep && call->request_sent && !has_more)
        gh_connection_release(call->connection, keep_ms - keep_ms / 16);
    else
        gh_connection_close(call->connection);
    call->events->on_body(call, last, true);
}

/* ---- Deadlines ---- */

static uint64_t response_ms(const struct gh_upstream_call *call)
{
    return call->request.response_timeout_ms ? call->request.response_timeout_ms
                                             : call->group->settings.timeouts.response_ms;
}

static uint64_t idle_ms(const struct gh_upstream_call *call)
{
    return call->request.idle_timeout_ms ? call->request.idle_timeout_ms
                                         : call->group->settings.timeouts.idle_ms;
}

/* While the owner still sends and the server takes it, the time is the client's, not the
   server's. */
static bool is_waiting_for_owner(const struct gh_upstream_call *call)
{
    return call->paused ||
           (!call->request_sent && gh_stream_queued(&call->connection->stream) == 0);
}

/* When the call is too late, by the clock of the loop; UINT64_MAX: not in this phase. */
static uint64_t deadline_ms(const struct gh_upstream_call *call)
{
    if (!call->ready)
        return call->connect_due_ms;
    if (call->tunnel || is_waiting_for_owner(call))
        return UINT64_MAX;
    return call->activity_ms + (call->answered ? idle_ms(call) : response_ms(call));
}

static void connect_timed_out(struct gh_upstream_call *call);

static void on_timer(struct gh_timer *timer)
{
    struct gh_upstream_call *call =
        (struct gh_upstream_call *)((char *)timer - offsetof(struct gh_upstream_call, timer));
    if (deadline_ms(call) > gh_loop_now_ms(loop_of(call)))
        gh_call_set_timer(call);
    else if (!call->ready)
        connect_timed_out(call);
    else
        gh_call_fail(call, call->answered ? GH_UPSTREAM_CUT : GH_UPSTREAM_TIMEOUT);
}

void gh_call_set_timer(struct gh_upstream_call *call)
{
    uint64_t now = gh_loop_now_ms(loop_of(call)), deadline = deadline_ms(call);
    if (deadline == UINT64_MAX) {
        /* Nothing is due, but something may be before anybody calls this again. */
        uint64_t idle = idle_ms(call), response = response_ms(call);
        deadline = now + (!call->answered || response < idle ? response : idle);
    }
    if (!gh_timer_is_armed(&call->timer) || call->timer.due_ms > deadline)
        gh_timer_start(loop_of(call), &call->timer, deadline > now ? deadline - now : 0, on_timer);
}

/* ---- Sending ---- */

static void send_head(struct gh_upstream_call *call)
{
    struct gh_upstream_connection *connection = call->connection;
    if (call->body_lost) {
        gh_call_fail(call, GH_UPSTREAM_UNREACHABLE);
        return;
    }
    call->ready = true;
    call->request_sent = !call->request.has_body || call->ended;
    call->activity_ms = gh_loop_now_ms(loop_of(call));
    if (call->paused)
        gh_stream_read_stop(&connection->stream);
    const struct gh_str slices[] = {call->request.head, call->request.body};
    gh_stream_write(&connection->stream, slices, call->request.body.len ? 2 : 1);
    if (call->request.body_lent)
        call->request.body.len = 0;
    gh_call_set_timer(call);
    call->events->on_ready(call);
}

/* What can't be sent at once, or may be sent again, needs a lent body for longer. */
static bool keep_body(struct gh_upstream_call *call)
{
    if (!call->request.body_lent)
        return true;
    struct gh_str copy = gh_arena_dup(call->arena, call->request.body);
    if (!copy.ptr)
        return false;
    call->request.body = copy;
    call->request.body_lent = false;
    return true;
}

/* Tries the addresses that are left until one connection is under way. */
static bool connect_next(struct gh_upstream_call *call, struct gh_pool *pool)
{
    while (call->addresses_left) {
        call->addresses_left--;
        if (gh_connection_open(pool, call->address++, call) == GH_OK)
            return true;
    }
    return false;
}

static bool take_idle(struct gh_upstream_call *call, struct gh_pool *pool)
{
    bool repeatable = call->request.idempotent && !call->request.has_body;
    uint64_t max_idle_ms = repeatable ? UINT64_MAX : REUSE_ONCE_MS;
    return !call->fresh_only && gh_pool_take_idle(pool, max_idle_ms, call);
}

static bool connect_fresh(struct gh_upstream_call *call, struct gh_pool *pool)
{
    const struct gh_upstream_settings *settings = &call->group->settings;
    if (settings->connections_max && pool->connections >= settings->connections_max)
        gh_pool_close_oldest(pool);
    call->address = atomic_load_explicit(&pool->server->preferred, memory_order_relaxed);
    call->addresses_left = gh_server_address_count(pool->server);
    call->connect_due_ms = gh_loop_now_ms(loop_of(call)) + settings->timeouts.connect_ms;
    return connect_next(call, pool);
}

/* Starts the next attempt. When there is none, the call ends with `failure`, that of the last. */
static void attempt(struct gh_upstream_call *call, enum gh_upstream_failure failure)
{
    while (call->attempts < GH_UPSTREAM_ATTEMPTS_MAX) {
        enum gh_upstream_failure none;
        struct gh_pool *pool = gh_balance_pick(call, &none);
        if (!pool) {
            failure = call->attempts ? failure : none;
            break;
        }
        call->attempts++;
        call->server = pool->server->url.text;
        if (take_idle(call, pool)) {
            call->connected_us = call->started_us;
            send_head(call);
            return;
        }
        if (!keep_body(call)) {
            failure = GH_UPSTREAM_BUSY;
            break;
        }
        if (connect_fresh(call, pool)) {
            gh_call_set_timer(call);
            return;
        }
        /* No socket could be had: our trouble, not the server's, but another may be reachable. */
        call->tried |= (uint64_t)1 << call->server_index;
        failure = GH_UPSTREAM_UNREACHABLE;
    }
    gh_call_fail(call, failure);
}

void gh_upstream_call_start(struct gh_upstream_call *call, struct gh_upstreams *upstreams,
                            struct gh_upstream_group *group,
                            const struct gh_upstream_request *request, struct gh_arena *arena,
                            const struct gh_upstream_call_events *events, void *owner)
{
    *call = (struct gh_upstream_call){
        .events = events,
        .owner = owner,
        .arena = arena,
        .group = group,
        .upstreams = upstreams,
        .request = *request,
    };
    call->started_us = gh_loop_now_us(upstreams->loop);
    if (request->idempotent && !keep_body(call))
        gh_call_fail(call, GH_UPSTREAM_BUSY);
    else
        attempt(call, GH_UPSTREAM_NO_SERVER);
}

/* ---- Trouble before the answer ---- */

static void try_another(struct gh_upstream_call *call, enum gh_upstream_failure failure)
{
    struct gh_server *server = call->group->servers[call->server_index];
    gh_server_note_failure(server, gh_loop_now_ms(loop_of(call)), call->trial);
    call->tried |= (uint64_t)1 << call->server_index;
    attempt(call, failure);
}

static void connect_timed_out(struct gh_upstream_call *call)
{
    call->error = gh_err_text(GH_ERR_TIMEOUT);
    gh_connection_close(call->connection);
    try_another(call, GH_UPSTREAM_TIMEOUT);
}

static void connect_failed(struct gh_upstream_call *call, enum gh_err err)
{
    struct gh_pool *pool = call->connection->pool;
    const char *tls_error = gh_stream_tls_error(&call->connection->stream);
    call->error = err == GH_ERR_TLS && *tls_error ? tls_error : gh_err_text(err);
    gh_connection_close(call->connection);
    if (connect_next(call, pool))
        return;
    try_another(call, err == GH_ERR_TIMEOUT ? GH_UPSTREAM_TIMEOUT : GH_UPSTREAM_UNREACHABLE);
}

void gh_call_lost(struct gh_upstream_call *call)
{
    bool was_reused = call->connection->reused;
    if (!call->request.idempotent || call->body_started) {
        gh_call_fail(call, GH_UPSTREAM_UNREACHABLE);
        return;
    }
    gh_connection_close(call->connection);
    call->ready = call->request_sent = false;
    /* A kept connection says nothing about the server, a fresh one that dies under the request
       does: not there again. */
    if (was_reused)
        call->fresh_only = true;
    else
        call->tried |= (uint64_t)1 << call->server_index;
    attempt(call, GH_UPSTREAM_UNREACHABLE);
}

/* ---- Events ---- */

void gh_call_on_open(struct gh_upstream_call *call)
{
    call->connected_us = gh_loop_now_us(loop_of(call));
    send_head(call);
}

void gh_call_on_error(struct gh_upstream_call *call, enum gh_err err)
{
    if (!call->connection->is_open)
        connect_failed(call, err);
    else if (call->answered)
        gh_call_fail(call, GH_UPSTREAM_CUT);
    else if (call->got_bytes)
        gh_call_fail(call, GH_UPSTREAM_BAD_RESPONSE);
    else
        gh_call_lost(call);
}

void gh_call_on_eof(struct gh_upstream_call *call)
{
    if (!call->connection->is_open)
        connect_failed(call, GH_ERR_CLOSED);
    else if (call->tunnel || (call->answered && call->body.kind == GH_BODY_CLOSE))
        gh_call_finish(call, gh_str_of("", 0), false);
    else if (call->answered)
        gh_call_fail(call, GH_UPSTREAM_CUT);
    else if (call->got_bytes)
        gh_call_fail(call, GH_UPSTREAM_BAD_RESPONSE);
    else
        gh_call_lost(call);
}

/* ---- What the owner does ---- */

bool gh_upstream_call_write(struct gh_upstream_call *call, const struct gh_str *slices,
                            size_t count)
{
    if (call->over)
        return true;
    /* Behind a head that announces no body they would be read as another request. */
    GH_ASSERT(call->request.has_body || call->tunnel);
    if (!call->ready) {
        /* Between two attempts. The bytes can't wait here, so the request can't be sent again. */
        call->body_lost = true;
        return false;
    }
    call->body_started = true;
    call->activity_ms = gh_loop_now_ms(loop_of(call));
    return gh_stream_write(&call->connection->stream, slices, count);
}

void gh_upstream_call_end(struct gh_upstream_call *call)
{
    if (call->over)
        return;
    call->ended = true;
    if (!call->ready || call->request_sent)
        return;
    call->request_sent = true;
    call->activity_ms = gh_loop_now_ms(loop_of(call));
}

void gh_upstream_call_pause(struct gh_upstream_call *call)
{
    if (call->over || call->paused)
        return;
    call->paused = true;
    if (call->ready)
        gh_stream_read_stop(&call->connection->stream);
}

void gh_upstream_call_resume(struct gh_upstream_call *call)
{
    if (call->over || !call->paused)
        return;
    call->paused = false;
    if (!call->ready)
        return;
    call->activity_ms = gh_loop_now_ms(loop_of(call));
    gh_stream_read_start(&call->connection->stream);
}

void gh_upstream_call_abort(struct gh_upstream_call *call)
{
    if (call->over || !call->upstreams)
        return;
    over(call);
    if (call->connection)
        gh_connection_close(call->connection);
}
