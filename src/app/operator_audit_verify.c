/* `audit verify` over the store, `audit public-key`, and how a verdict is told. */
#include <stdlib.h>
#include <string.h>

#include "app/audit_notes.h"
#include "app/operator_audit.h"
#include "identity/audit_key.h"
#include "json/writer.h"

#define NOTES_BYTES_MAX (64u * 1024 * 1024)

/* ---- The verdict ---- */

static void put_json(FILE *out, const struct gh_audit_verdict *verdict, bool with_keys)
{
    char memory[1024];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_buf_put_char(&buf, '{');
    gh_json_put_member_bool(&buf, GH_STR("intact"), verdict->fault == GH_AUDIT_FAULT_NONE);
    gh_json_put_member(&buf, GH_STR("fault"), gh_audit_fault_name(verdict->fault));
    gh_json_put_member_u64(&buf, GH_STR("seq"), verdict->seq);
    gh_json_put_member_u64(&buf, GH_STR("line"), verdict->line);
    gh_json_put_member_u64(&buf, GH_STR("records"), verdict->records);
    gh_json_put_member_u64(&buf, GH_STR("first_seq"), verdict->first_seq);
    gh_json_put_member_u64(&buf, GH_STR("last_seq"), verdict->last_seq);
    gh_json_put_member_bool(&buf, GH_STR("signatures_checked"), with_keys);
    gh_json_put_member_u64(&buf, GH_STR("signed_through"), verdict->signed_through);
    gh_json_put_member_u64(&buf, GH_STR("checkpoints"), verdict->checkpoints);
    gh_json_put_member_u64(&buf, GH_STR("saved_checkpoints_met"), verdict->saved_met);
    gh_buf_put_char(&buf, '}');
    fprintf(out, "%.*s\n", GH_STR_ARG(gh_buf_str(&buf)));
}

static void put_text(FILE *out, const struct gh_audit_verdict *verdict, bool with_keys)
{
    if (verdict->fault != GH_AUDIT_FAULT_NONE) {
        fprintf(out, "record %llu %.*s", (unsigned long long)verdict->seq,
                GH_STR_ARG(gh_audit_fault_text(verdict->fault)));
        if (verdict->line)
            fprintf(out, " (line %llu)", (unsigned long long)verdict->line);
        fprintf(out, "\n%llu records before it were checked\n",
                (unsigned long long)verdict->records);
        return;
    }
    if (!verdict->records) {
        fputs("there are no records\n", out);
        return;
    }
    fprintf(out, "intact: %llu records, %llu to %llu\n", (unsigned long long)verdict->records,
            (unsigned long long)verdict->first_seq, (unsigned long long)verdict->last_seq);
    if (with_keys)
        fprintf(out, "signed through record %llu, by %llu checkpoints in the log\n",
                (unsigned long long)verdict->signed_through,
                (unsigned long long)verdict->checkpoints);
    else
        fputs("signatures were not checked: name the keys with --public-key\n", out);
    if (verdict->saved_met)
        fprintf(out, "%llu saved checkpoints agree\n", (unsigned long long)verdict->saved_met);
    else
        fputs("no saved checkpoint was compared: whoever holds database and key could have cut or "
              "rebuilt the end\n",
              out);
}

int gh_audit_verdict_print(FILE *out, const struct gh_audit_verdict *verdict, bool json,
                           bool with_keys)
{
    if (json)
        put_json(out, verdict, with_keys);
    else
        put_text(out, verdict, with_keys);
    return verdict->fault == GH_AUDIT_FAULT_NONE ? 0 : 1;
}

/* ---- The store ---- */

struct check {
    struct gh_audit_verification *run;
    struct gh_audit_query query;
    size_t page;
    bool good;
};

static enum gh_err check_page(struct gh_tx *tx, void *args)
{
    struct check *check = args;
    struct gh_audit_row *rows;
    enum gh_err err = tx->ops->audit_page(tx, &check->query, &rows, &check->page);
    for (size_t i = 0; err == GH_OK && check->good && i < check->page; i++) {
        check->good = gh_audit_verify_row(check->run, &rows[i]);
        check->query.after_seq = rows[i].record.seq;
    }
    return err;
}

