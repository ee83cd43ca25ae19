/*
 * `gatehouse serve`: puts the parts together, starts them in the order that rights allow (sockets
 * and keys first, then privileges go, then threads that meet outsiders), and ends them again.
 */
#include "app/commands.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "app/config_file.h"
#include "app/evidence_keeper.h"
#include "app/key_process.h"
#include "app/loader.h"
#include "app/problem_print.h"
#include "app/process.h"
#include "app/process_metrics.h"
#include "app/serve_identity.h"
#include "app/serve_sandbox.h"
#include "base/num.h"
#include "crypto/secret.h"
#include "gateway/server.h"

/* SPEC section 11: what is in flight gets so long to finish. */
#define DRAIN_MS 30000
/* Log lines that a blocked reader has not taken by then are given up. */
#define LOG_CLOSE_MS 2000
/* 32 MiB at most, mapped as it is used. */
#define LIMIT_SLOTS (1u << 20)
/* Networks and accounts under a sanction at a time. */
#define SANCTIONS 4096
/* Descriptors that are no connections: listeners, loops, log, files of a reload. */
#define DESCRIPTORS_RESERVED 128
#define DESCRIPTORS_MIN      48
#define WORKERS_MAX          64
/* For what Redis's URL is, while it is read. */
#define URL_BLOCK_BYTES 4096
#define URL_BYTES_MAX   (64u * 1024)

static const char HELP[] =
    "Usage: gatehouse serve [--config FILE] [--upstream URL] [--listen ADDR]\n"
    "\n"
    "Runs the gateway. With --upstream alone it needs no file: safe defaults for development\n"
    "in front of that URL, on 127.0.0.1:8080.\n"
    "\n"
    "  --config FILE    the configuration (default: gatehouse.yaml, when there is no --upstream)\n"
    "  --upstream URL   http://host:port, https://host:port or unix:/path\n"
    "  --listen ADDR    listen here instead: 127.0.0.1:8080, [::1]:8080, unix:/path\n"
    "  --workers N      event loops (default: the cores this process may use; one less\n"
    "                   with identity)\n"
    "  --user NAME      when started as root, run as NAME (default: gatehouse, else nobody)\n"
    "  --keys-user NAME the same for the process that keeps the private TLS keys\n"
    "                   (default: as --user)\n"
    "  --help           this text\n"
    "\n"
    "Signals: SIGTERM and SIGINT finish what is in flight and end (a second one ends at once);\n"
    "SIGHUP reloads configuration and certificates.\n"
    "Exit status: 0 after a clean end, 1 when the process that keeps the TLS keys ended first, 2\n"
    "when it can't start.\n";

struct serve {
    struct gh_source source;
    const char *user, *keys_user;
    struct gh_process_user runs_as;
    unsigned worker_count;

    struct gh_loaded loaded;
    struct gh_arena messages; /* texts of failures */
    struct gh_loop *control;
    struct gh_log *log;
    struct gh_log_ring *ring;
    struct gh_metrics *metrics;
    struct gh_limit_table *limits;
    struct gh_process_tables tables;
    struct gh_shared_limits *shared_limits;           /* NULL: there is no Redis */
    struct gh_shared_revocations *shared_revocations; /* the same, or identity is off */
    struct gh_sanctions *sanctions;                   /* NULL: identity is off */
    struct gh_upstream_groups *groups;
    struct gh_server *server;
    struct gh_signals *signals;
    struct gh_snapshot *current; /* for sharing TLS tickets; a reference */
    struct gh_serve_identity identity;
    struct gh_serve_sandbox sandbox;
    struct gh_evidence_keeper *evidence;
    struct gh_key_process keys;
    struct gh_store_settings store; /* own copy: of the running configuration */
    bool draining, stopped;
    int status; /* of the whole run */
};

/* ---- While running ---- */

static void adopt_evidence(struct serve *serve)
{
    enum gh_err err = gh_evidence_keeper_adopt(serve->evidence, serve->current);
    if (err != GH_OK)
        gh_log_message(serve->ring, GH_LOG_ERROR, "evidence will not be written: %s",
                       gh_err_text(err));
}

