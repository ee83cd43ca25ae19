/*
 * A client connection: a stream, the codec that reads it, and its timers. It turns the codec's
 * events into calls of an exchange, and sees to everything about the connection itself: PROXY
 * header, TLS, deadlines, back-pressure, lingering at the end.
 */
#ifndef GH_GATEWAY_CONNECTION_H
#define GH_GATEWAY_CONNECTION_H

#include "gateway/exchange.h"
#include "http/h1_codec.h"

enum gh_connection_phase {
    GH_CONNECTION_CLOSING,      /* waiting for the stream's on_closed */
    GH_CONNECTION_PROXY_HEADER, /* reading the PROXY header */
    GH_CONNECTION_HANDSHAKE,    /* TLS */
    GH_CONNECTION_IDLE,         /* between requests */
    GH_CONNECTION_HEAD,         /* a head has begun */
    GH_CONNECTION_EXCHANGE,     /* a request is being handled */
    GH_CONNECTION_TUNNEL,       /* after 101 */
    GH_CONNECTION_LINGER,       /* we have said our last word; what still comes is thrown away */
};

struct gh_connection {
    struct gh_stream stream; /* first: streams are found back as connections */
    struct gh_worker *worker;
    struct gh_listen_slot *slot;
    struct gh_connection *next, *prev;
    struct gh_exchange *exchange; /* HTTP/1.1 has one at a time */
    struct gh_timer timer;
    enum gh_connection_phase phase;
    enum gh_client_entry counted;
    struct gh_peer peer;
    struct gh_h1_codec codec;
    char *pending; /* bytes read that the codec can't take yet; heap */
    size_t pending_len;
    uint64_t discarded; /* bytes thrown away while lingering or after an early answer */
    uint64_t body_started_ms, body_progress_ms; /* of the request that is being read */
    uint64_t body_seen;                         /* its bytes at body_progress_ms */
    uint64_t stalled_ms; /* since when the client has taken nothing; 0: it takes */
    size_t stalled_queue;
    uint64_t tunnel_bytes; /* passed through at the last look */
    bool turn_wanted, eof, full;
    bool cut;             /* an answer that only the connection's end would end was broken off */
    bool discard_checked; /* the rest of an unwanted body was waited for once */
    struct gh_connection *turn_next;
};

extern const struct gh_stream_events gh_connection_stream_events;

/* Runs what connections have put off to the end of this turn of the loop. */
void gh_connection_turn_all(struct gh_worker *worker);
/* Closes it if no request comes for GH_CONNECTION_GRACE_MS; else its answer will say "Connection:
   close". */
void gh_connection_drain(struct gh_connection *connection);
/* Closes it now. */
void gh_connection_kill(struct gh_connection *connection);

/* ---- For deadline.c ---- */

/* How long a client that has taken all has to end the connection itself. */
#define GH_CONNECTION_LINGER_MS 2000
/* How often a running exchange is looked at for stalls. */
#define GH_CONNECTION_CHECK_MS 1000
/* When the server ends, a connection without a request stays for so long: one may be on its way,
   and its answer says Connection: close, which every client understands. */
#define GH_CONNECTION_GRACE_MS 250

void gh_connection_on_deadline(struct gh_timer *timer);
/* Starts the look-out for a tunnel through which nothing goes. */
void gh_connection_watch_tunnel(struct gh_connection *connection);
/* Says the last word: the exchange is over, what is queued still goes out. */
void gh_connection_end(struct gh_connection *connection);

/* ---- For accept.c, which leads a connection up to its first request ---- */

extern const struct gh_codec_events gh_connection_codec_events;
const struct gh_limits_settings *gh_connection_limits(const struct gh_connection *connection);
void gh_connection_set_deadline(struct gh_connection *connection, uint64_t delay_ms);
/* Gives bytes to the codec, keeps what it can't take, sees to the end of the connection. */
void gh_connection_feed(struct gh_connection *connection, struct gh_str bytes);
/* Keeps bytes for later and stops reading. May kill the connection (no memory, or
   the client is gone). */
void gh_connection_keep_pending(struct gh_connection *connection, struct gh_str bytes);

#endif
