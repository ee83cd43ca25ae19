#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "app/serve_sandbox_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/serve_sandbox.h"

/* ---- A world ---- */

uint16_t sandbox_listen_somewhere(int *out_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    *out_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(*out_fd >= 0);
    assert_int_equal(bind(*out_fd, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(*out_fd, 16), 0);
    assert_int_equal(getsockname(*out_fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

const char *sandbox_path_in(const char *directory, const char *name)
{
    static _Thread_local char path[128];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void write_config(const struct sandbox_world *world, const char *mode)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "version: 1\n"
             "environment: development\n"
             "listen: 127.0.0.1:8080\n"
             "hosts: [localhost]\n"
             "sandbox: %s\n"
             "store: sqlite:%s/store/gatehouse.db\n"
             "identity: {enabled: true}\n"
             "upstreams: {api: {servers: ['http://127.0.0.1:%u']}}\n"
             "routes: [{path: '/**', upstream: api, access: public}]\n",
             mode, world->held, world->named_port);
    write_text(sandbox_path_in(world->held, "gatehouse.yaml"), text);
}

int sandbox_world_set_up(void **state)
{
    struct sandbox_world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    snprintf(world->held, sizeof(world->held), "/tmp/gh-held-XXXXXX");
    snprintf(world->other, sizeof(world->other), "/tmp/gh-other-XXXXXX");
    assert_non_null(mkdtemp(world->held));
    assert_non_null(mkdtemp(world->other));
    assert_int_equal(mkdir(sandbox_path_in(world->held, "store"), 0700), 0);
    write_text(sandbox_path_in(world->other, "secret"), "not yours");
    world->named_port = sandbox_listen_somewhere(&world->named);
    world->foreign_port = sandbox_listen_somewhere(&world->foreign);
    world->victim = fork();
    if (world->victim == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    assert_true(world->victim > 0);
    *state = world;
    return 0;
}

int sandbox_world_tear_down(void **state)
{
    struct sandbox_world *world = *state;
    static const char *const MADE[] = {"gatehouse.yaml", "store/made", "store", "made"};
    for (size_t i = 0; i < sizeof(MADE) / sizeof(MADE[0]); i++)
        remove(sandbox_path_in(world->held, MADE[i]));
    remove(sandbox_path_in(world->other, "secret"));
    remove(sandbox_path_in(world->other, "made"));
    rmdir(world->held);
    rmdir(world->other);
    kill(world->victim, SIGKILL);
    waitpid(world->victim, NULL, 0);
    close(world->named);
    close(world->foreign);
    free(world);
    return 0;
}

/* ---- A process that serves, and a thread in it ---- */

/* The thread sanitizer lets each process wait a second at its end for threads that still run; the
   attempts here are hundreds of processes, and end with all their threads. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "atexit_sleep_ms=0";
}

struct hostile {
    const struct sandbox_world *world;
    sandbox_attempt *attempt;
    sem_t may_begin;
};

/* Ends the process itself: what happens is in the exit status. */
static void *hostile_main(void *arg)
{
    struct hostile *hostile = arg;
    sem_wait(&hostile->may_begin);
    _exit(hostile->attempt(hostile->world));
}

static struct gh_log_ring *open_log(void)
{
    struct gh_log *log;
    struct gh_log_ring *ring;
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0 || gh_log_open(nowhere, &log) != GH_OK || gh_log_ring_open(log, &ring) != GH_OK)
        _exit(BROKEN);
    return ring;
}

/* As gh_cmd_serve does it, with the threads in between. */
static void serve(const struct sandbox_world *world, sandbox_attempt *what)
{
    const struct gh_source source = {.file = sandbox_path_in(world->held, "gatehouse.yaml")};
    struct hostile hostile = {.world = world, .attempt = what};
    struct gh_loaded loaded;
    struct gh_serve_sandbox sandbox;
    struct gh_arena arena;
    struct gh_str message = GH_STR("");
    pthread_t thread;
    gh_arena_init(&arena, 4096, 65536);
    sem_init(&hostile.may_begin, 0, 0);
    if (!gh_loader_read(&source, &loaded) ||
        !gh_serve_sandbox_begin(&sandbox, &loaded, source.file, &arena, &message))
        _exit(BROKEN);
    struct gh_log_ring *ring = open_log();
    if (pthread_create(&thread, NULL, hostile_main, &hostile) != 0 ||
        !gh_serve_sandbox_finish(&sandbox, &loaded.settings.sandbox, ring, &arena, &message))
        _exit(BROKEN);
    sem_post(&hostile.may_begin);
    pthread_join(thread, NULL);
    _exit(BROKEN);
}

/* SUCCEEDED, an errno, or KILLED. */
int sandbox_outcome(const struct sandbox_world *world, const char *mode, sandbox_attempt *what)
{
    int status;
    write_config(world, mode);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        serve(world, what);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGSYS);
        return KILLED;
    }
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), BROKEN);
    return WEXITSTATUS(status);
}

long sandbox_landlock(void)
{
    enum { VERSION = 1 };
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION);
    return version > 0 ? version : 0;
}

const char *sandbox_held(void)
{
    return sandbox_landlock() >= SANDBOX_HOLDS_PORTS ? "{mode: enforce, required: true}"
                                                     : "enforce";
}

void sandbox_assert_stopped(void **state, sandbox_attempt *what, int expected)
{
    assert_int_equal(sandbox_outcome(*state, "off", what), SUCCEEDED);
    assert_int_equal(sandbox_outcome(*state, sandbox_held(), what), expected);
}