/* Where `loaded` says that Redis is; its url.text is empty where there is none. False: *out_message
   says what is wrong. */
static bool find_redis(const struct gh_loaded *loaded, struct gh_arena *arena,
                       struct gh_redis_url *out_url, struct gh_str *out_message)
{
    const struct gh_secret_source source = {gh_environment_get, NULL};
    const struct gh_root_settings *settings = &loaded->settings;
    *out_url = (struct gh_redis_url){.port = 0};
    return !settings->redis.url.len ||
           gh_redis_settings_resolve(&settings->redis,
                                     settings->policy.environment == GH_PRODUCTION, &source, arena,
                                     out_url, out_message);
}

static void adopt_redis(struct serve *serve, const struct gh_loaded *loaded,
                        const struct gh_redis_url *url)
{
    if (serve->shared_limits && url->text.len)
        gh_shared_limits_adopt(serve->shared_limits, url, &loaded->settings.redis);
    if (serve->shared_revocations && url->text.len)
        gh_shared_revocations_adopt(serve->shared_revocations, url, &loaded->settings.redis);
    if (!serve->shared_limits != !url->text.len)
        gh_log_message(serve->ring, GH_LOG_WARNING,
                       "redis is taken up, or given up, with a restart only");
}

static void reload(struct serve *serve)
{
    struct gh_loaded loaded;
    struct gh_str message = GH_STR("the configuration has errors");
    struct gh_arena secrets;
    struct gh_redis_url redis;
    bool done = false;
    gh_arena_reset(&serve->messages);
    gh_arena_init(&secrets, URL_BLOCK_BYTES, URL_BYTES_MAX);
    bool readable = gh_loader_read(&serve->source, &loaded);
    /* First: what is out of reach is the reason why it could not be read. */
    if (gh_serve_sandbox_admits(&serve->sandbox, &loaded, serve->source.file, &serve->messages,
                                &loaded.message) &&
        readable && find_redis(&loaded, &secrets, &redis, &loaded.message) &&
        gh_serve_identity_prepare(&serve->identity, &loaded, &serve->store, &loaded.message) &&
        gh_key_process_suffices(&serve->keys, &loaded.settings, &loaded.message) &&
        gh_loader_open(&loaded, serve->groups, serve->keys.keys, serve->current)) {
        loaded.snapshot->generation = serve->current->generation + 1;
        gh_snapshot_ref(loaded.snapshot); /* becomes ours */
        gh_snapshot_ref(loaded.snapshot);
        done =
            gh_server_reload(serve->server, loaded.snapshot, &serve->messages, &message) == GH_OK;
        if (done) {
            gh_snapshot_unref(serve->current);
            serve->current = loaded.snapshot;
            if (serve->identity.host)
                gh_identity_host_adopt(serve->identity.host, serve->current,
                                       &loaded.settings.policy.rate_limits);
            adopt_evidence(serve);
            adopt_redis(serve, &loaded, &redis);
        } else {
            gh_snapshot_unref(loaded.snapshot);
        }
    } else if (loaded.message.len) {
        message = loaded.message;
    }
    gh_problems_log(serve->ring, &loaded.load);
    if (serve->identity.host)
        gh_identity_host_reloaded(serve->identity.host, done);
    if (done)
        gh_log_message(serve->ring, GH_LOG_INFO, "configuration reloaded");
    else
        gh_log_message(serve->ring, GH_LOG_ERROR,
                       "reload refused, the old configuration stays: %.*s", GH_STR_ARG(message));
    gh_loader_forget(&loaded);
    gh_arena_done(&secrets);
}

static void drain(struct serve *serve)
{
    gh_server_drain(serve->server, serve->draining ? 0 : gh_loop_now_ms(serve->control) + DRAIN_MS);
    serve->draining = true;
}

