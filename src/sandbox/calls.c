/*
 * System calls by seccomp: a list of those that this program and its libraries make once it serves,
 * with conditions where the arguments decide what a call is good for. All others end the process.
 *
 * What a library may try in good faith, and can do without, is refused with an error number
 * instead: executable memory, other kinds of sockets, io_uring, most of prctl. The end of the
 * process is for what nobody here ever has a reason to do.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "sandbox/sandbox.h"

/* glibc and libuv differ by architecture in which of a family they make. */
static const char *const ALLOWED[] = {
    /* descriptors */
    "close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "pipe2", "eventfd2", "read",
    "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2",
    "lseek", "_llseek", "sendfile", "splice", "tee",
    /* files: Landlock says which. The owner is set by SQLite alone, where it runs as root. */
    "openat", "fstat", "newfstatat", "fstatat64", "statx", "stat", "lstat", "fstatfs", "statfs",
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "getdents64", "unlink",
    "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "ftruncate", "fallocate",
    "fsync", "fdatasync", "flock", "fchmod", "fchown", "umask", "open",
    /* waiting */
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
    "select", "pselect6", "nanosleep", "clock_nanosleep", "restart_syscall",
    /* sockets: socket and socketpair below */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    /* memory: mmap and mprotect below */
    "brk", "madvise", "membarrier", "mlock", "mlock2", "mremap", "msync", "munlock", "munmap",
    /* threads: clone below */
    "exit", "exit_group", "futex", "futex_waitv", "get_robust_list", "getcpu", "getpriority",
    "gettid", "rseq", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_yield",
    "set_robust_list", "set_tid_address", "setpriority",
    /* signals: tgkill below */
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "sigaltstack", "sigreturn",
    /* what this process is, and the time. wait4: for the end of a child that it was started with */
    "clock_getres", "clock_gettime", "getegid", "geteuid", "getgid", "getpgrp", "getpid", "getppid",
    "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "gettimeofday", "getuid",
    "sysinfo", "time", "times", "uname", "wait4", "waitid", NULL};

/* Refused, and the caller goes another way: threads are made by clone, whose flags can be seen. */
static const char *const MISSING[] = {"clone3", "io_uring_setup", NULL};

/* At its end the leak checker stops all threads from a process beside them; reports of the others
   look for symbols. Without conditions, and in builds for tests only. */
static const char *const SANITIZER[] = {
#ifdef GH_SANDBOX_SANITIZER
    "clone", "prctl", "tgkill", "arch_prctl", "getdents", "kill", "personality", "ptrace",
#endif
    NULL};

/* What libseccomp finds that the kernel can do; linux 4.14. */
#define API_OF_TSYNC_AND_LOG 3

#define NO_OTHER_SPACE                                                                             \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |     \
     CLONE_NEWCGROUP)
#define THREAD (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)

static bool add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names)
{
    for (; *names; names++) {
        int number = seccomp_syscall_resolve_name(*names);
        if (number == __NR_SCMP_ERROR) /* a libseccomp that is older than the call */
            continue;
        if (seccomp_rule_add(filter, action, number, 0) != 0)
            return false;
    }
    return true;
}

/* A rule with conditions beside one without would take its place. */
static bool is_free(int number)
{
    for (const char *const *name = SANITIZER; *name; name++) {
        if (seccomp_syscall_resolve_name(*name) == number)
            return true;
    }
    return false;
}

static bool add_when(scmp_filter_ctx filter, uint32_t action, int number,
                     const struct scmp_arg_cmp *conditions, unsigned count)
{
    return is_free(number) ||
           seccomp_rule_add_array(filter, action, number, count, conditions) == 0;
}

static bool allow_when(scmp_filter_ctx filter, int number, const struct scmp_arg_cmp *conditions,
                       unsigned count)
{
    return add_when(filter, SCMP_ACT_ALLOW, number, conditions, count);
}

/* mmap, and mprotect which could add it later: nothing that was written can be run. */
static bool add_memory(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp writable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    return allow_when(filter, SCMP_SYS(mmap), &writable, 1) &&
           allow_when(filter, SCMP_SYS(mprotect), &writable, 1);
}

