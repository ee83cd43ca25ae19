/*
 * When the process ends: who waits for a server that does not answer gives up soon, so that ending
 * takes some seconds and not many deadlines one after another. A server that answers is not
 * noticed.
 */
#ifndef GH_STORE_POSTGRES_HASTE_H
#define GH_STORE_POSTGRES_HASTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gh_postgres_haste {
    atomic_llong since_ms; /* monotonic; 0: there is none */
};

void gh_postgres_haste_begin(struct gh_postgres_haste *haste);
/* False too where there is none to ask (NULL). */
bool gh_postgres_haste_is_on(const struct gh_postgres_haste *haste);
/* What was to be tried until then is tried no more. */
bool gh_postgres_haste_is_late(const struct gh_postgres_haste *haste, int64_t until_ms);
/* An answer that was to come until then is waited for until: */
int64_t gh_postgres_haste_bound(const struct gh_postgres_haste *haste, int64_t until_ms);

#endif
