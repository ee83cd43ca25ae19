#include "http/forwarded.h"

#include <stdio.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* Trusted: 10.0.0.0/8 and 2001:db8:10::/48. The socket is 10.0.0.1. */
static struct gh_forwarded_result walk(enum gh_forwarded_header header, const char *const *lines,
                                       size_t line_count)
{
    struct gh_ip_network networks[2];
    assert_true(gh_ip_network_parse(GH_STR("10.0.0.0/8"), &networks[0]));
    assert_true(gh_ip_network_parse(GH_STR("2001:db8:10::/48"), &networks[1]));
    struct gh_trusted_proxies trusted = {networks, 2, header};
    struct gh_ip socket;
    assert_true(gh_ip_parse(GH_STR("10.0.0.1"), &socket));
    struct gh_field items[16];
    struct gh_fields fields;
    gh_fields_init(&fields, items, 16);
    for (size_t i = 0; i < line_count; i++) {
        struct gh_str line = gh_str_from_c(lines[i]);
        size_t colon = gh_str_find_char(line, ':');
        assert_true(gh_fields_add(&fields, gh_str_first(line, colon),
                                  gh_str_trim_ows(gh_str_skip(line, colon + 1))));
    }
    return gh_forwarded_walk(&fields, &trusted, &socket);
}

static void assert_client(enum gh_forwarded_header header, const char *const *lines, size_t count,
                          const char *expected)
{
    struct gh_forwarded_result result = walk(header, lines, count);
    char memory[64];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_ip_write(&buf, &result.client);
    if (!gh_str_eq(gh_buf_str(&buf), gh_str_from_c(expected)))
        fail_msg("%s: client is %.*s, not %s", count ? lines[0] : "", GH_STR_ARG(gh_buf_str(&buf)),
                 expected);
}

struct row {
    const char *line, *client;
};

static void assert_rows(enum gh_forwarded_header header, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_client(header, &rows[i].line, 1, rows[i].client);
}

#define ASSERT_ROWS(header, rows) assert_rows(header, rows, sizeof(rows) / sizeof((rows)[0]))

