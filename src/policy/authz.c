/*
 * Forward-auth: decisions for people who keep their proxy. The proxy asks about a request of its
 * own; from the facts it gives, a second request is made and judged by the same stages (host,
 * route, cross-site, who, access). Which facts there are and how they are read is authz_facts.c.
 *
 * Only listed peers are answered, and only by what they say in the one dialect of the endpoint that
 * they ask: what a client wrote into other fields means nothing. Everything unclear is 403.
 *
 * nginx takes 2xx, 401 and 403 and nothing else; Envoy allows by 200 alone; Traefik and Caddy pass
 * any other answer on to the client.
 */
#include "policy/policy.h"

/* ---- Is it asked? ---- */

/* With anything behind the path, too: a proxy whose configuration has a slash too many, or that
   asks about "OPTIONS *", must not be answered by some route. */
static enum gh_authz_dialect dialect_of(const struct gh_identity_rules *identity,
                                        struct gh_str path)
{
    for (unsigned i = GH_AUTHZ_NONE + 1; i < GH_AUTHZ_DIALECT_COUNT; i++) {
        if (gh_str_starts_with(path, identity->authz_routes[i].pattern))
            return (enum gh_authz_dialect)i;
    }
    return GH_AUTHZ_NONE;
}

static bool is_listed(const struct gh_identity_rules *identity, const struct gh_ip *ip)
{
    if (ip->family == GH_IP_NONE)
        return identity->authz_unix;
    return gh_trusted_proxies_contain(&identity->authz_peers, ip);
}

bool gh_authz_note(struct gh_request *request)
{
    const struct gh_identity_rules *identity = request->policy->identity;
    if (request->inner || request->peer->admin)
        return false;
    request->authz = dialect_of(identity, request->head->path);
    if (request->authz == GH_AUTHZ_NONE)
        return false;
    request->authz_listed = is_listed(identity, &request->peer->ip);
    request->path = identity->authz_routes[request->authz].pattern;
    return true;
}

bool gh_authz_owns_path(const struct gh_request *request)
{
    return dialect_of(request->policy->identity, request->path) != GH_AUTHZ_NONE;
}

/* ---- The request that is asked about ---- */

/* Envoy sends the request as it came, behind a prefix: its path is what follows, as it was sent. */
static bool read_facts(const struct gh_request *request, struct gh_authz_facts *out)
{
    const struct gh_request_head *head = request->head;
    if (request->authz != GH_AUTHZ_EXT_AUTHZ)
        return gh_authz_facts_read(request, out);
    struct gh_str path = gh_str_skip(head->path, request->path.len);
    *out = (struct gh_authz_facts){.method = head->method_text,
                                   .path = path.len ? path : GH_STR("/"),
                                   .query = head->query,
                                   .authority = head->authority,
                                   .https = request->https};
    return true;
}

/* NULL: the arena is full. */
static struct gh_request *make_inner(const struct gh_request *outer,
                                     const struct gh_authz_facts *facts)
{
    struct gh_request *inner = gh_arena_alloc(outer->arena, sizeof(*inner));
    struct gh_request_head *head = gh_arena_alloc(outer->arena, sizeof(*head));
    struct gh_peer *peer = gh_arena_alloc(outer->arena, sizeof(*peer));
    if (!inner || !head || !peer)
        return NULL;
    *head = *outer->head; /* the fields are the client's own, as the proxy passed them on */
    head->method_text = facts->method;
    head->method = gh_method_of(facts->method);
    head->path = facts->path;
    head->query = facts->query;
    head->authority = facts->authority;
    head->body = GH_BODY_NONE;
    head->upgrade_websocket = false;
    /* The certificate on the proxy's connection to us says nothing about the host asked for. */
    *peer = (struct gh_peer){.ip = outer->peer->ip, .tls_pair = -1};
    gh_request_init(inner);
    inner->policy = outer->policy;
    inner->arena = outer->arena;
    inner->head = head;
    inner->peer = peer;
    inner->now_ms = outer->now_ms;
    inner->now_s = outer->now_s;
    inner->gate = outer->gate;
    inner->sanctions = outer->sanctions;
    inner->gate_rules = outer->gate_rules;
    inner->dry_run = outer->dry_run;
    inner->inner = true;
    inner->from_trusted = outer->from_trusted;
    inner->client = outer->client;
    inner->request_id = outer->request_id;
    inner->traceparent = outer->traceparent;
    inner->https = facts->https;
    return inner;
}

/* What no backend behind us would be asked either. */
static bool is_refused_method(const struct gh_request_head *head)
{
    return !gh_is_token(head->method_text) || head->method == GH_METHOD_TRACE ||
           head->method == GH_METHOD_CONNECT;
}

/* The proxy hands the path on as it was sent, and the application may not read dot segments,
   doubled slashes or needless escapes as we do: only a path with one reading is judged. Normalising
   changes no letters but those of escapes, and all else that it changes makes the path shorter. */
static struct gh_verdict take_path(struct gh_request *inner)
{
    struct gh_verdict verdict = gh_stage_path(inner);
    if (verdict.kind == GH_VERDICT_NEXT && !gh_str_ieq(inner->path, inner->head->path))
        return gh_verdict_deny(GH_REASON_AUTHZ_FACTS);
    return verdict;
}

