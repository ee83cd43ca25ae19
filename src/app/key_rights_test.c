/* What the process with the TLS keys has given up: each try in a process of its own, which may be
   killed for it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/key_rights.h"

/* What a try may end with, beside death. */
enum { DONE = 0, DENIED = 1, NOT_HELD = 2 };

struct fixture {
    char named[64], other[64];           /* directories */
    char certificate[96], elsewhere[96]; /* files in them */
    struct gh_tls_pair_settings pair;
    struct gh_listener_settings listener;
    struct gh_root_settings settings;
    struct gh_key_rights rights;
    int sockets[2];
};

static void write_file(const char *path)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs("text\n", out);
    fclose(out);
}

static int set_up(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    if (!f)
        return -1;
    *f = (struct fixture){.named = "/tmp/gh-keys-test-XXXXXX", .other = "/tmp/gh-keys-test-XXXXXX"};
    assert_non_null(mkdtemp(f->named));
    assert_non_null(mkdtemp(f->other));
    snprintf(f->certificate, sizeof f->certificate, "%s/tls.crt", f->named);
    snprintf(f->elsewhere, sizeof f->elsewhere, "%s/tls.crt", f->other);
    write_file(f->certificate);
    write_file(f->elsewhere);
    f->pair.certificate = f->pair.key = gh_str_from_c(f->certificate);
    f->listener.tls = (struct gh_config_list){.items = &f->pair, .count = 1};
    f->settings.listeners = (struct gh_config_list){.items = &f->listener, .count = 1};
    f->settings.sandbox.mode = GH_SANDBOX_ENFORCE;
    f->rights.settings = &f->settings;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, f->sockets), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    close(f->sockets[0]);
    close(f->sockets[1]);
    unlink(f->certificate);
    unlink(f->elsewhere);
    rmdir(f->named);
    rmdir(f->other);
    free(f);
    return 0;
}

typedef int try_fn(const struct fixture *f);

/* How it ended: an exit status, or 128 and the signal. */
static int end_of(pid_t child)
{
    int status;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Which holds itself, or nothing. */
static int in_free_child(const struct fixture *f, try_fn *try)
{
    pid_t child = fork();
    if (child == 0)
        _exit(try(f));
    return end_of(child);
}

static int in_child(const struct fixture *f, bool signs, try_fn *try)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        struct gh_key_rights rights = f->rights;
        if (!gh_key_rights_confine(&rights) || !gh_key_rights_confine_thread(&rights, signs))
            _exit(NOT_HELD);
        _exit(try(f));
    }
    return end_of(child);
}

/* ---- Tries ---- */

static int read_from(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) == 1 ? DONE : DENIED;
}

static int read_named(const struct fixture *f)
{
    return read_from(f->certificate);
}

static int read_other(const struct fixture *f)
{
    return read_from(f->elsewhere);
}

static int write_named(const struct fixture *f)
{
    return open(f->certificate, O_WRONLY | O_CLOEXEC) >= 0 ? DONE : DENIED;
}

static int make_named(const struct fixture *f)
{
    char path[128];
    snprintf(path, sizeof path, "%s/new", f->named);
    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0 ? DONE : DENIED;
}

static int talk(const struct fixture *f)
{
    char byte = 'x';
    return send(f->sockets[0], &byte, 1, MSG_NOSIGNAL) == 1 && recv(f->sockets[1], &byte, 1, 0) == 1
               ? DONE
               : DENIED;
}

static int open_socket(const struct fixture *f)
{
    (void)f;
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? DONE : DENIED;
}

static int run_program(const struct fixture *f)
{
    (void)f;
    char *arguments[] = {NULL};
    execve("/bin/true", arguments, arguments);
    return DENIED;
}

static int make_process(const struct fixture *f)
{
    (void)f;
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0 ? DONE : DENIED;
}

static int look_into_parent(const struct fixture *f)
{
    (void)f;
    return syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getpid(), 0, 0) == 0 ? DONE : DENIED;
}

static int signal_another(const struct fixture *f)
{
    (void)f;
    return kill(1, 0) == 0 ? DONE : DENIED;
}

static int run_written_memory(const struct fixture *f)
{
    (void)f;
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED ? DONE : DENIED;
}

