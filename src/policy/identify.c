/*
 * Stage 12: who is signed in. Finds the one credential of a request (our cookie, or a bearer token,
 * RFC 6750), has it judged by the gate, and refuses requests that must speak for somebody and do
 * not. What a caller may do is access.c's business.
 *
 * Where nobody need be signed in, a bad credential means the same as none: the caller is a
 * stranger, and nothing of the credential goes on.
 */
#include "policy/policy.h"

#include "http/cookie.h"

#define BEARER GH_STR("bearer")
/* What a stranger behind a prefix is counted by (SPEC stage 3). */
#define V4_BITS 32
#define V6_BITS 64
/* The budget of failed verifications is per minute (session/gate.h). */
#define BUDGET_RETRY_AFTER GH_STR("60")
/* Longer ones would make a Location that browsers and proxies refuse. */
#define RETURN_TO_BYTES_MAX 2048
#define RETURN_TO           GH_STR("return_to=")

/* ---- Finding it ---- */

struct credential {
    enum gh_credential_found found; /* JUDGED: to be judged */
    enum gh_credential kind;
    struct gh_str token;
    bool in_authorization; /* the Authorization field has a bearer token */
};

/* RFC 9110 section 11.6.2 has one space behind the scheme. Backends split at tabs too, and many at
   what is a blank in Latin-1: what any of them could take for a bearer token is one. */
static bool is_gap(char c)
{
    return c <= ' ' || (unsigned char)c >= 0x7f;
}

static struct gh_str skip_gap(struct gh_str text)
{
    while (text.len && is_gap(text.ptr[0]))
        text = gh_str_skip(text, 1);
    return text;
}

/* False: of another scheme. */
static bool read_bearer(struct gh_str value, struct gh_str *out_token)
{
    struct gh_str text = skip_gap(value), rest = gh_str_skip(text, BEARER.len);
    if (!gh_str_ieq(gh_str_first(text, BEARER.len), BEARER) || (rest.len && !is_gap(rest.ptr[0])))
        return false;
    *out_token = gh_str_trim_ows(skip_gap(rest));
    return true;
}

bool gh_is_bearer(struct gh_str value)
{
    struct gh_str token;
    return read_bearer(value, &token);
}

/* ABSENT when the field is of another scheme: it is the backend's. */
static enum gh_cookie_find find_bearer(const struct gh_fields *fields, struct gh_str *out_token)
{
    const struct gh_field *line = gh_fields_find(fields, GH_FIELD_AUTHORIZATION);
    bool several = line && gh_fields_find_next(fields, line), any = false;
    for (; line; line = gh_fields_find_next(fields, line))
        any |= read_bearer(line->value, out_token);
    if (!any)
        return GH_COOKIE_ABSENT;
    return several ? GH_COOKIE_AMBIGUOUS : GH_COOKIE_FOUND;
}

static void find_credential(const struct gh_request *request, struct credential *out)
{
    const struct gh_fields *fields = &request->head->fields;
    struct gh_str cookie = {0}, bearer = {0};
    enum gh_cookie_find in_cookie = GH_COOKIE_ABSENT;
    enum gh_cookie_find in_field = find_bearer(fields, &bearer);
    if (gh_fields_find(fields, GH_FIELD_COOKIE))
        in_cookie =
            gh_cookie_find(fields, request->policy->identity->cookies[GH_COOKIE_ACCESS], &cookie);
    *out = (struct credential){.found = GH_CREDENTIAL_JUDGED,
                               .in_authorization = in_field != GH_COOKIE_ABSENT};
    bool both = in_cookie == GH_COOKIE_FOUND && in_field == GH_COOKIE_FOUND;
    if (in_cookie == GH_COOKIE_AMBIGUOUS || in_field == GH_COOKIE_AMBIGUOUS ||
        (both && !gh_str_eq(cookie, bearer))) {
        out->found = GH_CREDENTIAL_AMBIGUOUS;
    } else if (in_cookie == GH_COOKIE_FOUND) {
        out->kind = GH_CREDENTIAL_COOKIE;
        out->token = cookie;
    } else if (in_field == GH_COOKIE_FOUND) {
        out->kind = GH_CREDENTIAL_BEARER;
        out->token = bearer;
    } else {
        out->found = GH_CREDENTIAL_NONE;
    }
}

/* ---- Judging it ---- */

