/* Reads times as the log writes them (gh_audit_put_time). */
#ifndef GH_AUDIT_TIME_TEXT_H
#define GH_AUDIT_TIME_TEXT_H

#include "base/str.h"

/* The last microsecond of the year 9999: later times have no such text. */
#define GH_AUDIT_TIME_US_MAX UINT64_C(253402300799999999)

/* "2026-01-31T23:59:59.123456Z", of 1970 or later, exactly so; leap seconds are refused. */
bool gh_audit_parse_time(struct gh_str text, uint64_t *out_time_us);

#endif
