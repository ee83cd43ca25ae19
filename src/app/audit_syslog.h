/* Messages to syslog: datagrams to a local socket or over UDP (RFC 5426), or over TCP with counted
   octets (RFC 6587 section 3.4.1). Messages are RFC 5424's already. */
#ifndef GH_APP_AUDIT_SYSLOG_H
#define GH_APP_AUDIT_SYSLOG_H

#include "app/audit_destination.h"

/* As gh_audit_deliver. Connects for each call; waits 10 seconds at most. */
GH_MUST_USE enum gh_err gh_audit_syslog_send(const struct gh_audit_destination *destination,
                                             const struct gh_str *messages, size_t count,
                                             struct gh_arena *arena, struct gh_str *out_detail);

#endif
