#include "app/identity_host.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/identity_state.h"
#include "app/store_open.h"
#include "audit/verify.h"
#include "base/assert.h"
#include "identity/admin.h"
#include "json/writer.h"
#include "net/fetch.h"
#include "net/loop.h"

/* Sessions revoked within the longest life of an access token: a million logouts in an hour. */
#define REVOCATIONS_MAX       (1u << 20)
#define WORK_BYTES_BLOCK      (16u * 1024)
#define WORK_BYTES_MAX        (4u * 1024 * 1024)
#define INPUTS_BYTES_MAX      (8u * 1024 * 1024)
#define REVOCATION_BYTES_MAX  (256u * 1024 * 1024) /* more than the table of them holds */
#define HOOK_ANSWER_BYTES_MAX (8u * 1024 * 1024)
#define COSTS_ACCOUNTS_MAX    20000 /* before the first request; the keeper counts all */

/* ---- Ports ---- */

static bool take_quota(void *context, const char *policy, struct gh_str key,
                       uint64_t *out_retry_after_s)
{
    struct gh_identity_host *host = context;
    pthread_mutex_lock(&host->lock);
    struct gh_quota_rules rules = host->quotas;
    pthread_mutex_unlock(&host->lock);
    const struct gh_quota_books books = {host->options.limits, host->options.shared_limits};
    return gh_quota_take(&books, &rules, policy, key, gh_monotonic_now_ms(), out_retry_after_s);
}

static enum gh_err fetch(void *context, struct gh_arena *arena, struct gh_str url,
                         struct gh_str bearer, struct gh_str body, uint64_t timeout_ms,
                         unsigned *out_status, struct gh_str *out_body)
{
    (void)context;
    struct gh_http_fetch request = {
        .url = url,
        .bearer = bearer,
        .body = body,
        .bytes_max = HOOK_ANSWER_BYTES_MAX,
        .timeout_ms = timeout_ms,
    };
    struct gh_str detail;
    return gh_http_fetch(&request, arena, out_status, out_body, &detail);
}

static void wake(void *context)
{
    struct gh_identity_host *host = context;
    pthread_mutex_lock(&host->lock);
    host->look = true;
    pthread_cond_signal(&host->woken);
    pthread_mutex_unlock(&host->lock);
}

/* ---- Sessions that end ---- */

/* The use of the keyed hash that the secret of the channel is: the key is the store's, the same for
   all who share it, and outlasts every rotation. */
#define CHANNEL_USE "revocations"

static void publish_revoked(void *context, const struct gh_id *session_ids, size_t count,
                            uint64_t until_s)
{
    struct gh_identity_host *host = context;
    gh_shared_revocations_publish(host->options.shared_revocations, session_ids, count, until_s);
}

/* Where a store is shared; elsewhere nobody would listen. */
static enum gh_err start_shared_revocations(struct gh_identity_host *host)
{
    struct gh_shared_revocations_host shared = {
        .revocations = host->revocations,
        .read_back = gh_identity_watch_read_back,
        .context = host,
    };
    if (!host->options.shared_revocations || !host->identity.store->shared)
        return GH_OK;
    gh_vault_index(host->vault, CHANNEL_USE, GH_STR("channel"), shared.secret);
    enum gh_err err = gh_shared_revocations_start(host->options.shared_revocations, &shared);
    gh_wipe(shared.secret, sizeof(shared.secret));
    return err;
}

/* ---- Keys ---- */

static void release(struct gh_keys_version *version)
{
    if (atomic_fetch_sub(&version->references, 1) != 1)
        return;
    gh_identity_keys_done(&version->keys);
    gh_arena_done(&version->arena);
    free(version);
}

const struct gh_identity_keys *gh_identity_host_keys_take(struct gh_identity_host *host)
{
    pthread_mutex_lock(&host->lock);
    struct gh_keys_version *version = host->keys;
    atomic_fetch_add(&version->references, 1);
    pthread_mutex_unlock(&host->lock);
    return &version->keys;
}

void gh_identity_host_keys_give(struct gh_identity_host *host, const struct gh_identity_keys *keys)
{
    (void)host;
    release((struct gh_keys_version *)((char *)keys - offsetof(struct gh_keys_version, keys)));
}

static const struct gh_identity_keys *keys_take(void *context)
{
    return gh_identity_host_keys_take(context);
}

static void keys_give(void *context, const struct gh_identity_keys *keys)
{
    gh_identity_host_keys_give(context, keys);
}

