/*
 * A second place for the log: a file, syslog, or a URL that takes POSTs. Parsing a destination, and
 * delivering to one: blocking, for a thread of its own; what comes back is known to be delivered as
 * far as the protocol can tell (a datagram can't).
 */
#ifndef GH_APP_AUDIT_DESTINATION_H
#define GH_APP_AUDIT_DESTINATION_H

#include <stdatomic.h>

#include "app/redis_target.h"
#include "base/arena.h"
#include "base/err.h"

enum gh_audit_place {
    GH_AUDIT_PLACE_FILE,
    GH_AUDIT_PLACE_SYSLOG_LOCAL, /* a Unix socket of datagrams: path */
    GH_AUDIT_PLACE_SYSLOG_UDP,
    GH_AUDIT_PLACE_SYSLOG_TCP,
    GH_AUDIT_PLACE_SYSLOG_TLS,
    GH_AUDIT_PLACE_WEBHOOK,
    GH_AUDIT_PLACE_REDIS,
};

struct gh_audit_destination {
    enum gh_audit_place place;
    struct gh_str text; /* as written, for messages; without a password */
    struct gh_str path; /* FILE, SYSLOG_LOCAL; NUL behind it */
    struct gh_str host; /* SYSLOG_UDP, _TCP, _TLS: a name or address; NUL behind it */
    uint16_t port;
    struct gh_str url;                   /* WEBHOOK */
    struct gh_str stream;                /* REDIS: its key */
    uint64_t length_max;                 /* REDIS: of the stream, about */
    const struct gh_redis_target *redis; /* REDIS: set by whoever delivers; NULL: there is none */
    bool in_clear;                       /* it goes over a network without TLS */
};

/*
 * file:PATH, syslog:, syslog:/PATH, syslog:udp://HOST:PORT, syslog:tcp://HOST:PORT,
 * syslog:tls://HOST[:PORT], redis:STREAM[?maxlen=N], https://..., http://...; texts live in
 * `arena`. False: *out_why is a sentence for the one who wrote it.
 */
bool gh_audit_destination_parse(struct gh_str text, struct gh_arena *arena,
                                struct gh_audit_destination *out, const char **out_why);

/*
 * Delivers messages in their order; all or, where it fails in between, those before it once more.
 * FILE: appended as they are, and synced. SYSLOG: one datagram each, or counted octets (RFC 6587,
 * 5425).
 * REDIS: entries of a stream (audit_redis.h).
 * WEBHOOK: one POST of the first message; the caller gives one only. *out_detail (in `arena`) says
 * what went wrong, for the log. `stop`: true ends a transfer by HTTP or TLS
 * early.
 */
GH_MUST_USE enum gh_err gh_audit_deliver(const struct gh_audit_destination *destination,
                                         const struct gh_str *messages, size_t count,
                                         const atomic_bool *stop, struct gh_arena *arena,
                                         struct gh_str *out_detail);

#endif
