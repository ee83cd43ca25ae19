#include "audit/time_text.h"

#include "audit/record.h"

/* `count` digits at `at`. */
static uint64_t number_at(const char *at, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number * 10 + (uint64_t)(at[i] - '0');
    return number;
}

static bool has_form(struct gh_str text)
{
    static const char FORM[] = "0000-00-00T00:00:00.000000Z";
    if (text.len != GH_AUDIT_TIME_LEN)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool is_digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (FORM[i] == '0' ? !is_digit : text.ptr[i] != FORM[i])
            return false;
    }
    return true;
}

/* Days since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil). */
static uint64_t days_since_1970(uint64_t year, uint64_t month, uint64_t day)
{
    uint64_t shifted = month <= 2 ? year - 1 : year;
    uint64_t era = shifted / 400, of_era = shifted % 400;
    uint64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool gh_audit_parse_time(struct gh_str text, uint64_t *out_time_us)
{
    if (!has_form(text))
        return false;
    uint64_t year = number_at(text.ptr, 4), month = number_at(text.ptr + 5, 2);
    uint64_t day = number_at(text.ptr + 8, 2), hour = number_at(text.ptr + 11, 2);
    uint64_t minute = number_at(text.ptr + 14, 2), second = number_at(text.ptr + 17, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    uint64_t seconds =
        days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    uint64_t time_us = seconds * 1000000 + number_at(text.ptr + 20, 6);
    /* A day that its month does not have comes back as one of the next. */
    char memory[GH_AUDIT_TIME_LEN + 1];
    struct gh_buf again = gh_buf_over(memory, sizeof(memory));
    gh_audit_put_time(&again, time_us);
    if (!gh_str_eq(gh_buf_str(&again), text))
        return false;
    *out_time_us = time_us;
    return true;
}
