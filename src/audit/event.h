/*
 * The catalogue of audit events (SPEC sections 4 and 5): one row each, from which the reference
 * page, the metrics and the console's texts come.
 */
#ifndef GH_AUDIT_EVENT_H
#define GH_AUDIT_EVENT_H

#include "base/str.h"

/* X(enumerator, "event_type", privileged, "meaning") */
#define GH_AUDIT_EVENTS(X)                                                                         \
    X(SIGNUP, "signup", false, "An account was made.")                                             \
    X(LOGIN, "login", false, "Somebody signed in, or confirmed it again.")                         \
    X(LOGIN_FAILED, "login_failed", false, "A sign-in was refused.")                               \
    X(LOGOUT, "logout", false, "A session was ended by its owner.")                                \
    X(PASSWORD_CHANGE, "password_change", false, "A password was changed or reset.")               \
    X(PASSWORD_RESET_REQUEST, "password_reset_request", false, "A reset was asked for.")           \
    X(TWO_FACTOR_ENABLED, "2fa_enabled", false, "A second factor was switched on.")                \
    X(TWO_FACTOR_DISABLED, "2fa_disabled", false, "A second factor was switched off.")             \
    X(TWO_FACTOR_FAILED, "2fa_verify_failed", false, "A code was refused.")                        \
    X(SESSION_REVOKED, "session_revoked", false, "Sessions were ended.")                           \
    X(ACCOUNT_DELETED, "account_deleted", true, "An account was removed.")                         \
    X(PROFILE_UPDATED, "profile_updated", false, "Profile or e-mail were changed.")                \
    X(ROLE_CHANGED, "role_changed", true, "An account got other roles.")                           \
    X(DATA_EXPORT, "data_export", true, "A person's data or the log were exported.")               \
    X(DATA_DELETION, "data_deletion", true, "A person's data was erased.")                         \
    X(EMAIL_VERIFIED, "email_verified", false, "An address was confirmed.")                        \
    X(ACCOUNT_LOCKED, "account_locked", true, "An account was disabled.")                          \
    X(ACCOUNT_UNLOCKED, "account_unlocked", true, "An account may sign in again.")                 \
    X(RATE_LIMITED, "rate_limited", false, "Requests over a limit.")                               \
    X(HOST_REJECTED, "host_rejected", false, "Requests for a foreign host.")                       \
    X(ORIGIN_REJECTED, "origin_rejected", false, "Requests from a foreign origin.")                \
    X(REQUEST_REJECTED, "request_rejected", false, "Malformed requests.")                          \
    X(INPUT_REJECTED, "input_rejected", false, "Input that is not as declared.")                   \
    X(ACCESS_DENIED, "access_denied", false, "Requests without the right.")                        \
    X(CSP_VIOLATION, "csp_violation", false, "A browser's report.")                                \
    X(CONFIG_RELOADED, "config_reloaded", true, "The configuration was read again.")               \
    X(LIMITS_DEGRADED, "limits_degraded", false, "Redis was lost: each node limits alone.")        \
    X(LIMITS_RESTORED, "limits_restored", false, "Limits are shared again.")                       \
    X(SECRET_ROTATED, "secret_rotated", true, "A key was replaced.")                               \
    X(ANOMALY_DETECTED, "anomaly_detected", false, "A rule found something.")                      \
    X(AUDIT_CHECKPOINT, "audit_checkpoint", false, "A checkpoint was signed.")                     \
    X(AUDIT_READ, "audit_read", true, "The log was read with personal values in clear.")

/*
 * The members that an event's metadata may have: X(event, "name", type, personal, "meaning"), in
 * the order of events. Personal ones are texts. A record with others is refused (gh_audit_protect).
 */
