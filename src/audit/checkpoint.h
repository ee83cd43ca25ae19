/*
 * Checkpoints: signed statements of how long the log is and what its last hash is, in the text form
 * of C2SP tlog-checkpoint and signed-note with Ed25519:
 *
 *   gatehouse/audit/0123456789abcdef            origin: the name of this log
 *   1000                                        records, that is the number of the last
 *   <base64 of its hash>
 *   chain 2                                     not of chain 1 (an extension line)
 *   first 1 <base64 of the hash before it>      the oldest record kept (an extension line)
 *   time 2026-01-31T00:00:00.000000Z            when it was signed (an extension line)
 *
 *   — <key name> <base64 of key id and signature>
 *
 * Other extension lines are read over. A key id is the first four bytes of
 * SHA-256(name, "\n", 0x01, public key), in the order of the network. What is written here opens
 * with golang.org/x/mod/sumdb/note and other readers of the format.
 *
 * A chain is no Merkle tree: a witness can compare checkpoints, not prove inclusion by them.
 */
#ifndef GH_AUDIT_CHECKPOINT_H
#define GH_AUDIT_CHECKPOINT_H

#include "audit/record.h"
#include "base/err.h"
#include "crypto/pkey.h"

struct gh_audit_checkpoint {
    struct gh_str origin;
    uint32_t chain; /* 0: 1 */
    uint64_t seq;   /* of the last record; its hash: */
    uint8_t hash[GH_SHA256_BYTES];
    uint64_t first_seq; /* of the oldest record kept, and the hash before it: */
    uint8_t first_prev_hash[GH_SHA256_BYTES];
    uint64_t time_us;
};

/* A key that verifies notes: "<name>+<key id, 8 hex>+<base64 of 0x01 and 32 bytes>" (C2SP
   signed-note, "verifier keys"). */
struct gh_audit_verifier {
    struct gh_str name; /* without spaces and '+' */
    uint32_t key_id;
    struct gh_pkey *key;
};
/* False: malformed, a key id that is not the key's, or not Ed25519. The key is the caller's. */
bool gh_audit_verifier_parse(struct gh_arena *arena, struct gh_str text,
                             struct gh_audit_verifier *out);
/* The text of a key's public half; `key` is Ed25519, `name` a key name. */
void gh_audit_put_verifier(struct gh_buf *buf, struct gh_str name, const struct gh_pkey *key);

#define GH_AUDIT_NOTE_BYTES_MAX 2048
/* Writes the note, signed as `name`. GH_ERR_INVALID: no private Ed25519 key, or a checkpoint that
   could not be read back (origin or name empty or with spaces or '+', numbers out of range);
   GH_ERR_FULL: the buffer; GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_audit_put_checkpoint(struct gh_buf *buf,
                                                const struct gh_audit_checkpoint *checkpoint,
                                                struct gh_str name, const struct gh_pkey *key);

enum gh_audit_note {
    GH_AUDIT_NOTE_MALFORMED,
    GH_AUDIT_NOTE_GOOD,
    GH_AUDIT_NOTE_UNKNOWN_KEY, /* well-formed, signed by none of these */
    GH_AUDIT_NOTE_FORGED,      /* a signature of a known key that does not hold */
};
/* A note with more is malformed (as in Go's reader). */
#define GH_AUDIT_NOTE_SIGNATURES_MAX 100
/* Reads one note and checks it against the keys: good when one known key signed it and no known
   key's signature is wrong. Unknown signatures (of witnesses) are passed over. Texts point into
   `note`. *out is set when GOOD or UNKNOWN_KEY. */
enum gh_audit_note gh_audit_checkpoint_open(struct gh_str note,
                                            const struct gh_audit_verifier *verifiers, size_t count,
                                            struct gh_audit_checkpoint *out);
/* Takes the next note off a text of many (as an exported file has them, with an empty line between
   them or not); false: no more. What is behind the last note comes as one more, which is malformed:
   nothing in a file goes unseen. */
bool gh_audit_next_note(struct gh_str *rest, struct gh_str *out_note);

#endif
