/*
 * A peer for tests of transfers: one connection after another on a thread of its own, on a port of
 * 127.0.0.1 that the kernel chose. It speaks as much SMTP or HTTP as it is told.
 */
#ifndef GH_NET_TEST_SINK_H
#define GH_NET_TEST_SINK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define SEEN_BYTES_MAX (64 * 1024)

/* What the peer says to a line that begins so; NULL: it closes the connection. */
struct line {
    const char *begins, *answer;
};

struct peer {
    pthread_t thread;
    int listener;
    unsigned port;
    const char *greeting;     /* SMTP; NULL: HTTP, which waits for a request */
    const struct line *lines; /* looked at before the ordinary answers */
    const char *response;     /* HTTP: all of it */
    bool silent;              /* takes the connection and says nothing until it ends */
    unsigned connections;
    char seen[SEEN_BYTES_MAX]; /* all that it was sent */
    size_t seen_len;
};

/* Copies `wanted` and starts it. Stop it, then free it. */
struct peer *sink_start(struct peer wanted);
/* After this all that it has seen is there to be read. */
void sink_stop(struct peer *peer);

#endif
