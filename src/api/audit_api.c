/* /admin/audit/verify, /admin/anomalies, /admin/csp/reports: what the audit log proves, and what it
   says of attackers and of browsers. */
#include "api/endpoint.h"
#include "identity/audit_check.h"
#include "identity/audit_key.h"
#include "identity/audit_log.h"
#include "identity/audit_read.h"
#include "json/writer.h"

/* ---- The chains ---- */

#define KEYS_BLOCK_BYTES (64u * 1024)
#define KEYS_BYTES_MAX   (1024u * 1024)

static enum gh_err verify(const struct gh_identity *identity, struct gh_audit_verdict *out_verdict,
                          bool *out_with_keys)
{
    struct gh_arena arena;
    struct gh_audit_keys keys = {.key = NULL};
    gh_arena_init(&arena, KEYS_BLOCK_BYTES, KEYS_BYTES_MAX);
    enum gh_err err = gh_audit_keys_read(identity, &arena, &keys);
    const struct gh_audit_verify_options options = {
        .verifiers = keys.verifiers,
        .verifier_count = keys.verifier_count,
        .unsigned_records_max = atomic_load(&identity->audit_unsigned_max),
    };
    if (err == GH_OK || err == GH_ERR_NOT_FOUND) /* no key: nothing was signed yet */
        err = gh_audit_check_store(identity->store, &options, GH_API_VERIFIED_RECORDS_MAX,
                                   out_verdict);
    *out_with_keys = keys.verifier_count > 0;
    gh_audit_keys_done(&keys);
    gh_arena_done(&arena);
    return err;
}

static void reply_verdict(struct gh_api_request *request)
{
    struct gh_audit_verdict verdict = {.fault = GH_AUDIT_FAULT_NONE};
    bool with_keys = false;
    enum gh_err err = verify(request->identity.identity, &verdict, &with_keys);
    if (err == GH_ERR_FULL) {
        gh_api_reply_problem(request, 409,
                             GH_STR("The log is too long to be checked while you wait: use the "
                                    "command gatehouse audit verify."));
        return;
    }
    if (!gh_api_is_ok(request, err == GH_OK ? GH_IDENTITY_OK : GH_IDENTITY_UNAVAILABLE))
        return;
    struct gh_buf json = gh_api_buf(request, GH_AUDIT_VERDICT_BYTES_MAX);
    gh_audit_verdict_put_json(&json, &verdict, with_keys);
    gh_api_reply_json(request, 200, &json);
}

/* One at a time: it takes a thread of the lane for seconds, and another one would find the same. */
void gh_api_audit_verify(struct gh_api_request *request)
{
    if (atomic_exchange(&request->api->verifying, true)) {
        gh_api_reply_problem(request, 409,
                             GH_STR("The log is being checked already. Try again shortly."));
        return;
    }
    reply_verdict(request);
    atomic_store(&request->api->verifying, false);
}

/* ---- Anomalies ---- */

/* Of a finding: all but its metadata, whose texts are written again. */
#define FINDING_FRAME_BYTES_MAX 256

static void put_text(struct gh_buf *json, const struct gh_json_doc *doc, const char *name)
{
    struct gh_str text = gh_json_string(gh_json_get(doc, gh_json_root(doc), gh_str_from_c(name)));
    if (text.ptr) {
        gh_json_put_member(json, gh_str_from_c(name), text);
        return;
    }
    gh_json_put_name(json, gh_str_from_c(name)); /* not of this rule, or erased */
    gh_buf_put(json, GH_STR("null"));
}

static void put_evidence(struct gh_buf *json, const struct gh_json_doc *doc, struct gh_str metadata)
{
    const struct gh_json_value *value = gh_json_get(doc, gh_json_root(doc), GH_STR("evidence"));
    gh_json_put_name(json, GH_STR("evidence"));
    if (value && value->kind == GH_JSON_OBJECT)
        gh_buf_put(json, gh_str_of(metadata.ptr + value->start, value->end - value->start));
    else
        gh_buf_put(json, GH_STR("null"));
}

static void put_finding(struct gh_buf *json, struct gh_arena *arena,
                        const struct gh_audit_record *record)
{
    static const char *const TEXTS[] = {"rule", "account", "network", "action"};
    struct gh_json_doc doc;
    if (gh_json_parse(arena, record->metadata, &gh_json_small, &doc, NULL) != GH_JSON_OK) {
        json->overflow = true; /* the arena is full: rows of the log are JSON */
        return;
    }
    gh_buf_put_char(json, '{');
    gh_json_put_member_u64(json, GH_STR("seq"), record->seq);
    if (gh_audit_chain_of(record) > 1)
        gh_json_put_member_u64(json, GH_STR("chain"), record->chain);
    gh_api_put_time(json, GH_STR("time"), record->time_us);
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        put_text(json, &doc, TEXTS[i]);
    put_evidence(json, &doc, record->metadata);
    gh_buf_put_char(json, '}');
}

static void reply_findings(struct gh_api_request *request, const struct gh_audit_entries *entries,
                           size_t limit)
{
    size_t bytes_max = FINDING_FRAME_BYTES_MAX;
    for (size_t i = 0; i < entries->count; i++)
        bytes_max += FINDING_FRAME_BYTES_MAX +
                     entries->items[i].record.metadata.len * GH_API_ESCAPED_BYTES_MAX;
    struct gh_buf json = gh_api_buf(request, bytes_max);
    gh_buf_put(&json, GH_STR("{\"anomalies\":["));
    for (size_t i = 0; i < entries->count; i++) {
        if (i)
            gh_buf_put_char(&json, ',');
        put_finding(&json, &request->call->arena, &entries->items[i].record);
    }
    gh_buf_put_char(&json, ']');
    gh_api_put_next(&json, entries, limit);
    gh_buf_put_char(&json, '}');
    gh_api_reply_json(request, 200, &json);
}

void gh_api_anomalies(struct gh_api_request *request)
{
    static const char *const NAMES[] = {"before", "limit", NULL};
    struct gh_str values[2];
    struct gh_audit_query query = {.every_chain = true,
                                   .event = gh_audit_event_facts(GH_AUDIT_ANOMALY_DETECTED)->name};
    struct gh_audit_entries entries;
    uint64_t limit;
    if (!gh_api_read_query(request, NAMES, values) ||
        !gh_api_read_number(request, values[0], GH_API_SEQ_MAX, 0, &query.before_seq) ||
        !gh_api_read_number(request, values[1], GH_API_PAGE_MAX, GH_API_PAGE_DEFAULT, &limit))
        return;
    query.limit = (size_t)limit;
    enum gh_err err =
        gh_audit_log_page(request->identity.identity, request->identity.arena, &query, &entries);
    if (gh_api_is_ok(request, err == GH_OK ? GH_IDENTITY_OK : GH_IDENTITY_UNAVAILABLE) &&
        gh_api_is_ok(request,
                     gh_audit_read_note(&request->identity, &query, query.before_seq != 0)))
        reply_findings(request, &entries, (size_t)limit);
}
