/*
 * Anomaly rules (SPEC section 5): explainable, each with its evidence. A function of the log and of
 * counts of traffic, with time as a parameter: whoever feeds it the same records gets the same
 * findings. docs/anomaly.md has each rule, its parameters, its precision and recall.
 *
 * Memory is fixed. What outsiders can fill (networks, addresses that fail) stands in tables under a
 * keyed hash that forget the idle and the harmless first.
 */
#ifndef GH_AUDIT_ANOMALY_H
#define GH_AUDIT_ANOMALY_H

#include "audit/record.h"
#include "base/hash.h"

/*
 * X(enumerator, "name", of what a finding speaks, on what an action is put, "meaning")
 *
 * Failures that strangers cause for an account never turn against its owner: actions on
 * brute_force and password_spraying are put on the networks that take part.
 */
#define GH_ANOMALY_RULES(X)                                                                        \
    X(CREDENTIAL_STUFFING, "credential_stuffing", NETWORK, NETWORK,                                \
      "many accounts fail from one network")                                                       \
    X(PASSWORD_SPRAYING, "password_spraying", EVERYBODY, NETWORK,                                  \
      "many accounts fail a few times each, far over the usual rate")                              \
    X(BRUTE_FORCE, "brute_force", ACCOUNT, NETWORK, "one account fails again and again")           \
    X(NEW_DEVICE, "new_device", ACCOUNT, ACCOUNT, "a sign-in from a device not seen before")       \
    X(REFRESH_REUSE, "refresh_reuse", ACCOUNT, ACCOUNT, "an old refresh token came again")         \
    X(ID_SCANNING, "id_scanning", CALLER, CALLER,                                                  \
      "one caller asks for many refused or missing ids")                                           \
    X(UNUSUAL_VOLUME, "unusual_volume", ACCOUNT, ACCOUNT,                                          \
      "far more requests than the caller's own history")                                           \
    X(EXPORT_SPREE, "export_spree", ACCOUNT, ACCOUNT, "many exports in a short time")

/*
 * X(enumerator, rule, "name", COUNT or DURATION (in seconds), default, "default as in the file",
 *   least, most, "meaning")
 */
#define GH_ANOMALY_CREDENTIAL_STUFFING_PARAMETERS(X)                                               \
    X(STUFFING_ACCOUNTS, CREDENTIAL_STUFFING, "accounts", COUNT, 15, "15", 2, 256,                 \
      "Accounts that failed from the network and have not signed in from there since.")            \
    X(STUFFING_SHARE, CREDENTIAL_STUFFING, "share", COUNT, 25, "25", 1, 100,                       \
      "And at least this percentage of all accounts that were tried from there.")                  \
    X(STUFFING_WINDOW, CREDENTIAL_STUFFING, "window", DURATION, 21600, "6h", 60, 172800,           \
      "How long a failure counts.")
#define GH_ANOMALY_PASSWORD_SPRAYING_PARAMETERS(X)                                                 \
    X(SPRAYING_ACCOUNTS, PASSWORD_SPRAYING, "accounts", COUNT, 30, "30", 2, 4096,                  \
      "Accounts that failed a few times each and have not signed in since.")                       \
    X(SPRAYING_FAILURES, PASSWORD_SPRAYING, "failures", COUNT, 5, "5", 1, 100,                     \
      "An account with more failures than this in the window is not sprayed.")                     \
    X(SPRAYING_FACTOR, PASSWORD_SPRAYING, "factor", COUNT, 3, "3", 1, 100,                         \
      "And at least so many times the most of this hour of the day in the last week.")             \
    X(SPRAYING_WINDOW, PASSWORD_SPRAYING, "window", DURATION, 3600, "1h", 60, 86400,               \
      "How long a failure counts.")
