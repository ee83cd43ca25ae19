#include "http/origin.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void reads_canonical_origins(void **state)
{
    static const struct {
        const char *text, *scheme, *host;
        uint16_t port;
    } ROWS[] = {
        {"https://example.com", "https", "example.com", 443},
        {"http://example.com", "http", "example.com", 80},
        {"http://localhost:3000", "http", "localhost", 3000},
        {"https://example.com:80", "https", "example.com", 80},
        {"http://example.com:443", "http", "example.com", 443},
        {"https://[::1]", "https", "[::1]", 443},
        {"https://[2001:db8::1]:8443", "https", "[2001:db8::1]", 8443},
        {"http://127.0.0.1:8080", "http", "127.0.0.1", 8080},
        {"https://xn--mnchen-3ya.de", "https", "xn--mnchen-3ya.de", 443},
        {"capacitor://localhost", "capacitor", "localhost", 0},
        {"chrome-extension://abcdefghijklmnop", "chrome-extension", "abcdefghijklmnop", 0},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct gh_origin origin;
        assert_int_equal(gh_origin_parse(gh_str_from_c(ROWS[i].text), false, &origin),
                         GH_ORIGIN_OK);
        assert_true(gh_str_eq(origin.scheme, gh_str_from_c(ROWS[i].scheme)));
        assert_true(gh_str_eq(origin.host, gh_str_from_c(ROWS[i].host)));
        assert_int_equal(origin.port, ROWS[i].port);
    }
}

static void says_what_is_wrong(void **state)
{
    static const struct {
        struct gh_str text;
        enum gh_origin_fault fault;
    } ROWS[] = {
        {GH_STR_INIT("null"), GH_ORIGIN_NULL},
        {GH_STR_INIT("NULL"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT(""), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("*"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("//example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("://example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https:example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https:/example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("1https://example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("ht tps://example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT(" https://example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://example.com "), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://example.com, https://a"), GH_ORIGIN_PATH},
        {GH_STR_INIT("https://example.com https:"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://example.com\0"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://u@example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://example.com."), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://m\xc3\xbcnchen.de"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://a`b.example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://example.com:"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://example.com:0"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://example.com:0443"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://example.com:65536"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://:443"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://::1"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://[::1"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://[::1]a"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://[0::1]"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://127.1"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://0x7f.1"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://*.example.com"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://*"), GH_ORIGIN_MALFORMED},
        {GH_STR_INIT("https://example.com/"), GH_ORIGIN_PATH},
        {GH_STR_INIT("https://example.com/a"), GH_ORIGIN_PATH},
        {GH_STR_INIT("https://example.com?a"), GH_ORIGIN_PATH},
        {GH_STR_INIT("https://example.com#a"), GH_ORIGIN_PATH},
        {GH_STR_INIT("https:///example.com"), GH_ORIGIN_PATH},
        {GH_STR_INIT("https://Example.com"), GH_ORIGIN_UPPER_CASE},
        {GH_STR_INIT("HTTPS://example.com"), GH_ORIGIN_UPPER_CASE},
        {GH_STR_INIT("https://[2001:DB8::1]"), GH_ORIGIN_UPPER_CASE},
        {GH_STR_INIT("https://example.com:443"), GH_ORIGIN_DEFAULT_PORT},
        {GH_STR_INIT("http://example.com:80"), GH_ORIGIN_DEFAULT_PORT},
        {GH_STR_INIT("https://[::1]:443"), GH_ORIGIN_DEFAULT_PORT},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct gh_origin origin = {.port = 7};
        enum gh_origin_fault fault = gh_origin_parse(ROWS[i].text, false, &origin);
        if (fault != ROWS[i].fault)
            fail_msg("%.*s: %d, not %d", GH_STR_ARG(ROWS[i].text), (int)fault, (int)ROWS[i].fault);
        assert_int_equal(origin.port, 7);
    }
}

static void allows_a_wildcard_in_the_first_label_only(void **state)
{
    struct gh_origin origin;
    assert_int_equal(gh_origin_parse(GH_STR("https://*.example.com"), true, &origin), GH_ORIGIN_OK);
    assert_true(gh_str_eq(origin.host, GH_STR("*.example.com")));
    assert_int_equal(gh_origin_parse(GH_STR("http://*.localhost:3000"), true, &origin),
                     GH_ORIGIN_OK);
    assert_int_equal(origin.port, 3000);
    static const char *const TEXTS[] = {
        "https://*",       "https://*:8443",    "https://a.*.com", "https://*example.com",
        "https://*.*.com", "https://*.1.2.3.4", "https://*.",      "*://example.com"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_int_equal(gh_origin_parse(gh_str_from_c(TEXTS[i]), true, &origin),
                         GH_ORIGIN_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_canonical_origins),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(allows_a_wildcard_in_the_first_label_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
