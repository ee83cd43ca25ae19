/*
 * The commands `secrets status` and `secrets rotate`, on the keys of a deployment. A new root comes
 * on standard input, never among the arguments, which others may see. The caller (cmd_secrets.c)
 * has made it standard input; when there is none, that is at its end from the start.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/operator.h"
#include "app/progress.h"
#include "app/secrets.h"
#include "base/num.h"
#include "identity/audit_key.h"
#include "identity/rotation.h"
#include "identity/secret_status.h"
#include "json/writer.h"
#include "net/loop.h"

#define DAY_US           ((uint64_t)24 * 3600 * 1000000)
#define ROW_BYTES_MAX    512
#define ROTATE_AFTER_MS  ((uint64_t)90 * 24 * 3600 * 1000)
#define WORK_BYTES_BLOCK (256u * 1024)
#define WORK_BYTES_MAX   (64u * 1024 * 1024)
/* What changed while a pass went over it is in the next; it is never more than that twice. */
#define PASSES_MAX 5

struct secrets_options {
    bool json, signing, root_stdin, progress;
    uint64_t rotate_after_ms;
};

static const char HELP[] =
    "Usage: gatehouse secrets VERB [--config FILE] ...\n"
    "\n"
    "  generate [--json | --raw]\n"
    "                        prints a fresh root key; writes nothing\n"
    "  check                 judges all secrets as a start would; exit status 1: one is bad\n"
    "  status [--json]       the age of each key and when it is due; exit status 1: one is\n"
    "                        overdue, or a rotation has not come to its end\n"
    "  rotate [--root-file FILE]\n"
    "                        the root key of FILE (or that of the file: in secrets.root, as it\n"
    "                        is now) from now on; every stored value is sealed anew. Given again\n"
    "                        it goes on where it ended\n"
    "  rotate --signing      the keys of tokens, cookies and checkpoints; old ones still verify.\n"
    "                        Exit status 1: the last new ones do not sign yet, nothing was made\n"
    "\n"
    "While the gateway serves, it carries status and rotate out. Over PostgreSQL the command\n"
    "does, and rotate shows the new keys to every node first: a new root key must be in\n"
    "secrets.root or secrets.previous of each, else nothing is changed.\n";

/* ---- status ---- */

static void put_date(struct gh_buf *buf, uint64_t time_us)
{
    char text[GH_AUDIT_TIME_LEN + 1];
    struct gh_buf date = gh_buf_over(text, sizeof(text));
    gh_audit_put_time(&date, time_us);
    gh_buf_put(buf, gh_str_first(gh_buf_str(&date), 10));
}

static const char *word_of(const struct gh_secret_state *state)
{
    if (state->overdue)
        return "OVERDUE";
    if (state->retired)
        return "retired";
    return state->purpose == GH_SECRET_INDEX ? "stays" : "good";
}

static void put_time_member(struct gh_buf *row, struct gh_str name, uint64_t time_us)
{
    char memory[GH_AUDIT_TIME_LEN + 1];
    struct gh_buf time = gh_buf_over(memory, sizeof(memory));
    if (time_us)
        gh_audit_put_time(&time, time_us);
    gh_json_put_member(row, name, gh_buf_str(&time));
}

static void put_json(struct gh_buf *row, const struct gh_secret_state *state, uint64_t now_us)
{
    uint64_t age_us = now_us > state->since_us ? now_us - state->since_us : 0;
    gh_buf_put_char(row, '{');
    gh_json_put_member(row, GH_STR("purpose"),
                       gh_str_from_c(gh_secret_purpose_name(state->purpose)));
    gh_json_put_member(row, GH_STR("name"), state->name);
    put_time_member(row, GH_STR("since"), state->since_us);
    gh_json_put_member_u64(row, GH_STR("age_days"), age_us / DAY_US);
    put_time_member(row, GH_STR("due"), state->due_us);
    gh_json_put_member_bool(row, GH_STR("retired"), state->retired);
    gh_json_put_member_bool(row, GH_STR("overdue"), state->overdue);
    gh_buf_put_char(row, '}');
}

