#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "schema/format.h"

#define ROW_MAX 30

struct row {
    const char *format;
    const char *good[ROW_MAX], *bad[ROW_MAX];
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct gh_format *format = gh_format_find(gh_str_from_c(rows[i].format));
        assert_non_null(format);
        for (size_t j = 0; j < ROW_MAX && rows[i].good[j]; j++) {
            if (!format->is_valid(gh_str_from_c(rows[i].good[j])))
                fail_msg("%s refused %s", rows[i].format, rows[i].good[j]);
        }
        for (size_t j = 0; j < ROW_MAX && rows[i].bad[j]; j++) {
            if (format->is_valid(gh_str_from_c(rows[i].bad[j])))
                fail_msg("%s accepted %s", rows[i].format, rows[i].bad[j]);
        }
    }
}
#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void dates_and_times_are_those_of_rfc_3339(void **state)
{
    static const struct row ROWS[] = {
        {"date",
         {"2024-02-29", "2000-02-29", "0001-12-31"},
         {"2023-02-29", "1900-02-29", "2024-00-01", "2024-13-01", "2024-04-31", "2024-1-01",
          "2024-01-1", "20240101", "2024-01-01Z", "+2024-01-01", "2024-01-0\xe0\xa7\xaa", ""}},
        {"time",
         {"00:00:00Z", "23:59:60Z", "23:59:59.123456789+23:59", "01:29:60+01:30", "08:30:06z",
          "15:59:60-08:00"},
         {"24:00:00Z", "12:60:00Z", "12:00:61Z", "12:00:00", "12:00:00.Z", "12:00Z", "12:00:60Z",
          "12:00:00+24:00", "12:00:00+01:60", "12:00:00Z+01:00", "22:59:60+01:00", "1:00:00Z"}},
        {"date-time",
         {"1963-06-19T08:30:06.283185Z", "1985-04-12t23:20:50z", "1998-12-31T23:59:60Z"},
         {"1963-06-19 08:30:06Z", "1998-12-31T22:59:60Z", "1963-06-19T", "1963-06-38T08:30:06Z",
          "1963-06-19T08:30:06"}},
        {"duration",
         {"P4DT12H30M5S", "P4Y", "PT0S", "P0D", "P1M", "PT1M", "PT36H", "P1DT12H", "P2W",
          "P1Y2M3D"},
         {"P", "PT", "P1", "P1DT", "PT1D", "P1D2H", "4DT12H", "P2D1Y", "P1Y2W", "P2W1D", "P1YT",
          "P1Y1D", "PT1H1S", "p1d", "P-1D", "P1.5D", "P\xe0\xa7\xa7Y"}},
    };
    (void)state;
    CHECK(ROWS);
}

static void addresses_are_whole_and_strict(void **state)
{
    static const struct row ROWS[] = {
        {"email",
         {"joe@example.com", "te~st@example.com", "te.s.t@example.com",
          "\"joe bloggs\"@example.com", "\"a@b..c\"@example.com", "joe@[127.0.0.1]",
          "joe@[IPv6:::1]", "a+b@localhost"},
         {"2962", "@example.com", "joe@", ".test@example.com", "test.@example.com",
          "te..st@example.com", "joe@invalid=domain.com", "joe@[127.0.0.300]", "joe bloggs@x.org",
          "\"a\"b\"@x.org", "joe@x.org\n", "j\xc3\xb6@x.org", "joe@[x]", "joe@x..org"}},
        {"idn-email",
         {"\xec\x8b\xa4\xeb\xa1\x80@\xec\x8b\xa4\xeb\xa1\x80.\xed\x85\x8c\xec\x8a\xa4\xed\x8a\xb8",
          "joe@x.org"},
         {"2962", "@", "j\xff@x.org"}},
        {"ipv4",
         {"192.168.0.1", "0.0.0.0", "255.255.255.255"},
         {"127.0.0.0.1", "256.0.0.1", "127.0", "0x7f.0.0.1", "087.10.0.1", "2130706433",
          "1.2.3.4/8", " 1.2.3.4", "1.2.3.4 ", "1.2.3.\xe0\xa7\xa8", "", "1.2.3.", "::1"}},
        {"ipv6",
         {"::", "::1", "2001:db8::ff00:42:8329", "::ffff:192.168.0.1", "1:2:3:4:5:6:7:8",
          "1:d6::42", "1:2::192.168.0.1", "::42:ff:1", "d6::", "1:2:3:4:5:6:7::"},
         {"12345::", "1:1:1:1:1:1:1:1:1", ":2:3:4:5:6:7:8", "1:2:3:4:5:6:7:", ":2:3:4::8",
          "1::d6::42", "1:2:3:4:5:6:7", "1", "127.0.0.1", "::1%eth0", "::1/64", " ::1",
          "::ffff:256.1.1.1", ":::1", "1:2:3:4:1.2.3", "::127.0.0.00001", "-2:3:4:5:6:7:8", "[::1]",
          "1:2:3:4:5:6:7:8:"}},
        {"uuid",
         {"2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"},
         {"2eb8aa08-aa98-11ea-b4aa-73b441d1638", "2eb8aa08aa9811eab4aa73b441d16380",
          "2eb8-aa08-aa98-11ea-b4aa73b44-1d16380", "ggb8aa08-aa98-11ea-b4aa-73b441d16380"}},
    };
    (void)state;
    CHECK(ROWS);
}

