/* Dates and times of RFC 3339, section 5.6 and, for durations, appendix A. */
#include "schema/format.h"

/* Takes exactly `digits` digits off the front. */
static bool take_number(struct gh_str *rest, size_t digits, unsigned *out)
{
    unsigned value = 0;
    if (rest->len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        char c = rest->ptr[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (unsigned)(c - '0');
    }
    *rest = gh_str_skip(*rest, digits);
    *out = value;
    return true;
}

static bool take_char(struct gh_str *rest, char c)
{
    if (rest->len == 0 || gh_ascii_lower(rest->ptr[0]) != c)
        return false;
    *rest = gh_str_skip(*rest, 1);
    return true;
}

static bool take_date(struct gh_str *rest)
{
    static const unsigned DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day;
    if (!take_number(rest, 4, &year) || !take_char(rest, '-') || !take_number(rest, 2, &month) ||
        !take_char(rest, '-') || !take_number(rest, 2, &day) || month < 1 || month > 12)
        return false;
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day >= 1 && day <= DAYS[month - 1] + (month == 2 && is_leap);
}

/* Minutes east of UTC. */
static bool take_offset(struct gh_str *rest, int *out_minutes)
{
    unsigned hours, minutes;
    *out_minutes = 0;
    if (take_char(rest, 'z'))
        return true;
    bool is_west = take_char(rest, '-');
    if (!is_west && !take_char(rest, '+'))
        return false;
    if (!take_number(rest, 2, &hours) || !take_char(rest, ':') || !take_number(rest, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *out_minutes = (int)(hours * 60 + minutes) * (is_west ? -1 : 1);
    return true;
}

static bool take_time(struct gh_str *rest)
{
    unsigned hour, minute, second, digit;
    int offset;
    if (!take_number(rest, 2, &hour) || !take_char(rest, ':') || !take_number(rest, 2, &minute) ||
        !take_char(rest, ':') || !take_number(rest, 2, &second) || hour > 23 || minute > 59 ||
        second > 60)
        return false;
    if (take_char(rest, '.')) {
        if (!take_number(rest, 1, &digit))
            return false;
        while (take_number(rest, 1, &digit))
            ;
    }
    if (!take_offset(rest, &offset))
        return false;
    /* A leap second is the last of a day in UTC. */
    int utc = ((int)(hour * 60 + minute) - offset + 2 * 24 * 60) % (24 * 60);
    return second < 60 || utc == 23 * 60 + 59;
}

bool gh_format_date(struct gh_str text)
{
    return take_date(&text) && text.len == 0;
}

bool gh_format_time(struct gh_str text)
{
    return take_time(&text) && text.len == 0;
}

bool gh_format_date_time(struct gh_str text)
{
    return take_date(&text) && take_char(&text, 't') && take_time(&text) && text.len == 0;
}

static bool take_digits(struct gh_str *rest)
{
    unsigned digit;
    if (!take_number(rest, 1, &digit))
        return false;
    while (take_number(rest, 1, &digit))
        ;
    return true;
}

static bool take_letter(struct gh_str *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    *rest = gh_str_skip(*rest, 1);
    return true;
}

/*
 * Numbers, each followed by one of `units`; the units in this order and, as the grammar has it,
 * without a gap: a year and a day need the months between them.
 */
static bool take_units(struct gh_str *rest, const char *units)
{
    const char *expected = NULL;
    bool any = false;
    while (rest->len && rest->ptr[0] != 'T') {
        if (!take_digits(rest) || rest->len == 0)
            return false;
        const char *unit = strchr(expected ? expected : units, rest->ptr[0]);
        if (!unit || *unit == '\0' || (expected && unit != expected))
            return false;
        expected = unit + 1;
        any = true;
        *rest = gh_str_skip(*rest, 1);
    }
    return any;
}

bool gh_format_duration(struct gh_str text)
{
    if (!take_letter(&text, 'P') || text.len == 0)
        return false;
    struct gh_str weeks = text;
    if (take_digits(&weeks) && take_letter(&weeks, 'W'))
        return weeks.len == 0;
    if (text.ptr[0] != 'T' && !take_units(&text, "YMD"))
        return false;
    if (text.len == 0)
        return true;
    return take_letter(&text, 'T') && take_units(&text, "HMS") && text.len == 0;
}
