/*
 * The SQLite adapter: what was deleted is gone from its files after a scrub. Looked for with a
 * grep, as somebody would who gets hold of the disk.
 */
#include "store/contract_suite.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite_fixture.h"

/* Enough that pages are split and joined, which copies rows about. */
#define PEOPLE       1500
#define SECRET_BYTES 32

struct state {
    struct gh_sqlite_fixture fixture;
    struct gh_contract contract;
};

static int open_store(void **out_state)
{
    struct state *state = calloc(1, sizeof(*state));
    *out_state = state;
    if (!state)
        return -1;
    gh_sqlite_fixture_init(&state->fixture);
    gh_contract_init(&state->contract, gh_sqlite_fixture_open(&state->fixture));
    return state->contract.store ? 0 : -1;
}

static int close_store(void **out_state)
{
    struct state *state = *out_state;
    gh_contract_done(&state->contract);
    gh_sqlite_fixture_done(&state->fixture);
    free(state);
    return 0;
}

/* ---- People with secrets that nothing else looks like ---- */

static unsigned scatter(unsigned number)
{
    return number * 2654435761u; /* ids come in no order */
}

/* Of a person: kind 'e' the address, 'k' the key. */
static struct gh_str secret_of(char kind, unsigned number, uint8_t memory[GH_SHA256_BYTES])
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%c%u", kind, number);
    gh_sha256(gh_str_of(text, (size_t)len), memory);
    return gh_str_of((const char *)memory, SECRET_BYTES);
}

static void add_people(struct state *state)
{
    struct gh_tx *tx = gh_contract_begin(&state->contract);
    for (unsigned number = 0; number < PEOPLE; number++) {
        uint8_t email[GH_SHA256_BYTES], key[GH_SHA256_BYTES];
        struct gh_account account = gh_contract_account(scatter(number));
        account.email = secret_of('e', number, email);
        struct gh_person_key_row row = {.person = gh_id_str(&account.id),
                                        .wrapped = secret_of('k', number, key),
                                        .created_us = GH_CONTRACT_NOW_US};
        gh_contract_assert_ok(tx->ops->account_insert(tx, &account));
        gh_contract_assert_ok(tx->ops->person_key_insert(tx, &row));
    }
    gh_contract_commit(&state->contract);
}

static enum gh_err erase(struct gh_tx *tx, void *args)
{
    struct gh_id id = gh_contract_id(scatter(*(const unsigned *)args));
    return tx->ops->account_delete(tx, gh_id_str(&id));
}

static void erase_person(struct state *state, unsigned number)
{
    struct gh_store *store = state->contract.store;
    gh_contract_assert_ok(store->ops->run(store, erase, &number, &state->contract.arena));
}

/* ---- What is on the disk ---- */

struct disk {
    char *bytes;
    size_t len;
};

/* All files of the store, one behind the other. */
static struct disk read_disk(const struct state *state)
{
    static const char *const SUFFIXES[] = {"", "-wal", "-shm"};
    struct disk disk = {NULL, 0};
    for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s%s", state->fixture.path, SUFFIXES[i]);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        assert_int_equal(fseek(file, 0, SEEK_END), 0);
        size_t len = (size_t)ftell(file);
        rewind(file);
        disk.bytes = realloc(disk.bytes, disk.len + len + 1);
        assert_non_null(disk.bytes);
        assert_int_equal(fread(disk.bytes + disk.len, 1, len, file), len);
        disk.len += len;
        fclose(file);
    }
    return disk;
}

static bool is_on_disk(const struct disk *disk, char kind, unsigned number)
{
    uint8_t memory[GH_SHA256_BYTES];
    struct gh_str secret = secret_of(kind, number, memory);
    return memmem(disk->bytes, disk->len, secret.ptr, secret.len);
}

/* How many secrets of the people first, first + step, ... are there. */
static unsigned count_on_disk(const struct state *state, unsigned first, unsigned step)
{
    struct disk disk = read_disk(state);
    unsigned found = 0;
    for (unsigned number = first; number < PEOPLE; number += step)
        found += is_on_disk(&disk, 'e', number) + (unsigned)is_on_disk(&disk, 'k', number);
    free(disk.bytes);
    return found;
}

/* ---- The tests ---- */

