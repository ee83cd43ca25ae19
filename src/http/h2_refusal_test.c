/*
 * What is refused of requests of HTTP/2 (RFC 9113 section 8), each beside its like that is not, and
 * how a refusal leaves the connection alone. What we call malformed, nghttp2 with its own checks of
 * messages on refuses, too: each case is shown to both.
 */
#include "http/h2_codec.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "http/h2_test_peer.h"

#define POST ":method=POST|" TO
#define WS   ":method=CONNECT|:protocol=websocket|" TO

static const struct gh_codec_limits SMALL = {
    .head_bytes_max = 2048, .target_bytes_max = 64, .field_count_max = 8};

/* ---- nghttp2's own opinion ---- */

static int note_invalid(nghttp2_session *session, const nghttp2_frame *frame, int error,
                        void *context)
{
    (void)session;
    (void)frame;
    (void)error;
    *(bool *)context = true;
    return 0;
}

static int note_invalid_field(nghttp2_session *session, const nghttp2_frame *frame,
                              nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
                              void *context)
{
    (void)name;
    (void)value;
    (void)flags;
    return note_invalid(session, frame, 0, context);
}

/* True when it takes the bytes for a request of the kind that it knows. */
static bool nghttp2_accepts(const char *bytes, size_t len)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    bool invalid = false;
    nghttp2_settings_entry connect = {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1};
    const uint8_t *data;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, note_invalid);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, note_invalid_field);
    assert_int_equal(nghttp2_session_server_new(&session, callbacks, &invalid), 0);
    assert_int_equal(nghttp2_submit_settings(session, 0, &connect, 1), 0);
    const char start[] = GH_H2_PREFACE "\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";
    assert_true(nghttp2_session_mem_recv(session, (const uint8_t *)start, sizeof(start) - 1) > 0);
    while (nghttp2_session_mem_send(session, &data) > 0)
        ;
    ssize_t taken = nghttp2_session_mem_recv(session, (const uint8_t *)bytes, len);
    while (nghttp2_session_mem_send(session, &data) > 0) {
        if (data[3] == NGHTTP2_RST_STREAM)
            invalid = true;
    }
    nghttp2_session_del(session);
    nghttp2_session_callbacks_del(callbacks);
    return taken == (ssize_t)len && !invalid;
}

/* ---- One head ---- */

static struct peer *open_small_peer(void)
{
    struct peer *peer = open_silent_peer(&SMALL);
    put_preface(peer);
    assert_true(send_all(peer));
    (void)told(peer);
    peer->in_error = answer_400;
    return peer;
}

/* Against section 8, and not only what is not served here. */
static bool is_malformed(enum gh_http_error error)
{
    return error == GH_HTTP_ERROR_MALFORMED || error == GH_HTTP_ERROR_FRAMING ||
           error == GH_HTTP_ERROR_HOST || error == GH_HTTP_ERROR_TARGET;
}

static void refuses(const char *fields, enum gh_http_error error, bool by_nghttp2)
{
    struct peer *peer = open_small_peer();
    put_headers(peer, 1, fields, FIN);
    if (by_nghttp2 && nghttp2_accepts(peer->out, peer->out_len))
        fail_msg("nghttp2 takes %s", fields);
    assert_true(send_all(peer));
    char log[64];
    snprintf(log, sizeof(log), "begin:1 error:1:%d closed:1 ", (int)error);
    peer->log.ptr[peer->log.len] = '\0';
    if (strcmp(log, peer->log.ptr) != 0)
        fail_msg("%s: expected %s, got %s", fields, log, peer->log.ptr);
    const char *text = told(peer);
    assert_true(has(text, "DATA:1(no). "));
    assert_int_equal(has(text, "RESET:1:1 "), is_malformed(error));
    assert_false(has(text, "RESET:1:0 "));
    assert_false(has(text, "GOAWAY"));
    peer->log.len = 0;
    put_headers(peer, 3, GET, FIN); /* the connection goes on */
    assert_true(send_all(peer));
    expect_log(peer, "begin:3 head:3 end:3 ");
    close_peer(peer);
}

static void refuses_malformed(const char *fields)
{
    refuses(fields, GH_HTTP_ERROR_MALFORMED, true);
}

static void accepts(const char *fields)
{
    struct peer *peer = open_small_peer();
    put_headers(peer, 1, fields, FIN);
    if (!nghttp2_accepts(peer->out, peer->out_len))
        fail_msg("nghttp2 does not take %s", fields);
    assert_true(send_all(peer));
    if (!peer->head)
        fail_msg("%s is refused", fields);
    expect_log(peer, "begin:1 head:1 end:1 ");
    close_peer(peer);
}

