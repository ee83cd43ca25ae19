/*
 * What the audit log is told of requests: refusals, reports of browsers, and how many requests
 * somebody made. All of it goes into the worker's tally (audit/tally.h); without one, where
 * identity is off, nothing is done.
 */
#ifndef GH_GATEWAY_REFUSAL_H
#define GH_GATEWAY_REFUSAL_H

#include "gateway/exchange.h"

/* At the end of an exchange, beside its log line. */
void gh_refusal_note(const struct gh_exchange *exchange);
/* The body of a report to the CSP endpoint, as it came. */
void gh_refusal_note_report(struct gh_worker *worker, struct gh_request *request);

/* An answer that is not what the API's document declares. */
void gh_refusal_note_answer(const struct gh_exchange *exchange);

/* A client that asked for too much of `what` beside its requests, whose connection was ended. */
void gh_refusal_note_flood(struct gh_worker *worker, const struct gh_ip *client,
                           struct gh_str what);

#endif
