/* Records as CEF and syslog: exact lines, and hostile texts that stay inside their field. */
#include "audit/format.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static char memory[GH_AUDIT_FORMATTED_BYTES_MAX];

static struct gh_audit_row row_of(struct gh_audit_record record)
{
    record.seq = 7;
    record.time_us = 1700000000123456;
    return (struct gh_audit_row){.record = record};
}

static struct gh_audit_record failed_login(void)
{
    return (struct gh_audit_record){
        .event = GH_AUDIT_LOGIN_FAILED,
        .outcome = GH_AUDIT_FAILURE,
        .user_id = GH_STR("u1"),
        .actor_id = GH_STR("u1"),
        .ip_address = GH_STR("192.0.2.7"),
        .user_agent = GH_STR("curl/8"),
        .request_id = GH_STR("r1"),
        .metadata = GH_STR("{\"reason\":\"password\"}"),
    };
}

static const char *cef(const struct gh_audit_row *row, const struct gh_audit_record *clear)
{
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory) - 1);
    assert_int_equal(gh_audit_put_cef(&buf, row, clear), GH_OK);
    memory[buf.len] = 0;
    return memory;
}

static const char *syslog_line(const struct gh_audit_row *row, const char *host, const char *line)
{
    struct gh_audit_syslog_origin origin = {gh_str_from_c(host), 42};
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory) - 1);
    assert_int_equal(gh_audit_put_syslog(&buf, row, &origin, gh_str_from_c(line)), GH_OK);
    memory[buf.len] = 0;
    return memory;
}

static const char *syslog_cef(const struct gh_audit_row *row, const struct gh_audit_record *clear,
                              const char *host)
{
    struct gh_audit_syslog_origin origin = {gh_str_from_c(host), 42};
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory) - 1);
    assert_int_equal(gh_audit_put_syslog_cef(&buf, row, clear, &origin), GH_OK);
    memory[buf.len] = 0;
    return memory;
}

static void formats_are_known_by_name(void **state)
{
    enum gh_audit_format format;
    assert_true(gh_audit_format_parse(GH_STR("jsonl"), &format) && format == GH_AUDIT_JSONL);
    assert_true(gh_audit_format_parse(GH_STR("cef"), &format) && format == GH_AUDIT_CEF);
    assert_true(gh_audit_format_parse(GH_STR("syslog"), &format) && format == GH_AUDIT_SYSLOG);
    assert_false(gh_audit_format_parse(GH_STR("CEF"), &format));
    assert_false(gh_audit_format_parse(GH_STR(""), &format));
}

static void cef_has_what_the_record_says(void **state)
{
    struct gh_audit_record clear = failed_login();
    struct gh_audit_row row = row_of(clear);
    assert_string_equal(
        cef(&row, &clear),
        "CEF:0|gatehouse|gatehouse|" GH_VERSION "|login_failed|A sign-in was refused.|6|"
        "rt=1700000000123 externalId=7 outcome=failure suid=u1 duid=u1 "
        "src=192.0.2.7 requestClientApplication=curl/8 cs2=r1 cs2Label=requestId "
        "cs3={\"reason\":\"password\"} cs3Label=metadata cs4=" ZEROS " cs4Label=hash");
}

static void cef_without_personal_values_names_no_address(void **state)
{
    struct gh_audit_row row = row_of(failed_login());
    const char *line = cef(&row, NULL);
    assert_null(strstr(line, "192.0.2.7"));
    assert_null(strstr(line, "curl"));
    assert_non_null(strstr(line, " cs4=" ZEROS));
}

static void cef_has_a_field_of_its_own_for_ipv6(void **state)
{
    struct gh_audit_record clear = failed_login();
    clear.ip_address = GH_STR("2001:db8::1");
    struct gh_audit_row row = row_of(clear);
    const char *line = cef(&row, &clear);
    assert_non_null(strstr(line, " c6a2=2001:db8::1 c6a2Label=Source IPv6 Address"));
    assert_null(strstr(line, " src="));
}

static void an_anomaly_is_graver_than_a_refusal(void **state)
{
    struct gh_audit_row row = row_of((struct gh_audit_record){.event = GH_AUDIT_ANOMALY_DETECTED});
    assert_non_null(strstr(cef(&row, NULL), "|8|rt="));
    row.record.event = GH_AUDIT_ROLE_CHANGED;
    assert_non_null(strstr(cef(&row, NULL), "|5|rt="));
    row.record.event = GH_AUDIT_LOGOUT;
    assert_non_null(strstr(cef(&row, NULL), "|3|rt="));
}

static void syslog_has_header_structure_and_line(void **state)
{
    struct gh_audit_row row = row_of(failed_login());
    assert_string_equal(
        syslog_line(&row, "gate.example.org", "{\"seq\":7}\n"),
        "<108>1 2023-11-14T22:13:20.123456Z gate.example.org gatehouse 42 login_failed "
        "[gatehouse@32473 seq=\"7\" outcome=\"failure\" user=\"u1\" actor=\"u1\" request=\"r1\" "
        "hash=\"" ZEROS "\"] \xef\xbb\xbf{\"seq\":7}");
    row.record.outcome = GH_AUDIT_SUCCESS;
    row.record.event = GH_AUDIT_ROLE_CHANGED;
    assert_memory_equal(syslog_line(&row, "", "{}"), "<109>1 2023-11-14T22:13:20.123456Z - ", 37);
    row.record.event = GH_AUDIT_LOGOUT;
    assert_memory_equal(syslog_line(&row, "a b\n", "{}"),
                        "<110>1 2023-11-14T22:13:20.123456Z a?b? ", 40);
}

