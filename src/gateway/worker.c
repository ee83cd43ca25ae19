#include "gateway/worker.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "gateway/accept.h"
#include "gateway/exchange_pool.h"
#include "gateway/h2_slots.h"
#include "gateway/session_watch.h"

/* Answers come by one read at least, whatever there is room for. */
#define SCARCE_READ_BYTES (16 * 1024)

void gh_worker_pace_reads(struct gh_worker *worker)
{
    bool scarce = gh_body_budget_is_scarce(&worker->shared->kept_answers);
    gh_loop_set_read_bytes(worker->loop, scarce ? SCARCE_READ_BYTES : GH_STREAM_READ_BYTES);
}

static void on_turn(void *arg)
{
    struct gh_worker *worker = arg;
    gh_worker_pace_reads(worker); /* other workers' connections keep answers, too */
    if (worker->turn_list)
        gh_connection_turn_all(worker);
    gh_log_flush(worker->log);
}

/* Its work is done by on_turn, which follows. */
static void on_turn_again(void *arg)
{
    (void)arg;
}

void gh_worker_turn_again(struct gh_worker *worker)
{
    worker->turn_again.fn = on_turn_again;
    gh_loop_task_start(worker->loop, &worker->turn_again);
}

static enum gh_err open_gate(struct gh_worker *worker)
{
    const struct gh_shared *shared = worker->shared;
    if (!shared->revocations)
        return GH_OK;
    worker->gate = gh_gate_new(shared->revocations, shared->hash_key);
    return worker->gate ? GH_OK : GH_ERR_MEMORY;
}

enum gh_err gh_worker_open(struct gh_worker *worker, unsigned index, struct gh_shared *shared,
                           struct gh_log *log)
{
    *worker = (struct gh_worker){.index = index, .shared = shared};
    worker->tally = shared->tallies ? shared->tallies[index] : NULL;
    enum gh_err err = gh_loop_open(&worker->loop);
    if (err != GH_OK)
        return err;
    err = gh_log_ring_open(log, &worker->log);
    if (err == GH_OK)
        err = open_gate(worker);
    worker->http2_slots = gh_h2_slots_open();
    if (err == GH_OK && !worker->http2_slots)
        err = GH_ERR_MEMORY;
    if (err == GH_OK)
        err = gh_upstreams_open(worker->loop, index, &worker->upstreams);
    if (err != GH_OK) {
        if (worker->http2_slots)
            gh_h2_slots_close(worker->http2_slots);
        if (worker->gate)
            gh_gate_free(worker->gate);
        gh_loop_stop(worker->loop);
        gh_loop_run(worker->loop);
        gh_loop_close(worker->loop);
        return err;
    }
    gh_loop_on_turn(worker->loop, on_turn, worker);
    if (worker->gate)
        gh_session_watch_start(worker);
    return GH_OK;
}

void gh_worker_close(struct gh_worker *worker)
{
    GH_ASSERT(worker->connections == NULL && worker->service_calls == 0);
    if (worker->pin)
        gh_worker_unpin(worker, worker->pin);
    worker->pin = NULL;
    gh_exchange_pool_free(worker);
    if (worker->gate)
        gh_gate_free(worker->gate);
    gh_loop_close(worker->loop);
    gh_h2_slots_close(worker->http2_slots);
}

/* ---- Snapshots ---- */

/* Takes over both references. */
static enum gh_err change_pin(struct gh_worker *worker, struct gh_snapshot *snapshot,
                              struct gh_gate_version *gate)
{
    struct gh_pin *pin = calloc(1, sizeof(*pin));
    if (!pin)
        return GH_ERR_MEMORY;
    *pin = (struct gh_pin){.snapshot = snapshot, .gate = gate, .users = 1};
    struct gh_pin *old = worker->pin;
    worker->pin = pin;
    if (old)
        gh_worker_unpin(worker, old);
    return GH_OK;
}

