/* The log in clear on one side, rows without anything personal on the other; and what is left of a
   person after erasure. */
#include "identity/audit_log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "audit/verify.h"
#include "identity/account.h"
#include "identity/admin.h"
#include "identity/identity_fixture.h"
#include "identity/person.h"
#include "identity/privacy.h"

#define ANN         "ann@example.org"
#define BOB         "bob@example.org"
#define ANNS_AGENT  "Annotator/3.1 (of Ann)"
#define ANNS_CLIENT "198.51.100.77"
#define ALL         1000

static struct gh_identity_fixture f;
static struct gh_str ann, bob;

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    ann = gh_fixture_account(&f, ANN, FIXTURE_PASSWORD, 1);
    bob = gh_fixture_account(&f, BOB, FIXTURE_PASSWORD, 3);
    return 0;
}

static int close_fixture(void **state)
{
    gh_identity_fixture_close(&f);
    return 0;
}

/* ---- What is there ---- */

struct rows {
    struct gh_audit_row *items;
    size_t count;
};

static enum gh_err read_rows(struct gh_tx *tx, void *args)
{
    struct rows *rows = args;
    struct gh_audit_query query = {.oldest_first = true, .limit = ALL};
    return tx->ops->audit_page(tx, &query, &rows->items, &rows->count);
}

static struct rows all_rows(void)
{
    struct rows rows;
    assert_int_equal(f.store->ops->read(f.store, read_rows, &rows, &f.arena), GH_OK);
    return rows;
}

static struct gh_audit_entries all_entries(void)
{
    struct gh_audit_query query = {.oldest_first = true, .limit = ALL};
    struct gh_audit_entries entries;
    assert_int_equal(gh_audit_log_page(&f.identity, &f.arena, &query, &entries), GH_OK);
    return entries;
}

static bool has(struct gh_str text, const char *needle)
{
    return gh_str_find(text, gh_str_from_c(needle)) < text.len;
}

static bool row_has(const struct gh_audit_row *row, const char *needle)
{
    return has(row->record.ip_address, needle) || has(row->record.user_agent, needle) ||
           has(row->record.metadata, needle) || has(row->sealed, needle);
}

static bool entry_has(const struct gh_audit_entry *entry, const char *needle)
{
    return has(entry->record.ip_address, needle) || has(entry->record.user_agent, needle) ||
           has(entry->record.metadata, needle);
}

static bool log_has(const char *needle)
{
    struct rows rows = all_rows();
    for (size_t i = 0; i < rows.count; i++)
        if (row_has(&rows.items[i], needle))
            return true;
    return false;
}

static size_t entries_with(const char *needle)
{
    struct gh_audit_entries entries = all_entries();
    size_t count = 0;
    for (size_t i = 0; i < entries.count; i++)
        count += entry_has(&entries.items[i], needle);
    return count;
}

static enum gh_audit_fault verify(void)
{
    struct gh_audit_verify_options options = {.verifier_count = 0};
    struct gh_audit_verification *run = gh_audit_verify_begin(&f.arena, &options);
    struct rows rows = all_rows();
    assert_non_null(run);
    assert_true(rows.count > 0);
    for (size_t i = 0; i < rows.count; i++)
        gh_audit_verify_row(run, &rows.items[i]);
    struct gh_audit_verdict verdict;
    assert_int_equal(gh_audit_verify_end(run, &verdict), GH_OK);
    return verdict.fault;
}

/* ---- What happens ---- */

static struct gh_identity_call from_ann(void)
{
    struct gh_identity_call call = gh_fixture_call(&f);
    call.client = GH_STR(ANNS_CLIENT);
    call.user_agent = GH_STR(ANNS_AGENT);
    return call;
}

static struct gh_identity_call ann_signed_in(void)
{
    struct gh_identity_call call = from_ann(), as;
    struct gh_login request = {.email = GH_STR(ANN), .password = FIXTURE_PASSWORD};
    struct gh_login_answer answer;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_OK);
    as = gh_fixture_call_as(&f, answer.grant.access_token);
    as.client = call.client;
    as.user_agent = call.user_agent;
    return as;
}

static void fail_as(const char *email)
{
    struct gh_identity_call call = from_ann();
    struct gh_login request = {.email = gh_str_from_c(email), .password = GH_STR("wrong")};
    struct gh_login_answer answer;
    assert_int_equal(gh_login(&call, &request, &answer), GH_IDENTITY_BAD_CREDENTIALS);
}

