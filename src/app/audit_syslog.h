/* Messages to syslog: datagrams to a local socket or over UDP (RFC 5426), or over TCP (RFC 6587
   section 3.4.1) or TLS (RFC 5425) with counted octets. Messages are RFC 5424's already. */
#ifndef GH_APP_AUDIT_SYSLOG_H
#define GH_APP_AUDIT_SYSLOG_H

#include "app/audit_destination.h"

/*
 * As gh_audit_deliver. Connects for each call, because only the end of a connection tells that the
 * other side has read all; waits 10 seconds at most in which nothing moves, and over TLS a minute
 * in all. `stop` is for TLS.
 */
GH_MUST_USE enum gh_err gh_audit_syslog_send(const struct gh_audit_destination *destination,
                                             const struct gh_str *messages, size_t count,
                                             const atomic_bool *stop, struct gh_arena *arena,
                                             struct gh_str *out_detail);

#endif
