#include "app/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"

#define STREAMS 3 /* in, out, err */
#define BACKLOG 8
/* A client sends at once; who does not is none of ours. */
#define REQUEST_MS 5000
/* How often a place is looked for while there is none. */
#define FULL_MS 50

/* One who gave a command, and the thread that carries it out. */
struct caller {
    struct gh_control *control;
    pthread_t thread;
    int fd;
    bool taken;       /* the listening thread's */
    atomic_bool over; /* the thread may be joined */
};

struct gh_control {
    struct gh_control_options options;
    char *path;
    int fd;
    int stop[2]; /* a pipe: closed at the writing end to stop */
    pthread_t thread;
    struct caller callers[GH_CONTROL_CALLERS_MAX];
    pthread_mutex_t log_lock; /* guards the ring */
};

/* ---- Messages: argv as NUL-ended texts, with the three streams ---- */

union stream_message {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(STREAMS * sizeof(int))];
};

static bool send_request(int fd, const char *text, size_t len, const int streams[STREAMS])
{
    union stream_message control = {.bytes = {0}};
    struct iovec slice = {(void *)text, len};
    struct msghdr message = {.msg_iov = &slice,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(STREAMS * sizeof(int));
    memcpy(CMSG_DATA(part), streams, STREAMS * sizeof(int));
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)len;
}

static void close_streams(int streams[STREAMS])
{
    for (int i = 0; i < STREAMS; i++)
        if (streams[i] >= 0)
            close(streams[i]);
}

