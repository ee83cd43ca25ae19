/* The rate stage (SPEC section 3, stage 9): named policies over limit/limit.h. */
#ifndef GH_POLICY_RATE_H
#define GH_POLICY_RATE_H

#include "policy/request.h"
#include "policy/settings.h"

enum gh_rate_key_kind { GH_RATE_KEY_CLIENT, GH_RATE_KEY_ROUTE, GH_RATE_KEY_HEADER };

struct gh_rate_key {
    enum gh_rate_key_kind kind;
    struct gh_str header; /* lower case */
    enum gh_field_id header_id;
};

/* Parts of a key at the most. */
#define GH_RATE_KEYS_MAX 4

/* A compiled policy, frozen. */
struct gh_rate_policy {
    struct gh_str name;
    struct gh_limit_rule rule;
    enum gh_mode mode;
    const struct gh_rate_key *keys;
    size_t key_count;
    uint64_t shape; /* hash of name and rule: the key of a changed policy is a new one */
    struct gh_str policy_field; /* "\"login\";q=5;w=60" */
    struct gh_str quoted_name;  /* "\"login\"": the name as JSON */
    struct gh_str detail;       /* "Rate limit exceeded: 5 requests per minute" */
};

/* Compiles settings->rate_limits in the order of the file; problems go to `load`. False when there
   was one, or without memory (*out_policies may then be partly made). */
bool gh_rate_compile(struct gh_config_load *load, const struct gh_config_map *settings,
                     const struct gh_rate_policy **out_policies, size_t *out_count);

/* The compiled policies of a snapshot, in the order that gh_route.rate_limits counts in. Stands
   with struct gh_policy (policy_compile.c). */
const struct gh_rate_policy *gh_policy_rates(const struct gh_policy *policy);

/* The stage over given policies: what gh_stage_rate does with those of request->policy. */
struct gh_verdict gh_rate_judge(struct gh_request *request, const struct gh_rate_policy *policies);

/* The stage. IPv6 clients count by /64. On refusal it fills request->reply with the 429, its
   Retry-After, RateLimit, RateLimit-Policy and Cache-Control, and request->limited_by. */
struct gh_verdict gh_stage_rate(struct gh_request *request);

#endif
