/* Sessions on their way to the client: in cookies, or in the body under the bearer transport. */
#include "api/endpoint.h"
#include "json/writer.h"

/* Six months without a visit, and a device is a new one. */
#define DEVICE_S (180ull * 24 * 3600)
/* What an answer says beside tokens and user. */
#define GRANT_FRAME_BYTES_MAX 256

static bool in_cookies(const struct gh_api_request *request)
{
    return request->call->identity->transport == GH_TRANSPORT_COOKIE;
}

/* False: the arena is full. */
static bool make_rules(struct gh_api_request *request, struct gh_session_cookie_rules *out_rules)
{
    const struct gh_identity_settings *settings = request->call->identity;
    *out_rules = (struct gh_session_cookie_rules){
        .plain = settings->plain_cookies,
        .same_site = settings->same_site,
        .auth_path =
            gh_arena_format(&request->call->arena, "%.*s/auth", GH_STR_ARG(settings->base_path)),
    };
    return out_rules->auth_path.ptr != NULL;
}

static bool add_cookie(struct gh_api_request *request, struct gh_str line)
{
    if (line.ptr)
        gh_api_add_field(request, GH_STR("Set-Cookie"), line);
    return line.ptr != NULL;
}

static bool set_cookie(struct gh_api_request *request, enum gh_session_cookie cookie,
                       struct gh_str value, uint64_t max_age_s)
{
    struct gh_session_cookie_rules rules;
    return make_rules(request, &rules) &&
           add_cookie(request, gh_session_cookie_set(&request->call->arena, &rules, cookie, value,
                                                     max_age_s));
}

void gh_api_clear_cookies(struct gh_api_request *request)
{
    static const enum gh_session_cookie COOKIES[] = {GH_COOKIE_ACCESS, GH_COOKIE_REFRESH};
    struct gh_session_cookie_rules rules;
    if (!in_cookies(request) || !make_rules(request, &rules))
        return;
    for (size_t i = 0; i < sizeof(COOKIES) / sizeof(COOKIES[0]); i++)
        add_cookie(request, gh_session_cookie_clear(&request->call->arena, &rules, COOKIES[i]));
}

static bool set_cookies(struct gh_api_request *request, const struct gh_session_grant *grant)
{
    bool set = true;
    if (in_cookies(request)) {
        set = set_cookie(request, GH_COOKIE_ACCESS, grant->access_token, grant->access_s);
        if (grant->refresh_token.ptr)
            set &= set_cookie(request, GH_COOKIE_REFRESH, grant->refresh_token, grant->refresh_s);
    }
    if (grant->device.ptr)
        set &= set_cookie(request, GH_COOKIE_DEVICE, grant->device, DEVICE_S);
    return set;
}

size_t gh_api_grant_bytes_max(const struct gh_session_grant *grant)
{
    return GRANT_FRAME_BYTES_MAX + grant->access_token.len + grant->refresh_token.len;
}

void gh_api_put_grant(struct gh_buf *json, struct gh_api_request *request,
                      const struct gh_session_grant *grant)
{
    if (!set_cookies(request, grant))
        json->overflow = true; /* all of a session, or none of it */
    if (!in_cookies(request)) {
        gh_json_put_member(json, GH_STR("access_token"), grant->access_token);
        if (grant->refresh_token.ptr)
            gh_json_put_member(json, GH_STR("refresh_token"), grant->refresh_token);
        gh_json_put_member(json, GH_STR("token_type"), GH_STR("Bearer"));
    }
    gh_json_put_member_u64(json, GH_STR("expires_in"), grant->access_s);
}

void gh_api_reply_grant(struct gh_api_request *request, const struct gh_session_grant *grant)
{
    struct gh_buf json = gh_api_buf(request, gh_api_grant_bytes_max(grant) +
                                                 gh_api_user_bytes_max(request, &grant->account));
    gh_buf_put_char(&json, '{');
    gh_api_put_grant(&json, request, grant);
    gh_json_put_name(&json, GH_STR("user"));
    gh_api_put_user(&json, request, &grant->account);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

struct gh_str gh_api_refresh_token(const struct gh_api_request *request)
{
    return in_cookies(request) ? request->call->refresh_cookie : request->body.refresh_token;
}
