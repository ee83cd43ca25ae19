/* The chain and its lines. Expected hashes were computed apart, with Python's json and hashlib. */
#include "audit/chain.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/log_fixture.h"

static struct gh_audit_row example(void)
{
    return (struct gh_audit_row){
        .record = {.time_us = GH_LOG_START_US,
                   .event = GH_AUDIT_LOGIN_FAILED,
                   .user_id = GH_STR("u-1"),
                   .ip_address = GH_STR("192.0.2.1"),
                   .user_agent = GH_STR("curl/8 \"q\" \xc3\xa9 \x1b"),
                   .session = GH_STR("ba7816bf8f01cfea414140de5dae2223"),
                   .request_id = GH_STR("r-1"),
                   .outcome = GH_AUDIT_FAILURE,
                   .metadata =
                       GH_STR("{ \"reason\": \"password\", \"email\": \"a@b\", \"n\":1e1}")}};
}

static int set_up(void **state)
{
    static struct gh_arena arena;
    gh_arena_init(&arena, 64 * 1024, 8 << 20);
    *state = &arena;
    return 0;
}

static int tear_down(void **state)
{
    gh_arena_done(*state);
    return 0;
}

static void assert_hex(const uint8_t hash[GH_SHA256_BYTES], const char *expected)
{
    char text[2 * GH_SHA256_BYTES];
    struct gh_buf buf = gh_buf_over(text, sizeof(text));
    gh_buf_put_hex_bytes(&buf, hash, GH_SHA256_BYTES);
    assert_memory_equal(text, expected, sizeof(text));
}

static void a_hash_is_that_of_the_canonical_json(void **state)
{
    struct gh_audit_row row = example();
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    assert_int_equal(row.record.seq, 1);
    assert_hex(row.hash, "757048ddc15e85d9afa1469029608ec53f14adb200a8f8a2a77ffcb75161d8c5");
    uint8_t first[GH_SHA256_BYTES];
    memcpy(first, row.hash, sizeof(first));
    assert_int_equal(gh_audit_link(*state, &row, 41, first), GH_OK);
    assert_int_equal(row.record.seq, 42);
    assert_memory_equal(row.prev_hash, first, sizeof(first));
    assert_hex(row.hash, "9f65f76791f1ebb425a1366f9494e7de672b06b7050263e7bee8a14679c84cf6");
}

static void the_hash_covers_the_chain_unless_it_is_the_first(void **state)
{
    struct gh_audit_row row = example();
    row.record.chain = 1;
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    assert_hex(row.hash, "757048ddc15e85d9afa1469029608ec53f14adb200a8f8a2a77ffcb75161d8c5");
    row.record.chain = 2;
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    assert_int_equal(row.record.seq, 1);
    assert_hex(row.hash, "c7ef9b340b4fff55823379fe385d7fe2725e62a54c912f492e292063baa4fadc");
    row.record.chain = UINT32_MAX;
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    assert_hex(row.hash, "13f2262f66df98bbb73fc85a59a8faabf9f961cd247667bb3264dd9d041998fc");
}

static void an_empty_record_has_nulls_and_an_empty_object(void **state)
{
    struct gh_audit_row row = {.record = {.event = GH_AUDIT_CONFIG_RELOADED}};
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    assert_hex(row.hash, "6fd4417b1d46b18cc3648984371d6feb7e277b5f72bc3728aa27d79dd3b9c414");
    row.record.metadata = GH_STR("{}");
    uint8_t again[GH_SHA256_BYTES];
    assert_int_equal(gh_audit_row_hash(*state, &row, again), GH_OK);
    assert_memory_equal(again, row.hash, sizeof(again));
}

