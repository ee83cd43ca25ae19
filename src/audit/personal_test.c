/* Records in clear, protected and revealed again. */
#include "audit/personal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "audit/chain.h"
#include "audit/opening.h"

#define MEMORY_MAX (4u << 20)

static struct gh_arena arena;
static const struct gh_audit_person ANNA = {GH_STR_INIT("anna0000000000000000000000"), {1}};
static const struct gh_audit_person BERT = {GH_STR_INIT("bert0000000000000000000000"), {2}};

static int begin(void **state)
{
    gh_crypto_init();
    gh_arena_init(&arena, 16384, MEMORY_MAX);
    return 0;
}

static int end(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static struct gh_audit_record failed_login(void)
{
    return (struct gh_audit_record){
        .time_us = 1769903999000000,
        .event = GH_AUDIT_LOGIN_FAILED,
        .user_id = ANNA.name,
        .actor_id = BERT.name,
        .ip_address = GH_STR("192.0.2.7"),
        .user_agent = GH_STR("Browser/1.0 (of Bert)"),
        .request_id = GH_STR("r-1"),
        .outcome = GH_AUDIT_FAILURE,
        .metadata = GH_STR("{\"reason\":\"password\",\"email\":\"anna@example.com\"}"),
    };
}

static struct gh_audit_row protect(const struct gh_audit_record *clear)
{
    struct gh_audit_row row;
    assert_int_equal(gh_audit_protect(&arena, &gh_kernel_random, clear, &BERT, &ANNA, &row), GH_OK);
    return row;
}

static bool has(struct gh_str text, struct gh_str needle)
{
    return gh_str_find(text, needle) < text.len;
}

#define assert_str(text, expected)                                                                 \
    do {                                                                                           \
        struct gh_str got = (text);                                                                \
        if (!gh_str_eq(got, gh_str_from_c(expected)))                                              \
            fail_msg("\"%.*s\" is not \"%s\"", GH_STR_ARG(got), expected);                         \
    } while (0)

static enum gh_err reveal(const struct gh_audit_row *row, const struct gh_audit_person *persons,
                          size_t count, struct gh_audit_record *out, bool *out_erased)
{
    return gh_audit_reveal(&arena, row, persons, count, out, out_erased);
}

static void a_day_is_that_of_utc(void **state)
{
    char day[GH_AUDIT_DAY_LEN + 1];
    gh_audit_day(1769903999999999, day);
    assert_string_equal(day, "day:2026-01-31");
    gh_audit_day(1769904000000000, day);
    assert_string_equal(day, "day:2026-02-01");
    gh_audit_day(0, day);
    assert_string_equal(day, "day:1970-01-01");
    gh_audit_day(UINT64_MAX, day); /* no such record is ever linked; no byte is written too far */
}

/* Computed with Python's hmac. */
static void a_commitment_is_hmac_of_field_and_value(void **state)
{
    uint8_t salt[GH_SHA256_BYTES];
    char text[GH_AUDIT_COMMITMENT_LEN + 1];
    for (size_t i = 0; i < sizeof(salt); i++)
        salt[i] = (uint8_t)i;
    gh_audit_commit(salt, GH_STR("metadata.email"), GH_STR("anna@example.com"), text);
    assert_string_equal(text, "hmac-sha256:a25c180245c7636b030db1c82df5ea2c"
                              "a7cb8a7be10eb39d96057d4fa52fc874");
    gh_audit_commit(salt, GH_STR("ip_address"), GH_STR(""), text);
    assert_string_equal(text, "hmac-sha256:2c475c043610ed268101823bf26cab81"
                              "eb211bc332f8df23fcb06fc633f786c0");
}

static void what_is_too_long_has_no_commitment(void **state)
{
    static const char LONG[GH_AUDIT_PERSONAL_BYTES_MAX + 1] = {'a'};
    static const uint8_t SALT[GH_SHA256_BYTES];
    char text[GH_AUDIT_COMMITMENT_LEN + 1];
    gh_audit_commit(SALT, GH_STR("ip_address"), gh_str_of(LONG, sizeof(LONG)), text);
    assert_int_not_equal(strlen(text), GH_AUDIT_COMMITMENT_LEN);
    gh_audit_commit(SALT, gh_str_of(LONG, sizeof(LONG)), GH_STR(""), text);
    assert_int_not_equal(strlen(text), GH_AUDIT_COMMITMENT_LEN);
    gh_audit_commit(SALT, GH_STR("ip_address"), gh_str_of(LONG, sizeof(LONG) - 1), text);
    assert_int_equal(strlen(text), GH_AUDIT_COMMITMENT_LEN);
}

static void nothing_personal_is_left_in_a_row(void **state)
{
    struct gh_audit_record clear = failed_login();
    struct gh_audit_row row = protect(&clear);
    static const char *const VALUES[] = {"192.0.2.7", "Browser", "anna@example.com"};
    struct gh_str texts[] = {row.record.ip_address, row.record.user_agent, row.record.metadata,
                             row.sealed};
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++)
        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
            assert_false(has(texts[k], gh_str_from_c(VALUES[i])));
    assert_int_equal(row.record.ip_address.len, GH_AUDIT_COMMITMENT_LEN);
    assert_int_equal(row.record.user_agent.len, GH_AUDIT_COMMITMENT_LEN);
    assert_true(has(row.record.metadata, GH_STR("{\"email\":\"hmac-sha256:")));
    assert_true(has(row.record.metadata, GH_STR(",\"reason\":\"password\"}")));
    assert_true(gh_str_eq(row.record.request_id, GH_STR("r-1")));
    assert_int_equal(row.record.seq, 0);
    assert_int_equal(gh_audit_link(&arena, &row, 0, NULL), GH_OK);
}

