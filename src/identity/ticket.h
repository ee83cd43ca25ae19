/*
 * Tickets: one-time tokens of 256 bits behind links of mails and challenges of logins. The store
 * holds keyed hashes of them, so that a copy of it opens nothing.
 */
#ifndef GH_IDENTITY_TICKET_H
#define GH_IDENTITY_TICKET_H

#include "identity/identity.h"

#define GH_LINK_LIFE_US      (15ull * 60 * 1000000)
#define GH_CHALLENGE_LIFE_US (5ull * 60 * 1000000)
#define GH_CHALLENGE_TRIES   5

struct gh_ticket_request {
    enum gh_ticket_purpose purpose;
    struct gh_str account; /* empty: none */
    struct gh_str data;    /* in clear, sealed inside; empty: none */
    uint64_t life_us;
};
/* Makes one inside a unit. All but challenges replace older ones of that account and purpose. */
enum gh_err gh_ticket_issue(struct gh_tx *tx, const struct gh_identity_call *call,
                            const struct gh_ticket_request *request, struct gh_str *out_token);
/* GH_ERR_NOT_FOUND: unknown, used, run out, or of another purpose. out_ticket->data is in clear. */
enum gh_err gh_ticket_find(struct gh_tx *tx, const struct gh_identity_call *call,
                           struct gh_str token, enum gh_ticket_purpose purpose,
                           struct gh_ticket *out_ticket);
/* A wrong try at it; with the last of `tries_max` it is gone. */
enum gh_err gh_ticket_missed(struct gh_tx *tx, const struct gh_ticket *ticket, unsigned tries_max);

#endif
