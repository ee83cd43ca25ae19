#include "crypto/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/assert.h"

void gh_random_bytes(void *out, size_t count)
{
    char *at = out;
    while (count) {
        ssize_t got = getrandom(at, count, 0);
        GH_ASSERT(got > 0 || (got < 0 && errno == EINTR));
        if (got > 0) {
            at += got;
            count -= (size_t)got;
        }
    }
}

static void fill_from_kernel(void *context, void *out, size_t count)
{
    (void)context;
    gh_random_bytes(out, count);
}

const struct gh_random gh_kernel_random = {.fill = fill_from_kernel};