#define GH_ANOMALY_BRUTE_FORCE_PARAMETERS(X)                                                       \
    X(BRUTE_FAILURES, BRUTE_FORCE, "failures", COUNT, 20, "20", 2, 32,                             \
      "Failures of one account; a sign-in takes back those from its own network.")                 \
    X(BRUTE_WINDOW, BRUTE_FORCE, "window", DURATION, 86400, "1d", 60, 172800,                      \
      "How long a failure counts.")
#define GH_ANOMALY_NEW_DEVICE_PARAMETERS(X)                                                        \
    X(DEVICE_WINDOW, NEW_DEVICE, "window", DURATION, 3600, "1h", 1, 172800,                        \
      "One finding for each account in this time.")
#define GH_ANOMALY_REFRESH_REUSE_PARAMETERS(X)                                                     \
    X(REUSE_WINDOW, REFRESH_REUSE, "window", DURATION, 3600, "1h", 1, 172800,                      \
      "One finding for each account in this time.")
#define GH_ANOMALY_ID_SCANNING_PARAMETERS(X)                                                       \
    X(SCANNING_REFUSED, ID_SCANNING, "refused", COUNT, 30, "30", 2, 1000000,                       \
      "Requests for what is another's, refused here.")                                             \
    X(SCANNING_MISSING, ID_SCANNING, "missing", COUNT, 200, "200", 2, 1000000,                     \
      "Or answers 404 and 410 of an account.")                                                     \
    X(SCANNING_NOBODYS, ID_SCANNING, "missing_of_nobody", COUNT, 1000, "1000", 2, 1000000,         \
      "Or those of a network where nobody is signed in.")                                          \
    X(SCANNING_SHARE, ID_SCANNING, "share", COUNT, 50, "50", 1, 100,                               \
      "Missing ones count when they are at least this percentage of the caller's requests.")       \
    X(SCANNING_FACTOR, ID_SCANNING, "factor", COUNT, 4, "4", 1, 100,                               \
      "And at least so many times the most of the caller's earlier days.")                         \
    X(SCANNING_WINDOW, ID_SCANNING, "window", DURATION, 3600, "1h", 60, 86400,                     \
      "How long a request counts.")
#define GH_ANOMALY_UNUSUAL_VOLUME_PARAMETERS(X)                                                    \
    X(VOLUME_REQUESTS, UNUSUAL_VOLUME, "requests", COUNT, 2000, "2000", 2, 1000000000,             \
      "Requests of one account.")                                                                  \
    X(VOLUME_FACTOR, UNUSUAL_VOLUME, "factor", COUNT, 5, "5", 2, 1000,                             \
      "And at least so many times the most of its earlier days.")                                  \
    X(VOLUME_DAYS, UNUSUAL_VOLUME, "days", COUNT, 5, "5", 1, 34,                                   \
      "Earlier days with requests that it takes to know what is usual.")                           \
    X(VOLUME_WINDOW, UNUSUAL_VOLUME, "window", DURATION, 3600, "1h", 60, 86400,                    \
      "How long a request counts.")
#define GH_ANOMALY_EXPORT_SPREE_PARAMETERS(X)                                                      \
    X(EXPORTS, EXPORT_SPREE, "exports", COUNT, 15, "15", 2, 1000000, "Exports by one account.")    \
    X(EXPORT_FACTOR, EXPORT_SPREE, "factor", COUNT, 2, "2", 1, 100,                                \
      "And at least so many times the most of a day in the last five weeks.")                      \
    X(EXPORT_WINDOW, EXPORT_SPREE, "window", DURATION, 86400, "1d", 60, 172800,                    \
      "How long an export counts.")
