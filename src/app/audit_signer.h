/*
 * Checkpoints and retention, for the thread of the audit log: when to sign, signing, and dropping
 * what is too old. What is dropped and the checkpoint that says so commit together: at no moment is
 * a record missing that no checkpoint speaks of.
 *
 * A process signs the chain that it writes, and now and then those that nobody holds: the end of
 * what a process wrote that was killed gets its checkpoint, and retention reaches every chain. Of
 * two processes that do so at once one finds nothing to do any more.
 */
#ifndef GH_APP_AUDIT_SIGNER_H
#define GH_APP_AUDIT_SIGNER_H

#include "app/audit_clock.h"
#include "app/audit_settings.h"
#include "identity/audit_key.h"

/* What is known of one chain: its newest checkpoint. */
struct gh_audit_signer_chain {
    uint32_t id;             /* 0: none */
    uint64_t checkpoint_seq; /* the record of the newest checkpoint; 0: none */
    uint8_t checkpoint_hash[GH_SHA256_BYTES];
    bool contradicted;      /* that record is gone, or another one: nothing is signed any more */
    uint64_t checkpoint_us; /* when it was signed; 0: never */
    uint64_t unsigned_us;   /* since when something is not under a checkpoint; 0: nothing is */
};

struct gh_audit_signer {
    const struct gh_identity *identity;
    struct gh_arena key_arena; /* of the keys */
    struct gh_audit_keys keys;
    struct gh_audit_signer_chain own;     /* that this process writes */
    struct gh_audit_signer_chain *others; /* that were met while nobody held them */
    size_t other_count, other_room;
    uint64_t others_us;    /* when they come next */
    uint64_t retention_us; /* when retention comes next */
    struct gh_audit_clock clock;
    uint64_t heard_position; /* of the newest record of others that the clock was held against */
    enum gh_audit_clock_verdict verdict; /* of the clock, when retention came last */
    uint64_t doubt_told_us;              /* of the running clock; 0: nothing to tell of */
    bool tell_doubt; /* the caller shall: something may be too old and is kept, see verdict */
};

/* Loads the keys, making the first; `arena` is scratch. */
GH_MUST_USE enum gh_err gh_audit_signer_open(struct gh_audit_signer *signer,
                                             const struct gh_identity *identity, uint64_t now_us,
                                             struct gh_arena *arena);
void gh_audit_signer_close(struct gh_audit_signer *signer);

/* Signs the chain `own` when it is due by the settings, or, with `now`, when anything is not
   signed. `head_seq`: its last record. *out_signed: there is a new checkpoint. GH_ERR_REFUSED: the
   chain in the store is not the one that was signed before. */
GH_MUST_USE enum gh_err gh_audit_signer_turn(struct gh_audit_signer *signer,
                                             const struct gh_audit_settings *settings, uint32_t own,
                                             uint64_t head_seq, uint64_t now_us, bool now,
                                             struct gh_arena *arena, bool *out_signed);
/* As often as the settings have a checkpoint signed: signs what is not signed of chains that nobody
   holds. *out_signed: how many. Errors as above, of any of them; the others were signed. */
GH_MUST_USE enum gh_err gh_audit_signer_turn_others(struct gh_audit_signer *signer,
                                                    const struct gh_audit_settings *settings,
                                                    uint64_t now_us, struct gh_arena *arena,
                                                    size_t *out_signed);
/* Once an hour: drops whole segments that are too old, of the own chain and of those that nobody
   holds, and destroys the keys of those days. Nothing while the clock can't be believed
   (audit_clock.h), by itself or beside the records of other processes that run; tell_doubt is set
   once an hour then. */
GH_MUST_USE enum gh_err gh_audit_signer_retain(struct gh_audit_signer *signer,
                                               const struct gh_audit_settings *settings,
                                               uint64_t now_us, struct gh_arena *arena,
                                               uint64_t *out_dropped);

#endif
