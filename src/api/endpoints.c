/* The table of all endpoints (SPEC section 4): one row each. */
#include "api/endpoint.h"

#include "base/assert.h"

/* ---- Members of bodies ---- */

#define EMAIL_MAX    254
#define PASSWORD_MAX 1024 /* characters; the policy of passwords says less, in its own words */
#define TOKEN_MAX    256
#define CODE_MAX     32

#define AT(member) offsetof(struct gh_api_body, member)
#define EMAIL                                                                                      \
    {                                                                                              \
        "email", GH_BODY_STRING, true, 3, EMAIL_MAX, AT(email)                                     \
    }
#define PASSWORD                                                                                   \
    {                                                                                              \
        "password", GH_BODY_STRING, true, 1, PASSWORD_MAX, AT(password)                            \
    }
#define TOKEN                                                                                      \
    {                                                                                              \
        "token", GH_BODY_STRING, true, 16, TOKEN_MAX, AT(token)                                    \
    }
#define CODE                                                                                       \
    {                                                                                              \
        "code", GH_BODY_STRING, true, 6, CODE_MAX, AT(code)                                        \
    }
#define OPTIONAL_CODE                                                                              \
    {                                                                                              \
        "code", GH_BODY_STRING, false, 6, CODE_MAX, AT(code)                                       \
    }
#define OPTIONAL_PASSWORD                                                                          \
    {                                                                                              \
        "password", GH_BODY_STRING, false, 1, PASSWORD_MAX, AT(password)                           \
    }
#define OPTIONAL_NAME                                                                              \
    {                                                                                              \
        "name", GH_BODY_STRING, false, 0, 100, AT(name)                                            \
    }
#define OPTIONAL_REFRESH                                                                           \
    {                                                                                              \
        "refresh_token", GH_BODY_STRING, false, 16, TOKEN_MAX, AT(refresh_token)                   \
    }
#define NEW_PASSWORD                                                                               \
    {                                                                                              \
        "new_password", GH_BODY_STRING, true, 1, PASSWORD_MAX, AT(new_password)                    \
    }

static const struct gh_body_member SIGN_UP[] = {EMAIL, PASSWORD, OPTIONAL_NAME};
static const struct gh_body_member LOGIN[] = {
    EMAIL, PASSWORD, {"remember", GH_BODY_BOOLEAN, false, 0, 0, AT(remember)}};
static const struct gh_body_member SECOND_STEP[] = {
    {"challenge", GH_BODY_STRING, true, 16, TOKEN_MAX, AT(challenge)}, CODE};
static const struct gh_body_member REFRESH[] = {OPTIONAL_REFRESH};
static const struct gh_body_member TOKEN_ONLY[] = {TOKEN};
static const struct gh_body_member EMAIL_ONLY[] = {EMAIL};
static const struct gh_body_member CODE_ONLY[] = {CODE};
static const struct gh_body_member EITHER[] = {OPTIONAL_PASSWORD, OPTIONAL_CODE};
static const struct gh_body_member SETUP[] = {TOKEN, EMAIL, PASSWORD};
static const struct gh_body_member PROFILE[] = {
    OPTIONAL_NAME, {"locale", GH_BODY_STRING, false, 0, 35, AT(locale)}};
static const struct gh_body_member CHANGE[] = {
    {"current_password", GH_BODY_STRING, true, 1, PASSWORD_MAX, AT(current_password)},
    NEW_PASSWORD,
    OPTIONAL_CODE};
static const struct gh_body_member RESET[] = {TOKEN, NEW_PASSWORD};
static const struct gh_body_member CHANGE_EMAIL[] = {PASSWORD, EMAIL};
static const struct gh_body_member BOTH[] = {PASSWORD, CODE};
static const struct gh_body_member CONFIRM[] = {PASSWORD, OPTIONAL_CODE};
static const struct gh_body_member ROLE[] = {{"role", GH_BODY_STRING, false, 1, 64, AT(role)},
                                             {"roles", GH_BODY_STRINGS, false, 1, 64, AT(roles)}};

/* ---- Endpoints ---- */

/* The longest passwords and all roles there can be, in characters of four bytes. */
#define BODY_MAX (20u * 1024)
#define PUBLIC                                                                                     \
    {                                                                                              \
        .kind = GH_ACCESS_PUBLIC                                                                   \
    }
