#include "turns.h"

#include "random.h"

#define REQUESTS 200000u

double scale_turns_measure(uint64_t seed, uint32_t shards, double load)
{
    struct scale_random random = scale_random_stream(seed, 100 + shards);
    struct scale_turns turns = {0};
    double now_ns = 0;
    uint64_t writes = 0;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        now_ns += scale_random_wait(&random, SCALE_REQUEST_NS / load);
        scale_turns_take(&turns, (uint64_t)now_ns);
        writes += scale_turns_ask(&turns, scale_random_below(&random, shards));
    }
    return (double)REQUESTS / (double)writes;
}