static void the_same_value_never_has_the_same_commitment(void **state)
{
    struct gh_audit_record clear = failed_login();
    struct gh_audit_row a = protect(&clear), b = protect(&clear);
    assert_false(gh_str_eq(a.record.ip_address, b.record.ip_address));
    assert_false(gh_str_eq(a.record.metadata, b.record.metadata));
}

static void both_keys_bring_the_record_back(void **state)
{
    struct gh_audit_record clear = failed_login(), back;
    struct gh_audit_row row = protect(&clear);
    const struct gh_audit_person persons[] = {ANNA, BERT};
    bool erased = true;
    assert_int_equal(reveal(&row, persons, 2, &back, &erased), GH_OK);
    assert_false(erased);
    assert_str(back.ip_address, "192.0.2.7");
    assert_str(back.user_agent, "Browser/1.0 (of Bert)");
    assert_str(back.metadata, "{\"email\":\"anna@example.com\",\"reason\":\"password\"}");
    assert_int_equal(back.time_us, clear.time_us);
    assert_int_equal(back.outcome, GH_AUDIT_FAILURE);
    assert_true(gh_str_eq(back.user_id, ANNA.name));
}

static void without_a_key_its_values_alone_are_gone(void **state)
{
    struct gh_audit_record clear = failed_login(), back;
    struct gh_audit_row row = protect(&clear);
    bool erased = false;
    assert_int_equal(reveal(&row, &ANNA, 1, &back, &erased), GH_OK);
    assert_true(erased);
    assert_str(back.ip_address, "");
    assert_str(back.user_agent, "");
    assert_true(has(back.metadata, GH_STR("anna@example.com")));
    assert_int_equal(reveal(&row, &BERT, 1, &back, &erased), GH_OK);
    assert_true(erased);
    assert_str(back.ip_address, "192.0.2.7");
    assert_str(back.metadata, "{\"email\":null,\"reason\":\"password\"}");
    assert_int_equal(reveal(&row, NULL, 0, &back, &erased), GH_OK);
    assert_true(erased);
    assert_str(back.user_agent, "");
    assert_str(back.metadata, "{\"email\":null,\"reason\":\"password\"}");
}

static void the_hash_is_the_same_with_and_without_keys(void **state)
{
    struct gh_audit_record clear = failed_login();
    struct gh_audit_row row = protect(&clear);
    uint8_t with[GH_SHA256_BYTES], without[GH_SHA256_BYTES];
    assert_int_equal(gh_audit_row_hash(&arena, &row, with), GH_OK);
    row.sealed = GH_STR("");
    assert_int_equal(gh_audit_row_hash(&arena, &row, without), GH_OK);
    assert_memory_equal(with, without, sizeof(with));
}

