/*
 * The serialiser of structured field values: RFC 9651 section 4.1. It writes what the parser reads
 * back as the same value, or says that it can't.
 */
#include "http/sfv.h"

#include "base/utf8.h"
#include "http/field.h"

#define INTEGER_MAX 999999999999999 /* fifteen digits; in thousandths also the largest decimal */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* Section 4.1.1.3. */
static bool write_key(struct gh_buf *buf, struct gh_str key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool later = is_digit(c) || c == '_' || c == '-' || c == '.';
        if (!is_lower(c) && c != '*' && !(i > 0 && later))
            return false;
    }
    gh_buf_put(buf, key);
    return key.len > 0;
}

static bool is_in_range(int64_t value)
{
    return value >= -INTEGER_MAX && value <= INTEGER_MAX;
}

/* The absolute value behind a sign if there is one; `value` is in range. */
static uint64_t write_sign(struct gh_buf *buf, int64_t value)
{
    if (value < 0)
        gh_buf_put_char(buf, '-');
    return (uint64_t)(value < 0 ? -value : value);
}

/* Section 4.1.4. */
static bool write_integer(struct gh_buf *buf, int64_t value)
{
    if (!is_in_range(value))
        return false;
    gh_buf_put_u64(buf, write_sign(buf, value));
    return true;
}

/* Section 4.1.5: one digit at least behind the point, no zeros at the end. */
static bool write_decimal(struct gh_buf *buf, int64_t thousandths)
{
    if (!is_in_range(thousandths))
        return false;
    uint64_t value = write_sign(buf, thousandths);
    uint64_t fraction = value % 1000;
    gh_buf_put_u64(buf, value / 1000);
    gh_buf_put_char(buf, '.');
    unsigned divisor = 100;
    do {
        gh_buf_put_char(buf, (char)('0' + fraction / divisor % 10));
        fraction %= divisor;
        divisor /= 10;
    } while (fraction && divisor);
    return true;
}

/* Section 4.1.6. */
static bool write_string(struct gh_buf *buf, struct gh_str s)
{
    gh_buf_put_char(buf, '"');
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c < 0x20 || c >= 0x7f)
            return false;
        if (c == '"' || c == '\\')
            gh_buf_put_char(buf, '\\');
        gh_buf_put_char(buf, c);
    }
    gh_buf_put_char(buf, '"');
    return true;
}

/* Section 4.1.7. */
static bool write_token(struct gh_buf *buf, struct gh_str s)
{
    if (s.len == 0 || !(is_lower(gh_ascii_lower(s.ptr[0])) || s.ptr[0] == '*'))
        return false;
    for (size_t i = 1; i < s.len; i++) {
        if (!gh_is_token_char(s.ptr[i]) && s.ptr[i] != ':' && s.ptr[i] != '/')
            return false;
    }
    gh_buf_put(buf, s);
    return true;
}

/* Section 4.1.8. */
static void write_bytes(struct gh_buf *buf, struct gh_str bytes)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    gh_buf_put_char(buf, ':');
    for (size_t i = 0; i < bytes.len; i += 3) {
        uint32_t group = 0;
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < count ? (uint8_t)bytes.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            gh_buf_put_char(buf, k <= count ? DIGITS[group >> (18 - 6 * k) & 63] : '=');
    }
    gh_buf_put_char(buf, ':');
}

/* Section 4.1.11. */
static bool write_display_string(struct gh_buf *buf, struct gh_str s)
{
    if (!gh_utf8_is_valid(s))
        return false;
    gh_buf_put(buf, GH_STR("%\""));
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = (uint8_t)s.ptr[i];
        if (byte == '%' || byte == '"' || byte < 0x20 || byte >= 0x7f) {
            gh_buf_put_char(buf, '%');
            gh_buf_put_hex_bytes(buf, &byte, 1);
        } else {
            gh_buf_put_char(buf, (char)byte);
        }
    }
    gh_buf_put_char(buf, '"');
    return true;
}

/* Section 4.1.3.1. Inner lists are not bare items. */
static bool write_bare_item(struct gh_buf *buf, const struct gh_sfv_item *item)
{
    switch (item->type) {
    case GH_SFV_NONE:
    case GH_SFV_INNER_LIST:
        return false;
    case GH_SFV_INTEGER:
        return write_integer(buf, item->integer);
    case GH_SFV_DECIMAL:
        return write_decimal(buf, item->integer);
    case GH_SFV_STRING:
        return write_string(buf, item->bytes);
    case GH_SFV_TOKEN:
        return write_token(buf, item->bytes);
    case GH_SFV_BYTES:
        write_bytes(buf, item->bytes);
        return true;
    case GH_SFV_BOOLEAN:
        gh_buf_put(buf, item->integer ? GH_STR("?1") : GH_STR("?0"));
        return item->integer == 0 || item->integer == 1;
    case GH_SFV_DATE:
        gh_buf_put_char(buf, '@');
        return write_integer(buf, item->integer);
    case GH_SFV_DISPLAY_STRING:
        return write_display_string(buf, item->bytes);
    }
    return false;
}

static bool is_true(const struct gh_sfv_item *item)
{
    return item->type == GH_SFV_BOOLEAN && item->integer == 1;
}

/* Section 4.1.1.2. */
static bool write_params(struct gh_buf *buf, const struct gh_sfv_item *item)
{
    for (size_t i = 0; i < item->param_count; i++) {
        const struct gh_sfv_member *param = &item->params[i];
        gh_buf_put_char(buf, ';');
        if (!write_key(buf, param->key))
            return false;
        if (is_true(&param->item))
            continue;
        gh_buf_put_char(buf, '=');
        if (!write_bare_item(buf, &param->item))
            return false;
    }
    return true;
}

/* Section 4.1.1.1. */
static bool write_inner_list(struct gh_buf *buf, const struct gh_sfv_item *list)
{
    gh_buf_put_char(buf, '(');
    for (size_t i = 0; i < list->item_count; i++) {
        const struct gh_sfv_item *item = &list->items[i].item;
        if (i > 0)
            gh_buf_put_char(buf, ' ');
        if (!write_bare_item(buf, item) || !write_params(buf, item))
            return false;
    }
    gh_buf_put_char(buf, ')');
    return write_params(buf, list);
}

static bool write_member(struct gh_buf *buf, const struct gh_sfv_item *item)
{
    if (item->type == GH_SFV_INNER_LIST)
        return write_inner_list(buf, item);
    return write_bare_item(buf, item) && write_params(buf, item);
}

bool gh_sfv_write_item(struct gh_buf *buf, const struct gh_sfv_item *item)
{
    return write_bare_item(buf, item) && write_params(buf, item) && !buf->overflow;
}

bool gh_sfv_write_list(struct gh_buf *buf, const struct gh_sfv_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            gh_buf_put(buf, GH_STR(", "));
        if (!write_member(buf, &list->members[i].item))
            return false;
    }
    return !buf->overflow;
}

bool gh_sfv_write_dictionary(struct gh_buf *buf, const struct gh_sfv_list *dictionary)
{
    for (size_t i = 0; i < dictionary->count; i++) {
        const struct gh_sfv_member *member = &dictionary->members[i];
        if (i > 0)
            gh_buf_put(buf, GH_STR(", "));
        if (!write_key(buf, member->key))
            return false;
        if (is_true(&member->item)) {
            if (!write_params(buf, &member->item))
                return false;
            continue;
        }
        gh_buf_put_char(buf, '=');
        if (!write_member(buf, &member->item))
            return false;
    }
    return !buf->overflow;
}
