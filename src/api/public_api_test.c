/* What anyone may read: public halves of keys alone, and the document. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "api/api_fixture.h"

#define NOBODY ((struct gh_str){NULL, 0})

static void keys_have_their_public_halves_alone(void **state)
{
    static const char *const MEMBERS[] = {"kty", "crv", "x", "kid", "alg", "use"};
    static const char *const SECRETS[] = {"d", "k", "p", "q"};
    struct gh_api_answer answer = gh_api_ask_as(*state, NOBODY, "keySet", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(gh_json_root(&answer.json)->count, 1);
    const struct gh_json_value *key;
    size_t count = 0;
    for (; (key = gh_api_answer_item(&answer, "keys", count)) != NULL; count++) {
        for (size_t i = 0; i < sizeof(MEMBERS) / sizeof(MEMBERS[0]); i++)
            assert_true(
                gh_json_string(gh_json_get(&answer.json, key, gh_str_from_c(MEMBERS[i]))).len > 0);
        for (size_t i = 0; i < sizeof(SECRETS) / sizeof(SECRETS[0]); i++)
            assert_null(gh_json_get(&answer.json, key, gh_str_from_c(SECRETS[i])));
    }
    assert_true(count > 0);
}

static void the_document_is_public_too(void **state)
{
    struct gh_api_answer answer = gh_api_ask_as(*state, NOBODY, "document", NULL);
    assert_int_equal(answer.status, 200);
    assert_true(gh_api_answer_has(&answer, "openapi", "3.1.0"));
}

/* A failure of the moment must not stay in caches for minutes. */
static void what_could_not_be_made_is_not_kept(void **state)
{
    struct gh_api_fixture *f = *state;
    const struct gh_api_ask ask = {.operation = "document"};
    struct gh_service_call *call = gh_api_fixture_call(f, &ask);
    gh_arena_done(&call->arena);
    gh_arena_init(&call->arena, 1024, 64 * 1024);
    gh_api_handle(&f->api, call);
    struct gh_api_answer answer = {.status = call->reply.status, .reply = &call->reply};
    assert_int_equal(answer.status, 500);
    assert_true(gh_str_eq(gh_api_answer_field(&answer, "Cache-Control"), GH_STR("no-store")));
    assert_true(gh_str_eq(gh_api_answer_field(&answer, "Content-Type"),
                          GH_STR("application/problem+json")));
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, gh_api_fixture_setup, gh_api_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_have_their_public_halves_alone),
        TEST(the_document_is_public_too),
        TEST(what_could_not_be_made_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
