#include "session/cookies.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct gh_arena arena;

static int open_arena(void **state)
{
    gh_arena_init(&arena, 4096, 1 << 16);
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

#define ASSERT_TEXT(text, literal) assert_true(gh_str_eq(text, GH_STR(literal)))

static struct gh_session_cookie_rules rules_of(enum gh_same_site same_site, bool plain)
{
    return (struct gh_session_cookie_rules){
        .plain = plain, .same_site = same_site, .auth_path = GH_STR("/api/v1/auth")};
}

static void cookies_carry_every_attribute(void **state)
{
    struct gh_session_cookie_rules rules = rules_of(GH_SAME_SITE_LAX, false);
    ASSERT_TEXT(gh_session_cookie_set(&arena, &rules, GH_COOKIE_ACCESS, GH_STR("a.b.c"), 0),
                "__Host-gh_access=a.b.c; Path=/; HttpOnly; Secure; SameSite=Lax");
    ASSERT_TEXT(gh_session_cookie_set(&arena, &rules, GH_COOKIE_DEVICE, GH_STR("d"), 31536000),
                "__Host-gh_device=d; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax");
    ASSERT_TEXT(gh_session_cookie_set(&arena, &rules, GH_COOKIE_REFRESH, GH_STR("r"), 60),
                "__Secure-gh_refresh=r; Path=/api/v1/auth; Max-Age=60; HttpOnly; Secure; "
                "SameSite=Strict");
}

static void refresh_is_strict_whatever_the_others_are(void **state)
{
    struct gh_session_cookie_rules rules = rules_of(GH_SAME_SITE_NONE, false);
    ASSERT_TEXT(gh_session_cookie_set(&arena, &rules, GH_COOKIE_ACCESS, GH_STR("a"), 0),
                "__Host-gh_access=a; Path=/; HttpOnly; Secure; SameSite=None");
    ASSERT_TEXT(gh_session_cookie_set(&arena, &rules, GH_COOKIE_REFRESH, GH_STR("r"), 0),
                "__Secure-gh_refresh=r; Path=/api/v1/auth; HttpOnly; Secure; SameSite=Strict");
    rules.same_site = GH_SAME_SITE_STRICT;
    ASSERT_TEXT(gh_session_cookie_set(&arena, &rules, GH_COOKIE_DEVICE, GH_STR("d"), 0),
                "__Host-gh_device=d; Path=/; HttpOnly; Secure; SameSite=Strict");
}

static void plain_cookies_have_neither_prefix_nor_secure(void **state)
{
    struct gh_session_cookie_rules rules = rules_of(GH_SAME_SITE_LAX, true);
    ASSERT_TEXT(gh_session_cookie_set(&arena, &rules, GH_COOKIE_ACCESS, GH_STR("a"), 0),
                "gh_access=a; Path=/; HttpOnly; SameSite=Lax");
    ASSERT_TEXT(gh_session_cookie_set(&arena, &rules, GH_COOKIE_REFRESH, GH_STR("r"), 0),
                "gh_refresh=r; Path=/api/v1/auth; HttpOnly; SameSite=Strict");
    rules.same_site = GH_SAME_SITE_NONE;
    ASSERT_TEXT(gh_session_cookie_set(&arena, &rules, GH_COOKIE_ACCESS, GH_STR("a"), 0),
                "gh_access=a; Path=/; HttpOnly; SameSite=Lax");
}

static void clearing_names_the_same_cookie(void **state)
{
    struct gh_session_cookie_rules rules = rules_of(GH_SAME_SITE_LAX, false);
    ASSERT_TEXT(gh_session_cookie_clear(&arena, &rules, GH_COOKIE_ACCESS),
                "__Host-gh_access=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    ASSERT_TEXT(gh_session_cookie_clear(&arena, &rules, GH_COOKIE_REFRESH),
                "__Secure-gh_refresh=; Path=/api/v1/auth; Max-Age=0; HttpOnly; Secure; "
                "SameSite=Strict");
}

static void says_when_the_arena_is_full(void **state)
{
    struct gh_session_cookie_rules rules = rules_of(GH_SAME_SITE_LAX, false);
    for (size_t cap = 0; cap < 96; cap += 16) {
        struct gh_arena small;
        gh_arena_init(&small, 16, cap);
        struct gh_str whole =
            gh_session_cookie_set(&small, &rules, GH_COOKIE_ACCESS, GH_STR("a.b.c"), 60);
        assert_null(whole.ptr);
        gh_arena_done(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_carry_every_attribute),
        cmocka_unit_test(refresh_is_strict_whatever_the_others_are),
        cmocka_unit_test(plain_cookies_have_neither_prefix_nor_secure),
        cmocka_unit_test(clearing_names_the_same_cookie),
        cmocka_unit_test(says_when_the_arena_is_full),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
