/* Words for what a stage decided, for `gatehouse explain`. */
#ifndef GH_POLICY_EXPLAIN_H
#define GH_POLICY_EXPLAIN_H

#include "policy/policy.h"

/* Longer texts are cut. */
#define GH_EXPLAIN_BYTES_MAX 1024

/* False: at this turn the stage has nothing to do for the request. */
bool gh_explain_concerns(const struct gh_request *request, enum gh_stage stage, unsigned turn);
/* Says in a sentence what `stage` found; to be called right after it ran. `turn`: of RATE an enum
   gh_rate_point, of SIZE 1 for the body that is asked for, else 0. */
void gh_explain_stage(const struct gh_request *request, enum gh_stage stage, unsigned turn,
                      struct gh_verdict verdict, bool observed, struct gh_buf *out);

#endif
