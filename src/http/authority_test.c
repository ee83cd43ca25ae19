#include "http/authority.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define NAME_191 LABEL_63 "." LABEL_63 "." LABEL_63

static void reads_hosts_into_their_canonical_form(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
        bool is_ip;
    } ROWS[] = {
        {"example.com", "example.com", 0, false},
        {"Example.COM", "example.com", 0, false},
        {"example.com.", "example.com", 0, false},
        {"example.com.:8080", "example.com", 8080, false},
        {"localhost:80", "localhost", 80, false},
        {"a:65535", "a", 65535, false},
        {"a_b.example.com", "a_b.example.com", 0, false},
        {"_x", "_x", 0, false},
        {"xn--mnchen-3ya.de", "xn--mnchen-3ya.de", 0, false},
        {"1and1.com", "1and1.com", 0, false},
        {"0x7g", "0x7g", 0, false},
        {"1.2.3.4.example", "1.2.3.4.example", 0, false},
        {"1.2.3.4", "1.2.3.4", 0, true},
        {"1.2.3.4:443", "1.2.3.4", 443, true},
        {"[::1]", "[::1]", 0, true},
        {"[::1]:8000", "[::1]", 8000, true},
        {"[2001:DB8:0:0::1]", "[2001:db8::1]", 0, true},
        {"[::ffff:10.0.0.1]:80", "10.0.0.1", 80, true},
        {LABEL_63, LABEL_63, 0, false},
        {NAME_191 "." NAME_191 "", NULL, 0, false},
        {NAME_191 ".a234567890123456789012345678901234567890123456789012345678.1a",
         NAME_191 ".a234567890123456789012345678901234567890123456789012345678.1a", 0, false},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct gh_arena arena;
        gh_arena_init(&arena, 512, 512);
        struct gh_authority authority;
        bool ok = gh_authority_parse(gh_str_from_c(ROWS[i].text), &arena, &authority);
        if (ok != (ROWS[i].host != NULL))
            fail_msg("%s: %d", ROWS[i].text, ok);
        if (ok) {
            if (!gh_str_eq(authority.host, gh_str_from_c(ROWS[i].host)))
                fail_msg("%s becomes %.*s", ROWS[i].text, GH_STR_ARG(authority.host));
            assert_int_equal(authority.port, ROWS[i].port);
            assert_int_equal(authority.is_ip, ROWS[i].is_ip);
        }
        gh_arena_done(&arena);
    }
}

static const struct gh_str HOSTILE[] = {
    /* nothing, or nothing between */
    GH_STR_INIT(""),
    GH_STR_INIT("."),
    GH_STR_INIT(".."),
    GH_STR_INIT(".example.com"),
    GH_STR_INIT("a..b"),
    GH_STR_INIT("example.com.."),
    GH_STR_INIT(":80"),
    GH_STR_INIT(":"),
    /* ports */
    GH_STR_INIT("a:"),
    GH_STR_INIT("a:080"),
    GH_STR_INIT("a:0"),
    GH_STR_INIT("a:65536"),
    GH_STR_INIT("a:+80"),
    GH_STR_INIT("a:-1"),
    GH_STR_INIT("a: 80"),
    GH_STR_INIT("a:80 "),
    GH_STR_INIT("a:80:80"),
    GH_STR_INIT("a:http"),
    GH_STR_INIT("a:99999999999999999999"),
    GH_STR_INIT("a:\xd9\xa1"),
    /* more than a host */
    GH_STR_INIT("a@b"),
    GH_STR_INIT("user:pass@b"),
    GH_STR_INIT("a/b"),
    GH_STR_INIT("a/"),
    GH_STR_INIT("a?b"),
    GH_STR_INIT("a#b"),
    GH_STR_INIT("a\\b"),
    GH_STR_INIT("a, b"),
    GH_STR_INIT("a,b"),
    GH_STR_INIT("http://a"),
    /* bytes that no name has */
    GH_STR_INIT("a b"),
    GH_STR_INIT(" a"),
    GH_STR_INIT("a "),
    GH_STR_INIT("a\t"),
    GH_STR_INIT("a\0b"),
    GH_STR_INIT("a\r\nb"),
    GH_STR_INIT("a%2eb"),
    GH_STR_INIT("a`b"),
    GH_STR_INIT("a*b"),
    GH_STR_INIT("*"),
    GH_STR_INIT("*.example.com"),
    GH_STR_INIT("m\xc3\xbcnchen.de"),
    GH_STR_INIT("\xef\xbc\x91.2.3.4"), /* a full-width digit */
    GH_STR_INIT("example\xe3\x80\x82"
                "com"), /* an ideographic full stop */
    GH_STR_INIT("a\xad"
                "b"),
    /* labels */
    GH_STR_INIT("-a"),
    GH_STR_INIT("a-"),
    GH_STR_INIT("a.-b.c"),
    GH_STR_INIT("-"),
    GH_STR_INIT(LABEL_63 "4"),
    GH_STR_INIT("a." LABEL_63 "4.b"),
    GH_STR_INIT(NAME_191
                ".a2345678901234567890123456789012345678901234567890123456789.1a"), /* 254 bytes */
    /* addresses that some readers would make something of */
    GH_STR_INIT("0x7f.1"),
    GH_STR_INIT("0x7f.0.0.1"),
    GH_STR_INIT("0x7f000001"),
    GH_STR_INIT("0X7F"),
    GH_STR_INIT("0x"),
    GH_STR_INIT("a.0x1"),
    GH_STR_INIT("017700000001"),
    GH_STR_INIT("2130706433"),
    GH_STR_INIT("127.1"),
    GH_STR_INIT("1.2.3"),
    GH_STR_INIT("1.2.3.4."),
    GH_STR_INIT("1.2.3.4.5"),
    GH_STR_INIT("1.2.3.256"),
    GH_STR_INIT("1.2.3.04"),
    GH_STR_INIT("01.2.3.4"),
    GH_STR_INIT("example.1"),
    GH_STR_INIT("example.01."),
    GH_STR_INIT("0"),
    /* IP literals */
    GH_STR_INIT("::1"),
    GH_STR_INIT("[]"),
    GH_STR_INIT("["),
    GH_STR_INIT("]"),
    GH_STR_INIT("[::1"),
    GH_STR_INIT("::1]"),
    GH_STR_INIT("[[::1]]"),
    GH_STR_INIT("[::1]]"),
    GH_STR_INIT("[::1]evil.example.com"),
    GH_STR_INIT("[::1].evil.example.com"),
    GH_STR_INIT("[::1]80"),
    GH_STR_INIT("[::1]:"),
    GH_STR_INIT("[::1]:080"),
    GH_STR_INIT("[::1]x:80"),
    GH_STR_INIT("[::1]:80:80"),
    GH_STR_INIT("[::1]."),
    GH_STR_INIT("[::g]"),
    GH_STR_INIT("[1.2.3.4]"),
    GH_STR_INIT("[fe80::1%eth0]"),
    GH_STR_INIT("[fe80::1%25eth0]"),
    GH_STR_INIT("[v1.a]"),
    GH_STR_INIT("[example.com]"),
    GH_STR_INIT("a[::1]"),
};