/* Keys can't be read again, since the right to is gone. Whoever supervises us starts us anew. */
static void on_child(struct serve *serve)
{
    struct gh_str how;
    if (!gh_key_process_has_ended(&serve->keys, &serve->messages, &how))
        return;
    gh_log_message(serve->ring, GH_LOG_ERROR,
                   "the process that keeps the TLS keys has ended (%.*s): finishing what is in "
                   "flight, then ending with status 1",
                   GH_STR_ARG(how));
    serve->status = 1;
    if (!serve->draining)
        drain(serve);
}

static void on_signal(void *context, int number)
{
    struct serve *serve = context;
    if (number == SIGHUP) {
        if (!serve->draining)
            reload(serve);
        return;
    }
    if (number == SIGCHLD) {
        on_child(serve);
        return;
    }
    gh_log_message(serve->ring, GH_LOG_INFO, "signal %d: %s", number,
                   serve->draining ? "ending at once" : "finishing what is in flight");
    drain(serve);
}

static void on_ended(void *owner)
{
    struct serve *serve = owner;
    gh_log_message(serve->ring, GH_LOG_INFO, "ended");
    gh_upstream_groups_close(serve->groups);
    serve->groups = NULL;
    gh_loop_stop(serve->control);
    serve->stopped = true;
}

static void on_turn(void *arg)
{
    struct serve *serve = arg;
    gh_log_flush(serve->ring);
}

/* ---- Start ---- */

static int fail(const char *what, struct gh_str why)
{
    fprintf(stderr, "gatehouse: can't start: %s%.*s\n", what, GH_STR_ARG(why));
    return 2;
}

static int fail_err(const char *what, enum gh_err err)
{
    return fail(what, gh_str_from_c(gh_err_text(err)));
}

static struct gh_hash_key random_key(void)
{
    struct gh_hash_key key;
    if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key))
        abort(); /* no randomness, no tables that strangers may fill */
    return key;
}

static enum gh_err open_parts(struct serve *serve)
{
    enum gh_err err = gh_loop_open(&serve->control);
    if (err == GH_OK)
        err = gh_metrics_open(serve->worker_count + 1, &serve->metrics);
    if (err == GH_OK)
        err = gh_log_open(STDOUT_FILENO, &serve->log);
    if (err == GH_OK)
        err = gh_log_ring_open(serve->log, &serve->ring);
    if (err == GH_OK)
        err = gh_limit_table_open(LIMIT_SLOTS, random_key(), &serve->limits);
    if (err == GH_OK)
        err = gh_upstream_groups_open(serve->control, serve->metrics, &serve->groups);
    if (err == GH_OK) {
        serve->evidence = gh_evidence_keeper_new(serve->log);
        err = serve->evidence ? GH_OK : GH_ERR_MEMORY;
    }
    if (err == GH_OK) {
        serve->tables = (struct gh_process_tables){serve->log, serve->limits};
        gh_metrics_add_source(serve->metrics, gh_process_metrics_write, &serve->tables);
        gh_metrics_add_source(serve->metrics, gh_serve_sandbox_write_metrics, &serve->sandbox);
        gh_loop_on_turn(serve->control, on_turn, serve);
    }
    return err;
}

static void on_limits_changed(void *context, bool is_shared, struct gh_str what, uint64_t seconds)
{
    struct serve *serve = context;
    if (serve->identity.host)
        gh_identity_host_limits_changed(serve->identity.host, is_shared, what, seconds);
}

/* What nodes share through it. False: no memory. */
static bool open_shared(struct serve *serve, const struct gh_redis_url *url)
{
    const struct gh_redis_settings *settings = &serve->loaded.settings.redis;
    const struct gh_shared_limits_options limits = {
        .worker_count = serve->worker_count,
        .control = serve->control,
        .ring = serve->ring,
        .metrics = serve->metrics,
        .secret = random_key(),
    };
    const struct gh_shared_revocations_options revocations = {
        .log = serve->log,
        .metrics = serve->metrics,
        .row = serve->worker_count,
    };
    serve->shared_limits = gh_shared_limits_new(&limits, url, settings);
    if (!serve->shared_limits)
        return false;
    gh_shared_limits_tell(serve->shared_limits, on_limits_changed, serve);
    if (!serve->loaded.settings.identity.enabled)
        return true;
    serve->shared_revocations = gh_shared_revocations_new(&revocations, url, settings);
    return serve->shared_revocations != NULL;
}

