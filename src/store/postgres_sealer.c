#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "store/postgres_pool.h"
#include "store/postgres_sealer_state.h"

#define QUEUE_DEFAULT       64
#define LOOK_MS_DEFAULT     2000
#define PATIENCE_MS_DEFAULT 10000
#define RETRY_MS            50 /* after a failure; then twice as long, ... */
#define RETRY_MAX_MS        1000
#define STOP_TRIES          2 /* then what is unsealed is left to others */
#define BACKOFF_MAX_MS      64
#define PASS_BLOCK_BYTES    (256u << 10)
#define PASS_BYTES_MAX      (64u << 20)

/* ---- Waiting; the lock is held ---- */

static void wait_until(struct gh_postgres_sealer *sealer, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_cond_timedwait(&sealer->changed, &sealer->lock, &until);
}

/* The first time at once: where a connection was lost, another one may be had. */
static void wait_after(struct gh_postgres_sealer *sealer, unsigned failures)
{
    int64_t ms = failures < 7 ? (int64_t)RETRY_MS << failures >> 2 : RETRY_MAX_MS;
    int64_t until_ms = gh_postgres_now_ms() + (failures > 1 ? ms : 0);
    while (!sealer->is_stopping && gh_postgres_now_ms() < until_ms)
        wait_until(sealer, until_ms);
}

static bool is_late(const struct gh_postgres_sealer *sealer, int64_t until_ms)
{
    return gh_postgres_haste_is_late(sealer->target.haste, until_ms);
}

static struct gh_postgres_job *take_job(struct gh_postgres_sealer *sealer)
{
    struct gh_postgres_job *job = sealer->first;
    if (!job)
        return NULL;
    sealer->first = job->next;
    if (!sealer->first)
        sealer->last = NULL;
    sealer->queued--;
    return job;
}

/* ---- Bulk units ---- */

/* What the unit has appended goes with it. */
static enum gh_err run_and_flush(struct gh_tx *tx, void *args)
{
    struct gh_postgres_job *job = args;
    struct gh_postgres_tx *unit = (struct gh_postgres_tx *)tx;
    enum gh_err err = job->unit(tx, job->args);
    return err == GH_OK ? gh_postgres_batch_flush(unit, &unit->sealer->batch) : err;
}