static void put_text(struct gh_buf *row, const struct gh_secret_state *state, uint64_t now_us)
{
    uint64_t age_us = now_us > state->since_us ? now_us - state->since_us : 0;
    gh_buf_format(row, "%-8s  ", gh_secret_purpose_name(state->purpose));
    put_date(row, state->since_us);
    gh_buf_format(row, "  %5" PRIu64 "  ", age_us / DAY_US);
    if (state->due_us)
        put_date(row, state->due_us);
    else
        gh_buf_put(row, GH_STR("-         "));
    gh_buf_format(row, "  %-8s  %.*s", word_of(state), GH_STR_ARG(state->name));
}

static void print_status(struct gh_operator *op, const struct gh_secret_status *status, bool json,
                         uint64_t now_us)
{
    char memory[ROW_BYTES_MAX];
    fputs(json ? "{\"secrets\":[" : "secret    since         days  due         state     name\n",
          op->out);
    for (size_t i = 0; i < status->count; i++) {
        struct gh_buf row = gh_buf_over(memory, sizeof(memory));
        if (json)
            put_json(&row, &status->secrets[i], now_us);
        else
            put_text(&row, &status->secrets[i], now_us);
        fprintf(op->out, "%s%.*s%s", json && i ? "," : "", GH_STR_ARG(gh_buf_str(&row)),
                json ? "" : "\n");
    }
    if (json)
        fprintf(op->out, "],\"overdue\":%zu,\"unfinished\":%s}\n", status->overdue,
                status->unfinished ? "true" : "false");
    else if (status->unfinished)
        fputs("The field key is older than the root key: run gatehouse secrets rotate.\n", op->out);
}

/* Values that are sealed under a retired key; counted only when there is one. */
static enum gh_err count_left(struct gh_operator *op, struct gh_arena *work, uint64_t *out_left)
{
    struct gh_rotation rotation;
    struct gh_store *store = gh_identity_host_identity(op->host)->store;
    bool has;
    *out_left = 0;
    enum gh_err err = gh_rotation_has_retired(store, work, &has);
    if (err != GH_OK || !has)
        return err;
    gh_rotation_init(&rotation, gh_identity_host_vault(op->host), store, 0);
    rotation.count_only = true;
    while (err == GH_OK && !rotation.over)
        err = gh_rotation_step(&rotation, work);
    *out_left = rotation.renewed;
    return err;
}

static int fail(struct gh_operator *op, const char *what, enum gh_err err)
{
    fprintf(op->err, "gatehouse: %s: %s\n", what, gh_err_text(err));
    return 2;
}

static int status(struct gh_operator *op, const struct secrets_options *options,
                  struct gh_arena *work)
{
    struct gh_secret_status status;
    struct gh_secret_schedule schedule = {
        .rotate_after_us = options->rotate_after_ms * 1000,
        .tokens_after_us = op->settings->tokens.rotate_after_ms * 1000,
    };
    uint64_t now_us = gh_wall_now_us(), left = 0;
    enum gh_err err = gh_secret_status(gh_identity_host_vault(op->host),
                                       gh_identity_host_identity(op->host)->store, &schedule,
                                       now_us, &op->arena, &status);
    if (err == GH_OK)
        err = count_left(op, work, &left);
    if (err != GH_OK)
        return fail(op, "the keys can't be read", err);
    print_status(op, &status, options->json, now_us);
    if (left && !options->json)
        fprintf(op->out,
                "%" PRIu64 " values are still sealed under a retired key: run gatehouse secrets "
                "rotate.\n",
                left);
    return status.overdue || status.unfinished || left ? 1 : 0;
}

/* ---- rotate: the root ---- */

/* Until the end of standard input. False: too long, or the caller has gone. */
static bool read_root(struct gh_operator *op, char memory[GH_SECRET_BYTES_MAX],
                      struct gh_str *out_root)
{
    size_t len = 0;
    int c;
    setvbuf(op->in, NULL, _IONBF, 0); /* no copy in a buffer that nobody wipes */
    while ((c = getc(op->in)) != EOF && len < GH_SECRET_BYTES_MAX)
        memory[len++] = (char)c;
    bool whole = c == EOF && !ferror(op->in);
    while (len && (memory[len - 1] == '\n' || memory[len - 1] == '\r'))
        len--;
    *out_root = gh_str_of(memory, len);
    return whole;
}