/* The gate counts failures by it; which network it stands for need not come out again. */
static uint64_t client_hash(const struct gh_request *request)
{
    struct gh_ip network = gh_ip_mask(&request->client, V4_BITS, V6_BITS);
    return gh_hash64((struct gh_hash_key){(uint64_t)network.family, 0},
                     gh_str_of((const char *)network.bytes, sizeof(network.bytes)));
}

static enum gh_gate_status judge(struct gh_request *request, const struct credential *credential)
{
    if (!credential->token.len || credential->token.len > GH_JWT_BYTES_MAX)
        return GH_GATE_BAD;
    return gh_gate_judge(request->gate, request->arena, request->gate_rules, credential->kind,
                         credential->token, client_hash(request), request->now_s,
                         &request->subject);
}

/* A bearer token is the backend's business only when it is certainly none of ours: one that is
   revoked here could still verify there. */
static bool is_for_us(const struct gh_request *request)
{
    if (request->credential_found != GH_CREDENTIAL_JUDGED)
        return true;
    switch (request->credential) {
    case GH_GATE_OK:
        return !request->subject.issuer.len;
    case GH_GATE_BAD:
        return false;
    case GH_GATE_EXPIRED:
    case GH_GATE_REVOKED:
    case GH_GATE_BUDGET:
        break;
    }
    return true;
}

static void identify(struct gh_request *request)
{
    struct credential credential;
    find_credential(request, &credential);
    request->identified_s = request->now_s;
    request->credential_found = credential.found;
    if (credential.found == GH_CREDENTIAL_JUDGED) {
        if (request->gate && request->gate_rules &&
            !gh_gate_is_blind(request->gate, request->now_ms))
            request->credential = judge(request, &credential);
        else
            request->credential_found = GH_CREDENTIAL_UNCHECKED;
    }
    request->signed_in =
        request->credential_found == GH_CREDENTIAL_JUDGED && request->credential == GH_GATE_OK;
    request->own_authorization = credential.in_authorization && is_for_us(request);
}

/* ---- Refusing ---- */

static enum gh_reason reason_of_status(enum gh_gate_status status)
{
    switch (status) {
    case GH_GATE_OK: /* whoever is signed in is not refused here */
        break;
    case GH_GATE_BAD:
        return GH_REASON_CREDENTIAL_REFUSED;
    case GH_GATE_EXPIRED:
        return GH_REASON_CREDENTIAL_EXPIRED;
    case GH_GATE_REVOKED:
        return GH_REASON_CREDENTIAL_REVOKED;
    case GH_GATE_BUDGET:
        return GH_REASON_CREDENTIAL_BUDGET;
    }
    return GH_REASON_NOT_SIGNED_IN;
}

static enum gh_reason reason_of(const struct gh_request *request)
{
    switch (request->credential_found) {
    case GH_CREDENTIAL_NONE:
        break;
    case GH_CREDENTIAL_JUDGED:
        return reason_of_status(request->credential);
    case GH_CREDENTIAL_AMBIGUOUS:
        return GH_REASON_CREDENTIAL_AMBIGUOUS;
    case GH_CREDENTIAL_UNCHECKED:
        return GH_REASON_IDENTITY_UNAVAILABLE;
    }
    return GH_REASON_NOT_SIGNED_IN;
}

static struct gh_str challenge_of(const struct gh_identity_rules *identity, enum gh_reason reason)
{
    if (reason == GH_REASON_NOT_SIGNED_IN)
        return identity->challenge.plain;
    if (reason == GH_REASON_CREDENTIAL_AMBIGUOUS)
        return identity->challenge.ambiguous;
    return reason == GH_REASON_CREDENTIAL_EXPIRED ? identity->challenge.expired
                                                  : identity->challenge.invalid;
}

static bool has_only_value(const struct gh_fields *fields, enum gh_field_id id, struct gh_str value)
{
    const struct gh_field *line = gh_fields_find(fields, id);
    return line && !gh_fields_find_next(fields, line) && gh_str_eq(line->value, value);
}

/* A page that a person opens, not something that a script or a page fetches. */
static bool is_navigation(const struct gh_request *request)
{
    const struct gh_fields *fields = &request->head->fields;
    return request->head->method == GH_METHOD_GET &&
           has_only_value(fields, GH_FIELD_SEC_FETCH_MODE, GH_STR("navigate")) &&
           has_only_value(fields, GH_FIELD_SEC_FETCH_DEST, GH_STR("document"));
}

