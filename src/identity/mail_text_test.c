/* Mails as bytes: their form, and what can't get into them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/mail_text.h"

#define LINE_BYTES_MAX 998 /* RFC 5322 section 2.1.1 */

static struct gh_arena arena;

static int open_arena(void **state)
{
    gh_arena_init(&arena, 4096, 1024 * 1024);
    return 0;
}

static int close_arena(void **state)
{
    gh_arena_done(&arena);
    return 0;
}

static struct gh_mail_parts parts_of(enum gh_mail_kind kind)
{
    return (struct gh_mail_parts){
        .kind = kind,
        .from = GH_STR("Example <no-reply@example.com>"),
        .recipient = GH_STR("ann@example.org"),
        .message_id = GH_STR("0e2d3a0c-7e0b-4f0a-9c83-0d6d4b1a2c3e@api.example.com"),
        .site = GH_STR("api.example.com"),
        .link = gh_mail_kind_has_link(kind)
                    ? GH_STR("https://api.example.com/account/reset-password#token=abc")
                    : GH_STR(""),
        .time_us = 1769903999ull * 1000000, /* Sat, 31 Jan 2026 23:59:59 */
    };
}

static bool has(struct gh_str text, const char *part)
{
    return gh_str_find(text, gh_str_from_c(part)) < text.len;
}

static void assert_has(struct gh_str text, const char *part)
{
    if (!has(text, part))
        fail_msg("\"%s\" is not in\n%.*s", part, GH_STR_ARG(text));
}

static void writes_all_fields_that_a_message_needs(void **state)
{
    struct gh_mail_parts parts = parts_of(GH_MAIL_RESET);
    struct gh_str text = gh_mail_write(&arena, &parts);
    assert_non_null(text.ptr);
    assert_true(gh_str_starts_with(text, GH_STR("From: \"Example\" <no-reply@example.com>\r\n")));
    assert_has(text, "\r\nTo: ann@example.org\r\n");
    assert_has(text, "\r\nSubject: Set a new password\r\n");
    assert_has(text, "\r\nDate: Sat, 31 Jan 2026 23:59:59 +0000\r\n");
    assert_has(text, "\r\nMessage-ID: <0e2d3a0c-7e0b-4f0a-9c83-0d6d4b1a2c3e@api.example.com>\r\n");
    assert_has(text, "\r\nAuto-Submitted: auto-generated\r\n");
    assert_has(text, "\r\nMIME-Version: 1.0\r\n");
    assert_has(text, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
    assert_has(text, "\r\nContent-Transfer-Encoding: 7bit\r\n\r\n");
    assert_has(text, "\r\nhttps://api.example.com/account/reset-password#token=abc\r\n");
}

/* Every line ends in CRLF, is short enough and of plain ASCII; there is a text behind the head. */
static void assert_well_formed(struct gh_str text)
{
    size_t line = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        assert_true((c >= ' ' && c <= '~') || c == '\r' || c == '\n');
        if (c == '\r')
            assert_true(i + 1 < text.len && text.ptr[i + 1] == '\n');
        if (c == '\n') {
            assert_true(i > 0 && text.ptr[i - 1] == '\r');
            line = 0;
        } else {
            assert_true(++line <= LINE_BYTES_MAX);
        }
    }
    assert_true(gh_str_ends_with(text, GH_STR("\r\n")));
    size_t body = gh_str_find(text, GH_STR("\r\n\r\n"));
    assert_true(body + 100 < text.len);
}

static void writes_every_kind_in_lines_that_servers_take(void **state)
{
    for (int kind = GH_MAIL_CONFIRM; kind <= GH_MAIL_DELETED; kind++) {
        struct gh_mail_parts parts = parts_of((enum gh_mail_kind)kind);
        struct gh_str text = gh_mail_write(&arena, &parts);
        assert_non_null(text.ptr);
        assert_well_formed(text);
        assert_has(text, "api.example.com");
        assert_int_equal(has(text, "#token="), gh_mail_kind_has_link((enum gh_mail_kind)kind));
    }
}

static void knows_every_kind_by_its_name(void **state)
{
    for (int kind = GH_MAIL_CONFIRM; kind <= GH_MAIL_DELETED; kind++) {
        enum gh_mail_kind back = GH_MAIL_CONFIRM;
        assert_true(gh_mail_kind_parse(gh_mail_kind_name((enum gh_mail_kind)kind), &back));
        assert_int_equal(back, kind);
    }
    enum gh_mail_kind none;
    assert_false(gh_mail_kind_parse(GH_STR(""), &none));
    assert_false(gh_mail_kind_parse(GH_STR("RESET"), &none));
}

