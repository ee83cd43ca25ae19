/*
 * What is held on a person, as one JSON document. It is put together from pieces, because its
 * length is known only when the audit log has been read to its end.
 */
#include "identity/audit_log.h"
#include "identity/hook.h"
#include "identity/sessions.h"
#include "json/writer.h"

#define PIECE_BYTES_BLOCK  (64u * 1024)
#define DOCUMENT_BYTES_MAX (64u * 1024 * 1024)
#define PAGE_BYTES_MAX     (16u * 1024 * 1024)
#define PAGE_RECORDS       200
#define ESCAPED            6    /* bytes that JSON writes for one at the most */
#define FRAME_BYTES        1024 /* names, times and numbers of one object */

/* Of what the backend answers: it is carried, not read, but must be what it says it is. */
static const struct gh_json_limits APPLICATION_LIMITS = {
    .bytes_max = 16u * 1024 * 1024,
    .depth_max = 64,
    .values_max = 200000,
    .members_max = 4096,
};

struct piece {
    struct gh_str text;
    struct piece *next;
};

struct document {
    struct gh_identity_call *call;
    struct gh_arena pieces_arena, page_arena;
    struct piece *first, **end;
    size_t bytes;
    uint64_t records;
    bool failed;
};

static void append(struct document *document, struct gh_str text)
{
    struct piece *piece = gh_arena_alloc(&document->pieces_arena, sizeof(*piece));
    if (piece)
        *piece = (struct piece){.text = gh_arena_dup(&document->pieces_arena, text)};
    if (!piece || !piece->text.ptr) {
        document->failed = true;
        return;
    }
    *document->end = piece;
    document->end = &piece->next;
    document->bytes += text.len;
}

/* A buffer for an object whose texts have `bytes` bytes. */
static struct gh_buf buffer_for(struct document *document, size_t bytes)
{
    size_t cap = bytes * ESCAPED + FRAME_BYTES;
    char *memory = gh_arena_alloc(&document->page_arena, cap);
    return gh_buf_over(memory, memory ? cap : 0);
}

static void append_buf(struct document *document, const struct gh_buf *buf)
{
    if (buf->overflow)
        document->failed = true;
    else
        append(document, gh_buf_str(buf));
}

static void put_time(struct gh_buf *buf, struct gh_str name, uint64_t time_us)
{
    gh_json_put_name(buf, name);
    if (!time_us) {
        gh_buf_put(buf, GH_STR("null"));
        return;
    }
    gh_buf_put_char(buf, '"');
    gh_audit_put_time(buf, time_us);
    gh_buf_put_char(buf, '"');
}

/* ---- The account ---- */

struct own_rows {
    struct gh_identity_call *call;
    struct gh_account account;
    struct gh_device_row *devices;
    size_t device_count;
    bool found;
};

static enum gh_err read_own(struct gh_tx *tx, void *args)
{
    struct own_rows *own = args;
    struct gh_str id = own->call->subject->id;
    enum gh_err err = tx->ops->account_by_id(tx, id, &own->account);
    own->found = err == GH_OK;
    if (err != GH_OK)
        return err == GH_ERR_NOT_FOUND ? GH_OK : err;
    return tx->ops->devices_of(tx, id, &own->devices, &own->device_count);
}

static void put_account(struct document *document, const struct gh_account *account)
{
    struct gh_account_view view;
    if (!gh_account_view_of(document->call, account, &view)) {
        document->failed = true;
        return;
    }
    struct gh_buf buf =
        buffer_for(document, view.email.len + view.name.len + view.locale.len + account->roles.len);
    gh_buf_put(&buf, GH_STR("\"account\":{"));
    gh_json_put_member(&buf, GH_STR("id"), gh_id_str(&view.id));
    gh_json_put_member(&buf, GH_STR("email"), view.email);
    put_time(&buf, GH_STR("email_verified_at"), account->email_verified_us);
    gh_json_put_member(&buf, GH_STR("name"), view.name);
    gh_json_put_member(&buf, GH_STR("locale"), view.locale);
    gh_json_put_member(&buf, GH_STR("roles"), account->roles);
    gh_json_put_member_bool(&buf, GH_STR("two_factor_enabled"), view.two_factor_enabled);
    gh_json_put_member_bool(&buf, GH_STR("disabled"), view.disabled);
    gh_json_put_member_bool(&buf, GH_STR("has_password"), view.has_password);
    put_time(&buf, GH_STR("password_changed_at"), account->password_changed_us);
    put_time(&buf, GH_STR("created_at"), view.created_us);
    put_time(&buf, GH_STR("last_login_at"), view.last_login_us);
    gh_buf_put_char(&buf, '}');
    append_buf(document, &buf);
    document->records++;
}

