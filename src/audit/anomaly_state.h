/* Inside of the anomaly rules: what is kept of networks, accounts and failing addresses. */
#ifndef GH_AUDIT_ANOMALY_STATE_H
#define GH_AUDIT_ANOMALY_STATE_H

#include "audit/anomaly.h"
#include "audit/anomaly_counts.h"
#include "audit/anomaly_table.h"
#include "base/ip.h"
#include "json/parse.h"

#define GH_ANOMALY_EVIDENCE_MAX 512

/* Accounts that failed from a network and have not signed in from there since. */
#define GH_ANOMALY_FAILED_MAX 256
/* Accounts that signed in are counted in a bitmap: at least so many as bits are set. */
#define GH_ANOMALY_BITMAP_WORDS 16

/* What is counted in windows that follow one another; asked for of this one and the last. */
struct gh_anomaly_turn {
    uint64_t signed_in[GH_ANOMALY_BITMAP_WORDS];
    uint32_t failures, unknown; /* unknown: of addresses that have no account */
};

struct gh_anomaly_network {
    struct gh_anomaly_slot slot;
    struct {
        uint32_t account, at_s; /* a hash; 0: free */
    } failed[GH_ANOMALY_FAILED_MAX];
    uint32_t turn; /* of turns[turn % 2] */
    struct gh_anomaly_turn turns[2];
    struct gh_anomaly_sums sums; /* of nobody */
    struct gh_anomaly_history missing, refused;
    uint32_t quiet_at_s[GH_ANOMALY_RULE_COUNT];
};

struct gh_anomaly_account {
    struct gh_anomaly_slot slot;
    struct gh_anomaly_instants failures;
    struct gh_anomaly_sums sums, volume, exports; /* each over the window of its rule */
    struct gh_anomaly_history missing, refused, requested, exported;
    uint32_t signed_up_s;
    uint32_t quiet_at_s[GH_ANOMALY_RULE_COUNT];
};

/* An account that fails, known or not; its failures of this window. */
struct gh_anomaly_address {
    struct gh_anomaly_slot slot;
    uint32_t step; /* of the last failure */
    uint32_t failures;
    bool counted; /* in spray.counts */
};

/* Failing accounts over all, by a sixtieth of the window in which they failed last. */
#define GH_ANOMALY_SPRAY_STEPS 60
#define GH_ANOMALY_HOURS       (8u * 24)
struct gh_anomaly_spray {
    uint32_t step; /* the newest */
    uint32_t counts[GH_ANOMALY_SPRAY_STEPS];
    uint32_t hour;                    /* the newest */
    uint32_t hours[GH_ANOMALY_HOURS]; /* the most of each, at hour modulo 192 */
    uint32_t quiet_at_s;
};

/* Who did what is looked at. */
struct gh_anomaly_event {
    const struct gh_audit_record *record;
    struct gh_str account; /* known; else empty */
    uint64_t account_key;  /* of the account, else of its address */
    struct gh_ip base;     /* of the network; GH_IP_NONE: no address */
    uint64_t network_key;
    uint64_t count;
    bool new_device;
};

struct gh_anomaly {
    struct gh_anomaly_settings settings;
    struct gh_hash_key key;
    struct gh_anomaly_table networks, accounts, addresses;
    struct gh_anomaly_spray spray;
    uint32_t now_s;
    uint64_t now_us;
    struct gh_arena scratch;
    char evidence[GH_ANOMALY_EVIDENCE_MAX];
    gh_anomaly_report *report; /* of this feed */
    void *report_context;
};

static inline uint32_t gh_anomaly_value(const struct gh_anomaly *anomaly,
                                        enum gh_anomaly_parameter parameter)
{
    return (uint32_t)anomaly->settings.values[parameter];
}

/* NULL: the event has no address. */
struct gh_anomaly_network *gh_anomaly_network_of(struct gh_anomaly *anomaly,
                                                 const struct gh_anomaly_event *event);
struct gh_anomaly_account *gh_anomaly_account_of(struct gh_anomaly *anomaly,
                                                 const struct gh_anomaly_event *event);
/* Short hashes for the sets; never 0. */
static inline uint32_t gh_anomaly_short(uint64_t key)
{
    return (uint32_t)(key >> 32) | 1;
}

/* What is reported, and how often: again only when it was quiet for the window. */
struct gh_anomaly_found {
    enum gh_anomaly_rule rule;
    uint32_t *quiet_at_s;
    uint32_t window_s;
    struct gh_str account;
    const struct gh_ip *base; /* NULL: no network */
};
/* A buffer for the evidence's members, and its end. */
struct gh_buf gh_anomaly_evidence(struct gh_anomaly *anomaly);
void gh_anomaly_found(struct gh_anomaly *anomaly, const struct gh_anomaly_found *found,
                      struct gh_buf *evidence);

/* anomaly_login.c: sign-ins. */
void gh_anomaly_login_failed(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event);
void gh_anomaly_login(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event);
void gh_anomaly_reused(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event);

/* anomaly_rules.c: what is done with accounts. */
struct gh_anomaly_amounts {
    uint64_t of[GH_ANOMALY_COUNTED_COUNT];
};
void gh_anomaly_scanned(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event,
                        const struct gh_anomaly_amounts *amounts);
void gh_anomaly_requested(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event,
                          uint64_t requests);
void gh_anomaly_exported(struct gh_anomaly *anomaly, const struct gh_anomaly_event *event);

#endif
