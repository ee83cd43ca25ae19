#include "http/problem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void assert_writes(const struct gh_problem *problem, const char *expected)
{
    char memory[512] = "";
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory) - 1);
    gh_problem_write(&buf, problem);
    assert_false(buf.overflow);
    assert_string_equal(memory, expected);
}

static void writes_all_members_in_order(void **state)
{
    struct gh_problem problem = {
        .status = 429,
        .type = GH_STR("https://iana.org/assignments/http-problem-types#quota-exceeded"),
        .title = GH_STR("Slow down"),
        .detail = GH_STR("Rate limit exceeded: 5 requests per minute"),
        .request_id = GH_STR("0a1b"),
        .extra = GH_STR("\"violated-policies\":[\"login\"]"),
    };
    assert_writes(&problem,
                  "{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\","
                  "\"title\":\"Slow down\",\"status\":429,"
                  "\"detail\":\"Rate limit exceeded: 5 requests per minute\","
                  "\"request_id\":\"0a1b\",\"violated-policies\":[\"login\"]}");
}

static void fills_in_type_and_title(void **state)
{
    struct gh_problem problem = {.status = 404, .request_id = GH_STR("x")};
    assert_writes(&problem, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                            "\"request_id\":\"x\"}");
}

static void leaves_out_what_is_empty(void **state)
{
    struct gh_problem problem = {.status = 400};
    assert_writes(&problem, "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400}");
}

static void never_lets_a_text_end_its_string(void **state)
{
    struct gh_problem problem = {.status = 400, .detail = GH_STR("\"},<\xff")};
    assert_writes(&problem, "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,"
                            "\"detail\":\"\\\"},\\u003c\\ufffd\"}");
}

static void overflow_is_seen(void **state)
{
    char memory[40];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    gh_problem_write(&buf, &(struct gh_problem){.status = 400});
    assert_true(buf.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_all_members_in_order),
        cmocka_unit_test(fills_in_type_and_title),
        cmocka_unit_test(leaves_out_what_is_empty),
        cmocka_unit_test(never_lets_a_text_end_its_string),
        cmocka_unit_test(overflow_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
