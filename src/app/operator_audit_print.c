/* `audit tail` and `audit query`: records of all chains, as text or JSON. */
#include <stdlib.h>

#include "app/operator_audit.h"
#include "base/utf8.h"
#include "identity/audit_read.h"

#define LINE_BYTES_MAX    (64u * 1024)
#define TAIL_DEFAULT      20
#define QUERY_DEFAULT     100
#define ID_COLUMNS        36
#define CURSORS_BYTES_MAX (256u * 1024) /* 4,096 chains */

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
    if (gh_audit_chain_of(record) > 1)
        fprintf(out, "%u:", (unsigned)record->chain);
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

struct page {
    const struct gh_identity *identity;
    uint32_t chain; /* 0 where the query is of every one */
    bool personal;
    const struct gh_audit_query *query;
    struct gh_audit_entries entries;
};

/* As the rows are kept: commitments in the place of personal values. */
static enum gh_err read_sealed(struct gh_tx *tx, struct page *page)
{
    struct gh_audit_row *rows;
    size_t count;
    enum gh_err err = tx->ops->audit_page(tx, page->query, &rows, &count);
    struct gh_audit_entry *items =
        err == GH_OK ? gh_arena_zalloc(tx->arena, count + 1, sizeof(*items)) : NULL;
    if (!items)
        return err == GH_OK ? GH_ERR_MEMORY : err;
    for (size_t i = 0; i < count; i++)
        items[i] = (struct gh_audit_entry){.record = rows[i].record, .position = rows[i].position};
    page->entries = (struct gh_audit_entries){items, count};
    return GH_OK;
}

static enum gh_err read_page(struct gh_tx *tx, void *args)
{
    struct page *page = args;
    tx->chain = page->chain;
    return page->personal ? gh_audit_log_read(tx, page->identity, page->query, &page->entries)
                          : read_sealed(tx, page);
}

/* Before the first value is shown. True: there is nothing to note, or it is noted. */
static bool note_reading(struct gh_operator *op, const struct gh_audit_command *command,
                         const struct gh_audit_query *query)
{
    struct gh_identity_call call;
    if (!command->personal)
        return true;
    gh_operator_call(op, &call);
    enum gh_identity_result result = gh_audit_read_note(&call, query, command->after != NULL);
    gh_operator_call_end(op, &call);
    if (result != GH_IDENTITY_OK)
        fprintf(op->err, "gatehouse: nothing is shown, since the reading can't be audited\n");
    return result == GH_IDENTITY_OK;
}

/* What is being printed. */
struct printing {
    struct gh_operator *op;
    const struct gh_audit_command *command;
    struct gh_audit_query query;
    uint32_t chain;                       /* 0: every one, by position */
    const struct gh_audit_cursors *heads; /* nothing behind these; NULL: all */
    uint64_t limit;                       /* that may still be printed */
    struct gh_audit_passed passed;        /* of all pages */
    char *memory;                         /* of a line */
};

/* Oldest first it goes on after, else before, what was met last. */
static void go_on(struct printing *printing, const struct gh_audit_entry *entry)
{
    uint64_t at = printing->chain ? entry->record.seq : entry->position;
    if (printing->query.oldest_first)
        printing->query.after_seq = at;
    else
        printing->query.before_seq = at;
}

static bool is_wanted(const struct printing *printing, const struct gh_audit_record *record)
{
    return !printing->heads ||
           record->seq <= gh_audit_cursor_of(printing->heads, gh_audit_chain_of(record));
}

static void note_passed(struct printing *printing, const struct gh_audit_passed *passed)
{
    if (!passed->count)
        return;
    printing->passed.count += passed->count;
    printing->passed.last_seq = passed->last_seq;
    if (printing->chain && printing->query.oldest_first &&
        passed->last_seq > printing->query.after_seq)
        printing->query.after_seq = passed->last_seq;
}

