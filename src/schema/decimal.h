/*
 * Decimal numbers as JSON writes them (RFC 8259 section 6), compared and divided exactly: nothing
 * goes through floating point, and nothing is written out, so that 1e400 costs as much as 1.
 * Only what JSON Schema asks of numbers; no arithmetic.
 */
#ifndef GH_SCHEMA_DECIMAL_H
#define GH_SCHEMA_DECIMAL_H

#include "base/str.h"

/* Exponents beyond this are taken for it. */
#define GH_DECIMAL_EXPONENT_MAX INT64_C(1000000000000000)
/* Digits, without zeros at either end, that a divisor may have. */
#define GH_DECIMAL_DIVISOR_DIGITS 18

/* Borrows the text it was read from. All zero: the number 0. */
struct gh_decimal {
    const char *digits;   /* the first that counts; a point may stand among them */
    uint32_t digit_count; /* from there to the last that is not 0; 0: the number is 0 */
    bool is_negative;
    bool is_small; /* whole, at most 18 digits: `small` is the number */
    int64_t small;
    int64_t exponent; /* of ten, of the last digit that counts */
};

/* `text` is a JSON number. */
struct gh_decimal gh_decimal_read(struct gh_str text);
/* Below, at or above 0 as `a` is less than, equal to or greater than `b`. */
int gh_decimal_compare(const struct gh_decimal *a, const struct gh_decimal *b);
/* 1.0 and 1e2 are. */
bool gh_decimal_is_integer(const struct gh_decimal *number);
/* `divisor` is positive and has at most GH_DECIMAL_DIVISOR_DIGITS digits. */
bool gh_decimal_is_multiple(const struct gh_decimal *number, const struct gh_decimal *divisor);
/* Equal numbers, however written, have equal hashes. */
uint64_t gh_decimal_hash(const struct gh_decimal *number);
/* False: negative or not whole. What is too large becomes UINT64_MAX. */
bool gh_decimal_u64(const struct gh_decimal *number, uint64_t *out);

#endif