static void host_names_follow_their_rules(void **state)
{
    static const struct row ROWS[] = {
        {"hostname",
         {"www.example.com", "a", "1host", "xn--4gbwdl.xn--wgbh1c", "a-b.c", "hostnam3",
          "EXAMPLE.com", "xn--bcher-kva.example", "127.0.0.1"},
         {"-a", "a-", "a_b", "a..b", ".a", "a.", "", "a b", "xn--X", "ab--cd", "xn--a",
          "\xc3\xa9.com", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com",
          "xn--aa---o47jg78q", "xn--", "."}},
        {"idn-hostname",
         {"\xec\x8b\xa4\xeb\xa1\x80.\xed\x85\x8c\xec\x8a\xa4\xed\x8a\xb8", "l\xc2\xb7l",
          "\xce\xb1\xcd\xb5\xce\xb2", "\xd7\x90\xd7\xb3\xd7\x91", "\xe3\x83\xbb\xe3\x81\x81",
          "\xd9\xa0\xd8\xa8", "\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7",
          "\xc3\x9f\xcf\x82", "a.b", "\xe3\x80\x87"},
         {"\xe3\x80\xae"
          "a",
          "a\xc2\xb7l",
          "l\xc2\xb7"
          "a",
          "\xce\xb1\xcd\xb5", "A\xd7\xb3",
          "\xe3\x83\xbb"
          "def",
          "\xd8\xa8\xd9\xa0\xdb\xb0", "\xe2\x80\x8d",
          "\xcc\x80"
          "a",
          "-\xc3\xa9", "\xc3\xa9..b", "a b", "\xd9\x80\xdf\xba", "\xe1\x84\x80", ""}},
    };
    (void)state;
    CHECK(ROWS);
}

static void uris_and_their_kin_follow_their_grammars(void **state)
{
    static const struct row ROWS[] = {
        {"uri",
         {"http://foo.bar/?baz=qux#quux", "http://[2001:db8::1]:80/", "urn:oasis:names:x",
          "mailto:a@b.org", "http://a:@b/", "file:///etc",
          "http://-.~_!$&'()*+,;=:%40:80%2f::@x.org", "tel:+1-816", "http://[v1.a:b]/", "a:"},
         {"//foo.bar/",
          "/abc",
          "\\\\WINDOWS",
          "abc",
          "http:// x",
          ":// should",
          "bar,baz:foo",
          "https://[@x.org/a",
          "http://a^b",
          "http://a/<b>",
          "http://a/{b}",
          "http://[::1",
          "http://a:8x/",
          "http://\xc3\xa9/",
          "http://a/%4",
          "http://[::1]x/",
          "1a:b",
          "http://a/`",
          "http://a/|b",
          "http://a/\"b",
          "",
          "http://[fe80::1%25eth0]/"}},
        {"uri-reference",
         {"/abc", "abc", "#a", "", "//a/b", "?q", "./a:b", "a/b:c"},
         {"\\\\W", "#a\\b", "a:b c", "1:b", "a b", "/%zz", "[a]"}},
        {"iri",
         {"http://\xc6\x92\xc3\xb8\xc3\xb8.\xc3\x9f\xc3\xa5r/?\xe2\x88\x82", "http://[::1]/"},
         {"http://2001:0db8:85a3::8a2e", "/abc", "\xc3\xa2", "http://a/\xee\x80\x80", "\\\\W"}},
        {"iri-reference", {"/\xc3\xa2", "\xc3\xa2", "#\xc6\x92"}, {"\\\\W", "#\xc6\x92\\"}},
        {"uri-template",
         {"http://x/{id}", "{+a,b*}/{?c:3}", "", "a", "{/a.b}", "{%41}", "\xc3\xa9{x}"},
         {"http://x/{id", "x}", "{}", "{a b}", "{a:0}", "{a:10000}", "{a,}", "{$a}", "{{a}}", "a b",
          "%4", "{a..b}"}},
        {"json-pointer",
         {"", "/", "/a~0b/~1", "//", "/foo/-", "/\xc3\xa9"},
         {"a", "/~", "/~2", "#/", "/~0~", "/~-1"}},
        {"relative-json-pointer",
         {"0", "1/a", "10#", "2/0/x"},
         {"", "-1", "/a", "0##", "01/a", "1a", "+1"}},
        {"regex", {"^a(b|c)*$", "\\p{L}"}, {"^(abc]", "\\Z", "a{2,1}"}},
    };
    (void)state;
    CHECK(ROWS);
}

static void other_formats_are_not_known(void **state)
{
    (void)state;
    assert_null(gh_format_find(GH_STR("colour")));
    assert_null(gh_format_find(GH_STR("")));
    assert_null(gh_format_find(GH_STR("DATE")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_and_times_are_those_of_rfc_3339),
        cmocka_unit_test(addresses_are_whole_and_strict),
        cmocka_unit_test(host_names_follow_their_rules),
        cmocka_unit_test(uris_and_their_kin_follow_their_grammars),
        cmocka_unit_test(other_formats_are_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
