/*
 * Personal fields of a record: what is kept of them is a commitment, HMAC-SHA256 under a salt of 32
 * random bytes (hiding, and binding). Salt and values are sealed under a key of the person they
 * speak of: address and user agent under the actor's, personal members of the metadata under that
 * of whom the record speaks. When a key is destroyed its values are gone, and every hash still
 * checks.
 */
#ifndef GH_AUDIT_PERSONAL_H
#define GH_AUDIT_PERSONAL_H

#include "audit/record.h"
#include "base/err.h"
#include "crypto/random.h"

/* Whose key: an account's id, or "day:2026-01-31" for records that speak of no known account. */
#define GH_AUDIT_PERSON_LEN_MAX 36
struct gh_audit_person {
    struct gh_str name;
    uint8_t key[GH_KEY_BYTES];
};
#define GH_AUDIT_DAY_LEN 14
/* "day:2026-01-31", of the UTC day. */
void gh_audit_day(uint64_t time_us, char out[GH_AUDIT_DAY_LEN + 1]);

/* "hmac-sha256:" and 64 hexadecimal digits of HMAC(salt, field, 0, value). `field`: "ip_address",
   "user_agent", "metadata.email". What is longer than a field or value can be has no commitment:
   then the text is one that no row has. */
#define GH_AUDIT_COMMITMENT_LEN     76
#define GH_AUDIT_PERSONAL_BYTES_MAX 1024 /* longer texts of records are cut */
void gh_audit_commit(const uint8_t salt[GH_SHA256_BYTES], struct gh_str field, struct gh_str value,
                     char out[GH_AUDIT_COMMITMENT_LEN + 1]);

/* Whose keys protecting a record takes: none where it has nothing of theirs. */
struct gh_audit_needs {
    bool actor, subject;
};
struct gh_audit_needs gh_audit_needs(const struct gh_audit_record *clear);

/*
 * Makes a row of a record in clear: texts valid UTF-8 (what is not becomes U+FFFD), metadata
 * canonical (RFC 8785), personal values committed to and sealed. `actor` and `subject` may be the
 * same, and NULL where gh_audit_needs says no. seq and hashes stay zero. GH_ERR_INVALID: metadata
 * that are no object of the catalogue's members; GH_ERR_MEMORY.
 */
GH_MUST_USE enum gh_err gh_audit_protect(struct gh_arena *arena, const struct gh_random *random,
                                         const struct gh_audit_record *clear,
                                         const struct gh_audit_person *actor,
                                         const struct gh_audit_person *subject,
                                         struct gh_audit_row *out_row);

/* Whose keys open a row: at most two names, which point into it. GH_ERR_INVALID: damaged. */
#define GH_AUDIT_PERSONS_MAX 2
GH_MUST_USE enum gh_err gh_audit_persons(struct gh_str sealed,
                                         struct gh_str out_names[GH_AUDIT_PERSONS_MAX],
                                         size_t *out_count);
/*
 * The record in clear. Values of a person who is not among `persons` are empty (members of
 * metadata: null), and *out_erased is true then. GH_ERR_INVALID: damaged, or a value that is not
 * the one committed to.
 */
GH_MUST_USE enum gh_err gh_audit_reveal(struct gh_arena *arena, const struct gh_audit_row *row,
                                        const struct gh_audit_person *persons, size_t count,
                                        struct gh_audit_record *out_clear, bool *out_erased);
/* The openings in clear, as the member "personal" of an exported line (opening.h); nothing when all
   are gone. Errors as above, and GH_ERR_FULL: the buffer. */
GH_MUST_USE enum gh_err gh_audit_put_openings(struct gh_buf *buf, struct gh_arena *arena,
                                              const struct gh_audit_row *row,
                                              const struct gh_audit_person *persons, size_t count);

#endif
