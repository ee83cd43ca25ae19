/*
 * The monthly review (SPEC section 5): what a responsible person reads. Records in clear go in, in
 * any order; out comes one page, in Markdown or HTML. Pure and bounded: what finds no place in a
 * list is counted.
 */
#ifndef GH_AUDIT_REVIEW_H
#define GH_AUDIT_REVIEW_H

#include "audit/record.h"
#include "audit/review_scan.h"
#include "audit/verify.h"

#define GH_REVIEW_DAYS_MAX     400
#define GH_REVIEW_NETWORKS_MAX 4096
#define GH_REVIEW_LIST_MAX     200

struct gh_review_network {
    char text[50]; /* "192.0.2.0/24" */
    uint64_t failures;
};
/* A line of a list: all texts in the review's arena. */
struct gh_review_line {
    uint32_t chain;
    uint64_t seq, time_us;
    enum gh_audit_event event;
    struct gh_str actor_id, user_id, metadata;
};
/* Something that a text should not have. The text itself is never shown again. */
struct gh_review_find {
    uint32_t chain;
    uint64_t seq;
    enum gh_audit_event event;
    const char *field;
    enum gh_scan_kind kind;
};
/* What is due (identity/secret_status.h knows). */
struct gh_review_secret {
    struct gh_str purpose;
    uint64_t age_days, due_in_days; /* due_in_days 0: due */
    bool overdue;
};

struct gh_audit_review {
    struct gh_arena *arena;  /* of the lists */
    struct gh_arena scratch; /* of one record */
    uint64_t since_us, until_us;
    size_t days;
    uint64_t *by_day; /* [event * days + day], in events (what was coalesced counts) */
    uint64_t records, events[GH_AUDIT_EVENT_COUNT], failures[GH_AUDIT_EVENT_COUNT];
    struct gh_review_network *networks; /* GH_REVIEW_NETWORKS_MAX, open addressing */
    uint64_t networks_lost;             /* failures of networks beyond the table */
    struct gh_review_line privileged[GH_REVIEW_LIST_MAX], anomalies[GH_REVIEW_LIST_MAX];
    uint64_t privileged_count, anomaly_count; /* of all, listed or not */
    struct gh_review_find finds[GH_REVIEW_LIST_MAX];
    uint64_t find_count, finds_by_kind[GH_SCAN_KIND_COUNT];
    bool memory_lost; /* something could not be kept: the review says so */

    /* set by the caller before it is written */
    bool verified;
    struct gh_audit_verdict verdict;
    const struct gh_review_secret *secrets;
    size_t secret_count;
    struct gh_str title; /* "gatehouse.example.org" */
};

/* From since_us up to until_us (at most GH_REVIEW_DAYS_MAX days). False: no memory. */
bool gh_audit_review_begin(struct gh_audit_review *review, struct gh_arena *arena,
                           uint64_t since_us, uint64_t until_us);
void gh_audit_review_add(struct gh_audit_review *review, const struct gh_audit_record *clear);
void gh_audit_review_end(struct gh_audit_review *review);

/* The page; check buf->overflow. 2 MiB are enough. */
#define GH_REVIEW_BYTES_MAX (2u * 1024 * 1024)
void gh_audit_review_put_markdown(struct gh_buf *buf, const struct gh_audit_review *review);
void gh_audit_review_put_html(struct gh_buf *buf, const struct gh_audit_review *review);

/* ---- For the two writers ---- */

/* The networks with most failures, at most `count`, in order; returns how many. */
size_t gh_review_top_networks(const struct gh_audit_review *review, struct gh_review_network *out,
                              size_t count);
/* Of an event in a day, and the greatest of its days. */
uint64_t gh_review_day(const struct gh_audit_review *review, enum gh_audit_event event, size_t day);
uint64_t gh_review_day_max(const struct gh_audit_review *review, enum gh_audit_event event);
/* The number of a record: "7", of other chains than the first "2:7". */
void gh_review_put_number(struct gh_buf *buf, uint32_t chain, uint64_t seq);
/* "intact: 1 to 1234, signed through 1200", or what is wrong. */
void gh_review_put_integrity(struct gh_buf *buf, const struct gh_audit_review *review);
/* "2026-01-31" */
void gh_review_put_date(struct gh_buf *buf, uint64_t time_us);

#endif