/* Streams and datagrams. Netlink's routes tell glibc which addresses this machine has. */
static bool add_sockets(scmp_filter_ctx filter)
{
    static const uint64_t FAMILIES[] = {AF_INET, AF_INET6, AF_UNIX};
    static const uint64_t TYPES[] = {SOCK_STREAM, SOCK_DGRAM};
    const uint64_t type_mask = ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (size_t f = 0; f < sizeof(FAMILIES) / sizeof(FAMILIES[0]); f++) {
        for (size_t t = 0; t < sizeof(TYPES) / sizeof(TYPES[0]); t++) {
            const struct scmp_arg_cmp conditions[] = {
                SCMP_A0(SCMP_CMP_EQ, FAMILIES[f]),
                SCMP_A1(SCMP_CMP_MASKED_EQ, type_mask, TYPES[t]),
            };
            if (!allow_when(filter, SCMP_SYS(socket), conditions, 2))
                return false;
        }
    }
    const struct scmp_arg_cmp routes[] = {
        SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
        SCMP_A1(SCMP_CMP_MASKED_EQ, type_mask, SOCK_RAW),
        SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE),
    };
    const struct scmp_arg_cmp pair = SCMP_A0(SCMP_CMP_EQ, AF_UNIX);
    return allow_when(filter, SCMP_SYS(socket), routes, 3) &&
           allow_when(filter, SCMP_SYS(socketpair), &pair, 1);
}

/* Threads are made, no processes; signals go to ourselves only, as pthread_kill and abort do. */
static bool add_threads(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, THREAD | NO_OTHER_SPACE, THREAD);
    const struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
    const struct scmp_arg_cmp this_process = SCMP_A0(SCMP_CMP_EQ, 0);
    return allow_when(filter, SCMP_SYS(clone), &thread, 1) &&
           allow_when(filter, SCMP_SYS(tgkill), &self, 1) &&
           allow_when(filter, SCMP_SYS(prlimit64), &this_process, 1) &&
           allow_when(filter, SCMP_SYS(prlimit64), &self, 1);
}

static bool add_requests(scmp_filter_ctx filter)
{
    static const uint64_t IOCTLS[] = {FIONBIO, FIONREAD, FIOCLEX, TCGETS};
    static const uint64_t PRCTLS[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE};
    bool added = true;
    for (size_t i = 0; i < sizeof(IOCTLS) / sizeof(IOCTLS[0]); i++) {
        const struct scmp_arg_cmp request = SCMP_A1(SCMP_CMP_EQ, IOCTLS[i]);
        added = added && allow_when(filter, SCMP_SYS(ioctl), &request, 1);
    }
    for (size_t i = 0; i < sizeof(PRCTLS) / sizeof(PRCTLS[0]); i++) {
        const struct scmp_arg_cmp option = SCMP_A0(SCMP_CMP_EQ, PRCTLS[i]);
        added = added && allow_when(filter, SCMP_SYS(prctl), &option, 1);
    }
    return added;
}

/* What libraries may ask for and can do without: executable memory, new kinds of sockets, devices'
   requests, names for memory. */
static bool add_refusals(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC);
    const struct scmp_arg_cmp later_family = SCMP_A0(SCMP_CMP_GT, AF_NETLINK);
    const struct scmp_arg_cmp later_request = SCMP_A1(SCMP_CMP_GT, FIOCLEX);
    const struct scmp_arg_cmp later_option = SCMP_A0(SCMP_CMP_GT, PR_GET_NAME);
    return add_when(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mmap), &executable, 1) &&
           add_when(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(mprotect), &executable, 1) &&
           add_when(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), &later_family, 1) &&
           add_when(filter, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), &later_request, 1) &&
           add_when(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), &later_option, 1);
}

static bool add_all(scmp_filter_ctx filter, enum gh_sandbox_mode mode)
{
    return add_names(filter, SCMP_ACT_ALLOW, ALLOWED) &&
           add_names(filter, SCMP_ACT_ALLOW, SANITIZER) &&
           add_names(filter, SCMP_ACT_ERRNO(ENOSYS), MISSING) && add_memory(filter) &&
           add_sockets(filter) && add_threads(filter) && add_requests(filter) &&
           (mode == GH_SANDBOX_LOG || add_refusals(filter));
}

static bool set_attributes(scmp_filter_ctx filter)
{
    /* 2: a tree instead of a list, so that the last call costs no more than the first. */
    return seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
           seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
           seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1) == 0 &&
           seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
}

enum gh_err gh_sandbox_hold_calls(enum gh_sandbox_mode mode)
{
    GH_ASSERT(mode != GH_SANDBOX_OFF);
    if (seccomp_api_get() < API_OF_TSYNC_AND_LOG)
        return GH_ERR_NOT_FOUND;
    scmp_filter_ctx filter =
        seccomp_init(mode == GH_SANDBOX_LOG ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return GH_ERR_MEMORY;
    int failure = -EINVAL;
    if (set_attributes(filter) && add_all(filter, mode))
        failure = seccomp_load(filter);
    seccomp_release(filter);
    if (failure == 0)
        return GH_OK;
    errno = -failure;
    return errno == EPERM || errno == EACCES || errno == ENOSYS ? GH_ERR_NOT_FOUND : GH_ERR_IO;
}
