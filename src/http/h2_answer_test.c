/*
 * What HPACK makes of the fields of our answers: lines that come again cost a byte, and lines that
 * are another each time do not drive them out.
 */
#include "http/h2_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "http/h2_test_peer.h"

static const struct gh_field ROUTE[] = {
    {.name = GH_STR_INIT("Strict-Transport-Security"), .value = GH_STR_INIT("max-age=63072000")},
    {.name = GH_STR_INIT("X-Frame-Options"), .value = GH_STR_INIT("DENY")},
    {.name = GH_STR_INIT("Cache-Control"),
     .value = GH_STR_INIT("no-store"),
     .id = GH_FIELD_CACHE_CONTROL},
};

/* The length of the header block that the answer to a GET has, with these fields in front. */
static size_t block_bytes(struct peer *peer, uint32_t id, const struct gh_field *fields,
                          size_t count)
{
    struct gh_answer_head head = answer(204, GH_BODY_NONE, 0);
    head.fields = fields;
    head.field_count = count;
    head.block_fields = ROUTE;
    head.block_field_count = sizeof(ROUTE) / sizeof(ROUTE[0]);
    put_headers(peer, id, GET, FIN | DONE);
    assert_true(send_all(peer));
    write_head(peer, id, head, "", true);
    const uint8_t *at = (const uint8_t *)peer->sent + peer->read_len;
    assert_int_equal(at[3], NGHTTP2_HEADERS);
    return (size_t)at[1] << 8 | at[2];
}

static void lines_that_come_again_are_one_byte_each(void **state)
{
    (void)state;
    const struct gh_field fields[] = {
        {.name = GH_STR_INIT("Content-Type"),
         .value = GH_STR_INIT("text/x"),
         .id = GH_FIELD_CONTENT_TYPE},
        {.name = GH_STR_INIT("X-Of-The-Upstream"), .value = GH_STR_INIT("one")},
    };
    struct peer *peer = open_peer();
    size_t first = block_bytes(peer, 1, fields, 2);
    expect_told(peer, "HEADERS:1{:status=204|content-type=text/x|x-of-the-upstream=one|"
                      "strict-transport-security=max-age=63072000|x-frame-options=DENY|"
                      "cache-control=no-store}. ");
    assert_true(first > 60);
    assert_int_equal(block_bytes(peer, 3, fields, 2), 6);
    expect_told(peer, "HEADERS:3{:status=204|content-type=text/x|x-of-the-upstream=one|"
                      "strict-transport-security=max-age=63072000|x-frame-options=DENY|"
                      "cache-control=no-store}. ");
    close_peer(peer);
}

static void lines_that_are_told_once_drive_none_out(void **state)
{
    (void)state;
    char text[40];
    size_t of_route = 0; /* as RFC 7541 section 4.1 counts */
    for (size_t i = 0; i < sizeof(ROUTE) / sizeof(ROUTE[0]); i++)
        of_route += 32 + ROUTE[i].name.len + ROUTE[i].value.len;
    const char *const names[] = {"X-Request-Id", "RateLimit",   "ratelimit",
                                 "Set-Cookie",   "traceparent", "Retry-After"};
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        struct peer *peer = open_peer();
        size_t first = 0, last = 0;
        for (uint32_t i = 0; i < 100; i++) {
            snprintf(text, sizeof(text), "%032x", (unsigned)i);
            const struct gh_field field = {.name = gh_str_from_c(names[n]),
                                           .value = gh_str_from_c(text)};
            last = block_bytes(peer, 1 + 2 * i, &field, 1);
            first = i ? first : last;
            assert_true(has(told(peer), text));
        }
        assert_true(last < first && last < 50);
        assert_int_equal(nghttp2_hd_inflate_get_dynamic_table_size(peer->inflater), of_route);
        close_peer(peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_come_again_are_one_byte_each),
        cmocka_unit_test(lines_that_are_told_once_drive_none_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
