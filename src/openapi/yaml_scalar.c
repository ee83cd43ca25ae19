/* Plain scalars of YAML by its core schema, as JSON spells them. */
#include "openapi/yaml_read.h"

#include "base/num.h"

static bool is_one_of(struct gh_str text, const char *const *forms, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (gh_str_eq(text, gh_str_from_c(forms[i])))
            return true;
    }
    return false;
}

#define IS_ONE_OF(text, ...)                                                                       \
    is_one_of(text, (const char *const[]){__VA_ARGS__},                                            \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static size_t digits_at(struct gh_str text, size_t at)
{
    size_t count = 0;
    while (at + count < text.len && text.ptr[at + count] >= '0' && text.ptr[at + count] <= '9')
        count++;
    return count;
}

/* A decimal number cut into its parts. */
struct decimal {
    bool negative;
    struct gh_str whole, fraction, exponent; /* exponent: with its sign; ptr NULL: none */
    bool has_point;
};

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool read_decimal(struct gh_str text, struct decimal *out)
{
    struct decimal number = {0};
    size_t at = 0;
    if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        number.negative = text.ptr[at++] == '-';
    number.whole = gh_str_of(text.ptr + at, digits_at(text, at));
    at += number.whole.len;
    if (at < text.len && text.ptr[at] == '.') {
        number.has_point = true;
        at++;
        number.fraction = gh_str_of(text.ptr + at, digits_at(text, at));
        at += number.fraction.len;
    }
    if (number.whole.len + number.fraction.len == 0)
        return false;
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        size_t start = ++at;
        if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
            at++;
        size_t count = digits_at(text, at);
        at += count;
        if (count == 0)
            return false;
        number.exponent = gh_str_of(text.ptr + start, at - start);
    }
    *out = number;
    return at == text.len;
}

static enum gh_openapi_scalar put_decimal(struct gh_arena *arena, const struct decimal *number,
                                          struct gh_json_value *value)
{
    struct gh_str whole = number->whole, fraction = number->fraction;
    while (whole.len > 1 && whole.ptr[0] == '0')
        whole = gh_str_skip(whole, 1);
    if (whole.len == 0)
        whole = GH_STR("0");
    if (fraction.len == 0)
        fraction = GH_STR("0");
    const char *exponent = number->exponent.ptr ? "e" : "";
    value->kind = GH_JSON_NUMBER;
    value->is_integer = !number->has_point && !number->exponent.ptr;
    value->text = gh_arena_format(
        arena, "%s%.*s%s%.*s%s%.*s", number->negative ? "-" : "", GH_STR_ARG(whole),
        number->has_point ? "." : "", number->has_point ? (int)fraction.len : 0, fraction.ptr,
        exponent, (int)number->exponent.len, number->exponent.ptr ? number->exponent.ptr : "");
    return value->text.ptr ? GH_OPENAPI_SCALAR_OK : GH_OPENAPI_SCALAR_MEMORY;
}

/* 0x and 0o; false: it is no such number. */
static bool read_based(struct gh_str text, uint64_t *out_number, bool *out_overflow)
{
    bool is_hex = gh_str_starts_with(text, GH_STR("0x"));
    unsigned base = is_hex ? 16 : 8;
    uint64_t number = 0;
    if (text.len < 3 || (!is_hex && !gh_str_starts_with(text, GH_STR("0o"))))
        return false;
    *out_overflow = false;
    for (size_t i = 2; i < text.len; i++) {
        int digit = gh_num_hex_digit(text.ptr[i]);
        if (digit < 0 || (unsigned)digit >= base)
            return false;
        *out_overflow |= __builtin_mul_overflow(number, base, &number) ||
                         __builtin_add_overflow(number, (unsigned)digit, &number);
    }
    *out_number = number;
    return true;
}

enum gh_openapi_scalar gh_openapi_yaml_scalar(struct gh_arena *arena, struct gh_str text,
                                              struct gh_json_value *out_value)
{
    struct decimal decimal;
    uint64_t number;
    bool overflow;
    out_value->kind = GH_JSON_STRING;
    out_value->text = text;
    if (text.len == 0 || IS_ONE_OF(text, "~", "null", "Null", "NULL")) {
        out_value->kind = GH_JSON_NULL;
        out_value->text = (struct gh_str){0};
    } else if (IS_ONE_OF(text, "true", "True", "TRUE", "false", "False", "FALSE")) {
        out_value->kind = GH_JSON_BOOL;
        out_value->boolean = gh_ascii_lower(text.ptr[0]) == 't';
        out_value->text = (struct gh_str){0};
    } else if (IS_ONE_OF(text, ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf",
                         "-.INF", ".nan", ".NaN", ".NAN")) {
        return GH_OPENAPI_SCALAR_NOT_FINITE;
    } else if (read_based(text, &number, &overflow)) {
        if (overflow)
            return GH_OPENAPI_SCALAR_TOO_LARGE;
        out_value->kind = GH_JSON_NUMBER;
        out_value->is_integer = true;
        out_value->text = gh_arena_format(arena, "%llu", (unsigned long long)number);
        return out_value->text.ptr ? GH_OPENAPI_SCALAR_OK : GH_OPENAPI_SCALAR_MEMORY;
    } else if (read_decimal(text, &decimal)) {
        return put_decimal(arena, &decimal, out_value);
    }
    return GH_OPENAPI_SCALAR_OK;
}
