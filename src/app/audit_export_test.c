/* Second places: of several chains a process brings what it writes, all of it. */
#include "app/audit_export.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#include "app/audit_signer.h"
#include "identity/audit_log.h"
#include "identity/identity_fixture.h"
#include "net/loop.h"
#include "store/memory.h"

#define TEXT_BYTES_MAX (256u * 1024)
#define WAIT_MS_MAX    10000

static struct gh_identity_fixture f;
static struct gh_arena scratch; /* is reset */
static struct gh_log *log_lines;
static struct gh_audit_exporter *exporter;
static char folder[] = "/tmp/gatehouse-export-XXXXXX", path[64], to[80], lines_path[64];

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    gh_arena_init(&scratch, 64 * 1024, 16u << 20);
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(to, sizeof(to), "file:%s", path);
    snprintf(lines_path, sizeof(lines_path), "%s/lines", folder);
    FILE *file = fopen(lines_path, "we");
    assert_non_null(file);
    assert_int_equal(gh_log_open(dup(fileno(file)), &log_lines), GH_OK);
    fclose(file);
    return 0;
}

static int close_fixture(void **state)
{
    if (log_lines)
        gh_log_close(log_lines, 1000);
    unlink(path);
    unlink(lines_path);
    rmdir(folder);
    gh_arena_done(&scratch);
    gh_identity_fixture_close(&f);
    return 0;
}

static void append_to(uint32_t chain, size_t count)
{
    struct gh_audit_record record = {.time_us = f.now_us,
                                     .event = GH_AUDIT_HOST_REJECTED,
                                     .outcome = GH_AUDIT_FAILURE,
                                     .metadata = GH_STR("{\"count\":1}")};
    gh_memory_store_hold(f.store, chain);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(gh_audit_log_append_many(&f.identity, &f.arena, &record, 1), GH_OK);
}

/* As a process that starts. */
static void open_with(const struct gh_audit_settings *settings)
{
    const struct gh_audit_exporter_options options = {.identity = &f.identity, .log = log_lines};
    gh_memory_store_restart(f.store);
    assert_int_equal(gh_audit_exporter_open(&options, settings, &exporter), GH_OK);
}

static void open_exporter(void)
{
    struct gh_audit_export_settings place = {.to = gh_str_from_c(to)};
    const struct gh_audit_settings settings = {.exports = {.items = &place, .count = 1}};
    open_with(&settings);
}

/* To a place that is written through, and has no end to go on behind. */
static void open_cef_exporter(void)
{
    struct gh_audit_export_settings place = {.to = gh_str_from_c(to),
                                             .format = GH_AUDIT_EXPORT_CEF};
    const struct gh_audit_settings settings = {.exports = {.items = &place, .count = 1}};
    open_with(&settings);
}

/* "1:1 2:1 ": what the file has. */
static const char *delivered(void)
{
    static char text[TEXT_BYTES_MAX], shown[TEXT_BYTES_MAX];
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0, at = 0;
    if (file)
        fclose(file);
    struct gh_str rest = gh_str_of(text, len);
    shown[0] = 0;
    while (rest.len) {
        unsigned long long seq = 0;
        unsigned chain = 1;
        struct gh_str line = gh_str_split(&rest, '\n');
        size_t place = gh_str_find(line, GH_STR("\"chain\":"));
        assert_int_equal(sscanf(line.ptr, "{\"seq\":%llu", &seq), 1);
        if (place < line.len)
            assert_int_equal(sscanf(line.ptr + place, "\"chain\":%u", &chain), 1);
        at += (size_t)snprintf(shown + at, sizeof(shown) - at, "%u:%llu ", chain, seq);
    }
    return shown;
}

static void wait_for(const char *text)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned ms = 0; strcmp(delivered(), text) != 0; ms++) {
        assert_true(ms < WAIT_MS_MAX);
        gh_audit_exporter_wake(exporter);
        nanosleep(&pause, NULL);
    }
}

