/*
 * The chain: each record's hash covers the record and the hash before it. What is hashed is the
 * record's canonical JSON (RFC 8785) with prev_hash, without hash and without what is sealed, so
 * that any language with SHA-256 and a JSON library can check it. docs/audit-format.md has the
 * format and test vectors.
 */
#ifndef GH_AUDIT_CHAIN_H
#define GH_AUDIT_CHAIN_H

#include "audit/record.h"
#include "base/err.h"

/* Gives the row its number and links: after the record `prev_seq` (0: the first) that has
   `prev_hash` (NULL: zeros). `arena` is scratch. GH_ERR_MEMORY. For adapters of the store. */
GH_MUST_USE enum gh_err gh_audit_link(struct gh_arena *arena, struct gh_audit_row *row,
                                      uint64_t prev_seq, const uint8_t *prev_hash);
/* The hash that the row should have. */
GH_MUST_USE enum gh_err gh_audit_row_hash(struct gh_arena *arena, const struct gh_audit_row *row,
                                          uint8_t out[GH_SHA256_BYTES]);

/* ---- Lines: a row as an export has it ---- */

/*
 * {"seq":..,"time":"..",...,"prev_hash":"<hex>","hash":"<hex>","sealed":"<base64>"} and a newline;
 * `sealed` only where there is something. ptr of `openings` NULL: none; else "personal" with that
 * JSON object takes the place of "sealed".
 */
GH_MUST_USE enum gh_err gh_audit_put_line(struct gh_arena *arena, struct gh_buf *buf,
                                          const struct gh_audit_row *row, struct gh_str openings);
/*
 * Reads a line, strictly: all members there and none else, each of its type and form. Values live
 * in `arena`, or in `line`. An event that this version does not know is refused. GH_ERR_INVALID;
 * *out_openings (may be NULL) has the text of "personal".
 */
GH_MUST_USE enum gh_err gh_audit_parse_line(struct gh_arena *arena, struct gh_str line,
                                            struct gh_audit_row *out_row,
                                            struct gh_str *out_openings);
/* The most that a line takes. */
#define GH_AUDIT_LINE_BYTES_MAX (64u * 1024)

#endif
