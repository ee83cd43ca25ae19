/* The queue of mails: who gets one, when it is tried again, and what its link can do. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/account.h"
#include "identity/admin.h"
#include "identity/identity_fixture.h"
#include "identity/outbox.h"
#include "identity/passwords.h"
#include "store/memory.h"

#define ANN "ann@example.org"

static struct gh_identity_fixture f;
static struct gh_str ann;

/* What the mailer was given last. */
static struct {
    unsigned count;
    enum gh_err answer;
    struct gh_str recipient, message_id, message, link;
} sent;

static enum gh_err take_mail(void *context, struct gh_arena *arena, struct gh_str recipient,
                             struct gh_str message_id, struct gh_str message, struct gh_str link)
{
    (void)context;
    sent.count++;
    sent.recipient = gh_arena_dup(arena, recipient);
    sent.message_id = gh_arena_dup(arena, message_id);
    sent.message = gh_arena_dup(arena, message);
    sent.link = gh_arena_dup(arena, link);
    return sent.answer;
}
static const struct gh_mailer MAILER = {.send = take_mail};

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    memset(&sent, 0, sizeof(sent));
    ann = gh_fixture_account(&f, ANN, FIXTURE_PASSWORD, 1);
    f.now_us += FIXTURE_HOUR; /* its password is older than what follows */
    return 0;
}

static int close_fixture(void **state)
{
    gh_identity_fixture_close(&f);
    return 0;
}

static enum gh_identity_result step(void)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    return gh_outbox_step(&call, &MAILER);
}

struct putting {
    struct gh_identity_call call;
    enum gh_mail_kind kind;
    struct gh_str account, email, data;
};

static enum gh_err put_unit(struct gh_tx *tx, void *args)
{
    const struct putting *put = args;
    return gh_outbox_put(tx, &put->call, put->kind, put->account, put->email, put->data);
}

static enum gh_err put(enum gh_mail_kind kind, struct gh_str account, const char *email,
                       const char *data)
{
    struct putting putting = {.call = gh_fixture_call(&f),
                              .kind = kind,
                              .account = account,
                              .email = gh_str_from_c(email),
                              .data = gh_str_from_c(data)};
    return f.store->ops->run(f.store, put_unit, &putting, &f.arena);
}

static struct gh_str token_of(struct gh_str link)
{
    return gh_str_skip(link, gh_str_find_char(link, '#') + sizeof("#token=") - 1);
}

static enum gh_identity_result reset_with(struct gh_str token)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    return gh_password_reset(&call, token, FIXTURE_PASSWORD2);
}

/* ---- What is sent ---- */