/* ---- A place that is down ---- */

/* A folder is where the file should be. */
static void put_down(void)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static void wait_until_it_fails(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned ms = 0; !gh_audit_exporter_failing(exporter); ms++) {
        assert_true(ms < WAIT_MS_MAX);
        gh_audit_exporter_wake(exporter);
        nanosleep(&pause, NULL);
    }
}

static void put_up(void)
{
    assert_int_equal(rmdir(path), 0);
}

/* ---- A log that grows all the time ---- */

static const struct gh_store_ops *plain_ops;
static struct gh_store_ops growing_ops;
static struct gh_arena growing_arena;
static atomic_bool grows;

/* One more record before each look: whoever reads to the end never comes there. */
static enum gh_err read_what_grows(struct gh_store *store, gh_store_unit *unit, void *args,
                                   struct gh_arena *arena)
{
    static _Thread_local bool adding;
    const struct gh_audit_record record = {.time_us = f.now_us,
                                           .event = GH_AUDIT_HOST_REJECTED,
                                           .outcome = GH_AUDIT_FAILURE,
                                           .metadata = GH_STR("{\"count\":1}")};
    if (!adding && atomic_load(&grows)) {
        adding = true;
        gh_arena_reset(&growing_arena);
        assert_int_equal(gh_audit_log_append_many(&f.identity, &growing_arena, &record, 1), GH_OK);
        adding = false;
    }
    return plain_ops->read(store, unit, args, arena);
}

/* Before the exporter is there, whose looks make it grow while `grows`; nobody else's are under way
   then. */
static void prepare_growth(void)
{
    plain_ops = f.store->ops;
    growing_ops = *plain_ops;
    growing_ops.read = read_what_grows;
    gh_arena_init(&growing_arena, 64 * 1024, 1u << 20);
    f.store->ops = &growing_ops;
}

/* After it was closed. */
static void end_growth(void)
{
    atomic_store(&grows, false);
    f.store->ops = plain_ops;
    gh_arena_done(&growing_arena);
}

/* Of the log that people read. */
static bool has_said(const char *text)
{
    static char said[TEXT_BYTES_MAX];
    FILE *file = fopen(lines_path, "re");
    assert_non_null(file);
    said[fread(said, 1, sizeof(said) - 1, file)] = 0;
    fclose(file);
    return strstr(said, text);
}

static void wait_until_it_has_said(const char *text)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned ms = 0; !has_said(text); ms++) {
        assert_true(ms < WAIT_MS_MAX);
        nanosleep(&pause, NULL);
    }
}

/* ---- Checkpoints ---- */

static const struct gh_audit_settings SIGNING = {
    .checkpoint = {.records = 1000, .interval_ms = 60000}};

/* Of the chains that nobody holds; how many. */
static size_t sign_others(void)
{
    struct gh_audit_signer signer;
    size_t count = 0;
    f.now_us += FIXTURE_MINUTE;
    assert_int_equal(gh_audit_signer_open(&signer, &f.identity, f.now_us, &scratch), GH_OK);
    assert_int_equal(gh_audit_signer_turn_others(&signer, &SIGNING, f.now_us, &scratch, &count),
                     GH_OK);
    gh_audit_signer_close(&signer);
    return count;
}

static void sign_own(uint32_t chain, uint64_t head_seq)
{
    struct gh_audit_signer signer;
    bool is_signed = false;
    assert_int_equal(gh_audit_signer_open(&signer, &f.identity, f.now_us, &f.arena), GH_OK);
    assert_int_equal(gh_audit_signer_turn(&signer, &SIGNING, chain, head_seq, f.now_us, true,
                                          &f.arena, &is_signed),
                     GH_OK);
    assert_true(is_signed);
    gh_audit_signer_close(&signer);
}

