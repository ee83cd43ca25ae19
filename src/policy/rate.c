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

/* The policies of one mode that a request is counted by, and what became of them. */
struct group {
    const struct gh_rate_policy *policies[GH_LIMIT_CHARGES_MAX];
    size_t indices[GH_LIMIT_CHARGES_MAX];
    struct gh_limit_charge charges[GH_LIMIT_CHARGES_MAX];
    struct gh_limit_decision decisions[GH_LIMIT_CHARGES_MAX];
    size_t count;
};

/* ---- Who is counted (the keys are rate_key.c's) ---- */

/* False: body or header can't be counted by in one way. */
static bool gather(const struct gh_request *request, const struct gh_rate_policy *policies,
                   enum gh_rate_point point, enum gh_mode mode, const struct gh_rate_body *body,
                   struct group *group)
{
    const struct gh_route *route = request->route;
    group->count = 0;
    for (size_t i = 0; i < route->rate_limit_count && group->count < GH_LIMIT_CHARGES_MAX; i++) {
        const struct gh_rate_policy *policy = &policies[route->rate_limits[i]];
        if (policy->mode != mode || policy->point != point)
            continue;
        group->policies[group->count] = policy;
        group->indices[group->count] = route->rate_limits[i];
        group->charges[group->count].rule = &policy->rule;
        if (!gh_rate_key_make(request, policy, body, gh_limit_table_key(request->limits),
                              &group->charges[group->count].key))
            return false;
        group->count++;
    }
    return true;
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
    gh_request_remove_extra(request, GH_STR("RateLimit")); /* of limits that admitted it */
    gh_request_remove_extra(request, GH_STR("RateLimit-Policy"));
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

/* One line of a name, however many groups have something to tell. */
static void tell_one(struct gh_request *request, struct gh_str name, struct gh_str value)
{
    for (size_t i = 0; i < request->extra_count; i++) {
        if (!gh_str_eq(request->extra[i].name, name))
            continue;
        const struct gh_str both[] = {request->extra[i].value, value};
        struct gh_str joined = gh_policy_join(request->arena, both, 2, GH_STR(", "));
        if (joined.ptr)
            request->extra[i].value = joined;
        return;
    }
    gh_request_add_extra(request, name, value);
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
    tell_one(request, GH_STR("RateLimit"), limit);
    tell_one(request, GH_STR("RateLimit-Policy"), policy);
}

/* ---- Here ---- */

/* Those that are enforced, and those that are observed, of one point. */
struct groups {
    struct group enforced, observed;
};

static struct gh_verdict note_observed(struct gh_request *request, const struct group *observed)
{
    for (size_t i = 0; i < observed->count; i++) {
        if (!observed->decisions[i].allowed)
            return gh_stage_refuse(request, GH_STAGE_RATE, GH_MODE_OBSERVE, GH_REASON_RATE_LIMITED);
    }
    return gh_verdict_next();
}

static void charge_observed(struct gh_request *request, struct group *observed)
{
    for (size_t i = 0; i < observed->count; i++)
        gh_limit_decide(request->limits, &observed->charges[i], 1, request->now_ms,
                        request->dry_run, &observed->decisions[i]);
}

static struct gh_verdict decide(struct gh_request *request, struct groups *groups)
{
    struct group *enforced = &groups->enforced;
    if (enforced->count && !gh_limit_decide(request->limits, enforced->charges, enforced->count,
                                            request->now_ms, request->dry_run, enforced->decisions))
        return refuse(request, enforced);
    tell(request, enforced);
    charge_observed(request, &groups->observed);
    return note_observed(request, &groups->observed);
}

/* ---- In common with other nodes ---- */

/* What is kept while the question is under way. */
struct asked {
    struct gh_limit_ask ask; /* first */
    struct groups groups;
};

/* What this process alone has admitted is known without asking: over that, nobody else need be
   asked. */
static bool is_refused_here(const struct gh_request *request, const struct group *enforced)
{
    struct gh_limit_decision decisions[GH_LIMIT_CHARGES_MAX];
    return enforced->count && !gh_limit_decide(request->limits, enforced->charges, enforced->count,
                                               request->now_ms, true, decisions);
}

static bool put_charges(const struct gh_request *request, struct gh_hash_key secret,
                        const struct group *group, const struct gh_rate_body *body,
                        struct gh_limit_ask *ask)
{
    for (size_t i = 0; i < group->count; i++) {
        struct gh_limit_charge *charge = &ask->charges[ask->count++];
        charge->rule = group->charges[i].rule;
        if (!gh_rate_key_make(request, group->policies[i], body, secret, &charge->key))
            return false;
    }
    return true;
}

/* False: there is nothing to ask, or nobody. */
static bool ask_shared(struct gh_request *request, const struct groups *groups,
                       const struct gh_rate_body *body)
{
    struct gh_limit_shared *shared = request->shared_limits;
    struct gh_hash_key secret;
    if (!shared || request->dry_run || !(groups->enforced.count + groups->observed.count) ||
        is_refused_here(request, &groups->enforced) || !shared->ops->ready(shared, &secret))
        return false;
    struct asked *asked = gh_arena_alloc(request->arena, sizeof(*asked));
    if (!asked)
        return false;
    asked->ask = (struct gh_limit_ask){.together = groups->enforced.count};
    if (!put_charges(request, secret, &groups->enforced, body, &asked->ask) ||
        !put_charges(request, secret, &groups->observed, body, &asked->ask))
        return false;
    asked->groups = *groups;
    request->limit_ask = &asked->ask;
    request->limits_known = false;
    request->ask = GH_ASK_LIMITS;
    return true;
}

/* What was admitted is charged here, too, so that this table is warm when it has to decide. */
static struct gh_verdict take_answer(struct gh_request *request, struct asked *asked)
{
    const struct gh_limit_ask *ask = &asked->ask;
    struct groups *groups = &asked->groups;
    struct group *enforced = &groups->enforced, *observed = &groups->observed;
    if (!ask->decided)
        return decide(request, groups);
    struct gh_limit_decision here[GH_LIMIT_CHARGES_MAX];
    if (ask->admitted && enforced->count)
        gh_limit_decide(request->limits, enforced->charges, enforced->count, request->now_ms, false,
                        here);
    memcpy(enforced->decisions, ask->decisions, enforced->count * sizeof(here[0]));
    if (!ask->admitted)
        return refuse(request, enforced);
    tell(request, enforced);
    charge_observed(request, observed);
    memcpy(observed->decisions, ask->decisions + enforced->count,
           observed->count * sizeof(here[0]));
    return note_observed(request, observed);
}

/* ---- The stage ---- */

/* False: body or header can't be counted by in one way. What is only observed does not mind. */
static bool gather_all(const struct gh_request *request, const struct gh_rate_policy *policies,
                       enum gh_rate_point point, const struct gh_rate_body *body,
                       struct groups *groups)
{
    groups->observed.count = 0;
    if (!gather(request, policies, point, GH_MODE_ENFORCE, body, &groups->enforced))
        return false;
    /* The service answers that itself, and says what is wrong. */
    if (groups->enforced.count && body->unreadable && request->target != GH_TARGET_SERVICE)
        return false;
    if (request->route->observed_rates >> point & 1 &&
        !gather(request, policies, point, GH_MODE_OBSERVE, body, &groups->observed))
        groups->observed.count = 0;
    return true;
}

struct gh_verdict gh_rate_judge(struct gh_request *request, const struct gh_rate_policy *policies,
                                enum gh_rate_point point)
{
    const struct gh_route *route = request->route;
    struct gh_rate_body body = {.unreadable = false};
    struct groups groups;
    if (!request->limits || !route || !(route->rate_points >> point & 1))
        return gh_verdict_next();
    if (request->limit_ask) {
        GH_ASSERT(request->limits_known);
        struct asked *asked = (struct asked *)request->limit_ask;
        request->limit_ask = NULL;
        return take_answer(request, asked);
    }
    if (point == GH_RATE_AT_BODY)
        gh_rate_body_read(request, &body);
    if (!gather_all(request, policies, point, &body, &groups))
        return gh_verdict_deny(point == GH_RATE_AT_BODY ? GH_REASON_BODY_UNREADABLE
                                                        : GH_REASON_HEADER_REPEATED);
    if (ask_shared(request, &groups, &body))
        return (struct gh_verdict){GH_VERDICT_ASK, GH_REASON_UNDECIDED};
    return decide(request, &groups);
}

struct gh_verdict gh_stage_rate(struct gh_request *request)
{
    return gh_rate_judge(request, gh_policy_rates(request->policy), GH_RATE_AT_HEAD);
}

struct gh_verdict gh_stage_rate_subject(struct gh_request *request)
{
    return gh_rate_judge(request, gh_policy_rates(request->policy), GH_RATE_AT_SUBJECT);
}

struct gh_verdict gh_stage_rate_body(struct gh_request *request)
{
    return gh_rate_judge(request, gh_policy_rates(request->policy), GH_RATE_AT_BODY);
}
