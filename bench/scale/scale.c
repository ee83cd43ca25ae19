/*
 * A simulation: what many nodes cost when they share limits and revocations, and what is lost when
 * parts of that are. No network; the same seed gives the same tables. It checks its own results and
 * ends with 1 when one is not as docs/scaling.md says.
 *
 *     scale [--quick] [--seed N] [--nodes N] [--clients N] [--shards N] [--plant FAULT]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "store/redis_limits.h"
#include "turns.h"

static const char usage[] = "scale [--quick] [--seed N] [--nodes N] [--clients N] [--shards N]\n"
                            "      [--plant forget|open|chatty|deaf]\n";

static const struct {
    const char *name;
    enum scale_plant plant;
} plants[] = {
    {"forget", SCALE_PLANT_FORGET},
    {"open", SCALE_PLANT_OPEN},
    {"chatty", SCALE_PLANT_CHATTY},
    {"deaf", SCALE_PLANT_DEAF},
};

static bool read_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || number < min || number > max)
        return false;
    *out = number;
    return true;
}

static bool read_plant(const char *name, enum scale_plant *out)
{
    for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
        if (strcmp(name, plants[i].name) == 0) {
            *out = plants[i].plant;
            return true;
        }
    }
    return false;
}

static bool read_option(const char *name, const char *value, struct scale_shape *shape)
{
    uint64_t number = 0;
    bool good;
    if (strcmp(name, "--plant") == 0)
        return read_plant(value, &shape->plant);
    if (strcmp(name, "--seed") == 0)
        return read_number(value, 0, UINT64_MAX, &shape->seed);
    if (strcmp(name, "--nodes") == 0) {
        good = read_number(value, 10, SCALE_NODES_MAX, &number);
        shape->nodes = (uint32_t)number;
    } else if (strcmp(name, "--clients") == 0) {
        good = read_number(value, 10000, 100000000, &number);
        shape->clients = (uint32_t)number;
    } else {
        good = strcmp(name, "--shards") == 0 && read_number(value, 1, SCALE_SHARDS_MAX, &number);
        shape->shards = (uint32_t)number;
    }
    return good;
}

static bool read_options(int argc, char **argv, struct scale_shape *shape)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            shape->nodes = 20;
            shape->clients = 200000;
            shape->shards = 8;
            shape->seconds = 75;
            continue;
        }
        if (i + 1 >= argc || !read_option(argv[i], argv[i + 1], shape))
            return false;
        i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct scale_shape shape = {
        .seed = 1,
        .nodes = SCALE_NODES_MAX,
        .clients = 10000000,
        .shards = SCALE_SHARDS_MAX,
        .seconds = 120,
        .node_requests_per_s = 250,
        .revocations_per_s = 120,
        .deadline_ms = GH_REDIS_LIMITS_DEADLINE_MS,
        .round_trip_us = 400,
    };
    if (!read_options(argc, argv, &shape)) {
        fputs(usage, stderr);
        return 2;
    }
    return scale_report(&shape);
}