static void names_of_keys_are_in_the_row(void **state)
{
    struct gh_audit_record clear = failed_login();
    struct gh_audit_row row = protect(&clear);
    struct gh_str names[GH_AUDIT_PERSONS_MAX];
    size_t count;
    assert_int_equal(gh_audit_persons(row.sealed, names, &count), GH_OK);
    assert_int_equal(count, 2);
    assert_true(gh_str_eq(names[0], BERT.name) && gh_str_eq(names[1], ANNA.name));
    assert_int_equal(gh_audit_protect(&arena, &gh_kernel_random, &clear, &ANNA, &ANNA, &row),
                     GH_OK);
    assert_int_equal(gh_audit_persons(row.sealed, names, &count), GH_OK);
    assert_int_equal(count, 1);
    assert_int_equal(gh_audit_persons(GH_STR(""), names, &count), GH_OK);
    assert_int_equal(count, 0);
}

static void what_is_not_personal_needs_no_key(void **state)
{
    struct gh_audit_record clear = {.event = GH_AUDIT_SECRET_ROTATED,
                                    .metadata = GH_STR("{\"purpose\":\"signing\"}")};
    struct gh_audit_row row;
    struct gh_audit_needs needs = gh_audit_needs(&clear);
    assert_false(needs.actor || needs.subject);
    assert_int_equal(gh_audit_protect(&arena, &gh_kernel_random, &clear, NULL, NULL, &row), GH_OK);
    assert_int_equal(row.sealed.len, 0);
    clear.user_agent = GH_STR("x");
    assert_true(gh_audit_needs(&clear).actor);
    clear = failed_login();
    assert_true(gh_audit_needs(&clear).subject);
    clear.metadata = GH_STR("");
    assert_false(gh_audit_needs(&clear).subject);
}

static void metadata_that_are_not_in_the_catalogue_are_refused(void **state)
{
    static const char *const METADATA[] = {
        "{\"passwords\":\"x\"}",
        "{\"email\":1}",
        "{\"email\":null}",
        "{\"email\":[\"a\"]}",
        "{\"reason\":true}",
        "{\"reason\":\"a\",\"reason\":\"b\"}",
        "{\"Email\":\"a@example.com\"}",
        "[]",
        "\"email\"",
        "{\"email\":\"a\"}x",
        "{\"email\":\"\xff\"}",
        "{\"email\":\"\\ud800\"}",
        "{",
        "null",
        " ",
    };
    struct gh_audit_record clear = failed_login();
    struct gh_audit_row row;
    for (size_t i = 0; i < sizeof(METADATA) / sizeof(METADATA[0]); i++) {
        clear.metadata = gh_str_from_c(METADATA[i]);
        enum gh_err err = gh_audit_protect(&arena, &gh_kernel_random, &clear, &BERT, &ANNA, &row);
        if (err != GH_ERR_INVALID)
            fail_msg("%s: %d", METADATA[i], (int)err);
    }
}

