/* Strict readers of numbers written by others: digits only, whole slice, overflow is an error. */
#ifndef GH_BASE_NUM_H
#define GH_BASE_NUM_H

#include "base/str.h"

/*
 * Reads `s` as decimal digits without sign, space or redundant leading zero ("0" itself is fine).
 * False, with *out_value untouched, when it is anything else or above `max`.
 */
bool gh_num_parse_u64(struct gh_str s, uint64_t max, uint64_t *out_value);

/* Value of one hexadecimal digit of either case, or -1. */
int gh_num_hex_digit(char c);

#endif
