#include "identity/breach.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* SHA-1 of "password": 5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8 */
static const uint8_t DIGEST[GH_BREACH_DIGEST_BYTES] = {0x5b, 0xaa, 0x61, 0xe4, 0xc9, 0xb9, 0x3f,
                                                       0x3f, 0x06, 0x82, 0x25, 0x0b, 0x6c, 0xf8,
                                                       0x33, 0x1b, 0x7e, 0xe6, 0x8f, 0xd8};
#define SUFFIX "1E4C9B93F3F0682250B6CF8331B7EE68FD8"
#define OTHER  "0018A45C4D1DEF81644B54AB7F969B88D65"

struct service {
    const char *body;
    unsigned status;
    enum gh_err err;
    struct gh_str asked;
};

static enum gh_err fetch(void *context, struct gh_arena *arena, struct gh_str url,
                         struct gh_str bearer, struct gh_str body, uint64_t timeout_ms,
                         unsigned *out_status, struct gh_str *out_body)
{
    struct service *service = context;
    assert_null(body.ptr); /* a GET */
    assert_int_equal(bearer.len, 0);
    service->asked = gh_arena_dup(arena, url);
    *out_status = service->status;
    *out_body = gh_str_from_c(service->body);
    return service->err;
}

struct toys {
    struct gh_arena arena;
    struct gh_identity identity;
    struct gh_identity_settings settings;
    struct service service;
};

static int setup(void **state)
{
    static struct toys toys;
    toys = (struct toys){.service = {.status = 200}};
    gh_arena_init(&toys.arena, 4096, 1 << 20);
    toys.settings.passwords.breach = GH_STR("https://breach.example/range/");
    toys.identity.http = (struct gh_identity_http){fetch, &toys.service};
    *state = &toys;
    return 0;
}

static int teardown(void **state)
{
    gh_arena_done(&((struct toys *)*state)->arena);
    return 0;
}

static enum gh_err find(struct toys *toys, const char *body, bool *out_found)
{
    struct gh_identity_call call = {
        .identity = &toys->identity, .settings = &toys->settings, .arena = &toys->arena};
    toys->service.body = body;
    return gh_breach_find(&call, DIGEST, out_found);
}

static void asks_by_five_digits_only(void **state)
{
    struct toys *toys = *state;
    bool found = true;
    assert_int_equal(find(toys, "", &found), GH_OK);
    assert_false(found);
    assert_true(gh_str_eq(toys->service.asked, GH_STR("https://breach.example/range/5BAA6")));
}

static void finds_its_own_suffix(void **state)
{
    static const char *const BODIES[] = {
        SUFFIX ":3",
        OTHER ":21\r\n" SUFFIX ":1\r\n",
        SUFFIX ":9545824\n" OTHER ":21\n",
        "1e4c9b93f3f0682250b6cf8331b7ee68fd8:1",
    };
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        bool found = false;
        assert_int_equal(find(*state, BODIES[i], &found), GH_OK);
        assert_true(found);
    }
}

static void does_not_find_others_and_padding(void **state)
{
    static const char *const BODIES[] = {OTHER ":21", SUFFIX ":0", "\r\n", OTHER ":1\r\n\r\n"};
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        bool found = true;
        assert_int_equal(find(*state, BODIES[i], &found), GH_OK);
        assert_false(found);
    }
}

static void knows_nothing_when_the_answer_is_no_range(void **state)
{
    static const char *const BODIES[] = {
        "<html>",
        SUFFIX,
        SUFFIX ":",
        SUFFIX ":x",
        SUFFIX ":-1",
        SUFFIX ":1 ",
        SUFFIX "0:1",
        OTHER ":1\n"
              "rubbish\n" SUFFIX ":1",
    };
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        bool found = false;
        assert_int_equal(find(*state, BODIES[i], &found), GH_ERR_INVALID);
        assert_false(found);
    }
}

static void knows_nothing_when_the_service_fails(void **state)
{
    struct toys *toys = *state;
    bool found = false;
    toys->service.status = 503;
    assert_int_equal(find(toys, SUFFIX ":1", &found), GH_ERR_INVALID);
    toys->service.status = 200;
    toys->service.err = GH_ERR_TIMEOUT;
    assert_int_equal(find(toys, SUFFIX ":1", &found), GH_ERR_TIMEOUT);
    toys->identity.http.fetch = NULL;
    assert_int_equal(find(toys, SUFFIX ":1", &found), GH_ERR_INVALID);
    assert_false(found);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asks_by_five_digits_only),
        TEST(finds_its_own_suffix),
        TEST(does_not_find_others_and_padding),
        TEST(knows_nothing_when_the_answer_is_no_range),
        TEST(knows_nothing_when_the_service_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
