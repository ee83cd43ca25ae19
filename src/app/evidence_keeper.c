/* See evidence_keeper.h. */
#include "app/evidence_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TURN_S            30
#define FILE_BYTES_MAX    ((size_t)8 * 1024 * 1024)
#define ARENA_BLOCK_BYTES ((size_t)256 * 1024)
#define ARENA_BYTES_MAX   ((size_t)96 * 1024 * 1024)
/* A collector is in use for microseconds at a time. */
#define TRIES      1000
#define BETWEEN_NS 100000L
/* Turns between two complaints about the same. */
#define COMPLAIN_EVERY 20

struct gh_evidence_keeper {
    struct gh_log_ring *ring;
    struct gh_arena arena; /* of one file's turn */
    unsigned complain_in;  /* turns */
    uint64_t full_told;    /* generation for which it was told that a table is full */

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t woken;
    struct gh_snapshot *snapshot, *before; /* NULL: none; `before` is written a last time */
    bool look, stop, running;
    pthread_t thread;
};

/* ---- A file ---- */

static enum gh_err read_all(int fd, struct gh_arena *arena, struct gh_str *out_text)
{
    struct stat facts;
    size_t len = 0;
    if (fstat(fd, &facts) != 0)
        return GH_ERR_IO;
    if (!S_ISREG(facts.st_mode))
        return GH_ERR_INVALID;
    if (facts.st_size > (off_t)FILE_BYTES_MAX)
        return GH_ERR_FULL;
    size_t size = (size_t)facts.st_size;
    char *memory = gh_arena_alloc(arena, size + 1);
    if (!memory)
        return GH_ERR_MEMORY;
    while (len < size) {
        ssize_t got = read(fd, memory + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return GH_ERR_IO;
        len += (size_t)got;
    }
    *out_text = gh_str_of(memory, len);
    return GH_OK;
}

/* No file is one without lines. */
static enum gh_err read_file(const char *path, struct gh_arena *arena, struct gh_evidence *out)
{
    struct gh_str text = GH_STR("");
    const char *what;
    unsigned line;
    *out = (struct gh_evidence){NULL, 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? GH_OK : GH_ERR_IO;
    enum gh_err err = read_all(fd, arena, &text);
    close(fd);
    return err == GH_OK ? gh_evidence_parse(arena, text, out, &line, &what) : err;
}

static bool write_all(int fd, struct gh_str text)
{
    while (text.len) {
        ssize_t put = write(fd, text.ptr, text.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        text = gh_str_skip(text, (size_t)put);
    }
    return fsync(fd) == 0;
}

/* The whole file or none: written under another name first. */
static enum gh_err replace_file(const char *path, struct gh_arena *arena, struct gh_str text)
{
    struct gh_str part = gh_arena_format(arena, "%s.part", path);
    if (!part.ptr)
        return GH_ERR_MEMORY;
    unlink(part.ptr); /* of one that was killed */
    int fd = open(part.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return GH_ERR_IO;
    bool written = write_all(fd, text);
    written &= close(fd) == 0;
    if (written && rename(part.ptr, path) == 0)
        return GH_OK;
    int why = errno;
    unlink(part.ptr);
    errno = why;
    return GH_ERR_IO;
}

static void rest(void)
{
    const struct timespec moment = {0, BETWEEN_NS};
    nanosleep(&moment, NULL);
}

static enum gh_err take(struct gh_evidence_collector *collector, struct gh_arena *arena,
                        struct gh_evidence_taken *taken)
{
    struct gh_evidence_counts *room = gh_evidence_counts_new(arena);
    if (!room)
        return GH_ERR_MEMORY;
    for (unsigned tries = 0; tries < TRIES; tries++, rest())
        if (gh_evidence_take(collector, room, taken))
            return GH_OK;
    return GH_ERR_TIMEOUT;
}

static void give_back(struct gh_evidence_collector *collector,
                      const struct gh_evidence_taken *taken)
{
    for (unsigned tries = 0; tries < TRIES && !gh_evidence_give_back(collector, taken); tries++)
        rest();
}

static enum gh_err add(const struct gh_evidence_file *file, const struct gh_evidence *old,
                       const struct gh_evidence_taken *taken, struct gh_arena *scratch)
{
    struct gh_evidence fresh, both;
    struct gh_str text;
    enum gh_err err = gh_evidence_lines_of(file->collector, taken, scratch, &fresh);
    if (err == GH_OK)
        err = gh_evidence_merge(scratch, old, &fresh, &both);
    if (err == GH_OK)
        err = gh_evidence_write(scratch, &both, FILE_BYTES_MAX, &text);
    return err == GH_OK ? replace_file(file->path.ptr, scratch, text) : err;
}

enum gh_err gh_evidence_file_write(const struct gh_evidence_file *file, struct gh_arena *scratch)
{
    struct gh_evidence_taken taken;
    struct gh_evidence old;
    gh_arena_reset(scratch);
    enum gh_err err = take(file->collector, scratch, &taken);
    if (err != GH_OK || !taken.count)
        return err;
    err = read_file(file->path.ptr, scratch, &old);
    if (err == GH_OK)
        err = add(file, &old, &taken, scratch);
    int why = errno;
    if (err != GH_OK)
        give_back(file->collector, &taken);
    errno = why;
    return err;
}

/* ---- Turns ---- */

static void complain(struct gh_evidence_keeper *keeper, const struct gh_evidence_file *file,
                     enum gh_err err)
{
    const char *why = err == GH_ERR_IO ? strerror(errno) : gh_err_text(err);
    if (keeper->complain_in)
        return;
    keeper->complain_in = COMPLAIN_EVERY;
    gh_log_message(keeper->ring, GH_LOG_WARNING, "the evidence in %.*s can't be added to: %s%s",
                   GH_STR_ARG(file->path), why,
                   err == GH_ERR_INVALID ? "; the file is no evidence and is left as it is" : "");
}

static void tell_if_full(struct gh_evidence_keeper *keeper, const struct gh_snapshot *snapshot,
                         const struct gh_evidence_file *file)
{
    if (keeper->full_told == snapshot->generation || !gh_evidence_without_room(file->collector))
        return;
    keeper->full_told = snapshot->generation;
    gh_log_message(keeper->ring, GH_LOG_WARNING,
                   "evidence for %.*s: there is no room for all places of the document; values at "
                   "the others are not noted",
                   GH_STR_ARG(file->path));
}

static void write_files(struct gh_evidence_keeper *keeper, const struct gh_snapshot *snapshot)
{
    const struct gh_evidence_file *file = snapshot ? snapshot->evidence : NULL;
    keeper->complain_in -= keeper->complain_in > 0;
    for (; file; file = file->next) {
        errno = 0;
        enum gh_err err = gh_evidence_file_write(file, &keeper->arena);
        if (err != GH_OK)
            complain(keeper, file, err);
        tell_if_full(keeper, snapshot, file);
    }
    gh_arena_reset(&keeper->arena);
    gh_log_flush(keeper->ring);
}

/* Waits for the next turn; *out_snapshot is what is to be written, with a reference. False: it is
   the last one. */
static bool wait(struct gh_evidence_keeper *keeper, struct gh_snapshot **out_snapshot)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TURN_S;
    pthread_mutex_lock(&keeper->lock);
    int waited = 0;
    while (!keeper->look && !keeper->stop && waited == 0)
        waited = pthread_cond_timedwait(&keeper->woken, &keeper->lock, &until);
    bool go_on = !keeper->stop || keeper->before;
    keeper->look = false;
    *out_snapshot = keeper->before ? keeper->before : keeper->snapshot;
    if (!keeper->before && *out_snapshot)
        gh_snapshot_ref(*out_snapshot);
    keeper->before = NULL;
    pthread_mutex_unlock(&keeper->lock);
    return go_on;
}

static void *keep(void *arg)
{
    struct gh_evidence_keeper *keeper = arg;
    bool go_on = true;
    while (go_on) {
        struct gh_snapshot *snapshot = NULL;
        go_on = wait(keeper, &snapshot);
        write_files(keeper, snapshot);
        if (snapshot)
            gh_snapshot_unref(snapshot);
    }
    return NULL;
}

/* ---- Beginning and end ---- */

struct gh_evidence_keeper *gh_evidence_keeper_new(struct gh_log *log)
{
    struct gh_evidence_keeper *keeper = calloc(1, sizeof(*keeper));
    if (!keeper)
        return NULL;
    if (gh_log_ring_open(log, &keeper->ring) != GH_OK) {
        free(keeper);
        return NULL;
    }
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->woken, NULL);
    gh_arena_init(&keeper->arena, ARENA_BLOCK_BYTES, ARENA_BYTES_MAX);
    return keeper;
}

enum gh_err gh_evidence_keeper_adopt(struct gh_evidence_keeper *keeper,
                                     struct gh_snapshot *snapshot)
{
    struct gh_snapshot *unwritten = NULL;
    enum gh_err err = GH_OK;
    pthread_mutex_lock(&keeper->lock);
    if (!keeper->running && !snapshot->evidence) {
        pthread_mutex_unlock(&keeper->lock);
        return GH_OK;
    }
    gh_snapshot_ref(snapshot);
    if (keeper->before) /* one that came and went within a turn */
        unwritten = keeper->snapshot;
    else
        keeper->before = keeper->snapshot;
    keeper->snapshot = snapshot;
    keeper->look = true;
    if (!keeper->running) {
        keeper->running = pthread_create(&keeper->thread, NULL, keep, keeper) == 0;
        err = keeper->running ? GH_OK : GH_ERR_MEMORY;
    }
    pthread_cond_signal(&keeper->woken);
    pthread_mutex_unlock(&keeper->lock);
    if (unwritten)
        gh_snapshot_unref(unwritten);
    return err;
}

void gh_evidence_keeper_close(struct gh_evidence_keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stop = true;
    pthread_cond_signal(&keeper->woken);
    bool running = keeper->running;
    pthread_mutex_unlock(&keeper->lock);
    if (running)
        pthread_join(keeper->thread, NULL);
    if (keeper->before)
        gh_snapshot_unref(keeper->before);
    if (keeper->snapshot)
        gh_snapshot_unref(keeper->snapshot);
    gh_arena_done(&keeper->arena);
    pthread_cond_destroy(&keeper->woken);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
