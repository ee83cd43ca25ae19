/* Randomness from the kernel, and as a value that tests can replace. */
#ifndef GH_CRYPTO_RANDOM_H
#define GH_CRYPTO_RANDOM_H

#include <stddef.h>

/* Fills `out`. Never fails: without randomness the process ends. From any thread. */
void gh_random_bytes(void *out, size_t count);

/* A source of randomness that is passed in. */
struct gh_random {
    void (*fill)(void *context, void *out, size_t count);
    void *context;
};
/* gh_random_bytes as a value. */
extern const struct gh_random gh_kernel_random;

static inline void gh_random_fill(const struct gh_random *random, void *out, size_t count)
{
    random->fill(random->context, out, count);
}

#endif
