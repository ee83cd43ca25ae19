/*
 * The SQLite adapter when the world fails: killed in the middle of its work, on a full disk, over
 * a damaged file. Nothing acknowledged may be lost, nothing half done may remain.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/chain.h"
#include "store/sqlite_fixture.h"

#define ARENA_BYTES_MAX (16u << 20)

static int set_up(void **state)
{
    struct gh_sqlite_fixture *fixture = malloc(sizeof(*fixture));
    if (!fixture)
        return -1;
    gh_sqlite_fixture_init(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    gh_sqlite_fixture_done(*state);
    free(*state);
    return 0;
}

/* ---- A sign-up: rows in four tables that belong together ---- */

static struct gh_id id_of(char kind, uint32_t number)
{
    struct gh_id id;
    snprintf(id.text, sizeof(id.text), "%08x-0000-4000-8000-00000000000%c", number, kind);
    return id;
}

static struct gh_account account_of(uint32_t number)
{
    struct gh_account account = {
        .id = id_of('a', number),
        .email = GH_STR("sealed address"),
        .roles = GH_STR("user"),
        .password_hash = GH_STR("$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"),
    };
    memcpy(account.email_index, &number, sizeof(number));
    return account;
}

static enum gh_err sign_up(struct gh_tx *tx, void *args)
{
    uint32_t number = *(const uint32_t *)args;
    struct gh_account account = account_of(number);
    struct gh_session_row session = {.family = id_of('f', number),
                                     .session_id = id_of('5', number),
                                     .account = account.id,
                                     .expires_us = 1};
    struct gh_mail_row mail = {.id = id_of('e', number), .account = account.id};
    struct gh_audit_row row = {
        .record = {.event = GH_AUDIT_SIGNUP, .user_id = gh_id_str(&account.id), .time_us = number}};
    enum gh_err err = tx->ops->account_insert(tx, &account);
    if (err == GH_OK)
        err = tx->ops->session_insert(tx, &session);
    if (err == GH_OK)
        err = tx->ops->mail_insert(tx, &mail);
    return err == GH_OK ? tx->ops->audit_append(tx, &row) : err;
}

struct sign_up_check {
    uint32_t number;
    unsigned parts; /* of four that are there */
};

static enum gh_err look_for_sign_up(struct gh_tx *tx, void *args)
{
    struct sign_up_check *check = args;
    struct gh_account account = account_of(check->number);
    struct gh_session_row session, *sessions;
    struct gh_id family = id_of('f', check->number);
    struct gh_audit_row *records;
    struct gh_audit_query query = {.user_id = gh_id_str(&account.id), .limit = 2};
    size_t session_count = 0, record_count = 0;
    enum gh_err by_id = tx->ops->account_by_id(tx, gh_id_str(&account.id), &account);
    enum gh_err by_family = tx->ops->session_by_family(tx, gh_id_str(&family), &session);
    if (tx->ops->sessions_of(tx, gh_id_str(&account.id), &sessions, &session_count) != GH_OK ||
        tx->ops->audit_page(tx, &query, &records, &record_count) != GH_OK)
        return GH_ERR_IO;
    check->parts =
        (by_id == GH_OK) + (by_family == GH_OK) + (session_count == 1) + (record_count == 1);
    return GH_OK;
}

static unsigned parts_of(struct gh_store *store, uint32_t number)
{
    struct sign_up_check check = {.number = number};
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, ARENA_BYTES_MAX);
    enum gh_err err = store->ops->read(store, look_for_sign_up, &check, &arena);
    gh_arena_done(&arena);
    assert_int_equal(err, GH_OK);
    return check.parts;
}

struct totals {
    uint64_t accounts, mails, records, last_seq;
    uint64_t broken; /* records that are not what their hash and the one before say */
};

static enum gh_err follow_chain(struct gh_tx *tx, struct totals *totals)
{
    struct gh_audit_query query = {.oldest_first = true, .limit = SIZE_MAX};
    uint8_t prev_hash[GH_SHA256_BYTES] = {0}, hash[GH_SHA256_BYTES];
    struct gh_audit_row *rows;
    struct gh_arena scratch;
    size_t count = 0;
    gh_arena_init(&scratch, 4096, 1 << 20);
    enum gh_err err = tx->ops->audit_page(tx, &query, &rows, &count);
    totals->records = count;
    totals->last_seq = err == GH_OK && count ? rows[count - 1].record.seq : 0;
    for (size_t i = 0; err == GH_OK && i < count; i++) {
        err = gh_audit_row_hash(&scratch, &rows[i], hash);
        gh_arena_reset(&scratch);
        totals->broken += rows[i].record.seq != i + 1 || memcmp(rows[i].hash, hash, 32) != 0 ||
                          memcmp(rows[i].prev_hash, prev_hash, 32) != 0;
        memcpy(prev_hash, rows[i].hash, sizeof(prev_hash));
    }
    gh_arena_done(&scratch);
    return err;
}

