/* /account/2fa */
#include "identity/two_factor.h"
#include "api/endpoint.h"
#include "api/qr_svg.h"
#include "json/writer.h"

/* A QR code of an otpauth URI as one path, written as a JSON string. */
#define SETUP_BYTES_MAX   (128u * 1024)
#define CODES_BYTES_MAX   4096
#define MESSAGE_BYTES_MAX 128

void gh_api_two_factor_setup(struct gh_api_request *request)
{
    struct gh_two_factor_setup setup;
    if (!gh_api_is_ok(request, gh_two_factor_setup(&request->identity, &setup)))
        return;
    struct gh_str svg = gh_qr_svg(&request->call->arena, setup.uri);
    struct gh_buf json = gh_api_buf(request, SETUP_BYTES_MAX);
    gh_buf_put_char(&json, '{');
    gh_json_put_member(&json, GH_STR("secret"), setup.secret);
    gh_json_put_member(&json, GH_STR("uri"), setup.uri);
    gh_json_put_member(&json, GH_STR("qr_svg"), svg.ptr ? svg : GH_STR(""));
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

static void put_codes(struct gh_buf *json, const struct gh_recovery_codes *codes)
{
    gh_json_put_name(json, GH_STR("recovery_codes"));
    gh_buf_put_char(json, '[');
    for (size_t i = 0; i < GH_RECOVERY_CODES; i++) {
        if (i)
            gh_buf_put_char(json, ',');
        gh_json_put_string(json, gh_str_from_c(codes->codes[i]));
    }
    gh_buf_put_char(json, ']');
}

void gh_api_two_factor_verify(struct gh_api_request *request)
{
    struct gh_recovery_codes codes;
    struct gh_session_grant grant = {0};
    enum gh_identity_result result =
        gh_two_factor_enable(&request->identity, request->body.code, &codes, &grant);
    if (!gh_api_is_ok(request, result))
        return;
    struct gh_buf json = gh_api_buf(request, CODES_BYTES_MAX + gh_api_grant_bytes_max(&grant));
    gh_buf_put_char(&json, '{');
    put_codes(&json, &codes);
    gh_api_put_grant(&json, request, &grant);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

void gh_api_two_factor_disable(struct gh_api_request *request)
{
    struct gh_session_grant grant = {0};
    enum gh_identity_result result = gh_two_factor_disable(
        &request->identity, request->body.password, request->body.code, &grant);
    if (!gh_api_is_ok(request, result))
        return;
    struct gh_buf json = gh_api_buf(request, MESSAGE_BYTES_MAX + gh_api_grant_bytes_max(&grant));
    gh_buf_put_char(&json, '{');
    gh_json_put_member(&json, GH_STR("message"),
                       GH_STR("The second factor is off, other sessions have ended."));
    gh_api_put_grant(&json, request, &grant);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

void gh_api_recovery_codes(struct gh_api_request *request)
{
    struct gh_recovery_codes codes;
    if (!gh_api_is_ok(request,
                      gh_two_factor_recovery_codes(&request->identity, request->body.code, &codes)))
        return;
    struct gh_buf json = gh_api_buf(request, CODES_BYTES_MAX);
    gh_buf_put_char(&json, '{');
    put_codes(&json, &codes);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}