static void members_must_be_of_their_type(void **state)
{
    static const struct {
        enum gh_audit_event event;
        const char *metadata;
        bool good;
    } CASES[] = {
        {GH_AUDIT_SESSION_REVOKED, "{\"count\":3}", true},
        {GH_AUDIT_SESSION_REVOKED, "{\"count\":\"3\"}", false},
        {GH_AUDIT_SESSION_REVOKED, "{\"count\":1.5}", false},
        {GH_AUDIT_SESSION_REVOKED, "{\"count\":9007199254740993}", false},
        {GH_AUDIT_LOGIN, "{\"new_device\":false}", true},
        {GH_AUDIT_LOGIN, "{\"new_device\":0}", false},
        {GH_AUDIT_PROFILE_UPDATED, "{\"fields\":[\"name\"]}", true},
        {GH_AUDIT_PROFILE_UPDATED, "{\"fields\":[]}", true},
        {GH_AUDIT_PROFILE_UPDATED, "{\"fields\":[1]}", false},
        {GH_AUDIT_PROFILE_UPDATED, "{\"fields\":\"name\"}", false},
        {GH_AUDIT_ANOMALY_DETECTED, "{\"evidence\":{\"accounts\":15}}", true},
        {GH_AUDIT_ANOMALY_DETECTED, "{\"evidence\":{\"share\":0.5}}", false},
        {GH_AUDIT_ANOMALY_DETECTED, "{\"evidence\":[]}", false},
        {GH_AUDIT_LOGOUT, "{}", true},
        {GH_AUDIT_LOGOUT, "", true},
        {GH_AUDIT_LOGOUT, "{\"by\":\"x\"}", false},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_audit_record clear = {.event = CASES[i].event,
                                        .metadata = gh_str_from_c(CASES[i].metadata)};
        struct gh_audit_row row;
        enum gh_err err = gh_audit_protect(&arena, &gh_kernel_random, &clear, &BERT, &ANNA, &row);
        if (err != (CASES[i].good ? GH_OK : GH_ERR_INVALID))
            fail_msg("%s: %d", CASES[i].metadata, (int)err);
    }
}

static void hostile_texts_come_back_and_break_no_line(void **state)
{
    static const struct {
        const char *agent, *back;
    } CASES[] = {
        {"a\r\nb\x01\x7f", "a\r\nb\x01\x7f"},
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"caf\xc3", "caf\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"},\"hash\":\"0", "\"},\"hash\":\"0"},
        {"</script>&\xe2\x80\xa8", "</script>&\xe2\x80\xa8"},
        {"hmac-sha256:0000000000000000000000000000000000000000000000000000000000000000",
         "hmac-sha256:0000000000000000000000000000000000000000000000000000000000000000"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct gh_audit_record clear = failed_login(), back;
        clear.user_agent = gh_str_from_c(CASES[i].agent);
        clear.request_id = gh_str_from_c(CASES[i].agent);
        struct gh_audit_row row = protect(&clear);
        bool erased;
        char memory[4096];
        struct gh_buf line = gh_buf_over(memory, sizeof(memory));
        assert_int_equal(gh_audit_link(&arena, &row, 0, NULL), GH_OK);
        assert_int_equal(reveal(&row, &BERT, 1, &back, &erased), GH_OK);
        assert_str(back.user_agent, CASES[i].back);
        assert_str(back.request_id, CASES[i].back);
        assert_int_equal(gh_audit_put_line(&arena, &line, &row, (struct gh_str){NULL, 0}), GH_OK);
        assert_int_equal(gh_str_find_char(gh_buf_str(&line), '\n'), line.len - 1);
    }
}

static void a_zero_byte_is_kept(void **state)
{
    struct gh_audit_record clear = failed_login(), back;
    clear.user_agent = gh_str_of("a\0b", 3);
    struct gh_audit_row row = protect(&clear);
    bool erased;
    assert_int_equal(reveal(&row, &BERT, 1, &back, &erased), GH_OK);
    assert_true(gh_str_eq(back.user_agent, clear.user_agent));
}

static void what_is_too_long_is_cut_between_characters(void **state)
{
    static char memory[3000];
    struct gh_audit_record clear = failed_login(), back;
    for (size_t i = 0; i < sizeof(memory); i += 3)
        memcpy(memory + i, "\xe2\x82\xac", 3);
    clear.user_agent = gh_str_of(memory, sizeof(memory));
    struct gh_audit_row row = protect(&clear);
    bool erased;
    assert_int_equal(reveal(&row, &BERT, 1, &back, &erased), GH_OK);
    assert_int_equal(back.user_agent.len, GH_AUDIT_PERSONAL_BYTES_MAX / 3 * 3);
    memset(memory, 0xff, sizeof(memory));
    row = protect(&clear);
    assert_int_equal(reveal(&row, &BERT, 1, &back, &erased), GH_OK);
    assert_int_equal(back.user_agent.len, GH_AUDIT_PERSONAL_BYTES_MAX / 3 * 3);
}