static void sends_what_was_put_in_and_forgets_it(void **state)
{
    assert_int_equal(step(), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(put(GH_MAIL_TWO_FACTOR_ON, ann, ANN, ""), GH_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 1);
    assert_true(gh_str_eq(sent.recipient, GH_STR(ANN)));
    assert_true(gh_str_ends_with(sent.message_id, GH_STR("@api.example.com")));
    assert_int_equal(sent.link.len, 0);
    assert_true(gh_str_find(sent.message, GH_STR("\r\nTo: " ANN "\r\n")) < sent.message.len);
    assert_int_equal(step(), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(gh_fixture_mail_count(&f), 0);
}

static void refuses_addresses_that_could_write_headers(void **state)
{
    assert_int_equal(put(GH_MAIL_RESET, ann, "a@b.example\r\nBcc: c@d.example", ""),
                     GH_ERR_INVALID);
    assert_int_equal(put(GH_MAIL_RESET, ann, "a@b.example\n", ""), GH_ERR_INVALID);
    assert_int_equal(put(GH_MAIL_RESET, ann, "", ""), GH_ERR_INVALID);
    assert_int_equal(put(GH_MAIL_RESET, GH_STR("x"), ANN, ""), GH_ERR_INVALID);
    assert_int_equal(gh_fixture_mail_count(&f), 0);
}

static struct gh_mail_row taken;

static enum gh_err take_row(struct gh_tx *tx, void *args)
{
    (void)args;
    return tx->ops->mail_take(tx, f.now_us, f.now_us + FIXTURE_SECOND, &taken);
}

static void keeps_nothing_readable_in_the_store(void **state)
{
    assert_int_equal(put(GH_MAIL_CHANGE_CONFIRM, ann, "new@example.org", "new@example.org"), GH_OK);
    assert_int_equal(f.store->ops->run(f.store, take_row, NULL, &f.arena), GH_OK);
    assert_true(gh_str_find(taken.recipient, GH_STR("example")) == taken.recipient.len);
    assert_true(gh_str_find(taken.message, GH_STR("example")) == taken.message.len);
    assert_true(gh_str_find(taken.message, GH_STR("change")) == taken.message.len);
}

/* ---- Links ---- */

static void a_reset_link_works_once_and_for_fifteen_minutes(void **state)
{
    assert_int_equal(put(GH_MAIL_RESET, GH_STR(""), "ANN@example.org", ""), GH_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    struct gh_str prefix = GH_STR("https://api.example.com/account/reset-password#token=");
    assert_true(gh_str_starts_with(sent.link, prefix));
    assert_int_equal(token_of(sent.link).len, 43);
    assert_true(gh_str_find(sent.message, sent.link) < sent.message.len);
    f.now_us += 15 * FIXTURE_MINUTE;
    assert_int_equal(reset_with(token_of(sent.link)), GH_IDENTITY_BAD_TOKEN);
    f.now_us -= FIXTURE_SECOND;
    assert_int_equal(reset_with(token_of(sent.link)), GH_IDENTITY_OK);
    assert_int_equal(reset_with(token_of(sent.link)), GH_IDENTITY_BAD_TOKEN);
}

static void tells_nobody_whether_there_is_an_account(void **state)
{
    struct gh_account row;
    assert_int_equal(put(GH_MAIL_RESET, GH_STR(""), "nobody@example.org", ""), GH_OK);
    assert_int_equal(gh_fixture_mail_count(&f), 1);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    row.status = GH_ACCOUNT_DISABLED;
    gh_fixture_account_put(&f, &row);
    assert_int_equal(put(GH_MAIL_RESET, GH_STR(""), ANN, ""), GH_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    row.status = GH_ACCOUNT_ACTIVE;
    row.email_verified_us = 0;
    gh_fixture_account_put(&f, &row);
    assert_int_equal(put(GH_MAIL_RESET, GH_STR(""), ANN, ""), GH_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 0);
    assert_int_equal(gh_fixture_mail_count(&f), 0);
    assert_int_equal(step(), GH_IDENTITY_NOT_FOUND);
}

static void sends_to_unconfirmed_addresses_where_none_are_confirmed(void **state)
{
    struct gh_account row;
    assert_true(gh_fixture_account_row(&f, ann, &row));
    row.email_verified_us = 0;
    gh_fixture_account_put(&f, &row);
    f.settings.verify_email = false;
    assert_int_equal(put(GH_MAIL_RESET, GH_STR(""), ANN, ""), GH_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 1);
}

static void a_request_for_an_unknown_address_leaves_no_trace(void **state)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    assert_int_equal(gh_password_reset_request(&call, GH_STR("nobody@example.org")),
                     GH_IDENTITY_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 0);
    assert_int_equal(gh_fixture_mail_count(&f), 0);
    assert_int_equal(gh_password_reset_request(&call, GH_STR(ANN)), GH_IDENTITY_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 1);
}

static void a_confirmation_link_confirms(void **state)
{
    struct gh_account row;
    assert_true(gh_fixture_account_row(&f, ann, &row));
    row.email_verified_us = 0;
    gh_fixture_account_put(&f, &row);
    assert_int_equal(put(GH_MAIL_CONFIRM, ann, ANN, ""), GH_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_true(gh_str_starts_with(sent.link,
                                   GH_STR("https://api.example.com/account/confirm-email#token=")));
    struct gh_identity_call call = gh_fixture_call(&f);
    assert_int_equal(reset_with(token_of(sent.link)), GH_IDENTITY_BAD_TOKEN); /* another purpose */
    assert_int_equal(gh_email_verify(&call, token_of(sent.link)), GH_IDENTITY_OK);
    assert_int_equal(gh_email_verify(&call, token_of(sent.link)), GH_IDENTITY_BAD_TOKEN);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_true(row.email_verified_us > 0);
    /* one that waited is not sent any more */
    assert_int_equal(put(GH_MAIL_CONFIRM, ann, ANN, ""), GH_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 1);
}

static void a_new_address_counts_when_its_link_is_used(void **state)
{
    struct gh_account row;
    struct gh_account_view view;
    assert_int_equal(put(GH_MAIL_CHANGE_CONFIRM, ann, "new@example.org", "new@example.org"), GH_OK);
    assert_int_equal(put(GH_MAIL_CHANGE_CONFIRM, ann, "new@example.org", "new@example.org"), GH_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_true(gh_str_eq(sent.recipient, GH_STR("new@example.org")));
    struct gh_identity_call call = gh_fixture_call(&f);
    assert_int_equal(gh_email_verify(&call, token_of(sent.link)), GH_IDENTITY_OK);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    assert_true(gh_account_view_of(&call, &row, &view));
    assert_true(gh_str_eq(view.email, GH_STR("new@example.org")));
    assert_int_equal(step(), GH_IDENTITY_OK); /* the second has nothing left to do */
    assert_int_equal(sent.count, 1);
}

static void a_new_address_that_waits_is_forgotten_with_the_password(void **state)
{
    struct gh_account row;
    assert_int_equal(put(GH_MAIL_CHANGE_CONFIRM, ann, "new@example.org", "new@example.org"), GH_OK);
    assert_true(gh_fixture_account_row(&f, ann, &row));
    row.password_changed_us = f.now_us + 1;
    gh_fixture_account_put(&f, &row);
    f.now_us += FIXTURE_SECOND;
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 0);
}

/* ---- Trying again ---- */

static void a_failing_mailer_is_tried_again_with_growing_pauses(void **state)
{
    static const uint64_t PAUSES[] = {10, 30, 120, 600, 1800, 3600, 3600, 3600};
    assert_int_equal(put(GH_MAIL_RESET, GH_STR(""), ANN, ""), GH_OK);
    sent.answer = GH_ERR_IO;
    assert_int_equal(step(), GH_IDENTITY_UNAVAILABLE);
    struct gh_str id = sent.message_id, link = sent.link;
    for (size_t i = 0; i < sizeof(PAUSES) / sizeof(PAUSES[0]); i++) {
        f.now_us += PAUSES[i] * FIXTURE_SECOND - 1;
        assert_int_equal(step(), GH_IDENTITY_NOT_FOUND);
        f.now_us += 1;
        assert_int_equal(step(), GH_IDENTITY_UNAVAILABLE);
        assert_int_equal(sent.count, i + 2);
        assert_true(gh_str_eq(sent.message_id, id));
        assert_true(gh_str_eq(sent.link, link));
    }
    sent.answer = GH_OK;
    f.now_us += FIXTURE_HOUR;
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(reset_with(token_of(sent.link)), GH_IDENTITY_OK); /* good since this try */
}

static void a_sender_that_is_stopped_has_not_tried(void **state)
{
    assert_int_equal(put(GH_MAIL_TWO_FACTOR_ON, ann, ANN, ""), GH_OK);
    for (unsigned i = 0; i < 10; i++) {
        sent.answer = GH_ERR_CLOSED;
        assert_int_equal(step(), GH_IDENTITY_UNAVAILABLE);
    }
    sent.answer = GH_ERR_IO;
    assert_int_equal(step(), GH_IDENTITY_UNAVAILABLE);
    f.now_us += 10 * FIXTURE_SECOND; /* the pause after a first try */
    sent.answer = GH_OK;
    assert_int_equal(step(), GH_IDENTITY_OK);
}

static void gives_up_after_a_day(void **state)
{
    uint64_t begin_us = f.now_us;
    assert_int_equal(put(GH_MAIL_TWO_FACTOR_ON, ann, ANN, ""), GH_OK);
    sent.answer = GH_ERR_TIMEOUT;
    for (unsigned i = 0; i < 100 && gh_fixture_mail_count(&f); i++) {
        step();
        f.now_us += FIXTURE_HOUR;
    }
    assert_int_equal(gh_fixture_mail_count(&f), 0);
    assert_true(f.now_us - begin_us <= 26 * FIXTURE_HOUR);
    assert_in_range(sent.count, 20, 30);
}

static void does_not_send_what_lay_for_a_day(void **state)
{
    assert_int_equal(put(GH_MAIL_TWO_FACTOR_ON, ann, ANN, ""), GH_OK);
    f.now_us += FIXTURE_DAY;
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 0);
    assert_int_equal(gh_fixture_mail_count(&f), 0);
}

static void a_refused_mail_is_not_tried_again(void **state)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    assert_int_equal(put(GH_MAIL_TWO_FACTOR_ON, ann, ANN, ""), GH_OK);
    sent.answer = GH_ERR_REFUSED;
    assert_int_equal(gh_outbox_step(&call, &MAILER), GH_IDENTITY_INVALID);
    assert_non_null(call.why);
    assert_int_equal(gh_fixture_mail_count(&f), 0);
}

static void a_sender_that_dies_leaves_the_mail_to_the_next(void **state)
{
    assert_int_equal(put(GH_MAIL_RESET, GH_STR(""), ANN, ""), GH_OK);
    /* taken for a second by somebody who never comes back */
    assert_int_equal(f.store->ops->run(f.store, take_row, NULL, &f.arena), GH_OK);
    f.now_us += FIXTURE_SECOND - 1;
    assert_int_equal(step(), GH_IDENTITY_NOT_FOUND);
    f.now_us += 1;
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 1);
}

static enum gh_err send_and_break_the_store(void *context, struct gh_arena *arena,
                                            struct gh_str recipient, struct gh_str message_id,
                                            struct gh_str message, struct gh_str link)
{
    gh_memory_store_fail(f.store, 1, GH_ERR_IO);
    return take_mail(context, arena, recipient, message_id, message, link);
}

static void a_mail_is_sent_twice_rather_than_lost_and_its_link_stays_single_use(void **state)
{
    struct gh_mailer breaking = {.send = send_and_break_the_store};
    struct gh_identity_call call = gh_fixture_call(&f);
    assert_int_equal(put(GH_MAIL_RESET, GH_STR(""), ANN, ""), GH_OK);
    assert_int_equal(gh_outbox_step(&call, &breaking), GH_IDENTITY_UNAVAILABLE);
    struct gh_str id = sent.message_id, link = sent.link;
    assert_int_equal(step(), GH_IDENTITY_NOT_FOUND); /* the lease holds */
    f.now_us += 5 * FIXTURE_MINUTE;
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 2);
    assert_true(gh_str_eq(sent.message_id, id) && gh_str_eq(sent.link, link));

    call = gh_fixture_call(&f);
    assert_int_equal(put(GH_MAIL_RESET, GH_STR(""), ANN, ""), GH_OK);
    assert_int_equal(gh_outbox_step(&call, &breaking), GH_IDENTITY_UNAVAILABLE);
    f.now_us += FIXTURE_MINUTE;
    assert_int_equal(reset_with(token_of(sent.link)), GH_IDENTITY_OK);
    unsigned count = sent.count;
    f.now_us += 5 * FIXTURE_MINUTE;
    while (step() == GH_IDENTITY_OK)
        ; /* that the password was changed is told, the used link is not sent again */
    assert_int_equal(sent.count, count + 1);
    assert_int_equal(sent.link.len, 0);
    assert_int_equal(reset_with(token_of(link)), GH_IDENTITY_BAD_TOKEN);
}