static bool open_redis(struct serve *serve, struct gh_str *out_message)
{
    struct gh_arena secrets;
    struct gh_redis_url url;
    gh_arena_init(&secrets, URL_BLOCK_BYTES, URL_BYTES_MAX);
    bool found = find_redis(&serve->loaded, &secrets, &url, out_message);
    if (found && url.text.len) {
        found = open_shared(serve, &url);
        *out_message = GH_STR("out of memory");
    } else if (!found) { /* the text goes with its arena */
        *out_message = gh_arena_dup(&serve->messages, *out_message);
    }
    gh_arena_done(&secrets);
    return found;
}

static enum gh_err open_identity(struct serve *serve)
{
    if (!serve->loaded.settings.identity.enabled)
        return GH_OK;
    serve->sanctions = gh_sanctions_new(SANCTIONS, random_key());
    if (!serve->sanctions)
        return GH_ERR_MEMORY;
    struct gh_identity_host_options options = {
        .log = serve->log,
        .limits = serve->limits,
        .shared_limits = serve->shared_limits,
        .shared_revocations = serve->shared_revocations,
        .hash_key = random_key(),
        .metrics = serve->metrics,
        .sanctions = serve->sanctions,
        .worker_count = serve->worker_count,
    };
    const struct gh_store_settings *store = &serve->loaded.settings.store;
    char *url = strndup(store->url.ptr, store->url.len);
    if (!url)
        return GH_ERR_MEMORY;
    serve->store = *store;
    serve->store.url = gh_str_from_c(url);
    return gh_serve_identity_new(&serve->identity, &serve->loaded, &options, gh_process_cores());
}

static uint64_t connections_max(const struct serve *serve, uint64_t descriptors)
{
    uint64_t configured = serve->loaded.settings.policy.limits.connections;
    uint64_t possible = descriptors > 2 * DESCRIPTORS_RESERVED
                            ? (descriptors - DESCRIPTORS_RESERVED) / 2
                            : DESCRIPTORS_RESERVED / 2;
    return configured && configured < possible ? configured : possible;
}

static int open_server(struct serve *serve, uint64_t descriptors)
{
    struct gh_str message;
    if (!gh_loader_open(&serve->loaded, serve->groups, serve->keys.keys, NULL))
        return fail("", serve->loaded.message);
    struct gh_server_options options = {
        .worker_count = serve->worker_count,
        .log = serve->log,
        .metrics = serve->metrics,
        .limits = serve->limits,
        .limits_host = serve->shared_limits ? gh_shared_limits_host(serve->shared_limits) : NULL,
        .sanctions = serve->sanctions,
        .hash_key = random_key(),
        .connections_max = connections_max(serve, descriptors),
        .control = serve->control,
        .on_ended = on_ended,
        .owner = serve,
        .service = serve->identity.host ? &serve->identity.service : NULL,
        .revocations =
            serve->identity.host ? gh_identity_host_revocations(serve->identity.host) : NULL,
        .tallies = serve->identity.host ? gh_identity_host_tallies(serve->identity.host) : NULL,
    };
    serve->loaded.snapshot->generation = 1;
    serve->current = serve->loaded.snapshot;
    gh_snapshot_ref(serve->current);
    gh_snapshot_ref(serve->current); /* taken over by the server */
    if (gh_server_open(&options, serve->current, &serve->messages, &serve->server, &message) !=
        GH_OK)
        return fail("", message);
    if (gh_process_drop_privileges(&serve->runs_as, &serve->messages, &message) != GH_OK ||
        gh_key_process_seal(&serve->keys, &serve->messages, &message) != GH_OK)
        return fail("", message);
    if (serve->identity.host && gh_serve_identity_open(&serve->identity, &serve->loaded,
                                                       &serve->messages, &message) != GH_OK)
        return fail("", message);
    return 0;
}

