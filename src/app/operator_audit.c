/*
 * The command `audit` (SPEC sections 1 and 5): its options, and the verbs that print records. What
 * needs no store is in cmd_audit.c.
 */
#include "app/operator_audit.h"

#include <stdlib.h>
#include <string.h>

#include "audit/time_text.h"
#include "base/num.h"
#include "base/utf8.h"
#include "config/config.h"
#include "identity/audit_read.h"
#include "net/loop.h"

#define LINE_BYTES_MAX  (64u * 1024)
#define TAIL_DEFAULT    20
#define QUERY_DEFAULT   100
#define LIMIT_MAX       1000000
#define ID_COLUMNS      36
#define REVIEW_SINCE_US (30ull * 24 * 3600 * 1000000)

static const char HELP[] =
    "Usage: gatehouse audit VERB [--config FILE] ...\n"
    "\n"
    "  tail [-n COUNT] [--follow] [--personal] [--json]\n"
    "                        the newest records, oldest of them first\n"
    "  query [--since T] [--until T] [--user EMAIL|ID] [--event NAME] [--session HASH]\n"
    "        [--outcome success|failure] [--limit COUNT] [--personal] [--json]\n"
    "                        records, newest first\n"
    "  verify [--checkpoint FILE] [--retention DURATION] [--json]\n"
    "                        checks the whole chain; names the first wrong record, exit status 1\n"
    "  verify EXPORT [--public-key FILE] [--checkpoint FILE] [--partial] [--unsigned COUNT]\n"
    "        [--retention DURATION] [--config FILE] [--json]\n"
    "                        the same from an export, on any machine; COUNT records (10000, or by\n"
    "                        the file) may be without a checkpoint at the end\n"
    "  public-key            the keys that checkpoints are signed with\n"
    "  review [--since T] [--until T] [--html] [--output FILE]\n"
    "                        the monthly review (30d), Markdown or HTML; exit status 1:\n"
    "                        the log is not intact\n"
    "  export [--format jsonl|cef|syslog] [--since T] [--until T] [--after SEQ] [--personal]\n"
    "         [--output FILE]\n"
    "                        oldest first\n"
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

