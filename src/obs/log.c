/*
 * Log lines on their way to one file descriptor. See log.h for what it promises.
 *
 * Each writing thread has a ring of bytes with one producer and one consumer: it copies whole lines
 * in and moves `head`, the log thread writes them out and moves `tail`. The log thread sleeps only
 * when there has been nothing for LINGER_MS, so under load writers make no system call for it: it
 * looks by itself some 200 times a second. Writers find it asleep by a flag and then wake it
 * through an eventfd.
 */
#include "obs/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "json/writer.h"

/* A power of two, so that positions may wrap around. Mapped, not touched before it is used. */
#define RING_BYTES (1024 * 1024)
#define LINGER_MS  5
/* Rings written in one call, two pieces each. */
#define RINGS_PER_WRITE 256
#define CACHE_LINE      64
#define MESSAGE_BYTES   2048

struct gh_log_ring {
    /* Written by the producer. */
    _Alignas(CACHE_LINE) atomic_size_t head;
    size_t known_tail, flushed_head;
    atomic_uint_fast64_t dropped;
    /* Written by the log thread. */
    _Alignas(CACHE_LINE) atomic_size_t tail;
    /* Never changed. */
    _Alignas(CACHE_LINE) struct gh_log *log;
    struct gh_log_ring *next;
    char *bytes;
};

/* How to write without ever being stuck in the call. */
enum write_mode {
    WRITE_SMALL,  /* blocking pipe or terminal: PIPE_BUF bytes after poll says that they fit */
    WRITE_WHOLE,  /* a file, or non-blocking */
    WRITE_SOCKET, /* non-blocking by a flag of send */
};

struct gh_log {
    int fd;     /* the caller's */
    int own_fd; /* the same pipe opened anew, non-blocking; -1 when that is not needed or possible
                 */
    int wake_fd;
    enum write_mode mode;
    pthread_t thread;
    _Atomic(struct gh_log_ring *) rings;
    atomic_bool asleep, stopping;
    uint64_t deadline_ms; /* written before `stopping` */
    atomic_uint_fast64_t discarded;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- The writers' side ---- */

static void copy_in(struct gh_log_ring *ring, size_t at, struct gh_str bytes)
{
    size_t offset = at % RING_BYTES;
    struct gh_str first = gh_str_first(bytes, RING_BYTES - offset);
    struct gh_str second = gh_str_skip(bytes, first.len);
    memcpy(ring->bytes + offset, first.ptr, first.len);
    if (second.len > 0)
        memcpy(ring->bytes, second.ptr, second.len);
}

bool gh_log_line(struct gh_log_ring *ring, struct gh_str line)
{
    line = gh_str_first(line, GH_LOG_LINE_BYTES_MAX);
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (RING_BYTES - (head - ring->known_tail) < line.len + 1) {
        ring->known_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (RING_BYTES - (head - ring->known_tail) < line.len + 1) {
            atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
            return false;
        }
    }
    if (line.len > 0)
        copy_in(ring, head, line);
    ring->bytes[(head + line.len) % RING_BYTES] = '\n';
    atomic_store_explicit(&ring->head, head + line.len + 1, memory_order_release);
    return true;
}

void gh_log_flush(struct gh_log_ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->flushed_head)
        return;
    ring->flushed_head = head;
    /* Stored once more in the one order of all seq_cst operations: either we see `asleep`, or the
       log thread, which sets it before it looks at the rings, sees this. */
    atomic_store(&ring->head, head);
    if (!atomic_load(&ring->log->asleep) || !atomic_exchange(&ring->log->asleep, false))
        return;
    uint64_t one = 1;
    ssize_t written = write(ring->log->wake_fd, &one, sizeof one);
    (void)written; /* fails only when the counter is full, and then it is readable anyway */
}

uint64_t gh_log_dropped(const struct gh_log *log)
{
    uint64_t sum = atomic_load_explicit(&log->discarded, memory_order_relaxed);
    for (const struct gh_log_ring *ring = atomic_load(&log->rings); ring; ring = ring->next)
        sum += atomic_load_explicit(&ring->dropped, memory_order_relaxed);
    return sum;
}

