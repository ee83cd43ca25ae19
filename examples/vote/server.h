/*
 * The service's HTTP side, on libmicrohttpd: a few threads, each with its own connections.
 *
 *     POST /vote       202, or 400, 401, 413, 415, 422, 503
 *     GET  /results    {"results": {option: count}}
 *     GET  /health     200 or 503: can votes be taken and counted (also /readyz)
 *     GET  /healthz    200 while the process answers
 *     GET  /, ...      the page
 *
 * Limits of rate, origins, hosts, sizes of heads and security headers are gatehouse's, in front.
 */
#ifndef VOTE_SERVER_H
#define VOTE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "settings.h"
#include "store.h"

struct server;

/* Serves on `listener` from now on. The settings and stores must outlive the server. NULL on
   failure; `listener` is the server's otherwise. */
struct server *server_start(const struct settings *settings, int listener,
                            const struct store *intake, const struct store *tally);

/* No new connections; requests on those that are open are answered with `Connection: close`. */
void server_drain(struct server *server);
/* Requests that have begun and are not answered. */
size_t server_in_flight(const struct server *server);
/* Connections that are open, idle ones too. */
size_t server_connections(const struct server *server);
/* Ends the threads and closes what is open. */
void server_stop(struct server *server);

#endif
