#include "app/key_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/key_rights.h"
#include "app/process.h"
#include "base/assert.h"

#define TITLE       "gatehouse: keys" /* 15 bytes: the kernel keeps no more of a name */
#define SOCKETS_MAX (1 + GH_TLS_CHANNELS_MAX)
/* How long the end waits for it; it has nothing to finish. */
#define END_WAITS   200
#define END_WAIT_NS 5000000L

/* ---- In the new process ---- */

/* Where the kernel keeps the arguments and the environment, fields 48 to 51 of proc(5)'s stat. */
static bool find_arguments(char *out_places[4])
{
    char text[2048];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[len] = '\0';
    const char *at = strrchr(text, ')'); /* field 2 ends here */
    for (int field = 3; at && field <= 51; field++) {
        at = strchr(at + 1, ' ');
        if (at && field >= 48)
            out_places[field - 48] = (char *)(uintptr_t)strtoull(at + 1, NULL, 10);
    }
    return at && out_places[0] && out_places[0] < out_places[1] && out_places[2] &&
           out_places[2] <= out_places[3];
}

/* What ps shows; and the environment goes, which has secrets that are none of its business. */
static void take_name(void)
{
    char *places[4];
    prctl(PR_SET_NAME, TITLE, 0, 0, 0);
    clearenv();
    if (!find_arguments(places))
        return;
    explicit_bzero(places[2], (size_t)(places[3] - places[2]));
    explicit_bzero(places[0], (size_t)(places[1] - places[0]));
    memccpy(places[0], TITLE, '\0', (size_t)(places[1] - places[0]) - 1);
}

static bool is_kept(int fd, const int *kept, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (kept[i] == fd)
            return true;
    return fd == STDERR_FILENO; /* for the last words of a process that fails */
}

/* All but `kept` and the standard error. */
static void close_others(const int *kept, size_t count)
{
    int max = STDERR_FILENO;
    for (size_t i = 0; i < count; i++)
        if (kept[i] > max)
            max = kept[i];
    for (int fd = 0; fd <= max; fd++)
        if (!is_kept(fd, kept, count))
            close(fd);
    close_range((unsigned)max + 1, ~0u, 0);
    /* So that nothing else gets these numbers. */
    while (open("/dev/null", O_RDWR | O_CLOEXEC) == STDIN_FILENO)
        ;
}

static _Noreturn void keep_keys(const int *sockets, size_t thread_count, size_t pair_count,
                                struct gh_key_rights *rights, pid_t parent)
{
    static const int IGNORED[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(1);
    /* They are meant for the other one, whose end is our end. */
    for (size_t i = 0; i < sizeof IGNORED / sizeof IGNORED[0]; i++)
        signal(IGNORED[i], SIG_IGN);
    close_others(sockets, 1 + thread_count);
    take_name();
    gh_tls_keeper_reserve(pair_count, thread_count);
    const struct gh_config_list *directories = &rights->settings->sandbox.certificates;
    const struct gh_tls_keeper_options options = {
        .control = sockets[0],
        .channels = sockets + 1,
        .channel_count = thread_count,
        .directories = directories->items,
        .directory_count = directories->count,
        .confine = gh_key_rights_confine,
        .confine_thread = gh_key_rights_confine_thread,
        .context = rights,
    };
    _exit(gh_tls_keeper_run(&options) ? 0 : 1);
}

/* ---- In the old one ---- */

static size_t pair_count(const struct gh_root_settings *settings)
{
    const struct gh_listener_settings *listeners = settings->listeners.items;
    size_t count = 0;
    for (size_t i = 0; i < settings->listeners.count; i++)
        count += listeners[i].tls.count;
    return count;
}

bool gh_key_process_is_needed(const struct gh_root_settings *settings)
{
    return pair_count(settings) > 0;
}

static void close_sockets(const int *sockets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(sockets[i]);
}

static bool open_sockets(int *ours, int *theirs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
            close_sockets(ours, i);
            close_sockets(theirs, i);
            return false;
        }
        ours[i] = pair[0];
        theirs[i] = pair[1];
    }
    return true;
}

static enum gh_err start(struct gh_key_rights *rights, size_t thread_count, size_t pairs,
                         struct gh_key_process *out_process)
{
    int ours[SOCKETS_MAX], theirs[SOCKETS_MAX];
    GH_ASSERT(thread_count > 0 && thread_count <= GH_TLS_CHANNELS_MAX);
    if (!open_sockets(ours, theirs, 1 + thread_count))
        return GH_ERR_IO;
    pid_t parent = getpid(), id = fork();
    if (id == 0)
        keep_keys(theirs, thread_count, pairs, rights, parent);
    int error = errno;
    close_sockets(theirs, 1 + thread_count);
    if (id < 0) {
        close_sockets(ours, 1 + thread_count);
        errno = error;
        return GH_ERR_IO;
    }
    out_process->id = id;
    return gh_tls_keys_open(ours[0], ours + 1, thread_count, &out_process->keys);
}

enum gh_err gh_key_process_start(const struct gh_root_settings *settings, size_t thread_count,
                                 const char *user, struct gh_arena *arena,
                                 struct gh_key_process *out_process, struct gh_str *out_message)
{
    size_t pairs = pair_count(settings);
    struct gh_key_rights rights = {.settings = settings};
    if (pairs == 0)
        return GH_OK;
    enum gh_err err = gh_process_find_user(user, arena, &rights.user, out_message);
    if (err != GH_OK)
        return err;
    err = start(&rights, thread_count, pairs, out_process);
    if (err != GH_OK)
        *out_message = gh_arena_format(arena, "the process for the TLS keys: %s",
                                       err == GH_ERR_IO ? strerror(errno) : gh_err_text(err));
    return err;
}

enum gh_err gh_key_process_seal(struct gh_key_process *process, struct gh_arena *arena,
                                struct gh_str *out_message)
{
    return process->keys ? gh_tls_keys_seal(process->keys, arena, out_message) : GH_OK;
}

bool gh_key_process_suffices(const struct gh_key_process *process,
                             const struct gh_root_settings *settings, struct gh_str *out_message)
{
    if (process->keys || !gh_key_process_is_needed(settings))
        return true;
    *out_message = GH_STR("the first listener with tls needs a restart");
    return false;
}

bool gh_key_process_has_ended(struct gh_key_process *process, struct gh_arena *arena,
                              struct gh_str *out_how)
{
    int status = 0;
    pid_t ended = process->id > 0 ? waitpid(process->id, &status, WNOHANG) : 0;
    if (ended == 0)
        return false;
    process->id = 0;
    if (ended < 0) { /* somebody else was told how */
        *out_how = GH_STR("an unknown status");
        return true;
    }
    *out_how = WIFSIGNALED(status) ? gh_arena_format(arena, "signal %d", WTERMSIG(status))
                                   : gh_arena_format(arena, "status %d", WEXITSTATUS(status));
    return true;
}

void gh_key_process_close(struct gh_key_process *process)
{
    const struct timespec a_moment = {0, END_WAIT_NS};
    gh_tls_keys_unref(process->keys);
    process->keys = NULL;
    for (int i = 0; process->id > 0 && i < END_WAITS; i++) {
        if (waitpid(process->id, NULL, WNOHANG) != 0)
            process->id = 0;
        else
            nanosleep(&a_moment, NULL);
    }
}
