/* /account/sessions */
#include "identity/sessions.h"
#include "api/endpoint.h"
#include "json/writer.h"

/* All of a session but its device; and with it, the user agent as it is kept. */
#define SESSION_FRAME_BYTES_MAX 512
#define SESSION_BYTES_MAX                                                                          \
    (SESSION_FRAME_BYTES_MAX + GH_AUDIT_USER_AGENT_BYTES_MAX * GH_API_ESCAPED_BYTES_MAX)

static void put_session(struct gh_buf *json, const struct gh_session_view *session)
{
    gh_buf_put_char(json, '{');
    gh_json_put_member(json, GH_STR("id"), gh_id_str(&session->id));
    gh_json_put_member(json, GH_STR("device"), session->device);
    gh_json_put_member(json, GH_STR("ip_address"), session->ip);
    gh_json_put_member_bool(json, GH_STR("current"), session->current);
    gh_json_put_member_bool(json, GH_STR("two_factor"), session->two_factor);
    gh_json_put_member_bool(json, GH_STR("remember"), session->remember);
    gh_api_put_time(json, GH_STR("created_at"), session->created_us);
    gh_api_put_time(json, GH_STR("last_used_at"), session->last_used_us);
    gh_api_put_time(json, GH_STR("expires_at"), session->expires_us);
    gh_buf_put_char(json, '}');
}

void gh_api_sessions(struct gh_api_request *request)
{
    struct gh_session_view *sessions;
    size_t count = 0;
    if (!gh_api_is_ok(request, gh_sessions_list(&request->identity, &sessions, &count)))
        return;
    struct gh_buf json = gh_api_buf(request, (count + 1) * SESSION_BYTES_MAX);
    gh_buf_put(&json, GH_STR("{\"sessions\":["));
    for (size_t i = 0; i < count; i++) {
        if (i)
            gh_buf_put_char(&json, ',');
        put_session(&json, &sessions[i]);
    }
    gh_buf_put(&json, GH_STR("]}"));
    gh_api_reply_json(request, 200, &json);
}

void gh_api_sessions_end_others(struct gh_api_request *request)
{
    uint64_t count = 0;
    enum gh_identity_result result = gh_sessions_end_others(&request->identity, &count);
    gh_api_reply_ended(request, result, count);
}

/* False also when that can't be told. */
static bool has_ended(struct gh_api_request *request)
{
    struct gh_session_view *sessions;
    size_t count = 0;
    bool current = false;
    if (gh_sessions_list(&request->identity, &sessions, &count) != GH_IDENTITY_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        current |= sessions[i].current;
    return !current;
}

void gh_api_session_end(struct gh_api_request *request)
{
    enum gh_identity_result result =
        gh_session_end(&request->identity, gh_api_param(request, "id"));
    if (result == GH_IDENTITY_OK && has_ended(request)) /* the one that asks was meant */
        gh_api_clear_cookies(request);
    gh_api_reply_ended(request, result, 1);
}