/* ---- The log thread ---- */

/* What is to be written next, and from which rings. */
struct batch {
    struct iovec pieces[RINGS_PER_WRITE * 2];
    int piece_count;
    struct {
        struct gh_log_ring *ring;
        size_t tail, bytes;
    } parts[RINGS_PER_WRITE];
    int part_count;
};

static void add_piece(struct batch *batch, char *bytes, size_t len)
{
    if (len > 0)
        batch->pieces[batch->piece_count++] = (struct iovec){bytes, len};
}

static void add_ring(struct batch *batch, struct gh_log_ring *ring)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    size_t len = atomic_load(&ring->head) - tail;
    if (len == 0)
        return;
    size_t offset = tail % RING_BYTES;
    size_t first = len < RING_BYTES - offset ? len : RING_BYTES - offset;
    add_piece(batch, ring->bytes + offset, first);
    add_piece(batch, ring->bytes, len - first);
    batch->parts[batch->part_count].ring = ring;
    batch->parts[batch->part_count].tail = tail;
    batch->parts[batch->part_count++].bytes = len;
}

/* `partial` is the ring whose line may be half written: it goes first, or lines would mix. */
static void collect(struct gh_log *log, struct gh_log_ring *partial, struct batch *batch)
{
    batch->piece_count = batch->part_count = 0;
    if (partial)
        add_ring(batch, partial);
    for (struct gh_log_ring *ring = atomic_load(&log->rings); ring; ring = ring->next)
        if (ring != partial && batch->part_count < RINGS_PER_WRITE)
            add_ring(batch, ring);
}

/* Moves the tails over `count` bytes that are done with. Returns the ring in which they end. */
static struct gh_log_ring *advance(struct batch *batch, size_t count)
{
    for (int i = 0; i < batch->part_count; i++) {
        size_t done = count < batch->parts[i].bytes ? count : batch->parts[i].bytes;
        atomic_store_explicit(&batch->parts[i].ring->tail, batch->parts[i].tail + done,
                              memory_order_release);
        count -= done;
        if (done < batch->parts[i].bytes)
            return batch->parts[i].ring;
    }
    return NULL;
}

/* The output is broken (a closed pipe, a full disk): the lines are lost, and counted. */
static void discard(struct gh_log *log, struct batch *batch)
{
    uint64_t lines = 0;
    size_t bytes = 0;
    for (int i = 0; i < batch->piece_count; i++) {
        const char *at = batch->pieces[i].iov_base, *end = at + batch->pieces[i].iov_len;
        bytes += batch->pieces[i].iov_len;
        while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
            lines++;
            at++;
        }
    }
    atomic_fetch_add_explicit(&log->discarded, lines, memory_order_relaxed);
    advance(batch, bytes);
}

static int output_fd(const struct gh_log *log)
{
    return log->own_fd >= 0 ? log->own_fd : log->fd;
}

