/*
 * The stories of hpack-test-case: header blocks of another encoder, which changes the size of its
 * table on the way. Each is decoded by nghttp2's decoder as we set it up, and then sent as requests
 * on one connection: those with a field that HTTP/2 forbids are refused, and the others come out
 * whole, which they would not if one of them had left the table out of step.
 */
#include "http/h2_codec.h"

#include <jansson.h>
#include <stdio.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/num.h"
#include "http/h2_test_peer.h"

#define FOLDER GH_SOURCE_ROOT "/../shared/conformance/hpack/nghttp2-change-table-size/"

static size_t wire_of(const json_t *story, uint8_t *out, size_t cap)
{
    const char *hex = json_string_value(json_object_get(story, "wire"));
    size_t len = strlen(hex) / 2;
    assert_true(len <= cap);
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(gh_num_hex_digit(hex[2 * i]) * 16 + gh_num_hex_digit(hex[2 * i + 1]));
    return len;
}

/* The header at `index` as name and value. */
static void header_at(const json_t *headers, size_t index, struct gh_str *name,
                      struct gh_str *value)
{
    json_t *header = json_array_get(headers, index);
    void *at = json_object_iter(header);
    *name = gh_str_from_c(json_object_iter_key(at));
    *value = gh_str_from_c(json_string_value(json_object_iter_value(at)));
}

static void decodes(nghttp2_hd_inflater *inflater, const uint8_t *wire, size_t len,
                    const json_t *headers)
{
    size_t count = 0;
    int flags = 0;
    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv nv;
        flags = 0;
        ssize_t taken = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, wire, len, 1);
        assert_true(taken >= 0);
        wire += taken;
        len -= (size_t)taken;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        struct gh_str name, value;
        header_at(headers, count++, &name, &value);
        assert_true(gh_str_eq(name, gh_str_of((char *)nv.name, nv.namelen)));
        assert_true(gh_str_eq(value, gh_str_of((char *)nv.value, nv.valuelen)));
    }
    nghttp2_hd_inflate_end_headers(inflater);
    assert_int_equal(count, json_array_size(headers));
}

static bool is_forbidden(const json_t *headers)
{
    for (size_t i = 0; i < json_array_size(headers); i++) {
        struct gh_str name, value;
        header_at(headers, i, &name, &value);
        if (gh_str_eq(name, GH_STR("connection")))
            return true;
    }
    return false;
}

/* Fields in their order; the pseudo-fields are elsewhere, and a Host is in front. */
static void is_told(const struct gh_request_head *head, const json_t *headers)
{
    size_t at = 1;
    for (size_t i = 0; i < json_array_size(headers); i++) {
        struct gh_str name, value;
        header_at(headers, i, &name, &value);
        if (gh_str_eq(name, GH_STR(":path")))
            assert_true(gh_str_eq(head->target, value));
        if (gh_str_eq(name, GH_STR(":authority")))
            assert_true(gh_str_eq(head->authority, value));
        if (name.ptr[0] == ':')
            continue;
        assert_true(at < head->fields.count);
        assert_true(gh_str_eq(head->fields.items[at].name, name));
        assert_true(gh_str_eq(head->fields.items[at].value, value));
        at++;
    }
    assert_int_equal(at, head->fields.count);
}

static void plays(const json_t *cases, size_t *told_count)
{
    static uint8_t wire[16384];
    struct peer *peer = open_peer();
    nghttp2_hd_inflater *inflater;
    assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
    peer->in_error = answer_400;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *story = json_array_get(cases, i),
                     *headers = json_object_get(story, "headers");
        size_t len = wire_of(story, wire, sizeof(wire));
        decodes(inflater, wire, len, headers);
        bool forbidden = is_forbidden(headers);
        peer->head = NULL;
        put_frame(peer, NGHTTP2_HEADERS, FIN | DONE, 1 + 2 * (uint32_t)i, wire, len);
        assert_true(send_all(peer));
        assert_int_equal(!peer->head, forbidden);
        if (peer->head)
            is_told(peer->head, headers);
        *told_count += !forbidden;
    }
    nghttp2_hd_inflate_del(inflater);
    close_peer(peer);
}

static void every_story_is_decoded(void **state)
{
    (void)state;
    size_t played = 0, told_count = 0;
    for (int i = 0; i < 100; i++) {
        char path[1024];
        snprintf(path, sizeof(path), "%sstory_%02d.json", FOLDER, i);
        json_t *file = json_load_file(path, 0, NULL);
        if (!file)
            continue;
        plays(json_object_get(file, "cases"), &told_count);
        json_decref(file);
        played++;
    }
    if (!played) {
        print_message("no stories at %s\n", FOLDER);
        skip();
    }
    assert_true(told_count > 0);
    print_message("%zu stories\n", played);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_story_is_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