enum gh_err gh_identity_host_load_keys(struct gh_identity_host *host,
                                       const struct gh_identity_settings *settings,
                                       bool *out_changed)
{
    struct gh_keys_version *version = calloc(1, sizeof(*version));
    if (!version)
        return GH_ERR_MEMORY;
    atomic_init(&version->references, 1);
    gh_arena_init(&version->arena, WORK_BYTES_BLOCK, WORK_BYTES_MAX);
    pthread_mutex_lock(&host->loading); /* what was read later comes later */
    enum gh_err err = gh_identity_keys_maintain(host->identity.store, host->vault, settings,
                                                &host->identity.random, gh_wall_now_us(),
                                                &version->arena, &version->keys);
    if (err != GH_OK) {
        pthread_mutex_unlock(&host->loading);
        gh_arena_done(&version->arena);
        free(version);
        return err;
    }
    pthread_mutex_lock(&host->lock);
    struct gh_keys_version *old = host->keys;
    host->keys = version;
    /* Also when somebody else made them: a command, another node. */
    *out_changed = !old || !gh_identity_keys_are_same(&old->keys, &version->keys);
    pthread_mutex_unlock(&host->lock);
    pthread_mutex_unlock(&host->loading);
    if (old)
        release(old);
    return GH_OK;
}

/* ---- Opening ---- */

static struct gh_snapshot *take_snapshot(void *context)
{
    return gh_identity_host_snapshot(context);
}

static struct gh_audit_keeper *new_audit_keeper(struct gh_identity_host *host)
{
    struct gh_audit_keeper_options options = {
        .worker_count = host->options.worker_count,
        .log = host->options.log,
        .metrics = host->options.metrics,
        .sanctions = host->options.sanctions,
        .hash_key = host->options.hash_key,
        .snapshot = take_snapshot,
        .context = host,
    };
    return gh_audit_keeper_new(&options);
}

struct gh_identity_host *gh_identity_host_new(const struct gh_identity_host_options *options)
{
    struct gh_identity_host *host = calloc(1, sizeof(*host));
    if (!host)
        return NULL;
    host->options = *options;
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->woken, NULL);
    pthread_mutex_init(&host->loading, NULL);
    host->identity.random = gh_kernel_random;
    host->identity.quota = (struct gh_identity_quota){take_quota, host};
    host->identity.http = (struct gh_identity_http){fetch, host};
    atomic_store(&host->identity.scrub_waits, true); /* a crash may have come before it */
    host->identity.wake = wake;
    host->identity.wake_context = host;
    host->identity.revoked = options->shared_revocations ? publish_revoked : NULL;
    host->identity.revoked_context = host;
    gh_arena_init(&host->api_arena, WORK_BYTES_BLOCK, INPUTS_BYTES_MAX);
    host->api = (struct gh_api){.identity = &host->identity,
                                .keys_take = keys_take,
                                .keys_give = keys_give,
                                .context = host};
    host->port = (struct gh_service_port){&host->api, gh_api_handle, gh_api_lane};
    host->revocations = gh_revocations_new(REVOCATIONS_MAX, options->hash_key);
    host->identity.revocations = host->revocations;
    host->audit = new_audit_keeper(host);
    if (!host->revocations || !host->audit ||
        gh_log_ring_open(options->log, &host->ring) != GH_OK ||
        gh_log_ring_open(options->log, &host->watch_ring) != GH_OK) {
        gh_identity_host_close(host);
        return NULL;
    }
    return host;
}

const struct gh_service_port *gh_identity_host_port(const struct gh_identity_host *host)
{
    return &host->port;
}

struct gh_revocations *gh_identity_host_revocations(const struct gh_identity_host *host)
{
    return host->revocations;
}

struct gh_tally *const *gh_identity_host_tallies(const struct gh_identity_host *host)
{
    return gh_audit_keeper_tallies(host->audit);
}

void gh_identity_host_limits_changed(struct gh_identity_host *host, bool is_shared,
                                     struct gh_str what, uint64_t seconds)
{
    char memory[GH_AUDIT_NOTICE_BYTES_MAX];
    struct gh_buf metadata = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&metadata, '{');
    if (is_shared)
        gh_json_put_member_u64(&metadata, GH_STR("seconds"), seconds);
    else
        gh_json_put_member(&metadata, GH_STR("reason"), what);
    gh_buf_put_char(&metadata, '}');
    gh_audit_keeper_note(host->audit,
                         is_shared ? GH_AUDIT_LIMITS_RESTORED : GH_AUDIT_LIMITS_DEGRADED,
                         is_shared ? GH_AUDIT_SUCCESS : GH_AUDIT_FAILURE,
                         metadata.overflow ? GH_STR("{}") : gh_buf_str(&metadata));
}

