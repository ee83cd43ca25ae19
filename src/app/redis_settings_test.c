#include "app/redis_settings.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "app/root_config.h"
#include "config/render_problems.h"

/* 2026-01-15 */
#define NOW 1768435200

#define HEAD       "version: 1\nhosts: [a.example]\n"
#define PRODUCTION HEAD "environment: production\n"
#define HERE       HEAD "environment: development\n"

static const char *const ENVIRONMENT[] = {
    "REDIS_URL",
    "rediss://gate:kJ2-very%40private@cache.example:6380/2",
    "REDIS_DEFAULT",
    "redis://:changeme@cache",
    "REDIS_SAME",
    "redis://gate:gate@cache",
    "REDIS_NAME",
    "redis://:Redis@cache",
    "REDIS_OTHER",
    "memcached://u:hunter2@cache",
    "REDIS_SENTINEL",
    "redis-sentinel://u:hunter2@cache",
    "REDIS_WORD",
    "hunter2:hunter3@cache",
    "REDIS_BROKEN",
    "redis://u:hunter2?x@cache",
    NULL,
};

static void expect(const char *text, const char *expected)
{
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, ENVIRONMENT);
    if (gh_root_load(&test.load, gh_str_from_c(text), NULL, &settings))
        gh_redis_settings_check(&test.load, &settings.redis,
                                settings.policy.environment == GH_PRODUCTION,
                                &(struct gh_secret_source){test_getenv, &test});
    assert_string_equal(test_load_problems(&test), expected);
    assert_null(strstr(test_load_problems(&test), "hunter"));
    test_load_done(&test);
}

static void is_absent_without_a_url(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings settings;
    static const char *const texts[] = {PRODUCTION, PRODUCTION "redis:\n",
                                        PRODUCTION "redis: ${NO_SUCH:-}\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        test_load_init(&test, ENVIRONMENT);
        assert_true(gh_root_load(&test.load, gh_str_from_c(texts[i]), NULL, &settings));
        assert_int_equal(settings.redis.url.len, 0);
        assert_int_equal(settings.redis.timeout_ms, 100);
        test_load_done(&test);
        expect(texts[i], "");
    }
}

static void takes_urls_references_and_a_table(void **state)
{
    (void)state;
    expect(PRODUCTION "redis: redis://cache\n", "");
    expect(PRODUCTION "redis: unix:/run/redis/redis.sock\n", "");
    expect(PRODUCTION "redis: ${REDIS_URL:-}\n", "");
    expect(PRODUCTION "redis: env:REDIS_URL\n", "");
    expect(PRODUCTION "redis: env:NOT_SET_HERE\n", "");
    expect(PRODUCTION "redis: {url: env:REDIS_URL, ca: /etc/ca.pem, timeout: 50ms}\n", "");
}

static void resolves_a_reference_to_its_url(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings settings;
    struct gh_redis_url url;
    struct gh_str message = {0};
    test_load_init(&test, ENVIRONMENT);
    const struct gh_secret_source source = {test_getenv, &test};
    assert_true(gh_root_load(&test.load,
                             GH_STR(PRODUCTION "redis: {url: env:REDIS_URL, timeout: 1s}\n"), NULL,
                             &settings));
    assert_int_equal(settings.redis.timeout_ms, 1000);
    assert_true(
        gh_redis_settings_resolve(&settings.redis, true, &source, &test.arena, &url, &message));
    assert_true(url.tls);
    assert_string_equal(url.host.ptr, "cache.example");
    assert_string_equal(url.text.ptr, "cache.example:6380/2");
    assert_string_equal(url.password.ptr, "kJ2-very@private");
    settings.redis.url = GH_STR("env:NOT_SET_HERE");
    assert_false(
        gh_redis_settings_resolve(&settings.redis, true, &source, &test.arena, &url, &message));
    assert_string_equal(message.ptr, "redis: env:NOT_SET_HERE is not set");
    settings.redis.url = GH_STR("env:REDIS_DEFAULT");
    assert_true(
        gh_redis_settings_resolve(&settings.redis, false, &source, &test.arena, &url, &message));
    assert_false(
        gh_redis_settings_resolve(&settings.redis, true, &source, &test.arena, &url, &message));
    assert_string_equal(message.ptr, "redis: what env:REDIS_DEFAULT holds can't be used: its "
                                     "password is a default one; set another");
    test_load_done(&test);
}

static void refuses_a_password_that_is_written_out(void **state)
{
    (void)state;
    expect(HERE "redis: redis://:hunter2@cache\n",
           "4:8 a password is written out in a URL | take it from the environment: ${NAME}\n");
    expect(HERE "redis: {url: 'redis+unix://u:hunter2@/run/r'}\n",
           "4:14 a password is written out in a URL | take it from the environment: ${NAME}\n");
}