static enum gh_err check_all(struct gh_operator *op, const struct gh_audit_keys *keys,
                             struct gh_str notes, struct gh_arena *arena,
                             struct gh_audit_verdict *out_verdict)
{
    struct gh_store *store = gh_identity_host_identity(op->host)->store;
    struct gh_audit_verify_options options = {.verifiers = keys->verifiers,
                                              .verifier_count = keys->verifier_count};
    struct check check = {.query = {.oldest_first = true, .limit = GH_AUDIT_PAGE_ROWS},
                          .good = true};
    enum gh_err err = gh_audit_notes_open(arena, notes, options.verifiers, options.verifier_count,
                                          &options.saved, &options.saved_count);
    if (err != GH_OK)
        return err;
    check.run = gh_audit_verify_begin(arena, &options);
    if (!check.run)
        return GH_ERR_MEMORY;
    do {
        gh_arena_reset(&op->arena);
        err = store->ops->read(store, check_page, &check, &op->arena);
    } while (err == GH_OK && check.good && check.page == GH_AUDIT_PAGE_ROWS);
    enum gh_err ended = gh_audit_verify_end(check.run, out_verdict);
    return err == GH_OK ? ended : err;
}

enum gh_err gh_operator_audit_check(struct gh_operator *op, struct gh_str notes,
                                    struct gh_audit_verdict *out_verdict)
{
    const struct gh_identity *identity = gh_identity_host_identity(op->host);
    struct gh_arena arena;
    struct gh_audit_keys keys = {0};
    gh_arena_init(&arena, 64u * 1024, 4 * NOTES_BYTES_MAX);
    enum gh_err err = gh_audit_keys_read(identity, &arena, &keys);
    if (err == GH_OK || err == GH_ERR_NOT_FOUND)
        err = check_all(op, &keys, notes, &arena, out_verdict);
    gh_audit_keys_done(&keys);
    gh_arena_done(&arena);
    return err;
}

int gh_operator_audit_verify(struct gh_operator *op, const struct gh_audit_command *command)
{
    struct gh_audit_verdict verdict = {0};
    struct gh_str notes = GH_STR("");
    struct gh_arena arena;
    gh_arena_init(&arena, 64u * 1024, 2 * NOTES_BYTES_MAX);
    enum gh_err err = GH_OK;
    if (command->checkpoints)
        err = gh_audit_notes_read(op->in, NOTES_BYTES_MAX, &arena, &notes);
    if (err == GH_OK)
        err = gh_operator_audit_check(op, notes, &verdict);
    gh_arena_done(&arena);
    if (err == GH_ERR_INVALID)
        fprintf(op->err, "gatehouse: the saved checkpoints are not those of this log: malformed, "
                         "or not signed by its keys\n");
    else if (err != GH_OK)
        fprintf(op->err, "gatehouse: the log can't be checked: %s\n", gh_err_text(err));
    return err == GH_OK ? gh_audit_verdict_print(op->out, &verdict, command->json, true) : 1;
}

int gh_operator_audit_public_key(struct gh_operator *op, const struct gh_audit_command *command)
{
    (void)command;
    const struct gh_identity *identity = gh_identity_host_identity(op->host);
    struct gh_audit_keys keys = {0};
    gh_arena_reset(&op->arena);
    enum gh_err err = gh_audit_keys_read(identity, &op->arena, &keys);
    for (size_t i = 0; err == GH_OK && i < keys.verifier_count; i++) {
        char memory[256];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        gh_audit_put_verifier(&buf, keys.verifiers[i].name, keys.verifiers[i].key);
        fprintf(op->out, "%.*s\n", GH_STR_ARG(gh_buf_str(&buf)));
    }
    gh_audit_keys_done(&keys);
    if (err != GH_OK)
        fprintf(op->err, "gatehouse: there is no key yet: start the server once\n");
    return err == GH_OK ? 0 : 1;
}
