/*
 * `gatehouse secrets`: generate and check are done here; status and rotate are handed on to
 * whoever has the store (cmd_operator.c), a new root key on standard input, so that it stands
 * neither among arguments nor in a file that the server would have to open.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/config_file.h"
#include "app/loader.h"
#include "app/operator.h"
#include "crypto/hash.h"

#define SECRETS_BYTES_MAX (256u * 1024)
#define ARGS_MAX          16

struct words {
    const char *config, *root_file;
    const char *rest[ARGS_MAX]; /* what stands behind the verb */
    int rest_count;
};

static int fail(const char *what)
{
    fprintf(stderr, "gatehouse secrets: %s\n", what);
    return 2;
}

/* ---- The command line ---- */

/* NULL, or what is wrong. */
static const char *read_words(int argc, char **argv, struct words *words)
{
    for (int i = 2; i < argc; i++) {
        bool config = strcmp(argv[i], "--config") == 0 || strcmp(argv[i], "-c") == 0;
        if (config || strcmp(argv[i], "--root-file") == 0) {
            if (i + 1 == argc)
                return config ? "--config needs a file" : "--root-file needs a file";
            *(config ? &words->config : &words->root_file) = argv[++i];
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            words->config = argv[i] + 9;
        } else if (strncmp(argv[i], "--root-file=", 12) == 0) {
            words->root_file = argv[i] + 12;
        } else if (words->rest_count == ARGS_MAX - 8) {
            return "too many words";
        } else {
            words->rest[words->rest_count++] = argv[i];
        }
    }
    return NULL;
}

static bool has(const struct words *words, const char *option)
{
    for (int i = 0; i < words->rest_count; i++)
        if (strcmp(words->rest[i], option) == 0)
            return true;
    return false;
}

/* False: the problems were printed. */
static bool load(const struct words *words, struct gh_loaded *loaded)
{
    struct gh_source source = {.file = words->config ? words->config : GH_CONFIG_FILE_DEFAULT};
    if (gh_loader_read(&source, loaded))
        return true;
    gh_loader_print_problems(loaded, stderr);
    if (loaded->message.len)
        fprintf(stderr, "gatehouse secrets: %.*s\n", GH_STR_ARG(loaded->message));
    else
        fail("the configuration has errors");
    return false;
}

/* ---- generate ---- */

static int generate(const struct words *words, struct gh_loaded *loaded)
{
    struct gh_secrets_settings none = {.root = GH_STR("env:APP_SECRET_KEY")};
    enum gh_secrets_form form = has(words, "--json")  ? GH_SECRETS_JSON
                                : has(words, "--raw") ? GH_SECRETS_RAW
                                                      : GH_SECRETS_ENV_FILE;
    if (words->rest_count > (form != GH_SECRETS_ENV_FILE) || words->root_file)
        return fail("generate takes --config FILE, and --json or --raw");
    if (words->config && !load(words, loaded))
        return 2;
    const struct gh_secrets_settings *settings = words->config ? &loaded->settings.secrets : &none;
    return gh_secrets_generate(settings, form, stdout) ? 0 : fail("it could not be written");
}

/* ---- check ---- */

static int check(const struct words *words, struct gh_loaded *loaded)
{
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_arena arena;
    struct gh_secrets secrets;
    struct gh_str message, warning;
    if (words->rest_count || words->root_file)
        return fail("check takes --config FILE only");
    if (!load(words, loaded))
        return 2;
    const struct gh_root_settings *settings = &loaded->settings;
    gh_arena_init(&arena, 4096, SECRETS_BYTES_MAX);
    bool good = gh_secrets_load(&settings->secrets, settings->identity.enabled,
                                settings->policy.environment == GH_PRODUCTION, &source, &arena,
                                &secrets, &message, &warning);
    if (!good)
        fprintf(stderr, "%.*s\n", GH_STR_ARG(message));
    else if (warning.len)
        printf("warning: %.*s\n", GH_STR_ARG(warning));
    else
        puts("All secrets are there, and none looks weak.");
    gh_arena_done(&arena);
    return good ? 0 : 1;
}

/* ---- status and rotate ---- */

/* The new root key, for the one who rotates: what a pipe takes without anybody reading. */
static bool give_on_standard_input(struct gh_str value)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    bool given = write(ends[1], value.ptr, value.len) == (ssize_t)value.len;
    close(ends[1]);
    given = dup2(ends[0], STDIN_FILENO) >= 0 && given;
    close(ends[0]);
    return given;
}