static void refuses_hostile_forms(void **state)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 512, 512);
    for (size_t i = 0; i < sizeof(HOSTILE) / sizeof(HOSTILE[0]); i++) {
        struct gh_authority authority = {.port = 7};
        if (gh_authority_parse(HOSTILE[i], &arena, &authority))
            fail_msg("%.*s is read as %.*s", GH_STR_ARG(HOSTILE[i]), GH_STR_ARG(authority.host));
        assert_int_equal(authority.port, 7);
    }
    gh_arena_done(&arena);
}

static void borrows_a_canonical_host_and_copies_no_other(void **state)
{
    struct gh_arena none;
    gh_arena_init(&none, 64, 0); /* not a byte */
    struct gh_authority authority;
    struct gh_str text = GH_STR("example.com.:80");
    assert_true(gh_authority_parse(GH_STR("example.com:80"), &none, &authority));
    assert_false(gh_authority_parse(GH_STR("Example.com"), &none, &authority));
    assert_false(gh_authority_parse(text, &none, &authority));
    gh_arena_done(&none);
}

static void matches_whole_labels_only(void **state)
{
    struct gh_str wild = GH_STR("*.example.com");
    assert_true(gh_host_matches(wild, GH_STR("a.example.com")));
    assert_true(gh_host_matches(wild, GH_STR("a.b.example.com")));
    assert_false(gh_host_matches(wild, GH_STR("example.com")));
    assert_false(gh_host_matches(wild, GH_STR(".example.com")));
    assert_false(gh_host_matches(wild, GH_STR("evilexample.com")));
    assert_false(gh_host_matches(wild, GH_STR("a.example.com.evil.com")));
    assert_false(gh_host_matches(wild, GH_STR("[::1]")));
    assert_true(gh_host_matches(GH_STR("example.com"), GH_STR("example.com")));
    assert_false(gh_host_matches(GH_STR("example.com"), GH_STR("a.example.com")));
    assert_false(gh_host_matches(GH_STR("example.com"), GH_STR("example.co")));
    assert_true(gh_host_matches(GH_STR("*"), GH_STR("[::1]")));
}

static void accepts_canonical_patterns_only(void **state)
{
    static const char *const VALID[] = {"*",     "*.example.com", "example.com", "1.2.3.4",
                                        "[::1]", "localhost",     "*.localhost"};
    static const char *const INVALID[] = {
        "",
        "**",
        "*.",
        "*example.com",
        "*.*.example.com",
        "a.*.com",
        "*.EXAMPLE.com",
        "Example.com",
        "a.com.",
        "a.com:80",
        "*.1.2.3.4",
        "*.3.4",
        "*.[::1]",
        "::1",
        "[::1]:80",
        "[0::1]",
        "[::ffff:1.2.3.4]",
        "https://a",
        "a/b",
        "a b",
        "m\xc3\xbc",
        ".example.com",
        "*.a..b",
    };
    for (size_t i = 0; i < sizeof(VALID) / sizeof(VALID[0]); i++)
        assert_true(gh_host_pattern_is_valid(gh_str_from_c(VALID[i])));
    for (size_t i = 0; i < sizeof(INVALID) / sizeof(INVALID[0]); i++) {
        if (gh_host_pattern_is_valid(gh_str_from_c(INVALID[i])))
            fail_msg("%s is taken for a pattern", INVALID[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_hosts_into_their_canonical_form),
        cmocka_unit_test(refuses_hostile_forms),
        cmocka_unit_test(borrows_a_canonical_host_and_copies_no_other),
        cmocka_unit_test(matches_whole_labels_only),
        cmocka_unit_test(accepts_canonical_patterns_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
