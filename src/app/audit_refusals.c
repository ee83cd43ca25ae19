#include "app/audit_refusals.h"

#include "json/writer.h"

/* Each byte of a text may become six. */
#define METADATA_BYTES_MAX                                                                         \
    (6 * (GH_TALLY_REASON_MAX + GH_TALLY_DETAIL_MAX + GH_TALLY_ROUTE_MAX) + 128)

/* How the catalogue calls what was refused more closely. */
static struct gh_str detail_name(enum gh_audit_event event)
{
    if (event == GH_AUDIT_INPUT_REJECTED)
        return GH_STR("operation");
    return event == GH_AUDIT_CSP_VIOLATION ? GH_STR("directive") : GH_STR("policy");
}

static void put_metadata(struct gh_buf *buf, const struct gh_tally_entry *entry)
{
    gh_buf_put_char(buf, '{');
    gh_json_put_member_u64(buf, GH_STR("count"), entry->count);
    if (entry->reason.len)
        gh_json_put_member(buf, GH_STR("reason"), entry->reason);
    if (entry->detail.len)
        gh_json_put_member(buf, detail_name(entry->event), entry->detail);
    if (entry->route.len)
        gh_json_put_member(buf, GH_STR("route"), entry->route);
    gh_buf_put_char(buf, '}');
}

enum gh_err gh_audit_refusal_record(struct gh_arena *arena, const struct gh_tally_entry *entry,
                                    uint64_t now_us, struct gh_audit_record *out_record)
{
    char memory[METADATA_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    put_metadata(&buf, entry);
    struct gh_audit_record record = {
        .time_us = now_us,
        .event = entry->event,
        .user_id = entry->user_id,
        .actor_id = entry->user_id,
        .ip_address = entry->client,
        .user_agent = entry->user_agent,
        .request_id = entry->request_id,
        .outcome = entry->event == GH_AUDIT_CSP_VIOLATION ? GH_AUDIT_SUCCESS : GH_AUDIT_FAILURE,
        .metadata = gh_arena_dup(arena, gh_buf_str(&buf)),
    };
    if (entry->session.len) {
        char session[GH_AUDIT_SESSION_LEN + 1];
        gh_audit_session_hash(entry->session, session);
        record.session = gh_arena_dup(arena, gh_str_of(session, GH_AUDIT_SESSION_LEN));
    }
    if (buf.overflow || !record.metadata.ptr || (entry->session.len && !record.session.ptr))
        return GH_ERR_MEMORY;
    *out_record = record;
    return GH_OK;
}
