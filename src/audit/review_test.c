/* The monthly review: what goes in comes out counted, listed and harmless. */
#include "audit/review.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define DAY_US   86400000000ull
#define SINCE_US 1800000000000000ull
#define UNTIL_US (SINCE_US + 30 * DAY_US)

static struct gh_arena arena;
static struct gh_audit_review *review;
static char *page;

static int setup(void **state)
{
    gh_arena_init(&arena, 65536, 16 * 1024 * 1024);
    review = gh_arena_alloc(&arena, sizeof(*review));
    page = malloc(GH_REVIEW_BYTES_MAX);
    assert_non_null(page);
    assert_true(gh_audit_review_begin(review, &arena, SINCE_US, UNTIL_US));
    return 0;
}

static int teardown(void **state)
{
    gh_audit_review_end(review);
    gh_arena_done(&arena);
    free(page);
    return 0;
}

static void add(enum gh_audit_event event, unsigned day, const char *address, const char *metadata)
{
    struct gh_audit_record record = {
        .seq = review->records + 1,
        .time_us = SINCE_US + day * DAY_US + 5,
        .event = event,
        .outcome = metadata && strstr(metadata, "reason") ? GH_AUDIT_FAILURE : GH_AUDIT_SUCCESS,
        .ip_address = gh_str_from_c(address),
        .user_agent = GH_STR("curl/8"),
        .metadata = gh_str_from_c(metadata),
    };
    gh_audit_review_add(review, &record);
}

static const char *written(void (*put)(struct gh_buf *, const struct gh_audit_review *))
{
    struct gh_buf buf = gh_buf_over(page, GH_REVIEW_BYTES_MAX - 1);
    put(&buf, review);
    assert_false(buf.overflow);
    page[buf.len] = 0;
    return page;
}

static const char *markdown(void)
{
    return written(gh_audit_review_put_markdown);
}

static const char *html(void)
{
    return written(gh_audit_review_put_html);
}

#define assert_has(text, part)   assert_non_null(strstr((text), (part)))
#define assert_lacks(text, part) assert_null(strstr((text), (part)))

static void an_empty_month_says_so(void **state)
{
    const char *text = markdown();
    assert_has(text, "2027-01-15 to 2027-02-14, 0 records.");
    assert_has(text, "The chain was not checked.");
    assert_has(text, "## Privileged actions\n\nNone.");
    assert_has(text, "None found.");
    assert_has(html(), "<h2>Anomalies</h2>\n<p>None.</p>");
}

static void counts_what_was_coalesced(void **state)
{
    add(GH_AUDIT_ACCESS_DENIED, 1, "192.0.2.1", "{\"count\":40,\"reason\":\"not_owner\"}");
    add(GH_AUDIT_ACCESS_DENIED, 1, "192.0.2.9", "{\"count\":2,\"reason\":\"not_owner\"}");
    add(GH_AUDIT_LOGIN, 2, "192.0.2.1", "{\"method\":\"password\"}");
    add(GH_AUDIT_SESSION_REVOKED, 2, "192.0.2.1", "{\"count\":9}");
    assert_int_equal(review->records, 4);
    assert_int_equal(gh_review_day(review, GH_AUDIT_ACCESS_DENIED, 1), 42);
    assert_int_equal(gh_review_day_max(review, GH_AUDIT_ACCESS_DENIED), 42);
    const char *text = markdown();
    assert_has(text, "| `access_denied` | 42 | 42 | ·█");
    assert_has(text, "| `login` | 1 | 0 | ··█");
    assert_has(text, "| `session_revoked` | 1 | 0 |");
    assert_has(text, "| 192.0.2.0/24 | 42 |");
}

static void leaves_out_other_months(void **state)
{
    struct gh_audit_record record = {.event = GH_AUDIT_LOGIN, .time_us = SINCE_US - 1};
    gh_audit_review_add(review, &record);
    record.time_us = UNTIL_US;
    gh_audit_review_add(review, &record);
    assert_int_equal(review->records, 0);
    record.time_us = UNTIL_US - 1;
    gh_audit_review_add(review, &record);
    assert_int_equal(gh_review_day(review, GH_AUDIT_LOGIN, 29), 1);
}

static void networks_come_in_the_order_of_their_failures(void **state)
{
    char address[32];
    for (unsigned i = 0; i < 60; i++) {
        snprintf(address, sizeof(address), "10.0.%u.7", i);
        for (unsigned n = 0; n <= i; n++)
            add(GH_AUDIT_LOGIN_FAILED, 0, address, "{\"reason\":\"password\"}");
    }
    add(GH_AUDIT_LOGIN_FAILED, 0, "2001:db8:1:2:3::4", "{\"reason\":\"password\"}");
    add(GH_AUDIT_LOGIN_FAILED, 0, "", "{\"reason\":\"password\"}");
    struct gh_review_network top[100];
    assert_int_equal(gh_review_top_networks(review, top, 3), 3);
    assert_string_equal(top[0].text, "10.0.59.0/24");
    assert_int_equal(top[0].failures, 60);
    assert_string_equal(top[2].text, "10.0.57.0/24");
    assert_int_equal(gh_review_top_networks(review, top, 100), 62);
    assert_has(markdown(), "| 10.0.40.0/24 | 41 |");
    assert_lacks(markdown(), "| 10.0.39.0/24 |");
    bool v6 = false, unknown = false;
    for (size_t i = 0; i < 62; i++) {
        v6 |= strcmp(top[i].text, "2001:db8:1:2::/64") == 0;
        unknown |= strcmp(top[i].text, "unknown") == 0;
    }
    assert_true(v6 && unknown);
}

