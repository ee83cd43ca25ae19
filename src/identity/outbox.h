/*
 * Mail: queued in the transaction that causes it, made and sent later by one sender, tried again
 * with growing pauses until it is too old to matter. What a mail links to is made when it is sent:
 * a queue entry for an unknown address costs a caller as much as one for a known one.
 */
#ifndef GH_IDENTITY_OUTBOX_H
#define GH_IDENTITY_OUTBOX_H

#include "identity/identity.h"

enum gh_mail_kind {
    GH_MAIL_CONFIRM,        /* link: confirm the address of a new account */
    GH_MAIL_ALREADY,        /* somebody signed up with an address that has an account */
    GH_MAIL_CHANGE_CONFIRM, /* link: confirm the new address */
    GH_MAIL_CHANGE_NOTICE,  /* to the old address */
    GH_MAIL_RESET,          /* link, if there is an account */
    GH_MAIL_PASSWORD_CHANGED,
    GH_MAIL_TWO_FACTOR_ON,
    GH_MAIL_TWO_FACTOR_OFF,
    GH_MAIL_RECOVERY_USED,
    GH_MAIL_SESSION_REUSED,
    GH_MAIL_DELETED,
};

/* In a unit. `account` may be empty (RESET: found when it is sent). `data`, sealed inside:
   CHANGE_CONFIRM: the new address; CONFIRM: what gh_claim_text gave, or empty. */
enum gh_err gh_outbox_put(struct gh_tx *tx, const struct gh_identity_call *call,
                          enum gh_mail_kind kind, struct gh_str account, struct gh_str email,
                          struct gh_str data);

/* The page of the app that a mail of this kind leads to, with the token in the fragment, where
   neither servers nor scanners of mail see it. In the call's arena; ptr NULL: it is full. */
struct gh_str gh_outbox_link(const struct gh_identity_call *call, enum gh_mail_kind kind,
                             struct gh_str token);

/* Sends, or writes into a folder: the app's. GH_OK; GH_ERR_REFUSED: never again; GH_ERR_CLOSED: it
   was stopped, which is no try; else later. */
struct gh_mailer {
    enum gh_err (*send)(void *context, struct gh_arena *arena, struct gh_str recipient,
                        struct gh_str message_id, struct gh_str message, struct gh_str link);
    void *context;
};
/*
 * Takes one mail that is due, makes it and sends it. OK: sent, or there is nobody to send it to;
 * NOT_FOUND: nothing is due; INVALID: refused for good and removed; UNAVAILABLE: later. Pauses: 10
 * s, 30 s, 2 min, 10 min, 30 min, then each hour; given up after a day (links: made anew at each
 * try). call->subject is NULL here.
 */
enum gh_identity_result gh_outbox_step(struct gh_identity_call *call,
                                       const struct gh_mailer *mailer);

#endif
