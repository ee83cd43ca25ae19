/*
 * `audit export`: the log chain after chain, oldest first, as JSON Lines, CEF or syslog. Personal
 * values go out sealed, unless --personal is given; both are audited.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/operator_audit.h"
#include "audit/chain.h"
#include "json/writer.h"

#define OPENINGS_BYTES_MAX (16u * 1024)
#define HOST_BYTES_MAX     256
#define CHAINS_BYTES_MAX   (256u * 1024)

/* One run of the unit that reads a page. */
struct page {
    FILE *text; /* the page as text: nobody's reading holds up a transaction */
    char *ptr;
    size_t len;
    size_t rows;
    uint64_t after_seq, records;
    struct gh_audit_passed passed;
};

struct export
{
    struct gh_operator *op;
    const struct gh_audit_command *command;
    struct gh_audit_query query;
    uint32_t chain; /* that is being read */
    struct gh_audit_syslog_origin origin;
    uint64_t records, left_out, left_out_seq;
    char *line; /* GH_AUDIT_FORMATTED_BYTES_MAX */
    struct page page;
};

/* ---- One row ---- */

/* The personal values in clear, as a JSON object; ptr NULL: none are asked for, or left. */
static enum gh_err read_openings(struct gh_tx *tx, const struct export *export,
                                 const struct gh_audit_row *row, struct gh_str *out_openings)
{
    struct gh_audit_person persons[GH_AUDIT_PERSONS_MAX];
    const struct gh_identity *identity = gh_identity_host_identity(export->op->host);
    size_t count = 0;
    *out_openings = (struct gh_str){NULL, 0};
    if (!export->command->personal || !row->sealed.len)
        return GH_OK;
    enum gh_err err = gh_audit_log_persons(tx, identity, row, persons, &count);
    char *memory = err == GH_OK ? gh_arena_alloc(tx->arena, OPENINGS_BYTES_MAX) : NULL;
    if (err != GH_OK || !memory)
        return err != GH_OK ? err : GH_ERR_MEMORY;
    struct gh_buf buf = gh_buf_over(memory, OPENINGS_BYTES_MAX);
    err = gh_audit_put_openings(&buf, tx->arena, row, persons, count);
    gh_wipe(persons, sizeof(persons));
    if (err == GH_OK && buf.len)
        *out_openings = gh_buf_str(&buf);
    return err;
}

static enum gh_err put_row(struct gh_tx *tx, struct export *export, const struct gh_audit_row *row)
{
    struct gh_buf buf = gh_buf_over(export->line, GH_AUDIT_FORMATTED_BYTES_MAX);
    const struct gh_identity *identity = gh_identity_host_identity(export->op->host);
    struct gh_audit_entry entry;
    struct gh_str openings;
    if (export->command->format == GH_AUDIT_CEF) {
        bool clear = export->command->personal;
        enum gh_err err = clear ? gh_audit_log_reveal(tx, identity, row, &entry) : GH_OK;
        if (err == GH_OK)
            err = gh_audit_put_cef(&buf, row, clear ? &entry.record : NULL);
        gh_buf_put_char(&buf, '\n');
        fwrite(buf.ptr, 1, err == GH_OK ? buf.len : 0, export->page.text);
        return err;
    }
    enum gh_err err = read_openings(tx, export, row, &openings);
    if (err == GH_OK)
        err = gh_audit_put_line(tx->arena, &buf, row, openings);
    if (err != GH_OK || export->command->format == GH_AUDIT_JSONL) {
        fwrite(buf.ptr, 1, err == GH_OK ? buf.len : 0, export->page.text);
        return err;
    }
    struct gh_str line = gh_arena_dup(tx->arena, gh_buf_str(&buf));
    buf = gh_buf_over(export->line, GH_AUDIT_FORMATTED_BYTES_MAX);
    err = line.ptr ? gh_audit_put_syslog(&buf, row, &export->origin, line) : GH_ERR_MEMORY;
    gh_buf_put_char(&buf, '\n');
    fwrite(buf.ptr, 1, err == GH_OK ? buf.len : 0, export->page.text);
    return err;
}

static bool end_text(struct page *page)
{
    bool ended = !page->text || fclose(page->text) == 0;
    page->text = NULL;
    return ended;
}

static void discard(struct page *page)
{
    end_text(page);
    if (page->ptr)
        gh_wipe(page->ptr, page->len);
    free(page->ptr);
    *page = (struct page){.text = NULL};
}

/* A store may run it again after a run that came to nothing: each begins anew, and nothing of it
   counts before the reading is done. */
static enum gh_err put_page(struct gh_tx *tx, void *args)
{
    struct export *export = args;
    struct page *page = &export->page;
    struct gh_audit_query query = export->query;
    struct gh_audit_row *rows;
    discard(page);
    page->text = open_memstream(&page->ptr, &page->len);
    if (!page->text)
        return GH_ERR_MEMORY;
    tx->chain = export->chain;
    query.passed = &page->passed;
    enum gh_err err = tx->ops->audit_page(tx, &query, &rows, &page->rows);
    for (size_t i = 0; err == GH_OK && i < page->rows; i++) {
        err = put_row(tx, export, &rows[i]);
        page->after_seq = rows[i].record.seq;
        page->records += err == GH_OK;
        if (err != GH_ERR_INVALID && err != GH_ERR_FULL)
            continue;
        page->passed.count++; /* it has no form in which it could go out */
        page->passed.last_seq = rows[i].record.seq;
        err = GH_OK;
    }
    return err;
}

/* ---- What the log says of it ---- */

