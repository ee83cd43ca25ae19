#include "audit/review.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/ip.h"
#include "json/parse.h"

#define DAY_US            86400000000ull
#define SCRATCH_BLOCK     (16u * 1024)
#define SCRATCH_BYTES_MAX (1024u * 1024)
#define DATE_LEN          10

bool gh_audit_review_begin(struct gh_audit_review *review, struct gh_arena *arena,
                           uint64_t since_us, uint64_t until_us)
{
    *review = (struct gh_audit_review){.arena = arena, .since_us = since_us, .until_us = until_us};
    uint64_t days = until_us > since_us ? (until_us - since_us + DAY_US - 1) / DAY_US : 1;
    review->days = days < GH_REVIEW_DAYS_MAX ? (size_t)days : GH_REVIEW_DAYS_MAX;
    review->by_day =
        gh_arena_zalloc(arena, GH_AUDIT_EVENT_COUNT * review->days, sizeof(*review->by_day));
    review->networks = gh_arena_zalloc(arena, GH_REVIEW_NETWORKS_MAX, sizeof(*review->networks));
    gh_arena_init(&review->scratch, SCRATCH_BLOCK, SCRATCH_BYTES_MAX);
    return review->by_day && review->networks;
}

void gh_audit_review_end(struct gh_audit_review *review)
{
    gh_arena_done(&review->scratch);
}

/* ---- Failures by network ---- */

static void write_network(struct gh_str address, struct gh_review_network *out)
{
    struct gh_ip ip;
    struct gh_buf buf = gh_buf_over(out->text, sizeof(out->text) - 1);
    if (gh_ip_parse(address, &ip)) {
        struct gh_ip base = gh_ip_mask(&ip, 24, 64);
        gh_ip_write(&buf, &base);
        gh_buf_put(&buf, ip.family == GH_IP_V4 ? GH_STR("/24") : GH_STR("/64"));
    } else {
        gh_buf_put(&buf, GH_STR("unknown"));
    }
    out->text[buf.len] = 0;
}

static void count_network(struct gh_audit_review *review, struct gh_str address, uint64_t count)
{
    struct gh_review_network wanted;
    write_network(address, &wanted);
    /* The table is thrown away soon and its worst case is bounded: no secret is needed. */
    uint64_t hash = gh_hash64((struct gh_hash_key){0, 0}, gh_str_from_c(wanted.text));
    for (size_t i = 0; i < GH_REVIEW_NETWORKS_MAX; i++) {
        struct gh_review_network *slot = &review->networks[(hash + i) % GH_REVIEW_NETWORKS_MAX];
        if (!slot->text[0])
            memcpy(slot->text, wanted.text, sizeof(slot->text));
        if (strcmp(slot->text, wanted.text) != 0)
            continue;
        slot->failures += count;
        return;
    }
    review->networks_lost += count;
}

static int by_failures(const void *a, const void *b)
{
    const struct gh_review_network *left = a, *right = b;
    if (left->failures != right->failures)
        return left->failures < right->failures ? 1 : -1;
    return strcmp(left->text, right->text);
}

size_t gh_review_top_networks(const struct gh_audit_review *review, struct gh_review_network *out,
                              size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < GH_REVIEW_NETWORKS_MAX; i++) {
        const struct gh_review_network *network = &review->networks[i];
        if (!network->text[0])
            continue;
        if (found < count)
            out[found++] = *network;
        else if (by_failures(network, &out[count - 1]) < 0)
            out[count - 1] = *network;
        qsort(out, found, sizeof(*out), by_failures);
    }
    return found;
}

/* ---- Lists ---- */

static struct gh_str kept(struct gh_audit_review *review, struct gh_str text)
{
    struct gh_str copy = gh_arena_dup(review->arena, text);
    if (copy.ptr)
        return copy;
    review->memory_lost = true;
    return GH_STR("");
}

static void list(struct gh_audit_review *review, const struct gh_audit_record *record,
                 struct gh_review_line *lines, uint64_t *count)
{
    if (*count < GH_REVIEW_LIST_MAX)
        lines[*count] = (struct gh_review_line){
            .chain = gh_audit_chain_of(record),
            .seq = record->seq,
            .time_us = record->time_us,
            .event = record->event,
            .actor_id = kept(review, record->actor_id),
            .user_id = kept(review, record->user_id),
            .metadata = kept(review, record->metadata),
        };
    ++*count;
}

/* ---- Personal data where none should be ---- */

static void scan(struct gh_audit_review *review, const struct gh_audit_record *record,
                 const char *field, struct gh_str text)
{
    uint64_t counts[GH_SCAN_KIND_COUNT] = {0};
    gh_scan_text(text, counts);
    for (unsigned kind = 0; kind < GH_SCAN_KIND_COUNT; kind++) {
        if (!counts[kind])
            continue;
        review->finds_by_kind[kind] += counts[kind];
        if (review->find_count < GH_REVIEW_LIST_MAX)
            review->finds[review->find_count] =
                (struct gh_review_find){gh_audit_chain_of(record), record->seq, record->event,
                                        field, (enum gh_scan_kind)kind};
        review->find_count++;
    }
}