/* The bytes of a request, -1 when it is none. */
static ssize_t receive_request(int fd, char *text, size_t cap, int streams[STREAMS])
{
    union stream_message control;
    struct iovec slice = {text, cap};
    struct msghdr message = {.msg_iov = &slice,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (len <= 0)
        return -1;
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
        return -1;
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int stream; /* there is room for one too many, for the alignment */
        memcpy(&stream, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
        if (i < STREAMS)
            streams[i] = stream;
        else
            close(stream);
    }
    bool whole = count == STREAMS && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    return whole && text[len - 1] == 0 ? len : -1;
}

static int split_arguments(char *text, size_t len, char *argv[GH_CONTROL_ARGS_MAX + 1])
{
    int argc = 0;
    for (char *at = text; at < text + len; at += strlen(at) + 1) {
        if (argc == GH_CONTROL_ARGS_MAX)
            return 0;
        argv[argc++] = at;
    }
    argv[argc] = NULL;
    return argc;
}

/* ---- Streams of a command ---- */

/* One of the caller's streams. A pipe or a terminal may keep us waiting for a while: not when the
   caller has gone, nor when this process ends. */
struct stream {
    int fd;
    int caller; /* its connection */
    int stop;
    int stall_ms;
};

/* POSIX: what poll says is ready takes so much without waiting, if it is a pipe. */
#define READY_BYTES 4096

/* False: it is over. */
static bool wait_until_ready(const struct stream *stream, short events)
{
    struct pollfd waiting[] = {{.fd = stream->fd, .events = events},
                               {.fd = stream->stop, .events = POLLIN},
                               {.fd = stream->caller, .events = POLLRDHUP}};
    int ready;
    do
        ready = poll(waiting, 3, stream->stall_ms);
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        errno = ETIMEDOUT;
    else if (ready > 0 && (waiting[1].revents || waiting[2].revents))
        errno = ECANCELED;
    else
        return ready > 0;
    return false;
}

static ssize_t read_stream(void *cookie, char *bytes, size_t count)
{
    const struct stream *stream = cookie;
    return wait_until_ready(stream, POLLIN) ? read(stream->fd, bytes, count) : -1;
}

/* All of it: less counts as a failure. */
static ssize_t write_stream(void *cookie, const char *bytes, size_t count)
{
    const struct stream *stream = cookie;
    for (size_t done = 0; done < count;) {
        size_t rest = count - done;
        if (!wait_until_ready(stream, POLLOUT))
            return 0;
        ssize_t written = write(stream->fd, bytes + done, rest < READY_BYTES ? rest : READY_BYTES);
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return 0;
        done += written > 0 ? (size_t)written : 0;
    }
    return (ssize_t)count;
}

static int close_stream(void *cookie)
{
    return close(((struct stream *)cookie)->fd);
}

/* NULL: no memory, and the descriptor is still open. */
static FILE *open_stream(struct stream *stream, const char *mode)
{
    return fopencookie(
        stream, mode,
        (cookie_io_functions_t){.read = read_stream, .write = write_stream, .close = close_stream});
}

/* ---- The serving side ---- */

static bool peer_is_allowed(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static int run_on(struct gh_control *control, int caller, int argc, char **argv,
                  const int streams[STREAMS])
{
    struct stream cookies[STREAMS];
    for (int i = 0; i < STREAMS; i++)
        cookies[i] =
            (struct stream){streams[i], caller, control->stop[0], control->options.stall_ms};
    FILE *in = open_stream(&cookies[0], "r"), *out = open_stream(&cookies[1], "w"),
         *err = open_stream(&cookies[2], "w");
    int status = 2;
    if (in && out && err) {
        setvbuf(err, NULL, _IOLBF, 0);
        pthread_mutex_lock(&control->log_lock);
        gh_log_message(control->options.ring, GH_LOG_INFO, "operator's command: %s %s", argv[0],
                       argc > 1 ? argv[1] : "");
        gh_log_flush(control->options.ring);
        pthread_mutex_unlock(&control->log_lock);
        status = control->options.run(control->options.context, argc, argv, in, out, err);
        if (status == 0 && fflush(out) != 0)
            status = 1; /* what it had to say was not heard to its end */
    }
    FILE *files[STREAMS] = {in, out, err};
    for (int i = 0; i < STREAMS; i++) {
        if (files[i])
            fclose(files[i]);
        else
            close(streams[i]);
    }
    return status;
}

static void serve(struct gh_control *control, int fd)
{
    static const int NONE[STREAMS] = {-1, -1, -1};
    char *argv[GH_CONTROL_ARGS_MAX + 1];
    int streams[STREAMS];
    struct pollfd waiting[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = control->stop[0], .events = POLLIN}};
    memcpy(streams, NONE, sizeof(streams));
    if (!peer_is_allowed(fd) || poll(waiting, 2, REQUEST_MS) < 1 || !waiting[0].revents)
        return;
    char *text = malloc(GH_CONTROL_BYTES_MAX);
    ssize_t len = text ? receive_request(fd, text, GH_CONTROL_BYTES_MAX, streams) : -1;
    int argc = len > 0 ? split_arguments(text, (size_t)len, argv) : 0;
    if (argc > 0) {
        unsigned char status = (unsigned char)run_on(control, fd, argc, argv, streams);
        if (send(fd, &status, 1, MSG_NOSIGNAL) != 1) {
            pthread_mutex_lock(&control->log_lock);
            gh_log_message(control->options.ring, GH_LOG_WARNING,
                           "the command's caller has gone meanwhile");
            gh_log_flush(control->options.ring);
            pthread_mutex_unlock(&control->log_lock);
        }
    } else {
        close_streams(streams);
    }
    free(text);
}

static void *caller_main(void *arg)
{
    struct caller *caller = arg;
    serve(caller->control, caller->fd);
    close(caller->fd);
    atomic_store(&caller->over, true);
    return NULL;
}

/* NULL: all places are taken. */
static struct caller *find_place(struct gh_control *control)
{
    struct caller *place = NULL;
    for (size_t i = 0; i < GH_CONTROL_CALLERS_MAX; i++) {
        struct caller *caller = &control->callers[i];
        if (caller->taken && atomic_load(&caller->over)) {
            pthread_join(caller->thread, NULL);
            caller->taken = false;
        }
        if (!caller->taken)
            place = caller;
    }
    return place;
}

static void start_caller(struct gh_control *control, struct caller *place, int fd)
{
    place->control = control;
    place->fd = fd;
    atomic_store(&place->over, false);
    place->taken = pthread_create(&place->thread, NULL, caller_main, place) == 0;
    if (!place->taken)
        close(fd);
}

static void *control_main(void *arg)
{
    struct gh_control *control = arg;
    for (;;) {
        struct caller *place = find_place(control);
        struct pollfd waiting[2] = {{.fd = control->stop[0], .events = POLLIN},
                                    {.fd = control->fd, .events = POLLIN}};
        if (poll(waiting, place ? 2 : 1, place ? -1 : FULL_MS) < 0 && errno != EINTR)
            break;
        if (waiting[0].revents)
            break;
        int fd = waiting[1].revents ? accept4(control->fd, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            start_caller(control, place, fd);
    }
    for (size_t i = 0; i < GH_CONTROL_CALLERS_MAX; i++)
        if (control->callers[i].taken)
            pthread_join(control->callers[i].thread, NULL);
    return NULL;
}

static bool address_of(const char *path, struct sockaddr_un *out_address)
{
    *out_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(out_address->sun_path))
        return false;
    strcpy(out_address->sun_path, path);
    return true;
}

static bool somebody_listens(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool connected =
        fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
                    errno == EAGAIN); /* its queue is full */
    if (fd >= 0)
        close(fd);
    return connected;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address;
    if (!address_of(path, &address))
        return -1;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (somebody_listens(&address)) { /* another process over a store that is shared */
        close(fd);
        return -1;
    }
    unlink(path);
    mode_t mask = umask(0177);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    umask(mask);
    if (bound && listen(fd, BACKLOG) == 0)
        return fd;
    close(fd);
    return -1;
}