/* ---- Names and values (section 8.2) ---- */

static void refuses_bytes_that_no_name_may_have(void **state)
{
    (void)state;
    accepts(GET "|x-a_b.c~!#$%&'*+^`9=1");
    refuses_malformed(GET "|X-upper=1");
    refuses_malformed(GET "|x-uppeR=1");
    refuses_malformed(GET "|x a=1");
    refuses_malformed(GET "|x\ra=1");
    refuses_malformed(GET "|x\na=1");
    refuses_malformed(GET "|x:a=1");
    refuses_malformed(GET "|x\x7f=1");
    refuses_malformed(GET "|x\xc3\xa9=1");
    refuses_malformed(GET "|x(=1");
}

static void refuses_bytes_that_no_value_may_have(void **state)
{
    (void)state;
    accepts(GET "|x-a=a b\tc \xc3\xa9 \"(),/:;<=>?@[]{}");
    accepts(GET "|x-a=");
    refuses_malformed(GET "|x-a=a\rb");
    refuses_malformed(GET "|x-a=a\nb");
    refuses_malformed(GET "|x-a=a\r\nx-b: 1");
    refuses_malformed(GET "|x-a=a\x01");
    refuses_malformed(GET "|x-a=a\x7f");
    refuses_malformed(GET "|x-a= a");
    refuses_malformed(GET "|x-a=a ");
    refuses_malformed(GET "|x-a=\ta");
    refuses_malformed(GET "|x-a=a\t");
    refuses_malformed(GET "|x-a= ");
}

/* deflate() can't say them. */
static void refuses_an_empty_name_and_nul(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } FIELDS[] = {{"\0\0\1v", 4}, {"\0\1x\2a\0", 6}, {"\0\2x\0\1a", 6}};
    for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
        struct peer *peer = open_peer();
        static uint8_t block[512];
        size_t len = deflate(peer, GET, block, sizeof(block));
        memcpy(block + len, FIELDS[i].bytes, FIELDS[i].len);
        put_frame(peer, NGHTTP2_HEADERS, FIN | DONE, 1, block, len + FIELDS[i].len);
        assert_false(nghttp2_accepts(peer->out, peer->out_len));
        assert_true(send_all(peer));
        expect_log(peer, "begin:1 error:1:0 ");
        close_peer(peer);
    }
}

static void refuses_fields_about_the_connection(void **state)
{
    (void)state;
    accepts(GET "|te=trailers");
    accepts(GET "|http2-settings=AAA");
    refuses_malformed(GET "|connection=close");
    refuses_malformed(GET "|connection=");
    refuses_malformed(GET "|proxy-connection=keep-alive");
    refuses_malformed(GET "|keep-alive=timeout=1");
    refuses_malformed(GET "|transfer-encoding=chunked");
    refuses_malformed(GET "|upgrade=websocket");
    refuses_malformed(GET "|te=gzip");
    refuses_malformed(GET "|te=trailers, gzip");
}

/* ---- Pseudo-fields (section 8.3) ---- */

static void refuses_pseudo_fields_that_are_missing_repeated_unknown_or_late(void **state)
{
    (void)state;
    accepts(GET);
    accepts(":path=/|:scheme=http|:method=GET|:authority=a");
    refuses_malformed(":scheme=https|:authority=a|:path=/");
    refuses_malformed(":method=GET|:authority=a|:path=/");
    refuses_malformed(":method=GET|:scheme=https|:authority=a");
    refuses_malformed(GET "|:path=/");
    refuses_malformed(GET "|:method=GET");
    refuses_malformed(GET "|:scheme=https");
    refuses_malformed(GET "|:authority=a");
    refuses_malformed(GET "|:status=200");
    refuses_malformed(GET "|:version=2");
    refuses_malformed(GET "|:=2");
    refuses_malformed(":method=GET|:scheme=https|:path=/|x-a=1|:authority=a");
    refuses_malformed("x-a=1|" GET);
    refuses_malformed(GET "|:protocol=websocket");
}