static enum gh_err audit(struct export *export, const char *count, enum gh_audit_outcome outcome)
{
    struct gh_operator *op = export->op;
    struct gh_identity_call call;
    gh_operator_call(op, &call);
    struct gh_audit_record record = {
        .time_us = call.now_us,
        .event = GH_AUDIT_DATA_EXPORT,
        .outcome = outcome,
        .metadata = gh_arena_format(&op->arena, "{\"personal\":%s%s,\"scope\":\"audit\"}",
                                    export->command->personal ? "true" : "false", count),
    };
    enum gh_err err = record.metadata.ptr
                          ? gh_audit_log_append_many(call.identity, &op->arena, &record, 1)
                          : GH_ERR_MEMORY;
    gh_operator_call_end(op, &call);
    return err;
}

static enum gh_err audit_end(struct export *export, bool complete)
{
    char count[64];
    snprintf(count, sizeof(count), ",\"record_count\":%llu", (unsigned long long)export->records);
    return audit(export, count, complete ? GH_AUDIT_SUCCESS : GH_AUDIT_FAILURE);
}

/* ---- All rows ---- */

static void take_over(struct export *export)
{
    const struct page *page = &export->page;
    fwrite(page->ptr, 1, page->len, export->op->out);
    export->records += page->records;
    if (page->rows)
        export->query.after_seq = page->after_seq;
    if (page->passed.count) {
        export->left_out += page->passed.count;
        export->left_out_seq = page->passed.last_seq;
    }
}

static enum gh_err put_text_of_page(struct export *export, bool *out_more)
{
    struct gh_store *store = gh_identity_host_identity(export->op->host)->store;
    gh_arena_reset(&export->op->arena);
    enum gh_err err = store->ops->read(store, put_page, export, &export->op->arena);
    if (!end_text(&export->page) && err == GH_OK)
        err = GH_ERR_MEMORY;
    if (err == GH_OK)
        take_over(export);
    *out_more = err == GH_OK && export->page.rows == GH_AUDIT_PAGE_ROWS;
    discard(&export->page);
    return err;
}

static enum gh_err put_chain(struct export *export, uint32_t chain, uint64_t after_seq)
{
    enum gh_err err;
    bool more;
    export->chain = chain;
    export->query.after_seq = after_seq;
    do
        err = put_text_of_page(export, &more);
    while (more && !ferror(export->op->out));
    return err;
}

static enum gh_err put_chains(struct export *export, struct gh_arena *arena)
{
    struct gh_store *store = gh_identity_host_identity(export->op->host)->store;
    struct gh_audit_cursors after;
    struct gh_audit_chain *chains;
    size_t count = 0;
    enum gh_err err = gh_audit_chains_read(store, arena, &chains, &count);
    if (err == GH_OK && !gh_audit_command_after(export->command, arena, &after))
        err = GH_ERR_MEMORY;
    for (size_t i = 0; err == GH_OK && i < count && !ferror(export->op->out); i++)
        err = put_chain(export, chains[i].id, gh_audit_cursor_of(&after, chains[i].id));
    return err;
}

static enum gh_err put_all(struct export *export)
{
    struct gh_arena arena;
    gh_arena_init(&arena, CHAINS_BYTES_MAX, 4 * CHAINS_BYTES_MAX);
    enum gh_err err = put_chains(export, &arena);
    gh_arena_done(&arena);
    if (err == GH_OK && (fflush(export->op->out) != 0 || ferror(export->op->out)))
        err = GH_ERR_CLOSED;
    return err;
}

static int export_records(struct export *export)
{
    struct gh_operator *op = export->op;
    /* Before the first value leaves: whoever breaks it off has exported them all the same. */
    if (export->command->personal) {
        enum gh_err err = audit(export, "", GH_AUDIT_SUCCESS);
        if (err != GH_OK) {
            fprintf(op->err, "gatehouse: nothing is exported, since that can't be audited: %s\n",
                    gh_err_text(err));
            return 1;
        }
        fprintf(op->err, "gatehouse: this copy has personal values in clear, which an erasure will "
                         "not reach: keep it short and safe\n");
    }
    enum gh_err err = put_all(export);
    enum gh_err audited = audit_end(export, err == GH_OK);
    if (err != GH_OK)
        fprintf(op->err, "gatehouse: the export is not complete: %s\n", gh_err_text(err));
    gh_operator_tell_passed(op, export->left_out, export->left_out_seq);
    if (audited != GH_OK)
        fprintf(op->err, "gatehouse: the export could not be audited: %s\n", gh_err_text(audited));
    return err == GH_OK && audited == GH_OK ? 0 : 1;
}

int gh_operator_audit_export(struct gh_operator *op, const struct gh_audit_command *command)
{
    char host[HOST_BYTES_MAX] = "", user[sizeof(struct gh_id)] = "";
    struct export export = {.op = op, .command = command};
    struct gh_identity_call call;
    gh_operator_call(op, &call);
    bool good = gh_audit_command_query(op, &call, command, &export.query);
    snprintf(user, sizeof(user), "%.*s", GH_STR_ARG(export.query.user_id));
    gh_operator_call_end(op, &call);
    if (!good)
        return 1;
    export.query.user_id = gh_str_from_c(user); /* the call's arena is used again */
    export.query.oldest_first = true;
    export.query.limit = GH_AUDIT_PAGE_ROWS;
    if (gethostname(host, sizeof(host) - 1) != 0)
        host[0] = 0;
    export.origin = (struct gh_audit_syslog_origin){gh_str_from_c(host), (uint64_t)getpid()};
    export.line = malloc(GH_AUDIT_FORMATTED_BYTES_MAX);
    if (!export.line) {
        fprintf(op->err, "gatehouse: out of memory\n");
        return 1;
    }
    int status = export_records(&export);
    free(export.line);
    return status;
}
