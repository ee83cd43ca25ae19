/*
 * Short blocking transfers over libcurl, which is loaded when the first of them is made: mail by
 * SMTP, a JWK set or a hook over HTTP. For threads of a lane only. No redirects; the protocol is
 * the one that is named; answers are capped; certificates are verified by the system's store
 * (SSL_CERT_FILE is honoured).
 */
#ifndef GH_NET_FETCH_H
#define GH_NET_FETCH_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"

/* Loads libcurl now; false: there is none. For a process that can load nothing later. */
bool gh_fetch_load(void);

/* smtp://user:password@host:587 (STARTTLS demanded unless the host is loopback), smtps://host:465,
   smtp://127.0.0.1:25. */
struct gh_smtp_options {
    struct gh_str url;
    struct gh_str from;      /* the envelope's sender: an address alone */
    struct gh_str recipient; /* an address alone */
    uint64_t timeout_ms;     /* of the whole transfer; 0: 30 s */
    const atomic_bool *stop; /* true: give up within a second, GH_ERR_CLOSED; NULL: never */
};
/* GH_OK: the server has taken it. GH_ERR_REFUSED: it answered with a permanent refusal (5xx) of
   this recipient or message; GH_ERR_IO, GH_ERR_TIMEOUT, GH_ERR_TLS: try again; GH_ERR_INVALID: a
   bad URL or address, or no libcurl. *out_detail (in `arena`) is for the log, without secrets. */
GH_MUST_USE enum gh_err gh_smtp_send(const struct gh_smtp_options *options, struct gh_str message,
                                     struct gh_arena *arena, struct gh_str *out_detail);

struct gh_http_fetch {
    struct gh_str url;    /* http:// or https:// */
    struct gh_str bearer; /* empty: no Authorization */
    struct gh_str body;   /* ptr NULL: GET; else POST as application/json */
    size_t bytes_max;     /* of the answer */
    uint64_t timeout_ms;
    const atomic_bool *stop; /* as above */
};
/* GH_OK with the status and the body whatever the status is. Other errors as above; GH_ERR_FULL:
   the answer was over bytes_max. */
GH_MUST_USE enum gh_err gh_http_fetch(const struct gh_http_fetch *fetch, struct gh_arena *arena,
                                      unsigned *out_status, struct gh_str *out_body,
                                      struct gh_str *out_detail);

#endif