void gh_identity_host_reloaded(struct gh_identity_host *host, bool taken_up)
{
    gh_audit_keeper_reloaded(host->audit, taken_up);
}

struct gh_identity *gh_identity_host_identity(struct gh_identity_host *host)
{
    return &host->identity;
}

struct gh_vault *gh_identity_host_vault(struct gh_identity_host *host)
{
    return host->vault;
}

void gh_identity_host_call(struct gh_identity_host *host,
                           const struct gh_identity_settings *settings, struct gh_arena *arena,
                           struct gh_identity_call *out_call)
{
    *out_call = (struct gh_identity_call){
        .identity = &host->identity,
        .settings = settings,
        .keys = gh_identity_host_keys_take(host),
        .arena = arena,
        .now_us = gh_wall_now_us(),
        .by = GH_STR("command"),
    };
}

/* ---- What a restart must know again ---- */

static bool keep_root_file(struct gh_identity_host *host, struct gh_str reference)
{
    size_t count = 0;
    while (count < GH_SECRET_ROOTS_MAX && host->root_files[count])
        count++;
    if (count == GH_SECRET_ROOTS_MAX || !gh_str_starts_with(reference, GH_STR("file:")))
        return true;
    host->root_files[count] = strndup(reference.ptr, reference.len);
    return host->root_files[count] != NULL;
}

/* Where a new root may stand before somebody rotates to it. */
static enum gh_err keep_root_files(struct gh_identity_host *host,
                                   const struct gh_secrets_settings *settings)
{
    const struct gh_str *previous = settings->previous.items;
    bool kept = keep_root_file(host, settings->root);
    for (size_t i = 0; kept && i < settings->previous.count; i++)
        kept = keep_root_file(host, previous[i]);
    return kept ? GH_OK : GH_ERR_MEMORY;
}

static enum gh_err unlock(struct gh_identity_host *host, const struct gh_root_settings *settings,
                          const struct gh_secrets *secrets, struct gh_arena *arena,
                          struct gh_str *out_message)
{
    enum gh_err err =
        gh_store_setting_open(&settings->store, true, arena, &host->identity.store, out_message);
    if (err != GH_OK)
        return err;
    err = gh_vault_open(host->identity.store, secrets->roots, secrets->root_count,
                        &host->identity.random, gh_wall_now_us(), arena, &host->vault, out_message);
    if (err == GH_OK)
        gh_vault_set_fernet(host->vault, secrets->fernet, secrets->fernet_count);
    host->identity.vault = host->vault;
    if (host->identity.store->shared) {
        gh_revocations_share(host->revocations, GH_REVOCATIONS_AGE_MAX_MS);
        if (err == GH_OK)
            err = keep_root_files(host, &settings->secrets);
    }
    return err;
}

/* After many sign-outs these are many: the caller's arena is for messages. */
static enum gh_err load_revocations(struct gh_identity_host *host)
{
    struct gh_arena arena;
    gh_arena_init(&arena, WORK_BYTES_BLOCK, REVOCATION_BYTES_MAX);
    enum gh_err err = gh_session_news_read(&host->news, host->identity.store, host->revocations,
                                           gh_wall_now_us(), gh_monotonic_now_ms(), &arena);
    gh_arena_done(&arena);
    return err;
}

static enum gh_err sample_hash_costs(struct gh_identity_host *host)
{
    struct gh_arena arena;
    gh_arena_init(&arena, WORK_BYTES_BLOCK, WORK_BYTES_MAX);
    enum gh_err err = gh_hash_costs_count(&host->identity.hash_costs, host->identity.store, &arena,
                                          COSTS_ACCOUNTS_MAX, NULL);
    gh_arena_done(&arena);
    return err;
}

static enum gh_err set_setup_path(struct gh_identity_host *host, struct gh_str store,
                                  struct gh_arena *arena)
{
    struct gh_str directory = gh_store_setting_directory(arena, store);
    if (!directory.len)
        return directory.ptr ? GH_OK : GH_ERR_MEMORY;
    struct gh_str path = gh_arena_format(arena, "%.*ssetup-token", GH_STR_ARG(directory));
    host->setup_path = path.ptr ? strdup(path.ptr) : NULL;
    return host->setup_path ? GH_OK : GH_ERR_MEMORY;
}

/* By what the audit log is checked. */
static void set_audit_bounds(struct gh_identity_host *host,
                             const struct gh_audit_settings *settings)
{
    struct gh_identity *identity = &host->identity;
    atomic_store(&identity->audit_retention_us, settings->retention_ms * 1000);
    atomic_store(&identity->audit_unsigned_max,
                 gh_audit_unsigned_records_max(settings->checkpoint.records));
}

