/*
 * Verification: rows in, one after another; out comes the first that is wrong, or what was proven.
 * Pure: rows come from the store or from the lines of an export.
 *
 * A log may have several chains. Rows of each come in the order of their numbers, and those of
 * several in any mixture: each chain is judged by itself. That a whole chain is missing only a
 * saved checkpoint of it can tell.
 *
 * What is found: a changed record (its hash), a removed one (a number is missing), an inserted,
 * repeated or moved one (numbers and links), a checkpoint in the log that is forged or does not say
 * what the log says, records dropped at the front that no checkpoint says were dropped; and with
 * saved checkpoints a cut tail, an old backup put back, a chain built anew, and with the retention
 * too records that were dropped before their time.
 *
 * What can't be told: where a record was written again with a hash of its own, the next one does
 * not link to it, and either may be the forgery. The one after decides, or a checkpoint over the
 * earlier one; where the log ends before, the earlier is named. Of a chain built anew from some
 * record on, the first checkpoint that contradicts it is the earliest proof: the verdict names the
 * record that the checkpoint speaks of, and the first wrong one is between `signed_through` and it.
 */
#ifndef GH_AUDIT_VERIFY_H
#define GH_AUDIT_VERIFY_H

#include "audit/chain.h"
#include "audit/checkpoint.h"

/* X(enumerator, "name", "what the record named is") */
#define GH_AUDIT_FAULTS(X)                                                                         \
    X(NONE, "none", "is as it was written")                                                        \
    X(UNREADABLE, "unreadable", "is no record that can be read")                                   \
    X(CHANGED, "changed", "is not the record that was written: its hash does not match")           \
    X(MISSING, "missing", "is missing")                                                            \
    X(REPEATED, "repeated",                                                                        \
      "stands where its number does not belong: it was there, or later ones were")                 \
    X(UNLINKED, "unlinked",                                                                        \
      "does not follow the record before it: it was put here, or that one was changed")            \
    X(OPENING, "opening", "shows personal values that are not those it was written with")          \
    X(CHECKPOINT, "checkpoint",                                                                    \
      "holds a checkpoint that is malformed, forged or of an unknown key")                         \
    X(CONTRADICTION, "contradiction",                                                              \
      "is not the record that a signed checkpoint speaks of: the log was built anew")              \
    X(FRONT, "front",                                                                              \
      "is missing: no checkpoint says that it was dropped, or it was dropped before its time")     \
    X(UNMET, "unmet",                                                                              \
      "is the first, and all saved checkpoints are of records before it: they prove nothing here") \
    X(TRUNCATED, "truncated",                                                                      \
      "is missing at the end: a saved checkpoint, or the table of chains, knows of it")            \
    X(HEAD, "head", "is not the last record that the table of chains speaks of")                   \
    X(NOT_SIGNED, "not_signed", "should be under a checkpoint by now")

enum gh_audit_fault {
#define X(id, name, text) GH_AUDIT_FAULT_##id,
    GH_AUDIT_FAULTS(X)
#undef X
        GH_AUDIT_FAULT_COUNT
};
/* "changed" */
struct gh_str gh_audit_fault_name(enum gh_audit_fault fault);
/* "is not the record that was written: its hash does not match" */
struct gh_str gh_audit_fault_text(enum gh_audit_fault fault);

struct gh_audit_verification; /* one run */

/* Chains that one run takes: processes that ever wrote at the same time. More memory than that of
   so many is not given to a file that only claims to have them. */
#define GH_AUDIT_CHAINS_MAX 4096
/* Numbers of chains that there can be are below. */
#define GH_AUDIT_CHAIN_OUTSIDE 2147483648u

/* How many records a log whose checkpoints come every `checkpoint_records` (0: unknown) may have
   without one: ten times as many, and never less than 10,000. Far more than a server leaves, since
   one that was stopped before a checkpoint goes on. */
#define GH_AUDIT_UNSIGNED_CHECKPOINTS 10
uint64_t gh_audit_unsigned_records_max(uint64_t checkpoint_records);

