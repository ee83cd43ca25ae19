/*
 * Accounts that a sign-up has made and nobody has confirmed within a week: they go, where addresses
 * are confirmed at all. Imported accounts, and those that an operator added, wait for their owner.
 */
#ifndef GH_IDENTITY_UNCONFIRMED_H
#define GH_IDENTITY_UNCONFIRMED_H

#include "identity/identity.h"

#define GH_UNCONFIRMED_ROWS 500

/* Looks at GH_UNCONFIRMED_ROWS accounts behind *cursor (empty text: from the start) and removes
   those whose time is over, each with its record. Moves *cursor; *out_more: there are accounts
   behind it.
 */
enum gh_identity_result gh_unconfirmed_drop(struct gh_identity_call *call, struct gh_id *cursor,
                                            bool *out_more);

#endif
