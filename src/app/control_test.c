/* Commands over the control socket, side by side: one who stalls holds up nobody else, and ends. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/control.h"

#define LONG_TEXT_BYTES (1u << 20) /* more than any pipe holds */
#define SOON_MS         100
#define WAIT_MS         20000 /* no test that is right comes near it */

static struct {
    char folder[64], path[96];
    int nowhere;
    struct gh_log *log;
    struct gh_log_ring *ring;
    struct gh_control *control;
} t;

/* The commands: "echo WORD", "flood", "read". */
static int run(void *context, int argc, char **argv, FILE *in, FILE *out, FILE *err)
{
    if (strcmp(argv[0], "flood") == 0) {
        for (unsigned i = 0; i < LONG_TEXT_BYTES && !ferror(out); i++)
            fputc('x', out);
        return ferror(out) ? 3 : 0;
    }
    if (strcmp(argv[0], "read") == 0)
        return getc(in) == EOF && ferror(in) ? 4 : 0;
    fprintf(out, "%s\n", argc > 1 ? argv[1] : "");
    return 0;
}

static void open_control(int stall_ms)
{
    const struct gh_control_options options = {
        .path = t.path, .ring = t.ring, .stall_ms = stall_ms, .run = run};
    assert_int_equal(gh_control_open(&options, &t.control), GH_OK);
}

static int set_up(void **state)
{
    strcpy(t.folder, "/tmp/gatehouse-control-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    snprintf(t.path, sizeof(t.path), "%s/control.sock", t.folder);
    t.nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(gh_log_open(t.nowhere, &t.log), GH_OK);
    assert_int_equal(gh_log_ring_open(t.log, &t.ring), GH_OK);
    t.control = NULL;
    return 0;
}

static int tear_down(void **state)
{
    gh_control_close(t.control);
    gh_log_close(t.log, 1000);
    close(t.nowhere);
    rmdir(t.folder);
    return 0;
}

/* ---- Clients ---- */

struct client {
    const char *words[2];
    int words_count;
    int in, out[2]; /* its standard input; a pipe for what it is told */
    enum gh_err err;
    int status;
    pthread_t thread;
};

static void *call(void *arg)
{
    struct client *client = arg;
    char *argv[2] = {(char *)client->words[0], (char *)client->words[1]};
    const int streams[3] = {client->in, client->out[1], t.nowhere};
    client->err = gh_control_call_on(t.path, client->words_count, argv, streams, &client->status);
    return NULL;
}

static void start(struct client *client, const char *verb, const char *word)
{
    *client = (struct client){.words = {verb, word}, .words_count = word ? 2 : 1, .status = -1};
    client->in = t.nowhere;
    assert_int_equal(pipe2(client->out, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&client->thread, NULL, call, client), 0);
}

static void wait_for_output(const struct client *client)
{
    struct pollfd waiting = {.fd = client->out[0], .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, WAIT_MS), 1);
}

static void end(struct client *client)
{
    pthread_join(client->thread, NULL);
    close(client->out[0]);
    close(client->out[1]);
}

static void assert_echo(const char *word)
{
    struct client client;
    char text[16] = "";
    start(&client, "echo", word);
    pthread_join(client.thread, NULL);
    assert_int_equal(client.err, GH_OK);
    assert_int_equal(client.status, 0);
    assert_int_equal(read(client.out[0], text, sizeof(text) - 1), strlen(word) + 1);
    assert_memory_equal(text, word, strlen(word));
    close(client.out[0]);
    close(client.out[1]);
}

/* ---- Tests ---- */

static void a_command_is_carried_out_on_its_callers_streams(void **state)
{
    open_control(0);
    assert_echo("one");
    assert_echo("two");
}

static void who_stalls_holds_up_nobody_else(void **state)
{
    struct client stalled;
    open_control(0);
    start(&stalled, "flood", NULL);
    wait_for_output(&stalled); /* and nobody reads it */
    assert_echo("user disable");
    gh_control_close(t.control); /* ends it, long before its time */
    t.control = NULL;
    end(&stalled);
    assert_true(stalled.err == GH_ERR_CLOSED || stalled.status == 3);
}

static void who_takes_nothing_for_too_long_is_ended(void **state)
{
    struct client stalled;
    open_control(SOON_MS);
    start(&stalled, "flood", NULL);
    end(&stalled);
    assert_int_equal(stalled.err, GH_OK);
    assert_int_equal(stalled.status, 3);
}

static void who_gives_nothing_for_too_long_is_ended(void **state)
{
    struct client silent = {.words = {"read"}, .words_count = 1, .status = -1};
    int in[2];
    open_control(SOON_MS);
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    silent.in = in[0];
    assert_int_equal(pipe2(silent.out, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&silent.thread, NULL, call, &silent), 0);
    end(&silent);
    assert_int_equal(silent.status, 4);
    close(in[0]);
    close(in[1]);
}

static void more_than_there_are_places_for_come_one_after_another(void **state)
{
    struct client stalled[GH_CONTROL_CALLERS_MAX];
    open_control(SOON_MS);
    for (size_t i = 0; i < GH_CONTROL_CALLERS_MAX; i++)
        start(&stalled[i], "flood", NULL);
    for (size_t i = 0; i < GH_CONTROL_CALLERS_MAX; i++)
        wait_for_output(&stalled[i]);
    assert_echo("late");
    for (size_t i = 0; i < GH_CONTROL_CALLERS_MAX; i++) {
        end(&stalled[i]);
        assert_int_equal(stalled[i].status, 3);
    }
}

static void an_end_does_not_wait_for_who_is_silent(void **state)
{
    struct client stalled[3];
    open_control(0);
    for (size_t i = 0; i < 3; i++)
        start(&stalled[i], "flood", NULL);
    for (size_t i = 0; i < 3; i++)
        wait_for_output(&stalled[i]);
    gh_control_close(t.control);
    t.control = NULL;
    for (size_t i = 0; i < 3; i++)
        end(&stalled[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_command_is_carried_out_on_its_callers_streams),
        TEST(who_stalls_holds_up_nobody_else),
        TEST(who_takes_nothing_for_too_long_is_ended),
        TEST(who_gives_nothing_for_too_long_is_ended),
        TEST(more_than_there_are_places_for_come_one_after_another),
        TEST(an_end_does_not_wait_for_who_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
