/*
 * Inside api: what an endpoint is, the members that bodies may have, and what handlers use to
 * answer. The table of all endpoints is in endpoints.c.
 */
#ifndef GH_API_ENDPOINT_H
#define GH_API_ENDPOINT_H

#include "api/api.h"
#include "base/buf.h"
#include "openapi/openapi.h"

/* ---- Bodies ---- */

enum gh_body_type { GH_BODY_STRING, GH_BODY_BOOLEAN, GH_BODY_STRINGS };

/* One member of a body; lengths count code points (SPEC section 4: checked strictly). */
struct gh_body_member {
    const char *name;
    enum gh_body_type type;
    bool required;
    uint16_t length_min, length_max; /* of a string, and of each of several */
    size_t offset;                   /* in struct gh_api_body */
};

#define GH_BODY_ROLES_MAX 64

/* All members that any body has; ptr NULL: not given. */
struct gh_api_body {
    struct gh_str email, password, name, locale, current_password, new_password, token, code,
        challenge, refresh_token, role;
    struct gh_str roles[GH_BODY_ROLES_MAX];
    size_t role_count;
    bool roles_given, remember;
};

struct gh_api_request;

/* The document of the service, compiled (input.c). */
struct gh_api_inputs {
    const struct gh_openapi *document;
    const struct gh_openapi_operation *const *operations; /* of each endpoint */
};

/* Judges path, query and body by the document and reads the body. False: it answered with 400 (no
   JSON) or 422, which names all that is wrong. */
bool gh_api_check_input(struct gh_api_request *request);
/* An object as the document has it to request->body; false: it answered (no memory). */
bool gh_api_read_body(struct gh_api_request *request, struct gh_str body);

/* ---- Endpoints ---- */

struct gh_endpoint {
    const char *operation; /* operationId in the document */
    void (*handle)(struct gh_api_request *request);
    const struct gh_body_member *members;
    size_t member_count;
    enum gh_service_lane lane;
};
const struct gh_endpoint *gh_endpoint_at(size_t index);

/* One request in the hands of its handler. */
struct gh_api_request {
    struct gh_service_call *call;
    struct gh_api *api;
    const struct gh_endpoint *endpoint;
    struct gh_identity_call identity;
    struct gh_api_body body;
};

/* ---- Answers ---- */

/* A byte of text in JSON takes at most this, as an escape. */
#define GH_API_ESCAPED_BYTES_MAX 6

/* A buffer in the call's arena for an answer of up to `bytes`; cap 0: the arena is full, and the
   overflow flag will tell. */
struct gh_buf gh_api_buf(struct gh_api_request *request, size_t bytes);
/* Answers with what was written; 500, without the fields that were added, when it did not fit. */
void gh_api_reply_json(struct gh_api_request *request, unsigned status, const struct gh_buf *json);
void gh_api_reply_text(struct gh_api_request *request, unsigned status, struct gh_str json);
void gh_api_reply_problem(struct gh_api_request *request, unsigned status, struct gh_str detail);
/* The same with members ready written: "\"errors\":[...]". */
void gh_api_reply_problem_with(struct gh_api_request *request, unsigned status,
                               struct gh_str detail, struct gh_str members);
void gh_api_add_field(struct gh_api_request *request, struct gh_str name, struct gh_str value);
/* Turns every result but OK into its answer and returns false. */
bool gh_api_is_ok(struct gh_api_request *request, enum gh_identity_result result);
/* OK: 200 {"message": text}. */
void gh_api_reply_message(struct gh_api_request *request, enum gh_identity_result result,
                          struct gh_str text);
/* OK: 200 with the user. */
void gh_api_reply_user(struct gh_api_request *request, enum gh_identity_result result,
                       const struct gh_account_view *user);
/* OK: 200 {"ended": count}. */
void gh_api_reply_ended(struct gh_api_request *request, enum gh_identity_result result,
                        uint64_t count);

/* "user": {...} with its name, as the owner and admins see it. */
void gh_api_put_user(struct gh_buf *buf, const struct gh_api_request *request,
                     const struct gh_account_view *user);
/* What that takes at most. */
size_t gh_api_user_bytes_max(const struct gh_api_request *request,
                             const struct gh_account_view *user);
void gh_api_put_time(struct gh_buf *buf, struct gh_str name, uint64_t time_us);

/* 200 with a session: by the transport its tokens in cookies or in the body (session_reply.c), and
   in each case expires_in and the user. */
void gh_api_reply_grant(struct gh_api_request *request, const struct gh_session_grant *grant);
/* The same for answers that say something else than the user: sets the cookies, writes the other
   members of a grant. */