static void the_hash_covers_each_member_and_not_what_is_sealed(void **state)
{
    struct gh_audit_row row = example(), changed[13];
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    for (size_t i = 0; i < 13; i++)
        changed[i] = row;
    changed[0].record.seq++;
    changed[1].record.time_us++;
    changed[2].record.event = GH_AUDIT_LOGIN;
    changed[3].record.user_id = GH_STR("u-2");
    changed[4].record.actor_id = GH_STR("u-1");
    changed[5].record.ip_address = GH_STR("192.0.2.2");
    changed[6].record.user_agent = GH_STR("");
    changed[7].record.session = GH_STR("");
    changed[8].record.request_id = GH_STR("r-2");
    changed[9].record.outcome = GH_AUDIT_SUCCESS;
    changed[10].record.metadata = GH_STR("{}");
    changed[11].prev_hash[31] = 1;
    changed[12].sealed = GH_STR("sealed");
    for (size_t i = 0; i < 13; i++) {
        uint8_t hash[GH_SHA256_BYTES];
        assert_int_equal(gh_audit_row_hash(*state, &changed[i], hash), GH_OK);
        assert_int_equal(memcmp(hash, row.hash, sizeof(hash)) == 0, i == 12);
    }
}

static void metadata_mean_the_same_however_they_are_written(void **state)
{
    struct gh_audit_row row = example();
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    uint8_t again[GH_SHA256_BYTES];
    row.record.metadata = GH_STR("{\"email\":\"\\u0061@b\",\"n\":10,\"reason\":\"password\"}");
    assert_int_equal(gh_audit_row_hash(*state, &row, again), GH_OK);
    assert_memory_equal(again, row.hash, sizeof(again));
}

static void refuses_to_link_what_has_no_canonical_form(void **state)
{
    struct gh_audit_row rows[8];
    for (size_t i = 0; i < 8; i++)
        rows[i] = example();
    char *long_text = gh_arena_alloc(*state, 41 * 1024);
    assert_non_null(long_text);
    memset(long_text, 'a', 41 * 1024);
    rows[0].record.user_agent = GH_STR("\xff");
    rows[1].record.metadata = GH_STR("[]");
    rows[2].record.metadata = GH_STR("{\"a\":1.5}");
    rows[3].record.metadata = GH_STR("{\"a\":9007199254740993}");
    rows[4].record.metadata = GH_STR("{\"a\":1,\"a\":2}");
    rows[5].record.metadata = GH_STR("{");
    rows[6].record.time_us = UINT64_MAX;
    rows[7].record.user_id = gh_str_of(long_text, 41 * 1024);
    for (size_t i = 0; i < 8; i++) {
        struct gh_audit_row before = rows[i];
        assert_int_equal(gh_audit_link(*state, &rows[i], 0, NULL), GH_ERR_INVALID);
        assert_memory_equal(&before, &rows[i], sizeof(before));
    }
    struct gh_audit_row late = example();
    assert_int_equal(gh_audit_link(*state, &late, UINT64_C(1) << 53, NULL), GH_ERR_INVALID);
}

/* ---- Lines ---- */

static void a_line_reads_as_it_should(void **state)
{
    struct gh_audit_row row = example();
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    row.sealed = GH_STR("\x00\xff\x10 any");
    struct gh_str line = gh_log_line(*state, &row, gh_str_of(NULL, 0));
    static const char EXPECTED[] =
        "{\"seq\":1,\"time\":\"2026-02-01T00:00:00.000000Z\",\"event_type\":\"login_failed\","
        "\"user_id\":\"u-1\",\"actor_id\":null,\"ip_address\":\"192.0.2.1\","
        "\"user_agent\":\"curl/8 \\\"q\\\" \xc3\xa9 \\u001b\","
        "\"session\":\"ba7816bf8f01cfea414140de5dae2223\",\"request_id\":\"r-1\","
        "\"outcome\":\"failure\","
        "\"metadata\":{\"email\":\"a@b\",\"n\":10,\"reason\":\"password\"},\"prev_hash\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\",\"hash\":"
        "\"757048ddc15e85d9afa1469029608ec53f14adb200a8f8a2a77ffcb75161d8c5\","
        "\"sealed\":\"AP8QIGFueQ==\"}\n";
    assert_int_equal(line.len, sizeof(EXPECTED) - 1);
    assert_memory_equal(line.ptr, EXPECTED, line.len);
}

