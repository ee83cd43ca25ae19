/* The review as Markdown: tables that are readable as they stand. */
#include "audit/review.h"

#define TOP_NETWORKS 20

/* Text of others inside a cell: no markup, no end of the line. */
static void put_cell(struct gh_buf *buf, struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((unsigned char)c < ' ' || c == 0x7f)
            c = ' ';
        if (strchr("\\`*_[]<>|&#!", c))
            gh_buf_put_char(buf, '\\');
        gh_buf_put_char(buf, c);
    }
}

/* A column for each day, at most the last 31. */
static void put_spark(struct gh_buf *buf, const struct gh_audit_review *review,
                      enum gh_audit_event event)
{
    static const struct gh_str BARS[] = {GH_STR_INIT("·"), GH_STR_INIT("▁"), GH_STR_INIT("▂"),
                                         GH_STR_INIT("▃"), GH_STR_INIT("▄"), GH_STR_INIT("▅"),
                                         GH_STR_INIT("▆"), GH_STR_INIT("▇"), GH_STR_INIT("█")};
    uint64_t max = gh_review_day_max(review, event);
    size_t first = review->days > 31 ? review->days - 31 : 0;
    for (size_t day = first; day < review->days; day++) {
        uint64_t value = gh_review_day(review, event, day);
        size_t bar = value ? 1 + (size_t)(value * 7 / (max ? max : 1)) : 0;
        gh_buf_put(buf, BARS[bar]);
    }
}

static void put_counts(struct gh_buf *buf, const struct gh_audit_review *review)
{
    gh_buf_put(buf,
               GH_STR("## Events\n\n| event | count | failed | by day |\n|---|---:|---:|---|\n"));
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++) {
        if (!review->events[i])
            continue;
        gh_buf_format(buf, "| `%.*s` | %llu | %llu | ",
                      GH_STR_ARG(gh_audit_event_facts((enum gh_audit_event)i)->name),
                      (unsigned long long)review->events[i],
                      (unsigned long long)review->failures[i]);
        put_spark(buf, review, (enum gh_audit_event)i);
        gh_buf_put(buf, GH_STR(" |\n"));
    }
}

static void put_lines(struct gh_buf *buf, const char *title, const struct gh_review_line *lines,
                      uint64_t count)
{
    gh_buf_format(buf, "\n## %s\n\n", title);
    if (!count) {
        gh_buf_put(buf, GH_STR("None.\n"));
        return;
    }
    gh_buf_put(buf, GH_STR("| record | time | event | by | account | details |\n"
                           "|---:|---|---|---|---|---|\n"));
    for (uint64_t i = 0; i < count && i < GH_REVIEW_LIST_MAX; i++) {
        gh_buf_put(buf, GH_STR("| "));
        gh_review_put_number(buf, lines[i].chain, lines[i].seq);
        gh_buf_put(buf, GH_STR(" | "));
        gh_audit_put_time(buf, lines[i].time_us);
        gh_buf_format(buf, " | `%.*s` | ", GH_STR_ARG(gh_audit_event_facts(lines[i].event)->name));
        put_cell(buf, lines[i].actor_id);
        gh_buf_put(buf, GH_STR(" | "));
        put_cell(buf, lines[i].user_id);
        gh_buf_put(buf, GH_STR(" | "));
        put_cell(buf, lines[i].metadata);
        gh_buf_put(buf, GH_STR(" |\n"));
    }
    if (count > GH_REVIEW_LIST_MAX)
        gh_buf_format(buf, "\nand %llu more.\n", (unsigned long long)(count - GH_REVIEW_LIST_MAX));
}

static void put_networks(struct gh_buf *buf, const struct gh_audit_review *review)
{
    struct gh_review_network top[TOP_NETWORKS];
    size_t count = gh_review_top_networks(review, top, TOP_NETWORKS);
    gh_buf_put(buf, GH_STR("\n## Failures by network\n\n"));
    if (!count) {
        gh_buf_put(buf, GH_STR("None.\n"));
        return;
    }
    gh_buf_put(buf, GH_STR("| network | failures |\n|---|---:|\n"));
    for (size_t i = 0; i < count; i++)
        gh_buf_format(buf, "| %s | %llu |\n", top[i].text, (unsigned long long)top[i].failures);
    if (review->networks_lost)
        gh_buf_format(buf, "\nand %llu of networks beyond the first %u.\n",
                      (unsigned long long)review->networks_lost, GH_REVIEW_NETWORKS_MAX);
}

