/* `gatehouse consume`: entries of Redis streams become rows of PostgreSQL, once in effect. */
#include "app/commands.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config_file.h"
#include "app/consume_metrics.h"
#include "app/problem_print.h"
#include "app/process.h"
#include "app/root_config.h"
#include "app/serve_sandbox.h"

#define ARENA_BLOCK_BYTES (64u * 1024)
#define ARENA_BYTES_MAX   (64u * 1024 * 1024)
#define LOG_CLOSE_MS      2000
#define NAME_BYTES_MAX    255
/* Streams of one process: each has a thread and a connection. */
#define WORKERS_MAX 64

static const char HELP[] =
    "Usage: gatehouse consume [--config FILE] [--stream NAME --group NAME] [--consumer NAME]\n"
    "\n"
    "Reads streams of Redis with a consumer group and runs a statement in PostgreSQL for each\n"
    "entry, once in effect, as `consume` in the configuration says. Entries that the statement\n"
    "refuses are put aside in the table gatehouse_parked.\n"
    "\n"
    "  --config FILE     the configuration (default: " GH_CONFIG_FILE_DEFAULT ")\n"
    "  --stream NAME     only this stream and group of it\n"
    "  --group NAME\n"
    "  --consumer NAME   who this is in the group (default: the host's name). Entries that were\n"
    "                    in hand when it ended badly are gone on with at once under the same\n"
    "                    name, after claim_after under another. Two of one name at a time do\n"
    "                    the same work twice, and apply it once.\n"
    "  --user NAME       when started as root, run as NAME (default: gatehouse, else nobody)\n"
    "  --help            this text\n"
    "\n"
    "Signals: SIGTERM and SIGINT finish what is in hand and end (a second one ends at once;\n"
    "nothing is lost by it).\n"
    "Exit status: 0 after a clean end, 2 for wrong usage or configuration.\n";

struct consume {
    const char *file, *stream, *group, *name, *user;

    struct gh_arena arena; /* of the settings, and of URLs with their passwords */
    struct gh_root_settings settings;
    struct gh_redis_url redis;
    struct gh_process_user runs_as;
    struct gh_serve_sandbox sandbox;
    char host[NAME_BYTES_MAX + 1];
    struct gh_loop *loop;
    struct gh_log *log;
    struct gh_log_ring *ring;
    struct gh_signals *signals;
    struct gh_consume_worker *workers[WORKERS_MAX];
    size_t worker_count, ended_count;
    struct gh_consume_metrics *metrics[WORKERS_MAX];
    size_t metrics_count;
    bool stopping, stopped;
};

static int fail(struct gh_str what)
{
    fprintf(stderr, "gatehouse consume: %.*s\n", GH_STR_ARG(what));
    return 2;
}

static int fail_text(const char *what)
{
    return fail(gh_str_from_c(what));
}

/* ---- The configuration ---- */

/* Only what this command needs: a file for it has no hosts and no routes. */
static bool load(struct consume *consume)
{
    struct gh_config_load load;
    struct gh_str text;
    const char *message;
    if (!gh_config_file_read(consume->file, &consume->arena, &text, &message)) {
        fprintf(stderr, "gatehouse consume: %s: %s\n", consume->file, message);
        return false;
    }
    gh_config_load_init(&load, &consume->arena, consume->file, gh_environment_get, NULL);
    if (gh_root_load(&load, text, NULL, &consume->settings))
        gh_root_check_consume(&load, &consume->settings);
    gh_problems_print(stderr, &load, gh_colour_wanted(stderr));
    return load.error_count == 0;
}

static bool is_wanted(const struct consume *consume, const struct gh_consume_settings *settings)
{
    return !consume->stream || (gh_str_eq(settings->stream, gh_str_from_c(consume->stream)) &&
                                gh_str_eq(settings->group, gh_str_from_c(consume->group)));
}

static bool find_redis(struct consume *consume, struct gh_str *out_message)
{
    const struct gh_secret_source source = {gh_environment_get, NULL};
    return gh_redis_settings_resolve(&consume->settings.redis,
                                     consume->settings.policy.environment == GH_PRODUCTION, &source,
                                     &consume->arena, &consume->redis, out_message);
}

/* ---- While running ---- */