static void a_line_reads_back_as_the_same_row(void **state)
{
    struct gh_audit_row row = example(), back;
    assert_int_equal(
        gh_audit_link(*state, &row, 6, (const uint8_t *)"0123456789abcdef0123456789abcdef"), GH_OK);
    row.sealed = GH_STR("\x00sealed");
    struct gh_str line = gh_log_line(*state, &row, gh_str_of(NULL, 0)), openings;
    assert_int_equal(gh_audit_parse_line(*state, line, &back, &openings), GH_OK);
    assert_null(openings.ptr);
    assert_true(gh_str_eq(back.sealed, row.sealed));
    assert_true(gh_str_eq(back.record.user_agent, row.record.user_agent));
    assert_null(back.record.actor_id.ptr);
    assert_memory_equal(back.hash, row.hash, GH_SHA256_BYTES);
    struct gh_str again = gh_log_line(*state, &back, gh_str_of(NULL, 0));
    assert_true(gh_str_eq(line, again));
}

static void a_line_names_its_chain_unless_it_is_the_first(void **state)
{
    struct gh_audit_row row = example(), back;
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    struct gh_str line = gh_log_line(*state, &row, gh_str_of(NULL, 0));
    assert_int_equal(gh_str_find(line, GH_STR("chain")), line.len);
    assert_int_equal(gh_audit_parse_line(*state, line, &back, NULL), GH_OK);
    assert_int_equal(back.record.chain, 1);
    row.record.chain = 2;
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    line = gh_log_line(*state, &row, gh_str_of(NULL, 0));
    assert_true(gh_str_starts_with(line, GH_STR("{\"seq\":1,\"chain\":2,\"time\":\"2026-")));
    assert_int_equal(gh_audit_parse_line(*state, line, &back, NULL), GH_OK);
    assert_int_equal(back.record.chain, 2);
    assert_true(gh_str_eq(line, gh_log_line(*state, &back, gh_str_of(NULL, 0))));
}

static void openings_take_the_place_of_what_is_sealed(void **state)
{
    struct gh_audit_row row = example(), back;
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    row.sealed = GH_STR("sealed");
    struct gh_str line = gh_log_line(*state, &row, GH_STR("{\"b\":1, \"a\":{}}")), openings;
    assert_int_equal(gh_audit_parse_line(*state, line, &back, &openings), GH_OK);
    assert_true(gh_str_eq(openings, GH_STR("{\"a\":{},\"b\":1}")));
    assert_int_equal(back.sealed.len, 0);
    line = gh_log_line(*state, &row, GH_STR(""));
    assert_int_equal(gh_audit_parse_line(*state, line, &back, &openings), GH_OK);
    assert_null(openings.ptr);
    assert_int_equal(back.sealed.len, 0);
}

static void order_and_white_space_do_not_matter_to_a_reader(void **state)
{
    static const char LINE[] =
        " { \"hash\" : \"000000000000000000000000000000000000000000000000000000000000000a\" ,\n"
        "\"metadata\":{\"b\": 1,\"a\":[ ]},\"outcome\":\"success\",\"request_id\":null,"
        "\"session\":null,\"user_agent\":null,\"ip_address\":null,\"actor_id\":null,"
        "\"user_id\":\"\\u0075\",\"event_type\":\"login\","
        "\"time\":\"1970-01-01T00:00:00.000000Z\",\"seq\":5,\"prev_hash\":"
        "\"0000000000000000000000000000000000000000000000000000000000000000\"}\r\n";
    struct gh_audit_row row;
    assert_int_equal(gh_audit_parse_line(*state, gh_str_from_c(LINE), &row, NULL), GH_OK);
    assert_int_equal(row.record.seq, 5);
    assert_int_equal(row.hash[31], 10);
    assert_true(gh_str_eq(row.record.user_id, GH_STR("u")));
}

