/*
 * Where Redis is: redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE], or unix:PATH.
 *
 * User and password may be percent-encoded. rediss:// is refused: the client library of this
 * example has no TLS, and a URL that asks for it must not be taken without.
 */
#ifndef VOTE_REDIS_URL_H
#define VOTE_REDIS_URL_H

#include <stdbool.h>

enum { REDIS_URL_PART_BYTES_MAX = 255 };

struct redis_url {
    char path[REDIS_URL_PART_BYTES_MAX + 1]; /* of the socket; empty: host and port */
    char host[REDIS_URL_PART_BYTES_MAX + 1]; /* an IPv6 address without its brackets */
    int port;
    char user[REDIS_URL_PART_BYTES_MAX + 1];
    char password[REDIS_URL_PART_BYTES_MAX + 1];
    int database;
};

/* False when it is no such URL; `out` is untouched then. */
bool redis_url_parse(const char *text, struct redis_url *out);

#endif