static void mails_of_an_erased_account_go_with_it(void **state)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    assert_int_equal(put(GH_MAIL_TWO_FACTOR_ON, ann, ANN, ""), GH_OK);
    assert_int_equal(gh_user_delete(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_true(gh_str_find(sent.message, GH_STR("was deleted")) < sent.message.len);
    assert_int_equal(step(), GH_IDENTITY_NOT_FOUND);
    assert_int_equal(sent.count, 1);
}

static enum gh_err insert_garbage(struct gh_tx *tx, void *args)
{
    struct gh_identity_call *call = args;
    struct gh_mail_row row = {.id = gh_identity_new_id(call),
                              .recipient = GH_STR("sealed under a key that is gone"),
                              .message = GH_STR("sealed under a key that is gone"),
                              .created_us = call->now_us,
                              .next_us = call->now_us};
    return tx->ops->mail_insert(tx, &row);
}

static void what_cannot_be_opened_is_dropped(void **state)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    assert_int_equal(f.store->ops->run(f.store, insert_garbage, &call, &f.arena), GH_OK);
    assert_int_equal(step(), GH_IDENTITY_OK);
    assert_int_equal(sent.count, 0);
    assert_int_equal(gh_fixture_mail_count(&f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sends_what_was_put_in_and_forgets_it),
        TEST(refuses_addresses_that_could_write_headers),
        TEST(keeps_nothing_readable_in_the_store),
        TEST(a_reset_link_works_once_and_for_fifteen_minutes),
        TEST(tells_nobody_whether_there_is_an_account),
        TEST(sends_to_unconfirmed_addresses_where_none_are_confirmed),
        TEST(a_request_for_an_unknown_address_leaves_no_trace),
        TEST(a_confirmation_link_confirms),
        TEST(a_new_address_counts_when_its_link_is_used),
        TEST(a_new_address_that_waits_is_forgotten_with_the_password),
        TEST(a_failing_mailer_is_tried_again_with_growing_pauses),
        TEST(a_sender_that_is_stopped_has_not_tried),
        TEST(gives_up_after_a_day),
        TEST(does_not_send_what_lay_for_a_day),
        TEST(a_refused_mail_is_not_tried_again),
        TEST(a_sender_that_dies_leaves_the_mail_to_the_next),
        TEST(a_mail_is_sent_twice_rather_than_lost_and_its_link_stays_single_use),
        TEST(mails_of_an_erased_account_go_with_it),
        TEST(what_cannot_be_opened_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