static void refuses_values_that_no_pseudo_field_may_have(void **state)
{
    (void)state;
    accepts(":method=PROPFIND|" TO);
    refuses_malformed(":method=|" TO);
    refuses_malformed(":method=GE T|" TO);
    refuses_malformed(":method=GET /x HTTP/1.1|" TO);
    refuses(":method=ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG|" TO, GH_HTTP_ERROR_MALFORMED, false);
    refuses_malformed(":method=GET|:scheme=|:authority=a|:path=/");
    refuses(":method=GET|:scheme=ftp|:authority=a|:path=/", GH_HTTP_ERROR_MALFORMED, false);
    refuses(":method=GET|:scheme=https:|:authority=a|:path=/", GH_HTTP_ERROR_MALFORMED, false);
}

#define PATH ":method=GET|:scheme=https|:authority=a|:path="

static void refuses_targets_that_are_not_in_origin_form(void **state)
{
    (void)state;
    accepts(PATH "/a/b%20c?x=[1]&y={}");
    accepts(":method=OPTIONS|:scheme=https|:authority=a|:path=*");
    refuses(PATH, GH_HTTP_ERROR_TARGET, true);
    refuses(PATH "a", GH_HTTP_ERROR_TARGET, true);
    refuses(PATH "*", GH_HTTP_ERROR_TARGET, true);
    refuses(PATH "https://a/", GH_HTTP_ERROR_TARGET, true);
    refuses(PATH "/ a", GH_HTTP_ERROR_TARGET, true);
    refuses(PATH "/a#b", GH_HTTP_ERROR_TARGET, false);
    refuses(PATH "/a\\b", GH_HTTP_ERROR_TARGET, false);
    refuses(PATH "/%zz", GH_HTTP_ERROR_TARGET, false);
    refuses(PATH "/%2", GH_HTTP_ERROR_TARGET, false);
    refuses(PATH "/\xc3\xa9", GH_HTTP_ERROR_TARGET, false);
    refuses(PATH "/\r\nx", GH_HTTP_ERROR_MALFORMED, true);
}

static void refuses_a_target_over_the_limit(void **state)
{
    (void)state;
    char fields[256] = PATH "/";
    memset(fields + strlen(fields), 'a', 63);
    accepts(fields);
    fields[strlen(fields)] = 'a';
    refuses(fields, GH_HTTP_ERROR_TARGET_TOO_LONG, false);
}

#define HOST ":method=GET|:scheme=https|:path=/|"

static void wants_one_host(void **state)
{
    (void)state;
    accepts(HOST "host=a.example:8443");
    accepts(HOST ":authority=a|host=a");
    accepts(HOST ":authority=A|host=a");
    accepts(HOST ":authority=[::1]:80");
    refuses(HOST "x=y", GH_HTTP_ERROR_HOST, true);
    refuses(HOST ":authority=a|host=b", GH_HTTP_ERROR_HOST, false);
    refuses(HOST ":authority=a|host=a:443", GH_HTTP_ERROR_HOST, false);
    refuses(HOST ":authority=a|host=a|host=a", GH_HTTP_ERROR_HOST, true);
    refuses(HOST "host=a|host=a", GH_HTTP_ERROR_HOST, true);
    refuses(HOST ":authority=", GH_HTTP_ERROR_HOST, false);
    refuses(HOST "host=", GH_HTTP_ERROR_HOST, false);
    refuses(HOST ":authority=u@a", GH_HTTP_ERROR_HOST, false);
    refuses(HOST ":authority=u:p@a", GH_HTTP_ERROR_HOST, false);
    refuses(HOST ":authority=a/b", GH_HTTP_ERROR_HOST, false);
    refuses(HOST ":authority=a b", GH_HTTP_ERROR_HOST, true);
    refuses(HOST ":authority=a,b", GH_HTTP_ERROR_HOST, false);
}

/* ---- Methods that are not for us ---- */

static void refuses_trace_and_connect_but_for_websocket(void **state)
{
    (void)state;
    refuses(":method=TRACE|" TO, GH_HTTP_ERROR_METHOD, false);
    refuses(":method=CONNECT|:authority=a:443", GH_HTTP_ERROR_METHOD, false);
    refuses_malformed(":method=CONNECT|" TO);
    refuses_malformed(":method=CONNECT|:authority=a:443|:path=/");
    refuses_malformed(":method=CONNECT|:path=/|:scheme=https");
    accepts(WS);
    refuses(":method=CONNECT|:protocol=connect-udp|" TO, GH_HTTP_ERROR_METHOD, false);
    refuses(":method=CONNECT|:protocol=|" TO, GH_HTTP_ERROR_METHOD, false);
    refuses(":method=CONNECT|:protocol=websocket|:authority=a|:path=/", GH_HTTP_ERROR_MALFORMED,
            true);
    refuses(WS "|content-length=0", GH_HTTP_ERROR_FRAMING, false);
}

