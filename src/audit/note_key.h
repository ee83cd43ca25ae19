/* What writing and reading of signed notes share about keys; for checkpoint.c and note_key.c. */
#ifndef GH_AUDIT_NOTE_KEY_H
#define GH_AUDIT_NOTE_KEY_H

#include "base/err.h"
#include "crypto/pkey.h"

#define GH_NOTE_KEY_ID_BYTES    4
#define GH_NOTE_TYPED_KEY_BYTES 33 /* signature type and public key */

/* UTF-8, not empty, without Unicode spaces and '+'. */
bool gh_note_is_key_name(struct gh_str name);
/* The public half of an Ed25519 key as notes have it, and its id under this name. GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_note_find_key_id(struct gh_str name, const struct gh_pkey *key,
                                            uint8_t out_typed_key[GH_NOTE_TYPED_KEY_BYTES],
                                            uint32_t *out_key_id);
uint32_t gh_note_read_key_id(const uint8_t *bytes);
void gh_note_write_key_id(uint8_t *out, uint32_t key_id);

#endif
