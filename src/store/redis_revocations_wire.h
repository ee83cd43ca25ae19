/*
 * Sessions that ended as a message of one process to the others: bytes under a MAC. No I/O.
 *
 *     version (1) | sessions (1) | each: id (16), last second of its tokens since 1970 (8) | MAC
 * (16)
 *
 * Numbers are big-endian. The MAC is the first half of HMAC-SHA-256 over all before it, under a key
 * of this use alone: who can write to Redis and has no key signs nobody out and fills no table. A
 * message that comes again says what is known already, so there is nothing against replays: a
 * session that ended stays ended.
 */
#ifndef GH_STORE_REDIS_REVOCATIONS_WIRE_H
#define GH_STORE_REDIS_REVOCATIONS_WIRE_H

#include "crypto/hash.h"
#include "session/subject.h"

struct gh_revocation_note {
    struct gh_id session_id;
    uint64_t until_s; /* as gh_revocations_add takes it */
};

/* Of one message; none is fine, and says nothing. */
#define GH_REVOCATION_NOTES_MAX 64

#define GH_REVOCATION_HEAD_BYTES 2
#define GH_REVOCATION_NOTE_BYTES 24
#define GH_REVOCATION_MAC_BYTES  16
#define GH_REVOCATION_MESSAGE_BYTES_MAX                                                            \
    (GH_REVOCATION_HEAD_BYTES + GH_REVOCATION_NOTES_MAX * GH_REVOCATION_NOTE_BYTES +               \
     GH_REVOCATION_MAC_BYTES)

/* `count`: up to GH_REVOCATION_NOTES_MAX. How many bytes of `out` it takes; 0: an id is none. */
size_t gh_revocation_message_write(const uint8_t key[GH_KEY_BYTES],
                                   const struct gh_revocation_note *notes, size_t count,
                                   uint8_t out[GH_REVOCATION_MESSAGE_BYTES_MAX]);
/* False: it is no message, or none of who has the key. The length is looked at before anything is
   computed, so that a long one costs nothing. */
bool gh_revocation_message_read(const uint8_t key[GH_KEY_BYTES], struct gh_str message,
                                struct gh_revocation_note out_notes[GH_REVOCATION_NOTES_MAX],
                                size_t *out_count);

#endif
