/* One scalar into its C type: form, range, and what to say when it has neither. */
#include "config/bind_scalar.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/num.h"

#define NAMES_BYTES_MAX 400

struct unit {
    const char *name;
    uint64_t factor;
};

static struct gh_str format_with_unit(struct gh_arena *arena, const struct unit *units,
                                      size_t count, uint64_t value)
{
    const struct unit *unit = &units[count - 1];
    for (size_t i = 0; i < count; i++) {
        if (value != 0 && value % units[i].factor == 0) {
            unit = &units[i];
            break;
        }
    }
    struct gh_str text =
        gh_arena_format(arena, "%llu%s", (unsigned long long)(value / unit->factor), unit->name);
    return text.ptr ? text : GH_STR("");
}

struct gh_str gh_config_format_duration(struct gh_arena *arena, uint64_t ms)
{
    static const struct unit units[] = {
        {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    return format_with_unit(arena, units, sizeof units / sizeof units[0], ms);
}

struct gh_str gh_config_format_size(struct gh_arena *arena, uint64_t bytes)
{
    static const struct unit units[] = {
        {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"", 1}};
    return format_with_unit(arena, units, sizeof units / sizeof units[0], bytes);
}

struct gh_str gh_config_format_number(struct gh_arena *arena, enum gh_config_type type,
                                      uint64_t value)
{
    static const struct unit plain[] = {{"", 1}};
    if (type == GH_CONFIG_TYPE_DURATION)
        return gh_config_format_duration(arena, value);
    if (type == GH_CONFIG_TYPE_SIZE)
        return gh_config_format_size(arena, value);
    return format_with_unit(arena, plain, 1, value);
}

static bool refuse(struct gh_config_load *load, const char *label,
                   const struct gh_config_node *node, const char *expected, const char *remedy)
{
    struct gh_str shown = gh_config_show(load->arena, node->text);
    gh_config_problem_add(load, GH_CONFIG_ERROR, node->place, remedy,
                          "%s: expected %s, found \"%.*s\"", label, expected, GH_STR_ARG(shown));
    return false;
}

static bool bind_bool(struct gh_config_load *load, const char *label,
                      const struct gh_config_node *node, void *out)
{
    if (!node->quoted && gh_config_read_bool(node->text, out))
        return true;
    return refuse(load, label, node, "true or false",
                  node->quoted ? "write it without quotes" : "write true or false");
}

static const char *expected_form(enum gh_config_type type)
{
    if (type == GH_CONFIG_TYPE_DURATION)
        return "a duration";
    return type == GH_CONFIG_TYPE_SIZE ? "a size" : "a whole number";
}

static const char *form_remedy(enum gh_config_type type)
{
    if (type == GH_CONFIG_TYPE_DURATION)
        return "write a number with its unit: 500ms, 10s, 15m, 12h, 30d";
    if (type == GH_CONFIG_TYPE_SIZE)
        return "write bytes, or a number with its unit: 512, 64KiB, 1MiB, 2GiB";
    return "write digits only";
}

static bool read_number(enum gh_config_type type, const struct gh_config_node *node,
                        uint64_t *out_value)
{
    if (type == GH_CONFIG_TYPE_DURATION)
        return gh_config_read_duration(node->text, out_value);
    if (type == GH_CONFIG_TYPE_SIZE)
        return gh_config_read_size(node->text, out_value);
    return !node->quoted && gh_num_parse_u64(node->text, UINT64_MAX, out_value);
}

static bool bind_number(struct gh_config_load *load, const struct gh_config_field *field,
                        const char *label, const struct gh_config_node *node, uint64_t *out)
{
    uint64_t value;
    if (!read_number(field->type, node, &value))
        return refuse(load, label, node, expected_form(field->type), form_remedy(field->type));
    if (value >= field->min && (field->max == 0 || value <= field->max)) {
        *out = value;
        return true;
    }
    struct gh_str min = gh_config_format_number(load->arena, field->type, field->min);
    struct gh_str max = gh_config_format_number(load->arena, field->type, field->max);
    struct gh_str shown = gh_config_show(load->arena, node->text);
    if (field->max == 0)
        gh_config_problem_add(load, GH_CONFIG_ERROR, node->place, NULL,
                              "%s: %.*s is too small, the least is %.*s", label, GH_STR_ARG(shown),
                              GH_STR_ARG(min));
    else if (field->min == field->max)
        gh_config_problem_add(load, GH_CONFIG_ERROR, node->place, NULL,
                              "%s: must be %.*s, found %.*s", label, GH_STR_ARG(min),
                              GH_STR_ARG(shown));
    else
        gh_config_problem_add(load, GH_CONFIG_ERROR, node->place, NULL,
                              "%s: %.*s is out of range, allowed is %.*s to %.*s", label,
                              GH_STR_ARG(shown), GH_STR_ARG(min), GH_STR_ARG(max));
    return false;
}

static bool bind_rate(struct gh_config_load *load, const char *label,
                      const struct gh_config_node *node, struct gh_config_rate *out)
{
    return gh_config_read_rate(node->text, out) ||
           refuse(load, label, node, "a rate",
                  "write a count above 0 and a unit: 100/second, 5/minute, 3/hour, 50/day");
}

static bool bind_enum(struct gh_config_load *load, const struct gh_config_field *field,
                      const char *label, const struct gh_config_node *node, int *out)
{
    char memory[NAMES_BYTES_MAX], remedy[NAMES_BYTES_MAX];
    struct gh_buf names = gh_buf_over(memory, sizeof memory);
    size_t count = 0;
    for (; field->names[count]; count++) {
        struct gh_str name = gh_str_from_c(field->names[count]);
        if (name.len == 0)
            continue;
        if (gh_str_eq(name, node->text)) {
            *out = (int)count;
            return true;
        }
        if (names.len)
            gh_buf_put(&names, GH_STR(", "));
        gh_buf_put(&names, name);
    }
    const char *nearest = gh_nearest(node->text, field->names, count);
    if (nearest)
        snprintf(remedy, sizeof remedy, "did you mean \"%s\"?", nearest);
    else
        snprintf(remedy, sizeof remedy, "allowed are: %.*s", GH_STR_ARG(gh_buf_str(&names)));
    struct gh_str shown = gh_config_show(load->arena, node->text);
    gh_config_problem_add(load, GH_CONFIG_ERROR, node->place, remedy, "%s: unknown value \"%.*s\"",
                          label, GH_STR_ARG(shown));
    return false;
}

bool gh_config_bind_scalar(struct gh_config_load *load, const struct gh_config_field *field,
                           const char *label, const struct gh_config_node *node, void *out)
{
    switch (field->type) {
    case GH_CONFIG_TYPE_BOOL:
        return bind_bool(load, label, node, out);
    case GH_CONFIG_TYPE_STRING:
        *(struct gh_str *)out = node->text;
        return true;
    case GH_CONFIG_TYPE_INTEGER:
    case GH_CONFIG_TYPE_DURATION:
    case GH_CONFIG_TYPE_SIZE:
        return bind_number(load, field, label, node, out);
    case GH_CONFIG_TYPE_RATE:
        return bind_rate(load, label, node, out);
    case GH_CONFIG_TYPE_ENUM:
        return bind_enum(load, field, label, node, out);
    case GH_CONFIG_TYPE_TABLE:
    case GH_CONFIG_TYPE_LIST:
    case GH_CONFIG_TYPE_MAP:
    case GH_CONFIG_TYPE_CUSTOM:
    case GH_CONFIG_TYPE_LATER:
        break;
    }
    GH_ASSERT(!"a scalar type");
    return false;
}
