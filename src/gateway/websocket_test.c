#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gateway/websocket.h"

/* The key of RFC 6455 section 1.3. */
void gh_worker_random(struct gh_worker *worker, uint8_t out_bytes[16])
{
    (void)worker;
    memcpy(out_bytes, "the sample nonce", 16);
}

static void the_answer_is_the_one_of_the_rfc(void **state)
{
    (void)state;
    struct gh_worker worker = {0};
    struct gh_request request = {0};
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 4096);
    request.arena = &arena;
    assert_true(gh_websocket_challenge(&worker, &request));
    assert_true(gh_str_eq(request.websocket_key, GH_STR("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_true(gh_str_eq(request.websocket_accept, GH_STR("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
    gh_arena_done(&arena);
}

static void a_full_arena_is_told(void **state)
{
    (void)state;
    struct gh_worker worker = {0};
    struct gh_request request = {0};
    struct gh_arena arena;
    gh_arena_init(&arena, 16, 8);
    request.arena = &arena;
    assert_false(gh_websocket_challenge(&worker, &request));
    gh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_the_one_of_the_rfc),
        cmocka_unit_test(a_full_arena_is_told),
    };
    return cmocka_run_group_tests_name("websocket", tests, NULL, NULL);
}