static enum gh_err add_up(struct gh_tx *tx, void *args)
{
    struct totals *totals = args;
    enum gh_err err = tx->ops->account_count(tx, GH_STR("user"), &totals->accounts);
    if (err == GH_OK)
        err = tx->ops->mail_count(tx, &totals->mails);
    return err == GH_OK ? follow_chain(tx, totals) : err;
}

/* As many of each kind, and a log whose chain is whole. */
static uint64_t expect_whole(struct gh_store *store)
{
    struct totals totals = {.accounts = 0};
    struct gh_arena arena;
    gh_arena_init(&arena, 65536, 256u << 20);
    enum gh_err err = store->ops->read(store, add_up, &totals, &arena);
    gh_arena_done(&arena);
    assert_int_equal(err, GH_OK);
    assert_int_equal(totals.broken, 0);
    assert_int_equal(totals.mails, totals.accounts);
    assert_int_equal(totals.records, totals.accounts);
    assert_int_equal(totals.last_seq, totals.accounts);
    return totals.accounts;
}

static enum gh_err run_sign_up(struct gh_store *store, uint32_t number)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, ARENA_BYTES_MAX);
    enum gh_err err = store->ops->run(store, sign_up, &number, &arena);
    gh_arena_done(&arena);
    return err;
}

/* ---- Killed ---- */

#define WRITERS        8
#define ROUNDS         6
#define ROUND_ACKS     150 /* and some more in each round, so that the moment varies */
#define NUMBERS_MAX    100000
#define NUMBERS_OF_ONE 1000000

typedef enum gh_err write_one(struct gh_store *store, uint32_t number);

struct stream {
    struct gh_store *store;
    write_one *write;
    uint32_t next;
    int acknowledgements;
};

/* Writes until the process is killed; the numbers of what was acknowledged go to the pipe. */
static void *write_forever(void *argument)
{
    struct stream *stream = argument;
    for (;;) {
        uint32_t number = stream->next++;
        if (stream->write(stream->store, number) != GH_OK ||
            write(stream->acknowledgements, &number, sizeof(number)) != sizeof(number))
            _exit(1);
    }
    return NULL;
}

_Noreturn static void be_the_victim(struct gh_sqlite_fixture *fixture, write_one *unit,
                                    uint32_t round, int pipe_end)
{
    struct stream streams[WRITERS];
    pthread_t threads[WRITERS];
    struct gh_store *store = gh_sqlite_fixture_open(fixture);
    for (uint32_t i = 0; store && i < WRITERS; i++) {
        uint32_t first = (round * WRITERS + i) * NUMBERS_OF_ONE + 1;
        streams[i] = (struct stream){store, unit, first, pipe_end};
        if (pthread_create(&threads[i], NULL, write_forever, &streams[i]) != 0)
            _exit(1);
    }
    if (store)
        pause();
    _exit(1);
}

/* Returns how many were acknowledged, their numbers in `out`. */
static size_t kill_in_the_middle(struct gh_sqlite_fixture *fixture, write_one *unit, uint32_t round,
                                 uint32_t *out, size_t out_max)
{
    int ends[2], status;
    size_t count = 0, enough = ROUND_ACKS + 61 * round;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        be_the_victim(fixture, unit, round, ends[1]);
    }
    close(ends[1]);
    while (count < out_max && read(ends[0], &out[count], sizeof(*out)) == sizeof(*out))
        if (++count == enough)
            kill(child, SIGKILL); /* and read what had been written before */
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(count >= enough);
    return count;
}

static void a_kill_loses_nothing_acknowledged_and_leaves_nothing_half_done(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    uint32_t *numbers = malloc(NUMBERS_MAX * sizeof(*numbers));
    size_t count = 0;
    assert_non_null(numbers);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        count +=
            kill_in_the_middle(fixture, run_sign_up, round, numbers + count, NUMBERS_MAX - count);
        struct gh_store *store = gh_sqlite_fixture_open(fixture);
        assert_non_null(store);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(parts_of(store, numbers[i]), 4);
        assert_true(expect_whole(store) >= count);
        store->ops->close(store);
    }
    free(numbers);
}

