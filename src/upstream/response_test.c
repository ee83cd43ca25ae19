/* Answers that are malformed, ambiguous, too large or cut: 502, and the connection is closed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "upstream/test_client.h"
#include "upstream/test_origin.h"

static struct origin origin;
static struct test_client client;

/* The answer to a GET, after which the server waits. */
static void get_answer(struct test_call *call, const char *answer)
{
    const char *const plan[] = {READ_HEAD, answer, HANG, NULL};
    const char *const *const plans[] = {plan};
    origin_open(&origin, plans, 1);
    client_open(&client, origin.url);
    call_get(call, &client);
    /* While it still waits, so that it is the client who has closed. */
    assert_null(call->call.connection);
    call_done(call);
    client_close(&client);
    origin_close(&origin);
}

static void assert_refused(const char *answer)
{
    struct test_call call;
    get_answer(&call, answer);
    if (!call.failed || call.failure != GH_UPSTREAM_BAD_RESPONSE || call.head_count != 0)
        fail_msg("taken: %.200s", answer);
    assert_int_equal(call.call.attempts, 1);
}

static void assert_cut(const char *answer, size_t body_bytes)
{
    struct test_call call;
    get_answer(&call, answer);
    if (!call.failed || call.failure != GH_UPSTREAM_CUT || call.complete)
        fail_msg("not cut: %.200s", answer);
    assert_int_equal(call.head_count, 1);
    assert_int_equal(call.answer_len, body_bytes);
}

#define HEAD "HTTP/1.1 200 OK\r\n"