/* *out_more: there may be another page. */
static enum gh_err print_page(struct printing *printing, bool *out_more)
{
    struct gh_operator *op = printing->op;
    struct gh_identity_call call;
    struct gh_audit_passed passed = {.count = 0};
    gh_operator_call(op, &call);
    printing->query.limit =
        printing->limit < GH_AUDIT_PAGE_ROWS ? (size_t)printing->limit : GH_AUDIT_PAGE_ROWS;
    printing->query.passed = &passed;
    struct page page = {.identity = call.identity,
                        .chain = printing->chain,
                        .personal = printing->command->personal,
                        .query = &printing->query};
    struct gh_store *store = call.identity->store;
    enum gh_err err = store->ops->read(store, read_page, &page, call.arena);
    for (size_t i = 0; err == GH_OK && i < page.entries.count; i++) {
        const struct gh_audit_entry *entry = &page.entries.items[i];
        go_on(printing, entry);
        if (!is_wanted(printing, &entry->record))
            continue;
        print_entry(op, entry, printing->command, printing->memory);
        printing->limit--;
    }
    note_passed(printing, &passed);
    *out_more = err == GH_OK && printing->limit && page.entries.count == printing->query.limit &&
                !ferror(op->out);
    gh_operator_call_end(op, &call);
    return err;
}

/* Page after page until the limit. */
static enum gh_err print_pages(struct printing *printing)
{
    enum gh_err err = GH_OK;
    printing->memory = malloc(LINE_BYTES_MAX);
    if (!printing->memory)
        return GH_ERR_MEMORY;
    for (bool more = true; err == GH_OK && more;)
        err = print_page(printing, &more);
    free(printing->memory);
    return err;
}

/* ---- How far the log goes ---- */

struct heads {
    struct gh_audit_cursors cursors; /* of each chain its last record; in the unit's arena */
};

static enum gh_err read_heads(struct gh_tx *tx, void *args)
{
    struct heads *heads = args;
    struct gh_audit_chain *chains;
    uint8_t hash[GH_SHA256_BYTES];
    size_t count = 0;
    enum gh_err err = tx->ops->audit_chains(tx, &chains, &count);
    heads->cursors = (struct gh_audit_cursors){.count = 0};
    if (err == GH_OK)
        heads->cursors.items =
            gh_arena_zalloc(tx->arena, count + 1, sizeof(struct gh_audit_cursor));
    if (err == GH_OK && !heads->cursors.items)
        err = GH_ERR_MEMORY;
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        struct gh_audit_cursor *cursor = &heads->cursors.items[heads->cursors.count++];
        tx->chain = cursor->chain = chains[i].id;
        err = tx->ops->audit_head(tx, &cursor->seq, hash);
        if (err == GH_ERR_NOT_FOUND)
            err = GH_OK;
    }
    return err;
}

static enum gh_err find_heads(struct gh_operator *op, struct gh_arena *arena,
                              struct gh_audit_cursors *out_heads)
{
    struct gh_store *store = gh_identity_host_identity(op->host)->store;
    struct heads heads = {.cursors.count = 0};
    enum gh_err err = store->ops->read(store, read_heads, &heads, arena);
    *out_heads = heads.cursors;
    return err;
}

/* A page of every chain, newest first. */
struct newest {
    uint64_t before, limit;
    uint64_t position; /* of the last of it; 0: it is empty */
    size_t count;
};

static enum gh_err read_newest(struct gh_tx *tx, void *args)
{
    struct newest *newest = args;
    const struct gh_audit_query query = {
        .every_chain = true, .before_seq = newest->before, .limit = (size_t)newest->limit};
    struct gh_audit_row *rows;
    enum gh_err err = tx->ops->audit_page(tx, &query, &rows, &newest->count);
    newest->position = err == GH_OK && newest->count ? rows[newest->count - 1].position : 0;
    return err;
}

/* The position of the record behind which there are `count` - 1; of the first where there are not
   so many; 0: there is none. */
static enum gh_err find_position(struct gh_operator *op, uint64_t count, uint64_t *out_position)
{
    struct gh_store *store = gh_identity_host_identity(op->host)->store;
    struct newest newest = {.before = 0};
    *out_position = 0;
    do {
        newest.limit = count < GH_AUDIT_PAGE_ROWS ? count : GH_AUDIT_PAGE_ROWS;
        gh_arena_reset(&op->arena);
        enum gh_err err = store->ops->read(store, read_newest, &newest, &op->arena);
        if (err != GH_OK)
            return err;
        if (newest.count)
            *out_position = newest.before = newest.position;
        count -= newest.count;
    } while (count && newest.count == GH_AUDIT_PAGE_ROWS);
    return GH_OK;
}

/* ---- Verbs ---- */

