/* Transfers against small peers on loopback, one connection each, on a thread of the test's own.
   TLS is tested end to end. */
#include "net/fetch.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/test_sink.h"

/* ---- Mail ---- */

static struct gh_arena arena;

static int setup(void **state)
{
    (void)state;
    gh_arena_init(&arena, 4096, 1024 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gh_arena_done(&arena);
    return 0;
}

static const struct gh_str MESSAGE = GH_STR_INIT("Subject: hello\r\n\r\nline\r\n");

/* Sends MESSAGE to `host` at the peer's port. */
static enum gh_err mail_to(struct peer *peer, const char *userinfo, const char *host,
                           struct gh_str message, struct gh_str *out_detail)
{
    struct gh_smtp_options options = {
        .url = gh_arena_format(&arena, "smtp://%s%s:%u", userinfo, host, peer->port),
        .from = GH_STR("no-reply@example.com"),
        .recipient = GH_STR("ada@example.org"),
        .timeout_ms = peer->silent ? 300 : 20000,
    };
    return gh_smtp_send(&options, message, &arena, out_detail);
}

static enum gh_err mail_with(const struct line *lines, struct gh_str *out_detail)
{
    struct peer *peer = sink_start((struct peer){.greeting = "220 test ESMTP\r\n", .lines = lines});
    enum gh_err err = mail_to(peer, "", "127.0.0.1", MESSAGE, out_detail);
    sink_stop(peer);
    free(peer);
    return err;
}

static void a_mail_arrives_whole_with_its_envelope(void **state)
{
    (void)state;
    struct gh_str detail;
    struct peer *peer = sink_start((struct peer){.greeting = "220 test ESMTP\r\n"});
    assert_int_equal(mail_to(peer, "", "127.0.0.1", MESSAGE, &detail), GH_OK);
    sink_stop(peer);
    assert_int_equal(detail.len, 0);
    assert_non_null(strstr(peer->seen, "MAIL FROM:<no-reply@example.com>"));
    assert_non_null(strstr(peer->seen, "RCPT TO:<ada@example.org>"));
    assert_non_null(strstr(peer->seen, "Subject: hello\r\n\r\nline\r\n.\r\n"));
    assert_int_equal(peer->connections, 1);
    free(peer);
}

static void no_line_of_a_mail_can_end_it_early(void **state)
{
    (void)state;
    static const struct gh_str SMUGGLE =
        GH_STR_INIT("Subject: x\n\na\n.\nMAIL FROM:<b@c>\r.\r\r\n.\r\nend");
    struct gh_str detail;
    struct peer *peer = sink_start((struct peer){.greeting = "220 test ESMTP\r\n"});
    assert_int_equal(mail_to(peer, "", "127.0.0.1", SMUGGLE, &detail), GH_OK);
    sink_stop(peer);
    assert_non_null(
        strstr(peer->seen, "a\r\n..\r\nMAIL FROM:<b@c>\r\n..\r\n\r\n..\r\nend\r\n.\r\n"));
    free(peer);
}

static void a_permanent_refusal_of_the_recipient_is_final(void **state)
{
    (void)state;
    static const struct line LINES[] = {{"RCPT", "550 5.1.1 no <ada@example.org> here\r\n"}, {0}};
    struct gh_str detail;
    assert_int_equal(mail_with(LINES, &detail), GH_ERR_REFUSED);
    assert_true(gh_str_find(detail, GH_STR("5.1.1 no ... here")) < detail.len);
    assert_int_equal(gh_str_find(detail, GH_STR("ada")), detail.len);
}

static void a_permanent_refusal_of_the_message_is_final(void **state)
{
    (void)state;
    static const struct line LINES[] = {{".\r\n", "554 5.7.1 spam\r\n"}, {0}};
    struct gh_str detail;
    assert_int_equal(mail_with(LINES, &detail), GH_ERR_REFUSED);
    assert_true(gh_str_find(detail, GH_STR("554 5.7.1 spam")) < detail.len);
}

static void a_refusal_for_now_is_tried_again(void **state)
{
    (void)state;
    static const struct line GREYLISTED[] = {{"RCPT", "451 4.7.1 later\r\n"}, {0}};
    static const struct line FULL[] = {{".\r\n", "452 4.3.1 disk full\r\n"}, {0}};
    struct gh_str detail;
    assert_int_equal(mail_with(GREYLISTED, &detail), GH_ERR_IO);
    assert_true(gh_str_find(detail, GH_STR("4.7.1")) < detail.len);
    assert_int_equal(mail_with(FULL, &detail), GH_ERR_IO);
}

static void a_refusal_of_us_and_not_of_the_mail_is_tried_again(void **state)
{
    (void)state;
    static const struct line AUTH_WANTED[] = {{"MAIL", "530 5.7.0 log in first\r\n"}, {0}};
    static const struct line NO_EHLO[] = {
        {"EHLO", "554 go away\r\n"}, {"HELO", "554 go away\r\n"}, {0}};
    struct gh_str detail;
    assert_int_equal(mail_with(AUTH_WANTED, &detail), GH_ERR_IO);
    assert_int_equal(mail_with(NO_EHLO, &detail), GH_ERR_IO);
    struct peer *peer = sink_start((struct peer){.greeting = "554 no service\r\n"});
    assert_int_equal(mail_to(peer, "", "127.0.0.1", MESSAGE, &detail), GH_ERR_IO);
    sink_stop(peer);
    free(peer);
}

static void a_connection_that_is_cut_is_tried_again(void **state)
{
    (void)state;
    static const struct line AT_RCPT[] = {{"RCPT", NULL}, {0}};
    static const struct line AT_END[] = {{".\r\n", NULL}, {0}};
    struct gh_str detail;
    assert_int_equal(mail_with(AT_RCPT, &detail), GH_ERR_IO);
    assert_int_equal(mail_with(AT_END, &detail), GH_ERR_IO);
}

static void a_server_that_says_nothing_times_out(void **state)
{
    (void)state;
    struct gh_str detail;
    struct peer *peer = sink_start((struct peer){.greeting = "", .silent = true});
    assert_int_equal(mail_to(peer, "", "127.0.0.1", MESSAGE, &detail), GH_ERR_TIMEOUT);
    sink_stop(peer);
    free(peer);
}

static void nobody_there_is_tried_again(void **state)
{
    (void)state;
    struct gh_str detail;
    struct peer *peer = sink_start((struct peer){.greeting = "220 test\r\n"});
    sink_stop(peer); /* its port is free again */
    assert_int_equal(mail_to(peer, "", "127.0.0.1", MESSAGE, &detail), GH_ERR_IO);
    assert_true(detail.len > 0);
    free(peer);
}

static void mail_never_goes_in_clear_to_another_host(void **state)
{
    (void)state;
    static const struct line REFUSES[] = {
        {"EHLO", "250-test\r\n250 STARTTLS\r\n"}, {"STARTTLS", "454 4.7.0 not now\r\n"}, {0}};
    struct gh_str detail;
    /* A name that leads to loopback and is not known to do so. */
    struct peer *peer = sink_start((struct peer){.greeting = "220 test ESMTP\r\n"});
    assert_int_equal(mail_to(peer, "u:p@", "mail.localhost", MESSAGE, &detail), GH_ERR_TLS);
    sink_stop(peer);
    assert_null(strstr(peer->seen, "MAIL"));
    assert_null(strstr(peer->seen, "AUTH"));
    free(peer);
    peer = sink_start((struct peer){.greeting = "220 test ESMTP\r\n", .lines = REFUSES});
    assert_int_equal(mail_to(peer, "", "mail.localhost", MESSAGE, &detail), GH_ERR_TLS);
    sink_stop(peer);
    assert_null(strstr(peer->seen, "MAIL"));
    free(peer);
}

static void a_password_shows_in_no_detail(void **state)
{
    (void)state;
    static const struct line LINES[] = {{"EHLO", "250-test\r\n250 AUTH PLAIN LOGIN\r\n"},
                                        {"AUTH", "535 5.7.8 who is gate%40house or s3cret?\r\n"},
                                        {0}};
    struct gh_str detail;
    struct peer *peer = sink_start((struct peer){.greeting = "220 test ESMTP\r\n", .lines = LINES});
    assert_int_equal(mail_to(peer, "gatehouse:hunter2%40x@", "127.0.0.1", MESSAGE, &detail),
                     GH_ERR_IO);
    sink_stop(peer);
    assert_non_null(strstr(peer->seen, "AUTH PLAIN"));
    assert_int_equal(gh_str_find(detail, GH_STR("hunter2")), detail.len);
    assert_int_equal(gh_str_find(detail, GH_STR("gatehouse:")), detail.len);
    free(peer);
}

static void bad_addresses_urls_and_messages_never_reach_a_server(void **state)
{
    (void)state;
    static const char *const ADDRESSES[] = {"",
                                            "ada",
                                            "@example.org",
                                            "ada@",
                                            "ada@example.org>\r\nRCPT TO:<b@c",
                                            "a b@example.org",
                                            "<ada@example.org>",
                                            "ada@example.org\n",
                                            "\xc3\xa4@example.org"};
    static const char *const URLS[] = {"",
                                       "smtp://",
                                       "127.0.0.1:25",
                                       "http://127.0.0.1:25",
                                       "file:///etc/passwd",
                                       "ftp://127.0.0.1",
                                       "smtp://127.0.0.1:99999",
                                       "smtp://u:%0d%0aQUIT@127.0.0.1:1"};
    struct gh_str detail;
    struct gh_smtp_options options = {
        .url = GH_STR("smtp://127.0.0.1:1"), .from = GH_STR("a@b"), .recipient = GH_STR("a@b")};
    for (size_t i = 0; i < sizeof(ADDRESSES) / sizeof(ADDRESSES[0]); i++) {
        options.recipient = gh_str_from_c(ADDRESSES[i]);
        assert_int_equal(gh_smtp_send(&options, MESSAGE, &arena, &detail), GH_ERR_INVALID);
        options.from = options.recipient;
        options.recipient = GH_STR("a@b");
        assert_int_equal(gh_smtp_send(&options, MESSAGE, &arena, &detail), GH_ERR_INVALID);
        options.from = GH_STR("a@b");
    }
    for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        options.url = gh_str_from_c(URLS[i]);
        assert_int_equal(gh_smtp_send(&options, MESSAGE, &arena, &detail), GH_ERR_INVALID);
    }
    options.url = GH_STR("smtp://127.0.0.1:1");
    assert_int_equal(gh_smtp_send(&options, GH_STR("a\0b"), &arena, &detail), GH_ERR_INVALID);
}

