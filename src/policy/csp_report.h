/*
 * What browsers say of a Content-Security-Policy that was violated: the older form
 * (application/csp-report, CSP Level 2) and that of the Reporting API (application/reports+json).
 * Anyone can send them, so nothing of a report is taken but the directive's name, and that only
 * where it is one.
 */
#ifndef GH_POLICY_CSP_REPORT_H
#define GH_POLICY_CSP_REPORT_H

#include "base/arena.h"

/* Reports of one body; more are passed over. */
#define GH_CSP_REPORTS_MAX 32

/* The directives that a body reports, a name for each report; "other": it names none that there is.
   Returns their number, 0 where the body is no report. Names are literals. */
size_t gh_csp_report_read(struct gh_arena *arena, struct gh_str body,
                          struct gh_str out_directives[GH_CSP_REPORTS_MAX]);

#endif