#define GH_ANOMALY_PARAMETERS(X)                                                                   \
    GH_ANOMALY_CREDENTIAL_STUFFING_PARAMETERS(X)                                                   \
    GH_ANOMALY_PASSWORD_SPRAYING_PARAMETERS(X)                                                     \
    GH_ANOMALY_BRUTE_FORCE_PARAMETERS(X)                                                           \
    GH_ANOMALY_NEW_DEVICE_PARAMETERS(X)                                                            \
    GH_ANOMALY_REFRESH_REUSE_PARAMETERS(X)                                                         \
    GH_ANOMALY_ID_SCANNING_PARAMETERS(X)                                                           \
    GH_ANOMALY_UNUSUAL_VOLUME_PARAMETERS(X)                                                        \
    GH_ANOMALY_EXPORT_SPREE_PARAMETERS(X)

enum gh_anomaly_rule {
#define X(id, name, scope, target, meaning) GH_ANOMALY_##id,
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
enum gh_anomaly_parameter {
#define X(id, rule, name, unit, value, text, least, most, meaning) GH_ANOMALY_##id,
    GH_ANOMALY_PARAMETERS(X)
#undef X
        GH_ANOMALY_PARAMETER_COUNT
};

struct gh_anomaly_rule_facts {
    struct gh_str name;
    enum gh_anomaly_scope scope, target;
    struct gh_str meaning;
};
const struct gh_anomaly_rule_facts *gh_anomaly_rule_facts(enum gh_anomaly_rule rule);

/* A network is an address of IPv4 under 24 bits, of IPv6 under 56: what one customer has. */
#define GH_ANOMALY_V4_BITS 24
#define GH_ANOMALY_V6_BITS 56

struct gh_anomaly_settings {
    enum gh_anomaly_action actions[GH_ANOMALY_RULE_COUNT];
    uint64_t values[GH_ANOMALY_PARAMETER_COUNT]; /* DURATION: seconds */
};
/* All rules log, all parameters as in the table. */
void gh_anomaly_defaults(struct gh_anomaly_settings *out_settings);

/* What was found. Texts live until the next feed. */
struct gh_anomaly_finding {
    enum gh_anomaly_rule rule;
    /* False: what was found goes on, and this account or network takes part. For actions, which
       end by themselves; not for the log. */
    bool onset;
    uint64_t time_us;       /* of what was fed last */
    struct gh_str account;  /* empty: none */
    struct gh_str network;  /* "192.0.2.0/24"; empty: none */
    struct gh_str evidence; /* a JSON object: counts, window, what is usual; nothing personal */
};
typedef void gh_anomaly_report(void *context, const struct gh_anomaly_finding *finding);

struct gh_anomaly; /* the state: bounded, forgets the oldest */

/* How many of each can be told apart at a time. Full sizes are 4,096 networks, 16,384 accounts and
   16,384 addresses that fail: some 40 MB when all are in use. Zero: that. */
struct gh_anomaly_sizes {
    size_t networks, accounts, addresses;
};

/* NULL without memory. */
struct gh_anomaly *gh_anomaly_new(const struct gh_anomaly_settings *settings,
                                  struct gh_hash_key key, struct gh_anomaly_sizes sizes);
void gh_anomaly_free(struct gh_anomaly *anomaly); /* NULL is fine */
/* Other settings from now on. What was counted stays unless parameters are others. */
void gh_anomaly_set(struct gh_anomaly *anomaly, const struct gh_anomaly_settings *settings);
/*
 * A record of the log, in clear and in order. Findings are reported once for each onset: again only
 * after the rule was quiet for its window. What comes late, up to an hour, counts as now; a clock
 * that went back further begins anew.
 */
void gh_anomaly_record(struct gh_anomaly *anomaly, const struct gh_audit_record *record,
                       gh_anomaly_report *report, void *context);

/* Requests of one caller that were counted since the last time. */
struct gh_anomaly_requests {
    struct gh_str account; /* empty: nobody is signed in */
    struct gh_str client;  /* address */
    uint64_t requests;     /* all of them */
    uint64_t missing;      /* of these answered 404 or 410 */
    uint64_t now_us;
};
void gh_anomaly_traffic(struct gh_anomaly *anomaly, const struct gh_anomaly_requests *traffic,
                        gh_anomaly_report *report, void *context);

#endif
