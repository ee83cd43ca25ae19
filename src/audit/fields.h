/* The members of a record's JSON, one table for what is hashed and for what is exported. */
#ifndef GH_AUDIT_FIELDS_H
#define GH_AUDIT_FIELDS_H

#include "audit/record.h"
#include "base/err.h"

/* X(enumerator, "name"), in the order of RFC 8785. */
#define GH_AUDIT_FIELDS(X)                                                                         \
    X(ACTOR_ID, "actor_id")                                                                        \
    X(CHAIN, "chain")                                                                              \
    X(EVENT_TYPE, "event_type")                                                                    \
    X(IP_ADDRESS, "ip_address")                                                                    \
    X(METADATA, "metadata")                                                                        \
    X(OUTCOME, "outcome")                                                                          \
    X(PREV_HASH, "prev_hash")                                                                      \
    X(REQUEST_ID, "request_id")                                                                    \
    X(SEQ, "seq")                                                                                  \
    X(SESSION, "session")                                                                          \
    X(TIME, "time")                                                                                \
    X(USER_AGENT, "user_agent")                                                                    \
    X(USER_ID, "user_id")

enum gh_audit_field {
#define X(id, name) GH_AUDIT_FIELD_##id,
    GH_AUDIT_FIELDS(X)
#undef X
        GH_AUDIT_FIELD_COUNT
};
/* All members are always there but the number of a chain, which chain 1 does not write. */
bool gh_audit_field_is_there(enum gh_audit_field field, const struct gh_audit_record *record);
struct gh_str gh_audit_field_name(enum gh_audit_field field);
/* The row's text that is this member, NULL for members that are no text. */
struct gh_str *gh_audit_field_text(struct gh_audit_record *record, enum gh_audit_field field);

/*
 * Writes `{` and all members in this order (the first of which is always there), without `}`.
 * `arena` is scratch. GH_ERR_INVALID: a text that is not UTF-8, a number or time that is too large,
 * metadata that are no object or can't be made canonical; GH_ERR_MEMORY.
 */
GH_MUST_USE enum gh_err gh_audit_put_fields(struct gh_buf *buf, struct gh_arena *arena,
                                            const struct gh_audit_row *row,
                                            const enum gh_audit_field order[GH_AUDIT_FIELD_COUNT]);
/* Most bytes that they take. */
size_t gh_audit_fields_bytes_max(const struct gh_audit_row *row);

#endif
