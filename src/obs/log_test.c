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
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "obs/log.h"

#define THREADS         4
#define LINES_BY_THREAD 20000

/* All that can be read until the other end is closed; the caller frees it. */
static char *read_all(int fd, size_t *out_len)
{
    size_t cap = 1 << 20, len = 0;
    char *bytes = malloc(cap);
    assert_non_null(bytes);
    for (ssize_t count; (count = read(fd, bytes + len, cap - len - 1)) > 0;) {
        len += (size_t)count;
        if (cap - len < 65536) {
            bytes = realloc(bytes, cap *= 2);
            assert_non_null(bytes);
        }
    }
    bytes[len] = '\0';
    *out_len = len;
    return bytes;
}

struct reader {
    pthread_t thread;
    int fd;
    char *bytes;
    size_t len;
};

static void *run_reader(void *arg)
{
    struct reader *reader = arg;
    reader->bytes = read_all(reader->fd, &reader->len);
    return NULL;
}

struct writer {
    pthread_t thread;
    struct gh_log_ring *ring;
    unsigned number, written;
};

static void *run_writer(void *arg)
{
    struct writer *writer = arg;
    for (unsigned i = 0; i < LINES_BY_THREAD; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "%u %u", writer->number, i);
        if (gh_log_line(writer->ring, gh_str_of(text, (size_t)len)))
            writer->written++;
        if (i % 10 == 0)
            gh_log_flush(writer->ring);
    }
    gh_log_flush(writer->ring);
    return NULL;
}

/* Every line whole; those of one thread in order. Returns their number. */
static unsigned check_lines(char *bytes)
{
    unsigned next[THREADS] = {0}, count = 0;
    for (char *line = strtok(bytes, "\n"); line; line = strtok(NULL, "\n"), count++) {
        unsigned thread, number;
        char rest;
        assert_int_equal(sscanf(line, "%u %u%c", &thread, &number, &rest), 2);
        assert_true(thread < THREADS && number >= next[thread]);
        next[thread] = number + 1;
    }
    return count;
}

static void write_from_threads(int out_fd, int in_fd)
{
    struct reader reader = {.fd = in_fd};
    struct gh_log *log;
    struct writer writers[THREADS];
    unsigned written = 0;
    assert_int_equal(gh_log_open(out_fd, &log), GH_OK);
    if (in_fd >= 0)
        pthread_create(&reader.thread, NULL, run_reader, &reader);
    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.number = i};
        assert_int_equal(gh_log_ring_open(log, &writers[i].ring), GH_OK);
        pthread_create(&writers[i].thread, NULL, run_writer, &writers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(writers[i].thread, NULL);
        written += writers[i].written;
    }
    assert_int_equal(gh_log_dropped(log), THREADS * LINES_BY_THREAD - written);
    gh_log_close(log, 20000);
    if (in_fd >= 0) {
        close(out_fd);
        pthread_join(reader.thread, NULL);
    } else {
        lseek(out_fd, 0, SEEK_SET);
        reader.bytes = read_all(out_fd, &reader.len);
        close(out_fd);
    }
    assert_int_equal(check_lines(reader.bytes), written);
    free(reader.bytes);
}

static void keeps_order_and_whole_lines_on_a_pipe(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    write_from_threads(pipes[1], pipes[0]);
    close(pipes[0]);
}

static void keeps_order_and_whole_lines_on_a_socket(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    write_from_threads(pair[1], pair[0]);
    close(pair[0]);
}

static void keeps_order_and_whole_lines_in_a_file(void **state)
{
    (void)state;
    write_from_threads(memfd_create("log", 0), -1);
}

static void close_writes_what_was_never_flushed(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    struct gh_log *log;
    struct gh_log_ring *ring;
    assert_int_equal(gh_log_open(pipes[1], &log), GH_OK);
    assert_int_equal(gh_log_ring_open(log, &ring), GH_OK);
    assert_true(gh_log_line(ring, GH_STR("one")));
    assert_true(gh_log_line(ring, GH_STR("")));
    assert_true(gh_log_line(ring, GH_STR("two")));
    gh_log_close(log, 10000);
    close(pipes[1]);
    size_t len;
    char *bytes = read_all(pipes[0], &len);
    assert_string_equal(bytes, "one\n\ntwo\n");
    free(bytes);
    close(pipes[0]);
}

static void a_flushed_line_comes_without_closing(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    struct gh_log *log;
    struct gh_log_ring *ring;
    assert_int_equal(gh_log_open(pipes[1], &log), GH_OK);
    assert_int_equal(gh_log_ring_open(log, &ring), GH_OK);
    for (int i = 0; i < 50; i++) {
        assert_true(gh_log_line(ring, GH_STR("x")));
        gh_log_flush(ring);
        gh_log_flush(ring);
        char bytes[2];
        assert_int_equal(read(pipes[0], bytes, 2), 2);
        assert_memory_equal(bytes, "x\n", 2);
    }
    gh_log_close(log, 10000);
    close(pipes[0]);
    close(pipes[1]);
}