/* A good line with one text of it replaced. */
static void assert_refused_with(struct gh_arena *arena, struct gh_str line, const char *from,
                                const char *to)
{
    struct gh_audit_row row = {.record = {.seq = 77}};
    size_t at = gh_str_find(line, gh_str_from_c(from));
    assert_true(at < line.len);
    struct gh_str changed = gh_arena_format(arena, "%.*s%s%.*s", (int)at, line.ptr, to,
                                            GH_STR_ARG(gh_str_skip(line, at + strlen(from))));
    assert_int_equal(gh_audit_parse_line(arena, changed, &row, NULL), GH_ERR_INVALID);
    assert_int_equal(row.record.seq, 77);
}

static void refuses_lines_of_another_form(void **state)
{
    static const char *const CASES[][2] = {
        {"{\"seq\":1", "{\"seq\":0"},
        {"{\"seq\":1", "{\"seq\":01"},
        {"{\"seq\":1", "{\"seq\":-1"},
        {"{\"seq\":1", "{\"seq\":1.0"},
        {"{\"seq\":1", "{\"seq\":1e0"},
        {"{\"seq\":1", "{\"seq\":\"1\""},
        {"{\"seq\":1", "{\"seq\":9007199254740992"},
        {"{\"seq\":1,", "{"},
        {"{\"seq\":1", "{\"seq\":1,\"seq\":1"},
        {"{\"seq\":1", "{\"more\":1,\"seq\":1"},
        {"{\"seq\":1", "{\"seq\":1,\"chain\":0"},
        {"{\"seq\":1", "{\"seq\":1,\"chain\":1"}, /* one text for one record */
        {"{\"seq\":1", "{\"seq\":1,\"chain\":-2"},
        {"{\"seq\":1", "{\"seq\":1,\"chain\":2.0"},
        {"{\"seq\":1", "{\"seq\":1,\"chain\":\"2\""},
        {"{\"seq\":1", "{\"seq\":1,\"chain\":null"},
        {"{\"seq\":1", "{\"seq\":1,\"chain\":4294967296"},
        {"{\"seq\":1", "{\"seq\":1,\"chain\":2,\"chain\":2"},
        {"{\"seq\":1", "{\"chain\":2"},
        {"2026-02-01T", "2026-02-29T"},
        {"2026-02-01T", "1969-02-01T"},
        {"2026-02-01T00", "2026-02-01T24"},
        {"2026-02-01T", "2026-02-01 "},
        {".000000Z", ".000Z"},
        {".000000Z", ".000000+00:00"},
        {"login_failed", "Login_failed"},
        {"login_failed", "unheard_of"},
        {"\"login_failed\"", "null"},
        {"\"u-1\"", "\"\""},
        {"\"u-1\"", "1"},
        {"null", "\"\""},
        {"\"failure\"", "\"failed\""},
        {"\"failure\"", "null"},
        {"\"metadata\":{", "\"metadata\":[],\"x\":{"},
        {"\"hash\":\"", "\"hash\":\"0"},
        {"\"prev_hash\":\"00", "\"prev_hash\":\"0A"},
        {"\"prev_hash\":\"00", "\"prev_hash\":\"0g"},
        {"\"prev_hash\"", "\"prevhash\""},
        {"\"sealed\":\"", "\"sealed\":\"!"},
        {"AP8QIGFueQ==", ""},
        {"AP8QIGFueQ==", "AP8QIGFueQ"},
        {"AP8QIGFueQ==", "AP8QIGFueR=="},
        {"\"sealed\":\"AP8QIGFueQ==\"", "\"sealed\":null"},
        {"\"sealed\"", "\"personal\":{},\"sealed\""},
        {"\"sealed\":\"AP8QIGFueQ==\"", "\"personal\":[]"},
        {"}\n", "}}\n"},
        {"}\n", "\n"},
    };
    struct gh_audit_row row = example();
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    row.sealed = GH_STR("\x00\xff\x10 any");
    struct gh_str line = gh_log_line(*state, &row, gh_str_of(NULL, 0));
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
        assert_refused_with(*state, line, CASES[i][0], CASES[i][1]);
    for (size_t len = 0; len + 1 < line.len; len++)
        assert_int_equal(gh_audit_parse_line(*state, gh_str_first(line, len), &row, NULL),
                         GH_ERR_INVALID);
}

