/*
 * The catalogue of audit events (SPEC sections 4 and 5): one row each, from which the reference
 * page, the metrics and the console's texts come.
 */
#ifndef GH_AUDIT_EVENT_H
#define GH_AUDIT_EVENT_H

#include "base/str.h"

/* X(enumerator, "event_type", privileged, "members of metadata; personal ones in []", "meaning") */
#define GH_AUDIT_EVENTS(X)                                                                         \
    X(SIGNUP, "signup", false, "[email]", "An account was made.")                                  \
    X(LOGIN, "login", false, "method, new_device", "Somebody signed in, or confirmed it again.")   \
    X(LOGIN_FAILED, "login_failed", false, "[email], reason", "A sign-in was refused.")            \
    X(LOGOUT, "logout", false, "", "A session was ended by its owner.")                            \
    X(PASSWORD_CHANGE, "password_change", false, "by", "A password was changed or reset.")         \
    X(PASSWORD_RESET_REQUEST, "password_reset_request", false, "[email], known",                   \
      "A reset was asked for.")                                                                    \
    X(TWO_FACTOR_ENABLED, "2fa_enabled", false, "", "A second factor was switched on.")            \
    X(TWO_FACTOR_DISABLED, "2fa_disabled", false, "by", "A second factor was switched off.")       \
    X(TWO_FACTOR_FAILED, "2fa_verify_failed", false, "reason", "A code was refused.")              \
    X(SESSION_REVOKED, "session_revoked", false, "reason, count", "Sessions were ended.")          \
    X(ACCOUNT_DELETED, "account_deleted", true, "by", "An account was removed.")                   \
    X(PROFILE_UPDATED, "profile_updated", false, "fields", "Profile or e-mail were changed.")      \
    X(ROLE_CHANGED, "role_changed", true, "old_role, new_role, changed_by",                        \
      "An account got other roles.")                                                               \
    X(DATA_EXPORT, "data_export", true, "record_count", "A person's data was exported.")           \
    X(DATA_DELETION, "data_deletion", true, "initiated, completed", "A person's data was erased.") \
    X(EMAIL_VERIFIED, "email_verified", false, "", "An address was confirmed.")                    \
    X(ACCOUNT_LOCKED, "account_locked", true, "by", "An account was disabled.")                    \
    X(ACCOUNT_UNLOCKED, "account_unlocked", true, "by", "An account may sign in again.")           \
    X(RATE_LIMITED, "rate_limited", false, "policy, route, count", "Requests over a limit.")       \
    X(HOST_REJECTED, "host_rejected", false, "count", "Requests for a foreign host.")              \
    X(ORIGIN_REJECTED, "origin_rejected", false, "count", "Requests from a foreign origin.")       \
    X(REQUEST_REJECTED, "request_rejected", false, "reason, count", "Malformed requests.")         \
    X(INPUT_REJECTED, "input_rejected", false, "route, count", "Input that is not as declared.")   \
    X(ACCESS_DENIED, "access_denied", false, "route, reason, count",                               \
      "Requests without the right.")                                                               \
    X(CSP_VIOLATION, "csp_violation", false, "directive, count", "A browser's report.")            \
    X(CONFIG_RELOADED, "config_reloaded", true, "outcome", "The configuration was read again.")    \
    X(SECRET_ROTATED, "secret_rotated", true, "purpose", "A key was replaced.")                    \
    X(ANOMALY_DETECTED, "anomaly_detected", false, "rule, evidence", "A rule found something.")    \
    X(AUDIT_CHECKPOINT, "audit_checkpoint", false, "sequence", "A checkpoint was signed.")

enum gh_audit_event {
#define X(id, name, privileged, members, meaning) GH_AUDIT_##id,
    GH_AUDIT_EVENTS(X)
#undef X
        GH_AUDIT_EVENT_COUNT
};

struct gh_audit_event_facts {
    struct gh_str name;
    bool privileged;
    struct gh_str members, meaning;
};
const struct gh_audit_event_facts *gh_audit_event_facts(enum gh_audit_event event);
/* False: no such event. */
bool gh_audit_event_parse(struct gh_str name, enum gh_audit_event *out_event);

#endif
