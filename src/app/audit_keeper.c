#include "app/audit_keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "app/anomaly_watch.h"
#include "app/audit_counts.h"
#include "app/audit_export.h"
#include "app/audit_feed.h"
#include "app/audit_signer.h"
#include "app/audit_waiting.h"
#include "base/assert.h"
#include "identity/session_touch.h"
#include "net/loop.h"

#define TURN_MS           100
#define TURN_NS           (TURN_MS * 1000000L)
#define ARENA_BLOCK_BYTES (256u * 1024)
#define ARENA_BYTES_MAX   (64u * 1024 * 1024)
/* Kinds of refusals that one worker tells apart in a tenth of a second, and all of them in a
   minute; together some megabytes, touched as they are used. */
#define TALLY_KINDS  1024
#define WINDOW_KINDS 4096
/* Pages of new records in one turn; what is behind waits for the next. */
#define PAGES_PER_TURN 8
/* What happened to the process and waits for the log. */
#define NOTICES_MAX    64
#define COMPLAIN_EVERY (60 * UINT64_C(1000000))
/* What other processes left is looked for so often. */
#define TAKE_OVER_US (60 * UINT64_C(1000000))
/* When sessions were last used is written so often. */
#define TOUCH_US (20 * UINT64_C(1000000))
/* New kinds of refusals: a scan is told of in full, and a flood of which no two are alike takes a
   thousandth of what the log can write, and three million records a day. */
static const struct gh_window_pace PACE = {.kinds_per_second = 32, .kinds_at_once = 512};

struct notice {
    uint64_t time_us;
    enum gh_audit_event event;
    enum gh_audit_outcome outcome;
    char metadata[GH_AUDIT_NOTICE_BYTES_MAX];
    size_t metadata_len;
};

struct gh_audit_keeper {
    struct gh_audit_keeper_options options;
    const struct gh_identity *identity;
    struct gh_log_ring *ring;
    struct gh_tally **tallies;
    struct gh_audit_waiting waiting;
    struct gh_session_touches *touches;
    uint64_t touch_us;     /* when they are written next */
    uint64_t take_over_us; /* when what other processes left is looked for next */
    struct gh_audit_feed feed;
    struct gh_audit_signer signer;
    struct gh_anomaly_watch *watch;
    struct gh_audit_exporter *exporter;
    struct gh_arena arena; /* of one step of a turn */
    uint64_t generation;   /* of the settings in use */
    uint64_t complain_us;  /* when a failure is told of again */
    bool failed;           /* in this turn */
    struct gh_audit_counts counts;

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t woken;
    struct notice notices[NOTICES_MAX];
    size_t notice_count;
    bool stop;
    pthread_t thread;
    bool running;
};

/* ---- Memory ---- */

struct gh_audit_keeper *gh_audit_keeper_new(const struct gh_audit_keeper_options *options)
{
    struct gh_audit_keeper *keeper = calloc(1, sizeof(*keeper));
    if (!keeper)
        return NULL;
    keeper->options = *options;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->woken, NULL);
    gh_arena_init(&keeper->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    keeper->tallies = calloc(options->worker_count, sizeof(struct gh_tally *));
    keeper->touches = gh_session_touches_new(options->hash_key);
    bool good = gh_audit_waiting_open(&keeper->waiting, WINDOW_KINDS, options->hash_key);
    if (good)
        gh_window_set_pace(keeper->waiting.window, PACE);
    good = good && keeper->tallies && keeper->touches;
    for (unsigned i = 0; good && i < options->worker_count; i++) {
        keeper->tallies[i] = gh_tally_new(TALLY_KINDS, options->hash_key);
        good = keeper->tallies[i] != NULL;
    }
    if (!good || gh_log_ring_open(options->log, &keeper->ring) != GH_OK) {
        gh_audit_keeper_free(keeper);
        return NULL;
    }
    return keeper;
}