enum gh_err gh_identity_host_open(struct gh_identity_host *host,
                                  const struct gh_root_settings *settings,
                                  const struct gh_identity_settings *identity,
                                  const struct gh_secrets *secrets, struct gh_arena *arena,
                                  struct gh_str *out_message)
{
    bool changed;
    enum gh_err err = unlock(host, settings, secrets, arena, out_message);
    if (err != GH_OK)
        return err;
    *out_message = GH_STR("the store can't be worked with");
    gh_quota_rules_of(&settings->policy.rate_limits, &host->quotas);
    set_audit_bounds(host, &settings->audit);
    err = gh_identity_host_load_keys(host, identity, &changed);
    if (err == GH_OK)
        err = gh_api_load_inputs(&host->api, &host->api_arena, identity, false);
    if (err == GH_OK)
        err = load_revocations(host);
    if (err == GH_OK)
        err = sample_hash_costs(host);
    if (err == GH_OK)
        err = gh_audit_keeper_open(host->audit, &host->identity, arena, out_message);
    if (err == GH_OK)
        err = set_setup_path(host, settings->store.url, arena);
    /* Where others may serve, a command leaves them theirs. */
    if (err == GH_OK && !host->identity.store->shared)
        gh_identity_setup_token(host, identity);
    return err;
}

enum gh_err gh_identity_host_start(struct gh_identity_host *host, struct gh_server *server,
                                   struct gh_snapshot *snapshot)
{
    host->server = server;
    host->snapshot = snapshot;
    gh_snapshot_ref(snapshot);
    if (!gh_identity_host_publish(host, snapshot->identity))
        return GH_ERR_MEMORY;
    if (host->identity.store->shared)
        gh_identity_setup_token(host, snapshot->identity);
    if (pthread_create(&host->thread, NULL, gh_identity_keeper, host) != 0)
        return GH_ERR_THREAD;
    host->running = true;
    enum gh_err err = gh_identity_watch_start(host);
    if (err == GH_OK)
        err = start_shared_revocations(host);
    return err == GH_OK ? gh_audit_keeper_start(host->audit) : err;
}

void gh_identity_host_adopt(struct gh_identity_host *host, struct gh_snapshot *snapshot,
                            const struct gh_config_map *rate_limits)
{
    struct gh_quota_rules quotas;
    gh_quota_rules_of(rate_limits, &quotas);
    if (snapshot->audit)
        set_audit_bounds(host, snapshot->audit);
    gh_snapshot_ref(snapshot);
    pthread_mutex_lock(&host->lock);
    struct gh_snapshot *old = host->snapshot;
    host->snapshot = snapshot;
    host->quotas = quotas;
    host->look = true;
    pthread_cond_signal(&host->woken);
    pthread_mutex_unlock(&host->lock);
    gh_snapshot_unref(old);
}

struct gh_snapshot *gh_identity_host_snapshot(struct gh_identity_host *host)
{
    pthread_mutex_lock(&host->lock);
    struct gh_snapshot *snapshot = host->snapshot;
    gh_snapshot_ref(snapshot);
    pthread_mutex_unlock(&host->lock);
    return snapshot;
}

void gh_identity_host_stop(struct gh_identity_host *host)
{
    if (!host->running)
        return;
    struct gh_store *store = host->identity.store;
    if (store->ops->hurry)
        store->ops->hurry(store);
    pthread_mutex_lock(&host->lock);
    atomic_store(&host->stop, true);
    pthread_cond_signal(&host->woken);
    pthread_mutex_unlock(&host->lock);
    pthread_join(host->thread, NULL);
    if (host->options.shared_revocations)
        gh_shared_revocations_stop(host->options.shared_revocations);
    gh_identity_watch_stop(host);
    host->running = false;
    gh_audit_keeper_stop(host->audit);
}

void gh_identity_host_close(struct gh_identity_host *host)
{
    if (!host)
        return;
    gh_identity_host_stop(host);
    gh_audit_keeper_free(host->audit);
    free(host->setup_path);
    for (size_t i = 0; i < GH_SECRET_ROOTS_MAX; i++)
        free(host->root_files[i]);
    if (host->keys)
        release(host->keys);
    if (host->snapshot)
        gh_snapshot_unref(host->snapshot);
    if (host->vault)
        gh_vault_close(host->vault);
    if (host->identity.store)
        host->identity.store->ops->close(host->identity.store);
    if (host->revocations)
        gh_revocations_free(host->revocations);
    pthread_mutex_destroy(&host->loading);
    pthread_cond_destroy(&host->woken);
    pthread_mutex_destroy(&host->lock);
    gh_arena_done(&host->api_arena);
    free(host);
}
