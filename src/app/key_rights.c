#include "app/key_rights.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/sandbox_rules.h"
#include "sandbox/sandbox.h"

static bool hold_files(const struct gh_root_settings *settings, struct gh_arena *arena)
{
    struct gh_sandbox_rules rules;
    bool ports;
    if (settings->sandbox.mode != GH_SANDBOX_ENFORCE)
        return true;
    gh_sandbox_rules_make_for_keys(&rules, settings, arena);
    enum gh_err err = gh_sandbox_hold_files(&rules, &ports);
    /* Whether there must be a Landlock is for the server to say. */
    return err == GH_OK || err == GH_ERR_NOT_FOUND;
}

/* With the rights that it has from now on. */
static void warn_of_unreadable(const struct gh_key_rights *rights, struct gh_str path)
{
    if (access(path.ptr, R_OK) != 0)
        fprintf(stderr,
                "gatehouse: warning: user %s, who keeps the TLS keys, can't read %.*s again (%s): "
                "every reload will be refused until it can\n",
                rights->user.name, GH_STR_ARG(path), strerror(errno));
}

/* The start read them as root; a SIGHUP, days later, should not be the first to tell. */
static void warn_of_reloads(const struct gh_key_rights *rights)
{
    const struct gh_listener_settings *listeners = rights->settings->listeners.items;
    for (size_t i = 0; i < rights->settings->listeners.count; i++) {
        const struct gh_tls_pair_settings *pairs = listeners[i].tls.items;
        for (size_t p = 0; p < listeners[i].tls.count; p++) {
            warn_of_unreadable(rights, pairs[p].certificate);
            warn_of_unreadable(rights, pairs[p].key);
        }
    }
}

bool gh_key_rights_confine(void *context)
{
    const struct gh_key_rights *rights = context;
    struct gh_arena arena;
    struct gh_str message = GH_STR("can't be held");
    gh_arena_init(&arena, 32u * 1024, 4u * 1024 * 1024);
    bool done = gh_process_drop_privileges(&rights->user, &arena, &message) == GH_OK;
    if (done && rights->user.name)
        warn_of_reloads(rights);
    /* A change of the user takes both back. */
    gh_process_hide_memory();
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    done =
        done && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && hold_files(rights->settings, &arena);
    if (!done)
        fprintf(stderr, "gatehouse: keys: %.*s\n", GH_STR_ARG(message));
    gh_arena_done(&arena);
    return done;
}

/* ---- System calls: seccomp(2) ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "which architecture are the numbers of system calls of?"
#endif

/* Memory, locks, the socket that is there already, the end. */
static const int CALLS[] = {
    SYS_recvfrom,
    SYS_sendto,
    SYS_shutdown,
    SYS_futex,
    SYS_brk,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_getrandom,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_getpid,
    SYS_gettid,
    SYS_rt_sigprocmask,
    SYS_rt_sigaction,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_tgkill,
    SYS_write,
    SYS_exit,
    SYS_exit_group,
};
/* Of who reads files beside that. */
static const int FILE_CALLS[] = {
    SYS_read, SYS_close, SYS_fstat, SYS_newfstatat, SYS_lseek, SYS_geteuid,
};
#define CALL_COUNT      (sizeof CALLS / sizeof CALLS[0])
#define FILE_CALL_COUNT (sizeof FILE_CALLS / sizeof FILE_CALLS[0])
#define STEPS_MAX       (2 * (CALL_COUNT + FILE_CALL_COUNT) + 32)

struct filter {
    struct sock_filter steps[STEPS_MAX];
    unsigned short count;
    uint32_t otherwise; /* what becomes of all other calls */
};

static void add(struct filter *filter, struct sock_filter step)
{
    filter->steps[filter->count++] = step;
}

static void load_word(struct filter *filter, size_t offset)
{
    add(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void answer(struct filter *filter, uint32_t what)
{
    add(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

static void allow(struct filter *filter, int call)
{
    add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1));
    answer(filter, SECCOMP_RET_ALLOW);
}

/* `call`, as long as its third argument has none of `bits`. */
static void allow_without(struct filter *filter, int call, uint32_t bits)
{
    /* The lower half; both architectures keep it first. */
    size_t third = offsetof(struct seccomp_data, args[2]);
    add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4));
    load_word(filter, third);
    add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0));
    answer(filter, SECCOMP_RET_ALLOW);
    answer(filter, filter->otherwise);
}

bool gh_key_rights_confine_thread(void *context, bool signs)
{
    enum gh_sandbox_mode mode = ((const struct gh_key_rights *)context)->settings->sandbox.mode;
    struct filter filter = {.otherwise = mode == GH_SANDBOX_LOG ? SECCOMP_RET_LOG
                                                                : SECCOMP_RET_KILL_PROCESS};
    if (mode == GH_SANDBOX_OFF)
        return true;
    load_word(&filter, offsetof(struct seccomp_data, arch));
    add(&filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    answer(&filter, filter.otherwise);
    load_word(&filter, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALL_COUNT; i++)
        allow(&filter, CALLS[i]);
    for (size_t i = 0; i < FILE_CALL_COUNT && !signs; i++)
        allow(&filter, FILE_CALLS[i]);
    if (!signs)
        allow_without(&filter, SYS_openat, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
    allow_without(&filter, SYS_mmap, PROT_EXEC);
    allow_without(&filter, SYS_mprotect, PROT_EXEC);
    answer(&filter, filter.otherwise);
    const struct sock_fprog program = {filter.count, filter.steps};
    /* Without filters in this kernel, or the right to set one, it goes on as the server does. */
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0 || errno == EINVAL ||
           errno == EPERM || errno == EACCES;
}
