/*
 * The audit log between those who speak in clear and the store, which keeps personal values as
 * commitments beside what is sealed under keys of persons (audit/personal.h, person.h).
 */
#ifndef GH_IDENTITY_AUDIT_LOG_H
#define GH_IDENTITY_AUDIT_LOG_H

#include "audit/personal.h"
#include "identity/identity.h"

/* ---- Writing. GH_ERR_INVALID: metadata that are not the catalogue's (audit/event.h). ---- */

/* In a unit: protects a record in clear and appends it. Personal values go under the keys of the
   accounts that it names while they are there, else under the day's. */
GH_MUST_USE enum gh_err gh_audit_log_append(struct gh_tx *tx, const struct gh_identity *identity,
                                            const struct gh_audit_record *clear);
/* Many at once, in their order, in one unit of run_bulk: all or none. For what nobody waits for.
   Each takes some 8 KiB of `arena`. Errors are those of run_bulk. */
GH_MUST_USE enum gh_err gh_audit_log_append_many(const struct gh_identity *identity,
                                                 struct gh_arena *arena,
                                                 const struct gh_audit_record *records,
                                                 size_t count);
/* The same, but *out_invalid that can be no records (a fault of ours) are left out. */
GH_MUST_USE enum gh_err gh_audit_log_append_valid(const struct gh_identity *identity,
                                                  struct gh_arena *arena,
                                                  const struct gh_audit_record *records,
                                                  size_t count, size_t *out_invalid);

/* ---- Reading ---- */

struct gh_audit_entry {
    struct gh_audit_record record; /* in clear */
    uint64_t position;             /* among the records of all chains */
    bool erased;  /* some of it is gone: texts are empty, members of metadata null */
    bool damaged; /* it could not be opened, or was not what the row committed to; as erased */
};
struct gh_audit_entries {
    struct gh_audit_entry *items;
    size_t count;
};

/* In a unit: a page in clear. */
GH_MUST_USE enum gh_err gh_audit_log_read(struct gh_tx *tx, const struct gh_identity *identity,
                                          const struct gh_audit_query *query,
                                          struct gh_audit_entries *out_entries);
/* In a reading unit of its own; entries live in `arena`. `chain` 0: that which this process writes,
   or every one where the query says so. */
GH_MUST_USE enum gh_err gh_audit_log_chain_page(const struct gh_identity *identity,
                                                struct gh_arena *arena, uint32_t chain,
                                                const struct gh_audit_query *query,
                                                struct gh_audit_entries *out_entries);
/* The same with chain 0. */
GH_MUST_USE enum gh_err gh_audit_log_page(const struct gh_identity *identity,
                                          struct gh_arena *arena,
                                          const struct gh_audit_query *query,
                                          struct gh_audit_entries *out_entries);
/* In a unit: one row (of a page that the caller read) in clear. */
GH_MUST_USE enum gh_err gh_audit_log_reveal(struct gh_tx *tx, const struct gh_identity *identity,
                                            const struct gh_audit_row *row,
                                            struct gh_audit_entry *out_entry);
/* In a unit: the keys that open a row and are still there, for gh_audit_put_openings. The caller
   wipes them. */
GH_MUST_USE enum gh_err gh_audit_log_persons(struct gh_tx *tx, const struct gh_identity *identity,
                                             const struct gh_audit_row *row,
                                             struct gh_audit_person out[GH_AUDIT_PERSONS_MAX],
                                             size_t *out_count);

#endif
