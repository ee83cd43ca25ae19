/*
 * A server for tests that does what it is told: each connection runs a plan of texts to send and
 * of the steps below, on a thread of its own. It listens on a port of 127.0.0.1 that the kernel
 * chose, or on a Unix socket.
 */
#ifndef GH_UPSTREAM_TEST_ORIGIN_H
#define GH_UPSTREAM_TEST_ORIGIN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* Steps of a plan; anything else in it is sent as it stands. A plan ends with NULL: close. */
#define READ_HEAD  "<read up to the empty line>"
#define READ_END   "<read up to the word END>"
#define RESET      "<close with RST>"
#define HANG       "<wait until the peer closes>"
#define AGAIN      "<go back to the first step>"
#define SEND_MUCH  "<send 8 MiB of the letter x>"
#define SHORT_WAIT "<wait for 20 ms>"
#define WAIT_GATE  "<wait until the gate is opened>"

#define ORIGIN_CONNECTIONS_MAX 1024
#define ORIGIN_MUCH_BYTES      (8 * 1024 * 1024)

struct origin_connection {
    struct origin *origin;
    pthread_t thread;
    int fd;
    const char *const *plan;
    char head[4096]; /* the last one read */
};

struct origin {
    int fd;
    uint16_t port;
    char url[128];
    const char *const *const *plans; /* of the first, second, ... connection; the last repeats */
    unsigned plan_count;
    pthread_t thread;
    pthread_mutex_t lock; /* guards connections */
    struct origin_connection connections[ORIGIN_CONNECTIONS_MAX];
    unsigned connection_count;
    atomic_uint accepted, heads_read;
    atomic_bool gate;
    _Atomic uint64_t sent;
};

void origin_open(struct origin *origin, const char *const *const *plans, unsigned plan_count);
void origin_open_unix(struct origin *origin, const char *path, const char *const *const *plans,
                      unsigned plan_count);
/* Ends all connections and joins all threads. */
void origin_close(struct origin *origin);
/* A port of 127.0.0.1 that nobody listens on. */
uint16_t unused_port(void);

#define ORIGIN_OPEN(origin, ...)                                                                   \
    do {                                                                                           \
        static const char *const *const plans_[] = {__VA_ARGS__};                                  \
        origin_open(origin, plans_, sizeof plans_ / sizeof plans_[0]);                             \
    } while (0)

#endif
