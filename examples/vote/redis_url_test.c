#include "redis_url.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

static struct redis_url parsed(const char *text)
{
    struct redis_url url;
    assert_true(redis_url_parse(text, &url));
    return url;
}

static void reads_host_port_and_database(void **state)
{
    struct redis_url url = parsed("redis://cache.example:7000/3");
    assert_string_equal(url.host, "cache.example");
    assert_int_equal(url.port, 7000);
    assert_int_equal(url.database, 3);
    assert_string_equal(url.user, "");
    assert_string_equal(url.password, "");
}

static void has_defaults(void **state)
{
    struct redis_url url = parsed("redis://cache/");
    assert_int_equal(url.port, 6379);
    assert_int_equal(url.database, 0);
    assert_int_equal(parsed("redis://cache").port, 6379);
}

static void reads_an_ipv6_address(void **state)
{
    struct redis_url url = parsed("redis://[::1]:6380");
    assert_string_equal(url.host, "::1");
    assert_int_equal(url.port, 6380);
    assert_string_equal(parsed("redis://[2001:db8::7]").host, "2001:db8::7");
}

static void decodes_user_and_password(void **state)
{
    struct redis_url url = parsed("redis://vote:p%40ss%2fword@cache");
    assert_string_equal(url.user, "vote");
    assert_string_equal(url.password, "p@ss/word");
    url = parsed("redis://:only:colons@cache");
    assert_string_equal(url.user, "");
    assert_string_equal(url.password, "only:colons");
}

static void reads_a_socket(void **state)
{
    assert_string_equal(parsed("unix:/run/redis.sock").path, "/run/redis.sock");
}

static void refuses_what_is_no_such_url(void **state)
{
    const char *urls[] = {"",
                          "cache",
                          "redis:cache",
                          "redis://",
                          "redis:///0",
                          "redis://:6379",
                          "rediss://cache",
                          "http://cache",
                          "unix:",
                          "unix:relative",
                          "redis://cache:",
                          "redis://cache:0",
                          "redis://cache:65536",
                          "redis://cache:6379x",
                          "redis://cache/x",
                          "redis://cache/99999",
                          "redis://cache?db=1",
                          "redis://[::1",
                          "redis://[::1]6379",
                          "redis://u:%zz@cache",
                          "redis://u:%0@cache",
                          "redis://u:%00@cache"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct redis_url url = {.port = 77};
        assert_false(redis_url_parse(urls[i], &url));
        assert_int_equal(url.port, 77);
    }
}

static void refuses_parts_that_are_too_long(void **state)
{
    char text[400] = "redis://";
    struct redis_url url;
    memset(text + 8, 'h', REDIS_URL_PART_BYTES_MAX);
    assert_true(redis_url_parse(text, &url));
    text[8 + REDIS_URL_PART_BYTES_MAX] = 'h';
    assert_false(redis_url_parse(text, &url));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_host_port_and_database),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(reads_an_ipv6_address),
        cmocka_unit_test(decodes_user_and_password),
        cmocka_unit_test(reads_a_socket),
        cmocka_unit_test(refuses_what_is_no_such_url),
        cmocka_unit_test(refuses_parts_that_are_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