static void put_devices(struct document *document, const struct own_rows *own)
{
    const struct gh_vault *vault = document->call->identity->vault;
    append(document, GH_STR(",\"devices\":["));
    for (size_t i = 0; i < own->device_count; i++) {
        const struct gh_device_row *device = &own->devices[i];
        struct gh_str label = gh_vault_open_field(vault, &document->page_arena, "devices.label",
                                                  gh_id_str(&own->account.id), device->label);
        struct gh_buf buf = buffer_for(document, label.len);
        gh_buf_put(&buf, i ? GH_STR(",{") : GH_STR("{"));
        gh_json_put_member(&buf, GH_STR("device"), label);
        put_time(&buf, GH_STR("created_at"), device->created_us);
        put_time(&buf, GH_STR("last_used_at"), device->last_used_us);
        gh_buf_put_char(&buf, '}');
        append_buf(document, &buf);
        document->failed |= !label.ptr;
        document->records++;
    }
    append(document, GH_STR("]"));
}

/* ---- Sessions ---- */

static void put_session(struct document *document, const struct gh_session_view *session,
                        bool first)
{
    struct gh_buf buf = buffer_for(document, session->device.len + session->ip.len);
    gh_buf_put(&buf, first ? GH_STR("{") : GH_STR(",{"));
    gh_json_put_member(&buf, GH_STR("id"), gh_id_str(&session->id));
    gh_json_put_member(&buf, GH_STR("device"), session->device);
    gh_json_put_member(&buf, GH_STR("ip_address"), session->ip);
    put_time(&buf, GH_STR("created_at"), session->created_us);
    put_time(&buf, GH_STR("last_used_at"), session->last_used_us);
    put_time(&buf, GH_STR("expires_at"), session->expires_us);
    gh_json_put_member_bool(&buf, GH_STR("two_factor"), session->two_factor);
    gh_json_put_member_bool(&buf, GH_STR("remember"), session->remember);
    gh_buf_put_char(&buf, '}');
    append_buf(document, &buf);
    document->records++;
}

static enum gh_identity_result put_sessions(struct document *document)
{
    struct gh_session_view *sessions;
    size_t count = 0;
    enum gh_identity_result result = gh_sessions_list(document->call, &sessions, &count);
    append(document, GH_STR(",\"sessions\":["));
    for (size_t i = 0; result == GH_IDENTITY_OK && i < count; i++)
        put_session(document, &sessions[i], i == 0);
    append(document, GH_STR("]"));
    return result;
}

/* ---- The audit log ---- */

static void put_record(struct document *document, const struct gh_audit_record *record, bool first)
{
    size_t bytes = record->user_id.len + record->actor_id.len + record->ip_address.len +
                   record->user_agent.len + record->session.len + record->request_id.len +
                   record->metadata.len;
    struct gh_buf buf = buffer_for(document, bytes);
    gh_buf_put(&buf, first ? GH_STR("") : GH_STR(","));
    gh_audit_record_put_json(&buf, record);
    append_buf(document, &buf);
    document->records++;
}

/* Page after page, newest first; each is forgotten when it has been written. */
static enum gh_identity_result put_records(struct document *document)
{
    struct gh_audit_query query = {
        .every_chain = true, .user_id = document->call->subject->id, .limit = PAGE_RECORDS};
    struct gh_audit_entries page;
    bool first = true;
    append(document, GH_STR(",\"audit\":["));
    do {
        gh_arena_reset(&document->page_arena);
        if (gh_audit_log_page(document->call->identity, &document->page_arena, &query, &page) !=
            GH_OK)
            return GH_IDENTITY_UNAVAILABLE;
        for (size_t i = 0; i < page.count; i++) {
            put_record(document, &page.items[i].record, first);
            first = false;
            query.before_seq = page.items[i].position;
        }
    } while (page.count == PAGE_RECORDS && !document->failed);
    append(document, GH_STR("]"));
    return GH_IDENTITY_OK;
}

