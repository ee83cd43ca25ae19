/*
 * Stage 9: counts the request against the policies of its route. Those that are enforced are looked
 * at together and charged only if all admit; observed ones are counted each for itself.
 *
 * Fields: draft-ietf-httpapi-ratelimit-headers (RateLimit, RateLimit-Policy); the problem type is
 * its quota-exceeded. 429 is RFC 6585 section 4.
 */
#include "policy/rate.h"

#include "base/assert.h"
#include "base/ip.h"
#include "http/problem.h"
#include "policy/policy.h"

/* What one policy takes in a field: its name has at most 64 bytes, its numbers at most 20. */
#define MEMBER_BYTES_MAX  128
#define PROBLEM_BYTES_MAX 2048

/* What a client that is one of many behind a prefix is counted by (SPEC stage 3). */
#define V4_BITS 32
#define V6_BITS 64

/* The policies of one mode that a request is counted by, and what became of them. */
struct group {
    const struct gh_rate_policy *policies[GH_LIMIT_CHARGES_MAX];
    size_t indices[GH_LIMIT_CHARGES_MAX];
    struct gh_limit_charge charges[GH_LIMIT_CHARGES_MAX];
    struct gh_limit_decision decisions[GH_LIMIT_CHARGES_MAX];
    size_t count;
};

/* ---- Keys ---- */

/* The first line of that name; an absent one counts as empty. */
static struct gh_str header_value(const struct gh_request *request, const struct gh_rate_key *key)
{
    const struct gh_fields *fields = &request->head->fields;
    if (key->header_id != GH_FIELD_OTHER)
        return gh_fields_value(fields, key->header_id);
    for (size_t i = 0; i < fields->count; i++) {
        if (!fields->items[i].dropped && gh_str_ieq(fields->items[i].name, key->header))
            return fields->items[i].value;
    }
    return GH_STR("");
}

static struct gh_hash128 key_part(const struct gh_request *request, const struct gh_rate_key *key,
                                  struct gh_hash_key secret)
{
    switch (key->kind) {
    case GH_RATE_KEY_CLIENT: {
        struct gh_ip network = gh_ip_mask(&request->client, V4_BITS, V6_BITS);
        struct gh_hash128 part = {(uint64_t)network.family, 0};
        if (network.family == GH_IP_V4)
            memcpy(&part.hi, network.bytes, V4_BITS / 8);
        else
            memcpy(&part.hi, network.bytes, V6_BITS / 8);
        return part;
    }
    case GH_RATE_KEY_ROUTE:
        return gh_hash128(secret, request->route->pattern);
    case GH_RATE_KEY_HEADER:
        return gh_hash128(secret, header_value(request, key));
    }
    return (struct gh_hash128){0, 0};
}

/* Policy and source in one: each part has a fixed length, and the shape says what they are. */
static struct gh_hash128 make_key(const struct gh_request *request,
                                  const struct gh_rate_policy *policy)
{
    struct gh_hash_key secret = gh_limit_table_key(request->limits);
    uint64_t words[1 + 2 * GH_RATE_KEYS_MAX];
    size_t count = 0;
    words[count++] = policy->shape;
    for (size_t i = 0; i < policy->key_count; i++) {
        struct gh_hash128 part = key_part(request, &policy->keys[i], secret);
        words[count++] = part.lo;
        words[count++] = part.hi;
    }
    return gh_hash128(secret, gh_str_of((const char *)words, count * sizeof(words[0])));
}

static void gather(const struct gh_request *request, const struct gh_rate_policy *policies,
                   enum gh_mode mode, struct group *group)
{
    const struct gh_route *route = request->route;
    group->count = 0;
    for (size_t i = 0; i < route->rate_limit_count && group->count < GH_LIMIT_CHARGES_MAX; i++) {
        const struct gh_rate_policy *policy = &policies[route->rate_limits[i]];
        if (policy->mode != mode)
            continue;
        group->policies[group->count] = policy;
        group->indices[group->count] = route->rate_limits[i];
        group->charges[group->count].rule = &policy->rule;
        group->charges[group->count].key = make_key(request, policy);
        group->count++;
    }
}

/* ---- Answers ---- */

static uint64_t seconds_rounded_up(uint64_t ms)
{
    return (ms + 999) / 1000;
}

/* What the caller is told of one policy. */
static bool is_told(const struct group *group, size_t i, bool refused)
{
    if (refused)
        return !group->decisions[i].allowed;
    /* A burst comes back in parts of a second: nothing to plan by. */
    return group->policies[i]->rule.kind == GH_LIMIT_EXACT;
}

/* The two fields; an empty *out_limit: nothing to tell, or no memory. */
static void write_fields(struct gh_arena *arena, const struct group *group, bool refused,
                         struct gh_str *out_limit, struct gh_str *out_policy)
{
    const size_t bytes_max = group->count * MEMBER_BYTES_MAX;
    char *limit_memory = gh_arena_alloc(arena, bytes_max);
    char *policy_memory = gh_arena_alloc(arena, bytes_max);
    *out_limit = *out_policy = GH_STR("");
    if (!limit_memory || !policy_memory)
        return;
    struct gh_buf limit = gh_buf_over(limit_memory, bytes_max);
    struct gh_buf policy = gh_buf_over(policy_memory, bytes_max);
    for (size_t i = 0; i < group->count; i++) {
        if (!is_told(group, i, refused))
            continue;
        const struct gh_limit_decision *decision = &group->decisions[i];
        uint64_t wait_ms = refused ? decision->retry_after_ms : decision->reset_ms;
        gh_buf_put(&limit, limit.len ? GH_STR(", ") : GH_STR(""));
        gh_buf_put(&limit, group->policies[i]->quoted_name);
        gh_buf_put(&limit, GH_STR(";r="));
        gh_buf_put_u64(&limit, refused ? 0 : decision->remaining);
        gh_buf_put(&limit, GH_STR(";t="));
        gh_buf_put_u64(&limit, seconds_rounded_up(wait_ms));
        gh_buf_put(&policy, policy.len ? GH_STR(", ") : GH_STR(""));
        gh_buf_put(&policy, group->policies[i]->policy_field);
    }
    GH_ASSERT(!limit.overflow && !policy.overflow);
    *out_limit = gh_buf_str(&limit);
    *out_policy = gh_buf_str(&policy);
}