static ssize_t write_batch(struct gh_log *log, struct batch *batch)
{
    int fd = output_fd(log);
    switch (log->mode) {
    case WRITE_WHOLE:
        return writev(fd, batch->pieces, batch->piece_count);
    case WRITE_SOCKET: {
        struct msghdr message = {.msg_iov = batch->pieces,
                                 .msg_iovlen = (size_t)batch->piece_count};
        return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    case WRITE_SMALL:
        break;
    }
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    size_t len = batch->pieces[0].iov_len;
    return write(fd, batch->pieces[0].iov_base, len < PIPE_BUF ? len : PIPE_BUF);
}

/* Milliseconds that may still be waited: for ever (-1) until the log is being closed. */
static int patience_ms(const struct gh_log *log)
{
    if (!atomic_load(&log->stopping))
        return -1;
    uint64_t now = now_ms();
    return now < log->deadline_ms ? (int)(log->deadline_ms - now) : 0;
}

/* A wake-up may also come late, after we have woken by ourselves; left there it would keep every
   later wait from waiting. */
static void clear_wake(struct gh_log *log)
{
    uint64_t count;
    ssize_t got = read(log->wake_fd, &count, sizeof count);
    (void)got; /* non-blocking; that there was none is fine */
}

/* Waits for room in the output. False: the log is being closed and its time is over. */
static bool wait_for_room(struct gh_log *log)
{
    int patience = patience_ms(log);
    if (patience == 0)
        return false;
    struct pollfd fds[2] = {{.fd = output_fd(log), .events = POLLOUT},
                            {.fd = patience < 0 ? log->wake_fd : -1, .events = POLLIN}};
    poll(fds, 2, patience);
    clear_wake(log);
    return true;
}

/* Writes what is in the rings now. False: given up. *out_any: there was something. */
static bool drain(struct gh_log *log, bool *out_any)
{
    struct batch batch __attribute__((uninitialized)); /* 14 KB, of which it sets what it reads */
    struct gh_log_ring *partial = NULL;
    *out_any = false;
    for (;;) {
        collect(log, partial, &batch);
        if (batch.part_count == 0)
            return true;
        *out_any = true;
        ssize_t written = write_batch(log, &batch);
        if (written >= 0)
            partial = advance(&batch, (size_t)written);
        else if (errno == EAGAIN && !wait_for_room(log))
            return false;
        else if (errno != EAGAIN && errno != EINTR)
            discard(log, &batch);
    }
}

static bool any_lines(const struct gh_log *log)
{
    for (struct gh_log_ring *ring = atomic_load(&log->rings); ring; ring = ring->next)
        if (atomic_load(&ring->head) != atomic_load_explicit(&ring->tail, memory_order_relaxed))
            return true;
    return false;
}

/* Until a writer flushes or the log is closed. */
static void sleep_until_woken(struct gh_log *log)
{
    atomic_store(&log->asleep, true);
    if (any_lines(log) || atomic_load(&log->stopping)) {
        atomic_store(&log->asleep, false);
        return;
    }
    struct pollfd wake = {.fd = log->wake_fd, .events = POLLIN};
    poll(&wake, 1, -1);
    atomic_store(&log->asleep, false);
    clear_wake(log);
}

static void linger(struct gh_log *log)
{
    struct pollfd wake = {.fd = log->wake_fd, .events = POLLIN};
    poll(&wake, 1, LINGER_MS);
    clear_wake(log);
}

static void *run_log(void *arg)
{
    struct gh_log *log = arg;
    for (;;) {
        /* Read before draining, so that all lines queued before the closing are seen. */
        bool stopping = atomic_load(&log->stopping), any;
        bool complete = drain(log, &any);
        if (stopping || !complete)
            return NULL;
        if (any)
            linger(log);
        else
            sleep_until_woken(log);
    }
}

/* ---- Opening and closing ---- */

/*
 * The descriptor may be shared with other processes, so O_NONBLOCK must not be set on it. A pipe or
 * terminal is opened a second time through /proc instead; that may be forbidden.
 */
static void choose_mode(struct gh_log *log)
{
    struct stat status;
    int flags = fcntl(log->fd, F_GETFL);
    log->own_fd = -1;
    log->mode = WRITE_SMALL;
    if (fstat(log->fd, &status) != 0)
        return;
    if (S_ISSOCK(status.st_mode)) {
        log->mode = WRITE_SOCKET;
    } else if (S_ISREG(status.st_mode) || (flags >= 0 && flags & O_NONBLOCK)) {
        log->mode = WRITE_WHOLE;
    } else {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", log->fd);
        log->own_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (log->own_fd >= 0)
            log->mode = WRITE_WHOLE;
    }
}

/* Signals are for the main thread; and a broken pipe is an error code here. */
static bool start_thread(struct gh_log *log)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&log->thread, NULL, run_log, log) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void close_fds(struct gh_log *log)
{
    if (log->own_fd >= 0)
        close(log->own_fd);
    if (log->wake_fd >= 0)
        close(log->wake_fd);
}