static void refuses_default_passwords_in_production_only(void **state)
{
    (void)state;
    static const char remedy[] = "can't be used | its password is a default one; set another\n";
    static const char *const names[] = {"REDIS_DEFAULT", "REDIS_SAME", "REDIS_NAME"};
    char text[256], expected[256];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(text, sizeof(text), PRODUCTION "redis: env:%s\n", names[i]);
        snprintf(expected, sizeof(expected), "4:8 redis: what env:%s holds %s", names[i], remedy);
        expect(text, expected);
        snprintf(text, sizeof(text), HERE "redis: ${%s}\n", names[i]);
        expect(text, "");
    }
    expect(PRODUCTION "redis: ${REDIS_DEFAULT}\n",
           "4:8 redis: its URL can't be used | its password is a default one; set another\n");
}

static void names_a_scheme_that_is_not_known(void **state)
{
    (void)state;
    expect(HERE "redis: http://cache\n",
           "4:8 redis: its URL (a URL of \"http\") can't be used | Redis is redis://, rediss:// or "
           "unix: (no Sentinel, no cluster)\n");
    expect(HERE "redis: env:REDIS_OTHER\n",
           "4:8 redis: what env:REDIS_OTHER holds (a URL of \"memcached\") can't be used | Redis "
           "is redis://, rediss:// or unix: (no Sentinel, no cluster)\n");
    expect(HERE "redis: env:REDIS_SENTINEL\n",
           "4:8 redis: what env:REDIS_SENTINEL holds can't be used | Redis is redis://, rediss:// "
           "or unix: (no Sentinel, no cluster)\n");
}

static void refuses_what_is_no_url_without_showing_it(void **state)
{
    (void)state;
    expect(HERE "redis: cache\n", "4:8 redis: its URL can't be used | Redis is redis://, rediss:// "
                                  "or unix: (no Sentinel, no cluster)\n");
    expect(HERE "redis: ${REDIS_WORD}\n", "4:8 redis: its URL can't be used | Redis is redis://, "
                                          "rediss:// or unix: (no Sentinel, no cluster)\n");
    expect(HERE "redis: env:REDIS_BROKEN\n",
           "4:8 redis: what env:REDIS_BROKEN holds can't be used | special characters in user or "
           "password are percent-encoded: # is %23\n");
    expect(HERE "redis: redis://cache:0\n",
           "4:8 redis: its URL can't be used | the port of Redis is a number from 1 to 65535\n");
}

static void refuses_what_does_not_go_together(void **state)
{
    (void)state;
    expect(HERE "redis: {url: redis://cache, ca: /etc/ca.pem}\n",
           "4:14 redis: its URL can't be used | redis.ca is for rediss://, and it has no TLS\n");
    expect(HERE "redis: {ca: /etc/ca.pem}\n",
           "4:13 redis.ca stands without redis.url | write url: env:REDIS_URL\n");
    expect(HERE "redis: {url: redis://cache, timeout: 1ms}\n",
           "4:38 timeout: 1ms is out of range, allowed is 10ms to 10s\n");
    expect(HERE "redis: {url: redis://cache, tiemout: 1s}\n",
           "4:29 unknown key \"tiemout\" in redis | did you mean \"timeout\"?\n");
}

static void is_checked_with_the_whole_file(void **state)
{
    (void)state;
    struct test_load test;
    struct gh_root_settings settings;
    test_load_init(&test, ENVIRONMENT);
    assert_true(gh_root_load(&test.load,
                             GH_STR(HERE "redis: env:REDIS_OTHER\n"
                                         "upstreams: {api: {servers: [http://10.0.0.5:8000]}}\n"
                                         "routes: [{path: /**, upstream: api, access: public}]\n"),
                             NULL, &settings));
    assert_null(gh_root_compile(&test.load, &settings, NOW));
    assert_non_null(strstr(test_load_problems(&test), "memcached"));
    test_load_done(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_absent_without_a_url),
        cmocka_unit_test(takes_urls_references_and_a_table),
        cmocka_unit_test(resolves_a_reference_to_its_url),
        cmocka_unit_test(refuses_a_password_that_is_written_out),
        cmocka_unit_test(refuses_default_passwords_in_production_only),
        cmocka_unit_test(names_a_scheme_that_is_not_known),
        cmocka_unit_test(refuses_what_is_no_url_without_showing_it),
        cmocka_unit_test(refuses_what_does_not_go_together),
        cmocka_unit_test(is_checked_with_the_whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