static void refuses_control_bytes_in_every_part(void **state)
{
    static const char *const BAD[] = {"a\r\nBcc: all@example.com", "a\nb", "a\rb", "a\tb", "a\x7f"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        for (unsigned part = 0; part < 5; part++) {
            struct gh_mail_parts parts = parts_of(GH_MAIL_RESET);
            struct gh_str *fields[] = {&parts.from, &parts.recipient, &parts.message_id,
                                       &parts.site, &parts.link};
            *fields[part] = gh_str_from_c(BAD[i]);
            assert_null(gh_mail_write(&arena, &parts).ptr);
        }
    }
    struct gh_mail_parts parts = parts_of(GH_MAIL_RESET);
    parts.recipient = GH_STR("a@b\0.example");
    assert_null(gh_mail_write(&arena, &parts).ptr);
}

static void refuses_parts_that_are_too_long(void **state)
{
    static char link[16 * 1024];
    memset(link, 'a', sizeof(link));
    struct gh_mail_parts parts = parts_of(GH_MAIL_RESET);
    parts.link = gh_str_of(link, sizeof(link));
    assert_null(gh_mail_write(&arena, &parts).ptr);
}

static void assert_sender(const char *from, const char *line)
{
    struct gh_mail_parts parts = parts_of(GH_MAIL_DELETED);
    parts.from = gh_str_from_c(from);
    struct gh_str text = gh_mail_write(&arena, &parts);
    assert_non_null(text.ptr);
    assert_well_formed(text);
    if (!gh_str_starts_with(text, gh_str_from_c(line)))
        fail_msg("%.*s", GH_STR_ARG(gh_str_first(text, 200)));
}

static void writes_senders_in_forms_that_may_stand_in_a_header(void **state)
{
    assert_sender("no-reply@example.com", "From: no-reply@example.com\r\n");
    assert_sender("<no-reply@example.com>", "From: <no-reply@example.com>\r\n");
    assert_sender("Smith, Ann (Sales) <a@b.example>",
                  "From: \"Smith, Ann (Sales)\" <a@b.example>\r\n");
    assert_sender("\"Quoted\" <a@b.example>", "From: \"Quoted\" <a@b.example>\r\n");
    assert_sender("A \"B\" \\ <a@b.example>", "From: \"A \\\"B\\\" \\\\\" <a@b.example>\r\n");
    assert_sender("M\xc3\xbcller <a@b.example>", "From: =?utf-8?Q?M=C3=BCller?= <a@b.example>\r\n");
}

static void cuts_long_names_between_characters(void **state)
{
    char from[200];
    struct gh_buf buf = gh_buf_over(from, sizeof(from) - 1);
    for (unsigned i = 0; i < 40; i++)
        gh_buf_put(&buf, GH_STR("\xe2\x82\xac"));
    gh_buf_put(&buf, GH_STR(" <a@b.example>"));
    from[buf.len] = 0;
    struct gh_mail_parts parts = parts_of(GH_MAIL_DELETED);
    parts.from = gh_str_from_c(from);
    struct gh_str text = gh_mail_write(&arena, &parts);
    assert_well_formed(text);
    unsigned characters = 0;
    for (struct gh_str rest = gh_str_skip(text, 6); gh_str_starts_with(rest, GH_STR("=?"));) {
        struct gh_str word =
            gh_str_first(rest, 10 + gh_str_find(gh_str_skip(rest, 10), GH_STR("?=")) + 2);
        struct gh_str inside = gh_str_of(word.ptr + 10, word.len - 12);
        assert_true(word.len <= 75);
        assert_int_equal(inside.len % 9, 0);
        characters += (unsigned)(inside.len / 9);
        rest = gh_str_skip(rest, word.len);
        rest = gh_str_starts_with(rest, GH_STR("\r\n ")) ? gh_str_skip(rest, 3) : GH_STR("");
    }
    assert_int_equal(characters, 40);
}

static void writes_dates_at_the_edges_of_the_calendar(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *date;
    } DATES[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 +0000"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 +0000"},
        {1735689599, "Tue, 31 Dec 2024 23:59:59 +0000"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 +0000"},
    };
    for (size_t i = 0; i < sizeof(DATES) / sizeof(DATES[0]); i++) {
        struct gh_mail_parts parts = parts_of(GH_MAIL_RESET);
        parts.time_us = DATES[i].seconds * 1000000;
        assert_has(gh_mail_write(&arena, &parts), DATES[i].date);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_all_fields_that_a_message_needs),
        TEST(writes_every_kind_in_lines_that_servers_take),
        TEST(knows_every_kind_by_its_name),
        TEST(refuses_control_bytes_in_every_part),
        TEST(refuses_parts_that_are_too_long),
        TEST(writes_senders_in_forms_that_may_stand_in_a_header),
        TEST(cuts_long_names_between_characters),
        TEST(writes_dates_at_the_edges_of_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
