/*
 * The keys that sign checkpoints of the audit log (audit/checkpoint.h), and signing in a unit. The
 * first is made at the first start; its name is that of the log, in all its chains. Retired ones
 * stay: what they signed is to be verified for as long as anybody keeps it.
 */
#ifndef GH_IDENTITY_AUDIT_KEY_H
#define GH_IDENTITY_AUDIT_KEY_H

#include "audit/checkpoint.h"
#include "identity/identity.h"

/* "gatehouse/audit/0123456789abcdef" */
#define GH_AUDIT_KEY_NAME_LEN 32
/* Keys of one log that are read: the first of all, which names it, and the newest. */
#define GH_AUDIT_KEYS_MAX 64

struct gh_audit_keys {
    struct gh_str origin; /* the name of the first key of all */
    struct gh_str name;   /* of the key that signs; no name: all are retired */
    struct gh_pkey *key;
    /* All of them, the one that signs first. */
    struct gh_audit_verifier *verifiers;
    size_t verifier_count;
};

/* Those that are there, in `arena`, released by gh_audit_keys_done. GH_ERR_NOT_FOUND: none, a
   server with this store has never run; GH_ERR_INVALID: the vault can't open one. */
GH_MUST_USE enum gh_err gh_audit_keys_read(const struct gh_identity *identity,
                                           struct gh_arena *arena, struct gh_audit_keys *out_keys);
/* The same, after making one where none signs. */
GH_MUST_USE enum gh_err gh_audit_keys_load(const struct gh_identity *identity, uint64_t now_us,
                                           struct gh_arena *arena, struct gh_audit_keys *out_keys);
void gh_audit_keys_done(struct gh_audit_keys *keys);

/* The number of the oldest record that is kept, and the hash before it. */
struct gh_audit_front {
    uint64_t seq;
    uint8_t prev_hash[GH_SHA256_BYTES];
};
/* Opens the note of a checkpoint's record; texts live in `arena`. False: none of these keys signed
   it, or it does not speak of the record right before in its chain. */
bool gh_audit_keys_open(const struct gh_audit_keys *keys, struct gh_arena *arena,
                        const struct gh_audit_row *row, struct gh_audit_checkpoint *out);

/* In a unit: signs a checkpoint over the newest record of its chain and appends it there as a
   record of audit_checkpoint. It says of the front what the newest checkpoint says, wherever the
   log begins by now: nobody's cutting is signed. `front`: where it begins since this unit has
   dropped what was before it; NULL: nothing was dropped. GH_ERR_NOT_FOUND: the chain is empty. The
   note lives in the unit's arena; seq: the number of the record that holds it. */
struct gh_audit_signed {
    struct gh_str note;
    uint64_t seq;
    uint8_t hash[GH_SHA256_BYTES]; /* of that record */
};
GH_MUST_USE enum gh_err gh_audit_keys_sign(struct gh_tx *tx, const struct gh_identity *identity,
                                           const struct gh_audit_keys *keys,
                                           const struct gh_audit_front *front, uint64_t now_us,
                                           struct gh_audit_signed *out_signed);
/* The note of an audit_checkpoint's metadata, in `arena`; ptr NULL: there is none. */
struct gh_str gh_audit_note_of(struct gh_arena *arena, struct gh_str metadata);

#endif