/* ---- Limits ---- */

static void refuses_lists_over_the_limit(void **state)
{
    (void)state;
    /* Four pseudo-fields have 38 bytes and 32 each; x-a has 3 and 32. */
    static char fields[4096];
    strcpy(fields, GET "|x-a=");
    size_t rest = SMALL.head_bytes_max - (7 + 3 + 7 + 5 + 10 + 1 + 5 + 1) - 4 * 32 - 3 - 32;
    memset(fields + strlen(fields), 'v', rest);
    accepts(fields);
    fields[strlen(fields)] = 'v';
    refuses(fields, GH_HTTP_ERROR_HEAD_TOO_LARGE, false);
}

static void refuses_fields_over_the_limit(void **state)
{
    (void)state;
    accepts(GET "|a=1|b=1|c=1|d=1|e=1|f=1|g=1"); /* and the Host that :authority is */
    refuses(GET "|a=1|b=1|c=1|d=1|e=1|f=1|g=1|h=1", GH_HTTP_ERROR_TOO_MANY_FIELDS, false);
    refuses(GET "|a=1|b=1|c=1|d=1|e=1|f=1|g=1|h=1|i=1", GH_HTTP_ERROR_TOO_MANY_FIELDS, false);
    accepts(GET "|a=1|b=1|c=1|d=1|e=1|f=1|cookie=1|cookie=2|cookie=3|cookie=4");
}

static void a_list_over_the_limit_leaves_hpack_in_step(void **state)
{
    (void)state;
    struct peer *peer = open_small_peer();
    static char fields[4096];
    strcpy(fields, GET "|x-a=");
    memset(fields + strlen(fields), 'v', 3000);
    strcat(fields, "|x-b=remembered");
    put_headers(peer, 1, fields, FIN);
    put_headers(peer, 3, GET "|x-b=remembered", FIN); /* an index now */
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 error:1:5 begin:3 head:3 end:3 closed:1 ");
    const struct gh_fields *got = &peer->head->fields;
    assert_int_equal(got->count, 2);
    assert_true(gh_str_eq(got->items[1].value, GH_STR("remembered")));
    close_peer(peer);
}

static void a_field_that_nghttp2_does_not_decode_ends_the_connection(void **state)
{
    (void)state;
    static char fields[70000] = GET "|x-a=";
    size_t before = strlen(fields);
    for (size_t len = 65536; len <= 65537; len++) {
        struct peer *peer = open_small_peer();
        memset(fields + before, '~', len);
        put_headers(peer, 1, fields, FIN);
        send_all(peer);
        expect_log(peer, len == 65536 ? "begin:1 error:1:5 closed:1 " : "begin:1 closed:1 ");
        assert_int_equal(has(told(peer), "GOAWAY:1:9 "), len > 65536);
        close_peer(peer);
    }
}

/* ---- Content-Length and DATA (section 8.1.1) ---- */

static void refuses_lengths_that_can_be_read_twice(void **state)
{
    (void)state;
    accepts(POST "|content-length=0");
    refuses(POST "|content-length=1", GH_HTTP_ERROR_FRAMING, true); /* and END_STREAM */
    refuses(POST "|content-length=0|content-length=0", GH_HTTP_ERROR_FRAMING, true);
    refuses(POST "|content-length=0, 0", GH_HTTP_ERROR_FRAMING, true);
    refuses(POST "|content-length=+0", GH_HTTP_ERROR_FRAMING, true);
    refuses(POST "|content-length=00", GH_HTTP_ERROR_FRAMING, false);
    refuses(POST "|content-length=0x0", GH_HTTP_ERROR_FRAMING, true);
    refuses(POST "|content-length=", GH_HTTP_ERROR_FRAMING, true);
    refuses(POST "|content-length=9223372036854775808", GH_HTTP_ERROR_FRAMING, true);
}

/* A request of these frames is refused behind its head. */
static void refuses_message(const char *first, const char *data, unsigned data_flags,
                            const char *trailers, unsigned trailer_flags, const char *log)
{
    struct peer *peer = open_small_peer();
    put_headers(peer, 1, first, 0);
    if (data)
        put_data(peer, 1, data, data_flags);
    if (trailers)
        put_headers(peer, 1, trailers, trailer_flags);
    assert_false(nghttp2_accepts(peer->out, peer->out_len));
    assert_true(send_all(peer));
    expect_log(peer, log);
    assert_true(has(told(peer), "DATA:1(no). RESET:1:1 "));
    close_peer(peer);
}