static struct gh_audit_row changed(const struct gh_audit_row *row, size_t at)
{
    struct gh_audit_row other = *row;
    char *copy = gh_arena_alloc(&arena, row->sealed.len);
    assert_non_null(copy);
    memcpy(copy, row->sealed.ptr, row->sealed.len);
    copy[at] ^= 1;
    other.sealed = gh_str_of(copy, row->sealed.len);
    return other;
}

/* A byte of a name makes it that of somebody unknown, whose values are gone. */
static void no_changed_byte_shows_another_value(void **state)
{
    struct gh_audit_record clear = failed_login(), back;
    struct gh_audit_row row = protect(&clear);
    const struct gh_audit_person persons[] = {ANNA, BERT};
    for (size_t i = 0; i < row.sealed.len; i++) {
        struct gh_audit_row other = changed(&row, i);
        bool erased = false;
        enum gh_err err = reveal(&other, persons, 2, &back, &erased);
        assert_true(err == GH_ERR_INVALID || (err == GH_OK && erased));
    }
    for (size_t len = 1; len < row.sealed.len; len++) {
        struct gh_audit_row other = row;
        bool erased = false;
        other.sealed.len = len;
        enum gh_err err = reveal(&other, persons, 2, &back, &erased);
        assert_true(err == GH_ERR_INVALID || (err == GH_OK && erased));
    }
}

static void values_of_another_row_are_not_believed(void **state)
{
    struct gh_audit_record clear = failed_login(), back;
    struct gh_audit_row a = protect(&clear);
    clear.ip_address = GH_STR("198.51.100.1");
    struct gh_audit_row b = protect(&clear);
    const struct gh_audit_person persons[] = {ANNA, BERT};
    bool erased;
    struct gh_str own = a.sealed;
    a.sealed = b.sealed;
    assert_int_equal(reveal(&a, persons, 2, &back, &erased), GH_ERR_INVALID);
    a.sealed = own;
    a.record.ip_address = GH_STR("192.0.2.7");
    assert_int_equal(reveal(&a, persons, 2, &back, &erased), GH_ERR_INVALID);
    a.record.ip_address = GH_STR(""); /* opened, but not committed to */
    assert_int_equal(reveal(&a, persons, 2, &back, &erased), GH_ERR_INVALID);
}

static void the_key_of_somebody_else_under_that_name_opens_nothing(void **state)
{
    struct gh_audit_record clear = failed_login(), back;
    struct gh_audit_row row = protect(&clear);
    const struct gh_audit_person wrong = {BERT.name, {9}};
    bool erased;
    assert_int_equal(reveal(&row, &wrong, 1, &back, &erased), GH_ERR_INVALID);
}

static void without_what_is_sealed_values_count_as_erased(void **state)
{
    struct gh_audit_record clear = failed_login(), back;
    struct gh_audit_row row = protect(&clear);
    const struct gh_audit_person persons[] = {ANNA, BERT};
    bool erased = false;
    row.sealed = GH_STR("");
    assert_int_equal(reveal(&row, persons, 2, &back, &erased), GH_OK);
    assert_true(erased);
    assert_str(back.ip_address, "");
}

static void openings_say_what_the_row_committed_to(void **state)
{
    struct gh_audit_record clear = failed_login();
    struct gh_audit_row row = protect(&clear);
    const struct gh_audit_person persons[] = {ANNA, BERT};
    char memory[4096];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    assert_int_equal(gh_audit_put_openings(&buf, &arena, &row, persons, 2), GH_OK);
    assert_true(
        has(gh_buf_str(&buf), GH_STR("{\"actor\":{\"ip_address\":\"192.0.2.7\",\"user_agent\":")));
    assert_true(
        has(gh_buf_str(&buf), GH_STR("\"subject\":{\"metadata.email\":\"anna@example.com\"")));
    assert_int_equal(gh_audit_check_openings(&arena, &row, gh_buf_str(&buf)), GH_OK);
    row.record.ip_address = row.record.user_agent;
    assert_int_equal(gh_audit_check_openings(&arena, &row, gh_buf_str(&buf)), GH_ERR_INVALID);
}