static int end_printing(struct printing *printing, enum gh_err err,
                        const struct gh_audit_cursors *cursors)
{
    struct gh_operator *op = printing->op;
    size_t bytes = cursors ? GH_AUDIT_CURSORS_BYTES_MAX(cursors->count) : 0;
    char *memory = bytes ? malloc(bytes) : NULL;
    struct gh_buf text = gh_buf_over(memory, memory ? bytes : 0);
    if (err == GH_OK && memory && printing->command->cursor) {
        gh_audit_cursors_put(&text, cursors);
        fprintf(op->err, "%.*s\n", GH_STR_ARG(gh_buf_str(&text)));
    }
    free(memory);
    gh_operator_tell_passed(op, printing->passed.count, printing->passed.last_seq);
    if (err == GH_ERR_REFUSED) /* it was told */
        return 1;
    return err == GH_OK ? 0 : store_failed(op, err);
}

/* The newest of all chains, the oldest of them first; what comes meanwhile is for the next look. */
static enum gh_err tail_newest(struct printing *printing, const struct gh_audit_cursors *heads)
{
    uint64_t position = 0;
    enum gh_err err = find_position(printing->op, printing->limit, &position);
    if (err == GH_OK && !note_reading(printing->op, printing->command, &printing->query))
        return GH_ERR_REFUSED;
    printing->query.every_chain = true;
    printing->query.after_seq = position ? position - 1 : 0;
    printing->heads = heads;
    return err == GH_OK && position ? print_pages(printing) : err;
}

/* What came since the last look, chain after chain; `heads` becomes how far it got. */
static enum gh_err tail_since(struct printing *printing, const struct gh_audit_cursors *after,
                              struct gh_audit_cursors *heads)
{
    enum gh_err err =
        note_reading(printing->op, printing->command, &printing->query) ? GH_OK : GH_ERR_REFUSED;
    for (size_t i = 0; err == GH_OK && i < heads->count; i++) {
        printing->chain = heads->items[i].chain;
        printing->query.after_seq = gh_audit_cursor_of(after, printing->chain);
        if (printing->limit && printing->query.after_seq != heads->items[i].seq)
            err = print_pages(printing);
        heads->items[i].seq = printing->query.after_seq;
    }
    return err;
}

int gh_operator_audit_tail(struct gh_operator *op, const struct gh_audit_command *command)
{
    struct printing printing = {.op = op,
                                .command = command,
                                .query = {.oldest_first = true},
                                .limit = command->limit ? command->limit : TAIL_DEFAULT};
    struct gh_audit_cursors after, heads = {.count = 0};
    struct gh_arena arena;
    gh_arena_init(&arena, CURSORS_BYTES_MAX, 4 * CURSORS_BYTES_MAX);
    enum gh_err err = gh_audit_command_after(command, &arena, &after) ? GH_OK : GH_ERR_MEMORY;
    if (err == GH_OK)
        err = find_heads(op, &arena, &heads);
    if (err == GH_OK && command->after) {
        printing.limit = GH_AUDIT_LIMIT_MAX;
        err = tail_since(&printing, &after, &heads);
    } else if (err == GH_OK) {
        err = tail_newest(&printing, &heads);
    }
    int status = end_printing(&printing, err, &heads);
    gh_arena_done(&arena);
    return status;
}

int gh_operator_audit_query(struct gh_operator *op, const struct gh_audit_command *command)
{
    struct gh_identity_call call;
    struct printing printing = {
        .op = op, .command = command, .limit = command->limit ? command->limit : QUERY_DEFAULT};
    char user[sizeof(struct gh_id)] = "";
    uint64_t newest = 0;
    gh_operator_call(op, &call);
    bool good = gh_audit_command_query(op, &call, command, &printing.query);
    if (good && printing.query.user_id.len) { /* outlives the arena of the call */
        snprintf(user, sizeof(user), "%.*s", GH_STR_ARG(printing.query.user_id));
        printing.query.user_id = gh_str_from_c(user);
    }
    gh_operator_call_end(op, &call);
    if (!good)
        return 1;
    printing.query.every_chain = true;
    enum gh_err err = find_position(op, 1, &newest);
    printing.query.before_seq = newest + 1; /* without the record of this reading */
    if (err != GH_OK)
        return store_failed(op, err);
    if (!note_reading(op, command, &printing.query))
        return 1;
    return end_printing(&printing, print_pages(&printing), NULL);
}
