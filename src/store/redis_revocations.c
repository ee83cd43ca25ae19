#include "store/redis_revocations.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"

/* Begins as the keys of limits do, so that one pattern gives the rights to all. */
#define CHANNEL_PREFIX     "{gh}revocations:"
#define CHANNEL_HASH_BYTES 8
#define CHANNEL_BYTES_MAX  64
/* Later than that everyone has read the store. */
#define DEADLINE_MS 1000
/* Between two looks at a server that takes commands and lets us publish nothing. */
#define RETRY_MS 1000
/* Far above any message, so that one that is too long is refused without losing the connection. */
#define HEARD_BYTES_MAX (64u * 1024)
/* An access token lives for an hour at most. Who says more has a clock that is far ahead. */
#define LIFE_S_MAX (2ull * 60 * 60)

struct gh_redis_revocations {
    struct gh_redis_revocations_options options;
    struct gh_loop *loop;
    struct gh_redis *publisher, *listener;
    struct gh_timer retry;
    uint8_t key[GH_KEY_BYTES];
    char channel[CHANNEL_BYTES_MAX];
    bool may_publish; /* it was tried, on this connection */
    bool up, told, closing;
};

/* ---- Metrics ---- */

enum gh_err gh_redis_revocations_define(struct gh_metrics *metrics,
                                        struct gh_redis_revocations_slots *out_slots)
{
    static const struct gh_str RESULTS[GH_REDIS_REVOCATIONS_RESULT_COUNT] = {
#define X(id, label) [GH_REDIS_REVOCATIONS_##id] = GH_STR_INIT(label),
        GH_REDIS_REVOCATIONS_RESULTS(X)
#undef X
    };
    return gh_metrics_define(metrics, GH_METRIC_COUNTER, "gatehouse_revocation_messages_total",
                             "Messages through Redis about sessions that ended, by what became of "
                             "them; the store tells what they do not.",
                             "result", RESULTS, GH_REDIS_REVOCATIONS_RESULT_COUNT,
                             out_slots->results);
}

static void count(const struct gh_redis_revocations *revocations,
                  enum gh_redis_revocations_result result)
{
    const struct gh_redis_revocations_options *options = &revocations->options;
    if (options->metrics)
        gh_metric_add(options->metrics, options->worker, options->slots->results[result], 1);
}

/* ---- Is it there? ---- */

static void set_up(struct gh_redis_revocations *revocations, bool up, const char *why)
{
    if (revocations->closing || (revocations->told && revocations->up == up))
        return;
    revocations->up = up;
    revocations->told = true;
    if (revocations->options.on_change)
        revocations->options.on_change(revocations->options.context, up, why);
}

static void look(struct gh_redis_revocations *revocations)
{
    if (revocations->may_publish && gh_redis_is_ready(revocations->publisher) &&
        gh_redis_is_ready(revocations->listener))
        set_up(revocations, true, "");
}

/* ---- Publishing ---- */

static void probe(struct gh_redis_revocations *revocations);

static void on_retry(struct gh_timer *timer)
{
    struct gh_redis_revocations *revocations =
        (struct gh_redis_revocations *)((char *)timer -
                                        offsetof(struct gh_redis_revocations, retry));
    if (gh_redis_is_ready(revocations->publisher))
        probe(revocations);
}

/* The server answers, and does not let us. A connection that is lost with it is told by on_state.
 */
static void be_refused(struct gh_redis_revocations *revocations, const struct gh_redis_reply *reply)
{
    enum gh_redis_failure failure = reply ? gh_redis_reply_failure(reply) : GH_REDIS_FAIL_NONE;
    if (revocations->closing || !reply || gh_redis_failure_facts[failure].gives_up)
        return;
    revocations->may_publish = false;
    set_up(revocations, false, gh_redis_failure_facts[failure].label);
    gh_timer_start(revocations->loop, &revocations->retry, RETRY_MS, on_retry);
}

static void on_published(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_redis_revocations *revocations = context;
    count(revocations,
          err == GH_OK ? GH_REDIS_REVOCATIONS_PUBLISHED : GH_REDIS_REVOCATIONS_UNPUBLISHED);
    if (err != GH_OK)
        be_refused(revocations, reply);
}

static void on_probed(void *context, enum gh_err err, const struct gh_redis_reply *reply)
{
    struct gh_redis_revocations *revocations = context;
    if (err != GH_OK) {
        be_refused(revocations, reply);
        return;
    }
    revocations->may_publish = true;
    look(revocations);
}

static enum gh_err send_notes(struct gh_redis_revocations *revocations,
                              const struct gh_revocation_note *notes, size_t note_count,
                              gh_redis_answer_fn *answered)
{
    uint8_t message[GH_REVOCATION_MESSAGE_BYTES_MAX];
    size_t len = gh_revocation_message_write(revocations->key, notes, note_count, message);
    const struct gh_str argv[] = {GH_STR("PUBLISH"), gh_str_from_c(revocations->channel),
                                  gh_str_of((const char *)message, len)};
    if (!len)
        return GH_ERR_INVALID;
    return gh_redis_call(revocations->publisher, argv, sizeof(argv) / sizeof(argv[0]), DEADLINE_MS,
                         answered, revocations);
}

/* A message about nobody: whether others would be taken. One that finds no room is made up for by
   the answers of those that fill it. */
static void probe(struct gh_redis_revocations *revocations)
{
    gh_timer_stop(revocations->loop, &revocations->retry);
    if (send_notes(revocations, NULL, 0, on_probed) != GH_OK &&
        gh_redis_is_ready(revocations->publisher))
        gh_timer_start(revocations->loop, &revocations->retry, RETRY_MS, on_retry);
}