static void refuses_to_write_what_could_not_be_read_back(void **state)
{
    struct gh_audit_row row = example();
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    char *memory = gh_arena_alloc(*state, 128 * 1024);
    assert_non_null(memory);
    struct gh_buf buf = gh_buf_over(memory, 128 * 1024);
    assert_int_equal(gh_audit_put_line(*state, &buf, &row, GH_STR("[]")), GH_ERR_INVALID);
    assert_int_equal(gh_audit_put_line(*state, &buf, &row, GH_STR("{\"a\":")), GH_ERR_INVALID);
    row.sealed = gh_str_of(memory + 80 * 1024, 48 * 1024);
    memset(memory + 80 * 1024, 0, 48 * 1024);
    buf = gh_buf_over(memory, 80 * 1024);
    assert_int_equal(gh_audit_put_line(*state, &buf, &row, gh_str_of(NULL, 0)), GH_ERR_FULL);
    row.sealed = GH_STR("");
    buf = gh_buf_over(memory, 300);
    assert_int_equal(gh_audit_put_line(*state, &buf, &row, gh_str_of(NULL, 0)), GH_ERR_FULL);
}

static void says_when_memory_is_short_at_every_allocation(void **state)
{
    struct gh_audit_row row = example();
    assert_int_equal(gh_audit_link(*state, &row, 0, NULL), GH_OK);
    row.sealed = GH_STR("sealed");
    struct gh_str line = gh_log_line(*state, &row, gh_str_of(NULL, 0));
    unsigned failures = 0;
    for (size_t room = 64; room < 64 * 1024; room += 64) {
        struct gh_arena arena;
        struct gh_audit_row back = row;
        gh_arena_init(&arena, 64, room);
        enum gh_err err = gh_audit_parse_line(&arena, line, &back, NULL);
        if (!err)
            err = gh_audit_link(&arena, &back, 0, NULL);
        assert_true(err == GH_OK || err == GH_ERR_MEMORY);
        failures += err == GH_ERR_MEMORY;
        gh_arena_done(&arena);
        if (!err)
            break;
    }
    assert_in_range(failures, 3, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_is_that_of_the_canonical_json),
        cmocka_unit_test(the_hash_covers_the_chain_unless_it_is_the_first),
        cmocka_unit_test(an_empty_record_has_nulls_and_an_empty_object),
        cmocka_unit_test(the_hash_covers_each_member_and_not_what_is_sealed),
        cmocka_unit_test(metadata_mean_the_same_however_they_are_written),
        cmocka_unit_test(refuses_to_link_what_has_no_canonical_form),
        cmocka_unit_test(a_line_reads_as_it_should),
        cmocka_unit_test(a_line_reads_back_as_the_same_row),
        cmocka_unit_test(a_line_names_its_chain_unless_it_is_the_first),
        cmocka_unit_test(openings_take_the_place_of_what_is_sealed),
        cmocka_unit_test(order_and_white_space_do_not_matter_to_a_reader),
        cmocka_unit_test(refuses_lines_of_another_form),
        cmocka_unit_test(refuses_to_write_what_could_not_be_read_back),
        cmocka_unit_test(says_when_memory_is_short_at_every_allocation),
    };
    gh_crypto_init();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
