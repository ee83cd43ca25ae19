/* Second places: of several chains a process brings the one that it writes. */
#include "app/audit_export.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity/audit_log.h"
#include "identity/identity_fixture.h"
#include "store/memory.h"

#define TEXT_BYTES_MAX (256u * 1024)
#define WAIT_MS_MAX    10000

static struct gh_identity_fixture f;
static struct gh_log *log_lines;
static struct gh_audit_exporter *exporter;
static char folder[] = "/tmp/gatehouse-export-XXXXXX", path[64], to[80];

static int open_fixture(void **state)
{
    gh_identity_fixture_open(&f);
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(to, sizeof(to), "file:%s", path);
    FILE *nowhere = fopen("/dev/null", "we");
    assert_non_null(nowhere);
    assert_int_equal(gh_log_open(dup(fileno(nowhere)), &log_lines), GH_OK);
    fclose(nowhere);
    return 0;
}

static int close_fixture(void **state)
{
    gh_log_close(log_lines, 1000);
    unlink(path);
    rmdir(folder);
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

static void open_exporter(void)
{
    struct gh_audit_export_settings place = {.to = gh_str_from_c(to)};
    struct gh_audit_settings settings = {.exports = {.items = &place, .count = 1}};
    const struct gh_audit_exporter_options options = {.identity = &f.identity, .log = log_lines};
    assert_int_equal(gh_audit_exporter_open(&options, &settings, &exporter), GH_OK);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_own_chain_is_delivered),
        TEST(a_file_is_gone_on_with_behind_the_last_of_the_own_chain),
        TEST(a_chain_that_is_lost_is_brought_to_its_end_before_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
