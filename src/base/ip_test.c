#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct gh_ip ip_of(const char *text)
{
    struct gh_ip ip;
    if (!gh_ip_parse(gh_str_from_c(text), &ip))
        fail_msg("%s does not parse", text);
    return ip;
}

static void assert_writes(const struct gh_ip *ip, const char *expected)
{
    char memory[64] = "";
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory) - 1);
    gh_ip_write(&buf, ip);
    assert_false(buf.overflow);
    assert_string_equal(memory, expected);
}

static void reads_and_writes_the_canonical_form(void **state)
{
    static const char *const PAIRS[][2] = {
        {"0.0.0.0", "0.0.0.0"},
        {"192.0.2.1", "192.0.2.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"10.100.9.99", "10.100.9.99"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"2001:DB8::1", "2001:db8::1"},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
        /* RFC 5952 section 4.2: the longest run, the first of equal ones, never one group alone */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"1:0:0:4:5:6:7:8", "1::4:5:6:7:8"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"::192.0.2.1", "::c000:201"},
    };
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        struct gh_ip ip = ip_of(PAIRS[i][0]);
        assert_writes(&ip, PAIRS[i][1]);
    }
}

static void refuses_what_is_no_plain_address(void **state)
{
    static const struct gh_str TEXTS[] = {
        GH_STR_INIT(""),
        GH_STR_INIT("1.2.3"),
        GH_STR_INIT("1.2.3.4.5"),
        GH_STR_INIT("1.2.3.4."),
        GH_STR_INIT(".1.2.3.4"),
        GH_STR_INIT("1..3.4"),
        GH_STR_INIT("1.2.3.256"),
        GH_STR_INIT("1.2.3.04"),
        GH_STR_INIT("01.2.3.4"),
        GH_STR_INIT("00.2.3.4"),
        GH_STR_INIT("1.2.3.0004"),
        GH_STR_INIT("1.2.3.4294967297"),
        GH_STR_INIT("0x7f.0.0.1"),
        GH_STR_INIT("2130706433"),
        GH_STR_INIT("017700000001"),
        GH_STR_INIT("127.1"),
        GH_STR_INIT(" 1.2.3.4"),
        GH_STR_INIT("1.2.3.4 "),
        GH_STR_INIT("1.2.3.4\0"),
        GH_STR_INIT("+1.2.3.4"),
        GH_STR_INIT("1.2.3.4%eth0"),
        GH_STR_INIT("1.2.3.4:80"),
        GH_STR_INIT("\xd9\xa1.2.3.4"),
        GH_STR_INIT(":"),
        GH_STR_INIT(":::"),
        GH_STR_INIT("1:"),
        GH_STR_INIT(":1"),
        GH_STR_INIT("1:2:3:4:5:6:7"),
        GH_STR_INIT("1:2:3:4:5:6:7:"),
        GH_STR_INIT(":1:2:3:4:5:6:7"),
        GH_STR_INIT("1:2:3:4:5:6:7:8:9"),
        GH_STR_INIT("1:2:3:4:5:6:7:8::"),
        GH_STR_INIT("::1:2:3:4:5:6:7:8"),
        GH_STR_INIT("1::2:3:4:5:6:7:8"),
        GH_STR_INIT("1::2::3"),
        GH_STR_INIT("::00001"),
        GH_STR_INIT("::g"),
        GH_STR_INIT("::-1"),
        GH_STR_INIT("::1.2.3"),
        GH_STR_INIT("::1.2.3.4.5"),
        GH_STR_INIT("::1.2.3.04"),
        GH_STR_INIT("1.2.3.4::"),
        GH_STR_INIT("::1.2.3.4:1"),
        GH_STR_INIT("1:2:3:4:5:6:7:1.2.3.4"),
        GH_STR_INIT("[::1]"),
        GH_STR_INIT("::1%"),
        GH_STR_INIT("::1%a b"),
        GH_STR_INIT("::1%a%b"),
        GH_STR_INIT("::1%a]"),
        GH_STR_INIT("::1%\0"),
        GH_STR_INIT("::1/64"),
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct gh_ip ip;
        if (gh_ip_parse(TEXTS[i], &ip))
            fail_msg("%.*s parses", GH_STR_ARG(TEXTS[i]));
    }
}

static void folds_mapped_addresses(void **state)
{
    struct gh_ip plain = ip_of("192.0.2.1");
    struct gh_ip dotted = ip_of("::ffff:192.0.2.1");
    struct gh_ip groups = ip_of("0:0:0:0:0:FFFF:c000:0201");
    assert_true(gh_ip_eq(&plain, &dotted));
    assert_true(gh_ip_eq(&plain, &groups));
    struct gh_ip compatible = ip_of("::192.0.2.1");
    assert_false(gh_ip_eq(&plain, &compatible));
}

