#include "http/proxy_protocol.h"

#include <stdlib.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_BLOCK  "\xcb\x00\x71\x07\x0a\x00\x00\x01\x12\x67\x01\xbb" /* 203.0.113.7:4711 */
#define V6_BLOCK                                                                                   \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"         \
    "\x12\x67\x01\xbb"
#define MAPPED_BLOCK                                                                               \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\x00\x71\x07\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01"         \
    "\x12\x67\x01\xbb"

/* Parses a copy of exactly those bytes, so that reading past them is seen. */
static enum gh_proxy_protocol_status parse(struct gh_str bytes, struct gh_proxy_protocol *header,
                                           size_t *len)
{
    char *copy = malloc(bytes.len + 1);
    assert_non_null(copy);
    memcpy(copy + 1, bytes.ptr, bytes.len);
    enum gh_proxy_protocol_status status =
        gh_proxy_protocol_parse(gh_str_of(copy + 1, bytes.len), header, len);
    free(copy);
    return status;
}

/* Whole, and cut at each byte: an unfinished header is never taken, a finished one at once. */
static void assert_done(struct gh_str bytes, size_t header_len, bool is_local, const char *source,
                        bool tls)
{
    for (size_t len = 0; len <= bytes.len; len++) {
        struct gh_proxy_protocol header;
        size_t out_len = 0;
        enum gh_proxy_protocol_status status = parse(gh_str_first(bytes, len), &header, &out_len);
        if (len < header_len) {
            assert_int_equal(status, GH_PROXY_PROTOCOL_MORE);
            continue;
        }
        assert_int_equal(status, GH_PROXY_PROTOCOL_DONE);
        assert_int_equal(out_len, header_len);
        assert_int_equal(header.is_local, is_local);
        assert_int_equal(header.tls, tls);
        char memory[64];
        struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
        gh_ip_write(&buf, &header.source);
        assert_true(gh_str_eq(gh_buf_str(&buf), gh_str_from_c(source)));
        assert_int_equal(header.source_port, is_local ? 0 : 4711);
    }
}

static void reads_version_1(void **state)
{
    static const struct {
        const char *text, *source;
    } ROWS[] = {
        {"PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n", "203.0.113.7"},
        {"PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", "2001:db8::7"},
        {"PROXY TCP6 ::ffff:203.0.113.7 ::ffff:10.0.0.1 4711 0\r\n", "203.0.113.7"},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 4711 65535\r\n",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        struct gh_str text = gh_str_from_c(ROWS[i].text);
        assert_done(text, text.len, false, ROWS[i].source, false);
    }
    struct gh_str with_request = GH_STR("PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\nGET / ");
    assert_done(with_request, with_request.len - 6, false, "203.0.113.7", false);
    struct gh_str unknown = GH_STR("PROXY UNKNOWN\r\n"), more = GH_STR("PROXY UNKNOWN a b c\r\n");
    assert_done(unknown, unknown.len, true, "unknown", false);
    assert_done(more, more.len, true, "unknown", false);
}

static void refuses_odd_lines_of_version_1(void **state)
{
    static const struct gh_str TEXTS[] = {
        GH_STR_INIT("GET / HTTP/1.1\r\n"),
        GH_STR_INIT("proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n"),
        GH_STR_INIT("PROXYTCP4"),
        GH_STR_INIT("PROXY \r\n"),
        GH_STR_INIT("PROXY TCP4\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n"),
        GH_STR_INIT("PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n"),
        GH_STR_INIT("PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n"),
        GH_STR_INIT("PROXY\tTCP4 1.2.3.4 1.2.3.4 1 1\r\n"),
        GH_STR_INIT("PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n"),
        GH_STR_INIT("PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n"),
        GH_STR_INIT("PROXY unknown\r\n"),
        GH_STR_INIT("PROXY UNKNOWNX\r\n"),
        GH_STR_INIT("PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n"),
        GH_STR_INIT("PROXY TCP4 ::1 ::1 1 1\r\n"),
        GH_STR_INIT("PROXY TCP6 ::1%lo ::1 1 1\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.04 1 1\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r "),
        GH_STR_INIT("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\r\n"),
        GH_STR_INIT("PROXY UNKNOWN a\rb\r\n"),
        GH_STR_INIT("PROXY UNKNOWN a\nb\r\n"),
        GH_STR_INIT("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 1\r\n"),
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct gh_proxy_protocol header;
        size_t len;
        if (parse(TEXTS[i], &header, &len) != GH_PROXY_PROTOCOL_ERROR)
            fail_msg("%.*s is no error", GH_STR_ARG(TEXTS[i]));
    }
}

