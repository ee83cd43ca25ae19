/*
 * The command `audit` on the side of its caller: files are opened here, by who may, and handed over
 * as standard streams; following and checking an export need no server at all.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/audit_notes.h"
#include "app/commands.h"
#include "app/config_file.h"
#include "app/loader.h"
#include "app/operator_audit.h"
#include "base/num.h"
#include "net/loop.h"

#define ARGS_MAX        64
#define NOTES_BYTES_MAX (64u * 1024 * 1024)
#define FOLLOW_PAUSE_US (500u * 1000)
/* Of some two thousand chains: what goes to a server's control socket has no more room. */
#define CURSOR_BYTES_MAX (24u * 1024)

struct words {
    const char *config, *output, *checkpoint, *public_key, *unsigned_max, *retention;
    const char *export; /* a file to verify */
    bool follow, partial, json;
    char *rest[ARGS_MAX]; /* for who has the store; begins with "audit" and the verb */
    int rest_count;
};

static int fail(const char *what, const char *of)
{
    fprintf(stderr, "gatehouse audit: %s%s%s\n", what, of ? ": " : "", of ? of : "");
    return 2;
}

/* ---- The command line ---- */

/* Where the value of an option goes that is meant for this side; NULL: it is not. */
static const char **place_of(struct words *words, const char *name)
{
    return strcmp(name, "--config") == 0 || strcmp(name, "-c") == 0 ? &words->config
           : strcmp(name, "--output") == 0                          ? &words->output
           : strcmp(name, "--checkpoint") == 0                      ? &words->checkpoint
           : strcmp(name, "--public-key") == 0                      ? &words->public_key
           : strcmp(name, "--unsigned") == 0                        ? &words->unsigned_max
           : strcmp(name, "--retention") == 0                       ? &words->retention
                                                                    : NULL;
}

static bool *flag_of(struct words *words, const char *name)
{
    return strcmp(name, "--follow") == 0 || strcmp(name, "-f") == 0 ? &words->follow
           : strcmp(name, "--partial") == 0                         ? &words->partial
                                                                    : NULL;
}

/* NULL, or what is wrong. */
static const char *read_words(int argc, char **argv, struct words *words)
{
    bool verify = argc > 1 && strcmp(argv[1], "verify") == 0;
    if (argc > ARGS_MAX - 8)
        return "too many words";
    for (int i = 0; i < argc; i++) {
        const char **place = place_of(words, argv[i]);
        bool *flag = flag_of(words, argv[i]);
        if (place && ++i == argc)
            return "an option at the end has no value";
        if (place)
            *place = argv[i];
        else if (flag)
            *flag = true;
        else if (verify && i > 1 && !words->export && (argv[i][0] != '-' || !argv[i][1]))
            words->export = argv[i];
        else
            words->rest[words->rest_count++] = argv[i];
        words->json |= !place && strcmp(argv[i], "--json") == 0;
    }
    return NULL;
}

/* ---- An export, without a store ---- */

struct export_check {
    FILE *lines, *keys, *notes;
    struct gh_audit_verify_options options; /* without those of the files */
    bool json;
};

/* A line with its newline; of a longer one as much as shows that it is too long. 0: the end. */
static size_t read_line(FILE *in, char *line)
{
    size_t len = 0;
    int c = 0;
    while (len <= GH_AUDIT_LINE_BYTES_MAX && c != '\n' && (c = getc(in)) != EOF)
        line[len++] = (char)c;
    return len;
}

static enum gh_err check_lines(const struct export_check *check, struct gh_arena *arena,
                               const struct gh_audit_verify_options *options,
                               struct gh_audit_verdict *out_verdict)
{
    struct gh_audit_verification *run = gh_audit_verify_begin(arena, options);
    char *line = gh_arena_alloc(arena, GH_AUDIT_LINE_BYTES_MAX + 1);
    size_t len;
    bool good = true;
    if (!run)
        return GH_ERR_MEMORY;
    while (line && good && (len = read_line(check->lines, line)) > 0)
        good = gh_audit_verify_line(run, gh_str_of(line, len));
    enum gh_err err = gh_audit_verify_end(run, out_verdict);
    if (!line)
        return GH_ERR_MEMORY;
    return err == GH_OK && ferror(check->lines) ? GH_ERR_IO : err;
}

