/* Reading a parsed document. */
#include "json/parse.h"

struct gh_str gh_json_status_text(enum gh_json_status status)
{
    switch (status) {
    case GH_JSON_OK:
        return GH_STR("valid JSON");
    case GH_JSON_SYNTAX:
        return GH_STR("not JSON");
    case GH_JSON_UTF8:
        return GH_STR("not valid UTF-8");
    case GH_JSON_ESCAPE:
        return GH_STR("a bad escape in a string");
    case GH_JSON_DUPLICATE_NAME:
        return GH_STR("a repeated member name");
    case GH_JSON_TOO_DEEP:
        return GH_STR("nested too deeply");
    case GH_JSON_TOO_LARGE:
        return GH_STR("too large");
    case GH_JSON_INCOMPLETE:
        return GH_STR("incomplete JSON");
    case GH_JSON_MEMORY:
        return GH_STR("out of memory");
    }
    return GH_STR("");
}

const struct gh_json_value *gh_json_first(const struct gh_json_doc *doc,
                                          const struct gh_json_value *parent)
{
    return parent && parent->count ? parent + 1 : NULL;
}

const struct gh_json_value *gh_json_after(const struct gh_json_doc *doc,
                                          const struct gh_json_value *parent,
                                          const struct gh_json_value *child)
{
    return child->next < parent->next ? &doc->values[child->next] : NULL;
}

const struct gh_json_value *gh_json_get(const struct gh_json_doc *doc,
                                        const struct gh_json_value *object, struct gh_str name)
{
    if (!object || object->kind != GH_JSON_OBJECT)
        return NULL;
    uint32_t hash = gh_json_name_hash(name);
    const struct gh_json_value *member = gh_json_first(doc, object);
    for (; member; member = gh_json_after(doc, object, member)) {
        if (member->name_hash == hash && gh_str_eq(member->name, name))
            return member;
    }
    return NULL;
}

struct gh_str gh_json_string(const struct gh_json_value *value)
{
    if (!value || value->kind != GH_JSON_STRING)
        return (struct gh_str){NULL, 0};
    return value->text;
}

/* A number's text, taken apart: sign, digits with the point left out, power of ten of the last. */
struct decimal {
    bool is_negative;
    uint64_t digits;
    int64_t exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits and point at the start of *rest. Zeros at the end are counted, not multiplied, until a
   digit follows them. False: more digits than 64 bits hold. */
static bool take_digits(struct gh_str *rest, struct decimal *out)
{
    bool behind_point = false;
    uint64_t zeros = 0;
    for (; rest->len && (is_digit(*rest->ptr) || *rest->ptr == '.');
         *rest = gh_str_skip(*rest, 1)) {
        if (*rest->ptr == '.') {
            behind_point = true;
            continue;
        }
        out->exponent -= behind_point;
        zeros++;
        if (*rest->ptr == '0')
            continue;
        for (; zeros; zeros--) {
            if (__builtin_mul_overflow(out->digits, 10u, &out->digits))
                return false;
            /* Zeros before the first other digit. */
            if (out->digits == 0)
                zeros = 1;
        }
        if (__builtin_add_overflow(out->digits, (uint64_t)(*rest->ptr - '0'), &out->digits))
            return false;
    }
    out->exponent += (int64_t)zeros;
    return true;
}

/* The exponent behind the digits; one that is absurdly large stays large. */
static void take_exponent(struct gh_str rest, struct decimal *out)
{
    if (!rest.len)
        return;
    rest = gh_str_skip(rest, 1);
    bool is_negative = rest.len && *rest.ptr == '-';
    int64_t exponent = 0;
    for (; rest.len; rest = gh_str_skip(rest, 1)) {
        if (is_digit(*rest.ptr) && exponent < INT64_MAX / 100)
            exponent = exponent * 10 + (*rest.ptr - '0');
    }
    out->exponent += is_negative ? -exponent : exponent;
}

bool gh_json_int64(const struct gh_json_value *value, int64_t *out)
{
    if (!value || value->kind != GH_JSON_NUMBER)
        return false;
    struct gh_str rest = value->text;
    struct decimal number = {.is_negative = *rest.ptr == '-'};
    rest = gh_str_skip(rest, number.is_negative);
    if (!take_digits(&rest, &number))
        return false;
    take_exponent(rest, &number);
    if (number.digits == 0)
        number.exponent = 0;
    if (number.exponent < 0)
        return false;
    for (; number.exponent; number.exponent--) {
        if (__builtin_mul_overflow(number.digits, 10u, &number.digits))
            return false;
    }
    uint64_t max = (uint64_t)INT64_MAX + number.is_negative;
    if (number.digits > max)
        return false;
    *out = number.is_negative ? (int64_t)(0 - number.digits) : (int64_t)number.digits;
    return true;
}
