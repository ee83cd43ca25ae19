/*
 * One record of the audit log (SPEC section 5) as it is emitted and read, personal fields in clear,
 * and as it is kept: a row, personal fields as commitments beside their sealed openings.
 */
#ifndef GH_AUDIT_RECORD_H
#define GH_AUDIT_RECORD_H

#include "audit/event.h"
#include "base/arena.h"
#include "base/buf.h"
#include "crypto/hash.h"

enum gh_audit_outcome { GH_AUDIT_SUCCESS, GH_AUDIT_FAILURE };
/* "success", "failure", as columns, lines and questions have it. */
struct gh_str gh_audit_outcome_name(enum gh_audit_outcome outcome);
/* False: neither of them. */
bool gh_audit_outcome_parse(struct gh_str name, enum gh_audit_outcome *out);

/* Empty texts are "none" (NULL in columns, null in JSON). */
struct gh_audit_record {
    uint32_t chain;   /* given by the log, as seq; 0: 1, the only one of most logs */
    uint64_t seq;     /* in its chain; 0: not yet */
    uint64_t time_us; /* UTC */
    enum gh_audit_event event;
    struct gh_str user_id;                /* whom it speaks of */
    struct gh_str actor_id;               /* who did it */
    struct gh_str ip_address, user_agent; /* of the actor */
    struct gh_str session;                /* a hash of the session's id, hexadecimal */
    struct gh_str request_id;
    enum gh_audit_outcome outcome;
    struct gh_str metadata; /* a JSON object's text; empty: {} */
};

/*
 * What the log keeps. In `record` personal values are commitments (personal.h), so that the hash
 * covers what can be erased; `sealed` holds what opens them, and no hash covers it.
 */
struct gh_audit_row {
    struct gh_audit_record record;
    uint64_t position; /* among the records of all chains, given by the log; the seq where there is
                          one chain. For pages: no hash covers it */
    struct gh_str sealed;               /* empty: nothing personal in it */
    uint8_t prev_hash[GH_SHA256_BYTES]; /* of the record before; zeros: the first of its chain */
    uint8_t hash[GH_SHA256_BYTES];
};

/* The number of a record's chain. */
static inline uint32_t gh_audit_chain_of(const struct gh_audit_record *record)
{
    return record->chain ? record->chain : 1;
}

/* Whoever makes a record cuts the user agent at this length. As JSON, control bytes are escaped and
   what is not UTF-8 becomes U+FFFD. */
#define GH_AUDIT_USER_AGENT_BYTES_MAX 256

/* What a log shows of a session: the first 16 bytes of SHA-256 of its id, hexadecimal. */
#define GH_AUDIT_SESSION_LEN 32
void gh_audit_session_hash(struct gh_str session_id, char out[GH_AUDIT_SESSION_LEN + 1]);

/* {"seq":..,"chain":2,"time":"2026-01-31T23:59:59.000000Z","event_type":"login",...,
   "metadata":{..}}; `chain` only where it is not 1 */
void gh_audit_record_put_json(struct gh_buf *buf, const struct gh_audit_record *record);
/* "2026-01-31T23:59:59.123456Z" */
#define GH_AUDIT_TIME_LEN 27
void gh_audit_put_time(struct gh_buf *buf, uint64_t time_us);

#endif