static void the_chain_is_named_unless_it_is_the_first(void **state)
{
    struct gh_audit_row row = row_of(failed_login());
    row.record.chain = 1;
    assert_null(strstr(cef(&row, NULL), "chain"));
    assert_null(strstr(syslog_line(&row, "h", "{}"), "chain"));
    row.record.chain = 7;
    assert_non_null(strstr(cef(&row, NULL), " cn1=7 cn1Label=chain"));
    assert_non_null(strstr(syslog_line(&row, "h", "{}"), " outcome=\"failure\" chain=\"7\" user="));
}

static void cef_over_syslog_has_a_header_and_no_structure(void **state)
{
    struct gh_audit_row row = row_of(failed_login());
    static const char HEAD[] =
        "<108>1 2023-11-14T22:13:20.123456Z gate.example.org gatehouse 42 "
        "login_failed - CEF:0|gatehouse|gatehouse|" GH_VERSION "|login_failed|";
    char bare[4096];
    strcpy(bare, cef(&row, NULL));
    const char *line = syslog_cef(&row, NULL, "gate.example.org");
    assert_memory_equal(line, HEAD, sizeof(HEAD) - 1);
    assert_string_equal(strstr(line, "CEF:"), bare);
    assert_null(strstr(line, "192.0.2.7"));
    assert_null(strstr(line, "\xef\xbb\xbf"));
    line = syslog_cef(&row, &row.record, "");
    assert_non_null(strstr(line, "Z - gatehouse 42 login_failed - CEF:0|"));
    assert_non_null(strstr(line, " src=192.0.2.7 "));
}

/* ---- Hostile texts ---- */

static void assert_one_clean_line(const char *line)
{
    for (; *line; line++)
        assert_true((unsigned char)*line >= 0x20 && *line != 0x7f);
}

static void texts_can_not_end_a_line_or_begin_a_field(void **state)
{
    static const char *const HOSTILE[] = {"a\r\nCEF:0|x|x|1|forged|forged|9|",
                                          "a\nfoo",
                                          "a\tb\vc\fd",
                                          "x outcome=success act=allowed",
                                          "p|q|r",
                                          "\\",
                                          "trailing\\",
                                          "\"] [forged@1 a=\"b\"",
                                          "]",
                                          "\x1b[2J\x1b[31m",
                                          "\x7f",
                                          "\xc2\x85next line",
                                          "\xe2\x80\xa8separator",
                                          "\xff\xfe",
                                          "\xc3",
                                          "\xed\xa0\x80",
                                          "a=b"};
    for (size_t i = 0; i < sizeof(HOSTILE) / sizeof(HOSTILE[0]); i++) {
        struct gh_audit_record clear = failed_login();
        clear.user_agent = clear.request_id = clear.user_id = gh_str_from_c(HOSTILE[i]);
        struct gh_audit_row row = row_of(clear);
        const char *line = cef(&row, &clear);
        assert_one_clean_line(line);
        assert_null(strstr(line, " outcome=success"));
        assert_null(strstr(line, " act=allowed"));
        assert_non_null(strstr(line, " cs4=" ZEROS " cs4Label=hash"));
        line = syslog_cef(&row, &clear, HOSTILE[i]);
        assert_one_clean_line(line);
        assert_null(strstr(line, " outcome=success"));
        assert_non_null(strstr(line, " gatehouse 42 login_failed - CEF:0|gatehouse|gatehouse|"));
        line = syslog_line(&row, HOSTILE[i], "{}");
        assert_one_clean_line(line);
        assert_null(strstr(line, "\"] [forged"));
        assert_non_null(strstr(line, " hash=\"" ZEROS "\"] \xef\xbb\xbf{}"));
    }
}

static void a_megabyte_does_not_fit_and_says_so(void **state)
{
    size_t len = 1024 * 1024;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'a', len);
    struct gh_audit_record clear = failed_login();
    clear.user_agent = gh_str_of(text, len);
    struct gh_audit_row row = row_of(clear);
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    assert_int_equal(gh_audit_put_cef(&buf, &row, &clear), GH_ERR_FULL);
    struct gh_audit_syslog_origin origin = {.host = GH_STR("h")};
    buf = gh_buf_over(memory, sizeof(memory));
    assert_int_equal(gh_audit_put_syslog(&buf, &row, &origin, gh_str_of(text, len)), GH_ERR_FULL);
    buf = gh_buf_over(memory, sizeof(memory));
    assert_int_equal(gh_audit_put_syslog_cef(&buf, &row, &clear, &origin), GH_ERR_FULL);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_known_by_name),
        cmocka_unit_test(cef_has_what_the_record_says),
        cmocka_unit_test(cef_without_personal_values_names_no_address),
        cmocka_unit_test(cef_has_a_field_of_its_own_for_ipv6),
        cmocka_unit_test(an_anomaly_is_graver_than_a_refusal),
        cmocka_unit_test(syslog_has_header_structure_and_line),
        cmocka_unit_test(the_chain_is_named_unless_it_is_the_first),
        cmocka_unit_test(cef_over_syslog_has_a_header_and_no_structure),
        cmocka_unit_test(texts_can_not_end_a_line_or_begin_a_field),
        cmocka_unit_test(a_megabyte_does_not_fit_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
