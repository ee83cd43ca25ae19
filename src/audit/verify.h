/*
 * Verification: rows in, one after another; out comes the first that is wrong, or what was proven.
 * Pure: rows come from the store or from the lines of an export.
 *
 * What is found: a changed record (its hash), a removed one (a number is missing), an inserted,
 * repeated or moved one (numbers and links), a checkpoint in the log that is forged or does not say
 * what the log says, records dropped at the front that no checkpoint says were dropped; and with
 * saved checkpoints a cut tail, an old backup put back, a chain built anew.
 */
#ifndef GH_AUDIT_VERIFY_H
#define GH_AUDIT_VERIFY_H

#include "audit/chain.h"
#include "audit/checkpoint.h"

enum gh_audit_fault {
    GH_AUDIT_FAULT_NONE,
    GH_AUDIT_FAULT_UNREADABLE,    /* a line that is no record */
    GH_AUDIT_FAULT_CHANGED,       /* the hash is not that of the record */
    GH_AUDIT_FAULT_MISSING,       /* a number is missing before this one */
    GH_AUDIT_FAULT_REPEATED,      /* a number that was there already, or a smaller one */
    GH_AUDIT_FAULT_UNLINKED,      /* prev_hash is not the hash before it */
    GH_AUDIT_FAULT_OPENING,       /* personal values shown are not those committed to */
    GH_AUDIT_FAULT_CHECKPOINT,    /* a checkpoint in the log is malformed or forged */
    GH_AUDIT_FAULT_CONTRADICTION, /* a checkpoint says another hash for this record */
    GH_AUDIT_FAULT_FRONT,         /* the log begins later than its checkpoints say */
    GH_AUDIT_FAULT_TRUNCATED,     /* a saved checkpoint knows of later records */
    GH_AUDIT_FAULT_NOT_SIGNED,    /* no checkpoint holds what must be signed by now */
};
/* "is not the record that was written: its hash does not match" */
struct gh_str gh_audit_fault_text(enum gh_audit_fault fault);

struct gh_audit_verification; /* one run */

struct gh_audit_verify_options {
    const struct gh_audit_verifier
        *verifiers; /* none: signatures are not checked, and it says so */
    size_t verifier_count;
    const struct gh_audit_checkpoint *saved; /* of other places, opened; in any order */
    size_t saved_count;
    bool partial; /* the rows begin and may end somewhere in the middle (an export since ...) */
};

struct gh_audit_verdict {
    enum gh_audit_fault fault;
    uint64_t seq;  /* of the wrong record; MISSING, TRUNCATED: the first that is not there */
    uint64_t line; /* of the input, from 1; 0: of the end */
    uint64_t records, first_seq, last_seq;
    uint64_t checkpoints;      /* good ones in the log */
    uint64_t saved_met;        /* saved ones that the log bears out */
    uint64_t signed_through;   /* the last record that a checkpoint signs; 0: none */
    uint64_t personal, erased; /* rows with openings in the input; with something sealed */
    uint8_t last_hash[GH_SHA256_BYTES];
};

/* In `arena`, which must live as long; bounded, whatever comes. NULL: full. */
struct gh_audit_verification *gh_audit_verify_begin(struct gh_arena *arena,
                                                    const struct gh_audit_verify_options *options);
/* False: something is wrong, and nothing more is looked at. */
bool gh_audit_verify_row(struct gh_audit_verification *run, const struct gh_audit_row *row);
bool gh_audit_verify_line(struct gh_audit_verification *run, struct gh_str line);
/* What was found. */
struct gh_audit_verdict gh_audit_verify_end(struct gh_audit_verification *run);

#endif