static enum gh_err read_keys(const struct export_check *check, struct gh_arena *arena,
                             struct gh_audit_verifier **out_keys, size_t *out_count)
{
    struct gh_str text;
    if (!check->keys)
        return GH_OK;
    enum gh_err err = gh_audit_notes_read(check->keys, NOTES_BYTES_MAX, arena, &text);
    return err == GH_OK ? gh_audit_verifiers_read(arena, text, out_keys, out_count) : err;
}

static int check_export(const struct export_check *check)
{
    struct gh_arena arena;
    struct gh_audit_verifier *keys = NULL;
    struct gh_audit_verify_options options = check->options;
    struct gh_audit_verdict verdict = {0};
    struct gh_str notes = GH_STR("");
    gh_arena_init(&arena, 64u * 1024, 4 * NOTES_BYTES_MAX);
    const char *what = "the public key can't be read";
    enum gh_err err = read_keys(check, &arena, &keys, &options.verifier_count);
    options.verifiers = keys;
    if (err == GH_OK && check->notes) {
        what = "the saved checkpoints can't be read, or are not signed by that key";
        err = gh_audit_notes_read(check->notes, NOTES_BYTES_MAX, &arena, &notes);
    }
    if (err == GH_OK)
        err = gh_audit_notes_open(&arena, notes, keys, options.verifier_count, &options.saved,
                                  &options.saved_count);
    if (err == GH_OK) {
        what = "the export can't be read";
        err = check_lines(check, &arena, &options, &verdict);
    }
    int status = err == GH_OK ? gh_audit_verdict_print(stdout, &verdict, check->json,
                                                       verdict.signatures_checked)
                              : 1;
    if (err != GH_OK)
        fail(what, gh_err_text(err));
    for (size_t i = 0; i < options.verifier_count; i++)
        gh_pkey_unref(keys[i].key);
    gh_arena_done(&arena);
    return status;
}

static FILE *open_named(const char *path)
{
    return strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
}

static void close_named(FILE *file)
{
    if (file && file != stdin)
        fclose(file);
}

/* Of the file, where it is given. False: it has errors, which are told. */
static bool read_settings(const struct words *words, struct gh_audit_verify_options *options)
{
    struct gh_source source = {.file = words->config};
    struct gh_loaded loaded = {0};
    if (!words->config)
        return true;
    bool read = gh_loader_read(&source, &loaded);
    if (read) {
        const struct gh_audit_settings *audit = &loaded.settings.audit;
        options->unsigned_records_max = gh_audit_unsigned_records_max(audit->checkpoint.records);
        options->retention_us = audit->retention_ms * 1000;
    } else {
        gh_loader_print_problems(&loaded, stderr);
    }
    gh_loader_forget(&loaded);
    return read;
}

/* Options come before the file. NULL, or what is wrong. */
static const char *read_bounds(const struct words *words, struct gh_audit_verify_options *options)
{
    uint64_t retention_ms = 0;
    if (!read_settings(words, options))
        return "the configuration has errors";
    if (words->unsigned_max && (!gh_num_parse_u64(gh_str_from_c(words->unsigned_max), INT64_MAX,
                                                  &options->unsigned_records_max) ||
                                !options->unsigned_records_max))
        return "--unsigned takes a number of records";
    if (words->retention && !gh_audit_command_retention(words->retention, &retention_ms))
        return "--retention takes a duration, as 400d";
    if (retention_ms)
        options->retention_us = retention_ms * 1000;
    options->now_us = gh_wall_now_us();
    return NULL;
}

static int verify_export(const struct words *words)
{
    struct export_check check = {.options.partial = words->partial, .json = words->json};
    const char *names[] = {words->export, words->public_key, words->checkpoint};
    FILE **files[] = {&check.lines, &check.keys, &check.notes};
    int status = 0;
    if (words->rest_count > 2 + words->json)
        return fail("this can't be taken with an export", words->rest[2]);
    const char *wrong = read_bounds(words, &check.options);
    if (wrong)
        return fail(wrong, NULL);
    for (size_t i = 0; status == 0 && i < 3; i++) {
        *files[i] = names[i] ? open_named(names[i]) : NULL;
        if (names[i] && !*files[i])
            status = fail("this file can't be read", names[i]);
    }
    if (status == 0)
        status = check_export(&check);
    for (size_t i = 0; i < 3; i++)
        close_named(*files[i]);
    return status;
}

/* ---- Over the store ---- */

