/*
 * A byte stream: TCP or Unix socket, with TLS or without, one interface for both sides.
 *
 * Reading: bytes arrive in the loop's own buffer and are lent to `on_read` for the call; an idle
 * stream holds no buffer. Writing: what the socket does not take at once is copied to a bounded
 * output queue; over the high-water mark `gh_stream_write` says so, and `on_drain` tells when it
 * is empty again. The stream's memory is the owner's and must live until `on_closed`.
 */
#ifndef GH_NET_STREAM_H
#define GH_NET_STREAM_H

#include "base/err.h"
#include "base/ip.h"
#include "net/loop.h"
#include "net/tls.h"

/* Over this many queued bytes a writer should pause; at ..._MAX the stream fails (a bug or abuse:
   writers that respect the mark never get there). */
#define GH_STREAM_HIGH_WATER_BYTES (128 * 1024)
#define GH_STREAM_QUEUE_BYTES_MAX  (4 * 1024 * 1024)
/* The loop's read buffer, and so the longest slice `on_read` ever gets. Room for a body of 64 KiB
   with its head; more would be faster still, and is what a slow reader may have queued on top. */
#define GH_STREAM_READ_BYTES (128 * 1024)

struct gh_stream;
struct gh_stream_tls;
struct gh_stream_queue;

struct gh_stream_events {
    /* Connected (client side), or TLS handshake done (both); plain accepted streams: not called. */
    void (*on_open)(struct gh_stream *stream);
    /* Bytes, decrypted. The owner may write, pause or close inside. */
    void (*on_read)(struct gh_stream *stream, struct gh_str bytes);
    /* The peer has sent its last byte (FIN, or TLS close_notify). Writing may still work. */
    void (*on_eof)(struct gh_stream *stream);
    /* The output queue is empty again after a write went over the mark. */
    void (*on_drain)(struct gh_stream *stream);
    /* The stream is dead (reset, TLS failure, connect failure). Close it. */
    void (*on_error)(struct gh_stream *stream, enum gh_err err);
    /* After gh_stream_close: the memory is the owner's alone again. Always asynchronous. */
    void (*on_closed)(struct gh_stream *stream);
};

struct gh_stream {
    struct gh_watch watch; /* first */
    struct gh_loop *loop;
    const struct gh_stream_events *events;
    struct gh_stream_tls *tls;          /* NULL: plain */
    struct gh_stream_queue *queue;      /* NULL: nothing queued */
    uint64_t bytes_read, bytes_written; /* of the application */
    struct gh_stream *deferred_next;    /* in a list of the loop's: something to do, or closed */
    bool reading : 1;                   /* the owner wants bytes */
    bool receiving : 1;                 /* bytes of the socket are wanted */
    bool connecting : 1, eof : 1, failed : 1, closing : 1, deferred : 1, error_told : 1;
    bool drain_wanted : 1, close_when_flushed : 1, fin_sent : 1, write_failed : 1;
    bool reset : 1; /* a write was told of it, so that no read will be */
    uint8_t error;  /* enum gh_err, when failed or write_failed */
};

/* Connects to `path` (Unix) when it is not NULL, else to ip:port. `tls` NULL: plain; else
   `server_name` is checked against the certificate and sent as SNI (unless it is an address).
   on_open or on_error follows. A failure returned here (GH_ERR_IO when not even a socket could be
   had, GH_ERR_MEMORY, GH_ERR_INVALID for a path too long) leaves the stream as if never opened: no
   callback comes, and it must not be closed. The deadline is the caller's: gh_stream_close. */
GH_MUST_USE enum gh_err gh_stream_connect(struct gh_stream *stream, struct gh_loop *loop,
                                          const struct gh_stream_events *events,
                                          const struct gh_ip *ip, uint16_t port, const char *path,
                                          struct gh_tls_client *tls, const char *server_name);

/* Starts and stops on_read. Every stream starts stopped, before on_open too. Idempotent. A stopped
   stream does not notice that its peer has gone. */
void gh_stream_read_start(struct gh_stream *stream);
void gh_stream_read_stop(struct gh_stream *stream);

/* True: the peer keeps up. False: over the high-water mark (or dead), pause until on_drain.
   At most 16 slices. Failures come later through on_error, never inside this call. Before on_open
   only a plain stream may be written to. After gh_stream_shutdown: false, and nothing is sent. */
