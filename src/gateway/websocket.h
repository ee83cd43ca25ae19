/* The opening handshake of a WebSocket (RFC 6455 section 4) on behalf of a client of HTTP/2, which
   makes none itself. */
#ifndef GH_GATEWAY_WEBSOCKET_H
#define GH_GATEWAY_WEBSOCKET_H

#include "gateway/worker.h"

/* Sets request->websocket_key and websocket_accept. False: the arena is full. */
bool gh_websocket_challenge(struct gh_worker *worker, struct gh_request *request);

#endif