struct appending {
    struct gh_audit_record record;
    struct gh_audit_row row;
    bool raw;
};

static enum gh_err append_unit(struct gh_tx *tx, void *args)
{
    struct appending *appending = args;
    return appending->raw ? tx->ops->audit_append(tx, &appending->row)
                          : gh_audit_log_append(tx, &f.identity, &appending->record);
}

static enum gh_err append(struct gh_audit_record record)
{
    struct appending appending = {.record = record};
    return f.identity.store->ops->run(f.identity.store, append_unit, &appending, &f.arena);
}

/* ---- Tests ---- */

static void readers_see_what_rows_do_not_show(void **state)
{
    fail_as(ANN);
    ann_signed_in();
    assert_false(log_has(ANNS_CLIENT));
    assert_false(log_has(ANNS_AGENT));
    assert_false(log_has(ANN));
    assert_int_equal(entries_with(ANNS_CLIENT), 2);
    assert_int_equal(entries_with(ANNS_AGENT), 2);
    assert_int_equal(entries_with(ANN), 1);
    assert_int_equal(verify(), GH_AUDIT_FAULT_NONE);
}

static void metadata_that_the_catalogue_lacks_are_refused(void **state)
{
    struct gh_audit_record record = {.event = GH_AUDIT_LOGOUT, .metadata = GH_STR("{\"a\":1}")};
    assert_int_equal(append(record), GH_ERR_INVALID);
    assert_int_equal(all_rows().count, 0);
}

static void a_record_of_nothing_personal_makes_no_key(void **state)
{
    struct gh_audit_record record = {.event = GH_AUDIT_CONFIG_RELOADED, .time_us = f.now_us};
    assert_int_equal(append(record), GH_OK);
    struct rows rows = all_rows();
    assert_int_equal(rows.count, 1);
    assert_int_equal(rows.items[0].sealed.len, 0);
    assert_false(all_entries().items[0].erased);
}

static struct gh_audit_record refusal(struct gh_str user_id)
{
    return (struct gh_audit_record){
        .time_us = f.now_us,
        .event = GH_AUDIT_ACCESS_DENIED,
        .user_id = user_id,
        .actor_id = user_id,
        .ip_address = GH_STR(ANNS_CLIENT),
        .outcome = GH_AUDIT_FAILURE,
        .metadata = GH_STR("{\"reason\":\"not_owner\",\"route\":\"/users/{id}\",\"count\":3}"),
    };
}

static void many_go_under_the_keys_of_those_they_speak_of(void **state)
{
    char day[GH_AUDIT_DAY_LEN + 1];
    const struct gh_audit_record records[] = {refusal(ann), refusal(GH_STR("")), refusal(bob),
                                              refusal(GH_STR("nobody"))};
    gh_audit_day(f.now_us, day);
    const struct gh_str names[] = {ann, gh_str_from_c(day), bob, GH_STR("nobody")};
    assert_int_equal(gh_audit_log_append_many(&f.identity, &f.arena, records, 4), GH_OK);
    struct rows rows = all_rows();
    assert_int_equal(rows.count, 4);
    for (size_t i = 0; i < 4; i++) {
        struct gh_str persons[GH_AUDIT_PERSONS_MAX];
        size_t count;
        assert_int_equal(gh_audit_persons(rows.items[i].sealed, persons, &count), GH_OK);
        assert_int_equal(count, 1);
        assert_true(gh_str_eq(persons[0], names[i]));
    }
    assert_false(all_entries().items[2].erased);
    assert_true(all_entries().items[3].erased); /* who is gone by then */
    assert_int_equal(verify(), GH_AUDIT_FAULT_NONE);
}

static void of_many_all_are_appended_or_none(void **state)
{
    struct gh_audit_record records[] = {refusal(ann), refusal(bob), refusal(ann)};
    records[2].metadata = GH_STR("{\"body\":\"x\"}");
    assert_int_equal(gh_audit_log_append_many(&f.identity, &f.arena, records, 3), GH_ERR_INVALID);
    assert_int_equal(all_rows().count, 0);
    assert_int_equal(gh_audit_log_append_many(&f.identity, &f.arena, records, 0), GH_OK);
    gh_fixture_store_fail(f.store, 1, GH_ERR_FULL);
    assert_int_equal(gh_audit_log_append_many(&f.identity, &f.arena, records, 2), GH_ERR_FULL);
    assert_int_equal(all_rows().count, 0);
}

