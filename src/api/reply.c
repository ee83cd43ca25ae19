/* How answers are written. */
#include "api/endpoint.h"

#include "base/assert.h"
#include "http/problem.h"
#include "json/writer.h"

#define PROBLEM_BYTES_MAX 8192
#define MESSAGE_BYTES_MAX 512
/* Of a user: all but texts. */
#define USER_FRAME_BYTES_MAX 512

struct gh_buf gh_api_buf(struct gh_api_request *request, size_t bytes)
{
    char *memory = gh_arena_alloc(&request->call->arena, bytes);
    return gh_buf_over(memory, memory ? bytes : 0);
}

void gh_api_add_field(struct gh_api_request *request, struct gh_str name, struct gh_str value)
{
    struct gh_reply *reply = &request->call->reply;
    GH_ASSERT(reply->field_count < GH_REPLY_FIELDS_MAX);
    reply->fields[reply->field_count++] =
        (struct gh_field){.name = name, .value = value, .id = gh_field_id_of(name)};
}

static bool has_field(const struct gh_reply *reply, enum gh_field_id id)
{
    for (size_t i = 0; i < reply->field_count; i++)
        if (reply->fields[i].id == id)
            return true;
    return false;
}

/* Keeps fields that were added before (cookies). What is said to one caller is kept by nobody,
   whatever preset of headers the routes have; who means it otherwise says so first. */
static void set_body(struct gh_api_request *request, unsigned status, struct gh_str content_type,
                     struct gh_str body)
{
    struct gh_reply *reply = &request->call->reply;
    reply->status = status;
    reply->body = body;
    gh_api_add_field(request, GH_STR("Content-Type"), content_type);
    if (!has_field(reply, GH_FIELD_CACHE_CONTROL))
        gh_api_add_field(request, GH_STR("Cache-Control"), GH_STR("no-store"));
}

void gh_api_reply_text(struct gh_api_request *request, unsigned status, struct gh_str json)
{
    set_body(request, status, GH_STR("application/json"), json);
}

void gh_api_reply_json(struct gh_api_request *request, unsigned status, const struct gh_buf *json)
{
    if (!json->overflow) {
        gh_api_reply_text(request, status, gh_buf_str(json));
        return;
    }
    request->call->reply.field_count = 0;
    gh_api_reply_problem(request, 500, GH_STR("The answer could not be made."));
}

void gh_api_reply_problem_with(struct gh_api_request *request, unsigned status,
                               struct gh_str detail, struct gh_str members)
{
    struct gh_buf body = gh_api_buf(request, PROBLEM_BYTES_MAX + members.len);
    const struct gh_problem problem = {
        .status = status,
        .detail = detail,
        .request_id = request->call->request_id,
        .extra = members,
    };
    gh_problem_write(&body, &problem);
    set_body(request, status, GH_STR(GH_PROBLEM_CONTENT_TYPE),
             body.overflow ? GH_STR("{}") : gh_buf_str(&body));
}

void gh_api_reply_problem(struct gh_api_request *request, unsigned status, struct gh_str detail)
{
    gh_api_reply_problem_with(request, status, detail, GH_STR(""));
}

