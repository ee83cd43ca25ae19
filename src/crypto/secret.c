#include "crypto/secret.h"

#include <sodium.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* sodium_malloc locks, keeps out of dumps and guards. What it can't: a child that is made later
   gets no copy; it would be neither locked nor wiped there. */
void *gh_secret_alloc(size_t bytes)
{
    unsigned char *secret = sodium_malloc(bytes);
    if (!secret)
        return NULL;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)secret & ~(page - 1);
    uintptr_t end = ((uintptr_t)secret + bytes + page - 1) & ~(page - 1);
    (void)madvise((void *)first, end - first, MADV_DONTFORK);
    sodium_memzero(secret, bytes);
    return secret;
}

struct gh_str gh_secret_dup(struct gh_str bytes)
{
    char *secret = bytes.len ? gh_secret_alloc(bytes.len) : NULL;
    if (secret)
        memcpy(secret, bytes.ptr, bytes.len);
    return (struct gh_str){secret, secret ? bytes.len : 0};
}

void gh_secret_free(void *secret)
{
    sodium_free(secret); /* wipes */
}