static void cuts_long_lines(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    struct gh_log *log;
    struct gh_log_ring *ring;
    static char line[2 * GH_LOG_LINE_BYTES_MAX];
    memset(line, 'x', sizeof line);
    assert_int_equal(gh_log_open(pipes[1], &log), GH_OK);
    assert_int_equal(gh_log_ring_open(log, &ring), GH_OK);
    assert_true(gh_log_line(ring, gh_str_of(line, sizeof line)));
    gh_log_close(log, 10000);
    close(pipes[1]);
    size_t len;
    char *bytes = read_all(pipes[0], &len);
    assert_int_equal(len, GH_LOG_LINE_BYTES_MAX + 1);
    assert_int_equal(bytes[len - 1], '\n');
    free(bytes);
    close(pipes[0]);
}

/* Nobody reads: lines are dropped and counted, nothing blocks, and close gives up in time. */
static void count_drops(int out_fd, int in_fd)
{
    struct gh_log *log;
    struct gh_log_ring *ring;
    assert_int_equal(gh_log_open(out_fd, &log), GH_OK);
    assert_int_equal(gh_log_ring_open(log, &ring), GH_OK);
    char line[1000];
    memset(line, 'y', sizeof line);
    unsigned written = 0, refused = 0;
    while (refused < 500) {
        if (gh_log_line(ring, gh_str_of(line, sizeof line)))
            written++;
        else
            refused++;
        gh_log_flush(ring);
    }
    assert_int_equal(gh_log_dropped(log), refused);
    assert_true(written >= 1000);
    gh_log_close(log, 50);
    close(out_fd);
    size_t len;
    char *bytes = read_all(in_fd, &len);
    assert_true(len < written * (sizeof line + 1));
    assert_true(len > 0);
    free(bytes);
    close(in_fd);
}

static void drops_and_counts_on_a_blocked_pipe(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    count_drops(pipes[1], pipes[0]);
}

static void drops_and_counts_on_a_blocked_socket(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    count_drops(pair[1], pair[0]);
}

static void goes_on_when_a_blocked_pipe_is_read_again(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    struct gh_log *log;
    struct gh_log_ring *ring;
    assert_int_equal(gh_log_open(pipes[1], &log), GH_OK);
    assert_int_equal(gh_log_ring_open(log, &ring), GH_OK);
    char line[999];
    memset(line, 'z', sizeof line);
    unsigned written = 0;
    while (gh_log_line(ring, gh_str_of(line, sizeof line)))
        written++;
    gh_log_flush(ring);
    struct reader reader = {.fd = pipes[0]};
    pthread_create(&reader.thread, NULL, run_reader, &reader);
    gh_log_close(log, 20000);
    close(pipes[1]);
    pthread_join(reader.thread, NULL);
    assert_int_equal(reader.len, written * 1000);
    free(reader.bytes);
    close(pipes[0]);
}

static void a_broken_pipe_is_counted_and_kills_nobody(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    struct gh_log *log;
    struct gh_log_ring *ring;
    assert_int_equal(gh_log_open(pipes[1], &log), GH_OK);
    assert_int_equal(gh_log_ring_open(log, &ring), GH_OK);
    close(pipes[0]);
    assert_true(gh_log_line(ring, GH_STR("one")));
    assert_true(gh_log_line(ring, GH_STR("two")));
    gh_log_flush(ring);
    while (gh_log_dropped(log) < 2)
        sched_yield();
    gh_log_close(log, 1000);
    close(pipes[1]);
}

static void messages_are_json_lines_with_time(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    struct gh_log *log;
    struct gh_log_ring *ring;
    assert_int_equal(gh_log_open(pipes[1], &log), GH_OK);
    assert_int_equal(gh_log_ring_open(log, &ring), GH_OK);
    gh_log_message(ring, GH_LOG_WARNING, "the \"%s\" of %d\nlines", "tail", 7);
    static char control[1800];
    memset(control, 1, sizeof control - 1);
    gh_log_message(ring, GH_LOG_ERROR, "%s", control);
    gh_log_close(log, 10000);
    close(pipes[1]);
    size_t len;
    char *bytes = read_all(pipes[0], &len);
    char *second = strchr(bytes, '\n') + 1;
    second[-1] = '\0';
    assert_memory_equal(bytes, "{\"time\":\"2", 10);
    const char *rest = "Z\",\"level\":\"warning\",\"message\":\"the \\\"tail\\\" of 7\\nlines\"}";
    assert_string_equal(bytes + 10 + 22, rest);
    assert_true(strlen(second) <= GH_LOG_LINE_BYTES_MAX + 1);
    assert_string_equal(second + strlen(second) - 3, "\"}\n");
    free(bytes);
    close(pipes[0]);
}

int main(void)
{
    alarm(100);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_and_whole_lines_on_a_pipe),
        cmocka_unit_test(keeps_order_and_whole_lines_on_a_socket),
        cmocka_unit_test(keeps_order_and_whole_lines_in_a_file),
        cmocka_unit_test(close_writes_what_was_never_flushed),
        cmocka_unit_test(a_flushed_line_comes_without_closing),
        cmocka_unit_test(cuts_long_lines),
        cmocka_unit_test(drops_and_counts_on_a_blocked_pipe),
        cmocka_unit_test(drops_and_counts_on_a_blocked_socket),
        cmocka_unit_test(goes_on_when_a_blocked_pipe_is_read_again),
        cmocka_unit_test(a_broken_pipe_is_counted_and_kills_nobody),
        cmocka_unit_test(messages_are_json_lines_with_time),
    };
    return cmocka_run_group_tests_name("obs/log", tests, NULL, NULL);
}