static int hand_on(const struct words *words, char *verb, char **extra, int extra_count)
{
    char *argv[2 * ARGS_MAX];
    int argc = 0;
    argv[argc++] = (char *)"secrets";
    argv[argc++] = verb;
    for (int i = 0; i < words->rest_count; i++)
        argv[argc++] = (char *)words->rest[i];
    for (int i = 0; i < extra_count; i++)
        argv[argc++] = extra[i];
    argv[argc++] = (char *)"--config";
    argv[argc++] = (char *)(words->config ? words->config : GH_CONFIG_FILE_DEFAULT);
    argv[argc] = NULL;
    return gh_cmd_operator(argc, argv);
}

static int status(const struct words *words, struct gh_loaded *loaded)
{
    char after[24];
    char *extra[] = {(char *)"--rotate-after-ms", after};
    if (words->root_file || words->rest_count > has(words, "--json"))
        return fail("status takes --config FILE and --json");
    if (!load(words, loaded))
        return 2;
    snprintf(after, sizeof(after), "%llu",
             (unsigned long long)loaded->settings.secrets.rotate_after_ms);
    return hand_on(words, (char *)"status", extra, 2);
}

/* The reference to the new root key; empty: it stays. With env: this process's environment says
   nothing of the server's. */
static struct gh_str new_root_of(const struct words *words, const struct gh_loaded *loaded,
                                 struct gh_arena *arena)
{
    struct gh_str configured = loaded->settings.secrets.root;
    if (words->root_file)
        return gh_arena_format(arena, "file:%s", words->root_file);
    return gh_str_starts_with(configured, GH_STR("file:")) ? configured : GH_STR("");
}

/* A start would not open the store with what secrets.root says. */
static void remind(const struct words *words, const struct gh_loaded *loaded, struct gh_str root,
                   struct gh_arena *arena)
{
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_str reference = loaded->settings.secrets.root, configured;
    if (!words->root_file)
        return;
    if (gh_secret_resolve(arena, &source, reference, &configured) == GH_OK &&
        gh_secret_eq(configured, root))
        return;
    printf("Before the next start, put the key of %s where secrets.root (%.*s) finds it.\n",
           words->root_file, GH_STR_ARG(reference));
}

static int rotate_root(const struct words *words, const struct gh_loaded *loaded,
                       struct gh_arena *arena)
{
    const struct gh_secret_source source = {gh_environment_get, NULL};
    struct gh_str reference = new_root_of(words, loaded, arena), root = GH_STR("");
    char *extra[2];
    int extra_count = 0;
    if (!reference.ptr || !loaded->settings.identity.enabled)
        return fail("identity is off in this configuration: there is nothing to rotate");
    if (reference.len && gh_secret_resolve(arena, &source, reference, &root) != GH_OK) {
        fprintf(stderr, "gatehouse secrets: the new root key can't be read from %.*s\n",
                GH_STR_ARG(reference));
        return 2;
    }
    if (!give_on_standard_input(root))
        return fail("the new root key can't be handed on");
    if (reference.len)
        extra[extra_count++] = (char *)"--root-stdin";
    if (isatty(STDERR_FILENO))
        extra[extra_count++] = (char *)"--progress";
    int exit_status = hand_on(words, (char *)"rotate", extra, extra_count);
    if (exit_status == 0)
        remind(words, loaded, root, arena);
    return exit_status;
}

static int rotate(const struct words *words, struct gh_loaded *loaded)
{
    struct gh_arena arena;
    bool signing = has(words, "--signing");
    if (words->rest_count > signing || (signing && words->root_file))
        return fail("rotate takes --config FILE, and --root-file FILE or --signing");
    if (!load(words, loaded))
        return 2;
    if (signing)
        return hand_on(words, (char *)"rotate", NULL, 0);
    gh_arena_init(&arena, 4096, SECRETS_BYTES_MAX);
    int exit_status = rotate_root(words, loaded, &arena);
    gh_arena_done(&arena);
    return exit_status;
}

static const struct {
    const char *name;
    int (*run)(const struct words *words, struct gh_loaded *loaded);
} VERBS[] = {
    {"generate", generate},
    {"check", check},
    {"status", status},
    {"rotate", rotate},
};

int gh_cmd_secrets(int argc, char **argv)
{
    struct words words = {0};
    struct gh_loaded loaded = {0};
    struct gh_operator op = {.in = stdin, .out = stdout, .err = stderr};
    if (argc < 2 || strcmp(argv[argc - 1], "--help") == 0 || strcmp(argv[argc - 1], "-h") == 0) {
        char *help[] = {(char *)"secrets", (char *)"--help", NULL};
        return gh_operator_secrets(&op, argc < 2 ? 1 : 2, help);
    }
    const char *wrong = read_words(argc, argv, &words);
    if (wrong)
        return fail(wrong);
    for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
        if (strcmp(argv[1], VERBS[i].name) != 0)
            continue;
        int exit_status = VERBS[i].run(&words, &loaded);
        gh_loader_forget(&loaded);
        return exit_status;
    }
    return fail("there is no such verb; see gatehouse secrets --help");
}
