/* The rules of strings and numbers. */
#include "openapi/lint_names.h"
#include "openapi/lint_pattern.h"
#include "openapi/lint_state.h"

#include <math.h>
#include <stdlib.h>

#include "schema/format.h"

#define KIND(name) (1u << GH_JSON_##name)

/* ---- Examples ---- */

static double code_points(struct gh_str text)
{
    double count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static bool is_made_of(struct gh_str text, const char *others, bool letters)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], low = gh_ascii_lower(c);
        bool is_letter = letters && low >= 'a' && low <= 'z';
        if (!is_letter && !(c >= '0' && c <= '9') && (!c || !strchr(others, c)))
            return false;
    }
    return text.len > 0;
}

static void see_string(struct gh_lint_seen *seen, struct gh_str text)
{
    double length = code_points(text);
    if (!seen->any_example || length < seen->example_length_min)
        seen->example_length_min = length;
    if (length > seen->example_length_max)
        seen->example_length_max = length;
    seen->any_example = true;
    seen->not_email |= !gh_format_email(text);
    seen->not_code |= !is_made_of(text, " ._-", true);
    seen->not_phone |=
        !is_made_of(text.len && text.ptr[0] == '+' ? gh_str_skip(text, 1) : text, " ()./-", false);
}

static void see_number(struct gh_lint_seen *seen, struct gh_str text)
{
    char memory[64];
    if (text.len >= sizeof(memory))
        return;
    memcpy(memory, text.ptr, text.len);
    memory[text.len] = 0;
    double number = strtod(memory, NULL);
    if (!isfinite(number))
        return;
    if (!seen->any_example || number < seen->example_number_min)
        seen->example_number_min = number;
    if (!seen->any_example || number > seen->example_number_max)
        seen->example_number_max = number;
    seen->any_example = true;
}

static struct gh_lint_seen *seen_of(struct gh_lint *lint, const struct gh_lint_item *item,
                                    struct gh_openapi_at owner, enum gh_json_kind kind)
{
    struct gh_lint_seen *seen = gh_lint_seen_of(lint, owner, item, 1u << kind);
    for (size_t i = 0; seen && i < item->samples.count; i++) {
        const struct gh_json_value *sample = item->samples.items[i].value;
        if (sample->kind != kind)
            continue;
        if (kind == GH_JSON_STRING)
            see_string(seen, sample->text);
        else
            see_number(seen, sample->text);
    }
    return seen;
}

/* ---- Strings ---- */

/* One string at one place. */
struct string {
    struct gh_lint *lint;
    const struct gh_lint_item *item;
    const struct gh_lint_view *view;
    struct gh_openapi_at owner;
    struct gh_str where, format;
    const struct gh_json_value *pattern, *length_min, *length_max, *format_value;
    struct gh_lint_seen *seen;
};

static bool is_format(const struct string *string, const char *const *names, size_t count)
{
    for (size_t i = 0; string->format.ptr && i < count; i++)
        if (gh_str_eq(string->format, gh_str_from_c(names[i])))
            return true;
    return false;
}

/* Formats that no long text satisfies. A time may have any number of decimals. */
static bool has_short_format(const struct string *string)
{
    static const char *const NAMES[] = {"date", "uuid", "ipv4", "ipv6"};
    return is_format(string, NAMES, sizeof(NAMES) / sizeof(NAMES[0]));
}

static bool has_checked_format(const struct string *string)
{
    return string->format.ptr && gh_format_find(string->format);
}

static void check(const struct string *string, enum gh_lint_rule rule, bool is_good,
                  bool is_fixable, const char *message)
{
    struct gh_lint_finding *finding =
        gh_lint_tell(string->lint, rule, string->owner, is_good, string->where, "%s", message);
    if (!finding)
        return;
    finding->fixable = is_fixable;
    finding->name = string->item->name;
    finding->seen = string->seen;
    finding->format = string->format_value;
    finding->length_min = string->length_min;
    finding->length_max = string->length_max;
}

static void check_length(const struct string *string)
{
    if (!has_short_format(string)) {
        enum gh_lint_rule rule =
            string->pattern ? GH_LINT_PATTERN_NO_MAX_LENGTH : GH_LINT_STRING_NO_MAX_LENGTH;
        check(string, rule, string->length_max != NULL, true,
              string->pattern ? "the pattern runs over strings of any length: there is no maxLength"
                              : "the string has no maxLength");
    }
    bool may_be_empty = !has_checked_format(string) && !string->pattern;
    if (string->item->required && may_be_empty) {
        check(string, GH_LINT_STRING_NO_MIN_LENGTH, string->length_min != NULL, true,
              "the string is required and may be empty");
    }
}