static void on_worker_ended(void *arg)
{
    struct consume *consume = arg;
    if (++consume->ended_count < consume->worker_count)
        return;
    for (size_t i = 0; i < consume->metrics_count; i++)
        gh_consume_metrics_close(consume->metrics[i]);
    consume->metrics_count = 0;
    gh_loop_stop(consume->loop);
    consume->stopped = true;
}

/* On a worker's thread. */
static void worker_ended(void *context)
{
    struct consume *consume = context;
    if (gh_loop_post(consume->loop, on_worker_ended, consume) != GH_OK)
        abort(); /* one post for each worker always has room */
}

static void stop_workers(struct consume *consume)
{
    for (size_t i = 0; i < consume->worker_count; i++)
        gh_consume_worker_stop(consume->workers[i]);
}

static void on_signal(void *context, int number)
{
    struct consume *consume = context;
    if (number == SIGHUP || number == SIGCHLD)
        return;
    if (consume->stopping)
        _exit(1); /* what was not acknowledged comes again */
    gh_log_message(consume->ring, GH_LOG_INFO, "signal %d: finishing what is in hand", number);
    consume->stopping = true;
    stop_workers(consume);
}

static void on_turn(void *arg)
{
    gh_log_flush(((struct consume *)arg)->ring);
}

/* ---- Start ---- */

static bool start_worker(struct consume *consume, const struct gh_consume_settings *settings,
                         struct gh_str *out_message)
{
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_str url;
    if (!gh_consume_settings_database(settings, consume->settings.store.url, &source,
                                      &consume->arena, &url, out_message))
        return false;
    const struct gh_consume_worker_options options = {
        .settings = settings,
        .database_url = url.ptr,
        .redis = &consume->redis,
        .redis_ca = consume->settings.redis.ca.len ? consume->settings.redis.ca.ptr : NULL,
        .name = gh_str_from_c(consume->name),
        .log = consume->log,
        .ended = worker_ended,
        .context = consume,
    };
    enum gh_err err = gh_consume_worker_start(
        &options, &consume->arena, &consume->workers[consume->worker_count], out_message);
    consume->worker_count += err == GH_OK;
    return err == GH_OK;
}

static bool start_workers(struct consume *consume, struct gh_str *out_message)
{
    const struct gh_consume_settings *items = consume->settings.consume.items;
    for (size_t i = 0; i < consume->settings.consume.count; i++) {
        if (!is_wanted(consume, &items[i]))
            continue;
        *out_message = GH_STR("too many streams for one process; name some by --stream, --group");
        if (consume->worker_count == WORKERS_MAX || !start_worker(consume, &items[i], out_message))
            return false;
        gh_log_message(consume->ring, GH_LOG_INFO, "stream %.*s, group %.*s: consumer %s",
                       GH_STR_ARG(items[i].stream), GH_STR_ARG(items[i].group), consume->name);
    }
    *out_message = GH_STR("the configuration has no such stream and group under `consume`");
    return consume->worker_count > 0;
}

/* Several entries may name one address: each tells of all. */
static bool listens_already(const struct consume *consume, size_t before)
{
    const struct gh_consume_settings *items = consume->settings.consume.items;
    for (size_t i = 0; i < before; i++)
        if (is_wanted(consume, &items[i]) && gh_str_eq(items[i].metrics, items[before].metrics))
            return true;
    return false;
}

static bool open_metrics(struct consume *consume, struct gh_str *out_message)
{
    const struct gh_consume_settings *items = consume->settings.consume.items;
    for (size_t i = 0; i < consume->settings.consume.count; i++) {
        if (!items[i].metrics.len || !is_wanted(consume, &items[i]) || listens_already(consume, i))
            continue;
        struct gh_str why;
        if (gh_consume_metrics_open(consume->loop, items[i].metrics, consume->workers,
                                    consume->worker_count, &consume->arena,
                                    &consume->metrics[consume->metrics_count], &why) != GH_OK) {
            *out_message = gh_arena_format(&consume->arena, "metrics at %.*s: %.*s",
                                           GH_STR_ARG(items[i].metrics), GH_STR_ARG(why));
            return false;
        }
        consume->metrics_count++;
    }
    return true;
}