static void nothing_of_the_erased_is_left_after_a_scrub(void **out_state)
{
    struct state *state = *out_state;
    struct gh_store *store = state->contract.store;
    add_people(state);
    gh_contract_assert_ok(store->ops->scrub(store)); /* written back, so that both files have it */
    for (unsigned number = 0; number < PEOPLE; number += 3)
        erase_person(state, number);
    assert_true(count_on_disk(state, 0, 3) > 0); /* else the test would prove nothing */
    gh_contract_assert_ok(store->ops->scrub(store));
    assert_int_equal(count_on_disk(state, 0, 3), 0);
    assert_int_equal(count_on_disk(state, 1, 3), PEOPLE / 3 * 2);
    assert_int_equal(count_on_disk(state, 2, 3), PEOPLE / 3 * 2);
}

static void one_erased_person_is_gone_from_files_of_many(void **out_state)
{
    struct state *state = *out_state;
    struct gh_store *store = state->contract.store;
    add_people(state);
    erase_person(state, 700);
    struct disk disk = read_disk(state);
    assert_true(is_on_disk(&disk, 'k', 700) && is_on_disk(&disk, 'e', 700));
    free(disk.bytes);
    gh_contract_assert_ok(store->ops->scrub(store));
    disk = read_disk(state);
    assert_false(is_on_disk(&disk, 'k', 700));
    assert_false(is_on_disk(&disk, 'e', 700));
    assert_true(is_on_disk(&disk, 'k', 701) && is_on_disk(&disk, 'e', 701));
    free(disk.bytes);
}

static void what_was_replaced_is_gone_too(void **out_state)
{
    struct state *state = *out_state;
    struct gh_store *store = state->contract.store;
    struct gh_sealed_row *rows;
    size_t count;
    add_people(state);
    struct gh_tx *tx = gh_contract_begin(&state->contract);
    gh_contract_assert_ok(
        tx->ops->sealed_page(tx, GH_SEALED_PERSON_KEY, GH_STR(""), PEOPLE, &rows, &count));
    assert_int_equal(count, PEOPLE);
    for (size_t i = 0; i < count; i++)
        gh_contract_assert_ok(tx->ops->sealed_put(tx, GH_SEALED_PERSON_KEY, &rows[i],
                                                  GH_STR("a longer key than it "
                                                         "was, sealed anew")));
    gh_contract_commit(&state->contract);
    gh_contract_assert_ok(store->ops->scrub(store));
    assert_int_equal(count_on_disk(state, 0, 1), PEOPLE); /* the addresses */
}

static void a_reader_that_still_sees_it_makes_a_scrub_fail_and_not_wait(void **out_state)
{
    struct state *state = *out_state;
    struct gh_store *store = state->contract.store;
    add_people(state);
    uint64_t mails;
    struct gh_tx *tx = gh_contract_begin_read(&state->contract);
    gh_contract_assert_ok(tx->ops->mail_count(tx, &mails)); /* the view begins here */
    erase_person(state, 4);
    assert_int_equal(store->ops->scrub(store), GH_ERR_TIMEOUT);
    erase_person(state, 5); /* the writer goes on */
    gh_contract_commit(&state->contract);
    gh_contract_assert_ok(store->ops->scrub(store));
    struct disk disk = read_disk(state);
    assert_false(is_on_disk(&disk, 'k', 4) || is_on_disk(&disk, 'k', 5));
    free(disk.bytes);
}

static void a_store_open_for_reading_can_t_be_scrubbed(void **out_state)
{
    struct state *state = *out_state;
    struct gh_store *reader = NULL;
    unsigned number = 1;
    gh_contract_assert_ok(gh_sqlite_fixture_try(&state->fixture, false, &reader));
    assert_int_equal(reader->ops->scrub(reader), GH_ERR_INVALID);
    assert_int_equal(reader->ops->run_bulk(reader, erase, &number, &state->contract.arena),
                     GH_ERR_INVALID);
    reader->ops->close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_of_the_erased_is_left_after_a_scrub),
        TEST(one_erased_person_is_gone_from_files_of_many),
        TEST(what_was_replaced_is_gone_too),
        TEST(a_reader_that_still_sees_it_makes_a_scrub_fail_and_not_wait),
        TEST(a_store_open_for_reading_can_t_be_scrubbed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