static void check_meaning(const struct string *string)
{
    static const char *const EMAILS[] = {"email", "idn-email"};
    bool is_bound = string->pattern || has_checked_format(string);
    switch (gh_lint_meaning_of(string->item->name)) {
    case GH_MEANS_EMAIL:
        check(string, GH_LINT_EMAIL_NO_FORMAT, is_format(string, EMAILS, 2) || string->pattern,
              !string->format.ptr, "it looks like an e-mail address and has no format: email");
        return;
    case GH_MEANS_PHONE:
        check(string, GH_LINT_PHONE_NO_PATTERN, is_bound, true,
              "it looks like a telephone number and has no pattern");
        return;
    case GH_MEANS_CODE:
        check(string, GH_LINT_CODE_NO_PATTERN, is_bound, true,
              "it looks like a code and has no pattern");
        return;
    case GH_MEANS_NOTHING:
    case GH_MEANS_URL:
    case GH_MEANS_PROSE:
    case GH_MEANS_SECRET:
    case GH_MEANS_ID:
        break;
    }
    check(string, GH_LINT_STRING_UNRESTRICTED, is_bound || string->format.ptr, false,
          "the string may hold any characters: no pattern, format or enum");
}

static void check_pattern(const struct string *string)
{
    struct gh_str text = gh_json_string(string->pattern);
    struct gh_openapi_at part = string->owner;
    if (!text.ptr)
        return;
    gh_lint_view_get(string->view, GH_STR("pattern"), &part);
    struct gh_openapi_at at = {part.file, string->pattern};
    struct gh_lint_pattern look = gh_lint_pattern_look(text);
    gh_lint_tell(string->lint, GH_LINT_PATTERN_NOT_ANCHORED, at, look.is_anchored, string->where,
                 "the pattern is content with a part of the string");
    gh_lint_tell(string->lint, GH_LINT_PATTERN_EXPLODES, at, !look.explodes, string->where,
                 "the pattern can match one text in very many ways");
}

void gh_lint_string(struct gh_lint *lint, const struct gh_lint_item *item,
                    const struct gh_lint_view *view)
{
    struct string string = {.lint = lint, .item = item, .view = view};
    string.owner = gh_lint_owner(view);
    string.where = gh_lint_where(lint, item);
    string.format_value = gh_lint_view_get(view, GH_STR("format"), NULL);
    string.format = gh_json_string(string.format_value);
    string.pattern = gh_lint_view_get(view, GH_STR("pattern"), NULL);
    string.length_min = gh_lint_view_get(view, GH_STR("minLength"), NULL);
    string.length_max = gh_lint_view_get(view, GH_STR("maxLength"), NULL);
    bool is_file = gh_str_eq(string.format, GH_STR("binary")) ||
                   gh_lint_view_get(view, GH_STR("contentMediaType"), NULL);
    if (item->binary && is_file)
        return;
    string.seen = seen_of(lint, item, string.owner, GH_JSON_STRING);
    check_length(&string);
    check_meaning(&string);
    check_pattern(&string);
}

/* ---- Numbers ---- */

/* In OpenAPI 3.0 exclusiveMinimum is a flag beside minimum. */
static const struct gh_json_value *bound_of(const struct gh_lint_view *view, const char *inclusive,
                                            const char *exclusive)
{
    const struct gh_json_value *bound = gh_lint_view_get(view, gh_str_from_c(inclusive), NULL);
    const struct gh_json_value *other = gh_lint_view_get(view, gh_str_from_c(exclusive), NULL);
    return bound ? bound : other && other->kind == GH_JSON_NUMBER ? other : NULL;
}

void gh_lint_number(struct gh_lint *lint, const struct gh_lint_item *item,
                    const struct gh_lint_view *view, bool integer)
{
    struct gh_openapi_at owner = gh_lint_owner(view);
    struct gh_str where = gh_lint_where(lint, item);
    const struct gh_json_value *low = bound_of(view, "minimum", "exclusiveMinimum");
    const struct gh_json_value *high = bound_of(view, "maximum", "exclusiveMaximum");
    const struct gh_json_value *format = gh_lint_view_get(view, GH_STR("format"), NULL);
    struct gh_lint_finding *findings[2];
    findings[0] = gh_lint_tell(lint, GH_LINT_NUMBER_NO_BOUNDS, owner, low && high, where,
                               low    ? "the number has no maximum"
                               : high ? "the number has no minimum"
                                      : "the number has neither minimum nor maximum");
    findings[1] = integer ? gh_lint_tell(lint, GH_LINT_INTEGER_NO_FORMAT, owner, format != NULL,
                                         where, "the integer has no format: int32 or int64")
                          : NULL;
    struct gh_lint_seen *seen = seen_of(lint, item, owner, GH_JSON_NUMBER);
    for (size_t i = 0; i < 2; i++) {
        if (!findings[i])
            continue;
        findings[i]->fixable = true;
        findings[i]->integer = integer;
        findings[i]->minimum = low;
        findings[i]->maximum = high;
        findings[i]->format = format;
        findings[i]->seen = seen;
    }
}
