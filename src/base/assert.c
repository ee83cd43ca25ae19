#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void gh_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "gatehouse: internal error: %s at %s:%d\n", condition, file, line);
    abort();
}