#define ANY_CALLER                                                                                 \
    {                                                                                              \
        .kind = GH_ACCESS_SIGNED_IN                                                                \
    }
#define ENROLLING                                                                                  \
    {                                                                                              \
        .kind = GH_ACCESS_SIGNED_IN, .enrolling = true                                             \
    }
#define FRESH_CALLER                                                                               \
    {                                                                                              \
        .kind = GH_ACCESS_SIGNED_IN, .fresh = true                                                 \
    }
#define ADMIN                                                                                      \
    {                                                                                              \
        .kind = GH_ACCESS_SIGNED_IN, .roles = GH_API_ADMIN                                         \
    }
#define FRESH_ADMIN                                                                                \
    {                                                                                              \
        .kind = GH_ACCESS_SIGNED_IN, .roles = GH_API_ADMIN, .fresh = true                          \
    }
#define OF_RESET                                                                                   \
    {                                                                                              \
        "reset", "mail"                                                                            \
    }
#define OF_RESEND                                                                                  \
    {                                                                                              \
        "resend", "mail"                                                                           \
    }
#define NOTHING     NULL, 0
#define OF(members) members, sizeof(members) / sizeof(members[0])

/* Of the fourth column. */
#define IN_SESSION    .sets_session = false
#define ANYONE        .sets_session = true
#define GIVES_SESSION .sets_session = true, .gives_session = true