/* UNDECIDED: allowed. The redirect of a navigation is in inner->reply. */
static enum gh_reason judge(struct gh_request *inner)
{
    static const struct {
        enum gh_stage stage;
        struct gh_verdict (*run)(struct gh_request *request);
    } STAGES[] = {
        {GH_STAGE_PATH, take_path},
        {GH_STAGE_HOST, gh_stage_host},
        {GH_STAGE_ROUTE, gh_stage_route},
        {GH_STAGE_CROSS_SITE, gh_stage_cross_site},
        {GH_STAGE_IDENTIFY, gh_stage_identify},
        {GH_STAGE_ACCESS, gh_stage_sanction},
        {GH_STAGE_ACCESS, gh_stage_access},
    };
    if (is_refused_method(inner->head))
        return GH_REASON_AUTHZ_FACTS;
    for (size_t i = 0; i < sizeof(STAGES) / sizeof(STAGES[0]); i++) {
        inner->stage = STAGES[i].stage;
        struct gh_verdict verdict = STAGES[i].run(inner);
        if (verdict.kind != GH_VERDICT_NEXT)
            return verdict.reason;
    }
    return GH_REASON_UNDECIDED;
}

/* ---- The answer ---- */

static struct gh_verdict allow(struct gh_request *outer, const struct gh_request *inner)
{
    struct gh_identity_values values = {0};
    struct gh_reply *reply = &outer->reply;
    gh_reply_begin(reply, 200, GH_STR(""), GH_STR(""));
    outer->stage = GH_STAGE_ACCESS;
    if (!inner->signed_in) {
        /* Envoy puts what we send over what the client sent, and leaves the rest as it is; Caddy
           2.6 copies a field that is not there as the name of its own variable. */
        if (outer->authz == GH_AUTHZ_AUTH_REQUEST)
            return gh_verdict_respond(GH_REASON_BUILT_IN);
    } else if (!gh_identity_values_make(inner, &values)) {
        return gh_verdict_deny(GH_REASON_OVERLOADED);
    }
    gh_reply_add(reply, GH_STR("Remote-User"), values.user_id);
    gh_reply_add(reply, GH_STR("Remote-Groups"), values.roles);
    gh_reply_add(reply, GH_STR("Remote-Email"), values.email);
    gh_reply_add(reply, GH_STR("X-Auth-Request-User"), values.user_id);
    gh_reply_add(reply, GH_STR("X-Auth-Request-Groups"), values.roles);
    gh_reply_add(reply, GH_STR("X-Auth-Request-Email"), values.email);
    return gh_verdict_respond(GH_REASON_BUILT_IN);
}

/* Whatever a proxy is told, it must be one of the answers that it understands as a refusal. */
static unsigned status_for(enum gh_authz_dialect dialect, enum gh_reason reason)
{
    unsigned status = gh_reason_facts(reason)->status;
    if (reason == GH_REASON_LOGIN_REDIRECT)
        return dialect == GH_AUTHZ_AUTH_REQUEST ? 401 : status;
    if (dialect != GH_AUTHZ_AUTH_REQUEST && (status == 429 || status == 503))
        return status;
    return status == 401 ? 401 : 403;
}

static void copy_extras(struct gh_request *outer, const struct gh_request *inner)
{
    for (size_t i = 0; i < inner->extra_count; i++)
        if (!gh_str_eq(inner->extra[i].name, GH_STR("Allow"))) /* of a 405, which this is not */
            gh_request_add_extra(outer, inner->extra[i].name, inner->extra[i].value);
}

static struct gh_verdict refuse(struct gh_request *outer, struct gh_request *inner,
                                enum gh_reason reason)
{
    enum gh_authz_dialect dialect = outer->authz;
    unsigned status = status_for(dialect, reason);
    enum gh_reason told = reason;
    if (status == 303) {
        outer->reply = inner->reply;
        return gh_verdict_respond(reason);
    }
    if (reason == GH_REASON_LOGIN_REDIRECT) { /* to a proxy that may not be redirected */
        told = GH_REASON_NOT_SIGNED_IN;
        gh_request_add_extra(outer, GH_STR("WWW-Authenticate"),
                             outer->policy->identity->challenge.plain);
    }
    gh_reply_problem(outer, inner->stage, told, status);
    copy_extras(outer, inner);
    if (status == 401 && dialect == GH_AUTHZ_AUTH_REQUEST &&
        outer->policy->identity->login_url.len) {
        struct gh_str location = gh_login_location(inner);
        if (location.ptr)
            gh_reply_add(&outer->reply, GH_STR("Location"), location);
    }
    return gh_verdict_respond(told);
}

/* What the log says of it. */
static void note(struct gh_request *outer, const struct gh_request *inner)
{
    outer->signed_in = inner->signed_in;
    outer->subject = inner->subject;
    outer->credential_found = inner->credential_found;
    outer->credential = inner->credential;
    for (size_t i = 0; i < inner->observed_count && outer->observed_count < GH_STAGE_COUNT; i++) {
        outer->observed[outer->observed_count] = inner->observed[i];
        outer->observed_reason[outer->observed_count++] = inner->observed_reason[i];
    }
}

struct gh_verdict gh_authz_answer(struct gh_request *request)
{
    struct gh_authz_facts facts;
    request->route = &request->policy->identity->authz_routes[request->authz];
    if (!request->authz_listed)
        return gh_verdict_deny(GH_REASON_AUTHZ_PEER);
    if (!read_facts(request, &facts))
        return gh_verdict_deny(GH_REASON_AUTHZ_FACTS);
    struct gh_request *inner = make_inner(request, &facts);
    if (!inner)
        return gh_verdict_deny(GH_REASON_OVERLOADED);
    enum gh_reason reason = judge(inner);
    note(request, inner);
    if (reason == GH_REASON_UNDECIDED)
        return allow(request, inner);
    return refuse(request, inner, reason);
}