static void announce(const struct serve *serve)
{
    const struct gh_root_settings *settings = &serve->loaded.settings;
    for (size_t i = 0; i < serve->current->listen_count; i++) {
        const struct gh_listen_settings *listen = &serve->current->listens[i];
        gh_log_message(serve->ring, GH_LOG_INFO, "listening on %.*s%s%s", GH_STR_ARG(listen->text),
                       listen->tls ? " (TLS)" : "", listen->admin ? " (admin)" : "");
    }
    if (serve->keys.keys)
        gh_log_message(serve->ring, GH_LOG_INFO, "process %ld keeps the TLS keys",
                       (long)serve->keys.id);
    gh_log_message(serve->ring, GH_LOG_INFO, "gatehouse %s started, %s, %u worker%s", GH_VERSION,
                   settings->policy.environment == GH_PRODUCTION ? "production" : "development",
                   serve->worker_count, serve->worker_count == 1 ? "" : "s");
    if (!serve->source.file)
        fprintf(stderr,
                "gatehouse: development defaults in front of %s: hosts localhost and loopback,\n"
                "  header preset api, bodies up to 1 MiB, 100 requests a second per client with\n"
                "  a burst of 200, no identity. Write a file for anything else.\n",
                serve->source.upstream);
    gh_log_flush(serve->ring);
}

static int run(struct serve *serve)
{
    struct gh_str message;
    enum gh_err err = gh_signals_open(serve->control, on_signal, serve, &serve->signals);
    if (err != GH_OK)
        return fail_err("signals: ", err);
    /* First, so that the workers know from their first request on what tokens are judged by. */
    if (serve->identity.host) {
        err = gh_serve_identity_start(&serve->identity, &serve->loaded, serve->server,
                                      serve->current);
        if (err != GH_OK)
            exit(fail_err("identity: ", err));
    }
    gh_loader_warn_of_reloads(&serve->source, serve->ring);
    adopt_evidence(serve);
    err = gh_server_start(serve->server);
    if (err != GH_OK)
        exit(fail_err("threads: ", err)); /* some may run already */
    if (!gh_serve_sandbox_finish(&serve->sandbox, &serve->loaded.settings.sandbox, serve->ring,
                                 &serve->messages, &message))
        exit(fail("", message));
    gh_server_answer(serve->server);
    gh_serve_sandbox_warn_of_keys(&serve->sandbox, &serve->loaded.settings, serve->ring);
    gh_serve_sandbox_watch(&serve->sandbox, serve->control, serve->ring);
    announce(serve);
    gh_loop_run(serve->control);
    return serve->status;
}

/* Gives back what was opened, as far as it was. */
static void close_all(struct serve *serve)
{
    gh_signals_close(serve->signals);
    gh_serve_identity_quiesce(&serve->identity);
    if (serve->server)
        gh_server_close(serve->server);
    gh_evidence_keeper_close(serve->evidence); /* after the last request */
    gh_serve_identity_close(&serve->identity);
    free((char *)serve->store.url.ptr);
    if (serve->groups)
        gh_upstream_groups_close(serve->groups);
    if (serve->current)
        gh_snapshot_unref(serve->current);
    gh_loader_forget(&serve->loaded);
    if (serve->control && !serve->stopped) {
        gh_loop_stop(serve->control);
        gh_loop_run(serve->control);
    }
    if (serve->log)
        gh_log_close(serve->log, LOG_CLOSE_MS);
    gh_shared_limits_close(serve->shared_limits);
    gh_shared_revocations_free(serve->shared_revocations);
    if (serve->limits)
        gh_limit_table_close(serve->limits);
    gh_sanctions_free(serve->sanctions);
    if (serve->metrics)
        gh_metrics_close(serve->metrics);
    if (serve->control)
        gh_loop_close(serve->control);
    gh_serve_sandbox_done(&serve->sandbox);
    gh_key_process_close(&serve->keys);
    gh_arena_done(&serve->messages);
}

