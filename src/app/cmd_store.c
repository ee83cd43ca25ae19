/* `gatehouse store migrate`: a deployment moves from an SQLite file to PostgreSQL. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/config_file.h"
#include "app/progress.h"
#include "app/secrets.h"
#include "app/store_open.h"
#include "app/store_url.h"
#include "config/config.h"
#include "identity/audit_check.h"
#include "store/move.h"

#define ARENA_BLOCK_BYTES (64u * 1024)
#define ARENA_BYTES_MAX   (16u * 1024 * 1024)

static const char HELP[] =
    "Usage: gatehouse store migrate --from sqlite:PATH --to postgresql://...\n"
    "\n"
    "Moves everything from an SQLite file to an empty PostgreSQL database, in one transaction:\n"
    "accounts, sessions, keys, the audit log. What arrived is read back and compared, and the\n"
    "chain of the audit log is verified there. The file stays as it is.\n"
    "\n"
    "  --from sqlite:PATH       the file; stop the server first\n"
    "  --to postgresql://...    the database; env:NAME or file:PATH where it has a password\n"
    "  --help                   this text\n"
    "\n"
    "Afterwards write the database as `store` into the configuration and start the server.\n"
    "\n"
    "Exit status: 0 moved; 1 the audit log that arrived does not verify, see `audit verify`;\n"
    "2 nothing was moved.\n";

struct words {
    const char *from, *to;
};

static int fail(struct gh_str what)
{
    fprintf(stderr, "gatehouse store: %.*s\n", GH_STR_ARG(what));
    return 2;
}

/* NULL, or what is wrong. */
static const char *read_words(int argc, char **argv, struct words *words)
{
    for (int i = 2; i < argc; i++) {
        bool from = strcmp(argv[i], "--from") == 0;
        if (from || strcmp(argv[i], "--to") == 0) {
            if (i + 1 == argc)
                return from ? "--from needs a store" : "--to needs a store";
            *(from ? &words->from : &words->to) = argv[++i];
        } else if (strncmp(argv[i], "--from=", 7) == 0) {
            words->from = argv[i] + 7;
        } else if (strncmp(argv[i], "--to=", 5) == 0) {
            words->to = argv[i] + 5;
        } else {
            return "see `gatehouse store --help`";
        }
    }
    return words->from && words->to ? NULL : "--from and --to say which stores";
}

/* A password among the arguments is everybody's who can list processes. */
static enum gh_err resolve(struct gh_arena *arena, const char *word, struct gh_str *out_setting,
                           struct gh_str *out_message)
{
    const struct gh_secret_source source = {.getenv = gh_environment_get};
    struct gh_str reference = gh_str_from_c(word);
    *out_message = GH_STR("a password does not belong on a command line, where others see it: "
                          "write env:NAME or file:PATH");
    if (gh_config_has_url_password(reference))
        return GH_ERR_INVALID;
    *out_message = gh_arena_format(arena, "%s: no such variable or file, or it is empty", word);
    return gh_secret_resolve(arena, &source, reference, out_setting);
}

/* ---- Moving ---- */

static void show(void *context, uint64_t rows, uint64_t rows_max)
{
    gh_progress_show(context, rows, rows_max);
}

static enum gh_err move(struct gh_arena *arena, struct gh_str path, struct gh_str url,
                        struct gh_move_result *out_result, struct gh_str *out_message)
{
    struct gh_progress progress;
    struct gh_move_options options = {
        .sqlite_path = path,
        .postgres_url = gh_arena_dup(arena, url).ptr,
        .progress = isatty(STDERR_FILENO) ? show : NULL,
        .context = &progress,
    };
    *out_message = GH_STR("out of memory");
    if (!options.postgres_url)
        return GH_ERR_MEMORY;
    gh_progress_begin(&progress, stderr, "moving");
    enum gh_err err = gh_move_run(&options, arena, out_result, out_message);
    gh_progress_end(&progress);
    return err;
}

static int verify(struct gh_arena *arena, struct gh_str setting)
{
    const struct gh_audit_verify_options options = {.verifier_count = 0};
    struct gh_audit_verdict verdict = {.fault = GH_AUDIT_FAULT_NONE};
    struct gh_store *store;
    struct gh_str message;
    const struct gh_store_settings settings = {.url = setting};
    enum gh_err err = gh_store_setting_open(&settings, false, arena, &store, &message);
    if (err == GH_OK) {
        err = gh_audit_check_store(store, &options, 0, &verdict);
        store->ops->close(store);
        message = gh_str_from_c(gh_err_text(err));
    }
    if (err != GH_OK) {
        fprintf(stderr, "gatehouse store: moved, but the audit log can't be verified: %.*s\n",
                GH_STR_ARG(message));
        return 1;
    }
    if (verdict.fault != GH_AUDIT_FAULT_NONE) {
        printf("the audit log has a fault, as it had before: record %llu %.*s\n",
               (unsigned long long)verdict.seq, GH_STR_ARG(gh_audit_fault_text(verdict.fault)));
        return 1;
    }
    printf("the audit log verifies: %llu records\n", (unsigned long long)verdict.records);
    return 0;
}

static int migrate(struct gh_arena *arena, const struct words *words)
{
    static const struct gh_str SQLITE = GH_STR_INIT("sqlite:");
    struct gh_str from, to, message = GH_STR("");
    struct gh_move_result result;
    if (resolve(arena, words->from, &from, &message) != GH_OK ||
        resolve(arena, words->to, &to, &message) != GH_OK)
        return fail(message);
    if (!gh_str_starts_with(from, SQLITE) || from.len == SQLITE.len)
        return fail(GH_STR("--from is a file: sqlite:PATH"));
    if (!gh_str_starts_with(to, GH_STR("postgresql://")) &&
        !gh_str_starts_with(to, GH_STR("postgres://")))
        return fail(GH_STR("--to is a database: postgresql://..."));
    if (!gh_store_url_read(arena, to).is_valid)
        return fail(GH_STORE_URL_WRONG);
    if (move(arena, gh_str_skip(from, SQLITE.len), to, &result, &message) != GH_OK)
        return fail(message);
    for (size_t i = 0; i < result.table_count; i++)
        printf("%-20.*s %12llu rows\n", GH_STR_ARG(result.tables[i].name),
               (unsigned long long)result.tables[i].rows);
    return verify(arena, to);
}

int gh_cmd_store(int argc, char **argv)
{
    struct words words = {.from = NULL};
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 ||
        (argc > 2 && strcmp(argv[2], "--help") == 0)) {
        fputs(HELP, stdout);
        return 0;
    }
    if (strcmp(verb, "migrate") != 0) {
        fputs(HELP, stderr);
        return 2;
    }
    const char *wrong = read_words(argc, argv, &words);
    if (wrong)
        return fail(gh_str_from_c(wrong));
    struct gh_arena arena;
    gh_arena_init(&arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    int status = migrate(&arena, &words);
    gh_arena_done(&arena);
    return status;
}
