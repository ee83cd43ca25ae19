#include "app/audit_settings.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "app/audit_checks.h"
#include "config/render_problems.h"

#define HEAD                                                                                       \
    "version: 1\nidentity: {enabled: true, mail: {from: a@a.example, smtp: 'env:SMTP_URL'}}\n"     \
    "public_url: https://a.example\ntrusted_proxies: [10.0.0.0/8]\n"
#define PRODUCTION "environment: production\n"
#define HERE       "environment: development\n"

static void expect(const char *text, const char *expected)
{
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, NULL);
    if (gh_root_load(&test.load, gh_str_from_c(text), NULL, &settings))
        gh_audit_check(&test.load, &settings);
    assert_string_equal(test_load_problems(&test), expected);
    test_load_done(&test);
}

static void has_defaults(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, NULL);
    assert_true(gh_root_load(&test.load, GH_STR(HEAD HERE), NULL, &settings));
    assert_int_equal(settings.audit.retention_ms, 400ull * 24 * 3600 * 1000);
    assert_int_equal(settings.audit.checkpoint.records, 1000);
    assert_int_equal(settings.audit.checkpoint.interval_ms, 60000);
    assert_int_equal(settings.audit.checkpoint.exports.count, 0);
    assert_int_equal(settings.audit.exports.count, 0);
    assert_int_equal(settings.audit.anomaly.actions[GH_ANOMALY_BRUTE_FORCE], GH_ANOMALY_LOG);
    test_load_done(&test);
}

static void reads_what_the_specification_shows(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, NULL);
    assert_true(gh_root_load(
        &test.load,
        GH_STR(HEAD HERE "audit:\n  retention: 90d\n"
                         "  checkpoint: {records: 10, interval: 5s, export: [file:/a, 'syslog:']}\n"
                         "  anomaly: {credential_stuffing: log, refresh_reuse: block}\n"
                         "  export: [file:/b, {to: 'syslog:', format: cef}]\n"),
        NULL, &settings));
    const struct gh_audit_settings *audit = &settings.audit;
    const struct gh_str *notes = audit->checkpoint.exports.items;
    const struct gh_audit_export_settings *exports = audit->exports.items;
    assert_int_equal(audit->retention_ms, 90ull * 24 * 3600 * 1000);
    assert_int_equal(audit->checkpoint.records, 10);
    assert_int_equal(audit->checkpoint.interval_ms, 5000);
    assert_int_equal(audit->checkpoint.exports.count, 2);
    assert_true(gh_str_eq(notes[1], GH_STR("syslog:")));
    assert_int_equal(audit->anomaly.actions[GH_ANOMALY_REFRESH_REUSE], GH_ANOMALY_BLOCK);
    assert_int_equal(audit->exports.count, 2);
    assert_int_equal(exports[0].format, GH_AUDIT_EXPORT_FITTING);
    assert_int_equal(exports[1].format, GH_AUDIT_EXPORT_CEF);
    gh_audit_check(&test.load, &settings);
    assert_string_equal(test_load_problems(&test), "");
    test_load_done(&test);
}

static void refuses_what_is_no_place_and_what_stands_twice(void **state)
{
    (void)state;
    expect(HEAD HERE "audit: {checkpoint: {export: [var/log]}}\n",
           "6:31 \"var/log\" is no place that the audit log can go to | write file:PATH, syslog:, "
           "syslog:tls://HOST, syslog:tcp://HOST:PORT, syslog:udp://HOST:PORT, redis:STREAM or an "
           "https URL\n");
    expect(HEAD HERE "audit: {export: [file:/a, {to: file:/a}]}\n",
           "6:32 file:/a stands here twice | keep one of them\n");
    expect(HEAD HERE "audit: {checkpoint: {export: file:/a}, export: file:/a}\n", "");
}

static void warns_of_production_whose_checkpoints_stay_at_home(void **state)
{
    (void)state;
    static const char warning[] =
        "0:0 warning: checkpoints of the audit log stay where the log is: whoever can write both "
        "can rewrite what happened | write checkpoint: {export: [file:/var/log/gatehouse/"
        "checkpoints]}, better a place that this machine can't take back\n";
    expect(HEAD PRODUCTION, warning);
    expect(HEAD HERE, "");
    expect(HEAD PRODUCTION "audit: {checkpoint: {export: file:/a}}\n", "");
    expect(HEAD PRODUCTION "audit: {export: file:/a}\n", "");
    expect("version: 1\n" PRODUCTION, "");
}

static void warns_of_places_that_are_reached_in_clear(void **state)
{
    (void)state;
    expect(HEAD PRODUCTION "audit: {export: http://logs.example.com/}\n",
           "6:17 warning: http://logs.example.com/ goes over the network in clear | use https\n");
    expect(HEAD PRODUCTION "audit: {export: http://127.0.0.1:99/}\n", "");
}

static void refuses_a_format_that_a_place_does_not_take(void **state)
{
    (void)state;
    expect(HEAD HERE "audit: {export: {to: 'https://a.example/', format: cef}}\n",
           "6:22 a URL is sent JSON, not CEF | leave format out\n");
}

static void refuses_values_out_of_range(void **state)
{
    (void)state;
    expect(HEAD HERE "audit: {retention: 1h}\n",
           "6:20 retention: 1h is out of range, allowed is 1d to 36500d\n");
    expect(HEAD HERE "audit: {checkpoint: {records: 0}}\n",
           "6:31 records: 0 is out of range, allowed is 1 to 1000000\n");
    expect(HEAD HERE "audit: {export: {to: file:/a, format: xml}}\n",
           "6:39 format: unknown value \"xml\" | allowed are: jsonl, cef\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(reads_what_the_specification_shows),
        cmocka_unit_test(refuses_what_is_no_place_and_what_stands_twice),
        cmocka_unit_test(warns_of_production_whose_checkpoints_stay_at_home),
        cmocka_unit_test(warns_of_places_that_are_reached_in_clear),
        cmocka_unit_test(refuses_a_format_that_a_place_does_not_take),
        cmocka_unit_test(refuses_values_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