enum gh_err gh_worker_adopt(struct gh_worker *worker, struct gh_snapshot *snapshot)
{
    struct gh_gate_version *gate = snapshot->gate;
    if (!gate && worker->pin)
        gate = worker->pin->gate;
    if (gate)
        gh_gate_version_ref(gate);
    enum gh_err err = change_pin(worker, snapshot, gate);
    if (err != GH_OK && gate)
        gh_gate_version_unref(gate);
    return err;
}

enum gh_err gh_worker_adopt_gate(struct gh_worker *worker, struct gh_gate_version *version)
{
    struct gh_snapshot *snapshot = worker->pin->snapshot;
    gh_snapshot_ref(snapshot);
    enum gh_err err = change_pin(worker, snapshot, version);
    if (err != GH_OK)
        gh_snapshot_unref(snapshot);
    return err;
}

struct gh_pin *gh_worker_pin(struct gh_worker *worker)
{
    worker->pin->users++;
    return worker->pin;
}

void gh_worker_unpin(struct gh_worker *worker, struct gh_pin *pin)
{
    GH_ASSERT(pin->users > 0);
    if (--pin->users)
        return;
    gh_snapshot_unref(pin->snapshot);
    if (pin->gate)
        gh_gate_version_unref(pin->gate);
    free(pin);
    if (worker->upstreams)
        gh_upstreams_sweep(worker->upstreams);
}

/* ---- Listening ---- */

enum gh_err gh_worker_listen(struct gh_worker *worker, const struct gh_listen_settings *settings,
                             int fd)
{
    struct gh_listen_slot *slot = calloc(1, sizeof(*slot) + settings->text.len);
    if (!slot) {
        close(fd);
        return GH_ERR_MEMORY;
    }
    char *text = (char *)(slot + 1);
    memcpy(text, settings->text.ptr, settings->text.len);
    slot->worker = worker;
    slot->text = gh_str_of(text, settings->text.len);
    slot->tls = settings->tls ? gh_tls_server_ref(settings->tls) : NULL;
    slot->proxy_protocol = settings->proxy_protocol;
    slot->admin = settings->admin;
    slot->refuse_plain = settings->refuse_plain;
    slot->h2c = settings->h2c;
    enum gh_err err = gh_listener_open(worker->loop, fd, settings->address.path != NULL,
                                       &gh_accept_listener_events, slot,
                                       &gh_connection_stream_events, &slot->listener);
    if (err != GH_OK) {
        if (slot->tls)
            gh_tls_server_unref(slot->tls);
        free(slot);
        return err;
    }
    slot->next = worker->listen_slots;
    worker->listen_slots = slot;
    return GH_OK;
}

struct gh_listen_slot *gh_worker_find_listen(struct gh_worker *worker, struct gh_str text)
{
    struct gh_listen_slot *slot = worker->listen_slots;
    while (slot && !gh_str_eq(slot->text, text))
        slot = slot->next;
    return slot;
}

static void free_slot_if_unused(struct gh_listen_slot *slot)
{
    if (!slot->closed || slot->connections)
        return;
    if (slot->tls)
        gh_tls_server_unref(slot->tls);
    free(slot);
}

void gh_worker_stop_listening(struct gh_worker *worker, struct gh_listen_slot *slot)
{
    struct gh_listen_slot **link = &worker->listen_slots;
    while (*link != slot)
        link = &(*link)->next;
    *link = slot->next;
    gh_listener_close(slot->listener);
    slot->closed = true;
    free_slot_if_unused(slot);
}

void gh_listen_slot_release(struct gh_listen_slot *slot)
{
    GH_ASSERT(slot->connections > 0);
    slot->connections--;
    free_slot_if_unused(slot);
}

/* ---- Draining ---- */

static void end_if_drained(struct gh_worker *worker)
{
    if (!worker->draining || worker->connections || worker->service_calls || !worker->on_drained)
        return;
    void (*on_drained)(struct gh_worker *) = worker->on_drained;
    worker->on_drained = NULL;
    gh_timer_stop(worker->loop, &worker->drain_timer);
    gh_timer_stop(worker->loop, &worker->session_timer);
    on_drained(worker);
}

