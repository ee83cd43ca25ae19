#include "gateway/body_budget.h"

/* Of the budget, that one client may have when less than half is left. */
#define SCARCE_SHARE 16

static enum gh_client_entry count(struct gh_body_budget *budget, const struct gh_ip *client,
                                  size_t bytes)
{
    uint64_t max = gh_body_budget_is_scarce(budget) ? budget->max / SCARCE_SHARE : UINT64_MAX;
    return gh_client_count_add(budget->clients, client, bytes, max);
}

bool gh_body_budget_take_for(struct gh_body_budget *budget, const struct gh_ip *client,
                             size_t bytes, size_t *counted)
{
    if (!gh_body_budget_take(budget, bytes))
        return false;
    if (!budget->clients || !client)
        return true;
    switch (count(budget, client, bytes)) {
    case GH_CLIENT_REFUSED:
        gh_body_budget_give(budget, bytes);
        return false;
    case GH_CLIENT_COUNTED:
        *counted += bytes;
        break;
    case GH_CLIENT_UNCOUNTED:
        break;
    }
    return true;
}

bool gh_body_budget_charge_for(struct gh_body_budget *budget, const struct gh_ip *client,
                               size_t bytes, size_t *counted)
{
    if (gh_body_budget_take_for(budget, client, bytes, counted))
        return true;
    atomic_fetch_add_explicit(&budget->taken, bytes, memory_order_relaxed);
    if (budget->clients && client &&
        gh_client_count_add(budget->clients, client, bytes, UINT64_MAX) == GH_CLIENT_COUNTED)
        *counted += bytes;
    return false;
}

void gh_body_budget_give_for(struct gh_body_budget *budget, const struct gh_ip *client,
                             size_t bytes, size_t counted)
{
    gh_body_budget_give(budget, bytes);
    if (counted)
        gh_client_count_remove(budget->clients, client, counted);
}