static bool is_unreserved(char c)
{
    char lower = gh_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~' || c == '/';
}

static void put_escaped(struct gh_buf *out, struct gh_str text)
{
    static const char DIGITS[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        const char escape[] = {'%', DIGITS[byte >> 4], DIGITS[byte & 15]};
        if (is_unreserved(text.ptr[i]))
            gh_buf_put_char(out, text.ptr[i]);
        else
            gh_buf_put(out, gh_str_of(escape, sizeof(escape)));
    }
}

/* A canonical path begins with one slash and not with two, so it never leads to another host. */
struct gh_str gh_login_location(const struct gh_request *request)
{
    struct gh_str url = request->policy->identity->login_url;
    struct gh_str path = request->path, query = request->query;
    size_t fragment = gh_str_find_char(url, '#');
    struct gh_str before = gh_str_first(url, fragment);
    if (path.len + query.len > RETURN_TO_BYTES_MAX)
        query = (struct gh_str){0};
    if (path.len > RETURN_TO_BYTES_MAX)
        path = GH_STR("/");
    size_t cap = url.len + RETURN_TO.len + 3 * (path.len + query.len + 1) + 1;
    char *memory = gh_arena_alloc(request->arena, cap);
    if (!memory)
        return (struct gh_str){0};
    struct gh_buf out = gh_buf_over(memory, cap);
    gh_buf_put(&out, before);
    gh_buf_put_char(&out, gh_str_find_char(before, '?') < before.len ? '&' : '?');
    gh_buf_put(&out, RETURN_TO);
    put_escaped(&out, path);
    if (query.ptr) {
        put_escaped(&out, GH_STR("?"));
        put_escaped(&out, query);
    }
    gh_buf_put(&out, gh_str_skip(url, fragment));
    return gh_buf_str(&out);
}

static struct gh_verdict redirect(struct gh_request *request)
{
    struct gh_str location = gh_login_location(request);
    if (!location.ptr)
        return gh_verdict_deny(GH_REASON_OVERLOADED);
    gh_reply_begin(&request->reply, gh_reason_facts(GH_REASON_LOGIN_REDIRECT)->status, GH_STR(""),
                   GH_STR(""));
    gh_reply_add(&request->reply, GH_STR("Location"), location);
    return gh_verdict_respond(GH_REASON_LOGIN_REDIRECT);
}

struct gh_verdict gh_sign_in_refuse(struct gh_request *request, enum gh_stage stage)
{
    const struct gh_identity_rules *identity = request->policy->identity;
    enum gh_mode mode = request->route->access.mode;
    enum gh_reason reason = reason_of(request);
    unsigned status = gh_reason_facts(reason)->status;
    if (mode != GH_MODE_ENFORCE)
        return gh_stage_refuse(request, stage, mode, reason);
    /* The login page itself is never sent to itself. */
    if (status == 401 && identity->login_url.len && is_navigation(request) &&
        !gh_str_eq(request->path, identity->login_path))
        return redirect(request);
    if (status == 401 || reason == GH_REASON_CREDENTIAL_AMBIGUOUS)
        gh_request_add_extra(request, GH_STR("WWW-Authenticate"), challenge_of(identity, reason));
    if (reason == GH_REASON_CREDENTIAL_BUDGET)
        gh_request_add_extra(request, GH_STR("Retry-After"), BUDGET_RETRY_AFTER);
    return gh_verdict_deny(reason);
}

/* ---- The stage ---- */

/* Endpoints that make a session are where somebody comes with an old one. */
static bool must_be_signed_in(const struct gh_request *request)
{
    const struct gh_route *route = request->route;
    return route->access.kind != GH_ACCESS_PUBLIC && route->access.mode != GH_MODE_OFF &&
           !route->sets_session;
}

struct gh_verdict gh_stage_identify(struct gh_request *request)
{
    if (!request->policy->identity ||
        (request->target != GH_TARGET_UPSTREAM && request->target != GH_TARGET_SERVICE))
        return gh_verdict_next();
    identify(request);
    if (request->signed_in || !must_be_signed_in(request))
        return gh_verdict_next();
    if (request->dry_run && request->credential_found == GH_CREDENTIAL_UNCHECKED)
        return gh_verdict_next(); /* explain has no keys, and says so */
    return gh_sign_in_refuse(request, GH_STAGE_IDENTIFY);
}
