#include "schema/decimal.h"

#include "base/assert.h"

#define SMALL_DIGITS 18

__extension__ typedef unsigned __int128 u128;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits behind `e`, at most GH_DECIMAL_EXPONENT_MAX. */
static int64_t read_exponent(const char *at, const char *end)
{
    bool negative = at < end && *at == '-';
    int64_t exponent = 0;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    for (; at < end && is_digit(*at); at++) {
        exponent = exponent * 10 + (*at - '0');
        if (exponent > GH_DECIMAL_EXPONENT_MAX)
            exponent = GH_DECIMAL_EXPONENT_MAX;
    }
    return negative ? -exponent : exponent;
}

static int64_t small_value(const struct gh_decimal *number)
{
    int64_t value = 0;
    const char *at = number->digits;
    for (uint32_t i = 0; i < number->digit_count; at++) {
        if (*at == '.')
            continue;
        value = value * 10 + (*at - '0');
        i++;
    }
    for (int64_t i = 0; i < number->exponent; i++)
        value *= 10;
    return number->is_negative ? -value : value;
}

struct gh_decimal gh_decimal_read(struct gh_str text)
{
    struct gh_decimal number = {0};
    const char *at = text.ptr, *end = text.ptr + text.len;
    uint32_t seen = 0; /* digits since the first that counts */
    int64_t place = 0; /* digits behind the point, below zero */
    bool in_fraction = false;
    if (at < end && *at == '-')
        number.is_negative = true, at++;
    int64_t whole_after_last = 0; /* whole digits behind the last that counts */
    for (; at < end && (is_digit(*at) || *at == '.'); at++) {
        if (*at == '.') {
            in_fraction = true;
            continue;
        }
        place -= in_fraction;
        whole_after_last += !in_fraction;
        if (*at == '0' && !number.digits)
            continue;
        if (!number.digits)
            number.digits = at;
        seen++;
        if (*at != '0') {
            number.digit_count = seen;
            number.exponent = place;
            whole_after_last = 0;
        }
    }
    if (!number.digits)
        return (struct gh_decimal){.is_small = true};
    number.exponent += whole_after_last;
    if (at < end)
        number.exponent += read_exponent(at + 1, end);
    number.is_small = number.exponent >= 0 && number.exponent <= SMALL_DIGITS &&
                      number.digit_count + (uint64_t)number.exponent <= SMALL_DIGITS;
    if (number.is_small)
        number.small = small_value(&number);
    return number;
}

static const char *skip_point(const char *at)
{
    return *at == '.' ? at + 1 : at;
}

static int compare_magnitude(const struct gh_decimal *a, const struct gh_decimal *b)
{
    int64_t top_a = a->exponent + a->digit_count, top_b = b->exponent + b->digit_count;
    if (top_a != top_b)
        return top_a < top_b ? -1 : 1;
    uint32_t shared = a->digit_count < b->digit_count ? a->digit_count : b->digit_count;
    const char *x = a->digits, *y = b->digits;
    for (uint32_t i = 0; i < shared; i++, x++, y++) {
        x = skip_point(x);
        y = skip_point(y);
        if (*x != *y)
            return *x < *y ? -1 : 1;
    }
    return (a->digit_count > shared) - (b->digit_count > shared);
}

int gh_decimal_compare(const struct gh_decimal *a, const struct gh_decimal *b)
{
    if (a->is_small && b->is_small)
        return (a->small > b->small) - (a->small < b->small);
    int sign_a = a->digit_count == 0 ? 0 : a->is_negative ? -1 : 1;
    int sign_b = b->digit_count == 0 ? 0 : b->is_negative ? -1 : 1;
    if (sign_a != sign_b || sign_a == 0)
        return (sign_a > sign_b) - (sign_a < sign_b);
    return sign_a * compare_magnitude(a, b);
}

bool gh_decimal_is_integer(const struct gh_decimal *number)
{
    return number->digit_count == 0 || number->exponent >= 0;
}

static uint64_t digits_modulo(const struct gh_decimal *number, uint64_t modulus)
{
    uint64_t rest = 0;
    const char *at = number->digits;
    for (uint32_t i = 0; i < number->digit_count; i++, at++) {
        at = skip_point(at);
        rest = (uint64_t)(((u128)rest * 10 + (uint64_t)(*at - '0')) % modulus);
    }
    return rest;
}

static uint64_t power_of_ten_modulo(uint64_t exponent, uint64_t modulus)
{
    u128 result = 1 % modulus, base = 10 % modulus;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1)
            result = result * base % modulus;
        base = base * base % modulus;
    }
    return (uint64_t)result;
}

bool gh_decimal_is_multiple(const struct gh_decimal *number, const struct gh_decimal *divisor)
{
    GH_ASSERT(divisor->digit_count && !divisor->is_negative &&
              divisor->digit_count <= GH_DECIMAL_DIVISOR_DIGITS);
    if (number->digit_count == 0)
        return true;
    if (number->is_small && divisor->is_small)
        return number->small % divisor->small == 0;
    /* Their digits end with no 0, so a number of lower exponent lacks a factor of ten. */
    if (number->exponent < divisor->exponent)
        return false;
    uint64_t modulus = 0;
    const char *at = divisor->digits;
    for (uint32_t i = 0; i < divisor->digit_count; i++, at++) {
        at = skip_point(at);
        modulus = modulus * 10 + (uint64_t)(*at - '0');
    }
    uint64_t digits = digits_modulo(number, modulus);
    uint64_t shift = power_of_ten_modulo((uint64_t)(number->exponent - divisor->exponent), modulus);
    return (u128)digits * shift % modulus == 0;
}

uint64_t gh_decimal_hash(const struct gh_decimal *number)
{
    if (number->digit_count == 0)
        return 0;
    uint64_t hash = (uint64_t)number->exponent * 2 + number->is_negative;
    const char *at = number->digits;
    for (uint32_t i = 0; i < number->digit_count; i++, at++) {
        at = skip_point(at);
        hash = (hash ^ (uint64_t)*at) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return hash;
}

bool gh_decimal_u64(const struct gh_decimal *number, uint64_t *out)
{
    if (!gh_decimal_is_integer(number) || (number->digit_count && number->is_negative))
        return false;
    *out = number->is_small ? (uint64_t)number->small : UINT64_MAX;
    return true;
}