/* A file in the place of a standard stream. */
static bool redirect(const char *path, int flags, int stream)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, stream) < 0)
        return false;
    close(fd);
    return true;
}

static int hand_on(const struct words *words, const char *option, const char *value)
{
    char *argv[ARGS_MAX];
    int argc = 0;
    for (int i = 0; i < words->rest_count; i++)
        argv[argc++] = words->rest[i];
    if (option)
        argv[argc++] = (char *)option;
    if (value)
        argv[argc++] = (char *)value;
    argv[argc++] = (char *)"--config";
    argv[argc++] = (char *)(words->config ? words->config : GH_CONFIG_FILE_DEFAULT);
    argv[argc] = NULL;
    return gh_cmd_operator(argc, argv);
}

/* The cursor that a look has left on standard error; what follows it is
   told. False: it has written something else there, which is told too. */
static bool read_cursor(int from, int errors, char *out, size_t size)
{
    ssize_t len = pread(from, out, size - 1, 0);
    out[len > 0 ? len : 0] = 0;
    size_t end = strspn(out, "0123456789:,");
    bool good = end && out[end] == '\n';
    dprintf(errors, "%s", good ? out + end + 1 : out);
    if (good)
        out[end] = 0;
    return good;
}

/* Look after look, each by whoever has the store: no server holds a stream open for it. */
static int follow(const struct words *words)
{
    char cursor[CURSOR_BYTES_MAX] = "";
    int cursors = memfd_create("cursor", MFD_CLOEXEC), errors = dup(STDERR_FILENO);
    int status = 0;
    if (cursors < 0 || errors < 0 || dup2(cursors, STDERR_FILENO) < 0)
        return fail("it can't be followed", NULL);
    for (;;) {
        struct words look = *words;
        if (ftruncate(cursors, 0) != 0 || lseek(cursors, 0, SEEK_SET) != 0)
            break;
        look.rest[look.rest_count++] = (char *)"--cursor";
        status = cursor[0] ? hand_on(&look, "--after", cursor) : hand_on(&look, NULL, NULL);
        if (!read_cursor(cursors, errors, cursor, sizeof(cursor)) || status != 0)
            break;
        usleep(FOLLOW_PAUSE_US);
    }
    dup2(errors, STDERR_FILENO);
    return status;
}

/* What the review needs of the configuration beside what the server has. */
static int review(const struct words *words)
{
    struct gh_source source = {.file = words->config ? words->config : GH_CONFIG_FILE_DEFAULT};
    struct gh_loaded loaded = {0};
    char after[24] = "";
    bool read = gh_loader_read(&source, &loaded);
    if (read)
        snprintf(after, sizeof(after), "%llu",
                 (unsigned long long)loaded.settings.secrets.rotate_after_ms);
    else
        gh_loader_print_problems(&loaded, stderr);
    gh_loader_forget(&loaded);
    return read ? hand_on(words, "--rotate-after-ms", after)
                : fail("the configuration has errors", NULL);
}

int gh_cmd_audit(int argc, char **argv)
{
    struct words words = {0};
    struct gh_operator op = {.in = stdin, .out = stdout, .err = stderr};
    if (argc < 2 || strcmp(argv[argc - 1], "--help") == 0 || strcmp(argv[argc - 1], "-h") == 0)
        return gh_operator_audit(&op, argc, argv);
    if (strcmp(argv[1], "events") == 0)
        return gh_cmd_audit_events(argc, argv);
    const char *wrong = read_words(argc, argv, &words);
    if (wrong)
        return fail(wrong, NULL);
    if (words.export)
        return verify_export(&words);
    if (words.public_key || words.partial || words.unsigned_max)
        return fail("--public-key, --partial and --unsigned are for the check of an export", NULL);
    if (words.retention) {
        words.rest[words.rest_count++] = (char *)"--retention";
        words.rest[words.rest_count++] = (char *)words.retention;
    }
    if (words.output && !redirect(words.output, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO))
        return fail("this file can't be written", words.output);
    if (words.checkpoint && !redirect(words.checkpoint, O_RDONLY, STDIN_FILENO))
        return fail("this file can't be read", words.checkpoint);
    const char *verb = words.rest[1];
    if (words.follow && strcmp(verb, "tail") == 0)
        return follow(&words);
    if (strcmp(verb, "review") == 0)
        return review(&words);
    return hand_on(&words, words.checkpoint ? "--checkpoints" : NULL, NULL);
}