static void of_many_those_that_can_be_no_records_are_left_out(void **state)
{
    struct gh_audit_record records[] = {refusal(ann), refusal(bob), refusal(ann)};
    size_t invalid = 9;
    records[1].metadata = GH_STR("{\"body\":\"x\"}");
    gh_fixture_store_fail(f.store, 1, GH_ERR_FULL);
    assert_int_equal(gh_audit_log_append_valid(&f.identity, &f.arena, records, 3, &invalid),
                     GH_ERR_FULL);
    assert_int_equal(invalid, 9);
    assert_int_equal(all_rows().count, 0);
    assert_int_equal(gh_audit_log_append_valid(&f.identity, &f.arena, records, 3, &invalid), GH_OK);
    assert_int_equal(invalid, 1);
    assert_int_equal(all_rows().count, 2);
    assert_int_equal(verify(), GH_AUDIT_FAULT_NONE);
}

static void pages_of_more_people_than_keys_are_kept_for_are_whole(void **state)
{
    enum { PEOPLE = 40 };
    for (size_t round = 0; round < 2; round++)
        for (size_t i = 0; i < PEOPLE; i++) {
            char email[] = "p00@example.org";
            email[1] = (char)('0' + i / 10);
            email[2] = (char)('0' + i % 10);
            if (round == 0)
                gh_fixture_account(&f, email, GH_STR(""), 1);
            fail_as(email);
            f.now_us += FIXTURE_HOUR; /* past delays */
        }
    struct gh_audit_entries entries = all_entries();
    assert_int_equal(entries.count, 2 * PEOPLE);
    for (size_t i = 0; i < entries.count; i++) {
        char email[] = "p00@example.org";
        email[1] = (char)('0' + i % PEOPLE / 10);
        email[2] = (char)('0' + i % PEOPLE % 10);
        assert_false(entries.items[i].erased);
        assert_true(entry_has(&entries.items[i], email));
        assert_true(entry_has(&entries.items[i], ANNS_CLIENT));
    }
}

static void a_row_that_is_damaged_hides_no_other(void **state)
{
    struct appending raw = {.raw = true};
    raw.row.record = (struct gh_audit_record){.event = GH_AUDIT_LOGIN_FAILED,
                                              .time_us = f.now_us,
                                              .ip_address = GH_STR("192.0.2.200"),
                                              .metadata = GH_STR("{\"email\":\"x\"}")};
    raw.row.sealed = GH_STR("rubbish");
    assert_int_equal(f.identity.store->ops->run(f.identity.store, append_unit, &raw, &f.arena),
                     GH_OK);
    fail_as(ANN);
    struct gh_audit_entries entries = all_entries();
    assert_int_equal(entries.count, 2);
    assert_true(entries.items[0].damaged && entries.items[0].erased);
    assert_false(entry_has(&entries.items[0], "192.0.2.200"));
    assert_true(gh_str_eq(entries.items[0].record.metadata, GH_STR("{\"email\":null}")));
    assert_false(entries.items[1].damaged || entries.items[1].erased);
    assert_true(entry_has(&entries.items[1], ANN));
}

static void erasure_leaves_nothing_of_the_person_to_read(void **state)
{
    fail_as(ANN);
    f.now_us += FIXTURE_HOUR;
    struct gh_identity_call call = ann_signed_in();
    assert_int_equal(gh_privacy_erase(&call, FIXTURE_PASSWORD, GH_STR("")), GH_IDENTITY_OK);
    struct gh_audit_entries entries = all_entries();
    assert_true(entries.count >= 5);
    for (size_t i = 0; i < entries.count; i++) {
        const struct gh_audit_entry *entry = &entries.items[i];
        assert_true(gh_str_eq(entry->record.user_id, ann));
        assert_false(entry->damaged);
        assert_int_equal(entry->record.ip_address.len + entry->record.user_agent.len, 0);
        assert_false(entry_has(entry, ANN));
    }
    const struct gh_audit_entry *last = &entries.items[entries.count - 1];
    assert_int_equal(last->record.event, GH_AUDIT_DATA_DELETION);
    assert_false(last->erased); /* there was nothing personal in it */
    assert_true(entries.items[0].erased);
    assert_true(has(entries.items[0].record.metadata, "\"email\":null"));
    assert_int_equal(verify(), GH_AUDIT_FAULT_NONE);
    assert_false(atomic_load(&f.identity.scrub_waits));
}

