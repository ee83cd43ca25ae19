/* Saved checkpoints and public keys as commands read them: from files, by people. */
#ifndef GH_APP_AUDIT_NOTES_H
#define GH_APP_AUDIT_NOTES_H

#include <stdio.h>

#include "audit/checkpoint.h"

/* All of a stream, in `arena`. GH_ERR_FULL: more than `bytes_max`; GH_ERR_IO; GH_ERR_MEMORY. */
GH_MUST_USE enum gh_err gh_audit_notes_read(FILE *in, size_t bytes_max, struct gh_arena *arena,
                                            struct gh_str *out_text);
/* The checkpoints of a text of many, each signed by one of the keys (with no keys: as they stand).
   GH_ERR_INVALID: one is malformed, forged or of another key. */
GH_MUST_USE enum gh_err gh_audit_notes_open(struct gh_arena *arena, struct gh_str text,
                                            const struct gh_audit_verifier *verifiers,
                                            size_t verifier_count,
                                            const struct gh_audit_checkpoint **out_items,
                                            size_t *out_count);
/* Verifier keys, one to a line; empty lines and those that begin with '#' are passed over. The
   caller releases each key. GH_ERR_INVALID: a line that is none, or no key at all. */
GH_MUST_USE enum gh_err gh_audit_verifiers_read(struct gh_arena *arena, struct gh_str text,
                                                struct gh_audit_verifier **out_items,
                                                size_t *out_count);

#endif
