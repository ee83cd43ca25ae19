/*
 * The chain: each record's hash covers the record and the hash before it. What is hashed is the
 * record's canonical JSON (RFC 8785) with its chain and prev_hash, without hash and without what is
 * sealed, so that any language with SHA-256 and a JSON library can check it. docs/audit-format.md
 * has the format and test vectors.
 */
#ifndef GH_AUDIT_CHAIN_H
#define GH_AUDIT_CHAIN_H

#include "audit/record.h"
#include "base/err.h"

/* The most that a record's canonical text takes; longer ones are refused. */
#define GH_AUDIT_RECORD_BYTES_MAX (40u * 1024)

/*
 * Gives the row, whose chain is set, its number and links: after the record `prev_seq` (0: the
 * first) that has `prev_hash` (NULL: zeros). `arena` is scratch. GH_ERR_INVALID: texts that are not
 * UTF-8, metadata that are no JSON object, with numbers that are not whole or over 2^53, or all of
 * it too long; GH_ERR_MEMORY. For adapters of the store.
 */
GH_MUST_USE enum gh_err gh_audit_link(struct gh_arena *arena, struct gh_audit_row *row,
                                      uint64_t prev_seq, const uint8_t *prev_hash);
/* The hash that the row should have. Errors as above. */
GH_MUST_USE enum gh_err gh_audit_row_hash(struct gh_arena *arena, const struct gh_audit_row *row,
                                          uint8_t out[GH_SHA256_BYTES]);

/* ---- Lines: a row as an export has it ---- */

/* The most that a line takes, with its newline. */
#define GH_AUDIT_LINE_BYTES_MAX (64u * 1024)
/*
 * {"seq":..,"chain":2,"time":"..",...,"metadata":{..},"prev_hash":"<hex>","hash":"<hex>",
 *  "sealed":"<base64>"}
 * and a newline, strings escaped as RFC 8785 does; `chain` only where it is not 1, `sealed` only
 * where there is something. ptr of `openings` not NULL: "personal" with that JSON object (nothing
 * at all when it is empty) takes the place of "sealed". `arena` is scratch. GH_ERR_INVALID: as
 * above, or openings that are no JSON;
 * GH_ERR_FULL: over GH_AUDIT_LINE_BYTES_MAX, or the buffer; GH_ERR_MEMORY.
 */
GH_MUST_USE enum gh_err gh_audit_put_line(struct gh_arena *arena, struct gh_buf *buf,
                                          const struct gh_audit_row *row, struct gh_str openings);
/*
 * Reads a line, strictly: all members there and none else, each of its type and form, in any order
 * and with any white space between them; chain 1 is not named. Values live in `arena`, or in
 * `line`. An event that this version does not know is refused. *out_openings (may be NULL) has the
 * text of "personal", ptr NULL where there is none. GH_ERR_INVALID, GH_ERR_MEMORY.
 */
GH_MUST_USE enum gh_err gh_audit_parse_line(struct gh_arena *arena, struct gh_str line,
                                            struct gh_audit_row *out_row,
                                            struct gh_str *out_openings);

#endif
