/*
 * Sign-ups with an address that nobody has confirmed yet. Whoever knows an address may sign up with
 * it, so a sign-up changes nothing that is there: its password and name travel, sealed, in its own
 * mail and the ticket behind its link, and the link that is used decides.
 */
#ifndef GH_IDENTITY_CLAIM_H
#define GH_IDENTITY_CLAIM_H

#include "identity/identity.h"

/* What a link of a sign-up carries (gh_outbox_put's data). ptr NULL: the arena is full. */
struct gh_str gh_claim_text(struct gh_arena *arena, struct gh_str password_hash,
                            struct gh_str name);
/* Inside the unit of a sign-up with an address that has an account: from now on a link without a
   password of its own (one that was sent again) confirms no password at all. */
enum gh_err gh_claim_contest(struct gh_tx *tx, const struct gh_identity_call *call,
                             const struct gh_account *there);
/* Inside the unit that confirms, while the account is unconfirmed still: the password and name that
   it has from then on. An account with other roles than those of a sign-up, with a second factor or
   with a login keeps what it has: it was given to somebody. `data`: of the ticket. Changes *account
   only. */
enum gh_err gh_claim_settle(struct gh_tx *tx, const struct gh_identity_call *call,
                            struct gh_str data, struct gh_account *account);

#endif
