#include "app/consume_worker.h"

#include <pthread.h>
#include <stdlib.h>

struct gh_consume_worker {
    struct gh_consume_worker_options options;
    struct gh_loop *loop;
    struct gh_log_ring *ring;
    struct gh_stream_sink *sink;
    struct gh_stream_consumer *consumer;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* of the counts */
    struct gh_stream_counts counts;
};

static void tell(void *context, bool is_error, const char *text)
{
    struct gh_consume_worker *worker = context;
    gh_log_message(worker->ring, is_error ? GH_LOG_WARNING : GH_LOG_INFO,
                   "stream %.*s, group %.*s: %s", GH_STR_ARG(worker->options.settings->stream),
                   GH_STR_ARG(worker->options.settings->group), text);
}

static void publish(struct gh_consume_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->counts = gh_stream_consumer_counts(worker->consumer);
    pthread_mutex_unlock(&worker->lock);
}

static void on_turn(void *arg)
{
    struct gh_consume_worker *worker = arg;
    publish(worker);
    gh_log_flush(worker->ring);
}

static void on_ended(void *context)
{
    struct gh_consume_worker *worker = context;
    struct gh_stream_counts counts = gh_stream_consumer_counts(worker->consumer);
    gh_log_message(worker->ring, GH_LOG_INFO,
                   "stream %.*s, group %.*s: ended, %llu entries applied, %llu parked",
                   GH_STR_ARG(worker->options.settings->stream),
                   GH_STR_ARG(worker->options.settings->group), (unsigned long long)counts.applied,
                   (unsigned long long)counts.parked);
    gh_loop_stop(worker->loop);
}

static void *run(void *argument)
{
    struct gh_consume_worker *worker = argument;
    gh_loop_run(worker->loop);
    gh_log_flush(worker->ring);
    worker->options.ended(worker->options.context);
    return NULL;
}

static enum gh_err open_parts(struct gh_consume_worker *worker, struct gh_arena *arena,
                              struct gh_str *out_message)
{
    const struct gh_consume_settings *settings = worker->options.settings;
    const struct gh_stream_sink_options sink = {
        .url = worker->options.database_url,
        .source = settings->source.len ? settings->source : worker->options.redis->text,
        .stream = settings->stream,
        .group = settings->group,
        .statement = settings->statement,
        .field_count = settings->fields.count,
    };
    enum gh_err err = gh_loop_open(&worker->loop);
    if (err == GH_OK)
        err = gh_log_ring_open(worker->options.log, &worker->ring);
    if (err == GH_OK)
        err = gh_stream_sink_new(&sink, &worker->sink);
    *out_message = gh_str_from_c(gh_err_text(err));
    const struct gh_stream_consumer_options consumer = {
        .url = worker->options.redis,
        .redis_ca = worker->options.redis_ca,
        .stream = settings->stream,
        .group = settings->group,
        .name = worker->options.name,
        .fields = settings->fields.items,
        .field_count = settings->fields.count,
        .batch = settings->batch,
        .tries_max = (unsigned)settings->tries,
        .claim_ms = settings->claim_after_ms,
        .keep_ms = settings->keep_ms,
        .sink = worker->sink,
        .tell = tell,
        .ended = on_ended,
        .context = worker,
    };
    if (err == GH_OK)
        err =
            gh_stream_consumer_open(worker->loop, &consumer, arena, &worker->consumer, out_message);
    return err;
}

/* What was opened by a start that failed. */
static void drop(struct gh_consume_worker *worker)
{
    if (worker->consumer)
        gh_stream_consumer_stop(worker->consumer); /* which stops the loop */
    else if (worker->loop)
        gh_loop_stop(worker->loop);
    if (worker->loop)
        gh_loop_run(worker->loop);
}

enum gh_err gh_consume_worker_start(const struct gh_consume_worker_options *options,
                                    struct gh_arena *arena, struct gh_consume_worker **out_worker,
                                    struct gh_str *out_message)
{
    struct gh_consume_worker *worker = calloc(1, sizeof(*worker));
    *out_message = GH_STR("out of memory");
    if (!worker)
        return GH_ERR_MEMORY;
    worker->options = *options;
    pthread_mutex_init(&worker->lock, NULL);
    enum gh_err err = open_parts(worker, arena, out_message);
    if (err == GH_OK) {
        publish(worker);
        gh_loop_on_turn(worker->loop, on_turn, worker);
        worker->has_thread = pthread_create(&worker->thread, NULL, run, worker) == 0;
        *out_message = GH_STR("no thread can be had");
        err = worker->has_thread ? GH_OK : GH_ERR_MEMORY;
    }
    if (err != GH_OK) {
        drop(worker);
        gh_consume_worker_free(worker);
        return err;
    }
    *out_worker = worker;
    return GH_OK;
}

static void stop(void *arg)
{
    struct gh_consume_worker *worker = arg;
    gh_stream_consumer_stop(worker->consumer);
}

void gh_consume_worker_stop(struct gh_consume_worker *worker)
{
    enum gh_err err = gh_loop_post(worker->loop, stop, worker);
    (void)err; /* closed: it has ended */
}

void gh_consume_worker_free(struct gh_consume_worker *worker)
{
    if (!worker)
        return;
    if (worker->has_thread)
        pthread_join(worker->thread, NULL);
    gh_stream_consumer_free(worker->consumer);
    gh_stream_sink_free(worker->sink);
    if (worker->loop)
        gh_loop_close(worker->loop);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

const struct gh_consume_settings *gh_consume_worker_settings(const struct gh_consume_worker *worker)
{
    return worker->options.settings;
}

struct gh_stream_counts gh_consume_worker_counts(struct gh_consume_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    struct gh_stream_counts counts = worker->counts;
    pthread_mutex_unlock(&worker->lock);
    return counts;
}
