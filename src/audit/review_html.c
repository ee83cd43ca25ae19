/* The review as one HTML file: no script, nothing loaded, charts as SVG; light and dark. */
#include "audit/review.h"

#define TOP_NETWORKS 20
#define CHART_HEIGHT 24
#define BAR_WIDTH    6

static const struct gh_str HEAD = GH_STR_INIT(
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
    "style-src 'unsafe-inline'\"><title>Audit review</title><style>"
    ":root{color-scheme:light dark}"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884;"
    "vertical-align:top;overflow-wrap:anywhere}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "code{font-size:.9em}svg rect{fill:#3b7dd8}.bad{color:#c0392b;font-weight:600}"
    ".good{color:#2e8b57;font-weight:600}</style></head><body>\n");

static void put_escaped(struct gh_buf *buf, struct gh_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '&')
            gh_buf_put(buf, GH_STR("&amp;"));
        else if (c == '<')
            gh_buf_put(buf, GH_STR("&lt;"));
        else if (c == '>')
            gh_buf_put(buf, GH_STR("&gt;"));
        else if (c == '"')
            gh_buf_put(buf, GH_STR("&quot;"));
        else if (c == '\'')
            gh_buf_put(buf, GH_STR("&#39;"));
        else
            gh_buf_put_char(buf, (unsigned char)c < ' ' || c == 0x7f ? ' ' : c);
    }
}

static void put_cell(struct gh_buf *buf, struct gh_str text)
{
    gh_buf_put(buf, GH_STR("<td>"));
    put_escaped(buf, text);
    gh_buf_put(buf, GH_STR("</td>"));
}

static void put_event_cell(struct gh_buf *buf, enum gh_audit_event event)
{
    const struct gh_audit_event_facts *facts = gh_audit_event_facts(event);
    gh_buf_format(buf, "<td><code title=\"%.*s\">%.*s</code></td>", GH_STR_ARG(facts->meaning),
                  GH_STR_ARG(facts->name));
}

static void put_number_cell(struct gh_buf *buf, uint64_t number)
{
    gh_buf_format(buf, "<td class=\"n\">%llu</td>", (unsigned long long)number);
}

static void put_record_cell(struct gh_buf *buf, uint32_t chain, uint64_t seq)
{
    gh_buf_put(buf, GH_STR("<td class=\"n\">"));
    gh_review_put_number(buf, chain, seq);
    gh_buf_put(buf, GH_STR("</td>"));
}

/* A bar for each day. */
static void put_chart(struct gh_buf *buf, const struct gh_audit_review *review,
                      enum gh_audit_event event)
{
    uint64_t max = gh_review_day_max(review, event);
    size_t first = review->days > 62 ? review->days - 62 : 0;
    gh_buf_format(buf,
                  "<td><svg width=\"%zu\" height=\"%u\" role=\"img\" aria-label=\"at most %llu a "
                  "day\">",
                  (review->days - first) * BAR_WIDTH, CHART_HEIGHT, (unsigned long long)max);
    for (size_t day = first; day < review->days; day++) {
        uint64_t value = gh_review_day(review, event, day);
        if (!value)
            continue;
        unsigned height = 1 + (unsigned)(value * (CHART_HEIGHT - 1) / max);
        gh_buf_format(buf,
                      "<rect x=\"%zu\" y=\"%u\" width=\"%u\" height=\"%u\"><title>%llu</title>"
                      "</rect>",
                      (day - first) * BAR_WIDTH, CHART_HEIGHT - height, BAR_WIDTH - 1, height,
                      (unsigned long long)value);
    }
    gh_buf_put(buf, GH_STR("</svg></td>"));
}

static void put_counts(struct gh_buf *buf, const struct gh_audit_review *review)
{
    gh_buf_put(buf, GH_STR("<h2>Events</h2>\n<table><tr><th>event<th class=\"n\">count"
                           "<th class=\"n\">failed<th>by day</tr>\n"));
    for (unsigned i = 0; i < GH_AUDIT_EVENT_COUNT; i++) {
        enum gh_audit_event event = (enum gh_audit_event)i;
        if (!review->events[i])
            continue;
        gh_buf_put(buf, GH_STR("<tr>"));
        put_event_cell(buf, event);
        put_number_cell(buf, review->events[i]);
        put_number_cell(buf, review->failures[i]);
        put_chart(buf, review, event);
        gh_buf_put(buf, GH_STR("</tr>\n"));
    }
    gh_buf_put(buf, GH_STR("</table>\n"));
}

static void put_more(struct gh_buf *buf, uint64_t count)
{
    if (count > GH_REVIEW_LIST_MAX)
        gh_buf_format(buf, "<p>and %llu more.</p>\n",
                      (unsigned long long)(count - GH_REVIEW_LIST_MAX));
}

static void put_lines(struct gh_buf *buf, const char *title, const struct gh_review_line *lines,
                      uint64_t count)
{
    gh_buf_format(buf, "<h2>%s</h2>\n", title);
    if (!count) {
        gh_buf_put(buf, GH_STR("<p>None.</p>\n"));
        return;
    }
    gh_buf_put(buf, GH_STR("<table><tr><th class=\"n\">record<th>time<th>event<th>by<th>account"
                           "<th>details</tr>\n"));
    for (uint64_t i = 0; i < count && i < GH_REVIEW_LIST_MAX; i++) {
        gh_buf_put(buf, GH_STR("<tr>"));
        put_record_cell(buf, lines[i].chain, lines[i].seq);
        gh_buf_put(buf, GH_STR("<td>"));
        gh_audit_put_time(buf, lines[i].time_us);
        gh_buf_put(buf, GH_STR("</td>"));
        put_event_cell(buf, lines[i].event);
        put_cell(buf, lines[i].actor_id);
        put_cell(buf, lines[i].user_id);
        put_cell(buf, lines[i].metadata);
        gh_buf_put(buf, GH_STR("</tr>\n"));
    }
    gh_buf_put(buf, GH_STR("</table>\n"));
    put_more(buf, count);
}

