/*
 * System calls by seccomp: a list of those that this program and its libraries make once it serves,
 * with conditions where the arguments decide what a call is good for. All others end the process.
 *
 * What a library may try in good faith, and can do without, is refused with an error number
 * instead: executable memory, other kinds of sockets, io_uring, most of prctl. The end of the
 * process is for what nobody here ever has a reason to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "sandbox/sandbox.h"

/* glibc differs by architecture in which of a family it makes. */
static const char *const ALLOWED[] = {
    /* descriptors: fcntl below */
    "close", "close_range", "dup", "dup2", "dup3", "pipe2", "eventfd2", "read", "readv", "pread64",
    "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2", "lseek", "_llseek",
    /* files: Landlock says which. The owner is set by SQLite alone, where it runs as root. */
    "openat", "fstat", "newfstatat", "fstatat64", "statx", "stat", "lstat", "fstatfs", "statfs",
    "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "getdents64", "unlink",
    "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat", "ftruncate", "fallocate",
    "fsync", "fdatasync", "flock", "fchmod", "fchown", "umask", "open",
    /* waiting */
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
    "select", "pselect6", "nanosleep", "clock_nanosleep", "restart_syscall",
    /* sockets: making and sending below */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recvfrom", "recvmmsg", "recvmsg", "setsockopt", "shutdown",
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

static bool add_socket(scmp_filter_ctx filter, uint64_t family, uint64_t type, uint64_t protocol)
{
    const struct scmp_arg_cmp conditions[] = {
        SCMP_A0(SCMP_CMP_EQ, family),
        SCMP_A1(SCMP_CMP_MASKED_EQ, ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), type),
        SCMP_A2(SCMP_CMP_EQ, protocol),
    };
    return allow_when(filter, SCMP_SYS(socket), conditions, 3);
}

/* Streams and datagrams of TCP and UDP alone: Landlock does not look at the ports of the other
   protocols (MPTCP, SMC) that speak to the same servers. Netlink's routes tell glibc which
   addresses this machine has. */
static bool add_sockets(scmp_filter_ctx filter)
{
    static const uint64_t FAMILIES[] = {AF_INET, AF_INET6};
    bool added = add_socket(filter, AF_UNIX, SOCK_STREAM, 0) &&
                 add_socket(filter, AF_UNIX, SOCK_DGRAM, 0) &&
                 add_socket(filter, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    for (size_t f = 0; f < sizeof(FAMILIES) / sizeof(FAMILIES[0]); f++) {
        added = added && add_socket(filter, FAMILIES[f], SOCK_STREAM, 0) &&
                add_socket(filter, FAMILIES[f], SOCK_STREAM, IPPROTO_TCP) &&
                add_socket(filter, FAMILIES[f], SOCK_DGRAM, 0) &&
                add_socket(filter, FAMILIES[f], SOCK_DGRAM, IPPROTO_UDP);
    }
    const struct scmp_arg_cmp pair = SCMP_A0(SCMP_CMP_EQ, AF_UNIX);
    return added && allow_when(filter, SCMP_SYS(socketpair), &pair, 1);
}

/* With MSG_FASTOPEN sending connects, and Landlock sees none of it. */
static bool add_sending(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp third = SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0);
    const struct scmp_arg_cmp fourth = SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0);
    return allow_when(filter, SCMP_SYS(sendmsg), &third, 1) &&
           allow_when(filter, SCMP_SYS(sendto), &fourth, 1) &&
           allow_when(filter, SCMP_SYS(sendmmsg), &fourth, 1);
}

/* Flags, copies and locks; not F_SETOWN and F_SETSIG, with which the kernel sends any signal to any
   process of this user. */
static bool add_control(scmp_filter_ctx filter)
{
    static const uint64_t COMMANDS[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,  F_SETFD,    F_GETFL,
                                        F_GETLK, F_SETLK,         F_SETLKW, F_OFD_SETLK};
    const struct scmp_arg_cmp flags[] = {
        SCMP_A1(SCMP_CMP_EQ, F_SETFL),
        SCMP_A2(SCMP_CMP_MASKED_EQ, O_ASYNC, 0),
    };
    bool added = allow_when(filter, SCMP_SYS(fcntl), flags, 2);
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++) {
        const struct scmp_arg_cmp command = SCMP_A1(SCMP_CMP_EQ, COMMANDS[i]);
        added = added && allow_when(filter, SCMP_SYS(fcntl), &command, 1);
    }
    return added;
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

/* SIOCGIFINDEX: the zone of a link-local name server. */
static bool add_requests(scmp_filter_ctx filter)
{
    static const uint64_t IOCTLS[] = {FIONBIO, FIONREAD, FIOCLEX, TCGETS, SIOCGIFINDEX};
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
           add_sockets(filter) && add_sending(filter) && add_control(filter) &&
           add_threads(filter) && add_requests(filter) &&
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