void gh_audit_keeper_free(struct gh_audit_keeper *keeper)
{
    if (!keeper)
        return;
    gh_audit_keeper_stop(keeper);
    for (unsigned i = 0; keeper->tallies && i < keeper->options.worker_count; i++)
        gh_tally_free(keeper->tallies[i]);
    free(keeper->tallies);
    gh_audit_waiting_close(&keeper->waiting);
    gh_session_touches_free(keeper->touches);
    gh_anomaly_watch_free(keeper->watch);
    gh_audit_feed_end(&keeper->feed);
    if (keeper->identity)
        gh_audit_signer_close(&keeper->signer);
    gh_arena_done(&keeper->arena);
    pthread_cond_destroy(&keeper->woken);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

struct gh_tally *const *gh_audit_keeper_tallies(const struct gh_audit_keeper *keeper)
{
    return keeper->tallies;
}

/* ---- Readers of the log ---- */

static void count_record(void *context, const struct gh_audit_record *record,
                         struct gh_audit_feed_from from)
{
    struct gh_audit_keeper *keeper = context;
    if (!from.replayed && from.own)
        atomic_fetch_add(&keeper->counts.records[record->event], 1);
}

static void watch_record(void *context, const struct gh_audit_record *record,
                         struct gh_audit_feed_from from)
{
    struct gh_audit_keeper *keeper = context;
    gh_anomaly_watch_record(keeper->watch, record, from.replayed);
}

/* ---- Metrics ---- */

static void write_metrics(void *context, FILE *out)
{
    const struct gh_audit_keeper *keeper = context;
    gh_audit_counts_write(&keeper->counts,
                          keeper->exporter ? gh_audit_exporter_failing(keeper->exporter) : 0, out);
}

/* ---- Failures ---- */

/* Once a minute, for all that goes wrong. */
static void tell(struct gh_audit_keeper *keeper, enum gh_err err, const char *what)
{
    uint64_t now_us = gh_wall_now_us();
    bool known = keeper->failed || atomic_load(&keeper->counts.failing);
    bool soon = now_us < keeper->complain_us && keeper->complain_us - now_us <= COMPLAIN_EVERY;
    keeper->failed = true;
    if (soon && known)
        return;
    keeper->complain_us = now_us + COMPLAIN_EVERY;
    gh_log_message(keeper->ring, GH_LOG_ERROR,
                   "audit: %s: %s; %llu refusals wait, requests are served all the same", what,
                   gh_err_text(err),
                   (unsigned long long)gh_window_state(keeper->waiting.window).waiting);
}

static void note_state(struct gh_audit_keeper *keeper)
{
    struct gh_audit_counts *counts = &keeper->counts;
    if (atomic_load(&counts->failing) && !keeper->failed)
        gh_log_message(keeper->ring, GH_LOG_INFO, "audit: the log is written again");
    atomic_store(&counts->failing, keeper->failed);
    atomic_store(&counts->waiting, gh_window_state(keeper->waiting.window).waiting);
    atomic_store(&counts->checkpoint_us, keeper->signer.own.checkpoint_us);
    struct gh_anomaly_watch_counts found = gh_anomaly_watch_counts(keeper->watch);
    atomic_store(&counts->findings_lost, found.lost);
    atomic_store(&counts->findings_muted, found.muted);
    for (unsigned rule = 0; rule < GH_ANOMALY_RULE_COUNT; rule++)
        atomic_store(&counts->found[rule], found.found[rule]);
}

/* False: to be tried again. */
static bool is_settled(struct gh_audit_keeper *keeper, enum gh_err err, size_t invalid)
{
    if (err != GH_OK) {
        tell(keeper, err, "the log can't be written");
        return false;
    }
    atomic_fetch_add(&keeper->counts.lost, invalid);
    if (invalid)
        gh_log_message(keeper->ring, GH_LOG_ERROR,
                       "audit: %zu events can be no records and are given up: a fault of gatehouse",
                       invalid);
    return true;
}

static bool append(struct gh_audit_keeper *keeper, const struct gh_audit_record *records,
                   size_t count)
{
    size_t invalid = 0;
    enum gh_err err =
        gh_audit_log_append_valid(keeper->identity, &keeper->arena, records, count, &invalid);
    return is_settled(keeper, err, invalid);
}

/* ---- Refusals ---- */

static void take(struct gh_audit_keeper *keeper, uint64_t now_us)
{
    for (unsigned i = 0; i < keeper->options.worker_count; i++) {
        struct gh_tally_taken taken;
        gh_tally_take(keeper->tallies[i], &taken);
        gh_window_add(keeper->waiting.window, &taken, now_us);
        for (size_t k = 0; k < taken.traffic_count; k++) {
            const struct gh_tally_traffic *traffic = &taken.traffic[k];
            struct gh_anomaly_requests requests = {.account = traffic->user_id,
                                                   .client = traffic->client,
                                                   .requests = traffic->requests,
                                                   .missing = traffic->missing,
                                                   .now_us = now_us};
            gh_anomaly_watch_traffic(keeper->watch, &requests);
            gh_session_touches_add(keeper->touches, traffic->session, now_us);
        }
    }
}

static void tell_recovered(struct gh_audit_keeper *keeper, enum gh_err err,
                           const struct gh_audit_recovered *recovered)
{
    if (err != GH_OK)
        tell(keeper, err, "counts of refusals of an earlier process can't be written");
    atomic_fetch_add(&keeper->counts.lost, recovered->damaged);
    if (recovered->records || recovered->damaged)
        gh_log_message(keeper->ring, GH_LOG_INFO,
                       "audit: %zu counts of refusals that were saved are in the log now, %zu were "
                       "damaged",
                       recovered->records, recovered->damaged);
}

static void recover(struct gh_audit_keeper *keeper, uint64_t now_us)
{
    struct gh_audit_recovered recovered;
    enum gh_err err =
        gh_audit_waiting_recover(&keeper->waiting, &keeper->arena, now_us, &recovered);
    tell_recovered(keeper, err, &recovered);
}

/* One batch. True: there may be more. */
static bool write_batch(struct gh_audit_keeper *keeper, uint64_t now_us, bool all)
{
    struct gh_audit_waiting_written written;
    enum gh_err err =
        gh_audit_waiting_write(&keeper->waiting, &keeper->arena, now_us, all, &written);
    if (!is_settled(keeper, err, written.invalid))
        return false;
    atomic_fetch_add(&keeper->counts.overflow, written.overflow);
    atomic_fetch_add(&keeper->counts.coalesced, written.coalesced);
    return written.more;
}

static void save_counts(struct gh_audit_keeper *keeper, uint64_t now_us, bool last)
{
    enum gh_err err = gh_audit_waiting_save(&keeper->waiting, &keeper->arena, now_us, last);
    if (err != GH_OK)
        tell(keeper, err, "counts of refusals can't be saved");
}

/* ---- Reloads and findings ---- */

void gh_audit_keeper_note(struct gh_audit_keeper *keeper, enum gh_audit_event event,
                          enum gh_audit_outcome outcome, struct gh_str metadata)
{
    GH_ASSERT(metadata.len <= GH_AUDIT_NOTICE_BYTES_MAX);
    pthread_mutex_lock(&keeper->lock);
    if (keeper->notice_count < NOTICES_MAX) {
        struct notice *notice = &keeper->notices[keeper->notice_count++];
        *notice = (struct notice){.time_us = gh_wall_now_us(), .event = event, .outcome = outcome};
        memcpy(notice->metadata, metadata.ptr, metadata.len);
        notice->metadata_len = metadata.len;
    } else {
        atomic_fetch_add(&keeper->counts.lost, 1);
    }
    pthread_mutex_unlock(&keeper->lock);
}

void gh_audit_keeper_reloaded(struct gh_audit_keeper *keeper, bool taken_up)
{
    gh_audit_keeper_note(
        keeper, GH_AUDIT_CONFIG_RELOADED, taken_up ? GH_AUDIT_SUCCESS : GH_AUDIT_FAILURE,
        taken_up ? GH_STR("{\"outcome\":\"taken up\"}") : GH_STR("{\"outcome\":\"refused\"}"));
}

static void write_notices(struct gh_audit_keeper *keeper)
{
    struct gh_audit_record records[NOTICES_MAX];
    gh_arena_reset(&keeper->arena);
    pthread_mutex_lock(&keeper->lock);
    size_t count = keeper->notice_count;
    for (size_t i = 0; i < count; i++) {
        const struct notice *notice = &keeper->notices[i];
        records[i] = (struct gh_audit_record){
            .time_us = notice->time_us,
            .event = notice->event,
            .outcome = notice->outcome,
            .metadata = gh_str_of(notice->metadata, notice->metadata_len),
        };
    }
    pthread_mutex_unlock(&keeper->lock);
    /* Others only add behind these. */
    if (!count || !append(keeper, records, count))
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->notice_count -= count;
    memmove(keeper->notices, keeper->notices + count,
            keeper->notice_count * sizeof(*keeper->notices));
    pthread_mutex_unlock(&keeper->lock);
}

static void write_findings(struct gh_audit_keeper *keeper)
{
    size_t count;
    const struct gh_audit_record *records = gh_anomaly_watch_findings(keeper->watch, &count);
    gh_arena_reset(&keeper->arena);
    if (count && append(keeper, records, count))
        gh_anomaly_watch_written(keeper->watch, count);
}

/* ---- Turns ---- */

static void write_touches(struct gh_audit_keeper *keeper, uint64_t now_us, bool last)
{
    bool soon = now_us < keeper->touch_us && keeper->touch_us - now_us <= TOUCH_US;
    if (soon && !last)
        return;
    keeper->touch_us = now_us + TOUCH_US;
    gh_arena_reset(&keeper->arena);
    enum gh_err err =
        gh_session_touches_write(keeper->touches, keeper->identity->store, &keeper->arena);
    if (err != GH_OK)
        tell(keeper, err, "when sessions were used can't be written");
}

static void tell_passed(struct gh_audit_keeper *keeper, const struct gh_audit_passed *passed)
{
    if (!passed->count)
        return;
    atomic_fetch_add(&keeper->counts.unreadable, passed->count);
    gh_log_message(keeper->ring, GH_LOG_ERROR,
                   "audit: %llu rows of the log can be no records and are passed over, the last is "
                   "%llu: somebody else wrote them; see gatehouse audit verify",
                   (unsigned long long)passed->count, (unsigned long long)passed->last_seq);
}

static void read_new(struct gh_audit_keeper *keeper, uint64_t now_us, bool all)
{
    bool more = true;
    gh_anomaly_watch_turn(keeper->watch, now_us, gh_audit_feed_place(&keeper->feed));
    for (int i = 0; more && (all || i < PAGES_PER_TURN); i++) {
        enum gh_err err = gh_audit_feed_turn(&keeper->feed, &keeper->arena, now_us, all, &more);
        if (err != GH_OK) {
            tell(keeper, err, "the log can't be read");
            return;
        }
        tell_passed(keeper, &keeper->feed.passed);
    }
    if (!more)
        gh_anomaly_watch_claim(keeper->watch, all);
}

static void tell_unsigned(struct gh_audit_keeper *keeper, enum gh_err err)
{
    if (err != GH_OK)
        tell(keeper, err,
             err == GH_ERR_REFUSED
                 ? "records that were signed are gone or changed: nothing more is signed"
                 : "no checkpoint can be signed");
}

static void sign(struct gh_audit_keeper *keeper, const struct gh_audit_settings *settings,
                 uint64_t now_us, bool last)
{
    bool is_signed = false;
    uint64_t dropped = 0;
    gh_arena_reset(&keeper->arena);
    const struct gh_audit_feed_chain *own = gh_audit_feed_own(&keeper->feed);
    enum gh_err err =
        gh_audit_signer_turn(&keeper->signer, settings, own ? own->id : 0, own ? own->cursor : 0,
                             now_us, last, &keeper->arena, &is_signed);
    tell_unsigned(keeper, err);
    gh_arena_reset(&keeper->arena);
    err = last
              ? GH_OK
              : gh_audit_signer_retain(&keeper->signer, settings, now_us, &keeper->arena, &dropped);
    if (err != GH_OK)
        tell(keeper, err, "what is too old can't be dropped");
    if (keeper->signer.tell_doubt)
        gh_log_message(keeper->ring, GH_LOG_WARNING,
                       "audit: nothing is dropped for its age, since %s",
                       gh_audit_clock_text(keeper->signer.verdict));
    if (dropped)
        gh_log_message(keeper->ring, GH_LOG_INFO, "audit: %llu records were too old and dropped",
                       (unsigned long long)dropped);
}

/* What processes left that ended without their last turn: counts, and records without a checkpoint.
   Somebody who takes up their chain goes on with it. */
static void take_over(struct gh_audit_keeper *keeper, const struct gh_audit_settings *settings,
                      uint64_t now_us, bool last)
{
    size_t is_signed = 0;
    bool soon = now_us < keeper->take_over_us && keeper->take_over_us - now_us <= TAKE_OVER_US;
    if (last || !keeper->waiting.recovered || keeper->feed.chain_count < 2)
        return;
    for (size_t i = 0; !soon && i < keeper->feed.chain_count; i++) {
        struct gh_audit_recovered recovered;
        if (keeper->feed.chains[i].holder != GH_AUDIT_HELD_BY_NOBODY)
            continue;
        enum gh_err err = gh_audit_waiting_recover_chain(
            &keeper->waiting, &keeper->arena, keeper->feed.chains[i].id, now_us, &recovered);
        tell_recovered(keeper, err, &recovered);
    }
    if (!soon)
        keeper->take_over_us = now_us + TAKE_OVER_US;
    gh_arena_reset(&keeper->arena);
    tell_unsigned(keeper, gh_audit_signer_turn_others(&keeper->signer, settings, now_us,
                                                      &keeper->arena, &is_signed));
}

static void adopt(struct gh_audit_keeper *keeper, const struct gh_snapshot *snapshot)
{
    if (snapshot->generation == keeper->generation)
        return;
    if (keeper->generation) {
        gh_anomaly_watch_set(keeper->watch, &snapshot->audit->anomaly);
        gh_audit_exporter_set(keeper->exporter, snapshot->audit);
    }
    keeper->generation = snapshot->generation;
}

static void turn(struct gh_audit_keeper *keeper, bool last)
{
    struct gh_snapshot *snapshot = keeper->options.snapshot(keeper->options.context);
    uint64_t now_us = gh_wall_now_us(), before = keeper->feed.told;
    keeper->failed = false;
    adopt(keeper, snapshot);
    take(keeper, now_us);
    recover(keeper, now_us);
    while (write_batch(keeper, now_us, last)) {
    }
    save_counts(keeper, now_us, last);
    write_notices(keeper);
    read_new(keeper, now_us, last);
    write_findings(keeper);
    sign(keeper, snapshot->audit, now_us, last);
    take_over(keeper, snapshot->audit, now_us, last);
    write_touches(keeper, now_us, last);
    note_state(keeper);
    if (keeper->feed.told != before)
        gh_audit_exporter_wake(keeper->exporter);
    gh_log_flush(keeper->ring);
    gh_snapshot_unref(snapshot);
}

/* Waits for the next turn. False: the end. */
static bool wait(struct gh_audit_keeper *keeper)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TURN_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&keeper->lock);
    if (!keeper->stop)
        pthread_cond_timedwait(&keeper->woken, &keeper->lock, &until);
    bool go_on = !keeper->stop;
    pthread_mutex_unlock(&keeper->lock);
    return go_on;
}