/* A core is left to password hashes. */
static unsigned default_workers(const struct gh_root_settings *settings)
{
    unsigned cores = gh_process_cores();
    if (settings->identity.enabled && cores > 1)
        cores--;
    return cores < WORKERS_MAX ? cores : WORKERS_MAX;
}

static int start_and_run(struct serve *serve)
{
    uint64_t descriptors = gh_process_set_limits();
    if (descriptors < DESCRIPTORS_MIN)
        return fail("", GH_STR("fewer than 48 files and sockets may be open: raise that limit "
                               "(ulimit -n, LimitNOFILE)"));
    bool readable = gh_loader_read(&serve->source, &serve->loaded);
    gh_loader_print_problems(&serve->loaded, stderr);
    if (!readable)
        return fail("", serve->loaded.message.len ? serve->loaded.message
                                                  : GH_STR("the configuration has errors"));
    if (!serve->worker_count)
        serve->worker_count = default_workers(&serve->loaded.settings);
    struct gh_str message, warning;
    /* Before there are threads, and secrets that it need not know. */
    if (gh_key_process_start(&serve->loaded.settings, serve->worker_count,
                             serve->keys_user ? serve->keys_user : serve->user, &serve->messages,
                             &serve->keys, &message) != GH_OK)
        return fail("", message);
    if (!gh_serve_identity_secrets(&serve->identity, &serve->loaded, &message, &warning))
        return fail("", message);
    if (warning.len)
        fprintf(stderr, "gatehouse: warning: %.*s\n", GH_STR_ARG(warning));
    if (gh_process_find_user(serve->user, &serve->messages, &serve->runs_as, &message) != GH_OK ||
        !gh_serve_sandbox_begin(&serve->sandbox, &serve->loaded, serve->source.file,
                                &serve->messages, &message))
        return fail("", message);
    enum gh_err err = open_parts(serve);
    if (err == GH_OK && !open_redis(serve, &message))
        return fail("", message);
    if (err == GH_OK)
        err = open_identity(serve);
    if (err != GH_OK)
        return fail_err("", err);
    int status = open_server(serve, descriptors);
    return status == 0 ? run(serve) : status;
}

/* ---- The command line ---- */

static int wrong_usage(const char *what)
{
    fprintf(stderr, "gatehouse serve: %s; see gatehouse serve --help\n", what);
    return 2;
}

int gh_cmd_serve(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'}, {"upstream", required_argument, NULL, 'u'},
        {"listen", required_argument, NULL, 'l'}, {"workers", required_argument, NULL, 'w'},
        {"user", required_argument, NULL, 'U'},   {"keys-user", required_argument, NULL, 'K'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct serve serve = {0};
    uint64_t workers;
    gh_arena_init(&serve.messages, 4096, 64 * 1024);
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        switch (option) {
        case 'c':
            serve.source.file = optarg;
            break;
        case 'u':
            serve.source.upstream = optarg;
            break;
        case 'l':
            serve.source.listen = optarg;
            break;
        case 'U':
            serve.user = optarg;
            break;
        case 'K':
            serve.keys_user = optarg;
            break;
        case 'w':
            if (!gh_num_parse_u64(gh_str_from_c(optarg), WORKERS_MAX, &workers) || workers == 0)
                return wrong_usage("--workers takes a number from 1 to 64");
            serve.worker_count = (unsigned)workers;
            break;
        case 'h':
            fputs(HELP, stdout);
            return 0;
        default:
            return 2; /* getopt has said why */
        }
    }
    if (optind < argc)
        return wrong_usage("it takes no arguments but options");
    if (serve.source.file && serve.source.upstream)
        return wrong_usage("--upstream goes without --config; name the upstream in the file");
    if (!serve.source.file && !serve.source.upstream)
        serve.source.file = "gatehouse.yaml";
    gh_signals_block();
    int status = start_and_run(&serve);
    close_all(&serve);
    return status;
}