struct gh_audit_verify_options {
    /* None: signatures are not checked, and nothing counts as signed. All keys that signed this
       log must be there: checkpoints of others are faults. They outlive the run. */
    const struct gh_audit_verifier *verifiers;
    size_t verifier_count;
    /* Kept in other places, of this log, opened; in any order. */
    const struct gh_audit_checkpoint *saved;
    size_t saved_count;
    bool partial; /* the rows begin and may end somewhere in the middle (an export since ...) */
    /* More records than this behind the last checkpoint in the log are a fault, in one chain and in
       all of them together; there each chain with a checkpoint, but for the first, adds a tenth of
       it (GH_AUDIT_UNSIGNED_CHECKPOINTS). 0: as many as gh_audit_unsigned_records_max(0) says. */
    uint64_t unsigned_records_max;
    /* How long records are kept, the shortest that it was in the log's life; 0: unknown, and nobody
       looks whether records were dropped before their time. `now_us`: nothing was dropped later
       than that; 0: unknown. */
    uint64_t retention_us, now_us;
};

struct gh_audit_verdict {
    enum gh_audit_fault fault;
    uint32_t chain; /* of the wrong record; where nothing is wrong the lowest; 0: there is none */
    /* Of the wrong record in its chain; MISSING, FRONT, TRUNCATED: of the first that is not there.
       0: the first line of all can't be read. */
    uint64_t seq;
    uint64_t line; /* of the input, from 1: where that record is, or where it should be; 0: unknown,
                      it is (or would be) before or behind the input */
    uint64_t records, chains; /* read, in all */
    /* The lowest number of a chain that has no record here, though one with a higher number has: it
       never had one, or it was taken away whole. 0: there is none. */
    uint32_t absent_chain;
    uint64_t first_seq, last_seq; /* read, of `chain` */
    uint64_t checkpoints;         /* in the log, that say what it says */
    uint64_t saved_met;           /* saved ones that the log bears out */
    uint64_t signed_through;      /* the last record of `chain` that one of them signs */
    uint64_t unsigned_records;    /* behind those of their chains, in all */
    uint64_t personal, sealed;    /* rows with openings, and with a sealed part */
    /* There were keys. */
    bool signatures_checked;
    /* Nothing was dropped, or a saved checkpoint and the retention tell that it was old enough. */
    bool retention_checked;
    uint8_t last_hash[GH_SHA256_BYTES]; /* of `chain` */
};

/* In `arena`, which must live as long; bounded, whatever comes. NULL: full. */
struct gh_audit_verification *gh_audit_verify_begin(struct gh_arena *arena,
                                                    const struct gh_audit_verify_options *options);
/* Before the rows of that chain: its last record, as it is known from elsewhere; not signed, but
   who cuts the log must change that, too. 0: it is not known. */
void gh_audit_verify_head(struct gh_audit_verification *run, uint32_t chain, uint64_t seq,
                          const uint8_t hash[GH_SHA256_BYTES]);
/* That chain must have been there, and is not. */
void gh_audit_verify_absent(struct gh_audit_verification *run, uint32_t chain);
/* False: something is wrong, and nothing more is looked at (or there is no memory, see end). What
   is passed in need not outlive the call. A line over GH_AUDIT_LINE_BYTES_MAX can't be read. */
bool gh_audit_verify_row(struct gh_audit_verification *run, const struct gh_audit_row *row);
bool gh_audit_verify_line(struct gh_audit_verification *run, struct gh_str line);
/* The next row of this chain (0: that of the row before) is there, but is none that can be read.
   `seq`: its number as far as it is known, for the first of all; 0: it is not. False. */
bool gh_audit_verify_unreadable(struct gh_audit_verification *run, uint32_t chain, uint64_t seq);
/* What was found; gives back what the run took. Once for every begin. There is no verdict:
   GH_ERR_MEMORY; GH_ERR_FULL: more than GH_AUDIT_CHAINS_MAX chains. */
GH_MUST_USE enum gh_err gh_audit_verify_end(struct gh_audit_verification *run,
                                            struct gh_audit_verdict *out_verdict);

#endif
