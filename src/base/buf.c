#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

static const char HEX_DIGITS[] = "0123456789abcdef";

void gh_buf_put_u64(struct gh_buf *buf, uint64_t value)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    gh_buf_put(buf, gh_str_of(digits + at, sizeof(digits) - at));
}

void gh_buf_put_hex(struct gh_buf *buf, uint64_t value)
{
    char digits[16];
    size_t at = sizeof(digits);
    do {
        digits[--at] = HEX_DIGITS[value & 15];
        value >>= 4;
    } while (value);
    gh_buf_put(buf, gh_str_of(digits + at, sizeof(digits) - at));
}

void gh_buf_put_hex_bytes(struct gh_buf *buf, const uint8_t *bytes, size_t count)
{
    if (count > (buf->cap - buf->len) / 2) {
        buf->overflow = true;
        return;
    }
    char *to = buf->ptr + buf->len;
    for (size_t i = 0; i < count; i++) {
        *to++ = HEX_DIGITS[bytes[i] >> 4];
        *to++ = HEX_DIGITS[bytes[i] & 15];
    }
    buf->len += 2 * count;
}

void gh_buf_format(struct gh_buf *buf, const char *format, ...)
{
    size_t room = buf->cap - buf->len;
    va_list args;
    va_start(args, format);
    /* vsnprintf wants room for its NUL, which a full buffer has not: such a text overflows. */
    int len = vsnprintf(buf->ptr + buf->len, room, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= room) {
        buf->overflow = true;
        return;
    }
    buf->len += (size_t)len;
}
