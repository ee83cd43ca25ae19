/* /account: profile, password, address, activity, deletion; /compliance. */
#include "identity/account.h"
#include "api/endpoint.h"
#include "identity/audit_read.h"
#include "identity/passwords.h"
#include "identity/privacy.h"
#include "json/writer.h"

/* Of an audit record: all but texts. */
#define RECORD_FRAME_BYTES_MAX 512

void gh_api_profile(struct gh_api_request *request)
{
    struct gh_account_view user = {0};
    gh_api_reply_user(request, gh_account_get(&request->identity, &user), &user);
}

void gh_api_profile_update(struct gh_api_request *request)
{
    struct gh_account_view user = {0};
    gh_api_reply_user(
        request,
        gh_profile_update(&request->identity, request->body.name, request->body.locale, &user),
        &user);
}

void gh_api_password_change(struct gh_api_request *request)
{
    const struct gh_api_body *body = &request->body;
    gh_api_reply_message(request,
                         gh_password_change(&request->identity, body->current_password, body->code,
                                            body->new_password),
                         GH_STR("The password is changed, other sessions have ended."));
}

void gh_api_reset_request(struct gh_api_request *request)
{
    gh_api_reply_message(request,
                         gh_password_reset_request(&request->identity, request->body.email),
                         GH_STR("If there is an account, a link is on its way."));
}

void gh_api_reset(struct gh_api_request *request)
{
    gh_api_reply_message(
        request,
        gh_password_reset(&request->identity, request->body.token, request->body.new_password),
        GH_STR("The password is changed. Sign in with it."));
}

void gh_api_email_change(struct gh_api_request *request)
{
    gh_api_reply_message(
        request, gh_email_change(&request->identity, request->body.password, request->body.email),
        GH_STR("Confirm the new address by the link in our mail."));
}

void gh_api_account_delete(struct gh_api_request *request)
{
    enum gh_identity_result result =
        gh_account_remove(&request->identity, request->body.password, request->body.code);
    if (result == GH_IDENTITY_OK)
        gh_api_clear_cookies(request);
    gh_api_reply_message(request, result, GH_STR("The account is deleted."));
}

/* ---- Audit records, one's own and all ---- */

static size_t record_bytes_max(const struct gh_audit_record *record)
{
    size_t text = record->user_id.len + record->actor_id.len + record->ip_address.len +
                  record->user_agent.len + record->session.len + record->request_id.len;
    return RECORD_FRAME_BYTES_MAX + text * GH_API_ESCAPED_BYTES_MAX + record->metadata.len;
}

void gh_api_put_next(struct gh_buf *json, const struct gh_audit_entries *entries, size_t limit)
{
    if (entries->count == limit)
        gh_json_put_member_u64(json, GH_STR("next"), entries->items[limit - 1].position);
    else
        gh_buf_put(json, GH_STR(",\"next\":null"));
}

/* {"records":[...],"next":a position or null} */
static void reply_records(struct gh_api_request *request, const struct gh_audit_entries *entries,
                          size_t limit)
{
    size_t bytes_max = RECORD_FRAME_BYTES_MAX;
    for (size_t i = 0; i < entries->count; i++)
        bytes_max += record_bytes_max(&entries->items[i].record);
    struct gh_buf json = gh_api_buf(request, bytes_max);
    gh_buf_put(&json, GH_STR("{\"records\":["));
    for (size_t i = 0; i < entries->count; i++) {
        if (i)
            gh_buf_put_char(&json, ',');
        gh_audit_record_put_json(&json, &entries->items[i].record);
    }
    gh_buf_put(&json, GH_STR("]"));
    gh_api_put_next(&json, entries, limit);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

void gh_api_activity(struct gh_api_request *request)
{
    static const char *const NAMES[] = {"before", "limit", NULL};
    struct gh_str values[2];
    uint64_t before, limit;
    struct gh_audit_entries entries;
    if (!gh_api_read_query(request, NAMES, values) ||
        !gh_api_read_number(request, values[0], GH_API_SEQ_MAX, 0, &before) ||
        !gh_api_read_number(request, values[1], GH_API_PAGE_MAX, GH_API_PAGE_DEFAULT, &limit))
        return;
    if (gh_api_is_ok(request,
                     gh_account_activity(&request->identity, before, (size_t)limit, &entries)))
        reply_records(request, &entries, (size_t)limit);
}

static bool read_event(struct gh_api_request *request, struct gh_str value, struct gh_str *out)
{
    enum gh_audit_event event;
    *out = value.ptr ? value : GH_STR("");
    if (!value.ptr || gh_audit_event_parse(value, &event))
        return true;
    gh_api_reply_problem(request, 422, GH_STR("There is no event of that name."));
    return false;
}

void gh_api_audit(struct gh_api_request *request)
{
    static const char *const NAMES[] = {"before", "limit", "user", "event", NULL};
    struct gh_str values[4];
    struct gh_audit_query query = {.every_chain = true};
    struct gh_audit_entries entries;
    uint64_t limit;
    if (!gh_api_read_query(request, NAMES, values) ||
        !gh_api_read_number(request, values[0], GH_API_SEQ_MAX, 0, &query.before_seq) ||
        !gh_api_read_number(request, values[1], GH_API_PAGE_MAX, GH_API_PAGE_DEFAULT, &limit) ||
        !gh_api_read_id(request, values[2], &query.user_id) ||
        !read_event(request, values[3], &query.event))
        return;
    query.limit = (size_t)limit;
    enum gh_err err =
        gh_audit_log_page(request->identity.identity, request->identity.arena, &query, &entries);
    if (gh_api_is_ok(request, err == GH_OK ? GH_IDENTITY_OK : GH_IDENTITY_UNAVAILABLE) &&
        gh_api_is_ok(request,
                     gh_audit_read_note(&request->identity, &query, query.before_seq != 0)))
        reply_records(request, &entries, (size_t)limit);
}

/* ---- /compliance ---- */

void gh_api_export(struct gh_api_request *request)
{
    struct gh_str json;
    uint64_t records;
    if (!gh_api_is_ok(request, gh_privacy_export(&request->identity, &json, &records)))
        return;
    gh_api_add_field(request, GH_STR("Content-Disposition"),
                     GH_STR("attachment; filename=\"export.json\""));
    gh_api_reply_text(request, 200, json);
}

void gh_api_erase(struct gh_api_request *request)
{
    enum gh_identity_result result =
        gh_privacy_erase(&request->identity, request->body.password, request->body.code);
    if (result == GH_IDENTITY_OK)
        gh_api_clear_cookies(request);
    gh_api_reply_message(request, result, GH_STR("Everything held on you is erased."));
}