void gh_redis_revocations_publish(struct gh_redis_revocations *revocations,
                                  const struct gh_revocation_note *notes, size_t note_count)
{
    while (note_count) {
        size_t some = note_count < GH_REVOCATION_NOTES_MAX ? note_count : GH_REVOCATION_NOTES_MAX;
        if (send_notes(revocations, notes, some, on_published) != GH_OK)
            count(revocations, GH_REDIS_REVOCATIONS_UNPUBLISHED);
        notes += some;
        note_count -= some;
    }
}

static void on_publisher_state(void *context, const struct gh_redis_status *status)
{
    struct gh_redis_revocations *revocations = context;
    gh_timer_stop(revocations->loop, &revocations->retry);
    revocations->may_publish = false;
    if (status->state == GH_REDIS_READY)
        probe(revocations);
    else if (status->state == GH_REDIS_AWAY)
        set_up(revocations, false, status->message);
}

/* ---- Listening ---- */

static void on_message(void *context, struct gh_str channel, struct gh_str payload)
{
    struct gh_redis_revocations *revocations = context;
    struct gh_revocation_note notes[GH_REVOCATION_NOTES_MAX];
    uint64_t now_s = gh_wall_now_us() / 1000000;
    size_t note_count;
    (void)channel;
    if (!gh_revocation_message_read(revocations->key, payload, notes, &note_count)) {
        count(revocations, GH_REDIS_REVOCATIONS_REFUSED);
        return;
    }
    for (size_t i = 0; i < note_count; i++) {
        uint64_t until_s = notes[i].until_s;
        if (until_s > now_s + LIFE_S_MAX)
            until_s = now_s + LIFE_S_MAX;
        gh_revocations_add(revocations->options.revocations, gh_id_str(&notes[i].session_id),
                           until_s, now_s);
    }
    if (note_count)
        count(revocations, GH_REDIS_REVOCATIONS_RECEIVED);
}

static void on_subscribed(void *context)
{
    struct gh_redis_revocations *revocations = context;
    if (revocations->options.on_listening)
        revocations->options.on_listening(revocations->options.context);
}

static void on_listener_state(void *context, const struct gh_redis_status *status)
{
    struct gh_redis_revocations *revocations = context;
    if (status->state == GH_REDIS_READY)
        look(revocations);
    else if (status->state == GH_REDIS_AWAY)
        set_up(revocations, false, status->message);
}

/* ---- Life ---- */

static void derive(struct gh_redis_revocations *revocations, const uint8_t *secret)
{
    uint8_t name[GH_KEY_BYTES];
    struct gh_buf channel = gh_buf_over(revocations->channel, sizeof(revocations->channel));
    gh_derive_key(secret, GH_STR("revocations mac"), revocations->key);
    gh_derive_key(secret, GH_STR("revocations channel"), name);
    gh_buf_put(&channel, GH_STR(CHANNEL_PREFIX));
    gh_buf_put_hex_bytes(&channel, name, CHANNEL_HASH_BYTES);
    gh_buf_put_char(&channel, '\0');
    GH_ASSERT(!channel.overflow);
}

static enum gh_err connect_both(struct gh_redis_revocations *revocations, struct gh_arena *arena,
                                struct gh_str *out_message)
{
    const struct gh_str channel = gh_str_from_c(revocations->channel);
    struct gh_redis_options redis = *revocations->options.redis;
    redis.context = revocations;
    redis.hooks = (struct gh_redis_hooks){.on_state = on_publisher_state};
    redis.channels = NULL;
    redis.channel_count = 0;
    enum gh_err err =
        gh_redis_open(revocations->loop, &redis, arena, &revocations->publisher, out_message);
    if (err != GH_OK)
        return err;
    redis.hooks = (struct gh_redis_hooks){
        .on_state = on_listener_state, .on_subscribed = on_subscribed, .on_message = on_message};
    redis.channels = &channel;
    redis.channel_count = 1;
    redis.reply_bytes_max = HEARD_BYTES_MAX;
    return gh_redis_open(revocations->loop, &redis, arena, &revocations->listener, out_message);
}

enum gh_err gh_redis_revocations_open(struct gh_loop *loop,
                                      const struct gh_redis_revocations_options *options,
                                      struct gh_arena *arena,
                                      struct gh_redis_revocations **out_revocations,
                                      struct gh_str *out_message)
{
    struct gh_redis_revocations *revocations = calloc(1, sizeof(*revocations));
    *out_message = GH_STR("out of memory");
    if (!revocations)
        return GH_ERR_MEMORY;
    revocations->options = *options;
    revocations->loop = loop;
    derive(revocations, options->secret);
    enum gh_err err = connect_both(revocations, arena, out_message);
    revocations->options.redis = NULL; /* lent for this call, as the secret */
    revocations->options.secret = NULL;
    if (err != GH_OK) {
        gh_redis_revocations_close(revocations);
        return err;
    }
    *out_revocations = revocations;
    return GH_OK;
}

void gh_redis_revocations_close(struct gh_redis_revocations *revocations)
{
    if (!revocations)
        return;
    revocations->closing = true;
    gh_timer_stop(revocations->loop, &revocations->retry);
    gh_redis_close(revocations->listener);
    gh_redis_close(revocations->publisher);
    gh_wipe(revocations->key, sizeof(revocations->key));
    free(revocations);
}

const char *gh_redis_revocations_channel(const struct gh_redis_revocations *revocations)
{
    return revocations->channel;
}