/* ---- Killed while it writes the log ---- */

#define BATCH 10

static enum gh_err append_batch(struct gh_tx *tx, void *args)
{
    struct gh_audit_row row = {
        .record = {.event = GH_AUDIT_RATE_LIMITED, .time_us = *(const uint32_t *)args}};
    enum gh_err err = GH_OK;
    for (unsigned i = 0; err == GH_OK && i < BATCH; i++)
        err = tx->ops->audit_append(tx, &row);
    return err;
}

static enum gh_err append_and_refuse(struct gh_tx *tx, void *args)
{
    enum gh_err err = append_batch(tx, args);
    return err == GH_OK ? GH_ERR_EXISTS : err;
}

/* Odd ones as bulk units; every fifth changes its mind before. */
static enum gh_err run_batch(struct gh_store *store, uint32_t number)
{
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, ARENA_BYTES_MAX);
    enum gh_err err = GH_OK;
    if (number % 5 == 0 && store->ops->run(store, append_and_refuse, &number, &arena) == GH_OK)
        err = GH_ERR_INVALID;
    if (err == GH_OK)
        err = (number % 2 ? store->ops->run_bulk : store->ops->run)(store, append_batch, &number,
                                                                    &arena);
    gh_arena_done(&arena);
    return err;
}

static void a_kill_in_the_middle_of_appends_leaves_a_chain_that_is_whole(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    uint32_t *numbers = malloc(NUMBERS_MAX * sizeof(*numbers));
    size_t count = 0;
    assert_non_null(numbers);
    for (uint32_t round = 0; round < 3; round++) {
        struct totals totals = {.records = 0};
        struct gh_arena arena;
        count += kill_in_the_middle(fixture, run_batch, round, numbers, NUMBERS_MAX);
        struct gh_store *store = gh_sqlite_fixture_open(fixture);
        assert_non_null(store);
        gh_arena_init(&arena, 65536, 512u << 20);
        assert_int_equal(store->ops->read(store, add_up, &totals, &arena), GH_OK);
        gh_arena_done(&arena);
        assert_int_equal(totals.broken, 0);
        assert_int_equal(totals.last_seq, totals.records);
        assert_int_equal(totals.records % BATCH, 0);
        assert_true(totals.records >= count * BATCH);
        store->ops->close(store);
    }
    free(numbers);
}

/* ---- A full disk ---- */

#define ROOM_BYTES (512u * 1024) /* behind what the biggest file has now */

static rlim_t limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    return before;
}

/* Signs up from `first` on until the disk is full; how many succeeded. */
static uint32_t fill(struct gh_store *store, uint32_t first)
{
    uint32_t number = first;
    enum gh_err err = GH_OK;
    while (number < first + NUMBERS_MAX) {
        err = run_sign_up(store, number);
        if (err != GH_OK)
            break;
        number++;
    }
    assert_int_equal(err, GH_ERR_FULL);
    return number - first;
}

static void a_full_disk_refuses_and_loses_nothing_and_the_store_goes_on_behind_it(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGXFSZ, &ignore, &before);
    struct gh_store *store = gh_sqlite_fixture_open(fixture);
    assert_non_null(store);
    uint32_t done = 0;
    for (unsigned round = 1; round <= 3; round++) {
        rlim_t unlimited = limit_file_size(round * ROOM_BYTES);
        done += fill(store, done + 1);
        assert_true(done > 0);
        for (unsigned i = 0; i < 20; i++) /* it stays so, and reading goes on */
            assert_int_equal(run_sign_up(store, done + 1), GH_ERR_FULL);
        assert_int_equal(parts_of(store, done), 4);
        assert_int_equal(parts_of(store, done + 1), 0);
        limit_file_size(unlimited);
        assert_int_equal(run_sign_up(store, ++done), GH_OK);
        assert_int_equal(expect_whole(store), done);
    }
    store->ops->close(store);
    store = gh_sqlite_fixture_open(fixture);
    assert_non_null(store);
    assert_int_equal(expect_whole(store), done);
    store->ops->close(store);
    sigaction(SIGXFSZ, &before, NULL);
}

