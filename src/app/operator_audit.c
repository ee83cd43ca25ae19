/*
 * The command `audit` (SPEC sections 1 and 5): its options, and its verbs. What needs no store
 * is in cmd_audit.c.
 */
#include "app/operator_audit.h"

#include <stdlib.h>
#include <string.h>

#include "audit/time_text.h"
#include "base/num.h"
#include "config/config.h"
#include "net/loop.h"

/* 4,096 chains, in whatever text. */
#define CURSORS_BYTES_MAX (256u * 1024)
#define REVIEW_SINCE_US   (30ull * 24 * 3600 * 1000000)

static const char HELP[] =
    "Usage: gatehouse audit VERB [--config FILE] ...\n"
    "\n"
    "  tail [-n COUNT] [--follow] [--personal] [--json]\n"
    "                        the newest records, oldest of them first\n"
    "  query [--since T] [--until T] [--user EMAIL|ID] [--event NAME] [--session HASH]\n"
    "        [--outcome success|failure] [--limit COUNT] [--personal] [--json]\n"
    "                        records, newest first\n"
    "  verify [--checkpoint FILE] [--retention DURATION] [--json]\n"
    "                        checks all chains; names the first wrong record, exit status 1\n"
    "  verify EXPORT [--public-key FILE] [--checkpoint FILE] [--partial] [--unsigned COUNT]\n"
    "        [--retention DURATION] [--config FILE] [--json]\n"
    "                        the same from an export, on any machine; COUNT records (10000, or by\n"
    "                        the file) may be without a checkpoint at the end\n"
    "  public-key            the keys that checkpoints are signed with\n"
    "  review [--since T] [--until T] [--html] [--output FILE]\n"
    "                        the monthly review (30d), Markdown or HTML; exit status 1:\n"
    "                        the log is not intact\n"
    "  export [--format jsonl|cef|syslog] [--since T] [--until T] [--after CURSOR] [--personal]\n"
    "         [--output FILE]\n"
    "                        oldest first, chain after chain; CURSOR: behind record 532 of chain "
    "1\n"
    "                        and 77 of chain 2 is 1:532,2:77\n"
    "  events [--json]       the catalogue of events, as docs/audit-events.md has it\n"
    "\n"
    "T is a time before now (30d, 12h) or a date (2026-01-31, 2026-01-31T12:00:00Z). Personal\n"
    "values are commitments without --personal; with it the reading is a record itself. While the\n"
    "gateway serves, it carries the command out.\n";

/* ---- Options ---- */

/* "30d" before now, or a date. */
static bool read_time(const char *text, uint64_t now_us, uint64_t *out_us)
{
    uint64_t before_ms;
    char full[GH_AUDIT_TIME_LEN + 1];
    size_t len = strlen(text);
    if (gh_config_read_duration(gh_str_from_c(text), &before_ms)) {
        *out_us = before_ms < now_us / 1000 ? now_us - before_ms * 1000 : 0;
        return true;
    }
    if (len == 10)
        snprintf(full, sizeof(full), "%sT00:00:00.000000Z", text);
    else if (len == 20 && text[19] == 'Z')
        snprintf(full, sizeof(full), "%.19s.000000Z", text);
    else
        snprintf(full, sizeof(full), "%s", text);
    return len <= GH_AUDIT_TIME_LEN && gh_audit_parse_time(gh_str_from_c(full), out_us);
}

bool gh_audit_command_retention(const char *text, uint64_t *out_ms)
{
    return gh_config_read_duration(gh_str_from_c(text), out_ms) && *out_ms > 0 &&
           *out_ms <= UINT64_MAX / 1000;
}

/* Looked at now, read again where it is used: its chains are in nobody's memory meanwhile. */
static bool is_after(const char *value)
{
    const struct gh_audit_command command = {.after = value};
    struct gh_audit_cursors cursors;
    struct gh_arena arena;
    gh_arena_init(&arena, CURSORS_BYTES_MAX, CURSORS_BYTES_MAX);
    bool good = gh_audit_command_after(&command, &arena, &cursors);
    gh_arena_done(&arena);
    return good;
}

bool gh_audit_command_after(const struct gh_audit_command *command, struct gh_arena *arena,
                            struct gh_audit_cursors *out)
{
    *out = (struct gh_audit_cursors){.count = 0};
    return !command->after ||
           gh_audit_cursors_parse(arena, gh_str_from_c(command->after), GH_AUDIT_CHAINS_MAX, out);
}