void gh_api_reply_message(struct gh_api_request *request, enum gh_identity_result result,
                          struct gh_str text)
{
    if (!gh_api_is_ok(request, result))
        return;
    struct gh_buf json = gh_api_buf(request, MESSAGE_BYTES_MAX);
    gh_buf_put_char(&json, '{');
    gh_json_put_member(&json, GH_STR("message"), text);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

void gh_api_reply_user(struct gh_api_request *request, enum gh_identity_result result,
                       const struct gh_account_view *user)
{
    if (!gh_api_is_ok(request, result))
        return;
    struct gh_buf json = gh_api_buf(request, gh_api_user_bytes_max(request, user));
    gh_api_put_user(&json, request, user);
    gh_api_reply_json(request, 200, &json);
}

void gh_api_reply_ended(struct gh_api_request *request, enum gh_identity_result result,
                        uint64_t count)
{
    if (!gh_api_is_ok(request, result))
        return;
    struct gh_buf json = gh_api_buf(request, MESSAGE_BYTES_MAX);
    gh_buf_put_char(&json, '{');
    gh_json_put_member_u64(&json, GH_STR("ended"), count);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

/* ---- Results that are not OK ---- */

static void reply_throttled(struct gh_api_request *request)
{
    unsigned long long seconds = request->identity.retry_after_s;
    struct gh_arena *arena = &request->call->arena;
    struct gh_str wait = gh_arena_format(arena, "%llu", seconds ? seconds : 1);
    struct gh_str detail =
        gh_arena_format(arena, "Rate limit exceeded: try again in %llu s", seconds ? seconds : 1);
    if (wait.ptr)
        gh_api_add_field(request, GH_STR("Retry-After"), wait);
    gh_api_reply_problem(request, 429, detail.ptr ? detail : GH_STR("Rate limit exceeded"));
}

static struct gh_str why(const struct gh_api_request *request, const char *otherwise)
{
    return gh_str_from_c(request->identity.why ? request->identity.why : otherwise);
}

/* Where one has to be signed in, a wrong password is no reason to be told to sign in; where anyone
   may come, whoever still has a session gets the answer of all. */
static bool confirms_caller(const struct gh_api_request *request)
{
    size_t count;
    const struct gh_service_endpoint *endpoints = gh_api_endpoints(&count);
    return endpoints[request->call->endpoint].access.kind != GH_ACCESS_PUBLIC;
}

static void reply_refused(struct gh_api_request *request, enum gh_identity_result result)
{
    switch (result) {
    case GH_IDENTITY_OK:
        return;
    case GH_IDENTITY_BAD_CREDENTIALS:
        gh_api_reply_problem(request, confirms_caller(request) ? 403 : 401,
                             confirms_caller(request) ? GH_STR("The password is not right.")
                                                      : GH_STR("Invalid email or password"));
        return;
    case GH_IDENTITY_BAD_CODE:
        gh_api_reply_problem(request, confirms_caller(request) ? 403 : 401,
                             GH_STR("The code is not right, or was used already."));
        return;
    case GH_IDENTITY_THROTTLED:
        reply_throttled(request);
        return;
    case GH_IDENTITY_BAD_TOKEN:
        gh_api_reply_problem(request, 400,
                             GH_STR("This link or challenge is not valid any more. Start again."));
        return;
    case GH_IDENTITY_SESSION_ENDED:
    case GH_IDENTITY_SESSION_REUSED:
        gh_api_clear_cookies(request);
        gh_api_reply_problem(request, 401, GH_STR("The session has ended. Sign in again."));
        return;
    case GH_IDENTITY_EMAIL_TAKEN:
        gh_api_reply_problem(request, 409, GH_STR("There is an account with this address."));
        return;
    case GH_IDENTITY_WEAK_PASSWORD:
        gh_api_reply_problem(request, 422, why(request, "Choose a stronger password."));
        return;
    case GH_IDENTITY_INVALID:
        gh_api_reply_problem(request, 422, why(request, "A value can't be taken."));
        return;
    case GH_IDENTITY_NOT_FOUND:
        gh_api_reply_problem(request, 404, GH_STR("There is nothing here."));
        return;
    case GH_IDENTITY_FORBIDDEN:
        gh_api_reply_problem(request, 403, why(request, "This is not allowed."));
        return;
    case GH_IDENTITY_CONFLICT:
        gh_api_reply_problem(request, 409, why(request, "This can't be done as things are."));
        return;
    case GH_IDENTITY_UNAVAILABLE:
        gh_api_add_field(request, GH_STR("Retry-After"), GH_STR("5"));
        gh_api_reply_problem(request, 503, GH_STR("Not available right now. Try again shortly."));
        return;
    }
}

bool gh_api_is_ok(struct gh_api_request *request, enum gh_identity_result result)
{
    if (result == GH_IDENTITY_OK)
        return true;
    reply_refused(request, result);
    return false;
}

/* ---- Users and times ---- */

void gh_api_put_time(struct gh_buf *buf, struct gh_str name, uint64_t time_us)
{
    char memory[GH_AUDIT_TIME_LEN + 1]; /* and the NUL of the formatting */
    struct gh_buf text = gh_buf_over(memory, sizeof(memory));
    if (!time_us) {
        gh_json_put_name(buf, name);
        gh_buf_put(buf, GH_STR("null"));
        return;
    }
    gh_audit_put_time(&text, time_us);
    gh_json_put_member(buf, name, gh_buf_str(&text));
}

static void put_roles(struct gh_buf *buf, const struct gh_api_request *request, gh_roles roles)
{
    const struct gh_role_names *names = &request->call->identity->role_names;
    bool first = true;
    gh_json_put_name(buf, GH_STR("roles"));
    gh_buf_put_char(buf, '[');
    for (size_t i = 0; i < names->count; i++) {
        if (!(roles & ((gh_roles)1 << i)))
            continue;
        if (!first)
            gh_buf_put_char(buf, ',');
        gh_json_put_string(buf, names->names[i]);
        first = false;
    }
    gh_buf_put_char(buf, ']');
}

size_t gh_api_user_bytes_max(const struct gh_api_request *request,
                             const struct gh_account_view *user)
{
    const struct gh_role_names *names = &request->call->identity->role_names;
    size_t text = user->email.len + user->name.len + user->locale.len, roles = 0;
    for (size_t i = 0; i < names->count; i++)
        roles += names->names[i].len * GH_API_ESCAPED_BYTES_MAX + 3; /* and quotes and a comma */
    return USER_FRAME_BYTES_MAX + text * GH_API_ESCAPED_BYTES_MAX + roles;
}

void gh_api_put_user(struct gh_buf *buf, const struct gh_api_request *request,
                     const struct gh_account_view *user)
{
    gh_buf_put_char(buf, '{');
    gh_json_put_member(buf, GH_STR("id"), gh_id_str(&user->id));
    gh_json_put_member(buf, GH_STR("email"), user->email);
    gh_json_put_member_bool(buf, GH_STR("email_verified"), user->email_verified);
    gh_json_put_member(buf, GH_STR("name"), user->name);
    gh_json_put_member(buf, GH_STR("locale"), user->locale);
    put_roles(buf, request, user->roles);
    gh_json_put_member_bool(buf, GH_STR("two_factor_enabled"), user->two_factor_enabled);
    gh_json_put_member_bool(buf, GH_STR("two_factor_enrolment_required"), user->must_enrol);
    gh_json_put_member_bool(buf, GH_STR("disabled"), user->disabled);
    gh_api_put_time(buf, GH_STR("created_at"), user->created_us);
    gh_api_put_time(buf, GH_STR("last_login_at"), user->last_login_us);
    gh_buf_put_char(buf, '}');
}