static void a_store_that_does_not_fit_is_not_opened(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    struct gh_store *store = NULL;
    sigaction(SIGXFSZ, &ignore, &before);
    rlim_t unlimited = limit_file_size(20 * 1024);
    assert_int_equal(gh_sqlite_fixture_try(fixture, true, &store), GH_ERR_FULL);
    assert_null(store);
    assert_true(fixture->message.len > 0);
    limit_file_size(unlimited);
    store = gh_sqlite_fixture_open(fixture); /* the half of a schema is not there */
    assert_non_null(store);
    store->ops->close(store);
    sigaction(SIGXFSZ, &before, NULL);
}

/* ---- A damaged file ---- */

#define SIGN_UPS 120
#define DAMAGES  150

static char *read_file(const char *path, size_t *out_len)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(descriptor >= 0);
    off_t len = lseek(descriptor, 0, SEEK_END);
    assert_true(len > 0);
    char *bytes = malloc((size_t)len);
    assert_non_null(bytes);
    assert_int_equal(pread(descriptor, bytes, (size_t)len, 0), len);
    close(descriptor);
    *out_len = (size_t)len;
    return bytes;
}

/* In place of the store, without a journal of another. */
static void write_file(const char *path, const char *bytes, size_t len)
{
    static const char *const SUFFIXES[] = {"-wal", "-shm"};
    char other[128];
    for (size_t i = 0; i < sizeof(SUFFIXES) / sizeof(SUFFIXES[0]); i++) {
        snprintf(other, sizeof(other), "%s%s", path, SUFFIXES[i]);
        unlink(other);
    }
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes, len), len);
    close(descriptor);
}

/* Reads everything and writes a little; nothing is expected but an answer. */
static void use(struct gh_store *store)
{
    struct totals totals;
    struct sign_up_check check;
    struct gh_arena arena;
    gh_arena_init(&arena, 65536, 64u << 20);
    for (uint32_t number = 1; number <= SIGN_UPS; number += 7) {
        check.number = number;
        store->ops->read(store, look_for_sign_up, &check, &arena);
    }
    store->ops->read(store, add_up, &totals, &arena);
    for (uint32_t number = 1; number < 5; number++) {
        uint32_t fresh = SIGN_UPS + number;
        store->ops->run(store, sign_up, &fresh, &arena);
    }
    gh_arena_done(&arena);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u; /* as good as needed */
    return *state >> 8;
}

/* A few bytes here and there, whole pages, or the end cut off. */
static size_t damage(char *bytes, size_t len, uint32_t *random)
{
    switch (next_random(random) % 3) {
    case 0:
        for (unsigned i = 0; i < 8; i++)
            bytes[next_random(random) % len] = (char)next_random(random);
        return len;
    case 1: {
        size_t page = next_random(random) % (len / 4096) * 4096;
        for (size_t i = 0; i < 4096; i++)
            bytes[page + i] = (char)next_random(random);
        return len;
    }
    default:
        return next_random(random) % len;
    }
}

static void a_damaged_file_gives_errors_and_no_crash(void **state)
{
    struct gh_sqlite_fixture *fixture = *state;
    size_t len, refused = 0;
    uint32_t random = 1;
    struct gh_store *store = gh_sqlite_fixture_open(fixture);
    assert_non_null(store);
    for (uint32_t number = 1; number <= SIGN_UPS; number++)
        assert_int_equal(run_sign_up(store, number), GH_OK);
    store->ops->close(store);
    char *good = read_file(fixture->path, &len);
    char *bad = malloc(len);
    assert_non_null(bad);
    for (unsigned i = 0; i < DAMAGES; i++) {
        memcpy(bad, good, len);
        write_file(fixture->path, bad, damage(bad, len, &random));
        if (gh_sqlite_fixture_try(fixture, true, &store) != GH_OK) {
            assert_true(fixture->message.len > 0);
            refused++;
            continue;
        }
        use(store);
        store->ops->close(store);
    }
    assert_true(refused > 0 && refused < DAMAGES);
    write_file(fixture->path, good, len);
    store = gh_sqlite_fixture_open(fixture);
    assert_non_null(store);
    assert_int_equal(expect_whole(store), SIGN_UPS);
    store->ops->close(store);
    free(good);
    free(bad);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kill_loses_nothing_acknowledged_and_leaves_nothing_half_done),
        TEST(a_kill_in_the_middle_of_appends_leaves_a_chain_that_is_whole),
        TEST(a_full_disk_refuses_and_loses_nothing_and_the_store_goes_on_behind_it),
        TEST(a_store_that_does_not_fit_is_not_opened),
        TEST(a_damaged_file_gives_errors_and_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
