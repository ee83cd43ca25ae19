/*
 * Before stage 13: networks and accounts that an anomaly rule has put under a sanction (docs/
 * anomaly.md). An account's holds for whoever speaks for it. A network's holds for strangers, and
 * for signing in; colleagues behind the same address who are signed in go on, and so do refreshing
 * and signing out.
 *
 * While there is no sanction, which is nearly always, this is one load.
 */
#include "policy/policy.h"

static struct gh_verdict refuse(struct gh_request *request, enum gh_reason reason,
                                uint64_t retry_after_s)
{
    struct gh_str retry = gh_arena_format(request->arena, "%llu",
                                          (unsigned long long)(retry_after_s ? retry_after_s : 1));
    if (retry.ptr)
        gh_request_add_extra(request, GH_STR("Retry-After"), retry);
    return gh_verdict_deny(reason);
}

/* What is the same for networks and accounts. */
static struct gh_verdict judge(struct gh_request *request, uint64_t whom,
                               const struct gh_sanction *sanction)
{
    uint64_t blocked_until_s = sanction->until_s[GH_SANCTION_BLOCK], wait_ms;
    if (blocked_until_s)
        return refuse(request, GH_REASON_ANOMALY_BLOCK, blocked_until_s - request->now_s);
    if (sanction->until_s[GH_SANCTION_SLOW] && !request->dry_run &&
        !gh_sanctions_pace(request->sanctions, whom, request->now_ms, &wait_ms))
        return refuse(request, GH_REASON_ANOMALY_SLOW, (wait_ms + 999) / 1000);
    return gh_verdict_next();
}

static bool is_open_endpoint(const struct gh_request *request)
{
    return request->target == GH_TARGET_SERVICE && request->route->access.kind == GH_ACCESS_PUBLIC;
}

/* Endpoints where secrets can be tried or accounts made have limits; refreshing and signing out,
   which go by a token of ours, have none. */
static bool is_sign_in(const struct gh_request *request)
{
    return is_open_endpoint(request) && request->route->sets_session &&
           request->route->rate_limit_count > 0;
}

static struct gh_verdict judge_network(struct gh_request *request)
{
    bool sign_in = is_sign_in(request);
    bool stranger = !request->signed_in && request->target == GH_TARGET_UPSTREAM &&
                    request->route->access.kind == GH_ACCESS_PUBLIC;
    if (!sign_in && !stranger)
        return gh_verdict_next();
    uint64_t whom = gh_sanctions_network(request->sanctions, &request->client);
    struct gh_sanction sanction = gh_sanctions_find(request->sanctions, whom, request->now_s);
    request->wants_second_factor = sign_in && sanction.until_s[GH_SANCTION_SECOND_FACTOR];
    return judge(request, whom, &sanction);
}

/* A code was given since; at what enrols and steps up one is on the way there. */
static bool has_stepped_up(const struct gh_request *request, const struct gh_sanction *sanction)
{
    const struct gh_subject *subject = &request->subject;
    return request->route->access.enrolling ||
           (subject->two_factor &&
            subject->authenticated_s >= sanction->since_s[GH_SANCTION_SECOND_FACTOR]);
}

static struct gh_verdict judge_account(struct gh_request *request)
{
    uint64_t whom = gh_sanctions_account(request->sanctions, request->subject.id);
    struct gh_sanction sanction = gh_sanctions_find(request->sanctions, whom, request->now_s);
    struct gh_verdict verdict = judge(request, whom, &sanction);
    if (verdict.kind != GH_VERDICT_NEXT || !sanction.until_s[GH_SANCTION_SECOND_FACTOR] ||
        has_stepped_up(request, &sanction))
        return verdict;
    gh_request_add_extra(request, GH_STR("WWW-Authenticate"),
                         request->policy->identity->challenge.two_factor);
    return gh_verdict_deny(GH_REASON_TWO_FACTOR_NEEDED);
}

struct gh_verdict gh_stage_sanction(struct gh_request *request)
{
    if (!request->sanctions || !request->policy->identity ||
        (request->target != GH_TARGET_UPSTREAM && request->target != GH_TARGET_SERVICE) ||
        !gh_sanctions_any(request->sanctions, request->now_s))
        return gh_verdict_next();
    struct gh_verdict verdict = judge_network(request);
    bool own = request->signed_in && !request->subject.issuer.len && !is_open_endpoint(request);
    return verdict.kind == GH_VERDICT_NEXT && own ? judge_account(request) : verdict;
}