static void refuses_data_that_contradict_the_length(void **state)
{
    (void)state;
    refuses_message(POST "|content-length=2", "abc", FIN, NULL, 0,
                    "begin:1 head:1 error:1:1 closed:1 ");
    refuses_message(POST "|content-length=2", "abc", 0, NULL, 0,
                    "begin:1 head:1 error:1:1 closed:1 ");
    refuses_message(POST "|content-length=2", "a", FIN, NULL, 0,
                    "begin:1 head:1 body:1(a) error:1:1 closed:1 ");
    refuses_message(POST "|content-length=2", "", FIN, NULL, 0,
                    "begin:1 head:1 error:1:1 closed:1 ");
    refuses_message(POST "|content-length=0", "a", FIN, NULL, 0,
                    "begin:1 head:1 error:1:1 closed:1 ");
    refuses_message(POST "|content-length=2", "a", 0, "x-t=1", FIN,
                    "begin:1 head:1 body:1(a) error:1:1 closed:1 ");
}

/* ---- Trailers ---- */

static void drops_trailers(void **state)
{
    (void)state;
    struct peer *peer = open_small_peer();
    put_headers(peer, 1, POST, 0);
    put_data(peer, 1, "a", 0);
    put_headers(peer, 1, "x-t=1|cookie=a|cookie=b|content-length=7", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 body:1(a) end:1 ");
    close_peer(peer);
}

static void refuses_trailers_that_are_none(void **state)
{
    (void)state;
    const char *log = "begin:1 head:1 body:1(a) error:1:0 closed:1 ";
    refuses_message(POST, "a", 0, ":path=/", FIN, log);
    refuses_message(POST, "a", 0, "x-t=1|:status=200", FIN, log);
    refuses_message(POST, "a", 0, "X-t=1", FIN, log);
    refuses_message(POST, "a", 0, "x-t=a\nb", FIN, log);
    refuses_message(POST, "a", 0, "connection=close", FIN, log);
    refuses_message(POST, "a", 0, "x-t=1", 0, "begin:1 head:1 body:1(a) error:1:1 closed:1 ");
}

static void refuses_trailers_over_the_limits(void **state)
{
    (void)state;
    struct peer *peer = open_small_peer();
    put_headers(peer, 1, POST, 0);
    put_headers(peer, 1, "a=1|b=1|c=1|d=1|e=1|f=1|g=1|h=1|i=1", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 head:1 error:1:6 closed:1 ");
    close_peer(peer);
}

/* ---- Expect ---- */

static void refuses_expectations_but_100_continue(void **state)
{
    (void)state;
    accepts(POST "|expect=100-continue");
    refuses(POST "|expect=200-ok", GH_HTTP_ERROR_EXPECTATION, false);
    refuses(POST "|expect=100-continue|expect=100-continue", GH_HTTP_ERROR_EXPECTATION, false);
}

/* ---- How a refusal ends ---- */

static void an_answer_to_head_has_no_body_though_the_request_is_refused(void **state)
{
    (void)state;
    struct peer *peer = open_small_peer();
    put_headers(peer, 1, ":method=HEAD|" TO "|connection=close", FIN);
    put_headers(peer, 3, ":method=HEAD|" TO "|content-length=5", FIN);
    assert_true(send_all(peer));
    const char *text = told(peer);
    assert_true(has(text, "HEADERS:1{:status=400|content-length=2}. "));
    assert_true(has(text, "HEADERS:3{:status=400|content-length=2}. "));
    assert_true(has(text, "RESET:1:1 RESET:3:1 "));
    close_peer(peer);
}

static void a_refusal_that_nobody_answers_is_a_reset(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    put_headers(peer, 1, ":method=GET", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 error:1:0 ");
    expect_told(peer, "");
    peer->codec->ops->reset(peer->codec, 1);
    expect_told(peer, "RESET:1:1 ");
    expect_log(peer, "closed:1 ");
    close_peer(peer);
}

static void what_is_only_too_much_is_answered_and_reset_without_an_error(void **state)
{
    (void)state;
    struct peer *peer = open_small_peer();
    static char fields[4096];
    strcpy(fields, POST "|x-a=");
    memset(fields + strlen(fields), 'v', 3000);
    put_headers(peer, 1, fields, 0);
    assert_true(send_all(peer));
    expect_told(peer, "HEADERS:1{:status=400|content-length=2} DATA:1(no). RESET:1:0 ");
    close_peer(peer);
}

static void an_owner_that_takes_no_stream_refuses_it(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    peer->refuse_begin = true;
    put_headers(peer, 1, GET, FIN);
    assert_true(send_all(peer));
    expect_told(peer, "RESET:1:7 ");
    peer->refuse_begin = false;
    put_headers(peer, 3, GET "|x-a=1", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:3 head:3 end:3 ");
    close_peer(peer);
}

/* The shell's timeout of heads. */
static void a_head_that_is_too_slow_can_be_answered(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    uint8_t block[512];
    size_t len = deflate(peer, GET "|x-a=1", block, sizeof(block));
    put_frame(peer, NGHTTP2_HEADERS, 0, 1, block, len - 4);
    assert_true(send_all(peer));
    expect_log(peer, "begin:1 ");
    answer_400(peer, 1);
    expect_log(peer, "closed:1 ");
    expect_told(peer, "HEADERS:1{:status=400|content-length=2} DATA:1(no). RESET:1:0 ");
    put_frame(peer, NGHTTP2_CONTINUATION, DONE, 1, block + len - 4, 4);
    put_headers(peer, 3, GET "|x-a=1", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:3 head:3 end:3 ");
    close_peer(peer);
}

/* The reset waits for the wire, so that nghttp2 still decodes for the stream. */
static void the_rest_of_a_head_whose_stream_is_over_is_only_decoded(void **state)
{
    (void)state;
    struct peer *peer = open_peer();
    uint8_t block[512];
    size_t len = deflate(peer, GET "|x-a=1|x-b=2", block, sizeof(block));
    put_frame(peer, NGHTTP2_HEADERS, 0, 1, block, len - 12);
    assert_true(send_all(peer));
    peer->wire_is_full = true;
    put_frame(peer, NGHTTP2_CONTINUATION, 0, 1, "", 0);
    put_frame(peer, NGHTTP2_CONTINUATION, 0, 1, "", 0);
    assert_true(send_all(peer));
    gh_h2_codec_drain(peer->codec); /* something to fill the wire */
    peer->codec->ops->reset(peer->codec, 1);
    expect_log(peer, "begin:1 closed:1 ");
    put_frame(peer, NGHTTP2_CONTINUATION, DONE, 1, block + len - 12, 12);
    put_headers(peer, 3, GET "|x-b=2", FIN);
    assert_true(send_all(peer));
    expect_log(peer, "begin:3 head:3 end:3 ");
    close_peer(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bytes_that_no_name_may_have),
        cmocka_unit_test(refuses_bytes_that_no_value_may_have),
        cmocka_unit_test(refuses_an_empty_name_and_nul),
        cmocka_unit_test(refuses_fields_about_the_connection),
        cmocka_unit_test(refuses_pseudo_fields_that_are_missing_repeated_unknown_or_late),
        cmocka_unit_test(refuses_values_that_no_pseudo_field_may_have),
        cmocka_unit_test(refuses_targets_that_are_not_in_origin_form),
        cmocka_unit_test(refuses_a_target_over_the_limit),
        cmocka_unit_test(wants_one_host),
        cmocka_unit_test(refuses_trace_and_connect_but_for_websocket),
        cmocka_unit_test(refuses_lists_over_the_limit),
        cmocka_unit_test(refuses_fields_over_the_limit),
        cmocka_unit_test(a_list_over_the_limit_leaves_hpack_in_step),
        cmocka_unit_test(a_field_that_nghttp2_does_not_decode_ends_the_connection),
        cmocka_unit_test(refuses_lengths_that_can_be_read_twice),
        cmocka_unit_test(refuses_data_that_contradict_the_length),
        cmocka_unit_test(drops_trailers),
        cmocka_unit_test(refuses_trailers_that_are_none),
        cmocka_unit_test(refuses_trailers_over_the_limits),
        cmocka_unit_test(refuses_expectations_but_100_continue),
        cmocka_unit_test(an_answer_to_head_has_no_body_though_the_request_is_refused),
        cmocka_unit_test(a_refusal_that_nobody_answers_is_a_reset),
        cmocka_unit_test(what_is_only_too_much_is_answered_and_reset_without_an_error),
        cmocka_unit_test(an_owner_that_takes_no_stream_refuses_it),
        cmocka_unit_test(a_head_that_is_too_slow_can_be_answered),
        cmocka_unit_test(the_rest_of_a_head_whose_stream_is_over_is_only_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