static void open_for_checkpoints(void)
{
    struct gh_str place = gh_str_from_c(to);
    const struct gh_audit_settings settings = {
        .checkpoint = {.exports = {.items = &place, .count = 1}}};
    open_with(&settings);
}

/* "1:3 2:3 ": the records that the notes in the file speak of. */
static const char *notes(void)
{
    static char text[TEXT_BYTES_MAX], shown[TEXT_BYTES_MAX];
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0, at = 0;
    if (file)
        fclose(file);
    struct gh_str rest = gh_str_of(text, len), note;
    shown[0] = 0;
    while (gh_audit_next_note(&rest, &note)) {
        struct gh_audit_checkpoint checkpoint;
        if (gh_audit_checkpoint_open(note, NULL, 0, &checkpoint) != GH_AUDIT_NOTE_UNKNOWN_KEY)
            break; /* it is being written */
        at += (size_t)snprintf(shown + at, sizeof(shown) - at, "%u:%llu ",
                               checkpoint.chain ? checkpoint.chain : 1,
                               (unsigned long long)checkpoint.seq);
    }
    return shown;
}

static void wait_for_notes(const char *text)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned ms = 0; strcmp(notes(), text) != 0; ms++) {
        assert_true(ms < WAIT_MS_MAX);
        gh_audit_exporter_wake(exporter);
        nanosleep(&pause, NULL);
    }
}

/* ---- Tests ---- */

static void the_own_chain_is_delivered(void **state)
{
    append_to(1, 3);
    append_to(2, 2);
    open_exporter();
    append_to(2, 1);
    gh_audit_exporter_close(exporter);
    assert_string_equal(delivered(), "2:1 2:2 2:3 ");
}

static void a_file_is_gone_on_with_behind_the_last_of_the_own_chain(void **state)
{
    append_to(2, 2);
    open_exporter();
    gh_audit_exporter_close(exporter);
    append_to(1, 3); /* the next start finds another chain free */
    open_exporter();
    gh_audit_exporter_close(exporter);
    append_to(2, 2);
    open_exporter();
    gh_audit_exporter_close(exporter);
    assert_string_equal(delivered(), "2:1 2:2 1:1 1:2 1:3 2:3 2:4 ");
}

static void a_chain_that_is_lost_is_brought_to_its_end_before_the_next(void **state)
{
    append_to(1, 2);
    open_exporter();
    wait_for("1:1 1:2 ");
    append_to(1, 1);
    append_to(2, 2);
    wait_for("1:1 1:2 1:3 2:1 2:2 ");
    append_to(2, 1);
    gh_audit_exporter_close(exporter);
    assert_string_equal(delivered(), "1:1 1:2 1:3 2:1 2:2 2:3 ");
}

/* Of the second one it signs a checkpoint, the third one it has as the place comes back. */
static void chains_that_come_and_go_while_a_place_is_down_are_all_brought(void **state)
{
    append_to(1, 2);
    put_down();
    open_exporter();
    wait_until_it_fails();
    append_to(1, 1);
    append_to(2, 2);
    sign_own(2, 2);
    append_to(2, 1);
    append_to(3, 2);
    sign_own(3, 2);
    put_up();
    wait_for("1:1 1:2 1:3 2:1 2:2 2:3 2:4 3:1 3:2 3:3 ");
    append_to(3, 1);
    gh_audit_exporter_close(exporter);
    assert_string_equal(delivered(), "1:1 1:2 1:3 2:1 2:2 2:3 2:4 3:1 3:2 3:3 3:4 ");
}

static size_t lines(void)
{
    char text[TEXT_BYTES_MAX];
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof(text), file) : 0, count = 0;
    if (file)
        fclose(file);
    for (size_t i = 0; i < len; i++)
        count += text[i] == '\n';
    return count;
}

