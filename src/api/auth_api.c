/* /auth: sign-up, sign-in, refresh, sign-out, confirmation of addresses, the first admin. */
#include "api/endpoint.h"
#include "identity/account.h"
#include "identity/admin.h"
#include "identity/login.h"
#include "identity/sessions.h"
#include "json/writer.h"

/* What an answer says beside the user. */
#define AROUND_USER_BYTES_MAX 512

static void reply_made(struct gh_api_request *request, const struct gh_account_view *user)
{
    struct gh_buf json =
        gh_api_buf(request, AROUND_USER_BYTES_MAX + gh_api_user_bytes_max(request, user));
    gh_buf_put(&json, GH_STR("{\"user\":"));
    gh_api_put_user(&json, request, user);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 201, &json);
}

void gh_api_sign_up(struct gh_api_request *request)
{
    struct gh_sign_up sign_up = {
        .email = request->body.email,
        .password = request->body.password,
        .name = request->body.name.ptr ? request->body.name : GH_STR(""),
    };
    struct gh_account_view user = {0};
    if (!gh_api_is_ok(request, gh_sign_up(&request->identity, &sign_up, &user)))
        return;
    if (request->call->identity->verify_email)
        gh_api_reply_text(request, 202,
                          GH_STR("{\"message\":\"Confirm the address by the link in our mail.\"}"));
    else
        reply_made(request, &user);
}

static void reply_challenge(struct gh_api_request *request, struct gh_str challenge)
{
    struct gh_buf json = gh_api_buf(request, 512);
    gh_buf_put_char(&json, '{');
    gh_json_put_member_bool(&json, GH_STR("two_factor_required"), true);
    gh_json_put_member(&json, GH_STR("challenge"), challenge);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

void gh_api_login(struct gh_api_request *request)
{
    struct gh_login login = {request->body.email, request->body.password, request->body.remember};
    struct gh_login_answer answer = {0};
    if (!gh_api_is_ok(request, gh_login(&request->identity, &login, &answer)))
        return;
    if (answer.two_factor_required)
        reply_challenge(request, answer.challenge);
    else
        gh_api_reply_grant(request, &answer.grant);
}

void gh_api_second_step(struct gh_api_request *request)
{
    struct gh_session_grant grant = {0};
    enum gh_identity_result result = gh_login_second_step(
        &request->identity, request->body.challenge, request->body.code, &grant);
    if (gh_api_is_ok(request, result))
        gh_api_reply_grant(request, &grant);
}

void gh_api_refresh(struct gh_api_request *request)
{
    struct gh_session_grant grant = {0};
    struct gh_str token = gh_api_refresh_token(request);
    enum gh_identity_result result = token.ptr
                                         ? gh_session_refresh(&request->identity, token, &grant)
                                         : GH_IDENTITY_SESSION_ENDED;
    if (gh_api_is_ok(request, result))
        gh_api_reply_grant(request, &grant);
}

void gh_api_logout(struct gh_api_request *request)
{
    enum gh_identity_result result = gh_logout(&request->identity, gh_api_refresh_token(request));
    if (!gh_api_is_ok(request, result))
        return;
    gh_api_clear_cookies(request);
    gh_api_add_field(request, GH_STR("Clear-Site-Data"),
                     GH_STR("\"cache\", \"cookies\", \"storage\""));
    gh_api_reply_text(request, 200, GH_STR("{\"message\":\"Successfully logged out\"}"));
}

void gh_api_email_verify(struct gh_api_request *request)
{
    gh_api_reply_message(request, gh_email_verify(&request->identity, request->body.token),
                         GH_STR("The address is confirmed."));
}

void gh_api_email_resend(struct gh_api_request *request)
{
    gh_api_reply_message(request, gh_email_resend(&request->identity, request->body.email),
                         GH_STR("If the address waits to be confirmed, a link is on its way."));
}

void gh_api_step_up(struct gh_api_request *request)
{
    struct gh_session_grant grant = {0};
    enum gh_identity_result result =
        gh_step_up(&request->identity, request->body.password, request->body.code, &grant);
    if (gh_api_is_ok(request, result))
        gh_api_reply_grant(request, &grant);
}

void gh_api_setup(struct gh_api_request *request)
{
    struct gh_account_view user = {0};
    enum gh_identity_result result =
        gh_setup_admin(&request->identity, request->body.token, request->body.email,
                       request->body.password, &user);
    if (gh_api_is_ok(request, result))
        reply_made(request, &user);
}

void gh_api_session(struct gh_api_request *request)
{
    struct gh_account_view user = {0};
    const struct gh_subject *subject = &request->call->subject;
    if (!gh_api_is_ok(request, gh_account_get(&request->identity, &user)))
        return;
    struct gh_buf json =
        gh_api_buf(request, AROUND_USER_BYTES_MAX + gh_api_user_bytes_max(request, &user));
    gh_buf_put(&json, GH_STR("{\"user\":"));
    gh_api_put_user(&json, request, &user);
    gh_api_put_time(&json, GH_STR("expires_at"), subject->expires_s * 1000000);
    gh_api_put_time(&json, GH_STR("authenticated_at"), subject->authenticated_s * 1000000);
    gh_json_put_member_bool(&json, GH_STR("two_factor"), subject->two_factor);
    gh_json_put_member_bool(&json, GH_STR("fresh"), gh_session_is_fresh(&request->identity));
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}