static void bounds_a_line_of_version_1(void **state)
{
    char line[120];
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    struct gh_proxy_protocol header;
    size_t len;
    assert_int_equal(parse(gh_str_of(line, 106), &header, &len), GH_PROXY_PROTOCOL_MORE);
    assert_int_equal(parse(gh_str_of(line, 107), &header, &len), GH_PROXY_PROTOCOL_ERROR);
    memcpy(line + 105, "\r\n", 2);
    assert_int_equal(parse(gh_str_of(line, 107), &header, &len), GH_PROXY_PROTOCOL_DONE);
    assert_int_equal(len, 107);
    memcpy(line + 105, "x\r\n", 3);
    assert_int_equal(parse(gh_str_of(line, 108), &header, &len), GH_PROXY_PROTOCOL_ERROR);
}

static void reads_version_2(void **state)
{
    struct gh_str v4 = GH_STR(SIGNATURE "\x21\x11\x00\x0c" V4_BLOCK);
    struct gh_str v6 = GH_STR(SIGNATURE "\x21\x21\x00\x24" V6_BLOCK "GET ");
    struct gh_str mapped = GH_STR(SIGNATURE "\x21\x21\x00\x24" MAPPED_BLOCK);
    assert_done(v4, 28, false, "203.0.113.7", false);
    assert_done(v6, 52, false, "2001:db8::7", false);
    assert_done(mapped, 52, false, "203.0.113.7", false);
}

static void keeps_the_socket_for_local_and_unspecified(void **state)
{
    struct gh_str local = GH_STR(SIGNATURE "\x20\x00\x00\x00");
    struct gh_str local_v4 = GH_STR(SIGNATURE "\x20\x11\x00\x0c" V4_BLOCK);
    struct gh_str unspec = GH_STR(SIGNATURE "\x21\x00\x00\x03"
                                            "abc");
    assert_done(local, 16, true, "unknown", false);
    assert_done(local_v4, 28, true, "unknown", false);
    assert_done(unspec, 19, true, "unknown", false);
}

static void reads_tlvs(void **state)
{
    struct gh_str tls =
        GH_STR(SIGNATURE "\x21\x11\x00\x19" V4_BLOCK "\x04\x00\x02..\x20\x00\x05\x01\0\0\0\0");
    struct gh_str plain = GH_STR(SIGNATURE "\x21\x11\x00\x14" V4_BLOCK "\x20\x00\x05\x06\0\0\0\0");
    struct gh_str sub = GH_STR(SIGNATURE "\x21\x11\x00\x1a" V4_BLOCK "\x20\x00\x0b\x01\0\0\0\0"
                                         "\x21\x00\x03v13");
    assert_done(tls, 16 + 25, false, "203.0.113.7", true);
    assert_done(plain, 16 + 20, false, "203.0.113.7", false);
    assert_done(sub, 16 + 26, false, "203.0.113.7", true);
}

/* The checksum was computed with another implementation (a table-driven one, in another language).
 */
