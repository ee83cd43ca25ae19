/* One small document around a schema, linted, for tests of rules and of fixing. */
#ifndef GH_OPENAPI_LINT_FIXTURE_H
#define GH_OPENAPI_LINT_FIXTURE_H

#include "openapi/fix.h"
#include "openapi/load_fixture.h"

struct gh_test_lint {
    struct gh_test_load load;
    struct gh_test_text texts[2];
    struct gh_lint_options options;
    const struct gh_lint_report *report;
    const char *name; /* of the file; NULL: a.yaml */
};

/* A document of which all is well but what is given: `body` is the schema of the request body of
   `POST /things`, in flow style, `components` their schemas ("Pet: {...}") or "". */
void gh_test_lint_body(struct gh_test_lint *lint, const char *version, const char *body,
                       const char *components);
void gh_test_lint_text(struct gh_test_lint *lint, const char *text);
void gh_test_lint_done(struct gh_test_lint *lint);
/* Of that rule; NULL: none. */
const struct gh_lint_finding *gh_test_lint_find(const struct gh_test_lint *lint,
                                                enum gh_lint_rule rule);
size_t gh_test_lint_count(const struct gh_test_lint *lint, enum gh_lint_rule rule);
/* The constrained copy, ended by a NUL; lives in the load's arena. */
const char *gh_test_lint_fix(struct gh_test_lint *lint);

#endif
