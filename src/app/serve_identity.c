#include "app/serve_identity.h"

#include <stdlib.h>
#include <string.h>

#include "app/config_file.h"
#include "app/control.h"
#include "app/control_path.h"
#include "app/operator.h"
#include "store/postgres.h"

#define SECRETS_BLOCK_BYTES  (16u * 1024)
#define SECRETS_BYTES_MAX    (1024u * 1024)
#define OPERATOR_BLOCK_BYTES (64u * 1024)
#define OPERATOR_BYTES_MAX   (64u * 1024 * 1024)
/* Memory that hashing may take at once. */
#define HASH_BYTES_MAX (512ull * 1024 * 1024)
/* Sign-ins that may wait for each hashing thread: at a tenth of a second each, some three seconds.
   Later ones are told to come again. */
#define HASH_QUEUE_PER_THREAD 32
#define HASH_NICENESS         10
/* Calls that wait for the backend's hooks, each for up to 20 s. */
#define AWAY_THREADS   2
#define AWAY_QUEUE_MAX 16
#define DATA_THREADS   4
#define DATA_QUEUE_MAX 512

bool gh_serve_identity_secrets(struct gh_serve_identity *identity, const struct gh_loaded *loaded,
                               struct gh_str *out_message, struct gh_str *out_warning)
{
    const struct gh_root_settings *settings = &loaded->settings;
    const struct gh_secret_source source = {gh_environment_get, NULL};
    gh_arena_init(&identity->arena, SECRETS_BLOCK_BYTES, SECRETS_BYTES_MAX);
    if (!gh_secrets_load(&settings->secrets, settings->identity.enabled,
                         settings->policy.environment == GH_PRODUCTION, &source, &identity->arena,
                         &identity->secrets, out_message, out_warning))
        return false;
    gh_secrets_forget_environment(&settings->secrets);
    return true;
}

static unsigned hash_threads(const struct gh_identity_settings *settings, unsigned cores)
{
    unsigned threads = cores > 1 ? cores - 1 : 1;
    uint64_t each =
        settings->passwords.hash == GH_PASSWORD_BCRYPT ? 4096 : settings->passwords.memory_bytes;
    uint64_t fit = each ? HASH_BYTES_MAX / each : threads;
    if (fit < threads)
        threads = fit ? (unsigned)fit : 1;
    return threads;
}

enum gh_err gh_serve_identity_new(struct gh_serve_identity *identity,
                                  const struct gh_loaded *loaded,
                                  const struct gh_identity_host_options *options, unsigned cores)
{
    unsigned threads = hash_threads(&loaded->settings.identity, cores);
    identity->host = gh_identity_host_new(options);
    if (!identity->host)
        return GH_ERR_MEMORY;
    identity->service = (struct gh_service_options){
        .port = *gh_identity_host_port(identity->host),
        .lanes =
            {
                [GH_SERVICE_HASH] = {.name = "hash",
                                     .threads = threads,
                                     .queue_max = (size_t)threads * HASH_QUEUE_PER_THREAD,
                                     .niceness = HASH_NICENESS},
                [GH_SERVICE_AWAY] = {.name = "away",
                                     .threads = AWAY_THREADS,
                                     .queue_max = AWAY_QUEUE_MAX},
                [GH_SERVICE_DATA] = {.name = "data",
                                     .threads = DATA_THREADS,
                                     .queue_max = DATA_QUEUE_MAX},
            },
    };
    return gh_log_ring_open(options->log, &identity->control_ring);
}

static void warn_of_store(struct gh_serve_identity *identity)
{
    struct gh_store *store = gh_identity_host_identity(identity->host)->store;
    struct gh_str warning = gh_postgres_warning_of(store);
    if (!warning.len)
        return;
    gh_log_message(identity->control_ring, GH_LOG_WARNING, "store: %.*s", GH_STR_ARG(warning));
    gh_log_flush(identity->control_ring);
}