static void erasure_changes_no_row_that_was_there(void **state)
{
    fail_as(ANN);
    struct gh_identity_call call = ann_signed_in();
    struct rows before = all_rows();
    assert_int_equal(gh_privacy_erase(&call, FIXTURE_PASSWORD, GH_STR("")), GH_IDENTITY_OK);
    struct rows after = all_rows();
    assert_true(after.count > before.count);
    for (size_t i = 0; i < before.count; i++) {
        assert_memory_equal(before.items[i].hash, after.items[i].hash, GH_SHA256_BYTES);
        assert_true(gh_str_eq(before.items[i].sealed, after.items[i].sealed));
    }
}

static void others_stay_readable(void **state)
{
    fail_as(BOB);
    struct gh_identity_call call = ann_signed_in();
    assert_int_equal(gh_account_remove(&call, FIXTURE_PASSWORD, GH_STR("")), GH_IDENTITY_OK);
    assert_int_equal(entries_with(BOB), 1);
    assert_int_equal(entries_with(ANNS_CLIENT), 1); /* the record that speaks of Bob */
    assert_int_equal(entries_with(ANN), 0);
    assert_int_equal(verify(), GH_AUDIT_FAULT_NONE);
}

static void what_an_admin_did_stays_with_the_admin(void **state)
{
    struct gh_session_grant grant = gh_fixture_login(&f, BOB, FIXTURE_PASSWORD);
    struct gh_identity_call call = gh_fixture_call_as(&f, grant.access_token);
    call.client = GH_STR("203.0.113.9");
    fail_as(ANN);
    assert_int_equal(gh_user_delete(&call, ann), GH_IDENTITY_OK);
    assert_int_equal(entries_with(ANNS_CLIENT), 0);
    struct gh_audit_record last;
    assert_int_equal(gh_fixture_audit_count(&f, GH_AUDIT_ACCOUNT_DELETED, &last), 1);
    assert_true(gh_str_eq(last.ip_address, GH_STR("203.0.113.9")));
    assert_int_equal(verify(), GH_AUDIT_FAULT_NONE);
}

/* A store that a reader holds up. */
struct held_up {
    struct gh_store store; /* first */
    unsigned failures, scrubs;
    enum gh_err err;
};

static enum gh_err scrub_later(struct gh_store *store)
{
    struct held_up *held_up = (struct held_up *)store;
    held_up->scrubs++;
    return held_up->scrubs <= held_up->failures ? held_up->err : GH_OK;
}

static void a_scrub_that_a_reader_holds_up_is_tried_again(void **state)
{
    static const struct gh_store_ops OPS = {.scrub = scrub_later};
    struct held_up held_up = {.store = {&OPS}, .failures = 2, .err = GH_ERR_TIMEOUT};
    struct gh_identity identity = {.store = &held_up.store};
    assert_true(gh_identity_scrub(&identity)); /* nothing was erased */
    assert_int_equal(held_up.scrubs, 0);
    gh_identity_forget(&identity);
    assert_int_equal(held_up.scrubs, 1);
    assert_false(gh_identity_scrub(&identity));
    assert_true(gh_identity_scrub(&identity));
    assert_true(gh_identity_scrub(&identity));
    assert_int_equal(held_up.scrubs, 3);
}

static void a_store_that_is_only_read_is_not_scrubbed_for_ever(void **state)
{
    static const struct gh_store_ops OPS = {.scrub = scrub_later};
    struct held_up held_up = {.store = {&OPS}, .failures = 9, .err = GH_ERR_INVALID};
    struct gh_identity identity = {.store = &held_up.store};
    gh_identity_forget(&identity);
    assert_true(gh_identity_scrub(&identity));
    assert_int_equal(held_up.scrubs, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(readers_see_what_rows_do_not_show),
        TEST(metadata_that_the_catalogue_lacks_are_refused),
        TEST(a_record_of_nothing_personal_makes_no_key),
        TEST(many_go_under_the_keys_of_those_they_speak_of),
        TEST(of_many_all_are_appended_or_none),
        TEST(of_many_those_that_can_be_no_records_are_left_out),
        TEST(pages_of_more_people_than_keys_are_kept_for_are_whole),
        TEST(a_row_that_is_damaged_hides_no_other),
        TEST(erasure_leaves_nothing_of_the_person_to_read),
        TEST(erasure_changes_no_row_that_was_there),
        TEST(others_stay_readable),
        TEST(what_an_admin_did_stays_with_the_admin),
        TEST(a_scrub_that_a_reader_holds_up_is_tried_again),
        TEST(a_store_that_is_only_read_is_not_scrubbed_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
