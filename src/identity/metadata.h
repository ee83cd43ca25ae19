/* Metadata of audit records (a JSON object each), as several files of identity write it. */
#ifndef GH_IDENTITY_METADATA_H
#define GH_IDENTITY_METADATA_H

#include "identity/identity.h"

/* Who acts: "command", or the id of the caller; empty: nobody who is known. */
struct gh_str gh_metadata_actor(const struct gh_identity_call *call);
/* {"by":"..."} in the call's arena; ptr NULL: it is full. */
struct gh_str gh_metadata_by(const struct gh_identity_call *call);

#endif