/* X(method, path, access, who, body_max, limits, operation, handler, members, lane) */
#define ENDPOINTS(X)                                                                               \
    X("POST", "/auth/signup", PUBLIC, ANYONE, BODY_MAX, {"signup"}, "signUp", gh_api_sign_up,      \
      OF(SIGN_UP), HASH)                                                                           \
    X("POST", "/auth/login", PUBLIC, GIVES_SESSION, BODY_MAX, {"login"}, "logIn", gh_api_login,    \
      OF(LOGIN), HASH)                                                                             \
    X("POST", "/auth/2fa", PUBLIC, GIVES_SESSION, BODY_MAX, {"two_factor"}, "secondStep",          \
      gh_api_second_step, OF(SECOND_STEP), DATA)                                                   \
    X("POST", "/auth/refresh", PUBLIC, GIVES_SESSION, BODY_MAX, {NULL}, "refresh", gh_api_refresh, \
      OF(REFRESH), DATA)                                                                           \
    X("POST", "/auth/logout", PUBLIC, ANYONE, BODY_MAX, {NULL}, "logOut", gh_api_logout,           \
      OF(REFRESH), DATA)                                                                           \
    X("POST", "/auth/email/verify", PUBLIC, ANYONE, BODY_MAX, {"verify"}, "verifyEmail",           \
      gh_api_email_verify, OF(TOKEN_ONLY), DATA)                                                   \
    X("POST", "/auth/email/resend", PUBLIC, ANYONE, BODY_MAX, OF_RESEND, "resendEmail",            \
      gh_api_email_resend, OF(EMAIL_ONLY), DATA)                                                   \
    X("POST", "/auth/step-up", ENROLLING, ANYONE, BODY_MAX, {"step_up"}, "stepUp", gh_api_step_up, \
      OF(EITHER), HASH)                                                                            \
    X("POST", "/auth/setup", PUBLIC, ANYONE, BODY_MAX, {"setup"}, "setUp", gh_api_setup,           \
      OF(SETUP), HASH)                                                                             \
    X("GET", "/auth/session", ENROLLING, IN_SESSION, 0, {NULL}, "session", gh_api_session,         \
      NOTHING, DATA)                                                                               \
    X("GET", "/account/profile", ENROLLING, IN_SESSION, 0, {NULL}, "profile", gh_api_profile,      \
      NOTHING, DATA)                                                                               \
    X("PATCH", "/account/profile", ANY_CALLER, IN_SESSION, BODY_MAX, {NULL}, "updateProfile",      \
      gh_api_profile_update, OF(PROFILE), DATA)                                                    \
    X("POST", "/account/password", ANY_CALLER, IN_SESSION, BODY_MAX, {"password"},                 \
      "changePassword", gh_api_password_change, OF(CHANGE), HASH)                                  \
    X("POST", "/account/password/reset-request", PUBLIC, ANYONE, BODY_MAX, OF_RESET,               \
      "requestPasswordReset", gh_api_reset_request, OF(EMAIL_ONLY), DATA)                          \
    X("POST", "/account/password/reset", PUBLIC, ANYONE, BODY_MAX, {"reset_token"},                \
      "resetPassword", gh_api_reset, OF(RESET), HASH)                                              \
    X("POST", "/account/email", ANY_CALLER, IN_SESSION, BODY_MAX, {"email"}, "changeEmail",        \
      gh_api_email_change, OF(CHANGE_EMAIL), HASH)                                                 \
    X("POST", "/account/2fa/setup", ENROLLING, IN_SESSION, BODY_MAX, {"factor"}, "setUpTwoFactor", \
      gh_api_two_factor_setup, NOTHING, DATA)                                                      \
    X("POST", "/account/2fa/verify", ENROLLING, IN_SESSION, BODY_MAX, {"factor"},                  \
      "verifyTwoFactor", gh_api_two_factor_verify, OF(CODE_ONLY), DATA)                            \
    X("POST", "/account/2fa/disable", ANY_CALLER, IN_SESSION, BODY_MAX, {"factor"},                \
      "disableTwoFactor", gh_api_two_factor_disable, OF(BOTH), HASH)                               \
    X("POST", "/account/2fa/recovery-codes", ANY_CALLER, IN_SESSION, BODY_MAX, {"factor"},         \
      "renewRecoveryCodes", gh_api_recovery_codes, OF(CODE_ONLY), DATA)                            \
    X("GET", "/account/sessions", ANY_CALLER, IN_SESSION, 0, {NULL}, "sessions", gh_api_sessions,  \
      NOTHING, DATA)                                                                               \
    X("DELETE", "/account/sessions", ANY_CALLER, IN_SESSION, BODY_MAX, {NULL}, "endOtherSessions", \
      gh_api_sessions_end_others, NOTHING, DATA)                                                   \
    X("DELETE", "/account/sessions/{id}", ANY_CALLER, IN_SESSION, BODY_MAX, {NULL}, "endSession",  \
      gh_api_session_end, NOTHING, DATA)                                                           \
    X("GET", "/account/activity", ANY_CALLER, IN_SESSION, 0, {NULL}, "activity", gh_api_activity,  \
      NOTHING, DATA)                                                                               \
    X("DELETE", "/account", ANY_CALLER, IN_SESSION, BODY_MAX, {"password"}, "deleteAccount",       \
      gh_api_account_delete, OF(CONFIRM), HASH)                                                    \
    X("POST", "/compliance/export", FRESH_CALLER, IN_SESSION, BODY_MAX, {"export"}, "exportData",  \
      gh_api_export, NOTHING, AWAY)                                                                \
    X("POST", "/compliance/delete", ANY_CALLER, IN_SESSION, BODY_MAX, {"password"}, "eraseData",   \
      gh_api_erase, OF(CONFIRM), AWAY)                                                             \
    X("GET", "/admin/users", ADMIN, IN_SESSION, 0, {NULL}, "users", gh_api_users, NOTHING, DATA)   \
    X("GET", "/admin/users/{id}", ADMIN, IN_SESSION, 0, {NULL}, "user", gh_api_user, NOTHING,      \
      DATA)                                                                                        \
    X("PATCH", "/admin/users/{id}/role", FRESH_ADMIN, IN_SESSION, BODY_MAX, {NULL}, "setRole",     \
      gh_api_user_role, OF(ROLE), DATA)                                                            \
    X("POST", "/admin/users/{id}/unlock", FRESH_ADMIN, IN_SESSION, BODY_MAX, {NULL}, "unlockUser", \
      gh_api_user_unlock, NOTHING, DATA)                                                           \
    X("POST", "/admin/users/{id}/reset-2fa", FRESH_ADMIN, IN_SESSION, BODY_MAX, {NULL},            \
      "resetTwoFactor", gh_api_user_reset_two_factor, NOTHING, DATA)                               \
    X("POST", "/admin/users/{id}/reset-password", FRESH_ADMIN, IN_SESSION, BODY_MAX, {NULL},       \
      "sendPasswordReset", gh_api_user_reset_password, NOTHING, DATA)                              \
    X("POST", "/admin/users/{id}/disable", FRESH_ADMIN, IN_SESSION, BODY_MAX, {NULL},              \
      "disableUser", gh_api_user_disable, NOTHING, DATA)                                           \
    X("POST", "/admin/users/{id}/enable", FRESH_ADMIN, IN_SESSION, BODY_MAX, {NULL}, "enableUser", \
      gh_api_user_enable, NOTHING, DATA)                                                           \
    X("DELETE", "/admin/users/{id}", FRESH_ADMIN, IN_SESSION, BODY_MAX, {NULL}, "deleteUser",      \
      gh_api_user_delete, NOTHING, DATA)                                                           \
    X("DELETE", "/admin/users/{id}/sessions", FRESH_ADMIN, IN_SESSION, BODY_MAX, {NULL},           \
      "endUserSessions", gh_api_user_end_sessions, NOTHING, DATA)                                  \
    X("GET", "/admin/audit", ADMIN, IN_SESSION, 0, {NULL}, "audit", gh_api_audit, NOTHING, DATA)   \
    X("GET", "/admin/audit/verify", ADMIN, IN_SESSION, 0, {"audit_verify"}, "verifyAudit",         \
      gh_api_audit_verify, NOTHING, AWAY)                                                          \
    X("GET", "/admin/anomalies", ADMIN, IN_SESSION, 0, {NULL}, "anomalies", gh_api_anomalies,      \
      NOTHING, DATA)                                                                               \
    X("GET", "/admin/csp/reports", ADMIN, IN_SESSION, 0, {NULL}, "cspReports", gh_api_csp_reports, \
      NOTHING, AWAY)                                                                               \
    X("GET", "/openapi.json", PUBLIC, IN_SESSION, 0, {NULL}, "document", gh_api_document, NOTHING, \
      DATA)                                                                                        \
    X("GET", "/.well-known/jwks.json", PUBLIC, IN_SESSION, 0, {NULL}, "keySet", gh_api_key_set,    \
      NOTHING, DATA)