/* Members that are personal by the catalogue may have such values; checkpoints are long keys. */
static void scan_metadata(struct gh_audit_review *review, const struct gh_audit_record *record,
                          const struct gh_json_doc *doc)
{
    const struct gh_json_value *root = gh_json_root(doc);
    for (const struct gh_json_value *value = gh_json_first(doc, root); value;
         value = gh_json_after(doc, root, value)) {
        const struct gh_audit_member *member = gh_audit_member_find(record->event, value->name);
        if (member && !member->personal && value->kind == GH_JSON_STRING)
            scan(review, record, member->name.ptr, value->text);
    }
}

/* ---- One record ---- */

/* How many events it stands for. */
static uint64_t count_of(const struct gh_json_doc *doc)
{
    int64_t count;
    const struct gh_json_value *member = gh_json_get(doc, gh_json_root(doc), GH_STR("count"));
    return member && gh_json_int64(member, &count) && count > 0 ? (uint64_t)count : 1;
}

static bool is_counted(enum gh_audit_event event)
{
    return event != GH_AUDIT_SESSION_REVOKED; /* there `count` is of sessions */
}

void gh_audit_review_add(struct gh_audit_review *review, const struct gh_audit_record *clear)
{
    struct gh_json_doc doc = {0};
    if (clear->time_us < review->since_us || clear->time_us >= review->until_us)
        return;
    gh_arena_reset(&review->scratch);
    if (clear->metadata.len &&
        gh_json_parse(&review->scratch, clear->metadata, &gh_json_small, &doc, NULL) != GH_JSON_OK)
        doc = (struct gh_json_doc){0};
    uint64_t count = is_counted(clear->event) ? count_of(&doc) : 1;
    size_t day = (size_t)((clear->time_us - review->since_us) / DAY_US);
    review->records++;
    review->events[clear->event] += count;
    if (day < review->days)
        review->by_day[clear->event * review->days + day] += count;
    if (clear->outcome == GH_AUDIT_FAILURE) {
        review->failures[clear->event] += count;
        count_network(review, clear->ip_address, count);
    }
    if (clear->event == GH_AUDIT_ANOMALY_DETECTED)
        list(review, clear, review->anomalies, &review->anomaly_count);
    else if (gh_audit_event_facts(clear->event)->privileged)
        list(review, clear, review->privileged, &review->privileged_count);
    if (clear->event == GH_AUDIT_AUDIT_CHECKPOINT)
        return;
    scan(review, clear, "user_agent", clear->user_agent);
    scan(review, clear, "request_id", clear->request_id);
    scan_metadata(review, clear, &doc);
}

/* ---- For the writers ---- */

uint64_t gh_review_day(const struct gh_audit_review *review, enum gh_audit_event event, size_t day)
{
    return review->by_day[event * review->days + day];
}

uint64_t gh_review_day_max(const struct gh_audit_review *review, enum gh_audit_event event)
{
    uint64_t max = 0;
    for (size_t day = 0; day < review->days; day++)
        if (gh_review_day(review, event, day) > max)
            max = gh_review_day(review, event, day);
    return max;
}

void gh_review_put_number(struct gh_buf *buf, uint32_t chain, uint64_t seq)
{
    if (chain > 1)
        gh_buf_format(buf, "%u:", (unsigned)chain);
    gh_buf_put_u64(buf, seq);
}

static void put_intact_chains(struct gh_buf *buf, const struct gh_audit_verdict *verdict)
{
    gh_buf_format(buf,
                  "Intact: %llu records in %llu chains, signed but for %llu at their ends by %llu "
                  "checkpoints in the log; %llu saved ones agree.",
                  (unsigned long long)verdict->records, (unsigned long long)verdict->chains,
                  (unsigned long long)verdict->unsigned_records,
                  (unsigned long long)verdict->checkpoints, (unsigned long long)verdict->saved_met);
}

void gh_review_put_integrity(struct gh_buf *buf, const struct gh_audit_review *review)
{
    const struct gh_audit_verdict *verdict = &review->verdict;
    if (!review->verified) {
        gh_buf_put(buf, GH_STR("The chain was not checked."));
        return;
    }
    if (verdict->fault != GH_AUDIT_FAULT_NONE) {
        gh_buf_put(buf, GH_STR("BROKEN: record "));
        gh_review_put_number(buf, verdict->chain, verdict->seq);
        gh_buf_format(buf, " %.*s.", GH_STR_ARG(gh_audit_fault_text(verdict->fault)));
        return;
    }
    if (verdict->absent_chain)
        gh_buf_format(buf, "Chain %u has no records, though one of a higher number has. ",
                      (unsigned)verdict->absent_chain);
    if (verdict->chains > 1) {
        put_intact_chains(buf, verdict);
        return;
    }
    gh_buf_format(buf,
                  "Intact: records %llu to %llu, signed through %llu by %llu checkpoints in the "
                  "log; %llu saved ones agree.",
                  (unsigned long long)verdict->first_seq, (unsigned long long)verdict->last_seq,
                  (unsigned long long)verdict->signed_through,
                  (unsigned long long)verdict->checkpoints, (unsigned long long)verdict->saved_met);
}

void gh_review_put_date(struct gh_buf *buf, uint64_t time_us)
{
    char text[GH_AUDIT_TIME_LEN + 1];
    struct gh_buf time = gh_buf_over(text, sizeof(text));
    gh_audit_put_time(&time, time_us);
    gh_buf_put(buf, gh_str_first(gh_buf_str(&time), DATE_LEN));
}
