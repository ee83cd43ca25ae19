/*
 * For tests: a redis-server of their own, on a Unix socket in a temporary directory, and with TCP
 * and TLS on free ports of loopback when wished. It dies with the test.
 */
#ifndef GH_STORE_REDIS_FIXTURE_H
#define GH_STORE_REDIS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gh_redis_server_options {
    bool tcp;
    /* PEM files; not NULL: TLS on a port of its own */
    const char *certificate_path, *key_path;
    const char *password; /* of the default user; NULL: none */
    const char *config;   /* lines of redis.conf more; NULL: none */
};

struct gh_redis_server {
    struct gh_redis_server_options options; /* borrowed texts */
    pid_t pid;                              /* 0: not running */
    char directory[64];                     /* and the data are here, if it saves any */
    char path[96];                          /* of the Unix socket, which everyone may use */
    uint16_t port, tls_port;                /* the same over restarts */
};

/* False: there is no redis-server on this machine; the test has to skip. */
bool gh_redis_server_is_installed(void);
/* Starts it and waits until it answers. `options` NULL: a Unix socket and nothing else. */
void gh_redis_server_open(struct gh_redis_server *server,
                          const struct gh_redis_server_options *options);
/* Ends it, and removes its directory. */
void gh_redis_server_close(struct gh_redis_server *server);

/* Ends it at once, as if its machine had lost power; the socket's file stays behind. */
void gh_redis_server_kill(struct gh_redis_server *server);
/* Starts it again where it was, without data unless it has saved them. */
void gh_redis_server_start(struct gh_redis_server *server);
/* It hangs: connections are taken by the kernel, and nothing is answered. */
void gh_redis_server_freeze(struct gh_redis_server *server);
void gh_redis_server_thaw(struct gh_redis_server *server);

/*
 * Sends one command, written in a line ("CONFIG SET maxmemory 1"), waits for the answer and returns
 * what it begins with: "+OK", "-ERR ...", ":1", or the text of a bulk string ("$-1" for nil). In
 * static memory.
 */
const char *gh_redis_server_ask(const struct gh_redis_server *server, const char *command);

#endif
