/* Programs, memory, other processes, and calls that a process that serves never makes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "app/serve_sandbox_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Programs and memory ---- */

static int execute_true(const struct sandbox_world *world)
{
    char name[] = "true";
    char *const arguments[] = {name, NULL};
    (void)world;
    execv("/bin/true", arguments); /* ends with 0, as an attempt that succeeded */
    return errno;
}

static int make_process(const struct sandbox_world *world)
{
    (void)world;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0)
        _exit(0);
    return result_of(child);
}

static int map_executable(const struct sandbox_world *world)
{
    (void)world;
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : SUCCEEDED;
}

static int make_memory_executable(const struct sandbox_world *world)
{
    (void)world;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? BROKEN : result_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static void cannot_execute_a_program(void **state)
{
    sandbox_assert_stopped(state, execute_true, KILLED);
}

static void cannot_make_a_process(void **state)
{
    sandbox_assert_stopped(state, make_process, KILLED_OR(SUCCEEDED));
}

static void cannot_run_what_was_written(void **state)
{
    sandbox_assert_stopped(state, map_executable, EACCES);
    sandbox_assert_stopped(state, make_memory_executable, EACCES);
}

/* ---- Other processes ---- */

static int trace_another(const struct sandbox_world *world)
{
    return result_of(ptrace(PTRACE_SEIZE, world->victim, NULL, NULL));
}

static int signal_parent(const struct sandbox_world *world)
{
    (void)world;
    return result_of(kill(getppid(), SIGCONT));
}

static int signal_another(const struct sandbox_world *world)
{
    return result_of(syscall(SYS_tgkill, world->victim, world->victim, SIGCONT));
}

/* The kernel kills the owner of a descriptor that something comes to. */
static int own_for_another(const struct sandbox_world *world)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return BROKEN;
    return result_of(fcntl(pair[0], F_SETOWN, world->victim));
}

static int choose_signal(const struct sandbox_world *world)
{
    int pair[2];
    (void)world;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return BROKEN;
    return result_of(fcntl(pair[0], F_SETSIG, SIGKILL));
}

static int ask_for_signals(const struct sandbox_world *world)
{
    int pair[2];
    (void)world;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return BROKEN;
    return result_of(fcntl(pair[0], F_SETFL, O_ASYNC));
}

static void cannot_have_the_kernel_signal(void **state)
{
    sandbox_assert_stopped(state, own_for_another, KILLED);
    sandbox_assert_stopped(state, choose_signal, KILLED);
    sandbox_assert_stopped(state, ask_for_signals, KILLED);
}

static void cannot_trace_another_process(void **state)
{
    if (geteuid() != 0)
        skip(); /* ptrace_scope may say no without us */
    if (KILLED_OR(EPERM) != KILLED && sandbox_landlock() < SANDBOX_HOLDS_FILES)
        skip(); /* here it is Landlock that stops it */
    sandbox_assert_stopped(state, trace_another, KILLED_OR(EPERM));
}

static void cannot_signal_other_processes(void **state)
{
    if (KILLED_OR(EPERM) != KILLED && sandbox_landlock() < SANDBOX_HOLDS_SIGNALS)
        skip(); /* here it is Landlock that stops them */
    sandbox_assert_stopped(state, signal_parent, KILLED_OR(EPERM));
    sandbox_assert_stopped(state, signal_another, KILLED_OR(EPERM));
}

/* ---- Calls that nobody here makes ---- */

static long call_number; /* of the next attempt: a child has its own copy */

static int make_call(const struct sandbox_world *world)
{
    (void)world;
    /* Arguments that no call can do anything with: this may run as root. (A length of 0 can be.) */
    syscall(call_number, -1, -1, -1, -1, -1, -1);
    return SUCCEEDED; /* whatever it said: the process goes on */
}

