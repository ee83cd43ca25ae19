#include "app/process.h"

#include <errno.h>
#include <grp.h>
#include <malloc.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Free memory at the end of a heap (most threads have their own) stays up to the former; objects
   over the latter are mapped alone and never stay. */
#define FREE_BYTES_KEPT_MAX   (4 * 1024 * 1024)
#define HEAP_OBJECT_BYTES_MAX (1024 * 1024)

/* The cgroup v2 quota in whole cores, rounded up; 0: none. */
static unsigned quota_cores(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    unsigned long quota = 0, period = 0;
    if (!file)
        return 0;
    int fields = fscanf(file, "%lu %lu", &quota, &period); /* "max 100000" reads no number */
    fclose(file);
    return fields == 2 && period ? (unsigned)((quota + period - 1) / period) : 0;
}

unsigned gh_process_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    unsigned cores = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
        cores = (unsigned)CPU_COUNT(&set);
    unsigned quota = quota_cores();
    return quota && quota < cores ? quota : cores;
}

void gh_process_hide_memory(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* also for a core_pattern that is a pipe, and for ptrace */
}

/* By default what is over 128 KiB goes back to the kernel: each body that is held for a moment
   would cost a system call at its end and a page fault for every 4 KiB of the next one. */
static void keep_free_memory(void)
{
#ifdef M_TRIM_THRESHOLD /* glibc */
    mallopt(M_TRIM_THRESHOLD, FREE_BYTES_KEPT_MAX);
    mallopt(M_MMAP_THRESHOLD, HEAP_OBJECT_BYTES_MAX);
#endif
}

uint64_t gh_process_set_limits(void)
{
    struct rlimit files = {0, 0};
    keep_free_memory();
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* of this thread, and so of all it will start */
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 1024;
    rlim_t before = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        files.rlim_cur = before;
    return files.rlim_cur;
}

enum gh_err gh_process_find_user(const char *user, struct gh_arena *arena,
                                 struct gh_process_user *out_user, struct gh_str *out_message)
{
    bool is_root = geteuid() == 0;
    *out_user = (struct gh_process_user){0};
    if (user ? strcmp(user, "root") == 0 : !is_root)
        return GH_OK;
    const struct passwd *entry = getpwnam(user ? user : "gatehouse");
    if (!entry && !user)
        entry = getpwnam("nobody");
    struct gh_str name = entry ? gh_arena_dup(arena, gh_str_from_c(entry->pw_name)) : GH_STR("");
    if (!entry || !name.ptr) {
        *out_message = gh_arena_format(arena, "there is no user %s to run as%s",
                                       user ? user : "gatehouse or nobody",
                                       user ? "" : "; name one with --user");
        return GH_ERR_NOT_FOUND;
    }
    if (!is_root && entry->pw_uid == geteuid())
        return GH_OK;
    if (!is_root) {
        *out_message = gh_arena_format(arena,
                                       "only root can become user %s: start as root or as that "
                                       "user, or leave the option out",
                                       user);
        return GH_ERR_DENIED;
    }
    *out_user = (struct gh_process_user){name.ptr, entry->pw_uid, entry->pw_gid};
    return GH_OK;
}

enum gh_err gh_process_drop_privileges(const struct gh_process_user *user, struct gh_arena *arena,
                                       struct gh_str *out_message)
{
    if (!user->name)
        return GH_OK;
    if (setgroups(0, NULL) == 0 && setresgid(user->gid, user->gid, user->gid) == 0 &&
        setresuid(user->uid, user->uid, user->uid) == 0) {
        gh_process_hide_memory(); /* the kernel has undone it with the change of user */
        return GH_OK;
    }
    *out_message = gh_arena_format(arena, "can't become user %s: %s", user->name, strerror(errno));
    return GH_ERR_IO;
}