static void on_drain_deadline(struct gh_timer *timer)
{
    struct gh_worker *worker =
        (struct gh_worker *)((char *)timer - offsetof(struct gh_worker, drain_timer));
    struct gh_connection *next;
    for (struct gh_connection *connection = worker->connections; connection; connection = next) {
        next = connection->next;
        gh_connection_kill(connection);
    }
}

void gh_worker_drain(struct gh_worker *worker, uint64_t deadline_ms)
{
    uint64_t now_ms = gh_loop_now_ms(worker->loop);
    worker->draining = true;
    while (worker->listen_slots)
        gh_worker_stop_listening(worker, worker->listen_slots);
    struct gh_connection *next;
    for (struct gh_connection *connection = worker->connections; connection; connection = next) {
        next = connection->next;
        gh_connection_drain(connection);
    }
    gh_timer_start(worker->loop, &worker->drain_timer,
                   deadline_ms > now_ms ? deadline_ms - now_ms : 0, on_drain_deadline);
    end_if_drained(worker);
}

void gh_worker_connection_gone(struct gh_worker *worker)
{
    GH_ASSERT(worker->connection_count > 0);
    worker->connection_count--;
    end_if_drained(worker);
}

void gh_worker_service_call_gone(struct gh_worker *worker)
{
    GH_ASSERT(worker->service_calls > 0);
    worker->service_calls--;
    end_if_drained(worker);
}

/* ---- Facts that stages are given ---- */

void gh_worker_random(struct gh_worker *worker, uint8_t out_bytes[16])
{
    if (worker->random_left < 16) {
        size_t have = 0;
        while (have < sizeof(worker->random)) {
            ssize_t got = getrandom(worker->random + have, sizeof(worker->random) - have, 0);
            GH_ASSERT(got > 0); /* the kernel's pool is ready long before us */
            have += (size_t)got;
        }
        worker->random_left = sizeof(worker->random);
    }
    worker->random_left -= 16;
    memcpy(out_bytes, worker->random + worker->random_left, 16);
}

/* Both texts of a second are made once, not once a request. */
static void set_date(struct gh_worker *worker, uint64_t second)
{
    static const char DAYS[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char MONTHS[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)second;
    struct tm utc;
    gmtime_r(&now, &utc);
    struct gh_buf text = gh_buf_over(worker->date, sizeof(worker->date));
    gh_buf_format(&text, "%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[utc.tm_wday], utc.tm_mday,
                  MONTHS[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    struct gh_buf log_text = gh_buf_over(worker->log_date, sizeof(worker->log_date));
    gh_buf_format(&log_text, "%04d-%02d-%02dT%02d:%02d:%02d", utc.tm_year + 1900, utc.tm_mon + 1,
                  utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
    GH_ASSERT(!text.overflow && !log_text.overflow);
    worker->date_len = text.len;
    worker->log_date_len = log_text.len;
    worker->date_second = second;
}

static void look_at_wall_clock(struct gh_worker *worker)
{
    uint64_t now_ms = gh_loop_now_ms(worker->loop);
    if (now_ms == worker->wall_ms)
        return;
    worker->wall_ms = now_ms;
    worker->wall_us = gh_wall_now_us();
    worker->wall_loop_us = gh_loop_now_us(worker->loop);
}

uint64_t gh_worker_wall_us(struct gh_worker *worker, uint64_t loop_us)
{
    look_at_wall_clock(worker);
    return worker->wall_us + loop_us - worker->wall_loop_us;
}

uint64_t gh_worker_now_s(struct gh_worker *worker)
{
    look_at_wall_clock(worker);
    return worker->wall_us / 1000000;
}

struct gh_str gh_worker_date(struct gh_worker *worker, uint64_t wall_us)
{
    if (wall_us / 1000000 != worker->date_second)
        set_date(worker, wall_us / 1000000);
    return gh_str_of(worker->date, worker->date_len);
}

struct gh_str gh_worker_log_date(struct gh_worker *worker, uint64_t wall_us)
{
    if (wall_us / 1000000 != worker->date_second)
        set_date(worker, wall_us / 1000000);
    return gh_str_of(worker->log_date, worker->log_date_len);
}
