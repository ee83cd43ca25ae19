/*
 * /admin/csp/reports: which directives browsers reported as violated, counted from the audit log's
 * records of 30 days. The log keeps no pages and no sources, so that there is no more to tell.
 */
#include <stdlib.h>

#include "api/endpoint.h"
#include "identity/audit_log.h"
#include "json/writer.h"

#define DAY_US           (24 * 3600 * UINT64_C(1000000))
#define WINDOW_US        (30 * DAY_US)
#define PAGE_ROWS        200
#define PAGE_BLOCK_BYTES (64u * 1024)
#define PAGE_BYTES_MAX   (32u * 1024 * 1024)
/* The names come from a list of directives; what a log has beyond that is counted as "other". */
#define DIRECTIVES_MAX  64
#define OTHER           GH_STR("other")
#define NAME_BYTES_MAX  100
#define DIRECTIVE_BYTES (256 + NAME_BYTES_MAX * GH_API_ESCAPED_BYTES_MAX)

struct directive {
    struct gh_str name; /* empty: the record does not say */
    uint64_t reports, first_us, last_us;
};

struct summary {
    uint64_t since_us;
    bool complete; /* false: counted from since_us only, there are more records than are read */
    uint64_t records, reports;
    struct directive directives[DIRECTIVES_MAX];
    size_t count;
};

/* ---- Counting ---- */

static struct directive *find(struct summary *summary, struct gh_str name)
{
    for (size_t i = 0; i < summary->count; i++)
        if (gh_str_eq(summary->directives[i].name, name))
            return &summary->directives[i];
    return NULL;
}

/* The last place is kept for OTHER. NULL: the arena is full. */
static struct directive *place_of(struct summary *summary, struct gh_arena *names,
                                  struct gh_str name)
{
    if (summary->count >= DIRECTIVES_MAX - 1 && !find(summary, name))
        name = OTHER;
    struct directive *place = find(summary, name);
    if (place)
        return place;
    struct gh_str kept = name.len ? gh_arena_dup(names, name) : GH_STR("");
    if (!kept.ptr)
        return NULL;
    place = &summary->directives[summary->count++];
    *place = (struct directive){.name = kept};
    return place;
}

/* Records come newest first. */
static enum gh_err add_record(struct summary *summary, struct gh_arena *page,
                              struct gh_arena *names, const struct gh_audit_record *record)
{
    struct gh_json_doc doc;
    int64_t count;
    if (gh_json_parse(page, record->metadata, &gh_json_small, &doc, NULL) != GH_JSON_OK)
        return GH_ERR_MEMORY; /* rows of the log are JSON */
    const struct gh_json_value *root = gh_json_root(&doc);
    struct gh_str name = gh_json_string(gh_json_get(&doc, root, GH_STR("directive")));
    if (!gh_json_int64(gh_json_get(&doc, root, GH_STR("count")), &count) || count < 1)
        count = 1;
    struct directive *place = place_of(summary, names, gh_str_first(name, NAME_BYTES_MAX));
    if (!place)
        return GH_ERR_MEMORY;
    place->reports += (uint64_t)count;
    place->first_us = record->time_us;
    if (!place->last_us)
        place->last_us = record->time_us;
    summary->reports += (uint64_t)count;
    summary->records++;
    return GH_OK;
}

static enum gh_err add_page(const struct gh_identity *identity, struct gh_audit_query *query,
                            struct summary *summary, struct gh_arena *page, struct gh_arena *names)
{
    struct gh_audit_entries entries = {.count = 0};
    gh_arena_reset(page);
    enum gh_err err = gh_audit_log_page(identity, page, query, &entries);
    for (size_t i = 0; err == GH_OK && i < entries.count; i++) {
        err = add_record(summary, page, names, &entries.items[i].record);
        query->before_seq = entries.items[i].position;
        if (summary->records == GH_API_CSP_RECORDS_MAX)
            summary->since_us = entries.items[i].record.time_us;
    }
    summary->complete = entries.count < PAGE_ROWS;
    return err;
}

static enum gh_err count_reports(struct gh_api_request *request, struct summary *summary)
{
    struct gh_arena page;
    struct gh_audit_query query = {
        .every_chain = true,
        .event = gh_audit_event_facts(GH_AUDIT_CSP_VIOLATION)->name,
        .since_us = summary->since_us,
        .limit = PAGE_ROWS,
    };
    enum gh_err err = GH_OK;
    gh_arena_init(&page, PAGE_BLOCK_BYTES, PAGE_BYTES_MAX);
    while (err == GH_OK && !summary->complete && summary->records < GH_API_CSP_RECORDS_MAX)
        err = add_page(request->identity.identity, &query, summary, &page, &request->call->arena);
    gh_arena_done(&page);
    return err;
}

/* ---- Telling ---- */

static int by_reports(const void *a, const void *b)
{
    const struct directive *x = a, *y = b;
    if (x->reports != y->reports)
        return x->reports < y->reports ? 1 : -1;
    return gh_str_compare(x->name, y->name);
}

static void put_directive(struct gh_buf *json, const struct directive *directive)
{
    gh_buf_put_char(json, '{');
    if (directive->name.len) {
        gh_json_put_member(json, GH_STR("directive"), directive->name);
    } else {
        gh_json_put_name(json, GH_STR("directive"));
        gh_buf_put(json, GH_STR("null"));
    }
    gh_json_put_member_u64(json, GH_STR("reports"), directive->reports);
    gh_api_put_time(json, GH_STR("first_at"), directive->first_us);
    gh_api_put_time(json, GH_STR("last_at"), directive->last_us);
    gh_buf_put_char(json, '}');
}

static void reply_summary(struct gh_api_request *request, struct summary *summary)
{
    struct gh_buf json = gh_api_buf(request, (summary->count + 1) * DIRECTIVE_BYTES);
    qsort(summary->directives, summary->count, sizeof(summary->directives[0]), by_reports);
    gh_buf_put_char(&json, '{');
    gh_api_put_time(&json, GH_STR("since"), summary->since_us);
    gh_json_put_member_bool(&json, GH_STR("complete"), summary->complete);
    gh_json_put_member_u64(&json, GH_STR("records"), summary->records);
    gh_json_put_member_u64(&json, GH_STR("reports"), summary->reports);
    gh_json_put_name(&json, GH_STR("directives"));
    gh_buf_put_char(&json, '[');
    for (size_t i = 0; i < summary->count; i++) {
        if (i)
            gh_buf_put_char(&json, ',');
        put_directive(&json, &summary->directives[i]);
    }
    gh_buf_put(&json, GH_STR("]}"));
    gh_api_reply_json(request, 200, &json);
}

void gh_api_csp_reports(struct gh_api_request *request)
{
    uint64_t now_us = request->call->now_us;
    struct summary summary = {.since_us = now_us > WINDOW_US ? now_us - WINDOW_US : 0};
    enum gh_err err = count_reports(request, &summary);
    if (gh_api_is_ok(request, err == GH_OK ? GH_IDENTITY_OK : GH_IDENTITY_UNAVAILABLE))
        reply_summary(request, &summary);
}