#define GH_AUDIT_MEMBERS(X)                                                                        \
    X(SIGNUP, "email", TEXT, true, "The address.")                                                 \
    X(LOGIN, "method", TEXT, false, "password, totp or recovery.")                                 \
    X(LOGIN, "new_device", BOOL, false, "It has not been seen before.")                            \
    X(LOGIN, "step_up", BOOL, false, "A session that was there confirmed it again.")               \
    X(LOGIN_FAILED, "email", TEXT, true, "The address that was tried.")                            \
    X(LOGIN_FAILED, "reason", TEXT, false, "What was wrong; callers are not told.")                \
    X(PASSWORD_CHANGE, "by", TEXT, false, "Who did it: an id, reset or command.")                  \
    X(PASSWORD_RESET_REQUEST, "email", TEXT, true, "The address that was asked for.")              \
    X(PASSWORD_RESET_REQUEST, "known", BOOL, false, "There is such an account.")                   \
    X(PASSWORD_RESET_REQUEST, "by", TEXT, false, "Who asked instead of the owner.")                \
    X(TWO_FACTOR_DISABLED, "by", TEXT, false, "Who did it: an id or command.")                     \
    X(TWO_FACTOR_FAILED, "reason", TEXT, false, "Where the code was asked for.")                   \
    X(SESSION_REVOKED, "reason", TEXT, false, "Why.")                                              \
    X(SESSION_REVOKED, "count", NUMBER, false, "How many.")                                        \
    X(ACCOUNT_DELETED, "by", TEXT, false, "Who did it: an id, command or unconfirmed.")            \
    X(PROFILE_UPDATED, "fields", LIST, false, "The fields that changed; not their values.")        \
    X(ROLE_CHANGED, "old_role", TEXT, false, "The roles before.")                                  \
    X(ROLE_CHANGED, "new_role", TEXT, false, "The roles from then on.")                            \
    X(ROLE_CHANGED, "changed_by", TEXT, false, "Who did it: an id, command or setup.")             \
    X(DATA_EXPORT, "record_count", NUMBER, false, "Records in the export.")                        \
    X(DATA_EXPORT, "scope", TEXT, false, "What was exported, if not a person's own data.")         \
    X(DATA_EXPORT, "personal", BOOL, false, "Personal values were in clear.")                      \
    X(DATA_DELETION, "initiated", BOOL, false, "It began.")                                        \
    X(DATA_DELETION, "completed", BOOL, false, "It ended, or failed.")                             \
    X(ACCOUNT_LOCKED, "by", TEXT, false, "Who did it: an id or command.")                          \
    X(ACCOUNT_UNLOCKED, "by", TEXT, false, "Who did it: an id or command.")                        \
    X(RATE_LIMITED, "policy", TEXT, false, "The limit.")                                           \
    X(RATE_LIMITED, "reason", TEXT, false, "The log's word.")                                      \
    X(RATE_LIMITED, "route", TEXT, false, "The route's pattern.")                                  \
    X(RATE_LIMITED, "count", NUMBER, false, "How many alike this record stands for.")              \
    X(HOST_REJECTED, "reason", TEXT, false, "The log's word.")                                     \
    X(HOST_REJECTED, "route", TEXT, false, "The route's pattern.")                                 \
    X(HOST_REJECTED, "count", NUMBER, false, "How many alike this record stands for.")             \
    X(ORIGIN_REJECTED, "reason", TEXT, false, "The log's word.")                                   \
    X(ORIGIN_REJECTED, "route", TEXT, false, "The route's pattern.")                               \
    X(ORIGIN_REJECTED, "count", NUMBER, false, "How many alike this record stands for.")           \
    X(REQUEST_REJECTED, "reason", TEXT, false, "The log's word.")                                  \
    X(REQUEST_REJECTED, "route", TEXT, false, "The route's pattern.")                              \
    X(REQUEST_REJECTED, "count", NUMBER, false, "How many alike this record stands for.")          \
    X(INPUT_REJECTED, "reason", TEXT, false, "The log's word.")                                    \
    X(INPUT_REJECTED, "operation", TEXT, false, "The document's operation.")                       \
    X(INPUT_REJECTED, "route", TEXT, false, "The route's pattern.")                                \
    X(INPUT_REJECTED, "count", NUMBER, false, "How many alike this record stands for.")            \
    X(ACCESS_DENIED, "reason", TEXT, false, "The log's word.")                                     \
    X(ACCESS_DENIED, "route", TEXT, false, "The route's pattern.")                                 \
    X(ACCESS_DENIED, "count", NUMBER, false, "How many alike this record stands for.")             \
    X(CSP_VIOLATION, "directive", TEXT, false, "The directive that was violated.")                 \
    X(CSP_VIOLATION, "reason", TEXT, false, "The log's word.")                                     \
    X(CSP_VIOLATION, "route", TEXT, false, "The route's pattern.")                                 \
    X(CSP_VIOLATION, "count", NUMBER, false, "How many alike this record stands for.")             \
    X(CONFIG_RELOADED, "outcome", TEXT, false, "What came of it.")                                 \
    X(LIMITS_DEGRADED, "reason", TEXT, false, "What became of Redis.")                             \
    X(LIMITS_RESTORED, "seconds", NUMBER, false, "How long each node had limited alone.")          \
    X(SECRET_ROTATED, "purpose", TEXT, false, "What the key is for.")                              \
    X(ANOMALY_DETECTED, "rule", TEXT, false, "The rule.")                                          \
    X(ANOMALY_DETECTED, "evidence", OBJECT, false, "Counts, and what is usual.")                   \
    X(ANOMALY_DETECTED, "account", TEXT, false, "The account's id.")                               \
    X(ANOMALY_DETECTED, "network", TEXT, true, "The network.")                                     \
    X(ANOMALY_DETECTED, "action", TEXT, false, "What was done.")                                   \
    X(ANOMALY_DETECTED, "muted", NUMBER, false,                                                    \
      "Findings before it that this process left to another one's records, since its last.")       \
    X(AUDIT_CHECKPOINT, "note", TEXT, false, "The signed note.")                                   \
    X(AUDIT_READ, "by", TEXT, false, "Who did it: an id or command.")                              \
    X(AUDIT_READ, "query", TEXT, false, "What was asked for; of a user the id.")

enum gh_audit_event {
#define X(id, name, privileged, meaning) GH_AUDIT_##id,
    GH_AUDIT_EVENTS(X)
#undef X
        GH_AUDIT_EVENT_COUNT
};

struct gh_audit_event_facts {
    struct gh_str name;
    bool privileged;
    struct gh_str meaning;
};
const struct gh_audit_event_facts *gh_audit_event_facts(enum gh_audit_event event);
/* False: no such event. */
bool gh_audit_event_parse(struct gh_str name, enum gh_audit_event *out_event);

enum gh_audit_member_type {
    GH_AUDIT_MEMBER_TEXT,
    GH_AUDIT_MEMBER_NUMBER, /* whole */
    GH_AUDIT_MEMBER_BOOL,
    GH_AUDIT_MEMBER_LIST, /* of texts */
    GH_AUDIT_MEMBER_OBJECT,
};
struct gh_audit_member {
    enum gh_audit_event event;
    struct gh_str name;
    enum gh_audit_member_type type;
    bool personal;
    struct gh_str meaning;
};
/* Those of an event, an array; their number may be 0. */
const struct gh_audit_member *gh_audit_event_members(enum gh_audit_event event, size_t *out_count);
/* NULL: the event has no such member. */
const struct gh_audit_member *gh_audit_member_find(enum gh_audit_event event, struct gh_str name);

#endif