static void put_networks(struct gh_buf *buf, const struct gh_audit_review *review)
{
    struct gh_review_network top[TOP_NETWORKS];
    size_t count = gh_review_top_networks(review, top, TOP_NETWORKS);
    gh_buf_put(buf, GH_STR("<h2>Failures by network</h2>\n"));
    if (!count) {
        gh_buf_put(buf, GH_STR("<p>None.</p>\n"));
        return;
    }
    gh_buf_put(buf, GH_STR("<table><tr><th>network<th class=\"n\">failures</tr>\n"));
    for (size_t i = 0; i < count; i++) {
        gh_buf_format(buf, "<tr><td>%s</td>", top[i].text);
        put_number_cell(buf, top[i].failures);
        gh_buf_put(buf, GH_STR("</tr>\n"));
    }
    gh_buf_put(buf, GH_STR("</table>\n"));
    if (review->networks_lost)
        gh_buf_format(buf, "<p>and %llu of networks beyond the first %u.</p>\n",
                      (unsigned long long)review->networks_lost, GH_REVIEW_NETWORKS_MAX);
}

static void put_finds(struct gh_buf *buf, const struct gh_audit_review *review)
{
    gh_buf_put(buf, GH_STR("<h2>Personal data where none should be</h2>\n"));
    if (!review->find_count) {
        gh_buf_put(buf, GH_STR("<p>None found.</p>\n"));
        return;
    }
    gh_buf_put(buf, GH_STR("<table><tr><th class=\"n\">record<th>event<th>field<th>looks like"
                           "</tr>\n"));
    for (uint64_t i = 0; i < review->find_count && i < GH_REVIEW_LIST_MAX; i++) {
        const struct gh_review_find *find = &review->finds[i];
        gh_buf_put(buf, GH_STR("<tr>"));
        put_record_cell(buf, find->chain, find->seq);
        put_event_cell(buf, find->event);
        gh_buf_format(buf, "<td>%s</td>", find->field);
        put_cell(buf, gh_scan_kind_name(find->kind));
        gh_buf_put(buf, GH_STR("</tr>\n"));
    }
    gh_buf_put(buf, GH_STR("</table>\n"));
    put_more(buf, review->find_count);
}

static void put_secrets(struct gh_buf *buf, const struct gh_audit_review *review)
{
    gh_buf_put(buf, GH_STR("<h2>Secrets</h2>\n"));
    if (!review->secret_count) {
        gh_buf_put(buf, GH_STR("<p>Not known here.</p>\n"));
        return;
    }
    gh_buf_put(buf, GH_STR("<table><tr><th>secret<th class=\"n\">age in days<th>due</tr>\n"));
    for (size_t i = 0; i < review->secret_count; i++) {
        const struct gh_review_secret *secret = &review->secrets[i];
        gh_buf_put(buf, GH_STR("<tr>"));
        put_cell(buf, secret->purpose);
        put_number_cell(buf, secret->age_days);
        if (secret->overdue)
            gh_buf_put(buf, GH_STR("<td class=\"bad\">overdue</td></tr>\n"));
        else
            gh_buf_format(buf, "<td>in %llu days</td></tr>\n",
                          (unsigned long long)secret->due_in_days);
    }
    gh_buf_put(buf, GH_STR("</table>\n"));
}

static void put_top(struct gh_buf *buf, const struct gh_audit_review *review)
{
    bool broken = review->verified && review->verdict.fault != GH_AUDIT_FAULT_NONE;
    gh_buf_put(buf, GH_STR("<h1>Audit review"));
    if (review->title.len) {
        gh_buf_put(buf, GH_STR(": "));
        put_escaped(buf, review->title);
    }
    gh_buf_put(buf, GH_STR("</h1>\n<p>"));
    gh_review_put_date(buf, review->since_us);
    gh_buf_put(buf, GH_STR(" to "));
    gh_review_put_date(buf, review->until_us);
    gh_buf_format(buf, ", %llu records.</p>\n<h2>Integrity</h2>\n<p%s>",
                  (unsigned long long)review->records,
                  broken             ? " class=\"bad\""
                  : review->verified ? " class=\"good\""
                                     : "");
    gh_review_put_integrity(buf, review);
    gh_buf_put(buf, GH_STR("</p>\n"));
    if (review->memory_lost)
        gh_buf_put(buf, GH_STR("<p class=\"bad\">There was not enough memory for all texts: some "
                               "are missing.</p>\n"));
}

void gh_audit_review_put_html(struct gh_buf *buf, const struct gh_audit_review *review)
{
    gh_buf_put(buf, HEAD);
    put_top(buf, review);
    put_counts(buf, review);
    put_lines(buf, "Anomalies", review->anomalies, review->anomaly_count);
    put_lines(buf, "Privileged actions", review->privileged, review->privileged_count);
    put_networks(buf, review);
    put_finds(buf, review);
    put_secrets(buf, review);
    gh_buf_put(buf, GH_STR("</body></html>\n"));
}