/* ---- HTTP ---- */

static enum gh_err fetch_from(struct peer *peer, struct gh_http_fetch fetch, unsigned *out_status,
                              struct gh_str *out_body, struct gh_str *out_detail)
{
    fetch.url = gh_arena_format(&arena, "http://127.0.0.1:%u/keys?x=1", peer->port);
    fetch.bytes_max = fetch.bytes_max ? fetch.bytes_max : 1000;
    fetch.timeout_ms = peer->silent ? 300 : 20000;
    enum gh_err err = gh_http_fetch(&fetch, &arena, out_status, out_body, out_detail);
    sink_stop(peer);
    return err;
}

static enum gh_err fetch_response(const char *response, unsigned *out_status,
                                  struct gh_str *out_body)
{
    struct gh_str detail;
    struct peer *peer = sink_start((struct peer){.response = response});
    enum gh_err err = fetch_from(peer, (struct gh_http_fetch){0}, out_status, out_body, &detail);
    free(peer);
    return err;
}

static void an_answer_comes_with_its_status_whatever_that_is(void **state)
{
    (void)state;
    unsigned status = 0;
    struct gh_str body;
    assert_int_equal(
        fetch_response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", &status, &body), GH_OK);
    assert_int_equal(status, 200);
    assert_true(gh_str_eq(body, GH_STR("hi")));
    assert_int_equal(fetch_response("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", &status, &body),
                     GH_OK);
    assert_int_equal(status, 503);
    assert_int_equal(body.len, 0);
}

static void a_post_carries_its_body_and_bearer(void **state)
{
    (void)state;
    unsigned status;
    struct gh_str body, detail;
    struct peer *peer =
        sink_start((struct peer){.response = "HTTP/1.1 204 OK\r\nContent-Length: 0\r\n\r\n"});
    struct gh_http_fetch fetch = {.body = GH_STR("{\"a\":1}"), .bearer = GH_STR("tok.en")};
    assert_int_equal(fetch_from(peer, fetch, &status, &body, &detail), GH_OK);
    assert_int_equal(status, 204);
    assert_non_null(strstr(peer->seen, "POST /keys?x=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(peer->seen, "Authorization: Bearer tok.en\r\n"));
    assert_non_null(strstr(peer->seen, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(peer->seen, "\r\n\r\n{\"a\":1}"));
    free(peer);
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    unsigned status;
    struct gh_str body, detail;
    struct peer *other = sink_start((struct peer){.response = "HTTP/1.1 200 OK\r\n\r\n"});
    struct gh_str response = gh_arena_format(
        &arena, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n",
        other->port);
    struct peer *peer = sink_start((struct peer){.response = response.ptr});
    struct gh_http_fetch fetch = {.bearer = GH_STR("secret")};
    assert_int_equal(fetch_from(peer, fetch, &status, &body, &detail), GH_OK);
    assert_int_equal(status, 302);
    sink_stop(other);
    assert_int_equal(other->connections, 0);
    free(peer);
    free(other);
}

static void an_answer_over_its_cap_is_refused_with_a_length_or_without(void **state)
{
    (void)state;
    static const char WITH[] = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789a";
    static const char WITHOUT[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789a";
    static const char FITS[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789";
    const char *responses[] = {WITH, WITHOUT};
    unsigned status = 7;
    struct gh_str body = {0}, detail;
    for (size_t i = 0; i < 2; i++) {
        struct peer *peer = sink_start((struct peer){.response = responses[i]});
        struct gh_http_fetch fetch = {.bytes_max = 10};
        assert_int_equal(fetch_from(peer, fetch, &status, &body, &detail), GH_ERR_FULL);
        assert_int_equal(status, 7);
        free(peer);
    }
    struct peer *peer = sink_start((struct peer){.response = FITS});
    struct gh_http_fetch fetch = {.bytes_max = 10};
    assert_int_equal(fetch_from(peer, fetch, &status, &body, &detail), GH_OK);
    assert_int_equal(body.len, 10);
    free(peer);
}

static void an_answer_that_is_cut_or_no_http_is_a_failure(void **state)
{
    (void)state;
    unsigned status;
    struct gh_str body;
    assert_int_equal(
        fetch_response("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf", &status, &body),
        GH_ERR_IO);
    assert_int_equal(fetch_response("hello\r\n", &status, &body), GH_ERR_IO);
    assert_int_equal(fetch_response("", &status, &body), GH_ERR_IO);
}

static void a_transfer_that_is_stopped_ends_at_once(void **state)
{
    (void)state;
    static const atomic_bool STOP = true;
    struct gh_str body, detail;
    unsigned status;
    struct peer *peer = sink_start((struct peer){.silent = true});
    struct gh_http_fetch fetch = {
        .url = gh_arena_format(&arena, "http://127.0.0.1:%u/", peer->port),
        .bytes_max = 10,
        .timeout_ms = 60000,
        .stop = &STOP,
    };
    struct gh_smtp_options mail = {
        .url = gh_arena_format(&arena, "smtp://127.0.0.1:%u", peer->port),
        .from = GH_STR("no-reply@example.com"),
        .recipient = GH_STR("ada@example.org"),
        .timeout_ms = 60000,
        .stop = &STOP,
    };
    assert_int_equal(gh_http_fetch(&fetch, &arena, &status, &body, &detail), GH_ERR_CLOSED);
    assert_int_equal(gh_smtp_send(&mail, MESSAGE, &arena, &detail), GH_ERR_CLOSED);
    sink_stop(peer);
    free(peer);
}

static void a_silent_server_times_out(void **state)
{
    (void)state;
    unsigned status;
    struct gh_str body, detail;
    struct peer *peer = sink_start((struct peer){.silent = true});
    assert_int_equal(fetch_from(peer, (struct gh_http_fetch){0}, &status, &body, &detail),
                     GH_ERR_TIMEOUT);
    free(peer);
}

static void a_proxy_in_the_environment_is_not_asked(void **state)
{
    (void)state;
    unsigned status;
    struct gh_str body;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    assert_int_equal(fetch_response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &status, &body),
                     GH_OK);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void other_protocols_and_user_names_are_refused(void **state)
{
    (void)state;
    static const char *const URLS[] = {
        "",       "127.0.0.1",           "file:///etc/passwd",      "ftp://127.0.0.1/",
        "http:/", "smtp://127.0.0.1:25", "http://u:pw@127.0.0.1:1", "gopher://127.0.0.1/"};
    struct gh_http_fetch fetch = {.bytes_max = 10, .timeout_ms = 1000};
    unsigned status;
    struct gh_str body, detail;
    for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        fetch.url = gh_str_from_c(URLS[i]);
        assert_int_equal(gh_http_fetch(&fetch, &arena, &status, &body, &detail), GH_ERR_INVALID);
        assert_int_equal(gh_str_find(detail, GH_STR("pw")), detail.len);
    }
    fetch.url = GH_STR("http://127.0.0.1:1/");
    fetch.bearer = GH_STR("a\r\nX-Evil: 1");
    assert_int_equal(gh_http_fetch(&fetch, &arena, &status, &body, &detail), GH_ERR_INVALID);
}

/* ---- Threads ---- */

struct fetcher {
    pthread_t thread;
    struct peer *peer;
    enum gh_err err;
};

static void *fetch_once(void *arg)
{
    struct fetcher *fetcher = arg;
    struct gh_arena own;
    unsigned status;
    struct gh_str body, detail;
    gh_arena_init(&own, 4096, 64 * 1024);
    struct gh_http_fetch fetch = {
        .url = gh_arena_format(&own, "http://127.0.0.1:%u/", fetcher->peer->port),
        .bytes_max = 100,
        .timeout_ms = 20000,
    };
    fetcher->err = gh_http_fetch(&fetch, &own, &status, &body, &detail);
    gh_arena_done(&own);
    return NULL;
}

static void threads_fetch_at_once(void **state)
{
    (void)state;
    struct fetcher fetchers[4];
    for (size_t i = 0; i < 4; i++) {
        fetchers[i].peer = sink_start((struct peer){
            .response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"});
        assert_int_equal(pthread_create(&fetchers[i].thread, NULL, fetch_once, &fetchers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(fetchers[i].thread, NULL);
        assert_int_equal(fetchers[i].err, GH_OK);
        sink_stop(fetchers[i].peer);
        free(fetchers[i].peer);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(threads_fetch_at_once), /* first: they race for the library, too */
        TEST(a_mail_arrives_whole_with_its_envelope),
        TEST(no_line_of_a_mail_can_end_it_early),
        TEST(a_permanent_refusal_of_the_recipient_is_final),
        TEST(a_permanent_refusal_of_the_message_is_final),
        TEST(a_refusal_for_now_is_tried_again),
        TEST(a_refusal_of_us_and_not_of_the_mail_is_tried_again),
        TEST(a_connection_that_is_cut_is_tried_again),
        TEST(a_server_that_says_nothing_times_out),
        TEST(nobody_there_is_tried_again),
        TEST(mail_never_goes_in_clear_to_another_host),
        TEST(a_password_shows_in_no_detail),
        TEST(bad_addresses_urls_and_messages_never_reach_a_server),
        TEST(an_answer_comes_with_its_status_whatever_that_is),
        TEST(a_post_carries_its_body_and_bearer),
        TEST(a_redirect_is_not_followed),
        TEST(an_answer_over_its_cap_is_refused_with_a_length_or_without),
        TEST(an_answer_that_is_cut_or_no_http_is_a_failure),
        TEST(a_transfer_that_is_stopped_ends_at_once),
        TEST(a_silent_server_times_out),
        TEST(a_proxy_in_the_environment_is_not_asked),
        TEST(other_protocols_and_user_names_are_refused),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