/* An option with a value. False: not one, or not such a value. */
static bool read_value(struct gh_audit_command *command, const char *name, const char *value)
{
    if (strcmp(name, "--since") == 0)
        return read_time(value, command->now_us, &command->since_us);
    if (strcmp(name, "--until") == 0)
        return read_time(value, command->now_us, &command->until_us);
    if (strcmp(name, "-n") == 0 || strcmp(name, "--limit") == 0)
        return gh_num_parse_u64(gh_str_from_c(value), GH_AUDIT_LIMIT_MAX, &command->limit) &&
               command->limit > 0;
    if (strcmp(name, "--rotate-after-ms") == 0)
        return gh_num_parse_u64(gh_str_from_c(value), UINT64_MAX / 1000, &command->rotate_after_ms);
    if (strcmp(name, "--retention") == 0)
        return gh_audit_command_retention(value, &command->retention_ms);
    if (strcmp(name, "--format") == 0)
        return gh_audit_format_parse(gh_str_from_c(value), &command->format);
    if (strcmp(name, "--after") == 0 && !is_after(value))
        return false;
    const char **text = strcmp(name, "--user") == 0      ? &command->user
                        : strcmp(name, "--after") == 0   ? &command->after
                        : strcmp(name, "--event") == 0   ? &command->event
                        : strcmp(name, "--outcome") == 0 ? &command->outcome
                        : strcmp(name, "--session") == 0 ? &command->session
                                                         : NULL;
    if (text)
        *text = value;
    return text != NULL;
}

static bool read_flag(struct gh_audit_command *command, const char *name)
{
    bool *flag = strcmp(name, "--json") == 0          ? &command->json
                 : strcmp(name, "--html") == 0        ? &command->html
                 : strcmp(name, "--personal") == 0    ? &command->personal
                 : strcmp(name, "--checkpoints") == 0 ? &command->checkpoints
                 : strcmp(name, "--cursor") == 0      ? &command->cursor
                                                      : NULL;
    if (flag)
        *flag = true;
    return flag != NULL;
}

static bool read_options(struct gh_operator *op, int argc, char **argv,
                         struct gh_audit_command *command)
{
    for (int i = 2; i < argc; i++) {
        if (read_flag(command, argv[i]))
            continue;
        if (i + 1 < argc && read_value(command, argv[i], argv[i + 1])) {
            i++;
            continue;
        }
        fprintf(op->err, "gatehouse audit %s: \"%s\" can't be taken; see gatehouse audit --help\n",
                argv[1], argv[i]);
        return false;
    }
    return true;
}

bool gh_audit_command_query(struct gh_operator *op, struct gh_identity_call *call,
                            const struct gh_audit_command *command, struct gh_audit_query *out)
{
    enum gh_audit_event event;
    struct gh_account_view user;
    *out = (struct gh_audit_query){
        .event = gh_str_from_c(command->event),
        .session = gh_str_from_c(command->session),
        .since_us = command->since_us,
        .until_us = command->until_us,
        .by_outcome = command->outcome != NULL,
    };
    if (command->event && !gh_audit_event_parse(out->event, &event)) {
        fprintf(op->err, "gatehouse: there is no event \"%s\"\n", command->event);
        return false;
    }
    if (command->outcome &&
        !gh_audit_outcome_parse(gh_str_from_c(command->outcome), &out->outcome)) {
        fprintf(op->err, "gatehouse: an outcome is success or failure\n");
        return false;
    }
    if (!command->user)
        return true;
    struct gh_id id; /* also of somebody who is gone */
    if (gh_id_parse(gh_str_from_c(command->user), &id)) {
        out->user_id = gh_str_from_c(command->user);
        return true;
    }
    enum gh_identity_result result = gh_operator_find(call, command->user, &user);
    if (result != GH_IDENTITY_OK) {
        gh_operator_refused(op, call, result, command->user);
        return false;
    }
    out->user_id = gh_arena_dup(call->arena, gh_id_str(&user.id));
    return out->user_id.ptr != NULL;
}

/* ---- Verbs ---- */

static const struct {
    const char *name;
    int (*run)(struct gh_operator *op, const struct gh_audit_command *command);
} VERBS[] = {
    {"tail", gh_operator_audit_tail},     {"query", gh_operator_audit_query},
    {"verify", gh_operator_audit_verify}, {"public-key", gh_operator_audit_public_key},
    {"review", gh_operator_audit_review}, {"export", gh_operator_audit_export},
};

int gh_operator_audit(struct gh_operator *op, int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (argc < 2 || strcmp(argv[argc - 1], "--help") == 0 || strcmp(argv[argc - 1], "-h") == 0) {
        fputs(HELP, argc < 2 ? op->err : op->out);
        return argc < 2 ? 2 : 0;
    }
    struct gh_audit_command command = {.now_us = gh_wall_now_us()};
    if (strcmp(verb, "review") == 0)
        command.since_us = command.now_us - REVIEW_SINCE_US;
    for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++) {
        if (strcmp(verb, VERBS[i].name) != 0)
            continue;
        return read_options(op, argc, argv, &command) ? VERBS[i].run(op, &command) : 2;
    }
    fprintf(op->err, "gatehouse audit: there is no \"%s\"; see gatehouse audit --help\n", verb);
    return 2;
}
