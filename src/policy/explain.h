/* Words for what a stage decided, for `gatehouse explain`. */
#ifndef GH_POLICY_EXPLAIN_H
#define GH_POLICY_EXPLAIN_H

#include "policy/policy.h"

/* Longer texts are cut. */
#define GH_EXPLAIN_BYTES_MAX 1024

/* Says in a sentence what `stage` found; to be called right after it ran. */
void gh_explain_stage(const struct gh_request *request, enum gh_stage stage,
                      struct gh_verdict verdict, bool observed, struct gh_buf *out);

#endif