static void a_place_that_can_not_say_how_far_it_is_is_brought_all_too(void **state)
{
    append_to(1, 2);
    put_down();
    open_cef_exporter();
    wait_until_it_fails();
    append_to(2, 2);
    sign_own(2, 2);
    append_to(3, 1);
    append_to(1, 1); /* the first one again */
    put_up();
    gh_audit_exporter_close(exporter);
    assert_int_equal(lines(), 3 + 3 + 1);
}

/* What another process wrote in between comes from that one; what was there before may be brought
   again, since its newest checkpoint. */
static void what_was_there_before_a_chain_was_taken_comes_since_its_checkpoint(void **state)
{
    append_to(2, 3);
    sign_own(2, 3);
    append_to(2, 1);
    append_to(1, 1);
    open_cef_exporter();
    append_to(2, 2);
    gh_audit_exporter_close(exporter);
    assert_int_equal(lines(), 1 + (1 + 1 + 2)); /* 2:4, which is the checkpoint, to 2:7 */
}

static void who_loses_a_chain_does_not_bring_what_others_write_there(void **state)
{
    append_to(1, 2);
    open_exporter();
    wait_for("1:1 1:2 ");
    append_to(2, 1);
    wait_for("1:1 1:2 2:1 ");
    gh_audit_exporter_close(exporter);
    append_to(1, 5); /* by another process */
    append_to(2, 1);
    open_exporter();
    append_to(2, 1);
    gh_audit_exporter_close(exporter);
    assert_string_equal(delivered(), "1:1 1:2 2:1 2:2 2:3 ");
}

static void checkpoints_of_chains_of_nobody_come_once(void **state)
{
    append_to(1, 3);
    append_to(2, 2);
    append_to(3, 1);
    open_for_checkpoints();
    assert_int_equal(sign_others(), 2);
    wait_for_notes("1:3 2:2 ");
    assert_int_equal(sign_others(), 0);
    sign_own(3, 1);
    wait_for_notes("1:3 2:2 3:1 ");
    gh_audit_exporter_close(exporter);
    assert_string_equal(notes(), "1:3 2:2 3:1 ");
}

static void checkpoints_of_chains_of_nobody_come_when_the_place_is_there_again(void **state)
{
    append_to(1, 3);
    append_to(2, 2);
    append_to(3, 1);
    put_down();
    open_for_checkpoints();
    assert_int_equal(sign_others(), 2);
    wait_until_it_fails();
    append_to(1, 1);
    append_to(3, 1);
    assert_int_equal(sign_others(), 1);
    put_up();
    wait_for_notes("1:3 1:5 2:2 ");
    gh_audit_exporter_close(exporter);
    assert_string_equal(notes(), "1:3 1:5 2:2 ");
}

/* Who signed them may have been killed before it brought them. */
static void a_start_brings_the_newest_checkpoints_of_chains_of_nobody(void **state)
{
    append_to(1, 3);
    append_to(2, 2);
    append_to(3, 1);
    gh_memory_store_hold_elsewhere(f.store, 2);
    assert_int_equal(sign_others(), 1);
    open_for_checkpoints();
    gh_audit_exporter_close(exporter);
    assert_string_equal(notes(), "1:3 ");
}

static void records_go_where_records_go_whoever_held_their_chain(void **state)
{
    append_to(1, 2);
    append_to(2, 1);
    open_exporter();
    wait_for("2:1 ");
    assert_int_equal(sign_others(), 1);
    wait_for("2:1 1:3 ");
    gh_audit_exporter_close(exporter);
}

static void what_has_an_end_does_not_wait_behind_a_log_that_grows(void **state)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    append_to(1, 2);
    append_to(2, 1);
    put_down();
    prepare_growth();
    open_exporter();
    wait_until_it_fails();
    assert_int_equal(sign_others(), 1);
    atomic_store(&grows, true);
    put_up();
    for (unsigned ms = 0; !strstr(delivered(), "1:3 "); ms++) {
        assert_true(ms < WAIT_MS_MAX);
        gh_audit_exporter_wake(exporter);
        nanosleep(&pause, NULL);
    }
    atomic_store(&grows, false);
    gh_audit_exporter_close(exporter);
    end_growth();
}

