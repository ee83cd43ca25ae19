/* /admin/csp/reports: browsers' reports, counted from the log. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"
#include "identity/audit_log.h"

#define ROOT "root@example.org"

static struct gh_api_fixture *f;
static struct gh_str access;

static int open_fixture(void **state)
{
    gh_api_fixture_setup(state);
    f = *state;
    gh_fixture_account(&f->identity, ROOT, FIXTURE_PASSWORD, 3);
    access = gh_api_fixture_login(f, ROOT);
    return 0;
}

/* Each the same, a microsecond after the other, from that time on. */
static void report_many(uint64_t time_us, const char *metadata, size_t count)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 64 * 1024, 256u << 20);
    struct gh_audit_record *records = gh_arena_zalloc(&arena, count, sizeof(*records));
    assert_non_null(records);
    for (size_t i = 0; i < count; i++)
        records[i] = (struct gh_audit_record){.time_us = time_us + i,
                                              .event = GH_AUDIT_CSP_VIOLATION,
                                              .metadata = gh_str_from_c(metadata)};
    assert_int_equal(gh_audit_log_append_many(&f->identity.identity, &arena, records, count),
                     GH_OK);
    gh_arena_done(&arena);
}

static void report(uint64_t ago_us, const char *metadata)
{
    report_many(f->identity.now_us - ago_us, metadata, 1);
}

static struct gh_api_answer ask(void)
{
    struct gh_api_answer answer = gh_api_ask_as(f, access, "cspReports", NULL);
    if (answer.status == 200)
        assert_int_equal(gh_json_root(&answer.json)->count, 5);
    return answer;
}

static const struct gh_json_value *member(const struct gh_api_answer *answer, size_t index,
                                          const char *name)
{
    const struct gh_json_value *item = gh_api_answer_item(answer, "directives", index);
    assert_non_null(item);
    assert_int_equal(item->count, 4);
    return gh_json_get(&answer->json, item, gh_str_from_c(name));
}

static void assert_directive(const struct gh_api_answer *answer, size_t index, const char *name,
                             int64_t reports)
{
    int64_t number;
    assert_true(gh_str_eq(gh_json_string(member(answer, index, "directive")), gh_str_from_c(name)));
    assert_true(gh_json_int64(member(answer, index, "reports"), &number));
    assert_int_equal(number, reports);
}

static void without_reports_there_is_nothing(void **state)
{
    struct gh_api_answer answer = ask();
    assert_int_equal(answer.status, 200);
    assert_true(gh_api_answer_is(&answer, "complete"));
    assert_int_equal(gh_api_answer_number(&answer, "reports"), 0);
    assert_null(gh_api_answer_item(&answer, "directives", 0));
    assert_true(gh_api_answer_has(&answer, "since", "2026-12-16T08:00:00.000000Z"));
}

static void what_a_record_stands_for_is_counted_by_directive(void **state)
{
    report(3 * FIXTURE_HOUR, "{\"count\":2,\"directive\":\"img-src\"}");
    report(2 * FIXTURE_HOUR, "{\"count\":40,\"directive\":\"script-src-elem\",\"route\":\"/**\"}");
    report(1 * FIXTURE_HOUR, "{\"directive\":\"img-src\"}");
    report(1 * FIXTURE_HOUR, "{\"count\":7}");
    struct gh_api_answer answer = ask();
    assert_int_equal(gh_api_answer_number(&answer, "records"), 4);
    assert_int_equal(gh_api_answer_number(&answer, "reports"), 50);
    assert_directive(&answer, 0, "script-src-elem", 40);
    assert_int_equal(member(&answer, 1, "directive")->kind, GH_JSON_NULL);
    assert_directive(&answer, 2, "img-src", 3);
    assert_true(gh_str_eq(gh_json_string(member(&answer, 2, "first_at")),
                          GH_STR("2027-01-15T05:00:00.000000Z")));
    assert_true(gh_str_eq(gh_json_string(member(&answer, 2, "last_at")),
                          GH_STR("2027-01-15T07:00:00.000000Z")));
    assert_null(gh_api_answer_item(&answer, "directives", 3));
}

static void what_is_older_than_thirty_days_is_not_counted(void **state)
{
    report(30 * FIXTURE_DAY + 1, "{\"count\":1,\"directive\":\"font-src\"}");
    report(30 * FIXTURE_DAY, "{\"count\":1,\"directive\":\"img-src\"}");
    struct gh_api_answer answer = ask();
    assert_int_equal(gh_api_answer_number(&answer, "records"), 1);
    assert_directive(&answer, 0, "img-src", 1);
}

static void other_events_are_not_counted(void **state)
{
    gh_api_fixture_login(f, ROOT);
    struct gh_api_answer answer = ask();
    assert_int_equal(gh_api_answer_number(&answer, "records"), 0);
}

static void more_names_than_places_are_counted_together(void **state)
{
    for (unsigned i = 0; i < 100; i++)
        report(FIXTURE_HOUR, gh_api_body(f, "{\"count\":1,\"directive\":\"x%03u-<<<<<<<<\"}", i));
    struct gh_api_answer answer = ask();
    assert_int_equal(gh_api_answer_number(&answer, "reports"), 100);
    assert_int_equal(gh_api_answer_at(&answer, "directives")->count, 64);
    assert_directive(&answer, 0, "other", 37);
}

static void reports_of_every_page_are_counted(void **state)
{
    report_many(f->identity.now_us - FIXTURE_DAY, "{\"count\":2,\"directive\":\"img-src\"}", 450);
    struct gh_api_answer answer = ask();
    assert_int_equal(gh_api_answer_number(&answer, "records"), 450);
    assert_directive(&answer, 0, "img-src", 900);
    assert_true(gh_api_answer_is(&answer, "complete"));
}

static void of_too_many_the_newest_are_counted_and_it_says_so(void **state)
{
    uint64_t begin_us = f->identity.now_us - FIXTURE_DAY;
    report_many(begin_us, "{\"count\":1,\"directive\":\"img-src\"}", 5000);
    report_many(begin_us + 5000, "{\"count\":1,\"directive\":\"img-src\"}", 5010);
    struct gh_api_answer answer = ask();
    assert_false(gh_api_answer_is(&answer, "complete"));
    assert_int_equal(gh_api_answer_number(&answer, "records"), GH_API_CSP_RECORDS_MAX);
    assert_true(gh_api_answer_has(&answer, "since", "2027-01-14T08:00:00.000010Z"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, gh_api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_reports_there_is_nothing),
        TEST(what_a_record_stands_for_is_counted_by_directive),
        TEST(what_is_older_than_thirty_days_is_not_counted),
        TEST(other_events_are_not_counted),
        TEST(more_names_than_places_are_counted_together),
        TEST(reports_of_every_page_are_counted),
        TEST(of_too_many_the_newest_are_counted_and_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