void gh_api_put_grant(struct gh_buf *json, struct gh_api_request *request,
                      const struct gh_session_grant *grant);
/* What that writes at most. */
size_t gh_api_grant_bytes_max(const struct gh_session_grant *grant);
/* Makes the browser forget the session. */
void gh_api_clear_cookies(struct gh_api_request *request);
/* Where the refresh token comes from: the cookie, or the body under the bearer transport. */
struct gh_str gh_api_refresh_token(const struct gh_api_request *request);

/* Pages of accounts and records: their size, and the last number that JSON keeps exact. */
#define GH_API_PAGE_DEFAULT 50
#define GH_API_PAGE_MAX     200
#define GH_API_SEQ_MAX      9007199254740991

struct gh_audit_entries;
/* "next": the number to ask the next page of records with, null behind the last. */
void gh_api_put_next(struct gh_buf *json, const struct gh_audit_entries *entries, size_t limit);
/* A longer log is not verified while somebody waits: so many take some six seconds. */
#define GH_API_VERIFIED_RECORDS_MAX 3000000
/* Of browsers' reports the newest are counted; a multiple of their page. */
#define GH_API_CSP_RECORDS_MAX 10000

/* The parameters of the query, which was judged, by `names` (NULL-ended). Values are
   percent-decoded into out_values, one for each name; ptr NULL: not given. False: it answered (no
   memory). */
bool gh_api_read_query(struct gh_api_request *request, const char *const *names,
                       struct gh_str *out_values);
/* A value of it: a number from 1 to `max`, `otherwise` when not given. False: it answered. */
bool gh_api_read_number(struct gh_api_request *request, struct gh_str value, uint64_t max,
                        uint64_t otherwise, uint64_t *out);
/* An id, empty when not given. False: it answered. */
bool gh_api_read_id(struct gh_api_request *request, struct gh_str value, struct gh_str *out);
/* A path parameter; empty: the table has no such. */
struct gh_str gh_api_param(const struct gh_api_request *request, const char *name);

/* ---- Handlers, one file per noun ---- */

void gh_api_sign_up(struct gh_api_request *request);
void gh_api_login(struct gh_api_request *request);
void gh_api_second_step(struct gh_api_request *request);
void gh_api_refresh(struct gh_api_request *request);
void gh_api_logout(struct gh_api_request *request);
void gh_api_email_verify(struct gh_api_request *request);
void gh_api_email_resend(struct gh_api_request *request);
void gh_api_step_up(struct gh_api_request *request);
void gh_api_setup(struct gh_api_request *request);
void gh_api_session(struct gh_api_request *request);

void gh_api_profile(struct gh_api_request *request);
void gh_api_profile_update(struct gh_api_request *request);
void gh_api_password_change(struct gh_api_request *request);
void gh_api_reset_request(struct gh_api_request *request);
void gh_api_reset(struct gh_api_request *request);
void gh_api_email_change(struct gh_api_request *request);
void gh_api_activity(struct gh_api_request *request);
void gh_api_account_delete(struct gh_api_request *request);

void gh_api_two_factor_setup(struct gh_api_request *request);
void gh_api_two_factor_verify(struct gh_api_request *request);
void gh_api_two_factor_disable(struct gh_api_request *request);
void gh_api_recovery_codes(struct gh_api_request *request);

void gh_api_sessions(struct gh_api_request *request);
void gh_api_sessions_end_others(struct gh_api_request *request);
void gh_api_session_end(struct gh_api_request *request);

void gh_api_export(struct gh_api_request *request);
void gh_api_erase(struct gh_api_request *request);

void gh_api_users(struct gh_api_request *request);
void gh_api_user(struct gh_api_request *request);
void gh_api_user_role(struct gh_api_request *request);
void gh_api_user_unlock(struct gh_api_request *request);
void gh_api_user_reset_two_factor(struct gh_api_request *request);
void gh_api_user_reset_password(struct gh_api_request *request);
void gh_api_user_disable(struct gh_api_request *request);
void gh_api_user_enable(struct gh_api_request *request);
void gh_api_user_delete(struct gh_api_request *request);
void gh_api_user_end_sessions(struct gh_api_request *request);
void gh_api_audit(struct gh_api_request *request);
void gh_api_audit_verify(struct gh_api_request *request);
void gh_api_anomalies(struct gh_api_request *request);
void gh_api_csp_reports(struct gh_api_request *request);

void gh_api_document(struct gh_api_request *request);
void gh_api_key_set(struct gh_api_request *request);

#endif
