#include "gateway/service_call_fill.h"

#include "base/assert.h"
#include "http/cookie.h"
#include "net/loop.h"
#include "policy/policy.h" /* for public_base, which settings.h does not give away yet */
#include "session/cookies.h"

/* Throttles count IPv6 clients by their /64 (SPEC section 3, stage 3). */
#define NETWORK_BITS_V6 64
#define ADDRESS_BYTES   64

/* Copies, and remembers when one failed. Absent (ptr NULL) stays absent. */
struct copier {
    struct gh_arena *arena;
    bool failed;
};

static struct gh_str copy(struct copier *copier, struct gh_str text)
{
    if (!text.ptr)
        return text;
    struct gh_str made = gh_arena_dup(copier->arena, text);
    copier->failed |= !made.ptr;
    return made;
}

/* The only line with that name. Two of them say nothing. */
static struct gh_str single(const struct gh_fields *fields, enum gh_field_id id)
{
    const struct gh_field *line = gh_fields_find(fields, id);
    if (!line || gh_fields_find_next(fields, line))
        return GH_STR("");
    return line->value;
}

struct gh_str gh_service_user_agent(const struct gh_fields *fields)
{
    struct gh_str found = GH_STR("");
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->items[i].dropped || !gh_str_ieq(fields->items[i].name, GH_STR("user-agent")))
            continue;
        if (found.len)
            return GH_STR("");
        found = fields->items[i].value;
    }
    return found;
}

static struct gh_str cookie(const struct gh_request *request, enum gh_session_cookie which,
                            bool plain)
{
    struct gh_str value = {0};
    if (gh_cookie_find(&request->head->fields, gh_session_cookie_name(which, plain), &value) !=
        GH_COOKIE_FOUND)
        return (struct gh_str){0};
    return value;
}

static struct gh_str address_text(struct copier *copier, const struct gh_ip *ip, bool network)
{
    char memory[ADDRESS_BYTES];
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    gh_ip_write(&text, ip);
    if (network && ip->family == GH_IP_V6)
        gh_buf_format(&text, "/%d", NETWORK_BITS_V6);
    GH_ASSERT(!text.overflow);
    return copy(copier, gh_buf_str(&text));
}

static void fill_client(struct gh_service_call *call, struct copier *copier,
                        const struct gh_request *request)
{
    struct gh_ip network = gh_ip_mask(&request->client, 32, NETWORK_BITS_V6);
    call->client = address_text(copier, &request->client, false);
    call->network = address_text(copier, &network, true);
    call->user_agent = copy(copier, gh_service_user_agent(&request->head->fields));
    call->request_id = copy(copier, request->request_id);
    call->https = request->https;
    call->wants_second_factor = request->wants_second_factor;
}

/* As the client sees us: links in mails lead there. */
static struct gh_str base_url(struct copier *copier, const struct gh_request *request)
{
    struct gh_str configured = request->policy->https.public_base;
    const struct gh_authority *authority = &request->authority;
    const char *scheme = request->https ? "https" : "http";
    if (configured.len)
        return copy(copier, configured);
    struct gh_str url =
        authority->port
            ? gh_arena_format(copier->arena, "%s://%.*s:%u", scheme, GH_STR_ARG(authority->host),
                              authority->port)
            : gh_arena_format(copier->arena, "%s://%.*s", scheme, GH_STR_ARG(authority->host));
    copier->failed |= !url.ptr;
    return url;
}

static void fill_message(struct gh_service_call *call, struct copier *copier,
                         const struct gh_request *request, bool plain_cookies)
{
    for (size_t i = 0; i < request->param_count; i++) {
        call->params[i].name = copy(copier, request->params[i].name);
        call->params[i].value = copy(copier, request->params[i].value);
    }
    call->param_count = request->param_count;
    call->endpoint = request->endpoint;
    call->query = copy(copier, request->query);
    call->content_type = copy(copier, single(&request->head->fields, GH_FIELD_CONTENT_TYPE));
    call->body = request->body_known ? copy(copier, request->body) : GH_STR("");
    call->refresh_cookie = copy(copier, cookie(request, GH_COOKIE_REFRESH, plain_cookies));
    call->device_cookie = copy(copier, cookie(request, GH_COOKIE_DEVICE, plain_cookies));
}

static void fill_subject(struct gh_service_call *call, struct copier *copier,
                         const struct gh_request *request)
{
    call->signed_in = request->signed_in;
    if (!request->signed_in)
        return;
    call->subject = request->subject;
    call->subject.id = copy(copier, request->subject.id);
    call->subject.session_id = copy(copier, request->subject.session_id);
    call->subject.email = copy(copier, request->subject.email);
    call->subject.issuer = copy(copier, request->subject.issuer);
}

enum gh_err gh_service_call_fill(struct gh_service_call *call, const struct gh_request *request,
                                 const struct gh_snapshot *snapshot)
{
    struct copier copier = {.arena = &call->arena};
    fill_message(call, &copier, request, snapshot->plain_cookies);
    fill_client(call, &copier, request);
    fill_subject(call, &copier, request);
    call->base_url = base_url(&copier, request);
    call->identity = snapshot->identity;
    call->now_us = gh_wall_now_us();
    /* What a handler that answers nothing has said: our bug, and never a success. */
    call->reply.status = 500;
    return copier.failed ? GH_ERR_MEMORY : GH_OK;
}

enum gh_err gh_service_reply_copy(struct gh_request *request, const struct gh_reply *reply)
{
    struct copier copier = {.arena = request->arena};
    GH_ASSERT(reply->field_count <= GH_REPLY_FIELDS_MAX);
    request->reply.status = reply->status;
    request->reply.field_count = reply->field_count;
    for (size_t i = 0; i < reply->field_count; i++) {
        request->reply.fields[i] = reply->fields[i];
        request->reply.fields[i].name = copy(&copier, reply->fields[i].name);
        request->reply.fields[i].value = copy(&copier, reply->fields[i].value);
    }
    request->reply.body = reply->body.ptr ? copy(&copier, reply->body) : GH_STR("");
    return copier.failed ? GH_ERR_MEMORY : GH_OK;
}
