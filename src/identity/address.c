#include "identity/address.h"

#define ADDRESS_BYTES_MAX 254 /* RFC 5321 section 4.5.3.1.3, less the angle brackets */

void gh_address_index(const struct gh_identity_call *call, struct gh_str email,
                      uint8_t out[GH_SHA256_BYTES])
{
    char lower[ADDRESS_BYTES_MAX];
    size_t len = email.len < sizeof(lower) ? email.len : sizeof(lower);
    for (size_t i = 0; i < len; i++)
        lower[i] = gh_ascii_lower(email.ptr[i]);
    gh_vault_index(call->identity->vault, "accounts.email", gh_str_of(lower, len), out);
}
