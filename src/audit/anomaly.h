/*
 * Anomaly rules (SPEC section 5): explainable, each with its evidence. A function of the log and of
 * counts of traffic, with time as a parameter: whoever feeds it the same records gets the same
 * findings. docs/anomaly.md has each rule, its parameters, its precision and recall.
 */
#ifndef GH_AUDIT_ANOMALY_H
#define GH_AUDIT_ANOMALY_H

#include "audit/record.h"
#include "base/hash.h"

/* X(enumerator, "name", "of what a finding speaks: network or account", "meaning") */
#define GH_ANOMALY_RULES(X)                                                                        \
    X(CREDENTIAL_STUFFING, "credential_stuffing", NETWORK, "many accounts fail from one network")  \
    X(PASSWORD_SPRAYING, "password_spraying", EVERYBODY,                                           \
      "many accounts fail a few times each, far over the usual rate")                              \
    X(BRUTE_FORCE, "brute_force", ACCOUNT, "one account fails again and again")                    \
    X(NEW_DEVICE, "new_device", ACCOUNT, "a sign-in from a device not seen before")                \
    X(REFRESH_REUSE, "refresh_reuse", ACCOUNT, "an old refresh token came again")                  \
    X(ID_SCANNING, "id_scanning", CALLER, "one caller asks for many refused or missing ids")       \
    X(UNUSUAL_VOLUME, "unusual_volume", ACCOUNT,                                                   \
      "far more requests than the caller's own history")                                           \
    X(EXPORT_SPREE, "export_spree", ACCOUNT, "many exports in a short time")

enum gh_anomaly_rule {
#define X(id, name, scope, meaning) GH_ANOMALY_##id,
    GH_ANOMALY_RULES(X)
#undef X
        GH_ANOMALY_RULE_COUNT
};
enum gh_anomaly_scope {
    GH_ANOMALY_OF_NETWORK,
    GH_ANOMALY_OF_ACCOUNT,
    GH_ANOMALY_OF_CALLER, /* the account, or the network of nobody */
    GH_ANOMALY_OF_EVERYBODY,
};
enum gh_anomaly_action {
    GH_ANOMALY_OFF,
    GH_ANOMALY_LOG,
    GH_ANOMALY_SECOND_FACTOR,
    GH_ANOMALY_SLOW,
    GH_ANOMALY_BLOCK,
};

struct gh_anomaly_settings {
    enum gh_anomaly_action actions[GH_ANOMALY_RULE_COUNT];
    /* parameters stand here, each with its default in anomaly_settings.c */
};

/* What was found. Texts live until the next feed. */
struct gh_anomaly_finding {
    enum gh_anomaly_rule rule;
    struct gh_str account;  /* empty: none */
    struct gh_str network;  /* "192.0.2.0/24"; empty: none */
    struct gh_str evidence; /* a JSON object: counts, window, what is usual */
};
typedef void gh_anomaly_report(void *context, const struct gh_anomaly_finding *finding);

struct gh_anomaly; /* the state: bounded, forgets the oldest */

struct gh_anomaly *gh_anomaly_new(const struct gh_anomaly_settings *settings,
                                  struct gh_hash_key key);
void gh_anomaly_free(struct gh_anomaly *anomaly);
/* A record of the log, in clear and in order. Findings are reported once for each onset: again only
   after the rule was quiet for its window. */
void gh_anomaly_record(struct gh_anomaly *anomaly, const struct gh_audit_record *record,
                       gh_anomaly_report *report, void *context);
/* Requests of one caller that were counted since the last time. */
void gh_anomaly_traffic(struct gh_anomaly *anomaly, struct gh_str account, struct gh_str client,
                        uint64_t requests, uint64_t missing, uint64_t now_us,
                        gh_anomaly_report *report, void *context);

#endif