static void *keep(void *arg)
{
    struct gh_audit_keeper *keeper = arg;
    do {
        turn(keeper, false);
    } while (wait(keeper));
    turn(keeper, true);
    return NULL;
}

/* ---- Beginning and end ---- */

enum gh_err gh_audit_keeper_open(struct gh_audit_keeper *keeper, const struct gh_identity *identity,
                                 struct gh_arena *arena, struct gh_str *out_message)
{
    *out_message = GH_STR("the keys of the audit log can't be read");
    keeper->identity = keeper->waiting.identity = identity;
    return gh_audit_signer_open(&keeper->signer, identity, gh_wall_now_us(), arena);
}

/* What looks at new records, and where they go. */
static enum gh_err begin(struct gh_audit_keeper *keeper, const struct gh_audit_settings *settings)
{
    uint64_t now_us = gh_wall_now_us();
    uint64_t since_us = now_us > GH_ANOMALY_REPLAY_US ? now_us - GH_ANOMALY_REPLAY_US : 0;
    struct gh_audit_exporter_options options = {
        .identity = keeper->identity,
        .log = keeper->options.log,
    };
    enum gh_err err =
        gh_audit_feed_begin(&keeper->feed, keeper->identity, since_us, &keeper->arena);
    if (err != GH_OK)
        return err;
    keeper->watch = gh_anomaly_watch_new(&settings->anomaly, keeper->options.sanctions,
                                         keeper->options.hash_key);
    if (!keeper->watch)
        return GH_ERR_MEMORY;
    gh_audit_feed_add(&keeper->feed, count_record, keeper);
    gh_audit_feed_add(&keeper->feed, watch_record, keeper);
    return gh_audit_exporter_open(&options, settings, &keeper->exporter);
}

enum gh_err gh_audit_keeper_start(struct gh_audit_keeper *keeper)
{
    struct gh_snapshot *snapshot = keeper->options.snapshot(keeper->options.context);
    enum gh_err err = begin(keeper, snapshot->audit);
    keeper->generation = snapshot->generation;
    gh_snapshot_unref(snapshot);
    if (err != GH_OK)
        return err;
    gh_metrics_add_source(keeper->options.metrics, write_metrics, keeper);
    if (pthread_create(&keeper->thread, NULL, keep, keeper) != 0)
        return GH_ERR_MEMORY;
    keeper->running = true;
    return GH_OK;
}

void gh_audit_keeper_stop(struct gh_audit_keeper *keeper)
{
    if (keeper->running) {
        pthread_mutex_lock(&keeper->lock);
        keeper->stop = true;
        pthread_cond_signal(&keeper->woken);
        pthread_mutex_unlock(&keeper->lock);
        pthread_join(keeper->thread, NULL);
        keeper->running = false;
    }
    gh_audit_exporter_close(keeper->exporter);
    keeper->exporter = NULL;
}