static void takes_the_first_untrusted_address_from_the_right(void **state)
{
    static const struct row ROWS[] = {
        {"X-Forwarded-For: 203.0.113.7", "203.0.113.7"},
        {"X-Forwarded-For: 198.51.100.1, 203.0.113.7", "203.0.113.7"},
        {"X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.1.1.1,10.2.2.2", "203.0.113.7"},
        {"X-Forwarded-For: 203.0.113.7:4711", "203.0.113.7"},
        {"X-Forwarded-For: [2001:db8::7]:4711, 10.0.0.9", "2001:db8::7"},
        {"X-Forwarded-For: 2001:db8::7, 2001:db8:10::1", "2001:db8::7"},
        {"X-Forwarded-For: ::ffff:203.0.113.7", "203.0.113.7"},
        {"X-Forwarded-For: 203.0.113.7, ::ffff:10.1.1.1", "203.0.113.7"},
        {"X-Forwarded-For: fe80::1%eth0", "fe80::1"},
        {"X-Forwarded-For: , 203.0.113.7, ,", "203.0.113.7"},
        {"X-Forwarded-For: 10.1.1.1, 10.2.2.2", "10.1.1.1"}, /* all trusted: the farthest */
        {"X-Forwarded-For:", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7", "10.0.0.1"}, /* not the configured header */
    };
    ASSERT_ROWS(GH_FORWARDED_X_FORWARDED_FOR, ROWS);
    assert_client(GH_FORWARDED_X_FORWARDED_FOR, NULL, 0, "10.0.0.1");
}

static void joins_several_lines(void **state)
{
    static const char *const LINES[] = {"X-Forwarded-For: 198.51.100.1", "Other: 192.0.2.1",
                                        "X-Forwarded-For: 203.0.113.7, 10.1.1.1",
                                        "x-forwarded-for: 10.2.2.2"};
    assert_client(GH_FORWARDED_X_FORWARDED_FOR, LINES, 4, "203.0.113.7");
}

static void garbage_stops_the_walk_at_the_last_trusted_hop(void **state)
{
    static const struct row ROWS[] = {
        {"X-Forwarded-For: 203.0.113.7, garbage", "10.0.0.1"},
        {"X-Forwarded-For: 203.0.113.7, garbage, 10.1.1.1", "10.1.1.1"},
        {"X-Forwarded-For: 203.0.113.7, unknown, 10.1.1.1", "10.1.1.1"},
        {"X-Forwarded-For: 203.0.113.7, _hidden, 10.1.1.1", "10.1.1.1"},
        {"X-Forwarded-For: 203.0.113.7, 1.2.3, 10.1.1.1", "10.1.1.1"},
        {"X-Forwarded-For: 203.0.113.7, 010.0.0.1", "10.0.0.1"},
        {"X-Forwarded-For: 203.0.113.7, 0x0a000001", "10.0.0.1"},
        {"X-Forwarded-For: 203.0.113.7, 10.1.1.1 10.2.2.2", "10.0.0.1"},
        {"X-Forwarded-For: 203.0.113.7, 10.1.1.1:99999", "10.0.0.1"},
        {"X-Forwarded-For: 203.0.113.7, \"10.1.1.1\"", "10.0.0.1"},
        {"X-Forwarded-For: 203.0.113.7; 10.1.1.1", "10.0.0.1"},
        {"X-Forwarded-For: for=203.0.113.7", "10.0.0.1"},
    };
    ASSERT_ROWS(GH_FORWARDED_X_FORWARDED_FOR, ROWS);
}

static void reads_thirty_two_entries_at_the_most(void **state)
{
    char line[2048];
    const char *lines[] = {line};
    for (int trusted = 31; trusted <= 33; trusted++) {
        int len = snprintf(line, sizeof(line), "X-Forwarded-For: 203.0.113.7");
        for (int i = 0; i < trusted; i++)
            len += snprintf(line + len, sizeof(line) - (size_t)len, ", 10.9.0.%d", i);
        const char *farthest = trusted == 31   ? "203.0.113.7"
                               : trusted == 32 ? "10.9.0.0"
                                               : "10.9.0.1";
        assert_client(GH_FORWARDED_X_FORWARDED_FOR, lines, 1, farthest);
    }
}

static void reads_forwarded_with_its_quoted_strings(void **state)
{
    static const struct row ROWS[] = {
        {"Forwarded: for=203.0.113.7", "203.0.113.7"},
        {"Forwarded: FOR=203.0.113.7;Proto=https;by=10.0.0.1", "203.0.113.7"},
        {"Forwarded: proto=https; for=203.0.113.7 ;by=_x", "203.0.113.7"},
        {"Forwarded: for=\"203.0.113.7\"", "203.0.113.7"},
        {"Forwarded: for=\"203.0.113.7:4711\"", "203.0.113.7"},
        {"Forwarded: for=\"[2001:db8::7]\"", "2001:db8::7"},
        {"Forwarded: for=\"[2001:db8::7]:4711\"", "2001:db8::7"},
        {"Forwarded: For=\"[2001:db8::7]:_port\"", "2001:db8::7"},
        {"Forwarded: for=\"203.0.113.7:_port\"", "203.0.113.7"},
        {"Forwarded: for=\"\\203\\.0.113.7\"", "203.0.113.7"},
        {"Forwarded: for=\"[::ffff:203.0.113.7]\"", "203.0.113.7"},
        {"Forwarded: for=198.51.100.1, for=203.0.113.7, for=10.1.1.1", "203.0.113.7"},
        {"Forwarded: for=203.0.113.7;x=\"a,b;for=1.1.1.1\\\"\", for=10.1.1.1", "203.0.113.7"},
        {"Forwarded: for=203.0.113.7;;, ,for=10.1.1.1;", "203.0.113.7"},
        {"Forwarded: for=203.0.113.7;ext=1;ext=2", "203.0.113.7"},
        {"X-Forwarded-For: 203.0.113.7", "10.0.0.1"}, /* not the configured header */
    };
    ASSERT_ROWS(GH_FORWARDED_FORWARDED, ROWS);
    static const char *const LINES[] = {"Forwarded: for=203.0.113.7, for=10.1.1.1",
                                        "forwarded: for=\"[2001:db8:10::1]\""};
    assert_client(GH_FORWARDED_FORWARDED, LINES, 2, "203.0.113.7");
}

static void garbage_in_forwarded_stops_the_walk(void **state)
{
    static const struct row ROWS[] = {
        {"Forwarded: for=203.0.113.7, for=unknown, for=10.1.1.1", "10.1.1.1"},
        {"Forwarded: for=203.0.113.7, for=_hidden", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=\"_hidden:80\"", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, proto=https", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=\"\"", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for =10.1.1.1", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for= 10.1.1.1", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=10.1.1.1;for=10.1.1.2", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=10.1.1.1;FOR=10.1.1.1", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=10.1.1.1;proto=a;proto=b", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=10.1.1.1:80", "10.0.0.1"}, /* wants quotes */
        {"Forwarded: for=203.0.113.7, for=[2001:db8:10::1]", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=\"10.1.1.1", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=\"10.1.1.1\"x", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=\"10.1.1.1\\\"", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, for=\"10.1.1.1:_\"", "10.0.0.1"}, /* no name */
        {"Forwarded: for=203.0.113.7, for=\"10.1.1.1:_a b\"", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, =10.1.1.1", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, ;", "10.0.0.1"},
        {"Forwarded: for=203.0.113.7, 10.1.1.1", "10.0.0.1"},
        /* An open quote swallows what follows; the walk does not guess. */
        {"Forwarded: for=203.0.113.7, for=\"x, for=10.1.1.1", "10.0.0.1"},
        {"Forwarded: x=\"\\, for=10.1.1.1", "10.0.0.1"},
    };
    ASSERT_ROWS(GH_FORWARDED_FORWARDED, ROWS);
}

static void assert_proto(enum gh_forwarded_header header, const char *first, const char *second,
                         const char *proto, const char *host)
{
    const char *const lines[] = {first, second};
    struct gh_forwarded_result result = walk(header, lines, second ? 2 : 1);
    if (!gh_str_eq(result.proto, gh_str_from_c(proto)) ||
        !gh_str_eq(result.host, gh_str_from_c(host)))
        fail_msg("%s: %.*s %.*s", first, GH_STR_ARG(result.proto), GH_STR_ARG(result.host));
}

static void takes_what_the_nearest_hop_said_about_the_scheme(void **state)
{
    enum gh_forwarded_header x = GH_FORWARDED_X_FORWARDED_FOR, f = GH_FORWARDED_FORWARDED;
    assert_proto(x, "X-Forwarded-Proto: https", NULL, "https", "");
    assert_proto(x, "X-Forwarded-Proto: HTTPS", NULL, "https", "");
    assert_proto(x, "X-Forwarded-Proto: https, http", NULL, "http", "");
    assert_proto(x, "X-Forwarded-Proto: http", "X-Forwarded-Proto: https", "https", "");
    assert_proto(x, "X-Forwarded-Proto: https", "X-Forwarded-Host: a.example, b.example", "https",
                 "b.example");
    assert_proto(x, "X-Forwarded-Proto: wss", NULL, "", "");
    assert_proto(x, "X-Forwarded-Proto: \"https\"", NULL, "", "");
    assert_proto(x, "X-Forwarded-Proto: https, x", NULL, "", "");
    assert_proto(x, "X-Forwarded-Proto:", NULL, "", "");
    assert_proto(x, "Forwarded: proto=https", NULL, "", "");
    assert_proto(f, "Forwarded: for=10.1.1.1;proto=https;host=a.example", NULL, "https",
                 "a.example");
    assert_proto(f, "Forwarded: proto=\"HTTPS\";host=\"a.example:80\"", NULL, "https",
                 "a.example:80");
    assert_proto(f, "Forwarded: proto=https, for=10.1.1.1", NULL, "", "");
    assert_proto(f, "Forwarded: proto=https", "Forwarded: for=10.1.1.1;proto=http", "http", "");
    assert_proto(f, "Forwarded: proto=https;proto=https", NULL, "", "");
    assert_proto(f, "Forwarded: proto=https;for=\"x", NULL, "", "");
    assert_proto(f, "Forwarded: proto=https;host=\"a\\.example\"", NULL, "https", "");
    assert_proto(f, "X-Forwarded-Proto: https", NULL, "", "");
}

static void knows_trusted_addresses(void **state)
{
    struct gh_ip_network network;
    struct gh_ip near, far;
    assert_true(gh_ip_network_parse(GH_STR("10.0.0.0/8"), &network));
    assert_true(gh_ip_parse(GH_STR("10.1.1.1"), &near));
    assert_true(gh_ip_parse(GH_STR("11.1.1.1"), &far));
    struct gh_trusted_proxies trusted = {&network, 1, GH_FORWARDED_FORWARDED}, none = {0};
    assert_true(gh_trusted_proxies_contain(&trusted, &near));
    assert_false(gh_trusted_proxies_contain(&trusted, &far));
    assert_false(gh_trusted_proxies_contain(&none, &near));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_first_untrusted_address_from_the_right),
        cmocka_unit_test(joins_several_lines),
        cmocka_unit_test(garbage_stops_the_walk_at_the_last_trusted_hop),
        cmocka_unit_test(reads_thirty_two_entries_at_the_most),
        cmocka_unit_test(reads_forwarded_with_its_quoted_strings),
        cmocka_unit_test(garbage_in_forwarded_stops_the_walk),
        cmocka_unit_test(takes_what_the_nearest_hop_said_about_the_scheme),
        cmocka_unit_test(knows_trusted_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