static void put_finds(struct gh_buf *buf, const struct gh_audit_review *review)
{
    gh_buf_put(buf, GH_STR("\n## Personal data where none should be\n\n"));
    if (!review->find_count) {
        gh_buf_put(buf, GH_STR("None found.\n"));
        return;
    }
    for (unsigned kind = 0; kind < GH_SCAN_KIND_COUNT; kind++)
        if (review->finds_by_kind[kind])
            gh_buf_format(buf, "- %.*s: %llu\n",
                          GH_STR_ARG(gh_scan_kind_name((enum gh_scan_kind)kind)),
                          (unsigned long long)review->finds_by_kind[kind]);
    gh_buf_put(buf, GH_STR("\n| record | event | field | looks like |\n|---:|---|---|---|\n"));
    for (uint64_t i = 0; i < review->find_count && i < GH_REVIEW_LIST_MAX; i++) {
        const struct gh_review_find *find = &review->finds[i];
        gh_buf_put(buf, GH_STR("| "));
        gh_review_put_number(buf, find->chain, find->seq);
        gh_buf_format(buf, " | `%.*s` | %s | %.*s |\n",
                      GH_STR_ARG(gh_audit_event_facts(find->event)->name), find->field,
                      GH_STR_ARG(gh_scan_kind_name(find->kind)));
    }
    if (review->find_count > GH_REVIEW_LIST_MAX)
        gh_buf_format(buf, "\nand %llu more.\n",
                      (unsigned long long)(review->find_count - GH_REVIEW_LIST_MAX));
}

static void put_secrets(struct gh_buf *buf, const struct gh_audit_review *review)
{
    gh_buf_put(buf, GH_STR("\n## Secrets\n\n"));
    if (!review->secret_count) {
        gh_buf_put(buf, GH_STR("Not known here.\n"));
        return;
    }
    gh_buf_put(buf, GH_STR("| secret | age | due |\n|---|---:|---|\n"));
    for (size_t i = 0; i < review->secret_count; i++) {
        const struct gh_review_secret *secret = &review->secrets[i];
        gh_buf_put(buf, GH_STR("| "));
        put_cell(buf, secret->purpose);
        gh_buf_format(buf, " | %llu days | ", (unsigned long long)secret->age_days);
        if (secret->overdue)
            gh_buf_put(buf, GH_STR("**overdue** |\n"));
        else
            gh_buf_format(buf, "in %llu days |\n", (unsigned long long)secret->due_in_days);
    }
}

void gh_audit_review_put_markdown(struct gh_buf *buf, const struct gh_audit_review *review)
{
    gh_buf_put(buf, GH_STR("# Audit review"));
    if (review->title.len) {
        gh_buf_put(buf, GH_STR(": "));
        put_cell(buf, review->title);
    }
    gh_buf_put(buf, GH_STR("\n\n"));
    gh_review_put_date(buf, review->since_us);
    gh_buf_put(buf, GH_STR(" to "));
    gh_review_put_date(buf, review->until_us);
    gh_buf_format(buf, ", %llu records.\n\n## Integrity\n\n", (unsigned long long)review->records);
    gh_review_put_integrity(buf, review);
    gh_buf_put(buf, GH_STR("\n\n"));
    if (review->memory_lost)
        gh_buf_put(buf, GH_STR("There was not enough memory for all texts: some are missing.\n\n"));
    put_counts(buf, review);
    put_lines(buf, "Anomalies", review->anomalies, review->anomaly_count);
    put_lines(buf, "Privileged actions", review->privileged, review->privileged_count);
    put_networks(buf, review);
    put_finds(buf, review);
    put_secrets(buf, review);
}
