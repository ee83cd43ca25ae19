/*
 * How a connection begins: accepting, the caps on connections, the PROXY header, TLS, until its
 * codec can be fed.
 */
#ifndef GH_GATEWAY_ACCEPT_H
#define GH_GATEWAY_ACCEPT_H

#include "gateway/connection.h"

extern const struct gh_listener_events gh_accept_listener_events;

/* Bytes before HTTP, on a listener with `proxy_protocol`. */
void gh_accept_proxy_header(struct gh_connection *connection, struct gh_str bytes);
/* Bytes that may be the preface of HTTP/2, on a plain listener with `h2c`. */
void gh_accept_preface(struct gh_connection *connection, struct gh_str bytes);
/* The TLS handshake is done. */
void gh_accept_on_open(struct gh_stream *stream);

#endif