/* Here also in development: nobody rotates to a weak key on purpose. */
static const char *judge_root(struct gh_str root)
{
    if (!root.len)
        return "the new root key is empty";
    if (gh_secret_looks_default(root))
        return "the new root key looks like an example's: gatehouse secrets generate makes one";
    if (gh_secret_is_weak(root))
        return "the new root key is too weak: gatehouse secrets generate makes one";
    return NULL;
}

/* ---- rotate: the values ---- */

struct work {
    struct gh_operator *op;
    struct gh_rotation rotation;
    struct gh_arena *arena;
    bool shows;
    struct gh_progress progress;
    uint64_t total;
};

/* Standard input is at its end for good. That reading it fails says that the caller has gone, or
   that this process ends: what is left can wait. */
static bool is_called_off(struct gh_operator *op)
{
    clearerr(op->in);
    return getc(op->in) == EOF && ferror(op->in);
}

/* What went meanwhile is not sealed anew: a pass that is over is whole. */
static void show_progress(struct work *work)
{
    if (work->shows)
        gh_progress_show(&work->progress,
                         work->rotation.over ? work->total : work->rotation.renewed, work->total);
}

static enum gh_err run_pass(struct work *work, bool count_only)
{
    enum gh_err err = GH_OK;
    uint64_t renewed = work->rotation.renewed;
    gh_rotation_init(&work->rotation, gh_identity_host_vault(work->op->host),
                     gh_identity_host_identity(work->op->host)->store, gh_wall_now_us());
    work->rotation.count_only = count_only;
    work->rotation.renewed = renewed;
    while (err == GH_OK && !work->rotation.over) {
        err = gh_rotation_step(&work->rotation, work->arena);
        if (err == GH_OK && !count_only)
            show_progress(work);
        if (err == GH_OK && is_called_off(work->op))
            err = GH_ERR_CLOSED;
    }
    return err;
}

/* Until a pass finds nothing more. */
static enum gh_err seal_anew(struct work *work, uint64_t *out_renewed)
{
    uint64_t before, unreadable = 0;
    unsigned passes = 0;
    gh_progress_begin(&work->progress, work->op->err, "sealing anew");
    enum gh_err err = work->shows ? run_pass(work, true) : GH_OK;
    work->total = work->rotation.renewed;
    work->rotation.renewed = 0;
    do {
        before = work->rotation.renewed;
        if (err == GH_OK)
            err = run_pass(work, false);
        unreadable = work->rotation.unreadable;
    } while (err == GH_OK && work->rotation.renewed != before && ++passes < PASSES_MAX);
    gh_progress_end(&work->progress);
    if (unreadable)
        fprintf(work->op->err,
                "gatehouse: %" PRIu64 " values are opened by no key: they stay, and so does the "
                "retired key\n",
                unreadable);
    *out_renewed = work->rotation.renewed;
    return err;
}

/* Where others use the store, too, they are shown the keys before these are used. */
static enum gh_err make_keys_new(struct gh_operator *op, struct gh_str root, bool progress,
                                 struct gh_arena *arena, bool *out_changed)
{
    struct gh_vault *vault = gh_identity_host_vault(op->host);
    struct gh_store *store = gh_identity_host_identity(op->host)->store;
    bool waits;
    enum gh_err err = gh_rotation_announce(vault, store, root, gh_wall_now_us(), arena, &waits);
    if (err == GH_OK && waits) {
        if (progress)
            fputs("showing the new keys to every process that uses the store ...\n", op->err);
        usleep(GH_ROTATION_ANNOUNCE_MS * 1000);
        if (is_called_off(op))
            err = GH_ERR_CLOSED;
    }
    if (err == GH_OK)
        err = gh_rotation_begin(vault, store, root, gh_wall_now_us(), arena, out_changed);
    if (err == GH_OK && waits)
        usleep(GH_ROTATION_FOLLOW_MS * 1000);
    return err;
}

