/* Addresses of servers, and the rules by which failed connections mark one down. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "upstream/server.h"

static struct gh_arena arena;

static int arena_setup(void **state)
{
    gh_arena_init(&arena, 4096, 1024 * 1024);
    return 0;
}

static int arena_teardown(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static struct gh_server_url parse(const char *text)
{
    struct gh_server_url url;
    const char *problem = gh_server_url_parse(gh_str_from_c(text), &arena, &url);
    if (problem)
        fail_msg("%s: %s", text, problem);
    return url;
}

static void assert_text(struct gh_str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr, expected, text.len);
    assert_int_equal(text.ptr[text.len], 0);
}

static void reads_names_addresses_and_sockets(void **state)
{
    struct gh_server_url url = parse("http://Backend.Internal:8000");
    assert_text(url.host, "backend.internal");
    assert_int_equal(url.port, 8000);
    assert_int_equal(url.ip.family, GH_IP_NONE);
    assert_false(url.tls);
    assert_text(url.text, "backend.internal:8000");
    url = parse("https://10.0.0.5");
    assert_true(url.tls);
    assert_int_equal(url.port, 443);
    assert_int_equal(url.ip.family, GH_IP_V4);
    assert_text(url.text, "10.0.0.5:443");
    url = parse("http://[::1]:81/");
    assert_text(url.host, "::1");
    assert_text(url.text, "[::1]:81");
    assert_int_equal(url.ip.family, GH_IP_V6);
    url = parse("unix:/run/app.sock");
    assert_text(url.path, "/run/app.sock");
    assert_text(url.text, "unix:/run/app.sock");
    assert_int_equal(url.host.len, 0);
}

static void refuses_urls_of_anything_else(void **state)
{
    static const char *const bad[] = {
        "",
        "localhost:8000",
        "http://",
        "http:///",
        "http://:80",
        "HTTP://host",
        "ftp://host:21",
        "http://host:0x50",
        "http://host:",
        "http://host:65536",
        "http://host:080",
        "http://user:secret@host:80",
        "http://user@host",
        "http://host/path",
        "http://host:80//",
        "http://host?x",
        "http://host#x",
        "http://ho st",
        "http://127.1:80",
        "http://0x7f.0.0.1",
        "http://[::1",
        "http://[::zz]:80",
        "http://h\xc3\xb6st",
        "unix:",
        "unix:/",
        "unix:relative",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!gh_upstream_server_problem(gh_str_from_c(bad[i])))
            fail_msg("taken: %s", bad[i]);
    }
    assert_non_null(gh_upstream_server_problem(gh_str_of("unix:/a\0b", 9)));
    char path[109] = "unix:/";
    memset(path + 6, 'a', sizeof path - 7);
    assert_null(gh_upstream_server_problem(gh_str_of(path, 5 + 103)));
    char too_long[5 + 109] = "unix:/";
    memset(too_long + 6, 'a', sizeof too_long - 7);
    assert_non_null(gh_upstream_server_problem(gh_str_from_c(too_long)));
    char longest[600] = "http://";
    memset(longest + 7, 'a', sizeof longest - 8);
    assert_non_null(gh_upstream_server_problem(gh_str_from_c(longest)));
    assert_null(gh_upstream_server_problem(GH_STR("http://127.0.0.1:8000")));
}

/* ---- Down and up ---- */

static void fail_times(struct gh_server *server, int count, uint64_t now_ms)
{
    for (int i = 0; i < count; i++)
        gh_server_note_failure(server, now_ms, false);
}

static void three_failures_in_a_row_mark_a_server_down(void **state)
{
    struct gh_server server = {0};
    fail_times(&server, 2, 1000);
    assert_int_equal(gh_server_state(&server, 1000), GH_SERVER_UP);
    gh_server_note_open(&server, 0);
    fail_times(&server, 2, 1000);
    assert_int_equal(gh_server_state(&server, 1000), GH_SERVER_UP);
    fail_times(&server, 1, 1000);
    assert_int_equal(gh_server_state(&server, 1000), GH_SERVER_DOWN);
    assert_int_equal(gh_server_state(&server, 1999), GH_SERVER_DOWN);
    assert_int_equal(gh_server_state(&server, 2000), GH_SERVER_TRIAL);
}