static void cuts_the_zone_off(void **state)
{
    struct gh_ip plain = ip_of("fe80::1"), zoned = ip_of("fe80::1%eth0.1");
    assert_true(gh_ip_eq(&plain, &zoned));
}

static void agrees_with_the_system_on_ipv6(void **state)
{
    /* Each way to have zero groups, in the system's spelling and in ours. */
    for (unsigned mask = 0; mask < 256; mask++) {
        struct in6_addr address = {0};
        for (unsigned i = 0; i < 8; i++) {
            if (mask & 1u << i)
                address.s6_addr[2 * i + 1] = (uint8_t)(0x11 * (i + 1));
        }
        address.s6_addr[0] = 0x20; /* away from the mapped and compatible forms */
        char text[INET6_ADDRSTRLEN];
        assert_non_null(inet_ntop(AF_INET6, &address, text, sizeof(text)));
        struct gh_ip ip = ip_of(text);
        assert_memory_equal(ip.bytes, address.s6_addr, 16);
        assert_writes(&ip, text);
    }
}

static void reads_addresses_with_ports(void **state)
{
    static const struct {
        const char *text, *address;
        uint16_t port;
    } ROWS[] = {
        {"192.0.2.1", "192.0.2.1", 0},
        {"192.0.2.1:0", "192.0.2.1", 0},
        {"192.0.2.1:65535", "192.0.2.1", 65535},
        {"2001:db8::1", "2001:db8::1", 0},
        {"[2001:db8::1]", "2001:db8::1", 0},
        {"[2001:db8::1]:443", "2001:db8::1", 443},
        {"[fe80::1%eth0]:443", "fe80::1", 443},
        {"fe80::1%eth0", "fe80::1", 0},
        {"[::ffff:10.0.0.1]:80", "10.0.0.1", 80},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct gh_ip ip;
        uint16_t port = 1;
        assert_true(gh_ip_parse_with_port(gh_str_from_c(ROWS[i].text), &ip, &port));
        assert_writes(&ip, ROWS[i].address);
        assert_int_equal(port, ROWS[i].port);
    }
}

static void refuses_odd_ports_and_brackets(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:080",
        "192.0.2.1:+80",
        "192.0.2.1:a",
        "192.0.2.1:80 ",
        "[192.0.2.1]:80",
        "[::1",
        "[::1]:",
        "[::1]80",
        "[::1]:65536",
        "[::1]x",
        "[]:80",
        "[::1]]:80",
        "::1]:80",
        "[[::1]]:80",
        ":80",
        "host:80",
        "[::1] :80",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct gh_ip ip;
        uint16_t port;
        if (gh_ip_parse_with_port(gh_str_from_c(TEXTS[i]), &ip, &port))
            fail_msg("%s parses", TEXTS[i]);
    }
}

static struct gh_ip_network network_of(const char *text)
{
    struct gh_ip_network network;
    if (!gh_ip_network_parse(gh_str_from_c(text), &network))
        fail_msg("%s does not parse", text);
    return network;
}

static bool contains(const char *network_text, const char *ip_text)
{
    struct gh_ip_network network = network_of(network_text);
    struct gh_ip ip = ip_of(ip_text);
    return gh_ip_network_contains(&network, &ip);
}

static void tells_what_lies_in_a_network(void **state)
{
    assert_true(contains("10.0.0.0/8", "10.255.255.255"));
    assert_false(contains("10.0.0.0/8", "11.0.0.0"));
    assert_true(contains("192.0.2.128/25", "192.0.2.255"));
    assert_false(contains("192.0.2.128/25", "192.0.2.127"));
    assert_true(contains("192.0.2.1", "192.0.2.1"));
    assert_false(contains("192.0.2.1", "192.0.2.0"));
    assert_true(contains("0.0.0.0/0", "255.1.2.3"));
    assert_false(contains("0.0.0.0/0", "::1"));
    assert_true(contains("::/0", "::1"));
    assert_false(contains("::/0", "0.0.0.0"));
    assert_true(contains("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(contains("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(contains("::1/128", "::1"));
    assert_true(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_true(contains("::ffff:0:0/96", "203.0.113.9"));
    struct gh_ip_network all = network_of("0.0.0.0/0");
    struct gh_ip none = {.family = GH_IP_NONE};
    assert_false(gh_ip_network_contains(&all, &none));
}

static void refuses_networks_with_host_bits_or_odd_lengths(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0.0/a",
        "10.0.0.0/8/8",
        "10/8",
        "::1/64",
        "::/129",
        "[::]/0",
        "fe80::%1/64",
        "/8",
        "10.0.0.0 /8",
        "::ffff:10.0.0.0/95",
        "10.0.0.0/-1",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct gh_ip_network network;
        if (gh_ip_network_parse(gh_str_from_c(TEXTS[i]), &network))
            fail_msg("%s parses", TEXTS[i]);
    }
}

static void takes_addresses_of_sockets(void **state)
{
    uint16_t port;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(8080)};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    struct gh_ip v4 = gh_ip_from_sockaddr((struct sockaddr *)&in, &port);
    assert_writes(&v4, "192.0.2.7");
    assert_int_equal(port, 8080);

    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr), 1);
    struct gh_ip mapped = gh_ip_from_sockaddr((struct sockaddr *)&in6, &port);
    assert_true(gh_ip_eq(&mapped, &v4));
    assert_int_equal(port, 443);

    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct gh_ip none = gh_ip_from_sockaddr((struct sockaddr *)&un, &port);
    assert_int_equal(none.family, GH_IP_NONE);
    assert_int_equal(port, 0);
    assert_writes(&none, "unknown");
}

