/*
 * What is simulated: how many of what, and which faults are planted into the program itself, so
 * that a test can see its checks fail.
 */
#ifndef GH_SCALE_SHAPE_H
#define GH_SCALE_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

enum scale_plant {
    SCALE_PLANT_NONE,
    SCALE_PLANT_FORGET, /* shards lose their memory now and then and nobody is told */
    SCALE_PLANT_OPEN,   /* a node whose shard is away admits everything */
    SCALE_PLANT_CHATTY, /* each question is asked twice */
    SCALE_PLANT_DEAF, /* a node does not read back after it was cut off, and never asks the store */
};

struct scale_shape {
    uint64_t seed;
    uint32_t nodes, clients, shards;
    uint32_t seconds;
    uint32_t node_requests_per_s;
    uint32_t revocations_per_s;
    uint32_t deadline_ms;
    uint32_t round_trip_us; /* the median */
    enum scale_plant plant;
};

/* Shards below this number have a fault each (fleet.h), as far as there are as many. */
#define SCALE_FAULTY_SHARDS 6
#define SCALE_SHARDS_MAX    64
#define SCALE_NODES_MAX     1000

#endif