/* Before any thread. */
static bool begin(struct consume *consume, struct gh_str *out_message)
{
    return gh_process_find_user(consume->user, &consume->arena, &consume->runs_as, out_message) ==
               GH_OK &&
           gh_serve_sandbox_begin_consume(&consume->sandbox, &consume->settings, &consume->arena,
                                          out_message);
}

static bool open_parts(struct consume *consume, struct gh_str *out_message)
{
    enum gh_err err = gh_loop_open(&consume->loop);
    if (err == GH_OK)
        err = gh_log_open(STDOUT_FILENO, &consume->log);
    if (err == GH_OK)
        err = gh_log_ring_open(consume->log, &consume->ring);
    if (err == GH_OK)
        err = gh_signals_open(consume->loop, on_signal, consume, &consume->signals);
    *out_message = gh_str_from_c(gh_err_text(err));
    if (err == GH_OK)
        gh_loop_on_turn(consume->loop, on_turn, consume);
    return err == GH_OK &&
           gh_process_drop_privileges(&consume->runs_as, &consume->arena, out_message) == GH_OK;
}

static void close_all(struct consume *consume)
{
    if (consume->loop && !consume->stopped) { /* a start that failed */
        if (consume->worker_count) {
            stop_workers(consume);
        } else {
            gh_loop_stop(consume->loop);
        }
        gh_loop_run(consume->loop);
    }
    gh_signals_close(consume->signals);
    for (size_t i = 0; i < consume->worker_count; i++)
        gh_consume_worker_free(consume->workers[i]);
    if (consume->log) {
        gh_log_flush(consume->ring);
        gh_log_close(consume->log, LOG_CLOSE_MS);
    }
    if (consume->loop)
        gh_loop_close(consume->loop);
    gh_serve_sandbox_done(&consume->sandbox);
}

static int run(struct consume *consume)
{
    struct gh_str message = GH_STR("");
    if (!load(consume))
        return 2;
    if (!consume->settings.consume.count)
        return fail_text("the configuration has no `consume`");
    gh_process_set_limits();
    bool good = find_redis(consume, &message) && begin(consume, &message) &&
                open_parts(consume, &message) && start_workers(consume, &message) &&
                open_metrics(consume, &message) &&
                gh_serve_sandbox_finish(&consume->sandbox, &consume->settings.sandbox,
                                        consume->ring, &consume->arena, &message);
    if (good)
        gh_loop_run(consume->loop);
    else
        fail(message);
    close_all(consume);
    return good ? 0 : 2;
}

/* ---- The command line ---- */

static const char *read_options(int argc, char **argv, struct consume *consume)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'},
        {"stream", required_argument, NULL, 's'},
        {"group", required_argument, NULL, 'g'},
        {"consumer", required_argument, NULL, 'n'},
        {"user", required_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char **const texts[] = {&consume->file, &consume->stream, &consume->group, &consume->name,
                                  &consume->user};
    static const char LETTERS[] = "csgnu";
    for (int option; (option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1;) {
        const char *letter = strchr(LETTERS, option);
        if (option == 'h') {
            fputs(HELP, stdout);
            exit(0);
        }
        if (!letter)
            return "see gatehouse consume --help"; /* getopt has said why */
        *texts[letter - LETTERS] = optarg;
    }
    if (optind < argc)
        return "it takes no arguments but options";
    if (!consume->stream != !consume->group)
        return "--stream and --group go together";
    if (consume->name && (!*consume->name || strlen(consume->name) > NAME_BYTES_MAX))
        return "--consumer takes a name of 1 to 255 bytes";
    return NULL;
}

int gh_cmd_consume(int argc, char **argv)
{
    struct consume consume = {.file = NULL};
    const char *wrong = read_options(argc, argv, &consume);
    if (wrong)
        return fail_text(wrong);
    if (!consume.file)
        consume.file = GH_CONFIG_FILE_DEFAULT;
    if (!consume.name && gethostname(consume.host, NAME_BYTES_MAX) == 0 && *consume.host)
        consume.name = consume.host;
    if (!consume.name)
        return fail_text("the host has no name; give one by --consumer");
    gh_signals_block();
    gh_arena_init(&consume.arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    int status = run(&consume);
    gh_arena_done(&consume.arena);
    return status;
}
