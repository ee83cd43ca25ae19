/* How accounts are found by their address. */
#ifndef GH_IDENTITY_ADDRESS_H
#define GH_IDENTITY_ADDRESS_H

#include "identity/identity.h"

/* The key of a normalised address: a keyed hash of it in lower case. */
void gh_address_index(const struct gh_identity_call *call, struct gh_str email,
                      uint8_t out[GH_SHA256_BYTES]);

#endif