/* An option with a value. False: not one, or not such a value. */
static bool read_value(struct gh_audit_command *command, const char *name, const char *value)
{
    if (strcmp(name, "--since") == 0)
        return read_time(value, command->now_us, &command->since_us);
    if (strcmp(name, "--until") == 0)
        return read_time(value, command->now_us, &command->until_us);
    if (strcmp(name, "-n") == 0 || strcmp(name, "--limit") == 0)
        return gh_num_parse_u64(gh_str_from_c(value), LIMIT_MAX, &command->limit) &&
               command->limit > 0;
    if (strcmp(name, "--after") == 0)
        return gh_num_parse_u64(gh_str_from_c(value), INT64_MAX, &command->after_seq);
    if (strcmp(name, "--rotate-after-ms") == 0)
        return gh_num_parse_u64(gh_str_from_c(value), UINT64_MAX / 1000, &command->rotate_after_ms);
    if (strcmp(name, "--retention") == 0)
        return gh_audit_command_retention(value, &command->retention_ms);
    if (strcmp(name, "--format") == 0)
        return gh_audit_format_parse(gh_str_from_c(value), &command->format);
    const char **text = strcmp(name, "--user") == 0      ? &command->user
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
        .outcome = command->outcome && strcmp(command->outcome, "failure") == 0 ? GH_AUDIT_FAILURE
                                                                                : GH_AUDIT_SUCCESS,
    };
    if (command->event && !gh_audit_event_parse(out->event, &event)) {
        fprintf(op->err, "gatehouse: there is no event \"%s\"\n", command->event);
        return false;
    }
    if (command->outcome && out->outcome == GH_AUDIT_SUCCESS &&
        strcmp(command->outcome, "success") != 0) {
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

/* ---- Records as text ---- */

/* Texts come from outside, ids too where somebody wrote into the store: nothing of them may steer a
   terminal. Returns the columns, where each is of one. */
static size_t put_plain(FILE *out, struct gh_str text)
{
    size_t columns = 0;
    while (text.len) {
        size_t len = gh_utf8_sequence_len(text);
        unsigned char c = (unsigned char)text.ptr[0];
        bool is_c1 = len == 2 && c == 0xc2 && (unsigned char)text.ptr[1] < 0xa0;
        if (len == 0 || c < ' ' || c == 0x7f || is_c1)
            fputc('?', out);
        else
            fwrite(text.ptr, 1, len, out);
        text = gh_str_skip(text, len ? len : 1);
        columns++;
    }
    return columns;
}

static void print_text(FILE *out, const struct gh_audit_entry *entry, bool personal)
{
    const struct gh_audit_record *record = &entry->record;
    struct gh_str none = entry->erased ? GH_STR("(erased)") : GH_STR("-");
    char time[GH_AUDIT_TIME_LEN + 1];
    struct gh_buf buf = gh_buf_over(time, sizeof(time));
    gh_audit_put_time(&buf, record->time_us);
    fprintf(out, "%llu  %.19sZ  %-22.*s  %-7s  ", (unsigned long long)record->seq, time,
            GH_STR_ARG(gh_audit_event_facts(record->event)->name),
            record->outcome == GH_AUDIT_SUCCESS ? "ok" : "refused");
    size_t columns = put_plain(out, record->user_id.len ? record->user_id : GH_STR("-"));
    fprintf(out, "%*s", columns < ID_COLUMNS ? (int)(ID_COLUMNS - columns) + 2 : 2, "");
    if (record->actor_id.len && !gh_str_eq(record->actor_id, record->user_id)) {
        fputs("by ", out);
        put_plain(out, record->actor_id);
        fputs("  ", out);
    }
    put_plain(out, !record->ip_address.len ? none
                   : personal              ? record->ip_address
                                           : GH_STR("(sealed)"));
    fputs("  ", out);
    put_plain(out, record->metadata);
    fputs(entry->damaged ? "  DAMAGED\n" : "\n", out);
}

static void print_entry(struct gh_operator *op, const struct gh_audit_entry *entry,
                        const struct gh_audit_command *command, char *memory)
{
    struct gh_buf buf = gh_buf_over(memory, LINE_BYTES_MAX);
    if (!command->json) {
        print_text(op->out, entry, command->personal);
        return;
    }
    gh_audit_record_put_json(&buf, &entry->record);
    fprintf(op->out, "%.*s\n", GH_STR_ARG(gh_buf_str(&buf)));
}

void gh_operator_tell_passed(struct gh_operator *op, uint64_t count, uint64_t last_seq)
{
    if (count)
        fprintf(
            op->err,
            "gatehouse: %llu rows of the log can be no records and are left out, one of them is "
            "%llu: see gatehouse audit verify\n",
            (unsigned long long)count, (unsigned long long)last_seq);
}

static int store_failed(struct gh_operator *op, enum gh_err err)
{
    fprintf(op->err, "gatehouse: the log can't be read: %s\n", gh_err_text(err));
    return 1;
}

/* ---- Pages ---- */

struct sealed_page {
    const struct gh_audit_query *query;
    struct gh_audit_entries entries;
};

/* As the rows are kept: commitments in the place of personal values. */
static enum gh_err read_sealed(struct gh_tx *tx, void *args)
{
    struct sealed_page *page = args;
    struct gh_audit_row *rows;
    size_t count;
    enum gh_err err = tx->ops->audit_page(tx, page->query, &rows, &count);
    struct gh_audit_entry *items =
        err == GH_OK ? gh_arena_zalloc(tx->arena, count + 1, sizeof(*items)) : NULL;
    if (!items)
        return err == GH_OK ? GH_ERR_MEMORY : err;
    for (size_t i = 0; i < count; i++)
        items[i].record = rows[i].record;
    page->entries = (struct gh_audit_entries){items, count};
    return GH_OK;
}

static enum gh_err read_page(const struct gh_identity_call *call, bool personal,
                             const struct gh_audit_query *query, struct gh_audit_entries *out_page)
{
    struct sealed_page page = {.query = query};
    struct gh_store *store = call->identity->store;
    if (personal)
        return gh_audit_log_page(call->identity, call->arena, query, out_page);
    enum gh_err err = store->ops->read(store, read_sealed, &page, call->arena);
    if (err == GH_OK)
        *out_page = page.entries;
    return err;
}

/* Before the first value is shown. True: there is nothing to note, or it is noted. */
static bool note_reading(struct gh_operator *op, const struct gh_audit_command *command,
                         const struct gh_audit_query *query)
{
    struct gh_identity_call call;
    if (!command->personal)
        return true;
    gh_operator_call(op, &call);
    enum gh_identity_result result = gh_audit_read_note(&call, query, command->after_seq != 0);
    gh_operator_call_end(op, &call);
    if (result != GH_IDENTITY_OK)
        fprintf(op->err, "gatehouse: nothing is shown, since the reading can't be audited\n");
    return result == GH_IDENTITY_OK;
}

/* One page after another until the limit; oldest first it goes on after, else before, what was
   printed last. */
static int print_pages(struct gh_operator *op, struct gh_audit_query query,
                       const struct gh_audit_command *command, uint64_t limit)
{
    if (!note_reading(op, command, &query))
        return 1;
    char *memory = malloc(LINE_BYTES_MAX);
    enum gh_err err = memory ? GH_OK : GH_ERR_MEMORY;
    struct gh_audit_passed passed = {0}, all_passed = {0};
    size_t count = 0;
    query.passed = &passed;
    do {
        struct gh_identity_call call;
        struct gh_audit_entries page = {0};
        if (!memory)
            break;
        gh_operator_call(op, &call);
        query.limit = limit < GH_AUDIT_PAGE_ROWS ? (size_t)limit : GH_AUDIT_PAGE_ROWS;
        err = read_page(&call, command->personal, &query, &page);
        for (size_t i = 0; err == GH_OK && i < page.count; i++) {
            print_entry(op, &page.items[i], command, memory);
            if (query.oldest_first)
                query.after_seq = page.items[i].record.seq;
            else
                query.before_seq = page.items[i].record.seq;
        }
        all_passed.count += passed.count;
        all_passed.last_seq = passed.count ? passed.last_seq : all_passed.last_seq;
        if (query.oldest_first && passed.last_seq > query.after_seq)
            query.after_seq = passed.last_seq;
        count = page.count;
        limit -= count < limit ? count : limit;
        gh_operator_call_end(op, &call);
    } while (err == GH_OK && limit && count == query.limit && !ferror(op->out));
    free(memory);
    if (err == GH_OK && command->cursor)
        fprintf(op->err, "%llu\n", (unsigned long long)query.after_seq);
    gh_operator_tell_passed(op, all_passed.count, all_passed.last_seq);
    return err == GH_OK ? 0 : store_failed(op, err);
}

static enum gh_err read_head(struct gh_tx *tx, void *args)
{
    uint8_t hash[GH_SHA256_BYTES];
    enum gh_err err = tx->ops->audit_head(tx, args, hash);
    return err == GH_ERR_NOT_FOUND ? GH_OK : err;
}

static enum gh_err find_head(struct gh_operator *op, uint64_t *out_head)
{
    struct gh_store *store = gh_identity_host_identity(op->host)->store;
    gh_arena_reset(&op->arena);
    return store->ops->read(store, read_head, out_head, &op->arena);
}

/* ---- Verbs ---- */

int gh_operator_audit_tail(struct gh_operator *op, const struct gh_audit_command *command)
{
    uint64_t head = 0, limit = command->limit ? command->limit : TAIL_DEFAULT;
    struct gh_audit_query query = {.oldest_first = true, .after_seq = command->after_seq};
    enum gh_err err = find_head(op, &head);
    if (err != GH_OK)
        return store_failed(op, err);
    if (!command->after_seq && head > limit)
        query.after_seq = head - limit;
    return print_pages(op, query, command, command->after_seq ? LIMIT_MAX : limit);
}

int gh_operator_audit_query(struct gh_operator *op, const struct gh_audit_command *command)
{
    struct gh_identity_call call;
    struct gh_audit_query query;
    char user[sizeof(struct gh_id)] = "";
    uint64_t head = 0;
    gh_operator_call(op, &call);
    bool good = gh_audit_command_query(op, &call, command, &query);
    if (good && query.user_id.len) { /* outlives the arena of the call */
        snprintf(user, sizeof(user), "%.*s", GH_STR_ARG(query.user_id));
        query.user_id = gh_str_from_c(user);
    }
    gh_operator_call_end(op, &call);
    if (!good)
        return 1;
    enum gh_err err = find_head(op, &head);
    query.before_seq = head + 1; /* without the record of this reading */
    return err == GH_OK
               ? print_pages(op, query, command, command->limit ? command->limit : QUERY_DEFAULT)
               : store_failed(op, err);
}

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