static void checks_the_checksum(void **state)
{
    struct gh_str good = GH_STR(SIGNATURE "\x21\x11\x00\x13" V4_BLOCK "\x03\x00\x04"
                                          "\xc7\x45\xe3\xde");
    assert_done(good, 16 + 19, false, "203.0.113.7", false);
    char bad[64];
    for (size_t i = 16; i < good.len; i++) {
        if (i == 28) /* the type itself: an unknown TLV is skipped */
            continue;
        memcpy(bad, good.ptr, good.len);
        bad[i] ^= 1;
        struct gh_proxy_protocol header;
        size_t len;
        assert_int_equal(parse(gh_str_of(bad, good.len), &header, &len), GH_PROXY_PROTOCOL_ERROR);
    }
}

static void refuses_odd_headers_of_version_2(void **state)
{
    static const struct gh_str TEXTS[] = {
        GH_STR_INIT("\r\n\r\n\1"),
        GH_STR_INIT("\r\n\r\n\0\r\nquit\n"),
        GH_STR_INIT(SIGNATURE "\x11\x11\x00\x0c" V4_BLOCK),                 /* version 1 */
        GH_STR_INIT(SIGNATURE "\x22\x11\x00\x0c" V4_BLOCK),                 /* unknown command */
        GH_STR_INIT(SIGNATURE "\x21\x12\x00\x0c" V4_BLOCK),                 /* datagrams */
        GH_STR_INIT(SIGNATURE "\x21\x10\x00\x0c" V4_BLOCK),                 /* no transport */
        GH_STR_INIT(SIGNATURE "\x21\x31\x00\x0c" V4_BLOCK),                 /* Unix sockets */
        GH_STR_INIT(SIGNATURE "\x21\x41\x00\x0c" V4_BLOCK),                 /* unknown family */
        GH_STR_INIT(SIGNATURE "\x21\x11\x00\x0b" V4_BLOCK),                 /* a block too short */
        GH_STR_INIT(SIGNATURE "\x21\x21\x00\x0c" V4_BLOCK),                 /* the wrong block */
        GH_STR_INIT(SIGNATURE "\x21\x11\x00\x0e" V4_BLOCK "\x04\x00"),      /* cut TLV head */
        GH_STR_INIT(SIGNATURE "\x21\x11\x00\x10" V4_BLOCK "\x04\x00\x02."), /* cut TLV */
        GH_STR_INIT(SIGNATURE "\x21\x11\x00\x0f" V4_BLOCK "\x04\xff\xff"),  /* far past the end */
        GH_STR_INIT(SIGNATURE "\x21\x11\x00\x13" V4_BLOCK "\x20\x00\x04\x01\0\0\0"), /* cut SSL */
        GH_STR_INIT(SIGNATURE "\x21\x11\x00\x1c" V4_BLOCK
                              "\x20\x00\x05\0\0\0\0\0\x20\x00\x05\x01\0\0\0\0"), /* SSL twice */
        GH_STR_INIT(SIGNATURE "\x21\x11\x00\x0f" V4_BLOCK "\x03\x00\x00"),       /* no checksum */
        GH_STR_INIT(SIGNATURE "\x21\x11\x03\xf1"), /* 1025 bytes with its head */
        GH_STR_INIT(SIGNATURE "\x20\x00\xff\xff"),
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct gh_proxy_protocol header = {.source_port = 7};
        size_t len;
        if (parse(TEXTS[i], &header, &len) != GH_PROXY_PROTOCOL_ERROR)
            fail_msg("row %zu is no error", i);
        assert_int_equal(header.source_port, 7);
    }
    struct gh_proxy_protocol header;
    size_t len;
    assert_int_equal(parse(GH_STR(SIGNATURE "\x21\x11\x03\xf0"), &header, &len),
                     GH_PROXY_PROTOCOL_MORE); /* 1024 bytes, the most there may be */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_version_1),
        cmocka_unit_test(refuses_odd_lines_of_version_1),
        cmocka_unit_test(bounds_a_line_of_version_1),
        cmocka_unit_test(reads_version_2),
        cmocka_unit_test(keeps_the_socket_for_local_and_unspecified),
        cmocka_unit_test(reads_tlvs),
        cmocka_unit_test(checks_the_checksum),
        cmocka_unit_test(refuses_odd_headers_of_version_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