enum gh_err gh_control_open(const struct gh_control_options *options,
                            struct gh_control **out_control)
{
    struct gh_control *control = calloc(1, sizeof(*control));
    if (!control)
        return GH_ERR_MEMORY;
    control->options = *options;
    if (!control->options.stall_ms)
        control->options.stall_ms = GH_CONTROL_STALL_MS;
    pthread_mutex_init(&control->log_lock, NULL);
    control->path = strdup(options->path);
    control->fd = listen_at(options->path);
    if (!control->path || control->fd < 0 || pipe2(control->stop, O_CLOEXEC) != 0) {
        if (control->fd >= 0)
            close(control->fd);
        free(control->path);
        free(control);
        return GH_ERR_IO;
    }
    int failed = pthread_create(&control->thread, NULL, control_main, control);
    GH_ASSERT(failed == 0);
    *out_control = control;
    return GH_OK;
}

void gh_control_close(struct gh_control *control)
{
    if (!control)
        return;
    close(control->stop[1]);
    pthread_join(control->thread, NULL);
    close(control->stop[0]);
    close(control->fd);
    unlink(control->path);
    pthread_mutex_destroy(&control->log_lock);
    free(control->path);
    free(control);
}

/* ---- The client side ---- */

static size_t join_arguments(int argc, char **argv, char *text, size_t cap)
{
    size_t len = 0;
    for (int i = 0; i < argc; i++) {
        size_t bytes = strlen(argv[i]) + 1;
        if (i == GH_CONTROL_ARGS_MAX || bytes > cap - len)
            return 0;
        memcpy(text + len, argv[i], bytes);
        len += bytes;
    }
    return len;
}

static enum gh_err exchange(int fd, int argc, char **argv, const int streams[STREAMS],
                            int *out_status)
{
    char *text = malloc(GH_CONTROL_BYTES_MAX);
    size_t len = text ? join_arguments(argc, argv, text, GH_CONTROL_BYTES_MAX) : 0;
    bool sent = len && send_request(fd, text, len, streams);
    free(text);
    unsigned char status;
    if (!len)
        return GH_ERR_INVALID;
    if (!sent || recv(fd, &status, 1, 0) != 1)
        return GH_ERR_CLOSED;
    *out_status = status;
    return GH_OK;
}

enum gh_err gh_control_call_on(const char *path, int argc, char **argv, const int streams[STREAMS],
                               int *out_status)
{
    struct sockaddr_un address;
    if (!address_of(path, &address))
        return GH_ERR_INVALID;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return GH_ERR_IO;
    enum gh_err err = GH_ERR_NOT_FOUND;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        err = exchange(fd, argc, argv, streams, out_status);
    else if (errno == EACCES || errno == EPERM)
        err = GH_ERR_REFUSED;
    close(fd);
    return err;
}

enum gh_err gh_control_call(const char *path, int argc, char **argv, int *out_status)
{
    static const int STANDARD[STREAMS] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
    return gh_control_call_on(path, argc, argv, STANDARD, out_status);
}
