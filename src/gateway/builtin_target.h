/* The answers of built-in targets that need a fact of the running process: probes, metrics, files
   for ACME, the CSP report endpoint. */
#ifndef GH_GATEWAY_BUILTIN_TARGET_H
#define GH_GATEWAY_BUILTIN_TARGET_H

#include "gateway/worker.h"

/* Fills request->reply for request->target (not GH_TARGET_UPSTREAM). */
void gh_builtin_target_answer(struct gh_worker *worker, struct gh_request *request);

#endif