enum gh_err gh_log_open(int fd, struct gh_log **out_log)
{
    struct gh_log *log = calloc(1, sizeof *log);
    if (!log)
        return GH_ERR_MEMORY;
    log->fd = fd;
    choose_mode(log);
    log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum gh_err err = log->wake_fd < 0 ? GH_ERR_IO : start_thread(log) ? GH_OK : GH_ERR_THREAD;
    if (err != GH_OK) {
        close_fds(log);
        free(log);
        return err;
    }
    *out_log = log;
    return GH_OK;
}

enum gh_err gh_log_ring_open(struct gh_log *log, struct gh_log_ring **out_ring)
{
    struct gh_log_ring *ring = aligned_alloc(CACHE_LINE, sizeof *ring);
    void *bytes = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!ring || bytes == MAP_FAILED) {
        free(ring);
        if (bytes != MAP_FAILED)
            munmap(bytes, RING_BYTES);
        return GH_ERR_MEMORY;
    }
    memset(ring, 0, sizeof *ring);
    ring->log = log;
    ring->bytes = bytes;
    ring->next = atomic_load(&log->rings);
    while (!atomic_compare_exchange_weak(&log->rings, &ring->next, ring))
        ;
    *out_ring = ring;
    return GH_OK;
}

void gh_log_close(struct gh_log *log, unsigned timeout_ms)
{
    if (!log)
        return;
    log->deadline_ms = now_ms() + (timeout_ms < INT_MAX ? timeout_ms : INT_MAX);
    atomic_store(&log->stopping, true);
    uint64_t one = 1;
    ssize_t written = write(log->wake_fd, &one, sizeof one);
    GH_ASSERT(written == (ssize_t)sizeof one);
    pthread_join(log->thread, NULL);
    for (struct gh_log_ring *ring = atomic_load(&log->rings), *next; ring; ring = next) {
        next = ring->next;
        munmap(ring->bytes, RING_BYTES);
        free(ring);
    }
    close_fds(log);
    free(log);
}

/* ---- Messages ---- */

static struct gh_str level_text(enum gh_log_level level)
{
    switch (level) {
    case GH_LOG_ERROR:
        return GH_STR("error");
    case GH_LOG_WARNING:
        return GH_STR("warning");
    case GH_LOG_INFO:
        return GH_STR("info");
    }
    return GH_STR("error");
}

static void put_time(struct gh_buf *buf)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char text[32];
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    gh_json_put_name(buf, GH_STR("time"));
    gh_buf_put_char(buf, '"');
    gh_buf_put(buf, gh_str_of(text, len));
    gh_buf_format(buf, ".%03dZ\"", (int)(now.tv_nsec / 1000000));
}

static struct gh_str write_message(struct gh_buf *buf, enum gh_log_level level,
                                   struct gh_str message)
{
    buf->len = 0;
    buf->overflow = false;
    gh_buf_put_char(buf, '{');
    put_time(buf);
    gh_json_put_member(buf, GH_STR("level"), level_text(level));
    gh_json_put_member(buf, GH_STR("message"), message);
    gh_buf_put_char(buf, '}');
    return gh_buf_str(buf);
}

void gh_log_message(struct gh_log_ring *ring, enum gh_log_level level, const char *format, ...)
{
    char text[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    struct gh_str message = gh_str_first(gh_str_from_c(text), (size_t)len);
    char memory[GH_LOG_LINE_BYTES_MAX];
    struct gh_buf buf = gh_buf_over(memory, sizeof memory);
    struct gh_str line = write_message(&buf, level, message);
    /* Escapes can lengthen it sixfold; a shorter message is better than broken JSON. */
    while (buf.overflow) {
        message = gh_str_first(message, message.len / 2);
        line = write_message(&buf, level, message);
    }
    gh_log_line(ring, line);
    gh_log_flush(ring);
}
