#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/redis_url.h"

struct url_test {
    struct gh_arena arena;
    struct gh_redis_url url;
};

static int set_up(void **state)
{
    static struct url_test test;
    test.url = (struct gh_redis_url){0};
    gh_arena_init(&test.arena, 1024, 64 * 1024);
    *state = &test;
    return 0;
}

static int tear_down(void **state)
{
    struct url_test *test = *state;
    gh_arena_done(&test->arena);
    return 0;
}

static const struct gh_redis_url *parsed(struct url_test *test, const char *text)
{
    const char *problem = gh_redis_url_parse(gh_str_from_c(text), &test->arena, &test->url);
    assert_string_equal(problem ? problem : "", "");
    return &test->url;
}

static void assert_text(struct gh_str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr ? text.ptr : "", expected, text.len);
}

static void reads_host_port_and_database(void **state)
{
    static const struct {
        const char *text, *host, *shown;
        uint16_t port;
        uint32_t database;
        bool tls, is_ip;
    } rows[] = {
        {"redis://cache", "cache", "cache:6379/0", 6379, 0, false, false},
        {"redis://cache/", "cache", "cache:6379/0", 6379, 0, false, false},
        {"redis://cache:1/15", "cache", "cache:1/15", 1, 15, false, false},
        {"rediss://a.b-c_d.example:65535", "a.b-c_d.example", "a.b-c_d.example:65535/0", 65535, 0,
         true, false},
        {"redis://127.0.0.1:7/2", "127.0.0.1", "127.0.0.1:7/2", 7, 2, false, true},
        {"redis://[::1]:7/2", "::1", "[::1]:7/2", 7, 2, false, true},
        {"redis://[::1]", "::1", "[::1]:6379/0", 6379, 0, false, true},
        {"valkey://v", "v", "v:6379/0", 6379, 0, false, false},
        {"valkeys://v", "v", "v:6379/0", 6379, 0, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct gh_redis_url *url = parsed(*state, rows[i].text);
        assert_text(url->host, rows[i].host);
        assert_text(url->text, rows[i].shown);
        assert_int_equal(url->port, rows[i].port);
        assert_int_equal(url->database, rows[i].database);
        assert_int_equal(url->tls, rows[i].tls);
        assert_int_equal(url->ip.family != GH_IP_NONE, rows[i].is_ip);
        assert_text(url->user, "");
        assert_text(url->password, "");
        assert_text(url->path, "");
    }
}

static void reads_user_and_password_and_shows_neither(void **state)
{
    static const struct {
        const char *text, *user, *password, *shown;
    } rows[] = {
        {"redis://:hunter2@cache", "", "hunter2", "cache:6379/0"},
        {"rediss://gate:hunter2@cache:1/3", "gate", "hunter2", "cache:1/3"},
        {"redis://g%40te:%2F%3a%25%FF@cache", "g@te", "/:%\xff", "cache:6379/0"},
        {"redis://u:p:q@cache", "u", "p:q", "cache:6379/0"},
        {"redis://u:p@q@cache", "u", "p@q", "cache:6379/0"},
        {"redis://u:p%3F%23@[::1]:2", "u", "p?#", "[::1]:2/0"},
        {"redis+unix://u:p@/run/r.sock?db=4", "u", "p", "unix:/run/r.sock"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct gh_redis_url *url = parsed(*state, rows[i].text);
        assert_text(url->user, rows[i].user);
        assert_text(url->password, rows[i].password);
        assert_text(url->text, rows[i].shown);
    }
}

static void reads_unix_sockets(void **state)
{
    static const char *const same[] = {"unix:/run/redis.sock", "unix:///run/redis.sock",
                                       "redis+unix:///run/redis.sock"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        const struct gh_redis_url *url = parsed(*state, same[i]);
        assert_text(url->path, "/run/redis.sock");
        assert_text(url->text, "unix:/run/redis.sock");
        assert_text(url->host, "");
        assert_int_equal(url->database, 0);
    }
    assert_int_equal(parsed(*state, "unix:/r?db=7")->database, 7);
    /* An @ in the path is no password. */
    assert_text(parsed(*state, "unix:/run/a@b.sock")->path, "/run/a@b.sock");
}

static const char *const NOT_WELL_FORMED[] = {
    "",
    "cache",
    "cache:6379",
    "redis",
    "redis:",
    "redis:/cache",
    "redis://",
    "redis:///0",
    "REDIS://cache",
    " redis://cache",
    "redis://cache ",
    "http://cache",
    "redis-sentinel://cache",
    "redis-cluster://cache",
    "redis://a,b",
    "redis://cache:",
    "redis://cache:0",
    "redis://cache:65536",
    "redis://cache:+1",
    "redis://cache:01",
    "redis://cache:1:2",
    "redis://cache/x",
    "redis://cache/-1",
    "redis://cache/65536",
    "redis://cache/0/",
    "redis://cache/00",
    "redis://cache?db=1",
    "redis://cache/0?db=1",
    "redis://cache/0#x",
    "redis://[::1",
    "redis://::1",
    "redis://[cache]",
    "redis://[127.0.0.1]",
    "redis://[]",
    "redis://c%61che",
    "redis://cache\xc3\xa9",
    "redis://user@cache",
    "redis://@cache",
    "redis://:@cache",
    "redis://user:@cache",
    "redis://u:p%@cache",
    "redis://u:p%4@cache",
    "redis://u:p%zz@cache",
    "redis://u:p%00@cache",
    "redis://u:p/q@cache",
    "redis://u:p?q@cache",
    "redis://u:p#q@cache",
    "redis://u:p q@cache",
    "redis://u:p,q@cache",
    "redis://u:p@",
    "unix:",
    "unix:/",
    "unix:run/redis.sock",
    "unix://run/redis.sock",
    "unix:////run/redis.sock",
    "redis+unix:////run/redis.sock",
    "unix://run/redis.sock?x",
    "unix:/r?db=",
    "unix:/r?db=x",
    "unix:/r?password=p",
    "redis+unix://run/redis.sock",
    "redis+unix://u:p@run/redis.sock",
};

static void refuses_what_is_not_well_formed(void **state)
{
    struct url_test *test = *state;
    for (size_t i = 0; i < sizeof NOT_WELL_FORMED / sizeof *NOT_WELL_FORMED; i++) {
        const char *problem =
            gh_redis_url_parse(gh_str_from_c(NOT_WELL_FORMED[i]), &test->arena, &test->url);
        if (!problem)
            print_error("accepted: %s\n", NOT_WELL_FORMED[i]);
        assert_non_null(problem);
    }
    assert_null(test->url.host.ptr);
}

static void refuses_nul_bytes_and_what_is_too_long(void **state)
{
    struct url_test *test = *state;
    char text[GH_REDIS_URL_BYTES_MAX + 1];
    assert_non_null(gh_redis_url_parse(GH_STR("redis://ca\0che"), &test->arena, &test->url));
    assert_non_null(gh_redis_url_parse(GH_STR("unix:/ca\0che"), &test->arena, &test->url));
    memset(text, 'a', sizeof text);
    memcpy(text, "redis://", 8);
    assert_non_null(gh_redis_url_parse(gh_str_of(text, 8 + 254), &test->arena, &test->url));
    assert_non_null(gh_redis_url_parse(gh_str_of(text, sizeof text), &test->arena, &test->url));
    assert_null(gh_redis_url_parse(gh_str_of(text, 8 + 253), &test->arena, &test->url));
    memcpy(text, "unix:/aa", 8);
    assert_non_null(gh_redis_url_parse(gh_str_of(text, 5 + 108), &test->arena, &test->url));
    assert_null(gh_redis_url_parse(gh_str_of(text, 5 + 107), &test->arena, &test->url));
}

static void a_complaint_never_quotes_the_text(void **state)
{
    static const char *const texts[] = {"redis://u:hunter2@", "redis://u:hunter2@a b",
                                        "redis://u:hunter2/@a", "hunter2://u:hunter2@a",
                                        "redis://u:hunter2@a/hunter2"};
    struct url_test *test = *state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *problem = gh_redis_url_parse(gh_str_from_c(texts[i]), &test->arena, &test->url);
        assert_non_null(problem);
        assert_null(strstr(problem, "hunter2"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(reads_host_port_and_database),
        T(reads_user_and_password_and_shows_neither),
        T(reads_unix_sockets),
        T(refuses_what_is_not_well_formed),
        T(refuses_nul_bytes_and_what_is_too_long),
        T(a_complaint_never_quotes_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