bool gh_stream_write(struct gh_stream *stream, const struct gh_str *slices, size_t count);
size_t gh_stream_queued(const struct gh_stream *stream);

/* Closes at once, dropping what is queued. Idempotent. */
void gh_stream_close(struct gh_stream *stream);
/* The same, and the peer sees an error and not an end: RST, where there is one (TCP). */
void gh_stream_reset(struct gh_stream *stream);
/* Sends what is queued, then (TLS: close_notify and) FIN, then calls on_drain, never inside this
   call; reading goes on, so that the owner can linger. Idempotent. */
void gh_stream_shutdown(struct gh_stream *stream);

/* Why TLS failed, for logs ("certificate verify failed: hostname mismatch"); empty when it has not.
   A static text, valid from on_error until gh_stream_close. */
const char *gh_stream_tls_error(const struct gh_stream *stream);

/* The TLS facts of an open stream; all empty or -1 when plain. */
bool gh_stream_is_tls(const struct gh_stream *stream);
struct gh_str gh_stream_alpn(const struct gh_stream *stream);
struct gh_str gh_stream_sni(const struct gh_stream *stream);
/* Index of the server pair in use; see gh_tls_server_pair_for. */
int gh_stream_tls_pair(const struct gh_stream *stream);
const struct gh_tls_server *gh_stream_tls_server(const struct gh_stream *stream);

/* Begins TLS as the server on an accepted, plain stream (at accept, or after a PROXY header of
   which `leftover` bytes were read too many). Reading is stopped for the owner; the handshake reads
   by itself. on_open or on_error follows, never inside this call. */
GH_MUST_USE enum gh_err gh_stream_start_tls(struct gh_stream *stream, struct gh_tls_server *server,
                                            struct gh_str leftover);

/* ---- Listening ---- */

struct gh_listener;

/* "127.0.0.1:8080", "[::1]:8443", "0.0.0.0:80", "unix:/run/x.sock"; "localhost" is 127.0.0.1, and
   ":80" and "*:80" are 0.0.0.0 (all of IPv4; "[::]:80" is all of IPv6 and nothing else). */
struct gh_listen_address {
    struct gh_ip ip;
    uint16_t port;
    const char *path; /* not NULL: Unix socket */
};
bool gh_listen_address_parse(struct gh_str text, struct gh_arena *arena,
                             struct gh_listen_address *out_address);

/*
 * Creates, binds (SO_REUSEADDR; SO_REUSEPORT for IP) and listens. The descriptor is set
 * non-blocking and close-on-exec. On failure *out_message says what to do ("address in use", ...).
 */
GH_MUST_USE enum gh_err gh_listen_socket_open(const struct gh_listen_address *address,
                                              struct gh_arena *arena, int *out_fd,
                                              struct gh_str *out_message);
/*
 * GH_ERR_IO when something listens on the address already: SO_REUSEPORT would let a second process
 * of the same user take half of the connections without a word. Asked once, before the first socket
 * of an address; nothing to ask for Unix sockets.
 */
GH_MUST_USE enum gh_err gh_listen_address_check(const struct gh_listen_address *address,
                                                struct gh_arena *arena, struct gh_str *out_message);

/*
 * on_accept is called for each new connection: returns the stream to accept into (memory of the
 * owner), or NULL to refuse (the connection is accepted and closed at once). `on_accepted` follows
 * with the stream ready but not reading; `peer` is GH_IP_NONE for Unix sockets.
 */
struct gh_listener_events {
    struct gh_stream *(*on_accept)(void *owner, struct gh_listener *listener);
    void (*on_accepted)(void *owner, struct gh_listener *listener, struct gh_stream *stream,
                        const struct gh_ip *peer, uint16_t peer_port);
};

/* Accepts on `fd` (taken over). `stream_events` serve the accepted streams. When the process is out
   of descriptors, accepting pauses for 100 ms instead of spinning. */
GH_MUST_USE enum gh_err gh_listener_open(struct gh_loop *loop, int fd, bool is_unix,
                                         const struct gh_listener_events *events, void *owner,
                                         const struct gh_stream_events *stream_events,
                                         struct gh_listener **out_listener);
/* Takes the connections that wait already, then accepts no more and frees the listener later. */
void gh_listener_close(struct gh_listener *listener);

#endif