static void openings_of_the_erased_are_left_out(void **state)
{
    struct gh_audit_record clear = failed_login();
    struct gh_audit_row row = protect(&clear);
    char memory[4096];
    struct gh_buf buf = gh_buf_over(memory, sizeof(memory));
    assert_int_equal(gh_audit_put_openings(&buf, &arena, &row, NULL, 0), GH_OK);
    assert_int_equal(buf.len, 0);
    assert_int_equal(gh_audit_put_openings(&buf, &arena, &row, &ANNA, 1), GH_OK);
    assert_false(has(gh_buf_str(&buf), GH_STR("actor")));
    assert_int_equal(gh_audit_check_openings(&arena, &row, gh_buf_str(&buf)), GH_OK);
    buf = gh_buf_over(memory, 20);
    assert_int_equal(gh_audit_put_openings(&buf, &arena, &row, &ANNA, 1), GH_ERR_FULL);
}

static void members_stand_in_the_order_of_events_and_personal_ones_are_texts(void **state)
{
    size_t total = 0, personal = 0;
    for (unsigned event = 0; event < GH_AUDIT_EVENT_COUNT; event++) {
        size_t count;
        const struct gh_audit_member *members =
            gh_audit_event_members((enum gh_audit_event)event, &count);
        total += count;
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(members[i].event, event);
            assert_true(members[i].name.len && members[i].meaning.len);
            assert_ptr_equal(gh_audit_member_find(members[i].event, members[i].name), &members[i]);
            assert_true(!members[i].personal || members[i].type == GH_AUDIT_MEMBER_TEXT);
            personal += members[i].personal;
        }
    }
#define X(event, name, type, is_personal, meaning) +1
    assert_int_equal(total, 0 GH_AUDIT_MEMBERS(X));
#undef X
    assert_true(personal >= 3);
    assert_null(gh_audit_member_find(GH_AUDIT_LOGOUT, GH_STR("email")));
}

static void fails_with_memory_alone_when_there_is_none(void **state)
{
    struct gh_audit_record clear = failed_login();
    for (size_t cap = 64; cap < 64 * 1024; cap += 64) {
        struct gh_arena small;
        struct gh_audit_row row;
        gh_arena_init(&small, 64, cap);
        enum gh_err err = gh_audit_protect(&small, &gh_kernel_random, &clear, &BERT, &ANNA, &row);
        gh_arena_done(&small);
        if (err == GH_OK)
            return;
        assert_int_equal(err, GH_ERR_MEMORY);
    }
    fail();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_day_is_that_of_utc),
        cmocka_unit_test(a_commitment_is_hmac_of_field_and_value),
        cmocka_unit_test(what_is_too_long_has_no_commitment),
        cmocka_unit_test(nothing_personal_is_left_in_a_row),
        cmocka_unit_test(the_same_value_never_has_the_same_commitment),
        cmocka_unit_test(both_keys_bring_the_record_back),
        cmocka_unit_test(without_a_key_its_values_alone_are_gone),
        cmocka_unit_test(the_hash_is_the_same_with_and_without_keys),
        cmocka_unit_test(names_of_keys_are_in_the_row),
        cmocka_unit_test(what_is_not_personal_needs_no_key),
        cmocka_unit_test(metadata_that_are_not_in_the_catalogue_are_refused),
        cmocka_unit_test(members_must_be_of_their_type),
        cmocka_unit_test(hostile_texts_come_back_and_break_no_line),
        cmocka_unit_test(a_zero_byte_is_kept),
        cmocka_unit_test(what_is_too_long_is_cut_between_characters),
        cmocka_unit_test(no_changed_byte_shows_another_value),
        cmocka_unit_test(values_of_another_row_are_not_believed),
        cmocka_unit_test(the_key_of_somebody_else_under_that_name_opens_nothing),
        cmocka_unit_test(without_what_is_sealed_values_count_as_erased),
        cmocka_unit_test(openings_say_what_the_row_committed_to),
        cmocka_unit_test(openings_of_the_erased_are_left_out),
        cmocka_unit_test(members_stand_in_the_order_of_events_and_personal_ones_are_texts),
        cmocka_unit_test(fails_with_memory_alone_when_there_is_none),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
