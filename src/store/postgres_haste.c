#include "store/postgres_haste.h"

#include "store/postgres_connection.h"

#define PATIENCE_MS 3000
/* A server that is well answers within this, however late it is. */
#define LEAST_MS 300

void gh_postgres_haste_begin(struct gh_postgres_haste *haste)
{
    long long none = 0;
    atomic_compare_exchange_strong(&haste->since_ms, &none, (long long)gh_postgres_now_ms());
}

bool gh_postgres_haste_is_on(const struct gh_postgres_haste *haste)
{
    return haste && atomic_load(&haste->since_ms) != 0;
}

static int64_t end_of(const struct gh_postgres_haste *haste)
{
    return (int64_t)atomic_load(&haste->since_ms) + PATIENCE_MS;
}

bool gh_postgres_haste_is_late(const struct gh_postgres_haste *haste, int64_t until_ms)
{
    int64_t now_ms = gh_postgres_now_ms();
    return now_ms >= until_ms || (gh_postgres_haste_is_on(haste) && now_ms >= end_of(haste));
}

int64_t gh_postgres_haste_bound(const struct gh_postgres_haste *haste, int64_t until_ms)
{
    if (!gh_postgres_haste_is_on(haste))
        return until_ms;
    int64_t least_ms = gh_postgres_now_ms() + LEAST_MS;
    int64_t end_ms = end_of(haste) > least_ms ? end_of(haste) : least_ms;
    return end_ms < until_ms ? end_ms : until_ms;
}