static int make_memory_runnable(const struct fixture *f)
{
    (void)f;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 ? DONE : DENIED;
}

/* ---- Memory, from outside ---- */

/* As a change of the user leaves it where fs.suid_dumpable is 1. */
static void open_memory(void)
{
    struct rlimit some = {4096, 4096};
    setrlimit(RLIMIT_CORE, &some);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int memory_is_hidden(void)
{
    struct rlimit core;
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && getrlimit(RLIMIT_CORE, &core) == 0 &&
                   core.rlim_cur == 0 && core.rlim_max == 0
               ? DENIED
               : DONE;
}

static int memory_of_the_keeper(const struct fixture *f)
{
    struct gh_key_rights rights = f->rights;
    open_memory();
    return gh_key_rights_confine(&rights) ? memory_is_hidden() : NOT_HELD;
}

static int memory_of_another_user(const struct fixture *f)
{
    const struct gh_process_user user = {"the same", getuid(), getgid()};
    struct gh_arena arena;
    struct gh_str message;
    (void)f;
    gh_arena_init(&arena, 4096, 64u * 1024);
    open_memory();
    bool done = gh_process_drop_privileges(&user, &arena, &message) == GH_OK;
    gh_arena_done(&arena);
    return done ? memory_is_hidden() : NOT_HELD;
}

/* ---- Tests ---- */

#define KILLED (128 + SIGSYS)

static void both_kinds_of_threads_talk(void **state)
{
    assert_int_equal(in_child(*state, true, talk), DONE);
    assert_int_equal(in_child(*state, false, talk), DONE);
}

static void who_reads_files_reads_those_that_are_named(void **state)
{
    assert_int_equal(in_child(*state, false, read_named), DONE);
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1) {
        print_message("skipped: no Landlock here\n");
        return;
    }
    assert_int_equal(in_child(*state, false, read_other), DENIED);
}

static void what_sandbox_certificates_names_is_read_too(void **state)
{
    struct fixture *f = *state;
    struct gh_str directory = gh_str_from_c(f->other);
    f->settings.sandbox.certificates = (struct gh_config_list){.items = &directory, .count = 1};
    assert_int_equal(in_child(f, false, read_other), DONE);
}

static void who_signs_opens_no_file_at_all(void **state)
{
    assert_int_equal(in_child(*state, true, read_named), KILLED);
}

static void nobody_writes(void **state)
{
    assert_int_equal(in_child(*state, false, write_named), KILLED);
    assert_int_equal(in_child(*state, false, make_named), KILLED);
}

static void anything_else_is_death(void **state)
{
    static try_fn *const tries[] = {open_socket,         run_program,    make_process,
                                    look_into_parent,    signal_another, run_written_memory,
                                    make_memory_runnable};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        assert_int_equal(in_child(*state, true, tries[i]), KILLED);
        assert_int_equal(in_child(*state, false, tries[i]), KILLED);
    }
}

static void memory_is_hidden_after_a_change_of_the_user(void **state)
{
    assert_int_equal(in_free_child(*state, memory_of_the_keeper), DENIED);
    if (geteuid() != 0) {
        print_message("skipped: only root changes its user\n");
        return;
    }
    assert_int_equal(in_free_child(*state, memory_of_another_user), DENIED);
}

static void it_is_held_as_the_server_is(void **state)
{
    struct fixture *f = *state;
    f->settings.sandbox.mode = GH_SANDBOX_LOG;
    assert_int_equal(in_child(f, true, open_socket), DONE);
    assert_int_equal(in_child(f, false, read_other), DONE);
    f->settings.sandbox.mode = GH_SANDBOX_OFF;
    assert_int_equal(in_child(f, true, open_socket), DONE);
    assert_int_equal(in_child(f, false, write_named), DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(both_kinds_of_threads_talk),
        T(who_reads_files_reads_those_that_are_named),
        T(what_sandbox_certificates_names_is_read_too),
        T(who_signs_opens_no_file_at_all),
        T(nobody_writes),
        T(anything_else_is_death),
        T(memory_is_hidden_after_a_change_of_the_user),
        T(it_is_held_as_the_server_is),
    };
    return cmocka_run_group_tests_name("app/key_rights", tests, NULL, NULL);
}
