/* `gatehouse check`: every problem of a configuration, or what it comes to. */
#include "app/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/config_file.h"
#include "app/effective_policy.h"
#include "app/evidence_files.h"
#include "app/input_documents.h"
#include "app/private_files.h"
#include "app/problem_print.h"
#include "app/root_config.h"
#include "app/store_open.h"
#include "net/tls.h"

/* Of one configuration's settings and policy. */
#define ARENA_BLOCK_BYTES (64 * 1024)
#define ARENA_BYTES_MAX   (256 * 1024 * 1024)

static const char HELP[] =
    "Usage: gatehouse check [FILE] [--json] [--strict] [--connect]\n"
    "\n"
    "Loads a configuration as serve would, without opening a socket, and prints every problem\n"
    "with its place and how to mend it; without errors also the effective policy.\n"
    "\n"
    "  FILE       the configuration (default: " GH_CONFIG_FILE_DEFAULT ")\n"
    "  --config FILE   the same\n"
    "  --json     one JSON object: file, errors, warnings, problems, policy\n"
    "  --strict   warnings count as errors\n"
    "  --connect  also connects to a store of PostgreSQL: whether it can be used, and has\n"
    "             connections enough; changes nothing there\n"
    "  --quiet    problems only, without the policy\n"
    "  --help     this text\n"
    "\n"
    "Exit status: 0 without errors, 1 with errors, 2 for wrong usage or an unreadable file.\n";

struct check {
    const char *file;
    bool json, strict, connect, quiet, help;
};

static bool read_options(int argc, char **argv, struct check *check)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"strict", no_argument, NULL, 's'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {"connect", no_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    optind = 0; /* glibc: start afresh, argv may be another one than before */
    for (int option; (option = getopt_long(argc, argv, "hq", options, NULL)) != -1;) {
        if (option == 'c')
            check->file = optarg;
        else if (option == 'j')
            check->json = true;
        else if (option == 's')
            check->strict = true;
        else if (option == 't')
            check->connect = true;
        else if (option == 'q')
            check->quiet = true;
        else if (option == 'h')
            check->help = true;
        else
            return false;
    }
    if (argc - optind > 1 || (argc - optind == 1 && check->file))
        return false;
    if (argc - optind == 1)
        check->file = argv[optind];
    return true;
}

/* Certificates and keys: read as serve would, and let go. */
static void check_certificates(struct gh_config_load *load,
                               const struct gh_listener_settings *listener)
{
    const struct gh_tls_pair_settings *from = listener->tls.items;
    struct gh_tls_pair *pairs = gh_arena_zalloc(load->arena, listener->tls.count, sizeof *pairs);
    struct gh_tls_server *server = NULL;
    struct gh_str message = GH_STR("");
    for (size_t i = 0; pairs && i < listener->tls.count; i++)
        pairs[i] = (struct gh_tls_pair){from[i].certificate.ptr, from[i].key.ptr};
    if (pairs && gh_tls_server_open(pairs, listener->tls.count, GH_STR("\x08http/1.1"), NULL,
                                    load->arena, &server, &message) == GH_OK)
        gh_tls_server_unref(server);
    else
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &listener->tls),
                              "serve could not start with it", "%.*s", GH_STR_ARG(message));
}

static void check_authorities(struct gh_config_load *load,
                              const struct gh_upstream_settings *upstream)
{
    struct gh_tls_client *client = NULL;
    struct gh_str message = GH_STR("");
    if (gh_tls_client_open(upstream->ca.ptr, load->arena, &client, &message) == GH_OK)
        gh_tls_client_unref(client);
    else
        gh_config_problem_add(load, GH_CONFIG_ERROR, gh_config_where(load, &upstream->ca),
                              "serve could not start with it", "%.*s", GH_STR_ARG(message));
}

/* The files that the settings name. */
static void check_files(struct gh_config_load *load, const struct gh_root_settings *settings)
{
    const struct gh_listener_settings *listeners = settings->listeners.items;
    const struct gh_upstream_settings *upstreams = settings->upstreams.items;
    for (size_t i = 0; i < settings->listeners.count; i++) {
        if (listeners[i].tls.count > 0)
            check_certificates(load, &listeners[i]);
    }
    for (size_t i = 0; i < settings->upstreams.count; i++) {
        if (upstreams[i].ca.len > 0)
            check_authorities(load, &upstreams[i]);
    }
}

static void print_json_string(const char *text)
{
    fputc('"', stdout);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    fputc('"', stdout);
}

static void print_json(const struct check *check, struct gh_config_load *load,
                       const struct gh_effective *effective)
{
    fputs("{\"file\":", stdout);
    print_json_string(check->file);
    printf(",\"errors\":%u,\"warnings\":%u,\"problems\":", load->error_count, load->warning_count);
    gh_problems_print_json(stdout, load);
    if (effective->policy && !check->quiet) {
        fputs(",\"policy\":", stdout);
        gh_effective_print_json(stdout, effective);
    }
    fputs("}\n", stdout);
}

static void print_text(const struct check *check, struct gh_config_load *load,
                       const struct gh_effective *effective)
{
    bool colour = gh_colour_wanted(stdout);
    gh_problems_print(stdout, load, colour);
    gh_problems_print_summary(stdout, load, colour);
    if (effective->policy && !check->quiet) {
        fputc('\n', stdout);
        gh_effective_print(stdout, effective);
    }
}

static int check_text(const struct check *check, struct gh_arena *arena, struct gh_str text)
{
    struct gh_config_load load;
    struct gh_root_settings settings;
    struct gh_effective effective = {.settings = &settings, .file = check->file};
    gh_config_load_init(&load, arena, check->file, gh_environment_get, NULL);
    bool is_read = gh_root_load(&load, text, NULL, &settings);
    if (is_read && gh_root_is_for_consume(&settings)) {
        gh_root_check_consume(&load, &settings);
    } else if (is_read) {
        gh_input_documents_load(&load, &settings);
        (void)gh_evidence_files_make(&load, &settings);
        effective.policy = gh_root_compile(&load, &settings, (int64_t)time(NULL));
        check_files(&load, &settings);
        gh_private_files_check(&load, &settings, check->file);
        if (check->connect && load.error_count == 0 && settings.identity.enabled)
            gh_store_settings_try(&load, &settings.store);
    }
    if (load.error_count > 0)
        effective.policy = NULL;
    if (check->json)
        print_json(check, &load, &effective);
    else
        print_text(check, &load, &effective);
    return load.error_count > 0 || (check->strict && load.warning_count > 0);
}

int gh_cmd_check(int argc, char **argv)
{
    struct check check = {0};
    if (!read_options(argc, argv, &check)) {
        fputs(HELP, stderr);
        return 2;
    }
    if (check.help) {
        fputs(HELP, stdout);
        return 0;
    }
    if (!check.file)
        check.file = GH_CONFIG_FILE_DEFAULT;
    struct gh_arena arena;
    struct gh_str text;
    const char *message;
    gh_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    int status = 2;
    if (gh_config_file_read(check.file, &arena, &text, &message))
        status = check_text(&check, &arena, text);
    else
        fprintf(stderr, "gatehouse: %s: %s\n", check.file, message);
    gh_arena_done(&arena);
    return fflush(stdout) == 0 ? status : 2;
}
