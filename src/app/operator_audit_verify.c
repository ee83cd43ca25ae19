/* `audit verify` over the store, `audit public-key`, and how a verdict is told. */
#include <stdlib.h>
#include <string.h>

#include "app/audit_notes.h"
#include "app/operator_audit.h"
#include "identity/audit_check.h"
#include "identity/audit_key.h"
#include "net/loop.h"

#define NOTES_BYTES_MAX (64u * 1024 * 1024)

/* ---- The verdict ---- */

static void put_json(FILE *out, const struct gh_audit_verdict *verdict, bool with_keys)
{
    char memory[GH_AUDIT_VERDICT_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_audit_verdict_put_json(&buf, verdict, with_keys);
    fprintf(out, "%.*s\n", GH_STR_ARG(gh_buf_str(&buf)));
}

static void put_retention(FILE *out, const struct gh_audit_verdict *verdict)
{
    if (verdict->chains > 1 ? verdict->retention_checked : verdict->first_seq <= 1)
        return;
    fputs(verdict->retention_checked
              ? "what was dropped before was older than the retention\n"
              : "whether what was dropped before was old enough was not checked: that needs the "
                "retention, and checkpoints that were saved of it\n",
          out);
}

/* Names the chain where there are several. */
static void put_record(FILE *out, const struct gh_audit_verdict *verdict, uint64_t seq)
{
    fprintf(out, "record %llu", (unsigned long long)seq);
    if (verdict->chains > 1 || verdict->chain > 1)
        fprintf(out, " of chain %u", (unsigned)verdict->chain);
}

static void put_fault(FILE *out, const struct gh_audit_verdict *verdict)
{
    put_record(out, verdict, verdict->seq);
    fprintf(out, " %.*s", GH_STR_ARG(gh_audit_fault_text(verdict->fault)));
    if (verdict->line)
        fprintf(out, " (line %llu)", (unsigned long long)verdict->line);
    fprintf(out, "\n%llu records before it were checked\n", (unsigned long long)verdict->records);
}

static void put_extent(FILE *out, const struct gh_audit_verdict *verdict)
{
    if (verdict->chains > 1)
        fprintf(out, "intact: %llu records in %llu chains\n", (unsigned long long)verdict->records,
                (unsigned long long)verdict->chains);
    else
        fprintf(out, "intact: %llu records, %llu to %llu\n", (unsigned long long)verdict->records,
                (unsigned long long)verdict->first_seq, (unsigned long long)verdict->last_seq);
}

static void put_absent(FILE *out, const struct gh_audit_verdict *verdict)
{
    if (verdict->absent_chain)
        fprintf(out,
                "chain %u has no records here, though one of a higher number has: it never had "
                "any, or all of it was taken away; checkpoints saved of it tell\n",
                (unsigned)verdict->absent_chain);
}

static void put_signed(FILE *out, const struct gh_audit_verdict *verdict)
{
    if (verdict->chains > 1)
        fprintf(out, "signed but for %llu at the ends of chains, by %llu checkpoints in the log\n",
                (unsigned long long)verdict->unsigned_records,
                (unsigned long long)verdict->checkpoints);
    else
        fprintf(out, "signed through record %llu, by %llu checkpoints in the log\n",
                (unsigned long long)verdict->signed_through,
                (unsigned long long)verdict->checkpoints);
}

static void put_text(FILE *out, const struct gh_audit_verdict *verdict, bool with_keys)
{
    if (verdict->fault != GH_AUDIT_FAULT_NONE) {
        put_fault(out, verdict);
        return;
    }
    if (!verdict->records) {
        fputs("there are no records\n", out);
        return;
    }
    put_extent(out, verdict);
    put_absent(out, verdict);
    put_retention(out, verdict);
    if (with_keys)
        put_signed(out, verdict);
    else
        fputs(
            "signatures were not checked: no key is known; --public-key names those of an export\n",
            out);
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

static enum gh_err check_with(const struct gh_identity *identity, const struct gh_audit_keys *keys,
                              struct gh_str notes, uint64_t retention_us, struct gh_arena *arena,
                              struct gh_audit_verdict *out_verdict)
{
    struct gh_audit_verify_options options = {
        .verifiers = keys->verifiers,
        .verifier_count = keys->verifier_count,
        .unsigned_records_max = atomic_load(&identity->audit_unsigned_max),
        .retention_us = retention_us ? retention_us : atomic_load(&identity->audit_retention_us),
        .now_us = gh_wall_now_us(),
    };
    enum gh_err err = gh_audit_notes_open(arena, notes, options.verifiers, options.verifier_count,
                                          &options.saved, &options.saved_count);
    return err == GH_OK ? gh_audit_check_store(identity->store, &options, 0, out_verdict) : err;
}

/* `retention_us` 0: that of the settings. */
static enum gh_err check(struct gh_operator *op, struct gh_str notes, uint64_t retention_us,
                         struct gh_audit_verdict *out_verdict)
{
    const struct gh_identity *identity = gh_identity_host_identity(op->host);
    struct gh_arena arena;
    struct gh_audit_keys keys = {0};
    gh_arena_init(&arena, 64u * 1024, 4 * NOTES_BYTES_MAX);
    enum gh_err err = gh_audit_keys_read(identity, &arena, &keys);
    if (err == GH_OK || err == GH_ERR_NOT_FOUND)
        err = check_with(identity, &keys, notes, retention_us, &arena, out_verdict);
    gh_audit_keys_done(&keys);
    gh_arena_done(&arena);
    return err;
}

enum gh_err gh_operator_audit_check(struct gh_operator *op, struct gh_str notes,
                                    struct gh_audit_verdict *out_verdict)
{
    return check(op, notes, 0, out_verdict);
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
        err = check(op, notes, command->retention_ms * 1000, &verdict);
    gh_arena_done(&arena);
    if (err == GH_ERR_INVALID)
        fprintf(op->err, "gatehouse: the saved checkpoints are not those of this log: malformed, "
                         "or not signed by its keys\n");
    else if (err != GH_OK)
        fprintf(op->err, "gatehouse: the log can't be checked: %s\n", gh_err_text(err));
    return err == GH_OK ? gh_audit_verdict_print(op->out, &verdict, command->json,
                                                 verdict.signatures_checked)
                        : 1;
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
