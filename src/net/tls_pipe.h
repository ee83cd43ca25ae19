/*
 * Bytes to a server over TLS, one way, blocking: for threads that may wait, never a loop's. The
 * peer's chain and name are verified by the system's store (SSL_CERT_FILE is honoured); TLS 1.2 or
 * newer (BCP 195), no ALPN, no proxy.
 *
 * It is OpenSSL's own, and not a connection of libcurl's, for the sake of finish: libcurl can end a
 * TLS session only by forgetting it, and then nobody knows whether the server has read all.
 */
#ifndef GH_NET_TLS_PIPE_H
#define GH_NET_TLS_PIPE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"

struct gh_tls_pipe_options {
    const char *host; /* a name or an address: the certificate must be for it */
    uint16_t port;
    const char *ca_path;     /* PEM; NULL: the system's */
    uint64_t idle_ms;        /* longest wait in which nothing moves */
    uint64_t timeout_ms;     /* of the pipe's whole life */
    const atomic_bool *stop; /* true: give up within a second, GH_ERR_CLOSED; NULL: never. A name is
                                looked up first, which takes as long as the resolver does */
};

struct gh_tls_pipe;

/*
 * Connects and shakes hands; nothing of the caller's was sent before the peer is known.
 * GH_ERR_TLS: no TLS, or not that peer; GH_ERR_IO: nobody there, or the connection broke;
 * GH_ERR_TIMEOUT. Here and below *out_detail (in `arena`) says why, for the log. The process
 * ignores SIGPIPE.
 */
GH_MUST_USE enum gh_err gh_tls_pipe_open(const struct gh_tls_pipe_options *options,
                                         struct gh_arena *arena, struct gh_tls_pipe **out_pipe,
                                         struct gh_str *out_detail);
/* All of `bytes`. After an error the pipe can only be closed. */
GH_MUST_USE enum gh_err gh_tls_pipe_send(struct gh_tls_pipe *pipe, struct gh_str bytes,
                                         struct gh_arena *arena, struct gh_str *out_detail);
/*
 * Says that this was all, and waits for the peer's answer to it (RFC 5425 section 4.4): GH_OK means
 * that the peer has read to the end. An end of the connection counts as an answer, since common
 * servers (GnuTLS's) give no other; a reset and silence do not.
 */
GH_MUST_USE enum gh_err gh_tls_pipe_finish(struct gh_tls_pipe *pipe, struct gh_arena *arena,
                                           struct gh_str *out_detail);
/* At once, whatever was sent. NULL is fine. */
void gh_tls_pipe_close(struct gh_tls_pipe *pipe);

#endif
