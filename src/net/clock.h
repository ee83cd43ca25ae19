/*
 * The clocks. Private to net; others use loop.h. In builds with GH_TEST_CLOCK a file named by
 * GATEHOUSE_TEST_CLOCK moves both: its first 8 bytes, a little-endian int64 of milliseconds, are
 * added on each read. Release builds have no such code.
 */
#ifndef GH_NET_CLOCK_H
#define GH_NET_CLOCK_H

#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t gh_clock_monotonic_us(void);
/* What tests have added to all clocks so far; 0 in release builds. */
int64_t gh_clock_offset_ms(void);

#endif