static void too_many_networks_are_counted(void **state)
{
    char address[32];
    for (unsigned i = 0; i < GH_REVIEW_NETWORKS_MAX + 10; i++) {
        snprintf(address, sizeof(address), "10.%u.%u.7", i / 256, i % 256);
        add(GH_AUDIT_LOGIN_FAILED, 0, address, "{\"reason\":\"password\"}");
    }
    assert_int_equal(review->networks_lost, 10);
    assert_has(markdown(), "and 10 of networks beyond the first 4096.");
}

static void lists_privileged_actions_and_anomalies(void **state)
{
    add(GH_AUDIT_ROLE_CHANGED, 0, "192.0.2.1", "{\"new_role\":\"admin\"}");
    add(GH_AUDIT_ANOMALY_DETECTED, 0, "192.0.2.1", "{\"rule\":\"id_scanning\"}");
    const char *text = markdown();
    assert_has(text, "| 1 | 2027-01-15T08:00:00.000005Z | `role_changed` |");
    assert_has(text, "{\"new\\_role\":\"admin\"}");
    assert_has(strstr(text, "## Anomalies"), "id\\_scanning");
    for (unsigned i = 0; i < GH_REVIEW_LIST_MAX + 5; i++)
        add(GH_AUDIT_ROLE_CHANGED, 0, "192.0.2.1", "{}");
    assert_has(markdown(), "and 6 more.");
    assert_has(html(), "<p>and 6 more.</p>");
}

static void finds_personal_data_and_does_not_repeat_it(void **state)
{
    struct gh_audit_record record = {.seq = 5,
                                     .time_us = SINCE_US,
                                     .event = GH_AUDIT_LOGIN_FAILED,
                                     .user_agent = GH_STR("bot ann@example.org"),
                                     .metadata = GH_STR("{\"email\":\"bob@example.org\","
                                                        "\"reason\":\"4111111111111111\"}")};
    gh_audit_review_add(review, &record);
    assert_int_equal(review->find_count, 2);
    const char *text = markdown();
    assert_has(text, "| 5 | `login_failed` | user_agent | e-mail address |");
    assert_has(text, "| 5 | `login_failed` | reason | card number |");
    assert_lacks(text, "ann@");
    assert_lacks(text, "bob@");
    assert_lacks(text, "4111");
    assert_lacks(html(), "ann@");
}

static void texts_of_others_stay_texts(void **state)
{
    add(GH_AUDIT_ROLE_CHANGED, 0, "192.0.2.1",
        "{\"new_role\":\"<script>alert(1)</script> | **x** \\n# title\"}");
    assert_lacks(html(), "<script>");
    assert_has(html(), "&lt;script&gt;");
    assert_lacks(markdown(), "<script>");
    assert_lacks(markdown(), " | **x**");
    assert_lacks(markdown(), "\n# title");
}

static void says_what_is_wrong_with_the_chain_and_what_is_due(void **state)
{
    static const struct gh_review_secret SECRETS[] = {
        {GH_STR_INIT("root"), 100, 0, true},
        {GH_STR_INIT("signing"), 10, 80, false},
    };
    review->verified = true;
    review->verdict = (struct gh_audit_verdict){
        .first_seq = 1, .last_seq = 9, .signed_through = 8, .checkpoints = 2, .saved_met = 1};
    review->secrets = SECRETS;
    review->secret_count = 2;
    assert_has(markdown(), "Intact: records 1 to 9, signed through 8 by 2 checkpoints");
    assert_has(markdown(), "| root | 100 days | **overdue** |");
    assert_has(markdown(), "| signing | 10 days | in 80 days |");
    review->verdict.fault = GH_AUDIT_FAULT_CHANGED;
    review->verdict.seq = 4;
    assert_has(markdown(), "BROKEN: record 4 is not the record that was written");
    assert_has(html(), "class=\"bad\">BROKEN: record 4");
}

static void names_the_chain_where_there_are_several(void **state)
{
    const struct gh_audit_record record = {.chain = 3,
                                           .seq = 1,
                                           .time_us = SINCE_US,
                                           .event = GH_AUDIT_ROLE_CHANGED,
                                           .user_agent = GH_STR("bot ann@example.org"),
                                           .metadata = GH_STR("{}")};
    gh_audit_review_add(review, &record);
    assert_has(markdown(), "\n| 3:1 | 2027-");
    assert_has(markdown(), "\n| 3:1 | `role_changed` | user_agent |");
    assert_has(html(), "<td class=\"n\">3:1</td>");
    review->verified = true;
    review->verdict = (struct gh_audit_verdict){
        .chain = 1, .chains = 3, .records = 27, .checkpoints = 5, .unsigned_records = 4};
    assert_has(markdown(), "Intact: 27 records in 3 chains, signed but for 4 at their ends by 5 ");
    review->verdict.fault = GH_AUDIT_FAULT_CHANGED;
    review->verdict.chain = 2;
    review->verdict.seq = 4;
    assert_has(markdown(), "BROKEN: record 2:4 is not the record that was written");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_month_says_so),
        TEST(counts_what_was_coalesced),
        TEST(leaves_out_other_months),
        TEST(networks_come_in_the_order_of_their_failures),
        TEST(too_many_networks_are_counted),
        TEST(lists_privileged_actions_and_anomalies),
        TEST(finds_personal_data_and_does_not_repeat_it),
        TEST(texts_of_others_stay_texts),
        TEST(says_what_is_wrong_with_the_chain_and_what_is_due),
        TEST(names_the_chain_where_there_are_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