static void ends_with_calls_that_it_never_makes(void **state)
{
    static const long CALLS[] = {
        SYS_execveat,
        SYS_process_vm_readv,
        SYS_process_vm_writev,
        SYS_mount,
        SYS_umount2,
        SYS_pivot_root,
        SYS_chroot,
        SYS_setns,
        SYS_unshare,
        SYS_bpf,
        SYS_perf_event_open,
        SYS_userfaultfd,
        SYS_keyctl,
        SYS_add_key,
        SYS_request_key,
        SYS_init_module,
        SYS_finit_module,
        SYS_kexec_load,
        SYS_memfd_create,
        SYS_open_by_handle_at,
        SYS_setuid,
        SYS_setresuid,
        SYS_setgroups,
        SYS_capset,
        SYS_shmat,
        SYS_shmget,
        SYS_pidfd_open,
        SYS_pidfd_getfd,
        SYS_pidfd_send_signal,
        SYS_io_uring_enter,
        SYS_settimeofday,
        SYS_sethostname,
        SYS_swapon,
        SYS_reboot,
        SYS_syslog,
        SYS_acct,
        SYS_quotactl,
        SYS_chmod,
        SYS_fchmodat,
        SYS_linkat,
        SYS_symlinkat,
        SYS_mknodat,
        SYS_inotify_init1,
        SYS_fanotify_init,
        SYS_setrlimit,
        SYS_seccomp,
        SYS_remap_file_pages,
        SYS_pkey_mprotect,
    };
    for (size_t i = 0; i < sizeof(CALLS) / sizeof(CALLS[0]); i++) {
        call_number = CALLS[i];
        if (call_number != SYS_reboot) /* not even with wrong arguments */
            assert_int_equal(sandbox_outcome(*state, "off", make_call), SUCCEEDED);
        int result = sandbox_outcome(*state, sandbox_held(), make_call);
        if (result != KILLED)
            fail_msg("system call %ld did not end the process", call_number);
    }
}

static int set_up_ring(const struct sandbox_world *world)
{
    (void)world;
    syscall(SYS_io_uring_setup, 1, NULL);
    return errno == EFAULT ? SUCCEEDED : errno;
}

static int become_dumpable(const struct sandbox_world *world)
{
    (void)world;
    return result_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int forge_input(const struct sandbox_world *world)
{
    (void)world;
    char letter = 'x';
    return ioctl(0, TIOCSTI, &letter) == 0 || errno != EPERM ? SUCCEEDED : errno;
}

static void is_refused_what_libraries_may_ask_for(void **state)
{
    assert_int_equal(sandbox_outcome(*state, sandbox_held(), set_up_ring), ENOSYS);
}

static void cannot_open_its_memory_to_others(void **state)
{
    sandbox_assert_stopped(state, become_dumpable, KILLED_OR(SUCCEEDED));
}

static void cannot_type_into_a_terminal(void **state)
{
    assert_int_equal(sandbox_outcome(*state, sandbox_held(), forge_input), KILLED);
}

/* ---- Other threads, other modes ---- */

static void *execute_on_thread(void *world)
{
    _exit(execute_true(world));
}

static int from_a_later_thread(const struct sandbox_world *world)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, execute_on_thread, (void *)world) == 0)
        pthread_join(thread, NULL);
    return BROKEN;
}

static void holds_threads_that_come_later(void **state)
{
    sandbox_assert_stopped(state, from_a_later_thread, KILLED);
}

static void lets_everything_be_where_it_only_logs(void **state)
{
    assert_int_equal(sandbox_outcome(*state, "log", execute_true), SUCCEEDED);
    assert_int_equal(sandbox_outcome(*state, "log", map_executable), SUCCEEDED);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, sandbox_world_set_up, sandbox_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cannot_execute_a_program),
        TEST(cannot_make_a_process),
        TEST(cannot_run_what_was_written),
        TEST(cannot_trace_another_process),
        TEST(cannot_signal_other_processes),
        TEST(cannot_have_the_kernel_signal),
        TEST(ends_with_calls_that_it_never_makes),
        TEST(is_refused_what_libraries_may_ask_for),
        TEST(cannot_open_its_memory_to_others),
        TEST(cannot_type_into_a_terminal),
        TEST(holds_threads_that_come_later),
        TEST(lets_everything_be_where_it_only_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
