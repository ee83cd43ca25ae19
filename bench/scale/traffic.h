/*
 * Bytes on the wire: of what store/redis_limits.c and its script say to one another (RESP2), and
 * of the segments that carry it.
 */
#ifndef GH_SCALE_TRAFFIC_H
#define GH_SCALE_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

#include "limit/limit.h"
#include "store/redis_limits_wire.h"

/* A segment's head: Ethernet 14, IPv4 20, TCP with time stamps 32. A write is answered by a segment
   that acknowledges it, and that by a bare acknowledgement at the worst. */
#define SCALE_SEGMENT_BYTES 66
#define SCALE_WRITE_OUT     (2 * SCALE_SEGMENT_BYTES)
#define SCALE_WRITE_IN      SCALE_SEGMENT_BYTES

#define SCALE_SECRET_NAME_BYTES 5 /* "{gh}k" */

/* "$<digits>\r\n<bytes>\r\n" */
static inline uint32_t scale_bulk_bytes(uint32_t bytes)
{
    return 1 + (bytes > 99 ? 3 : bytes > 9 ? 2 : 1) + 2 + bytes + 2;
}

static inline uint32_t scale_digits(uint64_t number)
{
    uint32_t digits = 1;
    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

/* The bytes of a question about these limits. */
uint32_t scale_question_bytes(const struct gh_limit_rule *const *rules, uint32_t count);
/* And of its answer, where all have been looked at. */
uint32_t scale_answer_bytes(const struct gh_limit_decision *decisions, uint32_t count);

/*
 * What a node can't exceed, whose requests had so many limits between them: the formulas of
 * docs/scaling.md. No batching: each question in a segment of its own.
 */
#define SCALE_QUESTION_BYTES_MAX 113
#define SCALE_LIMIT_OUT_MAX      86
#define SCALE_ANSWER_BYTES_MAX   5
#define SCALE_LIMIT_IN_MAX       47

static inline double scale_out_bytes_max(uint64_t requests, uint64_t limits)
{
    return (double)requests * (SCALE_QUESTION_BYTES_MAX + SCALE_WRITE_OUT) +
           (double)limits * SCALE_LIMIT_OUT_MAX;
}
static inline double scale_in_bytes_max(uint64_t requests, uint64_t limits)
{
    return (double)requests * (SCALE_ANSWER_BYTES_MAX + SCALE_WRITE_IN) +
           (double)limits * SCALE_LIMIT_IN_MAX;
}

#endif