static void back_off(unsigned tries)
{
    int64_t ms = gh_postgres_jitter_ms(tries < 6 ? (int64_t)1 << tries : BACKOFF_MAX_MS);
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

/* The answer to the COMMIT was lost: asks on the next connection, once. GH_ERR_IO: it has not
   committed, or nobody can say. */
static enum gh_err settle(struct gh_postgres_sealer *sealer, const struct gh_postgres_unit_id *id,
                          int64_t until_ms, enum gh_postgres_next *out_next)
{
    bool committed = false;
    *out_next = GH_POSTGRES_DONE;
    enum gh_err err = gh_postgres_sealer_connect(sealer, &sealer->arena, NULL);
    for (unsigned tries = 0; err != GH_OK && !is_late(sealer, until_ms); tries++) {
        back_off(tries);
        err = gh_postgres_sealer_connect(sealer, &sealer->arena, NULL);
    }
    if (err == GH_OK)
        err = gh_postgres_unit_settle(&sealer->connection, id, &committed);
    if (err == GH_OK && !committed)
        *out_next = GH_POSTGRES_TRY_AGAIN;
    return committed ? GH_OK : GH_ERR_IO;
}

static enum gh_err try_job(struct gh_postgres_sealer *sealer, struct gh_postgres_job *job,
                           int64_t until_ms, enum gh_postgres_next *out_next)
{
    struct gh_postgres_unit_id id;
    struct gh_postgres_tx tx = gh_postgres_sealer_tx(sealer, job->arena);
    enum gh_err err = gh_postgres_unit_try(&tx, run_and_flush, job, &id, out_next);
    bool was_lost = *out_next == GH_POSTGRES_SETTLE;
    gh_postgres_batch_end(&sealer->batch, err == GH_OK && *out_next == GH_POSTGRES_DONE);
    if (was_lost)
        err = settle(sealer, &id, until_ms, out_next);
    gh_postgres_sealer_note_written(sealer, was_lost || err == GH_OK);
    return err;
}

/* What another process has to seal now is no failure of the server. */
static bool is_fine(enum gh_err err)
{
    return err == GH_OK || err == GH_ERR_TIMEOUT;
}

/* A connection, and nothing unsealed: the unit comes behind that. */
static enum gh_err prepare(struct gh_postgres_sealer *sealer)
{
    enum gh_err err = gh_postgres_sealer_connect(sealer, &sealer->arena, NULL);
    if (err == GH_OK)
        err = gh_postgres_sealer_seal(sealer);
    if (!is_fine(err))
        return GH_ERR_IO;
    sealer->failing_since_ms = 0;
    return GH_OK;
}

static enum gh_err run_job(struct gh_postgres_sealer *sealer, struct gh_postgres_job *job,
                           bool is_prepared)
{
    int64_t until_ms = gh_postgres_now_ms() + sealer->patience_ms;
    for (unsigned tries = 0;; tries++) {
        enum gh_postgres_next next = GH_POSTGRES_TRY_AGAIN;
        enum gh_err err = is_prepared ? GH_OK : prepare(sealer);
        if (err == GH_OK)
            err = try_job(sealer, job, until_ms, &next);
        if (next == GH_POSTGRES_DONE || is_late(sealer, until_ms))
            return err;
        is_prepared = false;
        back_off(tries);
    }
}

/* ---- The thread ---- */

static enum gh_err keep_up(struct gh_postgres_sealer *sealer)
{
    enum gh_err err = gh_postgres_sealer_connect(sealer, &sealer->arena, NULL);
    if (err == GH_OK)
        err = gh_postgres_sealer_seal(sealer);
    if (is_fine(err) && gh_postgres_now_ms() >= sealer->look_at_ms) {
        gh_postgres_sealer_look(sealer);
        sealer->look_at_ms = gh_postgres_now_ms() + sealer->look_ms;
    }
    gh_arena_reset(&sealer->arena);
    if (is_fine(err))
        sealer->failing_since_ms = 0;
    else if (!sealer->failing_since_ms)
        sealer->failing_since_ms = gh_postgres_now_ms();
    return err;
}

/* The server could not be used for so long that nobody should wait for it. */
static bool is_away(const struct gh_postgres_sealer *sealer)
{
    return sealer->failing_since_ms &&
           gh_postgres_now_ms() - sealer->failing_since_ms > sealer->patience_ms;
}

/* What a turn begins with; if nothing fails it is sealed by its end. */
struct turn {
    uint64_t committed;
    struct gh_postgres_had own;
    int64_t begun_ms;
};

/* Who waits for that does not wait for the bulk unit of this turn. */
static void tell_sealed(struct gh_postgres_sealer *sealer, const struct turn *turn, bool is_all)
{
    pthread_mutex_lock(&sealer->lock);
    struct gh_postgres_had *own = &sealer->chains[0];
    if (own->chain == turn->own.chain) {
        own->waiting -= turn->own.waiting;
        own->since_ms = turn->begun_ms;
    }
    sealer->linked = turn->committed;
    if (is_all)
        sealer->sealed = turn->committed;
    pthread_cond_broadcast(&sealer->changed);
    pthread_mutex_unlock(&sealer->lock);
}

/* The lock is held. */
static void answer(struct gh_postgres_job *job, enum gh_err result)
{
    job->result = result;
    job->done = true;
}

/* One turn; the lock is held, and not while it works. */
static enum gh_err take_turn(struct gh_postgres_sealer *sealer)
{
    const struct turn turn = {sealer->committed, sealer->chains[0], gh_postgres_now_ms()};
    bool is_behind = sealer->sealed != turn.committed;
    struct gh_postgres_job *job = take_job(sealer), *unused;
    if (sealer->is_stopping)
        sealer->ask_at_ms = 0;
    pthread_mutex_unlock(&sealer->lock);
    bool looks = is_behind || gh_postgres_now_ms() >= sealer->look_at_ms;
    enum gh_err err = looks || !gh_postgres_is_up(&sealer->connection) ? keep_up(sealer) : GH_OK;
    enum gh_err result = GH_ERR_IO;
    if (is_fine(err) && is_behind)
        tell_sealed(sealer, &turn, err == GH_OK);
    if (job && !is_away(sealer))
        result = run_job(sealer, job, is_fine(err));
    pthread_mutex_lock(&sealer->lock);
    if (job)
        answer(job, result);
    while (is_away(sealer) && (unused = take_job(sealer)))
        answer(unused, GH_ERR_IO);
    pthread_cond_broadcast(&sealer->changed);
    return err;
}

/* What another process has to seal is asked about at times; not when this one ends. */
static int64_t next_look_ms(const struct gh_postgres_sealer *sealer)
{
    bool asks = sealer->sealed != sealer->linked && sealer->ask_at_ms < sealer->look_at_ms;
    return asks ? sealer->ask_at_ms : sealer->look_at_ms;
}

static bool has_work(const struct gh_postgres_sealer *sealer)
{
    return sealer->first || sealer->linked != sealer->committed;
}

static void *work(void *argument)
{
    struct gh_postgres_sealer *sealer = argument;
    unsigned failures = 0;
    pthread_mutex_lock(&sealer->lock);
    while (!sealer->is_stopping || (has_work(sealer) && failures < STOP_TRIES)) {
        if (failures)
            wait_after(sealer, failures);
        else if (!has_work(sealer) && gh_postgres_now_ms() < next_look_ms(sealer)) {
            wait_until(sealer, next_look_ms(sealer));
            continue;
        }
        failures = is_fine(take_turn(sealer)) ? 0 : failures + 1;
    }
    pthread_mutex_unlock(&sealer->lock);
    return NULL;
}

/* ---- For others ---- */

/* NULL: it was forgotten. The lock is held. */
static struct gh_postgres_had *find_chain(struct gh_postgres_sealer *sealer, uint32_t chain)
{
    for (size_t i = 0; i < sealer->chain_count; i++)
        if (sealer->chains[i].chain == chain)
            return &sealer->chains[i];
    return NULL;
}

uint32_t gh_postgres_sealer_enter(struct gh_postgres_sealer *sealer)
{
    pthread_mutex_lock(&sealer->lock);
    uint32_t chain = (uint32_t)sealer->chains[0].chain;
    sealer->chains[0].under_way++;
    pthread_mutex_unlock(&sealer->lock);
    return chain;
}

void gh_postgres_sealer_note(struct gh_postgres_sealer *sealer, uint32_t chain, uint64_t id)
{
    pthread_mutex_lock(&sealer->lock);
    struct gh_postgres_had *had = find_chain(sealer, chain);
    if (had && had->through_id < id)
        had->through_id = id;
    pthread_mutex_unlock(&sealer->lock);
}

void gh_postgres_sealer_leave(struct gh_postgres_sealer *sealer, uint32_t chain, unsigned records)
{
    pthread_mutex_lock(&sealer->lock);
    struct gh_postgres_had *had = find_chain(sealer, chain);
    if (had && had->under_way) /* it may have been forgotten meanwhile */
        had->under_way--;
    if (records && had) {
        if (!had->waiting)
            had->since_ms = gh_postgres_now_ms();
        had->waiting += records;
    }
    if (records) {
        sealer->committed++;
        pthread_cond_broadcast(&sealer->changed);
    }
    pthread_mutex_unlock(&sealer->lock);
}

void gh_postgres_sealer_wake(struct gh_postgres_sealer *sealer)
{
    pthread_mutex_lock(&sealer->lock);
    sealer->committed++;
    pthread_cond_broadcast(&sealer->changed);
    pthread_mutex_unlock(&sealer->lock);
}

void gh_postgres_sealer_look_up(struct gh_postgres_sealer *sealer)
{
    pthread_mutex_lock(&sealer->lock);
    pthread_cond_broadcast(&sealer->changed);
    pthread_mutex_unlock(&sealer->lock);
}

enum gh_err gh_postgres_sealer_catch_up(struct gh_postgres_sealer *sealer)
{
    int64_t until_ms = gh_postgres_now_ms() + sealer->patience_ms;
    pthread_mutex_lock(&sealer->lock);
    /* Who has committed may not have said so yet: this turn finds it all the same. */
    uint64_t wanted = ++sealer->committed;
    pthread_cond_broadcast(&sealer->changed);
    while (sealer->sealed < wanted && !is_late(sealer, until_ms))
        wait_until(sealer, gh_postgres_haste_bound(sealer->target.haste, until_ms));
    bool is_done = sealer->sealed >= wanted;
    pthread_mutex_unlock(&sealer->lock);
    return is_done ? GH_OK : GH_ERR_IO;
}

bool gh_postgres_sealer_is_behind(struct gh_postgres_sealer *sealer)
{
    pthread_mutex_lock(&sealer->lock);
    bool is_behind = sealer->sealed != sealer->committed;
    pthread_mutex_unlock(&sealer->lock);
    return is_behind;
}

enum gh_err gh_postgres_sealer_run(struct gh_postgres_sealer *sealer, gh_store_unit *unit,
                                   void *args, struct gh_arena *arena)
{
    struct gh_postgres_job job = {.unit = unit, .args = args, .arena = arena};
    pthread_mutex_lock(&sealer->lock);
    if (sealer->queued == sealer->queue_max) {
        pthread_mutex_unlock(&sealer->lock);
        return GH_ERR_FULL;
    }
    if (sealer->last)
        sealer->last->next = &job;
    else
        sealer->first = &job;
    sealer->last = &job;
    sealer->queued++;
    pthread_cond_broadcast(&sealer->changed);
    while (!job.done)
        pthread_cond_wait(&sealer->changed, &sealer->lock);
    pthread_mutex_unlock(&sealer->lock);
    return job.result;
}

unsigned gh_postgres_sealer_queued(struct gh_postgres_sealer *sealer)
{
    pthread_mutex_lock(&sealer->lock);
    unsigned queued = sealer->queued;
    pthread_mutex_unlock(&sealer->lock);
    return queued;
}

uint32_t gh_postgres_sealer_chain(struct gh_postgres_sealer *sealer)
{
    pthread_mutex_lock(&sealer->lock);
    uint32_t chain = (uint32_t)sealer->chains[0].chain;
    pthread_mutex_unlock(&sealer->lock);
    return chain;
}

size_t gh_postgres_sealer_chains(struct gh_postgres_sealer *sealer,
                                 struct gh_postgres_had out_chains[GH_POSTGRES_CHAINS_HAD_MAX])
{
    pthread_mutex_lock(&sealer->lock);
    size_t count = sealer->chain_count;
    memcpy(out_chains, sealer->chains, sizeof(sealer->chains));
    pthread_mutex_unlock(&sealer->lock);
    return count;
}

struct gh_postgres_sealing gh_postgres_sealer_count(struct gh_postgres_sealer *sealer)
{
    int64_t now_ms = gh_postgres_now_ms(), since_ms = now_ms;
    pthread_mutex_lock(&sealer->lock);
    struct gh_postgres_sealing counts = sealer->counts;
    for (size_t i = 0; i < sealer->chain_count; i++) {
        const struct gh_postgres_had *had = &sealer->chains[i];
        counts.waiting += had->waiting;
        if (had->waiting && had->since_ms < since_ms)
            since_ms = had->since_ms;
    }
    pthread_mutex_unlock(&sealer->lock);
    counts.waiting_ms = (uint64_t)(now_ms - since_ms);
    return counts;
}

struct gh_audit_own gh_postgres_sealer_own(struct gh_postgres_sealer *sealer)
{
    pthread_mutex_lock(&sealer->lock);
    struct gh_audit_own own = sealer->written.own;
    pthread_mutex_unlock(&sealer->lock);
    return own;
}

enum gh_err gh_postgres_sealer_written(struct gh_postgres_sealer *sealer, uint64_t number,
                                       struct gh_arena *arena, struct gh_audit_written **out_rows,
                                       size_t *out_count)
{
    pthread_mutex_lock(&sealer->lock);
    enum gh_err err = gh_written_since(&sealer->written, number, arena, out_rows, out_count);
    pthread_mutex_unlock(&sealer->lock);
    return err;
}

struct gh_postgres_batch *gh_postgres_sealer_batch(struct gh_postgres_sealer *sealer)
{
    return &sealer->batch;
}

/* ---- Opening ---- */

static void init_waiting(struct gh_postgres_sealer *sealer)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&sealer->lock, NULL);
    pthread_cond_init(&sealer->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Of what was never started, or has ended. */
static void free_sealer(struct gh_postgres_sealer *sealer)
{
    gh_postgres_sealer_disconnect(sealer);
    gh_postgres_batch_done(&sealer->batch);
    gh_arena_done(&sealer->arena);
    pthread_cond_destroy(&sealer->changed);
    pthread_mutex_destroy(&sealer->lock);
    if (sealer->url)
        explicit_bzero(sealer->url, strlen(sealer->url));
    free(sealer->url);
    free(sealer->application);
    free(sealer);
}

static bool copy_options(struct gh_postgres_sealer *sealer,
                         const struct gh_postgres_sealer_options *options)
{
    sealer->queue_max = options->bulk_queue_max ? options->bulk_queue_max : QUEUE_DEFAULT;
    sealer->look_ms = options->look_ms ? options->look_ms : LOOK_MS_DEFAULT;
    sealer->patience_ms = options->patience_ms ? options->patience_ms : PATIENCE_MS_DEFAULT;
    sealer->target = options->target;
    sealer->url = strdup(options->target.url);
    if (options->target.application)
        sealer->application = strdup(options->target.application);
    sealer->target.url = sealer->url;
    sealer->target.application = sealer->application;
    return sealer->url && (sealer->application || !options->target.application);
}

/* Signals are for the threads of the program that knows them. */
static int start_thread(struct gh_postgres_sealer *sealer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&sealer->thread, NULL, work, sealer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

enum gh_err gh_postgres_sealer_open(const struct gh_postgres_sealer_options *options,
                                    struct gh_arena *arena, struct gh_postgres_sealer **out_sealer,
                                    struct gh_str *out_message)
{
    struct gh_postgres_sealer *sealer = calloc(1, sizeof(*sealer));
    enum gh_err err = GH_ERR_MEMORY;
    *out_message = GH_STR("out of memory");
    if (!sealer)
        return err;
    init_waiting(sealer);
    sealer->committed = 1; /* by who wrote this chain before */
    gh_arena_init(&sealer->arena, PASS_BLOCK_BYTES, PASS_BYTES_MAX);
    gh_postgres_batch_init(&sealer->batch);
    if (copy_options(sealer, options))
        err = gh_postgres_sealer_connect(sealer, arena, out_message);
    if (err == GH_OK && start_thread(sealer) != 0) {
        *out_message = GH_STR("no thread");
        err = GH_ERR_MEMORY;
    }
    if (err == GH_OK)
        *out_sealer = sealer;
    else
        free_sealer(sealer);
    return err;
}

void gh_postgres_sealer_close(struct gh_postgres_sealer *sealer)
{
    pthread_mutex_lock(&sealer->lock);
    sealer->committed++; /* the last turn finds all */
    sealer->is_stopping = true;
    pthread_cond_broadcast(&sealer->changed);
    pthread_mutex_unlock(&sealer->lock);
    pthread_join(sealer->thread, NULL);
    free_sealer(sealer);
}
