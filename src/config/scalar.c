/* The forms of scalars: durations, sizes, rates, truth values. */
#include "config/config.h"

#include "base/num.h"

const char *const gh_mode_names[] = {"enforce", "observe", "off", NULL};

struct unit {
    struct gh_str name;
    uint64_t factor;
};

/* Reads digits followed by exactly one of the units; the product is checked. */
static bool read_with_unit(struct gh_str text, const struct unit *units, size_t count,
                           uint64_t *out_value)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    uint64_t number, value;
    if (!gh_num_parse_u64(gh_str_first(text, digits), UINT64_MAX, &number))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!gh_str_eq(gh_str_skip(text, digits), units[i].name))
            continue;
        if (__builtin_mul_overflow(number, units[i].factor, &value))
            return false;
        *out_value = value;
        return true;
    }
    return false;
}

#define SECOND_MS 1000ULL
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

bool gh_config_read_duration(struct gh_str text, uint64_t *out_ms)
{
    static const struct unit units[] = {
        {GH_STR_INIT("ms"), 1},      {GH_STR_INIT("s"), SECOND_MS}, {GH_STR_INIT("m"), MINUTE_MS},
        {GH_STR_INIT("h"), HOUR_MS}, {GH_STR_INIT("d"), DAY_MS},
    };
    return read_with_unit(text, units, sizeof units / sizeof units[0], out_ms);
}

bool gh_config_read_size(struct gh_str text, uint64_t *out_bytes)
{
    static const struct unit units[] = {
        {GH_STR_INIT(""), 1},
        {GH_STR_INIT("KiB"), 1ULL << 10},
        {GH_STR_INIT("MiB"), 1ULL << 20},
        {GH_STR_INIT("GiB"), 1ULL << 30},
    };
    return read_with_unit(text, units, sizeof units / sizeof units[0], out_bytes);
}

bool gh_config_read_rate(struct gh_str text, struct gh_config_rate *out_rate)
{
    static const struct unit windows[] = {
        {GH_STR_INIT("second"), SECOND_MS},
        {GH_STR_INIT("minute"), MINUTE_MS},
        {GH_STR_INIT("hour"), HOUR_MS},
        {GH_STR_INIT("day"), DAY_MS},
    };
    size_t slash = gh_str_find_char(text, '/');
    uint64_t count;
    if (slash == text.len || !gh_num_parse_u64(gh_str_first(text, slash), UINT64_MAX, &count) ||
        count == 0)
        return false;
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        if (gh_str_eq(gh_str_skip(text, slash + 1), windows[i].name)) {
            *out_rate = (struct gh_config_rate){count, windows[i].factor};
            return true;
        }
    }
    return false;
}

bool gh_config_read_bool(struct gh_str text, bool *out_value)
{
    /* YAML 1.2 core schema; `yes`, `no`, `on`, `off` are strings there. */
    static const char *const forms[] = {"false", "False", "FALSE", "true", "True", "TRUE"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (gh_str_eq(text, gh_str_from_c(forms[i]))) {
            *out_value = i >= 3;
            return true;
        }
    }
    return false;
}
