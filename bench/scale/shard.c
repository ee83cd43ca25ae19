#include "shard.h"

struct scale_schedule scale_schedule_of(const struct scale_shape *shape, uint32_t shard)
{
    const uint32_t from = scale_fault_from_ms(shape), until = from + SCALE_FAULT_MS;
    const uint32_t middle = from + SCALE_FAULT_MS / 2;
    enum scale_fault fault = shard < SCALE_FAULT_NONE ? (enum scale_fault)shard : SCALE_FAULT_NONE;
    switch (fault) {
    case SCALE_FAULT_AWAY:
        return (struct scale_schedule){from, until, SCALE_REACH_REFUSED, 0};
    case SCALE_FAULT_CUT:
        return (struct scale_schedule){from, until, SCALE_REACH_SILENT, 0};
    case SCALE_FAULT_SLOW:
        return (struct scale_schedule){from, until, SCALE_REACH_SLOW, 0};
    case SCALE_FAULT_RESTART:
        return (struct scale_schedule){middle, middle + 500, SCALE_REACH_REFUSED, middle + 500};
    case SCALE_FAULT_FLUSH:
        return (struct scale_schedule){0, 0, SCALE_REACH_WELL, middle};
    case SCALE_FAULT_REPLACED:
        return (struct scale_schedule){from, middle, SCALE_REACH_REFUSED, middle};
    case SCALE_FAULT_NONE:
    case SCALE_FAULT_COUNT:
        break;
    }
    return (struct scale_schedule){0};
}

void scale_link_lose(struct scale_link *link, uint32_t now_ms, struct scale_random *random)
{
    uint32_t most_ms = SCALE_BACKOFF_MIN_MS << (link->failures < 6 ? link->failures : 6);
    if (most_ms > SCALE_BACKOFF_MAX_MS)
        most_ms = SCALE_BACKOFF_MAX_MS;
    link->failures++;
    link->away_until_ms = now_ms + 1 + scale_random_below(random, most_ms);
}

bool scale_link_up(struct scale_link *link, const struct scale_schedule *schedule, uint32_t now_ms,
                   struct scale_random *random)
{
    while (link->away_until_ms && link->away_until_ms <= now_ms) {
        uint32_t tried_ms = link->away_until_ms;
        enum scale_reach reach = scale_reach_at(schedule, tried_ms);
        if (reach == SCALE_REACH_WELL || reach == SCALE_REACH_SLOW)
            *link = (struct scale_link){0};
        else if (reach == SCALE_REACH_SILENT)
            scale_link_lose(link, tried_ms + SCALE_CONNECT_TIMEOUT_MS, random);
        else
            scale_link_lose(link, tried_ms, random);
    }
    return link->away_until_ms == 0;
}
