/*
 * Stage 13: may the caller do this? By the access rule of the route (access_config.c). What is
 * refused for good (role, owner) is told before what the caller can mend (second factor, fresh), so
 * that nobody proves who he is for nothing; and the answer is the same whether or not the thing
 * asked for exists.
 *
 * A caller who must set up a second factor first counts as nobody but where he can do it.
 */
#include "policy/policy.h"

/* A token may have been issued by a node whose clock is ahead of ours. */
#define CLOCK_SKEW_S 60

static bool is_fresh(const struct gh_request *request)
{
    uint64_t then = request->subject.authenticated_s, now = request->now_s;
    uint64_t fresh_s = request->policy->identity->fresh_s;
    if (!then || then > now + CLOCK_SKEW_S)
        return false;
    return then >= now || now - then <= fresh_s;
}

/* Byte for byte: ids have one form. An id says who it is together with its issuer only: some let
   people choose theirs, which may be that of one of our accounts. */
static bool is_owner(const struct gh_request *request, const struct gh_access_rule *rule)
{
    const struct gh_str id = request->subject.id, param = rule->owner;
    if (!gh_str_eq(request->subject.issuer, rule->owner_issuer))
        return false;
    for (size_t i = 0; i < request->param_count; i++)
        if (gh_str_eq(request->params[i].name, param))
            return id.len && gh_str_eq(request->params[i].value, id);
    return false;
}

/* UNDECIDED: nothing speaks against it. */
static enum gh_reason judge(const struct gh_request *request, const struct gh_access_rule *rule)
{
    const struct gh_subject *subject = &request->subject;
    /* Another issuer's ids may be equal to those of our accounts, and its roles were not given
       here: they count for the backend, never for the accounts themselves. */
    if (subject->issuer.len && request->target == GH_TARGET_SERVICE)
        return GH_REASON_NO_ACCOUNT_HERE;
    if (subject->must_enrol && !rule->enrolling)
        return GH_REASON_ENROL_FIRST;
    if (rule->roles && !(subject->roles & rule->roles))
        return GH_REASON_ROLE_MISSING;
    if (rule->owner.len && !(subject->roles & rule->or_roles) && !is_owner(request, rule))
        return GH_REASON_NOT_OWNER;
    if (rule->two_factor && !subject->two_factor)
        return GH_REASON_TWO_FACTOR_NEEDED;
    if (rule->fresh && !is_fresh(request))
        return GH_REASON_FRESH_NEEDED;
    return GH_REASON_UNDECIDED;
}

/* What a client can do about it (RFC 9470 section 3). */
static void add_challenge(struct gh_request *request, enum gh_reason reason)
{
    const struct gh_identity_rules *identity = request->policy->identity;
    if (reason == GH_REASON_FRESH_NEEDED)
        gh_request_add_extra(request, GH_STR("WWW-Authenticate"), identity->challenge.fresh);
    if (reason == GH_REASON_TWO_FACTOR_NEEDED)
        gh_request_add_extra(request, GH_STR("WWW-Authenticate"), identity->challenge.two_factor);
}

static struct gh_verdict decide(struct gh_request *request, const struct gh_access_rule *rule)
{
    if (request->dry_run && request->credential_found == GH_CREDENTIAL_UNCHECKED)
        return gh_verdict_next();
    if (!request->signed_in) /* observed already */
        return rule->mode == GH_MODE_ENFORCE ? gh_sign_in_refuse(request, GH_STAGE_ACCESS)
                                             : gh_verdict_next();
    enum gh_reason reason = judge(request, rule);
    if (reason == GH_REASON_UNDECIDED)
        return gh_verdict_next();
    if (rule->mode == GH_MODE_ENFORCE)
        add_challenge(request, reason);
    return gh_stage_refuse(request, GH_STAGE_ACCESS, rule->mode, reason);
}

struct gh_verdict gh_stage_access(struct gh_request *request)
{
    if (!request->policy->identity ||
        (request->target != GH_TARGET_UPSTREAM && request->target != GH_TARGET_SERVICE))
        return gh_verdict_next();
    const struct gh_access_rule *rule = &request->route->access;
    struct gh_verdict verdict = gh_verdict_next();
    if (rule->kind != GH_ACCESS_PUBLIC && rule->mode != GH_MODE_OFF)
        verdict = decide(request, rule);
    /* A backend does not know that this session is none yet; the service does. */
    if (verdict.kind == GH_VERDICT_NEXT && request->target == GH_TARGET_UPSTREAM &&
        request->signed_in && request->subject.must_enrol)
        request->signed_in = false;
    return verdict;
}
