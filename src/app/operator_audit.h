/* What the files of the command `audit` share. */
#ifndef GH_APP_OPERATOR_AUDIT_H
#define GH_APP_OPERATOR_AUDIT_H

#include "app/operator.h"
#include "audit/format.h"
#include "audit/verify.h"
#include "identity/audit_chains.h"
#include "identity/audit_log.h"

#define GH_AUDIT_PAGE_ROWS 500
/* Records that one command prints at most, but for an export. */
#define GH_AUDIT_LIMIT_MAX 1000000

struct gh_audit_command {
    uint64_t now_us, since_us, until_us; /* from, and before; 0: open */
    const char *after; /* a cursor of each chain (identity/audit_chains.h); NULL: from the start */
    uint64_t limit;
    const char *user; /* e-mail or id; NULL: any */
    const char *event, *outcome, *session;
    enum gh_audit_format format;
    uint64_t retention_ms; /* what verify goes by; 0: the setting */
    bool json, html, personal;
    /* What cmd_audit.c puts together: */
    bool checkpoints; /* notes to compare with come on standard input */
    bool cursor;      /* how far it came goes to standard error, as `after` has it */
    uint64_t rotate_after_ms;
};

/* "400d". False: none, or of no length. */
bool gh_audit_command_retention(const char *text, uint64_t *out_ms);
/* The query that the options speak of. False: a name that is none; it was told. */
bool gh_audit_command_query(struct gh_operator *op, struct gh_identity_call *call,
                            const struct gh_audit_command *command, struct gh_audit_query *out);

/* The verbs; each returns the exit status. */
int gh_operator_audit_tail(struct gh_operator *op, const struct gh_audit_command *command);
int gh_operator_audit_query(struct gh_operator *op, const struct gh_audit_command *command);
int gh_operator_audit_export(struct gh_operator *op, const struct gh_audit_command *command);
int gh_operator_audit_verify(struct gh_operator *op, const struct gh_audit_command *command);
int gh_operator_audit_review(struct gh_operator *op, const struct gh_audit_command *command);
int gh_operator_audit_public_key(struct gh_operator *op, const struct gh_audit_command *command);

/* Says that rows were left out, where there were such; to the error stream. */
void gh_operator_tell_passed(struct gh_operator *op, uint64_t count, uint64_t last_seq);

/* Cursors of `after`, which was looked at before; in `arena`. False: no memory. */
bool gh_audit_command_after(const struct gh_audit_command *command, struct gh_arena *arena,
                            struct gh_audit_cursors *out);

/* Checks all chains in the store, by the settings; `notes`: the text of saved checkpoints. */
enum gh_err gh_operator_audit_check(struct gh_operator *op, struct gh_str notes,
                                    struct gh_audit_verdict *out_verdict);
/* Says what was found; returns the exit status. */
int gh_audit_verdict_print(FILE *out, const struct gh_audit_verdict *verdict, bool json,
                           bool with_keys);

#endif