static void only_one_may_try_after_each_back_off(void **state)
{
    struct gh_server server = {0};
    fail_times(&server, 3, 1000);
    assert_false(gh_server_claim_trial(&server, 1999));
    assert_true(gh_server_claim_trial(&server, 2000));
    assert_false(gh_server_claim_trial(&server, 2000));
    assert_int_equal(gh_server_state(&server, 2000), GH_SERVER_DOWN);
    /* A trial that was never heard of again. */
    assert_true(gh_server_claim_trial(&server, 3000));
}

static void the_back_off_doubles_up_to_30_s(void **state)
{
    static const uint64_t expected_ms[] = {2000, 4000, 8000, 16000, 30000, 30000};
    struct gh_server server = {0};
    uint64_t now = 5000;
    fail_times(&server, 3, now);
    now += 1000;
    for (size_t i = 0; i < sizeof expected_ms / sizeof expected_ms[0]; i++) {
        assert_true(gh_server_claim_trial(&server, now));
        gh_server_note_failure(&server, now, true);
        assert_int_equal(gh_server_state(&server, now + expected_ms[i] - 1), GH_SERVER_DOWN);
        now += expected_ms[i];
        assert_int_equal(gh_server_state(&server, now), GH_SERVER_TRIAL);
    }
    gh_server_note_open(&server, 0);
    assert_int_equal(gh_server_state(&server, now), GH_SERVER_UP);
    fail_times(&server, 3, now);
    assert_int_equal(gh_server_state(&server, now + 1000), GH_SERVER_TRIAL);
}

static void late_failures_of_others_do_not_prolong_the_back_off(void **state)
{
    struct gh_server server = {0};
    fail_times(&server, 20, 1000);
    assert_int_equal(gh_server_state(&server, 2000), GH_SERVER_TRIAL);
}

static void failed_checks_outweigh_connections(void **state)
{
    struct gh_server server = {0};
    atomic_store(&server.probe_down, true);
    gh_server_note_open(&server, 0);
    assert_int_equal(gh_server_state(&server, 1), GH_SERVER_DOWN);
}

/* ---- Names ---- */

static void says_which_name_can_not_be_resolved(void **state)
{
    struct gh_upstream_settings settings = {0};
    struct gh_server server;
    struct gh_str message = {0};
    assert_int_equal(gh_server_init(&server, GH_STR("api"), GH_STR("http://no-such.invalid:80"),
                                    &settings, &arena, &message),
                     GH_ERR_INVALID);
    assert_true(gh_str_find(message, GH_STR("no-such.invalid")) < message.len);
    gh_server_done(&server);
}

static void resolves_localhost(void **state)
{
    struct gh_upstream_settings settings = {0};
    struct gh_server server;
    struct gh_str message = {0};
    assert_int_equal(gh_server_init(&server, GH_STR("api"), GH_STR("http://localhost:80"),
                                    &settings, &arena, &message),
                     GH_OK);
    assert_true(gh_server_address_count(&server) >= 1);
    for (unsigned i = 0; i < server.address_count; i++)
        assert_true(gh_ip_is_loopback(&server.addresses[i]));
    assert_int_equal(gh_server_resolve(&server), 0);
    gh_server_done(&server);
}

#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVER_TEST(reads_names_addresses_and_sockets),
        SERVER_TEST(refuses_urls_of_anything_else),
        SERVER_TEST(three_failures_in_a_row_mark_a_server_down),
        SERVER_TEST(only_one_may_try_after_each_back_off),
        SERVER_TEST(the_back_off_doubles_up_to_30_s),
        SERVER_TEST(late_failures_of_others_do_not_prolong_the_back_off),
        SERVER_TEST(failed_checks_outweigh_connections),
        SERVER_TEST(says_which_name_can_not_be_resolved),
        SERVER_TEST(resolves_localhost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
