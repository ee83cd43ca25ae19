/* Addresses: what is taken is one mailbox, can stand in a mail's head, and is normal already. */
#include "base/assert.h"
#include "identity/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_str text = gh_str_of((const char *)data, size), email, again;
    struct gh_arena arena;
    gh_arena_init(&arena, 4096, 64 * 1024);
    if (gh_email_normalise(&arena, text, &email)) {
        size_t at = gh_str_find_char(email, '@');
        GH_ASSERT(email.len <= 254 && at > 0 && at <= 64 && at + 1 < email.len);
        for (size_t i = 0; i < email.len; i++) {
            char c = email.ptr[i];
            GH_ASSERT(c > ' ' && c < 0x7f && !strchr("<>()[],;:\\\"", c));
            GH_ASSERT(i == at || c != '@');
            GH_ASSERT(i < at || c == gh_ascii_lower(c));
        }
        GH_ASSERT(gh_str_ieq(gh_str_trim_ows(text), email));
        GH_ASSERT(gh_email_normalise(&arena, email, &again) && gh_str_eq(email, again));
    }
    gh_arena_done(&arena);
    return 0;
}
