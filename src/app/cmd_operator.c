/*
 * The commands `user` and `access`: carried out by the process that serves, through its control
 * socket, or by this one when nobody does, or when several processes may share the store.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/config_file.h"
#include "app/control.h"
#include "app/control_path.h"
#include "app/loader.h"
#include "app/operator.h"

#define MESSAGES_BYTES_MAX (1024u * 1024)
#define LIMIT_SLOTS        1024
#define LOG_CLOSE_MS       1000
/* A server that starts or ends has the store, but no socket: it is waited for. */
#define BUSY_TRIES    50
#define BUSY_PAUSE_US (100u * 1000)

struct local {
    struct gh_loaded loaded;
    struct gh_arena messages;
    struct gh_log *log;
    struct gh_limit_table *limits;
    struct gh_identity_host *host;
};

static int fail(const char *what)
{
    fprintf(stderr, "gatehouse: %s\n", what);
    return 2;
}

static int fail_text(struct gh_str what)
{
    fprintf(stderr, "gatehouse: %.*s\n", GH_STR_ARG(what));
    return 2;
}

/* ---- The command line ---- */

/* Takes --config FILE out of argv; everything else is the verb's. False: no file behind it. */
static bool take_config(int *argc, char **argv, const char **out_file)
{
    int kept = 0;
    *out_file = NULL;
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], "--config") == 0 || strcmp(argv[i], "-c") == 0) {
            if (++i == *argc)
                return false;
            *out_file = argv[i];
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            *out_file = argv[i] + 9;
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    *argc = kept;
    return true;
}

static bool wants_help(int argc, char **argv)
{
    return argc < 2 || strcmp(argv[argc - 1], "--help") == 0 || strcmp(argv[argc - 1], "-h") == 0;
}

/* `user import FILE`: the file becomes standard input, so that the server need not open it. */
static bool redirect_import(int argc, char **argv)
{
    if (argc < 3 || strcmp(argv[0], "user") != 0 || strcmp(argv[1], "import") != 0 ||
        strcmp(argv[2], "-") == 0)
        return true;
    int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
        return false;
    close(fd);
    return true;
}

/* ---- In this process ---- */

static enum gh_err open_local(struct local *local, struct gh_str *out_message)
{
    struct gh_identity_host_options options = {0};
    const struct gh_root_settings *settings = &local->loaded.settings;
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_secrets secrets;
    struct gh_str warning;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    *out_message = GH_STR("out of memory");
    if (nowhere < 0 || gh_log_open(nowhere, &local->log) != GH_OK ||
        getrandom(&options.hash_key, sizeof(options.hash_key), 0) != sizeof(options.hash_key) ||
        gh_limit_table_open(LIMIT_SLOTS, options.hash_key, &local->limits) != GH_OK)
        return GH_ERR_MEMORY;
    options.log = local->log;
    options.limits = local->limits;
    if (!gh_secrets_load(&settings->secrets, true, settings->policy.environment == GH_PRODUCTION,
                         &source, &local->messages, &secrets, out_message, &warning))
        return GH_ERR_INVALID;
    local->host = gh_identity_host_new(&options);
    return local->host
               ? gh_identity_host_open(local->host, settings, local->loaded.snapshot->identity,
                                       &secrets, &local->messages, out_message)
               : GH_ERR_MEMORY;
}

static void close_local(struct local *local)
{
    gh_identity_host_close(local->host);
    if (local->limits)
        gh_limit_table_close(local->limits);
    if (local->log)
        gh_log_close(local->log, LOG_CLOSE_MS);
    local->host = NULL;
    local->limits = NULL;
    local->log = NULL;
}

/* GH_ERR_EXISTS: another process has the store. */
static enum gh_err run_local(struct local *local, int argc, char **argv, int *out_status,
                             struct gh_str *out_message)
{
    enum gh_err err = open_local(local, out_message);
    if (err == GH_OK) {
        struct gh_operator op = {
            .host = local->host,
            .settings = local->loaded.snapshot->identity,
            .in = stdin,
            .out = stdout,
            .err = stderr,
        };
        gh_arena_init(&op.arena, 64 * 1024, 64 * MESSAGES_BYTES_MAX);
        *out_status = gh_operator_run(&op, argc, argv);
        gh_arena_done(&op.arena);
    }
    close_local(local);
    return err;
}

/* ---- Either ---- */

static int run(struct local *local, int argc, char **argv)
{
    int status = 2;
    struct gh_str message;
    if (!gh_control_is_used(local->loaded.settings.store.url))
        return run_local(local, argc, argv, &status, &message) == GH_OK ? status
                                                                        : fail_text(message);
    struct gh_str path = gh_control_path(&local->messages, local->loaded.settings.store.url);
    if (!path.ptr)
        return fail("out of memory");
    if (!path.len)
        return fail("a store in memory is that of its process alone; write memory:DIRECTORY for a "
                    "place of the control socket");
    for (unsigned tries = 0;; tries++) {
        enum gh_err err = gh_control_call(path.ptr, argc, argv, &status);
        if (err == GH_ERR_REFUSED)
            return fail("the serving process belongs to another user; run this as that user or "
                        "root");
        if (err != GH_OK && err != GH_ERR_NOT_FOUND) {
            fprintf(stderr, "gatehouse: the serving process did not answer: %s\n",
                    gh_err_text(err));
            return 2;
        }
        if (err == GH_ERR_NOT_FOUND)
            err = run_local(local, argc, argv, &status, &message);
        if (err == GH_OK)
            return status;
        if (err != GH_ERR_EXISTS || tries == BUSY_TRIES)
            return fail_text(message);
        usleep(BUSY_PAUSE_US);
    }
}

int gh_cmd_operator(int argc, char **argv)
{
    struct gh_source source = {0};
    struct local local = {0};
    int status = 2;
    if (!take_config(&argc, argv, &source.file))
        return fail("--config needs a file");
    if (wants_help(argc, argv)) {
        struct gh_operator op = {.in = stdin, .out = stdout, .err = stderr};
        return gh_operator_run(&op, argc, argv);
    }
    if (!source.file)
        return fail("say which deployment: --config FILE");
    if (!redirect_import(argc, argv))
        return fail("the file can't be read");
    gh_arena_init(&local.messages, 4096, MESSAGES_BYTES_MAX);
    if (!gh_loader_read(&source, &local.loaded)) {
        gh_loader_print_problems(&local.loaded, stderr);
        fail_text(local.loaded.message.len ? local.loaded.message
                                           : GH_STR("the configuration has errors"));
    } else if (!local.loaded.snapshot->identity) {
        fail("identity is off in this configuration: set identity.enabled");
    } else {
        status = run(&local, argc, argv);
    }
    gh_loader_forget(&local.loaded);
    gh_arena_done(&local.messages);
    return status;
}
