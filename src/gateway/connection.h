/*
 * A client connection: a socket, the protocol that is spoken on it, and one timer. Here is what is
 * of the socket, whatever HTTP's version: PROXY header, TLS, output that piles up, the end of the
 * client's sending, lingering, killing, what is put off to the end of a turn. What becomes of the
 * bytes is the protocol's: connection_h1.c has one exchange at a time, connection_h2.c a table of
 * them.
 */
#ifndef GH_GATEWAY_CONNECTION_H
#define GH_GATEWAY_CONNECTION_H

#include "gateway/exchange.h"
#include "http/h1_codec.h"

struct gh_connection;
struct gh_connection_h2;

enum gh_connection_phase {
    GH_CONNECTION_CLOSING,      /* waiting for the stream's on_closed */
    GH_CONNECTION_PROXY_HEADER, /* reading the PROXY header */
    GH_CONNECTION_HANDSHAKE,    /* TLS */
    GH_CONNECTION_PREFACE,      /* the first bytes say which protocol it is */
    GH_CONNECTION_IDLE,         /* between requests */
    GH_CONNECTION_HEAD,         /* a head has begun (HTTP/1.1) */
    GH_CONNECTION_EXCHANGE,     /* requests are being handled */
    GH_CONNECTION_TUNNEL,       /* after 101 (HTTP/1.1) */
    GH_CONNECTION_LINGER,       /* we have said our last word; what still comes is thrown away */
};

/* What one version of HTTP does on a connection. None is called once it is CLOSING but `release`.
 */
struct gh_connection_protocol {
    /* Bytes, just read. */
    void (*on_read)(struct gh_connection *connection, struct gh_str bytes);
    /* The client sends no more; also asked again later, until the connection ends. */
    void (*on_eof)(struct gh_connection *connection);
    /* The output queue was full and is empty. */
    void (*on_drain)(struct gh_connection *connection);
    /* The end of a turn of the loop, after gh_connection_want_turn. */
    void (*turn)(struct gh_connection *connection);
    /* The timer, in IDLE, HEAD, EXCHANGE and TUNNEL. */
    void (*on_deadline)(struct gh_connection *connection);
    /* The server ends. */
    void (*drain)(struct gh_connection *connection);
    /* The settings have changed; NULL: nothing to do. */
    void (*renew)(struct gh_connection *connection);
    /* Breaks a tunnel off: its client must not take that for the tunnel's own end. */
    void (*cut_tunnel)(struct gh_connection *connection, struct gh_exchange *exchange);
    /* Ends all exchanges; sets connection->cut. `client_gone`: the connection died under them. */
    void (*release)(struct gh_connection *connection, bool client_gone);
};

struct gh_connection {
    struct gh_stream stream; /* first: streams are found back as connections */
    struct gh_worker *worker;
    struct gh_listen_slot *slot;
    struct gh_connection *next, *prev;
    const struct gh_connection_protocol *protocol;
    struct gh_exchange *exchanges; /* all of them, a list; HTTP/1.1 has one at a time */
    struct gh_timer timer;
    enum gh_connection_phase phase;
    enum gh_client_entry counted;
    struct gh_peer peer;
    struct gh_h1_codec codec;
    struct gh_connection_h2 *h2; /* NULL: it does not speak HTTP/2 */
    char *pending;               /* bytes read that the codec can't take yet; heap */
    size_t pending_len;
    struct gh_output_pace output_pace; /* of all that waits for the client */
    uint32_t discarded; /* bytes thrown away while lingering or after an early answer; bounded */
    bool turn_wanted, eof, full;
    bool cut; /* an answer that only the connection's end would end was broken off */
    struct gh_connection *turn_next;
};

extern const struct gh_stream_events gh_connection_stream_events;

/* Runs what connections have put off to the end of this turn of the loop. */
void gh_connection_turn_all(struct gh_worker *worker);
/* Closes it if no request comes for GH_CONNECTION_GRACE_MS; else its answer will say "Connection:
   close". */
void gh_connection_drain(struct gh_connection *connection);
/* The settings have changed. Requests go by the new ones at once. HTTP/2, whose connections live
   for long and carry settings of their own, is told to come again on a new connection: each at a
   random moment of GH_CONNECTION_RENEW_MS, so that not all clients come again at once. HTTP/1.1
   connections stay: they keep their bounds of heads, and end with their idle time. */
void gh_connection_renew(struct gh_connection *connection);
/* Closes it now. */
void gh_connection_kill(struct gh_connection *connection);
/* Ends a tunnel at once, and nothing else where others share its connection. */
void gh_connection_cut_tunnel(struct gh_connection *connection, struct gh_exchange *exchange);

/* ---- The protocols ---- */

extern const struct gh_connection_protocol gh_connection_h1;
/* Bytes may be given to gh_connection_h1 from now on. */
void gh_connection_h1_begin(struct gh_connection *connection);
/* The same for HTTP/2, which becomes its protocol. May kill it (no memory). */
void gh_connection_h2_begin(struct gh_connection *connection);

/* ---- For the protocols ---- */

/* How long a client that has taken all has to end the connection itself. */
#define GH_CONNECTION_LINGER_MS 2000
/* How often a running exchange is looked at for stalls. */
#define GH_CONNECTION_CHECK_MS 1000
/* When the server ends, a connection without a request stays for so long: one may be on its way,
   and its answer says Connection: close, which every client understands. */
#define GH_CONNECTION_GRACE_MS 250
/* Over how long the connections of HTTP/2 are spread that end for a reload. */
#define GH_CONNECTION_RENEW_MS 5000

const struct gh_limits_settings *gh_connection_limits(const struct gh_connection *connection);
struct gh_codec_limits gh_connection_codec_limits(const struct gh_connection *connection);
void gh_connection_set_deadline(struct gh_connection *connection, uint64_t delay_ms);
/* protocol->turn at the end of this turn of the loop. */
void gh_connection_want_turn(struct gh_connection *connection);
/* False: what waits for the client piles up. */
bool gh_connection_write(struct gh_connection *connection, const struct gh_str *slices,
                         size_t count);
/* Keeps bytes for later and stops reading. May kill the connection (no memory, or
   the client is gone). */
void gh_connection_keep_pending(struct gh_connection *connection, struct gh_str bytes);
/* Bytes that nobody wants any more: within a bound they are read, so that the client gets to see
   the answer; then the connection ends. */
void gh_connection_discard(struct gh_connection *connection, size_t bytes);
/* Says the last word: the exchanges are over, what is queued still goes out. */
void gh_connection_end(struct gh_connection *connection);
/* The client has stopped to take what waits for it. */
bool gh_connection_is_stalled(struct gh_connection *connection);
/* True: the client is slow, but takes what waits for it; we look again after `delay_ms`. */
bool gh_connection_is_taking(struct gh_connection *connection, uint64_t delay_ms);
/* Puts an exchange on the connection's list, and takes it off. */
void gh_connection_link(struct gh_connection *connection, struct gh_exchange *exchange);
void gh_connection_unlink(struct gh_connection *connection, struct gh_exchange *exchange);

/* deadline.c */
void gh_connection_on_deadline(struct gh_timer *timer);
/* A tunnel through which nothing goes for so long is ended. */
uint64_t gh_connection_tunnel_idle_ms(const struct gh_exchange *exchange);
/* connection_h1_deadline.c, for connection_h1.c */
void gh_connection_h1_on_deadline(struct gh_connection *connection);
/* Starts the look-out for a tunnel through which nothing goes. */
void gh_connection_h1_watch_tunnel(struct gh_connection *connection);

#endif