enum gh_err gh_serve_identity_open(struct gh_serve_identity *identity,
                                   const struct gh_loaded *loaded, struct gh_arena *arena,
                                   struct gh_str *out_message)
{
    enum gh_err err =
        gh_identity_host_open(identity->host, &loaded->settings, loaded->snapshot->identity,
                              &identity->secrets, arena, out_message);
    gh_arena_done(&identity->arena);
    if (err == GH_OK)
        warn_of_store(identity);
    return err;
}

/* ---- Commands of the operator ---- */

static int run_operator(struct gh_serve_identity *identity, int argc, char **argv, FILE *in,
                        FILE *out, FILE *err)
{
    struct gh_snapshot *snapshot = gh_identity_host_snapshot(identity->host);
    struct gh_operator op = {
        .host = identity->host,
        .settings = snapshot->identity,
        .in = in,
        .out = out,
        .err = err,
    };
    gh_arena_init(&op.arena, OPERATOR_BLOCK_BYTES, OPERATOR_BYTES_MAX);
    int status = gh_operator_run(&op, argc, argv);
    gh_arena_done(&op.arena);
    gh_snapshot_unref(snapshot);
    return status;
}

/* Keys are replaced by one at a time (identity/vault.h); all else may run side by side. */
static int run_command(void *context, int argc, char **argv, FILE *in, FILE *out, FILE *err)
{
    struct gh_serve_identity *identity = context;
    bool replaces = argc > 1 && strcmp(argv[0], "secrets") == 0 && strcmp(argv[1], "rotate") == 0;
    if (replaces && atomic_exchange(&identity->replacing_keys, true)) {
        fprintf(err, "gatehouse: keys are being replaced already, by another command\n");
        return 2;
    }
    int status = run_operator(identity, argc, argv, in, out, err);
    if (replaces)
        atomic_store(&identity->replacing_keys, false);
    return status;
}

/* Without it the gateway serves all the same: commands say that they can't reach it. */
static void open_control(struct gh_serve_identity *identity, struct gh_str store)
{
    struct gh_arena arena;
    gh_arena_init(&arena, SECRETS_BLOCK_BYTES, SECRETS_BYTES_MAX);
    struct gh_str path = gh_control_path(&arena, store);
    struct gh_control_options options = {
        .path = path.ptr,
        .ring = identity->control_ring,
        .run = run_command,
        .context = identity,
    };
    if (path.len && gh_control_open(&options, &identity->control) != GH_OK) {
        gh_log_message(identity->control_ring, GH_LOG_WARNING,
                       "no control socket at %s: commands can't reach this process", path.ptr);
        gh_log_flush(identity->control_ring); /* else it is the socket's thread's */
    }
    gh_arena_done(&arena);
}

enum gh_err gh_serve_identity_start(struct gh_serve_identity *identity,
                                    const struct gh_loaded *loaded, struct gh_server *server,
                                    struct gh_snapshot *snapshot)
{
    enum gh_err err = gh_identity_host_start(identity->host, server, snapshot);
    if (err == GH_OK && gh_control_is_used(loaded->settings.store.url))
        open_control(identity, loaded->settings.store.url);
    return err;
}

/* ---- Reloading ---- */

bool gh_serve_identity_prepare(struct gh_serve_identity *identity, struct gh_loaded *loaded,
                               const struct gh_store_settings *store, struct gh_str *out_message)
{
    if (loaded->settings.identity.enabled != (identity->host != NULL)) {
        *out_message = GH_STR("identity is switched on or off: that needs a restart");
        return false;
    }
    if (!identity->host)
        return true;
    if (!gh_store_settings_are_same(&loaded->settings.store, store)) {
        *out_message = GH_STR("another store, or other connections to it, need a restart");
        return false;
    }
    loaded->snapshot->gate = gh_identity_host_gate(identity->host, loaded->snapshot->identity);
    *out_message = GH_STR("out of memory");
    return loaded->snapshot->gate != NULL;
}

void gh_serve_identity_quiesce(struct gh_serve_identity *identity)
{
    gh_control_close(identity->control);
    identity->control = NULL;
    if (identity->host)
        gh_identity_host_stop(identity->host);
}

void gh_serve_identity_close(struct gh_serve_identity *identity)
{
    gh_identity_host_close(identity->host);
    gh_arena_done(&identity->arena);
}