static struct gh_str write_problem(struct gh_request *request, const struct group *group,
                                   const struct gh_rate_policy *worst)
{
    const struct gh_reason_facts *facts = gh_reason_facts(GH_REASON_RATE_LIMITED);
    char extra_memory[GH_LIMIT_CHARGES_MAX * MEMBER_BYTES_MAX];
    struct gh_buf extra = gh_buf_over(extra_memory, sizeof(extra_memory));
    char *memory = gh_arena_alloc(request->arena, PROBLEM_BYTES_MAX);
    if (!memory)
        return GH_STR(""); /* the status and the fields have to do */
    bool first = true;
    gh_buf_put(&extra, GH_STR("\"violated-policies\":["));
    for (size_t i = 0; i < group->count; i++) {
        if (group->decisions[i].allowed)
            continue;
        gh_buf_put(&extra, first ? GH_STR("") : GH_STR(","));
        gh_buf_put(&extra, group->policies[i]->quoted_name);
        first = false;
    }
    gh_buf_put(&extra, GH_STR("]"));
    struct gh_buf body = gh_buf_over(memory, PROBLEM_BYTES_MAX);
    const struct gh_problem problem = {
        .status = facts->status,
        .type = facts->problem_type,
        .detail = worst->detail,
        .request_id = request->request_id,
        .extra = gh_buf_str(&extra),
    };
    gh_problem_write(&body, &problem);
    return body.overflow ? GH_STR("") : gh_buf_str(&body);
}

/* The refusing policy that holds longest: what the caller is told to wait for. */
static size_t find_worst(const struct group *group)
{
    size_t worst = 0;
    for (size_t i = 1; i < group->count; i++) {
        if (!group->decisions[i].allowed &&
            (group->decisions[worst].allowed ||
             group->decisions[i].retry_after_ms > group->decisions[worst].retry_after_ms))
            worst = i;
    }
    return worst;
}

static struct gh_verdict refuse(struct gh_request *request, const struct group *group)
{
    size_t worst = find_worst(group);
    request->limited_by = group->indices[worst];
    if (request->target == GH_TARGET_CSP_REPORT)
        return gh_verdict_deny(GH_REASON_RATE_LIMITED); /* answered 204 whatever becomes of it */
    uint64_t retry_s = seconds_rounded_up(group->decisions[worst].retry_after_ms);
    struct gh_str limit, policy;
    write_fields(request->arena, group, true, &limit, &policy);
    gh_reply_begin(&request->reply, gh_reason_facts(GH_REASON_RATE_LIMITED)->status,
                   GH_STR(GH_PROBLEM_CONTENT_TYPE),
                   write_problem(request, group, group->policies[worst]));
    struct gh_str retry =
        gh_arena_format(request->arena, "%llu", (unsigned long long)(retry_s ? retry_s : 1));
    if (retry.ptr)
        gh_reply_add(&request->reply, GH_STR("Retry-After"), retry);
    if (limit.len) {
        gh_reply_add(&request->reply, GH_STR("RateLimit"), limit);
        gh_reply_add(&request->reply, GH_STR("RateLimit-Policy"), policy);
    }
    return gh_verdict_respond(GH_REASON_RATE_LIMITED);
}

static void tell(struct gh_request *request, const struct group *group)
{
    struct gh_str limit, policy;
    bool any = false;
    for (size_t i = 0; i < group->count; i++)
        any |= is_told(group, i, false);
    if (!any)
        return;
    write_fields(request->arena, group, false, &limit, &policy);
    if (!limit.len)
        return;
    gh_request_add_extra(request, GH_STR("RateLimit"), limit);
    gh_request_add_extra(request, GH_STR("RateLimit-Policy"), policy);
}

/* ---- The stage ---- */

static void observe(struct gh_request *request, const struct gh_rate_policy *policies)
{
    struct group group;
    bool refused = false;
    gather(request, policies, GH_MODE_OBSERVE, &group);
    for (size_t i = 0; i < group.count; i++)
        refused |= !gh_limit_decide(request->limits, &group.charges[i], 1, request->now_ms,
                                    request->dry_run, &group.decisions[i]);
    if (refused)
        gh_stage_refuse(request, GH_STAGE_RATE, GH_MODE_OBSERVE, GH_REASON_RATE_LIMITED);
}

struct gh_verdict gh_rate_judge(struct gh_request *request, const struct gh_rate_policy *policies)
{
    struct group group;
    if (!request->limits || !request->route || !request->route->rate_limit_count)
        return gh_verdict_next();
    gather(request, policies, GH_MODE_ENFORCE, &group);
    if (group.count && !gh_limit_decide(request->limits, group.charges, group.count,
                                        request->now_ms, request->dry_run, group.decisions))
        return refuse(request, &group);
    tell(request, &group);
    if (group.count < request->route->rate_limit_count)
        observe(request, policies);
    return gh_verdict_next();
}

struct gh_verdict gh_stage_rate(struct gh_request *request)
{
    return gh_rate_judge(request, gh_policy_rates(request->policy));
}
