/*
 * Numbers that look random and are the same for the same seed: splitmix64 (Steele, Lea and Flood,
 * "Fast splittable pseudorandom number generators", 2014), and what is drawn from it.
 */
#ifndef GH_SCALE_RANDOM_H
#define GH_SCALE_RANDOM_H

#include <math.h>
#include <stdint.h>

struct scale_random {
    uint64_t state;
};

/* A bijection that leaves no pattern: also the hash of ids, which nobody chooses here. */
static inline uint64_t scale_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline uint64_t scale_random_next(struct scale_random *random)
{
    uint64_t drawn = scale_mix(random->state);
    random->state += 0x9e3779b97f4a7c15u;
    return drawn;
}

/* Another stream for each purpose, so that one more draw here moves nothing there. */
static inline struct scale_random scale_random_stream(uint64_t seed, uint64_t purpose)
{
    return (struct scale_random){scale_mix(seed ^ scale_mix(purpose))};
}

/* Of [0, 1). */
static inline double scale_random_unit(struct scale_random *random)
{
    return (double)(scale_random_next(random) >> 11) * 0x1p-53;
}

static inline uint32_t scale_random_below(struct scale_random *random, uint32_t count)
{
    return (uint32_t)((scale_random_next(random) >> 32) * count >> 32);
}

/* Time to the next of independent events. */
static inline double scale_random_wait(struct scale_random *random, double mean)
{
    return -log(1.0 - scale_random_unit(random)) * mean;
}

#endif
