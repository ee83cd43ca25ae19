#include "store/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE          0600
#define PID_BYTES_MAX 24

const char *gh_sqlite_file_path(struct gh_arena *arena, struct gh_str setting)
{
    if (!setting.len || memchr(setting.ptr, 0, setting.len))
        return NULL;
    const char *before = setting.ptr[0] == '/' ? "" : "./";
    return gh_arena_format(arena, "%s%.*s", before, GH_STR_ARG(setting)).ptr;
}

static enum gh_err failed(struct gh_arena *arena, const char *what, const char *path,
                          struct gh_str *out_message)
{
    *out_message = gh_arena_format(arena, "can't %s %s: %s", what, path, strerror(errno));
    return GH_ERR_IO;
}

/* ---- The lock ---- */

/* For the message only: it may be gone by now, or of another container. */
static struct gh_str holder(struct gh_arena *arena, int descriptor)
{
    char text[PID_BYTES_MAX];
    ssize_t count = pread(descriptor, text, sizeof(text), 0);
    size_t len = 0;
    while (count > 0 && len < (size_t)count && text[len] >= '0' && text[len] <= '9')
        len++;
    if (!len)
        return GH_STR("another process");
    struct gh_str name = gh_arena_format(arena, "process %.*s", (int)len, text);
    return name.ptr ? name : GH_STR("another process");
}

static void write_holder(int descriptor)
{
    char text[PID_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(text, sizeof(text));
    gh_buf_put_u64(&buf, (uint64_t)getpid());
    gh_buf_put_char(&buf, '\n');
    /* Without it the message says less, that is all. */
    if (ftruncate(descriptor, 0) == 0 && pwrite(descriptor, text, buf.len, 0) < 0)
        return;
}

enum gh_err gh_sqlite_file_lock(const char *path, struct gh_arena *arena, int *out_descriptor,
                                struct gh_str *out_message)
{
    struct gh_str lock_path = gh_arena_format(arena, "%s.lock", path);
    if (!lock_path.ptr)
        return GH_ERR_MEMORY;
    int descriptor = open(lock_path.ptr, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE);
    if (descriptor < 0)
        return failed(arena, "open", lock_path.ptr, out_message);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_OFD_SETLK, &lock) == 0) {
        write_holder(descriptor);
        *out_descriptor = descriptor;
        return GH_OK;
    }
    enum gh_err err = GH_ERR_EXISTS;
    if (errno == EAGAIN || errno == EACCES)
        *out_message =
            gh_arena_format(arena, "%s is in use by %.*s; only one gatehouse can write to it", path,
                            GH_STR_ARG(holder(arena, descriptor)));
    else
        err = failed(arena, "lock", lock_path.ptr, out_message);
    close(descriptor);
    return err;
}

/* ---- The file ---- */

/* A new name in a directory is not durable before the directory is. */
static int sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
    int descriptor = directory ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(directory);
    if (descriptor < 0)
        return -1;
    int result = fsync(descriptor);
    close(descriptor);
    return result;
}

enum gh_err gh_sqlite_file_prepare(const char *path, struct gh_arena *arena,
                                   struct gh_str *out_message)
{
    struct stat status;
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, MODE);
    if (descriptor < 0)
        return failed(arena, "open", path, out_message);
    enum gh_err err = GH_OK;
    if (fstat(descriptor, &status) != 0) {
        err = failed(arena, "look at", path, out_message);
    } else if (!S_ISREG(status.st_mode)) {
        *out_message = gh_arena_format(arena, "%s is not a file", path);
        err = GH_ERR_INVALID;
    } else if ((status.st_mode & 07777) != MODE && fchmod(descriptor, MODE) != 0) {
        err = failed(arena, "take the rights of others away from", path, out_message);
    } else if (status.st_size == 0 && sync_directory(path) != 0) {
        err = failed(arena, "make", path, out_message);
    }
    close(descriptor);
    return err;
}

bool gh_sqlite_file_is_there(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}
