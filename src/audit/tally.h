/*
 * Refusals on their way to the log. A flood must not fill the disk: what is alike (kind, reason,
 * client, route, user) is counted, not repeated. A worker notes into its own tally (a short lock,
 * no allocation); the audit thread takes what is there several times a second and merges it over a
 * minute (windows): the first of a kind is written at once, the rest of its minute as one record
 * with a count. Nothing is lost silently: what finds no place is counted by event.
 */
#ifndef GH_AUDIT_TALLY_H
#define GH_AUDIT_TALLY_H

#include "audit/record.h"
#include "base/hash.h"

#define GH_TALLY_REASON_MAX     40
#define GH_TALLY_DETAIL_MAX     64
#define GH_TALLY_CLIENT_MAX     46
#define GH_TALLY_ROUTE_MAX      96
#define GH_TALLY_ID_MAX         36
#define GH_TALLY_USER_AGENT_MAX 160
#define GH_TALLY_REQUEST_ID_MAX 64

/* One refusal, as it is noted. Texts are cut at their bounds. */
struct gh_refusal {
    enum gh_audit_event event;
    struct gh_str reason;                 /* the log's word: "not_owner" */
    struct gh_str detail;                 /* the limit, or the directive of CSP; or empty */
    struct gh_str client;                 /* address */
    struct gh_str route;                  /* pattern; empty: none was found */
    struct gh_str user_id;                /* who is signed in; empty: nobody */
    struct gh_str session;                /* their session's id */
    struct gh_str user_agent, request_id; /* of the first */
    uint64_t time_us;
};

/* What has been counted of one kind: all that have event, reason, detail, client, route and user
   in common. */
struct gh_tally_entry {
    enum gh_audit_event event;
    uint64_t count;
    uint64_t first_us, last_us;
    struct gh_str reason, detail, client, route, user_id;
    struct gh_str session, user_agent, request_id; /* of the first */
};

struct gh_tally;

/* `entries_max` kinds, and as many callers, between two takes. NULL without memory. `key` keeps
   clients from choosing what collides. */
struct gh_tally *gh_tally_new(size_t entries_max, struct gh_hash_key key);
void gh_tally_free(struct gh_tally *tally); /* NULL is fine */
/* Any thread; never blocks for long, never fails. */
void gh_tally_note(struct gh_tally *tally, const struct gh_refusal *refusal);
/* Counts a request: what volume and id scanning are judged by, and what a session was last used
   for. By session (an id) of a user; those of nobody (both empty) by client. `missing`: the answer
   was 404 or 410. */
void gh_tally_request(struct gh_tally *tally, struct gh_str user_id, struct gh_str session,
                      struct gh_str client, bool missing);

struct gh_tally_traffic {
    struct gh_str user_id, session;
    struct gh_str client; /* of the last one */
    uint64_t requests, missing;
};

/* What was noted since the last take; valid until the next one of the same tally. One taker. */
struct gh_tally_taken {
    const struct gh_tally_entry *entries;
    size_t entry_count;
    const struct gh_tally_traffic *traffic;
    size_t traffic_count;
    uint64_t overflow[GH_AUDIT_EVENT_COUNT]; /* found no place */
    uint64_t traffic_overflow;
};
void gh_tally_take(struct gh_tally *tally, struct gh_tally_taken *out);

#endif
