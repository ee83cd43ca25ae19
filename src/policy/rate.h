/* The rate stage (SPEC section 3, stage 9): named policies over limit/limit.h. */
#ifndef GH_POLICY_RATE_H
#define GH_POLICY_RATE_H

#include "policy/rate_body.h"
#include "policy/request.h"
#include "policy/settings.h"

enum gh_rate_key_kind {
    GH_RATE_KEY_CLIENT,
    GH_RATE_KEY_ROUTE,
    GH_RATE_KEY_HEADER,
    GH_RATE_KEY_USER,    /* anonymous callers: as CLIENT */
    GH_RATE_KEY_SESSION, /* callers without a session of ours: as USER */
    GH_RATE_KEY_BODY,    /* a member of the body; where it is missing: as CLIENT */
};

struct gh_rate_key {
    enum gh_rate_key_kind kind;
    struct gh_str name; /* of the header, in lower case; of the body's field */
};

/* The first point at which all keys of a policy are known; each point is a group that is looked
   at whole, then charged. */
enum gh_rate_point { GH_RATE_AT_HEAD, GH_RATE_AT_SUBJECT, GH_RATE_AT_BODY };

/* Parts of a key at the most. */
#define GH_RATE_KEYS_MAX 4

/* A compiled policy, frozen. */
struct gh_rate_policy {
    struct gh_str name;
    struct gh_limit_rule rule;
    enum gh_mode mode;
    const struct gh_rate_key *keys;
    size_t key_count;
    enum gh_rate_point point;
    uint64_t shape; /* hash of name and rule: the key of a changed policy is a new one */
    struct gh_str policy_field; /* "\"login\";q=5;w=60" */
    struct gh_str quoted_name;  /* "\"login\"": the name as JSON */
    struct gh_str detail;       /* "Rate limit exceeded: 5 requests per minute" */
};

/* Compiles settings->rate_limits in the order of the file; problems go to `load`. False when there
   was one, or without memory (*out_policies may then be partly made). Without identity nobody is
   signed in, which is warned of where it matters. */
bool gh_rate_compile(struct gh_config_load *load, const struct gh_config_map *settings,
                     bool identity, const struct gh_rate_policy **out_policies, size_t *out_count);

/* The compiled policies of a snapshot, in the order that gh_route.rate_limits counts in. Stands
   with struct gh_policy (policy_compile.c). */
const struct gh_rate_policy *gh_policy_rates(const struct gh_policy *policy);

/* The stage at one point, over given policies: what the stages do with those of request->policy.
   ASK: the question stands in request->limit_ask; with its answer the stage goes on, and where
   there was none it decides alone. */
struct gh_verdict gh_rate_judge(struct gh_request *request, const struct gh_rate_policy *policies,
                                enum gh_rate_point point);

/* The stage, one function for each point. IPv6 clients count by /64. On refusal it fills
   request->reply with the 429, its Retry-After, RateLimit, RateLimit-Policy and Cache-Control, and
   request->limited_by. */
struct gh_verdict gh_stage_rate(struct gh_request *request);
struct gh_verdict gh_stage_rate_subject(struct gh_request *request);
struct gh_verdict gh_stage_rate_body(struct gh_request *request);

/* ---- Keys (rate_key.c) ---- */

/* Whom `policy` counts the request for, hashed with the secret of whoever counts; `body` is looked
   at by keys that ask for it. False: it can be read in two ways. */
bool gh_rate_key_make(const struct gh_request *request, const struct gh_rate_policy *policy,
                      const struct gh_rate_body *body, struct gh_hash_key secret,
                      struct gh_hash128 *out_key);

#endif