/* ---- The backend's part ---- */

static enum gh_identity_result put_application(struct document *document)
{
    struct gh_identity_call *call = document->call;
    struct gh_str url = call->settings->hooks.export, body = {NULL, 0};
    struct gh_json_doc doc;
    gh_arena_reset(&document->page_arena);
    if (url.len &&
        !gh_hook_call(call, &document->pieces_arena, url, call->subject->id, "export", &body))
        return GH_IDENTITY_UNAVAILABLE;
    if (body.ptr &&
        gh_json_parse(&document->page_arena, body, &APPLICATION_LIMITS, &doc, NULL) != GH_JSON_OK) {
        call->why = "the application's part is not JSON";
        return GH_IDENTITY_UNAVAILABLE;
    }
    append(document, GH_STR(",\"application\":"));
    append(document, body.ptr ? body : GH_STR("null"));
    return GH_IDENTITY_OK;
}

/* ---- All of it ---- */

static enum gh_identity_result put_all(struct document *document)
{
    struct gh_identity_call *call = document->call;
    struct own_rows own = {.call = call};
    enum gh_identity_result result = gh_identity_read(call, read_own, &own);
    if (result == GH_IDENTITY_OK && !own.found)
        result = GH_IDENTITY_NOT_FOUND;
    if (result != GH_IDENTITY_OK)
        return result;
    struct gh_buf head = buffer_for(document, 0);
    gh_buf_put_char(&head, '{');
    put_time(&head, GH_STR("exported_at"), call->now_us);
    gh_buf_put_char(&head, ',');
    append_buf(document, &head);
    put_account(document, &own.account);
    result = put_sessions(document);
    put_devices(document, &own);
    if (result == GH_IDENTITY_OK)
        result = put_application(document);
    if (result == GH_IDENTITY_OK)
        result = put_records(document);
    append(document, GH_STR("}"));
    return result == GH_IDENTITY_OK && document->failed ? GH_IDENTITY_UNAVAILABLE : result;
}

static struct gh_str join(const struct document *document)
{
    char *text = gh_arena_alloc(document->call->arena, document->bytes);
    if (!text)
        return (struct gh_str){NULL, 0};
    struct gh_buf buf = gh_buf_over(text, document->bytes);
    for (const struct piece *piece = document->first; piece; piece = piece->next)
        gh_buf_put(&buf, piece->text);
    return gh_buf_str(&buf);
}

struct export_record {
    const struct gh_identity_call *call;
    uint64_t records;
};

static enum gh_err audit_export(struct gh_tx *tx, void *args)
{
    const struct export_record *record = args;
    struct gh_identity_call call = *record->call;
    if (call.by.len) /* the operator's command, not the one whom it speaks of */
        call.subject = NULL;
    struct gh_str metadata = gh_arena_format(record->call->arena, "{\"record_count\":%llu}",
                                             (unsigned long long)record->records);
    if (!metadata.ptr)
        return GH_ERR_MEMORY;
    return gh_identity_audit(tx, &call, GH_AUDIT_DATA_EXPORT, GH_AUDIT_SUCCESS,
                             record->call->subject->id, metadata);
}

enum gh_identity_result gh_privacy_export(struct gh_identity_call *call, struct gh_str *out_json,
                                          uint64_t *out_records)
{
    struct document document = {.call = call};
    struct gh_str json = {NULL, 0};
    document.end = &document.first;
    gh_arena_init(&document.pieces_arena, PIECE_BYTES_BLOCK, DOCUMENT_BYTES_MAX);
    gh_arena_init(&document.page_arena, PIECE_BYTES_BLOCK, PAGE_BYTES_MAX);
    enum gh_identity_result result = put_all(&document);
    if (result == GH_IDENTITY_OK)
        json = join(&document);
    gh_arena_done(&document.page_arena);
    gh_arena_done(&document.pieces_arena);
    if (result == GH_IDENTITY_OK && !json.ptr)
        result = GH_IDENTITY_UNAVAILABLE;
    struct export_record record = {.call = call, .records = document.records};
    if (result == GH_IDENTITY_OK)
        result = gh_identity_run(call, audit_export, &record);
    if (result == GH_IDENTITY_OK) {
        *out_json = json;
        *out_records = document.records;
    }
    return result;
}
