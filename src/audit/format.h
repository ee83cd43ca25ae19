/*
 * A record as other systems read it: ArcSight CEF (version 0) and syslog (RFC 5424 with the line of
 * chain.h as its message). JSON Lines are that line itself. Whatever stands in a record, it stays
 * one line, and nobody can write a field or a record of their own: controls and what is not UTF-8
 * become U+FFFD, delimiters are escaped.
 */
#ifndef GH_AUDIT_FORMAT_H
#define GH_AUDIT_FORMAT_H

#include "audit/record.h"
#include "base/err.h"

enum gh_audit_format { GH_AUDIT_JSONL, GH_AUDIT_CEF, GH_AUDIT_SYSLOG };
/* "jsonl", "cef", "syslog". False: none of them. */
bool gh_audit_format_parse(struct gh_str name, enum gh_audit_format *out_format);

/* What one formatted record takes at most. */
#define GH_AUDIT_FORMATTED_BYTES_MAX (128u * 1024)

/*
 * A line without its end. `clear`: the record with personal values, or NULL: without them (a
 * reader can follow `hash` to the row). GH_ERR_FULL: the buffer.
 *   CEF:0|gatehouse|gatehouse|0.1.0|login_failed|A sign-in was refused.|6|rt=... externalId=...
 */
GH_MUST_USE enum gh_err gh_audit_put_cef(struct gh_buf *buf, const struct gh_audit_row *row,
                                         const struct gh_audit_record *clear);

struct gh_audit_syslog_origin {
    struct gh_str host; /* HOSTNAME; empty: "-" */
    uint64_t pid;       /* PROCID; 0: "-" */
};
/*
 * A message of RFC 5424 without framing (RFC 6587 counts octets before it): facility 13 (log
 * audit), MSGID the event, structured data with seq, outcome, the chain
 * where it is not 1, ids and hashes, and as its text
 * `line`, what gh_audit_put_line wrote (its newline is cut). GH_ERR_FULL: the buffer.
 */
GH_MUST_USE enum gh_err gh_audit_put_syslog(struct gh_buf *buf, const struct gh_audit_row *row,
                                            const struct gh_audit_syslog_origin *origin,
                                            struct gh_str line);

/*
 * The same header without structured data, and CEF as its text:
 *   <108>1 2026-01-31T12:00:00.000000Z HOST gatehouse 42 login_failed - CEF:0|gatehouse|...
 * No mark of UTF-8 before it (to RFC 5424 it is MSG-ANY): collectors look for "CEF:" right behind
 * the header, and common ones (rsyslog) keep the mark as part of the text.
 */
GH_MUST_USE enum gh_err gh_audit_put_syslog_cef(struct gh_buf *buf, const struct gh_audit_row *row,
                                                const struct gh_audit_record *clear,
                                                const struct gh_audit_syslog_origin *origin);

#endif