static int refuse_keys(struct gh_operator *op, enum gh_err err)
{
    if (err == GH_ERR_REFUSED)
        fputs("gatehouse: a process that uses the store does not know the new root key, and "
              "nothing was changed: name the key in secrets.previous of every one and start them "
              "anew, or make it their secrets.root with the old one in secrets.previous\n",
              op->err);
    else if (err == GH_ERR_EXISTS)
        fputs("gatehouse: keys are being replaced already, with another root key\n", op->err);
    else
        return fail(op, "the keys could not be replaced", err);
    return 2;
}

static int rotate_values(struct gh_operator *op, const struct secrets_options *options,
                         struct gh_str root, struct gh_arena *arena)
{
    struct work work = {.op = op, .arena = arena, .shows = options->progress};
    struct gh_vault *vault = gh_identity_host_vault(op->host);
    bool changed = false, shared = gh_identity_host_identity(op->host)->store->shared;
    uint64_t renewed = 0;
    enum gh_err err = make_keys_new(op, root, options->progress, arena, &changed);
    if (err != GH_OK)
        return refuse_keys(op, err);
    err = seal_anew(&work, &renewed);
    if (err != GH_OK) {
        fail(op, "not all values are sealed anew yet", err);
        fprintf(op->err, "gatehouse: nothing is lost; give the command again to go on\n");
        return 2;
    }
    fprintf(op->out,
            "root key: %s\nfield key: %" PRIu32 ", %" PRIu64 " values sealed anew under it\n"
            "The field key of before is deleted when %s has shown that nothing needs it.\n",
            changed ? "replaced; the one of before opens nothing any more" : "as it was",
            gh_vault_state(vault).sealing_id, renewed, shared ? "a day" : "an hour");
    return 0;
}

static int rotate_root(struct gh_operator *op, const struct secrets_options *options,
                       struct gh_arena *arena)
{
    char memory[GH_SECRET_BYTES_MAX];
    struct gh_str root;
    int status = 2;
    bool whole = read_root(op, memory, &root);
    const char *wrong = options->root_stdin ? judge_root(root) : NULL;
    if (!whole)
        fprintf(op->err, "gatehouse: the new root key can't be read, or is over %d bytes\n",
                GH_SECRET_BYTES_MAX - 1);
    else if (wrong)
        fprintf(op->err, "gatehouse: %s\n", wrong);
    else
        status = rotate_values(op, options, options->root_stdin ? root : (struct gh_str){NULL, 0},
                               arena);
    gh_wipe(memory, sizeof(memory));
    return status;
}

/* ---- rotate: keys that sign ---- */

/* Who signs looks for a new one each hour; what the retired one signs meanwhile is verified, too.
 */
static enum gh_err rotate_audit_key(struct gh_operator *op, struct gh_arena *arena)
{
    const struct gh_identity *identity = gh_identity_host_identity(op->host);
    struct gh_audit_keys keys;
    bool retired;
    enum gh_err err =
        gh_rotation_retire_audit_key(identity->store, gh_wall_now_us(), arena, &retired);
    if (err != GH_OK || !retired)
        return err;
    err = gh_audit_keys_load(identity, gh_wall_now_us(), arena, &keys);
    if (err != GH_OK)
        return err;
    fprintf(op->out, "Checkpoints of the audit log are signed by %.*s within an hour.\n",
            GH_STR_ARG(keys.name));
    gh_audit_keys_done(&keys);
    return GH_OK;
}

/* When the first of the newest keys of tokens and cookies begins to sign. */
static enum gh_err find_ripe(struct gh_tx *tx, void *args)
{
    uint64_t *out_us = args, newest[2] = {0, 0};
    struct gh_key_row *rows;
    size_t count;
    enum gh_err err = tx->ops->keys_all(tx, &rows, &count);
    if (err != GH_OK)
        return err;
    for (size_t i = 0; i < count; i++) {
        bool is_cookie = rows[i].purpose == GH_KEY_COOKIE;
        if ((is_cookie || rows[i].purpose == GH_KEY_SIGNING) && !rows[i].retired_us &&
            rows[i].created_us > newest[is_cookie])
            newest[is_cookie] = rows[i].created_us;
    }
    *out_us = (newest[0] < newest[1] ? newest[0] : newest[1]) + GH_IDENTITY_KEYS_PUBLISH_US;
    return GH_OK;
}