static void refuses_what_is_not_http(void **state)
{
    assert_refused("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    assert_refused("<html>\r\n\r\n");
    assert_refused("HTTP/2.0 200 OK\r\n\r\n");
    assert_refused("HTTP/1.1 2000 OK\r\n\r\n");
    assert_refused("HTTP/1.1 99 Low\r\n\r\n");
    assert_refused("HTTP/1.1 600 High\r\n\r\n");
    assert_refused("\x16\x03\x01\x02\r\n\r\n");
}

static void refuses_lengths_that_can_be_read_two_ways(void **state)
{
    assert_refused(HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc");
    assert_refused(HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab");
    assert_refused(HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_refused(HEAD "Content-Length: +2\r\n\r\nab");
    assert_refused(HEAD "Content-Length: 0x2\r\n\r\nab");
    assert_refused(HEAD "Content-Length: 2, 2\r\n\r\nab");
    assert_refused(HEAD "Content-Length:\r\n\r\n");
    assert_refused(HEAD "Content-Length: 18446744073709551616\r\n\r\n");
    assert_refused(HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
    assert_refused(HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n");
    assert_refused(HEAD
                   "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

static void refuses_bytes_that_split_heads(void **state)
{
    assert_refused("HTTP/1.1 200 OK\nContent-Length: 2\n\nab");
    assert_refused(HEAD "X-A: b\nX-C: d\r\n\r\n");
    assert_refused(HEAD "X-A: b\rX-C: d\r\n\r\n");
    assert_refused(HEAD "X-A: b\r\n folded\r\n\r\n");
    assert_refused(HEAD "X-A : b\r\n\r\n");
    assert_refused(HEAD "X-A: \x01\r\n\r\n");
    assert_refused(HEAD "no colon\r\n\r\n");
    assert_refused(HEAD ": empty\r\n\r\n");
}

static void refuses_a_head_that_is_too_large(void **state)
{
    size_t len = GH_UPSTREAM_HEAD_BYTES_MAX + 100;
    char *answer = calloc(1, len + 1);
    int start = snprintf(answer, len, HEAD "X-Long: ");
    memset(answer + start, 'x', len - (size_t)start);
    assert_refused(answer);
    memcpy(answer + 60000, "\r\n\r\n", 5);
    struct test_call call;
    get_answer(&call, answer);
    assert_int_equal(call.head_count, 1);
    free(answer);
}

static void refuses_too_many_field_lines(void **state)
{
    char *answer = calloc(1, 16 * (GH_UPSTREAM_FIELDS_MAX + 3));
    strcpy(answer, HEAD "Content-Length: 0\r\n");
    for (int i = 1; i < GH_UPSTREAM_FIELDS_MAX; i++)
        strcat(answer, "X-Field: x\r\n");
    size_t len = strlen(answer);
    strcat(answer, "\r\n");
    struct test_call call;
    get_answer(&call, answer);
    assert_true(call.complete);
    strcpy(answer + len, "X-Field: x\r\n\r\n");
    assert_refused(answer);
    free(answer);
}

static void refuses_a_flood_of_interim_answers(void **state)
{
    char answer[1024] = "";
    for (int i = 0; i < GH_UPSTREAM_INTERIM_MAX; i++)
        strcat(answer, "HTTP/1.1 102 Wait\r\n\r\n");
    size_t len = strlen(answer);
    strcat(answer, HEAD "Content-Length: 2\r\n\r\nok");
    struct test_call call;
    get_answer(&call, answer);
    assert_true(call.complete);
    strcpy(answer + len, "HTTP/1.1 102 Wait\r\n\r\n" HEAD "Content-Length: 2\r\n\r\nok");
    assert_refused(answer);
}

static void a_body_with_bad_chunks_is_cut(void **state)
{
    assert_cut(HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nabX\r\n", 2);
    assert_cut(HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n-1\r\n", 2);
    assert_cut(HEAD "Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n", 0);
    assert_cut(HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 0);
}

static void does_not_fail_an_answer_for_a_body_that_may_not_be_there(void **state)
{
    struct test_call call;
    get_answer(&call, "HTTP/1.1 204 No Content\r\n\r\nbody of a 204");
    assert_true(call.complete);
    assert_int_equal(call.answer_len, 0);
    get_answer(&call, "HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    assert_true(call.complete);
    assert_int_equal(call.status, 304);
    assert_int_equal(call.answer_len, 0);
}

/* The same, but the server closes. */
static void get_closed(struct test_call *call, const char *answer, const char *last)
{
    const char *const plan[] = {READ_HEAD, answer, last, NULL};
    const char *const *const plans[] = {plan};
    origin_open(&origin, plans, 1);
    client_open(&client, origin.url);
    call_get(call, &client);
    call_done(call);
    client_close(&client);
    origin_close(&origin);
}

static void an_end_inside_the_head_is_a_bad_response(void **state)
{
    struct test_call call;
    get_closed(&call, "HTTP/1.1 200 OK\r\nContent-Le", NULL);
    assert_true(call.failed);
    assert_int_equal(call.failure, GH_UPSTREAM_BAD_RESPONSE);
    assert_int_equal(origin.accepted, 1);
    get_closed(&call, "HTTP/1.1 100 Continue\r\n\r\n", NULL);
    assert_int_equal(call.failure, GH_UPSTREAM_BAD_RESPONSE);
    assert_int_equal(origin.accepted, 1);
}

static void an_end_inside_a_framed_body_is_a_cut(void **state)
{
    struct test_call call;
    get_closed(&call, HEAD "Content-Length: 5\r\n\r\nabc", NULL);
    assert_true(call.failed);
    assert_int_equal(call.failure, GH_UPSTREAM_CUT);
    assert_int_equal(call.answer_len, 3);
    get_closed(&call, HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", NULL);
    assert_true(call.failed);
    assert_int_equal(call.failure, GH_UPSTREAM_CUT);
}

static void a_reset_inside_an_unframed_body_is_a_cut(void **state)
{
    static const char *const plan[] = {READ_HEAD, HEAD "\r\nabc", WAIT_GATE, RESET, NULL};
    struct test_call call;
    ORIGIN_OPEN(&origin, plan);
    client_open(&client, origin.url);
    call_init(&call, &client);
    call_start(&call);
    call_wait_body(&call, 3);
    atomic_store(&origin.gate, true);
    call_wait(&call);
    assert_true(call.failed);
    assert_int_equal(call.failure, GH_UPSTREAM_CUT);
    call_done(&call);
    client_close(&client);
    origin_close(&origin);
}

static const char split_answer[] = "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" HEAD
                                   "Transfer-Encoding: chunked\r\nX-Test: split\r\n\r\n"
                                   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";

static void assert_split_answer(const char *const *plan)
{
    struct test_call call;
    const char *const *const plans[] = {plan};
    origin_open(&origin, plans, 1);
    client_open(&client, origin.url);
    call_get(&call, &client);
    assert_true(call.complete);
    assert_int_equal(call.status, 200);
    assert_string_equal(call.field, "split");
    assert_int_equal(call.answer_len, 5);
    assert_memory_equal(call.answer, "abcde", 5);
    call_done(&call);
    client_close(&client);
    origin_close(&origin);
}

static void reads_an_answer_byte_by_byte(void **state)
{
    static char bytes[sizeof split_answer][2];
    static const char *plan[sizeof split_answer + 3];
    size_t count = 0;
    plan[count++] = READ_HEAD;
    for (size_t i = 0; i < sizeof split_answer - 1; i++) {
        bytes[i][0] = split_answer[i];
        plan[count++] = bytes[i];
    }
    plan[count++] = HANG;
    assert_split_answer(plan);
}

static void reads_an_answer_in_two_parts_at_every_split(void **state)
{
    for (size_t at = 1; at < sizeof split_answer - 1; at++) {
        char first[sizeof split_answer] = "";
        memcpy(first, split_answer, at);
        const char *const plan[] = {READ_HEAD, first, split_answer + at, HANG, NULL};
        assert_split_answer(plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_http),
        cmocka_unit_test(refuses_lengths_that_can_be_read_two_ways),
        cmocka_unit_test(refuses_bytes_that_split_heads),
        cmocka_unit_test(refuses_a_head_that_is_too_large),
        cmocka_unit_test(refuses_too_many_field_lines),
        cmocka_unit_test(refuses_a_flood_of_interim_answers),
        cmocka_unit_test(a_body_with_bad_chunks_is_cut),
        cmocka_unit_test(does_not_fail_an_answer_for_a_body_that_may_not_be_there),
        cmocka_unit_test(an_end_inside_the_head_is_a_bad_response),
        cmocka_unit_test(an_end_inside_a_framed_body_is_a_cut),
        cmocka_unit_test(a_reset_inside_an_unframed_body_is_a_cut),
        cmocka_unit_test(reads_an_answer_byte_by_byte),
        cmocka_unit_test(reads_an_answer_in_two_parts_at_every_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
