/*
 * Accepting connections. When descriptors run out, accepting pauses, and clients wait in the
 * backlog.
 */
#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop_state.h"
#include "net/stream_state.h"

/* Connections taken in one turn of the loop, so that a flood of them leaves time for others. */
#define ACCEPTS_PER_TURN 64
#define PAUSE_MS         100
/* More than a backlog holds. */
#define ACCEPTS_AT_CLOSE_MAX 8192

struct gh_listener {
    struct gh_watch watch; /* first */
    struct gh_timer pause;
    struct gh_loop_task closed; /* frees it when no event of it can come any more */
    struct gh_loop *loop;
    bool is_unix, closing;
    const struct gh_listener_events *events;
    void *owner;
    const struct gh_stream_events *stream_events;
};

static struct gh_listener *listener_of_pause(struct gh_timer *timer)
{
    return (struct gh_listener *)((char *)timer - offsetof(struct gh_listener, pause));
}

static void pause_accepting(struct gh_listener *listener);

static void on_pause_over(struct gh_timer *timer)
{
    struct gh_listener *listener = listener_of_pause(timer);
    if (!gh_loop_watch(listener->loop, &listener->watch, EPOLLIN))
        pause_accepting(listener);
}

static void pause_accepting(struct gh_listener *listener)
{
    gh_loop_unwatch(listener->loop, &listener->watch);
    gh_timer_start(listener->loop, &listener->pause, PAUSE_MS, on_pause_over);
}

static void take_connection(struct gh_listener *listener, int fd,
                            const struct sockaddr_storage *address)
{
    struct gh_stream *stream = listener->events->on_accept(listener->owner, listener);
    if (!stream) {
        close(fd);
        return;
    }
    gh_stream_init(stream, listener->loop, listener->stream_events);
    gh_stream_open_fd(stream, fd);
    struct gh_ip peer = {.family = GH_IP_NONE};
    uint16_t port = 0;
    if (!listener->is_unix)
        peer = gh_ip_from_sockaddr((const struct sockaddr *)address, &port);
    listener->events->on_accepted(listener->owner, listener, stream, &peer, port);
}

/* True: there may be more. */
static bool accept_one(struct gh_listener *listener)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    int fd = accept4(listener->watch.fd, (struct sockaddr *)&address, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        take_connection(listener, fd, &address);
        return true;
    }
    if (errno == EAGAIN)
        return false;
    /* Troubles of one connection that is already gone (accept(2), "Error handling"). */
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO)
        return true;
    /* Out of descriptors or memory, or a broken listener: no good comes from trying at once. */
    pause_accepting(listener);
    return false;
}

void gh_listener_ready(struct gh_listener *listener)
{
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->closing; i++)
        if (!accept_one(listener))
            break;
}

static void on_closed(void *arg)
{
    free(arg);
}

enum gh_err gh_listener_open(struct gh_loop *loop, int fd, bool is_unix,
                             const struct gh_listener_events *events, void *owner,
                             const struct gh_stream_events *stream_events,
                             struct gh_listener **out_listener)
{
    struct gh_listener *listener = malloc(sizeof *listener);
    if (!listener) {
        close(fd);
        return GH_ERR_MEMORY;
    }
    *listener = (struct gh_listener){.watch = {.fd = fd, .kind = GH_WATCH_LISTENER},
                                     .closed = {.fn = on_closed, .arg = listener},
                                     .loop = loop,
                                     .is_unix = is_unix,
                                     .events = events,
                                     .owner = owner,
                                     .stream_events = stream_events};
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        !gh_loop_watch(loop, &listener->watch, EPOLLIN)) {
        close(fd);
        free(listener);
        return GH_ERR_IO;
    }
    /* For descriptors that others have opened; accepted sockets inherit it. */
    int on = 1;
    if (!is_unix)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    gh_loop_hold(loop);
    *out_listener = listener;
    return GH_OK;
}

void gh_listener_close(struct gh_listener *listener)
{
    if (!listener || listener->closing)
        return;
    /* The kernel would reset what waits in the backlog. */
    for (int i = 0; i < ACCEPTS_AT_CLOSE_MAX && accept_one(listener); i++)
        ;
    listener->closing = true;
    gh_timer_stop(listener->loop, &listener->pause);
    gh_loop_unwatch(listener->loop, &listener->watch);
    close(listener->watch.fd);
    gh_loop_task_start(listener->loop, &listener->closed);
    gh_loop_release(listener->loop);
}