static const struct gh_endpoint HANDLERS[] = {
#define X(method, path, access, who, max, limits, operation, handler, members, lane)               \
    {operation, handler, members, GH_SERVICE_##lane},
    ENDPOINTS(X)
#undef X
};
#define ENDPOINT_COUNT (sizeof(HANDLERS) / sizeof(HANDLERS[0]))

static const struct gh_service_endpoint ROUTES[ENDPOINT_COUNT] = {
#define X(verb, where, access_rule, who, max, names, operation, handler, members, lane)            \
    {.method = verb,                                                                               \
     .path = where,                                                                                \
     .absolute = (where)[1] == '.',                                                                \
     .access = access_rule,                                                                        \
     who,                                                                                          \
     .limits = names,                                                                              \
     .body_max = max},
    ENDPOINTS(X)
#undef X
};

const struct gh_service_endpoint *gh_api_endpoints(size_t *out_count)
{
    *out_count = ENDPOINT_COUNT;
    return ROUTES;
}

const struct gh_endpoint *gh_endpoint_at(size_t index)
{
    GH_ASSERT(index < ENDPOINT_COUNT);
    return &HANDLERS[index];
}

enum gh_service_lane gh_api_lane(void *context, size_t endpoint)
{
    (void)context;
    return gh_endpoint_at(endpoint)->lane;
}

/* Accounts behind challenges and sessions behind refresh tokens are known to identity alone: their
   limits are quotas that it takes itself. */
const struct gh_service_limit *gh_api_limits(size_t *out_count)
{
    static const struct gh_service_limit LIMITS[] = {
        {"login", "5/minute", "client"},
        {"signup", "5/minute", "client"},
        {"two_factor", "5/minute", "body:challenge"},
        {"reset", "3/hour", "body:email"},
        {"mail", "5/minute", "client"}, /* each is a write, also for addresses made up */
        {"reset_token", "5/minute", "client"},
        {"password", "5/minute", "user"},
        {"step_up", "5/minute", "user"},
        {"factor", "5/minute", "user"},
        {"email", "3/hour", "user"},
        {"export", "3/hour", "user"},
        {"verify", "5/minute", "client"},
        {"resend", "3/hour", "body:email"},
        {"setup", "5/minute", "client"},
        {"audit_verify", "20/hour", "user"}, /* seconds of a processor each */
    };
    *out_count = sizeof(LIMITS) / sizeof(LIMITS[0]);
    return LIMITS;
}