static void masks_to_the_network(void **state)
{
    struct gh_ip v4 = ip_of("203.0.113.201"), v6 = ip_of("2001:db8:1:2:3:4:5:6");
    struct gh_ip masked = gh_ip_mask(&v4, 24, 64);
    assert_writes(&masked, "203.0.113.0");
    masked = gh_ip_mask(&v4, 26, 64);
    assert_writes(&masked, "203.0.113.192");
    masked = gh_ip_mask(&v4, 32, 64);
    assert_writes(&masked, "203.0.113.201");
    masked = gh_ip_mask(&v4, 0, 64);
    assert_writes(&masked, "0.0.0.0");
    masked = gh_ip_mask(&v6, 24, 64);
    assert_writes(&masked, "2001:db8:1:2::");
    masked = gh_ip_mask(&v6, 24, 47);
    assert_writes(&masked, "2001:db8::");
    masked = gh_ip_mask(&v6, 24, 128);
    assert_writes(&masked, "2001:db8:1:2:3:4:5:6");
    masked = gh_ip_mask(&v6, 24, 127);
    assert_writes(&masked, "2001:db8:1:2:3:4:5:6");
}

static void knows_private_and_loopback_addresses(void **state)
{
    static const char *const PRIVATE[] = {
        "10.0.0.0",    "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.1.1", "100.64.0.1",     "127.0.0.1",  "127.255.0.1",    "100.127.255.255",
        "::1",         "fc00::1",        "fdff::1",    "fe80::1",        "febf::1",
    };
    static const char *const PUBLIC[] = {
        "9.255.255.255", "11.0.0.0",   "172.15.255.255", "172.32.0.0", "192.167.1.1",
        "169.253.0.1",   "100.63.0.1", "100.128.0.0",    "128.0.0.1",  "::2",
        "2001:db8::1",   "fec0::1",    "fbff::1",        "fe00::1",
    };
    for (size_t i = 0; i < sizeof(PRIVATE) / sizeof(PRIVATE[0]); i++) {
        struct gh_ip ip = ip_of(PRIVATE[i]);
        if (!gh_ip_is_private(&ip))
            fail_msg("%s is private", PRIVATE[i]);
    }
    for (size_t i = 0; i < sizeof(PUBLIC) / sizeof(PUBLIC[0]); i++) {
        struct gh_ip ip = ip_of(PUBLIC[i]);
        if (gh_ip_is_private(&ip))
            fail_msg("%s is public", PUBLIC[i]);
    }
    struct gh_ip none = {.family = GH_IP_NONE}, near = ip_of("10.0.0.1"), loop = ip_of("127.0.0.2");
    assert_false(gh_ip_is_private(&none));
    assert_false(gh_ip_is_loopback(&near));
    assert_true(gh_ip_is_loopback(&loop));
}

static void overflows_rather_than_cutting_an_address(void **state)
{
    char memory[10];
    struct gh_buf buf = gh_buf_over(memory, 8);
    struct gh_ip ip = ip_of("192.0.2.1");
    gh_ip_write(&buf, &ip);
    assert_true(buf.overflow);
    assert_int_equal(buf.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_the_canonical_form),
        cmocka_unit_test(refuses_what_is_no_plain_address),
        cmocka_unit_test(folds_mapped_addresses),
        cmocka_unit_test(cuts_the_zone_off),
        cmocka_unit_test(agrees_with_the_system_on_ipv6),
        cmocka_unit_test(reads_addresses_with_ports),
        cmocka_unit_test(refuses_odd_ports_and_brackets),
        cmocka_unit_test(tells_what_lies_in_a_network),
        cmocka_unit_test(refuses_networks_with_host_bits_or_odd_lengths),
        cmocka_unit_test(takes_addresses_of_sockets),
        cmocka_unit_test(masks_to_the_network),
        cmocka_unit_test(knows_private_and_loopback_addresses),
        cmocka_unit_test(overflows_rather_than_cutting_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