static int nothing_made(struct gh_operator *op, struct gh_arena *arena)
{
    struct gh_store *store = gh_identity_host_identity(op->host)->store;
    char text[GH_AUDIT_TIME_LEN + 1];
    struct gh_buf time = gh_buf_over(text, sizeof(text));
    uint64_t ripe_us = 0, now_us = gh_wall_now_us();
    enum gh_err err = store->ops->read(store, find_ripe, &ripe_us, arena);
    if (err != GH_OK)
        return fail(op, "the keys can't be read", err);
    gh_audit_put_time(&time, ripe_us + 999999); /* whole seconds, and not before */
    if (ripe_us > now_us)
        fprintf(op->out,
                "Nothing was made: the last new keys for tokens and cookies still wait to sign. "
                "The next ones can be made from %.19sZ on.\n",
                text);
    else
        fputs("Nothing was made: there are as many keys for tokens and cookies as can be. The "
              "next ones can be made when a retired one has gone, a token's life and a day after "
              "it was retired.\n",
              op->out);
    return 1;
}

static int rotate_signing(struct gh_operator *op, struct gh_arena *arena)
{
    const struct gh_identity *identity = gh_identity_host_identity(op->host);
    bool made = false;
    enum gh_err err = gh_identity_keys_rotate(identity->store, identity->vault, op->settings,
                                              &identity->random, gh_wall_now_us(), arena, &made);
    if (err == GH_OK && made)
        err = rotate_audit_key(op, arena);
    if (err != GH_OK)
        return fail(op, "the signing keys could not be replaced", err);
    if (!made)
        return nothing_made(op, arena);
    fputs("New keys for tokens and cookies are published; they sign in 10 minutes, and the old "
          "ones verify for a token's life and a day longer.\n",
          op->out);
    return 0;
}

/* ---- The command line ---- */

static int wrong_usage(struct gh_operator *op, const char *what)
{
    fprintf(op->err, "gatehouse secrets: %s; see gatehouse secrets --help\n", what);
    return 2;
}

/* What cmd_secrets.c has put together: --root-stdin, --progress and --rotate-after-ms are its own.
   False: there is something else. */
static bool read_options(int argc, char **argv, struct secrets_options *options)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            options->json = true;
        else if (strcmp(argv[i], "--signing") == 0)
            options->signing = true;
        else if (strcmp(argv[i], "--root-stdin") == 0)
            options->root_stdin = true;
        else if (strcmp(argv[i], "--progress") == 0)
            options->progress = true;
        else if (strcmp(argv[i], "--rotate-after-ms") != 0 || i + 1 == argc ||
                 !gh_num_parse_u64(gh_str_from_c(argv[++i]), UINT64_MAX / 1000,
                                   &options->rotate_after_ms))
            return false;
    }
    return true;
}

int gh_operator_secrets(struct gh_operator *op, int argc, char **argv)
{
    struct secrets_options options = {.rotate_after_ms = ROTATE_AFTER_MS};
    struct gh_arena work;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(HELP, argc < 2 ? op->err : op->out);
        return argc < 2 ? 2 : 0;
    }
    if (!read_options(argc, argv, &options))
        return wrong_usage(op, "an unknown option");
    bool is_status = strcmp(argv[1], "status") == 0;
    if (!is_status && strcmp(argv[1], "rotate") != 0)
        return wrong_usage(op, "there is no such verb");
    gh_arena_init(&work, WORK_BYTES_BLOCK, WORK_BYTES_MAX);
    int exit_status = is_status         ? status(op, &options, &work)
                      : options.signing ? rotate_signing(op, &work)
                                        : rotate_root(op, &options, &work);
    gh_arena_done(&work);
    return exit_status;
}
