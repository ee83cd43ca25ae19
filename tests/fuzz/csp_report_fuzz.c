/* Reports of browsers: names that come out are directives that there are, whatever goes in. */
#include "base/assert.h"
#include "policy/csp.h"
#include "policy/csp_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_arena arena;
    struct gh_str directives[GH_CSP_REPORTS_MAX];
    gh_arena_init(&arena, 16384, 4 * 1024 * 1024);
    size_t count = gh_csp_report_read(&arena, gh_str_of((const char *)data, size), directives);
    GH_ASSERT(count <= GH_CSP_REPORTS_MAX);
    for (size_t i = 0; i < count; i++)
        GH_ASSERT(gh_str_eq(directives[i], GH_STR("other")) || gh_csp_directive(directives[i]).len);
    gh_arena_done(&arena);
    return 0;
}