static void an_end_without_the_time_for_all_says_what_is_left(void **state)
{
    append_to(1, 1);
    append_to(2, 1);
    open_exporter();
    wait_for("2:1 ");
    gh_audit_exporter_close(exporter);
    prepare_growth();
    open_exporter();
    atomic_store(&grows, true);
    gh_audit_exporter_close(exporter);
    end_growth();
    wait_until_it_has_said("has the log through record ");
    wait_until_it_has_said(" of chain 2 only");
}

static void an_end_with_nothing_left_says_nothing(void **state)
{
    append_to(1, 1);
    open_exporter();
    wait_for("1:1 ");
    gh_audit_exporter_close(exporter);
    gh_log_close(log_lines, 1000);
    log_lines = NULL;
    assert_false(has_said("at the end"));
}

/* The note that the place got last vouches for all that was dropped. */
static void what_a_second_place_has_verifies_a_chain_of_nobody_that_was_cut(void **state)
{
    static const struct gh_audit_settings RETENTION = {
        .retention_ms = 24ull * 3600 * 1000, .checkpoint = {.records = 1000, .interval_ms = 60000}};
    struct gh_audit_signer signer;
    uint64_t wall_us = gh_wall_now_us(), dropped = 0;
    f.now_us = wall_us - 3 * FIXTURE_DAY;
    append_to(1, 3);
    append_to(2, 1);
    assert_int_equal(sign_others(), 1);
    f.now_us = wall_us - 2 * FIXTURE_DAY;
    append_to(1, 2);
    f.now_us = wall_us;
    append_to(2, 1);
    open_for_checkpoints();
    wait_for_notes("1:3 ");
    assert_int_equal(gh_audit_signer_open(&signer, &f.identity, wall_us, &scratch), GH_OK);
    assert_int_equal(gh_audit_signer_retain(&signer, &RETENTION, wall_us, &scratch, &dropped),
                     GH_OK);
    assert_int_equal(dropped, 0); /* the newest checkpoint stays */
    size_t count;
    assert_int_equal(gh_audit_signer_turn_others(&signer, &RETENTION, wall_us, &scratch, &count),
                     GH_OK);
    assert_int_equal(count, 1);
    wait_for_notes("1:3 1:6 ");
    signer.retention_us = 0;
    assert_int_equal(gh_audit_signer_retain(&signer, &RETENTION, wall_us, &scratch, &dropped),
                     GH_OK);
    assert_int_equal(dropped, 4);
    wait_for_notes("1:3 1:6 1:7 ");
    gh_audit_signer_close(&signer);
    gh_audit_exporter_close(exporter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_own_chain_is_delivered),
        TEST(a_file_is_gone_on_with_behind_the_last_of_the_own_chain),
        TEST(a_chain_that_is_lost_is_brought_to_its_end_before_the_next),
        TEST(chains_that_come_and_go_while_a_place_is_down_are_all_brought),
        TEST(a_place_that_can_not_say_how_far_it_is_is_brought_all_too),
        TEST(what_was_there_before_a_chain_was_taken_comes_since_its_checkpoint),
        TEST(who_loses_a_chain_does_not_bring_what_others_write_there),
        TEST(checkpoints_of_chains_of_nobody_come_once),
        TEST(checkpoints_of_chains_of_nobody_come_when_the_place_is_there_again),
        TEST(a_start_brings_the_newest_checkpoints_of_chains_of_nobody),
        TEST(records_go_where_records_go_whoever_held_their_chain),
        TEST(what_has_an_end_does_not_wait_behind_a_log_that_grows),
        TEST(an_end_without_the_time_for_all_says_what_is_left),
        TEST(an_end_with_nothing_left_says_nothing),
        TEST(what_a_second_place_has_verifies_a_chain_of_nobody_that_was_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
